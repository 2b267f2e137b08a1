//! FETCH attributes (RFC 9051 §7.5.2 and extensions).

use super::cursor::{Cursor, Literal, Result, behind, is, plain_nstring, plain_number};
use super::data::object_id;
use super::envelope::{envelope, plain_envelope};
use super::error::Expected;
use super::number;
use super::quoted::quoted_end;
use super::structure::{body_structure, plain_structure};
use crate::imap::body::BodyStructure;
use crate::imap::date::parse_internal_date;
use crate::imap::fetch::{FetchAttr, FetchAttrs, SectionData};
use crate::wire::StreamedLiteral;

/// The attributes of a FETCH response, read one at a time.
///
/// One that does not parse comes as [`FetchAttr::Malformed`], and the walk goes on behind it. Where
/// its end cannot be told either, the walk goes on at the next ` UID n` outside strings, or ends:
/// a message whose structure a server garbles keeps its UID.
#[derive(Debug, Clone)]
pub struct FetchIter<'a> {
    cursor: Cursor<'a>,
    seen_uid: bool,
}

impl<'a> FetchIter<'a> {
    pub(crate) fn new(attrs: &FetchAttrs<'a>) -> FetchIter<'a> {
        FetchIter { cursor: Cursor::with_streamed(attrs.raw, attrs.streamed, attrs.base), seen_uid: false }
    }

    /// Whether an attribute may end here.
    #[inline]
    fn delimited(&self) -> bool {
        matches!(self.cursor.peek(), None | Some(b' ' | b')'))
    }

    /// Any attribute, behind its name.
    fn any(&mut self, name: &'a [u8]) -> FetchAttr<'a> {
        let value = self.cursor.pos;
        match attribute(&mut self.cursor, name) {
            Ok(attr) if self.delimited() => {
                self.seen_uid |= matches!(attr, FetchAttr::Uid(_));
                attr
            }
            _ => {
                self.cursor.pos = value;
                self.recover();
                FetchAttr::Malformed { name }
            }
        }
    }

    /// Steps over the value of an attribute that did not parse; the cursor stands where it began.
    #[cold]
    fn recover(&mut self) {
        let start = self.cursor.pos;
        self.cursor.spaces();
        let skipped = self.cursor.skip_value();
        if skipped.is_ok() && self.delimited() {
            return;
        }
        self.cursor.pos = start;
        let found = if self.seen_uid { None } else { find_uid(&self.cursor) };
        self.cursor.pos = found.unwrap_or(self.cursor.text.len());
    }
}

impl<'a> Iterator for FetchIter<'a> {
    type Item = FetchAttr<'a>;

    #[inline]
    fn next(&mut self) -> Option<FetchAttr<'a>> {
        // A parenthesis too many closes nothing.
        while matches!(self.cursor.peek(), Some(b' ' | b')')) {
            self.cursor.pos += 1;
        }
        self.cursor.peek()?;
        let start = self.cursor.pos;
        let rest = self.cursor.rest();
        // Those that come with every answer are made in place: attributes as a whole are large.
        if rest.starts_with(b"UID ") {
            self.cursor.pos += 4;
            if let Ok(uid) = self.cursor.message_number()
                && self.delimited()
            {
                self.seen_uid = true;
                return Some(FetchAttr::Uid(uid));
            }
        } else if rest.starts_with(b"FLAGS (") {
            self.cursor.pos += 6;
            if let Ok(flags) = self.cursor.flag_list()
                && self.delimited()
            {
                return Some(FetchAttr::Flags(flags));
            }
        } else if rest.starts_with(b"MODSEQ (") {
            if let Some((modseq, end)) = plain_number(self.cursor.text, start + 8)
                && modseq <= i64::MAX as u64
                && let Some(end) = behind(self.cursor.text, end, b')')
            {
                self.cursor.pos = end;
                if self.delimited() {
                    return Some(FetchAttr::ModSeq(modseq));
                }
            }
        } else if rest.starts_with(b"ENVELOPE (")
            && let Some((envelope, end)) = plain_envelope(self.cursor.text, start + 9)
        {
            self.cursor.pos = end;
            if self.delimited() {
                return Some(FetchAttr::Envelope(envelope));
            }
        } else if rest.starts_with(b"RFC822.SIZE ")
            && let Some((size, end)) = plain_number(self.cursor.text, start + 12)
        {
            self.cursor.pos = end;
            return Some(FetchAttr::Rfc822Size(size));
        } else if rest.starts_with(b"INTERNALDATE \"")
            && let Some((date, end)) = plain_nstring(self.cursor.text, start + 13)
        {
            self.cursor.pos = end;
            if self.delimited() {
                let date = date.and_then(|text| parse_internal_date(text.raw));
                return Some(FetchAttr::InternalDate(date));
            }
        } else if rest.starts_with(b"BODYSTRUCTURE (")
            && let Some(end) = plain_structure(self.cursor.text, start + 14)
        {
            self.cursor.pos = end;
            if self.delimited() {
                return Some(FetchAttr::BodyStructure(BodyStructure { raw: self.cursor.since(start + 14) }));
            }
        }
        self.cursor.pos = start;
        let name = attribute_name(&mut self.cursor);
        Some(self.any(name))
    }
}

#[inline]
fn attribute_name<'a>(cursor: &mut Cursor<'a>) -> &'a [u8] {
    let start = cursor.pos;
    let ends = |b: &u8| matches!(b, b' ' | b'(' | b')' | b'[' | b'"' | b'{');
    let rest = cursor.rest();
    cursor.pos += rest.iter().position(ends).unwrap_or(rest.len());
    cursor.since(start)
}

