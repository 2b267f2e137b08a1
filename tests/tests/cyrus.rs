//! The private Cyrus does what its module says.

use mailkeep_tests::compare::{Dump, act};
use mailkeep_tests::corpus::{FIRST_DATE, generate};
use mailkeep_tests::cyrus::Cyrus;
use mailkeep_tests::imap::Client;
use mailkeep_tests::server::MailServer as _;
use serde_json::json;

#[test]
fn it_offers_what_sync_wants() {
    let cyrus = Cyrus::shared();
    cyrus.add_user("able", "secret");
    let mut client = Client::login(cyrus.imap_port(), "able", "secret");
    let capabilities = client.ok("CAPABILITY").text();
    for name in
        ["QRESYNC", "CONDSTORE", "UIDPLUS", "MOVE", "LIST-STATUS", "OBJECTID", "IDLE", "COMPRESS=DEFLATE"]
    {
        assert!(capabilities.contains(name), "{name} is missing: {capabilities}");
    }
}

#[test]
fn mail_is_appended_and_read_back() {
    let cyrus = Cyrus::shared();
    cyrus.add_user("anna", "secret");
    let mails: Vec<_> = generate(3, 60, 2_000).collect();
    Client::login(cyrus.imap_port(), "anna", "secret").append_all("INBOX", mails.clone());
    let dump = Dump::read(cyrus.imap_port(), "anna", "secret");
    let held: Vec<(u64, i64)> =
        dump.mailboxes["INBOX"].messages.values().map(|m| (m.size, m.internal_date)).collect();
    assert_eq!(held, mails.iter().map(|m| (m.bytes.len() as u64, m.internal_date)).collect::<Vec<_>>());
}

#[test]
fn users_are_apart_and_passwords_count() {
    let cyrus = Cyrus::shared();
    cyrus.add_user("one", "secret1");
    cyrus.add_user("two", "secret2");
    let step =
        json!([{ "do": "append", "mailbox": "INBOX", "text": "Subject: x\r\n\r\n", "date": FIRST_DATE }]);
    act(cyrus.imap_port(), "one", "secret1", &step);
    assert_eq!(Dump::read(cyrus.imap_port(), "one", "secret1").count(), 1);
    assert_eq!(Dump::read(cyrus.imap_port(), "two", "secret2").count(), 0);
    let refused = Client::connect(cyrus.imap_port()).command("LOGIN two secret1");
    assert!(refused.tagged.starts_with("NO"), "{}", refused.tagged);
    cyrus.add_user("two", "changed");
    Client::login(cyrus.imap_port(), "two", "changed");
}

#[test]
fn pop3_answers_too() {
    let cyrus = Cyrus::shared();
    std::net::TcpStream::connect(("127.0.0.1", cyrus.pop3_port())).expect("pop3d listens");
}
