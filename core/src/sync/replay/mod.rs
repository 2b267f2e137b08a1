//! The journal replayed: what was done offline reaches the server, once.
//!
//! A replay goes in stages, and looks at the journal anew after each: mailboxes that are to be made or renamed, then each
//! mailbox in which something is to be done to messages, then messages that only this device has, last mailboxes
//! that are to be deleted. Nothing that changes mail by UID is sent before the numbers of its mailbox were read and its
//! targets were met there ([`source`]); nothing that cannot be repeated is sent before a note of it is durable.

mod answers;
mod mailboxes;
mod source;
mod upload;

use hashbrown::{HashMap, HashSet};

use crate::error::Result;
use crate::event::Event;
use crate::flags::FlagSet;
use crate::ids::{MailboxId, MessageId, OperationId, RequestId};
use crate::imap::client::login::text_of;
use crate::imap::command::StoreAction;
use crate::imap::response::{Code, MailboxStatus, PlainCode, Status};
use crate::model::{MailboxKind, Role};
use crate::options::SyncScope;
use crate::set::UidSet;
use crate::store::batch::{Op, ReplayFact};
use crate::store::plan::{self, Work};
use crate::store::records::MailboxRecord;
pub(crate) use crate::sync::replay::source::Met;
use crate::sync::replay::source::Source;
use crate::sync::{Driver, Next, Purpose, Wish};

/// A replay under way.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// The sync that goes on when it is done.
    then: Option<(RequestId, SyncScope)>,
    /// Operations that were tried, and are not tried again before the next sync.
    tried: HashSet<Try>,
    /// Mailboxes that were opened for it.
    opened: HashSet<MailboxId>,
    /// Commands of the stage that wait for their answers.
    waiting: usize,
    source: Option<Source>,
    /// UIDVALIDITY and UIDNEXT of mailboxes that something is put into.
    numbers: HashMap<MailboxId, (u32, u32)>,
    /// Octets of the largest message that a mailbox takes, where it told.
    append_limits: HashMap<MailboxId, u64>,
    /// Messages in mailboxes that are to be deleted.
    counts: HashMap<MailboxId, u32>,
    /// Messages that were refused together with others, and are sent by themselves.
    alone: HashSet<OperationId>,
    /// Messages that are sent in this stage.
    uploads: Vec<plan::Upload>,
    /// Mailboxes that are to be looked at before something is sent there.
    to_look_first: Vec<MailboxId>,
    /// Mailboxes into which something was put whose place there the server did not tell.
    to_look: Vec<MailboxId>,
}

/// An operation and the step of it that was tried.
type Try = (OperationId, u8);
/// The flags of a message.
const FLAGGED: u8 = 0;
/// An APPEND.
const APPENDED: u8 = 1;

/// What a command of a replay is for.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// CREATE, RENAME, SUBSCRIBE, DELETE.
    Mailbox(OperationId),
    /// The count of a mailbox that is to be deleted.
    Count {
        op: OperationId,
        mailbox: MailboxId,
    },
    /// The numbers of a mailbox that something is to be put into.
    Numbers,
    Select,
    /// The targets, met under their UIDs.
    Check,
    Store {
        targets: Vec<(u32, MessageId)>,
        action: StoreAction,
        flags: FlagSet,
    },
    /// Flags that the answer to STORE did not show.
    Confirm,
    Copy {
        to: MailboxId,
        moves: bool,
        targets: Vec<Sent>,
    },
    Move {
        to: MailboxId,
        targets: Vec<Sent>,
    },
    /// What is left in its place after a MOVE was refused.
    Remains {
        to: MailboxId,
        targets: Vec<Sent>,
        why: String,
        temporary: bool,
        /// The refusal is about all of them.
        all: bool,
    },
    /// `\Deleted`, before UID EXPUNGE.
    Mark {
        targets: Vec<Sent>,
    },
    Expunge {
        targets: Vec<Sent>,
    },
    /// What of it is there still.
    Expunged {
        targets: Vec<Sent>,
    },
    Download,
    Append {
        to: MailboxId,
        sent: Vec<Appended>,
    },
}

/// One message in a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) uid: u32,
    /// What gets a place by it: the message itself, or its copy.
    pub(crate) message: MessageId,
    pub(crate) op: OperationId,
}

/// One message in an APPEND.
#[derive(Debug, Clone)]
pub(crate) struct Appended {
    pub(crate) op: OperationId,
    pub(crate) message: MessageId,
    /// The flags that it was sent with.
    pub(crate) flags: FlagSet,
}

