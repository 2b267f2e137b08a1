//! The engine's own store, served: an account's mail as this device has it.
//!
//! Each account with a password of its own ([`Engine::set_server_password`]) is a user, named as the account is. What a served
//! client does is what a person does in the engine's own lists: it is durable when it is answered, and in mailboxes of
//! another server it is replayed there when a connection comes.
//!
//! - A message is served once it is here whole. A body that comes later gives the message its UID then.
//! - UIDs, UIDVALIDITYs and mod-sequences are this store's own. A copy of the store that was restored gives out new UIDVALIDITYs.
//! - A local mailbox with the name of one on the server is served as `NAME (local)`.
//! - Nothing can be put into the inbox of a POP3 account.

mod acting;
mod naming;
mod quota;
mod reading;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::backend::*;
use crate::engine::Engine;
use crate::error::Error;
use crate::ids::{AccountId, ContentId, MailboxId};
use crate::message::Description;
use crate::sasl::server::Verifier;
use crate::set::UidSet;
use crate::shared::Shared;
use crate::store::served::{self, Served};
use crate::store::tables::Snapshot;
use crate::store::writer::Writer;
use crate::store::{Lent, accounts};
use crate::time::Now;

/// Octets of a message up to which a hold on it is a copy in memory. Of a longer one the pieces are read as they are sent.
const HELD: u64 = 8 << 20;

/// The accounts of an [`Engine`] as users. Clones share it.
#[derive(Clone)]
pub struct StoredUsers {
    shared: Arc<Shared>,
}

impl StoredUsers {
    /// Every account that has a password of its own.
    pub fn new(engine: &Engine) -> StoredUsers {
        StoredUsers { shared: Arc::clone(&engine.shared) }
    }

    /// A secret of this store for [`SessionOptions::decoy`](super::SessionOptions::decoy): the same as long as no password changes, so that users who do not
    /// exist look alike at every start.
    ///
    /// # Errors
    /// The storage's.
    pub fn decoy(&self) -> crate::error::Result<[u8; 32]> {
        accounts::decoy(&self.shared.store.read()?.tables)
    }

    fn account(&self, user: &str) -> crate::error::Result<Option<(AccountId, Verifier)>> {
        accounts::server_password(&self.shared.store.read()?.tables, user)
    }
}

impl Users for StoredUsers {
    type Backend = StoredMail;

    fn verifier(&self, user: &str) -> Option<Verifier> {
        self.account(user).ok().flatten().map(|(_, verifier)| verifier)
    }

    fn open(&self, user: &str) -> Result<StoredMail> {
        let found = self.account(user).map_err(refused)?;
        let (account, _) = found.ok_or_else(|| Refusal::Failed("no such user".into()))?;
        Ok(StoredMail {
            shared: Arc::clone(&self.shared),
            account,
            wall_ms: AtomicI64::new(0),
            held: Mutex::default(),
        })
    }
}

/// One account's mail, as one session sees it.
pub struct StoredMail {
    shared: Arc<Shared>,
    account: AccountId,
    wall_ms: AtomicI64,
    held: Mutex<Held>,
}

/// What is kept between the reads of one call.
#[derive(Default)]
struct Held {
    /// The host is in a call: reads may share a snapshot.
    in_call: bool,
    snapshot: Option<Arc<Lent>>,
    /// The words of keyword sets; a set never changes.
    keywords: BTreeMap<u32, Arc<Vec<String>>>,
    /// Descriptions that were made and are not written down.
    described: Vec<Made>,
    described_octets: usize,
}

/// What was read out of a message because a client asked for it.
struct Made {
    content: ContentId,
    description: Arc<Description>,
    header: Vec<u8>,
    text_size: u64,
}

/// A message's octets, held.
pub struct StoredContent {
    /// The message, where it is in memory.
    whole: Option<Vec<u8>>,
    pack: u64,
    start: u64,
    len: u64,
}

/// An error as a session tells it.
fn refused(error: Error) -> Refusal {
    match error {
        Error::Gone("mailbox") => Refusal::Nonexistent,
        Error::NotPermitted { .. } => Refusal::Cannot("the server that this mail is from does not allow it"),
        Error::Invalid { what: "mailbox", .. } => Refusal::Cannot("that cannot be done with this mailbox"),
        Error::Invalid { what: quota::WHAT, .. } => Refusal::OverQuota,
        Error::Invalid { what: "name", .. } => Refusal::Cannot("no mailbox can have that name"),
        Error::Invalid { .. } => Refusal::Cannot("that is not possible"),
        other => Refusal::Failed(other.to_string()),
    }
}

