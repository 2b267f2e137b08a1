//! What to ask of a server next, and how to apply its answers.
//!
//! A [`Driver`] is the brain of one IMAP connection, [`pop::PopSession`] of one on POP3. It turns wishes into commands, answers into a
//! [`Batch`] of facts, and goes on when the batch is durable. Bytes are the business of
//! [`imap::client`](crate::imap::client), disk is the business of the store. A [`session::Session`] is how a
//! connection sees it.

mod bodies;
mod convert;
mod fetched;
pub(crate) mod imap_session;
mod listing;
mod mailbox;
mod mailbox_pass;
mod pass;
pub(crate) mod pop;
mod purpose;
mod quota;
mod replay;
mod roles;
mod selected;
pub(crate) mod session;
mod structure;
mod untagged;
mod watch;

use std::collections::VecDeque;

use hashbrown::{HashMap, HashSet};

use crate::error::{Error, Result};
use crate::event::{Event, SyncSummary};
use crate::ids::{AccountId, MailboxId, MessageId, RequestId};
use crate::imap::capability::Capabilities;
use crate::imap::client::login::{Login, LoginEvent, LoginStep};
use crate::imap::client::{Outbound, login};
use crate::imap::command::Command;
use crate::imap::response::{Code, Response, Status, StatusKind};
use crate::limits::Limits;
use crate::model::{AccountSettings, Quota};
use crate::options::{ConnectionOptions, SyncScope};
use crate::set::UidSet;
use crate::shared::Leases;
use crate::store::SharedStore;
use crate::store::apply::Outcome;
use crate::store::batch::{AccountFact, Batch, Op};
use crate::store::records::AccountRecord;
use crate::sync::bodies::Opening;
use crate::sync::fetched::Staging;
use crate::sync::listing::Listing;
use crate::sync::mailbox_pass::MailboxPass;
use crate::sync::pass::Pass;
pub(crate) use crate::sync::purpose::Purpose;
use crate::sync::replay::Replay;
use crate::sync::selected::Selected;
use crate::sync::watch::{Idle, Others, idle_limit};
use crate::time::Now;

/// A wish that waits for its turn.
#[derive(Debug)]
pub(crate) enum Wish {
    Sync {
        request: RequestId,
        scope: SyncScope,
    },
    /// `part` asks for one part of the message only.
    Open {
        request: RequestId,
        message: MessageId,
        part: Option<String>,
        retried: bool,
    },
    Watch {
        request: RequestId,
        mailboxes: Vec<MailboxId>,
    },
    /// Something was done offline, or could not be replayed before.
    Replay,
    Logout {
        request: RequestId,
    },
}

impl Wish {
    pub(crate) fn request(&self) -> RequestId {
        match self {
            Wish::Sync { request, .. }
            | Wish::Open { request, .. }
            | Wish::Watch { request, .. }
            | Wish::Logout { request } => *request,
            Wish::Replay => RequestId(0),
        }
    }
}

/// What goes on when everything before it is durable.
#[derive(Debug, Clone)]
pub(crate) enum Next {
    /// The list of mailboxes is in the store: choose which to open.
    Plan,
    /// New messages of the open mailbox are entered: fetch the bodies that are wanted.
    Bodies,
    /// Everything of the open mailbox is here: check, and settle it.
    Settle,
    /// The mailbox is settled: the next one.
    Onward,
    /// The pass is done.
    Finish,
    /// A message was compared with the server's; it is opened as what it turned out to be.
    OpenAgain { request: RequestId, message: MessageId },
    /// A stage of the replay.
    Replay(replay::Stage),
    /// A message that a person wanted is here.
    Opened { request: RequestId, message: MessageId },
    /// A step of a POP3 pass.
    Pop(pop::Step),
}

