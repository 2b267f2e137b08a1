//! What an IMAP server says of a message without sending it: ENVELOPE, BODY and BODYSTRUCTURE (RFC 9051 §7.5.2).
//!
//! They are written as they go on the wire, once for each message, and kept. Strings that quotes cannot hold
//! are literals, which every client reads whatever it has enabled.

use serde::{Deserialize, Serialize};

use super::fields::{RawField, fields, unfolded};
use super::mime_value::MimeValue;
use super::raw_address::{self, RawAddress};
use super::tree::{NodeKind, SectionIndex};
use crate::limits::Limits;

/// Longest string that is quoted.
const MAX_QUOTED: usize = 1_000;

/// What FETCH says of a message, and where its sections are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Description {
    /// ENVELOPE's value, from its opening parenthesis to its closing one.
    pub envelope: Vec<u8>,
    /// BODY's value: the structure without extension fields.
    pub body: Vec<u8>,
    /// BODYSTRUCTURE's value.
    pub body_structure: Vec<u8>,
    /// The sections.
    pub index: SectionIndex,
}

/// Looks through a message, in time linear in its length.
pub fn describe(raw: &[u8], limits: &Limits) -> Description {
    let index = SectionIndex::read(raw, limits);
    let mut description = Description::default();
    let header = index.header();
    put_envelope(&mut description.envelope, &raw[header.start as usize..header.end as usize]);
    let tree = |extended| Tree { raw, index: &index, extended, steps: Vec::new() };
    tree(false).put(&mut description.body);
    tree(true).put(&mut description.body_structure);
    description.index = index;
    description
}

/// ENVELOPE of a header.
pub(super) fn put_envelope(out: &mut Vec<u8>, header: &[u8]) {
    const NAMES: [&[u8]; 10] = [
        b"Date",
        b"Subject",
        b"From",
        b"Sender",
        b"Reply-To",
        b"To",
        b"Cc",
        b"Bcc",
        b"In-Reply-To",
        b"Message-ID",
    ];
    let mut texts: [Option<Vec<u8>>; 10] = Default::default();
    for field in fields(header) {
        let Some(at) = NAMES.iter().position(|name| field.is(name)) else { continue };
        match &mut texts[at] {
            // Of recipients there may be several fields (RFC 5322 §3.6 forbids it); all of them are.
            Some(text) if (5..8).contains(&at) => {
                text.extend_from_slice(b", ");
                text.extend(unfolded(field.value));
            }
            Some(_) => {}
            text => *text = Some(unfolded(field.value)),
        }
    }
    let mut lists: Vec<Vec<RawAddress>> =
        texts[2..8].iter().map(|text| text.as_deref().map(raw_address::parse).unwrap_or_default()).collect();
    // RFC 9051 §7.5.2: where Sender or Reply-To is missing or empty the server says From.
    for at in [1, 2] {
        if lists[at].is_empty() {
            lists[at] = lists[0].clone();
        }
    }
    out.push(b'(');
    put_nstring(out, texts[0].as_deref());
    out.push(b' ');
    put_nstring(out, texts[1].as_deref());
    for list in &lists {
        out.push(b' ');
        put_addresses(out, list);
    }
    out.push(b' ');
    put_nstring(out, texts[8].as_deref());
    out.push(b' ');
    put_nstring(out, texts[9].as_deref());
    out.push(b')');
}

fn put_addresses(out: &mut Vec<u8>, list: &[RawAddress]) {
    if list.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    for address in list {
        let (name, route, local, domain) = match address {
            RawAddress::Mailbox { name, route, local, domain } => {
                (name.as_deref(), route.as_deref(), Some(local.as_slice()), Some(domain.as_slice()))
            }
            RawAddress::GroupStart(name) => (None, None, Some(name.as_slice()), None),
            RawAddress::GroupEnd => (None, None, None, None),
        };
        for (before, value) in [(b'(', name), (b' ', route), (b' ', local), (b' ', domain)] {
            out.push(before);
            put_nstring(out, value);
        }
        out.push(b')');
    }
    out.push(b')');
}

fn put_nstring(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        Some(value) => put_string(out, value),
        None => out.extend_from_slice(b"NIL"),
    }
}

