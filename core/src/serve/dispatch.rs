//! Which command may come when, and who carries it out (RFC 9051 §3, §6).

use super::answer::{Answer, AnswerCode, Outcome};
use super::backend::{Backend, Users};
use super::offered::auth_word;
use super::session::{Session, User, Wait};
use crate::imap::response::PlainCode;
use crate::imap::server::command::Command;
use crate::imap::server::response::{Response, StatusKind};

/// What may be told of others' changes when a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tell {
    Nothing,
    /// No expunges: the command's sequence numbers are still in use (RFC 9051 §7.5.1).
    NotExpunges,
    Everything,
    /// Everything, whatever the client wants to be told by NOTIFY: it is what the command has done.
    Done,
}

impl<U: Users> Session<U> {
    /// A line that is no command.
    pub(super) fn line(&mut self, line: &[u8]) {
        match std::mem::replace(&mut self.wait, Wait::Nothing) {
            Wait::Sasl { tag, exchange } => self.sasl_line(tag, *exchange, line),
            Wait::Idle { tag } if line.eq_ignore_ascii_case(b"DONE") => {
                self.finish(&tag, Tell::Everything, Ok(Answer::ok("that was all")));
            }
            Wait::Idle { tag } => self.answer(&tag, &Answer::bad("DONE ends IDLE")),
            other => self.wait = other,
        }
    }

    /// A whole command.
    pub(super) fn command(&mut self, tag: &str, mut command: Command) {
        match &command {
            refused if !self.options.allows(refused) => {
                self.uploading = None;
                self.answer(tag, &Answer::bad("that is not offered"));
            }
            Command::Capability => {
                let words = self.capabilities();
                self.put(&Response::Capability(&words));
                self.finish(tag, Tell::Everything, Ok(Answer::ok("that is all")));
            }
            Command::Noop | Command::Check => self.finish(tag, Tell::Everything, Ok(Answer::ok("done"))),
            Command::Logout => {
                self.status(None, StatusKind::Bye, None, "good bye");
                self.answer(tag, &Answer::ok("done"));
                self.close();
            }
            Command::Id(_) => {
                let version = env!("CARGO_PKG_VERSION");
                self.put(&Response::Id(&[("name", "Mailkeep"), ("version", version)]));
                self.finish(tag, Tell::Nothing, Ok(Answer::ok("done")));
            }
            Command::StartTls => {
                let outcome = self.start_tls();
                self.finish(tag, Tell::Nothing, outcome);
            }
            Command::Login { .. } | Command::Authenticate { .. } if self.user.is_some() => {
                self.answer(tag, &Answer::bad("somebody is signed in already"));
            }
            Command::Login { user, password } => self.login(tag, user, password),
            Command::Authenticate { mechanism, initial } => {
                self.authenticate(tag, mechanism, initial.as_deref());
            }
            _ if self.user.is_none() => self.answer(tag, &Answer::bad("sign in first")),
            Command::Idle => {
                self.put(&Response::Continue("idling"));
                self.tell_changes(true, 0, false);
                if !self.closed {
                    self.tell_others();
                    self.wait = Wait::Idle { tag: tag.to_owned() };
                }
            }
            Command::Compress(algorithm) => self.compress(tag, algorithm),
            Command::Fetch { .. } => self.fetch(tag, &command),
            Command::Store { uid, .. } => {
                let tell = numbered(*uid);
                let (outcome, own) = self.store(&command);
                self.finish_own(tag, tell, outcome, own);
            }
            Command::Search { uid, .. } | Command::Sort { uid, .. } | Command::Thread { uid, .. } => {
                let tell = numbered(*uid);
                let outcome = self.find(tag, &command);
                self.finish(tag, tell, outcome);
            }
            Command::Select { .. } => {
                let outcome = self.select(&command);
                self.finish(tag, Tell::Nothing, outcome);
            }
            Command::Close | Command::Unselect => {
                let outcome = self.unselect(matches!(command, Command::Close));
                self.finish(tag, Tell::Nothing, outcome);
            }
            _ => {
                let outcome = self.signed_in_command(&command);
                let tell = match &command {
                    Command::Expunge | Command::UidExpunge(_) | Command::Move { .. } => Tell::Done,
                    // RFC 5465 §3.1: what had gathered is told, whatever is wanted from then on.
                    Command::Notify(Some(_)) if outcome.is_ok() => Tell::Done,
                    _ => Tell::Everything,
                };
                self.finish(tag, tell, outcome);
            }
        }
        command.wipe();
    }

