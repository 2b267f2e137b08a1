//! Syncing from a small server, and reading what came.

mod common;

use common::{Place, imap, server};

const MESSAGES: &[&str] = &[
    "From: Ann <ann@example.org>\r\nSubject: first\r\nMessage-ID: <1@example.org>\r\n\r\nOne.\r\n",
    "From: Bob <bob@example.org>\r\nSubject: a\u{1b}[2Jb\r\n\r\nTwo \u{1b}]0;title\u{7}.\r\n",
];

fn synced(more: &[&str]) -> Place {
    let place = Place::new();
    place.add(server(|stream| imap(stream, MESSAGES)), &[&["--security", "insecure"], more].concat());
    place.run(&["sync"]).ok();
    place
}

#[test]
fn a_sync_ends_with_a_summary_and_the_next_adds_nothing() {
    let place = Place::new();
    place.add(server(|stream| imap(stream, MESSAGES)), &["--security", "insecure"]);
    for added in [2, 0] {
        let objects = place.run(&["sync", "--json"]).ok().objects();
        let summary = objects.last().expect("a summary");
        assert_eq!(summary["account"], "demo");
        assert_eq!(summary["messages_added"], added);
        for field in ["messages_removed", "flags_changed", "operations_replayed", "operations_set_aside"] {
            assert_eq!(summary[field], 0, "{field}");
        }
        for field in ["bytes_received", "bytes_sent", "round_trips", "commands"] {
            assert!(summary[field].as_u64().is_some_and(|n| n > 0), "{field}");
        }
        assert!(summary["seconds"].is_number());
    }
}

#[test]
fn a_list_has_all_fields_and_newest_first() {
    let place = synced(&[]);
    let rows = place.run(&["list", "inbox", "--json"]).ok().objects();
    assert_eq!(rows.len(), 2);
    let first = &rows[1];
    assert_eq!(first["mailbox"], "INBOX");
    assert_eq!((&first["uid"], &first["uid_validity"]), (&1.into(), &7.into()));
    assert_eq!(first["flags"], serde_json::json!([]));
    assert_eq!(first["size"], MESSAGES[0].len());
    assert_eq!(first["internal_date"], 1_709_208_001_000_i64);
    assert_eq!(first["from"], serde_json::json!(["Ann <ann@example.org>"]));
    assert_eq!((&first["subject"], &first["message_id"]), (&"first".into(), &"1@example.org".into()));
    assert_eq!((&first["has_body"], &first["attachments"]), (&true.into(), &0.into()));
    assert!(first["sha256"].as_str().is_some_and(|hash| hash.len() == 64));
    assert_eq!(place.run(&["list", "INBOX", "--limit", "1", "--unread", "--json"]).ok().objects().len(), 1);
}

#[test]
fn a_terminal_gets_no_control_characters_and_raw_gets_every_octet() {
    let place = synced(&[]);
    let id = place.run(&["list", "INBOX", "--limit", "1", "--json"]).ok().objects()[0]["id"].to_string();
    for arguments in [&["list", "INBOX"][..], &["show", &id], &["show", &id, "--text"], &["mailboxes"]] {
        let text = place.run(arguments).ok().text();
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
    assert_eq!(place.run(&["show", &id, "--raw"]).ok().out, MESSAGES[1].as_bytes());
    let (_, body) = MESSAGES[1].split_once("\r\n\r\n").expect("a header");
    assert_eq!(place.run(&["show", &id, "--part", "1"]).ok().out, body.as_bytes());
    let shown = place.run(&["show", &id, "--json"]).ok().objects();
    assert_eq!(shown[0]["parts"][0]["number"], "1");
    place.run(&["show", &id, "--part", "7"]).failed(7, &["no part 7"]);
    place.run(&["show", "999"]).failed(7, &["no message 999"]);
}

#[test]
fn what_is_not_here_is_fetched_when_it_is_shown() {
    let place = synced(&["--bodies", "none"]);
    let row = &place.run(&["list", "INBOX", "--limit", "1", "--json"]).ok().objects()[0];
    assert!(!row["has_body"].as_bool().unwrap_or(true) && row["sha256"].is_null());
    let id = row["id"].to_string();
    place.run(&["show", &id, "--raw", "--offline"]).failed(7, &["not here"]);
    assert_eq!(place.run(&["show", &id, "--raw"]).ok().out, MESSAGES[1].as_bytes());
    assert_eq!(place.run(&["show", &id, "--raw", "--offline"]).ok().out, MESSAGES[1].as_bytes());
}

#[test]
fn a_mailbox_that_is_nowhere_is_said_to_be() {
    let place = synced(&[]);
    place.run(&["list", "Nowhere"]).failed(7, &["no mailbox Nowhere"]);
    place.run(&["sync", "--mailbox", "Nowhere"]).failed(7, &["no mailbox Nowhere"]);
    place.run(&["sync", "nobody"]).failed(7, &["no account nobody"]);
}

#[test]
fn the_store_is_whole_and_an_account_takes_its_mail_along() {
    let place = synced(&[]);
    let report = &place.run(&["verify", "--json"]).ok().objects()[0];
    assert_eq!((&report["ok"], &report["messages"], &report["bodies"]), (&true.into(), &2.into(), &2.into()));
    assert_eq!(place.run(&["stats", "--json"]).ok().objects()[0]["messages"], 2);
    place.run(&["compact"]).ok();
    place.run(&["account", "remove", "demo"]).ok();
    assert_eq!(place.run(&["account", "list"]).ok().text().lines().count(), 1);
    assert_eq!(place.run(&["verify", "--json"]).ok().objects()[0]["messages"], 0);
}
