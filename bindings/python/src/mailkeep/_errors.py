"""Errors: one exception for each kind, all of them `MailkeepError`, with a stable `code`, whose `fault` it is, and a `text`."""

from __future__ import annotations

from ._ffi import Fault, MailkeepError


def _fault(error: MailkeepError) -> Fault:
    """Who is at fault: the store, the caller, the server, or the engine itself."""
    faults = {1: Fault.STORE, 2: Fault.CALLER, 3: Fault.SERVER}
    return faults.get(error.code // 100, Fault.ENGINE)


# The classes are generated; what they say when they are printed is for programmers. A person wants the text.
MailkeepError.fault = property(_fault)
MailkeepError.__str__ = lambda error: error.text

Cancelled = MailkeepError.Cancelled
Closed = MailkeepError.Closed
Corrupt = MailkeepError.Corrupt
Disconnected = MailkeepError.Disconnected
Gone = MailkeepError.Gone
Invalid = MailkeepError.Invalid
Locked = MailkeepError.Locked
LoginImpossible = MailkeepError.LoginImpossible
LoginRefused = MailkeepError.LoginRefused
Misuse = MailkeepError.Misuse
NewerSchema = MailkeepError.NewerSchema
NotADatabase = MailkeepError.NotADatabase
NotPermitted = MailkeepError.NotPermitted
Panicked = MailkeepError.Panicked
ProtocolViolation = MailkeepError.Protocol
Refused = MailkeepError.Refused
Storage = MailkeepError.Storage
StorageFailed = MailkeepError.StorageFailed
Suspended = MailkeepError.Suspended
TimedOut = MailkeepError.TimedOut
TryLater = MailkeepError.TryLater


def disconnected(text: str) -> MailkeepError:
    """The error of a transport that broke on this side, by the engine's own number for it."""
    return Disconnected(304, text)


def timed_out(text: str) -> MailkeepError:
    """The error of a server that did not answer on this side."""
    return TimedOut(305, text)


