//! MIME structure (RFC 2046 §5.1): one pass over the message that finds where parts begin and end.
//!
//! The pass keeps its own stack, looks at each octet a bounded number of times, and stops at the limits
//! for nesting and parts; it decodes nothing.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::header::{Field, Header, bounded, line_text, message_id};
use super::params::Value;
use super::transfer::TransferEncoding;
use super::words::{clean, unfold};
use super::{Disposition, Part};
use crate::limits::Limits;

/// Longest file name, media type and charset kept.
const FILE_NAME: usize = 1_000;
const TOKEN: usize = 100;

/// A message cut into parts.
#[derive(Debug)]
pub(super) struct Structure<'a> {
    pub(super) header: Header<'a>,
    pub(super) leaves: Vec<Leaf>,
    /// Every part was seen to its end.
    pub(super) complete: bool,
    /// Something could not be read, or not all of it.
    pub(super) degraded: bool,
    /// Some multipart was still open at the end of the octets.
    pub(super) open: bool,
    /// The message itself is multipart/mixed.
    pub(super) mixed: bool,
}

/// A part that is no multipart: content, or a whole message.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) part: Part,
    pub(super) body: Range<usize>,
    /// The innermost multipart/alternative that it is in, by a number of its own.
    pub(super) alternative: Option<usize>,
    /// It belongs to a message inside this message.
    pub(super) inside: bool,
    pub(super) flow: Flow,
}

/// Whether text is format=flowed (RFC 3676).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Flow {
    #[default]
    Fixed,
    Flowed,
    /// DelSp=yes: the blank before a soft line break is no part of the text.
    FlowedDelSp,
}

/// A multipart, or a message within the message, that is open.
struct Level {
    kind: Kind,
    /// What the numbers of its parts start with: empty, or `1.2.`
    prefix: String,
    children: u32,
    digest: bool,
    alternative: Option<usize>,
    inside: bool,
}

enum Kind {
    Multipart {
        boundary: Vec<u8>,
    },
    /// The leaf that stands for the message.
    Message {
        leaf: usize,
    },
}

/// A delimiter line.
struct Delimiter {
    /// End of the body before it, whose last line end belongs to the delimiter.
    body_end: usize,
    /// Start of the line after it.
    next: usize,
    level: usize,
    close: bool,
}

impl<'a> Structure<'a> {
    /// Walks over `raw`. With `prefix`, more of the message follows that is not here.
    pub(super) fn walk(raw: &'a [u8], prefix: bool, limits: &Limits) -> Structure<'a> {
        let header = Header::scan(raw, |_| false);
        let structure = Structure {
            header: Header::default(),
            leaves: Vec::new(),
            complete: !prefix,
            degraded: false,
            open: false,
            mixed: false,
        };
        let mut walk = Walk { raw, prefix, limits, structure, stack: Vec::new(), alternatives: 0 };
        // A header that does not end here says nothing about the parts. Its last line may be half a line.
        if prefix && header.cut && header.any && memchr(b'\n', &raw[header.body..]).is_none() {
            walk.structure.degraded = true;
        } else {
            walk.run(&header);
        }
        for leaf in &mut walk.structure.leaves {
            leaf.part.size = leaf.body.len() as u64;
        }
        Structure { header, ..walk.structure }
    }
}

struct Walk<'a, 'l> {
    raw: &'a [u8],
    prefix: bool,
    limits: &'l Limits,
    structure: Structure<'a>,
    stack: Vec<Level>,
    alternatives: usize,
}

impl Walk<'_, '_> {
    fn run(&mut self, header: &Header<'_>) {
        let mut next = self.entity(0, header);
        while let Some(at) = next {
            let header = Header::scan(&self.raw[at..], |line| self.delimits(line).is_some());
            next = self.entity(at, &header);
        }
    }

