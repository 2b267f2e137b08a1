//! The ledger: what became of every message that a POP3 server has listed.
//!
//! A row is written in the transaction of its message, so that neither is ever here without the other. It
//! outlives the message here, so that what was deleted is not fetched again, and for a while the message on the
//! server, since lists flap.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::ids::{AccountId, MailboxId, MessageId};
use crate::model::{Expire, Keep, MailboxKind, RetentionReason};
use crate::store::apply::{self, Outcome};
use crate::store::batch::MessageFact;
use crate::store::record::{self, Record};
use crate::store::tables::{Read, Snapshot, get};
use crate::store::writer::Writer;
use crate::store::{keys, query};

/// Octets of a unique id that are kept (RFC 1939 §7).
pub(crate) const LONGEST_UIDL: usize = 70;

/// What names a message in the ledger of its account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LedgerKey(Vec<u8>);

/// A unique id as RFC 1939 has it.
const BY_UIDL: u8 = 1;
/// One that is too long or holds what it may not: its hash.
const BY_ODD_UIDL: u8 = 2;
/// No unique id: size, header, and a count among equals.
const BY_HEADER: u8 = 3;
/// Neither unique id nor TOP: the bytes, and a count among equals.
const BY_BYTES: u8 = 4;

impl LedgerKey {
    /// Of a unique id; `None` for an empty one, which names nothing.
    pub(crate) fn of_uidl(uidl: &[u8]) -> Option<LedgerKey> {
        if uidl.is_empty() {
            return None;
        }
        let fits = uidl.len() <= LONGEST_UIDL && uidl.iter().all(u8::is_ascii_graphic);
        Some(if fits {
            LedgerKey([&[BY_UIDL], uidl].concat())
        } else {
            LedgerKey([&[BY_ODD_UIDL][..], &Sha256::digest(uidl)].concat())
        })
    }

    /// Of a message known by its header only: the `n`th with this size and header.
    pub(crate) fn of_header(size: u64, header: [u8; 16], n: u32) -> LedgerKey {
        LedgerKey([&[BY_HEADER][..], &header, &size.to_be_bytes(), &n.to_be_bytes()].concat())
    }

    /// Of a message known by its bytes only: the `n`th with these.
    pub(crate) fn of_bytes(body: [u8; 16], n: u32) -> LedgerKey {
        LedgerKey([&[BY_BYTES][..], &body, &n.to_be_bytes()].concat())
    }

    /// Whether the server gave the name. Else it was made of what the message says.
    pub(crate) fn is_given(&self) -> bool {
        matches!(self.0.first(), Some(&(BY_UIDL | BY_ODD_UIDL)))
    }

    /// Whether it is the first with its size and header, or bytes.
    pub(crate) fn is_first(&self) -> bool {
        self.is_given() || self.0.last_chunk() == Some(&[0; 4])
    }

    /// The key of the message that is the next one with the same size and header, or bytes.
    pub(crate) fn twin(&self) -> Option<LedgerKey> {
        if self.is_given() {
            return None;
        }
        let (head, count) = self.0.split_last_chunk::<4>()?;
        let next = u32::from_be_bytes(*count).checked_add(1)?;
        Some(LedgerKey([head, &next.to_be_bytes()].concat()))
    }

    fn stored(&self, account: AccountId) -> Vec<u8> {
        [&keys::account(account)[..], &self.0].concat()
    }
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LedgerState {
    /// The server listed it.
    Seen,
    /// It is entered; its header is here.
    Entered,
    /// It is here whole, and durable.
    Stored,
    /// It is to be deleted from the server.
    DeletionWanted(RetentionReason),
    /// DELE may have gone out; QUIT has not been agreed to.
    DeletionSent(RetentionReason),
    /// QUIT was agreed to.
    DeletionConfirmed,
}

/// Whether a message left the inbox here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Left {
    No,
    Deleted,
    Moved,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LedgerRecord {
    /// What the server calls it, at most [`LONGEST_UIDL`] octets; empty where it has no name.
    pub(crate) uidl: Vec<u8>,
    /// `None` before it is entered, and when it was deleted here.
    pub(crate) message: Option<MessageId>,
    /// Octets, as the server says.
    pub(crate) size: u64,
    pub(crate) header: Option<[u8; 16]>,
    /// The beginning of the canonical hash, once it is here whole.
    pub(crate) body: Option<[u8; 16]>,
    pub(crate) first_seen_ms: i64,
    /// When it was first here whole.
    pub(crate) stored_ms: Option<i64>,
    /// Since when the server lists it no more. A message that is listed has no time written at each sync.
    pub(crate) missing_since_ms: Option<i64>,
    pub(crate) state: LedgerState,
    pub(crate) left: Left,
    /// It arrived after the account's first list.
    pub(crate) fresh: bool,
    /// The server gave its name to others too: it is never deleted there.
    pub(crate) doubtful: bool,
    /// The list, counted from 1, in which it appeared or appeared again.
    pub(crate) generation: u32,
}

/// What is known of the server as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PopServerRecord {
    /// Lists that told something new.
    pub(crate) generation: u32,
    pub(crate) login_delay_s: u32,
    pub(crate) expire: Option<Expire>,
    /// When it was last signed in to, where it wants a time between two logins.
    pub(crate) last_login_ms: i64,
}

