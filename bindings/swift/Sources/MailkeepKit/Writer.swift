import Foundation

/// Sends in order, on a task of its own, so that a server that is slow to read stops nobody.
struct Writer: Sendable {
    private struct Outgoing: Sendable {
        let octets: Data
        let sent: CheckedContinuation<Void, Never>?
    }

    private let queue: AsyncStream<Outgoing>.Continuation

    init(_ transport: some Transport) {
        let (stream, queue) = AsyncStream<Outgoing>.makeStream()
        self.queue = queue
        // Not cancelled: what is closed fails at once, and whoever waits for the end is told of it.
        Task.detached {
            for await outgoing in stream {
                // What the server still said is read first; reading then finds the end.
                if !outgoing.octets.isEmpty { try? await transport.write(outgoing.octets) }
                outgoing.sent?.resume()
            }
        }
    }

    func send(_ octets: Data) {
        queue.yield(Outgoing(octets: octets, sent: nil))
    }

    /// Waits until everything was sent.
    func flush() async {
        await withCheckedContinuation { sent in
            if case .terminated = queue.yield(Outgoing(octets: Data(), sent: sent)) { sent.resume() }
        }
    }

    func finish() {
        queue.finish()
    }
}

/// Milliseconds of a clock that never goes back.
struct MonotonicClock: Sendable {
    private let begin = ContinuousClock.now

    var ms: Int64 {
        let (seconds, attoseconds) = begin.duration(to: .now).components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
