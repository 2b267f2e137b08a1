//! Commands, and how they are said.

use md5::{Digest, Md5};

use crate::error::{Error, Result};
use crate::sasl::Secret;

/// Octets of a command line with its CRLF (RFC 2449 §4).
pub const LONGEST: usize = 255;

/// A command.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Command {
    /// `CAPA` (RFC 2449 §5)
    Capa,
    /// `STLS` (RFC 2595 §4)
    Stls,
    /// `UTF8` (RFC 6856 §2.1)
    Utf8,
    /// `USER name` (RFC 1939 §7)
    User(String),
    /// `PASS string` (RFC 1939 §7)
    Pass(Secret),
    /// `APOP name digest` (RFC 1939 §7)
    Apop {
        /// The user's name.
        user: String,
        /// The digest of the greeting's timestamp and the password, in hexadecimal.
        digest: String,
    },
    /// `AUTH mechanism [initial-response]` (RFC 5034 §4). The response is in base64 already.
    Auth {
        /// The mechanism's registered name.
        mechanism: &'static str,
        /// The client's first message, where it goes with the command.
        initial: Option<Secret>,
    },
    /// `STAT`
    Stat,
    /// `LIST [msg]`
    List(Option<u32>),
    /// `UIDL [msg]`
    Uidl(Option<u32>),
    /// `TOP msg n`
    Top {
        /// The message's number in this session.
        message: u32,
        /// Lines of the body.
        lines: u32,
    },
    /// `RETR msg`
    Retr(u32),
    /// `DELE msg`
    Dele(u32),
    /// `RSET`
    Rset,
    /// `NOOP`
    Noop,
    /// `QUIT`
    Quit,
}

/// What follows a `+OK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: the line is all.
    Line,
    /// Lines up to a lone dot.
    Lines,
    /// A text up to a lone dot, handed on while it arrives.
    Text,
    /// Nothing; but before it the server may challenge.
    Exchange,
}

impl Command {
    /// What follows its `+OK`.
    pub fn answer(&self) -> Answer {
        match self {
            Command::Capa | Command::List(None) | Command::Uidl(None) => Answer::Lines,
            Command::Top { .. } | Command::Retr(_) => Answer::Text,
            Command::Auth { .. } => Answer::Exchange,
            _ => Answer::Line,
        }
    }

    /// Appends the command's line to `out`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a name or password cannot be said on one line.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Command::Capa => out.extend_from_slice(b"CAPA"),
            Command::Stls => out.extend_from_slice(b"STLS"),
            Command::Utf8 => out.extend_from_slice(b"UTF8"),
            Command::User(user) => {
                line_safe("user name", user)?;
                out.extend_from_slice(b"USER ");
                out.extend_from_slice(user.as_bytes());
            }
            Command::Pass(password) => {
                line_safe("password", password.expose())?;
                out.extend_from_slice(b"PASS ");
                out.extend_from_slice(password.expose().as_bytes());
            }
            Command::Apop { user, digest } => {
                line_safe("user name", user)?;
                if user.contains(' ') {
                    return Err(unsayable("user name", "APOP cannot say a space"));
                }
                out.extend_from_slice(format!("APOP {user} {digest}").as_bytes());
            }
            Command::Auth { mechanism, initial } => {
                out.extend_from_slice(b"AUTH ");
                out.extend_from_slice(mechanism.as_bytes());
                if let Some(initial) = initial {
                    out.push(b' ');
                    out.extend_from_slice(initial.expose().as_bytes());
                }
            }
            Command::Stat => out.extend_from_slice(b"STAT"),
            Command::List(message) => numbered(out, "LIST", *message),
            Command::Uidl(message) => numbered(out, "UIDL", *message),
            Command::Top { message, lines } => {
                out.extend_from_slice(format!("TOP {message} {lines}").as_bytes());
            }
            Command::Retr(message) => numbered(out, "RETR", Some(*message)),
            Command::Dele(message) => numbered(out, "DELE", Some(*message)),
            Command::Rset => out.extend_from_slice(b"RSET"),
            Command::Noop => out.extend_from_slice(b"NOOP"),
            Command::Quit => out.extend_from_slice(b"QUIT"),
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }
}

