//! What an IMAP client asks, typed (RFC 9051 §6 and extensions).

use std::fmt;

use zeroize::Zeroize;

use crate::flags::FlagSet;
use crate::set::UidSet;

/// A mailbox name as the server spelt it on the wire (modified UTF-7 or, where enabled, UTF-8):
/// opaque, never interpreted on the way back.
pub type WireName = Vec<u8>;

/// A client command without its tag.
///
/// `Debug` shows neither passwords nor the contents of messages.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// CAPABILITY
    Capability,
    /// NOOP
    Noop,
    /// LOGOUT
    Logout,
    /// STARTTLS
    StartTls,
    /// AUTHENTICATE with an optional initial response (not yet base64; RFC 4959). An empty one is sent as `=`.
    Authenticate {
        /// The mechanism's registered name.
        mechanism: String,
        /// The initial response.
        initial: Option<Vec<u8>>,
    },
    /// LOGIN
    Login {
        /// User name, UTF-8.
        user: Vec<u8>,
        /// Password, UTF-8.
        password: Vec<u8>,
    },
    /// ENABLE (RFC 5161)
    Enable(Vec<String>),
    /// ID (RFC 2971); empty means `NIL`.
    Id(Vec<(String, String)>),
    /// NAMESPACE (RFC 2342)
    Namespace,
    /// COMPRESS DEFLATE (RFC 4978)
    Compress,
    /// SELECT or EXAMINE
    Select {
        /// The mailbox.
        mailbox: WireName,
        /// EXAMINE instead of SELECT.
        read_only: bool,
        /// `(CONDSTORE)` or `(QRESYNC (…))`.
        resync: Resync,
    },
    /// UNSELECT (RFC 3691)
    Unselect,
    /// CLOSE
    Close,
    /// LIST, plain or extended (RFC 5258, 5819)
    List {
        /// `(SUBSCRIBED)`, `(SPECIAL-USE)`, …; empty for none.
        selection: Vec<String>,
        /// The reference name.
        reference: WireName,
        /// The patterns; more than one makes it extended.
        patterns: Vec<WireName>,
        /// `RETURN (…)` words such as `SUBSCRIBED`, `SPECIAL-USE`; empty for none.
        returns: Vec<String>,
        /// `RETURN (STATUS (…))` items; empty for none.
        status: Vec<StatusItem>,
    },
    /// LSUB (RFC 3501 §6.3.9)
    Lsub {
        /// The reference name.
        reference: WireName,
        /// The pattern.
        pattern: WireName,
    },
    /// STATUS
    Status {
        /// The mailbox.
        mailbox: WireName,
        /// What is asked.
        items: Vec<StatusItem>,
    },
    /// FETCH by sequence numbers or UIDs
    Fetch {
        /// Whether the set is of UIDs.
        uid: bool,
        /// Which messages.
        set: NumberSet,
        /// What of them.
        items: Vec<FetchItem>,
        /// `(CHANGEDSINCE n [VANISHED])` (RFC 7162).
        changed_since: Option<ChangedSince>,
        /// `(PARTIAL a:b)` (RFC 9394).
        partial: Option<(i64, i64)>,
    },
    /// SEARCH by UID, with `RETURN (…)` where the server has ESEARCH
    Search {
        /// Whether UIDs are asked for.
        uid: bool,
        /// `RETURN (…)` words; empty for a plain SEARCH.
        returns: Vec<String>,
        /// The criteria; strings are sent as quoted or literal, never as they are.
        criteria: Vec<SearchKey>,
    },
    /// STORE by UID
    Store {
        /// The messages.
        set: UidSet,
        /// How the flags are applied.
        action: StoreAction,
        /// `.SILENT`
        silent: bool,
        /// The flags.
        flags: FlagSet,
        /// `(UNCHANGEDSINCE n)`
        unchanged_since: Option<u64>,
    },
    /// COPY by UID
    Copy {
        /// The messages.
        set: UidSet,
        /// The target.
        mailbox: WireName,
    },
    /// MOVE by UID (RFC 6851)
    Move {
        /// The messages.
        set: UidSet,
        /// The target.
        mailbox: WireName,
    },
    /// UID EXPUNGE (RFC 4315)
    UidExpunge(UidSet),
    /// EXPUNGE
    Expunge,
    /// APPEND; of several messages with MULTIAPPEND (RFC 3502), all or none. Each is sent as a literal (literal8 with BINARY)
    /// behind what is said of it.
    Append {
        /// The target.
        mailbox: WireName,
        /// The messages, one at least.
        messages: Vec<AppendItem>,
    },
    /// CREATE, with `(USE (…))` (RFC 6154)
    Create {
        /// The mailbox.
        mailbox: WireName,
        /// Special-use attributes.
        special_use: Vec<String>,
    },
    /// DELETE
    Delete(WireName),
    /// RENAME
    Rename {
        /// From.
        from: WireName,
        /// To.
        to: WireName,
    },
    /// SUBSCRIBE
    Subscribe(WireName),
    /// UNSUBSCRIBE
    Unsubscribe(WireName),
    /// IDLE (RFC 2177); ended by [`DONE`].
    Idle,
    /// NOTIFY SET (RFC 5465): news of the open mailbox as ever, and STATUS where these change, if there are any.
    Notify(Vec<WireName>),
    /// GETQUOTAROOT (RFC 9208)
    GetQuotaRoot(WireName),
    /// MYRIGHTS (RFC 4314)
    MyRights(WireName),
}

