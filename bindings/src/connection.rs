//! One connection, without the socket: the run loop in one call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use mailkeep::sasl::{ChannelBinding, Secret};
use mailkeep::{CommitMode, MailboxId, Now, SyncScope, WorkLimit};

use crate::bytes::Bytes;
use crate::commit::Commit;
use crate::error::{MailkeepError, Result};
use crate::event::Event;
use crate::guard::Guard;
use crate::model::BodyPolicy;
use crate::numbers;

/// What a connection is made with.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ConnectionOptions {
    /// Randomness: 32 octets no one else knows. Tags and nonces are made of it.
    pub seed: Bytes,
    /// The transport is encrypted already. Credentials are refused on one that is not, unless the account is insecure by its
    /// settings.
    pub secure: bool,
    /// The app runs commits, on a thread of its own, so that the socket never waits for the disk: see `take_commit`.
    pub host_commits: bool,
    /// How long the server may be silent while an answer is due, in milliseconds.
    pub timeout_ms: i64,
    /// How long one IDLE lasts at most, in milliseconds.
    pub idle_reissue_ms: i64,
    /// How often mailboxes are looked at that no IDLE or NOTIFY watches, in milliseconds.
    pub poll_ms: i64,
}

impl ConnectionOptions {
    /// The defaults, with a seed, over a transport that is encrypted or not.
    pub fn new(seed: Bytes, secure: bool) -> ConnectionOptions {
        let defaults = mailkeep::ConnectionOptions::new([0; 32], secure);
        ConnectionOptions {
            seed,
            secure,
            host_commits: false,
            timeout_ms: numbers::signed(defaults.timeout_ms),
            idle_reissue_ms: numbers::signed(defaults.idle_reissue_ms),
            poll_ms: numbers::signed(defaults.poll_ms),
        }
    }

    pub(crate) fn into_core(self) -> Result<(bool, mailkeep::ConnectionOptions)> {
        let seed: [u8; 32] = self.seed.0.as_slice().try_into().map_err(|_| {
            let why = format!("{} octets where 32 are wanted", self.seed.0.len());
            MailkeepError::from(mailkeep::Error::Invalid { what: "seed", why })
        })?;
        let mut options = mailkeep::ConnectionOptions::new(seed, self.secure);
        options.commits = if self.host_commits { CommitMode::Host } else { CommitMode::Inline };
        options.timeout_ms = numbers::unsigned(self.timeout_ms);
        options.idle_reissue_ms = numbers::unsigned(self.idle_reissue_ms);
        options.poll_ms = numbers::unsigned(self.poll_ms);
        Ok((self.host_commits, options))
    }
}

/// The default options of a connection: `seed` is 32 octets of randomness, `secure` says that the transport is encrypted already.
#[uniffi::export]
pub fn connection_options(seed: Bytes, secure: bool) -> ConnectionOptions {
    ConnectionOptions::new(seed, secure)
}

/// What authenticates the user. The engine's own copies of secrets are wiped after use and never stored.
#[derive(Clone, uniffi::Enum)]
pub enum Credentials {
    /// A user name and a password.
    Password {
        /// Who authenticates.
        user: String,
        /// Whom to act as, if somebody else.
        authzid: Option<String>,
        /// The password.
        password: String,
    },
    /// A fresh OAuth 2 access token.
    Oauth {
        /// Whose mailbox it is.
        user: String,
        /// The access token.
        token: String,
        /// The server's name as connected to.
        host: String,
        /// The server's port.
        port: i32,
    },
    /// What the TLS client certificate or the transport shows.
    External {
        /// Whom to act as, if that does not follow from it.
        authzid: Option<String>,
    },
    /// Nobody in particular (RFC 4505).
    Anonymous {
        /// An address or word for the server's log; may be empty.
        trace: String,
    },
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    fn into_core(self) -> mailkeep::sasl::Credentials {
        use mailkeep::sasl::Credentials as Theirs;
        match self {
            Credentials::Password { user, authzid, password } => {
                Theirs::Password { user, authzid, password: Secret::new(password) }
            }
            Credentials::Oauth { user, token, host, port } => {
                let port = u16::try_from(port).unwrap_or(0);
                Theirs::OAuth { user, token: Secret::new(token), host, port }
            }
            Credentials::External { authzid } => Theirs::External { authzid },
            Credentials::Anonymous { trace } => Theirs::Anonymous { trace },
        }
    }
}

