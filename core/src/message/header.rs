//! Where a header ends, and which of its fields matter here (RFC 5322 §2.2).

use std::collections::VecDeque;

use memchr::memchr;

use super::date::parse_date;
use super::words::{clean, decode_words, unfold};
use super::{Address, Details, Reading, Summary, address::parse_addresses};
use crate::limits::Limits;

/// Fields that are read; all others are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    From,
    Sender,
    ReplyTo,
    To,
    Cc,
    Bcc,
    Subject,
    Date,
    MessageId,
    InReplyTo,
    References,
    ListId,
    ContentType,
    ContentDisposition,
    ContentId,
    ContentTransferEncoding,
}

const NAMES: [(&[u8], Field); 16] = [
    (b"From", Field::From),
    (b"Sender", Field::Sender),
    (b"Reply-To", Field::ReplyTo),
    (b"To", Field::To),
    (b"Cc", Field::Cc),
    (b"Bcc", Field::Bcc),
    (b"Subject", Field::Subject),
    (b"Date", Field::Date),
    (b"Message-ID", Field::MessageId),
    (b"In-Reply-To", Field::InReplyTo),
    (b"References", Field::References),
    (b"List-Id", Field::ListId),
    (b"Content-Type", Field::ContentType),
    (b"Content-Disposition", Field::ContentDisposition),
    (b"Content-ID", Field::ContentId),
    (b"Content-Transfer-Encoding", Field::ContentTransferEncoding),
];

/// Octets of a field of text or ids that are read, references apart.
const VALUE: usize = 16 * 1024;

/// Longest field name that is looked for, and longest message id (RFC 5322 §2.1.1: a line of 998).
const NAME: usize = 256;
const ID: usize = 998;

/// Addresses in a summary.
const SUMMARY_ADDRESSES: usize = 4;

/// A header cut into fields, without copies.
#[derive(Debug, Default)]
pub(super) struct Header<'a> {
    fields: Vec<(Field, &'a [u8])>,
    /// Where the body begins in the bytes scanned.
    pub(super) body: usize,
    /// The blank line was found.
    pub(super) blank_line: bool,
    /// The octets ended before the header did.
    pub(super) cut: bool,
    /// There was at least one field.
    pub(super) any: bool,
}

impl<'a> Header<'a> {
    /// Scans the header of `entity`, up to the blank line, or to a line for which `is_delimiter`.
    ///
    /// Lines that are no fields are passed over, as servers do. Where no blank line comes, the first such
    /// line begins the body; where no line is a field, all is body.
    pub(super) fn scan(entity: &'a [u8], is_delimiter: impl Fn(&[u8]) -> bool) -> Header<'a> {
        let mut header = Header::default();
        let mut open: Option<(Field, usize)> = None;
        let mut junk: Option<(usize, usize)> = None;
        let (mut at, mut end) = (0, None);
        while at < entity.len() {
            let next = memchr(b'\n', &entity[at..]).map_or(entity.len(), |found| at + found + 1);
            let line = line_text(&entity[at..next]);
            match line.first() {
                None => {
                    header.blank_line = true;
                    end = Some(next);
                }
                Some(b' ' | b'\t') if at > 0 => {
                    at = next;
                    continue;
                }
                Some(b'-') if is_delimiter(line) => end = Some(at),
                Some(_) => {}
            }
            header.close(&mut open, entity, at);
            if end.is_some() {
                break;
            }
            match field_name(line) {
                Some(name) => {
                    header.any = true;
                    open = known(name).map(|field| (field, at + name.len()));
                }
                None if at == 0 && is_mbox_line(line) => {}
                None => junk = junk.or(Some((at, header.fields.len()))),
            }
            at = next;
        }
        header.close(&mut open, entity, at);
        header.cut = end.is_none();
        header.body = end.unwrap_or(entity.len());
        match junk {
            Some(_) if !header.any => {
                header.body = 0;
                header.blank_line = false;
            }
            Some((start, fields)) if !header.blank_line => {
                header.body = start;
                header.fields.truncate(fields);
            }
            _ => {}
        }
        header
    }

    /// Ends the field that is open. Only address fields count more than once.
    fn close(&mut self, open: &mut Option<(Field, usize)>, entity: &'a [u8], end: usize) {
        let Some((field, name_end)) = open.take() else { return };
        let repeats = matches!(field, Field::To | Field::Cc | Field::Bcc) && self.fields.len() < 64;
        if repeats || self.get(field).is_none() {
            let colon = memchr(b':', &entity[name_end..end]).map_or(end, |found| name_end + found + 1);
            self.fields.push((field, &entity[colon..end]));
        }
    }

    pub(super) fn get(&self, field: Field) -> Option<&'a [u8]> {
        self.fields.iter().find(|(known, _)| *known == field).map(|(_, value)| *value)
    }

