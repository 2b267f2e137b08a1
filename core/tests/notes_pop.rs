//! The catalogue's lines that are about POP3, or about it too.

mod support;

use mailkeep::{CommitMode, Error, Event, Keep, Security, SyncScope, Window};
use support::host::Host;
use support::pop_model::{bodies, rows, sent, sync, try_sync};
use support::pop_talk::talk;
use support::{Mail, Naming, PopServer, mail};

const DAY_MS: i64 = 24 * 3_600_000;

/// Syncs once and says how the connection ended.
fn ended(host: &mut Host) -> String {
    let request = host.connect().sync(SyncScope::account());
    let result = host.run_request(request);
    assert!(result.is_err(), "{}", host.said());
    match host.closed() {
        Some(Some(error)) => format!("{}: {error}", error.code()),
        other => panic!("{other:?}"),
    }
}

fn said_by_client(host: &Host) -> String {
    let text = String::from_utf8_lossy(&host.transcript).into_owned();
    text.lines().filter(|line| line.starts_with("C: ")).collect()
}

#[test]
fn note_24_whatever_servers_call_their_messages_each_is_here_once() {
    use Naming::*;
    for naming in [None, Repeated, Empty, Long, Changing, Some, Path] {
        for top in [true, false] {
            let server = PopServer::new(9).ways(|w| (w.naming, w.top) = (naming, top));
            let mut host = server.host(Keep::Forever);
            sync(&mut host);
            server.remove(4);
            server.deliver(mail(10));
            let summary = sync(&mut host);
            assert_eq!(summary.messages_added, 1, "{naming:?}, TOP: {top}");
            assert_eq!(rows(&host).len(), 10, "{naming:?}, TOP: {top}");
            assert_eq!(sync(&mut host).messages_added, 0, "{naming:?}, TOP: {top}");
            if top {
                assert_eq!(server.look().retrs, 10, "{naming:?}: what is here is not fetched again");
            }
        }
    }
}

#[test]
fn note_24_names_that_come_and_go() {
    let server = PopServer::new(6);
    let mut host = server.host(Keep::Forever);
    for naming in [Naming::Repeated, Naming::Unique, Naming::None, Naming::Unique, Naming::Changing] {
        sync(&mut host);
        server.look().ways.naming = naming;
    }
    sync(&mut host);
    assert_eq!((rows(&host).len(), server.look().retrs), (6, 6));
}

#[test]
fn note_25_a_list_that_flaps_loses_and_repeats_nothing() {
    let server = PopServer::new(5);
    let mut host = server.host(Keep::Days(30));
    sync(&mut host);
    let all = std::mem::take(&mut server.look().mails);
    sync(&mut host);
    host.wall_passes(10 * DAY_MS);
    sync(&mut host);
    assert_eq!(rows(&host).len(), 5, "what the server has lost is here");
    assert_eq!(host.engine.retention_plan(host.account, host.now.wall_ms + 100 * DAY_MS).unwrap(), []);
    server.look().mails = all;
    sync(&mut host);
    assert_eq!((rows(&host).len(), server.look().retrs), (5, 5));
    assert!(host.take_new_mail().is_empty());
    host.wall_passes(20 * DAY_MS);
    sync(&mut host);
    assert!(server.uidls().is_empty(), "the days count from the first time");
}

#[test]
fn note_25_a_name_that_is_given_again_is_another_message() {
    for same_size in [true, false] {
        let server = PopServer::new(3);
        let mut host = server.host(Keep::Delete);
        sync(&mut host);
        server.deliver(if same_size { mail(9) } else { Mail::new(9).text("another text\r\n").build() });
        server.look().mails[0].uidl = "00000002AZ".into();
        sync(&mut host);
        assert_eq!(rows(&host).len(), 4, "same size: {same_size}");
        assert_eq!((server.retrs(), server.uidls().len()), (4, 0), "same size: {same_size}");
    }
}

#[test]
fn note_25_what_was_deleted_and_comes_back_is_deleted_again_and_not_fetched() {
    let server = PopServer::new(3);
    let mut host = server.host(Keep::Delete);
    sync(&mut host);
    let back = server.look().deleted[1].clone();
    server.look().mails.push(back);
    sync(&mut host);
    assert_eq!((rows(&host).len(), server.look().retrs), (3, 3));
    assert!(server.uidls().is_empty());
}

#[test]
fn note_25_headers_that_servers_write_in_do_not_matter() {
    let server = PopServer::new(3).ways(|w| w.state_fields = true);
    let mut host = server.host(Keep::Forever);
    sync(&mut host);
    server.look().ways.naming = Naming::Changing;
    sync(&mut host);
    sync(&mut host);
    assert_eq!((rows(&host).len(), server.look().retrs), (3, 3));
}

