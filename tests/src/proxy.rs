//! A TCP proxy between a client and an IMAP server: it counts, hides capabilities, cuts and records.
//!
//! With nothing hidden it passes bytes and knows no protocol (so it serves POP3 and TLS as well). With
//! something hidden it follows both directions by line and literal: a literal's bytes are counted off and
//! never rewritten.

mod filter;
mod hidden;
mod trap;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use filter::Filter;
pub use hidden::Hidden;
pub use trap::{CHANGING, Trap};

/// What a client may see of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Everything that the server has.
    All,
    /// No QRESYNC.
    NoQresync,
    /// Neither QRESYNC nor CONDSTORE.
    NoCondstore,
    /// Neither of them, nor UIDPLUS, LIST-STATUS, ESEARCH, LITERAL+.
    Plain,
}

impl Profile {
    /// All of them, best first.
    pub const ALL: [Self; 4] = [Self::All, Self::NoQresync, Self::NoCondstore, Self::Plain];

    /// The capabilities that are hidden.
    pub fn hidden(self) -> &'static [&'static str] {
        match self {
            Self::All => &[],
            Self::NoQresync => &["QRESYNC"],
            Self::NoCondstore => &["QRESYNC", "CONDSTORE"],
            Self::Plain => &["QRESYNC", "CONDSTORE", "UIDPLUS", "LIST-STATUS", "ESEARCH", "LITERAL+"],
        }
    }
}

/// When the proxy closes a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cut {
    /// Never by itself.
    #[default]
    Never,
    /// Once, when the server has sent this many bytes in all; later connections are left alone.
    Once(u64),
    /// Each connection, when the server has sent this many bytes on it.
    Each(u64),
}

/// How a proxy behaves.
#[derive(Debug, Clone, Default)]
pub struct ProxyOptions {
    /// Capabilities to hide, such as `QRESYNC`. With any of them COMPRESS=DEFLATE, STARTTLS and IMAP4rev2
    /// are hidden too: nothing can be followed behind the first two, and the last implies most of the
    /// others.
    pub hide: Vec<String>,
    /// When to close.
    pub cut: Cut,
    /// Whether to keep a transcript.
    pub record: bool,
    /// A wait before the first byte of each of the server's turns: the round-trip time.
    pub latency: Duration,
    /// A bound on what the client gets.
    pub bytes_per_second: Option<u64>,
}

impl ProxyOptions {
    /// Hides what `profile` hides.
    pub fn profile(profile: Profile) -> Self {
        Self::hiding(profile.hidden())
    }

    /// Hides these.
    pub fn hiding(names: &[&str]) -> Self {
        Self { hide: names.iter().map(|n| (*n).to_owned()).collect(), ..Self::default() }
    }
}

/// What went through, as the client saw it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections that the client made.
    pub connections: u64,
    /// How often the server spoke after the client or at first (the greeting).
    pub round_trips: u64,
    /// Bytes from the client.
    pub bytes_up: u64,
    /// Bytes to the client.
    pub bytes_down: u64,
}

/// Who spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// What one side said before the other spoke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The connection's number, from 1.
    pub connection: u64,
    /// Who spoke.
    pub side: Side,
    /// The bytes: from the client as it sent them, to the client as it got them.
    pub bytes: Vec<u8>,
}

/// A running proxy; dropping it closes everything.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    server_port: u16,
    closing: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    options: ProxyOptions,
    stats: Stats,
    /// Bytes from the server since [`Cut`] was last set.
    since_cut_was_set: u64,
    turns: Vec<Turn>,
    open: Vec<(u64, TcpStream)>,
    trap: Option<Trap>,
}