    fn signed_in_command(&mut self, command: &Command) -> Outcome {
        match command {
            Command::Enable(words) => self.enable(words),
            Command::Namespace => {
                let delimiter = self.backend()?.delimiter();
                self.put(&Response::Namespace {
                    personal: Some(("", Some(delimiter))),
                    other_users: None,
                    shared: None,
                });
                Ok(Answer::ok("done"))
            }
            Command::List(list) => self.list(list),
            Command::Lsub { reference, pattern } => self.lsub(reference, pattern),
            Command::Status { mailbox, items } => self.mailbox_status(mailbox, items),
            Command::Create { mailbox, special_use } => self.create(mailbox, special_use),
            Command::Delete(mailbox) => self.delete(mailbox),
            Command::Rename { from, to } => self.rename(from, to),
            Command::Subscribe(mailbox) => self.subscribe(mailbox, true),
            Command::Unsubscribe(mailbox) => self.subscribe(mailbox, false),
            Command::Copy { uid, set, mailbox } => self.copy(*uid, set, mailbox, false),
            Command::Move { uid, set, mailbox } => self.copy(*uid, set, mailbox, true),
            Command::Expunge => self.expunge(None),
            Command::UidExpunge(set) => self.expunge(Some(set)),
            Command::Append { .. } | Command::Replace { .. } => self.append(command),
            Command::Notify(notify) => self.notify(notify.as_ref()),
            Command::GetQuota(root) => self.get_quota(root),
            Command::GetQuotaRoot(mailbox) => self.get_quota_root(mailbox),
            Command::SetQuota { .. } => Err(Answer::no(PlainCode::NoPerm, "quotas are not yours to set")),
            _ => Err(Answer::bad("that command is not offered")),
        }
    }

    /// Tells what may be told of others' changes, then answers.
    pub(super) fn finish(&mut self, tag: &str, tell: Tell, outcome: Outcome) {
        self.finish_own(tag, tell, outcome, 0);
    }

    /// The same, where changes with the mod-sequence `own` have been told already.
    pub(super) fn finish_own(&mut self, tag: &str, tell: Tell, outcome: Outcome, own: u64) {
        if tell != Tell::Nothing {
            self.tell_changes(tell != Tell::NotExpunges, own, tell == Tell::Done);
            if !self.closed {
                self.tell_others();
            }
        }
        if self.closed {
            return;
        }
        let (Ok(answer) | Err(answer)) = outcome;
        self.answer(tag, &answer);
        if tell == Tell::NotExpunges {
            // A client that wants expunges at once has them as soon as the numbers are free.
            self.tell_news();
        }
    }

    pub(super) fn user(&self) -> Result<&User<U::Backend>, Answer> {
        self.user.as_ref().ok_or_else(|| Answer::bad("sign in first"))
    }

    pub(super) fn user_mut(&mut self) -> Result<&mut User<U::Backend>, Answer> {
        self.user.as_mut().ok_or_else(|| Answer::bad("sign in first"))
    }

    pub(super) fn backend(&self) -> Result<&U::Backend, Answer> {
        self.user().map(|user| &user.backend)
    }

