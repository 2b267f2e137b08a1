//! Content-Transfer-Encoding (RFC 2045 §6), read liberally: what can be decoded is, whatever surrounds it.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use memchr::memchr2;
use serde::{Deserialize, Serialize};

/// How a part's octets are encoded for transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum TransferEncoding {
    /// 7bit, 8bit, binary, or nothing said: the octets are the content.
    #[default]
    Identity,
    /// quoted-printable
    QuotedPrintable,
    /// base64
    Base64,
    /// Anything else, such as x-uuencode: given as it is.
    Unknown,
}

impl TransferEncoding {
    /// From the name in a header or in a BODYSTRUCTURE; case does not matter.
    pub fn from_name(name: &str) -> TransferEncoding {
        let name = name.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == ';');
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if name.is_empty() || is("7bit") || is("8bit") || is("binary") {
            TransferEncoding::Identity
        } else if is("quoted-printable") {
            TransferEncoding::QuotedPrintable
        } else if is("base64") {
            TransferEncoding::Base64
        } else {
            TransferEncoding::Unknown
        }
    }

    /// The content of `data`, which may be cut anywhere: an unfinished last group is left out.
    pub(crate) fn decode(self, data: &[u8]) -> Cow<'_, [u8]> {
        match self {
            TransferEncoding::Identity | TransferEncoding::Unknown => Cow::Borrowed(data),
            TransferEncoding::QuotedPrintable => Cow::Owned(quoted_printable(data)),
            TransferEncoding::Base64 => Cow::Owned(base64(data)),
        }
    }
}

/// Characters outside the alphabet are passed over (RFC 2045 §6.8).
fn base64(data: &[u8]) -> Vec<u8> {
    base64_decode(data).unwrap_or_else(|| {
        let known = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        let filtered: Vec<u8> = data.iter().copied().filter(known).collect();
        base64_decode(&filtered).unwrap_or_default()
    })
}

/// What is no valid escape stands for itself (RFC 2045 §6.7, robust implementation notes).
pub(super) fn quoted_printable(mut data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    while let Some(at) = memchr2(b'=', b'\n', data) {
        out.extend_from_slice(&data[..at]);
        let rest = &data[at + 1..];
        if data[at] == b'\n' {
            trim_line(&mut out, data.get(at.wrapping_sub(1)) == Some(&b'\r'));
            data = rest;
            continue;
        }
        data = match rest {
            [] => rest,
            [digit] if hex(*digit).is_some() => &[],
            _ => {
                if let Some((octet, after)) = hex_pair(rest) {
                    out.push(octet);
                    after
                } else if let Some(after) = soft_break(rest) {
                    after
                } else {
                    out.push(b'=');
                    rest
                }
            }
        };
    }
    out.extend_from_slice(data);
    out
}

/// Takes off the blanks that transport added before a line end, and puts the line end.
fn trim_line(out: &mut Vec<u8>, crlf: bool) {
    if crlf {
        out.pop();
    }
    while matches!(out.last(), Some(b' ' | b'\t')) {
        out.pop();
    }
    out.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
}

/// What follows a soft line break: blanks, then a line end or the end of the data.
fn soft_break(rest: &[u8]) -> Option<&[u8]> {
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
    match rest.get(blanks) {
        Some(b'\n') => Some(&rest[blanks + 1..]),
        None => Some(&[]),
        Some(_) => None,
    }
}

/// The octet that two hexadecimal digits stand for, and what follows them.
pub(super) fn hex_pair(digits: &[u8]) -> Option<(u8, &[u8])> {
    match digits {
        [high, low, after @ ..] => Some(((hex(*high)? << 4) | hex(*low)?, after)),
        _ => None,
    }
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, encoding) in [
            ("7bit", TransferEncoding::Identity),
            (" 8BIT ", TransferEncoding::Identity),
            ("", TransferEncoding::Identity),
            ("Base64", TransferEncoding::Base64),
            ("QUOTED-PRINTABLE", TransferEncoding::QuotedPrintable),
            ("x-uuencode", TransferEncoding::Unknown),
        ] {
            assert_eq!(TransferEncoding::from_name(name), encoding, "{name}");
        }
    }

    #[test]
    fn quoted_printable_is_liberal() {
        for (encoded, text) in [
            (&b"caf=C3=A9"[..], "café"),
            (b"soft=\r\nbreak", "softbreak"),
            (b"soft= \t\nbreak", "softbreak"),
            (b"trailing \t\r\nblank", "trailing\r\nblank"),
            (b"a = b", "a = b"),
            (b"==3D", "=="),
            (b"=zz", "=zz"),
            (b"lower=3d", "lower="),
            (b"cut=", "cut"),
            (b"cut=C", "cut"),
            (b"cut=\r", "cut"),
            (b"=20kept\n", " kept\n"),
        ] {
            assert_eq!(String::from_utf8_lossy(&quoted_printable(encoded)), text, "{encoded:?}");
        }
    }

    #[test]
    fn base64_is_liberal() {
        for (encoded, text) in [
            (&b"SGVsbG8="[..], "Hello"),
            (b"SGVs\r\nbG8=\r\n", "Hello"),
            (b"SGVs!bG8", "Hello"),
            (b"SGVsbG8=V29ybGQ=", "HelloWorld"),
            (b"SGVsbG8gV", "Hello "),
            (b"--\r\nSGVsbG8=", "Hello"),
            (b"", ""),
        ] {
            assert_eq!(String::from_utf8_lossy(&base64(encoded)), text, "{encoded:?}");
        }
    }
}
