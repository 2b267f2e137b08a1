//! Messages that get a place: those that were sent and are found on the server, those that come back.

use redb::ReadableTable;

use crate::error::Result;
use crate::flags::{FlagSet, Flags};
use crate::ids::{AccountId, ContentId, MailboxId, MessageId, OperationId};
use crate::model::{BodyPolicy, MailboxKind, Role};
use crate::store::apply::fallback_id;
use crate::store::batch::MessageFact;
use crate::store::intents::{Goal, IntentRecord, Mark, PlaceIntent, Subject};
use crate::store::records::{ContentRecord, MessageRecord, OrphanRecord, View};
use crate::store::writer::Writer;
use crate::store::{keys, orphans, record, view};

/// Milliseconds in the second that INTERNALDATE counts in.
const SECOND: i64 = 1000;

/// The message that was sent to this mailbox, or waits to be, and that a new entry in it is; `None` where it is none of them.
pub(crate) fn awaited(
    w: &mut Writer<'_>,
    account: AccountId,
    fact: &MessageFact,
    flags: &FlagSet,
) -> Result<Option<MessageId>> {
    if w.counters.intents == 0 {
        return Ok(None);
    }
    for id in w.awaited_in(account, fact.mailbox)? {
        let (Some(record), intents) = (w.message(id)?, w.intents(id)?) else { continue };
        let Some(content) = w.content(record.content)? else { continue };
        let Some(place) = &intents.place else { continue };
        let is_it = match place.mark {
            // What is moved goes without `\Deleted`: in a mailbox numbered anew, one that bears it was left behind by a removal.
            Some(mark)
                if matches!(place.goal, Goal::Move { .. })
                    && flags.flags.contains(Flags::DELETED)
                    && w.mailbox(fact.mailbox)?.uid_validity != mark.target_validity =>
            {
                false
            }
            Some(mark) => is_what_was_sent(w, &mark, &record, &content, fact)?,
            None => is_filed_already(w, &record, &content, fact)?,
        };
        if is_it {
            w.awaited_no_more(fact.mailbox, id);
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Whether an entry is what an operation of ours made: its UID is one that was not given before, and what is known of both agrees.
fn is_what_was_sent(
    w: &mut Writer<'_>,
    mark: &Mark,
    record: &MessageRecord,
    content: &ContentRecord,
    fact: &MessageFact,
) -> Result<bool> {
    let same_numbering = w.mailbox(fact.mailbox)?.uid_validity == mark.target_validity;
    if same_numbering && fact.uid < mark.target_uid_next {
        return Ok(false);
    }
    if let Some(same) = same_bytes(content, fact) {
        return Ok(same);
    }
    let Some(reading) = &fact.reading else { return Ok(false) };
    let (ours, theirs) = (&content.summary, &reading.summary);
    let same_size = fact.size.is_none_or(|size| size == record.size || size == record.claimed_size);
    let same_date = fact.internal_date.is_none_or(|d| d / SECOND == record.internal_date / SECOND);
    let same_header = ours.message_id == theirs.message_id
        && ours.date_ms == theirs.date_ms
        && ours.subject == theirs.subject
        && ours.from == theirs.from;
    // A server may count other line ends, or forget INTERNALDATE; not both, and not without a Message-ID.
    let named = ours.message_id.is_some();
    Ok(same_header && (same_size && same_date || named && (same_size || same_date)))
}

/// Whether a message that is still to be sent is there already: the server filed its own copy of what was submitted, and may
/// have given it another Message-ID.
fn is_filed_already(
    w: &mut Writer<'_>,
    record: &MessageRecord,
    content: &ContentRecord,
    fact: &MessageFact,
) -> Result<bool> {
    if let Some(true) = same_bytes(content, fact) {
        return Ok(true);
    }
    let Some(reading) = &fact.reading else { return Ok(false) };
    let (ours, theirs) = (&content.summary, &reading.summary);
    let same = ours.date_ms.is_some()
        && ours.date_ms == theirs.date_ms
        && ours.subject == theirs.subject
        && ours.from == theirs.from;
    let same_id = ours.message_id.is_some() && ours.message_id == theirs.message_id;
    let mailbox = w.mailbox(record.mailbox)?;
    let sent = mailbox.chosen_role.unwrap_or(mailbox.role) == Some(Role::Sent);
    Ok(same && (same_id || sent))
}

/// Whether the bytes are the same, where both are here.
fn same_bytes(content: &ContentRecord, fact: &MessageFact) -> Option<bool> {
    let theirs = fact.body.as_ref().and_then(|b| b.hash.as_ref())?;
    Some(content.body.as_ref()?.canonical == theirs.canonical)
}

/// A message that was awaited is met under a UID.
pub(crate) fn arrive(
    w: &mut Writer<'_>,
    id: MessageId,
    fact: &MessageFact,
    flags: &FlagSet,
) -> Result<ContentId> {
    let content = w.message(id)?.map_or(ContentId(0), |m| m.content);
    let (account, modseq) = (w.mailbox(fact.mailbox)?.account, fact.modseq.unwrap_or(0));
    view::alter(w, id, |w, record, intents| {
        flags_came_along(intents);
        view::put_row(w, fact.mailbox, fact.uid, flags, id, modseq)?;
        settle_in(w, account, id, record, intents, (fact.mailbox, fact.uid))?;
        if (record.mailbox, record.uid) == (fact.mailbox, fact.uid) {
            record.internal_date = fact.internal_date.unwrap_or(record.internal_date);
            record.claimed_size = fact.size.unwrap_or(record.claimed_size);
            granted(w, account, id, intents, flags)?;
        }
        Ok(())
    })?;
    Ok(content)
}

/// A message that was hidden is there again, under this UID or another.
pub(crate) fn back(
    w: &mut Writer<'_>,
    id: MessageId,
    place: MessageRecord,
    flags: &FlagSet,
    modseq: u64,
) -> Result<()> {
    let account = w.mailbox(place.mailbox)?.account;
    view::alter(w, id, |w, record, intents| {
        view::put_row(w, place.mailbox, place.uid, flags, id, modseq)?;
        let mut shown = record.view;
        if intents.place.is_none() && !flags.flags.contains(Flags::DELETED) {
            // What was hidden of it is gone; this one is another's.
            shown = View::Here;
        }
        *record = MessageRecord { view: shown, ..place };
        let after = intents.place.as_ref().and_then(|p| p.after);
        if let Some(intent) = &mut intents.place {
            // A deletion under the old numbers is no longer under way. What was sent elsewhere may have arrived all the same.
            let moves = matches!(intent.goal, Goal::Move { .. });
            let elsewhere = |m: &Mark| m.arrived.is_some() || moves && m.target != place.mailbox;
            intent.mark = intent.mark.filter(elsewhere);
            if matches!(intent.goal, Goal::Append | Goal::Copy { .. }) {
                let op = intent.op;
                intents.place = None;
                w.operation_done(op)?;
            }
        }
        met(w, account, id, record, intents, after)?;
        granted(w, account, id, intents, flags)
    })?;
    Ok(())
}

/// The server says under which UID something that was sent now stands (COPYUID, APPENDUID).
pub(crate) fn told(
    w: &mut Writer<'_>,
    mailbox: MailboxId,
    uid_validity: u32,
    uid: u32,
    id: MessageId,
    flags: Option<&FlagSet>,
) -> Result<()> {
    let target = w.mailbox(mailbox)?;
    let account = target.account;
    if target.uid_validity == 0 {
        target.uid_validity = uid_validity;
    }
    if target.uid_validity != uid_validity || uid == 0 {
        // Of a numbering that is not the one known here: the next sync finds it.
        return Ok(());
    }
    let Some(record) = w.message(id)? else { return Ok(()) };
    if (record.mailbox, record.uid) == (mailbox, uid) {
        return Ok(());
    }
    if record.is_placed() && w.intents(id)?.mark().is_none() {
        // Nothing is known to be under way any more: it is met as what it is there.
        return Ok(());
    }
    if w.content(record.content)?.is_none_or(|c| c.body.is_none()) {
        // Its body is still to be brought, from there.
        let target = w.mailbox(mailbox)?;
        (target.bodies_done, target.settled) = (BodyPolicy::None, None);
    }
    let taken = w.placement(mailbox, uid)?;
    if let Some(twin) = taken.filter(|row| row.message != id) {
        // Another connection has met it meanwhile, and took it for a message of its own.
        absorb(w, id, twin.message)?;
    }
    view::alter(w, id, |w, record, intents| {
        let there = match w.placement(mailbox, uid)? {
            Some(row) => w.flag_set(row.flags, row.keywords)?,
            None => match (flags, intents.goal()) {
                (Some(flags), _) => flags.clone(),
                (None, Some(Goal::Copy { source })) => match w.message(source)? {
                    Some(source) => view::server_flags(w, &source)?,
                    None => FlagSet::default(),
                },
                (None, _) => view::server_flags(w, record)?,
            },
        };
        flags_came_along(intents);
        view::put_row(w, mailbox, uid, &there, id, 0)?;
        settle_in(w, account, id, record, intents, (mailbox, uid))?;
        if (record.mailbox, record.uid) == (mailbox, uid) {
            // Which size it has there the server has not said.
            record.claimed_size = 0;
            granted(w, account, id, intents, &there)?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The server says which flags a message has that stands in its place now. Flags that were to go along with it and did
/// not are wanted by an operation of their own from now on.
fn granted(
    w: &mut Writer<'_>,
    account: AccountId,
    id: MessageId,
    intents: &mut IntentRecord,
    flags: &FlagSet,
) -> Result<()> {
    if let Some(op) = intents.granted(flags) {
        return w.operation_done(op);
    }
    // What was to go along with its place, and did not, is wanted by itself from now on.
    if let Some(wanted) = intents.flags.as_mut().filter(|f| f.refused.is_none())
        && w.operation(wanted.op)?.is_none()
    {
        wanted.op = w.new_operation(account, Subject::Flags(id))?;
    }
    Ok(())
}

/// What was made with flags is there: what the server says of them counts from now on.
fn flags_came_along(intents: &mut IntentRecord) {
    let made = matches!(intents.goal(), Some(Goal::Append | Goal::Copy { .. }));
    if let Some(flags) = intents.flags.as_mut().filter(|_| made) {
        flags.sent = None;
    }
}

/// A message of ours stands under `place` too, or now.
fn settle_in(
    w: &mut Writer<'_>,
    account: AccountId,
    id: MessageId,
    record: &mut MessageRecord,
    intents: &mut IntentRecord,
    place: (MailboxId, u32),
) -> Result<()> {
    if record.is_placed() && (record.mailbox, record.uid) != place {
        let Some(mark) = intents.mark() else { return Ok(()) };
        let left = mark.left;
        if is_local(w, record.mailbox)? {
            // It was on this device alone, and is on the server now.
            view::drop_row(w, record.mailbox, record.uid)?;
        } else if left {
            leave_behind(w, record)?;
        } else {
            // A move: the original is still to go.
            if let Some(mark) = intents.place.as_mut().and_then(|p| p.mark.as_mut()) {
                mark.arrived = Some(place.1);
            }
            return Ok(());
        }
    }
    move_in(w, account, id, record, intents, place)
}

/// A message's place is this one from now on, and what was wanted of its place is done.
pub(crate) fn move_in(
    w: &mut Writer<'_>,
    account: AccountId,
    id: MessageId,
    record: &mut MessageRecord,
    intents: &mut IntentRecord,
    place: (MailboxId, u32),
) -> Result<()> {
    (record.mailbox, record.uid) = place;
    record.gone_ms = None;
    let mut after = None;
    if let Some(intent) = intents.place.take() {
        after = intent.after;
        w.operation_done(intent.op)?;
    }
    met(w, account, id, record, intents, after)
}

/// A message that another client moved stands here now. What is wanted of it stays wanted.
pub(crate) fn stands_at(
    w: &mut Writer<'_>,
    account: AccountId,
    id: MessageId,
    record: &mut MessageRecord,
    intents: &mut IntentRecord,
    place: (MailboxId, u32),
) -> Result<()> {
    (record.mailbox, record.uid) = place;
    met(w, account, id, record, intents, None)
}

/// Looks whether a message stands where a person wants it; if not, that is to be done next, a deletion once `after` is done.
fn met(
    w: &mut Writer<'_>,
    account: AccountId,
    id: MessageId,
    record: &mut MessageRecord,
    intents: &mut IntentRecord,
    after: Option<OperationId>,
) -> Result<()> {
    if record.view == View::In(record.mailbox) {
        record.view = View::Here;
        if let Some(intent) = intents.place.take() {
            w.operation_done(intent.op)?;
        }
    }
    if intents.place.is_some() {
        return Ok(());
    }
    let goal = match record.view {
        View::Here => return Ok(()),
        View::In(to) => Goal::Move { to },
        View::Removed => Goal::Delete,
    };
    let op = w.new_operation(account, Subject::Place(id))?;
    let created_ms = w.now_ms;
    let after = after.filter(|_| goal == Goal::Delete);
    intents.place = Some(PlaceIntent { op, created_ms, goal, refused: None, mark: None, after });
    Ok(())
}

/// The original of a message that moved stays under `\Deleted`, since this server cannot expunge it alone: an entry of its own, which
/// nobody sees.
pub(crate) fn leave_behind(w: &mut Writer<'_>, record: &MessageRecord) -> Result<()> {
    let id = fallback_id(w);
    let left = MessageRecord { view: View::Removed, ..record.clone() };
    w.put_message(id, &left)?;
    w.tables.holders.insert(keys::pair(left.content.0, id.0).as_slice(), [].as_slice())?;
    if let Some(mut row) = w.placement(record.mailbox, record.uid)? {
        row.message = id;
        w.put_placement(record.mailbox, row)?;
    }
    Ok(())
}

/// `twin` is `id`: it goes, and what is known of it alone stays. Its place is taken by the caller.
pub(crate) fn absorb(w: &mut Writer<'_>, id: MessageId, twin: MessageId) -> Result<()> {
    let Some(other) = w.message(twin)? else { return Ok(()) };
    let intents = w.intents(twin)?;
    view::alter(w, twin, |w, record, intents| {
        record.gone_ms = Some(w.now_ms);
        *intents = IntentRecord::default();
        Ok(())
    })?;
    w.tables.messages.remove(keys::message(twin).as_slice())?;
    w.tables.holders.remove(keys::pair(other.content.0, twin.0).as_slice())?;
    for op in [intents.flags.map(|f| f.op), intents.place.map(|p| p.op)].into_iter().flatten() {
        w.forget_operation(op)?;
    }
    let richer = match w.message(id)? {
        Some(message) if message.content != other.content => {
            let has = |c: Option<ContentRecord>| c.is_some_and(|c| c.body.is_some());
            !has(w.content(message.content)?) && has(w.content(other.content)?)
        }
        _ => false,
    };
    if richer {
        let before = w.message(id)?.map(|m| m.content);
        view::alter(w, id, |_, record, _| {
            record.content = other.content;
            Ok(())
        })?;
        w.tables.holders.insert(keys::pair(other.content.0, id.0).as_slice(), [].as_slice())?;
        if let Some(before) = before {
            w.tables.holders.remove(keys::pair(before.0, id.0).as_slice())?;
            orphans::drop_unheld(w, before)?;
        }
    } else {
        orphans::drop_unheld(w, other.content)?;
    }
    Ok(())
}

/// A message comes to stand in a mailbox of this device, with the flags that a person sees.
pub(crate) fn move_in_locally(
    w: &mut Writer<'_>,
    account: AccountId,
    id: MessageId,
    record: &mut MessageRecord,
    intents: &mut IntentRecord,
    to: MailboxId,
    flags: &FlagSet,
) -> Result<()> {
    // Where a person wants it by now, if that is this device too.
    let to = match record.view {
        View::In(other) if is_local(w, other)? => other,
        _ => to,
    };
    let uid = next_local_uid(w, to)?;
    let modseq = next_local_modseq(w, to)?;
    let mut seen = intents.over(flags);
    if !is_local(w, record.mailbox)? {
        // It stood there for a moment, so that the server would let the message go.
        seen.flags = seen.flags.difference(Flags::DELETED);
    }
    if let Some(flags) = intents.flags.take() {
        w.operation_done(flags.op)?;
    }
    if record.view == View::Removed {
        // It was deleted while it was on its way: it comes to stand nowhere.
        if let Some(intent) = intents.place.take() {
            w.operation_done(intent.op)?;
        }
        (record.mailbox, record.uid, record.gone_ms) = (to, 0, Some(w.now_ms));
        let orphan =
            record::encode(&OrphanRecord { gone_ms: w.now_ms, flags: FlagSet::default(), suspicious: false });
        w.tables.orphans.insert(keys::pair(u64::from(to.0), id.0).as_slice(), orphan.as_slice())?;
        return Ok(());
    }
    view::put_row(w, to, uid, &seen, id, modseq)?;
    move_in(w, account, id, record, intents, (to, uid))
}

/// A UID in a mailbox that this device numbers.
pub(crate) fn next_local_uid(w: &mut Writer<'_>, mailbox: MailboxId) -> Result<u32> {
    let record = w.mailbox(mailbox)?;
    let uid = record.uid_next.max(1);
    record.uid_next = uid.saturating_add(1);
    Ok(uid)
}

/// A mod-sequence in a mailbox that this device numbers.
pub(crate) fn next_local_modseq(w: &mut Writer<'_>, mailbox: MailboxId) -> Result<u64> {
    let record = w.mailbox(mailbox)?;
    record.highest_modseq += 1;
    Ok(record.highest_modseq)
}

/// Whether a mailbox is this device's alone.
pub(crate) fn is_local(w: &mut Writer<'_>, mailbox: MailboxId) -> Result<bool> {
    Ok(w.mailbox(mailbox)?.kind != MailboxKind::Server)
}

impl Writer<'_> {
    /// Messages that may turn up in a mailbox, in the order in which they were sent.
    fn awaited_in(&mut self, account: AccountId, mailbox: MailboxId) -> Result<Vec<MessageId>> {
        if self.awaited.is_none() {
            let mut all = hashbrown::HashMap::new();
            let mut subjects = Vec::new();
            for entry in self.tables.journal.iter()? {
                let entry: crate::store::intents::JournalRecord = record::decode(entry?.1.value())?;
                if let Subject::Place(id) = entry.subject {
                    subjects.push((entry.account, id));
                }
            }
            for (owner, id) in subjects {
                let (Some(record), intents) = (self.message(id)?, self.intents(id)?) else { continue };
                let target = match (&intents.place, intents.mark()) {
                    (Some(place), Some(_)) if place.goal == Goal::Delete => continue,
                    (Some(PlaceIntent { goal: Goal::Move { to }, .. }), _) if is_local(self, *to)? => {
                        continue;
                    }
                    (Some(_), Some(mark)) if mark.arrived.is_none() => mark.target,
                    (Some(place), None) if place.goal == Goal::Append && !record.is_placed() => {
                        record.mailbox
                    }
                    _ => continue,
                };
                all.entry((owner, target)).or_insert_with(Vec::new).push(id);
            }
            self.awaited = Some(all);
        }
        let found = self.awaited.as_ref().and_then(|all| all.get(&(account, mailbox)));
        Ok(found.cloned().unwrap_or_default())
    }

    fn awaited_no_more(&mut self, mailbox: MailboxId, id: MessageId) {
        if let Some(all) = &mut self.awaited {
            for ((_, target), ids) in all.iter_mut() {
                if *target == mailbox {
                    ids.retain(|other| *other != id);
                }
            }
        }
    }
}
