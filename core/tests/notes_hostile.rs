//! What servers have done to other mail programs, and what a connection answers: from the first byte to
//! what is in the store. The numbers are those of the notes that each test is about.

mod support;

use std::io::Write as _;
use std::time::{Duration, Instant};

use mailkeep::sasl::{Credentials, Secret};
use mailkeep::{
    AccountSettings, BodyPolicy, Connection, ConnectionOptions, Engine, Error, Event, MemoryStorage,
    MessageId, Now, Security, SyncScope, SyncSummary, Window,
};
use support::host::credentials;
use support::mail::find;
use support::session::Session;
use support::wire::{base64, from_base64};
use support::{Host, Knobs, Mail, ModelServer, Peer, Tier, mail, quirks};

/// A tagged answer made into another.
type Rewrite = fn(&[u8]) -> Vec<u8>;
/// Something so large.
type Make = fn(usize) -> Vec<u8>;

/// No test waits longer than this for work that is to be bounded.
const TIME: Duration = Duration::from_secs(20);

const SAFE: &str = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n";
const STARTTLS: &str = "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN SASL-IR] ready\r\n";

/// A connection whose server is the test itself, line by line.
struct Wire {
    engine: Engine,
    connection: Connection,
    now: Now,
    sent: Vec<u8>,
    read: usize,
    events: Vec<Event>,
}

impl Wire {
    fn new(security: Security) -> Wire {
        Wire::with(security, |_| {})
    }

    fn with(security: Security, set: impl FnOnce(&mut AccountSettings)) -> Wire {
        let engine = support::host::open_quick(MemoryStorage::new()).unwrap();
        let mut settings = AccountSettings::imap("test", "mail.example.org", "ann");
        settings.security = security;
        set(&mut settings);
        let account = engine.add_account(settings).unwrap();
        let options = ConnectionOptions::new([7; 32], security == Security::Tls);
        let mut connection = engine.connect(account, options).unwrap();
        connection.sync(SyncScope::account());
        let now = Now::new(1_000, 1_768_867_200_000);
        let mut wire = Wire { engine, connection, now, sent: Vec::new(), read: 0, events: Vec::new() };
        wire.drain();
        // The host's first call tells the time.
        wire.connection.handle_timeout(now).unwrap();
        wire
    }

    fn gives(mut self, credentials: Credentials) -> Wire {
        // Handed in ahead, so that nothing but the connection's own judgement holds them back.
        let _ = self.connection.provide_credentials(credentials);
        self.drain();
        self
    }

    fn hears(&mut self, bytes: impl AsRef<[u8]>) -> &mut Wire {
        let mut rest = bytes.as_ref();
        while !self.connection.is_closed() {
            let progress = self.connection.handle_input(self.now, rest).unwrap();
            rest = &rest[progress.consumed..];
            self.drain();
            if rest.is_empty() && !progress.more {
                break;
            }
        }
        self
    }

    fn drain(&mut self) {
        loop {
            if let Some(bytes) = self.connection.poll_transmit() {
                self.sent.extend(bytes);
            } else if let Some(event) = self.connection.poll_event() {
                self.events.push(event);
            } else {
                return;
            }
        }
    }

    fn tls(&mut self) -> &mut Wire {
        self.connection.handle_tls_started(self.now, None).unwrap();
        self.drain();
        self
    }

    /// The next command: its tag and the rest of its line.
    #[track_caller]
    fn command(&mut self) -> (String, String) {
        let new = &self.sent[self.read..];
        let end = find(new, b"\r\n").unwrap_or_else(|| panic!("no command came; {:?}", self.events));
        let line = String::from_utf8_lossy(&new[..end]).into_owned();
        self.read += end + 2;
        let (tag, rest) = line.split_once(' ').unwrap_or((&line, ""));
        (tag.to_owned(), rest.to_owned())
    }

    /// The tag of the next command, which must begin so.
    #[track_caller]
    fn expects(&mut self, begin: &str) -> String {
        let (tag, rest) = self.command();
        assert!(rest.starts_with(begin), "{begin} was to come, and it is {rest}");
        tag
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.sent).into_owned()
    }

    fn closed(&self) -> Option<&Option<Error>> {
        self.events.iter().find_map(|e| match e {
            Event::Closed { error } => Some(error),
            _ => None,
        })
    }

    #[track_caller]
    fn assert_protocol_error(&self, what: &str) {
        assert!(matches!(self.closed(), Some(Some(Error::Protocol(_)))), "{what}: {:?}", self.events);
        assert!(self.connection.is_closed());
    }

    #[track_caller]
    fn assert_nothing_secret(&self, what: &str) {
        let said = self.said();
        for secret in ["secret", "LOGIN", "AUTHENTICATE", &base64(b"\0ann\0secret")] {
            assert!(!said.contains(secret), "{what}: {said}");
        }
    }

    #[track_caller]
    fn assert_nothing_stored(&self) {
        let account = self.connection.account();
        let names: Vec<_> = self.engine.mailboxes(account).unwrap().into_iter().map(|m| m.name).collect();
        assert!(names.is_empty() || names == ["INBOX"], "{names:?}");
        assert_eq!(self.engine.stats().unwrap().messages, 0);
    }

    /// Lets time pass in silence until the connection closes or the time is over.
    fn waits(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        while let Some(due) = self.connection.poll_timeout().filter(|due| *due <= end) {
            let due = due.max(self.now.mono_ms);
            self.pass(due - self.now.mono_ms);
            self.connection.handle_timeout(self.now).unwrap();
            self.drain();
        }
        self.pass(end - self.now.mono_ms);
    }

    fn pass(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.wall_ms += ms as i64;
    }
}

fn plain_server(count: u32) -> ModelServer {
    filled(Tier::Everything, count)
}

fn filled(tier: Tier, count: u32) -> ModelServer {
    let server = ModelServer::new(tier);
    for n in 1..=count {
        server.deliver("INBOX", mail(n));
    }
    server
}

/// A peer that asks for STARTTLS before a session of the model server, and can say more on the way.
struct TlsFront {
    inner: Session,
    output: Vec<u8>,
    before: &'static str,
    encrypted: bool,
}

impl TlsFront {
    fn new(mut inner: Session, before: &'static str) -> TlsFront {
        let _ = inner.take();
        TlsFront { inner, output: STARTTLS.into(), before, encrypted: false }
    }
}

impl Peer for TlsFront {
    fn receive(&mut self, bytes: &[u8]) {
        if self.encrypted {
            return self.inner.receive(bytes);
        }
        let said = String::from_utf8_lossy(bytes);
        let tag = said.strip_suffix(" STARTTLS\r\n").expect("nothing else is said in the clear");
        self.output.extend(format!("{}{tag} OK begin\r\n", self.before).bytes());
        self.encrypted = true;
    }

    fn take(&mut self) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.output);
        out.extend(self.inner.take());
        out
    }

    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }
}

fn sync_over_starttls(host: &mut Host) -> Result<SyncSummary, Error> {
    let request = host.connect().sync(SyncScope::account());
    while !host.events.iter().any(|e| matches!(e, Event::StartTls)) {
        assert!(host.turn(), "{}", host.said());
    }
    let now = host.now;
    host.connect().handle_tls_started(now, None).unwrap();
    host.run_request(request)
}

/// The time that something takes.
fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn time_of_sync(host: &mut Host) -> Duration {
    timed(|| {
        host.sync_all();
    })
}

/// Four times the work costs less than ten times the time; the best of three runs counts.
#[track_caller]
fn assert_linear(what: &str, n: usize, mut work: impl FnMut(usize)) {
    let (mut one, mut four) = (TIME, TIME);
    for _ in 0..3 {
        one = one.min(timed(|| work(n)));
        four = four.min(timed(|| work(4 * n)));
        // Under this the clock and the machine are what is measured.
        if four < one.max(Duration::from_millis(100)) * 10 {
            return;
        }
    }
    panic!("{what}: {n} took {one:?}, four times as many {four:?}");
}

// Before and around TLS.

#[test]
fn note_29_what_comes_in_the_clear_behind_starttls_ends_the_connection() {
    let injected = [
        "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
        "* LIST () \"/\" Evil\r\n",
        "x OK signed in\r\n",
        "+ \r\n",
        "\r\n",
        "*",
        "\0",
    ];
    for more in injected {
        for in_one_piece in [true, false] {
            let mut wire = Wire::new(Security::StartTls).gives(credentials());
            let tag = wire.hears(STARTTLS).expects("STARTTLS");
            if in_one_piece {
                wire.hears(format!("{tag} OK begin\r\n{more}"));
            } else {
                wire.hears(format!("{tag} OK begin\r\n"));
                wire.hears(more);
            }
            wire.assert_protocol_error(more);
            wire.assert_nothing_secret(more);
            wire.assert_nothing_stored();
            assert!(wire.connection.handle_tls_started(wire.now, None).is_err(), "it is over");
        }
    }
}

