//! What particular servers do, by the numbers of [the catalogue](catalogue.md).

mod support;

use std::cell::RefCell;
use std::rc::Rc;

use mailkeep::sasl::{Credentials, Secret};
use mailkeep::{BodyPolicy, ConnectionOptions, Error, Event, Role, Security, SyncScope, Window};
use support::host::credentials;
use support::session::Session;
use support::{FarSide, Host, Mail, ModelServer, Peer, Script, Snapshot, Tier, mail, quirks};

both! {
    note_12_bodies_are_asked_for_as_sections_only,
    note_16_search_names_no_charset,
    note_62_a_watched_mailbox_deleted_under_us,
}

/// INBOX with five messages, Sent with one, Lists with three.
fn server<S: FarSide>(tier: Tier) -> S {
    let server = S::new(tier);
    fill(&server);
    server
}

fn fill<S: FarSide>(server: &S) {
    server.create("Sent");
    server.create("Lists");
    for n in 1..=4 {
        server.deliver("INBOX", mail(n));
    }
    server.deliver("INBOX", Mail::new(5).attachment(3_000).build());
    server.deliver_with("Sent", mail(20), &["\\Seen"], None);
    for n in 30..=32 {
        server.deliver_with("Lists", mail(n), &["\\Seen", "work"], None);
    }
}

fn is_tagged(line: &[u8]) -> bool {
    !line.starts_with(b"*") && !line.starts_with(b"+")
}

fn has(line: &[u8], text: &str) -> bool {
    quirks::find(line, text.as_bytes()).is_some()
}

/// Every kind of change by another client.
fn change(server: &ModelServer) {
    server.set_flags("INBOX", 2, &["\\Flagged"]);
    server.set_flags("Lists", 1, &["work", "\\Answered"]);
    server.expunge("INBOX", &[4]);
    server.move_message("Lists", 2, "Sent");
    server.deliver("INBOX", Mail::new(90).attachment(2_000).build());
}

/// A first sync and two after changes, with what the server does on; the store is in step after each,
/// and no body came twice.
fn lives_with(server: &ModelServer, label: &str) -> Host {
    let (host, octets) = goes_through(server, label);
    let new = Mail::new(90).attachment(2_000).build().len() as u64;
    assert_eq!(octets, new, "{label}: only the new body");
    host
}

/// As [`lives_with`], and how many octets of bodies came with the changes.
fn goes_through(server: &ModelServer, label: &str) -> (Host, u64) {
    let mut host = Host::new(server);
    host.label = format!("{label}, first");
    host.sync_all();
    host.assert_in_step();
    server.take_body_octets();
    host.drop_connection();
    change(server);
    host.label = format!("{label}, second");
    host.sync_all();
    host.assert_in_step();
    let octets = server.take_body_octets();
    server.expunge("INBOX", &[1]);
    server.set_flags("INBOX", 3, &["\\Seen"]);
    host.label = format!("{label}, on the open connection");
    host.sync_all();
    host.assert_in_step();
    (host, octets)
}

/// Everything whole, now.
fn fetch_all(host: &mut Host) {
    let all = host.engine.mailboxes(host.account).unwrap();
    let scope = SyncScope::only(all.into_iter().map(|m| m.id)).with_bodies(BodyPolicy::All);
    host.try_sync(scope).unwrap();
}

fn ids(snapshot: &Snapshot, mailbox: &str) -> Vec<(u32, u64)> {
    snapshot.mailbox(mailbox).messages.iter().map(|m| (m.uid, m.id)).collect()
}

fn position(log: &[String], verb: &str) -> usize {
    log.iter().position(|c| c.starts_with(verb)).unwrap_or_else(|| panic!("{verb} in {log:?}"))
}

/// What is done with bytes on their way.
type Passes = Box<dyn FnMut(&mut Session, Pass) -> Vec<u8>>;

/// A session, and what to do with what goes either way.
struct Tap {
    session: Session,
    passes: Passes,
}

enum Pass {
    FromClient(Vec<u8>),
    FromServer(Vec<u8>),
}

impl Peer for Tap {
    fn receive(&mut self, bytes: &[u8]) {
        let bytes = (self.passes)(&mut self.session, Pass::FromClient(bytes.to_vec()));
        self.session.receive(&bytes);
    }

    fn take(&mut self) -> Vec<u8> {
        let bytes = self.session.take();
        (self.passes)(&mut self.session, Pass::FromServer(bytes))
    }

    fn is_closed(&self) -> bool {
        self.session.is_closed()
    }
}

/// A host whose every connection goes through a tap.
fn tapped(server: &ModelServer, mut make: impl FnMut() -> Passes + 'static) -> Host {
    let far = server.clone();
    Host::with_peers(move || Box::new(Tap { session: far.session(), passes: make() }))
}

