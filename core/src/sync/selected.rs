//! The mailbox that is open on a connection, as the server describes it.

use crate::ids::MailboxId;
use crate::set::UidSet;

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
        let at = seq as usize - 1;
        if at < self.sequence.len() {
            self.vanished.insert(self.sequence.remove(at));
        } else {
            self.doubtful = true;
        }
    }

    /// `* VANISHED`. Earlier ones come with EXISTS already counting them out.
    pub(crate) fn vanished(&mut self, earlier: bool, uids: &UidSet) {
        let here = uids.intersection(&self.known.union(&self.unknown)).difference(&self.vanished);
        if !earlier {
            let gone = u32::try_from(here.len()).unwrap_or(u32::MAX);
            self.exists = self.exists.saturating_sub(gone);
            self.sequence.retain(|uid| !here.contains(*uid));
        }
        self.vanished = self.vanished.union(&here);
    }

    /// The scan is complete: what it met is what there is.
    pub(crate) fn finish_scan(&mut self) {
        if let Some(scanned) = self.scanned.take() {
            self.vanished = self.known.difference(&scanned);
            self.unknown = scanned.difference(&self.known);
            self.doubtful = false;
        }
    }
}
