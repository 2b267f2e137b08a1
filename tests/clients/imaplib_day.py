#!/usr/bin/env python3
"""A day of a program on Python's imaplib: imaplib_day.py PORT CA, with the user in IMAP_USER and the password in IMAP_PASSWORD.

INBOX holds twelve messages. Ends with an error at the first answer that is not what it must be."""

import imaplib
import os
import socket
import ssl
import sys
import time


def ok(answer):
    kind, data = answer
    assert kind == "OK", (kind, data)
    return data


def names_of(answer):
    """The names that LIST or LSUB tells of."""
    return {line.split(b' "/" ')[1].strip(b'"') for line in ok(answer)}


def connect(port, context=None):
    connection = imaplib.IMAP4("localhost", port, timeout=30)
    if context:
        ok(connection.starttls(context))
    ok(connection.login(os.environ["IMAP_USER"], os.environ["IMAP_PASSWORD"]))
    return connection


def idle(connection, act):
    """Idles, lets `act` run when the server is listening, and gives the lines that came until one says EXISTS."""
    connection.send(b"I1 IDLE\r\n")
    assert connection.readline().startswith(b"+"), "the server takes IDLE"
    act()
    lines = []
    end = time.monotonic() + 30
    while not any(line.endswith(b" EXISTS\r\n") for line in lines):
        assert time.monotonic() < end, f"no EXISTS while idle: {lines}"
        lines.append(connection.readline())
    connection.send(b"DONE\r\n")
    while not (line := connection.readline()).startswith(b"I1 "):
        lines.append(line)
    assert line.startswith(b"I1 OK"), line
    return lines


def main():
    port, ca = int(sys.argv[1]), sys.argv[2]
    plain = connect(port)
    secure = connect(port, ssl.create_default_context(cafile=ca))
    capabilities = ok(secure.capability())[0].split()
    assert {b"IMAP4rev1", b"IDLE", b"UIDPLUS", b"MOVE", b"SORT"} <= set(capabilities), capabilities
    assert b"STARTTLS" not in capabilities, "it is encrypted"

    # Mailboxes.
    ok(plain.create("Work"))
    ok(plain.create('"Two words/Below"'))
    ok(plain.subscribe("Work"))
    assert b"Work" in names_of(plain.lsub())
    ok(plain.unsubscribe("Work"))
    assert b"Work" not in names_of(plain.lsub())
    ok(plain.rename("Work", "Done"))
    names = names_of(plain.list())
    assert names == {b"Done", b"INBOX", b"Two words", b"Two words/Below"}, names
    ok(plain.delete('"Two words/Below"'))
    ok(plain.delete('"Two words"'))

    # Reading.
    assert ok(plain.select("INBOX", readonly=True)) == [b"12"]
    text = ok(plain.fetch("3", "(BODY[])"))[0][1]
    ok(plain.close())
    assert ok(plain.select()) == [b"12"]
    flags = ok(plain.fetch("3", "(FLAGS)"))[0]
    assert b"\\Seen" not in flags or ok(plain.store("3", "-FLAGS", "(\\Seen)")), flags
    assert ok(plain.fetch("3", "(BODY.PEEK[])"))[0][1] == text
    assert b"\\Seen" not in ok(plain.fetch("3", "(FLAGS)"))[0]
    ok(plain.fetch("3", "(BODY[])"))
    assert b"\\Seen" in ok(plain.fetch("3", "(FLAGS)"))[0], "reading a body marks it read"

    # Finding.
    ok(plain.append("INBOX", "(\\Flagged invoice)", imaplib.Time2Internaldate(1_600_000_000),
                    b"Subject: Invoice 17\r\nFrom: billing@shop.example\r\n\r\nPlease pay.\r\n"))
    ok(plain.noop())
    for criteria in ('SUBJECT "invoice 17"', "KEYWORD invoice", 'FROM "shop.example" FLAGGED', 'BODY "please pay"',
                     "SINCE 13-Sep-2020 BEFORE 14-Sep-2020"):
        assert ok(plain.search(None, criteria)) == [b"13"], criteria
    assert ok(plain.uid("SEARCH", "UID", "13:*")) == [b"13"]
    assert ok(plain.sort("(SUBJECT)", "UTF-8", "KEYWORD invoice")) == [b"13"]

    # Idle, while the other connection writes, flags and expunges.
    ok(secure.select())
    new = b"Subject: while you were away\r\n\r\nHello.\r\n"
    lines = idle(plain, lambda: ok(secure.append("INBOX", "", None, new)))
    assert b"* 14 EXISTS\r\n" in lines, lines
    ok(secure.uid("STORE", "2", "+FLAGS", "(\\Answered)"))
    plain.response("FETCH")
    ok(plain.noop())
    seen = plain.response("FETCH")[1]
    assert any(line and b"\\Answered" in line for line in seen), seen

    # Moving and deleting.
    ok(plain.uid("COPY", "1", "Done"))
    imaplib.Commands.setdefault("MOVE", ("SELECTED",))
    ok(plain.uid("MOVE", "13", "Done"))
    ok(plain.uid("STORE", "1,5", "+FLAGS.SILENT", "(\\Deleted)"))
    ok(plain.uid("EXPUNGE", "1"))
    assert ok(plain.uid("SEARCH", "DELETED")) == [b"5"], "UID EXPUNGE took one"
    ok(plain.expunge())
    ok(secure.noop())
    assert ok(secure.uid("SEARCH", "ALL")) == [b"2 3 4 6 7 8 9 10 11 12 14"]
    ok(plain.unselect())
    plain.logout()
    secure.logout()


socket.setdefaulttimeout(30)
main()