fn note_12_bodies_are_asked_for_as_sections_only<S: FarSide>() {
    for tier in Tier::ALL {
        let server = server::<S>(tier);
        let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::None);
        host.sync_all();
        let id = host.engine.messages(host.inbox(), None, 1).unwrap().rows[0].id;
        let request = host.connect().fetch(id);
        host.run_request(request).unwrap();
        fetch_all(&mut host);
        host.assert_in_step();
        let log = server.take_log();
        assert!(log.iter().any(|c| c.contains("BODY.PEEK[]")), "{tier:?}");
        for command in log {
            let rest = command.replace("RFC822.SIZE", "");
            assert!(!rest.contains("RFC822"), "{tier:?}: {command}");
        }
    }
}

#[test]
fn note_12_a_malformed_vanished_is_made_up_for() {
    for tier in [Tier::Qresync, Tier::Everything] {
        for (from, to) in [
            ("VANISHED (EARLIER) ", "VANISHED EARLIER "),
            ("VANISHED (EARLIER) ", "VANISHED (EARLIER) :"),
            ("VANISHED (EARLIER) ", "VANISHED (EARLIER)\r\n* VANISHED "),
            ("VANISHED ", "VANISHED"),
        ] {
            let server = server::<ModelServer>(tier);
            server.quirk(move |_, line| quirks::replace(line, from, to));
            let mut host = lives_with(&server, &format!("{tier:?}, {to:?}"));
            // One goes and one comes: the count tells nothing.
            host.drop_connection();
            server.expunge("INBOX", &server.uids("INBOX")[..1]);
            server.deliver("INBOX", mail(96));
            host.sync_all();
            host.assert_in_step();
        }
    }
}

#[test]
fn note_12_capability_follows_a_login_that_does_not_tell() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        server.change().tells_capabilities = false;
        let mut host = lives_with(&server, &format!("{tier:?}"));
        host.drop_connection();
        server.take_log();
        host.sync_all();
        let log = server.take_log();
        let login = log.iter().position(|c| c.starts_with("LOGIN") || c.starts_with("AUTHENTICATE")).unwrap();
        assert!(log[login..].iter().any(|c| c == "CAPABILITY"), "{tier:?}: {log:?}");
    }
}

#[test]
fn note_13_sizes_that_lie_in_every_way() {
    for tier in Tier::ALL {
        for size in ["0", "1", "17", "4294967295", "5000000000"] {
            let server = server::<ModelServer>(tier);
            server.quirk(move |_, line| {
                let Some(at) = quirks::find(&line, b"RFC822.SIZE ") else { return line };
                let len = line[at + 12..].iter().take_while(|b| b.is_ascii_digit()).count();
                [&line[..at + 12], size.as_bytes(), &line[at + 12 + len..]].concat()
            });
            // What moved cannot be known again by a size that is not its own; that it comes is enough.
            goes_through(&server, &format!("{tier:?}, {size}"));
        }
    }
}

#[test]
fn note_13_a_size_that_lies_does_not_end_a_body_that_was_cut() {
    let server = ModelServer::new(Tier::Everything);
    server.deliver("INBOX", Mail::new(1).attachment(1 << 20).build());
    server.quirk(|_, line| quirks::replace(line, "RFC822.SIZE 1", "RFC822.SIZE 4"));
    let mut host = Host::new(&server).knobs(|k| k.cuts = vec![200_000, 500_000, 700_000]);
    host.sync_all();
    host.assert_in_step();
}

#[test]
fn note_13_few_status_commands_are_in_flight() {
    // No LIST-STATUS: each mailbox is asked about by itself.
    let server = server::<ModelServer>(Tier::Condstore);
    for n in 0..80 {
        server.create(&format!("Box {n}"));
        server.deliver(&format!("Box {n}"), mail(100 + n));
    }
    let most = Rc::new(RefCell::new((0_i64, 0_i64)));
    let seen = most.clone();
    let mut host = tapped(&server, move || {
        let seen = seen.clone();
        let mut waiting = 0_i64;
        Box::new(move |_, pass| {
            let count = |bytes: &[u8], text: &str| {
                bytes.windows(text.len()).filter(|w| *w == text.as_bytes()).count() as i64
            };
            match pass {
                Pass::FromClient(bytes) => {
                    let asked = count(&bytes, " STATUS ");
                    waiting += asked;
                    let (largest, all) = *seen.borrow();
                    *seen.borrow_mut() = (largest.max(waiting), all + asked);
                    bytes
                }
                Pass::FromServer(bytes) => {
                    waiting -= count(&bytes, " OK told\r\n");
                    bytes
                }
            }
        })
    });
    host.sync_all();
    host.drop_connection();
    server.deliver("Box 7", mail(300));
    host.sync_all();
    support::assert_in_step(&host.engine, host.account, &server);
    let (largest, all) = *most.borrow();
    assert!(all >= 80, "{all} were asked");
    assert!(largest <= 25, "{largest} at once");
}

#[test]
fn note_13_codes_without_an_ok() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        server.quirk(|command, line| {
            let line = quirks::replace(line, "* OK [", "* [");
            if is_tagged(&line) && command.ends_with("FETCH") {
                return [b"* [NOTICE] nothing of note\r\n".to_vec(), line].concat();
            }
            // The greeting has to be one.
            if command == "greeting" { quirks::replace(line, "* [", "* OK [") } else { line }
        });
        let mut host = lives_with(&server, &format!("{tier:?}"));
        assert_eq!(host.take_problems(), Vec::<String>::new(), "{tier:?}");
    }
}

