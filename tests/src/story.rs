//! The story of one mailbox that three devices and another mail program work on: who they are, what they can do, and how
//! they are held against the server. What happens is in [`plot`].

pub mod plot;

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::compare::{Dump, act, differences};
use crate::imap::{Client, mailbox_name};
use crate::program::{Program, Summary};
use crate::proxy::{Profile, Proxy, ProxyOptions};
use crate::server::{MailServer, Scratch};

const PASSWORD: &str = "secret";

/// The devices, the other program and the server.
pub struct Stage<'a> {
    server: &'a dyn MailServer,
    user: String,
    profile: Profile,
    proxy: Proxy,
    devices: Vec<Device>,
    _scratch: Scratch,
}

/// One of the devices: a database of its own.
pub struct Device {
    name: &'static str,
    program: Program,
    folder: std::path::PathBuf,
}

/// A message with a name that nothing else has: its subject.
pub fn message(name: &str) -> String {
    format!(
        "From: Anna <anna@story.example>\r\nTo: Bert <bert@story.example>\r\nSubject: {name}\r\n\
         Date: Mon, 06 Jan 2025 10:00:00 +0000\r\nMessage-ID: <{name}@story.example>\r\nX-Token: {name}\r\n\r\n\
         This is {name}.\r\n"
    )
}

impl Device {
    /// Runs a command that must succeed.
    pub fn run(&self, arguments: &[&str]) {
        self.program.ok(arguments);
    }

    /// Runs a command with the ids of these messages behind its first word.
    pub fn with(&self, command: &str, mailbox: &str, names: &[&str], more: &[&str]) {
        let ids = self.ids(mailbox, names);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        self.run(&[&[command], &ids[..], more].concat());
    }

    /// The ids of the messages of these names.
    fn ids(&self, mailbox: &str, names: &[&str]) -> Vec<String> {
        let rows = self.program.list(mailbox);
        let one = |name: &&str| {
            let found: Vec<_> = rows.iter().filter(|row| row.subject == **name).collect();
            let all: Vec<_> = rows.iter().map(|row| row.subject.to_string()).collect();
            assert_eq!(found.len(), 1, "{}: {name} in {mailbox}, which has {all:?}", self.name);
            found[0].id.to_string()
        };
        names.iter().map(one).collect()
    }

    /// Puts a new message into a mailbox, offline.
    pub fn append(&self, mailbox: &str, name: &str, more: &[&str]) {
        let file = self.file(name);
        self.run(&[&["append", mailbox, &file], more].concat());
    }

    /// Saves the draft `old` again, under a new name.
    pub fn save_again(&self, mailbox: &str, old: &str, name: &str) {
        let (file, ids) = (self.file(name), self.ids(mailbox, &[old]));
        self.run(&["append", "--replaces", &ids[0], &file, "--flag", "draft"]);
    }

    fn file(&self, name: &str) -> String {
        let file = self.folder.join(format!("{}-{name}.eml", self.name));
        fs::write(&file, message(name)).expect("own folder");
        file.to_str().expect("its path is UTF-8").to_owned()
    }

    /// What the server has not confirmed.
    pub fn pending(&self) -> Vec<Value> {
        self.program.ok(&["pending", "--json"]).lines()
    }
}

