//! One client's connection: bytes in, bytes out, and what waits for what.

use std::collections::VecDeque;

use super::answer::{Answer, AnswerCode};
use super::appending::Uploading;
use super::attempts::SignIn;
use super::backend::{Backend, Users};
use super::fetching::Fetching;
use super::notify::Wanted;
use super::selected::Selected;
use crate::error::{Error, Result};
use crate::imap::server::parse;
use crate::imap::server::response::{Code, PlainCode, Response, StatusKind, Style, encode};
use crate::limits::Limits;
use crate::options::Progress;
use crate::sasl::ChannelBinding;
use crate::sasl::server::ServerExchange;
use crate::time::Now;
use crate::wire::compress::{Deflater, Inflater};
use crate::wire::{CommandFramer, CommandPiece, Refusal as FrameRefusal};

/// Octets of an answer that are made at a time.
pub(super) const CHUNK: usize = 64 << 10;
/// A client that says nothing for so long is logged out (RFC 9051 §5.4 asks for 30 minutes at least).
const SILENCE_MS: u64 = 31 * 60_000;
/// The same before somebody has signed in.
const SILENCE_BEFORE_LOGIN_MS: u64 = 60_000;

/// What a session is made with, over IMAP or POP3.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// Randomness: 32 octets no one else knows, new for each session.
    pub seed: [u8; 32],
    /// The server's own secret, the same for all sessions and runs: what users that do not exist are made of.
    pub decoy: [u8; 32],
    /// The transport is encrypted already.
    pub secure: bool,
    /// STARTTLS, or STLS, can be had.
    pub offers_tls: bool,
    /// Passwords are taken on a transport that is not encrypted: loopback, say.
    pub allow_insecure: bool,
    /// POP3's UTF8 mode is offered (RFC 6856). Then a message whose header is not ASCII is kept from a client that
    /// has not asked for that mode, as §2.1 there wants it. Few clients know the mode: where it is not offered, every
    /// message goes out as it is.
    pub offers_pop_utf8: bool,
    /// Capabilities of IMAP that are not offered though they could be, by their words, as `COMPRESS=DEFLATE`, or
    /// `AUTH=LOGIN`, which counts for POP3 too. What needs one is refused. For clients that stumble over an
    /// extension, and for what a host does not want to pay for.
    pub withheld: Vec<String>,
    /// Bounds.
    pub limits: Limits,
}

impl SessionOptions {
    /// With a seed and a secret, over a transport that is encrypted or not.
    pub fn new(seed: [u8; 32], decoy: [u8; 32], secure: bool) -> SessionOptions {
        let limits = Limits::DEFAULT;
        SessionOptions {
            seed,
            decoy,
            secure,
            offers_tls: false,
            allow_insecure: false,
            offers_pop_utf8: false,
            withheld: Vec::new(),
            limits,
        }
    }
}

/// What the host is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// Everything to transmit is out: begin TLS, then call the session's `handle_tls_started`.
    StartTls,
    /// Somebody has signed in.
    SignedIn {
        /// Who.
        user: String,
    },
    /// Somebody has tried to.
    SignInFailed,
    /// Something failed that the client was told of in general terms only.
    Trouble {
        /// What.
        text: String,
    },
    /// The connection is over: transmit what is left and close.
    Closed,
}

/// The server's side of one IMAP connection.
pub struct Session<U: Users> {
    pub(super) users: U,
    pub(super) options: SessionOptions,
    framer: CommandFramer,
    inflater: Option<Inflater>,
    inflated: Vec<u8>,
    taken: usize,
    pub(super) out: Vec<u8>,
    /// What was said before compression began, and goes out as it is.
    plain: Vec<u8>,
    deflater: Option<Deflater>,
    pub(super) events: VecDeque<SessionEvent>,
    pub(super) user: Option<User<U::Backend>>,
    pub(super) wait: Wait,
    pub(super) fetching: Option<Fetching<<U::Backend as Backend>::Content>>,
    pub(super) uploading: Option<Uploading<<U::Backend as Backend>::Upload>>,
    pub(super) sign_in: SignIn,
    pub(super) binding: Option<ChannelBinding>,
    pub(super) now: Now,
    last_input: u64,
    pub(super) closed: bool,
    greeted: bool,
}

/// Who has signed in, and what they have open.
pub(super) struct User<B> {
    pub(super) backend: B,
    pub(super) enabled: Enabled,
    pub(super) selected: Option<Selected>,
    /// What is told without being asked for.
    pub(super) wanted: Wanted,
}

