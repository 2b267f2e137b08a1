//! What a server says, typed, and how it is written (RFC 9051 §7, RFC 3501 §7 and extensions).
//!
//! ```
//! use mailkeep::imap::server::response::{Response, Style, encode};
//!
//! let mut out = Vec::new();
//! encode(&Response::Exists(23), Style::default(), &mut out);
//! assert_eq!(out, b"* 23 EXISTS\r\n");
//! ```

mod fetch;

pub use fetch::{FetchValue, FetchWriter, SectionOctets};

use super::write::Writer;
use crate::flags::FlagSet;
use crate::imap::command::StatusItem;
pub use crate::imap::response::{PlainCode, StatusKind};
use crate::set::UidSet;

/// How this client reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// UTF-8 in quoted strings and mailbox names: `UTF8=ACCEPT` or IMAP4rev2 is enabled.
    pub utf8: bool,
}

/// One response.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub enum Response<'a> {
    /// `+ text`
    Continue(&'a str),
    /// `+ ` and a challenge in base64
    Challenge(&'a [u8]),
    /// OK, NO, BAD, PREAUTH or BYE; untagged without a tag.
    Status {
        tag: Option<&'a str>,
        kind: StatusKind,
        code: Option<Code<'a>>,
        text: &'a str,
    },
    Capability(&'a [&'a str]),
    Enabled(&'a [&'a str]),
    List(ListEntry<'a>),
    Lsub {
        attributes: &'a [&'a str],
        delimiter: Option<char>,
        mailbox: &'a str,
    },
    MailboxStatus {
        mailbox: &'a str,
        items: &'a [(StatusItem, StatusValue<'a>)],
    },
    Search {
        numbers: &'a [u32],
        modseq: Option<u64>,
    },
    Sort {
        numbers: &'a [u32],
        modseq: Option<u64>,
    },
    /// `THREAD`, with the threads already written.
    Thread(&'a str),
    Esearch(Esearch<'a>),
    Flags(&'a FlagSet),
    Exists(u32),
    Recent(u32),
    Expunge(u32),
    Vanished {
        earlier: bool,
        uids: &'a UidSet,
    },
    /// Each namespace has one prefix and its delimiter here, or is missing.
    Namespace {
        personal: Option<(&'a str, Option<char>)>,
        other_users: Option<(&'a str, Option<char>)>,
        shared: Option<(&'a str, Option<char>)>,
    },
    Id(&'a [(&'a str, &'a str)]),
    Quota {
        root: &'a str,
        resources: &'a [(&'a str, u64, u64)],
    },
    QuotaRoot {
        mailbox: &'a str,
        roots: &'a [&'a str],
    },
    MyRights {
        mailbox: &'a str,
        rights: &'a str,
    },
}

/// A LIST answer (RFC 9051 §7.3.1, RFC 5258).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListEntry<'a> {
    /// `\HasChildren`, `\Sent`, …
    pub attributes: &'a [&'a str],
    /// The hierarchy delimiter.
    pub delimiter: Option<char>,
    /// The name.
    pub mailbox: &'a str,
    /// `CHILDINFO`: why it is here although it does not match itself.
    pub child_info: &'a [&'a str],
    /// `OLDNAME`: what it was called before.
    pub old_name: Option<&'a str>,
}

/// The value of a STATUS item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusValue<'a> {
    /// A number.
    Number(u64),
    /// An object id (RFC 8474).
    Id(&'a str),
    /// NIL: no limit (RFC 7889).
    Nil,
}

/// An extended search answer (RFC 4731, RFC 9394).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[allow(missing_docs, reason = "the names are the protocol's")]
pub struct Esearch<'a> {
    pub tag: &'a str,
    pub uid: bool,
    pub min: Option<u32>,
    pub max: Option<u32>,
    /// An empty set is left out.
    pub all: Option<&'a UidSet>,
    /// ALL of a SORT, whose order matters (RFC 5267 §3).
    pub all_sorted: Option<&'a [u32]>,
    pub count: Option<u32>,
    pub modseq: Option<u64>,
    /// The range asked for, and the numbers in it in their order.
    pub partial: Option<((i64, i64), &'a [u32])>,
}

