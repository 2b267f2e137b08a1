//! FETCH (RFC 9051 §6.4.5 and its extensions).

use super::What;
use super::reader::{Reader, Result};
use crate::imap::command::{ChangedSince, FetchItem, Section};
use crate::imap::server::command::Command;

/// Most numbers of one part's address.
const PART_NUMBERS: usize = 200;

pub(super) fn fetch(r: &mut Reader<'_>, uid: bool) -> Result<Command> {
    let set = r.sequence_set()?;
    r.space()?;
    let items = match r.peek() {
        Some(b'(') => fetch_items(r)?,
        _ => one_or_macro(r)?,
    };
    let (mut changed_since, mut partial) = (None, None);
    if !r.is_at_end() {
        r.space()?;
        r.open()?;
        loop {
            let start = r.pos;
            match r.keyword()?.as_str() {
                "CHANGEDSINCE" => {
                    r.space()?;
                    let modseq = r.mod_sequence(1)?;
                    changed_since = Some(ChangedSince { modseq, vanished: false });
                }
                "VANISHED" => match &mut changed_since {
                    // RFC 7162 §3.2.6: only with UID FETCH and CHANGEDSINCE.
                    Some(since) if uid => since.vanished = true,
                    None if uid && r.rest().starts_with(b" ") => {
                        r.space()?;
                        if !r.eat_word("CHANGEDSINCE") {
                            return r.fail(What::Parameter);
                        }
                        r.space()?;
                        let modseq = r.mod_sequence(1)?;
                        changed_since = Some(ChangedSince { modseq, vanished: true });
                    }
                    _ => {
                        r.pos = start;
                        return r.fail(What::Parameter);
                    }
                },
                "PARTIAL" => {
                    r.space()?;
                    partial = Some(r.partial_range()?);
                }
                _ => {
                    r.pos = start;
                    return r.fail(What::Parameter);
                }
            }
            if r.eat(b')') {
                break;
            }
            r.space()?;
        }
    }
    Ok(Command::Fetch { uid, set, items, changed_since, partial })
}

/// `(item …)`
pub(super) fn fetch_items(r: &mut Reader<'_>) -> Result<Vec<FetchItem>> {
    r.open()?;
    let mut items = Vec::new();
    loop {
        r.count()?;
        items.push(item(r)?);
        if r.eat(b')') {
            return Ok(items);
        }
        r.space()?;
    }
}

/// A single item, or one of the macros ALL, FAST and FULL.
fn one_or_macro(r: &mut Reader<'_>) -> Result<Vec<FetchItem>> {
    const ALL: [FetchItem; 4] =
        [FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size, FetchItem::Envelope];
    Ok(if r.eat_word("ALL") {
        ALL.to_vec()
    } else if r.eat_word("FAST") {
        ALL[..3].to_vec()
    } else if r.eat_word("FULL") {
        [&ALL[..], &[FetchItem::Body]].concat()
    } else {
        vec![item(r)?]
    })
}

fn item(r: &mut Reader<'_>) -> Result<FetchItem> {
    let start = r.pos;
    let name = item_name(r);
    Ok(match name.as_str() {
        "UID" => FetchItem::Uid,
        "FLAGS" => FetchItem::Flags,
        "MODSEQ" => FetchItem::ModSeq,
        "INTERNALDATE" => FetchItem::InternalDate,
        "RFC822.SIZE" => FetchItem::Rfc822Size,
        "RFC822.HEADER" => FetchItem::Rfc822Header,
        "RFC822.TEXT" => FetchItem::Rfc822Text,
        "RFC822" => FetchItem::Rfc822,
        "ENVELOPE" => FetchItem::Envelope,
        "BODYSTRUCTURE" => FetchItem::BodyStructure,
        "EMAILID" => FetchItem::EmailId,
        "THREADID" => FetchItem::ThreadId,
        "SAVEDATE" => FetchItem::SaveDate,
        "X-GM-MSGID" => FetchItem::GmailMessageId,
        "X-GM-THRID" => FetchItem::GmailThreadId,
        "X-GM-LABELS" => FetchItem::GmailLabels,
        "PREVIEW" if r.rest().starts_with(b" (") => {
            r.space()?;
            r.open()?;
            if !r.eat_word("LAZY") {
                return r.fail(What::Parameter);
            }
            r.close()?;
            FetchItem::PreviewLazy
        }
        "PREVIEW" => FetchItem::Preview,
        "BODY" if r.peek() != Some(b'[') => FetchItem::Body,
        "BODY" | "BODY.PEEK" => {
            let section = bracketed(r, section)?;
            let partial = partial(r)?;
            match name.len() {
                4 => FetchItem::Section { section, partial },
                _ => FetchItem::Peek { section, partial },
            }
        }
        "BINARY" | "BINARY.PEEK" => {
            let part = bracketed(r, binary_part)?;
            let partial = partial(r)?;
            match name.len() {
                6 => FetchItem::Binary { part, partial },
                _ => FetchItem::BinaryPeek { part, partial },
            }
        }
        "BINARY.SIZE" => FetchItem::BinarySize { part: bracketed(r, binary_part)? },
        _ => {
            r.pos = start;
            return r.fail(What::Parameter);
        }
    })
}

