//! Commands into octets (RFC 9051 §9).
//!
//! Every value goes out as an atom, a quoted string or a literal, whichever it fits; what fits none is
//! a typed error that names the field. No value can end its string, its line or its command.

mod fetch;
mod line;
pub(crate) mod search;
#[cfg(test)]
mod tests;

use zeroize::Zeroize;

use self::line::Line;
use crate::flags::FlagSet;
use crate::imap::command::{AppendItem, Command, NumberSet, Resync, StatusItem, StoreAction};
use crate::imap::date::format_internal_date;
use crate::set::UidSet;

/// Longest command in octets, the contents of literals not counted. RFC 9051 §4 and RFC 7162 §4 ask
/// servers to take 8,192.
pub const MAX_LINE: usize = 8_000;

/// Longest text of a set that leaves room for the rest of any usual command: what to give [`split_set`].
pub const MAX_SET: usize = 6_000;

/// What the server lets a client send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Which literals go without waiting.
    pub literal: LiteralMode,
    /// UTF-8 in quoted strings: `UTF8=ACCEPT` or IMAP4rev2 is enabled (RFC 9755 §3, RFC 9051).
    pub utf8: bool,
    /// `BINARY` is offered, so a message may hold NUL (RFC 3516 §4.4).
    pub binary: bool,
}

/// Which literals may go without the server's consent (RFC 7888).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LiteralMode {
    /// None: neither LITERAL+ nor LITERAL- is offered.
    #[default]
    Synchronizing,
    /// Those of at most 4,096 octets (`LITERAL-`, IMAP4rev2).
    Minus,
    /// All (`LITERAL+`).
    Plus,
}

/// A command as it goes on the wire: the fragments one after another.
#[derive(Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The pieces between which the client waits; at least one.
    pub fragments: Vec<Fragment>,
}

impl Encoded {
    /// Whether any fragment holds a password or a token.
    pub fn is_secret(&self) -> bool {
        self.fragments.iter().any(Fragment::is_secret)
    }
}

/// Octets to send together. Overwritten when dropped, if they are secret.
#[derive(PartialEq, Eq)]
pub struct Fragment {
    /// The octets.
    pub bytes: Vec<u8>,
    /// The server's `+` must come before the next fragment goes out: this one ends in the size of a
    /// synchronising literal.
    pub wait: bool,
    secret: bool,
}

impl Fragment {
    /// Whether the octets hold a password or a token.
    pub fn is_secret(&self) -> bool {
        self.secret
    }
}

impl Drop for Fragment {
    fn drop(&mut self) {
        if self.secret {
            self.bytes.zeroize();
        }
    }
}

impl std::fmt::Debug for Fragment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = if self.secret { "[hidden]".to_owned() } else { self.bytes.escape_ascii().to_string() };
        f.debug_struct("Fragment").field("bytes", &shown).field("wait", &self.wait).finish()
    }
}

/// Why a command cannot be sent. The caller's fault: nothing has gone out. `field` names the argument.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A tag of other than ASCII letters and digits, or an empty one.
    #[error("not a tag")]
    Tag,
    /// A NUL, which no string but a BINARY message may hold.
    #[error("the {field} holds a NUL")]
    Nul {
        /// The argument.
        field: &'static str,
    },
    /// The protocol takes only a word here and this is none.
    #[error("the {field} is not a word that the protocol can carry")]
    NotAtom {
        /// The argument.
        field: &'static str,
    },
    /// Text that the server would be told is UTF-8 and is not.
    #[error("the {field} is not UTF-8")]
    NotUtf8 {
        /// The argument.
        field: &'static str,
    },
    /// A set or list that must name something.
    #[error("the {field} names nothing")]
    Empty {
        /// The argument.
        field: &'static str,
    },
    /// A number or combination that the protocol has no place for.
    #[error("the {field} is out of range")]
    Range {
        /// The argument.
        field: &'static str,
    },
    /// The line would pass [`MAX_LINE`]; divide the set with [`split_set`], or send a long initial
    /// response behind the server's `+`.
    #[error("a command line of {octets} octets, more than {MAX_LINE}")]
    TooLong {
        /// What it would have had, the contents of literals not counted.
        octets: usize,
    },
}

/// Encodes a command under its tag.
///
/// # Errors
///
/// An [`EncodeError`] when the command cannot be said in the protocol, or not with these options.
pub fn encode(tag: &str, command: &Command, options: &EncodeOptions) -> Result<Encoded, EncodeError> {
    if tag.is_empty() || !tag.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(EncodeError::Tag);
    }
    let mut line = Line::new(*options);
    line.raw(tag);
    line.raw(" ");
    put_command(&mut line, command)?;
    line.finish()
}

