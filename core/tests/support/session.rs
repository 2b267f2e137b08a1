//! One session with the model server.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::host::Peer;
use super::model::{By, Cut, Held, Quirk, Then, World};
use super::wire::{Arg, Read, read_command};

mod append;
mod command;
mod copy;
mod expunge;
mod fetch;
mod listing;
mod login;
mod mailboxes;
mod search;
mod select;
mod store;
mod updates;

const FLAGS: &str = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";

/// The mailbox that a session has open, as it has been told.
struct View {
    folder: u64,
    /// By EXAMINE, or for want of rights.
    read_only: bool,
    uid_validity: u32,
    uids: Vec<u32>,
    flags: BTreeMap<u32, u64>,
}

enum State {
    Commands,
    /// The base64 line of AUTHENTICATE is awaited.
    Authenticating(String),
    Idling(String),
}

/// A session.
pub struct Session {
    world: Rc<RefCell<World>>,
    quirk: Rc<RefCell<Option<Quirk>>>,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Responses that have not gone through the quirk.
    said: Vec<Vec<u8>>,
    verb: String,
    /// Where a literal was asked for last.
    asked: usize,
    state: State,
    signed_in: bool,
    condstore: bool,
    qresync: bool,
    view: Option<View>,
    closed: bool,
    number: u64,
    cut: Option<Cut>,
    was_cut: bool,
    received: u64,
    sent: u64,
    /// The command under way is done for so many messages only.
    partly: Option<(usize, Then)>,
    /// A MOVE under way expunges nothing.
    copies_only: bool,
}

impl Peer for Session {
    fn receive(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        let mut last = false;
        if let Some(Cut::Received(at)) = self.cut {
            let left = usize::try_from(at.saturating_sub(self.received)).unwrap_or(usize::MAX);
            last = bytes.len() >= left;
            bytes = &bytes[..left.min(bytes.len())];
        }
        if self.was_cut {
            return;
        }
        self.received += bytes.len() as u64;
        self.input.extend_from_slice(bytes);
        while !self.closed && self.step() {}
        self.flush();
        if last {
            self.cut_off();
        }
    }

    fn take(&mut self) -> Vec<u8> {
        if matches!(self.state, State::Idling(_)) && !self.closed {
            self.push_updates();
        }
        std::mem::take(&mut self.output)
    }

    fn is_closed(&self) -> bool {
        self.closed && self.output.is_empty()
    }

    fn was_cut(&self) -> bool {
        self.was_cut
    }
}

type Answer = Result<String, String>;

impl Session {
    pub fn new(
        world: Rc<RefCell<World>>,
        quirk: Rc<RefCell<Option<Quirk>>>,
        number: u64,
        cut: Option<Cut>,
    ) -> Session {
        let mut session = Session {
            world,
            quirk,
            input: Vec::new(),
            output: Vec::new(),
            said: Vec::new(),
            verb: "greeting".into(),
            asked: 0,
            state: State::Commands,
            signed_in: false,
            condstore: false,
            qresync: false,
            view: None,
            closed: false,
            number,
            cut,
            was_cut: false,
            received: 0,
            sent: 0,
            partly: None,
            copies_only: false,
        };
        let code = session.capability_code();
        session.say(format!("* OK {code}ready"));
        session.flush();
        session
    }

    /// Sends what changed in the open mailbox now, whoever waits for what.
    pub fn push_updates(&mut self) {
        self.verb = String::new();
        self.updates(true);
        self.flush();
    }

    /// Sends a line of the test's own.
    pub fn push_line(&mut self, line: &str) {
        self.verb = String::new();
        self.say(line.to_owned());
        self.flush();
    }

    fn capability_code(&self) -> String {
        let world = self.world.borrow();
        if world.tells_capabilities {
            format!("[CAPABILITY {}] ", world.capabilities.join(" "))
        } else {
            String::new()
        }
    }

    fn say(&mut self, line: String) {
        self.said.push((line + "\r\n").into_bytes());
    }

    fn flush(&mut self) {
        for line in std::mem::take(&mut self.said) {
            let bytes = match &mut *self.quirk.borrow_mut() {
                Some(quirk) => quirk(&self.verb, line),
                None => line,
            };
            if self.was_cut {
                return;
            }
            self.sent += bytes.len() as u64;
            self.output.extend(bytes);
            if let Some(Cut::Sent(at)) = self.cut
                && self.sent >= at
            {
                let over = usize::try_from(self.sent - at).unwrap_or(usize::MAX);
                self.output.truncate(self.output.len().saturating_sub(over));
                self.cut_off();
            }
        }
    }

    /// The connection breaks now: what was sent arrives, and nothing more.
    pub fn cut_off(&mut self) {
        self.closed = true;
        self.was_cut = true;
    }

    /// The connection breaks later.
    pub fn cut_at(&mut self, cut: Cut) {
        self.cut = Some(cut);
    }

    fn by(&self) -> By {
        By::Session(self.number)
    }

    fn violation(&self, what: &str) {
        let line = format!("{what}: {}", self.verb);
        self.world.borrow_mut().violations.push(line);
    }

    fn has(&self, capability: &str) -> bool {
        self.world.borrow().has(capability)
    }

    fn step(&mut self) -> bool {
        match &self.state {
            State::Commands => self.step_command(),
            State::Authenticating(tag) => {
                let tag = tag.clone();
                let Some(line) = self.line() else { return false };
                self.state = State::Commands;
                let answer = self.plain(&line);
                self.answer(&tag, answer);
                true
            }
            State::Idling(tag) => {
                let tag = tag.clone();
                let Some(line) = self.line() else { return false };
                self.state = State::Commands;
                self.verb = "IDLE".into();
                if line.eq_ignore_ascii_case(b"DONE") {
                    self.updates(true);
                    self.answer(&tag, Ok("idled".into()));
                } else {
                    self.violation("not DONE");
                    self.answer(&tag, Err("BAD not DONE".into()));
                }
                true
            }
        }
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.input.windows(2).position(|w| w == b"\r\n")?;
        let line = self.input[..end].to_vec();
        self.input.drain(..end + 2);
        Some(line)
    }

    fn step_command(&mut self) -> bool {
        match read_command(&self.input) {
            Read::More => false,
            Read::Wait { at, args, size } => {
                if self.asked < at
                    && let Some(no) = self.refuses_literal(&args, size)
                {
                    // The client sees it before it sends what it would have.
                    self.verb = "APPEND".into();
                    self.input.clear();
                    self.asked = 0;
                    let shown: Vec<String> = args[1..].iter().map(Arg::shown).collect();
                    self.world.borrow_mut().log.push(format!("{} {{{size}}}", shown.join(" ")));
                    let tag = args.first().map_or(String::new(), Arg::text);
                    self.answer(&tag, Err(no));
                } else if self.asked < at {
                    self.asked = at;
                    self.said.push(b"+ go on\r\n".to_vec());
                }
                false
            }
            Read::Bad(len) => {
                self.input.drain(..len);
                self.asked = 0;
                self.violation("unreadable");
                self.said.push(b"* BAD unreadable\r\n".to_vec());
                true
            }
            Read::Command { args, len, literals } => {
                let raw: Vec<u8> = self.input.drain(..len).collect();
                self.asked = 0;
                self.command(&raw, args, literals);
                true
            }
        }
    }
}

fn flag_text(held: &Held) -> String {
    held.flags.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}
