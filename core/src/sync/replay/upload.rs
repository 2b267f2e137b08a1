//! Messages that only this device has: sent by APPEND, each once.

use crate::error::{Error, Result};
use crate::ids::{MailboxId, MessageId, OperationId};
use crate::imap::command::{AppendItem, Command};
use crate::imap::response::{Code, Status};
use crate::store::batch::{Op, ReplayFact};
use crate::store::intents::Mark;
use crate::store::plan::{self, Upload};
use crate::store::query;
use crate::sync::replay::{Appended, Sent, Stage, Step, count_out};
use crate::sync::{Driver, Next};

/// Octets of messages that are on their way at a time.
const AT_ONCE: u64 = 4 << 20;

/// Messages in one APPEND: what is refused together is sent again, each by itself.
const MOST_TOGETHER: usize = 64;

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

    /// The notes are durable: the messages go out. Where the server takes several in one command they go together
    /// (RFC 3502), and by themselves once it has refused that.
    pub(super) fn upload(&mut self) -> Result<()> {
        let Some(replay) = &mut self.replay else { return Ok(()) };
        let several = self.capabilities.has("MULTIAPPEND");
        let mut together: Option<(MailboxId, Vec<(Appended, AppendItem)>)> = None;
        for upload in std::mem::take(&mut replay.uploads) {
            let Some(ready) = self.ready_to_go(upload)? else { continue };
            let alone = !several || self.replay.as_ref().is_some_and(|r| r.alone.contains(&upload.op));
            match &mut together {
                Some((to, some)) if *to == upload.to && !alone && some.len() < MOST_TOGETHER => {
                    some.push(ready)
                }
                _ => {
                    if let Some((to, some)) = together.replace((upload.to, vec![ready])) {
                        self.send_append(to, some)?;
                    }
                    if alone && let Some((to, some)) = together.take() {
                        self.send_append(to, some)?;
                    }
                }
            }
        }
        if let Some((to, some)) = together {
            self.send_append(to, some)?;
        }
        self.stage_is_over_if_answered()
    }

    /// A message that is still to be sent, and can be; one that cannot is set aside.
    fn ready_to_go(&mut self, upload: Upload) -> Result<Option<(Appended, AppendItem)>> {
        let Upload { op, message, to } = upload;
        let reading = self.store.read()?;
        let outgoing = plan::outgoing(&reading.tables, message)?;
        let place = query::intents(&reading.tables, message)?.place.filter(|p| p.op == op);
        drop(reading);
        if place.and_then(|p| p.mark).is_none_or(|m| m.target != to) {
            // A person has thought of something else meanwhile.
            return Ok(None);
        }
        let octets = outgoing.as_ref().map_or(0, |o| o.raw.len() as u64);
        // Past the limit the server would read all of it to refuse it, or end the connection.
        let limit = self.append_limit(to).filter(|limit| octets > *limit);
        let why = match (&outgoing, limit) {
            (None, _) => "the message is not here whole".to_owned(),
            (_, Some(limit)) => {
                format!("the message has {octets} octets, and the server takes {limit} at most")
            }
            (Some(_), None) => String::new(),
        };
        let Some(plan::Outgoing { raw, flags, internal_date }) = outgoing.filter(|_| why.is_empty()) else {
            self.cannot_be_sent(op, message, &why);
            return Ok(None);
        };
        let item = AppendItem { flags: flags.clone(), internal_date: Some(internal_date), message: raw };
        Ok(Some((Appended { op, message, flags }, item)))
    }

    fn cannot_be_sent(&mut self, op: OperationId, message: MessageId, why: &str) {
        self.batch.push(Op::Replay(ReplayFact::NotDone(vec![message])));
        self.refuse(op, why);
    }

    fn send_append(&mut self, to: MailboxId, some: Vec<(Appended, AppendItem)>) -> Result<()> {
        let mailbox = query::mailbox(&self.store.read()?.tables, to)?.wire_name;
        let (sent, messages): (Vec<_>, Vec<_>) = some.into_iter().unzip();
        let command = Command::Append { mailbox, messages };
        match self.send_step(&command, Step::Append { to, sent: sent.clone() }) {
            Err(Error::Invalid { why, .. }) => match &sent[..] {
                [one] => {
                    self.cannot_be_sent(one.op, one.message, &why);
                    Ok(())
                }
                _ => {
                    // One of them cannot be written; the others are not to suffer for it.
                    let Command::Append { messages, .. } = command else { return Ok(()) };
                    for one in sent.into_iter().zip(messages) {
                        self.send_append(to, vec![one])?;
                    }
                    Ok(())
                }
            },
            sent => sent,
        }
    }

    /// Octets of the largest message that a mailbox takes, where the server told (RFC 7889).
    fn append_limit(&self, mailbox: MailboxId) -> Option<u64> {
        let told = self.replay.as_ref().and_then(|r| r.append_limits.get(&mailbox).copied());
        told.or(self.capabilities.append_limit())
    }

    pub(super) fn append_answered(
        &mut self,
        to: MailboxId,
        sent: Vec<Appended>,
        ok: bool,
        status: &Status<'_>,
    ) {
        let messages: Vec<MessageId> = sent.iter().map(|s| s.message).collect();
        if !ok {
            self.batch.push(Op::Replay(ReplayFact::NotDone(messages)));
            let first = self.pass.as_ref().is_none_or(|p| p.rounds == 0);
            if Driver::is_temporary(status) || Driver::is_missing(status) && first {
                // Another time.
                return;
            }
            if let [one] = &sent[..] {
                let why = self.words(status);
                self.refuse(one.op, &why);
            } else if let Some(replay) = &mut self.replay {
                // One of them may be at fault, or all be too much together: each is sent by itself.
                for one in &sent {
                    replay.tried.remove(&(one.op, super::APPENDED));
                    replay.alone.insert(one.op);
                }
            }
            return;
        }
        self.batch.push(Op::Replay(ReplayFact::Answered(messages)));
        match &status.code {
            Some(Code::AppendUid { uid_validity, uids }) => {
                let uids = count_out(uids.ranges(), sent.len());
                if uids.len() != sent.len() {
                    return self.look_later(to);
                }
                for (uid, one) in uids.into_iter().zip(sent) {
                    let (pairs, flags) = (vec![(uid, one.message)], Some(one.flags));
                    let uid_validity = *uid_validity;
                    self.batch.push(Op::Replay(ReplayFact::Told { mailbox: to, uid_validity, pairs, flags }));
                }
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
