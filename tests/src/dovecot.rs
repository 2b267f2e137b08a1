//! A private Dovecot on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::imap::{Client, Mail, modified_utf7};
use crate::server::{
    self, Daemon, MAIL_USER, MailServer, Scratch, await_greeting, free_port, give_to_mail_user,
    make_certificate, run,
};

/// How the server keeps its mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// One file a message; tests can write them by hand, byte for byte.
    Maildir,
    /// Dovecot's own, much faster to drain.
    Mdbox,
}

/// What may differ between two of them.
#[derive(Debug, Clone)]
pub struct DovecotOptions {
    /// How mail is kept.
    pub storage: Storage,
    /// Whether COMPRESS=DEFLATE is offered.
    pub compress: bool,
    /// A quota for every user, such as `*:storage=1M`; QUOTA is offered with it only.
    pub quota: Option<String>,
    /// Further lines of configuration.
    pub extra: String,
}

impl Default for DovecotOptions {
    fn default() -> Self {
        Self { storage: Storage::Maildir, compress: true, quota: None, extra: String::new() }
    }
}

/// A running Dovecot; it ends, and its mail goes, when this is dropped.
#[derive(Debug)]
pub struct Dovecot {
    daemon: Mutex<Option<Daemon>>,
    options: DovecotOptions,
    ports: Ports,
    users: Mutex<Vec<(String, String)>>,
    next_file: AtomicU64,
    scratch: Scratch,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    imap: u16,
    imaps: u16,
    pop3: u16,
    pop3s: u16,
}

impl Dovecot {
    /// Starts one and waits for its greeting.
    pub fn start(options: DovecotOptions) -> Self {
        assert!(
            Path::new(PROGRAM).exists() && Path::new("/usr/lib/dovecot/pop3").exists(),
            "Dovecot is missing: run tests/run, or install dovecot-imapd and dovecot-pop3d"
        );
        server::mail_user();
        let mut failure = String::new();
        for _ in 0..3 {
            match Self::try_start(options.clone()) {
                Ok(dovecot) => return dovecot,
                Err(e) => failure = e,
            }
        }
        panic!("Dovecot does not start: {failure}");
    }

