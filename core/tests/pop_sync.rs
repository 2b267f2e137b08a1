//! POP3: what a sync brings, what it leaves, and how a session goes.

mod support;

use mailkeep::{BodyPolicy, CommitMode, Error, Event, Expire, Keep, SyncScope, WorkLimit};
use support::pop_model::{bodies, rows, sent, sync, try_sync};
use support::pop_talk::talk;
use support::{Mail, Naming, PopServer, mail};

#[test]
fn a_first_sync_brings_everything_and_a_second_moves_nothing() {
    let server = PopServer::new(30);
    let mut host = server.host(Keep::Forever);
    let summary = sync(&mut host);
    assert_eq!(summary.messages_added, 30);
    assert_eq!(bodies(&host), sent(&server.look().mails));
    assert!(rows(&host).iter().all(|row| row.flags.flags.is_empty()));
    assert!(host.take_new_mail().is_empty(), "what was there before is not new");
    let inbox = host.engine.mailbox(host.inbox()).unwrap();
    assert_eq!((inbox.total, inbox.unseen, inbox.uid_validity, inbox.uid_next), (30, 30, 1, 31));
    assert!(inbox.complete);
    let before = host.engine.stats().unwrap();
    let summary = sync(&mut host);
    assert_eq!(summary.messages_added, 0);
    assert!(summary.bytes_received < 3_000, "{summary:?}");
    // Greeting, CAPA, AUTH, and one flight.
    assert_eq!(summary.round_trips, 4);
    assert_eq!(server.look().retrs, 30);
    assert_eq!(host.engine.stats().unwrap(), before, "nothing was written");
    server.deliver(mail(31));
    server.deliver(mail(32));
    assert_eq!(sync(&mut host).messages_added, 2);
    assert_eq!(host.take_new_mail().len(), 2);
    assert_eq!(server.look().retrs, 32);
    assert_eq!(server.look().violations, Vec::<String>::new());
    assert!(server.look().deleted.is_empty());
}

#[test]
fn the_newest_messages_come_first() {
    let server = PopServer::new(12);
    let mut host = server.host(Keep::Forever).knobs(|k| k.commits = CommitMode::Host);
    sync(&mut host);
    let subjects: Vec<String> = rows(&host).into_iter().map(|row| row.summary.subject).collect();
    assert_eq!((subjects[0].as_str(), subjects[11].as_str()), ("Message 12", "Message 1"));
    // By date the page is as on IMAP.
    let page = host.engine.messages(host.inbox(), None, 1).unwrap();
    assert_eq!(page.rows[0].summary.subject, "Message 12");
}

#[test]
fn every_server_gets_its_mail_across() {
    for capa in [true, false] {
        for pipelining in [true, false] {
            for naming in [Naming::Unique, Naming::None, Naming::Long, Naming::Some] {
                for top in [true, false] {
                    let server = PopServer::new(7).ways(|w| {
                        (w.capa, w.pipelining, w.naming, w.top) = (capa, pipelining && capa, naming, top);
                    });
                    let mut host = server.host(Keep::Forever);
                    host.label = format!("{:?}", server.look().ways);
                    sync(&mut host);
                    assert_eq!(bodies(&host), sent(&server.look().mails), "{}", host.label);
                    assert_eq!(sync(&mut host).messages_added, 0, "{}\n{}", host.label, host.said());
                    server.deliver(mail(8));
                    server.remove(2);
                    assert_eq!(sync(&mut host).messages_added, 1, "{}\n{}", host.label, host.said());
                    assert_eq!(rows(&host).len(), 8, "what another client deletes stays here");
                    assert_eq!(server.look().violations, Vec::<String>::new());
                }
            }
        }
    }
}