/// A line that answers a SASL challenge: base64 and CRLF (RFC 9051 §6.2.2). Secret.
pub fn encode_sasl_response(response: &[u8]) -> Fragment {
    let mut line = Line::new(EncodeOptions::default());
    line.secret(response.len());
    line.base64(response);
    line.into_fragment()
}

/// Divides a set into parts whose text takes at most `max_len` octets each, lowest first.
///
/// No part is empty; the empty set gives no part. A range is never divided, so a part can be longer
/// only when `max_len` is below 21, the longest text of one range.
pub fn split_set(set: &UidSet, max_len: usize) -> Vec<UidSet> {
    let mut parts: Vec<UidSet> = Vec::new();
    let mut room = 0;
    for (lo, hi) in set.ranges() {
        let length = digits(lo) + if lo == hi { 0 } else { 1 + digits(hi) };
        match parts.last_mut() {
            Some(part) if length < room => {
                part.insert_range(lo, hi);
                room -= length + 1;
            }
            _ => {
                parts.push(UidSet::from_range(lo, hi));
                room = max_len.saturating_sub(length);
            }
        }
    }
    parts
}

fn digits(number: u32) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

type Encoding = Result<(), EncodeError>;

fn put_command(line: &mut Line, command: &Command) -> Encoding {
    match command {
        Command::Capability => line.raw("CAPABILITY"),
        Command::Noop => line.raw("NOOP"),
        Command::Logout => line.raw("LOGOUT"),
        Command::StartTls => line.raw("STARTTLS"),
        Command::Authenticate { mechanism, initial } => return put_authenticate(line, mechanism, initial),
        Command::Login { user, password } => {
            line.secret(user.len() + password.len());
            line.raw("LOGIN ");
            line.string("user name", user)?;
            line.raw(" ");
            line.string("password", password)?;
        }
        Command::Enable(names) => {
            line.raw("ENABLE ");
            put_words(line, "capability to enable", names)?;
        }
        Command::Id(pairs) => return put_id(line, pairs),
        Command::Namespace => line.raw("NAMESPACE"),
        Command::Compress => line.raw("COMPRESS DEFLATE"),
        Command::Select { mailbox, read_only, resync } => {
            line.raw(if *read_only { "EXAMINE " } else { "SELECT " });
            line.mailbox(mailbox)?;
            put_resync(line, resync)?;
        }
        Command::Unselect => line.raw("UNSELECT"),
        Command::Close => line.raw("CLOSE"),
        Command::List { selection, reference, patterns, returns, status } => {
            return put_list(line, selection, reference, patterns, returns, status);
        }
        Command::Lsub { reference, pattern } => {
            line.raw("LSUB ");
            line.string("reference name", reference)?;
            line.raw(" ");
            line.string("mailbox pattern", pattern)?;
        }
        Command::Status { mailbox, items } => {
            line.raw("STATUS ");
            line.mailbox(mailbox)?;
            line.raw(" ");
            put_status_items(line, items)?;
        }
        Command::Fetch { uid, set, items, changed_since, partial } => {
            return fetch::put_fetch(line, *uid, set, items, *changed_since, *partial);
        }
        Command::Search { uid, returns, criteria } => {
            return search::put_search(line, *uid, returns, criteria);
        }
        Command::Store { set, action, silent, flags, unchanged_since } => {
            return put_store(line, set, *action, *silent, flags, *unchanged_since);
        }
        Command::Copy { set, mailbox } => return put_transfer(line, "UID COPY ", set, mailbox),
        Command::Move { set, mailbox } => return put_transfer(line, "UID MOVE ", set, mailbox),
        Command::UidExpunge(set) => {
            line.raw("UID EXPUNGE ");
            line.set("messages", set)?;
        }
        Command::Expunge => line.raw("EXPUNGE"),
        Command::Append { mailbox, messages } => return put_append(line, mailbox, messages),
        Command::Create { mailbox, special_use } => return put_create(line, mailbox, special_use),
        Command::Delete(mailbox) => return put_on_mailbox(line, "DELETE ", mailbox),
        Command::Rename { from, to } => {
            line.raw("RENAME ");
            line.mailbox(from)?;
            line.raw(" ");
            line.mailbox(to)?;
        }
        Command::Subscribe(mailbox) => return put_on_mailbox(line, "SUBSCRIBE ", mailbox),
        Command::Unsubscribe(mailbox) => return put_on_mailbox(line, "UNSUBSCRIBE ", mailbox),
        Command::Idle => line.raw("IDLE"),
        Command::Notify(mailboxes) => return put_notify(line, mailboxes),
        Command::GetQuotaRoot(mailbox) => return put_on_mailbox(line, "GETQUOTAROOT ", mailbox),
        Command::MyRights(mailbox) => return put_on_mailbox(line, "MYRIGHTS ", mailbox),
    }
    Ok(())
}

