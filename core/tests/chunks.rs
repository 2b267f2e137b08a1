//! Input cut anywhere, and connections that break anywhere, end in the same store.

mod support;

use mailkeep::{BodyPolicy, CommitMode, MemoryStorage, WorkLimit};
use support::snapshot::assert_same;
use support::{FarSide, Host, Mail, Script, Tier, mail};

both! {
    chunks_change_nothing,
    little_work_at_a_time_changes_nothing,
    note_43_a_first_sync_cut_at_every_byte,
    note_43_a_first_sync_without_bodies_cut_at_every_byte,
    note_43_a_resync_cut_at_every_byte,
    note_43_a_renumbered_mailbox_cut_at_every_byte,
    note_43_a_server_that_closes_after_every_kth_byte,
}

const TRANSCRIPTS: &[(&str, &str)] = &[
    ("first_sync", include_str!("transcripts/first_sync.txt")),
    ("sync_qresync", include_str!("transcripts/sync_qresync.txt")),
];

#[test]
fn transcripts_do_not_care_about_chunks() {
    for (name, text) in TRANSCRIPTS {
        let play = |chunk: usize| {
            let mut host = Host::with_peers(Script::peers(text)).knobs(|k| k.chunk = chunk);
            while host.received.len() < Script::parse(text).len() {
                host.drop_connection();
                host.sync_all();
            }
            let request = host.connect().logout();
            host.run_request(request).unwrap();
            host.snapshot()
        };
        let whole = play(usize::MAX);
        assert!(!whole.mailboxes.is_empty(), "{name}");
        for chunk in [1, 2, 3, 7, 64] {
            assert_same(&whole, &play(chunk));
        }
    }
}

/// What came before the connection broke is kept, and is what the whole would have brought.
#[test]
fn transcripts_cut_anywhere_leave_a_whole_store() {
    for (_, text) in TRANSCRIPTS {
        let first = || Script::parse(text).remove(0).lenient();
        let mut host = Host::with_peers(move || Box::new(first()));
        host.sync_all();
        let whole = host.snapshot();
        let len = host.received[0];
        for cut in 0..len {
            let text = *text;
            let mut host = Host::with_peers(move || Box::new(Script::parse(text).remove(0).lenient()));
            host.knobs.cuts = vec![cut];
            let request = host.connect().sync(mailkeep::SyncScope::account());
            let _ = host.run_request(request);
            for mailbox in host.snapshot().mailboxes {
                for message in &mailbox.messages {
                    let there = whole.mailbox(&mailbox.name).uid(message.uid);
                    assert_eq!(message.subject, there.subject, "cut at {cut}");
                    assert!(message.raw.is_none() || message.raw == there.raw, "cut at {cut}");
                }
            }
        }
    }
}

fn server<S: FarSide>(tier: Tier) -> S {
    let server = S::new(tier);
    server.create("Lists");
    server.deliver("INBOX", mail(1));
    server.deliver_with("INBOX", mail(2), &["\\Seen", "work"], None);
    server.deliver("INBOX", Mail::new(3).attachment(60).build());
    server.deliver("Lists", mail(4));
    server
}

fn start<S: FarSide>(tier: Tier, bodies: BodyPolicy) -> (S, Host) {
    let server = server::<S>(tier);
    let host = Host::new(&server).settings(|s| s.bodies = bodies);
    (server, host)
}

fn chunks_change_nothing<S: FarSide>() {
    for tier in Tier::ALL {
        for bodies in [BodyPolicy::All, BodyPolicy::None, BodyPolicy::Newest(1)] {
            let (_, mut whole) = start::<S>(tier, bodies);
            whole.sync_all();
            let wanted = whole.snapshot();
            for (chunk, commits, turn_ms) in [
                (1, CommitMode::Inline, 0),
                (1, CommitMode::Host, 0),
                (1, CommitMode::Inline, 1),
                (3, CommitMode::Host, 100),
                (17, CommitMode::Inline, 60),
                (1000, CommitMode::Host, 300),
            ] {
                let (_, mut host) = start::<S>(tier, bodies);
                host.knobs.chunk = chunk;
                host.knobs.commits = commits;
                host.knobs.commit_delay = 5;
                host.knobs.turn_ms = turn_ms;
                host.sync_all();
                assert_same(&host.snapshot(), &wanted);
            }
        }
    }
}