/// A response code (RFC 9051 §7.1, RFC 5530 and extensions).
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "the names are the registered codes")]
pub enum Code<'a> {
    Alert,
    BadCharset,
    /// The events that are told of (RFC 5465).
    BadEvent(&'a [&'a str]),
    Capability(&'a [&'a str]),
    Closed,
    CompressionActive,
    HighestModSeq(u64),
    MailboxId(&'a str),
    Modified(&'a UidSet),
    NotificationOverflow,
    NoModSeq,
    Parse,
    PermanentFlags {
        flags: &'a FlagSet,
        keywords: bool,
    },
    ReadOnly,
    ReadWrite,
    TryCreate,
    UidNext(u32),
    UidNotSticky,
    UidValidity(u32),
    Unseen(u32),
    AppendUid {
        uid_validity: u32,
        uids: &'a UidSet,
    },
    /// UIDs in the source, and in the target in the same order.
    CopyUid {
        uid_validity: u32,
        source: &'a UidSet,
        target: &'a UidSet,
    },
    Plain(PlainCode),
}

/// Writes a response to the end of `out`, its line end included.
pub fn encode(response: &Response<'_>, style: Style, out: &mut Vec<u8>) {
    let mut w = Writer::new(out, style.utf8);
    put(&mut w, response);
    w.crlf();
}

fn put(w: &mut Writer<'_>, response: &Response<'_>) {
    match response {
        Response::Continue(text) => {
            w.raw("+ ");
            w.text(text);
        }
        Response::Challenge(challenge) => {
            use base64::Engine as _;
            w.raw("+ ");
            w.raw(&base64::engine::general_purpose::STANDARD.encode(challenge));
        }
        Response::Status { tag, kind, code, text } => {
            put_tag(w, *tag);
            w.raw(match kind {
                StatusKind::Ok => " OK ",
                StatusKind::No => " NO ",
                StatusKind::Bad => " BAD ",
                StatusKind::Preauth => " PREAUTH ",
                StatusKind::Bye => " BYE ",
            });
            if let Some(code) = code {
                w.raw("[");
                put_code(w, code);
                w.raw("] ");
            }
            w.text(text);
        }
        Response::Capability(words) => put_words(w, "* CAPABILITY", words),
        Response::Enabled(words) => put_words(w, "* ENABLED", words),
        Response::List(entry) => {
            put_name(w, "* LIST ", entry.attributes, entry.delimiter, entry.mailbox);
            put_extended(w, entry);
        }
        Response::Lsub { attributes, delimiter, mailbox } => {
            put_name(w, "* LSUB ", attributes, *delimiter, mailbox);
        }
        Response::MailboxStatus { mailbox, items } => put_status(w, mailbox, items),
        Response::Search { numbers, modseq } => put_numbers(w, "* SEARCH", numbers, *modseq),
        Response::Sort { numbers, modseq } => put_numbers(w, "* SORT", numbers, *modseq),
        Response::Thread(threads) => {
            w.raw(if threads.is_empty() { "* THREAD" } else { "* THREAD " });
            w.raw(threads);
        }
        Response::Esearch(found) => put_esearch(w, found),
        Response::Flags(flags) => {
            w.raw("* FLAGS ");
            w.flags(flags.wire_words());
        }
        Response::Exists(count) => put_count(w, *count, " EXISTS"),
        Response::Recent(count) => put_count(w, *count, " RECENT"),
        Response::Expunge(seq) => put_count(w, *seq, " EXPUNGE"),
        Response::Vanished { earlier, uids } => {
            w.raw(if *earlier { "* VANISHED (EARLIER) " } else { "* VANISHED " });
            w.raw(&uids.to_string());
        }
        Response::Namespace { personal, other_users, shared } => {
            w.raw("* NAMESPACE");
            for space in [personal, other_users, shared] {
                put_namespace(w, *space);
            }
        }
        Response::Id(pairs) => {
            w.raw(if pairs.is_empty() { "* ID NIL" } else { "* ID (" });
            for (at, (name, value)) in pairs.iter().enumerate() {
                w.raw(if at == 0 { "" } else { " " });
                w.string(name.as_bytes());
                w.raw(" ");
                w.string(value.as_bytes());
            }
            w.raw(if pairs.is_empty() { "" } else { ")" });
        }
        Response::Quota { root, resources } => {
            w.raw("* QUOTA ");
            w.astring(root.as_bytes());
            w.raw(" (");
            for (at, (name, usage, limit)) in resources.iter().enumerate() {
                w.raw(if at == 0 { "" } else { " " });
                w.atom(name);
                w.raw(" ");
                w.number(*usage);
                w.raw(" ");
                w.number(*limit);
            }
            w.raw(")");
        }
        Response::QuotaRoot { mailbox, roots } => {
            w.raw("* QUOTAROOT ");
            w.mailbox(mailbox);
            for root in *roots {
                w.raw(" ");
                w.astring(root.as_bytes());
            }
        }
        Response::MyRights { mailbox, rights } => {
            w.raw("* MYRIGHTS ");
            w.mailbox(mailbox);
            w.raw(" ");
            w.astring(rights.as_bytes());
        }
    }
}

fn put_tag(w: &mut Writer<'_>, tag: Option<&str>) {
    match tag {
        Some(tag) => w.atom(tag),
        None => w.raw("*"),
    }
}

fn put_words(w: &mut Writer<'_>, name: &str, words: &[&str]) {
    w.raw(name);
    for word in words {
        w.raw(" ");
        w.atom(word);
    }
}

fn put_count(w: &mut Writer<'_>, count: u32, word: &str) {
    w.raw("* ");
    w.number(count.into());
    w.raw(word);
}

fn put_delimiter(w: &mut Writer<'_>, delimiter: Option<char>) {
    match delimiter {
        Some(delimiter) => w.string(delimiter.encode_utf8(&mut [0; 4]).as_bytes()),
        None => w.raw("NIL"),
    }
}

fn put_name(w: &mut Writer<'_>, word: &str, attributes: &[&str], delimiter: Option<char>, mailbox: &str) {
    w.raw(word);
    w.flags(attributes.iter().copied());
    w.raw(" ");
    put_delimiter(w, delimiter);
    w.raw(" ");
    w.mailbox(mailbox);
}

/// RFC 5258 §6: mbox-list-extended.
fn put_extended(w: &mut Writer<'_>, entry: &ListEntry<'_>) {
    if entry.child_info.is_empty() && entry.old_name.is_none() {
        return;
    }
    w.raw(" (");
    if !entry.child_info.is_empty() {
        w.raw("\"CHILDINFO\" (");
        for (at, word) in entry.child_info.iter().enumerate() {
            w.raw(if at == 0 { "" } else { " " });
            w.string(word.as_bytes());
        }
        w.raw(")");
    }
    if let Some(old_name) = entry.old_name {
        w.raw(if entry.child_info.is_empty() { "" } else { " " });
        w.raw("\"OLDNAME\" (");
        w.mailbox(old_name);
        w.raw(")");
    }
    w.raw(")");
}

fn put_status(w: &mut Writer<'_>, mailbox: &str, items: &[(StatusItem, StatusValue<'_>)]) {
    w.raw("* STATUS ");
    w.mailbox(mailbox);
    w.raw(" (");
    for (at, (item, value)) in items.iter().enumerate() {
        w.raw(if at == 0 { "" } else { " " });
        w.raw(crate::imap::encode::status_word(*item));
        w.raw(" ");
        match value {
            StatusValue::Number(number) => w.number(*number),
            StatusValue::Id(id) => {
                w.raw("(");
                w.atom(id);
                w.raw(")");
            }
            StatusValue::Nil => w.raw("NIL"),
        }
    }
    w.raw(")");
}

