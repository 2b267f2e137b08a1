import Foundation
import MailkeepKit

private func fails(
    _ code: Int, file: StaticString = #fileID, line: Int = #line, _ act: () async throws -> Void
) async throws {
    let error = try await throwing(MailError.self, file: file, line: line, act)
    try equal(error.code, code, "\(error)", file: file, line: line)
    let text = error.errorDescription ?? ""
    try holds(!text.isEmpty && error.localizedDescription == text, "no text", file: file, line: line)
    let fault: Fault =
        switch error {
        case .store: .store
        case .caller: .caller
        case .server, .tryLater: .server
        case .engine: .engine
        }
    try equal(error.fault, fault, file: file, line: line)
}

/// What a transport is whose other end is closed.
private struct Ended: Transport {
    func read(upTo limit: Int) async throws -> Data { Data() }
    func write(_ octets: Data) async throws { throw TransportError("closed") }
    func close() {}
}

/// What a transport is whose other end says nothing.
private struct Silent: Transport {
    private let silence = AsyncStream<Void>.makeStream()

    func read(upTo limit: Int) async throws -> Data {
        for await _ in silence.stream {}
        return Data()
    }

    func write(_ octets: Data) async throws {}
    func close() { silence.continuation.finish() }
}

/// Opens a store in this process, and says how that goes.
func opener(_ path: String) {
    do {
        try Mailkeep(path: path).close()
        print("opened")
    } catch {
        print(error.code)
    }
}

/// What a program of another process says, and whether it went well.
private func elsewhere(_ program: String, _ arguments: String...) throws -> (said: String, well: Bool) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let said = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let words = String(decoding: said, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    return (words, process.terminationStatus == 0)
}

/// What another process sees of a file's lock.
private func isLocked(_ path: String) throws -> Bool {
    try !elsewhere("/usr/bin/flock", "--nonblock", "--exclusive", path, "true").well
}

@Sendable func errors(_ world: World) async throws {
    let path = world.path()
    let store = try Mailkeep(path: path)
    try await fails(105) { _ = try Mailkeep(path: path) }
    try equal(try elsewhere(CommandLine.arguments[0], "open", path).said, "105")
    let foreign = world.path()
    let words = String(repeating: "not a database ", count: 1_000)
    try words.write(toFile: foreign, atomically: false, encoding: .utf8)
    try await fails(102) { _ = try Mailkeep(path: foreign) }
    try equal(try String(contentsOfFile: foreign, encoding: .utf8), words)
    try await fails(100) { _ = try Mailkeep(path: world.folder.path + "/no/such") }

    let user = try world.server.user()
    let account = try world.imap(store, user)
    try await fails(200) { _ = try store.message(77) }
    try await fails(200) { _ = try store.mailbox(-1) }
    try await fails(200) { _ = try store.mailbox(1 << 40) }
    try await fails(202) { _ = try world.imap(store, user) }
    var settings = try store.account(account).settings
    (settings.name, settings.port) = ("other", 70_000)
    let unusable = settings
    try await fails(202) { _ = try store.addAccount(unusable) }
    try await fails(201) { try store.finishConversion(account, .forget) }
    let local = try store.createMailbox(account, name: "Local", local: true)
    let note = try store.append(Data("Subject: x\r\n\r\nx\r\n".utf8), to: local)
    try await fails(202) { try store.setFlags([note], set: ["no keyword"]) }
    try await fails(202) { try store.replaceFlags([note], with: ["(bad"]) }
    try await fails(202) { try store.append(Data(), to: local) }

    try await fails(301) {
        try await world.connect(store, account, password: "wrong").syncOnce(over: world.transport(store, account))
    }
    try await fails(302) {
        try await store.connect(account, signIn: SignIn { _ in nil }).syncOnce(over: world.transport(store, account))
    }
    struct Locked: Error {}
    try await throwing(Locked.self) {
        let locked = try store.connect(account, signIn: SignIn { _ in throw Locked() })
        try await locked.syncOnce(over: world.transport(store, account))
    }
    try await fails(304) { try await world.connect(store, account).syncOnce(over: Ended()) }
    try await fails(305) {
        try await world.connect(store, account, options: RunOptions(timeoutMs: 200)).syncOnce(over: Silent())
    }
    let givenUp = try world.connect(store, account)
    givenUp.close()
    try await fails(107) { try await givenUp.beginSync() }
    let ranOnce = try world.connect(store, account)
    try await ranOnce.syncOnce(over: world.transport(store, account))
    try await fails(201) { try await ranOnce.run(Ended()) }

    try store.suspend()
    try await fails(106) { _ = try store.accounts() }
    try store.resume()
    try equal(try store.accounts().count, 1)
    store.close()
    try await fails(107) { _ = try store.accounts() }
    store.close()
}

