// Never built here.
import MailkeepKit
import Observation

/// What the inbox shows, and the connection that watches it while it is on the screen.
@MainActor
@Observable
final class InboxModel {
    private(set) var shown = Listed(rows: [], more: true)
    private(set) var trouble: String?
    private(set) var hasAccount = true
    private var list: MailList?
    private var work: Task<Void, Never>?

    /// The app is in front: the store is in use, the list follows it, the first account is watched.
    func appear() {
        guard work == nil else { return }
        trouble = nil
        work = Task {
            do {
                try await Store.shared.use { try await self.show($0) }
            } catch is CancellationError {
                // It went to the background.
            } catch {
                trouble = error.localizedDescription
            }
        }
    }

    /// The app is in the background: nothing uses the store any more, and its file is closed.
    func disappear() {
        work?.cancel()
        work = nil
    }

    /// The person comes near the end of what was loaded.
    func loadMore() {
        guard let list, shown.more else { return }
        Task { try? await list.loadMore() }
    }

    private func show(_ store: Mailkeep) async throws {
        let first = try store.accounts().first
        hasAccount = first != nil
        guard let account = first else { return }
        // The first sync lists the mailboxes.
        if try store.mailboxes(account.id).isEmpty { try await Refresh.sync(store, account) }
        guard let inbox = try store.mailboxes(account.id).first(where: { $0.role == .inbox }) else { return }
        let list = MailList(store, mailbox: inbox.id)
        self.list = list
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await list.follow() }
            group.addTask { for await state in await list.states() { await self.draw(state) } }
            group.addTask {
                let connection = try store.connect(account.id, signIn: Store.signIn(account))
                try await connection.beginSync()
                try await connection.beginWatch([inbox.id])
                try await connection.run(NetworkTransport.connect(account.settings))
            }
            try await group.waitForAll()
        }
    }

    private func draw(_ state: Listed) {
        shown = state
    }

    /// Deleted at once on the screen, offline too; the connection that watches tells the server.
    func delete(_ rows: [MessageRow]) {
        let ids = rows.map(\.id)
        Task { try? await Store.shared.use { try await $0.perform { _ = try $0.delete(ids) } } }
    }

    /// An account by its password, which goes to the Keychain.
    func add(host: String, user: String) {
        Task {
            do {
                try await Store.shared.use { store in
                    try await store.perform { _ = try $0.addAccount(.imap(user, host: host, user: user)) }
                }
                disappear()
                appear()
            } catch {
                trouble = error.localizedDescription
            }
        }
    }
}
