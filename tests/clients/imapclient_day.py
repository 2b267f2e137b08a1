#!/usr/bin/env python3
"""A day of a program on IMAPClient: imapclient_day.py PORT CA, with the user in IMAP_USER and the password in IMAP_PASSWORD.

INBOX holds twelve messages. Ends with an error at the first answer that is not what it must be."""

import datetime
import os
import ssl
import sys
import threading

from imapclient import SEEN, IMAPClient


def connect(port, context=None):
    client = IMAPClient("localhost", port, ssl=False, timeout=30)
    if context:
        client.starttls(context)
    client.login(os.environ["IMAP_USER"], os.environ["IMAP_PASSWORD"])
    return client


def main():
    port, ca = int(sys.argv[1]), sys.argv[2]
    client = connect(port, ssl.create_default_context(cafile=ca))
    other = connect(port)
    assert client.id_({"name": "test"}), "the server says who it is"
    assert client.namespace().personal, "there is a personal namespace"

    # Mailboxes, with names that must be encoded.
    client.create_folder("Größe/Æ & Ø")
    client.subscribe_folder("Größe/Æ & Ø")
    names = [name for _, _, name in client.list_folders()]
    assert "Größe/Æ & Ø" in names and "INBOX" in names, names
    assert "Größe/Æ & Ø" in [name for _, _, name in client.list_sub_folders()]
    client.unsubscribe_folder("Größe/Æ & Ø")
    assert "Größe/Æ & Ø" not in [name for _, _, name in client.list_sub_folders()]
    client.rename_folder("Größe/Æ & Ø", "Ablage")
    assert client.folder_exists("Ablage") and not client.folder_exists("Größe/Æ & Ø")

    # Reading.
    chosen = client.select_folder("INBOX")
    assert chosen[b"EXISTS"] == 12 and chosen[b"UIDNEXT"] == 13, chosen
    status = client.folder_status("Ablage", ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN"])
    assert status[b"MESSAGES"] == 0, status
    rows = client.fetch("1:*", ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[]"])
    assert sorted(rows) == list(range(1, 13))
    for row in rows.values():
        assert row[b"RFC822.SIZE"] == len(row[b"BODY[]"])
        assert row[b"ENVELOPE"].message_id and row[b"BODYSTRUCTURE"]

    # Finding.
    given = datetime.datetime(2021, 3, 4, 5, 6, 7, tzinfo=datetime.timezone.utc)
    text = "Subject: =?utf-8?q?Z=C3=BCrich?=\r\nFrom: anna@b.example\r\nMIME-Version: 1.0\r\n" \
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüezi mitenand.\r\n"
    answer = client.append("INBOX", text.encode(), flags=["\\Flagged", "Reise"], msg_time=given)
    assert b"APPENDUID" in answer, answer
    assert client.search(["SUBJECT", "zürich"], charset="UTF-8") == [13]
    assert client.search(["TEXT", "grüezi"], charset="UTF-8") == [13]
    assert client.search(["KEYWORD", "Reise", "SINCE", datetime.date(2021, 3, 4)]) == [13]
    assert client.search(["NOT", ["UID", "3:13"]]) == [1, 2]
    assert client.sort("REVERSE ARRIVAL")[0] == 13
    assert sorted(uid for thread in client.thread() for uid in flat(thread)) == list(range(1, 14))

    # Flags.
    assert client.add_flags([2, 3], [SEEN, "Later"])[2]
    assert b"Later" in client.get_flags([3])[3]
    client.remove_flags([3], ["Later"])
    assert b"Later" not in client.get_flags([3])[3]
    client.set_flags([4], [b"\\Answered"], silent=True)
    assert set(client.get_flags([4])[4]) - {b"\\Recent"} == {b"\\Answered"}

    # Idle, while another connection writes.
    client.idle()
    writer = threading.Thread(target=lambda: other.append("INBOX", b"Subject: new\r\n\r\nNew.\r\n"))
    writer.start()
    told = []
    while (14, b"EXISTS") not in told:
        came = client.idle_check(timeout=30)
        assert came, f"nothing came while idle but {told}"
        told += came
    writer.join()
    client.idle_done()

    # Moving and deleting.
    client.copy([1], "Ablage")
    client.move([13], "Ablage")
    client.delete_messages([5, 6])
    client.uid_expunge([5])
    assert client.search("DELETED") == [6]
    client.expunge()
    other.select_folder("Ablage", readonly=True)
    moved = other.fetch([2], ["INTERNALDATE", "BODY[]", "FLAGS"])[2]
    assert moved[b"BODY[]"] == text.encode() and b"Reise" in moved[b"FLAGS"], moved
    assert moved[b"INTERNALDATE"].timestamp() == given.timestamp()
    client.logout()
    other.logout()


def flat(thread):
    for item in thread:
        yield from flat(item) if isinstance(item, tuple) else [item]


main()
