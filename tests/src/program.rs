//! Runs the `mailkeep` program.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The program with one database.
#[derive(Debug, Clone)]
pub struct Program {
    binary: PathBuf,
    database: PathBuf,
    password: String,
    /// A run that takes longer is killed and fails.
    pub time_limit: Duration,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

/// The object that `sync --json` ends with.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "the design names them")]
pub struct Summary {
    pub messages_added: u64,
    pub messages_removed: u64,
    pub flags_changed: u64,
    pub bytes_received: u64,
    pub bytes_sent: u64,
    pub round_trips: u64,
    pub commands: u64,
    pub operations_replayed: u64,
    pub operations_set_aside: u64,
    pub seconds: f64,
}

/// One line of `list --json`.
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "the design names them")]
pub struct Row {
    pub id: Value,
    pub mailbox: Value,
    pub uid: Option<u64>,
    pub flags: Vec<String>,
    pub size: u64,
    pub internal_date: Value,
    pub from: Value,
    pub subject: Value,
    pub message_id: Value,
    pub sha256: Option<String>,
}

impl Program {
    /// The program with a database at `database`, which need not exist; `password` is what its accounts log
    /// in with.
    pub fn new(database: &Path, password: &str) -> Self {
        Self::at(&binary(), database, password)
    }

    /// The same, with the program in a file of one's own choice.
    pub fn at(binary: &Path, database: &Path, password: &str) -> Self {
        Self {
            binary: binary.to_owned(),
            database: database.to_owned(),
            password: password.to_owned(),
            time_limit: Duration::from_secs(120),
        }
    }

    /// The program's file.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Adds an IMAP account on 127.0.0.1 without TLS.
    pub fn add_imap(&self, name: &str, port: u16, user: &str) {
        self.add_account(name, "imap", port, user, &["--security", "insecure", "--auth", "login"]);
    }

    /// Adds a POP3 account on 127.0.0.1 without TLS; `keep` as the command line has it.
    pub fn add_pop3(&self, name: &str, port: u16, user: &str, keep: &str) {
        self.add_account(name, "pop3", port, user, &["--security", "insecure", "--keep", keep]);
    }

    /// Adds an account on localhost with further options.
    pub fn add_account(&self, name: &str, protocol: &str, port: u16, user: &str, options: &[&str]) {
        let port = port.to_string();
        let host =
            if options.contains(&"tls") || options.contains(&"starttls") { "localhost" } else { "127.0.0.1" };
        let mut arguments =
            vec!["account", "add", name, protocol, "--host", host, "--port", &port, "--user", user];
        arguments.extend(["--password-env", PASSWORD]);
        arguments.extend(options);
        self.ok(&arguments);
    }

    /// `sync --bodies all` with further arguments; panics unless it succeeds.
    pub fn sync(&self, arguments: &[&str]) -> Summary {
        let outcome = self.try_sync(arguments);
        assert_eq!(outcome.code, Some(0), "sync {arguments:?}: {outcome:?}");
        outcome.last_line()
    }

    /// The same, whatever the end.
    pub fn try_sync(&self, arguments: &[&str]) -> Outcome {
        self.run(&[&["sync", "--bodies", "all", "--json"], arguments].concat())
    }

    /// Every message of a mailbox.
    pub fn list(&self, mailbox: &str) -> Vec<Row> {
        self.ok(&["list", mailbox, "--limit", "1000000", "--json"]).lines()
    }

    /// The names of all mailboxes.
    pub fn mailboxes(&self) -> Vec<String> {
        let rows: Vec<Value> = self.ok(&["mailboxes", "--json"]).lines();
        let name = |row: &Value| {
            row.get("name").or_else(|| row.get("mailbox")).and_then(Value::as_str).map(str::to_owned)
        };
        rows.iter()
            .map(|r| name(r).unwrap_or_else(|| panic!("mailboxes --json has a line without name: {r}")))
            .collect()
    }

    /// A message's exact bytes.
    pub fn raw(&self, id: &str) -> Vec<u8> {
        self.ok(&["show", id, "--raw"]).stdout
    }

    /// Panics unless the store is whole.
    pub fn verify(&self) {
        self.ok(&["verify"]);
    }

    /// Runs a command that must succeed.
    pub fn ok(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, Some(0), "mailkeep {arguments:?}: {outcome:?}");
        outcome
    }

    /// Starts a command, whose output is piped.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(&self.binary);
        command.arg("--db").arg(&self.database).args(arguments).env(PASSWORD, &self.password);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap_or_else(|e| panic!("cannot run {}: {e}", self.binary.display()))
    }

    /// Runs a command.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let mut child = self.start(arguments);
        let stdout = drain(child.stdout.take().expect("it is piped"));
        let stderr = drain(child.stderr.take().expect("it is piped"));
        let deadline = Instant::now() + self.time_limit;
        let status = loop {
            if let Some(status) = child.try_wait().expect("own child") {
                break status;
            }
            if Instant::now() > deadline {
                let _ = (child.kill(), child.wait());
                let stderr = stderr.join().expect("a reader does not panic");
                let stderr = String::from_utf8_lossy(&stderr);
                panic!("mailkeep {arguments:?} took longer than {:?}:\n{stderr}", self.time_limit);
            }
            thread::sleep(Duration::from_millis(2));
        };
        let stderr = stderr.join().expect("a reader does not panic");
        Outcome {
            code: status.code(),
            stdout: stdout.join().expect("a reader does not panic"),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }
}

impl Outcome {
    /// Each line of standard output as JSON.
    pub fn lines<T: DeserializeOwned>(&self) -> Vec<T> {
        self.text().lines().filter(|l| !l.trim().is_empty()).map(parsed).collect()
    }

    /// The last line of standard output as JSON.
    pub fn last_line<T: DeserializeOwned>(&self) -> T {
        let text = self.text();
        parsed(
            text.lines()
                .rfind(|l| !l.trim().is_empty())
                .unwrap_or_else(|| panic!("nothing was printed: {self:?}")),
        )
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap_or_else(|e| panic!("the output is not UTF-8: {e}"))
    }
}

/// The environment variable by which the program is told the password.
pub(crate) const PASSWORD: &str = "MAILKEEP_TEST_PASSWORD";

fn parsed<T: DeserializeOwned>(line: &str) -> T {
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}"))
}

fn drain(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

/// `MAILKEEP_BIN`, else the binary beside the running test's own folder.
fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("MAILKEEP_BIN") {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "MAILKEEP_BIN names no file: {}", named.display());
        return named;
    }
    let test = std::env::current_exe().expect("a test knows its own file");
    let found = test.ancestors().skip(2).map(|folder| folder.join("mailkeep")).find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("the mailkeep program is not built: run `cargo build --bin mailkeep` first, as tests/run does")
    })
}
