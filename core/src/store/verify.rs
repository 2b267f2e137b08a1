//! Proving a store whole: every placement has its message, every blob its hash, every count its rows.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};
use redb::ReadableTable;

use crate::error::Result;
use crate::flags::Flags;
use crate::ids::{ContentId, MailboxId, MessageId, OperationId};
use crate::message::ContentHasher;
use crate::store::intents::{IntentRecord, JournalRecord, Subject};
use crate::store::records::{ContentRecord, MailboxRecord, MessageRecord, PartRecord};
use crate::store::tables::Snapshot;
use crate::store::{batch::PartialBody, blobs, keys, ledger, pages, placements, query, record, served, view};

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Mailboxes looked at.
    pub mailboxes: u64,
    /// Messages looked at, hidden ones included.
    pub messages: u64,
    /// Bodies whose bytes were hashed.
    pub bodies: u64,
    /// Octets of those bodies.
    pub octets: u64,
    /// What is wrong, one line each, at most a thousand.
    pub problems: Vec<String>,
}

impl VerifyReport {
    fn problem(&mut self, what: impl FnOnce() -> String) {
        if self.problems.len() < 1000 {
            self.problems.push(what());
        }
    }
}

pub(crate) fn verify(tables: &Snapshot) -> Result<VerifyReport> {
    let mut report = VerifyReport::default();
    let placed = check_mailboxes(tables, &mut report)?;
    let held = check_messages(tables, &placed, &mut report)?;
    check_contents(tables, &held, &mut report)?;
    check_loose_ends(tables, &mut report)?;
    ledger::verify(tables, |what| report.problem(|| what))?;
    served::verify(tables, |what| report.problem(|| what))?;
    Ok(report)
}

/// Mailbox, UID and message of every placement.
type Placed = HashSet<(MailboxId, u32, MessageId)>;

/// Every placement names a message that stands where it does, and the counts agree.
fn check_mailboxes(tables: &Snapshot, report: &mut VerifyReport) -> Result<Placed> {
    let mut placed = HashSet::new();
    for entry in tables.mailboxes.iter()? {
        let (key, value) = entry?;
        let id = MailboxId(keys::read_u32(key.value(), 0).unwrap_or(0));
        let mailbox: MailboxRecord = record::decode(value.value())?;
        report.mailboxes += 1;
        let mut rows = Vec::new();
        placements::scan(&tables.placements, id, |p| rows.push(p))?;
        let mut unseen = 0;
        for row in &rows {
            unseen += u64::from(!row.flags.contains(Flags::SEEN));
            let named = query::message_record(tables, row.message)?;
            let arrived = query::intents(tables, row.message)?
                .mark()
                .filter(|m| m.target == id)
                .and_then(|m| m.arrived);
            let stands = |m: &MessageRecord| m.mailbox == id && m.uid == row.uid && m.gone_ms.is_none();
            if !named.is_some_and(|m| stands(&m) || arrived == Some(row.uid)) {
                report.problem(|| {
                    format!("mailbox {id}: UID {} names message {}, which is not there", row.uid, row.message)
                });
            }
            if !placed.insert((id, row.uid, row.message)) {
                report.problem(|| format!("UID {} of mailbox {id} is placed twice", row.uid));
            }
        }
        if unseen != mailbox.server_unseen {
            report.problem(|| {
                format!("mailbox {id}: {unseen} placements are unseen, {} are counted", mailbox.server_unseen)
            });
        }
        check_counts(tables, id, &mailbox, report)?;
    }
    Ok(placed)
}

