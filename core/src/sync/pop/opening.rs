//! A message that a person wants to read and that is not here whole.

use crate::error::{Error, Result};
use crate::event::Event;
use crate::ids::{MessageId, RequestId};
use crate::message::received_ms;
use crate::options::SyncScope;
use crate::pop3::command::Command;
use crate::pop3::response::Status;
use crate::store::batch::{MessageFact, Op};
use crate::store::ledger::{self, LedgerFact, LedgerKey, LedgerOp};
use crate::store::query;
use crate::sync::pop::fetching::Incoming;
use crate::sync::pop::{PopSession, Purpose};
use crate::sync::session::Session;
use crate::sync::{Next, Wish};

#[derive(Debug)]
pub(super) struct Opening {
    pub(super) request: RequestId,
    message: MessageId,
    key: LedgerKey,
    header: Option<[u8; 16]>,
}

impl PopSession {
    /// Brings a message here. A part of it cannot be had alone over POP3.
    pub(super) fn open_message(
        &mut self,
        request: RequestId,
        message: MessageId,
        retried: bool,
    ) -> Result<()> {
        let (whole, found) = {
            let reading = self.store.read()?;
            let found =
                ledger::key_of(&reading.tables, message)?.filter(|(account, _)| *account == self.account);
            let found = match found {
                Some((account, key)) => ledger::row(&reading.tables, account, &key)?.map(|row| (key, row)),
                None => None,
            };
            (query::has_whole(&reading.tables, message)?, found)
        };
        if whole && query::message_record(&self.store.read()?.tables, message)?.is_some() {
            self.opened(request, message);
            return Ok(());
        }
        let Some((key, row)) = found else {
            self.events.push_back(Event::Done { request, result: Err(Error::Gone("message")) });
            return Ok(());
        };
        if !self.maildrop.settled && !retried {
            // Its number in this session is to be found out first.
            self.wishes.push_front(Wish::Open { request, message, part: None, retried: true });
            return self.start_pass(RequestId(0), SyncScope::opening(self.inbox));
        }
        let Some(number) = self.maildrop.number_of(&key) else {
            self.events.push_back(Event::Done { request, result: Err(Error::Gone("message")) });
            return Ok(());
        };
        self.opening = Some(Opening { request, message, key, header: row.header });
        self.queue.push_back((Command::Retr(number), Purpose::Open(number)));
        self.pump()
    }

    pub(super) fn open_came(&mut self, number: u32) -> Result<()> {
        let (Some(opening), Some(Incoming { body })) = (self.opening.take(), self.incoming.take()) else {
            return Ok(());
        };
        let Opening { request, message, key, header } = opening;
        let print = self.gatherer.fingerprint();
        if header.is_some_and(|known| known != print) {
            let error = Error::Refused("the server gives another message in its place".into());
            self.events.push_back(Event::Done { request, result: Err(error) });
            return self.advance_wishes();
        }
        let Some(seen) = self.maildrop.entry(number).map(|e| e.seen(key, false)) else { return Ok(()) };
        let mut fact = MessageFact::new(self.inbox, 0);
        fact.body = Some(body);
        let received_ms = received_ms(self.gatherer.header());
        let entry = LedgerFact { seen, header: Some(print), received_ms, fact };
        self.batch.push(Op::Ledger(LedgerOp::Message(Box::new(entry))));
        self.next = Some(Next::Opened { request, message });
        Ok(())
    }

    pub(super) fn open_refused(&mut self, status: &Status<'_>) {
        let Some(opening) = self.opening.take() else { return };
        let error = Error::Refused(status.shown(self.limits.server_text));
        self.events.push_back(Event::Done { request: opening.request, result: Err(error) });
    }
}
