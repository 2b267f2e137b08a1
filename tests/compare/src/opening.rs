//! How long a store takes to open, in a process that has seen nothing of it.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use mailkeep::{Engine, EngineOptions, FileStorage};

/// The first argument of a process that opens a store.
pub const CHILD: &str = "--as-opening";

/// Milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Opening {
    /// `Engine::open` alone.
    pub open: f64,
    /// The list of accounts and mailboxes and the first page of INBOX behind it.
    pub page: f64,
    /// Messages that are there.
    pub messages: u64,
}

/// Opens a store and closes it cleanly.
pub fn open(database: &Path) -> Opening {
    let this = std::env::current_exe().expect("a process knows its own file");
    let output = Command::new(this).arg(CHILD).arg(database).output().expect("this program starts again");
    assert!(output.status.success(), "opening failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let figures: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("a figure")).collect();
    let [open, page, messages] = figures[..] else { panic!("{} figures", figures.len()) };
    Opening { open, page, messages: messages as u64 }
}

/// Puts a file out of the system's memory, so that the next to read it waits for the disk.
pub fn forget(database: &Path) {
    let file = File::open(database).expect("the database is there");
    file.sync_all().expect("the disk works");
    // SAFETY: the descriptor is open as long as the file lives.
    let outcome = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(outcome, 0, "posix_fadvise fails");
}

/// The opening process.
pub fn child(arguments: &[OsString]) {
    let [database] = arguments else { panic!("one argument is needed") };
    let start = Instant::now();
    let engine = Engine::open(FileStorage::existing(database), EngineOptions::new(1)).expect("it opens");
    let open = start.elapsed().as_secs_f64() * 1e3;
    let start = Instant::now();
    let account = engine.accounts().expect("it reads")[0].id;
    let mailboxes = engine.mailboxes(account).expect("it reads");
    let inbox = mailboxes.iter().find(|m| m.name == "INBOX").expect("it was synced");
    let page = engine.messages(inbox.id, None, 50).expect("it reads");
    assert!(!page.rows.is_empty(), "nothing was stored before the end");
    let read = start.elapsed().as_secs_f64() * 1e3;
    engine.close();
    println!("{open} {read} {}", inbox.total);
}
