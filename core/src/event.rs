//! What a connection tells its host.

use crate::error::{Error, Result};
use crate::ids::{MailboxId, MessageId, OperationId, RequestId};
use crate::model::Quota;

/// Something that happened, for the host. Events are hints; the change feed is the truth.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Start TLS on the transport now, then call [`Connection::handle_tls_started`](crate::Connection::handle_tls_started).
    StartTls,
    /// Call [`Connection::provide_credentials`](crate::Connection::provide_credentials) or [`Connection::decline_credentials`](crate::Connection::decline_credentials).
    NeedCredentials {
        /// SASL mechanisms that the server offers, and `LOGIN-COMMAND`.
        mechanisms: Vec<String>,
    },
    /// The server agreed to the credentials.
    Authenticated,
    /// The server asks that a person sees this (`[ALERT]`).
    Alert {
        /// The server's words, without control characters.
        text: String,
    },
    /// Something is wrong that the sync goes on in spite of.
    Problem {
        /// What, for a log.
        text: String,
    },
    /// The account's mailboxes are listed in the store.
    MailboxesListed,
    /// A mailbox's messages are coming in.
    Progress {
        /// The sync.
        request: RequestId,
        /// The mailbox.
        mailbox: MailboxId,
        /// Messages that have come.
        done: u64,
        /// Messages to come in all.
        total: u64,
    },
    /// A commit is durable.
    Stored {
        /// Its number in the change feed.
        commit: u64,
    },
    /// A new message is durable. It stays in [`Engine::new_mail`](crate::Engine::new_mail) until it is acknowledged.
    NewMail {
        /// Its mailbox.
        mailbox: MailboxId,
        /// The message.
        message: MessageId,
    },
    /// A message that was asked for is here whole.
    Opened {
        /// The request.
        request: RequestId,
        /// The message.
        message: MessageId,
    },
    /// The account holds nearly as much as it may: more than [`AccountSettings::quota_warning`](crate::AccountSettings::quota_warning) says, and more than
    /// when it was last told.
    QuotaWarning {
        /// The limit that is near.
        quota: Quota,
    },
    /// An operation was set aside: [`Engine::pending`](crate::Engine::pending) says why.
    SetAside {
        /// The operation.
        operation: OperationId,
    },
    /// A request is done.
    Done {
        /// The request.
        request: RequestId,
        /// How it went.
        result: Result<SyncSummary>,
    },
    /// The connection is of no more use; close the transport.
    Closed {
        /// Why, or `None` where it was signed out.
        error: Option<Error>,
    },
}

/// What a sync did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncSummary {
    /// Messages entered.
    pub messages_added: u64,
    /// Messages that went.
    pub messages_removed: u64,
    /// Messages whose flags changed.
    pub flags_changed: u64,
    /// Operations of the journal that the server confirmed.
    pub operations_replayed: u64,
    /// Operations that were set aside.
    pub operations_set_aside: u64,
    /// Octets from the server since the last sync's end (since the connection began, for the first).
    pub bytes_received: u64,
    /// Octets to the server, likewise.
    pub bytes_sent: u64,
    /// Waits for the server with nothing left to send, likewise; the greeting is one.
    pub round_trips: u64,
    /// Commands sent, likewise.
    pub commands: u64,
}
