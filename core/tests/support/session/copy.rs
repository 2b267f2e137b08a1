//! COPY and MOVE (RFC 6851), with COPYUID (RFC 4315).

use super::super::model::How;
use super::super::wire::{Arg, set_text};
use super::{Answer, Session};

impl Session {
    pub(super) fn copy(&mut self, args: &[Arg], by_uid: bool) -> Answer {
        let world = self.world.clone();
        let folder = self.open_folder()?;
        let [set, name] = args else { return Err("BAD COPY".into()) };
        let picked = self.pick(&folder, &set.text(), by_uid)?;
        let target = self.target(&name.text())?;
        if !picked.gone.is_empty() {
            return Err("NO [EXPUNGEISSUED] some are gone".into());
        }
        let mut uids = picked.uids();
        let held: Vec<_> = folder.held.iter().filter(|m| uids.contains(&m.uid)).collect();
        let octets = held.iter().map(|m| m.raw.len() as u64).sum();
        if !world.borrow().fits(held.len(), octets) {
            return Err("NO [OVERQUOTA] no room".into());
        }
        let short = self.shorten(&mut uids);
        let code = self.transfer(folder.id, &uids, target, How::Copied);
        self.updates(true);
        match short {
            // A server that stops half way should undo what it did, and is not believed to.
            Some(answer) => Err(answer),
            None => Ok(format!("{code}copied")),
        }
    }

    pub(super) fn move_messages(&mut self, args: &[Arg], by_uid: bool) -> Answer {
        self.need("MOVE")?;
        let folder = self.writable_folder()?;
        let [set, name] = args else { return Err("BAD MOVE".into()) };
        let picked = self.pick(&folder, &set.text(), by_uid)?;
        let target = self.target(&name.text())?;
        if !(folder.allows('t') && folder.allows('e')) {
            return Err("NO [NOPERM] nothing may be taken from here".into());
        }
        if !picked.gone.is_empty() {
            return Err("NO [EXPUNGEISSUED] some are gone".into());
        }
        let mut uids = picked.uids();
        let short = self.shorten(&mut uids);
        let code = self.transfer(folder.id, &uids, target, How::Moved);
        if !self.copies_only {
            self.world.borrow_mut().take_out(folder.id, &uids, How::MovedAway, self.by());
        }
        if !code.is_empty() {
            self.say(format!("* OK {code}moved"));
        }
        self.updates(true);
        match short {
            Some(answer) => Err(answer),
            None if uids.is_empty() => Ok("nothing to move".into()),
            None => Ok(format!("{}moved", self.modseq_code(folder.id))),
        }
    }

    /// The mailbox that messages are to go to.
    pub(super) fn target(&self, name: &str) -> Result<u64, String> {
        let world = self.world.borrow();
        match world.find(name).filter(|f| f.selectable) {
            None => Err("NO [TRYCREATE] no such mailbox".into()),
            Some(folder) if !folder.allows('i') => Err("NO [NOPERM] nothing may be put there".into()),
            Some(folder) => Ok(folder.id),
        }
    }

    /// Puts copies into a mailbox; returns COPYUID where it is offered.
    fn transfer(&mut self, from: u64, uids: &[u32], to: u64, how: How) -> String {
        let by = self.by();
        let mut world = self.world.borrow_mut();
        let manners = world.manners.clone();
        let held = world.by_id(from).held.clone();
        let mut new = Vec::new();
        for message in held.iter().filter(|m| uids.contains(&m.uid)) {
            let mut message = message.clone();
            message.flags = world.by_id(to).kept_all(&message.flags, &manners);
            new.push(world.put(to, message, how.clone(), by));
        }
        if new.is_empty() || !world.has("UIDPLUS") {
            return String::new();
        }
        let validity = world.by_id(to).uid_validity;
        format!("[COPYUID {validity} {} {}] ", set_text(uids.iter().copied()), set_text(new))
    }
}
