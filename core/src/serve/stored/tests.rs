//! The stored backend beside the one in memory: whatever is done to both, both say the same.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::engine::{Engine, EngineOptions};
use crate::flags::FlagSet;
use crate::imap::command::StoreAction;
use crate::journal::FlagChange as Wish;
use crate::model::{AccountSettings, ServedLimits};
use crate::serve::memory::MemoryMail;
use crate::store::storage::MemoryStorage;

const WALL: i64 = 1_704_844_800_000;
const NAMES: [&str; 5] = ["INBOX", "Work", "Work/Sub", "Other", "Sent"];

#[derive(Debug, Clone)]
enum Step {
    Create(usize),
    Delete(usize),
    Rename(usize, usize),
    Subscribe(usize, bool),
    Append(usize, u8, u8),
    Store(usize, u32, u32, StoreAction, usize, bool),
    Expunge(usize, Option<(u32, u32)>),
    Copy(usize, u32, u32, usize, bool),
    Replace(usize, u32),
    Claim(usize),
    /// A person at the device marks the first message as read, or moves it.
    Person(usize, Option<usize>),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    let uid = 1u32..12;
    let action = proptest::sample::select(vec![StoreAction::Add, StoreAction::Remove, StoreAction::Replace]);
    let store = (name.clone(), uid.clone(), uid.clone(), action, 0usize..4, any::<bool>());
    prop_oneof![
        1 => name.clone().prop_map(Step::Create),
        1 => name.clone().prop_map(Step::Delete),
        1 => (name.clone(), name.clone()).prop_map(|(a, b)| Step::Rename(a, b)),
        1 => (name.clone(), any::<bool>()).prop_map(|(a, on)| Step::Subscribe(a, on)),
        6 => (name.clone(), 1u8..4, 0u8..6).prop_map(|(a, n, which)| Step::Append(a, n, which)),
        6 => store.prop_map(|(a, lo, hi, how, flag, since)| Step::Store(a, lo, hi, how, flag, since)),
        3 => (name.clone(), proptest::option::of((uid.clone(), uid.clone())))
            .prop_map(|(a, set)| Step::Expunge(a, set)),
        5 => (name.clone(), uid.clone(), uid.clone(), name.clone(), any::<bool>())
            .prop_map(|(a, lo, hi, b, remove)| Step::Copy(a, lo, hi, b, remove)),
        1 => (name.clone(), uid).prop_map(|(a, uid)| Step::Replace(a, uid)),
        1 => name.clone().prop_map(Step::Claim),
        2 => (name.clone(), proptest::option::of(name)).prop_map(|(a, b)| Step::Person(a, b)),
        1 => Just(Step::Reopen),
    ]
}

/// Both backends, and what a client of the stored one has seen of each mailbox.
struct Both {
    storage: MemoryStorage,
    engine: Engine,
    stored: StoredMail,
    memory: MemoryMail,
    seen: BTreeMap<(usize, u64), (u64, BTreeMap<u32, String>)>,
}

fn open(storage: &MemoryStorage) -> (Engine, StoredMail) {
    let engine = Engine::open(storage.clone(), EngineOptions::new(1)).expect("it opens");
    let users = StoredUsers::new(&engine);
    let stored = users.open("ann").expect("the account is there");
    stored.begin(Now::new(1, WALL));
    stored.end();
    (engine, stored)
}

fn set(lo: u32, hi: u32) -> UidSet {
    UidSet::from_range(lo.min(hi), lo.max(hi))
}

fn words(flags: &FlagSet) -> String {
    let mut words: Vec<&str> = flags.wire_words().collect();
    words.sort_unstable();
    words.join(" ")
}

fn id<B: Backend>(mail: &B, name: usize) -> Option<MailboxId> {
    mail.mailboxes().expect("a list").into_iter().find(|m| m.name == NAMES[name]).and_then(|m| m.id)
}

/// An answer without what two stores may say differently.
fn plain<T>(result: Result<T>) -> std::result::Result<T, std::mem::Discriminant<Refusal>> {
    result.map_err(|refusal| std::mem::discriminant(&refusal))
}

