//! Messages and headers as they come in.

use crate::error::Result;
use crate::ids::MailboxId;
use crate::message::received_ms;
use crate::pop3::command::Command;
use crate::pop3::response::Status;
use crate::store::batch::{Batch, MessageFact, Op, PartialBody, StagedBody};
use crate::store::ledger::{LedgerFact, LedgerKey, LedgerOp, SeenFact, shortened};
use crate::sync::pop::listing::Want;
use crate::sync::pop::{PopSession, Purpose, Step};

/// A message grows this long in memory before its chunks go into a batch of their own.
const FLUSH: usize = 1 << 20;

/// A message whose octets are coming in.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) body: StagedBody,
}

impl Incoming {
    pub(super) fn push(&mut self, octets: &[u8], batch: &mut Batch, inbox: MailboxId) {
        self.body.push(octets);
        if self.body.held() < FLUSH {
            return;
        }
        for op in self.body.take_full_chunks() {
            batch.push(op);
        }
        // Entered under no UID: it is not gone on with, only kept from lying about.
        let (blob, received) = (self.body.blob, self.body.stored);
        let partial = PartialBody { uid_validity: 0, blob, received, total: received };
        batch.push(Op::Partial { mailbox: inbox, uid: 0, partial });
    }
}

impl PopSession {
    /// Asks for what is not here, the newest first.
    pub(super) fn ask_messages(&mut self) -> Result<()> {
        if self.listed_only() {
            return Ok(());
        }
        let top = self.has_top();
        let (mut total, mut bare) = (0, Vec::new());
        for entry in self.maildrop.entries.iter().rev() {
            let number = entry.number;
            match entry.want {
                Want::Nothing => continue,
                Want::Whole | Want::Proof => {
                    self.queue.push_back((Command::Retr(number), Purpose::Retr(number)));
                }
                Want::Header if top => {
                    let command = Command::Top { message: number, lines: 0 };
                    self.queue.push_back((command, Purpose::Head(number)));
                }
                Want::Header => bare.push(number),
            }
            total += 1;
        }
        if let Some(pass) = &mut self.pass {
            pass.total = total;
        }
        for number in bare {
            self.enter_header(number, None)?;
        }
        self.messages_done()
    }

    /// Goes on where nothing is to come any more.
    pub(super) fn messages_done(&mut self) -> Result<()> {
        let comes = |p: &Purpose| matches!(p, Purpose::Retr(_) | Purpose::Head(_));
        if self.queue.iter().any(|(_, p)| comes(p)) || self.client.waiting().any(comes) {
            return Ok(());
        }
        let unproven = std::mem::take(&mut self.maildrop.unproven);
        let cut_short = self.pass.as_ref().is_none_or(|p| p.cancelled || p.done < p.total);
        if !unproven.is_empty() && !cut_short {
            let missing = unproven.into_iter().collect();
            let op = LedgerOp::Listed { seen: Vec::new(), missing, forgotten: Vec::new() };
            self.batch.push(Op::Ledger(op));
        }
        self.flush(Step::Fetched);
        Ok(())
    }

    /// A message begins.
    pub(super) fn begin_message(&mut self, number: u32) {
        // The server's word for its length only sets room aside, and little of it.
        let announced = self.maildrop.entry(number).map_or(0, |e| e.size);
        self.incoming = Some(Incoming { body: StagedBody::new(self.store.new_blob(), announced) });
    }

    pub(super) fn message_came(&mut self, number: u32) -> Result<()> {
        let Some(Incoming { mut body }) = self.incoming.take() else { return Ok(()) };
        let header = self.gatherer.fingerprint();
        let received_ms = received_ms(self.gatherer.header());
        let hash = body.finish().map(|hash| shortened(hash.canonical)).unwrap_or_default();
        let Some(seen) = self.identify(number, header, hash) else { return self.messages_done() };
        let mut fact = MessageFact::new(self.inbox, 0);
        fact.size = Some(seen.size.min(self.limits.message));
        fact.body = Some(body);
        let entry = LedgerFact { seen, header: Some(header), received_ms, fact };
        self.batch.push(Op::Ledger(LedgerOp::Message(Box::new(entry))));
        self.one_done();
        self.messages_done()
    }

