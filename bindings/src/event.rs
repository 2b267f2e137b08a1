//! What a connection tells its host.

use crate::error::MailkeepError;
use crate::model::Quota;
use crate::numbers::signed;

/// Something that happened. Events are hints; the change feed is the truth.
#[derive(Debug, Clone, PartialEq, uniffi::Enum)]
pub enum Event {
    /// Start TLS on the transport now, then call the connection's `step_tls`.
    StartTls,
    /// Call the connection's `provide_credentials` or `decline_credentials`.
    NeedCredentials {
        /// SASL mechanisms that the server offers, and `LOGIN-COMMAND`.
        mechanisms: Vec<String>,
    },
    /// The server agreed to the credentials.
    Authenticated,
    /// The server asks that a person sees this.
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
        request: i64,
        /// The mailbox.
        mailbox: i64,
        /// Messages that have come.
        done: i64,
        /// Messages to come in all.
        total: i64,
    },
    /// A commit is durable.
    Stored {
        /// Its number in the change feed.
        commit: i64,
    },
    /// A new message is durable. It stays in `Engine.new_mail` until it is acknowledged.
    NewMail {
        /// Its mailbox.
        mailbox: i64,
        /// The message.
        message: i64,
    },
    /// A message that was asked for is here whole.
    Opened {
        /// The request.
        request: i64,
        /// The message.
        message: i64,
    },
    /// The account holds nearly as much as it may.
    QuotaWarning {
        /// The limit that is near.
        quota: Quota,
    },
    /// An operation was set aside: `Engine.pending` says why.
    SetAside {
        /// The operation.
        operation: i64,
    },
    /// A request is done.
    Done {
        /// The request.
        request: i64,
        /// What it did, where it went well.
        summary: Option<SyncSummary>,
        /// Why not, where it did not.
        error: Option<MailkeepError>,
    },
    /// The connection is of no more use; close the transport.
    Closed {
        /// Why; nothing where it was signed out.
        error: Option<MailkeepError>,
    },
}

/// What a sync did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, uniffi::Record)]
pub struct SyncSummary {
    /// Messages entered.
    pub messages_added: i64,
    /// Messages that went.
    pub messages_removed: i64,
    /// Messages whose flags changed.
    pub flags_changed: i64,
    /// Operations that the server confirmed.
    pub operations_replayed: i64,
    /// Operations that were set aside.
    pub operations_set_aside: i64,
    /// Octets from the server since the last sync's end (since the connection began, for the first).
    pub bytes_received: i64,
    /// Octets to the server, likewise.
    pub bytes_sent: i64,
    /// Waits for the server with nothing left to send, likewise; the greeting is one.
    pub round_trips: i64,
    /// Commands sent, likewise.
    pub commands: i64,
}

impl From<mailkeep::SyncSummary> for SyncSummary {
    fn from(summary: mailkeep::SyncSummary) -> SyncSummary {
        SyncSummary {
            messages_added: signed(summary.messages_added),
            messages_removed: signed(summary.messages_removed),
            flags_changed: signed(summary.flags_changed),
            operations_replayed: signed(summary.operations_replayed),
            operations_set_aside: signed(summary.operations_set_aside),
            bytes_received: signed(summary.bytes_received),
            bytes_sent: signed(summary.bytes_sent),
            round_trips: signed(summary.round_trips),
            commands: signed(summary.commands),
        }
    }
}

impl From<mailkeep::Event> for Event {
    fn from(event: mailkeep::Event) -> Event {
        use mailkeep::Event as Theirs;
        match event {
            Theirs::StartTls => Event::StartTls,
            Theirs::NeedCredentials { mechanisms } => Event::NeedCredentials { mechanisms },
            Theirs::Authenticated => Event::Authenticated,
            Theirs::Alert { text } => Event::Alert { text },
            Theirs::Problem { text } => Event::Problem { text },
            Theirs::MailboxesListed => Event::MailboxesListed,
            Theirs::Progress { request, mailbox, done, total } => Event::Progress {
                request: request.0.into(),
                mailbox: mailbox.0.into(),
                done: signed(done),
                total: signed(total),
            },
            Theirs::Stored { commit } => Event::Stored { commit: signed(commit) },
            Theirs::NewMail { mailbox, message } => {
                Event::NewMail { mailbox: mailbox.0.into(), message: signed(message.0) }
            }
            Theirs::Opened { request, message } => {
                Event::Opened { request: request.0.into(), message: signed(message.0) }
            }
            Theirs::QuotaWarning { quota } => Event::QuotaWarning { quota: quota.into() },
            Theirs::SetAside { operation } => Event::SetAside { operation: signed(operation.0) },
            Theirs::Done { request, result } => {
                let request = request.0.into();
                match result {
                    Ok(summary) => Event::Done { request, summary: Some(summary.into()), error: None },
                    Err(error) => Event::Done { request, summary: None, error: Some(error.into()) },
                }
            }
            Theirs::Closed { error } => Event::Closed { error: error.map(MailkeepError::from) },
            other => Event::Problem { text: format!("an event that this layer does not know: {other:?}") },
        }
    }
}