impl Command {
    /// Overwrites what is secret in the command, once it is encoded and will not be sent again.
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
        macro_rules! shown {
            ($name:literal, $($field:ident: $value:expr),*) => {
                f.debug_struct($name)$(.field(stringify!($field), $value))*.finish()
            };
        }
        match self {
            Command::Capability => f.write_str("Capability"),
            Command::Noop => f.write_str("Noop"),
            Command::Logout => f.write_str("Logout"),
            Command::StartTls => f.write_str("StartTls"),
            Command::Authenticate { mechanism, initial } => {
                shown!("Authenticate", mechanism: mechanism, initial: &initial.as_ref().map(|_| Hidden))
            }
            Command::Login { user, password: _ } => {
                shown!("Login", user: &Text(user), password: &Hidden)
            }
            Command::Enable(names) => f.debug_tuple("Enable").field(names).finish(),
            Command::Id(pairs) => f.debug_tuple("Id").field(pairs).finish(),
            Command::Namespace => f.write_str("Namespace"),
            Command::Compress => f.write_str("Compress"),
            Command::Select { mailbox, read_only, resync } => {
                shown!("Select", mailbox: &Text(mailbox), read_only: read_only, resync: resync)
            }
            Command::Unselect => f.write_str("Unselect"),
            Command::Close => f.write_str("Close"),
            Command::List { selection, reference, patterns, returns, status } => shown!(
                "List",
                selection: selection,
                reference: &Text(reference),
                patterns: &patterns.iter().map(|pattern| Text(pattern)).collect::<Vec<_>>(),
                returns: returns,
                status: status
            ),
            Command::Lsub { reference, pattern } => {
                shown!("Lsub", reference: &Text(reference), pattern: &Text(pattern))
            }
            Command::Status { mailbox, items } => {
                shown!("Status", mailbox: &Text(mailbox), items: items)
            }
            Command::Fetch { uid, set, items, changed_since, partial } => shown!(
                "Fetch", uid: uid, set: set, items: items, changed_since: changed_since, partial: partial
            ),
            Command::Search { uid, returns, criteria } => {
                shown!("Search", uid: uid, returns: returns, criteria: criteria)
            }
            Command::Store { set, action, silent, flags, unchanged_since } => shown!(
                "Store", set: set, action: action, silent: silent, flags: flags,
                unchanged_since: unchanged_since
            ),
            Command::Copy { set, mailbox } => shown!("Copy", set: set, mailbox: &Text(mailbox)),
            Command::Move { set, mailbox } => shown!("Move", set: set, mailbox: &Text(mailbox)),
            Command::UidExpunge(set) => f.debug_tuple("UidExpunge").field(set).finish(),
            Command::Expunge => f.write_str("Expunge"),
            Command::Append { mailbox, messages } => {
                shown!("Append", mailbox: &Text(mailbox), messages: messages)
            }
            Command::Create { mailbox, special_use } => {
                shown!("Create", mailbox: &Text(mailbox), special_use: special_use)
            }
            Command::Delete(mailbox) => f.debug_tuple("Delete").field(&Text(mailbox)).finish(),
            Command::Rename { from, to } => shown!("Rename", from: &Text(from), to: &Text(to)),
            Command::Subscribe(mailbox) => f.debug_tuple("Subscribe").field(&Text(mailbox)).finish(),
            Command::Unsubscribe(mailbox) => f.debug_tuple("Unsubscribe").field(&Text(mailbox)).finish(),
            Command::Idle => f.write_str("Idle"),
            Command::Notify(mailboxes) => {
                f.debug_tuple("Notify").field(&mailboxes.iter().map(|m| Text(m)).collect::<Vec<_>>()).finish()
            }
            Command::GetQuotaRoot(mailbox) => f.debug_tuple("GetQuotaRoot").field(&Text(mailbox)).finish(),
            Command::MyRights(mailbox) => f.debug_tuple("MyRights").field(&Text(mailbox)).finish(),
        }
    }
}

