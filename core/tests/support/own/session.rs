//! One connection to the own server: octets go through as they come, and what they say is read on the side, to write
//! down commands, to let some of them go wrong, and to know which of them put messages in or took them out.

use mailkeep::serve::{Session, SessionEvent, SessionOptions, StoredUsers};

use super::OwnServer;
use crate::support::host::Peer;
use crate::support::model::{By, Cut, Fault, How};
use crate::support::wire::{Arg, Literals, Read, read_command};

pub(super) struct OwnSession {
    server: OwnServer,
    session: Session<StoredUsers>,
    /// Of the store that it began with.
    life: u32,
    number: u64,
    /// The command that is coming, as far as it is here.
    input: Vec<u8>,
    /// How much of it the session has been given.
    given: usize,
    /// What the session was given and has not taken.
    unread: Vec<u8>,
    out: Vec<u8>,
    /// What goes wrong with the command that is coming.
    fault: Option<Fault>,
    idling: bool,
    /// What is said can be read no more.
    compressed: bool,
    cut: Option<Cut>,
    was_cut: bool,
    received: u64,
    sent: u64,
}

impl OwnSession {
    pub(super) fn new(server: &OwnServer) -> OwnSession {
        let mut world = server.change();
        world.sessions += 1;
        let number = world.sessions;
        let cut = world.trouble.next_cut();
        let mut options = SessionOptions::new([number as u8; 32], [4; 32], true);
        options.withheld.clone_from(&world.withheld);
        let session = Session::new(world.users.clone(), options);
        let life = world.life;
        drop(world);
        let mut session = OwnSession {
            server: server.clone(),
            session,
            life,
            number,
            input: Vec::new(),
            given: 0,
            unread: Vec::new(),
            out: Vec::new(),
            fault: None,
            idling: false,
            compressed: false,
            cut,
            was_cut: false,
            received: 0,
            sent: 0,
        };
        let greeting = session.drain();
        session.say(&greeting);
        session
    }

    /// Nothing goes through any more: it broke, or was ended, or the store that it was about is closed.
    fn is_over(&self) -> bool {
        self.was_cut || self.session.is_closed() || self.life != self.server.change().life
    }

    /// The connection breaks now.
    fn cut_off(&mut self) {
        self.was_cut = true;
        if !self.session.is_closed() {
            let now = self.server.change().now();
            self.session.handle_eof(now);
            self.drain();
        }
    }

    /// Reads one command off what came; false where more is to come first.
    fn step(&mut self) -> bool {
        if self.compressed {
            let all = std::mem::take(&mut self.input);
            let said = self.give(&all);
            self.say(&said);
            return false;
        }
        match read_command(&self.input) {
            Read::More => {
                self.pass_on(self.input.len());
                false
            }
            Read::Wait { at, args, size } => {
                let begun = format!("{} {{{size}}}", shown(args.get(1..).unwrap_or_default()));
                if self.given == 0 {
                    self.fault = self.server.change().trouble.next_fault(&verb_of(&args));
                    match self.fault.take() {
                        Some(Fault::CutBefore) => {
                            self.cut_off();
                            return false;
                        }
                        Some(Fault::Answer(text)) => {
                            self.write_down(begun);
                            self.take_off(at);
                            let tag = args.first().map_or_else(String::new, Arg::text);
                            self.say(format!("{tag} {text}\r\n").as_bytes());
                            return !self.input.is_empty();
                        }
                        later => self.fault = later,
                    }
                }
                let asks = self.given < at;
                let said = self.pass_on(self.input.len());
                if !asks || self.is_over() || said.starts_with(b"+ ") {
                    return false;
                }
                // It was refused: what was announced does not come.
                self.take_off(at);
                self.fault = None;
                self.write_down(begun);
                !self.input.is_empty()
            }
            Read::Bad(len) => {
                self.violation("unreadable");
                self.pass_on(len);
                self.take_off(len);
                true
            }
            Read::Command { args, len, literals } => {
                self.command(&args, len, literals);
                true
            }
        }
    }

    /// Gives the session what of the command it has not been given, and the client what is said to that.
    fn pass_on(&mut self, to: usize) -> Vec<u8> {
        let new = self.input[self.given..to].to_vec();
        self.given = to;
        let said = self.give(&new);
        self.say(&said);
        said
    }

    fn take_off(&mut self, len: usize) {
        self.input.drain(..len);
        self.given = 0;
    }

    fn command(&mut self, args: &[Arg], len: usize, literals: Literals) {
        let [tag, _, ..] = args else {
            // DONE, or an answer to a challenge.
            self.idling = false;
            self.pass_on(len);
            return self.take_off(len);
        };
        let verb = verb_of(args);
        let text = match literals.octets {
            0..=60 => String::from_utf8_lossy(&self.input[..len]).trim_end().to_owned(),
            _ => shown(args),
        };
        let text = text.split_once(' ').map_or("", |(_, command)| command);
        self.write_down(if verb == "LOGIN" { "LOGIN".into() } else { text.to_owned() });
        if literals.loose.is_some() && self.server.change().withheld.iter().any(|word| word == "LITERAL+") {
            self.violation(&format!("LITERAL+ was not offered: {verb}"));
        }
        // Of one with a literal it was seen to when the literal was announced.
        let fault = match self.given {
            0 => self.server.change().trouble.next_fault(&verb),
            _ => self.fault.take(),
        };
        match fault {
            Some(Fault::CutBefore) => return self.cut_off(),
            Some(Fault::Answer(text)) => {
                self.take_off(len);
                return self.say(format!("{} {text}\r\n", tag.text()).as_bytes());
            }
            _ => {}
        }
        let new = self.input[self.given..len].to_vec();
        self.take_off(len);
        let said = self.give(&new);
        self.note(&verb);
        self.idling = verb == "IDLE" && said.starts_with(b"+ ");
        self.compressed |= verb == "COMPRESS" && said.starts_with(format!("{} OK", tag.text()).as_bytes());
        match fault {
            Some(Fault::CutAfter) => self.cut_off(),
            Some(Fault::CutBeforeAnswer) => {
                self.say(without_answer(&said, &tag.text()));
                self.cut_off();
            }
            _ => {
                if said.windows(NOT_OFFERED.len()).any(|part| part == NOT_OFFERED) {
                    self.violation(&format!("not offered: {text}"));
                }
                self.say(&said);
            }
        }
    }

