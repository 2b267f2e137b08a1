//! SEARCH (RFC 9051 §6.4.4).

use super::line::Line;
use super::{EncodeError, Encoding, mod_sequence, put_numbers};
use crate::imap::command::SearchKey;

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
    if !line.options().utf8 && criteria.iter().any(needs_charset) {
        line.raw(" CHARSET UTF-8");
    }
    for key in criteria {
        line.raw(" ");
        put_search_key(line, key)?;
    }
    Ok(())
}

fn needs_charset(key: &SearchKey) -> bool {
    let mut key = key;
    while let SearchKey::Not(inner) = key {
        key = inner;
    }
    matches!(key, SearchKey::Header { name, value } if !name.is_ascii() || !value.is_ascii())
}

fn put_search_key(line: &mut Line, key: &SearchKey) -> Encoding {
    let mut key = key;
    while let SearchKey::Not(inner) = key {
        line.raw("NOT ");
        key = inner;
    }
    match key {
        SearchKey::All => line.raw("ALL"),
        SearchKey::Uid(set) => {
            line.raw("UID ");
            put_numbers(line, set)?;
        }
        SearchKey::Deleted => line.raw("DELETED"),
        SearchKey::Unseen => line.raw("UNSEEN"),
        SearchKey::Since { year, month, day } => {
            const MONTHS: [&str; 12] =
                ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
            let month = usize::from(*month).checked_sub(1).and_then(|at| MONTHS.get(at));
            let Some(month) = month.filter(|_| (1..=31).contains(day) && *year <= 9999) else {
                return Err(EncodeError::Range { field: "search date" });
            };
            line.raw(&format!("SINCE {day}-{month}-{year:04}"));
        }
        SearchKey::Header { name, value } => {
            if std::str::from_utf8(value).is_err() {
                return Err(EncodeError::NotUtf8 { field: "search text" });
            }
            line.raw("HEADER ");
            line.astring("header field name", name.as_bytes())?;
            line.raw(" ");
            line.string("search text", value)?;
        }
        SearchKey::Larger(octets) => line.raw(&format!("LARGER {octets}")),
        SearchKey::Smaller(octets) => line.raw(&format!("SMALLER {octets}")),
        SearchKey::ModSeq(modseq) => {
            line.raw(&format!("MODSEQ {}", mod_sequence(*modseq, 0)?));
        }
        SearchKey::Not(_) => {}
    }
    Ok(())
}
