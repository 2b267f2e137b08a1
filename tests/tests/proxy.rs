//! The proxy counts, hides, cuts and records in front of a real server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use mailkeep_tests::corpus::{FIRST_DATE, generate};
use mailkeep_tests::dovecot::Dovecot;
use mailkeep_tests::imap::{Client, Mail};
use mailkeep_tests::proxy::{Cut, Profile, Proxy, ProxyOptions, Side, Stats};
use mailkeep_tests::server::MailServer as _;

/// A user whose INBOX holds mail that looks like protocol.
fn dovecot_with(user: &str) -> std::sync::Arc<Dovecot> {
    let dovecot = Dovecot::shared();
    dovecot.add_user(user, "secret");
    dovecot.deliver(user, "INBOX", TRAP, FIRST_DATE, &["\\Seen"]);
    dovecot
}

const TRAP: &[u8] =
    b"Subject: trap\r\n\r\n* CAPABILITY QRESYNC CONDSTORE\r\nt2 OK [HIGHESTMODSEQ 1] x MODSEQ (3)\r\n{5}\r\n";

/// One exchange after the other, as told by a server of our own.
#[test]
fn round_trips_and_bytes_are_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = Proxy::start(
        listener.local_addr().expect("bound").port(),
        ProxyOptions { record: true, ..Default::default() },
    );
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("the proxy connects");
        let mut lines = BufReader::new(stream.try_clone().expect("copy")).lines();
        let say = |text: &[u8]| (&stream).write_all(text).expect("connection");
        say(b"hello\r\n");
        for expected in ["one", "two"] {
            assert_eq!(lines.next().expect("a line").expect("connection"), expected);
            say(b"part ");
            thread::sleep(Duration::from_millis(20));
            say(b"rest\r\n");
        }
    });
    let mut client =
        BufReader::new(TcpStream::connect(("127.0.0.1", proxy.port())).expect("the proxy listens"));
    let mut line = String::new();
    client.read_line(&mut line).expect("greeting");
    for word in ["one\r\n", "two\r\n"] {
        client.get_mut().write_all(word.as_bytes()).expect("connection");
        line.clear();
        client.read_line(&mut line).expect("answer");
        assert_eq!(line, "part rest\r\n");
    }
    server.join().expect("the server saw what it expected");
    assert_eq!(proxy.stats(), Stats { connections: 1, round_trips: 3, bytes_up: 10, bytes_down: 29 });
    let sides: Vec<Side> = proxy.transcript().iter().map(|t| t.side).collect();
    assert_eq!(sides, [Side::Server, Side::Client, Side::Server, Side::Client, Side::Server]);
    assert!(
        proxy.transcript_text().starts_with("1S: hello\n1C: one\n1S: part rest\n"),
        "{}",
        proxy.transcript_text()
    );
    assert_eq!(proxy.reset().round_trips, 3);
    assert_eq!(proxy.stats(), Stats::default());
}

#[test]
fn nothing_is_hidden_by_default() {
    let dovecot = dovecot_with("open");
    let proxy = Proxy::start(dovecot.imap_port(), ProxyOptions::profile(Profile::All));
    let mut client = Client::login(proxy.port(), "open", "secret");
    assert!(client.ok("CAPABILITY").text().contains("QRESYNC"));
    assert!(client.ok("SELECT INBOX (CONDSTORE)").text().contains("HIGHESTMODSEQ"));
    assert_eq!(proxy.stats().round_trips, 4);
}