    /// Gives the session octets, and returns what it says.
    fn give(&mut self, octets: &[u8]) -> Vec<u8> {
        self.unread.extend_from_slice(octets);
        let mut said = Vec::new();
        while !self.session.is_closed() {
            let now = self.server.change().now();
            let progress = self.session.handle_input(now, &self.unread).expect("it was drained");
            said.extend(self.drain());
            self.unread.drain(..progress.consumed);
            if !progress.more {
                break;
            }
        }
        if !self.compressed {
            self.server.change().body_octets += body_octets(&said);
        }
        said
    }

    fn drain(&mut self) -> Vec<u8> {
        let mut said = Vec::new();
        while let Some(bytes) = self.session.poll_transmit() {
            said.extend(bytes);
        }
        while let Some(event) = self.session.poll_event() {
            assert!(!matches!(event, SessionEvent::Trouble { .. }), "{event:?}");
        }
        said
    }

    /// Puts something on its way to the client, as far as the connection lasts.
    fn say(&mut self, said: &[u8]) {
        if self.was_cut {
            return;
        }
        self.sent += said.len() as u64;
        self.out.extend_from_slice(said);
        if let Some(Cut::Sent(at)) = self.cut
            && self.sent >= at
        {
            let over = usize::try_from(self.sent - at).unwrap_or(usize::MAX);
            self.out.truncate(self.out.len().saturating_sub(over));
            self.cut_off();
        }
    }

    /// What the command put in or took out.
    fn note(&self, verb: &str) {
        let how = match verb.strip_prefix("UID ").unwrap_or(verb) {
            "APPEND" | "REPLACE" => How::Appended,
            "COPY" => How::Copied,
            "MOVE" | "RENAME" => How::Moved,
            "EXPUNGE" | "CLOSE" => How::Expunged,
            "DELETE" => How::MailboxDeleted,
            _ => return,
        };
        self.server.change().note(Some(how), By::Session(self.number));
    }

    fn write_down(&self, text: String) {
        self.server.change().log.push(text);
    }

    fn violation(&self, text: &str) {
        self.server.change().violations.push(text.to_owned());
    }
}

impl Peer for OwnSession {
    fn receive(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        let mut last = false;
        if let Some(Cut::Received(at)) = self.cut {
            let left = usize::try_from(at.saturating_sub(self.received)).unwrap_or(usize::MAX);
            last = bytes.len() >= left;
            bytes = &bytes[..left.min(bytes.len())];
        }
        if self.is_over() {
            return;
        }
        self.received += bytes.len() as u64;
        self.input.extend_from_slice(bytes);
        while !self.is_over() && self.step() {}
        if last {
            self.cut_off();
        }
    }

    fn take(&mut self) -> Vec<u8> {
        if self.idling && !self.is_over() {
            let now = self.server.change().now();
            self.session.handle_wake(now).expect("it was drained");
            let said = self.drain();
            self.say(&said);
        }
        std::mem::take(&mut self.out)
    }

    fn is_closed(&self) -> bool {
        self.is_over() && self.out.is_empty()
    }

    fn was_cut(&self) -> bool {
        self.was_cut
    }
}

/// How the session refuses what needs an extension that is withheld.
const NOT_OFFERED: &[u8] = b" BAD that is not offered";

fn shown(args: &[Arg]) -> String {
    args.iter().map(Arg::shown).collect::<Vec<_>>().join(" ")
}

/// What a command is, as `UID FETCH`.
fn verb_of(args: &[Arg]) -> String {
    let verb = args.get(1).map_or_else(String::new, |verb| verb.text().to_ascii_uppercase());
    match args.get(2) {
        Some(sub) if verb == "UID" => format!("UID {}", sub.text().to_ascii_uppercase()),
        _ => verb,
    }
}

/// An answer without the tagged line at its end.
fn without_answer<'a>(said: &'a [u8], tag: &str) -> &'a [u8] {
    let tagged = format!("{tag} ").into_bytes();
    let mut lines = said.split_inclusive(|byte| *byte == b'\n');
    let last = lines.next_back().unwrap_or_default();
    if last.starts_with(&tagged) { &said[..said.len() - last.len()] } else { said }
}

/// Octets of whole messages in an answer, `BODY[] {n}` and `BODY[]<n> {n}`.
fn body_octets(said: &[u8]) -> u64 {
    let (mut octets, mut at) = (0, 0);
    while let Some(found) = said[at..].windows(6).position(|part| part == b"BODY[]") {
        at += found + 6;
        let line = said[at..].split(|byte| *byte == b'\r').next().unwrap_or_default();
        let text = String::from_utf8_lossy(line);
        let Some((_, number)) = text.rsplit_once(" {") else { continue };
        let number: u64 = number.trim_end_matches('}').parse().unwrap_or(0);
        octets += number;
        at += usize::try_from(number).unwrap_or(usize::MAX).min(said.len() - at);
    }
    octets
}
