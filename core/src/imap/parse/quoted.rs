//! Where a quoted string ends.
//!
//! A large part of what it takes to read envelopes and structures is this search. The strings are
//! short, so that a search made for long texts costs more than it finds: it is one small loop.

const HIGH: u64 = 0x8080_8080_8080_8080;
const ONES: u64 = 0x0101_0101_0101_0101;

/// The length of a quoted string's inside, up to its closing quote, and whether it holds escapes.
///
/// A line end ends the search: it can only belong to a literal behind a string that was never closed.
#[inline(always)]
pub(crate) fn quoted_end(text: &[u8]) -> Option<(usize, bool)> {
    match find_end(text) {
        (NONE, _) => None,
        (len, escaped) => Some((len, escaped)),
    }
}

/// Stands for `None`, with which the answer would come back through memory.
const NONE: usize = usize::MAX;

/// Strings without escapes, and not among the last octets of a response. Not inlined: there are
/// many callers, and this needs next to no registers of its own.
#[inline(never)]
fn find_end(text: &[u8]) -> (usize, bool) {
    let mut rest = text;
    while let Some((chunk, behind)) = rest.split_first_chunk() {
        if let Some(mark) = wide::mark_in(chunk) {
            if chunk[mark] == b'"' {
                return (text.len() - rest.len() + mark, false);
            }
            break;
        }
        rest = behind;
    }
    find_any_end(text)
}

#[cold]
#[inline(never)]
fn find_any_end(text: &[u8]) -> (usize, bool) {
    let mut at = 0;
    let mut escaped = false;
    loop {
        at += mark(text.get(at..).unwrap_or_default());
        match text.get(at) {
            Some(b'"') => return (at, escaped),
            Some(b'\n') | None => return (NONE, false),
            Some(b'\\') => {
                escaped = true;
                at += 2;
            }
            Some(_) => at += 1,
        }
    }
}

/// How far it is to an octet that may end a quoted string or mean something in it, or to the last few.
#[inline(always)]
fn mark(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        if let Some(mark) = wide::mark_in(chunk) {
            return at + mark;
        }
        at += wide::OCTETS;
    }
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        let marks = marks(u64::from_le_bytes(*chunk));
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at
}

/// Marks the octets that may end a quoted string or mean something in it: quotes, backslashes, line
/// ends, and a few others that the caller must let pass. No octet below the lowest mark is one of them.
#[inline(always)]
fn marks(word: u64) -> u64 {
    // Without two bits `"` and the line end look alike, and so do `*` and 0x02: one search for all.
    let ends = (word & (ONES * 0xd7)) ^ (ONES * 0x02);
    let escapes = word ^ (ONES * u64::from(b'\\'));
    (ends.wrapping_sub(ONES) | escapes.wrapping_sub(ONES)) & !word & HIGH
}

/// Sixteen octets at a step, where every processor of the kind can: with a length known to the
/// compiler nothing is left of the search but the comparisons.
#[cfg(any(
    all(target_arch = "x86_64", target_feature = "sse2"),
    all(target_arch = "aarch64", target_feature = "neon")
))]
mod wide {
    #[cfg(target_arch = "aarch64")]
    use memchr::arch::aarch64::neon::memchr::Three;
    #[cfg(target_arch = "x86_64")]
    use memchr::arch::x86_64::sse2::memchr::Three;

    pub(super) const OCTETS: usize = 16;

    #[inline(always)]
    pub(super) fn mark_in(chunk: &[u8; OCTETS]) -> Option<usize> {
        match Three::new(b'"', b'\\', b'\n') {
            Some(marks) => marks.find(chunk),
            None => Some(0),
        }
    }
}

/// Elsewhere words are all there is.
#[cfg(not(any(
    all(target_arch = "x86_64", target_feature = "sse2"),
    all(target_arch = "aarch64", target_feature = "neon")
)))]
mod wide {
    pub(super) const OCTETS: usize = 8;

    #[inline(always)]
    pub(super) fn mark_in(chunk: &[u8; OCTETS]) -> Option<usize> {
        let marks = super::marks(u64::from_le_bytes(*chunk));
        (marks != 0).then(|| marks.trailing_zeros() as usize / 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octet by octet.
    fn patiently(text: &[u8]) -> Option<(usize, bool)> {
        let mut at = 0;
        let mut escaped = false;
        loop {
            match *text.get(at)? {
                b'"' => return Some((at, escaped)),
                b'\n' => return None,
                b'\\' => {
                    escaped = true;
                    at += 2;
                }
                _ => at += 1,
            }
        }
    }

    #[test]
    fn ends_at_every_place_and_behind_every_octet() {
        for len in 0..40 {
            for place in 0..=len {
                for octet in 0..=255 {
                    for behind in [0, 1, 7, 8, 15, 16, 40] {
                        let mut text = vec![b'x'; len];
                        text.insert(place, octet);
                        text.push(b'"');
                        text.resize(len + 2 + behind, b'"');
                        assert_eq!(quoted_end(&text), patiently(&text), "{text:?}");
                    }
                }
            }
            assert_eq!(quoted_end(&vec![b'x'; len]), None);
        }
        assert_eq!(quoted_end(b"abcdefghijklmno\\"), None);
        assert_eq!(quoted_end(b"abcdefghijklmno\\\"\""), Some((17, true)));
    }
}
