//! A sync pass: the list of mailboxes, then each mailbox that may have changed.

use std::collections::VecDeque;

use crate::error::{Error, Result};
use crate::event::Event;
use crate::ids::{MailboxId, RequestId};
use crate::imap::command::Command;
use crate::model::{BodyPolicy, MailboxKind, Role};
use crate::options::SyncScope;
use crate::store::batch::{Op, ReplayFact};
use crate::store::plan::is_idle;
use crate::store::query;
use crate::store::records::MailboxRecord;
use crate::sync::{Driver, Next, Purpose};

/// How long what went from the server may still be recognised elsewhere.
const GRACE_MS: i64 = 24 * 3_600_000;

/// A pass under way.
#[derive(Debug)]
pub(crate) struct Pass {
    pub(crate) request: RequestId,
    pub(crate) scope: SyncScope,
    pub(crate) phase: Phase,
    pub(crate) queue: VecDeque<MailboxId>,
    /// The list is here.
    pub(crate) listed: bool,
    /// The extended LIST was refused.
    pub(crate) plain_list: bool,
    pub(crate) cancelled: bool,
    /// The account has never been synced to the end: nothing here can be known again.
    pub(crate) first: bool,
    pub(crate) bodies: BodyPolicy,
    /// A mailbox could not be opened, or did not add up.
    pub(crate) troubled: bool,
    /// How often what turned up meanwhile was replayed.
    pub(crate) rounds: u32,
    /// What went long ago may be forgotten at the end.
    purges: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// INBOX is opened and its newest messages are fetched before anything else.
    FirstLook,
    /// LIST is under way.
    Listing,
    /// Mailboxes are opened one by one.
    Mailboxes,
}

impl Driver {
    pub(super) fn start_pass(&mut self, request: RequestId, scope: SyncScope) -> Result<()> {
        let record = query::account(&self.store.read()?.tables, self.account)?;
        self.settings = record.settings;
        let bodies = scope.bodies().unwrap_or(self.settings.bodies);
        let first = !record.synced_once;
        self.pass = Some(Pass {
            request,
            scope,
            phase: Phase::Listing,
            queue: VecDeque::new(),
            listed: false,
            plain_list: false,
            cancelled: false,
            first,
            bodies,
            troubled: false,
            rounds: 0,
            purges: false,
        });
        self.prepare_session()?;
        let queue = match self.scoped_mailboxes() {
            Err(error @ Error::Gone(_)) => return self.end_pass(Err(error)),
            other => other?,
        };
        if let Some(queue) = queue {
            self.pass_mut()?.queue = queue;
            self.pass_mut()?.phase = Phase::Mailboxes;
            return self.next_mailbox();
        }
        if first && let Some(inbox) = self.inbox_to_look_at()? {
            self.pass_mut()?.phase = Phase::FirstLook;
            return self.open_mailbox(inbox);
        }
        self.send_list()
    }

    /// ENABLE and ID, once a connection, where the server is known to have them.
    pub(super) fn prepare_session(&mut self) -> Result<()> {
        let known =
            if self.capabilities.is_empty() { self.login.capabilities() } else { &self.capabilities }.clone();
        if known.has("ID") && !self.id_sent {
            // Some servers refuse to open a mailbox for a client that has not named itself.
            self.id_sent = true;
            let fields = vec![
                ("name".to_owned(), "mailkeep".to_owned()),
                ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ];
            self.out.send(&Command::Id(fields), Purpose::Id)?;
        }
        let worth = self.capabilities.is_empty() || known.condstore();
        if known.has("ENABLE") && worth && !self.enable_sent && self.selected.mailbox.is_none() {
            self.enable_sent = true;
            // Servers ignore what they do not know (RFC 5161 §3.1).
            let words = vec!["CONDSTORE".to_owned(), "QRESYNC".to_owned()];
            self.out.send(&Command::Enable(words), Purpose::Enable)?;
        }
        Ok(())
    }

    pub(super) fn enable_answered(&mut self, ok: bool) {
        // iCloud says OK and never says ENABLED.
        if ok && self.enabled.is_empty() && self.capabilities.has("QRESYNC") {
            self.enabled.insert("QRESYNC".into());
            self.enabled.insert("CONDSTORE".into());
        }
    }

    fn inbox_to_look_at(&self) -> Result<Option<MailboxId>> {
        let all = query::mailboxes(&self.store.read()?.tables, self.account)?;
        let inbox = all.into_iter().find(|(_, m)| m.role == Some(Role::Inbox) && m.uid_validity == 0);
        Ok(inbox.map(|(id, _)| id))
    }

    fn scoped_mailboxes(&self) -> Result<Option<VecDeque<MailboxId>>> {
        let Some(pass) = &self.pass else { return Ok(None) };
        let Some(wanted) = pass.scope.mailboxes() else { return Ok(None) };
        let tables = self.store.read()?.tables;
        for id in wanted {
            if query::mailbox(&tables, *id)?.account != self.account {
                return Err(Error::Gone("mailbox"));
            }
        }
        Ok(Some(wanted.iter().copied().collect()))
    }

    pub(super) fn pass_mut(&mut self) -> Result<&mut Pass> {
        self.pass.as_mut().ok_or(Error::Misuse("no pass is under way"))
    }