/// The brain of one IMAP connection.
pub(crate) struct Driver {
    pub(crate) store: SharedStore,
    pub(crate) account: AccountId,
    pub(crate) settings: AccountSettings,
    pub(crate) limits: Limits,
    pub(crate) out: Outbound<Purpose>,
    pub(crate) login: Login,
    pub(crate) events: VecDeque<Event>,
    pub(crate) wishes: VecDeque<Wish>,
    /// Mailboxes that this connection alone may sync now.
    pub(crate) leases: Leases,
    /// Facts not yet handed to a commit.
    pub(crate) batch: Batch,
    /// What goes on when the batch is durable.
    pub(crate) next: Option<Next>,
    options: ConnectionOptions,
    now: Now,
    /// Commands may be sent.
    ready: bool,
    capabilities: Capabilities,
    enabled: HashSet<String>,
    enable_sent: bool,
    id_sent: bool,
    server_named: bool,
    listing: Listing,
    selected: Selected,
    pass: Option<Pass>,
    mailbox_pass: Option<MailboxPass>,
    replay: Option<Replay>,
    /// Quotas told since the list was asked for.
    quotas: Vec<Quota>,
    /// Mailboxes that were in step a moment ago.
    looked_at: HashSet<MailboxId>,
    /// IDLE is renewed after so long.
    idle_limit_ms: u64,
    /// The server says that it has MOVE, and refuses it.
    move_fails: bool,
    idle: Idle,
    others: Others,
    staging: Vec<Staging>,
    opening: HashMap<u32, Opening>,
    /// Mailboxes that another connection had when they were to be synced.
    skipped: Vec<MailboxId>,
    /// LOGOUT was sent.
    logout: Option<RequestId>,
    /// Whoever asked for LOGOUT has not been told how it went.
    logout_waits: Option<RequestId>,
    summary: SyncSummary,
    /// Facts are on their way into the store.
    pub(crate) commit_under_way: bool,
    /// What went over the transport, counted by the connection.
    pub(crate) meter: Meter,
    metered: Meter,
}

/// What went over a transport.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Meter {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) round_trips: u64,
    pub(crate) commands: u64,
}

impl Driver {
    pub(crate) fn new(
        store: SharedStore,
        account: AccountId,
        record: &AccountRecord,
        limits: Limits,
        known: Capabilities,
        options: &ConnectionOptions,
        leases: Leases,
    ) -> Driver {
        let settings = record.settings.clone();
        let (tag_seed, nonce) = options.seed.split_at(8);
        let config = login::LoginConfig {
            security: settings.security,
            secured: options.secure,
            mechanism: settings.mechanism.clone(),
            known: known.clone(),
            server: record.server.clone(),
            deaf_to_initial: record.deaf_to_initial,
            known_before: Capabilities::from_stored(&record.capabilities_before),
            compress: settings.compress,
            nonce: *nonce.first_chunk().expect("24 octets are left"),
            limits,
        };
        let tag_seed = u64::from_be_bytes(*tag_seed.first_chunk().expect("8 octets were split off"));
        Driver {
            store,
            account,
            settings,
            limits,
            out: Outbound::new(tag_seed),
            login: Login::new(config),
            events: VecDeque::new(),
            wishes: VecDeque::new(),
            leases,
            batch: Batch::new(account, limits),
            next: None,
            options: *options,
            now: Now::default(),
            ready: false,
            capabilities: known,
            enabled: HashSet::new(),
            enable_sent: false,
            id_sent: false,
            server_named: false,
            listing: Listing::default(),
            selected: Selected::default(),
            pass: None,
            mailbox_pass: None,
            replay: None,
            quotas: Vec::new(),
            move_fails: false,
            idle: Idle::Off,
            others: Others::default(),
            looked_at: HashSet::new(),
            idle_limit_ms: idle_limit(options, record),
            staging: Vec::new(),
            opening: HashMap::new(),
            skipped: Vec::new(),
            logout: None,
            logout_waits: None,
            summary: SyncSummary::default(),
            commit_under_way: false,
            meter: Meter::default(),
            metered: Meter::default(),
        }
    }

    pub(crate) fn set_now(&mut self, now: Now) {
        self.now = now;
        self.batch.now_wall_ms = now.wall_ms;
    }

    /// Whether the host is in a TLS handshake: bytes now are not the protocol's.
    pub(crate) fn awaits_tls(&self) -> bool {
        self.login.awaits_tls()
    }

    /// Whether an answer is waited for.
    pub(crate) fn is_waiting(&self) -> bool {
        let idling = matches!(self.idle, Idle::Running { begun: true, .. });
        self.login.awaits_greeting() || self.login.awaits_tls() || self.out.depth() > usize::from(idling)
    }

    pub(crate) fn login_told(&mut self, told: Vec<LoginEvent>) -> Result<bool> {
        let mut compressed = false;
        for event in told {
            match event {
                LoginEvent::StartTls => self.events.push_back(Event::StartTls),
                LoginEvent::NeedCredentials(mechanisms) => {
                    self.events.push_back(Event::NeedCredentials { mechanisms });
                }
                LoginEvent::Compressed => {
                    self.out.start_deflating();
                    compressed = true;
                }
                LoginEvent::Go => self.ready = true,
                LoginEvent::AskAgain => {
                    self.out.send(&Command::Capability, Purpose::Login(LoginStep::AskAgain))?;
                }
                LoginEvent::Authenticated => self.events.push_back(Event::Authenticated),
            }
        }
        self.keep_news_before();
        if self.login.is_done() && self.login.is_authenticated() {
            self.learn_capabilities();
        }
        self.advance()?;
        Ok(compressed)
    }

