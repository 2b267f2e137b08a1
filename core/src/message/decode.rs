//! Transfer encodings undone while the octets pass, for BINARY (RFC 3516, RFC 2045 §6).

use super::TransferEncoding;

/// Longest stretch of a quoted-printable line that is held back; longer ones are taken as they are.
const HELD: usize = 1 << 10;

/// Decodes in pieces: what comes out does not depend on where the input is cut.
#[derive(Debug)]
pub struct Decoder {
    encoding: TransferEncoding,
    /// Base64: bits of a group that is not whole, and how many digits they are.
    group: u32,
    digits: u8,
    /// Quoted-printable: a possible escape, or blanks that may turn out to end a line.
    held: Vec<u8>,
}

impl Decoder {
    /// For one part; `None` for an encoding that is not known (`NO [UNKNOWN-CTE]`).
    pub fn new(encoding: TransferEncoding) -> Option<Decoder> {
        (encoding != TransferEncoding::Unknown).then(|| Decoder {
            encoding,
            group: 0,
            digits: 0,
            held: Vec::new(),
        })
    }

    /// Decodes the next octets onto the end of `out`.
    pub fn push(&mut self, data: &[u8], out: &mut Vec<u8>) {
        match self.encoding {
            TransferEncoding::Base64 => data.iter().for_each(|b| self.digit(*b, out)),
            TransferEncoding::QuotedPrintable => data.iter().for_each(|b| self.printable(*b, out)),
            TransferEncoding::Identity | TransferEncoding::Unknown => out.extend_from_slice(data),
        }
    }

    /// The end: what was held back comes out.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match self.encoding {
            TransferEncoding::Base64 => self.flush_group(out),
            // A soft line break at the very end, or half an escape, is nothing.
            TransferEncoding::QuotedPrintable if self.held.first() == Some(&b'=') => self.held.clear(),
            _ => out.append(&mut self.held),
        }
    }

    /// Characters outside the alphabet are passed over (RFC 2045 §6.8).
    fn digit(&mut self, b: u8, out: &mut Vec<u8>) {
        let value = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => return self.flush_group(out),
            _ => return,
        };
        self.group = self.group << 6 | u32::from(value);
        self.digits += 1;
        if self.digits == 4 {
            out.extend_from_slice(&self.group.to_be_bytes()[1..]);
            (self.group, self.digits) = (0, 0);
        }
    }

    /// The octets of a group that was cut or padded.
    fn flush_group(&mut self, out: &mut Vec<u8>) {
        match self.digits {
            2 => out.push((self.group >> 4) as u8),
            3 => out.extend_from_slice(&((self.group >> 2) as u16).to_be_bytes()),
            _ => {}
        }
        (self.group, self.digits) = (0, 0);
    }

    fn printable(&mut self, b: u8, out: &mut Vec<u8>) {
        if self.held.len() >= HELD {
            out.append(&mut self.held);
        }
        match (self.held.first(), b) {
            (None, b'=' | b' ' | b'\t' | b'\r') => self.held.push(b),
            (None, _) => out.push(b),
            (Some(b'='), _) => self.escape(b, out),
            // Blanks before a line end were added on the way (RFC 2045 §6.7, rule 3).
            (Some(_), b'\n') => {
                let crlf = self.held.last() == Some(&b'\r');
                self.held.clear();
                out.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
            }
            (Some(_), b' ' | b'\t' | b'\r') => self.held.push(b),
            (Some(_), _) => {
                out.append(&mut self.held);
                self.printable(b, out);
            }
        }
    }

    /// Behind a `=`: two digits, or blanks up to a line end; anything else stands for itself.
    fn escape(&mut self, b: u8, out: &mut Vec<u8>) {
        let hex = |b: u8| (b as char).to_digit(16).map(|value| value as u8);
        match (&self.held[1..], b) {
            ([], b) if hex(b).is_some() => self.held.push(b),
            ([high], b) if hex(*high).is_some() => match (hex(*high), hex(b)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    self.held.clear();
                }
                _ => self.as_it_is(b, out),
            },
            (blanks, b' ' | b'\t' | b'\r') if blanks.len() < HELD - 1 => self.held.push(b),
            (_, b'\n') => self.held.clear(),
            _ => self.as_it_is(b, out),
        }
    }

    fn as_it_is(&mut self, b: u8, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        self.printable(b, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(encoding: TransferEncoding, data: &[u8], piece: usize) -> Vec<u8> {
        let mut decoder = Decoder::new(encoding).expect("it is known");
        let mut out = Vec::new();
        for piece in data.chunks(piece.max(1)) {
            decoder.push(piece, &mut out);
        }
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn what_comes_out() {
        use TransferEncoding::*;
        for (encoding, encoded, expected) in [
            (Base64, &b"SGVs\r\nbG8=\r\n"[..], &b"Hello"[..]),
            (Base64, b"SGVsbG8=V29ybGQ=", b"HelloWorld"),
            (Base64, b"SGVsbG8", b"Hello"),
            (Base64, b"S", b""),
            (
                QuotedPrintable,
                b"caf=C3=A9 = b \t\r\nsoft=\r\nbreak= \nx=3d",
                b"caf\xc3\xa9 = b\r\nsoftbreakx=",
            ),
            (QuotedPrintable, b"=zz==3D a\rb", b"=zz== a\rb"),
            (QuotedPrintable, b"cut=", b"cut"),
            (QuotedPrintable, b"cut=C", b"cut"),
            (Identity, b"a=b", b"a=b"),
        ] {
            for piece in 1..=encoded.len() {
                assert_eq!(
                    decode(encoding, encoded, piece).escape_ascii().to_string(),
                    expected.escape_ascii().to_string()
                );
            }
        }
        assert!(Decoder::new(Unknown).is_none());
    }

    proptest! {
        #[test]
        fn quoted_printable_agrees_with_the_whole(
            data in proptest::collection::vec(prop_oneof![
                Just(b'='), Just(b' '), Just(b'\r'), Just(b'\n'), Just(b'A'), Just(b'4'), Just(b'z')
            ], 0..40),
            piece in 1usize..10,
        ) {
            let whole = decode(TransferEncoding::QuotedPrintable, &data, usize::MAX);
            prop_assert_eq!(decode(TransferEncoding::QuotedPrintable, &data, piece), whole);
        }
    }
}
