//! The store: one redb database behind one gate.
//!
//! Nothing here knows a protocol. A [`Batch`] of facts comes in and is applied in one write
//! transaction; pages, messages and bytes go out as owned values.

pub(crate) mod accounts;
pub(crate) mod actions;
pub(crate) mod apply;
mod arrivals;
pub(crate) mod batch;
mod blobs;
pub(crate) mod convert;
pub(crate) mod described;
mod expunge;
mod gate;
pub(crate) mod identity;
pub(crate) mod intents;
mod keys;
pub(crate) mod ledger;
mod mailboxes;
mod orphans;
mod packs;
pub(crate) mod pages;
mod partials;
mod parts;
mod placements;
pub(crate) mod plan;
pub(crate) mod query;
pub(crate) mod record;
pub(crate) mod records;
pub(crate) mod replayed;
pub(crate) mod retention;
pub(crate) mod room;
pub(crate) mod served;
pub(crate) mod shrink;
pub(crate) mod storage;
pub(crate) mod tables;
pub(crate) mod verify;
mod view;
pub(crate) mod writer;

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use redb::{Database, ReadableDatabase, ReadableTable};

use crate::error::{Error, Result};
use crate::store::gate::Gate;
use crate::store::storage::{Storage, StorageFile};
use crate::store::tables::{Snapshot, Tables};
use crate::store::writer::Writer;

/// The schema that this version writes and reads.
const SCHEMA: u32 = 1;
const SCHEMA_KEY: &[u8] = b"schema";
const INCARNATION_KEY: &[u8] = b"incarnation";

/// How the store uses memory and disk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreOptions {
    pub(crate) cache: usize,
    pub(crate) quick_repair: bool,
}

pub(crate) struct Store {
    storage: Box<dyn Storage>,
    options: StoreOptions,
    gate: Gate,
    state: RwLock<State>,
    next_blob: AtomicU64,
    /// Number of the last commit in the change feed.
    last_commit: AtomicU64,
    lent: Arc<Lending>,
    watcher: Mutex<Option<Watcher>>,
}

/// What a host gives to be called after commits, with their numbers.
pub(crate) type Watcher = Arc<dyn Fn(u64) + Send + Sync>;

/// Counts snapshots that outlive the call that made them.
#[derive(Debug, Default)]
struct Lending {
    out: Mutex<usize>,
    back: Condvar,
}

impl Lending {
    /// Waits until every snapshot is given back.
    fn wait(&self) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        while *out > 0 {
            out = self.back.wait(out).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A snapshot that several reads share. It is given back before its holder writes, and within one call of the host:
/// whatever closes the database waits for it.
pub(crate) struct Lent {
    // Declared first: the snapshot is gone before it is counted as given back.
    pub(crate) tables: Snapshot,
    /// The last commit that it may not have.
    pub(crate) commit: u64,
    _returned: Returned,
}

struct Returned(Arc<Lending>);

impl Drop for Returned {
    fn drop(&mut self) {
        *self.0.out.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.back.notify_all();
    }
}

enum State {
    Open(Opened),
    Suspended,
    /// The storage failed under redb, which is dead from then on.
    Failed(Option<Opened>),
    Closed,
}

/// Closes the store when the thread panics.
struct CloseOnPanic<'a>(&'a Store);

impl Drop for CloseOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0.state.write().unwrap_or_else(PoisonError::into_inner) = State::Closed;
        }
    }
}

struct Opened {
    // Declared before the claim, so that the database is closed before another may open it.
    database: Database,
    _claim: Claim,
}

/// The places open in this process. File locks are per process on some systems and missing on
/// others; this is what refuses a second opening everywhere.
fn registry() -> &'static Mutex<HashSet<String>> {
    static REGISTRY: OnceLock<Mutex<HashSet<String>>> = OnceLock::new();
    REGISTRY.get_or_init(Default::default)
}

struct Claim(String);

