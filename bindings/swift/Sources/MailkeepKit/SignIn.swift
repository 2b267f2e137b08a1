import Foundation
import MailkeepFFI

/// Gives credentials when the server asks for them: out of the Keychain, an OAuth library, or by asking a person.
public struct SignIn: Sendable {
    let credentials: @Sendable (_ mechanisms: [String]) async throws -> Credentials?

    /// `credentials` is given the SASL mechanisms that the server offers (`LOGIN-COMMAND` is the command LOGIN), and
    /// answers with credentials for one of them, or nil for none. What it throws ends the connection.
    public init(_ credentials: @escaping @Sendable (_ mechanisms: [String]) async throws -> Credentials?) {
        self.credentials = credentials
    }

    /// A user name and a password. They are given once: asked again, there are none.
    public static func password(user: String, _ password: String) -> SignIn {
        let left = Locked(true)
        return SignIn { _ in
            let first = left.with { left in
                defer { left = false }
                return left
            }
            return first ? .password(user: user, authzid: nil, password: password) : nil
        }
    }

    /// An OAuth 2 access token, fetched anew each time it is asked for.
    public static func oauth(
        user: String, host: String, port: Int32 = 993, token: @escaping @Sendable () async throws -> String
    ) -> SignIn {
        SignIn { _ in .oauth(user: user, token: try await token(), host: host, port: port) }
    }
}

#if canImport(Security)
    import Security

    // Never run by this project's tests: there is no Keychain where they run.
    extension SignIn {
        /// The password that the Keychain has under a service for a user. Items that background refreshes need must be
        /// saved with `kSecAttrAccessibleAfterFirstUnlock`.
        public static func keychain(service: String, user: String) -> SignIn {
            SignIn { _ in
                let query: [CFString: Any] = [
                    kSecClass: kSecClassGenericPassword, kSecAttrService: service, kSecAttrAccount: user,
                    kSecReturnData: true, kSecMatchLimit: kSecMatchLimitOne,
                ]
                var found: CFTypeRef?
                guard SecItemCopyMatching(query as CFDictionary, &found) == errSecSuccess,
                    let octets = found as? Data
                else { return nil }
                return .password(user: user, authzid: nil, password: String(decoding: octets, as: UTF8.self))
            }
        }
    }
#endif