/// What the client has enabled (RFC 5161), by ENABLE or by asking for it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Enabled {
    pub(super) condstore: bool,
    pub(super) qresync: bool,
    pub(super) utf8: bool,
    pub(super) rev2: bool,
}

/// What the session waits for before it takes the next command.
pub(super) enum Wait {
    Nothing,
    /// The answer to a challenge.
    Sasl {
        tag: String,
        exchange: Box<ServerExchange>,
    },
    /// DONE.
    Idle {
        tag: String,
    },
    /// The host's handshake.
    Tls,
    /// A moment, after a sign-in that failed.
    Delay {
        until: u64,
        tag: String,
        answer: Answer,
    },
}

impl<U: Users> Session<U> {
    /// At the start of a connection; the greeting is there to be transmitted.
    pub fn new(users: U, options: SessionOptions) -> Session<U> {
        let mut framer = CommandFramer::new(&options.limits);
        framer.set_command_limit(options.limits.command_before_login);
        let mut session = Session {
            users,
            framer,
            inflater: None,
            inflated: Vec::new(),
            taken: 0,
            out: Vec::new(),
            plain: Vec::new(),
            deflater: None,
            events: VecDeque::new(),
            user: None,
            wait: Wait::Nothing,
            fetching: None,
            uploading: None,
            sign_in: SignIn::new(options.seed),
            binding: None,
            now: Now::default(),
            last_input: 0,
            closed: false,
            greeted: false,
            options,
        };
        let words = session.capabilities();
        session.status(None, StatusKind::Ok, Some(Code::Capability(&words)), "Mailkeep is ready");
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
        let progress = self.take_all(now, input);
        self.leave();
        Ok(progress)
    }

    fn take_all(&mut self, now: Now, input: &[u8]) -> Progress {
        if !input.is_empty() {
            self.last_input = now.mono_ms;
        }
        let mut rest = input;
        while !self.closed && self.may_take() && self.take_in(&mut rest) {}
        if matches!(self.wait, Wait::Tls) {
            // Whatever came in the clear behind STARTTLS was injected, or is a mistake.
            rest = &[];
        }
        let more = !self.closed && (!rest.is_empty() || self.holds_inflated()) && self.takes_input_later();
        Progress { consumed: input.len() - rest.len(), more }
    }

    /// The transport ended.
    pub fn handle_eof(&mut self, now: Now) {
        self.now = now;
        self.close();
    }

    /// The time that [`Session::poll_timeout`] named has come, or some other.
    ///
    /// # Errors
    /// As [`Session::handle_input`].
    pub fn handle_timeout(&mut self, now: Now) -> Result<()> {
        self.enter(now)?;
        if let Wait::Delay { until, .. } = &self.wait
            && now.mono_ms >= *until
            && let Wait::Delay { tag, answer, .. } = std::mem::replace(&mut self.wait, Wait::Nothing)
        {
            self.answer(&tag, &answer);
            if self.sign_in.is_hopeless() {
                self.bye(None, "too many attempts");
            }
        }
        if now.mono_ms >= self.last_input.saturating_add(self.silence()) {
            self.bye(None, "nothing was said for too long");
        }
        self.leave();
        Ok(())
    }

    /// Somebody else changed this user's mail: a client that idles is told, and one that asked for it (RFC 5465).
    ///
    /// # Errors
    /// As [`Session::handle_input`].
    pub fn handle_wake(&mut self, now: Now) -> Result<()> {
        if self.closed || !self.greeted || self.fetching.is_some() || !self.out.is_empty() {
            // What is under way ends with a look at the changes.
            return Ok(());
        }
        self.enter(now)?;
        self.tell_news();
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
        // Whatever was said in the clear is forgotten (RFC 9051 §6.2.1).
        self.framer = CommandFramer::new(&self.options.limits);
        self.framer.set_command_limit(self.options.limits.command_before_login);
        self.wait = Wait::Nothing;
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
        if !self.plain.is_empty() {
            return Some(std::mem::take(&mut self.plain));
        }
        if self.fetching.is_some() && !self.closed {
            self.last_input = 0;
            self.begin();
            while !self.closed && self.fetching.is_some() && self.out.len() < CHUNK {
                self.go_on_fetching();
            }
            self.leave();
        }
        if self.out.is_empty() {
            return None;
        }
        let bytes = std::mem::take(&mut self.out);
        match &mut self.deflater {
            Some(deflater) => {
                let mut compressed = Vec::new();
                deflater.deflate(&bytes, &mut compressed);
                Some(compressed)
            }
            None => Some(bytes),
        }
    }

