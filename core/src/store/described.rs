//! What FETCH says of messages that are served, kept: making it means reading the whole message.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::ids::ContentId;
use crate::message::Description;
use crate::store::keys;
use crate::store::record::{self, Record};
use crate::store::tables::{Snapshot, get as read};
use crate::store::writer::Writer;

#[derive(Serialize, Deserialize)]
struct Described(Description);

impl Record for Described {
    const VERSION: u8 = 1;
    const NAME: &'static str = "description";
}

pub(crate) fn get(tables: &Snapshot, content: ContentId) -> Result<Option<Description>> {
    let stored = read(&tables.described, &keys::content(content))?;
    // One that a later version cannot read is made again.
    Ok(stored.and_then(|bytes| record::decode::<Described>(&bytes).ok()).map(|described| described.0))
}

/// The octets of a message with every line ended by CRLF, where they were counted.
pub(crate) fn text_size(tables: &Snapshot, content: ContentId) -> Result<Option<u64>> {
    let stored = read(&tables.described, &size_key(content))?;
    Ok(stored.and_then(|value| keys::read_u64(&value, 0)))
}

/// Stands behind the description of the same content.
fn size_key(content: ContentId) -> [u8; 9] {
    let mut key = [b's'; 9];
    key[..8].copy_from_slice(&keys::content(content));
    key
}

/// Keeps a description, where its content is still here.
pub(crate) fn keep(
    w: &mut Writer<'_>,
    content: ContentId,
    description: &Description,
    text_size: u64,
) -> Result<()> {
    if w.content(content)?.is_some_and(|record| record.body.is_some()) {
        let value = record::encode(&Described(description.clone()));
        w.tables.described.insert(keys::content(content).as_slice(), value.as_slice())?;
        w.tables.described.insert(size_key(content).as_slice(), text_size.to_be_bytes().as_slice())?;
        w.touch();
    }
    Ok(())
}

pub(crate) fn forget(w: &mut Writer<'_>, content: ContentId) -> Result<()> {
    if w.tables.described.remove(keys::content(content).as_slice())?.is_some() {
        w.tables.described.remove(size_key(content).as_slice())?;
    }
    Ok(())
}
