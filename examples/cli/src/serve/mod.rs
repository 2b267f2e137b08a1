//! `mailkeep serve`: the accounts of a database, offered to other programs over IMAP and POP3.

mod client;
mod speaker;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use clap::Args;
use mailkeep::Engine;
use mailkeep::serve::StoredUsers;
use rustls::ServerConfig;
use serde_json::json;

use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::net::Message;
use crate::output::json_line;
use crate::serve::speaker::Protocol;
use crate::{note, places, tls};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Serve IMAP here; 127.0.0.1:1143 where nothing is said. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    imap: Option<SocketAddr>,
    /// Serve POP3 here.
    #[arg(long, value_name = "ADDR")]
    pop3: Option<SocketAddr>,
    /// Serve IMAP over TLS here.
    #[arg(long, value_name = "ADDR", requires = "certificate")]
    imaps: Option<SocketAddr>,
    /// Serve POP3 over TLS here.
    #[arg(long, value_name = "ADDR", requires = "certificate")]
    pop3s: Option<SocketAddr>,
    /// The server's certificate and those above it, PEM; with it STARTTLS is offered too.
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its key, PEM.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Clients at a time.
const MOST_CLIENTS: usize = 256;

pub(crate) fn run(db: &Path, arguments: Arguments, out: &mut impl Write) -> Result<(), Failure> {
    let engine = places::open(db)?;
    let certificate = match (&arguments.certificate, &arguments.key) {
        (Some(certificate), Some(key)) => Some(tls::server(certificate, key)?),
        _ => None,
    };
    let mut wanted = vec![
        (Protocol::Imap, arguments.imap, false),
        (Protocol::Pop3, arguments.pop3, false),
        (Protocol::Imap, arguments.imaps, true),
        (Protocol::Pop3, arguments.pop3s, true),
    ];
    if wanted.iter().all(|(_, address, _)| address.is_none()) {
        wanted[0].1 = Some(SocketAddr::from(([127, 0, 0, 1], 1143)));
    }
    let server = Server::new(&engine, certificate)?;
    for (protocol, address, encrypted) in wanted {
        let Some(address) = address else { continue };
        let bound = server.listen(protocol, address, encrypted)?;
        let name = format!("{}{}", protocol.name(), if encrypted { "s" } else { "" });
        if arguments.json {
            json_line(out, &json!({ "serves": name, "address": bound.to_string() }))?;
        } else {
            writeln!(out, "serving {name} on {bound}")?;
        }
    }
    out.flush()?;
    let interrupt = Interrupt::install()?;
    let (to, stopped) = mpsc::channel();
    interrupt.listen(to);
    // Nothing else is sent here; the channel's end would mean the same.
    let _ = stopped.recv();
    server.stop();
    Ok(())
}

/// A running server. Its clients end when it is stopped or dropped.
pub(crate) struct Server {
    shared: Arc<Shared>,
}

/// What listeners and clients share.
struct Shared {
    engine: Engine,
    users: StoredUsers,
    decoy: [u8; 32],
    certificate: Option<Arc<ServerConfig>>,
    clients: Mutex<Vec<Sender<Message>>>,
    count: AtomicUsize,
    stopped: AtomicBool,
    listeners: Mutex<Vec<SocketAddr>>,
}

impl Server {
    pub(crate) fn new(engine: &Engine, certificate: Option<Arc<ServerConfig>>) -> Result<Server, Failure> {
        let users = StoredUsers::new(engine);
        let shared = Arc::new(Shared {
            engine: engine.clone(),
            decoy: users.decoy()?,
            users,
            certificate,
            clients: Mutex::default(),
            count: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            listeners: Mutex::default(),
        });
        // The engine outlives the server or the other way round: neither keeps the other.
        let told: Weak<Shared> = Arc::downgrade(&shared);
        engine.set_watcher(Some(Arc::new(move |_| {
            if let Some(shared) = told.upgrade() {
                shared.tell_all(|| Message::Changed);
            }
        })));
        Ok(Server { shared })
    }

    /// Listens; gives the address, whose port may have been left open.
    pub(crate) fn listen(
        &self,
        protocol: Protocol,
        address: SocketAddr,
        encrypted: bool,
    ) -> Result<SocketAddr, Failure> {
        if !address.ip().is_loopback() && self.shared.certificate.is_none() {
            return Err(Failure::usage(format!(
                "{address} can be reached from elsewhere: give --certificate and --key, so that passwords are not sent in the clear"
            )));
        }
        let failed = |error: io::Error| Failure::network(format!("{address} cannot be listened on: {error}"));
        let listener = TcpListener::bind(address).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        lock(&self.shared.listeners).push(bound);
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || accept(&shared, &listener, protocol, encrypted));
        Ok(bound)
    }

    /// Ends every client and takes no more.
    pub(crate) fn stop(&self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.shared.engine.set_watcher(None);
        self.shared.tell_all(|| Message::Interrupted);
        for address in lock(&self.shared.listeners).drain(..) {
            // Wakes the listener, which looks whether it is to stop.
            let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
        }
        // What clients were told is out before the program ends.
        for _ in 0..100 {
            if self.shared.count.load(Ordering::SeqCst) == 0 {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.shared.stopped.load(Ordering::SeqCst) {
            self.stop();
        }
    }
}

impl Shared {
    fn tell_all(&self, message: impl Fn() -> Message) {
        lock(&self.clients).retain(|client| client.send(message()).is_ok());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The listener's thread.
fn accept(shared: &Arc<Shared>, listener: &TcpListener, protocol: Protocol, encrypted: bool) {
    loop {
        let accepted = listener.accept();
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok((socket, _)) = accepted else {
            // Out of file descriptors, say: those that are held will be given back.
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        if shared.count.fetch_add(1, Ordering::SeqCst) >= MOST_CLIENTS {
            shared.count.fetch_sub(1, Ordering::SeqCst);
            if !encrypted {
                let _ = (&socket).write_all(protocol.full());
            }
            continue;
        }
        let mine = Arc::clone(shared);
        let spawned = thread::Builder::new().spawn(move || {
            if let Err(error) = client::serve(&mine, socket, protocol, encrypted) {
                note(&format!("a client could not be served: {}", error.text));
            }
            mine.count.fetch_sub(1, Ordering::SeqCst);
        });
        if spawned.is_err() {
            shared.count.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

pub(crate) use speaker::Protocol as Serves;
