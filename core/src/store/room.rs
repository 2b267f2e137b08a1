//! Making room: bodies that the server can give again go first, those least lately looked at.

use hashbrown::{HashMap, HashSet};
use redb::ReadableTable;

use crate::error::Result;
use crate::ids::{AccountId, ContentId, MailboxId, MessageId};
use crate::limits::Limits;
use crate::message;
use crate::model::{Change, MailboxKind, Role};
use crate::room::{ArchiveEntry, ArchiveRule, Evicted};
use crate::store::records::{ContentRecord, MailboxRecord};
use crate::store::tables::Snapshot;
use crate::store::writer::Writer;
use crate::store::{described, identity, keys, pages, query, record, served};

/// Writes down what was looked at, oldest first.
pub(crate) fn note_opened(w: &mut Writer<'_>, contents: &[ContentId]) -> Result<()> {
    for content in contents {
        if w.content(*content)?.is_none() {
            continue;
        }
        w.counters.opened += 1;
        let order = w.counters.opened.to_be_bytes();
        w.tables.opened.insert(keys::content(*content).as_slice(), order.as_slice())?;
        w.touch();
    }
    Ok(())
}

/// Octets of bodies that one transaction lets go.
const AT_ONCE: usize = 1_000;

/// Drops bodies until those that are left take at most `budget` octets, or nothing is left that may go.
pub(crate) fn evict(w: &mut Writer<'_>, budget: u64, limits: &Limits) -> Result<Evicted> {
    let mut total = 0;
    let mut all = Vec::new();
    for entry in w.tables.contents.iter()? {
        let (key, value) = entry?;
        let id = ContentId(keys::read_u64(key.value(), 0).unwrap_or(0));
        let content: ContentRecord = record::decode(value.value())?;
        if let Some(body) = content.body {
            total += body.len;
            all.push((id, body.len));
        }
    }
    let mut result = Evicted { octets_left: total, ..Evicted::default() };
    if total <= budget {
        return Ok(result);
    }
    let mut order = HashMap::new();
    for entry in w.tables.opened.iter()? {
        let (key, value) = entry?;
        let id = ContentId(keys::read_u64(key.value(), 0).unwrap_or(0));
        order.insert(id, keys::read_u64(value.value(), 0).unwrap_or(0));
    }
    // Never looked at before looked at; among those, what came first.
    all.sort_by_key(|(id, _)| (order.get(id).copied().unwrap_or(0), *id));
    for (id, len) in all {
        if result.octets_left <= budget || result.messages as usize >= AT_ONCE {
            break;
        }
        if can_go(w, id)? && let_go(w, id, limits)? {
            result.octets_left -= len;
            result.octets += len;
            result.messages += 1;
        }
    }
    result.more = result.octets_left > budget && result.messages as usize >= AT_ONCE;
    Ok(result)
}

/// Whether a server has every message that has this content, and nothing is wanted of any.
fn can_go(w: &mut Writer<'_>, id: ContentId) -> Result<bool> {
    let holders = identity::holders(w, id)?;
    for holder in &holders {
        let Some(message) = w.message(*holder)? else { return Ok(false) };
        let server = w.mailbox(message.mailbox).map(|m| m.kind == MailboxKind::Server && !m.gone)?;
        // What is served has a UID by which it may be asked for at any time.
        let is_served = served::place_of(&w.tables, *holder)?.is_some();
        if !server
            || is_served
            || !message.is_placed()
            || message.provisional
            || !w.intents(*holder)?.is_empty()
        {
            return Ok(false);
        }
    }
    Ok(!holders.is_empty())
}

/// Drops a body. What a list and a reader need of it besides stays.
fn let_go(w: &mut Writer<'_>, id: ContentId, limits: &Limits) -> Result<bool> {
    const LONGEST_READ: u64 = 64 << 20;
    let Some(mut content) = w.content(id)? else { return Ok(false) };
    let Some(body) = content.body else { return Ok(false) };
    let raw = w.packs.read(&mut w.tables, &body, LONGEST_READ)?;
    let whole = raw.len() as u64 == body.len;
    let reading =
        if whole { message::read_message(&raw, limits) } else { message::read_prefix(&raw, limits) };
    identity::forget(w, id, &content)?;
    w.packs.remove(&body);
    described::forget(w, id)?;
    content.body = None;
    identity::enter(w, id, &content)?;
    w.put_content(id, &content)?;
    w.tables.details.insert(keys::content(id).as_slice(), record::encode(&reading.details).as_slice())?;
    for holder in identity::holders(w, id)? {
        if let Some(mailbox) = w.message(holder)?.and_then(|m| m.shown_in()) {
            w.change(Change::MessageChanged(mailbox, holder));
        }
    }
    Ok(true)
}

/// What a rule would take from the server, oldest first.
pub(crate) fn to_archive(
    tables: &Snapshot,
    account: AccountId,
    rule: &ArchiveRule,
) -> Result<Vec<ArchiveEntry>> {
    let mut all = Vec::new();
    let mut seen = HashSet::new();
    for (id, mailbox) in query::mailboxes(tables, account)? {
        if is_archived(&mailbox) {
            gather(tables, id, rule.before_ms, &mut seen, &mut all)?;
        }
    }
    all.sort_by_key(|entry| (entry.internal_date, entry.message));
    let Some(percent) = rule.quota_percent else { return Ok(all) };
    let storage = query::account(tables, account)?.quotas.into_iter().find(|q| q.resource == "STORAGE");
    let Some(storage) = storage else { return Ok(Vec::new()) };
    let wanted = storage.limit.saturating_mul(u64::from(percent)) / 100;
    let mut excess = storage.usage.saturating_sub(wanted).saturating_mul(1024);
    all.retain(|entry| {
        let takes = excess > 0;
        excess = excess.saturating_sub(entry.size);
        takes
    });
    Ok(all)
}

/// Drafts are being written, and what is thrown away is not kept.
fn is_archived(mailbox: &MailboxRecord) -> bool {
    let role = mailbox.chosen_role.unwrap_or(mailbox.role);
    mailbox.kind == MailboxKind::Server
        && mailbox.is_shown()
        && !matches!(role, Some(Role::Drafts | Role::Trash | Role::Junk))
}

fn gather(
    tables: &Snapshot,
    mailbox: MailboxId,
    before_ms: Option<i64>,
    seen: &mut HashSet<MessageId>,
    all: &mut Vec<ArchiveEntry>,
) -> Result<()> {
    let mut after = None;
    loop {
        let page = pages::page(tables, mailbox, after.as_ref(), 500)?;
        for row in page.rows {
            if before_ms.is_none_or(|before| row.internal_date < before) && seen.insert(row.id) {
                all.push(ArchiveEntry {
                    message: row.id,
                    mailbox,
                    size: row.size,
                    internal_date: row.internal_date,
                    subject: row.summary.subject,
                });
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
