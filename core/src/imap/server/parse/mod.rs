//! From one frame to one typed command (RFC 9051 §6, §9; RFC 3501 and the extensions offered).
//!
//! Nothing recurses but search keys, and those only as deep as [`Limits::nesting`]; what a list may hold
//! is bounded by [`Limits::command_items`].
//!
//! ```
//! use mailkeep::imap::server::{command::Command, parse};
//! use mailkeep::limits::Limits;
//! use mailkeep::wire::Frame;
//!
//! let (tag, command) = parse::command(Frame::new(b"a1 UID FETCH 1:* (FLAGS)"), &Limits::DEFAULT).unwrap();
//! assert_eq!(tag, "a1");
//! assert!(matches!(command, Command::Fetch { uid: true, .. }));
//! ```

mod append;
mod error;
mod fetch;
mod list;
mod notify;
mod reader;
mod search;

pub use append::{AppendHead, append_head};
pub use error::{CommandError, Refused, What};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use self::reader::{Reader, Result};
use super::command::Command;
use crate::flags::FlagSet;
use crate::imap::command::{Resync, StoreAction};
use crate::limits::Limits;
use crate::wire::Frame;

/// Parses one command with its tag.
///
/// # Errors
/// [`Refused`], with the tag where there is one, so that the answer can name it.
pub fn command<'a>(frame: Frame<'a>, limits: &Limits) -> std::result::Result<(&'a str, Command), Refused> {
    let mut reader = Reader::new(frame, limits.command_items, limits.nesting);
    let tag = reader.tag().map_err(|error| Refused { tag: None, error })?;
    let command = reader.space().and_then(|()| after_tag(&mut reader));
    let ended = command.and_then(|command| reader.end().map(|()| command));
    ended.map(|command| (tag, command)).map_err(|error| Refused { tag: Some(tag.to_owned()), error })
}

fn after_tag(r: &mut Reader<'_>) -> Result<Command> {
    let start = r.pos;
    let name = r.keyword()?;
    if name != "UID" {
        return named(r, &name, start, false);
    }
    r.space()?;
    let start = r.pos;
    let name = r.keyword()?;
    match name.as_str() {
        "FETCH" | "STORE" | "SEARCH" | "SORT" | "THREAD" | "COPY" | "MOVE" | "REPLACE" => {
            named(r, &name, start, true)
        }
        "EXPUNGE" => {
            r.space()?;
            r.sequence_set().map(Command::UidExpunge)
        }
        _ => {
            r.pos = start;
            r.fail(What::Command)
        }
    }
}

fn named(r: &mut Reader<'_>, name: &str, start: usize, uid: bool) -> Result<Command> {
    if let Some(command) = plain(name) {
        return Ok(command);
    }
    if name == "ID" && r.is_at_end() {
        return Ok(Command::Id(Vec::new()));
    }
    if !is_known(name) {
        r.pos = start;
        return r.fail(What::Command);
    }
    r.space()?;
    match name {
        "AUTHENTICATE" => authenticate(r),
        "LOGIN" => {
            let user = r.astring()?.into_owned();
            r.space()?;
            Ok(Command::Login { user, password: r.astring()?.into_owned() })
        }
        "ENABLE" => {
            let mut words = vec![r.keyword()?];
            while !r.is_at_end() {
                r.space()?;
                r.count()?;
                words.push(r.keyword()?);
            }
            Ok(Command::Enable(words))
        }
        "ID" => id(r),
        "COMPRESS" => Ok(Command::Compress(r.keyword()?)),
        "SELECT" => select(r, false),
        "EXAMINE" => select(r, true),
        "LIST" => list::list(r),
        "LSUB" => {
            let reference = r.mailbox()?;
            r.space()?;
            Ok(Command::Lsub { reference, pattern: r.pattern()? })
        }
        "STATUS" => {
            let mailbox = r.mailbox()?;
            r.space()?;
            Ok(Command::Status { mailbox, items: list::status_items(r)? })
        }
        "FETCH" => fetch::fetch(r, uid),
        "SEARCH" => search::search(r, uid),
        "SORT" => search::sort(r, uid),
        "THREAD" => search::thread(r, uid),
        "STORE" => store(r, uid),
        "COPY" => {
            let (set, mailbox) = transfer(r)?;
            Ok(Command::Copy { uid, set, mailbox })
        }
        "MOVE" => {
            let (set, mailbox) = transfer(r)?;
            Ok(Command::Move { uid, set, mailbox })
        }
        "APPEND" => append::append(r),
        "REPLACE" => append::replace(r, uid),
        "CREATE" => create(r),
        "DELETE" => r.mailbox().map(Command::Delete),
        "RENAME" => {
            let from = r.mailbox()?;
            r.space()?;
            Ok(Command::Rename { from, to: r.mailbox()? })
        }
        "SUBSCRIBE" => r.mailbox().map(Command::Subscribe),
        "UNSUBSCRIBE" => r.mailbox().map(Command::Unsubscribe),
        "GETQUOTA" => Ok(Command::GetQuota(r.astring()?.into_owned())),
        "GETQUOTAROOT" => r.mailbox().map(Command::GetQuotaRoot),
        "SETQUOTA" => set_quota(r),
        "MYRIGHTS" => r.mailbox().map(Command::MyRights),
        "NOTIFY" => notify::notify(r),
        _ => r.fail(What::Command),
    }
}

