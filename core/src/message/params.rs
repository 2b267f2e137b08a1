//! Structured values with parameters: Content-Type and Content-Disposition (RFC 2045 §5.1, RFC 2231).

use std::borrow::Cow;

use super::transfer::hex_pair;
use super::words::{decode_charset, decode_words};

/// Octets of a value looked at, and parameters kept of it.
const VALUE: usize = 16 * 1024;
const PARAMS: usize = 64;

/// A value such as `text/plain; charset=utf-8`.
#[derive(Debug, Default)]
pub(super) struct Value<'a> {
    /// What stands before the first parameter, in lowercase.
    pub(super) main: String,
    params: Vec<Param<'a>>,
}

#[derive(Debug)]
struct Param<'a> {
    name: &'a str,
    /// The number of a continuation: `name*1` (RFC 2231 §3).
    section: Option<u32>,
    /// Percent-encoded, with a charset in the first section: `name*` (RFC 2231 §4).
    encoded: bool,
    value: Cow<'a, str>,
}

impl<'a> Value<'a> {
    /// Reads an unfolded value. Nothing is refused: what cannot be understood is passed over.
    pub(super) fn parse(text: &'a str) -> Value<'a> {
        let mut rest = skip_blank(prefix(text, VALUE));
        let end = rest.find([';', ' ', '\t', '(']).unwrap_or(rest.len());
        let mut value = Value { main: rest[..end].to_ascii_lowercase(), params: Vec::new() };
        // `text / plain` is allowed by RFC 822 and seen in the wild.
        rest = skip_blank(&rest[end..]);
        if let Some(subtype) = rest.strip_prefix('/').map(skip_blank) {
            let end = subtype.find([';', ' ', '\t', '(']).unwrap_or(subtype.len());
            value.main = format!("{}/{}", value.main, subtype[..end].to_ascii_lowercase());
            rest = &subtype[end..];
        }
        while let Some(param) = Param::next(&mut rest) {
            value.params.push(param);
            if value.params.len() == PARAMS {
                break;
            }
        }
        value
    }

    /// A parameter as it is, without regard to encodings.
    pub(super) fn plain(&self, name: &str) -> Option<&str> {
        self.named(name).find(|param| param.section.is_none() && !param.encoded).map(|param| &*param.value)
    }

    /// A parameter decoded: from RFC 2231's form where there is one, else as encoded words, which
    /// RFC 2047 forbids here and many programs send.
    pub(super) fn decoded(&self, name: &str) -> Option<String> {
        let mut sections: Vec<&Param<'_>> =
            self.named(name).filter(|param| param.encoded || param.section.is_some()).collect();
        if sections.is_empty() {
            return self.plain(name).map(|value| decode_words(value).into_owned());
        }
        sections.sort_by_key(|param| param.section.unwrap_or(0));
        sections.dedup_by_key(|param| param.section.unwrap_or(0));
        let mut charset = None;
        let mut bytes = Vec::new();
        for (at, param) in sections.iter().enumerate() {
            let mut value = &*param.value;
            if param.encoded {
                if at == 0
                    && let Some((name, rest)) = value.split_once('\'')
                {
                    charset = Some(name).filter(|name| !name.is_empty());
                    value = rest.split_once('\'').map_or(rest, |(_language, value)| value);
                }
                percent_decode(value.as_bytes(), &mut bytes);
            } else {
                bytes.extend_from_slice(value.as_bytes());
            }
        }
        Some(decode_charset(&bytes, charset).into_owned())
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Param<'a>> {
        self.params.iter().filter(move |param| param.name.eq_ignore_ascii_case(name))
    }
}

impl<'a> Param<'a> {
    fn next(rest: &mut &'a str) -> Option<Param<'a>> {
        loop {
            *rest = rest.trim_start_matches([';', ' ', '\t']);
            if let Some(comment) = rest.strip_prefix('(') {
                *rest = comment.find(')').map_or("", |end| &comment[end + 1..]);
                continue;
            }
            let end = rest.find(['=', ';'])?;
            if rest.as_bytes()[end] == b';' {
                *rest = &rest[end..];
                continue;
            }
            let (name, after) = (rest[..end].trim(), skip_blank(&rest[end + 1..]));
            let value;
            (value, *rest) = after.strip_prefix('"').map_or_else(|| token(after), quoted);
            return Some(Param::new(name, value));
        }
    }

    fn new(name: &'a str, value: Cow<'a, str>) -> Param<'a> {
        let (name, encoded) = name.strip_suffix('*').map_or((name, false), |name| (name, true));
        match name.rsplit_once('*').map(|(base, section)| (base, section.parse())) {
            Some((base, Ok(section))) => Param { name: base, section: Some(section), encoded, value },
            _ => Param { name, section: None, encoded, value },
        }
    }
}

/// Up to the closing quote, or to the end where there is none. A backslash stands for itself unless it
/// protects a quote or a backslash: `C:\new\file` is not what the RFC allows but what is meant.
fn quoted(text: &str) -> (Cow<'_, str>, &str) {
    let mut out: Option<String> = None;
    let mut from = 0;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'"', _) => break,
            (b'\\', Some(b'"' | b'\\')) => {
                out.get_or_insert_default().push_str(&text[from..at]);
                from = at + 1;
                at += 2;
            }
            _ => at += 1,
        }
    }
    let rest = text.get(at + 1..).unwrap_or("");
    match out {
        Some(mut out) => {
            out.push_str(&text[from..at]);
            (Cow::Owned(out), rest)
        }
        None => (Cow::Borrowed(&text[..at]), rest),
    }
}