#[test]
fn note_29_what_a_server_could_before_tls_is_forgotten() {
    let mut wire = Wire::new(Security::StartTls).gives(credentials());
    let tag = wire.hears(STARTTLS).expects("STARTTLS");
    wire.hears(format!("* CAPABILITY IMAP4rev1 AUTH=LOGIN LITERAL+\r\n{tag} OK begin\r\n"));
    wire.tls();
    let tag = wire.expects("CAPABILITY");
    wire.assert_nothing_secret("before the question is answered");
    wire.hears(format!("* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n{tag} OK done\r\n"));
    assert!(matches!(wire.closed(), Some(Some(Error::LoginImpossible(_)))), "{:?}", wire.events);
    wire.assert_nothing_secret("nothing fits what is offered now");
}

#[test]
fn note_29_no_starttls_means_no_login() {
    for answer in ["NO not today", "BAD what is that"] {
        let mut wire = Wire::new(Security::StartTls).gives(credentials());
        let tag = wire.hears(SAFE).expects("STARTTLS");
        wire.hears(format!("{tag} {answer}\r\n"));
        assert!(matches!(wire.closed(), Some(Some(Error::LoginImpossible(_)))), "{:?}", wire.events);
        wire.assert_nothing_secret(answer);
    }
}

#[test]
fn note_45_only_our_tag_answers_starttls_and_only_when_asked() {
    for answer in ["* OK begin TLS now\r\n", "x OK begin\r\n", "+ begin\r\n"] {
        let mut wire = Wire::new(Security::StartTls).gives(credentials());
        wire.hears(STARTTLS).expects("STARTTLS");
        wire.hears(answer);
        assert!(!wire.events.iter().any(|e| matches!(e, Event::StartTls)), "{answer}");
        assert!(wire.connection.handle_tls_started(wire.now, None).is_err(), "{answer}");
        wire.assert_nothing_secret(answer);
    }
    // Over TLS from the first byte nothing starts it again.
    let mut wire = Wire::new(Security::Tls).gives(credentials());
    wire.hears("x OK begin TLS now\r\n");
    wire.assert_protocol_error("an answer before the greeting");
    assert!(wire.sent.is_empty());
}

#[test]
fn note_30_preauth_where_starttls_was_required_is_refused() {
    for greeting in ["* PREAUTH welcome\r\n", "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome\r\n"] {
        let mut wire = Wire::new(Security::StartTls).gives(credentials());
        wire.hears(format!("{greeting}* LIST () \"/\" Evil\r\n"));
        assert!(matches!(wire.closed(), Some(Some(Error::LoginImpossible(_)))), "{:?}", wire.events);
        assert!(wire.sent.is_empty(), "{}", wire.said());
        wire.assert_nothing_stored();
    }
}

#[test]
fn note_30_a_listing_before_tls_is_ignored() {
    let server = plain_server(2);
    let far = server.clone();
    let before = "* LIST () \"/\" Evil\r\n* STATUS Evil (MESSAGES 9 UIDNEXT 10 UIDVALIDITY 1)\r\n\
                  * 9 EXISTS\r\n* 1 FETCH (UID 1 FLAGS (\\Deleted) RFC822.SIZE 3)\r\n* ENABLED QRESYNC\r\n";
    let mut host = Host::with_peers(move || Box::new(TlsFront::new(far.session(), before)))
        .knobs(|k| k.secure = false)
        .settings(|s| s.security = Security::StartTls);
    sync_over_starttls(&mut host).unwrap();
    support::assert_in_step(&host.engine, host.account, &server);
}

#[test]
fn note_30_a_listing_before_the_login_is_ignored() {
    for tier in [Tier::Condstore, Tier::Everything] {
        let server = filled(tier, 2);
        let mut host = Host::new(&server);
        host.sync_all();
        host.drop_connection();
        // The list is asked for in one flight with the login: what comes before the OK is no answer to it.
        saying(
            &server,
            "AUTHENTICATE",
            "* LIST () \"/\" Evil\r\n* LIST (\\NonExistent) \"/\" INBOX\r\n* 9 EXISTS\r\n",
        );
        host.sync_all();
        host.assert_in_step();
    }
}

#[test]
fn note_30_no_referral_is_followed() {
    let referral = "[REFERRAL imap://ann;AUTH=*@evil.example.net/]";
    let mut wire = Wire::new(Security::Tls).gives(credentials());
    wire.hears(format!("* BYE {referral} go there\r\n"));
    assert!(matches!(wire.closed(), Some(Some(Error::Disconnected(_)))), "{:?}", wire.events);
    assert!(wire.sent.is_empty());
    let mut wire = Wire::new(Security::Tls).gives(credentials());
    let tag = wire.hears(SAFE).expects("AUTHENTICATE PLAIN");
    wire.hears(format!("* NO [ALERT] go to evil.example.net\u{7}\r\n{tag} NO {referral} go there\r\n"));
    assert!(matches!(wire.closed(), Some(Some(Error::LoginRefused(_)))), "{:?}", wire.events);
    let alert = wire.events.iter().find_map(|e| match e {
        Event::Alert { text } => Some(text.clone()),
        _ => None,
    });
    let alert = alert.expect("a person may see it");
    assert!(alert.contains("evil.example.net") && !alert.contains('\u{7}'), "{alert}");
    assert_eq!(wire.said().matches("AUTHENTICATE").count(), 1);
    // A referral in an OK changes nothing.
    let server = plain_server(2);
    server.quirk(move |_, line| quirks::replace(line, " OK ", &format!(" OK {referral} ")));
    let mut host = Host::new(&server);
    let _ = host.try_sync(SyncScope::account());
    server.behave();
    host.drop_connection();
    host.sync_all();
    host.assert_in_step();
}

#[test]
fn note_46_a_greeting_that_is_none_is_never_followed_by_a_login() {
    let greetings: &[&[u8]] = &[
        b"* NO go away\r\n",
        b"* BAD go away\r\n",
        b"* BYE go away\r\n",
        b"* 1 EXISTS\r\n",
        b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
        b"* LIST () \"/\" Evil\r\n",
        b"a1 OK hello\r\n",
        b"+ hello\r\n",
        b"+OK POP3 ready\r\n",
        b"220 smtp ready\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x15\x03\x03\x00\x02\x02\x46\r\n",
        b"\0\0\0\0\r\n",
        b"\r\n",
        b"*\r\n",
        b"* OK",
    ];
    for greeting in greetings {
        let mut wire = Wire::new(Security::Tls).gives(credentials());
        let what = String::from_utf8_lossy(greeting);
        wire.hears(greeting);
        assert!(wire.sent.is_empty(), "{what}: {}", wire.said());
        if !greeting.ends_with(b"\n") {
            // Half a greeting is none; what is behind it does not help.
            wire.waits(10 * 60_000);
        }
        assert!(wire.connection.is_closed(), "{what}: {:?}", wire.events);
        assert!(matches!(wire.closed(), Some(Some(_))), "{what}");
        assert!(wire.sent.is_empty(), "{what}");
        wire.assert_nothing_stored();
    }
}

#[test]
fn note_46_every_state_has_a_deadline() {
    // Silence from some command on; the name of what is waited for.
    let silent_after = |verb: &'static str, bodies: BodyPolicy, tier: Tier| {
        let server = filled(tier, 3);
        let mut silent = false;
        server.quirk(move |command, line| {
            silent |= command == verb;
            if silent { Vec::new() } else { line }
        });
        let mut host = Host::new(&server).settings(|s| s.bodies = bodies);
        let request = host.connect().sync(SyncScope::account());
        host.quiesce();
        let due = host.deadline().unwrap_or_else(|| panic!("{verb}: no deadline"));
        assert!(due <= host.now.mono_ms + 10 * 60_000, "{verb}: {due}");
        assert!(host.run_request(request).is_err(), "{verb}");
        assert!(matches!(host.closed(), Some(Some(Error::TimedOut))), "{verb}: {:?}", host.closed());
    };
    for (tier, verb) in [
        (Tier::Bare, "greeting"),
        (Tier::Bare, "CAPABILITY"),
        (Tier::Bare, "LOGIN"),
        (Tier::Everything, "AUTHENTICATE"),
        (Tier::Everything, "LIST"),
        (Tier::Bare, "LIST"),
        (Tier::Bare, "LSUB"),
        (Tier::Everything, "EXAMINE"),
        (Tier::Bare, "UID FETCH"),
    ] {
        silent_after(verb, BodyPolicy::All, tier);
        silent_after(verb, BodyPolicy::None, tier);
    }
}

#[test]
fn note_46_starttls_and_the_handshake_have_deadlines() {
    let mut wire = Wire::new(Security::StartTls).gives(credentials());
    let tag = wire.hears(STARTTLS).expects("STARTTLS");
    assert!(wire.connection.poll_timeout().is_some(), "STARTTLS is sent");
    wire.hears(format!("{tag} OK begin\r\n"));
    assert!(wire.connection.poll_timeout().is_some(), "the handshake is awaited");
    wire.waits(30 * 60_000);
    assert!(matches!(wire.closed(), Some(Some(Error::TimedOut))), "{:?}", wire.events);
    let mut wire = Wire::new(Security::StartTls).gives(credentials());
    wire.hears(STARTTLS);
    wire.waits(30 * 60_000);
    assert!(matches!(wire.closed(), Some(Some(Error::TimedOut))), "{:?}", wire.events);
    wire.assert_nothing_secret("silence");
}

