import COpenSSL
import Dispatch
import Foundation
import MailkeepKit

/// A socket, with TLS by the system's OpenSSL: what the tests and the example use on Linux.
///
/// The socket does not block. Who reads and who writes each wait in `poll` on a queue of their own, and take the lock
/// for the moment in which OpenSSL works: one TLS connection is not to be touched by two threads at once. The process
/// ignores SIGPIPE from the first connection on: OpenSSL writes without asking to be spared it.
public final class OpenSSLTransport: Transport, @unchecked Sendable {
    private let socket: Int32
    private let trust: Trust
    private let lock = NSLock()
    private var tls: OpaquePointer?
    private let reads = DispatchQueue(label: "transport.read")
    private let writes = DispatchQueue(label: "transport.write")

    private init(_ socket: Int32, _ trust: Trust) {
        self.socket = socket
        self.trust = trust
    }

    deinit {
        if let tls { SSL_free(tls) }
        Foundation.close(socket)
    }

    /// Connects to an account's server, with TLS where the account has it from the first byte. `authority` names a file
    /// with certificates to trust, in PEM; the system's where it is nil.
    public static func connect(_ settings: AccountSettings, authority: String? = nil) async throws -> OpenSSLTransport {
        signal(SIGPIPE, SIG_IGN)
        let trust = try Trust(authority)
        let socket = try await onThread(DispatchQueue(label: "transport.connect")) {
            try dial(settings.host, UInt16(clamping: settings.port))
        }
        let transport = OpenSSLTransport(socket, trust)
        if settings.security == .tls { try await transport.startTLS(host: settings.host) }
        return transport
    }

    public func read(upTo limit: Int) async throws -> Data {
        try await onThread(reads) { [self] in
            var octets = Data(count: limit)
            let count = try octets.withUnsafeMutableBytes { into in
                try transfer(POLLIN) { tls in
                    if let tls { return Int(SSL_read(tls, into.baseAddress, Int32(limit))) }
                    return recv(socket, into.baseAddress, limit, 0)
                }
            }
            return octets.prefix(count)
        }
    }

    public func write(_ octets: Data) async throws {
        try await onThread(writes) { [self] in
            try octets.withUnsafeBytes { from in
                var sent = 0
                while sent < from.count {
                    let rest = UnsafeRawBufferPointer(rebasing: from[sent...])
                    let count = try transfer(POLLOUT) { tls in
                        if let tls { return Int(SSL_write(tls, rest.baseAddress, Int32(clamping: rest.count))) }
                        return send(socket, rest.baseAddress, rest.count, noSignal)
                    }
                    guard count > 0 else { throw TransportError("the connection ended") }
                    sent += count
                }
            }
        }
    }

    public func startTLS(host: String) async throws {
        try await onThread(writes) { [self] in
            guard let tls = SSL_new(trust.context) else { throw failure("TLS") }
            // The name in the certificate, and the name that the server is told.
            guard SSL_set1_host(tls, host) == 1, shim_set_host_name(tls, host) == 1, SSL_set_fd(tls, socket) == 1 else {
                SSL_free(tls)
                throw failure("TLS")
            }
            lock.withLock { self.tls = tls }
            _ = try transfer(POLLIN) { _ in
                SSL_connect(tls) == 1 ? 1 : -1
            }
        }
    }

    public func channelBinding() async -> ChannelBinding? {
        lock.withLock {
            guard let tls, SSL_version(tls) == TLS1_3_VERSION else { return nil }
            let label = "EXPORTER-Channel-Binding"
            var octets = [UInt8](repeating: 0, count: 32)
            guard SSL_export_keying_material(tls, &octets, octets.count, label, label.utf8.count, "", 0, 1) == 1 else {
                return nil
            }
            return ChannelBinding(kind: "tls-exporter", data: Data(octets))
        }
    }

    public func close() {
        shutdown(socket, Int32(SHUT_RDWR))
    }

