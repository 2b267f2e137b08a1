//! What was done offline and a server has not confirmed, as an app sees it.

use crate::flags::{FlagSet, Flags, is_keyword};
use crate::ids::{AccountId, MailboxId, MessageId, OperationId};

/// Something that a person did and the server has not confirmed.
///
/// It is durable, shown in every list at once, and replayed when a connection comes. What is done again to the same
/// message changes its operation: a move, a move and a delete are one delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its id; rises with each operation.
    pub id: OperationId,
    /// The account that it is done in.
    pub account: AccountId,
    /// When it was done, in milliseconds since 1970.
    pub created_ms: i64,
    /// What it is.
    pub kind: OperationKind,
    /// How far it has come.
    pub state: OperationState,
}

/// What an operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OperationKind {
    /// Flags and keywords are set and cleared.
    SetFlags {
        /// The message.
        message: MessageId,
        /// What is set.
        add: FlagSet,
        /// What is cleared.
        remove: FlagSet,
    },
    /// A message moves.
    Move {
        /// The message.
        message: MessageId,
        /// Its new mailbox.
        to: MailboxId,
    },
    /// A message is copied.
    Copy {
        /// The copy.
        message: MessageId,
        /// What it is a copy of.
        source: MessageId,
        /// Its mailbox.
        to: MailboxId,
    },
    /// A message is deleted for good.
    Delete {
        /// The message.
        message: MessageId,
    },
    /// A message from this device is put into a mailbox.
    Append {
        /// The message.
        message: MessageId,
        /// Its mailbox.
        to: MailboxId,
    },
    /// A mailbox is made.
    CreateMailbox {
        /// The mailbox.
        mailbox: MailboxId,
    },
    /// A mailbox, with those below it, gets another name.
    RenameMailbox {
        /// The mailbox.
        mailbox: MailboxId,
    },
    /// A mailbox is deleted.
    DeleteMailbox {
        /// The mailbox.
        mailbox: MailboxId,
    },
    /// A mailbox is subscribed to, or no longer.
    Subscribe {
        /// The mailbox.
        mailbox: MailboxId,
        /// Whether it is to be subscribed to.
        on: bool,
    },
}

/// How far an operation has come.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OperationState {
    /// It waits for a connection. It can be taken back.
    Waiting,
    /// It may have reached the server. It is looked for there before it is sent again.
    Sent,
    /// It was refused for good, or what it was about is gone. It is not tried again by itself, and what it
    /// did to the view is undone; a message that only this device has stays.
    SetAside {
        /// Why, in the server's words where it said any.
        reason: String,
    },
}

/// What to do to flags and keywords.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlagChange {
    pub(crate) add: FlagSet,
    pub(crate) remove: FlagSet,
    pub(crate) exactly: bool,
    /// A word that is no flag and can be no keyword.
    pub(crate) invalid: Option<String>,
}

impl FlagChange {
    /// Sets flags and keywords by their spelling on the wire (`\Seen`, `$Forwarded`, `todo`).
    #[must_use]
    pub fn set(mut self, word: &str) -> FlagChange {
        self.check(word);
        self.remove.remove_wire(word.as_bytes());
        self.add.insert_wire(word.as_bytes());
        self
    }

    /// Clears flags and keywords by their spelling on the wire.
    #[must_use]
    pub fn clear(mut self, word: &str) -> FlagChange {
        self.check(word);
        self.add.remove_wire(word.as_bytes());
        self.remove.insert_wire(word.as_bytes());
        self
    }

    fn check(&mut self, word: &str) {
        if Flags::from_wire(word.as_bytes()).is_none() && !is_keyword(word) {
            self.invalid.get_or_insert_with(|| word.to_owned());
        }
    }

    /// These flags and keywords and no others.
    pub fn exactly(flags: FlagSet) -> FlagChange {
        FlagChange { add: flags, remove: FlagSet::default(), exactly: true, invalid: None }
    }
}

/// What a new mailbox is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewMailbox {
    pub(crate) name: String,
    pub(crate) local: bool,
    pub(crate) role: Option<crate::model::Role>,
}

impl NewMailbox {
    /// On the server, by its full name, levels separated by the account's delimiter.
    pub fn named(name: impl Into<String>) -> NewMailbox {
        NewMailbox { name: name.into(), ..NewMailbox::default() }
    }

    /// On this device only.
    #[must_use]
    pub fn local(mut self) -> NewMailbox {
        self.local = true;
        self
    }

    /// With a use that the server is told of, where it can be (RFC 6154).
    #[must_use]
    pub fn for_role(mut self, role: crate::model::Role) -> NewMailbox {
        self.role = Some(role);
        self
    }
}

/// A message from this device on its way into a mailbox.
#[derive(Debug, Clone)]
pub struct Draft {
    pub(crate) raw: Vec<u8>,
    pub(crate) flags: FlagSet,
    pub(crate) internal_date: Option<i64>,
}

impl Draft {
    /// An RFC 5322 message. Lone CR and LF become CRLF, as every server has them.
    pub fn new(raw: impl Into<Vec<u8>>) -> Draft {
        Draft { raw: raw.into(), flags: FlagSet::default(), internal_date: None }
    }

    /// With a flag or keyword by its spelling on the wire.
    #[must_use]
    pub fn flag(mut self, word: &str) -> Draft {
        self.flags.insert_wire(word.as_bytes());
        self
    }

    /// With an INTERNALDATE in milliseconds since 1970 other than now: for imports.
    #[must_use]
    pub fn received_at(mut self, internal_date: i64) -> Draft {
        self.internal_date = Some(internal_date);
        self
    }
}