    /// What the header says, apart from the structure.
    pub(super) fn read(&self, limits: &Limits) -> Reading {
        let mut degraded = !self.any;
        let mut addresses = |field| self.addresses(field, limits, &mut degraded);
        let (from, to) = (addresses(Field::From), addresses(Field::To));
        let details = Details {
            sender: addresses(Field::Sender),
            reply_to: addresses(Field::ReplyTo),
            cc: addresses(Field::Cc),
            bcc: addresses(Field::Bcc),
            in_reply_to: self.ids(Field::InReplyTo, limits),
            references: self.ids(Field::References, limits),
            list_id: self.get(Field::ListId).and_then(|value| list_id(value, limits)),
            to,
            ..Details::default()
        };
        let first = |list: &[Address]| list.iter().take(SUMMARY_ADDRESSES).cloned().collect::<Vec<_>>();
        let subject = self.get(Field::Subject).unwrap_or_default();
        let summary = Summary {
            from: first(&from),
            to: first(&details.to),
            subject: clean(&decode_words(&unfold(bounded(subject))), limits.field_text),
            date_ms: self.get(Field::Date).and_then(parse_date),
            message_id: self.get(Field::MessageId).and_then(message_id),
            degraded: degraded || subject.len() > VALUE,
            ..Summary::default()
        };
        Reading { summary, details }
    }

    fn addresses(&self, field: Field, limits: &Limits, degraded: &mut bool) -> Vec<Address> {
        let mut list = Vec::new();
        for (_, value) in self.fields.iter().filter(|(known, _)| *known == field) {
            let (more, cut) = parse_addresses(value, limits);
            list.extend(more);
            *degraded |= cut || list.len() > limits.addresses;
            list.truncate(limits.addresses);
            if list.len() == limits.addresses {
                break;
            }
        }
        list
    }

    /// The ids of a field: the first one, and the newest ones, which name the parents.
    fn ids(&self, field: Field, limits: &Limits) -> Vec<String> {
        let mut kept: VecDeque<&[u8]> = VecDeque::new();
        let mut rest = self.get(field).unwrap_or_default();
        while let Some(id) = next_id(&mut rest) {
            kept.push_back(id);
            if kept.len() > limits.references {
                kept.remove(1);
            }
        }
        kept.truncate(limits.references);
        kept.into_iter().map(id_text).collect()
    }
}

/// Every id of a field, as far as a field is read.
pub(super) fn ids_of(value: &[u8]) -> Vec<String> {
    let mut rest = bounded(value);
    std::iter::from_fn(|| next_id(&mut rest).map(id_text)).collect()
}

/// The Content-ID of a part, without the angle brackets.
pub(super) fn message_id(value: &[u8]) -> Option<String> {
    let mut rest = bounded(value);
    let id = next_id(&mut rest).map(id_text);
    id.or_else(|| {
        let bare = id_text(value.trim_ascii().split(|byte| byte.is_ascii_whitespace()).next()?);
        (!bare.is_empty()).then_some(bare)
    })
}

/// Takes the next `<id>`. Ids without brackets are taken too where there is an `@` and no bracket at all.
fn next_id<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    loop {
        let start = match memchr(b'<', rest) {
            Some(at) => at + 1,
            None => return bare_id(rest),
        };
        *rest = &rest[start..];
        let end = memchr::memchr2(b'>', b'<', rest).unwrap_or(rest.len());
        let id = rest[..end].trim_ascii();
        *rest = rest.get(end + usize::from(rest.get(end) == Some(&b'>'))..).unwrap_or_default();
        if memchr(b'<', rest).is_none() {
            // What follows the last bracket is a comment, never an id.
            *rest = &[];
        }
        if !id.is_empty() {
            return Some(id);
        }
    }
}

fn bare_id<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    loop {
        *rest = rest.trim_ascii_start();
        let end =
            rest.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b',').unwrap_or(rest.len());
        let id = &rest[..end];
        *rest = rest.get(end + 1..).unwrap_or_default();
        if memchr(b'@', id).is_some_and(|at| at > 0) {
            return Some(id);
        }
        if rest.is_empty() {
            return None;
        }
    }
}

/// An id as text: folds and blanks inside it are the work of mail programs on the way.
fn id_text(id: &[u8]) -> String {
    let id = super::words::decode_charset(&id[..id.len().min(4 * ID)], None);
    let mut text = String::with_capacity(id.len().min(ID));
    for char in id.chars().filter(|char| !char.is_whitespace() && !char.is_control()) {
        if text.len() + char.len_utf8() > ID {
            break;
        }
        text.push(char);
    }
    text
}

/// The identifier alone (RFC 2919 §3), or all there is where it has no brackets.
fn list_id(value: &[u8], limits: &Limits) -> Option<String> {
    let text = unfold(bounded(value));
    let inner = text.rsplit_once('<').map(|(_, id)| id.split('>').next().unwrap_or(id));
    let id = clean(&decode_words(inner.unwrap_or(&text)), limits.field_text);
    (!id.is_empty()).then_some(id)
}

