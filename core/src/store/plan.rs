//! What of the journal can be replayed now, and on which mailboxes.

use std::collections::{BTreeMap, BTreeSet};

use redb::ReadableTable;

use crate::error::Result;
use crate::flags::FlagSet;
use crate::ids::{AccountId, MailboxId, MessageId, OperationId};
use crate::model::MailboxKind;
use crate::store::intents::{Goal, JournalRecord, MailboxGoal, MailboxOperation, PlaceIntent, Subject};
use crate::store::records::{MailboxRecord, MessageRecord};
use crate::store::tables::Snapshot;
use crate::store::{keys, query, record};

/// What is to be done, as far as nothing stands in its way.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Mailboxes to make, rename and subscribe to, in the order in which that was wished.
    pub(crate) mailboxes: Vec<(OperationId, MailboxOperation)>,
    /// What is to be done to messages, by the mailbox on the server in which they stand.
    pub(crate) sources: BTreeMap<MailboxId, Vec<Target>>,
    /// Messages that only this device has.
    pub(crate) appends: Vec<Upload>,
    /// Copies into mailboxes of this device whose content is here.
    pub(crate) local_copies: Vec<MessageId>,
    /// Mailboxes to delete.
    pub(crate) deletions: Vec<(OperationId, MailboxOperation)>,
    /// What cannot be done at all, and why.
    pub(crate) hopeless: Vec<(OperationId, &'static str)>,
    /// Mailboxes in which something may have arrived that is to be looked for before it is sent again.
    pub(crate) to_look: BTreeSet<MailboxId>,
}

/// A message that something is to be done to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) message: MessageId,
    pub(crate) record: MessageRecord,
    /// What the server may call it; empty where it has not said.
    pub(crate) email_ids: Vec<String>,
    /// Its flags are to change.
    pub(crate) flags: Option<OperationId>,
    pub(crate) act: Option<(OperationId, Act)>,
}

/// What is to be done to a message where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Move {
        to: MailboxId,
    },
    /// It was copied to where it is to go; the original is left.
    DeleteOriginal,
    Delete,
    /// `copy` is to be a copy of it.
    Copy {
        copy: MessageId,
        to: MailboxId,
    },
    /// It is to be brought here whole, and what is wanted of it is looked at again.
    Download,
}

/// A message to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upload {
    pub(crate) op: OperationId,
    pub(crate) message: MessageId,
    pub(crate) to: MailboxId,
}

impl Work {
    pub(crate) fn is_empty(&self) -> bool {
        self.mailboxes.is_empty()
            && self.sources.is_empty()
            && self.appends.is_empty()
            && self.local_copies.is_empty()
            && self.deletions.is_empty()
            && self.hopeless.is_empty()
    }
}

/// Whether an account has anything in the journal.
pub(crate) fn is_idle(tables: &Snapshot) -> Result<bool> {
    Ok(tables.journal.first()?.is_none())
}

/// Looks through the journal.
pub(crate) fn work(tables: &Snapshot, account: AccountId, incarnation: u64) -> Result<Work> {
    let mut planner = Planner::new(tables, account, incarnation)?;
    for (op, entry) in std::mem::take(&mut planner.entries) {
        if entry.incarnation != planner.incarnation {
            if !is_refused(tables, op, &entry.subject)? {
                planner.work.hopeless.push((op, "it was done before this store was restored from a backup"));
            }
            continue;
        }
        match &entry.subject {
            Subject::Flags(id) => planner.flags(op, *id)?,
            Subject::Place(id) => planner.place(op, *id)?,
            Subject::Mailbox(operation) => planner.mailbox(op, operation.clone()),
        }
    }
    planner.finish();
    Ok(planner.work)
}

fn is_refused(tables: &Snapshot, op: OperationId, subject: &Subject) -> Result<bool> {
    Ok(match subject {
        Subject::Flags(id) => {
            query::intents(tables, *id)?.flags.is_none_or(|f| f.op != op || f.refused.is_some())
        }
        Subject::Place(id) => {
            query::intents(tables, *id)?.place.is_none_or(|p| p.op != op || p.refused.is_some())
        }
        Subject::Mailbox(operation) => operation.refused.is_some(),
    })
}

