//! One client: its socket on one side, a session of the engine on the other.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use mailkeep::Now;
use mailkeep::serve::{SessionEvent, SessionOptions};
use rustls::ServerConnection;

use crate::exit::Failure;
use crate::net::{Message, Transport};
use crate::serve::speaker::{Protocol, Speaker};
use crate::serve::{Shared, lock};
use crate::{note, places};

/// How long a client may take for its TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves a client until either side ends it.
pub(super) fn serve(
    shared: &Shared,
    socket: TcpStream,
    protocol: Protocol,
    encrypted: bool,
) -> Result<(), Failure> {
    let (to, messages) = mpsc::channel();
    let loopback = socket.peer_addr().is_ok_and(|peer| peer.ip().is_loopback());
    let Ok(transport) = Transport::accepted(socket, to.clone()) else {
        // It went before it was looked at.
        return Ok(());
    };
    lock(&shared.clients).push(to);
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| Failure::usage(format!("no randomness: {error}")))?;
    let mut options = SessionOptions::new(seed, shared.decoy, encrypted);
    options.offers_tls = shared.certificate.is_some() && !encrypted;
    options.allow_insecure = loopback;
    let mut client = Client {
        shared,
        transport,
        messages,
        speaker: Speaker::new(protocol, shared.users.clone(), options),
        start: Instant::now(),
        plain: Vec::new(),
        held: Vec::new(),
        more: false,
        ended: false,
    };
    if encrypted && !client.shake_hands()? {
        return Ok(());
    }
    if encrypted && let Some(binding) = client.transport.binding() {
        client.speaker.set_binding(binding);
    }
    client.run()
}

struct Client<'a> {
    shared: &'a Shared,
    transport: Transport,
    messages: Receiver<Message>,
    speaker: Speaker,
    start: Instant,
    /// What the session has not taken yet.
    plain: Vec<u8>,
    /// Buffers that the reader gets back once the session has taken what there is: no client can fill the memory.
    held: Vec<Vec<u8>>,
    /// The session holds input of its own (inflated, say) that it goes on with when it is called again.
    more: bool,
    ended: bool,
}

impl Client<'_> {
    fn now(&self) -> Now {
        Now::new(self.start.elapsed().as_millis() as u64 + 1, places::now().wall_ms)
    }

    fn run(&mut self) -> Result<(), Failure> {
        loop {
            if !self.drain()? || self.transport.is_deaf() {
                return Ok(());
            }
            if self.feed()? {
                continue;
            }
            if self.ended {
                self.speaker.handle_eof(self.now());
                return Ok(());
            }
            let wait = self.speaker.poll_timeout().map(|at| at.saturating_sub(self.now().mono_ms));
            match self.messages.recv_timeout(wait.map_or(Duration::MAX / 4, Duration::from_millis)) {
                Ok(Message::Input(buffer, len)) => self.take(buffer, len),
                Ok(Message::Changed) => {
                    // Of many that came together one is enough, and what a client said comes first.
                    let mut next = self.messages.try_recv();
                    while matches!(next, Ok(Message::Changed)) {
                        next = self.messages.try_recv();
                    }
                    match next {
                        Ok(Message::Input(buffer, len)) => self.take(buffer, len),
                        Ok(Message::Interrupted) => return Ok(()),
                        Ok(Message::Ended) => self.ended = true,
                        _ => {}
                    }
                    self.speaker.handle_wake(self.now())?;
                }
                Ok(Message::Ended) | Err(RecvTimeoutError::Disconnected) => self.ended = true,
                Ok(Message::Interrupted) => return Ok(()),
                Ok(Message::Committed(_)) => {}
                Err(RecvTimeoutError::Timeout) => {
                    self.speaker.handle_timeout(self.now())?;
                    // What it waited for may be over, and it may hold what came meanwhile.
                    self.more = true;
                }
            }
        }
    }

    fn take(&mut self, buffer: Vec<u8>, len: usize) {
        // A client whose TLS breaks is one that has gone.
        self.ended |= self.transport.receive(&buffer[..len], &mut self.plain).is_err();
        self.held.push(buffer);
        self.give_back();
    }

    fn give_back(&mut self) {
        if self.plain.is_empty() {
            self.held.drain(..).for_each(|buffer| self.transport.done_with(buffer));
        }
    }

    /// Gives the session what there is; whether it may have something to say to that.
    fn feed(&mut self) -> Result<bool, Failure> {
        if self.plain.is_empty() && !self.more {
            return Ok(false);
        }
        let held = self.more;
        let progress = self.speaker.handle_input(self.now(), &self.plain)?;
        self.plain.drain(..progress.consumed);
        self.give_back();
        self.more = progress.more;
        // The last of what it held is answered too.
        Ok(held || progress.consumed > 0 || progress.more)
    }

    /// Sends what there is to send; false where the connection is over.
    fn drain(&mut self) -> Result<bool, Failure> {
        loop {
            while let Some(bytes) = self.speaker.poll_transmit() {
                self.transport.send(&bytes);
                if self.transport.is_deaf() {
                    return Ok(false);
                }
            }
            match self.speaker.poll_event() {
                None => return Ok(!self.speaker.is_closed()),
                Some(SessionEvent::StartTls) => {
                    self.plain.clear();
                    self.give_back();
                    if !self.shake_hands()? {
                        return Ok(false);
                    }
                    let binding = self.transport.binding();
                    self.speaker.handle_tls_started(self.now(), binding)?;
                }
                Some(SessionEvent::Trouble { text }) => note(&text),
                Some(SessionEvent::Closed) => return Ok(false),
                Some(_) => {}
            }
        }
    }

    /// Begins TLS; whether it stands.
    fn shake_hands(&mut self) -> Result<bool, Failure> {
        let Some(config) = &self.shared.certificate else {
            return Err(Failure::usage("there is no certificate"));
        };
        let session = ServerConnection::new(Arc::clone(config))
            .map_err(|error| Failure::usage(format!("TLS cannot be used here: {error}")))?;
        self.transport.encrypt(session.into());
        let end = Instant::now() + HANDSHAKE_TIMEOUT;
        while self.transport.is_handshaking() {
            match self.messages.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(Message::Input(buffer, len)) => self.take(buffer, len),
                Ok(Message::Changed | Message::Committed(_)) => {}
                Ok(Message::Ended | Message::Interrupted) | Err(_) => return Ok(false),
            }
            if self.ended {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
