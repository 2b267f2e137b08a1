//! Mail of this store as other programs see it over IMAP and POP3: numbers of our own for what is here.
//!
//! What the engine's own lists show has no UID that could be served: a message keeps its id when it moves, and its UID belongs to
//! another server. So a mailbox that is served has rows of its own: UIDs that rise and are never used again, and
//! mod-sequences. They follow the change feed ([`follow`]), so that nothing else in the store need know of them; what a served
//! client does is followed within its own transaction, so that it can be told the new numbers at once.
//!
//! A message is served once it is here whole: before that its size and its bytes are another server's word.

mod numbers;
mod rows;

use hashbrown::{HashMap, HashSet};
use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::flags::{FlagSet, Flags};
use crate::ids::{MailboxId, MessageId};
use crate::model::Change;
use crate::store::record::{self, Record};
use crate::store::records::ChangesRecord;
use crate::store::tables::{Read, Snapshot, get};
use crate::store::writer::Writer;
use crate::store::{INCARNATION_KEY, keys, query, view};
pub(crate) use numbers::{place_of, verify};
pub(crate) use rows::{ServedRow, changed, each, expunged, row, rows};

/// Expunges that are remembered of each mailbox.
const REMEMBERED: u32 = 20_000;
const FOLLOWED: &[u8] = b"served";

/// How far the rows have followed the store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Followed {
    /// The commit up to which they have.
    commit: u64,
    /// Of the last change to any row.
    modseq: u64,
    /// The last UIDVALIDITY that was given; no later one is below it.
    uid_validity: u32,
    /// The store whose rows these are: a copy that was restored has given out numbers that this one does not know of.
    incarnation: u64,
}

impl Record for Followed {
    const VERSION: u8 = 1;
    const NAME: &'static str = "served";
}

/// A mailbox as it is served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServedMailbox {
    pub(crate) uid_validity: u32,
    pub(crate) uid_next: u32,
    pub(crate) highest_modseq: u64,
    /// The first UID that no session has been told of.
    pub(crate) recent: u32,
    /// Expunges above this mod-sequence are remembered.
    pub(crate) forgotten: u64,
    /// How many are.
    remembered: u32,
    pub(crate) messages: u32,
    pub(crate) unseen: u32,
    pub(crate) deleted: u32,
    pub(crate) size: u64,
    pub(crate) deleted_size: u64,
}

impl Record for ServedMailbox {
    const VERSION: u8 = 1;
    const NAME: &'static str = "served mailbox";
}

/// A mailbox as it is served; `None` before anybody has asked for it.
pub(crate) fn mailbox(tables: &impl Read, id: MailboxId) -> Result<Option<ServedMailbox>> {
    let key = id.0.to_be_bytes();
    tables.served_mailboxes().get(key.as_slice())?.map(|v| record::decode(v.value())).transpose()
}

/// Whether the rows have followed the store up to a commit, and are this store's: those that a restored copy brought
/// along are not.
pub(crate) fn has_followed(tables: &Snapshot, commit: u64) -> Result<bool> {
    let stored = get(&tables.meta, FOLLOWED)?;
    let followed: Option<Followed> = stored.map(|b| record::decode(&b)).transpose()?;
    let incarnation = get(&tables.meta, INCARNATION_KEY)?.and_then(|b| keys::read_u64(&b, 0)).unwrap_or(0);
    Ok(followed.is_some_and(|f| f.commit >= commit && f.incarnation == incarnation))
}

/// One transaction's work on the rows.
pub(crate) struct Served<'w, 't> {
    w: &'w mut Writer<'t>,
    followed: Followed,
    mailboxes: HashMap<MailboxId, Option<ServedMailbox>>,
    pages: rows::Pages,
    /// A row has changed.
    altered: bool,
}

/// What a row should say.
struct Wanted {
    mailbox: MailboxId,
    flags: FlagSet,
    size: u64,
}

impl<'w, 't> Served<'w, 't> {
    pub(crate) fn begin(w: &'w mut Writer<'t>) -> Result<Served<'w, 't>> {
        let stored = get(&w.tables.meta, FOLLOWED)?;
        let followed: Followed = stored.map(|b| record::decode(&b)).transpose()?.unwrap_or_default();
        let incarnation = w.incarnation()?;
        let mut served =
            Served { w, followed, mailboxes: HashMap::new(), pages: rows::Pages::default(), altered: false };
        if served.followed.incarnation != incarnation {
            served.forget_all()?;
            served.followed.incarnation = incarnation;
        }
        Ok(served)
    }