    fn keep_news_before(&mut self) {
        if self.login.take_deafness() {
            let fact = AccountFact { deaf_to_initial: true, ..AccountFact::default() };
            self.batch.push(Op::Account(fact));
        }
        if let Some(before) = self.login.take_news_before() {
            let fact =
                AccountFact { capabilities_before: Some(before.words().to_vec()), ..AccountFact::default() };
            self.batch.push(Op::Account(fact));
        }
    }

    fn learn_capabilities(&mut self) {
        let now = self.login.capabilities().clone();
        if now.is_empty() || now == self.capabilities {
            return;
        }
        let fact = AccountFact { capabilities: Some(now.words().to_vec()), ..AccountFact::default() };
        self.batch.push(Op::Account(fact));
        self.capabilities = now;
    }

    /// Whether nothing of a pass or a wish is under way.
    fn is_free(&self) -> bool {
        self.pass.is_none()
            && self.replay.is_none()
            && self.opening.is_empty()
            && self.next.is_none()
            && self.idle.allows_work()
            && self.logout.is_none()
    }

    /// Starts the next wish where nothing is under way.
    pub(crate) fn advance(&mut self) -> Result<()> {
        if !self.ready {
            return Ok(());
        }
        if let Idle::Running { news, begun, .. } = self.idle {
            if !begun || !news && self.wishes.is_empty() {
                return Ok(());
            }
            self.end_idle(false);
        }
        while self.is_free() {
            let looks = matches!(self.wishes.front(), Some(Wish::Sync { scope, .. }) if scope.is_quiet());
            if matches!(self.idle, Idle::Ending { .. }) && !looks {
                // Only a look at what came goes out with DONE.
                return Ok(());
            }
            match self.wishes.pop_front() {
                Some(Wish::Sync { request, scope }) => self.start_sync(request, scope)?,
                Some(Wish::Replay) => {
                    self.prepare_session()?;
                    self.start_replay(None)?;
                }
                Some(Wish::Open { request, message, part, retried }) => {
                    self.open_message(request, message, part, retried)?;
                }
                Some(Wish::Watch { request, mailboxes }) => self.start_watching(request, mailboxes),
                Some(Wish::Logout { request }) => {
                    self.logout = Some(request);
                    self.logout_waits = Some(request);
                    self.out.send(&Command::Logout, Purpose::Logout)?;
                }
                None => return self.maybe_idle(),
            }
        }
        Ok(())
    }

    /// Mailboxes that another connection had are free, some of them.
    pub(crate) fn look_at_skipped(&mut self) -> Result<()> {
        for mailbox in std::mem::take(&mut self.skipped) {
            self.wishes.push_back(Wish::Sync { request: RequestId(0), scope: SyncScope::quiet(mailbox) });
        }
        if !self.wishes.iter().any(|w| matches!(w, Wish::Replay)) && self.has_work()? {
            self.wishes.push_front(Wish::Replay);
        }
        self.advance()
    }

    /// A sync: what was done offline goes first.
    fn start_sync(&mut self, request: RequestId, scope: SyncScope) -> Result<()> {
        if !scope.is_quiet() {
            self.prepare_session()?;
            self.summary = SyncSummary::default();
            if self.start_replay(Some((request, scope.clone())))? {
                return Ok(());
            }
        }
        self.start_pass(request, scope)
    }

    /// Takes a wish back.
    pub(crate) fn cancel(&mut self, request: RequestId) -> Result<()> {
        if self.idle.request() == Some(request) {
            if let Some(pass) = self.pass.as_mut().filter(|p| p.request == request) {
                pass.cancelled = true;
            }
            self.stop_watching(Some(request))?;
        } else if let Some(at) = self.wishes.iter().position(|w| w.request() == request) {
            if let Some(pass) = self.pass.as_mut().filter(|p| p.request == request) {
                pass.cancelled = true;
            }
            self.wishes.remove(at);
            self.events.push_back(Event::Done { request, result: Err(Error::Cancelled) });
        } else if let Some(pass) = &mut self.pass
            && pass.request == request
        {
            pass.cancelled = true;
        }
        self.advance()
    }

    /// Asks that everything so far be made durable before `next` goes on.
    fn flush(&mut self, next: Next) {
        debug_assert!(self.next.is_none(), "one thing waits for a commit at a time");
        self.next = Some(next);
    }

