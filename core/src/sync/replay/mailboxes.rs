//! Mailboxes made, renamed, subscribed to and deleted on the server.

use crate::error::{Error, Result};
use crate::ids::{MailboxId, OperationId};
use crate::imap::command::{Command, StatusItem};
use crate::imap::response::{Code, PlainCode, Status, StatusKind};
use crate::model::Role;
use crate::store::batch::{Op, ReplayFact};
use crate::store::intents::{MailboxGoal, MailboxOperation};
use crate::store::query;
use crate::sync::replay::{Stage, Step};
use crate::sync::{Driver, Next};

impl Driver {
    /// Sends what is to be done to mailboxes, one behind the other.
    pub(super) fn replay_mailboxes(&mut self, all: Vec<(OperationId, MailboxOperation)>) -> Result<()> {
        for (op, operation) in all {
            if let Some(replay) = &mut self.replay {
                replay.tried.insert((op, super::FLAGGED));
            }
            let command = self.mailbox_command(&operation)?;
            match self.send_step(&command, Step::Mailbox(op)) {
                Err(Error::Invalid { why, .. }) => self.refuse(op, &why),
                sent => sent?,
            }
        }
        self.stage_is_over_if_answered()
    }

    fn mailbox_command(&self, operation: &MailboxOperation) -> Result<Command> {
        let record = query::mailbox(&self.store.read()?.tables, operation.mailbox)?;
        let wire = record.wire_name;
        Ok(match &operation.goal {
            MailboxGoal::Create { role } => {
                let told = self.capabilities.has("CREATE-SPECIAL-USE");
                let special_use = role.filter(|_| told).and_then(attribute).map(str::to_owned);
                Command::Create { mailbox: wire, special_use: special_use.into_iter().collect() }
            }
            MailboxGoal::Rename => {
                let to = record.wish.name.map_or_else(|| wire.clone(), |(_, wire)| wire);
                Command::Rename { from: wire, to }
            }
            MailboxGoal::Subscribe(true) => Command::Subscribe(wire),
            MailboxGoal::Subscribe(false) => Command::Unsubscribe(wire),
            MailboxGoal::Delete => Command::Delete(wire),
        })
    }

    /// A mailbox goes with what is in it: what came since the person looked is not theirs to delete unseen.
    pub(super) fn count_before_deleting(&mut self, all: Vec<(OperationId, MailboxOperation)>) -> Result<()> {
        for (op, operation) in all {
            let mailbox = operation.mailbox;
            let record = query::mailbox(&self.store.read()?.tables, mailbox)?;
            if let Some(replay) = &mut self.replay {
                replay.tried.insert((op, super::FLAGGED));
                replay.counts.remove(&mailbox);
            }
            let items = vec![StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity];
            let status = Command::Status { mailbox: record.wire_name, items };
            self.send_step(&status, Step::Count { op, mailbox })?;
        }
        self.stage_is_over_if_answered()
    }

    pub(super) fn counted(&mut self, mailbox: MailboxId, messages: u32) {
        if let Some(replay) = &mut self.replay {
            replay.counts.insert(mailbox, messages);
        }
    }

    pub(super) fn count_answered(&mut self, op: OperationId, mailbox: MailboxId, ok: bool) -> Result<()> {
        let reading = self.store.read()?;
        let known = query::uids(&reading.tables, mailbox)?.len();
        let record = query::mailbox(&reading.tables, mailbox)?;
        drop(reading);
        let count = self.replay.as_ref().and_then(|r| r.counts.get(&mailbox).copied());
        // One that holds nothing but other mailboxes has no count.
        let holds_none = !record.selectable;
        match count {
            Some(count) if u64::from(count) > known => {
                self.refuse(op, "mail has come into it that was not seen here");
                Ok(())
            }
            Some(_) => self.delete_mailbox(op, record.wire_name),
            None if ok && !holds_none => {
                self.refuse(op, "the server does not say what is in it");
                Ok(())
            }
            None => self.delete_mailbox(op, record.wire_name),
        }
    }

    fn delete_mailbox(&mut self, op: OperationId, wire: Vec<u8>) -> Result<()> {
        if self.selected.mailbox.is_some() {
            // Some servers do not let go of the mailbox that is open.
            self.leave_selected()?;
        }
        self.send_step(&Command::Delete(wire), Step::Mailbox(op))
    }

    /// No mailbox is open any more.
    fn leave_selected(&mut self) -> Result<()> {
        self.selected = Default::default();
        if self.capabilities.has("UNSELECT") || self.capabilities.has("IMAP4REV2") {
            self.out.send(&Command::Unselect, crate::sync::Purpose::Id)?;
        }
        Ok(())
    }

    pub(super) fn mailbox_op_answered(
        &mut self,
        op: OperationId,
        ok: bool,
        status: &Status<'_>,
    ) -> Result<()> {
        let goal = self.mailbox_goal(op)?;
        let there = matches!(status.code, Some(Code::Plain(PlainCode::AlreadyExists)));
        let done = match goal {
            // What was wanted is so, whoever did it.
            Some(MailboxGoal::Create { .. }) => ok || there,
            Some(MailboxGoal::Delete) => ok || Driver::is_missing(status),
            _ => ok,
        };
        // Some servers refuse to make what is there already without saying why (Cyrus): the list tells.
        let may_be_there = matches!(goal, Some(MailboxGoal::Create { .. }))
            && status.kind == StatusKind::No
            && status.code.is_none()
            && self.pass.as_ref().is_none_or(|p| p.rounds == 0);
        if done {
            self.batch.push(Op::Replay(ReplayFact::MailboxDone(op)));
        } else if !may_be_there && !Driver::is_temporary(status) {
            let why = self.words(status);
            self.refuse(op, &why);
        }
        Ok(())
    }

    fn mailbox_goal(&self, op: OperationId) -> Result<Option<MailboxGoal>> {
        query::mailbox_goal(&self.store.read()?.tables, op)
    }

    /// When every command of the stage is answered, its facts are made durable and the next stage is chosen.
    pub(super) fn stage_is_over_if_answered(&mut self) -> Result<()> {
        if self.replay.as_ref().is_some_and(|r| r.waiting == 0) {
            self.flush(Next::Replay(Stage::Choose));
        }
        Ok(())
    }
}

/// The attribute that says what a mailbox is for (RFC 6154 §2).
fn attribute(role: Role) -> Option<&'static str> {
    Some(match role {
        Role::Drafts => "\\Drafts",
        Role::Sent => "\\Sent",
        Role::Trash => "\\Trash",
        Role::Junk => "\\Junk",
        Role::Archive => "\\Archive",
        _ => return None,
    })
}
