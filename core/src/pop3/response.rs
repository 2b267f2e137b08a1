//! Status lines and the entries of lists.

/// A response code (RFC 2449 §8, RFC 3206, RFC 6856 §5): what a refusal means to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// `IN-USE`: another session has the maildrop.
    InUse,
    /// `LOGIN-DELAY`: too soon after the last login.
    LoginDelay,
    /// `SYS/TEMP`: not now.
    SystemTemporary,
    /// `SYS/PERM`: not before a person does something.
    SystemPermanent,
    /// `AUTH`: the credentials are wrong.
    Auth,
    /// `UTF8`: not without UTF8 mode.
    Utf8,
}

/// A status line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status<'a> {
    /// `+OK`, and not `-ERR`.
    pub ok: bool,
    /// The response code, where there is one that is known.
    pub code: Option<Code>,
    /// The rest of the line.
    pub text: &'a [u8],
}

impl<'a> Status<'a> {
    /// Reads a status line; `None` where it is none. Case does not count: servers answer `+ok`.
    pub fn parse(line: &'a [u8]) -> Option<Status<'a>> {
        let (ok, rest) =
            if let Some(rest) = strip(line, b"+OK") { (true, rest) } else { (false, strip(line, b"-ERR")?) };
        if !matches!(rest.first(), None | Some(b' ' | b'\t')) {
            return None;
        }
        let rest = rest.trim_ascii();
        let (code, text) = if ok { (None, rest) } else { split_code(rest) };
        Some(Status { ok, code, text })
    }

    /// The text for a person, of at most `limit` octets, without controls.
    pub fn shown(&self, limit: usize) -> String {
        let text = &self.text[..self.text.len().min(limit)];
        let text = String::from_utf8_lossy(text).replace(|c: char| c.is_control(), " ");
        if text.is_empty() { "no reason given".into() } else { text }
    }
}

fn strip<'a>(line: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = line.split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word).then_some(rest)
}

fn split_code(text: &[u8]) -> (Option<Code>, &[u8]) {
    let Some(inside) = text.strip_prefix(b"[") else { return (None, text) };
    let Some(end) = inside.iter().position(|b| *b == b']') else { return (None, text) };
    let code = match inside[..end].to_ascii_uppercase().as_slice() {
        b"IN-USE" => Code::InUse,
        b"LOGIN-DELAY" => Code::LoginDelay,
        b"SYS/TEMP" => Code::SystemTemporary,
        b"SYS/PERM" => Code::SystemPermanent,
        b"AUTH" => Code::Auth,
        b"UTF8" => Code::Utf8,
        // An unknown code is not hidden from whoever reads the text.
        _ => return (None, text),
    };
    (Some(code), inside[end + 1..].trim_ascii())
}

/// A challenge of an authentication exchange (RFC 5034 §4): what stands behind `+ `, still in base64.
pub fn challenge(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"+")?;
    // Some leave out the space where nothing follows.
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b" ") }
}

/// The greeting's timestamp for APOP, angle brackets included (RFC 1939 §7).
pub fn timestamp(text: &[u8]) -> Option<&[u8]> {
    let begin = text.iter().position(|b| *b == b'<')?;
    let length = text[begin..].iter().position(|b| *b == b'>')?;
    let stamp = &text[begin..=begin + length];
    // It has the form of a Message-ID: anything else is prose between brackets.
    let fits = stamp.contains(&b'@') && stamp.iter().all(u8::is_ascii_graphic);
    fits.then_some(stamp)
}

