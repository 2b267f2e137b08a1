//! POP3 clients other than mailkeep, each with a configuration of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use mailkeep_tests::server::{MAIL_USER, give_to_mail_user};

use crate::account::Account;
use crate::client::Place;
use crate::measure::{Cost, measure};
use crate::pop_drain;

/// Drains a maildrop, and checks that all of it came.
pub fn drain(account: &Account, place: &Place) -> Cost {
    let this = std::env::current_exe().expect("a process knows its own file");
    let Account { port, user, password, .. } = account;
    let arguments = pop_drain::arguments(*port, user, password, &place.file());
    let cost = measure(&this, &arguments, &[], &place.report());
    assert!(place.file_octets() > account.octets, "the drain lost mail");
    cost
}

/// Another program that fetches mail over POP3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// mpop, into a Maildir, with its pipelining on.
    Mpop,
    /// fetchmail, into one file of batched SMTP: starting a program for each message would be slower.
    Fetchmail,
    /// getmail6, into a Maildir. It runs as the user that owns the test servers' mail: as root it refuses, or
    /// starts a process for each message.
    Getmail,
}

impl Peer {
    /// All of them.
    pub const ALL: [Peer; 3] = [Peer::Mpop, Peer::Fetchmail, Peer::Getmail];

    /// The program.
    pub fn program(self) -> &'static str {
        match self {
            Peer::Mpop => "mpop",
            Peer::Fetchmail => "fetchmail",
            Peer::Getmail => "getmail",
        }
    }

    /// When what it brought is on the disk for good, with the settings measured here.
    pub fn durability(self) -> &'static str {
        match self {
            Peer::Mpop | Peer::Getmail => "fsync of each message",
            Peer::Fetchmail => "none of the mail",
        }
    }

    /// Whether it is installed.
    pub fn is_there(self) -> bool {
        Command::new(self.program()).arg("--version").output().is_ok()
    }

    /// A first run into a fresh place, which must bring everything.
    pub fn first(self, account: &Account, place: &Place) -> Cost {
        let folder = self.prepare(account, place);
        let cost = self.run(place);
        match self {
            Peer::Fetchmail => {
                let octets = fs::metadata(folder.join("mail")).expect("it was made").len();
                assert!(octets > account.octets / 10 * 9, "fetchmail lost mail");
            }
            _ => {
                let came = fs::read_dir(folder.join("mail/new")).expect("it was made").count();
                assert_eq!(came, account.messages, "{} lost messages", self.program());
            }
        }
        cost
    }

    /// A run with nothing new.
    pub fn run(self, place: &Place) -> Cost {
        let (folder, file) = (self.folder(place), self.configuration(place));
        let folder = folder.to_str().expect("UTF-8").to_owned();
        let file = file.to_str().expect("UTF-8").to_owned();
        let ids = format!("{folder}/ids");
        let rc = format!("--rcfile={file}");
        let home = format!("--getmaildir={folder}");
        let arguments: Vec<&str> = match self {
            Peer::Mpop => vec!["-q", "-C", &file],
            // It says with 1 that there was nothing new.
            Peer::Fetchmail => {
                vec!["-c", "fetchmail -s --nosyslog -f \"$0\" -i \"$1\" || [ $? = 1 ]", &file, &ids]
            }
            Peer::Getmail => {
                let user = ["--reuid", MAIL_USER, "--regid", MAIL_USER, "--clear-groups"];
                [&user[..], &[self.program(), "-q", &home, &rc]].concat()
            }
        };
        let program = match self {
            Peer::Mpop => self.program(),
            Peer::Fetchmail => "sh",
            Peer::Getmail => "setpriv",
        };
        measure(Path::new(program), &arguments, &[("HOME", &folder)], &place.report())
    }

    fn folder(self, place: &Place) -> PathBuf {
        place.file().with_file_name("peer")
    }

    fn configuration(self, place: &Place) -> PathBuf {
        self.folder(place).join("rc")
    }

    fn prepare(self, account: &Account, place: &Place) -> PathBuf {
        let folder = self.folder(place);
        for part in ["cur", "new", "tmp"] {
            if self != Peer::Fetchmail {
                fs::create_dir_all(folder.join("mail").join(part)).expect("own folder");
            }
        }
        fs::create_dir_all(&folder).expect("own folder");
        let file = self.configuration(place);
        fs::write(&file, self.settings(account, &folder)).expect("own folder");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("own file");
        if self == Peer::Getmail {
            give_to_mail_user(&folder);
        }
        folder
    }

    fn settings(self, account: &Account, folder: &Path) -> String {
        let Account { port, user, password, .. } = account;
        let folder = folder.display();
        match self {
            Peer::Mpop => format!(
                "account default\nhost 127.0.0.1\nport {port}\nuser {user}\npassword {password}\ntls off\n\
                 auth user\nkeep on\npipelining on\nreceived_header off\ndelivery maildir {folder}/mail\n\
                 uidls_file {folder}/ids\n"
            ),
            Peer::Fetchmail => format!(
                "poll 127.0.0.1 protocol pop3 port {port} uidl\n  user \"{user}\" password \"{password}\" keep \
                 sslproto \"\" bsmtp \"{folder}/mail\"\n"
            ),
            Peer::Getmail => format!(
                "[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {port}\nusername = {user}\n\
                 password = {password}\n[destination]\ntype = Maildir\npath = {folder}/mail/\n[options]\n\
                 delete = false\nread_all = false\ndelivered_to = false\nreceived = false\n"
            ),
        }
    }
}
