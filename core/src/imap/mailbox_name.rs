//! Mailbox names for people: modified UTF-7 and UTF-8 (RFC 3501 §5.1.3, RFC 9755 §3).
//!
//! On the wire a name is opaque: what the server spelt is what goes back to it. Here it becomes text to
//! show, which never fails, and text that a person typed becomes a name. The text is for the eye: two
//! names may look the same, and no text is a path.

use std::fmt::Write as _;

/// A name as text to show. `utf8` says that `UTF8=ACCEPT` or IMAP4rev2 is enabled, so that `&` shifts
/// nothing.
///
/// A name in broken modified UTF-7 is shown as it came. Controls, characters that turn or break the line
/// around them, and octets that are no UTF-8 are shown as `\xNN`, one for each octet.
pub fn decode(wire: &[u8], utf8: bool) -> String {
    if !utf8 && let Some(text) = decode_utf7(wire) {
        return escaped(text.as_bytes());
    }
    escaped(wire)
}

/// The wire form of a name that a person gave.
pub fn encode(name: &str, utf8: bool) -> Vec<u8> {
    if utf8 { name.as_bytes().to_vec() } else { encode_utf7(name) }
}

/// Whether [`decode`] and then [`encode`] gives the same name again. Where it does not, the text must not
/// stand for the name: keep the wire form.
pub fn is_canonical(wire: &[u8], utf8: bool) -> bool {
    encode(&decode(wire, utf8), utf8) == wire
}

