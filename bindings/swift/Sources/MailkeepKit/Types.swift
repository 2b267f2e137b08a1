import MailkeepFFI

// The words of the engine. They are generated with their documentation, and all of them are `Sendable` values.

/// An account in the store.
public typealias AccountInfo = MailkeepFFI.AccountInfo
/// What an app says about an account. Passwords and tokens are not part of it: they are never stored.
public typealias AccountSettings = MailkeepFFI.AccountSettings
/// A mailbox of an address field (RFC 5322 §3.4), decoded and bounded.
public typealias Address = MailkeepFFI.Address
/// A message that a rule names.
public typealias ArchiveEntry = MailkeepFFI.ArchiveEntry
/// Which messages are to leave the server for a mailbox of this device.
public typealias ArchiveRule = MailkeepFFI.ArchiveRule
/// Which message bodies a sync brings here.
public typealias BodyPolicy = MailkeepFFI.BodyPolicy
/// One thing that a screen may have to draw again.
public typealias Change = MailkeepFFI.Change
/// An answer of the change feed.
public typealias Changes = MailkeepFFI.Changes
/// How far a change of server for the same mail has come.
public typealias Conversion = MailkeepFFI.Conversion
/// What authenticates the user. The engine's own copies of secrets are wiped after use and never stored.
public typealias Credentials = MailkeepFFI.Credentials
/// Whether a part is meant to be shown or to be saved (RFC 2183).
public typealias Disposition = MailkeepFFI.Disposition
/// Something that happened. Events are hints; the change feed is the truth.
public typealias Event = MailkeepFFI.Event
/// What making room did.
public typealias Evicted = MailkeepFFI.Evicted
/// How long a POP3 server keeps mail that was left on it (RFC 2449 §6.7).
public typealias Expire = MailkeepFFI.Expire
/// A setting of the app's own.
public typealias ExtraSetting = MailkeepFFI.ExtraSetting
/// Who is at fault.
public typealias Fault = MailkeepFFI.Fault
/// What becomes of the mail on a POP3 server once it is here. Whatever it says, nothing is deleted there that is not
/// whole and durable here, except what a person deleted unread.
public typealias Keep = MailkeepFFI.Keep
/// A message that the new server was not found to have.
public typealias Leftover = MailkeepFFI.Leftover
/// What becomes of messages that only this device has.
public typealias LeftoverAction = MailkeepFFI.LeftoverAction
/// The protocol of an account's server.
public typealias MailProtocol = MailkeepFFI.MailProtocol
/// A mailbox.
public typealias MailboxInfo = MailkeepFFI.MailboxInfo
/// Where a mailbox lives.
public typealias MailboxKind = MailkeepFFI.MailboxKind
/// Something that a person did and the server has not confirmed. It is durable, shown at once, and replayed when a
/// connection comes.
public typealias Operation = MailkeepFFI.Operation
/// What an operation is.
public typealias OperationKind = MailkeepFFI.OperationKind
/// How far an operation has come.
public typealias OperationState = MailkeepFFI.OperationState
/// A part that is no multipart.
public typealias Part = MailkeepFFI.Part
/// What a POP3 server said of how it keeps mail.
public typealias PopServerInfo = MailkeepFFI.PopServerInfo
/// One limit on what an account may hold (RFC 9208 §5).
public typealias Quota = MailkeepFFI.Quota
/// A message that the next sync is to delete from a POP3 server.
public typealias RetentionEntry = MailkeepFFI.RetentionEntry
/// Why a message is to be deleted from a POP3 server.
public typealias RetentionReason = MailkeepFFI.RetentionReason
/// What a mailbox is for (RFC 6154, RFC 8457).
public typealias Role = MailkeepFFI.Role
/// How the connection is protected.
public typealias Security = MailkeepFFI.Security
/// What a step of shrinking did.
public typealias ShrinkProgress = MailkeepFFI.ShrinkProgress
/// Figures about a store.
public typealias Stats = MailkeepFFI.Stats
/// What a sync did.
public typealias SyncSummary = MailkeepFFI.SyncSummary
/// What a check found.
public typealias VerifyReport = MailkeepFFI.VerifyReport
/// Which messages of a mailbox are kept in step.
public typealias Window = MailkeepFFI.Window

/// What is generated, for loops of your own over ``EngineConnection``'s `step`.
public typealias Engine = MailkeepFFI.Engine
/// What is generated, for loops of your own over its `step`.
public typealias EngineConnection = MailkeepFFI.EngineConnection

/// The version of the engine: one number for every package.
public var engineVersion: String { MailkeepFFI.version() }

extension AccountSettings {
    /// Settings of an IMAP account with the usual defaults: TLS on port 993, all bodies, everything.
    public static func imap(_ name: String, host: String, user: String) -> AccountSettings {
        MailkeepFFI.imapSettings(name: name, host: host, user: user)
    }

    /// Settings of a POP3 account with the usual defaults: TLS on port 995, everything, and nothing is deleted from the
    /// server.
    public static func pop3(_ name: String, host: String, user: String) -> AccountSettings {
        MailkeepFFI.pop3Settings(name: name, host: host, user: user)
    }

    /// Settings of an account without a server: its mail is on this device only.
    public static func local(_ name: String) -> AccountSettings {
        MailkeepFFI.localSettings(name: name)
    }
}

extension Event {
    /// Why a connection or a request ended, as an error of this layer; nil where it ended well.
    public var failure: MailError? {
        switch self {
        case .done(_, _, let error), .closed(let error): error.map { MailError($0) }
        default: nil
        }
    }
}

extension Changes {
    /// Where to ask the change feed from next.
    public var next: Int64 {
        switch self {
        case .since(_, let next), .tooOld(let next): next
        }
    }
}

extension Change {
    /// The mailbox that the change is in; nil where it is in none.
    public var mailbox: Int64? {
        switch self {
        case .mailbox(let mailbox), .messageAdded(let mailbox, _), .messageChanged(let mailbox, _),
            .messageRemoved(let mailbox, _):
            mailbox
        case .account, .unknown: nil
        }
    }

    /// The message that changed; nil where it is none.
    public var message: Int64? {
        switch self {
        case .messageAdded(_, let message), .messageChanged(_, let message), .messageRemoved(_, let message): message
        case .account, .mailbox, .unknown: nil
        }
    }
}

/// Says nothing of what is secret.
extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "Credentials" }
    public var debugDescription: String { "Credentials" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
