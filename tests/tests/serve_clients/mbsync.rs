//! mbsync (isync): two ways, with a Maildir.

use std::fs;
use std::path::PathBuf;

use mailkeep_tests::compare::{Dump, act};
use mailkeep_tests::corpus::{FIRST_DATE, generate, real_mail};
use mailkeep_tests::imap::modified_utf7;
use mailkeep_tests::served::{SECRET, Served, USER, bounded};
use mailkeep_tests::server::run;
use serde_json::json;

use crate::maildir::{self, Held, MARK};

/// A mailbox whose name is neither flat nor ASCII.
const LISTS: &str = "Lists/Röstigraben";

#[test]
fn two_ways() {
    sync_two_ways("mbsync", "SSLType None");
}

#[test]
fn two_ways_with_starttls() {
    sync_two_ways("mbsynctls", "SSLType STARTTLS");
}

fn sync_two_ways(label: &str, security: &str) {
    let served = Served::start(label);
    served.fill("INBOX", real_mail(60));
    act(served.imap_port(), USER, SECRET, &json!([{ "do": "create", "mailbox": LISTS }]));
    served.fill(LISTS, generate(1, 30, 3_000));
    let mbsync = Mbsync::new(&served, security);
    mbsync.sync();
    mbsync.assert_same("after the first run", &["INBOX", "Lists", LISTS]);
    assert_eq!(look(&served).count(), 90, "nothing went up");

    // Here: new mail, flags, a deletion, a mailbox. There: the same, on other messages.
    let inbox = mbsync.mailbox("INBOX");
    fs::write(inbox.join("new/1577836800.1.here"), "Subject: written here\nFrom: a@b.example\n\nHere.\n")
        .expect("own");
    let mut here = maildir::read(&inbox).into_iter().filter(|(name, _)| name.contains(",U="));
    let ((flagged, flags_of), (removed, gone)) =
        (here.next().expect("60 files"), here.next().expect("60 files"));
    let (stem, _) = flagged.rsplit_once(":2,").unwrap_or((&flagged, ""));
    fs::rename(&flagged, format!("{}:2,FRS", stem.replace("/new/", "/cur/"))).expect("own file");
    fs::remove_file(&removed).expect("own file");
    for part in ["new", "cur", "tmp"] {
        fs::create_dir_all(mbsync.mailbox("Made here").join(part)).expect("own folder");
    }
    let dump = look(&served);
    let messages = dump.mailboxes["INBOX"].messages.iter();
    let others = messages.filter(|(_, m)| m.sha256 != flags_of.sha256 && m.sha256 != gone.sha256);
    let uids: Vec<u64> = others.map(|(uid, _)| *uid).collect();
    act(
        served.imap_port(),
        USER,
        SECRET,
        &json!([
            { "do": "append", "mailbox": "INBOX", "text": "Subject: written there\r\n\r\nThere.\r\n", "flags": ["\\Flagged"],
              "date": FIRST_DATE },
            { "do": "flags", "mailbox": "INBOX", "uids": [uids[0]], "add": ["\\Answered"], "remove": ["\\Seen"] },
            { "do": "expunge", "mailbox": "INBOX", "uids": [uids[1]] },
            { "do": "move", "mailbox": "INBOX", "uids": [uids[2]], "to": LISTS },
            { "do": "create", "mailbox": "Made there" },
        ]),
    );
    mbsync.sync();
    mbsync.assert_same("after both sides changed", &["INBOX", "Lists", LISTS, "Made here", "Made there"]);
    let dump = look(&served);
    // 60, one more on each side, one less on each side, and one moved.
    assert_eq!(dump.uids("INBOX").len(), 59);
    assert_eq!(dump.uids(LISTS).len(), 31);
    let inbox_there = &dump.mailboxes["INBOX"].messages;
    let now = inbox_there.values().find(|m| m.sha256 == flags_of.sha256).expect("it is still there");
    assert_eq!(now.flags.iter().collect::<Vec<_>>(), ["\\answered", "\\flagged", "\\seen"]);
    assert!(inbox_there.values().all(|m| m.sha256 != gone.sha256), "what was deleted here is gone there");
    maildir::file_with(&inbox, "Subject: written there");

    // Nothing changed: nothing moves.
    let before = (look(&served), mbsync.files());
    let said = mbsync.sync();
    assert_eq!((look(&served), mbsync.files()), before, "{said}");
    served.finish();
}

