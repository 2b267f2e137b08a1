//! The transport: a socket that a thread reads, TLS on top of it or not.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use mailkeep::sasl::ChannelBinding;
use mailkeep::{AccountSettings, CommitDone, Security};
use rustls::Connection as Tls;

use crate::exit::Failure;
use crate::tls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Buffers between the reader and the session: when all are full, the socket waits.
const BUFFERS: usize = 4;
const BUFFER: usize = 256 * 1024;
/// The same for each of many clients.
const SMALL_BUFFER: usize = 32 * 1024;

/// What a session waits for.
pub(crate) enum Message {
    /// Octets from the socket: the first so many of the buffer, which is given back with [`Transport::done_with`].
    Input(Vec<u8>, usize),
    /// The socket has no more.
    Ended,
    /// A commit was run.
    Committed(CommitDone),
    /// The user wants to stop.
    Interrupted,
    /// The mail that is served has changed.
    Changed,
}

/// A connection's bytes, both ways.
pub(crate) struct Transport {
    socket: TcpStream,
    tls: Option<Tls>,
    host: String,
    ca: Option<PathBuf>,
    free: Sender<Vec<u8>>,
    /// The other end has gone; what it said before is still to be read.
    deaf: bool,
}

impl Transport {
    /// Connects. What comes is sent as [`Message`]s; with [`Security::Tls`] the handshake is begun.
    pub(crate) fn connect(
        settings: &AccountSettings,
        ca: Option<&Path>,
        to: Sender<Message>,
    ) -> Result<Transport, Failure> {
        let host = settings.host.clone();
        let socket = dial(&host, settings.port)?;
        let broken =
            |error: io::Error| Failure::network(format!("the connection to {host} cannot be used: {error}"));
        socket.set_nodelay(true).map_err(broken)?;
        socket.set_write_timeout(Some(WRITE_TIMEOUT)).map_err(broken)?;
        let mut transport = Transport::over(socket, host.clone(), BUFFER, to).map_err(broken)?;
        transport.ca = ca.map(Path::to_owned);
        if settings.security == Security::Tls {
            transport.start_tls()?;
        }
        Ok(transport)
    }

    /// Over a connection that a client made.
    pub(crate) fn accepted(socket: TcpStream, to: Sender<Message>) -> io::Result<Transport> {
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let peer = socket.peer_addr()?.to_string();
        Transport::over(socket, peer, SMALL_BUFFER, to)
    }

    fn over(socket: TcpStream, host: String, buffer: usize, to: Sender<Message>) -> io::Result<Transport> {
        let reading = socket.try_clone()?;
        let (free, buffers) = mpsc::channel();
        for _ in 0..BUFFERS {
            let _ = free.send(vec![0; buffer]);
        }
        thread::spawn(move || read_all(reading, &buffers, &to));
        Ok(Transport { socket, tls: None, host, ca: None, free, deaf: false })
    }

    /// Begins a TLS handshake.
    pub(crate) fn start_tls(&mut self) -> Result<(), Failure> {
        let session = tls::session(&self.host, self.ca.as_deref())?;
        self.encrypt(session.into());
        Ok(())
    }

    /// Begins a TLS handshake, on either side.
    pub(crate) fn encrypt(&mut self, session: Tls) {
        self.tls = Some(session);
        self.flush_tls();
    }

    /// Whether nothing reaches the other end any more.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// Whether the handshake is under way.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Whether TLS stands or is begun.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// What ties a login to this connection.
    pub(crate) fn binding(&self) -> Option<ChannelBinding> {
        self.tls.as_ref().and_then(tls::binding)
    }

    /// Sends all of it. A broken connection shows when reading: the server may have said why.
    pub(crate) fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.deaf {
            match &mut self.tls {
                Some(tls) => {
                    let taken = tls.writer().write(bytes).unwrap_or(0);
                    bytes = &bytes[taken..];
                    self.flush_tls();
                }
                None => {
                    self.deaf = self.socket.write_all(bytes).is_err();
                    return;
                }
            }
        }
    }

    /// Appends what octets from the socket say to `plain`.
    pub(crate) fn receive(&mut self, mut raw: &[u8], plain: &mut Vec<u8>) -> Result<(), Failure> {
        let Some(tls) = &mut self.tls else {
            plain.extend_from_slice(raw);
            return Ok(());
        };
        let mut outcome = Ok(());
        while !raw.is_empty() && outcome.is_ok() {
            let taken = tls.read_tls(&mut raw).unwrap_or(0);
            outcome = tls.process_new_packets().map(|_| ());
            // It ends with WouldBlock, or with 0 after the server's farewell.
            let _ = tls.reader().read_to_end(plain);
            if taken == 0 {
                break;
            }
        }
        // An alert that tells the server why, where there is one.
        self.flush_tls();
        outcome.map_err(|error| tls::failure(&self.host, &error))
    }

    /// Gives a buffer back to the reader.
    pub(crate) fn done_with(&self, buffer: Vec<u8>) {
        let _ = self.free.send(buffer);
    }

    fn flush_tls(&mut self) {
        let Some(tls) = &mut self.tls else { return };
        while tls.wants_write() && !self.deaf {
            self.deaf = tls.write_tls(&mut self.socket).is_err();
        }
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.flush_tls();
        // Ends the reader too.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// The reader's thread.
fn read_all(mut socket: TcpStream, free: &Receiver<Vec<u8>>, to: &Sender<Message>) {
    while let Ok(mut buffer) = free.recv() {
        let message = match socket.read(&mut buffer) {
            Ok(0) => Message::Ended,
            Ok(n) => Message::Input(buffer, n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Message::Input(buffer, 0),
            Err(_) => Message::Ended,
        };
        let ended = matches!(message, Message::Ended);
        if to.send(message).is_err() || ended {
            return;
        }
    }
}

/// Tries the host's addresses in turn.
fn dial(host: &str, port: u16) -> Result<TcpStream, Failure> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| {
        Failure::network(format!("the host {host} is not found ({error}); check --host and the network"))
    })?;
    let mut failed = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = Some(error),
        }
    }
    let Some(error) = failed else {
        return Err(Failure::network(format!("the host {host} has no address")));
    };
    Err(Failure::network(match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("{host} refuses connections on port {port}; check --port and that the server runs")
        }
        io::ErrorKind::TimedOut => {
            format!("{host} does not answer on port {port}; check --port and the network")
        }
        _ => format!("{host}, port {port}, cannot be reached: {error}"),
    }))
}
