//! Tagged answers to the commands of a replay.

use crate::error::Result;
use crate::ids::MessageId;
use crate::imap::command::{Command, FetchItem, NumberSet};
use crate::imap::response::{Code, PlainCode, Status, StatusKind};
use crate::store::batch::{Op, ReplayFact, StateFact};
use crate::sync::replay::{Sent, Stage, Step, uids_of};
use crate::sync::{Driver, Next};

/// Messages by their UIDs.
type Targets = Vec<(u32, MessageId)>;

impl Driver {
    /// A command of the replay is answered.
    pub(crate) fn replay_answered(&mut self, step: Step, ok: bool, status: &Status<'_>) -> Result<()> {
        let Some(replay) = &mut self.replay else { return Ok(()) };
        replay.waiting = replay.waiting.saturating_sub(1);
        match step {
            Step::Mailbox(op) => self.mailbox_op_answered(op, ok, status)?,
            Step::Count { op, mailbox } => self.count_answered(op, mailbox, ok)?,
            Step::Numbers | Step::Check | Step::Confirm | Step::Download => {}
            Step::Select => self.source_opened(ok),
            Step::Store { targets, action, flags } if !ok => {
                // Behind a COPY it would change the original alone.
                let (moving, targets) = self.part_by_mark(targets)?;
                self.put_off(&moving);
                if targets.len() > 1 && !Driver::is_about_all(status) {
                    // One of them may be at fault; the others are not to suffer for it.
                    let (some, rest) = targets.split_at(targets.len() / 2);
                    self.send_store(action, &flags, some.to_vec())?;
                    self.send_store(action, &flags, rest.to_vec())?;
                } else if Driver::is_temporary(status) {
                    self.put_off(&targets);
                } else {
                    let why = self.words(status);
                    for (_, message) in targets {
                        self.refuse_flags(message, &why)?;
                    }
                }
            }
            Step::Store { .. } => {}
            Step::Copy { to, moves, targets } => self.copy_answered(to, moves, targets, ok, status)?,
            Step::Move { to, targets } => self.move_answered(to, targets, ok, status)?,
            // What became of them is not known: it is looked for where they were to go.
            Step::Remains { .. } if !ok => {}
            Step::Remains { to, targets, why, temporary, all } => {
                self.remains_answered(to, targets, &why, temporary, all)?
            }
            Step::Mark { targets } => self.mark_answered(targets, ok, status),
            Step::Expunge { targets } => {
                self.expunge_answered(targets, ok, status);
            }
            Step::Expunged { targets } => self.expunged_answered(targets, ok),
            Step::Append { to, sent } => self.append_answered(to, sent, ok, status),
        }
        self.go_on_if_answered()
    }

    fn go_on_if_answered(&mut self) -> Result<()> {
        let Some(replay) = &self.replay else { return Ok(()) };
        if replay.waiting > 0 || self.next.is_some() {
            return Ok(());
        }
        match &replay.source {
            Some(source) if source.is_checking() => self.checked(),
            Some(source) if source.is_confirming() => {
                self.flush(Next::Replay(Stage::Confirmed));
                Ok(())
            }
            Some(_) => self.stage_acted(),
            None if replay.is_uploading() => self.numbers_are_here(),
            None => {
                self.flush(Next::Replay(Stage::Choose));
                Ok(())
            }
        }
    }

    /// Messages that are on their way to elsewhere, and the others.
    fn part_by_mark(&self, targets: Vec<(u32, MessageId)>) -> Result<(Targets, Targets)> {
        let tables = self.store.read()?.tables;
        let (mut moving, mut others) = (Vec::new(), Vec::new());
        for target in targets {
            let marked = crate::store::query::intents(&tables, target.1)?.mark().is_some();
            if marked { moving.push(target) } else { others.push(target) }
        }
        Ok((moving, others))
    }

    /// Their flags are tried again another time.
    fn put_off(&mut self, targets: &[(u32, MessageId)]) {
        if let Some(source) = self.replay.as_mut().and_then(|r| r.source.as_mut()) {
            source.put_off.extend(targets.iter().map(|(_, message)| *message));
        }
    }

    fn refuse_flags(&mut self, message: MessageId, why: &str) -> Result<()> {
        let flags = crate::store::query::intents(&self.store.read()?.tables, message)?.flags;
        if let Some(flags) = flags {
            self.refuse(flags.op, why);
        }
        Ok(())
    }

