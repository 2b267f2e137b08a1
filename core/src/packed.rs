//! A page of a message list as one buffer, for hosts to whom a call or an object a row is dear: Kotlin, Swift,
//! Python and TypeScript all read it with a dozen lines.
//!
//! # Layout, version 1
//!
//! All numbers are little-endian. The buffer is a head of 16 octets, the rows, the texts, and the cursor of the
//! next page, in this order and without gaps.
//!
//! | head, at | type | what |
//! |---|---|---|
//! | 0 | u16 | version of the layout: 1. Another one is not to be read |
//! | 2 | u16 | octets of a row: 112. Later versions of the engine may append to a row without another version of the layout |
//! | 4 | u32 | rows |
//! | 8 | u32 | octets of the texts |
//! | 12 | u32 | octets of the cursor; 0 where this is the last page |
//!
//! | row, at | type | what |
//! |---|---|---|
//! | 0 | u64 | id of the message |
//! | 8 | u64 | id of its content |
//! | 16 | i64 | INTERNALDATE, milliseconds since 1970 |
//! | 24 | i64 | the Date field, milliseconds since 1970; 0 without the bit for it |
//! | 32 | u64 | size in octets |
//! | 40 | 32 octets | SHA-256 of the raw message; zeros without the bit for it |
//! | 72 | u32 | UID; 0 where it has none |
//! | 76 | u32 | id of its mailbox |
//! | 80 | u32 | where its texts begin, in octets from the beginning of all texts |
//! | 84 | u16 | flags, see [`Flags::bits`](crate::flags::Flags::bits) |
//! | 86 | u16 | attachments |
//! | 88 | u16 | keywords |
//! | 90 | u8 | addresses of From |
//! | 91 | u8 | addresses of To |
//! | 92 | u8 | bits: 1 pending, 2 the raw message is here and hashed, 4 degraded, 8 structured, 16 there is a Date |
//! | 93 | 3 octets | zeros |
//! | 96 | u32 | where its preview begins, in octets from the beginning of its texts, as the three below |
//! | 100 | u32 | where its Message-ID begins |
//! | 104 | u32 | where its addresses begin |
//! | 108 | u32 | where its texts end |
//!
//! The texts are one piece of UTF-8. A language reads them all at once and splits them at NUL, or reads the one that is asked
//! for from where it begins: whichever is quick there. Each ends with a NUL and holds none. Those of a row follow each other, and
//! the rows' follow in the rows' order:
//!
//! 1. the subject, the preview, and the Message-ID;
//! 2. each keyword;
//! 3. each address of From, then each of To: its display name, then the address.
//!
//! A Message-ID or a display name that is missing is empty: the engine keeps none that is there and empty.
//!
//! Ids, sizes and dates are below 2^53, so that a float of 64 bits holds them exactly. The cursor is what
//! [`Cursor::from_bytes`](crate::Cursor::from_bytes) takes.

use serde::Deserialize;

use crate::flags::FlagSet;
use crate::ids::{ContentId, MailboxId, MessageId};
use crate::message::{Address, Summary};
use crate::model::{Cursor, MessageRow, Page};

/// The layout that [`Page::to_bytes`] writes.
pub const LAYOUT_VERSION: u16 = 1;

const HEAD: usize = 16;
const ROW: usize = 112;

impl Page {
    /// The page as one buffer, in the layout that the module [`packed`](crate::packed) describes;
    /// [`Engine::messages_packed`](crate::Engine::messages_packed) gives the same for less.
    ///
    /// Of rows whose texts would lie beyond 4 GiB the texts are empty. At most 65,535 keywords and 255 addresses of a
    /// field are told of one row; the engine keeps fewer.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut packer = Packer::new(self.rows.len());
        for row in &self.rows {
            packer.row(&RowView::from(row));
        }
        packer.finish(self.next.as_ref())
    }
}

/// A row's fields where they lie.
pub(crate) struct RowView<'a> {
    pub(crate) id: MessageId,
    pub(crate) mailbox: MailboxId,
    pub(crate) content: ContentId,
    pub(crate) uid: u32,
    pub(crate) flags: &'a FlagSet,
    pub(crate) pending: bool,
    pub(crate) internal_date: i64,
    pub(crate) size: u64,
    pub(crate) sha256: Option<&'a [u8; 32]>,
    pub(crate) summary: SummaryView<'a>,
}

/// A [`Summary`] where it lies, field for field as it is stored. Its texts are octets: whoever packs many checks them at once.
#[derive(Deserialize)]
pub(crate) struct SummaryView<'a> {
    #[serde(borrow)]
    from: Vec<AddressView<'a>>,
    #[serde(borrow)]
    to: Vec<AddressView<'a>>,
    subject: &'a [u8],
    date_ms: Option<i64>,
    #[serde(borrow)]
    message_id: Option<&'a [u8]>,
    preview: &'a [u8],
    attachments: u16,
    degraded: bool,
    structured: bool,
}

