//! SCRAM: both sides prove that they know the password, and neither shows it (RFC 5802, RFC 7677).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::credentials::ChannelBinding;
use super::error::SaslError;
use super::prepare::{escape_name, prepare};
use super::shown_text;
use crate::limits::Limits;

/// Fewest iterations accepted. RFC 5802 §5.1 says that servers SHOULD ask for at least 4,096; some older
/// ones ask for fewer, and below this whoever impersonates a server could try passwords too cheaply.
const LEAST_ITERATIONS: u32 = 1_024;

#[derive(Clone, Copy)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

type Digested = Zeroizing<Vec<u8>>;

impl Hash {
    pub(super) fn hmac(self, key: &[u8], message: &[u8]) -> Digested {
        fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Digested {
            let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
            mac.update(message);
            Zeroizing::new(mac.finalize().into_bytes().to_vec())
        }
        match self {
            Hash::Sha1 => mac::<Hmac<Sha1>>(key, message),
            Hash::Sha256 => mac::<Hmac<Sha256>>(key, message),
        }
    }

    pub(super) fn digest(self, data: &[u8]) -> Digested {
        Zeroizing::new(match self {
            Hash::Sha1 => Sha1::digest(data).to_vec(),
            Hash::Sha256 => Sha256::digest(data).to_vec(),
        })
    }

    /// `Hi` (RFC 5802 §2.2)
    pub(super) fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Digested {
        match self {
            Hash::Sha1 => {
                let mut key = Zeroizing::new(vec![0; 20]);
                pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut key);
                key
            }
            Hash::Sha256 => {
                let mut key = Zeroizing::new(vec![0; 32]);
                pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut key);
                key
            }
        }
    }
}

/// Whether and how the exchange is tied to its TLS connection (RFC 5802 §6).
pub(super) enum Binding<'a> {
    /// The client has none (`n`).
    None,
    /// The client has it and the server did not offer it (`y`). If the server did, somebody between took
    /// the offer away, and the server will notice.
    NotOffered,
    /// Used (`p`).
    Used(&'a ChannelBinding),
}

pub(super) struct Scram {
    hash: Hash,
    password: Zeroizing<String>,
    client_nonce: String,
    /// The client-first message is this and [`Scram::bare`].
    gs2_header: String,
    bare: String,
    /// `gs2_header` and the binding's data.
    binding_input: Vec<u8>,
    most_iterations: u32,
    text_limit: usize,
    step: Step,
}

enum Step {
    /// The client-first message is out.
    Begun,
    /// The proof is out; the server's must be this.
    Proved { server_signature: Digested },
    /// The server has proved itself.
    Verified,
    /// An error was given.
    Failed,
}

impl Scram {
    pub(super) fn new(
        hash: Hash,
        user: &str,
        authzid: Option<&str>,
        password: &str,
        binding: &Binding<'_>,
        nonce: String,
        limits: &Limits,
    ) -> Result<Scram, SaslError> {
        let user = prepare("user name", user)?;
        let flag = match binding {
            Binding::None => "n".to_owned(),
            Binding::NotOffered => "y".to_owned(),
            Binding::Used(binding) if binding.is_valid() => format!("p={}", binding.kind),
            Binding::Used(_) => return Err(SaslError::Binding),
        };
        let authzid = authzid.map_or_else(String::new, |name| format!("a={}", escape_name(name)));
        let gs2_header = format!("{flag},{authzid},");
        let mut binding_input = gs2_header.clone().into_bytes();
        if let Binding::Used(binding) = binding {
            binding_input.extend_from_slice(&binding.data);
        }
        Ok(Scram {
            hash,
            password: prepare("password", password)?,
            bare: format!("n={},r={nonce}", escape_name(&user)),
            client_nonce: nonce,
            gs2_header,
            binding_input,
            most_iterations: limits.scram_iterations,
            text_limit: limits.server_text,
            step: Step::Begun,
        })
    }

    pub(super) fn client_first(&self) -> Vec<u8> {
        format!("{}{}", self.gs2_header, self.bare).into_bytes()
    }

    pub(super) fn is_verified(&self) -> bool {
        matches!(self.step, Step::Verified)
    }

    pub(super) fn respond(&mut self, challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
        match std::mem::replace(&mut self.step, Step::Failed) {
            Step::Begun => {
                let (response, server_signature) = self.prove(challenge)?;
                self.step = Step::Proved { server_signature };
                Ok(response)
            }
            Step::Proved { server_signature } => {
                self.verify(challenge, &server_signature)?;
                self.step = Step::Verified;
                Ok(Vec::new())
            }
            Step::Verified | Step::Failed => Err(SaslError::UnexpectedChallenge),
        }
    }

