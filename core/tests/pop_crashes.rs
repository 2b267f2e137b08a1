//! POP3: cuts at every octet, and power that goes at every write. Nothing is lost, nothing comes twice, and
//! nothing is deleted from the server that is not durable here.

mod support;

use mailkeep::{CommitMode, Keep, MemoryStorage, SyncScope};
use support::host::{open, open_quick};
use support::pop_model::{bodies, sent, sync};
use support::{Disk, Mail, PopServer};

fn server() -> PopServer {
    let server = PopServer::new(4);
    server.deliver(Mail::new(5).attachment(600).build());
    server.deliver(b".\r\n..\r\nno header at all, and no line end".to_vec());
    server
}

/// Every message that was ever delivered, as POP3 hands them out.
fn everything(server: &PopServer) -> Vec<Vec<u8>> {
    let look = server.look();
    sent(&[look.mails.as_slice(), look.deleted.as_slice()].concat())
}

fn octets_of_a_session(keep: Keep) -> u64 {
    let server = server();
    let mut host = server.host(keep);
    sync(&mut host);
    host.received[0]
}

#[test]
fn note_43_a_cut_at_every_octet_loses_nothing_and_brings_nothing_twice() {
    for (keep, step) in [(Keep::Delete, 1), (Keep::Forever, 7), (Keep::Days(0), 5)] {
        let octets = octets_of_a_session(keep);
        for cut in (0..=octets).step_by(step) {
            let server = server();
            let all = everything(&server);
            let engine = open_quick(MemoryStorage::new()).unwrap();
            let mut host = server.host_with(engine, keep).knobs(|k| {
                k.commits = if cut.is_multiple_of(2) { CommitMode::Inline } else { CommitMode::Host };
                k.commit_delay = cut % 5;
                k.chunk = if cut.is_multiple_of(3) { 100 } else { usize::MAX };
            });
            host.knobs.cuts = vec![cut];
            let request = host.connect().sync(SyncScope::account());
            let _ = host.run_request(request);
            host.quiesce();
            host.drop_connection();
            // Whatever is gone from the server is here.
            let gone = sent(&server.look().deleted);
            let here = bodies(&host);
            assert!(gone.iter().all(|mail| here.contains(mail)), "cut at {cut} of {octets}");
            host.knobs.cuts.clear();
            sync(&mut host);
            assert_eq!(bodies(&host), all, "cut at {cut} of {octets}");
            assert_eq!(server.uidls().is_empty(), keep != Keep::Forever, "cut at {cut} of {octets}");
        }
    }
}

#[test]
fn note_43_closed_after_every_so_many_octets_it_goes_on() {
    let longest = 2_600;
    for k in [longest, longest + 1, 6_000, 7_777] {
        let server = server();
        let all = everything(&server);
        let mut host = server.host(Keep::Delete).knobs(|knobs| knobs.cut_every = Some(k));
        let mut tries = 0;
        while host.try_sync(SyncScope::account()).is_err() || !server.uidls().is_empty() {
            host.drop_connection();
            tries += 1;
            assert!(tries < 100, "no progress in pieces of {k}");
        }
        assert_eq!(bodies(&host), all, "in pieces of {k}");
    }
}

#[test]
fn power_lost_at_every_write_deletes_nothing_that_is_not_durable() {
    for keep in [Keep::Delete, Keep::Forever] {
        let base = {
            let disk = Disk::new();
            drop(server().host_on(disk.clone(), keep));
            disk.bytes()
        };
        let run = |disk: &Disk, at: u64| {
            let server = server();
            let mut host = server.host_on(disk.clone(), keep).knobs(|k| {
                k.commits = if at.is_multiple_of(2) { CommitMode::Inline } else { CommitMode::Host };
                k.commit_delay = 2;
                k.chunk = 900;
            });
            disk.crash_at(at);
            let request = host.connect().sync(SyncScope::account());
            let _ = host.run_request(request);
            host.quiesce();
            server
        };
        let whole = Disk::holding(base.clone());
        run(&whole, u64::MAX / 2);
        for at in 0..whole.operations() {
            let disk = Disk::holding(base.clone());
            let server = run(&disk, at);
            let all = everything(&server);
            for seed in [0, 1, 2 + at, 1_000 + at] {
                let engine = open(disk.after_crash(seed)).unwrap_or_else(|e| panic!("{at}, {seed}: {e}"));
                let mut host = server.host_with(engine, keep);
                let (here, gone) = (bodies(&host), sent(&server.look().deleted));
                assert!(gone.iter().all(|mail| here.contains(mail)), "power lost at {at}, seed {seed}");
                if seed == 1_000 + at {
                    sync(&mut host);
                    assert_eq!(bodies(&host), all, "power lost at {at}, seed {seed}");
                }
            }
        }
    }
}

#[test]
fn a_disk_that_is_full_deletes_nothing() {
    let server = PopServer::new(0);
    (1..30).for_each(|n| server.deliver(Mail::new(n).attachment(40_000).build()));
    let all = everything(&server);
    let disk = Disk::new();
    drop(server.host_on(disk.clone(), Keep::Delete));
    let base = disk.bytes().len() as u64;
    for more in [0, 20_000, 300_000, 900_000] {
        disk.set_room(Some(base + more));
        let mut host = server.host_on(disk.clone(), Keep::Delete).knobs(|k| k.chunk = 20_000);
        host.knobs.turn_ms = 300;
        let _ = host.try_sync(SyncScope::account());
        host.drop_connection();
        disk.set_room(None);
        drop(host);
        let host = server.host_on(disk.clone(), Keep::Delete);
        let here = bodies(&host);
        assert!(sent(&server.look().deleted).iter().all(|mail| here.contains(mail)));
    }
    let mut host = server.host_on(disk, Keep::Delete);
    sync(&mut host);
    assert_eq!(bodies(&host), all);
    assert!(server.uidls().is_empty());
}