    /// Brings the rows into step with everything that was done, in this transaction too.
    pub(crate) fn follow(&mut self) -> Result<()> {
        let done = self.w.counters.commit;
        let pending = self.w.changes_so_far().to_vec();
        let oldest = self.w.counters.oldest_commit.saturating_sub(1);
        if self.followed.commit < oldest {
            self.compare_all()?;
        } else {
            let mut changes = Vec::new();
            if self.followed.commit < done {
                let from = (self.followed.commit + 1).to_be_bytes();
                for entry in self.w.tables.changes.range(from.as_slice()..)? {
                    changes.push(record::decode::<ChangesRecord>(entry?.1.value())?.changes);
                }
            }
            changes.push(pending.clone());
            for changes in changes {
                self.take(&changes)?;
            }
        }
        // What this transaction has changed so far will be the next commit.
        self.followed.commit = done + u64::from(!pending.is_empty());
        Ok(())
    }

    /// One commit's changes. What came together is numbered by date.
    fn take(&mut self, changes: &[Change]) -> Result<()> {
        let mut seen = HashSet::new();
        let mut messages = Vec::new();
        for change in changes {
            match change {
                Change::Mailbox(id) => self.look_at(*id)?,
                Change::MessageAdded(_, id)
                | Change::MessageChanged(_, id)
                | Change::MessageRemoved(_, id) => {
                    if seen.insert(*id) {
                        let date = self.w.message(*id)?.map_or(i64::MIN, |m| m.internal_date);
                        messages.push((date, *id));
                    }
                }
                Change::Account(_) => {}
            }
        }
        messages.sort_unstable();
        for (_, id) in messages {
            self.settle(id)?;
        }
        Ok(())
    }

    /// A mailbox changed: where it went, so do its rows.
    fn look_at(&mut self, id: MailboxId) -> Result<()> {
        if self.box_mut(id)?.is_some() && !self.w.mailbox_is_shown(id)? {
            self.forget(id)?;
        }
        Ok(())
    }

    /// Puts the row of one message right.
    pub(crate) fn settle(&mut self, id: MessageId) -> Result<()> {
        let wanted = self.wanted(id)?;
        let place = place_of(&self.w.tables, id)?;
        match (place, wanted) {
            (None, None) => Ok(()),
            (None, Some(wanted)) => self.enter(id, wanted),
            (Some((mailbox, uid)), Some(wanted)) if wanted.mailbox == mailbox => {
                self.change(mailbox, uid, &wanted)
            }
            (Some((mailbox, uid)), wanted) => {
                self.remove(id, mailbox, uid)?;
                wanted.map_or(Ok(()), |wanted| self.enter(id, wanted))
            }
        }
    }

    /// Gives a message a new UID where it is, as for one that was moved to where it is.
    pub(crate) fn renumber(&mut self, id: MessageId) -> Result<()> {
        if let Some((mailbox, uid)) = place_of(&self.w.tables, id)? {
            self.remove(id, mailbox, uid)?;
            // Nothing else of it changes, and sessions look only where something did.
            self.w.change(Change::MessageChanged(mailbox, id));
        }
        self.settle(id)
    }

    fn wanted(&mut self, id: MessageId) -> Result<Option<Wanted>> {
        let Some(record) = self.w.message(id)? else { return Ok(None) };
        let intents = self.w.intents(id)?;
        let Some(face) = view::face(self.w, &record, &intents)? else { return Ok(None) };
        if self.box_mut(face.mailbox)?.is_none() {
            return Ok(None);
        }
        let body = self.w.content(record.content)?.and_then(|content| content.body);
        Ok(body.map(|body| Wanted { mailbox: face.mailbox, size: body.len, flags: face.into_flags() }))
    }

    /// Begins to serve a mailbox: everything in it gets a number, oldest first.
    pub(crate) fn activate(&mut self, id: MailboxId) -> Result<()> {
        if self.box_mut(id)?.is_some() || !self.w.mailbox_is_shown(id)? {
            return Ok(());
        }
        let seconds = u32::try_from(self.w.now_ms / 1000).unwrap_or(u32::MAX - 1);
        self.followed.uid_validity = self.followed.uid_validity.saturating_add(1).max(seconds).max(1);
        let new = ServedMailbox {
            uid_validity: self.followed.uid_validity,
            uid_next: 1,
            highest_modseq: self.modseq(),
            forgotten: self.modseq(),
            recent: 1,
            ..ServedMailbox::default()
        };
        self.mailboxes.insert(id, Some(new));
        self.altered = true;
        for message in self.shown_in(id)? {
            self.settle(message)?;
        }
        Ok(())
    }

