import Foundation
import MailkeepKit

private func draft(_ subject: String) -> Data {
    Data("From: me@example.org\r\nTo: you@example.org\r\nSubject: \(subject)\r\n\r\n\(subject)\r\n".utf8)
}

@Sendable func offlineWork(_ world: World) async throws {
    let user = try world.server.user()
    try world.server.ask("fill", user, "INBOX", 20, 7, 2_000)
    let store = try Mailkeep(path: world.path())
    defer { store.close() }
    let account = try world.imap(store, user)
    try await world.sync(store, account)
    let before = try world.server.imapRows(user)
    let inbox = try mailbox(store, account, "INBOX").id
    let all = try await rows(store, inbox)
    let ids = all.map(\.id)

    try equal(try store.setFlags(Array(ids[0..<3]), set: ["\\Flagged", "todo"], clear: ["\\Seen"]), 3)
    try equal(try store.replaceFlags([ids[3]], with: ["$Forwarded"]), 1)
    try equal(try store.move(Array(ids[4..<6]), to: store.createMailbox(account, name: "Archive")), 2)
    let project = try store.createMailbox(account, name: "Pröject & more")
    try equal(try store.copy(Array(ids[6..<8]), to: project).count, 2)
    try equal(try store.delete([ids[8]]), 1)
    try equal(try store.expunge([ids[9]]), 1)
    try equal(try store.archive([ids[10]]), 1)
    let local = try store.createMailbox(account, name: "Here only", local: true)
    try equal(try store.move([ids[11]], to: local), 1)
    let drafts =
        try store.mailboxes(account).first { $0.role == .drafts }?.id
        ?? store.createMailbox(account, name: "Drafts", role: .drafts)
    var note = try store.append(draft("first try"), to: drafts, flags: ["\\Draft"])
    note = try store.replaceDraft(note, with: draft("second try"))
    try store.renameMailbox(project, to: "Projekte/Neu")

    let shown = Dictionary(uniqueKeysWithValues: try await rows(store, inbox).map { ($0.id, $0) })
    for id in ids[0..<3] {
        let flags = shown[id]?.flags ?? []
        try holds(flags.contains("\\Flagged") && flags.contains("todo") && !flags.contains("\\Seen"), flags)
    }
    try holds(ids[0..<4].allSatisfy { shown[$0]?.pending == true }, shown)
    try equal(shown.count, 14)
    let kinds = Set(try store.pending(account).map { plain($0.kind)["is"].text })
    try holds(kinds.isSuperset(of: ["SET_FLAGS", "MOVE", "COPY", "APPEND", "CREATE_MAILBOX"]), kinds)
    try equal(try world.server.imapRows(user), before, "the server has heard nothing")

    let summary = try await world.sync(store, account)
    try holds(summary.operationsReplayed > 0, summary)
    try equal(summary.operationsSetAside, 0)
    try equal(try store.pending(), [])

    let there = try world.server.imapRows(user)
    let hashes = all.map { hex($0.sha256 ?? Data()) }
    let flags = { (hash: String) in
        there.filter { $0["sha256"].text == hash }.map { Set($0["flags"].list.map(\.text)) }
    }
    for hash in hashes[0..<3] {
        let found = flags(hash)
        try equal(found.count, 1)
        try holds(found[0].isSuperset(of: ["\\flagged", "todo"]) && !found[0].contains("\\seen"), found)
    }
    try equal(flags(hashes[3]), [["$forwarded"]])
    let places = { (hash: String) in there.filter { $0["sha256"].text == hash }.map { $0["mailbox"].text }.sorted() }
    for hash in hashes[4..<6] + [hashes[10]] { try equal(places(hash), ["Archive"]) }
    for hash in hashes[6..<8] { try equal(places(hash), ["INBOX", "Projekte/Neu"]) }
    try equal(places(hashes[8]), ["Trash"])
    try equal(places(hashes[9]), [])
    try equal(places(hashes[11]), [], "what is kept here only")
    try holds(try await raw(store, ids[11]) != nil, "it is here")
    try equal(there.filter { $0["mailbox"].text == "Drafts" }.count, 1, "drafts")
    try equal(try store.message(note).row.subject, "second try")
    try equal(try await world.sync(store, account).operationsReplayed, 0)
    try equal(try store.verify().problems, [])
}

@Sendable func takeBack(_ world: World) async throws {
    let user = try world.server.user()
    try world.server.ask("fill", user, "INBOX", 3, 8, 1_000)
    let store = try Mailkeep(path: world.path())
    defer { store.close() }
    let account = try world.imap(store, user)
    try await world.sync(store, account)
    let before = try world.server.imapRows(user)
    let inbox = try mailbox(store, account, "INBOX").id
    let all = try await rows(store, inbox)
    try store.setFlags([all[0].id], set: ["later"])
    try store.expunge([all[1].id])
    try equal(try store.pending().count, 2)
    for operation in try store.pending() {
        try equal(operation.state, .waiting)
        try store.cancelOperation(operation.id)
    }
    try equal(try store.pending(), [])
    try equal(try await rows(store, inbox), all)
    try await world.sync(store, account)
    try equal(try world.server.imapRows(user), before)
    let gone = try await throwing(MailError.self) { try store.cancelOperation(1 << 40) }
    try equal(gone.code, 200)
}

/// A list on a screen that follows the feed by `MailList`, loaded page by page.
@Sendable func changeFeed(_ world: World) async throws {
    let user = try world.server.user()
    try world.server.ask("fill", user, "INBOX", 30, 9, 1_000)
    let store = try Mailkeep(path: world.path())
    defer { store.close() }
    let account = try world.imap(store, user)
    try await world.sync(store, account)
    let inbox = try mailbox(store, account, "INBOX").id
    let ids = try await rows(store, inbox).map(\.id)
    let list = MailList(store, mailbox: inbox, pageSize: 7)
    var loads = 0
    while await list.state.more {
        try await list.loadMore()
        loads += 1
    }
    try equal(loads, 5)
    let shown = Shared([Listed]())
    let screen = Task { for await state in await list.states() { shown.with { $0.append(state) } } }
    let following = Task { try await list.follow() }
    try await shows(list, store, inbox, "at first")
    try equal(await list.state.rows.count, 30)
    let actions: [() async throws -> Void] = [
        { try store.setFlags(Array(ids[0..<5]), set: ["todo"]) },
        { try store.delete(Array(ids[3..<9])) },
        { try store.append(draft("new here"), to: inbox) },
        { try store.markAllRead(inbox) },
        { try await world.sync(store, account) },
        { try store.emptyMailbox(inbox) },
    ]
    for (number, action) in actions.enumerated() {
        try await action()
        try await shows(list, store, inbox, "after action \(number)")
    }
    try equal(await list.state.rows, [])
    let end = ContinuousClock.now + .seconds(5)
    while shown.with({ $0.last?.rows.isEmpty }) != true, ContinuousClock.now < end {
        try await Task.sleep(for: .milliseconds(5))
    }
    try equal(shown.with { $0.last?.rows.count }, 0, "what the screen was told last")
    following.cancel()
    screen.cancel()
    try await following.value
    if case .since = try store.changes(since: 1 << 50) { throw Failure("a commit that was never made") }
}

private func shows(_ list: MailList, _ store: Mailkeep, _ mailbox: Int64, _ what: String) async throws {
    let wanted = try await rows(store, mailbox)
    let end = ContinuousClock.now + .seconds(5)
    while await list.state.rows != wanted, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(5)) }
    try equal(await list.state.rows, wanted, what)
}
