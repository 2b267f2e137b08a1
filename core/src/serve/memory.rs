//! Mail in memory: for tests, demonstrations, and as the plainest statement of what a [`Backend`] owes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use super::backend::*;
use crate::flags::{FlagSet, Flags};
use crate::ids::MailboxId;
use crate::imap::command::StoreAction;
use crate::limits::Limits;
use crate::message::{Description, describe, read_message};
use crate::sasl::server::Verifier;
use crate::set::UidSet;
use crate::wire::text_size;

/// Users with mail in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryUsers {
    users: Arc<Mutex<BTreeMap<String, (Verifier, MemoryMail)>>>,
}

impl MemoryUsers {
    /// Adds a user with an INBOX, and gives that user's mail.
    pub fn add(&self, user: &str, verifier: Verifier) -> MemoryMail {
        let mail = MemoryMail::new();
        locked(&self.users).insert(user.to_owned(), (verifier, mail.clone()));
        mail
    }
}

impl Users for MemoryUsers {
    type Backend = MemoryMail;

    fn verifier(&self, user: &str) -> Option<Verifier> {
        locked(&self.users).get(user).map(|(verifier, _)| verifier.clone())
    }

    fn open(&self, user: &str) -> Result<MemoryMail> {
        let users = locked(&self.users);
        users.get(user).map(|(_, mail)| mail.clone()).ok_or(Refusal::Failed("no such user".into()))
    }
}

/// One user's mail. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryMail {
    state: Arc<Mutex<State>>,
    maildrop: MaildropLock,
}

#[derive(Debug, Default)]
struct State {
    mailboxes: BTreeMap<u32, Held>,
    subscriptions: BTreeMap<String, ()>,
    next_mailbox: u32,
    next_email: u64,
    revision: u64,
    wall_ms: i64,
    limit: Option<u64>,
    message_limit: Option<u64>,
    forgotten: u64,
}

#[derive(Debug, Default)]
struct Held {
    name: String,
    special_use: Vec<String>,
    uid_validity: u32,
    uid_next: u32,
    modseq: u64,
    /// The first UID that no session has been told of.
    recent: u32,
    messages: BTreeMap<u32, Message>,
    /// When each went.
    expunged: Vec<(u64, u32)>,
}

#[derive(Debug, Clone)]
struct Message {
    raw: Arc<Vec<u8>>,
    text_size: u64,
    description: Arc<Description>,
    flags: FlagSet,
    modseq: u64,
    internal_date: i64,
    save_date: i64,
    email_id: String,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic left is still whole: every change here is one step.
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Default for MemoryMail {
    fn default() -> MemoryMail {
        MemoryMail::new()
    }
}

impl MemoryMail {
    /// With an empty INBOX.
    pub fn new() -> MemoryMail {
        let mut state = State { next_mailbox: 1, ..State::default() };
        state.make("INBOX", &[]);
        MemoryMail { state: Arc::new(Mutex::new(state)), maildrop: MaildropLock::default() }
    }

    /// What time it is for save dates, in milliseconds since 1970.
    pub fn set_wall(&self, wall_ms: i64) {
        locked(&self.state).wall_ms = wall_ms;
    }

    /// A quota in octets.
    pub fn set_limit(&self, octets: u64) {
        locked(&self.state).limit = Some(octets);
    }

    /// A quota in messages.
    pub fn set_message_limit(&self, messages: u64) {
        locked(&self.state).message_limit = Some(messages);
    }

    /// Forgets which messages went up to now, as a store may.
    pub fn forget_expunges(&self) {
        let mut state = locked(&self.state);
        for held in state.mailboxes.values_mut() {
            held.expunged.clear();
        }
        state.forgotten = state.revision;
    }
}

impl State {
    fn make(&mut self, name: &str, special_use: &[String]) -> MailboxId {
        let id = self.next_mailbox;
        self.next_mailbox += 1;
        self.revision += 1;
        let held = Held {
            name: name.to_owned(),
            special_use: special_use.to_vec(),
            uid_validity: 1_000 + id,
            uid_next: 1,
            modseq: 1,
            ..Held::default()
        };
        self.mailboxes.insert(id, held);
        MailboxId(id)
    }