impl Record for LedgerRecord {
    const VERSION: u8 = 1;
    const NAME: &'static str = "ledger";
}

impl Record for PopServerRecord {
    const VERSION: u8 = 1;
    const NAME: &'static str = "POP3 server";
}

/// A message that the server lists and that was not known.
#[derive(Debug)]
pub(crate) struct SeenFact {
    pub(crate) key: LedgerKey,
    pub(crate) uidl: Vec<u8>,
    pub(crate) size: u64,
    pub(crate) doubtful: bool,
    pub(crate) fresh: bool,
}

/// A message that came, whole or as its header.
#[derive(Debug)]
pub(crate) struct LedgerFact {
    pub(crate) seen: SeenFact,
    /// `None` where nothing is known of it: it is too large, and the server has no TOP.
    pub(crate) header: Option<[u8; 16]>,
    /// When it came to the server, by its header.
    pub(crate) received_ms: Option<i64>,
    pub(crate) fact: MessageFact,
}

/// Something to write about the messages of a POP3 server.
#[derive(Debug)]
pub(crate) enum LedgerOp {
    /// A list was read to its end.
    Listed { seen: Vec<SeenFact>, missing: Vec<LedgerKey>, forgotten: Vec<LedgerKey> },
    /// A message came.
    Message(Box<LedgerFact>),
    /// A message that is known has another name now.
    Renamed { from: LedgerKey, to: Box<SeenFact> },
    /// A message was looked at and is the one that the row tells of.
    Confirmed { key: LedgerKey, size: u64, header: [u8; 16] },
    /// Another message has the name now: what the row told of is gone from the server.
    Replaced { by: Box<SeenFact> },
    /// DELE goes out next for these.
    DeletionSent(Vec<(LedgerKey, RetentionReason)>),
    /// QUIT was agreed to.
    DeletionConfirmed(Vec<LedgerKey>),
    /// What the server said of itself.
    Server(PopServerRecord),
}

impl LedgerOp {
    /// Octets held in memory, about.
    pub(crate) fn weight(&self) -> usize {
        match self {
            LedgerOp::Listed { seen, missing, forgotten } => {
                200 + 200 * (seen.len() + missing.len() + forgotten.len())
            }
            LedgerOp::Message(entry) => 200 + entry.fact.weight(),
            LedgerOp::DeletionSent(keys) => 200 + 100 * keys.len(),
            LedgerOp::DeletionConfirmed(keys) => 200 + 100 * keys.len(),
            _ => 400,
        }
    }
}

impl SeenFact {
    fn row(self, w: &Writer<'_>, server: &PopServerRecord) -> LedgerRecord {
        LedgerRecord {
            uidl: self.uidl,
            message: None,
            size: self.size,
            header: None,
            body: None,
            first_seen_ms: w.now_ms,
            stored_ms: None,
            missing_since_ms: None,
            state: LedgerState::Seen,
            left: Left::No,
            fresh: self.fresh,
            doubtful: self.doubtful,
            generation: server.generation + 1,
        }
    }
}

