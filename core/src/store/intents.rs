//! What a person wants and the server has not confirmed.
//!
//! A message's intents are a state, not a history: flags to add and to remove, and where the message is to go. Whatever
//! is done to it again changes them, so that a move, a move and a delete are one delete.

use serde::{Deserialize, Serialize};

use crate::flags::{FlagSet, Flags};
use crate::ids::{AccountId, MailboxId, MessageId, OperationId};
use crate::model::Role;

/// What is wanted of one message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct IntentRecord {
    pub(crate) flags: Option<FlagsIntent>,
    pub(crate) place: Option<PlaceIntent>,
}

/// Flags over those that the server has: `(server ∪ add) ∖ remove`. No flag is in both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FlagsIntent {
    pub(crate) op: OperationId,
    pub(crate) created_ms: i64,
    pub(crate) add: FlagSet,
    pub(crate) remove: FlagSet,
    /// Added and removed by a command whose answer is still to come: until then what the server says of
    /// these proves nothing.
    pub(crate) sent: Option<(FlagSet, FlagSet)>,
    /// The server refused for good, with these words: set aside, and no part of what is shown.
    pub(crate) refused: Option<String>,
}

/// Where a message is to go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlaceIntent {
    pub(crate) op: OperationId,
    pub(crate) created_ms: i64,
    pub(crate) goal: Goal,
    pub(crate) refused: Option<String>,
    /// It may have been sent: it is looked for before it is sent again.
    pub(crate) mark: Option<Mark>,
    /// A deletion waits until this operation is done: this one, or the one that follows when what is under way is done.
    pub(crate) after: Option<OperationId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Goal {
    /// It is here and not on the server.
    Append,
    /// A copy of another message.
    Copy {
        source: MessageId,
    },
    Move {
        to: MailboxId,
    },
    Delete,
}

/// Made durable before the first octet of an operation leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) target: MailboxId,
    pub(crate) target_validity: u32,
    /// What the operation makes has this UID or a higher one.
    pub(crate) target_uid_next: u32,
    /// It stands in the target under this UID, and where it was before too.
    pub(crate) arrived: Option<u32>,
    /// The original cannot be expunged, and stays under `\Deleted`.
    pub(crate) left: bool,
    /// The server said OK.
    pub(crate) answered: bool,
}

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct JournalRecord {
    pub(crate) account: AccountId,
    /// The store in which it was done. A copy restored from a backup is another, and does not do it again.
    pub(crate) incarnation: u64,
    pub(crate) subject: Subject,
}

/// What an operation is about. Those on messages are in the message's intents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Subject {
    Flags(MessageId),
    Place(MessageId),
    Mailbox(MailboxOperation),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MailboxOperation {
    pub(crate) mailbox: MailboxId,
    pub(crate) goal: MailboxGoal,
    pub(crate) created_ms: i64,
    pub(crate) refused: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum MailboxGoal {
    Create { role: Option<Role> },
    Rename,
    Delete,
    Subscribe(bool),
}

impl Mark {
    /// Whether what was sent is known to have been done, at least in part: something stands in the target.
    pub(crate) fn is_made(&self) -> bool {
        self.arrived.is_some() || self.answered
    }
}

impl IntentRecord {
    pub(crate) fn is_empty(&self) -> bool {
        self.flags.is_none() && self.place.is_none()
    }

    /// Flags as a person sees them over those that the server has.
    pub(crate) fn over(&self, server: &FlagSet) -> FlagSet {
        let mut seen = match &self.flags {
            Some(f) if f.refused.is_none() => server.union(&f.add).difference(&f.remove),
            _ => server.clone(),
        };
        if self.mark().is_some() && matches!(self.goal(), Some(Goal::Move { .. })) {
            // It is set on the way, and on what is left behind alone.
            seen.flags = seen.flags.difference(Flags::DELETED);
        }
        seen
    }

    /// Takes out of the wanted flags what the server has granted. Whether nothing is left that is wanted.
    pub(crate) fn granted(&mut self, server: &FlagSet) -> Option<OperationId> {
        let wanted = self.flags.as_mut().filter(|f| f.refused.is_none())?;
        let (added, removed) = wanted.sent.clone().unwrap_or_default();
        let (open_add, open_remove) = (wanted.add.intersection(&removed), wanted.remove.intersection(&added));
        wanted.add = wanted.add.difference(server).union(&open_add);
        wanted.remove = wanted.remove.intersection(server).union(&open_remove);
        let op = wanted.op;
        if wanted.add.is_empty() && wanted.remove.is_empty() {
            self.flags = None;
            return Some(op);
        }
        None
    }

    /// Where the message is to go, unless that was refused.
    pub(crate) fn goal(&self) -> Option<Goal> {
        self.place.as_ref().filter(|p| p.refused.is_none()).map(|p| p.goal)
    }

    /// What was noted when it was sent.
    pub(crate) fn mark(&self) -> Option<Mark> {
        self.place.as_ref().and_then(|p| p.mark)
    }
}
