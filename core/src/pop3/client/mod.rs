//! The client's half of a POP3 connection: commands out, answers in, each with what it was for.
//!
//! POP3 has no tags: answers come in the order of the commands (RFC 2449 §6.6), and what follows a `+OK`
//! is known from the command alone.

pub mod login;

use std::collections::VecDeque;

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::pop3::command::{Answer, Command};
use crate::pop3::response::{self, Status};
use crate::wire::{DotFramer, DotPiece};

/// Commands on their way, and the answers to them. `P` says what a command is for.
pub struct Client<P> {
    framer: DotFramer,
    out: Vec<u8>,
    in_flight: VecDeque<(Answer, P)>,
    /// The first in flight was agreed to, and what follows is coming in.
    inside: bool,
    /// What the framer is to be told before it goes on.
    begins: Option<Answer>,
    greeted: bool,
    commands: u64,
    listing: usize,
    /// Lines of the list that is coming in.
    lines: usize,
}

/// What came from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a, P> {
    /// The first line of a connection.
    Greeting(Status<'a>),
    /// The whole answer to a command, or the `-ERR` to any.
    Answer(P, Status<'a>),
    /// A challenge in an authentication exchange, in base64.
    Challenge(P, &'a [u8]),
    /// The `+OK` that a list or text follows.
    Begins(P, Status<'a>),
    /// A line of the list.
    Line(P, &'a [u8]),
    /// Octets of the text.
    Text(P, &'a [u8]),
    /// The list or text is complete, and with it the answer.
    Ends(P),
}

impl<P: Copy> Client<P> {
    /// At the start of a connection whose greeting has been taken; see [`Client::greeted_later`].
    pub fn new(limits: &Limits) -> Client<P> {
        Client { greeted: true, ..Client::greeted_later(limits) }
    }

    /// At the very start of a connection: the first line is the greeting.
    pub fn greeted_later(limits: &Limits) -> Client<P> {
        Client {
            framer: DotFramer::new(limits),
            out: Vec::new(),
            in_flight: VecDeque::new(),
            inside: false,
            begins: None,
            greeted: false,
            commands: 0,
            listing: limits.listing,
            lines: 0,
        }
    }

    /// TLS began: what was held of the stream before is forgotten.
    pub fn begin_anew(&mut self, limits: &Limits) {
        self.framer = DotFramer::new(limits);
    }

    /// Sends a command.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a value cannot be said in the protocol; nothing is sent then.
    pub fn send(&mut self, command: &Command, purpose: P) -> Result<()> {
        let before = self.out.len();
        if let Err(error) = command.write(&mut self.out) {
            self.out.truncate(before);
            return Err(error);
        }
        self.commands += 1;
        self.in_flight.push_back((command.answer(), purpose));
        Ok(())
    }

    /// Sends the answer to a challenge, which is in base64 already.
    pub fn answer_challenge(&mut self, response: &[u8]) {
        self.out.extend_from_slice(response);
        self.out.extend_from_slice(b"\r\n");
    }

    /// Takes bytes off the front of `input` and says what they were; `None` when more must come.
    ///
    /// # Errors
    /// [`Error::Protocol`] where the bytes are no answer to what was asked, or pass a bound. The
    /// connection is of no more use.
    pub fn next<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Result<Option<Heard<'s, P>>> {
        match self.begins.take() {
            Some(Answer::Lines) => self.framer.begin_lines(),
            Some(_) => self.framer.begin_text(),
            None => {}
        }
        let piece = match self.framer.next(input) {
            Ok(Some(piece)) => piece,
            Ok(None) => return Ok(None),
            Err(error) => return Err(Error::Protocol(error.to_string())),
        };
        let front = self.in_flight.front().copied();
        match (piece, front) {
            (DotPiece::Line(line), Some((_, purpose))) if self.inside => {
                self.lines += 1;
                if self.lines > self.listing {
                    return Err(Error::Protocol(format!("a list of more than {} lines", self.listing)));
                }
                Ok(Some(Heard::Line(purpose, line)))
            }
            (DotPiece::Text(octets), Some((_, purpose))) => Ok(Some(Heard::Text(purpose, octets))),
            (DotPiece::End, Some((_, purpose))) => {
                self.inside = false;
                self.in_flight.pop_front();
                Ok(Some(Heard::Ends(purpose)))
            }
            (DotPiece::Line(line), front) => {
                if !self.greeted {
                    self.greeted = true;
                    let greeting = Status::parse(line);
                    return greeting
                        .map(|s| Some(Heard::Greeting(s)))
                        .ok_or_else(|| Error::Protocol("the first line is no greeting of POP3".into()));
                }
                let Some((answer, purpose)) = front else {
                    return Err(Error::Protocol("an answer to a command that was never sent".into()));
                };
                let Some(status) = Status::parse(line) else {
                    return match response::challenge(line) {
                        Some(challenge) if answer == Answer::Exchange => {
                            Ok(Some(Heard::Challenge(purpose, challenge)))
                        }
                        _ => Err(Error::Protocol("an answer that is neither +OK nor -ERR".into())),
                    };
                };
                if status.ok && matches!(answer, Answer::Lines | Answer::Text) {
                    self.inside = true;
                    self.begins = Some(answer);
                    self.lines = 0;
                    return Ok(Some(Heard::Begins(purpose, status)));
                }
                self.in_flight.pop_front();
                Ok(Some(Heard::Answer(purpose, status)))
            }
            _ => Err(Error::Protocol("a text that nobody asked for".into())),
        }
    }

    /// The purposes that wait, oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = &P> {
        self.in_flight.iter().map(|(_, purpose)| purpose)
    }

    /// How many commands wait for their answer.
    pub fn depth(&self) -> usize {
        self.in_flight.len()
    }

    /// Commands sent so far.
    pub fn commands(&self) -> u64 {
        self.commands
    }

    /// Whether the greeting has not come yet.
    pub fn awaits_greeting(&self) -> bool {
        !self.greeted
    }

    /// Everything there is to send, or `None`.
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        (!self.out.is_empty()).then(|| std::mem::take(&mut self.out))
    }

    /// Whether something is there to send.
    pub fn has_output(&self) -> bool {
        !self.out.is_empty()
    }
}