    /// Chooses the mailboxes to open: those that STATUS does not prove unchanged.
    pub(super) fn plan(&mut self) -> Result<()> {
        let all = query::mailboxes(&self.store.read()?.tables, self.account)?;
        let now = self.now.wall_ms;
        let audit = self.settings.audit_interval_ms;
        let bodies = self.pass_mut()?.bodies;
        let to_look = self.mailboxes_to_look()?;
        let (mut looked, mut in_step) = (Vec::new(), Vec::new());
        let open = self.selected.mailbox.filter(|_| self.selected.open);
        let mut wanted: Vec<(MailboxId, MailboxRecord)> = all
            .into_iter()
            .filter(|(_, m)| m.kind == MailboxKind::Server && m.selectable && !m.wish.unborn)
            .filter(|(id, m)| {
                let changed = !self.is_unchanged(m, now, audit, bodies);
                if !changed {
                    in_step.push(*id);
                }
                if !changed && to_look.contains(id) {
                    looked.push(*id);
                }
                Some(*id) == open || changed
            })
            .collect();
        self.looked_at.extend(in_step);
        for mailbox in looked {
            // Nothing has come into it since the last time: what was sent there never arrived.
            self.batch.push(Op::Replay(ReplayFact::Looked(mailbox)));
        }
        // The open one first, then INBOX, then what people look at; the largest archives last.
        wanted.sort_by_key(|(id, m)| (Some(*id) != open, rank(m.role), *id));
        self.events.push_back(Event::MailboxesListed);
        let pass = self.pass_mut()?;
        pass.phase = Phase::Mailboxes;
        pass.queue = wanted.into_iter().map(|(id, _)| id).collect();
        pass.purges = !pass.queue.is_empty();
        self.next_mailbox()
    }

    fn is_unchanged(&self, record: &MailboxRecord, now: i64, audit: i64, bodies: BodyPolicy) -> bool {
        let due = record.audited_ms == 0 || now.saturating_sub(record.audited_ms) >= audit;
        let Some(settled) = record.settled else { return false };
        let Some(numbers) = self.listing.numbers(&record.wire_name).and_then(|n| n.settled()) else {
            return false;
        };
        !due && record.complete && settled == numbers && covers(record.bodies_done, bodies)
    }

    /// Goes on with the next mailbox, or finishes.
    pub(super) fn next_mailbox(&mut self) -> Result<()> {
        if let Some(done) = self.mailbox_pass.take() {
            self.leases.release(done.mailbox);
        }
        let pass = self.pass_mut()?;
        if pass.cancelled {
            let request = pass.request;
            let quiet = pass.scope.is_quiet();
            self.pass = None;
            if !quiet {
                self.events.push_back(Event::Done { request, result: Err(Error::Cancelled) });
            }
            return Ok(());
        }
        match pass.queue.pop_front() {
            Some(mailbox) => self.open_mailbox(mailbox),
            None => {
                self.keep_quotas()?;
                let pass = self.pass_mut()?;
                let whole = pass.scope.mailboxes().is_none() && !pass.troubled;
                if whole && !is_idle(&self.store.read()?.tables)? {
                    self.batch.push(Op::Replay(ReplayFact::Lost));
                }
                let pass = self.pass_mut()?;
                if std::mem::take(&mut pass.purges) {
                    let before_ms = self.now.wall_ms - GRACE_MS;
                    self.batch.push(Op::Purge { before_ms });
                }
                self.flush(Next::Finish);
                Ok(())
            }
        }
    }

    /// A replay in the middle of a sync is done: the mailboxes that it touched are looked at again.
    pub(super) fn pass_goes_on(
        &mut self,
        opened: impl IntoIterator<Item = MailboxId>,
        to_look: Vec<MailboxId>,
    ) -> Result<()> {
        let mut queue: Vec<MailboxId> = opened.into_iter().chain(to_look).collect();
        queue.sort();
        queue.dedup();
        let open = self.selected.mailbox.filter(|_| self.selected.open);
        queue.sort_by_key(|id| (Some(*id) != open, *id));
        self.pass_mut()?.queue = queue.into();
        self.next_mailbox()
    }

    pub(super) fn finish_pass(&mut self) -> Result<()> {
        if self.replay_again()? {
            return Ok(());
        }
        self.pass_is_done();
        Ok(())
    }

    fn pass_is_done(&mut self) {
        let Some(pass) = self.pass.take() else { return };
        let whole = pass.scope.mailboxes().is_none();
        if whole && pass.first && !pass.troubled {
            let account = self.account;
            let marked =
                self.store.write(self.now.wall_ms, |w| crate::store::accounts::mark_synced(w, account));
            if let Err(error) = marked {
                self.events.push_back(Event::Problem { text: error.to_string() });
            }
        }
        if !pass.scope.is_quiet() {
            let result = Ok(self.take_summary());
            self.events.push_back(Event::Done { request: pass.request, result });
        }
    }

    pub(super) fn end_pass(&mut self, result: Result<()>) -> Result<()> {
        if let Some(done) = self.mailbox_pass.take() {
            self.leases.release(done.mailbox);
        }
        let Some(pass) = self.pass.take() else { return Ok(()) };
        if pass.scope.is_quiet() {
            return Ok(());
        }
        let result = result.map(|()| self.take_summary());
        self.events.push_back(Event::Done { request: pass.request, result });
        Ok(())
    }
}

/// Whether bodies that were all brought under one policy are all that another wants.
fn covers(done: BodyPolicy, wanted: BodyPolicy) -> bool {
    match (done, wanted) {
        (BodyPolicy::All, _) | (_, BodyPolicy::None) => true,
        (BodyPolicy::Newest(done), BodyPolicy::Newest(wanted)) => done >= wanted,
        _ => false,
    }
}

fn rank(role: Option<Role>) -> u8 {
    match role {
        Some(Role::Inbox) => 0,
        Some(Role::Drafts | Role::Sent) => 1,
        None | Some(Role::Flagged | Role::Important) => 2,
        Some(Role::Archive | Role::All) => 3,
        Some(Role::Trash | Role::Junk) => 4,
    }
}