/// Stands where a secret is.
struct Hidden;

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// Octets shown as text, with what is not printable ASCII escaped.
struct Text<'a>(&'a [u8]);

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// The line that ends IDLE.
pub const DONE: &[u8] = b"DONE\r\n";

/// The resynchronisation parameter of SELECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resync {
    /// None.
    None,
    /// `(CONDSTORE)`
    Condstore,
    /// `(QRESYNC (uidvalidity modseq known-uids))` (RFC 7162 §3.2.5)
    Qresync {
        /// UIDVALIDITY last seen.
        uid_validity: u32,
        /// HIGHESTMODSEQ last seen; never 0.
        modseq: u64,
        /// The UIDs known here; empty leaves the parameter out.
        known: UidSet,
    },
}

/// Messages named in a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NumberSet {
    /// These, as ranges.
    Set(UidSet),
    /// `first:*`
    From(u32),
    /// These and `first:*`. `*` alone is `u32::MAX:*`, since a range's ends may stand in either order.
    Union(UidSet, u32),
    /// `$`: what the last SEARCH saved (RFC 5182).
    Saved,
}

/// `(CHANGEDSINCE n [VANISHED])`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangedSince {
    /// The mod-sequence.
    pub modseq: u64,
    /// Whether VANISHED is asked too (QRESYNC must be enabled).
    pub vanished: bool,
}

/// What FETCH asks of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub enum FetchItem {
    Uid,
    Flags,
    ModSeq,
    InternalDate,
    Rfc822Size,
    Envelope,
    BodyStructure,
    EmailId,
    ThreadId,
    Preview,
    /// `PREVIEW (LAZY)` (RFC 8970 §3.2)
    PreviewLazy,
    SaveDate,
    /// `BODY`, the structure without its extension fields
    Body,
    /// `RFC822`
    Rfc822,
    /// `RFC822.HEADER`
    Rfc822Header,
    /// `RFC822.TEXT`
    Rfc822Text,
    GmailMessageId,
    GmailThreadId,
    GmailLabels,
    /// `BODY.PEEK[section]<origin.length>`
    Peek {
        section: Section,
        partial: Option<(u32, u32)>,
    },
    /// `BODY[section]<origin.length>`, which sets `\Seen`
    Section {
        section: Section,
        partial: Option<(u32, u32)>,
    },
    /// `BINARY.PEEK[part]<origin.length>` (RFC 3516); no number names the whole message
    BinaryPeek {
        part: Vec<u32>,
        partial: Option<(u32, u32)>,
    },
    /// `BINARY[part]<origin.length>`, which sets `\Seen`
    Binary {
        part: Vec<u32>,
        partial: Option<(u32, u32)>,
    },
    /// `BINARY.SIZE[part]`
    BinarySize {
        part: Vec<u32>,
    },
}

/// A body section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Section {
    /// The whole message.
    Full,
    /// The header.
    Header,
    /// Some fields of the header.
    HeaderFields(Vec<String>),
    /// All fields of the header but these.
    HeaderFieldsNot(Vec<String>),
    /// Everything after the header.
    Text,
    /// A part by its numbers, e.g. `1.2`.
    Part(Vec<u32>),
    /// A part's MIME header.
    Mime(Vec<u32>),
    /// Something of a message inside the message, such as `1.2.HEADER`.
    Within {
        /// The part that is a message.
        part: Vec<u32>,
        /// Its header, some fields of it, or its text; nothing else can stand here.
        section: Box<Section>,
    },
}

