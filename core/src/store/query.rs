//! Reading: accounts, mailboxes, pages, messages, bytes. Everything comes out owned.

use hashbrown::HashMap;
use redb::ReadableTable;

use crate::error::{Error, Result};
use crate::flags::FlagSet;
use crate::ids::{AccountId, ContentId, MailboxId, MessageId, OperationId};
use crate::limits::Limits;
use crate::message::{self, Details, Part};
use crate::model::{AccountInfo, Change, Changes, MailboxInfo, Message, MessageRow};
use crate::set::UidSet;
use crate::store::batch::PartialBody;
use crate::store::intents::{IntentRecord, JournalRecord, MailboxGoal, Subject};
use crate::store::pages::Rows;
use crate::store::records::{
    AccountRecord, ChangesRecord, ContentRecord, Counters, KeywordsRecord, MailboxRecord, MessageRecord,
    PartRecord,
};
use crate::store::tables::{Read, Snapshot, get};
use crate::store::{blobs, keys, parts, placements, record, writer};

pub(crate) fn counters(tables: &Snapshot) -> Result<Counters> {
    Ok(match get(&tables.meta, writer::COUNTERS)? {
        Some(bytes) => record::decode(&bytes)?,
        None => Counters::default(),
    })
}

pub(crate) fn account(tables: &impl Read, id: AccountId) -> Result<AccountRecord> {
    let bytes = get(tables.accounts(), &keys::account(id))?.ok_or(Error::Gone("account"))?;
    record::decode(&bytes)
}

pub(crate) fn accounts(tables: &impl Read) -> Result<Vec<AccountInfo>> {
    let mut all = Vec::new();
    for entry in tables.accounts().iter()? {
        let (key, value) = entry?;
        let id = AccountId(keys::read_u32(key.value(), 0).unwrap_or(0));
        let record: AccountRecord = record::decode(value.value())?;
        let AccountRecord { settings, server, quotas, namespace, .. } = record;
        all.push(AccountInfo { id, settings, server, quotas, namespace });
    }
    Ok(all)
}

pub(crate) fn mailbox(tables: &impl Read, id: MailboxId) -> Result<MailboxRecord> {
    let bytes = get(tables.mailboxes(), &id.0.to_be_bytes())?.ok_or(Error::Gone("mailbox"))?;
    record::decode(&bytes)
}

/// Mailboxes of an account that are there, in the order of their ids.
pub(crate) fn mailboxes(tables: &impl Read, account: AccountId) -> Result<Vec<(MailboxId, MailboxRecord)>> {
    let mut all = Vec::new();
    for entry in tables.mailboxes().iter()? {
        let (key, value) = entry?;
        let record: MailboxRecord = record::decode(value.value())?;
        if record.account == account && !record.gone {
            all.push((MailboxId(keys::read_u32(key.value(), 0).unwrap_or(0)), record));
        }
    }
    Ok(all)
}

pub(crate) fn mailbox_info(id: MailboxId, record: MailboxRecord) -> MailboxInfo {
    let wish = record.wish;
    MailboxInfo {
        id,
        account: record.account,
        role: record.chosen_role.unwrap_or(record.role),
        name: wish.name.map_or(record.name, |(name, _)| name),
        pending: wish.unborn || wish.doomed || wish.subscribed.is_some(),
        delimiter: record.delimiter.map(char::from),
        kind: record.kind,
        selectable: record.selectable,
        subscribed: wish.subscribed.unwrap_or(record.subscribed),
        total: record.total,
        unseen: record.unseen,
        size: record.size,
        uid_validity: record.uid_validity,
        uid_next: record.uid_next,
        complete: record.complete,
    }
}

/// UIDs that stand in a mailbox.
pub(crate) fn uids(tables: &Snapshot, mailbox: MailboxId) -> Result<UidSet> {
    placements::uids(&tables.placements, mailbox)
}

/// UIDs of a mailbox whose message is not whole here.
pub(crate) fn uids_without_body(tables: &Snapshot, mailbox: MailboxId) -> Result<UidSet> {
    let mut bare = Vec::new();
    let mut failed = None;
    placements::scan(&tables.placements, mailbox, |p| {
        if failed.is_some() {
            return;
        }
        match has_body(tables, p.message) {
            Ok(true) => {}
            Ok(false) => bare.push(p.uid),
            Err(error) => failed = Some(error),
        }
    })?;
    match failed {
        Some(error) => Err(error),
        None => Ok(bare.into_iter().collect()),
    }
}

fn has_body(tables: &Snapshot, id: MessageId) -> Result<bool> {
    let Some(message) = message_record(tables, id)? else { return Ok(true) };
    let content: Option<ContentRecord> = content_record(tables, message.content)?;
    Ok(content.is_none_or(|c| c.body.is_some()))
}

pub(crate) fn message_record(tables: &impl Read, id: MessageId) -> Result<Option<MessageRecord>> {
    tables.messages().get(keys::message(id).as_slice())?.map(|v| record::decode(v.value())).transpose()
}

