//! What the server lists, and what the ledger knows of it.

use hashbrown::{HashMap, HashSet};

use crate::error::Result;
use crate::model::BodyPolicy;
use crate::pop3::response;
use crate::store::batch::Op;
use crate::store::ledger::{self, LONGEST_UIDL, LedgerKey, LedgerOp, LedgerRecord, LedgerState, SeenFact};
use crate::sync::pop::{PopSession, Purpose};

/// How long the row of a message that the server lists no more is kept: lists flap.
const PATIENCE_MS: i64 = 90 * 24 * 3_600_000;

/// What the server listed in this session.
#[derive(Debug, Default)]
pub(super) struct Maildrop {
    pub(super) entries: Vec<Entry>,
    places: HashMap<u32, usize>,
    /// The list is whole, and the ledger knows it.
    pub(super) settled: bool,
    /// Rows of the ledger that no entry has, by the hash of their bytes.
    pub(super) vanished: HashMap<[u8; 16], Vec<LedgerKey>>,
    /// Rows of the ledger whose messages only their bytes name, and that have not come.
    pub(super) unproven: HashSet<LedgerKey>,
    /// How many messages of this session were named by their bytes alone, by those.
    pub(super) by_bytes: HashMap<[u8; 16], u32>,
    by_key: HashMap<LedgerKey, u32>,
}

/// A message as the server lists it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) number: u32,
    pub(super) size: u64,
    uidl: Vec<u8>,
    /// `None` where nothing is known that names it.
    pub(super) key: Option<LedgerKey>,
    /// Its name was given to another too, or it was listed twice.
    pub(super) doubtful: bool,
    pub(super) header: Option<[u8; 16]>,
    pub(super) check: Check,
    pub(super) want: Want,
}

/// Why a message is to be looked at before it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    No,
    /// It has no name.
    Identity,
    /// It may be one that is here under another name.
    Renamed,
    /// It is here under this name; but it was gone meanwhile, or has another size.
    Same,
}

/// What is to be fetched of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Nothing,
    Header,
    Whole,
    /// All of it, to see whether it is the one that the ledger tells of.
    Proof,
}

impl Entry {
    fn new(number: u32, size: u64) -> Entry {
        let (uidl, key, header) = (Vec::new(), None, None);
        Entry { number, size, uidl, key, doubtful: false, header, check: Check::No, want: Want::Nothing }
    }

    pub(super) fn seen(&self, key: LedgerKey, fresh: bool) -> SeenFact {
        SeenFact { key, uidl: self.uidl.clone(), size: self.size, doubtful: self.doubtful, fresh }
    }
}

impl Maildrop {
    /// A line of LIST. What cannot be read, or contradicts, is no message.
    pub(super) fn listed(&mut self, line: &[u8]) {
        let Some((number, size)) = response::listed(line) else { return };
        match self.places.get(&number) {
            Some(&at) => self.entries[at].doubtful = true,
            None => {
                self.places.insert(number, self.entries.len());
                // A size that is none is no reason to leave a message where it is.
                self.entries.push(Entry::new(number, size.unwrap_or(0)));
            }
        }
    }

    /// A line of UIDL.
    pub(super) fn named(&mut self, line: &[u8]) {
        let Some((number, uidl)) = response::unique_id(line) else { return };
        let Some(entry) = self.places.get(&number).and_then(|at| self.entries.get_mut(*at)) else { return };
        let key = LedgerKey::of_uidl(uidl);
        if entry.key.is_some() && entry.key != key {
            entry.doubtful = true;
        }
        entry.uidl = uidl[..uidl.len().min(LONGEST_UIDL)].to_vec();
        entry.key = key;
    }

    pub(super) fn entry(&mut self, number: u32) -> Option<&mut Entry> {
        self.places.get(&number).and_then(|at| self.entries.get_mut(*at))
    }

    /// The session's number of a message.
    pub(super) fn number_of(&self, key: &LedgerKey) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    pub(super) fn name(&mut self, number: u32, key: LedgerKey) {
        if let Some(entry) = self.entry(number) {
            entry.key = Some(key.clone());
        }
        self.by_key.insert(key, number);
    }

    /// A name that several have names none of them.
    fn drop_repeated_names(&mut self) {
        let mut counts: HashMap<&LedgerKey, u32> = HashMap::new();
        for key in self.entries.iter().filter_map(|e| e.key.as_ref()) {
            *counts.entry(key).or_default() += 1;
        }
        let repeated: HashSet<LedgerKey> =
            counts.into_iter().filter(|(_, n)| *n > 1).map(|(key, _)| key.clone()).collect();
        for entry in &mut self.entries {
            if entry.key.as_ref().is_some_and(|key| repeated.contains(key)) {
                entry.key = None;
            }
            if entry.key.is_none() && !entry.uidl.is_empty() {
                entry.doubtful = true;
            }
        }
    }
}

