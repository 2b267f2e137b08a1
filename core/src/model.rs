//! What an app sees: accounts, mailboxes, rows of a message list.

use serde::{Deserialize, Serialize};

use crate::flags::FlagSet;
use crate::ids::{AccountId, ContentId, MailboxId, MessageId};
use crate::message::{Details, Summary};
pub use crate::pop3::capability::Expire;

/// The protocol of an account's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Protocol {
    /// IMAP (RFC 9051, RFC 3501).
    Imap,
    /// POP3 (RFC 1939).
    Pop3,
    /// None: the account is this device's own.
    Local,
}

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Security {
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// STARTTLS before anything is said.
    StartTls,
    /// None: passwords and mail go in the clear. Only where the account says so plainly.
    Insecure,
}

/// Which message bodies a sync brings here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BodyPolicy {
    /// Every message whole.
    All,
    /// None; each is fetched when it is opened.
    None,
    /// Those of the newest messages of each mailbox.
    Newest(u32),
}

/// Which messages of a mailbox are kept in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Window {
    /// All of them.
    Everything,
    /// The newest, by UID.
    Newest(u32),
    /// Those received in the last days.
    LastDays(u32),
}

/// What becomes of the mail on a POP3 server once it is here. Whatever it says, nothing is deleted there that
/// is not whole and durable here, except what a person deleted unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Keep {
    /// It is deleted from the server at once.
    Delete,
    /// It is deleted so many days after this device first had it, by the wall clock and not by the message's
    /// Date.
    Days(u32),
    /// It is deleted when it is deleted here, or moved out of the inbox.
    UntilDeletedHere,
    /// It stays. This is the default, as in the mail apps that people lose nothing with: what was never deleted
    /// from the server outlives a lost device, and a full server says so.
    Forever,
}

/// Why a message is to be deleted from a POP3 server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RetentionReason {
    /// [`Keep::Delete`]: it is here.
    Here,
    /// [`Keep::Days`]: it has been here that long.
    Age {
        /// Whole days since this device first had it.
        days: u32,
    },
    /// [`Keep::UntilDeletedHere`]: it was deleted here.
    DeletedHere,
    /// [`Keep::UntilDeletedHere`]: it was moved out of the inbox.
    MovedHere,
}

/// A message that the next sync is to delete from a POP3 server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionEntry {
    /// The message; `None` where it is not here any more.
    pub message: Option<MessageId>,
    /// Its unique id on the server, without control characters; empty where the server gives none.
    pub uidl: String,
    /// Its octets, as the server counts them.
    pub size: u64,
    /// Its subject; empty where it is not here any more.
    pub subject: String,
    /// Why.
    pub why: RetentionReason,
}

/// What a POP3 server said of how it keeps mail (RFC 2449 §6.5, §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PopServerInfo {
    /// How long it keeps mail that is left on it.
    pub expire: Option<Expire>,
    /// Seconds that it wants between two logins.
    pub login_delay_s: u32,
}

/// What an app says about an account. Passwords and tokens are not part of it: they are never stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSettings {
    /// The name an app shows; unique in the store.
    pub name: String,
    /// The server's protocol.
    pub protocol: Protocol,
    /// The server's host name.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// The user name to sign in with.
    pub user: String,
    /// The only SASL mechanism to use, by its registered name; `LOGIN` means the command of that name. The
    /// strongest that both sides have where `None`.
    pub mechanism: Option<String>,
    /// Which bodies a sync brings.
    pub bodies: BodyPolicy,
    /// Which messages are kept in step.
    pub window: Window,
    /// Whether COMPRESS=DEFLATE is asked for: worth it on slow or metered links, a loss on fast ones.
    pub compress: bool,
    /// Milliseconds between two full audits of a mailbox (UID, FLAGS and sizes of all of it).
    pub audit_interval_ms: i64,
    /// Percent of a quota from which on [`Event::QuotaWarning`](crate::Event::QuotaWarning) is told; 0 for never.
    pub quota_warning: u8,
    /// The app's own settings, kept and never read here.
    pub extra: Vec<(String, String)>,
    /// What becomes of the mail on a POP3 server. Means nothing on IMAP.
    pub keep: Keep,
    /// Octets above which a message on a POP3 server is not fetched, but only its header, until it is
    /// opened ([`Connection::fetch`](crate::Connection::fetch)).
    pub pop_size_limit: Option<u64>,
}