/// What goes on when a stage's facts are durable.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stage {
    /// The next stage is chosen.
    Choose,
    /// What was checked is done.
    Act,
    /// What was done is looked at.
    Acted,
    /// Flags that were asked for once more are judged.
    Confirmed,
    /// Messages are sent.
    Upload,
}

impl plan::Target {
    /// The step that is to be done to its place.
    fn step(&self) -> Option<Try> {
        let (op, act) = self.act?;
        Some((
            op,
            match act {
                plan::Act::Download => 2,
                // What is compared before it goes comes here twice.
                plan::Act::Delete | plan::Act::DeleteOriginal if self.record.provisional => 3,
                plan::Act::Delete => 4,
                plan::Act::DeleteOriginal => 5,
                plan::Act::Move { .. } => 6,
                plan::Act::Copy { .. } => 7,
            },
        ))
    }
}

impl Replay {
    /// The sync that goes on when it is done.
    pub(super) fn request(&self) -> Option<RequestId> {
        self.then.as_ref().map(|(request, _)| *request)
    }

    fn is_uploading(&self) -> bool {
        !self.uploads.is_empty()
    }
}

/// How often a sync replays what turns up while it runs.
const MOST_ROUNDS: u32 = 3;

impl Driver {
    /// Whether the journal has anything for this account that could be done now.
    pub(super) fn has_work(&self) -> Result<bool> {
        let reading = self.store.read()?;
        if plan::is_idle(&reading.tables)? {
            return Ok(false);
        }
        drop(reading);
        let work = self.work()?;
        Ok(!work.is_empty() || !work.to_look.is_empty())
    }

    fn work(&self) -> Result<Work> {
        let incarnation = self.store.incarnation()?;
        plan::work(&self.store.read()?.tables, self.account, incarnation)
    }

    /// Mailboxes in which something sent before may have arrived.
    pub(super) fn mailboxes_to_look(&self) -> Result<std::collections::BTreeSet<MailboxId>> {
        let reading = self.store.read()?;
        if plan::is_idle(&reading.tables)? {
            return Ok(Default::default());
        }
        drop(reading);
        Ok(self.work()?.to_look)
    }

    /// Begins a replay where there is something to do and no other connection is at it. Returns whether it began; `then` goes
    /// on when it is done.
    pub(super) fn start_replay(&mut self, then: Option<(RequestId, SyncScope)>) -> Result<bool> {
        if !self.has_work()? || !self.leases.take_journal(self.account) {
            return Ok(false);
        }
        self.replay = Some(Replay { then, ..Replay::default() });
        self.choose_stage()?;
        Ok(true)
    }

    /// What a sync does after its mailboxes are in step: replays what has become possible by it. Returns whether there
    /// was anything; the mailboxes that it touched are then looked at again.
    pub(super) fn replay_again(&mut self) -> Result<bool> {
        let Some(pass) = &mut self.pass else { return Ok(false) };
        if pass.scope.is_quiet() || pass.cancelled || pass.rounds >= MOST_ROUNDS {
            return Ok(false);
        }
        pass.rounds += 1;
        let (request, scope) = (pass.request, pass.scope.clone());
        let work = self.work()?;
        if work.is_empty() || !self.leases.take_journal(self.account) {
            return Ok(false);
        }
        self.replay = Some(Replay { then: Some((request, scope)), ..Replay::default() });
        self.choose_stage()?;
        Ok(true)
    }

