import Foundation
import MailkeepFFI

// What a person does, offline or not: durable and shown when the call returns, told to the server when a connection
// comes.
extension Mailkeep {
    /// Sets and clears flags and keywords by their spelling on the wire (`\Seen`, `$Forwarded`, `todo`), and says on
    /// how many messages.
    @discardableResult
    public func setFlags(_ messages: [Int64], set: [String] = [], clear: [String] = []) throws(MailError) -> Int64 {
        try acting { try $0.setFlags(messages: messages, set: set, clear: clear, nowMs: Mailkeep.now()) }
    }

    /// Gives messages these flags and keywords and no others.
    @discardableResult
    public func replaceFlags(_ messages: [Int64], with flags: [String]) throws(MailError) -> Int64 {
        try acting { try $0.replaceFlags(messages: messages, flags: flags, nowMs: Mailkeep.now()) }
    }

    /// Moves messages to another mailbox; to one of another account a copy is sent first, and its body has to be here.
    @discardableResult
    public func move(_ messages: [Int64], to mailbox: Int64) throws(MailError) -> Int64 {
        try acting { try $0.moveMessages(messages: messages, to: mailbox, nowMs: Mailkeep.now()) }
    }

    /// Copies messages, and gives the copies' ids.
    @discardableResult
    public func copy(_ messages: [Int64], to mailbox: Int64) throws(MailError) -> [Int64] {
        try acting { try $0.copyMessages(messages: messages, to: mailbox, nowMs: Mailkeep.now()) }
    }

    /// Deletes messages: into the Trash; out of the Trash and Junk, for good.
    @discardableResult
    public func delete(_ messages: [Int64]) throws(MailError) -> Int64 {
        try acting { try $0.deleteMessages(messages: messages, nowMs: Mailkeep.now()) }
    }

    /// Deletes messages for good, wherever they are.
    @discardableResult
    public func expunge(_ messages: [Int64]) throws(MailError) -> Int64 {
        try acting { try $0.expungeMessages(messages: messages, nowMs: Mailkeep.now()) }
    }

    /// Moves messages to the account's archive.
    @discardableResult
    public func archive(_ messages: [Int64]) throws(MailError) -> Int64 {
        try acting { try $0.archiveMessages(messages: messages, nowMs: Mailkeep.now()) }
    }

    /// Puts an RFC 5322 message from this device into a mailbox, and gives its id. Its INTERNALDATE is `receivedMs`, or
    /// now.
    @discardableResult
    public func append(
        _ raw: Data, to mailbox: Int64, flags: [String] = [], receivedMs: Int64? = nil
    ) throws(MailError) -> Int64 {
        try acting {
            try $0.append(to: mailbox, raw: raw, flags: flags, receivedMs: receivedMs, nowMs: Mailkeep.now())
        }
    }

    /// Saves a draft again: the newer version stands in the place of the older. Gives its id.
    @discardableResult
    public func replaceDraft(
        _ message: Int64, with raw: Data, flags: [String] = ["\\Draft"]
    ) throws(MailError) -> Int64 {
        try acting {
            try $0.replaceDraft(message: message, raw: raw, flags: flags, receivedMs: nil, nowMs: Mailkeep.now())
        }
    }

    /// Marks everything read that is in a mailbox now, and says how much.
    @discardableResult
    public func markAllRead(_ mailbox: Int64) throws(MailError) -> Int64 {
        try acting { try $0.markAllRead(mailbox: mailbox, nowMs: Mailkeep.now()) }
    }

    /// Deletes everything for good that is in a mailbox now, and says how much.
    @discardableResult
    public func emptyMailbox(_ mailbox: Int64) throws(MailError) -> Int64 {
        try acting { try $0.emptyMailbox(mailbox: mailbox, nowMs: Mailkeep.now()) }
    }

    /// Makes a mailbox by its full name, on the server or on this device only (`local`), and gives its id.
    @discardableResult
    public func createMailbox(
        _ account: Int64, name: String, local: Bool = false, role: Role? = nil
    ) throws(MailError) -> Int64 {
        try acting {
            try $0.createMailbox(account: account, name: name, local: local, role: role, nowMs: Mailkeep.now())
        }
    }

    /// Gives a mailbox another full name. Those below it go with it.
    public func renameMailbox(_ mailbox: Int64, to name: String) throws(MailError) {
        try acting { try $0.renameMailbox(mailbox: mailbox, name: name, nowMs: Mailkeep.now()) }
    }

    /// Deletes a mailbox and what is in it.
    public func deleteMailbox(_ mailbox: Int64) throws(MailError) {
        try acting { try $0.deleteMailbox(mailbox: mailbox, nowMs: Mailkeep.now()) }
    }

    /// Subscribes to a mailbox, or no longer.
    public func subscribe(_ mailbox: Int64, _ on: Bool = true) throws(MailError) {
        try acting { try $0.subscribe(mailbox: mailbox, on: on, nowMs: Mailkeep.now()) }
    }

    /// Says what a mailbox is for, whatever the server says.
    public func chooseRole(_ mailbox: Int64, _ role: Role?) throws(MailError) {
        try acting { try $0.chooseRole(mailbox: mailbox, role: role) }
    }

    /// Goes back to the server's word on what a mailbox is for.
    public func takeServersRole(_ mailbox: Int64) throws(MailError) {
        try acting { try $0.takeServersRole(mailbox: mailbox) }
    }

    /// What was done and no server has confirmed, oldest first; of one account, or of all.
    public func pending(_ account: Int64? = nil) throws(MailError) -> [Operation] {
        try calling { try engine.pending(account: account) }
    }

    /// Takes an operation back that waits, or forgets one that was set aside.
    public func cancelOperation(_ operation: Int64) throws(MailError) {
        try acting { try $0.cancelOperation(operation: operation, nowMs: Mailkeep.now()) }
    }

    /// Tries an operation again that was set aside.
    public func retryOperation(_ operation: Int64) throws(MailError) {
        try acting { try $0.retryOperation(operation: operation, nowMs: Mailkeep.now()) }
    }
}
