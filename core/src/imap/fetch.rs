//! FETCH attributes (RFC 9051 §7.5.2 and extensions), walked one at a time.

use crate::imap::body::{BodyStructure, Envelope};
use crate::imap::parse::fetch::FetchIter;
use crate::imap::text::{FlagList, NString, Text};
pub use crate::wire::StreamedLiteral;

/// The attributes of one FETCH response, as the bytes between its parentheses.
#[derive(Debug, Clone, Copy)]
pub struct FetchAttrs<'a> {
    pub(crate) raw: &'a [u8],
    /// Offsets in `raw` of literal headers whose data was streamed elsewhere, and their lengths.
    pub(crate) streamed: &'a [StreamedLiteral],
    /// Where `raw` begins in the frame that `streamed` counts from.
    pub(crate) base: usize,
}

/// One FETCH attribute.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum FetchAttr<'a> {
    /// UID; never 0.
    Uid(u32),
    /// FLAGS.
    Flags(FlagList<'a>),
    /// MODSEQ; 0 where the server sent something that is no mod-sequence.
    ModSeq(u64),
    /// INTERNALDATE in milliseconds since 1970, or `None` where it does not parse.
    InternalDate(Option<i64>),
    /// RFC822.SIZE, in octets; may lie.
    Rfc822Size(u64),
    /// ENVELOPE.
    Envelope(Envelope<'a>),
    /// BODY or BODYSTRUCTURE.
    BodyStructure(BodyStructure<'a>),
    /// `BODY[section]<origin>`, `BINARY[section]<origin>`, RFC822, RFC822.HEADER, RFC822.TEXT.
    Section {
        /// What stands in the brackets, e.g. `` (the whole message), `HEADER`, `1.2`, `HEADER.FIELDS (DATE)`.
        section: &'a [u8],
        /// The first octet of a partial answer.
        origin: Option<u32>,
        /// Whether it is `BINARY[…]`: transfer encoding removed.
        binary: bool,
        /// The data.
        data: SectionData<'a>,
    },
    /// `BINARY.SIZE[section]`.
    BinarySize {
        /// The section.
        section: &'a [u8],
        /// The decoded size.
        size: u64,
    },
    /// EMAILID (RFC 8474).
    EmailId(&'a [u8]),
    /// THREADID (RFC 8474); `None` for NIL.
    ThreadId(Option<&'a [u8]>),
    /// PREVIEW (RFC 8970).
    Preview(NString<'a>),
    /// SAVEDATE (RFC 8514) in milliseconds since 1970.
    SaveDate(Option<i64>),
    /// X-GM-MSGID.
    GmailMessageId(u64),
    /// X-GM-THRID.
    GmailThreadId(u64),
    /// X-GM-LABELS: the inside of the list, as sent.
    GmailLabels(&'a [u8]),
    /// An attribute that is known and does not parse. Its bytes were skipped by balancing.
    Malformed {
        /// The attribute's name as sent.
        name: &'a [u8],
    },
    /// An attribute this parser does not know, skipped by balancing.
    Unknown {
        /// The attribute's name as sent.
        name: &'a [u8],
    },
}

/// The data of a body section.
#[derive(Debug, Clone, Copy)]
pub enum SectionData<'a> {
    /// NIL: the server has no such data (never stored as mail).
    Nil,
    /// In the frame.
    Inline(Text<'a>),
    /// Handed out while it arrived; its length in octets, and its place among the frame's streamed literals.
    Streamed {
        /// Octets.
        len: u64,
        /// 0 for the frame's first streamed literal.
        index: usize,
    },
}

impl<'a> FetchAttrs<'a> {
    /// The attributes in the order sent.
    pub fn iter(&self) -> FetchIter<'a> {
        FetchIter::new(self)
    }

    /// The UID, if it stands in it and parses.
    pub fn uid(&self) -> Option<u32> {
        self.iter().find_map(|attr| match attr {
            FetchAttr::Uid(uid) => Some(uid),
            _ => None,
        })
    }
}

impl<'a> IntoIterator for FetchAttrs<'a> {
    type Item = FetchAttr<'a>;
    type IntoIter = FetchIter<'a>;

    fn into_iter(self) -> FetchIter<'a> {
        self.iter()
    }
}
