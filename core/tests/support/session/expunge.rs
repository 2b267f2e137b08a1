//! EXPUNGE and UID EXPUNGE (RFC 4315).

use super::super::model::{Folder, How};
use super::super::wire::Arg;
use super::{Answer, Session};

impl Session {
    pub(super) fn expunge(&mut self, args: &[Arg], by_uid: bool) -> Answer {
        if by_uid {
            self.need("UIDPLUS")?;
        }
        let folder = self.writable_folder()?;
        let mut uids = folder.deleted();
        match (args, by_uid) {
            ([], false) => {}
            ([set], true) => {
                let picked = self.pick(&folder, &set.text(), true)?.uids();
                uids.retain(|uid| picked.contains(uid));
            }
            _ => return Err("BAD EXPUNGE".into()),
        }
        if !folder.allows('e') {
            return Err("NO [NOPERM] nothing may be expunged here".into());
        }
        let short = self.shorten(&mut uids);
        self.world.borrow_mut().take_out(folder.id, &uids, How::Expunged, self.by());
        self.updates(true);
        match short {
            Some(answer) => Err(answer),
            None if uids.is_empty() => Ok("nothing to expunge".into()),
            None => Ok(format!("{}expunged", self.modseq_code(folder.id))),
        }
    }
}

impl Folder {
    /// UIDs of what is marked as deleted.
    pub(super) fn deleted(&self) -> Vec<u32> {
        self.held.iter().filter(|m| m.flags.contains("\\Deleted")).map(|m| m.uid).collect()
    }
}