fn put_string(out: &mut Vec<u8>, value: &[u8]) {
    if value.len() > MAX_QUOTED || !value.iter().all(|b| matches!(b, b'\t' | b' '..=b'~')) {
        let value: Vec<u8> = value.iter().copied().filter(|b| *b != 0).collect();
        out.extend_from_slice(format!("{{{}}}\r\n", value.len()).as_bytes());
        out.extend_from_slice(&value);
        return;
    }
    out.push(b'"');
    for &b in value {
        if matches!(b, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(b);
    }
    out.push(b'"');
}

/// The fields of a part's header that its description repeats.
#[derive(Default)]
struct Described {
    content_type: Option<MimeValue>,
    encoding: Option<Vec<u8>>,
    id: Option<Vec<u8>>,
    description: Option<Vec<u8>>,
    md5: Option<Vec<u8>>,
    disposition: Option<MimeValue>,
    language: Vec<Vec<u8>>,
    location: Option<Vec<u8>>,
}

impl Described {
    fn read(header: &[u8]) -> Described {
        let mut found = Described::default();
        let text = |field: &RawField<'_>| Some(unfolded(field.value)).filter(|text| !text.is_empty());
        for field in fields(header) {
            let Some(name) = field.name.get(..8).filter(|name| name.eq_ignore_ascii_case(b"Content-")) else {
                continue;
            };
            match field.name[name.len()..].to_ascii_lowercase().as_slice() {
                b"type" if found.content_type.is_none() => {
                    found.content_type = MimeValue::content_type(&unfolded(field.value));
                }
                b"transfer-encoding" if found.encoding.is_none() => {
                    found.encoding = Some(MimeValue::word(&unfolded(field.value))).filter(|w| !w.is_empty());
                }
                b"id" if found.id.is_none() => found.id = text(&field),
                b"description" if found.description.is_none() => found.description = text(&field),
                b"md5" if found.md5.is_none() => found.md5 = text(&field),
                b"disposition" if found.disposition.is_none() => {
                    found.disposition = MimeValue::disposition(&unfolded(field.value));
                }
                b"language" if found.language.is_empty() => {
                    found.language = MimeValue::list(&unfolded(field.value));
                }
                b"location" if found.location.is_none() => found.location = text(&field),
                _ => {}
            }
        }
        found
    }
}

/// Writes the structure of a message, with a stack of its own: nesting is the sender's choice.
struct Tree<'a> {
    raw: &'a [u8],
    index: &'a SectionIndex,
    extended: bool,
    /// What is left to be written, the next last.
    steps: Vec<Step>,
}

enum Step {
    /// A part; `true` where it stands in a digest, and is a message unless it says otherwise.
    Part(usize, bool),
    /// What follows the parts of a multipart.
    BehindParts(Described),
    /// What follows the structure of the message in a part.
    BehindMessage(usize, Described),
}

