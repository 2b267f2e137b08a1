//! The catalogue of what servers and mail do names tests that exist, for every line that needs one, and each line's guard
//! can be taken out by a patch that fits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const CATALOGUE: &str = include_str!("catalogue.md");

/// Everything that holds tests of the catalogue, each with its test target, `lib` for the crate's own.
const SOURCES: &[(&str, &str)] = &[
    ("chunks", include_str!("chunks.rs")),
    ("contract", include_str!("contract.rs")),
    ("notes_hostile", include_str!("notes_hostile.rs")),
    ("notes_offline", include_str!("notes_offline.rs")),
    ("notes_pop", include_str!("notes_pop.rs")),
    ("notes_seen", include_str!("notes_seen.rs")),
    ("notes_servers", include_str!("notes_servers.rs")),
    ("notes_sync", include_str!("notes_sync.rs")),
    ("pop_crashes", include_str!("pop_crashes.rs")),
    ("pop_retention", include_str!("pop_retention.rs")),
    ("sync_model", include_str!("sync_model.rs")),
    ("lib", include_str!("../src/imap/date.rs")),
    ("lib", include_str!("../src/imap/encode/tests.rs")),
    ("lib", include_str!("../src/imap/mailbox_name.rs")),
    ("lib", include_str!("../src/imap/parse/number.rs")),
    ("lib", include_str!("../src/imap/parse/tests.rs")),
    ("lib", include_str!("../src/imap/parse/tests/fetch.rs")),
    ("lib", include_str!("../src/imap/parse/tests/hostile.rs")),
    ("lib", include_str!("../src/message/address.rs")),
    ("lib", include_str!("../src/message/date.rs")),
    ("lib", include_str!("../src/message/file_name.rs")),
    ("lib", include_str!("../src/message/fingerprint.rs")),
    ("lib", include_str!("../src/message/hash.rs")),
    ("lib", include_str!("../src/message/hostile.rs")),
    ("lib", include_str!("../src/message/tests.rs")),
    ("lib", include_str!("../src/pop3/capability.rs")),
    ("lib", include_str!("../src/pop3/command.rs")),
    ("lib", include_str!("../src/pop3/response.rs")),
    ("lib", include_str!("../src/sasl/tests.rs")),
    ("lib", include_str!("../src/set.rs")),
    ("lib", include_str!("../src/wire/compress.rs")),
    ("lib", include_str!("../src/wire/dots.rs")),
    ("lib", include_str!("../src/wire/tests.rs")),
];

const LAST: u32 = 75;

struct Note<'a> {
    number: u32,
    later: bool,
    tests: Vec<&'a str>,
}

fn notes() -> Vec<Note<'static>> {
    let numbered = |line: &'static str| {
        let (number, text) = line.split_once(". ")?;
        Some((number.parse().ok()?, text))
    };
    CATALOGUE
        .lines()
        .filter_map(numbered)
        .map(|(number, text)| Note {
            number,
            later: text.contains("later: "),
            // Names stand in backquotes.
            tests: text.split('`').skip(1).step_by(2).filter(|name| name.starts_with("note_")).collect(),
        })
        .collect()
}

/// The number in a test's name.
fn number_of(test: &str) -> Option<u32> {
    test.strip_prefix("note_")?.get(..2)?.parse().ok()
}

/// Every test of the catalogue that there is: functions marked as tests, or named in a list of `both!`, with a number
/// in their name.
fn tests() -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    for (_, source) in SOURCES {
        let mut marked = false;
        let lists = source.split("\nboth! {\n").skip(1).filter_map(|list| list.split('}').next());
        let named = lists.flat_map(|list| list.split(',').map(str::trim));
        found.extend(named.filter(|name| number_of(name).is_some()));
        for line in source.lines().map(str::trim) {
            if line == "#[test]" {
                marked = true;
            } else if let Some(rest) = line.strip_prefix("fn ") {
                let name = rest.split('(').next().unwrap_or_default();
                if std::mem::take(&mut marked) && number_of(name).is_some() {
                    found.insert(name);
                }
            }
        }
    }
    found
}

#[test]
fn every_note_stands_once_and_in_order() {
    let numbers: Vec<u32> = notes().iter().map(|n| n.number).collect();
    assert_eq!(numbers, (1..=LAST).collect::<Vec<u32>>());
}

