//! By what a message is known whose name on the server tells nothing: its header.

use memchr::memchr;
use sha2::{Digest, Sha256};

use super::date::parse_date;

/// Octets of a header that are looked at.
const LONGEST: usize = 64 << 10;
/// Fields that servers write into what they hand out, and change with the message's state.
const PASSING: [&[u8]; 5] = [b"status", b"x-status", b"x-uidl", b"x-keywords", b"content-length"];

/// The beginning of a message, gathered up to the blank line behind its header.
///
/// Memory is bounded: what of a header goes on behind 64 KiB does not count.
#[derive(Debug, Clone, Default)]
pub struct HeaderGatherer {
    header: Vec<u8>,
    /// Where the line now gathered begins.
    line: usize,
    done: bool,
}

impl HeaderGatherer {
    /// Takes the next octets of the message.
    pub fn push(&mut self, mut data: &[u8]) {
        while !self.done && !data.is_empty() {
            let taken = memchr(b'\n', data).map_or(data.len(), |end| end + 1);
            let room = LONGEST.saturating_sub(self.header.len());
            self.header.extend_from_slice(&data[..taken.min(room)]);
            if taken >= room {
                self.done = true;
            } else if self.header.ends_with(b"\n") {
                let line = &self.header[self.line..];
                if line == b"\r\n" || line == b"\n" {
                    self.header.truncate(self.line);
                    self.done = true;
                }
                self.line = self.header.len();
            }
            data = &data[taken..];
        }
    }

    /// Forgets everything, for the next message.
    pub fn clear(&mut self) {
        self.header.clear();
        self.line = 0;
        self.done = false;
    }

    /// The header as it came, without the blank line.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// A hash of the header: equal for two transfers of one message whatever their line ends, and whatever the
    /// server says in it about the message's state.
    pub fn fingerprint(&self) -> [u8; 16] {
        let mut hash = Sha256::new();
        let mut passing = false;
        for line in self.header.split(|b| *b == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            if !matches!(line[0], b' ' | b'\t') {
                let name = &line[..memchr(b':', line).unwrap_or(0)];
                passing = PASSING.iter().any(|known| name.trim_ascii().eq_ignore_ascii_case(known));
            }
            if !passing {
                hash.update(line);
                hash.update(b"\n");
            }
        }
        *hash.finalize().first_chunk().expect("a SHA-256 has 32 octets")
    }
}

/// When a message came, in milliseconds since 1970: by its topmost Received field (RFC 5321 §4.4), else by its
/// Date. `None` where neither can be read.
pub fn received_ms(header: &[u8]) -> Option<i64> {
    let received = field(header, b"received").and_then(|value| {
        let at = value.iter().rposition(|b| *b == b';')?;
        parse_date(&value[at + 1..])
    });
    received.or_else(|| field(header, b"date").and_then(|value| parse_date(&value)))
}

/// The first field of a name, unfolded.
fn field(header: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    const LONGEST: usize = 4 << 10;
    let mut found: Option<Vec<u8>> = None;
    for line in header.split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        match &mut found {
            Some(value) if folded && value.len() + line.len() <= LONGEST => value.extend_from_slice(line),
            Some(_) => return found,
            None if folded => {}
            None => {
                let Some(colon) = memchr(b':', line) else { continue };
                if line[..colon].trim_ascii().eq_ignore_ascii_case(name) && line.len() <= LONGEST {
                    found = Some(line[colon + 1..].to_vec());
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{HeaderGatherer, received_ms};

    fn gathered(message: &[u8], size: usize) -> HeaderGatherer {
        let mut all = HeaderGatherer::default();
        message.chunks(size).for_each(|piece| all.push(piece));
        all
    }

    #[test]
    fn the_header_wherever_it_is_cut() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"A: b\r\nC: d\r\n\r\nbody\r\n\r\n", b"A: b\r\nC: d\r\n"),
            (b"A: b\n\nbody", b"A: b\n"),
            (b"\r\nbody", b""),
            (b"A: b", b"A: b"),
            (b"A: b\r\n", b"A: b\r\n"),
            (b"", b""),
        ];
        for (message, header) in cases {
            for size in 1..=message.len().max(1) {
                assert_eq!(gathered(message, size).header(), *header, "{message:?} by {size}");
            }
        }
    }

    #[test]
    fn one_message_has_one_fingerprint() {
        let of = |message: &[u8]| gathered(message, 7).fingerprint();
        let message = of(b"Subject: x\r\nFrom: a@b\r\n\r\nbody\r\n");
        assert_eq!(of(b"Subject: x\nFrom: a@b\n\nanother"), message);
        assert_eq!(of(b"Status: RO\r\nSubject: x\r\nX-UIDL: 1\r\n 2\r\nFrom: a@b\r\n\r\n"), message);
        assert_eq!(of(b"Subject: x\r\nFrom: a@b\r\n"), message);
        assert_ne!(of(b"Subject: y\r\nFrom: a@b\r\n\r\n"), message);
        assert_ne!(of(b"Subject: x\r\nFrom: a@b\r\nTo: c\r\n\r\n"), message);
    }

    #[test]
    fn note_42_a_header_without_end_is_bounded() {
        let mut all = HeaderGatherer::default();
        (0..1_000).for_each(|_| all.push(&[b'a'; 1 << 10]));
        assert_eq!(all.header().len(), 64 << 10);
        let mut lines = HeaderGatherer::default();
        (0..100_000).for_each(|_| lines.push(b"A: b\r\n"));
        assert_eq!(lines.header().len(), 64 << 10);
        lines.fingerprint();
    }

    #[test]
    fn when_a_message_came() {
        let cases: &[(&str, Option<i64>)] = &[
            (
                "Received: from a\r\n\tby b; Thu, 1 Jan 1970 00:01:00 +0000\r\nReceived: x; 2 Jan 1970 00:00:00 +0000",
                Some(60_000),
            ),
            ("Date: Thu, 1 Jan 1970 00:02:00 +0000\r\nReceived: nonsense", Some(120_000)),
            ("Subject: x", None),
            ("", None),
        ];
        for (header, expected) in cases {
            assert_eq!(received_ms(header.as_bytes()), *expected, "{header}");
        }
    }
}
