//! Watching a mailbox: IDLE where offered (RFC 2177), looking again by the host's clock elsewhere.

use crate::error::{Error, Result};
use crate::event::{Event, SyncSummary};
use crate::ids::{MailboxId, RequestId};
use crate::imap::command::Command;
use crate::imap::response::MailboxStatus;
use crate::options::{ConnectionOptions, SyncScope};
use crate::store::batch::{AccountFact, Op};
use crate::store::query;
use crate::store::records::AccountRecord;
use crate::sync::{Driver, Purpose, Wish};

/// Longest line of NOTIFY that is sent, in octets of mailbox names.
const LONGEST_NOTIFY: usize = 6_000;

/// Mailboxes that are watched beside the one that is open.
#[derive(Debug, Default)]
pub(crate) struct Others {
    mailboxes: Vec<MailboxId>,
    /// When they were looked at last, on the monotonic clock.
    looked_ms: u64,
    /// The server tells of them by itself.
    notified: bool,
    notify_sent: bool,
    /// They were too many for the server to tell of (RFC 5465 §5.8).
    too_many: bool,
}

/// How long an IDLE may last on an account's server.
pub(crate) fn idle_limit(options: &ConnectionOptions, record: &AccountRecord) -> u64 {
    options.idle_reissue_ms.min(record.idle_limit_ms.unwrap_or(u64::MAX))
}

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

    /// Whether other work may start. It may as soon as DONE is sent: what follows goes out in the same flight.
    pub(crate) fn allows_work(self) -> bool {
        let ending = matches!(self, Idle::Ending { stop: false, .. });
        ending || matches!(self, Idle::Off | Idle::Wanted { .. } | Idle::Polling { .. })
    }
}

impl Driver {
    /// When watching is to be renewed, on the monotonic clock.
    pub(crate) fn idle_deadline(&self) -> Option<u64> {
        match self.idle {
            // Before it has begun there is nothing to end: a deadline that cannot be met would never let the host rest.
            Idle::Running { since_ms, begun: true, .. } => {
                let renew = since_ms.saturating_add(self.idle_limit_ms.max(1));
                Some(self.others_due().map_or(renew, |due| due.min(renew)))
            }
            Idle::Polling { since_ms, .. } => Some(since_ms + self.options.poll_ms),
            _ => None,
        }
    }

    /// When the mailboxes that nothing tells of are to be looked at.
    fn others_due(&self) -> Option<u64> {
        let asked = !self.others.mailboxes.is_empty() && !self.others.notified;
        asked.then(|| self.others.looked_ms + self.options.poll_ms)
    }

    /// A person wants mailboxes watched.
    pub(super) fn start_watching(&mut self, request: RequestId, mailboxes: Vec<MailboxId>) {
        if let Some(before) = self.idle.request() {
            self.events.push_back(Event::Done { request: before, result: Err(Error::Cancelled) });
        }
        let mut mailboxes = mailboxes.into_iter();
        let Some(mailbox) = mailboxes.next() else {
            self.idle = Idle::Off;
            self.events.push_back(Event::Done { request, result: Ok(SyncSummary::default()) });
            return;
        };
        self.idle = Idle::Wanted { request, mailbox, tried: false };
        let looked_ms = self.now.mono_ms;
        let mailboxes = mailboxes.filter(|other| *other != mailbox).collect();
        self.others = Others { mailboxes, looked_ms, ..Others::default() };
    }

    /// Asks the server to tell of the other mailboxes by itself, or for their numbers where it is time.
    fn attend_to_others(&mut self) -> Result<()> {
        if self.others.mailboxes.is_empty() {
            return Ok(());
        }
        if self.capabilities.has("NOTIFY") && !self.others.notify_sent {
            self.others.notify_sent = true;
            let names = if self.others.too_many { Vec::new() } else { self.names_of_others()? };
            if names.iter().map(Vec::len).sum::<usize>() <= LONGEST_NOTIFY {
                return self.out.send(&Command::Notify(names), Purpose::Notify);
            }
        }
        if self.others_due().is_some_and(|due| self.now.mono_ms >= due) {
            self.others.looked_ms = self.now.mono_ms;
            let items = self.status_items();
            for mailbox in self.names_of_others()? {
                self.out.send(&Command::Status { mailbox, items: items.clone() }, Purpose::Aside)?;
            }
        }
        Ok(())
    }

