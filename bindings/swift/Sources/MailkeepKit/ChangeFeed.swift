import Foundation

/// Rings whoever follows the change feed.
final class Ticks: Sendable {
    private let listeners = Locked<(next: Int, all: [Int: AsyncStream<Void>.Continuation])>((0, [:]))

    func tell() {
        for listener in listeners.with({ $0.all.values.map { $0 } }) {
            listener.yield()
        }
    }

    /// Rings from now on; several rings that nobody heard are one.
    func stream() -> AsyncStream<Void> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let id = listeners.with { listeners in
                listeners.next += 1
                listeners.all[listeners.next] = continuation
                return listeners.next
            }
            continuation.onTermination = { [weak self] _ in
                self?.listeners.with { _ = $0.all.removeValue(forKey: id) }
            }
        }
    }
}

/// The change feed of a store from a commit on; see ``Mailkeep/changeFeed(since:)``. It ends when the task is
/// cancelled, and throws when the store is closed or suspended: go on from the last `next` that came when it is open
/// again.
public struct ChangeFeed: AsyncSequence, Sendable {
    public typealias Element = Changes

    let store: Mailkeep
    let since: Int64

    public func makeAsyncIterator() -> Iterator {
        Iterator(store: store, next: since)
    }

    /// Waits for changes.
    public struct Iterator: AsyncIteratorProtocol {
        private let store: Mailkeep
        private var at: Int64
        private var ticks: AsyncStream<Void>.Iterator

        init(store: Mailkeep, next: Int64) {
            self.store = store
            at = next
            // Listens before it looks, so that nothing falls between.
            ticks = store.ticks.stream().makeAsyncIterator()
        }

        public mutating func next() async throws -> Changes? {
            while !Task.isCancelled {
                let from = at
                let changes = try await store.perform { try $0.changes(since: from) }
                at = changes.next
                guard case .since(let all, _) = changes, all.isEmpty else { return changes }
                guard await ticks.next() != nil else { return nil }
            }
            return nil
        }
    }
}