#[test]
fn note_27_a_window_brings_nothing_back() {
    let server = PopServer::new(8);
    let mut host = server.host(Keep::Delete).settings(|s| s.window = Window::Newest(2));
    sync(&mut host);
    let mails = server.look().deleted.clone();
    server.look().mails = mails;
    let mut host = host.settings(|s| s.window = Window::Newest(5));
    assert_eq!(sync(&mut host).messages_added, 0);
    assert_eq!((rows(&host).len(), server.look().retrs), (8, 8));
}

#[test]
fn note_28_dots_line_ends_and_sizes_that_lie() {
    for lie in [-70, 0, 1_000_000] {
        let server = PopServer::new(0).ways(|w| w.lie = lie);
        for text in [".", "..", ".\r\n", "a\r\n.\r\nb", "\r\n.\r\n", "a\n.\nb", "no end"] {
            server.deliver([b"Subject: x\r\n\r\n", text.as_bytes()].concat());
        }
        for chunk in [1, 2, 3, 5, 1_000] {
            let mut host = server.host(Keep::Forever).knobs(|k| k.chunk = chunk);
            sync(&mut host);
            assert_eq!(bodies(&host), sent(&server.look().mails), "in pieces of {chunk}, sizes off by {lie}");
            assert_eq!(sync(&mut host).messages_added, 0);
            // Sizes that change are no other messages.
            server.look().ways.lie = lie + 1;
            let retrs = server.look().retrs;
            assert_eq!(sync(&mut host).messages_added, 0);
            assert_eq!(server.look().retrs, retrs);
            server.look().ways.lie = lie;
        }
    }
}

fn behind_stls(behind: &'static [u8], chunk: usize) -> Host {
    let server = PopServer::new(1).ways(|w| w.behind_stls = behind);
    let mut host = server.host(Keep::Forever).settings(|s| s.security = Security::StartTls).knobs(|k| {
        k.secure = false;
        k.chunk = chunk;
    });
    host.connect().sync(SyncScope::account());
    host.quiesce();
    host
}

#[test]
fn note_29_bytes_behind_stls_end_the_connection() {
    for chunk in [1, 9, 1_000] {
        let host = behind_stls(b"+OK\r\nSASL PLAIN\r\n.\r\n", chunk);
        assert!(matches!(host.closed(), Some(Some(Error::Protocol(_)))), "in pieces of {chunk}");
        assert_eq!(said_by_client(&host), "C: STLS");
    }
}

#[test]
fn note_45_an_answer_to_stls_counts_only_when_it_was_asked() {
    // What comes in one read with the OK, and what comes before STLS was sent.
    let host = behind_stls(b"-", 1_000);
    assert!(matches!(host.closed(), Some(Some(Error::Protocol(_)))));
    let mut host =
        talk("S: +OK ready\nS: +OK begin TLS\nC: STLS\nX: close", |s| s.security = Security::StartTls)
            .knobs(|k| k.secure = false);
    host.connect().sync(SyncScope::account());
    host.quiesce();
    assert!(!said_by_client(&host).contains("AUTH"));
}

#[test]
fn note_30_nothing_is_said_in_the_clear_and_nobody_is_followed() {
    // STLS is refused, whatever else is offered.
    let mut host = talk("S: +OK\nC: STLS\nS: -ERR no\nX: close", |s| s.security = Security::StartTls)
        .knobs(|k| k.secure = false);
    assert!(ended(&mut host).starts_with("302:"));
    // An account with TLS from the first byte, on a transport that has none.
    let mut host =
        talk("S: +OK <1@x>\nC: CAPA\nS: +OK\nS: USER\nS: .\nX: close", |_| {}).knobs(|k| k.secure = false);
    host.connect().sync(SyncScope::account());
    host.quiesce();
    assert_eq!(said_by_client(&host), "C: CAPA");
    // A refusal that names another host is a refusal.
    let mut host = talk("S: -ERR [REFERRAL pop3://evil.example.org/] moved\nX: close", |_| {});
    assert_eq!(ended(&mut host), "303: the server refused: [REFERRAL pop3://evil.example.org/] moved");
}

/// The most address space that this process has had, where the system tells.
fn address_space() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmPeak:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) << 10
}

