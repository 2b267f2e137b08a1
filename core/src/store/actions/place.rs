//! Messages moved, copied and deleted by a person.

use crate::error::{Error, Result};
use crate::flags::FlagSet;
use crate::ids::{AccountId, MailboxId, MessageId, OperationId};
use crate::model::{MailboxKind, Role};
use crate::store::actions::{mailbox, permit, shown, target};
use crate::store::apply::fallback_id;
use crate::store::intents::{FlagsIntent, Goal, IntentRecord, PlaceIntent, Subject};
use crate::store::records::{MessageRecord, View};
use crate::store::writer::Writer;
use crate::store::{arrivals, keys, ledger, orphans, view};

/// Moves a message to another mailbox of its account.
pub(crate) fn move_to(w: &mut Writer<'_>, id: MessageId, to: MailboxId) -> Result<()> {
    let (record, from) = shown(w, id)?;
    if from == to {
        return Ok(());
    }
    let home = w.mailbox(record.mailbox)?.clone();
    let into = target(w, to)?;
    if into.account != home.account {
        let why = "it belongs to another account".to_owned();
        return Err(Error::Invalid { what: "mailbox", why });
    }
    let (from_local, to_local) = (home.kind != MailboxKind::Server, into.kind != MailboxKind::Server);
    if !from_local && record.is_placed() {
        permit(&home, 't', "move messages out of")?;
    }
    let account = home.account;
    if home.kind == MailboxKind::PopInbox {
        ledger::left_inbox(w, id, false)?;
    }
    view::alter(w, id, |w, record, intents| {
        let placed = record.is_placed();
        let flags = view::server_flags(w, record)?;
        if placed && from_local && to_local && intents.mark().is_none() {
            // What was still to be sent need not be any more.
            forget_place(w, intents)?;
            record.view = View::Here;
            if record.mailbox == to {
                return Ok(());
            }
            view::drop_row(w, record.mailbox, record.uid)?;
            return arrivals::move_in_locally(w, account, id, record, intents, to, &flags);
        }
        if intents.mark().is_some() {
            // Under way to somewhere: it is moved on from there.
            record.view = if record.mailbox == to && !placed { View::Here } else { View::In(to) };
            return Ok(());
        }
        if !placed {
            let whole = w.content(record.content)?.is_some_and(|c| c.body.is_some());
            if to_local && whole {
                // It was to be sent, and need not be any more.
                return arrivals::move_in_locally(w, account, id, record, intents, to, &flags);
            }
            record.mailbox = to;
            record.view = View::Here;
            return Ok(());
        }
        forget_place(w, intents)?;
        if record.mailbox == to {
            record.view = View::Here;
            return Ok(());
        }
        record.view = View::In(to);
        want(w, account, id, intents, Goal::Move { to }, None)
    })?;
    Ok(())
}

/// Deletes a message: into the Trash, or where it is there already (or there is to be no way back) for good.
pub(crate) fn delete(w: &mut Writer<'_>, id: MessageId, for_good: bool) -> Result<()> {
    let (_, mailbox) = shown(w, id)?;
    let seen = w.mailbox(mailbox)?.clone();
    let role = seen.chosen_role.unwrap_or(seen.role);
    if !for_good && !matches!(role, Some(Role::Trash | Role::Junk)) {
        let trash = mailbox::with_role(w, seen.account, Role::Trash)?;
        return move_to(w, id, trash);
    }
    expunge(w, id, None)
}

/// Deletes a message for good, once another operation is done.
pub(crate) fn expunge(w: &mut Writer<'_>, id: MessageId, after: Option<OperationId>) -> Result<()> {
    let (record, _) = shown(w, id)?;
    let home = w.mailbox(record.mailbox)?.clone();
    let account = home.account;
    let local = home.kind != MailboxKind::Server;
    if !local && record.is_placed() {
        permit(&home, 't', "delete messages in")?;
    }
    if home.kind == MailboxKind::PopInbox {
        ledger::left_inbox(w, id, true)?;
    }
    let erased = view::alter(w, id, |w, record, intents| {
        if let Some(place) = intents.place.as_mut().filter(|p| p.mark.is_some()) {
            // Under way to somewhere: it is deleted there.
            place.after = after;
            record.view = View::Removed;
            return Ok(false);
        }
        if local || !record.is_placed() {
            if record.is_placed() {
                view::drop_row(w, record.mailbox, record.uid)?;
            }
            record.gone_ms = Some(w.now_ms);
            record.uid = 0;
            return Ok(true);
        }
        forget_place(w, intents)?;
        record.view = View::Removed;
        want(w, account, id, intents, Goal::Delete, after)?;
        Ok(false)
    })?;
    if erased == Some(true)
        && let Some(record) = w.message(id)?
    {
        orphans::forget(w, id, &record)?;
    }
    Ok(())
}

