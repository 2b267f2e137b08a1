//! The client's side of SASL (RFC 4422), for IMAP and POP3 alike; [`server`] is the other.
//!
//! [`choose`] picks a mechanism, [`Exchange::new`] begins it. Then the session carries octets, without
//! their base64, between server and exchange:
//!
//! 1. [`Exchange::initial`] goes with the command where the server takes it there (`SASL-IR`); it may
//!    just as well wait for the server's first, empty challenge.
//! 2. Each challenge goes to [`Exchange::respond`], and what that returns to the server. At an error,
//!    abort with `*`.
//! 3. At the server's OK, [`Exchange::verify_success`] has the last word: SCRAM proves the server too,
//!    and an OK without that proof is an impostor's. At a NO, [`Exchange::failure_detail`] may say why.
//!
//! Nothing here draws random numbers or reads a clock: the host gives the nonce.

mod credentials;
mod error;
mod mechanism;
mod oauth;
mod prepare;
mod scram;
pub mod server;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use zeroize::Zeroizing;

pub use self::credentials::{ChannelBinding, Credentials, CredentialsKind, Secret};
pub use self::error::{Fault, SaslError};
pub use self::mechanism::{Mechanism, choose};
use self::oauth::{Dialect, OAuth};
pub use self::prepare::{Normalizer, set_normalizer};
use self::scram::{Binding, Hash, Scram};
use crate::limits::Limits;

/// Longest challenge read. The longest honest ones, SCRAM's, have a few hundred octets.
const MAX_CHALLENGE: usize = 16 << 10;

/// One authentication in progress.
pub struct Exchange {
    mechanism: Mechanism,
    /// What the client says first, where it does.
    first: Option<Zeroizing<Vec<u8>>>,
    /// An empty first challenge asks for `first`, even from a server that advertised `SASL-IR` and then
    /// ignored it.
    may_ask_for_first: bool,
    state: State,
}

enum State {
    /// `first` is all there is to say.
    Said,
    /// What is still to be answered, the next one last; the challenges are prompts for people.
    Prompts(Vec<Zeroizing<Vec<u8>>>),
    CramMd5 {
        user: String,
        password: Secret,
    },
    CramMd5Answered,
    Scram(Box<Scram>),
    OAuth(OAuth),
}

impl Exchange {
    /// Begins an exchange.
    ///
    /// `binding` is what the connection has, whether the mechanism uses it or not; `server_offered_plus`
    /// whether the server offered any `-PLUS` mechanism: from both, SCRAM lets an honest server notice
    /// that somebody took the offer away (RFC 5802 §6). `nonce` must be random and never used before.
    ///
    /// # Errors
    ///
    /// [`SaslError::WrongKind`] and [`SaslError::Binding`] where [`choose`] would not have chosen so,
    /// [`SaslError::Unusable`] where a field is empty or cannot be carried.
    pub fn new(
        mechanism: Mechanism,
        credentials: &Credentials,
        binding: Option<&ChannelBinding>,
        server_offered_plus: bool,
        nonce: [u8; 18],
        limits: &Limits,
    ) -> Result<Exchange, SaslError> {
        let scram = |hash| {
            let binding = match binding {
                None if mechanism.is_plus() => return Err(SaslError::Binding),
                Some(binding) if mechanism.is_plus() => Binding::Used(binding),
                Some(_) if !server_offered_plus => Binding::NotOffered,
                _ => Binding::None,
            };
            begin_scram(hash, credentials, &binding, STANDARD.encode(nonce), limits)
        };
        let (first, state) = match mechanism {
            Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => scram(Hash::Sha1)?,
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => scram(Hash::Sha256)?,
            Mechanism::Plain => begin_plain(credentials)?,
            Mechanism::Login => begin_login(credentials)?,
            Mechanism::CramMd5 => begin_cram_md5(credentials)?,
            Mechanism::OAuthBearer => begin_oauth(Dialect::Bearer, credentials, limits)?,
            Mechanism::XOAuth2 => begin_oauth(Dialect::XOAuth2, credentials, limits)?,
            Mechanism::External => begin_external(credentials)?,
            Mechanism::Anonymous => begin_anonymous(credentials)?,
        };
        Ok(Exchange { mechanism, may_ask_for_first: first.is_some(), first, state })
    }

