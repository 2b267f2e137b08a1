//! POP3 against Courier, with poplib looking on. What it does otherwise than Dovecot and Cyrus: it wants ten
//! seconds between two logins and says so, its UIDLs are numbers of its own, it shows messages with 8-bit headers
//! in UTF8 mode only, and it has no SASL beyond PLAIN and LOGIN here.

use mailkeep::Keep;
use mailkeep_tests::corpus::{generate, odd};
use mailkeep_tests::courier::Courier;
use mailkeep_tests::imap;
use mailkeep_tests::pop::{self, Client, capabilities, maildrop, plain_maildrop};
use mailkeep_tests::program::Program;
use mailkeep_tests::server::{MailServer as _, Scratch};

fn fill(courier: &Courier, user: &str, count: usize) {
    generate(count as u64, count, 2_000).for_each(|mail| courier.deliver(user, &mail.bytes));
}

#[test]
fn policies() {
    let courier = Courier::shared();
    pop::policies(&*courier, &|user, count| fill(&courier, user, count));
}

#[test]
fn the_program() {
    let courier = Courier::shared();
    pop::program(&*courier, &|user, count| fill(&courier, user, count));
}

#[test]
fn odd_mail_comes_across_to_the_byte() {
    let courier = Courier::shared();
    courier.add_user("popodd", "secret");
    for (_, bytes) in odd() {
        courier.deliver("popodd", &bytes);
    }
    let mut seen: Vec<String> = maildrop(courier.pop3_port(), "popodd", "secret").into_values().collect();
    seen.sort();
    let client = Client::new(courier.pop3_port(), "popodd", Keep::Forever);
    client.sync(0);
    assert_eq!((client.here().len(), client.here()), (odd().len(), seen.clone()));
    // Whoever does not ask for UTF8 mode gets a notice of the server's instead of a message with an 8-bit header.
    let mut plain: Vec<String> =
        plain_maildrop(courier.pop3_port(), "popodd", "secret").into_values().collect();
    plain.sort();
    assert_eq!(plain.len(), seen.len());
    assert_ne!(plain, seen);
}

#[test]
fn what_it_offers_is_what_is_used() {
    let courier = Courier::shared();
    let told = capabilities(courier.pop3_port());
    let words = |name: &str| told.get(name).map(|words| words.join(" "));
    assert_eq!(words("IMPLEMENTATION").as_deref(), Some("Courier Mail Server"));
    assert_eq!(words("SASL").as_deref(), Some("PLAIN LOGIN"));
    assert_eq!(words("LOGIN-DELAY").as_deref(), Some("10"));
    for name in ["PIPELINING", "TOP", "UIDL", "USER", "UTF8", "STLS"] {
        assert!(told.contains_key(name), "{name} in {told:?}");
    }
    assert!(!told.contains_key("RESP-CODES") && !told.contains_key("EXPIRE"), "{told:?}");

    courier.add_user("popoffer", "secret");
    fill(&courier, "popoffer", 200);
    let client = Client::new(courier.pop3_port(), "popoffer", Keep::Forever);
    let first = client.sync(0);
    assert_eq!(first.summary.messages_added, 200);
    assert!(first.cost.round_trips < 40, "200 messages are asked for in runs: {:?}", first.cost);
    let server = client.engine.pop_server(client.account).expect("the server was met");
    assert_eq!((server.login_delay_s, server.expire), (10, None));
}

/// A message that another program takes away leaves the others' names alone: nothing comes a second time.
#[test]
fn its_names_outlive_what_others_delete() {
    let courier = Courier::shared();
    courier.add_user("popnames", "secret");
    fill(&courier, "popnames", 12);
    let before = maildrop(courier.pop3_port(), "popnames", "secret");
    assert!(before.keys().all(|uidl| is_uidl(uidl)), "{:?}", before.keys());
    let client = Client::new(courier.pop3_port(), "popnames", Keep::Forever);
    client.sync(0);
    let mut other = imap::Client::login(courier.imap_port(), "popnames", "secret");
    for command in ["SELECT INBOX", "STORE 1:3,7 +FLAGS.SILENT (\\Deleted)", "EXPUNGE", "LOGOUT"] {
        assert!(other.command(command).tagged.starts_with("OK"), "{command}");
    }
    fill(&courier, "popnames", 2);
    let after = maildrop(courier.pop3_port(), "popnames", "secret");
    assert_eq!((after.len(), after.keys().filter(|uidl| before.contains_key(*uidl)).count()), (10, 8));
    assert_eq!(client.sync(1).summary.messages_added, 2);
    assert_eq!(client.here().len(), 14);
}

/// `UID`, the number, and the time when the maildrop was first looked at.
fn is_uidl(uidl: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let parts = uidl.strip_prefix("UID").and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(own, time)| number(own) && number(time))
}

/// It says how long to wait and lets everybody in all the same: whoever heeds it does not even send a name.
#[test]
fn a_login_that_is_too_early_is_not_tried() {
    let courier = Courier::shared();
    courier.add_user("popearly", "secret");
    fill(&courier, "popearly", 3);
    let scratch = Scratch::new("popearly");
    let program = Program::new(&scratch.path().join("mail.redb"), "secret");
    program.add_pop3("pop", courier.pop3_port(), "popearly", "on-server");
    let logins = || courier.log().matches("LOGIN, user=popearly").count();
    program.sync(&[]);
    assert_eq!(logins(), 1);
    let early = program.try_sync(&[]);
    assert!(early.stderr.contains("try again in"), "{early:?}");
    assert_eq!(logins(), 1);
}

#[test]
fn over_stls() {
    let courier = Courier::shared();
    courier.add_user("poptls", "secret");
    fill(&courier, "poptls", 20);
    let ca = courier.ca_path().display().to_string();
    for auth in ["auto", "plain", "user"] {
        let scratch = Scratch::new("poptls");
        let program = Program::new(&scratch.path().join("mail.redb"), "secret");
        let options = ["--security", "starttls", "--ca", &ca, "--auth", auth];
        program.add_account("pop", "pop3", courier.pop3_port(), "poptls", &options);
        assert_eq!(program.sync(&[]).messages_added, 20, "{auth}");
    }
}