/// Messages that are to be sent from a mailbox of this device, which is deleted, wait in the mailbox that they are for.
pub(super) fn leave(w: &mut Writer<'_>, account: AccountId, mailbox: MailboxId) -> Result<()> {
    for (_, subject) in w.operations_of(account)? {
        let Subject::Place(id) = subject else { continue };
        let Some(Goal::Move { to }) = w.intents(id)?.place.map(|p| p.goal) else { continue };
        view::alter(w, id, |w, record, intents| {
            if record.mailbox != mailbox || !record.is_placed() {
                return Ok(());
            }
            let server = view::server_flags(w, record)?;
            let flags = intents.over(&server);
            view::drop_row(w, record.mailbox, record.uid)?;
            (record.mailbox, record.uid) = (to, 0);
            if record.view == View::In(to) {
                record.view = View::Here;
            }
            if let Some(place) = &mut intents.place {
                place.goal = Goal::Append;
            }
            take_flags_along(w, intents, flags, FlagSet::default());
            Ok(())
        })?;
    }
    Ok(())
}

/// Copies a message into a mailbox of its account, and says what the copy is called.
pub(crate) fn copy_to(w: &mut Writer<'_>, id: MessageId, to: MailboxId) -> Result<MessageId> {
    let (record, _) = shown(w, id)?;
    let home = w.mailbox(record.mailbox)?.clone();
    let into = target(w, to)?;
    if into.account != home.account {
        let why = "it belongs to another account".to_owned();
        return Err(Error::Invalid { what: "mailbox", why });
    }
    let server = view::server_flags(w, &record)?;
    let flags = w.intents(id)?.over(&server);
    let copy = fallback_id(w);
    let entry = MessageRecord {
        mailbox: to,
        uid: 0,
        view: View::Here,
        added_ms: w.now_ms,
        gone_ms: None,
        ..record.clone()
    };
    let whole = w.content(record.content)?.is_some_and(|c| c.body.is_some());
    // What only this device has is sent as it is.
    let goal = if home.kind == MailboxKind::Server { Goal::Copy { source: id } } else { Goal::Append };
    let account = home.account;
    enter(w, account, copy, entry)?;
    view::alter(w, copy, |w, record, intents| {
        record.gone_ms = None;
        if into.kind != MailboxKind::Server && whole {
            return arrivals::move_in_locally(w, account, copy, record, intents, to, &flags);
        }
        want(w, account, copy, intents, goal, None)?;
        take_flags_along(w, intents, flags.clone(), server.difference(&flags));
        Ok(())
    })?;
    Ok(copy)
}

/// Writes the record of a message that nobody sees yet.
pub(super) fn enter(
    w: &mut Writer<'_>,
    _account: AccountId,
    id: MessageId,
    mut record: MessageRecord,
) -> Result<()> {
    record.gone_ms = Some(w.now_ms);
    w.put_message(id, &record)?;
    w.tables.holders.insert(keys::pair(record.content.0, id.0).as_slice(), [].as_slice())?;
    Ok(())
}

/// Flags that a message has from the start go with it, and those that it must not have are taken off what it is made of.
pub(crate) fn take_flags_along(w: &Writer<'_>, intents: &mut IntentRecord, add: FlagSet, remove: FlagSet) {
    let some = !(add.is_empty() && remove.is_empty());
    let Some(op) = intents.place.as_ref().map(|p| p.op).filter(|_| some) else { return };
    intents.flags = Some(FlagsIntent { op, created_ms: w.now_ms, add, remove, sent: None, refused: None });
}

/// Enters where a message is to go.
pub(crate) fn want(
    w: &mut Writer<'_>,
    account: AccountId,
    id: MessageId,
    intents: &mut IntentRecord,
    goal: Goal,
    after: Option<OperationId>,
) -> Result<()> {
    let op = w.new_operation(account, Subject::Place(id))?;
    let created_ms = w.now_ms;
    intents.place = Some(PlaceIntent { op, created_ms, goal, refused: None, mark: None, after });
    Ok(())
}

fn forget_place(w: &mut Writer<'_>, intents: &mut IntentRecord) -> Result<()> {
    if let Some(place) = intents.place.take() {
        w.forget_operation(place.op)?;
    }
    Ok(())
}
