//! Mailboxes made, renamed, deleted and subscribed to by a person.

use redb::ReadableTable;

use crate::error::{Error, Result};
use crate::ids::{AccountId, MailboxId, MessageId};
use crate::imap::mailbox_name;
use crate::model::{Change, MailboxKind, Role};
use crate::store::actions::{permit, place};
use crate::store::intents::{MailboxGoal, MailboxOperation, Subject};
use crate::store::mailboxes::{is_below, wish_of};
use crate::store::records::{MailboxRecord, MailboxWish};
use crate::store::writer::Writer;
use crate::store::{accounts, expunge, keys};

/// A name as a person and as the server writes it.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) wire: Vec<u8>,
}

/// Makes a mailbox: on the server, or on this device only.
pub(crate) fn create(
    w: &mut Writer<'_>,
    account: AccountId,
    name: Name,
    local: bool,
    role: Option<Role>,
) -> Result<MailboxId> {
    free(w, account, &name, None)?;
    let all = w.mailboxes_of(account)?;
    let delimiter = all.iter().find_map(|(_, m)| m.delimiter);
    let local = local || all.iter().all(|(_, m)| m.kind != MailboxKind::Server);
    if let Some(above) = all.iter().find(|(_, m)| is_below(&name.wire, &m.wire_name, m.delimiter)) {
        permit(&above.1, 'k', "make mailboxes below")?;
    }
    let mut record = MailboxRecord {
        wire_name: name.wire,
        name: name.text,
        delimiter: if local { Some(delimiter.unwrap_or(b'/')) } else { delimiter },
        kind: if local { MailboxKind::Local } else { MailboxKind::Server },
        role,
        chosen_role: role.map(Some),
        ..MailboxRecord::empty(account)
    };
    record.wish.unborn = !local;
    let id = w.insert_mailbox(record);
    if local {
        let mailbox = w.mailbox(id)?;
        mailbox.uid_validity = mailbox.numbering;
        mailbox.uid_next = 1;
        mailbox.complete = true;
    } else {
        operate(w, account, id, MailboxGoal::Create { role })?;
    }
    w.change(Change::Mailbox(id));
    Ok(id)
}

/// The mailbox of an account with a role, made where there is none.
pub(crate) fn with_role(w: &mut Writer<'_>, account: AccountId, role: Role) -> Result<MailboxId> {
    let all = w.mailboxes_of(account)?;
    let has = |wanted: Role| {
        let role = |m: &MailboxRecord| m.chosen_role.unwrap_or(m.role);
        all.iter().find(|(_, m)| m.is_shown() && m.selectable && role(m) == Some(wanted)).map(|(id, _)| *id)
    };
    // Where every message is in one mailbox, archiving is leaving the others.
    let found = has(role).or_else(|| (role == Role::Archive).then(|| has(Role::All)).flatten());
    if let Some(found) = found {
        return Ok(found);
    }
    let text = match role {
        Role::Trash => "Trash",
        Role::Archive => "Archive",
        Role::Drafts => "Drafts",
        Role::Sent => "Sent",
        Role::Junk => "Junk",
        _ => return Err(Error::Gone("mailbox")),
    };
    // Some servers keep everything below INBOX, and not all of them say so.
    let told = accounts::get(w, account)?.namespace.map(|n| n.prefix);
    let prefix = all.iter().all(|(_, m)| {
        m.kind == MailboxKind::Server
            && (m.name.eq_ignore_ascii_case("INBOX") || is_below(&m.wire_name, b"INBOX", m.delimiter))
    });
    let delimiter = all.iter().find_map(|(_, m)| m.delimiter).map(char::from);
    let text = match (told, delimiter) {
        (Some(prefix), _) => format!("{prefix}{text}"),
        (None, Some(delimiter)) if prefix && all.len() > 1 => format!("INBOX{delimiter}{text}"),
        _ => text.to_owned(),
    };
    // One that was made here has no role before the server has listed it.
    if let Some((id, _)) = all.iter().find(|(_, m)| m.is_shown() && m.selectable && m.name == text) {
        return Ok(*id);
    }
    let name = Name { wire: mailbox_name::encode(&text, false), text };
    create(w, account, name, false, Some(role))
}

/// Gives a mailbox, and those below it, another name.
pub(crate) fn rename(w: &mut Writer<'_>, id: MailboxId, name: Name) -> Result<()> {
    let record = known(w, id)?;
    let account = record.account;
    if record.role == Some(Role::Inbox) {
        return Err(Error::Invalid { what: "mailbox", why: "the inbox keeps its name".into() });
    }
    free(w, account, &name, Some(id))?;
    permit(&record, 'x', "rename")?;
    let old_name = record.wish.name.clone().map_or(record.name.clone(), |(text, _)| text);
    if is_below(&name.wire, &record.wire_name, record.delimiter) {
        return Err(Error::Invalid { what: "name", why: "it is below the mailbox itself".into() });
    }
    let below: Vec<_> = w
        .mailboxes_of(account)?
        .into_iter()
        .filter(|(_, m)| is_below(&m.wire_name, &record.wire_name, record.delimiter))
        .collect();
    for (child, m) in below {
        let text = m.wish.name.as_ref().map_or(&m.name, |(text, _)| text);
        let rest = text.strip_prefix(&old_name).unwrap_or(text);
        let new = format!("{}{rest}", name.text);
        let mut wire = name.wire.clone();
        wire.extend_from_slice(&m.wire_name[record.wire_name.len()..]);
        put_name(w, child, Name { text: new, wire })?;
    }
    put_name(w, id, name)?;
    if record.kind != MailboxKind::Server || record.wish.unborn {
        return Ok(());
    }
    let mut asked = None;
    for (op, subject) in w.operations_of(account)? {
        match subject {
            Subject::Mailbox(o)
                if o.mailbox == id && o.goal == MailboxGoal::Rename && o.refused.is_none() =>
            {
                asked = Some(op);
            }
            _ => {}
        }
    }
    match (asked, w.mailbox(id)?.wish.name.is_some()) {
        (None, true) => operate(w, account, id, MailboxGoal::Rename),
        // It is to have the name that it has.
        (Some(op), false) => w.forget_operation(op).map(drop),
        _ => Ok(()),
    }
}

