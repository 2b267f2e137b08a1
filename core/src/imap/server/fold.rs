//! Comparing text without case, for SEARCH and SORT (RFC 5051 i;unicode-casemap, nearly).
//!
//! Case is folded by the standard library's tables. What RFC 5051 adds, the taking apart of composed
//! characters, would need tables of its own: `é` in one character and in two stay different here.

use memchr::memmem;

/// Text with its case folded: to upper case, which is the order that RFC 5051 §2 gives to what lies between
/// the letters, and which joins what lower case keeps apart, such as the two sigmas.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    text.chars().flat_map(char::to_uppercase).collect()
}

/// What is searched for.
#[derive(Debug)]
pub(super) struct Needle {
    folded: String,
    finder: memmem::Finder<'static>,
}

impl Needle {
    pub(super) fn new(text: &[u8]) -> Needle {
        let folded = fold(&String::from_utf8_lossy(text));
        let finder = memmem::Finder::new(folded.as_bytes()).into_owned();
        Needle { folded, finder }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    /// Whether it stands in a text. Of a long one no more than a stretch is folded at a time.
    pub(super) fn is_in(&self, text: &str) -> bool {
        const STRETCH: usize = 64 << 10;
        // Folding changes lengths, at most threefold; twice that much is carried over.
        let carry = self.folded.len().saturating_mul(6);
        let mut from = 0usize;
        loop {
            let to = text.floor_char_boundary(from.saturating_add(STRETCH).saturating_add(carry));
            let stretch = &text[from..to];
            if self.finder.find(fold(stretch).as_bytes()).is_some() {
                return true;
            }
            if to == text.len() {
                return false;
            }
            from = text.floor_char_boundary(to.saturating_sub(carry)).max(from + 1);
            from = text.ceil_char_boundary(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds() {
        for (text, folded) in
            [("HeLLo", "hello"), ("ÄÖÜß", "äöüss"), ("ΣΑΣ ς", "σασ σ"), ("ﬁ", "fi"), ("МИР", "мир")]
        {
            assert_eq!(fold(text), fold(folded), "{text}");
        }
    }

    #[test]
    fn finds_across_stretches() {
        let needle = Needle::new("NÄDEL".as_bytes());
        for before in [0, 10, 65_530, 65_536, 65_540, 65_566, 131_070, 200_000] {
            for filler in ["x", "é"] {
                let text = format!("{}nädel{}", filler.repeat(before), filler.repeat(70_000));
                assert!(needle.is_in(&text), "{before}");
            }
        }
        assert!(!needle.is_in(&"näde".repeat(50_000)));
        assert!(Needle::new(b"").is_in("") && Needle::new(b"").is_empty());
    }
}
