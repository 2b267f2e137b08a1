//! The whole truth of a server, for a test to judge what clients did to the mail.
//!
//! A message is known by its token: what its `X-Token` field says, or its Message-ID, or a hash of it.
//! Copies have the token of what they are copies of.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::super::mail::field;
use super::ModelServer;

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The test, through a method: another client.
    Other,
    /// A session by its number, from 1.
    Session(u64),
}

/// How a message got in or out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    Delivered,
    Appended,
    Copied,
    Moved,
    Expunged,
    MovedAway,
    MailboxDeleted,
}

impl How {
    pub fn is_in(&self) -> bool {
        matches!(self, How::Delivered | How::Appended | How::Copied | How::Moved)
    }
}

/// A message was put in or taken out.
#[derive(Debug, Clone)]
pub struct Event {
    pub token: String,
    pub mailbox: String,
    pub uid_validity: u32,
    pub uid: u32,
    pub how: How,
    pub by: By,
}

#[derive(Debug, Clone)]
pub struct AuditMessage {
    pub uid: u32,
    pub token: String,
    pub hash: u64,
    pub flags: BTreeSet<String>,
    pub internal_ms: i64,
    pub raw: Rc<Vec<u8>>,
}

#[derive(Debug, Clone)]
pub struct AuditMailbox {
    pub name: String,
    pub uid_validity: u32,
    pub uid_next: u32,
    pub modseq: u64,
    pub subscribed: bool,
    pub selectable: bool,
    pub special_use: Option<&'static str>,
    /// By UID.
    pub messages: Vec<AuditMessage>,
}

/// Everything there is, and everything that came and went.
#[derive(Debug, Clone)]
pub struct Audit {
    /// By name.
    pub mailboxes: BTreeMap<String, AuditMailbox>,
    /// Oldest first.
    pub history: Vec<Event>,
}

impl Audit {
    /// Where a message and its copies are: mailbox and UID.
    pub fn places(&self, token: &str) -> Vec<(String, u32)> {
        let all = self.mailboxes.values().flat_map(|b| b.messages.iter().map(move |m| (b, m)));
        all.filter(|(_, m)| m.token == token).map(|(b, m)| (b.name.clone(), m.uid)).collect()
    }

    /// Every token that was ever put in.
    pub fn tokens(&self) -> BTreeSet<String> {
        self.history.iter().filter(|e| e.how.is_in()).map(|e| e.token.clone()).collect()
    }

    /// Messages that were put in once and are nowhere now. Whether they may be is for the test to say:
    /// [`Audit::story`] tells who took them out.
    pub fn missing(&self) -> BTreeSet<String> {
        self.tokens().into_iter().filter(|t| self.places(t).is_empty()).collect()
    }

    /// Messages that are in more than one place, or twice in one.
    pub fn doubled(&self) -> BTreeMap<String, Vec<(String, u32)>> {
        let places = self.tokens().into_iter().map(|t| (self.places(&t), t));
        places.filter(|(p, _)| p.len() > 1).map(|(p, t)| (t, p)).collect()
    }

    /// What happened to a message.
    pub fn story(&self, token: &str) -> Vec<&Event> {
        self.history.iter().filter(|e| e.token == token).collect()
    }
}

/// What a message is known by.
pub fn token(raw: &[u8]) -> String {
    let named = field(raw, "X-Token").or_else(|| field(raw, "Message-ID")).filter(|t| !t.is_empty());
    named.unwrap_or_else(|| format!("hash {:016x}", hash(raw)))
}

/// A hash that tells messages apart (FNV-1a).
pub fn hash(raw: &[u8]) -> u64 {
    raw.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

impl ModelServer {
    pub fn audit(&self) -> Audit {
        let world = self.look();
        let mut mailboxes = BTreeMap::new();
        for folder in &world.boxes {
            let message = |m: &super::Held| AuditMessage {
                uid: m.uid,
                token: token(&m.raw),
                hash: hash(&m.raw),
                flags: m.flags.clone(),
                internal_ms: m.internal_ms,
                raw: m.raw.clone(),
            };
            let mailbox = AuditMailbox {
                name: folder.name.clone(),
                uid_validity: folder.uid_validity,
                uid_next: folder.uid_next,
                modseq: folder.modseq,
                subscribed: folder.subscribed,
                selectable: folder.selectable,
                special_use: folder.special_use,
                messages: folder.held.iter().map(message).collect(),
            };
            mailboxes.insert(folder.name.clone(), mailbox);
        }
        Audit { mailboxes, history: world.history.clone() }
    }

    /// What must hold of a server at any time: UIDs ascend and are below UIDNEXT, mod-sequences are of
    /// the mailbox, names and UIDVALIDITYs are unlike each other.
    #[track_caller]
    pub fn assert_sound(&self) {
        let world = self.look();
        let names: BTreeSet<&str> = world.boxes.iter().map(|b| b.name.as_str()).collect();
        assert_eq!(names.len(), world.boxes.len(), "two mailboxes of one name");
        let double = world.ghosts.iter().find(|g| names.contains(g.as_str()));
        assert_eq!(double, None, "a name is subscribed to once, by its mailbox where it has one");
        for folder in &world.boxes {
            let name = &folder.name;
            assert!(folder.held.windows(2).all(|w| w[0].uid < w[1].uid), "{name}: UIDs ascend");
            assert!(folder.held.iter().all(|m| m.uid < folder.uid_next), "{name}: UIDNEXT is above");
            assert!(folder.held.iter().all(|m| m.modseq <= folder.modseq), "{name}: HIGHESTMODSEQ");
            assert!(folder.gone.windows(2).all(|w| w[0].1 < w[1].1), "{name}: expunges have an order");
        }
    }
}
