//! What happens in the story, scene by scene. After each the three devices and the server hold the same.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::{Device, Stage};
use crate::corpus::FIRST_DATE;
use crate::proxy::Profile;
use crate::server::MailServer;

/// The story against one server with what a profile leaves of its capabilities.
pub fn play(server: &dyn MailServer, profile: Profile) {
    let stage = Stage::set(server, profile);
    let inbox: Vec<String> = (1..=30).map(|n| format!("i{n:02}")).collect();
    let inbox: Vec<&str> = inbox.iter().map(String::as_str).collect();
    stage.fill(&[
        ("INBOX", &inbox),
        ("Work", &["w1", "w2", "w3", "w4", "w5", "w6"]),
        ("Drafts", &["d1"]),
        ("Trash", &["t1", "t2"]),
        ("Archive", &[]),
        ("Projects", &[]),
        ("Lists", &["l1", "l2", "l3"]),
        ("Doomed", &["x1", "x2"]),
        ("Closing", &["c1", "c2"]),
        ("Anew", &["n1", "n2", "n3"]),
    ]);
    let_a_second_pass();
    stage.fill(&[("Projects/Alpha", &["p1", "p2"])]);
    let_a_second_pass();
    stage.settle("the first sync");
    apart(&stage);
    flags_of_all(&stage);
    moves_of_all(&stage);
    mailboxes_of_all(&stage);
    drafts(&stage);
    set_aside(&stage);
    made_anew(&stage);
    for summary in stage.sync(&[0, 1, 2]) {
        let changes = (summary.messages_added, summary.messages_removed, summary.flags_changed);
        assert_eq!((changes, summary.operations_replayed), ((0, 0, 0), 0), "at the end: {summary:?}");
    }
}

/// Cyrus numbers mailboxes by the second in which they are made, and what others renamed is known again by a number that no
/// other mailbox has.
fn let_a_second_pass() {
    thread::sleep(Duration::from_millis(1_100));
}

/// Each is in these mailboxes and nowhere else.
#[track_caller]
fn stand(stage: &Stage<'_>, expected: &[(&str, &[&str])]) {
    let places = stage.places();
    for (name, mailboxes) in expected {
        let found = places.get(*name).cloned().unwrap_or_default();
        assert_eq!(found, *mailboxes, "{name}");
    }
}

/// Each is in one of the mailboxes named, once.
#[track_caller]
fn stand_once(stage: &Stage<'_>, expected: &[(&str, &[&str])]) {
    let places = stage.places();
    for (name, mailboxes) in expected {
        let found = places.get(*name).cloned().unwrap_or_default();
        assert!(found.len() == 1 && mailboxes.contains(&found[0].as_str()), "{name} is in {found:?}");
    }
}

/// Everybody does everything, to different messages.
fn apart(stage: &Stage<'_>) {
    let [a, b, c] = stage.devices();
    a.with("flag", "INBOX", &["i01", "i30"], &["+seen", "+flagged", "+todo"]);
    a.with("move", "INBOX", &["i02", "i03"], &["Work"]);
    a.with("delete", "INBOX", &["i04"], &[]);
    a.with("copy", "INBOX", &["i05"], &["Archive"]);
    a.append("Drafts", "a-sent", &["--flag", "seen", "--date", "2025-01-07T08:09:10+02:00"]);
    a.run(&["mailbox", "create", "Projects/Beta"]);
    a.with("move", "INBOX", &["i06"], &["Projects/Beta"]);
    a.with("flag", "Projects/Beta", &["i06"], &["+answered"]);
    a.run(&["mailbox", "subscribe", "Projects/Beta"]);
    b.with("flag", "INBOX", &["i07"], &["+answered", "+forwarded"]);
    b.with("archive", "INBOX", &["i08"], &[]);
    b.with("delete", "INBOX", &["i09"], &["--for-good"]);
    b.run(&["mailbox", "create", "Grüße & mehr"]);
    b.append("Grüße & mehr", "b-sent", &["--flag", "flagged"]);
    b.with("copy", "Grüße & mehr", &["b-sent"], &["Archive"]);
    b.run(&["mailbox", "empty", "Trash"]);
    c.run(&["mailbox", "rename", "Lists", "Old lists"]);
    c.with("move", "INBOX", &["i10"], &["Old lists"]);
    c.run(&["mailbox", "read", "Work"]);
    c.with("copy", "INBOX", &["i26"], &["INBOX"]);
    c.run(&["mailbox", "unsubscribe", "Archive"]);
    stage.other(json!([
        { "do": "append", "mailbox": "INBOX", "name": "o1", "flags": ["\\Seen"] },
        { "do": "flags", "mailbox": "INBOX", "names": ["i11"], "add": ["\\Flagged", "theirs"] },
        { "do": "expunge", "mailbox": "INBOX", "names": ["i12"] },
        { "do": "move", "mailbox": "INBOX", "names": ["i13"], "to": "Work" },
        { "do": "subscribe", "mailbox": "Work" },
    ]));
    stage.sync(&[0]);
    let_a_second_pass();
    stage.settle("everybody at work on other messages");
    stand(
        stage,
        &[
            ("i02", &["Work"]),
            ("i03", &["Work"]),
            ("i04", &["Trash"]),
            ("i05", &["Archive", "INBOX"]),
            ("i06", &["Projects/Beta"]),
            ("i08", &["Archive"]),
            ("i09", &[]),
            ("i10", &["Old lists"]),
            ("i12", &[]),
            ("i13", &["Work"]),
            ("i26", &["INBOX", "INBOX"]),
            ("t1", &[]),
            ("l1", &["Old lists"]),
            ("a-sent", &["Drafts"]),
            ("b-sent", &["Archive", "Grüße & mehr"]),
            ("o1", &["INBOX"]),
        ],
    );
}

