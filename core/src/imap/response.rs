//! What an IMAP server says, typed and borrowed from the bytes it sent (RFC 9051 §7, RFC 3501 §7).
//!
//! Every value here borrows; parsing one response allocates nothing. Lists are kept as validated
//! slices that iterate when asked, so that a reader pays only for what it looks at.

use crate::imap::fetch::FetchAttrs;
use crate::imap::parse::cursor::Cursor;
pub use crate::imap::parse::walk::Numbers;
use crate::imap::text::{FlagList, NString, SequenceSet, Text, Words};

/// One whole response: a continuation request, a status, or data.
#[derive(Debug, Clone, Copy)]
pub enum Response<'a> {
    /// `+ …`: the server waits for the rest of a command. The text is base64 in an
    /// authentication exchange (RFC 9051 §7.6).
    Continuation(&'a [u8]),
    /// `OK`, `NO`, `BAD`, `PREAUTH` or `BYE`, tagged or not (RFC 9051 §7.1).
    Status(Status<'a>),
    /// Untagged data (RFC 9051 §7.2 – §7.5).
    Data(Data<'a>),
}

/// A status response.
#[derive(Debug, Clone, Copy)]
pub struct Status<'a> {
    /// The tag, or `None` where the response was untagged.
    pub tag: Option<&'a [u8]>,
    /// Which of the five.
    pub kind: StatusKind,
    /// The response code in brackets, if any.
    pub code: Option<Code<'a>>,
    /// The text for a person; empty where the server gave none.
    pub text: &'a [u8],
}

/// The word of a status response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusKind {
    /// Success, or a notice when untagged.
    Ok,
    /// The command failed, or a warning when untagged.
    No,
    /// The command was not understood, or a protocol error when untagged.
    Bad,
    /// A greeting that says the connection is already authenticated.
    Preauth,
    /// The server is about to close the connection.
    Bye,
}