impl StoredMail {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads, from one snapshot for as long as a call lasts.
    fn read<R>(&self, act: impl FnOnce(&Snapshot) -> crate::error::Result<R>) -> Result<R> {
        let lent = {
            let mut held = self.held();
            match &held.snapshot {
                Some(lent) => Arc::clone(lent),
                None => {
                    let lent = Arc::new(self.shared.store.lend().map_err(refused)?);
                    if held.in_call {
                        held.snapshot = Some(Arc::clone(&lent));
                    }
                    lent
                }
            }
        };
        act(&lent.tables).map_err(refused)
    }

    /// Writes, in one transaction, with the numbers in step before and after.
    fn write<R>(&self, act: impl FnOnce(&mut Writer<'_>) -> crate::error::Result<R>) -> Result<R> {
        // No transaction waits for a snapshot of our own to be given back.
        self.held().snapshot = None;
        let now_ms = self.wall_ms.load(Ordering::Relaxed);
        let done = self.shared.store.write(now_ms, |w| {
            follow(w)?;
            let done = act(w)?;
            follow(w)?;
            Ok(done)
        });
        Ok(done.map_err(refused)?.0)
    }

    /// A write that is something for another server: its connections are woken.
    fn act<R>(&self, act: impl FnOnce(&mut Writer<'_>) -> crate::error::Result<R>) -> Result<R> {
        let done = self.write(act)?;
        self.shared.wake_account(self.account);
        Ok(done)
    }

    /// Brings the numbers into step with the store, where it has changed.
    fn catch_up(&self) -> Result<()> {
        let commit = self.shared.store.last_commit();
        let stale = {
            let held = self.held();
            held.snapshot.as_ref().is_none_or(|lent| lent.commit < commit)
        };
        if stale {
            self.held().snapshot = None;
            if !self.read(|tables| served::has_followed(tables, commit))? {
                self.write(|_| Ok(()))?;
            }
        }
        Ok(())
    }

    /// Makes sure that a mailbox is served.
    fn ensure(&self, mailbox: MailboxId) -> Result<()> {
        self.catch_up()?;
        if self.read(|tables| served::mailbox(tables, mailbox))?.is_some() {
            return Ok(());
        }
        let account = self.account;
        let there = self.write(|w| {
            let mine = w.mailbox_is_shown(mailbox)? && w.mailbox(mailbox)?.account == account;
            if mine {
                numbered(w, |served| served.activate(mailbox))?;
            }
            Ok(mine)
        })?;
        if there { Ok(()) } else { Err(Refusal::Nonexistent) }
    }

    /// Reads a whole message for what is said of it.
    fn make(&self, mailbox: MailboxId, uid: u32) -> Result<Option<(Arc<Description>, u64)>> {
        let made = self.read(|tables| reading::make(tables, mailbox, uid, &self.shared.limits))?;
        Ok(made.map(|made| {
            let said = (Arc::clone(&made.description), made.text_size);
            let mut held = self.held();
            held.described_octets += made.description.body_structure.len() * 2
                + made.description.envelope.len()
                + made.header.len();
            held.described.push(made);
            said
        }))
    }

    /// Writes descriptions down that were made: the next session need not make them again.
    fn keep_descriptions(&self, least: usize) {
        let described = {
            let mut held = self.held();
            if held.described_octets < least || held.described.is_empty() {
                return;
            }
            held.described_octets = 0;
            std::mem::take(&mut held.described)
        };
        // Where it cannot be written it is made again when it is asked for.
        let _ = self.write(|w| reading::keep(w, &described));
    }
}

impl Drop for StoredMail {
    fn drop(&mut self) {
        self.keep_descriptions(0);
    }
}

/// Brings the numbers into step with what was done.
fn follow(w: &mut Writer<'_>) -> crate::error::Result<()> {
    numbered(w, |served| served.follow())
}

/// Works on the numbers.
fn numbered<'t, R>(
    w: &mut Writer<'t>,
    act: impl FnOnce(&mut Served<'_, 't>) -> crate::error::Result<R>,
) -> crate::error::Result<R> {
    let mut served = Served::begin(w)?;
    let done = act(&mut served)?;
    served.finish()?;
    Ok(done)
}

/// Octets of descriptions that are gathered before they are written down.
const GATHERED: usize = 1 << 20;

impl Backend for StoredMail {
    type Upload = Vec<u8>;
    type Content = StoredContent;
    type Maildrop = MaildropGuard;

    fn begin(&self, now: Now) {
        self.wall_ms.store(now.wall_ms, Ordering::Relaxed);
        self.held().in_call = true;
    }

