//! One connection's worth of protocol for one account, without the socket.

use std::sync::Arc;

use crate::commit::{Commit, CommitDone};
use crate::error::{Error, Fault, Result};
use crate::event::Event;
use crate::ids::{AccountId, ConnectionId, MailboxId, MessageId, RequestId};
use crate::options::{CommitMode, ConnectionOptions, Progress, SyncScope, WorkLimit};
use crate::sasl::{ChannelBinding, Credentials};
use crate::shared::Shared;
use crate::store::batch::Batch;
use crate::sync::session::{Session, Taken};
use crate::sync::{Next, Wish};
use crate::time::Now;

/// Facts wait at most this long for company before they are committed.
const BATCH_MS: u64 = 250;
/// Octets of a literal that count as progress: a server that sends one a minute makes none.
const WORTHWHILE: usize = 512;

/// One connection: one account's protocol over one transport.
///
/// The methods come in four kinds. *Getters* are nouns. *`handle_*`* takes in what happened: bytes,
/// the end of the stream, a timer. *Wishes* ([`Connection::sync`], [`Connection::fetch`], …) say what
/// is wanted. *`poll_*`* gives out what is to be done. After every call of the first three kinds,
/// drain [`Connection::poll_transmit`], [`Connection::poll_event`] and (where the host runs commits)
/// [`Connection::poll_commit`] until each is empty: mutate, then drain. Input given before that is
/// refused with [`Error::Misuse`].
pub struct Connection {
    shared: Arc<Shared>,
    account: AccountId,
    options: ConnectionOptions,
    session: Box<dyn Session>,
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
    /// Something was wished since the host last told the time.
    clock_stale: bool,
    /// Octets of a literal since the last that counted as progress.
    trickle: usize,
    next_request: u32,
}

impl Connection {
    pub(crate) fn new(
        shared: Arc<Shared>,
        account: AccountId,
        options: ConnectionOptions,
        session: Box<dyn Session>,
    ) -> Connection {
        Connection {
            shared,
            account,
            options,
            session,
            limit: WorkLimit::NONE,
            ready: None,
            outstanding: false,
            batch_since: None,
            last_progress: None,
            turn: true,
            closed: false,
            now: Now::default(),
            clock_stale: true,
            trickle: 0,
            next_request: 0,
        }
    }

    /// The account that this connection serves.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Its id, which [`Engine::poll_wake`](crate::Engine::poll_wake) names.
    pub fn id(&self) -> ConnectionId {
        self.session.id()
    }

