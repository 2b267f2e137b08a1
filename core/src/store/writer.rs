//! One write transaction's view: tables, counters, and what was touched, put back at the end.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use redb::ReadableTable;

use crate::error::{Error, Result};
use crate::flags::{FlagSet, Flags};
use crate::ids::{AccountId, ContentId, MailboxId, MessageId, OperationId};
use crate::model::Change;
use crate::store::intents::{IntentRecord, JournalRecord, PlaceIntent, Subject};
use crate::store::keys;
use crate::store::packs::Packs;
use crate::store::placements::{PageRows, Placement};
use crate::store::record::{self, Record};
use crate::store::records::{
    ChangesRecord, ContentRecord, Counters, KeywordsRecord, MailboxRecord, MessageRecord,
};
use crate::store::tables::{Tables, get};

/// Commits that the change feed keeps.
const FEED: u64 = 10_000;
/// A key of the identity index.
pub(crate) type IdentityKey = [u8; 21];
pub(crate) const COUNTERS: &[u8] = b"counters";

pub(crate) struct Writer<'t> {
    pub(crate) tables: Tables<'t>,
    pub(crate) counters: Counters,
    pub(crate) now_ms: i64,
    mailboxes: HashMap<MailboxId, (MailboxRecord, bool)>,
    keyword_sets: HashMap<Vec<String>, u32>,
    page: Option<PageRows>,
    /// Identities to be entered. Their keys are hashes: written together in order, neighbours share a page.
    identities: BTreeSet<IdentityKey>,
    /// Bodies that come and go.
    pub(crate) packs: Packs,
    changes: Vec<Change>,
    /// Messages that were sent to a mailbox and may be met there; read when first asked for.
    pub(crate) awaited: Option<HashMap<(AccountId, MailboxId), Vec<MessageId>>>,
    /// Operations that the server confirmed in this transaction.
    pub(crate) replayed: u64,
    /// Operations done in this transaction.
    done: Vec<OperationId>,
    /// Operations that were set aside in this transaction.
    pub(crate) set_aside: Vec<OperationId>,
    /// The mod-sequence under which this transaction changes what is served, once it does.
    pub(crate) served_modseq: Option<u64>,
    /// Something was written that the records kept open here do not tell.
    dirty: bool,
}

