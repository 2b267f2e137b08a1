//! What a person does: written at once, shown at once, replayed when there is a connection.
//!
//! Each action changes a message's or a mailbox's intents in one transaction. In a mailbox of this device it is done with that.

pub(crate) mod append;
pub(crate) mod flags;
pub(crate) mod mailbox;
pub(crate) mod pending;
pub(crate) mod place;

use crate::error::{Error, Result};
use crate::ids::{MailboxId, MessageId};
use crate::model::MailboxKind;
use crate::store::records::{MailboxRecord, MessageRecord};
use crate::store::writer::Writer;

/// A message that a person sees, and the mailbox in which.
fn shown(w: &Writer<'_>, id: MessageId) -> Result<(MessageRecord, MailboxId)> {
    let record = w.message(id)?.ok_or(Error::Gone("message"))?;
    let mailbox = record.shown_in().ok_or(Error::Gone("message"))?;
    Ok((record, mailbox))
}

/// A mailbox that messages can be put into.
fn target(w: &mut Writer<'_>, id: MailboxId) -> Result<MailboxRecord> {
    let record = w.mailbox(id)?.clone();
    if !record.is_shown() {
        return Err(Error::Gone("mailbox"));
    }
    let invalid = |why: &str| Err(Error::Invalid { what: "mailbox", why: why.to_owned() });
    if !record.selectable {
        return invalid("it cannot hold messages");
    }
    if record.kind == MailboxKind::PopInbox {
        return invalid("nothing can be put into the inbox of a POP3 server");
    }
    permit(&record, 'i', "put messages into")?;
    Ok(record)
}

/// Whether the server lets the user do something in a mailbox, as far as it told (RFC 4314 §2.1).
fn permit(record: &MailboxRecord, right: char, what: &'static str) -> Result<()> {
    // Servers of RFC 2086 say `c` and `d` for what was later told apart.
    let obsolete = match right {
        't' | 'e' | 'x' => 'd',
        'k' => 'c',
        other => other,
    };
    match &record.rights {
        Some(rights) if !rights.contains([right, obsolete]) => {
            Err(Error::NotPermitted { what, mailbox: record.name.clone() })
        }
        _ => Ok(()),
    }
}

/// Does something to each of some messages. Those that have gone meanwhile are left out.
///
/// # Errors
/// [`Error::Gone`] where none of them is here; the first other error, and then nothing is done.
pub(crate) fn each(
    w: &mut Writer<'_>,
    messages: &[MessageId],
    mut act: impl FnMut(&mut Writer<'_>, MessageId) -> Result<()>,
) -> Result<u64> {
    let mut done = 0;
    for id in messages {
        match act(w, *id) {
            Ok(()) => done += 1,
            Err(Error::Gone("message")) => {}
            Err(error) => return Err(error),
        }
    }
    if done == 0 && !messages.is_empty() { Err(Error::Gone("message")) } else { Ok(done) }
}
