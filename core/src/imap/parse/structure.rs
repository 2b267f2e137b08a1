//! BODYSTRUCTURE, walked with a bounded stack (RFC 9051 §9: body).

use super::cursor::{Cursor, Result, behind, is, plain_nstring, plain_number};
use super::envelope::envelope;
use super::error::Expected;
use crate::imap::body::{BodyStructure, Disposition, MAX_NESTING, Params, Part, PartKind, PartPath};
use crate::imap::text::{NString, Text};

const MULTIPART: Text<'static> = Text { raw: b"MULTIPART", escaped: false };
const BLANK: Part<'static> = Part {
    path: PartPath { numbers: [0; MAX_NESTING + 2], len: 0 },
    kind: PartKind::Leaf,
    depth: 0,
    media_type: None,
    subtype: None,
    params: Params { raw: b"" },
    content_id: None,
    description: None,
    encoding: None,
    size: 0,
    lines: None,
    disposition: None,
    envelope: b"",
};
/// Part numbers are 16 bits wide; no limit lets more siblings through.
const MAX_PARTS: usize = 65_000;

/// The parts of a [`BodyStructure`], one at a time.
///
/// Depth costs no stack: what surrounds the current part is a few octets a level in a fixed array,
/// and what is nested deeper than the bound is skipped by counting parentheses.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    cursor: Cursor<'a>,
    path: PartPath,
    /// Containers that are open.
    depth: usize,
    max_depth: usize,
    /// One bit a container, the outermost lowest: whether it is a message rather than a multipart.
    messages: u64,
    /// One bit a container: whether it put a number on the path.
    numbered: u64,
    /// Where each open message's description begins: it is read again when its body was walked.
    starts: [u32; MAX_NESTING],
    left: usize,
    place: Place,
    cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A body begins here.
    Body,
    /// Inside a container, behind one of its bodies.
    Behind,
    Done,
}

/// Checks the structure at the cursor and steps over it.
pub(crate) fn body_structure<'a>(cursor: &mut Cursor<'a>) -> Result<BodyStructure<'a>> {
    let start = cursor.pos;
    if let Some(end) = plain_structure(cursor.text, start) {
        cursor.pos = end;
        return Ok(BodyStructure { raw: cursor.since(start) });
    }
    odd_structure(cursor)
}

/// Checks any structure.
#[cold]
pub(super) fn odd_structure<'a>(cursor: &mut Cursor<'a>) -> Result<BodyStructure<'a>> {
    let start = cursor.pos;
    let mut parts = Parts::new(cursor.clone(), MAX_NESTING, usize::MAX);
    // One part serves for all: a check keeps nothing.
    let mut part = BLANK;
    while parts.step(&mut part)? {}
    cursor.pos = parts.cursor.pos;
    Ok(BodyStructure { raw: cursor.since(start) })
}

/// The end of a structure as nearly all are: plain parts in multiparts. `None` where anything else
/// stands in it, which is for [`odd_structure`] to tell; whatever is taken here ends in the same place there.
pub(super) fn plain_structure(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0;
    loop {
        at = behind(text, at, b'(')?;
        if text.get(at) == Some(&b'(') {
            depth += 1;
            if depth > MAX_NESTING {
                return None;
            }
            continue;
        }
        (_, at) = plain_leaf(text, at)?;
        loop {
            if depth == 0 {
                return Some(at);
            }
            if text.get(at) == Some(&b'(') {
                break;
            }
            (_, at) = plain_multipart(text, at)?;
            depth -= 1;
        }
    }
}

/// What is said of a part that is no multipart, or of a multipart behind its parts.
struct Said<'a> {
    media_type: NString<'a>,
    subtype: NString<'a>,
    params: Params<'a>,
    content_id: NString<'a>,
    description: NString<'a>,
    encoding: NString<'a>,
    size: u64,
    lines: Option<u64>,
    disposition: Option<Disposition<'a>>,
}

