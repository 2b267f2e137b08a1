import Dispatch
import Foundation
import MailkeepFFI

/// A store of mail, open. Use it from as many threads and tasks as you like, and close it.
///
/// Its calls wait for the disk: microseconds for a page, a sync of the disk for what a person does. From tasks that
/// must not wait use ``perform(_:)``, which makes a call on a queue for such work. What a person does is durable and
/// shown when the call returns; a ``Connection`` tells the server. Ids, UIDs and sizes are `Int64`; times are
/// milliseconds since 1970.
public final class Mailkeep: Sendable {
    /// What is generated, for what this layer has no words for.
    public let engine: Engine
    let ticks = Ticks()
    private let connections = Locked<[Int64: Weak<Connection>]>([:])
    private static let disk = DispatchQueue(label: "mailkeep.disk", qos: .userInitiated, attributes: .concurrent)

    /// Opens the database in a file, and makes it where it is not there unless `create` is false. A `small` store takes
    /// less memory, as a phone wants it: 8 MiB of the database and batches of 1 MiB, instead of 16 and 4.
    ///
    /// Throws `.locked` where the file is open already, here or in another process (an app and its extension);
    /// `.notADatabase`, `.newerSchema` and `.corrupt` where it cannot be used, and leaves it as it is.
    public convenience init(path: String, create: Bool = true, small: Bool = true) throws(MailError) {
        let seed = Int64.random(in: .min ... .max)
        var options = small ? smallOptions(seed: seed) : desktopOptions(seed: seed)
        options.create = create
        let chosen = options
        self.init(engine: try calling { try Engine.open(path: path, options: chosen) })
    }

    /// Opens a new store in memory, which goes when it is closed. For tests and previews.
    public static func inMemory() throws(MailError) -> Mailkeep {
        let options = smallOptions(seed: Int64.random(in: .min ... .max))
        return Mailkeep(engine: try calling { try Engine.inMemory(options: options) })
    }

    private init(engine: Engine) {
        self.engine = engine
        engine.setWakeListener(listener: Wakes(self))
    }

    /// Does something with the store on a queue for what waits for the disk, so that no thread of the cooperative pool
    /// waits.
    public func perform<R: Sendable>(_ work: @escaping @Sendable (Mailkeep) throws -> R) async throws -> R {
        try await Mailkeep.disk.offload { try work(self) }
    }

    /// Calls the engine, and has those look who follow the change feed.
    func acting<R>(_ act: (Engine) throws -> R) throws(MailError) -> R {
        let outcome = try calling { try act(engine) }
        ticks.tell()
        return outcome
    }

    static func now() -> Int64 {
        Int64(Date().timeIntervalSince1970 * 1000)
    }

    // MARK: The store's life

    /// Closes the store for good, its connections with it: later calls throw `.closed`. Waits for a commit that is
    /// under way.
    public func close() {
        // All that it can answer is that it is closed already.
        try? engine.shutDown()
        engine.setWakeListener(listener: nil)
        ticks.tell()
    }

    /// Opens the storage again after it failed and the cause is gone.
    public func reopen() throws(MailError) { try acting { try $0.reopen() } }

    /// Closes the file and gives its lock back, so that the system may put the app to sleep: iOS ends apps that hold a
    /// lock in a shared container while they are suspended. Calls throw `.suspended` until ``resume()``.
    public func suspend() throws(MailError) { try calling { try engine.suspend() } }

    /// Opens the file again after ``suspend()``.
    public func resume() throws(MailError) { try acting { try $0.resume() } }

    /// Copies everything, as it is at this moment, into a file that is not there yet. Syncs go on meanwhile.
    public func backup(to path: String) throws(MailError) {
        try calling { try engine.backupTo(path: path, seed: Int64.random(in: .min ... .max)) }
    }

    /// The number that names this store, and no copy of it.
    public func incarnation() throws(MailError) -> Int64 { try calling { try engine.incarnation() } }

    // MARK: Accounts

    /// Adds an account and gives its id. `AccountSettings.imap`, `.pop3` and `.local` are settings to begin with.
    public func addAccount(_ settings: AccountSettings) throws(MailError) -> Int64 {
        try acting { try $0.addAccount(settings: settings) }
    }

    /// Changes an account's settings.
    public func updateAccount(_ account: Int64, _ settings: AccountSettings) throws(MailError) {
        try acting { try $0.updateAccount(account: account, settings: settings) }
    }

    /// Removes an account and its mail from this device.
    public func removeAccount(_ account: Int64) throws(MailError) {
        try acting { try $0.removeAccount(account: account) }
    }

    /// All accounts.
    public func accounts() throws(MailError) -> [AccountInfo] { try calling { try engine.accounts() } }

    /// One account.
    public func account(_ account: Int64) throws(MailError) -> AccountInfo {
        guard let found = try accounts().first(where: { $0.id == account }) else {
            throw .caller(.gone, "no such account")
        }
        return found
    }

    /// What the server lets the account hold, as last heard.
    public func quotas(_ account: Int64) throws(MailError) -> [Quota] {
        try calling { try engine.quotas(account: account) }
    }

    /// Points an account at another server that has the same mail; nothing that is met there is downloaded again.
    public func convertAccount(_ account: Int64, to settings: AccountSettings) throws(MailError) {
        try acting { try $0.convertAccount(account: account, settings: settings, nowMs: Mailkeep.now()) }
    }

    /// How far an account's conversion has come.
    public func conversion(_ account: Int64) throws(MailError) -> Conversion {
        try calling { try engine.conversion(account: account) }
    }

    /// Ends a conversion, and says how many messages were sent on or kept.
    @discardableResult
    public func finishConversion(_ account: Int64, _ action: LeftoverAction) throws(MailError) -> Int64 {
        try acting { try $0.finishConversion(account: account, action: action, nowMs: Mailkeep.now()) }
    }

    // MARK: Connections

    /// Begins a connection for an account, with who signs in and how it is run.
    public func connect(
        _ account: Int64, signIn: SignIn, options: RunOptions = RunOptions()
    ) throws(MailError) -> Connection {
        let settings = try self.account(account).settings
        var random = SystemRandomNumberGenerator()
        let seed = Data((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) })
        var given = connectionOptions(seed: seed, secure: options.secure ?? (settings.security == .tls))
        given.hostCommits = options.commitThread
        given.timeoutMs = options.timeoutMs
        let chosen = given
        let inner = try calling { try engine.connect(account: account, options: chosen) }
        let connection = Connection(self, inner, settings, signIn, options)
        connections.with { connections in
            connections = connections.filter { $0.value.object != nil }
            connections[connection.id] = Weak(object: connection)
        }
        return connection
    }

    /// Hands the engine's word that a connection has something to do to that connection.
    fileprivate func handOnWakes() {
        while let id = engine.pollWake() {
            connections.with { $0[id]?.object }?.woken()
        }
    }
}

/// Is told by the engine that there are connections to wake.
private final class Wakes: WakeListener {
    private let store: Locked<Weak<Mailkeep>>

    init(_ store: Mailkeep) {
        self.store = Locked(Weak(object: store))
    }

    func woken() {
        store.with { $0.object }?.handOnWakes()
    }
}
