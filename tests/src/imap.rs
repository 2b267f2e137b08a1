//! An IMAP client of a few lines: enough to fill a server, to prod it, and to read back what a proxy did.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;

/// A message as a server should hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The RFC 5322 text.
    pub bytes: Vec<u8>,
    /// INTERNALDATE, in seconds since 1970.
    pub internal_date: i64,
    /// Flags and keywords as IMAP writes them.
    pub flags: Vec<String>,
}

/// What one command brought.
#[derive(Debug)]
pub struct Reply {
    /// Untagged responses and continuation requests, literals in place, without the final CRLF.
    pub untagged: Vec<Vec<u8>>,
    /// The tagged line after the tag, such as `OK done`.
    pub tagged: String,
}

impl Reply {
    /// All untagged responses as text, one a line.
    pub fn text(&self) -> String {
        self.untagged.iter().map(|l| String::from_utf8_lossy(l) + "\n").collect()
    }
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
    next_tag: u32,
    /// The greeting line.
    pub greeting: String,
}

impl Client {
    /// Connects to 127.0.0.1 and reads the greeting.
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap_or_else(|e| panic!("port {port}: {e}"));
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout can be set");
        stream.set_nodelay(true).expect("it is TCP");
        let mut client = Self { stream: BufReader::new(stream), next_tag: 0, greeting: String::new() };
        client.greeting = String::from_utf8_lossy(&client.response().expect("a greeting")).into_owned();
        client
    }

    /// Connects and logs in.
    pub fn login(port: u16, user: &str, password: &str) -> Self {
        let mut client = Self::connect(port);
        client.ok(&format!("LOGIN {} {}", quote(user), quote(password)));
        client
    }

    /// Sends a command and reads to its tagged answer.
    pub fn command(&mut self, command: &str) -> Reply {
        self.try_command(command).unwrap_or_else(|e| panic!("{command}: {e}"))
    }

    /// Like [`Client::command`], for connections that may be cut.
    pub fn try_command(&mut self, command: &str) -> std::io::Result<Reply> {
        let tag = self.send(command)?;
        self.answer(&tag)
    }

    /// Sends a command that must be answered OK.
    pub fn ok(&mut self, command: &str) -> Reply {
        let reply = self.command(command);
        assert!(reply.tagged.starts_with("OK"), "{command}: {}", reply.tagged);
        reply
    }

    /// Sends a command and returns its tag without waiting.
    pub fn send(&mut self, command: &str) -> std::io::Result<String> {
        let tag = self.tag();
        self.write(format!("{tag} {command}\r\n").as_bytes())?;
        Ok(tag)
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads to the tagged answer for `tag`.
    pub fn answer(&mut self, tag: &str) -> std::io::Result<Reply> {
        let mut untagged = Vec::new();
        loop {
            let line = self.response()?;
            match line.strip_prefix(tag.as_bytes()).and_then(|r| r.strip_prefix(b" ")) {
                Some(rest) => {
                    return Ok(Reply { untagged, tagged: String::from_utf8_lossy(rest).into_owned() });
                }
                None => untagged.push(line),
            }
        }
    }

    /// Appends one message, with a synchronizing literal; whether the server took it.
    pub fn append(&mut self, mailbox: &str, mail: &Mail) -> bool {
        let tag = self.send(&append_line(mailbox, mail, "")).expect("connection");
        if !self.response().expect("connection").starts_with(b"+") {
            return false;
        }
        self.write(&mail.bytes).and_then(|()| self.write(b"\r\n")).expect("connection");
        self.answer(&tag).expect("connection").tagged.starts_with("OK")
    }

    /// Appends many, pipelined by LITERAL+; the server must have it.
    pub fn append_all(&mut self, mailbox: &str, mails: impl IntoIterator<Item = Mail>) {
        let mut waiting = Vec::new();
        for mail in mails {
            let tag = self.send(&append_line(mailbox, &mail, "+")).expect("connection");
            self.write(&mail.bytes).and_then(|()| self.write(b"\r\n")).expect("connection");
            waiting.push(tag);
            if waiting.len() == 16 {
                self.finish_appends(mailbox, &mut waiting);
            }
        }
        self.finish_appends(mailbox, &mut waiting);
    }

    fn finish_appends(&mut self, mailbox: &str, waiting: &mut Vec<String>) {
        for tag in waiting.drain(..) {
            let reply = self.answer(&tag).expect("connection");
            assert!(reply.tagged.starts_with("OK"), "APPEND {mailbox}: {}", reply.tagged);
        }
    }

    /// Reads one whole response, literals included.
    pub fn response(&mut self) -> std::io::Result<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let start = whole.len();
            self.stream.read_until(b'\n', &mut whole)?;
            let Some(line) = whole[start..].strip_suffix(b"\r\n") else {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            };
            let Some(size) = literal_size(line) else {
                whole.truncate(whole.len() - 2);
                return Ok(whole);
            };
            let from = whole.len();
            whole.resize(from + size.bytes as usize, 0);
            self.stream.read_exact(&mut whole[from..])?;
        }
    }

    fn tag(&mut self) -> String {
        self.next_tag += 1;
        format!("t{}", self.next_tag)
    }
}