    /// Does one read, write or handshake, and waits for the socket as long as it says so. Gives 0 at the end.
    private func transfer(_ direction: Int32, _ act: (OpaquePointer?) -> Int) throws -> Int {
        while true {
            let (count, awaited) = try attempt(direction, act)
            guard let awaited else { return count }
            var socket = pollfd(fd: socket, events: Int16(awaited), revents: 0)
            while poll(&socket, 1, -1) < 0 {
                guard errno == EINTR else { throw failure("poll") }
            }
        }
    }

    /// How many octets, or what the socket must be ready for first.
    private func attempt(_ direction: Int32, _ act: (OpaquePointer?) -> Int) throws -> (Int, awaited: Int32?) {
        lock.lock()
        defer { lock.unlock() }
        ERR_clear_error()
        errno = 0
        let count = act(tls)
        if count > 0 { return (count, nil) }
        guard let tls else {
            if count == 0 { return (0, nil) }
            guard errno == EAGAIN || errno == EINTR else { throw failure("the network") }
            return (0, direction)
        }
        switch SSL_get_error(tls, Int32(count)) {
        case SSL_ERROR_WANT_READ: return (0, POLLIN)
        case SSL_ERROR_WANT_WRITE: return (0, POLLOUT)
        case SSL_ERROR_ZERO_RETURN: return (0, nil)
        default:
            let verdict = SSL_get_verify_result(tls)
            if verdict != X509_V_OK {
                let why = String(cString: X509_verify_cert_error_string(verdict))
                throw TransportError("the server's certificate: \(why)")
            }
            throw failure("TLS")
        }
    }
}

/// Whom to trust: a context of OpenSSL, for clients, that wants a valid certificate.
private final class Trust: @unchecked Sendable {
    let context: OpaquePointer

    init(_ authority: String?) throws {
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw failure("TLS") }
        self.context = context
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        guard shim_require_tls12(context) == 1,
            authority.map({ SSL_CTX_load_verify_file(context, $0) == 1 })
                ?? (SSL_CTX_set_default_verify_paths(context) == 1)
        else {
            throw failure("the authorities to trust")
        }
    }

    deinit {
        SSL_CTX_free(context)
    }
}

/// A connected socket that does not block.
private func dial(_ host: String, _ port: UInt16) throws -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = stream
    var found: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, String(port), &hints, &found)
    guard status == 0 else { throw TransportError("\(host): \(String(cString: gai_strerror(status)))") }
    defer { freeaddrinfo(found) }
    var error = TransportError("\(host) has no address")
    var next = found
    while let address = next?.pointee {
        next = address.ai_next
        let socket = socket(address.ai_family, address.ai_socktype, address.ai_protocol)
        guard socket >= 0 else { continue }
        if connect(socket, address.ai_addr, address.ai_addrlen) == 0 {
            var on: Int32 = 1
            setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
            _ = fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK)
            return socket
        }
        error = failure("\(host) port \(port)")
        close(socket)
    }
    throw error
}

#if canImport(Glibc)
    private let stream = Int32(SOCK_STREAM.rawValue)
    private let noSignal = Int32(MSG_NOSIGNAL)
#else
    private let stream = SOCK_STREAM
    private let noSignal: Int32 = 0
#endif

/// What OpenSSL or the system says went wrong.
private func failure(_ what: String) -> TransportError {
    let code = ERR_get_error()
    if code != 0, let reason = ERR_reason_error_string(code) {
        return TransportError("\(what): \(String(cString: reason))")
    }
    return TransportError("\(what): \(errno == 0 ? "the connection ended" : String(cString: strerror(errno)))")
}

/// Does something that blocks on a queue, while the caller waits without a thread.
private func onThread<R: Sendable>(
    _ queue: DispatchQueue, _ work: @escaping @Sendable () throws -> R
) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
        queue.async { continuation.resume(with: Result { try work() }) }
    }
}

/// The SHA-256 of octets.
public func sha256(_ octets: Data) -> Data {
    var hash = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
    octets.withUnsafeBytes { _ = SHA256($0.bindMemory(to: UInt8.self).baseAddress, $0.count, &hash) }
    return Data(hash)
}
