//! What the store costs after and around a sync: memory with one huge message, reading, opening after the
//! worst end, and a sync with nothing to do.

use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use mailkeep::flags::Flags;
use mailkeep::{Engine, EngineOptions, FileStorage, MailboxId, MessageId};
use mailkeep_compare::account::Account;
use mailkeep_compare::arguments::Arguments;
use mailkeep_compare::client::{Mailkeep, Mbsync, Place, drain};
use mailkeep_compare::opening::{self, Opening};
use mailkeep_compare::table::{self, median, percentile_99};
use mailkeep_tests::corpus;
use mailkeep_tests::dovecot::{Dovecot, DovecotOptions, Storage};
use mailkeep_tests::imap::Mail;
use mailkeep_tests::server::Scratch;

const USAGE: &str = "usage: store [--messages N] [--file-mb N] [--mdbox]
  --messages N     messages of the mailbox that pages are read of (100,000)
  --file-mb N      size of the file at which a sync is killed (1,000)
  --mdbox          the server keeps its mail in mdbox, not in Maildir";

/// Times that each read is made.
const READS: usize = 10_000;

fn main() {
    mailkeep_compare::child();
    let mut arguments = Arguments::new(USAGE);
    let messages = arguments.value("--messages").unwrap_or(100_000);
    let file_mb: u64 = arguments.value("--file-mb").unwrap_or(1_000);
    let storage = if arguments.flag("--mdbox") { Storage::Mdbox } else { Storage::Maildir };
    arguments.finish();

    let version = Mbsync::version();
    let mailkeep = Mailkeep::built();
    let dovecot = Dovecot::start(DovecotOptions { storage, ..DovecotOptions::default() });
    let scratch = Scratch::new("compare");
    println!("Dovecot with {storage:?}; {version}\n");
    huge_message(&dovecot, &mailkeep, scratch.path());
    reading(&dovecot, &mailkeep, scratch.path(), messages);
    killing(&dovecot, &mailkeep, scratch.path(), file_mb << 20);
}

/// Peak memory of clients that bring a mailbox with nothing in it, and one with a single message of 50 MB.
fn huge_message(dovecot: &Dovecot, mailkeep: &Mailkeep, folder: &Path) {
    let none = Account::fill(dovecot, "nothing", [tiny()]);
    let huge = Account::fill(dovecot, "huge", [message_of(50 << 20)]);
    let row = |name: &str, bring: &dyn Fn(&Account, &Place) -> f64| {
        let bring = |account: &Account| format!("{:.1}", bring(account, &Place::new(folder, "run")));
        vec![name.to_owned(), bring(&none), bring(&huge)]
    };
    let plain = Mbsync { compress: false, fsync: true };
    let rows = [
        row("a bare drain", &|account, place| drain(account, place, false).peak_mb()),
        row("mailkeep", &|account, place| mailkeep.first_sync(account, place, false).peak_mb()),
        row("mailkeep --compress", &|account, place| mailkeep.first_sync(account, place, true).peak_mb()),
        row("mbsync", &|account, place| plain.first_sync(account, place).peak_mb()),
    ];
    table::print(&["Peak RSS, MB", "one tiny message", "one of 50 MB"], &rows);
}

fn tiny() -> Mail {
    let bytes = b"From: a@generated.example\r\nSubject: Hello\r\n\r\nText\r\n".to_vec();
    Mail { bytes, internal_date: corpus::FIRST_DATE, flags: Vec::new() }
}

/// A message with one attachment that makes it so large.
fn message_of(octets: usize) -> Mail {
    let head = "From: a@generated.example\r\nTo: b@generated.example\r\nSubject: The film\r\nMIME-Version: 1.0\r\n\
                Message-ID: <film@generated.example>\r\nContent-Type: multipart/mixed; boundary=\"=_film\"\r\n\r\n\
                --=_film\r\nContent-Type: text/plain\r\n\r\nHere it is.\r\n\r\n--=_film\r\n\
                Content-Type: video/mp4; name=\"film.mp4\"\r\nContent-Transfer-Encoding: base64\r\n\
                Content-Disposition: attachment; filename=\"film.mp4\"\r\n\r\n";
    let mut bytes = Vec::with_capacity(octets + 256);
    bytes.extend_from_slice(head.as_bytes());
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = 1u64;
    while bytes.len() < octets {
        for _ in 0..76 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            bytes.push(alphabet[(state >> 58) as usize]);
        }
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"--=_film--\r\n");
    Mail { bytes, internal_date: corpus::FIRST_DATE, flags: Vec::new() }
}

/// A mailbox of many small messages: reads of a store that a sync made, and syncs with nothing to do.
fn reading(dovecot: &Dovecot, mailkeep: &Mailkeep, folder: &Path, messages: usize) {
    let account = Account::small(dovecot, "reading", messages);
    let place = Place::new(folder, "reading");
    mailkeep.first_sync(&account, &place, false);
    println!("Reading a store of {}, {READS} times each, warm", account.describe());
    reads(&place.file());

    let near = Place::new(folder, "near");
    let mbsync = Mbsync { compress: false, fsync: false };
    mbsync.first_sync(&account, &near);
    let rows: Vec<Vec<String>> = (1..=3)
        .map(|number| {
            let (cost, summary) = mailkeep.sync(&account, &place);
            assert_eq!((summary.messages_added, summary.messages_removed), (0, 0), "nothing had changed");
            vec![
                format!("sync {number}"),
                summary.bytes_received.to_string(),
                summary.bytes_sent.to_string(),
                summary.commands.to_string(),
                summary.round_trips.to_string(),
                format!("{:.1}", cost.wall * 1e3),
                format!("{:.1}", mbsync.sync(&near).wall * 1e3),
            ]
        })
        .collect();
    println!("Syncs of {} with nothing changed", account.describe());
    let head = ["", "octets received", "sent", "commands", "round trips", "wall, ms", "mbsync's wall, ms"];
    table::print(&head, &rows);
}