    fn copy_answered(
        &mut self,
        to: crate::ids::MailboxId,
        moves: bool,
        targets: Vec<Sent>,
        ok: bool,
        status: &Status<'_>,
    ) -> Result<()> {
        let messages = targets.iter().map(|t| t.message).collect();
        if ok {
            self.batch.push(Op::Replay(ReplayFact::Answered(messages)));
            match &status.code {
                Some(code @ Code::CopyUid { .. }) => self.told_places(to, &targets, code),
                _ => self.look_later(to),
            }
            return Ok(());
        }
        // COPY does all or nothing (RFC 9051 §6.4.7).
        self.batch.push(Op::Replay(ReplayFact::NotDone(messages)));
        if targets.len() > 1 && !Driver::is_about_all(status) && !Driver::is_temporary(status) {
            let (some, rest) = targets.split_at(targets.len() / 2);
            for half in [some, rest] {
                self.note_sent_again(to, half);
                self.send_copies(to, half.to_vec(), moves)?;
            }
            return Ok(());
        }
        self.refused_or_later(&targets, status);
        Ok(())
    }

    fn move_answered(
        &mut self,
        to: crate::ids::MailboxId,
        targets: Vec<Sent>,
        ok: bool,
        status: &Status<'_>,
    ) -> Result<()> {
        if ok {
            let messages = targets.iter().map(|t| t.message).collect();
            self.batch.push(Op::Replay(ReplayFact::Answered(messages)));
            match &status.code {
                Some(code @ Code::CopyUid { .. }) => self.told_places(to, &targets, code),
                _ if self.capabilities.has("UIDPLUS") => {}
                _ => self.look_later(to),
            }
            self.went(&targets);
            return Ok(());
        }
        // A MOVE that is refused may have moved some (RFC 6851 §3.3): what is left is looked at.
        let why = self.words(status);
        let temporary = Driver::is_temporary(status);
        if !temporary && (status.kind == StatusKind::Bad || status.code.is_none()) {
            // Advertised, and it fails: COPY may do.
            self.move_fails = true;
        }
        let uids = uids_of(&targets);
        if let Some(source) = self.replay.as_mut().and_then(|r| r.source.as_mut()) {
            source.ask_for(&uids);
        }
        let set = NumberSet::Set(uids);
        let items = vec![FetchItem::Uid, FetchItem::Flags];
        let fetch = Command::Fetch { uid: true, set, items, changed_since: None, partial: None };
        let all = Driver::is_about_all(status);
        self.send_step(&fetch, Step::Remains { to, targets, why, temporary, all })
    }

    fn remains_answered(
        &mut self,
        to: crate::ids::MailboxId,
        targets: Vec<Sent>,
        why: &str,
        temporary: bool,
        all_at_fault: bool,
    ) -> Result<()> {
        let Some(source) = self.replay.as_mut().and_then(|r| r.source.as_mut()) else { return Ok(()) };
        let (left, moved): (Vec<Sent>, Vec<Sent>) =
            targets.into_iter().partition(|t| source.has_stayed(t.uid));
        if !moved.is_empty() {
            self.went(&moved);
            self.look_later(to);
        }
        if left.is_empty() {
            return Ok(());
        }
        self.batch.push(Op::Replay(ReplayFact::NotDone(left.iter().map(|t| t.message).collect())));
        if temporary {
            return Ok(());
        }
        if self.move_fails && !all_at_fault {
            self.note_sent_again(to, &left);
            return self.send_copies(to, left, true);
        }
        if left.len() > 1 && !all_at_fault {
            let (some, rest) = left.split_at(left.len() / 2);
            for half in [some, rest] {
                self.note_sent_again(to, half);
                self.send_moves(to, half.to_vec())?;
            }
            return Ok(());
        }
        for target in left {
            self.refuse(target.op, why);
        }
        Ok(())
    }

