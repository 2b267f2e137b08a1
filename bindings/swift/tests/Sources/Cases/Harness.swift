import Foundation
import MailkeepKit
import OpenSSLTransport

/// A private Dovecot: the program `mail_server` at the other ends of two named pipes, `commands` and `answers`.
final class Server: @unchecked Sendable {
    private let lock = NSLock()
    private let commands: FileHandle
    private let answers: FileHandle
    private var users = 0
    private var unread = Data()
    private(set) var imap: Int32 = 0
    private(set) var imaps: Int32 = 0
    private(set) var pop3s: Int32 = 0
    private(set) var ca = ""

    init(_ folder: URL) throws {
        commands = try FileHandle(forWritingTo: folder.appendingPathComponent("commands"))
        answers = try FileHandle(forReadingFrom: folder.appendingPathComponent("answers"))
        let about = try JSON.parse(line())
        (imap, imaps, pop3s) = (Int32(about["imap"].number), Int32(about["imaps"].number), Int32(about["pop3s"].number))
        ca = about["ca"].text
    }

    private func line() throws -> Data {
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                defer { unread = Data(unread[(end + 1)...]) }
                return Data(unread[..<end])
            }
            let more = answers.availableData
            guard !more.isEmpty else { throw Failure("the mail server is gone") }
            unread.append(more)
        }
    }

    @discardableResult
    func ask(_ words: Any...) throws -> JSON {
        try lock.withLock {
            let line = words.map { "\($0)".replacingOccurrences(of: " ", with: "%20") }.joined(separator: " ")
            try commands.write(contentsOf: Data((line + "\n").utf8))
            return try JSON.parse(self.line())
        }
    }

    /// A new user, whose password is `secret`.
    func user() throws -> String {
        let name = lock.withLock {
            users += 1
            return "user\(users)"
        }
        try ask("user", name, "secret")
        return name
    }

    func deliver(_ user: String, _ mailbox: String, _ raw: Data) throws {
        try ask("deliver", user, mailbox, 1_700_000_000, raw.base64EncodedString())
    }

    /// What another program sees of a user's mail: rows by mailbox and UID.
    func imapRows(_ user: String) throws -> [JSON] {
        ordered(try ask("imap", user, "secret").list)
    }
}

/// A server, and a folder for stores.
final class World: Sendable {
    let fixture: URL
    let server: Server
    let folder: URL
    private let stores = Shared(0)

    init(fixture: URL, server: URL) throws {
        self.fixture = fixture
        self.server = try Server(server)
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("mailkeep-swift-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    func close() {
        try? FileManager.default.removeItem(at: folder)
    }

    func path() -> String {
        let number = stores.with { stores in
            stores += 1
            return stores
        }
        return folder.appendingPathComponent("store\(number).redb").path
    }

    /// An IMAP account over TLS.
    func imap(_ store: Mailkeep, _ user: String, bodies: BodyPolicy = .all) throws -> Int64 {
        var settings = AccountSettings.imap(user, host: "localhost", user: user)
        settings.port = server.imaps
        settings.bodies = bodies
        return try store.addAccount(settings)
    }

    /// A POP3 account over TLS.
    func pop3(_ store: Mailkeep, _ user: String) throws -> Int64 {
        var settings = AccountSettings.pop3(user, host: "localhost", user: user)
        settings.port = server.pop3s
        return try store.addAccount(settings)
    }

    func connect(
        _ store: Mailkeep, _ account: Int64, password: String = "secret", options: RunOptions = RunOptions()
    ) throws -> Connection {
        let user = try store.account(account).settings.user
        return try store.connect(account, signIn: .password(user: user, password), options: options)
    }

    func transport(_ settings: AccountSettings) async throws -> OpenSSLTransport {
        try await OpenSSLTransport.connect(settings, authority: server.ca)
    }

    func transport(_ store: Mailkeep, _ account: Int64) async throws -> OpenSSLTransport {
        try await transport(store.account(account).settings)
    }

    @discardableResult
    func sync(_ store: Mailkeep, _ account: Int64, options: RunOptions = RunOptions()) async throws -> SyncSummary {
        try await connect(store, account, options: options).syncOnce(over: transport(store, account))
    }
}

/// Runs a connection in the background, and keeps its events with the moments at which they came.
final class Runner: Sendable {
    let connection: Connection
    let task: Task<Void, any Error>
    private let heard: Shared<[(event: Event, moment: ContinuousClock.Instant)]>
    private let outcome: Shared<Result<Void, any Error>?>

    init(_ connection: Connection, _ transport: some Transport) {
        let heard = Shared([(event: Event, moment: ContinuousClock.Instant)]())
        let outcome = Shared<Result<Void, any Error>?>(nil)
        (self.connection, self.heard, self.outcome) = (connection, heard, outcome)
        task = Task {
            do {
                try await connection.run(transport) { event in heard.with { $0.append((event, .now)) } }
                outcome.with { $0 = .success(()) }
            } catch {
                outcome.with { $0 = .failure(error) }
                throw error
            }
        }
    }

    var events: [Event] { heard.with { $0.map(\.event) } }
    var isOver: Bool { outcome.with { $0 != nil } }

    /// The first event that is wanted, and when it came.
    @discardableResult
    func wait(
        seconds: Int = 20, _ wanted: (Event) -> Bool
    ) async throws -> (event: Event, moment: ContinuousClock.Instant) {
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            let over = isOver || ContinuousClock.now > end
            if let found = heard.with({ $0.first { wanted($0.event) } }) { return found }
            guard !over else { throw Failure("not told: \(events), \(String(describing: outcome.with { $0 }))") }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// Waits until the connection ends, and gives why where it did not end well.
    func finish(seconds: Int = 30) async throws -> MailError? {
        let end = ContinuousClock.now + .seconds(seconds)
        while !isOver {
            guard ContinuousClock.now < end else { throw Failure("the connection goes on") }
            try await Task.sleep(for: .milliseconds(2))
        }
        do {
            try await task.value
            return nil
        } catch let error as MailError {
            return error
        }
    }
}

/// A value that several tasks share.
final class Shared<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) {
        self.value = value
    }

    func with<R>(_ act: (inout Value) throws -> R) rethrows -> R {
        try lock.withLock { try act(&value) }
    }
}