fn reads(database: &Path) {
    let engine = Engine::open(FileStorage::existing(database), EngineOptions::new(1)).expect("it opens");
    let account = engine.accounts().expect("it reads")[0].id;
    let mailboxes = engine.mailboxes(account).expect("it reads");
    let inbox = mailboxes.iter().find(|m| m.name == "INBOX").expect("it was synced").id;
    let ids = all_ids(&engine, inbox);
    let mut numbers = 0usize;
    let mut some = || {
        numbers = numbers.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ids[(numbers >> 33) % ids.len()]
    };
    let middle = cursor(&engine, inbox, ids.len() / 2);

    let rows = [
        timed("messages(): the newest 50", READS, || {
            black_box(engine.messages(inbox, None, 50).expect("it reads"));
        }),
        timed("messages(): 50 from the middle", READS, || {
            black_box(engine.messages(inbox, middle.as_ref(), 50).expect("it reads"));
        }),
        timed("mailbox(): counts", READS, || {
            black_box(engine.mailbox(inbox).expect("it reads"));
        }),
        timed("message(): any", READS, || {
            black_box(engine.message(some()).expect("it reads"));
        }),
        timed("body(): any, whole", READS, || {
            black_box(engine.body(some(), 0, u64::MAX).expect("it reads"));
        }),
        timed("messages(): all rows, 1,000 a page", 5, || {
            black_box(flagged(&engine, inbox));
        }),
    ];
    table::print(&["µs", "median", "99 of 100 below"], &rows);
    engine.close();
}

fn timed(name: &str, times: usize, mut act: impl FnMut()) -> Vec<String> {
    for _ in 0..(times / 20).max(1) {
        act();
    }
    let one = |_| {
        let start = Instant::now();
        act();
        start.elapsed().as_secs_f64() * 1e6
    };
    let times: Vec<f64> = (0..times).map(one).collect();
    vec![
        name.to_owned(),
        format!("{:.1}", median(times.iter().copied())),
        format!("{:.1}", percentile_99(&times)),
    ]
}

fn all_ids(engine: &Engine, mailbox: MailboxId) -> Vec<MessageId> {
    let mut ids = Vec::new();
    walk(engine, mailbox, |page| ids.extend(page.rows.iter().map(|row| row.id)));
    ids
}

/// How many messages have a flag: the scan that an app can make through pages.
fn flagged(engine: &Engine, mailbox: MailboxId) -> usize {
    let mut count = 0;
    walk(engine, mailbox, |page| {
        count += page.rows.iter().filter(|row| row.flags.flags.contains(Flags::FLAGGED)).count()
    });
    count
}

fn walk(engine: &Engine, mailbox: MailboxId, mut page: impl FnMut(&mailkeep::Page)) {
    let mut after = None;
    loop {
        let next = engine.messages(mailbox, after.as_ref(), 1_000).expect("it reads");
        page(&next);
        after = next.next;
        if after.is_none() {
            return;
        }
    }
}

fn cursor(engine: &Engine, mailbox: MailboxId, rows: usize) -> Option<mailkeep::Cursor> {
    engine.messages(mailbox, None, rows).expect("it reads").next
}

/// Kills a first sync again and again once its file is large, and opens what is left each time.
fn killing(dovecot: &Dovecot, mailkeep: &Mailkeep, folder: &Path, octets: u64) {
    // So much more mail than that, that the sync is under way at every kill.
    let account = Account::large(dovecot, "killing", (octets / 22_000 * 8 / 5) as usize);
    let place = Place::new(folder, "killing");
    mailkeep.add(&account, &place, false);
    let mut rows = Vec::new();
    for number in 0..6 {
        // A sync that goes on has a large file from the beginning: each has written for a while first.
        if !killed(mailkeep, &account, &place, octets, (32 + 7 * number) << 20) {
            break;
        }
        let size = place.file_octets();
        let cold = number % 2 == 1;
        if cold {
            opening::forget(&place.file());
        }
        let after_kill = opening::open(&place.file());
        if cold {
            opening::forget(&place.file());
        }
        let after_close = opening::open(&place.file());
        let show = |opening: Opening| format!("{:.1} + {:.1}", opening.open, opening.page);
        rows.push(vec![
            format!("kill {}, {}", number + 1, if cold { "file not in memory" } else { "file in memory" }),
            format!("{:.0}", size as f64 / 1e6),
            after_close.messages.to_string(),
            show(after_kill),
            show(after_close),
        ]);
    }
    let verified = mailkeep.command(&place, &account).arg("verify").output().expect("the program runs");
    let verified = String::from_utf8_lossy(&verified.stdout).trim().to_owned();
    println!(
        "Opening, and the first page behind it, in ms, after kill -9 in a first sync and after a clean close"
    );
    table::print(&["", "file, MB", "messages", "after the kill", "after a close"], &rows);
    println!("verify afterwards: {verified}");
}

/// Runs a sync and kills it when the file is large and it has written so much; whether it was still at work.
fn killed(mailkeep: &Mailkeep, account: &Account, place: &Place, octets: u64, written: u64) -> bool {
    let mut command = mailkeep.command(place, account);
    command.args(["sync", "--bodies", "all"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program runs");
    while place.file_octets() < octets || written_by(child.id()) < written {
        if child.try_wait().expect("own child").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("own child");
    child.wait().expect("own child").signal() == Some(libc::SIGKILL)
}

/// Octets that a process has given to files and sockets so far.
fn written_by(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/io")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.and_then(|octets| octets.parse().ok()).unwrap_or(0)
}
