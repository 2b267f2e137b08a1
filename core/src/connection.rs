//! One connection's worth of protocol for one account, without the socket.
//!
//! The methods come in four kinds. *Getters* are nouns. *`handle_*`* takes in what happened: bytes,
//! the end of the stream, a timer. *Wishes* ([`Connection::sync`], [`Connection::fetch`], …) say what
//! is wanted. *`poll_*`* gives out what is to be done. After every call of the first three kinds,
//! drain [`Connection::poll_transmit`], [`Connection::poll_event`] and (where the host runs commits)
//! [`Connection::poll_commit`] until each is empty: mutate, then drain. Input given before that is
//! refused with [`Error::Misuse`].

use crate::engine::Shared;
use crate::error::{Error, Result};
use crate::ids::{AccountId, MailboxId, MessageId, RequestId};
use crate::imap::client::Inbound;
use crate::imap::parse;
use crate::limits::Limits;
use crate::model::BodyPolicy;
use crate::sasl::{ChannelBinding, Credentials};
use crate::store::SharedStore;
use crate::store::apply::{Outcome, apply};
use crate::store::batch::Batch;
use crate::sync::{Driver, Next, Wish};
use crate::time::Now;
use crate::wire::Piece;

use std::sync::Arc;

/// Facts wait at most this long for company before they are committed.
const BATCH_MS: u64 = 250;

/// Something that happened, for the host. Events are hints; the change feed is the truth.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Start TLS on the transport now, then call [`Connection::handle_tls_started`].
    StartTls,
    /// Call [`Connection::provide_credentials`] or [`Connection::decline_credentials`].
    NeedCredentials {
        /// SASL mechanisms that the server offers, and `LOGIN-COMMAND`.
        mechanisms: Vec<String>,
    },
    /// The server agreed to the credentials.
    Authenticated,
    /// The server asks that a person sees this (`[ALERT]`).
    Alert {
        /// The server's words, without control characters.
        text: String,
    },
    /// Something is wrong that the sync goes on in spite of.
    Problem {
        /// What, for a log.
        text: String,
    },
    /// The account's mailboxes are listed in the store.
    MailboxesListed,
    /// A mailbox's messages are coming in.
    Progress {
        /// The sync.
        request: RequestId,
        /// The mailbox.
        mailbox: MailboxId,
        /// Messages that have come.
        done: u64,
        /// Messages to come in all.
        total: u64,
    },
    /// A commit is durable.
    Stored {
        /// Its number in the change feed.
        commit: u64,
    },
    /// A new message is durable. It stays in [`Engine::new_mail`](crate::Engine::new_mail) until it is acknowledged.
    NewMail {
        /// Its mailbox.
        mailbox: MailboxId,
        /// The message.
        message: MessageId,
    },
    /// A message that was asked for is here whole.
    Opened {
        /// The request.
        request: RequestId,
        /// The message.
        message: MessageId,
    },
    /// A request is done.
    Done {
        /// The request.
        request: RequestId,
        /// How it went.
        result: Result<SyncSummary>,
    },
    /// The connection is of no more use; close the transport.
    Closed {
        /// Why, or `None` where it was signed out.
        error: Option<Error>,
    },
}

/// What a sync did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncSummary {
    /// Messages entered.
    pub messages_added: u64,
    /// Messages that went.
    pub messages_removed: u64,
    /// Messages whose flags changed.
    pub flags_changed: u64,
    /// Octets from the server since the last sync's end (since the connection began, for the first).
    pub bytes_received: u64,
    /// Octets to the server, likewise.
    pub bytes_sent: u64,
    /// Waits for the server with nothing left to send, likewise; the greeting is one.
    pub round_trips: u64,
    /// Commands sent, likewise.
    pub commands: u64,
}

/// What a sync is to cover.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncScope {
    mailboxes: Option<Vec<MailboxId>>,
    bodies: Option<BodyPolicy>,
    quiet: bool,
}

impl SyncScope {
    /// The whole account.
    pub fn account() -> SyncScope {
        SyncScope::default()
    }

