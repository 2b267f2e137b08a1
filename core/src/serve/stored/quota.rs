//! What an account may be filled with (RFC 9208): limits that the host has set, and what counts towards them.
//!
//! A limited account is served as a whole, so that the counts that are kept of each served mailbox are the counts of all its mail.

use super::{StoredMail, follow, numbered};
use crate::error::{Error, Result};
use crate::ids::{AccountId, MailboxId};
use crate::model::ServedLimits;
use crate::serve::backend;
use crate::store::tables::Read;
use crate::store::writer::Writer;
use crate::store::{accounts, query, served};

/// Marks the error of a write that would go beyond a limit.
pub(super) const WHAT: &str = "quota";

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) octets: u64,
    pub(super) messages: u64,
}

impl Used {
    /// With one message more, where one of the size `replaced` goes for it.
    pub(super) fn with(self, octets: u64, replaced: Option<u64>) -> Used {
        Used {
            octets: self.octets.saturating_add(octets).saturating_sub(replaced.unwrap_or(0)),
            messages: self.messages.saturating_add(1).saturating_sub(u64::from(replaced.is_some())),
        }
    }

    /// Whether it may become so much. What is beyond a limit already may still become less.
    pub(super) fn allows(self, after: Used, limits: &ServedLimits) -> bool {
        let fits = |limit: Option<u64>, before: u64, after: u64| {
            limit.is_none_or(|limit| after <= limit || after <= before)
        };
        fits(limits.octets, self.octets, after.octets) && fits(limits.messages, self.messages, after.messages)
    }
}

impl StoredMail {
    /// The limits and what counts towards them; `None` without limits.
    pub(super) fn used(&self) -> backend::Result<Option<(ServedLimits, Used)>> {
        let account = self.account;
        self.catch_up()?;
        let (limits, used) =
            self.read(|tables| Ok((accounts::served_limits(tables, account)?, used(tables, account)?)))?;
        if limits == ServedLimits::default() {
            return Ok(None);
        }
        let used = match used {
            Some(used) => used,
            None => self.write(|w| serve_all(w, account))?,
        };
        Ok(Some((limits, used)))
    }
}

/// The mailboxes of an account that may be served.
fn mailboxes(tables: &impl Read, account: AccountId) -> Result<Vec<MailboxId>> {
    let all = query::mailboxes(tables, account)?;
    Ok(all.into_iter().filter(|(_, record)| record.is_shown()).map(|(id, _)| id).collect())
}

/// All mail of an account; `None` where not all of it is served yet.
fn used(tables: &impl Read, account: AccountId) -> Result<Option<Used>> {
    let mut used = Used::default();
    for id in mailboxes(tables, account)? {
        let Some(record) = served::mailbox(tables, id)? else { return Ok(None) };
        used.octets = used.octets.saturating_add(record.size);
        used.messages = used.messages.saturating_add(record.messages.into());
    }
    Ok(Some(used))
}

/// Makes sure that everything is served, and counts it.
fn serve_all(w: &mut Writer<'_>, account: AccountId) -> Result<Used> {
    let all: Vec<MailboxId> = w.mailboxes_of(account)?.into_iter().map(|(id, _)| id).collect();
    numbered(w, |served| all.into_iter().try_for_each(|id| served.activate(id)))?;
    let mut used = Used::default();
    for (id, _) in w.mailboxes_of(account)? {
        if let Some(record) = served::mailbox(&w.tables, id)? {
            used.octets = used.octets.saturating_add(record.size);
            used.messages = used.messages.saturating_add(record.messages.into());
        }
    }
    Ok(used)
}

/// Does something, unless it would go beyond the limits: then all of it is undone.
pub(super) fn within<R>(
    w: &mut Writer<'_>,
    account: AccountId,
    act: impl FnOnce(&mut Writer<'_>) -> Result<R>,
) -> Result<R> {
    let limits = accounts::served_limits(&w.tables, account)?;
    if limits == ServedLimits::default() {
        return act(w);
    }
    let before = serve_all(w, account)?;
    let done = act(w)?;
    follow(w)?;
    let after = serve_all(w, account)?;
    match before.allows(after, &limits) {
        true => Ok(done),
        false => Err(Error::Invalid { what: WHAT, why: "there is no room for it".into() }),
    }
}
