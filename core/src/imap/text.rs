//! The small pieces that IMAP responses are made of: strings, word lists, sets (RFC 9051 §4, §9).

use std::borrow::Cow;

pub use crate::imap::parse::walk::Ranges;

/// A string as it stood on the wire: an atom, a quoted string or a literal, without its delimiters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a> {
    pub(crate) raw: &'a [u8],
    /// Whether `raw` is a quoted string's inside with at least one backslash escape.
    pub(crate) escaped: bool,
}

/// A string or NIL.
pub type NString<'a> = Option<Text<'a>>;

impl<'a> Text<'a> {
    /// The bytes meant: escapes resolved, borrowed where there were none.
    #[inline]
    pub fn bytes(&self) -> Cow<'a, [u8]> {
        if self.escaped { Cow::Owned(self.unescape()) } else { Cow::Borrowed(self.raw) }
    }

    fn unescape(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.raw.len());
        let mut rest = self.raw.iter();
        while let Some(&b) = rest.next() {
            out.push(if b == b'\\' { rest.next().copied().unwrap_or(b'\\') } else { b });
        }
        out
    }

    /// The bytes as text; what is not UTF-8 is replaced.
    pub fn lossy(&self) -> Cow<'a, str> {
        match self.bytes() {
            Cow::Borrowed(b) => String::from_utf8_lossy(b),
            Cow::Owned(b) => Cow::Owned(String::from_utf8_lossy(&b).into_owned()),
        }
    }

    /// Whether the string is empty.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }
}

/// Words separated by spaces, as sent (capabilities, charsets).
#[derive(Debug, Clone, Copy, Default)]
pub struct Words<'a> {
    pub(crate) raw: &'a [u8],
}

impl<'a> Words<'a> {
    /// The words in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.raw.split(|&b| b == b' ').filter(|w| !w.is_empty())
    }

    /// Whether a word stands in it, compared without case.
    pub fn contains(&self, word: &str) -> bool {
        self.iter().any(|w| w.eq_ignore_ascii_case(word.as_bytes()))
    }
}

/// The inside of a parenthesised flag list: flags, keywords or attributes separated by spaces.
#[derive(Debug, Clone, Copy, Default)]
pub struct FlagList<'a> {
    pub(crate) raw: &'a [u8],
}

impl<'a> FlagList<'a> {
    /// The flags in order, as sent (`\Seen`, `$Junk`, …).
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.raw.split(|&b| b == b' ').filter(|w| !w.is_empty())
    }

    /// Whether a flag stands in it, compared without case.
    pub fn contains(&self, flag: &str) -> bool {
        self.iter().any(|w| w.eq_ignore_ascii_case(flag.as_bytes()))
    }
}

/// A set of numbers as ranges, checked but not expanded: `1:5,7`. No 0, no `*`, no empty element.
#[derive(Debug, Clone, Copy, Default)]
pub struct SequenceSet<'a> {
    pub(crate) raw: &'a [u8],
}

impl<'a> SequenceSet<'a> {
    /// The ranges in the order sent, each with its lower end first and both ends included.
    ///
    /// A range may name billions of numbers: intersect it, never count it out.
    pub fn ranges(&self) -> Ranges<'a> {
        Ranges::new(self.raw)
    }

    /// The set as it stood on the wire.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether the set is empty. No parsed set is; the default is.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }
}
