//! Reading messages: what a list shows, what a reader shows, and what tells copies apart.
//!
//! Mail comes in every state of disrepair, and none of it may be lost: every function here takes any
//! octets, gives what can be read, and says in [`Summary::degraded`] where that is not all. Time is linear
//! in the input; memory is bounded by [`Limits`] and by constants beside the code that needs them.
//!
//! - A header alone, or the fields a server gave of it: [`read_header`].
//! - The beginning of a message, as fetched while syncing: [`read_prefix`].
//! - A whole message: [`read_message`], then [`text_body`], [`html_body`] and [`part_data`].
//! - What an IMAP server says of one, and where its sections are: [`describe`].
//! - The beginning of a single part, found through BODYSTRUCTURE: [`preview_of_part`].
//!
//! ```
//! use mailkeep::limits::Limits;
//! use mailkeep::message::read_message;
//!
//! let raw = b"From: Ann <ann@example.org>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello there\r\n";
//! let reading = read_message(raw, &Limits::DEFAULT);
//! assert_eq!(reading.summary.subject, "Grüße");
//! assert_eq!(reading.summary.preview, "Hello there");
//! assert_eq!(reading.details.parts[0].number, "1");
//! ```
//!
//! The structure is walked here and not by the MIME library, which works by recursion and numbers parts
//! its own way; charsets, base64, address fields and character references are the library's.

mod address;
mod charsets;
mod date;
mod decode;
mod describe;
pub(crate) mod fields;
mod file_name;
mod fingerprint;
mod flowed;
mod hash;
mod header;
mod html;
mod lines;
mod mime_value;
mod params;
mod part;
mod preview;
mod raw_address;
mod structure;
mod text;
mod textual;
mod transfer;
mod tree;
mod words;

#[cfg(test)]
mod describe_tests;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use charsets::{CharsetDecoder, set_charset_decoder};
pub use decode::Decoder;
pub use describe::{Description, describe};
pub use fingerprint::{HeaderGatherer, received_ms};
pub use hash::{ContentHash, ContentHasher};
pub(crate) use lines::{canonical_lines, header_of};
pub use part::{Disposition, Part, attachment_count};
pub(crate) use textual::textual;
pub use transfer::TransferEncoding;
pub use tree::{Located, SectionIndex};

use crate::limits::Limits;
use header::{Field, Header};
use structure::Structure;

/// A mailbox of an address field (RFC 5322 §3.4), decoded and bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Address {
    /// The display name, on one line, without control characters or such that reorder text.
    pub name: Option<String>,
    /// The address as sent. Empty where there was a name only, or for a group without members.
    pub address: String,
}

/// What a list of messages shows of one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// From; the first four.
    pub from: Vec<Address>,
    /// To; the first four. A list of sent mail shows these.
    pub to: Vec<Address>,
    /// Subject, decoded, on one line, at most [`Limits::field_text`] octets.
    pub subject: String,
    /// The Date field in milliseconds since 1970, within the years 1970 to 9999. `None` where there is
    /// none to be read.
    pub date_ms: Option<i64>,
    /// Message-ID without the angle brackets, at most 998 octets.
    pub message_id: Option<String>,
    /// The first [`Limits::preview`] characters of what the sender wrote, on one line.
    pub preview: String,
    /// Parts that are attachments, see [`Part::is_attachment`]. A guess unless `structured`.
    pub attachments: u16,
    /// The message could not be read fully: it has no header, is larger or deeper than the limits allow,
    /// or ends before its structure does.
    pub degraded: bool,
    /// The parts are known, and so `attachments` is no guess.
    pub structured: bool,
}

/// What a reader shows besides the text, and what conversations are built from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Details {
    /// Sender
    pub sender: Vec<Address>,
    /// Reply-To
    pub reply_to: Vec<Address>,
    /// To; at most [`Limits::addresses`], as in each field.
    pub to: Vec<Address>,
    /// Cc
    pub cc: Vec<Address>,
    /// Bcc
    pub bcc: Vec<Address>,
    /// In-Reply-To, without angle brackets.
    pub in_reply_to: Vec<String>,
    /// References, without angle brackets: the first one and the newest ones, oldest first, at most
    /// [`Limits::references`].
    pub references: Vec<String>,
    /// List-Id (RFC 2919), without angle brackets.
    pub list_id: Option<String>,
    /// Parts in the order of the message. Multiparts are not among them, their parts are; so are messages
    /// inside the message, each followed by its own parts.
    pub parts: Vec<Part>,
    /// `parts` are all there are, and their sizes are right.
    pub parts_complete: bool,
}

/// All that is read of a message at once.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reading {
    /// For lists.
    pub summary: Summary,
    /// For a reader and for conversations.
    pub details: Details,
}

/// Reads a header, or some of its fields. The blank line at its end may be missing.
///
/// Nothing is known of the parts then: a multipart/mixed message is taken to have one attachment.
pub fn read_header(header: &[u8], limits: &Limits) -> Reading {
    let header = Header::scan(header, |_| false);
    let mut reading = header.read(limits);
    let content_type = header.get(Field::ContentType).map(words::unfold).unwrap_or_default();
    let mixed = params::Value::parse(&content_type).main == "multipart/mixed";
    reading.summary.attachments = u16::from(mixed);
    reading
}

/// Reads a whole message.
pub fn read_message(raw: &[u8], limits: &Limits) -> Reading {
    read(raw, false, limits)
}

/// Reads the beginning of a message that goes on.
///
/// Parts are those seen so far, the last one with the size seen so far, and `parts_complete` is false
/// unless the outermost multipart was closed within the prefix. For a multipart/mixed message that was not
/// closed at least one attachment is assumed: it is what comes last in such a message, and what makes it
/// longer than a prefix. `structured` is false then. A single part is known to be one, so it is true.
pub fn read_prefix(prefix: &[u8], limits: &Limits) -> Reading {
    read(prefix, true, limits)
}

