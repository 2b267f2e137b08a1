//! What the border to another language costs: Rust's side of the comparison, and the recording that both sides replay.
//!
//! ```text
//! border record PORT USER FILE   a first sync of an IMAP server on this machine, in the clear, cut into steps of 64 KB
//! border replay FILE STORE RUNS  the same again, RUNS times into a new store each, after one to warm up
//! border pages STORE RUNS        pages of 50 and of 1,000 rows, and with what a list shows of each
//! ```
//!
//! Each run is one line: what, and the process's CPU time in milliseconds. Engine and connection have the same seeds and
//! clocks each time, so that they say the same, and the server's recorded answers fit.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use mailkeep::flags::Flags;
use mailkeep::{EngineOptions, FileStorage, MessageRow};
use mailkeep_ffi::{Connection, ConnectionOptions, Credentials, Engine, Event, OpenOptions, Security};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Octets of input to a step at most.
const STEP: usize = 64 << 10;
/// When everything happens: milliseconds since 1970.
const WALL: i64 = 1_767_225_600_000;
/// Pages read in a run: rows, and how many pages.
const PAGES: [(usize, usize); 2] = [(50, 4_000), (1_000, 200)];

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["record", port, user, file] => record(port.parse()?, user, file),
        ["replay", file, store, runs] => replay(file, store, runs.parse()?),
        ["pages", store, runs] => pages(store, runs.parse()?),
        _ => Err("usage: border record PORT USER FILE | replay FILE STORE RUNS | pages STORE RUNS".into()),
    }
}

fn say(line: &str) -> Outcome<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// The process's CPU time in milliseconds, to the system's tick (10 ms).
fn cpu() -> Outcome<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Of the user and of the system, the fields 14 and 15 of proc(5); those up to the name's bracket are cut off.
    Ok((fields[11].parse::<u64>()? + fields[12].parse::<u64>()?) * 10)
}

/// A connection that syncs an account and signs out, with nothing left to chance.
fn connect(engine: &Engine, port: i32, user: &str) -> Outcome<Arc<Connection>> {
    let mut settings = mailkeep_ffi::imap_settings("bench".into(), "localhost".into(), user.into());
    settings.port = port;
    settings.security = Security::Insecure;
    settings.compress = false;
    let account = engine.add_account(settings)?;
    let connection = engine.connect(account, ConnectionOptions::new(vec![7; 32].into(), false))?;
    connection.sync(None, None)?;
    connection.logout()?;
    Ok(connection)
}

/// One connection's run, with a clock that goes on by a millisecond a step.
struct Run {
    connection: Arc<Connection>,
    user: String,
    steps: i64,
}

impl Run {
    /// Gives octets from the server, and returns those for it and whether the connection has ended.
    fn give(&mut self, input: &[u8]) -> Outcome<(Vec<u8>, bool)> {
        let mut rest = input;
        let mut out = Vec::new();
        loop {
            self.steps += 1;
            let step = self.connection.step(rest, self.steps, WALL + self.steps, 0)?;
            rest = &rest[usize::try_from(step.consumed)?.min(rest.len())..];
            out.extend_from_slice(&step.transmit.0);
            let asked = step.events.iter().any(|event| matches!(event, Event::NeedCredentials { .. }));
            if asked {
                let (user, password) = (self.user.clone(), "secret".into());
                self.connection.provide_credentials(Credentials::Password {
                    user,
                    authzid: None,
                    password,
                })?;
            }
            if step.closed || !(step.more || asked || !rest.is_empty()) {
                return Ok((out, step.closed));
            }
        }
    }
}

fn record(port: i32, user: &str, file: &str) -> Outcome<()> {
    let engine = Engine::in_memory(OpenOptions::small(1))?;
    let mut run = Run { connection: connect(&engine, port, user)?, user: user.into(), steps: 0 };
    let mut server = TcpStream::connect(("localhost", u16::try_from(port)?))?;
    server.set_read_timeout(Some(Duration::from_millis(20)))?;
    let mut file = std::io::BufWriter::new(std::fs::File::create(file)?);
    let mut octets = vec![0; STEP];
    let (mut out, mut closed) = run.give(&[])?;
    while !closed {
        server.write_all(&out)?;
        let count = fill(&mut server, &mut octets)?;
        file.write_all(&u32::try_from(count)?.to_le_bytes())?;
        file.write_all(&octets[..count])?;
        (out, closed) = run.give(&octets[..count])?;
    }
    file.flush()?;
    say(&format!("recorded {} messages", engine.stats()?.messages))
}

/// Reads until the step is full, or the server waits for an answer.
fn fill(server: &mut TcpStream, octets: &mut [u8]) -> Outcome<usize> {
    let mut count = 0;
    while count < octets.len() {
        match server.read(&mut octets[count..]) {
            Ok(0) if count == 0 => return Err("the server closed".into()),
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if count > 0 {
                    break;
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(count)
}

fn replay(file: &str, store: &str, runs: usize) -> Outcome<()> {
    let recorded = std::fs::read(file)?;
    for run in 0..=runs {
        let _ = std::fs::remove_file(store);
        let engine = Engine::open(store.into(), OpenOptions::small(1))?;
        let mut replayed =
            Run { connection: connect(&engine, 143, "bench")?, user: "bench".into(), steps: 0 };
        let started = cpu()?;
        let (_, mut closed) = replayed.give(&[])?;
        let mut rest = recorded.as_slice();
        while let Some((count, behind)) = rest.split_first_chunk::<4>() {
            let (chunk, behind) = behind.split_at(usize::try_from(u32::from_le_bytes(*count))?);
            (_, closed) = replayed.give(chunk)?;
            rest = behind;
        }
        let took = cpu()? - started;
        if !closed {
            return Err("the recording ended before the connection did".into());
        }
        if run > 0 {
            say(&format!("sync of {} messages: {took}", engine.stats()?.messages))?;
        }
        engine.shut_down()?;
    }
    Ok(())
}

fn pages(store: &str, runs: usize) -> Outcome<()> {
    let engine = mailkeep::Engine::open(FileStorage::existing(store), EngineOptions::small(1))?;
    let account = engine.accounts()?.first().ok_or("no account")?.id;
    let mailbox = engine.mailboxes(account)?.first().ok_or("no mailbox")?.id;
    for ((limit, times), read) in PAGES.into_iter().flat_map(|page| [(page, false), (page, true)]) {
        for run in 0..=runs {
            let started = cpu()?;
            let mut shown = 0;
            for _ in 0..times {
                let page = engine.messages(mailbox, None, limit)?;
                if page.rows.len() != limit {
                    return Err(format!("{} rows", page.rows.len()).into());
                }
                if read {
                    shown += page.rows.iter().map(show).sum::<usize>();
                }
            }
            if read && shown == 0 {
                return Err("the rows show nothing".into());
            }
            if run > 0 {
                let what = if read { ", each row shown" } else { "" };
                say(&format!("page of {limit}{what}: {}", cpu()? - started))?;
            }
        }
    }
    Ok(())
}

/// Reads what a list shows of a row.
fn show(row: &MessageRow) -> usize {
    let summary = &row.summary;
    let from = summary.from.first().map_or(0, |from| from.name.as_ref().unwrap_or(&from.address).len());
    let flags = usize::from(row.flags.flags.contains(Flags::SEEN)) + row.flags.keywords().len();
    from + summary.subject.len() + summary.preview.len() + flags + usize::from(row.internal_date > 0)
}
