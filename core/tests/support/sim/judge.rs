//! The end: nothing goes wrong any more, everybody syncs, and what is there is held against what was asked for.

use std::collections::{BTreeMap, BTreeSet};

use mailkeep::{MailboxKind, OperationKind, OperationState};

use super::Sim;
use super::acts::message_of;
use super::device::Wish;
use super::ledger::Party;
use super::setup::Far;
use crate::support::Snapshot;
use crate::support::model::audit::AuditMailbox;
use crate::support::model::{By, Event, Fault, How, Keywords, Then};
use crate::support::snapshot::{differences, snapshot, with_roles};

/// How often everybody syncs until nothing changes.
const ROUNDS: u32 = 12;

/// A mailbox of the server: its name, its UIDVALIDITY, whether it can be opened, and the flags under each UID.
type Print = (String, u32, bool, Vec<(u32, BTreeSet<String>)>);

impl Sim {
    /// Nothing goes wrong any more, and everybody syncs until nothing changes.
    pub fn be_quiet(&mut self) {
        self.quiet = true;
        self.answers_are_lost = self.setup.cuts || self.setup.crashes;
        self.server.calm();
        self.setup.cuts = false;
        self.setup.refusals = false;
        self.setup.crashes = false;
        self.setup.races = false;
        self.note("quiet".into());
        self.another_unmarks();
        self.settle();
        self.refusals();
        if self.others_expunge_the_marked() {
            self.settle();
        }
        self.tokens();
        self.effects();
        if self.take_back_what_was_refused() {
            self.settle();
        }
        self.server.assert_sound();
        let mut violations = self.server.violations();
        // Sent behind a SELECT that was refused: it was not known yet.
        violations.retain(|v| v != "no mailbox is open: UID FETCH");
        assert_eq!(violations, Vec::<String>::new(), "the client keeps to what is offered");
    }

