//! From the greeting to an authenticated session (RFC 9051 §3, §6.2; RFC 8314).
//!
//! Nothing is said to a server before its greeting, nothing secret before the connection is secure,
//! and nothing is pipelined behind an exchange that can ask back.

use base64::Engine;

use crate::error::{Error, Result};
use crate::imap::capability::Capabilities;
use crate::imap::client::Outbound;
use crate::imap::client::quirks::{Quirk, Quirks};
use crate::imap::command::Command;
use crate::imap::response::{Code, PlainCode, Status, StatusKind};
use crate::limits::Limits;
use crate::model::Security;
use crate::sasl::{self, ChannelBinding, Credentials, CredentialsKind, Exchange, Mechanism};

/// What a login needs to know beforehand.
#[derive(Debug, Clone)]
pub struct LoginConfig {
    /// How the connection is to be protected.
    pub security: Security,
    /// The transport is encrypted already.
    pub secured: bool,
    /// The only mechanism to use, or `LOGIN` for the command of that name; the strongest where `None`.
    pub mechanism: Option<String>,
    /// Capabilities seen after signing in the last time, with which the first flight may be planned.
    pub known: Capabilities,
    /// Capabilities seen before signing in, on an encrypted connection, the last time: they save a
    /// question behind STARTTLS.
    pub known_before: Capabilities,
    /// The server was seen to offer SASL-IR and not to hear initial responses.
    pub deaf_to_initial: bool,
    /// The server's name for itself, as seen the last time.
    pub server: Option<String>,
    /// Whether compression is wanted.
    pub compress: bool,
    /// Randomness for nonces.
    pub nonce: [u8; 18],
    /// Bounds.
    pub limits: Limits,
}

/// What the commands of a login are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginStep {
    /// STARTTLS
    StartTls,
    /// CAPABILITY before signing in
    Ask,
    /// LOGIN or AUTHENTICATE
    Authenticate,
    /// CAPABILITY after signing in
    AskAgain,
    /// COMPRESS
    Compress,
}

/// What a login tells.
#[derive(Debug)]
pub enum LoginEvent {
    /// The host is to start TLS now and say when it has.
    StartTls,
    /// The host is to give credentials for one of these mechanisms.
    NeedCredentials(Vec<String>),
    /// What comes from the server after this response is compressed, and so is what is sent.
    Compressed,
    /// Commands may be sent: the login cannot ask back any more.
    Go,
    /// CAPABILITY is to be sent, compressed.
    AskAgain,
    /// The server agreed.
    Authenticated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    StartTlsSent,
    Handshake,
    Asked,
    AwaitCredentials,
    Authenticating,
    Settling,
    Done,
}

/// A login under way.
pub struct Login {
    config: LoginConfig,
    state: State,
    secured: bool,
    binding: Option<ChannelBinding>,
    capabilities: Capabilities,
    authenticated: bool,
    went: bool,
    credentials: Option<Credentials>,
    exchange: Option<Exchange>,
    /// The client's first message, where it waits for the server's empty challenge.
    initial: Option<Vec<u8>>,
    quirks: Quirks,
    /// The capabilities are the last time's: the server has not told them on this connection.
    assumed: bool,
    /// Capabilities before signing in that are to be kept for the next time.
    news_before: Option<Capabilities>,
    /// It was found out just now that the server does not hear initial responses.
    deaf: bool,
    compress_sent: bool,
    compress_answered: bool,
    /// The server told its capabilities after it agreed.
    told_again: bool,
}

type Told = Vec<LoginEvent>;

impl Login {
    /// A login on a new connection.
    pub fn new(config: LoginConfig) -> Login {
        let mut quirks = Quirks::default();
        quirks.learn(config.server.as_deref().unwrap_or_default());
        Login {
            quirks,
            assumed: false,
            news_before: None,
            deaf: false,
            secured: config.secured,
            config,
            state: State::Greeting,
            binding: None,
            capabilities: Capabilities::default(),
            authenticated: false,
            went: false,
            credentials: None,
            exchange: None,
            initial: None,
            compress_sent: false,
            compress_answered: false,
            told_again: false,
        }
    }

    /// What the server can do, as far as it is known now.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Whether the server has agreed to the credentials.
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// Whether the greeting has not come yet.
    pub fn awaits_greeting(&self) -> bool {
        self.state == State::Greeting
    }

