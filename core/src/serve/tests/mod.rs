//! Sessions as transcripts: what a client says, and what it is told. POP3's sessions are tested by the same client.

mod changes;
mod mailboxes;
mod messages;
mod notify;
mod quota;
mod signing_in;
mod simulation;

use super::backend::{Appended, Backend, FlagChange};
use super::memory::{MemoryMail, MemoryUsers};
use super::session::{Session, SessionEvent, SessionOptions};
use crate::error::Result;
use crate::flags::FlagSet;
use crate::ids::MailboxId;
use crate::options::Progress;
use crate::sasl::server::Verifier;
use crate::time::Now;

/// 2024-01-10 00:00 UTC.
pub(in crate::serve) const WALL: i64 = 1_704_844_800_000;

/// A session of either protocol.
pub(in crate::serve) trait Served {
    fn input(&mut self, now: Now, input: &[u8]) -> Result<Progress>;
    fn timeout(&mut self, now: Now) -> Result<()>;
    fn wake(&mut self, now: Now) -> Result<()>;
    fn transmit(&mut self) -> Option<Vec<u8>>;
    fn event(&mut self) -> Option<SessionEvent>;
    fn is_over(&self) -> bool;
}

impl Served for Session<MemoryUsers> {
    fn input(&mut self, now: Now, input: &[u8]) -> Result<Progress> {
        self.handle_input(now, input)
    }

    fn timeout(&mut self, now: Now) -> Result<()> {
        self.handle_timeout(now)
    }

    fn wake(&mut self, now: Now) -> Result<()> {
        self.handle_wake(now)
    }

    fn transmit(&mut self) -> Option<Vec<u8>> {
        self.poll_transmit()
    }

    fn event(&mut self) -> Option<SessionEvent> {
        self.poll_event()
    }

    fn is_over(&self) -> bool {
        self.is_closed()
    }
}

/// A client, by what it hears.
pub(in crate::serve) struct Client<S = Session<MemoryUsers>> {
    pub(in crate::serve) session: S,
    pub(in crate::serve) heard: Vec<u8>,
    pub(in crate::serve) events: Vec<SessionEvent>,
    pub(in crate::serve) now: Now,
    /// Octets given to the session at a time.
    pub(in crate::serve) chunk: usize,
    /// What the session did not take of what was said last.
    pub(in crate::serve) unread: Vec<u8>,
    /// The most octets that came at a time.
    pub(in crate::serve) largest: usize,
}

pub(in crate::serve) fn users() -> (MemoryUsers, MemoryMail) {
    let users = MemoryUsers::default();
    let verifier = Verifier::new("secret", [7; 16], 4).expect("a password");
    let mail = users.add("ann", verifier);
    mail.set_wall(WALL);
    (users, mail)
}

pub(in crate::serve) fn options() -> SessionOptions {
    SessionOptions::new([1; 32], [2; 32], true)
}

impl Client {
    pub(in crate::serve) fn new(users: &MemoryUsers, options: SessionOptions) -> Client {
        Client::with(Session::new(users.clone(), options))
    }

    /// Past the greeting and signed in.
    pub(in crate::serve) fn signed_in(users: &MemoryUsers) -> Client {
        let mut client = Client::new(users, options());
        client.say(b"a LOGIN ann secret\r\n");
        client.heard.clear();
        client
    }
}

impl<S: Served> Client<S> {
    pub(in crate::serve) fn with(session: S) -> Client<S> {
        let now = Now::new(1_000, WALL);
        let mut client = Client {
            session,
            heard: Vec::new(),
            events: Vec::new(),
            now,
            chunk: usize::MAX,
            unread: Vec::new(),
            largest: 0,
        };
        client.drain();
        client
    }

    pub(in crate::serve) fn drain(&mut self) {
        while let Some(bytes) = self.session.transmit() {
            self.largest = self.largest.max(bytes.len());
            self.heard.extend_from_slice(&bytes);
        }
        while let Some(event) = self.session.event() {
            self.events.push(event);
        }
    }

    pub(in crate::serve) fn say(&mut self, bytes: &[u8]) {
        self.unread.clear();
        for piece in bytes.chunks(self.chunk) {
            let mut rest = piece;
            while !self.session.is_over() {
                let progress = self.session.input(self.now, rest).expect("it was drained");
                self.drain();
                rest = &rest[progress.consumed..];
                if !progress.more {
                    break;
                }
            }
            self.unread.extend_from_slice(rest);
        }
    }

    pub(in crate::serve) fn pass_ms(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.wall_ms += ms as i64;
        if !self.session.is_over() {
            self.session.timeout(self.now).expect("it was drained");
            self.drain();
        }
    }

    pub(in crate::serve) fn lines(&mut self) -> Vec<String> {
        let heard = std::mem::take(&mut self.heard);
        let text = String::from_utf8_lossy(&heard).into_owned();
        text.split_terminator("\r\n").map(str::to_owned).collect()
    }
}

