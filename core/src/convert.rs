//! A change of server for the same mail: from POP3 to IMAP, or to another provider.

use crate::engine::Engine;
use crate::error::Result;
use crate::ids::{AccountId, MailboxId, MessageId};
use crate::model::AccountSettings;
use crate::store::convert;
use crate::time::Now;

/// How far a conversion has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// Whether the account is being converted.
    pub under_way: bool,
    /// Messages that are here and were not met on the new server: all of them before its first sync.
    pub leftovers: Vec<Leftover>,
}

/// A message that the new server was not found to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The message.
    pub message: MessageId,
    /// Where it was.
    pub mailbox: MailboxId,
    /// What that mailbox is called.
    pub mailbox_name: String,
    /// Its subject.
    pub subject: String,
    /// Its size in octets.
    pub size: u64,
    /// INTERNALDATE in milliseconds since 1970.
    pub internal_date: i64,
    /// Whether it is here whole. One that is not can be given to nobody.
    pub whole: bool,
}

/// What becomes of messages that only this device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftoverAction {
    /// They are sent to the new server, into mailboxes of the same names, with their dates and flags.
    Upload,
    /// They go into a mailbox of this device.
    KeepIn(MailboxId),
    /// They are let go, after a while.
    Forget,
}

impl Engine {
    /// Points an account at another server that has the same mail: from POP3 to IMAP, or to another provider. Everything
    /// that is here is kept out of sight until the next sync meets it on the new server, by Message-ID, size and date, and by
    /// the header where these are not enough; nothing that is matched is downloaded again, and flags set here are told to the
    /// server. A sync that is cut goes on where it was.
    ///
    /// When a sync is through, [`Engine::conversion`] says what the server does not have, and
    /// [`Engine::finish_conversion`] ends it. Close the account's connections before.
    ///
    /// # Errors
    /// [`Error::Gone`](crate::Error::Gone), [`Error::Invalid`](crate::Error::Invalid) for settings that cannot be used or are not IMAP's.
    pub fn convert_account(&self, now: Now, account: AccountId, settings: AccountSettings) -> Result<()> {
        self.shared.store.write(now.wall_ms, |w| convert::begin(w, account, settings)).map(drop)
    }

    /// How far an account's conversion has come.
    ///
    /// # Errors
    /// [`Error::Gone`](crate::Error::Gone).
    pub fn conversion(&self, account: AccountId) -> Result<Conversion> {
        convert::progress(&self.shared.store.read()?.tables, account)
    }

    /// Ends a conversion, and says how many messages were sent on or kept.
    ///
    /// # Errors
    /// [`Error::Misuse`](crate::Error::Misuse) where none is under way, [`Error::Gone`](crate::Error::Gone).
    pub fn finish_conversion(&self, now: Now, account: AccountId, action: LeftoverAction) -> Result<u64> {
        let done = self.shared.store.write(now.wall_ms, |w| convert::finish(w, account, action))?.0;
        self.shared.wake_account(account);
        Ok(done)
    }
}