fn plain(name: &str) -> Option<Command> {
    Some(match name {
        "CAPABILITY" => Command::Capability,
        "NOOP" => Command::Noop,
        "LOGOUT" => Command::Logout,
        "STARTTLS" => Command::StartTls,
        "NAMESPACE" => Command::Namespace,
        "UNSELECT" => Command::Unselect,
        "CLOSE" => Command::Close,
        "CHECK" => Command::Check,
        "EXPUNGE" => Command::Expunge,
        "IDLE" => Command::Idle,
        _ => return None,
    })
}

fn is_known(name: &str) -> bool {
    const KNOWN: &[&str] = &[
        "AUTHENTICATE",
        "LOGIN",
        "ENABLE",
        "ID",
        "COMPRESS",
        "SELECT",
        "EXAMINE",
        "LIST",
        "LSUB",
        "STATUS",
        "FETCH",
        "SEARCH",
        "SORT",
        "THREAD",
        "STORE",
        "COPY",
        "MOVE",
        "APPEND",
        "REPLACE",
        "CREATE",
        "DELETE",
        "RENAME",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "GETQUOTA",
        "GETQUOTAROOT",
        "SETQUOTA",
        "MYRIGHTS",
        "NOTIFY",
    ];
    KNOWN.contains(&name)
}

fn authenticate(r: &mut Reader<'_>) -> Result<Command> {
    let mechanism = r.keyword()?;
    if r.is_at_end() {
        return Ok(Command::Authenticate { mechanism, initial: None });
    }
    r.space()?;
    let word = r.atom()?;
    // RFC 4959 §3: `=` is an empty response.
    let initial = if word == b"=" { Some(Vec::new()) } else { STANDARD.decode(word).ok() };
    match initial {
        Some(initial) => Ok(Command::Authenticate { mechanism, initial: Some(initial) }),
        None => r.fail(What::Base64),
    }
}

/// RFC 2971 §3.3 bounds the list at 30 pairs; more are counted like any list's items.
fn id(r: &mut Reader<'_>) -> Result<Command> {
    let mut pairs = Vec::new();
    if r.eat_word("NIL") {
        return Ok(Command::Id(pairs));
    }
    r.open()?;
    while !r.eat(b')') {
        r.count()?;
        if !pairs.is_empty() {
            r.space()?;
        }
        let name = r.string()?.into_owned();
        r.space()?;
        pairs.push((name, r.nstring()?));
    }
    Ok(Command::Id(pairs))
}

fn select(r: &mut Reader<'_>, read_only: bool) -> Result<Command> {
    let mailbox = r.mailbox()?;
    let mut resync = Resync::None;
    if !r.is_at_end() {
        r.space()?;
        r.open()?;
        loop {
            match r.keyword()?.as_str() {
                "CONDSTORE" if resync == Resync::None => resync = Resync::Condstore,
                "CONDSTORE" => {}
                "QRESYNC" => {
                    r.space()?;
                    resync = qresync(r)?;
                }
                _ => return r.fail(What::Parameter),
            }
            if r.eat(b')') {
                break;
            }
            r.space()?;
        }
    }
    Ok(Command::Select { mailbox, read_only, resync })
}

