//! ENVELOPE and BODYSTRUCTURE: what a server says of a message without sending it (RFC 9051 §7.5.2).
//!
//! Both are checked once when the FETCH attribute is read and borrow from it; addresses, parameters
//! and parts are read again as they are walked.

use std::fmt;

use crate::imap::parse::cursor::Cursor;
use crate::imap::parse::envelope;
pub use crate::imap::parse::structure::Parts;
use crate::imap::text::{NString, Text};
use crate::limits::Limits;

/// Containers a body structure may be nested in, whatever the limits say.
pub const MAX_NESTING: usize = 64;

/// A message's header fields as the server read them. Fields a server left out at the end are `None` or empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Envelope<'a> {
    /// The Date field as sent.
    pub date: NString<'a>,
    /// The Subject field as sent: encoded words are not decoded.
    pub subject: NString<'a>,
    /// From.
    pub from: Addresses<'a>,
    /// Sender; servers repeat From here where there is none.
    pub sender: Addresses<'a>,
    /// Reply-To; servers repeat From here where there is none.
    pub reply_to: Addresses<'a>,
    /// To.
    pub to: Addresses<'a>,
    /// Cc.
    pub cc: Addresses<'a>,
    /// Bcc.
    pub bcc: Addresses<'a>,
    /// In-Reply-To as sent.
    pub in_reply_to: NString<'a>,
    /// Message-ID as sent.
    pub message_id: NString<'a>,
}

/// A list of addresses, read as it is walked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Addresses<'a> {
    /// What follows the list's opening parenthesis, to the end of the response: strings are read
    /// eight octets at a time, and with nothing behind it the last one would be read singly.
    pub(crate) text: &'a [u8],
    /// The length of the checked inside of the list.
    pub(crate) len: usize,
}

/// One entry of an address list (RFC 9051 §7.5.2).
///
/// A group comes as entries: one with `host` absent and the group's name in `mailbox` begins it, one with
/// both absent ends it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Address<'a> {
    /// The display name; encoded words are not decoded.
    pub name: NString<'a>,
    /// The source route, obsolete.
    pub route: NString<'a>,
    /// What stands before the `@`.
    pub mailbox: NString<'a>,
    /// What stands behind the `@`.
    pub host: NString<'a>,
}

impl<'a> Addresses<'a> {
    /// The entries in order.
    pub fn iter(&self) -> AddressIter<'a> {
        AddressIter { text: self.text, len: self.len, pos: 0 }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl<'a> IntoIterator for Addresses<'a> {
    type Item = Address<'a>;
    type IntoIter = AddressIter<'a>;

    fn into_iter(self) -> AddressIter<'a> {
        self.iter()
    }
}

/// The entries of [`Addresses`].
#[derive(Debug, Clone)]
pub struct AddressIter<'a> {
    text: &'a [u8],
    len: usize,
    pos: usize,
}

impl<'a> Iterator for AddressIter<'a> {
    type Item = Address<'a>;

    #[inline]
    fn next(&mut self) -> Option<Address<'a>> {
        if self.pos >= self.len {
            return None;
        }
        if let Some((address, end)) = envelope::plain_address(self.text, self.pos) {
            self.pos = end;
            return Some(address);
        }
        self.odd_next()
    }
}

impl<'a> AddressIter<'a> {
    /// The end, or an address with more spaces, literals or fewer fields than others.
    #[cold]
    fn odd_next(&mut self) -> Option<Address<'a>> {
        let mut cursor = Cursor::at(self.text.get(..self.len)?, self.pos);
        cursor.spaces();
        let address = cursor.peek().and_then(|_| envelope::odd_address(&mut cursor).ok());
        self.pos = if address.is_some() { cursor.pos } else { self.len };
        address
    }
}

/// A message's parts, checked and not yet walked.
#[derive(Debug, Clone, Copy)]
pub struct BodyStructure<'a> {
    /// From the opening parenthesis to the closing one.
    pub(crate) raw: &'a [u8],
}

impl<'a> BodyStructure<'a> {
    /// The parts depth-first, in the order of the wire: a container comes *behind* the parts it
    /// holds, since its own description stands there. Bounded by [`Limits::parts`] and
    /// [`Limits::nesting`] (at most [`MAX_NESTING`]); see [`Parts::is_cut`].
    pub fn parts(&self, limits: &Limits) -> Parts<'a> {
        Parts::new(Cursor::new(self.raw), limits.nesting, limits.parts)
    }
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartKind {
    /// Content of its own.
    Leaf,
    /// `multipart/…`
    Multipart,
    /// `message/rfc822` or `message/global` with the structure of the message inside.
    Message,
    /// A container nested too deep, described no further; its type is unknown.
    TooDeep,
}