@Sendable func closedWhileBusy(_ world: World) async throws {
    let user = try world.server.user()
    try world.server.ask("fill", user, "INBOX", 800, 40, 10_000)
    let path = world.path()
    let store = try Mailkeep(path: path)
    let account = try world.imap(store, user)
    let connection = try world.connect(store, account)
    try await connection.beginSync()
    let runner = Runner(connection, try await world.transport(store, account))
    try await runner.wait(progressed(20))
    store.close()
    let error = try await runner.finish()
    try equal(error?.code, 107, "\(String(describing: error))")
    let again = try Mailkeep(path: path, create: false)
    defer { again.close() }
    try equal(try again.verify().problems, [])
    try await world.sync(again, account)
    try equal(try again.stats().messages, 800)
    try equal(try again.verify().problems, [])
}

private func progressed(_ wanted: Int64) -> (Event) -> Bool {
    { if case .progress(_, _, let done, _) = $0 { done > wanted } else { false } }
}

@Sendable func suspend(_ world: World) async throws {
    let path = world.path()
    let store = try Mailkeep(path: path)
    let account = try world.imap(store, world.server.user())
    let local = try store.createMailbox(account, name: "Local", local: true)
    let note = try store.append(Data("Subject: kept\r\n\r\nx\r\n".utf8), to: local)
    try equal(try isLocked(path), true)
    try store.suspend()
    try equal(try isLocked(path), false)
    try await fails(106) { _ = try store.message(note) }
    try await fails(106) { try store.append(Data("x".utf8), to: local) }
    try store.resume()
    try equal(try isLocked(path), true)
    try equal(try store.message(note).row.subject, "kept")
    store.close()
    try equal(try isLocked(path), false)
}

@Sendable func backup(_ world: World) async throws {
    let user = try world.server.user()
    try world.server.ask("fill", user, "INBOX", 600, 41, 8_000)
    let copy = world.path()
    let store = try Mailkeep(path: world.path())
    defer { store.close() }
    let account = try world.imap(store, user)
    let connection = try world.connect(store, account)
    try await connection.beginSync()
    try await connection.beginLogout()
    let runner = Runner(connection, try await world.transport(store, account))
    try await runner.wait(progressed(20))
    try store.backup(to: copy)
    let busy = !runner.isOver
    try equal(try await runner.finish(), nil)
    try holds(busy, "the sync was over before the copy was made")
    try equal(try store.stats().messages, 600)
    try await fails(102) { try store.backup(to: copy) }
    let other = try Mailkeep(path: copy, create: false)
    defer { other.close() }
    try holds(try other.incarnation() != store.incarnation(), "the same incarnation")
    try equal(try other.verify().problems, [])
    try holds((1...600).contains(try other.stats().messages), try other.stats())
    try await world.sync(other, account)
    try equal(try other.stats().messages, 600)
}

@Sendable func handles(_ world: World) async throws {
    let user = try world.server.user()
    // In memory where there is such a place: it is not the disk that is tried here.
    let place = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : world.folder.path
    let path = "\(place)/mailkeep-\(UUID().uuidString).redb"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let store = try Mailkeep(path: path)
    let account = try world.imap(store, user)
    let local = try store.createMailbox(account, name: "Local", local: true)
    try store.append(Data("Subject: x\r\n\r\nx\r\n".utf8), to: local)
    store.close()
    var warm: Int64 = 0
    for turn in 0..<10_000 {
        let store = try Mailkeep(path: path, create: false)
        defer { store.close() }
        if turn % 10 == 0 {
            try equal(try store.page(local).rows.count, 1)
            let connection = try world.connect(store, account)
            defer { connection.close() }
            try await connection.beginSync()
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            _ = try connection.engineConnection.step(input: Data(), monoMs: Int64(turn), wallMs: now, limit: 0)
        }
        if turn == 999 { warm = try resident() }
    }
    let grown = try resident() - warm
    say("10,000 times opened and closed: \(grown >> 10) KB more after the first 1,000")
    try holds(grown < 5 << 20, "the process grew by \(grown >> 10) KB")
    let files = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    try holds(files < 100, "\(files) open files")
}

/// Octets of memory in use.
private func resident() throws -> Int64 {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS") }),
        let kilobytes = Int64(line.filter(\.isNumber))
    else { throw Failure("no VmRSS") }
    return kilobytes * 1024
}