#[inline]
fn attribute<'a>(cursor: &mut Cursor<'a>, name: &'a [u8]) -> Result<FetchAttr<'a>> {
    if cursor.peek() == Some(b'[') {
        return bracketed(cursor, name);
    }
    cursor.spaces();
    Ok(match name.len() {
        3 if is(name, b"UID") => FetchAttr::Uid(cursor.message_number()?),
        5 if is(name, b"FLAGS") => FetchAttr::Flags(cursor.flag_list()?),
        6 if is(name, b"MODSEQ") => FetchAttr::ModSeq(modseq(cursor)?),
        11 if is(name, b"RFC822.SIZE") => FetchAttr::Rfc822Size(cursor.size()?),
        12 if is(name, b"INTERNALDATE") => FetchAttr::InternalDate(date(cursor)?),
        8 if is(name, b"ENVELOPE") => FetchAttr::Envelope(envelope(cursor)?),
        4 if is(name, b"BODY") => FetchAttr::BodyStructure(body_structure(cursor)?),
        13 if is(name, b"BODYSTRUCTURE") => FetchAttr::BodyStructure(body_structure(cursor)?),
        6 if is(name, b"RFC822") => whole(cursor, b"")?,
        11 if is(name, b"RFC822.TEXT") => whole(cursor, b"TEXT")?,
        13 if is(name, b"RFC822.HEADER") => whole(cursor, b"HEADER")?,
        7 if is(name, b"EMAILID") => FetchAttr::EmailId(object_id(cursor)?),
        8 if is(name, b"THREADID") => match cursor.peek() {
            Some(b'(') => FetchAttr::ThreadId(Some(object_id(cursor)?)),
            _ => nil(cursor).map(|()| FetchAttr::ThreadId(None))?,
        },
        7 if is(name, b"PREVIEW") => FetchAttr::Preview(cursor.nstring()?),
        8 if is(name, b"SAVEDATE") => FetchAttr::SaveDate(date(cursor)?),
        10 if is(name, b"X-GM-MSGID") => FetchAttr::GmailMessageId(cursor.number()?),
        10 if is(name, b"X-GM-THRID") => FetchAttr::GmailThreadId(cursor.number()?),
        11 if is(name, b"X-GM-LABELS") => FetchAttr::GmailLabels(labels(cursor)?),
        0 => return cursor.fail(Expected::Atom),
        _ => {
            cursor.skip_value()?;
            FetchAttr::Unknown { name }
        }
    })
}

