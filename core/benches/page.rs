//! What a screen and a sync cost the engine itself: pages and messages of a large mailbox, and a first sync
//! from a server that answers at once out of memory. `cargo bench --bench page`; anything else runs small.
#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use mailkeep::sasl::{Credentials, Secret};
use mailkeep::{
    AccountSettings, BodyPolicy, Connection, ConnectionOptions, Engine, EngineOptions, Event, FileStorage,
    MailboxId, MemoryStorage, MessageId, Now, SyncScope,
};

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    let (rows, bodies, reads) = if full { (100_000, 10_000, 10_000) } else { (500, 50, 10) };

    println!("{:<44} {:>12} {:>12}", "first sync, the engine's own time", "µs a message", "MB/s");
    let engine = Engine::open(MemoryStorage::new(), EngineOptions::new(1)).expect("memory opens");
    let server = Server::new(rows, 200);
    synced(&format!("{rows} rows without bodies, in memory"), &engine, &server, BodyPolicy::None);

    let server = Server::new(bodies, 16_000);
    let stored = Engine::open(MemoryStorage::new(), EngineOptions::new(1)).expect("memory opens");
    synced(&format!("{bodies} messages of 16 kB, in memory"), &stored, &server, BodyPolicy::All);
    let file = std::env::temp_dir().join(format!("mailkeep-bench-{}", std::process::id()));
    to_file(&file, &format!("{bodies} messages of 16 kB, to a file"), &server);
    std::fs::remove_file(&file).expect("own file");

    println!("\n{:<44} {:>12}", "reads", "median, µs");
    let inbox = inbox(&engine);
    let ids = ids(&engine, inbox);
    let middle = engine.messages(inbox, None, ids.len() / 2).expect("it reads").next;
    timed("messages(): the newest 50", reads, |_| {
        black_box(engine.messages(inbox, None, 50).expect("it reads"));
    });
    timed("messages(): 50 from the middle", reads, |_| {
        black_box(engine.messages(inbox, middle.as_ref(), 50).expect("it reads"));
    });
    timed("message()", reads, |turn| {
        black_box(engine.message(ids[turn * 7919 % ids.len()]).expect("it reads"));
    });
    let whole = self::ids(&stored, self::inbox(&stored));
    timed("body(): 16 kB", reads, |turn| {
        let body = stored.body(whole[turn * 7919 % whole.len()], 0, u64::MAX).expect("it reads");
        black_box(body.expect("it was synced whole"));
    });
}

fn to_file(file: &std::path::Path, name: &str, server: &Server) {
    let engine = Engine::open(FileStorage::new(file), EngineOptions::new(1)).expect("the disk has room");
    synced(name, &engine, server, BodyPolicy::All);
    engine.close();
}

fn timed(name: &str, times: usize, mut act: impl FnMut(usize)) {
    act(0);
    let one = |turn| {
        let start = Instant::now();
        act(turn);
        start.elapsed().as_secs_f64() * 1e6
    };
    let mut times: Vec<f64> = (1..=times).map(one).collect();
    times.sort_by(f64::total_cmp);
    println!("{name:<44} {:>12.1}", times[times.len() / 2]);
}

fn inbox(engine: &Engine) -> MailboxId {
    let account = engine.accounts().expect("it reads")[0].id;
    engine.mailboxes(account).expect("it reads")[0].id
}

fn ids(engine: &Engine, mailbox: MailboxId) -> Vec<MessageId> {
    let page = engine.messages(mailbox, None, usize::MAX >> 1).expect("it reads");
    page.rows.iter().map(|row| row.id).collect()
}

/// Adds an account, syncs it and prints what the engine took.
fn synced(name: &str, engine: &Engine, server: &Server, bodies: BodyPolicy) {
    let mut settings = AccountSettings::imap("bench", "mail.example.org", "ann");
    settings.bodies = bodies;
    let account = engine.add_account(settings).expect("a new account");
    let mut options = ConnectionOptions::new([7; 32], true);
    options.timeout_ms = u64::MAX / 2;
    let mut connection = engine.connect(account, options).expect("it connects");
    let (time, received) = run(&mut connection, server);
    let inbox = engine.mailbox(inbox(engine)).expect("it is there");
    assert_eq!(inbox.total, server.messages.len() as u64, "the sync is not whole");
    println!(
        "{name:<44} {:>12.1} {:>12.0}",
        time.as_secs_f64() * 1e6 / server.messages.len() as f64,
        received as f64 / time.as_secs_f64() / 1e6
    );
}

