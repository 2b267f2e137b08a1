//! The journal as a person sees it: listed, taken back, tried again.

use redb::ReadableTable;

use crate::error::{Error, Result};
use crate::ids::{AccountId, MessageId, OperationId};
use crate::journal::{Operation, OperationKind, OperationState};
use crate::store::intents::{
    Goal, IntentRecord, JournalRecord, MailboxGoal, MailboxOperation, PlaceIntent, Subject,
};
use crate::store::mailboxes;
use crate::store::records::{MailboxWish, View};
use crate::store::tables::Snapshot;
use crate::store::writer::Writer;
use crate::store::{keys, orphans, query, record, view};

/// What has not been confirmed by a server, oldest first.
pub(crate) fn list(tables: &Snapshot, account: Option<AccountId>) -> Result<Vec<Operation>> {
    let mut all = Vec::new();
    for entry in tables.journal.iter()? {
        let (key, value) = entry?;
        let id = OperationId(keys::read_u64(key.value(), 0).unwrap_or(0));
        let entry: JournalRecord = record::decode(value.value())?;
        if account.is_none_or(|a| a == entry.account) {
            all.extend(operation(tables, id, entry)?);
        }
    }
    Ok(all)
}

fn operation(tables: &Snapshot, id: OperationId, entry: JournalRecord) -> Result<Option<Operation>> {
    let (kind, created_ms, refused, sent) = match entry.subject {
        Subject::Flags(message) => {
            let Some(flags) = query::intents(tables, message)?.flags else { return Ok(None) };
            let kind = OperationKind::SetFlags { message, add: flags.add, remove: flags.remove };
            (kind, flags.created_ms, flags.refused, flags.sent.is_some())
        }
        Subject::Place(message) => {
            let Some(place) = query::intents(tables, message)?.place else { return Ok(None) };
            let into = query::message_record(tables, message)?.map(|m| m.mailbox);
            let kind = match (place.goal, into) {
                (Goal::Move { to }, _) => OperationKind::Move { message, to },
                (Goal::Delete, _) => OperationKind::Delete { message },
                (Goal::Append, Some(to)) => OperationKind::Append { message, to },
                (Goal::Copy { source }, Some(to)) => OperationKind::Copy { message, source, to },
                (_, None) => return Ok(None),
            };
            (kind, place.created_ms, place.refused, place.mark.is_some())
        }
        Subject::Mailbox(MailboxOperation { mailbox, goal, created_ms, refused }) => {
            let kind = match goal {
                MailboxGoal::Create { .. } => OperationKind::CreateMailbox { mailbox },
                MailboxGoal::Rename => OperationKind::RenameMailbox { mailbox },
                MailboxGoal::Delete => OperationKind::DeleteMailbox { mailbox },
                MailboxGoal::Subscribe(on) => OperationKind::Subscribe { mailbox, on },
            };
            (kind, created_ms, refused, false)
        }
    };
    let state = match refused {
        Some(reason) => OperationState::SetAside { reason },
        None if sent => OperationState::Sent,
        None => OperationState::Waiting,
    };
    Ok(Some(Operation { id, account: entry.account, created_ms, kind, state }))
}

/// Takes an operation back, or forgets one that was set aside.
pub(crate) fn cancel(w: &mut Writer<'_>, op: OperationId) -> Result<()> {
    let entry = w.operation(op)?.ok_or(Error::Gone("operation"))?;
    match entry.subject {
        Subject::Flags(id) => {
            view::alter(w, id, |w, _, intents| {
                if intents.flags.as_ref().is_some_and(|f| f.sent.is_some()) {
                    return Err(Error::Misuse("the operation was sent already"));
                }
                intents.flags = None;
                w.forget_operation(op).map(drop)
            })?;
        }
        Subject::Place(id) => {
            cancel_place(w, id)?;
            stay(w, op)?;
        }
        Subject::Mailbox(operation) => {
            w.forget_operation(op)?;
            if operation.refused.is_none() {
                take_back(w, &operation)?;
            } else if matches!(operation.goal, MailboxGoal::Create { .. }) {
                drop_unborn(w, &operation)?;
            }
        }
    }
    Ok(())
}

