import Foundation
import MailkeepKit
import OpenSSLTransport

private let pageSize = 37
private let chunkSize = 1_000
private let before: Int64 = 1_768_780_800_000

@Sendable func fixture(_ world: World) async throws {
    let path = world.path()
    try FileManager.default.copyItem(atPath: world.fixture.appendingPathComponent("mail.redb").path, toPath: path)
    let wanted = try JSON.parse(Data(contentsOf: world.fixture.appendingPathComponent("readout.json")))
    let store = try Mailkeep(path: path, create: false)
    defer { store.close() }
    let read = try await readout(store)
    guard case .object(let fields) = wanted else { throw Failure("the readout is no object") }
    for (name, value) in fields {
        for (at, (theirs, mine)) in zip(value.list, read[name]?.list ?? []).enumerated() {
            try equal(mine, theirs, "\(name) \(at)")
        }
        try equal(read[name], value, name)
    }
    try equal(Set(read.keys), Set(fields.keys))
    try holds(read["messages"]!.list.count > 300, "too few messages")
}

private func readout(_ store: Mailkeep) async throws -> [String: JSON] {
    let accounts = try store.accounts()
    let mailboxes = try accounts.flatMap { try store.mailboxes($0.id) }
    let pages = try mailboxes.flatMap { box in try allPages(store, box.id).map { (box.id, $0) } }
    var messages = [JSON]()
    for row in pages.flatMap(\.1) { messages.append(try await message(store, row.id)) }
    return [
        "accounts": plain(accounts),
        "mailboxes": plain(mailboxes),
        "pages": .list(pages.map { .object(["mailbox": .number($0.0), "rows": plain($0.1)]) }),
        "messages": .list(messages),
        "archive": plain(try accounts.flatMap { try store.planArchive($0.id, .receivedBefore(beforeMs: before)) }),
        "pending": plain(try store.pending()),
        "changes": plain(try store.changes(since: 0)),
        "new_mail": plain(try store.newMail(limit: 1_000)),
        "stats": plain(try store.stats()),
        "verify": plain(try store.verify()),
        "incarnation": .number(try store.incarnation()),
    ]
}

/// All pages, each read packed and as records.
private func allPages(_ store: Mailkeep, _ mailbox: Int64) throws -> [[MessageRow]] {
    var all = [[MessageRow]]()
    var cursor: Data?
    repeat {
        let page = try store.page(mailbox, after: cursor, limit: pageSize)
        let records = try store.engine.messages(mailbox: mailbox, after: cursor, limit: Int64(pageSize))
        try equal(plain(page), plain(records), "records and packed rows")
        for row in page.rows { try asAValue(row) }
        all.append(page.rows)
        cursor = page.next
    } while cursor != nil
    return all
}

/// A row is a value: one that was packed here of what it tells is equal to it.
private func asAValue(_ row: MessageRow) throws {
    let made = MessageRow(
        id: row.id, mailbox: row.mailbox, content: row.content, uid: row.uid, flags: row.flags, pending: row.pending,
        internalDate: row.internalDate, size: row.size, sha256: row.sha256, fromFirst: row.fromFirst,
        toFirst: row.toFirst, subject: row.subject, dateMs: row.dateMs, messageId: row.messageId, preview: row.preview,
        attachments: row.attachments, degraded: row.degraded, structured: row.structured)
    try equal(made, row, "packed again")
    try equal(made.hashValue, row.hashValue, "its hash")
    try equal(plain(made), plain(row), "its fields")
    let other = MessageRow(
        id: row.id, mailbox: row.mailbox, flags: row.flags + ["other"], internalDate: row.internalDate)
    try holds(other != row, "it tells something else")
}

private func message(_ store: Mailkeep, _ id: Int64) async throws -> JSON {
    let found = try store.message(id)
    try equal(found.row, store.row(id), "the row alone and with its message")
    return .object([
        "message": plain(found),
        "raw": digest(try await raw(store, id, chunk: chunkSize)),
        "text": digest(try store.text(id).map { Data($0.utf8) }),
        "html": digest(try store.html(id).map { Data($0.utf8) }),
        "contents": .list(try found.parts.map { digest(try store.part(id, $0.number)) }),
    ])
}

private func digest(_ octets: Data?) -> JSON {
    guard let octets else { return .null }
    return .object(["octets": .number(Int64(octets.count)), "sha256": .string(hex(sha256(octets)))])
}
