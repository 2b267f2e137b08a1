//! Parts of messages that are not here whole: an attachment that was opened alone.

use redb::ReadableTable;

use crate::error::Result;
use crate::ids::{ContentId, MailboxId};
use crate::model::Change;
use crate::store::batch::StagedBody;
use crate::store::records::PartRecord;
use crate::store::writer::Writer;
use crate::store::{blobs, keys, partials, record};

/// A part's key: its content, and its number as text.
pub(crate) fn key(content: ContentId, number: &str) -> Vec<u8> {
    let mut key = keys::content(content).to_vec();
    key.extend_from_slice(number.as_bytes());
    key
}

/// Enters a part under the content of the message that it came for.
pub(crate) fn enter(
    w: &mut Writer<'_>,
    mailbox: MailboxId,
    uid: u32,
    number: &str,
    body: &StagedBody,
) -> Result<()> {
    w.touch();
    partials::finished(w, mailbox, 0, body.blob)?;
    let message = match w.placement(mailbox, uid)? {
        Some(placement) => w.message(placement.message)?.map(|m| (placement.message, m.content)),
        None => None,
    };
    let key = message.map(|(_, content)| key(content, number));
    let taken = match &key {
        Some(key) => w.tables.parts.get(key.as_slice())?.is_some(),
        None => true,
    };
    let (Some((id, _)), Some(key), false) = (message, key, taken) else {
        return blobs::remove(&mut w.tables, body.blob);
    };
    let mut offset = body.stored;
    for data in &body.data {
        blobs::append(&mut w.tables, body.blob, offset, data)?;
        offset += data.len() as u64;
    }
    let stored = record::encode(&PartRecord { blob: body.blob, len: body.len() });
    w.tables.parts.insert(key.as_slice(), stored.as_slice())?;
    w.change(Change::MessageChanged(mailbox, id));
    Ok(())
}

/// Drops every part of a content.
pub(crate) fn drop_all(w: &mut Writer<'_>, content: ContentId) -> Result<()> {
    let (from, to) = (key(content, ""), key(content, "\u{7f}"));
    let mut all = Vec::new();
    for entry in w.tables.parts.range(from.as_slice()..to.as_slice())? {
        let (key, value) = entry?;
        all.push((key.value().to_vec(), record::decode::<PartRecord>(value.value())?.blob));
    }
    for (key, blob) in all {
        blobs::remove(&mut w.tables, blob)?;
        w.tables.parts.remove(key.as_slice())?;
    }
    Ok(())
}
