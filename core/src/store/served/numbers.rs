//! Rows entered, changed and removed, with the counts beside them; and the proof that they are right.

use hashbrown::HashSet;
use redb::ReadableTable;

use crate::error::Result;
use crate::ids::{MailboxId, MessageId};
use crate::store::served::{
    REMEMBERED, Served, ServedMailbox, ServedRow, Wanted, is_deleted, is_unseen, rows,
};
use crate::store::tables::{Read, Snapshot, get};
use crate::store::{keys, query, record};

/// Where a message is served.
pub(crate) fn place_of(tables: &impl Read, id: MessageId) -> Result<Option<(MailboxId, u32)>> {
    let stored = get(tables.served_at(), &keys::message(id))?;
    Ok(stored.and_then(|v| Some((MailboxId(keys::read_u32(&v, 0)?), keys::read_u32(&v, 4)?))))
}

/// Where a message is served, and the size that was counted for it.
fn at(mailbox: MailboxId, uid: u32, size: u64) -> [u8; 16] {
    let mut value = [0; 16];
    value[..4].copy_from_slice(&mailbox.0.to_be_bytes());
    value[4..8].copy_from_slice(&uid.to_be_bytes());
    value[8..].copy_from_slice(&size.to_be_bytes());
    value
}

impl Served<'_, '_> {
    pub(super) fn enter(&mut self, id: MessageId, wanted: Wanted) -> Result<()> {
        let modseq = self.modseq();
        let keywords = self.w.keyword_set(&wanted.flags)?;
        let flags = wanted.flags.flags;
        let Some(mailbox) = self.box_mut(wanted.mailbox)? else { return Ok(()) };
        let uid = mailbox.uid_next;
        // With the last UID given, nothing more can be served under this UIDVALIDITY.
        let Some(next) = uid.checked_add(1) else { return Ok(()) };
        mailbox.uid_next = next;
        mailbox.highest_modseq = modseq;
        let row = ServedRow { uid, flags, keywords, message: id, modseq };
        mailbox.count(&row, wanted.size);
        self.pages.of(&self.w.tables, wanted.mailbox, uid)?.put(row);
        let value = at(wanted.mailbox, uid, wanted.size);
        self.w.tables.served_at.insert(keys::message(id).as_slice(), value.as_slice())?;
        self.altered = true;
        Ok(())
    }

    pub(super) fn change(&mut self, mailbox: MailboxId, uid: u32, wanted: &Wanted) -> Result<()> {
        let modseq = self.modseq();
        let keywords = self.w.keyword_set(&wanted.flags)?;
        let page = self.pages.of(&self.w.tables, mailbox, uid)?;
        let Some(old) = page.get(uid) else { return Ok(()) };
        let new = ServedRow { flags: wanted.flags.flags, keywords, modseq, ..old };
        if (old.flags, old.keywords) == (new.flags, new.keywords) {
            return Ok(());
        }
        page.put(new);
        let size = self.size_of(old.message)?;
        if let Some(mailbox) = self.box_mut(mailbox)? {
            mailbox.discount(&old, size);
            mailbox.count(&new, size);
            mailbox.highest_modseq = modseq;
        }
        self.altered = true;
        Ok(())
    }

    pub(super) fn remove(&mut self, id: MessageId, mailbox: MailboxId, uid: u32) -> Result<()> {
        let modseq = self.modseq();
        let size = self.size_of(id)?;
        self.w.tables.served_at.remove(keys::message(id).as_slice())?;
        self.altered = true;
        let Some(old) = self.pages.of(&self.w.tables, mailbox, uid)?.remove(uid) else { return Ok(()) };
        let Some(record) = self.box_mut(mailbox)? else { return Ok(()) };
        record.discount(&old, size);
        record.highest_modseq = modseq;
        record.remembered += 1;
        let full = record.remembered > REMEMBERED;
        let key = keys::served_gone(mailbox, modseq, uid);
        self.w.tables.served_gone.insert(key.as_slice(), [].as_slice())?;
        if full { self.forget_half(mailbox) } else { Ok(()) }
    }

    fn size_of(&self, id: MessageId) -> Result<u64> {
        let stored = get(&self.w.tables.served_at, &keys::message(id))?;
        Ok(stored.and_then(|v| keys::read_u64(&v, 8)).unwrap_or(0))
    }