impl<'t> Writer<'t> {
    pub(crate) fn new(tables: Tables<'t>, now_ms: i64) -> Result<Writer<'t>> {
        let counters = match get(&tables.meta, COUNTERS)? {
            Some(bytes) => record::decode(&bytes)?,
            None => Counters::default(),
        };
        Ok(Writer {
            tables,
            counters,
            now_ms,
            mailboxes: HashMap::new(),
            keyword_sets: HashMap::new(),
            page: None,
            identities: BTreeSet::new(),
            packs: Packs::default(),
            changes: Vec::new(),
            awaited: None,
            replayed: 0,
            done: Vec::new(),
            set_aside: Vec::new(),
            served_modseq: None,
            dirty: false,
        })
    }

    /// Something was written that must be committed.
    pub(crate) fn touch(&mut self) {
        self.dirty = true;
    }

    /// Notes something that a screen may have to draw again.
    pub(crate) fn change(&mut self, change: Change) {
        if self.changes.last() != Some(&change) {
            self.changes.push(change);
        }
    }

    /// What was changed so far, of what the change feed tells.
    pub(crate) fn changes_so_far(&self) -> &[Change] {
        &self.changes
    }

    /// Whether there is a mailbox that a person sees.
    pub(crate) fn mailbox_is_shown(&mut self, id: MailboxId) -> Result<bool> {
        match self.mailbox(id) {
            Ok(record) => Ok(record.is_shown()),
            Err(Error::Gone(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A mailbox's record, read once a transaction.
    pub(crate) fn mailbox(&mut self, id: MailboxId) -> Result<&mut MailboxRecord> {
        if !self.mailboxes.contains_key(&id) {
            let bytes = get(&self.tables.mailboxes, &id.0.to_be_bytes())?.ok_or(Error::Gone("mailbox"))?;
            self.mailboxes.insert(id, (record::decode(&bytes)?, false));
        }
        let (record, dirty) = self.mailboxes.get_mut(&id).expect("it was just put there");
        *dirty = true;
        Ok(record)
    }

    /// A number for a mailbox under a new UIDVALIDITY.
    pub(crate) fn new_numbering(&mut self) -> u32 {
        self.counters.numbering += 1;
        self.counters.numbering
    }

    pub(crate) fn insert_mailbox(&mut self, mut record: MailboxRecord) -> MailboxId {
        record.numbering = self.new_numbering();
        self.counters.mailbox += 1;
        let id = MailboxId(self.counters.mailbox);
        self.dirty = true;
        self.mailboxes.insert(id, (record, true));
        id
    }

    /// Every mailbox of an account, those changed in this transaction as they are now.
    pub(crate) fn mailboxes_of(&mut self, account: AccountId) -> Result<Vec<(MailboxId, MailboxRecord)>> {
        let mut all = Vec::new();
        for entry in self.tables.mailboxes.iter()? {
            let (key, value) = entry?;
            let id = MailboxId(keys::read_u32(key.value(), 0).unwrap_or(0));
            if !self.mailboxes.contains_key(&id) {
                all.push((id, record::decode::<MailboxRecord>(value.value())?));
            }
        }
        all.extend(self.mailboxes.iter().map(|(id, (record, _))| (*id, record.clone())));
        all.retain(|(_, record)| record.account == account);
        all.sort_by_key(|(id, _)| *id);
        Ok(all)
    }

    pub(crate) fn message(&self, id: MessageId) -> Result<Option<MessageRecord>> {
        self.read(&self.tables.messages, &keys::message(id))
    }

    pub(crate) fn put_message(&mut self, id: MessageId, message: &MessageRecord) -> Result<()> {
        self.dirty = true;
        self.tables.messages.insert(keys::message(id).as_slice(), record::encode(message).as_slice())?;
        Ok(())
    }

    pub(crate) fn content(&self, id: ContentId) -> Result<Option<ContentRecord>> {
        self.read(&self.tables.contents, &keys::content(id))
    }

    pub(crate) fn put_content(&mut self, id: ContentId, content: &ContentRecord) -> Result<()> {
        self.dirty = true;
        self.tables.contents.insert(keys::content(id).as_slice(), record::encode(content).as_slice())?;
        Ok(())
    }

    fn read<R: Record>(
        &self,
        table: &impl ReadableTable<&'static [u8], &'static [u8]>,
        key: &[u8],
    ) -> Result<Option<R>> {
        match table.get(key)? {
            Some(value) => Ok(Some(record::decode(value.value())?)),
            None => Ok(None),
        }
    }

    pub(crate) fn placement(&mut self, mailbox: MailboxId, uid: u32) -> Result<Option<Placement>> {
        Ok(self.page(mailbox, uid)?.get(uid))
    }

    pub(crate) fn put_placement(&mut self, mailbox: MailboxId, placement: Placement) -> Result<()> {
        self.dirty = true;
        self.page(mailbox, placement.uid)?.put(placement);
        Ok(())
    }

    pub(crate) fn remove_placement(&mut self, mailbox: MailboxId, uid: u32) -> Result<Option<Placement>> {
        self.dirty = true;
        Ok(self.page(mailbox, uid)?.remove(uid))
    }

    /// The page that holds a UID. One is kept open: batches come in runs of neighbouring UIDs.
    fn page(&mut self, mailbox: MailboxId, uid: u32) -> Result<&mut PageRows> {
        if self.page.as_ref().is_none_or(|page| !page.holds(mailbox, uid)) {
            self.store_page()?;
            self.page = Some(PageRows::load(&self.tables.placements, mailbox, uid)?);
        }
        Ok(self.page.as_mut().expect("it was just put there"))
    }

    /// Puts the open page back, so that a scan sees everything.
    pub(crate) fn store_page(&mut self) -> Result<()> {
        match self.page.take() {
            Some(page) => page.store(&mut self.tables.placements),
            None => Ok(()),
        }
    }

    /// The id of a keyword set, made where it is new; 0 for none.
    pub(crate) fn keyword_set(&mut self, flags: &FlagSet) -> Result<u32> {
        if flags.keywords().is_empty() {
            return Ok(0);
        }
        if self.keyword_sets.is_empty() {
            for entry in self.tables.keywords.iter()? {
                let (key, value) = entry?;
                let names = record::decode::<KeywordsRecord>(value.value())?.names;
                self.keyword_sets.insert(names, keys::read_u32(key.value(), 0).unwrap_or(0));
            }
        }
        if let Some(id) = self.keyword_sets.get(flags.keywords()) {
            return Ok(*id);
        }
        self.counters.keywords += 1;
        let (id, names) = (self.counters.keywords, flags.keywords().to_vec());
        let stored = record::encode(&KeywordsRecord { names: names.clone() });
        self.tables.keywords.insert(id.to_be_bytes().as_slice(), stored.as_slice())?;
        self.keyword_sets.insert(names, id);
        Ok(id)
    }

    /// Flags and keywords as a set.
    pub(crate) fn flag_set(&mut self, flags: Flags, keywords: u32) -> Result<FlagSet> {
        let mut set = FlagSet::new(flags);
        if keywords != 0 {
            let stored = get(&self.tables.keywords, &keywords.to_be_bytes())?;
            let names = stored.map(|b| record::decode::<KeywordsRecord>(&b)).transpose()?;
            for name in names.map(|n| n.names).unwrap_or_default() {
                set.insert_wire(name.as_bytes());
            }
        }
        Ok(set)
    }

    /// What is wanted of a message.
    pub(crate) fn intents(&self, id: MessageId) -> Result<IntentRecord> {
        if self.counters.intents == 0 {
            return Ok(IntentRecord::default());
        }
        Ok(self.read(&self.tables.intents, &keys::message(id))?.unwrap_or_default())
    }

    pub(crate) fn put_intents(&mut self, id: MessageId, intents: &IntentRecord) -> Result<()> {
        self.dirty = true;
        let key = keys::message(id);
        let before = if intents.is_empty() {
            self.tables.intents.remove(key.as_slice())?.is_some()
        } else {
            self.tables.intents.insert(key.as_slice(), record::encode(intents).as_slice())?.is_some()
        };
        let after = !intents.is_empty();
        self.counters.intents = self.counters.intents + u64::from(after) - u64::from(before);
        Ok(())
    }

    /// Enters an operation into the journal.
    pub(crate) fn new_operation(&mut self, account: AccountId, subject: Subject) -> Result<OperationId> {
        self.counters.operation += 1;
        let op = OperationId(self.counters.operation);
        let incarnation = self.incarnation()?;
        self.put_operation(op, &JournalRecord { account, incarnation, subject })?;
        Ok(op)
    }

    /// What names this store, and no copy of it.
    pub(crate) fn incarnation(&self) -> Result<u64> {
        let stored = get(&self.tables.meta, super::INCARNATION_KEY)?;
        Ok(stored.and_then(|b| keys::read_u64(&b, 0)).unwrap_or(0))
    }

    /// Every operation of an account, oldest first.
    pub(crate) fn operations_of(&self, account: AccountId) -> Result<Vec<(OperationId, Subject)>> {
        let mut all = Vec::new();
        for entry in self.tables.journal.iter()? {
            let (key, value) = entry?;
            let record: JournalRecord = record::decode(value.value())?;
            if record.account == account {
                all.push((OperationId(keys::read_u64(key.value(), 0).unwrap_or(0)), record.subject));
            }
        }
        Ok(all)
    }

    pub(crate) fn put_operation(&mut self, op: OperationId, entry: &JournalRecord) -> Result<()> {
        self.dirty = true;
        self.tables.journal.insert(keys::operation(op).as_slice(), record::encode(entry).as_slice())?;
        Ok(())
    }

    pub(crate) fn operation(&self, op: OperationId) -> Result<Option<JournalRecord>> {
        self.read(&self.tables.journal, &keys::operation(op))
    }

    /// Takes an operation out of the journal: it is done, or means nothing any more.
    pub(crate) fn forget_operation(&mut self, op: OperationId) -> Result<bool> {
        self.dirty = true;
        Ok(self.tables.journal.remove(keys::operation(op).as_slice())?.is_some())
    }

    /// The server has what an operation wanted.
    pub(crate) fn operation_done(&mut self, op: OperationId) -> Result<()> {
        // One operation may be about a message's place and its flags.
        if self.forget_operation(op)? {
            self.replayed += 1;
            self.done.push(op);
        }
        Ok(())
    }

    /// Accounts in which something waited for an operation that was done in this transaction, in the account `own`.
    pub(crate) fn freed_accounts(&mut self, own: AccountId) -> Result<BTreeSet<AccountId>> {
        let done: BTreeSet<OperationId> = std::mem::take(&mut self.done).into_iter().collect();
        let mut freed = BTreeSet::new();
        if done.is_empty() {
            return Ok(freed);
        }
        for entry in self.tables.journal.iter()? {
            let JournalRecord { account, subject, .. } = record::decode(entry?.1.value())?;
            if account == own || freed.contains(&account) {
                continue;
            }
            let Subject::Place(id) = subject else { continue };
            let after = self.intents(id)?.place.and_then(|place| place.after);
            if after.is_some_and(|op| done.contains(&op)) {
                freed.insert(account);
            }
        }
        Ok(freed)
    }

    /// Every operation that waits for another one, oldest first.
    pub(crate) fn waiting_for(&self, op: OperationId) -> Result<Vec<(MessageId, PlaceIntent)>> {
        let mut all = Vec::new();
        for entry in self.tables.journal.iter()? {
            let JournalRecord { subject: Subject::Place(id), .. } = record::decode(entry?.1.value())? else {
                continue;
            };
            all.extend(self.intents(id)?.place.filter(|p| p.after == Some(op)).map(|place| (id, place)));
        }
        Ok(all)
    }

    pub(crate) fn enter_identity(&mut self, key: IdentityKey) {
        self.identities.insert(key);
    }

    pub(crate) fn forget_identity(&mut self, key: &IdentityKey) -> Result<()> {
        if !self.identities.remove(key) {
            self.tables.identities.remove(key.as_slice())?;
        }
        Ok(())
    }

    /// Identities entered in this transaction, within a range of keys.
    pub(crate) fn new_identities(
        &self,
        from: IdentityKey,
        to: IdentityKey,
    ) -> impl Iterator<Item = &IdentityKey> {
        self.identities.range(from..=to)
    }

    /// Puts everything back that was kept open. Returns the commit's number in the change feed, and whether
    /// anything is to be committed at all.
    pub(crate) fn finish(mut self) -> Result<(u64, bool)> {
        self.store_page()?;
        self.packs.finish(&mut self.tables)?;
        for key in std::mem::take(&mut self.identities) {
            self.tables.identities.insert(key.as_slice(), [].as_slice())?;
        }
        let mut touched: Vec<_> = self.mailboxes.drain().filter(|(_, (_, dirty))| *dirty).collect();
        touched.sort_by_key(|(id, _)| *id);
        for (id, (record, _)) in touched {
            let (key, new) = (id.0.to_be_bytes(), record::encode(&record));
            let same = self.tables.mailboxes.get(key.as_slice())?.is_some_and(|old| old.value() == new);
            if !same {
                self.tables.mailboxes.insert(key.as_slice(), new.as_slice())?;
                self.changes.push(Change::Mailbox(id));
            }
        }
        let changed = !self.changes.is_empty();
        if changed {
            self.counters.commit += 1;
            let changes = record::encode(&ChangesRecord { changes: std::mem::take(&mut self.changes) });
            self.tables.changes.insert(self.counters.commit.to_be_bytes().as_slice(), changes.as_slice())?;
            let oldest = self.counters.commit.saturating_sub(FEED);
            while self.counters.oldest_commit < oldest {
                self.tables.changes.remove(self.counters.oldest_commit.to_be_bytes().as_slice())?;
                self.counters.oldest_commit += 1;
            }
        }
        let worth = self.dirty || changed;
        if worth {
            self.tables.meta.insert(COUNTERS, record::encode(&self.counters).as_slice())?;
        }
        Ok((self.counters.commit, worth))
    }
}

impl Writer<'_> {
    /// Drops a mailbox's record.
    pub(crate) fn forget_mailbox(&mut self, id: MailboxId) -> Result<()> {
        self.mailboxes.remove(&id);
        self.tables.mailboxes.remove(id.0.to_be_bytes().as_slice())?;
        self.change(Change::Mailbox(id));
        Ok(())
    }
}
