//! A folder to work in, the program, and a server that knows just enough IMAP.

#![allow(dead_code, reason = "each test file uses a part")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// A folder that goes when the test does.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("mailkeep-cli-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("a folder for the test");
        Place(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The program, about to run with the password in `PW`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailkeep"));
        command.args(arguments).env("MAILKEEP_DB", self.file("mail.db")).env("PW", "secret");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().expect("the program runs"))
    }

    /// Adds an account on loopback.
    pub(crate) fn add(&self, port: u16, more: &[&str]) {
        self.add_at("localhost", port, more);
    }

    pub(crate) fn add_at(&self, host: &str, port: u16, more: &[&str]) {
        let port = port.to_string();
        let mut arguments = vec!["account", "add", "demo", "imap", "--host", host, "--user", "ann"];
        arguments.extend(["--port", &port, "--password-env", "PW"]);
        arguments.extend(more);
        self.run(&arguments).ok();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let err = String::from_utf8(output.stderr).expect("UTF-8");
        Ran { code: output.status.code(), out: output.stdout, err }
    }
}

impl Ran {
    /// It went well and complained of nothing.
    #[track_caller]
    pub(crate) fn ok(self) -> Ran {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""));
        self
    }

    /// It failed with this code, and one line that says all of this.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.err);
        assert!(self.err.starts_with("mailkeep: ") && self.err.lines().count() == 1, "{:?}", self.err);
        for words in says {
            assert!(self.err.contains(words), "no {words:?} in {:?}", self.err);
        }
        assert!(!self.err.contains("secret"), "a password in {:?}", self.err);
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.out.clone()).expect("UTF-8")
    }

    /// The JSON objects that it printed.
    pub(crate) fn objects(&self) -> Vec<serde_json::Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }
}

/// Serves each connection with `serve`, on a port of its own.
pub(crate) fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let serve = std::sync::Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Serves one INBOX with these messages, UIDs from 1 on, to ann with the password `secret`.
pub(crate) fn imap(stream: impl Read + Write, messages: &[&str]) {
    let mut stream = BufReader::new(stream);
    reply(&mut stream, "* OK ready\r\n");
    let mut line = String::new();
    while stream.read_line(&mut line).is_ok_and(|n| n > 0) {
        let mut words = line.trim_end().splitn(3, ' ');
        let (tag, mut name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut rest = words.next().unwrap_or_default();
        if name == "UID" {
            (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        }
        let count = messages.len();
        let mut outcome = "OK done";
        let data = match name {
            "CAPABILITY" => "* CAPABILITY IMAP4rev1 IDLE\r\n".to_owned(),
            "LOGIN" if rest != "\"ann\" \"secret\"" && rest != "ann secret" => {
                outcome = "NO [AUTHENTICATIONFAILED] \u{1b}[31mWrong password";
                String::new()
            }
            "LIST" => "* LIST () \"/\" INBOX\r\n".into(),
            "LSUB" => "* LSUB () \"/\" INBOX\r\n".into(),
            "STATUS" => {
                format!(
                    "* STATUS INBOX (MESSAGES {count} UIDNEXT {} UIDVALIDITY 7 UNSEEN {count})\r\n",
                    count + 1
                )
            }
            "SELECT" | "EXAMINE" => format!(
                "* {count} EXISTS\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 7] v\r\n* OK [UIDNEXT {}] n\r\n",
                count + 1
            ),
            "FETCH" => fetch(rest, messages),
            "LOGOUT" => return,
            _ => String::new(),
        };
        reply(&mut stream, &format!("{data}{tag} {outcome}\r\n"));
        line.clear();
    }
}

fn reply(stream: &mut BufReader<impl Read + Write>, text: &str) {
    // The client may have gone.
    let _ = stream.get_mut().write_all(text.as_bytes()).and_then(|()| stream.get_mut().flush());
}

fn fetch(rest: &str, messages: &[&str]) -> String {
    let (set, items) = rest.split_once(' ').unwrap_or((rest, ""));
    let wanted = |n: usize| {
        set.split(',').any(|range| {
            let (low, high) = range.split_once(':').unwrap_or((range, range));
            let number = |text: &str| text.parse().unwrap_or(messages.len());
            let (low, high) = (number(low), number(high));
            (low.min(high)..=low.max(high)).contains(&n)
        })
    };
    let mut out = String::new();
    for (index, message) in messages.iter().enumerate().filter(|(index, _)| wanted(index + 1)) {
        let n = index + 1;
        let (header, body) = message.split_once("\r\n\r\n").expect("a header");
        out += &format!("* {n} FETCH (UID {n} FLAGS ()");
        if items.contains("RFC822.SIZE") {
            out += &format!(" RFC822.SIZE {} INTERNALDATE \"29-Feb-2024 12:00:0{n} +0000\"", message.len());
        }
        if items.contains("BODYSTRUCTURE") {
            out += &format!(" BODYSTRUCTURE (\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" {} 1)", body.len());
        }
        if let Some(at) = items.find("HEADER.FIELDS") {
            let end = items[at..].find(')').expect("the fields' end");
            let fields = &items[at..=at + end];
            out += &format!(" BODY[{fields}] {{{}}}\r\n{header}\r\n\r\n", header.len() + 4);
        }
        if items.contains("BODY.PEEK[1]") {
            out += &format!(" BODY[1]<0> {{{}}}\r\n{body}", body.len());
        }
        if items.contains("BODY.PEEK[]") {
            out += &format!(" BODY[] {{{}}}\r\n{message}", message.len());
        }
        out += ")\r\n";
    }
    out
}