impl<'a> Stage<'a> {
    /// A new user, whose mail three new databases know of.
    pub fn set(server: &'a dyn MailServer, profile: Profile) -> Self {
        let user = format!("story-{profile:?}").to_lowercase();
        server.add_user(&user, PASSWORD);
        let scratch = Scratch::new("story");
        let options = ProxyOptions { record: true, ..ProxyOptions::profile(profile) };
        let proxy = Proxy::start(server.imap_port(), options);
        let device = |name: &'static str| {
            let program = Program::new(&scratch.path().join(format!("{name}.redb")), PASSWORD);
            program.add_imap("test", proxy.port(), &user);
            Device { name, program, folder: scratch.path().to_owned() }
        };
        let devices = ["first", "second", "third"].map(device).into();
        Self { server, user, profile, proxy, devices, _scratch: scratch }
    }

    fn fill(&self, mailboxes: &[(&str, &[&str])]) {
        let mut client = Client::login(self.server.imap_port(), &self.user, PASSWORD);
        for (mailbox, names) in mailboxes {
            if *mailbox != "INBOX" {
                client.ok(&format!("CREATE {}", mailbox_name(mailbox)));
            }
            let mails = names.iter().enumerate().map(|(n, name)| crate::imap::Mail {
                bytes: message(name).into_bytes(),
                internal_date: crate::corpus::FIRST_DATE + n as i64,
                flags: Vec::new(),
            });
            client.append_all(mailbox, mails);
        }
        let _ = client.command("LOGOUT");
    }

    /// The three of them.
    pub fn devices(&self) -> [&Device; 3] {
        [&self.devices[0], &self.devices[1], &self.devices[2]]
    }

    /// What the server holds now.
    pub fn dump(&self) -> Dump {
        Dump::read(self.server.imap_port(), &self.user, PASSWORD)
    }

    /// The other mail program does something to messages that it finds by name: in a step, `"names"` stands for `"uids"`.
    pub fn other(&self, steps: Value) {
        let mut done = Vec::new();
        for mut step in steps.as_array().expect("a list of steps").clone() {
            if let Some(names) = step.get("names").cloned() {
                let mailbox = step["mailbox"].as_str().expect("a mailbox").to_owned();
                let names: Vec<&str> =
                    names.as_array().expect("names").iter().filter_map(Value::as_str).collect();
                step["uids"] = json!(self.uids(&mailbox, &names));
            }
            if let Some(name) = step.get("name").cloned() {
                step["text"] = json!(message(name.as_str().expect("a name")));
            }
            done.push(step);
        }
        act(self.server.imap_port(), &self.user, PASSWORD, &Value::Array(done));
    }

    fn uids(&self, mailbox: &str, names: &[&str]) -> Vec<u64> {
        let mut client = Client::login(self.server.imap_port(), &self.user, PASSWORD);
        client.ok(&format!("EXAMINE {}", mailbox_name(mailbox)));
        let found = names.iter().map(|name| {
            let reply = client.ok(&format!("UID SEARCH HEADER X-Token \"{name}\"")).text();
            let uids: Vec<u64> = reply.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            assert_eq!(uids.len(), 1, "{name} in {mailbox}: {reply}");
            uids[0]
        });
        found.collect()
    }

    /// One device after another syncs.
    pub fn sync(&self, order: &[usize]) -> Vec<Summary> {
        let sync = |at: &usize| {
            let device = &self.devices[*at];
            let outcome = device.program.try_sync(&[]);
            assert_eq!(outcome.code, Some(0), "{}: {outcome:?}\n{}", device.name, self.transcript());
            outcome.last_line()
        };
        order.iter().map(sync).collect()
    }

    /// Expunges what bears `\Deleted`: without UIDPLUS the program marks what is to go, and takes nothing of others' along.
    pub fn purge(&self) {
        let mut steps = Vec::new();
        for (name, mailbox) in &self.dump().mailboxes {
            let marked = mailbox.messages.iter().filter(|(_, m)| m.flags.contains("\\deleted"));
            let uids: Vec<u64> = marked.map(|(uid, _)| *uid).collect();
            if !uids.is_empty() {
                steps.push(json!({ "do": "expunge", "mailbox": name, "uids": uids }));
            }
        }
        act(self.server.imap_port(), &self.user, PASSWORD, &Value::Array(steps));
    }

    /// All devices sync until each has heard of what the others sent, and are held against the server.
    pub fn settle(&self, when: &str) {
        self.sync(&[0, 1, 2]);
        self.purge();
        self.sync(&[0, 1, 2, 0, 1, 2]);
        let dump = self.dump();
        let mut told = Vec::new();
        for device in &self.devices {
            let pending = device.pending();
            told.extend(pending.iter().map(|op| format!("{}: still pending: {op}", device.name)));
            let found = differences(&dump, &device.program);
            told.extend(found.into_iter().map(|text| format!("{}: {text}", device.name)));
            device.program.verify();
        }
        let (profile, server) = (self.profile, self.server.name());
        assert!(
            told.is_empty(),
            "{server}, {profile:?}, {when}:\n{}\n{}",
            told.join("\n"),
            self.transcript()
        );
    }

    /// Where each message is on the server: by name, the mailboxes that have it.
    pub fn places(&self) -> BTreeMap<String, Vec<String>> {
        let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let device = &self.devices[0];
        for mailbox in device.program.mailboxes() {
            for row in device.program.list(&mailbox) {
                let name = row.subject.as_str().unwrap_or_default().to_owned();
                places.entry(name).or_default().push(mailbox.clone());
            }
        }
        places.values_mut().for_each(|mailboxes| mailboxes.sort());
        places
    }

    /// What was said last, for a failure's message.
    fn transcript(&self) -> String {
        let text = self.proxy.transcript_text();
        if let Some(folder) = std::env::var_os("MAILKEEP_TRANSCRIPTS") {
            let name = format!("{}-{:?}.txt", self.server.name(), self.profile);
            let _ = fs::write(std::path::Path::new(&folder).join(name), &text);
        }
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}
