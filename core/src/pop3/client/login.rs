//! From the greeting to the TRANSACTION state (RFC 1939 §4, RFC 2595 §4, RFC 5034).
//!
//! Nothing is said to a server before its greeting, nothing secret before the connection is secure, and
//! nothing is pipelined behind an exchange. STLS is sent without asking whether it is offered: what is
//! said of that in the clear proves nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::model::Security;
use crate::pop3::capability::Capabilities;
use crate::pop3::client::Client;
use crate::pop3::command::{Command, LONGEST, apop_digest};
use crate::pop3::response::{Code, Status, timestamp};
use crate::sasl::{self, ChannelBinding, Credentials, CredentialsKind, Exchange, Mechanism, Secret};

/// What a login needs to know beforehand.
#[derive(Debug, Clone)]
pub struct LoginConfig {
    /// How the connection is to be protected.
    pub security: Security,
    /// The transport is encrypted already.
    pub secured: bool,
    /// The only mechanism to use: a SASL one, `USER` or `APOP`; the best that both sides have where `None`.
    pub mechanism: Option<String>,
    /// Randomness for nonces.
    pub nonce: [u8; 18],
    /// Bounds.
    pub limits: Limits,
}

/// What the commands of a login are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginStep {
    /// STLS
    Stls,
    /// CAPA before signing in
    Capa,
    /// UTF8
    Utf8,
    /// USER
    User,
    /// PASS, APOP or AUTH: the answer is the server's decision.
    Decisive,
}

/// What a login tells.
#[derive(Debug, PartialEq, Eq)]
pub enum LoginEvent {
    /// The host is to start TLS now and say when it has.
    StartTls,
    /// The host is to give credentials for one of these mechanisms.
    NeedCredentials(Vec<String>),
    /// The server agreed: commands may be sent.
    Authenticated,
    /// The server says that it is too early, or that another session has the maildrop. The credentials are
    /// kept for [`Login::retry`].
    NotNow {
        /// `IN-USE`, or `LOGIN-DELAY`.
        code: Code,
        /// The server's words.
        text: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    StlsSent,
    Handshake,
    Capa,
    AwaitCredentials,
    Authenticating,
    NotNow,
    Done,
}

/// How the user is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Sasl(Mechanism),
    Apop,
    UserPass,
}

/// A login under way.
pub struct Login {
    config: LoginConfig,
    state: State,
    secured: bool,
    binding: Option<ChannelBinding>,
    capabilities: Capabilities,
    timestamp: Option<Vec<u8>>,
    credentials: Option<Credentials>,
    exchange: Option<Exchange>,
    /// The client's first message, where it waits for the server's empty challenge.
    initial: Option<Zeroizing<Vec<u8>>>,
    way: Option<Way>,
    /// The server refused APOP, although its greeting offers it.
    apop_refused: bool,
    /// Exchanges begun: each has a nonce of its own.
    attempts: u32,
}

type Told = Option<LoginEvent>;

impl Login {
    /// A login on a new connection.
    pub fn new(config: LoginConfig) -> Login {
        Login {
            secured: config.secured,
            config,
            state: State::Greeting,
            binding: None,
            capabilities: Capabilities::default(),
            timestamp: None,
            credentials: None,
            exchange: None,
            initial: None,
            way: None,
            apop_refused: false,
            attempts: 0,
        }
    }

