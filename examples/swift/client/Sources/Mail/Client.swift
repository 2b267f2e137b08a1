import Foundation
import MailkeepKit

/// The commands.
struct Client {
    let store: Mailkeep

    func run(_ command: String, _ words: [String]) async throws {
        switch command {
        case "add": try add(words)
        case "sync": try await Syncing(store: store, account: account(words.first)).run(stay: false)
        case "watch": try await Syncing(store: store, account: account(words.first)).run(stay: true)
        case "mailboxes": try mailboxes()
        case "list": try list(mailbox(word(words, 0)), words.count > 1 ? Int(words[1]) ?? 20 : 20)
        case "show": try show(id(words))
        case "save": try save(id(words), URL(fileURLWithPath: word(words, 1)))
        case "flag": try flag(id(words), Array(words.dropFirst()))
        case "move": try store.move([id(words)], to: mailbox(word(words, 1)).id)
        case "delete": try store.delete([id(words)])
        case "pending": try pending()
        default: throw Stop.usage
        }
    }

    private func word(_ words: [String], _ at: Int) throws -> String {
        guard at < words.count else { throw Stop.usage }
        return words[at]
    }

    private func id(_ words: [String]) throws -> Int64 {
        guard let id = try Int64(word(words, 0)) else { throw Stop.usage }
        return id
    }

    private func account(_ name: String?) throws -> AccountInfo {
        guard let found = try store.accounts().first(where: { name == nil || $0.settings.name == name }) else {
            throw Stop(status: 1, words: "no such account")
        }
        return found
    }

    private func mailbox(_ name: String) throws -> MailboxInfo {
        let all = try store.accounts().flatMap { try store.mailboxes($0.id) }
        guard let found = all.first(where: { $0.name.lowercased() == name.lowercased() }) else {
            throw Stop(status: 1, words: "no mailbox is called \(name)")
        }
        return found
    }

    private func add(_ words: [String]) throws {
        guard words.count == 5, let port = Int32(words[3]) else { throw Stop.usage }
        let (name, host, user) = (words[0], words[2], words[4])
        var settings: AccountSettings
        switch words[1] {
        case "imap": settings = .imap(name, host: host, user: user)
        case "pop3": settings = .pop3(name, host: host, user: user)
        default: throw Stop.usage
        }
        settings.port = port
        _ = try store.addAccount(settings)
    }

    private func mailboxes() throws {
        for account in try store.accounts() {
            print(account.settings.name)
            for box in try store.mailboxes(account.id) {
                print("  \(right(box.unseen)) \(right(box.total))  \(box.name)")
            }
        }
    }

    private func list(_ mailbox: MailboxInfo, _ count: Int) throws {
        let dates = DateFormatter()
        dates.dateFormat = "yyyy-MM-dd HH:mm"
        for row in try store.page(mailbox.id, limit: count).rows {
            let from = row.fromFirst.first.map { $0.name ?? $0.address } ?? ""
            let mark = row.flags.contains("\\Seen") ? " " : "*"
            let date = dates.string(from: Date(timeIntervalSince1970: Double(row.internalDate) / 1000))
            let sender = from.prefix(24).padding(toLength: 24, withPad: " ", startingAt: 0)
            print("\(right(row.id)) \(mark) \(date)  \(sender) \(row.subject)")
        }
    }

    private func right(_ number: Int64) -> String {
        String(repeating: " ", count: max(0, 6 - String(number).count)) + String(number)
    }

    private func show(_ id: Int64) throws {
        let message = try store.message(id)
        print("From: \(names(message.row.fromFirst))")
        print("To: \(names(message.to))")
        print("Subject: \(message.row.subject)")
        for part in message.parts where part.isAttachment { print("Attached: \(part.number) \(part.safeFileName)") }
        print()
        print(try store.text(id) ?? "\(message.row.preview) … (it is not here yet: sync)")
    }

    private func names(_ addresses: [Address]) -> String {
        addresses.map { $0.name ?? $0.address }.joined(separator: ", ")
    }

    private func save(_ id: Int64, _ folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for part in try store.message(id).parts where part.isAttachment {
            guard let octets = try store.part(id, part.number) else {
                throw Stop(status: 1, words: "part \(part.number) is not here yet: sync")
            }
            let file = folder.appendingPathComponent(part.safeFileName)
            try octets.write(to: file)
            print(file.path)
        }
    }

    private func flag(_ id: Int64, _ changes: [String]) throws {
        let words = { (sign: Character) in changes.filter { $0.first == sign }.map { wire(String($0.dropFirst())) } }
        try store.setFlags([id], set: words("+"), clear: words("-"))
    }

    /// `seen` for `\Seen`, and other words as they are.
    private func wire(_ word: String) -> String {
        let system = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"]
        return system.first { $0.dropFirst().lowercased() == word.lowercased() } ?? word
    }

    private func pending() throws {
        for operation in try store.pending() {
            let state =
                switch operation.state {
                case .waiting: "waits"
                case .sent: "was sent"
                case .setAside(let reason): "was set aside: \(reason)"
                }
            print("\(operation.id) \(operation.kind) \(state)")
        }
    }
}
