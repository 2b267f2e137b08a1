//! What the own server's store holds, read through its backend, and how it came to be so.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mailkeep::MailboxId;
use mailkeep::message::ContentHasher;
use mailkeep::serve::StoredMail;
use mailkeep::serve::backend::{Backend, Status};

use crate::support::mail::field;
use crate::support::model::audit::{AuditMailbox, AuditMessage, hash};
use crate::support::model::tree::role;
use crate::support::model::{Audit, By, Event, How, token};
use crate::support::snapshot::{MailboxSnapshot, MessageSnapshot, Snapshot};

struct Message {
    token: String,
    raw: Rc<Vec<u8>>,
    internal_ms: i64,
    flags: BTreeSet<String>,
}

struct Folder {
    /// As a person reads it.
    name: String,
    subscribed: bool,
    special_use: Option<&'static str>,
    status: Status,
    /// By UID.
    messages: BTreeMap<u32, Message>,
}

/// The store at the last look.
#[derive(Default)]
pub(super) struct Known {
    folders: BTreeMap<MailboxId, Folder>,
    /// Names that only have others below them, and whether they are subscribed to.
    parents: BTreeMap<String, bool>,
    history: Vec<Event>,
    revision: Option<u64>,
}

impl Known {
    /// The numbers are others now; what happened is remembered.
    pub(super) fn forget(&mut self) {
        self.folders.clear();
        self.revision = None;
    }

    /// Reads what is there, and writes down what came and went by one act. Without one it is the beginning, or nothing
    /// did.
    pub(super) fn look(&mut self, mail: &StoredMail, how: Option<&How>, by: By) {
        let revision = mail.revision();
        if self.revision == Some(revision) {
            return;
        }
        let mut before = std::mem::take(&mut self.folders);
        self.parents.clear();
        let mut gone: Vec<Event> = Vec::new();
        let list = mail.mailboxes().expect("a list");
        for mailbox in &list {
            let Some(id) = mailbox.id else { continue };
            let status = mail.status(id).expect("it is there");
            let mut was = before.remove(&id).map_or_else(BTreeMap::new, |folder| folder.messages);
            let mut messages = BTreeMap::new();
            for row in mail.rows(id, 1, usize::MAX).expect("rows") {
                let flags = row.flags.wire_words().map(str::to_owned).collect();
                let message = match was.remove(&row.uid) {
                    Some(known) => Message { flags, ..known },
                    None => {
                        let message = read(mail, id, row.uid, flags);
                        self.enter(how, by, &mailbox.name, &status, row.uid, &message.token);
                        message
                    }
                };
                messages.insert(row.uid, message);
            }
            gone.extend(went(how, by, &mailbox.name, status.uid_validity, &was));
            let folder = Folder {
                name: mailbox.name.clone(),
                subscribed: mailbox.subscribed,
                special_use: mailbox.special_use.first().and_then(|word| role(word)),
                status,
                messages,
            };
            self.folders.insert(id, folder);
        }
        for folder in before.values() {
            gone.extend(went(how, by, &folder.name, folder.status.uid_validity, &folder.messages));
        }
        self.history.extend(gone);
        let names: BTreeSet<&str> =
            list.iter().filter(|mailbox| mailbox.id.is_some()).map(|mailbox| mailbox.name.as_str()).collect();
        for name in &names {
            for (at, _) in name.match_indices('/').filter(|(at, _)| !names.contains(&name[..*at])) {
                let subscribed = list.iter().any(|m| m.id.is_none() && m.name == name[..at] && m.subscribed);
                self.parents.insert(name[..at].to_owned(), subscribed);
            }
        }
        self.revision = Some(revision);
    }

    fn enter(&mut self, how: Option<&How>, by: By, name: &str, status: &Status, uid: u32, token: &str) {
        if let Some(how) = how {
            assert!(how.is_in(), "{token} came into {name} by what takes messages out");
            let (token, mailbox) = (token.to_owned(), wire(name));
            let event =
                Event { token, mailbox, uid_validity: status.uid_validity, uid, how: how.clone(), by };
            self.history.push(event);
        }
    }

