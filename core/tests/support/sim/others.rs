//! What another client does to the mail, and what becomes of the server's numbers.

use super::Sim;
use super::device::letter;
use super::ledger::{Deed, Party};
use crate::support::model::audit::AuditMessage;
use crate::support::model::flags::Change;

/// Names that everybody makes mailboxes under.
pub const NAMES: [&str; 6] = ["Lists", "Work", "Lists/a", "New", "Old", "Work/b"];
pub const FLAGS: [&str; 5] = ["\\Seen", "\\Flagged", "\\Answered", "todo", "$Forwarded"];

impl Sim {
    /// Another client does one thing.
    pub fn another_acts(&mut self) {
        match self.dice.below(100) {
            0..25 => self.mail_comes(),
            25..50 => self.another_flags(),
            50..60 => self.another_expunges(),
            60..75 => self.another_moves(),
            75..80 => self.another_copies(),
            80..85 => self.another_moves_and_returns(),
            85..89 => self.another_empties_the_marked(),
            89..90 => self.another_marks(),
            90..92 => self.another_creates(),
            92..96 => self.another_renames(),
            96..98 => self.another_deletes_a_mailbox(),
            _ => self.another_subscribes(),
        }
    }

    pub fn mail_comes(&mut self) {
        let Some(mailbox) = self.any_mailbox_there() else { return };
        let number = self.ledger.next_number();
        let token = format!("t{number}");
        let flags: Vec<&str> = FLAGS.into_iter().filter(|_| self.dice.below(5) == 0).collect();
        let flags = self.kept(&flags);
        let uid = self.server.deliver_with(&mailbox, letter(number), &flags, None);
        self.ledger.put(&token, Party::Other, true);
        // Nobody has done anything to it yet.
        self.ledger.of(&token).parties.clear();
        self.note(format!("{token} comes into {mailbox} as {uid} with {flags:?}"));
        self.counts.add("another: delivers");
    }

