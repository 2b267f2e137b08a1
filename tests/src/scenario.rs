//! The acceptance scenario that every server and profile goes through.

use serde_json::json;

use crate::compare::{Dump, act, assert_same};
use crate::corpus::{FIRST_DATE, crlf, generate, odd, real_mail};
use crate::imap::{Client, Mail, mailbox_name};
use crate::program::{Program, Summary};
use crate::proxy::{Profile, Proxy, ProxyOptions, Stats};
use crate::server::{MailServer, Scratch};

/// A user with mail, a proxy before the server, and the program behind it.
pub struct Stage<'a> {
    server: &'a dyn MailServer,
    user: String,
    proxy: Proxy,
    program: Program,
    _scratch: Scratch,
}

/// First sync, a sync with nothing new, and syncs after another program worked on the same mail; after each
/// the store is whole and equal to the server, and what the program counted is what went over the wire.
pub fn acceptance(server: &dyn MailServer, profile: Profile) {
    let stage = Stage::set(server, profile);
    let held = stage.dump();
    let summary = stage.sync_and_compare("first sync");
    assert_eq!(summary.messages_added, held.count() as u64, "the first sync adds every message: {summary:?}");

    let summary = stage.sync_and_compare("nothing changed");
    let changes = (summary.messages_added, summary.messages_removed, summary.flags_changed);
    assert_eq!(changes, (0, 0, 0), "nothing changed: {summary:?}");
    if matches!(profile, Profile::All | Profile::NoQresync) {
        assert!(summary.round_trips <= 2, "an unchanged account costs two round trips: {summary:?}");
    }

    stage.flags_change();
    let summary = stage.sync_and_compare("another program changed flags");
    assert!(summary.flags_changed >= 4, "four messages' flags changed: {summary:?}");

    stage.mail_comes_and_goes();
    let summary = stage.sync_and_compare("another program added, expunged, moved and copied");
    assert!(summary.messages_added >= 3, "three messages are new: {summary:?}");

    stage.mailboxes_change();
    stage.sync_and_compare("another program made, renamed and deleted mailboxes");

    stage.mailbox_is_made_anew();
    stage.sync_and_compare("a mailbox was deleted and made again under its name");

    let summary = stage.sync_and_compare("nothing changed at the end");
    let changes = (summary.messages_added, summary.messages_removed, summary.flags_changed);
    assert_eq!(changes, (0, 0, 0), "nothing changed at the end: {summary:?}");
}

impl<'a> Stage<'a> {
    /// A new user with some 190 messages in five mailboxes, and an account for them in a new database.
    pub fn set(server: &'a dyn MailServer, profile: Profile) -> Self {
        let user = format!("user-{profile:?}").to_lowercase();
        server.add_user(&user, PASSWORD);
        fill(server, &user);
        let scratch = Scratch::new("program");
        let program = Program::new(&scratch.path().join("mail.redb"), PASSWORD);
        let options = ProxyOptions { record: true, ..ProxyOptions::profile(profile) };
        let proxy = Proxy::start(server.imap_port(), options);
        program.add_imap("test", proxy.port(), &user);
        Self { server, user, proxy, program, _scratch: scratch }
    }

    /// Syncs, then holds the store against itself and against the server.
    pub fn sync_and_compare(&self, when: &str) -> Summary {
        self.proxy.reset();
        let outcome = self.program.try_sync(&[]);
        let wire = self.proxy.stats();
        if outcome.code != Some(0) {
            let (transcript, log) = (self.last_of_transcript(), self.server.log());
            panic!("{when}: sync failed: {outcome:?}\n{transcript}\n{} logged:\n{log}", self.server.name());
        }
        let summary: Summary = outcome.last_line();
        check_counts(&summary, wire, when);
        self.program.verify();
        assert_same(&self.dump(), &self.program, when);
        summary
    }

    /// What the server holds now.
    pub fn dump(&self) -> Dump {
        Dump::read(self.server.imap_port(), &self.user, PASSWORD)
    }

    fn act(&self, steps: serde_json::Value) {
        act(self.server.imap_port(), &self.user, PASSWORD, &steps);
    }

    fn flags_change(&self) {
        let uids = self.dump().uids("INBOX");
        self.act(json!([
            { "do": "flags", "mailbox": "INBOX", "uids": [uids[0], uids[7]], "add": ["\\Flagged", "$Forwarded"] },
            { "do": "flags", "mailbox": "INBOX", "uids": [uids[1]], "remove": ["\\Seen"], "add": ["\\Deleted", "\\Draft"] },
            { "do": "flags", "mailbox": "Work/Übergabe", "uids": self.dump().uids("Work/Übergabe")[..1], "add": ["custom"] },
        ]));
    }

