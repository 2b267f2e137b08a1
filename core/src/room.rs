//! Room on the server and on the device: the archive, and the budget of the cache.

use crate::engine::Engine;
use crate::error::Result;
use crate::ids::{AccountId, MailboxId, MessageId};
use crate::store::room;

/// Which messages are to leave the server for a mailbox of this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveRule {
    pub(crate) before_ms: Option<i64>,
    pub(crate) quota_percent: Option<u8>,
}

impl ArchiveRule {
    /// What was received before a time, in milliseconds since 1970.
    pub fn received_before(before_ms: i64) -> ArchiveRule {
        ArchiveRule { before_ms: Some(before_ms), quota_percent: None }
    }

    /// The oldest, until the account's STORAGE quota (RFC 9208) is used to at most so many percent. Nothing where the server
    /// has told no such quota.
    pub fn until_quota_below(percent: u8) -> ArchiveRule {
        ArchiveRule { before_ms: None, quota_percent: Some(percent) }
    }
}

/// A message that a rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveEntry {
    /// The message.
    pub message: MessageId,
    /// Where it is.
    pub mailbox: MailboxId,
    /// Its size in octets.
    pub size: u64,
    /// INTERNALDATE in milliseconds since 1970.
    pub internal_date: i64,
    /// Its subject.
    pub subject: String,
}

/// What making room did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evicted {
    /// Messages whose body went.
    pub messages: u64,
    /// Octets of those bodies.
    pub octets: u64,
    /// Octets of the bodies that are left.
    pub octets_left: u64,
    /// There is more to let go: call again.
    pub more: bool,
}

impl Engine {
    /// What a rule would take from the server, oldest first: nothing is done. Drafts, Trash and Junk stay where they are.
    /// [`Engine::move_messages`] into a mailbox made with [`NewMailbox::local`](crate::NewMailbox::local) does it: each message is
    /// brought here whole, hashed and made durable before it goes from the server.
    ///
    /// # Errors
    /// [`Error::Gone`](crate::Error::Gone).
    pub fn plan_archive(&self, account: AccountId, rule: &ArchiveRule) -> Result<Vec<ArchiveEntry>> {
        room::to_archive(&self.shared.store.read()?.tables, account, rule)
    }

    /// Lets go of message bodies until those that are left take at most `budget` octets, in steps: call it until
    /// [`Evicted::more`] is false, then [`Engine::compact`] to give the room back. Least lately looked at go first; never a body
    /// that only this device has, nor one of a message that something is pending for. Headers, previews and parts stay, and
    /// [`Connection::fetch`](crate::Connection::fetch) brings a body back.
    ///
    /// # Errors
    /// The storage's.
    pub fn evict_bodies(&self, budget: u64) -> Result<Evicted> {
        let opened = self.shared.take_opened();
        let limits = self.shared.limits;
        let evicted = self.shared.store.write(0, |w| {
            room::note_opened(w, &opened)?;
            room::evict(w, budget, &limits)
        });
        Ok(evicted?.0)
    }

    /// Writes down what was looked at, where the store can still be written.
    pub(crate) fn write_opened(&self) {
        let opened = self.shared.take_opened();
        if !opened.is_empty() {
            // Which bodies go first some day is not worth an error now.
            let _ = self.shared.store.write(0, |w| room::note_opened(w, &opened));
        }
    }
}
