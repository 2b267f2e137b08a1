//! SEARCH, SORT and THREAD (RFC 9051 §6.4.4, RFC 5256, RFC 4731 and the extensions' keys).

use std::borrow::Cow;

use super::What;
use super::reader::{Reader, Result};
use crate::imap::command::{DateField, DateOrder, Day, SearchKey};
use crate::imap::date::parse_day;
use crate::imap::encode::search::PLAIN_KEYS;
use crate::imap::server::command::{Command, SearchReturn, SortBy, SortKey, ThreadAlgorithm};

pub(super) fn search(r: &mut Reader<'_>, uid: bool) -> Result<Command> {
    let returns = returns(r)?;
    if r.eat_word("CHARSET") {
        r.space()?;
        charset(r)?;
        r.space()?;
    }
    Ok(Command::Search { uid, returns, criteria: keys(r)? })
}

pub(super) fn sort(r: &mut Reader<'_>, uid: bool) -> Result<Command> {
    let returns = returns(r)?;
    r.open()?;
    let mut sort_keys = Vec::new();
    loop {
        r.count()?;
        sort_keys.push(sort_key(r)?);
        if r.eat(b')') {
            break;
        }
        r.space()?;
    }
    r.space()?;
    charset(r)?;
    r.space()?;
    Ok(Command::Sort { uid, returns, keys: sort_keys, criteria: keys(r)? })
}

pub(super) fn thread(r: &mut Reader<'_>, uid: bool) -> Result<Command> {
    let algorithm = match r.keyword()?.as_str() {
        "ORDEREDSUBJECT" => ThreadAlgorithm::OrderedSubject,
        "REFERENCES" => ThreadAlgorithm::References,
        _ => return r.fail(What::Parameter),
    };
    r.space()?;
    charset(r)?;
    r.space()?;
    Ok(Command::Thread { uid, algorithm, criteria: keys(r)? })
}

/// `RETURN (…) `, where it stands.
fn returns(r: &mut Reader<'_>) -> Result<Option<SearchReturn>> {
    if !r.eat_word("RETURN") {
        return Ok(None);
    }
    r.space()?;
    r.open()?;
    let mut returns = SearchReturn::default();
    let start = r.pos;
    while !r.eat(b')') {
        r.count()?;
        if r.pos > start {
            r.space()?;
        }
        match r.keyword()?.as_str() {
            "MIN" => returns.min = true,
            "MAX" => returns.max = true,
            "ALL" => returns.all = true,
            "COUNT" => returns.count = true,
            "SAVE" => returns.save = true,
            "PARTIAL" => {
                r.space()?;
                returns.partial = Some(r.partial_range()?);
            }
            _ => return r.fail(What::Parameter),
        }
    }
    // RFC 4731 §3.1: nothing is the same as ALL. RFC 9394 §3.1: PARTIAL takes the place of ALL.
    if returns == SearchReturn::default() {
        returns.all = true;
    }
    if returns.all && returns.partial.is_some() {
        return r.fail(What::Parameter);
    }
    r.space()?;
    Ok(Some(returns))
}

fn charset(r: &mut Reader<'_>) -> Result<()> {
    let start = r.pos;
    let name = r.astring()?;
    if name.eq_ignore_ascii_case(b"UTF-8") || name.eq_ignore_ascii_case(b"US-ASCII") {
        return Ok(());
    }
    r.pos = start;
    r.fail(What::Charset)
}

fn sort_key(r: &mut Reader<'_>) -> Result<SortKey> {
    let reverse = r.eat_word("REVERSE");
    if reverse {
        r.space()?;
    }
    let by = match r.keyword()?.as_str() {
        "ARRIVAL" => SortBy::Arrival,
        "CC" => SortBy::Cc,
        "DATE" => SortBy::Date,
        "FROM" => SortBy::From,
        "SIZE" => SortBy::Size,
        "SUBJECT" => SortBy::Subject,
        "TO" => SortBy::To,
        "DISPLAYFROM" => SortBy::DisplayFrom,
        "DISPLAYTO" => SortBy::DisplayTo,
        _ => return r.fail(What::Parameter),
    };
    Ok(SortKey { reverse, by })
}

/// Keys to the end of the command.
fn keys(r: &mut Reader<'_>) -> Result<Vec<SearchKey>> {
    let mut keys = vec![key(r)?];
    while !r.is_at_end() {
        r.space()?;
        keys.push(key(r)?);
    }
    Ok(keys)
}

fn key(r: &mut Reader<'_>) -> Result<SearchKey> {
    let Some(nesting) = r.nesting.checked_sub(1) else { return r.fail(What::TooDeep) };
    r.count()?;
    r.nesting = nesting;
    let key = match r.peek() {
        Some(b'(') => group(r),
        Some(b'0'..=b'9' | b'*' | b'$') => r.sequence_set().map(SearchKey::Seq),
        _ => named(r),
    };
    r.nesting = nesting + 1;
    key
}

