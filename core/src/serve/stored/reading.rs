//! What is read of served mail.

use std::ops::Range;
use std::sync::Arc;

use super::{HELD, Made, StoredContent, StoredMail};
use crate::error::Result;
use crate::flags::FlagSet;
use crate::ids::MailboxId;
use crate::limits::Limits;
use crate::message::{Description, describe};
use crate::serve::backend::{self, Facts, Row, Status};
use crate::set::UidSet;
use crate::store::records::{ContentRecord, MessageRecord};
use crate::store::served::{self, ServedMailbox, ServedRow};
use crate::store::tables::Snapshot;
use crate::store::writer::Writer;
use crate::store::{described, query};
use crate::wire::text_size as text_size_of;

impl StoredMail {
    pub(super) fn row(&self, row: &ServedRow) -> backend::Result<Row> {
        let mut flags = FlagSet::new(row.flags);
        if row.keywords != 0 {
            for word in self.words(row.keywords)?.iter() {
                flags.insert_wire(word.as_bytes());
            }
        }
        Ok(Row { uid: row.uid, modseq: row.modseq, flags })
    }

    fn words(&self, set: u32) -> backend::Result<Arc<Vec<String>>> {
        if let Some(words) = self.held().keywords.get(&set) {
            return Ok(Arc::clone(words));
        }
        let words = Arc::new(self.read(|tables| query::keyword_names(tables, set))?);
        self.held().keywords.insert(set, Arc::clone(&words));
        Ok(words)
    }
}

pub(super) fn status(tables: &Snapshot, mailbox: MailboxId) -> Result<Option<Status>> {
    let Some(record) = served::mailbox(tables, mailbox)? else { return Ok(None) };
    let recent = served::rows(tables, mailbox, record.recent, usize::MAX)?.len();
    Ok(Some(Status {
        uid_validity: record.uid_validity,
        uid_next: record.uid_next,
        highest_modseq: record.highest_modseq,
        messages: record.messages,
        recent: u32::try_from(recent).unwrap_or(u32::MAX),
        unseen: record.unseen,
        deleted: record.deleted,
        size: record.size,
        deleted_size: record.deleted_size,
        object_id: format!("F{}-{}", mailbox, record.uid_validity),
        flags: served::flags_in_use(tables, mailbox)?,
    }))
}

/// Rows that changed above a mod-sequence, what went, and the mailbox's numbers.
pub(super) fn changes(
    tables: &Snapshot,
    mailbox: MailboxId,
    since: u64,
) -> Result<(Vec<ServedRow>, UidSet, Option<ServedMailbox>)> {
    let record = served::mailbox(tables, mailbox)?;
    if record.as_ref().is_none_or(|record| record.highest_modseq <= since) {
        return Ok((Vec::new(), UidSet::new(), record));
    }
    let rows = served::changed(tables, mailbox, since)?;
    Ok((rows, served::expunged(tables, mailbox, since)?, record))
}

/// A served message's record.
fn message(tables: &Snapshot, mailbox: MailboxId, uid: u32) -> Result<Option<MessageRecord>> {
    match served::row(tables, mailbox, uid)? {
        Some(row) => query::message_record(tables, row.message),
        None => Ok(None),
    }
}

/// A served message's record, and its content's.
fn message_and_content(
    tables: &Snapshot,
    mailbox: MailboxId,
    uid: u32,
) -> Result<Option<(MessageRecord, ContentRecord)>> {
    let Some(message) = message(tables, mailbox, uid)? else { return Ok(None) };
    Ok(query::content_record(tables, message.content)?.map(|content| (message, content)))
}

pub(super) fn facts(tables: &Snapshot, mailbox: MailboxId, uid: u32) -> Result<Option<Facts>> {
    let Some((message, content)) = message_and_content(tables, mailbox, uid)? else { return Ok(None) };
    let Some(body) = content.body else { return Ok(None) };
    let hash: String = body.sha256[..16].iter().map(|octet| format!("{octet:02x}")).collect();
    Ok(Some(Facts {
        size: body.len,
        internal_date: message.internal_date,
        save_date: Some(message.added_ms),
        email_id: format!("M{hash}"),
        thread_id: None,
    }))
}

/// What FETCH says of a message, where it was made before.
pub(super) fn description(tables: &Snapshot, mailbox: MailboxId, uid: u32) -> Result<Option<Description>> {
    match message(tables, mailbox, uid)? {
        Some(message) => described::get(tables, message.content),
        None => Ok(None),
    }
}

/// A message's header, where it was kept.
pub(super) fn header(tables: &Snapshot, mailbox: MailboxId, uid: u32) -> Result<Option<Vec<u8>>> {
    match message(tables, mailbox, uid)? {
        Some(message) => described::header(tables, message.content),
        None => Ok(None),
    }
}

/// Some octets of a message.
pub(super) fn octets(
    tables: &Snapshot,
    mailbox: MailboxId,
    uid: u32,
    octets: Range<u64>,
) -> Result<Option<Vec<u8>>> {
    let Some((_, content)) = message_and_content(tables, mailbox, uid)? else { return Ok(None) };
    let Some(body) = content.body else { return Ok(None) };
    query::blob(tables, body.pack, body.start + octets.start, octets.end - octets.start).map(Some)
}

/// A message's size as POP3 counts it, where it was counted before.
pub(super) fn text_size(tables: &Snapshot, mailbox: MailboxId, uid: u32) -> Result<Option<u64>> {
    match message(tables, mailbox, uid)? {
        Some(message) => described::text_size(tables, message.content),
        None => Ok(None),
    }
}

/// Reads a whole message for what is said of it.
pub(super) fn make(tables: &Snapshot, mailbox: MailboxId, uid: u32, limits: &Limits) -> Result<Option<Made>> {
    let Some(message) = message(tables, mailbox, uid)? else { return Ok(None) };
    let content = query::content_record(tables, message.content)?;
    let Some(body) = content.and_then(|content| content.body) else { return Ok(None) };
    let raw = query::blob(tables, body.pack, body.start, body.len)?;
    let description = Arc::new(describe(&raw, limits));
    let header = description.index.header();
    let header = raw.get(header.start as usize..header.end as usize).unwrap_or_default().to_vec();
    Ok(Some(Made { content: message.content, description, header, text_size: text_size_of(&raw) }))
}

/// Writes down what was made.
pub(super) fn keep(w: &mut Writer<'_>, all: &[Made]) -> Result<()> {
    all.iter().try_for_each(|made| {
        described::keep(w, made.content, &made.description, &made.header, made.text_size)
    })
}

pub(super) fn content(tables: &Snapshot, mailbox: MailboxId, uid: u32) -> Result<Option<StoredContent>> {
    let Some((_, content)) = message_and_content(tables, mailbox, uid)? else { return Ok(None) };
    let Some(body) = content.body else { return Ok(None) };
    let whole = match body.len <= HELD {
        true => Some(query::blob(tables, body.pack, body.start, body.len)?),
        false => None,
    };
    // What was read is as long as it is said to be, or damaged.
    let len = whole.as_ref().map_or(body.len, |whole| whole.len() as u64);
    Ok(Some(StoredContent { whole, pack: body.pack, start: body.start, len }))
}

pub(super) fn preview(tables: &Snapshot, mailbox: MailboxId, uid: u32) -> Result<Option<String>> {
    let found = message_and_content(tables, mailbox, uid)?;
    Ok(found.map(|(_, content)| content.summary.preview).filter(|preview| !preview.is_empty()))
}
