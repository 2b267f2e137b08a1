// Never built here.
import MailkeepKit
import SwiftUI

struct InboxView: View {
    let model: InboxModel

    var body: some View {
        NavigationStack {
            List {
                if let trouble = model.trouble { Text(trouble).foregroundStyle(.red) }
                ForEach(model.shown.rows, id: \.id) { row in
                    NavigationLink(value: row.id) { RowView(row: row) }
                        .onAppear { if row.id == model.shown.rows.last?.id { model.loadMore() } }
                }
                .onDelete { model.delete($0.map { model.shown.rows[$0] }) }
            }
            .navigationTitle("Inbox")
            .sheet(isPresented: .constant(!model.hasAccount)) { AccountView(model: model) }
            .navigationDestination(for: Int64.self) { MessageView(message: $0) }
        }
    }
}

private struct RowView: View {
    let row: MessageRow

    var body: some View {
        VStack(alignment: .leading) {
            HStack {
                Text(row.fromFirst.first.map { $0.name ?? $0.address } ?? "")
                    .fontWeight(row.flags.contains("\\Seen") ? .regular : .bold)
                Spacer()
                Text(Date(timeIntervalSince1970: Double(row.internalDate) / 1000), style: .date).font(.caption)
            }
            Text(row.subject).lineLimit(1)
            Text(row.preview).lineLimit(1).font(.caption).foregroundStyle(.secondary)
        }
        .opacity(row.pending ? 0.6 : 1)
    }
}

struct MessageView: View {
    let message: Int64
    @State private var text = ""
    @State private var subject = ""

    var body: some View {
        ScrollView { Text(text).frame(maxWidth: .infinity, alignment: .leading).padding() }
            .navigationTitle(subject)
            .task {
                let id = message
                let read = try? await Store.shared.use { store in
                    try await store.perform { store in
                        try store.setFlags([id], set: ["\\Seen"])
                        return (try store.message(id).row.subject, try store.text(id) ?? "")
                    }
                }
                if let read { (subject, text) = read }
            }
    }
}
