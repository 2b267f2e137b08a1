//! Mailboxes as the server lists them: appearing, renamed, gone.

use hashbrown::HashMap;

use crate::error::Result;
use crate::ids::{AccountId, MailboxId, OperationId};
use crate::model::{BodyPolicy, Change, MailboxKind};
use crate::store::batch::{MailboxFact, StateFact};
use crate::store::intents::{JournalRecord, MailboxGoal, MailboxOperation, Subject};
use crate::store::records::{MailboxRecord, MailboxWish};
use crate::store::writer::Writer;
use crate::store::{expunge, partials};

/// The server's whole list of mailboxes: known under their names, new, renamed, or gone.
pub(crate) fn listed(
    w: &mut Writer<'_>,
    account: AccountId,
    facts: Vec<MailboxFact>,
    complete: bool,
) -> Result<()> {
    let (gone, mut here): (Vec<_>, Vec<_>) = w
        .mailboxes_of(account)?
        .into_iter()
        .filter(|(_, m)| m.kind == MailboxKind::Server)
        .partition(|(_, m)| m.gone);
    let gone: HashMap<Vec<u8>, MailboxId> =
        gone.into_iter().map(|(id, m)| (name_key(&m.wire_name), id)).collect();
    // Where one that is to be made has the name of one that is there, the name means the latter.
    here.sort_by_key(|(id, m)| (!m.wish.unborn, *id));
    let mut missing: HashMap<Vec<u8>, (MailboxId, MailboxRecord)> =
        here.into_iter().map(|(id, m)| (name_key(&m.wire_name), (id, m))).collect();
    let mut numberings: HashMap<u32, usize> = HashMap::new();
    for fact in &facts {
        *numberings.entry(fact.uid_validity.unwrap_or(0)).or_default() += 1;
    }
    let mut new = Vec::new();
    for fact in facts {
        match missing.remove(&name_key(&fact.wire_name)) {
            Some((id, _)) => {
                refresh(w, id, fact)?;
                met(w, id, &MailboxGoal::Create { role: None })?;
            }
            None => new.push(fact),
        }
    }
    // What is not on the server yet cannot be missing there.
    let mut missing: Vec<_> = missing.into_values().filter(|(_, m)| !m.wish.unborn).collect();
    missing.sort_by_key(|(id, _)| *id);
    for fact in new {
        let alone = numberings.get(&fact.uid_validity.unwrap_or(0)).copied() == Some(1);
        let renamed = missing.iter().position(|(_, m)| is_wished(m, &fact));
        let twins: Vec<usize> = match renamed {
            Some(at) => vec![at],
            None => {
                (0..missing.len()).filter(|i| complete && is_same(&missing[*i].1, &fact, alone)).collect()
            }
        };
        // Plainly the same mailbox under another name, on both sides.
        if let [only] = twins.as_slice() {
            let (id, _) = missing.remove(*only);
            refresh(w, id, fact)?;
            if renamed.is_some() {
                w.mailbox(id)?.wish.name = None;
                met(w, id, &MailboxGoal::Rename)?;
            }
            // The name is new; what is in it is looked at again.
            w.mailbox(id)?.settled = None;
        } else if let Some(id) = gone.get(&name_key(&fact.wire_name)) {
            // It was thought gone, or it was made again: the user's choices for it stay.
            w.mailbox(*id)?.gone = false;
            refresh(w, *id, fact)?;
        } else {
            w.insert_mailbox(new_record(account, fact));
        }
    }
    if complete {
        for (id, _) in missing {
            met(w, id, &MailboxGoal::Delete)?;
            go(w, id)?;
            // One that another makes under its name is not to be deleted.
            w.mailbox(id)?.wish.doomed = false;
        }
    }
    Ok(())
}

/// Whether a mailbox that is missing was to get the name that is new.
fn is_wished(missing: &MailboxRecord, new: &MailboxFact) -> bool {
    missing.wish.name.as_ref().is_some_and(|(_, wire)| *wire == new.wire_name)
}