/// Runs a sync to its end; returns the time spent in the connection, and the octets that it took.
fn run(connection: &mut Connection, server: &Server) -> (Duration, usize) {
    let start = Instant::now();
    let now = || Now::new(start.elapsed().as_millis() as u64, 1_768_867_200_000);
    let mut to_client = b"* OK [CAPABILITY IMAP4rev1] ready\r\n".to_vec();
    let mut to_server = Vec::new();
    let (mut time, mut received) = (Duration::ZERO, 0);
    let mut timed = |act: &mut dyn FnMut()| {
        let start = Instant::now();
        act();
        time += start.elapsed();
    };
    connection.handle_timeout(now()).expect("nothing is left to drain");
    let password = Secret::new("secret");
    let credentials = Credentials::Password { user: "ann".into(), authzid: None, password };
    connection.provide_credentials(credentials).expect("the connection is secure");
    connection.sync(SyncScope::account());
    loop {
        let mut done = false;
        timed(&mut || {
            while let Some(bytes) = connection.poll_transmit() {
                to_server.extend(bytes);
            }
            while let Some(event) = connection.poll_event() {
                match event {
                    Event::Done { result, .. } => {
                        result.expect("the sync succeeds");
                        done = true;
                    }
                    Event::Closed { error } => panic!("closed: {error:?}"),
                    _ => {}
                }
            }
        });
        if done {
            return (time, received);
        }
        server.answer(&mut to_server, &mut to_client);
        if to_client.is_empty() {
            let now = Now::new(connection.poll_timeout().expect("a server that says nothing is timed"), 0);
            timed(&mut || connection.handle_timeout(now).expect("all was drained"));
            continue;
        }
        let input = std::mem::take(&mut to_client);
        received += input.len();
        for piece in input.chunks(64 << 10) {
            timed(&mut || {
                let progress = connection.handle_input(now(), piece).expect("all was drained");
                assert_eq!(progress.consumed, piece.len(), "there is no work limit");
                // What is to be sent and told has to go before more is taken in.
                while let Some(bytes) = connection.poll_transmit() {
                    to_server.extend(bytes);
                }
            });
            // Events are drained between pieces; the one that ends the sync is the last of all.
            while let Some(event) = connection.poll_event() {
                match event {
                    Event::Done { result, .. } => {
                        result.expect("the sync succeeds");
                        return (time, received);
                    }
                    Event::Closed { error } => panic!("closed: {error:?}"),
                    _ => {}
                }
            }
        }
    }
}

/// A server of IMAP4rev1 without extensions, with one mailbox whose UIDs are the sequence numbers.
struct Server {
    messages: Vec<Message>,
}

struct Message {
    header: String,
    text: String,
}

impl Server {
    fn new(count: usize, octets: usize) -> Server {
        let people = ["Anna Berg", "Chloe Martin", "Lukasz Nowak", "Support", "Newsletter"];
        let words = ["meeting", "invoice", "tomorrow", "please", "report", "attached", "project", "deadline"];
        let message = |number: usize| {
            let (from, word) = (people[number % people.len()], |n: usize| words[(number / 3 + n * n) % 8]);
            let header = format!(
                "Date: Tue, 20 Jan 2026 {:02}:{:02}:{:02} +0000\r\nFrom: {from} <{number}@example.org>\r\nTo: Ann <ann@example.org>\r\n\
                 Subject: {} {} {number}\r\nMessage-ID: <{number}.bench@example.org>\r\n\r\n",
                number / 3600 % 24,
                number / 60 % 60,
                number % 60,
                word(1),
                word(2)
            );
            let mut text = String::with_capacity(octets + 80);
            while text.len() < octets {
                let line: Vec<&str> = (0..9).map(|n| word(n + text.len())).collect();
                text.push_str(&line.join(" "));
                text.push_str("\r\n");
            }
            Message { header, text }
        };
        Server { messages: (1..=count).map(message).collect() }
    }

