//! A store's life, and its accounts.

use std::sync::Arc;

use mailkeep::{EngineOptions, FileStorage, MemoryStorage, Now};

use crate::connection::{Connection, ConnectionOptions};
use crate::error::Result;
use crate::guard::Guard;
use crate::model::{AccountInfo, AccountSettings, Conversion, LeftoverAction, Quota};
use crate::numbers;

/// How a store is opened.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct OpenOptions {
    /// 64 bits of randomness from the app, that name a new store.
    pub seed: i64,
    /// Octets of the database kept in memory.
    pub cache_bytes: i64,
    /// Octets that a batch gathers before it is committed. Larger is faster, up to 8 MiB, costs memory, and lets an
    /// action beside a sync wait longer.
    pub batch_bytes: i64,
    /// Make the file where it is not there.
    pub create: bool,
    /// Keep what makes reopening after an unclean end take milliseconds, at one more sync of the disk a commit.
    pub quick_repair: bool,
}

impl OpenOptions {
    /// For a phone: 8 MiB of the database in memory, batches of 1 MiB.
    pub fn small(seed: i64) -> OpenOptions {
        OpenOptions::of(EngineOptions::small(seed as u64))
    }

    fn of(options: EngineOptions) -> OpenOptions {
        OpenOptions {
            seed: options.seed as i64,
            cache_bytes: numbers::signed(options.cache_bytes as u64),
            batch_bytes: numbers::signed(options.batch_bytes as u64),
            create: true,
            quick_repair: options.quick_repair,
        }
    }

    fn engine(&self) -> EngineOptions {
        EngineOptions {
            cache_bytes: numbers::length(self.cache_bytes),
            batch_bytes: numbers::length(self.batch_bytes),
            quick_repair: self.quick_repair,
            ..EngineOptions::new(self.seed as u64)
        }
    }
}

/// Options for a phone: 8 MiB of the database in memory, batches of 1 MiB.
#[uniffi::export]
pub fn small_options(seed: i64) -> OpenOptions {
    OpenOptions::small(seed)
}

/// Options for a desktop program: 16 MiB of the database in memory, batches of 4 MiB.
#[uniffi::export]
pub fn desktop_options(seed: i64) -> OpenOptions {
    OpenOptions::of(EngineOptions::new(seed as u64))
}

/// What the app gives to be told that connections have something to do because of another, or of the user.
#[uniffi::export(with_foreign)]
pub trait WakeListener: Send + Sync {
    /// `Engine.poll_wake` has something. Called on the thread of the call that made it so, with no lock held.
    fn woken(&self) -> Result<()>;
}

/// A store of mail, open. It may be used from as many threads as you like.
#[derive(uniffi::Object)]
pub struct Engine {
    pub(crate) guard: Arc<Guard>,
}

impl Engine {
    pub(crate) fn over(storage: impl mailkeep::Storage, options: EngineOptions) -> Result<Arc<Engine>> {
        let engine = mailkeep::Engine::open(storage, options)?;
        Ok(Arc::new(Engine { guard: Guard::new(engine) }))
    }

    pub(crate) fn call<R>(&self, act: impl FnOnce(&mailkeep::Engine) -> mailkeep::Result<R>) -> Result<R> {
        self.guard.call(act)
    }
}

/// The moment of something that a person does. Only the wall clock matters to it.
pub(crate) fn wall(now_ms: i64) -> Now {
    Now::new(0, now_ms)
}

#[uniffi::export]
impl Engine {
    /// Opens the database in a file.
    ///
    /// Errors: Locked where it is open already, here or in another process; NotADatabase, NewerSchema and Corrupt where
    /// the file cannot be used, and it is left as it is; Storage where the file cannot be opened.
    #[uniffi::constructor]
    pub fn open(path: String, options: OpenOptions) -> Result<Arc<Engine>> {
        let place = if options.create { FileStorage::new(path) } else { FileStorage::existing(path) };
        Engine::over(place, options.engine())
    }

    /// Opens a new store in memory, which goes with the engine. For tests and previews.
    #[uniffi::constructor]
    pub fn in_memory(options: OpenOptions) -> Result<Arc<Engine>> {
        Engine::over(MemoryStorage::new(), options.engine())
    }

    /// Opens the storage again after it failed and the cause is gone. Everything acknowledged is there.
    ///
    /// Errors: as opening.
    pub fn reopen(&self) -> Result<()> {
        self.call(|engine| engine.reopen())
    }

    /// Closes the file and gives its lock back, so that the system may put the app to sleep. Calls answer
    /// Suspended until `resume`.
    pub fn suspend(&self) -> Result<()> {
        self.call(|engine| engine.suspend())
    }

