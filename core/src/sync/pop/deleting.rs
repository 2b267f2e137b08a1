//! Deleting from the server what the account's policy says, and nothing else.

use crate::error::{Error, Result};
use crate::event::{Event, SyncSummary};
use crate::pop3::command::Command;
use crate::pop3::response::Status;
use crate::store::batch::{Op, StateFact};
use crate::store::ledger::LedgerOp;
use crate::store::{query, retention};
use crate::sync::pop::{PopSession, Purpose, Quit, Step};

impl PopSession {
    /// Everything is durable: what does the policy say? The ledger is told before the server is.
    pub(super) fn plan_deletions(&mut self) -> Result<()> {
        if self.pass.as_ref().is_none_or(|p| p.cancelled) {
            self.finish_pass();
            return Ok(());
        }
        let (due, complete) = {
            let reading = self.store.read()?;
            let due = retention::plan(&reading.tables, self.account, self.now.wall_ms)?;
            (due, query::mailbox(&reading.tables, self.inbox)?.complete)
        };
        if !complete {
            let state = StateFact { complete: Some(true), ..StateFact::default() };
            self.batch.push(Op::State { mailbox: self.inbox, state });
        }
        let mut numbers = Vec::new();
        let mut sent = Vec::new();
        for due in due {
            let Some(number) = self.maildrop.number_of(&due.key) else { continue };
            if self.maildrop.entry(number).is_some_and(|e| !e.doubtful) {
                numbers.push(number);
                sent.push((due.key, due.why));
            }
        }
        if numbers.is_empty() {
            self.flush(Step::Finish);
            return Ok(());
        }
        self.batch.push(Op::Ledger(LedgerOp::DeletionSent(sent)));
        numbers.sort_unstable();
        if let Some(pass) = &mut self.pass {
            pass.due = numbers;
        }
        self.flush(Step::Delete);
        Ok(())
    }

    /// The ledger knows: DELE goes out.
    pub(super) fn delete(&mut self) -> Result<()> {
        let due = self.pass.as_mut().map(|p| std::mem::take(&mut p.due)).unwrap_or_default();
        for number in due {
            self.queue.push_back((Command::Dele(number), Purpose::Dele(number)));
        }
        self.deletions_done()
    }

    pub(super) fn deletion_answered(&mut self, number: u32, status: &Status<'_>) -> Result<()> {
        let key = self.maildrop.entry(number).and_then(|e| e.key.clone());
        match (&mut self.pass, key) {
            (Some(pass), Some(key)) if status.ok => pass.deleted.push(key),
            _ => {
                let text = status.shown(self.limits.server_text);
                self.problem(format!("the server does not delete message {number}: {text}"));
            }
        }
        self.deletions_done()
    }

    fn deletions_done(&mut self) -> Result<()> {
        let goes = |purpose: &Purpose| matches!(purpose, Purpose::Dele(_));
        if self.quit != Quit::No || self.queue.iter().any(|(_, p)| goes(p)) || self.client.waiting().any(goes)
        {
            return self.pump();
        }
        // Only behind QUIT are deletions done (RFC 1939 §6).
        self.quit = Quit::Sent;
        self.queue.push_back((Command::Quit, Purpose::Quit));
        self.pump()
    }

    pub(super) fn quit_answered(&mut self, status: &Status<'_>) -> Result<()> {
        if let Some(request) = self.logout_waits.take() {
            self.events.push_back(Event::Done { request, result: Ok(SyncSummary::default()) });
        }
        let Some(pass) = &mut self.pass else {
            return Err(Error::Disconnected("signed out".into()));
        };
        if !status.ok {
            // Some may be deleted and some not: the next list tells.
            let text = status.shown(self.limits.server_text);
            self.end_pass(Err(Error::Refused(text)));
            return Err(Error::Disconnected("signed out".into()));
        }
        let deleted = std::mem::take(&mut pass.deleted);
        self.quit = Quit::Agreed;
        self.batch.push(Op::Ledger(LedgerOp::DeletionConfirmed(deleted)));
        self.flush(Step::Deleted);
        Ok(())
    }
}