    /// Goes on with the journal as it is now.
    fn choose_stage(&mut self) -> Result<()> {
        let mut work = self.work()?;
        let early = self.too_early(&mut work.appends)?;
        let cancelled = self.pass.as_ref().is_some_and(|p| p.cancelled);
        let Some(replay) = &mut self.replay else { return Ok(()) };
        replay.source = None;
        replay.to_look_first = early;
        if cancelled {
            return self.replay_done();
        }
        if !work.hopeless.is_empty() || !work.local_copies.is_empty() {
            for (op, why) in work.hopeless {
                self.batch.push(Op::Replay(ReplayFact::Refused { op, why: why.to_owned() }));
            }
            for copy in work.local_copies {
                self.batch.push(Op::Replay(ReplayFact::CopiedLocally(copy)));
            }
            self.flush(Next::Replay(Stage::Choose));
            return Ok(());
        }
        let fresh = |tried: Try| !replay.tried.contains(&tried);
        let mailboxes: Vec<_> = work.mailboxes.into_iter().filter(|(op, _)| fresh((*op, FLAGGED))).collect();
        if !mailboxes.is_empty() {
            return self.replay_mailboxes(mailboxes);
        }
        let source = work.sources.into_iter().find(|(id, targets)| {
            let due = |t: &plan::Target| {
                t.flags.is_some_and(|op| fresh((op, FLAGGED))) || t.step().is_some_and(&fresh)
            };
            !replay.opened.contains(id) && targets.iter().any(due)
        });
        if let Some((mailbox, targets)) = source {
            return self.open_source(mailbox, targets);
        }
        let uploads: Vec<_> = work.appends.into_iter().filter(|u| fresh((u.op, APPENDED))).collect();
        if !uploads.is_empty() {
            return self.prepare_uploads(uploads);
        }
        let deletions: Vec<_> = work.deletions.into_iter().filter(|(op, _)| fresh((*op, FLAGGED))).collect();
        if !deletions.is_empty() {
            return self.count_before_deleting(deletions);
        }
        self.replay_done()
    }

    /// Takes out what is not to be sent before its mailbox was looked at: servers file a copy of what was submitted by
    /// themselves, and a second one is wanted by nobody.
    fn too_early(&self, uploads: &mut Vec<plan::Upload>) -> Result<Vec<MailboxId>> {
        let tables = self.store.read()?.tables;
        let mut early = Vec::new();
        uploads.retain(|upload| {
            let record = crate::store::query::mailbox(&tables, upload.to).ok();
            let sent = record.is_some_and(|m| m.chosen_role.unwrap_or(m.role) == Some(Role::Sent));
            let waits = sent && !self.looked_at.contains(&upload.to);
            if waits && !early.contains(&upload.to) {
                early.push(upload.to);
            }
            !waits
        });
        Ok(early)
    }

    fn replay_done(&mut self) -> Result<()> {
        let Some(replay) = self.replay.take() else { return Ok(()) };
        self.leases.release_journal();
        self.looked_at.clear();
        match replay.then {
            Some((request, scope)) if self.pass.is_none() => return self.start_pass(request, scope),
            Some(_) => return self.pass_goes_on(replay.opened, replay.to_look),
            None => {
                // Where the server did not say where things are, they are looked for.
                let mut places = replay.to_look;
                places.extend(self.selected.mailbox.filter(|_| self.selected.doubtful));
                places.sort();
                places.dedup();
                for mailbox in places {
                    let scope = SyncScope::quiet(mailbox);
                    self.wishes.push_back(Wish::Sync { request: RequestId(0), scope });
                }
                for mailbox in &replay.to_look_first {
                    let scope = SyncScope::quiet(*mailbox);
                    self.wishes.push_back(Wish::Sync { request: RequestId(0), scope });
                }
                if !replay.to_look_first.is_empty() {
                    self.wishes.push_back(Wish::Replay);
                }
            }
        }
        Ok(())
    }

    pub(super) fn replay_on(&mut self, stage: Stage) -> Result<()> {
        match stage {
            Stage::Choose => self.choose_stage(),
            Stage::Act => self.act(),
            Stage::Acted => self.acted(),
            Stage::Confirmed => self.confirmed(),
            Stage::Upload => self.upload(),
        }
    }

    /// Sends a command of a stage.
    fn send_step(&mut self, command: &crate::imap::command::Command, step: Step) -> Result<()> {
        self.out.send(command, Purpose::Replay(Box::new(step)))?;
        if let Some(replay) = &mut self.replay {
            replay.waiting += 1;
        }
        Ok(())
    }

    /// Numbers of a mailbox that something is put into.
    pub(super) fn replay_status(&mut self, status: &MailboxStatus<'_>) -> Result<()> {
        let Some(replay) = &mut self.replay else { return Ok(()) };
        let name = status.mailbox.bytes();
        let all = crate::store::query::mailboxes(&self.store.read()?.tables, self.account)?;
        let same = |wire: &[u8]| {
            *wire == *name || wire.eq_ignore_ascii_case(b"INBOX") && name.eq_ignore_ascii_case(b"INBOX")
        };
        // A local mailbox, and one that went, may have the same name.
        let is_meant = |m: &MailboxRecord| m.kind == MailboxKind::Server && !m.gone && same(&m.wire_name);
        let Some((id, _)) = all.iter().find(|(_, m)| is_meant(m)) else { return Ok(()) };
        if let Some(validity) = status.uid_validity {
            replay.numbers.insert(*id, (validity, status.uid_next.unwrap_or(0)));
        }
        if let Some(limit) = status.append_limit {
            replay.append_limits.insert(*id, limit);
        }
        if let Some(messages) = status.messages {
            self.counted(*id, messages);
        }
        Ok(())
    }

