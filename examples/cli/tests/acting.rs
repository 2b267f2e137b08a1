//! What a person does offline: shown at once, listed as pending, and taken back.

mod common;

use common::{Place, Ran, imap, server};
use serde_json::json;

const MESSAGES: &[&str] = &[
    "From: Ann <ann@example.org>\r\nSubject: first\r\nMessage-ID: <1@example.org>\r\n\r\nOne.\r\n",
    "From: Bob <bob@example.org>\r\nSubject: second\r\nMessage-ID: <2@example.org>\r\n\r\nTwo.\r\n",
];

fn synced() -> (Place, String, String) {
    let place = Place::new();
    place.add(server(|stream| imap(stream, MESSAGES)), &["--security", "insecure"]);
    place.run(&["sync"]).ok();
    let rows = place.run(&["list", "INBOX", "--json"]).ok().objects();
    let id = |subject: &str| {
        rows.iter().find(|row| row["subject"] == subject).expect("it was synced")["id"].to_string()
    };
    let (first, second) = (id("first"), id("second"));
    (place, first, second)
}

fn one(ran: Ran) -> serde_json::Value {
    let mut objects = ran.ok().objects();
    assert_eq!(objects.len(), 1, "{objects:?}");
    objects.remove(0)
}

#[test]
fn flags_are_set_and_cleared_and_told_of() {
    let (place, first, second) = synced();
    let did = one(place.run(&["flag", &first, &second, "+seen", "+todo", "-flagged", "--json"]));
    assert_eq!((&did["did"], &did["messages"]), (&json!("flag"), &json!(2)));
    let rows = place.run(&["list", "INBOX", "--json"]).ok().objects();
    for row in &rows {
        assert_eq!((&row["flags"], &row["pending"]), (&json!(["\\Seen", "todo"]), &json!(true)));
    }
    let text = place.run(&["flag", &first, "-todo"]).ok().text();
    assert!(text.contains("1 message changed") && text.contains("the next sync"), "{text}");
    place.run(&["flag", &first, "seen"]).failed(2, &["seen", "+FLAG"]);
    place.run(&["flag", "999999", "+seen"]).failed(7, &["no message 999999", "nothing was done"]);
    place.run(&["flag", &first, "+a(b"]).failed(2, &["keyword"]);
}

#[test]
fn messages_move_into_a_mailbox_that_is_new_and_what_waits_is_taken_back() {
    let (place, first, second) = synced();
    let made = one(place.run(&["mailbox", "create", "Archiv", "--role", "archive", "--json"]));
    let number = format!("#{}", made["mailbox_id"]);
    place.run(&["move", &first, &number]).ok();
    place.run(&["copy", &second, "Archiv"]).ok();
    place.run(&["archive", &second]).ok();
    assert_eq!(place.run(&["list", "Archiv", "--json"]).ok().objects().len(), 3);
    let kinds = |place: &Place| -> Vec<String> {
        let all = place.run(&["pending", "--json"]).ok().objects();
        all.iter().map(|op| op["kind"].as_str().expect("a kind").to_owned()).collect()
    };
    assert_eq!(kinds(&place), ["create_mailbox", "move", "copy", "move"]);
    let all = place.run(&["pending", "--json"]).ok().objects();
    assert!(all.iter().all(|op| op["state"] == "waiting" && op["account"] == "demo"), "{all:?}");
    assert_eq!(all[1]["mailbox"], "Archiv");
    place.run(&["pending", "cancel", &all[0]["id"].to_string()]).failed(2, &["messages are in it"]);
    for op in all.iter().rev() {
        place.run(&["pending", "cancel", &op["id"].to_string()]).ok();
    }
    assert_eq!(place.run(&["list", "INBOX", "--json"]).ok().objects().len(), 2);
    place.run(&["list", "Archiv"]).failed(7, &["no mailbox Archiv"]);
    assert!(place.run(&["pending"]).ok().text().contains("nothing waits"));
    place.run(&["pending", "retry", "1"]).failed(7, &["no operation 1"]);
    place.run(&["move", &first, "Nowhere"]).failed(7, &["no mailbox Nowhere"]);
    place.run(&["verify"]).ok();
}