fn group(r: &mut Reader<'_>) -> Result<SearchKey> {
    r.open()?;
    let mut keys = Vec::new();
    loop {
        keys.push(key(r)?);
        if r.eat(b')') {
            return Ok(SearchKey::And(keys));
        }
        r.space()?;
    }
}

fn named(r: &mut Reader<'_>) -> Result<SearchKey> {
    let start = r.pos;
    let name = r.keyword().or_else(|_| r.fail(What::SearchKey))?;
    if let Some((_, key)) = PLAIN_KEYS.iter().find(|(word, _)| *word == name) {
        return Ok(key.clone());
    }
    if let Some((field, order)) = date_key(&name) {
        r.space()?;
        let day = day(r)?;
        return Ok(match (field, order) {
            (DateField::Internal, DateOrder::Since) => {
                SearchKey::Since { year: day.year, month: day.month, day: day.day }
            }
            _ => SearchKey::Date { field, order, day },
        });
    }
    if !HAS_ARGUMENT.contains(&name.as_str()) {
        r.pos = start;
        return r.fail(What::SearchKey);
    }
    r.space()?;
    Ok(match name.as_str() {
        "UID" => SearchKey::Uid(r.sequence_set()?),
        "KEYWORD" => SearchKey::Keyword(r.word()?),
        "UNKEYWORD" => SearchKey::Unkeyword(r.word()?),
        "LARGER" => SearchKey::Larger(r.number64()?),
        "SMALLER" => SearchKey::Smaller(r.number64()?),
        "OLDER" => SearchKey::Older(r.nonzero()?),
        "YOUNGER" => SearchKey::Younger(r.nonzero()?),
        "EMAILID" => SearchKey::EmailId(r.word()?),
        "THREADID" => SearchKey::ThreadId(r.word()?),
        "FROM" => SearchKey::From(text(r)?),
        "TO" => SearchKey::To(text(r)?),
        "CC" => SearchKey::Cc(text(r)?),
        "BCC" => SearchKey::Bcc(text(r)?),
        "SUBJECT" => SearchKey::Subject(text(r)?),
        "BODY" => SearchKey::Body(text(r)?),
        "TEXT" => SearchKey::Text(text(r)?),
        "HEADER" => {
            let name = String::from_utf8_lossy(&text(r)?).into_owned();
            r.space()?;
            SearchKey::Header { name, value: text(r)? }
        }
        "MODSEQ" => modseq(r)?,
        "NOT" => SearchKey::Not(Box::new(key(r)?)),
        _ => {
            let one = key(r)?;
            r.space()?;
            SearchKey::Or(Box::new(one), Box::new(key(r)?))
        }
    })
}

const HAS_ARGUMENT: &[&str] = &[
    "UID",
    "KEYWORD",
    "UNKEYWORD",
    "LARGER",
    "SMALLER",
    "OLDER",
    "YOUNGER",
    "EMAILID",
    "THREADID",
    "FROM",
    "TO",
    "CC",
    "BCC",
    "SUBJECT",
    "BODY",
    "TEXT",
    "HEADER",
    "MODSEQ",
    "NOT",
    "OR",
];

fn date_key(name: &str) -> Option<(DateField, DateOrder)> {
    let (field, rest) = if let Some(rest) = name.strip_prefix("SENT") {
        (DateField::Sent, rest)
    } else if let Some(rest) = name.strip_prefix("SAVED") {
        (DateField::Saved, rest)
    } else {
        (DateField::Internal, name)
    };
    let order = match rest {
        "BEFORE" => DateOrder::Before,
        "ON" => DateOrder::On,
        "SINCE" => DateOrder::Since,
        _ => return None,
    };
    Some((field, order))
}

/// A day, quoted or not.
fn day(r: &mut Reader<'_>) -> Result<Day> {
    let start = r.pos;
    let text = if r.peek() == Some(b'"') { r.string()? } else { Cow::Borrowed(r.atom()?) };
    match parse_day(&text) {
        Some((year, month, day)) => Ok(Day { year, month, day }),
        None => {
            r.pos = start;
            r.fail(What::Date)
        }
    }
}

/// What is searched for. US-ASCII is UTF-8, and without CHARSET clients send UTF-8 all the same.
fn text(r: &mut Reader<'_>) -> Result<Vec<u8>> {
    let start = r.pos;
    let text = r.astring()?;
    if std::str::from_utf8(&text).is_ok() {
        return Ok(text.into_owned());
    }
    r.pos = start;
    r.fail(What::Text)
}

/// `MODSEQ [entry type] n` (RFC 7162 §3.1.5). A message has one mod-sequence here, so which entry is
/// meant makes no difference.
fn modseq(r: &mut Reader<'_>) -> Result<SearchKey> {
    if r.peek() == Some(b'"') {
        r.string()?;
        r.space()?;
        if !r.eat_word("PRIV") && !r.eat_word("SHARED") && !r.eat_word("ALL") {
            return r.fail(What::Parameter);
        }
        r.space()?;
    }
    Ok(SearchKey::ModSeq(r.mod_sequence(0)?))
}