    /// These mailboxes only; the list of mailboxes is not asked for.
    pub fn only(mailboxes: impl IntoIterator<Item = MailboxId>) -> SyncScope {
        SyncScope { mailboxes: Some(mailboxes.into_iter().collect()), ..SyncScope::default() }
    }

    /// Another policy for bodies than the account's, this time.
    #[must_use]
    pub fn with_bodies(mut self, bodies: BodyPolicy) -> SyncScope {
        self.bodies = Some(bodies);
        self
    }

    /// One mailbox, on the way to something else: no event says that it is done.
    pub(crate) fn quiet(mailbox: MailboxId) -> SyncScope {
        SyncScope { mailboxes: Some(vec![mailbox]), bodies: None, quiet: true }
    }

    pub(crate) fn mailboxes(&self) -> Option<&[MailboxId]> {
        self.mailboxes.as_deref()
    }

    pub(crate) fn bodies(&self) -> Option<BodyPolicy> {
        self.bodies
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }
}

/// How much one call may do before it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkLimit {
    /// Octets of input taken, at most about this many.
    pub bytes: usize,
    /// Responses handled, at most.
    pub responses: usize,
}

impl WorkLimit {
    /// As much as there is.
    pub const NONE: WorkLimit = WorkLimit { bytes: usize::MAX, responses: usize::MAX };
}

/// What a call did of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Octets of the input that were taken. Give the rest again, with what came since.
    pub consumed: usize,
    /// There is more to do without further input: call again with the rest, or with nothing.
    pub more: bool,
}

/// Who runs commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommitMode {
    /// The connection, within the call that makes one due.
    #[default]
    Inline,
    /// The host, on a thread of its own: it takes commits from [`Connection::poll_commit`], runs them, and
    /// hands the results to [`Connection::handle_commit`]. The socket never waits for the disk.
    Host,
}

/// What a connection is made with.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionOptions {
    /// Randomness: 32 octets no one else knows. Tags and nonces are made of it.
    pub seed: [u8; 32],
    /// The transport is encrypted already. Credentials are refused on one that is not, unless the account is [`Security::Insecure`](crate::Security::Insecure).
    pub secure: bool,
    /// Who runs commits.
    pub commits: CommitMode,
    /// How long the server may be silent while an answer is due, in milliseconds.
    pub timeout_ms: u64,
}

impl ConnectionOptions {
    /// With a seed, over a transport that is encrypted or not.
    pub fn new(seed: [u8; 32], secure: bool) -> ConnectionOptions {
        ConnectionOptions { seed, secure, commits: CommitMode::Inline, timeout_ms: 120_000 }
    }
}

/// A commit that is due: a value to run, on any thread.
pub struct Commit {
    store: SharedStore,
    batch: Batch,
    limits: Limits,
    next: Option<Next>,
}

impl Commit {
    /// Makes everything in it durable.
    pub fn run(mut self) -> CommitDone {
        self.batch.prepare(&self.limits);
        let now = self.batch.now_wall_ms;
        let batch = self.batch;
        let outcome = self.store.write(now, |w| apply(w, batch)).map(|(mut outcome, commit)| {
            outcome.commit = commit;
            outcome
        });
        CommitDone { outcome, next: self.next }
    }
}

impl std::fmt::Debug for Commit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Commit({} octets)", self.batch.weight())
    }
}

/// A commit that was run.
pub struct CommitDone {
    outcome: Result<Outcome>,
    next: Option<Next>,
}

impl std::fmt::Debug for CommitDone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CommitDone({})", if self.outcome.is_ok() { "durable" } else { "failed" })
    }
}

/// One connection. See the [module](self) for the order of calls.
pub struct Connection {
    shared: Arc<Shared>,
    account: AccountId,
    options: ConnectionOptions,
    inbound: Inbound,
    driver: Driver,
    limit: WorkLimit,
    ready: Option<Commit>,
    /// A commit is with the host.
    outstanding: bool,
    batch_since: Option<u64>,
    last_progress: Option<u64>,
    /// Something was sent, or the greeting is awaited, since the last input.
    turn: bool,
    closed: bool,
    now: Now,
    next_request: u32,
}