fn put_numbers(w: &mut Writer<'_>, word: &str, numbers: &[u32], modseq: Option<u64>) {
    w.raw(word);
    for number in numbers {
        w.raw(" ");
        w.number((*number).into());
    }
    // RFC 7162 §3.1.6: only with something found.
    if let Some(modseq) = modseq.filter(|_| !numbers.is_empty()) {
        w.raw(" (MODSEQ ");
        w.number(modseq);
        w.raw(")");
    }
}

fn put_esearch(w: &mut Writer<'_>, found: &Esearch<'_>) {
    w.raw("* ESEARCH (TAG ");
    w.string(found.tag.as_bytes());
    w.raw(if found.uid { ") UID" } else { ")" });
    let item = |w: &mut Writer<'_>, word: &str, number: Option<u64>| {
        if let Some(number) = number {
            w.raw(word);
            w.number(number);
        }
    };
    item(w, " MIN ", found.min.map(u64::from));
    item(w, " MAX ", found.max.map(u64::from));
    item(w, " COUNT ", found.count.map(u64::from));
    if let Some(all) = found.all.filter(|all| !all.is_empty()) {
        w.raw(" ALL ");
        w.raw(&all.to_string());
    }
    if let Some(all) = found.all_sorted.filter(|all| !all.is_empty()) {
        w.raw(" ALL ");
        put_in_order(w, all);
    }
    if let Some(((from, to), numbers)) = found.partial {
        w.raw(&format!(" PARTIAL ({from}:{to} "));
        match numbers {
            [] => w.raw("NIL"),
            numbers => put_in_order(w, numbers),
        }
        w.raw(")");
    }
    item(w, " MODSEQ ", found.modseq);
}

