//! What a client may ask of a server, typed (RFC 9051 §6, RFC 3501 §6 and extensions).

use std::fmt;

use zeroize::Zeroize;

use crate::flags::FlagSet;
use crate::imap::command::{
    ChangedSince, FetchItem, NumberSet, Resync, SearchKey, StatusItem, StoreAction, WireName,
};

/// A client's command without its tag, as a server hears it.
///
/// `Debug` shows neither passwords nor initial responses.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub enum Command {
    Capability,
    Noop,
    Logout,
    StartTls,
    /// AUTHENTICATE with an initial response where there is one (RFC 4959), base64 undone.
    Authenticate {
        mechanism: String,
        initial: Option<Vec<u8>>,
    },
    Login {
        user: Vec<u8>,
        password: Vec<u8>,
    },
    /// ENABLE (RFC 5161), words in upper case.
    Enable(Vec<String>),
    /// ID (RFC 2971); empty for `NIL`.
    Id(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    Namespace,
    /// COMPRESS with the algorithm's name (RFC 4978).
    Compress(String),
    /// SELECT or EXAMINE.
    Select {
        mailbox: WireName,
        read_only: bool,
        resync: Resync,
    },
    Unselect,
    Close,
    Check,
    List(List),
    Lsub {
        reference: WireName,
        pattern: WireName,
    },
    Status {
        mailbox: WireName,
        items: Vec<StatusItem>,
    },
    Fetch {
        uid: bool,
        set: NumberSet,
        items: Vec<FetchItem>,
        changed_since: Option<ChangedSince>,
        /// RFC 9394
        partial: Option<(i64, i64)>,
    },
    Search {
        uid: bool,
        /// `RETURN (…)`; `None` for a plain SEARCH.
        returns: Option<SearchReturn>,
        criteria: Vec<SearchKey>,
    },
    /// SORT (RFC 5256)
    Sort {
        uid: bool,
        returns: Option<SearchReturn>,
        keys: Vec<SortKey>,
        criteria: Vec<SearchKey>,
    },
    /// THREAD (RFC 5256)
    Thread {
        uid: bool,
        algorithm: ThreadAlgorithm,
        criteria: Vec<SearchKey>,
    },
    Store {
        uid: bool,
        set: NumberSet,
        action: StoreAction,
        silent: bool,
        flags: FlagSet,
        unchanged_since: Option<u64>,
    },
    Copy {
        uid: bool,
        set: NumberSet,
        mailbox: WireName,
    },
    Move {
        uid: bool,
        set: NumberSet,
        mailbox: WireName,
    },
    Expunge,
    UidExpunge(NumberSet),
    /// APPEND: where to and what is said of each message; their octets were streamed (RFC 3502).
    Append {
        mailbox: WireName,
        messages: Vec<AppendMessage>,
    },
    /// REPLACE (RFC 8508); the message's octets were streamed.
    Replace {
        uid: bool,
        /// One message: a number, or `*`.
        set: NumberSet,
        mailbox: WireName,
        message: AppendMessage,
    },
    Create {
        mailbox: WireName,
        /// `(USE (…))` (RFC 6154)
        special_use: Vec<String>,
    },
    Delete(WireName),
    Rename {
        from: WireName,
        to: WireName,
    },
    Subscribe(WireName),
    Unsubscribe(WireName),
    /// IDLE (RFC 2177); the line that ends it is no command.
    Idle,
    GetQuota(Vec<u8>),
    GetQuotaRoot(WireName),
    SetQuota {
        root: Vec<u8>,
        limits: Vec<(String, u64)>,
    },
    MyRights(WireName),
    /// NOTIFY (RFC 5465); `None` is `NOTIFY NONE`.
    Notify(Option<Notify>),
}