fn read(raw: &[u8], prefix: bool, limits: &Limits) -> Reading {
    let structure = Structure::walk(raw, prefix, limits);
    let mut reading = structure.header.read(limits);
    let preview = structure.preview(raw, limits);
    let parts: Vec<Part> = structure.leaves.into_iter().map(|leaf| leaf.part).collect();
    let mut attachments = attachment_count(&parts);
    if structure.open && structure.mixed {
        attachments = attachments.max(1);
    }
    let summary = &mut reading.summary;
    summary.preview = preview;
    summary.attachments = attachments;
    summary.degraded |= structure.degraded;
    summary.structured = structure.complete || (prefix && !structure.open && !parts.is_empty());
    reading.details.parts = parts;
    reading.details.parts_complete = structure.complete;
    reading
}

/// The fields of a header with one of these names, or all others, and a blank line: what
/// `BODY[HEADER.FIELDS (…)]` and `BODY[HEADER.FIELDS.NOT (…)]` answer (RFC 9051 §6.4.5.1).
pub fn select_fields(header: &[u8], names: &[String], named: bool) -> Vec<u8> {
    fields::select(header, names, named)
}

/// The value of a header field as text on one line, its encoded words decoded (RFC 2047).
pub(crate) fn field_text(value: &[u8]) -> String {
    words::decode_words(&words::unfold(value)).into_owned()
}

/// The Date field: the moment in milliseconds since 1970, and the day that it names in its own zone.
pub(crate) fn sent_date(header: &[u8]) -> Option<(i64, (u16, u8, u8))> {
    let field = fields::fields(header).find(|field| field.is(b"Date"))?;
    Some((date::parse_date(field.value)?, date::parse_local_day(field.value)?))
}

/// The first address of a field: its display name, decoded, and what stands on either side of the `@`.
pub(crate) fn first_address(value: &[u8]) -> Option<(Option<String>, String, String)> {
    use raw_address::RawAddress;
    raw_address::parse(&fields::unfolded(value)).into_iter().find_map(|address| match address {
        RawAddress::Mailbox { name, local, domain, .. } => {
            let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Some((name.map(|name| field_text(&name)), lossy(&local), lossy(&domain)))
        }
        RawAddress::GroupStart(name) => Some((None, field_text(&name), String::new())),
        RawAddress::GroupEnd => None,
    })
}

/// The addresses of a field as text that can be searched, whatever comments and blanks stand in them:
/// `name <local@domain>, …`
pub(crate) fn address_text(value: &[u8]) -> String {
    use raw_address::RawAddress;
    let mut text = String::new();
    for address in raw_address::parse(&fields::unfolded(value)) {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match address {
            RawAddress::Mailbox { name, local, domain, .. } => {
                let name = name.map(|name| field_text(&name)).unwrap_or_default();
                text.push_str(&format!("{name} <{}@{}>, ", lossy(&local), lossy(&domain)));
            }
            RawAddress::GroupStart(name) => text.push_str(&format!("{}: ", field_text(&name))),
            RawAddress::GroupEnd => text.push_str("; "),
        }
    }
    text
}

/// The message ids of a field, without their angle brackets, in their order.
pub(crate) fn message_ids(value: &[u8]) -> Vec<String> {
    header::ids_of(value)
}

/// Gives the text of each part that has any, its encodings undone, until one is said to be enough. HTML is
/// given as it was sent. Whether it was said.
pub(crate) fn any_text(raw: &[u8], limits: &Limits, enough: impl FnMut(&str) -> bool) -> bool {
    Structure::walk(raw, false, limits).any_text(raw, enough)
}

/// The preview that [`Summary::preview`] would hold, from the beginning of one part.
///
/// `data` is still encoded for transfer and may be cut anywhere; media type, charset and encoding are
/// those of the part, as a BODYSTRUCTURE names them. Of a part that is no text there is no preview.
pub fn preview_of_part(
    data: &[u8],
    media_type: &str,
    charset: Option<&str>,
    encoding: TransferEncoding,
    limits: &Limits,
) -> String {
    let is = |known: &str| media_type.trim().eq_ignore_ascii_case(known);
    let html = is("text/html");
    if !html
        && !media_type.is_empty()
        && !media_type.trim().get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/"))
    {
        return String::new();
    }
    preview::preview_encoded(data, html, charset, encoding, limits)
}

/// The text of a message for reading and for search, with LF as line end.
///
/// The inline text parts in their order; among alternatives the plain text, or else the HTML as text.
/// Messages inside the message are read only where it has no text of its own. At most 8 MB.
pub fn text_body(raw: &[u8], limits: &Limits) -> String {
    Structure::walk(raw, false, limits).text(raw)
}

/// The HTML of a message as it was sent, decoded: **not** made safe, which is the display's duty.
///
/// Several HTML parts are joined. `None` where there is none; plain text is never turned into HTML. At
/// most 16 MB.
pub fn html_body(raw: &[u8]) -> Option<String> {
    Structure::walk(raw, false, &Limits::DEFAULT).html(raw)
}

/// The content of the part with this number (see [`Part::number`]), its transfer encoding undone.
///
/// What of the encoding is malformed is passed over, as much as possible is given. `None` where there is
/// no such part, or it is a multipart.
pub fn part_data(raw: &[u8], number: &str) -> Option<Vec<u8>> {
    let structure = Structure::walk(raw, false, &Limits::DEFAULT);
    let leaf = structure.leaves.into_iter().find(|leaf| leaf.part.number == number)?;
    Some(leaf.part.encoding.decode(&raw[leaf.body]).into_owned())
}
