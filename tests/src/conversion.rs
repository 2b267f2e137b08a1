//! A POP3 account that becomes an IMAP account of the same server: what it costs, and whether the outcome is what a
//! fresh IMAP account of the same mail has, plus what only this device had.

use std::collections::BTreeMap;
use std::path::Path;

use mailkeep::message::ContentHasher;
use serde_json::Value;

use crate::corpus::FIRST_DATE;
use crate::dovecot::Dovecot;
use crate::imap::{Client, Mail};
use crate::program::{Program, Row, Summary};
use crate::server::{MailServer as _, Scratch};

/// What a conversion came to.
#[derive(Debug)]
pub struct Report {
    /// Messages on the server while the account was on POP3, and their octets.
    pub messages: usize,
    /// Their octets.
    pub octets: u64,
    /// The POP3 account's first sync.
    pub pop: Summary,
    /// The first sync over IMAP.
    pub converted: Summary,
    /// A first sync over IMAP into an empty database.
    pub fresh: Summary,
    /// Messages whose bytes here are POP3's, and differ from those over IMAP in line ends at the end and in NULs.
    pub unlike_over_imap: usize,
    /// Messages that only this device had.
    pub left_over: usize,
}

impl Report {
    /// Octets that came in the conversion, in hundredths of the mail's.
    pub fn percent(&self) -> f64 {
        self.converted.bytes_received as f64 * 100.0 / self.octets as f64
    }
}

/// The user of the account that is converted.
const USER: &str = "convert";
const PASSWORD: &str = "secret";

/// Fills a user of a Dovecot that keeps Maildirs with `ordinary` mail and with what is hard to know again, brings
/// all of it here over POP3, takes some of it from the server and adds some, and converts. Panics wherever the
/// outcome is not what it should be. `program` gives the program with a database at a path.
pub fn convert(
    dovecot: &Dovecot,
    program: impl Fn(&Path) -> Program,
    ordinary: impl IntoIterator<Item = Mail>,
) -> Report {
    let scratch = Scratch::new("convert");
    let (device, fresh) = (program(&scratch.path().join("device")), program(&scratch.path().join("fresh")));
    dovecot.add_user(USER, PASSWORD);
    let mut octets = 0;
    let counted = hard().into_iter().chain(ordinary).inspect(|mail| octets += mail.bytes.len() as u64);
    let messages = dovecot.fill(USER, "INBOX", counted);

    device.add_pop3("mail", dovecot.pop3_port(), USER, "on-server");
    let pop = device.sync(&[]);
    assert_eq!(pop.messages_added, messages as u64, "POP3 brings everything");
    let taken = change_the_server(dovecot, messages);
    // What a person marks while no server hears of it.
    let marked = device.list("INBOX")[messages / 2].clone();
    device.ok(&["flag", &marked.id.to_string(), "+flagged", "+answered"]);
    let before = by_hash(device.list("INBOX"));

    let port = dovecot.imap_port().to_string();
    let server = ["--host", "127.0.0.1", "--port", &port, "--user", USER, "--security", "insecure"];
    let account = [&["account", "convert", "mail", "imap"], &server[..], &CREDENTIALS[..]].concat();
    device.ok(&account);
    let converted = device.sync(&[]);
    device.sync(&[]);
    device.verify();

    fresh.add_imap("mail", dovecot.imap_port(), USER);
    let again = fresh.sync(&[]);
    assert_eq!(
        again.messages_added as usize,
        messages - TAKEN.len() + ADDED,
        "a fresh account has what is there"
    );
    fresh.verify();
    let unlike_over_imap = compare(&device, &fresh);
    let marks = flags_of(&fresh, &marked);
    assert!(marks.contains(&"\\Flagged".to_owned()) && marks.contains(&"\\Answered".to_owned()), "{marks:?}");
    let left_over = keep_what_is_left(&device, &before, &taken);
    Report { messages, octets, pop, converted, fresh: again, unlike_over_imap, left_over }
}

const CREDENTIALS: [&str; 4] = ["--auth", "login", "--password-env", crate::program::PASSWORD];

/// Sequence numbers of messages that go from the server before the conversion: one of three that are alike, one of
/// a pair with one Message-ID, and ordinary ones.
const TAKEN: [usize; 5] = [3, 5, 60, 61, 90];
/// Messages that come to the server between the last sync over POP3 and the conversion.
const ADDED: usize = 3;

/// Mail that is hard to know again. The first three are alike; then pairs with one Message-ID each.
fn hard() -> Vec<Mail> {
    let mut all = Vec::new();
    let mut add = |text: String| {
        let internal_date = FIRST_DATE - 10_000 + 60 * all.len() as i64;
        all.push(Mail { bytes: text.into_bytes(), internal_date, flags: vec!["\\Seen".into()] });
    };
    let mail = |id: &str, subject: &str, body: &str| {
        let id = if id.is_empty() { String::new() } else { format!("Message-ID: <{id}@hard.example>\r\n") };
        format!(
            "From: anna@hard.example\r\nDate: Tue, 31 Dec 2019 20:00:00 +0000\r\nSubject: {subject}\r\n{id}\r\n{body}"
        )
    };
    for _ in 0..3 {
        add(mail("thrice", "three times", "The same each time.\r\n"));
    }
    // One Message-ID: a list's copy with a footer, and a body that was changed without a change of its length.
    for body in ["Dear all.\r\n", "Dear all.\r\n-- \r\nThe list\r\n"] {
        add(mail("list", "to you and to the list", body));
    }
    for body in ["Pay 100 to Anna.\r\n", "Pay 900 to Anna.\r\n"] {
        add(mail("altered", "of one length", body));
    }
    for subject in ["the one", "another"] {
        add(mail("subjects", subject, "Different subjects under one Message-ID.\r\n"));
    }
    for n in 0..4 {
        add(mail("", &format!("nameless {n}"), "No Message-ID at all.\r\n"));
    }
    for n in 0..10 {
        add(mail(&format!("nul{n}"), "with NULs", &format!("One\0two\0\0{n}\r\n")));
        add(mail(&format!("cut{n}"), "without a final line end", &format!("The end {n}")));
        add(mail(&format!("ends{n}"), "with many", &format!("The end {n}\r\n\r\n\r\n")));
        add(mail(&format!("bare{n}"), "with bare line feeds", &format!("one\ntwo\n{n}\n"))
            .replace("\r\n", "\n"));
    }
    all
}

