//! What a server holds, read by Python's imaplib, against what the program lists.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use crate::imap::days;
use crate::program::{Program, Row};
use crate::server::{run, tests_file};

/// Everything a user has on a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dump {
    /// By mailbox name (Unicode).
    pub mailboxes: BTreeMap<String, MailboxDump>,
}

/// One mailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailboxDump {
    /// UIDVALIDITY.
    pub uidvalidity: u64,
    /// By UID.
    pub messages: BTreeMap<u64, MessageDump>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageDump {
    /// In small letters, without `\recent`.
    pub flags: BTreeSet<String>,
    /// RFC822.SIZE.
    pub size: u64,
    /// Seconds since 1970.
    pub internal_date: i64,
    /// Of the raw message, in hexadecimal.
    pub sha256: String,
}

impl Dump {
    /// Reads a user's mail by `tools/imap_dump.py`.
    pub fn read(port: u16, user: &str, password: &str) -> Self {
        Self::read_with(port, user, password, &[])
    }

    /// The same with a header field left out of what is hashed: one that a client adds to what it carries.
    pub fn read_without(header: &str, port: u16, user: &str, password: &str) -> Self {
        Self::read_with(port, user, password, &["--without", header])
    }

    fn read_with(port: u16, user: &str, password: &str, options: &[&str]) -> Self {
        let out = run(python("imap_dump.py", port, user).args(options).env("IMAP_PASSWORD", password));
        let mut dump = Self::default();
        for line in String::from_utf8(out).expect("JSON is UTF-8").lines() {
            let line: DumpLine = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            dump.add(line);
        }
        dump
    }

    /// The UIDs of a mailbox in rising order.
    pub fn uids(&self, mailbox: &str) -> Vec<u64> {
        let found = self.mailboxes.get(mailbox);
        found
            .unwrap_or_else(|| panic!("no mailbox {mailbox} in {:?}", self.mailboxes.keys()))
            .messages
            .keys()
            .copied()
            .collect()
    }

    /// How many messages there are in all mailboxes.
    pub fn count(&self) -> usize {
        self.mailboxes.values().map(|m| m.messages.len()).sum()
    }

