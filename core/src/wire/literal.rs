//! The announcement of a literal: `{n}`, `{n+}`, `~{n}` (RFC 9051 §4.3, RFC 7888, RFC 3516 §7).

/// What a literal's announcement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LiteralHead {
    /// Octets announced.
    pub(crate) len: u64,
    /// Octets of the announcement itself, from `{` to the line end, both included.
    pub(crate) width: usize,
}

/// Reads an announcement that begins with `{` at the front of `text` and ends its line.
///
/// `None` where it is none, or its number does not fit.
pub(crate) fn literal_head(text: &[u8]) -> Option<LiteralHead> {
    let mut at = 1;
    if text.first() != Some(&b'{') {
        return None;
    }
    let mut len: u64 = 0;
    while let Some(digit) = text.get(at).filter(|b| b.is_ascii_digit()) {
        len = len.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        at += 1;
    }
    if at == 1 {
        return None;
    }
    for (optional, byte) in [(true, b'+'), (false, b'}'), (true, b'\r'), (false, b'\n')] {
        if text.get(at) == Some(&byte) {
            at += 1;
        } else if !optional {
            return None;
        }
    }
    Some(LiteralHead { len, width: at })
}

/// How a line ends: plainly, with a literal's announcement, or with one that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// The response ends here.
    Plain,
    /// `{n}` stands `at` octets into the line.
    Literal { at: usize, len: u64 },
    /// What stands in the braces was meant as a number and is none: `{-1}`, `{}`, `{1.5}`.
    BadNumber,
    /// The number does not fit 64 bits.
    TooLarge,
}

/// Looks at the end of a line given without its CRLF.
pub(super) fn line_end(line: &[u8]) -> LineEnd {
    let Some((b'}', rest)) = line.split_last() else { return LineEnd::Plain };
    // Words in braces (`{foo}`) are text of a server that knows no better; only what looks like a
    // number is held to be one, since a length that is misread loses the place in the stream.
    let numeric = |b: &u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.');
    let inside = rest.iter().rev().take_while(|b| numeric(b)).count();
    let Some(at) = (rest.len() - inside).checked_sub(1).filter(|&at| rest[at] == b'{') else {
        return LineEnd::Plain;
    };
    let digits = &rest[at + 1..];
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return LineEnd::BadNumber;
    }
    let value = digits.iter().try_fold(0u64, |n, d| n.checked_mul(10)?.checked_add(u64::from(d - b'0')));
    match value {
        Some(len) => LineEnd::Literal { at, len },
        None => LineEnd::TooLarge,
    }
}
