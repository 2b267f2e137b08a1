//! The contract of a connection, from the host's side.

mod support;

use mailkeep::{CommitMode, ConnectionOptions, Error, Event, MessageId, Security, SyncScope, WorkLimit};
use support::host::credentials;
use support::quirks;
use support::{FarSide, Host, Mail, ModelServer, Peer, Tier, mail};

both! {
    a_closed_connection_refuses_input,
    credentials_are_refused_where_anyone_can_listen,
    no_credentials_end_the_connection,
    a_cancelled_sync_ends_soon_and_can_be_done_again,
    both_ways_to_commit_give_the_same_store,
    logout_ends_in_peace,
    suspended_and_resumed,
    suspended_in_the_middle_of_a_sync,
    a_cut_anywhere_says_that_the_connection_ended,
    mail_that_comes_while_idling_is_stored_and_told,
    flags_alone_that_change_while_idling_are_stored,
    note_10_idle_is_begun_again_before_half_an_hour,
    without_idle_the_mailbox_is_looked_at,
    watching_stops_when_asked,
    a_sync_while_idling_goes_first,
    a_message_that_is_gone_cannot_be_opened,
}

fn server<S: FarSide>() -> S {
    let server = S::new(Tier::Everything);
    server.create("Lists");
    for n in 1..=5 {
        server.deliver("INBOX", mail(n));
    }
    server.deliver("Lists", Mail::new(6).attachment(2_000).build());
    server
}

#[test]
fn outputs_that_were_not_drained_are_misuse() {
    let server = server::<ModelServer>();
    let host = Host::new(&server);
    let mut session = server.session();
    let mut connection = host.engine.connect(host.account, ConnectionOptions::new([1; 32], true)).unwrap();
    connection.handle_input(host.now, &session.take()).unwrap();
    let refused = connection.handle_input(host.now, b"* OK more\r\n");
    assert!(matches!(refused, Err(Error::Misuse(_))), "an event waits: {refused:?}");
    assert!(matches!(connection.poll_event(), Some(Event::NeedCredentials { .. })));
    connection.provide_credentials(credentials()).unwrap();
    assert!(matches!(connection.handle_timeout(host.now), Err(Error::Misuse(_))), "bytes wait");
    assert!(matches!(connection.handle_eof(host.now), Err(Error::Misuse(_))), "bytes wait");
    while connection.poll_transmit().is_some() {}
    connection.handle_timeout(host.now).unwrap();
    assert!(matches!(connection.handle_commit(host.now, dummy_commit(&server)), Err(Error::Misuse(_))));
}

/// A commit that another connection was given.
fn dummy_commit(server: &ModelServer) -> mailkeep::CommitDone {
    let host = Host::new(server);
    let mut options = ConnectionOptions::new([2; 32], true);
    options.commits = CommitMode::Host;
    let mut connection = host.engine.connect(host.account, options).unwrap();
    connection.provide_credentials(credentials()).unwrap();
    connection.sync(SyncScope::account());
    let mut session = server.session();
    for _ in 0..100 {
        while let Some(bytes) = connection.poll_transmit() {
            session.receive(&bytes);
        }
        while connection.poll_event().is_some() {}
        if let Some(commit) = connection.poll_commit() {
            return commit.run();
        }
        let bytes = session.take();
        connection.handle_input(host.now, &bytes).unwrap();
    }
    panic!("no commit came");
}

fn a_closed_connection_refuses_input<S: FarSide>() {
    let server = server::<S>();
    let mut host = Host::new(&server);
    let mut connection = host.engine.connect(host.account, ConnectionOptions::new([1; 32], true)).unwrap();
    connection.handle_eof(host.now).unwrap();
    assert!(connection.is_closed());
    assert!(matches!(connection.poll_event(), Some(Event::Closed { error: Some(Error::Disconnected(_)) })));
    assert!(matches!(connection.handle_input(host.now, b"x"), Err(Error::Misuse(_))));
    connection.handle_eof(host.now).unwrap();
    let request = connection.sync(SyncScope::account());
    let event = connection.poll_event();
    assert!(matches!(&event, Some(Event::Done { request: r, result: Err(_) }) if *r == request), "{event:?}");
    assert!(connection.poll_timeout().is_none());
    host.sync_all();
}

#[test]
fn a_work_limit_stops_a_call_and_says_so() {
    let server = server::<ModelServer>();
    let host = Host::new(&server);
    let mut connection = host.engine.connect(host.account, ConnectionOptions::new([1; 32], true)).unwrap();
    connection.set_work_limit(WorkLimit { bytes: usize::MAX, responses: 1 });
    connection.provide_credentials(credentials()).unwrap();
    let input = b"* OK [CAPABILITY IMAP4rev1] hi\r\n* OK [ALERT] one\r\n* OK [ALERT] two\r\n";
    let first = connection.handle_input(host.now, input).unwrap();
    assert!(first.more && first.consumed > 0 && first.consumed < input.len(), "{first:?}");
    while connection.poll_transmit().is_some() {}
    while connection.poll_event().is_some() {}
    let second = connection.handle_input(host.now, &input[first.consumed..]).unwrap();
    assert!(second.more && second.consumed > 0);
}

