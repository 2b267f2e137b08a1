//! SEARCH and UID SEARCH, with ESEARCH and MODSEQ.

use super::super::mail::{field, find, header_end};
use super::super::model::Held;
use super::super::wire::{Arg, holds, ranges, search_day, set_text};
use super::{Answer, Session};

/// A key of a search.
enum Key {
    All,
    Numbers(Vec<(u32, u32)>),
    Uids(Vec<(u32, u32)>),
    Flag(String, bool),
    Before(i64),
    Since(i64),
    Larger(usize),
    Smaller(usize),
    Header(String, String),
    Text(String, bool),
    Modseq(u64),
    Not(Box<Key>),
    Or(Box<Key>, Box<Key>),
    Every(Vec<Key>),
}

impl Session {
    pub(super) fn search(&mut self, tag: &str, args: &[Arg], by_uid: bool) -> Answer {
        let (returns, keys) = match args {
            [word, list, keys @ ..] if word.is("RETURN") => {
                self.need("ESEARCH")?;
                (Some(list.items()), keys)
            }
            keys => (None, keys),
        };
        let folder = self.open_folder()?;
        let mut rest = match keys {
            [word, _, rest @ ..] if word.is("CHARSET") => rest,
            rest => rest,
        };
        let uids = self.view.as_ref().map(|v| v.uids.clone()).unwrap_or_default();
        let last = (uids.len() as u32, folder.held.last().map_or(0, |m| m.uid));
        let mut keys = Vec::new();
        while !rest.is_empty() {
            keys.push(key(&mut rest, last).ok_or("BAD search")?);
        }
        if keys.is_empty() {
            return Err("BAD search".into());
        }
        let by_modseq = keys.iter().any(|k| matches!(k, Key::Modseq(_)));
        if by_modseq {
            self.need("CONDSTORE")?;
            self.condstore = true;
        }
        let keys = Key::Every(keys);
        let number = |held: &Held| uids.iter().position(|u| *u == held.uid).map_or(0, |at| at as u32 + 1);
        let found: Vec<&Held> =
            folder.held.iter().filter(|m| (by_uid || number(m) > 0) && keys.fits(m, number(m))).collect();
        let highest = found.iter().map(|m| m.modseq).max().filter(|_| by_modseq);
        let numbers: Vec<u32> = found.iter().map(|m| if by_uid { m.uid } else { number(m) }).collect();
        self.tell_found(tag, returns.as_deref(), numbers, highest, by_uid);
        self.updates(by_uid);
        Ok("searched".into())
    }

    fn tell_found(
        &mut self,
        tag: &str,
        returns: Option<&[Arg]>,
        numbers: Vec<u32>,
        highest: Option<u64>,
        by_uid: bool,
    ) {
        let Some(returns) = returns else {
            let modseq = highest.map_or(String::new(), |m| format!(" (MODSEQ {m})"));
            let numbers: String = numbers.iter().map(|n| format!(" {n}")).collect();
            return self.say(format!("* SEARCH{numbers}{modseq}"));
        };
        let asks = |word: &str| returns.iter().any(|r| r.is(word));
        let mut line = format!("* ESEARCH (TAG \"{tag}\")");
        if by_uid {
            line += " UID";
        }
        if let (Some(low), Some(high)) = (numbers.first(), numbers.last()) {
            if asks("MIN") {
                line += &format!(" MIN {low}");
            }
            if asks("MAX") {
                line += &format!(" MAX {high}");
            }
        }
        if asks("COUNT") {
            line += &format!(" COUNT {}", numbers.len());
        }
        if !numbers.is_empty() && (asks("ALL") || returns.is_empty()) {
            line += &format!(" ALL {}", set_text(numbers));
        }
        if let Some(modseq) = highest {
            line += &format!(" MODSEQ {modseq}");
        }
        self.say(line);
    }
}

/// Takes one key off the front; numbers are counted up to `last`, of messages and of UIDs.
fn key(args: &mut &[Arg], last: (u32, u32)) -> Option<Key> {
    fn next(args: &mut &[Arg]) -> Option<String> {
        let (first, rest) = args.split_first()?;
        *args = rest;
        Some(first.text())
    }
    if let [Arg::List(inside), rest @ ..] = *args {
        *args = rest;
        let mut inside = inside.as_slice();
        let mut keys = Vec::new();
        while !inside.is_empty() {
            keys.push(key(&mut inside, last)?);
        }
        return Some(Key::Every(keys));
    }
    let word = next(args)?.to_ascii_uppercase();
    Some(match word.as_str() {
        "ALL" => Key::All,
        "UID" => Key::Uids(ranges(&next(args)?, last.1)),
        "ANSWERED" | "DELETED" | "DRAFT" | "FLAGGED" | "SEEN" => Key::Flag(format!("\\{word}"), true),
        "UNANSWERED" | "UNDELETED" | "UNDRAFT" | "UNFLAGGED" | "UNSEEN" => {
            Key::Flag(format!("\\{}", &word[2..]), false)
        }
        "KEYWORD" => Key::Flag(next(args)?, true),
        "UNKEYWORD" => Key::Flag(next(args)?, false),
        "BEFORE" => Key::Before(search_day(&next(args)?)?),
        "SINCE" => Key::Since(search_day(&next(args)?)?),
        "ON" => {
            let day = search_day(&next(args)?)?;
            Key::Every(vec![Key::Since(day), Key::Before(day + 1)])
        }
        "LARGER" => Key::Larger(next(args)?.parse().ok()?),
        "SMALLER" => Key::Smaller(next(args)?.parse().ok()?),
        "HEADER" => Key::Header(next(args)?, next(args)?),
        "SUBJECT" | "FROM" | "TO" | "CC" | "BCC" => Key::Header(word, next(args)?),
        "TEXT" => Key::Text(next(args)?, true),
        "BODY" => Key::Text(next(args)?, false),
        "MODSEQ" => Key::Modseq(next(args)?.parse().ok()?),
        "NOT" => Key::Not(Box::new(key(args, last)?)),
        "OR" => Key::Or(Box::new(key(args, last)?), Box::new(key(args, last)?)),
        _ if word.starts_with(|c: char| c.is_ascii_digit() || c == '*') => {
            Key::Numbers(ranges(&word, last.0))
        }
        _ => return None,
    })
}

impl Key {
    fn fits(&self, held: &Held, number: u32) -> bool {
        let day = held.internal_ms.div_euclid(86_400_000);
        let has = |text: &[u8], part: &str| {
            part.is_empty()
                || find(&text.to_ascii_lowercase(), part.to_ascii_lowercase().as_bytes()).is_some()
        };
        match self {
            Key::All => true,
            Key::Numbers(set) => holds(set, number),
            Key::Uids(set) => holds(set, held.uid),
            Key::Flag(flag, is) => held.flags.iter().any(|f| f.eq_ignore_ascii_case(flag)) == *is,
            Key::Before(end) => day < *end,
            Key::Since(start) => day >= *start,
            Key::Larger(size) => held.raw.len() > *size,
            Key::Smaller(size) => held.raw.len() < *size,
            Key::Header(name, part) => field(&held.raw, name).is_some_and(|f| has(f.as_bytes(), part)),
            Key::Text(part, whole) => has(&held.raw[if *whole { 0 } else { header_end(&held.raw) }..], part),
            Key::Modseq(least) => held.modseq >= *least,
            Key::Not(key) => !key.fits(held, number),
            Key::Or(one, other) => one.fits(held, number) || other.fits(held, number),
            Key::Every(keys) => keys.iter().all(|k| k.fits(held, number)),
        }
    }
}
