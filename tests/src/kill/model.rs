//! What a person did, told by what each message is called: the server and the database must both come to it.

use std::collections::BTreeSet;

use mailkeep::{Draft, Engine, FlagChange, MailboxId, MessageId, NewMailbox, Now};

use crate::corpus::FIRST_DATE;
use crate::imap::{Client, Mail, mailbox_name};

/// The mailboxes that messages move between; copies go into the last, and stay there.
const MAILBOXES: [&str; 4] = ["INBOX", "Work", "Drafts", "Copies"];
const FLAGS: [&str; 4] = ["\\Seen", "\\Flagged", "\\Answered", "todo"];
/// No more messages than this are kept, so that a sync stays short.
const MOST: usize = 24;

/// Where each message is, and its flags.
#[derive(Debug)]
pub struct Model {
    entries: Vec<Entry>,
    next: u32,
    mailboxes: u32,
}

#[derive(Debug, Clone)]
struct Entry {
    name: String,
    mailbox: String,
    flags: BTreeSet<String>,
}

/// One line for each message: mailbox, name, flags.
pub type Lines = Vec<String>;

impl Model {
    /// Fills a user's mailboxes.
    pub fn fill(port: u16, user: &str, password: &str) -> Self {
        let mut model = Self { entries: Vec::new(), next: 0, mailboxes: 0 };
        let mut client = Client::login(port, user, password);
        for mailbox in MAILBOXES {
            if mailbox != "INBOX" {
                client.ok(&format!("CREATE {}", mailbox_name(mailbox)));
            }
            for _ in 0..4 {
                let name = model.new_name();
                let mail = Mail {
                    bytes: text(&name).into_bytes(),
                    internal_date: FIRST_DATE + i64::from(model.next),
                    flags: Vec::new(),
                };
                assert!(client.append(mailbox, &mail), "the server takes mail");
                model.put(name, mailbox, &[]);
            }
        }
        model
    }

    fn new_name(&mut self) -> String {
        self.next += 1;
        format!("m{:04}", self.next)
    }

    fn put(&mut self, name: String, mailbox: &str, flags: &[&str]) {
        let flags = flags.iter().map(|flag| flag.to_lowercase()).collect();
        self.entries.push(Entry { name, mailbox: mailbox.to_owned(), flags });
    }

    /// What must be, sorted.
    pub fn lines(&self) -> Lines {
        let line = |e: &Entry| format!("{} {} {:?}", e.mailbox, e.name, e.flags);
        let mut lines: Lines = self.entries.iter().map(line).collect();
        lines.sort();
        lines
    }

    /// A person works offline.
    pub fn work(&mut self, engine: &Engine, dice: &mut Dice) {
        for _ in 0..2 + dice.below(4) {
            if self.entries.len() > MOST {
                self.delete(engine, dice);
                continue;
            }
            match dice.below(10) {
                0..=2 => self.flag(engine, dice),
                3 | 4 => self.shift(engine, dice),
                5 | 6 => self.append(engine, dice),
                7 => self.save_again(engine, dice),
                8 => self.copy(engine, dice),
                _ => self.fill_new_mailbox(engine, dice),
            }
        }
    }

    /// One of the messages, and what the engine calls it.
    fn any(
        &self,
        engine: &Engine,
        dice: &mut Dice,
        allowed: impl Fn(&Entry) -> bool,
    ) -> Option<(usize, MessageId)> {
        let all: Vec<usize> = (0..self.entries.len()).filter(|i| allowed(&self.entries[*i])).collect();
        let at = *all.get(dice.below(all.len() as u64) as usize)?;
        let entry = &self.entries[at];
        let rows = engine.messages(mailbox(engine, &entry.mailbox), None, 1_000).expect("a page").rows;
        let row = rows.iter().find(|row| row.summary.subject == entry.name);
        Some((at, row.unwrap_or_else(|| panic!("{entry:?} is not shown")).id))
    }

    fn flag(&mut self, engine: &Engine, dice: &mut Dice) {
        for _ in 0..2 {
            let Some((at, id)) = self.any(engine, dice, |_| true) else { return };
            let flag = FLAGS[dice.below(4) as usize];
            let set = dice.below(3) > 0;
            let change = FlagChange::default();
            let change = if set { change.set(flag) } else { change.clear(flag) };
            engine.set_flags(now(), &[id], &change).expect("flags are set");
            let flags = &mut self.entries[at].flags;
            let _ = if set { flags.insert(flag.to_lowercase()) } else { flags.remove(&flag.to_lowercase()) };
        }
    }

    fn shift(&mut self, engine: &Engine, dice: &mut Dice) {
        let Some((at, id)) = self.any(engine, dice, |e| e.mailbox != "Copies") else { return };
        let to = MAILBOXES[dice.below(3) as usize];
        engine.move_messages(now(), &[id], mailbox(engine, to)).expect("it is moved");
        to.clone_into(&mut self.entries[at].mailbox);
    }

    fn append(&mut self, engine: &Engine, dice: &mut Dice) {
        let (name, to) = (self.new_name(), MAILBOXES[dice.below(3) as usize]);
        let draft = Draft::new(text(&name)).flag("\\Seen");
        engine.append(now(), mailbox(engine, to), draft).expect("it is appended");
        self.put(name, to, &["\\Seen"]);
    }