    /// What happened; `None` when there is no more.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// The time, on the host's monotonic clock in milliseconds, at which [`Session::handle_timeout`] is to be
    /// called.
    pub fn poll_timeout(&self) -> Option<u64> {
        if self.closed {
            return None;
        }
        let since = if self.last_input == 0 { self.now.mono_ms } else { self.last_input };
        let silence = since.saturating_add(self.silence());
        Some(match &self.wait {
            Wait::Delay { until, .. } => silence.min(*until),
            _ => silence,
        })
    }

    fn silence(&self) -> u64 {
        if self.user.is_some() { SILENCE_MS } else { SILENCE_BEFORE_LOGIN_MS }
    }

    fn enter(&mut self, now: Now) -> Result<()> {
        if self.closed {
            return Err(Error::Misuse("the connection is closed"));
        }
        let drained = self.greeted && self.out.is_empty() && self.plain.is_empty() && self.fetching.is_none();
        if !drained || !self.events.is_empty() {
            return Err(Error::Misuse("poll_transmit and poll_event were not drained"));
        }
        if self.last_input == 0 {
            self.last_input = now.mono_ms;
        }
        self.now = now;
        self.begin();
        Ok(())
    }

    /// The backend may read from one moment until [`Session::leave`].
    fn begin(&self) {
        if let Some(user) = &self.user {
            user.backend.begin(self.now);
        }
    }

    fn leave(&self) {
        if let Some(user) = &self.user {
            user.backend.end();
        }
    }

    /// Whether the next command may be taken: large answers go out first.
    fn may_take(&self) -> bool {
        self.fetching.is_none() && self.out.len() < CHUNK && self.takes_input_later()
    }

    /// Whether input can be taken without something else happening first.
    fn takes_input_later(&self) -> bool {
        !matches!(self.wait, Wait::Tls | Wait::Delay { .. })
    }

    fn holds_inflated(&self) -> bool {
        self.taken < self.inflated.len() || self.inflater.as_ref().is_some_and(Inflater::is_pending)
    }

    /// Takes one piece off the input; false where more is needed.
    fn take_in(&mut self, input: &mut &[u8]) -> bool {
        if self.inflater.is_none() {
            return self.take_piece(input);
        }
        if self.taken == self.inflated.len() {
            self.inflated.clear();
            self.taken = 0;
            let Some(inflater) = &mut self.inflater else { return false };
            if let Err(error) = inflater.inflate(input, &mut self.inflated, CHUNK) {
                self.bye(Some(PlainCode::ClientBug), &error.to_string());
                return false;
            }
            if self.inflated.is_empty() {
                return false;
            }
        }
        // What was inflated is held apart while it is read, since reading changes everything else.
        let inflated = std::mem::take(&mut self.inflated);
        let mut rest = &inflated[self.taken..];
        let before = rest.len();
        let went_on = self.take_piece(&mut rest);
        self.taken += before - rest.len();
        self.inflated = inflated;
        went_on || self.taken == self.inflated.len() && !input.is_empty()
    }

    fn take_piece(&mut self, input: &mut &[u8]) -> bool {
        if matches!(self.wait, Wait::Sasl { .. } | Wait::Idle { .. }) {
            return match self.framer.next_line(input) {
                Ok(Some(line)) => {
                    let line = line.to_vec();
                    self.line(&line);
                    true
                }
                Ok(None) => false,
                Err(error) => {
                    self.bye(Some(PlainCode::TooBig), &error.to_string());
                    false
                }
            };
        }
        let limits = self.options.limits;
        let before = *input;
        let taken = match self.framer.next(input) {
            Ok(Some(piece)) => Taken::of(piece, &limits),
            Ok(None) => return false,
            Err(error) => {
                self.bye(Some(PlainCode::TooBig), &error.to_string());
                return false;
            }
        };
        match taken {
            Taken::Continue => self.put(&Response::Continue("go on")),
            Taken::Message(head, len, synchronizing) => {
                if self.begin_message(head, len) {
                    self.framer.accept();
                    if synchronizing {
                        self.put(&Response::Continue("go on"));
                    }
                } else {
                    self.framer.refuse();
                }
            }
            Taken::Data(len) => {
                // They are what was taken last off the input.
                let end = before.len() - input.len();
                self.message_data(&before[end - len..end]);
            }
            Taken::End => self.message_end(),
            Taken::Command(Ok((tag, command))) => self.command(&tag, command),
            Taken::Command(Err(refused)) => {
                self.uploading = None;
                self.refused(refused.tag.as_deref(), &refused.error);
            }
            Taken::Refused(tag, why) => {
                self.uploading = None;
                let text = match why {
                    FrameRefusal::TooLong => "the command is too long",
                    FrameRefusal::LiteralTooLong => "the string is too long",
                    FrameRefusal::TooManyLiterals => "too many literals",
                    FrameRefusal::BadLiteral => "a literal without a length",
                };
                let code = AnswerCode::Plain(PlainCode::TooBig);
                let code = if why == FrameRefusal::BadLiteral { AnswerCode::None } else { code };
                let answer = Answer::bad(text).with(code);
                match tag.as_str() {
                    "" => self.status(None, StatusKind::Bad, answer.code.as_code(), text),
                    tag => self.answer(tag, &answer),
                }
            }
        }
        true
    }

