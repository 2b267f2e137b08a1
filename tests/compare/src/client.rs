//! The clients measured, each run into a fresh place.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mailkeep_tests::program::{Outcome, Summary};
use mailkeep_tests::server::{run, tree};

use crate::account::Account;
use crate::drain;
use crate::measure::{Cost, measure};

const PASSWORD: &str = "MAILKEEP_COMPARE_PASSWORD";

/// A folder for one run, gone when it is dropped.
#[derive(Debug)]
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// Makes `name` in a folder, empty.
    pub fn new(within: &Path, name: &str) -> Self {
        let folder = within.join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).expect("own folder");
        Self { folder }
    }

    /// The database, or the file drained into.
    pub fn file(&self) -> PathBuf {
        self.folder.join("mail")
    }

    /// Octets of that file.
    pub fn file_octets(&self) -> u64 {
        fs::metadata(self.file()).expect("it was made").len()
    }

    /// Where the figures of a run are written.
    pub fn report(&self) -> PathBuf {
        self.folder.join("report")
    }

    fn maildir(&self) -> PathBuf {
        self.folder.join("near/INBOX")
    }

    /// Octets that the Maildir takes of the disk, in whole blocks.
    pub fn maildir_octets(&self) -> u64 {
        fn blocks(folder: &Path) -> u64 {
            let entries = fs::read_dir(folder).expect("own folder").flatten();
            let of = |entry: fs::DirEntry| {
                let metadata = entry.metadata().expect("it is there");
                metadata.blocks() + if metadata.is_dir() { blocks(&entry.path()) } else { 0 }
            };
            entries.map(of).sum()
        }
        blocks(&self.folder.join("near")) * 512
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Drains an account, and checks that all of it came.
pub fn drain(account: &Account, place: &Place, compress: bool) -> Cost {
    let this = std::env::current_exe().expect("a process knows its own file");
    let Account { port, user, password, .. } = account;
    let arguments = drain::arguments(*port, user, password, &place.file(), compress);
    let cost = measure(&this, &arguments, &[], &place.report());
    assert!(place.file_octets() > account.octets, "the drain lost mail");
    cost
}

/// The `mailkeep` program, built for release.
#[derive(Debug, Clone)]
pub struct Mailkeep {
    binary: PathBuf,
}

impl Mailkeep {
    /// The one that `MAILKEEP_BIN` names, else this tree's, built if it is not.
    pub fn built() -> Self {
        if let Some(named) = std::env::var_os("MAILKEEP_BIN") {
            let binary = PathBuf::from(named);
            assert!(binary.is_file(), "MAILKEEP_BIN names no file: {}", binary.display());
            return Self { binary };
        }
        let target = tree().join("target");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo.args(["build", "--release", "--quiet", "--bin", "mailkeep", "--target-dir"]).arg(&target);
        run(cargo.current_dir(tree()));
        Self { binary: target.join("release/mailkeep") }
    }

    /// Its file.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Makes a database with an account in it that has not been synced.
    pub fn add(&self, account: &Account, place: &Place, compress: bool) {
        let port = account.port.to_string();
        let mut command = self.command(place, account);
        command.args(["account", "add", "measured", "imap", "--host", "127.0.0.1", "--port", &port]);
        command.args(["--user", &account.user, "--password-env", PASSWORD, "--security", "insecure"]);
        command.args(["--auth", "login"]);
        if compress {
            command.arg("--compress");
        }
        run(&mut command);
    }

    /// Makes a database with a POP3 account in it that has not been synced; nothing is deleted from the server.
    pub fn add_pop(&self, account: &Account, place: &Place) {
        let port = account.port.to_string();
        let mut command = self.command(place, account);
        command.args(["account", "add", "measured", "pop3", "--host", "127.0.0.1", "--port", &port]);
        command.args(["--user", &account.user, "--password-env", PASSWORD, "--security", "insecure"]);
        run(command.args(["--auth", "user"]));
    }

    /// A sync, whole or of what changed.
    pub fn sync(&self, account: &Account, place: &Place) -> (Cost, Summary) {
        let cost = self.measured(account, place, &["sync", "--bodies", "all", "--json"]);
        let outcome = Outcome { code: Some(0), stdout: cost.stdout.clone(), stderr: String::new() };
        (cost, outcome.last_line())
    }

    /// A first sync into a fresh database, which must bring everything.
    pub fn first_sync(&self, account: &Account, place: &Place, compress: bool) -> Cost {
        self.add(account, place, compress);
        let (cost, summary) = self.sync(account, place);
        assert_eq!(summary.messages_added, account.messages as u64, "the sync lost messages: {summary:?}");
        assert!(place.file_octets() > account.octets / 4, "the database is too small to have the mail");
        cost
    }

    /// Gives unused space back.
    pub fn compact(&self, account: &Account, place: &Place) -> Cost {
        self.measured(account, place, &["compact"])
    }

    /// A command of the program that is not measured.
    pub fn command(&self, place: &Place, account: &Account) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--db").arg(place.file()).env(PASSWORD, &account.password);
        command.stdin(Stdio::null());
        command
    }

    fn measured(&self, account: &Account, place: &Place, words: &[&str]) -> Cost {
        let file = place.file();
        let mut arguments = vec!["--db", file.to_str().expect("UTF-8")];
        arguments.extend(words);
        measure(&self.binary, &arguments, &[(PASSWORD, &account.password)], &place.report())
    }
}