#[test]
fn after_a_restart_nothing_is_fetched_again() {
    let mut served = Served::start("mbsyncagain");
    served.fill("INBOX", generate(5, 50, 2_000));
    Mbsync::new(&served, "SSLType None").sync();
    let before = look(&served);
    served.restart();
    assert_eq!(look(&served), before, "the same UIDs under the same UIDVALIDITY");
    let mbsync = Mbsync::new(&served, "SSLType None");
    let files = mbsync.files();
    mbsync.sync();
    assert_eq!(mbsync.files(), files);
    served.finish();
}

fn look(served: &Served) -> Dump {
    Dump::read_without(MARK, served.imap_port(), USER, SECRET)
}

struct Mbsync<'a> {
    served: &'a Served,
    home: PathBuf,
}

impl<'a> Mbsync<'a> {
    fn new(served: &'a Served, security: &str) -> Self {
        let home = served.folder().join("mbsync");
        fs::create_dir_all(home.join("mail")).expect("own folder");
        let (port, ca, mail) = (served.imap_port(), served.ca_path(), home.join("mail"));
        let (ca, mail) = (ca.display(), mail.display());
        let config = format!(
            "FSync no\n\n\
             IMAPStore served\nHost localhost\nPort {port}\nUser {USER}\nPass {SECRET}\n{security}\nCertificateFile {ca}\n\n\
             MaildirStore here\nPath {mail}/\nInbox {mail}/INBOX\nSubFolders Verbatim\n\n\
             Channel all\nFar :served:\nNear :here:\nPatterns *\nCreate Both\nRemove Both\nExpunge Both\nSyncState *\n\
             CopyArrivalDate yes\n"
        );
        fs::write(home.join("mbsyncrc"), config).expect("own folder");
        Self { served, home }
    }

    /// One run; what it said.
    fn sync(&self) -> String {
        let mut command = bounded("mbsync");
        command
            .env("HOME", &self.home)
            .arg("--config")
            .arg(self.home.join("mbsyncrc"))
            .args(["--verbose", "all"]);
        let output = command.output().unwrap_or_else(|e| panic!("mbsync: {e}"));
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "mbsync: {}: {said}{}", output.status, self.served.log());
        said
    }

    fn mailbox(&self, name: &str) -> PathBuf {
        let name = modified_utf7(name);
        self.home.join("mail").join(name)
    }

    /// Every file of the Maildirs.
    fn files(&self) -> Vec<String> {
        let listed = run(bounded("find")
            .arg(self.home.join("mail"))
            .args(["-path", "*/cur/*", "-o", "-path", "*/new/*"]));
        let mut files: Vec<String> = String::from_utf8_lossy(&listed).lines().map(str::to_owned).collect();
        files.sort();
        files
    }

    /// Each of these mailboxes holds the same here as there, and there are no others.
    fn assert_same(&self, when: &str, mailboxes: &[&str]) {
        let dump = look(self.served);
        assert_eq!(dump.mailboxes.keys().collect::<Vec<_>>(), mailboxes, "{when}");
        for name in mailboxes {
            let there = dump.mailboxes[*name].messages.values();
            let mut there: Vec<Held> =
                there.map(|m| Held { flags: m.flags.clone(), sha256: m.sha256.clone() }).collect();
            there.sort();
            assert_eq!(maildir::messages(&self.mailbox(name)), there, "{name} {when}");
        }
    }
}
