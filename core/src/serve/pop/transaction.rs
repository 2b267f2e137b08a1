//! The TRANSACTION state, and UPDATE behind it (RFC 1939 §5 and §6).

use super::maildrop::{GONE, Maildrop};
use super::sending::{Sending, has_ascii_header};
use super::session::PopSession;
use super::signin::messages;
use crate::pop3::command::Command;
use crate::serve::backend::{Refusal, Users};

/// A command's answer: what stands behind `+OK`, or behind `-ERR`.
type Outcome = Result<String, Refused>;

/// Why a command is answered `-ERR`.
enum Refused {
    /// What the client is told.
    Client(&'static str),
    /// The store failed.
    Store(Refusal),
}

impl From<&'static str> for Refused {
    fn from(text: &'static str) -> Refused {
        Refused::Client(text)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused::Store(refusal)
    }
}

impl<U: Users> PopSession<U> {
    pub(super) fn transaction(&mut self, command: &Command) {
        match self.outcome(command) {
            Ok(text) => self.ok(text),
            Err(Refused::Client(text)) => self.err(text),
            Err(Refused::Store(refusal)) => {
                self.trouble(&refusal);
                self.err("[SYS/TEMP] the store failed; try again later");
            }
        }
    }

    fn outcome(&mut self, command: &Command) -> Outcome {
        let maildrop = self.maildrop.as_mut().ok_or("sign in first")?;
        match *command {
            Command::Stat => {
                maildrop.totals().map(|(count, octets)| format!("{count} {octets}")).map_err(Into::into)
            }
            Command::List(Some(number)) => {
                let place = maildrop.place(number)?;
                let size = maildrop.size(place)?.ok_or(GONE)?;
                Ok(format!("{number} {size}"))
            }
            Command::Uidl(Some(number)) => {
                let place = maildrop.place(number)?;
                Ok(format!("{number} {}", maildrop.unique_id(place)))
            }
            Command::List(None) => {
                self.sending = Some(Sending::Sizes(0));
                Ok(messages(maildrop.count() as u64))
            }
            Command::Uidl(None) => {
                self.sending = Some(Sending::Ids(0));
                Ok(messages(maildrop.count() as u64))
            }
            Command::Retr(number) => self.retrieve(number, None),
            Command::Top { message, lines } => self.retrieve(message, Some(lines)),
            Command::Dele(number) => {
                let place = maildrop.place(number)?;
                maildrop.delete(place);
                Ok(format!("message {number} is removed at QUIT"))
            }
            Command::Rset => {
                maildrop.reset();
                Ok(messages(maildrop.count() as u64))
            }
            Command::Noop => Ok("still here".to_owned()),
            _ => Err("somebody is signed in already".into()),
        }
    }

    /// RETR, and with `lines` TOP.
    fn retrieve(&mut self, number: u32, lines: Option<u32>) -> Outcome {
        let maildrop = self.maildrop.as_mut().ok_or("sign in first")?;
        let place = maildrop.place(number)?;
        let size = maildrop.size(place)?.ok_or(GONE)?;
        let (content, len) = maildrop.content(place)?.ok_or(GONE)?;
        if self.options.offers_pop_utf8 && !self.utf8 && !has_ascii_header(&maildrop.backend, &content, len)?
        {
            return Err("[UTF8] that message is for clients in UTF8 mode".into());
        }
        self.sending = Some(Sending::text(content, len, lines));
        Ok(match lines {
            None => format!("{size} octets"),
            Some(lines) => format!("the header and {lines} lines"),
        })
    }

    /// QUIT, in either state.
    pub(super) fn quit(&mut self) {
        let Some(update) = self.maildrop.take().map(Maildrop::update) else {
            self.ok("good bye");
            return self.close();
        };
        if let Some(refusal) = &update.trouble {
            self.trouble(refusal);
        }
        let wanted = messages(update.wanted);
        match update.left {
            0 => self.ok(format_args!("good bye, {wanted} removed")),
            left => self.err(format_args!("[SYS/TEMP] {left} of {wanted} could not be removed")),
        }
        self.close();
    }
}