/// What a list shows is what is counted.
fn check_counts(
    tables: &Snapshot,
    id: MailboxId,
    mailbox: &MailboxRecord,
    report: &mut VerifyReport,
) -> Result<()> {
    let (mut total, mut unseen, mut size) = (0, 0, 0);
    let mut after = None;
    loop {
        let page = pages::page(tables, id, after.as_ref(), 1000)?;
        for row in &page.rows {
            total += 1;
            unseen += u64::from(!row.flags.flags.contains(Flags::SEEN));
            size += query::message_record(tables, row.id)?.map_or(0, |m| m.size);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let (counted, kept) = ((total, unseen, size), (mailbox.total, mailbox.unseen, mailbox.size));
    if counted != kept {
        report.problem(|| format!("mailbox {id}: (total, unseen, size) are {counted:?}, kept are {kept:?}"));
    }
    Ok(())
}

fn check_messages(
    tables: &Snapshot,
    placed: &Placed,
    report: &mut VerifyReport,
) -> Result<HashMap<ContentId, u64>> {
    let mut held: HashMap<ContentId, u64> = HashMap::new();
    for entry in tables.messages.iter()? {
        let (key, value) = entry?;
        let id = MessageId(keys::read_u64(key.value(), 0).unwrap_or(0));
        let message: MessageRecord = record::decode(value.value())?;
        report.messages += 1;
        *held.entry(message.content).or_default() += 1;
        if tables.holders.get(keys::pair(message.content.0, id.0).as_slice())?.is_none() {
            report.problem(|| format!("message {id} is not listed with its content {}", message.content));
        }
        let orphan = tables.orphans.get(keys::pair(u64::from(message.mailbox.0), id.0).as_slice())?.is_some();
        if orphan != message.gone_ms.is_some() {
            report.problem(|| format!("message {id} is half hidden"));
        }
        let intents = query::intents(tables, id)?;
        if message.is_placed() && !placed.contains(&(message.mailbox, message.uid, id)) {
            report.problem(|| format!("message {id} stands in no mailbox"));
        }
        if message.gone_ms.is_none() && message.uid == 0 && intents.place.is_none() {
            report.problem(|| format!("message {id} is nowhere, and nothing is wanted of it"));
        }
        if let Some(shown) = message.shown_in() {
            let key = keys::by_date(shown, message.internal_date, id);
            let place = (message.mailbox, message.uid);
            let expected = view::dated(message.content, place, !intents.is_empty());
            let dated = tables.by_date.get(key.as_slice())?.is_some_and(|v| v.value() == expected);
            if !dated {
                report.problem(|| format!("message {id} has no entry in the date index, or a wrong one"));
            }
        }
        check_operations(tables, id, &intents, report)?;
    }
    Ok(held)
}

/// Every intent has its entry in the journal.
fn check_operations(
    tables: &Snapshot,
    id: MessageId,
    intents: &IntentRecord,
    report: &mut VerifyReport,
) -> Result<()> {
    let ops = [intents.flags.as_ref().map(|f| f.op), intents.place.as_ref().map(|p| p.op)];
    for op in ops.into_iter().flatten() {
        let entry = tables.journal.get(keys::operation(op).as_slice())?;
        let entry = entry.map(|v| record::decode::<JournalRecord>(v.value())).transpose()?;
        let about = |e: &JournalRecord| matches!(e.subject, Subject::Flags(m) | Subject::Place(m) if m == id);
        if !entry.is_some_and(|e| about(&e)) {
            report.problem(|| format!("operation {op} of message {id} is not in the journal"));
        }
    }
    Ok(())
}

fn check_contents(
    tables: &Snapshot,
    held: &HashMap<ContentId, u64>,
    report: &mut VerifyReport,
) -> Result<()> {
    let mut contents = 0;
    for entry in tables.contents.iter()? {
        let (key, value) = entry?;
        let id = ContentId(keys::read_u64(key.value(), 0).unwrap_or(0));
        let content: ContentRecord = record::decode(value.value())?;
        contents += 1;
        if !held.contains_key(&id) {
            report.problem(|| format!("content {id} belongs to no message"));
        }
        let Some(body) = content.body else { continue };
        report.bodies += 1;
        report.octets += body.len;
        let mut hasher = ContentHasher::new();
        let mut offset = 0;
        while offset < body.len {
            let len = (body.len - offset).min(1 << 20);
            let piece = blobs::read(&tables.blobs, body.pack, body.start.saturating_add(offset), len)?;
            if piece.is_empty() {
                break;
            }
            hasher.update(&piece);
            offset += piece.len() as u64;
        }
        let hash = hasher.finish();
        if offset != body.len || hash.raw != body.sha256 || hash.canonical != body.canonical {
            report.problem(|| format!("content {id}: its bytes are not those that its hash names"));
        }
    }
    if contents != held.len() {
        report.problem(|| format!("{} contents are named, {contents} are there", held.len()));
    }
    Ok(())
}

/// Nothing lies about that nobody names.
fn check_loose_ends(tables: &Snapshot, report: &mut VerifyReport) -> Result<()> {
    // What is named: where it begins in which blob, and where it ends.
    let mut named = BTreeMap::new();
    for entry in tables.contents.iter()? {
        let body = record::decode::<ContentRecord>(entry?.1.value())?.body.filter(|b| b.len > 0);
        named.extend(body.map(|b| ((b.pack, b.start), b.start.saturating_add(b.len))));
    }
    for entry in tables.partials.iter()? {
        named.insert((record::decode::<PartialBody>(entry?.1.value())?.blob, 0), u64::MAX);
    }
    for entry in tables.parts.iter()? {
        let (key, value) = entry?;
        let content = keys::read_u64(key.value(), 0).map(ContentId).unwrap_or(ContentId(0));
        if query::content_record(tables, content)?.is_none_or(|c| c.body.is_some()) {
            report.problem(|| format!("a part of content {content} lies about"));
        }
        named.insert((record::decode::<PartRecord>(value.value())?.blob, 0), u64::MAX);
    }
    for entry in tables.blobs.iter()? {
        let (key, _) = entry?;
        let blob = keys::read_u64(key.value(), 0).unwrap_or(0);
        let at = keys::read_u64(key.value(), 8).unwrap_or(0);
        let around = named.range((blob, 0)..=(blob, at)).next_back();
        if around.is_none_or(|(_, end)| *end <= at) {
            report.problem(|| format!("octet {at} of blob {blob} belongs to nothing"));
        }
    }
    for entry in tables.journal.iter()? {
        let (key, value) = entry?;
        let op = OperationId(keys::read_u64(key.value(), 0).unwrap_or(0));
        let held = match record::decode::<JournalRecord>(value.value())?.subject {
            Subject::Flags(id) => query::intents(tables, id)?.flags.is_some_and(|f| f.op == op),
            Subject::Place(id) => query::intents(tables, id)?.place.is_some_and(|p| p.op == op),
            Subject::Mailbox(operation) => query::mailbox(tables, operation.mailbox).is_ok(),
        };
        if !held {
            report.problem(|| format!("operation {op} is about nothing"));
        }
    }
    if tables.intents.iter()?.count() as u64 != query::counters(tables)?.intents {
        report.problem(|| "the intents are not as many as counted".into());
    }
    for entry in tables.fresh.iter()? {
        let id = keys::read_u64(entry?.0.value(), 0).map(MessageId);
        let there = id.map(|id| query::message_record(tables, id)).transpose()?.flatten().is_some();
        if !there {
            report.problem(|| "new mail is announced that is not there".into());
        }
    }
    Ok(())
}