/// A part as nearly all are, behind its opening parenthesis, and where it ends: quoted strings, NILs
/// and numbers with one space between. Messages are none: what they hold has to be read.
#[inline(always)]
fn plain_leaf(text: &[u8], at: usize) -> Option<(Said<'_>, usize)> {
    let (media_type, at) = plain_nstring(text, at)?;
    if media_type.is_some_and(|t| is(t.raw, b"MESSAGE")) {
        return None;
    }
    let (subtype, at) = plain_nstring(text, behind(text, at, b' ')?)?;
    let (params, at) = plain_params(text, behind(text, at, b' ')?)?;
    let (content_id, at) = plain_nstring(text, behind(text, at, b' ')?)?;
    let (description, at) = plain_nstring(text, behind(text, at, b' ')?)?;
    let (encoding, at) = plain_nstring(text, behind(text, at, b' ')?)?;
    let (size, mut at) = plain_number(text, behind(text, at, b' ')?)?;
    let mut lines = None;
    if let Some(b' ') = text.get(at)
        && let Some(b'0'..=b'9') = text.get(at + 1)
    {
        let (value, end) = plain_number(text, at + 1)?;
        lines = Some(value);
        at = end;
    }
    let mut disposition = None;
    if text.get(at) == Some(&b' ') {
        // MD5, which nobody needs.
        (_, at) = plain_nstring(text, at + 1)?;
        (disposition, at) = plain_extension(text, at)?;
    } else {
        at = behind(text, at, b')')?;
    }
    let said =
        Said { media_type, subtype, params, content_id, description, encoding, size, lines, disposition };
    Some((said, at))
}

/// What stands behind the parts of a multipart, where it is as plain as [`plain_leaf`].
#[inline(always)]
fn plain_multipart(text: &[u8], at: usize) -> Option<(Said<'_>, usize)> {
    let (subtype, mut at) = plain_nstring(text, behind(text, at, b' ')?)?;
    let mut params = Params::default();
    if text.get(at) == Some(&b' ') {
        (params, at) = plain_params(text, at + 1)?;
    }
    let (disposition, at) = plain_extension(text, at)?;
    let said = Said {
        media_type: Some(MULTIPART),
        subtype,
        params,
        content_id: None,
        description: None,
        encoding: None,
        size: 0,
        lines: None,
        disposition,
    };
    Some((said, at))
}

/// Parameters with one space between, or NIL.
#[inline(always)]
fn plain_params(text: &[u8], at: usize) -> Option<(Params<'_>, usize)> {
    let Some(start) = behind(text, at, b'(') else {
        return text.get(at..)?.starts_with(b"NIL").then_some((Params::default(), at + 3));
    };
    let mut at = start;
    loop {
        (_, at) = plain_nstring(text, at)?;
        match text.get(at)? {
            b' ' => at += 1,
            b')' => return Some((Params { raw: &text[start..at] }, at + 1)),
            _ => return None,
        }
    }
}

/// Disposition, language and location, or as many as there are, and the closing parenthesis.
#[inline(always)]
fn plain_extension(text: &[u8], at: usize) -> Option<(Option<Disposition<'_>>, usize)> {
    let rest = text.get(at..)?;
    if rest.starts_with(b" NIL NIL NIL)") {
        return Some((None, at + 13));
    }
    if rest.first() == Some(&b')') {
        return Some((None, at + 1));
    }
    given_extension(text, at)
}

#[inline]
fn given_extension(text: &[u8], at: usize) -> Option<(Option<Disposition<'_>>, usize)> {
    let mut at = behind(text, at, b' ')?;
    let disposition;
    if let Some(start) = behind(text, at, b'(') {
        let (kind, end) = plain_nstring(text, start)?;
        let (params, end) = plain_params(text, behind(text, end, b' ')?)?;
        at = behind(text, end, b')')?;
        disposition = kind.map(|kind| Disposition { kind, params });
    } else {
        let (kind, end) = plain_nstring(text, at)?;
        at = end;
        disposition = kind.map(|kind| Disposition { kind, params: Params::default() });
    }
    while text.get(at) == Some(&b' ') {
        (_, at) = plain_nstring(text, at + 1)?;
    }
    Some((disposition, behind(text, at, b')')?))
}