#[test]
fn note_15_id_goes_before_any_mailbox_is_opened() {
    let server = server::<ModelServer>(Tier::Everything);
    // A mailbox is refused to a client that has not named itself.
    let far = server.clone();
    server.quirk(move |command, line| {
        let named = far.look().log.iter().any(|c| c.starts_with("ID "));
        if command == "EXAMINE" && !named {
            return if is_tagged(&line) {
                quirks::replace(line, "OK [READ-ONLY] opened", "NO Unsafe Login")
            } else {
                Vec::new()
            };
        }
        line
    });
    let mut host = Host::new(&server);
    for _ in 0..3 {
        host.sync_all();
        host.assert_in_step();
        let log = server.take_log();
        assert!(position(&log, "ID ") < position(&log, "EXAMINE"), "{log:?}");
        server.deliver("INBOX", mail(50));
        host.drop_connection();
    }
    assert_eq!(host.take_problems(), Vec::<String>::new());
}

/// Answers AUTHENTICATE with `+` whether an initial response came or not, and takes the next line for it.
fn deaf_to_initial_responses() -> Passes {
    let mut asked = None;
    let mut ask = Vec::new();
    Box::new(move |_, pass| match pass {
        Pass::FromServer(bytes) => [bytes, std::mem::take(&mut ask)].concat(),
        Pass::FromClient(bytes) => {
            let mut out = Vec::new();
            for line in bytes.split_inclusive(|b| *b == b'\n') {
                let text = String::from_utf8_lossy(line).into_owned();
                if let Some((tag, _)) = text.split_once(" AUTHENTICATE PLAIN") {
                    asked = Some(tag.to_owned());
                    ask.extend_from_slice(b"+ \r\n");
                } else if let Some(tag) = asked.take() {
                    out.extend(format!("{tag} AUTHENTICATE PLAIN {}\r\n", text.trim_end()).bytes());
                } else {
                    out.extend_from_slice(line);
                }
            }
            out
        }
    })
}

#[test]
fn note_15_an_initial_response_that_is_not_heard() {
    let server = ModelServer::with_capabilities("IMAP4rev1 ID SASL-IR AUTH=PLAIN UIDPLUS XLIST");
    fill(&server);
    let mut host = tapped(&server, deaf_to_initial_responses);
    for _ in 0..3 {
        // A first connection may find out, and end; the next one has to know.
        if host.try_sync(SyncScope::account()).is_err() {
            host.sync_all();
        }
        support::assert_in_step(&host.engine, host.account, &server);
        host.drop_connection();
        server.deliver("INBOX", mail(60));
    }
}

fn note_16_search_names_no_charset<S: FarSide>() {
    for tier in Tier::ALL {
        let server = server::<S>(tier);
        let mut host = Host::new(&server).settings(|s| s.window = Window::LastDays(30));
        host.sync_all();
        host.assert_in_step();
        let log = server.take_log();
        let searches: Vec<&String> = log.iter().filter(|c| c.starts_with("UID SEARCH")).collect();
        assert!(!searches.is_empty(), "{tier:?}");
        assert!(searches.iter().all(|c| !c.contains("CHARSET")), "{tier:?}: {searches:?}");
    }
}

#[test]
fn note_17_mod_sequences_that_are_no_whole_numbers() {
    for tier in [Tier::Condstore, Tier::Qresync, Tier::Everything] {
        for value in ["-1", "9.3736e+06", "18446744073709551616", "", "NIL"] {
            for everywhere in [false, true] {
                let server = server::<ModelServer>(tier);
                server.quirk(move |_, line| {
                    let word: &[u8] = if line.starts_with(b"* OK [HIGHEST") && everywhere {
                        b"HIGHESTMODSEQ "
                    } else {
                        b"MODSEQ ("
                    };
                    let Some(at) = quirks::find(&line, word).map(|at| at + word.len()) else { return line };
                    let len = line[at..].iter().take_while(|b| b.is_ascii_digit()).count();
                    [&line[..at], value.as_bytes(), &line[at + len..]].concat()
                });
                lives_with(&server, &format!("{tier:?}, {value:?}, everywhere: {everywhere}"));
            }
        }
    }
}

#[test]
fn note_17_special_use_is_refused_in_list() {
    for answer in ["BAD", "NO"] {
        let server = server::<ModelServer>(Tier::Everything);
        let far = server.clone();
        server.quirk(move |command, line| {
            let asked = far.look().log.iter().rev().find(|c| c.starts_with("LIST")).cloned();
            if command != "LIST" || !asked.is_some_and(|c| c.contains("SPECIAL-USE")) {
                return line;
            }
            if is_tagged(&line) {
                quirks::replace(line, "OK listed", &format!("{answer} parse error"))
            } else {
                Vec::new()
            }
        });
        let host = lives_with(&server, answer);
        assert_eq!(host.snapshot().mailbox("Sent").role, Some(Role::Sent), "{answer}: by its name");
    }
}