    /// Answers every whole line.
    fn answer(&self, input: &mut Vec<u8>, output: &mut Vec<u8>) {
        while let Some(end) = input.windows(2).position(|pair| pair == b"\r\n") {
            let line = String::from_utf8(input.drain(..end + 2).collect()).expect("commands are ASCII");
            let (tag, command) = line.trim_end().split_once(' ').expect("a tag");
            self.command(command, output);
            output.extend(format!("{tag} OK done\r\n").bytes());
        }
    }

    fn command(&self, command: &str, output: &mut Vec<u8>) {
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        let count = self.messages.len();
        let said = match verb {
            "CAPABILITY" => "* CAPABILITY IMAP4rev1\r\n".to_owned(),
            "LIST" => "* LIST (\\HasNoChildren) \"/\" INBOX\r\n".to_owned(),
            "LSUB" => "* LSUB () \"/\" INBOX\r\n".to_owned(),
            "EXAMINE" | "SELECT" => format!(
                "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* {count} EXISTS\r\n* 0 RECENT\r\n\
                 * OK [UIDVALIDITY 1] valid\r\n* OK [UIDNEXT {}] predicted\r\n",
                count + 1
            ),
            "FETCH" => return self.fetch(rest, output),
            "UID" => return self.fetch(rest.strip_prefix("FETCH ").expect("only FETCH is known"), output),
            "LOGIN" | "NOOP" | "CLOSE" | "UNSELECT" => String::new(),
            other => panic!("the server does not know {other}"),
        };
        output.extend(said.bytes());
    }

    fn fetch(&self, arguments: &str, output: &mut Vec<u8>) {
        let (set, items) = arguments.split_once(" (").expect("a set and items");
        let items = words(items.strip_suffix(')').expect("the list ends"));
        for range in set.split(',') {
            let (low, high) = range.split_once(':').unwrap_or((range, range));
            let number = |text: &str| text.parse().unwrap_or(self.messages.len());
            for number in number(low)..=number(high).min(self.messages.len()) {
                self.one(number, &items, output);
            }
        }
    }

    fn one(&self, number: usize, items: &[&str], output: &mut Vec<u8>) {
        let Message { header, text } = &self.messages[number - 1];
        output.extend(format!("* {number} FETCH (").bytes());
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                output.push(b' ');
            }
            let said = match *item {
                "UID" => format!("UID {number}"),
                "FLAGS" => "FLAGS (\\Seen)".to_owned(),
                "RFC822.SIZE" => format!("RFC822.SIZE {}", header.len() + text.len()),
                "INTERNALDATE" => format!(
                    "INTERNALDATE \"20-Jan-2026 {:02}:{:02}:{:02} +0000\"",
                    number / 3600 % 24,
                    number / 60 % 60,
                    number % 60
                ),
                "BODYSTRUCTURE" => format!(
                    "BODYSTRUCTURE (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" {} {} NIL NIL NIL NIL)",
                    text.len(),
                    text.len() / 60
                ),
                section => {
                    let label = section.replacen(".PEEK", "", 1);
                    let (label, partial) = label.split_once("]<").unwrap_or((&label, ""));
                    let inside = label.strip_prefix("BODY[").expect("a section").trim_end_matches(']');
                    let whole;
                    let mut said = match inside {
                        "" => {
                            whole = [header.as_str(), text.as_str()].concat();
                            whole.as_str()
                        }
                        "1" | "TEXT" => text,
                        _ if inside.starts_with("HEADER") => header,
                        other => panic!("the server does not know the section {other}"),
                    };
                    let mut origin = String::new();
                    if let Some((from, len)) = partial.trim_end_matches('>').split_once('.') {
                        let from: usize = from.parse().expect("a number");
                        let len: usize = len.parse().expect("a number");
                        said = &said[from.min(said.len())..(from + len).min(said.len())];
                        origin = format!("<{from}>");
                    }
                    format!("BODY[{inside}]{origin} {{{}}}\r\n{said}", said.len())
                }
            };
            output.extend(said.bytes());
        }
        output.extend(b")\r\n");
    }
}

/// The items of a list; what stands in brackets is of one.
fn words(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(|c: char| {
        depth += i32::from(matches!(c, '[' | '(')) - i32::from(matches!(c, ']' | ')'));
        c == ' ' && depth == 0
    })
    .collect()
}
