//! The private Dovecot does what its module says.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use mailkeep_tests::compare::Dump;
use mailkeep_tests::corpus::{FIRST_DATE, generate, odd};
use mailkeep_tests::dovecot::{Dovecot, DovecotOptions, Storage};
use mailkeep_tests::imap::Client;
use mailkeep_tests::server::MailServer as _;

#[test]
fn it_offers_what_sync_wants() {
    let dovecot = Dovecot::shared();
    dovecot.add_user("able", "secret");
    let mut client = Client::login(dovecot.imap_port(), "able", "secret");
    let capabilities = client.ok("CAPABILITY").text();
    for name in
        ["QRESYNC", "CONDSTORE", "UIDPLUS", "MOVE", "LIST-STATUS", "NOTIFY", "COMPRESS=DEFLATE", "LITERAL+"]
    {
        assert!(capabilities.contains(name), "{name} is missing: {capabilities}");
    }
    assert!(!capabilities.contains("QUOTA"), "{capabilities}");
}

#[test]
fn delivered_mail_is_there_to_the_byte() {
    let dovecot = Dovecot::shared();
    dovecot.add_user("anna", "secret");
    let text = b"Subject: hello\r\n\r\nbody\r\n";
    dovecot.deliver("anna", "INBOX", text, FIRST_DATE, &["\\Seen", "\\Flagged"]);
    dovecot.deliver("anna", "Work/Über", text, FIRST_DATE + 1, &["$Keyword"]);
    let mut client = Client::login(dovecot.imap_port(), "anna", "secret");
    client.ok("EXAMINE INBOX");
    let reply = client.ok("FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])").text();
    assert!(reply.contains("hello\r\n\r\nbody\r\n"), "{reply}");
    assert!(reply.contains("\\Flagged") && reply.contains("\\Seen"), "{reply}");
    let dump = Dump::read(dovecot.imap_port(), "anna", "secret");
    assert_eq!(dump.mailboxes["Work/Über"].messages[&1].internal_date, FIRST_DATE + 1);
    assert!(dump.mailboxes["Work/Über"].messages[&1].flags.contains("$keyword"));
}

#[test]
fn a_maildir_is_filled_in_order() {
    let dovecot = Dovecot::shared();
    dovecot.add_user("fill", "secret");
    let mails: Vec<_> = generate(7, 500, 1_500).collect();
    assert_eq!(dovecot.fill("fill", "INBOX", mails.clone()), 500);
    let dump = Dump::read(dovecot.imap_port(), "fill", "secret");
    let dates: Vec<i64> = dump.mailboxes["INBOX"].messages.values().map(|m| m.internal_date).collect();
    assert_eq!(dates, mails.iter().map(|m| m.internal_date).collect::<Vec<_>>());
}

#[test]
fn odd_messages_can_be_stored() {
    let dovecot = Dovecot::shared();
    dovecot.add_user("odd", "secret");
    for (_, bytes) in odd() {
        dovecot.deliver("odd", "INBOX", &bytes, FIRST_DATE, &[]);
    }
    assert_eq!(Dump::read(dovecot.imap_port(), "odd", "secret").count(), odd().len());
}

#[test]
fn mdbox_with_a_quota_and_without_compression() {
    let quota = Some("*:storage=1M".to_owned());
    let dovecot = Dovecot::start(DovecotOptions {
        storage: Storage::Mdbox,
        compress: false,
        quota,
        ..DovecotOptions::default()
    });
    dovecot.add_user("anna", "secret");
    assert_eq!(dovecot.fill("anna", "Work", generate(1, 40, 2_000)), 40);
    let mut client = Client::login(dovecot.imap_port(), "anna", "secret");
    let capabilities = client.ok("CAPABILITY").text();
    assert!(capabilities.contains("QUOTA") && !capabilities.contains("COMPRESS"), "{capabilities}");
    assert!(client.ok("GETQUOTAROOT INBOX").text().contains("STORAGE"));
    assert!(client.ok("STATUS Work (MESSAGES)").text().contains("MESSAGES 40"));
}

#[test]
fn it_starts_again_with_its_mail() {
    let dovecot = Dovecot::start(DovecotOptions::default());
    dovecot.add_user("anna", "secret");
    dovecot.deliver("anna", "INBOX", b"Subject: kept\r\n\r\n", FIRST_DATE, &[]);
    let before = Dump::read(dovecot.imap_port(), "anna", "secret");
    dovecot.stop();
    assert!(std::net::TcpStream::connect(("127.0.0.1", dovecot.imap_port())).is_err());
    dovecot.lose_uids("anna", "INBOX");
    dovecot.start_again();
    let after = Dump::read(dovecot.imap_port(), "anna", "secret");
    assert_ne!(before.mailboxes["INBOX"].uidvalidity, after.mailboxes["INBOX"].uidvalidity);
    assert_eq!(before.mailboxes["INBOX"].messages, after.mailboxes["INBOX"].messages);
}

#[test]
fn mechanisms_are_on_and_tokens_are_judged() {
    let dovecot = Dovecot::shared();
    dovecot.add_user("auth", "secret");
    let greeting = Client::connect(dovecot.imap_port()).greeting;
    for name in ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER"] {
        assert!(greeting.contains(&format!("AUTH={name}")), "{name} is missing: {greeting}");
    }
    let answer = |lifetime| {
        let token = dovecot.oauth_token("auth", lifetime);
        let response = format!("user=auth\x01auth=Bearer {token}\x01\x01");
        let response = base64::engine::general_purpose::STANDARD.encode(response);
        let mut client = Client::connect(dovecot.imap_port());
        let tag = client.send(&format!("AUTHENTICATE XOAUTH2 {response}")).expect("connection");
        // A refusal asks back; the empty line ends the exchange.
        client.write(if lifetime < 0 { b"\r\n" } else { b"" }).expect("connection");
        client.answer(&tag).expect("connection").tagged
    };
    assert!(answer(3600).starts_with("OK"), "{}\n{}", answer(3600), dovecot.log());
    assert!(answer(-3600).starts_with("NO"), "{}", answer(-3600));
}

#[test]
fn tls_shows_a_certificate_that_its_authority_signed() {
    let dovecot = Dovecot::shared();
    for port in [dovecot.imaps_port(), dovecot.pop3s_port()] {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", "localhost"]);
        command
            .args(["-verify_hostname", "localhost", "-verify_return_error", "-CAfile"])
            .arg(dovecot.ca_path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("openssl is there");
        child.stdin.take().expect("it is piped").write_all(b"Q\n").expect("it reads");
        let output = child.wait_with_output().expect("own child");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.contains("Verify return code: 0 (ok)"),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