/// One part of a message (RFC 9051 §7.5.2, body-fields).
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Its number, as FETCH BODY[…] takes it.
    pub path: PartPath,
    /// What it is.
    pub kind: PartKind,
    /// Containers around it: 0 for the message itself.
    pub depth: usize,
    /// `TEXT`, `IMAGE`, …; `MULTIPART` for a multipart. Compared without case.
    pub media_type: NString<'a>,
    /// `PLAIN`, `MIXED`, …; compared without case.
    pub subtype: NString<'a>,
    /// Content-Type's parameters.
    pub params: Params<'a>,
    /// Content-ID.
    pub content_id: NString<'a>,
    /// Content-Description; encoded words are not decoded.
    pub description: NString<'a>,
    /// Content-Transfer-Encoding; compared without case.
    pub encoding: NString<'a>,
    /// Octets before transfer decoding, 0 for a multipart. May lie.
    pub size: u64,
    /// Lines, of texts and messages.
    pub lines: Option<u64>,
    /// Content-Disposition.
    pub disposition: Option<Disposition<'a>>,
    /// The envelope of the message inside, as checked bytes.
    pub(crate) envelope: &'a [u8],
}

impl<'a> Part<'a> {
    /// Whether it is a multipart.
    pub fn is_multipart(&self) -> bool {
        self.kind == PartKind::Multipart
    }

    /// Whether it has this media type, compared without case.
    pub fn is_type(&self, media_type: &str, subtype: &str) -> bool {
        let is =
            |text: NString<'_>, name: &str| text.is_some_and(|t| t.raw.eq_ignore_ascii_case(name.as_bytes()));
        is(self.media_type, media_type) && is(self.subtype, subtype)
    }

    /// The envelope of the message inside, for [`PartKind::Message`].
    pub fn envelope(&self) -> Option<Envelope<'a>> {
        if self.kind != PartKind::Message {
            return None;
        }
        envelope::envelope(&mut Cursor::new(self.envelope)).ok()
    }

    /// The file name as sent: the disposition's `filename`, or else the type's `name`. RFC 2231
    /// forms (`filename*`) and encoded words are not decoded.
    pub fn filename(&self) -> Option<Text<'a>> {
        let given =
            self.disposition.and_then(|d| d.params.get("filename").or_else(|| d.params.get("filename*")));
        given.or_else(|| self.params.get("name")).or_else(|| self.params.get("name*"))
    }
}

/// A part's number, such as `1.2` (RFC 9051 §6.4.5.1).
///
/// A multipart that is the message itself has none, and is fetched as `TEXT`. One that is all of
/// a forwarded message has that message's number, and is fetched as `<number>.TEXT`.
#[derive(Clone, Copy)]
pub struct PartPath {
    pub(crate) numbers: [u16; MAX_NESTING + 2],
    pub(crate) len: u8,
}

impl PartPath {
    /// A copy. Nearly every path is a few numbers long: only those are copied then.
    #[inline(always)]
    pub(crate) fn copied(&self) -> PartPath {
        const FEW: usize = 8;
        if usize::from(self.len) > FEW {
            return *self;
        }
        let mut numbers = [0; MAX_NESTING + 2];
        numbers[..FEW].copy_from_slice(&self.numbers[..FEW]);
        PartPath { numbers, len: self.len }
    }

    /// The numbers from the outside in.
    pub fn numbers(&self) -> &[u16] {
        &self.numbers[..usize::from(self.len)]
    }
}

impl PartialEq for PartPath {
    fn eq(&self, other: &PartPath) -> bool {
        self.numbers() == other.numbers()
    }
}

impl Eq for PartPath {}

impl fmt::Display for PartPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, number) in self.numbers().iter().enumerate() {
            let dot = if at > 0 { "." } else { "" };
            write!(f, "{dot}{number}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for PartPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A disposition (RFC 2183).
#[derive(Debug, Clone, Copy)]
pub struct Disposition<'a> {
    /// `INLINE`, `ATTACHMENT`, …; compared without case.
    pub kind: Text<'a>,
    /// `filename` and others.
    pub params: Params<'a>,
}

impl Disposition<'_> {
    /// Whether it says `attachment`.
    pub fn is_attachment(&self) -> bool {
        self.kind.raw.eq_ignore_ascii_case(b"attachment")
    }
}

/// Parameters, read as they are walked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Params<'a> {
    /// The checked inside of the list.
    pub(crate) raw: &'a [u8],
}

impl<'a> Params<'a> {
    /// Names and values in order. A NIL in either place is an empty string.
    pub fn iter(&self) -> impl Iterator<Item = (Text<'a>, Text<'a>)> + 'a {
        let mut cursor = Cursor::new(self.raw);
        std::iter::from_fn(move || {
            cursor.spaces();
            let name = cursor.nstring().ok()?;
            cursor.spaces();
            let value = cursor.nstring().unwrap_or_default();
            let empty = Text { raw: b"", escaped: false };
            Some((name.unwrap_or(empty), value.unwrap_or(empty)))
        })
    }

    /// The value of a name, compared without case.
    pub fn get(&self, name: &str) -> Option<Text<'a>> {
        self.iter().find(|(n, _)| n.raw.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }
}
