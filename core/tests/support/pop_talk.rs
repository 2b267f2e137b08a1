//! A POP3 server that follows a transcript to the letter.
//!
//! `C:` lines are what the client says, `*` at their end standing for anything; `S:` lines are the
//! server's. `S>` lines have no line end. `X: close` ends the connection, `X: connect` begins the next one.

use std::collections::VecDeque;

use mailkeep::AccountSettings;

use super::host::{Host, Peer, open};

#[derive(Debug, Clone)]
enum Item {
    Client(String),
    Server(Vec<u8>),
    Close,
}

#[derive(Debug)]
pub struct Talk {
    items: VecDeque<Item>,
    input: Vec<u8>,
    out: Vec<u8>,
    closed: bool,
}

impl Talk {
    fn parse(text: &str) -> VecDeque<Talk> {
        let mut connections = VecDeque::from([VecDeque::new()]);
        for line in text.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
            let items = connections.back_mut().expect("there is one");
            if let Some(said) = line.strip_prefix("C: ") {
                items.push_back(Item::Client(said.to_owned()));
            } else if let Some(said) = line.strip_prefix("S>") {
                items.push_back(Item::Server(said.as_bytes().to_vec()));
            } else if let Some(said) = line.strip_prefix("S:") {
                let said = said.strip_prefix(' ').unwrap_or(said);
                items.push_back(Item::Server([said.as_bytes(), b"\r\n"].concat()));
            } else if line == "X: close" {
                items.push_back(Item::Close);
            } else if line == "X: connect" {
                connections.push_back(VecDeque::new());
            } else {
                panic!("not a line of a transcript: {line}");
            }
        }
        let talk = |items| Talk { items, input: Vec::new(), out: Vec::new(), closed: false };
        connections.into_iter().map(talk).collect()
    }

    fn go_on(&mut self) {
        while let Some(item) = self.items.front() {
            match item {
                Item::Server(bytes) => self.out.extend_from_slice(bytes),
                Item::Close => self.closed = true,
                Item::Client(pattern) => {
                    let Some(end) = super::mail::find(&self.input, b"\r\n") else { return };
                    let line: Vec<u8> = self.input.drain(..end + 2).collect();
                    let line = String::from_utf8_lossy(&line[..end]).into_owned();
                    let fits = match pattern.strip_suffix('*') {
                        Some(head) => line.starts_with(head),
                        None => line == *pattern,
                    };
                    assert!(fits, "the client was to say\n  {pattern}\nand says\n  {line}");
                }
            }
            self.items.pop_front();
        }
    }
}

impl Peer for Talk {
    fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.go_on();
    }

    fn take(&mut self) -> Vec<u8> {
        self.go_on();
        std::mem::take(&mut self.out)
    }

    fn is_closed(&self) -> bool {
        self.closed && self.out.is_empty()
    }

    fn finish(&mut self) {
        assert!(std::thread::panicking() || self.items.is_empty(), "not said: {:?}", self.items);
        assert_eq!(String::from_utf8_lossy(&self.input), "", "nobody expected this");
    }
}

/// A host whose account is at the other end of a transcript.
pub fn talk(text: &str, settings: impl FnOnce(&mut AccountSettings)) -> Host {
    let engine = open(mailkeep::MemoryStorage::new()).expect("memory opens");
    let mut account = AccountSettings::pop3("pop", "pop.example.org", "ann");
    settings(&mut account);
    engine.add_account(account).expect("the account");
    let mut connections = Talk::parse(text);
    Host::with_engine_and_peers(engine, move || {
        Box::new(connections.pop_front().expect("the transcript has another connection"))
    })
}
