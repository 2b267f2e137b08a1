//! APPEND and REPLACE (RFC 9051 §6.3.12, RFC 3502, RFC 8508, RFC 3516, RFC 6855).

use super::reader::{Reader, Result};
use super::{Refused, What};
use crate::imap::command::NumberSet;
use crate::imap::date::parse_internal_date;
use crate::imap::server::command::{AppendMessage, Command};
use crate::limits::Limits;
use crate::wire::{Frame, StreamedLiteral};

/// What is known of an APPEND or REPLACE when a message of it is about to arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendHead {
    /// The command's tag.
    pub tag: String,
    /// For REPLACE, whether it goes by UID, and which message goes.
    pub replaces: Option<(bool, NumberSet)>,
    /// Where to.
    pub mailbox: Vec<u8>,
    /// How many messages of this command came before.
    pub earlier: usize,
    /// What is said of the one that is about to arrive; `len` is 0.
    pub message: AppendMessage,
}

/// Reads a command up to the `{` of a message.
///
/// # Errors
/// [`Refused`], as [`command`](super::command).
pub fn append_head(
    head: &[u8],
    streamed: &[StreamedLiteral],
    limits: &Limits,
) -> std::result::Result<AppendHead, Refused> {
    let mut r = Reader::new(Frame { text: head, streamed }, limits.command_items, limits.nesting);
    let tag = r.tag().map_err(|error| Refused { tag: None, error })?.to_owned();
    read_head(&mut r, tag.clone()).map_err(|error| Refused { tag: Some(tag), error })
}

fn read_head(r: &mut Reader<'_>, tag: String) -> Result<AppendHead> {
    r.space()?;
    let mut name = r.keyword()?;
    r.space()?;
    let uid = name == "UID";
    if uid {
        name = r.keyword()?;
        r.space()?;
    }
    let replaces = match name.as_str() {
        "REPLACE" => {
            let set = one_message(r)?;
            r.space()?;
            Some((uid, set))
        }
        "APPEND" if !uid => None,
        _ => return r.fail(What::Command),
    };
    let mailbox = r.mailbox()?;
    let mut earlier = 0;
    loop {
        r.space()?;
        let (message, utf8) = attributes(r)?;
        if matches!(r.rest(), b"" | b"~") {
            let literal8 = r.eat(b'~');
            return Ok(AppendHead {
                tag,
                replaces,
                mailbox,
                earlier,
                message: AppendMessage { literal8, ..message },
            });
        }
        finish_message(r, message, utf8)?;
        earlier += 1;
    }
}

pub(super) fn append(r: &mut Reader<'_>) -> Result<Command> {
    let mailbox = r.mailbox()?;
    let mut messages = Vec::new();
    loop {
        r.space()?;
        r.count()?;
        messages.push(message(r)?);
        if r.is_at_end() {
            return Ok(Command::Append { mailbox, messages });
        }
    }
}

pub(super) fn replace(r: &mut Reader<'_>, uid: bool) -> Result<Command> {
    let set = one_message(r)?;
    r.space()?;
    let mailbox = r.mailbox()?;
    r.space()?;
    Ok(Command::Replace { uid, set, mailbox, message: message(r)? })
}

/// A number or `*`.
fn one_message(r: &mut Reader<'_>) -> Result<NumberSet> {
    let start = r.pos;
    let set = r.sequence_set()?;
    let one = match &set {
        NumberSet::Set(set) => set.len() == 1,
        NumberSet::From(first) => *first == u32::MAX,
        _ => false,
    };
    if one {
        return Ok(set);
    }
    r.pos = start;
    r.fail(What::Number)
}

fn message(r: &mut Reader<'_>) -> Result<AppendMessage> {
    let (message, utf8) = attributes(r)?;
    finish_message(r, message, utf8)
}

fn finish_message(r: &mut Reader<'_>, message: AppendMessage, utf8: bool) -> Result<AppendMessage> {
    let (len, literal8) = r.streamed_literal()?;
    if utf8 {
        r.close()?;
    }
    Ok(AppendMessage { len, literal8, ..message })
}

/// Flags, date and `UTF8 (`, each where it stands.
fn attributes(r: &mut Reader<'_>) -> Result<(AppendMessage, bool)> {
    let mut message = AppendMessage::default();
    if r.peek() == Some(b'(') {
        message.flags = r.flag_list()?;
        r.space()?;
    }
    if r.peek() == Some(b'"') {
        let start = r.pos;
        let text = r.string()?;
        message.internal_date = match parse_internal_date(&text) {
            // The zone must be there, though the client's own reader of dates does without.
            Some(date) if text.len() >= 25 => Some(date),
            _ => {
                r.pos = start;
                return r.fail(What::Date);
            }
        };
        r.space()?;
    }
    let utf8 = r.eat_word("UTF8");
    if utf8 {
        r.space()?;
        r.open()?;
    }
    Ok((message, utf8))
}
