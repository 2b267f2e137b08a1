//! The rows of a served mailbox, packed as placements are.

use std::ops::ControlFlow;

use hashbrown::HashMap;
use redb::ReadableTable;

use crate::error::Result;
use crate::ids::MailboxId;
use crate::set::UidSet;
use crate::store::keys;
use crate::store::placements::{self, PageRows, Placement};
use crate::store::tables::{Snapshot, Tables};

/// A message under the UID by which it is served; the mod-sequence is ours.
pub(crate) type ServedRow = Placement;

/// Pages that one transaction works on.
#[derive(Default)]
pub(super) struct Pages {
    open: HashMap<(MailboxId, u32), PageRows>,
}

impl Pages {
    pub(super) fn of(&mut self, tables: &Tables<'_>, mailbox: MailboxId, uid: u32) -> Result<&mut PageRows> {
        let key = (mailbox, uid >> 8);
        if !self.open.contains_key(&key) {
            self.open.insert(key, PageRows::load(&tables.served, mailbox, uid)?);
        }
        Ok(self.open.get_mut(&key).expect("it was just put there"))
    }

    /// Every row of a mailbox, those changed in this transaction as they are now.
    pub(super) fn all(&mut self, tables: &Tables<'_>, mailbox: MailboxId) -> Result<Vec<ServedRow>> {
        let mut all = Vec::new();
        placements::scan(&tables.served, mailbox, |row| {
            if !self.open.contains_key(&(mailbox, row.uid >> 8)) {
                all.push(row);
            }
        })?;
        let mine = self.open.iter().filter(|((id, _), _)| *id == mailbox);
        all.extend(mine.flat_map(|(_, page)| page.rows()));
        all.sort_unstable_by_key(|row| row.uid);
        Ok(all)
    }

    /// Drops what was not written of a mailbox that goes.
    pub(super) fn forget(&mut self, mailbox: MailboxId) {
        self.open.retain(|(id, _), _| *id != mailbox);
    }

    pub(super) fn store(self, tables: &mut Tables<'_>) -> Result<()> {
        let mut open: Vec<_> = self.open.into_iter().collect();
        open.sort_unstable_by_key(|(key, _)| *key);
        open.into_iter().try_for_each(|(_, page)| page.store(&mut tables.served))
    }
}

/// Walks the rows of a mailbox from a UID on, for as long as `see` wants more.
pub(crate) fn each(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    mailbox: MailboxId,
    from: u32,
    mut see: impl FnMut(ServedRow) -> bool,
) -> Result<()> {
    placements::walk(table, mailbox, from, |row| {
        if see(row) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
}

/// Rows from a UID on, ascending, at most `most`.
pub(crate) fn rows(tables: &Snapshot, mailbox: MailboxId, from: u32, most: usize) -> Result<Vec<ServedRow>> {
    let mut all = Vec::new();
    if most > 0 {
        each(&tables.served, mailbox, from, |row| {
            all.push(row);
            all.len() < most
        })?;
    }
    Ok(all)
}

/// Rows that changed above a mod-sequence.
pub(crate) fn changed(tables: &Snapshot, mailbox: MailboxId, since: u64) -> Result<Vec<ServedRow>> {
    let mut all = Vec::new();
    each(&tables.served, mailbox, 1, |row| {
        if row.modseq > since {
            all.push(row);
        }
        true
    })?;
    Ok(all)
}

/// One row.
pub(crate) fn row(tables: &Snapshot, mailbox: MailboxId, uid: u32) -> Result<Option<ServedRow>> {
    placements::get(&tables.served, mailbox, uid)
}

/// The UIDs that went above a mod-sequence.
pub(crate) fn expunged(tables: &Snapshot, mailbox: MailboxId, since: u64) -> Result<UidSet> {
    let from = keys::served_gone(mailbox, since.saturating_add(1), 0);
    let to = keys::after_mailbox(mailbox);
    let mut gone = UidSet::new();
    for entry in tables.served_gone.range(from.as_slice()..to.as_slice())? {
        gone.extend(keys::read_u32(entry?.0.value(), 12));
    }
    Ok(gone)
}
