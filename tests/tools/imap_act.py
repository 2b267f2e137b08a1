#!/usr/bin/env python3
"""Another mail program at work: reads a JSON list of steps from standard input and does them one by one.

{"do": "append", "mailbox": M, "text": T, "flags": [F], "date": SECONDS}
{"do": "flags", "mailbox": M, "uids": [U], "add": [F], "remove": [F]}
{"do": "expunge" | "move" | "copy", "mailbox": M, "uids": [U], "to": M2}
{"do": "create" | "delete" | "subscribe" | "unsubscribe", "mailbox": M}
{"do": "rename", "mailbox": M, "to": M2}
Each step that the server refuses ends the run with an error."""

import argparse
import imaplib
import json
import sys
import time

from imap_common import arguments, checked, connect, quoted


class Actor:
    def __init__(self, connection):
        self.connection = connection
        self.selected = None

    def run(self, step):
        getattr(self, "do_" + step["do"])(step)

    def select(self, step):
        if self.selected != step["mailbox"]:
            checked(self.connection.select(quoted(step["mailbox"])), f"SELECT {step['mailbox']}")
            self.selected = step["mailbox"]
        return ",".join(str(u) for u in step["uids"])

    def close(self):
        """Leaves the mailbox without expunging anything: a mailbox in use is hard to rename or delete."""
        if self.selected is not None:
            checked(self.connection.unselect(), "UNSELECT")
            self.selected = None

    def uid(self, *command):
        return checked(self.connection.uid(*command), " ".join(str(c) for c in command))

    def do_append(self, step):
        date = imaplib.Time2Internaldate(step.get("date", time.time()))
        flags = "(" + " ".join(step.get("flags", [])) + ")"
        text = step["text"].encode()
        checked(self.connection.append(quoted(step["mailbox"]), flags, date, text), "APPEND")

    def do_flags(self, step):
        uids = self.select(step)
        for sign, key in (("+", "add"), ("-", "remove")):
            if step.get(key):
                self.uid("STORE", uids, f"{sign}FLAGS", "(" + " ".join(step[key]) + ")")

    def do_expunge(self, step):
        uids = self.select(step)
        self.uid("STORE", uids, "+FLAGS", "(\\Deleted)")
        self.uid("EXPUNGE", uids)

    def do_move(self, step):
        self.uid("MOVE", self.select(step), quoted(step["to"]))

    def do_copy(self, step):
        self.uid("COPY", self.select(step), quoted(step["to"]))

    def do_create(self, step):
        checked(self.connection.create(quoted(step["mailbox"])), "CREATE")

    def do_delete(self, step):
        self.close()
        checked(self.connection.delete(quoted(step["mailbox"])), "DELETE")

    def do_rename(self, step):
        self.close()
        checked(self.connection.rename(quoted(step["mailbox"]), quoted(step["to"])), "RENAME")

    def do_subscribe(self, step):
        checked(self.connection.subscribe(quoted(step["mailbox"])), "SUBSCRIBE")

    def do_unsubscribe(self, step):
        checked(self.connection.unsubscribe(quoted(step["mailbox"])), "UNSUBSCRIBE")


def main():
    args = arguments(argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter))
    connection = connect(args)
    if "MOVE" not in imaplib.Commands:
        imaplib.Commands["MOVE"] = ("SELECTED",)
    actor = Actor(connection)
    for number, step in enumerate(json.load(sys.stdin), 1):
        try:
            actor.run(step)
        except imaplib.IMAP4.error as error:
            raise SystemExit(f"step {number} {step}: {error}")
    actor.close()
    connection.logout()


main()
