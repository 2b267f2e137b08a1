//! Asks Dovecot and `mailkeep serve` the same things about the same mail, in turn, and prints a table.
//!
//! Rounds are interleaved, each begins with the other server, and one that is not counted warms both: what is
//! compared is how fast mail is served that is in memory. Answers are drained by one small client that looks at
//! nothing but their end. Ratios are the medians of each round's own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mailkeep_compare::arguments::Arguments;
use mailkeep_compare::table::{self, median, range};
use mailkeep_tests::corpus;
use mailkeep_tests::dovecot::{Dovecot, DovecotOptions, Storage};
use mailkeep_tests::served::{SECRET, Served, USER};
use mailkeep_tests::server::MailServer;

const USAGE: &str = "usage: MAILKEEP_BIN=target/release/mailkeep serve [--mdbox] [--rounds N] [--messages N]
  --mdbox       Dovecot keeps its mail in mdbox, not in Maildir
  --rounds N    counted rounds (5)
  --messages N  messages of 22 kB (20,000); of those near 1 kB there are five times as many";

/// What is asked: the mailbox, and a command.
const ASKED: [(&str, &str, &str); 8] = [
    ("flags of all small ones", "small", "FETCH 1:* (UID FLAGS)"),
    ("envelopes of all", "large", "FETCH 1:* (UID ENVELOPE)"),
    ("structures of all", "large", "FETCH 1:* (UID BODYSTRUCTURE)"),
    ("bodies of all", "large", "FETCH 1:* (UID BODY.PEEK[])"),
    ("search by subject", "large", "SEARCH SUBJECT meeting"),
    ("search by another field", "large", "SEARCH HEADER X-MAILER mail"),
    ("search by flag", "small", "SEARCH UNSEEN FLAGGED"),
    ("sort by date", "large", "SORT (DATE) US-ASCII ALL"),
];

/// A connection that looks for the end of answers only.
struct Drain {
    stream: TcpStream,
    buffer: Vec<u8>,
    tag: u32,
}

impl Drain {
    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_nodelay(true).expect("it is TCP");
        stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a timeout can be set");
        let mut drain = Self { stream, buffer: vec![0; 256 << 10], tag: 0 };
        drain.read_to(b"* ");
        drain
    }

    /// Sends a command and reads to its answer, which must be OK. Returns the octets.
    fn ask(&mut self, command: &str) -> u64 {
        self.tag += 1;
        let tag = format!("zq{:06}x", self.tag);
        self.stream.write_all(format!("{tag} {command}\r\n").as_bytes()).expect("the server listens");
        self.read_to(format!("{tag} OK").as_bytes())
    }

    /// Reads to the end of a line that begins so.
    fn read_to(&mut self, start: &[u8]) -> u64 {
        const LONGEST_LINE: usize = 2_000;
        let mut octets = 0;
        let mut tail: Vec<u8> = Vec::new();
        loop {
            let count = self.stream.read(&mut self.buffer).expect("the server answers");
            assert!(count > 0, "the server went, after {:?}", String::from_utf8_lossy(&tail));
            octets += count as u64;
            tail.extend_from_slice(&self.buffer[count.saturating_sub(LONGEST_LINE)..count]);
            tail.drain(..tail.len().saturating_sub(LONGEST_LINE));
            if tail.ends_with(b"\r\n") {
                let line = tail[..tail.len() - 2].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
                if tail[line..].starts_with(start) {
                    return octets;
                }
                let tagged = start.get(..9).is_some_and(|tag| tail[line..].starts_with(tag));
                assert!(!tagged, "refused: {}", String::from_utf8_lossy(&tail[line..]));
            }
        }
    }
}

struct Peer {
    name: &'static str,
    port: u16,
    user: &'static str,
    password: &'static str,
}

impl Peer {
    fn login(&self) -> Drain {
        let mut drain = Drain::connect(self.port);
        drain.ask(&format!("LOGIN {} {}", self.user, self.password));
        drain
    }

