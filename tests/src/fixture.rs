//! One store that every language reads, and what Rust reads of it.
//!
//! Mail is synced from a server in memory, done something with offline, copied to a file as a backup, and gone on
//! with there: so that the file holds mail with UIDs and without, operations that wait and such that were set aside,
//! two accounts, odd messages and a change feed.

mod mail;
mod readout;

use std::path::Path;

use mailkeep::sasl::server::Verifier;
use mailkeep::sasl::{Credentials, Secret};
use mailkeep::serve::backend::{Appended, Backend};
use mailkeep::serve::memory::{MemoryMail, MemoryUsers};
use mailkeep::serve::{Session, SessionOptions};
use mailkeep::{
    AccountId, AccountSettings, BodyPolicy, Connection, ConnectionOptions, Draft, Engine, EngineOptions,
    Event, FileStorage, FlagChange, Keep, MailboxId, MemoryStorage, MessageId, NewMailbox, Now, SyncScope,
};

pub use readout::readout;

/// The moment of everything that is done: 2026-01-20, in milliseconds since 1970.
pub const MOMENT: i64 = 1_768_867_200_000;

/// Makes the store at a path where nothing is yet.
pub fn make(path: &Path) {
    let world = World::new();
    let engine = Engine::open(MemoryStorage::new(), EngineOptions::new(42)).expect("memory opens");
    let account = world.account(&engine);
    world.sync(&engine, account);
    offline_before(&engine, account);
    engine.backup_to(FileStorage::new(path), 43).expect("the place is empty");
    engine.close();

    let engine = Engine::open(FileStorage::existing(path), EngineOptions::new(43)).expect("it was just made");
    // What was pending when the backup was made is set aside here.
    world.sync(&engine, account);
    offline_after(&engine, account);
    second_account(&engine);
    engine.close();
}

struct World {
    users: MemoryUsers,
}

impl World {
    fn new() -> World {
        let users = MemoryUsers::default();
        let verifier = Verifier::new("secret", [9; 16], 4_096).expect("a password");
        let drop = users.add("anna", verifier);
        drop.set_wall(MOMENT);
        for (name, attribute) in
            [("Sent", "\\Sent"), ("Drafts", "\\Drafts"), ("Trash", "\\Trash"), ("Junk", "\\Junk")]
        {
            drop.create(name, &[attribute.to_owned()]).expect("a new name");
        }
        for name in ["Work/2024 & später", "Lists", "空"] {
            drop.create(name, &[]).expect("a new name");
        }
        for (place, mail) in mail::all() {
            put(&drop, place, mail);
        }
        World { users }
    }

    fn account(&self, engine: &Engine) -> AccountId {
        let mut settings = AccountSettings::imap("Anna at home", "imap.example.org", "anna");
        settings.bodies = BodyPolicy::All;
        settings.extra = vec![("colour".into(), "blau & grün".into()), ("empty".into(), String::new())];
        engine.add_account(settings).expect("the settings are whole")
    }

    /// One sync over a pipe in memory.
    fn sync(&self, engine: &Engine, account: AccountId) {
        let options = ConnectionOptions::new([5; 32], true);
        let mut connection = engine.connect(account, options).expect("the account is there");
        let mut server = Session::new(self.users.clone(), SessionOptions::new([3; 32], [4; 32], true));
        connection.sync(SyncScope::account());
        connection.logout();
        let mut clock = 0;
        while !connection.is_closed() {
            clock += 1;
            let now = Now::new(clock, MOMENT);
            let up = drain(&mut connection);
            let down = answer(&mut server, now, up);
            if down.is_empty() && server.is_closed() {
                drop(drain(&mut connection));
                connection.handle_eof(now).expect("it was drained");
            } else if down.is_empty() {
                connection.handle_timeout(now).expect("it was drained");
            } else {
                connection.handle_input(now, &down).expect("it was drained");
            }
        }
        drop(drain(&mut connection));
    }
}

/// Takes out everything; gives what is for the server.
fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut up = Vec::new();
    loop {
        if let Some(octets) = connection.poll_transmit() {
            up.extend(octets);
            continue;
        }
        match connection.poll_event() {
            None => return up,
            Some(Event::NeedCredentials { .. }) => {
                let password = Secret::new("secret");
                let credentials = Credentials::Password { user: "anna".into(), authzid: None, password };
                connection.provide_credentials(credentials).expect("the server takes passwords");
            }
            Some(Event::Done { result, .. }) => drop(result.expect("the request goes well")),
            Some(Event::Closed { error }) => assert!(error.is_none(), "{error:?}"),
            Some(_) => {}
        }
    }
}

