//! Messages for the tests, and a plain reader of their structure.

use std::fmt::Write;
use std::ops::Range;

/// A message to be built.
#[derive(Debug, Clone)]
pub struct Mail {
    number: u32,
    subject: String,
    text: String,
    message_id: Option<String>,
    attachment: Option<Vec<u8>>,
}

/// The plain message of a number: different numbers give different messages.
pub fn mail(number: u32) -> Vec<u8> {
    Mail::new(number).build()
}

impl Mail {
    pub fn new(number: u32) -> Mail {
        Mail {
            number,
            subject: format!("Message {number}"),
            text: format!("This is the text of message {number}.\r\n"),
            message_id: Some(format!("m{number}@example.org")),
            attachment: None,
        }
    }

    pub fn subject(mut self, subject: &str) -> Mail {
        self.subject = subject.into();
        self
    }

    pub fn text(mut self, text: &str) -> Mail {
        self.text = text.into();
        self
    }

    pub fn message_id(mut self, id: Option<&str>) -> Mail {
        self.message_id = id.map(str::to_owned);
        self
    }

    /// An attachment of octets that base64 carries.
    pub fn attachment(mut self, octets: usize) -> Mail {
        self.attachment = Some((0..octets).map(|i| (i * 7 + i / 251) as u8).collect());
        self
    }

