//! Power that goes at any moment, and disks that fill up.

mod support;

use mailkeep::{CommitMode, Engine, Error, Event};
use support::host::open;
use support::{Disk, FarSide, Host, Mail, Tier, mail};

both! {
    a_crash_anywhere_in_a_first_sync_loses_nothing,
    a_crash_anywhere_in_a_resync_loses_nothing,
    a_full_disk_loses_nothing_acknowledged,
}

fn server<S: FarSide>() -> S {
    let server = S::new(Tier::Everything);
    server.create("Lists");
    for n in 1..=3 {
        server.deliver("INBOX", mail(n));
    }
    server.deliver("Lists", Mail::new(4).attachment(9_000).build());
    server
}

fn change<S: FarSide>(server: &S) {
    server.set_flags("INBOX", 1, &["\\Seen"]);
    server.move_message("INBOX", 2, "Lists");
    server.deliver("INBOX", mail(5));
    server.reset_uid_validity("Lists");
}

/// Opens what a power loss left; `None` where not even the account had been made durable.
fn recover(disk: &Disk, seed: u64) -> Option<(Disk, Engine)> {
    let after = disk.after_crash(seed);
    let engine = open(after.clone()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let report = engine.verify().unwrap();
    assert_eq!(report.problems, Vec::<String>::new(), "seed {seed}");
    (!engine.accounts().unwrap().is_empty()).then_some((after, engine))
}

/// Syncs on a disk whose power goes at the `n`-th operation. Returns the last commit that was acknowledged.
fn sync_until<S: FarSide>(disk: &Disk, server: &S, n: u64, commits: CommitMode) -> u64 {
    let engine = open(disk.clone()).unwrap();
    let mut host = Host::with_engine(engine, server).knobs(|k| {
        k.commits = commits;
        k.commit_delay = 2;
        k.chunk = 700;
    });
    disk.crash_at(n);
    let _ = host.try_sync(mailkeep::SyncScope::account());
    let stored = host.events.iter().rev().find_map(|e| match e {
        Event::Stored { commit } => Some(*commit),
        _ => None,
    });
    stored.unwrap_or(0)
}

fn crash_everywhere<S: FarSide>(base: &[u8], server: &S) {
    let whole = Disk::holding(base.to_vec());
    sync_until(&whole, server, u64::MAX / 2, CommitMode::Inline);
    let operations = whole.operations();
    for n in 0..operations {
        let disk = Disk::holding(base.to_vec());
        let commits = if n % 2 == 0 { CommitMode::Inline } else { CommitMode::Host };
        let acknowledged = sync_until(&disk, server, n, commits);
        for seed in [0, 1, 2 + n, 1_000 + n] {
            let Some((_, engine)) = recover(&disk, seed) else { panic!("the account is gone") };
            let durable = engine.stats().unwrap().commit;
            assert!(
                durable >= acknowledged,
                "crash at {n}: commit {acknowledged} was acknowledged, {durable} is here"
            );
            // All of them sync again; the slower part of it for one seed.
            if seed == 2 + n {
                let mut host = Host::with_engine(engine, server);
                host.sync_all();
                host.assert_in_step();
            }
        }
    }
}

/// A disk with the account on it.
fn account_only<S: FarSide>(server: &S) -> Vec<u8> {
    let disk = Disk::new();
    drop(Host::with_engine(open(disk.clone()).unwrap(), server));
    disk.bytes()
}

fn a_crash_anywhere_in_a_first_sync_loses_nothing<S: FarSide>() {
    let server = server::<S>();
    crash_everywhere(&account_only(&server), &server);
}

fn a_crash_anywhere_in_a_resync_loses_nothing<S: FarSide>() {
    let server = server::<S>();
    let disk = Disk::new();
    let mut host = Host::with_engine(open(disk.clone()).unwrap(), &server);
    host.sync_all();
    drop(host);
    change(&server);
    crash_everywhere(&disk.bytes(), &server);
}

#[test]
fn a_crash_while_the_store_is_made_leaves_one_that_opens() {
    let whole = Disk::new();
    drop(open(whole.clone()).unwrap());
    for n in 0..whole.operations() {
        let disk = Disk::new();
        disk.crash_at(n);
        if let Ok(engine) = open(disk.clone()) {
            drop(engine);
        }
        for seed in [0, 1, 2 + n, 100 + n] {
            let after = disk.after_crash(seed);
            match open(after) {
                Ok(engine) => assert_eq!(engine.verify().unwrap().problems, Vec::<String>::new()),
                Err(error) => panic!("crash at {n}, seed {seed}: {error}"),
            }
        }
    }
}

fn a_full_disk_loses_nothing_acknowledged<S: FarSide>() {
    let server = server::<S>();
    for n in 10..40 {
        server.deliver("INBOX", Mail::new(n).attachment(40_000).build());
    }
    let base = account_only(&server);
    for more in [0, 20_000, 200_000, 700_000] {
        let disk = Disk::holding(base.clone());
        let engine = open(disk.clone()).unwrap();
        let mut host = Host::with_engine(engine.clone(), &server).knobs(|k| k.chunk = 20_000);
        host.knobs.turn_ms = 300;
        disk.set_room(Some(base.len() as u64 + more));
        let result = host.try_sync(mailkeep::SyncScope::account());
        let error = host.closed().expect("the connection ended").as_ref().expect("with an error");
        assert!(matches!(error, Error::Storage(_) | Error::StorageFailed), "{error:?}");
        assert!(result.is_err());
        let acknowledged = host.events.iter().rev().find_map(|e| match e {
            Event::Stored { commit } => Some(*commit),
            _ => None,
        });
        assert!(matches!(engine.accounts(), Err(Error::StorageFailed)));
        disk.set_room(None);
        engine.reopen().unwrap();
        assert_eq!(engine.verify().unwrap().problems, Vec::<String>::new());
        assert!(engine.stats().unwrap().commit >= acknowledged.unwrap_or(0));
        host.drop_connection();
        host.sync_all();
        host.assert_in_step();
    }
}

#[test]
fn a_place_without_locks_is_opened_once() {
    let disk = Disk::new();
    let engine = open(disk.clone()).unwrap();
    assert!(matches!(open(disk.clone()), Err(Error::Locked)));
    engine.suspend().unwrap();
    let other = open(disk.clone()).unwrap();
    assert!(matches!(engine.resume(), Err(Error::Locked)));
    drop(other);
    engine.resume().unwrap();
    engine.close();
    drop(open(disk).unwrap());
}