pub(crate) fn apply(
    w: &mut Writer<'_>,
    account: AccountId,
    op: LedgerOp,
    outcome: &mut Outcome,
) -> Result<()> {
    w.touch();
    match op {
        LedgerOp::Listed { seen, missing, forgotten } => listed(w, account, seen, missing, forgotten),
        LedgerOp::Message(entry) => message(w, account, *entry, outcome),
        LedgerOp::Renamed { from, to } => renamed(w, account, &from, *to),
        LedgerOp::Confirmed { key, size, header } => change(w, account, &key, |row| {
            row.size = size;
            row.header = Some(header);
            back(row);
        }),
        LedgerOp::Replaced { by } => replaced(w, account, *by),
        LedgerOp::DeletionSent(all) => all.into_iter().try_for_each(|(key, why)| {
            change(w, account, &key, |row| row.state = LedgerState::DeletionSent(why))
        }),
        LedgerOp::DeletionConfirmed(all) => {
            let now = w.now_ms;
            all.into_iter().try_for_each(|key| {
                change(w, account, &key, |row| {
                    row.state = LedgerState::DeletionConfirmed;
                    row.missing_since_ms = Some(now);
                })
            })
        }
        LedgerOp::Server(said) => {
            let generation = server(&w.tables, account)?.generation;
            put_server(w, account, &PopServerRecord { generation, ..said })
        }
    }
}

/// A message that was thought gone is listed again: whatever was believed of its deletion is not so.
fn back(row: &mut LedgerRecord) {
    row.missing_since_ms = None;
    if row.state == LedgerState::DeletionConfirmed {
        row.state = LedgerState::Stored;
    }
}

fn listed(
    w: &mut Writer<'_>,
    account: AccountId,
    seen: Vec<SeenFact>,
    missing: Vec<LedgerKey>,
    forgotten: Vec<LedgerKey>,
) -> Result<()> {
    let mut server = server(&w.tables, account)?;
    for fact in seen {
        let key = fact.key.clone();
        if row(&w.tables, account, &key)?.is_none() {
            let new = fact.row(w, &server);
            put(w, account, &key, &new)?;
        }
    }
    let now = w.now_ms;
    for key in missing {
        change(w, account, &key, |row| {
            row.missing_since_ms.get_or_insert(now);
            if matches!(row.state, LedgerState::DeletionSent(_)) {
                // QUIT's answer was lost; the list tells what it was.
                row.state = LedgerState::DeletionConfirmed;
            }
        })?;
    }
    for key in forgotten {
        remove(w, account, &key)?;
    }
    server.generation = server.generation.saturating_add(1);
    put_server(w, account, &server)
}

/// Enters a message, or gives one that is entered its body.
fn message(w: &mut Writer<'_>, account: AccountId, entry: LedgerFact, outcome: &mut Outcome) -> Result<()> {
    let LedgerFact { seen, header, received_ms, mut fact } = entry;
    let (key, seen_size) = (seen.key.clone(), seen.size);
    let mut row = match row(&w.tables, account, &key)? {
        Some(row) => row,
        // Without a name of its own it was not known before it came.
        None => seen.row(w, &server(&w.tables, account)?),
    };
    let body = fact.body.as_ref().and_then(|b| b.hash).map(|hash| shortened(hash.canonical));
    if row.body.is_some() || (row.message.is_some() || row.left != Left::No) && body.is_none() {
        // Another connection was quicker, or it was deleted here meanwhile.
        return apply::discard(w, fact);
    }
    row.header = header.or(row.header);
    row.size = seen_size;
    match row.message {
        Some(id) => {
            let Some(body) = fact.body.take() else { return Ok(()) };
            apply::attach(w, id, &mut fact, body, outcome)?;
        }
        None if row.left != Left::No => apply::discard(w, fact)?,
        None => row.message = Some(enter(w, fact, received_ms, row.fresh, outcome)?),
    }
    if body.is_some() {
        row.body = body;
        row.stored_ms.get_or_insert(w.now_ms);
    }
    row.state = if row.body.is_some() { LedgerState::Stored } else { LedgerState::Entered };
    put(w, account, &key, &row)?;
    if let Some(id) = row.message {
        link(w, account, &key, id)?;
    }
    Ok(())
}

