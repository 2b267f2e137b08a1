// Never built here.
import Foundation
import MailkeepKit

/// The one store of this process. A second opening of the file, in the process or outside of it, is refused.
actor Store {
    static let shared = Store()

    private var open: Mailkeep?
    private var users = 0

    /// Where the file is: in the container that the app shares with its extension.
    private static func path() throws -> String {
        let manager = FileManager.default
        guard let group = manager.containerURL(forSecurityApplicationGroupIdentifier: "group.org.example.mail") else {
            throw CocoaError(.fileNoSuchFile)
        }
        var folder = group.appendingPathComponent("Mail", isDirectory: true)
        // A refresh in the background must read it while the device is locked.
        try manager.createDirectory(
            at: folder, withIntermediateDirectories: true,
            attributes: [.protectionKey: FileProtectionType.completeUntilFirstUserAuthentication])
        // The system would copy it in the middle of a write. What must survive the device belongs into a copy by `backup(to:)`.
        var values = URLResourceValues()
        values.isExcludedFromBackup = true
        try folder.setResourceValues(values)
        return folder.appendingPathComponent("mail.redb").path
    }

    /// Does something with the store open. Where nobody uses it any more its file is closed: iOS ends an app that sleeps on
    /// the lock of a file in a shared container.
    func use<R: Sendable>(_ act: @Sendable (Mailkeep) async throws -> R) async throws -> R {
        let store = try enter()
        do {
            let outcome = try await act(store)
            leave(store)
            return outcome
        } catch {
            leave(store)
            throw error
        }
    }

    private func enter() throws -> Mailkeep {
        if let open {
            if users == 0 { try open.resume() }
            users += 1
            return open
        }
        let store = try Mailkeep(path: Store.path())
        open = store
        users = 1
        return store
    }

    private func leave(_ store: Mailkeep) {
        users -= 1
        if users == 0 { try? store.suspend() }
    }

    /// The password of an account's user, out of the Keychain.
    nonisolated static func signIn(_ account: AccountInfo) -> SignIn {
        .keychain(service: "org.example.mail", user: account.settings.user)
    }
}
