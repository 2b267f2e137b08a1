//! A server that follows a transcript.
//!
//! ```text
//! # a comment
//! S: * OK [CAPABILITY IMAP4rev1] ready
//! C: a LOGIN *
//! S: a OK signed in
//! S: * 1 FETCH (UID 7 BODY[] {~}
//! Subject: Hello
//!
//! Text
//! ~)
//! X: close
//! ```
//!
//! A `C:` line is a pattern: its first word names the tag for later lines, `*` stands for anything.
//! What follows an `S:` line without a mark is more of it. `{~}` is a literal that ends at the line
//! that begins with `~`, with its size filled in. `X: close` ends the connection, `X: connect` begins
//! the script of the next one.

use std::collections::{HashMap, VecDeque};

use super::host::Peer;

#[derive(Debug, Clone)]
enum Item {
    Client(String),
    Server(Vec<u8>),
    Close,
}

/// A transcript of one connection.
#[derive(Debug, Clone)]
pub struct Script {
    items: VecDeque<Item>,
    tags: HashMap<String, String>,
    input: Vec<u8>,
    output: Vec<u8>,
    closed: bool,
    /// The client may leave off before the end.
    lenient: bool,
}

impl Script {
    /// Every connection of a transcript.
    pub fn parse(text: &str) -> Vec<Script> {
        let mut connections = vec![VecDeque::new()];
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let items = connections.last_mut().expect("there is one");
            if let Some(pattern) = line.strip_prefix("C: ") {
                items.push_back(Item::Client(pattern.to_owned()));
            } else if let Some(first) = line.strip_prefix("S: ") {
                let mut said = vec![first];
                while let Some(more) = lines.next_if(|l| !is_marked(l)) {
                    said.push(more);
                }
                items.push_back(Item::Server(response(&said)));
            } else if line == "X: close" {
                items.push_back(Item::Close);
            } else if line == "X: connect" {
                connections.push(VecDeque::new());
            } else {
                assert!(line.starts_with('#') || line.is_empty(), "not a line of a transcript: {line}");
            }
        }
        connections.into_iter().map(Script::new).collect()
    }

    fn new(items: VecDeque<Item>) -> Script {
        let mut script = Script {
            items,
            tags: HashMap::new(),
            input: Vec::new(),
            output: Vec::new(),
            closed: false,
            lenient: false,
        };
        script.go_on();
        script
    }

    /// The client may do less than the transcript says.
    #[must_use]
    pub fn lenient(mut self) -> Script {
        self.lenient = true;
        self
    }

    /// A maker of peers for a host: the connections one after another.
    pub fn peers(text: &str) -> impl FnMut() -> Box<dyn Peer> + 'static {
        let mut connections = Script::parse(text).into_iter();
        move || Box::new(connections.next().expect("the transcript has another connection"))
    }

    fn go_on(&mut self) {
        while let Some(item) = self.items.front() {
            match item {
                Item::Client(pattern) => {
                    let Some(end) = self.input.windows(2).position(|w| w == b"\r\n") else { return };
                    let line = String::from_utf8_lossy(&self.input[..end]).into_owned();
                    self.input.drain(..end + 2);
                    let (name, wanted) = pattern.split_once(' ').unwrap_or(("", pattern));
                    let (tag, said) = line.split_once(' ').unwrap_or(("", &line));
                    assert!(matches(wanted, said), "the client was to say\n  {wanted}\nand says\n  {said}");
                    self.tags.insert(name.to_owned(), tag.to_owned());
                }
                Item::Server(bytes) => {
                    let first = bytes.split(|b| *b == b' ').next().unwrap_or_default();
                    match std::str::from_utf8(first).ok().and_then(|name| self.tags.get(name)) {
                        Some(tag) => {
                            self.output.extend(tag.bytes());
                            self.output.extend(&bytes[first.len()..]);
                        }
                        None => self.output.extend(bytes),
                    }
                }
                Item::Close => self.closed = true,
            }
            self.items.pop_front();
        }
    }
}

impl Peer for Script {
    fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.go_on();
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    fn is_closed(&self) -> bool {
        self.closed && self.output.is_empty()
    }

    fn finish(&mut self) {
        assert!(self.lenient || self.items.is_empty(), "left of the transcript: {:?}", self.items);
    }
}

fn is_marked(line: &str) -> bool {
    ["C: ", "S: ", "X: ", "# "].iter().any(|mark| line.starts_with(mark)) || line == "#"
}

fn response(lines: &[&str]) -> Vec<u8> {
    let mut out = String::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        let Some(head) = line.strip_suffix("{~}") else {
            out.push_str(line);
            out.push_str("\r\n");
            continue;
        };
        let len = lines[at..].iter().position(|l| l.starts_with('~')).expect("the literal ends");
        let literal: String = lines[at..at + len].iter().map(|l| format!("{l}\r\n")).collect();
        out.push_str(&format!("{head}{{{}}}\r\n{literal}", literal.len()));
        at += len + 1;
        // What stands behind the literal may begin another.
        let rest = &lines[at - 1][1..];
        let tail = response(&std::iter::once(&rest).chain(&lines[at..]).copied().collect::<Vec<_>>());
        out.push_str(&String::from_utf8_lossy(&tail));
        return out.into_bytes();
    }
    out.into_bytes()
}

/// Whether a text fits a pattern in which `*` stands for anything.
pub fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => {
            let Some(rest) = text.strip_prefix(before) else { return false };
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && matches(after, &rest[at..]))
        }
    }
}