impl AccountSettings {
    /// Settings of an IMAP account with the usual defaults: TLS on port 993, all bodies, everything.
    pub fn imap(
        name: impl Into<String>,
        host: impl Into<String>,
        user: impl Into<String>,
    ) -> AccountSettings {
        AccountSettings {
            name: name.into(),
            protocol: Protocol::Imap,
            host: host.into(),
            port: 993,
            security: Security::Tls,
            user: user.into(),
            mechanism: None,
            bodies: BodyPolicy::All,
            window: Window::Everything,
            compress: false,
            audit_interval_ms: 7 * 24 * 3_600_000,
            quota_warning: 90,
            extra: Vec::new(),
            keep: Keep::Forever,
            pop_size_limit: None,
        }
    }

    /// Settings of an account without a server: mail that is on this device only.
    pub fn local(name: impl Into<String>) -> AccountSettings {
        AccountSettings { protocol: Protocol::Local, ..AccountSettings::imap(name, "", "") }
    }

    /// Settings of a POP3 account with the usual defaults: TLS on port 995, everything, and nothing
    /// is deleted from the server.
    pub fn pop3(
        name: impl Into<String>,
        host: impl Into<String>,
        user: impl Into<String>,
    ) -> AccountSettings {
        AccountSettings { protocol: Protocol::Pop3, port: 995, ..AccountSettings::imap(name, host, user) }
    }
}

/// An account in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountInfo {
    /// Its id.
    pub id: AccountId,
    /// What the app said about it.
    pub settings: AccountSettings,
    /// The server's name for itself (ID), where it told.
    pub server: Option<String>,
    /// What the server lets the account hold (RFC 9208), as last heard; empty where it does not say.
    pub quotas: Vec<Quota>,
    /// Where the user's own mailboxes are on the server (RFC 2342), where it told.
    pub namespace: Option<Namespace>,
}

/// Where a user's own mailboxes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// What the names of all of them but INBOX begin with, as `INBOX.`; often empty. A mailbox with a name that does not is
    /// refused by such servers.
    pub prefix: String,
    /// What stands between the levels of a name; `None` where there is one level.
    pub delimiter: Option<char>,
}

/// One limit on what an account may hold (RFC 9208 §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// The name of the quota root: what shares the limit. Often empty.
    pub root: String,
    /// `STORAGE` in units of 1024 octets, `MESSAGE` and `MAILBOX` in ones, `ANNOTATION-STORAGE`.
    pub resource: String,
    /// How much is used.
    pub usage: u64,
    /// How much may be.
    pub limit: u64,
}

impl Quota {
    /// How much of the limit is used, in percent; 0 where there is no limit.
    pub fn percent(&self) -> u8 {
        let percent = self.usage.saturating_mul(100).checked_div(self.limit).unwrap_or(0);
        u8::try_from(percent).unwrap_or(u8::MAX)
    }
}

/// What other programs may fill an account with that is served to them ([`serve`](crate::serve)). Mail that a sync
/// brings is never refused, and counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedLimits {
    /// Octets of all messages together; `None` for no limit. Clients are told it in units of 1024, rounded down.
    pub octets: Option<u64>,
    /// How many messages; `None` for no limit.
    pub messages: Option<u64>,
}

/// What a mailbox is for (RFC 6154, RFC 8457).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are the registered attributes")]
pub enum Role {
    Inbox,
    Drafts,
    Sent,
    Trash,
    Junk,
    Archive,
    All,
    Flagged,
    Important,
}

