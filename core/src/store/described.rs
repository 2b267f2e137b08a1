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
    /// With the second version came the header.
    const VERSION: u8 = 2;
    const NAME: &'static str = "description";
}

pub(crate) fn get(tables: &Snapshot, content: ContentId) -> Result<Option<Description>> {
    let stored = read(&tables.described, &keys::content(content))?;
    // One that a later version cannot read is made again.
    Ok(stored.and_then(|bytes| record::decode::<Described>(&bytes).ok()).map(|described| described.0))
}

/// The octets of a message with every line ended by CRLF, where they were counted.
pub(crate) fn text_size(tables: &Snapshot, content: ContentId) -> Result<Option<u64>> {
    let stored = read(&tables.described, &beside(content, SIZE))?;
    Ok(stored.and_then(|value| keys::read_u64(&value, 0)))
}

/// The header, where it was kept.
pub(crate) fn header(tables: &Snapshot, content: ContentId) -> Result<Option<Vec<u8>>> {
    read(&tables.described, &beside(content, HEADER))
}

const SIZE: u8 = b's';
const HEADER: u8 = b'h';

/// Octets of the longest header that is kept. A longer one is read out of its message.
const LONGEST_HEADER: usize = 16 << 10;

/// Stands behind the description of the same content.
fn beside(content: ContentId, what: u8) -> [u8; 9] {
    let mut key = [what; 9];
    key[..8].copy_from_slice(&keys::content(content));
    key
}

/// Keeps a description, where its content is still here.
pub(crate) fn keep(
    w: &mut Writer<'_>,
    content: ContentId,
    description: &Description,
    header: &[u8],
    text_size: u64,
) -> Result<()> {
    if w.content(content)?.is_some_and(|record| record.body.is_some()) {
        let value = record::encode(&Described(description.clone()));
        w.tables.described.insert(keys::content(content).as_slice(), value.as_slice())?;
        if header.len() <= LONGEST_HEADER {
            w.tables.described.insert(beside(content, HEADER).as_slice(), header)?;
        }
        w.tables.described.insert(beside(content, SIZE).as_slice(), text_size.to_be_bytes().as_slice())?;
        w.touch();
    }
    Ok(())
}

pub(crate) fn forget(w: &mut Writer<'_>, content: ContentId) -> Result<()> {
    if w.tables.described.remove(keys::content(content).as_slice())?.is_some() {
        w.tables.described.remove(beside(content, HEADER).as_slice())?;
        w.tables.described.remove(beside(content, SIZE).as_slice())?;
    }
    Ok(())
}
