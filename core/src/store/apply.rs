//! Applying a batch: the only place where what a server said becomes what is stored.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::flags::{FlagSet, Flags};
use crate::ids::{AccountId, ContentId, MailboxId, MessageId, OperationId};
use crate::message::{Details, Summary, attachment_count};
use crate::model::Change;
use crate::store::batch::{Batch, MessageFact, Op, StagedBody};
use crate::store::placements::Placement;
use crate::store::record;
use crate::store::records::{AccountRecord, BodyRecord, ContentRecord, MailboxRecord, MessageRecord, View};
use crate::store::tables::get;
use crate::store::writer::Writer;
use crate::store::{
    arrivals, blobs, convert, expunge, identity, keys, ledger, mailboxes, orphans, packs, partials, parts,
    replayed, view,
};

/// An IDLE is never renewed more often than this, whatever the server does.
const SHORTEST_IDLE_MS: u64 = 30_000;

/// What a commit did.
#[derive(Debug, Default, Clone)]
pub(crate) struct Outcome {
    /// The commit's number in the change feed.
    pub(crate) commit: u64,
    pub(crate) added: u64,
    pub(crate) removed: u64,
    pub(crate) flags_changed: u64,
    /// New mail that no one has been told of yet.
    pub(crate) fresh: Vec<(MailboxId, MessageId)>,
    /// UIDs entered whose content was here already, body and all.
    pub(crate) already_here: Vec<(MailboxId, u32)>,
    /// Messages whose body became durable.
    pub(crate) bodies: Vec<(MailboxId, u32, MessageId)>,
    /// Operations that the server confirmed.
    pub(crate) replayed: u64,
    /// Other accounts, in which something waited for what was done here.
    pub(crate) freed: BTreeSet<AccountId>,
    /// Operations that were set aside.
    pub(crate) set_aside: Vec<OperationId>,
}

pub(crate) fn apply(w: &mut Writer<'_>, batch: Batch) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let account = batch.account;
    for op in batch.ops {
        match op {
            Op::Account(fact) => {
                let key = keys::account(account);
                let stored = get(&w.tables.accounts, &key)?.ok_or(Error::Gone("account"))?;
                let mut record: AccountRecord = record::decode(&stored)?;
                if let Some(capabilities) = fact.capabilities {
                    record.capabilities = capabilities;
                }
                if let Some(capabilities) = fact.capabilities_before {
                    record.capabilities_before = capabilities;
                }
                if let Some(lasted) = fact.idle_ended_ms {
                    // Twice after the same time is no accident: the next ones are renewed sooner.
                    let alike = record.idle_ended_ms.is_some_and(|last| last.abs_diff(lasted) * 10 <= lasted);
                    if alike {
                        let limit = (lasted * 4 / 5).max(SHORTEST_IDLE_MS);
                        record.idle_limit_ms = Some(record.idle_limit_ms.map_or(limit, |old| old.min(limit)));
                    }
                    record.idle_ended_ms = Some(lasted);
                }
                if let Some(quotas) = fact.quotas {
                    record.quotas = quotas;
                }
                record.namespace = fact.namespace.or(record.namespace);
                record.deaf_to_initial |= fact.deaf_to_initial;
                if fact.server.is_some() {
                    record.server = fact.server;
                }
                let new = record::encode(&record);
                if new != stored {
                    w.tables.accounts.insert(key.as_slice(), new.as_slice())?;
                    w.change(Change::Account(account));
                }
            }
            Op::Listed { mailboxes, complete } => mailboxes::listed(w, account, mailboxes, complete)?,
            Op::State { mailbox, state } => mailboxes::set_state(w, mailbox, state)?,
            Op::Renumbered { mailbox, uid_validity } => {
                outcome.removed += expunge::hide_all(w, mailbox, true)?;
                partials::drop_all(w, mailbox)?;
                mailboxes::renumbered(w, mailbox, uid_validity)?;
            }
            Op::Message(fact) => message(w, *fact, &mut outcome)?,
            Op::Gone { mailbox, uids, suspicious } => {
                outcome.removed += expunge::hide_uids(w, mailbox, &uids, suspicious)?;
            }
            Op::Piece { blob, offset, data } => {
                w.touch();
                blobs::append(&mut w.tables, blob, offset, &data)?;
            }
            Op::Partial { mailbox, uid, partial } => {
                w.touch();
                partials::replaced(w, mailbox, uid, partial.blob)?;
                w.tables
                    .partials
                    .insert(keys::uid(mailbox, uid).as_slice(), record::encode(&partial).as_slice())?;
            }
            Op::Part { mailbox, uid, number, body } => parts::enter(w, mailbox, uid, &number, &body)?,
            Op::Compared { mailbox, uid, header } => convert::compared(w, mailbox, uid, &header)?,
            Op::Collect { mailbox } => partials::collect(w, mailbox)?,
            Op::Replay(fact) => replayed::apply(w, account, fact)?,
            Op::Purge { before_ms } => orphans::purge(w, account, before_ms)?,
            Op::Ledger(op) => ledger::apply(w, account, op, &mut outcome)?,
        }
    }
    outcome.replayed = w.replayed;
    outcome.freed = w.freed_accounts(account)?;
    outcome.set_aside = std::mem::take(&mut w.set_aside);
    // What came and went again within the batch is news to nobody.
    for (mailbox, message) in std::mem::take(&mut outcome.fresh) {
        if get(&w.tables.fresh, &keys::message(message))?.is_some() {
            outcome.fresh.push((mailbox, message));
        }
    }
    Ok(outcome)
}

