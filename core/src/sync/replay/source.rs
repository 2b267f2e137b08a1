//! What is to be done to messages of one mailbox: opened, its numbers read, the targets met, and only then acted on.

use hashbrown::{HashMap, HashSet};

use crate::error::Result;
use crate::flags::{FlagSet, Flags};
use crate::ids::{MailboxId, MessageId, OperationId, RequestId};
use crate::imap::command::{Command, FetchItem, NumberSet, Resync, Section, StatusItem, StoreAction};
use crate::imap::encode::{MAX_SET, split_set};
use crate::set::UidSet;
use crate::store::batch::{Op, ReplayFact, StateFact};
use crate::store::identity::MOST_SERVER_IDS;
use crate::store::intents::Mark;
use crate::store::plan::{Act, Target};
use crate::store::query;
use crate::store::records::MailboxRecord;
use crate::sync::bodies::Opening;
use crate::sync::replay::{FLAGGED, Sent, Stage, Step, uids_of};
use crate::sync::selected::Selected;
use crate::sync::{Driver, Next};

/// A mailbox that a replay works on.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) mailbox: MailboxId,
    record: MailboxRecord,
    targets: Vec<Target>,
    /// What the server says of the targets' UIDs.
    met: HashMap<u32, Met>,
    /// The mailbox cannot be opened, or is not the one that was known.
    pub(crate) failed: bool,
    pub(crate) read_only: bool,
    /// Messages that were met as they are known here.
    proven: HashSet<MessageId>,
    /// What is done once its note is durable.
    acts: Vec<(Target, Act)>,
    /// Messages whose flags are under way.
    flagged: Vec<MessageId>,
    /// Messages whose flags the server did not take now, and may another time.
    pub(super) put_off: HashSet<MessageId>,
    /// Messages that did not get `\Deleted`, and why where that is for good.
    pub(super) unmarked: HashMap<MessageId, Option<String>>,
    phase: Phase,
    /// Messages in it when it was opened, and how many of them were taken out since.
    exists: u32,
    taken_out: usize,
    /// What the server said that it expunged.
    expunged: Vec<Sent>,
    /// What was met since it was last asked whether it is there still.
    stayed: UidSet,
}

/// How far the work on a mailbox has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Checking,
    Acting,
    Confirming,
}

impl Source {
    pub(super) fn is_checking(&self) -> bool {
        self.phase == Phase::Checking
    }

    pub(super) fn is_confirming(&self) -> bool {
        self.phase == Phase::Confirming
    }

    /// Whether these are still there is asked for now. Several commands may ask, each for its own.
    pub(super) fn ask_for(&mut self, uids: &UidSet) {
        self.stayed = self.stayed.difference(uids);
    }

    /// Whether one that was asked for is there still.
    pub(super) fn has_stayed(&self, uid: u32) -> bool {
        self.stayed.contains(uid)
    }

    /// So many messages were taken out of it, as the server says.
    pub(super) fn took_out(&mut self, count: usize) {
        self.taken_out += count;
    }

    /// The server said that it expunged these.
    pub(super) fn expunged(&mut self, targets: Vec<Sent>) {
        self.expunged.extend(targets);
    }
}

/// Messages that get the same STORE.
type Group = (StoreAction, FlagSet, Vec<(u32, MessageId)>);

/// A message as the server describes it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Met {
    pub(crate) size: Option<u64>,
    pub(crate) internal_date: Option<i64>,
    pub(crate) email_id: Option<String>,
}