fn answer(server: &mut Session<MemoryUsers>, now: Now, input: Vec<u8>) -> Vec<u8> {
    let mut down = Vec::new();
    let mut rest = input.as_slice();
    loop {
        while let Some(octets) = server.poll_transmit() {
            down.extend(octets);
        }
        while server.poll_event().is_some() {}
        if server.is_closed() {
            return down;
        }
        let progress = server.handle_input(now, rest).expect("it was drained");
        rest = &rest[progress.consumed..];
        if !progress.more {
            while let Some(octets) = server.poll_transmit() {
                down.extend(octets);
            }
            return down;
        }
    }
}

fn put(drop: &MemoryMail, place: &str, mail: mail::Mail) {
    let all = drop.mailboxes().expect("memory answers");
    let id = all.into_iter().find(|mailbox| mailbox.name == place).and_then(|mailbox| mailbox.id);
    let mut flags = mailkeep::flags::FlagSet::default();
    mail.flags.iter().for_each(|flag| flags.insert_wire(flag.as_bytes()));
    let message = Appended { upload: mail.raw, flags, internal_date: mail.internal_date };
    drop.append(id.expect("the mailbox was made"), vec![message], None).expect("memory has room");
}

fn now() -> Now {
    Now::new(1, MOMENT)
}

fn mailbox(engine: &Engine, account: AccountId, name: &str) -> MailboxId {
    let all = engine.mailboxes(account).expect("it reads");
    all.into_iter()
        .find(|mailbox| mailbox.name == name)
        .map(|mailbox| mailbox.id)
        .expect("the mailbox is there")
}

/// The newest messages of a mailbox.
fn newest<const N: usize>(engine: &Engine, mailbox: MailboxId) -> [MessageId; N] {
    let rows = engine.messages(mailbox, None, N).expect("it reads").rows;
    rows.iter().map(|row| row.id).collect::<Vec<_>>().try_into().expect("there are as many")
}

/// What is pending when the backup is made.
fn offline_before(engine: &Engine, account: AccountId) {
    let inbox = mailbox(engine, account, "INBOX");
    let [a, b, c, d] = newest(engine, inbox);
    let lists = mailbox(engine, account, "Lists");
    engine.set_flags(now(), &[a], &FlagChange::default().set("\\Flagged").set("$Later")).expect("it is here");
    engine.move_messages(now(), &[b], lists).expect("it is here");
    engine.expunge_messages(now(), &[c]).expect("it is here");
    engine.copy_messages(now(), &[d], lists).expect("it is here");
    let draft = Draft::new(mail::draft("set aside with the others")).flag("\\Draft");
    engine.append(now(), mailbox(engine, account, "Drafts"), draft).expect("there is room");
}

/// What waits in the file.
fn offline_after(engine: &Engine, account: AccountId) {
    let inbox = mailbox(engine, account, "INBOX");
    let all = newest::<12>(engine, inbox);
    let lists = mailbox(engine, account, "Lists");
    engine.set_flags(now(), &all[4..6], &FlagChange::default().set("todo").clear("\\Seen")).expect("here");
    engine.move_messages(now(), &all[6..8], lists).expect("they are here");
    engine.delete_messages(now(), &all[8..9]).expect("it is here");
    engine.archive_messages(now(), &all[9..10]).expect("it is here");
    engine.expunge_messages(now(), &all[10..11]).expect("it is here");
    let local = NewMailbox::named("On this device").local();
    let local = engine.create_mailbox(now(), account, local).expect("a new name");
    engine.copy_messages(now(), &all[11..12], local).expect("it is here");
    for number in 0..5 {
        let draft = Draft::new(mail::draft(&format!("note {number}")))
            .flag("\\Seen")
            .flag(if number % 2 == 0 { "$Forwarded" } else { "odd-one" })
            .received_at(MOMENT - 86_400_000 * number);
        engine.append(now(), local, draft).expect("there is room");
    }
    engine.append(now(), mailbox(engine, account, "Drafts"), Draft::new(mail::draft("waits"))).expect("room");
    let new = engine.create_mailbox(now(), account, NewMailbox::named("Neu/Ordner")).expect("a new name");
    engine.subscribe(now(), new, true).expect("it is here");
    engine.rename_mailbox(now(), mailbox(engine, account, "空"), "満").expect("it is here");
}

/// A POP3 account that has never been connected.
fn second_account(engine: &Engine) {
    let mut settings = AccountSettings::pop3("Old provider", "pop.example.net", "anna.old");
    settings.keep = Keep::Days(14);
    settings.pop_size_limit = Some(1 << 20);
    settings.mechanism = Some("PLAIN".into());
    let account = engine.add_account(settings).expect("the settings are whole");
    let place = NewMailbox::named("Saved").local().for_role(mailkeep::Role::Archive);
    let place = engine.create_mailbox(now(), account, place).expect("a new name");
    engine.append(now(), place, Draft::new(mail::draft("the same in two accounts"))).expect("there is room");
}