    /// Another connection is done with what this one wanted: it looks at what it had to leave out.
    ///
    /// # Errors
    /// As [`Connection::handle_input`].
    pub fn handle_wake(&mut self, now: Now) -> Result<()> {
        if self.closed {
            return Ok(());
        }
        self.enter(now)?;
        let outcome = self.session.look_at_skipped();
        self.settle(outcome);
        Ok(())
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
            self.session.desk().meter.round_trips += 1;
        }
        let mut rest = input;
        let outcome = self.take_in(&mut rest);
        let consumed = input.len() - rest.len();
        self.session.desk().meter.received += consumed as u64;
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
            if self.session.awaits_tls() && !rest.is_empty() {
                // Whatever came in the clear behind STARTTLS's OK was injected.
                return Err(Error::Protocol("data behind STARTTLS and before TLS".into()));
            }
            let full = self.outstanding && self.session.desk().batch.weight() >= self.shared.batch_bytes;
            if full || begin - rest.len() >= self.limit.bytes || responses >= self.limit.responses {
                return Ok(!rest.is_empty() || self.session.has_more(rest));
            }
            let Some(taken) = self.session.take(rest)? else {
                if !self.session.has_more(rest) {
                    break;
                }
                continue;
            };
            self.trickle += match taken {
                Taken::Data(octets) => octets,
                Taken::Border | Taken::Response => WORTHWHILE,
            };
            responses += usize::from(matches!(taken, Taken::Response));
            if self.trickle >= WORTHWHILE {
                self.trickle = 0;
                self.last_progress = Some(self.now.mono_ms);
            }
            self.commit_if_due(false)?;
        }
        self.note_batch();
        if self.batch_since.is_some_and(|at| self.now.mono_ms >= at + BATCH_MS) {
            self.commit_if_due(true)?;
            self.note_batch();
        }
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
        let error = Error::Disconnected("the server closed the connection".into());
        let error = self.session.ended_as(error);
        self.end(error);
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
            Ok(()) if due(self.session.deadline()) => self.session.handle_deadline(),
            other => other,
        };
        let outcome = outcome.and_then(|()| self.commit_if_due(false));
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
        match self.session.tls_started(binding) {
            Err(error @ Error::Misuse(_)) => return Err(error),
            outcome => self.settle(outcome),
        }
        Ok(())
    }

    /// Credentials, asked for by [`Event::NeedCredentials`] or given ahead. The engine's copy is wiped
    /// when it has been used, and never stored.
    ///
    /// # Errors
    /// [`Error::LoginImpossible`] where the connection is not secure and the account does not allow that.
    pub fn provide_credentials(&mut self, credentials: Credentials) -> Result<()> {
        if self.closed {
            return Err(Error::Misuse("the connection is closed"));
        }
        self.clock_stale = true;
        let outcome = self.session.provide(credentials);
        self.settle(outcome);
        Ok(())
    }

    /// There are no credentials: the connection ends.
    pub fn decline_credentials(&mut self) {
        self.end(Error::LoginImpossible("no credentials were given".into()));
    }

    /// Bring the account, or some of its mailboxes, into step with the server.
    pub fn sync(&mut self, scope: SyncScope) -> RequestId {
        self.wish(|request| Wish::Sync { request, scope })
    }

    /// Bring one message here whole.
    pub fn fetch(&mut self, message: MessageId) -> RequestId {
        self.wish(|request| Wish::Open { request, message, part: None, retried: false })
    }

    /// Bring one part of a message here, by its number (`1.2`, RFC 9051 §6.4.5.1), without the rest:
    /// [`Engine::part`](crate::Engine::part) has it then. Where the message is here whole there is nothing to do.
    pub fn fetch_part(&mut self, message: MessageId, number: impl Into<String>) -> RequestId {
        let part = Some(number.into());
        self.wish(|request| Wish::Open { request, message, part, retried: false })
    }

    /// Watch mailboxes whenever nothing else is to be done, and keep them in step: the first by IDLE (RFC 2177), the others by NOTIFY
    /// where the server has it (RFC 5465), else by their STATUS now and then. With none named there is nothing to watch, and
    /// the request ends at once.
    pub fn watch(&mut self, mailboxes: impl IntoIterator<Item = MailboxId>) -> RequestId {
        let mailboxes: Vec<MailboxId> = mailboxes.into_iter().collect();
        self.wish(|request| Wish::Watch { request, mailboxes })
    }

    /// Watch no longer.
    pub fn stop_watching(&mut self) {
        self.clock_stale = true;
        let outcome = self.session.stop_watching();
        self.settle(outcome);
    }

    /// Sign out and close, when everything asked before is done.
    pub fn logout(&mut self) -> RequestId {
        self.wish(|request| Wish::Logout { request })
    }

    /// Takes a request back, at the next point where nothing is lost by it.
    pub fn cancel(&mut self, request: RequestId) {
        self.clock_stale = true;
        let outcome = self.session.cancel(request);
        self.settle(outcome);
    }

    fn wish(&mut self, wish: impl FnOnce(RequestId) -> Wish) -> RequestId {
        self.next_request += 1;
        let request = RequestId(self.next_request);
        if self.closed {
            let result = Err(Error::Disconnected("the connection is closed".into()));
            self.session.desk().events.push_back(Event::Done { request, result });
            return request;
        }
        self.clock_stale = true;
        self.session.desk().wishes.push_back(wish(request));
        let outcome = self.session.advance();
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
        let bytes = self.session.transmit()?;
        self.session.desk().meter.sent += bytes.len() as u64;
        self.turn = true;
        // What was sent because of a wish was sent at a time that the host has not told yet.
        self.last_progress = (!self.clock_stale).then_some(self.now.mono_ms);
        Some(bytes)
    }

    /// What happened; `None` when there is no more.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.session.desk().events.pop_front()
    }

    /// The time, on the host's monotonic clock in milliseconds, at which [`Connection::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<u64> {
        if self.closed {
            return None;
        }
        // Without the time nothing can be timed: the host is asked to tell it at once.
        if self.last_progress.is_none() {
            return Some(0);
        }
        let batch = self.batch_since.filter(|_| !self.outstanding).map(|at| at + BATCH_MS);
        [batch, self.session.deadline(), self.silence_deadline()].into_iter().flatten().min()
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
        self.session.set_commit_under_way(false);
        if !std::mem::take(&mut self.outstanding) {
            return Err(Error::Misuse("no commit was under way"));
        }
        let closed = self.closed;
        let outcome = self.commit_done(done).and_then(|()| self.commit_if_due(closed));
        match outcome {
            Ok(()) => {}
            Err(error) if closed => {
                let text = format!("what came last could not be stored: {error}");
                self.session.desk().events.push_back(Event::Problem { text });
            }
            Err(error) => self.end(error),
        }
        self.note_batch();
        Ok(())
    }

    fn enter(&mut self, now: Now) -> Result<()> {
        if self.closed {
            return Err(Error::Misuse("the connection is closed"));
        }
        if self.session.has_output() || !self.session.desk().events.is_empty() {
            return Err(Error::Misuse("poll_transmit and poll_event were not drained"));
        }
        self.set_now(now);
        Ok(())
    }

    fn set_now(&mut self, now: Now) {
        self.now = now;
        self.clock_stale = false;
        self.session.set_now(now);
        self.last_progress.get_or_insert(now.mono_ms);
    }

    fn silence_deadline(&self) -> Option<u64> {
        let waiting = self.session.is_waiting();
        self.last_progress.filter(|_| waiting).map(|at| at.saturating_add(self.options.timeout_ms))
    }

    fn note_batch(&mut self) {
        if self.session.desk().batch.is_empty() {
            self.batch_since = None;
        } else {
            self.batch_since.get_or_insert(self.now.mono_ms);
        }
    }

    /// Commits where the batch is large, something waits for it, or `now` says so.
    fn commit_if_due(&mut self, now: bool) -> Result<()> {
        let mut now = now;
        while !self.outstanding {
            let waits = self.session.desk().next.is_some();
            if !waits && !now && self.session.desk().batch.weight() < self.shared.batch_bytes {
                return Ok(());
            }
            let next = self.session.desk().next.take();
            if self.session.desk().batch.is_empty() {
                match next {
                    Some(next) => self.session.go_on(next)?,
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
                    self.session.set_commit_under_way(true);
                }
            }
        }
        Ok(())
    }

    fn take_commit(&mut self, next: Option<Next>) -> Commit {
        let mut empty = Batch::new(self.account, self.shared.limits);
        empty.now_wall_ms = self.now.wall_ms;
        let batch = std::mem::replace(self.session.desk().batch, empty);
        self.batch_since = None;
        Commit { store: self.shared.store.clone(), batch, next }
    }

    fn commit_done(&mut self, done: CommitDone) -> Result<()> {
        let outcome = done.outcome?;
        self.session.committed(&outcome);
        for account in &outcome.freed {
            self.shared.wake_account(*account);
        }
        match done.next {
            Some(next) if !self.closed => self.session.go_on(next),
            Some(Next::Opened { request, message }) => {
                self.session.opened(request, message);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The connection ends. Everything that came whole is committed.
    fn end(&mut self, error: Error) {
        if self.closed {
            return;
        }
        self.closed = true;
        let out_of_store = error.fault() == Fault::Store;
        if !out_of_store {
            self.session.cut();
        }
        let asked = self.session.logged_out();
        self.session.fail(&error);
        if !self.session.desk().batch.is_empty() && !out_of_store && !self.outstanding {
            let commit = self.take_commit(None);
            match self.options.commits {
                CommitMode::Inline => {
                    if let Err(error) = self.commit_done(commit.run()) {
                        self.session.desk().events.push_back(Event::Problem { text: error.to_string() });
                    }
                }
                CommitMode::Host => {
                    self.ready = Some(commit);
                    self.outstanding = true;
                }
            }
        }
        let error = if asked && matches!(error, Error::Disconnected(_)) { None } else { Some(error) };
        self.session.desk().events.push_back(Event::Closed { error });
    }
}
