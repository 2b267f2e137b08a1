//! A private Courier on loopback, IMAP and POP3, from Debian's packages unpacked beside the tree's other caches.
//!
//! Courier has its paths built in: each server gets a copy of the unpacked root and runs inside it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, Weak};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::server::{
    self, Daemon, MailServer, Scratch, await_greeting, free_port, give_to_mail_user, make_certificate, run,
    tests_file, tree,
};

/// A running Courier; it ends, and its mail goes, when this is dropped.
#[derive(Debug)]
pub struct Courier {
    daemons: Vec<Daemon>,
    imap: u16,
    pop3: u16,
    /// Every user's password.
    users: Mutex<BTreeMap<String, String>>,
    next_file: AtomicU64,
    scratch: Scratch,
}

impl Courier {
    /// Unpacks it if need be, starts it and waits for its greetings.
    pub fn start() -> Self {
        server::mail_user();
        install();
        let mut failure = String::new();
        for _ in 0..3 {
            match Self::try_start() {
                Ok(courier) => return courier,
                Err(e) => failure = e,
            }
        }
        panic!("Courier does not start: {failure}");
    }

    /// The one that the tests of a binary share; it ends with the last that holds it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Courier>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|e| e.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Self::start());
            *shared = Arc::downgrade(&new);
            new
        })
    }

    /// The authority that signed the server's certificate (PEM).
    pub fn ca_path(&self) -> PathBuf {
        self.scratch.path().join("ca.pem")
    }

    /// Puts one message into a user's INBOX as Courier's own delivery does: a file whose lines end in LF.
    pub fn deliver(&self, user: &str, bytes: &[u8]) {
        let mut file = Vec::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            match line.strip_suffix(b"\r\n") {
                Some(text) => file.extend([text, b"\n"].concat()),
                None => file.extend_from_slice(line),
            }
        }
        let number = self.next_file.fetch_add(1, Ordering::Relaxed);
        let path =
            self.inside("/mail").join(user).join(format!("Maildir/new/1000000000.M{number:06}P1.mailkeep"));
        fs::write(&path, file).expect("root may");
        give_to_mail_user(&path);
    }

    fn try_start() -> Result<Self, String> {
        let scratch = Scratch::new("courier");
        run(Command::new("cp").arg("-a").arg(cache()).arg(scratch.path().join("root")));
        make_certificate(scratch.path());
        let (imap, pop3) = (free_port(), free_port());
        let (users, next_file) = (Mutex::default(), AtomicU64::new(0));
        let mut courier = Self { daemons: Vec::new(), imap, pop3, users, next_file, scratch };
        courier.write_configuration();
        let ready = courier.launch();
        ready.map_err(|e| format!("{e}; its log:\n{}", courier.log())).map(|()| courier)
    }

    fn write_configuration(&self) {
        let read = |name| fs::read(self.scratch.path().join(name)).expect("it was made");
        fs::write(self.inside(CERTIFICATE), [read("cert.pem"), read("key.pem")].concat())
            .expect("own folder");
        fs::write(self.inside("/etc/courier/authdaemonrc"), AUTHENTICATION).expect("own folder");
        // Its TLS program becomes one of these.
        let (uid, gid) = server::mail_user();
        let lines = |of: &dyn Fn(&str) -> String| ["courier", "daemon"].map(of).concat();
        let passwd = lines(&|name| format!("{name}:x:{uid}:{gid}::/:/bin/false\n"));
        fs::write(self.inside("/etc/passwd"), passwd).expect("own folder");
        let group = lines(&|name| format!("{name}:x:{gid}:\n"));
        fs::write(self.inside("/etc/group"), group).expect("own folder");
        self.write_users(&BTreeMap::new());
    }

    fn launch(&mut self) -> Result<(), String> {
        self.daemons.push(self.daemon("auth", &["/usr/lib/courier/courier-authlib/authdaemond"], &[]));
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.inside("/run/courier/authdaemon/socket").exists() {
            if Instant::now() > deadline {
                return Err("authdaemond makes no socket in 30 s".into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        let (pop3, imap) = (self.pop3.to_string(), self.imap.to_string());
        let listen = ["/usr/sbin/couriertcpd", "-address=127.0.0.1", "-maxprocs=200", "-maxperip=200"];
        let listen = [&listen[..], &["-nodnslookup", "-noidentlookup"]].concat();
        let programs = "/usr/lib/courier/courier";
        let (login, serve) = (format!("{programs}/courierpop3login"), format!("{programs}/courierpop3d"));
        let words = [&listen[..], &[&pop3, &login, &serve, "Maildir"]].concat();
        let pop3 = self.daemon("pop3", &words, &[("POP3AUTH", "PLAIN LOGIN"), ("POP3_STARTTLS", "YES")]);
        let login = format!("{programs}/imaplogin");
        let words = [&listen[..], &[&imap, &login, "/usr/bin/imapd", "Maildir"]].concat();
        let capabilities = "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE SORT QUOTA IDLE";
        let environment = [("IMAP_CAPABILITY", capabilities), ("IMAP_KEYWORDS", "1"), ("IMAP_USELOCKS", "0")];
        let imap = self.daemon("imap", &words, &environment);
        let ready =
            await_greeting(self.imap, "* OK", &imap).and_then(|()| await_greeting(self.pop3, "+OK", &pop3));
        self.daemons.extend([pop3, imap]);
        ready
    }

    /// Starts a program inside the root; what it says goes into a log of its own.
    fn daemon(&self, name: &str, words: &[&str], environment: &[(&str, &str)]) -> Daemon {
        let mut command = self.command(words[0]);
        command.args(&words[1..]).envs(environment.iter().copied());
        command.env("COURIERTLS", "/usr/bin/couriertls").env("TLS_CERTFILE", CERTIFICATE);
        command.env("TLS_VERIFYPEER", "NONE");
        let log = fs::File::create(self.log_path(name)).expect("own folder");
        command.stdout(log.try_clone().expect("own file")).stderr(log);
        Daemon::spawn(command)
    }

    /// A program that is inside the root, with an environment of its own.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("/usr/sbin/chroot");
        command.env_clear().env("PATH", "/usr/bin:/bin").arg(self.scratch.path().join("root")).arg(program);
        command
    }

    /// Where a path of the server's lies.
    fn inside(&self, path: &str) -> PathBuf {
        self.scratch.path().join("root").join(path.trim_start_matches('/'))
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(format!("{name}.log"))
    }

    fn write_users(&self, users: &BTreeMap<String, String>) {
        let (uid, gid) = server::mail_user();
        let about = |user: &str| format!("uid={uid}|gid={gid}|home=/mail/{user}|mail=/mail/{user}/Maildir");
        self.write_database("userdb.dat", users.keys().map(|user| (user, about(user))));
        let secret =
            |password: &str| format!("systempw={{SHA256}}{}", STANDARD.encode(Sha256::digest(password)));
        self.write_database("userdbshadow.dat", users.iter().map(|(user, word)| (user, secret(word))));
    }

    /// Puts a database in place whole: the server may read it at any time.
    fn write_database<'a>(&self, name: &str, rows: impl Iterator<Item = (&'a String, String)>) {
        let mut lines: String = rows.map(|(key, value)| format!("{key}\t{value}\n")).collect();
        lines.push_str(".\n");
        let file = format!("/etc/courier/{name}");
        let mut command = self.command("/usr/lib/courier/courier-authlib/makedatprog");
        command.args(["-", &format!("{file}.new"), &file]).stdin(Stdio::piped());
        let mut child = command.spawn().expect("chroot starts");
        child.stdin.take().expect("it is piped").write_all(lines.as_bytes()).expect("makedatprog reads");
        assert!(child.wait().expect("own child").success(), "makedatprog failed for {name}");
    }
}