impl Claim {
    fn take(identity: String) -> Result<Claim> {
        let mut open = registry().lock().unwrap_or_else(PoisonError::into_inner);
        if open.insert(identity.clone()) { Ok(Claim(identity)) } else { Err(Error::Locked) }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        registry().lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// One read's view of the whole store. It lives within one call of the host.
pub(crate) struct Reading<'a> {
    pub(crate) tables: Snapshot,
    _state: RwLockReadGuard<'a, State>,
}

impl Store {
    pub(crate) fn open(storage: Box<dyn Storage>, options: StoreOptions, seed: u64) -> Result<Store> {
        let opened = open_database(&*storage, options, seed)?;
        let next = first_free_blob(&opened.database)?;
        let commit = last_commit(&opened.database)?;
        Ok(Store {
            storage,
            options,
            gate: Gate::default(),
            state: RwLock::new(State::Open(opened)),
            next_blob: AtomicU64::new(next),
            last_commit: AtomicU64::new(commit),
            lent: Arc::default(),
            watcher: Mutex::default(),
        })
    }

    /// An id for a blob. Ids rise, since keys in rising order are cheap to write.
    pub(crate) fn new_blob(&self) -> u64 {
        self.next_blob.fetch_add(1, Ordering::Relaxed)
    }

    /// A snapshot of everything.
    pub(crate) fn read(&self) -> Result<Reading<'_>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let opened = opened(&state)?;
        let tables = Snapshot::open(&opened.database.begin_read()?)?;
        Ok(Reading { tables, _state: state })
    }

    /// Number of the last commit in the change feed: a cheap way to see that nothing has happened.
    pub(crate) fn last_commit(&self) -> u64 {
        self.last_commit.load(Ordering::Acquire)
    }

    /// A snapshot of everything, for several reads.
    pub(crate) fn lend(&self) -> Result<Lent> {
        let commit = self.last_commit();
        let reading = self.read()?;
        *self.lent.out.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Ok(Lent { tables: reading.tables, commit, _returned: Returned(Arc::clone(&self.lent)) })
    }

    /// Runs one write transaction. Whoever comes first goes first.
    pub(crate) fn write<R>(
        &self,
        now_ms: i64,
        act: impl FnOnce(&mut Writer<'_>) -> Result<R>,
    ) -> Result<(R, u64)> {
        let mut done = None;
        let commit = self.write_boxed(
            now_ms,
            Box::new(|w| {
                done = Some(act(w)?);
                Ok(())
            }),
        )?;
        Ok((done.expect("what was committed was done"), commit))
    }

    /// All of it that does not depend on what is written: once in the program, and not once for each kind of write.
    fn write_boxed(&self, now_ms: i64, act: Act<'_>) -> Result<u64> {
        let pass = self.gate.enter();
        // Dropped after the state's guard: a panic in the middle of a write closes the store, which can
        // be opened again.
        let _closes = CloseOnPanic(self);
        let outcome = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            transact(opened(&state)?, self.options, now_ms, act)
        };
        match &outcome {
            Ok(commit) => {
                let news = self.last_commit.swap(*commit, Ordering::AcqRel) != *commit;
                drop(pass);
                if news {
                    self.tell_watcher(*commit);
                }
            }
            Err(Error::Storage(_) | Error::StorageFailed) => self.fail(),
            Err(_) => {}
        }
        outcome
    }

