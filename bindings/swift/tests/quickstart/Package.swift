// swift-tools-version: 6.0
import PackageDescription

// `run` puts the programs here: the quick starts of the READMEs, as they are written there.
let package = Package(
    name: "QuickStart",
    platforms: [.macOS(.v14)],
    dependencies: [
        .package(name: "Mailkeep", path: "../../.."),
        .package(name: "OpenSSLTransport", path: "../../../openssl"),
    ],
    targets: ["Short", "Long"].map { name in
        .executableTarget(
            name: name,
            dependencies: [
                .product(name: "MailkeepKit", package: "Mailkeep"),
                .product(name: "OpenSSLTransport", package: "OpenSSLTransport"),
            ])
    },
    swiftLanguageModes: [.v6]
)
