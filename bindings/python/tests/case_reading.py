"""What comes from servers: IMAP, POP3, parts."""

import mailkeep
from harness import case, equal, mailbox, ordered, seen

ATTACHED = bytes(range(256)) * 300


def with_attachment():
    import base64

    lines = base64.encodebytes(ATTACHED).replace(b"\n", b"\r\n")
    return (
        b"From: a@example.org\r\nSubject: attached\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n--b\r\nContent-Type: application/octet-stream\r\n"
        b'Content-Disposition: attachment; filename="all octets.bin"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        + lines
        + b"--b--\r\n"
    )


@case("offline-sync")
def offline_sync(world):
    user = world.server.user()
    world.server.ask("fill", user, "INBOX", 120, 3, 5_000)
    world.server.ask("fill", user, "Lists/Deep er", 30, 4, 3_000)
    there = world.server.ask("imap", user, "secret")
    equal(len(there), 150)
    path = world.path()
    with mailkeep.Mailkeep.open(path) as store:
        account = world.imap(store, user)
        summary = world.sync(store, account)
        equal(summary.messages_added, 150)
        equal(world.sync(store, account).messages_added, 0, "a second sync")
    world.server.ask("stop")
    try:
        with mailkeep.Mailkeep.open(path, create=False) as store:
            equal(seen(store, account), ordered(there))
            equal(store.verify().problems, [])
    finally:
        world.server.ask("start")


@case("pop3")
def pop3(world):
    user = world.server.user()
    world.server.ask("fill", user, "INBOX", 25, 5, 4_000)
    there = sorted(world.server.ask("pop3", user, "secret").values())
    with mailkeep.Mailkeep.open(world.path()) as store:
        account = world.pop3(store, user)
        equal(world.sync(store, account).messages_added, 25)
        inbox = mailbox(store, account, "INBOX")
        equal(inbox.kind, mailkeep.MailboxKind.POP_INBOX)
        rows = list(store.rows(inbox.id))
        # The maildrop as poplib sees it has CRLF at the end of each line, as what is kept here has.
        equal(sorted(row.sha256.hex() for row in rows), there)
        equal(store.retention_plan(account), [])
        equal(world.sync(store, account).messages_added, 0)

        settings = store.account(account).settings
        settings.keep = mailkeep.Keep.UNTIL_DELETED_HERE()
        store.update_account(account, settings)
        store.expunge([row.id for row in rows[:10]])
        plan = store.retention_plan(account)
        equal(len(plan), 10)
        assert all(entry.why.is_DELETED_HERE() and entry.uidl and entry.size > 0 for entry in plan)
        world.sync(store, account)
        left = sorted(world.server.ask("pop3", user, "secret").values())
        equal(left, sorted(row.sha256.hex() for row in rows[10:]))
        settings.keep = mailkeep.Keep.DELETE()
        store.update_account(account, settings)
        assert all(entry.why.is_HERE() for entry in store.retention_plan(account))
        world.sync(store, account)
        equal(world.server.ask("pop3", user, "secret"), {})
        equal(len(list(store.rows(inbox.id))), 15, "what was deleted there is here")
        equal(store.verify().problems, [])


@case("attachment")
def attachment(world):
    user = world.server.user()
    raw = with_attachment()
    world.server.deliver(user, "INBOX", raw)
    with mailkeep.Mailkeep.open(world.path()) as store:
        account = world.imap(store, user, bodies=mailkeep.BodyPolicy.ON_DEMAND())
        world.sync(store, account)
        row = next(store.rows(mailbox(store, account, "INBOX").id))
        equal((row.attachments, row.structured, row.sha256), (1, True, None))
        equal(store.raw(row.id), None)
        part = next(part for part in store.message(row.id).parts if part.is_attachment)
        equal((part.safe_file_name, part.media_type), ("all octets.bin", "application/octet-stream"))

        opened = []
        with world.connect(store, account) as connection:
            connection.fetch(row.id, part.number)
            connection.logout()
            connection.run(on_event=opened.append)
        equal(store.part(row.id, part.number), ATTACHED)
        equal(store.raw(row.id), None, "the rest was not brought")

        with world.connect(store, account) as connection:
            request = connection.fetch(row.id)
            connection.logout()
            connection.run(on_event=opened.append)
        assert any(event.is_OPENED() and (event.request, event.message) == (request, row.id) for event in opened)
        equal(b"".join(store.body(row.id, 1_000)), raw)
        equal(store.engine.body(row.id, len(raw) - 5, 100), raw[-5:])
        equal(store.engine.body(row.id, len(raw) + 5, 100), b"")
        equal(store.part(row.id, part.number), ATTACHED)
        equal(store.part(row.id, "7"), None)
        evicted = store.evict_bodies(0)
        equal((evicted.messages, evicted.octets), (1, len(raw)))
        equal(store.raw(row.id), None)
