//! The project's own server as a far side: sessions over an engine's store, which other clients change through the same
//! backend.
//!
//! It behaves. What can go wrong is the connection, and that a command is refused as any server may.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::OnceLock;

use mailkeep::flags::FlagSet;
use mailkeep::imap::command::StoreAction;
use mailkeep::sasl::server::Verifier;
use mailkeep::serve::backend::{Appended, Backend, FlagChange, Mailbox, Users};
use mailkeep::serve::{Session, SessionOptions, StoredMail, StoredUsers};
use mailkeep::set::UidSet;
use mailkeep::{AccountSettings, Engine, EngineOptions, MailboxId, MemoryStorage, Now};

use super::far::FarSide;
use super::host::Peer;
use super::model::flags::Change;
use super::model::{Audit, By, Cut, Fault, How, Trouble};
use super::snapshot::Snapshot;
use known::Known;
use session::OwnSession;

mod known;
mod session;

/// 2026-01-10 00:00 UTC, as the model's.
const START_MS: i64 = 1_768_003_200_000;

/// The server. Clones are the same server.
#[derive(Clone)]
pub struct OwnServer(Rc<RefCell<World>>);

struct World {
    engine: Engine,
    users: StoredUsers,
    /// What another client works with.
    other: StoredMail,
    /// How often the store has been exchanged for a copy; sessions of an earlier one are over.
    life: u32,
    /// What is not offered.
    withheld: Vec<String>,
    log: Vec<String>,
    body_octets: u64,
    violations: Vec<String>,
    trouble: Trouble,
    known: Known,
    sessions: u64,
    clock_ms: i64,
    mono_ms: u64,
}

impl World {
    fn open(engine: &Engine) -> (StoredUsers, StoredMail) {
        let users = StoredUsers::new(engine);
        let other = users.open("ann").expect("the user is there");
        (users, other)
    }

    fn now(&mut self) -> Now {
        self.mono_ms += 1;
        Now::new(self.mono_ms, self.clock_ms)
    }

    /// Does something as another client.
    fn act<R>(&mut self, act: impl FnOnce(&StoredMail) -> R) -> R {
        let now = self.now();
        self.other.begin(now);
        let done = act(&self.other);
        self.other.end();
        done
    }

    /// Does something that puts messages in or takes them out.
    fn changes<R>(&mut self, how: How, act: impl FnOnce(&StoredMail) -> R) -> R {
        let done = self.act(act);
        self.note(Some(how), By::Other);
        done
    }

    /// Notes what came and what went since the last look.
    fn note(&mut self, how: Option<How>, by: By) {
        let now = self.now();
        self.other.begin(now);
        self.known.look(&self.other, how.as_ref(), by);
        self.other.end();
    }
}

/// A store with one user and no mail.
fn base() -> &'static [u8] {
    static BASE: OnceLock<Vec<u8>> = OnceLock::new();
    BASE.get_or_init(|| {
        let storage = MemoryStorage::new();
        let engine = open(&storage);
        let account = engine.add_account(AccountSettings::local("ann")).expect("an account");
        // One iteration: what it costs to try passwords is not what is tested.
        let verifier = Verifier::new("secret", [9; 16], 1).expect("a password");
        engine.set_server_password(account, Some(verifier)).expect("the account is there");
        drop(engine);
        storage.to_bytes()
    })
}

fn open(storage: &MemoryStorage) -> Engine {
    let options = EngineOptions { cache_bytes: 1 << 20, quick_repair: false, ..EngineOptions::small(8) };
    Engine::open(storage.clone(), options).expect("memory opens")
}

/// Everything that the server can offer, as it tells it itself.
fn everything() -> &'static [String] {
    static WORDS: OnceLock<Vec<String>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let engine = open(&MemoryStorage::from_bytes(base().to_vec()));
        let options = SessionOptions::new([3; 32], [4; 32], true);
        let mut session = Session::new(StoredUsers::new(&engine), options);
        let mut said = session.poll_transmit().expect("a greeting");
        session.handle_input(Now::new(1, START_MS), b"a LOGIN ann secret\r\n").expect("it was drained");
        said.extend(session.poll_transmit().expect("an answer"));
        let said = String::from_utf8(said).expect("ASCII");
        let lists = said.split("[CAPABILITY ").skip(1).filter_map(|list| list.split(']').next());
        lists.flat_map(|list| list.split(' ').map(str::to_owned)).collect()
    })
}

