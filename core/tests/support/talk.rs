//! Talks with the model server, written down and compared.
//!
//! ```text
//! C: a SELECT INBOX
//! S: * 2 EXISTS
//! S: ...
//! S: a OK *
//! C2: a NOOP
//! S2: a OK *
//! ```
//!
//! `C:` is said on the first connection, `C2:` on the second. What stands behind it as `S:` is all that
//! comes back; `*` in it stands for anything, `...` for any lines. Connections are signed in when
//! they are first used. A literal's text is a `C:` line of its own.

use std::collections::BTreeMap;

use super::host::Peer;
use super::model::ModelServer;
use super::session::Session;

pub struct Talk {
    server: ModelServer,
    sessions: BTreeMap<u32, Session>,
}

impl Talk {
    pub fn new(server: &ModelServer) -> Talk {
        Talk { server: server.clone(), sessions: BTreeMap::new() }
    }

    pub fn session(&mut self, number: u32) -> &mut Session {
        let server = &self.server;
        self.sessions.entry(number).or_insert_with(|| {
            let mut session = server.session();
            session.receive(b"0 LOGIN ann secret\r\n");
            session.take();
            session
        })
    }

    /// A connection is made anew.
    pub fn hang_up(&mut self, number: u32) {
        self.sessions.remove(&number);
    }

    /// Opens a mailbox, whatever is said about it.
    pub fn open(&mut self, number: u32, command: &str) {
        self.say(number, command);
    }

    /// Says something and returns what comes back.
    pub fn say(&mut self, number: u32, command: &str) -> String {
        let session = self.session(number);
        session.receive(format!("x {command}\r\n").as_bytes());
        String::from_utf8_lossy(&session.take()).into_owned()
    }

    #[track_caller]
    pub fn run(&mut self, script: &str) {
        let mut expected: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
        let mut fresh = true;
        for line in script.lines().map(str::trim_start).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let (mark, text) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
            let number: u32 = mark[1..].parse().unwrap_or(1);
            if mark.starts_with('C') {
                if !fresh {
                    self.check(&std::mem::take(&mut expected));
                }
                fresh = true;
                self.session(number).receive(format!("{text}\r\n").as_bytes());
            } else {
                assert!(mark.starts_with('S'), "no line of a talk: {line}");
                fresh = false;
                expected.entry(number).or_default().push(text);
            }
        }
        self.check(&expected);
    }

    #[track_caller]
    fn check(&mut self, expected: &BTreeMap<u32, Vec<&str>>) {
        for number in expected.keys() {
            self.session(*number);
        }
        for (number, session) in &mut self.sessions {
            let said = String::from_utf8_lossy(&session.take()).into_owned();
            let said: Vec<&str> = said.split_terminator("\r\n").collect();
            let wanted = expected.get(number).map_or(&[][..], Vec::as_slice);
            assert!(
                fits(wanted, &said),
                "connection {number} was to hear\n  {}\nand heard\n  {}",
                wanted.join("\n  "),
                said.join("\n  ")
            );
        }
    }
}

fn fits(wanted: &[&str], said: &[&str]) -> bool {
    match wanted.split_first() {
        None => said.is_empty(),
        Some((&"...", rest)) => (0..=said.len()).any(|skip| fits(rest, &said[skip..])),
        Some((pattern, rest)) => {
            said.first().is_some_and(|line| matches(pattern, line)) && fits(rest, &said[1..])
        }
    }
}

/// Like a transcript's pattern, but that a `*` at the beginning is the one of an untagged response.
fn matches(pattern: &str, line: &str) -> bool {
    match (pattern.strip_prefix("* "), line.strip_prefix("* ")) {
        (Some(pattern), Some(line)) => super::script::matches(pattern, line),
        (None, None) => super::script::matches(pattern, line),
        _ => false,
    }
}
