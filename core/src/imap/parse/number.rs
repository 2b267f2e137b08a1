//! Numbers, lists and sets of numbers (RFC 9051 §9: number, nz-number, sequence-set).

use super::alike::Width;

/// The digits at the front as a number, and how many there were. `None` where there are none or
/// the number does not fit.
///
/// Octet by octet: neighbouring numbers in a response mostly have as many digits, so the
/// processor foresees the exit, and nothing waits for a width to be computed.
#[inline(always)]
pub(crate) fn number(text: &[u8]) -> Option<(u64, usize)> {
    let mut value: u64 = 0;
    // Unrolled: each exit knows its width.
    if let Some(chunk) = text.first_chunk::<8>() {
        for (width, byte) in chunk.iter().enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return if width == 0 { None } else { Some((value, width)) };
            }
            value = value * 10 + u64::from(digit);
        }
    }
    let width = if text.len() < 8 { 0 } else { 8 };
    let (value, width) = longer_number(text, value, width);
    (width > 0).then_some((value, width))
}

/// A number of eight digits or more, of which `width` were read, or one close to the end of the text.
/// No width where there is none or it does not fit: an `Option` would come back through memory, and
/// all that follows wait for it.
#[inline(never)]
fn longer_number(text: &[u8], mut value: u64, mut width: usize) -> (u64, usize) {
    while let Some(digit) = text.get(width).map(|b| b.wrapping_sub(b'0')).filter(|&d| d < 10) {
        // Nineteen digits always fit.
        let sum = if width < 19 {
            Some(value * 10 + u64::from(digit))
        } else {
            value.checked_mul(10).and_then(|value| value.checked_add(u64::from(digit)))
        };
        let Some(sum) = sum else { return (0, 0) };
        value = sum;
        width += 1;
    }
    (value, width)
}

/// Like [`number`], for a number that was checked to be one of 1 to 2^32 − 1.
#[inline]
pub(crate) fn checked(text: &[u8]) -> Option<(u32, usize)> {
    number(text).map(|(value, width)| (value as u32, width))
}

/// A number of 1 to 2^32 − 1 at the front and its width: a UID or sequence number.
#[inline(always)]
pub(crate) fn nonzero(text: &[u8]) -> Option<(u32, usize)> {
    let (value, width) = number(text)?;
    let value = u32::try_from(value).ok().filter(|&v| v > 0)?;
    Some((value, width))
}

/// The width of the sequence set at the front of `text`: `1:5,7`, without `*`, 0 or empty elements.
///
/// Sets of tens of thousands of ranges come with QRESYNC. Which separator comes next in them is
/// chance, so that a branch on it would be guessed wrongly half the time.
///
/// # Errors
/// The offset where it stops being one.
#[inline]
pub(crate) fn sequence_set(text: &[u8]) -> Result<usize, usize> {
    let mut at = 0;
    let mut in_range = false;
    let mut width = Width::ONE;
    loop {
        while let Some(number) = text.get(at..).and_then(|rest| width.read(rest)) {
            let colon = number.behind == b':';
            let separated = colon & !in_range | (number.behind == b',');
            if !separated | number.leading_zero {
                break;
            }
            in_range = colon;
            at += width.step();
        }
        let octets = nonzero(&text[at..]).ok_or(at)?.1;
        width = Width::of(octets);
        at += octets;
        match text.get(at) {
            Some(b':') if !in_range => in_range = true,
            Some(b',') => in_range = false,
            Some(b':' | b'*') => return Err(at),
            _ => return Ok(at),
        }
        at += 1;
    }
}

/// Whether `text` holds nothing but numbers of 1 to 2^32 − 1 between spaces.
pub(crate) fn is_number_list(text: &[u8]) -> bool {
    let mut rest = text;
    let mut width = Width::ONE;
    loop {
        while let Some(number) = width.read(rest)
            && (number.behind == b' ') & !number.leading_zero
        {
            rest = &rest[width.step()..];
        }
        match rest {
            [] => return true,
            [b' ', behind @ ..] => rest = behind,
            _ => {
                let Some((_, octets)) = nonzero(rest) else { return false };
                width = Width::of(octets);
                rest = &rest[octets..];
                if rest.first().is_some_and(|&b| b != b' ') {
                    return false;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width() {
        for width in 1..=19 {
            let digits: String = (0..width).map(|i| char::from(b'1' + (i % 9) as u8)).collect();
            let value: u64 = digits.parse().unwrap();
            for tail in ["", " ", ")", ":9", " 12345678", ",999999999999"] {
                let text = format!("{digits}{tail}");
                assert_eq!(number(text.as_bytes()), Some((value, width)), "{text}");
            }
        }
        assert_eq!(number(b"18446744073709551615"), Some((u64::MAX, 20)));
        assert_eq!(number(b"18446744073709551616"), None);
        assert_eq!(number(b"00000000000000000000012 "), Some((12, 23)));
        for none in [&b""[..], b" 1", b"-1", b"x2345678", b"\xb11234567", b"/2345678", b":2345678"] {
            assert_eq!(number(none), None, "{none:?}");
        }
        assert_eq!(number(b"12\xb945678"), Some((12, 2)));
    }

    #[test]
    fn note_50_zero_and_overflow_are_no_uids() {
        assert_eq!(nonzero(b"4294967295"), Some((u32::MAX, 10)));
        assert_eq!(nonzero(b"4294967296"), None);
        assert_eq!(nonzero(b"0"), None);
        assert_eq!(nonzero(b"00000000 "), None);
    }

    #[test]
    fn number_lists_agree_with_reading_them_one_by_one() {
        let samples = [
            "",
            " ",
            "1",
            "1 2 3",
            "0",
            "1 0 2",
            "12345678 12345678",
            "123456789 1",
            "1234567890 4294967295",
            "4294967296",
            "1 4294967296 2",
            "007",
            "1 2x3",
            "1,2",
            "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
            "1  2   3        4",
            "100 200 300 400 50 ",
            "1 2 3 4 0 6 7 8 9",
            "1 2 3 45 60 70 0",
            "99999999999999999999999 1",
            "1\u{0} 2345678",
            "12345 78\u{10}12345 7",
            "1000000 2000000 03000000",
        ];
        for sample in samples {
            for shift in 0..9 {
                let text = format!("{}{sample}", "7 ".repeat(shift));
                let expected = text
                    .split(' ')
                    .filter(|w| !w.is_empty())
                    .all(|w| w.bytes().all(|b| b.is_ascii_digit()) && w.parse::<u32>().is_ok_and(|n| n > 0));
                assert_eq!(is_number_list(text.as_bytes()), expected, "{text:?}");
            }
        }
    }

    #[test]
    fn note_50_sets_that_are_refused() {
        for (set, at) in [
            ("", 0),
            (",", 0),
            ("1,", 2),
            (",1", 0),
            ("1:", 2),
            (":1", 0),
            ("0", 0),
            ("1,0", 2),
            ("*", 0),
            ("1:*", 2),
            ("1*", 1),
            ("1:2:3", 3),
            ("1,,2", 2),
            ("4294967296", 0),
            ("1:4294967296", 2),
        ] {
            assert_eq!(sequence_set(set.as_bytes()), Err(at), "{set}");
        }
        for set in ["1", "1:5,7", "7:1", "4294967295", "1:4294967295", "1,2,3,4,5,6"] {
            assert_eq!(sequence_set(set.as_bytes()), Ok(set.len()), "{set}");
        }
        assert_eq!(sequence_set(b"1:2 x"), Ok(3));
    }
}
