//! Hashes that tell whether two copies hold the same message.

use memchr::{memchr, memchr_iter, memchr3};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a message's bytes hash to, exactly and in canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct ContentHash {
    /// SHA-256 of the bytes as they came.
    pub raw: [u8; 32],
    /// SHA-256 of the canonical form: every line end (CRLF or a bare LF) is CRLF, NUL is 0x80, and
    /// the line ends at the very end are left out. One server gives one message differently over POP3
    /// and IMAP in exactly these points; copies that agree here are the same message.
    pub canonical: [u8; 32],
    /// Octets hashed, as they came.
    pub len: u64,
}

/// Hashes a message piece by piece; where the pieces are cut changes nothing.
///
/// ```
/// use mailkeep::message::ContentHasher;
///
/// let mut pop3 = ContentHasher::new();
/// pop3.update(b"Subject: x\r\n\r\nbody\r\n");
/// let mut imap = ContentHasher::new();
/// imap.update(b"Subject: x\r");
/// imap.update(b"\n\r\nbody");
/// let (pop3, imap) = (pop3.finish(), imap.finish());
/// assert_eq!(pop3.canonical, imap.canonical);
/// assert_ne!(pop3.raw, imap.raw);
/// ```
#[derive(Debug, Clone, Default)]
pub struct ContentHasher {
    canonical: Sha256,
    /// Apart from `canonical` only once the bytes differ from their canonical form by more than the line
    /// ends held back: most mail never does, and is hashed once.
    raw: Option<Sha256>,
    len: u64,
    /// Line ends seen and not hashed yet, because they may be the last ones.
    line_ends: u64,
    /// A CR at the end of the last piece, which an LF may follow.
    cr: bool,
}

/// Bytes looked at in one go: small enough to be still in the cache when they are hashed.
const BLOCK: usize = 32 * 1024;

const CRLFS: [u8; 64] = {
    let mut bytes = [b'\r'; 64];
    let mut at = 1;
    while at < bytes.len() {
        bytes[at] = b'\n';
        at += 2;
    }
    bytes
};

impl ContentHasher {
    /// A hasher that has seen nothing.
    pub fn new() -> ContentHasher {
        ContentHasher::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        self.len += data.len() as u64;
        for block in data.chunks(BLOCK) {
            let canonical = is_canonical(block, self.cr);
            if !canonical && self.raw.is_none() {
                self.raw = Some(self.as_sent());
            }
            if let Some(raw) = &mut self.raw {
                raw.update(block);
            }
            self.canonical_block(block, canonical);
        }
    }

    /// The hashes of all that was taken.
    pub fn finish(mut self) -> ContentHash {
        let raw = self.raw.take().unwrap_or_else(|| self.as_sent());
        if self.cr {
            self.content(b"\r", true);
        }
        ContentHash { raw: raw.finalize().into(), canonical: self.canonical.finalize().into(), len: self.len }
    }

    /// The hash of the bytes as they came, as long as all of them were canonical.
    fn as_sent(&self) -> Sha256 {
        let mut raw = self.canonical.clone();
        hash_line_ends(&mut raw, self.line_ends);
        if self.cr {
            raw.update(b"\r");
        }
        raw
    }

    fn canonical_block(&mut self, mut block: &[u8], canonical: bool) {
        if self.cr {
            self.cr = false;
            match block.first() {
                None => self.cr = true,
                Some(b'\n') => {
                    self.line_ends += 1;
                    block = &block[1..];
                }
                Some(_) => self.content(b"\r", true),
            }
        }
        if let Some(rest) = block.strip_suffix(b"\r") {
            self.cr = true;
            block = rest;
        }
        let mut line_ends = 0;
        while let Some(rest) = block.strip_suffix(b"\n") {
            block = rest.strip_suffix(b"\r").unwrap_or(rest);
            line_ends += 1;
        }
        if !block.is_empty() {
            self.content(block, canonical);
        }
        self.line_ends += line_ends;
    }

    /// Hashes bytes that end in no line end, after the line ends held back.
    fn content(&mut self, block: &[u8], canonical: bool) {
        hash_line_ends(&mut self.canonical, std::mem::take(&mut self.line_ends));
        if canonical { self.canonical.update(block) } else { self.converted(block) }
    }