/// What is to be withheld so that no more than these words are offered.
fn withheld(words: &str) -> Vec<String> {
    let wanted: Vec<&str> = words.split_whitespace().collect();
    let is_wanted = |word: &str| {
        let name = word.split('=').next().unwrap_or(word);
        // `QUOTA=RES-STORAGE` and the like come with what they are about.
        let detail = !matches!(name, "AUTH" | "STATUS" | "UTF8" | "COMPRESS");
        wanted.iter().any(|w| w.eq_ignore_ascii_case(word) || detail && w.eq_ignore_ascii_case(name))
    };
    everything().iter().filter(|word| !is_wanted(word)).cloned().collect()
}

fn flag_set(words: &[&str]) -> FlagSet {
    let mut flags = FlagSet::default();
    words.iter().for_each(|word| flags.insert_wire(word.as_bytes()));
    flags
}

fn one(uid: u32) -> UidSet {
    [uid].into_iter().collect()
}

/// Names in the tests are as they are on the wire.
fn decoded(name: &str) -> String {
    mailkeep::imap::mailbox_name::decode(name.as_bytes(), false)
}

fn find(mail: &StoredMail, name: &str) -> Option<MailboxId> {
    let name = decoded(name);
    let list = mail.mailboxes().expect("a list");
    list.into_iter().find(|mailbox| mailbox.name == name).and_then(|mailbox| mailbox.id)
}

fn id(mail: &StoredMail, name: &str) -> MailboxId {
    find(mail, name).unwrap_or_else(|| panic!("{name} is there"))
}

impl OwnServer {
    fn change(&self) -> RefMut<'_, World> {
        self.0.borrow_mut()
    }

    /// The store as another client has it, for a look.
    fn look<R>(&self, look: impl FnOnce(&StoredMail) -> R) -> R {
        self.change().act(look)
    }

    fn store(&self, mailbox: &str, uid: u32, action: StoreAction, flags: &[&str]) {
        let flags = flag_set(flags);
        let change = FlagChange { action, flags: &flags, unchanged_since: None };
        self.look(|mail| mail.store(id(mail, mailbox), &one(uid), &change).expect("flags"));
    }

    fn transfer(&self, from: &str, uid: u32, to: &str, remove: bool) -> u32 {
        let how = if remove { How::Moved } else { How::Copied };
        let copied = self.change().changes(how, |mail| {
            mail.copy(id(mail, from), &one(uid), id(mail, to), remove).expect("it is copied")
        });
        copied.target.min().expect("it was there")
    }

    fn list(&self) -> Vec<Mailbox> {
        self.look(|mail| mail.mailboxes().expect("a list"))
    }
}

impl FarSide for OwnServer {
    fn with_capabilities(words: &str) -> OwnServer {
        let engine = open(&MemoryStorage::from_bytes(base().to_vec()));
        let (users, other) = World::open(&engine);
        let mut world = World {
            engine,
            users,
            other,
            life: 0,
            withheld: withheld(words),
            log: Vec::new(),
            body_octets: 0,
            violations: Vec::new(),
            trouble: Trouble::default(),
            known: Known::default(),
            sessions: 0,
            clock_ms: START_MS,
            mono_ms: 0,
        };
        world.note(None, By::Other);
        OwnServer(Rc::new(RefCell::new(world)))
    }

    fn handle(&self) -> Rc<dyn FarSide> {
        Rc::new(self.clone())
    }

    fn peer(&self) -> Box<dyn Peer> {
        Box::new(OwnSession::new(self))
    }

    fn create_as(&self, name: &str, special_use: Option<&'static str>) {
        let attributes: Vec<String> = special_use.into_iter().map(str::to_owned).collect();
        self.look(|mail| mail.create(&decoded(name), &attributes).expect("the name is free"));
        self.subscribe(name, true);
    }

    fn delete(&self, name: &str) {
        self.try_delete(name).expect("the mailbox is there");
        self.subscribe(name, false);
    }

    fn rename(&self, from: &str, to: &str) {
        self.try_rename(from, to).expect("the mailbox is there");
    }

    fn subscribe(&self, name: &str, on: bool) {
        self.look(|mail| mail.subscribe(&decoded(name), on).expect("subscribed"));
    }

    fn deliver_with(&self, mailbox: &str, raw: Vec<u8>, flags: &[&str], at_ms: Option<i64>) -> u32 {
        let mut world = self.change();
        world.clock_ms += 60_000;
        let internal_date = at_ms.unwrap_or(world.clock_ms);
        let message = Appended { upload: raw, flags: flag_set(flags), internal_date };
        let done = world.changes(How::Delivered, |mail| {
            mail.append(id(mail, mailbox), vec![message], None).expect("put in")
        });
        done.target.min().expect("it has a UID")
    }

    fn set_flags(&self, mailbox: &str, uid: u32, flags: &[&str]) {
        self.store(mailbox, uid, StoreAction::Replace, flags);
    }

