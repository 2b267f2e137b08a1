//! Bodies that have come in part: finished, or collected.

use redb::{ReadableTable, ReadableTableMetadata};

use crate::error::Result;
use crate::ids::MailboxId;
use crate::store::batch::PartialBody;
use crate::store::writer::Writer;
use crate::store::{blobs, keys, record};

/// A message's body is whole, under `blob`. What had come of it under another blob goes.
pub(crate) fn finished(w: &mut Writer<'_>, mailbox: MailboxId, uid: u32, blob: u64) -> Result<()> {
    if w.tables.partials.is_empty()? {
        return Ok(());
    }
    // A server that names the UID behind the body has the part entered under 0 until then.
    for uid in [uid, 0] {
        let key = keys::uid(mailbox, uid);
        let found = crate::store::tables::get(&w.tables.partials, &key)?;
        let Some(partial) = found.map(|b| record::decode::<PartialBody>(&b)).transpose()? else { continue };
        if partial.blob == blob {
            w.tables.partials.remove(key.as_slice())?;
        } else if uid != 0 {
            blobs::remove(&mut w.tables, partial.blob)?;
            w.tables.partials.remove(key.as_slice())?;
        }
    }
    Ok(())
}

/// A body begins to come under another blob: what had come under the old one goes.
pub(crate) fn replaced(w: &mut Writer<'_>, mailbox: MailboxId, uid: u32, blob: u64) -> Result<()> {
    let found = crate::store::tables::get(&w.tables.partials, &keys::uid(mailbox, uid))?;
    let old = found.map(|b| record::decode::<PartialBody>(&b)).transpose()?;
    match old {
        Some(old) if old.blob != blob => blobs::remove(&mut w.tables, old.blob),
        _ => Ok(()),
    }
}

/// Drops every part of a mailbox.
pub(crate) fn drop_all(w: &mut Writer<'_>, mailbox: MailboxId) -> Result<()> {
    drop_where(w, mailbox, |_, _| Ok(true))
}

/// Drops the parts that nobody will finish: their messages are whole, or gone.
pub(crate) fn collect(w: &mut Writer<'_>, mailbox: MailboxId) -> Result<()> {
    drop_where(w, mailbox, |w, uid| {
        let Some(placement) = w.placement(mailbox, uid)? else { return Ok(true) };
        let Some(message) = w.message(placement.message)? else { return Ok(true) };
        Ok(w.content(message.content)?.is_none_or(|c| c.body.is_some()))
    })
}

fn drop_where(
    w: &mut Writer<'_>,
    mailbox: MailboxId,
    mut due: impl FnMut(&mut Writer<'_>, u32) -> Result<bool>,
) -> Result<()> {
    let (from, to) = (keys::mailbox(mailbox), keys::after_mailbox(mailbox));
    let mut all = Vec::new();
    for entry in w.tables.partials.range(from.as_slice()..to.as_slice())? {
        let (key, value) = entry?;
        all.push((
            keys::read_u32(key.value(), 4).unwrap_or(0),
            record::decode::<PartialBody>(value.value())?,
        ));
    }
    for (uid, partial) in all {
        if due(w, uid)? {
            w.touch();
            blobs::remove(&mut w.tables, partial.blob)?;
            w.tables.partials.remove(keys::uid(mailbox, uid).as_slice())?;
        }
    }
    Ok(())
}
