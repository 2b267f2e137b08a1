//! A mail server's store, shared by its sessions, which foreign clients change through methods.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeSet;
use std::rc::Rc;

use super::session::Session;

/// What a server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// `IMAP4rev1` alone.
    Bare,
    /// What a plain server of today has, with CONDSTORE.
    Condstore,
    /// And QRESYNC.
    Qresync,
    /// Everything that the client uses.
    Everything,
}

impl Tier {
    pub const ALL: [Tier; 4] = [Tier::Bare, Tier::Condstore, Tier::Qresync, Tier::Everything];

    pub fn capabilities(self) -> &'static str {
        match self {
            Tier::Bare => "IMAP4rev1",
            Tier::Condstore => "IMAP4rev1 SASL-IR AUTH=PLAIN ENABLE CONDSTORE LITERAL+ IDLE UIDPLUS UNSELECT",
            Tier::Qresync => {
                "IMAP4rev1 SASL-IR AUTH=PLAIN ENABLE CONDSTORE QRESYNC LIST-EXTENDED LIST-STATUS IDLE UIDPLUS \
                 UNSELECT"
            }
            Tier::Everything => {
                "IMAP4rev1 SASL-IR AUTH=PLAIN ENABLE CONDSTORE QRESYNC LIST-EXTENDED LIST-STATUS SPECIAL-USE \
                 ESEARCH UIDPLUS MOVE IDLE OBJECTID ID UNSELECT NAMESPACE LITERAL+"
            }
        }
    }
}

/// A message in a mailbox.
#[derive(Debug, Clone)]
pub struct Held {
    pub uid: u32,
    pub flags: BTreeSet<String>,
    pub internal_ms: i64,
    pub raw: Rc<Vec<u8>>,
    pub modseq: u64,
    pub email_id: u64,
}

/// A mailbox.
#[derive(Debug, Clone)]
pub struct Folder {
    pub name: String,
    pub id: u64,
    pub uid_validity: u32,
    pub uid_next: u32,
    pub modseq: u64,
    pub held: Vec<Held>,
    /// What was expunged, and when.
    pub gone: Vec<(u32, u64)>,
    /// Expunges before this are forgotten.
    pub remembers_from: u64,
    pub special_use: Option<&'static str>,
    pub subscribed: bool,
    pub selectable: bool,
}

/// Rewrites a response on its way out: the command that it answers, the response with its line end.
pub type Quirk = Box<dyn FnMut(&str, Vec<u8>) -> Vec<u8>>;

/// Everything behind the sessions.
pub struct World {
    pub capabilities: Vec<String>,
    pub boxes: Vec<Folder>,
    pub user: String,
    pub password: String,
    /// CAPABILITY is told in the greeting and with the login's OK.
    pub tells_capabilities: bool,
    /// Commands without their tags, as they came.
    pub log: Vec<String>,
    /// What clients did that the server had not offered.
    pub violations: Vec<String>,
    /// Octets of whole messages sent.
    pub body_octets: u64,
    /// Sections of messages sent: headers, parts, whole ones.
    pub sections: u64,
    next_id: u64,
    clock_ms: i64,
}

/// The server. Clones are the same server.
#[derive(Clone)]
pub struct ModelServer {
    world: Rc<RefCell<World>>,
    quirk: Rc<RefCell<Option<Quirk>>>,
}

/// 2026-01-10 00:00 UTC.
const START_MS: i64 = 1_768_003_200_000;

impl ModelServer {
    /// With an empty INBOX.
    pub fn new(tier: Tier) -> ModelServer {
        let server = ModelServer::with_capabilities(tier.capabilities());
        server.change().tells_capabilities = tier != Tier::Bare;
        server
    }

    pub fn with_capabilities(words: &str) -> ModelServer {
        let world = World {
            capabilities: words.split_whitespace().map(str::to_owned).collect(),
            boxes: Vec::new(),
            user: "ann".into(),
            password: "secret".into(),
            tells_capabilities: true,
            log: Vec::new(),
            violations: Vec::new(),
            body_octets: 0,
            sections: 0,
            next_id: 100,
            clock_ms: START_MS,
        };
        let server = ModelServer { world: Rc::new(RefCell::new(world)), quirk: Rc::default() };
        server.create("INBOX");
        server
    }

    /// A new connection, with its greeting on the way.
    pub fn session(&self) -> Session {
        Session::new(self.world.clone(), self.quirk.clone())
    }

