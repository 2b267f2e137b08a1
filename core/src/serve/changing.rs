//! STORE, COPY, MOVE and EXPUNGE (RFC 9051 §6.4, RFC 4315, RFC 6851, RFC 7162).

use super::answer::{Answer, AnswerCode, Outcome};
use super::backend::{Backend, FlagChange, Users};
use super::selected::{PAGE, flags_value};
use super::session::Session;
use crate::imap::command::NumberSet;
use crate::imap::response::{PlainCode, StatusKind};
use crate::imap::server::command::Command;
use crate::imap::server::response::{FetchValue, FetchWriter};
use crate::set::UidSet;

impl<U: Users> Session<U> {
    /// STORE; with the answer, the mod-sequence of changes that the client has been told of.
    pub(super) fn store(&mut self, command: &Command) -> (Outcome, u64) {
        match self.try_store(command) {
            Ok((answer, own)) => (Ok(answer), own),
            Err(answer) => (Err(answer), 0),
        }
    }

    fn try_store(&mut self, command: &Command) -> Result<(Answer, u64), Answer> {
        let Command::Store { uid, set, action, silent, flags, unchanged_since } = command else {
            return Err(Answer::bad("STORE"));
        };
        if unchanged_since.is_some() {
            self.enable_condstore()?;
        }
        let selected = self.writable()?;
        let mailbox = selected.id;
        let named = selected.named(*uid, set)?;
        if flags.keywords().len() > self.options.limits.keywords {
            return Err(Answer::no(PlainCode::Limit, "too many keywords"));
        }
        let uids: UidSet = named.iter().copied().collect();
        let change = FlagChange { action: *action, flags, unchanged_since: *unchanged_since };
        let stored = self.backend()?.store(mailbox, &uids, &change)?;
        let told = uids.difference(&stored.modified);
        let condstore = self.user()?.enabled.condstore;
        let mut missing = false;
        if !*silent || condstore {
            missing = self.tell_stored(*uid, &told, *silent, stored.modseq)?;
        }
        if !stored.modified.is_empty() {
            let selected = self.selected()?;
            let modified: UidSet = match *uid {
                true => stored.modified,
                false => stored.modified.iter().filter_map(|uid| selected.seq(uid)).collect(),
            };
            let answer = Answer::ok("some had changed").with(AnswerCode::Modified(modified));
            return Ok((answer, stored.modseq));
        }
        if missing {
            return Ok((Answer::some_are_gone(), stored.modseq));
        }
        Ok((Answer::ok("done"), stored.modseq))
    }

    /// The new flags of messages, or with `.SILENT` their mod-sequences alone (RFC 7162 §3.1.3). Whether some
    /// were not there any more.
    fn tell_stored(&mut self, uid: bool, told: &UidSet, silent: bool, own: u64) -> Result<bool, Answer> {
        let mailbox = self.selected()?.id;
        let enabled = self.user()?.enabled;
        let (mut missing, mut left) = (false, told.clone());
        while let Some(next) = left.min() {
            let most = left.len().min(PAGE as u64) as usize;
            let rows = self.backend()?.rows(mailbox, next, most)?;
            let reached =
                if rows.len() < most { u32::MAX } else { rows.last().map_or(u32::MAX, |row| row.uid) };
            let here: UidSet = rows.iter().map(|row| row.uid).collect();
            let page = left.intersection(&UidSet::from_range(1, reached));
            missing |= !page.difference(&here).is_empty();
            left.remove_range(1, reached);
            for row in rows.iter().filter(|row| page.contains(row.uid)) {
                if silent && row.modseq != own {
                    continue;
                }
                let Some(seq) = self.selected()?.seq(row.uid) else { continue };
                let recent = self.selected()?.recent.contains(row.uid);
                if !silent {
                    self.tell_keywords(row);
                }
                let mut fetch = FetchWriter::begin(seq, self.style(), &mut self.out);
                if uid || enabled.qresync {
                    fetch.put(&FetchValue::Uid(row.uid), &mut self.out);
                }
                if enabled.condstore {
                    fetch.put(&FetchValue::ModSeq(row.modseq), &mut self.out);
                }
                if !silent {
                    fetch.put(&flags_value(row, recent), &mut self.out);
                }
                fetch.end(&mut self.out);
            }
        }
        Ok(missing)
    }

    pub(super) fn copy(&mut self, uid: bool, set: &NumberSet, mailbox: &[u8], remove: bool) -> Outcome {
        let selected = if remove { self.writable()? } else { self.selected()? };
        let from = selected.id;
        let named = selected.named(uid, set)?;
        let to = self.find_target(mailbox)?;
        let uids: UidSet = named.into_iter().collect();
        if uids.is_empty() {
            return Ok(Answer::ok("there was nothing to do"));
        }
        let copied = self.backend()?.copy(from, &uids, to, remove)?;
        if copied.source.is_empty() {
            return Ok(Answer::some_are_gone());
        }
        self.note_own(to, &copied.target);
        let code = match self.options.offers("UIDPLUS") {
            true => AnswerCode::CopyUid(copied.uid_validity, copied.source, copied.target),
            false => AnswerCode::None,
        };
        if remove {
            // RFC 6851 §4.3: the code comes before the expunges, and so not with the answer.
            let answer = Answer::ok("moved").with(code);
            self.status(None, StatusKind::Ok, answer.code.as_code(), &answer.text);
            return Ok(Answer::ok("done"));
        }
        Ok(Answer::ok("done").with(code))
    }

    pub(super) fn expunge(&mut self, set: Option<&NumberSet>) -> Outcome {
        let selected = self.writable()?;
        let mailbox = selected.id;
        let uids = match set {
            Some(set) => Some(selected.named(true, set)?.into_iter().collect::<UidSet>()),
            None => None,
        };
        self.backend()?.expunge(mailbox, uids.as_ref())?;
        // The answer tells the mod-sequence that the expunges were done with (RFC 7162 §3.2.7).
        let modseq = self.backend()?.status(mailbox)?.highest_modseq;
        let answer = Answer::ok("done");
        let qresync = self.user()?.enabled.qresync;
        Ok(if qresync { answer.with(AnswerCode::HighestModSeq(modseq)) } else { answer })
    }
}
