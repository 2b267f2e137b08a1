//! Room on the server and here, and what a user may do: quotas, the archive, the budget of the cache, rights.

mod support;

use mailkeep::{
    ArchiveRule, BodyPolicy, Error, Event, FlagChange, MessageId, NewMailbox, OperationState, Quota,
};
use support::model::FULL;
use support::{Host, Mail, ModelServer, mail};

fn server() -> ModelServer {
    let server = ModelServer::with_capabilities(FULL);
    for n in 1..=10 {
        server.deliver("INBOX", Mail::new(n).attachment(2_000).build());
    }
    server
}

fn synced(server: &ModelServer) -> Host {
    let mut host = Host::new(server);
    host.sync_all();
    host.assert_in_step();
    host
}

fn ids(host: &Host) -> Vec<MessageId> {
    let mut all = host.engine.messages(host.inbox(), None, 100).expect("a page").rows;
    all.reverse();
    all.iter().map(|r| r.id).collect()
}

fn warnings(host: &Host) -> Vec<Quota> {
    let told = host.events.iter().filter_map(|e| match e {
        Event::QuotaWarning { quota } => Some(quota.clone()),
        _ => None,
    });
    told.collect()
}

#[test]
fn quotas_are_shown_and_told_when_they_are_near() {
    let server = server();
    server.change().manners.quota_octets = Some(100 << 10);
    let mut host = synced(&server);
    let quotas = host.engine.accounts().expect("accounts")[0].quotas.clone();
    let storage = quotas.iter().find(|q| q.resource == "STORAGE").expect("a STORAGE quota");
    assert_eq!(storage.limit, 100);
    assert!(storage.percent() < 50, "{storage:?}");
    assert!(warnings(&host).is_empty());
    server.deliver("INBOX", Mail::new(11).attachment(80 << 10).build());
    host.sync_all();
    let told = warnings(&host);
    assert_eq!(told.len(), 1, "{quotas:?} {told:?}");
    assert!(told[0].percent() >= 90);
    // Told once, not at every sync.
    host.sync_all();
    assert_eq!(warnings(&host).len(), 1);
}

#[test]
fn a_no_change_sync_with_quotas_costs_no_round_trip_more() {
    let server = server();
    server.change().manners.quota_octets = Some(100 << 10);
    let mut host = synced(&server);
    host.drop_connection();
    assert_eq!(host.sync_all().round_trips, 2);
}

#[test]
fn the_archive_takes_the_oldest_first_and_says_so_before() {
    let server = server();
    server.change().manners.quota_octets = Some(30 << 10);
    let mut host = synced(&server);
    let all = ids(&host);
    let rows = host.engine.messages(host.inbox(), None, 100).expect("a page").rows;
    let fifth = rows.iter().find(|r| r.id == all[4]).expect("it is here").internal_date;
    let plan = host.engine.plan_archive(host.account, &ArchiveRule::received_before(fifth)).expect("a plan");
    assert_eq!(plan.iter().map(|e| e.message).collect::<Vec<_>>(), all[..4]);
    let storage = host.engine.accounts().expect("accounts")[0].quotas[0].clone();
    let plan = host.engine.plan_archive(host.account, &ArchiveRule::until_quota_below(50)).expect("a plan");
    let freed: u64 = plan.iter().map(|e| e.size).sum();
    let wanted = (storage.usage - storage.limit / 2) * 1024;
    let last = plan.last().expect("something").size;
    assert!(freed >= wanted && freed - last < wanted, "{freed} of {wanted}");
    let attic = NewMailbox::named("Attic").local();
    let attic = host.engine.create_mailbox(host.now, host.account, attic).expect("made");
    let moved: Vec<_> = plan.iter().map(|e| e.message).collect();
    host.engine.move_messages(host.now, &moved, attic).expect("moved");
    host.sync_all();
    host.sync_all();
    host.assert_in_step();
    assert_eq!(server.audit().mailboxes["INBOX"].messages.len(), 10 - moved.len());
    assert_eq!(host.engine.mailbox(attic).expect("it is here").total, moved.len() as u64);
}

#[test]
fn the_archive_downloads_whole_before_anything_goes() {
    let server = server();
    let mut host = Host::new(&server).settings(|s| s.bodies = BodyPolicy::None);
    host.sync_all();
    let all = ids(&host);
    let attic = NewMailbox::named("Attic").local();
    let attic = host.engine.create_mailbox(host.now, host.account, attic).expect("made");
    host.engine.move_messages(host.now, &all, attic).expect("moved");
    // The connection breaks in the middle of the bodies.
    host.knobs.cuts = vec![6_000, 9_000, 12_000];
    host.drop_connection();
    host.sync_all();
    host.sync_all();
    assert!(host.engine.pending(None).expect("the journal").is_empty(), "{}", host.said());
    assert!(server.audit().mailboxes["INBOX"].messages.is_empty());
    for id in all {
        let body = host.engine.body(id, 0, u64::MAX).expect("it is here");
        assert!(body.is_some_and(|b| b.len() > 2_000));
    }
    assert_eq!(host.engine.verify().expect("read").problems, Vec::<String>::new());
}