    pub fn build(&self) -> Vec<u8> {
        let n = self.number;
        let mut out = String::new();
        let (day, hour, minute) = (1 + n / 1440 % 28, n / 60 % 24, n % 60);
        let _ = write!(out, "From: Ann Sender <ann@example.org>\r\nTo: ben@example.org\r\n");
        let _ = write!(
            out,
            "Subject: {}\r\nDate: {day:02} Jan 2026 {hour:02}:{minute:02}:00 +0000\r\n",
            self.subject
        );
        if let Some(id) = &self.message_id {
            let _ = write!(out, "Message-ID: <{id}>\r\n");
        }
        out.push_str("MIME-Version: 1.0\r\n");
        match &self.attachment {
            None => {
                let _ = write!(out, "Content-Type: text/plain; charset=utf-8\r\n\r\n{}", self.text);
            }
            Some(bytes) => {
                out.push_str("Content-Type: multipart/mixed; boundary=\"=_edge\"\r\n\r\n");
                out.push_str("--=_edge\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
                out.push_str(&self.text);
                out.push_str("--=_edge\r\nContent-Type: application/octet-stream; name=\"file.bin\"\r\n");
                out.push_str("Content-Disposition: attachment; filename=\"file.bin\"\r\n");
                out.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
                base64_lines(bytes, &mut out);
                out.push_str("--=_edge--\r\n");
            }
        }
        out.into_bytes()
    }
}

fn base64_lines(bytes: &[u8], out: &mut String) {
    for line in bytes.chunks(57) {
        out.push_str(&super::wire::base64(line));
        out.push_str("\r\n");
    }
}

/// A part of a message as a server sees it.
#[derive(Debug)]
pub struct Entity {
    pub body: Range<usize>,
    media: (String, String),
    params: Vec<(String, String)>,
    encoding: String,
    disposition: Option<(String, Vec<(String, String)>)>,
    pub children: Vec<Entity>,
}

/// Where the header ends: behind its blank line, or at the end.
pub fn header_end(raw: &[u8]) -> usize {
    if raw.starts_with(b"\r\n") {
        return 2;
    }
    find(raw, b"\r\n\r\n").map_or(raw.len(), |at| at + 4)
}

/// The fields of a header with these names in upper case, as sent, and the blank line.
pub fn header_fields(raw: &[u8], names: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut taken = false;
    for line in raw[..header_end(raw)].split_inclusive(|b| *b == b'\n') {
        if line == b"\r\n" {
            break;
        }
        if !matches!(line[0], b' ' | b'\t') {
            let name = line.split(|b| *b == b':').next().unwrap_or_default().to_ascii_uppercase();
            taken = names.iter().any(|n| n.as_bytes() == name.trim_ascii());
        }
        if taken {
            out.extend_from_slice(line);
        }
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// One field of a header, unfolded.
pub fn field(raw: &[u8], name: &str) -> Option<String> {
    let found = header_fields(raw, &[name.to_ascii_uppercase()]);
    let text = String::from_utf8_lossy(&found).replace("\r\n ", " ").replace("\r\n\t", " ");
    let value = text.split_once(':')?.1;
    Some(value.split("\r\n").next().unwrap_or_default().trim().to_owned())
}

pub fn entity(raw: &[u8], range: Range<usize>) -> Entity {
    let whole = &raw[range.clone()];
    let body = range.start + header_end(whole)..range.end;
    let (kind, params) = value_and_params(field(whole, "Content-Type").as_deref().unwrap_or("text/plain"));
    let (media, subtype) = kind.split_once('/').unwrap_or(("text", "plain"));
    let mut children = Vec::new();
    if media.eq_ignore_ascii_case("multipart")
        && let Some((_, boundary)) = params.iter().find(|(name, _)| name == "boundary")
    {
        let edge = format!("--{boundary}");
        let mut at = body.start;
        let mut begun = None;
        while let Some(found) = find(&raw[at..body.end], edge.as_bytes()).map(|f| f + at) {
            if let Some(start) = begun {
                children.push(entity(raw, start..found.saturating_sub(2)));
            }
            let behind = found + edge.len();
            if raw[behind..].starts_with(b"--") {
                break;
            }
            at = (behind + 2).min(body.end);
            begun = Some(at);
        }
    }
    Entity {
        body,
        media: (media.to_owned(), subtype.to_owned()),
        params,
        encoding: field(whole, "Content-Transfer-Encoding").unwrap_or_else(|| "7bit".into()),
        disposition: field(whole, "Content-Disposition").map(|d| value_and_params(&d)),
        children,
    }
}

impl Entity {
    /// A part by its number.
    pub fn part(&self, numbers: &[usize]) -> Option<&Entity> {
        match numbers {
            [] => Some(self),
            [1] if self.children.is_empty() => Some(self),
            [first, rest @ ..] => self.children.get(first.checked_sub(1)?)?.part(rest),
        }
    }

    /// BODYSTRUCTURE.
    pub fn structure(&self, raw: &[u8]) -> String {
        let disposition = match &self.disposition {
            Some((kind, params)) => format!("(\"{kind}\" {})", list(params)),
            None => "NIL".into(),
        };
        if !self.children.is_empty() {
            let parts: String = self.children.iter().map(|c| c.structure(raw)).collect();
            return format!("({parts} \"{}\" {} {disposition} NIL NIL)", self.media.1, list(&self.params));
        }
        let (media, subtype) = &self.media;
        let mut out = format!(
            "(\"{media}\" \"{subtype}\" {} NIL NIL \"{}\" {}",
            list(&self.params),
            self.encoding,
            self.body.len()
        );
        if media.eq_ignore_ascii_case("text") {
            let lines = raw[self.body.clone()].iter().filter(|b| **b == b'\n').count();
            let _ = write!(out, " {lines}");
        }
        let _ = write!(out, " NIL {disposition} NIL NIL)");
        out
    }
}

fn list(params: &[(String, String)]) -> String {
    if params.is_empty() {
        return "NIL".into();
    }
    let inside: Vec<String> = params.iter().map(|(n, v)| format!("\"{n}\" \"{v}\"")).collect();
    format!("({})", inside.join(" "))
}

fn value_and_params(value: &str) -> (String, Vec<(String, String)>) {
    let mut pieces = value.split(';').map(str::trim);
    let first = pieces.next().unwrap_or_default().to_owned();
    let params = pieces
        .filter_map(|p| p.split_once('='))
        .map(|(n, v)| (n.trim().to_ascii_lowercase(), v.trim().trim_matches('"').to_owned()))
        .collect();
    (first, params)
}

pub fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|w| w == needle)
}