    pub(crate) fn set_watcher(&self, watcher: Option<Watcher>) {
        *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) = watcher;
    }

    /// The host's code runs under no lock of ours.
    fn tell_watcher(&self, commit: u64) {
        let watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(watcher) = watcher {
            watcher(commit);
        }
    }

    fn fail(&self) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Open(_)) {
            let State::Open(opened) = std::mem::replace(&mut *state, State::Closed) else { return };
            *state = State::Failed(Some(opened));
        }
    }

    /// Opens the storage again after it failed.
    pub(crate) fn reopen(&self, seed: u64) -> Result<()> {
        let _pass = self.gate.enter();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            // A failed read leaves redb as dead as a failed write, and only trying tells.
            State::Open(opened) => match opened.database.begin_write().map(|txn| txn.abort()) {
                Ok(Ok(())) => return Ok(()),
                _ => *state = State::Failed(None),
            },
            State::Closed => return Err(Error::Closed),
            State::Failed(old) => drop(old.take()),
            State::Suspended => {}
        }
        let opened = open_database(&*self.storage, self.options, seed)?;
        self.last_commit.store(last_commit(&opened.database)?, Ordering::Release);
        self.next_blob.fetch_max(first_free_blob(&opened.database)?, Ordering::Relaxed);
        *state = State::Open(opened);
        Ok(())
    }

    /// Closes the database and gives back its lock until [`Store::reopen`].
    pub(crate) fn suspend(&self) -> Result<()> {
        let _pass = self.gate.enter();
        self.lent.wait();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Closed => Err(Error::Closed),
            _ => {
                *state = State::Suspended;
                Ok(())
            }
        }
    }

    pub(crate) fn close(&self) {
        let _pass = self.gate.enter();
        self.lent.wait();
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State::Closed;
    }

    /// Copies a snapshot into an empty place.
    pub(crate) fn backup_to(&self, storage: Box<dyn Storage>, seed: u64) -> Result<()> {
        let target = open_database(&*storage, self.options, seed)?;
        let reading = self.read()?;
        let mut txn = target.database.begin_write()?;
        txn.set_quick_repair(self.options.quick_repair);
        {
            let mut tables = Tables::open(&txn)?;
            let fresh = tables.meta.get(writer::COUNTERS)?.is_none();
            if !fresh {
                return Err(Error::NotADatabase("a backup goes into an empty place".into()));
            }
            tables.copy_from(&reading.tables)?;
            tables.meta.insert(INCARNATION_KEY, seed.to_be_bytes().as_slice())?;
        }
        txn.commit()?;
        Ok(())
    }

    /// What names this store, and no copy of it.
    pub(crate) fn incarnation(&self) -> Result<u64> {
        let reading = self.read()?;
        let stored = tables::get(&reading.tables.meta, INCARNATION_KEY)?;
        stored
            .and_then(|b| keys::read_u64(&b, 0))
            .ok_or_else(|| Error::Corrupt("the store has no incarnation".into()))
    }

    /// Gives unused space back to the storage. Waits for readers; nothing else runs meanwhile.
    pub(crate) fn compact(&self) -> Result<bool> {
        let _pass = self.gate.enter();
        self.lent.wait();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Open(opened) => Ok(opened.database.compact()?),
            State::Suspended => Err(Error::Suspended),
            State::Failed(_) => Err(Error::StorageFailed),
            State::Closed => Err(Error::Closed),
        }
    }
}

fn opened(state: &State) -> Result<&Opened> {
    match state {
        State::Open(opened) => Ok(opened),
        State::Suspended => Err(Error::Suspended),
        State::Failed(_) => Err(Error::StorageFailed),
        State::Closed => Err(Error::Closed),
    }
}

/// What a write does.
type Act<'a> = Box<dyn FnOnce(&mut Writer<'_>) -> Result<()> + 'a>;

fn transact(opened: &Opened, options: StoreOptions, now_ms: i64, act: Act<'_>) -> Result<u64> {
    let mut txn = opened.database.begin_write()?;
    txn.set_quick_repair(options.quick_repair);
    let done = (|| {
        let mut writer = Writer::new(Tables::open(&txn)?, now_ms)?;
        act(&mut writer)?;
        writer.finish()
    })();
    match done {
        Ok((commit, true)) => {
            txn.commit()?;
            Ok(commit)
        }
        // Nothing was written: no sync of the disk for it.
        Ok((commit, false)) => {
            txn.abort()?;
            Ok(commit)
        }
        Err(error) => {
            // The first error says more than one about undoing it.
            let _ = txn.abort();
            Err(error)
        }
    }
}

fn open_database(storage: &dyn Storage, options: StoreOptions, seed: u64) -> Result<Opened> {
    let claim = Claim::take(storage.identity())?;
    let file = storage.open().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Error::Locked,
        _ => Error::Storage(error),
    })?;
    refuse_foreign(&*file)?;
    let database = redb::Builder::new()
        .set_cache_size(options.cache)
        .create_with_backend(Backend(file))
        .map_err(|error| match error {
            redb::DatabaseError::Storage(redb::StorageError::Corrupted(why)) => Error::Corrupt(why),
            redb::DatabaseError::Storage(redb::StorageError::Io(e))
                if e.kind() == io::ErrorKind::InvalidData =>
            {
                Error::NotADatabase(e.to_string())
            }
            redb::DatabaseError::UpgradeRequired(v) => Error::NotADatabase(format!("redb file format {v}")),
            other => Error::from(redb::Error::from(other)),
        })?;
    prepare_schema(&database, options, seed)?;
    Ok(Opened { database, _claim: claim })
}

