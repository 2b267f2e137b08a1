"""What a person does, and what the server hears of it."""

import mailkeep
from harness import case, equal, mailbox, raises


def draft(subject):
    return f"From: me@example.org\r\nTo: you@example.org\r\nSubject: {subject}\r\n\r\n{subject}\r\n".encode()


@case("offline-work")
def offline_work(world):
    user = world.server.user()
    world.server.ask("fill", user, "INBOX", 20, 7, 2_000)
    with mailkeep.Mailkeep.open(world.path()) as store:
        account = world.imap(store, user)
        world.sync(store, account)
        before = world.server.ask("imap", user, "secret")
        inbox = mailbox(store, account, "INBOX")
        rows = list(store.rows(inbox.id))
        ids = [row.id for row in rows]

        equal(store.set_flags(ids[:3], set=["\\Flagged", "todo"], clear=["\\Seen"]), 3)
        equal(store.replace_flags(ids[3:4], ["$Forwarded"]), 1)
        equal(store.move(ids[4:6], store.create_mailbox(account, "Archive")), 2)
        project = store.create_mailbox(account, "Pröject & more")
        copies = store.copy(ids[6:8], project)
        equal(len(copies), 2)
        equal(store.delete(ids[8:9]), 1)
        equal(store.expunge(ids[9:10]), 1)
        equal(store.archive(ids[10:11]), 1)
        local = store.create_mailbox(account, "Here only", local=True)
        equal(store.move(ids[11:12], local), 1)
        drafts = next((box.id for box in store.mailboxes(account) if box.role == mailkeep.Role.DRAFTS), None)
        drafts = drafts or store.create_mailbox(account, "Drafts", role=mailkeep.Role.DRAFTS)
        note = store.append(drafts, draft("first try"), ["\\Draft"])
        note = store.replace_draft(note, draft("second try"))
        store.rename_mailbox(project, "Projekte/Neu")

        shown = {row.id: row for row in store.rows(inbox.id)}
        assert all({"\\Flagged", "todo"} <= set(shown[id].flags) and "\\Seen" not in shown[id].flags for id in ids[:3])
        assert all(shown[id].pending for id in ids[:4])
        equal(len(shown), 14)
        kinds = {type(operation.kind).__name__.split(".")[-1] for operation in store.pending(account)}
        assert {"SET_FLAGS", "MOVE", "COPY", "APPEND", "CREATE_MAILBOX"} <= kinds, kinds
        equal(world.server.ask("imap", user, "secret"), before, "the server has heard nothing")

        summary = world.sync(store, account)
        assert summary.operations_replayed > 0
        equal(summary.operations_set_aside, 0)
        equal(store.pending(), [])

        there = world.server.ask("imap", user, "secret")
        by_hash = {}
        for row in there:
            by_hash.setdefault(row["sha256"], []).append(row)
        hashes = [row.sha256.hex() for row in rows]
        for sha256 in hashes[:3]:
            equal(len(by_hash[sha256]), 1)
            assert {"\\flagged", "todo"} <= set(by_hash[sha256][0]["flags"])
            assert "\\seen" not in by_hash[sha256][0]["flags"]
        equal(by_hash[hashes[3]][0]["flags"], ["$forwarded"])
        places = lambda sha256: sorted(row["mailbox"] for row in by_hash.get(sha256, []))
        for sha256 in hashes[4:6] + hashes[10:11]:
            equal(places(sha256), ["Archive"])
        for sha256 in hashes[6:8]:
            equal(places(sha256), ["INBOX", "Projekte/Neu"])
        equal(places(hashes[8]), ["Trash"])
        equal(places(hashes[9]), [])
        equal(places(hashes[11]), [], "what is kept here only")
        equal(store.raw(ids[11]) is not None, True)
        equal([row["mailbox"] for row in there if row["mailbox"] == "Drafts"], ["Drafts"], "one draft")
        equal(store.message(note).row.subject, "second try")
        equal(world.sync(store, account).operations_replayed, 0)
        equal(store.verify().problems, [])


@case("take-back")
def take_back(world):
    user = world.server.user()
    world.server.ask("fill", user, "INBOX", 3, 8, 1_000)
    with mailkeep.Mailkeep.open(world.path()) as store:
        account = world.imap(store, user)
        world.sync(store, account)
        before = world.server.ask("imap", user, "secret")
        inbox = mailbox(store, account, "INBOX")
        rows = list(store.rows(inbox.id))
        store.set_flags([rows[0].id], set=["later"])
        store.expunge([rows[1].id])
        equal(len(store.pending()), 2)
        for operation in store.pending():
            assert operation.state.is_WAITING()
            store.cancel_operation(operation.id)
        equal(store.pending(), [])
        after = list(store.rows(inbox.id))
        equal(after, rows)
        world.sync(store, account)
        equal(world.server.ask("imap", user, "secret"), before)
        error = raises(mailkeep.Gone, lambda: store.cancel_operation(1 << 40))
        equal(error.code, 200)


@case("change-feed")
def change_feed(world):
    user = world.server.user()
    world.server.ask("fill", user, "INBOX", 30, 9, 1_000)
    with mailkeep.Mailkeep.open(world.path()) as store:
        account = world.imap(store, user)
        screen = Screen(store)
        world.sync(store, account)
        inbox = mailbox(store, account, "INBOX").id
        screen.show(inbox)
        equal(len(screen.rows), 30)
        ids = [row.id for row in store.rows(inbox)]
        actions = [
            lambda: store.set_flags(ids[:5], set=["todo"]),
            lambda: store.delete(ids[3:9]),
            lambda: store.append(inbox, draft("new here")),
            lambda: store.mark_all_read(inbox),
            lambda: world.sync(store, account),
            lambda: store.empty_mailbox(inbox),
        ]
        for number, action in enumerate(actions):
            action()
            screen.follow()
            equal(screen.rows, {row.id: row for row in store.rows(inbox)}, f"after action {number}")
        equal(screen.rows, {})
        assert store.changes_since(1 << 50).is_TOO_OLD()


class Screen:
    """What a list on a screen does: reads once, then redraws only what the feed names."""

    def __init__(self, store):
        self.store, self.mailbox, self.rows, self.next = store, None, {}, 0

    def show(self, mailbox):
        self.mailbox = mailbox
        self.next = self.store.last_commit()
        self.rows = {row.id: row for row in self.store.rows(mailbox)}

    def follow(self):
        changes = self.store.changes_since(self.next)
        assert changes.is_SINCE()
        for change in changes.changes:
            if getattr(change, "message", None) is None or change.mailbox != self.mailbox:
                continue
            if change.is_MESSAGE_REMOVED():
                self.rows.pop(change.message, None)
                continue
            try:
                row = self.store.message(change.message).row
            except mailkeep.Gone:
                self.rows.pop(change.message, None)
                continue
            if row.mailbox == self.mailbox:
                self.rows[row.id] = row
        self.next = changes.next
