//! Placements: which message stands in a mailbox under which UID, with its flags.
//!
//! Rows have a fixed width and are packed 256 UIDs to a value, so that a scan of a mailbox's flags
//! touches little and parses nothing.

use std::ops::ControlFlow;

use redb::ReadableTable;

use crate::error::{Error, Result};
use crate::flags::Flags;
use crate::ids::{MailboxId, MessageId};
use crate::set::UidSet;
use crate::store::keys;

const WIDTH: usize = 24;

/// One placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) uid: u32,
    pub(crate) flags: Flags,
    /// Id of a stored keyword set; 0 for none.
    pub(crate) keywords: u32,
    pub(crate) message: MessageId,
    /// 0 where the server has no mod-sequences.
    pub(crate) modseq: u64,
}

impl Placement {
    fn to_row(self) -> [u8; WIDTH] {
        let mut row = [0; WIDTH];
        row[0] = self.uid as u8;
        row[2..4].copy_from_slice(&self.flags.bits().to_be_bytes());
        row[4..8].copy_from_slice(&self.keywords.to_be_bytes());
        row[8..16].copy_from_slice(&self.message.0.to_be_bytes());
        row[16..24].copy_from_slice(&self.modseq.to_be_bytes());
        row
    }

    fn from_row(page: u32, row: &[u8; WIDTH]) -> Placement {
        let [uid, _, f0, f1, k0, k1, k2, k3, rest @ ..] = *row;
        let [m0, m1, m2, m3, m4, m5, m6, m7, modseq @ ..] = rest;
        Placement {
            uid: page << 8 | u32::from(uid),
            flags: Flags::from_bits(u16::from_be_bytes([f0, f1])),
            keywords: u32::from_be_bytes([k0, k1, k2, k3]),
            message: MessageId(u64::from_be_bytes([m0, m1, m2, m3, m4, m5, m6, m7])),
            modseq: u64::from_be_bytes(modseq),
        }
    }
}

/// The rows of one page, which a writer changes and puts back whole.
pub(crate) struct PageRows {
    mailbox: MailboxId,
    page: u32,
    rows: Vec<u8>,
    dirty: bool,
}

impl PageRows {
    pub(crate) fn load(
        table: &impl ReadableTable<&'static [u8], &'static [u8]>,
        mailbox: MailboxId,
        uid: u32,
    ) -> Result<PageRows> {
        let rows = table
            .get(keys::placement(mailbox, uid).as_slice())?
            .map(|v| v.value().to_vec())
            .unwrap_or_default();
        check(&rows)?;
        Ok(PageRows { mailbox, page: uid >> 8, rows, dirty: false })
    }

    pub(crate) fn holds(&self, mailbox: MailboxId, uid: u32) -> bool {
        self.mailbox == mailbox && self.page == uid >> 8
    }

    pub(crate) fn get(&self, uid: u32) -> Option<Placement> {
        self.find(uid).ok().map(|at| self.at(at))
    }

    pub(crate) fn put(&mut self, placement: Placement) {
        let row = placement.to_row();
        self.dirty = true;
        match self.find(placement.uid) {
            Ok(at) => self.rows[at * WIDTH..][..WIDTH].copy_from_slice(&row),
            Err(at) => {
                let tail = at * WIDTH;
                self.rows.splice(tail..tail, row);
            }
        }
    }

    pub(crate) fn remove(&mut self, uid: u32) -> Option<Placement> {
        let at = self.find(uid).ok()?;
        let gone = self.at(at);
        self.rows.drain(at * WIDTH..(at + 1) * WIDTH);
        self.dirty = true;
        Some(gone)
    }

    /// Puts the page back where it was changed.
    pub(crate) fn store(self, table: &mut redb::Table<'_, &'static [u8], &'static [u8]>) -> Result<()> {
        if self.dirty {
            let key = keys::placement(self.mailbox, self.page << 8);
            if self.rows.is_empty() {
                table.remove(key.as_slice())?;
            } else {
                table.insert(key.as_slice(), self.rows.as_slice())?;
            }
        }
        Ok(())
    }

    /// Its rows, by UID.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Placement> + '_ {
        (0..self.rows.len() / WIDTH).map(|at| self.at(at))
    }

    fn at(&self, index: usize) -> Placement {
        let row = self.rows[index * WIDTH..].first_chunk().expect("the page's length was checked");
        Placement::from_row(self.page, row)
    }

    fn find(&self, uid: u32) -> Result<usize, usize> {
        let low = uid as u8;
        let (mut from, mut to) = (0, self.rows.len() / WIDTH);
        while from < to {
            let middle = from.midpoint(to);
            match self.rows[middle * WIDTH].cmp(&low) {
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => to = middle,
            }
        }
        Err(from)
    }
}

fn check(rows: &[u8]) -> Result<()> {
    if !rows.len().is_multiple_of(WIDTH) {
        return Err(Error::Corrupt("a page of placements has a broken length".into()));
    }
    Ok(())
}

/// One placement, read alone.
pub(crate) fn get(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    mailbox: MailboxId,
    uid: u32,
) -> Result<Option<Placement>> {
    let Some(value) = table.get(keys::placement(mailbox, uid).as_slice())? else { return Ok(None) };
    let rows = value.value();
    check(rows)?;
    let low = uid as u8;
    let (mut from, mut to) = (0, rows.len() / WIDTH);
    while from < to {
        let middle = from.midpoint(to);
        let row: &[u8; WIDTH] = rows[middle * WIDTH..].first_chunk().expect("the page's length was checked");
        match row[0].cmp(&low) {
            std::cmp::Ordering::Less => from = middle + 1,
            std::cmp::Ordering::Equal => return Ok(Some(Placement::from_row(uid >> 8, row))),
            std::cmp::Ordering::Greater => to = middle,
        }
    }
    Ok(None)
}

/// Walks a mailbox's placements by UID.
pub(crate) fn scan(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    mailbox: MailboxId,
    mut see: impl FnMut(Placement),
) -> Result<()> {
    walk(table, mailbox, 0, |placement| {
        see(placement);
        ControlFlow::Continue(())
    })
}

/// Walks a mailbox's placements from a UID on, for as long as `see` goes on.
pub(crate) fn walk(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    mailbox: MailboxId,
    from: u32,
    mut see: impl FnMut(Placement) -> ControlFlow<()>,
) -> Result<()> {
    let (first, end) = (keys::placement(mailbox, from), keys::after_mailbox(mailbox));
    for entry in table.range(first.as_slice()..end.as_slice())? {
        let (key, value) = entry?;
        let page = keys::read_u32(key.value(), 4).unwrap_or(0);
        let rows = value.value();
        check(rows)?;
        for row in rows.as_chunks::<WIDTH>().0 {
            let placement = Placement::from_row(page, row);
            if placement.uid >= from && see(placement).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The UIDs that stand in a mailbox.
pub(crate) fn uids(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    mailbox: MailboxId,
) -> Result<UidSet> {
    let mut set = UidSet::new();
    scan(table, mailbox, |p| set.insert(p.uid))?;
    Ok(set)
}
