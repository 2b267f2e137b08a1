import Foundation
import MailkeepFFI

/// What a mailbox's list shows now.
public struct Listed: Sendable, Equatable {
    /// The rows that were loaded, newest first.
    public var rows: [MessageRow]
    /// There is more to load.
    public var more: Bool
}

/// A mailbox's list on a screen: loads page by page, and follows the change feed by reading again only what it names.
///
/// Go through ``states()``, call ``loadMore()`` when the person comes near the end, and run ``follow()`` as long as the
/// screen is there. It reads on a queue of its own.
public actor MailList {
    private let store: Mailkeep
    private let mailbox: Int64
    private let pageSize: Int
    private var cursor: Data?
    private var next: Int64 = 0
    private var listeners = [Int: AsyncStream<Listed>.Continuation]()
    private var listened = 0
    private nonisolated let executor = QueueExecutor(label: "mailkeep.list")

    /// What to show now.
    public private(set) var state = Listed(rows: [], more: true) {
        didSet {
            guard state != oldValue else { return }
            for listener in listeners.values { listener.yield(state) }
        }
    }

    /// The list's own queue.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// A list of a mailbox's messages, with nothing loaded yet.
    public init(_ store: Mailkeep, mailbox: Int64, pageSize: Int = 50) {
        self.store = store
        self.mailbox = mailbox
        self.pageSize = pageSize
    }

    /// What to show, now and after each change. Of states that nobody looked at only the last is kept.
    public func states() -> AsyncStream<Listed> {
        listened += 1
        let id = listened
        let (stream, listener) = AsyncStream<Listed>.makeStream(bufferingPolicy: .bufferingNewest(1))
        listener.onTermination = { [weak self] _ in
            Task { await self?.forget(id) }
        }
        listeners[id] = listener
        listener.yield(state)
        return stream
    }

    private func forget(_ listener: Int) {
        listeners[listener] = nil
    }

    /// Loads another page.
    public func loadMore() throws(MailError) {
        guard state.more else { return }
        // The feed is asked from before the first page was read, so that nothing falls between.
        if state.rows.isEmpty { next = try store.lastCommit() }
        let page = try store.page(mailbox, after: cursor, limit: pageSize)
        cursor = page.next
        state = Listed(rows: merged(state.rows, page.rows), more: page.next != nil)
    }

    /// Keeps what was loaded true, until the task is cancelled. Throws when the store is closed or suspended.
    public func follow() async throws {
        if state.rows.isEmpty { try loadMore() }
        for try await changes in store.changeFeed(since: next) {
            try apply(changes)
        }
    }

    private func apply(_ changes: Changes) throws(MailError) {
        switch changes {
        case .tooOld: try reload()
        case .since(let all, _): try redraw(all)
        }
        next = changes.next
    }

    /// Everything that was loaded is read again.
    private func reload() throws(MailError) {
        let page = try store.page(mailbox, limit: max(pageSize, state.rows.count))
        cursor = page.next
        state = Listed(rows: page.rows, more: page.next != nil)
    }

    private func redraw(_ changes: [Change]) throws(MailError) {
        if changes.contains(.unknown) { return try reload() }
        let named = Set(changes.lazy.filter { $0.mailbox == self.mailbox }.compactMap(\.message))
        guard !named.isEmpty else { return }
        var fits = [MessageRow]()
        for id in named {
            // What is older than all that was loaded comes when it is loaded.
            guard let row = try read(id) else { continue }
            if !state.more || state.rows.last.map({ !precedes($0, row) }) ?? true { fits.append(row) }
        }
        state = Listed(rows: merged(state.rows.filter { !named.contains($0.id) }, fits), more: state.more)
    }

    private func read(_ message: Int64) throws(MailError) -> MessageRow? {
        do {
            let row = try store.row(message)
            return row.mailbox == mailbox ? row : nil
        } catch .caller(.gone, _) {
            return nil
        }
    }

    private func merged(_ some: [MessageRow], _ others: [MessageRow]) -> [MessageRow] {
        let all = Dictionary((some + others).map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        return all.values.sorted(by: precedes)
    }
}

/// The store's own order: newest first by INTERNALDATE, then by id.
private func precedes(_ one: MessageRow, _ other: MessageRow) -> Bool {
    (one.internalDate, one.id) > (other.internalDate, other.id)
}
