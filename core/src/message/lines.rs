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

#[cfg(test)]
mod tests {
    use super::canonical_lines;

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
