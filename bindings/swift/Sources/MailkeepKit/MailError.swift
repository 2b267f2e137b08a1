import Foundation
import MailkeepFFI

/// Everything that can go wrong, by whose fault it is and what it is. Each has a stable ``code`` and a text for a
/// person.
public enum MailError: Error, Equatable, Sendable {
    /// The storage under the database is at fault.
    case store(StoreFault, String)
    /// The program that calls is at fault, or what its user entered.
    case caller(CallerFault, String)
    /// The server broke the protocol, refused, or cannot be reached.
    case server(ServerFault, String)
    /// The server asks to be left alone for so many milliseconds. Connect again later.
    case tryLater(afterMs: Int64, String)
    /// The engine has a defect that showed here. The store is closed, nothing acknowledged is lost, and it can be
    /// opened again.
    case engine(code: Int, String)
}

/// What is wrong with the store; the numbers are the codes.
public enum StoreFault: Int, Sendable, CaseIterable {
    /// The storage failed: disk full, no permission, device gone. ``Mailkeep/reopen()`` goes on once the cause is gone.
    case storage = 100
    /// The storage failed earlier and the store has not been reopened since.
    case storageFailed = 101
    /// The file is no Mailkeep database. It was not touched.
    case notADatabase = 102
    /// The database is damaged.
    case corrupt = 103
    /// The database was written by a newer version. It was not touched.
    case newerSchema = 104
    /// The database is open already, here or in another process.
    case locked = 105
    /// The store is suspended; see ``Mailkeep/resume()``.
    case suspended = 106
    /// The store or the connection was closed.
    case closed = 107
}

/// What is wrong with a call; the numbers are the codes.
public enum CallerFault: Int, Sendable, CaseIterable {
    /// What was named is not here, or not any more.
    case gone = 200
    /// The engine was used in a way its contract forbids.
    case misuse = 201
    /// A value that the caller gave cannot be used.
    case invalid = 202
    /// The request was cancelled.
    case cancelled = 203
    /// The server lets this user not do that (RFC 4314).
    case notPermitted = 204
}

/// What is wrong with the server or the way to it; the numbers are the codes.
public enum ServerFault: Int, Sendable, CaseIterable {
    /// The server's bytes break the protocol or a bound.
    case protocolBroken = 300
    /// The server refused a login.
    case loginRefused = 301
    /// Signing in is not possible safely, or not with what both sides have.
    case loginImpossible = 302
    /// The server refused what was asked.
    case refused = 303
    /// The connection ended.
    case disconnected = 304
    /// The server did not answer in time.
    case timedOut = 305
}

extension MailError: LocalizedError {
    /// The number of the kind, which stays: 1xx where the store is at fault, 2xx the caller, 3xx the server, 4xx the
    /// engine itself.
    public var code: Int {
        switch self {
        case .store(let kind, _): kind.rawValue
        case .caller(let kind, _): kind.rawValue
        case .server(let kind, _): kind.rawValue
        case .tryLater: 306
        case .engine(let code, _): code
        }
    }

    /// Who is at fault.
    public var fault: Fault {
        switch code / 100 {
        case 1: .store
        case 2: .caller
        case 3: .server
        default: .engine
        }
    }

    /// What happened, for a person.
    public var errorDescription: String? {
        switch self {
        case .store(_, let text), .caller(_, let text), .server(_, let text), .tryLater(_, let text),
            .engine(_, let text):
            text
        }
    }
}

extension MailError {
    init(code: Int, text: String) {
        if let kind = StoreFault(rawValue: code) {
            self = .store(kind, text)
        } else if let kind = CallerFault(rawValue: code) {
            self = .caller(kind, text)
        } else if let kind = ServerFault(rawValue: code) {
            self = .server(kind, text)
        } else {
            self = .engine(code: code, text)
        }
    }

    /// The error of this layer for one that was generated.
    init(_ error: MailkeepError) {
        if case .TryLater(_, let text, let afterMs) = error {
            self = .tryLater(afterMs: afterMs, text)
        } else {
            self.init(code: Int(MailkeepFFI.errorCode(error: error)), text: MailkeepFFI.errorText(error: error))
        }
    }
}

/// Calls the engine, and throws this layer's errors.
func calling<R>(_ act: () throws -> R) throws(MailError) -> R {
    do {
        return try act()
    } catch let error as MailkeepError {
        throw MailError(error)
    } catch {
        throw .engine(code: 400, "\(error)")
    }
}