#[test]
fn note_46_idle_and_logout_have_deadlines() {
    let server = plain_server(1);
    let mut host = Host::new(&server);
    host.sync_all();
    let inbox = host.inbox();
    host.connect().watch([inbox]);
    host.quiesce();
    assert_eq!(server.take_log().last().map(String::as_str), Some("IDLE"));
    server.quirk(|_, _| Vec::new());
    let due = host.deadline().expect("IDLE is renewed in time");
    assert!(due <= host.now.mono_ms + 29 * 60_000);
    // DONE is not answered.
    host.pass_ms(40 * 60_000);
    assert!(matches!(host.closed(), Some(Some(Error::TimedOut))), "{:?}", host.closed());
    // LOGOUT is not answered, and the connection stays.
    let mut wire = Wire::new(Security::Tls).gives(credentials());
    let tag = wire.hears(SAFE).expects("AUTHENTICATE");
    let request = wire.connection.logout();
    wire.drain();
    wire.hears(format!("{tag} OK [CAPABILITY IMAP4rev1] in\r\n"));
    assert!(wire.connection.poll_timeout().is_some());
    wire.waits(30 * 60_000);
    assert!(wire.closed().is_some(), "{request:?} {:?}", wire.events);
}

#[test]
fn note_46_a_logout_is_done_when_the_server_only_closes() {
    let server = plain_server(1);
    let mut host = Host::new(&server);
    host.sync_all();
    server.quirk(|_, _| Vec::new());
    let request = host.connect().logout();
    while host.turn() {}
    assert!(matches!(host.closed(), Some(None)), "{:?}", host.closed());
    let done = host.events.iter().any(|e| matches!(e, Event::Done { request: r, .. } if *r == request));
    assert!(done, "its request never ends: {:?}", host.events);
}

#[test]
fn note_46_a_quiet_spell_does_not_make_the_next_command_late() {
    let server = plain_server(2);
    let mut host = Host::new(&server);
    host.sync_all();
    host.pass_ms(3 * 3_600_000);
    server.quirk(|_, _| Vec::new());
    host.connect().sync(SyncScope::account());
    host.quiesce();
    // A wish carries no time: the host is asked to tell it, and then it is clear when the answer is due.
    host.pass_ms(1);
    let due = host.deadline().expect("a command waits for its answer");
    assert!(due > host.now.mono_ms, "it was sent just now, and is late by {} ms", host.now.mono_ms - due);
}

// Framing and time.

#[test]
fn note_31_absurd_literals_are_errors_before_any_allocation() {
    let before = address_space();
    for len in ["4294967296", "-1", "18446744073709551616", "99999999999999999999999999", "1073741825"] {
        for item in ["BODY[] {", "BODY[HEADER.FIELDS (DATE)] {", "ENVELOPE (\"x\" {", "X-ODD {"] {
            let server = plain_server(3);
            let line = format!("* 1 FETCH (UID 1 {item}{len}}}\r\nabc");
            let mut once = true;
            server.quirk(move |command, rest| match command {
                "UID FETCH" if std::mem::take(&mut once) => [line.as_bytes(), &rest].concat(),
                _ => rest,
            });
            let mut host = Host::new(&server);
            assert!(host.try_sync(SyncScope::account()).is_err(), "{item}{len}");
            assert!(matches!(host.closed(), Some(Some(Error::Protocol(_)))), "{:?}", host.closed());
            server.behave();
            host.sync_all();
            host.assert_in_step();
        }
        let mut wire = Wire::new(Security::Tls).gives(credentials());
        wire.hears(format!("* LIST () \"/\" {{{len}}}\r\n"));
        assert!(wire.connection.is_closed(), "{len} in place of the greeting");
        assert!(wire.sent.is_empty());
    }
    assert!(address_space() < before + (900 << 20), "memory grew by a number that the server named");
}

#[test]
fn note_31_a_message_announced_and_not_sent_costs_nothing() {
    let before = address_space();
    let server = plain_server(2);
    server.quirk(|_, line| match find(&line, b"BODY[] {") {
        Some(at) => [&line[..at], b"BODY[] {1073741823}\r\nabc".as_slice()].concat(),
        None => line,
    });
    let mut host = Host::new(&server);
    assert!(host.try_sync(SyncScope::account()).is_err());
    assert!(matches!(host.closed(), Some(Some(Error::TimedOut))), "{:?}", host.closed());
    assert!(address_space() < before + (900 << 20));
    server.behave();
    host.sync_all();
    host.assert_in_step();
}

/// The most address space that this process has had, where the system tells.
fn address_space() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmPeak:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) << 10
}

#[test]
fn note_39_endless_lines_end_at_the_bound() {
    let piece = vec![b'a'; 1 << 20];
    let mut greeting = Wire::new(Security::Tls).gives(credentials());
    greeting.hears("* OK ");
    let mut taken = 0;
    while !greeting.connection.is_closed() {
        greeting.hears(&piece);
        taken += 1;
        assert!(taken <= 17, "an endless greeting");
    }
    greeting.assert_protocol_error("an endless greeting");
    assert!(greeting.sent.is_empty());
    for begin in ["* OK ", "* SEARCH ", "* 1 FETCH (FLAGS (", "* LIST () \"/\" \"", "* 1 FETCH (BODY[] \""] {
        let server = plain_server(2);
        let piece = piece.clone();
        server.quirk(move |command, line| match command {
            "UID FETCH" if line.starts_with(b"*") => [begin.as_bytes(), &piece.repeat(17)].concat(),
            _ => line,
        });
        let mut host = Host::new(&server);
        assert!(host.try_sync(SyncScope::account()).is_err(), "{begin}");
        assert!(matches!(host.closed(), Some(Some(Error::Protocol(_)))), "{begin}: {:?}", host.closed());
        server.behave();
        host.sync_all();
        host.assert_in_step();
    }
}

#[test]
fn note_39_one_octet_a_minute_is_no_progress() {
    for text in [SAFE.replace("ready", &"very ".repeat(300)), "* BYE ".repeat(100)] {
        let mut wire = Wire::new(Security::Tls).gives(credentials());
        for octet in text.bytes() {
            wire.waits(60_000);
            if wire.connection.is_closed() {
                break;
            }
            wire.hears([octet]);
        }
        assert!(matches!(wire.closed(), Some(Some(Error::TimedOut))), "{:?}", wire.events);
        assert!(wire.sent.is_empty());
        assert!(wire.now.mono_ms < 60 * 60_000, "an hour of it is enough");
    }
}

/// A session whose server sends the first part at once and the rest one octet a minute.
fn trickled(rest_from: &'static [u8]) {
    let server = plain_server(0);
    server.deliver("INBOX", Mail::new(1).attachment(30_000).build());
    let mut session = server.session();
    let engine = support::host::open(MemoryStorage::new()).unwrap();
    let account = engine.add_account(AccountSettings::imap("test", "mail.example.org", "ann")).unwrap();
    let mut connection = engine.connect(account, ConnectionOptions::new([7; 32], true)).unwrap();
    connection.provide_credentials(credentials()).unwrap();
    connection.sync(SyncScope::account());
    let (mut now, mut closed) = (Now::new(1_000, 1_768_867_200_000), None);
    let mut drain = |connection: &mut Connection, session: &mut Session| {
        loop {
            if let Some(bytes) = connection.poll_transmit() {
                session.receive(&bytes);
            } else if let Some(event) = connection.poll_event() {
                if let Event::Closed { error } = event {
                    closed = error;
                }
            } else {
                break;
            }
        }
    };
    drain(&mut connection, &mut session);
    let mut slow = Vec::new();
    while slow.is_empty() {
        let bytes = session.take();
        let fast = find(&bytes, rest_from).map_or(bytes.len(), |at| at + rest_from.len());
        slow = bytes[fast..].to_vec();
        connection.handle_input(now, &bytes[..fast]).unwrap();
        drain(&mut connection, &mut session);
    }
    for octet in &slow {
        now = Now::new(now.mono_ms + 60_000, now.wall_ms + 60_000);
        connection.handle_timeout(now).unwrap();
        drain(&mut connection, &mut session);
        if connection.is_closed() {
            break;
        }
        connection.handle_input(now, &[*octet]).unwrap();
        drain(&mut connection, &mut session);
    }
    assert!(matches!(closed, Some(Error::TimedOut)), "{closed:?}");
    assert!(now.mono_ms < 48 * 3_600_000, "{} octets an hour went on for days", 60);
}

#[test]
fn note_39_a_body_at_one_octet_a_minute_ends() {
    trickled(b"BODY[] {");
    trickled(b"Content-Type: multipart/mixed");
}