    /// Everybody syncs until nothing changes; then everybody sees what the server has.
    fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let before = self.fingerprint();
            for number in 0..self.devices.len() {
                self.devices[number].host().drop_connection();
                self.sync(&[number]);
                self.devices[number].host().drop_connection();
            }
            // Nobody changed anything: everybody has seen the last of it.
            if (0..self.devices.len()).all(|n| self.is_idle(n)) && before == self.fingerprint() {
                break;
            }
        }
        for number in 0..self.devices.len() {
            assert!(
                self.is_idle(number),
                "device {number}: {:#?}\n{}",
                self.devices[number].see().engine.pending(None),
                self.devices[number].see().said()
            );
            self.in_step(number);
        }
    }

    /// What the server has, but for the bytes.
    fn fingerprint(&self) -> Vec<Print> {
        let audit = self.server.audit();
        let messages = |b: &AuditMailbox| b.messages.iter().map(|m| (m.uid, m.flags.clone())).collect();
        let boxes = audit.mailboxes.values();
        boxes.map(|b| (b.name.clone(), b.uid_validity, b.subscribed, messages(b))).collect()
    }

    /// Whether nothing waits at a device.
    fn is_idle(&self, number: usize) -> bool {
        let pending = self.devices[number].see().engine.pending(None).expect("the journal");
        pending.iter().all(|o| matches!(o.state, OperationState::SetAside { .. }))
    }

    /// A device sees what the server has, but for what only it has, and what it hides because no
    /// server can expunge it alone.
    fn in_step(&self, number: usize) {
        let device = &self.devices[number];
        let host = device.see();
        let mut here = snapshot(&host.engine, host.account);
        let pending = host.engine.pending(None).expect("the journal");
        let unborn: BTreeSet<u32> = pending
            .iter()
            .filter_map(|o| match o.kind {
                OperationKind::CreateMailbox { mailbox } => Some(mailbox.0),
                _ => None,
            })
            .collect();
        let local = device.mailboxes().into_iter().filter(|m| m.kind == MailboxKind::Local);
        let not_there: BTreeSet<u32> = local.map(|m| m.id.0).chain(unborn).collect();
        here.mailboxes.retain(|m| !not_there.contains(&m.id));
        let mut here = with_roles(here.without_ids().without_previews(), None);
        let mut there = self.server.snapshot();
        for mailbox in &mut here.mailboxes {
            // What only this device has is under no number.
            mailbox.messages.retain(|m| m.uid != 0);
        }
        if !self.setup.has("UIDPLUS") {
            hide_marked(&mut there, &here);
        }
        let bare: Vec<String> = {
            let audit = self.server.audit();
            audit.mailboxes.values().filter(|b| !b.selectable).map(|b| b.name.clone()).collect()
        };
        for snapshot in [&mut here, &mut there] {
            if self.setup.far == Far::Own {
                // Such a name is shown where a server has no word for it but `\Noselect`; this one may say
                // `\NonExistent`.
                snapshot.mailboxes.retain(|m| !m.messages.is_empty() || !bare.contains(&m.name));
            }
            for mailbox in snapshot.mailboxes.iter_mut().filter(|m| bare.contains(&m.name)) {
                // One that holds nothing but others has no numbers.
                mailbox.uid_validity = 0;
            }
            for mailbox in &mut snapshot.mailboxes {
                let unseen = mailbox.messages.iter().filter(|m| !m.flags.iter().any(|f| f == "\\Seen"));
                mailbox.unseen = unseen.count() as u64;
            }
        }
        if here != there {
            panic!(
                "device {number} does not see what the server has (left here, right there):\n{}",
                differences(&here, &there)
            );
        }
    }

    /// What was set aside was not done.
    fn refusals(&mut self) {
        let audit = self.server.audit();
        let history = audit.history.clone();
        // A known gap: a server that set the mark and said NO, and then tells by sequence number what the EXPUNGE behind it took.
        let lied = self.server.happened().iter().any(|(verb, fault)| {
            verb.ends_with("STORE") && matches!(fault, Fault::Partly(_, Then::Answer(_)))
        });
        let owners = self.owners.borrow().clone();
        for number in 0..self.devices.len() {
            let pending = self.devices[number].see().engine.pending(None).expect("the journal");
            for operation in pending {
                let Some(message) = message_of(&operation.kind) else { continue };
                let Some((token, _)) = self.devices[number].wishes.get(&message).cloned() else { continue };
                let entry = self.ledger.of(&token).clone();
                if !entry.is_only(Party::Device(number))
                    || entry.copies > 0
                    || entry.moves.len() > 1
                    || entry.unsure
                {
                    continue;
                }
                let mine = |e: &Event| {
                    let by = match e.by {
                        By::Session(n) => owners.get(n as usize - 1) == Some(&number),
                        By::Other => false,
                    };
                    by && e.token == token
                };
                // A message that is expunged where an earlier COPY took it away from was moved.
                let was_last = |at: usize| places(&history[..=at], &token) == 0;
                // What arrived without an answer and went with its mailbox before the device could look is known to nobody but
                // the server: a second copy here is better than none.
                let went_unseen = self.answers_are_lost && went_with_its_mailbox(&history, &token);
                let done: Vec<_> = history
                    .iter()
                    .enumerate()
                    .filter(|(_, e)| mine(e))
                    .filter(|(at, e)| match &operation.kind {
                        OperationKind::Append { .. } => e.how == How::Appended && !went_unseen,
                        OperationKind::Move { .. } => matches!(e.how, How::Moved | How::MovedAway),
                        OperationKind::Delete { .. } if lied => false,
                        OperationKind::Delete { .. } => e.how == How::Expunged && was_last(*at),
                        _ => false,
                    })
                    .collect();
                assert!(
                    done.is_empty(),
                    "device {number}: {operation:?} of {token} was set aside, and done: {done:#?}"
                );
                self.counts.add("judged: what was set aside was not done");
            }
        }
    }

    /// What a server without UIDPLUS is left with goes, as when another client closes the mailbox.
    fn others_expunge_the_marked(&mut self) -> bool {
        let mut any = false;
        let audit = self.server.audit();
        for (name, mailbox) in &audit.mailboxes {
            let marked = mailbox.messages.iter().filter(|m| m.flags.contains("\\Deleted"));
            let uids: Vec<u32> = marked.map(|m| m.uid).collect();
            if !uids.is_empty() {
                self.note(format!("the marked go from {name}: {uids:?}"));
                self.server.expunge(name, &uids);
                any = true;
            }
        }
        any
    }

    /// No message is lost, and none is there more often than was asked for.
    fn tokens(&mut self) {
        let audit = self.server.audit();
        let owners = self.owners.borrow().clone();
        let mut there: BTreeMap<String, u32> = BTreeMap::new();
        let all = audit.mailboxes.values().flat_map(|b| &b.messages);
        for message in all {
            *there.entry(message.token.clone()).or_default() += 1;
        }
        for device in &self.devices {
            for token in device.local_tokens() {
                *there.entry(token).or_default() += 1;
            }
            for operation in device.see().engine.pending(None).expect("the journal") {
                // What could not be sent stays where it is.
                if matches!(operation.kind, OperationKind::Append { .. } | OperationKind::Copy { .. }) {
                    for token in self.tokens_of(device.number, &operation.kind) {
                        *there.entry(token).or_default() += 1;
                    }
                }
            }
        }
        for event in &audit.history {
            // It went with a mailbox that a person deleted.
            if let (How::MailboxDeleted, By::Session(session)) = (&event.how, event.by)
                && owners.get(session as usize - 1).is_some_and(|n| self.wipers.contains(n))
            {
                self.ledger.of(&event.token).wiped = true;
            }
        }
        let atomic = self.setup.has("MOVE") && !self.fell_back_to_copy();
        for (token, entry) in &self.ledger.entries {
            let count = there.get(token).copied().unwrap_or(0);
            let story = || {
                let story: Vec<String> = audit.story(token).iter().map(|e| format!("{e:?}\n")).collect();
                format!("{entry:?}\n{}", story.concat())
            };
            assert!(count >= entry.least(), "{token} is lost: {count} of {}\n{}", entry.least(), story());
            let most = entry.most(atomic, self.answers_are_lost);
            assert!(count <= most, "{token} is there {count} times, {most} at most\n{}", story());
            self.counts.add("judged: a message is there as often as was asked");
        }
        let unknown: Vec<_> = there.keys().filter(|t| !self.ledger.entries.contains_key(*t)).collect();
        assert!(unknown.is_empty(), "messages that nobody made: {unknown:?}");
    }

    /// Whether a MOVE was refused or done by half, so that messages went by COPY.
    fn fell_back_to_copy(&self) -> bool {
        self.server.happened().iter().any(|(verb, _)| verb.ends_with("MOVE"))
    }

    /// What one device alone had to do with is as it was last seen there.
    fn effects(&mut self) {
        for number in 0..self.devices.len() {
            let wishes = self.devices[number].wishes.clone();
            for (id, (token, wish)) in wishes {
                let entry = self.ledger.of(&token).clone();
                let alone = entry.is_only(Party::Device(number)) && !entry.unsure && !entry.wiped;
                if !alone || entry.set_aside || entry.copies > 0 {
                    continue;
                }
                if matches!(wish, Wish::Shown(..)) && self.renamed {
                    // Where it is counts by mailbox, and which mailbox that is by now a server may not tell.
                    continue;
                }
                let (now, wish) = (self.keepable(self.devices[number].seen(id)), self.keepable(wish));
                let now = match (now, &wish) {
                    (Wish::Shown(mailbox, _), Wish::Shown(_, None)) => Wish::Shown(mailbox, None),
                    (now, _) => now,
                };
                assert_eq!(
                    now, wish,
                    "device {number}: {token}, message {id:?}, is not as it was left (left: now, right: then)"
                );
                self.counts.add("judged: what was wanted is so");
            }
        }
    }

    /// Without flags that this server does not keep.
    fn keepable(&self, wish: Wish) -> Wish {
        let Wish::Shown(mailbox, Some(mut flags)) = wish else { return wish };
        let manners = &self.setup.manners;
        let words: Vec<String> = flags.wire_words().map(str::to_owned).collect();
        for word in words {
            // `$Forwarded` is a keyword too.
            let kept = match word.strip_prefix('\\') {
                Some(_) => manners.permanent.contains(&word.as_str()),
                None => manners.keywords == Keywords::Any,
            };
            if !kept {
                flags.remove_wire(word.as_bytes());
            }
        }
        Wish::Shown(mailbox, Some(flags))
    }

    /// Operations that were set aside are forgotten; what is seen is then the server's.
    fn take_back_what_was_refused(&mut self) -> bool {
        let mut any = false;
        for number in 0..self.devices.len() {
            for mailboxes in [false, true] {
                let pending = self.devices[number].see().engine.pending(None).expect("the journal");
                for operation in pending {
                    if message_of(&operation.kind).is_some() == mailboxes {
                        continue;
                    }
                    any = true;
                    let host = self.devices[number].host();
                    match host.engine.cancel_operation(host.now, operation.id) {
                        // One may take another with it.
                        Ok(()) | Err(mailkeep::Error::Gone(_)) => {}
                        Err(error) => panic!("device {number}: {operation:?} cannot be forgotten: {error}"),
                    }
                }
            }
            let left = self.devices[number].see().engine.pending(None).expect("the journal");
            assert!(left.is_empty(), "device {number}: {left:?}");
        }
        any
    }
}

/// In how many places a message is after what happened.
fn places(history: &[Event], token: &str) -> i32 {
    history.iter().filter(|e| e.token == token).map(|e| if e.how.is_in() { 1 } else { -1 }).sum()
}

/// Whether the last that happened to a message is that its mailbox was deleted.
fn went_with_its_mailbox(history: &[Event], token: &str) -> bool {
    history.iter().rfind(|e| e.token == token).is_some_and(|e| e.how == How::MailboxDeleted)
}

/// Takes out of what the server has what bears `\Deleted` and is not seen here.
fn hide_marked(there: &mut Snapshot, here: &Snapshot) {
    for far in &mut there.mailboxes {
        let Some(near) = here.mailboxes.iter().find(|m| m.name == far.name) else { continue };
        let seen = near.uids();
        far.messages.retain(|m| seen.contains(&m.uid) || !m.flags.iter().any(|f| f == "\\Deleted"));
    }
}
