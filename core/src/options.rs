//! What a host says to a connection: how it is made, what a sync covers, how much a call may do.

use crate::ids::MailboxId;
use crate::model::BodyPolicy;

/// What a sync is to cover.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncScope {
    mailboxes: Option<Vec<MailboxId>>,
    bodies: Option<BodyPolicy>,
    quiet: bool,
    only_opens: bool,
}

impl SyncScope {
    /// The whole account.
    pub fn account() -> SyncScope {
        SyncScope::default()
    }

    /// These mailboxes only; the list of mailboxes is not asked for.
    pub fn only(mailboxes: impl IntoIterator<Item = MailboxId>) -> SyncScope {
        SyncScope { mailboxes: Some(mailboxes.into_iter().collect()), ..SyncScope::default() }
    }

    /// Another policy for bodies than the account's, this time.
    #[must_use]
    pub fn with_bodies(mut self, bodies: BodyPolicy) -> SyncScope {
        self.bodies = Some(bodies);
        self
    }

    /// One mailbox, on the way to something else: no event says that it is done.
    pub(crate) fn quiet(mailbox: MailboxId) -> SyncScope {
        SyncScope { mailboxes: Some(vec![mailbox]), quiet: true, ..SyncScope::default() }
    }

    /// One mailbox, opened and no more than that.
    pub(crate) fn opening(mailbox: MailboxId) -> SyncScope {
        SyncScope { only_opens: true, ..SyncScope::quiet(mailbox) }
    }

    pub(crate) fn only_opens(&self) -> bool {
        self.only_opens
    }

    pub(crate) fn mailboxes(&self) -> Option<&[MailboxId]> {
        self.mailboxes.as_deref()
    }

    pub(crate) fn bodies(&self) -> Option<BodyPolicy> {
        self.bodies
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }
}

/// How much one call may do before it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkLimit {
    /// Octets of input taken, at most about this many.
    pub bytes: usize,
    /// Responses handled, at most.
    pub responses: usize,
}

impl WorkLimit {
    /// As much as there is.
    pub const NONE: WorkLimit = WorkLimit { bytes: usize::MAX, responses: usize::MAX };
}

/// What a call did of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Octets of the input that were taken. Give the rest again, with what came since.
    pub consumed: usize,
    /// There is more to do without further input: call again with the rest, or with nothing.
    pub more: bool,
}

/// Who runs commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommitMode {
    /// The connection, within the call that makes one due.
    #[default]
    Inline,
    /// The host, on a thread of its own: it takes commits from [`Connection::poll_commit`](crate::Connection::poll_commit), runs them, and
    /// hands the results to [`Connection::handle_commit`](crate::Connection::handle_commit). The socket never waits for the disk.
    Host,
}

/// What a connection is made with.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionOptions {
    /// Randomness: 32 octets no one else knows. Tags and nonces are made of it.
    pub seed: [u8; 32],
    /// The transport is encrypted already. Credentials are refused on one that is not, unless the account is [`Security::Insecure`](crate::Security::Insecure).
    pub secure: bool,
    /// Who runs commits.
    pub commits: CommitMode,
    /// How long the server may be silent while an answer is due, in milliseconds.
    pub timeout_ms: u64,
    /// How long one IDLE lasts at most, in milliseconds; shorter where the server is known to end it sooner. Servers may
    /// end a connection that idles for 30 minutes (RFC 2177 §3).
    pub idle_reissue_ms: u64,
    /// How often mailboxes are looked at that no IDLE or NOTIFY watches, in milliseconds.
    pub poll_ms: u64,
}

impl ConnectionOptions {
    /// With a seed, over a transport that is encrypted or not.
    pub fn new(seed: [u8; 32], secure: bool) -> ConnectionOptions {
        ConnectionOptions {
            seed,
            secure,
            commits: CommitMode::Inline,
            timeout_ms: 120_000,
            idle_reissue_ms: 28 * 60_000,
            poll_ms: 60_000,
        }
    }
}
