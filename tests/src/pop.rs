//! What Python's poplib, which shares no code with the engine, sees in a maildrop; and what every POP3 server is
//! gone through with.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::process::Command;
use std::thread;
use std::time::Duration;

use mailkeep::{
    AccountId, AccountSettings, ConnectionOptions, Engine, EngineOptions, Keep, MemoryStorage, Security,
    SyncScope,
};
use sha2::{Digest, Sha256};

use crate::host::{Run, password, run_later};
use crate::program::Program;
use crate::server::{MailServer, Scratch, run};

/// The SHA-256 of every message of a maildrop by its UIDL, in hexadecimal; in UTF8 mode where the server has one,
/// as the engine does.
pub fn maildrop(port: u16, user: &str, password: &str) -> BTreeMap<String, String> {
    maildrop_as(port, user, password, true)
}

/// The same without UTF8 mode, in which some servers show other messages in place of those with 8-bit headers (RFC
/// 6856 §2.1).
pub fn plain_maildrop(port: u16, user: &str, password: &str) -> BTreeMap<String, String> {
    maildrop_as(port, user, password, false)
}

fn maildrop_as(port: u16, user: &str, password: &str, utf8: bool) -> BTreeMap<String, String> {
    const SCRIPT: &str = "
import hashlib, json, poplib, sys
poplib._MAXLINE = 1 << 30
port, user, password, mode = sys.argv[1:]
drop = poplib.POP3('127.0.0.1', int(port))
if mode == 'utf8' and 'UTF8' in drop.capa():
    drop.utf8()
drop.user(user)
drop.pass_(password)
all = {}
for line in drop.uidl()[1]:
    number, uidl = line.decode().split(' ', 1)
    lines = drop.retr(int(number))[1]
    all[uidl] = hashlib.sha256(b''.join(line + b'\\r\\n' for line in lines)).hexdigest()
drop.quit()
print(json.dumps(all))
";
    let port = port.to_string();
    let mode = if utf8 { "utf8" } else { "plain" };
    let out = run(Command::new("python3").args(["-c", SCRIPT, &port, user, password, mode]));
    serde_json::from_slice(&out).expect("the script prints JSON")
}

/// What CAPA says before anybody has signed in: each capability with its parameters.
pub fn capabilities(port: u16) -> BTreeMap<String, Vec<String>> {
    const SCRIPT: &str = "
import json, poplib, sys
drop = poplib.POP3('127.0.0.1', int(sys.argv[1]))
print(json.dumps(drop.capa()))
drop.quit()
";
    let out = run(Command::new("python3").args(["-c", SCRIPT, &port.to_string()]));
    serde_json::from_slice(&out).expect("the script prints JSON")
}

/// The time that a server wants between two logins of one user (RFC 2449 §6.5).
fn login_delay(port: u16) -> Duration {
    let told = capabilities(port).remove("LOGIN-DELAY").and_then(|words| words.first()?.parse().ok());
    Duration::from_secs(told.unwrap_or(0))
}

/// The hashes alone, sorted: messages may be equal.
fn hashes(drop: &BTreeMap<String, String>) -> Vec<String> {
    let mut all: Vec<String> = drop.values().cloned().collect();
    all.sort();
    all
}

/// An engine in this process with one POP3 account.
#[derive(Debug)]
pub struct Client {
    /// The engine.
    pub engine: Engine,
    /// The account.
    pub account: AccountId,
    port: u16,
    user: String,
    syncs: Cell<u32>,
}

impl Client {
    /// With an account on 127.0.0.1 without TLS; its password is `secret`.
    pub fn new(port: u16, user: &str, keep: Keep) -> Self {
        let engine = Engine::open(MemoryStorage::new(), EngineOptions::new(1)).expect("memory opens");
        let mut settings = AccountSettings::pop3("pop", "127.0.0.1", user);
        (settings.port, settings.security, settings.keep) = (port, Security::Insecure, keep);
        let account = engine.add_account(settings).expect("the settings fit");
        Self { engine, account, port, user: user.to_owned(), syncs: Cell::new(0) }
    }

    /// Syncs with a wall clock that goes so many days ahead, and a minute for each sync before: some servers want a
    /// time between two logins.
    pub fn sync(&self, days: u64) -> Run {
        let options = ConnectionOptions::new([7; 32], false);
        let mut connection = self.engine.connect(self.account, options).expect("the engine connects");
        connection.sync(SyncScope::account());
        let minutes = self.syncs.replace(self.syncs.get() + 1);
        let ahead = Duration::from_secs(days * 24 * 3600 + u64::from(minutes) * 60);
        let run = run_later(&mut connection, self.port, password(&self.user, "secret"), ahead, |_| ());
        assert_eq!(self.engine.verify().expect("the store can be read").problems, Vec::<String>::new());
        run
    }

