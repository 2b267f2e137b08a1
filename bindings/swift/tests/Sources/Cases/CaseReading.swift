import Foundation
import MailkeepKit
import OpenSSLTransport

@Sendable func offlineSync(_ world: World) async throws {
    let user = try world.server.user()
    try world.server.ask("fill", user, "INBOX", 120, 3, 5_000)
    try world.server.ask("fill", user, "Lists/Deep er", 30, 4, 3_000)
    let there = try world.server.imapRows(user)
    try equal(there.count, 150)
    let path = world.path()
    var store = try Mailkeep(path: path)
    let account = try world.imap(store, user)
    try equal(try await world.sync(store, account).messagesAdded, 150)
    try equal(try await world.sync(store, account).messagesAdded, 0, "a second sync")
    store.close()
    try world.server.ask("stop")
    let read: [JSON]
    do {
        store = try Mailkeep(path: path, create: false)
        read = try await seen(store, account)
    } catch {
        try world.server.ask("start")
        throw error
    }
    try world.server.ask("start")
    try equal(read, there)
    try equal(try store.verify().problems, [])
    store.close()
}

private func maildrop(_ world: World, _ user: String) throws -> [String] {
    guard case .object(let hashes) = try world.server.ask("pop3", user, "secret") else { throw Failure("no maildrop") }
    return hashes.values.map(\.text).sorted()
}

@Sendable func pop3(_ world: World) async throws {
    let user = try world.server.user()
    try world.server.ask("fill", user, "INBOX", 25, 5, 4_000)
    let there = try maildrop(world, user)
    let store = try Mailkeep(path: world.path())
    defer { store.close() }
    let account = try world.pop3(store, user)
    try equal(try await world.sync(store, account).messagesAdded, 25)
    let inbox = try mailbox(store, account, "INBOX")
    try equal(inbox.kind, .popInbox)
    let all = try await rows(store, inbox.id)
    let hashes = all.map { hex($0.sha256 ?? Data()) }
    try equal(hashes.sorted(), there)
    try equal(try store.retentionPlan(account), [])
    try equal(try await world.sync(store, account).messagesAdded, 0)

    var settings = try store.account(account).settings
    settings.keep = .untilDeletedHere
    try store.updateAccount(account, settings)
    try store.expunge(all.prefix(10).map(\.id))
    let plan = try store.retentionPlan(account)
    try equal(plan.count, 10)
    try holds(plan.allSatisfy { $0.why == .deletedHere && !$0.uidl.isEmpty && $0.size > 0 }, plan)
    try await world.sync(store, account)
    try equal(try maildrop(world, user), hashes.dropFirst(10).sorted())
    settings.keep = .delete
    try store.updateAccount(account, settings)
    try equal(try store.retentionPlan(account).count, 15)
    try holds(try store.retentionPlan(account).allSatisfy { $0.why == .here }, try store.retentionPlan(account))
    try await world.sync(store, account)
    try equal(try maildrop(world, user), [])
    try equal(try await rows(store, inbox.id).count, 15, "what was deleted there is here")
    try equal(try store.verify().problems, [])
}

private let attached = Data((0..<256 * 300).map { UInt8(truncatingIfNeeded: $0) })

private func withAttachment() -> Data {
    let lines = attached.base64EncodedString(
        options: [.lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed])
    return Data(
        ("From: a@example.org\r\nSubject: attached\r\nMIME-Version: 1.0\r\n"
            + "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
            + "--b\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n--b\r\nContent-Type: application/octet-stream\r\n"
            + "Content-Disposition: attachment; filename=\"all octets.bin\"\r\n"
            + "Content-Transfer-Encoding: base64\r\n\r\n"
            + "\(lines)\r\n--b--\r\n").utf8)
}

@Sendable func attachment(_ world: World) async throws {
    let user = try world.server.user()
    let mail = withAttachment()
    try world.server.deliver(user, "INBOX", mail)
    let store = try Mailkeep(path: world.path())
    defer { store.close() }
    let account = try world.imap(store, user, bodies: .onDemand)
    try await world.sync(store, account)
    let row = try await rows(store, mailbox(store, account, "INBOX").id)[0]
    try equal(row.attachments, 1)
    try holds(row.structured && row.sha256 == nil, row)
    try equal(try await raw(store, row.id), nil)
    let part = try store.message(row.id).parts.first(where: \.isAttachment)
    guard let part else { throw Failure("no attachment") }
    try equal([part.safeFileName, part.mediaType], ["all octets.bin", "application/octet-stream"])

    var runner = Runner(try world.connect(store, account), try await world.transport(store, account))
    try await runner.connection.fetch(row.id, part: part.number)
    try await runner.connection.logout()
    try equal(try await runner.finish(), nil)
    try holds(try store.part(row.id, part.number) == attached, "the part differs")
    try equal(try await raw(store, row.id), nil, "the rest was not brought")

    runner = Runner(try world.connect(store, account), try await world.transport(store, account))
    let request = try await runner.connection.beginFetch(row.id)
    try await runner.connection.logout()
    try equal(try await runner.finish(), nil)
    try holds(runner.events.contains(.opened(request: request, message: row.id)), runner.events)
    try holds(try await raw(store, row.id, chunk: 1_000) == mail, "the message differs")
    let end = Int64(mail.count)
    try holds(try store.body(row.id, offset: end - 5, length: 100) == mail.suffix(5), "its end")
    try equal(try store.body(row.id, offset: end + 5, length: 100)?.count, 0)
    try holds(try store.part(row.id, part.number) == attached, "the part differs")
    try equal(try store.part(row.id, "7"), nil)
    let evicted = try store.evictBodies(budget: 0)
    try equal([evicted.messages, evicted.octets], [1, end])
    try equal(try await raw(store, row.id), nil)
}