    /// Hashes `block` in canonical form, through a buffer: one hash call a line would cost more than
    /// the hash itself.
    fn converted(&mut self, mut block: &[u8]) {
        let mut buffer = Vec::with_capacity(block.len() + block.len() / 16);
        while let Some(at) = memchr3(b'\r', b'\n', 0, block) {
            buffer.extend_from_slice(&block[..at]);
            let (canonical, used): (&[u8], usize) = match (block[at], block.get(at + 1)) {
                (b'\r', Some(b'\n')) => (b"\r\n", 2),
                (b'\r', _) => (b"\r", 1),
                (b'\n', _) => (b"\r\n", 1),
                _ => (&[0x80], 1),
            };
            buffer.extend_from_slice(canonical);
            block = &block[at + used..];
        }
        buffer.extend_from_slice(block);
        self.canonical.update(&buffer);
    }
}

fn hash_line_ends(hash: &mut Sha256, mut count: u64) {
    while count > 0 {
        let some = count.min(CRLFS.len() as u64 / 2);
        hash.update(&CRLFS[..some as usize * 2]);
        count -= some;
    }
}

/// Whether a block, after a CR or not, has CRLF for every line end, and no NUL.
fn is_canonical(block: &[u8], after_cr: bool) -> bool {
    let crlf = |at: usize| if at == 0 { after_cr } else { block[at - 1] == b'\r' };
    memchr(0, block).is_none() && memchr_iter(b'\n', block).all(crlf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(pieces: &[&[u8]]) -> ContentHash {
        let mut hasher = ContentHasher::new();
        for piece in pieces {
            hasher.update(piece);
        }
        hasher.finish()
    }

    fn sha(data: &[u8]) -> [u8; 32] {
        Sha256::digest(data).into()
    }

    #[test]
    fn canonical_form() {
        for (bytes, canonical) in [
            (&b""[..], &b""[..]),
            (b"\r\n", b""),
            (b"\n\r\n\n", b""),
            (b"a", b"a"),
            (b"a\r\n", b"a"),
            (b"a\n\nb\r\n\r\n", b"a\r\n\r\nb"),
            (b"\na", b"\r\na"),
            (b"a\0b", b"a\x80b"),
            (b"a\rb", b"a\rb"),
            (b"a\r", b"a\r"),
            (b"a\r\r\n", b"a\r"),
            (b"a\r\r\nb", b"a\r\r\nb"),
            (b"a\n\r", b"a\r\n\r"),
        ] {
            let got = hash(&[bytes]);
            assert_eq!(got.canonical, sha(canonical), "{bytes:?}");
            assert_eq!(got.raw, sha(bytes), "{bytes:?}");
            assert_eq!(got.len, bytes.len() as u64);
        }
    }

    #[test]
    fn note_72_one_message_over_pop3_and_imap() {
        let pop3 = hash(&[b"Subject: x\r\n\r\nNUL \0 here\r\nlast line\r\n"]);
        let imap = hash(&[b"Subject: x\r\n\r\nNUL \x80 here\r\nlast line"]);
        let appended_with_lf = hash(&[b"Subject: x\n\nNUL \0 here\nlast line\n"]);
        assert_eq!(pop3.canonical, imap.canonical);
        assert_eq!(pop3.canonical, appended_with_lf.canonical);
        assert_ne!(pop3.raw, imap.raw);
        let other = hash(&[b"Subject: x\r\n\r\nNUL \x80 here\r\nlast line."]);
        assert_ne!(pop3.canonical, other.canonical);
    }

    #[test]
    fn cuts_change_nothing() {
        let message = b"\r\na\r\r\n\n\0b\r\n\r\nc\rd\n\r\n\r";
        let whole = hash(&[message]);
        for first in 0..=message.len() {
            for second in first..=message.len() {
                let pieces = [&message[..first], &message[first..second], &message[second..]];
                assert_eq!(hash(&pieces), whole, "cut at {first} and {second}");
            }
        }
        let bytes: Vec<&[u8]> = message.chunks(1).collect();
        assert_eq!(hash(&bytes), whole);
    }

    #[test]
    fn long_runs_of_line_ends() {
        let mut message = vec![b'a'];
        message.extend(b"\n".repeat(100_000));
        let short = hash(&[&message]);
        assert_eq!(short.canonical, sha(b"a"));
        message.push(b'b');
        let mut canonical = vec![b'a'];
        canonical.extend(b"\r\n".repeat(100_000));
        canonical.push(b'b');
        assert_eq!(hash(&[&message]).canonical, sha(&canonical));
    }
}