impl Connection {
    pub(crate) fn new(
        shared: Arc<Shared>,
        account: AccountId,
        options: ConnectionOptions,
        driver: Driver,
    ) -> Connection {
        Connection {
            inbound: Inbound::new(&shared.limits),
            shared,
            account,
            options,
            driver,
            limit: WorkLimit::NONE,
            ready: None,
            outstanding: false,
            batch_since: None,
            last_progress: None,
            turn: true,
            closed: false,
            now: Now::default(),
            next_request: 0,
        }
    }

    /// The account that this connection serves.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Whether the connection is of no more use.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// How much each call may do from now on.
    pub fn set_work_limit(&mut self, limit: WorkLimit) {
        self.limit = limit;
    }

    /// Bytes came from the server, cut anywhere. Returns how many were taken; the rest is to be given
    /// again, in front of what comes next.
    ///
    /// # Errors
    /// [`Error::Misuse`] where outputs were not drained or the connection is closed. What the server does
    /// wrong comes as [`Event::Closed`].
    pub fn handle_input(&mut self, now: Now, input: &[u8]) -> Result<Progress> {
        self.enter(now)?;
        if self.turn && !input.is_empty() {
            self.turn = false;
            self.driver.meter.round_trips += 1;
        }
        let mut rest = input;
        let outcome = self.take_in(&mut rest);
        let consumed = input.len() - rest.len();
        self.driver.meter.received += consumed as u64;
        let more = match outcome {
            Ok(more) => more && !self.closed,
            Err(error) => {
                self.end(error);
                false
            }
        };
        Ok(Progress { consumed, more })
    }

    fn take_in(&mut self, rest: &mut &[u8]) -> Result<bool> {
        let begin = rest.len();
        let mut responses = 0;
        loop {
            if self.driver.awaits_tls() && !rest.is_empty() {
                // Whatever came in the clear behind STARTTLS's OK was injected.
                return Err(Error::Protocol("data behind STARTTLS and before TLS".into()));
            }
            let full = self.outstanding && self.driver.batch.weight() >= self.shared.batch_bytes;
            if full || begin - rest.len() >= self.limit.bytes || responses >= self.limit.responses {
                let left = !rest.is_empty() || self.inbound.holds_inflated();
                return Ok(left);
            }
            let Connection { inbound, driver, .. } = self;
            let Some(piece) = inbound.next(rest)? else {
                if !self.inbound.has_more(rest) {
                    break;
                }
                continue;
            };
            self.last_progress = Some(self.now.mono_ms);
            let mut compressed = false;
            match piece {
                Piece::LiteralStart { head, streamed, len } => driver.literal_start(head, streamed, len),
                Piece::LiteralData(data) => driver.literal_data(data),
                Piece::LiteralEnd => {}
                Piece::Response(frame) => {
                    responses += 1;
                    match parse::response(frame) {
                        Ok(response) => compressed = driver.response(&response)?,
                        Err(error) => driver.unreadable(&error.to_string(), error.tagged)?,
                    }
                }
            }
            if compressed {
                self.inbound.start_inflating(&self.shared.limits);
            }
            self.commit_if_due(false)?;
        }
        self.note_batch();
        Ok(false)
    }

    /// The transport ended. What came whole is kept; what came in part goes on next time.
    ///
    /// # Errors
    /// [`Error::Misuse`] where outputs were not drained.
    pub fn handle_eof(&mut self, now: Now) -> Result<()> {
        if self.closed {
            return Ok(());
        }
        self.enter(now)?;
        self.end(Error::Disconnected("the server closed the connection".into()));
        Ok(())
    }

    /// The time that [`Connection::poll_timeout`] named has come, or some other.
    ///
    /// # Errors
    /// As [`Connection::handle_input`].
    pub fn handle_timeout(&mut self, now: Now) -> Result<()> {
        self.enter(now)?;
        let due = |at: Option<u64>| at.is_some_and(|at| now.mono_ms >= at);
        let outcome = if due(self.silence_deadline()) {
            Err(Error::TimedOut)
        } else if due(self.batch_since.map(|at| at + BATCH_MS)) {
            self.commit_if_due(true)
        } else {
            Ok(())
        };
        let outcome = match outcome {
            Ok(()) if due(self.driver.idle_deadline()) => self.driver.idle_timeout(),
            other => other,
        };
        if let Err(error) = outcome {
            self.end(error);
        }
        self.note_batch();
        Ok(())
    }