    fn refused(&mut self, tag: Option<&str>, error: &parse::CommandError) {
        let charset = error.what == parse::What::Charset;
        let (kind, code) = match charset {
            true => (StatusKind::No, Some(Code::BadCharset)),
            false => (StatusKind::Bad, None),
        };
        self.status(tag, kind, code, &error.to_string());
        if tag.is_none() {
            self.sign_in.count_nonsense();
            if self.user.is_none() && self.sign_in.is_hopeless() {
                self.bye(None, "this is IMAP");
            }
        }
    }

    /// What is written from now on, and what comes, is compressed (RFC 4978).
    pub(super) fn start_compression(&mut self) {
        self.plain = std::mem::take(&mut self.out);
        self.deflater = Some(Deflater::new(6));
        self.inflater = Some(Inflater::new(&self.options.limits));
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.deflater.is_some()
    }

    pub(super) fn signed_in(&mut self, backend: U::Backend, name: String) {
        self.framer.set_command_limit(self.options.limits.command);
        self.user =
            Some(User { backend, enabled: Enabled::default(), selected: None, wanted: Wanted::default() });
        self.events.push_back(SessionEvent::SignedIn { user: name });
    }

    pub(super) fn style(&self) -> Style {
        let enabled = self.user.as_ref().map(|user| user.enabled).unwrap_or_default();
        Style { utf8: enabled.utf8 || enabled.rev2 }
    }

    pub(super) fn put(&mut self, response: &Response<'_>) {
        let style = self.style();
        encode(response, style, &mut self.out);
    }

    pub(super) fn status(&mut self, tag: Option<&str>, kind: StatusKind, code: Option<Code<'_>>, text: &str) {
        self.put(&Response::Status { tag, kind, code, text });
    }

    pub(super) fn answer(&mut self, tag: &str, answer: &Answer) {
        self.status(Some(tag), answer.kind, answer.code.as_code(), &answer.text);
    }

    /// Says farewell and ends.
    pub(super) fn bye(&mut self, code: Option<PlainCode>, text: &str) {
        self.status(None, StatusKind::Bye, code.map(Code::Plain), text);
        self.close();
    }

    pub(super) fn close(&mut self) {
        if !std::mem::replace(&mut self.closed, true) {
            self.user = None;
            self.fetching = None;
            self.uploading = None;
            self.wait = Wait::Nothing;
            self.events.push_back(SessionEvent::Closed);
        }
    }
}

/// A piece of the input, owned where the session will change while it is looked at.
enum Taken {
    Continue,
    Message(std::result::Result<parse::AppendHead, parse::Refused>, u64, bool),
    /// So many octets.
    Data(usize),
    End,
    Command(std::result::Result<(String, crate::imap::server::command::Command), parse::Refused>),
    Refused(String, FrameRefusal),
}

impl Taken {
    fn of(piece: CommandPiece<'_>, limits: &Limits) -> Taken {
        match piece {
            CommandPiece::Continue => Taken::Continue,
            CommandPiece::MessageStart { head, streamed, len, synchronizing } => {
                Taken::Message(parse::append_head(head, streamed, limits), len, synchronizing)
            }
            CommandPiece::LiteralData(data) => Taken::Data(data.len()),
            CommandPiece::LiteralEnd => Taken::End,
            CommandPiece::Command(frame) => {
                let parsed = parse::command(frame, limits);
                Taken::Command(parsed.map(|(tag, command)| (tag.to_owned(), command)))
            }
            CommandPiece::Refused { tag, why } => {
                Taken::Refused(String::from_utf8_lossy(tag).into_owned(), why)
            }
        }
    }
}
