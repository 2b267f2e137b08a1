"""The fixture store reads as it does in Rust."""

import enum
import hashlib
import json
import re
import shutil

import mailkeep
from harness import case, equal

PAGE = 37
CHUNK = 1_000
BEFORE = 1_768_780_800_000


def plain(value):
    """A value of the API as JSON has it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, list):
        return [plain(one) for one in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    fields = {name: plain(one) for name, one in vars(value).items()}
    variant = re.match(r"\w+\.([A-Z0-9_]+)$", type(value).__qualname__) or re.match(r"\w+\.([A-Z0-9_]+)$", type(value).__name__)
    return {"is": variant.group(1), **fields} if variant else fields


def digest(octets):
    if octets is None:
        return None
    return {"octets": len(octets), "sha256": hashlib.sha256(octets).hexdigest()}


def text_digest(text):
    return None if text is None else digest(text.encode())


def message(store, id):
    found = store.message(id)
    chunks = store.body(id, CHUNK)
    return {
        "message": plain(found),
        "raw": None if chunks is None else digest(b"".join(chunks)),
        "text": text_digest(store.text(id)),
        "html": text_digest(store.html(id)),
        "contents": [digest(store.part(id, part.number)) for part in found.parts],
    }


def pages(store, mailbox):
    """All pages, each read packed and as records."""
    cursor = None
    while True:
        page = store.page(mailbox, cursor, PAGE)
        equal(store.engine.messages(mailbox, cursor, PAGE), page, "records and packed rows")
        yield page.rows
        cursor = page.next
        if cursor is None:
            return


def readout(store):
    read = {"accounts": [], "mailboxes": [], "pages": [], "messages": [], "archive": []}
    for account in store.accounts():
        read["accounts"].append(plain(account))
        for mailbox in store.mailboxes(account.id):
            read["mailboxes"].append(plain(mailbox))
            for rows in pages(store, mailbox.id):
                read["messages"] += [message(store, row.id) for row in rows]
                read["pages"].append({"mailbox": mailbox.id, "rows": plain(rows)})
        rule = mailkeep.ArchiveRule.RECEIVED_BEFORE(before_ms=BEFORE)
        read["archive"] += plain(store.plan_archive(account.id, rule))
    read["pending"] = plain(store.pending())
    read["changes"] = plain(store.changes_since(0))
    read["new_mail"] = store.new_mail(1_000)
    read["stats"] = plain(store.stats())
    read["verify"] = plain(store.verify())
    read["incarnation"] = store.incarnation
    return read


@case("fixture")
def fixture(world):
    path = world.path()
    shutil.copy(world.fixture / "mail.redb", path)
    wanted = json.loads((world.fixture / "readout.json").read_text())
    with mailkeep.Mailkeep.open(path, create=False) as store:
        read = readout(store)
    for name in wanted:
        if isinstance(wanted[name], list):
            for at, (mine, theirs) in enumerate(zip(read[name], wanted[name])):
                equal(mine, theirs, f"{name} {at}")
    equal(read, wanted, "the whole")
    assert len(read["messages"]) > 300
