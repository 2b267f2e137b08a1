import Foundation
import MailkeepFFI

/// A page of rows as one packed buffer, read where it is asked. The layout is described in the engine's module `packed`.
///
/// The octets are written by `init` alone.
final class PackedPage: @unchecked Sendable {
    private let octets: UnsafeRawBufferPointer
    private let width: Int
    private let count: Int
    private let textsAt: Int
    private let cursorAt: Int

    init(_ packed: Data) throws(MailError) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: packed.count, alignment: 8)
        packed.copyBytes(to: copy)
        octets = UnsafeRawBufferPointer(copy)
        let known = octets.count >= Self.head && octets.loadUnaligned(as: UInt16.self).littleEndian == Self.version
        width = known ? Int(octets.loadUnaligned(fromByteOffset: 2, as: UInt16.self).littleEndian) : 0
        count = known ? Int(octets.loadUnaligned(fromByteOffset: 4, as: UInt32.self).littleEndian) : 0
        textsAt = Self.head + width * count
        cursorAt = known ? textsAt + Int(octets.loadUnaligned(fromByteOffset: 8, as: UInt32.self).littleEndian) : 0
        guard known, width >= Self.rowWidth, cursorAt + Int(number(12, UInt32.self)) == octets.count else {
            throw .engine(code: 400, "a packed page of a layout that is not known")
        }
    }

    deinit {
        octets.deallocate()
    }

    var rows: [MessageRow] {
        (0..<count).map { MessageRow(page: self, at: Self.head + width * $0) }
    }

    var next: Data? {
        cursorAt == octets.count ? nil : Data(octets[cursorAt...])
    }

    func number<N: FixedWidthInteger>(_ at: Int, _: N.Type) -> N {
        N(littleEndian: octets.loadUnaligned(fromByteOffset: at, as: N.self))
    }

    func octets(_ at: Int, count: Int) -> Data {
        Data(octets[at..<at + count])
    }

    /// Where the texts of a row begin.
    func texts(of row: Int) -> Int {
        textsAt + Int(number(row + Self.textsField, UInt32.self))
    }

    /// Where something of a row's begins that a mark tells.
    func marked(_ row: Int, _ mark: Int) -> Int {
        texts(of: row) + Int(number(row + mark, UInt32.self))
    }

    /// A text by where it begins and where the next one does.
    func text(_ from: Int, next: Int) -> String {
        next - 1 <= from ? "" : String(decoding: UnsafeRawBufferPointer(rebasing: octets[from..<next - 1]), as: UTF8.self)
    }

    /// Where the text behind the one that begins here does.
    func behind(_ from: Int) -> Int {
        guard let start = octets.baseAddress, let end = memchr(start + from, 0, octets.count - from) else {
            return octets.count
        }
        return UnsafeRawPointer(end) - start + 1
    }

    /// Texts that follow each other.
    func texts(from: Int, count: Int) -> [String] {
        var start = from
        return (0..<count).map { _ in
            let next = behind(start)
            defer { start = next }
            return text(start, next: next)
        }
    }

    /// Whether two rows tell the same, wherever their texts lie.
    func same(_ row: Int, _ other: PackedPage, _ otherRow: Int) -> Bool {
        let (fixed, behind) = (Self.textsField, Self.textsField + 4)
        return part(row, fixed).elementsEqual(other.part(otherRow, fixed))
            && part(row + behind, Self.rowWidth - behind).elementsEqual(
                other.part(otherRow + behind, Self.rowWidth - behind))
            && ownTexts(row).elementsEqual(other.ownTexts(otherRow))
    }

    private func ownTexts(_ row: Int) -> Slice<UnsafeRawBufferPointer> {
        part(texts(of: row), Int(number(row + Self.endMark, UInt32.self)))
    }

    private func part(_ at: Int, _ count: Int) -> Slice<UnsafeRawBufferPointer> {
        octets[at..<at + count]
    }
}

// The layout.
extension PackedPage {
    static let head = 16
    static let version: UInt16 = 1
    /// What is known of a row. A newer engine may tell more behind it.
    static let rowWidth = 112
    /// Where a row says where its texts begin.
    static let textsField = 80
    static let previewMark = 96
    static let messageIdMark = 100
    static let addressesMark = 104
    static let endMark = 108
}

/// Flags that have a bit, by their spelling on the wire.
enum NamedFlags {
    private static let names = namedFlags()
    /// The words of each set, made once.
    private static let sets = (0..<1 << min(names.count, 10)).map { named(UInt16($0)) }

    /// Those whose bits are set.
    static func of(_ bits: UInt16) -> [String] {
        Int(bits) < sets.count ? sets[Int(bits)] : named(bits)
    }

    private static func named(_ bits: UInt16) -> [String] {
        names.enumerated().filter { bits >> $0.offset & 1 != 0 }.map(\.element)
    }

    /// The bit of a word; 0 where it is a keyword without one.
    static func bit(_ word: String) -> UInt16 {
        names.firstIndex { $0.lowercased() == word.lowercased() }.map { 1 << $0 } ?? 0
    }
}
