//! One device: a disk that can lose power, the engine on it, and connections that break.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mailkeep::flags::FlagSet;
use mailkeep::{
    MailboxId, MailboxInfo, MailboxKind, MessageId, MessageRow, Operation, OperationId, OperationKind,
};

use super::ledger::Deed;
use crate::support::host::{Host, open_quick};
use crate::support::mail::field;
use crate::support::model::token;
use crate::support::{Disk, FarSide, Peer};

/// Which device each session of the server is of, in order.
pub type Owners = Rc<RefCell<Vec<usize>>>;

/// What a person saw of a message when they last did something to it.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// It is to be here, with these flags. Of one that is between two mailboxes the flags are not known.
    Shown(MailboxId, Option<FlagSet>),
    Gone,
}

pub struct Device {
    pub number: usize,
    pub disk: Disk,
    /// None while the power is off.
    host: Option<Host>,
    pub wishes: BTreeMap<MessageId, (String, Wish)>,
    /// What was done to which messages since the last whole sync.
    pub undone: BTreeMap<String, BTreeSet<Deed>>,
    /// What others did to which messages since then.
    pub unseen: BTreeMap<String, BTreeSet<Deed>>,
    /// Mailboxes that something is to be moved or copied into.
    pub targets: BTreeSet<MailboxId>,
    /// How often the program began.
    pub starts: u32,
    /// Operations that were set aside at any time.
    pub set_aside: BTreeSet<OperationId>,
}

impl Device {
    pub fn new(number: usize, base: &[u8], server: &Rc<dyn FarSide>, owners: &Owners) -> Device {
        let mut device = Device {
            number,
            disk: Disk::holding(base.to_vec()),
            host: None,
            wishes: BTreeMap::new(),
            undone: BTreeMap::new(),
            unseen: BTreeMap::new(),
            targets: BTreeSet::new(),
            starts: 0,
            set_aside: BTreeSet::new(),
        };
        device.start(server, owners);
        device
    }

    /// Opens what is on the disk.
    fn start(&mut self, server: &Rc<dyn FarSide>, owners: &Owners) {
        let engine = open_quick(self.disk.clone()).expect("what a power loss left opens");
        let (far, owners, number) = (server.clone(), owners.clone(), self.number);
        let sessions = move || -> Box<dyn Peer> {
            owners.borrow_mut().push(number);
            far.peer()
        };
        self.starts += 1;
        self.host = Some(Host::with_sessions(engine, &**server, sessions));
    }

    pub fn host(&mut self) -> &mut Host {
        self.host.as_mut().expect("the power is on")
    }

    pub fn see(&self) -> &Host {
        self.host.as_ref().expect("the power is on")
    }

    /// The power goes and comes back. What was written since the last sync of the disk is there in part.
    pub fn crash(&mut self, seed: u64, server: &Rc<dyn FarSide>, owners: &Owners) {
        let now = self.host().now;
        self.host = None;
        self.disk = self.disk.after_crash(seed);
        self.start(server, owners);
        self.host().now = now;
    }

    /// The program is ended, and begun again.
    pub fn restart(&mut self, server: &Rc<dyn FarSide>, owners: &Owners) {
        let now = self.host().now;
        self.host = None;
        self.start(server, owners);
        self.host().now = now;
    }

    pub fn mailboxes(&self) -> Vec<MailboxInfo> {
        let host = self.see();
        host.engine.mailboxes(host.account).expect("mailboxes")
    }

    pub fn rows(&self, mailbox: MailboxId) -> Vec<MessageRow> {
        self.see().engine.messages(mailbox, None, 200).expect("a page").rows
    }

    /// Every message that is shown.
    pub fn all_rows(&self) -> Vec<MessageRow> {
        self.mailboxes().iter().flat_map(|m| self.rows(m.id)).collect()
    }

    /// The token of a message: of its bytes where they are here, else what its subject says.
    pub fn token(&self, row: &MessageRow) -> String {
        match self.see().engine.body(row.id, 0, 400).expect("a body") {
            Some(raw) if field(&raw, "X-Token").is_some() => token(&raw),
            _ => token_of_subject(&row.summary.subject),
        }
    }

    /// Tokens in mailboxes of this device alone.
    pub fn local_tokens(&self) -> Vec<String> {
        let local = self.mailboxes().into_iter().filter(|m| m.kind == MailboxKind::Local);
        let rows: Vec<_> = local.flat_map(|m| self.rows(m.id)).collect();
        rows.iter().map(|row| self.token(row)).collect()
    }

    pub fn seen(&self, id: MessageId) -> Wish {
        let engine = &self.see().engine;
        let Ok(message) = engine.message(id) else { return Wish::Gone };
        let moves = |o: &Operation| matches!(o.kind, OperationKind::Move { message, .. } if message == id);
        let under_way = message.row.uid == 0 && engine.pending(None).expect("the journal").iter().any(moves);
        Wish::Shown(message.row.mailbox, (!under_way).then_some(message.row.flags))
    }

    /// What is seen of a message now is what the person wants.
    pub fn wish(&mut self, id: MessageId, token: &str) {
        let wish = self.seen(id);
        self.wishes.insert(id, (token.to_owned(), wish));
    }
}

pub fn token_of_subject(subject: &str) -> String {
    format!("t{}", subject.rsplit(' ').next().unwrap_or_default())
}

/// A message with a token of its own.
pub fn letter(number: u32) -> Vec<u8> {
    let mut raw = format!("X-Token: t{number}\r\n").into_bytes();
    raw.extend(crate::support::mail(number));
    raw
}
