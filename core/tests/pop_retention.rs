//! POP3: what is deleted from the server, when, and what the dry run says beforehand.

mod support;

use std::collections::BTreeSet;

use mailkeep::{Engine, Keep, RetentionReason};
use support::host::Host;
use support::pop_model::{bodies, rows, sent, sync, try_sync};
use support::{Mail, Naming, PopServer, mail};

const DAY_MS: i64 = 24 * 3_600_000;

/// Syncs, and holds the sync to what the dry run said.
#[track_caller]
fn sync_as_planned(host: &mut Host, server: &PopServer) -> Vec<RetentionReason> {
    let plan = host.engine.retention_plan(host.account, host.now.wall_ms + 1_000).unwrap();
    let planned: BTreeSet<String> = plan.iter().map(|entry| entry.uidl.clone()).collect();
    let before = server.look().deleted.len();
    sync(host);
    let deleted: BTreeSet<String> = server.look().deleted[before..].iter().map(|m| m.uidl.clone()).collect();
    assert_eq!(deleted, planned);
    for entry in &plan {
        let subject =
            rows(host).into_iter().find(|row| Some(row.id) == entry.message).map(|r| r.summary.subject);
        assert_eq!(entry.subject, subject.unwrap_or_default());
    }
    plan.into_iter().map(|entry| entry.why).collect()
}

#[test]
fn deleted_at_once() {
    let server = PopServer::new(5);
    let mut host = server.host(Keep::Delete);
    sync(&mut host);
    assert!(server.uidls().is_empty());
    assert_eq!(bodies(&host), sent(&server.look().deleted));
    assert_eq!(host.engine.retention_plan(host.account, host.now.wall_ms).unwrap(), []);
    server.deliver(mail(6));
    sync(&mut host);
    assert_eq!((server.uidls().len(), rows(&host).len()), (0, 6));
    assert_eq!(server.look().retrs, 6);
}

#[test]
fn note_26_days_count_from_when_this_device_first_had_it() {
    let server = PopServer::new(3);
    // Its Date is years ago.
    server.deliver(b"Date: Mon, 1 Jan 2001 00:00:00 +0000\r\nSubject: old\r\n\r\nx\r\n".to_vec());
    let mut host = server.host(Keep::Days(14));
    assert_eq!(sync_as_planned(&mut host, &server), []);
    host.wall_passes(7 * DAY_MS);
    server.deliver(mail(5));
    assert_eq!(sync_as_planned(&mut host, &server), []);
    host.wall_passes(7 * DAY_MS);
    let why = sync_as_planned(&mut host, &server);
    assert_eq!(why, [RetentionReason::Age { days: 14 }; 4]);
    assert_eq!((server.uidls().len(), rows(&host).len()), (1, 5));
    // A clock that was set back deletes nothing.
    host.wall_passes(-30 * DAY_MS);
    assert_eq!(sync_as_planned(&mut host, &server), []);
    host.wall_passes(37 * DAY_MS);
    assert_eq!(sync_as_planned(&mut host, &server), [RetentionReason::Age { days: 14 }]);
    assert!(server.uidls().is_empty());
}

#[test]
fn for_ever_and_a_change_of_mind() {
    let server = PopServer::new(4);
    let mut host = server.host(Keep::Forever);
    sync(&mut host);
    host.wall_passes(10_000 * DAY_MS);
    assert_eq!(sync_as_planned(&mut host, &server), []);
    let host = host.settings(|s| s.keep = Keep::Days(1));
    let plan = host.engine.retention_plan(host.account, host.now.wall_ms).unwrap();
    assert_eq!(plan[0].why, RetentionReason::Age { days: 10_000 });
    assert_eq!((plan.len(), plan[0].subject.as_str()), (4, "Message 1"));
    assert_eq!(server.uidls().len(), 4, "a dry run changes nothing");
    let mut host = host.settings(|s| s.keep = Keep::Forever);
    assert_eq!(sync_as_planned(&mut host, &server), []);
    let mut host = host.settings(|s| s.keep = Keep::Delete);
    assert_eq!(sync_as_planned(&mut host, &server), [RetentionReason::Here; 4]);
}