    /// The hashes of what is here, sorted.
    pub fn here(&self) -> Vec<String> {
        let inbox = self.engine.mailboxes(self.account).expect("mailboxes")[0].id;
        let rows = self.engine.messages(inbox, None, 1_000_000).expect("the inbox").rows;
        let hash = |id| {
            let body = self.engine.body(id, 0, u64::MAX).expect("a message").expect("it is here whole");
            Sha256::digest(body).iter().map(|b| format!("{b:02x}")).collect::<String>()
        };
        let mut all: Vec<String> = rows.iter().map(|row| hash(row.id)).collect();
        all.sort();
        all
    }
}

/// Every policy, on the engine alone, with the clock moved on; `fill` puts so many messages into a user's inbox.
pub fn policies(server: &dyn MailServer, fill: &dyn Fn(&str, usize)) {
    let port = server.pop3_port();
    let drop = |user: &str| maildrop(port, user, "secret");

    server.add_user("popdays", "secret");
    fill("popdays", 60);
    let before = hashes(&drop("popdays"));
    let client = Client::new(port, "popdays", Keep::Days(7));
    assert_eq!(client.sync(0).summary.messages_added, 60);
    assert_eq!(client.here(), before, "{}: byte for byte what poplib sees", server.name());
    let again = client.sync(1);
    assert_eq!(again.summary.messages_added, 0);
    assert!(again.cost.bytes_down < 8_000, "{}: nothing is moved: {:?}", server.name(), again.cost);
    fill("popdays", 5);
    assert_eq!(client.sync(3).summary.messages_added, 5);
    let plan = client.engine.retention_plan(client.account, wall_ms(8)).expect("a plan");
    assert_eq!(plan.len(), 60);
    client.sync(8);
    let left = drop("popdays");
    assert_eq!(left.len(), 5, "{}: those that have been here for five days", server.name());
    assert!(plan.iter().all(|entry| !left.contains_key(&entry.uidl)));
    assert_eq!(client.here().len(), 65);
    client.sync(11);
    assert_eq!((drop("popdays").len(), client.here().len()), (0, 65));

    server.add_user("popgone", "secret");
    fill("popgone", 40);
    let before = hashes(&drop("popgone"));
    let client = Client::new(port, "popgone", Keep::Delete);
    client.sync(0);
    assert_eq!((client.here(), drop("popgone").len()), (before, 0), "{}", server.name());
    fill("popgone", 3);
    client.sync(0);
    assert_eq!((client.here().len(), drop("popgone").len()), (43, 0), "{}", server.name());

    server.add_user("popkept", "secret");
    fill("popkept", 10);
    let client = Client::new(port, "popkept", Keep::Forever);
    client.sync(0);
    client.sync(10_000);
    assert_eq!(hashes(&drop("popkept")), client.here(), "{}", server.name());
}

fn wall_ms(days: u64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    (now + Duration::from_secs(days * 24 * 3600)).as_millis() as i64
}

/// How the program ends where a server does not do what it was asked.
const SERVER: i32 = 6;

/// The program, from `account add` to the dry run. Where the server wants a time between two logins, a sync before
/// it is over says so and leaves the server alone.
pub fn program(server: &dyn MailServer, fill: &dyn Fn(&str, usize)) {
    let scratch = Scratch::new("pop");
    server.add_user("popprog", "secret");
    fill("popprog", 25);
    let program = Program::new(&scratch.path().join("mail.redb"), "secret");
    program.add_pop3("pop", server.pop3_port(), "popprog", "on-server");
    assert_eq!(program.sync(&[]).messages_added, 25);
    let delay = login_delay(server.pop3_port());
    if !delay.is_zero() {
        let early = program.try_sync(&[]);
        assert_eq!(early.code, Some(SERVER), "{early:?}");
        assert!(early.stderr.contains("try again in"), "{early:?}");
        thread::sleep(delay);
    }
    assert_eq!(program.sync(&[]).messages_added, 0);
    assert_eq!(program.list("INBOX").len(), 25);
    program.verify();
    assert_eq!(program.ok(&["retention", "--dry-run", "--json"]).text(), "");
    program.ok(&["account", "remove", "pop"]);
    program.add_pop3("pop", server.pop3_port(), "popprog", "delete");
    assert_eq!(program.sync(&[]).messages_added, 25);
    assert_eq!(maildrop(server.pop3_port(), "popprog", "secret").len(), 0);
    program.verify();
}