    /// A commit is durable.
    pub(crate) fn committed(&mut self, outcome: &Outcome) {
        self.summary.messages_added += outcome.added;
        self.summary.messages_removed += outcome.removed;
        self.summary.flags_changed += outcome.flags_changed;
        if let Some(pass) = &mut self.mailbox_pass {
            pass.committed(outcome);
        }
        self.summary.operations_replayed += outcome.replayed;
        self.summary.operations_set_aside += outcome.set_aside.len() as u64;
        self.tell_set_aside(&outcome.set_aside);
        for (mailbox, message) in &outcome.fresh {
            self.events.push_back(Event::NewMail { mailbox: *mailbox, message: *message });
        }
        self.events.push_back(Event::Stored { commit: outcome.commit });
    }

    /// Everything that something waited for is durable.
    pub(crate) fn go_on(&mut self, next: Next) -> Result<()> {
        match next {
            Next::Plan => self.plan()?,
            Next::Bodies => self.fetch_bodies()?,
            Next::Settle => self.settle()?,
            Next::Onward => self.next_mailbox()?,
            Next::Finish => self.finish_pass()?,
            Next::OpenAgain { request, message } => {
                self.wishes.push_front(Wish::Open { request, message, part: None, retried: false });
            }
            Next::Replay(stage) => self.replay_on(stage)?,
            Next::Opened { request, message } => self.opened(request, message),
            Next::Pop(_) => return Err(Error::Misuse("a step of another protocol")),
        }
        self.advance()
    }

    /// A message that was asked for is durable.
    pub(crate) fn opened(&mut self, request: RequestId, message: MessageId) {
        self.events.push_back(Event::Opened { request, message });
        self.events.push_back(Event::Done { request, result: Ok(SyncSummary::default()) });
    }

    /// The summary of the sync that ends now.
    fn take_summary(&mut self) -> SyncSummary {
        self.meter.commands = self.out.commands();
        let (now, then) = (self.meter, std::mem::replace(&mut self.metered, self.meter));
        SyncSummary {
            bytes_received: now.received - then.received,
            bytes_sent: now.sent - then.sent,
            round_trips: now.round_trips - then.round_trips,
            commands: now.commands - then.commands,
            ..self.summary
        }
    }

    /// A whole response. Returns whether what follows in the input is compressed.
    pub(crate) fn response(&mut self, response: &Response<'_>) -> Result<bool> {
        match response {
            Response::Continuation(text) => self.continuation(text).map(|()| false),
            Response::Status(status) if self.login.awaits_greeting() => {
                let told = self.login.greeting(status, &mut self.out)?;
                self.login_told(told)
            }
            Response::Status(status) => match status.tag {
                Some(tag) => self.tagged(tag, status),
                None => self.untagged_status(status).map(|()| false),
            },
            Response::Data(_) if self.login.awaits_greeting() => {
                Err(Error::Protocol("data in place of the greeting".into()))
            }
            Response::Data(data) => {
                self.data(data)?;
                // News ends IDLE, so that it is looked at.
                if matches!(self.idle, Idle::Running { .. }) {
                    self.advance()?;
                }
                Ok(false)
            }
        }
    }

    fn continuation(&mut self, text: &[u8]) -> Result<()> {
        if self.out.release_literal() {
            return Ok(());
        }
        if !self.login.is_authenticated() {
            let told = self.login.continuation(text, &mut self.out)?;
            return self.login_told(told).map(|_| ());
        }
        match &mut self.idle {
            Idle::Running { begun, end, .. } => {
                *begun = true;
                if let Some(stop) = *end {
                    self.end_idle(stop);
                    return Ok(());
                }
                self.advance()
            }
            Idle::Ending { .. } => Ok(()),
            _ => Err(Error::Protocol("a continuation request that nothing waits for".into())),
        }
    }

    fn untagged_status(&mut self, status: &Status<'_>) -> Result<()> {
        if let Some(code) = &status.code {
            self.code(code, status)?;
        }
        match status.kind {
            StatusKind::Bye if self.logout.is_some() => Ok(()),
            StatusKind::Bye => Err(Error::Disconnected(login::text_of(status, &self.limits))),
            _ => Ok(()),
        }
    }