    fn names_of_others(&self) -> Result<Vec<Vec<u8>>> {
        let tables = self.store.read()?.tables;
        let records = self.others.mailboxes.iter().map(|id| query::mailbox(&tables, *id));
        Ok(records.filter_map(|r| r.ok().filter(|m| !m.gone && m.selectable)).map(|m| m.wire_name).collect())
    }

    pub(super) fn notify_answered(&mut self, ok: bool) {
        self.others.notified = ok && !self.others.too_many;
    }

    /// The server tells of nothing any more, not even of the open mailbox: it is asked for that one alone, and the others
    /// are looked at. What happened meanwhile is found when watching begins anew.
    pub(super) fn notify_overflown(&mut self) {
        self.others.too_many = true;
        self.others.notified = false;
        self.others.notify_sent = false;
        self.others.looked_ms = 0;
        self.news();
        if matches!(self.idle, Idle::Running { .. }) {
            self.end_idle(false);
        }
    }

    /// The numbers of a mailbox that is watched: where they are not those of its last settling, it is looked at.
    pub(super) fn watched_status(&mut self, status: &MailboxStatus<'_>) -> Result<()> {
        let listed = self.pass.as_ref().is_some_and(|p| !p.scope.is_quiet());
        if self.others.mailboxes.is_empty() || listed || self.replay.is_some() {
            return Ok(());
        }
        let name = status.mailbox.bytes();
        let tables = self.store.read()?.tables;
        for id in &self.others.mailboxes {
            let Ok(record) = query::mailbox(&tables, *id) else { continue };
            if *record.wire_name != *name {
                continue;
            }
            let same = |told: Option<u32>, known: u32| told.is_none_or(|n| n == known);
            let unchanged = record.settled.is_some_and(|s| {
                same(status.messages, s.messages)
                    && same(status.uid_next, s.uid_next)
                    && same(status.uid_validity, s.uid_validity)
                    && same(status.unseen, s.unseen)
                    && status.highest_modseq.is_some_and(|m| m == s.highest_modseq)
            });
            let waits = |w: &Wish| matches!(w, Wish::Sync { scope, .. } if scope.mailboxes() == Some(&[*id]));
            if !unchanged && !self.wishes.iter().any(waits) {
                let scope = SyncScope::quiet(*id);
                self.wishes.push_back(Wish::Sync { request: RequestId(0), scope });
            }
        }
        Ok(())
    }

    /// A server that ends an IDLE which is still good may do so every time.
    pub(super) fn learn_idle_limit(&mut self, error: &Error) {
        let Idle::Running { since_ms, begun: true, end: None, .. } = self.idle else { return };
        if matches!(error, Error::Disconnected(_)) {
            let lasted = self.now.mono_ms.saturating_sub(since_ms);
            let fact = AccountFact { idle_ended_ms: Some(lasted), ..AccountFact::default() };
            self.batch.push(Op::Account(fact));
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
                // Without IDLE every look is at all of them.
                self.others.looked_ms = 0;
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
        self.attend_to_others()?;
        if self.out.waiting().any(|p| matches!(p, Purpose::Aside | Purpose::Notify)) {
            // Their answers may say that there is something to do.
            return Ok(());
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
            self.idle = Idle::Ending { request, mailbox, news: false, stop };
            if news && !stop {
                self.look_again(request, mailbox);
            }
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
                // What came between DONE and the answer counts too: EXISTS moved on since the pass. One that is under way
                // sees to it itself.
                if news || self.pass.is_none() && !self.selected.adds_up() {
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