#[test]
fn note_17_id_is_refused() {
    for answer in ["BAD syntax", "NO who are you"] {
        let server = server::<ModelServer>(Tier::Everything);
        server.quirk(move |command, line| match command {
            "ID" if !is_tagged(&line) => Vec::new(),
            "ID" => quirks::replace(line, "OK that is who", answer),
            _ => line,
        });
        lives_with(&server, answer);
        // The form that every server takes: pairs, none of them empty.
        let log = server.take_log();
        let id = &log[position(&log, "ID ")];
        assert!(id.contains("\"name\"") && !id.contains("()") && !id.contains("\"\""), "{id}");
    }
}

#[test]
fn note_19_structures_and_envelopes_that_cannot_be_read() {
    for tier in Tier::ALL {
        for (name, from, to) in [
            ("a word too many", "BODYSTRUCTURE (", "BODYSTRUCTURE (X "),
            ("a bare NIL", "BODYSTRUCTURE (", "BODYSTRUCTURE NIL X-REST ("),
            ("an empty list", "BODYSTRUCTURE (", "BODYSTRUCTURE () X-REST ("),
            ("an envelope cut short", "FLAGS (", "ENVELOPE (\"no date\" NIL) FLAGS ("),
            ("an envelope of numbers", "FLAGS (", "ENVELOPE (1 2 (3)) FLAGS ("),
        ] {
            let server = server::<ModelServer>(tier);
            server.quirk(move |_, line| quirks::replace(line, from, to));
            let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::None);
            host.label = format!("{tier:?}, {name}");
            host.sync_all();
            support::snapshot::assert_in_step_but_bodies(&host.engine, host.account, &server);
            let here = host.snapshot();
            assert_eq!(here.mailbox("INBOX").uid(3).subject, "Message 3", "{}: from the header", host.label);
            // And it can be read whole.
            fetch_all(&mut host);
            host.assert_in_step();
            assert_eq!(ids(&host.snapshot(), "INBOX"), ids(&here, "INBOX"), "{}", host.label);
        }
    }
}

#[test]
fn note_19_one_broken_answer_does_not_hide_the_rest() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        // Not even the line can be read, each time.
        server.quirk(|_, line| {
            if has(&line, "(UID 3 ") && has(&line, "BODYSTRUCTURE (") {
                return quirks::replace(line, "BODYSTRUCTURE (", "BODYSTRUCTURE ((((");
            }
            line
        });
        let mut host = Host::new(&server);
        host.sync_all();
        host.assert_in_step();
        host.drop_connection();
        host.sync_all();
        host.assert_in_step();
    }
}

/// What a connection driven by hand gave out.
fn drained(connection: &mut mailkeep::Connection) -> (String, Vec<Event>) {
    let mut sent = Vec::new();
    while let Some(bytes) = connection.poll_transmit() {
        sent.extend(bytes);
    }
    let events = std::iter::from_fn(|| connection.poll_event()).collect();
    (String::from_utf8_lossy(&sent).into_owned(), events)
}

/// The tag of the last command that names this verb.
fn tag_of(sent: &str, verb: &str) -> String {
    let line = sent.lines().rev().find(|l| l.split(' ').nth(1) == Some(verb));
    let line = line.unwrap_or_else(|| panic!("{verb} in {sent:?}"));
    line.split(' ').next().unwrap_or_default().to_owned()
}

/// A connection that is to be encrypted by STARTTLS.
fn to_be_encrypted() -> (Host, mailkeep::Connection) {
    let host = Host::new(&server::<ModelServer>(Tier::Bare)).settings(|s| s.security = Security::StartTls);
    let mut connection = host.engine.connect(host.account, ConnectionOptions::new([1; 32], false)).unwrap();
    connection.provide_credentials(credentials()).unwrap();
    connection.sync(SyncScope::account());
    (host, connection)
}

#[test]
fn note_29_bytes_between_starttls_and_tls_end_the_connection() {
    for injected in ["* OK injected\r\n", "x", "* PREAUTH hi\r\n"] {
        for at_once in [true, false] {
            let (host, mut connection) = to_be_encrypted();
            connection.handle_input(host.now, b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n").unwrap();
            let (sent, _) = drained(&mut connection);
            let ok = format!("{} OK begin\r\n", tag_of(&sent, "STARTTLS"));
            if at_once {
                connection.handle_input(host.now, format!("{ok}{injected}").as_bytes()).unwrap();
            } else {
                connection.handle_input(host.now, ok.as_bytes()).unwrap();
                drained(&mut connection);
                connection.handle_input(host.now, injected.as_bytes()).unwrap();
            }
            let (sent, events) = drained(&mut connection);
            let closed =
                events.iter().any(|e| matches!(e, Event::Closed { error: Some(Error::Protocol(_)) }));
            assert!(closed, "{injected:?}: {events:?}");
            assert_eq!(sent, "", "{injected:?}: nothing more is said");
        }
    }
}

#[test]
fn note_29_what_was_said_before_tls_is_forgotten() {
    let (host, mut connection) = to_be_encrypted();
    // A man in the middle offers what the server does not have, and lists a mailbox.
    let early = b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED SASL-IR AUTH=X-EVIL] hi\r\n";
    connection.handle_input(host.now, early).unwrap();
    let (sent, _) = drained(&mut connection);
    let ok = format!("* LIST () \"/\" Evil\r\n{} OK begin\r\n", tag_of(&sent, "STARTTLS"));
    connection.handle_input(host.now, ok.as_bytes()).unwrap();
    drained(&mut connection);
    connection.handle_tls_started(host.now, None).unwrap();
    let (sent, _) = drained(&mut connection);
    let answer = format!("* CAPABILITY IMAP4rev1\r\n{} OK told\r\n", tag_of(&sent, "CAPABILITY"));
    connection.handle_input(host.now, answer.as_bytes()).unwrap();
    let (sent, _) = drained(&mut connection);
    assert!(sent.contains(" LOGIN "), "what the server itself says holds: {sent}");
    assert!(host.engine.mailboxes(host.account).unwrap().iter().all(|m| m.name != "Evil"));
}

