//! Mailboxes as they are served, by name.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ids::{AccountId, MailboxId};
use crate::imap::mailbox_name;
use crate::model::{Change, MailboxKind, Role};
use crate::serve::backend::Mailbox;
use crate::store::accounts::subscriptions_key as key;
use crate::store::actions::mailbox::{self, Name};
use crate::store::actions::place;

use crate::store::record::{self, Record};
use crate::store::records::MailboxRecord;
use crate::store::tables::{Read, Snapshot, get};
use crate::store::writer::Writer;
use crate::store::{query, served};

/// Names that are subscribed to without being mailboxes (RFC 9051 §6.3.7 lets a client do so).
#[derive(Default, Serialize, Deserialize)]
struct Subscriptions {
    names: BTreeSet<String>,
}

impl Record for Subscriptions {
    const VERSION: u8 = 1;
    const NAME: &'static str = "subscriptions";
}

/// Names that one account may subscribe to without their being mailboxes.
const MOST_NAMES: usize = 10_000;

fn subscriptions(tables: &impl Read, account: AccountId) -> Result<Subscriptions> {
    let stored = get(tables.meta(), &key(account))?;
    Ok(stored.map(|bytes| record::decode(&bytes)).transpose()?.unwrap_or_default())
}

pub(super) fn delimiter(tables: &Snapshot, account: AccountId) -> Result<char> {
    let all = query::mailboxes(tables, account)?;
    Ok(all.iter().find_map(|(_, m)| m.delimiter).map_or('/', char::from))
}

pub(super) fn list(tables: &Snapshot, account: AccountId) -> Result<Vec<Mailbox>> {
    let mut all = query::mailboxes(tables, account)?;
    all.retain(|(_, m)| m.is_shown());
    // Names belong to the server's own first.
    all.sort_by_key(|(id, m)| (m.kind == MailboxKind::Local, *id));
    let mut names = BTreeSet::new();
    let mut list = Vec::new();
    for (id, record) in all {
        let selectable = record.selectable;
        let info = query::mailbox_info(id, record);
        let mut name = info.name;
        while !names.insert(name.clone()) {
            name.push_str(" (local)");
        }
        let special_use = info.role.and_then(attribute).map(str::to_owned).into_iter().collect();
        let id = selectable.then_some(id);
        list.push(Mailbox { id, name, subscribed: info.subscribed, special_use });
    }
    for name in subscriptions(tables, account)?.names {
        if names.insert(name.clone()) {
            list.push(Mailbox { id: None, name, subscribed: true, special_use: Vec::new() });
        }
    }
    Ok(list)
}

/// The attribute of RFC 6154 that says a role.
fn attribute(role: Role) -> Option<&'static str> {
    Some(match role {
        Role::All => "\\All",
        Role::Archive => "\\Archive",
        Role::Drafts => "\\Drafts",
        Role::Flagged => "\\Flagged",
        Role::Important => "\\Important",
        Role::Junk => "\\Junk",
        Role::Sent => "\\Sent",
        Role::Trash => "\\Trash",
        _ => return None,
    })
}

/// The role that a client may give a mailbox that it makes.
pub(super) fn role(attribute: &str) -> Option<Role> {
    let all = [Role::Archive, Role::Drafts, Role::Junk, Role::Sent, Role::Trash];
    all.into_iter().find(|role| self::attribute(*role).is_some_and(|a| a.eq_ignore_ascii_case(attribute)))
}

fn wire(name: &str) -> Name {
    Name { text: name.to_owned(), wire: mailbox_name::encode(name, false) }
}

/// Makes a mailbox, and on this device what is missing above it; another server makes that itself.
pub(super) fn create(
    w: &mut Writer<'_>,
    account: AccountId,
    name: &str,
    role: Option<Role>,
) -> Result<MailboxId> {
    make_above(w, account, name)?;
    let id = mailbox::create(w, account, wire(name), false, role)?;
    if w.mailbox(id)?.kind != MailboxKind::Server {
        // CREATE subscribes to nothing; the name may have been subscribed to before.
        let wanted = subscriptions(&w.tables, account)?.names.contains(name);
        subscribe_to_nothing(w, account, name, false)?;
        w.mailbox(id)?.subscribed = wanted;
    }
    Ok(id)
}

/// Deletes a mailbox; whoever subscribed to its name goes on doing so (RFC 9051 §6.3.7).
pub(super) fn delete(w: &mut Writer<'_>, account: AccountId, id: MailboxId) -> Result<()> {
    let record = w.mailbox(id)?;
    let kept = (record.kind != MailboxKind::Server && record.subscribed).then(|| record.name.clone());
    mailbox::delete(w, id)?;
    kept.map_or(Ok(()), |name| subscribe_to_nothing(w, account, &name, true))
}

fn make_above(w: &mut Writer<'_>, account: AccountId, name: &str) -> Result<()> {
    let all = w.mailboxes_of(account)?;
    let delimiter = all.iter().find_map(|(_, m)| m.delimiter).map_or('/', char::from);
    if all.iter().any(|(_, m)| m.kind == MailboxKind::Server) {
        return Ok(());
    }
    for (at, _) in name.match_indices(delimiter) {
        let above = &name[..at];
        let there = |m: &MailboxRecord| !m.gone && m.name == above;
        if !above.is_empty() && !all.iter().any(|(_, m)| there(m)) {
            let id = mailbox::create(w, account, wire(above), true, None)?;
            w.mailbox(id)?.subscribed = subscriptions(&w.tables, account)?.names.contains(above);
        }
    }
    Ok(())
}

/// Renames a mailbox; of the inbox the mail goes to a new one (RFC 9051 §6.3.6).
pub(super) fn rename(w: &mut Writer<'_>, account: AccountId, id: MailboxId, to: &str) -> Result<()> {
    if w.mailbox(id)?.role != Some(Role::Inbox) {
        make_above(w, account, to)?;
        return mailbox::rename(w, id, wire(to));
    }
    let new = create(w, account, to, None)?;
    super::numbered(w, |served| served.activate(new))?;
    // In the order of their numbers, and behind them what has none: it is not here whole.
    let mut messages = Vec::new();
    served::each(&w.tables.served, id, 1, |row| {
        messages.push(row.message);
        true
    })?;
    let numbered: BTreeSet<_> = messages.iter().copied().collect();
    messages.extend(mailbox::messages(w, id)?.into_iter().filter(|message| !numbered.contains(message)));
    for message in messages {
        place::move_to(w, message, new)?;
        super::numbered(w, |served| served.settle(message))?;
    }
    Ok(())
}

/// Subscribes to a name that no mailbox has.
pub(super) fn subscribe_to_nothing(
    w: &mut Writer<'_>,
    account: AccountId,
    name: &str,
    on: bool,
) -> Result<()> {
    let mut all = subscriptions(&w.tables, account)?;
    let changed = if on { all.names.insert(name.to_owned()) } else { all.names.remove(name) };
    if !changed {
        return Ok(());
    }
    if all.names.len() > MOST_NAMES {
        return Err(Error::Invalid { what: "subscription", why: "there are too many".into() });
    }
    w.tables.meta.insert(key(account).as_slice(), record::encode(&all).as_slice())?;
    // Sessions look only where the change feed went on.
    w.change(Change::Account(account));
    Ok(())
}
