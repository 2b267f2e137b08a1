//! Opening the store, and finding in it what the command line names.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use mailkeep::{AccountInfo, Engine, EngineOptions, Error, FileStorage, MailboxId, MailboxInfo, Now};

use crate::exit::{Exit, Failure};

/// How long to wait for another program that has the database, and may be about to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Nobody acts on the mail beside a sync of this program: a batch may be as large as is of use.
const BATCH: usize = 8 << 20;

/// Opens the database at `path`, which must be there.
pub(crate) fn open(path: &Path) -> Result<Engine, Failure> {
    open_storage(path, FileStorage::existing(path))
}

/// Opens the database at `path`, or makes it.
pub(crate) fn open_or_create(path: &Path) -> Result<Engine, Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(Failure::new(Exit::Store, format!("the folder of {} is not there", path.display())));
    }
    open_storage(path, FileStorage::new(path))
}

fn open_storage(path: &Path, storage: FileStorage) -> Result<Engine, Failure> {
    let seed = getrandom::u64().map_err(|error| Failure::usage(format!("no randomness: {error}")))?;
    let patience = Instant::now() + PATIENCE;
    let options = EngineOptions { batch_bytes: BATCH, ..EngineOptions::new(seed) };
    loop {
        match Engine::open(storage.clone(), options) {
            Err(Error::Locked) if Instant::now() < patience => thread::sleep(PATIENCE / 20),
            opened => return opened.map_err(|error| Failure::store(path, error)),
        }
    }
}

/// The account of that name; all of them where none is given.
pub(crate) fn accounts(engine: &Engine, name: Option<&str>) -> Result<Vec<AccountInfo>, Failure> {
    let mut accounts = engine.accounts()?;
    if let Some(name) = name {
        accounts.retain(|account| account.settings.name == name);
        if accounts.is_empty() {
            return Err(Failure::not_found(format!("no account {name}; `mailkeep account list` shows them")));
        }
    }
    Ok(accounts)
}

/// The account of that name; the only one where none is given.
pub(crate) fn one_account(engine: &Engine, name: Option<&str>) -> Result<AccountInfo, Failure> {
    let mut accounts = accounts(engine, name)?;
    match (accounts.pop(), accounts.is_empty()) {
        (Some(account), true) => Ok(account),
        (Some(_), false) => Err(Failure::usage("there are several accounts; say which with --account")),
        (None, _) => Err(Failure::not_found("no account yet; `mailkeep account add` makes one")),
    }
}

/// The time, for what is done between two syncs.
pub(crate) fn now() -> Now {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Now::new(0, wall.as_millis() as i64)
}

/// The account's mailbox of that name, or with that `#ID`. INBOX is one name in any case.
pub(crate) fn mailbox_of(
    engine: &Engine,
    account: &AccountInfo,
    name: &str,
) -> Result<Option<MailboxInfo>, Failure> {
    let inbox = name.eq_ignore_ascii_case("INBOX");
    let is_it =
        |mailbox: &MailboxInfo| mailbox.name == name || (inbox && mailbox.name.eq_ignore_ascii_case("INBOX"));
    let all = engine.mailboxes(account.id)?;
    let named = all.iter().find(|mailbox| is_it(mailbox));
    // A name that looks like an id comes first: it is what the person sees.
    let id = name.strip_prefix('#').and_then(|id| id.parse().ok()).map(MailboxId);
    Ok(named.or_else(|| all.iter().find(|mailbox| Some(mailbox.id) == id)).cloned())
}

/// The one mailbox of that name among the accounts.
pub(crate) fn mailbox(engine: &Engine, account: Option<&str>, name: &str) -> Result<MailboxInfo, Failure> {
    let mut found = Vec::new();
    for account in accounts(engine, account)? {
        found.extend(mailbox_of(engine, &account, name)?);
    }
    match (found.pop(), found.is_empty()) {
        (Some(mailbox), true) => Ok(mailbox),
        (Some(_), false) => {
            Err(Failure::usage(format!("several accounts have a mailbox {name}; say which with --account")))
        }
        (None, _) => Err(Failure::not_found(format!("no mailbox {name}; `mailkeep mailboxes` shows them"))),
    }
}
