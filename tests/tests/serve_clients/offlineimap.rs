//! OfflineIMAP: two ways, with a Maildir.

use std::collections::BTreeSet;
use std::fs;

use mailkeep_tests::compare::act;
use mailkeep_tests::corpus::generate;
use mailkeep_tests::imap::Mail;
use mailkeep_tests::served::{SECRET, Served, USER, bounded};
use mailkeep_tests::server::run;
use serde_json::json;

use crate::maildir;

#[test]
fn two_ways() {
    let served = Served::start("offlineimap");
    let mails: Vec<Mail> = generate(6, 30, 2_000).collect();
    served.fill("INBOX", mails.clone());
    let folder = served.folder().join("offlineimap");
    let inbox = folder.join("mail/INBOX");
    fs::create_dir_all(folder.join("mail")).expect("own folder");
    let rc = folder.join("offlineimaprc");
    let config = format!(
        "[general]\naccounts = desk\nmetadata = {home}/state\nsocktimeout = 30\n\
         [Account desk]\nlocalrepository = here\nremoterepository = there\n\
         [Repository here]\ntype = Maildir\nlocalfolders = {home}/mail\n\
         [Repository there]\ntype = IMAP\nremotehost = localhost\nremoteport = {}\nremoteuser = {USER}\n\
         remotepass = {SECRET}\nssl = no\nstarttls = yes\nsslcacertfile = {}\n",
        served.imap_port(),
        served.ca_path().display(),
        home = folder.display()
    );
    fs::write(&rc, config).expect("own folder");
    let sync =
        || run(bounded("offlineimap").arg("-c").arg(&rc).args(["-o", "-u", "basic"]).env("HOME", &folder));
    sync();
    let expected: BTreeSet<String> = mails.iter().map(|mail| maildir::hash(&mail.bytes)).collect();
    let here = || maildir::messages(&inbox).into_iter().map(|held| held.sha256).collect::<BTreeSet<_>>();
    assert_eq!(here(), expected, "all of it, to the byte");

    // Here a new message and a deletion; there a new message, flags and a deletion.
    let file_of = |uid: u64| {
        let mut files = maildir::read(&inbox).into_keys();
        files
            .find(|name| name.contains(&format!(",U={uid},")))
            .unwrap_or_else(|| panic!("no file for UID {uid}"))
    };
    let text = "Subject: written here\nFrom: a@b.example\nMessage-ID: <here@b.example>\n\nHere.\n";
    fs::write(inbox.join("new/1577836800.1.here"), text).expect("own folder");
    fs::remove_file(file_of(9)).expect("own file");
    act(
        served.imap_port(),
        USER,
        SECRET,
        &json!([
            { "do": "append", "mailbox": "INBOX", "text": "Subject: written there\r\nMessage-ID: <t@b.example>\r\n\r\nX\r\n" },
            { "do": "flags", "mailbox": "INBOX", "uids": [4], "add": ["\\Flagged", "\\Answered"] },
            { "do": "expunge", "mailbox": "INBOX", "uids": [7] },
        ]),
    );
    sync();
    let dump = served.dump();
    let uids: Vec<u64> = (1..=32).filter(|uid| ![7, 9].contains(uid)).collect();
    assert_eq!(dump.uids("INBOX"), uids);
    assert_eq!(maildir::messages(&inbox).len(), 30);
    assert!(
        file_of(4).rsplit_once(":2,").is_some_and(|(_, l)| l.contains('F') && l.contains('R')),
        "{}",
        file_of(4)
    );
    maildir::file_with(&inbox, "Subject: written there");

    // Nothing changed: nothing moves.
    let before = (dump, maildir::read(&inbox));
    sync();
    assert_eq!((served.dump(), maildir::read(&inbox)), before);
    served.finish();
}
