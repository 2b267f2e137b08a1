//! The selected mailbox: what the client has been told of it, and how it is told more (RFC 9051 §6.3.2, §7.5;
//! RFC 7162).

use super::answer::{Answer, AnswerCode, Outcome};
use super::backend::{Backend, Changes, Refusal, Row, Users};
use super::session::{Session, SessionEvent};
use crate::flags::{FlagSet, Flags};
use crate::ids::MailboxId;
use crate::imap::command::{NumberSet, Resync};
use crate::imap::server::command::Command;
use crate::imap::server::response::{Code, FetchValue, FetchWriter, ListEntry, Response, StatusKind};
use crate::imap::server::search::resolve;
use crate::set::UidSet;

/// Rows asked for at a time.
pub(super) const PAGE: usize = 1_000;

/// What the client has been told of the mailbox that it has open.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) id: MailboxId,
    pub(super) read_only: bool,
    /// The UID of each sequence number, ascending.
    pub(super) uids: Vec<u32>,
    /// Changes up to here have been told, but for expunges in `gone`.
    pub(super) modseq: u64,
    /// Changes of flags up to here: behind `modseq` where the client did not want them (RFC 5465).
    flags_told: u64,
    /// New messages that the client put there itself and has not been told of.
    own: UidSet,
    /// Messages that went and that the client still counts.
    pub(super) gone: UidSet,
    /// What the last SEARCH saved (RFC 5182).
    pub(super) saved: UidSet,
    /// Messages that this session was the first to be told of (RFC 3501 §2.3.2).
    pub(super) recent: UidSet,
    /// Flags and keywords that the client knows of.
    flags: FlagSet,
    /// The backend's revision at the last look.
    revision: Option<u64>,
}

impl Selected {
    /// The sequence number of a UID.
    pub(super) fn seq(&self, uid: u32) -> Option<u32> {
        self.uids.binary_search(&uid).ok().map(|at| at as u32 + 1)
    }

    /// The UIDs that a command names, by sequence numbers or by UIDs, among those the client counts.
    ///
    /// # Errors
    /// A sequence number beyond what there is: the client is out of step (RFC 9051 §6.4.5 asks for BAD).
    pub(super) fn named(&self, uid: bool, set: &NumberSet) -> Result<Vec<u32>, Answer> {
        let last_uid = self.uids.last().copied().unwrap_or(0);
        if uid || *set == NumberSet::Saved {
            let set = resolve(set, last_uid, &self.saved);
            return Ok(self.within(&set));
        }
        let count = self.uids.len() as u32;
        let set = resolve(set, count, &self.saved);
        if set.max().is_some_and(|max| max > count) || set.is_empty() {
            return Err(Answer::bad("there is no message with that number"));
        }
        Ok(set.iter().map(|seq| self.uids[seq as usize - 1]).collect())
    }

    /// The members of a set that the client counts; by ranges, since a set may name anything.
    pub(super) fn within(&self, set: &UidSet) -> Vec<u32> {
        let mut found = Vec::new();
        for (low, high) in set.ranges() {
            let start = self.uids.partition_point(|uid| *uid < low);
            let end = self.uids.partition_point(|uid| *uid <= high);
            found.extend_from_slice(&self.uids[start..end]);
        }
        found
    }
}

impl<U: Users> Session<U> {
    pub(super) fn selected(&self) -> Result<&Selected, Answer> {
        self.user()?.selected.as_ref().ok_or_else(|| Answer::bad("select a mailbox first"))
    }

    /// The selected mailbox, if its mail may be changed.
    pub(super) fn writable(&self) -> Result<&Selected, Answer> {
        let selected = self.selected()?;
        if selected.read_only {
            return Err(Answer::no(
                crate::imap::response::PlainCode::Cannot,
                "the mailbox is open read-only",
            ));
        }
        Ok(selected)
    }

