//! The independent reader sees what is there, and the independent writer does what it is told.

use mailkeep_tests::compare::{Dump, act};
use mailkeep_tests::corpus::FIRST_DATE;
use mailkeep_tests::dovecot::Dovecot;
use mailkeep_tests::server::MailServer as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};

#[test]
fn a_dump_is_exact() {
    let dovecot = Dovecot::shared();
    dovecot.add_user("dump", "secret");
    let tricky = [&b""[..], b"x", b"Subject: )\r\n\r\n UID 7 FLAGS (x)\r\n", b"a: b\r\n\r\n{3}\r\n)\r\n"];
    for (number, text) in tricky.iter().enumerate() {
        dovecot.deliver("dump", "Things/Größe & \"more\"", text, FIRST_DATE + number as i64, &["\\Seen"]);
    }
    let dump = Dump::read(dovecot.imap_port(), "dump", "secret");
    let mailbox = &dump.mailboxes["Things/Größe & \"more\""];
    assert!(mailbox.uidvalidity > 0);
    for ((uid, message), text) in mailbox.messages.iter().zip(tricky) {
        let hash: String = Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!((&message.sha256, message.size), (&hash, text.len() as u64), "UID {uid}");
        assert_eq!(message.flags.iter().collect::<Vec<_>>(), ["\\seen"]);
        assert_eq!(message.internal_date, FIRST_DATE + *uid as i64 - 1);
    }
    assert_eq!(dump.count(), tricky.len());
}

#[test]
fn another_program_acts() {
    let dovecot = Dovecot::shared();
    dovecot.add_user("act", "secret");
    let (port, inbox) = (dovecot.imap_port(), "INBOX");
    let append = |n| json!({ "do": "append", "mailbox": inbox, "text": format!("Subject: {n}\r\n\r\n"), "date": FIRST_DATE });
    let run = |steps| {
        act(port, "act", "secret", &steps);
        Dump::read(port, "act", "secret")
    };
    let dump =
        run(json!([append(1), append(2), append(3), append(4), { "do": "create", "mailbox": "Büro" }]));
    assert_eq!(dump.uids(inbox), [1, 2, 3, 4]);
    let dump = run(json!([
        { "do": "flags", "mailbox": inbox, "uids": [1, 2], "add": ["\\Flagged", "$Label1"] },
        { "do": "flags", "mailbox": inbox, "uids": [2], "remove": ["\\Flagged"] },
        { "do": "move", "mailbox": inbox, "uids": [3], "to": "Büro" },
        { "do": "copy", "mailbox": inbox, "uids": [1], "to": "Büro" },
        { "do": "expunge", "mailbox": inbox, "uids": [4] },
    ]));
    assert_eq!(dump.uids(inbox), [1, 2]);
    assert_eq!(dump.mailboxes[inbox].messages[&2].flags.iter().collect::<Vec<_>>(), ["$label1"]);
    assert_eq!(dump.uids("Büro").len(), 2);
    let dump = run(json!([
        { "do": "rename", "mailbox": "Büro", "to": "Office" },
        { "do": "create", "mailbox": "Gone" },
        { "do": "delete", "mailbox": "Gone" },
    ]));
    assert_eq!(dump.mailboxes.keys().collect::<Vec<_>>(), ["INBOX", "Office"]);
}

#[test]
#[should_panic(expected = "imap_act.py failed")]
fn a_refused_step_is_a_failure() {
    let dovecot = Dovecot::shared();
    dovecot.add_user("refused", "secret");
    act(dovecot.imap_port(), "refused", "secret", &json!([{ "do": "delete", "mailbox": "never there" }]));
}