    fn save_again(&mut self, engine: &Engine, dice: &mut Dice) {
        let Some((at, id)) = self.any(engine, dice, |e| e.mailbox == "Drafts") else { return };
        let name = self.new_name();
        let draft = Draft::new(text(&name)).flag("\\Draft");
        engine.replace_draft(now(), id, draft).expect("it is saved again");
        self.entries.remove(at);
        self.put(name, "Drafts", &["\\Draft"]);
    }

    fn copy(&mut self, engine: &Engine, dice: &mut Dice) {
        let copies: BTreeSet<String> =
            self.entries.iter().filter(|e| e.mailbox == "Copies").map(|e| e.name.clone()).collect();
        let Some((at, id)) = self.any(engine, dice, |e| !copies.contains(&e.name)) else { return };
        engine.copy_messages(now(), &[id], mailbox(engine, "Copies")).expect("it is copied");
        let copy = Entry { mailbox: "Copies".to_owned(), ..self.entries[at].clone() };
        self.entries.push(copy);
    }

    fn delete(&mut self, engine: &Engine, dice: &mut Dice) {
        let Some((at, id)) = self.any(engine, dice, |_| true) else { return };
        engine.expunge_messages(now(), &[id]).expect("it is deleted");
        self.entries.remove(at);
    }

    /// A mailbox is made and a message moved into it; the one before it is emptied, and deleted with the name it was given.
    fn fill_new_mailbox(&mut self, engine: &Engine, dice: &mut Dice) {
        if dice.below(2) == 0 {
            return self.flag(engine, dice);
        }
        let (old, new) = (format!("Box {}", self.mailboxes), format!("Box {}", self.mailboxes + 1));
        self.mailboxes += 1;
        let account = engine.accounts().expect("the store is whole")[0].id;
        let id = engine.create_mailbox(now(), account, NewMailbox::named(&new)).expect("it is made");
        while let Some((at, message)) = self.any(engine, dice, |e| e.mailbox == old) {
            engine.move_messages(now(), &[message], id).expect("it is moved");
            new.clone_into(&mut self.entries[at].mailbox);
        }
        if self.mailboxes > 1 {
            engine.delete_mailbox(now(), mailbox(engine, &old)).expect("it is deleted");
        }
        if let Some((at, message)) = self.any(engine, dice, |e| e.mailbox == "INBOX") {
            engine.move_messages(now(), &[message], id).expect("it is moved");
            self.entries[at].mailbox = new;
        }
    }
}

fn mailbox(engine: &Engine, name: &str) -> MailboxId {
    let account = engine.accounts().expect("the store is whole")[0].id;
    let all = engine.mailboxes(account).expect("the store is whole");
    all.iter().find(|m| m.name == name).unwrap_or_else(|| panic!("no mailbox {name}")).id
}

/// The same moment always: messages are told apart by their names.
fn now() -> Now {
    Now::new(0, 1_800_000_000_000)
}

fn text(name: &str) -> String {
    format!(
        "From: Anna <anna@kill.example>\r\nSubject: {name}\r\nMessage-ID: <{name}@kill.example>\r\n\
         X-Token: {name}\r\n\r\nThis is {name}.\r\n"
    )
}

/// What the server holds, by a client that shares no code with the engine. What bears `\Deleted` is left out: without
/// UIDPLUS that is all that the program may do.
pub fn server_lines(port: u16, user: &str, password: &str) -> Lines {
    let mut client = Client::login(port, user, password);
    let listed = client.ok("LIST \"\" \"*\"").text();
    let names =
        listed.lines().filter_map(|line| line.rsplit_once("\"/\" ")).map(|(_, name)| name.trim().to_owned());
    let mut lines = Vec::new();
    for wire in names.collect::<Vec<_>>() {
        client.ok(&format!("EXAMINE {wire}"));
        let name = wire.trim_matches('"').to_owned();
        for row in client.ok("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (X-Token)])").untagged {
            let row = String::from_utf8_lossy(&row).into_owned();
            let Some((_, flags)) = row.split_once("FLAGS (") else { continue };
            let flags = flags.split(')').next().unwrap_or_default().to_lowercase();
            let flags: BTreeSet<String> =
                flags.split_whitespace().filter(|f| *f != "\\recent").map(str::to_owned).collect();
            let token = row.split("X-Token: ").nth(1).and_then(|rest| rest.split_whitespace().next());
            if !flags.contains("\\deleted") {
                lines.push(format!("{name} {} {flags:?}", token.unwrap_or("nameless")));
            }
        }
    }
    lines.sort();
    lines
}

/// What the database shows.
pub fn engine_lines(engine: &Engine) -> Lines {
    let account = engine.accounts().expect("the store is whole")[0].id;
    let mut lines = Vec::new();
    for mailbox in engine.mailboxes(account).expect("the store is whole") {
        for row in engine.messages(mailbox.id, None, 1_000).expect("a page").rows {
            let flags: BTreeSet<String> = row.flags.wire_words().map(str::to_lowercase).collect();
            lines.push(format!("{} {} {flags:?}", mailbox.name, row.summary.subject));
        }
    }
    lines.sort();
    lines
}

/// A small source of repeatable choices (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The same seed, the same choices.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n.max(1)
    }
}
