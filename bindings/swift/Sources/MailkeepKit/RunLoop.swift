import Dispatch
import Foundation
import MailkeepFFI

/// What the loop waits for.
enum Signal: Sendable {
    /// A wish was made or taken back.
    case bell
    /// Another connection, or what a person did, has something for this one.
    case wake
    /// Octets came.
    case octets(Data)
    /// The transport ended.
    case end
    /// A commit was run.
    case committed(Commit)
    /// The deadline is there.
    case alarm
}

/// Where the loop of a connection stands.
struct LoopState {
    var started = false
    /// Octets that the engine has not taken yet.
    var rest = Data()
    /// There is something to step for.
    var due = true
    /// The engine has more to do without further input.
    var more = false
    var woken = false
    var ended = false
    var closed = false
    var reading = false
    /// A commit is being run.
    var committer: Task<Void, Never>?
    /// The commit that is being run, or was run and is not handed back.
    var underWay: Commit?
    /// One that was run and not handed back.
    var committed: Commit?
    var deadline: Int64?
    var alarm: (at: Int64, task: Task<Void, Never>)?
    /// Why the connection ended.
    var error: MailError?

    var isOver: Bool { closed && committer == nil }
}

/// One run: the transport, who is told of events, and what sends.
private struct Run<T: Transport>: Sendable {
    let transport: T
    let writer: Writer
    let onEvent: @Sendable (Event) async throws -> Void
}

extension Connection {
    /// Moves bytes between the engine and a transport until the connection ends, and closes the transport. Every event
    /// is given to `onEvent`. To cancel the task is to end the connection: what came whole is kept. A connection is run
    /// once.
    ///
    /// Throws the ``MailError`` that the connection ended with, and what `onEvent` or the sign-in throws. A transport
    /// that breaks is `.server(.disconnected, …)`.
    public func run(
        _ transport: some Transport, onEvent: @escaping @Sendable (Event) async throws -> Void = { _ in }
    ) async throws {
        guard !loop.started else { throw MailError.caller(.misuse, "the connection was run before") }
        loop.started = true
        let run = Run(transport: transport, writer: Writer(transport), onEvent: onEvent)
        do {
            try await withTaskCancellationHandler {
                try await move(run)
            } onCancel: {
                transport.close()
            }
        } catch {
            await end(run)
            finish(error as? MailError ?? .server(.disconnected, "the connection was given up"))
            throw error
        }
        await end(run)
        finish(loop.error ?? .server(.disconnected, "the connection ended"))
        if let error = loop.error { throw error }
    }

