import Foundation

/// What moves bytes to a server and back: Network.framework (`NetworkTransport`), SwiftNIO, or anything else with these
/// few functions. Reading and writing may go on at once.
public protocol Transport: Sendable {
    /// Waits for octets and gives what came, at most `limit`; nothing at the end. ``close()`` ends the wait.
    func read(upTo limit: Int) async throws -> Data

    /// Sends all of these.
    func write(_ octets: Data) async throws

    /// Encrypts from here on, and makes sure that it is `host` that answers. Nothing is being read or written
    /// meanwhile.
    func startTLS(host: String) async throws

    /// What binds a sign-in to this very TLS connection (RFC 5929, RFC 9266); nil where it is not encrypted or cannot
    /// be told.
    func channelBinding() async -> ChannelBinding?

    /// Ends the connection, from whatever thread, and what waits for it.
    func close()
}

/// Data that both ends of a TLS connection know, and nobody between.
public struct ChannelBinding: Sendable, Equatable {
    /// Its registered name: `tls-exporter` or `tls-server-end-point`.
    public var kind: String
    /// Its octets.
    public var data: Data

    /// A binding by its registered name.
    public init(kind: String, data: Data) {
        self.kind = kind
        self.data = data
    }
}

/// The transport cannot do what was asked.
public struct TransportError: LocalizedError, Sendable {
    /// What, for a person.
    public var errorDescription: String?

    /// An error with a text for a person.
    public init(_ text: String) {
        errorDescription = text
    }
}

extension Transport {
    /// There is none.
    public func channelBinding() async -> ChannelBinding? { nil }

    /// Fails: the transport is encrypted from its first byte, or never.
    public func startTLS(host: String) async throws {
        throw TransportError("this transport cannot begin TLS later")
    }
}