    fn end(&self) {
        {
            let mut held = self.held();
            held.in_call = false;
            held.snapshot = None;
        }
        self.keep_descriptions(GATHERED);
    }

    fn delimiter(&self) -> char {
        self.read(|tables| naming::delimiter(tables, self.account)).unwrap_or('/')
    }

    fn revision(&self) -> u64 {
        // What cannot be followed now is told with the next change, or with the error of the next command.
        let _ = self.catch_up();
        self.shared.store.last_commit()
    }

    fn mailboxes(&self) -> Result<Vec<Mailbox>> {
        self.read(|tables| naming::list(tables, self.account))
    }

    fn status(&self, mailbox: MailboxId) -> Result<Status> {
        self.ensure(mailbox)?;
        self.read(|tables| reading::status(tables, mailbox))?.ok_or(Refusal::Nonexistent)
    }

    fn highest_modseq(&self, mailbox: MailboxId) -> Result<u64> {
        self.ensure(mailbox)?;
        let record = self.read(|tables| served::mailbox(tables, mailbox))?;
        record.map(|record| record.highest_modseq).ok_or(Refusal::Nonexistent)
    }

    fn create(&self, name: &str, special_use: &[String]) -> Result<MailboxId> {
        let role = match special_use {
            [] => None,
            [one] => Some(naming::role(one).ok_or(Refusal::UseAttr)?),
            _ => return Err(Refusal::UseAttr),
        };
        if self.mailboxes()?.iter().any(|m| m.id.is_some() && m.name == name) {
            return Err(Refusal::AlreadyExists);
        }
        let account = self.account;
        self.act(|w| naming::create(w, account, name, role))
    }

    fn delete(&self, mailbox: MailboxId) -> Result<()> {
        let account = self.account;
        self.act(|w| naming::delete(w, account, mailbox))
    }

    fn rename(&self, mailbox: MailboxId, to: &str) -> Result<()> {
        if self.mailboxes()?.iter().any(|m| m.id.is_some() && m.name == to) {
            return Err(Refusal::AlreadyExists);
        }
        let account = self.account;
        self.act(|w| naming::rename(w, account, mailbox, to))
    }

    fn subscribe(&self, name: &str, subscribed: bool) -> Result<()> {
        let found = self.mailboxes()?.into_iter().find(|m| m.name == name).and_then(|m| m.id);
        let account = self.account;
        self.act(|w| match found {
            Some(id) => crate::store::actions::mailbox::subscribe(w, id, subscribed),
            None => naming::subscribe_to_nothing(w, account, name, subscribed),
        })
    }

    fn rows(&self, mailbox: MailboxId, from: u32, most: usize) -> Result<Vec<Row>> {
        self.ensure(mailbox)?;
        let rows = self.read(|tables| served::rows(tables, mailbox, from, most))?;
        rows.iter().map(|row| self.row(row)).collect()
    }

    fn changes(&self, mailbox: MailboxId, since: u64) -> Result<Changes> {
        self.ensure(mailbox)?;
        let (rows, expunged, record) = self.read(|tables| reading::changes(tables, mailbox, since))?;
        let record = record.ok_or(Refusal::Nonexistent)?;
        let rows = rows.iter().map(|row| self.row(row)).collect::<Result<_>>()?;
        Ok(Changes { rows, expunged, modseq: record.highest_modseq, complete: since >= record.forgotten })
    }

    fn recent(&self, mailbox: MailboxId, claim: bool) -> Result<u32> {
        self.ensure(mailbox)?;
        let record = self.read(|tables| served::mailbox(tables, mailbox))?.ok_or(Refusal::Nonexistent)?;
        if claim && record.recent != record.uid_next {
            return self.write(|w| numbered(w, |served| served.claim_recent(mailbox)));
        }
        Ok(record.recent)
    }

    fn facts(&self, mailbox: MailboxId, uid: u32) -> Result<Option<Facts>> {
        self.read(|tables| reading::facts(tables, mailbox, uid))
    }

    fn description(&self, mailbox: MailboxId, uid: u32) -> Result<Option<Arc<Description>>> {
        if let Some(known) = self.read(|tables| reading::description(tables, mailbox, uid))? {
            return Ok(Some(Arc::new(known)));
        }
        Ok(self.make(mailbox, uid)?.map(|(description, _)| description))
    }

    fn text_size(&self, mailbox: MailboxId, uid: u32) -> Result<Option<u64>> {
        if let Some(known) = self.read(|tables| reading::text_size(tables, mailbox, uid))? {
            return Ok(Some(known));
        }
        Ok(self.make(mailbox, uid)?.map(|(_, size)| size))
    }