struct Planner<'a> {
    tables: &'a Snapshot,
    incarnation: u64,
    entries: Vec<(OperationId, JournalRecord)>,
    live: BTreeSet<OperationId>,
    /// Operations that were set aside.
    set_aside: BTreeSet<OperationId>,
    mailboxes: BTreeMap<MailboxId, MailboxRecord>,
    /// Mailboxes whose making was refused.
    stillborn: BTreeSet<MailboxId>,
    /// Messages of which copies are still to be made.
    copied: BTreeSet<MessageId>,
    /// Mailboxes that something is still to be taken out of.
    busy: BTreeSet<MailboxId>,
    work: Work,
}

impl<'a> Planner<'a> {
    fn new(tables: &'a Snapshot, account: AccountId, incarnation: u64) -> Result<Planner<'a>> {
        let mut mailboxes = BTreeMap::new();
        for entry in tables.mailboxes.iter()? {
            let (key, value) = entry?;
            let record: MailboxRecord = record::decode(value.value())?;
            if record.account == account {
                mailboxes.insert(MailboxId(keys::read_u32(key.value(), 0).unwrap_or(0)), record);
            }
        }
        let mut planner = Planner {
            tables,
            incarnation,
            entries: Vec::new(),
            live: BTreeSet::new(),
            set_aside: BTreeSet::new(),
            mailboxes,
            stillborn: BTreeSet::new(),
            copied: BTreeSet::new(),
            busy: BTreeSet::new(),
            work: Work::default(),
        };
        for entry in tables.journal.iter()? {
            let (key, value) = entry?;
            let entry: JournalRecord = record::decode(value.value())?;
            let op = OperationId(keys::read_u64(key.value(), 0).unwrap_or(0));
            if entry.account != account {
                // Something here may wait for it.
                planner.note_state(op, &entry)?;
            } else {
                planner.survey(op, entry)?;
            }
        }
        Ok(planner)
    }

    /// Whether an operation is still to be done, or was set aside.
    fn note_state(&mut self, op: OperationId, entry: &JournalRecord) -> Result<()> {
        let refused = is_refused(self.tables, op, &entry.subject)?;
        let noted = if refused { &mut self.set_aside } else { &mut self.live };
        noted.insert(op);
        Ok(())
    }

    /// What others have to wait for.
    fn survey(&mut self, op: OperationId, entry: JournalRecord) -> Result<()> {
        self.note_state(op, &entry)?;
        match &entry.subject {
            Subject::Mailbox(o) if o.refused.is_some() && matches!(o.goal, MailboxGoal::Create { .. }) => {
                self.stillborn.insert(o.mailbox);
            }
            Subject::Place(id) if self.live.contains(&op) => {
                if let Some(place) = query::intents(self.tables, *id)?.place {
                    match place.goal {
                        Goal::Copy { source } => {
                            self.copied.insert(source);
                            self.busy.extend(self.message(source)?.map(|m| m.mailbox));
                        }
                        Goal::Move { .. } => {
                            self.busy.extend(self.message(*id)?.map(|m| m.mailbox));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        self.entries.push((op, entry));
        Ok(())
    }

    fn message(&self, id: MessageId) -> Result<Option<MessageRecord>> {
        query::message_record(self.tables, id)
    }

    /// Whether a message stands on the server, in a mailbox that can be opened.
    fn on_server(&self, record: &MessageRecord) -> bool {
        let home = self.mailboxes.get(&record.mailbox);
        record.is_placed() && home.is_some_and(|m| m.kind == MailboxKind::Server && !m.gone && !m.wish.unborn)
    }

    /// The entry of a message among those of its mailbox.
    fn target(&mut self, id: MessageId, record: MessageRecord) -> Result<&mut Target> {
        let email_ids =
            query::content_record(self.tables, record.content)?.map(|c| c.email_ids).unwrap_or_default();
        let targets = self.work.sources.entry(record.mailbox).or_default();
        let at = targets.iter().position(|t| t.message == id && t.act.is_none());
        let at = at.unwrap_or_else(|| {
            targets.push(Target { message: id, record, email_ids, flags: None, act: None });
            targets.len() - 1
        });
        Ok(&mut targets[at])
    }

    fn act(&mut self, op: OperationId, id: MessageId, record: MessageRecord, act: Act) -> Result<()> {
        self.target(id, record)?.act = Some((op, act));
        Ok(())
    }

    fn flags(&mut self, op: OperationId, id: MessageId) -> Result<()> {
        let intents = query::intents(self.tables, id)?;
        if intents.mark().is_some() {
            // On its way: what is set on the original now, the copy would not have. It is set where it comes to stand.
            return Ok(());
        }
        let wanted = intents.flags.filter(|f| f.op == op && f.refused.is_none());
        let (Some(_), Some(record)) = (wanted, self.message(id)?) else { return Ok(()) };
        if self.on_server(&record) {
            self.target(id, record)?.flags = Some(op);
        }
        Ok(())
    }

    fn place(&mut self, op: OperationId, id: MessageId) -> Result<()> {
        let wanted = query::intents(self.tables, id)?.place.filter(|p| p.op == op && p.refused.is_none());
        let (Some(place), Some(record)) = (wanted, self.message(id)?) else { return Ok(()) };
        let after = place.after.filter(|_| place.goal == Goal::Delete);
        if record.gone_ms.is_some() || after.is_some_and(|after| self.live.contains(&after)) {
            return Ok(());
        }
        if after.is_some_and(|after| self.set_aside.contains(&after)) {
            // The older version of a draft is not to go where the newer one cannot come, nor what another account does not take.
            self.work.hopeless.push((op, "what was to take its place could not be put there"));
            return Ok(());
        }
        // A deletion is repeated without harm.
        let deletes = match place.goal {
            Goal::Move { to } => self.is_local(to),
            goal => goal == Goal::Delete,
        };
        if let Some(mark) = place.mark.filter(|_| !deletes) {
            let copied = mark.is_made();
            if matches!(place.goal, Goal::Move { .. }) && copied && !mark.left && self.on_server(&record) {
                return self.act(op, id, record, Act::DeleteOriginal);
            }
            self.work.to_look.insert(mark.target);
            return Ok(());
        }
        self.unsent(op, id, record, &place)
    }

    fn unsent(
        &mut self,
        op: OperationId,
        id: MessageId,
        record: MessageRecord,
        place: &PlaceIntent,
    ) -> Result<()> {
        match place.goal {
            Goal::Append => self.upload(op, id, record.mailbox),
            Goal::Delete if self.on_server(&record) && !self.copied.contains(&id) => {
                return self.act(op, id, record, Act::Delete);
            }
            Goal::Delete => {}
            Goal::Move { to } if self.on_server(&record) => {
                if !self.is_ready(op, to) {
                    return Ok(());
                }
                let act = if self.is_local(to) { self.take_down(&record)? } else { Act::Move { to } };
                return self.act(op, id, record, act);
            }
            Goal::Move { to } if record.is_placed() => self.upload(op, id, to),
            Goal::Move { .. } => {}
            Goal::Copy { source } => return self.copy(op, id, &record, source),
        }
        Ok(())
    }

    /// What brings a message into a mailbox of this device: its bytes first, and then it goes from the server.
    fn take_down(&self, record: &MessageRecord) -> Result<Act> {
        let whole = query::content_record(self.tables, record.content)?.is_some_and(|c| c.body.is_some());
        Ok(if whole { Act::Delete } else { Act::Download })
    }

    fn copy(
        &mut self,
        op: OperationId,
        id: MessageId,
        record: &MessageRecord,
        source: MessageId,
    ) -> Result<()> {
        let to = record.mailbox;
        if !self.is_ready(op, to) {
            return Ok(());
        }
        let original = self.message(source)?.filter(|m| m.gone_ms.is_none());
        let has = |m: &MessageRecord| -> Result<bool> {
            Ok(query::content_record(self.tables, m.content)?.is_some_and(|c| c.body.is_some()))
        };
        let whole = has(record)? || original.as_ref().map_or(Ok(false), has)?;
        match original {
            _ if self.is_local(to) && whole => self.work.local_copies.push(id),
            Some(original) if self.on_server(&original) => {
                let act = if self.is_local(to) { Act::Download } else { Act::Copy { copy: id, to } };
                return self.act(op, source, original, act);
            }
            // The original is on its way to the server itself.
            Some(original) if !original.is_placed() && self.is_under_way(source)? => {}
            _ if whole => self.upload(op, id, to),
            _ => self.work.hopeless.push((op, "what it is a copy of was deleted on the server")),
        }
        Ok(())
    }

    /// Whether a message is still to get its own place on the server.
    fn is_under_way(&self, id: MessageId) -> Result<bool> {
        Ok(query::intents(self.tables, id)?.place.is_some_and(|p| self.live.contains(&p.op)))
    }

    fn upload(&mut self, op: OperationId, message: MessageId, to: MailboxId) {
        if self.is_ready(op, to) {
            self.work.appends.push(Upload { op, message, to });
        }
    }

    fn is_local(&self, id: MailboxId) -> bool {
        self.mailboxes.get(&id).is_some_and(|m| m.kind != MailboxKind::Server)
    }

    /// Whether something can be put into a mailbox now. Where it never can, that is noted.
    fn is_ready(&mut self, op: OperationId, to: MailboxId) -> bool {
        match self.mailboxes.get(&to) {
            Some(m) if m.gone || !m.selectable && !m.wish.unborn => {
                self.work.hopeless.push((op, "the mailbox was deleted on the server"))
            }
            Some(m) if m.wish.doomed => self.work.hopeless.push((op, "the mailbox is to be deleted")),
            Some(m) if !m.wish.unborn => return true,
            Some(_) if self.stillborn.contains(&to) => {
                self.work.hopeless.push((op, "its mailbox could not be made"));
            }
            Some(_) => {}
            None => self.work.hopeless.push((op, "the mailbox is gone")),
        }
        false
    }

    fn mailbox(&mut self, op: OperationId, operation: MailboxOperation) {
        if operation.refused.is_some() {
            return;
        }
        let id = operation.mailbox;
        let Some(record) = self.mailboxes.get(&id) else { return };
        match operation.goal {
            MailboxGoal::Create { .. } | MailboxGoal::Rename if self.holder_of_name(id, record).is_some() => {
                if !self.name_becomes_free(id, record) {
                    self.work.hopeless.push((op, "another mailbox has the name"));
                }
            }
            MailboxGoal::Create { .. } | MailboxGoal::Rename => self.work.mailboxes.push((op, operation)),
            MailboxGoal::Subscribe(_) if record.wish.unborn => {
                if self.stillborn.contains(&id) {
                    self.work.hopeless.push((op, "its mailbox could not be made"));
                }
            }
            MailboxGoal::Subscribe(_) => self.work.mailboxes.push((op, operation)),
            MailboxGoal::Delete => self.work.deletions.push((op, operation)),
        }
    }

    /// The mailbox on the server that has the name that another is to get.
    fn holder_of_name(&self, id: MailboxId, record: &MailboxRecord) -> Option<(MailboxId, &MailboxRecord)> {
        let wanted = record.wish.name.as_ref().map_or(&record.wire_name, |(_, wire)| wire);
        let there = |m: &MailboxRecord| !m.gone && !m.wish.unborn && m.kind == MailboxKind::Server;
        let holder = self.mailboxes.iter().find(|(i, m)| **i != id && there(m) && m.wire_name == *wanted);
        holder.map(|(id, m)| (*id, m))
    }

    /// Whether the name that a mailbox is to get becomes free by what else is to be done: not where two are to change names.
    fn name_becomes_free(&self, id: MailboxId, record: &MailboxRecord) -> bool {
        let mut at = (id, record);
        for _ in 0..self.mailboxes.len() {
            match self.holder_of_name(at.0, at.1) {
                None => return true,
                Some((holder, _)) if holder == id => return false,
                Some((_, m)) if m.wish.doomed => return true,
                Some((_, m)) if m.wish.name.is_none() => return false,
                Some(next) => at = next,
            }
        }
        false
    }

    /// A mailbox is deleted when nothing is to be taken out of it any more.
    fn finish(&mut self) {
        let busy = &self.busy;
        self.work.deletions.retain(|(_, operation)| !busy.contains(&operation.mailbox));
    }
}

/// A message as it is to be sent.
pub(crate) struct Outgoing {
    pub(crate) raw: Vec<u8>,
    pub(crate) flags: FlagSet,
    pub(crate) internal_date: i64,
}

/// Reads a message that is to be sent; `None` where it is not here whole.
pub(crate) fn outgoing(tables: &Snapshot, id: MessageId) -> Result<Option<Outgoing>> {
    let Some(record) = query::message_record(tables, id)? else { return Ok(None) };
    let body = query::content_record(tables, record.content)?.and_then(|c| c.body);
    let Some(body) = body else { return Ok(None) };
    let raw = query::blob(tables, body.pack, body.start, body.len)?;
    let server = query::placed_flags(tables, &record)?;
    let flags = query::intents(tables, id)?.over(&server);
    Ok(Some(Outgoing { raw, flags, internal_date: record.internal_date }))
}
