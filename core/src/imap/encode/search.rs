//! SEARCH (RFC 9051 §6.4.4).

use super::line::Line;
use super::{EncodeError, Encoding, mod_sequence, put_numbers};
use crate::imap::command::{DateField, DateOrder, Day, SearchKey};
use crate::imap::date::month_name;

/// Containers a SEARCH key may be nested in.
const NESTING: usize = 64;

pub(super) fn put_search(line: &mut Line, uid: bool, returns: &[String], criteria: &[SearchKey]) -> Encoding {
    if criteria.is_empty() {
        return Err(EncodeError::Empty { field: "search criteria" });
    }
    line.raw(if uid { "UID SEARCH" } else { "SEARCH" });
    for (at, word) in returns.iter().enumerate() {
        line.raw(if at == 0 { " RETURN (" } else { " " });
        line.return_option("search return option", word)?;
    }
    line.raw(if returns.is_empty() { "" } else { ")" });
    // Only where it says something: some servers refuse any CHARSET, and with UTF-8 enabled all must
    // (RFC 9755 §3).
    if !line.options().utf8 && criteria.iter().any(|key| needs_charset(key, NESTING)) {
        line.raw(" CHARSET UTF-8");
    }
    for key in criteria {
        line.raw(" ");
        put_search_key(line, key, NESTING)?;
    }
    Ok(())
}

fn needs_charset(key: &SearchKey, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match key {
        SearchKey::Not(inner) => needs_charset(inner, depth),
        SearchKey::Or(one, other) => needs_charset(one, depth) || needs_charset(other, depth),
        SearchKey::And(keys) => keys.iter().any(|key| needs_charset(key, depth)),
        SearchKey::Header { name, value } => !name.is_ascii() || !value.is_ascii(),
        other => text_key(other).is_some_and(|(_, value)| !value.is_ascii()),
    }
}

fn put_search_key(line: &mut Line, key: &SearchKey, depth: usize) -> Encoding {
    let depth = depth.checked_sub(1).ok_or(EncodeError::Range { field: "search key" })?;
    if let Some(word) = plain_key(key) {
        line.raw(word);
        return Ok(());
    }
    if let Some((word, value)) = text_key(key) {
        line.raw(word);
        return put_text(line, value);
    }
    match key {
        SearchKey::Seq(set) => put_numbers(line, set)?,
        SearchKey::Uid(set) => {
            line.raw("UID ");
            put_numbers(line, set)?;
        }
        SearchKey::Keyword(word) => {
            line.raw("KEYWORD ");
            line.atom("keyword", word)?;
        }
        SearchKey::Unkeyword(word) => {
            line.raw("UNKEYWORD ");
            line.atom("keyword", word)?;
        }
        SearchKey::Since { year, month, day } => {
            put_day(line, "SINCE", Day { year: *year, month: *month, day: *day })?;
        }
        SearchKey::Date { field, order, day } => put_day(line, date_key(*field, *order), *day)?,
        SearchKey::Older(seconds) => line.raw(&format!("OLDER {}", interval(*seconds)?)),
        SearchKey::Younger(seconds) => line.raw(&format!("YOUNGER {}", interval(*seconds)?)),
        SearchKey::Header { name, value } => {
            line.raw("HEADER ");
            line.astring("header field name", name.as_bytes())?;
            line.raw(" ");
            put_text(line, value)?;
        }
        SearchKey::Larger(octets) => line.raw(&format!("LARGER {octets}")),
        SearchKey::Smaller(octets) => line.raw(&format!("SMALLER {octets}")),
        SearchKey::ModSeq(modseq) => {
            line.raw(&format!("MODSEQ {}", mod_sequence(*modseq, 0)?));
        }
        SearchKey::EmailId(id) => {
            line.raw("EMAILID ");
            line.atom("object id", id)?;
        }
        SearchKey::ThreadId(id) => {
            line.raw("THREADID ");
            line.atom("object id", id)?;
        }
        SearchKey::Not(inner) => {
            line.raw("NOT ");
            put_search_key(line, inner, depth)?;
        }
        SearchKey::Or(one, other) => {
            line.raw("OR ");
            put_search_key(line, one, depth)?;
            line.raw(" ");
            put_search_key(line, other, depth)?;
        }
        SearchKey::And(keys) if keys.is_empty() => {
            return Err(EncodeError::Empty { field: "search criteria" });
        }
        SearchKey::And(keys) => {
            for (at, key) in keys.iter().enumerate() {
                line.raw(if at == 0 { "(" } else { " " });
                put_search_key(line, key, depth)?;
            }
            line.raw(")");
        }
        // The rest has gone out above.
        _ => {}
    }
    Ok(())
}

