//! Blobs: message bytes in chunks that fill redb's pages.
//!
//! redb rounds a large value up to a power of two of its 4 KiB pages. Cut so that each piece just
//! fits such a run, mail takes little more room than its bytes; whole values took half as much again.
//! A chunk begins with one octet that says how the rest is stored.

use std::ops::Range;

use redb::ReadableTable;

use crate::error::{Error, Result};
use crate::store::tables::Tables;
use crate::store::{keys, shrink};

/// What a page run holds besides a chunk's bytes: the leaf's header and offsets, the key, our octet.
const OVERHEAD: usize = 4 + 4 + 4 + 16 + 1;
const PAGE: usize = 4096;
/// The longest chunk: one run of 16 pages.
pub(crate) const LARGEST: usize = 16 * PAGE - OVERHEAD;

const PLAIN: u8 = 0;
const DEFLATE: u8 = 1;

/// The length of the first chunk to store of what is left.
pub(super) fn piece(len: usize) -> usize {
    let mut pages = 16;
    while pages > 1 {
        if len >= pages * PAGE - OVERHEAD {
            return pages * PAGE - OVERHEAD;
        }
        pages /= 2;
    }
    len.min(PAGE - OVERHEAD)
}

/// Appends bytes to a blob at `offset`.
pub(crate) fn append(tables: &mut Tables<'_>, blob: u64, mut offset: u64, mut data: &[u8]) -> Result<()> {
    while !data.is_empty() {
        let (head, rest) = data.split_at(piece(data.len()));
        append_with(tables, blob, offset, head.len(), |room| room.copy_from_slice(head))?;
        offset += head.len() as u64;
        data = rest;
    }
    Ok(())
}

/// Appends one chunk of `len` octets, at most [`LARGEST`], which `fill` puts where they are stored.
pub(super) fn append_with(
    tables: &mut Tables<'_>,
    blob: u64,
    offset: u64,
    len: usize,
    fill: impl FnOnce(&mut [u8]),
) -> Result<()> {
    let key = keys::chunk(blob, offset);
    let mut value = tables.blobs.insert_reserve(key.as_slice(), len + 1)?;
    let (kind, room) = value.as_mut().split_first_mut().expect("room for one octet more was reserved");
    *kind = PLAIN;
    fill(room);
    Ok(())
}

/// Octets of pages that a stored chunk takes. Several short ones share a page.
pub(super) fn room(stored: usize) -> usize {
    let needed = stored + OVERHEAD - 1;
    if needed <= PAGE { needed } else { needed.next_power_of_two().max(PAGE) }
}

/// A stored chunk in a shorter form, where that takes noticeably less room.
pub(super) fn compress(stored: &[u8]) -> Option<Vec<u8>> {
    let (&PLAIN, data) = stored.split_first()? else { return None };
    let mut new = vec![DEFLATE];
    new.extend_from_slice(&shrink::deflate(data));
    (room(new.len()) * 10 <= room(stored.len()) * 9).then_some(new)
}

/// Drops a blob and all its chunks.
pub(crate) fn remove(tables: &mut Tables<'_>, blob: u64) -> Result<()> {
    let (from, to) = (keys::chunk(blob, 0), keys::chunk(blob, u64::MAX));
    tables.blobs.retain_in(from.as_slice()..=to.as_slice(), |_, _| false)?;
    Ok(())
}

/// Cuts a range out of a blob. Chunks that reach over its ends are cut shorter, the others go.
pub(crate) fn cut(tables: &mut Tables<'_>, blob: u64, range: Range<u64>) -> Result<()> {
    let mut chunks = Vec::new();
    {
        let (zero, start) = (keys::chunk(blob, 0), keys::chunk(blob, range.start));
        let mut before = tables.blobs.range(zero.as_slice()..start.as_slice())?;
        let first = before.next_back().transpose()?.and_then(|(key, _)| keys::read_u64(key.value(), 8));
        let from = keys::chunk(blob, first.unwrap_or(range.start));
        for entry in tables.blobs.range(from.as_slice()..keys::chunk(blob, range.end).as_slice())? {
            chunks.extend(keys::read_u64(entry?.0.value(), 8));
        }
        // What is read from must be let go of before it is changed.
    }
    let last = chunks.last().copied();
    for offset in chunks {
        let key = keys::chunk(blob, offset);
        let mut kept = Vec::new();
        if offset < range.start || Some(offset) == last {
            let stored = tables.blobs.get(key.as_slice())?;
            // One that cannot be read stays: nothing else is to fail by it, and verifying tells.
            let Some(chunk) = stored.as_ref().and_then(|stored| expand(stored.value())) else { continue };
            let end = offset + chunk.len() as u64;
            if end <= range.start {
                continue;
            }
            let at = |place: u64| (place.clamp(offset, end) - offset) as usize;
            kept.push((offset, chunk[..at(range.start)].to_vec()));
            kept.push((range.end, chunk[at(range.end)..].to_vec()));
        }
        tables.blobs.remove(key.as_slice())?;
        for (offset, data) in kept {
            append(tables, blob, offset, &data)?;
        }
    }
    Ok(())
}

/// Reads `len` octets from `offset`, touching only the chunks that hold them. Shorter at the end.
pub(crate) fn read(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    blob: u64,
    offset: u64,
    len: u64,
) -> Result<Vec<u8>> {
    let damaged = || Error::Corrupt(format!("blob {blob} has a hole"));
    let end = offset.saturating_add(len);
    let mut out = Vec::new();
    let first =
        table.range(keys::chunk(blob, 0).as_slice()..=keys::chunk(blob, offset).as_slice())?.next_back();
    let Some(first) = first.transpose()? else { return Ok(out) };
    let start = keys::read_u64(first.0.value(), 8).ok_or_else(damaged)?;
    let mut position = start;
    for entry in table.range(keys::chunk(blob, start).as_slice()..keys::chunk(blob, end).as_slice())? {
        let (key, value) = entry?;
        if keys::read_u64(key.value(), 8) != Some(position) {
            return Err(damaged());
        }
        let chunk = expand(value.value()).ok_or_else(damaged)?;
        let from = offset.saturating_sub(position).min(chunk.len() as u64) as usize;
        let to = end.saturating_sub(position).min(chunk.len() as u64) as usize;
        out.extend_from_slice(&chunk[from..to.max(from)]);
        position += chunk.len() as u64;
    }
    Ok(out)
}

fn expand(stored: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    match stored.split_first()? {
        (&PLAIN, data) => Some(data.into()),
        (&DEFLATE, data) => {
            use std::io::Read;
            let mut out = Vec::new();
            // A chunk is never longer than one run; more is damage.
            flate2::read::DeflateDecoder::new(data).take(LARGEST as u64 + 1).read_to_end(&mut out).ok()?;
            (out.len() <= LARGEST).then(|| out.into())
        }
        _ => None,
    }
}