/// A file with something else in it is not touched. One whose making was interrupted is made anew.
fn refuse_foreign(file: &dyn StorageFile) -> Result<()> {
    let len = file.len().map_err(Error::Storage)?;
    if len == 0 {
        return Ok(());
    }
    let mut start = [0; MAGIC.len()];
    let readable = len >= 4096 && file.read(0, &mut start).is_ok();
    if readable && start == MAGIC {
        return Ok(());
    }
    if readable && is_unfinished(file, start, len).map_err(Error::Storage)? {
        return file.set_len(0).map_err(Error::Storage);
    }
    Err(Error::NotADatabase("it holds something else".into()))
}

/// What a redb file begins with. It is written last, when the file is made.
const MAGIC: [u8; 9] = *b"redb\x1A\x0A\xA9\x0D\x0A";

/// Whether a file is what an interrupted making leaves: a header that has not got its magic number, and zeros.
fn is_unfinished(file: &dyn StorageFile, start: [u8; MAGIC.len()], len: u64) -> io::Result<bool> {
    /// The header's length, and more than a new file is long.
    const HEADER: u64 = 320;
    const MOST: u64 = 64 << 20;
    let begun = start.iter().zip(MAGIC).take_while(|(is, wanted)| **is == *wanted).count();
    if len > MOST || start[begun..].iter().any(|b| *b != 0) {
        return Ok(false);
    }
    let mut buffer = vec![0; 1 << 16];
    let mut offset = HEADER;
    while offset < len {
        let piece = (len - offset).min(buffer.len() as u64) as usize;
        file.read(offset, &mut buffer[..piece])?;
        if buffer[..piece].iter().any(|b| *b != 0) {
            return Ok(false);
        }
        offset += piece as u64;
    }
    Ok(true)
}

fn prepare_schema(database: &Database, options: StoreOptions, seed: u64) -> Result<()> {
    const META: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("meta");
    let found = {
        let txn = database.begin_read()?;
        match txn.open_table(META) {
            Ok(meta) => meta.get(SCHEMA_KEY)?.and_then(|v| keys::read_u32(v.value(), 0)),
            Err(redb::TableError::TableDoesNotExist(_)) => {
                if txn.list_tables()?.next().is_some() {
                    return Err(Error::NotADatabase("a redb file of another program".into()));
                }
                None
            }
            Err(redb::TableError::TableTypeMismatch { .. }) => {
                return Err(Error::NotADatabase("a redb file of another program".into()));
            }
            Err(error) => return Err(error.into()),
        }
    };
    match found {
        Some(SCHEMA) => Ok(()),
        Some(found) => Err(Error::NewerSchema { found, supported: SCHEMA }),
        None => {
            let mut txn = database.begin_write()?;
            txn.set_quick_repair(options.quick_repair);
            {
                let mut tables = Tables::open(&txn)?;
                tables.meta.insert(SCHEMA_KEY, SCHEMA.to_be_bytes().as_slice())?;
                tables.meta.insert(INCARNATION_KEY, seed.to_be_bytes().as_slice())?;
            }
            txn.commit()?;
            Ok(())
        }
    }
}

fn last_commit(database: &Database) -> Result<u64> {
    Ok(query::counters(&Snapshot::open(&database.begin_read()?)?)?.commit)
}

fn first_free_blob(database: &Database) -> Result<u64> {
    let tables = Snapshot::open(&database.begin_read()?)?;
    let last = tables.blobs.last()?.and_then(|(key, _)| keys::read_u64(key.value(), 0));
    let mut free = last.map_or(1, |last| last + 1);
    for entry in tables.parts.iter()? {
        let part: records::PartRecord = record::decode(entry?.1.value())?;
        free = free.max(part.blob + 1);
    }
    for entry in tables.partials.iter()? {
        let partial: batch::PartialBody = record::decode(entry?.1.value())?;
        free = free.max(partial.blob + 1);
    }
    Ok(free)
}

/// Our storage as redb wants it.
#[derive(Debug)]
struct Backend(Box<dyn StorageFile>);

impl redb::StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}

/// A store that several parts of the engine share.
pub(crate) type SharedStore = Arc<Store>;
