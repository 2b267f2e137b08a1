//! A POP3 server in memory, with switches for what it offers and how it misbehaves.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailkeep::{AccountSettings, Engine, Keep, MemoryStorage, MessageRow, Storage, SyncScope};

use super::host::{Host, Peer, open};
use super::wire::from_base64;

/// What a server calls its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    Unique,
    /// No UIDL.
    None,
    /// All the same.
    Repeated,
    Empty,
    /// Longer than 70 octets.
    Long,
    /// Others in every session.
    Changing,
    /// Only every second message has one.
    Some,
    /// As a path that no file must ever have.
    Path,
}

/// What a server offers, and what it does wrong.
#[derive(Debug, Clone)]
pub struct Ways {
    pub capa: bool,
    pub pipelining: bool,
    pub top: bool,
    pub naming: Naming,
    pub user: bool,
    pub sasl: Vec<&'static str>,
    pub apop: bool,
    /// More lines of CAPA.
    pub more: Vec<String>,
    /// Added to every size in LIST.
    pub lie: i64,
    /// Logins answered with IN-USE.
    pub in_use: u32,
    /// The connection is closed behind that.
    pub in_use_closes: bool,
    /// QUIT is answered with this instead, and nothing is deleted.
    pub quit_fails: bool,
    /// QUIT deletes, and the answer never comes.
    pub quit_is_lost: bool,
    /// What comes behind STLS's OK in the clear.
    pub behind_stls: &'static [u8],
    /// Fields put before every header that is handed out.
    pub state_fields: bool,
}

impl Default for Ways {
    fn default() -> Ways {
        Ways {
            capa: true,
            pipelining: true,
            top: true,
            naming: Naming::Unique,
            user: true,
            sasl: vec!["PLAIN"],
            apop: false,
            more: Vec::new(),
            lie: 0,
            in_use: 0,
            in_use_closes: false,
            quit_fails: false,
            quit_is_lost: false,
            behind_stls: b"",
            state_fields: false,
        }
    }
}

#[derive(Debug, Clone)]
pub struct PopMail {
    pub uidl: String,
    pub raw: Vec<u8>,
}

#[derive(Debug, Default)]
pub struct Maildrop {
    pub mails: Vec<PopMail>,
    pub ways: Ways,
    /// What was deleted by QUIT, in order.
    pub deleted: Vec<PopMail>,
    pub violations: Vec<String>,
    pub sessions: u32,
    pub logins: u32,
    pub retrs: u32,
    pub tops: u32,
    next: u32,
}

/// The server. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct PopServer(Arc<Mutex<Maildrop>>);

impl PopServer {
    pub fn new(count: u32) -> PopServer {
        let server = PopServer::default();
        (1..=count).for_each(|n| server.deliver(super::mail(n)));
        server
    }

    pub fn ways(self, set: impl FnOnce(&mut Ways)) -> PopServer {
        set(&mut self.look().ways);
        self
    }

    pub fn look(&self) -> MutexGuard<'_, Maildrop> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn deliver(&self, raw: Vec<u8>) {
        let mut drop = self.look();
        drop.next += 1;
        let uidl = format!("{:08x}AZ", drop.next);
        drop.mails.push(PopMail { uidl, raw });
    }

    /// Another client deletes the message at a place.
    pub fn remove(&self, at: usize) -> PopMail {
        self.look().mails.remove(at)
    }

    pub fn uidls(&self) -> Vec<String> {
        self.look().mails.iter().map(|m| m.uidl.clone()).collect()
    }

    /// Messages fetched so far.
    pub fn retrs(&self) -> u32 {
        self.look().retrs
    }

    pub fn session(&self) -> PopPeer {
        let mut drop = self.look();
        drop.sessions += 1;
        let greeting = if drop.ways.apop { "+OK ready <1896.697170952@model>\r\n" } else { "+OK ready\r\n" };
        PopPeer {
            server: self.clone(),
            number: drop.sessions,
            input: Vec::new(),
            out: greeting.into(),
            mails: None,
            user: false,
            exchange: false,
            deleted: BTreeSet::new(),
            closed: false,
        }
    }

    /// A host with a store in memory.
    pub fn host(&self, keep: Keep) -> Host {
        self.host_on(MemoryStorage::new(), keep)
    }

    /// A host with a store that may hold the account already.
    pub fn host_on(&self, storage: impl Storage, keep: Keep) -> Host {
        self.host_with(open(storage).expect("the storage opens"), keep)
    }

    pub fn host_with(&self, engine: Engine, keep: Keep) -> Host {
        if engine.accounts().expect("accounts").is_empty() {
            let settings = AccountSettings { keep, ..AccountSettings::pop3("pop", "pop.example.org", "ann") };
            engine.add_account(settings).expect("the account");
        }
        let server = self.clone();
        Host::with_engine_and_peers(engine, move || Box::new(server.session()))
    }
}

