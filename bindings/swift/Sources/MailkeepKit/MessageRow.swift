import Foundation

/// A row of a message list.
///
/// A row from the store is a place in the page that it came with: a field is read when you ask for it, and a row that
/// is kept keeps its page. Rows are values: two are equal where all their fields are.
public struct MessageRow: Sendable {
    private let page: PackedPage
    private let at: Int

    init(page: PackedPage, at: Int) {
        (self.page, self.at) = (page, at)
    }

    /// A row of your own, for a preview of a screen or a test. The engine keeps ids and sizes below 2^53; `sha256` is
    /// 32 octets.
    public init(
        id: Int64, mailbox: Int64, content: Int64 = 0, uid: Int64 = 0, flags: [String] = [], pending: Bool = false,
        internalDate: Int64 = 0, size: Int64 = 0, sha256: Data? = nil, fromFirst: [Address] = [],
        toFirst: [Address] = [], subject: String = "", dateMs: Int64? = nil, messageId: String? = nil,
        preview: String = "", attachments: Int32 = 0, degraded: Bool = false, structured: Bool = false
    ) {
        precondition(sha256.map { $0.count == 32 } ?? true, "a SHA-256 has 32 octets")
        var packed = PackedRow()
        packed.number(Field.id, id)
        packed.number(Field.content, content)
        packed.number(Field.internalDate, internalDate)
        packed.number(Field.date, dateMs ?? 0)
        packed.number(Field.size, size)
        if let sha256 { packed.octets(Field.sha256, sha256) }
        packed.number(Field.uid, UInt32(uid))
        packed.number(Field.mailbox, UInt32(mailbox))
        packed.number(Field.attachments, UInt16(attachments))
        packed.text(subject)
        packed.mark(PackedPage.previewMark)
        packed.text(preview)
        packed.mark(PackedPage.messageIdMark)
        packed.text(messageId ?? "")
        let keywords = flags.filter { NamedFlags.bit($0) == 0 }
        packed.number(Field.flags, flags.reduce(0) { $0 | NamedFlags.bit($1) })
        packed.number(Field.keywords, UInt16(keywords.count))
        keywords.forEach { packed.text($0) }
        packed.mark(PackedPage.addressesMark)
        packed.number(Field.from, UInt8(fromFirst.count))
        packed.number(Field.to, UInt8(toFirst.count))
        packed.addresses(fromFirst + toFirst)
        var state: State = []
        if pending { state.insert(.pending) }
        if sha256 != nil { state.insert(.hashed) }
        if degraded { state.insert(.degraded) }
        if structured { state.insert(.structured) }
        if dateMs != nil { state.insert(.dated) }
        packed.number(Field.state, state.rawValue)
        self.init(page: packed.page(), at: PackedPage.head)
    }

    /// Its id; stays when it moves.
    public var id: Int64 { page.number(at + Field.id, Int64.self) }

    /// Its mailbox.
    public var mailbox: Int64 { Int64(page.number(at + Field.mailbox, UInt32.self)) }

    /// Its content, shared by every message that has the same.
    public var content: Int64 { page.number(at + Field.content, Int64.self) }

    /// The server's handle, or 0 where it has none.
    public var uid: Int64 { Int64(page.number(at + Field.uid, UInt32.self)) }

    /// Flags and keywords as a person should see them, by their spelling on the wire (`\Seen`, `$Forwarded`, `todo`).
    public var flags: [String] {
        let named = NamedFlags.of(page.number(at + Field.flags, UInt16.self))
        let keywords = Int(page.number(at + Field.keywords, UInt16.self))
        guard keywords > 0 else { return named }
        return named + page.texts(from: page.behind(page.marked(at, PackedPage.messageIdMark)), count: keywords)
    }

    /// Whether something was done to it that the server has not confirmed.
    public var pending: Bool { state.contains(.pending) }

    /// INTERNALDATE in milliseconds since 1970.
    public var internalDate: Int64 { page.number(at + Field.internalDate, Int64.self) }

    /// RFC822.SIZE, or the true size once the message is here, in octets.
    public var size: Int64 { page.number(at + Field.size, Int64.self) }

