//! Mailboxes.

use crate::numbers::signed;

/// What a mailbox is for (RFC 6154, RFC 8457).
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Role {
    /// Where mail arrives.
    Inbox,
    /// What is being written.
    Drafts,
    /// What was sent.
    Sent,
    /// What was deleted.
    Trash,
    /// Unwanted mail.
    Junk,
    /// What was put away.
    Archive,
    /// Every message.
    All,
    /// Every message with the flag `\Flagged`.
    Flagged,
    /// What the server deems important.
    Important,
}

/// Where a mailbox lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum MailboxKind {
    /// On the IMAP server.
    Server,
    /// The one Inbox of a POP3 server.
    PopInbox,
    /// On this device only.
    Local,
}

/// A mailbox.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct MailboxInfo {
    /// Its id; stays when the mailbox is renamed.
    pub id: i64,
    /// Its account.
    pub account: i64,
    /// The name for a person, levels separated by the delimiter; what cannot be decoded is shown escaped.
    pub name: String,
    /// The hierarchy delimiter, one character.
    pub delimiter: Option<String>,
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
    pub total: i64,
    /// Those without `\Seen`.
    pub unseen: i64,
    /// Their sizes together, in octets.
    pub size: i64,
    /// UIDVALIDITY, 0 before the first sync.
    pub uid_validity: i64,
    /// UIDNEXT, 0 where unknown.
    pub uid_next: i64,
    /// Whether every message within the window has been seen here.
    pub complete: bool,
}

impl Role {
    pub(crate) fn into_core(self) -> mailkeep::Role {
        use mailkeep::Role as Theirs;
        match self {
            Role::Inbox => Theirs::Inbox,
            Role::Drafts => Theirs::Drafts,
            Role::Sent => Theirs::Sent,
            Role::Trash => Theirs::Trash,
            Role::Junk => Theirs::Junk,
            Role::Archive => Theirs::Archive,
            Role::All => Theirs::All,
            Role::Flagged => Theirs::Flagged,
            Role::Important => Theirs::Important,
        }
    }

    fn from_core(role: mailkeep::Role) -> Option<Role> {
        use mailkeep::Role as Theirs;
        Some(match role {
            Theirs::Inbox => Role::Inbox,
            Theirs::Drafts => Role::Drafts,
            Theirs::Sent => Role::Sent,
            Theirs::Trash => Role::Trash,
            Theirs::Junk => Role::Junk,
            Theirs::Archive => Role::Archive,
            Theirs::All => Role::All,
            Theirs::Flagged => Role::Flagged,
            Theirs::Important => Role::Important,
            _ => return None,
        })
    }
}

impl From<mailkeep::MailboxInfo> for MailboxInfo {
    fn from(mailbox: mailkeep::MailboxInfo) -> MailboxInfo {
        MailboxInfo {
            id: mailbox.id.0.into(),
            account: mailbox.account.0.into(),
            name: mailbox.name,
            delimiter: mailbox.delimiter.map(String::from),
            kind: match mailbox.kind {
                mailkeep::MailboxKind::PopInbox => MailboxKind::PopInbox,
                mailkeep::MailboxKind::Local => MailboxKind::Local,
                _ => MailboxKind::Server,
            },
            role: mailbox.role.and_then(Role::from_core),
            selectable: mailbox.selectable,
            subscribed: mailbox.subscribed,
            pending: mailbox.pending,
            total: signed(mailbox.total),
            unseen: signed(mailbox.unseen),
            size: signed(mailbox.size),
            uid_validity: mailbox.uid_validity.into(),
            uid_next: mailbox.uid_next.into(),
            complete: mailbox.complete,
        }
    }
}