pub(crate) fn content_record(tables: &impl Read, id: ContentId) -> Result<Option<ContentRecord>> {
    tables.contents().get(keys::content(id).as_slice())?.map(|v| record::decode(v.value())).transpose()
}

/// Bodies of a mailbox that have come in part, with their UIDs.
pub(crate) fn partials(tables: &Snapshot, mailbox: MailboxId) -> Result<Vec<(u32, PartialBody)>> {
    let mut all = Vec::new();
    let (from, to) = (keys::mailbox(mailbox), keys::after_mailbox(mailbox));
    for entry in tables.partials.range(from.as_slice()..to.as_slice())? {
        let (key, value) = entry?;
        all.push((keys::read_u32(key.value(), 4).unwrap_or(0), record::decode(value.value())?));
    }
    Ok(all)
}

/// Bytes of a blob.
pub(crate) fn blob(tables: &Snapshot, blob: u64, offset: u64, len: u64) -> Result<Vec<u8>> {
    blobs::read(&tables.blobs, blob, offset, len)
}

/// The words of a keyword set.
pub(crate) fn keyword_names(tables: &impl Read, set: u32) -> Result<Vec<String>> {
    if set == 0 {
        return Ok(Vec::new());
    }
    let stored = get(tables.keywords(), &set.to_be_bytes())?;
    let names = stored.map(|b| record::decode::<KeywordsRecord>(&b)).transpose()?;
    Ok(names.map(|n| n.names).unwrap_or_default())
}

/// Octets of a message that are read for its parts when it is opened; those of longer ones are known
/// as far as they begin within.
const LONGEST_READ: u64 = 64 << 20;

/// The row of one message.
pub(crate) fn row(tables: &Snapshot, id: MessageId) -> Result<MessageRow> {
    row_of(tables, id, &shown(tables, id)?)
}

fn row_of(tables: &Snapshot, id: MessageId, record: &MessageRecord) -> Result<MessageRow> {
    let mailbox = record.shown_in().ok_or(Error::Gone("message"))?;
    let key = keys::by_date(mailbox, record.internal_date, id);
    let value = get(&tables.by_date, &key)?.ok_or(Error::Gone("message"))?;
    Rows::new(tables).row(mailbox, &key, &value)
}

/// One message.
pub(crate) fn message(tables: &Snapshot, id: MessageId, limits: &Limits) -> Result<Message> {
    let record = shown(tables, id)?;
    let row = row_of(tables, id, &record)?;
    let body = content_record(tables, record.content)?.and_then(|c| c.body);
    let details = match (&body, get(&tables.details, &keys::content(record.content))?) {
        // The bytes tell best what is in them.
        (Some(body), _) => {
            let raw = blobs::read(&tables.blobs, body.pack, body.start, body.len.min(LONGEST_READ))?;
            let whole = raw.len() as u64 == body.len;
            let read = if whole { message::read_message } else { message::read_prefix };
            read(&raw, limits).details
        }
        (None, Some(bytes)) => record::decode(&bytes)?,
        (None, None) => Details::default(),
    };
    Ok(Message { row, details })
}

/// A message that a person sees.
fn shown(tables: &Snapshot, id: MessageId) -> Result<MessageRecord> {
    message_record(tables, id)?.filter(|m| m.shown_in().is_some()).ok_or(Error::Gone("message"))
}

/// The flags that a message has where it stands.
pub(crate) fn placed_flags(tables: &Snapshot, record: &MessageRecord) -> Result<FlagSet> {
    if record.is_placed() {
        Rows::new(tables).flags(record.mailbox, record.uid)
    } else {
        Ok(FlagSet::default())
    }
}

/// What an operation does to a mailbox.
pub(crate) fn mailbox_goal(tables: &Snapshot, op: OperationId) -> Result<Option<MailboxGoal>> {
    let entry = tables.journal.get(keys::operation(op).as_slice())?;
    let entry = entry.map(|v| record::decode::<JournalRecord>(v.value())).transpose()?;
    Ok(entry.and_then(|e| match e.subject {
        Subject::Mailbox(operation) => Some(operation.goal),
        _ => None,
    }))
}

/// What is wanted of a message.
pub(crate) fn intents(tables: &impl Read, id: MessageId) -> Result<IntentRecord> {
    let found = tables.intents().get(keys::message(id).as_slice())?;
    Ok(found.map(|v| record::decode(v.value())).transpose()?.unwrap_or_default())
}

/// Bytes of a message's body; `None` where it is not here.
pub(crate) fn body(tables: &Snapshot, id: MessageId, offset: u64, len: u64) -> Result<Option<Vec<u8>>> {
    let record = shown(tables, id)?;
    let body = content_record(tables, record.content)?.and_then(|c| c.body);
    let Some(body) = body else { return Ok(None) };
    let len = len.min(body.len.saturating_sub(offset));
    blobs::read(&tables.blobs, body.pack, body.start.saturating_add(offset), len).map(Some)
}

