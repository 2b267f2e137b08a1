//! One store and several who want it: a second opener, a person beside a hot sync, a full disk, a system that
//! puts the program to sleep, a kill.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use mailkeep::sasl::{Credentials, Secret};
use mailkeep::{
    AccountId, AccountSettings, Change, Changes, ConnectionOptions, Engine, EngineOptions, Error, Event,
    FileStorage, MailboxInfo, MessageId, Now, Role, Security, Storage, StorageFile, SyncScope, SyncSummary,
};
use mailkeep_tests::corpus::generate;
use mailkeep_tests::dovecot::Dovecot;
use mailkeep_tests::server::{MailServer as _, Scratch};

const PASSWORD: &str = "secret";

/// Time is measured here: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(storage: impl Storage) -> mailkeep::Result<Engine> {
    Engine::open(storage, EngineOptions::new(1))
}

/// An account of a Dovecot user whose INBOX holds so many messages.
fn account(engine: &Engine, name: &str, port: u16, user: &str) -> AccountId {
    let mut settings = AccountSettings::imap(name, "127.0.0.1", user);
    settings.port = port;
    settings.security = Security::Insecure;
    engine.add_account(settings).expect("the settings fit")
}

fn filled(user: &str, count: usize, average: usize) -> (Arc<Dovecot>, u16) {
    let dovecot = Dovecot::shared();
    dovecot.add_user(user, PASSWORD);
    assert_eq!(dovecot.fill(user, "INBOX", generate(count as u64, count, average)), count);
    let port = dovecot.imap_port();
    (dovecot, port)
}

fn now(start: Instant) -> Now {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    Now::new(start.elapsed().as_millis() as u64, wall.as_millis() as i64)
}

/// Syncs an account over a socket of its own; `seen` is shown every event.
fn sync(engine: &Engine, account: AccountId, mut seen: impl FnMut(&Event)) -> Result<SyncSummary, Error> {
    let found = engine.accounts()?.into_iter().find(|a| a.id == account).expect("the account is there");
    let (port, user) = (found.settings.port, found.settings.user);
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    socket.set_nodelay(true).expect("it is TCP");
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout can be set");
    let start = Instant::now();
    let mut connection = engine.connect(account, ConnectionOptions::new([3; 32], false))?;
    let request = connection.sync(SyncScope::account());
    let mut buffer = vec![0; 64 << 10];
    let mut result = None;
    loop {
        if let Some(bytes) = connection.poll_transmit() {
            // A server that hung up is noticed when it is read from.
            let _ = socket.write_all(&bytes);
            continue;
        }
        if let Some(event) = connection.poll_event() {
            seen(&event);
            match event {
                Event::NeedCredentials { .. } => {
                    let (user, password) = (user.clone(), Secret::new(PASSWORD));
                    connection.provide_credentials(Credentials::Password {
                        user,
                        authzid: None,
                        password,
                    })?;
                }
                Event::Done { request: done, result: how } if done == request => {
                    result = Some(how);
                    connection.logout();
                }
                Event::Closed { error } => {
                    return match (result, error) {
                        (Some(Ok(summary)), _) => Ok(summary),
                        (_, Some(error)) | (Some(Err(error)), None) => Err(error),
                        (None, None) => Err(Error::Disconnected("nothing was said of the sync".into())),
                    };
                }
                _ => {}
            }
            continue;
        }
        match socket.read(&mut buffer) {
            Ok(0) => connection.handle_eof(now(start))?,
            Ok(len) => {
                let progress = connection.handle_input(now(start), &buffer[..len])?;
                assert!(progress.consumed == len || connection.is_closed());
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                connection.handle_timeout(now(start))?;
            }
            Err(_) => connection.handle_eof(now(start))?,
        }
    }
}

fn inbox(engine: &Engine, account: AccountId) -> MailboxInfo {
    let all = engine.mailboxes(account).expect("mailboxes");
    all.into_iter().find(|m| m.role == Some(Role::Inbox)).expect("INBOX is there")
}

#[track_caller]
fn assert_whole(engine: &Engine) {
    assert_eq!(engine.verify().expect("the store can be read").problems, Vec::<String>::new());
}

/// A file that anyone may open as often as they like, with room for so many octets.
#[derive(Debug, Clone)]
struct Budgeted {
    path: PathBuf,
    room: Arc<AtomicU64>,
}

impl Budgeted {
    fn new(path: &Path) -> Budgeted {
        Budgeted { path: path.to_owned(), room: Arc::new(AtomicU64::new(u64::MAX)) }
    }
}

impl Storage for Budgeted {
    fn open(&self) -> io::Result<Box<dyn StorageFile>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.path)?;
        Ok(Box::new(BudgetedFile { file, room: self.room.clone() }))
    }

    fn identity(&self) -> String {
        format!("budgeted:{}", self.path.display())
    }
}