impl<'a> Parts<'a> {
    pub(crate) fn new(cursor: Cursor<'a>, nesting: usize, parts: usize) -> Parts<'a> {
        Parts {
            cursor,
            path: PartPath { numbers: [0; MAX_NESTING + 2], len: 0 },
            depth: 0,
            max_depth: nesting.min(MAX_NESTING),
            messages: 0,
            numbered: 0,
            starts: [0; MAX_NESTING],
            left: parts,
            place: Place::Body,
            cut: false,
        }
    }

    /// Whether parts were left out so far: too many, or nested too deep.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Reads up to the end of the next part and describes it; false at the end of all. The numbers of
    /// its path are left in `self.path`, only their count is told.
    fn step(&mut self, part: &mut Part<'a>) -> Result<bool> {
        loop {
            match self.place {
                Place::Done => return Ok(false),
                Place::Body => {
                    if self.body(part)? {
                        return Ok(true);
                    }
                }
                Place::Behind if self.top_is_message() => return self.close_message(part),
                Place::Behind => {
                    self.cursor.spaces();
                    if self.cursor.peek() == Some(b'(') {
                        self.place = Place::Body;
                    } else {
                        return self.close_multipart(part);
                    }
                }
            }
        }
    }

    fn top_is_message(&self) -> bool {
        self.messages >> (self.depth - 1) & 1 == 1
    }

    /// Reads a body up to its end, which makes it a part, or up to the first body within it.
    fn body(&mut self, part: &mut Part<'a>) -> Result<bool> {
        let start = self.cursor.pos;
        self.cursor.expect(b'(', Expected::OpenParenthesis)?;
        self.cursor.spaces();
        let multipart = self.cursor.peek() == Some(b'(');
        let numbered = self.number(multipart);
        if multipart {
            if self.depth == self.max_depth {
                return self.skip_deep(part, start, numbered);
            }
            self.open(start, numbered, false);
            return Ok(false);
        }
        self.leaf(part)?;
        if part.kind == PartKind::Message {
            self.cursor.spaces();
            if self.cursor.peek() != Some(b'(') {
                part.kind = PartKind::Leaf;
            } else if self.depth == self.max_depth {
                self.cursor.skip_list()?;
                self.cut = true;
            } else {
                self.open(start, numbered, true);
                return Ok(false);
            }
        }
        self.tail(part)?;
        self.close(numbered);
        Ok(true)
    }

    /// Puts the number of the body that begins here on the path, if it has one of its own.
    fn number(&mut self, multipart: bool) -> bool {
        let len = usize::from(self.path.len);
        let in_multipart = self.depth > 0 && !self.top_is_message();
        let number = &mut self.path.numbers[len];
        if in_multipart {
            *number = number.saturating_add(1);
        } else if multipart {
            return false;
        } else {
            *number = 1;
        }
        self.path.len += 1;
        true
    }

    fn open(&mut self, start: usize, numbered: bool, message: bool) {
        let bit = 1 << self.depth;
        self.messages = if message { self.messages | bit } else { self.messages & !bit };
        self.numbered = if numbered { self.numbered | bit } else { self.numbered & !bit };
        self.starts[self.depth] = start as u32;
        self.path.numbers[usize::from(self.path.len)] = 0;
        self.depth += 1;
        self.place = Place::Body;
    }

    /// Leaves a body that ended.
    fn close(&mut self, numbered: bool) {
        self.path.len -= u8::from(numbered);
        self.place = if self.depth == 0 { Place::Done } else { Place::Behind };
    }

    fn close_container(&mut self) {
        self.depth -= 1;
        let numbered = self.numbered >> self.depth & 1 == 1;
        self.close(numbered);
    }

    fn close_multipart(&mut self, part: &mut Part<'a>) -> Result<bool> {
        *part =
            Part { kind: PartKind::Multipart, depth: self.depth - 1, media_type: Some(MULTIPART), ..BLANK };
        part.path.len = self.path.len;
        self.field(&mut part.subtype)?;
        part.params = params(&mut self.cursor)?;
        self.extension(part)?;
        self.close_container();
        Ok(true)
    }

    fn close_message(&mut self, part: &mut Part<'a>) -> Result<bool> {
        let behind = self.cursor.pos;
        self.cursor.pos = self.starts[self.depth - 1] as usize + 1;
        self.leaf(part)?;
        part.depth = self.depth - 1;
        self.cursor.pos = behind;
        self.tail(part)?;
        self.close_container();
        Ok(true)
    }

    fn skip_deep(&mut self, part: &mut Part<'a>, start: usize, numbered: bool) -> Result<bool> {
        self.cut = true;
        *part = Part { kind: PartKind::TooDeep, depth: self.depth, ..BLANK };
        part.path.len = self.path.len;
        self.cursor.pos = start;
        self.cursor.skip_list()?;
        self.close(numbered);
        Ok(true)
    }

    /// The fields of a body that is no multipart up to its size, and the envelope of a message.
    #[inline]
    fn leaf(&mut self, part: &mut Part<'a>) -> Result<()> {
        part.path.len = self.path.len;
        part.kind = PartKind::Leaf;
        part.depth = self.depth;
        self.field(&mut part.media_type)?;
        self.field(&mut part.subtype)?;
        part.params = params(&mut self.cursor)?;
        self.field(&mut part.content_id)?;
        self.field(&mut part.description)?;
        self.field(&mut part.encoding)?;
        part.size = self.optional_size()?.unwrap_or(0);
        part.lines = None;
        part.disposition = None;
        part.envelope = b"";
        self.cursor.spaces();
        if self.cursor.peek() == Some(b'(') && part.media_type.is_some_and(|t| is(t.raw, b"MESSAGE")) {
            let start = self.cursor.pos;
            envelope(&mut self.cursor)?;
            part.envelope = self.cursor.since(start);
            part.kind = PartKind::Message;
        }
        Ok(())
    }

    /// What follows the size, or the body of a message: lines, MD5, and the fields that every part may have.
    fn tail(&mut self, part: &mut Part<'a>) -> Result<()> {
        self.cursor.spaces();
        // Some servers leave the lines out of a text, others count them for any part.
        if self.cursor.peek().is_some_and(|b| b.is_ascii_digit()) {
            part.lines = self.optional_size()?;
            self.cursor.spaces();
        }
        // A list where MD5 stands is the disposition behind an MD5 that was left out.
        if !matches!(self.cursor.peek(), Some(b'(' | b')')) {
            self.field(&mut None)?;
        }
        self.extension(part)
    }

    /// Disposition, language, location and whatever may come; then the closing parenthesis.
    fn extension(&mut self, part: &mut Part<'a>) -> Result<()> {
        self.cursor.spaces();
        if self.cursor.peek() != Some(b')') {
            part.disposition = disposition(&mut self.cursor)?;
        }
        loop {
            while self.cursor.plain_field().is_some() {}
            self.cursor.spaces();
            if self.cursor.eat(b')') {
                return Ok(());
            }
            self.cursor.skip_value()?;
        }
    }

    /// A string or NIL, or nothing where the list ends. `()` is NIL.
    ///
    /// Written to its place at once: a value handed back through memory and copied from there
    /// takes longer than it took to find.
    #[inline(always)]
    fn field(&mut self, out: &mut NString<'a>) -> Result<()> {
        match self.cursor.plain_field() {
            Some(text) => *out = text,
            None => *out = self.odd_field()?,
        }
        Ok(())
    }

    #[cold]
    fn odd_field(&mut self) -> Result<NString<'a>> {
        self.cursor.spaces();
        match self.cursor.peek() {
            Some(b')') => Ok(None),
            Some(b'(') => empty_list(&mut self.cursor).map(|()| None),
            _ => self.cursor.nstring(),
        }
    }