/// How many of [`hard`] come over POP3 with other bytes than over IMAP.
const UNLIKE: usize = 20;

/// Another mail program removes messages and delivers new ones. Gives the subjects of what went.
fn change_the_server(dovecot: &Dovecot, messages: usize) -> Vec<String> {
    let mut other = Client::login(dovecot.imap_port(), USER, PASSWORD);
    other.ok("SELECT INBOX");
    assert!(messages > TAKEN[TAKEN.len() - 1], "there is enough mail");
    let set = TAKEN.map(|n| n.to_string()).join(",");
    let envelopes = other.ok(&format!("FETCH {set} (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"));
    let named = envelopes.untagged.iter().filter_map(|line| {
        let text = String::from_utf8_lossy(line);
        let (_, id) = text.split_once("Message-ID: ")?;
        Some(id.lines().next().unwrap_or_default().trim().to_owned())
    });
    let taken: Vec<String> = named.collect();
    assert_eq!(taken.len(), TAKEN.len(), "every one that goes has a name");
    other.ok(&format!("STORE {set} +FLAGS.SILENT (\\Deleted)"));
    other.ok("EXPUNGE");
    for n in 0..ADDED {
        let text =
            format!("Message-ID: <late{n}@hard.example>\r\nSubject: late {n}\r\n\r\nOnly on the server.\r\n");
        dovecot.deliver(USER, "INBOX", text.as_bytes(), FIRST_DATE + 9_000_000, &[]);
    }
    taken
}

/// Rows by the hash of their bytes.
fn by_hash(rows: Vec<Row>) -> BTreeMap<String, Vec<Row>> {
    let mut all: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows {
        all.entry(row.sha256.clone().expect("it is here whole")).or_default().push(row);
    }
    all
}

/// The converted account lists what the fresh one lists. Gives how many messages have other bytes, which say the same.
fn compare(device: &Program, fresh: &Program) -> usize {
    let rows = |program: &Program| -> BTreeMap<u64, Row> {
        let rows = program.list("INBOX").into_iter();
        rows.map(|row| (row.uid.expect("it is on the server"), row)).collect()
    };
    let (ours, theirs) = (rows(device), rows(fresh));
    let (here, there): (Vec<_>, Vec<_>) = (ours.keys().collect(), theirs.keys().collect());
    assert_eq!(here, there, "the same UIDs");
    let mut unlike = 0;
    for (uid, theirs) in &theirs {
        let ours = &ours[uid];
        let shown = |row: &Row| {
            let mut flags = row.flags.clone();
            flags.sort();
            let texts = [&row.from, &row.subject, &row.message_id, &row.internal_date];
            (flags, texts.map(Value::to_string))
        };
        assert_eq!(shown(ours), shown(theirs), "UID {uid}");
        if ours.sha256 == theirs.sha256 {
            assert_eq!(ours.size, theirs.size, "UID {uid}");
            continue;
        }
        let canonical = |program: &Program, row: &Row| {
            let mut hasher = ContentHasher::new();
            hasher.update(&program.raw(&row.id.to_string()));
            hasher.finish().canonical
        };
        assert_eq!(canonical(device, ours), canonical(fresh, theirs), "UID {uid}: {ours:?}, {theirs:?}");
        unlike += 1;
    }
    assert_eq!(unlike, UNLIKE, "messages whose bytes differ over the two protocols");
    unlike
}

/// The flags that a program shows of a message with the same bytes.
fn flags_of(program: &Program, marked: &Row) -> Vec<String> {
    let found = program.list("INBOX").into_iter().find(|row| row.message_id == marked.message_id);
    found.unwrap_or_else(|| panic!("{marked:?} is there")).flags
}

/// What the server does not have goes into a mailbox of this device, with the bytes that it had.
fn keep_what_is_left(device: &Program, before: &BTreeMap<String, Vec<Row>>, taken: &[String]) -> usize {
    let left: Vec<Value> = device.ok(&["account", "finish", "mail", "--json"]).lines();
    assert_eq!(left.len(), taken.len(), "what only this device has: {left:?}");
    device.ok(&["mailbox", "create", "Old", "--local"]);
    device.ok(&["account", "finish", "mail", "--leftovers", "keep:Old"]);
    device.sync(&[]);
    device.verify();
    let kept = device.list("Old");
    let mut names: Vec<String> = kept.iter().filter_map(|row| row.message_id.as_str().map(bare)).collect();
    let mut wanted: Vec<String> = taken.iter().map(|name| bare(name)).collect();
    names.sort();
    wanted.sort();
    assert_eq!(names, wanted);
    for row in &kept {
        let hash = row.sha256.as_ref().unwrap_or_else(|| panic!("{row:?} is here whole"));
        let same = before.get(hash).unwrap_or_else(|| panic!("{row:?} has bytes that it did not have"));
        assert!(same.iter().all(|old| (&old.subject, &old.message_id) == (&row.subject, &row.message_id)));
    }
    kept.len()
}

/// A Message-ID without its brackets.
fn bare(id: &str) -> String {
    id.trim_matches(|c| c == '<' || c == '>').to_owned()
}