impl Command {
    /// Overwrites what is secret in the command.
    pub fn wipe(&mut self) {
        match self {
            Command::Login { password, .. } => password.zeroize(),
            Command::Authenticate { initial, .. } => initial.zeroize(),
            _ => {}
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name alone: what clients name is theirs.
        f.write_str(match self {
            Command::Capability => "Capability",
            Command::Noop => "Noop",
            Command::Logout => "Logout",
            Command::StartTls => "StartTls",
            Command::Authenticate { .. } => "Authenticate",
            Command::Login { .. } => "Login",
            Command::Fetch { uid, set, items, changed_since, partial } => {
                return write!(f, "Fetch {uid} {set:?} {items:?} {changed_since:?} {partial:?}");
            }
            Command::Search { uid, returns, criteria } => {
                return write!(f, "Search {uid} {returns:?} {criteria:?}");
            }
            Command::Sort { uid, returns, keys, criteria } => {
                return write!(f, "Sort {uid} {returns:?} {keys:?} {criteria:?}");
            }
            Command::Thread { uid, algorithm, criteria } => {
                return write!(f, "Thread {uid} {algorithm:?} {criteria:?}");
            }
            Command::Store { uid, set, action, silent, flags, unchanged_since } => {
                return write!(f, "Store {uid} {set:?} {action:?} {silent} {flags:?} {unchanged_since:?}");
            }
            Command::List(list) => return write!(f, "{list:?}"),
            Command::Status { mailbox, items } => {
                return write!(f, "Status {} {items:?}", mailbox.escape_ascii());
            }
            Command::Select { mailbox, read_only, resync } => {
                return write!(f, "Select {} {read_only} {resync:?}", mailbox.escape_ascii());
            }
            Command::Enable(words) => return write!(f, "Enable {words:?}"),
            Command::Id(_) => "Id",
            Command::Namespace => "Namespace",
            Command::Compress(_) => "Compress",
            Command::Unselect => "Unselect",
            Command::Close => "Close",
            Command::Check => "Check",
            Command::Lsub { .. } => "Lsub",
            Command::Copy { uid, set, mailbox } => {
                return write!(f, "Copy {uid} {set:?} {}", mailbox.escape_ascii());
            }
            Command::Move { uid, set, mailbox } => {
                return write!(f, "Move {uid} {set:?} {}", mailbox.escape_ascii());
            }
            Command::Expunge => "Expunge",
            Command::UidExpunge(set) => return write!(f, "UidExpunge {set:?}"),
            Command::Append { mailbox, messages } => {
                return write!(f, "Append {} {messages:?}", mailbox.escape_ascii());
            }
            Command::Replace { uid, set, mailbox, message } => {
                return write!(f, "Replace {uid} {set:?} {} {message:?}", mailbox.escape_ascii());
            }
            Command::Create { mailbox, special_use } => {
                return write!(f, "Create {} {special_use:?}", mailbox.escape_ascii());
            }
            Command::Delete(name) => return write!(f, "Delete {}", name.escape_ascii()),
            Command::Rename { from, to } => {
                return write!(f, "Rename {} {}", from.escape_ascii(), to.escape_ascii());
            }
            Command::Subscribe(name) => return write!(f, "Subscribe {}", name.escape_ascii()),
            Command::Unsubscribe(name) => return write!(f, "Unsubscribe {}", name.escape_ascii()),
            Command::Idle => "Idle",
            Command::GetQuota(_) => "GetQuota",
            Command::GetQuotaRoot(_) => "GetQuotaRoot",
            Command::SetQuota { .. } => "SetQuota",
            Command::MyRights(_) => "MyRights",
            Command::Notify(notify) => return write!(f, "Notify {notify:?}"),
        })
    }
}

/// LIST, plain or extended (RFC 5258, RFC 5819, RFC 6154).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Whether it came in a form that RFC 3501 does not have.
    pub extended: bool,
    /// `(SUBSCRIBED)`: only subscribed names, whether they exist or not.
    pub only_subscribed: bool,
    /// `(SPECIAL-USE)`: only mailboxes with such an attribute.
    pub only_special_use: bool,
    /// `(REMOTE)`: remote mailboxes too.
    pub remote: bool,
    /// `(RECURSIVEMATCH)`: parents of what is selected, too.
    pub recursive_match: bool,
    /// The reference name.
    pub reference: WireName,
    /// The patterns; at least one.
    pub patterns: Vec<WireName>,
    /// `RETURN (SUBSCRIBED)`
    pub return_subscribed: bool,
    /// `RETURN (CHILDREN)`
    pub return_children: bool,
    /// `RETURN (SPECIAL-USE)`
    pub return_special_use: bool,
    /// `RETURN (STATUS (…))`; empty for none.
    pub status: Vec<StatusItem>,
}

/// What a SEARCH or SORT is to answer (RFC 4731, RFC 5182, RFC 5267, RFC 9394).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub struct SearchReturn {
    pub min: bool,
    pub max: bool,
    /// Also where nothing else was asked.
    pub all: bool,
    pub count: bool,
    pub save: bool,
    /// Both ends count from the oldest, or both, below 0, from the newest.
    pub partial: Option<(i64, i64)>,
}

/// One criterion of SORT (RFC 5256 §3, RFC 5957).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// The largest first.
    pub reverse: bool,
    /// By what.
    pub by: SortBy,
}

/// What SORT compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub enum SortBy {
    Arrival,
    Cc,
    Date,
    From,
    Size,
    Subject,
    To,
    DisplayFrom,
    DisplayTo,
}

/// How THREAD groups messages (RFC 5256 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadAlgorithm {
    /// By base subject.
    OrderedSubject,
    /// By Message-ID and References.
    References,
}

/// What APPEND says of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppendMessage {
    /// The flags.
    pub flags: FlagSet,
    /// INTERNALDATE in milliseconds since 1970.
    pub internal_date: Option<i64>,
    /// Octets.
    pub len: u64,
    /// It came as a literal8: it may hold NUL, or 8-bit headers (RFC 3516, RFC 6855).
    pub literal8: bool,
}

/// NOTIFY SET (RFC 5465 §3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notify {
    /// STATUS of every mailbox that is watched, at once.
    pub status: bool,
    /// What to tell of which mailboxes.
    pub groups: Vec<NotifyGroup>,
}

/// Some mailboxes, and what is told of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyGroup {
    /// The mailboxes.
    pub mailboxes: NotifyMailboxes,
    /// The events; empty for `NONE`.
    pub events: Vec<NotifyEvent>,
}

/// Which mailboxes a group of NOTIFY is about (RFC 5465 §6).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub enum NotifyMailboxes {
    Selected,
    SelectedDelayed,
    Inboxes,
    Personal,
    Subscribed,
    Subtree(Vec<WireName>),
    Mailboxes(Vec<WireName>),
}

/// What NOTIFY tells (RFC 5465 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub enum NotifyEvent {
    /// New messages, with what of them to fetch.
    MessageNew(Vec<FetchItem>),
    MessageExpunge,
    FlagChange,
    AnnotationChange,
    MailboxName,
    SubscriptionChange,
    MailboxMetadataChange,
    ServerMetadataChange,
}