    fn change_flags(&self, mailbox: &str, uid: u32, change: Change, flags: &[&str]) {
        let action = match change {
            Change::Add => StoreAction::Add,
            Change::Remove => StoreAction::Remove,
            Change::Replace => StoreAction::Replace,
        };
        self.store(mailbox, uid, action, flags);
    }

    fn expunge(&self, mailbox: &str, uids: &[u32]) {
        let flags = flag_set(&["\\Deleted"]);
        let mark = FlagChange { action: StoreAction::Add, flags: &flags, unchanged_since: None };
        let uids: UidSet = uids.iter().copied().collect();
        self.change().changes(How::Expunged, |mail| {
            mail.store(id(mail, mailbox), &uids, &mark).expect("marked");
            mail.expunge(id(mail, mailbox), Some(&uids)).expect("expunged");
        });
    }

    fn copy(&self, from: &str, uid: u32, to: &str) -> u32 {
        self.transfer(from, uid, to, false)
    }

    fn move_message(&self, from: &str, uid: u32, to: &str) -> u32 {
        self.transfer(from, uid, to, true)
    }

    fn try_create(&self, name: &str) -> Result<(), String> {
        let done = self.look(|mail| mail.create(&decoded(name), &[]));
        done.map(drop).map_err(|refusal| refusal.to_string())
    }

    fn try_rename(&self, from: &str, to: &str) -> Result<(), String> {
        self.change().changes(How::Moved, |mail| {
            let from = find(mail, from).ok_or("no such mailbox")?;
            mail.rename(from, &decoded(to)).map_err(|refusal| refusal.to_string())
        })
    }

    fn try_delete(&self, name: &str) -> Result<(), String> {
        self.change().changes(How::MailboxDeleted, |mail| {
            let id = find(mail, name).ok_or("no such mailbox")?;
            mail.delete(id).map_err(|refusal| refusal.to_string())
        })
    }

    /// The store is exchanged for its own backup, which numbers everything anew. Connections break.
    fn reset_uid_validity(&self, mailbox: &str) {
        let mut world = self.change();
        assert!(find(&world.other, mailbox).is_some(), "{mailbox} is there");
        let copy = MemoryStorage::new();
        world.life += 1;
        // UIDVALIDITY is a second of the clock.
        world.clock_ms += 60_000;
        world.engine.backup_to(copy.clone(), u64::from(world.life)).expect("a backup");
        world.engine = open(&copy);
        (world.users, world.other) = World::open(&world.engine);
        world.known.forget();
        world.note(None, By::Other);
    }

    fn names(&self) -> Vec<String> {
        let mut list = self.list();
        list.retain(|mailbox| mailbox.id.is_some());
        list.sort_by_key(|mailbox| mailbox.id);
        list.iter().map(|mailbox| known::wire(&mailbox.name)).collect()
    }

    fn uids(&self, mailbox: &str) -> Vec<u32> {
        let rows = self.look(|mail| mail.rows(id(mail, mailbox), 1, usize::MAX).expect("rows"));
        rows.iter().map(|row| row.uid).collect()
    }

    fn audit(&self) -> Audit {
        let mut world = self.change();
        world.note(None, By::Other);
        world.known.audit()
    }

    fn snapshot(&self) -> Snapshot {
        let mut world = self.change();
        world.note(None, By::Other);
        world.known.snapshot()
    }

    fn assert_sound(&self) {
        let report = self.change().engine.verify().expect("it can be read");
        assert_eq!(report.problems, Vec::<String>::new(), "the server's store is whole");
        let names = self.list();
        let different: BTreeSet<&str> = names.iter().map(|mailbox| mailbox.name.as_str()).collect();
        assert_eq!(different.len(), names.len(), "two mailboxes of one name");
    }

    fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.change().log)
    }

    fn heard(&self, word: &str) -> bool {
        self.change().log.iter().any(|line| line.contains(word))
    }

    fn take_body_octets(&self) -> u64 {
        std::mem::take(&mut self.change().body_octets)
    }

    fn violations(&self) -> Vec<String> {
        self.change().violations.clone()
    }

    fn fault(&self, kind: &str, nth: u32, fault: Fault) {
        assert!(
            !matches!(fault, Fault::Partly(..) | Fault::CopiedOnly(_)),
            "this server does nothing by half"
        );
        self.change().trouble.add(kind, nth, fault);
    }

    fn cut_connections(&self, cuts: &[Option<Cut>]) {
        self.change().trouble.cut(cuts.iter().copied());
    }

    fn calm(&self) {
        self.change().trouble.calm();
    }

    fn happened(&self) -> Vec<(String, Fault)> {
        self.change().trouble.happened.clone()
    }
}