    /// Forgets the older half of the expunges of a mailbox, whole mod-sequences at a time.
    fn forget_half(&mut self, mailbox: MailboxId) -> Result<()> {
        let (from, to) = (keys::mailbox(mailbox), keys::after_mailbox(mailbox));
        let mut keys_gone = Vec::new();
        let mut upto = 0;
        for entry in self.w.tables.served_gone.range(from.as_slice()..to.as_slice())? {
            let key = entry?.0.value().to_vec();
            let modseq = keys::read_u64(&key, 4).unwrap_or(0);
            if keys_gone.len() >= (REMEMBERED / 2) as usize && modseq != upto {
                break;
            }
            upto = modseq;
            keys_gone.push(key);
        }
        for key in &keys_gone {
            self.w.tables.served_gone.remove(key.as_slice())?;
        }
        if let Some(record) = self.box_mut(mailbox)? {
            record.forgotten = record.forgotten.max(upto);
            record.remembered -= keys_gone.len() as u32;
        }
        Ok(())
    }

    /// Serves a mailbox no longer.
    pub(super) fn forget(&mut self, id: MailboxId) -> Result<()> {
        for row in self.pages.all(&self.w.tables, id)? {
            self.w.tables.served_at.remove(keys::message(row.message).as_slice())?;
        }
        self.pages.forget(id);
        let (from, to) = (keys::mailbox(id), keys::after_mailbox(id));
        self.w.tables.served.retain_in(from.as_slice()..to.as_slice(), |_, _| false)?;
        self.w.tables.served_gone.retain_in(from.as_slice()..to.as_slice(), |_, _| false)?;
        self.w.tables.served_mailboxes.remove(id.0.to_be_bytes().as_slice())?;
        self.mailboxes.insert(id, None);
        self.altered = true;
        Ok(())
    }

    /// Serves nothing any more, until it is asked for again.
    pub(super) fn forget_all(&mut self) -> Result<()> {
        for id in self.all()? {
            self.forget(id)?;
        }
        Ok(())
    }
}

impl ServedMailbox {
    fn count(&mut self, row: &ServedRow, size: u64) {
        self.messages += 1;
        self.size += size;
        self.unseen += u32::from(is_unseen(row.flags));
        if is_deleted(row.flags) {
            self.deleted += 1;
            self.deleted_size += size;
        }
    }

    fn discount(&mut self, row: &ServedRow, size: u64) {
        self.messages = self.messages.saturating_sub(1);
        self.size = self.size.saturating_sub(size);
        self.unseen = self.unseen.saturating_sub(u32::from(is_unseen(row.flags)));
        if is_deleted(row.flags) {
            self.deleted = self.deleted.saturating_sub(1);
            self.deleted_size = self.deleted_size.saturating_sub(size);
        }
    }
}

/// Every served row has its message under its number, and the counts are the rows'. What the rows have not followed yet
/// is no fault.
pub(crate) fn verify(tables: &Snapshot, mut problem: impl FnMut(String)) -> Result<()> {
    let mut served = HashSet::new();
    for entry in tables.served_mailboxes.iter()? {
        let (key, value) = entry?;
        let id = MailboxId(keys::read_u32(key.value(), 0).unwrap_or(0));
        let mailbox: ServedMailbox = record::decode(value.value())?;
        let mut counted = ServedMailbox {
            messages: 0,
            unseen: 0,
            deleted: 0,
            size: 0,
            deleted_size: 0,
            remembered: 0,
            ..mailbox.clone()
        };
        let mut last = 0;
        let mut failed = None;
        rows::each(&tables.served, id, 1, |row| {
            let size = get(&tables.served_at, &keys::message(row.message)).map(|value| {
                value.filter(|v| v[..8] == at(id, row.uid, 0)[..8]).and_then(|v| keys::read_u64(&v, 8))
            });
            match size {
                Ok(Some(size)) => counted.count(&row, size),
                Ok(None) => problem(format!(
                    "message {} is served as {} of {id}, and elsewhere",
                    row.message, row.uid
                )),
                Err(error) => failed = Some(error),
            }
            if row.uid <= last || row.uid >= mailbox.uid_next || row.modseq > mailbox.highest_modseq {
                problem(format!("mailbox {id}: the number {} is served out of order", row.uid));
            }
            last = row.uid;
            served.insert(row.message);
            failed.is_none()
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        let (from, to) = (keys::mailbox(id), keys::after_mailbox(id));
        counted.remembered = tables.served_gone.range(from.as_slice()..to.as_slice())?.count() as u32;
        if counted != mailbox {
            problem(format!("mailbox {id}: what is served is not as much as counted"));
        }
        if query::mailbox(tables, id).is_err() {
            problem(format!("mailbox {id} is served and is not there"));
        }
    }
    for entry in tables.served_at.iter()? {
        let id = MessageId(keys::read_u64(entry?.0.value(), 0).unwrap_or(0));
        if !served.contains(&id) {
            problem(format!("message {id} is said to be served and is not"));
        }
    }
    Ok(())
}