    /// A number, or NIL or an empty string in its place, or nothing where the list ends.
    #[inline]
    fn optional_size(&mut self) -> Result<Option<u64>> {
        self.cursor.spaces();
        match self.cursor.peek() {
            Some(b'0'..=b'9') => self.cursor.size().map(Some),
            Some(b')') => Ok(None),
            Some(b'-') => self.cursor.atom().map(|_| None),
            _ => match self.cursor.nstring()? {
                Some(text) if !text.is_empty() => self.cursor.fail(Expected::Number),
                _ => Ok(None),
            },
        }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        if self.place == Place::Done {
            return None;
        }
        if self.left == 0 || usize::from(self.path.numbers[usize::from(self.path.len)]) >= MAX_PARTS {
            self.place = Place::Done;
            self.cut = true;
            return None;
        }
        self.left -= 1;
        // Not with a combinator, which would copy the part once more.
        if let Some(part) = self.plain_next() {
            return Some(part);
        }
        self.odd_next()
    }
}

impl<'a> Parts<'a> {
    /// The next part, if it is a plain one. If it is not, containers around it may have been opened, and
    /// nothing else has changed.
    #[inline(always)]
    fn plain_next(&mut self) -> Option<Part<'a>> {
        let text = self.cursor.text;
        if self.place == Place::Behind {
            if self.top_is_message() {
                return None;
            }
            if text.get(self.cursor.pos) != Some(&b'(') {
                let (said, end) = plain_multipart(text, self.cursor.pos)?;
                let part = self.part(PartKind::Multipart, self.depth - 1, said);
                self.cursor.pos = end;
                self.close_container();
                return Some(part);
            }
            self.place = Place::Body;
        }
        while text.get(self.cursor.pos..)?.starts_with(b"((") {
            if self.depth == self.max_depth {
                return None;
            }
            let numbered = self.number(true);
            self.open(self.cursor.pos, numbered, false);
            self.cursor.pos += 1;
        }
        let (said, end) = plain_leaf(text, behind(text, self.cursor.pos, b'(')?)?;
        let numbered = self.number(false);
        let part = self.part(PartKind::Leaf, self.depth, said);
        self.cursor.pos = end;
        self.close(numbered);
        Some(part)
    }

    /// The parts without the quick way.
    #[cfg(test)]
    pub(super) fn patiently(mut self) -> impl Iterator<Item = Part<'a>> {
        std::iter::from_fn(move || self.odd_next())
    }

    /// A part at the present path.
    #[inline(always)]
    fn part(&self, kind: PartKind, depth: usize, said: Said<'a>) -> Part<'a> {
        Part {
            path: self.path.copied(),
            kind,
            depth,
            media_type: said.media_type,
            subtype: said.subtype,
            params: said.params,
            content_id: said.content_id,
            description: said.description,
            encoding: said.encoding,
            size: said.size,
            lines: said.lines,
            disposition: said.disposition,
            envelope: b"",
        }
    }

    #[cold]
    fn odd_next(&mut self) -> Option<Part<'a>> {
        let mut part = BLANK;
        // The structure was checked when it was read: there is no error left to meet.
        if !self.step(&mut part).unwrap_or(false) {
            return None;
        }
        // Closing a part takes its number off the path but leaves it standing.
        part.path.numbers = self.path.numbers;
        Some(part)
    }
}