pub(super) fn bounded(value: &[u8]) -> &[u8] {
    &value[..value.len().min(VALUE)]
}

/// A line without its line end.
pub(super) fn line_text(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The name of the field that starts on this line, blanks before the colon included.
fn field_name(line: &[u8]) -> Option<&[u8]> {
    let name = &line[..memchr(b':', &line[..line.len().min(NAME)])?];
    let text = name.trim_ascii_end();
    (!text.is_empty() && text.iter().all(u8::is_ascii_graphic)).then_some(name)
}

fn known(name: &[u8]) -> Option<Field> {
    let name = name.trim_ascii_end();
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, field)| *field)
}

/// The line that mbox files put before a message, which some servers leave in.
fn is_mbox_line(line: &[u8]) -> bool {
    line.starts_with(b"From ") || line.starts_with(b">From ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Header<'_> {
        Header::scan(text.as_bytes(), |line| line == b"--b")
    }

    #[test]
    fn where_the_body_begins() {
        for (text, body, blank_line, any) in [
            ("Subject: a\r\n\r\nbody", "body", true, true),
            ("Subject: a\n\nbody", "body", true, true),
            ("Subject: a\r\n", "", false, true),
            ("Subject: a", "", false, true),
            ("\r\nbody", "body", true, false),
            ("", "", false, false),
            ("Subject: a\r\nNo field here\r\nTo: b\r\n\r\nbody", "body", true, true),
            ("Subject: a\r\nNo field here\r\nnor here", "No field here\r\nnor here", false, true),
            ("Just text\r\n\r\nand more", "Just text\r\n\r\nand more", false, false),
            ("From a@example.org Thu Aug 22\r\nSubject: a\r\n\r\nbody", "body", true, true),
            ("Subject: a\r\n--b\r\nrest", "--b\r\nrest", false, true),
            ("--b\r\nrest", "--b\r\nrest", false, false),
            ("Subject : a\r\n \r\n b\r\n\r\nbody", "body", true, true),
        ] {
            let header = scan(text);
            assert_eq!(
                (&text[header.body..], header.blank_line, header.any),
                (body, blank_line, any),
                "{text:?}"
            );
        }
    }

    #[test]
    fn fields() {
        let header = scan("SUBJECT : one\r\n two\r\nsubject: second\r\nTo: a\r\nX-To: b\r\nTo: c\r\n\r\n");
        assert_eq!(header.get(Field::Subject), Some(&b" one\r\n two\r\n"[..]));
        assert_eq!(header.fields.iter().filter(|(field, _)| *field == Field::To).count(), 2);
        assert_eq!(header.get(Field::From), None);
    }

    #[test]
    fn ids() {
        for (text, ids) in [
            ("<a@b>", &["a@b"][..]),
            ("a@b", &["a@b"]),
            ("  < a@\r\n b >  ", &["a@b"]),
            ("<a@b> <c@d>\r\n\t<e@f>", &["a@b", "c@d", "e@f"]),
            ("<a@b><c@d>", &["a@b", "c@d"]),
            ("a@b c@d, e@f", &["a@b", "c@d", "e@f"]),
            ("Your message of Monday <a@b> from x@y", &["a@b"]),
            ("<a@b", &["a@b"]),
            ("<a@b <c@d>", &["a@b", "c@d"]),
            ("<> <>", &[]),
            ("no ids", &[]),
            ("", &[]),
        ] {
            let header = format!("References: {text}\r\n\r\n");
            assert_eq!(scan(&header).ids(Field::References, &Limits::DEFAULT), ids, "{text}");
        }
        assert_eq!(message_id(b" just-a-token \r\n").as_deref(), Some("just-a-token"));
        assert_eq!(message_id(b" \r\n"), None);
        assert_eq!(message_id(&b"x".repeat(5_000)).map(|id| id.len()), Some(ID));
    }

    #[test]
    fn references_keep_the_first_and_the_newest() {
        let ids: Vec<String> = (0..5_000).map(|id| format!("<{id}@example.org>")).collect();
        let text = format!("References: {}\r\n\r\n", ids.join("\r\n "));
        let kept = scan(&text).ids(Field::References, &Limits::DEFAULT);
        assert_eq!(kept.len(), Limits::DEFAULT.references);
        assert_eq!(kept.first().map(String::as_str), Some("0@example.org"));
        assert_eq!(kept.last().map(String::as_str), Some("4999@example.org"));
        assert_eq!(kept[1], format!("{}@example.org", 5_000 - Limits::DEFAULT.references + 1));
    }

    #[test]
    fn list_ids() {
        for (text, id) in [
            (&b"Friends of trees <trees.example.org>"[..], Some("trees.example.org")),
            (b"trees.example.org", Some("trees.example.org")),
            (b"<trees.example.org", Some("trees.example.org")),
            (b"", None),
        ] {
            assert_eq!(list_id(text, &Limits::DEFAULT).as_deref(), id);
        }
    }
}
