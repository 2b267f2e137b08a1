//! POP3 against Dovecot, with poplib looking on.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use mailkeep::Keep;
use mailkeep_tests::corpus::{FIRST_DATE, crlf, generate, odd};
use mailkeep_tests::dovecot::Dovecot;
use mailkeep_tests::pop::{self, Client, maildrop};
use mailkeep_tests::program::Program;
use mailkeep_tests::server::{MailServer as _, Scratch};

#[test]
fn policies() {
    let dovecot = Dovecot::shared();
    pop::policies(&*dovecot, &|user, count| {
        dovecot.fill(user, "INBOX", generate(count as u64, count, 2_000));
    });
}

#[test]
fn the_program() {
    let dovecot = Dovecot::shared();
    pop::program(&*dovecot, &|user, count| {
        dovecot.fill(user, "INBOX", generate(count as u64, count, 2_000));
    });
}

#[test]
fn odd_mail_comes_across_to_the_byte() {
    let dovecot = Dovecot::shared();
    dovecot.add_user("popodd", "secret");
    for (_, bytes) in odd() {
        dovecot.deliver("popodd", "INBOX", &crlf(&bytes), FIRST_DATE, &[]);
    }
    let mut seen: Vec<String> = maildrop(dovecot.pop3_port(), "popodd", "secret").into_values().collect();
    seen.sort();
    let client = Client::new(dovecot.pop3_port(), "popodd", Keep::Forever);
    client.sync(0);
    assert_eq!(client.here(), seen);
}

#[test]
fn over_tls_and_stls() {
    let dovecot = Dovecot::shared();
    dovecot.add_user("poptls", "secret");
    dovecot.fill("poptls", "INBOX", generate(3, 20, 2_000));
    let ca = dovecot.ca_path().display().to_string();
    for (security, port) in [("tls", dovecot.pop3s_port()), ("starttls", dovecot.pop3_port())] {
        for auth in ["auto", "plain", "scram-sha-256", "cram-md5", "user", "apop"] {
            let scratch = Scratch::new("poptls");
            let program = Program::new(&scratch.path().join("mail.redb"), "secret");
            let options = ["--security", security, "--ca", &ca, "--auth", auth];
            program.add_account("pop", "pop3", port, "poptls", &options);
            assert_eq!(program.sync(&[]).messages_added, 20, "{security}, {auth}");
        }
    }
}

/// Two hundred kills at moments spread over a sync, with mail coming in between.
#[test]
fn killed_at_any_moment_nothing_is_lost_and_nothing_comes_twice() {
    const KILLS: usize = 200;
    let dovecot = Dovecot::shared();
    dovecot.add_user("popkill", "secret");
    dovecot.fill("popkill", "INBOX", generate(9, 400, 3_000));
    let scratch = Scratch::new("popkill");
    let database = scratch.path().join("mail.redb");
    let program = Program::new(&database, "secret");
    program.add_pop3("pop", dovecot.pop3_port(), "popkill", "delete");
    let mut mails = generate(10, KILLS * 2, 3_000);
    let mut delivered = 400;
    let mut ended = 0;
    for n in 0..KILLS {
        delivered += dovecot.fill("popkill", "INBOX", mails.by_ref().take(2));
        let mut child = Command::new(program.binary())
            .arg("--db")
            .arg(&database)
            .arg("sync")
            .env("MAILKEEP_TEST_PASSWORD", "secret")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        // Short waits first, until the first sync is through; every wait hits another moment.
        thread::sleep(Duration::from_millis(2 + (n as u64 * 37) % 90));
        ended += usize::from(child.try_wait().expect("own child").is_some());
        let _ = (child.kill(), child.wait());
        if n % 40 == 39 {
            let there = maildrop(dovecot.pop3_port(), "popkill", "secret").len();
            let here = program.list("INBOX").iter().filter(|row| row.sha256.is_some()).count();
            assert!(here + there >= delivered, "{here} here, {there} there, {delivered} delivered");
            program.verify();
        }
    }
    assert!(ended < KILLS, "some were killed in the middle");
    program.sync(&[]);
    program.verify();
    let rows = program.list("INBOX");
    let hashes: std::collections::BTreeSet<_> = rows.iter().map(|row| row.sha256.clone()).collect();
    assert_eq!((rows.len(), hashes.len()), (delivered, delivered), "every message once");
    assert_eq!(maildrop(dovecot.pop3_port(), "popkill", "secret").len(), 0, "the policy holds");
}
