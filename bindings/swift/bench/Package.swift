// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "Bench",
    platforms: [.macOS(.v14)],
    dependencies: [
        .package(name: "Mailkeep", path: "..")
    ],
    targets: [
        .executableTarget(name: "Border", dependencies: [.product(name: "MailkeepKit", package: "Mailkeep")])
    ],
    swiftLanguageModes: [.v6]
)
