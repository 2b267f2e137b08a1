import Foundation
import MailkeepKit
import OpenSSLTransport

/// A sync has come so far.
private func progressed(_ wanted: Int64, of request: Int64? = nil) -> (Event) -> Bool {
    { event in
        guard case .progress(let sync, _, let done, _) = event else { return false }
        return done > wanted && sync == request ?? sync
    }
}

private func isDone(_ event: Event) -> Bool {
    if case .done = event { true } else { false }
}

@Sendable func cancel(_ world: World) async throws {
    let user = try world.server.user()
    try world.server.ask("fill", user, "INBOX", 1_500, 12, 20_000)
    let store = try Mailkeep(path: world.path())
    defer { store.close() }
    let account = try world.imap(store, user)
    let connection = try world.connect(store, account)
    let runner = Runner(connection, try await world.transport(store, account))
    // The language's own cancellation: who waits for the sync is cancelled, and the sync with it.
    let syncing = Task { try await connection.sync() }
    try await runner.wait(progressed(50))
    let asked = ContinuousClock.now
    syncing.cancel()
    try holds(ContinuousClock.now - asked < .milliseconds(100), "cancelling itself took \(ContinuousClock.now - asked)")
    let (done, moment) = try await runner.wait(isDone)
    try equal(done.failure?.code, 203)
    try holds(moment - asked < .seconds(10), "\(moment - asked) until the request ended")
    try await throwing(CancellationError.self) { _ = try await syncing.value }
    let here = try store.stats().messages
    try holds((50..<1_500).contains(here), "\(here) messages were here when it was cancelled")

    // The whole connection is cancelled while it syncs: what came whole is kept.
    let kept = try await cutOff(runner, store, here)
    let other = try world.connect(store, account, options: RunOptions(commitThread: true))
    _ = try await cutOff(Runner(other, try await world.transport(store, account)), store, kept)
    try await world.sync(store, account)
    try equal(try store.stats().messages, 1_500)
    try equal(try store.verify().problems, [])
}

/// Cancels a connection in the middle of a sync, and says how many messages are here then.
private func cutOff(_ runner: Runner, _ store: Mailkeep, _ before: Int64) async throws -> Int64 {
    let connection = runner.connection
    let request = try await connection.beginSync()
    try await runner.wait(progressed(50, of: request))
    let asked = ContinuousClock.now
    runner.task.cancel()
    try await throwing(CancellationError.self) { _ = try await runner.finish() }
    try holds(ContinuousClock.now - asked < .seconds(5), "\(ContinuousClock.now - asked) until the connection ended")
    try holds(connection.isClosed, "the connection goes on")
    let kept = try store.stats().messages
    try holds(kept > before && kept < 1_500, "\(kept) messages were kept")
    try await throwing(MailError.self) { _ = try await connection.outcome(of: request) }
    return kept
}

@Sendable func twoConnections(_ world: World) async throws {
    let users = [try world.server.user(), try world.server.user()]
    for (seed, user) in users.enumerated() { try world.server.ask("fill", user, "INBOX", 300, 20 + seed, 6_000) }
    let store = try Mailkeep(path: world.path())
    defer { store.close() }
    let accounts = try users.map { try world.imap(store, $0) }
    let idle = try world.imap(store, world.server.user())
    let notes = try store.createMailbox(idle, name: "Notes", local: true)
    let note = try store.append(Data("Subject: a note\r\n\r\nx\r\n".utf8), to: notes)
    var runners = [Runner]()
    for account in accounts {
        let connection = try world.connect(store, account)
        try await connection.beginSync()
        try await connection.beginLogout()
        runners.append(Runner(connection, try await world.transport(store, account)))
    }
    var (count, longest) = (0, Duration.zero)
    while runners.contains(where: { !$0.isOver }) {
        let started = ContinuousClock.now
        try store.setFlags([note], set: count % 2 == 1 ? ["\\Seen"] : [], clear: count % 2 == 0 ? ["\\Seen"] : [])
        longest = max(longest, ContinuousClock.now - started)
        count += 1
        try await Task.sleep(for: .milliseconds(5))
    }
    for runner in runners { try equal(try await runner.finish(), nil) }
    for (user, account) in zip(users, accounts) {
        try equal(try await seen(store, account), try world.server.imapRows(user))
    }
    try holds(count > 10 && longest < .seconds(5), "\(count) flags set, the slowest in \(longest)")
    try equal(try store.verify().problems, [])
}