/// `BODY[…]<n>`, `BINARY[…]<n>`, `BINARY.SIZE[…]`; the cursor stands on the bracket.
fn bracketed<'a>(cursor: &mut Cursor<'a>, name: &'a [u8]) -> Result<FetchAttr<'a>> {
    let (section, origin) = section(cursor)?;
    cursor.spaces();
    if is(name, b"BODY") || is(name, b"BODY.PEEK") {
        Ok(FetchAttr::Section { section, origin, binary: false, data: section_data(cursor)? })
    } else if is(name, b"BINARY") || is(name, b"BINARY.PEEK") {
        Ok(FetchAttr::Section { section, origin, binary: true, data: section_data(cursor)? })
    } else if is(name, b"BINARY.SIZE") {
        Ok(FetchAttr::BinarySize { section, size: cursor.size()? })
    } else {
        cursor.skip_value()?;
        Ok(FetchAttr::Unknown { name })
    }
}

/// What stands in the brackets, and the origin behind them.
fn section<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a [u8], Option<u32>)> {
    cursor.expect(b'[', Expected::Atom)?;
    let start = cursor.pos;
    loop {
        match cursor.peek() {
            Some(b']') => break,
            // A field name may be a string with a bracket in it.
            Some(b'"') => drop(cursor.quoted()?),
            Some(b'{') if cursor.literal()?.is_some() => {}
            // No section holds another: an open one ends here, and not each time at the very end.
            Some(b'[') | None => return cursor.fail(Expected::CloseBracket),
            Some(_) => cursor.pos += 1,
        }
    }
    let section = cursor.since(start);
    cursor.pos += 1;
    let mut origin = None;
    if cursor.eat(b'<') {
        origin = Some(cursor.number32()?);
        cursor.expect(b'>', Expected::Number)?;
    }
    Ok((section, origin))
}

fn whole<'a>(cursor: &mut Cursor<'a>, section: &'static [u8]) -> Result<FetchAttr<'a>> {
    Ok(FetchAttr::Section { section, origin: None, binary: false, data: section_data(cursor)? })
}

fn section_data<'a>(cursor: &mut Cursor<'a>) -> Result<SectionData<'a>> {
    if matches!(cursor.peek(), Some(b'{' | b'~'))
        && let Some(Literal::Streamed { len, index }) = cursor.clone().literal()?
    {
        cursor.literal()?;
        return Ok(SectionData::Streamed { len, index });
    }
    Ok(match cursor.nstring()? {
        Some(text) => SectionData::Inline(text),
        None => SectionData::Nil,
    })
}

fn modseq(cursor: &mut Cursor<'_>) -> Result<u64> {
    let listed = cursor.eat(b'(');
    cursor.spaces();
    let value = cursor.mod_sequence()?;
    if listed {
        cursor.spaces();
        cursor.expect(b')', Expected::CloseParenthesis)?;
    }
    Ok(value)
}

fn date(cursor: &mut Cursor<'_>) -> Result<Option<i64>> {
    // A date has nothing to escape: one with escapes does not parse, which is right.
    Ok(cursor.nstring()?.and_then(|text| parse_internal_date(text.raw)))
}

fn nil(cursor: &mut Cursor<'_>) -> Result<()> {
    match cursor.nstring()? {
        None => Ok(()),
        Some(_) => cursor.fail(Expected::OpenParenthesis),
    }
}

/// A list of atoms and strings, given as it is.
fn labels<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8]> {
    if cursor.peek() != Some(b'(') {
        return nil(cursor).map(|()| &b""[..]);
    }
    let start = cursor.pos;
    cursor.skip_list()?;
    Ok(&cursor.text[start + 1..cursor.pos - 1])
}