    /// The mechanism.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// What the client says first, possibly nothing (`Some` of no octets). None where the server speaks
    /// first. Secret.
    pub fn initial(&self) -> Option<Vec<u8>> {
        self.first.as_ref().map(|first| first.to_vec())
    }

    /// The answer to a challenge, both without base64. Secret. An empty first challenge is answered with
    /// [`Exchange::initial`].
    ///
    /// # Errors
    ///
    /// A [`SaslError`] when the server misbehaved or refused; the exchange is over.
    pub fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
        if std::mem::take(&mut self.may_ask_for_first)
            && challenge.is_empty()
            && let Some(first) = &self.first
        {
            return Ok(first.to_vec());
        }
        if challenge.len() > MAX_CHALLENGE && !matches!(self.state, State::OAuth(_)) {
            return Err(SaslError::Malformed { what: "challenge" });
        }
        match &mut self.state {
            State::Said | State::CramMd5Answered => Err(SaslError::UnexpectedChallenge),
            State::Prompts(answers) => {
                let mut answer = answers.pop().ok_or(SaslError::UnexpectedChallenge)?;
                Ok(std::mem::take(&mut *answer))
            }
            State::CramMd5 { user, password } => {
                // Without a challenge the answer would be the same each time, and could be looked up.
                if challenge.is_empty() {
                    return Err(SaslError::Malformed { what: "CRAM-MD5 challenge" });
                }
                let answer = cram_md5(user, password.expose(), challenge);
                self.state = State::CramMd5Answered;
                Ok(answer)
            }
            State::Scram(scram) => scram.respond(challenge),
            State::OAuth(oauth) => oauth.respond(challenge),
        }
    }

    /// Whether all is said: only the server's OK or NO may come.
    pub fn is_expecting_nothing_more(&self) -> bool {
        match &self.state {
            State::Said | State::OAuth(_) | State::CramMd5Answered => true,
            State::Prompts(answers) => answers.is_empty(),
            State::CramMd5 { .. } => false,
            State::Scram(scram) => scram.is_verified(),
        }
    }

    /// Whether the server's OK may be believed. Called when it comes.
    ///
    /// # Errors
    ///
    /// [`SaslError::Unverified`] when a SCRAM server has not proved itself, [`SaslError::Unfinished`] when
    /// the exchange was not at its end. Close the connection and store nothing that came over it.
    pub fn verify_success(&self) -> Result<(), SaslError> {
        match &self.state {
            State::Scram(scram) if !scram.is_verified() => Err(SaslError::Unverified),
            State::OAuth(oauth) if oauth.detail().is_some() => Err(SaslError::Unfinished),
            _ if !self.is_expecting_nothing_more() => Err(SaslError::Unfinished),
            _ => Ok(()),
        }
    }

    /// Whether commands may follow an AUTHENTICATE with its initial response in one flight. Not where the
    /// server may ask back: it would take the next command for the answer. A refused OAuth token makes it
    /// ask, and so does any mechanism with a server that ignores initial responses.
    pub fn can_pipeline_behind(&self) -> bool {
        matches!(self.state, State::Said)
    }

    /// Why an OAuth token was refused: the server's JSON (RFC 7628 §3.2.2), bounded, without controls.
    /// Nothing in it is to be trusted or followed.
    pub fn failure_detail(&self) -> Option<&str> {
        match &self.state {
            State::OAuth(oauth) => oauth.detail(),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

type Begun = Result<(Option<Zeroizing<Vec<u8>>>, State), SaslError>;

fn begin_scram(
    hash: Hash,
    credentials: &Credentials,
    binding: &Binding<'_>,
    nonce: String,
    limits: &Limits,
) -> Begun {
    let Credentials::Password { user, authzid, password } = credentials else {
        return Err(SaslError::WrongKind);
    };
    let authzid = authzid.as_deref().map(|name| sayable("authorization name", name)).transpose()?;
    let scram = Scram::new(hash, user, authzid, password.expose(), binding, nonce, limits)?;
    Ok((Some(Zeroizing::new(scram.client_first())), State::Scram(Box::new(scram))))
}

fn begin_plain(credentials: &Credentials) -> Begun {
    let Credentials::Password { user, authzid, password } = credentials else {
        return Err(SaslError::WrongKind);
    };
    let authzid = match authzid {
        Some(name) => sayable("authorization name", name)?,
        None => "",
    };
    let (user, password) = (sayable("user name", user)?, sayable("password", password.expose())?);
    let mut message = Zeroizing::new(Vec::with_capacity(authzid.len() + user.len() + password.len() + 2));
    for piece in [authzid, "\0", user, "\0", password] {
        message.extend_from_slice(piece.as_bytes());
    }
    Ok((Some(message), State::Said))
}

fn begin_login(credentials: &Credentials) -> Begun {
    let (user, password) = name_and_password(credentials)?;
    let octets = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
    Ok((None, State::Prompts(vec![octets(password.expose()), octets(user)])))
}

fn begin_cram_md5(credentials: &Credentials) -> Begun {
    let (user, password) = name_and_password(credentials)?;
    Ok((None, State::CramMd5 { user: user.to_owned(), password: password.clone() }))
}

/// For mechanisms that cannot name another to act as.
fn name_and_password(credentials: &Credentials) -> Result<(&str, &Secret), SaslError> {
    let Credentials::Password { user, authzid, password } = credentials else {
        return Err(SaslError::WrongKind);
    };
    if authzid.is_some() {
        return Err(SaslError::Unusable { field: "authorization name" });
    }
    sayable("password", password.expose())?;
    Ok((sayable("user name", user)?, password))
}

fn begin_oauth(dialect: Dialect, credentials: &Credentials, limits: &Limits) -> Begun {
    let Credentials::OAuth { user, token, host, port } = credentials else {
        return Err(SaslError::WrongKind);
    };
    let message = oauth::message(dialect, user, token.expose(), host, *port)?;
    Ok((Some(message), State::OAuth(OAuth::new(dialect, limits))))
}

fn begin_external(credentials: &Credentials) -> Begun {
    let Credentials::External { authzid } = credentials else { return Err(SaslError::WrongKind) };
    let name = match authzid {
        Some(name) => sayable("authorization name", name)?,
        None => "",
    };
    Ok((Some(Zeroizing::new(name.as_bytes().to_vec())), State::Said))
}

fn begin_anonymous(credentials: &Credentials) -> Begun {
    let Credentials::Anonymous { trace } = credentials else { return Err(SaslError::WrongKind) };
    if trace.chars().count() > 255 || trace.contains(char::is_control) {
        return Err(SaslError::Unusable { field: "trace" });
    }
    Ok((Some(Zeroizing::new(trace.as_bytes().to_vec())), State::Said))
}

/// A NUL would end the field on the way (RFC 4616 §2), and an empty one is none.
fn sayable<'a>(field: &'static str, text: &'a str) -> Result<&'a str, SaslError> {
    if text.is_empty() || text.contains('\0') { Err(SaslError::Unusable { field }) } else { Ok(text) }
}

/// RFC 2195 §2
fn cram_md5(user: &str, password: &str, challenge: &[u8]) -> Vec<u8> {
    let mut mac =
        <Hmac<Md5> as KeyInit>::new_from_slice(password.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(challenge);
    let mut answer = format!("{user} ");
    for octet in mac.finalize().into_bytes() {
        answer.push_str(&format!("{octet:02x}"));
    }
    answer.into_bytes()
}

/// A server's words as text of at most `limit` octets, without controls.
fn shown_text(words: &[u8], limit: usize) -> String {
    // Cut first, so that the work is bounded too; a character cut in two ends as a replacement.
    let cut = &words[..words.len().min(limit)];
    let mut text = String::new();
    for c in String::from_utf8_lossy(cut).chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if text.len() + c.len_utf8() > limit {
            break;
        }
        text.push(c);
    }
    text
}
