//! Watching: IDLE renewed in time, other mailboxes beside it, and nothing missed in between.

mod support;

use mailkeep::{Error, Event, MailboxId};
use support::model::FULL;
use support::{FarSide, Host, mail};

both! {
    other_mailboxes_are_looked_at_beside_the_one_that_idles,
    what_is_done_while_watching_goes_out_at_once_and_watching_goes_on,
    a_server_that_ends_idle_early_is_asked_anew_sooner,
    watching_nothing_ends_at_once,
}

fn total(host: &Host, mailbox: MailboxId) -> u64 {
    host.engine.mailbox(mailbox).expect("it is here").total
}

fn server<S: FarSide>(capabilities: &str) -> S {
    let server = S::with_capabilities(capabilities);
    server.create("Lists");
    server.create("Family");
    server.deliver("INBOX", mail(1));
    server.deliver("Lists", mail(2));
    server
}

fn other_mailboxes_are_looked_at_beside_the_one_that_idles<S: FarSide>() {
    for set in [FULL, "IMAP4rev1 IDLE", "IMAP4rev1"] {
        let server = server::<S>(set);
        let mut host = Host::new(&server);
        host.sync_all();
        let (inbox, lists, family) = (host.inbox(), host.mailbox("Lists"), host.mailbox("Family"));
        host.connect().watch([inbox, lists, family]);
        host.pass_ms(5_000);
        server.deliver("Lists", mail(10));
        server.deliver("Family", mail(11));
        host.pass_ms(200_000);
        assert_eq!((total(&host, lists), total(&host, family)), (2, 1), "{set}\n{}", host.said());
        // And the first is watched all the while.
        server.deliver("INBOX", mail(12));
        host.pass_ms(130_000);
        assert_eq!(total(&host, inbox), 2, "{set}\n{}", host.said());
        server.deliver("Family", mail(13));
        host.pass_ms(200_000);
        assert_eq!(total(&host, family), 2, "{set}\n{}", host.said());
        assert_eq!(host.take_problems(), Vec::<String>::new(), "{set}");
    }
}

fn what_is_done_while_watching_goes_out_at_once_and_watching_goes_on<S: FarSide>() {
    let server = server::<S>(FULL);
    let mut host = Host::new(&server);
    host.sync_all();
    let inbox = host.inbox();
    host.connect().watch([inbox]);
    host.pass_ms(5_000);
    let one = host.engine.messages(inbox, None, 1).expect("a page").rows[0].id;
    let lists = host.mailbox("Lists");
    host.engine.move_messages(host.now, &[one], lists).expect("moved");
    let woken = host.engine.poll_wake().expect("a connection is woken");
    assert_eq!(woken, host.connect().id());
    let now = host.now;
    host.connect().handle_wake(now).expect("it is open");
    host.pass_ms(5_000);
    assert!(host.engine.pending(None).expect("the journal").is_empty(), "{}", host.said());
    assert_eq!(server.audit().mailboxes["Lists"].messages.len(), 2);
    server.deliver("INBOX", mail(20));
    host.pass_ms(5_000);
    assert_eq!(total(&host, inbox), 1, "{}", host.said());
}

fn a_server_that_ends_idle_early_is_asked_anew_sooner<S: FarSide>() {
    let server = server::<S>(FULL);
    let mut host = Host::new(&server);
    host.sync_all();
    let inbox = host.inbox();
    // Twice the server ends an IDLE after about three minutes.
    for _ in 0..2 {
        host.connect().watch([inbox]);
        host.pass_ms(180_000);
        host.break_off();
    }
    host.connect().watch([inbox]);
    host.pass_ms(1_000);
    server.take_log();
    host.pass_ms(170_000);
    let log = server.take_log();
    assert!(log.iter().any(|c| c.starts_with("IDLE")), "renewed before three minutes are over: {log:?}");
}

fn watching_nothing_ends_at_once<S: FarSide>() {
    let server = server::<S>(FULL);
    let mut host = Host::new(&server);
    host.sync_all();
    let request = host.connect().watch([]);
    host.quiesce();
    let done = host.events.iter().any(
        |e| matches!(e, Event::Done { request: r, result } if *r == request && !matches!(result, Err(Error::Cancelled))),
    );
    assert!(done);
}