/// The server shows what an operation wanted, whether or not it was answered.
fn met(w: &mut Writer<'_>, id: MailboxId, goal: &MailboxGoal) -> Result<()> {
    if matches!(goal, MailboxGoal::Create { .. }) && !std::mem::take(&mut w.mailbox(id)?.wish.unborn) {
        return Ok(());
    }
    if let Some((op, _)) = wish_of(w, id, goal)? {
        w.operation_done(op)?;
    }
    Ok(())
}

/// The operation of one kind on a mailbox that is not confirmed.
pub(crate) fn wish_of(
    w: &mut Writer<'_>,
    id: MailboxId,
    goal: &MailboxGoal,
) -> Result<Option<(OperationId, MailboxOperation)>> {
    let account = w.mailbox(id)?.account;
    for (op, subject) in w.operations_of(account)? {
        if let Subject::Mailbox(operation) = subject
            && operation.mailbox == id
            && operation.goal.is_like(goal)
        {
            return Ok(Some((op, operation)));
        }
    }
    Ok(None)
}

/// An operation on a mailbox was done.
pub(crate) fn wish_done(w: &mut Writer<'_>, op: OperationId) -> Result<()> {
    let Some(JournalRecord { subject: Subject::Mailbox(operation), account, .. }) = w.operation(op)? else {
        return Ok(());
    };
    let id = operation.mailbox;
    w.operation_done(op)?;
    if w.mailbox(id).is_err() {
        return Ok(());
    }
    match operation.goal {
        MailboxGoal::Create { .. } => w.mailbox(id)?.wish.unborn = false,
        MailboxGoal::Subscribe(on) => {
            let mailbox = w.mailbox(id)?;
            mailbox.subscribed = on;
            mailbox.wish.subscribed = None;
        }
        MailboxGoal::Delete => {
            go(w, id)?;
            w.mailbox(id)?.wish = MailboxWish::default();
        }
        MailboxGoal::Rename => {
            for id in renamed_with(w, account, id)? {
                let mailbox = w.mailbox(id)?;
                if let Some((name, wire_name)) = mailbox.wish.name.take() {
                    mailbox.name = name;
                    mailbox.wire_name = wire_name;
                    mailbox.settled = None;
                }
            }
        }
    }
    Ok(())
}

/// An operation on a mailbox was refused: it is as it was, and the operation is kept with the server's words.
pub(crate) fn wish_refused(w: &mut Writer<'_>, op: OperationId, why: &str) -> Result<()> {
    let Some(mut entry) = w.operation(op)? else { return Ok(()) };
    let Subject::Mailbox(operation) = &mut entry.subject else { return Ok(()) };
    operation.refused = Some(why.to_owned());
    let (id, goal) = (operation.mailbox, operation.goal.clone());
    w.put_operation(op, &entry)?;
    match goal {
        MailboxGoal::Create { .. } => {}
        MailboxGoal::Subscribe(_) => w.mailbox(id)?.wish.subscribed = None,
        MailboxGoal::Delete => w.mailbox(id)?.wish.doomed = false,
        MailboxGoal::Rename => keep_name(w, id)?,
    }
    Ok(())
}

/// A mailbox and those below it keep the names that they have.
pub(crate) fn keep_name(w: &mut Writer<'_>, id: MailboxId) -> Result<()> {
    let account = w.mailbox(id)?.account;
    for id in renamed_with(w, account, id)? {
        w.mailbox(id)?.wish.name = None;
    }
    Ok(())
}

/// A mailbox that is to be renamed and those below it, which go with it.
fn renamed_with(w: &mut Writer<'_>, account: AccountId, id: MailboxId) -> Result<Vec<MailboxId>> {
    let top = w.mailbox(id)?.clone();
    let all = w.mailboxes_of(account)?;
    let below = |m: &MailboxRecord| is_below(&m.wire_name, &top.wire_name, top.delimiter);
    Ok(all.into_iter().filter(|(other, m)| *other == id || below(m)).map(|(id, _)| id).collect())
}

/// Whether a name is below another in the hierarchy.
pub(crate) fn is_below(name: &[u8], top: &[u8], delimiter: Option<u8>) -> bool {
    let Some(delimiter) = delimiter else { return false };
    name.len() > top.len() && name.starts_with(top) && name[top.len()] == delimiter
}