    /// Whether the host is to do a TLS handshake now: no byte of the server counts meanwhile.
    pub fn awaits_tls(&self) -> bool {
        self.state == State::Handshake
    }

    /// Whether everything is done.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The first response of a connection (RFC 9051 §7.1).
    ///
    /// # Errors
    /// [`Error::Protocol`] where it is no greeting, [`Error::Disconnected`] for BYE,
    /// [`Error::LoginImpossible`] for PREAUTH on a connection that is not secure yet.
    pub fn greeting<P: From<LoginStep>>(
        &mut self,
        status: &Status<'_>,
        out: &mut Outbound<P>,
    ) -> Result<Told> {
        if status.tag.is_some() {
            return Err(Error::Protocol("a tagged response in place of the greeting".into()));
        }
        if let Some(Code::Capability(words)) = &status.code {
            self.capabilities = Capabilities::from_words(words.iter());
        }
        self.quirks.learn(&text_of(status, &self.config.limits));
        match status.kind {
            StatusKind::Ok => self.after_greeting(out),
            // An attacker who answers PREAUTH makes a client skip STARTTLS: refused.
            StatusKind::Preauth if !self.may_send_plaintext() => Err(Error::LoginImpossible(
                "the server calls the connection authenticated before it is encrypted".into(),
            )),
            StatusKind::Preauth => {
                self.authenticated = true;
                self.after_agreement(out)
            }
            StatusKind::Bye => Err(Error::Disconnected(text_of(status, &self.config.limits))),
            StatusKind::No | StatusKind::Bad => Err(Error::Protocol("the greeting is an error".into())),
        }
    }

    fn after_greeting<P: From<LoginStep>>(&mut self, out: &mut Outbound<P>) -> Result<Told> {
        if self.config.security == Security::StartTls && !self.secured {
            self.state = State::StartTlsSent;
            out.send(&Command::StartTls, LoginStep::StartTls.into())?;
            return Ok(Vec::new());
        }
        if self.capabilities.is_empty() && self.secured {
            self.capabilities = self.config.known_before.clone();
            self.assumed = true;
        }
        if self.capabilities.is_empty() {
            self.state = State::Asked;
            out.send(&Command::Capability, LoginStep::Ask.into())?;
            return Ok(Vec::new());
        }
        self.ask_credentials(out)
    }

    /// The host has finished the TLS handshake. What was said before it is forgotten.
    ///
    /// # Errors
    /// [`Error::Misuse`] where no handshake was asked for.
    pub fn tls_started<P: From<LoginStep>>(
        &mut self,
        binding: Option<ChannelBinding>,
        out: &mut Outbound<P>,
    ) -> Result<Told> {
        match (self.state, self.config.security) {
            (State::Handshake, _) => {
                self.secured = true;
                self.binding = binding;
                self.capabilities = Capabilities::default();
                self.after_greeting(out)
            }
            // TLS from the first byte: the host only hands in the binding.
            (State::Greeting, Security::Tls) => {
                self.secured = true;
                self.binding = binding;
                Ok(Vec::new())
            }
            _ => Err(Error::Misuse("TLS was started where the engine did not ask for it")),
        }
    }

    /// `* CAPABILITY` data.
    pub fn capability_data(&mut self, capabilities: Capabilities) {
        self.told_again |= self.authenticated;
        self.capabilities = capabilities;
    }

    /// Hands in credentials; they may come before they are asked for.
    ///
    /// # Errors
    /// As [`Login::greeting`], and [`Error::LoginImpossible`] where no mechanism fits.
    pub fn provide<P: From<LoginStep>>(
        &mut self,
        credentials: Credentials,
        out: &mut Outbound<P>,
    ) -> Result<Told> {
        self.credentials = Some(credentials);
        if self.state == State::AwaitCredentials { self.authenticate(out) } else { Ok(Vec::new()) }
    }

    fn ask_credentials<P: From<LoginStep>>(&mut self, out: &mut Outbound<P>) -> Result<Told> {
        self.state = State::AwaitCredentials;
        if self.credentials.is_some() {
            return self.authenticate(out);
        }
        let mut offered: Vec<String> = self.capabilities.mechanisms().map(str::to_owned).collect();
        if self.login_command_allowed() {
            offered.push("LOGIN-COMMAND".into());
        }
        Ok(vec![LoginEvent::NeedCredentials(offered)])
    }