#[test]
fn bodies_least_lately_looked_at_go_first() {
    let server = server();
    let mut host = Host::new(&server);
    host.sync_all();
    let all = ids(&host);
    let sizes: Vec<u64> = all.iter().map(|id| host.engine.message(*id).expect("here").row.size).collect();
    for id in [all[2], all[0]] {
        host.engine.body(id, 0, 10).expect("here");
    }
    // One that something is pending for stays whatever the budget is.
    host.engine.set_flags(host.now, &[all[5]], &FlagChange::default().set("\\Flagged")).expect("flagged");
    let whole = |host: &Host, n: usize| host.engine.body(all[n], 0, 1).expect("here").is_some();
    let total: u64 = sizes.iter().sum();
    let evicted = host.engine.evict_bodies(total - sizes[1] - 1).expect("evicted");
    assert_eq!(evicted.messages, 2, "{evicted:?}");
    assert!(!evicted.more);
    // Looked at last, and pending.
    let evicted = host.engine.evict_bodies(sizes[0] + sizes[5]).expect("evicted");
    assert_eq!(evicted.octets_left, sizes[0] + sizes[5], "{evicted:?}");
    assert!(whole(&host, 0) && whole(&host, 5) && !whole(&host, 2));
    assert_eq!(host.engine.verify().expect("read").problems, Vec::<String>::new());
    // What is gone from the cache is not downloaded again by itself, and comes back when it is opened.
    server.take_body_octets();
    host.sync_all();
    assert_eq!(server.take_body_octets(), 0);
    let request = host.connect().fetch(all[2]);
    host.run_request(request).expect("fetched");
    assert!(whole(&host, 2));
    assert!(host.engine.message(all[3]).expect("here").details.parts.len() > 1, "parts stay known");
    host.sync_all();
    assert_eq!(host.engine.verify().expect("read").problems, Vec::<String>::new());
}

#[test]
fn what_this_device_alone_has_never_goes() {
    let server = server();
    let host = synced(&server);
    let local = NewMailbox::named("Attic").local();
    let local = host.engine.create_mailbox(host.now, host.account, local).expect("made");
    let kept = host.engine.append(host.now, local, mailkeep::Draft::new(mail(70))).expect("kept");
    let sent =
        host.engine.append(host.now, host.inbox(), mailkeep::Draft::new(mail(71))).expect("to be sent");
    while host.engine.evict_bodies(0).expect("evicted").more {}
    for id in [kept, sent] {
        assert!(host.engine.body(id, 0, 10).expect("here").is_some());
    }
}

#[test]
fn what_is_not_allowed_is_known_before_it_is_tried() {
    let server = server();
    server.create("Shared");
    server.deliver("Shared", mail(50));
    server.change().mailbox("Shared").rights = "lr".into();
    let mut host = Host::new(&server);
    host.sync_all();
    let shared = host.mailbox("Shared");
    let there = host.engine.messages(shared, None, 10).expect("a page").rows[0].id;
    let flag = FlagChange::default().set("\\Flagged");
    let refused = host.engine.set_flags(host.now, &[there], &flag);
    assert!(matches!(refused, Err(Error::NotPermitted { .. })), "{refused:?}");
    let inbox = ids(&host)[0];
    let refused = host.engine.move_messages(host.now, &[inbox], shared);
    assert!(matches!(refused, Err(Error::NotPermitted { .. })), "{refused:?}");
    let refused = host.engine.delete_messages(host.now, &[there]);
    assert!(matches!(refused, Err(Error::NotPermitted { .. })), "{refused:?}");
    assert!(host.engine.pending(None).expect("the journal").is_empty());
    // Rights that were taken away meanwhile are learnt by the refusal.
    server.change().mailbox("INBOX").rights = "lr".into();
    host.engine.set_flags(host.now, &[inbox], &flag).expect("as far as is known");
    host.sync_all();
    let pending = host.engine.pending(None).expect("the journal");
    assert!(matches!(pending[0].state, OperationState::SetAside { .. }), "{pending:?}");
    assert!(
        !host.engine.message(inbox).expect("here").row.flags.flags.contains(mailkeep::flags::Flags::FLAGGED)
    );
}
