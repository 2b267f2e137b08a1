//! A place in a command's text, and the readers of its smallest pieces (RFC 9051 §4, §9).
//!
//! Unlike the reader of responses this one is strict: what a client cannot mean is refused, and the client
//! told where.

use std::borrow::Cow;

use super::{CommandError, What};
use crate::flags::FlagSet;
use crate::imap::command::NumberSet;
use crate::imap::parse::cursor::is;
use crate::imap::parse::number;
use crate::imap::parse::quoted::quoted_end;
use crate::set::UidSet;
use crate::wire::{Frame, StreamedLiteral, literal_head};

pub(super) type Result<T> = std::result::Result<T, CommandError>;

pub(super) struct Reader<'a> {
    pub(super) text: &'a [u8],
    pub(super) pos: usize,
    streamed: &'a [StreamedLiteral],
    /// Items that lists may still hold.
    items: usize,
    /// How deep search keys may still be nested.
    pub(super) nesting: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(frame: Frame<'a>, items: usize, nesting: usize) -> Reader<'a> {
        Reader { text: frame.text, pos: 0, streamed: frame.streamed, items, nesting }
    }

    pub(super) fn fail<T>(&self, what: What) -> Result<T> {
        Err(CommandError { what, offset: self.pos })
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.pos).copied()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.pos..).unwrap_or_default()
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.pos += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, byte: u8, what: What) -> Result<()> {
        if self.eat(byte) { Ok(()) } else { self.fail(what) }
    }

    pub(super) fn space(&mut self) -> Result<()> {
        self.expect(b' ', What::Space)
    }

    pub(super) fn open(&mut self) -> Result<()> {
        self.expect(b'(', What::OpenParenthesis)
    }

    pub(super) fn close(&mut self) -> Result<()> {
        self.expect(b')', What::CloseParenthesis)
    }

    /// Nothing may be left but blanks that some clients put at the end of a line.
    pub(super) fn end(&mut self) -> Result<()> {
        let blanks = self.rest().iter().take_while(|b| **b == b' ').count();
        if self.pos + blanks == self.text.len() {
            self.pos += blanks;
            return Ok(());
        }
        self.fail(What::End)
    }

    /// Whether nothing but blanks is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest().iter().all(|b| *b == b' ')
    }

    /// Counts one item of a list.
    pub(super) fn count(&mut self) -> Result<()> {
        match self.items.checked_sub(1) {
            Some(left) => {
                self.items = left;
                Ok(())
            }
            None => self.fail(What::TooMany),
        }
    }

    fn while_is(&mut self, fits: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|b| !fits(*b)).unwrap_or(rest.len());
        self.pos += len;
        &rest[..len]
    }

    /// An atom (RFC 9051 §9: 1*ATOM-CHAR).
    pub(super) fn atom(&mut self) -> Result<&'a [u8]> {
        let atom = self.while_is(is_atom_char);
        if atom.is_empty() { self.fail(What::Atom) } else { Ok(atom) }
    }

    /// An atom as text; atoms are ASCII.
    pub(super) fn word(&mut self) -> Result<String> {
        Ok(String::from_utf8_lossy(self.atom()?).into_owned())
    }

    /// An atom in upper case, for comparing.
    pub(super) fn keyword(&mut self) -> Result<String> {
        Ok(self.word()?.to_ascii_uppercase())
    }

    /// The given word with no more of an atom behind it; nothing is taken otherwise.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let start = self.pos;
        if is(self.while_is(is_atom_char), word.as_bytes()) {
            return true;
        }
        self.pos = start;
        false
    }

    pub(super) fn tag(&mut self) -> Result<&'a str> {
        let start = self.pos;
        let tag = self.while_is(|b| b != b'+' && (is_atom_char(b) || b == b']'));
        match std::str::from_utf8(tag) {
            Ok(text) if !text.is_empty() && text.len() <= 100 => Ok(text),
            _ => {
                self.pos = start;
                self.fail(What::Tag)
            }
        }
    }

    pub(super) fn number64(&mut self) -> Result<u64> {
        match number::number(self.rest()) {
            Some((value, width)) => {
                self.pos += width;
                Ok(value)
            }
            None => self.fail(What::Number),
        }
    }

    pub(super) fn number(&mut self) -> Result<u32> {
        let start = self.pos;
        u32::try_from(self.number64()?).or_else(|_| {
            self.pos = start;
            self.fail(What::Number)
        })
    }

    pub(super) fn nonzero(&mut self) -> Result<u32> {
        match number::nonzero(self.rest()) {
            Some((value, width)) => {
                self.pos += width;
                Ok(value)
            }
            None => self.fail(What::Number),
        }
    }

    /// A mod-sequence of at least `least` (RFC 7162 §7: 63 bits).
    pub(super) fn mod_sequence(&mut self, least: u64) -> Result<u64> {
        let start = self.pos;
        let value = self.number64()?;
        if (least..=i64::MAX as u64).contains(&value) {
            return Ok(value);
        }
        self.pos = start;
        self.fail(What::Number)
    }

    /// `a:b` of RFC 9394: both above 0, or both below.
    pub(super) fn partial_range(&mut self) -> Result<(i64, i64)> {
        let start = self.pos;
        let from = self.signed()?;
        self.expect(b':', What::Range)?;
        let to = self.signed()?;
        if (from < 0) == (to < 0) {
            return Ok((from, to));
        }
        self.pos = start;
        self.fail(What::Range)
    }

    fn signed(&mut self) -> Result<i64> {
        let negative = self.eat(b'-');
        let value = i64::from(self.nonzero()?);
        Ok(if negative { -value } else { value })
    }

    /// A string, quoted or literal.
    pub(super) fn string(&mut self) -> Result<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal(),
            Some(b'~') if self.rest().get(1) == Some(&b'{') => {
                self.pos += 1;
                self.literal()
            }
            _ => self.fail(What::String),
        }
    }

    fn quoted(&mut self) -> Result<Cow<'a, [u8]>> {
        let inside = &self.text[self.pos + 1..];
        let Some((len, escaped)) = quoted_end(inside) else { return self.fail(What::CloseQuote) };
        let raw = &inside[..len];
        if raw.iter().any(|b| matches!(b, 0 | b'\r')) {
            return self.fail(What::String);
        }
        self.pos += len + 2;
        if !escaped {
            return Ok(Cow::Borrowed(raw));
        }
        let mut out = Vec::with_capacity(len);
        let mut bytes = raw.iter();
        while let Some(&b) = bytes.next() {
            out.push(if b == b'\\' { bytes.next().copied().unwrap_or(b) } else { b });
        }
        Ok(Cow::Owned(out))
    }

    fn literal(&mut self) -> Result<Cow<'a, [u8]>> {
        let Some(head) = literal_head(self.rest()) else { return self.fail(What::Literal) };
        let start = self.pos + head.width;
        let len = usize::try_from(head.len).unwrap_or(usize::MAX);
        let here = self.streamed.binary_search_by_key(&self.pos, |s| s.at).is_err();
        match self.text.get(start..).and_then(|rest| rest.get(..len)) {
            Some(octets) if here && !octets.contains(&0) => {
                self.pos = start + len;
                Ok(Cow::Borrowed(octets))
            }
            _ => self.fail(What::Literal),
        }
    }

    /// A literal whose octets were handed out: its length, and whether it is a literal8.
    pub(super) fn streamed_literal(&mut self) -> Result<(u64, bool)> {
        let start = self.pos;
        let literal8 = self.eat(b'~');
        if let Some(head) = literal_head(self.rest())
            && self.streamed.binary_search_by_key(&self.pos, |s| s.at).is_ok()
        {
            self.pos += head.width;
            return Ok((head.len, literal8));
        }
        self.pos = start;
        self.fail(What::Literal)
    }

    /// An atom or a string (RFC 9051 §9: astring); `]` may stand in it.
    pub(super) fn astring(&mut self) -> Result<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => {
                let atom = self.while_is(|b| is_atom_char(b) || b == b']');
                if atom.is_empty() { self.fail(What::String) } else { Ok(Cow::Borrowed(atom)) }
            }
        }
    }

    /// A mailbox name. Clients that enabled nothing send UTF-8 all the same, so atoms may hold it.
    pub(super) fn mailbox(&mut self) -> Result<Vec<u8>> {
        self.pattern_of(|b| is_atom_char(b) || b == b']' || b >= 0x80)
    }

    /// A pattern of LIST (RFC 9051 §9: list-mailbox).
    pub(super) fn pattern(&mut self) -> Result<Vec<u8>> {
        self.pattern_of(|b| is_atom_char(b) || matches!(b, b']' | b'%' | b'*') || b >= 0x80)
    }

    fn pattern_of(&mut self, fits: impl Fn(u8) -> bool) -> Result<Vec<u8>> {
        match self.peek() {
            Some(b'"' | b'{') => Ok(self.string()?.into_owned()),
            _ => {
                let atom = self.while_is(fits);
                if atom.is_empty() { self.fail(What::String) } else { Ok(atom.to_vec()) }
            }
        }
    }

    /// A string or NIL.
    pub(super) fn nstring(&mut self) -> Result<Option<Vec<u8>>> {
        if self.eat_word("NIL") {
            return Ok(None);
        }
        Ok(Some(self.string()?.into_owned()))
    }

    /// A flag with its backslash, or a keyword.
    fn flag(&mut self) -> Result<&'a [u8]> {
        let start = self.pos;
        self.eat(b'\\');
        self.atom()?;
        Ok(&self.text[start..self.pos])
    }

    /// `(flags)`; `\Recent` is refused, as RFC 3501 §9 does by its grammar.
    pub(super) fn flag_list(&mut self) -> Result<FlagSet> {
        self.open()?;
        let mut flags = FlagSet::default();
        if self.eat(b')') {
            return Ok(flags);
        }
        loop {
            self.one_flag(&mut flags)?;
            if self.eat(b')') {
                return Ok(flags);
            }
            self.space()?;
        }
    }

    /// One flag into a set. A system flag that is not known cannot be set, and is a mistake.
    pub(super) fn one_flag(&mut self, flags: &mut FlagSet) -> Result<()> {
        self.count()?;
        let start = self.pos;
        let word = self.flag()?;
        if word.first() == Some(&b'\\') && crate::flags::Flags::from_wire(word).is_none() {
            self.pos = start;
            return self.fail(What::Flag);
        }
        flags.insert_wire(word);
        Ok(())
    }

    /// A set of messages: numbers, ranges, `*`, or `$` (RFC 9051 §9: sequence-set, RFC 5182).
    pub(super) fn sequence_set(&mut self) -> Result<NumberSet> {
        if self.eat(b'$') {
            return Ok(NumberSet::Saved);
        }
        let mut set = UidSet::new();
        let mut from: Option<u32> = None;
        loop {
            let first = self.set_number()?;
            let last = if self.eat(b':') { self.set_number()? } else { first };
            match (first, last) {
                (Some(a), Some(b)) => set.insert_range(a.min(b), a.max(b)),
                // `*` is the largest there is: with it the other end is the lower one or beyond it.
                (a, b) => {
                    let low = a.or(b).unwrap_or(u32::MAX);
                    from = Some(from.map_or(low, |known| known.min(low)));
                }
            }
            if !self.eat(b',') {
                break;
            }
        }
        Ok(match from {
            None => NumberSet::Set(set),
            Some(from) if set.is_empty() => NumberSet::From(from),
            Some(from) => NumberSet::Union(set, from),
        })
    }

    fn set_number(&mut self) -> Result<Option<u32>> {
        if self.eat(b'*') {
            return Ok(None);
        }
        let start = self.pos;
        self.nonzero().map(Some).or_else(|_| {
            self.pos = start;
            self.fail(What::SequenceSet)
        })
    }

    /// A set of UIDs without `*` (RFC 7162 §7: known-uids).
    pub(super) fn known_uids(&mut self) -> Result<UidSet> {
        let start = self.pos;
        match self.sequence_set()? {
            NumberSet::Set(set) => Ok(set),
            _ => {
                self.pos = start;
                self.fail(What::SequenceSet)
            }
        }
    }
}

/// RFC 9051 §9: ATOM-CHAR.
fn is_atom_char(b: u8) -> bool {
    b.is_ascii_graphic() && !matches!(b, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}
