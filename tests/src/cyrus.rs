//! A private Cyrus IMAP on loopback, from Debian's packages unpacked beside the tree's other caches.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, Once, Weak};

use crate::imap::{Client, mailbox_name};
use crate::server::{
    self, Daemon, MAIL_USER, MailServer, Scratch, await_greeting, free_port, give_to_mail_user, run,
    tests_file, tree,
};

/// A running Cyrus; it ends, and its mail goes, when this is dropped.
#[derive(Debug)]
pub struct Cyrus {
    daemon: Option<Daemon>,
    root: PathBuf,
    imap: u16,
    pop3: u16,
    adding: Mutex<()>,
    scratch: Scratch,
}

impl Cyrus {
    /// Unpacks it if need be, starts it and waits for its greeting.
    pub fn start() -> Self {
        server::mail_user();
        install();
        let mut failure = String::new();
        for _ in 0..3 {
            match Self::try_start() {
                Ok(cyrus) => return cyrus,
                Err(e) => failure = e,
            }
        }
        panic!("Cyrus does not start: {failure}");
    }

    /// The one that the tests of a binary share; it ends with the last that holds it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cyrus>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|e| e.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Self::start());
            *shared = Arc::downgrade(&new);
            new
        })
    }

    fn try_start() -> Result<Self, String> {
        let scratch = Scratch::new("cyrus");
        let root = reachable_root(&scratch);
        let mut cyrus = Self {
            daemon: None,
            root,
            imap: free_port(),
            pop3: free_port(),
            adding: Mutex::default(),
            scratch,
        };
        cyrus.write_configuration();
        cyrus.set_password(ADMIN, ADMIN);
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "cyrus"]).arg(cyrus.root.join("usr/lib/cyrus/bin/master"));
        command.arg("-C").arg(cyrus.file("imapd.conf")).arg("-M").arg(cyrus.file("cyrus.conf"));
        command.arg("-p").arg(cyrus.file("pid")).arg("-D");
        cyrus.surround(&mut command);
        let log = fs::File::create(cyrus.file("log")).expect("own folder");
        command.stdout(log.try_clone().expect("own file")).stderr(log);
        let daemon = Daemon::spawn(command);
        let ready = await_greeting(cyrus.imap, "* OK", &daemon)
            .and_then(|()| await_greeting(cyrus.pop3, "+OK", &daemon));
        cyrus.daemon = Some(daemon);
        ready.map_err(|e| format!("{e}; its log:\n{}", cyrus.log())).map(|()| cyrus)
    }

    fn write_configuration(&self) {
        let dir = self.scratch.path();
        // The staging folder too: two imapd that make it at once trip over each other.
        for folder in ["conf/db", "conf/socket", "conf/proc", "conf/log", "spool/stage."] {
            fs::create_dir_all(dir.join(folder)).expect("own folder");
        }
        let (here, bin) = (dir.display(), self.root.join("usr/lib/cyrus/bin"));
        let imapd = format!(
            "configdirectory: {here}/conf\npartition-default: {here}/spool\ndefaultpartition: default\nadmins: {ADMIN}\n\
             cyrus_user: {MAIL_USER}\nsasl_pwcheck_method: auxprop\nsasl_auxprop_plugin: sasldb\nsasl_sasldb_path: {here}/sasldb2\n\
             sasl_mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256\nallowplaintext: yes\nsearch_engine: none\n\
             virtdomains: off\nunixhierarchysep: yes\naltnamespace: yes\nservername: localhost\n\
             idlesocket: {here}/conf/socket/idle\npopminpoll: 0\nsendmail: /bin/false\nmaxlogins_per_user: 0\n"
        );
        let (bin, conf) = (bin.display(), self.file("imapd.conf"));
        let conf = conf.display();
        let cyrus = format!(
            "START {{\n  recover cmd=\"{bin}/ctl_cyrusdb -C {conf} -r\"\n}}\nSERVICES {{\n  \
             imap cmd=\"{bin}/imapd -C {conf} -U 30\" listen=\"127.0.0.1:{}\" prefork=0\n  \
             pop3 cmd=\"{bin}/pop3d -C {conf} -U 30\" listen=\"127.0.0.1:{}\" prefork=0\n}}\nDAEMON {{\n  \
             idled cmd=\"{bin}/idled -C {conf}\"\n}}\n",
            self.imap, self.pop3
        );
        fs::write(self.file("imapd.conf"), imapd).expect("own folder");
        fs::write(self.file("cyrus.conf"), cyrus).expect("own folder");
        give_to_mail_user(dir);
    }

    fn set_password(&self, user: &str, password: &str) {
        let mut command = Command::new(self.root.join("usr/sbin/saslpasswd2"));
        command.args(["-p", "-c", "-u", "localhost", "-f"]).arg(self.file("sasldb2")).arg(user);
        self.surround(&mut command);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("saslpasswd2 starts");
        child.stdin.take().expect("it is piped").write_all(password.as_bytes()).expect("saslpasswd2 reads");
        assert!(child.wait().expect("own child").success(), "saslpasswd2 failed for {user}");
        give_to_mail_user(&self.file("sasldb2"));
    }

    /// The unpacked libraries and SASL plugins go before the system's.
    fn surround(&self, command: &mut Command) {
        let triplet = fs::read_to_string(self.root.join("triplet")).expect("cyrus-install wrote it");
        let libs = self.root.join("usr/lib").join(triplet.trim());
        let others = self.root.join("lib").join(triplet.trim());
        command.env("LD_LIBRARY_PATH", format!("{}:{}", libs.display(), others.display()));
        command.env("SASL_PATH", libs.join("sasl2"));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }
}

impl MailServer for Cyrus {
    fn name(&self) -> &str {
        "Cyrus"
    }

    fn imap_port(&self) -> u16 {
        self.imap
    }

    fn pop3_port(&self) -> u16 {
        self.pop3
    }

    fn add_user(&self, user: &str, password: &str) {
        let _one = self.adding.lock().unwrap_or_else(|e| e.into_inner());
        self.set_password(user, password);
        let mut admin = Client::login(self.imap, ADMIN, ADMIN);
        let inbox = mailbox_name(&format!("user/{user}"));
        let reply = admin.command(&format!("CREATE {inbox}"));
        let known = reply.tagged.contains("exists");
        assert!(reply.tagged.starts_with("OK") || known, "CREATE {inbox}: {}", reply.tagged);
    }

    /// Cyrus logs to syslog; this is what its master wrote besides.
    fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }
}

const ADMIN: &str = "admin";

/// Stands between the test and Cyrus, which changes its user and so loses the signal that it gets when the
/// test dies.
const GUARD: &str = r#""$@" & child=$!; trap 'kill $child' TERM; wait $child; wait $child"#;

/// Where the packages are unpacked.
fn cache() -> PathBuf {
    tree().join(".cache/servers/cyrus")
}

fn install() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        run(Command::new(tests_file("servers/cyrus-install")).arg(cache()));
    });
}

/// The cache, or a copy of it where the mail user cannot reach the tree (a checkout in a private home).
fn reachable_root(scratch: &Scratch) -> PathBuf {
    let cache = cache();
    let open = |p: &Path| fs::metadata(p).is_ok_and(|m| m.permissions().mode() & 0o001 != 0);
    if cache.ancestors().all(open) {
        return cache;
    }
    let copy = scratch.path().join("root");
    run(Command::new("cp").arg("-a").arg(&cache).arg(&copy));
    copy
}