#[test]
fn every_note_has_its_tests_or_waits_for_a_feature() {
    for note in notes() {
        assert!(
            note.later || !note.tests.is_empty(),
            "note {} has no test and waits for nothing",
            note.number
        );
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let tests = tests();
    for note in notes() {
        for name in note.tests {
            assert!(tests.contains(name), "note {}: there is no test {name}", note.number);
            assert_eq!(number_of(name), Some(note.number), "{name} stands under note {}", note.number);
        }
    }
}

#[test]
fn every_test_that_exists_is_named() {
    let named: BTreeSet<&str> = notes().into_iter().flat_map(|n| n.tests).collect();
    let tests = tests();
    let unnamed: Vec<&&str> = tests.difference(&named).collect();
    assert!(unnamed.is_empty(), "not in the catalogue: {unnamed:?}");
}

/// A patch of `guards/`, which takes a guard out; `guards/run` shows that the tests notice.
struct Guard {
    name: String,
    note: u32,
    text: String,
}

/// The crate's folder.
fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn guards() -> Vec<Guard> {
    let folder = std::fs::read_dir(here().join("tests/guards")).expect("the patches are there");
    let patches = folder.map(|entry| entry.expect("a file").path());
    let patches = patches.filter(|path| path.extension().is_some_and(|e| e == "patch"));
    patches
        .map(|path| {
            let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
            let note = name.get(..2).and_then(|n| n.parse().ok());
            let note = note.unwrap_or_else(|| panic!("{name} does not begin with the number of a note"));
            Guard { name, note, text: std::fs::read_to_string(path).expect("a patch is text") }
        })
        .collect()
}

#[test]
fn every_note_has_a_guard_that_can_be_taken_out() {
    let guarded: BTreeSet<u32> = guards().iter().map(|g| g.note).collect();
    for note in notes() {
        assert!(
            note.later || guarded.contains(&note.number),
            "note {}: no patch takes its guard out",
            note.number
        );
    }
    assert!(guarded.iter().all(|n| (1..=LAST).contains(n)), "{guarded:?}");
}

#[test]
fn every_guard_says_what_it_is_and_where_that_is_noticed() {
    let tests: BTreeMap<&str, Vec<u32>> = targets();
    for Guard { name, note, text } in guards() {
        let title = text.lines().next().unwrap_or_default();
        assert!(title.ends_with('.'), "{name}: {title:?} does not say what is taken out");
        let target = text.lines().find_map(|l| l.strip_prefix("Caught in: "));
        let target = target.unwrap_or_else(|| panic!("{name} does not say where it is noticed"));
        let numbers = tests.get(target).unwrap_or_else(|| panic!("{name}: {target} has no tests of notes"));
        assert!(numbers.contains(&note), "{name}: {target} has no test of note {note}");
    }
}

/// The notes that have tests in each test target, `lib` for the crate's own.
fn targets() -> BTreeMap<&'static str, Vec<u32>> {
    let mut found: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (target, source) in SOURCES {
        let numbers = source.lines().filter_map(|l| number_of(l.trim().strip_prefix("fn ")?));
        found.entry(target).or_default().extend(numbers);
    }
    found
}

#[test]
fn every_guard_stands_where_its_patch_takes_it_out() {
    for Guard { name, text, .. } in guards() {
        let mut file = String::new();
        for hunk in hunks(&text) {
            match hunk {
                Hunk::Of(path) => {
                    let path = here().parent().expect("the workspace").join(path);
                    file = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {path:?}: {e}"));
                }
                Hunk::Takes(lines) => {
                    assert!(file.contains(&lines), "{name}: these lines are not there:\n{lines}")
                }
            }
        }
        assert!(!file.is_empty(), "{name} changes nothing");
    }
}

/// What a patch says, piece by piece.
enum Hunk {
    /// The file that the next ones are of.
    Of(String),
    /// Lines that have to be there, one behind the other.
    Takes(String),
}

fn hunks(patch: &str) -> Vec<Hunk> {
    let mut all = Vec::new();
    for line in patch.lines().skip_while(|l| !l.starts_with("--- ")) {
        match (line, all.last_mut()) {
            (line, _) if line.starts_with("--- ") => {}
            (line, _) if line.starts_with("+++ b/") => all.push(Hunk::Of(line["+++ b/".len()..].to_owned())),
            (line, _) if line.starts_with("@@") => all.push(Hunk::Takes(String::new())),
            (line, Some(Hunk::Takes(lines))) if !line.starts_with('+') => {
                lines.push_str(line.get(1..).unwrap_or_default());
                lines.push('\n');
            }
            _ => {}
        }
    }
    all
}
