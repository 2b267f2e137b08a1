//! What goes wrong is said in one line, by an exit code, and by whose fault it is.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Place, Ran, imap, server};
use rustls::pki_types::PrivatePkcs8KeyDer;

/// Speaks TLS with a new certificate for `name`. Returns the port and the certificate.
fn tls_server(name: &str, serve: impl Fn(&mut dyn Stream) + Send + Sync + 'static) -> (u16, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .expect("a certificate with its key");
    let config = Arc::new(config);
    let port = server(move |stream| {
        let session = rustls::ServerConnection::new(config.clone()).expect("a session");
        serve(&mut rustls::StreamOwned::new(session, stream));
    });
    (port, made.cert.pem())
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

#[test]
fn a_certificate_is_checked() {
    let (port, pem) = tls_server("localhost", |stream| imap(stream, &[]));
    let place = Place::new();
    fs::write(place.file("ca.pem"), pem).expect("the certificate is written");
    let ca = place.file("ca.pem").display().to_string();
    place.add(port, &[]);
    place.run(&["sync"]).failed(4, &["certificate", "not trusted", "--ca"]);
    place.run(&["account", "remove", "demo"]).ok();
    place.add(port, &["--ca", &ca]);
    place.run(&["sync"]).ok();

    let (port, pem) = tls_server("elsewhere.example", |stream| imap(stream, &[]));
    fs::write(place.file("ca.pem"), pem).expect("the certificate is written");
    place.run(&["account", "remove", "demo"]).ok();
    place.add(port, &["--ca", &ca]);
    place.run(&["sync"]).failed(4, &["certificate", "another name"]);
}

#[test]
fn a_server_without_tls_on_a_tls_port_is_no_puzzle() {
    let place = Place::new();
    place.add(server(|stream| imap(stream, &[])), &[]);
    place.run(&["sync"]).failed(4, &["does not speak TLS", "starttls"]);
}

#[test]
fn a_refused_connection_and_a_host_that_is_nowhere() {
    let place = Place::new();
    // Nothing listens on the port of tcpmux.
    place.add(1, &[]);
    place.run(&["sync"]).failed(4, &["refuses connections", "port 1;"]);
    place.run(&["account", "remove", "demo"]).ok();
    place.add_at("no-such-host.invalid", 1, &[]);
    place.run(&["sync"]).failed(4, &["no-such-host.invalid is not found"]);
}

#[test]
fn a_password_that_is_wrong_or_missing() {
    let place = Place::new();
    place.add(server(|stream| imap(stream, &[])), &["--security", "insecure"]);
    let wrong = place.command(&["sync"]).env("PW", "other").output().expect("the program runs");
    Ran::from(wrong).failed(5, &["refused the login", "check the user name and the password"]);
    let missing = place.command(&["sync"]).env_remove("PW").output().expect("the program runs");
    Ran::from(missing).failed(5, &["PW", "not set"]);
}

#[test]
fn a_password_does_not_go_where_starttls_is_refused() {
    let place = Place::new();
    let port = server(|mut stream| {
        let mut heard = [0; 200];
        let _ = stream.write_all(b"* OK ready\r\n");
        let n = stream.read(&mut heard).unwrap_or(0);
        let tag = String::from_utf8_lossy(&heard[..n]).split(' ').next().unwrap_or_default().to_owned();
        let _ = stream.write_all(format!("{tag} NO not today\r\n").as_bytes());
        let n = stream.read(&mut heard).unwrap_or(0);
        assert!(!String::from_utf8_lossy(&heard[..n]).contains("secret"), "the password went in the clear");
    });
    place.add(port, &["--security", "starttls"]);
    place.run(&["sync"]).failed(5, &["refuses STARTTLS"]);
}

#[test]
fn a_server_that_breaks_off_or_talks_nonsense() {
    let place = Place::new();
    place.add(server(drop), &["--security", "insecure"]);
    place.run(&["sync"]).failed(4, &["closed the connection"]);
    place.run(&["account", "remove", "demo"]).ok();
    place.add(
        server(|mut stream: TcpStream| {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            let _ = stream.read(&mut [0; 100]);
        }),
        &["--security", "insecure"],
    );
    place.run(&["sync"]).failed(6, &["broke the protocol"]);
}

#[test]
fn a_file_that_is_no_database_is_left_as_it_is() {
    let place = Place::new();
    fs::write(place.file("mail.db"), "Dear diary").expect("the file is written");
    for command in ["stats", "verify", "sync", "mailboxes"] {
        place.run(&[command]).failed(3, &["not a mailkeep database"]);
    }
    assert_eq!(fs::read(place.file("mail.db")).expect("the file is there"), b"Dear diary");
    let absent = Place::new();
    absent.run(&["stats"]).failed(3, &["no database at", "account add"]);
    assert!(!absent.file("mail.db").exists());
}

#[test]
fn a_newer_schema_is_refused() {
    let place = Place::new();
    place.add(1, &[]);
    let database = redb::Database::open(place.file("mail.db")).expect("a redb file");
    let change = database.begin_write().expect("a transaction");
    {
        let meta: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("meta");
        let mut meta = change.open_table(meta).expect("the table");
        meta.insert(b"schema".as_slice(), 999_u32.to_be_bytes().as_slice()).expect("an insert");
    }
    change.commit().expect("a commit");
    drop(database);
    place.run(&["stats"]).failed(3, &["newer", "999", "update the program"]);
}

#[test]
#[cfg(unix)]
fn a_file_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.add(1, &[]);
    let file = place.file("mail.db");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).expect("permissions are set");
    if fs::OpenOptions::new().write(true).open(&file).is_ok() {
        // The superuser may write anything: there is nothing to see here.
        return;
    }
    place.run(&["stats"]).failed(3, &["cannot be written", "permission"]);
}

