//! A POP3 session behind the seam: what comes in, and what wishes start.

use crate::error::{Error, Result};
use crate::event::{Event, SyncSummary};
use crate::ids::{ConnectionId, MessageId, RequestId};
use crate::options::SyncScope;
use crate::pop3::client::Heard;
use crate::pop3::command::Command;
use crate::pop3::response::Status;
use crate::sasl::{ChannelBinding, Credentials};
use crate::store::apply::Outcome;
use crate::sync::pop::{PopSession, Purpose, Quit, Step};
use crate::sync::session::{Desk, Session, Taken};
use crate::sync::{Next, Wish};
use crate::time::Now;

impl Session for PopSession {
    fn desk(&mut self) -> Desk<'_> {
        let PopSession { batch, next, events, wishes, meter, .. } = self;
        Desk { batch, next, events, wishes, meter }
    }

    fn id(&self) -> ConnectionId {
        self.leases.connection()
    }

    fn take(&mut self, input: &mut &[u8]) -> Result<Option<Taken>> {
        let PopSession { client, login, maildrop, incoming, gatherer, batch, capabilities, .. } = self;
        let Some(heard) = client.next(input)? else { return Ok(None) };
        // What is frequent, or borrows the input, is taken in place.
        match heard {
            Heard::Text(_, octets) => {
                gatherer.push(octets);
                if let Some(incoming) = incoming {
                    incoming.push(octets, batch, self.inbox);
                }
                return Ok(Some(Taken::Data(octets.len())));
            }
            Heard::Line(purpose, line) => {
                match purpose {
                    Purpose::Login(_) => login.capability(line),
                    Purpose::Capa => capabilities.add(line),
                    Purpose::List => maildrop.listed(line),
                    Purpose::Uidl => maildrop.named(line),
                    _ => {}
                }
                return Ok(Some(Taken::Response));
            }
            Heard::Greeting(status) => {
                let status = OwnedStatus::of(&status);
                self.greeted(&status.borrow())?;
            }
            Heard::Challenge(_, text) => {
                let text = text.to_vec();
                self.login.challenge(&text, &mut self.client)?;
            }
            Heard::Answer(purpose, status) => {
                let status = OwnedStatus::of(&status);
                self.answered(purpose, &status.borrow())?;
            }
            Heard::Begins(purpose, _) => {
                self.begins(purpose);
                return Ok(Some(Taken::Border));
            }
            Heard::Ends(purpose) => {
                self.ends(purpose)?;
                self.pump()?;
            }
        }
        Ok(Some(Taken::Response))
    }

    fn has_more(&self, _input: &[u8]) -> bool {
        false
    }

    fn transmit(&mut self) -> Option<Vec<u8>> {
        self.client.transmit()
    }

    fn has_output(&self) -> bool {
        self.client.has_output()
    }

    fn set_now(&mut self, now: Now) {
        self.now = now;
        self.batch.now_wall_ms = now.wall_ms;
    }

    fn is_waiting(&self) -> bool {
        self.client.awaits_greeting() || self.login.awaits_tls() || self.client.depth() > 0
    }

    fn awaits_tls(&self) -> bool {
        self.login.awaits_tls()
    }

    fn deadline(&self) -> Option<u64> {
        self.wait.as_ref().and_then(|w| w.until_ms)
    }

    fn handle_deadline(&mut self) -> Result<()> {
        self.try_again()
    }

    fn tls_started(&mut self, binding: Option<ChannelBinding>) -> Result<()> {
        let told = self.login.tls_started(binding, &mut self.client)?;
        self.login_told(told)
    }

    fn provide(&mut self, credentials: Credentials) -> Result<()> {
        let told = self.login.provide(credentials, &mut self.client)?;
        self.login_told(told)
    }

    fn advance(&mut self) -> Result<()> {
        self.advance_wishes()?;
        self.pump()
    }

    fn look_at_skipped(&mut self) -> Result<()> {
        if std::mem::take(&mut self.skipped) {
            let scope = SyncScope::quiet(self.inbox);
            self.wishes.push_back(Wish::Sync { request: RequestId(0), scope });
        }
        self.advance()
    }

    fn cancel(&mut self, request: RequestId) -> Result<()> {
        if let Some(at) = self.wishes.iter().position(|w| w.request() == request) {
            self.wishes.remove(at);
            self.events.push_back(Event::Done { request, result: Err(Error::Cancelled) });
        } else if let Some(pass) = self.pass.as_mut().filter(|p| p.request == request) {
            pass.cancelled = true;
            // What is in flight is taken in; nothing more is asked for.
            self.queue.retain(|(_, purpose)| !matches!(purpose, Purpose::Retr(_) | Purpose::Head(_)));
        }
        self.advance()
    }

    fn stop_watching(&mut self) -> Result<()> {
        Ok(())
    }

    fn set_commit_under_way(&mut self, _under_way: bool) {}

    fn committed(&mut self, outcome: &Outcome) {
        self.summary.messages_added += outcome.added;
        self.summary.flags_changed += outcome.flags_changed;
        for (mailbox, message) in &outcome.fresh {
            self.events.push_back(Event::NewMail { mailbox: *mailbox, message: *message });
        }
        self.events.push_back(Event::Stored { commit: outcome.commit });
        self.tell_progress();
    }

    fn go_on(&mut self, next: Next) -> Result<()> {
        match next {
            Next::Pop(Step::Fetched) => self.plan_deletions()?,
            Next::Pop(Step::Delete) => self.delete()?,
            Next::Pop(Step::Deleted) => {
                self.finish_pass();
                return Err(Error::Disconnected("signed out".into()));
            }
            Next::Pop(Step::Finish) => self.finish_pass(),
            Next::Opened { request, message } => self.opened(request, message),
            _ => return Err(Error::Misuse("a step of another protocol")),
        }
        self.advance()
    }

    fn opened(&mut self, request: RequestId, message: MessageId) {
        self.events.push_back(Event::Opened { request, message });
        self.events.push_back(Event::Done { request, result: Ok(SyncSummary::default()) });
    }

    /// A message that was cut cannot be gone on with: POP3 has no way to ask for a part.
    fn cut(&mut self) {
        self.incoming = None;
    }

    fn logged_out(&self) -> bool {
        self.quit != Quit::No
    }

    fn ended_as(&self, error: Error) -> Error {
        self.later().unwrap_or(error)
    }

    fn fail(&mut self, error: &Error) {
        let told = |error: &Error| match error {
            Error::TryLater { after_ms, why } => Error::TryLater { after_ms: *after_ms, why: why.clone() },
            other => Error::Disconnected(other.to_string()),
        };
        let mut requests: Vec<RequestId> = self.wishes.drain(..).map(|w| w.request()).collect();
        if self.quit == Quit::Agreed {
            // All is done that was to be done; that the server hung up is how it ends.
            self.finish_pass();
        }
        requests.extend(self.pass.take().filter(|p| !p.is_quiet()).map(|p| p.request));
        requests.extend(self.opening.take().map(|o| o.request));
        if let Some(Next::Opened { request, .. }) = self.next {
            requests.push(request);
        }
        if let Some(request) = self.logout_waits.take() {
            // A server that closes without an answer has signed us out all the same.
            let signed_out = matches!(error, Error::Disconnected(_));
            let result = if signed_out { Ok(SyncSummary::default()) } else { Err(told(error)) };
            self.events.push_back(Event::Done { request, result });
        }
        requests.sort();
        requests.dedup();
        for request in requests {
            self.events.push_back(Event::Done { request, result: Err(told(error)) });
        }
        self.leases.release(self.inbox);
        self.queue.clear();
        self.next = None;
    }
}