/// Enters a message into the inbox, under the next UID.
fn enter(
    w: &mut Writer<'_>,
    mut fact: MessageFact,
    received_ms: Option<i64>,
    fresh: bool,
    outcome: &mut Outcome,
) -> Result<MessageId> {
    let mailbox = fact.mailbox;
    let record = w.mailbox(mailbox)?;
    let uid = record.uid_next.max(1);
    record.uid_next = uid.saturating_add(1);
    fact.uid = uid;
    fact.enter = true;
    fact.fresh = fresh;
    // A server that lies about the past is believed; about the future it is not.
    fact.internal_date = Some(received_ms.map_or(w.now_ms, |at| at.clamp(0, w.now_ms.max(0))));
    apply::enter(w, fact, outcome)?;
    let placed = w.placement(mailbox, uid)?;
    placed.map(|p| p.message).ok_or_else(|| {
        crate::error::Error::Corrupt(format!("mailbox {mailbox}: what was entered as {uid} is not there"))
    })
}

fn renamed(w: &mut Writer<'_>, account: AccountId, from: &LedgerKey, to: SeenFact) -> Result<()> {
    let Some(mut moved) = row(&w.tables, account, from)? else { return Ok(()) };
    remove(w, account, from)?;
    // The new name may have been entered as one that nothing was known of.
    remove(w, account, &to.key)?;
    moved.uidl = to.uidl;
    moved.size = to.size;
    moved.doubtful = to.doubtful;
    moved.generation = server(&w.tables, account)?.generation;
    back(&mut moved);
    put(w, account, &to.key, &moved)?;
    match moved.message {
        Some(id) => link(w, account, &to.key, id),
        None => Ok(()),
    }
}

fn replaced(w: &mut Writer<'_>, account: AccountId, by: SeenFact) -> Result<()> {
    remove(w, account, &by.key)?;
    let key = by.key.clone();
    let server = server(&w.tables, account)?;
    let new = LedgerRecord { generation: server.generation, ..by.row(w, &server) };
    put(w, account, &key, &new)
}

/// A message left the inbox here: it was deleted, or moved to a mailbox of this device. Where the account's
/// policy is to delete it on the server then, that is noted.
pub(crate) fn left_inbox(w: &mut Writer<'_>, message: MessageId, deleted: bool) -> Result<()> {
    let Some((account, key)) = key_of(&w.tables, message)? else { return Ok(()) };
    let keep = query::account(&w.tables, account)?.settings.keep;
    w.touch();
    change(w, account, &key, |row| {
        row.left = if deleted { Left::Deleted } else { Left::Moved };
        if deleted {
            row.message = None;
        }
        if keep == Keep::UntilDeletedHere && row.state != LedgerState::DeletionConfirmed {
            let why = if deleted { RetentionReason::DeletedHere } else { RetentionReason::MovedHere };
            row.state = LedgerState::DeletionWanted(why);
        }
    })?;
    if deleted {
        w.tables.ledger_of.remove(keys::message(message).as_slice())?;
    }
    Ok(())
}

/// A message's record is gone from the store.
pub(crate) fn message_dropped(w: &mut Writer<'_>, message: MessageId) -> Result<()> {
    left_inbox(w, message, true)
}

/// Drops everything of an account.
pub(crate) fn drop_account(w: &mut Writer<'_>, account: AccountId) -> Result<()> {
    w.touch();
    let (from, to) = (keys::account(account), keys::account(AccountId(account.0.saturating_add(1))));
    w.tables.ledger.retain_in(from.as_slice()..to.as_slice(), |_, _| false)?;
    w.tables.ledger_of.retain(|_, key| !key.starts_with(&from))?;
    Ok(())
}

pub(crate) fn shortened(hash: [u8; 32]) -> [u8; 16] {
    *hash.first_chunk().expect("32 octets")
}

fn change(
    w: &mut Writer<'_>,
    account: AccountId,
    key: &LedgerKey,
    act: impl FnOnce(&mut LedgerRecord),
) -> Result<()> {
    let Some(mut row) = row(&w.tables, account, key)? else { return Ok(()) };
    act(&mut row);
    put(w, account, key, &row)
}

fn put(w: &mut Writer<'_>, account: AccountId, key: &LedgerKey, row: &LedgerRecord) -> Result<()> {
    w.tables.ledger.insert(key.stored(account).as_slice(), record::encode(row).as_slice())?;
    Ok(())
}

fn link(w: &mut Writer<'_>, account: AccountId, key: &LedgerKey, message: MessageId) -> Result<()> {
    w.tables.ledger_of.insert(keys::message(message).as_slice(), key.stored(account).as_slice())?;
    Ok(())
}

