//! Signing in, and ENABLE.

use std::fmt::Write;

use super::super::wire::{Arg, from_base64};
use super::{Answer, Session, State};

impl Session {
    pub(super) fn sign_in(&mut self, user: &str, password: &str) -> Answer {
        let right = {
            let world = self.world.borrow();
            world.user == user && world.password == password
        };
        if !right {
            return Err("NO [AUTHENTICATIONFAILED] wrong name or password".into());
        }
        self.signed_in = true;
        Ok(format!("{}signed in", self.capability_code()))
    }

    pub(super) fn authenticate(&mut self, tag: &str, args: &[Arg]) -> Option<Answer> {
        if !args.first().is_some_and(|m| m.is("PLAIN")) {
            return Some(Err("NO mechanism not known".into()));
        }
        match args.get(1) {
            Some(initial) => {
                if let Err(refused) = self.need("SASL-IR") {
                    return Some(Err(refused));
                }
                Some(self.plain(&initial.bytes()))
            }
            None => {
                self.said.push(b"+ \r\n".to_vec());
                self.state = State::Authenticating(tag.to_owned());
                None
            }
        }
    }

    pub(super) fn plain(&mut self, line: &[u8]) -> Answer {
        let message = from_base64(line).unwrap_or_default();
        let pieces: Vec<String> =
            message.split(|b| *b == 0).map(|p| String::from_utf8_lossy(p).into_owned()).collect();
        match pieces.as_slice() {
            [_, user, password] => self.sign_in(user, password),
            _ => Err("BAD not PLAIN".into()),
        }
    }

    pub(super) fn enable(&mut self, args: &[Arg]) -> Answer {
        self.need("ENABLE")?;
        if self.view.is_some() {
            self.violation("ENABLE in an open mailbox");
        }
        let mut enabled = String::new();
        for word in args.iter().map(|a| a.text().to_ascii_uppercase()) {
            if !self.has(&word) {
                continue;
            }
            self.condstore |= word == "CONDSTORE" || word == "QRESYNC";
            self.qresync |= word == "QRESYNC";
            let _ = write!(enabled, " {word}");
        }
        self.say(format!("* ENABLED{enabled}"));
        Ok("enabled".into())
    }
}