#[test]
fn note_31_sizes_beyond_all_measure_set_no_memory_aside() {
    let before = address_space();
    let mut host = talk(
        "S: +OK
         C: CAPA
         S: -ERR
         C: USER ann
         S: +OK
         C: PASS secret
         S: +OK
         C: LIST
         S: +OK
         S: 1 18446744073709551615
         S: 2 18446744073709551616
         S: 3 -1
         S: 4 1000000000
         S: .
         C: UIDL
         S: +OK
         S: 1 a
         S: 2 b
         S: 3 c
         S: 4 d
         S: .
         C: RETR 4
         S: +OK 1000000000 octets
         S: Subject: d
         S: .
         C: RETR 3
         S: +OK -1 octets
         S: Subject: c
         S: .
         C: RETR 2
         S: +OK
         S: Subject: b
         S: .
         C: TOP 1 0
         S: +OK
         S: Subject: a
         S:
         S: .",
        |_| {},
    );
    host.sync_all();
    let subjects: Vec<_> =
        rows(&host).into_iter().map(|row| (row.summary.subject.clone(), row.has_body())).collect();
    let expected = [("d", true), ("c", true), ("b", true), ("a", false)];
    assert_eq!(subjects, expected.map(|(subject, whole)| (subject.to_owned(), whole)));
    assert!(address_space() < before + (500 << 20), "memory grew by a number that the server named");
    assert_eq!(host.engine.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn note_39_endless_lines_end_the_connection() {
    for said in ["S>", "S: +OK\nC: CAPA\nS>", "S: +OK\nC: CAPA\nS: +OK\nS>"] {
        let mut host = talk(&format!("{said}{}\nX: close", "a".repeat(40_000)), |_| {});
        assert!(ended(&mut host).contains("longer than"), "{said}");
    }
}

#[test]
fn note_39_one_octet_a_minute_is_no_progress() {
    let mut host = talk("S: +OK\nC: CAPA", |_| {});
    let request = host.connect().sync(SyncScope::account());
    host.quiesce();
    for _ in 0..3 {
        host.pass_ms(60_000);
        if host.link.is_none() {
            break;
        }
        let now = host.now;
        let _ = host.connect().handle_input(now, b"+");
        host.quiesce();
    }
    assert!(matches!(host.closed(), Some(Some(Error::TimedOut))));
    let _ = request;
}

#[test]
fn note_40_answers_that_nobody_asked_for() {
    let begin = "S: +OK\nC: CAPA\nS: -ERR\nC: USER ann\nS: +OK\nC: PASS secret\nS: +OK";
    for (stray, told) in
        [("S: + \nX: close", "neither +OK nor -ERR"), ("S: * OK IMAP4rev1\nX: close", "neither +OK nor -ERR")]
    {
        let mut host = talk(&format!("{begin}\nC: LIST\n{stray}"), |_| {});
        let ended = ended(&mut host);
        assert!(ended.starts_with("30") && ended.contains(told), "{ended}");
    }
    // One answer too many when nothing is asked.
    let list = "C: LIST\nS: +OK\nS: .\nC: UIDL\nS: +OK\nS: .\nS: +OK more\nX: close";
    let mut host = talk(&format!("{begin}\n{list}"), |_| {});
    let request = host.connect().sync(SyncScope::account());
    let _ = host.run_request(request);
    host.quiesce();
    assert!(matches!(host.closed(), Some(Some(Error::Protocol(_)))));
}

#[test]
fn note_41_numbers_that_are_listed_twice() {
    let mut host = talk(
        "S: +OK
         C: CAPA
         S: -ERR
         C: USER ann
         S: +OK
         C: PASS secret
         S: +OK
         C: LIST
         S: +OK
         S: 2 14
         S: 1 14
         S: 2 99
         S: .
         C: UIDL
         S: +OK
         S: 1 a
         S: 2 b
         S: 7 never listed
         S: 1 a
         S: .
         C: RETR 1
         S: +OK
         S: Subject: a
         S: .
         C: RETR 2
         S: +OK
         S: Subject: b
         S: .
         C: DELE 1
         S: +OK
         C: QUIT
         S: +OK
         X: close",
        |s| s.keep = Keep::Delete,
    );
    host.sync_all();
    assert_eq!(rows(&host).len(), 2);
}

#[test]
fn note_42_mail_in_every_state_comes_across() {
    let server = PopServer::new(0);
    server.deliver([b"X: ".to_vec(), vec![b'a'; 5_000_000], b"\r\n\r\nbody\r\n".to_vec()].concat());
    server.deliver(b"A: b\r\n".repeat(100_000));
    server.deliver([b"Subject: x\r\n\r\n".to_vec(), vec![b'l'; 3_000_000]].concat());
    server.deliver(b"Subject: \xff\x80\0\r\nX\rY: z\r\n\r\n\0\0\r\n".to_vec());
    server.deliver(b"\n\n\n\r\r\r\n".to_vec());
    let mut host = server.host(Keep::Delete).knobs(|k| {
        k.commits = CommitMode::Host;
        k.chunk = 10_000;
    });
    sync(&mut host);
    assert_eq!(bodies(&host), sent(&server.look().deleted));
    assert!(server.uidls().is_empty());
}

#[test]
fn note_46_no_login_behind_a_greeting_that_is_none() {
    for greeting in
        ["* OK IMAP4rev1 ready", "220 mail.example.org ESMTP", "+OKAY", "", "-ERR busy", "HTTP/1.1 200 OK"]
    {
        let mut host = talk(&format!("S: {greeting}\nX: close"), |_| {});
        ended(&mut host);
        assert_eq!(said_by_client(&host), "", "{greeting:?}");
    }
}

#[test]
fn note_46_every_state_has_a_deadline() {
    let steps = [
        "C: CAPA",
        "S: +OK\nS: .\nC: USER ann",
        "S: +OK\nC: PASS secret",
        "S: +OK\nC: LIST",
        "S: +OK\nS: 1 5",
    ];
    for count in 0..=steps.len() {
        let said = format!("S: +OK\n{}", steps[..count].join("\n"));
        let mut host = talk(&said, |_| {});
        if count == 0 {
            host = talk("X: connect", |_| {});
        }
        let begun = host.now.mono_ms;
        assert!(ended(&mut host).contains("did not answer in time"), "after {count} steps");
        assert!(host.now.mono_ms - begun <= 121_000);
    }
}

#[test]
fn note_54_unique_ids_are_never_paths() {
    let server = PopServer::new(3).ways(|w| w.naming = Naming::Path);
    let mut host = server.host(Keep::Days(0));
    host.knobs.cuts = vec![900];
    let request = host.connect().sync(SyncScope::account());
    let _ = host.run_request(request);
    host.drop_connection();
    host.knobs.cuts.clear();
    sync(&mut host);
    assert_eq!(rows(&host).len(), 3);
    assert!(!std::path::Path::new("/tmp/00000001AZ").exists());
}

#[test]
fn note_56_names_that_name_nothing_are_bounded_and_delete_nothing() {
    // Two with one name, one with none, one beyond measure.
    let long = "x".repeat(30_000);
    let mut host = talk(
        &format!(
            "S: +OK
             C: CAPA
             S: -ERR
             C: USER ann
             S: +OK
             C: PASS secret
             S: +OK
             C: LIST
             S: +OK
             S: 1 12
             S: 2 12
             S: 3 12
             S: 4 12
             S: .
             C: UIDL
             S: +OK
             S: 1 same
             S: 2 same
             S: 3
             S: 4 {long}
             S: .
             C: TOP 1 0
             S: -ERR what?
             C: RETR 4
             S: +OK
             S: Subject: d
             S: .
             C: RETR 3
             S: +OK
             S: Subject: c
             S: .
             C: RETR 2
             S: +OK
             S: Subject: b
             S: .
             C: RETR 1
             S: +OK
             S: Subject: a
             S: .
             C: DELE 3
             S: +OK
             C: DELE 4
             S: +OK
             C: QUIT
             S: +OK
             X: close"
        ),
        |s| s.keep = Keep::Delete,
    );
    host.sync_all();
    assert_eq!(rows(&host).len(), 4);
    assert_eq!(host.engine.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn note_57_empty_and_headerless_messages_come_as_they_are() {
    let server = PopServer::new(0);
    for raw in [&b""[..], b"\r\n", b"just text", b"\r\nbody", b": \r\n\r\n"] {
        server.deliver(raw.to_vec());
    }
    let mut host = server.host(Keep::Delete);
    sync(&mut host);
    assert_eq!(bodies(&host), sent(&server.look().deleted));
    assert_eq!(rows(&host).len(), 5);
}

#[test]
fn note_72_octets_are_kept_exactly_over_pop3() {
    let server = PopServer::new(0);
    server.deliver(b"Subject: nul\r\n\r\n\0 \x80 bare\nline\rends, no last one".to_vec());
    let mut host = server.host(Keep::Forever);
    sync(&mut host);
    assert_eq!(bodies(&host), [b"Subject: nul\r\n\r\n\0 \x80 bare\nline\rends, no last one\r\n".to_vec()]);
}

#[test]
fn note_72_one_text_with_other_line_ends_is_known_again() {
    // Under another name, without TOP, and with a line end more.
    let server = PopServer::new(0).ways(|w| (w.naming, w.top) = (Naming::Changing, false));
    server.deliver(b"Subject: x\r\n\r\nbody".to_vec());
    let mut host = server.host(Keep::Forever);
    sync(&mut host);
    server.look().mails[0].raw.extend_from_slice(b"\r\n\r\n");
    sync(&mut host);
    assert_eq!(rows(&host).len(), 1);
    assert!(try_sync(&mut host).is_ok());
    assert!(!host.events.iter().any(|e| matches!(e, Event::Closed { error: Some(_) })));
}
