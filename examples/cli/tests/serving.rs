//! `mailkeep serve`: its accounts as other programs find them, this one among them; and `mailkeep demo`.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use common::Place;

/// A server that ends with the test.
struct Serving {
    child: Child,
    imap: String,
    pop3: String,
}

impl Serving {
    fn start(place: &Place) -> Serving {
        let arguments = ["serve", "--imap", "127.0.0.1:0", "--pop3", "127.0.0.1:0", "--json"];
        let mut child = place.command(&arguments).stdout(Stdio::piped()).spawn().expect("the program runs");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut address = |name: &str| {
            let line = lines.next().expect("it says where it serves").expect("UTF-8");
            let said: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!(said["serves"], name);
            said["address"].as_str().expect("an address").to_owned()
        };
        let (imap, pop3) = (address("imap"), address("pop3"));
        Serving { child, imap, pop3 }
    }

    fn imap_port(&self) -> u16 {
        self.imap.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that says lines and reads until it hears what it waits for.
struct Client(TcpStream, Vec<u8>);

impl Client {
    fn new(address: &str) -> Client {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        Client(stream, Vec::new())
    }

    fn hear(&mut self, what: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&self.1).into_owned();
            if let Some(at) = text.find(what).and_then(|at| text[at..].find("\r\n").map(|end| at + end + 2)) {
                self.1.drain(..at);
                return text[..at].to_owned();
            }
            let n = self.0.read(&mut buffer).unwrap_or_else(|error| panic!("{what}: {error}; heard {text}"));
            assert!(n > 0, "the server has gone; heard {text}");
            self.1.extend_from_slice(&buffer[..n]);
        }
    }

    fn say(&mut self, line: &str, what: &str) -> String {
        self.0.write_all(format!("{line}\r\n").as_bytes()).expect("it listens");
        self.hear(what)
    }
}

/// A place with an account of this machine's own and two letters in it.
fn desk() -> Place {
    let place = Place::new();
    place.run(&["account", "add", "desk", "local"]).ok();
    place.run(&["account", "password", "desk", "--password-env", "PW"]).ok();
    for n in 1..=2 {
        put(&place, n);
    }
    place
}

fn put(place: &Place, n: u32) {
    let file = place.file(&format!("{n}.eml"));
    let letter = format!(
        "From: Ann <ann@example.org>\r\nSubject: letter {n}\r\nMessage-ID: <{n}@example.org>\r\n\r\nText {n}.\r\n"
    );
    std::fs::write(&file, letter).expect("it can be written");
    place.run(&["append", "INBOX", file.to_str().expect("UTF-8")]).code.expect("it ran");
}

#[test]
fn another_store_is_brought_into_step_with_what_is_served() {
    let place = desk();
    let serving = Serving::start(&place);
    let other = Place::new();
    let port = serving.imap_port().to_string();
    other
        .run(&[
            "account",
            "add",
            "far",
            "imap",
            "--host",
            "127.0.0.1",
            "--port",
            &port,
            "--user",
            "desk",
            "--password-env",
            "PW",
            "--security",
            "insecure",
        ])
        .ok();
    other.run(&["sync"]).ok();
    let rows = other.run(&["list", "INBOX", "--json"]).ok().objects();
    let subjects: Vec<_> = rows.iter().map(|row| row["subject"].as_str().unwrap_or_default()).collect();
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    let id = rows[0]["id"].to_string();
    other.run(&["mailbox", "create", "Kept"]).ok();
    other.run(&["move", &id, "Kept"]).ok();
    other.run(&["sync"]).ok();
    drop(serving);
    let kept = place.run(&["list", "Kept", "--json"]).ok().objects();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["subject"], rows[0]["subject"]);
    let raw = |at: &Place, id: &serde_json::Value| at.run(&["show", &id.to_string(), "--raw"]).ok().out;
    assert_eq!(raw(&place, &kept[0]["id"]), raw(&other, &rows[0]["id"]));
    assert_eq!(place.run(&["verify"]).ok().code, Some(0));
}

#[test]
fn uids_stay_when_the_server_starts_again() {
    let place = desk();
    let select = |place: &Place| {
        let serving = Serving::start(place);
        let mut client = Client::new(&serving.imap);
        client.say("a LOGIN desk secret", "a OK");
        let told = client.say("b SELECT INBOX", "b OK");
        let uids = client.say("c UID SEARCH ALL", "c OK");
        let validity = told.lines().find(|line| line.contains("UIDVALIDITY")).map(str::to_owned);
        (validity.expect("it is told"), uids)
    };
    let first = select(&place);
    assert!(first.1.contains("* SEARCH 1 2"), "{first:?}");
    assert_eq!(select(&place), first);
}

