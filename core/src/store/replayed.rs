//! What becomes of operations: sent, confirmed, refused, lost.

use crate::error::Result;
use crate::flags::FlagSet;
use crate::ids::{AccountId, MailboxId, MessageId, OperationId};
use crate::store::arrivals;
use crate::store::batch::ReplayFact;
use crate::store::intents::{Goal, IntentRecord, MailboxGoal, Subject};
use crate::store::records::{MessageRecord, OrphanRecord, View};
use crate::store::writer::Writer;
use crate::store::{apply, keys, mailboxes, record, view};

pub(crate) fn apply(w: &mut Writer<'_>, account: AccountId, fact: ReplayFact) -> Result<()> {
    match fact {
        ReplayFact::Sent { messages, mark } => {
            for id in messages {
                let mut intents = w.intents(id)?;
                let stands_in = w.message(id)?.map(|m| m.mailbox);
                if let Some(place) = &mut intents.place {
                    // A person may have thought of something else meanwhile: then it is not sent.
                    let still = match place.goal {
                        // Into a mailbox of this device it goes by being deleted where it stands.
                        Goal::Move { to } if arrivals::is_local(w, to)? => stands_in == Some(mark.target),
                        Goal::Move { to } => to == mark.target,
                        Goal::Append | Goal::Copy { .. } | Goal::Delete => stands_in == Some(mark.target),
                    };
                    if still && place.refused.is_none() {
                        place.mark = Some(mark);
                        let made = matches!(place.goal, Goal::Append | Goal::Copy { .. });
                        if let Some(flags) = intents.flags.as_mut().filter(|_| made) {
                            // They go with it: one that is cleared from now on is to be cleared there.
                            flags.sent = Some((flags.add.clone(), flags.remove.clone()));
                        }
                        w.put_intents(id, &intents)?;
                    }
                }
            }
        }
        ReplayFact::FlagsSent(messages) => flags_under_way(w, messages, true)?,
        ReplayFact::FlagsAnswered(messages) => flags_under_way(w, messages, false)?,
        ReplayFact::Told { mailbox, uid_validity, pairs, flags } => {
            for (uid, id) in pairs {
                arrivals::told(w, mailbox, uid_validity, uid, id, flags.as_ref())?;
            }
        }
        ReplayFact::Answered(messages) => each_mark(w, messages, |mark| mark.answered = true)?,
        ReplayFact::NotDone(messages) => {
            for id in messages {
                let mut intents = w.intents(id)?;
                let copied = intents.mark().is_some_and(|m| m.is_made());
                if let Some(place) = intents.place.as_mut().filter(|_| !copied) {
                    place.mark = None;
                    w.put_intents(id, &intents)?;
                }
            }
        }
        ReplayFact::Left(messages) => {
            for id in messages {
                left(w, account, id)?;
            }
        }
        ReplayFact::Refused { op, why } => refuse(w, op, &why)?,
        ReplayFact::CopiedLocally(id) => copied_locally(w, account, id)?,
        ReplayFact::Looked(mailbox) => looked(w, account, mailbox)?,
        ReplayFact::Lost => lost(w, account)?,
        ReplayFact::MailboxDone(op) => mailboxes::wish_done(w, op)?,
    }
    Ok(())
}

fn flags_under_way(w: &mut Writer<'_>, messages: Vec<MessageId>, sent: bool) -> Result<()> {
    for id in messages {
        let mut intents = w.intents(id)?;
        if let Some(flags) = &mut intents.flags {
            flags.sent = sent.then(|| (flags.add.clone(), flags.remove.clone()));
            w.put_intents(id, &intents)?;
        }
        if !sent {
            // What the answer showed counts from now on.
            view::alter(w, id, |w, record, intents| {
                if !record.is_placed() {
                    // On its way: it shows when it arrives.
                    return Ok(());
                }
                let server = view::server_flags(w, record)?;
                match intents.granted(&server) {
                    Some(op) => w.operation_done(op),
                    None => Ok(()),
                }
            })?;
        }
    }
    Ok(())
}

fn each_mark(
    w: &mut Writer<'_>,
    messages: Vec<MessageId>,
    act: impl Fn(&mut crate::store::intents::Mark),
) -> Result<()> {
    for id in messages {
        let mut intents = w.intents(id)?;
        if let Some(mark) = intents.place.as_mut().and_then(|p| p.mark.as_mut()) {
            act(mark);
            w.put_intents(id, &intents)?;
        }
    }
    Ok(())
}

