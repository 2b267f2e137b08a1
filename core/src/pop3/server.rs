//! Commands as a server reads them (RFC 1939 §3, RFC 2449 §4).
//!
//! Keywords compare without case. Between words any number of blanks is taken for one; but a name and a password go
//! to the end of their line, blanks included, since both may hold some (RFC 1939 §7).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::pop3::command::Command;
use crate::sasl::{Mechanism, Secret};

/// Why a line is no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadCommand {
    /// A word that is no command's.
    #[error("that command is not known here")]
    Unknown,
    /// Arguments that are missing, too many, or no numbers.
    #[error("that command is said in another way")]
    Arguments,
    /// Octets that are not UTF-8, where text must be.
    #[error("names and passwords are written in UTF-8")]
    NotUtf8,
    /// AUTH with a mechanism that is not known.
    #[error("that mechanism is not known here")]
    Mechanism,
}

/// Reads a line without its end. The initial response of AUTH stays in base64; see [`response`].
///
/// # Errors
/// [`BadCommand`]: the line is to be answered `-ERR`.
pub fn parse(line: &[u8]) -> Result<Command, BadCommand> {
    let end = line.iter().position(|b| *b == b' ').unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    match word.to_ascii_uppercase().as_slice() {
        b"USER" => Ok(Command::User(text(rest)?.to_owned())),
        b"PASS" => Ok(Command::Pass(Secret::new(text(rest)?))),
        word => with_words(word, rest),
    }
}

fn with_words(word: &[u8], rest: &[u8]) -> Result<Command, BadCommand> {
    let words: Vec<&[u8]> = rest.split(|b| *b == b' ').filter(|word| !word.is_empty()).take(3).collect();
    let command = match (word, words.as_slice()) {
        (b"CAPA", []) => Command::Capa,
        (b"STLS", []) => Command::Stls,
        (b"UTF8", []) => Command::Utf8,
        (b"APOP", [user, digest]) => {
            Command::Apop { user: text(user)?.to_owned(), digest: text(digest)?.to_ascii_lowercase() }
        }
        (b"AUTH", [mechanism, initial @ ..]) if initial.len() < 2 => {
            let mechanism = std::str::from_utf8(mechanism).ok().and_then(Mechanism::from_name);
            let mechanism = mechanism.ok_or(BadCommand::Mechanism)?.name();
            let initial = initial.first().map(|initial| text(initial).map(Secret::new)).transpose()?;
            Command::Auth { mechanism, initial }
        }
        (b"STAT", []) => Command::Stat,
        (b"LIST", []) => Command::List(None),
        (b"LIST", [message]) => Command::List(Some(number(message)?)),
        (b"UIDL", []) => Command::Uidl(None),
        (b"UIDL", [message]) => Command::Uidl(Some(number(message)?)),
        (b"TOP", [message, lines]) => Command::Top { message: number(message)?, lines: number(lines)? },
        (b"RETR", [message]) => Command::Retr(number(message)?),
        (b"DELE", [message]) => Command::Dele(number(message)?),
        (b"RSET", []) => Command::Rset,
        (b"NOOP", []) => Command::Noop,
        (b"QUIT", []) => Command::Quit,
        (
            b"CAPA" | b"STLS" | b"UTF8" | b"APOP" | b"AUTH" | b"STAT" | b"LIST" | b"UIDL" | b"TOP" | b"RETR"
            | b"DELE" | b"RSET" | b"NOOP" | b"QUIT",
            _,
        ) => return Err(BadCommand::Arguments),
        _ => return Err(BadCommand::Unknown),
    };
    Ok(command)
}

/// A SASL response's octets (RFC 5034 §4): base64, and `=` for an initial one of nothing. `None` where it is
/// not that. It may hold a password.
pub fn response(text: &[u8], initial: bool) -> Option<Zeroizing<Vec<u8>>> {
    let nothing = initial && text == b"=";
    if nothing { Some(Zeroizing::default()) } else { STANDARD.decode(text).ok().map(Zeroizing::new) }
}