    /// Makes what is missing above a name.
    fn make_above(&mut self, name: &str) {
        for (at, _) in name.match_indices('/') {
            if self.named(&name[..at]).is_none() {
                self.make(&name[..at], &[]);
            }
        }
    }

    fn held(&self, id: MailboxId) -> Result<&Held> {
        self.mailboxes.get(&id.0).ok_or(Refusal::Nonexistent)
    }

    fn held_mut(&mut self, id: MailboxId) -> Result<&mut Held> {
        self.revision += 1;
        self.mailboxes.get_mut(&id.0).ok_or(Refusal::Nonexistent)
    }

    fn message(&self, id: MailboxId, uid: u32) -> Option<&Message> {
        self.mailboxes.get(&id.0)?.messages.get(&uid)
    }

    fn named(&self, name: &str) -> Option<MailboxId> {
        self.mailboxes.iter().find(|(_, held)| held.name == name).map(|(id, _)| MailboxId(*id))
    }

    /// Octets, and messages.
    fn usage(&self) -> (u64, u64) {
        let all = self.mailboxes.values().flat_map(|held| held.messages.values());
        all.fold((0, 0), |(octets, count), message| (octets + message.raw.len() as u64, count + 1))
    }

    /// Whether messages of these sizes may come, where one that is here goes for them.
    fn room_for(
        &self,
        sizes: impl IntoIterator<Item = u64>,
        replaces: Option<(MailboxId, u32)>,
    ) -> Result<()> {
        let going = replaces.and_then(|(mailbox, uid)| self.message(mailbox, uid));
        let (octets, messages) = self.usage();
        let (more, count) = sizes.into_iter().fold((0, 0), |(all, count), size| (all + size, count + 1));
        let after = octets + more - going.map_or(0, |message| message.raw.len() as u64);
        let count_after = messages + count - u64::from(going.is_some());
        // What is beyond a limit already may still become less.
        let over = |limit: Option<u64>, before: u64, after: u64| {
            limit.is_some_and(|limit| after > limit && after > before)
        };
        match over(self.limit, octets, after) || over(self.message_limit, messages, count_after) {
            true => Err(Refusal::OverQuota),
            false => Ok(()),
        }
    }
}

impl Held {
    fn put(&mut self, mut message: Message, modseq: u64) -> u32 {
        let uid = self.uid_next;
        self.uid_next += 1;
        message.modseq = modseq;
        self.modseq = modseq;
        self.messages.insert(uid, message);
        uid
    }

    fn take(&mut self, uids: impl IntoIterator<Item = u32>) -> UidSet {
        let modseq = self.modseq + 1;
        let gone: UidSet = uids.into_iter().filter(|uid| self.messages.remove(uid).is_some()).collect();
        if !gone.is_empty() {
            self.modseq = modseq;
            self.expunged.extend(gone.iter().map(|uid| (modseq, uid)));
        }
        gone
    }

    fn row(uid: u32, message: &Message) -> Row {
        Row { uid, modseq: message.modseq, flags: message.flags.clone() }
    }
}

impl Backend for MemoryMail {
    type Upload = Vec<u8>;
    type Content = Arc<Vec<u8>>;
    type Maildrop = MaildropGuard;

    fn revision(&self) -> u64 {
        locked(&self.state).revision
    }

    fn mailboxes(&self) -> Result<Vec<Mailbox>> {
        let state = locked(&self.state);
        let mut list: Vec<Mailbox> = state
            .mailboxes
            .iter()
            .map(|(id, held)| Mailbox {
                id: Some(MailboxId(*id)),
                name: held.name.clone(),
                subscribed: state.subscriptions.contains_key(&held.name),
                special_use: held.special_use.clone(),
            })
            .collect();
        for name in state.subscriptions.keys().filter(|name| state.named(name).is_none()) {
            list.push(Mailbox { id: None, name: name.clone(), subscribed: true, special_use: Vec::new() });
        }
        Ok(list)
    }