#[test]
fn note_40_answers_to_nothing_end_the_connection_and_lose_nothing() {
    let twice = |line: &[u8]| line.repeat(2);
    let unknown = |line: &[u8]| [b"zz99 OK done\r\n", line].concat();
    let stray = |line: &[u8]| [b"+ go on\r\n", line].concat();
    let wrong: [(&str, Rewrite); 3] =
        [("a double answer", twice), ("an unknown tag", unknown), ("a stray continuation", stray)];
    for tier in [Tier::Bare, Tier::Everything] {
        for (what, change) in wrong {
            for verb in ["LIST", "EXAMINE", "UID FETCH"] {
                let server = filled(tier, 4);
                server.create("Lists");
                server.deliver("Lists", mail(9));
                server.quirk(
                    move |command, line| {
                        if command == verb && !line.starts_with(b"*") { change(&line) } else { line }
                    },
                );
                let mut host = Host::new(&server);
                host.label = format!("{tier:?} {what} {verb}");
                assert!(host.try_sync(SyncScope::account()).is_err(), "{}", host.label);
                host.quiesce();
                let closed = host.closed();
                assert!(matches!(closed, Some(Some(Error::Protocol(_)))), "{}: {closed:?}", host.label);
                // What was told to be stored is there, and the store is whole.
                let stored = host.snapshot();
                server.behave();
                host.sync_all();
                host.assert_in_step();
                let after = host.snapshot();
                for mailbox in &stored.mailboxes {
                    for message in &mailbox.messages {
                        assert_eq!(after.mailbox(&mailbox.name).uid(message.uid).id, message.id);
                    }
                }
            }
        }
    }
}

#[test]
fn note_40_answers_before_and_during_the_login_end_it() {
    for answer in ["x OK signed in\r\n", "x NO\r\n", "* PREAUTH in\r\n"] {
        let mut wire = Wire::new(Security::Tls).gives(credentials());
        let tag = wire.hears("* OK [CAPABILITY IMAP4rev1] ready\r\n").expects("LOGIN");
        wire.hears(answer);
        let alive = !wire.connection.is_closed();
        assert!(!wire.events.iter().any(|e| matches!(e, Event::Authenticated)), "{answer}");
        assert!(!alive || answer.starts_with('*'), "{answer}");
        // The same answer twice.
        let mut wire = Wire::new(Security::Tls).gives(credentials());
        let same = wire.hears("* OK [CAPABILITY IMAP4rev1] ready\r\n").expects("LOGIN");
        assert_eq!(tag, same);
        wire.hears(format!("{tag} OK in\r\n{tag} OK in\r\n"));
        wire.assert_protocol_error("two answers");
    }
}

#[test]
fn note_43_every_connection_goes_on_where_the_last_one_broke() {
    for tier in [Tier::Bare, Tier::Everything] {
        let server = ModelServer::new(tier);
        server.create("Lists");
        for n in 1..=12 {
            server.deliver("INBOX", Mail::new(n).attachment(n as usize * 200).build());
            server.deliver("Lists", mail(100 + n));
        }
        // What a connection costs before the first octet of mail, with room for one range of it.
        let mut done = Host::new(&server);
        done.sync_all();
        done.drop_connection();
        let handshake = {
            done.received.clear();
            done.sync_all();
            done.received[0]
        };
        for k in (handshake + 2_500..handshake + 6_000).step_by(487) {
            let mut host = Host::new(&server).knobs(|knobs: &mut Knobs| knobs.cut_every = Some(k));
            host.label = format!("{tier:?}, {k} octets a connection");
            host.sync_all();
            host.assert_in_step();
            let total: u64 = host.received.iter().sum();
            let connections = host.received.len();
            let whole: u64 = done.snapshot().mailboxes.iter().flat_map(|m| &m.messages).map(|m| m.size).sum();
            assert!(
                connections < 150,
                "{}: {connections} connections, {total} octets of {whole}",
                host.label
            );
            assert!(host.take_new_mail().is_empty(), "{}: the first sync's mail is not new", host.label);
            // And news under the same conditions comes once.
            server.deliver("INBOX", Mail::new(50).attachment(9_000).build());
            host.sync_all();
            host.assert_in_step();
            assert_eq!(host.take_new_mail().len(), 1, "{}", host.label);
            let gone = *server.uids("INBOX").last().unwrap();
            server.expunge("INBOX", &[gone]);
            host.sync_all();
            host.assert_in_step();
        }
    }
}

// Numbers that lie.

/// Lines said in front of the next tagged answer to a kind of command.
fn saying(server: &ModelServer, verb: &'static str, lines: &'static str) {
    let mut left = 1;
    server.quirk(move |command, line| {
        if command == verb && !line.starts_with(b"*") && left > 0 {
            left -= 1;
            return [lines.as_bytes(), &line].concat();
        }
        line
    });
}

#[test]
fn note_33_data_that_nobody_asked_for_is_ignored() {
    let unasked = [
        "* 1 FETCH (UID 999999 FLAGS (\\Deleted) RFC822.SIZE 5 BODY[] {5}\r\nhello)\r\n",
        "* 0 FETCH (UID 2 FLAGS (\\Deleted) BODY[] {5}\r\nhello)\r\n",
        "* 77 FETCH (UID 2 FLAGS (\\Deleted) BODY[] {5}\r\nhello)\r\n",
        "* 4294967295 FETCH (UID 4294967295 FLAGS (\\Deleted))\r\n",
        "* 1 FETCH (BODY[] {5}\r\nhello)\r\n",
        "* 2 FETCH (UID 2 BODY[] {5}\r\nhello)\r\n",
        "* 2 FETCH (UID 2 BODY[]<3> {2}\r\nhe)\r\n",
        "* 0 EXPUNGE\r\n",
        "* 4294967295 EXPUNGE\r\n",
    ];
    for tier in Tier::ALL {
        for lines in unasked {
            for verb in ["EXAMINE", "UID FETCH"] {
                let server = filled(tier, 5);
                saying(&server, verb, lines);
                let mut host = Host::new(&server);
                host.label = format!("{tier:?} {verb} {lines}");
                host.sync_all();
                assert_rows(&host, &server);
                host.drop_connection();
                server.deliver("INBOX", mail(6));
                saying(&server, verb, lines);
                host.sync_all();
                assert_rows(&host, &server);
                server.behave();
                host.drop_connection();
                host.sync_all();
                host.assert_in_step();
            }
        }
    }
}

/// INBOX holds the server's messages and no others, and what is here of each, flags too, is the server's.
#[track_caller]
fn assert_rows(host: &Host, server: &ModelServer) {
    let (here, there) = (host.snapshot(), support::server_snapshot(server));
    let (here, there) = (here.mailbox("INBOX"), there.mailbox("INBOX"));
    assert_eq!(here.uids(), there.uids(), "{}\n{}", host.label, host.said());
    for (message, far) in here.messages.iter().zip(&there.messages) {
        assert_eq!(message.subject, far.subject, "{}", host.label);
        assert_eq!(message.flags, far.flags, "{}: {}", host.label, message.uid);
        assert!(message.raw.is_none() || message.raw == far.raw, "{}: {}", host.label, message.uid);
    }
}

#[test]
fn note_33_an_answer_for_uid_zero_names_no_message() {
    for tier in Tier::ALL {
        let server = filled(tier, 5);
        saying(&server, "UID FETCH", "* 3 FETCH (UID 0 FLAGS (\\Deleted))\r\n");
        let mut host = Host::new(&server);
        host.sync_all();
        host.assert_in_step();
    }
}

#[test]
fn note_34_an_expunge_flood_heals() {
    for tier in [Tier::Bare, Tier::Condstore, Tier::Everything] {
        let server = filled(tier, 5);
        let mut host = Host::new(&server);
        host.sync_all();
        let before = host.snapshot();
        server.deliver("INBOX", mail(6));
        let mut left = 1;
        server.quirk(move |_, line| {
            let tagged = !line.starts_with(b"*") && left > 0;
            if tagged {
                left -= 1;
                return [b"* 1 EXPUNGE\r\n".repeat(100_000), line].concat();
            }
            line
        });
        assert!(time_of_sync(&mut host) < TIME);
        host.sync_all();
        host.assert_in_step();
        for message in &before.mailbox("INBOX").messages {
            assert_eq!(host.snapshot().mailbox("INBOX").uid(message.uid).id, message.id, "{tier:?}");
        }
    }
}

/// A mailbox of `n` messages is told by a scan and loses them one by one.
#[test]
fn note_34_an_expunge_flood_takes_linear_time() {
    assert_linear("EXPUNGE", 60_000, |n| {
        let server = filled(Tier::Bare, 3);
        let mut once = true;
        server.quirk(move |command, line| {
            if command == "UID FETCH" && line.starts_with(b"*") && std::mem::take(&mut once) {
                let mut out = format!("* {n} EXISTS\r\n").into_bytes();
                for i in 1..=n {
                    let _ = write!(out, "* {i} FETCH (UID {} FLAGS ())\r\n", i + 1_000);
                }
                out.extend(b"* 1 EXPUNGE\r\n".repeat(n));
                out.extend(b"* 3 EXISTS\r\n");
                return [out, line].concat();
            }
            line
        });
        let mut host = Host::new(&server);
        let _ = host.try_sync(SyncScope::account());
    });
}