#[test]
fn usage_is_explained_in_one_line() {
    let place = Place::new();
    let keep = ["account", "add", "demo", "imap", "--host", "localhost", "--user", "ann", "--keep", "delete"];
    place.run(&keep).failed(2, &["--keep", "POP3"]);
    let days = ["account", "add", "demo", "pop3", "--host", "localhost", "--user", "ann", "--keep", "days:0"];
    place.run(&days).failed(2, &["--keep"]);
    place.run(&["sync", "--bodies", "some"]).failed(2, &["newest:N"]);
    place.run(&["account", "add", "demo", "imap"]).failed(2, &["--host"]);
    place.run(&["account", "add", "demo", "local", "--host", "h"]).failed(2, &["no server"]);
    place.add(1, &[]);
    place
        .run(&["account", "add", "demo", "imap", "--host", "h", "--user", "u"])
        .failed(2, &["another account"]);
    place.run(&["sync", "--watch", "--mailbox", "A", "--mailbox", "B"]).failed(2, &["one mailbox"]);
    let help = place.run(&["--help"]).ok().text();
    assert!(help.contains("Exit codes:"), "{help}");
}

/// Sends a signal and waits for the end, not for ever.
#[cfg(unix)]
fn signal(child: &mut std::process::Child, name: &str) -> Option<i32> {
    let sent = std::process::Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("the child's state") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("the child can be ended");
    panic!("the program did not stop");
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_a_sync_that_hangs_and_a_watch() {
    let (told, heard) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let place = Place::new();
    let port = server(move |mut stream| {
        let _ = stream.write_all(b"* OK ready\r\n");
        let _ = told.lock().expect("one at a time").send(());
        let _ = stream.read_to_end(&mut Vec::new());
    });
    place.add(port, &["--security", "insecure"]);
    let mut sync = place.command(&["sync"]).stderr(Stdio::piped()).spawn().expect("the program runs");
    heard.recv_timeout(Duration::from_secs(10)).expect("a connection");
    assert_eq!(signal(&mut sync, "INT"), Some(130));

    place.run(&["account", "remove", "demo"]).ok();
    place.add(server(|stream| imap(stream, &[])), &["--security", "insecure"]);
    let mut watch = place
        .command(&["sync", "--watch", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut lines = std::io::BufReader::new(watch.stdout.take().expect("its output"));
    let mut line = String::new();
    while !line.contains("watching") {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut lines, &mut line).expect("its output"), 0);
    }
    assert_eq!(signal(&mut watch, "TERM"), Some(0));
}
