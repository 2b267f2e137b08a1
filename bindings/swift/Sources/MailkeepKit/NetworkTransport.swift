// Never built or run by this project's tests, which know Linux only.
#if canImport(Network)
    import Foundation
    import Network

    /// A connection of Network.framework: TLS from the first byte with the system's trust, or none. STARTTLS it cannot
    /// do.
    public final class NetworkTransport: Transport {
        private let connection: NWConnection

        private init(_ connection: NWConnection) {
            self.connection = connection
        }

        /// Connects to an account's server. Waits until the way is there; cancel the task to wait no longer.
        public static func connect(_ settings: AccountSettings) async throws -> NetworkTransport {
            let port = NWEndpoint.Port(rawValue: UInt16(clamping: settings.port))
            guard let port, settings.security != .startTls else {
                throw TransportError("Network.framework does TLS from the first byte, or none")
            }
            let parameters: NWParameters = settings.security == .tls ? .tls : .tcp
            let connection = NWConnection(host: NWEndpoint.Host(settings.host), port: port, using: parameters)
            try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                    connection.stateUpdateHandler = { state in
                        let outcome: Result<Void, any Error>
                        switch state {
                        case .ready: outcome = .success(())
                        case .failed(let error): outcome = .failure(error)
                        case .cancelled: outcome = .failure(CancellationError())
                        default: return
                        }
                        connection.stateUpdateHandler = nil
                        continuation.resume(with: outcome)
                    }
                    connection.start(queue: .global(qos: .userInitiated))
                }
            } onCancel: {
                connection.cancel()
            }
            return NetworkTransport(connection)
        }

        public func read(upTo limit: Int) async throws -> Data {
            try await withCheckedThrowingContinuation { continuation in
                connection.receive(minimumIncompleteLength: 1, maximumLength: limit) { octets, _, _, error in
                    if let octets, !octets.isEmpty {
                        continuation.resume(returning: octets)
                    } else if let error {
                        continuation.resume(throwing: error)
                    } else {
                        continuation.resume(returning: Data())
                    }
                }
            }
        }

        public func write(_ octets: Data) async throws {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                connection.send(
                    content: octets,
                    completion: .contentProcessed { error in
                        if let error { continuation.resume(throwing: error) } else { continuation.resume() }
                    })
            }
        }

        public func close() {
            connection.cancel()
        }
    }
#endif
