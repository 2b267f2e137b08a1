//! The tagged answer to a command, before it is written.

use std::borrow::Cow;

use super::backend::Refusal;
use crate::imap::server::response::{Code, PlainCode, StatusKind};
use crate::set::UidSet;

/// OK, NO or BAD, with what stands in its brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) kind: StatusKind,
    pub(super) code: AnswerCode,
    pub(super) text: Cow<'static, str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AnswerCode {
    None,
    Plain(PlainCode),
    ReadOnly,
    ReadWrite,
    TryCreate,
    HighestModSeq(u64),
    MailboxId(String),
    Modified(UidSet),
    AppendUid(u32, UidSet),
    CopyUid(u32, UidSet, UidSet),
    Capability(Vec<&'static str>),
    CompressionActive,
    BadEvent,
    NotificationOverflow,
}

impl Answer {
    pub(super) fn ok(text: &'static str) -> Answer {
        Answer { kind: StatusKind::Ok, code: AnswerCode::None, text: text.into() }
    }

    pub(super) fn no(code: PlainCode, text: &'static str) -> Answer {
        Answer { kind: StatusKind::No, code: AnswerCode::Plain(code), text: text.into() }
    }

    /// Done, but for messages that somebody else has expunged (RFC 5530 §3).
    pub(super) fn some_are_gone() -> Answer {
        let text = "done, but some of them are no longer here";
        Answer::ok(text).with(AnswerCode::Plain(PlainCode::ExpungeIssued))
    }

    pub(super) fn bad(text: impl Into<Cow<'static, str>>) -> Answer {
        Answer { kind: StatusKind::Bad, code: AnswerCode::None, text: text.into() }
    }

    pub(super) fn with(self, code: AnswerCode) -> Answer {
        Answer { code, ..self }
    }
}

impl AnswerCode {
    pub(super) fn as_code(&self) -> Option<Code<'_>> {
        Some(match self {
            AnswerCode::None => return None,
            AnswerCode::Plain(code) => Code::Plain(*code),
            AnswerCode::ReadOnly => Code::ReadOnly,
            AnswerCode::ReadWrite => Code::ReadWrite,
            AnswerCode::TryCreate => Code::TryCreate,
            AnswerCode::HighestModSeq(modseq) => Code::HighestModSeq(*modseq),
            AnswerCode::MailboxId(id) => Code::MailboxId(id),
            AnswerCode::Modified(set) => Code::Modified(set),
            AnswerCode::AppendUid(uid_validity, uids) => {
                Code::AppendUid { uid_validity: *uid_validity, uids }
            }
            AnswerCode::CopyUid(uid_validity, source, target) => {
                Code::CopyUid { uid_validity: *uid_validity, source, target }
            }
            AnswerCode::Capability(words) => Code::Capability(words),
            AnswerCode::CompressionActive => Code::CompressionActive,
            AnswerCode::BadEvent => Code::BadEvent(super::notify::EVENTS),
            AnswerCode::NotificationOverflow => Code::NotificationOverflow,
        })
    }
}

/// What a client is told of a refusal (RFC 5530); what failed inside is for the log.
impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Answer {
        match refusal {
            Refusal::Nonexistent => Answer::no(PlainCode::Nonexistent, "no such mailbox"),
            Refusal::AlreadyExists => Answer::no(PlainCode::AlreadyExists, "it exists already"),
            Refusal::Cannot(why) => Answer::no(PlainCode::Cannot, why),
            Refusal::UseAttr => Answer::no(PlainCode::UseAttr, "that special use cannot be given"),
            Refusal::OverQuota => Answer::no(PlainCode::OverQuota, "there is no room for it"),
            Refusal::TooBig => Answer::no(PlainCode::TooBig, "the message is too large"),
            Refusal::InUse => Answer::no(PlainCode::Unavailable, "somebody else has it"),
            Refusal::Limit => Answer::no(PlainCode::Limit, "too many of them"),
            Refusal::Failed(_) => Answer::no(PlainCode::ServerBug, "the store failed; try again later"),
        }
    }
}

/// A command's outcome: an answer either way, so that `?` ends it.
pub(super) type Outcome = Result<Answer, Answer>;