#[derive(Debug)]
struct BudgetedFile {
    file: File,
    room: Arc<AtomicU64>,
}

impl BudgetedFile {
    fn check(&self, end: u64) -> io::Result<()> {
        if end > self.room.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageFile for BudgetedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check(offset + data.len() as u64)?;
        self.file.write_all_at(data, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check(len)?;
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// What another process is to do: this binary again, with `another_process` as its only test.
const TASK: &str = "MAILKEEP_SIDE_TASK";
const STORE: &str = "MAILKEEP_SIDE_STORE";

const LOCKED: i32 = 41;
const OPENED: i32 = 42;

fn another(task: &str, store: &Path) -> Child {
    let test = std::env::current_exe().expect("a test knows its own file");
    let mut command = Command::new(test);
    command.args(["another_process", "--exact", "--nocapture"]).env(TASK, task).env(STORE, store);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("a test can be run again")
}

fn opens_elsewhere(store: &Path) -> i32 {
    let status = another("open", store).wait().expect("own child");
    status.code().expect("it was not killed")
}

#[test]
fn another_process() {
    let Ok(task) = std::env::var(TASK) else { return };
    let store = FileStorage::existing(std::env::var_os(STORE).expect("it is told where"));
    let engine = match open(store) {
        Ok(engine) => engine,
        Err(Error::Locked) => std::process::exit(LOCKED),
        Err(error) => panic!("{error}"),
    };
    match task.as_str() {
        "open" => std::process::exit(OPENED),
        "sync" => loop {
            let first = engine.accounts().expect("accounts")[0].id;
            sync(&engine, first, |_| {}).expect("the sync goes on until the kill");
        },
        other => panic!("{other}?"),
    }
}

#[test]
fn a_second_opening_is_refused() {
    let _alone = alone();
    let scratch = Scratch::new("locks");
    let path = scratch.path().join("store");
    let engine = open(FileStorage::new(&path)).expect("it opens");
    assert!(matches!(open(FileStorage::new(&path)), Err(Error::Locked)), "in the same process");
    let link = scratch.path().join("link");
    std::os::unix::fs::symlink(&path, &link).expect("own folder");
    assert!(matches!(open(FileStorage::new(&link)), Err(Error::Locked)), "by another name");
    assert_eq!(opens_elsewhere(&path), LOCKED, "from another process");
    engine.add_account(AccountSettings::imap("a", "host", "user")).expect("the first is none the worse");
    let clone = engine.clone();
    drop(engine);
    assert!(matches!(open(FileStorage::new(&path)), Err(Error::Locked)), "a clone holds it");
    clone.close();
    assert_eq!(opens_elsewhere(&path), OPENED);
    let engine = open(FileStorage::new(&path)).expect("it is free");
    assert_eq!(engine.accounts().expect("accounts").len(), 1);
    assert_whole(&engine);
}

#[test]
fn a_second_opening_is_refused_where_there_are_no_locks() {
    let _alone = alone();
    let scratch = Scratch::new("nolocks");
    let storage = Budgeted::new(&scratch.path().join("store"));
    let engine = open(storage.clone()).expect("it opens");
    assert!(matches!(open(storage.clone()), Err(Error::Locked)));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let storage = storage.clone();
            thread::spawn(move || matches!(open(storage), Err(Error::Locked)))
        })
        .collect();
    assert!(threads.into_iter().all(|t| t.join().expect("it does not panic")));
    engine.add_account(AccountSettings::imap("a", "host", "user")).expect("the first is none the worse");
    drop(engine);
    let engine = open(storage).expect("it is free");
    assert_whole(&engine);
}

/// The file can be opened by two at the very same moment: one of them gets it.
#[test]
fn of_many_who_open_at_once_one_gets_it() {
    let _alone = alone();
    let scratch = Scratch::new("race");
    let path = scratch.path().join("store");
    drop(open(FileStorage::new(&path)).expect("it opens"));
    for _ in 0..20 {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let path = path.clone();
                thread::spawn(move || open(FileStorage::new(&path)))
            })
            .collect();
        let got: Vec<_> = threads.into_iter().map(|t| t.join().expect("it does not panic")).collect();
        let won = got.iter().filter(|e| e.is_ok()).count();
        let refused = got.iter().filter(|e| matches!(e, Err(Error::Locked))).count();
        assert_eq!((won, refused), (1, 3), "{got:?}");
    }
}

