//! Runs a program to its end and says what it cost.
//!
//! A new process's peak counts from the memory of the one that started it, so each program is started by
//! a small process of its own, not by one that may have held a mailbox.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The first argument of the small process.
pub const CHILD: &str = "--as-measure";

/// What a run cost, and what it printed.
#[derive(Debug, Clone)]
pub struct Cost {
    /// Seconds from its start to its end.
    pub wall: f64,
    /// Seconds of processor, user and system together, of it and its children.
    pub cpu: f64,
    /// Most memory resident at a time, in octets.
    pub peak: u64,
    /// Standard output.
    pub stdout: Vec<u8>,
}

impl Cost {
    /// The peak in millions of octets.
    pub fn peak_mb(&self) -> f64 {
        self.peak as f64 / 1e6
    }
}

/// Runs a program that must succeed. What was written to the disk before is settled first.
pub fn measure(
    program: &Path,
    arguments: &[impl AsRef<OsStr>],
    environment: &[(&str, &str)],
    report: &Path,
) -> Cost {
    // SAFETY: sync has no preconditions.
    unsafe { libc::sync() };
    let this = std::env::current_exe().expect("a process knows its own file");
    let mut command = Command::new(this);
    command.arg(CHILD).arg(report).arg(program).args(arguments).envs(environment.iter().copied());
    let output = command.stdin(Stdio::null()).output().expect("this program can be started again");
    assert!(
        output.status.success(),
        "{} {:?} failed:\n{}{}",
        program.display(),
        arguments.iter().map(AsRef::as_ref).collect::<Vec<_>>(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = fs::read_to_string(report).expect("the small process wrote its report");
    let figures: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("a figure")).collect();
    let [wall, cpu, peak] = figures[..] else { panic!("a report of {} figures", figures.len()) };
    Cost { wall, cpu, peak: peak as u64, stdout: output.stdout }
}

/// The small process: runs what its arguments name, and writes the figures down.
pub fn child(arguments: &[OsString]) {
    let [report, program, rest @ ..] = arguments else { panic!("a report and a program are needed") };
    let start = Instant::now();
    let status = Command::new(program).args(rest).status();
    let wall = start.elapsed().as_secs_f64();
    let status = status.unwrap_or_else(|e| panic!("cannot run {}: {e}", program.display()));
    if !status.success() {
        eprintln!("{}: {status}", program.display());
        std::process::exit(status.code().or(status.signal()).unwrap_or(1));
    }
    let usage = children();
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    let cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    let peak = usage.ru_maxrss as u64 * 1024;
    fs::write(report, format!("{wall} {cpu} {peak}")).expect("the report can be written");
}

fn children() -> libc::rusage {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the place is large enough and the call fills it.
    let outcome = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) };
    assert_eq!(outcome, 0, "getrusage fails");
    // SAFETY: zeros are a valid value, and the call succeeded.
    unsafe { usage.assume_init() }
}