/// What a step did, and what is to be done now.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Step {
    /// Octets of the input that were taken. Give the rest again, with what came since.
    pub consumed: i64,
    /// There is more to do without further input: step again at once, with the rest or with nothing. Where a commit is under
    /// way, step again when that is handed back.
    pub more: bool,
    /// Octets for the server, to be sent before the events are looked at. May be empty.
    pub transmit: Bytes,
    /// What happened, in its order.
    pub events: Vec<Event>,
    /// The time on the monotonic clock, in milliseconds, at which to step again with nothing.
    pub deadline: Option<i64>,
    /// A commit is due: take it with `take_commit`.
    pub commit: bool,
    /// The connection is of no more use, apart from a commit that may be due.
    pub closed: bool,
}

/// One connection: one account's protocol over one transport.
///
/// Step with what came from the server; send what the step gives; act on its events; wait for more, or until the deadline.
/// Wishes may be made on any thread at any time, and are begun by the next step. `cancel` never waits for a step that is in progress.
#[derive(uniffi::Object)]
pub struct Connection {
    guard: Arc<Guard>,
    id: i64,
    account: i64,
    host_commits: bool,
    inner: Mutex<Option<Inner>>,
    /// Requests to take back. Whoever holds `inner` looks here before letting go of it, and after.
    cancelled: Mutex<Vec<i64>>,
}

struct Inner {
    connection: mailkeep::Connection,
    ready: Option<mailkeep::Commit>,
    /// A commit was taken and has not been handed back.
    committing: bool,
    /// The deadline that was last acted on. While a commit is under way, one may stand still.
    served: Option<u64>,
}

/// Octets of input between two looks at what was cancelled.
const SLICE: usize = 256 << 10;

impl Connection {
    pub(crate) fn new(guard: Arc<Guard>, connection: mailkeep::Connection, host_commits: bool) -> Connection {
        Connection {
            guard,
            id: connection.id().0.into(),
            account: connection.account().0.into(),
            host_commits,
            inner: Mutex::new(Some(Inner { connection, ready: None, committing: false, served: None })),
            cancelled: Mutex::default(),
        }
    }

    /// Does something with the connection, alone.
    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> Result<R> {
        let outcome = {
            let mut slot = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            self.enter(&mut slot, act)
        };
        self.cancel_late();
        self.guard.tell_woken();
        outcome
    }

    fn enter<R>(
        &self,
        slot: &mut MutexGuard<'_, Option<Inner>>,
        act: impl FnOnce(&mut Inner) -> R,
    ) -> Result<R> {
        let inner = slot.as_mut().ok_or_else(|| MailkeepError::from(mailkeep::Error::Closed))?;
        let outcome = self.guard.catch(|| {
            self.take_back(inner);
            let outcome = act(inner);
            self.take_back(inner);
            outcome
        });
        if outcome.is_err() {
            // What panicked is in no state to go on, and not even to be taken apart with care.
            let broken = slot.take();
            let _ = self.guard.catch(|| drop(broken));
        }
        outcome
    }

    /// Tells the connection which requests were cancelled.
    fn take_back(&self, inner: &mut Inner) {
        let requests = std::mem::take(&mut *self.cancelled.lock().unwrap_or_else(PoisonError::into_inner));
        for request in requests {
            inner.connection.cancel(numbers::request(request));
        }
    }

    /// Requests that were cancelled while somebody was about to let go of the connection.
    fn cancel_late(&self) {
        while !self.cancelled.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            let mut slot = match self.inner.try_lock() {
                Ok(slot) => slot,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                // Whoever has it will look.
                Err(TryLockError::WouldBlock) => return,
            };
            if self.enter(&mut slot, |_| ()).is_err() {
                return;
            }
        }
    }

    fn stepped(
        &self,
        now: Now,
        act: impl FnOnce(&mut Inner, &mut Step) -> mailkeep::Result<()>,
    ) -> Result<Step> {
        self.with(|inner| {
            let mut step = Step {
                consumed: 0,
                more: false,
                transmit: Bytes::default(),
                events: Vec::new(),
                deadline: None,
                commit: false,
                closed: false,
            };
            // Wishes have something to say that must be drained before anything is taken in.
            inner.drain(&mut step);
            act(inner, &mut step)?;
            inner.drain(&mut step);
            inner.serve_deadline(now, &mut step)?;
            step.deadline = inner.deadline().map(numbers::signed);
            step.commit = inner.ready.is_some();
            step.closed = inner.connection.is_closed();
            Ok(step)
        })?
        .map_err(|error: mailkeep::Error| MailkeepError::from(error))
    }
}

