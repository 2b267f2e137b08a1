//! Untagged data: what begins with a number, and what begins with a name (RFC 9051 §7.2 – §7.5).

use super::cursor::{Cursor, Result, is};
use super::error::Expected;
use super::number;
use crate::imap::fetch::FetchAttrs;
use crate::imap::response::{
    Data, Esearch, Fetch, ListEntry, MailboxStatus, NamePairs, Namespace, Quota, SearchNumbers,
};
use crate::imap::text::{Text, Words};
use crate::wire::Frame;

/// `* n FETCH (…)` without superfluous spaces. `None` for all else.
#[inline]
pub(super) fn plain_fetch<'a>(frame: Frame<'a>) -> Option<Fetch<'a>> {
    let rest = frame.text.strip_prefix(b"* ")?;
    let (seq, width) = number::nonzero(rest)?;
    let (keyword, _) = rest.get(width..)?.split_first_chunk::<8>()?;
    if keyword != b" FETCH (" || frame.text.last() != Some(&b')') {
        return None;
    }
    let base = 2 + width + keyword.len();
    let raw = frame.text.get(base..frame.text.len() - 1)?;
    Some(Fetch { seq, attrs: FetchAttrs { raw, streamed: frame.streamed, base } })
}

/// `n EXISTS`, `n RECENT`, `n EXPUNGE`, `n FETCH (…)`; the cursor stands on the number.
#[inline]
pub(super) fn numbered<'a>(mut cursor: Cursor<'a>) -> Result<Data<'a>> {
    let start = cursor.pos;
    let number = cursor.number32()?;
    cursor.space()?;
    let word = cursor.rest();
    let word = &word[..word.iter().position(|&b| matches!(b, b' ' | b'(')).unwrap_or(word.len())];
    cursor.pos += word.len();
    let message = || match number {
        0 => Cursor::at(cursor.text, start).fail(Expected::MessageNumber),
        _ => Ok(number),
    };
    let data = if is(word, b"FETCH") {
        return Ok(Data::Fetch(Fetch { seq: message()?, attrs: fetch_attrs(cursor)? }));
    } else if is(word, b"EXISTS") {
        Data::Exists(number)
    } else if is(word, b"EXPUNGE") {
        Data::Expunge(message()?)
    } else if is(word, b"RECENT") {
        Data::Recent(number)
    } else {
        return Ok(Data::Unknown(&cursor.text[start..]));
    };
    cursor.end()?;
    Ok(data)
}

fn fetch_attrs<'a>(mut cursor: Cursor<'a>) -> Result<FetchAttrs<'a>> {
    cursor.spaces();
    cursor.expect(b'(', Expected::OpenParenthesis)?;
    let base = cursor.pos;
    let text = cursor.text;
    let end = text.iter().rposition(|&b| b != b' ').filter(|&end| end >= base && text[end] == b')');
    match end {
        Some(end) => Ok(FetchAttrs { raw: &text[base..end], streamed: cursor.streamed(), base }),
        None => Cursor::at(text, text.len()).fail(Expected::CloseParenthesis),
    }
}

/// Data that begins with a name; the cursor stands behind it, `start` is where it began.
pub(super) fn named<'a>(mut cursor: Cursor<'a>, word: &'a [u8], start: usize) -> Result<Data<'a>> {
    let unknown = Data::Unknown(&cursor.text[start..]);
    cursor.spaces();
    let data = match word.len() {
        2 if is(word, b"ID") => id(&mut cursor)?,
        4 if is(word, b"LIST") => return list(&mut cursor).map(Data::List),
        4 if is(word, b"LSUB") => return list(&mut cursor).map(Data::Lsub),
        4 if is(word, b"SORT") => Data::Sort(search(&mut cursor)?),
        5 if is(word, b"FLAGS") => Data::Flags(cursor.flag_list()?),
        5 if is(word, b"QUOTA") => quota(&mut cursor)?,
        6 if is(word, b"SEARCH") => Data::Search(search(&mut cursor)?),
        6 if is(word, b"STATUS") => Data::Status(status(&mut cursor)?),
        7 if is(word, b"ENABLED") => return Ok(Data::Enabled(Words { raw: cursor.rest() })),
        7 if is(word, b"ESEARCH") => Data::Esearch(esearch(&mut cursor)?),
        8 if is(word, b"VANISHED") => vanished(&mut cursor)?,
        8 if is(word, b"MYRIGHTS") => {
            let mailbox = cursor.astring()?;
            cursor.space()?;
            Data::MyRights { mailbox, rights: cursor.astring()? }
        }
        9 if is(word, b"NAMESPACE") => namespace(&mut cursor)?,
        9 if is(word, b"QUOTAROOT") => {
            let mailbox = cursor.astring()?;
            cursor.spaces();
            return Ok(Data::QuotaRoot { mailbox, roots: cursor.rest() });
        }
        10 if is(word, b"CAPABILITY") => return Ok(Data::Capability(Words { raw: cursor.rest() })),
        _ => return Ok(unknown),
    };
    cursor.end()?;
    Ok(data)
}

