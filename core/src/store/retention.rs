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

#[cfg(test)]
mod tests {
    use super::plan;
    use crate::ids::{AccountId, MessageId};
    use crate::limits::Limits;
    use crate::model::{AccountSettings, Keep, RetentionReason};
    use crate::store::apply::apply;
    use crate::store::batch::{Batch, MessageFact, Op, StagedBody};
    use crate::store::ledger::{self, LedgerFact, LedgerKey, LedgerOp, LedgerState, SeenFact, left_inbox};
    use crate::store::storage::MemoryStorage;
    use crate::store::{Store, StoreOptions, accounts, query, verify};

    const DAY_MS: i64 = super::DAY_MS;

    fn store(keep: Keep) -> (Store, AccountId) {
        let options = StoreOptions { cache: 1 << 20, quick_repair: false };
        let store = Store::open(Box::new(MemoryStorage::new()), options, 1).unwrap();
        let settings = AccountSettings { keep, ..AccountSettings::pop3("pop", "pop.example.org", "ann") };
        let account = store.write(0, |w| accounts::add(w, settings)).unwrap().0;
        (store, account)
    }

    /// Enters a message, whole or as its header.
    fn enter(store: &Store, account: AccountId, uidl: &str, whole: bool) -> MessageId {
        let inbox = ledger::inbox(&store.read().unwrap().tables, account).unwrap().unwrap();
        let raw = format!("Subject: {uidl}\r\n\r\nbody\r\n");
        let mut fact = MessageFact::new(inbox, 0);
        if whole {
            let mut body = StagedBody::new(store.new_blob(), 0);
            body.push(raw.as_bytes());
            fact.body = Some(body);
        } else {
            fact.header = Some(raw.into_bytes());
        }
        let key = LedgerKey::of_uidl(uidl.as_bytes()).unwrap();
        let seen = SeenFact { key: key.clone(), uidl: uidl.into(), size: 40, doubtful: false, fresh: false };
        let entry = LedgerFact { seen, header: Some([7; 16]), received_ms: None, fact };
        let mut batch = Batch::new(account, Limits::DEFAULT);
        batch.push(Op::Ledger(LedgerOp::Message(Box::new(entry))));
        store.write(DAY_MS, |w| apply(w, batch)).unwrap();
        let row = ledger::row(&store.read().unwrap().tables, account, &key).unwrap().unwrap();
        row.message.unwrap()
    }

    fn planned(store: &Store, account: AccountId, now_ms: i64) -> Vec<(String, RetentionReason)> {
        let due = plan(&store.read().unwrap().tables, account, now_ms).unwrap();
        due.into_iter().map(|d| (String::from_utf8(d.row.uidl).unwrap(), d.why)).collect()
    }

    #[test]
    fn what_leaves_the_inbox_goes_from_the_server_where_the_policy_says_so() {
        use RetentionReason::{Age, DeletedHere, Here, MovedHere};
        let all = [
            (Keep::Forever, vec![]),
            (Keep::UntilDeletedHere, vec![("a", DeletedHere), ("b", MovedHere), ("d", DeletedHere)]),
            (
                Keep::Days(1),
                vec![
                    ("a", Age { days: 1 }),
                    ("b", Age { days: 1 }),
                    ("c", Age { days: 1 }),
                    ("d", Age { days: 1 }),
                ],
            ),
            (Keep::Delete, vec![("a", Here), ("b", Here), ("c", Here), ("d", Here)]),
        ];
        for (keep, expected) in all {
            let (store, account) = store(keep);
            let [a, b, _] = ["a", "b", "c"].map(|uidl| enter(&store, account, uidl, true));
            let [d, e, _] = ["d", "e", "f"].map(|uidl| enter(&store, account, uidl, false));
            let before: &[&str] = if keep == Keep::Delete { &["a", "b", "c"] } else { &[] };
            let names: Vec<String> =
                planned(&store, account, DAY_MS).into_iter().map(|(uidl, _)| uidl).collect();
            assert_eq!(names, before, "{keep:?}");
            let left = [(a, true), (b, false), (d, true), (e, false)];
            store
                .write(2 * DAY_MS, |w| left.iter().try_for_each(|(id, deleted)| left_inbox(w, *id, *deleted)))
                .unwrap();
            let expected: Vec<_> = expected.into_iter().map(|(uidl, why)| (uidl.to_owned(), why)).collect();
            assert_eq!(planned(&store, account, 2 * DAY_MS), expected, "{keep:?}");
            let reading = store.read().unwrap();
            let key = LedgerKey::of_uidl(b"a").unwrap();
            let row = ledger::row(&reading.tables, account, &key).unwrap().unwrap();
            let wanted = matches!(row.state, LedgerState::DeletionWanted(DeletedHere));
            assert_eq!(wanted, keep == Keep::UntilDeletedHere);
            assert!(row.message.is_none());
            assert_eq!(verify::verify(&reading.tables).unwrap().problems, Vec::<String>::new());
        }
    }

    #[test]
    fn a_ledger_that_does_not_fit_its_messages_is_noticed() {
        let (store, account) = store(Keep::Forever);
        let id = enter(&store, account, "a", true);
        let problems = |store: &Store| verify::verify(&store.read().unwrap().tables).unwrap().problems.len();
        assert_eq!(problems(&store), 0);
        let gone = store.write(0, |w| {
            w.touch();
            let key = id.0.to_be_bytes();
            Ok(w.tables.ledger_of.remove(key.as_slice())?.map(|v| v.value().to_vec()))
        });
        let key = gone.unwrap().0.unwrap();
        assert_eq!(problems(&store), 1);
        store
            .write(0, |w| {
                w.touch();
                w.tables.ledger_of.insert(99u64.to_be_bytes().as_slice(), key.as_slice())?;
                Ok(())
            })
            .unwrap();
        assert_eq!(problems(&store), 2);
        assert!(query::message_record(&store.read().unwrap().tables, id).unwrap().is_some());
    }
}
