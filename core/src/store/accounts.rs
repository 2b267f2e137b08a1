//! Accounts: made, changed, removed.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::ids::{AccountId, MessageId};
use crate::model::{AccountSettings, Change, MailboxKind, Protocol, Role, ServedLimits};
use crate::sasl::server::Verifier;
use crate::store::actions::pending;
use crate::store::intents::Subject;
use crate::store::record::Record;
use crate::store::records::{AccountRecord, MailboxRecord};
use crate::store::tables::{self, Read, Snapshot};
use crate::store::writer::Writer;
use crate::store::{expunge, keys, ledger, orphans, partials, query, record, view};

/// Enters an account. One on IMAP has its INBOX from the start: every server has one.
pub(crate) fn add(w: &mut Writer<'_>, settings: AccountSettings) -> Result<AccountId> {
    check(w, &settings, None)?;
    w.counters.account += 1;
    let id = AccountId(w.counters.account);
    let kind = match settings.protocol {
        Protocol::Imap => MailboxKind::Server,
        Protocol::Pop3 => MailboxKind::PopInbox,
        Protocol::Local => MailboxKind::Local,
    };
    put(
        w,
        id,
        &AccountRecord {
            settings,
            capabilities: Vec::new(),
            capabilities_before: Vec::new(),
            server: None,
            deaf_to_initial: false,
            converting: false,
            idle_ended_ms: None,
            idle_limit_ms: None,
            quotas: Vec::new(),
            synced_once: false,
            namespace: None,
        },
    )?;
    // Without IMAP there are no UIDs; they are given here, from 1 on.
    let first = u32::from(kind != MailboxKind::Server);
    w.insert_mailbox(MailboxRecord {
        complete: kind == MailboxKind::Local,
        delimiter: (kind == MailboxKind::Local).then_some(b'/'),
        uid_validity: first,
        uid_next: first,
        wire_name: b"INBOX".to_vec(),
        name: "INBOX".into(),
        kind,
        role: Some(Role::Inbox),
        ..MailboxRecord::empty(id)
    });
    Ok(id)
}

/// Changes what the app says about an account.
pub(crate) fn update(w: &mut Writer<'_>, id: AccountId, settings: AccountSettings) -> Result<()> {
    check(w, &settings, Some(id))?;
    let mut record = get(w, id)?;
    record.settings = settings;
    put(w, id, &record)
}

/// Everything that the account was asked for is here.
pub(crate) fn mark_synced(w: &mut Writer<'_>, id: AccountId) -> Result<()> {
    let mut record = get(w, id)?;
    record.synced_once = true;
    put(w, id, &record)
}

/// Removes an account with all its mail.
pub(crate) fn remove(w: &mut Writer<'_>, id: AccountId) -> Result<()> {
    get(w, id)?;
    for (op, subject) in w.operations_of(id)? {
        pending::stay(w, op)?;
        if let Subject::Place(message) | Subject::Flags(message) = subject {
            drop_unplaced(w, message)?;
        }
    }
    for (mailbox, _) in w.mailboxes_of(id)? {
        expunge::hide_all(w, mailbox, false)?;
        partials::drop_all(w, mailbox)?;
        w.mailbox(mailbox)?.gone = true;
    }
    orphans::purge(w, id, i64::MAX)?;
    for (op, _) in w.operations_of(id)? {
        w.forget_operation(op)?;
    }
    ledger::drop_account(w, id)?;
    w.tables.accounts.remove(keys::account(id).as_slice())?;
    for kept in [server_password_key(id), subscriptions_key(id), served_limits_key(id)] {
        w.tables.meta.remove(kept.as_slice())?;
    }
    w.change(Change::Account(id));
    Ok(())
}

/// Drops a message that waits for its place on the server.
fn drop_unplaced(w: &mut Writer<'_>, id: MessageId) -> Result<()> {
    let hidden = view::alter(w, id, |w, record, _| {
        let unplaced = !record.is_placed() && record.gone_ms.is_none();
        if unplaced {
            record.gone_ms = Some(w.now_ms);
        }
        Ok(unplaced)
    })?;
    if hidden == Some(true)
        && let Some(record) = w.message(id)?
    {
        orphans::forget(w, id, &record)?;
    }
    Ok(())
}

/// What is kept of the password by which an account is served to other programs.
#[derive(Serialize, Deserialize)]
struct ServerPassword(Verifier);

