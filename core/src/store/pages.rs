//! Pages of a mailbox's rows, newest first: built for hosts in Rust, packed for others.

use std::ops::Bound;

use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::flags::FlagSet;
use crate::ids::{AccountId, ContentId, MailboxId, MessageId};
use crate::model::{Cursor, MessageRow, Page};
use crate::packed::{Packer, RowView, SummaryView};
use crate::store::query::{content_record, intents, keyword_names, message_record};
use crate::store::record::{self, Record};
use crate::store::records::{BodyRecord, ContentRecord};
use crate::store::tables::Snapshot;
use crate::store::{keys, placements};

/// A page of a mailbox's messages, newest first by INTERNALDATE.
pub(crate) fn page(
    tables: &Snapshot,
    mailbox: MailboxId,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page> {
    let mut rows = Rows::new(tables);
    let mut all = Vec::with_capacity(limit.min(1000));
    let next = walk(tables, mailbox, after, limit, |key, value| {
        all.push(rows.row(mailbox, key, value)?);
        Ok(())
    })?;
    Ok(Page { rows: all, next })
}

/// The same page packed, straight from the records: what `page` allocates and checks for each text is most of its cost.
pub(crate) fn packed_page(
    tables: &Snapshot,
    mailbox: MailboxId,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Vec<u8>> {
    let mut rows = Rows::new(tables);
    let mut packer = Packer::new(limit.min(1000));
    let next = walk(tables, mailbox, after, limit, |key, value| rows.pack(mailbox, key, value, &mut packer))?;
    // Each text is followed by a NUL, so that all of them are UTF-8 where their whole is.
    std::str::from_utf8(packer.texts()).map_err(|_| Error::Corrupt("a text is not UTF-8".into()))?;
    Ok(packer.finish(next.as_ref()))
}

/// Goes through the entries of a page, and says where the next one starts.
fn walk(
    tables: &Snapshot,
    mailbox: MailboxId,
    after: Option<&Cursor>,
    limit: usize,
    mut each: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<Option<Cursor>> {
    let from = keys::mailbox(mailbox);
    let end = keys::after_mailbox(mailbox);
    let upper = match after {
        Some(cursor) if cursor.0.starts_with(&from) => Bound::Excluded(cursor.0.as_slice()),
        Some(_) => return Err(Error::Gone("page")),
        None => Bound::Excluded(end.as_slice()),
    };
    let mut last = None;
    let mut range = tables.by_date.range::<&[u8]>((Bound::Included(from.as_slice()), upper))?.rev();
    for entry in range.by_ref().take(limit) {
        let (key, value) = entry?;
        each(key.value(), value.value())?;
        last = Some(key);
    }
    Ok(range.next().and(last).map(|key| Cursor(key.value().to_vec())))
}

/// A page of a mailbox's messages from a position in that order on.
pub(crate) fn page_at(tables: &Snapshot, mailbox: MailboxId, position: u64, limit: usize) -> Result<Page> {
    if position == 0 {
        return page(tables, mailbox, None, limit);
    }
    let (from, end) = (keys::mailbox(mailbox), keys::after_mailbox(mailbox));
    let mut before = position;
    for entry in tables.by_date.range::<&[u8]>(from.as_slice()..end.as_slice())?.rev() {
        let (key, _) = entry?;
        before -= 1;
        if before == 0 {
            return page(tables, mailbox, Some(&Cursor(key.value().to_vec())), limit);
        }
    }
    Ok(Page { rows: Vec::new(), next: None })
}

/// Reads rows, looking shared things up once.
pub(super) struct Rows<'a> {
    tables: &'a Snapshot,
    keyword_sets: HashMap<u32, Vec<String>>,
    page: Option<placements::PageRows>,
}

/// What the date index and the placements tell of a row.
struct Place {
    id: MessageId,
    content: ContentId,
    uid: u32,
    flags: FlagSet,
    pending: bool,
    internal_date: i64,
}

/// A [`ContentRecord`] where it lies, field for field.
#[derive(serde::Deserialize)]
struct ContentView<'a> {
    #[serde(borrow)]
    summary: SummaryView<'a>,
    _account: AccountId,
    _email_ids: Vec<&'a [u8]>,
    body: Option<BodyRecord>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(tables: &'a Snapshot) -> Rows<'a> {
        Rows { tables, keyword_sets: HashMap::new(), page: None }
    }

    pub(super) fn row(&mut self, mailbox: MailboxId, key: &[u8], value: &[u8]) -> Result<MessageRow> {
        let place = self.place(mailbox, key, value)?;
        let record = content_record(self.tables, place.content)?.ok_or_else(damaged)?;
        let size = self.size(place.id, record.body.as_ref())?;
        let Place { id, content, uid, flags, pending, internal_date } = place;
        let sha256 = record.body.map(|b| b.sha256);
        let summary = record.summary;
        Ok(MessageRow { id, mailbox, content, uid, flags, pending, internal_date, size, sha256, summary })
    }

    fn pack(&mut self, mailbox: MailboxId, key: &[u8], value: &[u8], packer: &mut Packer) -> Result<()> {
        let place = self.place(mailbox, key, value)?;
        let stored =
            self.tables.contents.get(keys::content(place.content).as_slice())?.ok_or_else(damaged)?;
        let older;
        let (summary, body) = match stored.value().split_first() {
            Some((&ContentRecord::VERSION, record)) => {
                let view: ContentView<'_> = postcard::from_bytes(record).map_err(|_| damaged())?;
                (view.summary, view.body)
            }
            _ => {
                older = record::decode::<ContentRecord>(stored.value())?;
                (SummaryView::from(&older.summary), older.body)
            }
        };
        packer.row(&RowView {
            id: place.id,
            mailbox,
            content: place.content,
            uid: place.uid,
            flags: &place.flags,
            pending: place.pending,
            internal_date: place.internal_date,
            size: self.size(place.id, body.as_ref())?,
            sha256: body.as_ref().map(|body| &body.sha256),
            summary,
        });
        Ok(())
    }

    fn place(&mut self, mailbox: MailboxId, key: &[u8], value: &[u8]) -> Result<Place> {
        let (internal_date, id) = keys::read_by_date(key).ok_or_else(damaged)?;
        let content = ContentId(keys::read_u64(value, 0).ok_or_else(damaged)?);
        let standing = MailboxId(keys::read_u32(value, 8).ok_or_else(damaged)?);
        let handle = keys::read_u32(value, 12).ok_or_else(damaged)?;
        let pending = value.get(16).is_some_and(|b| *b != 0);
        let mut flags = if handle == 0 { FlagSet::default() } else { self.flags(standing, handle)? };
        if pending {
            flags = intents(self.tables, id)?.over(&flags);
        }
        let uid = if standing == mailbox { handle } else { 0 };
        Ok(Place { id, content, uid, flags, pending, internal_date })
    }

    fn size(&self, id: MessageId, body: Option<&BodyRecord>) -> Result<u64> {
        Ok(match body {
            Some(body) => body.len,
            None => message_record(self.tables, id)?.map_or(0, |m| m.size),
        })
    }

    /// The flags of a placement.
    pub(super) fn flags(&mut self, mailbox: MailboxId, uid: u32) -> Result<FlagSet> {
        if self.page.as_ref().is_none_or(|p| !p.holds(mailbox, uid)) {
            self.page = Some(placements::PageRows::load(&self.tables.placements, mailbox, uid)?);
        }
        let Some(placement) = self.page.as_ref().and_then(|p| p.get(uid)) else {
            return Ok(FlagSet::default());
        };
        let mut flags = FlagSet::new(placement.flags);
        if placement.keywords != 0 {
            if !self.keyword_sets.contains_key(&placement.keywords) {
                let names = keyword_names(self.tables, placement.keywords)?;
                self.keyword_sets.insert(placement.keywords, names);
            }
            for name in &self.keyword_sets[&placement.keywords] {
                flags.insert_wire(name.as_bytes());
            }
        }
        Ok(flags)
    }
}

fn damaged() -> Error {
    Error::Corrupt("an entry of the date index cannot be read".into())
}
