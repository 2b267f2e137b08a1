//! `mailkeep serve` as a mail server, for real clients to work against.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::compare::Dump;
use crate::imap::{Client, Mail};
use crate::program::{PASSWORD, Program};
use crate::server::{Daemon, Scratch, make_certificate};

/// The user that every [`Served`] has, and its password.
pub const USER: &str = "desk";
/// See [`USER`].
pub const SECRET: &str = "secret";

/// A running `mailkeep serve` with a database of its own, which has one local account. It offers IMAP and POP3 on loopback,
/// both with STARTTLS, and both over TLS from the first byte.
#[derive(Debug)]
pub struct Served {
    daemon: Option<Daemon>,
    program: Program,
    ports: Ports,
    scratch: Scratch,
}

#[derive(Debug, Default)]
struct Ports {
    imap: u16,
    imaps: u16,
    pop3: u16,
    pop3s: u16,
}

/// One line of `serve --json`.
#[derive(Deserialize)]
struct Listens {
    serves: String,
    address: SocketAddr,
}

impl Served {
    /// Makes the database and starts the server.
    pub fn start(label: &str) -> Self {
        let scratch = Scratch::new(label);
        make_certificate(scratch.path());
        let program = Program::new(&scratch.path().join("mail.redb"), SECRET);
        program.ok(&["account", "add", USER, "local"]);
        program.ok(&["account", "password", USER, "--password-env", PASSWORD]);
        let mut served = Self { daemon: None, program, ports: Ports::default(), scratch };
        served.serve();
        served
    }

    fn serve(&mut self) {
        let folder = self.scratch.path();
        let out = folder.join("serve.out");
        let mut command = Command::new(self.program.binary());
        command.arg("--db").arg(folder.join("mail.redb")).args(["serve", "--json"]);
        for protocol in ["--imap", "--imaps", "--pop3", "--pop3s"] {
            command.args([protocol, "127.0.0.1:0"]);
        }
        command.arg("--certificate").arg(folder.join("cert.pem")).arg("--key").arg(folder.join("key.pem"));
        command.stdout(File::create(&out).expect("own folder"));
        command.stderr(File::create(folder.join("serve.log")).expect("own folder"));
        let daemon = Daemon::spawn(command);
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let text = fs::read_to_string(&out).expect("it was made above");
            let lines: Vec<Listens> =
                text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            if lines.len() == 4 {
                let port = |name: &str| {
                    let found = lines.iter().find(|l| l.serves == name);
                    found.unwrap_or_else(|| panic!("{name} is not served: {text}")).address.port()
                };
                self.ports = Ports {
                    imap: port("imap"),
                    imaps: port("imaps"),
                    pop3: port("pop3"),
                    pop3s: port("pop3s"),
                };
                break;
            }
            if let Some(status) = daemon.ended() {
                panic!("mailkeep serve ended ({status}): {}", self.log());
            }
            assert!(
                Instant::now() < deadline,
                "mailkeep serve is not ready after a minute: {text}{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(10));
        }
        self.daemon = Some(daemon);
    }

    /// IMAP, in the clear or with STARTTLS.
    pub fn imap_port(&self) -> u16 {
        self.ports.imap
    }

    /// IMAP over TLS.
    pub fn imaps_port(&self) -> u16 {
        self.ports.imaps
    }

    /// POP3, in the clear or with STLS.
    pub fn pop3_port(&self) -> u16 {
        self.ports.pop3
    }

    /// POP3 over TLS.
    pub fn pop3s_port(&self) -> u16 {
        self.ports.pop3s
    }

    /// The authority that signed the certificate, which is for `localhost`.
    pub fn ca_path(&self) -> PathBuf {
        self.folder().join("ca.pem")
    }

    /// A folder for the client's own files; it goes with the server.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// What the server wrote to its standard error.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("serve.log")).unwrap_or_default()
    }

    /// Appends to a mailbox.
    pub fn fill(&self, mailbox: &str, mails: impl IntoIterator<Item = Mail>) {
        self.client().append_all(mailbox, mails);
    }

    /// A connection of the tests' own client, signed in.
    pub fn client(&self) -> Client {
        Client::login(self.imap_port(), USER, SECRET)
    }

    /// What Python's imaplib sees.
    pub fn dump(&self) -> Dump {
        Dump::read(self.imap_port(), USER, SECRET)
    }

    /// Ends the server, which must have had nothing to complain of, and proves the store whole.
    pub fn finish(mut self) {
        self.stop();
        self.program.verify();
        assert_eq!(self.log(), "", "mailkeep serve complained");
    }

    /// Ends the server and starts it again on the same database, on other ports.
    pub fn restart(&mut self) {
        self.stop();
        self.serve();
    }

    fn stop(&mut self) {
        let daemon = self.daemon.take().expect("it runs from start to finish");
        if let Some(status) = daemon.ended() {
            panic!("mailkeep serve ended by itself ({status}): {}", self.log());
        }
        drop(daemon);
    }
}

/// A client program that is given two minutes.
pub fn bounded(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "120", program]).env("LC_ALL", "C.UTF-8");
    command
}