    /// The name of a message that is here whole, and what its bytes tell of what was known under it or
    /// under others.
    fn identify(&mut self, number: u32, header: [u8; 16], hash: [u8; 16]) -> Option<SeenFact> {
        let fresh = self.pass.as_ref().is_some_and(|p| p.fresh);
        let (want, size, given) = self.maildrop.entry(number).map(|e| (e.want, e.size, e.key.clone()))?;
        let key = given.unwrap_or_else(|| self.name_by_bytes(number, hash));
        let mut seen = self.maildrop.entry(number)?.seen(key.clone(), fresh);
        if want == Want::Proof {
            let row = self.pass.as_mut().and_then(|p| p.known.remove(&key));
            let same = row.is_some_and(|row| row.body == Some(hash));
            let op = if same {
                LedgerOp::Confirmed { key, size, header }
            } else {
                LedgerOp::Replaced { by: Box::new(self.maildrop.entry(number)?.seen(key, fresh)) }
            };
            self.batch.push(Op::Ledger(op));
            return Some(seen);
        }
        let Some(rows) = self.maildrop.vanished.get_mut(&hash) else { return Some(seen) };
        if let Some(at) = rows.iter().position(|row| *row == key) {
            rows.remove(at);
        } else if let Some(from) = rows.pop() {
            // Which of several with the same bytes it was nobody can say.
            seen.doubtful |= !rows.is_empty();
            let to = Box::new(SeenFact { key: key.clone(), uidl: seen.uidl.clone(), ..seen });
            self.batch.push(Op::Ledger(LedgerOp::Renamed { from, to }));
        }
        Some(seen)
    }

    fn name_by_bytes(&mut self, number: u32, hash: [u8; 16]) -> LedgerKey {
        let count = self.maildrop.by_bytes.entry(hash).or_default();
        let key = LedgerKey::of_bytes(hash, *count);
        *count += 1;
        self.maildrop.name(number, key.clone());
        self.maildrop.unproven.remove(&key);
        key
    }

    pub(super) fn message_refused(&mut self, number: u32, status: &Status<'_>) -> Result<()> {
        let text = status.shown(self.limits.server_text);
        self.problem(format!("message {number} cannot be had: {text}"));
        self.messages_done()
    }

    /// The header of a message that is too large to be fetched unasked.
    pub(super) fn head_came(&mut self, number: u32) -> Result<()> {
        let print = self.gatherer.fingerprint();
        self.enter_header(number, Some(print))?;
        self.messages_done()
    }

    pub(super) fn head_refused(&mut self, number: u32) -> Result<()> {
        if !self.capabilities.has("TOP") {
            self.no_top = true;
        }
        self.enter_header(number, None)?;
        self.messages_done()
    }

    fn enter_header(&mut self, number: u32, print: Option<[u8; 16]>) -> Result<()> {
        let fresh = self.pass.as_ref().is_some_and(|p| p.fresh);
        let Some(entry) = self.maildrop.entry(number) else { return Ok(()) };
        let Some(key) = entry.key.clone() else { return Ok(()) };
        let seen = entry.seen(key, fresh);
        let mut fact = MessageFact::new(self.inbox, 0);
        fact.size = Some(seen.size.min(self.limits.message));
        let header = if print.is_some() { self.gatherer.header() } else { b"" };
        let received_ms = received_ms(header);
        fact.header = Some([header, b"\r\n"].concat());
        let entry = LedgerFact { seen, header: print, received_ms, fact };
        self.batch.push(Op::Ledger(LedgerOp::Message(Box::new(entry))));
        self.one_done();
        Ok(())
    }

    fn one_done(&mut self) {
        if let Some(pass) = &mut self.pass {
            pass.done += 1;
        }
    }
}