#[test]
fn a_draft_is_appended_and_saved_again() {
    let (place, _, _) = synced();
    let file = place.file("draft.eml");
    let write = |text: &str| std::fs::write(&file, text).expect("the file is written");
    let path = file.display().to_string();
    write("Subject: a draft\n\nHello\n");
    let moment = "2025-01-07T08:09:10+02:00";
    let flags = ["--flag", "draft", "--flag", "seen", "--date", moment, "--json"];
    let made = one(place.run(&[&["append", "INBOX", &path], &flags[..]].concat()));
    let id = made["id"].to_string();
    write("Subject: a draft, mended\n\nHello again\n");
    place.run(&["append", "--replaces", &id, &path, "--flag", "draft"]).ok();
    let rows = place.run(&["list", "INBOX", "--json"]).ok().objects();
    let subjects: Vec<_> = rows.iter().map(|row| row["subject"].as_str().unwrap_or_default()).collect();
    assert_eq!(subjects, ["a draft, mended", "second", "first"]);
    place.run(&["append", "INBOX"]).failed(2, &["a mailbox and a file"]);
    place.run(&["append", "INBOX", "/no/such/file"]).failed(2, &["cannot be read"]);
    place.run(&["append", "INBOX", &path, "--date", "yesterday"]).failed(2, &["yesterday"]);
    place.run(&["append", "INBOX", &path, "--flag", "a(b"]).failed(2, &["can be no keyword"]);
}

#[test]
fn a_local_mailbox_is_renamed_emptied_and_deleted() {
    let (place, _, _) = synced();
    place.run(&["mailbox", "create", "Attic", "--local"]).ok();
    let file = place.file("old.eml");
    std::fs::write(&file, "Subject: old\r\n\r\nx\r\n").expect("the file is written");
    let text = place.run(&["append", "Attic", &file.display().to_string()]).ok().text();
    assert!(text.contains("stays on this machine"), "{text}");
    place.run(&["mailbox", "rename", "Attic", "Loft"]).ok();
    assert_eq!(one(place.run(&["mailbox", "read", "Loft", "--json"]))["messages"], 1);
    assert_eq!(one(place.run(&["mailbox", "empty", "Loft", "--json"]))["messages"], 1);
    assert_eq!(place.run(&["list", "Loft", "--json"]).ok().objects().len(), 0);
    place.run(&["mailbox", "delete", "Loft"]).ok();
    assert_eq!(place.run(&["mailboxes", "--json"]).ok().objects().len(), 1);
    assert!(place.run(&["pending"]).ok().text().contains("nothing waits"));
    place.run(&["mailbox", "delete", "INBOX"]).failed(2, &["inbox"]);
    place.run(&["mailbox", "subscribe", "INBOX"]).ok();
    place.run(&["archive"]).failed(2, &["ID"]);
}

#[test]
fn messages_go_to_a_mailbox_of_another_account() {
    let (place, first, second) = synced();
    place
        .run(&["account", "add", "other", "imap", "--host", "localhost", "--port", "1", "--user", "bob"])
        .ok();
    place.run(&["mailbox", "create", "Kept", "--account", "other"]).ok();
    place.run(&["move", &first, "Kept"]).failed(7, &["no mailbox Kept"]);
    place.run(&["move", &first, "Kept", "--account", "other"]).ok();
    let copy = one(place.run(&["copy", &second, "Kept", "--account", "other", "--json"]));
    assert_eq!((&copy["messages"], copy["ids"].as_array().map(Vec::len)), (&json!(1), Some(1)));
    let kept = place.run(&["list", "Kept", "--json"]).ok().objects();
    assert_eq!(kept.len(), 2, "{kept:?}");
    let left = place.run(&["list", "INBOX", "--account", "demo", "--json"]).ok().objects();
    assert_eq!(left.iter().map(|row| row["id"].to_string()).collect::<Vec<_>>(), [second]);
}