#[test]
fn note_56_nothing_is_deleted_that_is_in_doubt() {
    for naming in [Naming::Repeated, Naming::Empty, Naming::None] {
        for top in [true, false] {
            let server = PopServer::new(3).ways(|w| (w.naming, w.top) = (naming, top));
            let twin = server.look().mails[0].raw.clone();
            server.deliver(twin);
            let mut host = server.host(Keep::Delete);
            sync(&mut host);
            sync(&mut host);
            assert_eq!(rows(&host).len(), 4, "{naming:?}, TOP: {top}");
            let left = server.look().mails.len();
            // Of two that nothing tells apart neither goes; a repeated name makes all of them doubtful.
            assert_eq!(left, if naming == Naming::Repeated { 4 } else { 2 }, "{naming:?}, TOP: {top}");
            assert_eq!(sync(&mut host).messages_added, 0, "{naming:?}, TOP: {top}");
        }
    }
}

#[test]
fn a_quit_that_fails_deletes_nothing_and_is_tried_again() {
    let server = PopServer::new(3).ways(|w| w.quit_fails = true);
    let mut host = server.host(Keep::Delete);
    assert!(try_sync(&mut host).is_err());
    assert_eq!(server.uidls().len(), 3);
    server.look().ways.quit_fails = false;
    let why = sync_as_planned(&mut host, &server);
    assert_eq!(why, [RetentionReason::Here; 3]);
    assert_eq!(server.look().retrs, 3);
    assert_eq!(rows(&host).len(), 3);
}

#[test]
fn a_quit_whose_answer_is_lost_is_learnt_from_the_next_list() {
    let server = PopServer::new(3).ways(|w| w.quit_is_lost = true);
    let mut host = server.host(Keep::Delete);
    assert!(try_sync(&mut host).is_err());
    assert!(server.uidls().is_empty());
    assert_eq!(
        host.engine.retention_plan(host.account, host.now.wall_ms).unwrap().len(),
        3,
        "nobody knows yet"
    );
    server.look().ways.quit_is_lost = false;
    sync(&mut host);
    assert_eq!(host.engine.retention_plan(host.account, host.now.wall_ms).unwrap(), []);
    assert_eq!(rows(&host).len(), 3);
}

#[test]
fn a_message_deleted_by_another_client_in_between() {
    let server = PopServer::new(5);
    let mut host = server.host(Keep::Days(1));
    sync(&mut host);
    host.wall_passes(2 * DAY_MS);
    server.remove(2);
    server.deliver(mail(6));
    sync(&mut host);
    assert_eq!(server.look().deleted.len(), 4);
    assert_eq!(rows(&host).len(), 6, "what is here stays here");
    assert_eq!(server.look().retrs, 6);
}

#[test]
fn a_large_message_that_was_never_read_is_not_deleted() {
    let server = PopServer::new(1);
    server.deliver(Mail::new(2).attachment(50_000).build());
    for keep in [Keep::Delete, Keep::Days(0), Keep::UntilDeletedHere] {
        let mut host = server.host(keep).settings(|s| s.pop_size_limit = Some(10_000));
        sync(&mut host);
        host.wall_passes(100 * DAY_MS);
        sync(&mut host);
        assert!(server.uidls().contains(&"00000002AZ".to_owned()), "{keep:?}");
    }
}

#[test]
fn an_account_that_is_removed_takes_its_ledger_along() {
    let server = PopServer::new(3);
    let mut host = server.host(Keep::Forever);
    sync(&mut host);
    let engine: Engine = host.engine.clone();
    engine.remove_account(host.account).unwrap();
    assert_eq!(engine.verify().unwrap().problems, Vec::<String>::new());
    assert_eq!(engine.stats().unwrap().messages, 0);
}
