//! The fields of a header as they stand in it (RFC 5322 §2.2), without a meaning.

use memchr::memchr;

/// One field, or a line that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawField<'a> {
    /// What stands before the colon, blanks in front of it taken off; of a line without a colon, all of it.
    pub(crate) name: &'a [u8],
    /// What stands behind the colon, folds and line end included.
    pub(crate) value: &'a [u8],
    /// The field's lines.
    pub(crate) lines: &'a [u8],
}

impl RawField<'_> {
    /// Whether it has this name, compared without case.
    pub(crate) fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The fields of a header up to its blank line, or the end.
pub(crate) fn fields(header: &[u8]) -> impl Iterator<Item = RawField<'_>> {
    let mut rest = header;
    std::iter::from_fn(move || {
        let end = field_end(rest)?;
        let (lines, after) = rest.split_at(end);
        rest = after;
        let first = memchr(b'\n', lines).map_or(lines, |at| &lines[..at]);
        let (name, value) = match memchr(b':', first) {
            Some(colon) => (&lines[..colon], &lines[colon + 1..]),
            None => (first, &lines[lines.len()..]),
        };
        Some(RawField { name: name.trim_ascii_end(), value, lines })
    })
}

/// Where the field at the front of `rest` ends; `None` where none is left.
fn field_end(rest: &[u8]) -> Option<usize> {
    if rest.is_empty() || rest.starts_with(b"\n") || rest.starts_with(b"\r\n") {
        return None;
    }
    let mut end = 0;
    loop {
        end += memchr(b'\n', &rest[end..]).map_or(rest.len() - end, |at| at + 1);
        // A line that begins with a blank goes on with the field.
        if !matches!(rest.get(end), Some(b' ' | b'\t')) {
            return Some(end);
        }
    }
}

/// The value with its line ends taken out, and blanks around it (RFC 5322 §2.2.3). NUL, which no string of
/// a server may hold, goes too.
pub(crate) fn unfolded(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    out.extend(value.iter().filter(|b| !matches!(b, b'\r' | b'\n' | 0)));
    let blank = out.len() - out.trim_ascii_start().len();
    out.drain(..blank);
    out.truncate(out.trim_ascii_end().len());
    out
}

/// The fields that are `named` (or all others), in their order, with the blank line that ends every
/// answer of the kind (RFC 9051 §6.4.5.1).
pub(crate) fn select(header: &[u8], names: &[String], named: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields(header) {
        if names.iter().any(|name| field.is(name.as_bytes())) == named {
            out.extend_from_slice(field.lines);
            if !field.lines.ends_with(b"\n") {
                out.extend_from_slice(b"\r\n");
            }
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_their_folds() {
        let header = b"From : a\r\nSubject: one\r\n two\r\nno field\r\nX:\r\n\r\nbody: x\r\n";
        let found: Vec<_> = fields(header).map(|f| (f.name, f.value)).collect();
        assert_eq!(
            found,
            [
                (&b"From"[..], &b" a\r\n"[..]),
                (b"Subject", b" one\r\n two\r\n"),
                (b"no field\r", b""),
                (b"X", b"\r\n"),
            ]
            .map(|(name, value)| (name.trim_ascii_end(), value))
        );
        assert_eq!(unfolded(b" one\r\n\ttwo \0\r\n"), b"one\ttwo");
        assert_eq!(fields(b"").count() + fields(b"\nx: y").count(), 0);
    }

    #[test]
    fn some_fields_or_all_others() {
        let header = b"A: 1\r\nB: 2\r\n 3\r\na: 4\r\n\r\n";
        let names = ["A".to_owned()];
        assert_eq!(select(header, &names, true), b"A: 1\r\na: 4\r\n\r\n");
        assert_eq!(select(header, &names, false), b"B: 2\r\n 3\r\n\r\n");
        assert_eq!(select(b"A: 1", &names, true), b"A: 1\r\n\r\n");
    }
}