    /// The messages of a mailbox, oldest first.
    fn shown_in(&self, id: MailboxId) -> Result<Vec<MessageId>> {
        let (from, to) = (keys::mailbox(id), keys::after_mailbox(id));
        let mut all = Vec::new();
        for entry in self.w.tables.by_date.range(from.as_slice()..to.as_slice())? {
            all.extend(keys::read_by_date(entry?.0.value()).map(|(_, id)| id));
        }
        Ok(all)
    }

    /// Compares everything: the change feed does not reach back far enough.
    fn compare_all(&mut self) -> Result<()> {
        for id in self.all()? {
            self.look_at(id)?;
            if self.box_mut(id)?.is_none() {
                continue;
            }
            let here: Vec<MessageId> =
                self.pages.all(&self.w.tables, id)?.into_iter().map(|r| r.message).collect();
            let shown = self.shown_in(id)?;
            for message in here.into_iter().chain(shown) {
                self.settle(message)?;
            }
        }
        Ok(())
    }

    /// Claims what no session has been told of; the first UID of it.
    pub(crate) fn claim_recent(&mut self, id: MailboxId) -> Result<u32> {
        let Some(mailbox) = self.box_mut(id)? else { return Ok(u32::MAX) };
        let first = mailbox.recent;
        if first != mailbox.uid_next {
            mailbox.recent = mailbox.uid_next;
            self.altered = true;
        }
        Ok(first)
    }

    /// The mod-sequence of what this transaction does: one for all of it.
    fn modseq(&self) -> u64 {
        self.w.served_modseq.unwrap_or(self.followed.modseq + 1)
    }

    fn all(&self) -> Result<Vec<MailboxId>> {
        let mut all = Vec::new();
        for entry in self.w.tables.served_mailboxes.iter()? {
            all.extend(keys::read_u32(entry?.0.value(), 0).map(MailboxId));
        }
        Ok(all)
    }

    pub(crate) fn box_mut(&mut self, id: MailboxId) -> Result<Option<&mut ServedMailbox>> {
        if !self.mailboxes.contains_key(&id) {
            let stored = mailbox(&self.w.tables, id)?;
            self.mailboxes.insert(id, stored);
        }
        Ok(self.mailboxes.get_mut(&id).and_then(Option::as_mut))
    }

    /// Writes everything back.
    pub(crate) fn finish(self) -> Result<()> {
        let modseq = self.modseq();
        let Served { w, mut followed, mailboxes, pages, altered } = self;
        pages.store(&mut w.tables)?;
        let mut touched: Vec<_> = mailboxes.into_iter().collect();
        touched.sort_unstable_by_key(|(id, _)| *id);
        for (id, mailbox) in touched {
            let Some(mailbox) = mailbox else { continue };
            let (key, new) = (id.0.to_be_bytes(), record::encode(&mailbox));
            let same = w.tables.served_mailboxes.get(key.as_slice())?.is_some_and(|old| old.value() == new);
            if !same {
                w.tables.served_mailboxes.insert(key.as_slice(), new.as_slice())?;
            }
        }
        if altered {
            followed.modseq = modseq;
            w.served_modseq = Some(modseq);
        }
        let new = record::encode(&followed);
        if get(&w.tables.meta, FOLLOWED)?.as_deref() != Some(new.as_slice()) {
            w.tables.meta.insert(FOLLOWED, new.as_slice())?;
            w.touch();
        }
        Ok(())
    }
}

/// A message's flags as its counts have them.
fn is_deleted(flags: Flags) -> bool {
    flags.contains(Flags::DELETED)
}

fn is_unseen(flags: Flags) -> bool {
    !flags.contains(Flags::SEEN)
}

/// Keywords in use in a mailbox, and the flags.
pub(crate) fn flags_in_use(tables: &Snapshot, id: MailboxId) -> Result<FlagSet> {
    let mut flags = Flags::NONE;
    let mut sets = HashSet::new();
    each(&tables.served, id, 1, |row| {
        flags = flags.union(row.flags);
        sets.insert(row.keywords);
        true
    })?;
    let mut all = FlagSet::new(flags);
    for set in sets {
        for word in query::keyword_names(tables, set)? {
            all.insert_wire(word.as_bytes());
        }
    }
    Ok(all)
}