fn list<'a>(cursor: &mut Cursor<'a>) -> Result<ListEntry<'a>> {
    let attributes = cursor.flag_list()?;
    cursor.spaces();
    let delimiter = delimiter(cursor)?;
    cursor.space()?;
    let mailbox = list_mailbox(cursor)?;
    cursor.spaces();
    Ok(ListEntry { attributes, delimiter, mailbox, extended: cursor.rest() })
}

fn delimiter(cursor: &mut Cursor<'_>) -> Result<Option<u8>> {
    Ok(cursor.nstring()?.and_then(|text| text.raw.last().copied()))
}

/// A mailbox name. Unquoted ones hold about anything but spaces at some servers.
fn list_mailbox<'a>(cursor: &mut Cursor<'a>) -> Result<Text<'a>> {
    if matches!(cursor.peek(), Some(b'"' | b'{' | b'~')) {
        return cursor.astring();
    }
    let raw = cursor.word();
    if raw.is_empty() { cursor.fail(Expected::String) } else { Ok(Text { raw, escaped: false }) }
}

fn status<'a>(cursor: &mut Cursor<'a>) -> Result<MailboxStatus<'a>> {
    let mut status = MailboxStatus {
        mailbox: list_mailbox(cursor)?,
        messages: None,
        uid_next: None,
        uid_validity: None,
        unseen: None,
        deleted: None,
        size: None,
        highest_modseq: None,
        mailbox_id: None,
        append_limit: None,
    };
    cursor.spaces();
    cursor.expect(b'(', Expected::OpenParenthesis)?;
    loop {
        cursor.spaces();
        if cursor.eat(b')') {
            return Ok(status);
        }
        let name = cursor.atom()?;
        cursor.space()?;
        if is(name, b"MESSAGES") {
            status.messages = Some(cursor.number32()?);
        } else if is(name, b"UIDNEXT") {
            status.uid_next = Some(cursor.number32()?).filter(|&uid| uid > 0);
        } else if is(name, b"UIDVALIDITY") {
            status.uid_validity = Some(cursor.number32()?).filter(|&value| value > 0);
        } else if is(name, b"UNSEEN") {
            status.unseen = Some(cursor.number32()?);
        } else if is(name, b"DELETED") {
            status.deleted = Some(cursor.number32()?);
        } else if is(name, b"SIZE") {
            status.size = Some(cursor.size()?);
        } else if is(name, b"HIGHESTMODSEQ") {
            status.highest_modseq = Some(cursor.mod_sequence()?);
        } else if is(name, b"MAILBOXID") {
            status.mailbox_id = Some(object_id(cursor)?);
        } else if is(name, b"APPENDLIMIT") && cursor.peek().is_some_and(|b| b.is_ascii_digit()) {
            status.append_limit = Some(cursor.number()?);
        } else {
            cursor.skip_value()?;
        }
    }
}

/// `(id)` (RFC 8474 §7).
pub(super) fn object_id<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8]> {
    cursor.expect(b'(', Expected::OpenParenthesis)?;
    cursor.spaces();
    let id = cursor.atom()?;
    cursor.spaces();
    cursor.expect(b')', Expected::CloseParenthesis)?;
    Ok(id)
}

fn search<'a>(cursor: &mut Cursor<'a>) -> Result<SearchNumbers<'a>> {
    let start = cursor.pos;
    let rest = cursor.rest();
    let end = memchr::memchr(b'(', rest).unwrap_or(rest.len());
    let raw = &rest[..end];
    if !number::is_number_list(raw) {
        // Walked again only to say where.
        loop {
            cursor.spaces();
            cursor.message_number()?;
            if cursor.pos < start + end {
                cursor.space()?;
            }
        }
    }
    cursor.pos += end;
    let modseq = if end < rest.len() { Some(search_modseq(cursor)?) } else { None };
    Ok(SearchNumbers { raw, modseq })
}

fn search_modseq(cursor: &mut Cursor<'_>) -> Result<u64> {
    cursor.expect(b'(', Expected::OpenParenthesis)?;
    let name = cursor.atom()?;
    if !is(name, b"MODSEQ") {
        return cursor.fail(Expected::Keyword);
    }
    cursor.space()?;
    let value = cursor.mod_sequence()?;
    cursor.expect(b')', Expected::CloseParenthesis)?;
    Ok(value)
}