    /// The one that the tests of a binary share, with default options; it ends with the last that holds it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Dovecot>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|e| e.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Self::start(DovecotOptions::default()));
            *shared = Arc::downgrade(&new);
            new
        })
    }

    fn try_start(options: DovecotOptions) -> Result<Self, String> {
        let scratch = Scratch::new("dovecot");
        let ports = Ports { imap: free_port(), imaps: free_port(), pop3: free_port(), pop3s: free_port() };
        make_certificate(scratch.path());
        let dovecot = Self {
            daemon: Mutex::new(None),
            options,
            ports,
            users: Mutex::default(),
            next_file: AtomicU64::new(0),
            scratch,
        };
        dovecot.write_configuration();
        let started = dovecot.launch();
        started.map_err(|e| format!("{e}; its log:\n{}", dovecot.log())).map(|()| dovecot)
    }

    fn launch(&self) -> Result<(), String> {
        let mut command = Command::new(PROGRAM);
        command.arg("-F").arg("-c").arg(self.configuration());
        let daemon = Daemon::spawn(command);
        let ready = await_greeting(self.ports.imap, "* OK", &daemon)
            .and_then(|()| await_greeting(self.ports.pop3, "+OK", &daemon));
        *self.daemon.lock().expect("no panic holds it") = Some(daemon);
        ready
    }

    /// Ends the server and keeps its mail.
    pub fn stop(&self) {
        *self.daemon.lock().expect("no panic holds it") = None;
    }

    /// Starts it again on the same ports after [`Dovecot::stop`].
    pub fn start_again(&self) {
        self.launch()
            .unwrap_or_else(|e| panic!("Dovecot does not start again: {e}; its log:\n{}", self.log()));
    }

    /// The port of IMAP over TLS.
    pub fn imaps_port(&self) -> u16 {
        self.ports.imaps
    }

    /// The port of POP3 over TLS.
    pub fn pop3s_port(&self) -> u16 {
        self.ports.pop3s
    }

    /// The authority that signed the server's certificate (PEM).
    pub fn ca_path(&self) -> PathBuf {
        self.scratch.path().join("ca.pem")
    }

    /// The server's log file.
    pub fn log_path(&self) -> PathBuf {
        self.scratch.path().join("dovecot.log")
    }

    /// Runs `doveadm` against this server and returns what it printed.
    pub fn doveadm(&self, arguments: &[&str]) -> String {
        let out = run(Command::new("doveadm").arg("-c").arg(self.configuration()).args(arguments));
        String::from_utf8_lossy(&out).into_owned()
    }

    /// A token that this server takes for `user` by XOAUTH2 and OAUTHBEARER, good for `lifetime` seconds; a
    /// negative one is a token that has expired.
    pub fn oauth_token(&self, user: &str, lifetime: i64) -> String {
        let base64 = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let now =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs() as i64;
        let header = serde_json::json!({ "alg": "HS256", "typ": "JWT" });
        let claims = serde_json::json!({ "sub": user, "iat": now - 86_400, "exp": now + lifetime });
        let signed = format!("{}.{}", base64.encode(header.to_string()), base64.encode(claims.to_string()));
        let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN_KEY).expect("any length will do");
        mac.update(signed.as_bytes());
        format!("{signed}.{}", base64.encode(mac.finalize().into_bytes()))
    }

    /// Puts one message into a mailbox, which is made if it is missing. On Maildir the server holds exactly
    /// these bytes.
    pub fn deliver(&self, user: &str, mailbox: &str, bytes: &[u8], internal_date: i64, flags: &[&str]) {
        let flags = flags.iter().map(|f| (*f).to_owned()).collect();
        self.fill(user, mailbox, [Mail { bytes: bytes.to_vec(), internal_date, flags }]);
    }

    /// Puts many messages into a mailbox in this order, as fast as the storage allows. Keywords go by
    /// APPEND, which turns bare LF into CRLF and refuses NULs; a Maildir without keywords is written by
    /// hand. Returns how many there were.
    pub fn fill(&self, user: &str, mailbox: &str, mails: impl IntoIterator<Item = Mail>) -> usize {
        let mut mails = mails.into_iter().peekable();
        let keywords = |m: &Mail| m.flags.iter().any(|f| maildir_flag(f).is_none());
        let mut count = 0;
        if self.options.storage == Storage::Mdbox {
            self.append_all(user, mailbox, mails.inspect(|_| count += 1));
            return count;
        }
        let folder = self.make_maildir(user, mailbox);
        while let Some(mail) = mails.next_if(|m| !keywords(m)) {
            self.write_maildir_file(&folder, &mail);
            count += 1;
        }
        if mails.peek().is_some() {
            self.append_all(user, mailbox, mails.inspect(|_| count += 1));
        }
        count
    }

    /// The folder that a Maildir mailbox lies in; INBOX's holds the others.
    pub fn maildir(&self, user: &str, mailbox: &str) -> PathBuf {
        let root = self.home(user).join("Maildir");
        match mailbox {
            "INBOX" => root,
            name => root.join(format!(".{}", modified_utf7(name).replace('/', "."))),
        }
    }

    /// Takes a Maildir mailbox's UIDs and indexes away, as a careless administrator would: UIDVALIDITY
    /// changes.
    pub fn lose_uids(&self, user: &str, mailbox: &str) {
        for entry in fs::read_dir(self.maildir(user, mailbox)).expect("the mailbox is a Maildir").flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name == "dovecot-uidlist" || name.starts_with("dovecot.index") {
                fs::remove_file(entry.path()).expect("root may");
            }
        }
    }

    fn append_all(&self, user: &str, mailbox: &str, mails: impl Iterator<Item = Mail>) {
        let password = {
            let users = self.users.lock().expect("no panic holds it");
            let known = users.iter().find(|(u, _)| u == user);
            known.unwrap_or_else(|| panic!("user {user} was not added")).1.clone()
        };
        let mut client = Client::login(self.ports.imap, user, &password);
        let _ = client.command(&format!("CREATE {}", crate::imap::mailbox_name(mailbox)));
        client.append_all(mailbox, mails);
    }

    fn make_maildir(&self, user: &str, mailbox: &str) -> PathBuf {
        let folder = self.maildir(user, mailbox);
        if !folder.join("cur").exists() {
            for part in ["cur", "new", "tmp"] {
                fs::create_dir_all(folder.join(part)).expect("root may");
            }
            give_to_mail_user(&self.home(user));
        }
        folder
    }

    /// Dovecot numbers by the time in a file's name and takes INTERNALDATE from the file's own time.
    fn write_maildir_file(&self, folder: &Path, mail: &Mail) {
        let number = self.next_file.fetch_add(1, Ordering::Relaxed);
        let mut flags: Vec<char> = mail.flags.iter().filter_map(|f| maildir_flag(f)).collect();
        flags.sort_unstable();
        let name = format!(
            "{}.M{:06}P1.mailkeep,S={}:2,{}",
            1_000_000_000 + number / 1_000_000,
            number % 1_000_000,
            mail.bytes.len(),
            String::from_iter(flags)
        );
        let (tmp, path) = (folder.join("tmp").join(&name), folder.join("cur").join(&name));
        fs::write(&tmp, &mail.bytes).expect("the disk has room");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(mail.internal_date.max(0) as u64);
        fs::File::options().write(true).open(&tmp).and_then(|f| f.set_modified(time)).expect("own file");
        give_to_mail_user(&tmp);
        fs::rename(&tmp, &path).expect("the same file system");
    }

    fn home(&self, user: &str) -> PathBuf {
        self.scratch.path().join("home").join(user)
    }

    fn configuration(&self) -> PathBuf {
        self.scratch.path().join("dovecot.conf")
    }

    fn write_configuration(&self) {
        let dir = self.scratch.path();
        for folder in ["run", "state", "home", "users", "keys/default/HS256"] {
            fs::create_dir_all(dir.join(folder)).expect("own folder");
        }
        give_to_mail_user(&dir.join("home"));
        let key = base64::engine::general_purpose::STANDARD.encode(TOKEN_KEY);
        fs::write(dir.join("keys/default/HS256/default"), key).expect("own folder");
        let keys = format!(
            "introspection_mode = local\nusername_attribute = sub\nlocal_validation_key_dict = fs:posix:prefix={}/keys/\n",
            dir.display()
        );
        fs::write(dir.join("oauth2.conf"), keys).expect("own folder");
        fs::write(self.configuration(), self.filled_template()).expect("own folder");
    }

    fn filled_template(&self) -> String {
        let dir = self.scratch.path().display().to_string();
        let mut imap_plugins = Vec::new();
        if self.options.compress && has_plugin("imap_zlib") {
            imap_plugins.extend(["zlib", "imap_zlib"]);
        }
        let mut plugins = Vec::new();
        let mut quota = String::new();
        if let Some(rule) = &self.options.quota {
            plugins.push("quota");
            imap_plugins.push("imap_quota");
            quota = format!(
                "plugin {{\n  quota = count:User quota\n  quota_vsizes = yes\n  quota_rule = {rule}\n}}\n"
            );
        }
        let location = match self.options.storage {
            Storage::Maildir => "maildir:~/Maildir",
            Storage::Mdbox => "mdbox:~/mdbox",
        };
        let oauth = format!(
            "passdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = {dir}/oauth2.conf\n}}\n"
        );
        let port = |n: u16| n.to_string();
        let words = [
            ("@DIR@", dir),
            ("@USER@", MAIL_USER.to_owned()),
            ("@GROUP@", MAIL_USER.to_owned()),
            ("@LOCATION@", location.to_owned()),
            ("@MECHANISMS@", MECHANISMS.to_owned()),
            ("@PLUGINS@", plugins.join(" ")),
            ("@IMAP_PLUGINS@", imap_plugins.join(" ")),
            ("@IMAP@", port(self.ports.imap)),
            ("@IMAPS@", port(self.ports.imaps)),
            ("@POP3@", port(self.ports.pop3)),
            ("@POP3S@", port(self.ports.pop3s)),
        ];
        let template = include_str!("../servers/dovecot.conf").to_owned();
        let filled = words.iter().fold(template, |text, (word, value)| text.replace(word, value));
        filled + &oauth + &quota + &self.options.extra
    }
}

