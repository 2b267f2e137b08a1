// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "Cases",
    platforms: [.macOS(.v14)],
    dependencies: [
        .package(name: "Mailkeep", path: ".."),
        .package(name: "OpenSSLTransport", path: "../openssl"),
    ],
    targets: [
        .executableTarget(
            name: "Cases",
            dependencies: [
                .product(name: "MailkeepKit", package: "Mailkeep"),
                .product(name: "OpenSSLTransport", package: "OpenSSLTransport"),
            ])
    ],
    swiftLanguageModes: [.v6]
)