#[test]
fn a_persons_action_waits_for_one_batch_at_most() {
    let _alone = alone();
    let (_dovecot, port) = filled("beside", 2_000, 8_000);
    let scratch = Scratch::new("beside");
    let engine = open(FileStorage::new(scratch.path().join("store"))).expect("it opens");
    let mine = account(&engine, "mine", port, "nobody");
    let mailbox = inbox(&engine, mine).id;
    let done = Arc::new(AtomicBool::new(false));
    let syncing = {
        let (engine, done) = (engine.clone(), done.clone());
        thread::spawn(move || {
            let (mut added, mut rounds) = (0, 0);
            while !done.load(Ordering::SeqCst) {
                let account = account(&engine, &format!("hot {rounds}"), port, "beside");
                added += sync(&engine, account, |_| {}).expect("it syncs").messages_added;
                rounds += 1;
            }
            (added, rounds)
        })
    };
    // The sync is under way before the first action.
    while engine.stats().expect("stats").messages == 0 {
        thread::sleep(Duration::from_millis(2));
    }
    let mut waits: Vec<Duration> = (0..1_000)
        .map(|n| {
            let role = if n % 2 == 0 { Some(Some(Role::Archive)) } else { None };
            let start = Instant::now();
            engine.set_role(mailbox, role).expect("it is written");
            let waited = start.elapsed();
            // A person is no busy loop: the sync gets its turns.
            thread::sleep(Duration::from_millis(1));
            waited
        })
        .collect();
    done.store(true, Ordering::SeqCst);
    let (added, rounds) = syncing.join().expect("the sync does not panic");
    waits.sort();
    let (median, p99, worst) = (waits[500], waits[990], waits[999]);
    eprintln!(
        "1,000 actions beside {added} messages in {rounds} syncs: median {median:?}, p99 {p99:?}, worst {worst:?}"
    );
    assert!(added >= 1_000, "the sync was hot");
    assert!(p99 <= Duration::from_millis(100), "p99 {p99:?}, worst {worst:?}");
    assert_whole(&engine);
}

#[test]
fn a_full_disk_loses_nothing_and_goes_on_when_there_is_room() {
    let _alone = alone();
    let (_dovecot, port) = filled("full", 1_200, 6_000);
    for room in [2 << 20, 3 << 20, 5 << 20] {
        let scratch = Scratch::new("full");
        let storage = Budgeted::new(&scratch.path().join("store"));
        let options = EngineOptions { batch_bytes: 256 << 10, ..EngineOptions::new(1) };
        let engine = Engine::open(storage.clone(), options).expect("it opens");
        let account = account(&engine, "full", port, "full");
        storage.room.store(room, Ordering::SeqCst);
        let mut acknowledged: Vec<MessageId> = Vec::new();
        let (mut from, mut last) = (0, 0);
        let ended = sync(&engine, account, |event| {
            let Event::Stored { commit } = event else { return };
            last = *commit;
            // What is told to be stored can be read now, and is to be there ever after.
            let Ok(Changes::Since { changes, next }) = engine.changes_since(from) else { return };
            from = next;
            acknowledged.extend(changes.iter().filter_map(|change| match change {
                Change::MessageAdded(_, message) => Some(*message),
                _ => None,
            }));
        });
        let error = ended.expect_err("the disk is full");
        assert!(matches!(error, Error::Storage(_) | Error::StorageFailed), "{error:?}");
        assert!(last > 0, "something fitted");
        // Until the host says that there is room nothing works, and nothing panics.
        assert!(matches!(engine.stats(), Err(Error::StorageFailed)));
        assert!(matches!(
            engine.connect(account, ConnectionOptions::new([1; 32], false)).map(drop),
            Err(Error::StorageFailed)
        ));
        storage.room.store(u64::MAX, Ordering::SeqCst);
        engine.reopen().expect("there is room");
        assert_whole(&engine);
        let stats = engine.stats().expect("stats");
        assert!(stats.commit >= last, "commit {last} was acknowledged, {} is the last", stats.commit);
        assert!(stats.messages >= acknowledged.len() as u64);
        for message in &acknowledged {
            let whole = engine.message(*message).expect("it was acknowledged");
            if whole.row.has_body() {
                let body = engine.body(*message, 0, u64::MAX).expect("a body").expect("it is here");
                assert_eq!(body.len() as u64, whole.row.size);
            }
        }
        eprintln!("room for {room}: {} messages acknowledged, {} there", acknowledged.len(), stats.messages);
        sync(&engine, account, |_| {}).expect("it goes on");
        assert_eq!(inbox(&engine, account).total, 1_200);
        assert!(inbox(&engine, account).complete);
        assert_whole(&engine);
    }
}