impl Record for ServerPassword {
    const VERSION: u8 = 1;
    const NAME: &'static str = "server password";
}

fn server_password_key(id: AccountId) -> Vec<u8> {
    [b"server password".as_slice(), &id.0.to_be_bytes()].concat()
}

/// Names that an account's clients subscribed to without their being mailboxes.
pub(crate) fn subscriptions_key(id: AccountId) -> Vec<u8> {
    [b"subscribed".as_slice(), &id.0.to_be_bytes()].concat()
}

/// Gives an account a password by which it is served, or none.
pub(crate) fn set_server_password(
    w: &mut Writer<'_>,
    id: AccountId,
    verifier: Option<Verifier>,
) -> Result<()> {
    get(w, id)?;
    let key = server_password_key(id);
    match verifier {
        Some(verifier) => {
            let value = record::encode(&ServerPassword(verifier));
            w.tables.meta.insert(key.as_slice(), value.as_slice())?;
        }
        None => drop(w.tables.meta.remove(key.as_slice())?),
    }
    w.touch();
    Ok(())
}

impl Record for ServedLimits {
    const VERSION: u8 = 1;
    const NAME: &'static str = "served limits";
}

fn served_limits_key(id: AccountId) -> Vec<u8> {
    [b"served limits".as_slice(), &id.0.to_be_bytes()].concat()
}

/// What an account that is served may be filled with.
pub(crate) fn served_limits(tables: &impl Read, id: AccountId) -> Result<ServedLimits> {
    let stored = tables::get(tables.meta(), &served_limits_key(id))?;
    Ok(stored.map(|bytes| record::decode(&bytes)).transpose()?.unwrap_or_default())
}

/// Sets what an account that is served may be filled with.
pub(crate) fn set_served_limits(w: &mut Writer<'_>, id: AccountId, limits: &ServedLimits) -> Result<()> {
    get(w, id)?;
    let key = served_limits_key(id);
    if *limits == ServedLimits::default() {
        w.tables.meta.remove(key.as_slice())?;
    } else {
        w.tables.meta.insert(key.as_slice(), record::encode(limits).as_slice())?;
    }
    w.touch();
    Ok(())
}

/// A secret that is made of what is kept of all passwords.
pub(crate) fn decoy(tables: &Snapshot) -> Result<[u8; 32]> {
    let mut hash = Sha256::new_with_prefix(b"users who do not exist");
    for account in query::accounts(tables)? {
        hash.update(tables::get(&tables.meta, &server_password_key(account.id))?.unwrap_or_default());
    }
    Ok(hash.finalize().into())
}

/// The account of a name that is served, and what is kept of its password.
pub(crate) fn server_password(tables: &Snapshot, name: &str) -> Result<Option<(AccountId, Verifier)>> {
    let all = query::accounts(tables)?;
    let Some(account) = all.into_iter().find(|a| a.settings.name == name) else { return Ok(None) };
    let stored = tables::get(&tables.meta, &server_password_key(account.id))?;
    let password: Option<ServerPassword> = stored.map(|bytes| record::decode(&bytes)).transpose()?;
    Ok(password.map(|password| (account.id, password.0)))
}

pub(crate) fn check(w: &Writer<'_>, settings: &AccountSettings, own: Option<AccountId>) -> Result<()> {
    let invalid = |what, why: &str| Err(Error::Invalid { what, why: why.to_owned() });
    if settings.name.is_empty() {
        return invalid("account name", "it is empty");
    }
    if settings.host.is_empty() && settings.protocol != Protocol::Local {
        return invalid("host", "it is empty");
    }
    for entry in w.tables.accounts.iter()? {
        let (key, value) = entry?;
        let other = keys::read_u32(key.value(), 0).map(AccountId);
        let record: AccountRecord = record::decode(value.value())?;
        if other != own && record.settings.name == settings.name {
            return invalid("account name", "another account has it");
        }
    }
    Ok(())
}

pub(crate) fn get(w: &Writer<'_>, id: AccountId) -> Result<AccountRecord> {
    let bytes = tables::get(&w.tables.accounts, &keys::account(id))?.ok_or(Error::Gone("account"))?;
    record::decode(&bytes)
}

pub(crate) fn put(w: &mut Writer<'_>, id: AccountId, account: &AccountRecord) -> Result<()> {
    w.tables.accounts.insert(keys::account(id).as_slice(), record::encode(account).as_slice())?;
    w.change(Change::Account(id));
    Ok(())
}