impl Inner {
    /// Takes out everything that the connection gives.
    fn drain(&mut self, step: &mut Step) {
        while let Some(octets) = self.connection.poll_transmit() {
            if step.transmit.0.is_empty() {
                step.transmit.0 = octets;
            } else {
                step.transmit.0.extend_from_slice(&octets);
            }
        }
        while let Some(event) = self.connection.poll_event() {
            step.events.push(event.into());
        }
        if self.ready.is_none() {
            self.ready = self.connection.poll_commit();
        }
    }

    /// Takes in what the limit allows, with a look at what was cancelled now and then.
    fn take_in(
        &mut self,
        now: Now,
        input: &[u8],
        limit: usize,
        step: &mut Step,
        mut cancel: impl FnMut(&mut Inner),
    ) -> mailkeep::Result<()> {
        let mut consumed = 0;
        loop {
            let bytes = SLICE.min(limit - consumed);
            self.connection.set_work_limit(WorkLimit { bytes, responses: usize::MAX });
            let progress = self.connection.handle_input(now, &input[consumed..])?;
            consumed += progress.consumed;
            step.consumed = numbers::signed(consumed as u64);
            step.more = progress.more || consumed < input.len();
            let stuck = progress.consumed == 0 && (self.ready.is_some() || self.committing);
            self.drain(step);
            if self.connection.is_closed() {
                step.more = false;
            }
            if !step.more || stuck || consumed >= limit {
                return Ok(());
            }
            cancel(self);
            self.drain(step);
            if self.connection.is_closed() {
                step.more = false;
                return Ok(());
            }
        }
    }

    /// Does what is due at this time.
    fn serve_deadline(&mut self, now: Now, step: &mut Step) -> mailkeep::Result<()> {
        if let Some(at) = self.deadline().filter(|at| *at <= now.mono_ms && !self.connection.is_closed()) {
            self.served = Some(at);
            self.connection.handle_timeout(now)?;
            self.drain(step);
        }
        Ok(())
    }

    fn deadline(&self) -> Option<u64> {
        let committing = self.committing || self.ready.is_some();
        self.connection.poll_timeout().filter(|at| !(committing && self.served == Some(*at)))
    }
}

fn now(mono_ms: i64, wall_ms: i64) -> Now {
    Now::new(numbers::unsigned(mono_ms), wall_ms)
}

#[uniffi::export]
impl Connection {
    /// Its id, which `Engine.poll_wake` names.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// The account that it serves.
    pub fn account(&self) -> i64 {
        self.account
    }

    /// Whether it is of no more use.
    pub fn is_closed(&self) -> bool {
        self.with(|inner| inner.connection.is_closed()).unwrap_or(true)
    }

    /// The time on the monotonic clock, in milliseconds, at which to step with nothing. A wish may have brought it forward.
    pub fn deadline(&self) -> Option<i64> {
        self.with(|inner| inner.deadline()).ok().flatten().map(numbers::signed)
    }

    /// The one call of the run loop: takes octets from the server, cut anywhere, or none; does what is due at this time; and
    /// gives everything out that there is. `limit` is about how many octets to take at most, 0 for all of them. The input is
    /// read where it lies, without a copy: a `ByteBuffer` must be a direct one, and `slice()` of one that does not begin at 0.
    ///
    /// A connection that has ended answers with `closed`; one that was given up, or whose engine broke, with the error Closed.
    pub fn step(&self, input: &[u8], mono_ms: i64, wall_ms: i64, limit: i64) -> Result<Step> {
        let now = now(mono_ms, wall_ms);
        let limit = if limit <= 0 { usize::MAX } else { numbers::length(limit) };
        self.stepped(now, |inner, step| {
            if inner.connection.is_closed() {
                step.consumed = numbers::signed(input.len() as u64);
                return Ok(());
            }
            inner.take_in(now, input, limit, step, |inner| self.take_back(inner))
        })
    }

    /// The transport ended. What came whole is kept; what came in part goes on next time.
    pub fn step_eof(&self, mono_ms: i64, wall_ms: i64) -> Result<Step> {
        let now = now(mono_ms, wall_ms);
        self.stepped(now, |inner, _| inner.connection.handle_eof(now))
    }

    /// Another connection is done with what this one wanted, or the user did something: `Engine.poll_wake` named this one.
    pub fn step_wake(&self, mono_ms: i64, wall_ms: i64) -> Result<Step> {
        let now = now(mono_ms, wall_ms);
        self.stepped(now, |inner, _| inner.connection.handle_wake(now))
    }

