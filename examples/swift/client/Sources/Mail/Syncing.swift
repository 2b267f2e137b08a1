import Dispatch
import Foundation
import MailkeepKit
import OpenSSLTransport

/// One connection to an account's server.
struct Syncing: Sendable {
    let store: Mailkeep
    let account: AccountInfo

    /// Syncs and says what that did; then stays and tells of new mail, until Ctrl-C.
    func run(stay: Bool) async throws {
        let connection = try store.connect(account.id, signIn: .password(user: account.settings.user, password()))
        let authority = ProcessInfo.processInfo.environment["MAIL_CA"]
        let transport = try await OpenSSLTransport.connect(account.settings, authority: authority)
        let work = Task {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await connection.run(transport, onEvent: tell) }
                group.addTask { try await wishes(connection, stay) }
                try await group.waitForAll()
            }
        }
        let interrupted = onInterrupt { work.cancel() }
        defer { interrupted.cancel() }
        do {
            try await work.value
        } catch is CancellationError {
            print("interrupted: what came whole is kept")
        }
    }

    private func wishes(_ connection: Connection, _ stay: Bool) async throws {
        let did = try await connection.sync()
        print("\(did.messagesAdded) new, \(did.messagesRemoved) gone, \(did.operationsReplayed) told to the server")
        if stay {
            let inbox = try store.mailboxes(account.id).filter { $0.role == .inbox }
            try await connection.watch(inbox.map(\.id))
        }
        try await connection.logout()
    }

    @Sendable private func tell(_ event: Event) throws {
        switch event {
        case .newMail(_, let message): print("new: \(try store.message(message).row.subject)")
        case .progress(_, _, let done, let total): FileHandle.standardError.write(Data("\r\(done) of \(total) ".utf8))
        case .alert(let text): print("the server says: \(text)")
        case .problem(let text): FileHandle.standardError.write(Data("\(text)\n".utf8))
        default: break
        }
    }

    private func password() throws -> String {
        if let given = ProcessInfo.processInfo.environment["MAIL_PASSWORD"] { return given }
        guard let typed = getpass("password of \(account.settings.user): ") else {
            throw Stop(status: 2, words: "no terminal to ask for the password on: set MAIL_PASSWORD")
        }
        return String(cString: typed)
    }

    private func onInterrupt(_ act: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
        signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT)
        source.setEventHandler(handler: act)
        source.resume()
        return source
    }
}