#[test]
fn note_30_preauth_where_starttls_was_required() {
    let (host, mut connection) = to_be_encrypted();
    connection.handle_input(host.now, b"* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n").unwrap();
    let (sent, events) = drained(&mut connection);
    let closed = events.iter().any(|e| matches!(e, Event::Closed { error: Some(Error::LoginImpossible(_)) }));
    assert!(closed, "{events:?}");
    assert_eq!(sent, "");
}

#[test]
fn note_45_a_starttls_answer_needs_our_tag() {
    for tag in ["*", "a1", "zz9"] {
        let (host, mut connection) = to_be_encrypted();
        connection.handle_input(host.now, b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n").unwrap();
        drained(&mut connection);
        connection.handle_input(host.now, format!("{tag} OK begin TLS\r\n").as_bytes()).unwrap();
        let (sent, events) = drained(&mut connection);
        assert!(!events.iter().any(|e| matches!(e, Event::StartTls)), "{tag}: {events:?}");
        assert_eq!(sent, "", "{tag}");
    }
}

/// From the greeting over STARTTLS to COMPRESS, by hand. Returns everything said before compression.
fn to_compression(host: &Host, connection: &mut mailkeep::Connection) -> String {
    let now = host.now;
    let mut said = String::new();
    connection.provide_credentials(credentials()).unwrap();
    connection.sync(SyncScope::account());
    connection.handle_input(now, b"* OK [CAPABILITY IMAP4rev1 STARTTLS COMPRESS=DEFLATE] hi\r\n").unwrap();
    let (sent, _) = drained(connection);
    let answer = format!("{} OK begin\r\n", tag_of(&sent, "STARTTLS"));
    said += &sent;
    connection.handle_input(now, answer.as_bytes()).unwrap();
    let (sent, events) = drained(connection);
    said += &sent;
    assert!(events.iter().any(|e| matches!(e, Event::StartTls)), "{events:?}");
    connection.handle_tls_started(now, None).unwrap();
    let capabilities = "* CAPABILITY IMAP4rev1 STARTTLS SASL-IR AUTH=PLAIN COMPRESS=DEFLATE\r\n";
    loop {
        let (sent, events) = drained(connection);
        said += &sent;
        assert!(!connection.is_closed(), "{said}\n{events:?}");
        if sent.contains(" COMPRESS DEFLATE") {
            return said;
        }
        let last = sent.lines().last().unwrap_or_else(|| panic!("it says nothing more: {said}"));
        let tag = last.split(' ').next().unwrap_or_default();
        let answer = format!("{capabilities}{tag} OK done\r\n");
        connection.handle_input(now, answer.as_bytes()).unwrap();
    }
}

#[test]
fn note_60_no_starttls_after_compress() {
    let server = server::<ModelServer>(Tier::Bare);
    let host = Host::new(&server).settings(|s| {
        s.security = Security::StartTls;
        s.compress = true;
    });
    let mut connection = host.engine.connect(host.account, ConnectionOptions::new([1; 32], false)).unwrap();
    let said = to_compression(&host, &mut connection);
    assert_eq!(said.matches("STARTTLS").count(), 1, "{said}");
    assert!(said.find("STARTTLS") < said.find("COMPRESS"), "{said}");
    assert!(said.lines().last().unwrap().ends_with("COMPRESS DEFLATE"), "nothing in the clear behind it");
    let ok = format!("{} OK go\r\n", tag_of(&said, "COMPRESS"));
    connection.handle_input(host.now, ok.as_bytes()).unwrap();
    let mut packed = Vec::new();
    while let Some(bytes) = connection.poll_transmit() {
        packed.extend(bytes);
    }
    while connection.poll_event().is_some() {}
    let limits = mailkeep::limits::Limits::DEFAULT;
    let mut inflater = mailkeep::wire::compress::Inflater::new(&limits);
    let mut plain = Vec::new();
    let mut rest = packed.as_slice();
    inflater.inflate(&mut rest, &mut plain, 1 << 16).unwrap();
    assert!(!has(&plain, "STARTTLS"), "{}", String::from_utf8_lossy(&plain));
    assert!(has(&plain, "EXAMINE") || has(&plain, "LIST"), "{}", String::from_utf8_lossy(&plain));
}

#[test]
fn note_60_a_bomb_in_a_compressed_connection_is_an_error() {
    let server = server::<ModelServer>(Tier::Bare);
    let host = Host::new(&server).settings(|s| {
        s.security = Security::StartTls;
        s.compress = true;
    });
    let mut connection = host.engine.connect(host.account, ConnectionOptions::new([1; 32], false)).unwrap();
    let said = to_compression(&host, &mut connection);
    let ok = format!("{} OK go\r\n", tag_of(&said, "COMPRESS"));
    connection.handle_input(host.now, ok.as_bytes()).unwrap();
    drained(&mut connection);
    let mut deflater = mailkeep::wire::compress::Deflater::new(9);
    // Lines that end in time: nothing but what they were made of is out of bounds.
    let line = [b"* OK ".as_slice(), &[b'x'; 1_000], b"\r\n"].concat();
    let lines = line.repeat((1 << 20) / line.len());
    let mut closed = None;
    'bomb: for _ in 0..400 {
        let mut packed = Vec::new();
        deflater.deflate(&lines, &mut packed);
        let mut rest = packed.as_slice();
        loop {
            let progress = connection.handle_input(host.now, rest).unwrap();
            rest = &rest[progress.consumed..];
            let (_, events) = drained(&mut connection);
            closed = events.into_iter().find_map(|e| match e {
                Event::Closed { error } => Some(error),
                _ => None,
            });
            if closed.is_some() {
                break 'bomb;
            }
            if !progress.more && rest.is_empty() {
                break;
            }
        }
    }
    assert!(matches!(closed, Some(Some(Error::Protocol(_)))), "{closed:?}");
}

