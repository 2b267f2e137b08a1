//! A sync pass: begun, and ended.

use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::event::{Event, SyncSummary};
use crate::ids::RequestId;
use crate::model::BodyPolicy;
use crate::options::SyncScope;
use crate::pop3::command::Command;
use crate::store::batch::Op;
use crate::store::ledger::{LedgerKey, LedgerRecord};
use crate::store::query;
use crate::sync::pop::listing::Maildrop;
use crate::sync::pop::{PopSession, Purpose, Step};

/// A pass under way.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) request: RequestId,
    scope: SyncScope,
    pub(super) cancelled: bool,
    pub(super) bodies: BodyPolicy,
    /// Messages that are new now are to be announced: the account has been listed before.
    pub(super) fresh: bool,
    /// Rows of the ledger that still matter to this pass.
    pub(super) known: HashMap<LedgerKey, LedgerRecord>,
    /// Messages that came, of those that were asked for.
    pub(super) done: u64,
    pub(super) total: u64,
    /// Numbers of the messages that are to be deleted, once the ledger knows.
    pub(super) due: Vec<u32>,
    /// Messages that the server agreed to delete.
    pub(super) deleted: Vec<LedgerKey>,
}

impl Pass {
    /// Whether no event says that it is done.
    pub(super) fn is_quiet(&self) -> bool {
        self.scope.is_quiet()
    }

    /// Whether the list is all that is wanted.
    pub(super) fn only_lists(&self) -> bool {
        self.scope.only_opens()
    }
}

impl PopSession {
    pub(super) fn start_pass(&mut self, request: RequestId, scope: SyncScope) -> Result<()> {
        let begun_in_part = {
            let reading = self.store.read()?;
            self.settings = query::account(&reading.tables, self.account)?.settings;
            for mailbox in scope.mailboxes().unwrap_or_default() {
                if query::mailbox(&reading.tables, *mailbox).is_ok_and(|m| m.account == self.account) {
                    continue;
                }
                self.events.push_back(Event::Done { request, result: Err(Error::Gone("mailbox")) });
                return Ok(());
            }
            !query::partials(&reading.tables, self.inbox)?.is_empty()
        };
        self.summary = SyncSummary::default();
        let bodies = scope.bodies().unwrap_or(self.settings.bodies);
        let elsewhere = scope.mailboxes().is_some_and(|all| !all.contains(&self.inbox));
        let fresh = self.server.generation > 0;
        self.pass = Some(Pass {
            request,
            scope,
            cancelled: false,
            bodies,
            fresh,
            known: HashMap::new(),
            done: 0,
            total: 0,
            due: Vec::new(),
            deleted: Vec::new(),
        });
        if elsewhere {
            // The other mailboxes are on this device only.
            self.finish_pass();
            return Ok(());
        }
        if !self.leases.take(self.inbox) {
            self.skipped = true;
            self.finish_pass();
            return Ok(());
        }
        if begun_in_part {
            // POP3 has no way to go on with a message.
            self.batch.push(Op::Collect { mailbox: self.inbox });
        }
        self.maildrop = Maildrop::default();
        self.queue.push_back((Command::List(None), Purpose::List));
        self.queue.push_back((Command::Uidl(None), Purpose::Uidl));
        self.pump()
    }

    /// Everything that was wanted is durable.
    pub(super) fn finish_pass(&mut self) {
        self.end_pass(Ok(()));
    }

    pub(super) fn end_pass(&mut self, result: Result<()>) {
        self.leases.release(self.inbox);
        let Some(pass) = self.pass.take() else { return };
        self.queue.retain(|(_, purpose)| *purpose == Purpose::Capa);
        if pass.is_quiet() {
            return;
        }
        let result = match result {
            Ok(()) if pass.cancelled => Err(Error::Cancelled),
            result => result.map(|()| self.take_summary()),
        };
        self.events.push_back(Event::Done { request: pass.request, result });
    }

    /// The list is all that was wanted.
    pub(super) fn listed_only(&mut self) -> bool {
        let only = self.pass.as_ref().is_some_and(Pass::only_lists);
        if only {
            self.flush(Step::Finish);
        }
        only
    }

    pub(super) fn tell_progress(&mut self) {
        let Some(pass) = self.pass.as_ref().filter(|p| p.total > 0 && !p.is_quiet()) else { return };
        let (request, mailbox) = (pass.request, self.inbox);
        self.events.push_back(Event::Progress { request, mailbox, done: pass.done, total: pass.total });
    }
}