#[test]
fn hidden_capabilities_are_gone_and_refused() {
    let dovecot = dovecot_with("plain");
    let proxy = Proxy::start(dovecot.imap_port(), ProxyOptions::profile(Profile::Plain));
    let mut client = Client::connect(proxy.port());
    let mut seen = client.greeting.clone();
    seen += &client.ok("LOGIN plain secret").tagged;
    seen += &client.ok("CAPABILITY").text();
    for name in
        ["QRESYNC", "CONDSTORE", "UIDPLUS", "LIST-STATUS", "ESEARCH", "LITERAL+", "COMPRESS", "STARTTLS"]
    {
        assert!(!seen.split([' ', ']', '\n']).any(|w| w.starts_with(name)), "{name} is seen: {seen}");
    }
    assert!(seen.contains("IDLE") && seen.contains("MOVE"), "{seen}");
    let refused = [
        "ENABLE QRESYNC",
        "ENABLE CONDSTORE",
        "SELECT INBOX (CONDSTORE)",
        "SELECT INBOX (QRESYNC (1 1))",
        "STATUS INBOX (HIGHESTMODSEQ)",
        "LIST \"\" * RETURN (STATUS (MESSAGES))",
    ];
    for command in refused {
        assert!(client.command(command).tagged.starts_with("BAD"), "{command}");
    }
    let selected = client.ok("SELECT INBOX");
    assert!(
        !selected.text().contains("MODSEQ") && selected.text().contains("UIDNEXT"),
        "{}",
        selected.text()
    );
    for command in [
        "FETCH 1 (FLAGS MODSEQ)",
        "UID FETCH 1:* FLAGS (CHANGEDSINCE 1)",
        "UID EXPUNGE 1",
        "SEARCH RETURN (ALL) ALL",
    ] {
        assert!(client.command(command).tagged.starts_with("BAD"), "{command}");
    }
    let body = client.ok("FETCH 1 BODY.PEEK[]");
    assert!(
        body.untagged[0].windows(TRAP.len()).any(|w| w == TRAP),
        "a literal was rewritten: {}",
        body.text()
    );
}

#[test]
fn appends_lose_their_codes_and_keep_their_bytes() {
    let dovecot = dovecot_with("append");
    let proxy = Proxy::start(
        dovecot.imap_port(),
        ProxyOptions { record: true, ..ProxyOptions::hiding(&["UIDPLUS", "LITERAL+"]) },
    );
    let mut client = Client::login(proxy.port(), "append", "secret");
    let mail = Mail { bytes: TRAP.to_vec(), internal_date: FIRST_DATE, flags: vec!["\\Seen".to_owned()] };
    assert!(client.append("INBOX", &mail));
    assert!(!client.append("nowhere", &mail), "there is no such mailbox");
    assert!(!proxy.transcript_text().contains("APPENDUID"));
    let tag = client.send("APPEND INBOX {3+}").expect("connection");
    client.write(b"abc\r\n").expect("connection");
    assert!(client.answer(&tag).expect("connection").tagged.starts_with("BAD"));
    client.ok("SELECT INBOX");
    let body = client.ok("FETCH 2 BODY.PEEK[]");
    assert!(body.untagged[0].windows(TRAP.len()).any(|w| w == TRAP), "{}", body.text());
    assert!(client.ok("COPY 1 INBOX").tagged.starts_with("OK Copy"), "COPYUID is hidden");
}

#[test]
fn the_connection_is_cut_where_it_was_told() {
    let dovecot = dovecot_with("cut");
    let length = |cut| {
        let proxy = Proxy::start(dovecot.imap_port(), ProxyOptions { cut, ..Default::default() });
        let read = |_| {
            let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).expect("the proxy listens");
            stream.write_all(b"a CAPABILITY\r\nb LOGOUT\r\n").expect("connection");
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes);
            bytes.len()
        };
        [0, 1].map(read)
    };
    let whole = length(Cut::Never);
    assert!(whole[0] > 100 && whole[0] == whole[1], "{whole:?}");
    assert_eq!(length(Cut::Each(37)), [37, 37]);
    assert_eq!(length(Cut::Once(37)), [37, whole[0]]);
}

#[test]
fn a_large_mailbox_goes_through_a_filter_whole() {
    let dovecot = Dovecot::shared();
    dovecot.add_user("large", "secret");
    let mails: Vec<_> = generate(5, 300, 10_000).collect();
    dovecot.fill("large", "INBOX", mails.clone());
    let proxy = Proxy::start(dovecot.imap_port(), ProxyOptions::profile(Profile::Plain));
    let mut client = Client::login(proxy.port(), "large", "secret");
    client.ok("EXAMINE INBOX");
    let fetched = client.ok("FETCH 1:* BODY.PEEK[]").untagged;
    assert_eq!(fetched.len(), mails.len());
    for (line, mail) in fetched.iter().zip(&mails) {
        assert!(line.windows(mail.bytes.len()).any(|w| w == mail.bytes));
    }
}

#[test]
fn latency_is_felt_once_a_round_trip() {
    let dovecot = dovecot_with("slow");
    let latency = Duration::from_millis(50);
    let proxy = Proxy::start(dovecot.imap_port(), ProxyOptions { latency, ..Default::default() });
    let start = Instant::now();
    Client::login(proxy.port(), "slow", "secret").ok("NOOP");
    assert!(start.elapsed() >= 3 * latency);
    assert_eq!(proxy.stats().round_trips, 3);
}