#[test]
fn note_61_a_tag_from_before_is_not_the_logins_answer() {
    let server = server::<ModelServer>(Tier::Bare);
    for tag in ["a1", "A001", "*x", "hhhhh0", "hhhhh9"] {
        let host = Host::new(&server);
        let mut connection =
            host.engine.connect(host.account, ConnectionOptions::new([7; 32], true)).unwrap();
        connection.provide_credentials(credentials()).unwrap();
        connection.sync(SyncScope::account());
        connection.handle_input(host.now, b"* OK [CAPABILITY IMAP4rev1] hi\r\n").unwrap();
        let (sent, _) = drained(&mut connection);
        assert!(sent.contains(" LOGIN "), "{sent}");
        let answer = format!("{tag} OK [CAPABILITY IMAP4rev1] signed in\r\n");
        connection.handle_input(host.now, answer.as_bytes()).unwrap();
        let (_, events) = drained(&mut connection);
        assert!(!events.iter().any(|e| matches!(e, Event::Authenticated)), "{tag}: {events:?}");
        let closed = events.iter().any(|e| matches!(e, Event::Closed { error: Some(Error::Protocol(_)) }));
        assert!(closed && connection.is_closed(), "{tag}: {events:?}");
        assert!(host.engine.messages(host.inbox(), None, 10).unwrap().rows.is_empty());
    }
}

#[test]
fn note_61_the_answer_to_the_first_command_is_not_the_logins() {
    // The tag is one of this connection's, answered twice: CAPABILITY's is not LOGIN's.
    let server = server::<ModelServer>(Tier::Bare);
    let host = Host::new(&server);
    let mut connection = host.engine.connect(host.account, ConnectionOptions::new([7; 32], true)).unwrap();
    connection.provide_credentials(credentials()).unwrap();
    connection.sync(SyncScope::account());
    connection.handle_input(host.now, b"* OK hi\r\n").unwrap();
    let (sent, _) = drained(&mut connection);
    let tag = tag_of(&sent, "CAPABILITY");
    let answer = format!("* CAPABILITY IMAP4rev1\r\n{tag} OK that is all\r\n");
    connection.handle_input(host.now, answer.as_bytes()).unwrap();
    let (sent, _) = drained(&mut connection);
    assert!(sent.contains(" LOGIN "), "{sent}");
    connection.handle_input(host.now, format!("{tag} OK once more\r\n").as_bytes()).unwrap();
    let (_, events) = drained(&mut connection);
    assert!(!events.iter().any(|e| matches!(e, Event::Authenticated)), "{events:?}");
    assert!(events.iter().any(|e| matches!(e, Event::Closed { error: Some(Error::Protocol(_)) })));
}

#[test]
fn note_62_a_mailbox_deleted_under_us() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        let mut host = Host::new(&server);
        host.sync_all();
        let lists = host.mailbox("Lists");
        host.try_sync(SyncScope::only([lists])).unwrap();
        server.delete("Lists");
        let gone = |line: &[u8]| has(line, "the mailbox is gone");
        server.quirk(move |_, line| if gone(&line) { Vec::new() } else { line });
        // The connection ends without a word, and that is all that happens.
        let result = host.try_sync(SyncScope::only([lists]));
        assert!(matches!(result, Err(Error::Disconnected(_))), "{tier:?}: {result:?}");
        assert!(matches!(host.closed(), Some(Some(Error::Disconnected(_)))), "{:?}", host.closed());
        host.sync_all();
        host.assert_in_step();
        assert!(host.snapshot().mailboxes.iter().all(|m| m.name != "Lists"), "{tier:?}");
    }
}