/// Whether a message is here whole.
pub(crate) fn has_whole(tables: &Snapshot, id: MessageId) -> Result<bool> {
    let Some(message) = message_record(tables, id)? else { return Ok(false) };
    Ok(content_record(tables, message.content)?.is_some_and(|c| c.body.is_some()))
}

/// A part that is here without the rest of its message, decoded.
pub(crate) fn lone_part(
    tables: &Snapshot,
    id: MessageId,
    number: &str,
    limits: &Limits,
) -> Result<Option<Vec<u8>>> {
    let message = message(tables, id, limits)?;
    let found = get(&tables.parts, &parts::key(message.row.content, number))?;
    let Some(part) = found.map(|b| record::decode::<PartRecord>(&b)).transpose()? else { return Ok(None) };
    let data = blobs::read(&tables.blobs, part.blob, 0, part.len)?;
    let described = message.details.parts.iter().find(|p| p.number == number);
    Ok(Some(described.map_or(data.clone(), |p| p.encoding.decode(&data).into_owned())))
}

/// The change feed after a commit.
pub(crate) fn changes_since(tables: &Snapshot, since: u64) -> Result<Changes> {
    let counters = counters(tables)?;
    let next = counters.commit;
    if since > next || since < counters.oldest_commit.saturating_sub(1) {
        return Ok(Changes::TooOld { next });
    }
    let mut changes: Vec<Change> = Vec::new();
    let from = (since + 1).to_be_bytes();
    for entry in tables.changes.range(from.as_slice()..)? {
        changes.extend(record::decode::<ChangesRecord>(entry?.1.value())?.changes);
    }
    Ok(Changes::Since { changes, next })
}

/// New mail that no one has acknowledged, oldest first.
pub(crate) fn fresh(tables: &Snapshot, limit: usize) -> Result<Vec<MessageId>> {
    let mut all = Vec::new();
    for entry in tables.fresh.iter()?.take(limit) {
        all.extend(keys::read_u64(entry?.0.value(), 0).map(MessageId));
    }
    Ok(all)
}

/// Flags of every placement of a mailbox by UID.
pub(crate) fn flags(tables: &Snapshot, mailbox: MailboxId) -> Result<HashMap<u32, FlagSet>> {
    let mut names: HashMap<u32, FlagSet> = HashMap::new();
    for entry in tables.keywords.iter()? {
        let (key, value) = entry?;
        let mut set = FlagSet::default();
        for name in record::decode::<KeywordsRecord>(value.value())?.names {
            set.insert_wire(name.as_bytes());
        }
        names.insert(keys::read_u32(key.value(), 0).unwrap_or(0), set);
    }
    let mut all = HashMap::new();
    placements::scan(&tables.placements, mailbox, |p| {
        let mut set = names.get(&p.keywords).cloned().unwrap_or_default();
        set.flags = p.flags;
        all.insert(p.uid, set);
    })?;
    Ok(all)
}

/// Sizes of a mailbox's messages as the server gave them, by UID.
pub(crate) fn claimed_sizes(tables: &Snapshot, mailbox: MailboxId) -> Result<HashMap<u32, u64>> {
    let mut places = Vec::new();
    placements::scan(&tables.placements, mailbox, |p| places.push((p.uid, p.message)))?;
    let mut sizes = HashMap::new();
    for (uid, message) in places {
        // 0 where the server has named no size yet.
        let record = message_record(tables, message)?.filter(|m| m.claimed_size != 0);
        sizes.extend(record.map(|m| (uid, m.claimed_size)));
    }
    Ok(sizes)
}

/// The part to read a preview from, of a message that has none yet and whose structure is known.
pub(crate) fn preview_part(tables: &Snapshot, mailbox: MailboxId, uid: u32) -> Result<Option<Part>> {
    let Some(placement) = placements::get(&tables.placements, mailbox, uid)? else { return Ok(None) };
    let Some(message) = message_record(tables, placement.message)? else { return Ok(None) };
    let content = content_record(tables, message.content)?;
    if content.is_none_or(|c| c.body.is_some() || !c.summary.preview.is_empty()) {
        return Ok(None);
    }
    let Some(bytes) = get(&tables.details, &keys::content(message.content))? else { return Ok(None) };
    let details: Details = record::decode(&bytes)?;
    let is = |wanted: &'static str| move |p: &&Part| p.media_type == wanted && !p.is_attachment();
    let plain = details.parts.iter().find(is("text/plain"));
    let text = plain.or_else(|| details.parts.iter().find(is("text/html")));
    Ok(text.filter(|part| part.size > 0).cloned())
}

/// Where a message stands on the server.
pub(crate) fn place_of(tables: &Snapshot, id: MessageId) -> Result<Option<(MailboxId, u32)>> {
    let message = message_record(tables, id)?.filter(|m| m.gone_ms.is_none() && m.uid != 0);
    Ok(message.map(|m| (m.mailbox, m.uid)))
}
