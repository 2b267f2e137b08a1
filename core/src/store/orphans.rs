//! Messages that went from the server: hidden, and kept for a while so that a message that only
//! moved keeps its id and is not downloaded again.

use std::collections::BTreeSet;

use redb::ReadableTable;

use crate::error::Result;
use crate::ids::{AccountId, ContentId, MailboxId, MessageId};
use crate::store::intents::{Goal, IntentRecord, Subject};
use crate::store::records::{MailboxRecord, MessageRecord, OrphanRecord, View};
use crate::store::writer::Writer;
use crate::store::{accounts, arrivals, described, identity, keys, ledger, parts, record};

/// How long a message that appeared elsewhere first may still turn out to be one that moved.
const GRACE_MS: i64 = 24 * 3_600_000;

/// The id of the one hidden message that has a content, taken back into use by an entry of `mailbox`; `None` where there
/// is none or the match is not unique.
pub(crate) fn claim(w: &mut Writer<'_>, mailbox: MailboxId, content: ContentId) -> Result<Option<MessageId>> {
    let mut only = None;
    for holder in identity::holders(w, content)? {
        let Some(message) = w.message(holder)? else { continue };
        if message.mailbox != mailbox && w.intents(holder)?.mark().is_some_and(|m| m.is_made()) {
            // It is to be met in the target of its move; what stands elsewhere is another's copy.
            continue;
        }
        if message.gone_ms.is_some() && only.replace((holder, message)).is_some() {
            return Ok(None);
        }
    }
    let Some((id, message)) = only else { return Ok(None) };
    w.tables.orphans.remove(keys::pair(u64::from(message.mailbox.0), id.0).as_slice())?;
    Ok(Some(id))
}

/// A hidden message is in use again.
pub(crate) fn unhide(w: &mut Writer<'_>, mailbox: MailboxId, id: MessageId) -> Result<()> {
    w.tables.orphans.remove(keys::pair(u64::from(mailbox.0), id.0).as_slice())?;
    Ok(())
}

/// Where a message that goes from one mailbox stands since a short while, and only there: then it moved, and the place there
/// takes its id.
pub(crate) fn moved_elsewhere(
    w: &mut Writer<'_>,
    id: MessageId,
    message: &MessageRecord,
) -> Result<Option<(MessageId, MessageRecord)>> {
    let mut only = None;
    for holder in identity::holders(w, message.content)? {
        if holder == id {
            continue;
        }
        let Some(other) = w.message(holder)? else { continue };
        let young = other.added_ms > message.added_ms && w.now_ms.saturating_sub(other.added_ms) < GRACE_MS;
        let told = other.is_placed() && other.view == View::Here && !arrivals::is_local(w, other.mailbox)?;
        // One that a person has done something to is theirs, and stays what it is.
        let untouched = w.intents(holder)?.is_empty();
        if told && young && untouched && only.replace((holder, other)).is_some() {
            return Ok(None);
        }
    }
    Ok(only.filter(|(_, place)| place.mailbox != message.mailbox))
}

/// Forgets what went before a time. It runs at the end of a pass that went on without it, so that what
/// went by a server's mistake has had the chance to come back.
pub(crate) fn purge(w: &mut Writer<'_>, account: AccountId, before_ms: i64) -> Result<()> {
    if before_ms < i64::MAX && accounts::get(w, account)?.converting {
        // Nothing that was brought along goes before a person has said so.
        return Ok(());
    }
    let mut due = Vec::new();
    for entry in w.tables.orphans.iter()? {
        let (key, value) = entry?;
        let orphan: OrphanRecord = record::decode(value.value())?;
        // What went together with most of its mailbox gets seven times as long.
        let patience = if orphan.suspicious { 6 * GRACE_MS } else { 0 };
        if orphan.gone_ms < before_ms.saturating_sub(patience) {
            due.push(key.value().to_vec());
        }
    }
    if !due.is_empty() {
        w.touch();
    }
    for key in due {
        let Some(id) = keys::read_u64(&key, 8).map(MessageId) else { continue };
        let Some(message) = w.message(id)? else {
            w.tables.orphans.remove(key.as_slice())?;
            continue;
        };
        let of_account = match w.mailbox(message.mailbox) {
            Ok(mailbox) => mailbox.account == account,
            Err(_) => true,
        };
        if !of_account {
            continue;
        }
        w.tables.orphans.remove(key.as_slice())?;
        if message.gone_ms.is_none() {
            continue;
        }
        forget(w, id, &message)?;
    }
    drop_empty_mailboxes(w, account)
}

/// Mailboxes that the journal names: where messages are to go, and those that something is to be done to.
fn wanted_mailboxes(w: &mut Writer<'_>, account: AccountId) -> Result<BTreeSet<MailboxId>> {
    let mut wanted = BTreeSet::new();
    for (_, subject) in w.operations_of(account)? {
        let id = match subject {
            Subject::Flags(id) | Subject::Place(id) => id,
            Subject::Mailbox(operation) => {
                wanted.insert(operation.mailbox);
                continue;
            }
        };
        let intents = w.intents(id)?;
        wanted.extend(intents.mark().map(|mark| mark.target));
        if let Some(Goal::Move { to }) = intents.place.map(|place| place.goal) {
            wanted.insert(to);
        }
        if let Some(message) = w.message(id)? {
            wanted.insert(message.mailbox);
            if let View::In(shown) = message.view {
                wanted.insert(shown);
            }
        }
    }
    Ok(wanted)
}

/// Drops a message that nobody sees, and what was wanted of it.
pub(crate) fn forget(w: &mut Writer<'_>, id: MessageId, message: &MessageRecord) -> Result<()> {
    let intents = w.intents(id)?;
    for op in [intents.flags.map(|f| f.op), intents.place.map(|p| p.op)].into_iter().flatten() {
        w.forget_operation(op)?;
    }
    w.put_intents(id, &IntentRecord::default())?;
    w.tables.messages.remove(keys::message(id).as_slice())?;
    ledger::message_dropped(w, id)?;
    w.tables.holders.remove(keys::pair(message.content.0, id.0).as_slice())?;
    drop_unheld(w, message.content)
}

/// Drops a content that no message has.
pub(crate) fn drop_unheld(w: &mut Writer<'_>, content: ContentId) -> Result<()> {
    if !identity::holders(w, content)?.is_empty() {
        return Ok(());
    }
    if let Some(record) = w.content(content)? {
        identity::forget(w, content, &record)?;
        if let Some(body) = record.body {
            w.packs.remove(&body);
        }
    }
    parts::drop_all(w, content)?;
    w.tables.contents.remove(keys::content(content).as_slice())?;
    w.tables.details.remove(keys::content(content).as_slice())?;
    described::forget(w, content)?;
    w.tables.opened.remove(keys::content(content).as_slice())?;
    Ok(())
}

/// Drops mailboxes that are gone from the server and that neither a hidden message nor an operation names any more.
fn drop_empty_mailboxes(w: &mut Writer<'_>, account: AccountId) -> Result<()> {
    let gone: Vec<_> =
        w.mailboxes_of(account)?.into_iter().filter(|(_, m): &(_, MailboxRecord)| m.gone).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let wanted = wanted_mailboxes(w, account)?;
    for (id, record) in gone {
        if record.total > 0 || wanted.contains(&id) {
            continue;
        }
        let (from, to) = (keys::pair(u64::from(id.0), 0), keys::pair(u64::from(id.0), u64::MAX));
        let held = w.tables.orphans.range(from.as_slice()..=to.as_slice())?.next().is_some();
        if !held {
            w.forget_mailbox(id)?;
        }
    }
    Ok(())
}
