//! Looking at the headers of messages whose names do not tell what they are.

use hashbrown::HashMap;

use crate::error::Result;
use crate::pop3::command::Command;
use crate::store::batch::Op;
use crate::store::ledger::{LedgerKey, LedgerOp, LedgerRecord, LedgerState};
use crate::sync::pop::listing::{Check, Want};
use crate::sync::pop::{PopSession, Purpose};

/// What messages are compared by: octets as the server says, and the header's fingerprint.
type Print = (u64, [u8; 16]);

impl PopSession {
    /// Whether headers can be asked for alone. A server without CAPA is tried.
    pub(super) fn has_top(&self) -> bool {
        !self.no_top && (self.capabilities.is_empty() || self.capabilities.has("TOP"))
    }

    pub(super) fn ask_checks(&mut self) -> Result<()> {
        if self.has_top() {
            for entry in self.maildrop.entries.iter().filter(|e| e.check != Check::No) {
                let command = Command::Top { message: entry.number, lines: 0 };
                self.queue.push_back((command, Purpose::Check(entry.number)));
            }
        }
        self.checks_done()
    }

    /// Goes on where nothing is to be looked at any more.
    fn checks_done(&mut self) -> Result<()> {
        let is_check = |purpose: &Purpose| matches!(purpose, Purpose::Check(_));
        if self.queue.iter().any(|(_, p)| is_check(p)) || self.client.waiting().any(is_check) {
            return Ok(());
        }
        let Some(pass) = &mut self.pass else { return Ok(()) };
        let mut known = std::mem::take(&mut pass.known);
        self.name_the_nameless(&mut known);
        self.find_renamed(&mut known);
        self.compare_same(&mut known);
        if let Some(pass) = &mut self.pass {
            pass.known = known;
        }
        self.settle_list()
    }

    pub(super) fn checked(&mut self, number: u32) -> Result<()> {
        let print = self.gatherer.fingerprint();
        if let Some(entry) = self.maildrop.entry(number) {
            entry.header = Some(print);
        }
        self.checks_done()
    }

    pub(super) fn check_refused(&mut self, _number: u32) -> Result<()> {
        if !self.capabilities.has("TOP") {
            self.no_top = true;
            self.queue.retain(|(_, purpose)| !matches!(purpose, Purpose::Check(_)));
        }
        self.checks_done()
    }

    /// A message without a name of its own is named by its size and header, and counted among its equals.
    fn name_the_nameless(&mut self, known: &mut HashMap<LedgerKey, LedgerRecord>) {
        let mut counts: HashMap<Print, u32> = HashMap::new();
        let mut named = Vec::new();
        for entry in self.maildrop.entries.iter().filter(|e| e.check == Check::Identity) {
            let Some(header) = entry.header else { continue };
            let count = counts.entry((entry.size, header)).or_default();
            let key = LedgerKey::of_header(entry.size, header, *count);
            *count += 1;
            let back = known.get(&key).is_some_and(|row| {
                row.missing_since_ms.is_some() || row.state == LedgerState::DeletionConfirmed
            });
            if back {
                let op = LedgerOp::Confirmed { key: key.clone(), size: entry.size, header };
                self.batch.push(Op::Ledger(op));
            }
            named.push((entry.number, key));
        }
        for (number, key) in named {
            self.maildrop.name(number, key);
        }
    }

    /// Messages that are here under names that the server does not list any more, and there under names that
    /// are not known. One that is alone with its size and header on both sides is the same.
    fn find_renamed(&mut self, known: &mut HashMap<LedgerKey, LedgerRecord>) {
        let mut vanished: HashMap<Print, Vec<LedgerKey>> = HashMap::new();
        for (key, row) in known.iter() {
            let Some(header) = row.header.filter(|_| row.state != LedgerState::Seen) else { continue };
            if self.maildrop.number_of(key).is_none() {
                vanished.entry((row.size, header)).or_default().push(key.clone());
            }
        }
        if vanished.is_empty() {
            return;
        }
        let listed: hashbrown::HashSet<LedgerKey> =
            self.maildrop.entries.iter().filter_map(|e| e.key.clone()).collect();
        vanished.values_mut().for_each(|keys| keys.retain(|key| !listed.contains(key)));
        let mut new: HashMap<Print, Vec<usize>> = HashMap::new();
        for (at, entry) in self.maildrop.entries.iter().enumerate() {
            let unknown = entry.key.as_ref().is_some_and(|key| !known.contains_key(key));
            if let Some(header) = entry.header.filter(|_| unknown && entry.check != Check::Same) {
                new.entry((entry.size, header)).or_default().push(at);
            }
        }
        for (print, places) in new {
            let ([from], [at]) = (vanished.get(&print).map_or(&[][..], Vec::as_slice), places.as_slice())
            else {
                continue;
            };
            let entry = &self.maildrop.entries[*at];
            let (Some(to), Some(row)) = (entry.key.clone(), known.remove(from)) else { continue };
            let seen = Box::new(entry.seen(to.clone(), row.fresh));
            self.batch.push(Op::Ledger(LedgerOp::Renamed { from: from.clone(), to: seen }));
            known.insert(to, LedgerRecord { missing_since_ms: None, ..row });
        }
    }

    /// Messages that came back under their names, or have another size.
    fn compare_same(&mut self, known: &mut HashMap<LedgerKey, LedgerRecord>) {
        let fresh = self.pass.as_ref().is_some_and(|p| p.fresh);
        let mut ops = Vec::new();
        for entry in self.maildrop.entries.iter_mut().filter(|e| e.check == Check::Same) {
            let Some(key) = entry.key.clone() else { continue };
            let Some(row) = known.get(&key) else { continue };
            match entry.header {
                Some(header) if row.header == Some(header) => {
                    ops.push(LedgerOp::Confirmed { key, size: entry.size, header });
                }
                // Its header says that it is another; its bytes have the last word.
                _ if row.body.is_some() => entry.want = Want::Proof,
                Some(_) => {
                    known.remove(&key);
                    ops.push(LedgerOp::Replaced { by: Box::new(entry.seen(key, fresh)) });
                }
                None => {}
            }
        }
        ops.into_iter().for_each(|op| self.batch.push(Op::Ledger(op)));
    }
}
