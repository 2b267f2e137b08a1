import MailkeepFFI

// Room and upkeep: what an app starts when it has a moment.
extension Mailkeep {
    /// What the next sync of a POP3 account would delete from its server, at a time or now, and why. Nothing is done.
    public func retentionPlan(_ account: Int64, atMs: Int64? = nil) throws(MailError) -> [RetentionEntry] {
        try calling { try engine.retentionPlan(account: account, nowMs: atMs ?? Mailkeep.now()) }
    }

    /// What a POP3 account's server said of how it keeps mail.
    public func popServer(_ account: Int64) throws(MailError) -> PopServerInfo {
        try calling { try engine.popServer(account: account) }
    }

    /// What a rule would take from the server, oldest first. Nothing is done; ``move(_:to:)`` into a mailbox of this
    /// device does it.
    public func planArchive(_ account: Int64, _ rule: ArchiveRule) throws(MailError) -> [ArchiveEntry] {
        try calling { try engine.planArchive(account: account, rule: rule) }
    }

    /// Lets go of bodies until those left take at most `budget` octets, in steps: call it until there is no more, then
    /// ``compact()``.
    public func evictBodies(budget: Int64) throws(MailError) -> Evicted {
        try acting { try $0.evictBodies(budget: budget) }
    }

    /// Compresses about so many octets of bodies; call it until it is done, then ``compact()``.
    public func shrink(octets: Int64 = 32 << 20) throws(MailError) -> ShrinkProgress {
        try calling { try engine.shrink(octets: octets) }
    }

    /// Gives unused space back, and says whether there was any. About a second a gigabyte, during which nothing else
    /// runs.
    @discardableResult
    public func compact() throws(MailError) -> Bool { try calling { try engine.compact() } }

    /// Reads everything and says what is not as it should be.
    public func verify() throws(MailError) -> VerifyReport { try calling { try engine.verify() } }

    /// Figures about the store.
    public func stats() throws(MailError) -> Stats { try calling { try engine.stats() } }
}