    /// Takes the entity that starts at `at`; gives the start of the next one.
    fn entity(&mut self, at: usize, header: &Header<'_>) -> Option<usize> {
        if self.structure.leaves.len() >= self.limits.parts {
            self.structure.degraded = true;
            self.structure.complete = false;
            return None;
        }
        if self.prefix && header.cut && !self.stack.is_empty() {
            return self.end();
        }
        let body = at + header.body;
        let content_type = header.get(Field::ContentType).map(unfold).unwrap_or_default();
        let content_type = Value::parse(&content_type);
        let kind = self.media_type(&content_type);
        let deep = self.stack.len() >= self.limits.nesting;
        let in_message = matches!(self.stack.last(), Some(Level { kind: Kind::Message { .. }, .. }));
        let number = self.number(in_message);
        if kind.starts_with("multipart/") {
            let boundary = content_type.plain("boundary").unwrap_or_default().trim_end();
            if boundary.is_empty() || deep {
                self.structure.degraded = true;
            } else {
                self.structure.mixed |= self.stack.is_empty() && kind == "multipart/mixed";
                let whole = self.stack.is_empty() || in_message;
                self.open_multipart(&kind, boundary, &number, whole);
                let delimiter = self.next_delimiter(body);
                match delimiter {
                    Some(delimiter) if delimiter.level + 1 == self.stack.len() => {
                        return self.follow(delimiter);
                    }
                    None if self.prefix => return self.end(),
                    _ => {
                        self.stack.pop();
                        self.structure.degraded = true;
                    }
                }
            }
        }
        let number = if in_message || self.stack.is_empty() { first_child(&number) } else { number };
        let leaf = self.leaf(header, &content_type, kind, number, body);
        let is_message = matches!(leaf.part.media_type.as_str(), "message/rfc822" | "message/global")
            && leaf.part.encoding == TransferEncoding::Identity;
        let number = leaf.part.number.clone();
        self.structure.leaves.push(leaf);
        if is_message && deep {
            self.structure.degraded = true;
        } else if is_message {
            let leaf = self.structure.leaves.len() - 1;
            let prefix = format!("{number}.");
            self.push_level(Kind::Message { leaf }, prefix, false, None, true);
            return Some(body);
        }
        match self.next_delimiter(body) {
            Some(delimiter) => {
                if let Some(leaf) = self.structure.leaves.last_mut() {
                    leaf.body.end = delimiter.body_end;
                }
                self.follow(delimiter)
            }
            None => self.end(),
        }
    }

    /// The number of the entity that comes next (RFC 9051 §6.4.5.1). The body of a message has the
    /// message's own number for now: only if it is no multipart it is part 1 of it.
    fn number(&mut self, in_message: bool) -> String {
        match self.stack.last_mut() {
            None => String::new(),
            Some(level) if in_message => level.prefix.trim_end_matches('.').to_owned(),
            Some(level) => {
                level.children += 1;
                format!("{}{}", level.prefix, level.children)
            }
        }
    }

    fn media_type(&self, content_type: &Value<'_>) -> String {
        let digest = self.stack.last().is_some_and(|level| level.digest);
        match content_type.main.as_str() {
            "" if digest => "message/rfc822".to_owned(),
            "" | "text" => "text/plain".to_owned(),
            main if main.contains('/') => clean(main, TOKEN),
            _ => "application/octet-stream".to_owned(),
        }
    }

    fn open_multipart(&mut self, kind: &str, boundary: &str, number: &str, whole: bool) {
        let prefix = if whole && number.is_empty() { String::new() } else { format!("{number}.") };
        if kind == "multipart/alternative" {
            self.alternatives += 1;
        }
        let alternative = (kind == "multipart/alternative").then_some(self.alternatives);
        let kind_level = Kind::Multipart { boundary: boundary.as_bytes().to_vec() };
        self.push_level(kind_level, prefix, kind == "multipart/digest", alternative, false);
    }

    fn push_level(
        &mut self,
        kind: Kind,
        prefix: String,
        digest: bool,
        alternative: Option<usize>,
        message: bool,
    ) {
        let outer = self.stack.last();
        // Alternatives of the message around a message are no alternatives within it.
        let alternative = alternative.or(outer.and_then(|level| level.alternative)).filter(|_| !message);
        let inside = message || outer.is_some_and(|level| level.inside);
        self.stack.push(Level { kind, prefix, children: 0, digest, alternative, inside });
    }

    fn leaf(
        &self,
        header: &Header<'_>,
        content_type: &Value<'_>,
        media_type: String,
        number: String,
        body: usize,
    ) -> Leaf {
        let disposition = header.get(Field::ContentDisposition).map(unfold).unwrap_or_default();
        let disposition = Value::parse(&disposition);
        let name = disposition.decoded("filename").or_else(|| content_type.decoded("name"));
        let encoding = header.get(Field::ContentTransferEncoding).map(unfold).unwrap_or_default();
        let flow = match content_type.plain("format") {
            Some(format) if format.eq_ignore_ascii_case("flowed") => match content_type.plain("delsp") {
                Some(delsp) if delsp.eq_ignore_ascii_case("yes") => Flow::FlowedDelSp,
                _ => Flow::Flowed,
            },
            _ => Flow::Fixed,
        };
        let level = self.stack.last();
        let part = Part {
            number,
            media_type,
            charset: content_type.plain("charset").map(|name| clean(name, TOKEN)),
            name: name.map(|name| clean(&name, FILE_NAME)).filter(|name| !name.is_empty()),
            disposition: Disposition::from_name(&disposition.main),
            content_id: header.get(Field::ContentId).map(bounded).and_then(message_id),
            encoding: TransferEncoding::from_name(encoding.split('(').next().unwrap_or_default()),
            size: 0,
        };
        Leaf {
            part,
            body: body..self.raw.len(),
            alternative: level.and_then(|level| level.alternative),
            inside: level.is_some_and(|level| level.inside),
            flow,
        }
    }

