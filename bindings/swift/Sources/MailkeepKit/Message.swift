import Foundation
import MailkeepFFI

/// A page of rows, newest first.
public struct MessagePage: Sendable, Hashable {
    /// The rows.
    public var rows: [MessageRow]
    /// Where the next page starts; nil at the end.
    public var next: Data?

    /// A page of your own.
    public init(rows: [MessageRow], next: Data?) {
        (self.rows, self.next) = (rows, next)
    }

    init(packed: Data) throws(MailError) {
        let page = try PackedPage(packed)
        self.init(rows: page.rows, next: page.next)
    }
}

/// One message with everything known of it but its bytes.
public struct Message: Sendable, Hashable {
    /// The row.
    public var row: MessageRow
    /// Sender
    public var sender: [Address] = []
    /// Reply-To
    public var replyTo: [Address] = []
    /// To
    public var to: [Address] = []
    /// Cc
    public var cc: [Address] = []
    /// Bcc
    public var bcc: [Address] = []
    /// In-Reply-To, without angle brackets.
    public var inReplyTo: [String] = []
    /// References, without angle brackets: the first one and the newest ones, oldest first.
    public var references: [String] = []
    /// List-Id (RFC 2919), without angle brackets.
    public var listId: String?
    /// Parts in the order of the message. Multiparts are not among them, their parts are.
    public var parts: [Part] = []
    /// ``parts`` are all there are, and their sizes are right.
    public var partsComplete = false

    /// A message of your own, with nothing known but its row.
    public init(row: MessageRow) {
        self.row = row
    }

    init(_ whole: EngineMessage) {
        row = MessageRow(whole.row)
        (sender, replyTo, to, cc, bcc) = (whole.sender, whole.replyTo, whole.to, whole.cc, whole.bcc)
        (inReplyTo, references, listId) = (whole.inReplyTo, whole.references, whole.listId)
        (parts, partsComplete) = (whole.parts, whole.partsComplete)
    }
}

extension MessageRow {
    init(_ row: EngineMessageRow) {
        self.init(
            id: row.id, mailbox: row.mailbox, content: row.content, uid: row.uid, flags: row.flags, pending: row.pending,
            internalDate: row.internalDate, size: row.size, sha256: row.sha256, fromFirst: row.fromFirst,
            toFirst: row.toFirst, subject: row.subject, dateMs: row.dateMs, messageId: row.messageId,
            preview: row.preview, attachments: row.attachments, degraded: row.degraded, structured: row.structured)
    }
}