/// The place of the next `UID n` behind a space and outside strings.
///
/// This is the last resort, for a value whose parentheses or quotes do not match. What is inside
/// quotes or a literal is the sender's to write and must never name the UID.
fn find_uid(from: &Cursor<'_>) -> Option<usize> {
    let mut cursor = from.clone();
    loop {
        match cursor.peek()? {
            b'"' => {
                cursor.pos += 1;
                let (len, _) = quoted_end(cursor.rest())?;
                cursor.pos += len + 1;
            }
            b'{' => match cursor.literal() {
                Ok(Some(_)) => {}
                Ok(None) => cursor.pos += 1,
                Err(_) => return None,
            },
            b' ' => {
                cursor.pos += 1;
                if is_uid(cursor.rest()) {
                    return Some(cursor.pos);
                }
            }
            _ => cursor.pos += 1,
        }
    }
}

fn is_uid(text: &[u8]) -> bool {
    let Some((name, rest)) = text.split_first_chunk::<4>() else { return false };
    is(name, b"UID ")
        && number::nonzero(rest).is_some_and(|(_, width)| matches!(rest.get(width), None | Some(b' ' | b')')))
}

/// What a body section that begins to arrive belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SectionHead<'a> {
    /// The message's sequence number.
    pub seq: u32,
    /// Its UID, where the server names it before the section. It may also follow.
    pub uid: Option<u32>,
    /// What stands in the brackets, as in [`FetchAttr::Section`].
    pub section: &'a [u8],
    /// The first octet of a partial answer.
    pub origin: Option<u32>,
    /// Whether it is BINARY[…].
    pub binary: bool,
}

/// Reads the `head` of a [`Piece::LiteralStart`](crate::wire::Piece::LiteralStart).
///
/// # Errors
/// The response so far is no FETCH with a section at its end.
pub fn section_head<'a>(
    head: &'a [u8],
    streamed: &'a [StreamedLiteral],
) -> std::result::Result<SectionHead<'a>, super::ParseError> {
    let mut cursor = Cursor::with_streamed(head, streamed, 0);
    cursor.expect(b'*', Expected::Start)?;
    cursor.space()?;
    let seq = cursor.message_number()?;
    cursor.space()?;
    let word = attribute_name(&mut cursor);
    if !is(word, b"FETCH") {
        return cursor.fail(Expected::Keyword);
    }
    cursor.spaces();
    cursor.expect(b'(', Expected::OpenParenthesis)?;
    let mut walk = FetchIter { cursor, seen_uid: false };
    let mut uid = None;
    loop {
        // The attribute whose value is cut off is the one looked for.
        let mut last = walk.cursor.clone();
        last.spaces();
        if let Some(found) = last_section(&mut last) {
            let (section, origin, binary) = found;
            return Ok(SectionHead { seq, uid, section, origin, binary });
        }
        match walk.next() {
            Some(FetchAttr::Uid(value)) => uid = Some(value),
            Some(_) => {}
            None => return walk.cursor.fail(Expected::Atom),
        }
    }
}

/// The section at the cursor, if nothing but a space and an optional `~` follows it.
fn last_section<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a [u8], Option<u32>, bool)> {
    let name = attribute_name(cursor);
    let mut found = if is(name, b"RFC822") {
        (&b""[..], None, false)
    } else if is(name, b"RFC822.TEXT") {
        (&b"TEXT"[..], None, false)
    } else if is(name, b"RFC822.HEADER") {
        (&b"HEADER"[..], None, false)
    } else if cursor.peek() == Some(b'[') {
        let (section, origin) = section(cursor).ok()?;
        (section, origin, is(name, b"BINARY") || is(name, b"BINARY.PEEK"))
    } else {
        return None;
    };
    cursor.spaces();
    found.2 |= cursor.eat(b'~');
    cursor.rest().is_empty().then_some(found)
}
