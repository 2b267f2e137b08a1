//! The AUTHORIZATION state: who somebody is (RFC 1939 §4 and §7, RFC 5034), and how that is kept secret (RFC 2595).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

use super::maildrop::Maildrop;
use super::session::{PopSession, Wait};
use crate::pop3::command::{Command, apop_digest};
use crate::pop3::server::response;
use crate::sasl::server::{ServerExchange, Turn, check_password};
use crate::sasl::{Mechanism, Secret};
use crate::serve::attempts::{FIRST_DELAY_MS, SignIn};
use crate::serve::backend::{Backend, Refusal, Users};
use crate::serve::session::SessionEvent;

/// Said of every proof that fails, whatever is wrong with it.
const WRONG: &str = "-ERR [AUTH] the name or the password is wrong";

/// A greeting's timestamp: a Message-ID that no other greeting has (RFC 1939 §7).
pub(super) fn timestamp(sign_in: &mut SignIn) -> String {
    let unique: String = sign_in.nonce().iter().map(|octet| format!("{octet:02x}")).collect();
    format!("<{unique}@mailkeep>")
}

impl<U: Users> PopSession<U> {
    pub(super) fn authorization(&mut self, command: Command) {
        // PASS counts only right behind USER.
        let named = self.named.take();
        match command {
            Command::User(user) if self.options.takes_passwords() => {
                // There is such a user as far as anybody is told.
                self.named = Some(user);
                self.ok("and the password");
            }
            Command::Pass(password) if self.options.takes_passwords() => match named {
                Some(user) => self.password(user, &password),
                None => self.err("USER comes first"),
            },
            Command::User(_) | Command::Pass(_) => self.err("not without encryption"),
            Command::Apop { user, digest } => self.apop(user, &digest),
            Command::Auth { mechanism, initial } => self.authenticate(mechanism, initial.as_ref()),
            Command::Stls => self.start_tls(),
            Command::Utf8 if self.options.offers_pop_utf8 => {
                self.utf8 = true;
                self.ok("UTF-8 it is");
            }
            Command::Utf8 => self.err("UTF8 is not offered"),
            _ => self.err("sign in first"),
        }
    }

    fn start_tls(&mut self) {
        // A client must not ask for it in UTF8 mode (RFC 6856 §2.1).
        if self.options.secure || !self.options.offers_tls || self.utf8 {
            return self.err("there is no STLS now");
        }
        self.ok("begin TLS");
        self.wait = Wait::Tls;
        self.events.push_back(SessionEvent::StartTls);
    }

    fn password(&mut self, user: String, password: &Secret) {
        let lookup = |user: &str| self.users.verifier(user);
        if check_password(&self.options.decoy, &user, password.expose(), &lookup) {
            self.accept(user);
        } else {
            self.sign_in_failed();
        }
    }

    fn apop(&mut self, user: String, digest: &str) {
        let (Some(secrets), Some(timestamp)) = (self.users.shared_secrets(), &self.timestamp) else {
            return self.err("APOP is not offered");
        };
        let secret = secrets.secret(&user);
        let known = secret.is_some();
        // Somebody that does not exist costs as much as anybody.
        let secret = secret.unwrap_or_else(|| Secret::new(STANDARD.encode(self.options.decoy)));
        let expected = apop_digest(timestamp.as_bytes(), &secret);
        if bool::from(expected.as_bytes().ct_eq(digest.as_bytes())) && known {
            self.accept(user);
        } else {
            self.sign_in_failed();
        }
    }

    fn authenticate(&mut self, mechanism: &str, initial: Option<&Secret>) {
        let offered = self.options.mechanisms(self.binding.is_some());
        let known = Mechanism::from_name(mechanism).filter(|known| offered.contains(known));
        let nonce = self.sign_in.nonce();
        let exchange = known
            .and_then(|known| ServerExchange::new(known, nonce, self.options.decoy, self.binding.clone()));
        let Some(exchange) = exchange else { return self.err("that mechanism is not offered") };
        match initial {
            Some(initial) => self.respond(exchange, initial.expose().as_bytes(), true),
            None => {
                let challenge = exchange.first_challenge();
                self.challenge(exchange, &challenge);
            }
        }
    }

    /// A line that answers a challenge.
    pub(super) fn response(&mut self, exchange: ServerExchange, line: &[u8]) {
        match line {
            b"*" => self.err("taken back"),
            line => self.respond(exchange, line, false),
        }
    }

    fn respond(&mut self, mut exchange: ServerExchange, text: &[u8], initial: bool) {
        let Some(octets) = response(text, initial) else { return self.err("that is no base64") };
        match exchange.respond(&octets, &|user| self.users.verifier(user)) {
            Turn::Challenge(challenge) => self.challenge(exchange, &challenge),
            Turn::Accepted(user) => self.accept(user),
            Turn::Refused => self.sign_in_failed(),
        }
    }

    fn challenge(&mut self, exchange: ServerExchange, challenge: &[u8]) {
        self.line(format_args!("+ {}", STANDARD.encode(challenge)));
        self.wait = Wait::Sasl(Box::new(exchange));
    }

    /// Somebody has proved who it is: on to the TRANSACTION state, where the maildrop can be had.
    fn accept(&mut self, user: String) {
        let most = self.options.limits.listing;
        match self.users.open(&user).and_then(|backend| {
            backend.begin(self.now);
            Maildrop::open(backend, most)
        }) {
            Ok(maildrop) => {
                self.ok(format_args!("welcome, {}", messages(maildrop.count() as u64)));
                self.maildrop = Some(maildrop);
                self.events.push_back(SessionEvent::SignedIn { user });
            }
            Err(Refusal::InUse) => self.not_now("-ERR [IN-USE] another session has this maildrop"),
            Err(refusal) => {
                self.trouble(&refusal);
                self.not_now("-ERR [SYS/TEMP] the mail cannot be had now");
            }
        }
    }

    /// The client may try again; not at once, since each time costs a password's check.
    fn not_now(&mut self, answer: &str) {
        let until = self.now.mono_ms.saturating_add(FIRST_DELAY_MS);
        self.wait = Wait::Delay { until, answer: answer.to_owned() };
    }

    /// The answer waits, longer each time, and says nothing of why.
    fn sign_in_failed(&mut self) {
        let until = self.sign_in.failed(self.now.mono_ms);
        self.events.push_back(SessionEvent::SignInFailed);
        self.wait = Wait::Delay { until, answer: WRONG.to_owned() };
    }

    /// CAPA (RFC 2449 §5), in either state: what can be had now.
    pub(super) fn capabilities(&mut self) {
        self.ok("this can be had");
        for word in ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"] {
            self.line(word);
        }
        if self.options.takes_passwords() {
            self.line("USER");
        }
        let mechanisms = self.options.mechanisms(self.binding.is_some());
        let names: Vec<&str> = mechanisms.into_iter().map(Mechanism::name).collect();
        self.line(format_args!("SASL {}", names.join(" ")));
        if self.options.offers_pop_utf8 {
            self.line("UTF8");
        }
        if self.maildrop.is_some() {
            // Whoever has not signed in need not know which version to attack.
            self.line(concat!("IMPLEMENTATION Mailkeep-", env!("CARGO_PKG_VERSION")));
        } else if self.options.offers_tls && !self.options.secure {
            self.line("STLS");
        }
        self.line(".");
    }
}

/// So many messages, in words.
pub(super) fn messages(count: u64) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}
