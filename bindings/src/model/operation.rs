//! What was done offline and a server has not confirmed.

use mailkeep::flags::FlagSet;

use crate::numbers::signed;

/// Something that a person did and the server has not confirmed. It is durable, shown at once, and replayed when a connection
/// comes.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Operation {
    /// Its id; rises with each operation.
    pub id: i64,
    /// The account that it is done in.
    pub account: i64,
    /// When it was done, in milliseconds since 1970.
    pub created_ms: i64,
    /// What it is.
    pub kind: OperationKind,
    /// How far it has come.
    pub state: OperationState,
}

/// What an operation is.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum OperationKind {
    /// Flags and keywords are set and cleared.
    SetFlags {
        /// The message.
        message: i64,
        /// What is set, by its spelling on the wire.
        add: Vec<String>,
        /// What is cleared.
        remove: Vec<String>,
    },
    /// A message moves.
    Move {
        /// The message.
        message: i64,
        /// Its new mailbox.
        to: i64,
    },
    /// A message is copied.
    Copy {
        /// The copy.
        message: i64,
        /// What it is a copy of.
        source: i64,
        /// Its mailbox.
        to: i64,
    },
    /// A message is deleted for good.
    Delete {
        /// The message.
        message: i64,
    },
    /// A message from this device is put into a mailbox.
    Append {
        /// The message.
        message: i64,
        /// Its mailbox.
        to: i64,
    },
    /// A mailbox is made.
    CreateMailbox {
        /// The mailbox.
        mailbox: i64,
    },
    /// A mailbox, with those below it, gets another name.
    RenameMailbox {
        /// The mailbox.
        mailbox: i64,
    },
    /// A mailbox is deleted.
    DeleteMailbox {
        /// The mailbox.
        mailbox: i64,
    },
    /// A mailbox is subscribed to, or no longer.
    Subscribe {
        /// The mailbox.
        mailbox: i64,
        /// Whether it is to be subscribed to.
        on: bool,
    },
    /// Something that this layer does not know.
    Unknown,
}

/// How far an operation has come.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum OperationState {
    /// It waits for a connection. It can be taken back.
    Waiting,
    /// It may have reached the server. It is looked for there before it is sent again.
    Sent,
    /// It was refused for good, or what it was about is gone. It is not tried again by itself.
    SetAside {
        /// Why, in the server's words where it said any.
        reason: String,
    },
}

fn words(flags: &FlagSet) -> Vec<String> {
    flags.wire_words().map(str::to_owned).collect()
}

impl From<mailkeep::Operation> for Operation {
    fn from(operation: mailkeep::Operation) -> Operation {
        Operation {
            id: signed(operation.id.0),
            account: operation.account.0.into(),
            created_ms: operation.created_ms,
            kind: operation.kind.into(),
            state: match operation.state {
                mailkeep::OperationState::Waiting => OperationState::Waiting,
                mailkeep::OperationState::SetAside { reason } => OperationState::SetAside { reason },
                _ => OperationState::Sent,
            },
        }
    }
}

impl From<mailkeep::OperationKind> for OperationKind {
    fn from(kind: mailkeep::OperationKind) -> OperationKind {
        use mailkeep::OperationKind as Theirs;
        match kind {
            Theirs::SetFlags { message, add, remove } => OperationKind::SetFlags {
                message: signed(message.0),
                add: words(&add),
                remove: words(&remove),
            },
            Theirs::Move { message, to } => {
                OperationKind::Move { message: signed(message.0), to: to.0.into() }
            }
            Theirs::Copy { message, source, to } => {
                OperationKind::Copy { message: signed(message.0), source: signed(source.0), to: to.0.into() }
            }
            Theirs::Delete { message } => OperationKind::Delete { message: signed(message.0) },
            Theirs::Append { message, to } => {
                OperationKind::Append { message: signed(message.0), to: to.0.into() }
            }
            Theirs::CreateMailbox { mailbox } => OperationKind::CreateMailbox { mailbox: mailbox.0.into() },
            Theirs::RenameMailbox { mailbox } => OperationKind::RenameMailbox { mailbox: mailbox.0.into() },
            Theirs::DeleteMailbox { mailbox } => OperationKind::DeleteMailbox { mailbox: mailbox.0.into() },
            Theirs::Subscribe { mailbox, on } => OperationKind::Subscribe { mailbox: mailbox.0.into(), on },
            _ => OperationKind::Unknown,
        }
    }
}