#[test]
fn note_34_an_exists_of_all_numbers_is_verified() {
    let before = address_space();
    for tier in Tier::ALL {
        let server = filled(tier, 5);
        server.quirk(|command, line| match command {
            "EXAMINE" if line.ends_with(b" EXISTS\r\n") => b"* 4294967295 EXISTS\r\n".to_vec(),
            _ => line,
        });
        let mut host = Host::new(&server);
        assert!(time_of_sync(&mut host) < TIME, "{tier:?}");
        assert!(!host.take_problems().is_empty(), "{tier:?}: the count is wrong, and it is said");
        assert_rows(&host, &server);
        server.behave();
        host.drop_connection();
        host.sync_all();
        host.assert_in_step();
        assert_eq!(host.take_problems(), Vec::<String>::new(), "{tier:?}");
    }
    assert!(address_space() < before + (900 << 20));
}

#[test]
fn note_35_the_widest_vanished_is_verified_and_never_counted_out() {
    for tier in [Tier::Qresync, Tier::Everything] {
        for vanished in ["* VANISHED (EARLIER) 1:4294967295\r\n", "* VANISHED 1:4294967295\r\n"] {
            for verb in ["EXAMINE", "UID FETCH", "LIST"] {
                let server = filled(tier, 5);
                let mut host = Host::new(&server);
                host.label = format!("{tier:?} {verb} {vanished}");
                host.sync_all();
                host.drop_connection();
                let before = host.snapshot();
                server.take_body_octets();
                server.set_flags("INBOX", 2, &["\\Seen"]);
                saying(&server, verb, vanished);
                assert!(time_of_sync(&mut host) < TIME, "{}", host.label);
                server.behave();
                host.sync_all();
                host.assert_in_step();
                for message in &before.mailbox("INBOX").messages {
                    let after = host.snapshot();
                    assert_eq!(after.mailbox("INBOX").uid(message.uid).id, message.id, "{}", host.label);
                }
                assert_eq!(server.take_body_octets(), 0, "{}", host.label);
            }
        }
    }
}

#[test]
fn note_35_the_widest_search_answer_is_a_range() {
    let server = filled(Tier::Everything, 5);
    server.quirk(|command, line| match command {
        "UID SEARCH" if line.starts_with(b"* ESEARCH") => match find(&line, b" ALL ") {
            Some(at) => [&line[..at], b" ALL 1:4294967295\r\n".as_slice()].concat(),
            None => line,
        },
        _ => line,
    });
    let mut host = Host::new(&server).settings(|s| s.window = Window::LastDays(30));
    assert!(time_of_sync(&mut host) < TIME);
    assert_rows(&host, &server);
}

#[test]
fn note_41_uids_that_repeat_within_one_answer_hurt_no_message() {
    for tier in Tier::ALL {
        let server = filled(tier, 5);
        server.quirk(|command, line| match command {
            "UID FETCH" | "FETCH" => quirks::replace(line, "(UID 2 ", "(UID 1 "),
            _ => line,
        });
        let mut host = Host::new(&server);
        host.label = format!("{tier:?}");
        let _ = host.try_sync(SyncScope::account());
        // One row at most for the number; what is here whole is a message that the server has.
        let here = host.snapshot();
        let sent: Vec<_> =
            support::server_snapshot(&server).mailboxes.iter().flat_map(|m| m.messages.clone()).collect();
        for message in here.mailboxes.iter().flat_map(|m| &m.messages) {
            let found = sent.iter().any(|far| far.raw == message.raw && far.subject == message.subject);
            assert!(message.raw.is_none() || found, "{tier:?}: {message:?}");
        }
        assert!(!host.take_problems().is_empty(), "{tier:?}: nobody says that a message is missing");
        server.behave();
        host.drop_connection();
        host.sync_all();
        assert_eq!(host.snapshot().mailbox("INBOX").uids(), [1, 2, 3, 4, 5], "{tier:?}");
    }
}

#[test]
fn note_41_the_right_body_under_a_number_that_repeats_once() {
    // The lie is told once; with the next sync every number has its own message again.
    for tier in Tier::ALL {
        let server = filled(tier, 5);
        let mut once = true;
        server.quirk(move |command, line| {
            let lies = command == "UID FETCH" && find(&line, b"(UID 2 ").is_some() && once;
            once &= !lies;
            if lies { quirks::replace(line, "(UID 2 ", "(UID 1 ") } else { line }
        });
        let mut host = Host::new(&server);
        let _ = host.try_sync(SyncScope::account());
        server.behave();
        host.drop_connection();
        host.sync_all();
        host.assert_in_step();
    }
}

#[test]
fn note_41_another_size_for_the_same_number_is_no_other_message() {
    for tier in Tier::ALL {
        let server = filled(tier, 4);
        server.quirk(|command, line| match (command, find(&line, b"RFC822.SIZE ")) {
            ("UID FETCH", Some(_)) => {
                let lie = quirks::replace(line.clone(), "RFC822.SIZE ", "RFC822.SIZE 9");
                [line, lie].concat()
            }
            _ => line,
        });
        let mut host = Host::new(&server);
        host.sync_all();
        host.assert_in_step();
    }
}

#[test]
fn note_41_sizes_beyond_all_numbers() {
    for size in ["4294967296", "9223372036854775807", "18446744073709551615", "18446744073709551616"] {
        for bodies in [BodyPolicy::All, BodyPolicy::None] {
            let server = plain_server(4);
            server.quirk(move |_, line| match find(&line, b"RFC822.SIZE ") {
                Some(at) => {
                    let rest = at + 12;
                    let digits = line[rest..].iter().take_while(|b| b.is_ascii_digit()).count();
                    [&line[..rest], size.as_bytes(), &line[rest + digits..]].concat()
                }
                None => line,
            });
            let mut host = Host::new(&server).settings(|s| s.bodies = bodies);
            host.sync_all();
            assert_rows(&host, &server);
            let inbox = host.engine.mailbox(host.inbox()).unwrap();
            assert!(inbox.size < 1 << 53, "{size}: {} octets in the mailbox", inbox.size);
            for row in host.engine.messages(inbox.id, None, 10).unwrap().rows {
                assert!(row.size < 1 << 53, "{size}: {}", row.size);
            }
        }
    }
}

#[test]
fn note_41_descending_answers_are_as_good() {
    for tier in Tier::ALL {
        let server = filled(tier, 6);
        let mut held: Vec<Vec<u8>> = Vec::new();
        server.quirk(move |command, line| {
            if command.ends_with("FETCH") && find(&line, b" FETCH (").is_some() {
                held.push(line);
                return Vec::new();
            }
            held.reverse();
            [std::mem::take(&mut held).concat(), line].concat()
        });
        let mut host = Host::new(&server);
        host.sync_all();
        host.assert_in_step();
        server.expunge("INBOX", &[2, 4]);
        host.sync_all();
        host.assert_in_step();
    }
}

#[test]
fn note_44_wild_internal_dates_are_kept_within_reason() {
    let long = format!("\"{}\"", "1".repeat(60_000));
    let dates = [
        "\"01-Jan-0000 00:00:00 +0000\"",
        "\"31-Dec-9999 23:59:59 +9999\"",
        "\"99-Foo-99999 99:99:99 +0000\"",
        "\"\"",
        "NIL",
        "\"1\"",
        "\"31-Feb-2026 25:61:61 -9999\"",
        long.as_str(),
    ];
    for date in dates {
        for bodies in [BodyPolicy::All, BodyPolicy::None] {
            let server = plain_server(3);
            let date = date.to_owned();
            server.quirk(move |_, line| match find(&line, b"INTERNALDATE \"") {
                Some(at) => {
                    let end = at + 14 + line[at + 14..].iter().position(|b| *b == b'"').unwrap() + 1;
                    [&line[..at + 13], date.as_bytes(), &line[end..]].concat()
                }
                None => line,
            });
            let mut host = Host::new(&server).settings(|s| s.bodies = bodies);
            host.sync_all();
            assert_rows(&host, &server);
            for message in &host.snapshot().mailbox("INBOX").messages {
                // The years 1 to 9999 hold every date that a person is shown.
                let ms = message.internal_ms;
                assert!((-62_200_000_000_000..=253_500_000_000_000).contains(&ms), "{ms}");
                assert_eq!(message.raw.is_some(), bodies == BodyPolicy::All);
            }
        }
    }
}

// Names and strings.

