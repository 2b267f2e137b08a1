//! Octets of one response under construction: the only place where values meet the syntax.

use crate::imap::date::format_internal_date;
use crate::imap::mailbox_name;

/// Longer strings go as literals.
const MAX_QUOTED: usize = 1_000;

/// Appends the pieces of responses to a buffer. No value can end its string or its line.
pub(super) struct Writer<'o> {
    pub(super) out: &'o mut Vec<u8>,
    /// The client reads UTF-8 in quoted strings and mailbox names (RFC 9755, RFC 9051 §5.1).
    utf8: bool,
}

impl Writer<'_> {
    pub(super) fn new(out: &mut Vec<u8>, utf8: bool) -> Writer<'_> {
        Writer { out, utf8 }
    }

    /// Syntax, or a value already known to be harmless.
    pub(super) fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn number(&mut self, number: u64) {
        const WIDEST: usize = 20;
        let mut digits = [b'0'; WIDEST];
        let (mut at, mut rest) = (WIDEST, number);
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[at..]);
    }

    pub(super) fn crlf(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }

    /// A word that the protocol takes only as an atom; what is none of it is left out.
    pub(super) fn atom(&mut self, word: &str) {
        let fits = |b: u8| {
            b.is_ascii_graphic() && !matches!(b, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
        };
        self.out.extend(word.bytes().filter(|b| fits(*b)));
    }

    /// A flag or attribute: an atom, with a backslash before it or not; `\*` too.
    pub(super) fn flag(&mut self, word: &str) {
        match word.strip_prefix('\\') {
            Some("*") => self.raw("\\*"),
            Some(name) => {
                self.raw("\\");
                self.atom(name);
            }
            None => self.atom(word),
        }
    }

    /// Words between parentheses.
    pub(super) fn flags<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) {
        self.raw("(");
        for (at, word) in words.into_iter().enumerate() {
            self.raw(if at == 0 { "" } else { " " });
            self.flag(word);
        }
        self.raw(")");
    }

    /// A quoted string where it can be one, else a literal, with NUL a literal8 (RFC 3516 §4.4).
    pub(super) fn string(&mut self, value: &[u8]) {
        let quotable = |b: &u8| matches!(b, b' '..=b'~') || (self.utf8 && *b >= 0x80);
        if value.len() > MAX_QUOTED
            || !value.iter().all(quotable)
            || !(value.is_ascii() || std::str::from_utf8(value).is_ok())
        {
            self.literal_head(value.len() as u64, value.contains(&0));
            self.out.extend_from_slice(value);
            return;
        }
        self.out.push(b'"');
        for &b in value {
            if matches!(b, b'"' | b'\\') {
                self.out.push(b'\\');
            }
            self.out.push(b);
        }
        self.out.push(b'"');
    }

    /// A string or NIL.
    pub(super) fn nstring(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.string(value),
            None => self.raw("NIL"),
        }
    }

    /// An atom where that is beyond doubt, else a string.
    pub(super) fn astring(&mut self, value: &[u8]) {
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"._-/&,+#:@=$".contains(b);
        if !value.is_empty()
            && value.len() <= 255
            && value.iter().all(plain)
            && !value.eq_ignore_ascii_case(b"NIL")
        {
            self.out.extend_from_slice(value);
        } else {
            self.string(value);
        }
    }

    /// A mailbox name as this client reads them.
    pub(super) fn mailbox(&mut self, name: &str) {
        let wire = mailbox_name::encode(name, self.utf8);
        self.astring(&wire);
    }

    /// The announcement of a literal whose octets follow.
    pub(super) fn literal_head(&mut self, len: u64, literal8: bool) {
        self.raw(if literal8 { "~{" } else { "{" });
        self.number(len);
        self.raw("}\r\n");
    }

    /// A date and time, or NIL.
    pub(super) fn date(&mut self, ms: Option<i64>) {
        match ms {
            Some(ms) => {
                self.raw("\"");
                self.raw(&format_internal_date(ms));
                self.raw("\"");
            }
            None => self.raw("NIL"),
        }
    }

    /// Text for a person, which nothing in it can end. A bracket at its start would be read as a code.
    pub(super) fn text(&mut self, text: &str) {
        let before = self.out.len();
        for c in text.chars() {
            match c {
                ' '..='~' => self.out.push(c as u8),
                c if c.is_control() || !self.utf8 => self.out.push(b'?'),
                c => self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        match self.out.get_mut(before) {
            Some(first @ b'[') => *first = b'(',
            Some(_) => {}
            None => self.raw("done"),
        }
    }
}