#[test]
fn pieces_limits_and_threads_change_nothing() {
    let server = PopServer::new(5);
    server.deliver(Mail::new(6).attachment(200_000).build());
    let whole = {
        let mut host = server.host(Keep::Forever);
        sync(&mut host);
        bodies(&host)
    };
    for chunk in [1, 2, 3, 7, 64, 1_000] {
        for commits in [CommitMode::Inline, CommitMode::Host] {
            let mut host = server.host(Keep::Delete).knobs(|k| {
                (k.chunk, k.commits, k.commit_delay) = (chunk, commits, 3);
                k.limit = WorkLimit { bytes: 900, responses: 2 };
            });
            let mails = server.look().mails.clone();
            sync(&mut host);
            assert_eq!(bodies(&host), whole, "in pieces of {chunk}");
            assert!(server.uidls().is_empty());
            server.look().mails = mails;
        }
    }
}

#[test]
fn one_text_is_stored_once_and_stays_two_messages() {
    let server = PopServer::new(2);
    let same = server.look().mails[0].raw.clone();
    server.deliver(same);
    let mut host = server.host(Keep::Forever);
    sync(&mut host);
    let rows = rows(&host);
    assert_eq!(rows.len(), 3);
    let contents: std::collections::BTreeSet<_> = rows.iter().map(|row| row.content).collect();
    assert_eq!(contents.len(), 2);
    assert_eq!(sync(&mut host).messages_added, 0);
}

#[test]
fn dates_come_from_the_header_and_never_from_the_future() {
    let server = PopServer::new(0);
    let with = |field: &str| format!("{field}\r\nSubject: x\r\n\r\nbody\r\n").into_bytes();
    server.deliver(with("Received: from a by b; Tue, 20 Jan 2026 00:00:00 +0000"));
    server.deliver(with("Date: Wed, 1 Jan 2059 00:00:00 +0000"));
    server.deliver(with("Date: nonsense"));
    let mut host = server.host(Keep::Forever);
    sync(&mut host);
    let mut dates: Vec<i64> = rows(&host).iter().map(|row| row.internal_date).collect();
    dates.sort_unstable();
    assert_eq!(dates[0], 1_768_867_200_000);
    assert!(dates[1] <= host.now.wall_ms && dates[2] <= host.now.wall_ms && dates[1] > dates[0]);
}

#[test]
fn a_large_message_shows_its_header_until_it_is_opened() {
    let server = PopServer::new(3);
    server.deliver(Mail::new(4).attachment(3_000_000).build());
    let mut host = server.host(Keep::Delete).settings(|s| s.pop_size_limit = Some(100_000));
    sync(&mut host);
    let large = rows(&host).into_iter().find(|row| !row.has_body()).expect("the header is here");
    assert_eq!(large.summary.subject, "Message 4");
    assert_eq!(large.size, server.look().mails[0].raw.len() as u64);
    assert_eq!(server.uidls().len(), 1, "it stays on the server until it is here");
    assert_eq!(sync(&mut host).messages_added, 0);
    assert_eq!(server.look().tops, 1);
    // Opened, it comes whole; the next sync may delete it.
    let request = host.connect().fetch(large.id);
    host.run_request(request).unwrap();
    assert!(host.engine.message(large.id).unwrap().row.has_body());
    assert_eq!(host.engine.body(large.id, 0, u64::MAX).unwrap().unwrap(), server.look().mails[0].raw);
    let request = host.connect().fetch(large.id);
    host.run_request(request).unwrap();
    assert_eq!(server.look().retrs, 4, "what is here is not fetched again");
    host.drop_connection();
    sync(&mut host);
    assert!(server.uidls().is_empty());
    // One that is not there any more.
    server.deliver(Mail::new(5).attachment(300_000).build());
    sync(&mut host);
    server.remove(0);
    let gone = rows(&host).into_iter().find(|row| !row.has_body()).unwrap();
    let request = host.connect().fetch(gone.id);
    assert!(matches!(host.run_request(request), Err(Error::Gone(_))));
}

#[test]
fn bodies_may_be_left_on_the_server() {
    let server = PopServer::new(6);
    let mut host = server.host(Keep::Delete).settings(|s| s.bodies = BodyPolicy::Newest(2));
    sync(&mut host);
    assert_eq!(rows(&host).iter().filter(|row| row.has_body()).count(), 2);
    assert_eq!(server.uidls().len(), 4, "nothing goes that is not here whole");
    let mut host = host.settings(|s| s.bodies = BodyPolicy::All);
    sync(&mut host);
    assert_eq!(rows(&host).iter().filter(|row| row.has_body()).count(), 6);
    assert_eq!(rows(&host).len(), 6);
    assert!(server.uidls().is_empty());
}