#[test]
fn note_36_credentials_never_end_their_line() {
    let wild = ["a\r\nx LOGOUT\r\n", "a\nx LOGOUT", "a\rb", "a\" \"b\\", "{3}\r\nabc", "a{5}", "ünï", ""];
    for capabilities in ["IMAP4rev1", "IMAP4rev1 LITERAL+", "IMAP4rev1 LITERAL-"] {
        for text in wild {
            let server = ModelServer::with_capabilities(capabilities);
            server.deliver("INBOX", mail(1));
            server.change().user = text.into();
            server.change().password = text.into();
            let mut host = Host::new(&server);
            host.label = format!("{capabilities} {text:?}");
            host.knobs.answer_credentials = false;
            let given =
                Credentials::Password { user: text.into(), authzid: None, password: Secret::new(text) };
            host.connect().provide_credentials(given).unwrap();
            let request = host.connect().sync(SyncScope::account());
            let ended = host.run_request(request);
            host.check_but_literals(capabilities);
            let log = server.take_log();
            assert!(!log.iter().any(|c| c.contains("LOGOUT")), "{}: {log:?}", host.label);
            match ended {
                // It came exactly as it was given.
                Ok(_) => host.assert_in_step(),
                // Or was refused before anything was sent.
                Err(_) => assert!(!log.iter().any(|c| c == "LOGIN"), "{}: {log:?}", host.label),
            }
        }
    }
}

trait Keeps {
    fn check_but_literals(&self, capabilities: &str);
}

impl Keeps for Host {
    /// The model server reads LITERAL- as no leave for `{n+}`; what short ones may be is another test's.
    #[track_caller]
    fn check_but_literals(&self, capabilities: &str) {
        if !capabilities.contains("LITERAL-") {
            self.check();
        }
    }
}

#[test]
fn note_36_a_nul_in_credentials_is_refused() {
    for (user, password) in [("ann\0x", "secret"), ("ann", "sec\0ret")] {
        for greeting in
            [SAFE, "* OK [CAPABILITY IMAP4rev1] ready\r\n", "* OK [CAPABILITY AUTH=CRAM-MD5] hi\r\n"]
        {
            let mut wire = Wire::new(Security::Tls).gives(Credentials::Password {
                user: user.into(),
                authzid: None,
                password: Secret::new(password),
            });
            wire.hears(greeting);
            assert!(!wire.sent.contains(&0), "{:?}", wire.said());
            assert!(wire.closed().is_some() || !wire.said().contains("LOGIN"), "{}", wire.said());
            // PLAIN parts its fields with NUL: a fourth field would be another person's.
            if let Some((_, initial)) = wire.said().split_once("PLAIN ") {
                let message = from_base64(initial.trim_end().as_bytes()).unwrap();
                assert_eq!(message.iter().filter(|b| **b == 0).count(), 2, "{}", wire.said());
            }
        }
    }
}

/// A mailbox of this name beside INBOX, sent as a literal.
fn with_mailbox(tier: Tier, name: &str) -> ModelServer {
    let server = filled(tier, 2);
    server.create(name);
    server.deliver(name, mail(9));
    let quoted = format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
    let literal = format!("{{{}}}\r\n{name}", name.len());
    server.quirk(move |command, line| match command {
        "LIST" | "LSUB" | "STATUS" => quirks::replace(line, &quoted, &literal),
        _ => line,
    });
    server
}

#[test]
fn note_36_a_mailbox_name_with_line_ends_is_sent_back_and_injects_nothing() {
    for tier in Tier::ALL {
        for name in ["A\r\nx LOGOUT\r\n", "A\nx LOGOUT", "\r\n", "A\" x \\", "A\r", "{3}", "A{3+}"] {
            let server = with_mailbox(tier, name);
            let mut host = Host::new(&server);
            host.label = format!("{tier:?} {name:?}");
            host.sync_all();
            assert!(!server.take_log().iter().any(|c| c.starts_with("LOGOUT")), "{}", host.label);
            let here = host.snapshot();
            assert_eq!(here.mailboxes.len(), 2, "{}", host.label);
            for mailbox in &here.mailboxes {
                let want = if mailbox.name == "INBOX" { 2 } else { 1 };
                assert_eq!(mailbox.messages.len(), want, "{}: {}", host.label, mailbox.name);
                assert!(!mailbox.name.chars().any(char::is_control), "{}: {:?}", host.label, mailbox.name);
            }
        }
    }
}

#[test]
fn note_36_a_mailbox_name_with_nul_keeps_nothing_else_from_coming() {
    for tier in Tier::ALL {
        let server = with_mailbox(tier, "A\0B");
        let mut host = Host::new(&server);
        host.label = format!("{tier:?}");
        let synced = host.try_sync(SyncScope::account());
        assert!(!host.transcript.contains(&0) || !host.sent_nul(), "{tier:?}");
        assert_eq!(host.snapshot().mailbox("INBOX").messages.len(), 2, "{tier:?}: {synced:?}");
        host.drop_connection();
        server.deliver("INBOX", mail(3));
        let synced = host.try_sync(SyncScope::account());
        assert_eq!(host.snapshot().mailbox("INBOX").messages.len(), 3, "{tier:?}: {synced:?}");
        assert!(synced.is_ok(), "{tier:?}: {synced:?}");
    }
}

trait SentNul {
    fn sent_nul(&self) -> bool;
}

impl SentNul for Host {
    fn sent_nul(&self) -> bool {
        self.transcript.split(|b| *b == b'\n').any(|l| l.starts_with(b"C: ") && l.contains(&0))
    }
}

#[test]
fn note_37_hostile_mailbox_names_are_opaque_and_shown_escaped() {
    let long = "n".repeat(64 << 10);
    let fits = "n".repeat(4_000);
    let names = [
        "../../etc/passwd",
        "..",
        "/",
        "C:\\CON",
        "a\u{7}b\u{1b}[31m",
        "&",
        "&AAA",
        "&AAoADQ-",
        "&IC4-txt.exe",
        "&2AA-",
        "a&-b",
        "Entw\u{fc}rfe",
        "\u{202e}gpj",
        "   ",
        "a  ",
        "*",
        "%",
        "NIL",
        "inbox/x",
        &fits,
        &long,
    ];
    for tier in [Tier::Bare, Tier::Everything] {
        for name in names {
            let server = with_mailbox(tier, name);
            let mut host = Host::new(&server);
            host.label = format!("{tier:?} {}", &name[..name.len().min(40)]);
            host.sync_all();
            let here = host.snapshot();
            assert_eq!(here.mailbox("INBOX").messages.len(), 2, "{}", host.label);
            let other = here.mailboxes.iter().find(|m| m.name != "INBOX");
            let Some(other) = other else {
                assert!(name.len() > 4_096, "{}: it is missing", host.label);
                continue;
            };
            assert_eq!(other.messages.len(), 1, "{}: opened under its own name", host.label);
            let shown = &other.name;
            assert!(!shown.contains(|c: char| c.is_control() || c == '\u{202e}'), "{shown:?}");
            // Nothing is downloaded twice because of the name.
            server.take_body_octets();
            host.drop_connection();
            host.sync_all();
            assert_eq!(server.take_body_octets(), 0, "{}", host.label);
            assert_eq!(host.snapshot(), here, "{}", host.label);
        }
    }
}

#[test]
fn note_47_literals_go_only_as_offered() {
    let password = "a\r\nb";
    let long = format!("\r\n{}", "p".repeat(5_000));
    for (capabilities, password, pipelined) in [
        ("IMAP4rev1", password, false),
        ("IMAP4rev1 LITERAL+", password, true),
        ("IMAP4rev1 LITERAL-", password, true),
        ("IMAP4rev1 LITERAL+", &long, true),
        ("IMAP4rev1 LITERAL-", &long, false),
    ] {
        let given =
            Credentials::Password { user: "ann".into(), authzid: None, password: Secret::new(password) };
        let mut wire = Wire::new(Security::Tls).gives(given);
        wire.hears(format!("* OK [CAPABILITY {capabilities}] ready\r\n"));
        let said = wire.said();
        let len = password.len();
        if pipelined {
            assert!(said.contains(&format!("{{{len}+}}\r\n{password}\r\n")), "{capabilities}: {said:?}");
        } else {
            assert!(said.ends_with(&format!("{{{len}}}\r\n")), "{capabilities}: {said:?}");
            // Not before it is asked for, and nothing else than what was announced.
            wire.hears("+ go on\r\n");
            assert!(wire.said()[said.len()..].starts_with(&format!("{password}\r\n")), "{capabilities}");
        }
    }
    // Refused instead of asked for: the rest is not sent.
    let given = Credentials::Password { user: "ann".into(), authzid: None, password: Secret::new(password) };
    let mut wire = Wire::new(Security::Tls).gives(given);
    let tag = wire.hears("* OK [CAPABILITY IMAP4rev1] ready\r\n").expects("LOGIN");
    let before = wire.sent.len();
    wire.hears(format!("{tag} BAD no\r\n"));
    assert!(!wire.said()[before..].contains(password), "{}", wire.said());
    assert!(wire.closed().is_some());
}

