//! Watching a mailbox of Dovecot: new mail is here and told of at once, and none is missed while connections break.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use mailkeep_tests::compare::{Dump, assert_same};
use mailkeep_tests::corpus::FIRST_DATE;
use mailkeep_tests::dovecot::Dovecot;
use mailkeep_tests::imap::{Client, Mail};
use mailkeep_tests::program::Program;
use mailkeep_tests::proxy::{Cut, Proxy, ProxyOptions, Side};
use mailkeep_tests::server::{MailServer as _, Scratch};
use serde_json::Value;

const PASSWORD: &str = "secret";
/// Longer than anything here should take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `sync --watch --json`, and what it says.
struct Watch {
    child: Child,
    lines: Receiver<Value>,
}

impl Watch {
    fn start(program: &Program, more: &[&str]) -> Self {
        let mut child = program.start(&[&["sync", "--watch", "--json"], more].concat());
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        let (to, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e} in {line}"));
                let _ = to.send(value);
            }
        });
        Self { child, lines }
    }

    /// The next line of this kind; those before it are dropped.
    fn await_event(&self, kind: &str) -> Value {
        self.next_event(kind).unwrap_or_else(|| panic!("no {kind} in {PATIENCE:?}"))
    }

    /// The same; `None` where there is none in a long time.
    fn next_event(&self, kind: &str) -> Option<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).ok()?;
            if line["event"] == kind {
                return Some(line);
            }
        }
    }

    /// How the program ended, where it did, and what it complained of.
    fn end(mut self) -> String {
        let status = self.child.try_wait().expect("own child");
        let _ = self.child.kill();
        let mut complaint = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut complaint);
        }
        format!("the program ended with {status:?} and said {complaint:?}")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// A user, an account and a proxy before it.
fn account(user: &str, latency: Duration) -> (std::sync::Arc<Dovecot>, Proxy, Program, Scratch) {
    let dovecot = Dovecot::shared();
    dovecot.add_user(user, PASSWORD);
    let scratch = Scratch::new("watch");
    let program = Program::new(&scratch.path().join("mail.redb"), PASSWORD);
    let proxy =
        Proxy::start(dovecot.imap_port(), ProxyOptions { record: true, latency, ..ProxyOptions::default() });
    program.add_imap("test", proxy.port(), user);
    (dovecot, proxy, program, scratch)
}

fn mail(number: usize) -> Mail {
    let text = format!(
        "From: anna@watch.example\r\nSubject: w{number:04}\r\nMessage-ID: <w{number:04}@watch.example>\r\n\r\nNumber {number}.\r\n"
    );
    Mail { bytes: text.into_bytes(), internal_date: FIRST_DATE + number as i64, flags: Vec::new() }
}

#[test]
fn new_mail_is_here_and_told_of_within_one_round_trip() {
    let (dovecot, proxy, program, _scratch) = account("watch-one", LATENCY);
    let mut client = Client::login(dovecot.imap_port(), "watch-one", PASSWORD);
    assert!(client.append("INBOX", &mail(0)));
    let watch = Watch::start(&program, &[]);
    watch.await_event("watching");
    for number in 1..=5 {
        await_idle(&proxy);
        proxy.reset();
        let begun = Instant::now();
        assert!(client.append("INBOX", &mail(number)));
        let event = watch.await_event("new_mail");
        let took = begun.elapsed();
        assert_eq!(event["message"]["subject"], format!("w{number:04}"));
        let said = proxy.transcript_text();
        let told = said.lines().position(|line| line.contains("EXISTS")).expect("the server tells");
        let lines: Vec<&str> = said.lines().skip(told).take_while(|l| !l.contains("Subject:")).collect();
        let waits = lines.windows(2).filter(|two| two[0].contains("C: ") && two[1].contains("S: ")).count();
        assert_eq!(waits, 1, "round trips until the message came:\n{said}");
        // What the server tells by itself is under way for one latency, its answer for another; a third would make it three.
        assert!(took < 3 * LATENCY, "told of after {took:?}:\n{said}");
    }
}

