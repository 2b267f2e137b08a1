//! The fuzz targets' functions over their seeds: transcripts, and what fuzzing found.

#[allow(unreachable_pub, reason = "to the targets it is a library")]
#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::path::Path;

/// Runs a target over each of its seeds, and over each cut short and with an octet changed.
#[allow(clippy::print_stdout, reason = "a failure is to name its seed")]
fn replay(target: &str, run: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut count = 0;
    for entry in fs::read_dir(&seeds).expect("the target has seeds") {
        let path = entry.expect("it can be listed").path();
        let octets = fs::read(&path).expect("it can be read");
        println!("{}", path.display());
        run(&octets);
        let step = (octets.len() / 20).max(1);
        for at in (0..octets.len()).step_by(step) {
            run(&octets[..at]);
            let mut changed = octets.clone();
            changed[at] ^= 0x15;
            run(&changed);
        }
        count += 1;
    }
    assert!(count >= 4, "{count} seeds of {target}");
}

#[test]
fn commands() {
    replay("command", fuzz::command::run);
}

#[test]
fn responses() {
    replay("response", fuzz::response::run);
}

#[test]
fn sessions() {
    replay("session", fuzz::session::run);
}

#[test]
fn pop_servers() {
    replay("pop_server", fuzz::pop_server::run);
}

#[test]
fn pop_clients() {
    replay("pop_client", fuzz::pop_client::run);
}