impl MailServer for Courier {
    fn name(&self) -> &str {
        "Courier"
    }

    fn imap_port(&self) -> u16 {
        self.imap
    }

    fn pop3_port(&self) -> u16 {
        self.pop3
    }

    fn add_user(&self, user: &str, password: &str) {
        let mut users = self.users.lock().unwrap_or_else(|e| e.into_inner());
        users.insert(user.to_owned(), password.to_owned());
        let home = self.inside("/mail").join(user);
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(home.join("Maildir").join(part)).expect("own folder");
        }
        give_to_mail_user(&home);
        self.write_users(&users);
    }

    fn log(&self) -> String {
        let text = |name| fs::read_to_string(self.log_path(name)).unwrap_or_default();
        [text("auth"), text("imap"), text("pop3")].concat()
    }
}

const CERTIFICATE: &str = "/etc/courier/server.pem";
const AUTHENTICATION: &str = "authmodulelist=\"authuserdb\"\nauthmodulelistorig=\"authuserdb\"\ndaemons=3\n\
    authdaemonvar=/run/courier/authdaemon\nDEBUG_LOGIN=0\nDEFAULTOPTIONS=\"\"\nLOGGEROPTS=\"\"\n";

/// Where the packages are unpacked.
fn cache() -> PathBuf {
    tree().join(".cache/servers/courier")
}

fn install() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        run(Command::new(tests_file("servers/courier-install")).arg(cache()));
    });
}