/// Where a mailbox lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MailboxKind {
    /// On the IMAP server.
    Server,
    /// The one Inbox of a POP3 server.
    PopInbox,
    /// On this device only.
    Local,
}

/// A mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxInfo {
    /// Its id; stays when the mailbox is renamed.
    pub id: MailboxId,
    /// Its account.
    pub account: AccountId,
    /// The name for a person, levels separated by the delimiter; what cannot be decoded is shown escaped.
    pub name: String,
    /// The hierarchy delimiter.
    pub delimiter: Option<char>,
    /// Where it lives.
    pub kind: MailboxKind,
    /// What it is for: the user's choice, else the server's word, else a well-known name.
    pub role: Option<Role>,
    /// Whether it can hold messages.
    pub selectable: bool,
    /// Whether the user is subscribed to it.
    pub subscribed: bool,
    /// Whether something was done to it that the server has not confirmed.
    pub pending: bool,
    /// Messages here.
    pub total: u64,
    /// Those without `\Seen`.
    pub unseen: u64,
    /// Their sizes together, in octets.
    pub size: u64,
    /// UIDVALIDITY, 0 before the first sync.
    pub uid_validity: u32,
    /// UIDNEXT, 0 where unknown.
    pub uid_next: u32,
    /// Whether every message within the window has been seen here.
    pub complete: bool,
}

/// A row of a message list.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageRow {
    /// Its id.
    pub id: MessageId,
    /// Its mailbox.
    pub mailbox: MailboxId,
    /// Its content.
    pub content: ContentId,
    /// The server's handle, or 0 where it has none.
    pub uid: u32,
    /// Flags and keywords as a person should see them.
    pub flags: FlagSet,
    /// Whether something was done to it that the server has not confirmed: see [`Engine::pending`](crate::Engine::pending).
    pub pending: bool,
    /// INTERNALDATE in milliseconds since 1970.
    pub internal_date: i64,
    /// RFC822.SIZE, or the true size once the message is here.
    pub size: u64,
    /// SHA-256 of the raw message, where it is here whole.
    pub sha256: Option<[u8; 32]>,
    /// What the list shows.
    pub summary: Summary,
}

/// One message with everything known of it but its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The row.
    pub row: MessageRow,
    /// The rest of the header and the parts.
    pub details: Details,
}

impl MessageRow {
    /// Whether the whole message is here.
    pub fn has_body(&self) -> bool {
        self.sha256.is_some()
    }
}

/// Where the next page of a list starts. Opaque; good as long as the mailbox is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor(pub(crate) Vec<u8>);

impl Cursor {
    /// The cursor as octets, for where no Rust value can be kept.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A cursor again from its octets. Octets that were none, or one of another mailbox, are refused with
    /// [`Error::Gone`](crate::Error::Gone) when they are used.
    pub fn from_bytes(bytes: &[u8]) -> Cursor {
        Cursor(bytes.to_vec())
    }
}

/// A page of rows, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<MessageRow>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<Cursor>,
}

/// One thing that a screen may have to draw again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Change {
    /// An account appeared, changed or went.
    Account(AccountId),
    /// A mailbox appeared, changed (its counts too) or went.
    Mailbox(MailboxId),
    /// A message appeared in a mailbox, or became visible.
    MessageAdded(MailboxId, MessageId),
    /// A message's flags, summary or body changed.
    MessageChanged(MailboxId, MessageId),
    /// A message left a mailbox.
    MessageRemoved(MailboxId, MessageId),
}

/// An answer of the change feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// What changed, oldest first, and the number to ask from next time.
    Since {
        /// The changes.
        changes: Vec<Change>,
        /// Ask from here next.
        next: u64,
    },
    /// The feed does not reach back that far: read everything anew, then ask from `next`.
    TooOld {
        /// Ask from here next.
        next: u64,
    },
}