    fn status(&self, mailbox: MailboxId) -> Result<Status> {
        let state = locked(&self.state);
        let held = state.held(mailbox)?;
        let with = |flag: Flags| held.messages.values().filter(move |m| m.flags.flags.contains(flag));
        let size = |m: &Message| m.raw.len() as u64;
        let mut flags = FlagSet::default();
        for message in held.messages.values() {
            message.flags.wire_words().for_each(|word| flags.insert_wire(word.as_bytes()));
        }
        Ok(Status {
            uid_validity: held.uid_validity,
            uid_next: held.uid_next,
            highest_modseq: held.modseq,
            messages: held.messages.len() as u32,
            recent: held.messages.range(held.recent..).count() as u32,
            unseen: (held.messages.len() - with(Flags::SEEN).count()) as u32,
            deleted: with(Flags::DELETED).count() as u32,
            size: held.messages.values().map(size).sum(),
            deleted_size: with(Flags::DELETED).map(size).sum(),
            object_id: format!("F{}", mailbox.0),
            flags,
        })
    }

    fn create(&self, name: &str, special_use: &[String]) -> Result<MailboxId> {
        let mut state = locked(&self.state);
        if state.named(name).is_some() {
            return Err(Refusal::AlreadyExists);
        }
        let known = ["\\archive", "\\drafts", "\\junk", "\\sent", "\\trash", "\\flagged"];
        if special_use.iter().any(|word| !known.contains(&word.to_ascii_lowercase().as_str())) {
            return Err(Refusal::UseAttr);
        }
        state.make_above(name);
        Ok(state.make(name, special_use))
    }

    fn delete(&self, mailbox: MailboxId) -> Result<()> {
        let mut state = locked(&self.state);
        if state.held(mailbox)?.name == "INBOX" {
            return Err(Refusal::Cannot("INBOX stays"));
        }
        state.revision += 1;
        state.mailboxes.remove(&mailbox.0);
        Ok(())
    }

    fn rename(&self, mailbox: MailboxId, to: &str) -> Result<()> {
        let mut state = locked(&self.state);
        let from = state.held(mailbox)?.name.clone();
        if state.named(to).is_some() {
            return Err(Refusal::AlreadyExists);
        }
        let below = format!("{from}/");
        if to.starts_with(&below) {
            return Err(Refusal::Cannot("a mailbox cannot go below itself"));
        }
        state.revision += 1;
        state.make_above(to);
        if from == "INBOX" {
            let target = state.make(to, &[]);
            let source = state.held_mut(mailbox)?;
            let messages: Vec<Message> = source.messages.values().cloned().collect();
            let uids: Vec<u32> = source.messages.keys().copied().collect();
            source.take(uids);
            let target = state.held_mut(target)?;
            let modseq = target.modseq + 1;
            for message in messages {
                target.put(message, modseq);
            }
            return Ok(());
        }
        for held in state.mailboxes.values_mut() {
            if held.name == from {
                held.name = to.to_owned();
            } else if let Some(rest) = held.name.strip_prefix(&below) {
                held.name = format!("{to}/{rest}");
            }
        }
        Ok(())
    }

    fn subscribe(&self, name: &str, subscribed: bool) -> Result<()> {
        let mut state = locked(&self.state);
        state.revision += 1;
        match subscribed {
            true => drop(state.subscriptions.insert(name.to_owned(), ())),
            false => drop(state.subscriptions.remove(name)),
        }
        Ok(())
    }

    fn rows(&self, mailbox: MailboxId, from: u32, most: usize) -> Result<Vec<Row>> {
        let state = locked(&self.state);
        let rows = state.held(mailbox)?.messages.range(from..).take(most);
        Ok(rows.map(|(uid, message)| Held::row(*uid, message)).collect())
    }

