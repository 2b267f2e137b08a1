//! Many devices, another client and one server, drawn from seeds, with everything that can go wrong.
//!
//! In the end nothing is lost, nothing is there twice, every device sees what the server has, and nothing was both done and
//! reported as refused. A run fails too where it met some case too seldom.
//!
//! `SIM_SEED=123` runs one simulation and tells what happened; `SIM_SEEDS=1000000` runs that many, from
//! `SIM_FROM` on. In one of four the far side is the project's own server, in the others the model; `SIM_SERVER=own`
//! or `SIM_SERVER=model` makes it that one in all. `SIM_TALK=1` tells what was said on the wire, `SIM_COUNTS=1` what was
//! met, `SIM_MASK=others,cuts` leaves out what is not named (devices, others, cuts, crashes, renumbers, refusals, races,
//! forgets), `SIM_FAILURES=1` ends at the first failure. `core/tests/planted/run` plants bugs and shows that they are
//! caught.

#[path = "support/sim/mod.rs"]
mod sim;
mod support;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sim::counts::Counts;

const SEEDS: u64 = 10_000;
/// Fewer than these prove nothing by what they do not meet.
const FEW: u64 = 5_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs one simulation; what went wrong and what led to it where something did.
fn simulate(seed: u64, base: &[u8]) -> Result<Counts, String> {
    let trace = sim::Trace::default();
    let seen = Rc::clone(&trace);
    catch_unwind(AssertUnwindSafe(|| sim::run(seed, base, &seen))).map_err(|_| {
        let panic = PANIC.with_borrow(Clone::clone);
        format!("seed {seed}\n{}\n{panic}\n", trace.borrow().join("\n"))
    })
}

#[test]
fn simulations_end_well() {
    let base = sim::base();
    let default_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| PANIC.set(info.to_string())));
    let one = number("SIM_SEED");
    let from = one.or(number("SIM_FROM")).unwrap_or(0);
    let seeds = if one.is_some() { 1 } else { number("SIM_SEEDS").unwrap_or(SEEDS) };
    let stop_after = number("SIM_FAILURES").unwrap_or(3) as usize;
    let next = AtomicU64::new(from);
    let counts = Mutex::new(Counts::default());
    let failures = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Counts::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds || failures.lock().expect("no panic").len() >= stop_after {
                        break;
                    }
                    match simulate(seed, &base) {
                        Ok(counts) => mine.merge(&counts),
                        Err(failure) => failures.lock().expect("no panic").push(failure),
                    }
                }
                counts.lock().expect("no panic").merge(&mine);
            });
        }
    });
    std::panic::set_hook(default_hook);
    let failures = failures.into_inner().expect("no panic");
    let counts = counts.into_inner().expect("no panic");
    if number("SIM_COUNTS").is_some() {
        eprintln!("{}", counts.table());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    if seeds >= FEW {
        let missed = sim::enough::too_seldom(&counts);
        assert!(missed.is_empty(), "met too seldom:\n{}\n{}", missed.join("\n"), counts.table());
    }
}