fn message(w: &mut Writer<'_>, fact: MessageFact, outcome: &mut Outcome) -> Result<()> {
    // The mailbox may have gone meanwhile, by what another connection saw.
    if w.mailbox(fact.mailbox).map_or(true, |m| m.gone) {
        return discard(w, fact);
    }
    match w.placement(fact.mailbox, fact.uid)? {
        Some(placement) => update(w, placement, fact, outcome),
        None if fact.enter => enter(w, fact, outcome),
        None => discard(w, fact),
    }
}

/// Drops what came for a message that is not here any more.
pub(super) fn discard(w: &mut Writer<'_>, fact: MessageFact) -> Result<()> {
    match fact.body {
        Some(body) if body.stored > 0 => {
            w.touch();
            blobs::remove(&mut w.tables, body.blob)
        }
        _ => Ok(()),
    }
}

fn update(w: &mut Writer<'_>, old: Placement, mut fact: MessageFact, outcome: &mut Outcome) -> Result<()> {
    if let Some(flags) = fact.flags.take() {
        // An older mod-sequence never overwrites a newer one.
        let stale = fact.modseq.is_some_and(|m| m != 0 && m < old.modseq);
        let modseq = old.modseq.max(fact.modseq.unwrap_or(0));
        let keywords = if stale { old.keywords } else { w.keyword_set(&flags)? };
        let new = if stale { old.flags } else { flags.flags };
        let wanted = w.counters.intents > 0;
        if (new, keywords) != (old.flags, old.keywords) || wanted {
            outcome.flags_changed += u64::from((new, keywords) != (old.flags, old.keywords));
            let flags = w.flag_set(new, keywords)?;
            flags_told(w, old, fact.mailbox, &flags, modseq)?;
        } else if modseq != old.modseq {
            w.put_placement(fact.mailbox, Placement { modseq, ..old })?;
        }
    }
    if refine(w, old.message, &mut fact, outcome)? {
        w.change(Change::MessageChanged(fact.mailbox, old.message));
    }
    Ok(())
}

/// The server says which flags a message has: what was wanted of them and is granted is wanted no more.
fn flags_told(
    w: &mut Writer<'_>,
    old: Placement,
    mailbox: MailboxId,
    flags: &FlagSet,
    modseq: u64,
) -> Result<()> {
    view::alter(w, old.message, |w, record, intents| {
        view::put_row(w, mailbox, old.uid, flags, old.message, modseq)?;
        if (record.mailbox, record.uid) != (mailbox, old.uid) {
            return Ok(());
        }
        if let Some(op) = intents.granted(flags) {
            w.operation_done(op)?;
        }
        // It lay here under `\Deleted`, and someone has thought better of it.
        if record.view == View::Removed && intents.goal().is_none() && !flags.flags.contains(Flags::DELETED) {
            record.view = View::Here;
        }
        Ok(())
    })?;
    Ok(())
}