impl Driver {
    /// Opens a mailbox for writing, with the targets and the numbers of where things are to go in the same flight.
    pub(super) fn open_source(&mut self, mailbox: MailboxId, targets: Vec<Target>) -> Result<()> {
        if let Some(replay) = &mut self.replay {
            replay.opened.insert(mailbox);
            replay.tried.extend(targets.iter().filter_map(|t| t.flags.map(|op| (op, FLAGGED))));
            replay.tried.extend(targets.iter().filter_map(Target::step));
        }
        let found = query::mailbox(&self.store.read()?.tables, mailbox);
        let Some(record) = found.ok().filter(|r| !r.gone) else { return self.stage_is_over_if_answered() };
        if !self.leases.take(mailbox) {
            if !self.skipped.contains(&mailbox) {
                self.skipped.push(mailbox);
            }
            return self.stage_is_over_if_answered();
        }
        let known = self.known_uids(mailbox)?;
        self.selected = Selected::new(mailbox, known);
        let resync = if self.capabilities.condstore() { Resync::Condstore } else { Resync::None };
        let select = Command::Select { mailbox: record.wire_name.clone(), read_only: false, resync };
        let uids: UidSet = sorted(targets.iter().map(|t| t.record.uid)).into_iter().collect();
        let wanted: HashSet<MailboxId> = targets
            .iter()
            .filter_map(|t| match t.act {
                Some((_, Act::Move { to } | Act::Copy { to, .. })) => Some(to),
                _ => None,
            })
            .filter(|to| *to != mailbox)
            .collect();
        let source = Source {
            mailbox,
            record,
            targets,
            met: HashMap::new(),
            failed: false,
            read_only: false,
            proven: HashSet::new(),
            acts: Vec::new(),
            flagged: Vec::new(),
            put_off: HashSet::new(),
            unmarked: HashMap::new(),
            phase: Phase::Checking,
            exists: 0,
            taken_out: 0,
            expunged: Vec::new(),
            stayed: UidSet::new(),
        };
        if let Some(replay) = &mut self.replay {
            replay.source = Some(source);
        }
        self.send_step(&select, Step::Select)?;
        self.ask_numbers(wanted)?;
        let mut items =
            vec![FetchItem::Uid, FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size];
        if self.capabilities.has("OBJECTID") {
            items.push(FetchItem::EmailId);
        } else if self.capabilities.has("X-GM-EXT-1") {
            items.push(FetchItem::GmailMessageId);
        }
        for set in split_set(&uids, MAX_SET) {
            let set = NumberSet::Set(set);
            let fetch =
                Command::Fetch { uid: true, set, items: items.clone(), changed_since: None, partial: None };
            self.send_step(&fetch, Step::Check)?;
        }
        Ok(())
    }

    /// Asks for the numbers of mailboxes that something is to be put into.
    pub(super) fn ask_numbers(&mut self, mailboxes: HashSet<MailboxId>) -> Result<()> {
        for mailbox in sorted(mailboxes.into_iter()) {
            let Ok(record) = query::mailbox(&self.store.read()?.tables, mailbox) else { continue };
            let mut items = vec![StatusItem::UidNext, StatusItem::UidValidity];
            if self.capabilities.has("APPENDLIMIT") {
                // Told for each mailbox (RFC 7889 §3.2).
                items.push(StatusItem::AppendLimit);
            }
            let status = Command::Status { mailbox: record.wire_name, items };
            self.send_step(&status, Step::Numbers)?;
        }
        Ok(())
    }

    /// A FETCH answer about a target.
    pub(crate) fn met(&mut self, uid: u32, met: Met) {
        if let Some(source) = self.replay.as_mut().and_then(|r| r.source.as_mut())
            && Some(source.mailbox) == self.selected.mailbox
            && !source.failed
        {
            source.stayed.insert(uid);
            let known = source.met.entry(uid).or_default();
            known.size = met.size.or(known.size);
            known.internal_date = met.internal_date.or(known.internal_date);
            known.email_id = met.email_id.or(known.email_id.take());
        }
    }

    /// SELECT was answered: whether this is the mailbox that is known here.
    pub(super) fn source_opened(&mut self, ok: bool) {
        let Some(source) = self.replay.as_mut().and_then(|r| r.source.as_mut()) else { return };
        let (s, r) = (&mut self.selected, &source.record);
        s.open = ok;
        let renumbered = r.uid_validity == 0
            || r.uid_validity != s.uid_validity
            || s.uid_next != 0 && s.uid_next < r.uid_next
            || s.highest_modseq != 0 && s.highest_modseq < r.highest_modseq;
        source.failed = !ok || renumbered;
        source.read_only |= s.read_only;
        source.exists = s.exists;
        if source.failed {
            // What comes under these numbers is not what is known under them.
            s.known = UidSet::new();
            s.doubtful = true;
            s.pending.clear();
        }
        for op in std::mem::take(&mut s.pending) {
            self.batch.push(op);
        }
    }

