// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "Mail",
    platforms: [.macOS(.v14)],
    dependencies: [
        .package(name: "Mailkeep", path: "../../../bindings/swift"),
        .package(name: "OpenSSLTransport", path: "../../../bindings/swift/openssl"),
    ],
    targets: [
        .executableTarget(
            name: "Mail",
            dependencies: [
                .product(name: "MailkeepKit", package: "Mailkeep"),
                .product(name: "OpenSSLTransport", package: "OpenSSLTransport"),
            ])
    ],
    swiftLanguageModes: [.v6]
)