/// Everybody changes flags of the same messages: all of it counts.
fn flags_of_all(stage: &Stage<'_>) {
    let [a, b, c] = stage.devices();
    a.with("flag", "INBOX", &["i14", "i15"], &["+flagged", "+first"]);
    b.with("flag", "INBOX", &["i14", "i15"], &["+second", "+seen"]);
    c.with("flag", "INBOX", &["i14", "i01"], &["-flagged", "+draft", "-todo"]);
    stage.other(json!([
        { "do": "flags", "mailbox": "INBOX", "names": ["i14"], "add": ["\\Answered", "fourth"] },
        { "do": "expunge", "mailbox": "INBOX", "names": ["i15"] },
    ]));
    stage.settle("flags changed by all");
    let rows = a.program.list("INBOX");
    let flags = &rows.iter().find(|row| row.subject == "i14").expect("i14 stays").flags;
    for wanted in ["\\Seen", "\\Answered", "\\Draft", "first", "second", "fourth"] {
        assert!(flags.iter().any(|flag| flag.eq_ignore_ascii_case(wanted)), "{wanted} in {flags:?}");
    }
    stand(stage, &[("i14", &["INBOX"]), ("i15", &[])]);
}

/// Everybody moves the same messages: each ends in one place.
fn moves_of_all(stage: &Stage<'_>) {
    let [a, b, c] = stage.devices();
    a.with("move", "INBOX", &["i16", "i17"], &["Work"]);
    b.with("move", "INBOX", &["i17", "i18"], &["Archive"]);
    c.with("delete", "INBOX", &["i17"], &[]);
    a.with("delete", "INBOX", &["i18"], &["--for-good"]);
    c.with("flag", "INBOX", &["i18", "i16"], &["+flagged"]);
    a.with("move", "INBOX", &["i19"], &["Projects/Alpha"]);
    b.with("move", "Work", &["w1"], &["INBOX"]);
    c.with("copy", "Work", &["w1"], &["Archive"]);
    stage.other(json!([
        { "do": "move", "mailbox": "INBOX", "names": ["i16"], "to": "Archive" },
        { "do": "rename", "mailbox": "Projects/Alpha", "to": "Projects/Omega" },
    ]));
    stage.sync(&[0, 1, 2, 0, 1, 2]);
    // Who comes second finds the message gone, and is told so.
    for device in stage.devices() {
        for op in operations(device, Some("set_aside")) {
            device.run(&["pending", "cancel", &op]);
        }
    }
    stage.settle("messages moved by all");
    stand_once(
        stage,
        &[
            ("i16", &["Archive", "Work"]),
            ("i17", &["Work", "Archive", "Trash"]),
            ("i19", &["Projects/Omega"]),
            ("p1", &["Projects/Omega"]),
        ],
    );
    let places = stage.places();
    let found = places.get("i18").map_or(0, Vec::len);
    assert!(found <= 1, "i18 is in {:?}", places.get("i18"));
}

