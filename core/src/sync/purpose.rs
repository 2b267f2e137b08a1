//! What each command in flight is for.

use crate::ids::RequestId;
use crate::imap::client::login::LoginStep;
use crate::set::UidSet;
use crate::sync::replay::Step;

/// What a command is for, and what its answer lets go on.
#[derive(Debug, Clone)]
pub(crate) enum Purpose {
    Login(LoginStep),
    Enable,
    Id,
    /// LIST with everything the server can add to it, or without.
    List {
        extended: bool,
    },
    Lsub,
    Status,
    /// What the server tells beside other things; its answer lets nothing go on.
    Aside,
    /// SELECT or EXAMINE of the mailbox that is being opened.
    Select,
    /// Flags of everything: what is met is what there is.
    Scan,
    /// What came behind the last message known.
    Arrived,
    /// The beginning of what came while the mailbox was watched, beside the comparison.
    Newcomers,
    /// Flags that changed since a mod-sequence.
    Changed,
    /// The UIDs within a window of days.
    Window,
    /// The beginning of messages that are new here: header fields, structure.
    Meta {
        uids: UidSet,
    },
    /// By what messages are known again that were brought along.
    Marks,
    /// The newest by sequence number, on the first look.
    Newest,
    /// Whole messages.
    Bodies {
        uids: UidSet,
    },
    /// The beginning of the text parts.
    Previews,
    /// The beginning of the text parts of what the first look showed, beside the scan.
    FirstPreviews,
    /// The rest of one message that was cut.
    Rest {
        uid: u32,
    },
    /// One message that a person wants to read.
    Opened {
        request: RequestId,
        uid: u32,
    },
    /// A command of the replay.
    Replay(Box<Step>),
    Notify,
    Idle,
    Logout,
}

impl From<LoginStep> for Purpose {
    fn from(step: LoginStep) -> Purpose {
        Purpose::Login(step)
    }
}