/// Drops a row; its message stays.
fn remove(w: &mut Writer<'_>, account: AccountId, key: &LedgerKey) -> Result<()> {
    let stored = key.stored(account);
    let old = w.tables.ledger.remove(stored.as_slice())?.map(|v| v.value().to_vec());
    let old = old.map(|bytes| record::decode::<LedgerRecord>(&bytes)).transpose()?;
    if let Some(id) = old.and_then(|row| row.message) {
        w.tables.ledger_of.remove(keys::message(id).as_slice())?;
    }
    Ok(())
}

fn put_server(w: &mut Writer<'_>, account: AccountId, server: &PopServerRecord) -> Result<()> {
    w.tables.ledger.insert(keys::account(account).as_slice(), record::encode(server).as_slice())?;
    Ok(())
}

/// What is known of an account's server.
pub(crate) fn server(tables: &impl Read, account: AccountId) -> Result<PopServerRecord> {
    Ok(match get(tables.ledger(), &keys::account(account))? {
        Some(bytes) => record::decode(&bytes)?,
        None => PopServerRecord::default(),
    })
}

/// One row.
pub(crate) fn row(tables: &impl Read, account: AccountId, key: &LedgerKey) -> Result<Option<LedgerRecord>> {
    get(tables.ledger(), &key.stored(account))?.map(|bytes| record::decode(&bytes)).transpose()
}

/// Every row of an account.
pub(crate) fn rows(tables: &impl Read, account: AccountId) -> Result<Vec<(LedgerKey, LedgerRecord)>> {
    let (from, to) = (keys::account(account), keys::account(AccountId(account.0.saturating_add(1))));
    let mut all = Vec::new();
    for entry in tables.ledger().range(from.as_slice()..to.as_slice())? {
        let (key, value) = entry?;
        if key.value().len() > from.len() {
            all.push((LedgerKey(key.value()[from.len()..].to_vec()), record::decode(value.value())?));
        }
    }
    Ok(all)
}

/// The row of a message.
pub(crate) fn key_of(tables: &impl Read, message: MessageId) -> Result<Option<(AccountId, LedgerKey)>> {
    let found = get(tables.ledger_of(), &keys::message(message))?;
    Ok(found.and_then(|bytes| {
        let account = AccountId(keys::read_u32(&bytes, 0)?);
        Some((account, LedgerKey(bytes.get(4..)?.to_vec())))
    }))
}

/// The inbox of a POP3 account.
pub(crate) fn inbox(tables: &impl Read, account: AccountId) -> Result<Option<MailboxId>> {
    let all = query::mailboxes(tables, account)?;
    Ok(all.into_iter().find(|(_, m)| m.kind == MailboxKind::PopInbox).map(|(id, _)| id))
}

/// What is not as it should be: rows and messages name each other.
pub(crate) fn verify(tables: &Snapshot, mut problem: impl FnMut(String)) -> Result<()> {
    for entry in tables.ledger.iter()? {
        let (key, value) = entry?;
        if key.value().len() == 4 {
            record::decode::<PopServerRecord>(value.value())?;
            continue;
        }
        let row: LedgerRecord = record::decode(value.value())?;
        let shown = String::from_utf8_lossy(&row.uidl).escape_debug().to_string();
        if let Some(id) = row.message {
            if query::message_record(tables, id)?.is_none() {
                problem(format!("the ledger's row {shown} names message {id}, which is not there"));
            }
            let named = get(&tables.ledger_of, &keys::message(id))?;
            if named.as_deref() != Some(key.value()) {
                problem(format!("message {id} does not name the ledger's row {shown}"));
            }
        }
        if row.body.is_some() != row.stored_ms.is_some() {
            problem(format!("the ledger's row {shown} is stored by half"));
        }
    }
    for entry in tables.ledger_of.iter()? {
        let (message, key) = entry?;
        let id = keys::read_u64(message.value(), 0).map(MessageId);
        let row =
            get(&tables.ledger, key.value())?.map(|b| record::decode::<LedgerRecord>(&b)).transpose()?;
        if row.is_none_or(|row| row.message != id) {
            problem(format!(
                "message {} names a row of the ledger that does not name it",
                id.unwrap_or(MessageId(0))
            ));
        }
    }
    Ok(())
}