fn put_notify(line: &mut Line, mailboxes: &[Vec<u8>]) -> Encoding {
    const EVENTS: &str = "(MessageNew MessageExpunge FlagChange)";
    line.raw("NOTIFY SET (selected ");
    line.raw(EVENTS);
    line.raw(")");
    if mailboxes.is_empty() {
        return Ok(());
    }
    line.raw(" (mailboxes (");
    for (at, mailbox) in mailboxes.iter().enumerate() {
        if at > 0 {
            line.raw(" ");
        }
        line.mailbox(mailbox)?;
    }
    line.raw(") ");
    line.raw(EVENTS);
    line.raw(")");
    Ok(())
}

fn put_on_mailbox(line: &mut Line, word: &str, mailbox: &[u8]) -> Encoding {
    line.raw(word);
    line.mailbox(mailbox)
}

fn put_transfer(line: &mut Line, word: &str, set: &UidSet, mailbox: &[u8]) -> Encoding {
    line.raw(word);
    line.set("messages", set)?;
    line.raw(" ");
    line.mailbox(mailbox)
}

fn put_authenticate(line: &mut Line, mechanism: &str, initial: &Option<Vec<u8>>) -> Encoding {
    line.secret(mechanism.len() + initial.as_ref().map_or(0, Vec::len));
    line.raw("AUTHENTICATE ");
    line.atom("mechanism", mechanism)?;
    if let Some(initial) = initial {
        // RFC 4959 §3: an empty response is said with `=`, or it could not be told from none.
        line.raw(if initial.is_empty() { " =" } else { " " });
        line.base64(initial);
    }
    Ok(())
}

fn put_id(line: &mut Line, pairs: &[(String, String)]) -> Encoding {
    // RFC 2971 §3.3.
    let fits =
        pairs.len() <= 30 && pairs.iter().all(|(name, value)| name.len() <= 30 && value.len() <= 1_024);
    if !fits {
        return Err(EncodeError::Range { field: "identification" });
    }
    line.raw(if pairs.is_empty() { "ID NIL" } else { "ID (" });
    for (at, (name, value)) in pairs.iter().enumerate() {
        line.raw(if at == 0 { "" } else { " " });
        line.string("identification", name.as_bytes())?;
        line.raw(" ");
        line.string("identification", value.as_bytes())?;
    }
    line.raw(if pairs.is_empty() { "" } else { ")" });
    Ok(())
}

fn put_resync(line: &mut Line, resync: &Resync) -> Encoding {
    match resync {
        Resync::None => {}
        Resync::Condstore => line.raw(" (CONDSTORE)"),
        Resync::Qresync { uid_validity, modseq, known } => {
            if *uid_validity == 0 {
                return Err(EncodeError::Range { field: "UIDVALIDITY" });
            }
            let modseq = mod_sequence(*modseq, 1)?;
            line.raw(&format!(" (QRESYNC ({uid_validity} {modseq}"));
            if !known.is_empty() {
                line.raw(" ");
                line.set("known UIDs", known)?;
            }
            line.raw("))");
        }
    }
    Ok(())
}

fn put_list(
    line: &mut Line,
    selection: &[String],
    reference: &[u8],
    patterns: &[Vec<u8>],
    returns: &[String],
    status: &[StatusItem],
) -> Encoding {
    line.raw("LIST ");
    if !selection.is_empty() {
        line.raw("(");
        put_words(line, "LIST selection", selection)?;
        line.raw(") ");
    }
    line.string("reference name", reference)?;
    line.raw(if patterns.len() > 1 { " (" } else { " " });
    for (at, pattern) in patterns.iter().enumerate() {
        line.raw(if at == 0 { "" } else { " " });
        line.string("mailbox pattern", pattern)?;
    }
    match patterns.len() {
        0 => return Err(EncodeError::Empty { field: "mailbox pattern" }),
        1 => {}
        _ => line.raw(")"),
    }
    if returns.is_empty() && status.is_empty() {
        return Ok(());
    }
    line.raw(" RETURN (");
    if !returns.is_empty() {
        put_words(line, "LIST return option", returns)?;
    }
    if !status.is_empty() {
        line.raw(if returns.is_empty() { "STATUS " } else { " STATUS " });
        put_status_items(line, status)?;
    }
    line.raw(")");
    Ok(())
}