fn put_name(w: &mut Writer<'_>, id: MailboxId, name: Name) -> Result<()> {
    let record = w.mailbox(id)?;
    if record.kind == MailboxKind::Server && !record.wish.unborn {
        record.wish.name = (record.wire_name != name.wire).then_some((name.text, name.wire));
    } else {
        record.name = name.text;
        record.wire_name = name.wire;
    }
    w.change(Change::Mailbox(id));
    Ok(())
}

/// Deletes a mailbox with what is in it.
pub(crate) fn delete(w: &mut Writer<'_>, id: MailboxId) -> Result<()> {
    let record = known(w, id)?;
    let account = record.account;
    if record.role == Some(Role::Inbox) {
        return Err(Error::Invalid { what: "mailbox", why: "the inbox cannot be deleted".into() });
    }
    permit(&record, 'x', "delete")?;
    forget_operations(w, id)?;
    if record.kind != MailboxKind::Server || record.wish.unborn {
        for message in messages(w, id)? {
            place::expunge(w, message, None)?;
        }
        place::leave(w, account, id)?;
        expunge::hide_all(w, id, true)?;
        let mailbox = w.mailbox(id)?;
        mailbox.gone = true;
        mailbox.wish = MailboxWish::default();
        w.change(Change::Mailbox(id));
        return Ok(());
    }
    // Those below it keep their names too.
    crate::store::mailboxes::keep_name(w, id)?;
    let record = w.mailbox(id)?;
    record.wish.doomed = true;
    record.wish.subscribed = None;
    operate(w, account, id, MailboxGoal::Delete)?;
    w.change(Change::Mailbox(id));
    Ok(())
}

/// Subscribes to a mailbox, or no longer.
pub(crate) fn subscribe(w: &mut Writer<'_>, id: MailboxId, on: bool) -> Result<()> {
    let record = known(w, id)?;
    if record.kind != MailboxKind::Server {
        w.mailbox(id)?.subscribed = on;
        return Ok(());
    }
    if let Some((op, _)) = wish_of(w, id, &MailboxGoal::Subscribe(on))? {
        w.forget_operation(op)?;
        w.mailbox(id)?.wish.subscribed = None;
    }
    if record.subscribed != on || record.wish.unborn {
        w.mailbox(id)?.wish.subscribed = Some(on);
        operate(w, record.account, id, MailboxGoal::Subscribe(on))?;
    }
    w.change(Change::Mailbox(id));
    Ok(())
}

/// The messages that a person sees in a mailbox, newest first.
pub(crate) fn messages(w: &Writer<'_>, id: MailboxId) -> Result<Vec<MessageId>> {
    let (from, to) = (keys::mailbox(id), keys::after_mailbox(id));
    let mut all = Vec::new();
    for entry in w.tables.by_date.range(from.as_slice()..to.as_slice())?.rev() {
        all.extend(keys::read_by_date(entry?.0.value()).map(|(_, id)| id));
    }
    Ok(all)
}

fn known(w: &mut Writer<'_>, id: MailboxId) -> Result<MailboxRecord> {
    let record = w.mailbox(id)?.clone();
    if record.is_shown() { Ok(record) } else { Err(Error::Gone("mailbox")) }
}

/// Whether a name is not another mailbox's already.
fn free(w: &mut Writer<'_>, account: AccountId, name: &Name, own: Option<MailboxId>) -> Result<()> {
    let invalid = |why: &str| Err(Error::Invalid { what: "name", why: why.to_owned() });
    if name.text.is_empty() {
        return invalid("it is empty");
    }
    if name.text.chars().any(char::is_control) {
        return invalid("it has control characters");
    }
    if name.text.contains(['*', '%']) {
        return invalid("no mailbox can be named with * or %");
    }
    for (id, record) in w.mailboxes_of(account)? {
        let seen = record.wish.name.as_ref().map_or(&record.name, |(text, _)| text);
        let same = *seen == name.text
            || seen.eq_ignore_ascii_case("INBOX") && name.text.eq_ignore_ascii_case("INBOX");
        if !record.gone && Some(id) != own && same {
            // One that is to be deleted has its name until it is.
            return invalid(if record.wish.doomed {
                "a mailbox that is being deleted has it"
            } else {
                "another mailbox has it"
            });
        }
    }
    Ok(())
}

pub(crate) fn operate(
    w: &mut Writer<'_>,
    account: AccountId,
    mailbox: MailboxId,
    goal: MailboxGoal,
) -> Result<()> {
    let created_ms = w.now_ms;
    let operation = MailboxOperation { mailbox, goal, created_ms, refused: None };
    w.new_operation(account, Subject::Mailbox(operation)).map(drop)
}

fn forget_operations(w: &mut Writer<'_>, id: MailboxId) -> Result<()> {
    let account = w.mailbox(id)?.account;
    for (op, subject) in w.operations_of(account)? {
        if matches!(subject, Subject::Mailbox(o) if o.mailbox == id) {
            w.forget_operation(op)?;
        }
    }
    Ok(())
}