    fn may_send_plaintext(&self) -> bool {
        self.secured || self.config.security == Security::Insecure
    }

    fn login_command_allowed(&self) -> bool {
        self.may_send_plaintext() && !self.capabilities.has("LOGINDISABLED")
    }

    fn authenticate<P: From<LoginStep>>(&mut self, out: &mut Outbound<P>) -> Result<Told> {
        let Some(credentials) = self.credentials.take() else { return Ok(Vec::new()) };
        if !self.secured && self.config.security != Security::Insecure {
            return Err(Error::LoginImpossible("the connection is not secure".into()));
        }
        self.state = State::Authenticating;
        self.set_options(out);
        let only_command = self.config.mechanism.as_deref().is_some_and(|m| m.eq_ignore_ascii_case("LOGIN"));
        let restrict = match self.config.mechanism.as_deref() {
            Some(name) if !only_command => Some(Mechanism::from_name(name).ok_or_else(|| {
                Error::Invalid { what: "mechanism", why: format!("{name} is not known here") }
            })?),
            _ => None,
        };
        let offered: Vec<Mechanism> =
            self.capabilities.mechanisms().filter_map(Mechanism::from_name).collect();
        let chosen = sasl::choose(
            &offered,
            credentials.kind(),
            self.secured,
            self.config.security == Security::Insecure,
            self.binding.as_ref(),
            restrict,
        );
        // AUTHENTICATE PLAIN without an initial response costs a round trip that LOGIN does not.
        let slow_plain = chosen == Some(Mechanism::Plain)
            && restrict.is_none()
            && !self.capabilities.has("SASL-IR")
            && self.login_command_allowed();
        match chosen {
            Some(mechanism) if !only_command && !slow_plain => {
                self.start_exchange(mechanism, &credentials, &offered, out)?;
            }
            _ if restrict.is_none()
                && credentials.kind() == CredentialsKind::Password
                && self.login_command_allowed() =>
            {
                let Credentials::Password { user, password, .. } = &credentials else {
                    return Err(Error::Misuse("credentials changed their kind"));
                };
                let command = Command::Login {
                    user: user.clone().into_bytes(),
                    password: password.expose().as_bytes().to_vec(),
                };
                out.send(&command, LoginStep::Authenticate.into())?;
                return self.go_ahead(out);
            }
            _ => return Err(self.impossible()),
        }
        if self.exchange.as_ref().is_some_and(Exchange::can_pipeline_behind) && self.initial.is_none() {
            return self.go_ahead(out);
        }
        Ok(Vec::new())
    }

    fn impossible(&self) -> Error {
        let offered: Vec<&str> = self.capabilities.mechanisms().collect();
        Error::LoginImpossible(format!(
            "the server offers {}{}, and none fits the credentials{}",
            if offered.is_empty() { "no mechanism".to_owned() } else { offered.join(", ") },
            if self.capabilities.has("LOGINDISABLED") { " and no LOGIN" } else { "" },
            if self.secured { "" } else { " on a connection without encryption" },
        ))
    }

    fn start_exchange<P: From<LoginStep>>(
        &mut self,
        mechanism: Mechanism,
        credentials: &Credentials,
        offered: &[Mechanism],
        out: &mut Outbound<P>,
    ) -> Result<()> {
        let plus = offered.iter().any(|m| m.name().ends_with("-PLUS"));
        let exchange = Exchange::new(
            mechanism,
            credentials,
            self.binding.as_ref(),
            plus,
            self.config.nonce,
            &self.config.limits,
        )
        .map_err(sasl_error)?;
        let initial = exchange.initial();
        let with_initial = self.capabilities.has("SASL-IR") && !self.config.deaf_to_initial;
        let command = Command::Authenticate {
            mechanism: mechanism.name().to_owned(),
            initial: if with_initial { initial.clone() } else { None },
        };
        self.initial = if with_initial { None } else { initial };
        self.exchange = Some(exchange);
        out.send(&command, LoginStep::Authenticate.into())
    }

    /// Nothing can be asked back any more: what comes next may go out in the same flight.
    fn go_ahead<P: From<LoginStep>>(&mut self, out: &mut Outbound<P>) -> Result<Told> {
        if self.wants_compression(&self.config.known) {
            return self.send_compress(out);
        }
        if self.config.compress && self.config.known.is_empty() {
            // Whether the server compresses is known only after it agreed.
            return Ok(Vec::new());
        }
        Ok(self.go())
    }

