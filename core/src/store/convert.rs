//! An account that comes from another server, or from POP3: what is here is kept, and matched with what the new server has.

use hashbrown::HashMap;
use redb::ReadableTable;

use crate::convert::{Conversion, Leftover, LeftoverAction};
use crate::error::{Error, Result};
use crate::flags::{FlagSet, Flags};
use crate::ids::{AccountId, ContentId, MailboxId, MessageId};
use crate::limits::Limits;
use crate::message;
use crate::model::{AccountSettings, Change, MailboxKind, Protocol};
use crate::store::actions::{mailbox, place};
use crate::store::apply::{content_id, fallback_id};
use crate::store::batch::MessageFact;
use crate::store::intents::{FlagsIntent, Goal, MailboxGoal, Subject};
use crate::store::ledger;
use crate::store::mailboxes::wish_of;
use crate::store::records::{ContentRecord, MessageRecord, OrphanRecord, View};
use crate::store::replayed;
use crate::store::tables::Snapshot;
use crate::store::writer::Writer;
use crate::store::{
    accounts, arrivals, expunge, identity, keys, mailboxes, orphans, partials, query, record, view,
};

/// Flags that a person set, and that no server knew of while the account was on POP3.
const CARRIED: Flags =
    Flags::SEEN.union(Flags::ANSWERED).union(Flags::FLAGGED).union(Flags::FORWARDED).union(Flags::MDN_SENT);

/// Octets beyond the server's header that are read of ours: line ends may be others.
const HEADER_SLACK: u64 = 64 << 10;

/// Points an account at another server.
pub(crate) fn begin(w: &mut Writer<'_>, id: AccountId, settings: AccountSettings) -> Result<()> {
    accounts::check(w, &settings, Some(id))?;
    if settings.protocol != Protocol::Imap {
        let why = "an account can be changed to IMAP only".to_owned();
        return Err(Error::Invalid { what: "protocol", why });
    }
    let mut account = accounts::get(w, id)?;
    account.settings = settings;
    account.capabilities.clear();
    account.capabilities_before.clear();
    account.server = None;
    account.deaf_to_initial = false;
    account.quotas.clear();
    account.namespace = None;
    account.idle_ended_ms = None;
    account.idle_limit_ms = None;
    account.converting = true;
    // What is here is looked for before anything is fetched whole.
    account.synced_once = true;
    accounts::put(w, id, &account)?;
    for (mailbox, record) in w.mailboxes_of(id)? {
        if record.kind == MailboxKind::Local || record.gone {
            continue;
        }
        expunge::hide_all(w, mailbox, true)?;
        partials::drop_all(w, mailbox)?;
        mailboxes::renumbered(w, mailbox, 0)?;
        let record = w.mailbox(mailbox)?;
        record.kind = MailboxKind::Server;
        record.mailbox_id = None;
        record.rights = None;
        record.delimiter = None;
    }
    // What a POP3 server was to be told is told to nobody.
    ledger::drop_account(w, id)?;
    forget_server_ids(w, id)
}

/// Ids that the old server gave say nothing on the new one.
fn forget_server_ids(w: &mut Writer<'_>, account: AccountId) -> Result<()> {
    let mut named = Vec::new();
    for entry in w.tables.contents.iter()? {
        let (key, value) = entry?;
        let content: ContentRecord = record::decode(value.value())?;
        if content.account == account && !content.email_ids.is_empty() {
            named.push((ContentId(keys::read_u64(key.value(), 0).unwrap_or(0)), content));
        }
    }
    for (id, mut content) in named {
        identity::forget(w, id, &content)?;
        content.email_ids.clear();
        identity::enter(w, id, &content)?;
        w.put_content(id, &content)?;
    }
    Ok(())
}

/// A message that was brought along and waits to be met.
#[derive(Debug, Clone)]
pub(crate) struct Brought {
    pub(crate) id: MessageId,
    pub(crate) content: ContentId,
    pub(crate) size: u64,
}

/// By what a message is known again at little cost: its Message-ID and its date.
pub(crate) type Mark = (String, Option<i64>);

