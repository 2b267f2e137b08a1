//! Numbers read on the guess that each is as wide as the one before it.
//!
//! In the answers that name tens of thousands of UIDs neighbours mostly are. Where the guess is a
//! value of its own, held against the text by one branch, the next number's place does not wait for
//! this one's end to be found, and all octets are looked at together.

/// How wide the next number is thought to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Width {
    /// 1 to 7: with what ends the number it has to fit eight octets.
    octets: usize,
}

/// A number that was as wide as guessed, and the octet behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alike {
    /// The digits' values, the last on top.
    digits: u64,
    pub(crate) behind: u8,
    pub(crate) leading_zero: bool,
}

impl Width {
    pub(crate) const ONE: Width = Width { octets: 1 };

    /// The guess after a number of so many octets. One that is too wide is never met.
    #[inline]
    pub(crate) fn of(octets: usize) -> Width {
        Width { octets: octets.clamp(1, 7) }
    }

    /// Where the next number begins, behind a separator.
    #[inline(always)]
    pub(crate) fn step(self) -> usize {
        self.octets + 1
    }

    /// The number at the front, if it has as many digits; there may be more of them behind it.
    #[inline(always)]
    pub(crate) fn read(self, text: &[u8]) -> Option<Alike> {
        const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);
        let word = u64::from_le_bytes(*text.first_chunk()?) ^ ZEROS;
        // The octet behind the number comes to the top, and what follows it is shifted out.
        let text = word << (56 - 8 * self.octets);
        // Below it nothing is more than nine: neither before nor after adding six a high half is set.
        let sums = text.wrapping_add(0x0006_0606_0606_0606);
        if (text | sums) & 0x00f0_f0f0_f0f0_f0f0 != 0 {
            return None;
        }
        Some(Alike { digits: text << 8, behind: (text >> 56) as u8 ^ b'0', leading_zero: word & 0xff == 0 })
    }
}

impl Alike {
    /// The number.
    #[inline(always)]
    pub(crate) fn value(self) -> u32 {
        // Digits are added up to pairs, pairs to fours, and fours to all.
        let pairs = (self.digits.wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
        let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_ffff_0000_ffff;
        (fours.wrapping_mul(10_000 << 32 | 1) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_in_every_place() {
        for octets in 1..=7 {
            let width = Width::of(octets);
            for place in 0..8 {
                for octet in 0..=255 {
                    let mut text = *b"12345678";
                    text[place] = octet;
                    let expected = text[..octets].iter().all(u8::is_ascii_digit);
                    let found = width.read(&text);
                    assert_eq!(found.is_some(), expected, "{octets} {text:?}");
                    let Some(found) = found else { continue };
                    let number = std::str::from_utf8(&text[..octets]).unwrap();
                    assert_eq!(found.value(), number.parse::<u32>().unwrap());
                    assert_eq!(found.behind, text[octets]);
                    assert_eq!(found.leading_zero, text[0] == b'0');
                }
            }
        }
        assert!(Width::ONE.read(b"1234567").is_none());
    }
}
