//! Structured values of MIME fields, octet by octet as they were sent: what BODYSTRUCTURE repeats
//! (RFC 2045 §5.1, RFC 2183).
//!
//! [`params`](super::params) reads the same for people, decoded.

/// Most parameters kept of one value.
const PARAMS: usize = 64;

/// `type/subtype; name=value; …`, or `word; name=value; …`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct MimeValue {
    pub(super) main: Vec<u8>,
    /// Empty for a value without a subtype.
    pub(super) sub: Vec<u8>,
    pub(super) params: Vec<(Vec<u8>, Vec<u8>)>,
}

impl MimeValue {
    /// Content-Type; `None` where it is none.
    pub(super) fn content_type(text: &[u8]) -> Option<MimeValue> {
        let mut rest = Scanner { rest: text };
        let main = rest.token()?;
        rest.eat(b'/').then_some(())?;
        let sub = rest.token()?;
        Some(MimeValue { main, sub, params: rest.params() })
    }

    /// Content-Disposition, or another word with parameters.
    pub(super) fn disposition(text: &[u8]) -> Option<MimeValue> {
        let mut rest = Scanner { rest: text };
        let main = rest.token()?;
        Some(MimeValue { main, sub: Vec::new(), params: rest.params() })
    }

    /// A single word such as `base64`, comments aside; empty where there is none.
    pub(super) fn word(text: &[u8]) -> Vec<u8> {
        Scanner { rest: text }.token().unwrap_or_default()
    }

    /// Words separated by commas, as in Content-Language.
    pub(super) fn list(text: &[u8]) -> Vec<Vec<u8>> {
        let mut rest = Scanner { rest: text };
        let mut words = Vec::new();
        while words.len() < PARAMS
            && let Some(word) = rest.token()
        {
            words.push(word);
            while rest.eat(b',') {}
        }
        words
    }

    pub(super) fn is_type(&self, name: &str) -> bool {
        self.main.eq_ignore_ascii_case(name.as_bytes())
    }

    pub(super) fn is_subtype(&self, name: &str) -> bool {
        self.sub.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Whether a whole message stands in it (RFC 2046 §5.2.1, RFC 6532 §3.7).
    pub(super) fn is_message(&self) -> bool {
        self.is_type("message") && (self.is_subtype("rfc822") || self.is_subtype("global"))
    }

    pub(super) fn param(&self, name: &str) -> Option<&[u8]> {
        let named = |(known, _): &&(Vec<u8>, Vec<u8>)| known.eq_ignore_ascii_case(name.as_bytes());
        self.params.iter().find(named).map(|(_, value)| value.as_slice())
    }
}

struct Scanner<'a> {
    rest: &'a [u8],
}

impl Scanner<'_> {
    /// Passes over blanks and comments.
    fn blanks(&mut self) {
        loop {
            self.rest = self.rest.trim_ascii_start();
            if self.rest.first() != Some(&b'(') {
                return;
            }
            let (mut depth, mut at) = (0usize, 0);
            while let Some(&b) = self.rest.get(at) {
                match b {
                    b'\\' => at += 1,
                    b'(' => depth += 1,
                    b')' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    break;
                }
            }
            self.rest = self.rest.get(at..).unwrap_or_default();
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.blanks();
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// RFC 2045 §5.1: token. 8-bit octets are let pass.
    fn token(&mut self) -> Option<Vec<u8>> {
        self.blanks();
        self.token_until(|b| !b.is_ascii_graphic() && b < 0x80 || b"()<>@,;:\\\"/[]?=".contains(&b))
    }

    fn token_until(&mut self, ends: impl Fn(u8) -> bool) -> Option<Vec<u8>> {
        let end = self.rest.iter().position(|b| ends(*b)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!token.is_empty()).then(|| token.to_vec())
    }

    fn params(mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut params = Vec::new();
        while params.len() < PARAMS {
            // What is no parameter is passed over up to the next one.
            let Some(at) = memchr::memchr(b';', self.rest) else { break };
            self.rest = &self.rest[at + 1..];
            let Some(name) = self.token() else { continue };
            if !self.eat(b'=') {
                continue;
            }
            self.blanks();
            let value = match self.rest.split_first() {
                Some((b'"', inside)) => {
                    self.rest = inside;
                    self.quoted()
                }
                // Values with `/` and the like come without quotes, against the grammar.
                _ => self
                    .token_until(|b| b == b';' || b == b'(' || b.is_ascii_whitespace())
                    .unwrap_or_default(),
            };
            params.push((name, value));
        }
        params
    }

    /// The inside of a quoted string, or all that is left where it has no end.
    fn quoted(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut bytes = self.rest.iter();
        while let Some(&b) = bytes.next() {
            match b {
                b'"' => break,
                b'\\' => out.extend(bytes.next()),
                b => out.push(b),
            }
        }
        self.rest = bytes.as_slice();
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let shown = |text: &str| {
            MimeValue::content_type(text.as_bytes()).map(|value| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let params: Vec<String> =
                    value.params.iter().map(|(n, v)| format!("{}={}", text(n), text(v))).collect();
                format!("{}/{} {}", text(&value.main), text(&value.sub), params.join(","))
            })
        };
        for (text, expected) in [
            (
                "Text/Plain; charset=\"us-ascii\" (c); x=\"a\\\"b\"",
                Some("Text/Plain charset=us-ascii,x=a\"b"),
            ),
            ("(c (d)) text / plain ;; junk ; format=flowed", Some("text/plain format=flowed")),
            ("multipart/mixed; boundary==_a/b", Some("multipart/mixed boundary==_a/b")),
            ("a/b; c=\"open", Some("a/b c=open")),
            ("text", None),
            ("", None),
            ("((((", None),
        ] {
            assert_eq!(shown(text).as_deref(), expected, "{text}");
        }
        assert_eq!(MimeValue::word(b" 7bit (c)"), b"7bit");
        assert_eq!(MimeValue::list(b"en, de ,fr"), [b"en", b"de", b"fr"]);
        for hostile in ["(", ";", ";a", ";a=", "\"", ";a=\"\\", "=", ","] {
            let text = hostile.repeat(1 << 16);
            let _ = (MimeValue::content_type(text.as_bytes()), MimeValue::list(text.as_bytes()));
            let _ = MimeValue::content_type(format!("a/b{text}").as_bytes());
        }
    }
}
