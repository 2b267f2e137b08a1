// Never built here.
import BackgroundTasks
import MailkeepKit
import UserNotifications

/// Syncs in the background, and tells of new mail once.
enum Refresh {
    static let identifier = "org.example.mail.refresh"

    /// Asks the system for the next refresh: not before a quarter of an hour, when it pleases.
    static func schedule() {
        let request = BGAppRefreshTaskRequest(identifier: identifier)
        request.earliestBeginDate = Date(timeIntervalSinceNow: 15 * 60)
        try? BGTaskScheduler.shared.submit(request)
    }

    /// A refresh. The system gives about thirty seconds; when they are over it cancels the task, the sync is taken back and
    /// what came whole is kept. Small steps let that happen at once.
    static func run() async {
        schedule()
        try? await Store.shared.use { store in
            for account in try store.accounts() where account.settings.protocol != .local {
                do {
                    try await sync(store, account)
                } catch let error as MailError where error.fault == .server {
                    // One server that does not answer keeps nobody else's mail away.
                    continue
                }
            }
            try await notify(store)
        }
    }

    static func sync(_ store: Mailkeep, _ account: AccountInfo) async throws {
        let connection = try store.connect(
            account.id, signIn: Store.signIn(account), options: RunOptions(commitThread: true, limit: 256 << 10))
        defer { connection.close() }
        try await connection.syncOnce(over: NetworkTransport.connect(account.settings))
    }

    /// New mail stays new until it is acknowledged: it is told once, even if the process dies in between.
    private static func notify(_ store: Mailkeep) async throws {
        let fresh = try store.newMail(limit: 5)
        for message in fresh {
            let row = try store.message(message).row
            let content = UNMutableNotificationContent()
            content.title = row.fromFirst.first.map { $0.name ?? $0.address } ?? ""
            content.body = row.subject
            content.threadIdentifier = "\(row.mailbox)"
            let request = UNNotificationRequest(identifier: "mail-\(message)", content: content, trigger: nil)
            try await UNUserNotificationCenter.current().add(request)
        }
        try store.acknowledgeNewMail(fresh)
    }
}
