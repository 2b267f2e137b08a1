//! Messages with octets that a text transport does not take (RFC 3516 §4.3, RFC 9051 §4.3.1): what is binary becomes base64.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;

use super::TransferEncoding;
use super::fields::{fields, unfolded};
use super::mime_value::MimeValue;
use super::tree::{Node, NodeKind, SectionIndex};
use crate::limits::Limits;

/// Octets in a line of base64 (RFC 2045 §6.8), before and after.
const LINE: usize = 57;

/// A message as it can be sent as text: parts that say `binary`, and parts with a NUL that say no encoding, in base64; everything
/// around them as it was. `None` where a NUL stands in a place that no encoding is for: in a header, say, or in a part that is
/// encoded in some other way.
pub(crate) fn textual<'r>(raw: &'r [u8], limits: &Limits) -> Option<Cow<'r, [u8]>> {
    let index = SectionIndex::read(raw, limits);
    let mut edits: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
    for node in &index.nodes {
        let (header, body) =
            (node.header as usize..node.body as usize, node.body as usize..node.end as usize);
        let said = says_binary(&raw[header.clone()]);
        if node.kind != NodeKind::Leaf {
            // RFC 2045 §6.4: what holds nothing binary any more may be 8bit at most.
            if said {
                name_encoding(raw, node, "8bit", &mut edits);
            }
        } else if said
            || node.encoding == TransferEncoding::Identity && memchr(0, &raw[body.clone()]).is_some()
        {
            name_encoding(raw, node, "base64", &mut edits);
            edits.push((body.clone(), base64_lines(&raw[body.clone()], body.end == raw.len())));
        }
    }
    if edits.is_empty() {
        return memchr(0, raw).is_none().then_some(Cow::Borrowed(raw));
    }
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let (mut out, mut at) = (Vec::with_capacity(raw.len() + raw.len() / 2), 0);
    for (range, new) in edits {
        out.extend_from_slice(&raw[at..range.start]);
        out.extend_from_slice(&new);
        at = range.end;
    }
    out.extend_from_slice(&raw[at..]);
    memchr(0, &out).is_none().then_some(Cow::Owned(out))
}

fn is_encoding(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"Content-Transfer-Encoding")
}

fn says_binary(header: &[u8]) -> bool {
    let said = fields(header).find(|field| is_encoding(field.name));
    said.is_some_and(|field| MimeValue::word(&unfolded(field.value)).eq_ignore_ascii_case(b"binary"))
}

/// Has a part's header name its encoding: once, where it was named, or else in front of the blank line.
fn name_encoding(raw: &[u8], node: &Node, encoding: &str, edits: &mut Vec<(Range<usize>, Vec<u8>)>) {
    let line = format!("Content-Transfer-Encoding: {encoding}\r\n").into_bytes();
    let header = &raw[node.header as usize..node.body as usize];
    let (mut at, mut named) = (node.header as usize, false);
    for field in fields(header) {
        let end = at + field.lines.len();
        if is_encoding(field.name) {
            edits.push((at..end, if named { Vec::new() } else { line.clone() }));
            named = true;
        }
        at = end;
    }
    if !named {
        edits.push((at..at, line));
    }
}

/// Octets in lines of base64. The line end of the last is the delimiter's, where one follows.
fn base64_lines(octets: &[u8], is_last: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() / LINE * 78 + 80);
    for (number, piece) in octets.chunks(LINE).enumerate() {
        if number > 0 {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(STANDARD.encode(piece).as_bytes());
    }
    if is_last && !out.is_empty() {
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{part_data, read_message};

    fn text(raw: &[u8]) -> Option<String> {
        let text = textual(raw, &Limits::DEFAULT)?;
        Some(String::from_utf8(text.into_owned()).expect("it is ASCII"))
    }

    #[test]
    fn what_is_text_stays_as_it_is() {
        for raw in ["", "Subject: x\r\n\r\nhello\r\n", "Content-Transfer-Encoding: 8bit\r\n\r\n\u{e9}"] {
            assert!(
                matches!(textual(raw.as_bytes(), &Limits::DEFAULT), Some(Cow::Borrowed(same)) if same == raw.as_bytes())
            );
        }
    }

    #[test]
    fn a_message_of_one_part() {
        let raw =
            b"Subject: x\r\ncontent-transfer-encoding:\r\n Binary (really)\r\nTo: a\r\n\r\n\0\x01\xff\r\n";
        let expected = "Subject: x\r\nContent-Transfer-Encoding: base64\r\nTo: a\r\n\r\nAAH/DQo=\r\n";
        assert_eq!(text(raw).as_deref(), Some(expected));
        // Nothing is said, or a smaller encoding than it is.
        let named = "Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\nAAE=\r\n";
        assert_eq!(text(b"Subject: x\r\n\r\n\0\x01").as_deref(), Some(named));
        let raw = b"Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: binary\n\n\0\x01";
        assert_eq!(text(raw).as_deref(), Some("Content-Transfer-Encoding: base64\r\n\nAAE=\r\n"));
    }

    #[test]
    fn parts_within_parts() {
        let inner =
            b"Content-Type: application/zip\r\nContent-Transfer-Encoding: binary\r\n\r\nPK\0\x03\r\n--x";
        let raw = [
            &b"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n"[..],
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n",
            inner,
            b"\r\n--b--\r\n",
        ]
        .concat();
        let text = text(&raw).expect("it can be");
        assert_eq!(
            text,
            "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n\
             Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
             Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\nUEsAAw0KLS14\r\n--b--\r\n"
        );
        let reading = read_message(text.as_bytes(), &Limits::DEFAULT);
        let zip = reading
            .details
            .parts
            .iter()
            .find(|part| part.media_type == "application/zip")
            .expect("it is there");
        let data = part_data(text.as_bytes(), &zip.number).expect("it can be read");
        assert_eq!(data, b"PK\0\x03\r\n--x");
    }

    #[test]
    fn where_no_encoding_helps() {
        for raw in [
            &b"Subject: x\0\r\n\r\ntext"[..],
            b"Content-Transfer-Encoding: base64\r\n\r\nAA\0AA==",
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n\0\r\n--b\r\n\r\nx\r\n--b--\r\n",
        ] {
            assert_eq!(text(raw), None, "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn lines_are_no_longer_than_they_may_be() {
        let raw = [&b"Content-Transfer-Encoding: binary\r\n\r\n"[..], &[0; 300]].concat();
        let text = text(&raw).expect("it can be");
        assert!(text.lines().all(|line| line.len() <= 76) && text.ends_with("\r\n"));
        assert_eq!(text.lines().filter(|line| line.len() == 76).count(), 5);
    }
}
