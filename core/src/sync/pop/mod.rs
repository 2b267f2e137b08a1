//! POP3: one connection's session, from the greeting to QUIT.
//!
//! A sync goes through these steps, each resting on what the one before made durable:
//!
//! 1. LIST and UIDL in one flight (`listing`); the ledger tells which messages are known.
//! 2. TOP of those whose name tells nothing or too much (`checking`).
//! 3. RETR of what is not here, newest first (`fetching`). Each is entered with its row of the ledger.
//! 4. When all that is durable: DELE of what the policy says, then QUIT (`deleting`). Only QUIT's `+OK`
//!    makes a deletion done.
//!
//! Without deletions the session stays until it is logged out of. It shows the maildrop as it was at its
//! beginning: new mail comes with the next connection.

mod checking;
mod deleting;
mod fetching;
mod listing;
mod opening;
mod pass;
mod session;
mod signing_in;

use std::collections::VecDeque;

use crate::error::Result;
use crate::event::{Event, SyncSummary};
use crate::ids::{AccountId, MailboxId, RequestId};
use crate::limits::Limits;
use crate::message::HeaderGatherer;
use crate::model::AccountSettings;
use crate::options::ConnectionOptions;
use crate::pop3::capability::Capabilities;
use crate::pop3::client::Client;
use crate::pop3::client::login::{Login, LoginConfig, LoginStep};
use crate::pop3::command::Command;
use crate::shared::Leases;
use crate::store::batch::Batch;
use crate::store::ledger::PopServerRecord;
use crate::store::{SharedStore, ledger};
use crate::sync::pop::fetching::Incoming;
use crate::sync::pop::listing::Maildrop;
use crate::sync::pop::opening::Opening;
use crate::sync::pop::pass::Pass;
use crate::sync::pop::signing_in::Wait;
use crate::sync::{Meter, Next, Wish};
use crate::time::Now;

/// Commands in flight where the server takes them so: enough that it never waits for us, few enough that
/// a cancelled pass ends soon.
const IN_FLIGHT: usize = 200;

/// What a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Login(LoginStep),
    Capa,
    List,
    Uidl,
    /// The header, by which a message is known. Numbers are the session's.
    Check(u32),
    /// The header of a message that is too large to be fetched unasked.
    Head(u32),
    Retr(u32),
    /// A message that a person wants to read.
    Open(u32),
    Dele(u32),
    Quit,
}

impl From<LoginStep> for Purpose {
    fn from(step: LoginStep) -> Purpose {
        Purpose::Login(step)
    }
}

/// What goes on when everything before it is durable.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Every message that is wanted is here: what may be deleted?
    Fetched,
    /// The ledger knows what is to be deleted: delete it.
    Delete,
    /// The ledger knows what was deleted: the session is over.
    Deleted,
    /// The list is known, and nothing else was wanted.
    Finish,
}

/// One POP3 connection.
pub(crate) struct PopSession {
    store: SharedStore,
    account: AccountId,
    inbox: MailboxId,
    settings: AccountSettings,
    limits: Limits,
    client: Client<Purpose>,
    login: Login,
    /// What the server can do, as last said.
    capabilities: Capabilities,
    server: PopServerRecord,
    wait: Option<Wait>,
    leases: Leases,
    batch: Batch,
    next: Option<Next>,
    events: VecDeque<Event>,
    wishes: VecDeque<Wish>,
    now: Now,
    /// Commands that wait for room in flight.
    queue: VecDeque<(Command, Purpose)>,
    /// What the server listed in this session.
    maildrop: Maildrop,
    pass: Option<Pass>,
    opening: Option<Opening>,
    /// The message whose octets are coming in.
    incoming: Option<Incoming>,
    /// The beginning of what is coming in.
    gatherer: HeaderGatherer,
    /// The server refused TOP.
    no_top: bool,
    /// Another connection synced the account when this one was to.
    skipped: bool,
    quit: Quit,
    /// Whoever asked to log out has not been told how it went.
    logout_waits: Option<RequestId>,
    summary: SyncSummary,
    meter: Meter,
    metered: Meter,
}

/// How far the session's end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quit {
    No,
    Sent,
    Agreed,
}

impl PopSession {
    pub(crate) fn new(
        store: SharedStore,
        account: AccountId,
        settings: AccountSettings,
        limits: Limits,
        options: &ConnectionOptions,
        leases: Leases,
    ) -> Result<PopSession> {
        let (inbox, server) = {
            let reading = store.read()?;
            let inbox = ledger::inbox(&reading.tables, account)?;
            (inbox.ok_or(crate::error::Error::Gone("mailbox"))?, ledger::server(&reading.tables, account)?)
        };
        let config = LoginConfig {
            security: settings.security,
            secured: options.secure,
            mechanism: settings.mechanism.clone(),
            nonce: *options.seed[8..].first_chunk().expect("24 octets are left"),
            limits,
        };
        Ok(PopSession {
            store,
            account,
            inbox,
            settings,
            limits,
            client: Client::greeted_later(&limits),
            login: Login::new(config),
            capabilities: Capabilities::default(),
            server,
            wait: None,
            leases,
            batch: Batch::new(account, limits),
            next: None,
            events: VecDeque::new(),
            wishes: VecDeque::new(),
            now: Now::default(),
            queue: VecDeque::new(),
            maildrop: Maildrop::default(),
            pass: None,
            opening: None,
            incoming: None,
            gatherer: HeaderGatherer::default(),
            no_top: false,
            skipped: false,
            quit: Quit::No,
            logout_waits: None,
            summary: SyncSummary::default(),
            meter: Meter::default(),
            metered: Meter::default(),
        })
    }

    /// Whether nothing of a pass or a wish is under way.
    fn is_free(&self) -> bool {
        self.pass.is_none() && self.opening.is_none() && self.next.is_none() && self.quit == Quit::No
    }

    /// Sends what waits for room, in runs: a command sent alone for each that is answered costs both sides a
    /// wake-up each.
    fn pump(&mut self) -> Result<()> {
        let room = if self.capabilities.has("PIPELINING") { IN_FLIGHT } else { 1 };
        if self.client.depth() > room / 2 {
            return Ok(());
        }
        while self.client.depth() < room {
            let Some((command, purpose)) = self.queue.pop_front() else { return Ok(()) };
            self.client.send(&command, purpose)?;
        }
        Ok(())
    }

    /// Asks that everything so far be made durable before `step` goes on.
    fn flush(&mut self, step: Step) {
        debug_assert!(self.next.is_none(), "one thing waits for a commit at a time");
        self.next = Some(Next::Pop(step));
    }

    /// The summary of the sync that ends now.
    fn take_summary(&mut self) -> SyncSummary {
        self.meter.commands = self.client.commands();
        let (now, then) = (self.meter, std::mem::replace(&mut self.metered, self.meter));
        SyncSummary {
            bytes_received: now.received - then.received,
            bytes_sent: now.sent - then.sent,
            round_trips: now.round_trips - then.round_trips,
            commands: now.commands - then.commands,
            ..self.summary
        }
    }

    fn problem(&mut self, text: impl Into<String>) {
        self.events.push_back(Event::Problem { text: text.into() });
    }
}
