#!/usr/bin/env python3
"""Prints what a user's mailboxes hold, one JSON object a line: first a mailbox (mailbox, uidvalidity, messages), then its messages
(mailbox, uid, flags, size, internal_date in seconds since 1970, sha256 of the raw message)."""

import argparse
import calendar
import datetime
import hashlib
import json
import re

from imap_common import arguments, checked, connect, mailboxes, quoted

CHUNK = 200
ITEMS = "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"


def seconds(text):
    moment = datetime.datetime.strptime(text.strip(), "%d-%b-%Y %H:%M:%S %z")
    return calendar.timegm(moment.utctimetuple())


def rows(answer):
    """FETCH answers as (what stands outside the message, the message)."""
    open_row = None
    for item in answer:
        if isinstance(item, tuple):
            open_row = item
        elif item is not None and open_row:
            yield open_row[0] + b" " + item, open_row[1]
            open_row = None
        elif item is not None and (short := re.search(rb'BODY\[\] (?:NIL|"((?:[^"\\]|\\.)*)")', item)):
            # A short message may come as a quoted string, an empty one as NIL.
            yield item.replace(short.group(0), b""), re.sub(rb"\\(.)", rb"\1", short.group(1) or b"")


def without(header, text):
    """A message less one header field, which must not be folded; the field that some clients mark what they carry with."""
    if header is None:
        return text
    head, gap, body = text.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(header.lower().encode() + b":")]
    return b"\r\n".join(lines) + gap + body


def messages(connection, count, header):
    for first in range(1, count + 1, CHUNK):
        last = min(first + CHUNK - 1, count)
        for outside, body in rows(checked(connection.fetch(f"{first}:{last}", ITEMS), "FETCH")):
            number = re.search(rb"UID (\d+)", outside)
            flags = re.search(rb"FLAGS \(([^)]*)\)", outside)
            date = re.search(rb'INTERNALDATE "([^"]*)"', outside)
            size = re.search(rb"RFC822\.SIZE (\d+)", outside)
            if not (number and flags and date and size):
                raise SystemExit(f"FETCH answer not understood: {outside!r}")
            yield {
                "uid": int(number.group(1)),
                "flags": sorted(f for f in flags.group(1).decode().split() if f.lower() != "\\recent"),
                "size": int(size.group(1)),
                "internal_date": seconds(date.group(1).decode()),
                "sha256": hashlib.sha256(without(header, body)).hexdigest(),
            }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without", metavar="HEADER", help="leave this header field out of what is hashed")
    args = arguments(parser)
    connection = connect(args)
    for name in mailboxes(connection):
        count = int(checked(connection.select(quoted(name), readonly=True), f"EXAMINE {name}")[0])
        validity = int(connection.response("UIDVALIDITY")[1][0])
        print(json.dumps({"mailbox": name, "uidvalidity": validity, "messages": count}))
        seen = 0
        for row in messages(connection, count, args.without):
            seen += 1
            print(json.dumps({"mailbox": name, **row}))
        if seen != count:
            raise SystemExit(f"{name}: {count} messages announced, {seen} read")
    connection.logout()


main()
