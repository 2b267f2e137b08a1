//! ENVELOPE (RFC 9051 §9: envelope, address).

use super::cursor::{Cursor, Result, behind, plain_nstring};
use super::error::Expected;
use crate::imap::body::{Address, Addresses, Envelope};
use crate::imap::text::NString;

/// Reads and checks an envelope. Fields missing at the end are empty, fields beyond the tenth skipped.
#[inline]
pub(crate) fn envelope<'a>(cursor: &mut Cursor<'a>) -> Result<Envelope<'a>> {
    if let Some((envelope, end)) = plain_envelope(cursor.text, cursor.pos) {
        cursor.pos = end;
        return Ok(envelope);
    }
    odd_envelope(cursor)
}

/// Any envelope.
#[cold]
pub(super) fn odd_envelope<'a>(cursor: &mut Cursor<'a>) -> Result<Envelope<'a>> {
    cursor.expect(b'(', Expected::OpenParenthesis)?;
    let mut envelope = Envelope::default();
    field(cursor, &mut envelope.date)?;
    field(cursor, &mut envelope.subject)?;
    for list in [
        &mut envelope.from,
        &mut envelope.sender,
        &mut envelope.reply_to,
        &mut envelope.to,
        &mut envelope.cc,
        &mut envelope.bcc,
    ] {
        *list = addresses(cursor)?;
    }
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

/// An envelope as nearly all are, and where it ends: ten fields of quoted strings, NILs and plain
/// addresses, with one space between.
#[inline(always)]
pub(crate) fn plain_envelope(text: &[u8], at: usize) -> Option<(Envelope<'_>, usize)> {
    let (date, at) = plain_nstring(text, behind(text, at, b'(')?)?;
    let (subject, at) = plain_nstring(text, behind(text, at, b' ')?)?;
    let (from, at) = plain_addresses(text, behind(text, at, b' ')?)?;
    let (sender, at) = plain_addresses_like(text, behind(text, at, b' ')?, from)?;
    let (reply_to, at) = plain_addresses_like(text, behind(text, at, b' ')?, from)?;
    let (to, at) = plain_addresses(text, behind(text, at, b' ')?)?;
    let (cc, at) = plain_addresses(text, behind(text, at, b' ')?)?;
    let (bcc, at) = plain_addresses(text, behind(text, at, b' ')?)?;
    let (in_reply_to, at) = plain_nstring(text, behind(text, at, b' ')?)?;
    let (message_id, at) = plain_nstring(text, behind(text, at, b' ')?)?;
    let end = behind(text, at, b')')?;
    Some((Envelope { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id }, end))
}

/// A list of addresses that is likely to repeat another: servers put From where Sender or Reply-To
/// is missing. What was checked once is not checked again.
#[inline(always)]
fn plain_addresses_like<'a>(
    text: &'a [u8],
    at: usize,
    like: Addresses<'a>,
) -> Option<(Addresses<'a>, usize)> {
    if like.len > 0
        && let Some(start) = behind(text, at, b'(')
        // With the closing parenthesis, which stands behind both.
        && text.get(start..)?.starts_with(like.text.get(..=like.len)?)
    {
        return Some((Addresses { text: &text[start..], len: like.len }, start + like.len + 1));
    }
    plain_addresses(text, at)
}

/// A list of plain addresses, or NIL.
#[inline]
fn plain_addresses(text: &[u8], at: usize) -> Option<(Addresses<'_>, usize)> {
    let Some(start) = behind(text, at, b'(') else {
        return text.get(at..)?.starts_with(b"NIL ").then_some((Addresses::default(), at + 3));
    };
    let (_, mut at) = plain_address(text, start)?;
    while text.get(at) == Some(&b'(') {
        (_, at) = plain_address(text, at)?;
    }
    let end = behind(text, at, b')')?;
    Some((Addresses { text: &text[start..], len: at - start }, end))
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
            let list = Addresses { text: &cursor.text[start..], len: cursor.pos - start };
            cursor.pos += 1;
            return Ok(list);
        }
        odd_address(cursor)?;
    }
}

/// An address as nearly all are: four quoted strings or NILs with one space between.
#[inline(always)]
pub(crate) fn plain_address(text: &[u8], at: usize) -> Option<(Address<'_>, usize)> {
    let (name, at) = plain_nstring(text, behind(text, at, b'(')?)?;
    let (route, at) = plain_nstring(text, behind(text, at, b' ')?)?;
    let (mailbox, at) = plain_nstring(text, behind(text, at, b' ')?)?;
    let (host, at) = plain_nstring(text, behind(text, at, b' ')?)?;
    Some((Address { name, route, mailbox, host }, behind(text, at, b')')?))
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
