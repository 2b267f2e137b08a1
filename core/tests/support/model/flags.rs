//! How flags are spelt and which are kept.

use std::collections::BTreeSet;

use super::{Folder, Keywords, Manners};

pub const SYSTEM: [&str; 5] = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];

/// What STORE does with its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Add,
    Remove,
    Replace,
}

/// A flag that a client may name: a system flag in its one spelling, or a keyword as it came.
pub fn named(word: &str) -> Option<String> {
    match word.strip_prefix('\\') {
        Some(_) => SYSTEM.iter().find(|s| s.eq_ignore_ascii_case(word)).map(|s| (*s).to_owned()),
        None => Some(word.to_owned()).filter(|w| !w.is_empty()),
    }
}

impl Folder {
    /// The keywords of this mailbox, each as it was spelt first.
    pub fn known_keywords(&self) -> Vec<String> {
        let mut known = self.keywords.clone();
        for word in self.held.iter().flat_map(|m| &m.flags).filter(|f| !f.starts_with('\\')) {
            if !known.iter().any(|k| k.eq_ignore_ascii_case(word)) {
                known.push(word.clone());
            }
        }
        known
    }

    /// The flag of the mailbox that a word names, in the spelling that came first. None where the
    /// mailbox does not keep it.
    pub fn kept(&mut self, word: &str, manners: &Manners) -> Option<String> {
        if word.starts_with('\\') {
            return manners.permanent.contains(&word).then(|| word.to_owned());
        }
        let known = self.known_keywords().into_iter().find(|k| k.eq_ignore_ascii_case(word));
        match (manners.keywords, known) {
            (Keywords::None, _) | (Keywords::Known, None) => None,
            (_, Some(known)) => Some(known),
            (Keywords::Any, None) => {
                self.keywords.push(word.to_owned());
                Some(word.to_owned())
            }
        }
    }

    /// The flags of a new message.
    pub fn kept_all(&mut self, words: &BTreeSet<String>, manners: &Manners) -> BTreeSet<String> {
        words.iter().filter_map(|w| self.kept(w, manners)).collect()
    }

    /// The right that changing a flag needs (RFC 4314 §4) is there.
    pub fn lets_change(&self, flag: &str) -> bool {
        let right = match flag {
            "\\Seen" => 's',
            "\\Deleted" => 't',
            _ => 'w',
        };
        self.allows(right)
    }

    pub fn allows(&self, right: char) -> bool {
        self.rights.contains(right)
    }

    /// Changes the flags of a message, and its mod-sequence where they differ then.
    pub fn change_flags(&mut self, uid: u32, change: Change, flags: &BTreeSet<String>, manners: &Manners) {
        let flags: BTreeSet<String> =
            self.kept_all(flags, manners).into_iter().filter(|f| self.lets_change(f)).collect();
        let Some(at) = self.held.iter().position(|m| m.uid == uid) else { return };
        let before = self.held[at].flags.clone();
        let after: BTreeSet<String> = match change {
            Change::Add => before.union(&flags).cloned().collect(),
            Change::Remove => before.difference(&flags).cloned().collect(),
            Change::Replace => {
                let stays = |flag: &String| {
                    let keeps = match flag.strip_prefix('\\') {
                        Some(_) => manners.permanent.contains(&flag.as_str()),
                        None => manners.keywords != Keywords::None,
                    };
                    !keeps || !self.lets_change(flag)
                };
                before.iter().filter(|f| stays(f)).cloned().chain(flags).collect()
            }
        };
        if after != before || manners.bumps_unchanged {
            self.modseq += 1;
            self.held[at].modseq = self.modseq;
            self.held[at].flags = after;
        }
    }
}
