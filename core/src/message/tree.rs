//! Where the parts of a message lie: the offsets behind every `BODY[…]` (RFC 9051 §6.4.5.1, RFC 2046 §5.1).
//!
//! One pass finds them, with a stack of its own; each octet is looked at a bounded number of times. What
//! cannot be taken apart within the limits stays one part.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memmem};
use serde::{Deserialize, Serialize};

use super::TransferEncoding;
use super::fields::{fields, unfolded};
use super::header::line_text;
use super::mime_value::MimeValue;
use crate::imap::command::Section;
use crate::limits::Limits;

/// The offsets of a message's parts. Computed once, kept beside the message, and good for every section
/// that FETCH can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SectionIndex {
    /// Depth first; the message itself is the first.
    pub(super) nodes: Vec<Node>,
}

/// One part, or the message itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Node {
    /// The part around it; itself for the first.
    pub(super) parent: u32,
    pub(super) kind: NodeKind,
    /// Where its header begins, its body, and where that ends.
    pub(super) header: u64,
    pub(super) body: u64,
    pub(super) end: u64,
    /// Line ends in the body.
    pub(super) lines: u64,
    pub(super) encoding: TransferEncoding,
}

/// What a node holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum NodeKind {
    Leaf,
    Multipart,
    /// A message, which is its only child.
    Message,
}

/// Where the octets of a section are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Located {
    /// These octets of the message.
    Octets(Range<u64>),
    /// Fields of the header in these octets: those named, or all others. See [`select_fields`](super::select_fields).
    Fields {
        /// The header.
        header: Range<u64>,
        /// Whether those named are wanted, rather than the others.
        named: bool,
    },
}

impl SectionIndex {
    /// Looks through a message.
    pub fn read(raw: &[u8], limits: &Limits) -> SectionIndex {
        let mut walk = Walk { raw, limits, nodes: Vec::new(), stack: Vec::new() };
        walk.run();
        for node in &mut walk.nodes {
            // Parts lie in each other at most as deep as the limit for nesting.
            node.lines = memchr_iter(b'\n', &raw[node.body as usize..node.end as usize]).count() as u64;
        }
        SectionIndex { nodes: walk.nodes }
    }

    /// Where a section is; `None` where there is no such part.
    pub fn locate(&self, section: &Section) -> Option<Located> {
        let (node, inner) = match section {
            Section::Full => {
                let root = self.nodes.first()?;
                return Some(Located::Octets(root.header..root.end));
            }
            Section::Part(numbers) => {
                let node = self.node(numbers)?;
                return Some(Located::Octets(node.body..node.end));
            }
            Section::Mime(numbers) => {
                let node = self.node(numbers)?;
                return Some(Located::Octets(node.header..node.body));
            }
            Section::Within { part, section } => (self.message(part)?, &**section),
            section => (self.nodes.first()?, section),
        };
        let header = node.header..node.body;
        Some(match inner {
            Section::Header => Located::Octets(header),
            Section::Text => Located::Octets(node.body..node.end),
            Section::HeaderFields(_) => Located::Fields { header, named: true },
            Section::HeaderFieldsNot(_) => Located::Fields { header, named: false },
            _ => return None,
        })
    }

    /// A part's content and how it is encoded, for BINARY (RFC 3516); no number names the whole message.
    /// `None` where there is no such part.
    pub fn binary(&self, numbers: &[u32]) -> Option<(Range<u64>, TransferEncoding)> {
        if numbers.is_empty() {
            let root = self.nodes.first()?;
            return Some((root.header..root.end, TransferEncoding::Identity));
        }
        let node = self.node(numbers)?;
        let encoding = if node.kind == NodeKind::Leaf { node.encoding } else { TransferEncoding::Identity };
        Some((node.body..node.end, encoding))
    }

    /// The header of the message itself.
    pub fn header(&self) -> Range<u64> {
        self.nodes.first().map_or(0..0, |root| root.header..root.body)
    }

