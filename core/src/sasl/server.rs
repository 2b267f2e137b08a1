//! The server's side of SASL: who somebody is, without keeping a password (RFC 4422, RFC 4616, RFC 5802).
//!
//! A [`Verifier`] is all that is kept of a password: salted keys for SCRAM, against which a password given in
//! the clear can be checked as well. For a user that is not known a [decoy](Verifier::decoy) goes through the
//! same motions, so that neither the answers nor the work tell who exists.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::credentials::ChannelBinding;
use super::error::SaslError;
use super::mechanism::Mechanism;
use super::prepare::prepare;
use super::scram::Hash;

/// Longest response taken.
const MAX_RESPONSE: usize = 16 << 10;

/// What a server keeps of a password (RFC 5802 §3). It suffices to check one, not to be one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifier {
    salt: Vec<u8>,
    iterations: u32,
    sha1: Keys,
    sha256: Keys,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Keys {
    stored: Vec<u8>,
    server: Vec<u8>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl Verifier {
    /// Iterations that are asked of a client unless the host says otherwise (RFC 7677 §4).
    pub const ITERATIONS: u32 = 4_096;

    /// From a new password. `salt` must be random.
    ///
    /// # Errors
    /// [`SaslError::Unusable`] for a password that no prepared string may be.
    pub fn new(password: &str, salt: [u8; 16], iterations: u32) -> Result<Verifier, SaslError> {
        let password = prepare("password", password)?;
        Ok(Verifier::derive(&password, &salt, iterations.max(1)))
    }

    /// For a user that is not known: the same each time, made of the server's own secret, and fitting no
    /// password.
    pub fn decoy(secret: &[u8; 32], user: &str) -> Verifier {
        let digest = Hash::Sha256.hmac(secret, user.as_bytes());
        let other = Hash::Sha256.hmac(secret, &digest);
        let keys = || Keys { stored: other.to_vec(), server: digest.to_vec() };
        Verifier {
            salt: digest[..16].to_vec(),
            iterations: Verifier::ITERATIONS,
            sha1: keys(),
            sha256: keys(),
        }
    }

    fn derive(password: &str, salt: &[u8], iterations: u32) -> Verifier {
        let keys = |hash: Hash| {
            let salted = hash.salted(password.as_bytes(), salt, iterations);
            let client = hash.hmac(&salted, b"Client Key");
            Keys { stored: hash.digest(&client).to_vec(), server: hash.hmac(&salted, b"Server Key").to_vec() }
        };
        let (sha1, sha256) = (keys(Hash::Sha1), keys(Hash::Sha256));
        Verifier { salt: salt.to_vec(), iterations, sha1, sha256 }
    }

    /// Whether this is the password. Takes as long whether it is or not.
    pub fn is_password(&self, password: &str) -> bool {
        // An unusable password costs what any other does.
        let prepared = prepare("password", password);
        let text = prepared.as_ref().map_or("", |text| text.as_str());
        let salted = Hash::Sha256.salted(text.as_bytes(), &self.salt, self.iterations);
        let client = Hash::Sha256.hmac(&salted, b"Client Key");
        let stored = Hash::Sha256.digest(&client);
        bool::from(stored.ct_eq(&self.sha256.stored)) && prepared.is_ok()
    }

    fn keys(&self, hash: Hash) -> &Keys {
        match hash {
            Hash::Sha1 => &self.sha1,
            Hash::Sha256 => &self.sha256,
        }
    }
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Send this, without base64 yet, and give the answer to [`ServerExchange::respond`].
    Challenge(Vec<u8>),
    /// It is this user.
    Accepted(String),
    /// It is not; why is nobody's business but the log's.
    Refused,
}

/// One authentication as the server sees it.
pub struct ServerExchange {
    nonce: String,
    decoy: [u8; 32],
    binding: Option<ChannelBinding>,
    mechanism: Mechanism,
    state: State,
}

enum State {
    Plain,
    LoginUser,
    LoginPassword(String),
    ScramFirst(Hash),
    ScramFinal(Box<Proof>),
    /// The server's proof is out; an empty answer ends the exchange.
    Proved(String),
    Over,
}

/// What a SCRAM proof is checked against.
struct Proof {
    hash: Hash,
    user: String,
    verifier: Verifier,
    /// The beginning of AuthMessage, and what must stand in the client's last message.
    messages: String,
    binding_input: Vec<u8>,
    nonce: String,
    known: bool,
}

impl ServerExchange {
    /// Begins an exchange; `None` for a mechanism that is not offered. `nonce` must be random and never used
    /// before; `decoy` is the server's own secret, the same for all exchanges.
    pub fn new(
        mechanism: Mechanism,
        nonce: [u8; 18],
        decoy: [u8; 32],
        binding: Option<ChannelBinding>,
    ) -> Option<ServerExchange> {
        let state = match mechanism {
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::LoginUser,
            Mechanism::ScramSha1 => State::ScramFirst(Hash::Sha1),
            Mechanism::ScramSha256 => State::ScramFirst(Hash::Sha256),
            Mechanism::ScramSha1Plus if binding.is_some() => State::ScramFirst(Hash::Sha1),
            Mechanism::ScramSha256Plus if binding.is_some() => State::ScramFirst(Hash::Sha256),
            _ => return None,
        };
        Some(ServerExchange { nonce: STANDARD.encode(nonce), decoy, binding, mechanism, state })
    }

    /// What to send where the client gave no initial response (RFC 4959).
    pub fn first_challenge(&self) -> Vec<u8> {
        match self.state {
            State::LoginUser => b"Username:".to_vec(),
            _ => Vec::new(),
        }
    }

    /// Takes the client's response, base64 undone. `lookup` gives what is kept of a user's password.
    pub fn respond(&mut self, response: &[u8], lookup: &dyn Fn(&str) -> Option<Verifier>) -> Turn {
        if response.len() > MAX_RESPONSE {
            self.state = State::Over;
            return Turn::Refused;
        }
        self.step(response, lookup).unwrap_or(Turn::Refused)
    }

    /// `None` where the client is refused.
    fn step(&mut self, response: &[u8], lookup: &dyn Fn(&str) -> Option<Verifier>) -> Option<Turn> {
        let text = std::str::from_utf8(response);
        match std::mem::replace(&mut self.state, State::Over) {
            State::Plain => {
                let mut pieces = text.ok()?.split('\0');
                let (authzid, user, password) = (pieces.next()?, pieces.next()?, pieces.next()?);
                let whole = pieces.next().is_none() && (authzid.is_empty() || authzid == user);
                let right = self.check(user, password, lookup);
                (whole && right).then(|| Turn::Accepted(user.to_owned()))
            }
            State::LoginUser => {
                self.state = State::LoginPassword(text.ok()?.to_owned());
                Some(Turn::Challenge(b"Password:".to_vec()))
            }
            State::LoginPassword(user) => {
                self.check(&user, text.ok()?, lookup).then_some(Turn::Accepted(user))
            }
            State::ScramFirst(hash) => self.scram_first(hash, text.ok()?, lookup),
            State::ScramFinal(proof) => {
                let signature = proof.check(text.ok()?)?;
                self.state = State::Proved(proof.user);
                Some(Turn::Challenge(format!("v={}", STANDARD.encode(signature)).into_bytes()))
            }
            State::Proved(user) => response.is_empty().then_some(Turn::Accepted(user)),
            State::Over => None,
        }
    }

    /// Checks a password given in the clear; a user that is not known costs as much as one that is.
    pub(crate) fn check(
        &self,
        user: &str,
        password: &str,
        lookup: &dyn Fn(&str) -> Option<Verifier>,
    ) -> bool {
        check_password(&self.decoy, user, password, lookup)
    }

    /// `gs2-header n=user,r=nonce` (RFC 5802 §7).
    fn scram_first(
        &mut self,
        hash: Hash,
        text: &str,
        lookup: &dyn Fn(&str) -> Option<Verifier>,
    ) -> Option<Turn> {
        let (flag, rest) = text.split_once(',')?;
        let (authzid, bare) = rest.split_once(',')?;
        let mut binding_input = format!("{flag},{authzid},").into_bytes();
        match flag {
            "n" if !self.mechanism.is_plus() => {}
            // The client could have bound, and believes that this server cannot: where it can, somebody
            // between them took the offer away (RFC 5802 §6).
            "y" if !self.mechanism.is_plus() && self.binding.is_none() => {}
            _ => {
                let kind = flag.strip_prefix("p=").filter(|_| self.mechanism.is_plus())?;
                let binding = self.binding.as_ref().filter(|binding| binding.kind == kind)?;
                binding_input.extend_from_slice(&binding.data);
            }
        }
        let mut attributes = bare.split(',');
        let user = unescape_name(attributes.next()?.strip_prefix("n=")?)?;
        let client_nonce = attributes.next()?.strip_prefix("r=")?;
        if client_nonce.is_empty() || !client_nonce.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let authzid = match authzid {
            "" => None,
            named => Some(unescape_name(named.strip_prefix("a=")?)?),
        };
        if authzid.is_some_and(|authzid| authzid != user) {
            return None;
        }
        let found = lookup(&user);
        let known = found.is_some();
        let verifier = found.unwrap_or_else(|| Verifier::decoy(&self.decoy, &user));
        let nonce = format!("{client_nonce}{}", self.nonce);
        let server_first =
            format!("r={nonce},s={},i={}", STANDARD.encode(&verifier.salt), verifier.iterations);
        let messages = format!("{bare},{server_first}");
        self.state = State::ScramFinal(Box::new(Proof {
            hash,
            user,
            verifier,
            messages,
            binding_input,
            nonce,
            known,
        }));
        Some(Turn::Challenge(server_first.into_bytes()))
    }
}

/// Whether a password given in the clear is a user's.
pub(crate) fn check_password(
    decoy: &[u8; 32],
    user: &str,
    password: &str,
    lookup: &dyn Fn(&str) -> Option<Verifier>,
) -> bool {
    let found = lookup(user);
    let known = found.is_some();
    let verifier = found.unwrap_or_else(|| Verifier::decoy(decoy, user));
    verifier.is_password(password) && known
}

impl Proof {
    /// The server's signature, if the client's proof is right.
    fn check(&self, text: &str) -> Option<Vec<u8>> {
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let binding = STANDARD.decode(attributes.next()?.strip_prefix("c=")?).ok()?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        let proof = STANDARD.decode(proof).ok()?;
        let auth_message = format!("{},{without_proof}", self.messages);
        let keys = self.verifier.keys(self.hash);
        let signature = self.hash.hmac(&keys.stored, auth_message.as_bytes());
        let client_key: Zeroizing<Vec<u8>> =
            Zeroizing::new(proof.iter().zip(signature.iter()).map(|(a, b)| a ^ b).collect());
        let right = bool::from(self.hash.digest(&client_key).ct_eq(&keys.stored));
        let whole = proof.len() == signature.len() && binding == self.binding_input && nonce == self.nonce;
        (right && whole && self.known).then(|| self.hash.hmac(&keys.server, auth_message.as_bytes()).to_vec())
    }
}

/// A `saslname` (RFC 5802 §5.1): `=2C` and `=3D` are all that may be escaped.
fn unescape_name(name: &str) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('=') {
        out.push_str(&rest[..at]);
        out.push(match rest.get(at..at + 3)? {
            "=2C" => ',',
            "=3D" => '=',
            _ => return None,
        });
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::sasl::{Credentials, Exchange, Secret};

    fn verifier() -> Verifier {
        Verifier::new("pencil", *b"0123456789abcdef", 4_096).expect("a password")
    }

    fn lookup(user: &str) -> Option<Verifier> {
        matches!(user, "ann" | "o=n,e").then(verifier)
    }

    /// The project's client against the project's server.
    fn run(mechanism: Mechanism, user: &str, password: &str, binding: Option<ChannelBinding>) -> Turn {
        let credentials =
            Credentials::Password { user: user.into(), authzid: None, password: Secret::new(password) };
        let mut client = Exchange::new(
            mechanism,
            &credentials,
            binding.as_ref(),
            binding.is_some(),
            [1; 18],
            &Limits::DEFAULT,
        )
        .expect("it can begin");
        let mut server = ServerExchange::new(mechanism, [2; 18], [3; 32], binding).expect("it is offered");
        let mut response = match client.initial() {
            Some(initial) => initial,
            None => client.respond(&server.first_challenge()).expect("an answer"),
        };
        loop {
            match server.respond(&response, &lookup) {
                Turn::Challenge(challenge) => match client.respond(&challenge) {
                    Ok(next) => response = next,
                    Err(error) => panic!("the client refuses: {error}"),
                },
                Turn::Accepted(user) => {
                    client.verify_success().expect("the server has proved itself");
                    return Turn::Accepted(user);
                }
                Turn::Refused => return Turn::Refused,
            }
        }
    }

    #[test]
    fn client_and_server_agree() {
        use Mechanism::*;
        let binding = ChannelBinding { kind: "tls-exporter".into(), data: vec![7; 32] };
        for (mechanism, binding) in [
            (Plain, None),
            (Login, None),
            (ScramSha1, None),
            (ScramSha256, None),
            (ScramSha1Plus, Some(binding.clone())),
            (ScramSha256Plus, Some(binding)),
        ] {
            for user in ["ann", "o=n,e"] {
                let turn = run(mechanism, user, "pencil", binding.clone());
                assert_eq!(turn, Turn::Accepted(user.into()), "{mechanism:?}");
                assert_eq!(run(mechanism, user, "pencils", binding.clone()), Turn::Refused);
            }
            assert_eq!(run(mechanism, "bob", "pencil", binding.clone()), Turn::Refused);
        }
        assert!(ServerExchange::new(ScramSha256Plus, [0; 18], [0; 32], None).is_none());
        assert!(ServerExchange::new(CramMd5, [0; 18], [0; 32], None).is_none());
    }

    #[test]
    fn rfc_7677_keys() {
        let salt: [u8; 16] = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let verifier = Verifier::new("pencil", salt, 4_096).unwrap();
        let mut server = ServerExchange::new(Mechanism::ScramSha256, [0; 18], [0; 32], None).unwrap();
        server.nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".into();
        let lookup = |_: &str| Some(verifier.clone());
        let first = server.respond(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", &lookup);
        let Turn::Challenge(challenge) = first else { panic!("{first:?}") };
        assert_eq!(
            String::from_utf8(challenge).unwrap(),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let proof = server.respond(last.as_bytes(), &lookup);
        assert_eq!(proof, Turn::Challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".to_vec()));
        assert_eq!(server.respond(b"", &lookup), Turn::Accepted("user".into()));
        assert_eq!(server.respond(b"", &lookup), Turn::Refused);
    }

    #[test]
    fn nothing_tells_who_exists() {
        let challenge = |user: &str| {
            let mut server = ServerExchange::new(Mechanism::ScramSha256, [2; 18], [3; 32], None).unwrap();
            match server.respond(format!("n,,n={user},r=abc").as_bytes(), &lookup) {
                Turn::Challenge(challenge) => String::from_utf8(challenge).unwrap(),
                other => panic!("{other:?}"),
            }
        };
        let (known, unknown) = (challenge("ann"), challenge("bob"));
        assert_eq!(known.len(), unknown.len());
        assert_eq!(unknown, challenge("bob"));
        assert_ne!(unknown, challenge("eve"));
    }

    #[test]
    fn what_is_refused() {
        let binding = || Some(ChannelBinding { kind: "tls-exporter".into(), data: vec![7] });
        let first = |mechanism, binding, text: &[u8]| {
            ServerExchange::new(mechanism, [2; 18], [3; 32], binding).unwrap().respond(text, &lookup)
        };
        use Mechanism::*;
        for text in [
            &b""[..],
            b"\0ann",
            b"\0ann\0pencil\0",
            b"bob\0ann\0pencil",
            b"\0\xff\0pencil",
            &[b'x'; MAX_RESPONSE + 1],
        ] {
            assert_eq!(first(Plain, None, text), Turn::Refused);
        }
        for text in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,n=ann",
            "n,,n=ann,r=",
            "n,,n=a=2n,r=x",
            "n,a=bob,n=ann,r=x",
            "n,x,n=ann,r=x",
            "p=tls-exporter,,n=ann,r=x",
            "m,,n=ann,r=x",
        ] {
            assert_eq!(first(ScramSha256, None, text.as_bytes()), Turn::Refused, "{text}");
        }
        // Somebody took the offer of -PLUS away.
        assert_eq!(first(ScramSha256, binding(), b"y,,n=ann,r=x"), Turn::Refused);
        assert_eq!(first(ScramSha256Plus, binding(), b"n,,n=ann,r=x"), Turn::Refused);
        assert_eq!(first(ScramSha256Plus, binding(), b"p=tls-unique,,n=ann,r=x"), Turn::Refused);
        assert_eq!(first(Plain, None, b"ann\0ann\0pencil"), Turn::Accepted("ann".into()));
        assert!(Verifier::new("", [0; 16], 1).is_err());
        assert!(!Verifier::decoy(&[0; 32], "ann").is_password(""));
        assert_eq!(format!("{:?}", verifier()), "Verifier { iterations: 4096, .. }");
    }
}