/// The letters up to a bracket, a space or the end.
fn item_name(r: &mut Reader<'_>) -> String {
    let rest = r.rest();
    let fits = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    let len = rest.iter().position(|b| !fits(b)).unwrap_or(rest.len());
    r.pos += len;
    String::from_utf8_lossy(&rest[..len]).to_ascii_uppercase()
}

fn bracketed<T>(r: &mut Reader<'_>, inside: impl Fn(&mut Reader<'_>) -> Result<T>) -> Result<T> {
    r.expect(b'[', What::Section)?;
    let value = inside(r)?;
    r.expect(b']', What::CloseBracket)?;
    Ok(value)
}

fn binary_part(r: &mut Reader<'_>) -> Result<Vec<u32>> {
    if r.peek() == Some(b']') {
        return Ok(Vec::new());
    }
    let numbers = part_numbers(r)?;
    if numbers.is_empty() || r.peek() != Some(b']') { r.fail(What::Section) } else { Ok(numbers) }
}

/// `1.2`, and the dot behind it if a word follows.
fn part_numbers(r: &mut Reader<'_>) -> Result<Vec<u32>> {
    let mut numbers = Vec::new();
    while r.peek().is_some_and(|b| b.is_ascii_digit()) {
        if numbers.len() == PART_NUMBERS {
            return r.fail(What::TooMany);
        }
        numbers.push(r.nonzero()?);
        if !r.eat(b'.') {
            break;
        }
    }
    Ok(numbers)
}

fn section(r: &mut Reader<'_>) -> Result<Section> {
    let part = part_numbers(r)?;
    if r.peek() == Some(b']') {
        let dot = r.text.get(r.pos.wrapping_sub(1)) == Some(&b'.');
        return match part.is_empty() {
            true => Ok(Section::Full),
            false if dot => r.fail(What::Section),
            false => Ok(Section::Part(part)),
        };
    }
    let start = r.pos;
    let inner = match item_name(r).as_str() {
        "HEADER" => Section::Header,
        "TEXT" => Section::Text,
        "HEADER.FIELDS" => Section::HeaderFields(field_names(r)?),
        "HEADER.FIELDS.NOT" => Section::HeaderFieldsNot(field_names(r)?),
        "MIME" if !part.is_empty() => return Ok(Section::Mime(part)),
        _ => {
            r.pos = start;
            return r.fail(What::Section);
        }
    };
    Ok(if part.is_empty() { inner } else { Section::Within { part, section: Box::new(inner) } })
}

fn field_names(r: &mut Reader<'_>) -> Result<Vec<String>> {
    r.space()?;
    r.open()?;
    let mut names = Vec::new();
    loop {
        r.count()?;
        let start = r.pos;
        let name = r.astring()?;
        match std::str::from_utf8(&name) {
            Ok(name) => names.push(name.to_owned()),
            Err(_) => {
                r.pos = start;
                return r.fail(What::String);
            }
        }
        if r.eat(b')') {
            return Ok(names);
        }
        r.space()?;
    }
}

/// `<origin.length>`
fn partial(r: &mut Reader<'_>) -> Result<Option<(u32, u32)>> {
    if !r.eat(b'<') {
        return Ok(None);
    }
    let origin = r.number()?;
    r.expect(b'.', What::Range)?;
    let length = r.nonzero()?;
    r.expect(b'>', What::Range)?;
    Ok(Some((origin, length)))
}
