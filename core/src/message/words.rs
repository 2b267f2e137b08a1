//! Text of headers and parts: charsets, encoded words (RFC 2047), and making it safe to show.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memmem};

use super::charsets;
use super::transfer::{TransferEncoding, hex_pair};

/// Longest encoded word looked at. RFC 2047 §2 allows 75 octets; some programs put a whole subject into one.
const WORD: usize = 8 * 1024;

/// Text in a charset. An unknown charset, or none, is read as UTF-8, else as windows-1252.
///
/// `data` may be cut in the middle of a character, which is then left out.
pub(super) fn decode_charset<'a>(data: &'a [u8], charset: Option<&str>) -> Cow<'a, str> {
    let charset = charset.map(|name| name.trim().as_bytes()).unwrap_or_default();
    let is = |name: &[u8]| charset.eq_ignore_ascii_case(name);
    if charset.is_empty() || is(b"us-ascii") || is(b"ascii") || is(b"unknown-8bit") {
        return guess(data);
    }
    if is(b"utf-8") || is(b"utf8") {
        return match utf8(data) {
            Some(text) => Cow::Borrowed(text),
            None => String::from_utf8_lossy(data),
        };
    }
    match charsets::decode(charset, data) {
        // A charset known by name only decodes to nothing but this.
        Some(text) if text == "\u{FFFD}" => guess(data),
        Some(text) => Cow::Owned(text),
        None => guess(data),
    }
}

fn guess(data: &[u8]) -> Cow<'_, str> {
    let escapes = memchr(0x1b, data).is_some() && memmem::find(data, b"\x1b$").is_some();
    match utf8(data) {
        // A single odd octet at the end of ASCII is rather a letter than a cut character.
        Some(text) if !(escapes || text.is_ascii() && text.len() + 1 == data.len()) => Cow::Borrowed(text),
        _ => {
            let charset = if escapes { &b"iso-2022-jp"[..] } else { b"windows-1252" };
            charsets::decode(charset, data).map_or_else(|| String::from_utf8_lossy(data), Cow::Owned)
        }
    }
}

/// UTF-8, but for a character cut off at the end.
fn utf8(data: &[u8]) -> Option<&str> {
    match std::str::from_utf8(data) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&data[..error.valid_up_to()]).ok(),
        Err(_) => None,
    }
}

/// A header value as text on one line: folds become blanks, 8-bit octets are decoded (RFC 5322 §2.2.3).
pub(super) fn unfold(value: &[u8]) -> Cow<'_, str> {
    let text = decode_charset(value.trim_ascii(), None);
    if memchr2(b'\r', b'\n', text.as_bytes()).is_none() {
        return text;
    }
    let mut line = String::with_capacity(text.len());
    for piece in text.split(['\r', '\n']).filter(|piece| !piece.is_empty()) {
        if !line.is_empty() && !piece.starts_with([' ', '\t']) {
            line.push(' ');
        }
        line.push_str(piece);
    }
    Cow::Owned(line)
}

/// Decodes the encoded words in a line (RFC 2047). What is malformed stays as it is.
///
/// Words that follow each other in one charset are joined before they are decoded: many programs cut
/// them in the middle of a character.
pub(super) fn decode_words(text: &str) -> Cow<'_, str> {
    if memmem::find(text.as_bytes(), b"=?").is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    scan_words(text, |piece| match piece {
        Piece::Plain(plain) => out.push_str(plain),
        Piece::Decoded(decoded) => out.push_str(&decoded),
    });
    Cow::Owned(out)
}

/// A stretch of a line that may hold encoded words.
pub(super) enum Piece<'a> {
    /// Outside encoded words.
    Plain(&'a str),
    /// The text of one or more adjacent words.
    Decoded(String),
}