/// What was brought along and is not matched, by mark. Messages without a Message-ID are not in it.
pub(crate) fn brought(tables: &Snapshot, account: AccountId) -> Result<HashMap<Mark, Vec<Brought>>> {
    let mut all: HashMap<Mark, Vec<Brought>> = HashMap::new();
    for (id, message) in hidden(tables, account)? {
        let Some(content) = query::content_record(tables, message.content)? else { continue };
        let Some(name) = content.summary.message_id else { continue };
        let found = Brought { id, content: message.content, size: message.size };
        all.entry((name, content.summary.date_ms)).or_default().push(found);
    }
    Ok(all)
}

/// Messages of an account that are not on its server.
fn hidden(tables: &Snapshot, account: AccountId) -> Result<Vec<(MessageId, MessageRecord)>> {
    let mut all = Vec::new();
    for entry in tables.orphans.iter()? {
        let Some(id) = keys::read_u64(entry?.0.value(), 8).map(MessageId) else { continue };
        let Some(message) = query::message_record(tables, id)? else { continue };
        let ours = query::mailbox(tables, message.mailbox).is_ok_and(|m| m.account == account);
        if ours && message.gone_ms.is_some() {
            all.push((id, message));
        }
    }
    Ok(all)
}

/// A message that was brought along is met. `None` where it is not waiting any more.
pub(crate) fn settle(
    w: &mut Writer<'_>,
    id: MessageId,
    fact: &MessageFact,
    flags: &FlagSet,
) -> Result<Option<ContentId>> {
    let Some(old) = w.message(id)?.filter(|m| m.gone_ms.is_some()) else { return Ok(None) };
    let key = keys::pair(u64::from(old.mailbox.0), id.0);
    let orphan = crate::store::tables::get(&w.tables.orphans, &key)?;
    let Some(orphan) = orphan.map(|b| record::decode::<OrphanRecord>(&b)).transpose()? else {
        return Ok(None);
    };
    w.tables.orphans.remove(key.as_slice())?;
    let account = w.mailbox(fact.mailbox)?.account;
    let place = MessageRecord {
        mailbox: fact.mailbox,
        uid: fact.uid,
        view: View::Here,
        internal_date: fact.internal_date.unwrap_or(old.internal_date),
        claimed_size: fact.size.unwrap_or(0),
        // Known again by Message-ID, size and date alone: compared when it is opened.
        provisional: true,
        gone_ms: None,
        ..old.clone()
    };
    arrivals::back(w, id, place, flags, fact.modseq.unwrap_or(0))?;
    carry_flags(w, account, id, &orphan.flags, flags)?;
    Ok(Some(old.content))
}

/// A message of the server's turns out to have the content of one that was brought along and could not be
/// matched before: that one is met, and waits no more. Which of several alike it was makes no difference.
pub(crate) fn met(w: &mut Writer<'_>, id: MessageId) -> Result<()> {
    let Some(message) = w.message(id)? else { return Ok(()) };
    let account = w.mailbox(message.mailbox)?.account;
    if !accounts::get(w, account)?.converting {
        return Ok(());
    }
    let mut waiting = Vec::new();
    for holder in identity::holders(w, message.content)? {
        let hidden = w.message(holder)?.filter(|m| m.gone_ms.is_some());
        waiting.extend(hidden.map(|old| (old.mailbox != message.mailbox, holder, old)));
    }
    // One that was in the same mailbox first.
    waiting.sort_by_key(|(elsewhere, holder, _)| (*elsewhere, *holder));
    for (_, holder, old) in waiting {
        let key = keys::pair(u64::from(old.mailbox.0), holder.0);
        let orphan = w.tables.orphans.remove(key.as_slice())?.map(|v| v.value().to_vec());
        let Some(orphan) = orphan.map(|b| record::decode::<OrphanRecord>(&b)).transpose()? else { continue };
        // What a person has done since counts.
        if w.intents(id)?.flags.is_none() {
            let server = view::server_flags(w, &message)?;
            carry_flags(w, account, id, &orphan.flags, &server)?;
        }
        return orphans::forget(w, holder, &old);
    }
    Ok(())
}