#[test]
fn a_client_that_idles_is_told_of_mail_that_another_puts_there() {
    let place = desk();
    let serving = Serving::start(&place);
    let mut idle = Client::new(&serving.imap);
    idle.say("a LOGIN desk secret", "a OK");
    idle.say("b SELECT INBOX", "b OK");
    idle.say("c IDLE", "+ ");
    let mut other = Client::new(&serving.imap);
    other.say("a LOGIN desk secret", "a OK");
    other.say("b APPEND INBOX {11+}\r\nSubject: x\r\n", "b OK");
    let told = idle.hear("EXISTS");
    assert!(told.contains("* 3 EXISTS"), "{told}");
}

#[test]
fn an_account_with_a_limit_takes_no_more_than_that() {
    let place = desk();
    let set = place.run(&["account", "limit", "desk", "--messages", "3", "--json"]).ok().objects();
    assert_eq!((&set[0]["messages"], &set[0]["octets"]), (&3.into(), &serde_json::Value::Null));
    let serving = Serving::start(&place);
    let mut client = Client::new(&serving.imap);
    client.say("a LOGIN desk secret", "a OK");
    let told = client.say("b GETQUOTAROOT INBOX", "b OK");
    assert!(told.contains("* QUOTA \"\" (MESSAGE 2 3)"), "{told}");
    client.say("c APPEND INBOX {11+}\r\nSubject: x\r\n", "c OK");
    client.say("d APPEND INBOX {11+}\r\nSubject: y\r\n", "d NO [OVERQUOTA]");
    drop((client, serving));
    // The limit stays until it is taken away.
    let shown = place.run(&["account", "limit", "desk", "--json"]).ok().objects();
    assert_eq!(shown, set);
    place.run(&["account", "limit", "desk", "--none"]).ok();
    let serving = Serving::start(&place);
    let mut client = Client::new(&serving.imap);
    client.say("a LOGIN desk secret", "a OK");
    client.say("d APPEND INBOX {11+}\r\nSubject: y\r\n", "d OK");
}

#[test]
fn pop3_deletes_what_it_is_asked_to() {
    let place = desk();
    let serving = Serving::start(&place);
    let mut client = Client::new(&serving.pop3);
    client.hear("+OK");
    client.say("USER desk", "+OK");
    client.say("PASS secret", "+OK");
    assert!(client.say("STAT", "+OK").starts_with("+OK 2 "));
    client.say("DELE 1", "+OK");
    client.say("QUIT", "+OK");
    let mut again = Client::new(&serving.pop3);
    again.hear("+OK");
    again.say("USER desk", "+OK");
    again.say("PASS secret", "+OK");
    assert!(again.say("STAT", "+OK").starts_with("+OK 1 "));
}

#[test]
fn who_has_no_password_is_not_let_in() {
    let place = desk();
    let serving = Serving::start(&place);
    for (user, password) in [("desk", "wrong"), ("nobody", "secret")] {
        let mut client = Client::new(&serving.imap);
        let told = client.say(&format!("a LOGIN {user} {password}"), "a NO");
        assert!(told.contains("[AUTHENTICATIONFAILED]"), "{told}");
    }
    drop(serving);
    place.run(&["account", "password", "desk", "--none"]).ok();
    let serving = Serving::start(&place);
    let mut client = Client::new(&serving.imap);
    client.say("a LOGIN desk secret", "a NO");
}

#[test]
fn what_others_can_reach_is_served_with_tls_only() {
    let place = desk();
    let ran = place.run(&["serve", "--imap", "0.0.0.0:0"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("--certificate"), "{}", ran.err);
}

#[test]
fn the_demo_ends_with_both_sides_in_agreement() {
    let place = Place::new();
    let folder = place.file("demo");
    let ran = place.run(&["demo", "--keep", folder.to_str().expect("UTF-8")]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let text = String::from_utf8(ran.out).expect("UTF-8");
    assert!(text.contains("Yes: every mailbox"), "{text}");
    for file in ["server.db", "device.db"] {
        assert!(folder.join(file).is_file(), "{file}");
    }
}
