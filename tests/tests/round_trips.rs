//! How often the engine waits for a server, and how much it says and hears.

use mailkeep::{
    AccountSettings, BodyPolicy, ConnectionOptions, Engine, EngineOptions, FlagChange, MemoryStorage,
    MessageRow, Now, Role, Security, SyncScope,
};
use mailkeep_tests::compare::Dump;
use mailkeep_tests::corpus::generate;
use mailkeep_tests::dovecot::Dovecot;
use mailkeep_tests::host::{self, Cost};
use mailkeep_tests::imap::{Client, mailbox_name};
use mailkeep_tests::program::{Program, Summary};
use mailkeep_tests::proxy::{Proxy, ProxyOptions, Side, Stats};
use mailkeep_tests::server::{MailServer as _, Scratch};

const PASSWORD: &str = "secret";

#[test]
fn an_unchanged_account_costs_two_round_trips_with_login() {
    Unchanged::new("login", &["--security", "insecure", "--auth", "login"]).costs(2);
}

#[test]
fn an_unchanged_account_costs_two_round_trips_with_plain() {
    Unchanged::new("plain", &["--security", "insecure", "--auth", "plain"]).costs(2);
}

#[test]
fn an_unchanged_account_costs_three_round_trips_with_oauthbearer() {
    Unchanged::new("oauthbearer", &["--security", "insecure", "--auth", "oauthbearer"]).costs(3);
}

#[test]
fn an_unchanged_account_costs_three_round_trips_with_xoauth2() {
    Unchanged::new("xoauth2", &["--security", "insecure", "--auth", "xoauth2"]).costs(3);
}

#[test]
fn an_unchanged_account_costs_four_round_trips_with_scram() {
    Unchanged::new("scram-sha-256", &["--security", "insecure", "--auth", "scram-sha-256"]).costs(4);
}

#[test]
fn compression_costs_one_round_trip_more() {
    Unchanged::new("compress", &["--security", "insecure", "--auth", "login", "--compress"]).costs(3);
}

#[test]
fn starttls_costs_one_round_trip_more() {
    Unchanged::new("starttls", &["--security", "starttls", "--auth", "login"]).costs(3);
}

/// An account of fifty mailboxes in which nothing happens.
struct Unchanged {
    dovecot: std::sync::Arc<Dovecot>,
    proxy: Proxy,
    program: Program,
    wire: Wire,
    _scratch: Scratch,
}

/// What the proxy can see.
#[derive(PartialEq, Eq)]
enum Wire {
    Clear,
    Compressed,
    Encrypted,
}

impl Unchanged {
    /// A user of Dovecot's with an account that was synced once.
    fn new(name: &str, options: &[&str]) -> Self {
        let dovecot = Dovecot::shared();
        let user = format!("unchanged-{name}");
        dovecot.add_user(&user, PASSWORD);
        fill(&dovecot, &user);
        let secret =
            if name.contains("oauth") { dovecot.oauth_token(&user, 3600) } else { PASSWORD.to_owned() };
        let wire = match name {
            "compress" => Wire::Compressed,
            "starttls" => Wire::Encrypted,
            _ => Wire::Clear,
        };
        let scratch = Scratch::new("program");
        let program = Program::new(&scratch.path().join("mail.redb"), &secret);
        let proxy =
            Proxy::start(dovecot.imap_port(), ProxyOptions { record: true, ..ProxyOptions::default() });
        let ca = dovecot.ca_path();
        let ca = ["--ca", ca.to_str().expect("its path is UTF-8")];
        let ca: &[&str] = if wire == Wire::Encrypted { &ca } else { &[] };
        program.add_account("test", "imap", proxy.port(), &user, &[options, ca].concat());
        let first = program.sync(&[]);
        assert_eq!(first.messages_added, 15, "the first sync brings all there is: {first:?}");
        assert_eq!(program.mailboxes().len(), 50);
        Self { dovecot, proxy, program, wire, _scratch: scratch }
    }

