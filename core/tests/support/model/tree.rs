//! The mailboxes as a tree: made, deleted, renamed, subscribed to, with what a server answers.

use super::{By, Folder, How, World};

const ROLES: [&str; 7] = ["\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash"];

/// What a user may do in a mailbox of its own (RFC 4314).
pub const RIGHTS: &str = "lrswipkxtea";

/// A role that CREATE may ask for.
pub fn role(word: &str) -> Option<&'static str> {
    ROLES.iter().find(|r| r.eq_ignore_ascii_case(word)).copied()
}

fn is_inbox(name: &str) -> bool {
    name.eq_ignore_ascii_case("INBOX")
}

/// Names above a name, from the top.
fn superiors(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}

impl World {
    pub fn new_folder(&mut self, name: &str, special_use: Option<&'static str>) -> Folder {
        let id = self.new_id();
        Folder {
            name: name.into(),
            id,
            uid_validity: 1_000 + id as u32,
            uid_next: 1,
            modseq: 1,
            held: Vec::new(),
            gone: Vec::new(),
            remembers_from: 0,
            special_use,
            subscribed: true,
            selectable: true,
            keywords: Vec::new(),
            rights: RIGHTS.into(),
        }
    }

    /// Adds a mailbox as CREATE does: subscribed to only where the name was already.
    fn add(&mut self, name: &str, special_use: Option<&'static str>) {
        let mut folder = self.new_folder(name, special_use);
        folder.subscribed = self.ghosts.remove(name);
        self.boxes.push(folder);
    }

    /// A right over a name: that of the nearest mailbox at or above it.
    fn may(&self, name: &str, right: char) -> bool {
        let nearest =
            self.boxes.iter().filter(|b| b.name == name || name.starts_with(&format!("{}/", b.name)));
        nearest.max_by_key(|b| b.name.len()).is_none_or(|b| b.allows(right))
    }

    pub fn has_children(&self, name: &str) -> bool {
        let prefix = format!("{name}/");
        self.boxes.iter().any(|b| b.name.starts_with(&prefix))
    }

    /// CREATE. The levels above that are missing are made too (RFC 3501 §6.3.3).
    pub fn create_mailbox(&mut self, name: &str, role: Option<&'static str>) -> Result<(), String> {
        let name = name.strip_suffix('/').unwrap_or(name);
        if name.is_empty() || name.starts_with('/') || name.contains("//") {
            return Err("NO [CANNOT] no name for a mailbox".into());
        }
        if let Some(found) = self.find(name)
            && (found.selectable || is_inbox(name))
        {
            return Err("NO [ALREADYEXISTS] it is there".into());
        }
        if !self.may(name, 'k') {
            return Err("NO [NOPERM] not here".into());
        }
        if role.is_some() && self.boxes.iter().any(|b| b.special_use == role) {
            return Err("NO [USEATTR] another mailbox has that use".into());
        }
        for above in superiors(name) {
            if self.find(above).is_none() {
                self.add(above, None);
            }
        }
        // A name that was left by a DELETE becomes a mailbox again, a new one.
        let left = self.boxes.iter().position(|b| b.name == name).map(|at| self.boxes.remove(at));
        if left.is_some_and(|l| l.subscribed) {
            self.ghosts.insert(name.into());
        }
        self.add(name, role);
        Ok(())
    }

    /// DELETE. A name with children stays as a name (RFC 3501 §6.3.4).
    pub fn delete_mailbox(&mut self, name: &str, by: By) -> Result<u64, String> {
        if is_inbox(name) {
            return Err("NO [CANNOT] INBOX stays".into());
        }
        let Some(found) = self.find(name) else {
            return Err("NO [NONEXISTENT] no such mailbox".into());
        };
        let (id, selectable, subscribed) = (found.id, found.selectable, found.subscribed);
        if !found.allows('x') {
            return Err("NO [NOPERM] not this one".into());
        }
        let parent = self.has_children(name);
        if parent && (!selectable || self.manners.refuses_to_delete_parents) {
            return Err("NO [HASCHILDREN] there are mailboxes below".into());
        }
        let uids: Vec<u32> = found.held.iter().map(|m| m.uid).collect();
        self.take_out(id, &uids, How::MailboxDeleted, by);
        if parent {
            // What was selected is gone: the name has another identity from now on.
            let new = self.new_id();
            let folder = self.by_id(id);
            folder.selectable = false;
            folder.special_use = None;
            folder.id = new;
            folder.uid_validity = 1_000 + new as u32;
            return Ok(id);
        }
        self.boxes.retain(|b| b.id != id);
        if subscribed && self.manners.keeps_subscriptions {
            self.ghosts.insert(name.into());
        }
        Ok(id)
    }

    /// RENAME. Children come along; INBOX stays and is emptied (RFC 3501 §6.3.5).
    pub fn rename_mailbox(&mut self, from: &str, to: &str, by: By) -> Result<(), String> {
        let to = to.strip_suffix('/').unwrap_or(to);
        let Some(found) = self.find(from) else {
            return Err("NO [NONEXISTENT] no such mailbox".into());
        };
        let id = found.id;
        if self.find(to).is_some() {
            return Err("NO [ALREADYEXISTS] it is there".into());
        }
        if to.is_empty() || to.starts_with('/') || to.starts_with(&format!("{from}/")) {
            return Err("NO [CANNOT] no name for it".into());
        }
        if !(found.allows('x') || is_inbox(from)) || !self.may(to, 'k') {
            return Err("NO [NOPERM] not this one".into());
        }
        for above in superiors(to) {
            if self.find(above).is_none() {
                self.add(above, None);
            }
        }
        if is_inbox(from) {
            self.add(to, None);
            let target = self.find(to).expect("it was just made").id;
            let held = self.by_id(id).held.clone();
            let uids: Vec<u32> = held.iter().map(|m| m.uid).collect();
            for message in held {
                self.put(target, message, How::Moved, by);
            }
            self.take_out(id, &uids, How::MovedAway, by);
            return Ok(());
        }
        self.change_names(from, to, self.manners.renames_subscriptions);
        Ok(())
    }

    /// Gives a mailbox and those below it their new names.
    pub fn change_names(&mut self, from: &str, to: &str, with_subscriptions: bool) {
        let prefix = format!("{from}/");
        for folder in &mut self.boxes {
            let rest = match folder.name.strip_prefix(&prefix) {
                Some(rest) => format!("/{rest}"),
                None if folder.name == from => String::new(),
                None => continue,
            };
            let old = std::mem::replace(&mut folder.name, format!("{to}{rest}"));
            // Names are subscribed to, not mailboxes: a name that was before the mailbox had it still is.
            let was = self.ghosts.remove(&folder.name);
            if with_subscriptions {
                folder.subscribed |= was;
            } else {
                if folder.subscribed {
                    self.ghosts.insert(old);
                }
                folder.subscribed = was;
            }
        }
    }

    /// SUBSCRIBE and UNSUBSCRIBE, which answer alike for names that are no mailboxes any more.
    pub fn subscribe(&mut self, name: &str, on: bool) -> Result<(), String> {
        let id = self.find(name).map(|b| b.id);
        match id {
            Some(id) => self.by_id(id).subscribed = on,
            None if on => return Err("NO [NONEXISTENT] no such mailbox".into()),
            None if self.ghosts.remove(name) => {}
            None => return Err("NO [NONEXISTENT] not subscribed to".into()),
        }
        Ok(())
    }
}
