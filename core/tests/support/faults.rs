//! A disk that loses power, and one that fills up.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailkeep::{Storage, StorageFile};

use super::Dice;

/// A disk without locks: whoever opens it gets it. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What a power loss leaves.
    durable: Vec<u8>,
    /// What reads see.
    current: Vec<u8>,
    /// What was done since the last sync.
    unsynced: Vec<Change>,
    /// Writes, syncs and changes of length so far.
    operations: u64,
    crash_at: Option<u64>,
    room: Option<u64>,
    opened: u64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} octets, {} unsynced, {} operations",
            self.current.len(),
            self.unsynced.len(),
            self.operations
        )
    }
}

enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

impl Disk {
    pub fn new() -> Disk {
        Disk::default()
    }

    /// A disk that holds these bytes.
    pub fn holding(bytes: Vec<u8>) -> Disk {
        let disk = Disk::new();
        disk.lock().durable = bytes.clone();
        disk.lock().current = bytes;
        disk
    }

    /// The `n`-th operation from now on fails, and all after it, as when the power goes.
    pub fn crash_at(&self, n: u64) {
        let mut state = self.lock();
        state.crash_at = Some(state.operations + n);
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    pub fn has_crashed(&self) -> bool {
        let state = self.lock();
        state.crash_at.is_some_and(|at| state.operations >= at)
    }

    /// No more octets than these; `None` gives room back.
    pub fn set_room(&self, room: Option<u64>) {
        self.lock().room = room;
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.lock().current.clone()
    }

    /// The disk after the power came back: the last synced state, and of what was done since, some;
    /// the last of it perhaps torn.
    pub fn after_crash(&self, seed: u64) -> Disk {
        let mut dice = Dice::new(seed);
        let state = self.lock();
        let mut bytes = state.durable.clone();
        let kept: Vec<&Change> = match seed {
            0 => Vec::new(),
            1 => state.unsynced.iter().collect(),
            _ => state.unsynced.iter().filter(|_| dice.below(2) == 0).collect(),
        };
        let torn = seed > 1;
        let last = kept.len().wrapping_sub(1);
        for (at, change) in kept.into_iter().enumerate() {
            match change {
                Change::Length(len) => bytes.resize(*len as usize, 0),
                Change::Write(offset, data) => {
                    let whole = if torn && at == last {
                        dice.below(data.len() as u64 + 1) as usize
                    } else {
                        data.len()
                    };
                    let start = *offset as usize;
                    let end = start + whole;
                    if bytes.len() < end {
                        bytes.resize(end, 0);
                    }
                    bytes[start..end].copy_from_slice(&data[..whole]);
                }
            }
        }
        Disk::holding(bytes)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation; an error once the power is gone.
    fn operate(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        let operation = state.operations;
        if state.crash_at.is_some_and(|at| operation >= at) {
            return Err(io::Error::other("the power is gone"));
        }
        state.operations += 1;
        Ok(state)
    }
}

impl Storage for Disk {
    fn open(&self) -> io::Result<Box<dyn StorageFile>> {
        self.lock().opened += 1;
        Ok(Box::new(self.clone()))
    }

    fn identity(&self) -> String {
        format!("disk:{:p}", Arc::as_ptr(&self.state))
    }
}

impl StorageFile for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.lock();
        let start = offset as usize;
        let end = start + out.len();
        out.copy_from_slice(state.current.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.operate()?;
        let (start, end) = (offset as usize, offset as usize + data.len());
        if state.room.is_some_and(|room| end as u64 > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.current.get_mut(start..end).ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(data);
        state.unsynced.push(Change::Write(offset, data.to_vec()));
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.operate()?;
        if state.room.is_some_and(|room| len > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.current.resize(len as usize, 0);
        state.unsynced.push(Change::Length(len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.operate()?;
        let State { durable, unsynced, .. } = &mut *state;
        for change in unsynced.drain(..) {
            match change {
                Change::Length(len) => durable.resize(len as usize, 0),
                Change::Write(offset, data) => {
                    durable[offset as usize..offset as usize + data.len()].copy_from_slice(&data);
                }
            }
        }
        Ok(())
    }
}
