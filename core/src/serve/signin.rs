//! Signing in: LOGIN, AUTHENTICATE, STARTTLS, and what failed attempts cost (RFC 9051 §6.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::{Answer, AnswerCode, Outcome};
use super::backend::{Backend, Refusal, Users};
use super::session::{Session, SessionEvent, Wait};
use crate::imap::server::response::{PlainCode, Response};
use crate::sasl::Mechanism;
use crate::sasl::server::{ServerExchange, Turn, check_password};

impl<U: Users> Session<U> {
    /// The mechanisms that can be used now.
    pub(super) fn mechanisms(&self) -> Vec<Mechanism> {
        self.options.mechanisms(self.binding.is_some())
    }

    pub(super) fn start_tls(&mut self) -> Outcome {
        if self.user.is_some() || self.options.secure || !self.options.offers_tls {
            return Err(Answer::bad("there is no STARTTLS now"));
        }
        self.wait = Wait::Tls;
        self.events.push_back(SessionEvent::StartTls);
        Ok(Answer::ok("begin TLS"))
    }

    pub(super) fn login(&mut self, tag: &str, user: &[u8], password: &[u8]) {
        if !self.options.secure && !self.options.allow_insecure {
            return self.answer(tag, &Answer::no(PlainCode::PrivacyRequired, "not without encryption"));
        }
        let (Ok(user), Ok(password)) = (std::str::from_utf8(user), std::str::from_utf8(password)) else {
            return self.sign_in_failed(tag);
        };
        let lookup = |user: &str| self.users.verifier(user);
        if check_password(&self.options.decoy, user, password, &lookup) {
            self.accept(tag, user.to_owned());
        } else {
            self.sign_in_failed(tag);
        }
    }

    pub(super) fn authenticate(&mut self, tag: &str, mechanism: &str, initial: Option<&[u8]>) {
        let known = Mechanism::from_name(mechanism).filter(|known| self.mechanisms().contains(known));
        let nonce = self.sign_in.nonce();
        let exchange = known
            .and_then(|known| ServerExchange::new(known, nonce, self.options.decoy, self.binding.clone()));
        let Some(mut exchange) = exchange else {
            return self.answer(tag, &Answer::no(PlainCode::Cannot, "that mechanism is not offered"));
        };
        match initial {
            Some(initial) => {
                let turn = exchange.respond(initial, &|user| self.users.verifier(user));
                self.turn(tag, exchange, turn);
            }
            None => {
                let challenge = exchange.first_challenge();
                self.turn(tag, exchange, Turn::Challenge(challenge));
            }
        }
    }

    /// A line that answers a challenge.
    pub(super) fn sasl_line(&mut self, tag: String, mut exchange: ServerExchange, line: &[u8]) {
        if line == b"*" {
            return self.answer(&tag, &Answer::bad("taken back"));
        }
        let Ok(response) = STANDARD.decode(line) else {
            return self.answer(&tag, &Answer::bad("that is no base64"));
        };
        let turn = exchange.respond(&response, &|user| self.users.verifier(user));
        self.turn(&tag, exchange, turn);
    }

    fn turn(&mut self, tag: &str, exchange: ServerExchange, turn: Turn) {
        match turn {
            Turn::Challenge(challenge) => {
                self.put(&Response::Challenge(&challenge));
                self.wait = Wait::Sasl { tag: tag.to_owned(), exchange: Box::new(exchange) };
            }
            Turn::Accepted(user) => self.accept(tag, user),
            Turn::Refused => self.sign_in_failed(tag),
        }
    }

    fn accept(&mut self, tag: &str, user: String) {
        match self.users.open(&user) {
            Ok(backend) => {
                backend.begin(self.now);
                self.signed_in(backend, user);
                let words = self.capabilities();
                self.answer(tag, &Answer::ok("welcome").with(AnswerCode::Capability(words)));
            }
            Err(refusal) => {
                if let Refusal::Failed(text) = &refusal {
                    self.events.push_back(SessionEvent::Trouble { text: text.clone() });
                }
                self.answer(tag, &Answer::no(PlainCode::Unavailable, "the mail cannot be had now"));
            }
        }
    }

    /// The answer waits, longer each time, and says nothing of why.
    fn sign_in_failed(&mut self, tag: &str) {
        let until = self.sign_in.failed(self.now.mono_ms);
        self.events.push_back(SessionEvent::SignInFailed);
        let answer = Answer::no(PlainCode::AuthenticationFailed, "the name or the password is wrong");
        self.wait = Wait::Delay { until, tag: tag.to_owned(), answer };
    }
}
