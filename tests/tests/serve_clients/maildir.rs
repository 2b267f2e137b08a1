//! Maildirs as clients write them, read as files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mailkeep_tests::corpus::crlf;
use sha2::{Digest as _, Sha256};

/// The header field by which mbsync knows what it carries.
pub(crate) const MARK: &str = "X-TUID";

/// A message of a Maildir.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Held {
    /// Flags in IMAP's words, in small letters.
    pub(crate) flags: BTreeSet<String>,
    /// Of the text with CRLF line ends and without [`MARK`], in hexadecimal.
    pub sha256: String,
}

/// Every message, by the path of its file.
pub(crate) fn read(maildir: &Path) -> BTreeMap<String, Held> {
    let mut all = BTreeMap::new();
    for part in ["new", "cur"] {
        let folder = maildir.join(part);
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.expect("own folder").path();
            let name = path.to_str().expect("clients write ASCII names").to_owned();
            let letters = name.rsplit_once(":2,").map_or("", |(_, letters)| letters);
            let flags = letters.chars().filter_map(word).map(str::to_owned).collect();
            let sha256 = hash(&crlf(&without_mark(fs::read(&path).expect("own file"))));
            all.insert(name, Held { flags, sha256 });
        }
    }
    all
}

/// The messages alone, sorted.
pub(crate) fn messages(maildir: &Path) -> Vec<Held> {
    let mut all: Vec<Held> = read(maildir).into_values().collect();
    all.sort();
    all
}

/// The one file that holds a text.
pub(crate) fn file_with(maildir: &Path, text: &str) -> String {
    let mut found: Vec<String> = read(maildir).into_keys().collect();
    found.retain(|path| String::from_utf8_lossy(&fs::read(path).expect("own file")).contains(text));
    assert_eq!(found.len(), 1, "files with {text:?} in {}", maildir.display());
    found.remove(0)
}

/// In hexadecimal.
pub(crate) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn without_mark(text: Vec<u8>) -> Vec<u8> {
    let mark = format!("\n{MARK}: ").into_bytes();
    let Some(at) = text.windows(mark.len()).position(|window| window == mark) else { return text };
    let end = text[at + 1..].iter().position(|&byte| byte == b'\n').expect("a field ends its line") + at + 1;
    [&text[..at], &text[end..]].concat()
}

fn word(letter: char) -> Option<&'static str> {
    Some(match letter {
        'S' => "\\seen",
        'R' => "\\answered",
        'F' => "\\flagged",
        'D' => "\\draft",
        'T' => "\\deleted",
        'P' => "$forwarded",
        _ => return None,
    })
}