/// The server's header of a message that was taken for one that is here: either it is, or it gets a content of its own.
pub(crate) fn compared(w: &mut Writer<'_>, mailbox: MailboxId, uid: u32, header: &[u8]) -> Result<()> {
    let Some(row) = w.placement(mailbox, uid)? else { return Ok(()) };
    let id = row.message;
    let Some(record) = w.message(id)?.filter(|m| m.provisional) else { return Ok(()) };
    let Some(content) = w.content(record.content)? else { return Ok(()) };
    let same = match &content.body {
        Some(body) => {
            let len = body.len.min(header.len() as u64 + HEADER_SLACK);
            let ours = w.packs.read(&mut w.tables, body, len)?;
            message::header_of(&ours) == message::header_of(header)
        }
        // Its body was never here: there is nothing that it could be taken for wrongly.
        None => true,
    };
    let account = w.mailbox(mailbox)?.account;
    if same {
        view::alter(w, id, |_, record, _| {
            record.provisional = false;
            Ok(())
        })?;
        return Ok(());
    }
    let reading = message::read_header(header, &Limits::DEFAULT);
    let own = content_id(w, id)?;
    let new = ContentRecord { summary: reading.summary, account, email_ids: Vec::new(), body: None };
    identity::enter(w, own, &new)?;
    w.put_content(own, &new)?;
    w.tables.details.insert(keys::content(own).as_slice(), record::encode(&reading.details).as_slice())?;
    w.tables.holders.remove(keys::pair(record.content.0, id.0).as_slice())?;
    w.tables.holders.insert(keys::pair(own.0, id.0).as_slice(), [].as_slice())?;
    let intents = w.intents(id)?;
    view::alter(w, id, |_, record, _| {
        record.content = own;
        record.provisional = false;
        Ok(())
    })?;
    for op in [intents.flags.map(|f| f.op), intents.place.map(|p| p.op)].into_iter().flatten() {
        replayed::refuse(w, op, "the server has another message than the one that was meant")?;
    }
    keep_apart(w, &record)
}

/// What was taken for a message of the server's, and is not, is this device's alone: it waits among what was not met.
fn keep_apart(w: &mut Writer<'_>, record: &MessageRecord) -> Result<()> {
    let id = fallback_id(w);
    let kept = MessageRecord {
        uid: 0,
        view: View::Here,
        gone_ms: Some(w.now_ms),
        provisional: false,
        ..record.clone()
    };
    w.put_message(id, &kept)?;
    w.tables.holders.insert(keys::pair(kept.content.0, id.0).as_slice(), [].as_slice())?;
    let orphan = OrphanRecord { gone_ms: w.now_ms, flags: FlagSet::default(), suspicious: true };
    let key = keys::pair(u64::from(kept.mailbox.0), id.0);
    w.tables.orphans.insert(key.as_slice(), record::encode(&orphan).as_slice())?;
    w.change(Change::MessageChanged(record.mailbox, id));
    Ok(())
}

/// What a person marked while no server heard of it is told to the new one.
fn carry_flags(
    w: &mut Writer<'_>,
    account: AccountId,
    id: MessageId,
    seen: &FlagSet,
    server: &FlagSet,
) -> Result<()> {
    let mut carried = seen.difference(server);
    carried.flags = carried.flags.difference(Flags::from_bits(!CARRIED.bits()));
    if carried.is_empty() {
        return Ok(());
    }
    let op = w.new_operation(account, Subject::Flags(id))?;
    view::alter(w, id, |w, _, intents| {
        if let Some(old) = intents.flags.take() {
            w.forget_operation(old.op)?;
        }
        let created_ms = w.now_ms;
        let (add, remove) = (carried, FlagSet::default());
        intents.flags = Some(FlagsIntent { op, created_ms, add, remove, sent: None, refused: None });
        Ok(())
    })?;
    Ok(())
}

/// How far a conversion has come.
pub(crate) fn progress(tables: &Snapshot, account: AccountId) -> Result<Conversion> {
    let record = query::account(tables, account)?;
    let mut conversion = Conversion { under_way: record.converting, leftovers: Vec::new() };
    if !record.converting {
        return Ok(conversion);
    }
    for (id, message) in hidden(tables, account)? {
        let Some(content) = query::content_record(tables, message.content)? else { continue };
        let mailbox = query::mailbox(tables, message.mailbox)?;
        conversion.leftovers.push(Leftover {
            message: id,
            mailbox: message.mailbox,
            mailbox_name: mailbox.name,
            subject: content.summary.subject,
            size: message.size,
            internal_date: message.internal_date,
            whole: content.body.is_some(),
        });
    }
    Ok(conversion)
}

