//! One client's connection: bytes in, bytes out, and what waits for what.

use std::collections::VecDeque;
use std::fmt::Display;

use zeroize::Zeroizing;

use super::maildrop::Maildrop;
use super::sending::Sending;
use crate::error::{Error, Result};
use crate::options::Progress;
use crate::pop3::command::Command;
use crate::pop3::server::parse;
use crate::sasl::ChannelBinding;
use crate::sasl::server::ServerExchange;
use crate::serve::attempts::SignIn;
use crate::serve::backend::{Backend, Refusal, Users};
use crate::serve::session::{CHUNK, SessionEvent, SessionOptions};
use crate::time::Now;
use crate::wire::{DotFramer, DotPiece};

/// A client that gives no command for so long is left (RFC 1939 §3 asks for 10 minutes at least).
const SILENCE_MS: u64 = 10 * 60_000;
/// Commands that are taken before somebody has signed in.
const MOST_BEFORE_LOGIN: u32 = 100;

/// The server's side of one POP3 connection.
pub struct PopSession<U: Users> {
    pub(super) users: U,
    pub(super) options: SessionOptions,
    framer: DotFramer,
    pub(super) out: Vec<u8>,
    pub(super) events: VecDeque<SessionEvent>,
    /// What USER said, for the PASS behind it.
    pub(super) named: Option<String>,
    /// In the TRANSACTION state, whose maildrop it is about.
    pub(super) maildrop: Option<Maildrop<U::Backend>>,
    pub(super) wait: Wait,
    pub(super) sending: Option<Sending<<U::Backend as Backend>::Content>>,
    pub(super) sign_in: SignIn,
    pub(super) binding: Option<ChannelBinding>,
    /// The greeting's, angle brackets included, where APOP is offered.
    pub(super) timestamp: Option<String>,
    /// The client has asked for UTF8 mode.
    pub(super) utf8: bool,
    pub(super) now: Now,
    /// When the last command came. `None` where the time counts from the next call on: at the beginning, and behind
    /// an answer that took a while to send.
    quiet_since: Option<u64>,
    commands_before_login: u32,
    closed: bool,
    greeted: bool,
}

/// What the session waits for before it takes the next command.
pub(super) enum Wait {
    Nothing,
    /// The answer to a challenge.
    Sasl(Box<ServerExchange>),
    /// The host's handshake.
    Tls,
    /// A moment, after a sign-in that failed; then this is said.
    Delay {
        until: u64,
        answer: String,
    },
}

impl<U: Users> PopSession<U> {
    /// At the start of a connection; the greeting is there to be transmitted.
    pub fn new(users: U, options: SessionOptions) -> PopSession<U> {
        let mut sign_in = SignIn::new(options.seed);
        let timestamp = users.shared_secrets().map(|_| super::signin::timestamp(&mut sign_in));
        let mut session = PopSession {
            users,
            framer: DotFramer::new(&options.limits),
            out: Vec::new(),
            events: VecDeque::new(),
            named: None,
            maildrop: None,
            wait: Wait::Nothing,
            sending: None,
            sign_in,
            binding: None,
            timestamp,
            utf8: false,
            now: Now::default(),
            quiet_since: None,
            commands_before_login: 0,
            closed: false,
            greeted: false,
            options,
        };
        match session.timestamp.clone() {
            Some(timestamp) => session.ok(format_args!("Mailkeep is ready {timestamp}")),
            None => session.ok("Mailkeep is ready"),
        }
        session
    }

    /// Whether the connection is of no more use.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Bytes came from the client, cut anywhere. Returns how many were taken; the rest is to be given again,
    /// in front of what comes next, once the outputs are drained.
    ///
    /// # Errors
    /// [`Error::Misuse`] where outputs were not drained or the connection is closed.
    pub fn handle_input(&mut self, now: Now, input: &[u8]) -> Result<Progress> {
        self.enter(now)?;
        let mut rest = input;
        while self.may_take() && self.take_line(&mut rest) {}
        if matches!(self.wait, Wait::Tls) {
            // Whatever came in the clear behind STLS was injected, or is a mistake.
            rest = &[];
        }
        let more = !self.closed && !rest.is_empty() && self.takes_input_later();
        self.leave();
        Ok(Progress { consumed: input.len() - rest.len(), more })
    }

    /// The transport ended. Nothing is removed.
    pub fn handle_eof(&mut self, now: Now) {
        self.now = now;
        self.close();
    }

    /// The time that [`PopSession::poll_timeout`] named has come, or some other. Input that was not taken because an
    /// answer was held back can be given again.
    ///
    /// # Errors
    /// As [`PopSession::handle_input`].
    pub fn handle_timeout(&mut self, now: Now) -> Result<()> {
        self.enter(now)?;
        if let Wait::Delay { until, answer } = &mut self.wait
            && now.mono_ms >= *until
        {
            let answer = std::mem::take(answer);
            self.wait = Wait::Nothing;
            self.line(answer);
            self.close_if_hopeless();
        }
        if now.mono_ms >= self.autologout() {
            // Without a word, and without UPDATE (RFC 1939 §3).
            self.close();
        }
        self.leave();
        Ok(())
    }

    /// The host's TLS handshake is done. `binding` is channel-binding data, where the TLS library gives it.
    ///
    /// # Errors
    /// [`Error::Misuse`] where no handshake was asked for.
    pub fn handle_tls_started(&mut self, now: Now, binding: Option<ChannelBinding>) -> Result<()> {
        self.enter(now)?;
        self.leave();
        if !matches!(self.wait, Wait::Tls) {
            return Err(Error::Misuse("no TLS handshake was asked for"));
        }
        // Whatever was said in the clear is forgotten (RFC 2595 §4).
        self.framer = DotFramer::new(&self.options.limits);
        self.wait = Wait::Nothing;
        self.named = None;
        self.options.secure = true;
        self.binding = binding;
        Ok(())
    }

