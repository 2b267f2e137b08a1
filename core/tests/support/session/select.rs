//! SELECT and EXAMINE, with CONDSTORE and QRESYNC, and CLOSE.

use super::super::model::{Folder, How, Keywords};
use super::super::wire::{Arg, holds, ranges, set_text};
use super::{Answer, FLAGS, Session, View, flag_text};

impl Session {
    pub(super) fn select(&mut self, args: &[Arg], examine: bool) -> Answer {
        let (name, params) = match args {
            [name] => (name, Vec::new()),
            [name, params] => (name, params.items()),
            _ => return Err("BAD SELECT".into()),
        };
        let resync = params.iter().find_map(|p| match p {
            Arg::List(resync) => Some(resync.clone()),
            _ => None,
        });
        if params.iter().any(|p| p.is("CONDSTORE")) {
            self.need("CONDSTORE")?;
            self.condstore = true;
        }
        if resync.is_some() && !self.qresync {
            self.violation("QRESYNC was not enabled");
            return Err("BAD QRESYNC was not enabled".into());
        }
        if self.view.take().is_some() && self.qresync {
            self.say("* OK [CLOSED] closed".into());
        }
        let world = self.world.clone();
        let world = world.borrow();
        let folder = world
            .find(&name.text())
            .filter(|f| f.selectable)
            .ok_or_else(|| "NO [NONEXISTENT] no such mailbox".to_owned())?;
        if !folder.allows('r') {
            return Err("NO [NOPERM] not to be read".into());
        }
        let read_only = examine || !folder.rights.contains(|right| "swite".contains(right));
        self.view = Some(View {
            folder: folder.id,
            read_only,
            uid_validity: folder.uid_validity,
            uids: folder.held.iter().map(|m| m.uid).collect(),
            flags: folder.held.iter().map(|m| (m.uid, m.modseq)).collect(),
        });
        self.say(format!("* {} EXISTS", folder.held.len()));
        self.say("* 0 RECENT".into());
        let known = folder.known_keywords();
        self.say(format!("* FLAGS ({})", [vec![FLAGS.to_owned()], known.clone()].concat().join(" ")));
        let mut permanent: Vec<&str> = Vec::new();
        if !read_only {
            permanent.extend(&world.manners.permanent);
            if world.manners.keywords != Keywords::None {
                permanent.extend(known.iter().map(String::as_str));
            }
            if world.manners.keywords == Keywords::Any {
                permanent.push("\\*");
            }
        }
        self.say(format!("* OK [PERMANENTFLAGS ({})] kept", permanent.join(" ")));
        self.say(format!("* OK [UIDVALIDITY {}] valid", folder.uid_validity));
        self.say(format!("* OK [UIDNEXT {}] predicted", folder.uid_next));
        if world.has("CONDSTORE") {
            self.say(format!("* OK [HIGHESTMODSEQ {}] highest", folder.modseq));
        }
        if world.has("OBJECTID") {
            self.say(format!("* OK [MAILBOXID (F{})] id", folder.id));
        }
        if let Some(resync) = resync {
            self.resync(folder, &resync)?;
        }
        Ok(if read_only { "[READ-ONLY] opened" } else { "[READ-WRITE] opened" }.into())
    }

    fn resync(&mut self, folder: &Folder, resync: &[Arg]) -> Result<(), String> {
        let number = |at: usize| resync.get(at).and_then(|a| a.text().parse::<u64>().ok());
        let (Some(uid_validity), Some(modseq)) = (number(0), number(1)) else {
            return Err("BAD QRESYNC".into());
        };
        if uid_validity != u64::from(folder.uid_validity) {
            return Ok(());
        }
        let known = resync.get(2).map(|set| ranges(&set.text(), u32::MAX));
        self.earlier(folder, modseq, known.as_deref());
        self.changes(folder, modseq);
        Ok(())
    }

    pub(super) fn earlier(&mut self, folder: &Folder, modseq: u64, asked: Option<&[(u32, u32)]>) {
        let wanted = |uid: u32| asked.is_none_or(|set| holds(set, uid));
        let mut gone: Vec<u32> = if modseq < folder.remembers_from {
            let here: Vec<u32> = folder.held.iter().map(|m| m.uid).collect();
            (1..folder.uid_next).filter(|uid| !here.contains(uid) && wanted(*uid)).collect()
        } else {
            folder.gone.iter().filter(|(uid, at)| *at > modseq && wanted(*uid)).map(|(uid, _)| *uid).collect()
        };
        gone.sort_unstable();
        gone.dedup();
        if !gone.is_empty() {
            self.say(format!("* VANISHED (EARLIER) {}", set_text(gone)));
        }
    }

    fn changes(&mut self, folder: &Folder, modseq: u64) {
        for (at, held) in folder.held.iter().enumerate().filter(|(_, m)| m.modseq > modseq) {
            self.say(format!(
                "* {} FETCH (UID {} FLAGS ({}) MODSEQ ({}))",
                at + 1,
                held.uid,
                flag_text(held),
                held.modseq
            ));
        }
    }

    /// CLOSE: what is marked as deleted goes without a word, unless the mailbox is only read.
    pub(super) fn close(&mut self) -> Answer {
        let world = self.world.clone();
        let folder = self.open_folder()?;
        let read_only = self.view.as_ref().is_some_and(|v| v.read_only);
        if !read_only && folder.allows('e') {
            let mut deleted = folder.deleted();
            let short = self.shorten(&mut deleted);
            world.borrow_mut().take_out(folder.id, &deleted, How::Expunged, self.by());
            if let Some(answer) = short {
                return Err(answer);
            }
        }
        self.view = None;
        Ok("closed".into())
    }
}