    pub fn look(&self) -> Ref<'_, World> {
        self.world.borrow()
    }

    pub fn change(&self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    /// From now on every response goes through this.
    pub fn quirk(&self, rewrite: impl FnMut(&str, Vec<u8>) -> Vec<u8> + 'static) {
        *self.quirk.borrow_mut() = Some(Box::new(rewrite));
    }

    pub fn behave(&self) {
        *self.quirk.borrow_mut() = None;
    }

    /// The commands since the last look.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.change().log)
    }

    /// Octets of whole messages sent since the last look.
    pub fn take_body_octets(&self) -> u64 {
        std::mem::take(&mut self.change().body_octets)
    }

    pub fn create(&self, name: &str) {
        self.create_as(name, None);
    }

    pub fn create_as(&self, name: &str, special_use: Option<&'static str>) {
        let mut world = self.change();
        let id = world.new_id();
        world.boxes.push(Folder {
            name: name.into(),
            id,
            uid_validity: 1_000 + id as u32,
            uid_next: 1,
            modseq: 1,
            held: Vec::new(),
            gone: Vec::new(),
            remembers_from: 0,
            special_use,
            subscribed: true,
            selectable: true,
        });
    }

    pub fn delete(&self, name: &str) {
        self.change().boxes.retain(|b| b.name != name);
    }

    pub fn rename(&self, from: &str, to: &str) {
        self.change().mailbox(from).name = to.into();
    }

    pub fn deliver(&self, mailbox: &str, raw: Vec<u8>) -> u32 {
        self.deliver_with(mailbox, raw, &[], None)
    }

    /// With flags, and an INTERNALDATE other than the server's clock.
    pub fn deliver_with(&self, mailbox: &str, raw: Vec<u8>, flags: &[&str], at_ms: Option<i64>) -> u32 {
        let mut world = self.change();
        world.clock_ms += 60_000;
        let internal_ms = at_ms.unwrap_or(world.clock_ms);
        let email_id = world.new_id();
        let flags = flags.iter().map(|f| (*f).to_owned()).collect();
        let held = Held { uid: 0, flags, internal_ms, raw: Rc::new(raw), modseq: 0, email_id };
        world.mailbox(mailbox).enter(held)
    }

    pub fn set_flags(&self, mailbox: &str, uid: u32, flags: &[&str]) {
        let mut world = self.change();
        let mailbox = world.mailbox(mailbox);
        mailbox.modseq += 1;
        let modseq = mailbox.modseq;
        let held = mailbox.held.iter_mut().find(|m| m.uid == uid).expect("the message is there");
        held.flags = flags.iter().map(|f| (*f).to_owned()).collect();
        held.modseq = modseq;
    }

    pub fn expunge(&self, mailbox: &str, uids: &[u32]) {
        let mut world = self.change();
        world.mailbox(mailbox).expunge(uids);
    }

    pub fn copy(&self, from: &str, uid: u32, to: &str) -> u32 {
        let mut world = self.change();
        let held =
            world.mailbox(from).held.iter().find(|m| m.uid == uid).expect("the message is there").clone();
        world.mailbox(to).enter(held)
    }

    pub fn move_message(&self, from: &str, uid: u32, to: &str) -> u32 {
        let new = self.copy(from, uid, to);
        self.expunge(from, &[uid]);
        new
    }

    /// The mailbox is numbered anew from 1, in the same order.
    pub fn reset_uid_validity(&self, mailbox: &str) {
        let mut world = self.change();
        let mailbox = world.mailbox(mailbox);
        mailbox.uid_validity += 1_000_000;
        mailbox.uid_next = 1;
        mailbox.gone.clear();
        mailbox.remembers_from = mailbox.modseq;
        for held in std::mem::take(&mut mailbox.held) {
            mailbox.enter(held);
        }
    }

    /// A copy of a mailbox as it is, for [`ModelServer::restore`].
    pub fn save(&self, mailbox: &str) -> Folder {
        self.change().mailbox(mailbox).clone()
    }

    /// A snapshot is restored: UIDNEXT and HIGHESTMODSEQ go back under the same UIDVALIDITY.
    pub fn restore(&self, saved: Folder) {
        let mut world = self.change();
        let folder = world.mailbox(&saved.name);
        *folder = saved;
    }

    /// Index files are lost: mod-sequences begin again, UIDs stay.
    pub fn rewind_modseq(&self, mailbox: &str) {
        let mut world = self.change();
        let mailbox = world.mailbox(mailbox);
        mailbox.modseq = 1;
        mailbox.gone.clear();
        mailbox.remembers_from = 1;
        for held in &mut mailbox.held {
            held.modseq = 1;
        }
    }

    /// Expunges so far are forgotten, as RFC 7162 §3.2.5.1 lets a server do.
    pub fn forget_expunges(&self, mailbox: &str) {
        let mut world = self.change();
        let mailbox = world.mailbox(mailbox);
        mailbox.gone.clear();
        mailbox.remembers_from = mailbox.modseq;
    }

    pub fn uids(&self, mailbox: &str) -> Vec<u32> {
        self.change().mailbox(mailbox).held.iter().map(|m| m.uid).collect()
    }
}

impl World {
    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|c| c.eq_ignore_ascii_case(capability))
    }

    pub fn find(&self, name: &str) -> Option<&Folder> {
        let inbox = name.eq_ignore_ascii_case("INBOX");
        self.boxes.iter().find(|b| b.name == name || inbox && b.name == "INBOX")
    }

    /// A mailbox that the test knows to be there.
    pub fn mailbox(&mut self, name: &str) -> &mut Folder {
        self.boxes.iter_mut().find(|b| b.name == name).expect("the mailbox is there")
    }
}

impl Folder {
    fn enter(&mut self, mut held: Held) -> u32 {
        self.modseq += 1;
        held.uid = self.uid_next;
        held.modseq = self.modseq;
        self.uid_next += 1;
        let uid = held.uid;
        self.held.push(held);
        uid
    }

    pub fn expunge(&mut self, uids: &[u32]) {
        for uid in uids {
            let at = self.held.iter().position(|m| m.uid == *uid).expect("the message is there");
            self.held.remove(at);
            self.modseq += 1;
            self.gone.push((*uid, self.modseq));
        }
    }

    pub fn unseen(&self) -> usize {
        self.held.iter().filter(|m| !m.flags.contains("\\Seen")).count()
    }
}
