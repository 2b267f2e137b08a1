//! Packs: the bodies that one transaction brings, end to end in one blob.
//!
//! A chunk costs redb a page run, a place in the tree and a write, however short it is. Message by
//! message most mail is cut into three or four of them; end to end it fills the longest runs, of which
//! there are a tenth as many, and no message's end leaves the rest of a page empty. What goes out of a
//! pack is cut out of it.

use std::collections::VecDeque;
use std::ops::Range;

use crate::error::Result;
use crate::store::batch::StagedBody;
use crate::store::blobs::{self, LARGEST};
use crate::store::records::BodyRecord;
use crate::store::tables::Tables;
use crate::store::writer::Writer;

/// What a transaction puts into its pack, and what it takes out of others.
#[derive(Debug, Default)]
pub(crate) struct Packs {
    /// The pack's blob, named by the first body in it.
    blob: Option<u64>,
    /// Octets written under it.
    written: u64,
    /// What waits for a chunk to be full: so many octets, in pieces, of the first of which some are written. A
    /// body's octets are copied once, into the database's page.
    held: usize,
    waiting: VecDeque<Vec<u8>>,
    begun: usize,
    /// Bodies that go: a blob, and where in it.
    gone: Vec<(u64, Range<u64>)>,
}

impl Packs {
    /// Adds a body that is all in memory. Gives the blob that it is in, and where it begins there.
    pub(crate) fn add(
        &mut self,
        tables: &mut Tables<'_>,
        blob: u64,
        data: Vec<Vec<u8>>,
    ) -> Result<(u64, u64)> {
        let blob = *self.blob.get_or_insert(blob);
        let start = self.written + self.held as u64;
        for piece in data {
            self.held += piece.len();
            self.waiting.push_back(piece);
            while self.held >= LARGEST {
                self.write_chunk(tables, blob)?;
            }
        }
        Ok((blob, start))
    }

    /// A body goes, at the end of the transaction: those that go together are cut out together.
    pub(crate) fn remove(&mut self, body: &BodyRecord) {
        if body.len > 0 {
            self.gone.push((body.pack, body.start..body.start.saturating_add(body.len)));
        }
    }

    /// Octets of a body that may have come in this transaction.
    pub(crate) fn read(&mut self, tables: &mut Tables<'_>, body: &BodyRecord, len: u64) -> Result<Vec<u8>> {
        if let Some(blob) = self.blob {
            self.store(tables, blob)?;
        }
        blobs::read(&tables.blobs, body.pack, body.start, len.min(body.len))
    }

    /// Writes what waits, and cuts out what goes.
    pub(crate) fn finish(&mut self, tables: &mut Tables<'_>) -> Result<()> {
        if let Some(blob) = self.blob {
            self.store(tables, blob)?;
        }
        let mut gone = std::mem::take(&mut self.gone);
        gone.sort_by_key(|(blob, range)| (*blob, range.start));
        let mut together: Vec<(u64, Range<u64>)> = Vec::new();
        for (blob, range) in gone {
            match together.last_mut() {
                Some((last, before)) if *last == blob && before.end >= range.start => {
                    before.end = before.end.max(range.end);
                }
                _ => together.push((blob, range)),
            }
        }
        for (blob, range) in together {
            blobs::cut(tables, blob, range)?;
        }
        Ok(())
    }

    fn store(&mut self, tables: &mut Tables<'_>, blob: u64) -> Result<()> {
        while self.held > 0 {
            self.write_chunk(tables, blob)?;
        }
        Ok(())
    }

    /// Writes the longest chunk that what waits can fill.
    fn write_chunk(&mut self, tables: &mut Tables<'_>, blob: u64) -> Result<()> {
        let len = blobs::piece(self.held);
        let Packs { waiting, begun, .. } = self;
        blobs::append_with(tables, blob, self.written, len, |mut room| {
            while let (false, Some(piece)) = (room.is_empty(), waiting.front()) {
                let some = room.len().min(piece.len() - *begun);
                room[..some].copy_from_slice(&piece[*begun..*begun + some]);
                room = &mut room[some..];
                *begun += some;
                if *begun == piece.len() {
                    waiting.pop_front();
                    *begun = 0;
                }
            }
        })?;
        self.written += len as u64;
        self.held -= len;
        Ok(())
    }
}

/// Writes a body: into the pack, or behind what came of it before; its octets are taken out of it. Gives the blob
/// that it is in, and where it begins there.
pub(crate) fn keep(w: &mut Writer<'_>, body: &mut StagedBody) -> Result<(u64, u64)> {
    let data = std::mem::take(&mut body.data);
    if body.stored == 0 {
        return w.packs.add(&mut w.tables, body.blob, data);
    }
    let mut offset = body.stored;
    for data in data {
        blobs::append(&mut w.tables, body.blob, offset, &data)?;
        offset += data.len() as u64;
    }
    Ok((body.blob, 0))
}