    /// The host's TLS handshake is done. `binding` is channel-binding data for SCRAM-…-PLUS, where the
    /// host's TLS library gives it.
    ///
    /// # Errors
    /// [`Error::Misuse`] where no handshake was asked for.
    pub fn handle_tls_started(&mut self, now: Now, binding: Option<ChannelBinding>) -> Result<()> {
        self.enter(now)?;
        let Driver { login, out, .. } = &mut self.driver;
        let told = login.tls_started(binding, out)?;
        self.inbound = Inbound::new(&self.shared.limits);
        self.tell_login(Ok(told));
        Ok(())
    }

    /// Credentials, asked for by [`Event::NeedCredentials`] or given ahead. The engine's copy is wiped
    /// when it has been used, and never stored.
    ///
    /// # Errors
    /// [`Error::LoginImpossible`] where the connection is not secure and the account does not allow that.
    pub fn provide_credentials(&mut self, credentials: Credentials) -> Result<()> {
        let Driver { login, out, .. } = &mut self.driver;
        let told = login.provide(credentials, out);
        self.tell_login(told);
        Ok(())
    }

    /// There are no credentials: the connection ends.
    pub fn decline_credentials(&mut self) {
        self.end(Error::LoginImpossible("no credentials were given".into()));
    }

    fn tell_login(&mut self, told: Result<Vec<crate::imap::client::login::LoginEvent>>) {
        let outcome = told.and_then(|told| self.driver.login_told(told)).map(|_| ());
        if let Err(error) = outcome.and_then(|()| self.commit_if_due(false)) {
            self.end(error);
        }
    }

    /// Bring the account, or some of its mailboxes, into step with the server.
    pub fn sync(&mut self, scope: SyncScope) -> RequestId {
        self.wish(|request| Wish::Sync { request, scope })
    }

    /// Bring one message here whole.
    pub fn fetch(&mut self, message: MessageId) -> RequestId {
        self.wish(|request| Wish::Open { request, message, retried: false })
    }

    /// Watch a mailbox whenever nothing else is to be done, and keep it in step.
    pub fn watch(&mut self, mailbox: MailboxId) -> RequestId {
        self.wish(|request| Wish::Watch { request, mailbox })
    }

    /// Watch no longer.
    pub fn stop_watching(&mut self) {
        let outcome = self.driver.stop_watching(None);
        self.settle(outcome);
    }

    /// Sign out and close, when everything asked before is done.
    pub fn logout(&mut self) -> RequestId {
        self.wish(|request| Wish::Logout { request })
    }

    /// Takes a request back, at the next point where nothing is lost by it.
    pub fn cancel(&mut self, request: RequestId) {
        let outcome = self.driver.cancel(request);
        self.settle(outcome);
    }

    fn wish(&mut self, wish: impl FnOnce(RequestId) -> Wish) -> RequestId {
        self.next_request += 1;
        let request = RequestId(self.next_request);
        if self.closed {
            let result = Err(Error::Disconnected("the connection is closed".into()));
            self.driver.events.push_back(Event::Done { request, result });
            return request;
        }
        self.driver.wishes.push_back(wish(request));
        let outcome = self.driver.advance();
        self.settle(outcome);
        request
    }

    fn settle(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome.and_then(|()| self.commit_if_due(false)) {
            self.end(error);
        }
    }