fn little_work_at_a_time_changes_nothing<S: FarSide>() {
    let (_, mut whole) = start::<S>(Tier::Everything, BodyPolicy::All);
    whole.sync_all();
    for (bytes, responses) in [(1, usize::MAX), (usize::MAX, 1), (50, 2)] {
        let (_, host) = start::<S>(Tier::Everything, BodyPolicy::All);
        let mut host = host.knobs(|k| k.limit = WorkLimit { bytes, responses });
        host.sync_all();
        assert_same(&host.snapshot(), &whole.snapshot());
    }
}

/// A break after every octet of the server's, or every `stride`-th, and then a connection that holds:
/// the same store, local ids included.
fn cut_everywhere<S: FarSide>(
    tier: Tier,
    bodies: BodyPolicy,
    stride: usize,
    prepare: impl Fn(&S, &mut Host),
) {
    let (far, mut whole) = start::<S>(tier, bodies);
    prepare(&far, &mut whole);
    let base = {
        let storage = MemoryStorage::new();
        let (far, mut host) = start_on::<S>(&storage, tier, bodies);
        prepare(&far, &mut host);
        host.drop_connection();
        drop(host);
        storage.to_bytes()
    };
    whole.drop_connection();
    whole.received.clear();
    whole.sync_all();
    let wanted = whole.snapshot();
    let len: u64 = whole.received.iter().sum();
    for cut in (0..=len).step_by(stride) {
        let engine = support::host::open_quick(MemoryStorage::from_bytes(base.clone())).unwrap();
        let mut host = Host::with_engine(engine, &far);
        host.now = whole.now;
        host.knobs.cuts = vec![cut];
        host.sync_all();
        let here = host.snapshot();
        if here != wanted {
            eprintln!("cut at {cut} of {len}, {tier:?} {bodies:?}\n{}", host.said());
            assert_same(&here, &wanted);
        }
    }
}

fn start_on<S: FarSide>(storage: &MemoryStorage, tier: Tier, bodies: BodyPolicy) -> (S, Host) {
    let server = server::<S>(tier);
    let engine = support::host::open(storage.clone()).unwrap();
    let host = Host::with_engine(engine, &server).settings(|s| s.bodies = bodies);
    (server, host)
}

fn note_43_a_first_sync_cut_at_every_byte<S: FarSide>() {
    cut_everywhere::<S>(Tier::Everything, BodyPolicy::All, 1, |_, _| {});
    cut_everywhere::<S>(Tier::Bare, BodyPolicy::All, 5, |_, _| {});
}

fn note_43_a_first_sync_without_bodies_cut_at_every_byte<S: FarSide>() {
    cut_everywhere::<S>(Tier::Qresync, BodyPolicy::None, 2, |_, _| {});
}

fn note_43_a_resync_cut_at_every_byte<S: FarSide>() {
    for (tier, stride) in [(Tier::Bare, 1), (Tier::Condstore, 7), (Tier::Qresync, 1), (Tier::Everything, 7)] {
        cut_everywhere::<S>(tier, BodyPolicy::All, stride, |server, host| {
            host.sync_all();
            server.set_flags("INBOX", 1, &["\\Flagged"]);
            server.move_message("INBOX", 2, "Lists");
            server.deliver("INBOX", mail(9));
            server.rename("Lists", "Groups");
            server.expunge("INBOX", &[3]);
        });
    }
}

fn note_43_a_renumbered_mailbox_cut_at_every_byte<S: FarSide>() {
    for (tier, stride) in [(Tier::Condstore, 2), (Tier::Everything, 5)] {
        cut_everywhere::<S>(tier, BodyPolicy::All, stride, |server, host| {
            host.sync_all();
            server.reset_uid_validity("INBOX");
        });
    }
}

/// A server that closes after every k-th byte: for every k beyond the handshake it ends.
fn note_43_a_server_that_closes_after_every_kth_byte<S: FarSide>() {
    let server = S::new(Tier::Everything);
    server.deliver("INBOX", Mail::new(1).attachment(30_000).build());
    for n in 2..6 {
        server.deliver("INBOX", mail(n));
    }
    for k in [3_000, 3_001, 4_096, 6_007, 20_000] {
        for commits in [CommitMode::Inline, CommitMode::Host] {
            let mut host = Host::new(&server).knobs(|knobs| {
                knobs.cut_every = Some(k);
                knobs.commits = commits;
            });
            host.sync_all();
            host.assert_in_step();
            let total: u64 = host.received.iter().sum();
            assert!(total < 1_000_000, "{k}: {total} octets for 45 kB of mail");
        }
    }
}
