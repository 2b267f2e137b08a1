//! A place in a response's text, and the readers of its smallest pieces (RFC 9051 §4, §9).
//!
//! The readers are lenient where servers are known to be: more than one space, NIL or an atom where a
//! string stands, 8-bit octets in quoted strings.

use super::error::{Expected, ParseError};
use super::number;
use super::quoted::quoted_end;
use crate::imap::response::QuotaResource;
use crate::imap::text::{FlagList, NString, SequenceSet, Text};
use crate::wire::{StreamedLiteral, literal_head};

pub(crate) type Result<T> = std::result::Result<T, ParseError>;

#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) pos: usize,
    /// The frame's side table, and where `text` begins in that frame.
    streamed: &'a [StreamedLiteral],
    base: usize,
}

/// A literal's octets, or where they went.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Literal<'a> {
    Inline(&'a [u8]),
    Streamed { len: u64, index: usize },
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Cursor<'a> {
        Cursor { text, pos: 0, streamed: &[], base: 0 }
    }

    pub(crate) fn at(text: &'a [u8], pos: usize) -> Cursor<'a> {
        Cursor { pos, ..Cursor::new(text) }
    }

    /// The frame's side table.
    pub(crate) fn streamed(&self) -> &'a [StreamedLiteral] {
        self.streamed
    }

    pub(crate) fn with_streamed(text: &'a [u8], streamed: &'a [StreamedLiteral], base: usize) -> Cursor<'a> {
        Cursor { text, pos: 0, streamed, base }
    }

    #[cold]
    pub(crate) fn fail<T>(&self, expected: Expected) -> Result<T> {
        Err(ParseError { expected, offset: self.pos, tagged: false })
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.pos).copied()
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.text.get(self.pos..).unwrap_or_default()
    }

    /// What stands between an earlier place and here.
    #[inline]
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.text.get(start..self.pos).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.pos += usize::from(found);
        found
    }

    #[inline]
    pub(crate) fn expect(&mut self, byte: u8, expected: Expected) -> Result<()> {
        if self.eat(byte) { Ok(()) } else { self.fail(expected) }
    }

    /// Skips spaces, if any.
    #[inline]
    pub(crate) fn spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.pos += 1;
        }
    }

    /// Skips one space or more.
    #[inline]
    pub(crate) fn space(&mut self) -> Result<()> {
        self.expect(b' ', Expected::Space)?;
        self.spaces();
        Ok(())
    }

    /// Nothing but spaces may be left.
    #[inline]
    pub(crate) fn end(&mut self) -> Result<()> {
        self.spaces();
        if self.pos == self.text.len() { Ok(()) } else { self.fail(Expected::End) }
    }

    /// The octets up to a space or the end; may be empty.
    #[inline]
    pub(crate) fn word(&mut self) -> &'a [u8] {
        let start = self.pos;
        while self.peek().is_some_and(|b| b != b' ') {
            self.pos += 1;
        }
        self.since(start)
    }

    /// The octets of an atom, empty where there is none. Anything but spaces, controls, parentheses,
    /// quotes and braces is taken, which is more than the grammar allows.
    #[inline]
    fn atom_octets(&mut self) -> &'a [u8] {
        let start = self.pos;
        while self.peek().is_some_and(|b| b > b' ' && !matches!(b, b'(' | b')' | b'"' | b'{' | 0x7f)) {
            self.pos += 1;
        }
        self.since(start)
    }

    pub(crate) fn atom(&mut self) -> Result<&'a [u8]> {
        let atom = self.atom_octets();
        if atom.is_empty() { self.fail(Expected::Atom) } else { Ok(atom) }
    }

    #[inline]
    pub(crate) fn number(&mut self) -> Result<u64> {
        match number::number(self.rest()) {
            Some((value, width)) => {
                self.pos += width;
                Ok(value)
            }
            None => self.fail(Expected::Number),
        }
    }

    #[inline]
    pub(crate) fn number32(&mut self) -> Result<u32> {
        let start = self.pos;
        u32::try_from(self.number()?).or_else(|_| {
            self.pos = start;
            self.fail(Expected::Number)
        })
    }

    /// A sequence number or UID.
    #[inline]
    pub(crate) fn message_number(&mut self) -> Result<u32> {
        match number::nonzero(self.rest()) {
            Some((value, width)) => {
                self.pos += width;
                Ok(value)
            }
            None => self.fail(Expected::MessageNumber),
        }
    }

    /// A size. Some servers send floats, such as `9.3736e+06`.
    pub(crate) fn size(&mut self) -> Result<u64> {
        let start = self.pos;
        let value = self.number();
        if !self.peek().is_some_and(|b| matches!(b, b'.' | b'e' | b'E')) {
            return value;
        }
        self.pos = start;
        let atom = self.atom_octets();
        let float: Option<f64> = std::str::from_utf8(atom).ok().and_then(|s| s.parse().ok());
        match float.filter(|f| f.is_finite() && *f >= 0.0) {
            Some(float) => Ok(float as u64),
            None => {
                self.pos = start;
                self.fail(Expected::Number)
            }
        }
    }

    /// A mod-sequence; 0 for an atom that is none, such as `-1`.
    #[inline]
    pub(crate) fn mod_sequence(&mut self) -> Result<u64> {
        let start = self.pos;
        if let Some((value, width)) = number::number(self.rest())
            && value <= i64::MAX as u64
            && matches!(self.text.get(start + width), None | Some(b' ' | b')'))
        {
            self.pos += width;
            return Ok(value);
        }
        self.odd_mod_sequence()
    }

    #[cold]
    fn odd_mod_sequence(&mut self) -> Result<u64> {
        let start = self.pos;
        let atom = self.atom()?;
        match number::number(atom) {
            Some((value, width)) if width == atom.len() && value <= i64::MAX as u64 => Ok(value),
            _ if atom.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-')) => {
                Ok(0)
            }
            _ => {
                self.pos = start;
                self.fail(Expected::Number)
            }
        }
    }

    pub(crate) fn sequence_set(&mut self) -> Result<SequenceSet<'a>> {
        let start = self.pos;
        match number::sequence_set(self.rest()) {
            Ok(width) => {
                self.pos += width;
                Ok(SequenceSet { raw: self.since(start) })
            }
            Err(at) => {
                self.pos += at;
                self.fail(Expected::SequenceSet)
            }
        }
    }

    /// A string as quoted or literal, or an atom in its place.
    #[inline]
    pub(crate) fn astring(&mut self) -> Result<Text<'a>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{' | b'~') => self.literal_or_atom(),
            _ => {
                let raw = self.atom_octets();
                if raw.is_empty() { self.fail(Expected::String) } else { Ok(Text { raw, escaped: false }) }
            }
        }
    }

    /// One space at most and a string or NIL, where they stand as they nearly always do. Nothing is
    /// taken otherwise.
    #[inline(always)]
    pub(crate) fn plain_field(&mut self) -> Option<NString<'a>> {
        let at = self.pos + usize::from(self.peek() == Some(b' '));
        let (text, end) = plain_nstring(self.text, at)?;
        self.pos = end;
        Some(text)
    }

    /// A string or NIL.
    #[inline]
    pub(crate) fn nstring(&mut self) -> Result<NString<'a>> {
        if let Some((text, end)) = plain_nstring(self.text, self.pos) {
            self.pos = end;
            return Ok(text);
        }
        self.odd_nstring()
    }

    #[cold]
    fn odd_nstring(&mut self) -> Result<NString<'a>> {
        match self.peek() {
            Some(b'"') => self.quoted().map(Some),
            Some(b'{' | b'~') => self.literal_or_atom().map(Some),
            _ => {
                let raw = self.atom_octets();
                if raw.is_empty() {
                    return self.fail(Expected::String);
                }
                Ok(if is(raw, b"NIL") { None } else { Some(Text { raw, escaped: false }) })
            }
        }
    }

    #[inline]
    pub(crate) fn quoted(&mut self) -> Result<Text<'a>> {
        if !self.eat(b'"') {
            return self.fail(Expected::String);
        }
        match quoted_end(self.rest()) {
            Some((len, escaped)) => {
                let raw = &self.text[self.pos..self.pos + len];
                self.pos += len + 1;
                Ok(Text { raw, escaped })
            }
            None => self.fail(Expected::CloseQuote),
        }
    }

    fn literal_or_atom(&mut self) -> Result<Text<'a>> {
        match self.literal()? {
            Some(Literal::Inline(raw)) => Ok(Text { raw, escaped: false }),
            Some(Literal::Streamed { .. }) => self.fail(Expected::String),
            None if self.peek() == Some(b'~') => {
                let raw = self.atom_octets();
                Ok(Text { raw, escaped: false })
            }
            None => self.fail(Expected::Literal),
        }
    }

    /// A literal, if one is announced here.
    pub(crate) fn literal(&mut self) -> Result<Option<Literal<'a>>> {
        let brace = self.pos + usize::from(self.peek() == Some(b'~'));
        let Some(head) = self.text.get(brace..).and_then(literal_head) else { return Ok(None) };
        let data = brace + head.width;
        if let Ok(index) = self.streamed.binary_search_by_key(&(self.base + brace), |s| s.at) {
            self.pos = data;
            return Ok(Some(Literal::Streamed { len: head.len, index }));
        }
        let len = usize::try_from(head.len).unwrap_or(usize::MAX);
        let Some(bytes) = self.text[data..].get(..len) else { return self.fail(Expected::Literal) };
        self.pos = data + len;
        Ok(Some(Literal::Inline(bytes)))
    }

    /// The inside of a parenthesised list of words without strings or lists.
    #[inline]
    pub(crate) fn flag_list(&mut self) -> Result<FlagList<'a>> {
        self.expect(b'(', Expected::OpenParenthesis)?;
        let start = self.pos;
        self.pos += flags_len(self.rest());
        let raw = self.since(start);
        self.expect(b')', Expected::Flags)?;
        Ok(FlagList { raw })
    }

    /// One `name usage limit` of a quota list; `None` at its end.
    pub(crate) fn quota_resource(&mut self) -> Result<Option<QuotaResource<'a>>> {
        self.spaces();
        if self.pos == self.text.len() {
            return Ok(None);
        }
        let name = self.atom()?;
        self.space()?;
        let usage = self.size()?;
        self.space()?;
        let limit = self.size()?;
        Ok(Some(QuotaResource { name, usage, limit }))
    }

    /// Skips one value whatever it is: an atom, a string, or a list with all that is in it. Depth costs nothing.
    pub(crate) fn skip_value(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'(') => self.skip_list(),
            Some(b'"') => self.quoted().map(drop),
            Some(b'{' | b'~') => match self.literal()? {
                Some(_) => Ok(()),
                None => self.skip_atom(),
            },
            _ => self.skip_atom(),
        }
    }

    fn skip_atom(&mut self) -> Result<()> {
        let start = self.pos;
        while self.peek().is_some_and(|b| !matches!(b, b' ' | b'(' | b')')) {
            self.pos += 1;
        }
        if self.pos == start { self.fail(Expected::Atom) } else { Ok(()) }
    }

    /// Skips a list by counting parentheses outside strings.
    pub(crate) fn skip_list(&mut self) -> Result<()> {
        let mut depth: usize = 0;
        loop {
            match self.peek() {
                Some(b'(') => depth += 1,
                Some(b')') => depth = depth.saturating_sub(1),
                Some(b'"') => {
                    self.quoted()?;
                    continue;
                }
                Some(b'{') if self.literal()?.is_some() => continue,
                Some(_) => {}
                None => return self.fail(Expected::CloseParenthesis),
            }
            self.pos += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

const HIGH: u64 = 0x8080_8080_8080_8080;
const ONES: u64 = 0x0101_0101_0101_0101;

/// Marks the octets equal to `byte`; only the lowest mark is exact.
#[inline]
fn equals(word: u64, byte: u8) -> u64 {
    let differing = word ^ (ONES * u64::from(byte));
    differing.wrapping_sub(ONES) & !differing & HIGH
}

/// How far the inside of a list goes that holds no strings or lists.
#[inline]
fn flags_len(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let marks = equals(word, b')') | equals(word, b'(') | equals(word, b'"') | equals(word, b'\n');
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = &text[at..];
    at + rest.iter().position(|b| matches!(b, b')' | b'(' | b'"' | b'\n')).unwrap_or(rest.len())
}

/// A quoted string or NIL at `at`, and where it ends. `None` where anything else stands, which is
/// for [`Cursor::nstring`] to tell.
///
/// A function of values rather than of the cursor, so that all stays in registers: nearly every
/// string of an envelope or a structure is read here.
#[inline(always)]
pub(crate) fn plain_nstring(text: &[u8], at: usize) -> Option<(NString<'_>, usize)> {
    let rest = text.get(at..)?;
    if let [b'"', inside @ ..] = rest {
        let (len, escaped) = quoted_end(inside)?;
        Some((Some(Text { raw: &inside[..len], escaped }), at + len + 2))
    } else if rest.starts_with(b"NIL ") || rest.starts_with(b"NIL)") {
        Some((None, at + 3))
    } else {
        None
    }
}

/// The place behind `byte`, if it stands at `at`.
#[inline(always)]
pub(crate) fn behind(text: &[u8], at: usize, byte: u8) -> Option<usize> {
    (text.get(at) == Some(&byte)).then_some(at + 1)
}

/// A number at `at` with a space or a closing parenthesis behind it.
#[inline(always)]
pub(crate) fn plain_number(text: &[u8], at: usize) -> Option<(u64, usize)> {
    let (value, width) = number::number(text.get(at..)?)?;
    matches!(text.get(at + width), Some(b' ' | b')')).then_some((value, at + width))
}

/// Whether a word is the given one, in any case.
#[inline]
pub(crate) fn is(word: &[u8], name: &[u8]) -> bool {
    word == name || word.eq_ignore_ascii_case(name)
}