/// Ends a conversion: what the new server does not have is sent to it, kept on this device, or let go.
pub(crate) fn finish(w: &mut Writer<'_>, account: AccountId, action: LeftoverAction) -> Result<u64> {
    let mut record = accounts::get(w, account)?;
    if !record.converting {
        return Err(Error::Misuse("the account is not being converted"));
    }
    let mut done = 0;
    for (id, message) in hidden_here(w, account)? {
        let whole = w.content(message.content)?.is_some_and(|c| c.body.is_some());
        if !whole {
            // Its header alone can be given to nobody.
            continue;
        }
        match action {
            LeftoverAction::Upload => upload(w, account, id, &message)?,
            LeftoverAction::KeepIn(mailbox) => keep(w, account, id, &message, mailbox)?,
            LeftoverAction::Forget => continue,
        }
        done += 1;
    }
    record.converting = false;
    accounts::put(w, account, &record)?;
    Ok(done)
}

fn hidden_here(w: &mut Writer<'_>, account: AccountId) -> Result<Vec<(MessageId, MessageRecord)>> {
    let mut ids = Vec::new();
    for entry in w.tables.orphans.iter()? {
        ids.extend(keys::read_u64(entry?.0.value(), 8).map(MessageId));
    }
    let mut all = Vec::new();
    for id in ids {
        let Some(message) = w.message(id)?.filter(|m| m.gone_ms.is_some()) else { continue };
        if w.mailbox(message.mailbox).is_ok_and(|m| m.account == account) {
            all.push((id, message));
        }
    }
    Ok(all)
}

/// Takes a hidden message out of hiding; answers its flags.
fn unhide(w: &mut Writer<'_>, id: MessageId, message: &MessageRecord) -> Result<FlagSet> {
    let key = keys::pair(u64::from(message.mailbox.0), id.0);
    let orphan = w.tables.orphans.remove(key.as_slice())?.map(|v| v.value().to_vec());
    let orphan = orphan.map(|b| record::decode::<OrphanRecord>(&b)).transpose()?;
    let intents = w.intents(id)?;
    for op in [intents.flags.map(|f| f.op), intents.place.map(|p| p.op)].into_iter().flatten() {
        w.forget_operation(op)?;
    }
    w.put_intents(id, &Default::default())?;
    Ok(orphan.map(|o| o.flags).unwrap_or_default())
}

fn upload(w: &mut Writer<'_>, account: AccountId, id: MessageId, message: &MessageRecord) -> Result<()> {
    let to = message.mailbox;
    if w.mailbox(to)?.gone {
        // The new server has no such mailbox: it is made there.
        let record = w.mailbox(to)?;
        record.gone = false;
        record.wish.unborn = true;
        record.selectable = true;
        if wish_of(w, to, &MailboxGoal::Create { role: None })?.is_none() {
            mailbox::operate(w, account, to, MailboxGoal::Create { role: None })?;
        }
    }
    let flags = unhide(w, id, message)?;
    view::alter(w, id, |w, record, intents| {
        record.gone_ms = None;
        record.uid = 0;
        record.view = View::Here;
        record.internal_date = record.internal_date.div_euclid(1000) * 1000;
        place::want(w, account, id, intents, Goal::Append, None)?;
        place::take_flags_along(w, intents, flags, FlagSet::default());
        Ok(())
    })?;
    Ok(())
}

fn keep(
    w: &mut Writer<'_>,
    account: AccountId,
    id: MessageId,
    message: &MessageRecord,
    to: MailboxId,
) -> Result<()> {
    if w.mailbox(to)?.kind != MailboxKind::Local {
        return Err(Error::Invalid { what: "mailbox", why: "it is not one of this device".into() });
    }
    let flags = unhide(w, id, message)?;
    view::alter(w, id, |w, record, intents| {
        record.gone_ms = None;
        record.view = View::Here;
        arrivals::move_in_locally(w, account, id, record, intents, to, &flags)
    })?;
    Ok(())
}