    fn mail_comes_and_goes(&self) {
        let uids = self.dump().uids("INBOX");
        let work = self.dump().uids("Work");
        let new = |mailbox: &str, n: u32| {
            let text = format!("Subject: new {n}\r\nMessage-ID: <new{n}@act.example>\r\n\r\nnew {n}\r\n");
            json!({ "do": "append", "mailbox": mailbox, "text": text, "flags": ["\\Seen"], "date": FIRST_DATE + i64::from(n) })
        };
        self.act(json!([
            new("INBOX", 1),
            new("INBOX", 2),
            new("Work/Übergabe", 3),
            { "do": "expunge", "mailbox": "INBOX", "uids": [uids[2], uids[3], uids[20]] },
            { "do": "move", "mailbox": "INBOX", "uids": [uids[4], uids[5]], "to": "Archive" },
            { "do": "copy", "mailbox": "INBOX", "uids": [uids[6]], "to": "Work" },
            { "do": "expunge", "mailbox": "Work", "uids": [work[0]] },
        ]));
    }

    fn mailboxes_change(&self) {
        let text = "Subject: in a new mailbox\r\n\r\nhello\r\n";
        self.act(json!([
            { "do": "rename", "mailbox": "Archive", "to": "Old mail" },
            { "do": "create", "mailbox": "New & odd" },
            { "do": "append", "mailbox": "New & odd", "text": text },
            { "do": "delete", "mailbox": "Empty" },
        ]));
    }

    fn mailbox_is_made_anew(&self) {
        let text = "Subject: in the second life\r\n\r\nhello\r\n";
        self.act(json!([
            { "do": "delete", "mailbox": "New & odd" },
            { "do": "create", "mailbox": "New & odd" },
            { "do": "append", "mailbox": "New & odd", "text": text },
        ]));
    }

    fn last_of_transcript(&self) -> String {
        let text = self.proxy.transcript_text();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

const PASSWORD: &str = "secret";

/// The proxy cannot know whether a client that pipelines was waiting, so its round trips are an upper bound;
/// bytes must agree but for what was still on its way when the connection closed.
fn check_counts(summary: &Summary, wire: Stats, when: &str) {
    assert!(summary.round_trips >= 1, "{when}: a sync waits for the greeting at least: {summary:?}");
    assert!(summary.round_trips <= wire.round_trips, "{when}: {summary:?} but on the wire {wire:?}");
    // LOGOUT goes out after the sync is done and summed up, and may still be on its way.
    let parting = wire.bytes_up - summary.bytes_sent;
    assert!((0..=20).contains(&parting), "{when}: bytes sent: {summary:?}, {wire:?}");
    assert!(summary.bytes_received <= wire.bytes_down, "{when}: bytes received: {summary:?}, {wire:?}");
}

fn fill(server: &dyn MailServer, user: &str) {
    let mut client = Client::login(server.imap_port(), user, PASSWORD);
    for name in ["Work", "Work/Übergabe", "Archive", "Empty"] {
        client.ok(&format!("CREATE {}", mailbox_name(name)));
    }
    client.append_all("INBOX", real_mail(100));
    client.append_all("Work", generate(1, 30, 6_000));
    client.append_all("Work/Übergabe", generate(2, 20, 3_000).map(with_keyword));
    let taken = odd_mail().filter(|mail| client.append("Archive", mail)).count();
    assert!(taken >= 10, "{} takes only {taken} of the odd messages", server.name());
    let _ = client.command("LOGOUT");
}

fn with_keyword(mut mail: Mail) -> Mail {
    mail.flags.push("$Label1".to_owned());
    mail
}

/// The odd messages that APPEND may take (Cyrus refuses broken headers): with CRLF, without NULs, not empty.
fn odd_mail() -> impl Iterator<Item = Mail> {
    let mails = odd().into_iter().map(|(_, bytes)| crlf(&bytes));
    mails.filter(|b| !b.is_empty() && !b.contains(&0)).enumerate().map(|(number, bytes)| Mail {
        bytes,
        internal_date: FIRST_DATE - 86_400 + number as i64,
        flags: Vec::new(),
    })
}
