//! What everybody asked for, by message: against it the end is judged.
//!
//! A message is known by its token, whatever mailbox it is in and however many copies there are. What was asked for by a
//! call that the power ended may have been asked for or not.

use std::collections::{BTreeMap, BTreeSet};

/// Who does something to mail: another client, or a device by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    Other,
    Device(usize),
}

/// What is done to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    Flags,
    Move,
    Copy,
    Delete,
}

impl Deed {
    pub fn name(self) -> &'static str {
        match self {
            Deed::Flags => "flags",
            Deed::Move => "move",
            Deed::Copy => "copy",
            Deed::Delete => "delete",
        }
    }
}

/// What was asked for of one message and its copies.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// It was put in for certain.
    pub sure: bool,
    /// A device put it in.
    pub made_here: bool,
    /// Copies that were asked for.
    pub copies: u32,
    /// Copies that another client made, and that were there at once.
    pub copies_made: u32,
    pub deletes: u32,
    /// How often another client put it where a device may have put it too: then one may stand for both.
    pub alike: u32,
    /// Its mailbox was deleted, or was to be: how many of it went is not known.
    pub wiped: bool,
    pub moves: Vec<Party>,
    /// Another client marked it as deleted, and did not mean it.
    pub marked: bool,
    /// It was to go into a mailbox of one device.
    pub taken_down: bool,
    /// Everybody who did anything to it.
    pub parties: BTreeSet<Party>,
    /// A call about it ended with the power.
    pub unsure: bool,
    /// Something about it was set aside.
    pub set_aside: bool,
}

/// The book.
#[derive(Debug, Default)]
pub struct Ledger {
    pub entries: BTreeMap<String, Entry>,
    next: u32,
}

impl Ledger {
    /// The number of a new message.
    pub fn next_number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    pub fn of(&mut self, token: &str) -> &mut Entry {
        self.entries.entry(token.to_owned()).or_default()
    }

    /// A message was put in, for certain or perhaps.
    pub fn put(&mut self, token: &str, party: Party, sure: bool) {
        let entry = self.of(token);
        entry.sure = sure;
        entry.unsure |= !sure;
        entry.parties.insert(party);
        entry.made_here = party != Party::Other;
    }

    /// Something was done to a message, for certain or perhaps.
    pub fn did(&mut self, token: &str, party: Party, deed: Deed, sure: bool) {
        let entry = self.of(token);
        entry.parties.insert(party);
        entry.unsure |= !sure;
        match deed {
            Deed::Flags => {}
            Deed::Move => entry.moves.push(party),
            Deed::Copy => {
                entry.copies += 1;
                entry.copies_made += u32::from(party == Party::Other);
            }
            Deed::Delete => entry.deletes += 1,
        }
    }
}

impl Entry {
    /// Whether one device alone had anything to do with it.
    pub fn is_only(&self, party: Party) -> bool {
        self.parties.len() == 1 && self.parties.contains(&party)
    }

    /// Whether several had.
    pub fn is_shared(&self) -> bool {
        self.parties.len() > 1
    }

    /// How many there must be at least.
    pub fn least(&self) -> u32 {
        // A copy of what another client marked has the mark, and goes with what is deleted.
        // A known gap: what was to come to this device, and could not be expunged there, keeps its mark and goes with the next
        // EXPUNGE of another.
        if self.taken_down && self.set_aside {
            return 0;
        }
        if !self.sure || self.wiped || self.marked && self.deletes > 0 {
            return 0;
        }
        (1 + self.copies_made).saturating_sub(self.deletes + self.alike).max(u32::from(self.deletes == 0))
    }

    /// How many there may be at most. Where a move is a COPY and an expunge, two that move the same message at once leave
    /// one each: nothing in the protocol can prevent it.
    ///
    /// What a device put in by a command whose answer was lost, and another moved away before the device looked, is sent again:
    /// the device cannot know.
    pub fn most(&self, moves_are_atomic: bool, answers_are_lost: bool) -> u32 {
        let mut most = 1 + self.copies;
        if answers_are_lost && self.is_shared() && (self.made_here || self.copies > self.copies_made) {
            most += self.moves.len() as u32;
        }
        // Where the original cannot be marked, the copy that was made stays too.
        if (!moves_are_atomic || self.taken_down) && (self.is_shared() || self.set_aside) {
            most += self.moves.len() as u32;
        }
        most
    }
}
