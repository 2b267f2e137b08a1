//! What a session is told of changes by others, and the mailbox that it has open.

use super::super::model::{Folder, Held};
use super::super::wire::{holds, ranges, set_text};
use super::{Session, flag_text};

/// Messages that a command names.
pub(super) struct Picked {
    /// Sequence number and UID, of those that are there still.
    pub(super) here: Vec<(u32, u32)>,
    /// Sequence numbers of those that are gone and were not said to be.
    pub(super) gone: Vec<u32>,
}

impl Picked {
    pub(super) fn uids(&self) -> Vec<u32> {
        self.here.iter().map(|(_, uid)| *uid).collect()
    }
}

impl Session {
    /// The messages of a set. UIDs that are nowhere are passed over; sequence numbers must be there.
    pub(super) fn pick(&self, folder: &Folder, set: &str, by_uid: bool) -> Result<Picked, String> {
        if !set.bytes().all(|b| b.is_ascii_digit() || b",:*".contains(&b)) || set.is_empty() {
            return Err("BAD no set of messages".into());
        }
        let uids = self.view.as_ref().map_or(&[][..], |v| &v.uids);
        let last = if by_uid { uids.last().copied().unwrap_or(0) } else { uids.len() as u32 };
        let wanted = ranges(set, last);
        if !by_uid && wanted.iter().any(|(low, high)| *low == 0 || *high > last) {
            return Err("BAD no such message".into());
        }
        let mut picked = Picked { here: Vec::new(), gone: Vec::new() };
        for (at, uid) in uids.iter().enumerate() {
            let seq = at as u32 + 1;
            if !holds(&wanted, if by_uid { *uid } else { seq }) {
                continue;
            }
            if folder.held.iter().any(|m| m.uid == *uid) {
                picked.here.push((seq, *uid));
            } else if !by_uid {
                picked.gone.push(seq);
            }
        }
        Ok(picked)
    }

    /// The open mailbox, to be changed.
    pub(super) fn writable_folder(&mut self) -> Result<Folder, String> {
        let folder = self.open_folder()?;
        if self.view.as_ref().is_some_and(|v| v.read_only) {
            return Err("NO [READ-ONLY] opened to be read".into());
        }
        Ok(folder)
    }

    /// HIGHESTMODSEQ as a response code. RFC 7162 §3.2 has it behind expunges for those that enabled
    /// QRESYNC, who go on from it: all changes up to it must have been told.
    pub(super) fn modseq_code(&self, folder: u64) -> String {
        if !self.qresync {
            return String::new();
        }
        let mut world = self.world.borrow_mut();
        format!("[HIGHESTMODSEQ {}] ", world.by_id(folder).modseq)
    }

    /// The open mailbox; a session whose mailbox was deleted or numbered anew ends.
    pub(super) fn open_folder(&mut self) -> Result<Folder, String> {
        let Some(view) = &self.view else {
            self.violation("no mailbox is open");
            return Err("BAD no mailbox is open".into());
        };
        let world = self.world.borrow();
        let found = world.boxes.iter().find(|b| b.id == view.folder && b.uid_validity == view.uid_validity);
        match found {
            Some(folder) => Ok(folder.clone()),
            None => {
                self.closed = true;
                Err("NO the mailbox is gone".into())
            }
        }
    }

    /// Tells what changed since the session was told last. EXPUNGE only where the protocol allows it.
    pub(super) fn updates(&mut self, expunges: bool) {
        let world = self.world.clone();
        let world = world.borrow();
        let Some(view) = &mut self.view else { return };
        let found = world.boxes.iter().find(|b| b.id == view.folder && b.uid_validity == view.uid_validity);
        let Some(folder) = found else {
            self.closed = true;
            return;
        };
        let mut lines = Vec::new();
        if expunges {
            let gone: Vec<u32> =
                view.uids.iter().copied().filter(|uid| !folder.held.iter().any(|m| m.uid == *uid)).collect();
            for uid in &gone {
                let Some(at) = view.uids.iter().position(|u| u == uid) else { continue };
                view.uids.remove(at);
                if !self.qresync {
                    lines.push(format!("* {} EXPUNGE", at + 1));
                }
            }
            if self.qresync && !gone.is_empty() {
                lines.push(format!("* VANISHED {}", set_text(gone)));
            }
        }
        let last = view.uids.last().copied().unwrap_or(0);
        let new: Vec<&Held> =
            folder.held.iter().filter(|m| m.uid > last && !view.flags.contains_key(&m.uid)).collect();
        for held in &new {
            view.uids.push(held.uid);
            view.flags.insert(held.uid, held.modseq);
        }
        if !new.is_empty() {
            lines.push(format!("* {} EXISTS", view.uids.len()));
        }
        for held in &folder.held {
            let told = view.flags.insert(held.uid, held.modseq).unwrap_or(held.modseq);
            let Some(at) = view.uids.iter().position(|u| *u == held.uid).filter(|_| told < held.modseq)
            else {
                continue;
            };
            let uid = if self.qresync { format!("UID {} ", held.uid) } else { String::new() };
            let modseq = if self.condstore { format!(" MODSEQ ({})", held.modseq) } else { String::new() };
            lines.push(format!("* {} FETCH ({uid}FLAGS ({}){modseq})", at + 1, flag_text(held)));
        }
        for line in lines {
            self.say(line);
        }
    }
}
