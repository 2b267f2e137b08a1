// Never built here.
import MailkeepKit
import SwiftUI

@main
struct MailApp: App {
    @Environment(\.scenePhase) private var phase
    @State private var model = InboxModel()

    var body: some Scene {
        WindowGroup {
            InboxView(model: model)
        }
        .onChange(of: phase) { _, phase in
            switch phase {
            case .active: model.appear()
            case .background:
                model.disappear()
                Refresh.schedule()
            default: break
            }
        }
        .backgroundTask(.appRefresh(Refresh.identifier)) {
            await Refresh.run()
        }
    }
}