    pub(super) fn select(&mut self, command: &Command) -> Outcome {
        let Command::Select { mailbox, read_only, resync } = command else {
            return Err(Answer::bad("SELECT"));
        };
        // Whatever comes of it, nothing is selected any more (RFC 9051 §6.3.2).
        let had_one = self.user_mut()?.selected.take().is_some();
        let found = self.find_mailbox(mailbox);
        if had_one {
            self.status(None, StatusKind::Ok, Some(Code::Closed), "the previous mailbox is closed");
        }
        let (name, id) = found?;
        let enabled = &mut self.user_mut()?.enabled;
        match resync {
            Resync::None => {}
            Resync::Condstore => enabled.condstore = true,
            Resync::Qresync { .. } if enabled.qresync => {}
            Resync::Qresync { .. } => return Err(Answer::bad("enable QRESYNC first")),
        }
        let rev2 = enabled.rev2;
        let status = self.backend()?.status(id)?;
        // What changes from here on is found by its mod-sequence.
        let (mut uids, mut first_unseen) = (Vec::new(), None);
        loop {
            let from = uids.last().map_or(1, |last: &u32| last.saturating_add(1));
            let rows = self.backend()?.rows(id, from, PAGE)?;
            let page = rows.len();
            for row in rows {
                uids.push(row.uid);
                if first_unseen.is_none() && !row.flags.flags.contains(Flags::SEEN) {
                    first_unseen = Some(uids.len() as u32);
                }
            }
            if page < PAGE {
                break;
            }
        }
        // IMAP4rev2 has no `\Recent`, and a client that speaks it claims nothing.
        let mut recent = UidSet::new();
        if !rev2 {
            let first = self.backend()?.recent(id, !*read_only)?;
            recent.extend(uids.iter().copied().filter(|uid| *uid >= first));
        }
        let mut flags = status.flags.clone();
        flags.flags = Flags::NAMED.iter().fold(Flags::NONE, |all, (flag, _)| all.union(*flag));
        self.put(&Response::Flags(&flags));
        self.put(&Response::Exists(uids.len() as u32));
        let ok = |session: &mut Self, code: Code<'_>, text: &str| {
            session.status(None, StatusKind::Ok, Some(code), text);
        };
        if !rev2 {
            self.put(&Response::Recent(recent.len() as u32));
            if let Some(seq) = first_unseen {
                ok(self, Code::Unseen(seq), "the first that is not seen");
            }
        }
        let none = FlagSet::default();
        let permanent = if *read_only { &none } else { &flags };
        ok(self, Code::PermanentFlags { flags: permanent, keywords: !read_only }, "flags that stay");
        ok(self, Code::UidValidity(status.uid_validity), "UIDs are valid");
        ok(self, Code::UidNext(status.uid_next), "the next UID");
        if self.options.offers("CONDSTORE") {
            ok(self, Code::HighestModSeq(status.highest_modseq), "the highest mod-sequence");
        }
        if self.options.offers("OBJECTID") {
            ok(self, Code::MailboxId(&status.object_id), "the mailbox's id");
        }
        if rev2 {
            let delimiter = Some(self.backend()?.delimiter());
            let entry =
                ListEntry { attributes: &[], delimiter, mailbox: &name, child_info: &[], old_name: None };
            self.put(&Response::List(entry));
        }
        let selected = Selected {
            id,
            read_only: *read_only,
            uids,
            modseq: status.highest_modseq,
            flags_told: status.highest_modseq,
            own: UidSet::new(),
            gone: UidSet::new(),
            saved: UidSet::new(),
            recent,
            flags,
            revision: None,
        };
        self.user_mut()?.selected = Some(selected);
        if let Resync::Qresync { uid_validity, modseq, known } = resync
            && *uid_validity == status.uid_validity
        {
            self.resync(*modseq, known, status.uid_next)?;
        }
        let code = if *read_only { AnswerCode::ReadOnly } else { AnswerCode::ReadWrite };
        Ok(Answer::ok("it is open").with(code))
    }

    /// What happened since the client was last here (RFC 7162 §3.2.5).
    fn resync(&mut self, modseq: u64, known: &UidSet, uid_next: u32) -> Result<(), Answer> {
        let selected = self.selected()?;
        let changes = self.backend()?.changes(selected.id, modseq)?;
        let mut vanished = self.vanished(&changes, known, uid_next)?;
        let asked = |uid: u32| known.is_empty() || known.contains(uid);
        if !known.is_empty() {
            vanished = vanished.intersection(known);
        }
        if !vanished.is_empty() {
            self.put(&Response::Vanished { earlier: true, uids: &vanished });
        }
        for row in changes.rows.iter().filter(|row| asked(row.uid)) {
            self.put_changed(row);
        }
        Ok(())
    }

    /// UIDs that went since a mod-sequence. Where that is not remembered, all that could have been and are
    /// not here.
    pub(super) fn vanished(
        &self,
        changes: &Changes,
        known: &UidSet,
        uid_next: u32,
    ) -> Result<UidSet, Answer> {
        if changes.complete {
            return Ok(changes.expunged.clone());
        }
        let possible = match known.is_empty() {
            true => UidSet::from_range(1, uid_next.saturating_sub(1)),
            false => known.clone(),
        };
        let here: UidSet = self.selected()?.uids.iter().copied().collect();
        Ok(possible.difference(&here))
    }

    pub(super) fn unselect(&mut self, expunge: bool) -> Outcome {
        let selected = self.selected()?;
        let (id, read_only) = (selected.id, selected.read_only);
        if expunge && !read_only {
            self.backend()?.expunge(id, None)?;
        }
        let modseq = self.backend()?.status(id).map(|status| status.highest_modseq);
        let user = self.user_mut()?;
        user.selected = None;
        let answer = Answer::ok("it is closed");
        Ok(match modseq {
            Ok(modseq) if user.enabled.qresync && expunge => answer.with(AnswerCode::HighestModSeq(modseq)),
            _ => answer,
        })
    }

    /// The client has put messages into a mailbox itself.
    pub(super) fn note_own(&mut self, mailbox: MailboxId, uids: &UidSet) {
        let Some(selected) = self.user.as_mut().and_then(|user| user.selected.as_mut()) else { return };
        if selected.id == mailbox {
            selected.own = selected.own.union(uids);
        }
    }

    /// Tells the client what changed in the selected mailbox since it was last told, as far as it wants to know; `forced`, all of
    /// it. Changes of flags with the mod-sequence `own` it knows already.
    pub(super) fn tell_changes(&mut self, expunges: bool, own: u64, forced: bool) {
        match self.try_tell_changes(expunges, own, forced) {
            Ok(()) => {}
            // Its mailbox is gone, and there is no way to say so but this (RFC 2180 §3.3).
            Err(Refusal::Nonexistent) => self.bye(None, "the mailbox was deleted"),
            Err(refusal) => {
                self.events.push_back(SessionEvent::Trouble { text: refusal.to_string() });
            }
        }
    }

    fn try_tell_changes(&mut self, expunges: bool, own: u64, forced: bool) -> Result<(), Refusal> {
        let Some(user) = &mut self.user else { return Ok(()) };
        let Some(selected) = &mut user.selected else { return Ok(()) };
        let mut wanted = user.wanted.of_selected();
        wanted.messages |= forced;
        wanted.flags |= forced;
        if !wanted.messages {
            return Ok(());
        }
        let revision = user.backend.revision();
        let quiet =
            selected.revision == Some(revision) && (!wanted.flags || selected.flags_told == selected.modseq);
        if quiet && (!expunges || selected.gone.is_empty()) {
            return Ok(());
        }
        let since = if wanted.flags { selected.flags_told } else { selected.modseq };
        let changes = match quiet {
            true => Changes { modseq: selected.modseq, complete: true, ..Changes::default() },
            false => user.backend.changes(selected.id, since)?,
        };
        if changes.complete {
            selected.gone = selected.gone.union(&changes.expunged);
        } else {
            let here = all_uids(&user.backend, selected.id)?;
            selected.gone.extend(selected.uids.iter().copied().filter(|uid| !here.contains(*uid)));
        }
        selected.modseq = changes.modseq.max(selected.modseq);
        selected.revision = Some(revision);
        if wanted.flags {
            selected.flags_told = selected.modseq;
        }
        let qresync = user.enabled.qresync;
        if expunges {
            self.tell_expunges(qresync);
        }
        let Some(selected) = self.user.as_mut().and_then(|user| user.selected.as_mut()) else {
            return Ok(());
        };
        let last = selected.uids.last().copied().unwrap_or(0);
        let new: Vec<u32> = changes.rows.iter().map(|row| row.uid).filter(|uid| *uid > last).collect();
        let before = selected.uids.len();
        selected.uids.extend_from_slice(&new);
        let (mailbox, count) = (selected.id, selected.uids.len());
        let put_here = std::mem::take(&mut selected.own);
        if wanted.flags {
            for row in changes.rows.iter().filter(|row| row.uid <= last && row.modseq != own) {
                self.put_changed(row);
            }
        }
        if count > before {
            self.put(&Response::Exists(count as u32));
            self.tell_recent(before)?;
        }
        // RFC 5465 §5.2: what came by this client's own doing it knows.
        let unknown: Vec<u32> = new.into_iter().filter(|uid| !put_here.contains(*uid)).collect();
        if !wanted.items.is_empty() && !unknown.is_empty() {
            self.fetch_unasked(mailbox, wanted.items, unknown);
        }
        Ok(())
    }

    /// Takes what went out of the client's count.
    fn tell_expunges(&mut self, qresync: bool) {
        let Some(selected) = self.user.as_mut().and_then(|user| user.selected.as_mut()) else { return };
        let gone = std::mem::take(&mut selected.gone);
        let going = selected.within(&gone);
        if going.is_empty() {
            return;
        }
        // From the last on, so that the numbers of the others stay what they are.
        let seqs: Vec<u32> = going.iter().rev().filter_map(|uid| selected.seq(*uid)).collect();
        let set: UidSet = going.into_iter().collect();
        selected.uids.retain(|uid| !set.contains(*uid));
        selected.saved = selected.saved.difference(&set);
        selected.recent = selected.recent.difference(&set);
        if qresync {
            self.put(&Response::Vanished { earlier: false, uids: &set });
        } else {
            seqs.into_iter().for_each(|seq| self.put(&Response::Expunge(seq)));
        }
    }

    /// Which of the new messages nobody was told of before.
    fn tell_recent(&mut self, before: usize) -> Result<(), Refusal> {
        let Some(user) = self.user.as_mut().filter(|user| !user.enabled.rev2) else { return Ok(()) };
        let Some(selected) = &mut user.selected else { return Ok(()) };
        let first = user.backend.recent(selected.id, !selected.read_only)?;
        selected.recent.extend(selected.uids[before..].iter().copied().filter(|uid| *uid >= first));
        let recent = selected.recent.len() as u32;
        self.put(&Response::Recent(recent));
        Ok(())
    }

    /// A client that asks for mod-sequences wants them from now on, and is told where it stands (RFC 7162 §3.1).
    pub(super) fn enable_condstore(&mut self) -> Result<(), Answer> {
        let user = self.user_mut()?;
        if !std::mem::replace(&mut user.enabled.condstore, true)
            && let Some(selected) = &user.selected
        {
            let modseq = selected.modseq;
            let text = "the highest mod-sequence";
            self.status(None, StatusKind::Ok, Some(Code::HighestModSeq(modseq)), text);
        }
        Ok(())
    }

    /// Before a keyword that the client has not met, FLAGS says that there is one (RFC 9051 §7.3.5).
    pub(super) fn tell_keywords(&mut self, row: &Row) {
        let Some(selected) = self.user.as_mut().and_then(|user| user.selected.as_mut()) else { return };
        let known = selected.flags.keywords().len();
        for word in row.flags.keywords() {
            selected.flags.insert_wire(word.as_bytes());
        }
        if selected.flags.keywords().len() > known {
            let (flags, read_only) = (selected.flags.clone(), selected.read_only);
            self.put(&Response::Flags(&flags));
            if !read_only {
                let code = Code::PermanentFlags { flags: &flags, keywords: true };
                self.status(None, StatusKind::Ok, Some(code), "flags that stay");
            }
        }
    }

    /// An unasked FETCH with the flags of a message.
    pub(super) fn put_changed(&mut self, row: &Row) {
        self.tell_keywords(row);
        let Some(user) = &self.user else { return };
        let Some(seq) = user.selected.as_ref().and_then(|selected| selected.seq(row.uid)) else { return };
        let (enabled, asked) = (user.enabled, user.wanted.is_asked());
        let recent = user.selected.as_ref().is_some_and(|selected| selected.recent.contains(row.uid));
        let mut fetch = FetchWriter::begin(seq, self.style(), &mut self.out);
        // RFC 7162 §3.2.6: with QRESYNC the UID is always told; so it is by RFC 5465 §5.1.
        if enabled.qresync || asked {
            fetch.put(&FetchValue::Uid(row.uid), &mut self.out);
        }
        if enabled.condstore {
            fetch.put(&FetchValue::ModSeq(row.modseq), &mut self.out);
        }
        fetch.put(&flags_value(row, recent), &mut self.out);
        fetch.end(&mut self.out);
    }
}

/// A message's flags as this session sees them.
pub(super) fn flags_value(row: &Row, recent: bool) -> FetchValue<'_> {
    if recent { FetchValue::RecentFlags(&row.flags) } else { FetchValue::Flags(&row.flags) }
}

fn all_uids<B: Backend>(backend: &B, id: MailboxId) -> Result<UidSet, Refusal> {
    let mut all = UidSet::new();
    loop {
        let from = all.max().map_or(1, |last| last.saturating_add(1));
        let rows = backend.rows(id, from, PAGE)?;
        let page = rows.len();
        all.extend(rows.into_iter().map(|row| row.uid));
        if page < PAGE {
            return Ok(all);
        }
    }
}
