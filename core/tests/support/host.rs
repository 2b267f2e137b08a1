//! A host under a virtual clock: it moves bytes between connections and a peer, and runs commits.

use std::rc::Rc;

use mailkeep::sasl::{Credentials, Secret};
use mailkeep::{
    AccountId, AccountSettings, Commit, CommitMode, Connection, ConnectionOptions, Engine, EngineOptions,
    Error, Event, MailboxId, MemoryStorage, MessageId, Now, RequestId, Role, Storage, SyncScope, SyncSummary,
    WorkLimit,
};

use super::Dice;
use super::far::FarSide;
use super::snapshot::{self, Snapshot};

/// The other end of a connection.
pub trait Peer {
    /// Bytes from the client.
    fn receive(&mut self, bytes: &[u8]);
    /// Bytes for the client.
    fn take(&mut self) -> Vec<u8>;
    /// Nothing more will come.
    fn is_closed(&self) -> bool;
    /// The end of the test's interest in it: what was expected and did not come.
    fn finish(&mut self) {}
    /// It ended because a test wanted the connection to break.
    fn was_cut(&self) -> bool {
        false
    }
}

/// How the host behaves.
#[derive(Debug, Clone)]
pub struct Knobs {
    /// Octets given to a connection at a time.
    pub chunk: usize,
    /// The connection breaks after so many octets from the server; each entry is for one connection.
    pub cuts: Vec<u64>,
    /// Every connection breaks after so many octets.
    pub cut_every: Option<u64>,
    pub commits: CommitMode,
    /// With commits run by the host: how many turns one waits at most.
    pub commit_delay: u64,
    pub seed: u64,
    pub limit: WorkLimit,
    pub secure: bool,
    /// Milliseconds that each turn takes.
    pub turn_ms: u64,
    pub answer_credentials: bool,
}

impl Default for Knobs {
    fn default() -> Knobs {
        Knobs {
            chunk: usize::MAX,
            cuts: Vec::new(),
            cut_every: None,
            commits: CommitMode::Inline,
            commit_delay: 0,
            seed: 1,
            limit: WorkLimit::NONE,
            secure: true,
            turn_ms: 0,
            answer_credentials: true,
        }
    }
}

/// A connection and what is on its way.
pub struct Link {
    pub connection: Connection,
    peer: Box<dyn Peer>,
    inbox: Vec<u8>,
    /// Octets from the server so far.
    received: u64,
    cut: Option<u64>,
    commit: Option<(Commit, u64)>,
    /// How much of the inbox the next call gets, where a smaller piece was not taken.
    widen: usize,
}

/// The host.
pub struct Host {
    pub engine: Engine,
    pub account: AccountId,
    pub knobs: Knobs,
    pub now: Now,
    /// Everything that happened, oldest first.
    pub events: Vec<Event>,
    /// Octets to the client, each connection's.
    pub received: Vec<u64>,
    /// What was said on all connections.
    pub transcript: Vec<u8>,
    pub link: Option<Link>,
    /// The last connection broke because the knobs said so.
    pub was_cut: bool,
    /// The case under test, for a failure's message.
    pub label: String,
    peers: Box<dyn FnMut() -> Box<dyn Peer>>,
    server: Option<Rc<dyn FarSide>>,
    dice: Dice,
}

/// 2026-01-20 00:00 UTC: ten days after the model server's first mail.
const WALL_MS: i64 = 1_768_867_200_000;

/// An engine with the least that keeps it quick in tests.
pub fn open(storage: impl Storage) -> mailkeep::Result<Engine> {
    Engine::open(storage, EngineOptions { cache_bytes: 4 << 20, ..EngineOptions::small(7) })
}

/// An engine that is quicker to commit and slower to repair, for tests without faults of the disk.
pub fn open_quick(storage: impl Storage) -> mailkeep::Result<Engine> {
    Engine::open(
        storage,
        EngineOptions { cache_bytes: 1 << 20, quick_repair: false, ..EngineOptions::small(7) },
    )
}

impl Host {
    /// A new store, and a server.
    pub fn new(server: &(impl FarSide + ?Sized)) -> Host {
        let engine = open(MemoryStorage::new()).expect("memory opens");
        Host::with_engine(engine, server)
    }

    /// A new store, and peers of the test's own, one for each connection.
    pub fn with_peers(peers: impl FnMut() -> Box<dyn Peer> + 'static) -> Host {
        let engine = open(MemoryStorage::new()).expect("memory opens");
        Host::build(engine, Box::new(peers), None)
    }

