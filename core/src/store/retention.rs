//! What is to be deleted from a POP3 server, and why: one rule, for the dry run and the sync alike.

use crate::error::Result;
use crate::ids::AccountId;
use crate::model::{Keep, RetentionEntry, RetentionReason};
use crate::store::ledger::{self, LedgerKey, LedgerRecord, LedgerState, Left};
use crate::store::query;
use crate::store::tables::{Read, Snapshot};

const DAY_MS: i64 = 24 * 3_600_000;

/// A message that is to be deleted.
pub(crate) struct Due {
    pub(crate) key: LedgerKey,
    pub(crate) row: LedgerRecord,
    pub(crate) why: RetentionReason,
}

/// Every message of an account that the policy would have deleted now, as far as the server is known to have it.
pub(crate) fn plan(tables: &impl Read, account: AccountId, now_ms: i64) -> Result<Vec<Due>> {
    let keep = query::account(tables, account)?.settings.keep;
    let mut due = Vec::new();
    if keep == Keep::Forever {
        return Ok(due);
    }
    for (key, row) in ledger::rows(tables, account)? {
        let Some(why) = why(&row, keep, now_ms) else { continue };
        if has_twin(tables, account, &key)? {
            continue;
        }
        due.push(Due { key, row, why });
    }
    Ok(due)
}

/// Why a message is to be deleted; `None` where it is to stay.
fn why(row: &LedgerRecord, keep: Keep, now_ms: i64) -> Option<RetentionReason> {
    let there = row.missing_since_ms.is_none() && row.state != LedgerState::DeletionConfirmed;
    if !there || row.doubtful {
        return None;
    }
    // Nothing goes that is not here whole, unless a person has seen enough of it.
    let deleted = row.left == Left::Deleted;
    let here = row.body.is_some();
    match keep {
        Keep::Delete => (here || deleted).then_some(RetentionReason::Here),
        Keep::Days(days) => {
            let since = row.stored_ms.or(deleted.then_some(row.first_seen_ms))?;
            let age = now_ms.checked_sub(since)? / DAY_MS;
            let age = u32::try_from(age).ok()?;
            (age >= days).then_some(RetentionReason::Age { days: age })
        }
        Keep::UntilDeletedHere => match row.left {
            Left::No => None,
            Left::Deleted => Some(RetentionReason::DeletedHere),
            Left::Moved => here.then_some(RetentionReason::MovedHere),
        },
        Keep::Forever => None,
    }
}

/// Whether another message differs from this one in nothing that is known: which of them is which on the
/// server nobody can say.
fn has_twin(tables: &impl Read, account: AccountId, key: &LedgerKey) -> Result<bool> {
    if key.is_given() {
        return Ok(false);
    }
    if !key.is_first() {
        return Ok(true);
    }
    match key.twin() {
        Some(twin) => Ok(ledger::row(tables, account, &twin)?.is_some()),
        None => Ok(false),
    }
}

/// The plan as a person reads it.
pub(crate) fn entries(tables: &Snapshot, account: AccountId, now_ms: i64) -> Result<Vec<RetentionEntry>> {
    let mut entries = Vec::new();
    for Due { row, why, .. } in plan(tables, account, now_ms)? {
        let record = row.message.map(|id| query::message_record(tables, id)).transpose()?.flatten();
        let content = record.map(|m| query::content_record(tables, m.content)).transpose()?.flatten();
        entries.push(RetentionEntry {
            message: row.message,
            uidl: String::from_utf8_lossy(&row.uidl).replace(|c: char| c.is_control(), "?"),
            size: row.size,
            subject: content.map(|c| c.summary.subject).unwrap_or_default(),
            why,
        });
    }
    Ok(entries)
}
