// A small mail client for the command line: shows how a program in Swift holds the engine.

import Foundation
import MailkeepKit

let usage = """
    usage: mail FILE COMMAND
      add NAME imap|pop3 HOST PORT USER       an account, over TLS
      sync [ACCOUNT]                          brings it into step; the password is asked for, or is MAIL_PASSWORD
      watch [ACCOUNT]                         syncs and stays, telling of new mail until Ctrl-C
      mailboxes                               what there is
      list MAILBOX [COUNT]                    the newest messages
      show ID                                 one message as text
      save ID FOLDER                          its attachments
      flag ID [+FLAG]... [-FLAG]...           sets and clears flags: flag 17 +seen -flagged +todo
      move ID MAILBOX | delete ID             offline too; the server is told at the next sync
      pending                                 what the server has not confirmed
    MAIL_CA names a file with the certificate authorities to trust instead of the system's, in PEM.
    """

/// Why the program ends, and with which status.
struct Stop: Error {
    let status: Int32
    let words: String

    static let usage = Stop(status: 2, words: Mail.usage)
}

@main
struct Main {
    static func main() async {
        let arguments = CommandLine.arguments
        do {
            guard arguments.count > 2 else { throw Stop.usage }
            let store = try Mailkeep(path: arguments[1])
            defer { store.close() }
            try await Client(store: store).run(arguments[2], Array(arguments.dropFirst(3)))
        } catch let stop as Stop {
            end(stop)
        } catch MailError.store(_, let text) {
            end(Stop(status: 3, words: "the store: \(text)"))
        } catch MailError.server(_, let text) {
            end(Stop(status: 4, words: "the server: \(text)"))
        } catch let error as TransportError {
            end(Stop(status: 4, words: "the network: \(error.localizedDescription)"))
        } catch {
            end(Stop(status: 1, words: error.localizedDescription))
        }
    }

    static func end(_ stop: Stop) -> Never {
        FileHandle.standardError.write(Data("\(stop.words)\n".utf8))
        exit(stop.status)
    }
}
