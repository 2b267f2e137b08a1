//! ENVELOPE (RFC 9051 §9: envelope, address).

use super::cursor::{Cursor, Result, plain_nstring};
use super::error::Expected;
use crate::imap::body::{Address, Addresses, Envelope};
use crate::imap::text::NString;

/// Reads and checks an envelope. Fields missing at the end are empty, fields beyond the tenth skipped.
#[inline]
pub(crate) fn envelope<'a>(cursor: &mut Cursor<'a>) -> Result<Envelope<'a>> {
    cursor.expect(b'(', Expected::OpenParenthesis)?;
    let mut envelope = Envelope::default();
    field(cursor, &mut envelope.date)?;
    field(cursor, &mut envelope.subject)?;
    envelope.from = addresses(cursor)?;
    envelope.sender = addresses_like(cursor, envelope.from)?;
    envelope.reply_to = addresses_like(cursor, envelope.from)?;
    envelope.to = addresses(cursor)?;
    envelope.cc = addresses(cursor)?;
    envelope.bcc = addresses(cursor)?;
    field(cursor, &mut envelope.in_reply_to)?;
    field(cursor, &mut envelope.message_id)?;
    loop {
        cursor.spaces();
        if cursor.eat(b')') {
            return Ok(envelope);
        }
        cursor.skip_value()?;
    }
}

/// A string or NIL, or nothing where the list ends.
#[inline]
fn field<'a>(cursor: &mut Cursor<'a>, out: &mut NString<'a>) -> Result<()> {
    match cursor.plain_field() {
        Some(text) => *out = text,
        None => *out = odd_field(cursor)?,
    }
    Ok(())
}

#[cold]
fn odd_field<'a>(cursor: &mut Cursor<'a>) -> Result<NString<'a>> {
    cursor.spaces();
    if cursor.peek() == Some(b')') { Ok(None) } else { cursor.nstring() }
}

/// A list of addresses that is likely to repeat another: servers put From where Sender or Reply-To
/// is missing. What was checked once is not checked again.
#[inline]
fn addresses_like<'a>(cursor: &mut Cursor<'a>, like: Addresses<'a>) -> Result<Addresses<'a>> {
    cursor.spaces();
    if let Some(inside) = cursor.rest().strip_prefix(b"(")
        && !like.raw.is_empty()
        && inside.starts_with(like.raw)
        && inside.get(like.raw.len()) == Some(&b')')
    {
        cursor.pos += like.raw.len() + 2;
        return Ok(Addresses { raw: &inside[..like.raw.len()] });
    }
    addresses(cursor)
}

/// A list of addresses. NIL, `()` and `""` are the empty one.
#[inline]
fn addresses<'a>(cursor: &mut Cursor<'a>) -> Result<Addresses<'a>> {
    cursor.spaces();
    if !cursor.eat(b'(') {
        return match odd_field(cursor)? {
            Some(text) if !text.is_empty() => cursor.fail(Expected::OpenParenthesis),
            _ => Ok(Addresses::default()),
        };
    }
    let start = cursor.pos;
    loop {
        while let Some((_, end)) = plain_address(cursor.text, cursor.pos) {
            cursor.pos = end;
        }
        cursor.spaces();
        if cursor.peek() == Some(b')') {
            let raw = cursor.since(start);
            cursor.pos += 1;
            return Ok(Addresses { raw });
        }
        odd_address(cursor)?;
    }
}

/// An address as nearly all are: four quoted strings or NILs with one space between.
#[inline(always)]
pub(crate) fn plain_address(text: &[u8], at: usize) -> Option<(Address<'_>, usize)> {
    let next = |at: usize| (text.get(at) == Some(&b' ')).then_some(at + 1);
    if text.get(at) != Some(&b'(') {
        return None;
    }
    let (name, at) = plain_nstring(text, at + 1)?;
    let (route, at) = plain_nstring(text, next(at)?)?;
    let (mailbox, at) = plain_nstring(text, next(at)?)?;
    let (host, at) = plain_nstring(text, next(at)?)?;
    (text.get(at) == Some(&b')')).then_some((Address { name, route, mailbox, host }, at + 1))
}

/// Any address; fields missing at its end are `None`.
#[cold]
pub(crate) fn odd_address<'a>(cursor: &mut Cursor<'a>) -> Result<Address<'a>> {
    cursor.expect(b'(', Expected::OpenParenthesis)?;
    let mut address = Address::default();
    field(cursor, &mut address.name)?;
    field(cursor, &mut address.route)?;
    field(cursor, &mut address.mailbox)?;
    field(cursor, &mut address.host)?;
    cursor.spaces();
    cursor.expect(b')', Expected::CloseParenthesis)?;
    Ok(address)
}