/// Cuts a line into encoded words and what lies between them, in time linear in its length.
pub(super) fn scan_words<'a>(text: &'a str, mut each: impl FnMut(Piece<'a>)) {
    let (mut rest, mut plain_from, mut at) = (text, 0, 0);
    let mut run: Option<(&str, Vec<u8>)> = None;
    while let Some(found) = memmem::find(&rest.as_bytes()[at..], b"=?") {
        let start = at + found;
        let Some((word, length)) = Word::parse(&rest[start..]) else {
            at = start + 2;
            continue;
        };
        let between = &rest[plain_from..start];
        let adjacent = run.is_some() && between.bytes().all(|byte| byte.is_ascii_whitespace());
        match &mut run {
            Some((charset, bytes)) if adjacent && charset.eq_ignore_ascii_case(word.charset) => {
                bytes.extend_from_slice(&word.bytes);
            }
            _ => {
                if let Some((charset, bytes)) = run.take() {
                    each(Piece::Decoded(decode_charset(&bytes, Some(charset)).into_owned()));
                }
                if !adjacent && !between.is_empty() {
                    each(Piece::Plain(between));
                }
                run = Some((word.charset, word.bytes));
            }
        }
        rest = &rest[start + length..];
        (plain_from, at) = (0, 0);
    }
    if let Some((charset, bytes)) = run {
        each(Piece::Decoded(decode_charset(&bytes, Some(charset)).into_owned()));
    }
    if !rest.is_empty() {
        each(Piece::Plain(rest));
    }
}

struct Word<'a> {
    charset: &'a str,
    bytes: Vec<u8>,
}

impl<'a> Word<'a> {
    /// The word at the start of `text`, and its length.
    fn parse(text: &'a str) -> Option<(Word<'a>, usize)> {
        let bytes = &text.as_bytes()[..text.len().min(WORD)];
        let charset_end = 2 + memchr(b'?', bytes.get(2..66.min(bytes.len()))?)?;
        let charset = text.get(2..charset_end)?;
        if charset.is_empty() || !charset.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        if bytes.get(charset_end + 2) != Some(&b'?') {
            return None;
        }
        let payload_start = charset_end + 3;
        let payload_end = payload_start + memmem::find(&bytes[payload_start..], b"?=")?;
        let payload = &bytes[payload_start..payload_end];
        let decoded = match bytes[charset_end + 1] {
            b'b' | b'B' => TransferEncoding::Base64.decode(payload).into_owned(),
            b'q' | b'Q' => q_encoding(payload),
            _ => return None,
        };
        // RFC 2231 §5 lets a language follow the charset.
        let charset = charset.split('*').next().unwrap_or(charset);
        Some((Word { charset, bytes: decoded }, payload_end + 2))
    }
}

fn q_encoding(mut payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len());
    while let [first, rest @ ..] = payload {
        let escaped = if *first == b'=' { hex_pair(rest) } else { None };
        let plain = if *first == b'_' { b' ' } else { *first };
        let (octet, after) = escaped.unwrap_or((plain, rest));
        out.push(octet);
        payload = after;
    }
    out
}

/// One line that is safe to show: blanks collapsed, no control characters, none that reorder or hide
/// text; at most `octets` long.
pub(super) fn clean(text: &str, octets: usize) -> String {
    let mut line = Line::new(octets.min(text.len()));
    for char in text.chars() {
        if line.text.len() >= octets {
            break;
        }
        line.push(char);
    }
    let mut text = line.finish();
    text.truncate(text.floor_char_boundary(octets));
    text
}

/// Builds a line as [`clean`] describes, character by character.
#[derive(Debug, Default)]
pub(super) struct Line {
    text: String,
    chars: usize,
    blank: bool,
    joiner: Option<char>,
}

impl Line {
    pub(super) fn new(capacity: usize) -> Line {
        Line { text: String::with_capacity(capacity), ..Line::default() }
    }

    /// Characters taken so far.
    pub(super) fn chars(&self) -> usize {
        self.chars
    }