#[test]
fn a_suspended_store_is_free_for_others() {
    let _alone = alone();
    let scratch = Scratch::new("suspend");
    let path = scratch.path().join("store");
    let engine = open(FileStorage::new(&path)).expect("it opens");
    let first = engine.add_account(AccountSettings::imap("a", "host", "user")).expect("the settings fit");
    let mut connection = engine.connect(first, ConnectionOptions::new([1; 32], true)).expect("it connects");
    engine.suspend().expect("it is open");
    engine.suspend().expect("twice is once");
    assert!(matches!(engine.accounts(), Err(Error::Suspended)));
    assert!(matches!(engine.stats(), Err(Error::Suspended)));
    assert!(matches!(engine.mailboxes(first), Err(Error::Suspended)));
    assert!(matches!(engine.changes_since(0), Err(Error::Suspended)));
    assert!(matches!(engine.acknowledge_new_mail(&[MessageId(1)]), Err(Error::Suspended)));
    assert!(matches!(engine.verify(), Err(Error::Suspended)));
    assert!(matches!(
        engine.connect(first, ConnectionOptions::new([1; 32], true)).map(drop),
        Err(Error::Suspended)
    ));
    connection.sync(SyncScope::account());
    while connection.poll_event().is_some() {}
    assert_eq!(opens_elsewhere(&path), OPENED, "the lock is given back");
    let other = open(FileStorage::new(&path)).expect("here too");
    other.add_account(AccountSettings::imap("b", "host", "user")).expect("and written");
    assert!(matches!(engine.resume(), Err(Error::Locked)), "not while another has it");
    assert!(matches!(engine.accounts(), Err(Error::Suspended)), "it still sleeps");
    drop(other);
    engine.resume().expect("it is free again");
    assert_eq!(opens_elsewhere(&path), LOCKED);
    assert_eq!(engine.accounts().expect("accounts").len(), 2, "what another wrote is seen");
    assert_whole(&engine);
}

#[test]
fn suspended_in_the_middle_of_a_sync() {
    let _alone = alone();
    let (_dovecot, port) = filled("asleep", 800, 4_000);
    let scratch = Scratch::new("asleep");
    let path = scratch.path().join("store");
    let engine = open(FileStorage::new(&path)).expect("it opens");
    let account = account(&engine, "asleep", port, "asleep");
    for delay in [30, 60, 120, 240] {
        let syncing = {
            let engine = engine.clone();
            thread::spawn(move || sync(&engine, account, |_| {}).map(drop))
        };
        thread::sleep(Duration::from_millis(delay));
        engine.suspend().expect("it is open");
        assert_eq!(opens_elsewhere(&path), OPENED, "after {delay} ms");
        match syncing.join().expect("it does not panic") {
            Ok(()) | Err(Error::Suspended) => {}
            Err(Error::Disconnected(why)) if why.contains("suspended") => {}
            Err(error) => panic!("after {delay} ms: {error}"),
        }
        engine.resume().expect("it is free");
        assert_whole(&engine);
    }
    sync(&engine, account, |_| {}).expect("it goes on");
    assert_eq!(inbox(&engine, account).total, 800);
    assert_whole(&engine);
}

#[test]
fn a_killed_store_opens_again_in_milliseconds() {
    let _alone = alone();
    let (_dovecot, port) = filled("killed", 4_000, 20_000);
    let scratch = Scratch::new("killed");
    let path = scratch.path().join("store");
    let engine = open(FileStorage::new(&path)).expect("it opens");
    let account = account(&engine, "killed", port, "killed");
    drop(engine);
    for size in [8 << 20, 24 << 20, 48 << 20] {
        let mut child = another("sync", &path);
        let patience = Instant::now() + Duration::from_secs(60);
        while path.metadata().expect("it is there").len() < size {
            assert!(Instant::now() < patience, "the sync brings nothing");
            assert!(child.try_wait().expect("own child").is_none(), "the other process ended");
            thread::sleep(Duration::from_millis(1));
        }
        assert!(matches!(open(FileStorage::new(&path)), Err(Error::Locked)), "the other has it");
        child.kill().expect("own child");
        child.wait().expect("own child");
        let octets = path.metadata().expect("it is there").len();
        let start = Instant::now();
        let engine = open(FileStorage::new(&path)).expect("it opens after a kill");
        let after_kill = start.elapsed();
        let stats = engine.stats().expect("stats");
        assert_whole(&engine);
        drop(engine);
        let start = Instant::now();
        let engine = open(FileStorage::new(&path)).expect("it opens");
        let after_close = start.elapsed();
        drop(engine);
        eprintln!(
            "killed at {octets} octets with {} messages: open after {after_kill:?}, after a clean close {after_close:?}",
            stats.messages
        );
        assert!(
            after_kill < after_close * 20 + Duration::from_millis(50),
            "{after_kill:?}, clean {after_close:?}"
        );
    }
    let engine = open(FileStorage::new(&path)).expect("it opens");
    sync(&engine, account, |_| {}).expect("it goes on");
    assert_eq!(inbox(&engine, account).total, 4_000);
    assert_whole(&engine);
}
