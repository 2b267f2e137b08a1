//! STORE, with CONDSTORE's UNCHANGEDSINCE.

use std::collections::BTreeSet;

use super::super::model::flags::{Change, named};
use super::super::wire::{Arg, set_text};
use super::{Answer, Session, flag_text};

impl Session {
    pub(super) fn store(&mut self, args: &[Arg], by_uid: bool) -> Answer {
        let [set, rest @ ..] = args else { return Err("BAD STORE".into()) };
        let (modifiers, rest) = match rest {
            [Arg::List(modifiers), rest @ ..] => (modifiers.as_slice(), rest),
            rest => (&[][..], rest),
        };
        let [item, flags @ ..] = rest else { return Err("BAD STORE".into()) };
        let since = match modifiers {
            [] => None,
            [word, since] if word.is("UNCHANGEDSINCE") => {
                self.need("CONDSTORE")?;
                self.condstore = true;
                Some(since.text().parse::<u64>().map_err(|_| "BAD no mod-sequence")?)
            }
            _ => return Err("BAD no STORE modifier".into()),
        };
        let (change, silent) = item_of(&item.text())?;
        let flags = flags_of(flags)?;
        let folder = match self.writable_folder() {
            // RFC 3501 leaves open how a server says that it does not.
            Err(no) if no.contains("READ-ONLY") && self.world.borrow().manners.ignores_read_only_store => {
                return Ok("Store ignored (read-only mailbox)".into());
            }
            folder => folder?,
        };
        if !flags.is_empty() && !flags.iter().any(|f| folder.lets_change(f)) {
            return Err("NO [NOPERM] no right to these flags".into());
        }
        let picked = self.pick(&folder, &set.text(), by_uid)?;
        let mut uids = picked.uids();
        let short = self.shorten(&mut uids);
        let mut modified = Vec::new();
        for (seq, uid) in picked.here.iter().filter(|(_, uid)| uids.contains(uid)) {
            let before = folder.held.iter().find(|m| m.uid == *uid).map_or(0, |m| m.modseq);
            if since.is_some_and(|since| before > since) {
                modified.push(if by_uid { *uid } else { *seq });
                continue;
            }
            let world = self.world.clone();
            let mut world = world.borrow_mut();
            let manners = world.manners.clone();
            world.by_id(folder.id).change_flags(*uid, change, &flags, &manners);
            drop(world);
            self.tell_stored(folder.id, *seq, *uid, before, silent, by_uid);
        }
        self.flush();
        self.updates(by_uid);
        if let Some(answer) = short {
            return Err(answer);
        }
        let code = |set: Vec<u32>| format!("[MODIFIED {}] ", set_text(set));
        if !picked.gone.is_empty() {
            // RFC 7162 §3.1.3 has them in MODIFIED, RFC 2180 §4.2 has the NO.
            modified.extend(&picked.gone);
            modified.sort_unstable();
            let code = if since.is_some() { code(modified) } else { "[EXPUNGEISSUED] ".into() };
            return Err(format!("NO {code}some are gone"));
        }
        Ok(if modified.is_empty() { "stored".into() } else { format!("{}not all stored", code(modified)) })
    }

    /// The FETCH that follows a change by this session. With mod-sequences on it comes for `.SILENT`
    /// too, without the flags; flags that another changed are told in any case.
    fn tell_stored(&mut self, folder: u64, seq: u32, uid: u32, before: u64, silent: bool, by_uid: bool) {
        let world = self.world.clone();
        let mut world = world.borrow_mut();
        let Some(held) = world.by_id(folder).held.iter().find(|m| m.uid == uid) else { return };
        let Some(view) = &mut self.view else { return };
        let told = view.flags.insert(uid, held.modseq).unwrap_or(before);
        let mut items = Vec::new();
        if by_uid || self.qresync {
            items.push(format!("UID {uid}"));
        }
        let quiet = silent && told >= before;
        if quiet && !self.condstore {
            return;
        }
        if !quiet {
            items.push(format!("FLAGS ({})", flag_text(held)));
        }
        if self.condstore {
            items.push(format!("MODSEQ ({})", held.modseq));
        }
        self.say(format!("* {seq} FETCH ({})", items.join(" ")));
    }
}

fn item_of(item: &str) -> Result<(Change, bool), String> {
    let item = item.to_ascii_uppercase();
    let (item, silent) = match item.strip_suffix(".SILENT") {
        Some(item) => (item, true),
        None => (item.as_str(), false),
    };
    match item {
        "+FLAGS" => Ok((Change::Add, silent)),
        "-FLAGS" => Ok((Change::Remove, silent)),
        "FLAGS" => Ok((Change::Replace, silent)),
        _ => Err("BAD no STORE item".into()),
    }
}

/// Flags as a list or as words; what a client may not name is an error.
pub(super) fn flags_of(args: &[Arg]) -> Result<BTreeSet<String>, String> {
    let words = args.iter().flat_map(Arg::items).map(|a| a.text());
    words.map(|w| named(&w).ok_or_else(|| format!("BAD {w} cannot be set"))).collect()
}
