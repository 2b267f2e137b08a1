//! Mailbox names and the patterns of LIST (RFC 9051 §5.1, §6.3.9; RFC 3501 §5.1.3).

use super::answer::Answer;
use crate::imap::mailbox_name;
use crate::imap::response::PlainCode;

/// A name from the wire as text. `utf8` says that the client speaks UTF-8.
///
/// What is not spelt as it should be is refused, rather than to be another mailbox than was meant.
pub(super) fn read(wire: &[u8], utf8: bool, limit: usize) -> Result<String, Answer> {
    let cannot = |why| Err(Answer::no(PlainCode::Cannot, why));
    if wire.len() > limit {
        return cannot("the name is too long");
    }
    if !mailbox_name::is_canonical(wire, utf8) {
        return cannot("the name is not spelt as it should be");
    }
    let name = mailbox_name::decode(wire, utf8);
    Ok(if name.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { name })
}

/// Whether a mailbox may be made with this name.
pub(super) fn check_new(name: &str, delimiter: char) -> Result<(), Answer> {
    let odd_level = |level: &str| level.is_empty() || level == "." || level == "..";
    if name.split(delimiter).any(odd_level) || name.contains(['%', '*']) || name.contains(char::is_control) {
        return Err(Answer::no(PlainCode::Cannot, "no mailbox can have that name"));
    }
    Ok(())
}

/// A pattern of LIST with its reference (RFC 9051 §6.3.9): `*` stands for anything, `%` for anything within
/// one level.
#[derive(Debug)]
pub(super) struct Pattern {
    text: Vec<char>,
    delimiter: char,
}

impl Pattern {
    pub(super) fn new(reference: &str, pattern: &str, delimiter: char) -> Pattern {
        let mut text: Vec<char> = reference.chars().chain(pattern.chars()).collect();
        // INBOX is spelt in any case, where it is a whole level.
        let level = text.iter().position(|c| *c == delimiter).unwrap_or(text.len());
        if text[..level].iter().collect::<String>().eq_ignore_ascii_case("INBOX") {
            text.splice(..level, "INBOX".chars());
        }
        // Stars in a row say no more than one, and would only cost.
        text.dedup_by(|a, b| a == b && *a == '*');
        Pattern { text, delimiter }
    }

    /// Whether it fits a name. In time of the order of the product of both lengths.
    pub(super) fn fits(&self, name: &str) -> bool {
        // Which lengths of the pattern fit what has been read of the name.
        let mut reached = vec![false; self.text.len() + 1];
        reached[0] = true;
        self.pass_wildcards(&mut reached);
        for c in name.chars() {
            let mut next = vec![false; reached.len()];
            for (at, wanted) in self.text.iter().enumerate().filter(|(at, _)| reached[*at]) {
                match wanted {
                    '*' => next[at] = true,
                    '%' => next[at] = c != self.delimiter,
                    wanted if *wanted == c => next[at + 1] = true,
                    _ => {}
                }
            }
            // A wildcard that was passed may still go on: it is reached again through itself.
            self.pass_wildcards(&mut next);
            reached = next;
        }
        reached[self.text.len()]
    }

    fn pass_wildcards(&self, reached: &mut [bool]) {
        for at in 0..self.text.len() {
            if reached[at] && matches!(self.text[at], '*' | '%') {
                reached[at + 1] = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (reference, pattern, fits, misses) in [
            ("", "*", &["INBOX", "a/b/c", ""][..], &[][..]),
            ("", "%", &["INBOX", "a"], &["a/b", "/"]),
            ("", "inbox", &["INBOX"], &["inbox", "INBOX/a"]),
            ("", "InBox/%", &["INBOX/a"], &["INBOX", "INBOX/a/b"]),
            ("a/", "%", &["a/b"], &["a/b/c", "a"]),
            ("a/", "%/c", &["a/b/c"], &["a/c"]),
            ("", "a%b*c", &["abc", "axb/yc", "abbcc"], &["a/bc", "abcd"]),
            ("", "**%%**", &["x/y"], &[]),
            ("", "", &[""], &["a"]),
            ("", "é%", &["éa"], &["ea"]),
        ] {
            let pattern = Pattern::new(reference, pattern, '/');
            for name in fits {
                assert!(pattern.fits(name), "{pattern:?} {name}");
            }
            for name in misses {
                assert!(!pattern.fits(name), "{pattern:?} {name}");
            }
        }
        let hostile = Pattern::new("", &"*a%".repeat(1_000), '/');
        assert!(!hostile.fits(&"a".repeat(900)));
    }

    #[test]
    fn names() {
        assert_eq!(read(b"inbox", false, 100), Ok("INBOX".into()));
        assert_eq!(read(b"&AOk-", false, 100), Ok("é".into()));
        assert_eq!(read("é".as_bytes(), true, 100), Ok("é".into()));
        for (wire, utf8) in
            [(&b"&AGE-"[..], false), ("é".as_bytes(), false), (b"\xff", true), (b"a\nb", true)]
        {
            assert!(read(wire, utf8, 100).is_err(), "{wire:?}");
        }
        assert!(read(b"abc", false, 2).is_err());
        for name in ["", "/", "a//b", "a/", "/a", "a%", "*", "..", "a/../b", "a\u{7f}"] {
            assert!(check_new(name, '/').is_err(), "{name}");
        }
        assert!(check_new("a/b.c", '/').is_ok());
    }
}