/// The original bears `\Deleted`, and stays: nobody sees it any more.
fn left(w: &mut Writer<'_>, account: AccountId, id: MessageId) -> Result<()> {
    view::alter(w, id, |w, record, intents| {
        let Some(place) = &mut intents.place else { return Ok(()) };
        match (place.goal, &mut place.mark) {
            (Goal::Delete, _) => {
                let op = place.op;
                intents.place = None;
                record.view = View::Removed;
                w.operation_done(op)
            }
            (Goal::Move { to }, _) if arrivals::is_local(w, to)? => {
                let flags = view::server_flags(w, record)?;
                arrivals::leave_behind(w, record)?;
                arrivals::move_in_locally(w, account, id, record, intents, to, &flags)
            }
            (Goal::Move { .. }, Some(mark)) => match mark.arrived {
                Some(uid) => {
                    let place = (mark.target, uid);
                    arrivals::leave_behind(w, record)?;
                    arrivals::move_in(w, account, id, record, intents, place)
                }
                None => {
                    mark.left = true;
                    Ok(())
                }
            },
            _ => Ok(()),
        }
    })?;
    Ok(())
}

/// Sets an operation aside. What it did to the view is undone, but for what only this device has.
pub(crate) fn refuse(w: &mut Writer<'_>, op: OperationId, why: &str) -> Result<()> {
    let Some(entry) = w.operation(op)? else { return Ok(()) };
    let words = why.to_owned();
    match entry.subject {
        Subject::Flags(id) => {
            view::alter(w, id, |_, _, intents| {
                if let Some(flags) = intents.flags.as_mut().filter(|f| f.op == op) {
                    flags.refused = Some(words);
                    flags.sent = None;
                }
                Ok(())
            })?;
        }
        Subject::Place(id) => {
            view::alter(w, id, |w, record, intents| {
                let Some(place) = intents.place.as_mut().filter(|p| p.op == op) else { return Ok(()) };
                let arrived = place.mark.and_then(|m| Some((m.target, m.arrived?)));
                place.refused = Some(words);
                place.mark = None;
                if matches!(place.goal, Goal::Move { .. } | Goal::Delete) {
                    record.view = View::Here;
                }
                match arrived {
                    // The copy was made and the original stays: two entries, both seen.
                    Some(place) => split(w, record, place),
                    None => Ok(()),
                }
            })?;
        }
        Subject::Mailbox(_) => mailboxes::wish_refused(w, op, why)?,
    }
    w.set_aside.push(op);
    w.touch();
    Ok(())
}

/// A copy that was made on the way becomes an entry of its own.
fn split(w: &mut Writer<'_>, record: &MessageRecord, (mailbox, uid): (MailboxId, u32)) -> Result<()> {
    let Some(row) = w.placement(mailbox, uid)? else { return Ok(()) };
    let id = apply::fallback_id(w);
    let copy = MessageRecord { mailbox, uid, view: View::Here, gone_ms: None, ..record.clone() };
    let flags = w.flag_set(row.flags, row.keywords)?;
    view::drop_row(w, mailbox, uid)?;
    apply::place(w, id, &copy, &flags, row.modseq)
}

/// A copy comes to stand in a mailbox of this device: its content is here, or its original's is.
fn copied_locally(w: &mut Writer<'_>, account: AccountId, id: MessageId) -> Result<()> {
    let Some(Goal::Copy { source }) = w.intents(id)?.goal() else { return Ok(()) };
    let original = w.message(source)?.map(|m| m.content);
    let before = w.message(id)?.map(|m| m.content);
    let bare = |c: Option<crate::store::records::ContentRecord>| c.is_none_or(|c| c.body.is_none());
    if let (Some(theirs), Some(ours)) = (original, before)
        && theirs != ours
        && bare(w.content(ours)?)
    {
        w.tables.holders.insert(keys::pair(theirs.0, id.0).as_slice(), [].as_slice())?;
        w.tables.holders.remove(keys::pair(ours.0, id.0).as_slice())?;
        view::alter(w, id, |_, record, _| {
            record.content = theirs;
            Ok(())
        })?;
        crate::store::orphans::drop_unheld(w, ours)?;
    }
    view::alter(w, id, |w, record, intents| {
        let to = record.mailbox;
        let flags = view::server_flags(w, record)?;
        arrivals::move_in_locally(w, account, id, record, intents, to, &flags)
    })?;
    Ok(())
}

