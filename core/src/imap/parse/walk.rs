//! The walks over lists and sets of numbers that were checked when they came.

use std::hint::select_unpredictable;

use super::alike::Width;
use super::number::checked;

/// The numbers of a SEARCH or SORT answer.
#[derive(Debug, Clone)]
pub struct Numbers<'a> {
    rest: &'a [u8],
    width: Width,
}

impl<'a> Numbers<'a> {
    pub(crate) fn new(checked: &'a [u8]) -> Numbers<'a> {
        Numbers { rest: checked, width: Width::ONE }
    }

    /// The end, or a number that is not as wide as the one before, or stands behind another space.
    #[cold]
    fn other(&mut self) -> Option<u32> {
        let spaces = self.rest.iter().take_while(|&&b| b == b' ').count();
        let text = &self.rest[spaces..];
        let (value, octets) = checked(text)?;
        self.width = Width::of(octets);
        // One space is certain to follow unless the end does.
        self.rest = text.get(octets + 1..).unwrap_or_default();
        Some(value)
    }
}

impl Iterator for Numbers<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        if let Some(number) = self.width.read(self.rest)
            && number.behind == b' '
        {
            self.rest = &self.rest[self.width.step()..];
            return Some(number.value());
        }
        self.other()
    }
}

/// The ranges of a [`SequenceSet`](crate::imap::text::SequenceSet).
#[derive(Debug, Clone)]
pub struct Ranges<'a> {
    rest: &'a [u8],
    width: Width,
}

impl<'a> Ranges<'a> {
    pub(crate) fn new(checked: &'a [u8]) -> Ranges<'a> {
        Ranges { rest: checked, width: Width::ONE }
    }

    /// The end, or a range at which a number gets wider.
    #[cold]
    fn other(&mut self) -> Option<(u32, u32)> {
        let (first, octets) = checked(self.rest)?;
        self.width = Width::of(octets);
        let mut taken = octets;
        let mut last = first;
        if self.rest.get(taken) == Some(&b':') {
            let (second, octets) = checked(&self.rest[taken + 1..])?;
            last = second;
            taken += 1 + octets;
        }
        self.rest = self.rest.get(taken + 1..).unwrap_or_default();
        Some((first.min(last), first.max(last)))
    }
}

impl Iterator for Ranges<'_> {
    type Item = (u32, u32);

    #[inline]
    fn next(&mut self) -> Option<(u32, u32)> {
        // Two numbers are read whatever stands between them. Where that is a comma, the second is
        // the next range's: which it is would be guessed wrongly half the time.
        let step = self.width.step();
        if let Some(first) = self.width.read(self.rest)
            && !first.behind.is_ascii_digit()
            && let Some(second) = self.width.read(&self.rest[step..])
            && !second.behind.is_ascii_digit()
        {
            let range = first.behind == b':';
            self.rest = &self.rest[select_unpredictable(range, 2 * step, step)..];
            let first = first.value();
            let last = select_unpredictable(range, second.value(), first);
            return Some((first.min(last), first.max(last)));
        }
        self.other()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Widths that stay, grow and shrink, at the end and in the middle, up to the widest.
    const NUMBERS: [u32; 17] = [
        1,
        2,
        10,
        11,
        9,
        100,
        999_999,
        1_000_000,
        9_999_999,
        9_999_998,
        10_000_000,
        10_000_001,
        5,
        6,
        u32::MAX,
        7,
        8,
    ];

    #[test]
    fn lists_of_every_shape() {
        for from in 0..NUMBERS.len() {
            for to in from..=NUMBERS.len() {
                for space in [" ", "  "] {
                    let numbers = &NUMBERS[from..to];
                    let words: Vec<String> = numbers.iter().map(u32::to_string).collect();
                    for text in [words.join(space), format!("{space}{}{space}", words.join(space))] {
                        let found: Vec<u32> = Numbers::new(text.as_bytes()).collect();
                        assert_eq!(found, numbers, "{text:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn sets_of_every_shape() {
        for pattern in 0_usize..1 << 12 {
            let mut text = String::new();
            let mut expected: Vec<(u32, u32)> = Vec::new();
            let mut in_range = false;
            for (at, number) in NUMBERS.iter().cycle().skip(pattern % 17).take(12).enumerate() {
                text += &number.to_string();
                match expected.last_mut() {
                    Some(last) if in_range => *last = (last.0.min(*number), last.0.max(*number)),
                    _ => expected.push((*number, *number)),
                }
                in_range = !in_range && pattern >> at & 1 == 1 && at < 11;
                text += if in_range { ":" } else { "," };
            }
            let text = text.trim_end_matches(',');
            let found: Vec<_> = Ranges::new(text.as_bytes()).collect();
            assert_eq!(found, expected, "{text}");
            assert_eq!(super::super::number::sequence_set(text.as_bytes()), Ok(text.len()));
        }
    }
}
