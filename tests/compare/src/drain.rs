//! The least that a client could do: fetch everything into one file, and look at nothing.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

/// The first argument of a process that drains a mailbox.
pub const CHILD: &str = "--as-drain";

/// Octets between two syncs of the file.
const BATCH: usize = 8 << 20;

/// The arguments of a process that drains the INBOX of an account on 127.0.0.1.
pub fn arguments(port: u16, user: &str, password: &str, file: &Path, compress: bool) -> Vec<OsString> {
    let compress = if compress { "deflate" } else { "plain" };
    let words: [OsString; 6] =
        [CHILD.into(), port.to_string().into(), user.into(), password.into(), compress.into(), file.into()];
    words.into()
}

/// The draining process.
pub fn child(arguments: &[OsString]) {
    let [port, user, password, compress, file] = arguments else { panic!("five arguments are needed") };
    let text = |word: &OsString| word.to_str().expect("UTF-8").to_owned();
    let port = text(port).parse().expect("a port");
    let compress = text(compress) == "deflate";
    drain(port, &text(user), &text(password), Path::new(file), compress).expect("the server drains");
}

fn drain(port: u16, user: &str, password: &str, file: &Path, compress: bool) -> io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    answer(&mut stream, "*")?;
    command(&mut stream, "a", &format!("LOGIN {user} {password}"))?;
    command(&mut stream, "b", "EXAMINE INBOX")?;
    let mut fetch =
        format!("{LAST} UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])\r\n").into_bytes();
    let mut inflate = None;
    if compress {
        command(&mut stream, "c", "COMPRESS DEFLATE")?;
        let mut out = Vec::with_capacity(1024);
        Compress::new(Compression::default(), false).compress_vec(&fetch, &mut out, FlushCompress::Sync)?;
        fetch = out;
        inflate = Some(Decompress::new(false));
    }
    stream.write_all(&fetch)?;
    let mut sink = Sink { file: File::create(file)?, waiting: 0, tail: Vec::new() };
    let mut input = vec![0; 256 << 10];
    let mut plain = Vec::with_capacity(256 << 10);
    while !sink.is_done() {
        let len = stream.read(&mut input)?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match &mut inflate {
            None => sink.take(&input[..len])?,
            Some(inflate) => {
                let mut rest = &input[..len];
                loop {
                    let before = inflate.total_in();
                    plain.clear();
                    inflate.decompress_vec(rest, &mut plain, FlushDecompress::None)?;
                    rest = &rest[(inflate.total_in() - before) as usize..];
                    sink.take(&plain)?;
                    if rest.is_empty() && plain.len() < plain.capacity() {
                        break;
                    }
                }
            }
        }
    }
    sink.file.sync_data()
}

/// A tag that no mail has at the beginning of a line.
const LAST: &str = "mailkeepdrainz";

/// Where the mail goes.
struct Sink {
    file: File,
    waiting: usize,
    /// The last octets that came.
    tail: Vec<u8>,
}

impl Sink {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.waiting += bytes.len();
        if self.waiting >= BATCH {
            self.file.sync_data()?;
            self.waiting = 0;
        }
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(256)..]);
        self.tail.drain(..self.tail.len().saturating_sub(256));
        Ok(())
    }

    /// Whether the tagged answer has come.
    fn is_done(&self) -> bool {
        let Some(text) = self.tail.strip_suffix(b"\r\n") else { return false };
        let line = text.rsplit(|&b| b == b'\n').next().unwrap_or_default();
        let Some(said) = line.strip_prefix(LAST.as_bytes()) else { return false };
        assert!(said.starts_with(b" OK"), "{}", String::from_utf8_lossy(line));
        true
    }
}

fn command(stream: &mut TcpStream, tag: &str, text: &str) -> io::Result<()> {
    stream.write_all(format!("{tag} {text}\r\n").as_bytes())?;
    answer(stream, tag)
}

/// Reads lines up to one that begins with `tag` and must say OK. Nothing is sent ahead, so nothing comes behind it.
fn answer(stream: &mut TcpStream, tag: &str) -> io::Result<()> {
    let mut text = Vec::new();
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte)?;
        if byte[0] != b'\n' {
            text.push(byte[0]);
            continue;
        }
        let line = String::from_utf8_lossy(&text).into_owned();
        text.clear();
        if let Some(said) = line.strip_prefix(tag).and_then(|rest| rest.strip_prefix(' ')) {
            return if said.starts_with("OK") { Ok(()) } else { Err(io::Error::other(line)) };
        }
    }
}
