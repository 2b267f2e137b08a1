import Foundation
import MailkeepFFI

/// Reads pages of rows from one packed buffer. The layout is described in the engine's module `packed`.
enum PackedPage {
    private static let head = 16
    private static let version: UInt16 = 1
    /// What a row takes that this layout knows.
    private static let knownWidth = 96
    private static let names = namedFlags()

    static func decode(_ packed: Data) throws(MailError) -> MessagePage {
        let page = packed.withUnsafeBytes { decode($0) }
        guard let page else { throw .engine(code: 400, "a packed page of a layout that is not known") }
        return page
    }

    private static func decode(_ packed: UnsafeRawBufferPointer) -> MessagePage? {
        guard packed.count >= head, number(packed, 0, UInt16.self) == version else { return nil }
        let width = Int(number(packed, 2, UInt16.self))
        let count = Int(number(packed, 4, UInt32.self))
        let textsAt = head + width * count
        let cursorAt = textsAt + Int(number(packed, 8, UInt32.self))
        let end = cursorAt + Int(number(packed, 12, UInt32.self))
        guard width >= knownWidth, end == packed.count else { return nil }
        var texts = Texts(packed[textsAt..<cursorAt])
        var rows = [MessageRow]()
        rows.reserveCapacity(count)
        for row in 0..<count {
            rows.append(self.row(UnsafeRawBufferPointer(rebasing: packed[(head + width * row)...]), &texts))
        }
        return MessagePage(rows: rows, next: cursorAt == end ? nil : Data(packed[cursorAt..<end]))
    }

    private static func number<N: FixedWidthInteger>(_ packed: UnsafeRawBufferPointer, _ at: Int, _: N.Type) -> N {
        N(littleEndian: packed.loadUnaligned(fromByteOffset: at, as: N.self))
    }

    private static func row(_ row: UnsafeRawBufferPointer, _ texts: inout Texts) -> MessageRow {
        let state = State(rawValue: row[92])
        let subject = texts.next()
        let preview = texts.next()
        let messageId = texts.next()
        var flags = named(number(row, 84, UInt16.self))
        for _ in 0..<number(row, 88, UInt16.self) { flags.append(texts.next()) }
        let from = addresses(row[90], &texts)
        let to = addresses(row[91], &texts)
        return MessageRow(
            id: number(row, 0, Int64.self),
            mailbox: Int64(number(row, 76, UInt32.self)),
            content: number(row, 8, Int64.self),
            uid: Int64(number(row, 72, UInt32.self)),
            flags: flags,
            pending: state.contains(.pending),
            internalDate: number(row, 16, Int64.self),
            size: number(row, 32, Int64.self),
            sha256: state.contains(.hashed) ? Data(bytes: row.baseAddress! + 40, count: 32) : nil,
            fromFirst: from,
            toFirst: to,
            subject: subject,
            dateMs: state.contains(.dated) ? number(row, 24, Int64.self) : nil,
            messageId: messageId.isEmpty ? nil : messageId,
            preview: preview,
            attachments: Int32(number(row, 86, UInt16.self)),
            degraded: state.contains(.degraded),
            structured: state.contains(.structured)
        )
    }

    private struct State: OptionSet {
        let rawValue: UInt8
        static let pending = State(rawValue: 1)
        static let hashed = State(rawValue: 2)
        static let degraded = State(rawValue: 4)
        static let structured = State(rawValue: 8)
        static let dated = State(rawValue: 16)
    }

    private static func named(_ bits: UInt16) -> [String] {
        guard bits != 0 else { return [] }
        var flags = [String]()
        for (bit, name) in names.enumerated() where bits >> bit & 1 != 0 { flags.append(name) }
        return flags
    }

    private static func addresses(_ count: UInt8, _ texts: inout Texts) -> [Address] {
        guard count > 0 else { return [] }
        var all = [Address]()
        all.reserveCapacity(Int(count))
        for _ in 0..<count {
            let name = texts.next()
            all.append(Address(name: name.isEmpty ? nil : name, address: texts.next()))
        }
        return all
    }

    /// The texts in their order, each up to its NUL.
    private struct Texts {
        private var at: UnsafeRawPointer?
        private var left: Int

        init(_ texts: Slice<UnsafeRawBufferPointer>) {
            let texts = UnsafeRawBufferPointer(rebasing: texts)
            (at, left) = (texts.baseAddress, texts.count)
        }

        mutating func next() -> String {
            guard let start = at, left > 0 else { return "" }
            let length = memchr(start, 0, left).map { UnsafeRawPointer($0) - start } ?? left
            let text = UnsafeRawBufferPointer(start: start, count: length)
            let taken = min(length + 1, left)
            (at, left) = (start + taken, left - taken)
            return length == 0 ? "" : String(decoding: text, as: UTF8.self)
        }
    }
}
