import MailkeepFFI

// The words of the engine. They are generated with their documentation, and all of them are `Sendable` values.

public typealias AccountInfo = MailkeepFFI.AccountInfo
public typealias AccountSettings = MailkeepFFI.AccountSettings
public typealias Address = MailkeepFFI.Address
public typealias ArchiveEntry = MailkeepFFI.ArchiveEntry
public typealias ArchiveRule = MailkeepFFI.ArchiveRule
public typealias BodyPolicy = MailkeepFFI.BodyPolicy
public typealias Change = MailkeepFFI.Change
public typealias Changes = MailkeepFFI.Changes
public typealias Conversion = MailkeepFFI.Conversion
public typealias Credentials = MailkeepFFI.Credentials
public typealias Disposition = MailkeepFFI.Disposition
public typealias Event = MailkeepFFI.Event
public typealias Evicted = MailkeepFFI.Evicted
public typealias Expire = MailkeepFFI.Expire
public typealias ExtraSetting = MailkeepFFI.ExtraSetting
public typealias Fault = MailkeepFFI.Fault
public typealias Keep = MailkeepFFI.Keep
public typealias Leftover = MailkeepFFI.Leftover
public typealias LeftoverAction = MailkeepFFI.LeftoverAction
public typealias MailProtocol = MailkeepFFI.MailProtocol
public typealias MailboxInfo = MailkeepFFI.MailboxInfo
public typealias MailboxKind = MailkeepFFI.MailboxKind
public typealias Message = MailkeepFFI.Message
public typealias MessagePage = MailkeepFFI.MessagePage
public typealias MessageRow = MailkeepFFI.MessageRow
public typealias Operation = MailkeepFFI.Operation
public typealias OperationKind = MailkeepFFI.OperationKind
public typealias OperationState = MailkeepFFI.OperationState
public typealias Part = MailkeepFFI.Part
public typealias PopServerInfo = MailkeepFFI.PopServerInfo
public typealias Quota = MailkeepFFI.Quota
public typealias RetentionEntry = MailkeepFFI.RetentionEntry
public typealias RetentionReason = MailkeepFFI.RetentionReason
public typealias Role = MailkeepFFI.Role
public typealias Security = MailkeepFFI.Security
public typealias ShrinkProgress = MailkeepFFI.ShrinkProgress
public typealias Stats = MailkeepFFI.Stats
public typealias SyncSummary = MailkeepFFI.SyncSummary
public typealias VerifyReport = MailkeepFFI.VerifyReport
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