    /// The level that a line delimits, and whether it closes it.
    fn delimits(&self, line: &[u8]) -> Option<(usize, bool)> {
        let text = line.strip_prefix(b"--")?.trim_ascii_end();
        self.stack.iter().enumerate().rev().find_map(|(at, level)| {
            let Kind::Multipart { boundary } = &level.kind else { return None };
            match text.strip_prefix(boundary.as_slice())? {
                b"" => Some((at, false)),
                b"--" => Some((at, true)),
                _ => None,
            }
        })
    }

    fn next_delimiter(&self, from: usize) -> Option<Delimiter> {
        if !self.stack.iter().any(|level| matches!(level.kind, Kind::Multipart { .. })) {
            return None;
        }
        // Bodies begin at the start of a line.
        let mut line_start = from;
        if !self.raw[from..].starts_with(b"--") {
            line_start = next_dashes(self.raw, from)?;
        }
        loop {
            let next =
                memchr(b'\n', &self.raw[line_start..]).map_or(self.raw.len(), |at| line_start + at + 1);
            let line = &self.raw[line_start..next];
            if self.prefix && !line.ends_with(b"\n") {
                return None;
            }
            if let Some((level, close)) = self.delimits(line_text(line)) {
                let body_end = from + line_text(&self.raw[from..line_start]).len();
                return Some(Delimiter { body_end, next, level, close });
            }
            line_start = next_dashes(self.raw, next.saturating_sub(1))?;
        }
    }

    /// Closes what a delimiter closes; gives the start of the entity after it.
    fn follow(&mut self, mut delimiter: Delimiter) -> Option<usize> {
        loop {
            self.close_to(delimiter.level + 1, delimiter.body_end);
            if !delimiter.close {
                return Some(delimiter.next);
            }
            self.stack.pop();
            match self.next_delimiter(delimiter.next) {
                Some(outer) => delimiter = outer,
                None => return self.end(),
            }
        }
    }

    /// Closes all levels but the outermost `keep`; a multipart closed thus lacks its last delimiter.
    fn close_to(&mut self, keep: usize, body_end: usize) {
        for level in self.stack.drain(keep..).rev() {
            match level.kind {
                Kind::Message { leaf } => self.structure.leaves[leaf].body.end = body_end,
                Kind::Multipart { .. } => self.structure.degraded = true,
            }
        }
    }

    /// The octets end here.
    fn end(&mut self) -> Option<usize> {
        let open = self.stack.iter().any(|level| matches!(level.kind, Kind::Multipart { .. }));
        self.structure.open = open;
        self.structure.degraded |= open && !self.prefix;
        // Of a prefix, all parts are known to their ends once the outermost multipart is closed.
        let only_leaf_cut = self.structure.leaves.last().is_some_and(|leaf| leaf.body.end == self.raw.len());
        self.structure.complete = !self.prefix || !(open || only_leaf_cut);
        None
    }
}

fn first_child(number: &str) -> String {
    if number.is_empty() { "1".to_owned() } else { format!("{number}.1") }
}

/// The start of the next line after `from` that begins with two dashes.
fn next_dashes(raw: &[u8], from: usize) -> Option<usize> {
    memmem::find(&raw[from..], b"\n--").map(|at| from + at + 1)
}

impl Leaf {
    /// Text that is meant to be read as the message, rather than saved.
    pub(super) fn is_readable(&self) -> bool {
        self.is_text() && self.part.disposition != Disposition::Attachment
    }

    pub(super) fn is_html(&self) -> bool {
        self.part.media_type == "text/html"
    }

    /// A multipart that could not be taken apart is shown as the text it is.
    fn is_text(&self) -> bool {
        self.is_html()
            || matches!(self.part.media_type.as_str(), "text/plain" | "text/enriched" | "text/markdown")
            || self.part.media_type.starts_with("multipart/")
    }
}