impl PopSession {
    /// LIST or UIDL is answered; when both are, the messages that are not plainly known are looked at.
    pub(super) fn list_answered(&mut self, purpose: Purpose) -> Result<()> {
        if purpose == Purpose::List {
            return Ok(());
        }
        self.maildrop.drop_repeated_names();
        let known: HashMap<LedgerKey, LedgerRecord> = {
            let reading = self.store.read()?;
            ledger::rows(&reading.tables, self.account)?.into_iter().collect()
        };
        self.plan_checks(&known);
        match &mut self.pass {
            Some(pass) => pass.known = known,
            None => return Ok(()),
        }
        self.ask_checks()
    }

    fn plan_checks(&mut self, known: &HashMap<LedgerKey, LedgerRecord>) {
        // Sizes of messages that are here and that the server does not list under their names.
        let vanished: HashSet<u64> = {
            let listed: HashSet<_> = self.maildrop.entries.iter().filter_map(|e| e.key.as_ref()).collect();
            let gone =
                known.iter().filter(|(key, row)| row.state != LedgerState::Seen && !listed.contains(key));
            gone.map(|(_, row)| row.size).collect()
        };
        for entry in &mut self.maildrop.entries {
            entry.check = match entry.key.as_ref().map(|key| known.get(key)) {
                None => Check::Identity,
                Some(None) if vanished.contains(&entry.size) => Check::Renamed,
                Some(None) => Check::No,
                Some(Some(row)) if row.state == LedgerState::Seen => Check::No,
                Some(Some(row)) => {
                    let gone = row.missing_since_ms.is_some() || row.state == LedgerState::DeletionConfirmed;
                    if gone || row.size != entry.size { Check::Same } else { Check::No }
                }
            };
        }
    }

    /// Every entry is known by now, as far as it can be: the ledger is told, and what is wanted is asked for.
    pub(super) fn settle_list(&mut self) -> Result<()> {
        let Some(pass) = &mut self.pass else { return Ok(()) };
        let mut known = std::mem::take(&mut pass.known);
        let cancelled = pass.cancelled;
        let bodies = pass.bodies;
        let fresh = pass.fresh;
        let mut seen = Vec::new();
        let newest = match bodies {
            BodyPolicy::All => usize::MAX,
            BodyPolicy::None => 0,
            BodyPolicy::Newest(n) => usize::try_from(n).unwrap_or(usize::MAX),
        };
        let most = self.settings.pop_size_limit.unwrap_or(u64::MAX).min(self.limits.message);
        let count = self.maildrop.entries.len();
        let (mut named, mut later) = (Vec::new(), Vec::new());
        for (at, entry) in self.maildrop.entries.iter_mut().enumerate() {
            let whole = if count - at <= newest && entry.size <= most { Want::Whole } else { Want::Header };
            let Some(key) = entry.key.clone() else {
                // Nothing but its bytes can tell what it is.
                entry.want = if entry.size <= most { Want::Whole } else { Want::Nothing };
                continue;
            };
            match known.remove(&key) {
                None => {
                    seen.push(entry.seen(key.clone(), fresh));
                    entry.want = whole;
                }
                Some(row) if entry.want == Want::Proof => later.push((key.clone(), row)),
                Some(row) => {
                    entry.want = match row.state {
                        LedgerState::Seen => whole,
                        LedgerState::Entered if row.body.is_none() && whole == Want::Whole => whole,
                        _ => Want::Nothing,
                    };
                }
            }
            named.push((key, entry.number));
        }
        self.maildrop.by_key.extend(named);
        self.maildrop.settled = true;
        let (missing, forgotten) = self.note_vanished(known);
        if let Some(pass) = &mut self.pass {
            pass.known.extend(later);
        }
        let news = !seen.is_empty() || !missing.is_empty() || !forgotten.is_empty();
        if news || self.server.generation == 0 {
            self.server.generation += 1;
            self.batch.push(Op::Ledger(LedgerOp::Listed { seen, missing, forgotten }));
        }
        self.events.push_back(crate::event::Event::MailboxesListed);
        if cancelled { self.messages_done() } else { self.ask_messages() }
    }

    /// What of the ledger the server does not list: what is to be noted as missing, and what is old enough to
    /// be forgotten.
    fn note_vanished(&mut self, known: HashMap<LedgerKey, LedgerRecord>) -> (Vec<LedgerKey>, Vec<LedgerKey>) {
        let (mut missing, mut forgotten) = (Vec::new(), Vec::new());
        // Messages that only their bytes can tell may be among those that are still to come.
        let unsure = self.maildrop.entries.iter().any(|e| e.key.is_none());
        for (key, row) in known {
            let old =
                row.missing_since_ms.is_some_and(|at| self.now.wall_ms.saturating_sub(at) > PATIENCE_MS);
            if row.state == LedgerState::Seen || old {
                forgotten.push(key);
                continue;
            }
            if let Some(body) = row.body {
                self.maildrop.vanished.entry(body).or_default().push(key.clone());
            }
            match row.missing_since_ms {
                None if unsure && !key.is_given() => drop(self.maildrop.unproven.insert(key)),
                None => missing.push(key),
                Some(_) => {}
            }
        }
        (missing, forgotten)
    }
}