    /// A store that may hold the account already.
    pub fn with_engine(engine: Engine, server: &(impl FarSide + ?Sized)) -> Host {
        let far = server.handle();
        Host::build(engine, Box::new(move || far.peer()), Some(server.handle()))
    }

    /// A store that may hold the account already, and sessions of a server that the test hands out.
    pub fn with_sessions(
        engine: Engine,
        server: &(impl FarSide + ?Sized),
        peers: impl FnMut() -> Box<dyn Peer> + 'static,
    ) -> Host {
        Host::build(engine, Box::new(peers), Some(server.handle()))
    }

    /// A store that holds the account, and peers of the test's own.
    pub fn with_engine_and_peers(engine: Engine, peers: impl FnMut() -> Box<dyn Peer> + 'static) -> Host {
        Host::build(engine, Box::new(peers), None)
    }

    fn build(
        engine: Engine,
        peers: Box<dyn FnMut() -> Box<dyn Peer>>,
        server: Option<Rc<dyn FarSide>>,
    ) -> Host {
        let account = match engine.accounts().expect("accounts").first() {
            Some(account) => account.id,
            None => {
                engine.add_account(AccountSettings::imap("test", "mail.example.org", "ann")).expect("account")
            }
        };
        Host {
            engine,
            account,
            knobs: Knobs::default(),
            now: Now::new(1_000, WALL_MS),
            events: Vec::new(),
            received: Vec::new(),
            transcript: Vec::new(),
            link: None,
            was_cut: false,
            label: String::new(),
            peers,
            server,
            dice: Dice::new(1),
        }
    }

    #[must_use]
    pub fn knobs(mut self, set: impl FnOnce(&mut Knobs)) -> Host {
        set(&mut self.knobs);
        self.dice = Dice::new(self.knobs.seed);
        self
    }

    /// Changes the account's settings.
    #[must_use]
    pub fn settings(self, set: impl FnOnce(&mut AccountSettings)) -> Host {
        let accounts = self.engine.accounts().expect("accounts");
        let mut settings =
            accounts.into_iter().find(|a| a.id == self.account).expect("the account is there").settings;
        set(&mut settings);
        self.engine.update_account(self.account, settings).expect("the settings fit");
        self
    }

    /// The connection, made where there is none.
    pub fn connect(&mut self) -> &mut Connection {
        if self.link.is_none() {
            let mut options = ConnectionOptions::new([7; 32], self.knobs.secure);
            options.commits = self.knobs.commits;
            let mut connection = self.engine.connect(self.account, options).expect("the engine connects");
            connection.set_work_limit(self.knobs.limit);
            let cut = if self.knobs.cuts.is_empty() {
                self.knobs.cut_every
            } else {
                Some(self.knobs.cuts.remove(0))
            };
            let peer = (self.peers)();
            self.was_cut = false;
            self.received.push(0);
            self.link =
                Some(Link { connection, peer, inbox: Vec::new(), received: 0, cut, commit: None, widen: 0 });
        }
        &mut self.link.as_mut().expect("it was just made").connection
    }

    /// Syncs the account; connections that the knobs break are made again until it is done.
    #[track_caller]
    pub fn sync_all(&mut self) -> SyncSummary {
        match self.try_sync(SyncScope::account()) {
            Ok(summary) => summary,
            Err(error) => panic!("the sync failed: {error}\n{}", self.said()),
        }
    }

    #[track_caller]
    pub fn try_sync(&mut self, scope: SyncScope) -> Result<SyncSummary, Error> {
        const MOST: u32 = 20_000;
        self.set_clock(self.now.mono_ms + 1_000);
        for _ in 0..MOST {
            let request = self.connect().sync(scope.clone());
            let result = self.run_request(request);
            self.check();
            match result {
                Err(_) if self.was_cut => {}
                result => return result,
            }
        }
        panic!("{MOST} connections, and no end\n{}", self.said());
    }

    /// Goes on until a request is done.
    #[track_caller]
    pub fn run_request(&mut self, request: RequestId) -> Result<SyncSummary, Error> {
        let from = self.events.len();
        let mut looked = from;
        loop {
            let moved = self.turn();
            while looked < self.events.len() {
                if matches!(&self.events[looked], Event::Done { request: r, .. } if *r == request) {
                    let Event::Done { result, .. } = self.events.remove(looked) else { unreachable!() };
                    // A connection that ended is seen to its end.
                    while self.link.as_ref().is_some_and(|l| l.connection.is_closed()) && self.turn() {}
                    return result;
                }
                looked += 1;
            }
            if !moved && !self.wait() {
                panic!("nothing moves any more\n{}", self.said());
            }
        }
    }

