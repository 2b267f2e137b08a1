//! Watching a mailbox: IDLE where offered (RFC 2177), looking again by the host's clock elsewhere.

use crate::error::{Error, Result};
use crate::event::{Event, SyncSummary};
use crate::ids::{MailboxId, RequestId};
use crate::imap::command::Command;
use crate::options::SyncScope;
use crate::store::query;
use crate::sync::{Driver, Purpose, Wish};

/// Servers may end a connection that idles for 30 minutes (RFC 2177 §3).
const REISSUE_MS: u64 = 28 * 60_000;
/// How often a mailbox is looked at where the server has no IDLE.
const POLL_MS: u64 = 60_000;

/// The state of watching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idle {
    Off,
    /// A mailbox is to be watched once nothing else is to be done.
    Wanted {
        request: RequestId,
        mailbox: MailboxId,
        /// It was tried to open it.
        tried: bool,
    },
    /// IDLE is sent, and has begun once the server's `+` came: news may precede it, DONE must not.
    Running {
        request: RequestId,
        mailbox: MailboxId,
        since_ms: u64,
        news: bool,
        begun: bool,
        /// DONE is to be sent as soon as it has begun; whether watching ends with it.
        end: Option<bool>,
    },
    /// DONE is sent; the tagged answer is to come.
    Ending {
        request: RequestId,
        mailbox: MailboxId,
        news: bool,
        stop: bool,
    },
    /// No IDLE here: the mailbox is looked at now and then.
    Polling {
        request: RequestId,
        mailbox: MailboxId,
        since_ms: u64,
    },
}

impl Idle {
    pub(crate) fn request(self) -> Option<RequestId> {
        match self {
            Idle::Off => None,
            Idle::Wanted { request, .. }
            | Idle::Running { request, .. }
            | Idle::Ending { request, .. }
            | Idle::Polling { request, .. } => Some(request),
        }
    }

    /// Whether other work may start.
    pub(crate) fn allows_work(self) -> bool {
        matches!(self, Idle::Off | Idle::Wanted { .. } | Idle::Polling { .. })
    }
}

impl Driver {
    /// When watching is to be renewed, on the monotonic clock.
    pub(crate) fn idle_deadline(&self) -> Option<u64> {
        match self.idle {
            Idle::Running { since_ms, .. } => Some(since_ms + REISSUE_MS),
            Idle::Polling { since_ms, .. } => Some(since_ms + POLL_MS),
            _ => None,
        }
    }

    /// Watching is due to be renewed.
    pub(crate) fn idle_timeout(&mut self) -> Result<()> {
        match self.idle {
            Idle::Running { .. } => {
                self.end_idle(false);
                Ok(())
            }
            Idle::Polling { request, mailbox, .. } => {
                self.idle = Idle::Wanted { request, mailbox, tried: true };
                self.look_again(request, mailbox);
                self.advance()
            }
            _ => Ok(()),
        }
    }

    fn look_again(&mut self, request: RequestId, mailbox: MailboxId) {
        self.wishes.push_front(Wish::Sync { request, scope: SyncScope::quiet(mailbox) });
    }

    /// Nothing else is to be done: watch, if that is wanted.
    pub(super) fn maybe_idle(&mut self) -> Result<()> {
        let Idle::Wanted { request, mailbox, tried } = self.idle else { return Ok(()) };
        let since_ms = self.now.mono_ms;
        if self.selected.mailbox != Some(mailbox) || !self.selected.open {
            let there = query::mailbox(&self.store.read()?.tables, mailbox).is_ok_and(|m| !m.gone);
            if !there {
                self.idle = Idle::Off;
                self.events.push_back(Event::Done { request, result: Err(Error::Gone("mailbox")) });
                return Ok(());
            }
            if tried {
                // Another connection has it, or the server refuses it: look again in a while.
                self.idle = Idle::Polling { request, mailbox, since_ms };
                return Ok(());
            }
            self.idle = Idle::Wanted { request, mailbox, tried: true };
            self.look_again(request, mailbox);
            return self.advance();
        }
        if self.capabilities.has("IDLE") {
            self.idle = Idle::Running { request, mailbox, since_ms, news: false, begun: false, end: None };
            return self.out.send(&Command::Idle, Purpose::Idle);
        }
        self.idle = Idle::Polling { request, mailbox, since_ms };
        Ok(())
    }

    /// Sends DONE where IDLE runs.
    pub(super) fn end_idle(&mut self, stop: bool) {
        if let Idle::Running { begun: false, end, .. } = &mut self.idle {
            *end = Some(stop || *end == Some(true));
            return;
        }
        if let Idle::Running { request, mailbox, news, .. } = self.idle {
            self.out.done();
            self.idle = Idle::Ending { request, mailbox, news, stop };
        }
    }

    /// Something happened in the open mailbox; an idling connection looks at it.
    pub(super) fn news(&mut self) {
        match &mut self.idle {
            Idle::Running { news, .. } | Idle::Ending { news, .. } => *news = true,
            _ => {}
        }
    }

    pub(super) fn idle_answered(&mut self, ok: bool) -> Result<()> {
        match self.idle {
            Idle::Ending { stop: true, request, .. } => {
                self.idle = Idle::Off;
                self.events.push_back(Event::Done { request, result: Ok(SyncSummary::default()) });
            }
            // The server may end IDLE by itself; what came meanwhile is looked at all the same.
            Idle::Ending { request, mailbox, news, .. } | Idle::Running { request, mailbox, news, .. } => {
                self.idle = Idle::Wanted { request, mailbox, tried: false };
                if !ok {
                    let since_ms = self.now.mono_ms;
                    self.idle = Idle::Polling { request, mailbox, since_ms };
                }
                // What came between DONE and the answer counts too: EXISTS moved on since the pass.
                if news || !self.selected.adds_up() {
                    self.look_again(request, mailbox);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends watching, and the wish for it.
    pub(crate) fn stop_watching(&mut self, only: Option<RequestId>) -> Result<()> {
        let Some(watching) = self.idle.request() else { return Ok(()) };
        if only.is_some_and(|r| r != watching) {
            return Ok(());
        }
        self.wishes.retain(|w| w.request() != watching);
        match &mut self.idle {
            Idle::Running { .. } => self.end_idle(true),
            Idle::Ending { stop, .. } => *stop = true,
            _ => {
                self.idle = Idle::Off;
                self.events.push_back(Event::Done { request: watching, result: Err(Error::Cancelled) });
            }
        }
        Ok(())
    }
}