/// A response code (RFC 9051 §7.1, RFC 5530 and the extensions' own).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Code<'a> {
    /// The text must be shown to the user.
    Alert,
    /// Charsets that SEARCH supports.
    BadCharset(Words<'a>),
    /// The capability list.
    Capability(Words<'a>),
    /// A message in the mailbox could not be parsed by the server.
    Parse,
    /// Flags that can be changed permanently; `\*` means that new keywords may be made.
    PermanentFlags(FlagList<'a>),
    /// The mailbox is open read-only.
    ReadOnly,
    /// The mailbox is open read-write.
    ReadWrite,
    /// The target mailbox does not exist but could be created.
    TryCreate,
    /// The next UID. Values past 2^32 − 1 are refused by the parser.
    UidNext(u32),
    /// The mailbox's UIDVALIDITY.
    UidValidity(u32),
    /// Sequence number of the first unseen message (RFC 3501).
    Unseen(u32),
    /// UIDPLUS: where an appended message went (RFC 4315).
    AppendUid {
        /// UIDVALIDITY of the target mailbox.
        uid_validity: u32,
        /// The UIDs given.
        uids: SequenceSet<'a>,
    },
    /// UIDPLUS: where copied messages went (RFC 4315).
    CopyUid {
        /// UIDVALIDITY of the target mailbox.
        uid_validity: u32,
        /// UIDs in the source.
        source: SequenceSet<'a>,
        /// UIDs in the target, in the same order.
        target: SequenceSet<'a>,
    },
    /// The mailbox has no persistent UIDs.
    UidNotSticky,
    /// CONDSTORE (RFC 7162). Zero where the server said something that is no number.
    HighestModSeq(u64),
    /// The mailbox has no mod-sequences.
    NoModSeq,
    /// UIDs or numbers that a conditional STORE left alone.
    Modified(SequenceSet<'a>),
    /// The previous mailbox is closed; what follows is about the new one (RFC 7162 §3.2.11).
    Closed,
    /// COMPRESS is active already.
    CompressionActive,
    /// A referral (RFC 2221, 2193); never followed by itself.
    Referral(&'a [u8]),
    /// OBJECTID: the mailbox's id (RFC 8474).
    MailboxId(&'a [u8]),
    /// NOTIFY was not accepted as given, or has overflown (RFC 5465).
    NotificationOverflow,
    /// One of the codes of RFC 5530 or a later one that takes no argument.
    Plain(PlainCode),
    /// A code this parser gives no meaning, with its argument as sent.
    Other {
        /// The atom after `[`.
        name: &'a [u8],
        /// What follows it, without the leading space.
        argument: &'a [u8],
    },
}

/// Response codes without arguments (RFC 5530, 4978, 9051).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are the registered codes")]
pub enum PlainCode {
    Unavailable,
    AuthenticationFailed,
    AuthorizationFailed,
    Expired,
    PrivacyRequired,
    ContactAdmin,
    NoPerm,
    InUse,
    ExpungeIssued,
    Corruption,
    ServerBug,
    ClientBug,
    Cannot,
    Limit,
    OverQuota,
    AlreadyExists,
    Nonexistent,
    NotSaved,
    HasChildren,
    UnknownCte,
    TooBig,
    UseAttr,
    BadUrl,
    TooMany,
}

/// Untagged data.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Data<'a> {
    /// `* CAPABILITY …`
    Capability(Words<'a>),
    /// `* ENABLED …` (RFC 5161)
    Enabled(Words<'a>),
    /// `* LIST …`
    List(ListEntry<'a>),
    /// `* LSUB …` (RFC 3501 §7.2.3)
    Lsub(ListEntry<'a>),
    /// `* STATUS …`
    Status(MailboxStatus<'a>),
    /// `* SEARCH …` (RFC 3501 §7.2.5; RFC 7162 adds MODSEQ)
    Search(SearchNumbers<'a>),
    /// `* SORT …` (RFC 5256)
    Sort(SearchNumbers<'a>),
    /// `* ESEARCH …` (RFC 4731)
    Esearch(Esearch<'a>),
    /// `* FLAGS (…)`
    Flags(FlagList<'a>),
    /// `* n EXISTS`
    Exists(u32),
    /// `* n RECENT` (RFC 3501 §7.3.2)
    Recent(u32),
    /// `* n EXPUNGE`; never 0.
    Expunge(u32),
    /// `* n FETCH (…)`
    Fetch(Fetch<'a>),
    /// `* VANISHED [(EARLIER)] uids` (RFC 7162 §3.2.10)
    Vanished {
        /// Whether it tells of expunges before this session.
        earlier: bool,
        /// The UIDs, as ranges: may name any number that never existed.
        uids: SequenceSet<'a>,
    },
    /// `* NAMESPACE …` (RFC 2342), unparsed past its three lists.
    Namespace(Namespace<'a>),
    /// `* ID …` (RFC 2971): the list as sent, parentheses included, or `NIL`.
    Id(NamePairs<'a>),
    /// `* QUOTA root (…)` (RFC 9208)
    Quota(Quota<'a>),
    /// `* QUOTAROOT mailbox roots` (RFC 9208)
    QuotaRoot {
        /// The mailbox.
        mailbox: Text<'a>,
        /// The roots' names, as sent.
        roots: &'a [u8],
    },
    /// `* MYRIGHTS mailbox rights` (RFC 4314)
    MyRights {
        /// The mailbox.
        mailbox: Text<'a>,
        /// The rights' letters.
        rights: Text<'a>,
    },
    /// Data with a keyword this parser does not know; to be ignored (RFC 9051 §7).
    Unknown(&'a [u8]),
}

/// A LIST or LSUB entry.
#[derive(Debug, Clone, Copy)]
pub struct ListEntry<'a> {
    /// Attributes such as `\HasNoChildren`, `\Sent`; compared without case.
    pub attributes: FlagList<'a>,
    /// The hierarchy delimiter, or `None` where the mailbox has none.
    pub delimiter: Option<u8>,
    /// The name as on the wire: modified UTF-7, or UTF-8 where it was enabled.
    pub mailbox: Text<'a>,
    /// LIST-EXTENDED's data after the name, as sent, empty where there is none (RFC 5258).
    pub extended: &'a [u8],
}

/// A STATUS answer; an item the server did not send is `None`.
#[derive(Debug, Clone, Copy)]
pub struct MailboxStatus<'a> {
    /// The mailbox asked about.
    pub mailbox: Text<'a>,
    /// MESSAGES.
    pub messages: Option<u32>,
    /// UIDNEXT.
    pub uid_next: Option<u32>,
    /// UIDVALIDITY.
    pub uid_validity: Option<u32>,
    /// UNSEEN.
    pub unseen: Option<u32>,
    /// DELETED.
    pub deleted: Option<u32>,
    /// SIZE, in octets (RFC 8438).
    pub size: Option<u64>,
    /// HIGHESTMODSEQ; 0 where the mailbox keeps none (RFC 7162).
    pub highest_modseq: Option<u64>,
    /// MAILBOXID (RFC 8474).
    pub mailbox_id: Option<&'a [u8]>,
    /// APPENDLIMIT (RFC 7889).
    pub append_limit: Option<u64>,
}

/// The numbers of a SEARCH or SORT answer, separated by spaces.
#[derive(Debug, Clone, Copy)]
pub struct SearchNumbers<'a> {
    /// The digits and spaces, already checked.
    pub(crate) raw: &'a [u8],
    /// `(MODSEQ n)` at the end, where it was given.
    pub modseq: Option<u64>,
}

/// An extended search answer.
#[derive(Debug, Clone, Copy)]
pub struct Esearch<'a> {
    /// The tag of the command that asked, if the server says (correlator).
    pub tag: Option<Text<'a>>,
    /// Whether the numbers are UIDs.
    pub uid: bool,
    /// MIN.
    pub min: Option<u32>,
    /// MAX.
    pub max: Option<u32>,
    /// ALL; ranges that are never to be counted out one by one.
    pub all: Option<SequenceSet<'a>>,
    /// COUNT.
    pub count: Option<u32>,
    /// MODSEQ (RFC 7162).
    pub modseq: Option<u64>,
    /// PARTIAL: the range asked for and the numbers in it, if any (RFC 9394).
    pub partial: Option<(Text<'a>, Option<SequenceSet<'a>>)>,
}

/// FETCH data for one message.
#[derive(Debug, Clone, Copy)]
pub struct Fetch<'a> {
    /// The sequence number; never 0.
    pub seq: u32,
    /// The attributes, parsed as they are walked. One that does not parse comes as
    /// [`FetchAttr::Malformed`](crate::imap::fetch::FetchAttr::Malformed) and the walk goes on behind it.
    pub attrs: FetchAttrs<'a>,
}

/// A NAMESPACE answer: each list as sent (`NIL` or parenthesised).
#[derive(Debug, Clone, Copy)]
pub struct Namespace<'a> {
    /// The user's own; the first prefix and delimiter of it.
    pub personal: Option<(Text<'a>, Option<u8>)>,
    /// Other users'; the first.
    pub other_users: Option<(Text<'a>, Option<u8>)>,
    /// Shared; the first.
    pub shared: Option<(Text<'a>, Option<u8>)>,
}

/// Name and value pairs (ID).
#[derive(Debug, Clone, Copy)]
pub struct NamePairs<'a> {
    pub(crate) raw: &'a [u8],
}

/// A quota root's resources.
#[derive(Debug, Clone, Copy)]
pub struct Quota<'a> {
    /// The root's name.
    pub root: Text<'a>,
    /// `name usage limit` triples inside the parentheses, as sent; iterate with [`Quota::resources`].
    pub(crate) raw: &'a [u8],
}

/// One resource of a quota root.
#[derive(Debug, Clone, Copy)]
pub struct QuotaResource<'a> {
    /// `STORAGE` (in KiB), `MESSAGE`, …
    pub name: &'a [u8],
    /// In use.
    pub usage: u64,
    /// The limit.
    pub limit: u64,
}

/// The string or NIL of an ID pair.
pub type IdValue<'a> = NString<'a>;

impl<'a> SearchNumbers<'a> {
    /// The numbers in the order sent; none is 0.
    pub fn iter(&self) -> Numbers<'a> {
        Numbers::new(self.raw)
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl<'a> NamePairs<'a> {
    /// The pairs in the order sent; none where the server said NIL.
    pub fn iter(&self) -> impl Iterator<Item = (Text<'a>, IdValue<'a>)> + 'a {
        let mut cursor = Cursor::new(self.raw);
        cursor.eat(b'(');
        std::iter::from_fn(move || {
            cursor.spaces();
            let name = cursor.nstring().ok()??;
            cursor.spaces();
            Some((name, cursor.nstring().unwrap_or_default()))
        })
    }

    /// The value of a name, compared without case.
    pub fn get(&self, name: &str) -> IdValue<'a> {
        self.iter()
            .find(|(n, _)| n.bytes().eq_ignore_ascii_case(name.as_bytes()))
            .and_then(|(_, value)| value)
    }
}

impl<'a> Quota<'a> {
    /// The resources in the order sent.
    pub fn resources(&self) -> impl Iterator<Item = QuotaResource<'a>> + 'a {
        let mut cursor = Cursor::new(self.raw);
        std::iter::from_fn(move || cursor.quota_resource().ok().flatten())
    }
}