#[test]
fn what_came_is_durable_within_250_ms() {
    for commits in [CommitMode::Inline, CommitMode::Host] {
        let server = server::<ModelServer>();
        let mut bodies = false;
        server.quirk(move |_, line| {
            bodies |= quirks::find(&line, b"BODY[] {").is_some();
            // The answer that would end the command never comes.
            if bodies && !line.starts_with(b"*") { Vec::new() } else { line }
        });
        let mut host = Host::new(&server).knobs(|k| k.commits = commits);
        host.connect().sync(SyncScope::account());
        host.quiesce();
        let whole = |host: &Host| {
            host.snapshot().mailbox("INBOX").messages.iter().filter(|m| m.raw.is_some()).count()
        };
        assert_eq!(whole(&host), 0, "it waits for company");
        let due = host.deadline().expect("a timer runs");
        assert!(due <= host.now.mono_ms + 250, "{} ms", due - host.now.mono_ms);
        host.events.clear();
        host.pass_ms(250);
        assert_eq!(whole(&host), 5);
        assert!(host.events.iter().any(|e| matches!(e, Event::Stored { .. })));
    }
}

/// A peer that never says a word.
struct Silent;

impl Peer for Silent {
    fn receive(&mut self, _bytes: &[u8]) {}

    fn take(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn is_closed(&self) -> bool {
        false
    }
}

#[test]
fn silence_times_out() {
    let mut host = Host::with_peers(|| Box::new(Silent));
    let request = host.connect().sync(SyncScope::account());
    let begin = host.now.mono_ms;
    host.connect().handle_timeout(mailkeep::Now::new(begin, 0)).unwrap();
    let due = host.deadline().expect("a timer runs while the greeting is awaited");
    assert_eq!(due, begin + 120_000);
    let result = host.run_request(request);
    assert!(result.is_err());
    assert!(matches!(host.closed(), Some(Some(Error::TimedOut))), "{:?}", host.closed());
}

#[test]
fn a_server_that_falls_silent_later_times_out() {
    let server = server::<ModelServer>();
    server.quirk(|command, line| if command == "UID FETCH" { Vec::new() } else { line });
    let mut host = Host::new(&server);
    assert!(host.try_sync(SyncScope::account()).is_err());
    assert!(matches!(host.closed(), Some(Some(Error::TimedOut))), "{:?}", host.closed());
    server.behave();
    host.sync_all();
    host.assert_in_step();
}

fn credentials_are_refused_where_anyone_can_listen<S: FarSide>() {
    let server = server::<S>();
    let mut host = Host::new(&server).knobs(|k| k.secure = false);
    assert!(host.try_sync(SyncScope::account()).is_err());
    assert!(matches!(host.closed(), Some(Some(Error::LoginImpossible(_)))), "{:?}", host.closed());
    assert_eq!(server.take_log(), Vec::<String>::new(), "nothing was said");
    // The account may say that it is meant.
    let mut host =
        Host::new(&server).knobs(|k| k.secure = false).settings(|s| s.security = Security::Insecure);
    host.sync_all();
    host.assert_in_step();
}

fn no_credentials_end_the_connection<S: FarSide>() {
    let server = server::<S>();
    let mut host = Host::new(&server).knobs(|k| k.answer_credentials = false);
    let request = host.connect().sync(SyncScope::account());
    while !host.events.iter().any(|e| matches!(e, Event::NeedCredentials { .. })) {
        assert!(host.turn());
    }
    host.connect().decline_credentials();
    assert!(host.run_request(request).is_err());
    assert!(matches!(host.closed(), Some(Some(Error::LoginImpossible(_)))));
}

#[test]
fn a_wrong_password_is_refused_once() {
    let server = server::<ModelServer>();
    server.change().password = "other".into();
    let mut host = Host::new(&server);
    assert!(host.try_sync(SyncScope::account()).is_err());
    assert!(matches!(host.closed(), Some(Some(Error::LoginRefused(_)))), "{:?}", host.closed());
}

fn a_cancelled_sync_ends_soon_and_can_be_done_again<S: FarSide>() {
    for turns in 0..40 {
        let server = server::<S>();
        let mut host = Host::new(&server).knobs(|k| k.chunk = 400);
        let request = host.connect().sync(SyncScope::account());
        for _ in 0..turns {
            host.turn();
        }
        if host.events.iter().any(|e| matches!(e, Event::Done { .. })) {
            break;
        }
        host.connect().cancel(request);
        match host.run_request(request) {
            Ok(_) | Err(Error::Cancelled) => {}
            Err(error) => panic!("after {turns} turns: {error}"),
        }
        host.sync_all();
        host.assert_in_step();
    }
}

fn both_ways_to_commit_give_the_same_store<S: FarSide>() {
    for seed in 0..20 {
        let server = server::<S>();
        let mut inline = Host::new(&server);
        inline.sync_all();
        let mut hosted = Host::new(&server).knobs(|k| {
            k.commits = CommitMode::Host;
            k.commit_delay = seed;
            k.seed = seed;
            k.chunk = 100 + seed as usize * 37;
        });
        hosted.sync_all();
        assert_eq!(hosted.snapshot(), inline.snapshot(), "seed {seed}");
        assert!(hosted.events.iter().any(|e| matches!(e, Event::Stored { .. })));
    }
}

fn logout_ends_in_peace<S: FarSide>() {
    let server = server::<S>();
    let mut host = Host::new(&server);
    host.sync_all();
    let request = host.connect().logout();
    host.run_request(request).unwrap();
    assert!(matches!(host.closed(), Some(None)), "{:?}", host.closed());
    assert_eq!(server.take_log().last().map(String::as_str), Some("LOGOUT"));
}

fn suspended_and_resumed<S: FarSide>() {
    let server = server::<S>();
    let mut host = Host::new(&server);
    host.sync_all();
    let before = host.snapshot();
    host.break_off();
    host.engine.suspend().unwrap();
    assert!(matches!(host.engine.accounts(), Err(Error::Suspended)));
    assert!(matches!(
        host.engine.connect(host.account, ConnectionOptions::new([1; 32], true)),
        Err(Error::Suspended)
    ));
    host.engine.resume().unwrap();
    assert_eq!(host.snapshot(), before);
    server.deliver("INBOX", mail(9));
    host.sync_all();
    host.assert_in_step();
}

fn suspended_in_the_middle_of_a_sync<S: FarSide>() {
    for turns in [1, 5, 10, 15, 20, 25] {
        let server = server::<S>();
        let mut host = Host::new(&server).knobs(|k| k.chunk = 300);
        host.connect().sync(SyncScope::account());
        for _ in 0..turns {
            host.turn();
        }
        host.engine.suspend().unwrap();
        host.drop_connection();
        host.engine.resume().unwrap();
        host.sync_all();
        host.assert_in_step();
    }
}

fn a_cut_anywhere_says_that_the_connection_ended<S: FarSide>() {
    let server = server::<S>();
    let mut whole = Host::new(&server);
    whole.sync_all();
    for cut in (0..whole.received[0]).step_by(97) {
        let mut host = Host::new(&server).knobs(|k| k.cuts = vec![cut]);
        let request = host.connect().sync(SyncScope::account());
        let result = host.run_request(request);
        assert!(matches!(result, Err(Error::Disconnected(_))), "{result:?}");
        assert!(matches!(host.closed(), Some(Some(Error::Disconnected(_)))), "{:?}", host.closed());
        host.snapshot();
    }
}

fn watching<S: FarSide>(tier: Tier) -> (S, Host) {
    let server = S::new(tier);
    server.deliver("INBOX", mail(1));
    let mut host = Host::new(&server);
    host.sync_all();
    let inbox = host.inbox();
    host.connect().watch([inbox]);
    host.quiesce();
    (server, host)
}

fn mail_that_comes_while_idling_is_stored_and_told<S: FarSide>() {
    for tier in [Tier::Condstore, Tier::Qresync, Tier::Everything] {
        let (server, mut host) = watching::<S>(tier);
        assert_eq!(server.take_log().last().map(String::as_str), Some("IDLE"), "{tier:?}");
        server.deliver("INBOX", mail(2));
        host.pass_ms(1_000);
        host.assert_in_step();
        assert_eq!(host.take_new_mail().len(), 1, "{tier:?}");
        assert_eq!(server.take_log().last().map(String::as_str), Some("IDLE"), "{tier:?}: it goes on");
        server.set_flags("INBOX", 1, &["\\Seen"]);
        server.expunge("INBOX", &[2]);
        host.pass_ms(1_000);
        host.assert_in_step();
        assert!(host.take_new_mail().is_empty());
        host.check();
    }
}

fn flags_alone_that_change_while_idling_are_stored<S: FarSide>() {
    for tier in [Tier::Condstore, Tier::Qresync, Tier::Everything] {
        let (server, mut host) = watching::<S>(tier);
        server.set_flags("INBOX", 1, &["\\Seen", "\\Answered"]);
        host.pass_ms(1_000);
        host.assert_in_step();
    }
}

#[test]
fn a_page_by_position_is_the_list_from_there_on() {
    let server = ModelServer::new(Tier::Everything);
    for n in 1..=23 {
        server.deliver("INBOX", mail(n));
    }
    let mut host = Host::new(&server);
    host.sync_all();
    let inbox = host.inbox();
    let all = host.engine.messages(inbox, None, 100).unwrap().rows;
    assert_eq!(all.len(), 23);
    for (position, limit) in [(0, 5), (1, 5), (7, 1), (20, 10), (22, 1)] {
        let page = host.engine.messages_at(inbox, position, limit).unwrap();
        let end = (position as usize + limit).min(23);
        assert_eq!(page.rows, all[position as usize..end], "from {position} on");
        let following = page.next.map(|next| host.engine.messages(inbox, Some(&next), 1).unwrap().rows);
        assert_eq!(following, all.get(end).map(|row| vec![row.clone()]), "behind {position} and {limit}");
    }
    for beyond in [23, 24, u64::MAX] {
        let page = host.engine.messages_at(inbox, beyond, 5).unwrap();
        assert!(page.rows.is_empty() && page.next.is_none(), "at {beyond}");
    }
}

#[test]
fn note_09_mail_between_two_idles_is_not_missed() {
    let (server, mut host) = watching::<ModelServer>(Tier::Everything);
    // IDLE is ended and begun again in time; the mail comes with the tagged answer between the two.
    let far = server.clone();
    let mut told = false;
    server.quirk(move |command, line| {
        let tagged = !line.starts_with(b"*") && !line.starts_with(b"+");
        if command == "IDLE" && tagged && !std::mem::replace(&mut told, true) {
            far.deliver("INBOX", mail(2));
            return [b"* 2 EXISTS\r\n".to_vec(), line].concat();
        }
        // It is told once.
        if told && line == b"* 2 EXISTS\r\n" { Vec::new() } else { line }
    });
    host.pass_ms(29 * 60_000);
    host.pass_ms(1_000);
    host.assert_in_step();
    assert_eq!(host.take_new_mail().len(), 1);
}

fn note_10_idle_is_begun_again_before_half_an_hour<S: FarSide>() {
    let (server, mut host) = watching::<S>(Tier::Everything);
    server.take_log();
    host.pass_ms(95 * 60_000);
    let idles = server.take_log().iter().filter(|c| *c == "IDLE").count();
    assert!((3..=4).contains(&idles), "{idles}");
    assert!(host.link.is_some(), "the connection lives");
}

fn without_idle_the_mailbox_is_looked_at<S: FarSide>() {
    let (server, mut host) = watching::<S>(Tier::Bare);
    server.deliver("INBOX", mail(2));
    host.pass_ms(5 * 60_000);
    host.assert_in_step();
    assert_eq!(host.take_new_mail().len(), 1);
}

fn watching_stops_when_asked<S: FarSide>() {
    let (server, mut host) = watching::<S>(Tier::Everything);
    host.connect().stop_watching();
    host.quiesce();
    server.deliver("INBOX", mail(2));
    host.pass_ms(60_000);
    assert!(host.take_new_mail().is_empty());
    host.sync_all();
    host.assert_in_step();
}

fn a_sync_while_idling_goes_first<S: FarSide>() {
    let (server, mut host) = watching::<S>(Tier::Everything);
    server.create("Lists");
    server.deliver("Lists", mail(3));
    host.sync_all();
    host.assert_in_step();
    host.quiesce();
    assert_eq!(server.take_log().last().map(String::as_str), Some("IDLE"), "watching goes on");
    server.deliver("INBOX", mail(4));
    host.pass_ms(1_000);
    host.assert_in_step();
}

fn a_message_that_is_gone_cannot_be_opened<S: FarSide>() {
    let server = server::<S>();
    let mut host = Host::new(&server);
    host.sync_all();
    let request = host.connect().fetch(MessageId(999));
    assert!(matches!(host.run_request(request), Err(Error::Gone(_))));
    host.sync_all();
}

#[test]
fn note_09_news_before_idle_has_begun_does_not_end_it() {
    let server = ModelServer::new(Tier::Everything);
    server.deliver("INBOX", mail(1));
    let mut host = Host::new(&server);
    host.sync_all();
    server.quirk(|_, line| if line == b"+ idling\r\n" { b"* 2 EXISTS\r\n".to_vec() } else { line });
    let inbox = host.inbox();
    host.connect().watch([inbox]);
    host.quiesce();
    assert!(quirks::find(&host.transcript, b"C: DONE").is_none(), "DONE answers a `+` that has not come");
    host.pass_ms(120_000);
    assert!(matches!(host.closed(), Some(Some(Error::TimedOut))), "{:?}", host.closed());
}