    fn changes(&self, mailbox: MailboxId, since: u64) -> Result<Changes> {
        let state = locked(&self.state);
        let held = state.held(mailbox)?;
        let changed = held.messages.iter().filter(|(_, message)| message.modseq > since);
        Ok(Changes {
            rows: changed.map(|(uid, message)| Held::row(*uid, message)).collect(),
            expunged: held
                .expunged
                .iter()
                .filter(|(modseq, _)| *modseq > since)
                .map(|(_, uid)| *uid)
                .collect(),
            modseq: held.modseq,
            complete: state.forgotten == 0 || since >= held.modseq,
        })
    }

    fn recent(&self, mailbox: MailboxId, claim: bool) -> Result<u32> {
        let mut state = locked(&self.state);
        let held = state.mailboxes.get_mut(&mailbox.0).ok_or(Refusal::Nonexistent)?;
        let first = held.recent;
        if claim {
            held.recent = held.uid_next;
        }
        Ok(first)
    }

    fn facts(&self, mailbox: MailboxId, uid: u32) -> Result<Option<Facts>> {
        let state = locked(&self.state);
        Ok(state.message(mailbox, uid).map(|message| Facts {
            size: message.raw.len() as u64,
            internal_date: message.internal_date,
            save_date: Some(message.save_date),
            email_id: message.email_id.clone(),
            thread_id: None,
        }))
    }

    fn description(&self, mailbox: MailboxId, uid: u32) -> Result<Option<Arc<Description>>> {
        Ok(locked(&self.state).message(mailbox, uid).map(|message| message.description.clone()))
    }

    fn content(&self, mailbox: MailboxId, uid: u32) -> Result<Option<Arc<Vec<u8>>>> {
        Ok(locked(&self.state).message(mailbox, uid).map(|message| message.raw.clone()))
    }