impl Tree<'_> {
    fn put(mut self, out: &mut Vec<u8>) {
        if !self.index.nodes.is_empty() {
            self.steps.push(Step::Part(0, false));
        }
        while let Some(step) = self.steps.pop() {
            match step {
                Step::Part(node, in_digest) => self.part(out, node, in_digest),
                Step::BehindParts(described) => self.behind_parts(out, &described),
                Step::BehindMessage(node, described) => {
                    put_number(out, self.index.nodes[node].lines);
                    self.extension(out, &described, true);
                    out.push(b')');
                }
            }
        }
    }

    fn header(&self, node: usize) -> &[u8] {
        let node = &self.index.nodes[node];
        &self.raw[node.header as usize..node.body as usize]
    }

    fn part(&mut self, out: &mut Vec<u8>, at: usize, in_digest: bool) {
        let described = Described::read(self.header(at));
        out.push(b'(');
        match self.index.nodes[at].kind {
            NodeKind::Multipart => {
                let digest = described.content_type.as_ref().is_some_and(|value| value.is_subtype("digest"));
                let parts: Vec<usize> = self.index.children(at).collect();
                if parts.is_empty() {
                    // The grammar wants at least one: an empty text.
                    self.empty_part(out);
                }
                self.steps.push(Step::BehindParts(described));
                self.steps.extend(parts.into_iter().rev().map(|part| Step::Part(part, digest)));
            }
            NodeKind::Message => {
                self.fields(out, at, &described, in_digest);
                out.push(b' ');
                let inner = self.index.children(at).next();
                put_envelope(out, inner.map(|inner| self.header(inner)).unwrap_or_default());
                out.push(b' ');
                self.steps.push(Step::BehindMessage(at, described));
                match inner {
                    Some(inner) => self.steps.push(Step::Part(inner, false)),
                    None => self.empty_part(out),
                }
            }
            NodeKind::Leaf => {
                let text = self.fields(out, at, &described, in_digest);
                if text {
                    put_number(out, self.index.nodes[at].lines);
                }
                self.extension(out, &described, true);
                out.push(b')');
            }
        }
    }

    /// Type, parameters, id, description, encoding and size; whether it is a text.
    fn fields(&self, out: &mut Vec<u8>, at: usize, described: &Described, in_digest: bool) -> bool {
        let node = &self.index.nodes[at];
        let leaf = node.kind == NodeKind::Leaf;
        let (main, sub, params): (&[u8], &[u8], &[_]) = match &described.content_type {
            // What could not be taken apart is no longer what it says, or readers would look for its parts.
            Some(value) if leaf && (value.is_type("multipart") || value.is_message()) => {
                (b"application", b"octet-stream", &[])
            }
            Some(value) => (&value.main, &value.sub, &value.params),
            None if in_digest && leaf => (b"application", b"octet-stream", &[]),
            None if in_digest => (b"message", b"rfc822", &[]),
            None => (b"text", b"plain", &[]),
        };
        put_string(out, main);
        out.push(b' ');
        put_string(out, sub);
        out.push(b' ');
        let text = main.eq_ignore_ascii_case(b"text");
        let charset = params.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"charset"));
        // RFC 2046 §4.1.2: a text that names no charset is in US-ASCII.
        put_params(out, params, text && !charset);
        for value in [&described.id, &described.description] {
            out.push(b' ');
            put_nstring(out, value.as_deref());
        }
        out.push(b' ');
        put_string(out, described.encoding.as_deref().unwrap_or(b"7bit"));
        put_number(out, node.end - node.body);
        text
    }

    fn behind_parts(&self, out: &mut Vec<u8>, described: &Described) {
        let value = described.content_type.as_ref();
        out.push(b' ');
        put_string(out, value.map_or(b"mixed", |value| value.sub.as_slice()));
        if self.extended {
            out.push(b' ');
            put_params(out, value.map_or(&[], |value| &value.params), false);
        }
        self.extension(out, described, false);
        out.push(b')');
    }

    /// What stands for the parts of a multipart that has none.
    fn empty_part(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0");
        self.extension(out, &Described::default(), true);
        out.push(b')');
    }

    /// MD5 of a part that is no multipart, disposition, language and location.
    fn extension(&self, out: &mut Vec<u8>, described: &Described, md5: bool) {
        if !self.extended {
            return;
        }
        if md5 {
            out.push(b' ');
            put_nstring(out, described.md5.as_deref());
        }
        out.push(b' ');
        match &described.disposition {
            Some(value) => {
                out.push(b'(');
                put_string(out, &value.main);
                out.push(b' ');
                put_params(out, &value.params, false);
                out.push(b')');
            }
            None => out.extend_from_slice(b"NIL"),
        }
        out.push(b' ');
        match described.language.as_slice() {
            [] => out.extend_from_slice(b"NIL"),
            words => {
                for (at, word) in words.iter().enumerate() {
                    out.push(if at == 0 { b'(' } else { b' ' });
                    put_string(out, word);
                }
                out.push(b')');
            }
        }
        out.push(b' ');
        put_nstring(out, described.location.as_deref());
    }
}

fn put_params(out: &mut Vec<u8>, params: &[(Vec<u8>, Vec<u8>)], default_charset: bool) {
    if params.is_empty() && !default_charset {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    for (at, (name, value)) in params.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        put_string(out, name);
        out.push(b' ');
        put_string(out, value);
    }
    if default_charset {
        out.extend_from_slice(if params.is_empty() { b"" } else { b" " });
        out.extend_from_slice(b"\"charset\" \"us-ascii\"");
    }
    out.push(b')');
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(format!(" {number}").as_bytes());
}