fn new_record(account: AccountId, fact: MailboxFact) -> MailboxRecord {
    MailboxRecord {
        account,
        wire_name: fact.wire_name,
        name: fact.name,
        delimiter: fact.delimiter,
        kind: MailboxKind::Server,
        role: fact.role,
        selectable: fact.selectable,
        subscribed: fact.subscribed.unwrap_or(false),
        mailbox_id: fact.mailbox_id,
        ..MailboxRecord::empty(account)
    }
}

fn refresh(w: &mut Writer<'_>, id: MailboxId, fact: MailboxFact) -> Result<()> {
    if w.mailbox(id)?.selectable && !fact.selectable {
        // It was deleted, and its name stays for those below it.
        empty(w, id)?;
    }
    let record = w.mailbox(id)?;
    record.wire_name = fact.wire_name;
    record.name = fact.name;
    record.delimiter = fact.delimiter;
    // A plain LIST says nothing of roles or subscriptions; what an extended one said before stays.
    record.role = fact.role.or(record.role);
    record.selectable = fact.selectable;
    record.subscribed = fact.subscribed.unwrap_or(record.subscribed);
    record.mailbox_id = fact.mailbox_id.or(record.mailbox_id.take());
    Ok(())
}

/// Whether a mailbox that is missing is the one that is new: by the server's own id, else by a
/// UIDVALIDITY that no other mailbox has (`alone`) and that is no small number: servers that count from 1, or
/// give all mailboxes the same, prove nothing by it.
fn is_same(missing: &MailboxRecord, new: &MailboxFact, alone: bool) -> bool {
    const TELLING: u32 = 1_000;
    match (&missing.mailbox_id, &new.mailbox_id) {
        (Some(old), Some(new)) => old == new,
        _ => alone && missing.uid_validity >= TELLING && new.uid_validity == Some(missing.uid_validity),
    }
}

pub(crate) fn go(w: &mut Writer<'_>, id: MailboxId) -> Result<()> {
    empty(w, id)?;
    w.mailbox(id)?.gone = true;
    w.change(Change::Mailbox(id));
    Ok(())
}

/// Everything in a mailbox went with it.
fn empty(w: &mut Writer<'_>, id: MailboxId) -> Result<()> {
    expunge::hide_all(w, id, true)?;
    partials::drop_all(w, id)?;
    let record = w.mailbox(id)?;
    record.settled = None;
    record.complete = false;
    record.highest_modseq = 0;
    record.bodies_done = BodyPolicy::None;
    Ok(())
}

pub(crate) fn set_state(w: &mut Writer<'_>, id: MailboxId, state: StateFact) -> Result<()> {
    let record = w.mailbox(id)?;
    record.mailbox_id = state.mailbox_id.or(record.mailbox_id.take());
    record.uid_validity = state.uid_validity.unwrap_or(record.uid_validity);
    record.uid_next = state.uid_next.unwrap_or(record.uid_next);
    record.highest_modseq = state.highest_modseq.unwrap_or(record.highest_modseq);
    record.complete = state.complete.unwrap_or(record.complete);
    record.bodies_done = state.bodies_done.unwrap_or(record.bodies_done);
    record.settled = state.settled.unwrap_or(record.settled);
    record.audited_ms = state.audited_ms.unwrap_or(record.audited_ms);
    if let Some(rights) = state.rights {
        record.rights = rights;
    }
    Ok(())
}

/// The numbers of a mailbox that was numbered anew.
pub(crate) fn renumbered(w: &mut Writer<'_>, id: MailboxId, uid_validity: u32) -> Result<()> {
    let numbering = w.new_numbering();
    let record = w.mailbox(id)?;
    record.uid_validity = uid_validity;
    record.numbering = numbering;
    record.uid_next = 0;
    record.highest_modseq = 0;
    record.complete = false;
    record.bodies_done = BodyPolicy::None;
    record.settled = None;
    record.audited_ms = 0;
    Ok(())
}

/// INBOX is one name in any case (RFC 9051 §5.1); every other name is its bytes.
fn name_key(name: &[u8]) -> Vec<u8> {
    if name.eq_ignore_ascii_case(b"INBOX") { b"INBOX".to_vec() } else { name.to_vec() }
}
