import Foundation

/// Packs one row as a page of its own.
struct PackedRow {
    private var row = [UInt8](repeating: 0, count: PackedPage.rowWidth)
    private var texts = [UInt8]()

    mutating func number<N: FixedWidthInteger>(_ at: Int, _ value: N) {
        withUnsafeBytes(of: value.littleEndian) { row.replaceSubrange(at..<at + $0.count, with: $0) }
    }

    mutating func octets(_ at: Int, _ octets: Data) {
        row.replaceSubrange(at..<at + octets.count, with: octets)
    }

    /// Says where the next text begins.
    mutating func mark(_ at: Int) {
        number(at, UInt32(texts.count))
    }

    mutating func text(_ text: String) {
        // Each ends with a NUL, and holds none.
        texts.append(contentsOf: text.replacingOccurrences(of: "\0", with: "\u{fffd}").utf8)
        texts.append(0)
    }

    mutating func addresses(_ all: [Address]) {
        for address in all {
            text(address.name ?? "")
            text(address.address)
        }
    }

    mutating func page() -> PackedPage {
        mark(PackedPage.endMark)
        var page = Data()
        for number in [PackedPage.version, UInt16(row.count)] {
            withUnsafeBytes(of: number.littleEndian) { page.append(contentsOf: $0) }
        }
        for number in [1, UInt32(texts.count), 0] {
            withUnsafeBytes(of: number.littleEndian) { page.append(contentsOf: $0) }
        }
        page.append(contentsOf: row + texts)
        do {
            return try PackedPage(page)
        } catch {
            preconditionFailure("what was packed here is a page: \(error)")
        }
    }
}