    /// Goes on until nothing moves without time passing.
    pub fn quiesce(&mut self) {
        while self.turn() {}
    }

    /// Lets time pass, in which due timers go off.
    pub fn pass_ms(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        self.quiesce();
        while let Some(due) = self.deadline().filter(|due| *due <= end) {
            self.set_clock(due.max(self.now.mono_ms));
            self.timeout();
            self.quiesce();
        }
        self.set_clock(end);
    }

    pub fn deadline(&self) -> Option<u64> {
        self.link.as_ref().and_then(|l| l.connection.poll_timeout())
    }

    /// The wall clock goes on, and nothing else.
    pub fn wall_passes(&mut self, ms: i64) {
        self.now.wall_ms += ms;
    }

    fn set_clock(&mut self, mono_ms: u64) {
        self.now.wall_ms += (mono_ms - self.now.mono_ms) as i64;
        self.now.mono_ms = mono_ms;
    }

    fn timeout(&mut self) {
        self.drain();
        if let Some(link) = &mut self.link {
            link.connection.handle_timeout(self.now).expect("outputs were drained");
        }
        self.drain();
    }

    /// Nothing moves: the clock goes on to the next timer. False where there is none.
    pub fn wait(&mut self) -> bool {
        let Some(due) = self.deadline() else { return false };
        self.set_clock(due.max(self.now.mono_ms));
        self.timeout();
        true
    }

    /// One step. Returns whether anything moved.
    pub fn turn(&mut self) -> bool {
        let mut moved = self.drain();
        if self.knobs.turn_ms > 0 {
            self.set_clock(self.now.mono_ms + self.knobs.turn_ms);
            if self.deadline().is_some_and(|due| due <= self.now.mono_ms) {
                self.timeout();
            }
        }
        moved |= self.run_commit();
        moved |= self.pull();
        moved |= self.feed();
        moved |= self.end_if_over();
        moved | self.drain()
    }

    /// Takes everything that the connection gives out.
    fn drain(&mut self) -> bool {
        let mut moved = false;
        while let Some(link) = &mut self.link {
            let mut again = false;
            while let Some(bytes) = link.connection.poll_transmit() {
                self.transcript.extend(prefixed(b"C: ", &bytes));
                if !link.connection.is_closed() {
                    link.peer.receive(&bytes);
                }
                again = true;
            }
            if let Some(commit) = link.connection.poll_commit() {
                assert!(link.commit.is_none(), "one commit at a time");
                link.commit = Some((commit, self.dice.below(self.knobs.commit_delay + 1)));
                again = true;
            }
            let mut asked = false;
            while let Some(event) = link.connection.poll_event() {
                match &event {
                    Event::NeedCredentials { .. } => asked = true,
                    Event::Stored { commit } => {
                        if let Ok(stats) = self.engine.stats() {
                            assert!(*commit <= stats.commit, "said to be stored and is not");
                        }
                    }
                    Event::NewMail { message, .. } => {
                        let found = self.engine.message(*message);
                        assert!(!matches!(found, Err(Error::Gone(_))), "new mail that is not there");
                    }
                    _ => {}
                }
                self.events.push(event);
                again = true;
            }
            if asked && self.knobs.answer_credentials {
                let _ = link.connection.provide_credentials(credentials());
            }
            if !again {
                return moved;
            }
            moved = true;
        }
        moved
    }

    fn run_commit(&mut self) -> bool {
        let Some(link) = &mut self.link else { return false };
        match &mut link.commit {
            Some((_, turns)) if *turns > 0 => *turns -= 1,
            Some(_) => {
                let (commit, _) = link.commit.take().expect("it is there");
                let done = commit.run();
                link.connection.handle_commit(self.now, done).expect("a commit was under way");
                self.drain();
            }
            None => return false,
        }
        true
    }

    fn pull(&mut self) -> bool {
        let Some(link) = &mut self.link else { return false };
        let mut bytes = link.peer.take();
        if let Some(cut) = link.cut {
            let left = usize::try_from(cut - link.received).unwrap_or(usize::MAX);
            bytes.truncate(left);
        }
        link.received += bytes.len() as u64;
        *self.received.last_mut().expect("a connection was made") += bytes.len() as u64;
        self.transcript.extend(prefixed(b"S: ", &bytes));
        let moved = !bytes.is_empty();
        link.inbox.extend(bytes);
        moved
    }