    /// Syncs twice more: each time the greeting and `round_trips - 1` answers are all there is to wait for.
    fn costs(&self, round_trips: u64) {
        for when in ["second sync", "third sync"] {
            self.proxy.reset();
            let summary = self.program.sync(&[]);
            // The program is gone once it has written LOGOUT; the proxy may still have it before it.
            self.proxy.await_quiet();
            let wire = self.proxy.stats();
            let told = || format!("{when}: {summary:?}, {wire:?}\n{}", self.transcript());
            let changes = (summary.messages_added, summary.messages_removed, summary.flags_changed);
            assert_eq!(changes, (0, 0, 0), "nothing changed: {}", told());
            assert_eq!(summary.round_trips, round_trips, "round trips: {}", told());
            assert_eq!(wire.connections, 1, "{}", told());
            self.check_wire(round_trips, &summary, wire, &told);
            let received =
                if self.wire == Wire::Encrypted { summary.bytes_received } else { wire.bytes_down };
            assert!(received < 8 << 10, "{received} bytes received: {}", told());
        }
        assert!(!self.dovecot.log().contains("Panic"), "{}", self.dovecot.log());
    }

    /// What the proxy counted. The answer to LOGOUT is no wait: the sync is done by then.
    fn check_wire(&self, round_trips: u64, summary: &Summary, wire: Stats, told: &dyn Fn() -> String) {
        assert!(summary.bytes_received <= wire.bytes_down, "{}", told());
        match self.wire {
            Wire::Clear => {
                let turns = self.proxy.transcript();
                let end =
                    turns.iter().position(|t| t.side == Side::Client && ends_with(&t.bytes, b" LOGOUT\r\n"));
                let end = end.unwrap_or_else(|| panic!("no LOGOUT: {}", told()));
                let waits = turns[..end].iter().filter(|t| t.side == Side::Server).count();
                assert_eq!(waits as u64, round_trips, "round trips on the wire: {}", told());
            }
            Wire::Compressed => {
                let seen = round_trips..=round_trips + 1;
                assert!(seen.contains(&wire.round_trips), "round trips on the wire: {}", told());
            }
            // The handshake is the host's, its certificates too, and nothing can be told from what follows.
            Wire::Encrypted => assert!(wire.round_trips > round_trips, "{}", told()),
        }
    }

    fn transcript(&self) -> String {
        let turns = self.proxy.transcript();
        let side = |s| if s == Side::Client { "C" } else { "S" };
        turns.iter().map(|t| format!("{}: {}\n", side(t.side), String::from_utf8_lossy(&t.bytes))).collect()
    }
}

fn ends_with(bytes: &[u8], end: &[u8]) -> bool {
    bytes.to_ascii_uppercase().ends_with(end)
}

/// Fifty mailboxes on two levels, INBOX among them, and fifteen messages in four of them.
fn fill(dovecot: &Dovecot, user: &str) {
    let mut client = Client::login(dovecot.imap_port(), user, PASSWORD);
    let top: Vec<String> = (1..=25).map(|n| format!("Project {n}")).collect();
    let below = (2..=25).map(|n| format!("Project {n}/Übergabe"));
    for name in top.iter().cloned().chain(below) {
        client.ok(&format!("CREATE {}", mailbox_name(&name)));
    }
    for (mailbox, count) in [("INBOX", 6), ("Project 1", 4), ("Project 7", 3), ("Project 9/Übergabe", 2)] {
        client.append_all(mailbox, generate(count, count as usize, 1_000));
    }
    let _ = client.command("LOGOUT");
}

#[test]
fn a_first_sync_lists_the_newest_fifty_within_three_round_trips_with_login() {
    let first = FirstSync::run("first-login", "LOGIN", BodyPolicy::All);
    first.listed_within(3);
}

#[test]
fn a_first_sync_lists_the_newest_fifty_within_five_round_trips_with_scram() {
    let first = FirstSync::run("first-scram", "SCRAM-SHA-256", BodyPolicy::All);
    first.listed_within(5);
}

#[test]
fn previews_without_bodies_come_within_two_round_trips_more_with_login() {
    let first = FirstSync::run("previews-login", "LOGIN", BodyPolicy::None);
    first.listed_within(3);
    first.previewed_within(5);
}

#[test]
fn previews_without_bodies_come_within_two_round_trips_more_with_scram() {
    let first = FirstSync::run("previews-scram", "SCRAM-SHA-256", BodyPolicy::None);
    first.listed_within(5);
    first.previewed_within(7);
}