    fn wants_compression(&self, capabilities: &Capabilities) -> bool {
        self.config.compress && !self.compress_sent && capabilities.has("COMPRESS=DEFLATE")
    }

    fn send_compress<P: From<LoginStep>>(&mut self, out: &mut Outbound<P>) -> Result<Told> {
        self.compress_sent = true;
        out.send(&Command::Compress, LoginStep::Compress.into())?;
        Ok(Vec::new())
    }

    fn go(&mut self) -> Told {
        if std::mem::replace(&mut self.went, true) { Vec::new() } else { vec![LoginEvent::Go] }
    }

    /// A `+` in an authentication exchange.
    ///
    /// # Errors
    /// [`Error::Protocol`] where none was waited for or the challenge is wrong.
    pub fn continuation<P: From<LoginStep>>(&mut self, text: &[u8], out: &mut Outbound<P>) -> Result<Told> {
        let stray = || Error::Protocol("a continuation request that nothing waits for".into());
        if self.state != State::Authenticating {
            return Err(stray());
        }
        if let Some(initial) = self.initial.take() {
            out.answer_challenge(&initial);
            let quiet = self.exchange.as_ref().is_some_and(Exchange::can_pipeline_behind);
            return if quiet && self.quirks.has(Quirk::PipelinesBehindSasl) {
                self.go_ahead(out)
            } else {
                Ok(Vec::new())
            };
        }
        if self.went
            && text.trim_ascii().is_empty()
            && self.exchange.as_ref().is_some_and(Exchange::can_pipeline_behind)
        {
            // It asks for what it was sent, and will take the next command for the answer: this login is
            // lost, and the next one will know.
            self.deaf = true;
            return Ok(Vec::new());
        }
        let exchange = self.exchange.as_mut().ok_or_else(stray)?;
        let challenge =
            decode_challenge(text).ok_or_else(|| Error::Protocol("a challenge that is not base64".into()))?;
        match exchange.respond(&challenge) {
            Ok(response) => {
                out.answer_challenge(&response);
                // The server's proof has been checked: only OK or NO can follow.
                let last = exchange.is_expecting_nothing_more() && !self.went;
                if last && self.quirks.has(Quirk::PipelinesBehindSasl) {
                    return self.go_ahead(out);
                }
                Ok(Vec::new())
            }
            Err(error) => {
                out.abort_challenge();
                Err(sasl_error(error))
            }
        }
    }

    /// The tagged answer to one of the login's commands.
    ///
    /// # Errors
    /// [`Error::LoginRefused`], [`Error::LoginImpossible`] or [`Error::Protocol`].
    pub fn tagged<P: From<LoginStep>>(
        &mut self,
        step: LoginStep,
        status: &Status<'_>,
        out: &mut Outbound<P>,
    ) -> Result<Told> {
        let ok = status.kind == StatusKind::Ok;
        match step {
            LoginStep::StartTls if ok => {
                self.state = State::Handshake;
                Ok(vec![LoginEvent::StartTls])
            }
            LoginStep::StartTls => Err(Error::LoginImpossible(format!(
                "the server refuses STARTTLS: {}",
                text_of(status, &self.config.limits)
            ))),
            LoginStep::Ask => {
                if self.secured && self.capabilities != self.config.known_before {
                    self.news_before = Some(self.capabilities.clone());
                }
                self.ask_credentials(out)
            }
            LoginStep::Authenticate if ok => {
                if let Some(exchange) = &mut self.exchange {
                    exchange.verify_success().map_err(sasl_error)?;
                }
                self.exchange = None;
                self.authenticated = true;
                // What was said before signing in no longer holds (RFC 9051 §7.2.2).
                let before = std::mem::take(&mut self.capabilities);
                if let Some(Code::Capability(words)) = &status.code {
                    self.capability_data(Capabilities::from_words(words.iter()));
                } else if self.told_again {
                    self.capabilities = before;
                }
                self.after_agreement(out)
            }
            LoginStep::Authenticate if self.assumed && self.unknown_mechanism(status) => {
                // What was assumed may be out of date: the next time it is asked.
                self.news_before = Some(Capabilities::default());
                Err(Error::LoginImpossible("the server no longer offers what it did; try again".into()))
            }
            LoginStep::Authenticate => {
                // Not a refusal of what was said but of how: it took a later command for the answer.
                self.deaf |= status.kind == StatusKind::Bad && self.went && self.exchange.is_some();
                Err(refusal(status, self.exchange.as_ref(), &self.config.limits))
            }
            LoginStep::AskAgain => self.settled(out),
            LoginStep::Compress => {
                self.compress_answered = true;
                let mut told = if ok { vec![LoginEvent::Compressed] } else { Vec::new() };
                if self.capabilities.is_empty() {
                    told.push(LoginEvent::AskAgain);
                    return Ok(told);
                }
                told.extend(self.settled(out)?);
                told.extend(self.go());
                Ok(told)
            }
        }
    }