fn numbered(out: &mut Vec<u8>, word: &str, message: Option<u32>) {
    out.extend_from_slice(word.as_bytes());
    if let Some(message) = message {
        out.extend_from_slice(format!(" {message}").as_bytes());
    }
}

/// Refuses what would end the line, or be cut by the server.
fn line_safe(what: &'static str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(unsayable(what, "it is empty"));
    }
    if text.bytes().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
        return Err(unsayable(what, "it holds a line end or a NUL"));
    }
    Ok(())
}

fn unsayable(what: &'static str, why: &str) -> Error {
    Error::Invalid { what, why: why.to_owned() }
}

/// What APOP says of a password: the MD5 of the greeting's timestamp and the password (RFC 1939 §7).
pub(crate) fn apop_digest(timestamp: &[u8], password: &Secret) -> String {
    let mut hash = Md5::new();
    hash.update(timestamp);
    hash.update(password.expose().as_bytes());
    hash.finalize().iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Answer, Command, apop_digest};
    use crate::sasl::Secret;

    fn said(command: &Command) -> String {
        let mut out = Vec::new();
        command.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn commands_as_they_are_said() {
        let digest = "c4c9334bac560ecc979e58001b3e22fb".to_owned();
        let cases = [
            (Command::Capa, "CAPA", Answer::Lines),
            (Command::User("mrose".into()), "USER mrose", Answer::Line),
            (Command::Pass(Secret::new("tan staaf")), "PASS tan staaf", Answer::Line),
            (
                Command::Apop { user: "mrose".into(), digest },
                "APOP mrose c4c9334bac560ecc979e58001b3e22fb",
                Answer::Line,
            ),
            (Command::Auth { mechanism: "CRAM-MD5", initial: None }, "AUTH CRAM-MD5", Answer::Exchange),
            (
                Command::Auth { mechanism: "PLAIN", initial: Some(Secret::new("AGEAYg==")) },
                "AUTH PLAIN AGEAYg==",
                Answer::Exchange,
            ),
            (Command::List(None), "LIST", Answer::Lines),
            (Command::List(Some(2)), "LIST 2", Answer::Line),
            (Command::Uidl(None), "UIDL", Answer::Lines),
            (Command::Uidl(Some(1)), "UIDL 1", Answer::Line),
            (Command::Top { message: 3, lines: 10 }, "TOP 3 10", Answer::Text),
            (Command::Retr(4), "RETR 4", Answer::Text),
            (Command::Dele(5), "DELE 5", Answer::Line),
            (Command::Quit, "QUIT", Answer::Line),
        ];
        for (command, line, answer) in cases {
            assert_eq!(said(&command), format!("{line}\r\n"));
            assert_eq!(command.answer(), answer, "{line}");
        }
    }

    #[test]
    fn note_36_no_line_end_is_injected() {
        for text in ["a\r\nDELE 1", "a\nb", "a\0b", "", "\r"] {
            for command in [
                Command::User(text.into()),
                Command::Pass(Secret::new(text)),
                Command::Apop { user: text.into(), digest: String::new() },
            ] {
                let mut out = Vec::new();
                assert!(command.write(&mut out).is_err(), "{text:?}");
            }
        }
        assert!(Command::Apop { user: "a b".into(), digest: "0".into() }.write(&mut Vec::new()).is_err());
    }

    #[test]
    fn the_digest_of_rfc_1939() {
        let digest = apop_digest(b"<1896.697170952@dbc.mtview.ca.us>", &Secret::new("tanstaaf"));
        assert_eq!(digest, "c4c9334bac560ecc979e58001b3e22fb");
    }
}
