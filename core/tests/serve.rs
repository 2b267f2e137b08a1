//! The project's client and the project's server, over a pipe in memory.

mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use mailkeep::flags::FlagSet;
use mailkeep::imap::command::StoreAction;
use mailkeep::limits::Limits;
use mailkeep::sasl::server::Verifier;
use mailkeep::serve::backend::{Appended, Backend, FlagChange};
use mailkeep::serve::memory::{MemoryMail, MemoryUsers};
use mailkeep::serve::{Session, SessionEvent, SessionOptions};
use mailkeep::set::UidSet;
use mailkeep::{BodyPolicy, Now};
use support::{Dice, Host, Mail, Peer, mail};

/// A server session at the other end of the pipe.
struct Server {
    session: Session<MemoryUsers>,
    inbox: Vec<u8>,
    out: Vec<u8>,
    clock: AtomicU64,
}

impl Server {
    fn new(users: &MemoryUsers) -> Server {
        Server::watching(users, Limits::DEFAULT.watched)
    }

    /// One that watches so many mailboxes at most.
    fn watching(users: &MemoryUsers, most: usize) -> Server {
        let mut options = SessionOptions::new([3; 32], [4; 32], true);
        options.limits.watched = most;
        let session = Session::new(users.clone(), options);
        let mut server = Server { session, inbox: Vec::new(), out: Vec::new(), clock: AtomicU64::new(1) };
        server.drain();
        server
    }

    fn drain(&mut self) {
        while let Some(bytes) = self.session.poll_transmit() {
            self.out.extend_from_slice(&bytes);
        }
        while let Some(event) = self.session.poll_event() {
            assert!(!matches!(event, SessionEvent::Trouble { .. }), "{event:?}");
        }
    }
}

impl Peer for Server {
    fn receive(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        while !self.session.is_closed() {
            let now = Now::new(self.clock.fetch_add(1, Ordering::Relaxed), 1_768_867_200_000);
            let progress = self.session.handle_input(now, &self.inbox).expect("it was drained");
            self.drain();
            self.inbox.drain(..progress.consumed);
            if !progress.more {
                return;
            }
        }
    }

    fn take(&mut self) -> Vec<u8> {
        // Somebody else may have changed something since.
        if !self.session.is_closed() {
            let now = Now::new(self.clock.fetch_add(1, Ordering::Relaxed), 1_768_867_200_000);
            self.session.handle_wake(now).expect("it was drained");
            self.drain();
        }
        std::mem::take(&mut self.out)
    }

    fn is_closed(&self) -> bool {
        self.session.is_closed() && self.out.is_empty()
    }
}

struct World {
    users: MemoryUsers,
    mail: MemoryMail,
}

impl World {
    fn new() -> World {
        let users = MemoryUsers::default();
        let mail = users.add("ann", Verifier::new("secret", [9; 16], 4_096).expect("a password"));
        World { users, mail }
    }

    fn host(&self) -> Host {
        let users = self.users.clone();
        Host::with_peers(move || Box::new(Server::new(&users)))
            .settings(|settings| settings.bodies = BodyPolicy::All)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.mail.mailboxes().unwrap().into_iter().filter(|m| m.id.is_some()).map(|m| m.name).collect();
        names.sort();
        names
    }

    fn id(&self, name: &str) -> mailkeep::MailboxId {
        let list = self.mail.mailboxes().unwrap();
        list.into_iter().find(|mailbox| mailbox.name == name).and_then(|mailbox| mailbox.id).unwrap()
    }

    fn put(&self, mailbox: &str, raw: Vec<u8>, flags: &[&str]) {
        let mut set = FlagSet::default();
        flags.iter().for_each(|flag| set.insert_wire(flag.as_bytes()));
        let message = Appended { upload: raw, flags: set, internal_date: 1_768_800_000_000 };
        self.mail.append(self.id(mailbox), vec![message], None).unwrap();
    }

    fn uids(&self, mailbox: &str) -> Vec<u32> {
        self.mail.rows(self.id(mailbox), 1, usize::MAX).unwrap().iter().map(|row| row.uid).collect()
    }

