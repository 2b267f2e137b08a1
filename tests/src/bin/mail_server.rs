//! A private Dovecot for tests in other languages. Says on its first line, as JSON, where it listens; then takes commands from
//! its input, one a line, and answers each with one line of JSON. It ends with its input.
//!
//! ```text
//! user NAME PASSWORD                     a user with an empty INBOX
//! fill NAME MAILBOX COUNT SEED AVERAGE   synthetic messages of about AVERAGE octets
//! real NAME MAILBOX COUNT                the first messages of the real corpus
//! deliver NAME MAILBOX DATE BASE64       one message, byte for byte; DATE in seconds since 1970
//! imap NAME PASSWORD                     what imaplib sees: rows of mailbox, uid, flags, size, internal_date, sha256
//! pop3 NAME PASSWORD                     what poplib sees: sha256 by UIDL
//! stop, start                            the server goes, and comes back on its ports
//! ```
//!
//! With `--mdbox` it keeps mail in Dovecot's own format, which is quicker with large mailboxes.
//!
//! Words are separated by one blank; mailbox names by percent encoding of blanks (`%20`) only.

use std::io::{BufRead, Write};

use base64::Engine as _;
use mailkeep_tests::compare::Dump;
use mailkeep_tests::dovecot::{Dovecot, DovecotOptions, Storage};
use mailkeep_tests::server::MailServer;
use mailkeep_tests::{corpus, pop};
use serde_json::{Value, json};

fn main() {
    let mdbox = std::env::args().any(|argument| argument == "--mdbox");
    let storage = if mdbox { Storage::Mdbox } else { Storage::Maildir };
    let server = Dovecot::start(DovecotOptions { storage, ..DovecotOptions::default() });
    say(&json!({
        "imap": server.imap_port(), "imaps": server.imaps_port(), "pop3": server.pop3_port(),
        "pop3s": server.pop3s_port(), "ca": server.ca_path(), "log": server.log_path(),
    }));
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("the input is UTF-8");
        let words: Vec<&str> = line.split(' ').collect();
        say(&answer(&server, &words));
    }
}

fn say(value: &Value) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}").and_then(|()| out.flush()).expect("somebody reads");
}

fn answer(server: &Dovecot, words: &[&str]) -> Value {
    let name = |word: &str| word.replace("%20", " ");
    let number = |word: &str| word.parse::<u64>().unwrap_or_else(|e| panic!("{word}: {e}"));
    match *words {
        ["user", user, password] => {
            server.add_user(user, password);
            json!("made")
        }
        ["fill", user, mailbox, count, seed, average] => {
            let mails = corpus::generate(number(seed), number(count) as usize, number(average) as usize);
            json!(server.fill(user, &name(mailbox), mails))
        }
        ["real", user, mailbox, count] => {
            json!(server.fill(user, &name(mailbox), corpus::real_mail(number(count) as usize)))
        }
        ["deliver", user, mailbox, date, raw] => {
            let raw = base64::engine::general_purpose::STANDARD.decode(raw).expect("base64");
            server.deliver(user, &name(mailbox), &raw, number(date) as i64, &[]);
            json!("delivered")
        }
        ["imap", user, password] => imap(server, user, password),
        ["pop3", user, password] => json!(pop::maildrop(server.pop3_port(), user, password)),
        ["stop"] => {
            server.stop();
            json!("stopped")
        }
        ["start"] => {
            server.start_again();
            json!("started")
        }
        _ => panic!("no such command: {words:?}"),
    }
}

fn imap(server: &Dovecot, user: &str, password: &str) -> Value {
    let dump = Dump::read(server.imap_port(), user, password);
    let mut rows = Vec::new();
    for (mailbox, seen) in &dump.mailboxes {
        rows.extend(seen.messages.iter().map(|(uid, message)| {
            json!({
                "mailbox": mailbox, "uid": uid, "flags": message.flags, "size": message.size,
                "internal_date": message.internal_date, "sha256": message.sha256,
            })
        }));
    }
    json!(rows)
}