#[test]
fn note_48_small_literals_are_bounded_and_linear() {
    let fetch = |n: usize| {
        let mut line = b"* 1 FETCH (UID 1 X-LIST (".to_vec();
        line.extend(b"{1}\r\nx ".repeat(n));
        line.extend(b"{0}\r\n))\r\n");
        line
    };
    assert_linear("literals", 2_000, |n| {
        let server = plain_server(2);
        let lines = fetch(n);
        let mut once = true;
        server.quirk(move |command, line| match command {
            "UID FETCH" if std::mem::take(&mut once) => [lines.clone(), line].concat(),
            _ => line,
        });
        let mut host = Host::new(&server).knobs(|k| k.chunk = 1_000);
        host.sync_all();
        host.assert_in_step();
    });
    let server = plain_server(2);
    server.quirk(move |command, line| match command {
        "UID FETCH" => [fetch(10_000), line].concat(),
        _ => line,
    });
    let mut host = Host::new(&server);
    assert!(host.try_sync(SyncScope::account()).is_err());
    assert!(matches!(host.closed(), Some(Some(Error::Protocol(_)))), "{:?}", host.closed());
}

#[test]
fn note_38_a_compressed_bomb_ends_the_connection() {
    for repeats in [false, true] {
        let mut wire = Wire::with(Security::Tls, |s| s.compress = true).gives(credentials());
        let capabilities = "IMAP4rev1 SASL-IR AUTH=PLAIN COMPRESS=DEFLATE";
        let tag = wire.hears(format!("* OK [CAPABILITY {capabilities}] ready\r\n")).expects("AUTHENTICATE");
        wire.hears(format!("{tag} OK [CAPABILITY {capabilities}] in\r\n"));
        let tag = wire.expects("COMPRESS DEFLATE");
        wire.hears(format!("{tag} OK now\r\n"));
        assert!(!wire.connection.is_closed());
        // One endless line, or short ones without end: each far more than was sent.
        let plain = if repeats { b"* OK hello\r\n".repeat(6_000_000 / 12) } else { vec![b'a'; 6_000_000] };
        let mut deflater = flate2::Compress::new(flate2::Compression::best(), false);
        let (mut sent, mut made) = (0, 0usize);
        while !wire.connection.is_closed() && made < 600 << 20 {
            let mut out = Vec::with_capacity(1 << 20);
            deflater.compress_vec(&plain, &mut out, flate2::FlushCompress::Sync).unwrap();
            made += plain.len();
            sent += out.len();
            wire.hears(&out);
        }
        wire.assert_protocol_error(&format!("{made} octets out of {sent}"));
        assert!(made <= 200 << 20, "{made} octets were taken");
    }
}

#[test]
fn note_59_scram_counts_are_capped_and_proofs_are_checked() {
    let begin = || {
        let mut wire = Wire::new(Security::Tls).gives(credentials());
        let tag = wire.hears("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256] ready\r\n").command();
        let initial = tag.1.strip_prefix("AUTHENTICATE SCRAM-SHA-256 ").expect("the strongest").to_owned();
        let first = String::from_utf8(from_base64(initial.as_bytes()).unwrap()).unwrap();
        let nonce = first.rsplit_once("r=").unwrap().1.to_owned();
        (wire, tag.0, nonce)
    };
    for count in ["4294967295", "1000001", "99999999999999999999", "1", "0", "-1"] {
        let (mut wire, _, nonce) = begin();
        let challenge = format!("r={nonce}x,s=QSXC,i={count}");
        let time = timed(|| {
            wire.hears(format!("+ {}\r\n", base64(challenge.as_bytes())));
        });
        assert!(matches!(wire.closed(), Some(Some(Error::LoginImpossible(_)))), "{count}: {:?}", wire.events);
        assert!(time < Duration::from_secs(4), "{count}: {time:?}");
        assert!(!wire.said().contains("secret"));
    }
    // OK without proof, or with a wrong one, is an impostor's.
    for proof in [None, Some("v=d3Jvbmc=")] {
        let (mut wire, tag, nonce) = begin();
        let challenge = format!("r={nonce}x,s=QSXCR+Q6sek8bf92,i=4096");
        wire.hears(format!("+ {}\r\n", base64(challenge.as_bytes())));
        if let Some(proof) = proof {
            wire.hears(format!("+ {}\r\n", base64(proof.as_bytes())));
        }
        wire.hears(format!("{tag} OK welcome\r\n* LIST () \"/\" Evil\r\n"));
        assert!(matches!(wire.closed(), Some(Some(Error::LoginImpossible(_)))), "{:?}", wire.events);
        assert!(!wire.events.iter().any(|e| matches!(e, Event::Authenticated)));
        wire.assert_nothing_stored();
    }
}

// Messages.

/// Each message comes, whole and to the octet; the store is whole; with and without bodies.
fn keeps(messages: Vec<Vec<u8>>) -> Vec<Host> {
    let (mut hosts, last) = (Vec::new(), mail(99));
    for bodies in [BodyPolicy::All, BodyPolicy::None] {
        let server = ModelServer::new(Tier::Everything);
        for raw in &messages {
            server.deliver("INBOX", raw.clone());
        }
        server.deliver("INBOX", mail(99));
        let mut host = Host::new(&server).settings(|s| s.bodies = bodies);
        host.sync_all();
        let ids: Vec<MessageId> =
            host.snapshot().mailbox("INBOX").messages.iter().map(|m| MessageId(m.id)).collect();
        assert_eq!(ids.len(), messages.len() + 1);
        for id in ids {
            let request = host.connect().fetch(id);
            host.run_request(request).unwrap();
            host.engine.message(id).unwrap();
            host.engine.text(id).unwrap();
        }
        let here = host.snapshot();
        let bodies: Vec<_> = here.mailbox("INBOX").messages.iter().map(|m| m.raw.as_deref()).collect();
        let sent = messages.iter().map(Vec::as_slice).chain([last.as_slice()]).map(Some).collect::<Vec<_>>();
        assert!(bodies == sent, "the octets are the server's");
        hosts.push(host);
    }
    hosts
}

fn message_of(host: &Host, uid: u32) -> mailkeep::Message {
    let id = host.snapshot().mailbox("INBOX").uid(uid).id;
    host.engine.message(MessageId(id)).unwrap()
}

#[test]
fn note_32_a_structure_100_000_deep_leaves_a_degraded_row() {
    for tier in [Tier::Bare, Tier::Everything] {
        let server = filled(tier, 3);
        let deep = format!("BODYSTRUCTURE {}", "(".repeat(100_000));
        let shut = format!("{} ", ")".repeat(100_000));
        for closed in [true, false] {
            let (deep, shut) = (deep.clone(), shut.clone());
            server.quirk(move |_, line| {
                let whole = if closed { format!("{deep}{shut}X (") } else { deep.clone() };
                match find(&line, b"(UID 2 ") {
                    Some(_) => quirks::replace(line, "BODYSTRUCTURE (", &whole),
                    None => line,
                }
            });
            let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::None);
            assert!(time_of_sync(&mut host) < TIME);
            assert_rows(&host, &server);
            let subjects: Vec<_> =
                host.snapshot().mailbox("INBOX").messages.iter().map(|m| m.subject.clone()).collect();
            assert_eq!(subjects, ["Message 1", "Message 2", "Message 3"], "{tier:?}");
            let id = MessageId(host.snapshot().mailbox("INBOX").uid(2).id);
            let request = host.connect().fetch(id);
            host.run_request(request).unwrap();
            assert_eq!(host.engine.body(id, 0, u64::MAX).unwrap(), Some(mail(2)), "{tier:?}");
        }
    }
}

#[test]
fn note_32_messages_within_messages_without_end() {
    let inside = b"Content-Type: message/rfc822\r\n\r\n".repeat(100_000);
    let raw = [b"Subject: deep\r\n".as_slice(), &inside].concat();
    for host in keeps(vec![raw]) {
        let message = message_of(&host, 1);
        assert_eq!(message.row.summary.subject, "deep");
        assert!(message.row.summary.degraded);
    }
}

/// A multipart nested so deep; its leaf says so.
fn nested(depth: usize) -> Vec<u8> {
    let mut raw = b"Subject: nested\r\n".to_vec();
    for level in 0..depth {
        let _ =
            write!(raw, "Content-Type: multipart/mixed; boundary=\"b{level:03}\"\r\n\r\n--b{level:03}\r\n");
    }
    raw.extend(b"Content-Type: text/plain\r\n\r\nat the bottom\r\n");
    for level in (0..depth).rev() {
        let _ = write!(raw, "--b{level:03}--\r\n");
    }
    raw
}

#[test]
fn note_49_sixty_four_levels_are_accepted_and_more_are_kept() {
    let hosts = keeps(vec![nested(8), nested(63), nested(200)]);
    for host in &hosts {
        for (uid, depth) in [(1, 8), (2, 63)] {
            let message = message_of(host, uid);
            assert_eq!(message.details.parts.len(), 1, "{depth} levels");
            assert_eq!(message.details.parts[0].number, vec!["1"; depth].join("."));
            assert!(!message.row.summary.degraded, "{depth} levels");
        }
        assert_eq!(message_of(host, 3).row.summary.subject, "nested");
    }
    // By the server's word alone, before any body is here.
    let server = ModelServer::new(Tier::Everything);
    server.deliver("INBOX", nested(63));
    let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::None);
    host.sync_all();
    assert_eq!(message_of(&host, 1).details.parts[0].number, vec!["1"; 63].join("."));
    assert_eq!(host.take_problems(), Vec::<String>::new());
}