/// What a screen that shows INBOX saw of an account's first sync.
struct FirstSync {
    /// When the newest fifty messages were listed with their subjects.
    listed: Option<Cost>,
    /// When they had their previews too.
    previewed: Option<Cost>,
    /// Commands and answers, to tell why.
    transcript: String,
}

impl FirstSync {
    fn run(user: &str, mechanism: &str, bodies: BodyPolicy) -> Self {
        let dovecot = Dovecot::shared();
        dovecot.add_user(user, PASSWORD);
        dovecot.fill(user, "INBOX", generate(11, MESSAGES as usize, 3_000));
        dovecot.fill(user, "Archive", generate(12, 20, 1_000));
        let proxy =
            Proxy::start(dovecot.imap_port(), ProxyOptions { record: true, ..ProxyOptions::default() });
        let engine = Engine::open(MemoryStorage::new(), EngineOptions::new(1)).expect("a new store");
        let mut settings = AccountSettings::imap("Test", "127.0.0.1", user);
        settings.security = Security::Insecure;
        settings.mechanism = Some(mechanism.to_owned());
        settings.bodies = bodies;
        let account = engine.add_account(settings).expect("good settings");
        let options = ConnectionOptions::new([7; 32], false);
        let mut connection = engine.connect(account, options).expect("there is the account");
        connection.sync(SyncScope::account());
        let (mut listed, mut previewed) = (None, None);
        let look = |cost: Cost| {
            let all = engine.mailboxes(account).expect("the store is whole");
            let Some(inbox) = all.iter().find(|m| m.role == Some(Role::Inbox)) else { return };
            let rows =
                engine.messages(inbox.id, None, FIRST_PAGE as usize).expect("the mailbox is there").rows;
            if are_the_newest(&rows) {
                listed.get_or_insert(cost);
                if rows.iter().all(|r| !r.summary.preview.is_empty()) {
                    previewed.get_or_insert(cost);
                }
            }
        };
        let run = host::run(&mut connection, proxy.port(), host::password(user, PASSWORD), look);
        assert_eq!(run.summary.messages_added, u64::from(MESSAGES) + 20, "{run:?}");
        assert!(run.problems.is_empty(), "{run:?}");
        Self { listed, previewed, transcript: shortened(&proxy) }
    }

    fn listed_within(&self, round_trips: u64) {
        let cost = self.listed.unwrap_or_else(|| panic!("never listed:\n{}", self.transcript));
        assert!(cost.round_trips <= round_trips, "listed at {cost:?}:\n{}", self.transcript);
    }

    fn previewed_within(&self, round_trips: u64) {
        let cost = self.previewed.unwrap_or_else(|| panic!("never all previewed:\n{}", self.transcript));
        assert!(cost.round_trips <= round_trips, "previews at {cost:?}:\n{}", self.transcript);
    }
}

const MESSAGES: u32 = 300;
const FIRST_PAGE: u32 = 50;

/// Whether these are the messages with the highest UIDs, newest first, and each has its subject.
fn are_the_newest(rows: &[MessageRow]) -> bool {
    let uids = (MESSAGES - FIRST_PAGE + 1..=MESSAGES).rev();
    rows.iter().map(|r| r.uid).eq(uids) && rows.iter().all(|r| !r.summary.subject.is_empty())
}

/// The client's lines, and how much the server answered.
fn shortened(proxy: &Proxy) -> String {
    let turn = |t: mailkeep_tests::proxy::Turn| match t.side {
        Side::Client => {
            let text = String::from_utf8_lossy(&t.bytes).into_owned();
            text.lines().map(|l| format!("C: {}\n", l.chars().take(200).collect::<String>())).collect()
        }
        Side::Server => format!("S: {} bytes\n", t.bytes.len()),
    };
    proxy.transcript().into_iter().map(turn).collect()
}