    /// The client-final message, and the signature that the server must answer it with.
    fn prove(&self, challenge: &[u8]) -> Result<(Vec<u8>, Digested), SaslError> {
        let text = self.readable(challenge)?;
        let first = ServerFirst::parse(text)?;
        if !first.nonce.starts_with(&self.client_nonce) || first.nonce.len() == self.client_nonce.len() {
            return Err(SaslError::Nonce);
        }
        let (least, most) = (LEAST_ITERATIONS, self.most_iterations);
        let iterations = u32::try_from(first.iterations).ok().filter(|count| (least..=most).contains(count));
        let Some(iterations) = iterations else {
            return Err(SaslError::Iterations { asked: first.iterations, least, most });
        };

        let without_proof = format!("c={},r={}", STANDARD.encode(&self.binding_input), first.nonce);
        let auth_message = format!("{},{text},{without_proof}", self.bare);
        let salted = self.hash.salted(self.password.as_bytes(), &first.salt, iterations);
        let client_key = self.hash.hmac(&salted, b"Client Key");
        let stored_key = self.hash.digest(&client_key);
        let client_signature = self.hash.hmac(&stored_key, auth_message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(client_signature.iter()).map(|(a, b)| a ^ b).collect();
        let server_key = self.hash.hmac(&salted, b"Server Key");
        let server_signature = self.hash.hmac(&server_key, auth_message.as_bytes());
        Ok((format!("{without_proof},p={}", STANDARD.encode(proof)).into_bytes(), server_signature))
    }

    fn verify(&self, challenge: &[u8], expected: &[u8]) -> Result<(), SaslError> {
        let mut attributes = Attributes(self.readable(challenge)?.split(','));
        let signature = STANDARD.decode(attributes.next_named('v')?);
        attributes.ignore_rest()?;
        match signature {
            Ok(signature) if bool::from(signature.ct_eq(expected)) => Ok(()),
            _ => Err(SaslError::Signature),
        }
    }

    /// A server message as text, unless it is the server's word for why it refuses.
    fn readable<'a>(&self, challenge: &'a [u8]) -> Result<&'a str, SaslError> {
        let text =
            std::str::from_utf8(challenge).map_err(|_| SaslError::Malformed { what: "SCRAM message" })?;
        match text.strip_prefix("e=") {
            Some(reason) => {
                let reason = reason.split(',').next().unwrap_or_default();
                Err(SaslError::Refused { reason: shown_text(reason.as_bytes(), self.text_limit) })
            }
            None => Ok(text),
        }
    }
}

struct ServerFirst<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: u64,
}

impl<'a> ServerFirst<'a> {
    fn parse(text: &'a str) -> Result<ServerFirst<'a>, SaslError> {
        let mut attributes = Attributes(text.split(','));
        let nonce = attributes.next_named('r')?;
        if !nonce.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(SaslError::Malformed { what: "SCRAM nonce" });
        }
        let salt = STANDARD.decode(attributes.next_named('s')?).ok().filter(|salt| !salt.is_empty());
        let salt = salt.ok_or(SaslError::Malformed { what: "SCRAM salt" })?;
        let count = attributes.next_named('i')?;
        if count.is_empty() || count.starts_with('0') || !count.bytes().all(|b| b.is_ascii_digit()) {
            return Err(SaslError::Malformed { what: "SCRAM iteration count" });
        }
        attributes.ignore_rest()?;
        // Digits alone fail to parse only when they are too many.
        Ok(ServerFirst { nonce, salt, iterations: count.parse().unwrap_or(u64::MAX) })
    }
}

/// The attributes of a server message, in the order that RFC 5802 §7 fixes.
struct Attributes<'a>(std::str::Split<'a, char>);

impl<'a> Attributes<'a> {
    fn next(&mut self) -> Result<Option<(char, &'a str)>, SaslError> {
        let Some(attribute) = self.0.next() else { return Ok(None) };
        let mut chars = attribute.chars();
        match (chars.next(), chars.next()) {
            (Some('m'), Some('=')) => Err(SaslError::MandatoryExtension),
            (Some(name), Some('=')) if name.is_ascii_alphabetic() => Ok(Some((name, chars.as_str()))),
            _ => Err(SaslError::Malformed { what: "SCRAM message" }),
        }
    }

    fn next_named(&mut self, wanted: char) -> Result<&'a str, SaslError> {
        match self.next()? {
            Some((name, value)) if name == wanted => Ok(value),
            _ => Err(SaslError::Malformed { what: "SCRAM message" }),
        }
    }

    /// Optional extensions, which may be ignored.
    fn ignore_rest(&mut self) -> Result<(), SaslError> {
        while self.next()?.is_some() {}
        Ok(())
    }
}
