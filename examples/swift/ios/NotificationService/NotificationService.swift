// Never built here.
import MailkeepKit
import UserNotifications

/// Names the new mail in a push that says no more than that there is some.
final class NotificationService: UNNotificationServiceExtension, @unchecked Sendable {
    private let lock = NSLock()
    private var work: Task<Void, Never>?
    private var content: UNMutableNotificationContent?
    private var deliver: ((UNNotificationContent) -> Void)?

    override func didReceive(
        _ request: UNNotificationRequest, withContentHandler deliver: @escaping (UNNotificationContent) -> Void
    ) {
        self.deliver = deliver
        content = request.content.mutableCopy() as? UNMutableNotificationContent
        work = Task {
            do {
                try await Store.shared.use { try await self.name($0) }
            } catch MailError.store(.locked, _) {
                // The app has the store, and tells of its mail itself: the push is shown as it came.
            } catch {
                // As above: no mail is better than no notification.
            }
            finish()
        }
    }

    /// The system's thirty seconds are nearly over. What came whole is kept.
    override func serviceExtensionTimeWillExpire() {
        work?.cancel()
        finish()
    }

    private func name(_ store: Mailkeep) async throws {
        for account in try store.accounts() where account.settings.protocol == .imap {
            let connection = try store.connect(account.id, signIn: Store.signIn(account))
            defer { connection.close() }
            // Headers are enough here; the app brings the bodies.
            try await connection.syncOnce(over: NetworkTransport.connect(account.settings), bodies: .onDemand)
        }
        guard let newest = try store.newMail().last else { return }
        let row = try store.message(newest).row
        content?.title = row.fromFirst.first.map { $0.name ?? $0.address } ?? ""
        content?.body = row.subject
        try store.acknowledgeNewMail([newest])
    }

    private func finish() {
        // Once, whoever comes first.
        let deliver = lock.withLock {
            defer { self.deliver = nil }
            return self.deliver
        }
        if let content { deliver?(content) }
    }
}