/// Connects anew and syncs, to the session's end.
#[track_caller]
pub fn sync(host: &mut Host) -> mailkeep::SyncSummary {
    let summary = try_sync(host);
    match summary {
        Ok(summary) => summary,
        Err(error) => panic!("the sync failed: {error}\n{}", host.said()),
    }
}

pub fn try_sync(host: &mut Host) -> mailkeep::Result<mailkeep::SyncSummary> {
    let result = host.try_sync(SyncScope::account());
    if host.link.is_some() {
        let request = host.connect().logout();
        let _ = host.run_request(request);
        host.quiesce();
        host.drop_connection();
    }
    assert_eq!(host.engine.verify().expect("the store can be read").problems, Vec::<String>::new());
    result
}

/// Every row of the inbox, oldest UID first.
pub fn rows(host: &Host) -> Vec<MessageRow> {
    let mut rows = host.engine.messages(host.inbox(), None, 10_000).expect("the inbox").rows;
    rows.sort_by_key(|row| row.uid);
    rows
}

/// The messages of the inbox as octets, sorted.
pub fn bodies(host: &Host) -> Vec<Vec<u8>> {
    let body = |row: &MessageRow| host.engine.body(row.id, 0, u64::MAX).expect("the message is there");
    let mut all: Vec<_> = rows(host).iter().map(|row| body(row).unwrap_or_default()).collect();
    all.sort();
    all
}

/// Some messages as POP3 hands them out, sorted.
pub fn sent(mails: &[PopMail]) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = mails.iter().map(|mail| whole_lines(&mail.raw)).collect();
    all.sort();
    all
}

fn whole_lines(raw: &[u8]) -> Vec<u8> {
    let mut raw = raw.to_vec();
    if !raw.is_empty() && !raw.ends_with(b"\r\n") {
        raw.extend_from_slice(b"\r\n");
    }
    raw
}

/// One connection's end.
pub struct PopPeer {
    server: PopServer,
    number: u32,
    input: Vec<u8>,
    out: Vec<u8>,
    /// The maildrop as it was at the login.
    mails: Option<Vec<PopMail>>,
    user: bool,
    exchange: bool,
    deleted: BTreeSet<usize>,
    closed: bool,
}

