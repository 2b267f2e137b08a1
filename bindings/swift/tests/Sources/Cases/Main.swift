import Foundation
import MailkeepKit

typealias Case = @Sendable (World) async throws -> Void

/// The cases by their ids in tests/cases/cases.json.
let cases: [String: Case] = [
    "fixture": fixture,
    "offline-sync": offlineSync,
    "offline-work": offlineWork,
    "take-back": takeBack,
    "pop3": pop3,
    "attachment": attachment,
    "cancel": cancel,
    "two-connections": twoConnections,
    "watch": watch,
    "wake": wake,
    "errors": errors,
    "closed-while-busy": closedWhileBusy,
    "suspend": suspend,
    "handles": handles,
    "change-feed": changeFeed,
    "commit-thread": commitThread,
    "work-limit": workLimit,
    "backup": backup,
    "starttls": startTLS,
]

/// Runs the cases that every language is held to: FIXTURE-FOLDER SERVER-FOLDER CASES-FILE [CASE]...
///
/// The last line is "N passed, N failed". A case of the list that is missing here fails, and so does one that is not in
/// the list.
@main
struct Main {
    static func main() async throws {
        let arguments = CommandLine.arguments
        if arguments[1] == "open" { return opener(arguments[2]) }
        let (folder, server, list) = (arguments[1], arguments[2], arguments[3])
        let listed = try JSON.parse(Data(contentsOf: URL(fileURLWithPath: list))).list.map { $0["id"].text }
        let unknown = Set(cases.keys).subtracting(listed)
        guard unknown.isEmpty else { throw Failure("not in \(list): \(unknown)") }
        let world = try World(fixture: URL(fileURLWithPath: folder), server: URL(fileURLWithPath: server))
        var (passed, failed) = (0, 0)
        for name in arguments.count > 4 ? Array(arguments.dropFirst(4)) : listed {
            let started = ContinuousClock.now
            do {
                guard let run = cases[name] else { throw Failure("this case is missing in Swift") }
                try await run(world)
                passed += 1
                say("case \(name) ... ok (\(ContinuousClock.now - started))")
            } catch {
                failed += 1
                say("case \(name) ... FAILED: \(error)")
            }
        }
        world.close()
        say("\(passed) passed, \(failed) failed")
        exit(failed == 0 ? 0 : 1)
    }
}

/// A line for whoever watches, at once.
func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
}