#[test]
fn note_42_monstrous_headers_are_kept_and_linear() {
    let begin = b"Subject: odd\r\n";
    let kinds: [(&str, Make); 5] = [
        ("one long field", |n| [b"X-Long: ".as_slice(), &vec![b'a'; n], b"\r\n\r\nx"].concat()),
        ("many fields", |n| [b"X-A: b\r\n".repeat(n / 8), b"\r\nx".to_vec()].concat()),
        ("one folded field", |n| {
            [b"To: a@b.c".to_vec(), b",\r\n a@b.c".repeat(n / 9), b"\r\n\r\nx".to_vec()].concat()
        }),
        ("encoded words", |n| {
            [b"X-W: ".to_vec(), b"=?utf-8?q?a?= ".repeat(n / 14), b"\r\n\r\nx".to_vec()].concat()
        }),
        ("one line of text", |n| [b"\r\n".as_slice(), &vec![b'x'; n]].concat()),
    ];
    for (what, make) in kinds {
        assert_linear(what, 1 << 20, |n| {
            let raw = [begin.as_slice(), &make(n)].concat();
            for bodies in [BodyPolicy::All, BodyPolicy::None] {
                let server = ModelServer::new(Tier::Everything);
                server.deliver("INBOX", raw.clone());
                server.deliver("INBOX", mail(2));
                let mut host = Host::new(&server).settings(|s| s.bodies = bodies);
                host.sync_all();
                assert_rows(&host, &server);
                assert_eq!(host.snapshot().mailbox("INBOX").uid(1).subject, "odd", "{what}");
            }
        });
    }
}

#[test]
fn note_42_ten_megabytes_and_100_000_of_everything() {
    let headers = [b"Subject: ten\r\n".to_vec(), b"X-Field: text\r\n".repeat(700_000)].concat();
    assert!(headers.len() > 10 << 20);
    let line = [b"Subject: line\r\n\r\n".as_slice(), &vec![b'x'; 50 << 20]].concat();
    let mut parts = b"Subject: parts\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n".to_vec();
    parts.extend(b"--x\r\n\r\na\r\n".repeat(100_000));
    parts.extend(b"--x--\r\n");
    for (raw, subject) in [(headers, "ten"), (line, "line"), (parts, "parts")] {
        let server = ModelServer::new(Tier::Bare);
        server.deliver("INBOX", mail(1));
        server.deliver("INBOX", raw);
        let mut host = Host::new(&server);
        let time = time_of_sync(&mut host);
        assert!(time < TIME, "{subject}: {time:?}");
        host.assert_in_step();
        let message = message_of(&host, 2);
        assert_eq!(message.row.summary.subject, subject);
        assert!(message.details.parts.len() <= 1_000);
    }
}

#[test]
fn note_42_odd_octets_are_kept_as_they_are() {
    keeps(vec![
        b"Subject: nul\0nul\r\n\r\na\0b\r\n".to_vec(),
        b"Subject: bare\n\ntext\nmore\n".to_vec(),
        b"Subject: cr\r\rtext\rmore\r".to_vec(),
        b"Subject: \xfc\xe4\xff\xfe\r\n\r\n\x80\x81\r\n".to_vec(),
        b"Subject: charset\r\nContent-Type: text/plain; charset=x-no-such\r\n\r\n\xc3\xa4\r\n".to_vec(),
        b"Subject: utf-7\r\nContent-Type: text/plain; charset=utf-7\r\n\r\n+AAA-+2AA-\r\n".to_vec(),
        b"Subject: =?utf-16?b?2AA=?= =?x?y?z?=\r\n\r\n".to_vec(),
        b"Subject: b64\r\nContent-Transfer-Encoding: base64\r\n\r\n====!!!!\0\r\n".to_vec(),
        b"Subject: text\r\n\r\n* 5 EXPUNGE\r\nx OK done\r\n+ \r\n{5}\r\n".to_vec(),
    ]);
}

#[test]
fn note_57_empty_and_headerless_messages_are_stored_as_they_are() {
    let hosts = keeps(vec![
        Vec::new(),
        b"\r\n".to_vec(),
        b"\n".to_vec(),
        b"\r\nonly text\r\n".to_vec(),
        b"no header at all".to_vec(),
        b": \r\n".to_vec(),
        b" folded\r\n".to_vec(),
        b"Subject: header only".to_vec(),
        b"\0".to_vec(),
    ]);
    for host in hosts {
        assert_eq!(message_of(&host, 8).row.summary.subject, "header only");
    }
    for tier in Tier::ALL {
        let server = ModelServer::new(tier);
        server.deliver("INBOX", Vec::new());
        server.deliver("INBOX", b"x".to_vec());
        let mut host = Host::new(&server);
        host.sync_all();
        host.assert_in_step();
        server.take_body_octets();
        host.sync_all();
        host.drop_connection();
        host.sync_all();
        host.assert_in_step();
        assert_eq!(server.take_body_octets(), 0, "{tier:?}: an empty message is not asked for again");
    }
}

#[test]
fn note_58_address_bombs_are_bounded() {
    let bombs: [Make; 6] = [
        |n| format!("To: {}\r\n", "a@b.c, ".repeat(n / 7)).into_bytes(),
        |n| format!("From: {}\r\n", "\"".repeat(n)).into_bytes(),
        |n| format!("From: {}\r\n", "\"a <".repeat(n / 4)).into_bytes(),
        |n| format!("Cc: {}\r\n", "(".repeat(n)).into_bytes(),
        |n| format!("Bcc: {}\r\n", "g:".repeat(n / 2)).into_bytes(),
        |n| format!("Reply-To: {}\r\n", "<".repeat(n)).into_bytes(),
    ];
    for (at, bomb) in bombs.into_iter().enumerate() {
        assert_linear(&format!("bomb {at}"), 200_000, |n| {
            let raw = [b"Subject: boom\r\n".to_vec(), bomb(n), b"\r\ntext\r\n".to_vec()].concat();
            for bodies in [BodyPolicy::All, BodyPolicy::None] {
                let server = ModelServer::new(Tier::Everything);
                server.deliver("INBOX", raw.clone());
                let mut host = Host::new(&server).settings(|s| s.bodies = bodies);
                host.sync_all();
                let message = message_of(&host, 1);
                assert_eq!(message.row.summary.subject, "boom");
                let (summary, details) = (&message.row.summary, &message.details);
                for list in
                    [&summary.from, &summary.to, &details.to, &details.cc, &details.bcc, &details.reply_to]
                {
                    assert!(list.len() <= 200, "{}", list.len());
                    let octets: usize =
                        list.iter().map(|a| a.address.len() + a.name.as_ref().map_or(0, String::len)).sum();
                    assert!(octets <= 1 << 20, "{octets} octets of addresses");
                }
            }
        });
    }
}

#[test]
fn note_54_attachment_names_are_never_paths() {
    let names = [
        "../../../etc/passwd",
        "..\\\\..\\\\boot.ini",
        "/etc/passwd",
        "C:\\\\x.exe",
        "CON",
        "nul.txt",
        "..",
        ".",
        "",
        "...",
        "a/b",
        ".bashrc",
        "=?utf-8?q?..=2F..=2Fx?=",
        "=?utf-8?q?a=00b?=",
        "x.txt\u{202e}gpj.exe",
    ];
    for name in names {
        let raw = format!(
            "Subject: named\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\ntext\r\n--x\r\n\
             Content-Type: application/octet-stream; name=\"{name}\"\r\n\
             Content-Disposition: attachment; filename=\"{name}\"\r\n\r\ndata\r\n--x--\r\n"
        );
        for bodies in [BodyPolicy::All, BodyPolicy::None] {
            let server = ModelServer::new(Tier::Everything);
            server.deliver("INBOX", raw.clone().into_bytes());
            let mut host = Host::new(&server).settings(|s| s.bodies = bodies);
            host.sync_all();
            let message = message_of(&host, 1);
            assert_eq!(message.details.parts.len(), 2, "{name}");
            for part in &message.details.parts {
                let safe = part.safe_file_name();
                let path = std::path::Path::new(&safe);
                assert_eq!(path.components().count(), 1, "{name}: {safe:?}");
                assert!(
                    matches!(path.components().next(), Some(std::path::Component::Normal(_))),
                    "{safe:?}"
                );
                assert!(
                    !safe.contains(['/', '\\', ':', '\0', '\u{202e}']) && !safe.starts_with('.'),
                    "{safe:?}"
                );
                assert!(!safe.chars().any(char::is_control) && safe.len() <= 200, "{safe:?}");
                let stem = safe.split('.').next().unwrap().to_ascii_uppercase();
                assert!(!["CON", "NUL", "AUX", "PRN", "COM1", "LPT1"].contains(&stem.as_str()), "{safe:?}");
            }
        }
    }
}
