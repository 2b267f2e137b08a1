//! The catalogue of what servers and mail do names tests that exist, for every line that needs one.

use std::collections::BTreeSet;

const CATALOGUE: &str = include_str!("catalogue.md");

/// Everything that holds tests of the catalogue.
const SOURCES: &[&str] = &[
    include_str!("chunks.rs"),
    include_str!("contract.rs"),
    include_str!("notes_hostile.rs"),
    include_str!("notes_offline.rs"),
    include_str!("notes_pop.rs"),
    include_str!("notes_seen.rs"),
    include_str!("notes_servers.rs"),
    include_str!("notes_sync.rs"),
    include_str!("pop_crashes.rs"),
    include_str!("pop_retention.rs"),
    include_str!("sync_model.rs"),
    include_str!("../src/imap/date.rs"),
    include_str!("../src/imap/encode/tests.rs"),
    include_str!("../src/imap/mailbox_name.rs"),
    include_str!("../src/imap/parse/number.rs"),
    include_str!("../src/imap/parse/tests.rs"),
    include_str!("../src/imap/parse/tests/fetch.rs"),
    include_str!("../src/imap/parse/tests/hostile.rs"),
    include_str!("../src/message/address.rs"),
    include_str!("../src/message/date.rs"),
    include_str!("../src/message/file_name.rs"),
    include_str!("../src/message/fingerprint.rs"),
    include_str!("../src/message/hash.rs"),
    include_str!("../src/message/hostile.rs"),
    include_str!("../src/message/tests.rs"),
    include_str!("../src/pop3/capability.rs"),
    include_str!("../src/pop3/command.rs"),
    include_str!("../src/pop3/response.rs"),
    include_str!("../src/sasl/tests.rs"),
    include_str!("../src/set.rs"),
    include_str!("../src/wire/compress.rs"),
    include_str!("../src/wire/dots.rs"),
    include_str!("../src/wire/tests.rs"),
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

/// Every test of the catalogue that there is: functions marked as tests, or named in a list of `both!`, with a number in
/// their name.
fn tests() -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    for source in SOURCES {
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
