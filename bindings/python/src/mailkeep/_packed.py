"""A page of rows from one packed buffer. The layout is described in the engine's module `packed`."""

from __future__ import annotations

import struct

from ._ffi import Address, MessagePage, MessageRow, named_flags

_HEAD = struct.Struct("<HHIII")
_ROW = struct.Struct("<QQqqQ32sIIIHHHBBB")
_VERSION = 1
_PENDING, _HASHED, _DEGRADED, _STRUCTURED, _DATED = 1, 2, 4, 8, 16

_NAMES = named_flags()
_flags_of: dict[int, list[str]] = {}


def decode_page(packed: bytes) -> MessagePage:
    """The rows of a packed page, and where the next one starts."""
    version, width, count, texts_len, cursor_len = _HEAD.unpack_from(packed)
    if version != _VERSION:
        raise ValueError(f"a packed page of layout {version}, where {_VERSION} is known")
    texts_at = _HEAD.size + width * count
    cursor_at = texts_at + texts_len
    # Every text ends with a NUL, and so the last piece is empty.
    texts = packed[texts_at:cursor_at].decode().split("\0")
    rows = []
    at = 0
    for offset in range(_HEAD.size, texts_at, width):
        row, at = _row(_ROW.unpack_from(packed, offset), texts, at)
        rows.append(row)
    return MessagePage(rows=rows, next=packed[cursor_at : cursor_at + cursor_len] or None)


def _row(fields: tuple, texts: list[str], at: int) -> tuple[MessageRow, int]:
    (id, content, internal_date, date, size, sha256, uid, mailbox, _, bits, attachments, keywords, senders, receivers, state) = fields
    subject, preview, message_id = texts[at : at + 3]
    at += 3
    flags = _named(bits) + texts[at : at + keywords]
    at += keywords
    addresses = []
    for _ in range(senders + receivers):
        addresses.append(Address(name=texts[at] or None, address=texts[at + 1]))
        at += 2
    row = MessageRow(
        id=id,
        mailbox=mailbox,
        content=content,
        uid=uid,
        flags=flags,
        pending=bool(state & _PENDING),
        internal_date=internal_date,
        size=size,
        sha256=sha256 if state & _HASHED else None,
        from_first=addresses[:senders],
        to_first=addresses[senders:],
        subject=subject,
        date_ms=date if state & _DATED else None,
        message_id=message_id or None,
        preview=preview,
        attachments=attachments,
        degraded=bool(state & _DEGRADED),
        structured=bool(state & _STRUCTURED),
    )
    return row, at


def _named(bits: int) -> list[str]:
    if bits not in _flags_of:
        _flags_of[bits] = [name for bit, name in enumerate(_NAMES) if bits >> bit & 1]
    return _flags_of[bits]