impl Both {
    fn new() -> Both {
        let storage = MemoryStorage::new();
        let engine = Engine::open(storage.clone(), EngineOptions::new(1)).expect("it opens");
        let account = engine.add_account(AccountSettings::local("ann")).expect("an account");
        let verifier = Verifier::new("secret", [7; 16], 4).expect("a password");
        engine.set_server_password(account, Some(verifier)).expect("it is there");
        drop(engine);
        let (engine, stored) = open(&storage);
        let memory = MemoryMail::new();
        memory.set_wall(WALL);
        Both { storage, engine, stored, memory, seen: BTreeMap::new() }
    }

    fn ids(&self, name: usize) -> Option<(MailboxId, MailboxId)> {
        let (stored, memory) = (id(&self.stored, name), id(&self.memory, name));
        assert_eq!(stored.is_some(), memory.is_some(), "{}", NAMES[name]);
        stored.zip(memory)
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Create(name) => {
                let (a, b) = (self.stored.create(NAMES[*name], &[]), self.memory.create(NAMES[*name], &[]));
                assert_eq!(plain(a).map(drop), plain(b).map(drop));
            }
            Step::Subscribe(name, on) => {
                self.stored.subscribe(NAMES[*name], *on).expect("it is noted");
                self.memory.subscribe(NAMES[*name], *on).expect("it is noted");
                let all = self.stored.mailboxes().expect("a list");
                let listed = all.iter().any(|m| m.name == NAMES[*name] && m.subscribed);
                assert_eq!(listed, *on);
            }
            Step::Reopen => {
                // A new session, and the same store opened again.
                self.engine.close();
                let (engine, stored) = open(&self.storage);
                (self.engine, self.stored) = (engine, stored);
            }
            Step::Delete(name)
            | Step::Claim(name)
            | Step::Append(name, ..)
            | Step::Rename(name, _)
            | Step::Store(name, ..)
            | Step::Expunge(name, _)
            | Step::Copy(name, ..)
            | Step::Replace(name, _)
            | Step::Person(name, _) => {
                if let Some(ids) = self.ids(*name) {
                    self.play_in(ids, step);
                }
            }
        }
    }

    fn play_in(&mut self, (a, b): (MailboxId, MailboxId), step: &Step) {
        let (stored, memory) = (&self.stored, &self.memory);
        match step {
            Step::Delete(_) => {
                assert_eq!(plain(stored.delete(a)), plain(memory.delete(b)));
            }
            Step::Rename(from, to) => {
                // Where the name above does not fit the two differ in what they make of it.
                if !NAMES[*to].starts_with(NAMES[*from]) {
                    assert_eq!(plain(stored.rename(a, NAMES[*to])), plain(memory.rename(b, NAMES[*to])));
                }
            }
            Step::Append(_, count, which) => {
                let messages = || (0..*count).map(|n| message(which + n)).collect();
                assert_eq!(
                    targets(stored.append(a, messages(), None)),
                    targets(memory.append(b, messages(), None))
                );
            }
            Step::Replace(_, uid) => {
                let messages = || vec![message(9)];
                let (a, b) = (
                    stored.append(a, messages(), Some((a, *uid))),
                    memory.append(b, messages(), Some((b, *uid))),
                );
                assert_eq!(targets(a), targets(b));
            }
            Step::Store(_, lo, hi, action, flag, since) => {
                let mut flags = FlagSet::default();
                flags.insert_wire([&b"\\Seen"[..], b"\\Deleted", b"$Junk", b"Todo"][*flag]);
                let limit =
                    |mail: Changes| since.then(|| mail.rows.iter().map(|r| r.modseq).min().unwrap_or(1));
                let change = |limit| FlagChange { action: *action, flags: &flags, unchanged_since: limit };
                let of_stored = limit(stored.changes(a, 0).expect("it is there"));
                let of_memory = limit(memory.changes(b, 0).expect("it is there"));
                let done = stored.store(a, &set(*lo, *hi), &change(of_stored)).expect("it can be");
                let wanted = memory.store(b, &set(*lo, *hi), &change(of_memory)).expect("it can be");
                // What came at different times there came at once here, where one commit brought both.
                if !since {
                    assert_eq!((done.modified, done.modseq > 0), (wanted.modified, wanted.modseq > 0));
                }
            }
            Step::Expunge(_, uids) => {
                let uids = uids.map(|(lo, hi)| set(lo, hi));
                assert_eq!(stored.expunge(a, uids.as_ref()), memory.expunge(b, uids.as_ref()));
            }
            Step::Copy(_, lo, hi, to, remove) => {
                if let Some((into_a, into_b)) = self.ids(*to) {
                    let there = set(*lo, *hi);
                    let (x, y) =
                        (stored.copy(a, &there, into_a, *remove), memory.copy(b, &there, into_b, *remove));
                    let (x, y) = (x.expect("it can be"), y.expect("it can be"));
                    assert_eq!((x.source, x.target), (y.source, y.target));
                }
            }
            Step::Claim(_) => {
                let first = |uid: Result<u32>| uid.expect("it is there").max(1);
                assert_eq!(first(stored.recent(a, true)), first(memory.recent(b, true)));
            }
            Step::Person(_, to) => {
                let Some(first) = stored.rows(a, 1, 1).expect("rows").first().map(|row| row.uid) else {
                    return;
                };
                let id = stored
                    .read(|tables| served::row(tables, a, first))
                    .expect("a row")
                    .expect("a row")
                    .message;
                let (now, one) = (Now::new(1, WALL), set(first, first));
                match to.and_then(|to| self.ids(to)) {
                    Some((into_a, into_b)) if into_a != a => {
                        self.engine.move_messages(now, &[id], into_a).expect("moved");
                        memory.copy(b, &one, into_b, true).expect("moved");
                    }
                    _ => {
                        let wish = Wish::default().set("\\Seen");
                        self.engine.set_flags(now, &[id], &wish).expect("marked");
                        let mut flags = FlagSet::default();
                        flags.insert_wire(b"\\Seen");
                        let change =
                            FlagChange { action: StoreAction::Add, flags: &flags, unchanged_since: None };
                        memory.store(b, &one, &change).expect("marked");
                    }
                }
            }
            Step::Create(_) | Step::Subscribe(..) | Step::Reopen => unreachable!("played without a mailbox"),
        }
    }

    /// Both have the same mailboxes with the same mail; what a client is told brings it there from any earlier moment.
    fn compare(&mut self) {
        let list = |all: Vec<Mailbox>| {
            // What nobody has subscribed to is shown on a device all the same; names alone are not.
            let real = |m: &Mailbox| m.id.is_some();
            let mut all: Vec<_> = all.into_iter().filter(real).map(|m| m.name).collect();
            all.sort();
            all
        };
        assert_eq!(
            list(self.stored.mailboxes().expect("a list")),
            list(self.memory.mailboxes().expect("a list"))
        );
        for (name, called) in NAMES.iter().enumerate() {
            let Some((a, b)) = self.ids(name) else { continue };
            let (x, y) = (self.stored.status(a).expect("there"), self.memory.status(b).expect("there"));
            let counts =
                |s: &Status| (s.uid_next, s.messages, s.recent, s.unseen, s.deleted, s.size, s.deleted_size);
            assert_eq!(counts(&x), counts(&y), "{called}");
            assert_eq!(self.stored.highest_modseq(a), Ok(x.highest_modseq), "{called}");
            let rows = self.stored.rows(a, 1, usize::MAX).expect("rows");
            let flags =
                |rows: &[Row]| rows.iter().map(|r| (r.uid, words(&r.flags))).collect::<BTreeMap<_, _>>();
            let truth = flags(&rows);
            assert_eq!(truth, flags(&self.memory.rows(b, 1, usize::MAX).expect("rows")));
            for row in &rows {
                assert!(row.modseq <= x.highest_modseq);
                let raw = raw(&self.stored, a, row.uid);
                assert_eq!(raw, raw_of(&self.memory, b, row.uid));
                assert_eq!(self.stored.text_size(a, row.uid), self.memory.text_size(b, row.uid));
                let said = self.stored.description(a, row.uid).expect("read").expect("there");
                assert_eq!(said, self.memory.description(b, row.uid).expect("read").expect("there"));
            }
            self.bring_up(name, a, &x, &truth);
        }
        let report = self.engine.verify().expect("it can be read");
        assert_eq!(report.problems, Vec::<String>::new());
    }

    /// From every moment that a client may have stopped at, the changes lead to what is.
    fn bring_up(&mut self, name: usize, id: MailboxId, status: &Status, truth: &BTreeMap<u32, String>) {
        let validity = u64::from(status.uid_validity);
        for ((_, then), (since, before)) in &self.seen {
            if *then != validity {
                continue;
            }
            let changes = self.stored.changes(id, *since).expect("they can be told");
            assert!(changes.modseq >= *since && changes.complete);
            let mut now = before.clone();
            now.retain(|uid, _| !changes.expunged.contains(*uid));
            now.extend(changes.rows.iter().map(|row| (row.uid, words(&row.flags))));
            assert_eq!(now, *truth, "from {since}");
        }
        self.seen.insert((name, validity), (status.highest_modseq, truth.clone()));
    }
}