/// A SEARCH key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub enum SearchKey {
    All,
    /// Sequence numbers.
    Seq(NumberSet),
    Uid(NumberSet),
    Answered,
    Deleted,
    Draft,
    Flagged,
    Seen,
    Recent,
    New,
    Old,
    Unanswered,
    Undeleted,
    Undraft,
    Unflagged,
    Unseen,
    Keyword(String),
    Unkeyword(String),
    Since {
        year: u16,
        month: u8,
        day: u8,
    },
    /// Every other key that compares days; `SINCE` itself is [`SearchKey::Since`].
    Date {
        field: DateField,
        order: DateOrder,
        day: Day,
    },
    /// `OLDER`, in seconds (RFC 5032).
    Older(u32),
    /// `YOUNGER`, in seconds (RFC 5032).
    Younger(u32),
    SaveDateSupported,
    From(Vec<u8>),
    To(Vec<u8>),
    Cc(Vec<u8>),
    Bcc(Vec<u8>),
    Subject(Vec<u8>),
    Body(Vec<u8>),
    Text(Vec<u8>),
    Header {
        name: String,
        value: Vec<u8>,
    },
    Larger(u64),
    Smaller(u64),
    ModSeq(u64),
    EmailId(String),
    ThreadId(String),
    Not(Box<SearchKey>),
    Or(Box<SearchKey>, Box<SearchKey>),
    /// Keys in parentheses, all of which must hold.
    And(Vec<SearchKey>),
}

/// Which date of a message a SEARCH key looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateField {
    /// INTERNALDATE: `BEFORE`, `ON`, `SINCE`.
    Internal,
    /// The Date field: `SENTBEFORE`, `SENTON`, `SENTSINCE`.
    Sent,
    /// When it was put into the mailbox: `SAVEDBEFORE`, `SAVEDON`, `SAVEDSINCE` (RFC 8514).
    Saved,
}

/// How a SEARCH key compares days, times and zones left aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// Earlier.
    Before,
    /// The same day.
    On,
    /// The same day or later.
    Since,
}

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    /// 0 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

/// STATUS items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub enum StatusItem {
    Messages,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
    Size,
    HighestModSeq,
    MailboxId,
    AppendLimit,
    Recent,
    DeletedStorage,
}

/// One message of an APPEND.
#[derive(Clone, PartialEq, Eq)]
pub struct AppendItem {
    /// The flags.
    pub flags: FlagSet,
    /// INTERNALDATE in milliseconds since 1970, sent in UTC.
    pub internal_date: Option<i64>,
    /// The message's octets.
    pub message: Vec<u8>,
}

impl fmt::Debug for AppendItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AppendItem { flags, internal_date, message } = self;
        write!(f, "{flags:?} at {internal_date:?}, {} octets", message.len())
    }
}

/// How STORE applies flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreAction {
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
    /// `FLAGS`
    Replace,
}

#[cfg(test)]
mod tests {
    use super::Command;

    #[test]
    fn debug_shows_no_secret() {
        let login = Command::Login { user: b"ann".to_vec(), password: b"s3cret".to_vec() };
        assert_eq!(format!("{login:?}"), r#"Login { user: "ann", password: [hidden] }"#);
        let sasl =
            Command::Authenticate { mechanism: "PLAIN".into(), initial: Some(b"\0ann\0s3cret".to_vec()) };
        assert_eq!(format!("{sasl:?}"), r#"Authenticate { mechanism: "PLAIN", initial: Some([hidden]) }"#);
    }

    #[test]
    fn wiping_leaves_no_password() {
        let mut login = Command::Login { user: b"ann".to_vec(), password: b"s3cret".to_vec() };
        login.wipe();
        assert_eq!(login, Command::Login { user: b"ann".to_vec(), password: Vec::new() });
        let mut sasl = Command::Authenticate { mechanism: "PLAIN".into(), initial: Some(b"x".to_vec()) };
        sasl.wipe();
        assert!(matches!(sasl, Command::Authenticate { initial: None, .. }), "{sasl:?}");
    }
}