/// An [`Address`] where it lies.
#[derive(Deserialize)]
struct AddressView<'a> {
    #[serde(borrow)]
    name: Option<&'a [u8]>,
    address: &'a [u8],
}

// What is viewed is taken apart whole, so that a new field cannot be forgotten here.

impl<'a> From<&'a MessageRow> for RowView<'a> {
    fn from(row: &'a MessageRow) -> RowView<'a> {
        let MessageRow { id, mailbox, content, uid, flags, pending, internal_date, size, sha256, summary } =
            row;
        RowView {
            id: *id,
            mailbox: *mailbox,
            content: *content,
            uid: *uid,
            flags,
            pending: *pending,
            internal_date: *internal_date,
            size: *size,
            sha256: sha256.as_ref(),
            summary: summary.into(),
        }
    }
}

impl<'a> From<&'a Summary> for SummaryView<'a> {
    fn from(summary: &'a Summary) -> SummaryView<'a> {
        let Summary { from, to, subject, date_ms, message_id, preview, attachments, degraded, structured } =
            summary;
        SummaryView {
            from: from.iter().map(AddressView::from).collect(),
            to: to.iter().map(AddressView::from).collect(),
            subject: subject.as_bytes(),
            date_ms: *date_ms,
            message_id: message_id.as_ref().map(String::as_bytes),
            preview: preview.as_bytes(),
            attachments: *attachments,
            degraded: *degraded,
            structured: *structured,
        }
    }
}

impl<'a> From<&'a Address> for AddressView<'a> {
    fn from(Address { name, address }: &'a Address) -> AddressView<'a> {
        AddressView { name: name.as_ref().map(String::as_bytes), address: address.as_bytes() }
    }
}

/// Packs rows, one after the other.
pub(crate) struct Packer {
    /// The head, of zeros until the end, and the rows.
    out: Vec<u8>,
    texts: Texts,
}

impl Packer {
    /// For about so many rows.
    pub(crate) fn new(rows: usize) -> Packer {
        let mut out = Vec::with_capacity(HEAD + rows * (ROW + 256));
        out.resize(HEAD, 0);
        Packer { out, texts: Texts(Vec::with_capacity(rows * 256)) }
    }

    pub(crate) fn row(&mut self, row: &RowView<'_>) {
        let RowView { id, mailbox, content, uid, flags, pending, internal_date, size, sha256, summary } = row;
        let texts = &mut self.texts;
        let start = texts.0.len();
        texts.add(summary.subject);
        let preview_at = texts.add(summary.preview);
        let message_id_at = texts.add(summary.message_id.unwrap_or_default());
        let keywords = first(flags.keywords(), usize::from(u16::MAX));
        for word in keywords {
            texts.add(word.as_bytes());
        }
        let addresses_at = texts.0.len();
        let most = usize::from(u8::MAX);
        let (from, to) = (first(&summary.from, most), first(&summary.to, most));
        for AddressView { name, address } in from.iter().chain(to) {
            texts.add(name.unwrap_or_default());
            texts.add(address);
        }
        let mut marks = [preview_at, message_id_at, addresses_at, texts.0.len()].map(|at| at - start);
        if let Some(count) = texts.keep_addressable(start) {
            marks = [1, 2, 3 + keywords.len(), count];
        }

        let out = &mut self.out;
        out.extend_from_slice(&id.0.to_le_bytes());
        out.extend_from_slice(&content.0.to_le_bytes());
        out.extend_from_slice(&internal_date.to_le_bytes());
        out.extend_from_slice(&summary.date_ms.unwrap_or_default().to_le_bytes());
        out.extend_from_slice(&size.to_le_bytes());
        out.extend_from_slice(sha256.unwrap_or(&[0; 32]));
        out.extend_from_slice(&uid.to_le_bytes());
        out.extend_from_slice(&mailbox.0.to_le_bytes());
        out.extend_from_slice(&(start as u32).to_le_bytes());
        out.extend_from_slice(&flags.flags.bits().to_le_bytes());
        out.extend_from_slice(&summary.attachments.to_le_bytes());
        out.extend_from_slice(&(keywords.len() as u16).to_le_bytes());
        out.extend_from_slice(&[from.len() as u8, to.len() as u8]);
        let dated = summary.date_ms.is_some();
        let bits = [*pending, sha256.is_some(), summary.degraded, summary.structured, dated];
        out.push(bits.iter().enumerate().fold(0, |all, (at, bit)| all | u8::from(*bit) << at));
        out.extend_from_slice(&[0; 3]);
        for mark in marks {
            out.extend_from_slice(&(mark as u32).to_le_bytes());
        }
    }

