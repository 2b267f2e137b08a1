//! What a server says it can do (RFC 9051 §7.2.2).

/// The capabilities of a server at one point of a session. Compared without case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    words: Vec<String>,
}

impl Capabilities {
    /// From the words of a CAPABILITY answer. What is not ASCII is left out.
    pub fn from_words<'a>(words: impl Iterator<Item = &'a [u8]>) -> Capabilities {
        const MOST: usize = 500;
        let words = words
            .filter(|w| w.is_ascii() && w.len() <= 100)
            .take(MOST)
            .map(|w| String::from_utf8_lossy(w).to_ascii_uppercase())
            .collect();
        Capabilities { words }
    }

    /// From words kept earlier.
    pub fn from_stored(words: &[String]) -> Capabilities {
        Capabilities { words: words.to_vec() }
    }

    /// The words, in upper case.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether a capability is offered. `word` is in upper case.
    pub fn has(&self, word: &str) -> bool {
        self.words.iter().any(|w| w == word)
    }

    /// The SASL mechanisms offered.
    pub fn mechanisms(&self) -> impl Iterator<Item = &str> {
        self.words.iter().filter_map(|w| w.strip_prefix("AUTH="))
    }

    /// CONDSTORE, which QRESYNC implies (RFC 7162 §3.2).
    pub fn condstore(&self) -> bool {
        self.has("CONDSTORE") || self.has("QRESYNC")
    }

    /// ESEARCH, which IMAP4rev2 includes.
    pub fn esearch(&self) -> bool {
        self.has("ESEARCH") || self.has("IMAP4REV2")
    }

    /// LIST-STATUS together with LIST-EXTENDED, which IMAP4rev2 includes.
    pub fn list_status(&self) -> bool {
        self.has("LIST-STATUS") || self.has("IMAP4REV2")
    }

    /// LIST-EXTENDED, which IMAP4rev2 includes.
    pub fn list_extended(&self) -> bool {
        self.has("LIST-EXTENDED") || self.has("IMAP4REV2")
    }

    /// Octets of the largest message that any mailbox takes, where the server tells it for all at once
    /// (`APPENDLIMIT=n`, RFC 7889 §4).
    pub fn append_limit(&self) -> Option<u64> {
        self.words.iter().find_map(|w| w.strip_prefix("APPENDLIMIT=")?.parse().ok())
    }
}