impl PopSession {
    /// Starts the next wish where nothing is under way.
    pub(super) fn advance_wishes(&mut self) -> Result<()> {
        if !self.login.is_authenticated() {
            return Ok(());
        }
        while self.is_free() {
            match self.wishes.pop_front() {
                Some(Wish::Sync { request, scope }) => self.start_pass(request, scope)?,
                Some(Wish::Open { request, message, retried, .. }) => {
                    self.open_message(request, message, retried)?;
                }
                // What is done in mailboxes of this device is done with that; deletions go with the next sync.
                Some(Wish::Replay) => {}
                Some(Wish::Watch { request, .. }) => {
                    let error = Error::Invalid {
                        what: "wish",
                        why: "POP3 has nothing to watch: connect and sync now and then".into(),
                    };
                    self.events.push_back(Event::Done { request, result: Err(error) });
                }
                Some(Wish::Logout { request }) => {
                    self.logout_waits = Some(request);
                    self.quit = Quit::Sent;
                    self.queue.push_back((Command::Quit, Purpose::Quit));
                    self.pump()?;
                }
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// A `+OK` that something follows.
    fn begins(&mut self, purpose: Purpose) {
        self.gatherer.clear();
        match purpose {
            Purpose::Capa => self.capabilities = Default::default(),
            Purpose::Retr(number) | Purpose::Open(number) => self.begin_message(number),
            _ => {}
        }
    }

    /// What followed a `+OK` is complete.
    fn ends(&mut self, purpose: Purpose) -> Result<()> {
        match purpose {
            Purpose::Login(_) => {
                let told = self.login.capabilities_told(&mut self.client)?;
                self.login_told(told)
            }
            Purpose::Capa => {
                self.note_server();
                self.warn_of_expiry();
                Ok(())
            }
            Purpose::List | Purpose::Uidl => self.list_answered(purpose),
            Purpose::Check(number) => self.checked(number),
            Purpose::Head(number) => self.head_came(number),
            Purpose::Retr(number) => self.message_came(number),
            Purpose::Open(number) => self.open_came(number),
            Purpose::Dele(_) | Purpose::Quit => Ok(()),
        }
    }

    /// An answer that is one line: to a command that has no more, or an `-ERR`.
    fn answered(&mut self, purpose: Purpose, status: &Status<'_>) -> Result<()> {
        match purpose {
            Purpose::Login(step) => {
                let told = self.login.answer(step, status, &mut self.client)?;
                return self.login_told(told);
            }
            Purpose::Capa => {}
            Purpose::List => {
                let error = Error::Refused(status.shown(self.limits.server_text));
                self.end_pass(Err(error));
            }
            Purpose::Uidl => self.list_answered(purpose)?,
            Purpose::Check(number) => self.check_refused(number)?,
            Purpose::Head(number) => self.head_refused(number)?,
            Purpose::Retr(number) => self.message_refused(number, status)?,
            Purpose::Open(_) => self.open_refused(status),
            Purpose::Dele(number) => self.deletion_answered(number, status)?,
            Purpose::Quit => return self.quit_answered(status),
        }
        self.advance()
    }
}

/// A status that outlives the input it was read from.
struct OwnedStatus {
    ok: bool,
    code: Option<crate::pop3::response::Code>,
    text: Vec<u8>,
}

impl OwnedStatus {
    fn of(status: &Status<'_>) -> OwnedStatus {
        OwnedStatus { ok: status.ok, code: status.code, text: status.text.to_vec() }
    }

    fn borrow(&self) -> Status<'_> {
        Status { ok: self.ok, code: self.code, text: &self.text }
    }
}