fn note_62_a_watched_mailbox_deleted_under_us<S: FarSide>() {
    for tier in [Tier::Condstore, Tier::Everything] {
        let server = server::<S>(tier);
        let mut host = Host::new(&server);
        host.sync_all();
        let lists = host.mailbox("Lists");
        host.connect().watch([lists]);
        host.pass_ms(1_000);
        server.delete("Lists");
        host.pass_ms(1_000);
        assert!(matches!(host.closed(), Some(Some(Error::Disconnected(_)))), "{:?}", host.closed());
        host.sync_all();
        host.assert_in_step();
    }
}

#[test]
fn note_62_attributes_in_any_case() {
    let server = server::<ModelServer>(Tier::Everything);
    for (name, usage, _) in ROLES {
        server.create_as(name, Some(usage));
    }
    server.create("Shelf");
    server.change().mailbox("Shelf").selectable = false;
    server.change().mailbox("Shelf").uid_validity = 0;
    server.quirk(|_, line| {
        let line = quirks::replace(line, "\\Noselect", "\\NOSELECT");
        quirks::replace(line, "\\Subscribed", "\\subscribed")
    });
    let mut host = Host::new(&server);
    host.sync_all();
    host.assert_in_step();
    let here = host.snapshot();
    for (name, _, role) in ROLES {
        assert_eq!(here.mailbox(name).role, Some(*role), "{name}");
    }
    assert!(!host.engine.mailbox(host.mailbox("Shelf")).unwrap().selectable);
    assert!(here.mailbox("Lists").subscribed);
    assert_eq!(host.take_problems(), Vec::<String>::new());
}

const ROLES: &[(&str, &str, Role)] = &[
    ("Alt", "\\archive", Role::Archive),
    ("Weg", "\\TRASH", Role::Trash),
    ("Entwurf", "\\dRaFtS", Role::Drafts),
    ("Reklame", "\\junk", Role::Junk),
];

#[test]
fn note_63_the_plain_tier_is_whole() {
    let server = ModelServer::with_capabilities(
        "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA \
         AUTH=PLAIN IDLE UTF8=ACCEPT",
    );
    fill(&server);
    server.change().tells_capabilities = false;
    server.quirk(|_, line| {
        if line.starts_with(b"* OK [UIDNEXT") {
            return Vec::new();
        }
        if is_tagged(&line) && has(&line, " BAD ") { quirks::replace(line, " BAD ", " NO ") } else { line }
    });
    let mut host = lives_with(&server, "plain");
    let before = host.snapshot();
    // Renumbered, watched, told: nothing is missing.
    host.drop_connection();
    server.take_body_octets();
    server.reset_uid_validity("INBOX");
    host.sync_all();
    host.assert_in_step();
    let plain = |s: &Snapshot| ids(s, "INBOX").into_iter().map(|(_, id)| id).collect::<Vec<_>>();
    assert_eq!(plain(&host.snapshot()), plain(&before));
    assert_eq!(server.take_body_octets(), 0);
    host.take_new_mail();
    let inbox = host.inbox();
    host.connect().watch([inbox]);
    host.pass_ms(1_000);
    assert_eq!(server.take_log().last().map(String::as_str), Some("IDLE"));
    let uid = server.deliver("INBOX", mail(95));
    host.pass_ms(1_000);
    host.assert_in_step();
    assert_eq!(host.take_new_mail().len(), 1);
    server.set_flags("INBOX", uid, &["\\Seen"]);
    server.expunge("INBOX", &[1]);
    host.pass_ms(1_000);
    host.assert_in_step();
    host.check();
}

#[test]
fn note_63_no_instead_of_bad() {
    refuses_with_no(&["ENABLE", "ID", "LIST"]);
}

#[test]
fn note_63_no_to_the_parameters_of_select() {
    refuses_with_no(&["EXAMINE"]);
}

/// What these commands have beyond the plain protocol is refused, whatever was offered.
fn refuses_with_no(verbs: &'static [&str]) {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        let far = server.clone();
        server.quirk(move |command, line| {
            let last = far.look().log.last().cloned().unwrap_or_default();
            let beyond = match command {
                _ if !verbs.contains(&command) => false,
                "ENABLE" | "ID" => true,
                "LIST" => last.contains("RETURN"),
                "EXAMINE" => last.contains('('),
                _ => false,
            };
            match beyond {
                false => line,
                true if is_tagged(&line) => {
                    let tag = line.split(|b| *b == b' ').next().unwrap_or_default();
                    [tag, b" NO Error in IMAP command\r\n"].concat()
                }
                true => Vec::new(),
            }
        });
        let mut host = Host::new(&server);
        host.label = format!("{tier:?}");
        host.sync_all();
        host.assert_in_step();
        host.drop_connection();
        change(&server);
        host.sync_all();
        host.assert_in_step();
    }
}

