//! Faults that were found once, each with what should have happened.

mod support;

use mailkeep::{BodyPolicy, Error, SyncScope};
use support::{FarSide, Host, Mail, ModelServer, Tier, mail};

both! {
    an_unchanged_mailbox_is_opened_for_bodies_that_are_wanted_now,
    a_message_that_comes_back_unknown_does_not_share_an_id,
    a_wish_after_a_quiet_hour_is_no_time_out,
    a_sync_of_a_mailbox_that_is_not_there_fails_alone,
    a_part_is_fetched_without_the_rest,
    whoever_wanted_a_mailbox_is_woken_when_it_is_free,
}

fn inbox_of<S: FarSide>(tier: Tier, count: u32) -> S {
    let server = S::new(tier);
    for n in 1..=count {
        server.deliver("INBOX", mail(n));
    }
    server
}

/// A line of a scan that cannot be read, again and again, must not make its message go.
#[test]
fn a_scan_that_falls_short_hides_nothing() {
    let server = inbox_of::<ModelServer>(Tier::Bare, 6);
    let mut host = Host::new(&server);
    host.sync_all();
    let before = host.snapshot();
    server.quirk(|command, line| {
        let broken = command.contains("FETCH 1:*") && line.starts_with(b"* 3 FETCH");
        if broken { b"* 3 FETCH (UID 3 FLAGS (\r\n".to_vec() } else { line }
    });
    for _ in 0..3 {
        host.sync_all();
    }
    assert_eq!(host.snapshot().mailbox("INBOX").uids(), before.mailbox("INBOX").uids());
    server.behave();
    host.sync_all();
    host.assert_in_step();
}

/// Bodies that a later policy wants come, although nothing changed on the server.
fn an_unchanged_mailbox_is_opened_for_bodies_that_are_wanted_now<S: FarSide>() {
    let server = inbox_of::<S>(Tier::Everything, 4);
    let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::None);
    host.sync_all();
    host.drop_connection();
    let scope = SyncScope::account().with_bodies(BodyPolicy::All);
    host.try_sync(scope).expect("a sync");
    host.assert_in_step();
}

/// A message without an identity that is hidden by mistake and comes back gets an id of its own; the
/// hidden one is forgotten later, and it alone.
fn a_message_that_comes_back_unknown_does_not_share_an_id<S: FarSide>() {
    const DAY: u64 = 86_400_000;
    let server = S::new(Tier::Bare);
    let twin = Mail::new(1).message_id(None).build();
    server.deliver("INBOX", twin.clone());
    server.deliver("INBOX", twin);
    server.deliver("INBOX", mail(3));
    let mut host = Host::new(&server);
    host.sync_all();
    server.reset_uid_validity("INBOX");
    host.drop_connection();
    host.sync_all();
    host.assert_in_step();
    for _ in 0..10 {
        host.drop_connection();
        host.pass_ms(DAY);
        server.deliver("INBOX", mail(50));
        host.sync_all();
        host.assert_in_step();
    }
}

/// A mailbox that is missing from one list and back in the next keeps its id and its messages.
#[test]
fn a_mailbox_that_comes_back_is_the_same() {
    let server = inbox_of::<ModelServer>(Tier::Everything, 2);
    server.create("Lists");
    for n in 10..=12 {
        server.deliver("Lists", mail(n));
    }
    let mut host = Host::new(&server);
    host.sync_all();
    let before = host.snapshot();
    let id = host.mailbox("Lists");
    server.quirk(|command, line| {
        let hidden = command.contains("LIST") && String::from_utf8_lossy(&line).contains("Lists");
        if hidden { Vec::new() } else { line }
    });
    host.sync_all();
    assert!(host.snapshot().mailboxes.iter().all(|m| m.name != "Lists"));
    server.behave();
    server.take_body_octets();
    host.sync_all();
    host.assert_in_step();
    assert_eq!(host.mailbox("Lists"), id);
    assert_eq!(server.take_body_octets(), 0, "its messages are known again");
    assert_eq!(host.snapshot().mailbox("Lists").uid(1).id, before.mailbox("Lists").uid(1).id);
}

/// A connection that was quiet for longer than its time-out is still good for a wish.
fn a_wish_after_a_quiet_hour_is_no_time_out<S: FarSide>() {
    let server = inbox_of::<S>(Tier::Everything, 2);
    let mut host = Host::new(&server);
    host.sync_all();
    host.pass_ms(3_600_000);
    server.deliver("INBOX", mail(3));
    host.try_sync(SyncScope::account()).expect("the connection is good");
    host.assert_in_step();
}

/// Watching what the server refuses to open rests between its attempts.
#[test]
fn watching_a_refused_mailbox_does_not_spin() {
    let server = inbox_of::<ModelServer>(Tier::Everything, 2);
    let mut host = Host::new(&server);
    host.sync_all();
    let inbox = host.inbox();
    host.drop_connection();
    server.quirk(|command, line| {
        let tag = command.split(' ').next().unwrap_or_default();
        if command.contains("EXAMINE") && line.starts_with(tag.as_bytes()) {
            format!("{tag} NO not now\r\n").into_bytes()
        } else {
            line
        }
    });
    host.connect().watch([inbox]);
    host.quiesce();
    server.take_log();
    host.quiesce();
    assert!(server.take_log().len() < 5, "it asks now and then");
    assert!(host.deadline().is_some(), "and says when it will ask again");
}

/// A mailbox that is gone ends the watching with an error that says so.
fn a_sync_of_a_mailbox_that_is_not_there_fails_alone<S: FarSide>() {
    let server = inbox_of::<S>(Tier::Everything, 2);
    let mut host = Host::new(&server);
    host.sync_all();
    let outcome = host.try_sync(SyncScope::only([mailkeep::MailboxId(999)]));
    assert!(matches!(outcome, Err(Error::Gone(_))), "{outcome:?}");
    host.try_sync(SyncScope::account()).expect("the connection goes on");
}