    /// A response code that means something whoever says it.
    fn code(&mut self, code: &Code<'_>, status: &Status<'_>) -> Result<()> {
        let s = &mut self.selected;
        match code {
            Code::Alert => {
                let text = login::text_of(status, &self.limits);
                self.events.push_back(Event::Alert { text });
            }
            Code::Capability(words) => {
                self.login.capability_data(Capabilities::from_words(words.iter()));
                if self.login.is_done() {
                    self.learn_capabilities();
                }
            }
            Code::UidValidity(n) => s.uid_validity = *n,
            Code::UidNext(n) => s.uid_next = *n,
            // Later than SELECT only a tagged answer moves it: the server may be holding back an
            // expunge (RFC 7162 §6).
            Code::HighestModSeq(n) if status.tag.is_some() || !s.open => s.highest_modseq = *n,
            Code::NoModSeq => s.no_modseq = true,
            Code::ReadOnly => s.read_only = true,
            Code::ReadWrite => s.read_only = false,
            Code::CopyUid { .. } if status.tag.is_none() => self.copy_uid(code),
            Code::MailboxId(id) if id.len() <= 255 => {
                s.mailbox_id = Some(String::from_utf8_lossy(id).into_owned());
            }
            Code::Closed => self.reset_opening(),
            Code::NotificationOverflow if status.tag.is_none() => self.notify_overflown(),
            _ => {}
        }
        Ok(())
    }

    fn tagged(&mut self, tag: &[u8], status: &Status<'_>) -> Result<bool> {
        let Some(purpose) = self.out.complete(tag) else {
            return Err(Error::Protocol("an answer to a command that was never sent".into()));
        };
        if let Purpose::Login(step) = purpose {
            let told = self.login.tagged(step, status, &mut self.out);
            self.keep_news_before();
            return self.login_told(told?);
        }
        if !self.login.is_authenticated() {
            // Pipelined behind a login that has not been answered.
            return Err(Error::Protocol("an answer out of turn before the login's".into()));
        }
        if let Some(code) = &status.code {
            self.code(code, status)?;
        }
        let ok = status.kind == StatusKind::Ok;
        match purpose {
            Purpose::Login(_) | Purpose::Id | Purpose::Aside => {}
            Purpose::Enable => self.enable_answered(ok),
            Purpose::List { extended } => self.list_answered(extended, ok, status)?,
            Purpose::Lsub => self.lsub_answered()?,
            Purpose::Status => self.status_answered()?,
            Purpose::Select => self.select_answered(ok, status)?,
            Purpose::Opened { request, uid } => self.opened_answered(request, uid, ok, status)?,
            Purpose::Replay(step) => self.replay_answered(*step, ok, status)?,
            Purpose::Notify => self.notify_answered(ok),
            Purpose::Idle => self.idle_answered(ok)?,
            Purpose::Logout => {
                return Err(Error::Disconnected("signed out".into()));
            }
            other => self.mailbox_answered(other, ok, status)?,
        }
        self.advance()?;
        Ok(false)
    }

    /// Whether the connection ended as it was asked to.
    pub(crate) fn logged_out(&self) -> bool {
        self.logout.is_some()
    }

    /// Everything that was under way ends with an error. Nothing stored is lost.
    pub(crate) fn fail(&mut self, error: &Error) {
        let mut requests: Vec<RequestId> = self.wishes.drain(..).map(|w| w.request()).collect();
        let had_pass = self.pass.is_some();
        requests.extend(self.pass.take().filter(|p| !p.scope.is_quiet()).map(|p| p.request));
        requests.extend(self.opening.drain().map(|(_, opening)| opening.request));
        if let Some(Next::Opened { request, .. } | Next::OpenAgain { request, .. }) = self.next {
            requests.push(request);
        }
        let signed_out = matches!(error, Error::Disconnected(_));
        if let Some(request) = self.logout_waits.take() {
            // A server that closes without an answer has signed us out all the same.
            let result = if signed_out {
                Ok(SyncSummary::default())
            } else {
                Err(Error::Disconnected(error.to_string()))
            };
            self.events.push_back(Event::Done { request, result });
        }
        self.learn_idle_limit(error);
        requests.extend(std::mem::replace(&mut self.idle, Idle::Off).request());
        requests.sort();
        requests.dedup();
        for request in requests {
            let result = Err(Error::Disconnected(error.to_string()));
            self.events.push_back(Event::Done { request, result });
        }
        if let Some(done) = self.mailbox_pass.take() {
            self.leases.release(done.mailbox);
        }
        if let Some(replay) = self.replay.take() {
            // Only a request that no pass speaks for: a pass has said it already.
            replay.request().filter(|_| !had_pass).into_iter().for_each(|request| {
                let result = Err(Error::Disconnected(error.to_string()));
                self.events.push_back(Event::Done { request, result });
            });
            self.leases.release_journal();
        }
        self.next = None;
    }

    fn is_qresync(&self) -> bool {
        self.capabilities.has("QRESYNC") && self.enabled.contains("QRESYNC")
    }

    fn known_uids(&self, mailbox: MailboxId) -> Result<UidSet> {
        crate::store::query::uids(&self.store.read()?.tables, mailbox)
    }
}
