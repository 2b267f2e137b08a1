//! The maildrop: INBOX as it was at the sign-in, and what is to be removed from it.

use crate::flags::{FlagSet, Flags};
use crate::ids::MailboxId;
use crate::imap::command::StoreAction;
use crate::serve::backend::{Backend, FlagChange, Refusal, Result};
use crate::set::UidSet;

/// Rows read at a time.
const PAGE: usize = 4_096;

/// One user's maildrop, locked for as long as this is there.
pub(super) struct Maildrop<B: Backend> {
    pub(super) backend: B,
    inbox: MailboxId,
    uid_validity: u32,
    entries: Vec<Entry>,
    /// Entries that are kept.
    kept: usize,
    /// Octets of those, where all of them have been asked for.
    octets: Option<u64>,
    /// Where DELE was said, so that RSET costs no more than that.
    deleted: Vec<usize>,
    _lock: B::Maildrop,
}

#[derive(Debug, Clone)]
struct Entry {
    uid: u32,
    /// As POP3 counts, once it was asked for.
    size: Option<u64>,
    mark: Mark,
    /// It had `\Deleted` before this session.
    flagged: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Kept,
    /// By DELE.
    Deleted,
    /// By somebody else, and for good.
    Gone,
}

/// What QUIT has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Update {
    /// Messages that were to be removed.
    pub(super) wanted: u64,
    /// Those of them that are still here, as far as the store can say.
    pub(super) left: u64,
    /// What failed.
    pub(super) trouble: Option<Refusal>,
}

impl<B: Backend> Maildrop<B> {
    /// Locks INBOX and looks what is in it: at most so many messages, the oldest.
    pub(super) fn open(backend: B, most: usize) -> Result<Maildrop<B>> {
        // Whoever is refused the lock has learnt nothing of the mail.
        let lock = backend.lock_maildrop()?;
        let named = backend.mailboxes()?.into_iter().find(|mailbox| mailbox.name == "INBOX");
        let inbox = named.and_then(|mailbox| mailbox.id).ok_or(Refusal::Nonexistent)?;
        let uid_validity = backend.status(inbox)?.uid_validity;
        let mut entries: Vec<Entry> = Vec::new();
        let mut from = Some(1);
        while let Some(first) = from
            && entries.len() < most
        {
            let rows = backend.rows(inbox, first, PAGE.min(most - entries.len()))?;
            from = rows.last().and_then(|row| row.uid.checked_add(1));
            entries.extend(rows.into_iter().map(|row| Entry {
                uid: row.uid,
                size: None,
                mark: Mark::Kept,
                flagged: row.flags.flags.contains(Flags::DELETED),
            }));
        }
        let kept = entries.len();
        let (octets, deleted) = (None, Vec::new());
        Ok(Maildrop { backend, inbox, uid_validity, entries, kept, octets, deleted, _lock: lock })
    }

    /// How many numbers there are, whatever became of their messages.
    pub(super) fn numbers(&self) -> usize {
        self.entries.len()
    }

    /// How many messages are here and not to be removed.
    pub(super) fn count(&self) -> usize {
        self.kept
    }