    pub(super) fn audit(&self) -> Audit {
        let mut mailboxes = BTreeMap::new();
        for folder in self.folders.values() {
            let message = |(uid, m): (&u32, &Message)| AuditMessage {
                uid: *uid,
                token: m.token.clone(),
                hash: hash(&m.raw),
                flags: m.flags.clone(),
                internal_ms: m.internal_ms,
                raw: m.raw.clone(),
            };
            let mailbox = AuditMailbox {
                name: wire(&folder.name),
                uid_validity: folder.status.uid_validity,
                uid_next: folder.status.uid_next,
                modseq: folder.status.highest_modseq,
                subscribed: folder.subscribed,
                selectable: true,
                special_use: folder.special_use,
                messages: folder.messages.iter().map(message).collect(),
            };
            mailboxes.insert(mailbox.name.clone(), mailbox);
        }
        for (name, subscribed) in &self.parents {
            let mailbox = AuditMailbox {
                name: wire(name),
                uid_validity: 0,
                uid_next: 0,
                modseq: 0,
                subscribed: *subscribed,
                selectable: false,
                special_use: None,
                messages: Vec::new(),
            };
            mailboxes.insert(mailbox.name.clone(), mailbox);
        }
        Audit { mailboxes, history: self.history.clone() }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let mut mailboxes: Vec<MailboxSnapshot> = self
            .folders
            .values()
            .map(|folder| MailboxSnapshot {
                id: 0,
                name: folder.name.clone(),
                role: None,
                subscribed: folder.subscribed,
                uid_validity: folder.status.uid_validity,
                unseen: folder.status.unseen.into(),
                messages: folder.messages.iter().map(|(uid, message)| seen(*uid, message)).collect(),
            })
            .collect();
        mailboxes.extend(self.parents.iter().map(|(name, subscribed)| MailboxSnapshot {
            id: 0,
            name: name.clone(),
            role: None,
            subscribed: *subscribed,
            uid_validity: 0,
            unseen: 0,
            messages: Vec::new(),
        }));
        mailboxes.sort_by(|a, b| a.name.cmp(&b.name));
        Snapshot { mailboxes }
    }
}

/// A name as it is on the wire.
pub(super) fn wire(name: &str) -> String {
    String::from_utf8(mailkeep::imap::mailbox_name::encode(name, false)).expect("modified UTF-7 is ASCII")
}

fn read(mail: &StoredMail, mailbox: MailboxId, uid: u32, flags: BTreeSet<String>) -> Message {
    let facts = mail.facts(mailbox, uid).expect("facts").expect("it is there");
    let content = mail.content(mailbox, uid).expect("content").expect("it is there");
    let raw = Backend::read(mail, &content, 0..facts.size).expect("its octets").into_owned();
    Message { token: token(&raw), raw: Rc::new(raw), internal_ms: facts.internal_date, flags }
}

/// What was there and is not: how it went follows from how what came did.
fn went(
    how: Option<&How>,
    by: By,
    name: &str,
    uid_validity: u32,
    messages: &BTreeMap<u32, Message>,
) -> Vec<Event> {
    let how = match how {
        None => return Vec::new(),
        Some(How::Moved) => How::MovedAway,
        Some(How::MailboxDeleted) => How::MailboxDeleted,
        Some(_) => How::Expunged,
    };
    let event = |(uid, message): (&u32, &Message)| {
        let (token, mailbox) = (message.token.clone(), wire(name));
        Event { token, mailbox, uid_validity, uid: *uid, how: how.clone(), by }
    };
    messages.iter().map(event).collect()
}

fn seen(uid: u32, message: &Message) -> MessageSnapshot {
    let mut hasher = ContentHasher::new();
    hasher.update(&message.raw);
    MessageSnapshot {
        id: 0,
        uid,
        flags: message.flags.iter().filter(|flag| *flag != "\\Recent").cloned().collect(),
        size: message.raw.len() as u64,
        internal_ms: message.internal_ms,
        subject: field(&message.raw, "Subject").unwrap_or_default(),
        preview: None,
        sha256: Some(hasher.finish().raw),
        raw: Some(message.raw.to_vec()),
    }
}
