// Never built here.
import MailkeepKit
import Security
import SwiftUI

/// Asks for an account. The password goes to the Keychain and nowhere else.
struct AccountView: View {
    let model: InboxModel
    @State private var host = ""
    @State private var user = ""
    @State private var password = ""

    var body: some View {
        Form {
            TextField("Server", text: $host).textInputAutocapitalization(.never).keyboardType(.URL)
            TextField("User", text: $user).textInputAutocapitalization(.never).keyboardType(.emailAddress)
            SecureField("Password", text: $password)
            Button("Add") {
                guard keep(password, user: user) == errSecSuccess else { return }
                model.add(host: host, user: user)
            }
            .disabled(host.isEmpty || user.isEmpty || password.isEmpty)
        }
    }

    private func keep(_ password: String, user: String) -> OSStatus {
        let item: [CFString: Any] = [
            kSecClass: kSecClassGenericPassword, kSecAttrService: "org.example.mail", kSecAttrAccount: user,
        ]
        SecItemDelete(item as CFDictionary)
        let value: [CFString: Any] = [
            kSecValueData: Data(password.utf8),
            // A refresh in the background reads it while the device is locked.
            kSecAttrAccessible: kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly,
        ]
        return SecItemAdd(item.merging(value) { $1 } as CFDictionary, nil)
    }
}