    /// Everything of the first flight is answered.
    pub(super) fn checked(&mut self) -> Result<()> {
        let Some(mut source) = self.replay.as_mut().and_then(|r| r.source.take()) else { return Ok(()) };
        if source.failed {
            if !self.selected.open {
                self.selected = Selected::default();
            }
            self.leases.release(source.mailbox);
            self.flush(Next::Replay(Stage::Choose));
            return Ok(());
        }
        if source.read_only {
            for target in &source.targets {
                let destructive =
                    target.act.filter(|(_, act)| !matches!(act, Act::Copy { .. } | Act::Download));
                for op in target.flags.into_iter().chain(destructive.map(|(op, _)| op)) {
                    self.refuse(op, "the mailbox can only be read");
                }
            }
        }
        let counted = self.selected.adds_up().then(|| self.selected.believed());
        for target in std::mem::take(&mut source.targets) {
            let Some(met) = source.met.get(&target.record.uid) else {
                if counted.as_ref().is_some_and(|all| all.contains(target.record.uid)) {
                    // It is not there, and by the count nothing has gone: what is known here is another set of as many.
                    let state =
                        StateFact { complete: Some(false), settled: Some(None), ..StateFact::default() };
                    self.batch.push(Op::State { mailbox: source.mailbox, state });
                }
                continue;
            };
            if is_the_same(&target, met) {
                source.proven.insert(target.message);
                source.targets.push(target);
            } else {
                for op in target.flags.into_iter().chain(target.act.map(|(op, _)| op)) {
                    self.refuse(op, "the server has another message under its number");
                }
                self.selected.doubtful = true;
            }
        }
        let targets = std::mem::take(&mut source.targets);
        let met: Vec<MessageId> = targets.iter().filter(|t| t.flags.is_some()).map(|t| t.message).collect();
        if !met.is_empty() {
            // Whatever an earlier connection had under way has been answered by what was read now, and not before.
            self.batch.push(Op::Replay(ReplayFact::FlagsAnswered(met)));
        }
        if let Some(replay) = &mut self.replay {
            replay.source = Some(source);
        }
        self.note_acts(targets);
        self.flush(Next::Replay(Stage::Act));
        Ok(())
    }

    /// Notes what is about to be done; it is done when the note is durable.
    fn note_acts(&mut self, targets: Vec<Target>) {
        let Some(replay) = &mut self.replay else { return };
        let Some(source) = &mut replay.source else { return };
        let (own, read_only) = (source.mailbox, source.read_only);
        let here = (self.selected.uid_validity, self.selected.uid_next);
        let mut by_target: HashMap<MailboxId, Vec<MessageId>> = HashMap::new();
        for target in targets {
            if target.flags.is_some() && !read_only {
                source.flagged.push(target.message);
            }
            let Some((_, act)) = target.act else { continue };
            let into = match act {
                Act::Move { to } => Some((to, target.message)),
                Act::Copy { copy, to } => Some((to, copy)),
                // Noted too, so that nobody takes it back while it is on its way.
                Act::Delete => Some((own, target.message)),
                Act::DeleteOriginal | Act::Download => None,
            };
            let known = into.is_none_or(|(to, _)| to == own || replay.numbers.contains_key(&to));
            let allowed = !read_only || matches!(act, Act::Copy { .. } | Act::Download);
            if !known || !allowed {
                continue;
            }
            if let Some((to, message)) = into {
                by_target.entry(to).or_default().push(message);
            }
            source.acts.push((target, act));
        }
        let flagged = source.flagged.clone();
        if !flagged.is_empty() {
            self.batch.push(Op::Replay(ReplayFact::FlagsSent(flagged)));
        }
        for (to, messages) in by_target {
            let (target_validity, target_uid_next) =
                if to == own { here } else { replay.numbers.get(&to).copied().unwrap_or_default() };
            let mark = Mark {
                target: to,
                target_validity,
                target_uid_next,
                arrived: None,
                left: false,
                answered: false,
            };
            self.batch.push(Op::Replay(ReplayFact::Sent { messages, mark }));
        }
    }