    fn add(&mut self, line: DumpLine) {
        match line {
            DumpLine::Message { mailbox, uid, flags, size, internal_date, sha256 } => {
                let message = MessageDump { flags: flag_set(&flags), size, internal_date, sha256 };
                let twice = self.mailboxes.entry(mailbox).or_default().messages.insert(uid, message);
                assert_eq!(twice, None, "UID {uid} twice");
            }
            DumpLine::Mailbox { mailbox, uidvalidity } => {
                self.mailboxes.insert(mailbox, MailboxDump { uidvalidity, ..MailboxDump::default() });
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum DumpLine {
    Message { mailbox: String, uid: u64, flags: Vec<String>, size: u64, internal_date: i64, sha256: String },
    Mailbox { mailbox: String, uidvalidity: u64 },
}

/// Lets another mail program do something: a JSON list of steps for `tools/imap_act.py`, which describes
/// them.
pub fn act(port: u16, user: &str, password: &str, steps: &Value) {
    let mut command = python("imap_act.py", port, user);
    command.env("IMAP_PASSWORD", password).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
    child.stdin.take().expect("it is piped").write_all(steps.to_string().as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("own child");
    assert!(output.status.success(), "imap_act.py failed:\n{}", String::from_utf8_lossy(&output.stderr));
}

fn python(tool: &str, port: u16, user: &str) -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1");
    command.arg(tests_file("tools").join(tool)).args(["--port", &port.to_string(), "--user", user]);
    command
}

/// What can be held against a server.
pub trait Listing {
    /// The names of all mailboxes.
    fn mailboxes(&self) -> Vec<String>;
    /// Every message of one.
    fn list(&self, mailbox: &str) -> Vec<Row>;
}

impl Listing for Program {
    fn mailboxes(&self) -> Vec<String> {
        Program::mailboxes(self)
    }

    fn list(&self, mailbox: &str) -> Vec<Row> {
        Program::list(self, mailbox)
    }
}

/// Panics, with the first differences, unless the program lists exactly what the server holds: the same
/// mailboxes, and in each the same UIDs, flags, sizes, dates and bytes.
pub fn assert_same(server: &Dump, program: &impl Listing, when: &str) {
    let differences = differences(server, program);
    let shown: Vec<&str> = differences.iter().take(20).map(String::as_str).collect();
    assert!(differences.is_empty(), "{when}: {} differences:\n{}", differences.len(), shown.join("\n"));
}

/// How the program's lists differ from the server, one sentence each.
pub fn differences(server: &Dump, program: &impl Listing) -> Vec<String> {
    let mut out = Vec::new();
    let listed: BTreeSet<String> = program.mailboxes().into_iter().map(canonical_name).collect();
    let held: BTreeSet<String> = server.mailboxes.keys().cloned().map(canonical_name).collect();
    out.extend(held.difference(&listed).map(|name| format!("mailbox {name:?} is on the server only")));
    out.extend(listed.difference(&held).map(|name| format!("mailbox {name:?} is in the program only")));
    for (name, mailbox) in &server.mailboxes {
        if listed.contains(&canonical_name(name.clone())) {
            compare_mailbox(name, mailbox, &program.list(name), &mut out);
        }
    }
    out
}

fn compare_mailbox(name: &str, mailbox: &MailboxDump, rows: &[Row], out: &mut Vec<String>) {
    let mut listed = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for row in rows {
        let Some(uid) = row.uid else {
            out.push(format!("{name}: a message without UID is listed: {row:?}"));
            continue;
        };
        if listed.insert(uid, row).is_some() || !ids.insert(row.id.to_string()) {
            out.push(format!("{name}: UID {uid}, id {} is listed twice", row.id));
        }
    }
    for (uid, held) in &mailbox.messages {
        match listed.remove(uid) {
            None => out.push(format!("{name}: UID {uid} is on the server only")),
            Some(row) => compare_message(&format!("{name}: UID {uid}"), held, row, out),
        }
    }
    out.extend(listed.keys().map(|uid| format!("{name}: UID {uid} is in the program only")));
}

fn compare_message(place: &str, held: &MessageDump, row: &Row, out: &mut Vec<String>) {
    let mut differ = |what: &str, server: &dyn std::fmt::Debug, program: &dyn std::fmt::Debug| {
        out.push(format!("{place}: {what} is {server:?} on the server, {program:?} in the program"));
    };
    let flags = flag_set(&row.flags);
    if flags != held.flags {
        differ("flags", &held.flags, &flags);
    }
    if row.size != held.size {
        differ("size", &held.size, &row.size);
    }
    if seconds(&row.internal_date) != Some(held.internal_date) {
        differ("internal date", &held.internal_date, &row.internal_date);
    }
    if row.sha256.as_deref() != Some(&held.sha256) {
        differ("sha256", &held.sha256, &row.sha256);
    }
}

fn canonical_name(name: String) -> String {
    if name.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { name }
}

fn flag_set(flags: &[String]) -> BTreeSet<String> {
    flags.iter().map(|f| f.to_lowercase()).filter(|f| f != "\\recent").collect()
}

/// A date as the program may print it: seconds or milliseconds since 1970, RFC 3339, or IMAP's date-time.
pub fn seconds(date: &Value) -> Option<i64> {
    const MILLISECONDS: i64 = 100_000_000_000;
    match date {
        Value::Number(n) => n.as_i64().map(|n| if n.abs() >= MILLISECONDS { n.div_euclid(1000) } else { n }),
        Value::String(text) => text_seconds(text.trim()),
        _ => None,
    }
}

fn text_seconds(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', ' '])?;
    let (day, time) = if date.as_bytes().get(4) == Some(&b'-') {
        let mut fields = date.split('-').map(|f| f.parse::<i64>().ok());
        (days(fields.next()??, fields.next()??, fields.next()??), rest)
    } else {
        let mut fields = date.split('-');
        let (day, month, year) = (fields.next()?, fields.next()?, fields.next()?);
        let month = "JanFebMarAprMayJunJulAugSepOctNovDec".find(month)? as i64 / 3 + 1;
        (days(year.parse().ok()?, month, day.parse().ok()?), rest)
    };
    let clock: Vec<i64> = time.get(..8)?.split(':').map(|f| f.parse().ok()).collect::<Option<_>>()?;
    let zone = time[8..].trim_start_matches(|c: char| c == '.' || c.is_ascii_digit()).trim();
    let &[h, m, s] = clock.as_slice() else { return None };
    Some(day * 86_400 + h * 3600 + m * 60 + s - zone_seconds(zone)?)
}

fn zone_seconds(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits: String = zone.chars().filter(char::is_ascii_digit).collect();
    let value: i64 = (digits.len() == 4).then(|| digits.parse().ok())??;
    Some(sign * (value / 100 * 3600 + value % 100 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A listing that a test can spoil.
    struct Rows(Vec<Row>);

    impl Listing for Rows {
        fn mailboxes(&self) -> Vec<String> {
            vec!["Inbox".to_owned()]
        }

        fn list(&self, _: &str) -> Vec<Row> {
            self.0.clone()
        }
    }

    fn dump() -> Dump {
        let mut dump = Dump::default();
        let line = |json: Value| serde_json::from_value(json).expect("a line");
        dump.add(line(serde_json::json!({ "mailbox": "INBOX", "uidvalidity": 1, "messages": 2 })));
        for uid in [3, 5] {
            dump.add(line(
                serde_json::json!({ "mailbox": "INBOX", "uid": uid, "flags": ["\\Seen"], "size": 10 + uid,
                "internal_date": 1_577_836_800, "sha256": format!("hash{uid}") }),
            ));
        }
        dump
    }

    fn rows() -> Vec<Row> {
        let row = |uid: u64| {
            serde_json::from_value(
                serde_json::json!({ "id": uid, "mailbox": "INBOX", "uid": uid, "flags": ["\\seen", "\\Recent"],
                "size": 10 + uid, "internal_date": "2020-01-01T00:00:00Z", "from": "", "subject": "", "message_id": null,
                "sha256": format!("hash{uid}") }),
            )
        };
        [3, 5].map(|uid| row(uid).expect("a row")).to_vec()
    }

    #[test]
    fn equal_is_equal() {
        assert_eq!(differences(&dump(), &Rows(rows())), Vec::<String>::new());
    }

    #[test]
    fn every_difference_is_told() {
        type Spoil = fn(&mut Vec<Row>);
        let table: [(&str, Spoil); 9] = [
            ("UID 5 is on the server only", |r| r.truncate(1)),
            ("UID 9 is in the program only", |r| r.push(Row { uid: Some(9), id: 9.into(), ..r[0].clone() })),
            ("listed twice", |r| r.push(r[0].clone())),
            ("without UID", |r| r[0].uid = None),
            ("flags is", |r| r[0].flags.push("custom".to_owned())),
            ("size is", |r| r[1].size += 1),
            ("internal date is", |r| r[1].internal_date = "2020-01-01T00:00:01Z".into()),
            ("sha256 is", |r| r[1].sha256 = None),
            ("sha256 is", |r| r[1].sha256 = Some("hash3".to_owned())),
        ];
        for (expected, spoil) in table {
            let mut rows = rows();
            spoil(&mut rows);
            let told = differences(&dump(), &Rows(rows));
            assert!(told.iter().any(|t| t.contains(expected)), "{expected}: {told:?}");
        }
        let mut more = dump();
        more.mailboxes.insert("Work".to_owned(), MailboxDump::default());
        assert_eq!(differences(&more, &Rows(rows())), ["mailbox \"Work\" is on the server only"]);
    }

    #[test]
    fn every_way_to_write_a_date_is_read() {
        let table = [
            serde_json::json!(1_577_836_800),
            serde_json::json!(1_577_836_800_000_i64),
            serde_json::json!("2020-01-01T00:00:00Z"),
            serde_json::json!("2020-01-01T01:00:00.250+01:00"),
            serde_json::json!("01-Jan-2020 00:00:00 +0000"),
            serde_json::json!("31-Dec-2019 19:00:00 -0500"),
        ];
        for date in table {
            assert_eq!(seconds(&date), Some(1_577_836_800), "{date}");
        }
        assert_eq!(seconds(&serde_json::json!("yesterday")), None);
    }
}