#[test]
fn a_session_that_deletes_ends_with_quit_and_others_stay() {
    let server = PopServer::new(2);
    let mut host = server.host(Keep::Forever);
    let request = host.connect().sync(SyncScope::account());
    host.run_request(request).unwrap();
    assert!(!host.connect().is_closed());
    let request = host.connect().sync(SyncScope::account());
    host.run_request(request).unwrap();
    assert_eq!(server.look().sessions, 1);
    let request = host.connect().logout();
    host.run_request(request).unwrap();
    assert!(matches!(host.closed(), Some(None)));
    let mut host = host.settings(|s| s.keep = Keep::Delete);
    let request = host.connect().sync(SyncScope::account());
    host.run_request(request).unwrap();
    host.quiesce();
    assert!(host.link.is_none(), "QUIT was said");
    assert!(matches!(host.closed(), Some(None)));
    assert!(server.uidls().is_empty());
}

#[test]
fn a_sync_that_is_cancelled_deletes_nothing() {
    let server = PopServer::new(400);
    let mut host = server.host(Keep::Delete).knobs(|k| k.chunk = 2_000);
    let request = host.connect().sync(SyncScope::account());
    for _ in 0..15 {
        host.turn();
    }
    host.connect().cancel(request);
    assert!(matches!(host.run_request(request), Err(Error::Cancelled)));
    assert!(server.look().deleted.is_empty());
    assert!(server.look().retrs < 400);
    host.drop_connection();
    sync(&mut host);
    assert_eq!(server.look().deleted.len(), 400);
    assert_eq!(bodies(&host), sent(&server.look().deleted));
    let request = {
        let inbox = host.inbox();
        host.connect().watch([inbox])
    };
    assert!(matches!(host.run_request(request), Err(Error::Invalid { .. })));
}

#[test]
fn a_maildrop_in_use_is_waited_for_by_the_hosts_clock() {
    let server = PopServer::new(1).ways(|w| w.in_use = 2);
    let mut host = server.host(Keep::Forever);
    let begun = host.now.mono_ms;
    let request = host.connect().sync(SyncScope::account());
    host.run_request(request).unwrap();
    assert_eq!(host.now.mono_ms - begun, 15_000 + 30_000);
    assert_eq!(host.take_problems().len(), 2);
    host.drop_connection();
    // Where the server hangs up, the host is told when to come back.
    server.look().ways.in_use = 1;
    server.look().ways.in_use_closes = true;
    let request = host.connect().sync(SyncScope::account());
    match host.run_request(request) {
        Err(Error::TryLater { after_ms, why }) => {
            assert_eq!((after_ms, why.contains("another")), (15_000, true))
        }
        other => panic!("{other:?}"),
    }
    host.drop_connection();
    server.look().ways.in_use = 9;
    server.look().ways.in_use_closes = false;
    assert!(matches!(host.try_sync(SyncScope::account()), Err(Error::TryLater { after_ms: 300_000, .. })));
}

#[test]
fn the_time_between_two_logins_is_kept() {
    let server = PopServer::new(1).ways(|w| w.more = vec!["LOGIN-DELAY 600".into(), "EXPIRE 5 USER".into()]);
    let mut host = server.host(Keep::Forever);
    sync(&mut host);
    let told = host.engine.pop_server(host.account).unwrap();
    assert_eq!((told.login_delay_s, told.expire), (600, Some(Expire::Days(5))));
    assert!(host.take_problems().iter().any(|p| p.contains("5 days")));
    match try_sync(&mut host) {
        Err(Error::TryLater { after_ms, .. }) => assert!((500_000..=600_000).contains(&after_ms)),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.look().logins, 1, "nothing was said");
    host.wall_passes(600_000);
    sync(&mut host);
    assert_eq!(server.look().logins, 2);
}

