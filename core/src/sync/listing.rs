//! The list of mailboxes: LIST, LSUB and STATUS gathered into facts.

use hashbrown::{HashMap, HashSet};

use crate::error::{Error, Result};
use crate::event::Event;
use crate::imap::command::{Command, StatusItem};
use crate::imap::mailbox_name;
use crate::imap::response::{self, ListEntry, MailboxStatus, Status};
use crate::limits::Limits;
use crate::model::Namespace;
use crate::store::batch::{AccountFact, MailboxFact, Op, Settled};
use crate::store::query;
use crate::sync::pass::Phase;
use crate::sync::{Driver, Next, Purpose, roles};

/// STATUS commands in flight at a time: about fifty break Exchange.
const STATUS_AT_ONCE: usize = 20;

/// What has come of the list.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    entries: Vec<MailboxFact>,
    /// Place in `entries` by name.
    places: HashMap<Vec<u8>, usize>,
    statuses: HashMap<Vec<u8>, StatusNumbers>,
    subscribed: HashSet<Vec<u8>>,
    /// A line could not be read: what is not listed may be there all the same.
    pub(crate) doubtful: bool,
    /// Names whose STATUS is still to be asked.
    to_ask: Vec<Vec<u8>>,
    /// STATUS was asked for with the list: what is missing of it then is not to be had.
    with_status: bool,
}

/// A STATUS answer's numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StatusNumbers {
    pub(crate) messages: Option<u32>,
    pub(crate) uid_next: Option<u32>,
    pub(crate) uid_validity: Option<u32>,
    pub(crate) unseen: Option<u32>,
    pub(crate) highest_modseq: Option<u64>,
}

impl StatusNumbers {
    /// The numbers by which a mailbox may be skipped: all of them, and a mod-sequence that counts.
    pub(crate) fn settled(&self) -> Option<Settled> {
        Some(Settled {
            messages: self.messages?,
            uid_next: self.uid_next?,
            uid_validity: self.uid_validity?,
            unseen: self.unseen?,
            highest_modseq: self.highest_modseq.filter(|m| *m != 0)?,
        })
    }
}

/// INBOX in any case is one name.
fn key(name: &[u8]) -> Vec<u8> {
    if name.eq_ignore_ascii_case(b"INBOX") { b"INBOX".to_vec() } else { name.to_vec() }
}

impl Listing {
    pub(crate) fn entry(&mut self, entry: &ListEntry<'_>, limits: &Limits) -> Result<()> {
        let wire_name = entry.mailbox.bytes().into_owned();
        if wire_name.len() > limits.mailbox_name || wire_name.is_empty() {
            return Ok(());
        }
        if self.entries.len() >= limits.mailboxes {
            return Err(Error::Protocol(format!("more than {} mailboxes", limits.mailboxes)));
        }
        let attributes = &entry.attributes;
        if attributes.contains("\\NonExistent") {
            return Ok(());
        }
        let name = mailbox_name::decode(&wire_name, false);
        let role = if name.eq_ignore_ascii_case("INBOX") {
            roles::from_name(&name, None)
        } else {
            roles::from_attributes(attributes)
        };
        if self.places.contains_key(&key(&wire_name)) {
            return Ok(());
        }
        self.places.insert(key(&wire_name), self.entries.len());
        self.entries.push(MailboxFact {
            role,
            name,
            delimiter: entry.delimiter,
            selectable: !attributes.contains("\\Noselect"),
            subscribed: attributes.contains("\\Subscribed").then_some(true),
            wire_name,
            ..MailboxFact::default()
        });
        Ok(())
    }

    pub(crate) fn subscribed(&mut self, entry: &ListEntry<'_>) {
        let name = key(&entry.mailbox.bytes());
        if self.places.contains_key(&name) {
            self.subscribed.insert(name);
        }
    }

    pub(crate) fn status(&mut self, status: &MailboxStatus<'_>) {
        let numbers = StatusNumbers {
            messages: status.messages,
            uid_next: status.uid_next,
            uid_validity: status.uid_validity,
            unseen: status.unseen,
            highest_modseq: status.highest_modseq,
        };
        let name = key(&status.mailbox.bytes());
        // Only what was listed is kept: a server cannot fill memory with others.
        let Some(entry) = self.places.get(&name).and_then(|at| self.entries.get_mut(*at)) else { return };
        if let Some(id) = status.mailbox_id {
            entry.mailbox_id = Some(String::from_utf8_lossy(id).into_owned());
        }
        self.statuses.insert(name, numbers);
    }

