//! Runs a connection of the engine in the test's own process, over plain TCP, and counts what it costs.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime};

use mailkeep::sasl::{Credentials, Secret};
use mailkeep::{Connection, Event, Now, SyncSummary};

/// What a connection has cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// How often the server's first bytes came after everything there was to say had been sent; the greeting
    /// is one. A client that says something while an answer is still coming in is counted for it.
    pub round_trips: u64,
    /// Bytes to the server.
    pub bytes_up: u64,
    /// Bytes from the server.
    pub bytes_down: u64,
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// What the first request that was done says of itself.
    pub summary: SyncSummary,
    /// The connection's cost at that moment.
    pub cost: Cost,
    /// Commits that were made durable until then.
    pub commits: u64,
    /// Problems that the engine went on in spite of.
    pub problems: Vec<String>,
}

/// A user's name and password.
pub fn password(user: &str, password: &str) -> Credentials {
    Credentials::Password { user: user.to_owned(), authzid: None, password: Secret::new(password) }
}

/// Runs `connection` against 127.0.0.1 until its first request is done and it has signed out. `each_turn` is
/// called whenever everything was drained, before more is waited for. Panics where the request fails.
pub fn run(
    connection: &mut Connection,
    port: u16,
    credentials: Credentials,
    each_turn: impl FnMut(Cost),
) -> Run {
    run_later(connection, port, credentials, Duration::ZERO, each_turn)
}

/// The same, with a wall clock that goes ahead of the true one.
pub fn run_later(
    connection: &mut Connection,
    port: u16,
    credentials: Credentials,
    ahead: Duration,
    mut each_turn: impl FnMut(Cost),
) -> Run {
    let mut wire = Wire { ahead, ..Wire::connect(port) };
    let mut credentials = Some(credentials);
    let mut problems = Vec::new();
    let mut done = None;
    let mut commits = 0;
    loop {
        while let Some(bytes) = connection.poll_transmit() {
            wire.send(&bytes);
        }
        if let Some(event) = connection.poll_event() {
            match event {
                Event::NeedCredentials { mechanisms } => {
                    let given = credentials.take();
                    let given = given.unwrap_or_else(|| panic!("asked again, for one of {mechanisms:?}"));
                    connection.provide_credentials(given).expect("the server offers what the test wants");
                }
                Event::Problem { text } => problems.push(text),
                Event::Stored { .. } if done.is_none() => commits += 1,
                Event::Done { result, .. } if done.is_none() => {
                    let summary = result.unwrap_or_else(|e| panic!("the request failed: {e}; {problems:?}"));
                    done = Some((summary, wire.cost));
                    connection.logout();
                }
                Event::Closed { error: None } => {
                    let (summary, cost) = done.expect("only this host signs out");
                    return Run { summary, cost, commits, problems };
                }
                Event::Closed { error: Some(error) } => {
                    panic!("the connection ended: {error}; {problems:?}")
                }
                Event::StartTls => panic!("this host has no TLS"),
                _ => {}
            }
            continue;
        }
        each_turn(wire.cost);
        wire.turn(connection);
    }
}

/// The socket and the clock.
struct Wire {
    stream: TcpStream,
    start: Instant,
    /// How far the wall clock goes ahead.
    ahead: Duration,
    /// Something was said since the server last spoke, or the greeting is awaited.
    asked: bool,
    buffer: Vec<u8>,
    cost: Cost,
}

impl Wire {
    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap_or_else(|e| panic!("port {port}: {e}"));
        stream.set_nodelay(true).expect("it is TCP");
        Self {
            stream,
            start: Instant::now(),
            ahead: Duration::ZERO,
            asked: true,
            buffer: vec![0; 64 << 10],
            cost: Cost::default(),
        }
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970") + self.ahead;
        Now::new(self.start.elapsed().as_millis() as u64, wall.as_millis() as i64)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.asked = true;
        self.cost.bytes_up += bytes.len() as u64;
        // A server that has gone says so when it is read from.
        let _ = self.stream.write_all(bytes);
    }

    /// Waits for bytes, the end, or the time that the connection named, and tells it.
    fn turn(&mut self, connection: &mut Connection) {
        let deadline = connection.poll_timeout();
        let left = deadline.map(|at| Duration::from_millis(at.saturating_sub(self.now().mono_ms).max(1)));
        let left = left.unwrap_or(SILENCE).min(SILENCE);
        self.stream.set_read_timeout(Some(left)).expect("a timeout can be set");
        let count = match self.stream.read(&mut self.buffer) {
            Ok(count) => count,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                assert!(deadline.is_some() && left < SILENCE, "the server is silent for {SILENCE:?}");
                return connection.handle_timeout(self.now()).expect("everything was drained");
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => return,
            Err(e) => panic!("connection: {e}"),
        };
        let now = self.now();
        if count == 0 {
            return connection.handle_eof(now).expect("everything was drained");
        }
        self.cost.round_trips += u64::from(std::mem::take(&mut self.asked));
        self.cost.bytes_down += count as u64;
        let progress = connection.handle_input(now, &self.buffer[..count]).expect("everything was drained");
        // Commits run within the call and there is no work limit.
        assert_eq!((progress.consumed, progress.more), (count, false), "everything is taken");
    }
}

const SILENCE: Duration = Duration::from_secs(60);
