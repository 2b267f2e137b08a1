//! The run loop: one connection of the engine over one transport, until its task is done.
//!
//! Three threads meet in one channel. One reads the socket, one runs commits so that the socket never
//! waits for the disk, and the session's own turns what they say into calls of the connection.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use mailkeep::sasl::Credentials;
use mailkeep::{
    AccountInfo, Commit, CommitMode, Connection, ConnectionOptions, Engine, Error, Event, Now, Security,
};

use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::net::{Message, Transport};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a server may take to say its first word.
const GREETING_TIMEOUT: Duration = Duration::from_secs(60);

/// Whether the session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// There is more to come.
    Go,
    /// Sign out and close.
    Finish,
}

/// What a session is for.
pub(crate) trait Task {
    /// Says what is wanted, at the beginning.
    fn begin(&mut self, connection: &mut Connection) -> Result<(), Failure>;

    /// Something happened that the session does not see to itself.
    fn event(&mut self, connection: &mut Connection, event: Event) -> Result<Flow, Failure>;

    /// The user wants to stop.
    fn interrupted(&mut self) -> Result<Flow, Failure> {
        Err(Failure::interrupted())
    }
}

/// Runs a task over a new connection.
pub(crate) fn run(
    engine: &Engine,
    account: &AccountInfo,
    credentials: Credentials,
    interrupt: &Interrupt,
    reissue: Option<Duration>,
    task: &mut dyn Task,
) -> Result<(), Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| Failure::usage(format!("no randomness: {error}")))?;
    let settings = &account.settings;
    let mut options = ConnectionOptions::new(seed, settings.security == Security::Tls);
    options.commits = CommitMode::Host;
    if let Some(reissue) = reissue {
        options.idle_reissue_ms = reissue.as_millis() as u64;
    }
    let connection = engine.connect(account.id, options)?;
    let (to, messages) = mpsc::channel();
    interrupt.listen(to.clone());
    let ca = crate::account::extra(settings, "ca").map(Path::new);
    let transport = Transport::connect(settings, ca, to.clone())?;
    let mut session = Session {
        connection,
        transport,
        messages,
        worker: commit_worker(to),
        start: Instant::now(),
        queue: VecDeque::new(),
        plain: Vec::new(),
        news: false,
        more: false,
        committing: false,
        heard: false,
        ended: false,
        served: None,
    };
    let outcome = session.shake_hands().and_then(|()| session.work(credentials, task));
    let settled = session.settle();
    drop(session);
    // A store that failed in the last commit says so only when it is asked again.
    outcome.and(settled).and_then(|()| Ok(engine.accounts().map(|_| ())?))
}

/// A thread that runs commits, one after another.
fn commit_worker(to: Sender<Message>) -> SyncSender<Commit> {
    let (worker, commits) = mpsc::sync_channel::<Commit>(1);
    thread::spawn(move || {
        while let Ok(commit) = commits.recv() {
            if to.send(Message::Committed(commit.run())).is_err() {
                return;
            }
        }
    });
    worker
}

struct Session {
    connection: Connection,
    transport: Transport,
    messages: Receiver<Message>,
    worker: SyncSender<Commit>,
    start: Instant,
    /// Buffers that came while the connection took no input.
    queue: VecDeque<(Vec<u8>, usize)>,
    /// What the connection has not taken yet.
    plain: Vec<u8>,
    /// `plain` holds what the connection has not seen.
    news: bool,
    /// The connection could go on without further input.
    more: bool,
    /// A commit is under way.
    committing: bool,
    /// The server has said something.
    heard: bool,
    ended: bool,
    /// The deadline that was last acted on.
    served: Option<u64>,
}