    /// Bytes for the server; `None` when there are none.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        let bytes = self.driver.out.take()?;
        self.driver.meter.sent += bytes.len() as u64;
        self.turn = true;
        self.last_progress = Some(self.now.mono_ms);
        Some(bytes)
    }

    /// What happened; `None` when there is no more.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.driver.events.pop_front()
    }

    /// The time, on the host's monotonic clock in milliseconds, at which [`Connection::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<u64> {
        if self.closed {
            return None;
        }
        let batch = self.batch_since.map(|at| at + BATCH_MS);
        [batch, self.driver.idle_deadline(), self.silence_deadline()].into_iter().flatten().min()
    }

    /// A commit to run, with [`CommitMode::Host`]; there may be one even after the connection closed.
    pub fn poll_commit(&mut self) -> Option<Commit> {
        self.ready.take()
    }

    /// A commit that was taken has been run.
    ///
    /// # Errors
    /// [`Error::Misuse`] where none was under way.
    pub fn handle_commit(&mut self, now: Now, done: CommitDone) -> Result<()> {
        self.set_now(now);
        if !std::mem::take(&mut self.outstanding) {
            return Err(Error::Misuse("no commit was under way"));
        }
        let outcome = self.commit_done(done).and_then(|()| self.commit_if_due(false));
        if let Err(error) = outcome {
            self.end(error);
        }
        self.note_batch();
        Ok(())
    }

    fn enter(&mut self, now: Now) -> Result<()> {
        if self.closed {
            return Err(Error::Misuse("the connection is closed"));
        }
        if self.driver.out.has_output() || !self.driver.events.is_empty() {
            return Err(Error::Misuse("poll_transmit and poll_event were not drained"));
        }
        self.set_now(now);
        Ok(())
    }

    fn set_now(&mut self, now: Now) {
        self.now = now;
        self.driver.set_now(now);
        self.last_progress.get_or_insert(now.mono_ms);
    }

    fn silence_deadline(&self) -> Option<u64> {
        let waiting = self.driver.is_waiting();
        self.last_progress.filter(|_| waiting).map(|at| at + self.options.timeout_ms)
    }

    fn note_batch(&mut self) {
        if self.driver.batch.is_empty() {
            self.batch_since = None;
        } else {
            self.batch_since.get_or_insert(self.now.mono_ms);
        }
    }

    /// Commits where the batch is large, something waits for it, or `now` says so.
    fn commit_if_due(&mut self, now: bool) -> Result<()> {
        let mut now = now;
        while !self.outstanding {
            let waits = self.driver.next.is_some();
            if !waits && !now && self.driver.batch.weight() < self.shared.batch_bytes {
                return Ok(());
            }
            let next = self.driver.next.take();
            if self.driver.batch.is_empty() {
                match next {
                    Some(next) => self.driver.go_on(next)?,
                    None => return Ok(()),
                }
                continue;
            }
            now = false;
            let commit = self.take_commit(next);
            match self.options.commits {
                CommitMode::Inline => self.commit_done(commit.run())?,
                CommitMode::Host => {
                    self.ready = Some(commit);
                    self.outstanding = true;
                }
            }
        }
        Ok(())
    }

    fn take_commit(&mut self, next: Option<Next>) -> Commit {
        let mut empty = Batch::new(self.account);
        empty.now_wall_ms = self.now.wall_ms;
        let batch = std::mem::replace(&mut self.driver.batch, empty);
        self.batch_since = None;
        Commit { store: self.shared.store.clone(), batch, limits: self.shared.limits, next }
    }

    fn commit_done(&mut self, done: CommitDone) -> Result<()> {
        let outcome = done.outcome?;
        self.driver.committed(&outcome);
        match done.next {
            Some(next) if !self.closed => self.driver.go_on(next),
            _ => Ok(()),
        }
    }

    /// The connection ends. Everything that came whole is committed.
    fn end(&mut self, error: Error) {
        if self.closed {
            return;
        }
        self.closed = true;
        let out_of_store = error.fault() == crate::error::Fault::Store;
        if !out_of_store {
            self.driver.literal_cut();
        }
        let asked = self.driver.logged_out();
        self.driver.fail(&error);
        if !self.driver.batch.is_empty() && !out_of_store && !self.outstanding {
            let commit = self.take_commit(None);
            match self.options.commits {
                CommitMode::Inline => {
                    if let Err(error) = self.commit_done(commit.run()) {
                        self.driver.events.push_back(Event::Problem { text: error.to_string() });
                    }
                }
                CommitMode::Host => {
                    self.ready = Some(commit);
                    self.outstanding = true;
                }
            }
        }
        let error = if asked && matches!(error, Error::Disconnected(_)) { None } else { Some(error) };
        self.driver.events.push_back(Event::Closed { error });
    }
}