    /// Every mailbox and message here is there, and the other way round.
    #[track_caller]
    fn assert_in_step(&self, host: &Host) {
        let snapshot = host.snapshot();
        let found: Vec<&str> = snapshot.mailboxes.iter().map(|mailbox| mailbox.name.as_str()).collect();
        assert_eq!(found, self.names());
        for mailbox in &snapshot.mailboxes {
            let id = self.id(&mailbox.name);
            assert_eq!(mailbox.uids(), self.uids(&mailbox.name), "{}", mailbox.name);
            for (message, row) in mailbox.messages.iter().zip(self.mail.rows(id, 1, usize::MAX).unwrap()) {
                let mut flags: Vec<&str> = row.flags.wire_words().collect();
                flags.sort_unstable();
                assert_eq!(message.flags, flags);
                let facts = self.mail.facts(id, row.uid).unwrap().unwrap();
                assert_eq!((message.size, message.internal_ms), (facts.size, facts.internal_date));
                let content = self.mail.content(id, row.uid).unwrap().unwrap();
                let raw = self.mail.read(&content, 0..facts.size).unwrap();
                assert_eq!(message.raw.as_ref(), Some(&raw.into_owned()), "the bytes are the same");
            }
        }
    }
}

#[test]
fn a_first_sync_and_what_changes_after() {
    let world = World::new();
    for number in 0..60 {
        world.put("INBOX", mail(number), if number % 3 == 0 { &["\\Seen"] } else { &[] });
    }
    world.put("INBOX", Mail::new(99).attachment(300_000).build(), &["\\Flagged", "Todo"]);
    world.mail.create("Work/2024 & später", &[]).unwrap();
    world.mail.create("Sent", &["\\Sent".to_owned()]).unwrap();
    world.put("Work/2024 & später", mail(100), &[]);
    let mut host = world.host();
    host.sync_all();
    world.assert_in_step(&host);
    let unchanged = host.sync_all();
    assert_eq!(unchanged.messages_added, 0);

    let inbox = world.id("INBOX");
    let set = |uids: &[u32]| uids.iter().copied().collect::<UidSet>();
    let flags = FlagSet::new(mailkeep::flags::Flags::DELETED);
    let change = FlagChange { action: StoreAction::Add, flags: &flags, unchanged_since: None };
    world.mail.store(inbox, &set(&[1, 2, 3, 50]), &change).unwrap();
    world.mail.expunge(inbox, Some(&set(&[2, 50]))).unwrap();
    world.mail.copy(inbox, &set(&[5, 6]), world.id("Sent"), true).unwrap();
    world.mail.copy(inbox, &set(&[7]), world.id("Work"), false).unwrap();
    world.put("INBOX", mail(200), &[]);
    host.sync_all();
    world.assert_in_step(&host);

    // The server forgot which messages went; another connection, every octet alone.
    world.mail.expunge(inbox, Some(&set(&[1, 3]))).unwrap();
    world.mail.forget_expunges();
    world.mail.delete(world.id("Sent")).unwrap();
    host.drop_connection();
    host.knobs.chunk = 1;
    host.sync_all();
    world.assert_in_step(&host);
}

#[test]
fn anything_that_happens_between_syncs_arrives() {
    for seed in 0..12 {
        let world = World::new();
        world.mail.create("Box", &[]).unwrap();
        let mut dice = Dice::new(seed);
        let mut host = world.host();
        for round in 0..12 {
            for number in 0..dice.below(8) {
                let (from, to) = if dice.below(2) == 0 { ("INBOX", "Box") } else { ("Box", "INBOX") };
                let uids = world.uids(from);
                let one: UidSet = match uids.is_empty() {
                    true => UidSet::new(),
                    false => [uids[dice.below(uids.len() as u64) as usize]].into_iter().collect(),
                };
                let flags = FlagSet::new(mailkeep::flags::Flags::from_bits(dice.below(64) as u16));
                let change =
                    FlagChange { action: StoreAction::Replace, flags: &flags, unchanged_since: None };
                match dice.below(6) {
                    0 | 1 => world.put(from, mail((seed * 1_000 + round * 20 + number) as u32), &[]),
                    2 => drop(world.mail.store(world.id(from), &one, &change).unwrap()),
                    3 => drop(world.mail.copy(world.id(from), &one, world.id(to), true).unwrap()),
                    4 => drop(world.mail.expunge(world.id(from), None).unwrap()),
                    _ => world.mail.forget_expunges(),
                }
            }
            if dice.below(3) == 0 {
                host.drop_connection();
            }
            host.sync_all();
            world.assert_in_step(&host);
        }
    }
}

#[test]
fn connections_that_break_lose_nothing() {
    let world = World::new();
    for number in 0..12 {
        world.put("INBOX", Mail::new(number).attachment(2_000).build(), &[]);
    }
    for every in [9_000, 12_345, 40_000] {
        let mut host = world.host().knobs(|knobs| knobs.cut_every = Some(every));
        host.sync_all();
        world.assert_in_step(&host);
    }
}

