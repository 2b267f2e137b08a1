//! A private Dovecot for tests that are not written in Rust: `mail-server` starts one, prints its ports as a JSON object on one
//! line, and then does what each line of its standard input says, answering each with a line `ok`.
//!
//! | line | what |
//! |---|---|
//! | `user NAME PASSWORD` | makes a user with an empty INBOX |
//! | `real USER MAILBOX COUNT` | puts the first COUNT messages of the real corpus into a mailbox |
//! | `generate USER MAILBOX COUNT AVERAGE` | puts made-up messages of so many octets on average into one |
//! | `stop`, `start` | ends the server and keeps its mail; starts it again on the same ports |
//!
//! It ends, and its mail goes, when its input ends. `mail-server --mdbox` keeps mail in Dovecot's own format, for large mailboxes.

use std::io::{BufRead, Write, stdin, stdout};

use mailkeep_tests::corpus;
use mailkeep_tests::dovecot::{Dovecot, DovecotOptions, Storage};
use mailkeep_tests::server::MailServer;

fn main() {
    let storage = if std::env::args().any(|argument| argument == "--mdbox") {
        Storage::Mdbox
    } else {
        Storage::Maildir
    };
    let server = Dovecot::start(DovecotOptions { storage, ..DovecotOptions::default() });
    let ports = serde_json::json!({
        "imap": server.imap_port(),
        "imaps": server.imaps_port(),
        "pop3": server.pop3_port(),
        "pop3s": server.pop3s_port(),
        "ca": server.ca_path(),
    });
    say(&ports.to_string());
    for line in stdin().lock().lines() {
        let line = line.expect("lines of text");
        obey(&server, &line.split_whitespace().collect::<Vec<_>>());
        say("ok");
    }
}

fn obey(server: &Dovecot, words: &[&str]) {
    let number = |word: &str| word.parse::<usize>().unwrap_or_else(|_| panic!("{word} is no number"));
    match words {
        ["user", name, password] => server.add_user(name, password),
        ["real", user, mailbox, count] => {
            server.fill(user, mailbox, corpus::real_mail(number(count)));
        }
        ["generate", user, mailbox, count, average] => {
            server.fill(user, mailbox, corpus::generate(1, number(count), number(average)));
        }
        ["stop"] => server.stop(),
        ["start"] => server.start_again(),
        other => panic!("not understood: {other:?}"),
    }
}

fn say(line: &str) {
    let mut out = stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("somebody reads");
}
