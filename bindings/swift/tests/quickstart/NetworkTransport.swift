import Foundation
import MailkeepKit
import OpenSSLTransport

/// Stands in for Network.framework, and for the server that the quick starts name.
enum NetworkTransport {
    static func connect(_ settings: AccountSettings) async throws -> OpenSSLTransport {
        let environment = ProcessInfo.processInfo.environment
        var settings = settings
        settings.host = "localhost"
        settings.port = environment["MAIL_PORT"].flatMap { Int32($0) } ?? 993
        return try await OpenSSLTransport.connect(settings, authority: environment["MAIL_CA"])
    }
}