    fn feed(&mut self) -> bool {
        let Some(link) = &mut self.link else { return false };
        if link.inbox.is_empty() || link.connection.is_closed() {
            return false;
        }
        let len = self.knobs.chunk.max(link.widen).min(link.inbox.len());
        let progress =
            link.connection.handle_input(self.now, &link.inbox[..len]).expect("outputs were drained");
        link.inbox.drain(..progress.consumed);
        link.widen = if progress.consumed == 0 && !progress.more { len + 1 } else { 0 };
        self.drain();
        let Some(link) = &mut self.link else { return true };
        progress.consumed > 0 || progress.more && link.commit.is_some() || len < link.inbox.len()
    }

    fn end_if_over(&mut self) -> bool {
        let Some(link) = &mut self.link else { return false };
        if link.connection.is_closed() {
            if link.commit.is_some() {
                return true;
            }
            let mut link = self.link.take().expect("it is there");
            link.peer.finish();
            return true;
        }
        let cut = link.cut == Some(link.received);
        if !link.inbox.is_empty() || !(cut || link.peer.is_closed()) {
            return false;
        }
        self.was_cut = cut || link.peer.was_cut();
        link.connection.handle_eof(self.now).expect("outputs were drained");
        self.drain();
        true
    }

    /// What must hold after every sync.
    #[track_caller]
    pub fn check(&self) {
        if let Some(server) = &self.server {
            assert_eq!(server.violations(), Vec::<String>::new(), "the client keeps to what is offered");
        }
    }

    /// The connection is dropped without a word, as when a program ends.
    pub fn drop_connection(&mut self) {
        self.link = None;
    }

    /// The transport breaks now.
    pub fn break_off(&mut self) {
        self.drain();
        if let Some(link) = &mut self.link
            && !link.connection.is_closed()
        {
            link.connection.handle_eof(self.now).expect("outputs were drained");
        }
        self.quiesce();
        self.link = None;
    }

    pub fn snapshot(&self) -> Snapshot {
        snapshot::snapshot(&self.engine, self.account)
    }

    #[track_caller]
    pub fn assert_in_step(&self) {
        let server = self.server.as_ref().expect("a far side");
        if !snapshot::is_in_step(&self.engine, self.account, &**server) {
            eprintln!("in the case {}\n{}", self.label, self.said());
            snapshot::assert_in_step(&self.engine, self.account, &**server);
        }
    }

    pub fn mailbox(&self, name: &str) -> MailboxId {
        let all = self.engine.mailboxes(self.account).expect("mailboxes");
        all.into_iter().find(|m| m.name == name).expect("the mailbox is there").id
    }

    pub fn inbox(&self) -> MailboxId {
        let all = self.engine.mailboxes(self.account).expect("mailboxes");
        all.into_iter().find(|m| m.role == Some(Role::Inbox)).expect("INBOX is there").id
    }

    /// Messages that events called new, since the last look.
    pub fn take_new_mail(&mut self) -> Vec<MessageId> {
        let mut new = Vec::new();
        self.events.retain(|event| match event {
            Event::NewMail { message, .. } => {
                new.push(*message);
                false
            }
            _ => true,
        });
        new
    }

    /// What the engine called a problem, since the last look.
    pub fn take_problems(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        self.events.retain(|event| match event {
            Event::Problem { text } => {
                problems.push(text.clone());
                false
            }
            _ => true,
        });
        problems
    }

    /// How the last connection ended.
    pub fn closed(&self) -> Option<&Option<Error>> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Closed { error } => Some(error),
            _ => None,
        })
    }

    /// The end of the transcript, for a failure's message.
    pub fn said(&self) -> String {
        let from = self.transcript.len().saturating_sub(6_000);
        let text = String::from_utf8_lossy(&self.transcript[from..]).into_owned();
        let last: Vec<_> = self.events.iter().rev().take(5).collect();
        format!("{text}\nlast events, newest first: {last:?}")
    }
}

pub fn credentials() -> Credentials {
    Credentials::Password { user: "ann".into(), authzid: None, password: Secret::new("secret") }
}

fn prefixed(prefix: &[u8], bytes: &[u8]) -> Vec<u8> {
    const SHOWN: usize = 2_000;
    let mut out = Vec::new();
    for line in bytes[..bytes.len().min(SHOWN)].split_inclusive(|b| *b == b'\n') {
        out.extend_from_slice(prefix);
        out.extend_from_slice(line);
    }
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.push(b'\n');
    }
    out
}
