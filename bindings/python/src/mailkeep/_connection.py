"""One connection, and the loop that moves its bytes over a socket of Python's."""

from __future__ import annotations

import os
import queue
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from typing import Callable, Optional, Union

from . import _ffi
from ._errors import disconnected
from ._ffi import AccountSettings, BodyPolicy, Credentials, Event, Security, Step, SyncSummary

_READ = 1 << 16
_ANSWERS = Union[None, Credentials, Callable[[list[str]], Optional[Credentials]]]


def dial(settings: AccountSettings, ca_file: Union[None, str, os.PathLike] = None, timeout: float = 30.0) -> socket.socket:
    """Opens a socket to an account's server, with TLS where the account has it from the first byte.

    Raises OSError, of which ssl.SSLError is one. `ca_file` is an authority besides the system's, in PEM.
    """
    raw = socket.create_connection((settings.host, settings.port), timeout)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if settings.security != Security.TLS:
        return raw
    return _context(ca_file).wrap_socket(raw, server_hostname=settings.host)


def _context(ca_file: Union[None, str, os.PathLike]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(os.fspath(ca_file))
    return context


class Connection:
    """One account's protocol over one transport.

    Say what is wanted (`sync`, `fetch`, `watch`, `logout`), on any thread and at any time; `run` moves the bytes on the
    thread that calls it until the connection ends. `step` is there for loops of your own.
    """

    def __init__(self, inner: _ffi.Connection, credentials: _ANSWERS, dialer: Callable[[], socket.socket], settings: AccountSettings) -> None:
        self.inner = inner
        self.id = inner.id()
        self.account = inner.account()
        self._credentials = credentials
        self._dial = dialer
        self._settings = settings
        self._begin = time.monotonic_ns()
        # One end is written to by whoever has something for the loop, the other wakes its wait.
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._wake = threading.Event()
        self._done: queue.SimpleQueue[_ffi.Commit] = queue.SimpleQueue()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the connection up, where it has not ended: what it has not committed is let go."""
        self.inner.give_up()
        self._ring()

    @property
    def is_closed(self) -> bool:
        """Whether the connection is of no more use."""
        return self.inner.is_closed()

    # Wishes. Each gives the id of its request, which events name.

    def sync(self, mailboxes: Optional[Iterable[int]] = None, bodies: Optional[BodyPolicy] = None) -> int:
        """Bring the account, or these of its mailboxes, into step with the server."""
        return self._wished(self.inner.sync(None if mailboxes is None else list(mailboxes), bodies))

    def fetch(self, message: int, part: Optional[str] = None) -> int:
        """Bring one message here whole, or one part of it."""
        wish = self.inner.fetch(message) if part is None else self.inner.fetch_part(message, part)
        return self._wished(wish)

    def watch(self, mailboxes: Iterable[int]) -> int:
        """Watch mailboxes whenever nothing else is to be done, and keep them in step."""
        return self._wished(self.inner.watch(list(mailboxes)))

    def stop_watching(self) -> None:
        """Watch no longer."""
        self.inner.stop_watching()
        self._ring()

    def logout(self) -> int:
        """Sign out and close, when everything asked before is done."""
        return self._wished(self.inner.logout())

    def cancel(self, request: int) -> None:
        """Takes a request back, at the next point where nothing is lost by it. Never waits for a step in progress."""
        self.inner.cancel(request)
        self._ring()

    def _wished(self, request: int) -> int:
        self._ring()
        return request

    def _woken(self) -> None:
        self._wake.set()
        self._ring()

    def _ring(self) -> None:
        try:
            self._bell.send(b"!")
        except (BlockingIOError, OSError):
            # It rings already, or nobody listens any more.
            pass

    # The clock as the engine wants it.

    def now(self) -> tuple[int, int]:
        """Milliseconds of a clock that never goes back, and since 1970."""
        return (time.monotonic_ns() - self._begin) // 1_000_000, time.time_ns() // 1_000_000

    def step(self, octets: bytes = b"", limit: int = 0) -> Step:
        """The one call of the run loop, at this moment: see the engine's `Connection.step`."""
        return self.inner.step(octets, *self.now(), limit)

    # The loop.

    def sync_now(self, mailboxes: Optional[Iterable[int]] = None, bodies: Optional[BodyPolicy] = None) -> SyncSummary:
        """Syncs, signs out, and gives what the sync did: the whole of it in one call.

        Raises what went wrong, in the sync or with the connection.
        """
        request = self.sync(mailboxes, bodies)
        self.logout()
        outcome: list[Event] = []
        self.run(on_event=lambda event: outcome.append(event) if _is_done(event, request) else None)
        if not outcome:
            raise disconnected("the connection ended before the sync did")
        if outcome[0].error is not None:
            raise outcome[0].error
        return outcome[0].summary

    def run(
        self,
        sock: Optional[socket.socket] = None,
        on_event: Optional[Callable[[Event], object]] = None,
        *,
        tls: Optional[ssl.SSLContext] = None,
        limit: int = 0,
    ) -> None:
        """Moves bytes between the engine and a socket, on this thread, until the connection ends.

        The socket may be TLS or not, and is closed at the end; where there is none, one is opened to the account's server. Every event
        is given to `on_event`; an exception from there ends the loop. `tls` is used where STARTTLS is wanted. `limit` is
        about how many octets the engine takes at once.

        Raises the error that the connection ended with, and OSError where the network fails.
        """
        loop = _Loop(self, sock if sock is not None else self._dial(), on_event, tls, limit)
        try:
            loop.run()
        finally:
            loop.end()

    def __del__(self) -> None:
        for end in ("_bell", "_ear"):
            if hasattr(self, end):
                getattr(self, end).close()


def _is_done(event: Event, request: int) -> bool:
    return event.is_DONE() and event.request == request


class _Loop:
    """One run of a connection over one socket."""

    def __init__(self, connection: Connection, sock: socket.socket, on_event: Optional[Callable[[Event], object]], tls: Optional[ssl.SSLContext], limit: int) -> None:
        self.connection = connection
        self.inner = connection.inner
        self.sock = sock
        self.on_event = on_event
        self.tls = tls
        self.limit = limit
        self.out = bytearray()
        self.rest = b""
        self.deadline: Optional[int] = None
        self.more = False
        self.ended = False
        self.error: Optional[Exception] = None
        self.committing = False
        self.closed = False
        sock.setblocking(False)

    def run(self) -> None:
        self._begin()
        while not (self.closed and not self.committing):
            self._turn()
        if self.error is not None:
            raise self.error

    def end(self) -> None:
        # A commit under way holds what came whole; it is waited for even where the loop failed.
        if self.committing:
            commit = self.connection._done.get()
            try:
                self.inner.step_commit(commit, *self.connection.now())
            except _ffi.MailkeepError:
                pass
        self._flush_quietly()
        self.sock.close()

    def _begin(self) -> None:
        binding = None
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.version() == "TLSv1.2":
            binding = self.sock.get_channel_binding("tls-unique")
        if binding:
            self._took(self.inner.step_tls("tls-unique", binding, *self.connection.now()))
        self._took(self.connection.step())

    def _turn(self) -> None:
        """One wait, and what it brings."""
        if self.connection._wake.is_set() and not self.closed:
            self.connection._wake.clear()
            self._took(self.inner.step_wake(*self.connection.now()))
            return
        while not self.connection._done.empty():
            self.committing = False
            self._took(self.inner.step_commit(self.connection._done.get(), *self.connection.now()))
        if self.closed:
            if self.committing:
                self._wait(reading=False)
            return
        stuck = self.more and self.committing
        if self.more and not stuck:
            self._feed(b"")
            return
        if self.ended and not stuck:
            self._took(self.inner.step_eof(*self.connection.now()))
            return
        self._wait(reading=not stuck and not self.ended)

    def _wait(self, reading: bool) -> None:
        rung = False
        if not (reading and self._has_read()):
            left = None
            if self.deadline is not None and not self.closed:
                left = max(0.0, (self.deadline - self.connection.now()[0]) / 1000)
            ear = self.connection._ear
            reads = [ear, self.sock] if reading else [ear]
            readable, writable, _ = select.select(reads, [self.sock] if self.out else [], [], left)
            if writable:
                self._flush()
            if ear in readable:
                rung = self._hear()
            if self.sock not in readable:
                if self.closed:
                    return
                due = self.deadline is not None and self.connection.now()[0] >= self.deadline
                if rung or due:
                    # Something was wished, or the time has come: the engine says what is to be sent.
                    self._feed(b"")
                return
        octets = self._read()
        if octets:
            self._feed(octets)

    def _has_read(self) -> bool:
        return isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0

    def _hear(self) -> bool:
        try:
            return bool(self.connection._ear.recv(4096))
        except BlockingIOError:
            return False

    def _read(self) -> Optional[bytes]:
        try:
            octets = self.sock.recv(_READ)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except (ConnectionError, ssl.SSLError):
            octets = b""
        if not octets:
            self.ended = True
        return octets

    def _flush(self) -> None:
        try:
            while self.out:
                del self.out[: self.sock.send(memoryview(self.out)[:_READ])]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except (ConnectionError, ssl.SSLError):
            # What the server still said is read first; reading then finds the end.
            self.out.clear()

    def _flush_quietly(self) -> None:
        try:
            self.sock.settimeout(5)
            if self.out:
                self.sock.sendall(self.out)
        except OSError:
            pass

    def _feed(self, octets: bytes) -> None:
        self.rest += octets
        step = self.connection.step(self.rest, self.limit)
        self.rest = self.rest[step.consumed :]
        self._took(step)

    def _took(self, step: Step) -> None:
        """Acts on what a step gave, and on what that gives."""
        self.out += step.transmit
        self._flush()
        self.deadline, self.more = step.deadline, step.more
        self.closed = step.closed
        if step.commit:
            self._commit()
        for event in step.events:
            self._act(event)

    def _act(self, event: Event) -> None:
        if event.is_NEED_CREDENTIALS():
            self._sign_in(event.mechanisms)
        elif event.is_START_TLS():
            self._start_tls()
        elif event.is_CLOSED():
            self.error = event.error
        if self.on_event is not None:
            self.on_event(event)

    def _sign_in(self, mechanisms: list[str]) -> None:
        credentials = self.connection._credentials
        given = credentials(mechanisms) if callable(credentials) else credentials
        if not callable(credentials):
            # Asked again, the same would be refused again.
            self.connection._credentials = None
        if given is None:
            self.inner.decline_credentials()
        else:
            self.inner.provide_credentials(given)
        self._took(self.connection.step())

    def _start_tls(self) -> None:
        while self.out:
            select.select([], [self.sock], [], 30)
            self._flush()
        self.sock.settimeout(30)
        context = self.tls or ssl.create_default_context()
        self.sock = context.wrap_socket(self.sock, server_hostname=self.connection._settings.host)
        self.sock.setblocking(False)
        self._took(self.inner.step_tls(None, None, *self.connection.now()))

    def _commit(self) -> None:
        commit = self.inner.take_commit()
        if commit is None:
            return
        self.committing = True
        threading.Thread(target=self._run_commit, args=(commit,), name="mailkeep-commit").start()

    def _run_commit(self, commit: _ffi.Commit) -> None:
        try:
            commit.run()
        finally:
            self.connection._done.put(commit)
            self.connection._ring()