fn targets(result: Result<Copied>) -> Vec<(u32, u32)> {
    result.expect("there is room").target.ranges().collect()
}

/// One of a few messages: some come twice, and some have line ends that mail should not have.
fn message(which: u8) -> Appended<Vec<u8>> {
    let end = if which.is_multiple_of(3) { "\n" } else { "\r\n" };
    let upload =
        format!("Subject: m{which}{end}Message-ID: <{which}@x>{end}{end}text {which}{end}").into_bytes();
    let mut flags = FlagSet::default();
    if which.is_multiple_of(2) {
        flags.insert_wire(b"\\Seen");
    }
    // Dates do not follow numbers.
    Appended { upload, flags, internal_date: WALL - i64::from(which % 4) * 1_000 }
}

fn raw(mail: &StoredMail, id: MailboxId, uid: u32) -> Vec<u8> {
    raw_of(mail, id, uid)
}

fn raw_of<B: Backend>(mail: &B, id: MailboxId, uid: u32) -> Vec<u8> {
    let facts = mail.facts(id, uid).expect("read").expect("there");
    let content = mail.content(id, uid).expect("read").expect("there");
    let raw = mail.read(&content, 0..u64::MAX).expect("read");
    assert_eq!(raw.len() as u64, facts.size);
    raw.into_owned()
}