    /// The same as a sequence of events: the connection runs as long as they are gone through. Events that nobody takes
    /// are kept.
    public nonisolated func events(over transport: some Transport) -> AsyncThrowingStream<Event, any Error> {
        AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    try await run(transport) { continuation.yield($0) }
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    /// Runs the connection for one sync and signs out: what a background refresh does. Says what the sync did.
    @discardableResult
    public func syncOnce(over transport: some Transport, bodies: BodyPolicy? = nil) async throws -> SyncSummary {
        let request: Int64
        do {
            request = try beginSync(bodies: bodies)
            try beginLogout()
        } catch {
            transport.close()
            throw error
        }
        try await run(transport)
        return try await outcome(of: request)
    }

    private func move(_ run: Run<some Transport>) async throws {
        if let binding = await run.transport.channelBinding() {
            try await took(bind(binding), run)
        }
        try await advance(run)
        if !loop.isOver {
            for await signal in signals {
                take(signal)
                try await advance(run)
                if loop.isOver { break }
            }
        }
        try Task.checkCancellation()
        await run.writer.flush()
    }

    private func take(_ signal: Signal) {
        switch signal {
        case .bell: loop.due = true
        case .wake: loop.woken = true
        case .octets(let octets):
            (loop.reading, loop.due) = (false, true)
            if loop.rest.isEmpty { loop.rest = octets } else { loop.rest.append(octets) }
        case .end: (loop.reading, loop.ended) = (false, true)
        case .committed(let commit): loop.committed = commit
        case .alarm: (loop.alarm, loop.due) = (nil, true)
        }
    }

    /// Does everything that can be done until a signal comes.
    private func advance(_ run: Run<some Transport>) async throws {
        while !loop.isOver {
            try Task.checkCancellation()
            if let commit = loop.committed {
                try await took(handBack(commit), run)
            } else if loop.closed || loop.more && loop.committer != nil {
                // Nothing but the commit helps on.
                return
            } else if loop.woken {
                loop.woken = false
                try await took(calling { try engineConnection.stepWake(monoMs: clock.ms, wallMs: Mailkeep.now()) }, run)
            } else if loop.more || loop.due {
                try await took(feed(), run)
            } else if loop.ended {
                try await took(calling { try engineConnection.stepEof(monoMs: clock.ms, wallMs: Mailkeep.now()) }, run)
                guard loop.closed || loop.committer != nil || loop.more else {
                    throw MailError.server(.disconnected, "the connection ended")
                }
            } else {
                read(run.transport)
                setAlarm()
                return
            }
        }
    }

    private func feed() throws(MailError) -> Step {
        loop.due = false
        let (octets, limit) = (loop.rest, Int64(options.limit))
        let step = try calling {
            try engineConnection.step(input: octets, monoMs: clock.ms, wallMs: Mailkeep.now(), limit: limit)
        }
        loop.rest = step.consumed == octets.count ? Data() : Data(octets.dropFirst(Int(step.consumed)))
        return step
    }

    private func bind(_ binding: ChannelBinding?) throws(MailError) -> Step {
        try calling {
            try engineConnection.stepTls(
                bindingKind: binding?.kind, binding: binding?.data, monoMs: clock.ms, wallMs: Mailkeep.now())
        }
    }

    private func handBack(_ commit: Commit) throws(MailError) -> Step {
        (loop.committed, loop.committer, loop.underWay) = (nil, nil, nil)
        return try calling { try engineConnection.stepCommit(commit: commit, monoMs: clock.ms, wallMs: Mailkeep.now()) }
    }

    /// Acts on what a step gave.
    private func took(_ step: Step, _ run: Run<some Transport>) async throws {
        if !step.transmit.isEmpty { run.writer.send(step.transmit) }
        note(step)
        for event in step.events {
            note(event)
            switch event {
            case .needCredentials(let mechanisms): try await signIn(mechanisms)
            case .startTls: try await startTLS(run)
            default: break
            }
            try await run.onEvent(event)
        }
    }

    private func note(_ step: Step) {
        loop.deadline = step.deadline
        loop.more = step.more
        loop.closed = step.closed
        if step.commit { beginCommit() }
    }

    private func note(_ event: Event) {
        switch event {
        case .done(let request, let summary, _):
            let failure = event.failure ?? .engine(code: 400, "the request has no outcome")
            done(request, summary.map { .success($0) } ?? .failure(failure))
        case .stored: store.ticks.tell()
        case .closed: loop.error = event.failure
        default: break
        }
    }

    private func signIn(_ mechanisms: [String]) async throws {
        let credentials = try await signIn.credentials(mechanisms)
        try calling {
            if let credentials {
                try engineConnection.provideCredentials(credentials: credentials)
            } else {
                try engineConnection.declineCredentials()
            }
        }
        loop.due = true
    }

    private func startTLS(_ run: Run<some Transport>) async throws {
        await run.writer.flush()
        do {
            try await run.transport.startTLS(host: settings.host)
        } catch {
            try Task.checkCancellation()
            throw MailError.server(.disconnected, "TLS could not be started: \(error.localizedDescription)")
        }
        try await took(bind(run.transport.channelBinding()), run)
    }

    /// Runs a commit on a queue for that, while the socket goes on.
    private func beginCommit() {
        guard let commit = engineConnection.takeCommit() else { return }
        loop.committer = Task.detached { [ring] in
            // How it went the engine says when it is handed back.
            try? await commits.offload { try commit.run() }
            ring.yield(.committed(commit))
            return
        }
        loop.underWay = commit
    }

    private func read(_ transport: some Transport) {
        guard !loop.reading, !loop.ended else { return }
        loop.reading = true
        Task.detached { [ring] in
            // Whatever broke, for the engine it is the end.
            let octets = try? await transport.read(upTo: 1 << 16)
            ring.yield(octets.flatMap { $0.isEmpty ? nil : .octets($0) } ?? .end)
        }
    }

    private func setAlarm() {
        guard loop.alarm?.at != loop.deadline else { return }
        loop.alarm?.task.cancel()
        loop.alarm = loop.deadline.map { at in
            let left = max(0, at - clock.ms)
            let task = Task.detached { [ring] in
                guard (try? await Task.sleep(for: .milliseconds(left))) != nil else { return }
                _ = ring.yield(.alarm)
            }
            return (at, task)
        }
    }

    /// Closes the transport, and makes durable what came whole, however the run ended.
    private func end(_ run: Run<some Transport>) async {
        run.transport.close()
        run.writer.finish()
        loop.alarm?.task.cancel()
        do {
            if !loop.closed {
                settle(try calling { try engineConnection.stepEof(monoMs: clock.ms, wallMs: Mailkeep.now()) })
            }
            while let committer = loop.committer {
                await committer.value
                guard let commit = loop.underWay else { return }
                settle(try handBack(commit))
            }
        } catch {
            // The store or the connection is closed: nothing is left to be kept.
        }
    }

    private func settle(_ step: Step) {
        note(step)
        step.events.forEach(note)
    }
}

/// Where commits run that do not run in a step.
private let commits = DispatchQueue(label: "mailkeep.commits", qos: .userInitiated, attributes: .concurrent)