    /// Whether it was found out that the server does not hear initial responses, once.
    pub fn take_deafness(&mut self) -> bool {
        std::mem::take(&mut self.deaf)
    }

    /// Capabilities before signing in that are to be kept for the next time, once.
    pub fn take_news_before(&mut self) -> Option<Capabilities> {
        self.news_before.take()
    }

    fn unknown_mechanism(&self, status: &Status<'_>) -> bool {
        status.kind == StatusKind::Bad
            || status.kind == StatusKind::No && matches!(status.code, Some(Code::Plain(PlainCode::Cannot)))
    }

    fn after_agreement<P: From<LoginStep>>(&mut self, out: &mut Outbound<P>) -> Result<Told> {
        self.state = State::Settling;
        let mut told = vec![LoginEvent::Authenticated];
        if self.capabilities.is_empty() {
            // Behind COMPRESS nothing goes out before its answer: the server would take it for compressed.
            if !self.compress_sent || self.compress_answered {
                out.send(&Command::Capability, LoginStep::AskAgain.into())?;
            }
            return Ok(told);
        }
        told.extend(self.settled(out)?);
        Ok(told)
    }

    /// Capabilities are known; compression is the last thing.
    fn settled<P: From<LoginStep>>(&mut self, out: &mut Outbound<P>) -> Result<Told> {
        if !self.went && self.wants_compression(&self.capabilities) {
            return self.send_compress(out);
        }
        if self.compress_sent && !self.compress_answered {
            return Ok(Vec::new());
        }
        self.state = State::Done;
        self.set_options(out);
        Ok(self.go())
    }

    fn set_options<P>(&self, out: &mut Outbound<P>) {
        use crate::imap::encode::LiteralMode;
        let c = &self.capabilities;
        out.options.literal = if c.has("LITERAL+") {
            LiteralMode::Plus
        } else if c.has("LITERAL-") || c.has("IMAP4REV2") {
            LiteralMode::Minus
        } else {
            LiteralMode::Synchronizing
        };
        out.options.binary = c.has("BINARY");
    }
}

/// A challenge's octets; servers leave an empty one out in several ways.
fn decode_challenge(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    if text.is_empty() || text == b"=" {
        return Some(Vec::new());
    }
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

fn sasl_error(error: sasl::SaslError) -> Error {
    Error::LoginImpossible(error.to_string())
}

fn refusal(status: &Status<'_>, exchange: Option<&Exchange>, limits: &Limits) -> Error {
    let mut why = text_of(status, limits);
    if let Some(Code::Plain(code)) = &status.code {
        why = match code {
            PlainCode::AuthenticationFailed => format!("wrong user name or password ({why})"),
            PlainCode::Expired => format!("the password has expired ({why})"),
            PlainCode::Unavailable => format!("the server cannot check passwords now ({why})"),
            PlainCode::PrivacyRequired => format!("encryption is required ({why})"),
            PlainCode::ContactAdmin => format!("the administrator must be asked ({why})"),
            _ => why,
        };
    }
    if let Some(detail) = exchange.and_then(Exchange::failure_detail) {
        why = format!("{why}: {detail}");
    }
    Error::LoginRefused(why)
}

/// A status' text for a person, bounded.
pub fn text_of(status: &Status<'_>, limits: &Limits) -> String {
    let text = &status.text[..status.text.len().min(limits.server_text)];
    let text = String::from_utf8_lossy(text).replace(|c: char| c.is_control(), " ");
    if text.is_empty() { "no reason given".into() } else { text }
}