fn empty_list(cursor: &mut Cursor<'_>) -> Result<()> {
    cursor.expect(b'(', Expected::OpenParenthesis)?;
    cursor.spaces();
    cursor.expect(b')', Expected::CloseParenthesis)
}

/// Parameters: a list of strings, NIL, or nothing where the list around ends.
#[inline]
fn params<'a>(cursor: &mut Cursor<'a>) -> Result<Params<'a>> {
    cursor.spaces();
    if !cursor.eat(b'(') {
        if cursor.peek() != Some(b')') && cursor.nstring()?.is_some_and(|text| !text.is_empty()) {
            return cursor.fail(Expected::OpenParenthesis);
        }
        return Ok(Params::default());
    }
    let start = cursor.pos;
    loop {
        while cursor.plain_field().is_some() {}
        cursor.spaces();
        if cursor.peek() == Some(b')') {
            let raw = cursor.since(start);
            cursor.pos += 1;
            return Ok(Params { raw });
        }
        cursor.nstring()?;
    }
}

/// `("attachment" ("filename" "x"))`, a bare string, `()` or NIL.
fn disposition<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Disposition<'a>>> {
    if !cursor.eat(b'(') {
        return Ok(cursor.nstring()?.map(|kind| Disposition { kind, params: Params::default() }));
    }
    cursor.spaces();
    if cursor.eat(b')') {
        return Ok(None);
    }
    let kind = cursor.nstring()?;
    let params = params(cursor)?;
    cursor.spaces();
    cursor.expect(b')', Expected::CloseParenthesis)?;
    Ok(kind.map(|kind| Disposition { kind, params }))
}
