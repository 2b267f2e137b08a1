import Foundation
import MailkeepKit
import OpenSSLTransport

@Sendable func workLimit(_ world: World) async throws {
    let user = try world.server.user()
    try world.server.ask("fill", user, "INBOX", 40, 34, 20_000)
    let store = try Mailkeep(path: world.path())
    defer { store.close() }
    let account = try world.imap(store, user)
    let limit = 2_000
    // By hand: every step is seen.
    let connection = try world.connect(store, account)
    try await connection.beginSync()
    try await connection.beginLogout()
    let takes = try await steps(connection.engineConnection, try await world.transport(store, account), user, limit)
    try equal(try store.stats().messages, 40)
    try holds(takes.max()! <= limit + 16_384, "\(takes.max()!) octets in one step")
    try holds(takes.reduce(0, +) > 700_000 && takes.count > 150, "\(takes.reduce(0, +)) in \(takes.count)")

    // And by the loop of this layer.
    let other = try Mailkeep(path: world.path())
    defer { other.close() }
    let same = try world.imap(other, user)
    try equal(try await world.sync(other, same, options: RunOptions(limit: limit)).messagesAdded, 40)
    try equal(try other.verify().problems, [])
}

/// A loop of one's own; gives what each step took.
private func steps(
    _ connection: EngineConnection, _ transport: some Transport, _ user: String, _ limit: Int
) async throws -> [Int] {
    defer { transport.close() }
    let begin = ContinuousClock.now
    let mono = { Int64((ContinuousClock.now - begin) / .milliseconds(1)) }
    let wall = { Int64(Date().timeIntervalSince1970 * 1000) }
    var takes = [Int]()
    var rest = Data()
    var more = true
    while true {
        if !more {
            let octets = try await transport.read(upTo: 1 << 16)
            if octets.isEmpty { _ = try connection.stepEof(monoMs: mono(), wallMs: wall()) }
            rest.append(octets)
        }
        let step = try connection.step(input: rest, monoMs: mono(), wallMs: wall(), limit: Int64(limit))
        takes.append(Int(step.consumed))
        rest = Data(rest.dropFirst(Int(step.consumed)))
        more = step.more || !rest.isEmpty
        if !step.transmit.isEmpty { try await transport.write(step.transmit) }
        for case .needCredentials in step.events {
            try connection.provideCredentials(credentials: .password(user: user, authzid: nil, password: "secret"))
            more = true
        }
        if step.closed { return takes }
    }
}

/// A transport that keeps what is written.
private struct Recording<T: Transport>: Transport {
    let inner: T
    let said = Shared(Data())

    func read(upTo limit: Int) async throws -> Data { try await inner.read(upTo: limit) }

    func write(_ octets: Data) async throws {
        said.with { $0.append(octets) }
        try await inner.write(octets)
    }

    func close() { inner.close() }
}

@Sendable func startTLS(_ world: World) async throws {
    let user = try world.server.user()
    try world.server.ask("fill", user, "INBOX", 5, 35, 1_000)
    let store = try Mailkeep(path: world.path())
    defer { store.close() }
    let account = try world.imap(store, user)
    var settings = try store.account(account).settings
    (settings.security, settings.port) = (.startTls, world.server.imap)
    try store.updateAccount(account, settings)
    try await world.sync(store, account)
    try equal(try store.stats().messages, 5)

    // As a sequence of events.
    let connection = try world.connect(store, account)
    try await connection.beginSync()
    try await connection.beginLogout()
    var events = [Event]()
    for try await event in connection.events(over: try await world.transport(settings)) { events.append(event) }
    try holds(events.contains(.startTls) && events.last == .closed(error: nil), events)

    // Who no longer goes through them ends the connection.
    let left = try world.connect(store, account)
    try await left.beginSync()
    for try await event in left.events(over: try await world.transport(settings)) where event == .authenticated {
        break
    }
    let end = ContinuousClock.now + .seconds(5)
    while !left.isClosed, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(5)) }
    try holds(left.isClosed, "the connection goes on")

    // The same port, held to be encrypted by the account and not so by the host: nothing is said of the password.
    var encrypted = settings
    encrypted.security = .tls
    try store.updateAccount(account, encrypted)
    let open = try world.connect(store, account, options: RunOptions(secure: false))
    let recording = Recording(inner: try await world.transport(settings))
    let error = try await throwing(MailError.self) { try await open.syncOnce(over: recording) }
    try equal(error.code, 302)
    let words = recording.said.with { String(decoding: $0, as: UTF8.self) }
    try holds(!words.contains("secret") && !words.uppercased().contains("LOGIN"), words)

    // A certificate that names somebody else is refused.
    let transport = try await world.transport(settings)
    defer { transport.close() }
    try holds(try await !transport.read(upTo: 1 << 12).isEmpty, "no greeting")
    try await transport.write(Data("a STARTTLS\r\n".utf8))
    try holds(try await !transport.read(upTo: 1 << 12).isEmpty, "no answer")
    let refused = try await throwing(TransportError.self) { try await transport.startTLS(host: "other.example") }
    try holds(refused.errorDescription?.contains("certificate") == true, refused)
}