    /// `\Deleted` was stored, or not.
    fn mark_answered(&mut self, targets: Vec<Sent>, ok: bool, status: &Status<'_>) {
        let expunges = self.capabilities.has("UIDPLUS") || self.capabilities.has("IMAP4REV2");
        if !ok && expunges {
            // UID EXPUNGE is behind it, and takes what bore the mark all the same: then it is known what became of it.
            let why = (!Driver::is_temporary(status)).then(|| self.words(status));
            if let Some(source) = self.replay.as_mut().and_then(|r| r.source.as_mut()) {
                source.unmarked.extend(targets.iter().map(|t| (t.message, why.clone())));
            }
        } else if !ok {
            self.not_now(&targets, status);
        } else if !expunges {
            let messages = targets.iter().map(|t| t.message).collect();
            self.batch.push(Op::Replay(ReplayFact::Left(messages)));
        }
    }

    /// What was to be expunged and is there still is tried again another time.
    fn expunged_answered(&mut self, mut targets: Vec<Sent>, ok: bool) {
        let Some(source) = self.replay.as_mut().and_then(|r| r.source.as_mut()) else { return };
        let is_there = |t: &Sent| !ok || source.has_stayed(t.uid);
        let left: Vec<MessageId> = targets.iter().filter(|t| is_there(t)).map(|t| t.message).collect();
        targets.retain(|t| !is_there(t));
        self.batch.push(Op::Replay(ReplayFact::NotDone(left)));
        self.went(&targets);
    }

    /// UID EXPUNGE was answered. What did not get its mark is still there whatever the answer is, but for what the server said went.
    fn expunge_answered(&mut self, targets: Vec<Sent>, ok: bool, status: &Status<'_>) {
        let source = self.replay.as_mut().and_then(|r| r.source.as_mut());
        let mut unmarked = source.map(|s| std::mem::take(&mut s.unmarked)).unwrap_or_default();
        let (mut gone, mut left, mut marked) = (Vec::new(), Vec::new(), Vec::new());
        for target in targets {
            let refused = unmarked.remove(&target.message);
            if self.selected.vanished.contains(target.uid) {
                gone.push(target);
                continue;
            }
            if ok && refused.is_none() {
                marked.push(target);
                continue;
            }
            match refused {
                Some(Some(why)) => self.refuse(target.op, &why),
                Some(None) => self.batch.push(Op::Replay(ReplayFact::NotDone(vec![target.message]))),
                None => left.push(target),
            }
        }
        if let Some(source) = self.replay.as_mut().and_then(|r| r.source.as_mut()) {
            source.unmarked = unmarked;
            // Whether EXISTS agrees is looked at when everything is answered.
            source.expunged(marked);
        }
        if !gone.is_empty() {
            self.went(&gone);
        }
        if !left.is_empty() {
            self.not_now(&left, status);
        }
    }

    fn not_now(&mut self, targets: &[Sent], status: &Status<'_>) {
        if let (Some(Code::Plain(PlainCode::NoPerm)), Some(mailbox)) = (&status.code, self.selected.mailbox) {
            // What the user may do here is not what was thought.
            let state = StateFact { rights: Some(None), ..StateFact::default() };
            self.batch.push(Op::State { mailbox, state });
        }
        if Driver::is_temporary(status) {
            let messages = targets.iter().map(|t| t.message).collect();
            self.batch.push(Op::Replay(ReplayFact::NotDone(messages)));
        } else {
            let why = self.words(status);
            for target in targets {
                self.refuse(target.op, &why);
            }
        }
    }

    fn refused_or_later(&mut self, targets: &[Sent], status: &Status<'_>) {
        let first = self.pass.as_ref().is_none_or(|p| p.rounds == 0);
        if Driver::is_missing(status) && first {
            // The target was renamed or deleted there; once the list is read it is known which.
            return;
        }
        self.not_now(targets, status);
    }

    /// These are no longer under their UIDs.
    pub(super) fn went(&mut self, targets: &[Sent]) {
        let Some(mailbox) = self.selected.mailbox else { return };
        if let Some(source) = self.replay.as_mut().and_then(|r| r.source.as_mut()) {
            source.took_out(targets.len());
        }
        let uids = uids_of(targets);
        self.selected.known = self.selected.known.difference(&uids);
        self.selected.vanished = self.selected.vanished.difference(&uids);
        self.batch.push(Op::Gone { mailbox, uids, suspicious: false });
    }

    pub(super) fn look_later(&mut self, mailbox: crate::ids::MailboxId) {
        if let Some(replay) = self.replay.as_mut()
            && !replay.to_look.contains(&mailbox)
        {
            replay.to_look.push(mailbox);
        }
    }
}
