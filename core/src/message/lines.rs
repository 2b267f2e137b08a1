//! Line ends as the protocols have them.

use std::borrow::Cow;

/// A message with every line ended by CRLF: a lone CR or LF becomes one (RFC 5322 §2.3). Servers do the same to what they
/// are given, each in its own way; sent so, nothing is left for them to change.
pub(crate) fn canonical_lines(raw: &[u8]) -> Cow<'_, [u8]> {
    let lone = |i: usize| match raw[i] {
        b'\r' => raw.get(i + 1) != Some(&b'\n'),
        b'\n' => i == 0 || raw[i - 1] != b'\r',
        _ => false,
    };
    let ends = memchr::memchr2_iter(b'\r', b'\n', raw);
    let Some(first) = ends.clone().find(|i| lone(*i)) else { return raw.into() };
    let mut out = Vec::with_capacity(raw.len() + raw.len() / 32 + 2);
    let mut from = 0;
    for at in ends.skip_while(|i| *i < first).filter(|i| lone(*i)) {
        out.extend_from_slice(&raw[from..at]);
        out.extend_from_slice(b"\r\n");
        from = at + 1;
    }
    out.extend_from_slice(&raw[from..]);
    out.into()
}

/// The header of a message with whole line ends, without the empty line behind it.
pub(crate) fn header_of(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut end = 0;
    for line in raw.split_inclusive(|b| *b == b'\n') {
        if line.strip_suffix(b"\n").is_some_and(|l| l.is_empty() || l == b"\r") {
            break;
        }
        end += line.len();
    }
    canonical_lines(&raw[..end])
}

#[cfg(test)]
mod tests {
    use super::{canonical_lines, header_of};

    #[test]
    fn a_header_ends_at_the_empty_line() {
        for raw in ["A: b\r\nC: d\r\n\r\nbody\r\n\r\nmore", "A: b\nC: d\n\nbody", "A: b\r\nC: d\r\n"] {
            assert_eq!(header_of(raw.as_bytes()), b"A: b\r\nC: d\r\n".as_slice(), "{raw:?}");
        }
        assert_eq!(header_of(b"\r\nbody"), b"".as_slice());
    }

    #[test]
    fn lone_line_ends_become_whole_ones() {
        for (raw, wanted) in [
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            ("a\nb\n", "a\r\nb\r\n"),
            ("a\rb", "a\r\nb"),
            ("\n\r\n\r\r\n", "\r\n\r\n\r\n\r\n"),
            ("", ""),
            ("no end", "no end"),
        ] {
            assert_eq!(canonical_lines(raw.as_bytes()), wanted.as_bytes(), "{raw:?}");
        }
    }
}
