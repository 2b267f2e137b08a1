//! What all test servers share: scratch folders, ports, certificates, processes that end with the test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// The system user that owns the test servers' mail.
pub const MAIL_USER: &str = "mkvmail";

/// A mail server that a scenario can run against.
pub trait MailServer: Send + Sync {
    /// Its name, for messages.
    fn name(&self) -> &str;
    /// The port of plain IMAP on 127.0.0.1.
    fn imap_port(&self) -> u16;
    /// The port of plain POP3 on 127.0.0.1.
    fn pop3_port(&self) -> u16;
    /// Makes a user with an empty INBOX; a second call with the same name changes nothing but the password.
    fn add_user(&self, user: &str, password: &str);
    /// What the server logged, for a failure's message.
    fn log(&self) -> String;
}

/// The root of the source tree.
pub fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the tree").to_path_buf()
}

/// A file under `tests/`.
pub fn tests_file(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// A folder that goes when it is dropped; one left by a killed test goes when the next is made.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes an empty folder that every user may enter.
    pub fn new(label: &str) -> Self {
        static SWEEP: OnceLock<()> = OnceLock::new();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        SWEEP.get_or_init(sweep_leftovers);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("{PREFIX}{}-{label}{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("own folder");
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

const PREFIX: &str = "mailkeep-test-";

fn sweep_leftovers() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner =
            name.to_str().and_then(|n| n.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Throw-away certificate files: `ca.pem` for clients, `cert.pem` and `key.pem` for the server.
pub fn make_certificate(dir: &Path) {
    run(Command::new(tests_file("servers/certificate")).arg(dir));
}

/// Makes sure that [`MAIL_USER`] exists and returns its uid and gid.
pub fn mail_user() -> (u32, u32) {
    static IDS: OnceLock<(u32, u32)> = OnceLock::new();
    *IDS.get_or_init(|| {
        // SAFETY: geteuid has no preconditions.
        if unsafe { libc::geteuid() } != 0 {
            panic!("the mail servers change users, so these tests must run as root (tests/run uses sudo for that)");
        }
        let ids = |s: &str| {
            let mut fields = s.split(':').skip(2).map(|f| f.parse::<u32>().expect("an id"));
            (fields.next().expect("uid"), fields.next().expect("gid"))
        };
        if let Some(line) = passwd_line() {
            return ids(&line);
        }
        let status = Command::new("useradd")
            .args(["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", MAIL_USER])
            .status();
        let line = passwd_line().unwrap_or_else(|| panic!("cannot make the user {MAIL_USER}: {status:?}"));
        ids(&line)
    })
}

fn passwd_line() -> Option<String> {
    let passwd = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    passwd.lines().find(|l| l.starts_with(&format!("{MAIL_USER}:"))).map(str::to_owned)
}

/// Gives a tree of files to [`MAIL_USER`]; links are not followed.
pub fn give_to_mail_user(path: &Path) {
    let (uid, gid) = mail_user();
    std::os::unix::fs::lchown(path, Some(uid), Some(gid))
        .unwrap_or_else(|e| panic!("cannot give {} away: {e}", path.display()));
    if fs::symlink_metadata(path).is_ok_and(|m| m.is_dir()) {
        for entry in fs::read_dir(path).expect("own folder").flatten() {
            give_to_mail_user(&entry.path());
        }
    }
}

/// Runs a command to its end and panics with its output unless it succeeds; returns its standard output.
pub fn run(command: &mut Command) -> Vec<u8> {
    let output =
        command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?} failed ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// A server process in a group of its own. It is ended on drop, and by the kernel if the test process dies
/// first.
#[derive(Debug)]
pub struct Daemon {
    child: Mutex<Child>,
}

impl Daemon {
    /// Starts it.
    pub fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).process_group(0);
        // SAFETY: prctl is async-signal-safe and touches only the new process.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                Ok(())
            });
        }
        Self { child: Mutex::new(spawn_on_lasting_thread(command)) }
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().expect("no panic holds it").try_wait().expect("own child")
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.lock().expect("no panic holds it").id()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(|e| e.into_inner());
        let group = -(child.id() as i32);
        // SAFETY: the group is the child's own, made by `spawn`, and the child is not reaped yet.
        unsafe { libc::kill(-group, libc::SIGTERM) };
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if matches!(child.try_wait(), Ok(Some(_))) {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        // SAFETY: as above; what is left of the group goes with it.
        unsafe { libc::kill(group, libc::SIGKILL) };
        let _ = child.wait();
    }
}

/// The death signal follows the thread that spawned, not the process, so a thread that never ends does it.
fn spawn_on_lasting_thread(command: Command) -> Child {
    type Job = (Command, mpsc::Sender<std::io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for (mut command, answer) in jobs {
                let _ = answer.send(command.spawn());
            }
        });
        sender
    });
    let what = format!("{command:?}");
    let (sender, answer) = mpsc::channel();
    spawner.send((command, sender)).expect("the spawner lives as long as the process");
    answer.recv().expect("it answers").unwrap_or_else(|e| panic!("cannot start {what}: {e}"))
}

/// Waits until `port` answers with a greeting that starts with `start`; `Err` says why not.
pub fn await_greeting(port: u16, start: &str, daemon: &Daemon) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut last = String::from("nothing tried");
    while Instant::now() < deadline {
        match greeting(port) {
            Ok(line) if line.starts_with(start) => return Ok(()),
            Ok(line) => last = format!("greeting {line:?}"),
            Err(e) => last = e.to_string(),
        }
        if let Some(status) = daemon.ended() {
            return Err(format!("the server ended ({status})"));
        }
        thread::sleep(Duration::from_millis(25));
    }
    Err(format!("no greeting on port {port} in 30 s ({last})"))
}

fn greeting(port: u16) -> std::io::Result<String> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}