    /// What the connection's TLS gives to bind to, for one that was secure from the start.
    pub fn set_binding(&mut self, binding: ChannelBinding) {
        self.binding = Some(binding);
    }

    /// Bytes for the client; `None` when there are none.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.greeted = true;
        if self.sending.is_some() {
            self.begin();
            while self.sending.is_some() && self.out.len() < CHUNK {
                self.go_on_sending();
            }
            self.leave();
        }
        (!self.out.is_empty()).then(|| std::mem::take(&mut self.out))
    }

    /// What happened; `None` when there is no more.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// The time, on the host's monotonic clock in milliseconds, at which [`PopSession::handle_timeout`] is to be
    /// called.
    pub fn poll_timeout(&self) -> Option<u64> {
        if self.closed {
            return None;
        }
        Some(match &self.wait {
            Wait::Delay { until, .. } => self.autologout().min(*until),
            _ => self.autologout(),
        })
    }

    fn autologout(&self) -> u64 {
        self.quiet_since.unwrap_or(self.now.mono_ms).saturating_add(SILENCE_MS)
    }

    fn enter(&mut self, now: Now) -> Result<()> {
        if self.closed {
            return Err(Error::Misuse("the connection is closed"));
        }
        let drained = self.greeted && self.out.is_empty() && self.sending.is_none();
        if !drained || !self.events.is_empty() {
            return Err(Error::Misuse("poll_transmit and poll_event were not drained"));
        }
        self.quiet_since.get_or_insert(now.mono_ms);
        self.now = now;
        self.begin();
        Ok(())
    }

    /// The backend may read from one moment until [`PopSession::leave`].
    fn begin(&self) {
        if let Some(maildrop) = &self.maildrop {
            maildrop.backend.begin(self.now);
        }
    }

    fn leave(&self) {
        if let Some(maildrop) = &self.maildrop {
            maildrop.backend.end();
        }
    }

    /// Whether the next line may be taken: what is to be sent goes out first.
    fn may_take(&self) -> bool {
        !self.closed && self.sending.is_none() && self.out.len() < CHUNK && self.takes_input_later()
    }

    /// Whether input can be taken without something else happening first.
    fn takes_input_later(&self) -> bool {
        !matches!(self.wait, Wait::Tls | Wait::Delay { .. })
    }

    /// Takes a line off the input; false where more is needed.
    fn take_line(&mut self, input: &mut &[u8]) -> bool {
        let line = match self.framer.next(input) {
            // It may be a password.
            Ok(Some(DotPiece::Line(line))) => Some(Zeroizing::new(line.to_vec())),
            Ok(_) => return false,
            Err(_) => {
                self.framer.skip_line();
                None
            }
        };
        self.quiet_since = Some(self.now.mono_ms);
        match (std::mem::replace(&mut self.wait, Wait::Nothing), line) {
            (_, None) => {
                self.err("that line is too long");
                self.count_nonsense();
            }
            (Wait::Sasl(exchange), Some(line)) => self.response(*exchange, &line),
            (_, Some(line)) => self.command(&line),
        }
        true
    }

    fn command(&mut self, line: &[u8]) {
        if self.maildrop.is_none() {
            self.commands_before_login += 1;
            if self.commands_before_login > MOST_BEFORE_LOGIN {
                self.err("sign in on another connection");
                return self.close();
            }
        }
        match parse(line) {
            // Some say it between USER and PASS.
            Ok(Command::Capa) => self.capabilities(),
            Ok(Command::Quit) => self.quit(),
            Ok(command) if self.maildrop.is_some() => self.transaction(&command),
            Ok(command) => self.authorization(command),
            Err(error) => {
                self.named = None;
                self.err(error);
                self.count_nonsense();
            }
        }
    }

    fn count_nonsense(&mut self) {
        self.sign_in.count_nonsense();
        self.close_if_hopeless();
    }

    fn close_if_hopeless(&mut self) {
        if self.sign_in.is_hopeless() {
            self.close();
        }
    }

    fn go_on_sending(&mut self) {
        let (Some(sending), Some(maildrop)) = (self.sending.take(), &mut self.maildrop) else { return };
        match sending.go_on(maildrop, &mut self.out) {
            Ok(Some(rest)) => self.sending = Some(rest),
            Ok(None) => self.quiet_since = None,
            Err(refusal) => {
                // There is no way to take `+OK` back but to end without the dot.
                self.trouble(&refusal);
                self.close();
            }
        }
    }

    /// Something failed that the client is not told of in full.
    pub(super) fn trouble(&mut self, refusal: &Refusal) {
        self.events.push_back(SessionEvent::Trouble { text: refusal.to_string() });
    }

    pub(super) fn ok(&mut self, text: impl Display) {
        self.line(format_args!("+OK {text}"));
    }

    pub(super) fn err(&mut self, text: impl Display) {
        self.line(format_args!("-ERR {text}"));
    }

    pub(super) fn line(&mut self, text: impl Display) {
        self.out.extend_from_slice(format!("{text}\r\n").as_bytes());
    }

    /// The end, in which nothing is removed. What was said still goes out.
    pub(super) fn close(&mut self) {
        if !std::mem::replace(&mut self.closed, true) {
            self.maildrop = None;
            self.sending = None;
            self.named = None;
            self.wait = Wait::Nothing;
            self.events.push_back(SessionEvent::Closed);
        }
    }
}