fn put_store(
    line: &mut Line,
    set: &UidSet,
    action: StoreAction,
    silent: bool,
    flags: &FlagSet,
    unchanged_since: Option<u64>,
) -> Encoding {
    line.raw("UID STORE ");
    line.set("messages", set)?;
    if let Some(modseq) = unchanged_since {
        line.raw(&format!(" (UNCHANGEDSINCE {})", mod_sequence(modseq, 0)?));
    }
    line.raw(match action {
        StoreAction::Add => " +FLAGS",
        StoreAction::Remove => " -FLAGS",
        StoreAction::Replace => " FLAGS",
    });
    line.raw(if silent { ".SILENT " } else { " " });
    line.flags(flags)
}

fn put_append(line: &mut Line, mailbox: &[u8], messages: &[AppendItem]) -> Encoding {
    if messages.is_empty() {
        return Err(EncodeError::Empty { field: "messages" });
    }
    line.raw("APPEND ");
    line.mailbox(mailbox)?;
    for AppendItem { flags, internal_date, message } in messages {
        line.raw(" ");
        if !flags.is_empty() {
            line.flags(flags)?;
            line.raw(" ");
        }
        if let Some(ms) = internal_date {
            line.raw(&format!("\"{}\" ", format_internal_date(*ms)));
        }
        line.message(message)?;
    }
    Ok(())
}

fn put_create(line: &mut Line, mailbox: &[u8], special_use: &[String]) -> Encoding {
    line.raw("CREATE ");
    line.mailbox(mailbox)?;
    for (at, attribute) in special_use.iter().enumerate() {
        line.raw(if at == 0 { " (USE (" } else { " " });
        line.flag("special use", attribute)?;
    }
    line.raw(if special_use.is_empty() { "" } else { "))" });
    Ok(())
}

fn put_words(line: &mut Line, field: &'static str, words: &[String]) -> Encoding {
    if words.is_empty() {
        return Err(EncodeError::Empty { field });
    }
    for (at, word) in words.iter().enumerate() {
        line.raw(if at == 0 { "" } else { " " });
        line.atom(field, word)?;
    }
    Ok(())
}

fn put_status_items(line: &mut Line, items: &[StatusItem]) -> Encoding {
    if items.is_empty() {
        return Err(EncodeError::Empty { field: "STATUS items" });
    }
    for (at, item) in items.iter().enumerate() {
        line.raw(if at == 0 { "(" } else { " " });
        line.raw(status_word(*item));
    }
    line.raw(")");
    Ok(())
}

/// The word of a STATUS item.
pub(crate) fn status_word(item: StatusItem) -> &'static str {
    match item {
        StatusItem::Messages => "MESSAGES",
        StatusItem::UidNext => "UIDNEXT",
        StatusItem::UidValidity => "UIDVALIDITY",
        StatusItem::Unseen => "UNSEEN",
        StatusItem::Deleted => "DELETED",
        StatusItem::Size => "SIZE",
        StatusItem::HighestModSeq => "HIGHESTMODSEQ",
        StatusItem::MailboxId => "MAILBOXID",
        StatusItem::AppendLimit => "APPENDLIMIT",
        StatusItem::Recent => "RECENT",
        StatusItem::DeletedStorage => "DELETED-STORAGE",
    }
}

fn put_numbers(line: &mut Line, set: &NumberSet) -> Encoding {
    match set {
        NumberSet::Set(set) => line.set("messages", set),
        NumberSet::From(0) => Err(EncodeError::Range { field: "messages" }),
        NumberSet::From(first) => {
            line.raw(&format!("{first}:*"));
            Ok(())
        }
        NumberSet::Union(_, 0) => Err(EncodeError::Range { field: "messages" }),
        NumberSet::Union(set, first) => {
            line.set("messages", set)?;
            line.raw(&format!(",{first}:*"));
            Ok(())
        }
        NumberSet::Saved => {
            line.raw("$");
            Ok(())
        }
    }
}

/// Mod-sequences have 63 bits (RFC 7162 §3.1.1); where `least` is 1, 0 has no meaning.
fn mod_sequence(modseq: u64, least: u64) -> Result<u64, EncodeError> {
    let in_range = (least..=i64::MAX as u64).contains(&modseq);
    if in_range { Ok(modseq) } else { Err(EncodeError::Range { field: "mod-sequence" }) }
}
