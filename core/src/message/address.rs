//! Addresses of From, To and the like (RFC 5322 §3.4).

use mail_parser::parsers::MessageStream;
use mail_parser::{Addr, HeaderValue};
use memchr::memrchr;

use super::Address;
use super::words::{Piece, clean, scan_words, unfold};
use crate::limits::Limits;

/// Octets of one address field given to the parser. Unclosed quotes made it use eleven times its input.
const FIELD: usize = 32 * 1024;

/// Longest address kept; RFC 5321 allows 254 octets.
const ADDRESS: usize = 512;

/// The addresses of one field, and whether some were left out.
pub(super) fn parse_addresses(value: &[u8], limits: &Limits) -> (Vec<Address>, bool) {
    let bounded = bound(value);
    let text = unfold(bounded);
    let mut words = Vec::new();
    let line = protect(&text, &mut words);
    let mut found = Found { list: Vec::new(), words, limits, cut: bounded.len() < value.len() };
    match MessageStream::new(line.as_bytes()).parse_address() {
        HeaderValue::Address(mail_parser::Address::List(list)) => found.extend(list),
        HeaderValue::Address(mail_parser::Address::Group(groups)) => {
            for group in groups {
                if group.addresses.is_empty() && group.name.is_some() {
                    // `undisclosed-recipients:;` says more than nothing.
                    found.push(Addr { name: group.name, address: None });
                }
                found.extend(group.addresses);
            }
        }
        _ => {}
    }
    (found.list, found.cut)
}

/// The start of a value, cut between addresses.
fn bound(value: &[u8]) -> &[u8] {
    match value.get(..FIELD) {
        Some(start) => &start[..memrchr(b',', start).unwrap_or(FIELD)],
        None => value,
    }
}

struct Found<'a> {
    list: Vec<Address>,
    words: Vec<String>,
    limits: &'a Limits,
    cut: bool,
}

impl Found<'_> {
    fn extend(&mut self, list: Vec<Addr<'_>>) {
        for addr in list {
            self.push(addr);
        }
    }

    fn push(&mut self, addr: Addr<'_>) {
        if self.list.len() >= self.limits.addresses {
            self.cut = true;
            return;
        }
        let mut address = addr.address.map(|text| self.text(&text, ADDRESS)).unwrap_or_default();
        let name = addr.name.map(|text| self.text(&text, self.limits.field_text));
        let mut name = name.filter(|name| !name.is_empty());
        if address.is_empty() && name.as_ref().is_some_and(|name| name.contains('@') && !name.contains(' ')) {
            address = name.take().unwrap_or_default();
        }
        if !address.is_empty() || name.is_some() {
            self.list.push(Address { name, address });
        }
    }

    fn text(&self, text: &str, octets: usize) -> String {
        clean(&restore(text, &self.words), octets)
    }
}

/// Puts a place holder (an index between 0x01 and 0x02) for each encoded word. Decoded words may hold
/// commas and quotes, which must not cut an address; and malformed ones would make the parser look at
/// the rest of the field for each, so their start is hidden too (0x03).
fn protect(text: &str, words: &mut Vec<String>) -> String {
    let mut line = String::with_capacity(text.len() + 1);
    scan_words(text, |piece| match piece {
        Piece::Plain(plain) => {
            let mut last = ' ';
            for char in plain.chars() {
                match char {
                    '\u{1}'..='\u{3}' => continue,
                    '?' if last == '=' => {
                        line.pop();
                        line.push_str("\u{3}?");
                    }
                    _ => line.push(char),
                }
                last = char;
            }
        }
        Piece::Decoded(word) => {
            line.push('\u{1}');
            line.push_str(&words.len().to_string());
            line.push('\u{2}');
            words.push(word);
        }
    });
    line.push('\n');
    line
}

fn restore(text: &str, words: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\u{1}', '\u{3}']) {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = after;
        if text.as_bytes()[text.len() - after.len() - 1] == 3 {
            out.push('=');
        } else if let Some((index, after)) = after.split_once('\u{2}') {
            out.push_str(
                index.parse().ok().and_then(|index: usize| words.get(index)).map_or("", |word| word),
            );
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Vec<String> {
        let (list, _) = parse_addresses(text, &Limits::DEFAULT);
        list.iter().map(|addr| format!("{}|{}", addr.name.as_deref().unwrap_or("-"), addr.address)).collect()
    }

    #[test]
    fn addresses() {
        for (text, list) in [
            (&b"a@example.org"[..], &["-|a@example.org"][..]),
            (b"Ann Ode <a@example.org>", &["Ann Ode|a@example.org"]),
            (b"\"Ode, Ann\" <a@example.org>, b@example.org", &["Ode, Ann|a@example.org", "-|b@example.org"]),
            (b"a@example.org (Ann Ode)", &["Ann Ode|a@example.org"]),
            (b"=?utf-8?Q?Ren=C3=A9?= <a@example.org>", &["René|a@example.org"]),
            (b"\"=?utf-8?Q?Ren=C3=A9?=\" <a@example.org>", &["René|a@example.org"]),
            (b"=?utf-8?Q?Ode=2C_Ann?= <a@example.org>", &["Ode, Ann|a@example.org"]),
            (b"=?utf-8?Q?Ode, Ann?= <a@example.org>", &["Ode, Ann|a@example.org"]),
            (b"=?utf-8?Q?a?=\r\n =?utf-8?Q?b?= c <a@example.org>", &["ab c|a@example.org"]),
            (b"Ren\xe9 <a@example.org>", &["René|a@example.org"]),
            (b"Ren\xc3\xa9 <a@example.org>", &["René|a@example.org"]),
            (b"team: a@example.org, b@example.org;", &["-|a@example.org", "-|b@example.org"]),
            (b"undisclosed-recipients:;", &["undisclosed-recipients|"]),
            (b"Just A Name", &["Just A Name|"]),
            (b"\"a@example.org\"", &["-|a@example.org"]),
            (b"Evil \xe2\x80\xaegro.elpmaxe <a@example.org>", &["Evil gro.elpmaxe|a@example.org"]),
            (b"\x01\x02 =? x <a@example.org>", &["=? x|a@example.org"]),
            (b"", &[]),
            (b"<>", &[]),
        ] {
            assert_eq!(parse(text), list, "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn note_58_address_bombs_are_bounded() {
        for seed in
            ["a@b,", "\"a", "\"", "(", "(((((<", ":;", "a:", "<<<<", "=?aa?q?x ", "=?utf-8?q?,?= ", "\\\""]
        {
            let text = seed.repeat((4 << 20) / seed.len());
            let (list, cut) = parse_addresses(text.as_bytes(), &Limits::DEFAULT);
            assert!(cut, "{seed}");
            assert!(list.len() <= Limits::DEFAULT.addresses);
            let octets: usize = list
                .iter()
                .map(|addr| addr.address.len() + addr.name.iter().map(String::len).sum::<usize>())
                .sum();
            assert!(octets <= 2 * FIELD, "{seed}: {octets}");
        }
    }
}
