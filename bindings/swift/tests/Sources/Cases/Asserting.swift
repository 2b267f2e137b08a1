import Foundation
import MailkeepKit
import OpenSSLTransport

/// What a case throws that is not as it should be.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

func equal<T: Equatable>(
    _ found: T, _ wanted: T, _ what: String = "", file: StaticString = #fileID, line: Int = #line
) throws {
    if found != wanted { throw Failure("\(file):\(line): \(what): \(found) where \(wanted) is wanted") }
}

func holds(
    _ truth: Bool, _ what: @autoclosure () throws -> Any, file: StaticString = #fileID, line: Int = #line
) throws {
    if !truth { throw Failure("\(file):\(line): \(try what())") }
}

/// The error of a kind that a call throws.
@discardableResult
func throwing<E: Error>(
    _ kind: E.Type, file: StaticString = #fileID, line: Int = #line, _ act: () async throws -> Void
) async throws -> E {
    do {
        try await act()
    } catch let error as E {
        return error
    }
    throw Failure("\(file):\(line): no \(kind) was thrown")
}

func mailbox(_ store: Mailkeep, _ account: Int64, _ name: String) throws -> MailboxInfo {
    let found = try store.mailboxes(account).first { $0.name == name }
    guard let found else { throw Failure("no \(name)") }
    return found
}

/// All rows of a mailbox.
func rows(_ store: Mailkeep, _ mailbox: Int64) async throws -> [MessageRow] {
    var all = [MessageRow]()
    for try await row in store.rows(mailbox) { all.append(row) }
    return all
}

/// The raw message, read in chunks; nil where it is not here.
func raw(_ store: Mailkeep, _ message: Int64, chunk: Int = 1 << 20) async throws -> Data? {
    guard let chunks = try store.bodyChunks(message, of: chunk) else { return nil }
    var all = Data()
    for try await octets in chunks {
        try holds(octets.count <= chunk, "a chunk of \(octets.count)")
        all.append(octets)
    }
    return all
}

func ordered(_ rows: [JSON]) -> [JSON] {
    rows.sorted { ($0["mailbox"].text, $0["uid"].number) < ($1["mailbox"].text, $1["uid"].number) }
}

/// What a store has of an account, as the server's own reader tells it.
func seen(_ store: Mailkeep, _ account: Int64) async throws -> [JSON] {
    var all = [JSON]()
    for box in try store.mailboxes(account) where box.kind != .local {
        for row in try await rows(store, box.id) {
            guard let octets = try await raw(store, row.id) else { throw Failure("\(row.subject) is not here") }
            all.append(
                .object([
                    "mailbox": .string(box.name),
                    "uid": .number(row.uid),
                    "flags": .list(row.flags.map { $0.lowercased() }.sorted().map { .string($0) }),
                    "size": .number(row.size),
                    "internal_date": .number(row.internalDate / 1000),
                    "sha256": .string(hex(sha256(octets))),
                ]))
        }
    }
    return ordered(all)
}