/// The number and the first word behind it of a list's entry.
fn entry(line: &[u8]) -> Option<(u32, &[u8])> {
    let line = line.trim_ascii();
    let end = line.iter().position(|b| !b.is_ascii_digit()).unwrap_or(line.len());
    let number = digits(&line[..end])?;
    let rest = &line[end..];
    if rest.is_empty() || matches!(rest[0], b' ' | b'\t') {
        Some((u32::try_from(number).ok().filter(|n| *n != 0)?, rest.trim_ascii()))
    } else {
        None
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    text.iter().try_fold(0u64, |n, b| {
        b.is_ascii_digit().then_some(())?;
        n.checked_mul(10)?.checked_add(u64::from(b - b'0'))
    })
}

/// An entry of LIST: the message's number, and its octets as the server counts them, where that is a number.
/// Some count wrongly and below nothing; the message is there all the same.
pub fn listed(line: &[u8]) -> Option<(u32, Option<u64>)> {
    let (number, rest) = entry(line)?;
    Some((number, rest.split(u8::is_ascii_whitespace).next().and_then(digits)))
}

/// An entry of UIDL: the message's number, and what names it. That may be anything, and nothing.
pub fn unique_id(line: &[u8]) -> Option<(u32, &[u8])> {
    entry(line)
}

#[cfg(test)]
mod tests {
    use super::{Code, Status, challenge, listed, timestamp, unique_id};

    #[test]
    fn status_lines() {
        type Case<'a> = (&'a str, Option<(bool, Option<Code>, &'a str)>);
        let cases: &[Case<'_>] = &[
            ("+OK", Some((true, None, ""))),
            ("+ok  2 320 ", Some((true, None, "2 320"))),
            ("-ERR no such message", Some((false, None, "no such message"))),
            (
                "-ERR [IN-USE] Do you have another POP session?",
                Some((false, Some(Code::InUse), "Do you have another POP session?")),
            ),
            ("-ERR [in-use]", Some((false, Some(Code::InUse), ""))),
            ("-ERR [LOGIN-DELAY] wait", Some((false, Some(Code::LoginDelay), "wait"))),
            ("-ERR [SYS/TEMP] x", Some((false, Some(Code::SystemTemporary), "x"))),
            ("-ERR [SYS/PERM] x", Some((false, Some(Code::SystemPermanent), "x"))),
            ("-ERR [AUTH] x", Some((false, Some(Code::Auth), "x"))),
            ("-ERR [UTF8] x", Some((false, Some(Code::Utf8), "x"))),
            ("-ERR [NEW/THING] x", Some((false, None, "[NEW/THING] x"))),
            ("-ERR [IN-USE", Some((false, None, "[IN-USE"))),
            ("+OK [IN-USE] fine", Some((true, None, "[IN-USE] fine"))),
            ("+OKAY", None),
            ("-ERROR", None),
            ("+", None),
            ("", None),
            ("* OK IMAP4rev1", None),
        ];
        for (line, expected) in cases {
            let status = Status::parse(line.as_bytes());
            let expected = expected.map(|(ok, code, text)| Status { ok, code, text: text.as_bytes() });
            assert_eq!(status, expected, "{line}");
        }
        assert_eq!(Status::parse(b"-ERR a\x1b[2Jb\xff").unwrap().shown(100), "a [2Jb\u{fffd}");
        assert_eq!(Status::parse(b"-ERR 12345").unwrap().shown(3), "123");
    }

    #[test]
    fn challenges_and_timestamps() {
        assert_eq!(challenge(b"+ "), Some(&b""[..]));
        assert_eq!(challenge(b"+"), Some(&b""[..]));
        assert_eq!(challenge(b"+ PDE4OT4="), Some(&b"PDE4OT4="[..]));
        assert_eq!(challenge(b"+OK"), None);
        let stamp = "<1896.697170952@dbc.mtview.ca.us>";
        let greeting = format!("POP3 server ready {stamp} today");
        assert_eq!(timestamp(greeting.as_bytes()), Some(stamp.as_bytes()));
        for none in ["ready", "<unix>", "<a b@c>", "<a@b", "a@b>", "<a\x01@b>"] {
            assert_eq!(timestamp(none.as_bytes()), None, "{none:?}");
        }
    }

    #[test]
    fn note_31_numbers_that_are_none() {
        assert_eq!(listed(b"1 120"), Some((1, Some(120))));
        assert_eq!(listed(b" 2  200  more"), Some((2, Some(200))));
        assert_eq!(listed(b"1 18446744073709551615"), Some((1, Some(u64::MAX))));
        for line in ["", "0 5", "-1 5", "x 1", "4294967296 5", "1x 5"] {
            assert_eq!(listed(line.as_bytes()), None, "{line:?}");
        }
        for line in
            ["1", "1 ", "1 -5", "1 x", "1 5x", "1 18446744073709551616", "1 999999999999999999999999999"]
        {
            assert_eq!(listed(line.as_bytes()), Some((1, None)), "{line:?}");
        }
    }

    #[test]
    fn note_24_whatever_stands_for_a_unique_id() {
        assert_eq!(unique_id(b"1 whqtswO00WBw418f9t5JxYwZ"), Some((1, &b"whqtswO00WBw418f9t5JxYwZ"[..])));
        assert_eq!(unique_id(b"2 "), Some((2, &b""[..])));
        assert_eq!(unique_id(b"2"), Some((2, &b""[..])));
        assert_eq!(unique_id(b"3 a b\x80"), Some((3, &b"a b\x80"[..])));
        assert_eq!(unique_id(b"a b"), None);
    }
}
