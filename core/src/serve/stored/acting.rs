//! What a served client does to messages: what a person does in the engine's own lists.

use super::{follow, numbered};
use crate::error::{Error, Result};
use crate::flags::{FlagSet, Flags};
use crate::ids::{MailboxId, MessageId};
use crate::imap::command::StoreAction;
use crate::serve::backend::{Appended, Copied, FlagChange, Stored};
use crate::set::UidSet;
use crate::shared::Shared;
use crate::store::actions::append::{self, NewMessage};
use crate::store::actions::flags::{self, Change};
use crate::store::actions::place;
use crate::store::batch::StagedBody;
use crate::store::served::{self, ServedRow};
use crate::store::writer::Writer;

/// The served rows with these UIDs.
fn rows(w: &Writer<'_>, mailbox: MailboxId, uids: &UidSet) -> Result<Vec<ServedRow>> {
    let mut all = Vec::new();
    for (lo, hi) in uids.ranges() {
        served::each(&w.tables.served, mailbox, lo, |row| {
            if row.uid <= hi {
                all.push(row);
            }
            row.uid < hi
        })?;
    }
    Ok(all)
}

pub(super) fn store(
    w: &mut Writer<'_>,
    mailbox: MailboxId,
    uids: &UidSet,
    change: &FlagChange<'_>,
) -> Result<Stored> {
    let wanted = match change.action {
        StoreAction::Add => Change::Some(change.flags.clone(), FlagSet::default()),
        StoreAction::Remove => Change::Some(FlagSet::default(), change.flags.clone()),
        StoreAction::Replace => Change::Exactly(change.flags.clone()),
    };
    let mut stored = Stored::default();
    let before = rows(w, mailbox, uids)?;
    for row in &before {
        if change.unchanged_since.is_some_and(|limit| row.modseq > limit) {
            stored.modified.insert(row.uid);
        } else {
            flags::change(w, row.message, &wanted)?;
        }
    }
    follow(w)?;
    let after = rows(w, mailbox, uids)?;
    let changed = before.iter().zip(&after).filter(|(old, new)| old != new);
    stored.modseq = changed.map(|(_, new)| new.modseq).max().unwrap_or(0);
    Ok(stored)
}

pub(super) fn expunge(w: &mut Writer<'_>, mailbox: MailboxId, uids: Option<&UidSet>) -> Result<UidSet> {
    let all = UidSet::from_range(1, u32::MAX);
    let marked = rows(w, mailbox, uids.unwrap_or(&all))?;
    let mut gone = UidSet::new();
    for row in marked.into_iter().filter(|row| row.flags.contains(Flags::DELETED)) {
        place::delete(w, row.message, true)?;
        gone.insert(row.uid);
    }
    Ok(gone)
}

pub(super) fn copy(
    w: &mut Writer<'_>,
    from: MailboxId,
    uids: &UidSet,
    to: MailboxId,
    remove: bool,
) -> Result<Copied> {
    let mut copied = Copied::default();
    for row in rows(w, from, uids)? {
        let id = match remove {
            true => {
                place::move_to(w, row.message, to)?;
                row.message
            }
            false => place::copy_to(w, row.message, to)?,
        };
        // One at a time, so that the new numbers are in the order of the old ones.
        let anew = remove && from == to;
        number(w, id, anew)?;
        if let Some(uid) = uid_in(w, id, to)? {
            copied.source.insert(row.uid);
            copied.target.insert(uid);
        }
    }
    copied.uid_validity = served::mailbox(&w.tables, to)?.map_or(0, |record| record.uid_validity);
    Ok(copied)
}

fn number(w: &mut Writer<'_>, id: MessageId, anew: bool) -> Result<()> {
    numbered(w, |served| if anew { served.renumber(id) } else { served.settle(id) })
}

fn uid_in(w: &Writer<'_>, id: MessageId, mailbox: MailboxId) -> Result<Option<u32>> {
    let place = served::place_of(&w.tables, id)?;
    Ok(place.filter(|(there, _)| *there == mailbox).map(|(_, uid)| uid))
}

/// Hashes and reads a message, octet for octet as it came.
pub(super) fn stage(shared: &Shared, message: Appended<Vec<u8>>) -> Result<NewMessage> {
    let Appended { upload: raw, flags, internal_date } = message;
    if raw.is_empty() {
        return Err(Error::Invalid { what: "message", why: "it is empty".into() });
    }
    let mut body = StagedBody::new(shared.store.new_blob(), raw.len() as u64);
    body.push(&raw);
    let reading = body.read(&shared.limits);
    let internal_date = internal_date.div_euclid(1000) * 1000;
    Ok(NewMessage { body, reading, flags, internal_date })
}

pub(super) fn append(
    w: &mut Writer<'_>,
    to: MailboxId,
    messages: Vec<NewMessage>,
    replaces: Option<(MailboxId, u32)>,
) -> Result<Copied> {
    let mut copied = Copied::default();
    let mut last = None;
    for message in messages {
        let id = append::append(w, to, message)?;
        number(w, id, false)?;
        copied.target.extend(uid_in(w, id, to)?);
        last = Some(id);
    }
    if let Some((mailbox, uid)) = replaces {
        let old = rows(w, mailbox, &[uid].into_iter().collect())?;
        // On another server the older goes once the newer is there.
        let after = match last {
            Some(id) => w.intents(id)?.place.map(|place| place.op),
            None => None,
        };
        for row in old {
            place::expunge(w, row.message, after)?;
        }
    }
    copied.uid_validity = served::mailbox(&w.tables, to)?.map_or(0, |record| record.uid_validity);
    Ok(copied)
}