/// Everybody makes and renames the same mailboxes.
fn mailboxes_of_all(stage: &Stage<'_>) {
    let [a, b, c] = stage.devices();
    for (device, name) in [(a, "i20"), (b, "i21"), (c, "i22")] {
        device.run(&["mailbox", "create", "Shared"]);
        device.with("move", "INBOX", &[name], &["Shared"]);
    }
    a.run(&["mailbox", "rename", "Projects", "Plans"]);
    b.with("move", "INBOX", &["i23"], &["Projects/Beta"]);
    c.append("Projects/Omega", "c-sent", &[]);
    stage.other(json!([{ "do": "create", "mailbox": "Shared/Theirs" }]));
    stage.settle("mailboxes made and renamed by all");
    stand(
        stage,
        &[
            ("i20", &["Shared"]),
            ("i21", &["Shared"]),
            ("i22", &["Shared"]),
            ("i23", &["Plans/Beta"]),
            ("c-sent", &["Plans/Omega"]),
            ("p2", &["Plans/Omega"]),
        ],
    );
}

/// However often a draft is saved, one is left of each device's.
fn drafts(stage: &Stage<'_>) {
    let [a, b, _] = stage.devices();
    for n in 1..=3 {
        let old = if n == 1 { "d1".to_owned() } else { format!("d1-{}", n - 1) };
        a.save_again("Drafts", &old, &format!("d1-{n}"));
    }
    stage.sync(&[0]);
    a.save_again("Drafts", "d1-3", "d1-4");
    b.append("Drafts", "d2", &["--flag", "draft"]);
    b.save_again("Drafts", "d2", "d2-1");
    stage.settle("drafts saved again and again");
    stand(stage, &[("d1", &[]), ("d1-1", &[]), ("d1-3", &[]), ("d1-4", &["Drafts"])]);
    stand(stage, &[("d2", &[]), ("d2-1", &["Drafts"])]);
}

/// What cannot be done is set aside, with a reason, and does not stop the rest.
fn set_aside(stage: &Stage<'_>) {
    let [a, b, c] = stage.devices();
    a.with("move", "INBOX", &["i24"], &["Doomed"]);
    a.with("flag", "INBOX", &["i25"], &["+flagged"]);
    b.run(&["mailbox", "delete", "Closing"]);
    c.append("Closing", "c-late", &[]);
    stage.other(json!([
        { "do": "delete", "mailbox": "Doomed" },
        { "do": "append", "mailbox": "Closing", "name": "c3" },
    ]));
    stage.sync(&[0, 2, 1]);
    for device in [a, b] {
        let operations = operations(device, Some("set_aside"));
        assert_eq!(operations.len(), 1, "{:?}", device.pending());
        device.run(&["pending", "cancel", &operations[0]]);
    }
    stage.settle("what was set aside is forgotten");
    let closing: &[&str] = &["Closing"];
    stand(stage, &[("i24", &["INBOX"]), ("c3", closing), ("c-late", closing), ("c1", closing)]);
}

/// A mailbox is deleted and made anew, with the same mail in it and with operations pending: UIDVALIDITY changes.
fn made_anew(stage: &Stage<'_>) {
    let [a, b, c] = stage.devices();
    a.with("flag", "Anew", &["n1"], &["+flagged"]);
    b.with("move", "Anew", &["n2"], &["Work"]);
    c.with("delete", "Anew", &["n3"], &["--for-good"]);
    stage.other(json!([
        { "do": "delete", "mailbox": "Anew" },
        { "do": "create", "mailbox": "Anew" },
        { "do": "append", "mailbox": "Anew", "name": "n3", "date": FIRST_DATE + 2 },
        { "do": "append", "mailbox": "Anew", "name": "n1", "date": FIRST_DATE },
        { "do": "append", "mailbox": "Anew", "name": "n2", "date": FIRST_DATE + 1 },
    ]));
    stage.sync(&[0, 1, 2]);
    for device in [a, b, c] {
        for op in operations(device, None) {
            device.run(&["pending", "cancel", &op]);
        }
    }
    stage.settle("a mailbox made anew");
    stand_once(stage, &[("n1", &["Anew"]), ("n2", &["Anew", "Work"])]);
    let places = stage.places();
    assert!(places.get("n3").is_none_or(|found| found == &["Anew"]), "{:?}", places.get("n3"));
}

/// What is pending on a device, in this state or in any.
fn operations(device: &Device, state: Option<&str>) -> Vec<String> {
    let all = device.pending();
    let wanted = all.iter().filter(|op| state.is_none_or(|state| op["state"] == state));
    wanted.map(|op| op["id"].to_string()).collect()
}