    /// The texts of the rows that were packed.
    pub(crate) fn texts(&self) -> &[u8] {
        &self.texts.0
    }

    pub(crate) fn finish(self, next: Option<&Cursor>) -> Vec<u8> {
        let Packer { mut out, texts } = self;
        let cursor = next.map_or(&[][..], |cursor| cursor.as_bytes());
        let rows = (out.len() - HEAD) / ROW;
        out.extend_from_slice(&texts.0);
        out.extend_from_slice(cursor);
        let (version, width) = (LAYOUT_VERSION.to_le_bytes(), (ROW as u16).to_le_bytes());
        let [rows, texts, cursor] =
            [rows, texts.0.len(), cursor.len()].map(|count| (count as u32).to_le_bytes());
        out[..HEAD].copy_from_slice(&[&version[..], &width, &rows, &texts, &cursor].concat());
        out
    }
}

fn first<T>(all: &[T], most: usize) -> &[T] {
    &all[..all.len().min(most)]
}

/// All texts, each with a NUL behind it.
struct Texts(Vec<u8>);

impl Texts {
    /// Adds a text, and says where it begins.
    fn add(&mut self, mut text: &[u8]) -> usize {
        let start = self.0.len();
        while let Some(at) = memchr::memchr(0, text) {
            self.0.extend_from_slice(&text[..at]);
            self.0.extend_from_slice("\u{fffd}".as_bytes());
            text = &text[at + 1..];
        }
        self.0.extend_from_slice(text);
        self.0.push(0);
        start
    }

