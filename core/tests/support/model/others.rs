//! What other clients and the server's own keeper do to the mail, with no session about it.

use std::rc::Rc;

use super::super::Dice;
use super::flags::Change;
use super::{By, Folder, Held, How, ModelServer, World};

impl ModelServer {
    pub fn create(&self, name: &str) {
        self.create_as(name, None);
    }

    pub fn create_as(&self, name: &str, special_use: Option<&'static str>) {
        let mut world = self.change();
        let folder = world.new_folder(name, special_use);
        world.ghosts.remove(name);
        world.boxes.push(folder);
    }

    pub fn delete(&self, name: &str) {
        let mut world = self.change();
        let (id, uids) = world.all_of(name);
        world.take_out(id, &uids, How::MailboxDeleted, By::Other);
        world.boxes.retain(|b| b.name != name);
    }

    /// With the mailboxes below it, and with subscriptions.
    pub fn rename(&self, from: &str, to: &str) {
        self.change().change_names(from, to, true);
    }

    pub fn subscribe(&self, name: &str, on: bool) {
        self.change().subscribe(name, on).expect("the mailbox is there");
    }

    pub fn deliver(&self, mailbox: &str, raw: Vec<u8>) -> u32 {
        self.deliver_with(mailbox, raw, &[], None)
    }

    /// With flags, and an INTERNALDATE other than the server's clock.
    pub fn deliver_with(&self, mailbox: &str, raw: Vec<u8>, flags: &[&str], at_ms: Option<i64>) -> u32 {
        let mut world = self.change();
        let clock = world.tick();
        let internal_ms = at_ms.unwrap_or(clock);
        let email_id = world.new_id();
        let flags = flags.iter().map(|f| (*f).to_owned()).collect();
        let held = Held { uid: 0, flags, internal_ms, raw: Rc::new(raw), modseq: 0, email_id };
        let id = world.mailbox(mailbox).id;
        world.put(id, held, How::Delivered, By::Other)
    }

    pub fn set_flags(&self, mailbox: &str, uid: u32, flags: &[&str]) {
        let mut world = self.change();
        let mailbox = world.mailbox(mailbox);
        mailbox.modseq += 1;
        let modseq = mailbox.modseq;
        let held = mailbox.held.iter_mut().find(|m| m.uid == uid).expect("the message is there");
        held.flags = flags.iter().map(|f| (*f).to_owned()).collect();
        held.modseq = modseq;
    }

    /// Adds and removes flags of a message that may be gone.
    pub fn change_flags(&self, mailbox: &str, uid: u32, change: Change, flags: &[&str]) {
        let mut world = self.change();
        let manners = world.manners.clone();
        let flags = flags.iter().map(|f| (*f).to_owned()).collect();
        world.mailbox(mailbox).change_flags(uid, change, &flags, &manners);
    }

    pub fn expunge(&self, mailbox: &str, uids: &[u32]) {
        let mut world = self.change();
        let id = world.mailbox(mailbox).id;
        world.take_out(id, uids, How::Expunged, By::Other);
    }

    pub fn copy(&self, from: &str, uid: u32, to: &str) -> u32 {
        let mut world = self.change();
        let held =
            world.mailbox(from).held.iter().find(|m| m.uid == uid).expect("the message is there").clone();
        let id = world.mailbox(to).id;
        world.put(id, held, How::Copied, By::Other)
    }

    pub fn move_message(&self, from: &str, uid: u32, to: &str) -> u32 {
        let mut world = self.change();
        let held =
            world.mailbox(from).held.iter().find(|m| m.uid == uid).expect("the message is there").clone();
        let (here, there) = (world.mailbox(from).id, world.mailbox(to).id);
        let new = world.put(there, held, How::Moved, By::Other);
        world.take_out(here, &[uid], How::MovedAway, By::Other);
        new
    }

    /// The mailbox is numbered anew from 1, in another order.
    pub fn shuffle_uids(&self, mailbox: &str, seed: u64) {
        let mut dice = Dice::new(seed);
        self.change().mailbox(mailbox).held.sort_by_cached_key(|_| dice.roll());
        self.reset_uid_validity(mailbox);
    }

    /// The mailbox is numbered anew from 1, in the same order.
    pub fn reset_uid_validity(&self, mailbox: &str) {
        let mut world = self.change();
        let mailbox = world.mailbox(mailbox);
        mailbox.uid_validity += 1_000_000;
        mailbox.uid_next = 1;
        mailbox.gone.clear();
        mailbox.remembers_from = mailbox.modseq;
        for held in std::mem::take(&mut mailbox.held) {
            mailbox.enter(held);
        }
    }

    /// A copy of a mailbox as it is, for [`ModelServer::restore`].
    pub fn save(&self, mailbox: &str) -> Folder {
        self.change().mailbox(mailbox).clone()
    }

    /// A snapshot is restored: UIDNEXT and HIGHESTMODSEQ go back under the same UIDVALIDITY.
    pub fn restore(&self, saved: Folder) {
        let mut world = self.change();
        let folder = world.mailbox(&saved.name);
        *folder = saved;
    }

    /// Index files are lost: mod-sequences begin again, UIDs stay.
    pub fn rewind_modseq(&self, mailbox: &str) {
        let mut world = self.change();
        let mailbox = world.mailbox(mailbox);
        mailbox.modseq = 1;
        mailbox.gone.clear();
        mailbox.remembers_from = 1;
        for held in &mut mailbox.held {
            held.modseq = 1;
        }
    }

    /// Expunges so far are forgotten, as RFC 7162 §3.2.5.1 lets a server do.
    pub fn forget_expunges(&self, mailbox: &str) {
        let mut world = self.change();
        let mailbox = world.mailbox(mailbox);
        mailbox.gone.clear();
        mailbox.remembers_from = mailbox.modseq;
    }

    pub fn uids(&self, mailbox: &str) -> Vec<u32> {
        self.change().mailbox(mailbox).held.iter().map(|m| m.uid).collect()
    }
}

impl World {
    fn all_of(&mut self, name: &str) -> (u64, Vec<u32>) {
        let mailbox = self.mailbox(name);
        (mailbox.id, mailbox.held.iter().map(|m| m.uid).collect())
    }
}