impl Peer for PopPeer {
    fn receive(&mut self, bytes: &[u8]) {
        if self.closed {
            return;
        }
        self.input.extend_from_slice(bytes);
        let mut answered = 0;
        while let Some(end) = super::mail::find(&self.input, b"\r\n") {
            let line: Vec<u8> = self.input.drain(..end + 2).collect();
            let line = String::from_utf8(line).expect("the client sends text").trim_end().to_owned();
            answered += 1;
            let mut drop = self.server.look();
            if answered > 1 && !drop.ways.pipelining {
                drop.violations.push(format!("pipelined: {line}"));
            }
            if line.len() > 253 {
                drop.violations.push(format!("{} octets in a line", line.len()));
            }
            std::mem::drop(drop);
            self.line(&line);
            if self.closed {
                return;
            }
        }
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    fn is_closed(&self) -> bool {
        self.closed && self.out.is_empty()
    }
}

impl PopPeer {
    fn say(&mut self, line: &str) {
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    fn line(&mut self, line: &str) {
        if std::mem::take(&mut self.exchange) {
            return self.prove(line);
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, self.mails.is_some()) {
            ("CAPA", _) => self.capa(),
            ("QUIT", _) => self.quit(),
            ("NOOP", true) => self.say("+OK"),
            ("STLS", false) => {
                self.say("+OK go");
                let behind = self.server.look().ways.behind_stls;
                self.out.extend_from_slice(behind);
            }
            ("UTF8", false) => self.say("+OK"),
            ("USER", false) => {
                if !self.server.look().ways.user {
                    return self.say("-ERR no USER here");
                }
                self.user = rest == "ann";
                self.say("+OK");
            }
            ("PASS", false) => self.decide(self.user && rest == "secret"),
            ("APOP", false) => {
                let offered = self.server.look().ways.apop;
                self.decide(offered && rest == "ann 3259e6249568e29fad9d96e8ab9797da");
            }
            ("AUTH", false) => match rest.split_once(' ') {
                Some((_, initial)) => self.prove(initial),
                None => {
                    self.exchange = true;
                    self.say("+ ");
                }
            },
            (_, true) => self.transaction(word, rest),
            _ => self.say("-ERR what?"),
        }
    }

    fn prove(&mut self, response: &str) {
        let said = from_base64(response.as_bytes());
        self.decide(said.as_deref() == Some(b"\0ann\0secret"));
    }

    fn decide(&mut self, right: bool) {
        let mut drop = self.server.look();
        if drop.ways.in_use > 0 {
            drop.ways.in_use -= 1;
            let closes = drop.ways.in_use_closes;
            std::mem::drop(drop);
            self.say("-ERR [IN-USE] another session has it");
            self.closed = closes;
            return;
        }
        if !right {
            std::mem::drop(drop);
            return self.say("-ERR [AUTH] no");
        }
        drop.logins += 1;
        self.mails = Some(drop.mails.clone());
        std::mem::drop(drop);
        self.say("+OK in");
    }

    fn capa(&mut self) {
        let ways = self.server.look().ways.clone();
        if !ways.capa {
            return self.say("-ERR what?");
        }
        self.say("+OK");
        let mut lines = vec!["RESP-CODES".to_owned()];
        lines.extend(ways.pipelining.then(|| "PIPELINING".to_owned()));
        lines.extend(ways.top.then(|| "TOP".to_owned()));
        lines.extend((ways.naming != Naming::None).then(|| "UIDL".to_owned()));
        lines.extend(ways.user.then(|| "USER".to_owned()));
        lines.extend((!ways.sasl.is_empty()).then(|| format!("SASL {}", ways.sasl.join(" "))));
        lines.extend(ways.more);
        lines.iter().for_each(|line| self.say(line));
        self.say(".");
    }

    fn size(&self, raw: &[u8]) -> i64 {
        raw.len() as i64 + self.server.look().ways.lie
    }

    fn transaction(&mut self, word: &str, rest: &str) {
        let ways = self.server.look().ways.clone();
        let mails = self.mails.clone().unwrap_or_default();
        let mut numbers = rest.split(' ').map(|n| n.parse::<usize>().unwrap_or(0));
        let at = numbers.next().unwrap_or(0).wrapping_sub(1);
        let there = at < mails.len() && !self.deleted.contains(&at);
        match word {
            "LIST" => {
                self.say("+OK");
                for (at, mail) in mails.iter().enumerate() {
                    if self.deleted.contains(&at) {
                        continue;
                    }
                    let size = self.size(&mail.raw);
                    self.say(&format!("{} {size}", at + 1));
                }
                self.say(".");
            }
            "UIDL" if ways.naming == Naming::None => self.say("-ERR what?"),
            "UIDL" => {
                self.say("+OK");
                for (at, mail) in mails.iter().enumerate() {
                    let name = match ways.naming {
                        Naming::Unique | Naming::None => mail.uidl.clone(),
                        Naming::Repeated => "same".into(),
                        Naming::Empty => String::new(),
                        Naming::Long => format!("{}{}", mail.uidl, "x".repeat(200)),
                        Naming::Changing => format!("{}-{}", mail.uidl, self.number),
                        Naming::Path => format!("../../../../tmp/{}", mail.uidl),
                        Naming::Some if at % 2 == 0 => continue,
                        Naming::Some => mail.uidl.clone(),
                    };
                    self.say(&format!("{} {name}", at + 1));
                }
                self.say(".");
            }
            "TOP" if !ways.top => self.say("-ERR what?"),
            "TOP" | "RETR" if !there => self.say("-ERR no such message"),
            "TOP" => {
                self.server.look().tops += 1;
                let lines = numbers.next().unwrap_or(0);
                let raw = whole_lines(&mails[at].raw);
                let end = super::mail::header_end(&raw);
                let mut top = raw[..end].to_vec();
                let body: Vec<&[u8]> = raw[end..].split_inclusive(|b| *b == b'\n').take(lines).collect();
                top.extend(body.concat());
                self.text(&top);
            }
            "RETR" => {
                self.server.look().retrs += 1;
                self.text(&whole_lines(&mails[at].raw));
            }
            "DELE" if there => {
                self.deleted.insert(at);
                self.say("+OK");
            }
            "DELE" => self.say("-ERR no such message"),
            "RSET" => {
                self.deleted.clear();
                self.say("+OK");
            }
            "STAT" => self.say(&format!("+OK {} 0", mails.len())),
            _ => self.say("-ERR what?"),
        }
    }

    fn text(&mut self, raw: &[u8]) {
        self.say("+OK");
        if self.server.look().ways.state_fields {
            let field = format!("Status: {}", self.number);
            self.say(&field);
        }
        let mut begins = true;
        for (at, octet) in raw.iter().enumerate() {
            if begins && *octet == b'.' {
                self.out.push(b'.');
            }
            self.out.push(*octet);
            begins = raw[..=at].ends_with(b"\r\n");
        }
        self.say(".");
    }

    fn quit(&mut self) {
        self.closed = true;
        let Some(mails) = &self.mails else { return self.say("+OK bye") };
        let mut drop = self.server.look();
        if drop.ways.quit_fails {
            std::mem::drop(drop);
            return self.say("-ERR some messages were not removed");
        }
        for at in &self.deleted {
            let gone = &mails[*at];
            if let Some(place) = drop.mails.iter().position(|m| m.uidl == gone.uidl && m.raw == gone.raw) {
                let gone = drop.mails.remove(place);
                drop.deleted.push(gone);
            }
        }
        let lost = drop.ways.quit_is_lost;
        std::mem::drop(drop);
        if !lost {
            self.say("+OK bye");
        }
    }
}