    /// The parts of a part, in their order.
    pub(super) fn children(&self, of: usize) -> impl Iterator<Item = usize> + '_ {
        (of + 1..self.nodes.len()).filter(move |at| self.nodes[*at].parent as usize == of)
    }

    /// The message that stands in a part.
    fn message(&self, numbers: &[u32]) -> Option<&Node> {
        let at = self.place(numbers)?;
        if self.nodes[at].kind != NodeKind::Message {
            return None;
        }
        self.children(at).next().map(|inner| &self.nodes[inner])
    }

    fn node(&self, numbers: &[u32]) -> Option<&Node> {
        self.place(numbers).map(|at| &self.nodes[at])
    }

    /// The part with these numbers. The body of a message that is no multipart is part 1 of it.
    fn place(&self, numbers: &[u32]) -> Option<usize> {
        let mut at = 0;
        let mut numbers = numbers.iter();
        let mut number = *numbers.next()?;
        self.nodes.first()?;
        loop {
            // `at` is an entity whose parts are counted: the message, or one inside a message.
            at = match self.nodes[at].kind {
                NodeKind::Multipart => self.nth_child(at, number)?,
                _ if number == 1 => at,
                _ => return None,
            };
            // Multiparts in multiparts are counted on; a message begins to count anew.
            loop {
                match numbers.next() {
                    None => return Some(at),
                    Some(next) => number = *next,
                }
                match self.nodes[at].kind {
                    NodeKind::Multipart => at = self.nth_child(at, number)?,
                    NodeKind::Message => {
                        at = self.children(at).next()?;
                        break;
                    }
                    NodeKind::Leaf => return None,
                }
            }
        }
    }

    fn nth_child(&self, of: usize, number: u32) -> Option<usize> {
        self.children(of).nth(usize::try_from(number.checked_sub(1)?).ok()?)
    }
}

/// A multipart, or a message in a part, that is open.
struct Level {
    node: usize,
    /// `None` for a message.
    boundary: Option<Vec<u8>>,
    digest: bool,
}

struct Delimiter {
    body_end: usize,
    /// The end of its own line, and behind the line end.
    text_end: usize,
    next: usize,
    level: usize,
    close: bool,
}

struct Walk<'a, 'l> {
    raw: &'a [u8],
    limits: &'l Limits,
    nodes: Vec<Node>,
    stack: Vec<Level>,
}

impl Walk<'_, '_> {
    fn run(&mut self) {
        let mut next = Some(0);
        while let Some(at) = next {
            next = self.entity(at);
        }
        self.close_to(0, self.raw.len());
    }

    /// Takes the entity whose header begins at `at`; gives where the next one begins.
    fn entity(&mut self, at: usize) -> Option<usize> {
        let body = self.header_end(at);
        let (kind, boundary, digest, encoding) = self.read_header(at, body);
        let node = self.nodes.len();
        let parent = self.stack.last().map_or(0, |level| level.node) as u32;
        let end = self.raw.len() as u64;
        let deep = self.stack.len() >= self.limits.nesting;
        // With no room for a part of it, it stays whole.
        let kind = if deep || node + 1 >= self.limits.parts { NodeKind::Leaf } else { kind };
        self.nodes.push(Node { parent, kind, header: at as u64, body: body as u64, end, lines: 0, encoding });
        match kind {
            NodeKind::Message => {
                self.stack.push(Level { node, boundary: None, digest: false });
                return Some(body);
            }
            NodeKind::Multipart => self.stack.push(Level { node, boundary, digest }),
            NodeKind::Leaf => {}
        }
        let delimiter = self.next_delimiter(body, body)?;
        if kind == NodeKind::Leaf {
            self.nodes[node].end = delimiter.body_end.max(body) as u64;
        }
        self.follow(delimiter)
    }

    /// Behind the blank line, or at a delimiter that comes before it.
    fn header_end(&self, start: usize) -> usize {
        let mut at = start;
        while at < self.raw.len() {
            let next = memchr(b'\n', &self.raw[at..]).map_or(self.raw.len(), |end| at + end + 1);
            let line = &self.raw[at..next];
            if matches!(line, b"\n" | b"\r\n") {
                return next;
            }
            if line.starts_with(b"--") && self.delimits(line).is_some() {
                return at;
            }
            at = next;
        }
        at
    }