    /// What the server said it can do before the user signed in; empty where it has no CAPA.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Whether the server has agreed to the credentials.
    pub fn is_authenticated(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the host is to do a TLS handshake now.
    pub fn awaits_tls(&self) -> bool {
        self.state == State::Handshake
    }

    /// The first line of a connection.
    ///
    /// # Errors
    /// [`Error::Refused`] and [`Error::TryLater`] for an `-ERR`.
    pub fn greeting<P: Copy + From<LoginStep>>(
        &mut self,
        status: &Status<'_>,
        client: &mut Client<P>,
    ) -> Result<Told> {
        if !status.ok {
            return Err(self.turned_away(status));
        }
        self.timestamp = timestamp(status.text).map(<[u8]>::to_vec);
        if self.config.security == Security::StartTls && !self.secured {
            self.state = State::StlsSent;
            client.send(&Command::Stls, LoginStep::Stls.into())?;
            return Ok(None);
        }
        self.ask_capabilities(client)
    }

    fn turned_away(&self, status: &Status<'_>) -> Error {
        let why = status.shown(self.config.limits.server_text);
        match status.code {
            Some(Code::InUse | Code::LoginDelay | Code::SystemTemporary) => {
                Error::TryLater { after_ms: LATER_MS, why }
            }
            _ => Error::Refused(why),
        }
    }

    fn ask_capabilities<P: Copy + From<LoginStep>>(&mut self, client: &mut Client<P>) -> Result<Told> {
        self.state = State::Capa;
        self.capabilities = Capabilities::default();
        client.send(&Command::Capa, LoginStep::Capa.into())?;
        Ok(None)
    }

    /// The host has finished the TLS handshake. What was said before it is forgotten, the greeting's timestamp
    /// excepted, which proves nothing by itself.
    ///
    /// # Errors
    /// [`Error::Misuse`] where no handshake was asked for.
    pub fn tls_started<P: Copy + From<LoginStep>>(
        &mut self,
        binding: Option<ChannelBinding>,
        client: &mut Client<P>,
    ) -> Result<Told> {
        match (self.state, self.config.security) {
            (State::Handshake, _) => {
                self.secured = true;
                self.binding = binding;
                client.begin_anew(&self.config.limits);
                self.ask_capabilities(client)
            }
            // TLS from the first byte: the host only hands in the binding.
            (State::Greeting, Security::Tls) => {
                self.secured = true;
                self.binding = binding;
                Ok(None)
            }
            _ => Err(Error::Misuse("TLS was started where the engine did not ask for it")),
        }
    }

    /// A line of the answer to CAPA.
    pub fn capability(&mut self, line: &[u8]) {
        self.capabilities.add(line);
    }

    /// CAPA is answered, whether with a list or with `-ERR`.
    ///
    /// # Errors
    /// As [`Login::provide`].
    pub fn capabilities_told<P: Copy + From<LoginStep>>(&mut self, client: &mut Client<P>) -> Result<Told> {
        if self.capabilities.has("UTF8") {
            // Messages come as they are then, and not downgraded (RFC 6856 §2.1).
            client.send(&Command::Utf8, LoginStep::Utf8.into())?;
            return Ok(None);
        }
        self.ask_credentials(client)
    }

    fn ask_credentials<P: Copy + From<LoginStep>>(&mut self, client: &mut Client<P>) -> Result<Told> {
        self.state = State::AwaitCredentials;
        if self.credentials.is_some() {
            return self.authenticate(client);
        }
        let mut offered: Vec<String> = self.capabilities.mechanisms().map(str::to_owned).collect();
        if self.timestamp.is_some() {
            offered.push("APOP".into());
        }
        if self.user_allowed() {
            offered.push("USER".into());
        }
        Ok(Some(LoginEvent::NeedCredentials(offered)))
    }

    /// Hands in credentials; they may come before they are asked for.
    ///
    /// # Errors
    /// [`Error::LoginImpossible`] where the connection is not secure or no mechanism fits.
    pub fn provide<P: Copy + From<LoginStep>>(
        &mut self,
        credentials: Credentials,
        client: &mut Client<P>,
    ) -> Result<Told> {
        self.credentials = Some(credentials);
        if self.state == State::AwaitCredentials { self.authenticate(client) } else { Ok(None) }
    }

    /// Tries again what was not possible just then.
    ///
    /// # Errors
    /// As [`Login::provide`].
    pub fn retry<P: Copy + From<LoginStep>>(&mut self, client: &mut Client<P>) -> Result<Told> {
        if self.state != State::NotNow {
            return Ok(None);
        }
        self.state = State::AwaitCredentials;
        self.authenticate(client)
    }

    fn may_send_plaintext(&self) -> bool {
        self.secured || self.config.security == Security::Insecure
    }

    /// A server with CAPA that does not list USER does not take it (RFC 2449 §6.2).
    fn user_allowed(&self) -> bool {
        self.may_send_plaintext() && (self.capabilities.is_empty() || self.capabilities.has("USER"))
    }

    fn authenticate<P: Copy + From<LoginStep>>(&mut self, client: &mut Client<P>) -> Result<Told> {
        // Taken, so that it is wiped with the login's end; put back while the server may still say not now.
        let Some(credentials) = self.credentials.take() else { return Ok(None) };
        if !self.may_send_plaintext() {
            return Err(Error::LoginImpossible("the connection is not secure".into()));
        }
        let way = self.choose(&credentials)?;
        self.state = State::Authenticating;
        self.way = Some(way);
        match (way, &credentials) {
            (Way::Sasl(mechanism), _) => self.start_exchange(mechanism, &credentials, client)?,
            (Way::Apop, Credentials::Password { user, password, .. }) => {
                let stamp = self.timestamp.as_deref().unwrap_or_default();
                let digest = apop_digest(stamp, password);
                let command = Command::Apop { user: user.clone(), digest };
                client.send(&command, LoginStep::Decisive.into())?;
            }
            (Way::UserPass, Credentials::Password { user, .. }) => {
                client.send(&Command::User(user.clone()), LoginStep::User.into())?;
            }
            _ => return Err(Error::Misuse("credentials changed their kind")),
        }
        self.credentials = Some(credentials);
        Ok(None)
    }

    /// The best way that both sides have. Over an encrypted connection APOP comes last: it rests on MD5, and servers
    /// that offer it do not have every user's password in the clear.
    fn choose(&self, credentials: &Credentials) -> Result<Way> {
        let wanted = self.config.mechanism.as_deref();
        let is = |name: &str| wanted.is_some_and(|w| w.eq_ignore_ascii_case(name));
        let password = credentials.kind() == CredentialsKind::Password;
        let apop = self.timestamp.is_some() && password && !self.apop_refused;
        let user = self.user_allowed() && password;
        if is("APOP") && apop {
            return Ok(Way::Apop);
        }
        if is("USER") && user {
            return Ok(Way::UserPass);
        }
        let restrict = match wanted {
            Some(name) if !is("APOP") && !is("USER") => {
                Some(Mechanism::from_name(name).ok_or_else(|| Error::Invalid {
                    what: "mechanism",
                    why: format!("{name} is not known here"),
                })?)
            }
            _ => None,
        };
        let mut offered: Vec<Mechanism> =
            self.capabilities.mechanisms().filter_map(Mechanism::from_name).collect();
        if let Some(only) = restrict {
            // Named by the user: some servers take what they do not list.
            offered = vec![only];
        }
        let free = restrict.is_some() || wanted.is_none();
        let insecure = self.config.security == Security::Insecure;
        let chosen = sasl::choose(
            &offered,
            credentials.kind(),
            self.secured,
            insecure,
            self.binding.as_ref(),
            restrict,
        );
        let chosen = chosen.filter(|_| free);
        match chosen {
            // In the clear a digest is better than the password itself.
            Some(mechanism) if mechanism.is_plaintext() && !self.secured && apop && restrict.is_none() => {
                Ok(Way::Apop)
            }
            Some(mechanism) => Ok(Way::Sasl(mechanism)),
            None if wanted.is_some() => Err(self.impossible()),
            None if !self.secured && apop => Ok(Way::Apop),
            None if user => Ok(Way::UserPass),
            None if apop => Ok(Way::Apop),
            None => Err(self.impossible()),
        }
    }

    fn impossible(&self) -> Error {
        let mut offered: Vec<&str> = self.capabilities.mechanisms().collect();
        if self.timestamp.is_some() {
            offered.push("APOP");
        }
        if self.capabilities.is_empty() || self.capabilities.has("USER") {
            offered.push("USER");
        }
        Error::LoginImpossible(format!(
            "the server offers {}, and none fits the credentials{}",
            if offered.is_empty() { "no mechanism".to_owned() } else { offered.join(", ") },
            if self.secured { "" } else { " on a connection without encryption" },
        ))
    }

    fn start_exchange<P: Copy + From<LoginStep>>(
        &mut self,
        mechanism: Mechanism,
        credentials: &Credentials,
        client: &mut Client<P>,
    ) -> Result<()> {
        let plus = self.capabilities.mechanisms().any(|m| m.to_ascii_uppercase().ends_with("-PLUS"));
        let nonce = self.next_nonce();
        let binding = self.binding.as_ref();
        let exchange = Exchange::new(mechanism, credentials, binding, plus, nonce, &self.config.limits)
            .map_err(sasl_error)?;
        let initial = exchange.initial().map(Zeroizing::new);
        let encoded = initial.as_ref().map(|initial| {
            // An initial response of nothing is said with a sign (RFC 5034 §4).
            if initial.is_empty() { "=".to_owned() } else { STANDARD.encode(initial) }
        });
        let room = LONGEST - "AUTH  \r\n".len() - mechanism.name().len();
        let with_command = encoded.filter(|encoded| encoded.len() <= room);
        self.initial = if with_command.is_some() { None } else { initial };
        self.exchange = Some(exchange);
        let command = Command::Auth { mechanism: mechanism.name(), initial: with_command.map(Secret::new) };
        client.send(&command, LoginStep::Decisive.into())
    }

    /// A nonce that was never used: the host's randomness, and a count.
    fn next_nonce(&mut self) -> [u8; 18] {
        self.attempts += 1;
        if self.attempts == 1 {
            return self.config.nonce;
        }
        let mut hash = Sha256::new();
        hash.update(self.config.nonce);
        hash.update(self.attempts.to_be_bytes());
        *hash.finalize().first_chunk().expect("a SHA-256 has 32 octets")
    }

    /// A challenge, in base64.
    ///
    /// # Errors
    /// [`Error::Protocol`] where none was waited for or it cannot be read; [`Error::LoginImpossible`] where the
    /// server fails to prove itself.
    pub fn challenge<P: Copy>(&mut self, text: &[u8], client: &mut Client<P>) -> Result<()> {
        if let Some(initial) = self.initial.take() {
            client.answer_challenge(STANDARD.encode(&*initial).as_bytes());
            return Ok(());
        }
        let stray = || Error::Protocol("a challenge that nothing waits for".into());
        let exchange = self.exchange.as_mut().ok_or_else(stray)?;
        let challenge =
            decode(text).ok_or_else(|| Error::Protocol("a challenge that is not base64".into()))?;
        match exchange.respond(&challenge) {
            Ok(response) => {
                client.answer_challenge(STANDARD.encode(response).as_bytes());
                Ok(())
            }
            Err(error) => {
                client.answer_challenge(b"*");
                Err(sasl_error(error))
            }
        }
    }

    /// The answer to one of the login's commands.
    ///
    /// # Errors
    /// [`Error::LoginRefused`], [`Error::LoginImpossible`] or [`Error::TryLater`].
    pub fn answer<P: Copy + From<LoginStep>>(
        &mut self,
        step: LoginStep,
        status: &Status<'_>,
        client: &mut Client<P>,
    ) -> Result<Told> {
        match step {
            LoginStep::Stls if status.ok => {
                self.state = State::Handshake;
                Ok(Some(LoginEvent::StartTls))
            }
            LoginStep::Stls => Err(Error::LoginImpossible(format!(
                "the server refuses STLS: {}",
                status.shown(self.config.limits.server_text)
            ))),
            // A server without CAPA (RFC 1939): everything is to be tried.
            LoginStep::Capa => self.capabilities_told(client),
            LoginStep::Utf8 => self.ask_credentials(client),
            LoginStep::User if status.ok => {
                let Some(Credentials::Password { password, .. }) = &self.credentials else {
                    return Err(Error::Misuse("credentials changed their kind"));
                };
                client.send(&Command::Pass(password.clone()), LoginStep::Decisive.into())?;
                Ok(None)
            }
            LoginStep::Decisive if status.ok => {
                if let Some(exchange) = &mut self.exchange {
                    exchange.verify_success().map_err(sasl_error)?;
                }
                self.exchange = None;
                self.credentials = None;
                self.state = State::Done;
                Ok(Some(LoginEvent::Authenticated))
            }
            LoginStep::User | LoginStep::Decisive => self.refused(status, client),
        }
    }

    fn refused<P: Copy + From<LoginStep>>(
        &mut self,
        status: &Status<'_>,
        client: &mut Client<P>,
    ) -> Result<Told> {
        let exchange = self.exchange.take();
        let text = status.shown(self.config.limits.server_text);
        match status.code {
            Some(code @ (Code::InUse | Code::LoginDelay)) => {
                self.state = State::NotNow;
                Ok(Some(LoginEvent::NotNow { code, text }))
            }
            Some(Code::SystemTemporary) => {
                self.credentials = None;
                Err(Error::TryLater { after_ms: LATER_MS, why: text })
            }
            None | Some(Code::Auth)
                if self.way == Some(Way::Apop)
                    && !self.apop_refused
                    && self.config.mechanism.is_none()
                    && self.user_allowed() =>
            {
                // Whoever could take APOP out of a greeting gains nothing by refusing it.
                self.apop_refused = true;
                self.state = State::AwaitCredentials;
                self.authenticate(client)
            }
            _ => {
                self.credentials = None;
                let mut why = match status.code {
                    Some(Code::Auth) => format!("wrong user name or password ({text})"),
                    Some(Code::SystemPermanent) => format!("the administrator must be asked ({text})"),
                    _ => text,
                };
                if let Some(detail) = exchange.as_ref().and_then(Exchange::failure_detail) {
                    why = format!("{why}: {detail}");
                }
                Err(Error::LoginRefused(why))
            }
        }
    }
}

/// How long a host is told to wait where the server says only that it is too early.
const LATER_MS: u64 = 5 * 60_000;

/// A challenge's octets; servers leave an empty one out in several ways.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    if text.is_empty() || text == b"=" {
        return Some(Vec::new());
    }
    STANDARD.decode(text).ok()
}

fn sasl_error(error: sasl::SaslError) -> Error {
    Error::LoginImpossible(error.to_string())
}
