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

/// Keeps a description, where its content is still here.
pub(crate) fn keep(w: &mut Writer<'_>, content: ContentId, description: &Description) -> Result<()> {
    if w.content(content)?.is_some_and(|record| record.body.is_some()) {
        let value = record::encode(&Described(description.clone()));
        w.tables.described.insert(keys::content(content).as_slice(), value.as_slice())?;
        w.touch();
    }
    Ok(())
}

pub(crate) fn forget(w: &mut Writer<'_>, content: ContentId) -> Result<()> {
    w.tables.described.remove(keys::content(content).as_slice())?;
    Ok(())
}