/// Enters a message that is not here under this UID.
pub(super) fn enter(w: &mut Writer<'_>, mut fact: MessageFact, outcome: &mut Outcome) -> Result<()> {
    let MailboxRecord { account, numbering, .. } = *w.mailbox(fact.mailbox)?;
    let flags = fact.flags.take().unwrap_or_default();
    if let Some(id) = fact.brought
        && let Some(content) = convert::settle(w, id, &fact, &flags)?
    {
        outcome.added += 1;
        return enter_rest(w, id, content, true, fact, outcome);
    }
    if let Some(id) = arrivals::awaited(w, account, &fact, &flags)? {
        let content = arrivals::arrive(w, id, &fact, &flags)?;
        called(w, content, &fact)?;
        return enter_rest(w, id, content, true, fact, outcome);
    }
    let own_id = own_id(numbering, fact.uid);
    let size = fact.body.as_ref().map(StagedBody::len).or(fact.size).unwrap_or(0);
    let holder = w.message(own_id)?;
    let own_id_is_free = holder.is_none();
    let hidden = hidden_by_mistake(holder, &fact);
    let found = match hidden {
        Some(content) => Some((content, false)),
        None => find_content(w, account, &fact, size)?,
    };
    let known = found.is_some();
    if let Some((content, false)) = found {
        called(w, content, &fact)?;
    }
    let mut body = fact.body.take();
    let (content, provisional) = match found {
        Some(found) => found,
        None => (new_content(w, account, own_id, &mut fact, body.as_mut())?, false),
    };
    let reused = match hidden {
        Some(_) => Some(own_id),
        None if known => orphans::claim(w, fact.mailbox, content)?,
        None => None,
    };
    if hidden.is_some() {
        orphans::unhide(w, fact.mailbox, own_id)?;
    }
    let record = MessageRecord {
        mailbox: fact.mailbox,
        uid: fact.uid,
        view: View::Here,
        content,
        internal_date: fact.internal_date.unwrap_or(w.now_ms),
        size,
        claimed_size: fact.size.unwrap_or(size),
        provisional,
        added_ms: w.now_ms,
        gone_ms: None,
    };
    let modseq = fact.modseq.unwrap_or(0);
    let id = match reused {
        Some(id) => {
            arrivals::back(w, id, record, &flags, modseq)?;
            id
        }
        None => {
            // One that was carried elsewhere has the id that it would have, or one that is hidden.
            let id = if own_id_is_free { own_id } else { fallback_id(w) };
            place(w, id, &record, &flags, modseq)?;
            if known {
                convert::met(w, id)?;
            }
            id
        }
    };
    outcome.added += 1;
    let seen = flags.flags.contains(Flags::SEEN) || flags.flags.contains(Flags::DELETED);
    if fact.fresh && !seen && !known && reused.is_none() {
        w.tables.fresh.insert(keys::message(id).as_slice(), [].as_slice())?;
        outcome.fresh.push((fact.mailbox, id));
    }
    match body {
        Some(body) if !known => {
            partials::finished(w, fact.mailbox, fact.uid, body.blob)?;
            outcome.bodies.push((fact.mailbox, fact.uid, id));
            Ok(())
        }
        body => {
            fact.body = body;
            enter_rest(w, id, content, known, fact, outcome)
        }
    }
}

/// What a fact says of a message's content, once the message has its place.
fn enter_rest(
    w: &mut Writer<'_>,
    id: MessageId,
    content: ContentId,
    known: bool,
    mut fact: MessageFact,
    outcome: &mut Outcome,
) -> Result<()> {
    if let Some(body) = fact.body.take() {
        return attach(w, id, &mut fact, body, outcome).map(drop);
    }
    if known && w.content(content)?.is_some_and(|c| c.body.is_some()) {
        outcome.already_here.push((fact.mailbox, fact.uid));
    }
    refine(w, id, &mut fact, outcome).map(drop)
}

/// An id for a message that cannot have the one that its UID would give it.
pub(crate) fn fallback_id(w: &mut Writer<'_>) -> MessageId {
    w.counters.message += 1;
    MessageId(u64::from(w.counters.message))
}

/// The id of a message that is entered under a UID. Made of what names it on the server, it is the same
/// however the sync that entered it was cut and resumed; below 2^53 for two million numberings.
fn own_id(numbering: u32, uid: u32) -> MessageId {
    MessageId(u64::from(numbering) << 32 | u64::from(uid))
}

/// The content of a message that was hidden and is here again under the same UID of the same UIDVALIDITY:
/// it never went.
fn hidden_by_mistake(holder: Option<MessageRecord>, fact: &MessageFact) -> Option<ContentId> {
    let same = |m: &MessageRecord| fact.size.is_none_or(|size| m.claimed_size == 0 || size == m.claimed_size);
    let hidden = |m: &MessageRecord| m.gone_ms.is_some() && m.mailbox == fact.mailbox;
    holder.filter(|m| hidden(m) && same(m)).map(|m| m.content)
}