fn append_line(mailbox: &str, mail: &Mail, plus: &str) -> String {
    let (flags, date) = (mail.flags.join(" "), date_time(mail.internal_date));
    format!("APPEND {} ({flags}) \"{date}\" {{{}{plus}}}", mailbox_name(mailbox), mail.bytes.len())
}

/// A literal's announcement at the end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiteralSize {
    /// How many bytes follow the line's CRLF.
    pub bytes: u64,
    /// Whether the sender does not wait (`{n+}`).
    pub non_sync: bool,
}

/// The literal that a line, without its CRLF, announces at its end.
pub fn literal_size(line: &[u8]) -> Option<LiteralSize> {
    let inside = line.strip_suffix(b"}")?;
    let open = inside.iter().rposition(|&b| b == b'{')?;
    let digits = std::str::from_utf8(&inside[open + 1..]).ok()?;
    let (digits, non_sync) = match digits.strip_suffix('+') {
        Some(digits) => (digits, true),
        None => (digits, false),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten().map(|bytes| LiteralSize { bytes, non_sync })
}

/// A quoted string.
pub fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A mailbox name as a command's argument: modified UTF-7, quoted.
pub fn mailbox_name(name: &str) -> String {
    quote(&modified_utf7(name))
}

/// RFC 3501 §5.1.3.
pub fn modified_utf7(name: &str) -> String {
    let base64 = base64::engine::general_purpose::STANDARD_NO_PAD;
    let mut out = String::new();
    let mut pending: Vec<u8> = Vec::new();
    let flush = |pending: &mut Vec<u8>, out: &mut String| {
        if !pending.is_empty() {
            out.push_str(&format!("&{}-", base64.encode(&*pending).replace('/', ",")));
            pending.clear();
        }
    };
    for c in name.chars() {
        if (' '..='~').contains(&c) {
            flush(&mut pending, &mut out);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            let mut units = [0; 2];
            pending.extend(c.encode_utf16(&mut units).iter().flat_map(|u| u.to_be_bytes()));
        }
    }
    flush(&mut pending, &mut out);
    out
}

/// An IMAP date-time in UTC (RFC 9051 §9).
pub fn date_time(seconds: i64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    format!("{day:02}-{}-{year:04} {h:02}:{m:02}:{s:02} +0000", MONTHS[month as usize - 1])
}

/// Days since 1970 as year, month, day.
pub fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
}

/// Year, month, day as days since 1970: the inverse of [`civil`].
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    year.div_euclid(400) * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_seen_only_at_the_end_of_a_line() {
        let size = |bytes, non_sync| Some(LiteralSize { bytes, non_sync });
        assert_eq!(literal_size(b"a APPEND x {12}"), size(12, false));
        assert_eq!(literal_size(b"a APPEND x {12+}"), size(12, true));
        assert_eq!(literal_size(b"{12} x"), None);
        assert_eq!(literal_size(b"{}"), None);
        assert_eq!(literal_size(b"{-1}"), None);
    }

    #[test]
    fn dates_go_there_and_back() {
        assert_eq!(date_time(0), "01-Jan-1970 00:00:00 +0000");
        assert_eq!(date_time(951_782_400), "29-Feb-2000 00:00:00 +0000");
        for day in (-200_000..200_000).step_by(97) {
            let (y, m, d) = civil(day);
            assert_eq!(days(y, m, d), day);
        }
    }

    #[test]
    fn mailbox_names_are_modified_utf7() {
        assert_eq!(modified_utf7("Entwürfe & mehr"), "Entw&APw-rfe &- mehr");
        assert_eq!(modified_utf7("日本"), "&ZeVnLA-");
    }
}
