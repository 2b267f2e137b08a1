//! APPEND and REPLACE: messages on their way in (RFC 9051 §6.3.12, RFC 3502, RFC 8508, RFC 7889).

use super::answer::{Answer, AnswerCode, Outcome};
use super::backend::{Appended, Backend, Users};
use super::session::Session;
use crate::ids::MailboxId;
use crate::imap::response::{PlainCode, StatusKind};
use crate::imap::server::command::Command;
use crate::imap::server::parse::{AppendHead, Refused};
use crate::message::textual;

/// The messages of one command, as far as they have come.
pub(super) struct Uploading<Up> {
    to: MailboxId,
    replaces: Option<(MailboxId, u32)>,
    done: Vec<Appended<Up>>,
    current: Option<Appended<Up>>,
    /// The current message, where it came as a literal8: it may hold NUL, and is looked through when it is here.
    binary: Option<Vec<u8>>,
    /// What went wrong; the rest is let come, and then refused.
    failed: Option<Answer>,
}

impl<U: Users> Session<U> {
    /// A message is announced. Whether it is to come; where not, the command has been answered.
    pub(super) fn begin_message(&mut self, head: Result<AppendHead, Refused>, len: u64) -> bool {
        let head = match head {
            Ok(head) => head,
            Err(refused) => {
                self.uploading = None;
                self.status(refused.tag.as_deref(), StatusKind::Bad, None, &refused.error.to_string());
                return false;
            }
        };
        match self.try_begin_message(&head, len) {
            Ok(()) => true,
            Err(answer) => {
                self.uploading = None;
                self.answer(&head.tag, &answer);
                false
            }
        }
    }

    fn try_begin_message(&mut self, head: &AppendHead, len: u64) -> Result<(), Answer> {
        let limit = self.backend()?.append_limit().unwrap_or(self.options.limits.message);
        if len > limit.min(self.options.limits.message) {
            return Err(Answer::no(PlainCode::TooBig, "the message is too large"));
        }
        if len == 0 {
            // RFC 3502 §6.3.11: an empty message takes the command back.
            return Err(Answer::no(PlainCode::Cannot, "an empty message is none"));
        }
        let message = &head.message;
        if message.flags.keywords().len() > self.options.limits.keywords {
            return Err(Answer::no(PlainCode::Limit, "too many keywords"));
        }
        if head.earlier == 0 {
            let to = self.find_target(&head.mailbox)?;
            let replaces = match &head.replaces {
                None => None,
                Some((uid, set)) => {
                    let selected = self.writable()?;
                    let found = selected.named(*uid, set)?;
                    let missing = || Answer::no(PlainCode::Nonexistent, "there is no such message");
                    Some((selected.id, *found.first().ok_or_else(missing)?))
                }
            };
            self.uploading =
                Some(Uploading { to, replaces, done: Vec::new(), current: None, binary: None, failed: None });
        }
        let wall_ms = self.now.wall_ms;
        let most = self.options.limits.appends;
        let Some(user) = &self.user else { return Err(Answer::bad("sign in first")) };
        let Some(uploading) = &mut self.uploading else { return Err(Answer::bad("APPEND")) };
        if uploading.done.len() >= most {
            return Err(Answer::no(PlainCode::Limit, "too many messages at once"));
        }
        let upload = user.backend.begin_upload(uploading.to, len, uploading.replaces)?;
        uploading.binary = message.literal8.then(Vec::new);
        uploading.current = Some(Appended {
            upload,
            flags: message.flags.clone(),
            internal_date: message.internal_date.unwrap_or(wall_ms),
        });
        Ok(())
    }

    pub(super) fn message_data(&mut self, data: &[u8]) {
        let (Some(user), Some(uploading)) = (&self.user, &mut self.uploading) else { return };
        let Some(current) = uploading.current.as_mut().filter(|_| uploading.failed.is_none()) else { return };
        if let Some(binary) = &mut uploading.binary {
            binary.extend_from_slice(data);
        } else if memchr::memchr(0, data).is_some() {
            // RFC 9051 §4.3: only a literal8 may hold it.
            uploading.failed = Some(Answer::bad("the message holds a NUL"));
        } else if let Err(refusal) = user.backend.upload(&mut current.upload, data) {
            uploading.failed = Some(refusal.into());
        }
    }

    pub(super) fn message_end(&mut self) {
        let (Some(user), Some(uploading)) = (&self.user, &mut self.uploading) else { return };
        if let (Some(binary), Some(current)) = (uploading.binary.take(), &mut uploading.current)
            && uploading.failed.is_none()
        {
            // What is kept can be sent by BODY[] too, which takes no NUL (RFC 3516 §4.3).
            uploading.failed = match textual(&binary, &self.options.limits) {
                None => Some(Answer::no(PlainCode::UnknownCte, "a NUL is where no encoding can be for it")),
                Some(text) => user.backend.upload(&mut current.upload, &text).err().map(Answer::from),
            };
        }
        uploading.done.extend(uploading.current.take());
    }

    /// The command is complete: all its messages go in, or none.
    pub(super) fn append(&mut self, command: &Command) -> Outcome {
        let Some(Uploading { to, replaces, done, failed, .. }) = self.uploading.take() else {
            return Err(Answer::bad("APPEND without a message"));
        };
        let expected = match command {
            Command::Append { messages, .. } => messages.len(),
            _ => 1,
        };
        if let Some(answer) = failed {
            return Err(answer);
        }
        if done.len() != expected {
            return Err(Answer::bad("APPEND"));
        }
        let appended = self.backend()?.append(to, done, replaces)?;
        self.note_own(to, &appended.target);
        let answer = Answer::ok("done").with(match self.options.offers("UIDPLUS") {
            true => AnswerCode::AppendUid(appended.uid_validity, appended.target),
            false => AnswerCode::None,
        });
        if replaces.is_some() {
            // RFC 8508 §3.2: the code comes before the expunge.
            self.status(None, StatusKind::Ok, answer.code.as_code(), "appended");
            return Ok(Answer::ok("done"));
        }
        Ok(answer)
    }
}
