import Foundation
import MailkeepFFI
import MailkeepKit

/// When everything happens: milliseconds since 1970.
let wall: Int64 = 1_767_225_600_000
/// Pages read in a run: rows, and how many pages.
let pages = [(50, 4_000), (1_000, 200)]

/// What the border costs: the same as `bindings/examples/border.rs`, from Swift.
///
/// ```text
/// Border replay FILE STORE RUNS
/// Border pages STORE RUNS
/// ```
@main
struct Main {
    static func main() throws {
        let words = Array(CommandLine.arguments.dropFirst())
        switch words.first {
        case "replay" where words.count == 4: try replay(words[1], words[2], runs: Int(words[3]) ?? 1)
        case "pages" where words.count == 3: try readPages(words[1], runs: Int(words[2]) ?? 1)
        default: fatalError("usage: Border replay FILE STORE RUNS | pages STORE RUNS")
        }
    }

    /// Replays a recorded sync into new stores, the first to warm up.
    static func replay(_ file: String, _ path: String, runs: Int) throws {
        let recorded = try Data(contentsOf: URL(fileURLWithPath: file))
        for run in 0...runs {
            try? FileManager.default.removeItem(atPath: path)
            let store = try Mailkeep(path: path)
            defer { store.close() }
            let replayed = try Run(store)
            let started = cpu()
            var closed = try replayed.give(Data())
            var at = 0
            while at < recorded.count {
                let count = recorded.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: at, as: UInt32.self)) }
                closed = try replayed.give(recorded[(at + 4)..<(at + 4 + count)])
                at += 4 + count
            }
            let took = cpu() - started
            precondition(closed, "the recording ended before the connection did")
            if run > 0 { print("sync of \(try store.stats().messages) messages: \(took)") }
        }
    }

    static func readPages(_ path: String, runs: Int) throws {
        let store = try Mailkeep(path: path, create: false)
        defer { store.close() }
        let mailbox = try store.mailboxes(store.accounts()[0].id)[0].id
        for (limit, times) in pages {
            for read in [false, true] {
                for run in 0...runs {
                    let started = cpu()
                    var shown = 0
                    for _ in 0..<times {
                        let rows = try store.page(mailbox, limit: limit).rows
                        precondition(rows.count == limit, "\(rows.count) rows")
                        if read { shown += rows.reduce(0) { $0 + show($1) } }
                    }
                    precondition(!read || shown > 0, "the rows show nothing")
                    if run > 0 { print("page of \(limit)\(read ? ", each row shown" : ""): \(cpu() - started)") }
                }
            }
        }
    }

    /// Reads what a list shows of a row.
    static func show(_ row: MessageRow) -> Int {
        let from = row.fromFirst.first.map { $0.name ?? $0.address } ?? ""
        let date = row.internalDate > 0 ? 1 : 0
        return from.utf8.count + row.subject.utf8.count + row.preview.utf8.count + row.flags.count + date
    }
}

/// One connection's run, with a clock that goes on by a millisecond a step.
final class Run {
    private let connection: EngineConnection
    private var steps: Int64 = 0

    /// A connection that syncs an account and signs out, with nothing left to chance.
    init(_ store: Mailkeep) throws {
        var settings = AccountSettings.imap("bench", host: "localhost", user: "bench")
        (settings.port, settings.security, settings.compress) = (143, .insecure, false)
        let account = try store.addAccount(settings)
        connection = try store.engine.connect(
            account: account, options: connectionOptions(seed: Data(repeating: 7, count: 32), secure: false))
        _ = try connection.sync(mailboxes: nil, bodies: nil)
        _ = try connection.logout()
    }

    /// Gives octets from the server, and returns whether the connection has ended.
    func give(_ input: Data) throws -> Bool {
        var rest = input
        while true {
            steps += 1
            let step = try connection.step(input: rest, monoMs: steps, wallMs: wall + steps, limit: 0)
            rest = rest.dropFirst(Int(step.consumed))
            var asked = false
            for case .needCredentials in step.events {
                try connection.provideCredentials(
                    credentials: .password(user: "bench", authzid: nil, password: "secret"))
                asked = true
            }
            if step.closed || !(step.more || asked || !rest.isEmpty) { return step.closed }
        }
    }
}

/// The process's CPU time in milliseconds, to the system's tick (10 ms).
func cpu() -> Int64 {
    guard let stat = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
        let behind = stat.split(separator: ")").last
    else { fatalError("no /proc/self/stat") }
    let fields = behind.split(separator: " ")
    // Of the user and of the system, the fields 14 and 15 of proc(5); those up to the name's bracket are cut off.
    return (Int64(fields[11])! + Int64(fields[12])!) * 10
}