/// An id for a content that comes with a message: the message's, unless another content has it.
pub(crate) fn content_id(w: &mut Writer<'_>, message: MessageId) -> Result<ContentId> {
    let id = ContentId(message.0);
    if w.content(id)?.is_none() {
        return Ok(id);
    }
    w.counters.content += 1;
    Ok(ContentId(u64::from(w.counters.content)))
}

/// Writes a new message's record and everything that finds it.
pub(crate) fn place(
    w: &mut Writer<'_>,
    id: MessageId,
    record: &MessageRecord,
    flags: &FlagSet,
    modseq: u64,
) -> Result<()> {
    let keywords = w.keyword_set(flags)?;
    let placement = Placement { uid: record.uid, flags: flags.flags, keywords, message: id, modseq };
    w.put_placement(record.mailbox, placement)?;
    w.put_message(id, record)?;
    let value = view::dated(record.content, (record.mailbox, record.uid), false);
    let key = keys::by_date(record.mailbox, record.internal_date, id);
    w.tables.by_date.insert(key.as_slice(), value.as_slice())?;
    w.tables.holders.insert(keys::pair(record.content.0, id.0).as_slice(), [].as_slice())?;
    let mailbox = w.mailbox(record.mailbox)?;
    mailbox.total += 1;
    mailbox.size = mailbox.size.saturating_add(record.size);
    let unseen = u64::from(!flags.flags.contains(Flags::SEEN));
    mailbox.unseen += unseen;
    mailbox.server_unseen += unseen;
    w.change(Change::MessageAdded(record.mailbox, id));
    Ok(())
}

fn find_content(
    w: &Writer<'_>,
    account: AccountId,
    fact: &MessageFact,
    size: u64,
) -> Result<Option<(ContentId, bool)>> {
    if let Some(hash) = fact.body.as_ref().and_then(|b| b.hash.as_ref())
        && let Some(found) = identity::by_bytes(w, account, hash, message_id(fact))?
    {
        return Ok(Some((found, false)));
    }
    if let Some(id) = &fact.email_id {
        // A server with ids of its own gives every message one: no weaker match is needed.
        if let Some(found) = identity::by_server_id(w, account, id)? {
            return Ok(Some((found, false)));
        }
        // But for what this device made, of which the server has not said its id yet.
        let (None, Some(reading)) = (&fact.body, &fact.reading) else { return Ok(None) };
        let found = identity::provisional(w, account, &reading.summary, size)?;
        let named = |c: Option<ContentRecord>| c.is_some_and(|c| !c.email_ids.is_empty());
        return match found {
            Some(found) if !named(w.content(found)?) => Ok(Some((found, true))),
            _ => Ok(None),
        };
    }
    if let (None, Some(reading)) = (&fact.body, &fact.reading) {
        return Ok(identity::provisional(w, account, &reading.summary, size)?.map(|found| (found, true)));
    }
    Ok(None)
}

/// Notes what the server calls a content that was known before.
fn called(w: &mut Writer<'_>, content: ContentId, fact: &MessageFact) -> Result<()> {
    match &fact.email_id {
        Some(id) => identity::learn_server_id(w, content, id),
        None => Ok(()),
    }
}

/// The Message-ID that was read from a message.
fn message_id(fact: &MessageFact) -> Option<&str> {
    fact.reading.as_ref()?.summary.message_id.as_deref()
}

fn new_content(
    w: &mut Writer<'_>,
    account: AccountId,
    message: MessageId,
    fact: &mut MessageFact,
    body: Option<&mut StagedBody>,
) -> Result<ContentId> {
    let id = content_id(w, message)?;
    let summary = Summary::default();
    let email_ids = Vec::from_iter(fact.email_id.clone());
    let mut content = ContentRecord { summary, account, email_ids, body: None };
    if let Some(body) = body {
        write_body(w, id, &mut content, fact, body)?;
        return Ok(id);
    }
    let reading = fact.reading.take().unwrap_or_default();
    content.summary = reading.summary;
    identity::enter(w, id, &content)?;
    w.put_content(id, &content)?;
    w.tables.details.insert(keys::content(id).as_slice(), record::encode(&reading.details).as_slice())?;
    Ok(id)
}