#[test]
fn a_move_to_where_it_is_is_news() {
    let mail = Both::new().stored;
    let inbox = id(&mail, 0).expect("there is an inbox");
    mail.append(inbox, vec![message(1)], None).expect("there is room");
    let (revision, modseq) = (mail.revision(), mail.status(inbox).expect("it is there").highest_modseq);
    let moved = mail.copy(inbox, &set(1, 1), inbox, true).expect("it can be");
    assert_eq!((moved.source, moved.target), (set(1, 1), set(2, 2)));
    assert!(mail.revision() > revision, "sessions look only where the revision rose");
    let changes = mail.changes(inbox, modseq).expect("it is there");
    assert_eq!(changes.expunged, set(1, 1));
    assert_eq!(changes.rows.iter().map(|row| row.uid).collect::<Vec<_>>(), [2]);
}

#[test]
fn subscriptions_are_the_clients_alone() {
    let mail = Both::new().stored;
    let subscribed = || {
        let mut names: Vec<String> =
            mail.mailboxes().expect("a list").into_iter().filter(|m| m.subscribed).map(|m| m.name).collect();
        names.retain(|name| name != "INBOX");
        names
    };
    let sub = mail.create("Work/Sub", &[]).expect("it can be made");
    assert_eq!(subscribed(), Vec::<String>::new(), "CREATE does not subscribe, nor above it");
    let revision = mail.revision();
    mail.subscribe("Work/Sub", true).expect("it is noted");
    assert!(mail.revision() > revision, "who watches subscriptions looks only then");
    let revision = mail.revision();
    mail.subscribe("Nothing", true).expect("it is noted");
    assert!(mail.revision() > revision, "of a name that is no mailbox, too");
    mail.subscribe("Nothing", false).expect("it is noted");
    mail.delete(sub).expect("it can be deleted");
    assert_eq!(subscribed(), ["Work/Sub"], "DELETE does not unsubscribe");
    mail.create("Work/Sub", &[]).expect("it can be made again");
    assert_eq!(subscribed(), ["Work/Sub"], "the name was subscribed to");
    mail.subscribe("Work/Sub", false).expect("it is noted");
    assert_eq!(subscribed(), Vec::<String>::new());
}