    /// Opens the file again after `suspend`.
    ///
    /// Errors: as opening.
    pub fn resume(&self) -> Result<()> {
        self.call(|engine| engine.resume())
    }

    /// Closes the store for good, its connections with it; every later call answers Closed. Waits for a commit that is
    /// under way.
    pub fn shut_down(&self) -> Result<()> {
        self.call(|engine| {
            engine.close();
            Ok(())
        })
    }

    /// The number that names this store, and no copy of it.
    pub fn incarnation(&self) -> Result<i64> {
        self.call(|engine| Ok(engine.incarnation()? as i64))
    }

    /// Adds an account and says what it is called.
    ///
    /// Errors: Invalid where the settings cannot be used.
    pub fn add_account(&self, settings: AccountSettings) -> Result<i64> {
        self.call(|engine| Ok(engine.add_account(settings.into_core()?)?.0.into()))
    }

    /// Changes an account's settings. Connections that are open keep theirs until their next sync.
    ///
    /// Errors: Gone, Invalid.
    pub fn update_account(&self, account: i64, settings: AccountSettings) -> Result<()> {
        self.call(|engine| engine.update_account(numbers::account(account)?, settings.into_core()?))
    }

    /// Removes an account and its mail from this device.
    ///
    /// Errors: Gone.
    pub fn remove_account(&self, account: i64) -> Result<()> {
        self.call(|engine| engine.remove_account(numbers::account(account)?))
    }

    /// All accounts.
    pub fn accounts(&self) -> Result<Vec<AccountInfo>> {
        self.call(|engine| Ok(engine.accounts()?.into_iter().map(AccountInfo::from).collect()))
    }

    /// What the server lets an account hold (RFC 9208), as last heard; empty where it does not say.
    ///
    /// Errors: Gone.
    pub fn quotas(&self, account: i64) -> Result<Vec<Quota>> {
        self.call(|engine| {
            let id = numbers::account(account)?;
            let found = engine.accounts()?.into_iter().find(|account| account.id == id);
            let found = found.ok_or(mailkeep::Error::Gone("account"))?;
            Ok(found.quotas.into_iter().map(Quota::from).collect())
        })
    }

    /// Points an account at another server that has the same mail: from POP3 to IMAP, or to another provider. Nothing that
    /// is met there is downloaded again. Close the account's connections before; when a sync is through, `conversion` says
    /// what the server does not have and `finish_conversion` ends it.
    ///
    /// Errors: Gone; Invalid for settings that cannot be used or are not IMAP's.
    pub fn convert_account(&self, account: i64, settings: AccountSettings, now_ms: i64) -> Result<()> {
        self.call(|engine| {
            engine.convert_account(wall(now_ms), numbers::account(account)?, settings.into_core()?)
        })
    }

    /// How far an account's conversion has come.
    ///
    /// Errors: Gone.
    pub fn conversion(&self, account: i64) -> Result<Conversion> {
        self.call(|engine| Ok(engine.conversion(numbers::account(account)?)?.into()))
    }

    /// Ends a conversion, and says how many messages were sent on or kept.
    ///
    /// Errors: Misuse where none is under way, Gone.
    pub fn finish_conversion(&self, account: i64, action: LeftoverAction, now_ms: i64) -> Result<i64> {
        self.call(|engine| {
            let (account, action) = (numbers::account(account)?, action.into_core()?);
            Ok(numbers::signed(engine.finish_conversion(wall(now_ms), account, action)?))
        })
    }

    /// Begins a connection for an account. The app opens the transport and moves the bytes.
    ///
    /// Errors: Gone where there is no such account, Invalid where the seed has not 32 octets.
    pub fn connect(&self, account: i64, options: ConnectionOptions) -> Result<Arc<Connection>> {
        let (host_commits, options) = options.into_core()?;
        let connection = self.call(|engine| engine.connect(numbers::account(account)?, options))?;
        Ok(Arc::new(Connection::new(self.guard.clone(), connection, host_commits)))
    }

    /// The next connection that has something to do because of another: call its `step_wake`. Nothing when there is no
    /// more.
    pub fn poll_wake(&self) -> Option<i64> {
        let next = self.call(|engine| Ok(engine.poll_wake()));
        next.ok().flatten().map(|id| id.0.into())
    }

    /// Whom to tell when `poll_wake` has something; nobody where there is none.
    pub fn set_wake_listener(&self, listener: Option<Arc<dyn WakeListener>>) {
        self.guard.listen(listener);
    }
}