fn oauth() -> Credentials {
    Credentials::OAuth {
        user: "ann".into(),
        token: Secret::new("stale"),
        host: "mail.example.org".into(),
        port: 993,
    }
}

#[test]
fn note_73_a_refused_token_is_one_login_failure() {
    for (mechanism, empty_answer) in [("XOAUTH2", ""), ("OAUTHBEARER", "AQ==")] {
        let script = format!(
            "S: * OK [CAPABILITY IMAP4rev1 SASL-IR ENABLE CONDSTORE AUTH={mechanism}] ready\n\
             C: a AUTHENTICATE {mechanism} *\n\
             S: + eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiYmVhcmVyIn0=\n\
             C: - {empty_answer}\n\
             S: a NO [AUTHENTICATIONFAILED] no\n"
        );
        let peers = Script::peers(&script);
        let mut host = Host::with_peers(peers).knobs(|k| k.answer_credentials = false);
        host.connect().provide_credentials(oauth()).unwrap();
        let result = host.try_sync(SyncScope::account());
        assert!(result.is_err(), "{mechanism}");
        assert!(matches!(host.closed(), Some(Some(Error::LoginRefused(_)))), "{:?}", host.closed());
        assert_eq!(host.take_problems(), Vec::<String>::new(), "{mechanism}");
        let said = String::from_utf8_lossy(&host.transcript).into_owned();
        assert!(
            !said.contains("ENABLE CONDSTORE\n") && !said.contains("EXAMINE"),
            "nothing behind it: {said}"
        );
        let failures = host.events.iter().filter(|e| matches!(e, Event::Closed { .. })).count();
        assert_eq!(failures, 1, "{mechanism}");
    }
}

#[test]
fn note_74_a_refused_login_with_much_behind_it_is_one_failure() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        server.change().password = "other".into();
        let mut bad = 0;
        server.quirk(move |_, line| {
            bad += u32::from(is_tagged(&line) && has(&line, " BAD "));
            match bad {
                3 => [line, b"* BYE too many invalid commands\r\n".to_vec()].concat(),
                4.. => Vec::new(),
                _ => line,
            }
        });
        let mut host = Host::new(&server);
        let result = host.try_sync(SyncScope::account());
        assert!(result.is_err(), "{tier:?}");
        assert!(matches!(host.closed(), Some(Some(Error::LoginRefused(_)))), "{:?}", host.closed());
        assert_eq!(host.take_problems(), Vec::<String>::new(), "{tier:?}");
        let ends = host.events.iter().filter(|e| matches!(e, Event::Closed { .. })).count();
        assert_eq!(ends, 1, "{tier:?}");
        // Nothing of it stays: with the right password all is well.
        server.behave();
        server.change().password = "secret".into();
        host.sync_all();
        host.assert_in_step();
    }
}

#[test]
fn note_74_refused_where_the_capabilities_are_known() {
    // With capabilities known from the last time, more goes out behind the login.
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        let mut host = Host::new(&server);
        host.sync_all();
        let before = host.snapshot();
        host.drop_connection();
        server.change().password = "other".into();
        server.take_log();
        let result = host.try_sync(SyncScope::account());
        assert!(result.is_err(), "{tier:?}");
        assert!(matches!(host.closed(), Some(Some(Error::LoginRefused(_)))), "{:?}", host.closed());
        let log = server.take_log();
        let logins = log.iter().filter(|c| c.starts_with("LOGIN") || c.starts_with("AUTHENTICATE")).count();
        assert_eq!(logins, 1, "{tier:?}: {log:?}");
        assert_eq!(host.snapshot(), before, "{tier:?}");
    }
}

#[test]
fn note_75_reading_takes_recent_from_nobody() {
    for tier in Tier::ALL {
        let server = server::<ModelServer>(tier);
        server.quirk(|_, line| {
            let line = quirks::replace(line, "* 0 RECENT", "* 3 RECENT");
            quirks::replace(line, "FLAGS (", "FLAGS (\\Recent ")
        });
        let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::None);
        host.sync_all();
        let inbox = host.inbox();
        let rows = host.engine.messages(inbox, None, 100).unwrap().rows;
        assert!(rows.iter().all(|r| r.flags.wire_words().all(|w| w != "\\Recent")), "{tier:?}");
        let request = host.connect().fetch(rows[0].id);
        host.run_request(request).unwrap();
        host.connect().watch([inbox]);
        server.deliver("INBOX", mail(80));
        host.pass_ms(200_000);
        host.drop_connection();
        host.sync_all();
        let log = server.take_log();
        assert!(log.iter().any(|c| c.starts_with("EXAMINE")), "{tier:?}");
        assert!(!log.iter().any(|c| c.starts_with("SELECT")), "{tier:?}: {log:?}");
        // Nor is anything read on the way: `\Seen` is the person's.
        assert!(log.iter().all(|c| !c.contains(" BODY[")), "{tier:?}: {log:?}");
    }
}
