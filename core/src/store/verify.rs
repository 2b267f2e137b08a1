//! Proving a store whole: every placement has its message, every blob its hash, every count its rows.

use hashbrown::{HashMap, HashSet};
use redb::ReadableTable;

use crate::error::Result;
use crate::flags::Flags;
use crate::ids::{ContentId, MailboxId, MessageId};
use crate::message::ContentHasher;
use crate::store::records::{ContentRecord, MailboxRecord, MessageRecord, PartRecord};
use crate::store::tables::Snapshot;
use crate::store::{batch::PartialBody, blobs, keys, placements, query, record};

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
    Ok(report)
}

/// Every placement names a message that stands where it does, and the counts agree.
fn check_mailboxes(tables: &Snapshot, report: &mut VerifyReport) -> Result<HashSet<MessageId>> {
    let mut placed = HashSet::new();
    for entry in tables.mailboxes.iter()? {
        let (key, value) = entry?;
        let id = MailboxId(keys::read_u32(key.value(), 0).unwrap_or(0));
        let mailbox: MailboxRecord = record::decode(value.value())?;
        report.mailboxes += 1;
        let mut rows = Vec::new();
        placements::scan(&tables.placements, id, |p| rows.push(p))?;
        let (mut unseen, mut size) = (0, 0);
        for row in &rows {
            unseen += u64::from(!row.flags.contains(Flags::SEEN));
            match query::message_record(tables, row.message)? {
                Some(m) if m.mailbox == id && m.uid == row.uid && m.gone_ms.is_none() => size += m.size,
                _ => report.problem(|| {
                    format!("mailbox {id}: UID {} names message {}, which is not there", row.uid, row.message)
                }),
            }
            if !placed.insert(row.message) {
                report.problem(|| format!("message {} is placed twice", row.message));
            }
        }
        let counted = (rows.len() as u64, unseen, size);
        let kept = (mailbox.total, mailbox.unseen, mailbox.size);
        if counted != kept {
            report.problem(|| {
                format!("mailbox {id}: (total, unseen, size) are {counted:?}, kept are {kept:?}")
            });
        }
        let dated =
            tables.by_date.range(keys::mailbox(id).as_slice()..keys::after_mailbox(id).as_slice())?.count()
                as u64;
        if dated != counted.0 {
            report.problem(|| {
                format!("mailbox {id}: {dated} entries in the date index for {} messages", counted.0)
            });
        }
    }
    Ok(placed)
}

fn check_messages(
    tables: &Snapshot,
    placed: &HashSet<MessageId>,
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
        if message.gone_ms.is_none() {
            if !placed.contains(&id) {
                report.problem(|| format!("message {id} stands in no mailbox"));
            }
            let key = keys::by_date(message.mailbox, message.internal_date, id);
            let expected: Vec<u8> =
                [message.content.0.to_be_bytes().as_slice(), message.uid.to_be_bytes().as_slice()].concat();
            let dated = tables.by_date.get(key.as_slice())?.is_some_and(|v| v.value() == expected);
            if !dated {
                report.problem(|| format!("message {id} is wrong in the date index"));
            }
        }
    }
    Ok(held)
}

/// Every content is held, and every body is the bytes that its hash names.
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
            let piece = blobs::read(&tables.blobs, body.blob, offset, (body.len - offset).min(1 << 20))?;
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
    let mut named = HashSet::new();
    for entry in tables.contents.iter()? {
        named.extend(record::decode::<ContentRecord>(entry?.1.value())?.body.map(|b| b.blob));
    }
    for entry in tables.partials.iter()? {
        named.insert(record::decode::<PartialBody>(entry?.1.value())?.blob);
    }
    for entry in tables.parts.iter()? {
        let (key, value) = entry?;
        let content = keys::read_u64(key.value(), 0).map(ContentId).unwrap_or(ContentId(0));
        if query::content_record(tables, content)?.is_none_or(|c| c.body.is_some()) {
            report.problem(|| format!("a part of content {content} lies about"));
        }
        named.insert(record::decode::<PartRecord>(value.value())?.blob);
    }
    let mut last = None;
    for entry in tables.blobs.iter()? {
        let blob = keys::read_u64(entry?.0.value(), 0);
        if blob != last {
            last = blob;
            if !blob.is_some_and(|b| named.contains(&b)) {
                report.problem(|| format!("blob {} belongs to nothing", blob.unwrap_or(0)));
            }
        }
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
