// swift-tools-version: 6.0
import PackageDescription

// TLS for the tests and the example on Linux, where Swift brings none. Apps on Apple's systems use Network.framework.
let package = Package(
    name: "OpenSSLTransport",
    platforms: [.macOS(.v14)],
    products: [
        .library(name: "OpenSSLTransport", targets: ["OpenSSLTransport"])
    ],
    dependencies: [
        .package(name: "Mailkeep", path: "..")
    ],
    targets: [
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        .target(
            name: "OpenSSLTransport",
            dependencies: ["COpenSSL", .product(name: "MailkeepKit", package: "Mailkeep")]),
    ],
    swiftLanguageModes: [.v6]
)
