import Foundation
import MailkeepFFI

// What is here: mailboxes, pages, messages, bodies.
extension Mailkeep {
    /// An account's mailboxes, in the order in which they came to be known.
    public func mailboxes(_ account: Int64) throws(MailError) -> [MailboxInfo] {
        try calling { try engine.mailboxes(account: account) }
    }

    /// One mailbox.
    public func mailbox(_ mailbox: Int64) throws(MailError) -> MailboxInfo {
        try calling { try engine.mailbox(mailbox: mailbox) }
    }

    /// A page of a mailbox's messages, newest first, from behind the cursor of the page before (`MessagePage.next`).
    public func page(_ mailbox: Int64, after cursor: Data? = nil, limit: Int = 50) throws(MailError) -> MessagePage {
        let packed = try calling { try engine.messagesPacked(mailbox: mailbox, after: cursor, limit: Int64(limit)) }
        return try MessagePage(packed: packed)
    }

    /// All messages of a mailbox, newest first, read page by page while you go through them.
    public func rows(_ mailbox: Int64, pageSize: Int = 200) -> Rows {
        Rows(store: self, mailbox: mailbox, pageSize: pageSize)
    }

    /// The row of one message, as it is now.
    public func row(_ message: Int64) throws(MailError) -> MessageRow {
        try MessagePage(packed: calling { try engine.rowPacked(message: message) }).rows[0]
    }

    /// One message with its addresses and parts.
    public func message(_ message: Int64) throws(MailError) -> Message {
        try Message(calling { try engine.message(message: message) })
    }

    /// Octets of a raw message from `offset` on, fewer at its end; nil where it is not here:
    /// ``Connection/fetch(_:part:)`` brings it.
    public func body(_ message: Int64, offset: Int64, length: Int) throws(MailError) -> Data? {
        try calling { try engine.body(message: message, offset: offset, len: Int64(length)) }
    }

    /// The raw message in chunks of so many octets; nil where it is not here.
    public func bodyChunks(_ message: Int64, of size: Int = 1 << 16) throws(MailError) -> BodyChunks? {
        guard try body(message, offset: 0, length: 1) != nil else { return nil }
        return BodyChunks(store: self, message: message, size: size)
    }

    /// The text of a message for reading; nil where it is not here.
    public func text(_ message: Int64) throws(MailError) -> String? {
        try calling { try engine.text(message: message) }
    }

    /// The HTML of a message as it was sent: not safe to show without a sandbox.
    public func html(_ message: Int64) throws(MailError) -> String? {
        try calling { try engine.html(message: message) }
    }

    /// A part of a message by its number (`1.2`), decoded; nil where it is not here.
    public func part(_ message: Int64, _ number: String) throws(MailError) -> Data? {
        try calling { try engine.part(message: message, number: number) }
    }

    /// What changed since a commit: what a screen that missed events must draw again.
    public func changes(since commit: Int64) throws(MailError) -> Changes {
        try calling { try engine.changesSince(commit: commit) }
    }

    /// The number of the last commit: where a screen that reads everything now asks the change feed from next.
    public func lastCommit() throws(MailError) -> Int64 { try calling { try engine.lastCommit() } }

    /// The change feed from a commit on, as long as it is gone through. Several changes may come as one.
    public func changeFeed(since commit: Int64) -> ChangeFeed {
        ChangeFeed(store: self, since: commit)
    }

    /// New mail that nobody has acknowledged, oldest first: what a notification should name.
    public func newMail(limit: Int = 100) throws(MailError) -> [Int64] {
        try calling { try engine.newMail(limit: Int64(limit)) }
    }

    /// The person has been told of these: they are new no more, on no connection, after no crash.
    public func acknowledgeNewMail(_ messages: [Int64]) throws(MailError) {
        try calling { try engine.acknowledgeNewMail(messages: messages) }
    }
}

/// The messages of a mailbox, newest first, read page by page off the cooperative pool.
public struct Rows: AsyncSequence, Sendable {
    public typealias Element = MessageRow

    let store: Mailkeep
    let mailbox: Int64
    let pageSize: Int

    public func makeAsyncIterator() -> Iterator {
        Iterator(rows: self)
    }

    /// Goes through the rows.
    public struct Iterator: AsyncIteratorProtocol {
        let rows: Rows
        private var page = MessagePage(rows: [], next: nil)
        private var at = 0
        private var begun = false

        init(rows: Rows) {
            self.rows = rows
        }

        public mutating func next() async throws -> MessageRow? {
            while at == page.rows.count {
                guard !begun || page.next != nil else { return nil }
                let (mailbox, cursor, size) = (rows.mailbox, page.next, rows.pageSize)
                page = try await rows.store.perform { try $0.page(mailbox, after: cursor, limit: size) }
                (at, begun) = (0, true)
            }
            defer { at += 1 }
            return page.rows[at]
        }
    }
}

/// A raw message in chunks, read off the cooperative pool. The last one may be shorter. Should the message be let go
/// meanwhile, going on throws `.gone`.
public struct BodyChunks: AsyncSequence, Sendable {
    public typealias Element = Data

    let store: Mailkeep
    let message: Int64
    let size: Int

    public func makeAsyncIterator() -> Iterator {
        Iterator(chunks: self)
    }

    /// Goes through the chunks.
    public struct Iterator: AsyncIteratorProtocol {
        let chunks: BodyChunks
        private var offset: Int64 = 0
        private var ended = false

        init(chunks: BodyChunks) {
            self.chunks = chunks
        }

        public mutating func next() async throws -> Data? {
            guard !ended else { return nil }
            let (message, offset, size) = (chunks.message, offset, chunks.size)
            let found = try await chunks.store.perform { try $0.body(message, offset: offset, length: size) }
            guard let octets = found else { throw MailError.caller(.gone, "the message's body is not here any more") }
            self.offset += Int64(octets.count)
            ended = octets.count < size
            return octets.isEmpty ? nil : octets
        }
    }
}