    /// The notes are durable: everything goes out in one flight.
    pub(super) fn act(&mut self) -> Result<()> {
        let Some(replay) = &mut self.replay else { return Ok(()) };
        let Some(source) = &mut replay.source else { return self.choose_stage() };
        source.phase = Phase::Acting;
        let acts = std::mem::take(&mut source.acts);
        let flagged = source.flagged.clone();
        self.send_stores(&flagged)?;
        let mut copies: HashMap<MailboxId, Vec<Sent>> = HashMap::new();
        let mut moves: HashMap<MailboxId, Vec<Sent>> = HashMap::new();
        let (mut deletes, mut downloads, mut doubtful) = (Vec::new(), Vec::new(), Vec::new());
        for (target, act) in acts {
            let op = target.act.map_or(OperationId(0), |(op, _)| op);
            if !self.is_wanted(op, &target, act)? {
                continue;
            }
            let sent = Sent { uid: target.record.uid, message: target.message, op };
            match act {
                Act::Copy { copy, to } => copies.entry(to).or_default().push(Sent { message: copy, ..sent }),
                Act::Move { to } => moves.entry(to).or_default().push(sent),
                // What was known again by Message-ID, size and date alone is compared before it goes.
                Act::Delete | Act::DeleteOriginal if target.record.provisional => doubtful.push(sent),
                Act::Delete | Act::DeleteOriginal => deletes.push(sent),
                Act::Download => downloads.push(sent),
            }
        }
        for (to, targets) in in_order(copies) {
            self.send_copies(to, targets, false)?;
        }
        let marked = self.marked(moves.values().flatten())?;
        if !marked.is_empty() {
            self.send_store(StoreAction::Remove, &FlagSet::new(Flags::DELETED), marked)?;
        }
        // Before the moves: Dovecot answers OK to a UID EXPUNGE that comes in one flight behind a MOVE, and does nothing.
        if !deletes.is_empty() {
            self.send_deletes(deletes)?;
        }
        for (to, targets) in in_order(moves) {
            self.send_moves(to, targets)?;
        }
        self.send_downloads(downloads, false)?;
        self.send_downloads(doubtful, true)?;
        if self.replay.as_ref().is_some_and(|r| r.waiting == 0) {
            return self.stage_acted();
        }
        Ok(())
    }

    /// Whether a person still wants what was noted, and the note is there where one is needed.
    fn is_wanted(&self, op: OperationId, target: &Target, act: Act) -> Result<bool> {
        let (message, into) = match act {
            Act::Move { to } => (target.message, Some(to)),
            Act::Copy { copy, to } => (copy, Some(to)),
            Act::Delete => (target.message, Some(target.record.mailbox)),
            Act::DeleteOriginal => (target.message, None),
            // Bringing one here harms nobody.
            Act::Download => return Ok(true),
        };
        let place = query::intents(&self.store.read()?.tables, message)?.place;
        let Some(place) = place.filter(|p| p.op == op && p.refused.is_none()) else { return Ok(false) };
        Ok(into.is_none_or(|to| place.mark.is_some_and(|m| m.target == to)))
    }