    fn read<'c>(&self, content: &'c Arc<Vec<u8>>, octets: Range<u64>) -> Result<Cow<'c, [u8]>> {
        let end = octets.end.min(content.len() as u64) as usize;
        let start = (octets.start as usize).min(end);
        Ok(Cow::Borrowed(&content[start..end]))
    }

    fn text_size(&self, mailbox: MailboxId, uid: u32) -> Result<Option<u64>> {
        Ok(locked(&self.state).message(mailbox, uid).map(|message| message.text_size))
    }

    fn lock_maildrop(&self) -> Result<MaildropGuard> {
        self.maildrop.lock()
    }

    fn preview(&self, mailbox: MailboxId, uid: u32) -> Result<Option<String>> {
        let raw = locked(&self.state).message(mailbox, uid).map(|message| message.raw.clone());
        Ok(raw.map(|raw| read_message(&raw, &Limits::DEFAULT).summary.preview))
    }

    fn store(&self, mailbox: MailboxId, uids: &UidSet, change: &FlagChange<'_>) -> Result<Stored> {
        let mut state = locked(&self.state);
        let held = state.held_mut(mailbox)?;
        let modseq = held.modseq + 1;
        let mut stored = Stored::default();
        for (uid, message) in held.messages.iter_mut().filter(|(uid, _)| uids.contains(**uid)) {
            if change.unchanged_since.is_some_and(|since| message.modseq > since) {
                stored.modified.insert(*uid);
                continue;
            }
            let flags = changed(&message.flags, change);
            if flags != message.flags {
                message.flags = flags;
                message.modseq = modseq;
                stored.modseq = modseq;
            }
        }
        held.modseq = held.modseq.max(stored.modseq);
        Ok(stored)
    }

    fn expunge(&self, mailbox: MailboxId, uids: Option<&UidSet>) -> Result<UidSet> {
        let mut state = locked(&self.state);
        let held = state.held_mut(mailbox)?;
        let deleted = held.messages.iter().filter(|(_, m)| m.flags.flags.contains(Flags::DELETED));
        let going: Vec<u32> =
            deleted.map(|(uid, _)| *uid).filter(|uid| uids.is_none_or(|uids| uids.contains(*uid))).collect();
        Ok(held.take(going))
    }

    fn copy(&self, from: MailboxId, uids: &UidSet, to: MailboxId, remove: bool) -> Result<Copied> {
        let mut state = locked(&self.state);
        let source = state.held(from)?;
        let going: Vec<(u32, Message)> = source
            .messages
            .iter()
            .filter(|(uid, _)| uids.contains(**uid))
            .map(|(uid, message)| (*uid, message.clone()))
            .collect();
        if !remove {
            state.room_for(going.iter().map(|(_, message)| message.raw.len() as u64), None)?;
        }
        let wall_ms = state.wall_ms;
        let target = state.held_mut(to)?;
        let modseq = target.modseq + 1;
        let mut copied = Copied { uid_validity: target.uid_validity, ..Copied::default() };
        for (uid, mut message) in going {
            message.save_date = wall_ms;
            copied.source.insert(uid);
            copied.target.insert(target.put(message, modseq));
        }
        if remove {
            let gone: Vec<u32> = copied.source.iter().collect();
            state.held_mut(from)?.take(gone);
        }
        Ok(copied)
    }

    fn begin_upload(
        &self,
        _to: MailboxId,
        octets: u64,
        replaces: Option<(MailboxId, u32)>,
    ) -> Result<Vec<u8>> {
        locked(&self.state).room_for([octets], replaces).map(|()| Vec::new())
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
        let mut state = locked(&self.state);
        state.room_for(messages.iter().map(|message| message.upload.len() as u64), replaces)?;
        let wall_ms = state.wall_ms;
        let mut email = state.next_email;
        state.next_email += messages.len() as u64;
        let target = state.held_mut(to)?;
        let modseq = target.modseq + 1;
        let mut copied = Copied { uid_validity: target.uid_validity, ..Copied::default() };
        for message in messages {
            email += 1;
            let message = Message {
                description: Arc::new(describe(&message.upload, &Limits::DEFAULT)),
                text_size: text_size(&message.upload),
                raw: Arc::new(message.upload),
                flags: message.flags,
                modseq,
                internal_date: message.internal_date,
                save_date: wall_ms,
                email_id: format!("M{email}"),
            };
            copied.target.insert(target.put(message, modseq));
        }
        if let Some((mailbox, uid)) = replaces {
            state.held_mut(mailbox)?.take([uid]);
        }
        Ok(copied)
    }

    fn quota(&self) -> Result<Vec<(&'static str, u64, u64)>> {
        let state = locked(&self.state);
        let (octets, messages) = state.usage();
        let storage = state.limit.map(|limit| ("STORAGE", octets.div_ceil(1_024), limit / 1_024));
        let count = state.message_limit.map(|limit| ("MESSAGE", messages, limit));
        Ok(storage.into_iter().chain(count).collect())
    }
}

/// Flags after a change.
pub(super) fn changed(flags: &FlagSet, change: &FlagChange<'_>) -> FlagSet {
    let mut after = FlagSet::new(match change.action {
        StoreAction::Replace => change.flags.flags,
        StoreAction::Add => flags.flags.union(change.flags.flags),
        StoreAction::Remove => flags.flags.difference(change.flags.flags),
    });
    let named = |words: &[String], word: &str| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    let keep = |word: &&String| match change.action {
        StoreAction::Replace => named(change.flags.keywords(), word),
        StoreAction::Add => true,
        StoreAction::Remove => !named(change.flags.keywords(), word),
    };
    flags.keywords().iter().filter(keep).for_each(|word| after.insert_wire(word.as_bytes()));
    if change.action != StoreAction::Remove {
        change.flags.keywords().iter().for_each(|word| after.insert_wire(word.as_bytes()));
    }
    after
}
