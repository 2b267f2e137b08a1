//! Compressing bodies while nothing else is to be done.
//!
//! A sync stores bytes as they come: compressing them there would cost more than the rest of it. Later,
//! chunk by chunk, each is kept compressed where that takes a shorter run of pages.

use std::io::Write;
use std::ops::Bound;

use redb::ReadableTable;

use crate::error::{Error, Result};
use crate::store::writer::Writer;
use crate::store::{blobs, keys};

/// The last chunk that was looked at. Blob ids rise, so that what is new lies behind it.
const CURSOR: &[u8] = b"shrunk";

/// What a step of shrinking did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShrinkProgress {
    /// Octets looked at.
    pub read: u64,
    /// Octets of pages given back; [`Engine::compact`](crate::Engine::compact) returns them to the storage.
    pub saved: u64,
    /// There is nothing more to look at.
    pub done: bool,
}

/// Looks at about `limit` octets of bodies that have not been looked at.
pub(crate) fn step(w: &mut Writer<'_>, limit: u64) -> Result<ShrinkProgress> {
    let mut progress = ShrinkProgress { done: true, ..ShrinkProgress::default() };
    let before = crate::store::tables::get(&w.tables.meta, CURSOR)?;
    let mut last = match &before {
        // A blob alone stands for all of it.
        Some(before) => {
            keys::chunk(keys::read_u64(before, 0).unwrap_or(0), keys::read_u64(before, 8).unwrap_or(u64::MAX))
        }
        None => keys::chunk(0, 0),
    };
    let from = last;
    let mut shorter = Vec::new();
    for entry in w.tables.blobs.range::<&[u8]>((Bound::Excluded(from.as_slice()), Bound::Unbounded))? {
        let (key, value) = entry?;
        if progress.read >= limit {
            progress.done = false;
            break;
        }
        last = *key.value().first_chunk().ok_or_else(|| Error::Corrupt("a chunk's key is short".into()))?;
        let stored = value.value();
        progress.read += stored.len() as u64;
        if let Some(new) = blobs::compress(stored) {
            progress.saved += (blobs::room(stored.len()) - blobs::room(new.len())) as u64;
            shorter.push((key.value().to_vec(), new));
        }
    }
    for (key, value) in shorter {
        w.tables.blobs.insert(key.as_slice(), value.as_slice())?;
    }
    if last != from {
        w.touch();
        w.tables.meta.insert(CURSOR, last.as_slice())?;
    }
    Ok(progress)
}

/// Deflates a chunk's octets.
pub(super) fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder =
        flate2::write::DeflateEncoder::new(Vec::with_capacity(data.len()), flate2::Compression::new(6));
    // Writing to memory cannot fail.
    let _ = encoder.write_all(data);
    encoder.finish().unwrap_or_default()
}