/// Plays a transcript. `C:` is said by the first client, `C2:` by the second; after each, what that client
/// hears must be the `S:` lines that follow, whose ends `…` leaves open; `S: …` alone is anything, `S:` alone nothing. `S2:` lines
/// without a `C2:` before them are what is told to the second after a wake.
#[track_caller]
pub(in crate::serve) fn play<S: Served>(clients: &mut [Client<S>], transcript: &str) {
    let lines: Vec<&str> = transcript.lines().map(str::trim_start).filter(|line| !line.is_empty()).collect();
    let parse = |line: &str| -> (bool, usize, String) {
        let (who, text) = line.split_once(':').unwrap_or_else(|| panic!("{line}"));
        let number = who[1..].parse::<usize>().unwrap_or(1) - 1;
        (who.starts_with('C'), number, text.strip_prefix(' ').unwrap_or(text).to_owned())
    };
    let mut at = 0;
    while at < lines.len() {
        let (says, who, text) = parse(lines[at]);
        let mut said = String::new();
        if says {
            said.push_str(&text);
            said.push_str("\r\n");
            at += 1;
            clients[who].say(said.as_bytes());
        } else {
            let now = clients[who].now;
            clients[who].session.wake(now).expect("it was drained");
            clients[who].drain();
        }
        let mut expected = Vec::new();
        while at < lines.len() {
            let (says, from, text) = parse(lines[at]);
            if says || from != who {
                break;
            }
            expected.push(text);
            at += 1;
        }
        if expected == [""] {
            expected.clear();
        }
        let heard = clients[who].lines();
        let open = expected.len() == 1 && expected[0] == "…";
        let fits = |expected: &String, heard: &String| match expected.strip_suffix('…') {
            Some(start) => heard.starts_with(start),
            None => heard == expected,
        };
        let same = heard.len() == expected.len() && expected.iter().zip(&heard).all(|(e, h)| fits(e, h));
        assert!(open || same, "C: {said}expected\n{}\nheard\n{}", expected.join("\n"), heard.join("\n"));
    }
}

/// Puts a message into a mailbox.
pub(in crate::serve) fn put(mail: &MemoryMail, mailbox: &str, flags: &[&str], raw: &str) -> u32 {
    let id = id_of(mail, mailbox);
    let mut set = FlagSet::default();
    flags.iter().for_each(|flag| set.insert_wire(flag.as_bytes()));
    let upload = raw.replace('\n', "\r\n").into_bytes();
    let message = Appended { upload, flags: set, internal_date: WALL };
    let appended = mail.append(id, vec![message], None).expect("there is room");
    // Somebody has been told of it.
    mail.recent(id, true).expect("it is there");
    appended.target.min().expect("one went in")
}

pub(in crate::serve) fn id_of(mail: &MemoryMail, name: &str) -> MailboxId {
    let list = mail.mailboxes().expect("a list");
    list.into_iter().find(|mailbox| mailbox.name == name).and_then(|mailbox| mailbox.id).expect("it is there")
}

/// A mailbox of five messages.
pub(in crate::serve) fn five(mail: &MemoryMail) {
    for n in 1..=5 {
        let flags: &[&str] = if n % 2 == 0 { &["\\Seen"] } else { &[] };
        put(mail, "INBOX", flags, &format!("Subject: m{n}\nMessage-ID: <{n}@x>\n\ntext {n}\n"));
    }
}

#[test]
fn a_session_that_is_not_drained_says_so() {
    let (users, _) = users();
    let mut session = Session::new(users, options());
    assert!(session.handle_input(Now::default(), b"").is_err());
    while session.poll_transmit().is_some() {}
    assert!(session.handle_input(Now::default(), b"a NOOP\r\n").is_ok());
    assert!(session.handle_timeout(Now::default()).is_err());
    while session.poll_transmit().is_some() {}
    session.handle_eof(Now::default());
    assert!(session.is_closed() && session.handle_input(Now::default(), b"").is_err());
    assert_eq!(session.poll_event(), Some(SessionEvent::Closed));
}

#[test]
fn wherever_the_input_is_cut_the_answers_are_the_same() {
    let script = b"a LOGIN ann {6}\r\nsecret\r\nb CREATE {3+}\r\nBox\r\nc APPEND Box (\\Seen) {14}\r\nSubject: x\r\n\r\n\r\n\
        d SELECT Box\r\ne IDLE\r\nDONE\r\nf FETCH 1 (BODY[] ENVELOPE)\r\ng APPEND None {9+}\r\n{3+}\r\nxy\r\n\r\nh FOO\r\n\
        i AUTHENTICATE PLAIN\r\nj UID STORE 1 +FLAGS (a)\r\nk MOVE 1 INBOX\r\nl LOGOUT\r\n";
    let hear = |chunk: usize| {
        let (users, _) = users();
        let mut client = Client::new(&users, options());
        client.chunk = chunk;
        client.say(script);
        client.lines()
    };
    let whole = hear(usize::MAX);
    assert!(whole.last().is_some_and(|line| line.starts_with("l OK")), "{whole:#?}");
    for chunk in [1, 2, 3, 7, 50] {
        assert_eq!(hear(chunk), whole);
    }
}

#[test]
fn changing_flags_keeps_what_it_should() {
    use crate::imap::command::StoreAction::*;
    let set = |words: &[&str]| {
        let mut set = FlagSet::default();
        words.iter().for_each(|word| set.insert_wire(word.as_bytes()));
        set
    };
    for (action, before, flags, after) in [
        (Add, &["\\Seen", "a"][..], &["b", "A"][..], &["\\Seen", "a", "b"][..]),
        (Remove, &["\\Seen", "a", "b"], &["A", "\\Seen"], &["b"]),
        (Replace, &["\\Seen", "a"], &["c", "\\Draft"], &["\\Draft", "c"]),
    ] {
        let flags = set(flags);
        let change = FlagChange { action, flags: &flags, unchanged_since: None };
        assert_eq!(super::memory::changed(&set(before), &change), set(after), "{action:?}");
    }
}