    fn kept(&self, flags: &[&'static str]) -> Vec<&'static str> {
        let manners = &self.setup.manners;
        let keywords = manners.keywords == crate::support::model::Keywords::Any;
        let keeps = |f: &str| if f.starts_with('\\') { manners.permanent.contains(&f) } else { keywords };
        flags.iter().copied().filter(|f| keeps(f)).collect()
    }

    fn another_flags(&mut self) {
        let Some((mailbox, uid, token)) = self.any_message_there() else { return };
        let flag = FLAGS[self.dice.below(5) as usize];
        let flags = self.kept(&[flag]);
        let change = if self.dice.below(3) > 0 { Change::Add } else { Change::Remove };
        self.server.change_flags(&mailbox, uid, change, &flags);
        self.note(format!("another: {change:?} {flags:?} of {token}, {uid} in {mailbox}"));
        self.another_did(&token, Deed::Flags);
    }

    fn another_expunges(&mut self) {
        let Some((mailbox, uid, token)) = self.any_message_there() else { return };
        self.server.expunge(&mailbox, &[uid]);
        self.note(format!("another: expunges {token}, {uid} in {mailbox}"));
        self.another_did(&token, Deed::Delete);
    }

    fn another_moves(&mut self) {
        let (Some((from, uid, token)), Some(to)) = (self.any_message_there(), self.any_mailbox_there())
        else {
            return;
        };
        if from == to {
            return;
        }
        self.another_puts(&token, &to);
        let new = self.server.move_message(&from, uid, &to);
        self.note(format!("another: moves {token}, {uid} in {from}, to {to} as {new}"));
        self.another_did(&token, Deed::Move);
    }

    fn another_copies(&mut self) {
        // Often just what a device is about to move or to copy.
        let rival = if self.dice.below(4) > 0 { self.rival_place() } else { None };
        let any = |sim: &mut Sim| Some((sim.any_message_there()?, sim.any_mailbox_there()?));
        let Some(((from, uid, token), to)) = rival.clone().or_else(|| any(self)) else { return };
        let held = self.server.audit().mailboxes[&from]
            .messages
            .iter()
            .any(|m| m.uid == uid && m.flags.contains("\\Deleted"));
        if held {
            // The copy would be marked too, and go with the next EXPUNGE.
            return;
        }
        self.another_puts(&token, &to);
        let new = self.server.copy(&from, uid, &to);
        self.note(format!("another: copies {token}, {uid} in {from}, to {to} as {new}"));
        self.another_did(&token, Deed::Copy);
        if rival.is_some() {
            self.comes_first();
        }
    }

    /// What is there again is the same message under a new number.
    fn another_moves_and_returns(&mut self) {
        let (Some((from, uid, token)), Some(by)) = (self.any_message_there(), self.any_mailbox_there())
        else {
            return;
        };
        if from == by {
            return;
        }
        self.another_puts(&token, &by);
        self.another_puts(&token, &from);
        let away = self.server.move_message(&from, uid, &by);
        let back = self.server.move_message(&by, away, &from);
        self.note(format!("another: {token} goes from {uid} in {from} by {by} back to {back}"));
        if self.devices.iter().any(|d| d.undone.contains_key(&token)) {
            self.counts.add("conflict: it reappeared under a new UID");
        }
        self.another_did(&token, Deed::Move);
    }

    /// Another client marks a message and does not expunge it: nobody else may.
    fn another_marks(&mut self) {
        let Some((mailbox, uid, token)) = self.any_message_there() else { return };
        if !self.setup.has("UIDPLUS") {
            // There what bears the mark is what others have deleted.
            return;
        }
        let flags = ["\\Deleted"];
        self.server.change_flags(&mailbox, uid, Change::Add, &flags);
        self.note(format!("another: marks {token}, {uid} in {mailbox}"));
        self.ledger.of(&token).marked = true;
        self.another_did(&token, Deed::Flags);
    }

    /// It thinks better of it, and takes its marks off.
    pub fn another_unmarks(&mut self) {
        let audit = self.server.audit();
        for (name, mailbox) in &audit.mailboxes {
            for message in &mailbox.messages {
                let entry = self.ledger.of(&message.token);
                if entry.marked && entry.deletes == 0 {
                    self.server.change_flags(name, message.uid, Change::Remove, &["\\Deleted"]);
                }
            }
        }
    }

    /// A bare EXPUNGE of another client.
    fn another_empties_the_marked(&mut self) {
        let Some(mailbox) = self.any_mailbox_there() else { return };
        let marked: Vec<u32> = {
            let audit = self.server.audit();
            let marked = audit.mailboxes[&mailbox].messages.iter().filter(|m| m.flags.contains("\\Deleted"));
            let theirs = |m: &&AuditMessage| self.ledger.entries.get(&m.token).is_some_and(|e| e.marked);
            marked.filter(|m| !theirs(m)).map(|m| m.uid).collect()
        };
        self.server.expunge(&mailbox, &marked);
        self.note(format!("another: EXPUNGE in {mailbox}: {marked:?}"));
        self.counts.add("another: EXPUNGE");
    }

    fn another_creates(&mut self) {
        let name = NAMES[self.dice.below(NAMES.len() as u64) as usize];
        let made = self.server.try_create(name);
        self.note(format!("another: creates {name}: {made:?}"));
        self.counts.add("another: creates a mailbox");
    }

    fn another_renames(&mut self) {
        let Some(from) = self.any_mailbox_there().filter(|n| n != "INBOX") else { return };
        let to = NAMES[self.dice.below(NAMES.len() as u64) as usize];
        let done = self.server.try_rename(&from, to);
        self.note(format!("another: renames {from} to {to}: {done:?}"));
        if done.is_err() {
            return;
        }
        self.renamed = true;
        self.counts.add("another: renames a mailbox");
        for device in &self.devices {
            let named = device.mailboxes().into_iter().find(|m| m.name == from).map(|m| m.id);
            if named.is_some_and(|id| device.targets.contains(&id)) {
                self.counts.add("conflict: renamed there, moved into here");
            }
        }
    }

    fn another_deletes_a_mailbox(&mut self) {
        let Some(name) = self.any_mailbox_there().filter(|n| n != "INBOX") else { return };
        let tokens: Vec<String> =
            self.server.audit().mailboxes[&name].messages.iter().map(|m| m.token.clone()).collect();
        let done = self.server.try_delete(&name);
        self.note(format!("another: deletes {name}: {done:?}"));
        if done.is_err() {
            return;
        }
        self.counts.add("another: deletes a mailbox");
        for token in tokens {
            self.ledger.of(&token).wiped = true;
            self.another_did(&token, Deed::Delete);
        }
    }

    fn another_subscribes(&mut self) {
        let Some(name) = self.any_mailbox_there() else { return };
        let on = self.dice.below(2) == 0;
        self.server.subscribe(&name, on);
        self.note(format!("another: subscribes to {name}: {on}"));
    }

    /// The server counts anew, or forgets what went.
    pub fn renumber(&mut self) {
        let Some(mailbox) = self.any_mailbox_there() else { return };
        let pending = self.devices.iter().any(|d| !d.undone.is_empty());
        match self.dice.below(5) {
            0 | 1 => {
                self.server.reset_uid_validity(&mailbox);
                self.note(format!("{mailbox} is numbered anew"));
                self.counts.add("UIDVALIDITY: reset");
            }
            2 | 3 => {
                let seed = self.dice.roll();
                self.server.shuffle_uids(&mailbox, seed);
                self.note(format!("{mailbox} is numbered anew in another order"));
                self.counts.add("UIDVALIDITY: shuffled");
            }
            _ => {
                if !self.server.forget_expunges(&mailbox) {
                    return;
                }
                self.note(format!("expunges in {mailbox} are forgotten"));
                self.counts.add("another: forgets expunges");
                return;
            }
        }
        if pending {
            self.counts.add("conflict: UIDVALIDITY changed with operations pending");
        }
    }

    /// Another client did something to a message: what a device had in mind for it meets that.
    pub fn another_did(&mut self, token: &str, deed: Deed) {
        self.ledger.did(token, Party::Other, deed, true);
        self.counts.add(format!("another: {}", deed.name()));
        self.seen_by_none(token, deed, None);
    }

    /// What was done on the server, and which devices do not know of it yet.
    pub fn seen_by_none(&mut self, token: &str, deed: Deed, but: Option<usize>) {
        for device in self.devices.iter_mut().filter(|d| Some(d.number) != but) {
            device.unseen.entry(token.to_owned()).or_default().insert(deed);
            for here in device.undone.get(token).into_iter().flatten() {
                self.counts.add(format!("conflict: {} there, {} here", deed.name(), here.name()));
            }
        }
    }

    pub fn any_mailbox_there(&mut self) -> Option<String> {
        let names = self.server.names();
        let at = self.dice.below(names.len() as u64);
        names.get(at as usize).cloned()
    }

    pub fn any_message_there(&mut self) -> Option<(String, u32, String)> {
        let all: Vec<(String, u32, String)> = {
            let audit = self.server.audit();
            let of = |name: &String| -> Vec<(String, u32, String)> {
                let messages = &audit.mailboxes[name].messages;
                messages.iter().map(|m| (name.clone(), m.uid, m.token.clone())).collect()
            };
            self.server.names().iter().flat_map(of).collect()
        };
        let at = self.dice.below(all.len() as u64);
        all.get(at as usize).cloned()
    }
}