impl MailServer for Dovecot {
    fn name(&self) -> &str {
        "Dovecot"
    }

    fn imap_port(&self) -> u16 {
        self.ports.imap
    }

    fn pop3_port(&self) -> u16 {
        self.ports.pop3
    }

    fn add_user(&self, user: &str, password: &str) {
        let mut users = self.users.lock().expect("no panic holds it");
        users.retain(|(name, _)| name != user);
        users.push((user.to_owned(), password.to_owned()));
        let home = self.home(user);
        fs::create_dir_all(&home).expect("own folder");
        give_to_mail_user(&home);
        // Renamed into place: the server reads the file whenever it likes.
        let folder = self.scratch.path().join("users");
        let (new, file) = (folder.join(format!("{user}.new")), folder.join(user));
        fs::write(&new, format!("{user}:{{PLAIN}}{password}\n")).expect("own folder");
        fs::rename(&new, &file).expect("own folder");
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

const PROGRAM: &str = "/usr/sbin/dovecot";
const TOKEN_KEY: &[u8] = b"a key for tests, shared by everybody";
const MECHANISMS: &str = "plain login cram-md5 digest-md5 apop scram-sha-1 scram-sha-256 xoauth2 oauthbearer";

fn has_plugin(name: &str) -> bool {
    let modules = fs::read_dir("/usr/lib/dovecot/modules").into_iter().flatten().flatten();
    modules.into_iter().any(|m| m.file_name().to_string_lossy().ends_with(&format!("_{name}_plugin.so")))
}

/// The letter in a Maildir file's name; keywords have none that could be written by hand.
fn maildir_flag(flag: &str) -> Option<char> {
    match flag.to_ascii_lowercase().as_str() {
        "\\draft" => Some('D'),
        "\\flagged" => Some('F'),
        "\\answered" => Some('R'),
        "\\seen" => Some('S'),
        "\\deleted" => Some('T'),
        _ => None,
    }
}