/// A connection that has synced and watches the inbox.
private func watching(_ world: World, _ store: Mailkeep, _ account: Int64) async throws -> Runner {
    let connection = try world.connect(store, account)
    let synced = try await connection.beginSync()
    try await connection.beginWatch([mailbox(store, account, "INBOX").id])
    let runner = Runner(connection, try await world.transport(store, account))
    try await runner.wait { event in
        if case .done(let request, _, _) = event { request == synced } else { false }
    }
    try await Task.sleep(for: .milliseconds(300))
    return runner
}

private func newMail(_ event: Event) -> (mailbox: Int64, message: Int64)? {
    if case .newMail(let mailbox, let message) = event { (mailbox, message) } else { nil }
}

@Sendable func watch(_ world: World) async throws {
    let user = try world.server.user()
    try world.server.ask("fill", user, "INBOX", 3, 30, 1_000)
    let store = try Mailkeep(path: world.path())
    defer { store.close() }
    let account = try world.imap(store, user)
    try await world.sync(store, account)
    try store.acknowledgeNewMail(store.newMail())
    let runner = try await watching(world, store, account)
    try world.server.deliver(user, "INBOX", Data("From: a@example.org\r\nSubject: just now\r\n\r\nhello\r\n".utf8))
    guard let told = newMail(try await runner.wait { newMail($0) != nil }.event) else { throw Failure("no new mail") }
    try equal(told.mailbox, try mailbox(store, account, "INBOX").id)
    try equal(try store.message(told.message).row.subject, "just now")
    try equal(try store.newMail(), [told.message])
    try store.acknowledgeNewMail([told.message])
    try equal(try store.newMail(), [])
    try await runner.connection.stopWatching()
    try await runner.connection.logout()
    try equal(try await runner.finish(), nil)
    try equal(runner.events.filter { newMail($0) != nil }.count, 1)
    try await world.sync(store, account)
    try equal(try store.newMail(), [])
}

@Sendable func wake(_ world: World) async throws {
    let user = try world.server.user()
    try world.server.ask("fill", user, "INBOX", 3, 31, 1_000)
    let store = try Mailkeep(path: world.path())
    defer { store.close() }
    let account = try world.imap(store, user)
    try await world.sync(store, account)
    let runner = try await watching(world, store, account)
    let row = try await rows(store, mailbox(store, account, "INBOX").id)[0]
    try store.setFlags([row.id], set: ["woken"])
    let end = ContinuousClock.now + .seconds(10)
    while try !store.pending().isEmpty, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(20)) }
    try equal(try store.pending(), [], "the watching connection told the server")
    let woken = try world.server.imapRows(user).filter { $0["flags"].list.contains(.string("woken")) }
    try equal(woken.map { $0["uid"].number }, [row.uid])
    try await runner.connection.beginLogout()
    try equal(try await runner.finish(), nil)
}

@Sendable func commitThread(_ world: World) async throws {
    let user = try world.server.user()
    try world.server.ask("fill", user, "INBOX", 400, 33, 20_000)
    let store = try Mailkeep(path: world.path())
    defer { store.close() }
    let account = try world.imap(store, user)
    try equal(try await world.sync(store, account, options: RunOptions(commitThread: true)).messagesAdded, 400)
    try equal(try await seen(store, account), try world.server.imapRows(user))
    try equal(try store.verify().problems, [])
}
