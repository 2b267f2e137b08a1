//! The store that every language reads holds what they are to be tried with, and is the same each time.

use mailkeep::{Engine, EngineOptions, FileStorage};
use mailkeep_tests::fixture;
use mailkeep_tests::server::Scratch;
use serde_json::Value;

fn made() -> Value {
    let scratch = Scratch::new("fixture");
    let path = scratch.path().join("mail.redb");
    fixture::make(&path);
    let engine = Engine::open(FileStorage::existing(&path), EngineOptions::new(1)).expect("it was just made");
    fixture::readout(&engine).expect("it reads")
}

#[test]
fn it_is_the_same_each_time() {
    assert_eq!(made(), made());
}

#[test]
fn it_holds_what_languages_are_tried_with() {
    let read = made();
    let list = |name: &str| read[name].as_array().expect("a list").clone();
    assert_eq!(list("accounts").len(), 2);
    assert!(list("messages").len() >= 300, "{}", list("messages").len());
    assert_eq!(read["verify"]["problems"], serde_json::json!([]));
    let states: Vec<_> = list("pending").iter().map(|one| one["state"]["is"].clone()).collect();
    for state in ["WAITING", "SET_ASIDE"] {
        assert!(states.contains(&state.into()), "no operation is {state}");
    }
    let kinds: std::collections::BTreeSet<_> =
        list("pending").iter().map(|one| one["kind"]["is"].to_string()).collect();
    assert!(kinds.len() >= 7, "{kinds:?}");
    let rows: Vec<_> =
        list("pages").iter().flat_map(|page| page["rows"].as_array().unwrap().clone()).collect();
    assert!(rows.iter().any(|row| row["subject"] == "日本語"), "a charset is read");
    assert!(rows.iter().any(|row| row["uid"] == 0), "a message that only this device has");
    assert!(rows.iter().any(|row| row["degraded"] == true), "a message that cannot be read fully");
    assert!(rows.iter().any(|row| row["pending"] == true));
    assert!(list("pages").len() > list("mailboxes").len(), "some mailboxes have several pages");
}