    /// Seconds, and the octets of the answer.
    fn asked(&self, mailbox: &str, command: &str) -> (f64, u64) {
        let mut drain = self.login();
        drain.ask(&format!("EXAMINE {mailbox}"));
        let start = Instant::now();
        let octets = drain.ask(command);
        (start.elapsed().as_secs_f64(), octets)
    }

    /// Seconds of a hundred short visits.
    fn visited(&self) -> (f64, u64) {
        let start = Instant::now();
        for _ in 0..100 {
            let mut drain = self.login();
            drain.ask("SELECT large");
            drain.ask("LOGOUT");
        }
        (start.elapsed().as_secs_f64(), 0)
    }
}

fn main() {
    mailkeep_compare::child();
    let mut arguments = Arguments::new(USAGE);
    let storage = if arguments.flag("--mdbox") { Storage::Mdbox } else { Storage::Maildir };
    let rounds: usize = arguments.value("--rounds").unwrap_or(5).max(1);
    let messages: usize = arguments.value("--messages").unwrap_or(20_000);
    arguments.finish();
    let dovecot = Dovecot::start(DovecotOptions { storage, ..DovecotOptions::default() });
    dovecot.add_user(USER, SECRET);
    let served = Served::start("compare-serve");
    for (mailbox, seed, count, octets) in [("large", 1, messages, 22_000), ("small", 2, messages * 5, 700)] {
        let start = Instant::now();
        dovecot.fill(USER, mailbox, corpus::generate(seed, count, octets));
        served.client().ok(&format!("CREATE {mailbox}"));
        served.fill(mailbox, corpus::generate(seed, count, octets));
        eprintln!("{mailbox} is filled after {:.0} s", start.elapsed().as_secs_f64());
    }
    let peers = [
        Peer { name: "Dovecot", port: dovecot.imap_port(), user: USER, password: SECRET },
        Peer { name: "mailkeep", port: served.imap_port(), user: USER, password: SECRET },
    ];
    let mut runs = vec![[const { Vec::new() }, const { Vec::new() }]; ASKED.len() + 1];
    for round in 0..=rounds {
        for (row, run) in runs.iter_mut().enumerate() {
            for turn in 0..2 {
                let at = (round + turn) % 2;
                let (seconds, octets) = match ASKED.get(row) {
                    Some((_, mailbox, command)) => peers[at].asked(mailbox, command),
                    None => peers[at].visited(),
                };
                if round > 0 {
                    run[at].push((seconds, octets));
                }
            }
        }
        eprintln!("round {round} of {rounds} is done");
    }
    println!(
        "{messages} messages of 22 kB and {} near 1 kB; Dovecot with {storage:?}; {rounds} rounds",
        messages * 5
    );
    let name = |row: usize| ASKED.get(row).map_or("100 × login, select, logout", |asked| asked.0);
    let rows: Vec<Vec<String>> = runs.iter().enumerate().map(|(row, run)| line(name(row), run)).collect();
    let head = ["", peers[0].name, "min–max", "MB", peers[1].name, "min–max", "MB", "× Dovecot"];
    table::print(&head, &rows);
    served.finish();
}

fn line(name: &str, [theirs, ours]: &[Vec<(f64, u64)>; 2]) -> Vec<String> {
    let mut cells = vec![name.to_owned()];
    for run in [theirs, ours] {
        let seconds = || run.iter().map(|(seconds, _)| seconds * 1e3);
        let (low, high) = range(seconds());
        cells.push(format!("{:.1} ms", median(seconds())));
        cells.push(format!("{low:.1}–{high:.1}"));
        cells.push(format!("{:.1}", run[0].1 as f64 / 1e6));
    }
    let ratio = median(ours.iter().zip(theirs).map(|((ours, _), (theirs, _))| ours / theirs));
    cells.push(format!("{ratio:.2}"));
    cells
}
