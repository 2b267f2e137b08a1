"""What the cases share: the list of them, a mail server, stores in a scratch folder."""

import base64
import json
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import threading

import mailkeep

CASES = {}


def case(name):
    """Names the case of tests/cases/cases.json that a function is."""

    def register(function):
        assert name not in CASES, f"{name} twice"
        CASES[name] = function
        return function

    return register


class Server:
    """A private Dovecot: the program `mail_server` at the other end of a pipe."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lock = threading.Lock()
        self.users = 0
        for name, value in json.loads(self._line()).items():
            setattr(self, name, value)

    def _line(self):
        line = self.process.stdout.readline()
        assert line, "the mail server is gone"
        return line

    def ask(self, *words):
        with self.lock:
            self.process.stdin.write(" ".join(str(word).replace(" ", "%20") for word in words) + "\n")
            self.process.stdin.flush()
            return json.loads(self._line())

    def user(self):
        """A new user, whose password is `secret`."""
        self.users += 1
        name = f"user{self.users}"
        self.ask("user", name, "secret")
        return name

    def deliver(self, user, mailbox, raw, date=1_700_000_000):
        self.ask("deliver", user, mailbox, date, base64.b64encode(raw).decode())

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


class World:
    """A server, and a folder for stores."""

    def __init__(self, fixture, program):
        self.fixture = fixture
        self.server = Server(program)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mailkeep-python-"))
        self.stores = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()
        shutil.rmtree(self.folder)

    def path(self):
        self.stores += 1
        return self.folder / f"store{self.stores}.redb"

    def imap(self, store, user, **settings):
        """An IMAP account over TLS."""
        return self._account(store, mailkeep.imap_settings(user, "localhost", user), self.server.imaps, settings)

    def pop3(self, store, user, **settings):
        """A POP3 account over TLS."""
        return self._account(store, mailkeep.pop3_settings(user, "localhost", user), self.server.pop3s, settings)

    def _account(self, store, account, port, settings):
        account.port = port
        for name, value in settings.items():
            setattr(account, name, value)
        return store.add_account(account)

    def connect(self, store, account, password="secret", **options):
        return store.connect(account, password=password, ca_file=self.server.ca, **options)

    def sync(self, store, account, **wishes):
        with self.connect(store, account) as connection:
            return connection.sync_now(**wishes)

    def tls(self):
        context = ssl.create_default_context()
        context.load_verify_locations(self.server.ca)
        return context


def mailbox(store, account, name):
    return next(found for found in store.mailboxes(account) if found.name == name)


def raises(kind, act):
    """The error of a kind that a call raises."""
    try:
        act()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def equal(found, wanted, what=""):
    assert found == wanted, f"{what}: {found!r} where {wanted!r} is wanted"


def seen(store, account):
    """What a store has of an account, as the server's own reader tells it."""
    import hashlib

    rows = []
    for box in store.mailboxes(account):
        if box.kind == mailkeep.MailboxKind.LOCAL:
            continue
        for row in store.rows(box.id):
            raw = store.raw(row.id)
            assert raw is not None, f"{row.subject!r} is not here"
            rows.append(
                {
                    "mailbox": box.name,
                    "uid": row.uid,
                    "flags": sorted(flag.lower() for flag in row.flags),
                    "size": row.size,
                    "internal_date": row.internal_date // 1000,
                    "sha256": hashlib.sha256(raw).hexdigest(),
                }
            )
    return ordered(rows)


def ordered(rows):
    return sorted(rows, key=lambda row: (row["mailbox"], row["uid"]))
