//! What a person sees of a message, and keeping it true.
//!
//! A message stands in one mailbox and may be shown in another; its flags are the server's under what the person wants.
//! Everything that changes either goes through [`alter`], which puts the date index, the counts and the change feed right.

use crate::error::Result;
use crate::flags::{FlagSet, Flags};
use crate::ids::{ContentId, MailboxId, MessageId};
use crate::model::Change;
use crate::store::intents::IntentRecord;
use crate::store::keys;
use crate::store::records::MessageRecord;
use crate::store::writer::Writer;

/// A message as a list shows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Face {
    pub(crate) mailbox: MailboxId,
    date: i64,
    content: ContentId,
    place: (MailboxId, u32),
    size: u64,
    flags: FlagSet,
    pending: bool,
}

impl Face {
    /// Its flags as a person sees them.
    pub(crate) fn into_flags(self) -> FlagSet {
        self.flags
    }
}

/// A message's entry in the date index: its content, where its flags are, and whether anything is wanted of it.
pub(crate) fn dated(content: ContentId, place: (MailboxId, u32), pending: bool) -> [u8; 17] {
    let mut value = [0; 17];
    value[..8].copy_from_slice(&content.0.to_be_bytes());
    value[8..12].copy_from_slice(&place.0.0.to_be_bytes());
    value[12..16].copy_from_slice(&place.1.to_be_bytes());
    value[16] = u8::from(pending);
    value
}

/// Changes a message and what is wanted of it, and puts right what is shown.
pub(crate) fn alter<R>(
    w: &mut Writer<'_>,
    id: MessageId,
    act: impl FnOnce(&mut Writer<'_>, &mut MessageRecord, &mut IntentRecord) -> Result<R>,
) -> Result<Option<R>> {
    let Some(mut record) = w.message(id)? else { return Ok(None) };
    let mut intents = w.intents(id)?;
    let before = face(w, &record, &intents)?;
    let (old, wanted) = (record.clone(), intents.clone());
    let done = act(w, &mut record, &mut intents)?;
    if record != old {
        w.put_message(id, &record)?;
    }
    if intents != wanted {
        w.put_intents(id, &intents)?;
    }
    let after = face(w, &record, &intents)?;
    show(w, id, before, after)?;
    Ok(Some(done))
}

/// What a person sees of a message, if anything.
pub(crate) fn face(
    w: &mut Writer<'_>,
    record: &MessageRecord,
    intents: &IntentRecord,
) -> Result<Option<Face>> {
    let Some(mailbox) = record.shown_in() else { return Ok(None) };
    let server = server_flags(w, record)?;
    Ok(Some(Face {
        mailbox,
        date: record.internal_date,
        content: record.content,
        place: (record.mailbox, record.uid),
        size: record.size,
        flags: intents.over(&server),
        pending: !intents.is_empty(),
    }))
}

/// The flags that the server has for a message, as last heard.
pub(crate) fn server_flags(w: &mut Writer<'_>, record: &MessageRecord) -> Result<FlagSet> {
    if !record.is_placed() {
        return Ok(FlagSet::default());
    }
    match w.placement(record.mailbox, record.uid)? {
        Some(row) => w.flag_set(row.flags, row.keywords),
        None => Ok(FlagSet::default()),
    }
}

/// Puts the date index, the counts and the change feed from one face to another.
fn show(w: &mut Writer<'_>, id: MessageId, before: Option<Face>, after: Option<Face>) -> Result<()> {
    if before == after {
        return Ok(());
    }
    let stays = matches!((&before, &after), (Some(b), Some(a)) if a.mailbox == b.mailbox);
    if let Some(face) = &before {
        let moved = !matches!(&after, Some(a) if (a.mailbox, a.date) == (face.mailbox, face.date));
        if moved {
            w.tables.by_date.remove(keys::by_date(face.mailbox, face.date, id).as_slice())?;
        }
        let mailbox = w.mailbox(face.mailbox)?;
        mailbox.total = mailbox.total.saturating_sub(1);
        mailbox.size = mailbox.size.saturating_sub(face.size);
        mailbox.unseen = mailbox.unseen.saturating_sub(u64::from(!face.flags.flags.contains(Flags::SEEN)));
        if !stays {
            w.change(Change::MessageRemoved(face.mailbox, id));
        }
    }
    if let Some(face) = &after {
        let value = dated(face.content, face.place, face.pending);
        let key = keys::by_date(face.mailbox, face.date, id);
        w.tables.by_date.insert(key.as_slice(), value.as_slice())?;
        let mailbox = w.mailbox(face.mailbox)?;
        mailbox.total += 1;
        mailbox.size = mailbox.size.saturating_add(face.size);
        mailbox.unseen += u64::from(!face.flags.flags.contains(Flags::SEEN));
        let change = if stays {
            Change::MessageChanged(face.mailbox, id)
        } else {
            Change::MessageAdded(face.mailbox, id)
        };
        w.change(change);
    } else {
        w.tables.fresh.remove(keys::message(id).as_slice())?;
    }
    w.touch();
    Ok(())
}

/// Enters a placement and counts what the server should.
pub(crate) fn put_row(
    w: &mut Writer<'_>,
    mailbox: MailboxId,
    uid: u32,
    flags: &FlagSet,
    message: MessageId,
    modseq: u64,
) -> Result<()> {
    let keywords = w.keyword_set(flags)?;
    let row = crate::store::placements::Placement { uid, flags: flags.flags, keywords, message, modseq };
    let old = w.placement(mailbox, uid)?;
    w.put_placement(mailbox, row)?;
    let unseen = |f: Flags| u64::from(!f.contains(Flags::SEEN));
    let record = w.mailbox(mailbox)?;
    let was = old.map_or(0, |o| unseen(o.flags));
    record.server_unseen = (record.server_unseen + unseen(flags.flags)).saturating_sub(was);
    Ok(())
}

/// Takes a placement out.
pub(crate) fn drop_row(
    w: &mut Writer<'_>,
    mailbox: MailboxId,
    uid: u32,
) -> Result<Option<crate::store::placements::Placement>> {
    let Some(row) = w.remove_placement(mailbox, uid)? else { return Ok(None) };
    let unseen = u64::from(!row.flags.contains(Flags::SEEN));
    let record = w.mailbox(mailbox)?;
    record.server_unseen = record.server_unseen.saturating_sub(unseen);
    Ok(Some(row))
}