#[test]
fn a_thousand_flags_and_a_thousand_moves_cost_six_round_trips_after_login() {
    let dovecot = Dovecot::shared();
    dovecot.add_user("bulk", PASSWORD);
    dovecot.fill("bulk", "INBOX", generate(14, 2 * BULK, 300));
    let archive = dovecot.fill("bulk", "Archive", generate(15, 5, 300));
    let proxy = Proxy::start(dovecot.imap_port(), ProxyOptions { record: true, ..ProxyOptions::default() });
    let engine = Engine::open(MemoryStorage::new(), EngineOptions::new(1)).expect("a new store");
    let mut settings = AccountSettings::imap("Test", "127.0.0.1", "bulk");
    settings.security = Security::Insecure;
    settings.mechanism = Some("LOGIN".to_owned());
    let account = engine.add_account(settings).expect("good settings");
    let sync = || {
        let options = ConnectionOptions::new([7; 32], false);
        let mut connection = engine.connect(account, options).expect("there is the account");
        connection.sync(SyncScope::account());
        host::run(&mut connection, proxy.port(), host::password("bulk", PASSWORD), |_| {})
    };
    sync();
    let all = engine.mailboxes(account).expect("the store is whole");
    let named = |name: &str| all.iter().find(|m| m.name == name).expect("it was synced").id;
    let rows = engine.messages(named("INBOX"), None, 2 * BULK).expect("the mailbox is there").rows;
    // Every other one, so that no range of UIDs makes it cheap.
    let (flagged, moved): (Vec<_>, Vec<_>) =
        rows.iter().map(|r| (r.uid, r.id)).partition(|(uid, _)| uid % 2 == 0);
    let ids = |some: &[(u32, mailkeep::MessageId)]| some.iter().map(|(_, id)| *id).collect::<Vec<_>>();
    let (now, change) = (Now::new(0, 1_800_000_000_000), FlagChange::default().set("\\Flagged").set("todo"));
    assert_eq!(engine.set_flags(now, &ids(&flagged), &change).expect("flagged"), BULK as u64);
    assert_eq!(engine.move_messages(now, &ids(&moved), named("Archive")).expect("moved"), BULK as u64);
    proxy.reset();
    let run = sync();
    proxy.await_quiet();
    let turns = proxy.transcript();
    let end = turns.iter().position(|t| t.side == Side::Client && ends_with(&t.bytes, b" LOGOUT\r\n"));
    let end = end.unwrap_or_else(|| panic!("no LOGOUT:\n{}", shortened(&proxy)));
    // The greeting is waited for before the login.
    let waits = turns[..end].iter().filter(|t| t.side == Side::Server).count() - 1;
    let told = format!(
        "{waits} round trips after the greeting on the wire, {} commands, {} commits, {} bytes up",
        run.summary.commands, run.commits, run.cost.bytes_up
    );
    eprintln!("1,000 flagged and 1,000 moved: {told}");
    assert!(waits <= 6, "{told}\n{}", shortened(&proxy));
    assert_eq!(run.summary.operations_replayed, 2 * BULK as u64, "{run:?}");
    assert!(engine.pending(None).expect("the journal").is_empty());
    let dump = Dump::read(dovecot.imap_port(), "bulk", PASSWORD);
    let inbox = &dump.mailboxes["INBOX"].messages;
    let marked = inbox.values().filter(|m| m.flags.contains("\\flagged") && m.flags.contains("todo"));
    assert_eq!((inbox.len(), marked.count()), (BULK, BULK));
    assert_eq!(dump.mailboxes["Archive"].messages.len(), BULK + archive);
}

const BULK: usize = 1_000;

#[test]
fn an_unchanged_large_mailbox_costs_next_to_nothing() {
    let dovecot = Dovecot::shared();
    dovecot.add_user("large", PASSWORD);
    let held = dovecot.fill("large", "INBOX", generate(13, LARGE, 200));
    let scratch = Scratch::new("program");
    let program = Program::new(&scratch.path().join("mail.redb"), PASSWORD);
    let proxy = Proxy::start(dovecot.imap_port(), ProxyOptions::default());
    program.add_imap("test", proxy.port(), "large");
    let sync = || -> Summary { program.ok(&["sync", "--bodies", "none", "--json"]).last_line() };
    let first = sync();
    assert_eq!(first.messages_added, held as u64, "{first:?}");
    proxy.reset();
    let second = sync();
    proxy.await_quiet();
    let wire = proxy.stats();
    let changes = (second.messages_added, second.messages_removed, second.flags_changed);
    assert_eq!(changes, (0, 0, 0), "nothing changed: {second:?}");
    assert_eq!(second.round_trips, 2, "{second:?}, {wire:?}");
    assert!(wire.bytes_up + wire.bytes_down < 4 << 10, "{second:?}, {wire:?}");
}

const LARGE: usize = 100_000;