#[cfg(test)]
mod tests {
    use redb::{Database, ReadableTable};

    use super::*;
    use crate::store::keys;

    /// Small numbers, the same at every run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % bound
        }
    }

    fn record(blob: u64, start: u64, len: u64) -> BodyRecord {
        BodyRecord { pack: blob, len, sha256: [0; 32], canonical: [0; 32], start }
    }

    /// Text that deflates, a different one for each seed.
    fn text(seed: u64, len: usize) -> Vec<u8> {
        format!("{seed} and again, ").into_bytes().into_iter().cycle().take(len).collect()
    }

    fn memory() -> Database {
        let backend = redb::backends::InMemoryBackend::new();
        Database::builder().create_with_backend(backend).expect("memory does not fail")
    }

    fn check(tables: &Tables<'_>, kept: &[(BodyRecord, Vec<u8>)]) {
        for (body, bytes) in kept {
            let read = blobs::read(&tables.blobs, body.pack, body.start, body.len).unwrap();
            assert!(read == *bytes, "{body:?} changed");
            let half = &bytes[bytes.len() / 2..];
            let from = body.start + body.len - half.len() as u64;
            assert!(blobs::read(&tables.blobs, body.pack, from, half.len() as u64).unwrap() == half);
        }
    }

    #[test]
    fn bodies_come_and_go_and_the_others_stay() {
        const SIZES: [u64; 6] = [0, 1, 900, 5_000, 70_000, 200_000];
        for seed in 0..12 {
            let mut numbers = Numbers(seed);
            let database = memory();
            let txn = database.begin_write().unwrap();
            {
                let mut tables = Tables::open(&txn).unwrap();
                let mut kept = Vec::new();
                for blob in 1..=3 {
                    let mut packs = Packs::default();
                    for n in 0..25 {
                        let size = SIZES[numbers.below(6) as usize];
                        let bytes = text(blob * 100 + n, numbers.below(size + 1) as usize);
                        let pieces: Vec<Vec<u8>> = bytes.chunks(LARGEST).map(<[u8]>::to_vec).collect();
                        let (blob, start) = packs.add(&mut tables, blob * 100 + n, pieces).unwrap();
                        kept.push((record(blob, start, bytes.len() as u64), bytes));
                    }
                    packs.finish(&mut tables).unwrap();
                }
                check(&tables, &kept);
                if seed % 2 == 1 {
                    deflate_all(&mut tables);
                }
                while !kept.is_empty() {
                    let mut packs = Packs::default();
                    for _ in 0..=numbers.below(8).min(kept.len() as u64 - 1) {
                        let (body, _) = kept.swap_remove(numbers.below(kept.len() as u64) as usize);
                        packs.remove(&body);
                    }
                    packs.finish(&mut tables).unwrap();
                    check(&tables, &kept);
                }
                assert!(tables.blobs.iter().unwrap().next().is_none(), "nothing is left of the packs");
            }
            txn.commit().unwrap();
        }
    }

    fn deflate_all(tables: &mut Tables<'_>) {
        let mut shorter = Vec::new();
        for entry in tables.blobs.iter().unwrap() {
            let (key, value) = entry.unwrap();
            shorter.extend(blobs::compress(value.value()).map(|new| (key.value().to_vec(), new)));
        }
        assert!(!shorter.is_empty());
        for (key, value) in shorter {
            tables.blobs.insert(key.as_slice(), value.as_slice()).unwrap();
        }
    }

    /// What comes and goes in one transaction leaves nothing; what lies around it stays.
    #[test]
    fn a_body_goes_that_just_came() {
        let database = memory();
        let txn = database.begin_write().unwrap();
        let mut tables = Tables::open(&txn).unwrap();
        let mut packs = Packs::default();
        let bodies: Vec<_> = (7..10)
            .map(|blob| {
                let (blob, start) = packs.add(&mut tables, blob, vec![text(blob, 50_000)]).unwrap();
                record(blob, start, 50_000)
            })
            .collect();
        packs.remove(&bodies[1]);
        packs.finish(&mut tables).unwrap();
        check(&tables, &[(bodies[0], text(7, 50_000)), (bodies[2], text(9, 50_000))]);
        let lies = |at: u64| {
            let range = keys::chunk(7, 0)..=keys::chunk(7, at);
            let mut last = tables.blobs.range(range.start().as_slice()..=range.end().as_slice()).unwrap();
            last.next_back().unwrap().unwrap().0.value().to_vec()
        };
        assert!(keys::read_u64(&lies(99_999), 8).unwrap() < 50_000, "the middle is empty");
        assert_eq!(lies(100_000), keys::chunk(7, 100_000), "the last begins where it did");
    }
}