/// Everything in a mailbox was met. What was sent there and is not there was not done, unless the server said OK.
fn looked(w: &mut Writer<'_>, account: AccountId, mailbox: MailboxId) -> Result<()> {
    for (op, subject) in w.operations_of(account)? {
        let Subject::Place(id) = subject else { continue };
        let Some(place) = w.intents(id)?.place else { continue };
        let Some(mark) = place.mark.filter(|m| m.target == mailbox && m.arrived.is_none()) else { continue };
        let Some(record) = w.message(id)? else { continue };
        match (place.goal, record.is_placed(), mark.answered) {
            (Goal::Append | Goal::Copy { .. }, _, false) | (Goal::Move { .. }, true, false) => {
                let mut intents = w.intents(id)?;
                if let Some(place) = &mut intents.place {
                    place.mark = None;
                }
                w.put_intents(id, &intents)?;
            }
            // It was made, and another client has taken it away since.
            (Goal::Append | Goal::Copy { .. }, false, true) | (Goal::Move { .. }, false, true) => {
                w.operation_done(op)?;
                gone(w, id)?;
            }
            (Goal::Move { .. }, true, true) => {
                refuse(w, op, "the copy that the server said it made cannot be found")?;
            }
            (Goal::Move { .. }, false, false) => {
                refuse(w, op, "the message was deleted on the server before it was moved")?;
                gone(w, id)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// A message of ours that the server turned out not to have.
pub(crate) fn gone(w: &mut Writer<'_>, id: MessageId) -> Result<()> {
    let now = w.now_ms;
    let mailbox = view::alter(w, id, |w, record, intents| {
        if intents.place.as_ref().is_some_and(|p| p.refused.is_none()) {
            intents.place = None;
        }
        if let Some(flags) = intents.flags.take()
            && intents.place.as_ref().is_none_or(|p| p.op != flags.op)
        {
            w.forget_operation(flags.op)?;
        }
        record.gone_ms = Some(now);
        record.uid = 0;
        Ok(record.mailbox)
    })?;
    if let Some(mailbox) = mailbox {
        let orphan =
            record::encode(&OrphanRecord { gone_ms: now, flags: FlagSet::default(), suspicious: false });
        w.tables.orphans.insert(keys::pair(u64::from(mailbox.0), id.0).as_slice(), orphan.as_slice())?;
    }
    Ok(())
}

/// The whole account was met: a message that is nowhere was deleted by someone, and that wins over what was wanted of it.
fn lost(w: &mut Writer<'_>, account: AccountId) -> Result<()> {
    for (_, subject) in w.operations_of(account)? {
        let Subject::Place(id) = subject else { continue };
        let Some(mark) = w.intents(id)?.mark() else { continue };
        if w.mailbox(mark.target).map_or(true, |m| m.gone || !m.selectable) {
            // What was sent there went with it: nobody can look any more.
            looked(w, account, mark.target)?;
        }
    }
    for (op, subject) in w.operations_of(account)? {
        let (Subject::Flags(id) | Subject::Place(id)) = subject else { continue };
        let Some(record) = w.message(id)? else {
            w.forget_operation(op)?;
            continue;
        };
        if record.gone_ms.is_none() {
            continue;
        }
        let key = keys::pair(u64::from(record.mailbox.0), id.0);
        let orphan = crate::store::tables::get(&w.tables.orphans, &key)?;
        let orphan = orphan.map(|b| record::decode::<OrphanRecord>(&b)).transpose()?;
        let suspicious = orphan.is_some_and(|o| o.suspicious);
        let mut intents = w.intents(id)?;
        match subject {
            Subject::Flags(_) if intents.flags.as_ref().is_none_or(|f| f.refused.is_some()) => {}
            Subject::Place(_) if intents.place.as_ref().is_none_or(|p| p.refused.is_some()) => {}
            Subject::Flags(_) if !suspicious => {
                intents.flags = None;
                w.put_intents(id, &intents)?;
                w.forget_operation(op)?;
            }
            // A deletion that was sent, and of which nothing is left.
            Subject::Place(_)
                if intents.goal() == Some(Goal::Delete) && (!suspicious || intents.mark().is_some()) =>
            {
                intents.place = None;
                w.put_intents(id, &intents)?;
                w.operation_done(op)?;
            }
            // The original is nowhere, and what was made of it stands where it was to go: it has moved.
            Subject::Place(_) if has_arrived(&intents) => {
                w.tables.orphans.remove(key.as_slice())?;
                view::alter(w, id, |w, record, intents| {
                    let arrived = intents.mark().and_then(|m| Some((m.target, m.arrived?)));
                    let Some(place) = arrived else { return Ok(()) };
                    arrivals::move_in(w, account, id, record, intents, place)
                })?;
            }
            _ if suspicious => refuse(w, op, "the message could not be found again on the server")?,
            _ => refuse(w, op, "the message was deleted on the server")?,
        }
    }
    Ok(())
}

fn has_arrived(intents: &IntentRecord) -> bool {
    let moves = matches!(intents.goal(), Some(Goal::Move { .. }));
    moves && intents.mark().is_some_and(|mark| mark.arrived.is_some())
}

impl MailboxGoal {
    /// Whether an operation of this kind and another are about the same.
    pub(crate) fn is_like(&self, other: &MailboxGoal) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}