/// The word of a key that has nothing but its word.
pub(crate) fn plain_key(key: &SearchKey) -> Option<&'static str> {
    PLAIN_KEYS.iter().find(|(_, known)| known == key).map(|(word, _)| *word)
}

/// Keys that are a word and nothing else.
pub(crate) const PLAIN_KEYS: &[(&str, SearchKey)] = &[
    ("ALL", SearchKey::All),
    ("ANSWERED", SearchKey::Answered),
    ("DELETED", SearchKey::Deleted),
    ("DRAFT", SearchKey::Draft),
    ("FLAGGED", SearchKey::Flagged),
    ("SEEN", SearchKey::Seen),
    ("RECENT", SearchKey::Recent),
    ("NEW", SearchKey::New),
    ("OLD", SearchKey::Old),
    ("UNANSWERED", SearchKey::Unanswered),
    ("UNDELETED", SearchKey::Undeleted),
    ("UNDRAFT", SearchKey::Undraft),
    ("UNFLAGGED", SearchKey::Unflagged),
    ("UNSEEN", SearchKey::Unseen),
    ("SAVEDATESUPPORTED", SearchKey::SaveDateSupported),
];

fn text_key(key: &SearchKey) -> Option<(&'static str, &[u8])> {
    Some(match key {
        SearchKey::From(value) => ("FROM ", value),
        SearchKey::To(value) => ("TO ", value),
        SearchKey::Cc(value) => ("CC ", value),
        SearchKey::Bcc(value) => ("BCC ", value),
        SearchKey::Subject(value) => ("SUBJECT ", value),
        SearchKey::Body(value) => ("BODY ", value),
        SearchKey::Text(value) => ("TEXT ", value),
        _ => return None,
    })
}

fn put_text(line: &mut Line, value: &[u8]) -> Encoding {
    if std::str::from_utf8(value).is_err() {
        return Err(EncodeError::NotUtf8 { field: "search text" });
    }
    line.string("search text", value)
}

/// The word of a key that compares days.
pub(crate) fn date_key(field: DateField, order: DateOrder) -> &'static str {
    match (field, order) {
        (DateField::Internal, DateOrder::Before) => "BEFORE",
        (DateField::Internal, DateOrder::On) => "ON",
        (DateField::Internal, DateOrder::Since) => "SINCE",
        (DateField::Sent, DateOrder::Before) => "SENTBEFORE",
        (DateField::Sent, DateOrder::On) => "SENTON",
        (DateField::Sent, DateOrder::Since) => "SENTSINCE",
        (DateField::Saved, DateOrder::Before) => "SAVEDBEFORE",
        (DateField::Saved, DateOrder::On) => "SAVEDON",
        (DateField::Saved, DateOrder::Since) => "SAVEDSINCE",
    }
}

fn put_day(line: &mut Line, word: &str, Day { year, month, day }: Day) -> Encoding {
    let Some(month) = month_name(month).filter(|_| (1..=31).contains(&day) && year <= 9999) else {
        return Err(EncodeError::Range { field: "search date" });
    };
    line.raw(&format!("{word} {day}-{month}-{year:04}"));
    Ok(())
}

/// An interval of 0 seconds cannot be said (RFC 5032 §3).
fn interval(seconds: u32) -> Result<u32, EncodeError> {
    if seconds == 0 { Err(EncodeError::Range { field: "search interval" }) } else { Ok(seconds) }
}
