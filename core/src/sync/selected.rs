//! The mailbox that is open on a connection, as the server describes it.

use crate::ids::MailboxId;
use crate::set::UidSet;
use crate::store::batch::Op;

/// EXPUNGEs that are followed one by one before a scan takes over.
const MOST_EXPUNGES: u32 = 1_000;

/// An opened mailbox.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    pub(crate) mailbox: Option<MailboxId>,
    pub(crate) uid_validity: u32,
    pub(crate) uid_next: u32,
    pub(crate) exists: u32,
    pub(crate) highest_modseq: u64,
    pub(crate) no_modseq: bool,
    /// OBJECTID's MAILBOXID.
    pub(crate) mailbox_id: Option<String>,
    /// The server lets nothing be changed in it.
    pub(crate) read_only: bool,
    /// Whether SELECT was answered OK.
    pub(crate) open: bool,
    /// UIDs whose messages are entered here.
    pub(crate) known: UidSet,
    /// UIDs that the server holds and that are not entered yet.
    pub(crate) unknown: UidSet,
    /// UIDs that the server says are gone, not yet believed.
    pub(crate) vanished: UidSet,
    /// UIDs met in a scan of everything that is under way.
    pub(crate) scanned: Option<UidSet>,
    /// UIDs by sequence number, as far as they came in order.
    sequence: Vec<u32>,
    /// EXPUNGEs that moved the map along.
    expunges: u32,
    /// UIDs that went while a scan was under way.
    went: UidSet,
    /// Facts that came before SELECT was answered: they count only once it is clear which mailbox they
    /// are about.
    pub(crate) pending: Vec<Op>,
    /// Something happened that only a scan of everything can set right.
    pub(crate) doubtful: bool,
}

impl Selected {
    pub(crate) fn new(mailbox: MailboxId, known: UidSet) -> Selected {
        Selected { mailbox: Some(mailbox), known, ..Selected::default() }
    }

    /// UIDs that should be on the server if all it said is true.
    pub(crate) fn believed(&self) -> UidSet {
        self.known.union(&self.unknown).difference(&self.vanished)
    }

    /// Whether what is known here accounts for every message that the server counts.
    pub(crate) fn adds_up(&self) -> bool {
        self.believed().len() == u64::from(self.exists)
    }

    /// A message seen under a sequence number. The map grows only by what really came, one by one.
    pub(crate) fn saw(&mut self, seq: u32, uid: u32) {
        let at = seq as usize - 1;
        if at < self.sequence.len() {
            if self.sequence[at] != uid {
                self.sequence.truncate(at);
                self.sequence.push(uid);
            }
        } else if at == self.sequence.len() {
            self.sequence.push(uid);
        }
    }

    /// The UID of a sequence number, where it is known.
    pub(crate) fn uid_at(&self, seq: u32) -> Option<u32> {
        self.sequence.get(seq as usize - 1).copied()
    }

    /// `* n EXPUNGE`.
    pub(crate) fn expunged(&mut self, seq: u32) {
        if seq > self.exists {
            self.doubtful = true;
            return;
        }
        self.exists -= 1;
        self.expunges += 1;
        let at = seq as usize - 1;
        if at < self.sequence.len() && self.expunges <= MOST_EXPUNGES {
            let uid = self.sequence.remove(at);
            self.vanished.insert(uid);
            self.went.insert(uid);
        } else {
            // Moving a long map along for a flood of them would take for ever: a scan is cheaper.
            self.sequence = Vec::new();
            self.doubtful = true;
        }
    }

    /// `* VANISHED`. Earlier ones come with EXISTS already counting them out.
    pub(crate) fn vanished(&mut self, earlier: bool, uids: &UidSet) {
        let here = uids.intersection(&self.known).union(&uids.intersection(&self.unknown));
        let here = here.difference(&self.vanished);
        // Before SELECT is answered EXISTS counts them out already, whatever the server calls them.
        if !earlier && self.open {
            let gone = u32::try_from(here.len()).unwrap_or(u32::MAX);
            self.exists = self.exists.saturating_sub(gone);
            // One that came and went unseen was counted by EXISTS, and which it was cannot be told.
            self.doubtful |= here.len() != uids.len();
            if !here.is_empty() {
                self.sequence = Vec::new();
            }
        }
        self.went = self.went.union(&here);
        self.vanished = self.vanished.union(&here);
    }

    /// A scan of everything begins.
    pub(crate) fn start_scan(&mut self) {
        self.scanned = Some(UidSet::new());
        self.vanished = UidSet::new();
        self.went = UidSet::new();
        self.doubtful = false;
    }

    /// The scan is complete: what it met is what there is. Where it met fewer than the server counts, or
    /// a line could not be read, its silence proves nothing: only what was said to go has gone.
    pub(crate) fn finish_scan(&mut self) {
        let Some(scanned) = self.scanned.take() else { return };
        let scanned = scanned.difference(&self.went);
        let short = scanned.len() < u64::from(self.exists);
        self.unknown = scanned.difference(&self.known);
        self.vanished = if short || self.doubtful {
            self.went.intersection(&self.known)
        } else {
            self.known.difference(&scanned)
        };
        self.doubtful |= short;
    }
}
