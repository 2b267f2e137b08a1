//! Flags and keywords of a message (RFC 9051 §2.3.2, RFC 5788).

use serde::{Deserialize, Serialize};

/// System flags and the keywords that mail programs agree on, as bits.
///
/// `\Recent` has no bit: it is never stored.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flags(u16);

macro_rules! named_flags {
    ($($(#[$doc:meta])* $name:ident = $bit:expr, $wire:literal;)*) => {
        impl Flags {
            $($(#[$doc])* pub const $name: Flags = Flags(1 << $bit);)*
            /// Every named flag with its spelling on the wire.
            pub const NAMED: &[(Flags, &str)] = &[$((Flags::$name, $wire)),*];
        }
    };
}

named_flags! {
    /// `\Seen`: has been read.
    SEEN = 0, "\\Seen";
    /// `\Answered`
    ANSWERED = 1, "\\Answered";
    /// `\Flagged`: marked for attention.
    FLAGGED = 2, "\\Flagged";
    /// `\Deleted`: goes at the next expunge.
    DELETED = 3, "\\Deleted";
    /// `\Draft`
    DRAFT = 4, "\\Draft";
    /// `$Forwarded` (RFC 5550)
    FORWARDED = 5, "$Forwarded";
    /// `$MDNSent` (RFC 3503)
    MDN_SENT = 6, "$MDNSent";
    /// `$Junk` (RFC 9051)
    JUNK = 7, "$Junk";
    /// `$NotJunk` (RFC 9051)
    NOT_JUNK = 8, "$NotJunk";
    /// `$Phishing` (RFC 9051)
    PHISHING = 9, "$Phishing";
}

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);

    /// The bits, as stored.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// From stored bits; unknown ones are kept.
    pub const fn from_bits(bits: u16) -> Flags {
        Flags(bits)
    }

    /// Whether every flag of `other` is set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Those of `self` that `other` has not.
    #[must_use]
    pub const fn difference(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    /// Whether none is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The named flag that a wire word spells, compared without case.
    pub fn from_wire(word: &[u8]) -> Option<Flags> {
        Flags::NAMED
            .iter()
            .find(|(_, name)| word.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(flag, _)| *flag)
    }
}

impl std::fmt::Debug for Flags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = Flags::NAMED.iter().filter(|(flag, _)| self.contains(*flag)).map(|(_, name)| name);
        f.debug_list().entries(names).finish()
    }
}

/// Flags together with keywords that have no bit.
///
/// Keywords are kept sorted and unique, compared without case; the first spelling seen stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagSet {
    /// The named flags.
    pub flags: Flags,
    keywords: Vec<String>,
}

impl FlagSet {
    /// A set of named flags alone.
    pub fn new(flags: Flags) -> FlagSet {
        FlagSet { flags, keywords: Vec::new() }
    }

    /// The keywords without a bit, sorted without case.
    pub fn keywords(&self) -> &[String] {
        &self.keywords
    }

    /// Adds what a wire word means. `\Recent`, `\*` and words that are no atom are left out.
    pub fn insert_wire(&mut self, word: &[u8]) {
        if let Some(flag) = Flags::from_wire(word) {
            self.flags = self.flags.union(flag);
        } else if let Ok(text) = std::str::from_utf8(word)
            && is_keyword(text)
        {
            self.insert_keyword(text);
        }
    }

    fn insert_keyword(&mut self, text: &str) {
        let place = self.keywords.binary_search_by(|k| {
            k.bytes().map(|b| b.to_ascii_lowercase()).cmp(text.bytes().map(|b| b.to_ascii_lowercase()))
        });
        if let Err(at) = place {
            self.keywords.insert(at, text.to_owned());
        }
    }

    /// Takes out what a wire word means.
    pub fn remove_wire(&mut self, word: &[u8]) {
        match Flags::from_wire(word) {
            Some(flag) => self.flags = self.flags.difference(flag),
            None => self.keywords.retain(|k| !k.as_bytes().eq_ignore_ascii_case(word)),
        }
    }

    /// Whether a keyword is set, compared without case.
    fn has_keyword(&self, word: &str) -> bool {
        self.keywords.iter().any(|k| k.eq_ignore_ascii_case(word))
    }

    /// Both together; where both have a keyword, the spelling of `self` stays.
    #[must_use]
    pub fn union(&self, other: &FlagSet) -> FlagSet {
        let mut both = self.clone();
        both.flags = both.flags.union(other.flags);
        for word in &other.keywords {
            both.insert_keyword(word);
        }
        both
    }

    /// What is in `self` and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &FlagSet) -> FlagSet {
        let keywords = self.keywords.iter().filter(|k| !other.has_keyword(k)).cloned().collect();
        FlagSet { flags: self.flags.difference(other.flags), keywords }
    }

    /// What is in both, as `self` spells it.
    #[must_use]
    pub fn intersection(&self, other: &FlagSet) -> FlagSet {
        self.difference(&self.difference(other))
    }

    /// Every flag and keyword as it goes on the wire.
    pub fn wire_words(&self) -> impl Iterator<Item = &str> {
        let named = Flags::NAMED.iter().filter(|(flag, _)| self.flags.contains(*flag)).map(|(_, name)| *name);
        named.chain(self.keywords.iter().map(String::as_str))
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.keywords.is_empty()
    }
}

/// Whether a word may be a keyword: a non-empty atom without a leading backslash.
pub fn is_keyword(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|b| {
            b > 0x20 && b < 0x7f && !matches!(b, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
        })
}
