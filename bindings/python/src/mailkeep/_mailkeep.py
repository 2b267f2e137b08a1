"""A store of mail, open."""

from __future__ import annotations

import os
import secrets
import time
import weakref
from collections.abc import Iterable, Iterator
from typing import Callable, Optional, Union

from . import _ffi
from ._connection import Connection, dial
from ._ffi import (
    AccountInfo,
    AccountSettings,
    ArchiveEntry,
    ArchiveRule,
    Changes,
    Conversion,
    Credentials,
    Evicted,
    LeftoverAction,
    MailboxInfo,
    Message,
    MessagePage,
    MessageRow,
    Operation,
    PopServerInfo,
    Quota,
    RetentionEntry,
    Role,
    Security,
    ShrinkProgress,
    Stats,
    VerifyReport,
)
from ._packed import decode_page


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _seed() -> int:
    return secrets.randbits(64) - (1 << 63)


class _Wakes(_ffi.WakeListener):
    """Hands the engine's word that a connection has something to do to that connection."""

    def __init__(self, store: Mailkeep) -> None:
        self._store = weakref.ref(store)

    def woken(self) -> None:
        store = self._store()
        if store is not None:
            store._hand_on_wakes()


class Mailkeep:
    """A store of mail, open. Use it from as many threads as you like, and close it, best by `with`.

    Actions that a person takes are durable and shown when the call returns; a connection tells the server. Times are
    milliseconds since 1970.
    """

    def __init__(self, engine: _ffi.Engine) -> None:
        self.engine = engine
        self._connections: weakref.WeakValueDictionary[int, Connection] = weakref.WeakValueDictionary()
        engine.set_wake_listener(_Wakes(self))

    @classmethod
    def open(cls, path: Union[str, os.PathLike], *, create: bool = True, small: bool = False) -> Mailkeep:
        """Opens the database in a file. `small` takes less memory, as on a phone.

        Raises Locked where it is open already, here or in another process; NotADatabase, NewerSchema and Corrupt where
        the file cannot be used, and it is left as it is; Storage where it cannot be opened.
        """
        options = _ffi.small_options(_seed()) if small else _ffi.desktop_options(_seed())
        options.create = create
        return cls(_ffi.Engine.open(os.fspath(path), options))

    @classmethod
    def in_memory(cls) -> Mailkeep:
        """Opens a new store that goes when it is closed."""
        return cls(_ffi.Engine.in_memory(_ffi.small_options(_seed())))

    def __enter__(self) -> Mailkeep:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The store's life.

    def close(self) -> None:
        """Closes the store for good, its connections with it."""
        self.engine.shut_down()

    def reopen(self) -> None:
        """Opens the storage again after it failed and the cause is gone."""
        self.engine.reopen()

    def suspend(self) -> None:
        """Closes the file and gives its lock back; calls raise Suspended until `resume`."""
        self.engine.suspend()

    def resume(self) -> None:
        """Opens the file again after `suspend`."""
        self.engine.resume()

    def backup_to(self, path: Union[str, os.PathLike]) -> None:
        """Copies everything, as it is at this moment, into a file that is not there yet."""
        self.engine.backup_to(os.fspath(path), _seed())

    @property
    def incarnation(self) -> int:
        """The number that names this store, and no copy of it."""
        return self.engine.incarnation()

    # Accounts.

    def add_account(self, settings: AccountSettings) -> int:
        """Adds an account and gives its id; settings come from `imap_settings`, `pop3_settings` and `local_settings`."""
        return self.engine.add_account(settings)

    def update_account(self, account: int, settings: AccountSettings) -> None:
        """Changes an account's settings."""
        self.engine.update_account(account, settings)

    def remove_account(self, account: int) -> None:
        """Removes an account and its mail from this device."""
        self.engine.remove_account(account)

    def accounts(self) -> list[AccountInfo]:
        """All accounts."""
        return self.engine.accounts()

    def account(self, account: int) -> AccountInfo:
        """One account. Raises Gone."""
        for found in self.accounts():
            if found.id == account:
                return found
        raise _ffi.MailkeepError.Gone(200, "no such account")

    def quotas(self, account: int) -> list[Quota]:
        """What the server lets the account hold, as last heard."""
        return self.engine.quotas(account)

    def convert_account(self, account: int, settings: AccountSettings) -> None:
        """Points an account at another server that has the same mail; nothing that is met there is downloaded again."""
        self.engine.convert_account(account, settings, _now_ms())

    def conversion(self, account: int) -> Conversion:
        """How far an account's conversion has come."""
        return self.engine.conversion(account)

    def finish_conversion(self, account: int, action: LeftoverAction) -> int:
        """Ends a conversion, and says how many messages were sent on or kept."""
        return self.engine.finish_conversion(account, action, _now_ms())

    def connect(
        self,
        account: int,
        *,
        password: Optional[str] = None,
        credentials: Union[None, Credentials, Callable[[list[str]], Optional[Credentials]]] = None,
        secure: Optional[bool] = None,
        commit_thread: bool = False,
        timeout: float = 120.0,
        ca_file: Union[None, str, os.PathLike] = None,
    ) -> Connection:
        """Begins a connection for an account. `run` opens a socket where it is given none.

        Credentials are a password, `Credentials`, or a function that is given the mechanisms that the server offers and
        gives credentials, or None to decline. `secure` says that the transport will be TLS from its first byte; it follows
        from the account where it is not said. With `commit_thread` the socket never waits for the disk.
        """
        settings = self.account(account).settings
        if secure is None:
            secure = settings.security == Security.TLS
        options = _ffi.connection_options(secrets.token_bytes(32), secure)
        options.host_commits = commit_thread
        options.timeout_ms = int(timeout * 1000)
        if password is not None:
            credentials = Credentials.PASSWORD(user=settings.user, authzid=None, password=password)
        connection = Connection(self.engine.connect(account, options), credentials, lambda: dial(settings, ca_file), settings)
        self._connections[connection.id] = connection
        return connection

    def _hand_on_wakes(self) -> None:
        while (id := self.engine.poll_wake()) is not None:
            connection = self._connections.get(id)
            if connection is not None:
                connection._woken()

    # What is here.

    def mailboxes(self, account: int) -> list[MailboxInfo]:
        """An account's mailboxes, in the order in which they came to be known."""
        return self.engine.mailboxes(account)

    def mailbox(self, mailbox: int) -> MailboxInfo:
        """One mailbox. Raises Gone."""
        return self.engine.mailbox(mailbox)

    def page(self, mailbox: int, after: Optional[bytes] = None, limit: int = 50) -> MessagePage:
        """A page of a mailbox's messages, newest first, from behind the cursor of the page before."""
        return decode_page(self.engine.messages_packed(mailbox, after, limit))

    def rows(self, mailbox: int, page: int = 200) -> Iterator[MessageRow]:
        """All messages of a mailbox, newest first, read page by page while you go through them."""
        cursor = None
        while True:
            found = self.page(mailbox, cursor, page)
            yield from found.rows
            cursor = found.next
            if cursor is None:
                return

    def message(self, message: int) -> Message:
        """One message with its addresses and parts. Raises Gone."""
        return self.engine.message(message)

    def body(self, message: int, chunk: int = 1 << 16) -> Optional[Iterator[bytes]]:
        """The raw message in chunks, or None where it is not here; `Connection.fetch` brings it."""
        first = self.engine.body(message, 0, chunk)
        return None if first is None else self._chunks(message, first, chunk)

    def _chunks(self, message: int, first: bytes, chunk: int) -> Iterator[bytes]:
        offset, octets = 0, first
        while octets:
            yield octets
            offset += len(octets)
            if len(octets) < chunk:
                return
            # A message that went meanwhile raises Gone.
            octets = self.engine.body(message, offset, chunk) or b""

    def raw(self, message: int) -> Optional[bytes]:
        """The raw message whole, or None where it is not here."""
        chunks = self.body(message, 1 << 20)
        return None if chunks is None else b"".join(chunks)

    def text(self, message: int) -> Optional[str]:
        """The text of a message for reading, or None where it is not here."""
        return self.engine.text(message)

    def html(self, message: int) -> Optional[str]:
        """The HTML of a message as it was sent: not safe to show without a sandbox."""
        return self.engine.html(message)

    def part(self, message: int, number: str) -> Optional[bytes]:
        """A part of a message by its number, decoded, or None where it is not here."""
        return self.engine.part(message, number)

    def changes_since(self, commit: int) -> Changes:
        """What changed since a commit: what a screen that missed events must draw again."""
        return self.engine.changes_since(commit)

    def last_commit(self) -> int:
        """Where a screen that reads everything now asks the change feed from next."""
        return self.engine.last_commit()

    def new_mail(self, limit: int = 100) -> list[int]:
        """New mail that nobody has acknowledged, oldest first."""
        return self.engine.new_mail(limit)

    def acknowledge_new_mail(self, messages: Iterable[int]) -> None:
        """The person has been told of these: they are new no more."""
        self.engine.acknowledge_new_mail(list(messages))

    # What a person does.

    def set_flags(self, messages: Iterable[int], set: Iterable[str] = (), clear: Iterable[str] = ()) -> int:
        """Sets and clears flags and keywords by their spelling on the wire, and says on how many messages."""
        return self.engine.set_flags(list(messages), list(set), list(clear), _now_ms())

    def replace_flags(self, messages: Iterable[int], flags: Iterable[str]) -> int:
        """Gives messages these flags and keywords and no others."""
        return self.engine.replace_flags(list(messages), list(flags), _now_ms())

    def move(self, messages: Iterable[int], to: int) -> int:
        """Moves messages to another mailbox; to one of another account a copy is sent first, and its body has to be here."""
        return self.engine.move_messages(list(messages), to, _now_ms())

    def copy(self, messages: Iterable[int], to: int) -> list[int]:
        """Copies messages, and gives the copies' ids."""
        return self.engine.copy_messages(list(messages), to, _now_ms())

    def delete(self, messages: Iterable[int]) -> int:
        """Deletes messages: into the Trash; out of the Trash and Junk, for good."""
        return self.engine.delete_messages(list(messages), _now_ms())

    def expunge(self, messages: Iterable[int]) -> int:
        """Deletes messages for good, wherever they are."""
        return self.engine.expunge_messages(list(messages), _now_ms())

    def archive(self, messages: Iterable[int]) -> int:
        """Moves messages to the account's archive."""
        return self.engine.archive_messages(list(messages), _now_ms())

    def append(self, to: int, raw: bytes, flags: Iterable[str] = (), received_ms: Optional[int] = None) -> int:
        """Puts an RFC 5322 message from this device into a mailbox, and gives its id."""
        return self.engine.append(to, bytes(raw), list(flags), received_ms, _now_ms())

    def replace_draft(self, message: int, raw: bytes, flags: Iterable[str] = ("\\Draft",)) -> int:
        """Saves a draft again: the newer version stands in the place of the older."""
        return self.engine.replace_draft(message, bytes(raw), list(flags), None, _now_ms())

    def mark_all_read(self, mailbox: int) -> int:
        """Marks everything read that is in a mailbox now."""
        return self.engine.mark_all_read(mailbox, _now_ms())

    def empty_mailbox(self, mailbox: int) -> int:
        """Deletes everything for good that is in a mailbox now."""
        return self.engine.empty_mailbox(mailbox, _now_ms())

    def create_mailbox(self, account: int, name: str, *, local: bool = False, role: Optional[Role] = None) -> int:
        """Makes a mailbox by its full name, on the server or on this device only, and gives its id."""
        return self.engine.create_mailbox(account, name, local, role, _now_ms())

    def rename_mailbox(self, mailbox: int, name: str) -> None:
        """Gives a mailbox another full name."""
        self.engine.rename_mailbox(mailbox, name, _now_ms())

    def delete_mailbox(self, mailbox: int) -> None:
        """Deletes a mailbox and what is in it."""
        self.engine.delete_mailbox(mailbox, _now_ms())

    def subscribe(self, mailbox: int, on: bool = True) -> None:
        """Subscribes to a mailbox, or no longer."""
        self.engine.subscribe(mailbox, on, _now_ms())

    def choose_role(self, mailbox: int, role: Optional[Role]) -> None:
        """Says what a mailbox is for, whatever the server says."""
        self.engine.choose_role(mailbox, role)

    def take_servers_role(self, mailbox: int) -> None:
        """Goes back to the server's word on what a mailbox is for."""
        self.engine.take_servers_role(mailbox)

    def pending(self, account: Optional[int] = None) -> list[Operation]:
        """What was done and no server has confirmed, oldest first."""
        return self.engine.pending(account)

    def cancel_operation(self, operation: int) -> None:
        """Takes an operation back that waits, or forgets one that was set aside."""
        self.engine.cancel_operation(operation, _now_ms())

    def retry_operation(self, operation: int) -> None:
        """Tries an operation again that was set aside."""
        self.engine.retry_operation(operation, _now_ms())

    # Room and upkeep.

    def retention_plan(self, account: int, now_ms: Optional[int] = None) -> list[RetentionEntry]:
        """What the next sync of a POP3 account would delete from its server, and why. Nothing is done."""
        return self.engine.retention_plan(account, _now_ms() if now_ms is None else now_ms)

    def pop_server(self, account: int) -> PopServerInfo:
        """What a POP3 account's server said of how it keeps mail."""
        return self.engine.pop_server(account)

    def plan_archive(self, account: int, rule: ArchiveRule) -> list[ArchiveEntry]:
        """What a rule would take from the server, oldest first. Nothing is done."""
        return self.engine.plan_archive(account, rule)

    def evict_bodies(self, budget: int) -> Evicted:
        """Lets go of bodies until those left take at most `budget` octets, in steps: call it until there is no more."""
        return self.engine.evict_bodies(budget)

    def shrink(self, octets: int = 32 << 20) -> ShrinkProgress:
        """Compresses some bodies; call it until it is done, then `compact`."""
        return self.engine.shrink(octets)

    def compact(self) -> bool:
        """Gives unused space back; nothing else runs meanwhile."""
        return self.engine.compact()

    def verify(self) -> VerifyReport:
        """Reads everything and says what is not as it should be."""
        return self.engine.verify()

    def stats(self) -> Stats:
        """Figures about the store."""
        return self.engine.stats()