    /// The place of a message, by its number from 1 on.
    ///
    /// # Errors
    /// What to tell the client where there is none.
    pub(super) fn place(&self, number: u32) -> std::result::Result<usize, &'static str> {
        let place = (number as usize).checked_sub(1);
        match place.and_then(|place| self.entries.get(place)).map(|entry| entry.mark) {
            Some(Mark::Kept) => Ok(number as usize - 1),
            Some(Mark::Deleted) => Err("that message is deleted"),
            Some(Mark::Gone) => Err(GONE),
            None => Err("there is no such message"),
        }
    }

    pub(super) fn is_kept(&self, place: usize) -> bool {
        self.entries[place].mark == Mark::Kept
    }

    /// What names a message in every session (RFC 1939 §7).
    pub(super) fn unique_id(&self, place: usize) -> String {
        format!("{:08x}.{:08x}", self.uid_validity, self.entries[place].uid)
    }

    /// A message's octets as POP3 counts them; `None` where somebody else has removed it.
    pub(super) fn size(&mut self, place: usize) -> Result<Option<u64>> {
        let entry = &mut self.entries[place];
        if entry.size.is_none() {
            entry.size = self.backend.text_size(self.inbox, entry.uid)?;
            if entry.size.is_none() {
                self.mark(place, Mark::Gone);
            }
        }
        Ok(self.entries[place].size)
    }

    /// Messages and octets, without what is to be removed.
    pub(super) fn totals(&mut self) -> Result<(usize, u64)> {
        let octets = match self.octets {
            Some(octets) => octets,
            None => {
                let mut octets = 0u64;
                for place in 0..self.entries.len() {
                    if self.is_kept(place) {
                        octets = octets.saturating_add(self.size(place)?.unwrap_or(0));
                    }
                }
                octets
            }
        };
        self.octets = Some(octets);
        Ok((self.kept, octets))
    }

    /// A hold on a message's octets, and how many there are as they are stored; `None` where somebody else has
    /// removed it.
    pub(super) fn content(&mut self, place: usize) -> Result<Option<(B::Content, u64)>> {
        let uid = self.entries[place].uid;
        let content = self.backend.content(self.inbox, uid)?;
        let facts = self.backend.facts(self.inbox, uid)?;
        if content.is_none() || facts.is_none() {
            self.mark(place, Mark::Gone);
        }
        Ok(content.zip(facts.map(|facts| facts.size)))
    }

    /// DELE
    pub(super) fn delete(&mut self, place: usize) {
        self.mark(place, Mark::Deleted);
        self.deleted.push(place);
    }

    /// RSET
    pub(super) fn reset(&mut self) {
        for place in std::mem::take(&mut self.deleted) {
            self.mark(place, Mark::Kept);
        }
    }

    /// Marks a message, and keeps count.
    fn mark(&mut self, place: usize, mark: Mark) {
        let entry = &mut self.entries[place];
        let known = self.octets.zip(entry.size);
        match (entry.mark == Mark::Kept, mark == Mark::Kept) {
            (true, false) => {
                self.kept -= 1;
                self.octets = known.map(|(octets, size)| octets.saturating_sub(size));
            }
            (false, true) => {
                self.kept += 1;
                self.octets = known.map(|(octets, size)| octets.saturating_add(size));
            }
            _ => {}
        }
        entry.mark = mark;
    }

    /// Removes what is to be removed: the UPDATE state (RFC 1939 §6).
    pub(super) fn update(self) -> Update {
        let marked = || self.deleted.iter().map(|place| &self.entries[*place]);
        let uids: UidSet = marked().map(|entry| entry.uid).collect();
        let mut update = Update { wanted: uids.len(), left: 0, trouble: None };
        if uids.is_empty() {
            return update;
        }
        let expunged =
            self.flag(StoreAction::Add, &uids).and_then(|()| self.backend.expunge(self.inbox, Some(&uids)));
        let gone = expunged.unwrap_or_else(|refusal| {
            update.trouble = Some(refusal);
            UidSet::new()
        });
        // What somebody else has removed is removed; what nobody can tell of is not.
        let is_here = |uid| !matches!(self.backend.facts(self.inbox, uid), Ok(None));
        let left: Vec<&Entry> =
            marked().filter(|entry| !gone.contains(entry.uid) && is_here(entry.uid)).collect();
        update.left = left.len() as u64;
        // What stays is as it was before, so that no later EXPUNGE of others takes it along.
        let ours: UidSet = left.iter().filter(|entry| !entry.flagged).map(|entry| entry.uid).collect();
        if !ours.is_empty()
            && let Err(refusal) = self.flag(StoreAction::Remove, &ours)
        {
            update.trouble.get_or_insert(refusal);
        }
        update
    }

    fn flag(&self, action: StoreAction, uids: &UidSet) -> Result<()> {
        let flags = FlagSet::new(Flags::DELETED);
        let change = FlagChange { action, flags: &flags, unchanged_since: None };
        self.backend.store(self.inbox, uids, &change).map(drop)
    }
}

/// What a client is told of a message that went behind its back.
pub(super) const GONE: &str = "somebody else has removed that message";