/// How isync's `mbsync` is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mbsync {
    /// Whether it asks for COMPRESS, which is its default where the server has it.
    pub compress: bool,
    /// Whether it syncs each file, which is its default.
    pub fsync: bool,
}

impl Mbsync {
    /// Ends the process unless the program is there; returns its version.
    pub fn version() -> String {
        match Command::new("mbsync").arg("--version").output() {
            Ok(output) => String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or("?").to_owned(),
            Err(_) => {
                eprintln!("mbsync is missing: install isync (Debian: apt-get install isync)");
                std::process::exit(2);
            }
        }
    }

    /// A first sync into a fresh Maildir, which must bring everything.
    pub fn first_sync(self, account: &Account, place: &Place) -> Cost {
        let near = place.folder.join("near");
        fs::create_dir(&near).expect("own folder");
        fs::write(self.configuration(place), self.settings(account, &near)).expect("own folder");
        let cost = self.sync(place);
        let count = |name| fs::read_dir(place.maildir().join(name)).expect("it was made").count();
        assert_eq!(count("cur") + count("new"), account.messages, "mbsync lost messages");
        cost
    }

    /// A sync of what changed.
    pub fn sync(self, place: &Place) -> Cost {
        let file = self.configuration(place);
        let arguments = ["-q", "-c", file.to_str().expect("UTF-8"), "channel"];
        measure(Path::new("mbsync"), &arguments, &[], &place.report())
    }

    fn configuration(self, place: &Place) -> PathBuf {
        place.folder.join("mbsyncrc")
    }

    fn settings(self, account: &Account, near: &Path) -> String {
        let Account { port, user, password, .. } = account;
        let near = near.display();
        let extension = if self.compress { "" } else { "DisableExtension COMPRESS=DEFLATE\n" };
        let fsync = if self.fsync { "yes" } else { "no" };
        format!(
            "FSync {fsync}\n\nIMAPStore far\nHost 127.0.0.1\nPort {port}\nUser {user}\nPass {password}\nSSLType None\n\
             AuthMechs LOGIN\n{extension}\nMaildirStore near\nPath {near}/\nInbox {near}/INBOX\n\n\
             Channel channel\nFar :far:INBOX\nNear :near:INBOX\nCreate Near\nSync Pull\nSyncState *\n"
        )
    }
}