    /// Sets an operation aside, and says so.
    fn refuse(&mut self, op: OperationId, why: &str) {
        self.batch.push(Op::Replay(ReplayFact::Refused { op, why: why.to_owned() }));
    }

    /// An untagged COPYUID: only for a MOVE that is under way, and for what it named (RFC 6851 §4.3).
    pub(super) fn copy_uid(&mut self, code: &Code<'_>) {
        let Code::CopyUid { source, .. } = code else { return };
        // Of several, the one that named these: Dovecot tells of all of them before it answers the first.
        let Some((first, _)) = source.ranges().next() else { return };
        let waiting = self.out.waiting().find_map(|p| match p {
            Purpose::Replay(step) => match &**step {
                Step::Move { to, targets } if targets.iter().any(|t| t.uid == first) => {
                    Some((*to, targets.clone()))
                }
                _ => None,
            },
            _ => None,
        });
        if let Some((to, targets)) = waiting {
            self.told_places(to, &targets, code);
        }
    }

    /// What COPYUID says of messages that were asked for.
    fn told_places(&mut self, to: MailboxId, targets: &[Sent], code: &Code<'_>) {
        let Code::CopyUid { uid_validity, source, target } = code else { return };
        let by_uid: HashMap<u32, MessageId> = targets.iter().map(|t| (t.uid, t.message)).collect();
        let from: Vec<u32> = count_out(source.ranges(), targets.len());
        let into: Vec<u32> = count_out(target.ranges(), targets.len());
        if from.len() != into.len() {
            return;
        }
        let pairs: Vec<_> =
            from.iter().zip(into).filter_map(|(s, t)| by_uid.get(s).map(|id| (t, *id))).collect();
        let uid_validity = *uid_validity;
        if !pairs.is_empty() {
            self.batch.push(Op::Replay(ReplayFact::Told { mailbox: to, uid_validity, pairs, flags: None }));
        }
    }

    /// Whether a refusal may be otherwise another time (RFC 5530).
    fn is_temporary(status: &Status<'_>) -> bool {
        use PlainCode::{ContactAdmin, ExpungeIssued, InUse, Limit, ServerBug, Unavailable};
        matches!(
            status.code,
            Some(Code::Plain(Unavailable | InUse | ServerBug | ContactAdmin | Limit | ExpungeIssued))
        )
    }

    /// Whether a refusal is about all messages of a command, and not about one of them.
    fn is_about_all(status: &Status<'_>) -> bool {
        use PlainCode::{NoPerm, OverQuota};
        matches!(status.code, Some(Code::Plain(NoPerm | OverQuota) | Code::ReadOnly | Code::TryCreate))
            || Driver::is_missing(status)
    }

    /// Whether a refusal says that a mailbox is not there.
    fn is_missing(status: &Status<'_>) -> bool {
        matches!(status.code, Some(Code::TryCreate | Code::Plain(PlainCode::Nonexistent)))
    }

    fn words(&self, status: &Status<'_>) -> String {
        let text = text_of(status, &self.limits);
        if text.is_empty() { "the server refused".to_owned() } else { text }
    }

    /// Tells the host what a commit set aside.
    pub(super) fn tell_set_aside(&mut self, set_aside: &[OperationId]) {
        for operation in set_aside {
            self.events.push_back(Event::SetAside { operation: *operation });
        }
    }
}

/// Numbers of a set in the order sent; none where they are more than were asked about.
fn count_out(ranges: impl Iterator<Item = (u32, u32)>, most: usize) -> Vec<u32> {
    let mut all = Vec::with_capacity(most);
    for (low, high) in ranges {
        if (high - low) as usize >= most - all.len().min(most) {
            return Vec::new();
        }
        all.extend(low..=high);
    }
    all
}

/// The UIDs of messages in a command.
fn uids_of(targets: &[Sent]) -> UidSet {
    let mut uids: Vec<u32> = targets.iter().map(|t| t.uid).collect();
    uids.sort_unstable();
    uids.into_iter().collect()
}