impl Proxy {
    /// Starts one in front of a server on 127.0.0.1.
    pub fn start(server_port: u16, options: ProxyOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Mutex::new(State { options, ..State::default() });
        let shared = Arc::new(Shared { server_port, closing: AtomicBool::new(false), state });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept_all(&listener, &shared)
        });
        Self { port, shared, acceptor: Some(acceptor) }
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What went through so far.
    pub fn stats(&self) -> Stats {
        self.shared.lock().stats
    }

    /// Forgets counts and transcript, and returns the counts.
    pub fn reset(&self) -> Stats {
        let mut state = self.shared.lock();
        state.turns.clear();
        std::mem::take(&mut state.stats)
    }

    /// Changes what is hidden from the next connection on.
    pub fn hide(&self, names: &[&str]) {
        self.shared.lock().options.hide = names.iter().map(|n| (*n).to_owned()).collect();
    }

    /// Changes when connections are cut, at once.
    pub fn cut(&self, cut: Cut) {
        let mut state = self.shared.lock();
        state.options.cut = cut;
        state.since_cut_was_set = 0;
    }

    /// Sets a trap for the next connection, in place of one that did not spring.
    pub fn set_trap(&self, trap: Trap) {
        self.shared.lock().trap = Some(trap);
    }

    /// Takes the trap away; whether it had not sprung.
    pub fn take_trap(&self) -> bool {
        self.shared.lock().trap.take().is_some()
    }

    /// Waits until the server has let go of every connection.
    pub fn await_quiet(&self) {
        for _ in 0..20_000 {
            if self.shared.lock().open.is_empty() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("a connection stays open for twenty seconds");
    }

    /// Closes every connection now.
    pub fn cut_now(&self) {
        for (_, stream) in &self.shared.lock().open {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Who said what, turn by turn (empty unless [`ProxyOptions::record`]).
    pub fn transcript(&self) -> Vec<Turn> {
        self.shared.lock().turns.clone()
    }

    /// The transcript with `C:` and `S:` before each line.
    pub fn transcript_text(&self) -> String {
        let mut text = String::new();
        for turn in self.transcript() {
            let side = if turn.side == Side::Client { 'C' } else { 'S' };
            for line in String::from_utf8_lossy(&turn.bytes).lines() {
                let _ = writeln!(text, "{}{side}: {line}", turn.connection);
            }
        }
        text
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.cut_now();
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        self.cut_now();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}

fn accept_all(listener: &TcpListener, shared: &Arc<Shared>) {
    for number in 1.. {
        let Ok((client, _)) = listener.accept() else { return };
        if shared.closing.load(Ordering::SeqCst) {
            return;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", shared.server_port)) else { continue };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        Link::start(number, client, server, shared);
    }
}

/// One client's connection, followed by two threads.
struct Link {
    number: u64,
    shared: Arc<Shared>,
    filter: Option<Mutex<Filter>>,
    turn: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    last: Option<Side>,
    from_server: u64,
}

impl Link {
    fn start(number: u64, client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
        let copies = || Some((client.try_clone().ok()?, server.try_clone().ok()?));
        let (Some((client2, server2)), Some((client3, server3))) = (copies(), copies()) else { return };
        let hidden = {
            let mut state = shared.lock();
            state.stats.connections += 1;
            state.open.extend([(number, client3), (number, server3)]);
            Hidden::new(&state.options.hide)
        };
        let filter = hidden.map(|h| Mutex::new(Filter::new(h)));
        let link = Arc::new(Self { number, shared: Arc::clone(shared), filter, turn: Mutex::default() });
        let other = Arc::clone(&link);
        thread::spawn(move || link.pump(Side::Client, client, server));
        thread::spawn(move || other.pump(Side::Server, server2, client2));
    }

    /// Passes what one side says until it stops, then closes both.
    fn pump(&self, side: Side, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let mut passed = self.pass(side, &buffer[..count]);
            let sprung = self.spring(side, &mut passed);
            if side == Side::Client {
                self.note(side, &buffer[..count]);
                if to.write_all(&passed).is_err() {
                    break;
                }
                if let Some(act) = sprung {
                    act();
                    break;
                }
                continue;
            }
            if passed.is_empty() {
                continue;
            }
            let cut = self.shorten_to_cut(&mut passed);
            let sent = self.send_to_client(&passed, &mut to);
            if let Some(act) = sprung {
                act();
                break;
            }
            if sent.is_err() || cut {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        self.shared.lock().open.retain(|(number, _)| *number != self.number);
    }

    fn pass(&self, side: Side, bytes: &[u8]) -> Vec<u8> {
        let Some(filter) = &self.filter else { return bytes.to_vec() };
        let mut filter = filter.lock().unwrap_or_else(|e| e.into_inner());
        match side {
            Side::Client => filter.client_said(bytes),
            Side::Server => filter.server_said(bytes),
        }
    }

    /// What the trap does now, if its place is in these bytes: what lies behind is dropped.
    fn spring(&self, side: Side, bytes: &mut Vec<u8>) -> Option<Box<dyn FnOnce() + Send>> {
        let mut state = self.shared.lock();
        let at = state.trap.as_mut()?.place(side, bytes)?;
        bytes.truncate(at);
        state.trap.take().map(Trap::into_act)
    }

    /// Counts and records before the bytes go on, so that an answer cannot be seen before its question.
    fn note(&self, side: Side, bytes: &[u8]) -> bool {
        let mut turn = self.turn.lock().unwrap_or_else(|e| e.into_inner());
        let changed = turn.last != Some(side);
        turn.last = Some(side);
        let mut state = self.shared.lock();
        match side {
            Side::Client => state.stats.bytes_up += bytes.len() as u64,
            Side::Server => {
                state.stats.bytes_down += bytes.len() as u64;
                state.stats.round_trips += u64::from(changed);
            }
        }
        if state.options.record {
            match state.turns.iter_mut().rev().find(|t| t.connection == self.number) {
                Some(last) if last.side == side => last.bytes.extend_from_slice(bytes),
                _ => state.turns.push(Turn { connection: self.number, side, bytes: bytes.to_vec() }),
            }
        }
        changed
    }

    fn send_to_client(&self, bytes: &[u8], to: &mut TcpStream) -> std::io::Result<()> {
        let (latency, rate) = {
            let state = self.shared.lock();
            (state.options.latency, state.options.bytes_per_second)
        };
        if self.note(Side::Server, bytes) && !latency.is_zero() {
            thread::sleep(latency);
        }
        let Some(rate) = rate else { return to.write_all(bytes) };
        let chunk = (rate / 50).clamp(1, 64 * 1024) as usize;
        for part in bytes.chunks(chunk) {
            to.write_all(part)?;
            thread::sleep(Duration::from_secs_f64(part.len() as f64 / rate.max(1) as f64));
        }
        Ok(())
    }

    /// Drops what lies behind the cut; true where this is the end.
    fn shorten_to_cut(&self, bytes: &mut Vec<u8>) -> bool {
        let mut turn = self.turn.lock().unwrap_or_else(|e| e.into_inner());
        let mut state = self.shared.lock();
        let room = match state.options.cut {
            Cut::Never => u64::MAX,
            Cut::Once(n) => n.saturating_sub(state.since_cut_was_set),
            Cut::Each(n) => n.saturating_sub(turn.from_server),
        };
        let cut = bytes.len() as u64 >= room;
        bytes.truncate(bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
        turn.from_server += bytes.len() as u64;
        state.since_cut_was_set += bytes.len() as u64;
        if cut && matches!(state.options.cut, Cut::Once(_)) {
            state.options.cut = Cut::Never;
        }
        cut
    }
}
