//! The least that a POP3 client could do: every RETR in one go into one file, and no look at what comes.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;

use memchr::memmem;

/// The first argument of a process that drains a maildrop.
pub const CHILD: &str = "--as-pop-drain";

/// Octets between two syncs of the file.
const BATCH: usize = 8 << 20;

/// The arguments of a process that drains the maildrop of a user on 127.0.0.1.
pub fn arguments(port: u16, user: &str, password: &str, file: &Path) -> Vec<OsString> {
    let words: [OsString; 5] =
        [CHILD.into(), port.to_string().into(), user.into(), password.into(), file.into()];
    words.into()
}

/// The draining process.
pub fn child(arguments: &[OsString]) {
    let [port, user, password, file] = arguments else { panic!("four arguments are needed") };
    let text = |word: &OsString| word.to_str().expect("UTF-8").to_owned();
    let port = text(port).parse().expect("a port");
    drain(port, &text(user), &text(password), Path::new(file)).expect("the server drains");
}

fn drain(port: u16, user: &str, password: &str, file: &Path) -> io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    line(&mut answers)?;
    for command in [format!("USER {user}"), format!("PASS {password}"), "STAT".to_owned()] {
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        let answer = line(&mut answers)?;
        if command != "STAT" {
            continue;
        }
        let count = answer.split(' ').nth(1).and_then(|n| n.parse().ok());
        let count: usize = count.ok_or_else(|| io::Error::other(answer))?;
        let mut asking = stream.try_clone()?;
        let commands: String = (1..=count).map(|n| format!("RETR {n}\r\n")).collect();
        thread::spawn(move || asking.write_all(commands.as_bytes()));
        return take(stream, count, file);
    }
    Ok(())
}

/// Writes what comes until so many messages have ended. An end is a line with a dot, which is stuffed elsewhere.
fn take(mut stream: TcpStream, count: usize, file: &Path) -> io::Result<()> {
    const END: &[u8] = b"\r\n.\r\n";
    let mut file = File::create(file)?;
    let finder = memmem::Finder::new(END);
    let mut input = vec![0; 256 << 10];
    let (mut kept, mut waiting, mut ended) = (0, 0, 0);
    while ended < count {
        let len = stream.read(&mut input[kept..])?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.write_all(&input[kept..kept + len])?;
        waiting += len;
        if waiting >= BATCH {
            file.sync_data()?;
            waiting = 0;
        }
        let filled = kept + len;
        let mut last = 0;
        for at in finder.find_iter(&input[..filled]) {
            ended += 1;
            last = at + END.len();
        }
        // The beginning of an end may have come, but no part of one that was counted.
        kept = (END.len() - 1).min(filled - last);
        input.copy_within(filled - kept..filled, 0);
    }
    file.sync_data()
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    if line.starts_with("+OK") { Ok(line) } else { Err(io::Error::other(line)) }
}