impl Session {
    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now::new(self.start.elapsed().as_millis() as u64, wall.as_millis() as i64)
    }

    /// Waits until TLS stands, where it was begun.
    fn shake_hands(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
        while self.transport.is_handshaking() {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(left) {
                Ok(Message::Input(buffer, len)) => {
                    let outcome = self.transport.receive(&buffer[..len], &mut self.plain);
                    self.transport.done_with(buffer);
                    outcome?;
                }
                Ok(Message::Ended) => {
                    return Err(Failure::network("the server closed the connection instead of starting TLS"));
                }
                Ok(Message::Interrupted) => return Err(Failure::interrupted()),
                Ok(Message::Committed(done)) => {
                    self.committing = false;
                    self.connection.handle_commit(self.now(), done)?;
                }
                Ok(Message::Changed) => {}
                Err(_) => return Err(Failure::network("the server does not answer the TLS handshake")),
            }
        }
        self.news = !self.plain.is_empty();
        Ok(())
    }

    fn work(&mut self, credentials: Credentials, task: &mut dyn Task) -> Result<(), Failure> {
        self.connection.handle_timeout(self.now())?;
        if let Some(binding) = self.transport.binding() {
            self.connection.handle_tls_started(self.now(), Some(binding))?;
        }
        self.connection.provide_credentials(credentials)?;
        task.begin(&mut self.connection)?;
        loop {
            if self.drain(task)? == Flow::Finish {
                self.connection.logout();
                self.transmit();
                return Ok(());
            }
            if self.connection.is_closed() {
                return Ok(());
            }
            if self.step()? && task.interrupted()? == Flow::Finish {
                self.connection.logout();
                self.transmit();
                return Ok(());
            }
        }
    }

    /// One call of the connection, or a wait for what makes one due. Returns whether the user wants to stop.
    fn step(&mut self) -> Result<bool, Failure> {
        let now = self.now();
        let deadline = self.deadline();
        if deadline.is_some_and(|at| at <= now.mono_ms) {
            self.served = deadline;
            self.connection.handle_timeout(now)?;
            return Ok(false);
        }
        // With a commit under way and a full batch behind it, nothing is taken until that is done.
        if self.more && self.committing {
            return self.wait(deadline);
        }
        if self.more || self.news {
            self.heard |= self.news;
            let progress = self.connection.handle_input(now, &self.plain)?;
            self.plain.drain(..progress.consumed);
            self.news = false;
            self.more = progress.more;
            return Ok(false);
        }
        if let Some((buffer, len)) = self.queue.pop_front() {
            if self.plain.is_empty() && !self.transport.is_encrypted() {
                return self.take_in_place(buffer, len).map(|()| false);
            }
            let outcome = self.transport.receive(&buffer[..len], &mut self.plain);
            self.transport.done_with(buffer);
            self.news = true;
            return outcome.map(|()| false);
        }
        if self.ended {
            self.connection.handle_eof(now)?;
            return Ok(false);
        }
        self.wait(deadline)
    }

    /// What nothing is to be done with goes in from where the socket put it; only what is not taken yet is copied.
    fn take_in_place(&mut self, buffer: Vec<u8>, len: usize) -> Result<(), Failure> {
        if len > 0 {
            self.heard = true;
            let progress = self.connection.handle_input(self.now(), &buffer[..len])?;
            self.plain.extend_from_slice(&buffer[progress.consumed..len]);
            self.more = progress.more;
        }
        self.transport.done_with(buffer);
        Ok(())
    }

    /// While a commit is under way, the deadline that asks for another one stands still.
    fn deadline(&self) -> Option<u64> {
        self.connection.poll_timeout().filter(|at| !(self.committing && self.served == Some(*at)))
    }

    fn wait(&mut self, deadline: Option<u64>) -> Result<bool, Failure> {
        let greeting = (!self.heard).then_some(GREETING_TIMEOUT.as_millis() as u64);
        if greeting.is_some_and(|at| at <= self.now().mono_ms) {
            return Err(self.silent());
        }
        let deadline = deadline.into_iter().chain(greeting).min();
        let message = match deadline {
            Some(at) => {
                let left = Duration::from_millis(at.saturating_sub(self.now().mono_ms));
                self.messages.recv_timeout(left)
            }
            None => self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match message {
            Ok(Message::Input(buffer, len)) => self.queue.push_back((buffer, len)),
            Ok(Message::Ended) | Err(RecvTimeoutError::Disconnected) => self.ended = true,
            Ok(Message::Interrupted) => return Ok(true),
            Ok(Message::Committed(done)) => self.committed(done)?,
            Ok(Message::Changed) | Err(RecvTimeoutError::Timeout) => {}
        }
        Ok(false)
    }

    fn silent(&self) -> Failure {
        let hint =
            if self.transport.is_encrypted() { "" } else { "; if this is a TLS port, use --security tls" };
        Failure::network(format!("the server does not greet{hint}"))
    }

    fn committed(&mut self, done: mailkeep::CommitDone) -> Result<(), Failure> {
        self.committing = false;
        Ok(self.connection.handle_commit(self.now(), done)?)
    }

    fn transmit(&mut self) {
        while let Some(bytes) = self.connection.poll_transmit() {
            self.transport.send(&bytes);
        }
    }

    fn take_commit(&mut self) {
        if let Some(commit) = self.connection.poll_commit() {
            self.committing = self.worker.send(commit).is_ok();
        }
    }

    /// Mutate, then drain: everything that the connection gives out.
    fn drain(&mut self, task: &mut dyn Task) -> Result<Flow, Failure> {
        let mut flow = Flow::Go;
        loop {
            let mut start_tls = false;
            while let Some(event) = self.next_event() {
                match event {
                    Event::StartTls => start_tls = true,
                    Event::NeedCredentials { .. } => {
                        return Err(Failure::login(
                            "the server wants other credentials; get a fresh token or password",
                        ));
                    }
                    Event::Closed { error: Some(error) } => return Err(error.into()),
                    // The connection's end comes as Closed, with the reason.
                    Event::Done { result: Err(Error::Disconnected(_)), .. } => {}
                    other => {
                        if task.event(&mut self.connection, other)? == Flow::Finish {
                            flow = Flow::Finish;
                        }
                    }
                }
            }
            if !start_tls {
                return Ok(flow);
            }
            self.transport.start_tls()?;
            self.shake_hands()?;
            self.connection.handle_tls_started(self.now(), self.transport.binding())?;
        }
    }

    fn next_event(&mut self) -> Option<Event> {
        self.transmit();
        self.take_commit();
        self.connection.poll_event()
    }

    /// Ends the connection; what came whole is made durable.
    fn settle(&mut self) -> Result<(), Failure> {
        loop {
            self.take_commit();
            while self.connection.poll_event().is_some() {}
            while self.connection.poll_transmit().is_some() {}
            if self.committing {
                match self.messages.recv() {
                    Ok(Message::Committed(done)) => self.committed(done)?,
                    Ok(_) => {}
                    Err(_) => return Ok(()),
                }
            } else if self.connection.is_closed() {
                return Ok(());
            } else {
                self.connection.handle_eof(self.now())?;
            }
        }
    }
}
