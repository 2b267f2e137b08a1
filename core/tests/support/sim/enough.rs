//! How often each case must have been met: simulations that miss one prove nothing about it.

use super::counts::Counts;

/// At least so often in ten thousand simulations.
const LEAST: &[(&str, u64)] = &[
    ("operation: set flags", 5_000),
    ("operation: move", 5_000),
    ("operation: copy", 2_000),
    ("operation: delete", 2_000),
    ("operation: expunge", 2_000),
    ("operation: archive", 1_000),
    ("operation: append", 2_000),
    ("operation: replace draft", 2_000),
    ("operation: mark all read", 1_000),
    ("operation: empty mailbox", 300),
    ("operation: create mailbox", 800),
    ("operation: create local mailbox", 200),
    ("operation: move to a local mailbox", 300),
    ("operation: rename mailbox", 500),
    ("operation: delete mailbox", 300),
    ("operation: subscribe", 800),
    ("operation: cancel", 800),
    ("operation: retry", 50),
    ("conflict: flags there, flags here", 2_000),
    ("conflict: delete there, flags here", 1_000),
    ("conflict: delete there, move here", 1_000),
    ("conflict: move there, flags here", 1_500),
    ("conflict: move there, move here", 1_500),
    ("conflict: move there, delete here", 1_000),
    ("conflict: renamed there, moved into here", 50),
    ("conflict: UIDVALIDITY changed with operations pending", 300),
    ("conflict: it reappeared under a new UID", 150),
    ("another: copies what a device is about to put there", 60),
    ("race: another put the same message to the same place", 60),
    ("UIDVALIDITY: reset", 300),
    ("UIDVALIDITY: shuffled", 300),
    ("cut: at a command", 1_000),
    ("cut: octets from the server", 500),
    ("cut: octets to the device", 500),
    ("cut: octets to the server", 1_000),
    ("cut: power", 1_500),
    ("cut: power, during an action", 800),
    ("cut: the program ended during a sync", 200),
    ("cut: the open mailbox went", 10),
    ("race: a person during a sync", 3_000),
    ("race: another client during a sync", 3_000),
    ("an operation was set aside", 3_000),
    ("judged: a message is there as often as was asked", 40_000),
    ("judged: what was set aside was not done", 500),
    ("judged: what was wanted is so", 8_000),
    ("devices: 1", 1_500),
    ("devices: 2", 2_500),
    ("devices: 3", 400),
    ("devices: 4", 400),
];

/// Commands whose answer must have been lost in each way.
const COMMANDS: [(&str, u64); 8] = [
    ("STORE", 8),
    ("COPY", 8),
    ("MOVE", 8),
    ("EXPUNGE", 8),
    ("APPEND", 8),
    ("CREATE", 2),
    ("RENAME", 2),
    ("DELETE", 2),
];
const LOST: [&str; 3] = ["cut before", "cut after", "cut before its answer"];

/// What refusals must have said.
const CODES: [&str; 12] = [
    "OVERQUOTA",
    "NOPERM",
    "TRYCREATE",
    "TOOBIG",
    "READ-ONLY",
    "LIMIT",
    "UNAVAILABLE",
    "INUSE",
    "SERVERBUG",
    "CANNOT",
    "NONEXISTENT",
    "ALREADYEXISTS",
];

/// What was met too seldom.
pub fn too_seldom(counts: &Counts) -> Vec<String> {
    let simulations = counts.get("simulations");
    let mut missed = Vec::new();
    let mut check = |what: String, met: u64, least: u64| {
        let wanted = least * simulations / 10_000;
        if met < wanted {
            missed.push(format!("{what}: {met} times, and not {wanted}"));
        }
    };
    for (what, least) in LEAST {
        check((*what).to_owned(), counts.get(what), *least);
    }
    for (command, least) in COMMANDS {
        for how in LOST {
            let what = format!("fault: {command}: {how}");
            let met = counts.get(&what);
            check(what, met, least);
        }
    }
    for code in CODES {
        let said = counts.0.iter().filter(|(what, _)| what.ends_with(&format!("NO [{code}]")));
        check(format!("refusals with {code}"), said.map(|(_, n)| n).sum(), 20);
    }
    missed
}
