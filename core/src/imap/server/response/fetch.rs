//! FETCH answers, written item by item (RFC 9051 §7.5.2 and extensions).

use super::Style;
use crate::flags::FlagSet;
use crate::imap::command::Section;
use crate::imap::server::write::Writer;

/// One item of a FETCH answer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub enum FetchValue<'a> {
    Uid(u32),
    Flags(&'a FlagSet),
    /// With `\Recent` (RFC 3501 §2.3.2), which no flag set holds.
    RecentFlags(&'a FlagSet),
    ModSeq(u64),
    InternalDate(i64),
    Rfc822Size(u64),
    /// Already written, as its parentheses hold it.
    Envelope(&'a [u8]),
    /// Already written.
    Body(&'a [u8]),
    /// Already written.
    BodyStructure(&'a [u8]),
    EmailId(&'a str),
    ThreadId(Option<&'a str>),
    Preview(Option<&'a str>),
    SaveDate(Option<i64>),
    /// `BODY[section]<origin>`
    Section {
        section: &'a Section,
        origin: Option<u32>,
        octets: SectionOctets<'a>,
    },
    /// `BINARY[part]<origin>`
    Binary {
        part: &'a [u32],
        origin: Option<u32>,
        octets: SectionOctets<'a>,
    },
    BinarySize {
        part: &'a [u32],
        size: u64,
    },
    /// `RFC822`, `RFC822.HEADER` and `RFC822.TEXT`, by that name
    Rfc822 {
        name: &'a str,
        octets: SectionOctets<'a>,
    },
}

/// The octets of a section.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SectionOctets<'a> {
    /// There is no such part.
    Nil,
    /// These.
    Here(&'a [u8]),
    /// So many, which the caller puts out next; `true` where they may hold NUL.
    Follow(u64, bool),
}

/// Writes one FETCH answer. After an item whose octets follow, the caller writes exactly those.
#[derive(Debug, Clone, Copy)]
pub struct FetchWriter {
    style: Style,
    any: bool,
}

impl FetchWriter {
    /// `* n FETCH (`
    pub fn begin(seq: u32, style: Style, out: &mut Vec<u8>) -> FetchWriter {
        let mut w = Writer::new(out, style.utf8);
        w.raw("* ");
        w.number(seq.into());
        w.raw(" FETCH (");
        FetchWriter { style, any: false }
    }

    /// The closing parenthesis and the line end.
    pub fn end(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b")\r\n");
    }

    /// One item.
    pub fn put(&mut self, value: &FetchValue<'_>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.any, true) {
            out.push(b' ');
        }
        let mut w = Writer::new(out, self.style.utf8);
        put_value(&mut w, value);
    }
}

fn put_value(w: &mut Writer<'_>, value: &FetchValue<'_>) {
    let numbered = |w: &mut Writer<'_>, word: &str, number: u64, close: &str| {
        w.raw(word);
        w.number(number);
        w.raw(close);
    };
    match value {
        FetchValue::Uid(uid) => numbered(w, "UID ", (*uid).into(), ""),
        FetchValue::Flags(flags) => {
            w.raw("FLAGS ");
            w.flags(flags.wire_words());
        }
        FetchValue::RecentFlags(flags) => {
            w.raw("FLAGS ");
            w.flags(flags.wire_words().chain(Some("\\Recent")));
        }
        FetchValue::ModSeq(modseq) => numbered(w, "MODSEQ (", *modseq, ")"),
        FetchValue::InternalDate(ms) => {
            w.raw("INTERNALDATE ");
            w.date(Some(*ms));
        }
        FetchValue::Rfc822Size(size) => numbered(w, "RFC822.SIZE ", *size, ""),
        FetchValue::Envelope(written) => put_written(w, "ENVELOPE ", written),
        FetchValue::Body(written) => put_written(w, "BODY ", written),
        FetchValue::BodyStructure(written) => put_written(w, "BODYSTRUCTURE ", written),
        FetchValue::EmailId(id) => put_id(w, "EMAILID ", Some(id)),
        FetchValue::ThreadId(id) => put_id(w, "THREADID ", *id),
        FetchValue::Preview(text) => {
            w.raw("PREVIEW ");
            w.nstring(text.map(str::as_bytes));
        }
        FetchValue::SaveDate(ms) => {
            w.raw("SAVEDATE ");
            w.date(*ms);
        }
        FetchValue::Section { section, origin, octets } => {
            w.raw("BODY[");
            put_section(w, section);
            put_octets(w, *origin, octets);
        }
        FetchValue::Binary { part, origin, octets } => {
            w.raw("BINARY[");
            put_part(w, part);
            put_octets(w, *origin, octets);
        }
        FetchValue::BinarySize { part, size } => {
            w.raw("BINARY.SIZE[");
            put_part(w, part);
            numbered(w, "] ", *size, "");
        }
        FetchValue::Rfc822 { name, octets } => {
            w.raw(name);
            put_data(w, octets);
        }
    }
}

fn put_written(w: &mut Writer<'_>, word: &str, written: &[u8]) {
    w.raw(word);
    w.out.extend_from_slice(written);
}

fn put_id(w: &mut Writer<'_>, word: &str, id: Option<&str>) {
    w.raw(word);
    match id {
        Some(id) => {
            w.raw("(");
            w.atom(id);
            w.raw(")");
        }
        None => w.raw("NIL"),
    }
}

fn put_octets(w: &mut Writer<'_>, origin: Option<u32>, octets: &SectionOctets<'_>) {
    w.raw("]");
    if let Some(origin) = origin {
        w.raw(&format!("<{origin}>"));
    }
    put_data(w, octets);
}

fn put_data(w: &mut Writer<'_>, octets: &SectionOctets<'_>) {
    w.raw(" ");
    match octets {
        SectionOctets::Nil => w.raw("NIL"),
        SectionOctets::Here(octets) => w.string(octets),
        SectionOctets::Follow(len, literal8) => w.literal_head(*len, *literal8),
    }
}

fn put_part(w: &mut Writer<'_>, part: &[u32]) {
    for (at, number) in part.iter().enumerate() {
        w.raw(if at == 0 { "" } else { "." });
        w.number((*number).into());
    }
}

fn put_section(w: &mut Writer<'_>, section: &Section) {
    match section {
        Section::Full => {}
        Section::Header => w.raw("HEADER"),
        Section::HeaderFields(names) => put_names(w, "HEADER.FIELDS (", names),
        Section::HeaderFieldsNot(names) => put_names(w, "HEADER.FIELDS.NOT (", names),
        Section::Text => w.raw("TEXT"),
        Section::Part(part) => put_part(w, part),
        Section::Mime(part) => {
            put_part(w, part);
            w.raw(".MIME");
        }
        Section::Within { part, section } => {
            put_part(w, part);
            w.raw(".");
            // The parser nests one deep; anything deeper says nothing.
            if !matches!(**section, Section::Within { .. }) {
                put_section(w, section);
            }
        }
    }
}

fn put_names(w: &mut Writer<'_>, word: &str, names: &[String]) {
    w.raw(word);
    for (at, name) in names.iter().enumerate() {
        w.raw(if at == 0 { "" } else { " " });
        w.astring(name.as_bytes());
    }
    w.raw(")");
}
