//! Libraries: Python's imaplib and IMAPClient, and imapflow for Node: a day each in `tests/clients`, whose end is looked at here.

use mailkeep_tests::corpus::generate;
use mailkeep_tests::imap::Mail;
use mailkeep_tests::served::{SECRET, Served, USER, bounded};
use mailkeep_tests::server::{run, tests_file};

use crate::maildir::hash;

#[test]
fn imaplib() {
    let (served, mails) = start("imaplib");
    day(&served, "python3", "imaplib_day.py");
    let dump = served.dump();
    assert_eq!(dump.mailboxes.keys().collect::<Vec<_>>(), ["Done", "INBOX"]);
    assert_eq!(dump.uids("INBOX"), [2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 14]);
    for uid in [2, 3, 4, 6, 12] {
        assert_eq!(dump.mailboxes["INBOX"].messages[&uid].sha256, hash(&mails[uid as usize - 1].bytes));
    }
    let done = &dump.mailboxes["Done"].messages;
    assert_eq!(done[&1].sha256, hash(&mails[0].bytes));
    assert_eq!(done[&2].internal_date, 1_600_000_000);
    assert_eq!(done[&2].flags.iter().collect::<Vec<_>>(), ["\\flagged", "invoice"]);
    served.finish();
}

#[test]
fn imapclient() {
    let (served, mails) = start("imapclient");
    day(&served, "python3", "imapclient_day.py");
    let dump = served.dump();
    assert_eq!(dump.mailboxes.keys().collect::<Vec<_>>(), ["Ablage", "Größe", "INBOX"]);
    assert_eq!(dump.uids("INBOX"), [1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 14]);
    let inbox = &dump.mailboxes["INBOX"].messages;
    assert!(inbox[&2].flags.contains("later") && !inbox[&3].flags.contains("later"));
    assert!(inbox[&2].flags.contains("\\seen") && inbox[&3].flags.contains("\\seen"));
    assert_eq!(inbox[&4].flags.iter().collect::<Vec<_>>(), ["\\answered"]);
    let kept = &dump.mailboxes["Ablage"].messages;
    assert_eq!(kept[&1].sha256, hash(&mails[0].bytes));
    assert_eq!(kept[&2].internal_date, 1_614_834_367);
    served.finish();
}

#[test]
fn imapflow() {
    let (served, mails) = start("imapflow");
    day(&served, "node", "imapflow_day.mjs");
    let dump = served.dump();
    assert_eq!(dump.mailboxes.keys().collect::<Vec<_>>(), ["Ablage", "INBOX"]);
    assert_eq!(dump.uids("INBOX"), [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 14]);
    let inbox = &dump.mailboxes["INBOX"].messages;
    assert!(inbox[&2].flags.contains("later") && !inbox[&3].flags.contains("later"));
    let kept = &dump.mailboxes["Ablage"].messages;
    assert_eq!(kept[&1].sha256, hash(&mails[0].bytes));
    assert_eq!(kept[&2].flags.iter().collect::<Vec<_>>(), ["\\flagged", "reise"]);
    served.finish();
}

fn start(label: &str) -> (Served, Vec<Mail>) {
    let served = Served::start(label);
    let mails: Vec<Mail> = generate(9, 12, 3_000).collect();
    served.fill("INBOX", mails.clone());
    (served, mails)
}

fn day(served: &Served, language: &str, script: &str) {
    run(&mut bounded(tests_file("clients/install").to_str().expect("the tree has a UTF-8 name")));
    let mut program = bounded(language);
    program.arg(tests_file("clients").join(script)).arg(served.imap_port().to_string()).arg(served.ca_path());
    program.env("PYTHONPATH", tests_file("clients/python_modules")).env("PYTHONDONTWRITEBYTECODE", "1");
    run(program.env("IMAP_PASSWORD", SECRET).env("IMAP_USER", USER));
}
