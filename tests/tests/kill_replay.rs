//! The program is killed two hundred times while it syncs, most of them while a replay is under way on the wire: nothing is
//! lost, and nothing is there twice.

use std::thread;

use mailkeep_tests::dovecot::Dovecot;
use mailkeep_tests::kill::{Lane, Tally};
use mailkeep_tests::proxy::Profile;

const KILLS: u64 = 200;
/// Kills that must fall between the first byte of a replay and its last OK.
const INSIDE: u64 = 100;
/// Devices at work at the same time, each on mail of its own.
const LANES: [(Profile, u64); 4] =
    [(Profile::All, 1), (Profile::NoCondstore, 2), (Profile::Plain, 3), (Profile::All, 4)];

#[test]
fn two_hundred_kills_lose_nothing_and_double_nothing() {
    let dovecot = Dovecot::shared();
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let lanes = LANES.map(|(profile, seed)| {
            let dovecot = &dovecot;
            scope.spawn(move || Lane::new(dovecot, profile, seed).kill(KILLS / LANES.len() as u64))
        });
        lanes.into_iter().map(|lane| lane.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    });
    let kills: u64 = tallies.iter().map(|t| t.kills).sum();
    let inside: u64 = tallies.iter().map(|t| t.inside).sum();
    let left: u64 = tallies.iter().map(|t| t.left).sum();
    let commands: Vec<_> = tallies.iter().map(|t| &t.under_way).collect();
    eprintln!(
        "{kills} kills, {inside} of them inside a replay (unanswered: {commands:?}), {left} operations left over"
    );
    assert_eq!(kills, KILLS);
    assert!(inside >= INSIDE, "only {inside} kills fell inside a replay");
}