    /// What is offered now (RFC 9051 §7.2.2).
    pub(super) fn capabilities(&self) -> Vec<&'static str> {
        let mut words = vec!["IMAP4rev1", "IMAP4rev2", "LITERAL+", "SASL-IR", "ID", "ENABLE"];
        if self.user.is_none() {
            if self.options.offers_tls && !self.options.secure {
                words.push("STARTTLS");
            }
            if !self.options.secure && !self.options.allow_insecure {
                words.push("LOGINDISABLED");
            }
            words.extend(self.mechanisms().into_iter().map(auth_word));
            words.retain(|word| self.options.offers(word));
            return words;
        }
        words.extend_from_slice(&[
            "NAMESPACE",
            "CHILDREN",
            "IDLE",
            "UIDPLUS",
            "MOVE",
            "UNSELECT",
            "CONDSTORE",
            "QRESYNC",
            "ESEARCH",
            "SEARCHRES",
            "WITHIN",
            "SORT",
            "SORT=DISPLAY",
            "THREAD=ORDEREDSUBJECT",
            "THREAD=REFERENCES",
            "LIST-EXTENDED",
            "LIST-STATUS",
            "SPECIAL-USE",
            "CREATE-SPECIAL-USE",
            "STATUS=SIZE",
            "OBJECTID",
            "BINARY",
            "MULTIAPPEND",
            "APPENDLIMIT",
            "REPLACE",
            "QUOTA",
            "QUOTA=RES-STORAGE",
            "QUOTA=RES-MESSAGE",
            "UTF8=ACCEPT",
            "PREVIEW",
            "SAVEDATE",
            "PARTIAL",
            "NOTIFY",
        ]);
        if !self.is_compressed() {
            words.push("COMPRESS=DEFLATE");
        }
        words.retain(|word| self.options.offers(word));
        words
    }

    /// ENABLE (RFC 5161): what is not known is passed over.
    fn enable(&mut self, words: &[String]) -> Outcome {
        let mut words = words.to_vec();
        words.retain(|word| self.options.offers(if word == "IMAP4REV2" { "IMAP4rev2" } else { word }));
        if words.iter().any(|word| matches!(word.as_str(), "CONDSTORE" | "QRESYNC")) {
            self.enable_condstore()?;
        }
        let user = self.user_mut()?;
        let mut enabled = Vec::new();
        for word in &words {
            let (name, flag) = match word.as_str() {
                "CONDSTORE" => ("CONDSTORE", &mut user.enabled.condstore),
                "QRESYNC" => ("QRESYNC", &mut user.enabled.qresync),
                "UTF8=ACCEPT" => ("UTF8=ACCEPT", &mut user.enabled.utf8),
                "IMAP4REV2" => ("IMAP4rev2", &mut user.enabled.rev2),
                _ => continue,
            };
            *flag = true;
            enabled.push(name);
        }
        user.enabled.condstore |= user.enabled.qresync;
        self.put(&Response::Enabled(&enabled));
        Ok(Answer::ok("done"))
    }

    fn compress(&mut self, tag: &str, algorithm: &str) {
        if algorithm != "DEFLATE" {
            return self.answer(tag, &Answer::bad("only DEFLATE is offered"));
        }
        if self.is_compressed() {
            let no = Answer { kind: StatusKind::No, ..Answer::ok("it is compressed already") };
            return self.answer(tag, &no.with(AnswerCode::CompressionActive));
        }
        self.answer(tag, &Answer::ok("compressed from here on"));
        self.start_compression();
    }

    fn get_quota(&mut self, root: &[u8]) -> Outcome {
        let resources = self.backend()?.quota()?;
        if !root.is_empty() || resources.is_empty() {
            return Err(Answer::no(PlainCode::Nonexistent, "no such quota root"));
        }
        self.put(&Response::Quota { root: "", resources: &resources });
        Ok(Answer::ok("done"))
    }

    fn get_quota_root(&mut self, mailbox: &[u8]) -> Outcome {
        let (name, _) = self.find_mailbox(mailbox)?;
        let resources = self.backend()?.quota()?;
        let roots: &[&str] = if resources.is_empty() { &[] } else { &[""] };
        self.put(&Response::QuotaRoot { mailbox: &name, roots });
        if !resources.is_empty() {
            self.put(&Response::Quota { root: "", resources: &resources });
        }
        Ok(Answer::ok("done"))
    }
}

fn numbered(uid: bool) -> Tell {
    if uid { Tell::Everything } else { Tell::NotExpunges }
}