    /// Empties the texts from `start` on where they reach beyond what 32 bits can name, and says then how many they are.
    fn keep_addressable(&mut self, start: usize) -> Option<usize> {
        /// So that as many empty texts as rows can have still fit behind.
        const MOST: usize = (u32::MAX - (256 << 20)) as usize;
        (self.0.len() > MOST).then(|| {
            let count = self.0[start..].iter().filter(|octet| **octet == 0).count();
            self.0.truncate(start);
            self.0.resize(start + count, 0);
            count
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Flags;

    /// Reads the layout as another language would: by the numbers in the documentation.
    fn decode(bytes: &[u8]) -> Page {
        let number = |at: usize, len: usize| {
            bytes[at..at + len].iter().rev().fold(0_u64, |all, octet| all << 8 | u64::from(*octet))
        };
        assert_eq!(number(0, 2), 1, "the layout's version");
        let width = number(2, 2) as usize;
        let (count, len, cursor) = (number(4, 4) as usize, number(8, 4) as usize, number(12, 4) as usize);
        let texts = &bytes[16 + width * count..][..len];
        let mut all = std::str::from_utf8(texts).expect("texts are UTF-8").split('\0');
        let mut rows = Vec::new();
        for at in (16..).step_by(width).take(count) {
            let bit = |bit: u64| number(at + 92, 1) & bit != 0;
            let own = number(at + 80, 4) as usize;
            let own = &texts[own..own + number(at + 108, 4) as usize];
            // Where the next text begins among the row's own.
            let place = std::cell::Cell::new(0);
            let mut text = || {
                let text = all.next().expect("every text is there");
                assert!(
                    own[place.get()..].starts_with(text.as_bytes()),
                    "the row's texts begin where it says"
                );
                place.set(place.get() + text.len() + 1);
                text.to_owned()
            };
            let subject = text();
            assert_eq!(place.get() as u64, number(at + 96, 4), "the preview begins where it says");
            let preview = text();
            assert_eq!(place.get() as u64, number(at + 100, 4), "the Message-ID begins where it says");
            let message_id = Some(text()).filter(|id| !id.is_empty());
            let mut flags = FlagSet::new(Flags::from_bits(number(at + 84, 2) as u16));
            (0..number(at + 88, 2)).for_each(|_| flags.insert_wire(text().as_bytes()));
            assert_eq!(place.get() as u64, number(at + 104, 4), "the addresses begin where it says");
            let mut addresses = |count: u64| -> Vec<Address> {
                let one = |_| Address { name: Some(text()).filter(|n| !n.is_empty()), address: text() };
                (0..count).map(one).collect()
            };
            let (from, to) = (addresses(number(at + 90, 1)), addresses(number(at + 91, 1)));
            assert_eq!(number(at + 93, 3), 0);
            assert_eq!(place.get(), own.len(), "the texts end where it says");
            rows.push(MessageRow {
                id: MessageId(number(at, 8)),
                content: ContentId(number(at + 8, 8)),
                internal_date: number(at + 16, 8) as i64,
                size: number(at + 32, 8),
                sha256: bit(2).then(|| bytes[at + 40..at + 72].try_into().expect("32 octets")),
                uid: number(at + 72, 4) as u32,
                mailbox: MailboxId(number(at + 76, 4) as u32),
                flags,
                pending: bit(1),
                summary: Summary {
                    from,
                    to,
                    subject,
                    date_ms: bit(16).then(|| number(at + 24, 8) as i64),
                    message_id,
                    preview,
                    attachments: number(at + 86, 2) as u16,
                    degraded: bit(4),
                    structured: bit(8),
                },
            });
        }
        assert_eq!(all.next(), Some(""), "each text ends with a NUL");
        assert_eq!(all.next(), None, "no text is left");
        let next = &bytes[16 + width * count + len..];
        assert_eq!(next.len(), cursor);
        Page { rows, next: (cursor > 0).then(|| Cursor::from_bytes(next)) }
    }

    fn address(name: Option<&str>, address: &str) -> Address {
        Address { name: name.map(str::to_owned), address: address.to_owned() }
    }

    /// A row with a value of its own in every field.
    fn full() -> MessageRow {
        let mut flags = FlagSet::new(Flags::SEEN.union(Flags::PHISHING));
        ["todo", "$Label1"].iter().for_each(|word| flags.insert_wire(word.as_bytes()));
        MessageRow {
            id: MessageId(0x0010_0203_0405_0607),
            mailbox: MailboxId(0x1112_1314),
            content: ContentId(0x0018_191a_1b1c_1d1e),
            uid: 0xf1f2_f3f4,
            flags,
            pending: true,
            internal_date: -62_000_000_001,
            size: 0x1f_ffff_ffff_ffff,
            sha256: Some(std::array::from_fn(|at| at as u8 + 0x20)),
            summary: Summary {
                from: vec![address(Some("Ännchen „von“ Tharau"), "anna@example.org"), address(None, "b@c")],
                to: vec![address(Some("undisclosed"), "")],
                subject: "Grüße 日本語 🙂".into(),
                date_ms: Some(1_234_567_890_123),
                message_id: Some("one@example.org".into()),
                preview: "so it goes".into(),
                attachments: 0xa1a2,
                degraded: true,
                structured: true,
            },
        }
    }

    fn bare() -> MessageRow {
        MessageRow {
            id: MessageId(1),
            mailbox: MailboxId(2),
            content: ContentId(3),
            uid: 0,
            flags: FlagSet::default(),
            pending: false,
            internal_date: 0,
            size: 0,
            sha256: None,
            summary: Summary::default(),
        }
    }

    #[test]
    fn every_field_comes_back() {
        let next = Some(Cursor::from_bytes(&[0, 255, 7]));
        let page = Page { rows: vec![full(), bare(), full()], next };
        assert_eq!(decode(&page.to_bytes()), page);
    }

    #[test]
    fn each_bit_means_one_thing() {
        let variants: [fn(&mut MessageRow); 5] = [
            |row| row.pending = true,
            |row| row.sha256 = Some([0; 32]),
            |row| row.summary.degraded = true,
            |row| row.summary.structured = true,
            |row| row.summary.date_ms = Some(0),
        ];
        for vary in variants {
            let mut row = bare();
            vary(&mut row);
            let page = Page { rows: vec![row], next: None };
            assert_eq!(decode(&page.to_bytes()), page);
        }
    }

    #[test]
    fn an_empty_page_is_a_head() {
        let page = Page { rows: Vec::new(), next: None };
        assert_eq!(page.to_bytes(), [1, 0, 112, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_nul_does_not_shift_the_texts_behind_it() {
        let mut row = full();
        row.summary.subject = "a\0b".into();
        let page = Page { rows: vec![row, full()], next: None };
        let read = decode(&page.to_bytes());
        assert_eq!(read.rows[0].summary.subject, "a\u{fffd}b");
        assert_eq!(read.rows[1], page.rows[1]);
    }

    #[test]
    fn more_keywords_and_addresses_than_can_be_counted_are_left_out() {
        let mut row = full();
        row.summary.from = vec![address(None, "x@y"); 300];
        (0..66_000).for_each(|n| row.flags.insert_wire(format!("k{n}").as_bytes()));
        let read = decode(&Page { rows: vec![row, full()], next: None }.to_bytes());
        assert_eq!(read.rows[0].summary.from.len(), 255);
        assert_eq!(read.rows[0].flags.keywords().len(), 65_535);
        assert_eq!(read.rows[1], full());
    }
}