#[test]
fn an_account_with_limits_takes_no_more_than_fits() {
    let both = Both::new();
    let (engine, mail) = (&both.engine, &both.stored);
    let account = engine.accounts().expect("a list")[0].id;
    let inbox = id(mail, 0).expect("there is an inbox");
    let other = mail.create("Other", &[]).expect("it can be made");
    mail.append(inbox, vec![message(1), message(2)], None).expect("there is no limit");
    assert_eq!(mail.quota(), Ok(Vec::new()));
    let one = message(1).upload.len() as u64;
    let limits = ServedLimits { octets: Some(4 * one), messages: Some(3) };
    engine.set_served_limits(account, limits).expect("it is there");
    assert_eq!(engine.served_limits(account).expect("it is there"), limits);

    // Nobody has asked for the other mailbox yet; it counts all the same.
    let used = |mail: &StoredMail| mail.quota().expect("it is read").iter().map(|q| q.1).collect::<Vec<_>>();
    assert_eq!(used(mail), [1, 2]);
    assert_eq!(mail.append(inbox, vec![message(4), message(5)], None), Err(Refusal::OverQuota));
    assert_eq!(mail.copy(inbox, &set(1, 2), other, false), Err(Refusal::OverQuota), "all or none");
    assert_eq!((used(mail), mail.status(other).expect("there").messages), (vec![1, 2], 0));
    let moved = mail.copy(inbox, &set(1, 1), other, true).expect("a move adds nothing");
    assert_eq!((moved.source, moved.target), (set(1, 1), set(1, 1)));
    mail.copy(other, &set(1, 1), inbox, false).expect("there is room for one");
    assert_eq!(mail.begin_upload(inbox, 1, None), Err(Refusal::OverQuota), "before an octet is sent");
    assert!(mail.begin_upload(inbox, one, Some((inbox, 3))).is_ok(), "what is replaced makes room");
    mail.append(inbox, vec![message(1)], Some((inbox, 3))).expect("one for one");
    assert_eq!(used(mail), [1, 3]);

    let limits = ServedLimits { octets: Some(one), messages: None };
    engine.set_served_limits(account, limits).expect("it is there");
    assert_eq!(mail.append(inbox, vec![message(1)], None), Err(Refusal::OverQuota));
    let mut flags = FlagSet::default();
    flags.insert_wire(b"\\Deleted");
    let change = FlagChange { action: StoreAction::Add, flags: &flags, unchanged_since: None };
    mail.store(inbox, &set(1, 9), &change).expect("flags are no room");
    mail.expunge(inbox, None).expect("what is over a limit can go");
    engine.set_served_limits(account, ServedLimits::default()).expect("it is there");
    mail.append(inbox, vec![message(1), message(2)], None).expect("there is no limit");
    assert_eq!(engine.verify().expect("it can be read").problems, Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_and_the_memory_say_the_same(steps in proptest::collection::vec(step(), 1..40)) {
        let mut both = Both::new();
        for step in &steps {
            both.play(step);
            both.compare();
        }
    }
}