/// Adds to a message's content what a fact says of it. Returns whether anything changed.
fn refine(w: &mut Writer<'_>, id: MessageId, fact: &mut MessageFact, outcome: &mut Outcome) -> Result<bool> {
    if let Some(body) = fact.body.take() {
        return attach(w, id, fact, body, outcome);
    }
    if fact.parts.is_none() && fact.preview.is_none() {
        return Ok(false);
    }
    let Some(message) = w.message(id)? else { return Ok(false) };
    let Some(mut content) = w.content(message.content)? else { return Ok(false) };
    if content.body.is_some() {
        // What was read from the bytes themselves is better than what a server says about them.
        return Ok(false);
    }
    if let Some(preview) = fact.preview.take() {
        content.summary.preview = preview;
    }
    if let Some(parts) = fact.parts.take() {
        let key = keys::content(message.content);
        let stored = get(&w.tables.details, &key)?;
        let mut details: Details = match stored {
            Some(bytes) => record::decode(&bytes)?,
            None => Details::default(),
        };
        content.summary.attachments = attachment_count(&parts);
        content.summary.structured = true;
        details.parts = parts;
        details.parts_complete = true;
        w.tables.details.insert(key.as_slice(), record::encode(&details).as_slice())?;
    }
    w.put_content(message.content, &content)?;
    Ok(true)
}

/// Gives a message its body: written under its content, or dropped where the same bytes are here.
pub(super) fn attach(
    w: &mut Writer<'_>,
    id: MessageId,
    fact: &mut MessageFact,
    mut body: StagedBody,
    outcome: &mut Outcome,
) -> Result<bool> {
    let Some(message) = w.message(id)? else { return Ok(false) };
    let Some(mut content) = w.content(message.content)? else { return Ok(false) };
    let hash = body.hash.ok_or(Error::Misuse("a batch was applied unprepared"))?;
    let len = body.len();
    partials::finished(w, fact.mailbox, fact.uid, body.blob)?;
    outcome.bodies.push((fact.mailbox, fact.uid, id));
    let same = identity::by_bytes(w, content.account, &hash, message_id(fact))?;
    let mut now_has = message.content;
    if let Some(same) = same {
        discard_bytes(w, &body)?;
        w.tables.holders.remove(keys::pair(message.content.0, id.0).as_slice())?;
        w.tables.holders.insert(keys::pair(same.0, id.0).as_slice(), [].as_slice())?;
        orphans::drop_unheld(w, message.content)?;
        for id in content.email_ids.drain(..) {
            identity::learn_server_id(w, same, &id)?;
        }
        now_has = same;
    } else if content.body.is_some() {
        // The weak match was wrong, or the server changed a message that cannot change: the
        // message gets a content of its own, and the other keeps what it has.
        let own = content_id(w, id)?;
        w.tables.holders.remove(keys::pair(message.content.0, id.0).as_slice())?;
        w.tables.holders.insert(keys::pair(own.0, id.0).as_slice(), [].as_slice())?;
        orphans::drop_unheld(w, message.content)?;
        content.body = None;
        content.email_ids.clear();
        write_body(w, own, &mut content, fact, &mut body)?;
        now_has = own;
    } else {
        // What was known of the parts beforehand goes: the bytes tell.
        w.tables.details.remove(keys::content(message.content).as_slice())?;
        parts::drop_all(w, message.content)?;
        identity::forget(w, message.content, &content)?;
        write_body(w, message.content, &mut content, fact, &mut body)?;
    }
    view::alter(w, id, |_, message, _| {
        message.size = len;
        message.content = now_has;
        message.provisional = false;
        Ok(())
    })?;
    if now_has != message.content && same.is_some() {
        convert::met(w, id)?;
    }
    Ok(true)
}

/// Writes a body under its content.
fn write_body(
    w: &mut Writer<'_>,
    id: ContentId,
    content: &mut ContentRecord,
    fact: &mut MessageFact,
    body: &mut StagedBody,
) -> Result<()> {
    let hash = body.hash.ok_or(Error::Misuse("a batch was applied unprepared"))?;
    if let Some(reading) = fact.reading.take() {
        content.summary = reading.summary;
    }
    let len = body.len();
    let (pack, start) = packs::keep(w, body)?;
    content.body = Some(BodyRecord { pack, len, sha256: hash.raw, canonical: hash.canonical, start });
    identity::enter(w, id, content)?;
    w.put_content(id, content)
}

fn discard_bytes(w: &mut Writer<'_>, body: &StagedBody) -> Result<()> {
    if body.stored > 0 { blobs::remove(&mut w.tables, body.blob) } else { Ok(()) }
}
