//! What particular servers do, as data: recognised by what they say of themselves in the greeting and
//! in ID, never by their host name.

/// Something that a server does otherwise than most, or better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    /// Commands may follow the last answer of a SASL exchange in one flight. The RFCs allow it, yet
    /// Cyrus 3.6 takes the CRLF of an empty last answer for a command and loses the end of what
    /// follows, so it is done only where it is known to work.
    PipelinesBehindSasl,
}

/// Words that a server says of itself, in lower case, and what follows from them.
const KNOWN: &[(&str, Quirk)] = &[("dovecot", Quirk::PipelinesBehindSasl)];

/// The quirks of one server.
#[derive(Debug, Clone, Default)]
pub struct Quirks {
    found: Vec<Quirk>,
}

impl Quirks {
    /// Learns from a text in which the server names itself.
    pub fn learn(&mut self, text: &str) {
        let text = text.to_ascii_lowercase();
        for (word, quirk) in KNOWN {
            if text.contains(word) && !self.has(*quirk) {
                self.found.push(*quirk);
            }
        }
    }

    /// Whether the server has a quirk.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.found.contains(&quirk)
    }
}
