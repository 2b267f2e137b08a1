#!/usr/bin/env python3
"""Fills a Maildir with the first COUNT messages of the real corpus, spread over a few mailboxes."""

import argparse
import email.utils
import itertools
import json
import os
import pathlib
import re
import time

MAILBOXES = {"easy-ham-1": "", "easy-ham-2": ".Lists", "hard-ham-1": ".News", "spam-1": ".Junk", "spam-2": ".Junk.Older"}


def sent(text, fallback):
    """When a message was sent, by its own header; some lie too badly to be taken."""
    header = re.search(rb"^Date:\s*(.*)$", text, re.M | re.I)
    parsed = email.utils.parsedate_tz(header.group(1).decode("latin-1")) if header else None
    try:
        moment = email.utils.mktime_tz(parsed) if parsed else fallback
    except (ValueError, OverflowError):
        return fallback
    return moment if 0 < moment < time.time() else fallback


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=pathlib.Path, help="the folder that holds file_list.json")
    parser.add_argument("maildir", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=2000)
    args = parser.parse_args()
    groups = {}
    for name in sorted(json.loads((args.corpus / "file_list.json").read_bytes())):
        groups.setdefault(name.split("/")[0], []).append(name)
    # One of each group in turn, so that a small count fills every mailbox.
    turns = itertools.chain.from_iterable(itertools.zip_longest(*groups.values()))
    names = list(itertools.islice(filter(None, turns), args.count))
    for folder in MAILBOXES.values():
        for part in ("cur", "new", "tmp"):
            (args.maildir / folder / part).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        text = (args.corpus / name).read_bytes()
        if text.startswith(b"From "):
            text = text.split(b"\n", 1)[1]
        flags = ("", "S", "S", "RS", "FS")[number % 5]
        file = args.maildir / MAILBOXES[name.split("/")[0]] / "cur" / f"{10**9 + number}.M1P1.mailkeep:2,{flags}"
        file.write_bytes(text)
        moment = sent(text, 10**9 + number)
        os.utime(file, (moment, moment))
    print(f"{len(names)} messages in {len(MAILBOXES)} mailboxes")


main()