fn cancel_place(w: &mut Writer<'_>, id: MessageId) -> Result<()> {
    let erased = view::alter(w, id, |w, record, intents| {
        let Some(place) = &intents.place else { return Ok(false) };
        if place.mark.is_some() {
            return Err(Error::Misuse("the operation was sent already"));
        }
        w.forget_operation(place.op)?;
        let made = matches!(place.goal, Goal::Append | Goal::Copy { .. });
        intents.place = None;
        if made {
            record.gone_ms = Some(w.now_ms);
        } else {
            record.view = View::Here;
        }
        Ok(made)
    })?;
    if erased == Some(true)
        && let Some(record) = w.message(id)?
    {
        orphans::forget(w, id, &record)?;
    }
    Ok(())
}

/// What was to go once an operation is done stays, now that it never will be: the older version of a draft, a message that
/// was to move to another account.
pub(crate) fn stay(w: &mut Writer<'_>, op: OperationId) -> Result<()> {
    for (id, place) in w.waiting_for(op)? {
        if place.goal == Goal::Delete { cancel_place(w, id)? } else { keep(w, id)? }
    }
    Ok(())
}

/// A message that was to be deleted when it is where it is on its way to stays there.
fn keep(w: &mut Writer<'_>, id: MessageId) -> Result<()> {
    view::alter(w, id, |_, record, intents| {
        let Some(place) = &mut intents.place else { return Ok(()) };
        place.after = None;
        record.view = match place.goal {
            Goal::Move { to } if (record.mailbox, record.is_placed()) != (to, false) => View::In(to),
            _ => View::Here,
        };
        Ok(())
    })?;
    Ok(())
}

fn take_back(w: &mut Writer<'_>, operation: &MailboxOperation) -> Result<()> {
    let id = operation.mailbox;
    match operation.goal {
        MailboxGoal::Create { .. } => drop_unborn(w, operation)?,
        MailboxGoal::Delete => w.mailbox(id)?.wish.doomed = false,
        MailboxGoal::Subscribe(_) => w.mailbox(id)?.wish.subscribed = None,
        MailboxGoal::Rename => mailboxes::keep_name(w, id)?,
    }
    Ok(())
}

fn drop_unborn(w: &mut Writer<'_>, operation: &MailboxOperation) -> Result<()> {
    let id = operation.mailbox;
    if !w.mailbox(id)?.wish.unborn {
        return Ok(());
    }
    let (total, account) = (w.mailbox(id)?.total, w.mailbox(id)?.account);
    if total > 0 {
        // It goes back into the journal: the transaction ends without effect.
        let why = format!("{total} messages are in it");
        return Err(Error::Invalid { what: "mailbox", why });
    }
    for (op, subject) in w.operations_of(account)? {
        if matches!(subject, Subject::Mailbox(o) if o.mailbox == id) {
            w.forget_operation(op)?;
        }
    }
    let mailbox = w.mailbox(id)?;
    mailbox.wish = MailboxWish::default();
    mailbox.gone = true;
    Ok(())
}

/// Tries an operation again that was set aside.
pub(crate) fn retry(w: &mut Writer<'_>, op: OperationId) -> Result<()> {
    let mut entry = w.operation(op)?.ok_or(Error::Gone("operation"))?;
    entry.incarnation = w.incarnation()?;
    match &mut entry.subject {
        Subject::Flags(id) => {
            view::alter(w, *id, |w, record, intents| {
                if let Some(flags) = &mut intents.flags {
                    flags.refused = None;
                }
                let server = view::server_flags(w, record)?;
                intents.granted(&server).map_or(Ok(()), |op| w.operation_done(op))
            })?;
            if w.operation(op)?.is_none() {
                return Ok(());
            }
        }
        Subject::Place(id) => {
            view::alter(w, *id, |_, record, intents| {
                again(record, intents);
                Ok(())
            })?;
        }
        Subject::Mailbox(operation) => {
            operation.refused = None;
            let id = operation.mailbox;
            match operation.goal {
                MailboxGoal::Delete => w.mailbox(id)?.wish.doomed = true,
                MailboxGoal::Subscribe(on) => w.mailbox(id)?.wish.subscribed = Some(on),
                MailboxGoal::Create { .. } => {}
                // Its name went back; it is renamed anew.
                MailboxGoal::Rename => {
                    return Err(Error::Misuse("a rename that was refused is asked for anew"));
                }
            }
        }
    }
    w.put_operation(op, &entry)
}

fn again(record: &mut crate::store::records::MessageRecord, intents: &mut IntentRecord) {
    let Some(PlaceIntent { goal, refused, .. }) = &mut intents.place else { return };
    *refused = None;
    match *goal {
        Goal::Move { to } => record.view = View::In(to),
        Goal::Delete => record.view = View::Removed,
        Goal::Append | Goal::Copy { .. } => {}
    }
}