    /// SHA-256 of the raw message, where it is here whole.
    public var sha256: Data? { state.contains(.hashed) ? page.octets(at + Field.sha256, count: 32) : nil }

    /// From; the first four.
    public var fromFirst: [Address] {
        addresses(page.marked(at, PackedPage.addressesMark), page.number(at + Field.from, UInt8.self))
    }

    /// To; the first four. A list of sent mail shows these.
    public var toFirst: [Address] {
        var start = page.marked(at, PackedPage.addressesMark)
        for _ in 0..<2 * Int(page.number(at + Field.from, UInt8.self)) { start = page.behind(start) }
        return addresses(start, page.number(at + Field.to, UInt8.self))
    }

    /// Subject, decoded, on one line.
    public var subject: String { page.text(page.texts(of: at), next: page.marked(at, PackedPage.previewMark)) }

    /// The Date field in milliseconds since 1970; nil where there is none to be read.
    public var dateMs: Int64? { state.contains(.dated) ? page.number(at + Field.date, Int64.self) : nil }

    /// Message-ID without the angle brackets.
    public var messageId: String? {
        let start = page.marked(at, PackedPage.messageIdMark)
        let text = page.text(start, next: page.behind(start))
        return text.isEmpty ? nil : text
    }

    /// The first characters of what the sender wrote, on one line.
    public var preview: String {
        page.text(page.marked(at, PackedPage.previewMark), next: page.marked(at, PackedPage.messageIdMark))
    }

    /// Parts that are attachments. A guess unless ``structured``.
    public var attachments: Int32 { Int32(page.number(at + Field.attachments, UInt16.self)) }

    /// The message could not be read fully.
    public var degraded: Bool { state.contains(.degraded) }

    /// The parts are known, and so ``attachments`` is no guess.
    public var structured: Bool { state.contains(.structured) }

    private var state: State { State(rawValue: page.number(at + Field.state, UInt8.self)) }

    private func addresses(_ from: Int, _ count: UInt8) -> [Address] {
        guard count > 0 else { return [] }
        var start = from
        return (0..<count).map { _ in
            let address = page.behind(start)
            let next = page.behind(address)
            let name = address - start == 1 ? nil : page.text(start, next: address)
            defer { start = next }
            return Address(name: name, address: page.text(address, next: next))
        }
    }

    /// Where a packed row has what.
    private enum Field {
        static let (id, content, internalDate, date, size, sha256) = (0, 8, 16, 24, 32, 40)
        static let (uid, mailbox, flags, attachments) = (72, 76, 84, 86)
        static let (keywords, from, to, state) = (88, 90, 91, 92)
    }

    private struct State: OptionSet {
        let rawValue: UInt8
        static let pending = State(rawValue: 1)
        static let hashed = State(rawValue: 2)
        static let degraded = State(rawValue: 4)
        static let structured = State(rawValue: 8)
        static let dated = State(rawValue: 16)
    }
}

extension MessageRow: Hashable {
    public static func == (one: MessageRow, other: MessageRow) -> Bool {
        one.page === other.page && one.at == other.at || one.page.same(one.at, other.page, other.at)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(id)
    }
}

/// Shows the fields.
extension MessageRow: CustomStringConvertible, CustomReflectable {
    public var description: String {
        "MessageRow(" + customMirror.children.map { "\($0.label ?? ""): \($0.value)" }.joined(separator: ", ") + ")"
    }

    public var customMirror: Mirror {
        let fields: KeyValuePairs<String, Any> = [
            "id": id, "mailbox": mailbox, "content": content, "uid": uid, "flags": flags, "pending": pending,
            "internalDate": internalDate, "size": size, "sha256": sha256 as Any, "fromFirst": fromFirst,
            "toFirst": toFirst, "subject": subject, "dateMs": dateMs as Any, "messageId": messageId as Any,
            "preview": preview, "attachments": attachments, "degraded": degraded, "structured": structured,
        ]
        return Mirror(self, children: fields, displayStyle: .struct)
    }
}
