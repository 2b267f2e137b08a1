//! The other way of [`DotFramer`](super::DotFramer): text for a stream in which a lone dot ends it (RFC 1939 §3).

use memchr::{memchr, memchr_iter};

/// Writes text as lines that end in CRLF, with the dots at their beginnings doubled.
///
/// A bare LF becomes CRLF, since whoever reads may take it for a line end or may not; a CR that stands alone is
/// data and stays. Text may be given in pieces cut anywhere.
#[derive(Debug, Clone)]
pub struct DotStuffer {
    /// The next octet begins a line.
    begins: bool,
    /// The octet before was a CR.
    cr: bool,
}

impl Default for DotStuffer {
    fn default() -> DotStuffer {
        DotStuffer { begins: true, cr: false }
    }
}

impl DotStuffer {
    /// At the beginning of a text.
    pub fn new() -> DotStuffer {
        DotStuffer::default()
    }

    /// Appends the next octets of the text to `out`.
    pub fn push(&mut self, mut text: &[u8], out: &mut Vec<u8>) {
        out.reserve(text.len() + text.len() / 64);
        while let Some(&first) = text.first() {
            if self.begins && first == b'.' {
                out.push(b'.');
            }
            // A dot at a line's beginning is dealt with; what is up to the LF goes as it is.
            let end = match first {
                b'\n' => 0,
                _ => memchr(b'\n', text).unwrap_or(text.len()),
            };
            let (line, rest) = text.split_at(end);
            out.extend_from_slice(line);
            if let Some(&last) = line.last() {
                self.cr = last == b'\r';
                self.begins = false;
            }
            text = rest;
            if let Some(rest) = text.strip_prefix(b"\n") {
                out.extend_from_slice(if self.cr { b"\n" } else { b"\r\n" });
                (self.begins, self.cr) = (true, false);
                text = rest;
            }
        }
    }

    /// Ends the text: its last line, where that is not ended, and the lone dot.
    pub fn finish(self, out: &mut Vec<u8>) {
        if !self.begins {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
    }
}

/// Octets of a text as [`DotStuffer`] writes it, doubled dots and the lone one not counted: what POP3 calls
/// the size of a message (RFC 1939 §11).
pub fn text_size(text: &[u8]) -> u64 {
    let bare = memchr_iter(b'\n', text).filter(|&at| at == 0 || text[at - 1] != b'\r').count();
    let unended = if text.is_empty() || text.ends_with(b"\n") { 0 } else { 2 };
    (text.len() + bare + unended) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{DotStuffer, text_size};
    use crate::limits::Limits;
    use crate::wire::{DotFramer, DotPiece};

    fn stuffed(text: &[u8], size: usize) -> Vec<u8> {
        let (mut stuffer, mut out) = (DotStuffer::new(), Vec::new());
        text.chunks(size).for_each(|piece| stuffer.push(piece, &mut out));
        stuffer.finish(&mut out);
        out
    }

    /// The text with its lines ended in CRLF, octet by octet.
    fn lines(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for &octet in text {
            if octet == b'\n' && out.last() != Some(&b'\r') {
                out.push(b'\r');
            }
            out.push(octet);
        }
        if !out.is_empty() && out.last() != Some(&b'\n') {
            out.extend_from_slice(b"\r\n");
        }
        out
    }

    /// What the client's framer makes of it, and of what stands behind.
    fn unstuffed(stream: &[u8], size: usize) -> (Vec<u8>, Vec<u8>) {
        let stream = [b"+OK\r\n", stream, b"+OK next\r\n"].concat();
        let mut framer = DotFramer::new(&Limits::DEFAULT);
        let (mut text, mut rest, mut ended, mut begun) = (Vec::new(), Vec::new(), 0, false);
        for piece in stream.chunks(size) {
            let mut input = piece;
            while let Some(piece) = framer.next(&mut input).expect("within bounds") {
                match piece {
                    DotPiece::Line(line) if begun => rest.extend_from_slice(line),
                    DotPiece::Line(_) => {
                        begun = true;
                        framer.begin_text();
                    }
                    DotPiece::Text(octets) => text.extend_from_slice(octets),
                    DotPiece::End => ended += 1,
                }
            }
        }
        assert_eq!(ended, 1);
        (text, rest)
    }

    #[test]
    fn texts_as_they_are_written() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"", b".\r\n"),
            (b"a", b"a\r\n.\r\n"),
            (b".", b"..\r\n.\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
            (b"..\n.a\r\n", b"...\r\n..a\r\n.\r\n"),
            (b"\n.\n", b"\r\n..\r\n.\r\n"),
            (b"a\r.\r\n", b"a\r.\r\n.\r\n"),
            (b"a\r\r\n.", b"a\r\r\n..\r\n.\r\n"),
            (b"a\r", b"a\r\r\n.\r\n"),
            (b"a.\nb.", b"a.\r\nb.\r\n.\r\n"),
        ];
        for (text, expected) in cases {
            for size in 1..=3 {
                assert_eq!(stuffed(text, size), *expected, "{} by {size}", text.escape_ascii());
            }
        }
    }

    #[test]
    fn every_text_of_six_octets_comes_back() {
        const OCTETS: [u8; 4] = *b".\r\na";
        for n in 0..4usize.pow(6) {
            let text: Vec<u8> = (0..6).map(|i| OCTETS[n >> (2 * i) & 3]).collect();
            let expected = lines(&text);
            assert_eq!(text_size(&text), expected.len() as u64);
            for size in [1, 2, 5] {
                let stream = stuffed(&text, size);
                assert_eq!(unstuffed(&stream, 7 - size), (expected.clone(), b"+OK next".to_vec()));
            }
        }
    }

    proptest! {
        #[test]
        fn the_client_reads_what_was_written(
            text in proptest::collection::vec(prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..400),
            (cut, read) in (1..50usize, 1..50usize),
        ) {
            let stream = stuffed(&text, cut);
            let (read, rest) = unstuffed(&stream, read);
            prop_assert_eq!(read.len() as u64, text_size(&text));
            prop_assert_eq!(read, lines(&text));
            prop_assert_eq!(rest, b"+OK next");
        }
    }
}
