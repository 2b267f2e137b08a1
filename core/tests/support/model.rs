//! A mail server's store, shared by its sessions, which foreign clients change through methods.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeSet;
use std::rc::Rc;

use super::session::Session;

pub mod audit;
pub mod flags;
pub mod manners;
pub mod others;
pub mod tree;
pub mod trouble;

pub use audit::{Audit, By, Event, How, token};
pub use manners::{Keywords, Manners};
pub use trouble::{Chaos, Cut, Fault, Then, Trouble};

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

/// Everything that the model knows, most of which no tier has.
pub const FULL: &str = "IMAP4rev1 SASL-IR AUTH=PLAIN ID ENABLE CONDSTORE QRESYNC UIDPLUS MOVE IDLE UNSELECT ESEARCH \
                        LITERAL+ MULTIAPPEND REPLACE SPECIAL-USE CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS \
                        STATUS=SIZE OBJECTID QUOTA ACL NAMESPACE BINARY";

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
    /// Keywords as they were spelt first; they stay when no message has them any more.
    pub keywords: Vec<String>,
    /// What the user may do here (RFC 4314).
    pub rights: String,
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
    /// What a server may do one way or another.
    pub manners: Manners,
    /// What goes wrong.
    pub trouble: Trouble,
    /// Every message put in and taken out, oldest first.
    pub history: Vec<Event>,
    /// Names that are subscribed to and are no mailboxes.
    pub ghosts: BTreeSet<String>,
    sessions: u64,
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
            manners: Manners::default(),
            trouble: Trouble::default(),
            history: Vec::new(),
            ghosts: BTreeSet::new(),
            sessions: 0,
            next_id: 100,
            clock_ms: START_MS,
        };
        let server = ModelServer { world: Rc::new(RefCell::new(world)), quirk: Rc::default() };
        server.create("INBOX");
        server
    }

    /// A new connection, with its greeting on the way.
    pub fn session(&self) -> Session {
        let (number, cut) = {
            let mut world = self.change();
            world.sessions += 1;
            let cut = world.trouble.next_cut();
            (world.sessions, cut)
        };
        Session::new(self.world.clone(), self.quirk.clone(), number, cut)
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
}

impl World {
    pub fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Whether a capability is offered, by itself or as a part of IMAP4rev2 (RFC 9051, appendix E).
    pub fn has(&self, capability: &str) -> bool {
        const REV2: [&str; 13] = [
            "NAMESPACE",
            "UNSELECT",
            "UIDPLUS",
            "ESEARCH",
            "ENABLE",
            "IDLE",
            "SASL-IR",
            "LIST-EXTENDED",
            "LIST-STATUS",
            "MOVE",
            "LITERAL-",
            "SPECIAL-USE",
            "STATUS=SIZE",
        ];
        let offers = |word: &str| self.capabilities.iter().any(|c| c.eq_ignore_ascii_case(word));
        offers(capability)
            || offers("IMAP4rev2") && REV2.iter().any(|word| word.eq_ignore_ascii_case(capability))
    }

    /// The next minute of the server's clock.
    pub fn tick(&mut self) -> i64 {
        self.clock_ms += 60_000;
        self.clock_ms
    }

    /// Octets of all messages.
    pub fn octets(&self) -> u64 {
        self.boxes.iter().flat_map(|b| &b.held).map(|m| m.raw.len() as u64).sum()
    }

    /// Whether messages of so many octets fit in the quota.
    pub fn fits(&self, messages: usize, octets: u64) -> bool {
        let held: usize = self.boxes.iter().map(|b| b.held.len()).sum();
        self.manners.quota_octets.is_none_or(|limit| self.octets() + octets <= limit)
            && self.manners.quota_messages.is_none_or(|limit| held + messages <= limit)
    }

    pub fn by_id(&mut self, id: u64) -> &mut Folder {
        self.boxes.iter_mut().find(|b| b.id == id).expect("the mailbox is there")
    }

    /// Puts a message in and writes down that it was.
    pub fn put(&mut self, folder: u64, held: Held, how: How, by: By) -> u32 {
        let token = token(&held.raw);
        let mailbox = self.by_id(folder);
        let uid = mailbox.enter(held);
        let (mailbox, uid_validity) = (mailbox.name.clone(), mailbox.uid_validity);
        self.history.push(Event { token, mailbox, uid_validity, uid, how, by });
        uid
    }

    /// Takes messages out and writes down that they were.
    pub fn take_out(&mut self, folder: u64, uids: &[u32], how: How, by: By) {
        let mailbox = self.by_id(folder);
        let mut events = Vec::new();
        for held in mailbox.held.iter().filter(|m| uids.contains(&m.uid)) {
            let (mailbox, uid_validity) = (mailbox.name.clone(), mailbox.uid_validity);
            let token = token(&held.raw);
            events.push(Event { token, mailbox, uid_validity, uid: held.uid, how: how.clone(), by });
        }
        mailbox.expunge(uids);
        self.history.extend(events);
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