/// Numbers as a set whose order is kept; ascending runs become ranges.
fn put_in_order(w: &mut Writer<'_>, numbers: &[u32]) {
    for (at, run) in numbers.chunk_by(|a, b| a.checked_add(1) == Some(*b)).enumerate() {
        w.raw(if at == 0 { "" } else { "," });
        w.number(run[0].into());
        if let [_, .., last] = run {
            w.raw(":");
            w.number((*last).into());
        }
    }
}

fn put_namespace(w: &mut Writer<'_>, space: Option<(&str, Option<char>)>) {
    match space {
        Some((prefix, delimiter)) => {
            w.raw(" ((");
            let wire = prefix.as_bytes();
            w.string(wire);
            w.raw(" ");
            put_delimiter(w, delimiter);
            w.raw("))");
        }
        None => w.raw(" NIL"),
    }
}

fn put_code(w: &mut Writer<'_>, code: &Code<'_>) {
    let numbered = |w: &mut Writer<'_>, word: &str, number: u64| {
        w.raw(word);
        w.number(number);
    };
    match code {
        Code::Alert => w.raw("ALERT"),
        Code::BadCharset => w.raw("BADCHARSET (US-ASCII UTF-8)"),
        Code::BadEvent(events) => {
            w.raw("BADEVENT ");
            w.flags(events.iter().copied());
        }
        Code::Capability(words) => put_words(w, "CAPABILITY", words),
        Code::Closed => w.raw("CLOSED"),
        Code::CompressionActive => w.raw("COMPRESSIONACTIVE"),
        Code::HighestModSeq(modseq) => numbered(w, "HIGHESTMODSEQ ", *modseq),
        Code::MailboxId(id) => {
            w.raw("MAILBOXID (");
            w.atom(id);
            w.raw(")");
        }
        Code::Modified(set) => {
            w.raw("MODIFIED ");
            w.raw(&set.to_string());
        }
        Code::NotificationOverflow => w.raw("NOTIFICATIONOVERFLOW"),
        Code::NoModSeq => w.raw("NOMODSEQ"),
        Code::Parse => w.raw("PARSE"),
        Code::PermanentFlags { flags, keywords } => {
            w.raw("PERMANENTFLAGS ");
            let any = if *keywords { Some("\\*") } else { None };
            w.flags(flags.wire_words().chain(any));
        }
        Code::ReadOnly => w.raw("READ-ONLY"),
        Code::ReadWrite => w.raw("READ-WRITE"),
        Code::TryCreate => w.raw("TRYCREATE"),
        Code::UidNext(uid) => numbered(w, "UIDNEXT ", (*uid).into()),
        Code::UidNotSticky => w.raw("UIDNOTSTICKY"),
        Code::UidValidity(value) => numbered(w, "UIDVALIDITY ", (*value).into()),
        Code::Unseen(seq) => numbered(w, "UNSEEN ", (*seq).into()),
        Code::AppendUid { uid_validity, uids } => {
            numbered(w, "APPENDUID ", (*uid_validity).into());
            w.raw(&format!(" {uids}"));
        }
        Code::CopyUid { uid_validity, source, target } => {
            numbered(w, "COPYUID ", (*uid_validity).into());
            w.raw(&format!(" {source} {target}"));
        }
        Code::Plain(code) => w.raw(crate::imap::parse::plain_word(*code)),
    }
}
