//! Messages that only this device has: sent by APPEND, each once.

use crate::error::{Error, Result};
use crate::flags::FlagSet;
use crate::ids::{MailboxId, MessageId, OperationId};
use crate::imap::command::Command;
use crate::imap::response::{Code, Status};
use crate::store::batch::{Op, ReplayFact};
use crate::store::intents::Mark;
use crate::store::plan::{self, Upload};
use crate::store::query;
use crate::sync::replay::{Sent, Stage, Step, count_out};
use crate::sync::{Driver, Next};

/// Octets of messages that are on their way at a time.
const AT_ONCE: u64 = 4 << 20;

impl Driver {
    /// Asks for the numbers of the mailboxes that messages are sent to.
    pub(super) fn prepare_uploads(&mut self, uploads: Vec<Upload>) -> Result<()> {
        let some = self.as_many_as_fit(uploads)?;
        let Some(replay) = &mut self.replay else { return Ok(()) };
        replay.tried.extend(some.iter().map(|u| (u.op, super::APPENDED)));
        let mailboxes = some.iter().map(|u| u.to).collect();
        replay.numbers.clear();
        replay.uploads = some;
        self.ask_numbers(mailboxes)?;
        if self.replay.as_ref().is_some_and(|r| r.waiting == 0) {
            return self.numbers_are_here();
        }
        Ok(())
    }

    fn as_many_as_fit(&self, uploads: Vec<Upload>) -> Result<Vec<Upload>> {
        let tables = self.store.read()?.tables;
        let mut octets = 0;
        let mut some = Vec::new();
        for upload in uploads {
            let size = query::message_record(&tables, upload.message)?.map_or(0, |m| m.size);
            if !some.is_empty() && octets + size > AT_ONCE {
                break;
            }
            octets += size;
            some.push(upload);
        }
        Ok(some)
    }

    /// Notes what is about to be sent.
    pub(super) fn numbers_are_here(&mut self) -> Result<()> {
        let Some(replay) = &mut self.replay else { return Ok(()) };
        let numbers = replay.numbers.clone();
        // A mailbox that the server does not know is looked at once the list of mailboxes is here.
        replay.uploads.retain(|u| numbers.contains_key(&u.to));
        for upload in &replay.uploads {
            let (target_validity, target_uid_next) = numbers[&upload.to];
            let mark = Mark {
                target: upload.to,
                target_validity,
                target_uid_next,
                arrived: None,
                left: false,
                answered: false,
            };
            self.batch.push(Op::Replay(ReplayFact::Sent { messages: vec![upload.message], mark }));
        }
        self.flush(Next::Replay(Stage::Upload));
        Ok(())
    }

    /// The notes are durable: the messages go out.
    pub(super) fn upload(&mut self) -> Result<()> {
        let Some(replay) = &mut self.replay else { return Ok(()) };
        for Upload { op, message, to } in std::mem::take(&mut replay.uploads) {
            let reading = self.store.read()?;
            let outgoing = plan::outgoing(&reading.tables, message)?;
            let record = query::mailbox(&reading.tables, to)?;
            let place = query::intents(&reading.tables, message)?.place.filter(|p| p.op == op);
            drop(reading);
            if place.and_then(|p| p.mark).is_none_or(|m| m.target != to) {
                // A person has thought of something else meanwhile.
                continue;
            }
            let Some(outgoing) = outgoing else {
                self.batch.push(Op::Replay(ReplayFact::NotDone(vec![message])));
                self.refuse(op, "the message is not here whole");
                continue;
            };
            let limit = self.append_limit(to);
            if let Some(limit) = limit.filter(|limit| outgoing.raw.len() as u64 > *limit) {
                // The server would read all of it to refuse it, or end the connection.
                self.batch.push(Op::Replay(ReplayFact::NotDone(vec![message])));
                let octets = outgoing.raw.len();
                self.refuse(
                    op,
                    &format!("the message has {octets} octets, and the server takes {limit} at most"),
                );
                continue;
            }
            let flags = outgoing.flags.clone();
            let command = Command::Append {
                mailbox: record.wire_name,
                flags: outgoing.flags,
                internal_date: Some(outgoing.internal_date),
                message: outgoing.raw,
            };
            match self.send_step(&command, Step::Append { op, message, to, flags }) {
                Err(Error::Invalid { why, .. }) => {
                    self.batch.push(Op::Replay(ReplayFact::NotDone(vec![message])));
                    self.refuse(op, &why);
                }
                sent => sent?,
            }
        }
        self.stage_is_over_if_answered()
    }

    /// Octets of the largest message that a mailbox takes, where the server told (RFC 7889).
    fn append_limit(&self, mailbox: MailboxId) -> Option<u64> {
        let told = self.replay.as_ref().and_then(|r| r.append_limits.get(&mailbox).copied());
        told.or(self.capabilities.append_limit())
    }

    pub(super) fn append_answered(
        &mut self,
        op: OperationId,
        message: MessageId,
        to: MailboxId,
        flags: FlagSet,
        ok: bool,
        status: &Status<'_>,
    ) {
        if !ok {
            self.batch.push(Op::Replay(ReplayFact::NotDone(vec![message])));
            let first = self.pass.as_ref().is_none_or(|p| p.rounds == 0);
            let later = Driver::is_temporary(status) || Driver::is_missing(status) && first;
            if !later {
                let why = self.words(status);
                self.refuse(op, &why);
            }
            return;
        }
        self.batch.push(Op::Replay(ReplayFact::Answered(vec![message])));
        match &status.code {
            Some(Code::AppendUid { uid_validity, uids }) => {
                let uids = count_out(uids.ranges(), 1);
                let pairs = uids.into_iter().map(|uid| (uid, message)).collect();
                let uid_validity = *uid_validity;
                let flags = Some(flags);
                self.batch.push(Op::Replay(ReplayFact::Told { mailbox: to, uid_validity, pairs, flags }));
            }
            _ => self.look_later(to),
        }
    }

    /// What was refused together is sent again in parts.
    pub(super) fn note_sent_again(&mut self, to: MailboxId, targets: &[Sent]) {
        let numbers = self.replay.as_ref().and_then(|r| r.numbers.get(&to).copied());
        let (target_validity, target_uid_next) =
            numbers.unwrap_or((self.selected.uid_validity, self.selected.uid_next));
        let mark = Mark {
            target: to,
            target_validity,
            target_uid_next,
            arrived: None,
            left: false,
            answered: false,
        };
        let messages = targets.iter().map(|t| t.message).collect();
        self.batch.push(Op::Replay(ReplayFact::Sent { messages, mark }));
    }
}