fn text(octets: &[u8]) -> Result<&str, BadCommand> {
    let text = std::str::from_utf8(octets).map_err(|_| BadCommand::NotUtf8)?;
    if text.is_empty() { Err(BadCommand::Arguments) } else { Ok(text) }
}

/// What is larger than any number here stands for the largest.
fn number(word: &[u8]) -> Result<u32, BadCommand> {
    if !word.iter().all(u8::is_ascii_digit) {
        return Err(BadCommand::Arguments);
    }
    let digits = word.iter().map(|b| u32::from(b - b'0'));
    Ok(digits.fold(0, |n: u32, digit| n.saturating_mul(10).saturating_add(digit)))
}

#[cfg(test)]
mod tests {
    use super::{BadCommand, parse, response};

    #[test]
    fn what_is_said_is_what_is_read() {
        for line in [
            "CAPA",
            "STLS",
            "UTF8",
            "USER mrose",
            "USER two words ",
            "PASS  tan staaf ",
            "PASS grün",
            "APOP mrose c4c9334bac560ecc979e58001b3e22fb",
            "AUTH PLAIN",
            "AUTH SCRAM-SHA-256 biws",
            "AUTH PLAIN =",
            "STAT",
            "LIST",
            "LIST 2",
            "UIDL",
            "UIDL 4294967295",
            "TOP 1 0",
            "RETR 0",
            "DELE 7",
            "RSET",
            "NOOP",
            "QUIT",
        ] {
            let mut said = Vec::new();
            parse(line.as_bytes()).expect(line).write(&mut said).expect(line);
            assert_eq!(String::from_utf8_lossy(&said), format!("{line}\r\n"));
        }
        for (line, said) in [
            ("retr  3 ", "RETR 3\r\n"),
            ("Top 1  2", "TOP 1 2\r\n"),
            ("auth plain", "AUTH PLAIN\r\n"),
            ("RETR 99999999999999999999", "RETR 4294967295\r\n"),
            ("APOP a C4C9", "APOP a c4c9\r\n"),
        ] {
            let mut out = Vec::new();
            parse(line.as_bytes()).expect(line).write(&mut out).expect(line);
            assert_eq!(String::from_utf8_lossy(&out), said);
        }
    }

    #[test]
    fn what_is_no_command() {
        use BadCommand::*;
        for (line, expected) in [
            (&b""[..], Unknown),
            (b" ", Unknown),
            (b" NOOP", Unknown),
            (b"XTND", Unknown),
            (b"GET / HTTP/1.1", Unknown),
            (b"NOOP\0", Unknown),
            (b"USER", Arguments),
            (b"USER ", Arguments),
            (b"USER a\xff", NotUtf8),
            (b"PASS", Arguments),
            (b"PASS \xe9", NotUtf8),
            (b"APOP a", Arguments),
            (b"APOP a b c", Arguments),
            (b"AUTH", Arguments),
            (b"AUTH PLAIN a b", Arguments),
            (b"AUTH GSSAPI", Mechanism),
            (b"AUTH \xff", Mechanism),
            (b"RETR", Arguments),
            (b"RETR -1", Arguments),
            (b"RETR +1", Arguments),
            (b"RETR x", Arguments),
            (b"RETR 1 2", Arguments),
            (b"TOP 1", Arguments),
            (b"TOP 1 -1", Arguments),
            (b"LIST 1 2", Arguments),
            (b"STAT 1", Arguments),
            (b"QUIT now", Arguments),
            (b"CAPA x", Arguments),
        ] {
            assert_eq!(parse(line).unwrap_err(), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn responses() {
        for (text, initial, octets) in
            [(&b"="[..], true, &b""[..]), (b"", false, b""), (b"AGE=", false, b"\0a")]
        {
            assert_eq!(response(text, initial).as_deref().map(Vec::as_slice), Some(octets));
        }
        for (text, initial) in [(&b"="[..], false), (b"*", true), (b"A", false), (b"AG E=", false)] {
            assert_eq!(response(text, initial), None, "{}", text.escape_ascii());
        }
    }
}