    fn lock_maildrop(&self) -> Result<MaildropGuard> {
        self.shared.maildrop(self.account).lock()
    }

    fn content(&self, mailbox: MailboxId, uid: u32) -> Result<Option<StoredContent>> {
        self.read(|tables| reading::content(tables, mailbox, uid))
    }

    fn header(&self, mailbox: MailboxId, uid: u32) -> Result<Option<Vec<u8>>> {
        if let Some(known) = self.read(|tables| reading::header(tables, mailbox, uid))? {
            return Ok(Some(known));
        }
        let Some(description) = self.description(mailbox, uid)? else { return Ok(None) };
        // Of a message that was described just now, or one too long to be kept: no more than its header is read.
        self.read(|tables| reading::octets(tables, mailbox, uid, description.index.header()))
    }

    fn read<'c>(&self, content: &'c StoredContent, octets: Range<u64>) -> Result<Cow<'c, [u8]>> {
        let to = octets.end.min(content.len);
        let from = octets.start.min(to);
        if let Some(whole) = &content.whole {
            return Ok(Cow::Borrowed(&whole[from as usize..to as usize]));
        }
        let read = |tables: &Snapshot| {
            crate::store::query::blob(tables, content.pack, content.start + from, to - from)
        };
        let read = StoredMail::read(self, read)?;
        let whole = read.len() as u64 == to - from;
        if whole {
            Ok(Cow::Owned(read))
        } else {
            Err(Refusal::Failed("the message went while it was sent".into()))
        }
    }

    fn preview(&self, mailbox: MailboxId, uid: u32) -> Result<Option<String>> {
        self.read(|tables| reading::preview(tables, mailbox, uid))
    }

    fn store(&self, mailbox: MailboxId, uids: &UidSet, change: &FlagChange<'_>) -> Result<Stored> {
        self.ensure(mailbox)?;
        self.act(|w| acting::store(w, mailbox, uids, change))
    }

    fn expunge(&self, mailbox: MailboxId, uids: Option<&UidSet>) -> Result<UidSet> {
        self.ensure(mailbox)?;
        self.act(|w| acting::expunge(w, mailbox, uids))
    }

    fn copy(&self, from: MailboxId, uids: &UidSet, to: MailboxId, remove: bool) -> Result<Copied> {
        self.ensure(from)?;
        self.ensure(to)?;
        let account = self.account;
        self.act(|w| quota::within(w, account, |w| acting::copy(w, from, uids, to, remove)))
    }

    fn append_limit(&self) -> Option<u64> {
        Some(self.shared.limits.message)
    }

    fn begin_upload(
        &self,
        to: MailboxId,
        octets: u64,
        replaces: Option<(MailboxId, u32)>,
    ) -> Result<Vec<u8>> {
        self.ensure(to)?;
        if octets > self.shared.limits.message {
            return Err(Refusal::TooBig);
        }
        // No octet need be sent of what cannot be kept; where it comes to it, it is looked at again.
        if let Some((limits, used)) = self.used()? {
            let replaced = match replaces {
                Some((mailbox, uid)) => self.facts(mailbox, uid)?.map(|facts| facts.size),
                None => None,
            };
            used.allows(used.with(octets, replaced), &limits).then_some(()).ok_or(Refusal::OverQuota)?;
        }
        Ok(Vec::new())
    }

    fn upload(&self, upload: &mut Vec<u8>, octets: &[u8]) -> Result<()> {
        upload.extend_from_slice(octets);
        Ok(())
    }

    fn append(
        &self,
        to: MailboxId,
        messages: Vec<Appended<Vec<u8>>>,
        replaces: Option<(MailboxId, u32)>,
    ) -> Result<Copied> {
        self.ensure(to)?;
        if let Some((mailbox, _)) = replaces {
            self.ensure(mailbox)?;
        }
        let staged = messages.into_iter().map(|message| acting::stage(&self.shared, message));
        let staged = staged.collect::<crate::error::Result<Vec<_>>>().map_err(refused)?;
        let account = self.account;
        self.act(|w| quota::within(w, account, |w| acting::append(w, to, staged, replaces)))
    }

    fn quota(&self) -> Result<Vec<(&'static str, u64, u64)>> {
        let Some((limits, used)) = self.used()? else { return Ok(Vec::new()) };
        let storage = limits.octets.map(|limit| ("STORAGE", used.octets.div_ceil(1_024), limit / 1_024));
        let count = limits.messages.map(|limit| ("MESSAGE", used.messages, limit));
        Ok(storage.into_iter().chain(count).collect())
    }
}