fn esearch<'a>(cursor: &mut Cursor<'a>) -> Result<Esearch<'a>> {
    let mut found = Esearch {
        tag: None,
        uid: false,
        min: None,
        max: None,
        all: None,
        count: None,
        modseq: None,
        partial: None,
    };
    if cursor.eat(b'(') {
        let name = cursor.atom()?;
        if !is(name, b"TAG") {
            return cursor.fail(Expected::Keyword);
        }
        cursor.space()?;
        found.tag = Some(cursor.astring()?);
        cursor.expect(b')', Expected::CloseParenthesis)?;
    }
    loop {
        cursor.spaces();
        if cursor.rest().is_empty() {
            return Ok(found);
        }
        let name = cursor.atom()?;
        if is(name, b"UID") {
            found.uid = true;
            continue;
        }
        cursor.space()?;
        if is(name, b"MIN") {
            found.min = Some(cursor.message_number()?);
        } else if is(name, b"MAX") {
            found.max = Some(cursor.message_number()?);
        } else if is(name, b"ALL") {
            found.all = Some(cursor.sequence_set()?);
        } else if is(name, b"COUNT") {
            found.count = Some(cursor.number32()?);
        } else if is(name, b"MODSEQ") {
            found.modseq = Some(cursor.mod_sequence()?);
        } else if is(name, b"PARTIAL") {
            cursor.expect(b'(', Expected::OpenParenthesis)?;
            let range = Text { raw: cursor.atom()?, escaped: false };
            cursor.space()?;
            let nil = cursor.rest().get(..3).is_some_and(|w| is(w, b"NIL"));
            let set = if nil {
                cursor.pos += 3;
                None
            } else {
                Some(cursor.sequence_set()?)
            };
            cursor.expect(b')', Expected::CloseParenthesis)?;
            found.partial = Some((range, set));
        } else {
            cursor.skip_value()?;
        }
    }
}

fn vanished<'a>(cursor: &mut Cursor<'a>) -> Result<Data<'a>> {
    const EARLIER: &[u8] = b"(EARLIER)";
    let earlier = cursor.rest().get(..EARLIER.len()).is_some_and(|w| is(w, EARLIER));
    if earlier {
        cursor.pos += EARLIER.len();
        cursor.spaces();
    }
    let uids = cursor.sequence_set().and_then(|uids| cursor.end().map(|()| uids));
    match uids {
        Ok(uids) => Ok(Data::Vanished { earlier, uids }),
        Err(_) => cursor.fail(Expected::VanishedUids),
    }
}

fn id<'a>(cursor: &mut Cursor<'a>) -> Result<Data<'a>> {
    let start = cursor.pos;
    if cursor.eat(b'(') {
        loop {
            cursor.spaces();
            if cursor.eat(b')') {
                break;
            }
            cursor.nstring()?;
        }
    } else if cursor.nstring()?.is_some() {
        cursor.pos = start;
        return cursor.fail(Expected::OpenParenthesis);
    }
    Ok(Data::Id(NamePairs { raw: cursor.since(start) }))
}

fn quota<'a>(cursor: &mut Cursor<'a>) -> Result<Data<'a>> {
    let root = cursor.astring()?;
    cursor.spaces();
    cursor.expect(b'(', Expected::OpenParenthesis)?;
    let start = cursor.pos;
    loop {
        cursor.spaces();
        if cursor.peek() == Some(b')') {
            break;
        }
        if cursor.quota_resource()?.is_none() {
            return cursor.fail(Expected::CloseParenthesis);
        }
    }
    let raw = cursor.since(start);
    cursor.pos += 1;
    Ok(Data::Quota(Quota { root, raw }))
}

fn namespace<'a>(cursor: &mut Cursor<'a>) -> Result<Data<'a>> {
    let personal = first_namespace(cursor)?;
    cursor.spaces();
    let other_users = first_namespace(cursor)?;
    cursor.spaces();
    let shared = first_namespace(cursor)?;
    Ok(Data::Namespace(Namespace { personal, other_users, shared }))
}

/// The first entry of one list, which is skipped whole; `None` for NIL and `()`.
fn first_namespace<'a>(cursor: &mut Cursor<'a>) -> Result<Option<(Text<'a>, Option<u8>)>> {
    if cursor.peek() != Some(b'(') {
        return match cursor.nstring()? {
            None => Ok(None),
            Some(_) => cursor.fail(Expected::OpenParenthesis),
        };
    }
    let mut inside = cursor.clone();
    cursor.skip_list()?;
    inside.pos += 1;
    inside.spaces();
    if !inside.eat(b'(') {
        return Ok(None);
    }
    let prefix = inside.nstring()?.unwrap_or(Text { raw: b"", escaped: false });
    inside.spaces();
    let delimiter = delimiter(&mut inside)?;
    Ok(Some((prefix, delimiter)))
}