/// What the proxy holds each of the server's turns back.
const LATENCY: Duration = Duration::from_millis(400);

#[test]
fn none_of_a_thousand_deliveries_is_missed() {
    let (dovecot, proxy, program, _scratch) = account("watch-all", Duration::ZERO);
    program.sync(&[]);
    let watch = Watch::start(&program, &["--reissue", "0.03"]);
    watch.await_event("watching");
    let done = AtomicBool::new(false);
    let (cuts, reissues) = thread::scope(|scope| {
        let meddler = scope.spawn(|| meddle(&proxy, &done));
        let mut client = Client::login(dovecot.imap_port(), "watch-all", PASSWORD);
        for number in 1..=DELIVERIES {
            assert!(client.append("INBOX", &mail(number)));
            // In bursts and with pauses, so that every state is met.
            thread::sleep(Duration::from_millis([0, 0, 2, 10, 40, 90][number * 7 % 6]));
        }
        done.store(true, Ordering::SeqCst);
        meddler.join().unwrap_or_else(|e| std::panic::resume_unwind(e))
    });
    let mut told: BTreeMap<String, u32> = BTreeMap::new();
    while told.len() < DELIVERIES {
        let Some(event) = watch.next_event("new_mail") else {
            let said = proxy.transcript_text();
            let lines: Vec<&str> = said.lines().collect();
            panic!(
                "{} of {DELIVERIES} were told of; {}:\n{}",
                told.len(),
                watch.end(),
                lines[lines.len().saturating_sub(60)..].join("\n")
            );
        };
        *told.entry(event["message"]["subject"].to_string()).or_default() += 1;
    }
    drop(watch);
    eprintln!("{DELIVERIES} deliveries, {cuts} reconnects, {reissues} IDLE commands; each was told of");
    assert!(told.values().all(|times| *times == 1), "told of more than once: {told:?}");
    assert!(cuts >= 10 && reissues >= 100, "{cuts} reconnects, {reissues} IDLE commands are too few");
    let subjects: Vec<Value> = program.list("INBOX").into_iter().map(|row| row.subject).collect();
    assert_eq!(subjects.len(), DELIVERIES);
    program.sync(&[]);
    assert_same(&Dump::read(dovecot.imap_port(), "watch-all", PASSWORD), &program, "after the watch");
}

const DELIVERIES: usize = 1_000;

/// Cuts the connection now and then, sometimes in the middle of an answer; returns how often, and how many IDLEs it saw.
fn meddle(proxy: &Proxy, done: &AtomicBool) -> (u64, usize) {
    let before = proxy.stats().connections;
    for round in 0_u64.. {
        if done.load(Ordering::SeqCst) {
            break;
        }
        thread::sleep(Duration::from_millis(1_300 + 170 * (round % 5)));
        match round % 3 {
            0 => proxy.cut_now(),
            _ => proxy.cut(Cut::Once(40 + 97 * (round % 11))),
        }
    }
    proxy.cut(Cut::Never);
    let said: Vec<u8> =
        proxy.transcript().into_iter().filter(|t| t.side == Side::Client).flat_map(|t| t.bytes).collect();
    let idles = String::from_utf8_lossy(&said).lines().filter(|line| line.ends_with(" IDLE")).count();
    (proxy.stats().connections - before, idles)
}

/// Waits until the client idles: what the server says from then on it says by itself.
fn await_idle(proxy: &Proxy) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let turns = proxy.transcript();
        let idles =
            turns.iter().rev().take(2).any(|t| t.side == Side::Client && t.bytes.ends_with(b" IDLE\r\n"));
        if idles && turns.last().is_some_and(|t| t.side == Side::Server && t.bytes.starts_with(b"+ ")) {
            return;
        }
        assert!(Instant::now() < deadline, "it does not idle:\n{}", proxy.transcript_text());
        thread::sleep(Duration::from_millis(2));
    }
}