fn escaped(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let escape = |text: &mut String, octets: &[u8]| {
        for octet in octets {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{octet:02X}");
        }
    };
    for chunk in octets.utf8_chunks() {
        for c in chunk.valid().chars() {
            match disturbs(c) {
                true => escape(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes()),
                false => text.push(c),
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

/// Controls, line separators, and what turns the direction of the text around it.
fn disturbs(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// None when it is no modified UTF-7. Spellings that no encoder should choose are understood.
fn decode_utf7(wire: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some(at) = memchr::memchr(b'&', rest) {
        push_ascii(&mut text, &rest[..at])?;
        rest = &rest[at + 1..];
        let end = memchr::memchr(b'-', rest)?;
        match end {
            0 => text.push('&'),
            _ => push_shifted(&mut text, &rest[..end])?,
        }
        rest = &rest[end + 1..];
    }
    push_ascii(&mut text, rest)?;
    Some(text)
}

fn push_ascii(text: &mut String, octets: &[u8]) -> Option<()> {
    let plain = std::str::from_utf8(octets).ok().filter(|plain| plain.is_ascii())?;
    text.push_str(plain);
    Some(())
}

/// Base64 of UTF-16, with `,` for `/` and without padding.
fn push_shifted(text: &mut String, digits: &[u8]) -> Option<()> {
    let mut units = Vec::with_capacity(digits.len() * 6 / 16);
    let (mut bits, mut held) = (0u32, 0u32);
    for &digit in digits {
        bits = bits << 6 | u32::from(value_of(digit)?);
        held += 6;
        if held >= 16 {
            held -= 16;
            units.push((bits >> held) as u16);
            bits &= (1 << held) - 1;
        }
    }
    // What is left is padding: less than a digit, and zero.
    if held >= 6 || bits != 0 {
        return None;
    }
    for unit in char::decode_utf16(units) {
        text.push(unit.ok()?);
    }
    Some(())
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

fn value_of(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b',' => Some(63),
        _ => None,
    }
}

fn encode_utf7(name: &str) -> Vec<u8> {
    let mut wire = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        let run = rest.find(|other| is_direct(other) != is_direct(c)).unwrap_or(rest.len());
        let (head, tail) = rest.split_at(run);
        if is_direct(c) {
            for octet in head.bytes() {
                wire.push(octet);
                if octet == b'&' {
                    wire.push(b'-');
                }
            }
        } else {
            shift(&mut wire, head);
        }
        rest = tail;
    }
    wire
}

/// Printable US-ASCII stands for itself.
fn is_direct(c: char) -> bool {
    matches!(c, ' '..='~')
}

fn shift(wire: &mut Vec<u8>, run: &str) {
    wire.push(b'&');
    let (mut bits, mut held) = (0u32, 0u32);
    for unit in run.encode_utf16() {
        bits = bits << 16 | u32::from(unit);
        held += 16;
        while held >= 6 {
            held -= 6;
            wire.push(DIGITS[(bits >> held & 0x3f) as usize]);
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        wire.push(DIGITS[(bits << (6 - held) & 0x3f) as usize]);
    }
    wire.push(b'-');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{decode, disturbs, encode, is_canonical};

    #[test]
    fn names_there_and_back() {
        let cases: &[(&[u8], &str)] = &[
            (b"", ""),
            (b"INBOX", "INBOX"),
            (b"A&-B", "A&B"),
            (b"&-&-", "&&"),
            (b"a-b", "a-b"),
            (b"\\ \"~", "\\ \"~"),
            // RFC 3501 §5.1.3
            (b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/\u{53f0}\u{5317}/\u{65e5}\u{672c}\u{8a9e}"),
            (b"Entw&APw-rfe", "Entw\u{fc}rfe"),
            (b"&AOkA6A-", "\u{e9}\u{e8}"),
            (b"&2D3eAA-", "\u{1f600}"),
            (b"&AOk-&-&AOk-", "\u{e9}&\u{e9}"),
        ];
        for (wire, text) in cases {
            assert_eq!(decode(wire, false), *text);
            assert_eq!(encode(text, false), *wire, "{text}");
            assert!(is_canonical(wire, false), "{text}");
        }
    }

    #[test]
    fn utf8_names_shift_nothing() {
        for text in ["A&B", "&AOk-", "\u{e9}\u{1f600}", "Gel\u{f6}scht"] {
            assert_eq!(decode(text.as_bytes(), true), text);
            assert_eq!(encode(text, true), text.as_bytes());
            assert!(is_canonical(text.as_bytes(), true));
        }
        assert_eq!(decode(b"a\xffb\xe9", true), "a\\xFFb\\xE9");
        assert!(!is_canonical(b"a\xffb\xe9", true));
    }

    #[test]
    fn note_37_broken_names_are_shown_as_they_came() {
        let cases: &[(&[u8], &str)] = &[
            (b"../../etc/passwd&", "../../etc/passwd&"),
            (b"a&b", "a&b"),
            (b"&AOk", "&AOk"),
            (b"&A-", "&A-"),
            (b"&AO-", "&AO-"),
            (b"&AOl-", "&AOl-"),
            (b"&AOkA-", "&AOkA-"),
            (b"&2D0-", "&2D0-"),
            (b"&3gA-", "&3gA-"),
            (b"&U/BTFw-", "&U/BTFw-"),
            (b"&AO=-", "&AO=-"),
            (b"\xc3\xa9", "\u{e9}"),
            (b"\xe9&AOk-", "\\xE9&AOk-"),
            (b"a\0b\r\n\x7f\x1b[31m", "a\\x00b\\x0D\\x0A\\x7F\\x1B[31m"),
            (b"&AAo-", "\\x0A"),
            (b"&AIU-", "\\xC2\\x85"),
            (b"&IC4-gpj.exe", "\\xE2\\x80\\xAEgpj.exe"),
            (b"\xed\xa0\x80\xf4\x90\x80\x80", "\\xED\\xA0\\x80\\xF4\\x90\\x80\\x80"),
        ];
        for (wire, text) in cases {
            assert_eq!(decode(wire, false), *text);
            assert!(!is_canonical(wire, false), "{text}");
        }
    }

    #[test]
    fn odd_spellings_are_understood_and_not_canonical() {
        // A letter shifted that need not be; a shift that ends only to begin again.
        for (wire, text) in [(&b"&AGE-"[..], "a"), (b"&AOk-&AOg-", "\u{e9}\u{e8}")] {
            assert_eq!(decode(wire, false), text);
            assert!(!is_canonical(wire, false));
        }
    }

    #[test]
    fn note_37_a_name_of_64_kb_is_text_like_any_other() {
        let wire = b"&AOk-/".repeat(11_000);
        assert_eq!(decode(&wire, false), "\u{e9}/".repeat(11_000));
        assert!(is_canonical(&wire, false));
        let unclosed = vec![b'&'; 64 << 10];
        assert_eq!(decode(&unclosed, false).as_bytes(), unclosed);
    }

    proptest! {
        #[test]
        fn what_a_person_types_comes_back(name in any::<String>(), utf8 in any::<bool>()) {
            let wire = encode(&name, utf8);
            if !utf8 {
                prop_assert!(wire.iter().all(|b| (0x20..0x7f).contains(b)));
            }
            if !name.contains(disturbs) {
                prop_assert_eq!(decode(&wire, utf8), name);
                prop_assert!(is_canonical(&wire, utf8));
            }
        }

        #[test]
        fn any_octets_are_shown_without_controls(
            wire in proptest::collection::vec(
                prop_oneof![any::<u8>(), Just(b'&'), Just(b'-'), b'A'..=b'Z'], 0..40
            ),
            utf8 in any::<bool>(),
        ) {
            let text = decode(&wire, utf8);
            prop_assert!(!text.contains(disturbs));
            prop_assert_eq!(is_canonical(&wire, utf8), encode(&text, utf8) == wire);
        }
    }
}