/// Up to the next parameter: file names with blanks come without quotes too.
fn token(text: &str) -> (Cow<'_, str>, &str) {
    let end = text.find(';').unwrap_or(text.len());
    let value = text[..end].split(" (").next().unwrap_or_default().trim();
    (Cow::Borrowed(value), &text[end..])
}

fn skip_blank(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// The start of `text`, at most `octets` long.
pub(super) fn prefix(text: &str, octets: usize) -> &str {
    &text[..text.floor_char_boundary(octets)]
}

fn percent_decode(mut value: &[u8], out: &mut Vec<u8>) {
    while let [first, rest @ ..] = value {
        let escaped = if *first == b'%' { hex_pair(rest) } else { None };
        let (octet, after) = escaped.unwrap_or((*first, rest));
        out.push(octet);
        value = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        for (text, main, charset) in [
            ("text/plain; charset=utf-8", "text/plain", Some("utf-8")),
            ("TEXT/Plain;CHARSET=\"KOI8-R\";x=y", "text/plain", Some("KOI8-R")),
            ("text/plain charset=utf-8", "text/plain", Some("utf-8")),
            ("text / plain ; charset = utf-8", "text/plain", Some("utf-8")),
            ("text/plain (comment); (c) charset=us-ascii (Plain text)", "text/plain", Some("us-ascii")),
            ("text/plain; ; ;; charset=\"utf-8", "text/plain", Some("utf-8")),
            ("text/plain; flag; charset=a", "text/plain", Some("a")),
            ("text", "text", None),
            ("", "", None),
            (";;;===", "", None),
        ] {
            let value = Value::parse(text);
            assert_eq!((value.main.as_str(), value.plain("charset")), (main, charset), "{text}");
        }
    }

    #[test]
    fn names() {
        for (text, name) in [
            ("a; name=plain.txt", Some("plain.txt")),
            ("a; name=\"with blank; and more.txt\"", Some("with blank; and more.txt")),
            ("a; name=no quotes.txt; x=y", Some("no quotes.txt")),
            (r#"a; name="a\"b\\c.txt""#, Some(r#"a"b\c.txt"#)),
            (r#"a; name="C:\new\file.txt""#, Some(r"C:\new\file.txt")),
            ("a; name*=utf-8'en'%E2%82%AC%20rates.pdf; name=old.pdf", Some("€ rates.pdf")),
            ("a; name*=iso-8859-1''caf%E9.txt", Some("café.txt")),
            // Sections out of order, one character cut in two, one section not encoded.
            ("a; name*1*=%A9.t; name*0*=utf-8''caf%C3; name*2=xt", Some("café.txt")),
            ("a; name*0=\"long \"; name*1=\"name.txt\"", Some("long name.txt")),
            ("a; name=\"=?utf-8?Q?caf=C3=A9.txt?=\"", Some("café.txt")),
            ("a; name*=broken%", Some("broken%")),
            ("a; name*=''", Some("")),
            ("a; name*99999999999999999999*=x", None),
            ("a", None),
        ] {
            assert_eq!(Value::parse(text).decoded("name").as_deref(), name, "{text}");
        }
    }

    #[test]
    fn hostile_values_are_bounded() {
        for seed in ["a=b;", "a*0*=b;", "(", "\"", ";", "=", "x=\"\\", "é"] {
            let text = seed.repeat(1 << 20);
            assert!(Value::parse(&text).params.len() <= PARAMS);
        }
    }
}
