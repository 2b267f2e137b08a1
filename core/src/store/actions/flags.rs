//! Flags set and cleared by a person.

use crate::error::Result;
use crate::flags::{FlagSet, Flags};
use crate::ids::MessageId;
use crate::model::MailboxKind;
use crate::store::actions::{permit, shown};
use crate::store::intents::{FlagsIntent, Goal, Subject};
use crate::store::records::MessageRecord;
use crate::store::writer::Writer;
use crate::store::{arrivals, identity, view};

/// What to do to flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Set the first and clear the second.
    Some(FlagSet, FlagSet),
    /// These and no others.
    Exactly(FlagSet),
}

/// Sets and clears flags of a message.
pub(crate) fn change(w: &mut Writer<'_>, id: MessageId, change: &Change) -> Result<()> {
    let (record, _) = shown(w, id)?;
    let home = w.mailbox(record.mailbox)?.clone();
    let account = home.account;
    let local = home.kind != MailboxKind::Server;
    view::alter(w, id, |w, record, intents| {
        let server = view::server_flags(w, record)?;
        let seen = intents.over(&server);
        let (add, remove) = match change {
            Change::Some(add, remove) => (add.difference(&seen), remove.intersection(&seen)),
            Change::Exactly(flags) => (flags.difference(&seen), seen.difference(flags)),
        };
        if add.is_empty() && remove.is_empty() {
            return Ok(());
        }
        keep_from_copies(w, id, record, &add)?;
        if local && record.is_placed() {
            let flags = server.union(&add).difference(&remove);
            let modseq = arrivals::next_local_modseq(w, record.mailbox)?;
            return view::put_row(w, record.mailbox, record.uid, &flags, id, modseq);
        }
        permit_flags(&home, &add.union(&remove))?;
        let old = intents.flags.take();
        let sent = old.as_ref().and_then(|f| f.sent.clone());
        let (before_add, before_remove) = match &old {
            Some(f) if f.refused.is_none() => (f.add.clone(), f.remove.clone()),
            _ => Default::default(),
        };
        // The last action wins.
        let wanted_add = before_add.difference(&remove).union(&add);
        let wanted_remove = before_remove.difference(&add).union(&remove);
        let place_op = intents.place.as_ref().map(|p| p.op);
        if let Some(old) = &old
            && Some(old.op) != place_op
        {
            w.forget_operation(old.op)?;
        }
        let mut new = FlagsIntent {
            op: crate::ids::OperationId(0),
            created_ms: w.now_ms,
            add: wanted_add,
            remove: wanted_remove,
            sent,
            refused: None,
        };
        intents.flags = Some(new.clone());
        // What the server has already is not wanted any more, unless a command under way changes it. With which flags it
        // makes a copy is not known yet.
        let unmade = matches!(intents.goal(), Some(Goal::Copy { .. })) && !record.is_placed();
        if !unmade && intents.granted(&server).is_some() {
            return Ok(());
        }
        // Flags of a message that is still to be sent go with it.
        let goes_along = place_op.filter(|_| !record.is_placed());
        new.op = match goes_along {
            Some(op) => op,
            None => w.new_operation(account, Subject::Flags(id))?,
        };
        if let Some(flags) = &mut intents.flags {
            flags.op = new.op;
        }
        Ok(())
    })?;
    Ok(())
}

/// A copy that the server is still to make has the flags of the moment in which it was asked for, and none that come later.
fn keep_from_copies(
    w: &mut Writer<'_>,
    id: MessageId,
    record: &MessageRecord,
    later: &FlagSet,
) -> Result<()> {
    if w.counters.intents == 0 || later.is_empty() {
        return Ok(());
    }
    for holder in identity::holders(w, record.content)? {
        let mut intents = w.intents(holder)?;
        let Some(op) = intents.place.as_ref().filter(|p| p.goal == Goal::Copy { source: id }).map(|p| p.op)
        else {
            continue;
        };
        let created_ms = w.now_ms;
        let none = || FlagsIntent {
            op,
            created_ms,
            add: FlagSet::default(),
            remove: FlagSet::default(),
            sent: None,
            refused: None,
        };
        let flags = intents.flags.get_or_insert_with(none);
        flags.remove = flags.remove.union(&later.difference(&flags.add));
        w.put_intents(holder, &intents)?;
    }
    Ok(())
}

fn permit_flags(home: &crate::store::records::MailboxRecord, flags: &FlagSet) -> Result<()> {
    if flags.flags.contains(Flags::SEEN) {
        permit(home, 's', "mark messages as read in")?;
    }
    if flags.flags.contains(Flags::DELETED) {
        permit(home, 't', "delete messages in")?;
    }
    let others = flags.difference(&FlagSet::new(Flags::SEEN.union(Flags::DELETED)));
    if !others.is_empty() {
        permit(home, 'w', "flag messages in")?;
    }
    Ok(())
}