    pub(super) fn push(&mut self, char: char) {
        match char {
            '\u{21}'..='\u{7E}' => {}
            _ if char.is_whitespace() || char.is_control() || char == '\u{2800}' => {
                self.blank = true;
                self.joiner = None;
                return;
            }
            // Joiners shape Persian and Indic words and hold emoji together, so they stay between
            // two characters of such text. Marketing mail uses them as padding between blanks.
            '\u{200C}' | '\u{200D}' => {
                self.joiner = Some(char);
                return;
            }
            _ if is_invisible(char) => {
                self.joiner = None;
                return;
            }
            _ => {}
        }
        if self.blank && !self.text.is_empty() {
            self.text.push(' ');
            self.chars += 1;
        } else if let Some(joiner) = self.joiner
            && !char.is_ascii()
            && self.text.chars().next_back().is_some_and(|last| !last.is_ascii())
        {
            self.text.push(joiner);
            self.chars += 1;
        }
        (self.blank, self.joiner) = (false, None);
        self.text.push(char);
        self.chars += 1;
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// Characters that show nothing, or change the direction of what follows (as in names that hide `.exe`).
pub(super) fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words() {
        for (line, text) in [
            ("plain", "plain"),
            ("=?utf-8?Q?caf=C3=A9?=", "café"),
            ("=?UTF-8?B?Y2Fmw6k=?= au lait", "café au lait"),
            ("a =?iso-8859-1?q?b_c?= d", "a b c d"),
            ("=?iso-8859-1?q?a?= =?iso-8859-1?q?b?=", "ab"),
            ("=?iso-8859-1?q?a?= x =?iso-8859-1?q?b?=", "a x b"),
            // One character cut in two.
            ("=?utf-8?Q?caf=C3?= =?UTF-8?Q?=A9?=", "café"),
            ("=?utf-8?B?w6k=?= =?koi8-r?B?8NLJ18XU?=", "éПривет"),
            ("=?iso-2022-jp?B?GyRCJDMkcyRLJEEkTxsoQg==?=", "こんにちは"),
            ("=?koi8-r?B?8NLJ18XU?=", "Привет"),
            ("=?windows-1252*en?Q?=93x=94?=", "“x”"),
            ("=?x-unknown?Q?caf=E9?=", "café"),
            ("=?utf-8?X?no?=", "=?utf-8?X?no?="),
            ("=?utf-8?Q?unfinished", "=?utf-8?Q?unfinished"),
            ("=?=?=?utf-8?Q?x?=", "=?=?x"),
            ("2 =? 3", "2 =? 3"),
            ("=?", "=?"),
            ("=??Q?x?=", "=??Q?x?="),
            ("=?utf-8?Q??=", ""),
        ] {
            assert_eq!(decode_words(line), text, "{line}");
        }
    }

    #[test]
    fn malformed_words_cost_linear_time() {
        for seed in ["=?aa?q?x", "=?aa?q?=zz ", "=?", "=?a?b?"] {
            let line = seed.repeat(1 << 20 >> 3);
            assert!(decode_words(&line).len() <= line.len());
        }
    }

    #[test]
    fn charsets() {
        for (data, charset, text) in [
            (&b"caf\xe9"[..], None, "café"),
            (b"caf\xc3\xa9", None, "café"),
            (b"caf\xc3\xa9", Some("us-ascii"), "café"),
            (b"caf\xc3", Some("utf-8"), "caf"),
            (b"caf\xe9 x", Some("utf-8"), "caf\u{FFFD} x"),
            (b"\xf0\xd2\xc9\xd7\xc5\xd4", Some("KOI8-R"), "Привет"),
            (b"\x93x\x94", Some("windows-1252"), "“x”"),
            (b"x\x80", Some("no such charset"), "x€"),
            (b"plain", Some("iso-2022-kr"), "plain"),
            (b"\x1b$B$3\x1b(B", None, "こ"),
            (b"x", Some(""), "x"),
        ] {
            assert_eq!(decode_charset(data, charset), text, "{data:?} {charset:?}");
        }
    }

    #[test]
    fn unfolding() {
        assert_eq!(unfold(b" a\r\n b\n\tc\r\n"), "a b\tc");
        assert_eq!(unfold(b"a\rb"), "a b");
        assert_eq!(unfold(b""), "");
    }

    #[test]
    fn clean_lines() {
        for (text, line) in [
            ("  a \t\r\n b  ", "a b"),
            ("a\0b\u{7}c", "a b c"),
            ("invoice\u{202E}fdp.exe", "invoicefdp.exe"),
            ("a\u{34F}\u{200C}\u{200B} \u{AD}b", "a b"),
            ("می\u{200C}خواهم", "می\u{200C}خواهم"),
            ("👩\u{200D}💻", "👩\u{200D}💻"),
            ("ab\u{200D}cd", "abcd"),
            ("x\u{A0}y", "x y"),
        ] {
            assert_eq!(clean(text, 100), line, "{text:?}");
        }
        assert_eq!(clean("ééé", 4), "éé");
        assert_eq!(clean("ééé", 5), "éé");
    }
}