    fn read_header(&self, at: usize, body: usize) -> (NodeKind, Option<Vec<u8>>, bool, TransferEncoding) {
        let (mut content_type, mut encoding) = (None, None);
        for field in fields(&self.raw[at..body]) {
            if content_type.is_none() && field.is(b"Content-Type") {
                content_type = Some(unfolded(field.value));
            } else if encoding.is_none() && field.is(b"Content-Transfer-Encoding") {
                encoding = Some(unfolded(field.value));
            }
        }
        let value = content_type.as_deref().and_then(MimeValue::content_type);
        let encoding = encoding.as_deref().map(MimeValue::word).unwrap_or_default();
        let encoding = TransferEncoding::from_name(&String::from_utf8_lossy(&encoding));
        let in_digest = self.stack.last().is_some_and(|level| level.digest);
        let (kind, boundary, digest) = match &value {
            Some(value) if value.is_type("multipart") => match value.param("boundary") {
                Some(boundary) if !boundary.is_empty() => {
                    (NodeKind::Multipart, Some(boundary.to_vec()), value.is_subtype("digest"))
                }
                _ => (NodeKind::Leaf, None, false),
            },
            Some(value) if value.is_message() => (NodeKind::Message, None, false),
            None if in_digest => (NodeKind::Message, None, false),
            _ => (NodeKind::Leaf, None, false),
        };
        // RFC 2046 §5.2.1: a message must not be encoded; one that is cannot be looked into.
        match encoding {
            TransferEncoding::Identity => (kind, boundary, digest, encoding),
            _ if kind == NodeKind::Message => (NodeKind::Leaf, None, false, encoding),
            _ => (kind, boundary, digest, encoding),
        }
    }

    /// The level that a line delimits, and whether it closes it. RFC 2046 §5.1.1 has a boundary only begin
    /// the line; a level that fits the line exactly goes before one that does not, the inner before the outer.
    fn delimits(&self, line: &[u8]) -> Option<(usize, bool)> {
        let text = line.strip_prefix(b"--")?.trim_ascii_end();
        let mut begun = None;
        for (at, level) in self.stack.iter().enumerate().rev() {
            let Some(boundary) = &level.boundary else { continue };
            match text.strip_prefix(boundary.as_slice()) {
                Some(b"") => return Some((at, false)),
                Some(b"--") => return Some((at, true)),
                Some(rest) => begun = begun.or(Some((at, rest.starts_with(b"--")))),
                None => {}
            }
        }
        begun
    }

    /// The next delimiter in the lines from `from` on. What lies before it begins at `floor`.
    fn next_delimiter(&self, from: usize, floor: usize) -> Option<Delimiter> {
        if self.stack.iter().all(|level| level.boundary.is_none()) {
            return None;
        }
        let mut line_start = from;
        if !self.raw[from..].starts_with(b"--") {
            line_start = self.next_dashes(from)?;
        }
        loop {
            let next =
                memchr(b'\n', &self.raw[line_start..]).map_or(self.raw.len(), |at| line_start + at + 1);
            if let Some((level, close)) = self.delimits(&self.raw[line_start..next]) {
                // The line end before it is the delimiter's.
                let body_end = floor + line_text(&self.raw[floor..line_start]).len();
                let text_end = line_start + line_text(&self.raw[line_start..next]).len();
                return Some(Delimiter { body_end, text_end, next, level, close });
            }
            line_start = self.next_dashes(next.saturating_sub(1).max(from))?;
        }
    }

    fn next_dashes(&self, from: usize) -> Option<usize> {
        memmem::find(&self.raw[from..], b"\n--").map(|at| from + at + 1)
    }

    /// Closes what a delimiter closes; gives where the entity after it begins.
    fn follow(&mut self, mut delimiter: Delimiter) -> Option<usize> {
        loop {
            self.close_to(delimiter.level + 1, delimiter.body_end);
            if !delimiter.close {
                if self.nodes.len() < self.limits.parts {
                    return Some(delimiter.next);
                }
                // What follows belongs to the multipart, and to no part of it.
                let end = self.raw.len();
                self.close_to(0, end);
                return None;
            }
            let closed = self.stack.pop()?;
            match self.next_delimiter(delimiter.next, delimiter.text_end) {
                Some(outer) => {
                    self.nodes[closed.node].end = outer.body_end as u64;
                    delimiter = outer;
                }
                None => return None,
            }
        }
    }

    /// Closes all levels but the outermost `keep`.
    fn close_to(&mut self, keep: usize, body_end: usize) {
        for level in self.stack.drain(keep..) {
            let node = &mut self.nodes[level.node];
            node.end = (body_end as u64).max(node.body);
        }
    }
}