    /// The TLS handshake is done that StartTls asked for. Also to be called at the beginning of a connection over TLS where
    /// the app's TLS library gives channel-binding data: its registered name (`tls-exporter`, `tls-server-end-point`) and octets,
    /// for SCRAM-…-PLUS.
    ///
    /// Errors: Misuse where no handshake was asked for and there is no binding.
    pub fn step_tls(
        &self,
        binding_kind: Option<String>,
        binding: Option<Bytes>,
        mono_ms: i64,
        wall_ms: i64,
    ) -> Result<Step> {
        let now = now(mono_ms, wall_ms);
        let binding = binding_kind.zip(binding).map(|(kind, data)| ChannelBinding { kind, data: data.0 });
        self.stepped(now, |inner, _| inner.connection.handle_tls_started(now, binding))
    }

    /// A commit that is due; nothing where there is none.
    pub fn take_commit(&self) -> Option<Arc<Commit>> {
        let commit = self.with(|inner| {
            let ready = inner.ready.take();
            inner.committing |= ready.is_some();
            ready
        });
        commit.ok().flatten().map(|commit| Arc::new(Commit::new(self.guard.clone(), commit)))
    }

    /// A commit that was taken has been run.
    ///
    /// Errors: Misuse where it has not.
    pub fn step_commit(&self, commit: Arc<Commit>, mono_ms: i64, wall_ms: i64) -> Result<Step> {
        let now = now(mono_ms, wall_ms);
        self.stepped(now, |inner, _| {
            let done = commit.take_done().ok_or(mailkeep::Error::Misuse("the commit has not been run"))?;
            inner.committing = false;
            inner.served = None;
            inner.connection.handle_commit(now, done)
        })
    }

    /// Whether the app runs commits.
    pub fn has_host_commits(&self) -> bool {
        self.host_commits
    }

    /// Credentials, asked for by NeedCredentials or given ahead.
    ///
    /// Errors: LoginImpossible where the connection is not secure and the account does not allow that.
    pub fn provide_credentials(&self, credentials: Credentials) -> Result<()> {
        let credentials = credentials.into_core();
        self.with(|inner| inner.connection.provide_credentials(credentials))?.map_err(MailkeepError::from)
    }

    /// There are no credentials: the connection ends.
    pub fn decline_credentials(&self) -> Result<()> {
        self.with(|inner| inner.connection.decline_credentials())
    }

    /// Bring the account, or these of its mailboxes, into step with the server; with the account's policy for bodies or
    /// another one. Returns the id of the request.
    pub fn sync(&self, mailboxes: Option<Vec<i64>>, bodies: Option<BodyPolicy>) -> Result<i64> {
        let mut scope = match mailboxes {
            Some(some) => SyncScope::only(mailbox_ids(&some)?),
            None => SyncScope::account(),
        };
        if let Some(bodies) = bodies {
            scope = scope.with_bodies(bodies.into_core());
        }
        self.with(|inner| inner.connection.sync(scope).0.into())
    }

    /// Bring one message here whole. Returns the id of the request.
    pub fn fetch(&self, message: i64) -> Result<i64> {
        let message = numbers::message(message).map_err(MailkeepError::from)?;
        self.with(|inner| inner.connection.fetch(message).0.into())
    }

    /// Bring one part of a message here, by its number (`1.2`), without the rest. Returns the id of the request.
    pub fn fetch_part(&self, message: i64, number: String) -> Result<i64> {
        let message = numbers::message(message).map_err(MailkeepError::from)?;
        self.with(|inner| inner.connection.fetch_part(message, number).0.into())
    }

    /// Watch mailboxes whenever nothing else is to be done, and keep them in step. Returns the id of the request.
    pub fn watch(&self, mailboxes: Vec<i64>) -> Result<i64> {
        let mailboxes = mailbox_ids(&mailboxes)?;
        self.with(|inner| inner.connection.watch(mailboxes).0.into())
    }

    /// Watch no longer.
    pub fn stop_watching(&self) -> Result<()> {
        self.with(|inner| inner.connection.stop_watching())
    }

    /// Sign out and close, when everything asked before is done. Returns the id of the request.
    pub fn logout(&self) -> Result<i64> {
        self.with(|inner| inner.connection.logout().0.into())
    }

    /// Takes a request back, at the next point where nothing is lost by it. Never waits: where a step is in progress on
    /// another thread, that step sees to it. Step again for what there is to say.
    pub fn cancel(&self, request: i64) {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        self.cancel_late();
        self.guard.tell_woken();
    }

    /// Gives the connection up at once: what it has not committed is let go, and what it held others may have. Waits for a
    /// step that is in progress. Every later call answers Closed.
    pub fn give_up(&self) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = self.guard.catch(|| drop(inner));
        self.guard.tell_woken();
    }
}

fn mailbox_ids(ids: &[i64]) -> Result<Vec<MailboxId>> {
    ids.iter().map(|id| numbers::mailbox(*id).map_err(MailkeepError::from)).collect()
}