#[test]
fn the_session_of_rfc_1939() {
    let mut host = talk(
        "S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>
         C: CAPA
         S: -ERR unknown command
         C: APOP ann 3f18b52881e44c0cc6067f46e0ced7bc
         S: +OK ann's maildrop has 2 messages (320 octets)
         C: LIST
         S: +OK 2 messages (320 octets)
         S: 1 19
         S: 2 20
         S: .
         C: UIDL
         S: +OK
         S: 1 whqtswO00WBw418f9t5JxYwZ
         S: 2 QhdPYR:00WBw1Ph7x7
         S: .
         C: RETR 2
         S: +OK 20 octets
         S: Subject: b
         S:
         S: text
         S: .
         C: RETR 1
         S: +OK 19 octets
         S: Subject: a
         S:
         S: ..
         S: .
         C: DELE 1
         S: +OK message 1 deleted
         C: DELE 2
         S: +OK message 2 deleted
         C: QUIT
         S: +OK dewey POP3 server signing off (maildrop empty)
         X: close",
        |s| {
            s.security = mailkeep::Security::Insecure;
            s.keep = Keep::Delete;
        },
    )
    .knobs(|k| k.secure = false);
    host.sync_all();
    assert_eq!(bodies(&host), [b"Subject: a\r\n\r\n.\r\n".to_vec(), b"Subject: b\r\n\r\ntext\r\n".to_vec()]);
}

#[test]
fn capabilities_are_asked_before_tls_is_trusted_and_again_after_signing_in() {
    let mut host = talk(
        "S: +OK ready
         C: STLS
         S: +OK begin TLS
         C: CAPA
         S: +OK
         S: UTF8 USER
         S: SASL PLAIN LOGIN
         S: PIPELINING
         S: .
         C: UTF8
         S: +OK
         C: AUTH PLAIN AGFubgBzZWNyZXQ=
         S: +OK
         C: CAPA
         C: LIST
         C: UIDL
         S: +OK
         S: EXPIRE NEVER
         S: PIPELINING
         S: .
         S: +OK
         S: .
         S: +OK
         S: .
         C: QUIT
         S: +OK",
        |s| s.security = mailkeep::Security::StartTls,
    )
    .knobs(|k| k.secure = false);
    let request = host.connect().sync(SyncScope::account());
    host.quiesce();
    assert!(host.events.iter().any(|e| matches!(e, Event::StartTls)));
    let now = host.now;
    host.connect().handle_tls_started(now, None).unwrap();
    host.run_request(request).unwrap();
    assert_eq!(host.engine.pop_server(host.account).unwrap().expire, Some(Expire::Never));
    let request = host.connect().logout();
    host.run_request(request).unwrap();
}

#[test]
fn ways_of_signing_in() {
    let login = |said: &str, set: fn(&mut mailkeep::AccountSettings)| {
        let rest = "S: +OK\nC: LIST\nS: +OK\nS: .\nC: UIDL\nS: +OK\nS: .";
        let mut host = talk(&format!("{said}\n{rest}"), set).knobs(|k| k.secure = false);
        host.sync_all();
    };
    // Without initial response, as before RFC 5034.
    login(
        "S: +OK <1@x>\nC: CAPA\nS: -ERR\nC: AUTH PLAIN AGFubgBzZWNyZXQ=\nS: + \nC: AGFubgBzZWNyZXQ=",
        |s| {
            s.security = mailkeep::Security::Insecure;
            s.mechanism = Some("PLAIN".into());
        },
    );
    login(
        "S: +OK <1@x>\nC: CAPA\nS: -ERR\nC: AUTH CRAM-MD5\nS: + PDFAeD4=\nC: YW5uIDQ0NTNjM2QwZmQxNjg3OTJkNTY1YzcyOGI0ZGY2NzM5",
        |s| {
            s.security = mailkeep::Security::Insecure;
            s.mechanism = Some("CRAM-MD5".into());
        },
    );
    // Refused APOP is no refusal of the password.
    login(
        "S: +OK <1@x>\nC: CAPA\nS: -ERR\nC: APOP ann *\nS: -ERR\nC: USER ann\nS: +OK\nC: PASS secret",
        |s| {
            s.security = mailkeep::Security::Insecure;
        },
    );
}