/// Sizes that add up past every bound are clamped, and nothing overflows.
#[test]
fn sizes_past_every_bound_are_clamped() {
    let server = inbox_of::<ModelServer>(Tier::Condstore, 3);
    server.quirk(|_, line| {
        let text = String::from_utf8_lossy(&line).into_owned();
        match text.find("RFC822.SIZE ") {
            Some(at) if text.starts_with("* ") => {
                let rest = &text[at + 12..];
                let end = rest.find([' ', ')']).unwrap_or(rest.len());
                format!("{}RFC822.SIZE 18446744073709551615{}", &text[..at], &rest[end..]).into_bytes()
            }
            _ => line,
        }
    });
    let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::None);
    host.sync_all();
    host.check();
}

/// Compressing changes no byte of any message.
#[test]
fn shrinking_keeps_every_byte() {
    let server = ModelServer::new(Tier::Everything);
    for n in 1..=20 {
        server
            .deliver("INBOX", Mail::new(n).text(&"the same words over and over again ".repeat(400)).build());
    }
    server.deliver("INBOX", Mail::new(21).attachment(200_000).build());
    let mut host = Host::new(&server);
    host.sync_all();
    let before = host.snapshot();
    let mut saved = 0;
    loop {
        let step = host.engine.shrink(50_000).expect("a step");
        saved += step.saved;
        if step.done {
            break;
        }
    }
    assert!(saved > 100_000, "text shrinks: {saved}");
    let again = host.engine.shrink(u64::MAX).expect("a step");
    assert_eq!((again.read, again.done), (0, true), "what was looked at is not looked at again");
    assert_eq!(host.snapshot(), before);
    host.assert_in_step();
}

/// One part of a message comes alone, is kept, and goes when the whole message is here.
fn a_part_is_fetched_without_the_rest<S: FarSide>() {
    let server = S::new(Tier::Everything);
    server.deliver("INBOX", Mail::new(1).attachment(300_000).build());
    let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::None);
    host.sync_all();
    let inbox = host.inbox();
    let row = host.engine.messages(inbox, None, 1).expect("a page").rows.remove(0);
    let message = host.engine.message(row.id).expect("a message");
    let attachment = message.details.parts.iter().find(|p| p.is_attachment()).expect("an attachment");
    assert_eq!(host.engine.part(row.id, &attachment.number).expect("no part yet"), None);

    for drop_first in [false, true] {
        if drop_first {
            host.drop_connection();
        }
        let request = host.connect().fetch_part(row.id, attachment.number.clone());
        host.run_request(request).expect("the part");
        let alone = host.engine.part(row.id, &attachment.number).expect("the store").expect("the part");
        assert!(alone.len() >= 200_000, "{}", alone.len());
        assert!(!host.engine.message(row.id).expect("a message").row.has_body());
        host.check();
    }
    let alone = host.engine.part(row.id, &attachment.number).expect("the store").expect("the part");
    let request = host.connect().fetch_part(row.id, "1.x");
    assert!(matches!(host.run_request(request), Err(Error::Invalid { .. })));
    let request = host.connect().fetch(row.id);
    host.run_request(request).expect("the message");
    assert!(host.engine.message(row.id).expect("a message").row.has_body());
    assert_eq!(host.engine.part(row.id, &attachment.number).expect("the store"), Some(alone));
    host.check();
}

/// A backup is a whole copy that knows that it is one, and goes only into an empty place.
#[test]
fn a_backup_is_whole_and_knows_that_it_is_one() {
    let server = inbox_of::<ModelServer>(Tier::Everything, 5);
    let mut host = Host::new(&server);
    host.sync_all();
    let place = mailkeep::MemoryStorage::new();
    host.engine.backup_to(place.clone(), 77).expect("a backup");
    assert!(host.engine.backup_to(place.clone(), 78).is_err(), "it is not empty any more");
    let copy = support::host::open(place).expect("the copy opens");
    assert_eq!(copy.incarnation().expect("a number"), 77);
    assert_ne!(host.engine.incarnation().expect("a number"), 77);
    assert_eq!(copy.verify().expect("a check").problems, Vec::<String>::new());
    let account = copy.accounts().expect("accounts")[0].id;
    assert_eq!(support::snapshot::snapshot(&copy, account), host.snapshot());
}

/// A connection that had to leave a mailbox to another is woken when it is free.
fn whoever_wanted_a_mailbox_is_woken_when_it_is_free<S: FarSide>() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    let server = inbox_of::<S>(Tier::Everything, 3);
    let mut first = Host::new(&server).knobs(|k| k.chunk = 40);
    let woken = Arc::new(AtomicU32::new(0));
    let counter = woken.clone();
    first.engine.set_waker(Some(Arc::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    })));
    first.connect().sync(SyncScope::account());
    // Until INBOX is being opened.
    while !first.said().contains("EXAMINE") {
        assert!(first.turn(), "the first connection opens INBOX");
    }
    let mut second = Host::with_engine(first.engine.clone(), &server);
    let id = second.connect().id();
    second.try_sync(SyncScope::account()).expect("it leaves INBOX out");
    assert_eq!(first.engine.poll_wake(), None, "the first is still at it");
    first.quiesce();
    assert!(woken.load(Ordering::Relaxed) > 0);
    assert_eq!(first.engine.poll_wake(), Some(id));
    let now = mailkeep::Now::new(10_000_000, 1_800_000_000_000);
    second.connect().handle_wake(now).expect("drained");
    second.quiesce();
    second.assert_in_step();
}
