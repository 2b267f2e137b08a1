// swift-tools-version: 6.0
import Foundation
import PackageDescription

// `./package` leaves what is generated, and the engine's library, in build/; `./xcframework` leaves a framework for
// Apple's systems there.
let framework = "build/CMailkeepFFI.xcframework"
let engine: Target =
    FileManager.default.fileExists(atPath: Context.packageDirectory + "/" + framework)
    ? .binaryTarget(name: "CMailkeepFFI", path: framework)
    : .systemLibrary(name: "CMailkeepFFI", path: "build/c")

// Where Xcode takes it into the app. Other systems have no use for it.
let manifest = "PrivacyInfo.xcprivacy"
#if os(macOS)
    let (resources, leftOut): ([Resource]?, [String]) = ([.copy(manifest)], [])
#else
    let (resources, leftOut): ([Resource]?, [String]) = (nil, [manifest])
#endif

let package = Package(
    name: "Mailkeep",
    platforms: [.macOS(.v14), .iOS(.v17)],
    products: [
        .library(name: "MailkeepKit", targets: ["MailkeepKit"])
    ],
    targets: [
        engine,
        .target(name: "MailkeepFFI", dependencies: ["CMailkeepFFI"], path: "build/swift"),
        .target(name: "MailkeepKit", dependencies: ["MailkeepFFI"], exclude: leftOut, resources: resources),
    ],
    swiftLanguageModes: [.v6]
)