/// `(uidvalidity modseq [known-uids] [(known-sequence-set known-uid-set)])` (RFC 7162 §3.2.5). The match
/// data at the end saves a server that has forgotten expunges some octets, and is read and left aside.
fn qresync(r: &mut Reader<'_>) -> Result<Resync> {
    r.open()?;
    let uid_validity = r.nonzero()?;
    r.space()?;
    let modseq = r.mod_sequence(1)?;
    let mut known = crate::set::UidSet::new();
    let mut more = r.eat(b' ');
    if more && r.peek() != Some(b'(') {
        known = r.known_uids()?;
        more = r.eat(b' ');
    }
    if more {
        r.open()?;
        r.known_uids()?;
        r.space()?;
        r.known_uids()?;
        r.close()?;
    }
    r.close()?;
    Ok(Resync::Qresync { uid_validity, modseq, known })
}

fn store(r: &mut Reader<'_>, uid: bool) -> Result<Command> {
    let set = r.sequence_set()?;
    r.space()?;
    let mut unchanged_since = None;
    if r.eat(b'(') {
        if !r.eat_word("UNCHANGEDSINCE") {
            return r.fail(What::Parameter);
        }
        r.space()?;
        unchanged_since = Some(r.mod_sequence(0)?);
        r.close()?;
        r.space()?;
    }
    let (action, silent) = match r.keyword()?.as_str() {
        "FLAGS" => (StoreAction::Replace, false),
        "FLAGS.SILENT" => (StoreAction::Replace, true),
        "+FLAGS" => (StoreAction::Add, false),
        "+FLAGS.SILENT" => (StoreAction::Add, true),
        "-FLAGS" => (StoreAction::Remove, false),
        "-FLAGS.SILENT" => (StoreAction::Remove, true),
        _ => return r.fail(What::Parameter),
    };
    r.space()?;
    let flags = if r.peek() == Some(b'(') { r.flag_list()? } else { bare_flags(r)? };
    Ok(Command::Store { uid, set, action, silent, flags, unchanged_since })
}

/// Flags without parentheses, at least one.
fn bare_flags(r: &mut Reader<'_>) -> Result<FlagSet> {
    let mut flags = FlagSet::default();
    loop {
        r.one_flag(&mut flags)?;
        if r.is_at_end() {
            return Ok(flags);
        }
        r.space()?;
    }
}

fn transfer(r: &mut Reader<'_>) -> Result<(crate::imap::command::NumberSet, Vec<u8>)> {
    let set = r.sequence_set()?;
    r.space()?;
    Ok((set, r.mailbox()?))
}

fn create(r: &mut Reader<'_>) -> Result<Command> {
    let mailbox = r.mailbox()?;
    let mut special_use = Vec::new();
    if !r.is_at_end() {
        r.space()?;
        r.open()?;
        if !r.eat_word("USE") {
            return r.fail(What::Parameter);
        }
        r.space()?;
        r.open()?;
        while !r.eat(b')') {
            r.count()?;
            if !special_use.is_empty() {
                r.space()?;
            }
            r.expect(b'\\', What::Flag)?;
            special_use.push(format!("\\{}", r.word()?));
        }
        r.close()?;
    }
    Ok(Command::Create { mailbox, special_use })
}

/// `SETQUOTA root (STORAGE 512)` (RFC 9208 §4.1.1).
fn set_quota(r: &mut Reader<'_>) -> Result<Command> {
    let root = r.astring()?.into_owned();
    r.space()?;
    r.open()?;
    let mut limits = Vec::new();
    while !r.eat(b')') {
        r.count()?;
        if !limits.is_empty() {
            r.space()?;
        }
        let name = r.keyword()?;
        r.space()?;
        limits.push((name, r.number64()?));
    }
    Ok(Command::SetQuota { root, limits })
}
