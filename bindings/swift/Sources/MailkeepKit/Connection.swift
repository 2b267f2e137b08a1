import Foundation
import MailkeepFFI

/// How a connection is run.
public struct RunOptions: Sendable {
    /// Commits run on a queue of their own, so that the socket never waits for the disk.
    public var commitThread: Bool
    /// How long the server may be silent while an answer is due, in milliseconds.
    public var timeoutMs: Int64
    /// The transport is encrypted from its first byte; as the account says where this is nil.
    public var secure: Bool?
    /// About how many octets the engine takes in a step; 0 for all there are. Small steps keep to a background task's
    /// budget.
    public var limit: Int

    /// The defaults, which suit most apps.
    public init(commitThread: Bool = false, timeoutMs: Int64 = 120_000, secure: Bool? = nil, limit: Int = 0) {
        self.commitThread = commitThread
        self.timeoutMs = timeoutMs
        self.secure = secure
        self.limit = limit
    }
}

/// One account's protocol over one transport.
///
/// ``run(_:onEvent:)`` moves the bytes until the connection ends. Wishes are made meanwhile or before, from any task:
/// ``sync(_:bodies:)``, ``fetch(_:part:)``, ``watch(_:)`` and ``logout()`` wait until they are fulfilled, and to cancel
/// the task that waits is to take the wish back. Those whose names begin with `begin` give a request's id instead.
///
/// The connection has a queue of its own, on which the engine works and waits for the disk: the cooperative pool's
/// threads never do.
public actor Connection {
    /// Its id.
    public nonisolated let id: Int64
    /// The account that it serves.
    public nonisolated let account: Int64
    /// What is generated, for loops of your own over its `step`.
    public nonisolated let engineConnection: EngineConnection

    let store: Mailkeep
    let settings: AccountSettings
    let signIn: SignIn
    let options: RunOptions
    let clock = MonotonicClock()
    var loop = LoopState()

    nonisolated let signals: AsyncStream<Signal>
    nonisolated let ring: AsyncStream<Signal>.Continuation
    private nonisolated let executor = QueueExecutor(label: "mailkeep.connection")
    private var outcomes = [Int64: Result<SyncSummary, MailError>]()
    private var waiting = [Int: (request: Int64, continuation: CheckedContinuation<SyncSummary, any Error>)]()
    private var waits = 0
    private var over: MailError?

    /// The connection's own queue.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        _ store: Mailkeep, _ inner: EngineConnection, _ settings: AccountSettings, _ signIn: SignIn,
        _ options: RunOptions
    ) {
        self.store = store
        engineConnection = inner
        id = inner.id()
        account = inner.account()
        self.settings = settings
        self.signIn = signIn
        self.options = options
        (signals, ring) = AsyncStream<Signal>.makeStream()
    }

    deinit {
        ring.finish()
    }

    nonisolated func woken() {
        ring.yield(.wake)
    }

    /// Whether the connection is of no more use. Waits for a step that is in progress.
    public nonisolated var isClosed: Bool { engineConnection.isClosed() }

    /// Gives the connection up, where it has not ended: what it has not committed is let go. Waits for a step that is
    /// in progress.
    public nonisolated func close() {
        engineConnection.giveUp()
        ring.yield(.bell)
    }

    // MARK: Wishes that wait

    /// Brings the account, or these of its mailboxes, into step with the server, and says what that did.
    @discardableResult
    public func sync(_ mailboxes: [Int64]? = nil, bodies: BodyPolicy? = nil) async throws -> SyncSummary {
        try await outcome(of: beginSync(mailboxes, bodies: bodies))
    }

    /// Brings one message here whole, or one part of it.
    @discardableResult
    public func fetch(_ message: Int64, part: String? = nil) async throws -> SyncSummary {
        try await outcome(of: beginFetch(message, part: part))
    }

    /// Watches mailboxes and keeps them in step, until the task is cancelled or the connection ends.
    @discardableResult
    public func watch(_ mailboxes: [Int64]) async throws -> SyncSummary {
        try await outcome(of: beginWatch(mailboxes))
    }

    /// Signs out, when everything asked before is done.
    public func logout() async throws {
        _ = try await outcome(of: beginLogout())
    }

    /// Waits for the outcome of a request; where the waiting task is cancelled the request is taken back.
    public func outcome(of request: Int64) async throws -> SyncSummary {
        if let known = outcomes[request] { return try known.get() }
        if let over { throw over }
        waits += 1
        let wait = waits
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiting[wait] = (request, $0) }
        } onCancel: {
            cancel(request)
            Task { await abandon(wait) }
        }
    }

    // MARK: Wishes that do not

    /// As ``sync(_:bodies:)``, and gives the id of the request at once.
    @discardableResult
    public func beginSync(_ mailboxes: [Int64]? = nil, bodies: BodyPolicy? = nil) throws(MailError) -> Int64 {
        try wish { try engineConnection.sync(mailboxes: mailboxes, bodies: bodies) }
    }

    /// As ``fetch(_:part:)``, and gives the id of the request at once.
    @discardableResult
    public func beginFetch(_ message: Int64, part: String? = nil) throws(MailError) -> Int64 {
        try wish {
            if let part {
                try engineConnection.fetchPart(message: message, number: part)
            } else {
                try engineConnection.fetch(message: message)
            }
        }
    }

    /// As ``watch(_:)``, and gives the id of the request at once.
    @discardableResult
    public func beginWatch(_ mailboxes: [Int64]) throws(MailError) -> Int64 {
        try wish { try engineConnection.watch(mailboxes: mailboxes) }
    }

    /// As ``logout()``, and gives the id of the request at once.
    @discardableResult
    public func beginLogout() throws(MailError) -> Int64 {
        try wish { try engineConnection.logout() }
    }

    /// Watches no longer.
    public func stopWatching() throws(MailError) {
        try wish { try engineConnection.stopWatching() }
    }

    /// Takes a request back, at the next point where nothing is lost by it. Never waits for the engine.
    public nonisolated func cancel(_ request: Int64) {
        engineConnection.cancel(request: request)
        ring.yield(.bell)
    }

    private func wish<R>(_ wish: () throws -> R) throws(MailError) -> R {
        let made = try calling(wish)
        ring.yield(.bell)
        return made
    }

    // MARK: Outcomes

    func done(_ request: Int64, _ outcome: Result<SyncSummary, MailError>) {
        outcomes[request] = outcome
        for (wait, waiter) in waiting where waiter.request == request {
            waiting[wait] = nil
            waiter.continuation.resume(with: outcome.mapError { $0 })
        }
    }

    /// The connection has ended: who still waits is told why.
    func finish(_ error: MailError) {
        over = error
        for waiter in waiting.values { waiter.continuation.resume(throwing: error) }
        waiting.removeAll()
    }

    private func abandon(_ wait: Int) {
        waiting.removeValue(forKey: wait)?.continuation.resume(throwing: CancellationError())
    }
}