    pub(crate) fn numbers(&self, wire_name: &[u8]) -> Option<StatusNumbers> {
        self.statuses.get(&key(wire_name)).copied()
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The facts, each with its role, subscription and UIDVALIDITY filled in.
    fn facts(&mut self) -> Vec<MailboxFact> {
        let mut facts = std::mem::take(&mut self.entries);
        self.places.clear();
        facts.sort_by(|a, b| a.wire_name.cmp(&b.wire_name));
        let mut taken: Vec<_> = facts.iter().filter_map(|f| f.role).collect();
        for fact in &mut facts {
            fact.uid_validity = self.statuses.get(&key(&fact.wire_name)).and_then(|s| s.uid_validity);
            let listed = self.subscribed.contains(&key(&fact.wire_name));
            fact.subscribed = Some(fact.subscribed.unwrap_or(listed));
            if fact.role.is_none()
                && let Some(role) = roles::from_name(&fact.name, fact.delimiter)
                && !taken.contains(&role)
            {
                taken.push(role);
                fact.role = Some(role);
            }
        }
        facts
    }
}

impl Driver {
    pub(super) fn send_list(&mut self) -> Result<()> {
        self.listing = Listing::default();
        let caps = &self.capabilities;
        let extended = caps.list_extended() && !self.pass.as_ref().is_some_and(|p| p.plain_list);
        let mut returns = Vec::new();
        let mut status = Vec::new();
        if extended {
            returns.push("SUBSCRIBED".to_owned());
            if caps.has("SPECIAL-USE") || caps.has("IMAP4REV2") {
                returns.push("SPECIAL-USE".to_owned());
            }
            if caps.list_status() {
                status = self.status_items();
                self.listing.with_status = true;
            }
        }
        let list = Command::List {
            selection: Vec::new(),
            reference: Vec::new(),
            patterns: vec![b"*".to_vec()],
            returns,
            status,
        };
        self.ask_quota()?;
        self.ask_namespace()?;
        self.out.send(&list, Purpose::List { extended })?;
        if !extended {
            let lsub = Command::Lsub { reference: Vec::new(), pattern: b"*".to_vec() };
            self.out.send(&lsub, Purpose::Lsub)?;
        }
        Ok(())
    }

    /// Asks once where the user's own mailboxes are: what is made here is made there.
    fn ask_namespace(&mut self) -> Result<()> {
        let known = query::account(&self.store.read()?.tables, self.account)?.namespace.is_some();
        if known || !self.capabilities.has("NAMESPACE") {
            return Ok(());
        }
        self.out.send(&Command::Namespace, Purpose::Aside)
    }

    pub(super) fn learn_namespace(&mut self, namespace: &response::Namespace<'_>) {
        let Some((prefix, delimiter)) = &namespace.personal else { return };
        let prefix = mailbox_name::decode(&prefix.bytes(), false);
        if prefix.len() > self.limits.mailbox_name {
            return;
        }
        let namespace = Some(Namespace { prefix, delimiter: delimiter.map(char::from) });
        self.batch.push(Op::Account(AccountFact { namespace, ..AccountFact::default() }));
    }

    pub(super) fn status_items(&self) -> Vec<StatusItem> {
        // Not MAILBOXID: Cyrus 3.6 sends random octets for it here; SELECT tells it.
        let mut items =
            vec![StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity, StatusItem::Unseen];
        if self.capabilities.condstore() {
            items.push(StatusItem::HighestModSeq);
        }
        items
    }

    pub(super) fn list_answered(&mut self, extended: bool, ok: bool, status: &Status<'_>) -> Result<()> {
        if !ok && extended {
            // Advertised and refused: some servers know only the plain form.
            if let Some(pass) = &mut self.pass {
                pass.plain_list = true;
            }
            return self.send_list();
        }
        if !ok {
            let text = crate::imap::client::login::text_of(status, &self.limits);
            return self.end_pass(Err(Error::Refused(text)));
        }
        if extended { self.list_is_here() } else { Ok(()) }
    }

    pub(super) fn lsub_answered(&mut self) -> Result<()> {
        self.list_is_here()
    }

    /// The names are known; their numbers may be still to be asked.
    fn list_is_here(&mut self) -> Result<()> {
        if self.listing.is_empty() {
            // No server has no INBOX: a list without anything is not believed.
            self.events.push_back(Event::Problem { text: "the server lists no mailbox at all".into() });
            return self.list_complete(false);
        }
        let asked = self.listing.entries.iter().filter(|e| e.selectable);
        let missing: Vec<_> = asked
            .filter(|e| self.listing.numbers(&e.wire_name).is_none())
            .map(|e| e.wire_name.clone())
            .collect();
        // Without mod-sequences a STATUS proves nothing; it is asked only to tell a rename.
        let wanted = if self.capabilities.condstore() { true } else { self.names_changed()? };
        if wanted && !missing.is_empty() && !self.listing.with_status {
            self.listing.to_ask = missing;
            return self.ask_statuses();
        }
        self.list_complete(true)
    }

    fn names_changed(&self) -> Result<bool> {
        let known = query::mailboxes(&self.store.read()?.tables, self.account)?;
        let missing = known
            .iter()
            .filter(|(_, m)| m.kind == crate::model::MailboxKind::Server)
            .any(|(_, m)| !self.listing.places.contains_key(&key(&m.wire_name)));
        Ok(missing)
    }

    fn ask_statuses(&mut self) -> Result<()> {
        let waiting = self.out.waiting().filter(|p| matches!(p, Purpose::Status)).count();
        let items = self.status_items();
        for _ in waiting..STATUS_AT_ONCE {
            let Some(mailbox) = self.listing.to_ask.pop() else { break };
            match self.out.send(&Command::Status { mailbox, items: items.clone() }, Purpose::Status) {
                // A name that the protocol cannot carry back tells nothing; the others do.
                Err(Error::Invalid { .. }) => {}
                sent => sent?,
            }
        }
        Ok(())
    }

    pub(super) fn status_answered(&mut self) -> Result<()> {
        self.ask_statuses()?;
        if self.out.waiting().any(|p| matches!(p, Purpose::Status)) {
            return Ok(());
        }
        self.list_complete(true)
    }

    fn list_complete(&mut self, believed: bool) -> Result<()> {
        if believed {
            let facts = self.listing.facts();
            let complete = !self.listing.doubtful;
            self.batch.push(Op::Listed { mailboxes: facts, complete });
        }
        if let Some(pass) = &mut self.pass {
            pass.listed = true;
            if pass.phase == Phase::Listing {
                self.flush(Next::Plan);
            }
        }
        Ok(())
    }
}
