//! What is known of one mailbox while it is brought into step.

use hashbrown::HashMap;

use crate::flags::FlagSet;
use crate::ids::MailboxId;
use crate::imap::command::Resync;
use crate::message::Part;
use crate::model::Role;
use crate::set::UidSet;
use crate::store::apply::Outcome;
use crate::store::batch::{PartialBody, StagedBody};
use crate::store::records::MailboxRecord;
use crate::sync::convert::Glimpse;

/// One mailbox under way.
#[derive(Debug)]
pub(crate) struct MailboxPass {
    pub(crate) mailbox: MailboxId,
    pub(crate) record: MailboxRecord,
    pub(crate) resync: Resync,
    /// The server numbers it anew since the last time.
    pub(crate) renumbered: bool,
    /// It was open already.
    pub(crate) again: bool,
    pub(crate) healed: bool,
    /// Entered since the mailbox was opened.
    pub(crate) entered: UidSet,
    /// Entered, and their bodies were here already.
    pub(crate) here_already: UidSet,
    /// What was told of messages that may have been brought along, while that is asked.
    pub(crate) glimpsed: Option<HashMap<u32, Glimpse>>,
    /// UIDs of which it is asked.
    pub(crate) unglimpsed: UidSet,
    /// UIDs whose beginning was asked for and has not come.
    pub(crate) asked_meta: UidSet,
    /// UIDs whose body was asked for and has not come.
    pub(crate) asked_bodies: UidSet,
    pub(crate) meta_queue: UidSet,
    pub(crate) body_queue: UidSet,
    /// Bodies that were asked for twice and never came.
    pub(crate) given_up: UidSet,
    pub(crate) retried: UidSet,
    pub(crate) retried_bodies: UidSet,
    /// Asked for a third time, for the least that makes an entry.
    pub(crate) bare: UidSet,
    /// Sizes as the server gave them before, for an audit.
    pub(crate) sizes: HashMap<u32, u64>,
    /// UIDs under which the server now has another message.
    pub(crate) replaced: UidSet,
    /// A scan met everything that the server counts.
    pub(crate) met_all: bool,
    /// How often mail came while the pass ran.
    pub(crate) arrivals: u32,
    /// New messages are fetched whole at once.
    pub(crate) direct: bool,
    pub(crate) previews: HashMap<u32, Part>,
    pub(crate) preview_queue: Vec<(String, UidSet)>,
    pub(crate) rests: Vec<(u32, PartialBody)>,
    pub(crate) resuming: Option<(u32, StagedBody, u64)>,
    /// Server messages outside the window.
    pub(crate) outside: UidSet,
    /// UIDs that a search of the window found.
    pub(crate) window: Option<UidSet>,
    /// Flags as stored, to tell news from repetition during a scan.
    pub(crate) flags: HashMap<u32, FlagSet>,
    pub(crate) total: u64,
    pub(crate) done: u64,
}

impl MailboxPass {
    pub(crate) fn new(mailbox: MailboxId, record: MailboxRecord) -> MailboxPass {
        MailboxPass {
            mailbox,
            record,
            resync: Resync::None,
            renumbered: false,
            again: false,
            healed: false,
            entered: UidSet::new(),
            here_already: UidSet::new(),
            glimpsed: None,
            unglimpsed: UidSet::new(),
            asked_meta: UidSet::new(),
            asked_bodies: UidSet::new(),
            meta_queue: UidSet::new(),
            body_queue: UidSet::new(),
            given_up: UidSet::new(),
            retried: UidSet::new(),
            retried_bodies: UidSet::new(),
            bare: UidSet::new(),
            sizes: HashMap::new(),
            replaced: UidSet::new(),
            met_all: false,
            arrivals: 0,
            direct: false,
            previews: HashMap::new(),
            preview_queue: Vec::new(),
            rests: Vec::new(),
            resuming: None,
            outside: UidSet::new(),
            window: None,
            flags: HashMap::new(),
            total: 0,
            done: 0,
        }
    }

    pub(crate) fn committed(&mut self, outcome: &Outcome) {
        for (mailbox, uid) in &outcome.already_here {
            if *mailbox == self.mailbox {
                self.here_already.insert(*uid);
            }
        }
    }

    /// Whether flags are stored as they came.
    pub(crate) fn has_same_flags(&self, uid: u32, flags: &FlagSet) -> bool {
        self.flags.get(&uid).is_some_and(|stored| stored == flags)
    }

    pub(crate) fn take_meta(&mut self, uid: u32) -> bool {
        let asked = self.asked_meta.contains(uid);
        self.asked_meta.remove(uid);
        asked
    }

    pub(crate) fn take_body(&mut self, uid: u32) -> bool {
        let asked = self.asked_bodies.contains(uid);
        if asked {
            self.asked_bodies.remove(uid);
            self.done += 1;
        }
        asked
    }

    pub(crate) fn take_preview(&mut self, uid: u32) -> Option<Part> {
        self.previews.remove(&uid)
    }

    /// The body that a partial answer of `len` octets from `origin` completes.
    pub(crate) fn take_resumed(&mut self, uid: Option<u32>, origin: u64, len: u64) -> Option<StagedBody> {
        let (for_uid, body, total) = self.resuming.take()?;
        // Another size than before is another message, or a server that cannot be believed.
        let fits = uid.is_none_or(|u| u == for_uid) && body.len() == origin && origin + len == total;
        fits.then_some(body)
    }

    /// Whether a message entered now is news to a person: it came after the mailbox was last seen,
    /// into a mailbox where mail arrives.
    pub(crate) fn is_fresh(&self, uid: u32) -> bool {
        let arrives = matches!(self.record.chosen_role.unwrap_or(self.record.role), None | Some(Role::Inbox));
        arrives && self.record.uid_next != 0 && !self.renumbered && uid >= self.record.uid_next
    }
}