#[test]
fn several_mailboxes_are_watched_by_notify() {
    let world = World::new();
    for name in ["Lists", "Family", "Other"] {
        world.mail.create(name, &[]).unwrap();
    }
    world.put("INBOX", mail(1), &[]);
    let mut host = world.host();
    host.sync_all();
    host.transcript.clear();
    let watched = [host.inbox(), host.mailbox("Lists"), host.mailbox("Family")];
    host.connect().watch(watched);
    host.pass_ms(2_000);
    let said = host.said();
    assert!(said.contains("NOTIFY SET (selected ") && said.contains("IDLE"), "{said}");
    let total = |host: &Host, name: &str| {
        let mailbox = host.mailbox(name);
        host.engine.mailbox(mailbox).unwrap().total
    };
    // Each is told within a moment, though nothing is asked for minutes.
    world.put("Lists", mail(2), &[]);
    host.pass_ms(2_000);
    assert_eq!(total(&host, "Lists"), 1, "{}", host.said());
    world.put("Family", mail(3), &[]);
    world.put("INBOX", mail(4), &[]);
    host.pass_ms(2_000);
    assert_eq!((total(&host, "Family"), total(&host, "INBOX")), (1, 2), "{}", host.said());
    let seen = FlagSet::new(mailkeep::flags::Flags::SEEN);
    let change = FlagChange { action: StoreAction::Add, flags: &seen, unchanged_since: None };
    world.mail.store(world.id("Lists"), &UidSet::from_range(1, 1), &change).unwrap();
    host.pass_ms(2_000);
    let lists = host.mailbox("Lists");
    assert_eq!(host.engine.mailbox(lists).unwrap().unseen, 0, "{}", host.said());
    // Nobody watches this one.
    world.put("Other", mail(5), &[]);
    host.pass_ms(2_000);
    assert_eq!(total(&host, "Other"), 0);
    let said = host.said();
    let asked = |line: &str| line.starts_with("C: ") && line.contains("STATUS");
    assert!(!said.lines().any(asked) && said.contains("S: * STATUS Lists"), "it was told unasked: {said}");
}

#[test]
fn watching_goes_on_where_the_server_cannot_tell_of_so_many() {
    let world = World::new();
    for number in 0..4 {
        world.mail.create(&format!("Box{number}"), &[]).unwrap();
    }
    world.put("INBOX", mail(1), &[]);
    for watched in [2, 4] {
        let users = world.users.clone();
        let mut host = Host::with_peers(move || Box::new(Server::watching(&users, watched)))
            .settings(|settings| settings.bodies = BodyPolicy::All);
        host.sync_all();
        let mut all = vec![host.inbox()];
        all.extend((0..4).map(|number| host.mailbox(&format!("Box{number}"))));
        host.connect().watch(all);
        host.pass_ms(2_000);
        let before = host.engine.mailbox(host.mailbox("Box3")).unwrap().total;
        world.put("Box3", mail(10 + watched as u32), &[]);
        world.put("INBOX", mail(20 + watched as u32), &[]);
        host.pass_ms(200_000);
        let inbox = host.inbox();
        let count = world.uids("INBOX").len() as u64;
        assert_eq!(host.engine.mailbox(inbox).unwrap().total, count, "{}", host.said());
        assert_eq!(host.engine.mailbox(host.mailbox("Box3")).unwrap().total, before + 1, "{}", host.said());
    }
}

#[test]
fn watching_goes_on_when_the_server_stops_telling() {
    let world = World::new();
    for number in 0..4 {
        world.mail.create(&format!("Box{number}"), &[]).unwrap();
    }
    let users = world.users.clone();
    let mut host = Host::with_peers(move || Box::new(Server::watching(&users, 3)))
        .settings(|settings| settings.bodies = BodyPolicy::All);
    host.sync_all();
    // One is missing while the others are named; with it they are more than the server watches.
    world.mail.delete(world.id("Box3")).unwrap();
    let mut all = vec![host.inbox()];
    all.extend((0..4).map(|number| host.mailbox(&format!("Box{number}"))));
    host.connect().watch(all);
    host.pass_ms(2_000);
    host.transcript.clear();
    world.mail.create("Box3", &[]).unwrap();
    host.pass_ms(2_000);
    let said = host.said();
    assert!(said.contains("* OK [NOTIFICATIONOVERFLOW]"), "{said}");
    // The open mailbox is told of as before, and the others are asked for.
    world.put("INBOX", mail(1), &[]);
    host.pass_ms(2_000);
    let inbox = host.inbox();
    assert_eq!(host.engine.mailbox(inbox).unwrap().total, 1, "{}", host.said());
    world.put("Box0", mail(2), &[]);
    host.pass_ms(200_000);
    assert_eq!(host.engine.mailbox(host.mailbox("Box0")).unwrap().total, 1, "{}", host.said());
}