    /// Messages to be moved that bear `\Deleted`: by a removal that was not finished, or another's. What a person moves elsewhere
    /// is to be kept, and the mark would go along and take it from there.
    fn marked<'s>(&self, moved: impl Iterator<Item = &'s Sent>) -> Result<Vec<(u32, MessageId)>> {
        let reading = self.store.read()?;
        let mut marked = Vec::new();
        for sent in moved {
            let Some(record) = query::message_record(&reading.tables, sent.message)? else { continue };
            let wanted = query::intents(&reading.tables, sent.message)?;
            let asked_for = wanted.flags.is_some_and(|f| f.add.flags.contains(Flags::DELETED));
            let flags = query::placed_flags(&reading.tables, &record)?;
            if flags.flags.contains(Flags::DELETED) && !asked_for {
                marked.push((sent.uid, sent.message));
            }
        }
        Ok(marked)
    }

    fn send_stores(&mut self, messages: &[MessageId]) -> Result<()> {
        let mut groups: Vec<Group> = Vec::new();
        let reading = self.store.read()?;
        for id in messages {
            let Some(flags) = query::intents(&reading.tables, *id)?.flags else { continue };
            let Some(record) = query::message_record(&reading.tables, *id)? else { continue };
            let (Some((add, remove)), true) = (flags.sent, record.is_placed()) else { continue };
            for (action, words) in [(StoreAction::Add, add), (StoreAction::Remove, remove)] {
                if words.is_empty() {
                    continue;
                }
                let group = groups.iter_mut().find(|(a, f, _)| *a == action && *f == words);
                match group {
                    Some((_, _, targets)) => targets.push((record.uid, *id)),
                    None => groups.push((action, words, vec![(record.uid, *id)])),
                }
            }
        }
        drop(reading);
        for (action, flags, targets) in groups {
            self.send_store(action, &flags, targets)?;
        }
        Ok(())
    }

    /// STORE without `.SILENT`: what the server then has is what counts, not its OK.
    pub(super) fn send_store(
        &mut self,
        action: StoreAction,
        flags: &FlagSet,
        targets: Vec<(u32, MessageId)>,
    ) -> Result<()> {
        let uids: UidSet = sorted(targets.iter().map(|(uid, _)| *uid)).into_iter().collect();
        for set in split_set(&uids, MAX_SET) {
            let some = targets.iter().filter(|(uid, _)| set.contains(*uid)).copied().collect();
            let store =
                Command::Store { set, action, silent: false, flags: flags.clone(), unchanged_since: None };
            self.send_step(&store, Step::Store { targets: some, action, flags: flags.clone() })?;
        }
        Ok(())
    }

    pub(super) fn send_copies(&mut self, to: MailboxId, targets: Vec<Sent>, moves: bool) -> Result<()> {
        let Ok(record) = query::mailbox(&self.store.read()?.tables, to) else { return Ok(()) };
        for set in split_set(&uids_of(&targets), MAX_SET) {
            let some = targets.iter().filter(|t| set.contains(t.uid)).copied().collect();
            let copy = Command::Copy { set, mailbox: record.wire_name.clone() };
            self.send_step(&copy, Step::Copy { to, moves, targets: some })?;
        }
        Ok(())
    }

    /// MOVE, or what stands for it: COPY, and when that is answered the originals go.
    pub(super) fn send_moves(&mut self, to: MailboxId, targets: Vec<Sent>) -> Result<()> {
        let has_move = self.capabilities.has("MOVE") || self.capabilities.has("IMAP4REV2");
        if !has_move || self.move_fails {
            return self.send_copies(to, targets, true);
        }
        let Ok(record) = query::mailbox(&self.store.read()?.tables, to) else { return Ok(()) };
        for set in split_set(&uids_of(&targets), MAX_SET) {
            let some = targets.iter().filter(|t| set.contains(t.uid)).copied().collect();
            let command = Command::Move { set, mailbox: record.wire_name.clone() };
            self.send_step(&command, Step::Move { to, targets: some })?;
        }
        Ok(())
    }

    /// `\Deleted`, and UID EXPUNGE behind it where the server has that. A bare EXPUNGE would take what others have marked
    /// along, and is never sent.
    pub(super) fn send_deletes(&mut self, targets: Vec<Sent>) -> Result<()> {
        let flags = FlagSet::new(Flags::DELETED);
        let expunges = self.capabilities.has("UIDPLUS") || self.capabilities.has("IMAP4REV2");
        for set in split_set(&uids_of(&targets), MAX_SET) {
            let some: Vec<Sent> = targets.iter().filter(|t| set.contains(t.uid)).copied().collect();
            let store = Command::Store {
                set: set.clone(),
                action: StoreAction::Add,
                silent: false,
                flags: flags.clone(),
                unchanged_since: None,
            };
            self.send_step(&store, Step::Mark { targets: some.clone() })?;
            if expunges {
                self.send_step(&Command::UidExpunge(set), Step::Expunge { targets: some })?;
            }
        }
        Ok(())
    }

    /// Brings messages here whole, for mailboxes of this device; or (`check`) their headers, to be sure that they are what they
    /// are taken for.
    fn send_downloads(&mut self, targets: Vec<Sent>, check: bool) -> Result<()> {
        if targets.is_empty() {
            return Ok(());
        }
        for target in &targets {
            let opening = Opening {
                request: RequestId(0),
                message: target.message,
                part: None,
                rest: None,
                check,
                got: false,
            };
            self.opening.insert(target.uid, opening);
        }
        for set in split_set(&uids_of(&targets), MAX_SET) {
            let section = if check { Section::Header } else { Section::Full };
            let items = vec![FetchItem::Uid, FetchItem::Peek { section, partial: None }];
            let set = NumberSet::Set(set);
            let fetch = Command::Fetch { uid: true, set, items, changed_since: None, partial: None };
            self.send_step(&fetch, Step::Download)?;
        }
        Ok(())
    }

    /// Every command of the flight is answered.
    pub(super) fn stage_acted(&mut self) -> Result<()> {
        if self.look_at_expunged()? {
            return Ok(());
        }
        self.opening.retain(|_, o| o.request != RequestId(0));
        let flagged = self.replay.as_mut().and_then(|r| r.source.as_mut()).map(|s| s.flagged.clone());
        if let Some(flagged) = flagged.filter(|f| !f.is_empty()) {
            self.batch.push(Op::Replay(ReplayFact::FlagsAnswered(flagged)));
        }
        self.flush(Next::Replay(Stage::Acted));
        Ok(())
    }

    /// OK to EXPUNGE is not success either: where the server has not counted out as many as were to go, they are asked for.
    /// Returns whether an answer is to come.
    fn look_at_expunged(&mut self) -> Result<bool> {
        let exists = self.selected.exists;
        let Some(source) = self.replay.as_mut().and_then(|r| r.source.as_mut()) else { return Ok(false) };
        let targets = std::mem::take(&mut source.expunged);
        if targets.is_empty() {
            return Ok(false);
        }
        if source.exists.saturating_sub(exists) as usize >= source.taken_out + targets.len() {
            self.went(&targets);
            return Ok(false);
        }
        source.ask_for(&uids_of(&targets));
        for set in split_set(&uids_of(&targets), MAX_SET) {
            let some = targets.iter().filter(|t| set.contains(t.uid)).copied().collect();
            let set = NumberSet::Set(set);
            let items = vec![FetchItem::Uid, FetchItem::Flags];
            let fetch = Command::Fetch { uid: true, set, items, changed_since: None, partial: None };
            self.send_step(&fetch, Step::Expunged { targets: some })?;
        }
        Ok(true)
    }

    /// What was done is durable: what did not take is asked for once more, and what has become possible is done.
    pub(super) fn acted(&mut self) -> Result<()> {
        let unmet = self.unmet_flags()?;
        if !unmet.is_empty() {
            if let Some(source) = self.replay.as_mut().and_then(|r| r.source.as_mut()) {
                source.phase = Phase::Confirming;
            }
            let uids: UidSet = sorted(unmet.into_iter()).into_iter().collect();
            for set in split_set(&uids, MAX_SET) {
                let set = NumberSet::Set(set);
                let items = vec![FetchItem::Uid, FetchItem::Flags];
                let fetch = Command::Fetch { uid: true, set, items, changed_since: None, partial: None };
                self.send_step(&fetch, Step::Confirm)?;
            }
            return Ok(());
        }
        self.act_again()
    }

    /// UIDs of messages whose flags the server did not show as they were wanted.
    fn unmet_flags(&self) -> Result<Vec<u32>> {
        let Some(source) = self.replay.as_ref().and_then(|r| r.source.as_ref()) else {
            return Ok(Vec::new());
        };
        let Some(replay) = &self.replay else { return Ok(Vec::new()) };
        let reading = self.store.read()?;
        let mut unmet = Vec::new();
        for id in source.flagged.iter().filter(|id| !source.put_off.contains(*id)) {
            let flags = query::intents(&reading.tables, *id)?.flags;
            let same = flags.filter(|f| f.refused.is_none() && replay.tried.contains(&(f.op, FLAGGED)));
            let record = query::message_record(&reading.tables, *id)?;
            if let (Some(_), Some(record)) = (same, record)
                && record.is_placed()
                && record.mailbox == source.mailbox
            {
                unmet.push(record.uid);
            }
        }
        Ok(unmet)
    }

    /// What is still not as wanted after it was asked for: the server said OK and did not do it.
    pub(super) fn confirmed(&mut self) -> Result<()> {
        let Some(source) = self.replay.as_mut().and_then(|r| r.source.as_mut()) else { return Ok(()) };
        let mut flagged = std::mem::take(&mut source.flagged);
        flagged.retain(|id| !source.put_off.contains(id));
        let tried = self.replay.as_ref().map(|r| r.tried.clone()).unwrap_or_default();
        let mut unkept = Vec::new();
        let reading = self.store.read()?;
        for id in flagged {
            let flags = query::intents(&reading.tables, id)?.flags;
            let placed = query::message_record(&reading.tables, id)?.is_some_and(|m| m.is_placed());
            unkept.extend(
                flags
                    .filter(|f| placed && f.refused.is_none() && tried.contains(&(f.op, FLAGGED)))
                    .map(|f| f.op),
            );
        }
        drop(reading);
        for op in unkept {
            self.refuse(op, "the server said OK and did not keep the flags");
        }
        self.act_again()
    }

    /// What the same mailbox still has to be done in it: originals of copies that are made, what has come here whole, what a person
    /// did meanwhile.
    fn act_again(&mut self) -> Result<()> {
        let Some(mailbox) = self.replay.as_ref().and_then(|r| r.source.as_ref()).map(|s| s.mailbox) else {
            return self.choose_stage();
        };
        let mut work = self.work()?;
        let Some(replay) = &mut self.replay else { return Ok(()) };
        let Some(source) = &mut replay.source else { return Ok(()) };
        source.flagged.clear();
        let mut due = Vec::new();
        for mut target in work.sources.remove(&mailbox).unwrap_or_default() {
            if !source.proven.contains(&target.message) {
                continue;
            }
            target.flags = target.flags.filter(|op| replay.tried.insert((*op, FLAGGED)));
            // An operation may take several steps, each once.
            if !target.step().is_some_and(|step| replay.tried.insert(step)) {
                target.act = None;
            }
            if target.flags.is_some() || target.act.is_some() {
                due.push(target);
            }
        }
        if due.is_empty() || !self.selected.open {
            self.leases.release(mailbox);
            self.flush(Next::Replay(Stage::Choose));
            return Ok(());
        }
        self.note_acts(due);
        self.flush(Next::Replay(Stage::Act));
        Ok(())
    }
}

/// Whether what the server has under a UID is what is known here.
fn is_the_same(target: &Target, met: &Met) -> bool {
    // Of one that we put there, the server has named the UID and nothing more.
    let told_only = target.record.claimed_size == 0;
    let same_size = told_only || met.size.is_none_or(|size| size == target.record.claimed_size);
    let same_date = told_only || met.internal_date.is_none_or(|date| date == target.record.internal_date);
    let ours = &target.email_ids;
    let same_id = match &met.email_id {
        Some(theirs) if !told_only => {
            ours.is_empty() || ours.len() >= MOST_SERVER_IDS || ours.contains(theirs)
        }
        _ => true,
    };
    same_size && same_date && same_id
}

fn sorted<T: Ord>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort();
    all
}

fn in_order(all: HashMap<MailboxId, Vec<Sent>>) -> Vec<(MailboxId, Vec<Sent>)> {
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|(id, _)| *id);
    all
}
