//! Mailboxes as the server lists them: appearing, renamed, gone.

use crate::error::Result;
use crate::ids::{AccountId, MailboxId};
use crate::model::{Change, MailboxKind};
use crate::store::batch::{MailboxFact, StateFact};
use crate::store::records::MailboxRecord;
use crate::store::writer::Writer;

/// A mailbox that the server lists: known under its name, or new.
pub(crate) fn listed(w: &mut Writer<'_>, account: AccountId, fact: MailboxFact) -> Result<()> {
    let all = w.mailboxes_of(account)?;
    let known = all.iter().find(|(_, m)| {
        m.kind == MailboxKind::Server && !m.gone && same_name(&m.wire_name, &fact.wire_name)
    });
    if let Some((id, _)) = known {
        return refresh(w, *id, fact);
    }
    let record = MailboxRecord {
        account,
        wire_name: fact.wire_name,
        name: fact.name,
        delimiter: fact.delimiter,
        kind: MailboxKind::Server,
        role: fact.role,
        chosen_role: None,
        selectable: fact.selectable,
        subscribed: fact.subscribed.unwrap_or(false),
        mailbox_id: fact.mailbox_id,
        gone: false,
        // A hint until the mailbox is opened: list_complete compares it with mailboxes that went.
        uid_validity: 0,
        uid_next: 0,
        highest_modseq: 0,
        total: 0,
        unseen: 0,
        size: 0,
        complete: false,
        bodies_complete: false,
        settled: None,
        audited_ms: 0,
    };
    let hint = fact.uid_validity;
    let id = w.insert_mailbox(record);
    if let Some(hint) = hint {
        w.note_uid_validity(id, hint);
    }
    Ok(())
}

fn refresh(w: &mut Writer<'_>, id: MailboxId, fact: MailboxFact) -> Result<()> {
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

/// Server mailboxes that a complete list did not name: renamed where a new one is plainly the same,
/// else gone.
pub(crate) fn list_complete(w: &mut Writer<'_>, account: AccountId, names: &[Vec<u8>]) -> Result<()> {
    let all = w.mailboxes_of(account)?;
    let (here, missing): (Vec<_>, Vec<_>) = all
        .into_iter()
        .filter(|(_, m)| m.kind == MailboxKind::Server && !m.gone)
        .partition(|(_, m)| names.iter().any(|n| same_name(n, &m.wire_name)));
    for (id, record) in &missing {
        let twins: Vec<_> =
            here.iter().filter(|(new, m)| w.is_new_mailbox(*new) && is_same(w, record, *new, m)).collect();
        let rivals = |twin: MailboxId, m: &MailboxRecord| {
            missing.iter().filter(|(_, other)| is_same(w, other, twin, m)).count()
        };
        match twins.as_slice() {
            [(twin, fresh)] if rivals(*twin, fresh) == 1 => {
                let fresh = fresh.clone();
                w.forget_mailbox(*twin)?;
                let renamed = w.mailbox(*id)?;
                renamed.wire_name = fresh.wire_name;
                renamed.name = fresh.name;
                renamed.delimiter = fresh.delimiter;
                renamed.role = fresh.role.or(renamed.role);
                renamed.selectable = fresh.selectable;
                renamed.subscribed = fresh.subscribed;
                // The name is new; what is in it is looked at again.
                renamed.settled = None;
            }
            _ => go(w, *id)?,
        }
    }
    Ok(())
}

/// Whether a mailbox that is missing is the one that is new: the server's own id, else UIDVALIDITY.
fn is_same(w: &Writer<'_>, missing: &MailboxRecord, new: MailboxId, fresh: &MailboxRecord) -> bool {
    match (&missing.mailbox_id, &fresh.mailbox_id) {
        (Some(old), Some(new)) => old == new,
        _ => missing.uid_validity != 0 && w.noted_uid_validity(new) == Some(missing.uid_validity),
    }
}

fn go(w: &mut Writer<'_>, id: MailboxId) -> Result<()> {
    let all = crate::set::UidSet::from_range(1, u32::MAX);
    crate::store::apply::gone(w, id, &all, true, &mut Default::default())?;
    let record = w.mailbox(id)?;
    record.gone = true;
    record.settled = None;
    w.change(Change::Mailbox(id));
    Ok(())
}

pub(crate) fn set_state(w: &mut Writer<'_>, id: MailboxId, state: StateFact) -> Result<()> {
    let record = w.mailbox(id)?;
    record.uid_validity = state.uid_validity.unwrap_or(record.uid_validity);
    record.uid_next = state.uid_next.unwrap_or(record.uid_next);
    record.highest_modseq = state.highest_modseq.unwrap_or(record.highest_modseq);
    record.complete = state.complete.unwrap_or(record.complete);
    record.bodies_complete = state.bodies_complete.unwrap_or(record.bodies_complete);
    record.settled = state.settled.unwrap_or(record.settled);
    record.audited_ms = state.audited_ms.unwrap_or(record.audited_ms);
    Ok(())
}

/// The numbers of a mailbox that was numbered anew.
pub(crate) fn renumbered(w: &mut Writer<'_>, id: MailboxId, uid_validity: u32) -> Result<()> {
    let record = w.mailbox(id)?;
    record.uid_validity = uid_validity;
    record.uid_next = 0;
    record.highest_modseq = 0;
    record.complete = false;
    record.bodies_complete = false;
    record.settled = None;
    record.audited_ms = 0;
    Ok(())
}

/// INBOX is one name in any case (RFC 9051 §5.1); every other name is its bytes.
fn same_name(a: &[u8], b: &[u8]) -> bool {
    a == b || (a.eq_ignore_ascii_case(b"INBOX") && b.eq_ignore_ascii_case(b"INBOX"))
}
