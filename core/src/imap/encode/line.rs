//! One command line under construction: the only place where values meet the syntax.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{EncodeError, EncodeOptions, Encoded, Encoding, Fragment, LiteralMode, MAX_LINE};
use crate::flags::{FlagSet, is_keyword};
use crate::set::UidSet;

/// Longer strings go as literals: servers bound their quoted strings more tightly.
const MAX_QUOTED: usize = 1_000;

/// Largest literal that LITERAL- lets go without waiting (RFC 7888 §5).
const MAX_LITERAL_MINUS: usize = 4_096;

pub(super) struct Line {
    options: EncodeOptions,
    done: Vec<Fragment>,
    current: Vec<u8>,
    /// Octets outside literals.
    octets: usize,
    secret: bool,
    /// Octets that a fragment's buffer starts with room for, so that secrets are never left behind in a
    /// buffer that grew.
    room: usize,
}

impl Line {
    pub(super) fn new(options: EncodeOptions) -> Line {
        Line { options, done: Vec::new(), current: Vec::new(), octets: 0, secret: false, room: 0 }
    }

    pub(super) fn options(&self) -> &EncodeOptions {
        &self.options
    }

    /// Marks all of the command as secret; `octets` are the secret's.
    pub(super) fn secret(&mut self, octets: usize) {
        self.secret = true;
        // Quoting doubles at most, base64 adds a third; the rest is the words around it.
        self.room = octets * 2 + 100;
        self.current.reserve(self.room);
    }

    /// Syntax, or a value already known to be harmless.
    pub(super) fn raw(&mut self, text: &str) {
        self.current.extend_from_slice(text.as_bytes());
        self.octets += text.len();
    }

    pub(super) fn base64(&mut self, data: &[u8]) {
        let text = Zeroizing::new(STANDARD.encode(data));
        self.raw(&text);
    }

    /// A word the protocol takes only as an atom.
    pub(super) fn atom(&mut self, field: &'static str, word: &str) -> Encoding {
        if !is_keyword(word) {
            return Err(EncodeError::NotAtom { field });
        }
        self.raw(word);
        Ok(())
    }

    /// An atom, with a backslash before it or not.
    pub(super) fn flag(&mut self, field: &'static str, word: &str) -> Encoding {
        if !is_keyword(word.strip_prefix('\\').unwrap_or(word)) {
            return Err(EncodeError::NotAtom { field });
        }
        self.raw(word);
        Ok(())
    }

    /// An atom, or several with single spaces, as in `PARTIAL 1:500` (RFC 9394 §3.1).
    pub(super) fn return_option(&mut self, field: &'static str, words: &str) -> Encoding {
        if !words.split(' ').all(is_keyword) {
            return Err(EncodeError::NotAtom { field });
        }
        self.raw(words);
        Ok(())
    }

    pub(super) fn flags(&mut self, flags: &FlagSet) -> Encoding {
        self.raw("(");
        for (at, word) in flags.wire_words().enumerate() {
            self.raw(if at == 0 { "" } else { " " });
            self.flag("keyword", word)?;
        }
        self.raw(")");
        Ok(())
    }

    pub(super) fn set(&mut self, field: &'static str, set: &UidSet) -> Encoding {
        if set.is_empty() {
            return Err(EncodeError::Empty { field });
        }
        self.raw(&set.to_string());
        Ok(())
    }

    pub(super) fn mailbox(&mut self, name: &[u8]) -> Encoding {
        self.astring("mailbox name", name)
    }

    /// An atom where that is beyond doubt, else a string.
    pub(super) fn astring(&mut self, field: &'static str, value: &[u8]) -> Encoding {
        match std::str::from_utf8(value) {
            Ok(word) if is_plain_atom(word) => {
                self.raw(word);
                Ok(())
            }
            _ => self.string(field, value),
        }
    }

    /// A quoted string or a literal.
    pub(super) fn string(&mut self, field: &'static str, value: &[u8]) -> Encoding {
        if value.contains(&0) {
            return Err(EncodeError::Nul { field });
        }
        match std::str::from_utf8(value) {
            Ok(text) if value.len() <= MAX_QUOTED && self.may_quote(text) => self.quoted(text),
            _ => self.literal(value),
        }
        Ok(())
    }

    fn may_quote(&self, text: &str) -> bool {
        // Controls other than CR and LF are legal in quoted strings, and servers stumble over them.
        (self.options.utf8 || text.is_ascii()) && !text.bytes().any(|b| b.is_ascii_control())
    }

    fn quoted(&mut self, text: &str) {
        self.raw("\"");
        let mut rest = text;
        while let Some(at) = rest.find(['"', '\\']) {
            self.raw(&rest[..at]);
            self.raw("\\");
            self.raw(&rest[at..=at]);
            rest = &rest[at + 1..];
        }
        self.raw(rest);
        self.raw("\"");
    }

    /// An APPEND's message: NUL makes it a literal8 (RFC 3516 §4.4).
    pub(super) fn message(&mut self, message: &[u8]) -> Encoding {
        if memchr::memchr(0, message).is_some() {
            if !self.options.binary {
                return Err(EncodeError::Nul { field: "message" });
            }
            self.raw("~");
        }
        self.literal(message);
        Ok(())
    }

    fn literal(&mut self, value: &[u8]) {
        let waits = match self.options.literal {
            LiteralMode::Synchronizing => true,
            LiteralMode::Minus => value.len() > MAX_LITERAL_MINUS,
            LiteralMode::Plus => false,
        };
        self.raw(&format!("{{{}{}}}\r\n", value.len(), if waits { "" } else { "+" }));
        if waits {
            let next = Vec::with_capacity(self.room.max(value.len() + 2));
            let bytes = std::mem::replace(&mut self.current, next);
            self.done.push(Fragment { bytes, wait: true, secret: self.secret });
        }
        self.current.reserve(value.len() + 2);
        self.current.extend_from_slice(value);
    }

    pub(super) fn finish(mut self) -> Result<Encoded, EncodeError> {
        let mut fragments = std::mem::take(&mut self.done);
        let octets = self.octets + 2;
        fragments.push(self.into_fragment());
        if octets > MAX_LINE {
            return Err(EncodeError::TooLong { octets });
        }
        Ok(Encoded { fragments })
    }

    /// What has come since the last literal that waits, as a last fragment.
    pub(super) fn into_fragment(mut self) -> Fragment {
        self.raw("\r\n");
        Fragment { bytes: std::mem::take(&mut self.current), wait: false, secret: self.secret }
    }
}

impl Drop for Line {
    /// A command that failed half-way leaves nothing either.
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.current);
        drop(Fragment { bytes, wait: false, secret: self.secret });
    }
}

/// Whether a value is an atom for every server: fewer characters than RFC 9051 allows, and not the word
/// `NIL`.
fn is_plain_atom(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= 255
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/&,+#:@=$".contains(&b))
        && !word.eq_ignore_ascii_case("NIL")
}
