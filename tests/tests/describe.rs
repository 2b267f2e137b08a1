//! ENVELOPE, BODY, BODYSTRUCTURE and sections of real mail, as Dovecot gives them for the same messages.

use mailkeep::imap::command::Section;
use mailkeep::limits::Limits;
use mailkeep::message::{Description, Located, describe, select_fields};
use mailkeep_tests::corpus;
use mailkeep_tests::dovecot::{Dovecot, DovecotOptions, Storage};
use mailkeep_tests::imap::{Client, Mail};
use mailkeep_tests::server::MailServer;

/// A value without what does not matter: whether a string is quoted or a literal, and how wide its blanks are
/// (Dovecot joins those of a folded subject).
fn tokens(text: &[u8], fold_case: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let mut string = None;
        match first {
            b' ' => rest = behind,
            b'(' | b')' => {
                found.push(char::from(first).to_string());
                rest = behind;
            }
            b'"' => {
                let (mut value, mut at) = (Vec::new(), 0);
                while behind[at] != b'"' {
                    at += usize::from(behind[at] == b'\\');
                    value.push(behind[at]);
                    at += 1;
                }
                rest = &behind[at + 1..];
                string = Some(value);
            }
            b'{' => {
                let end = behind.iter().position(|b| *b == b'}').expect("a literal");
                let len: usize = String::from_utf8_lossy(&behind[..end]).parse().expect("a length");
                let (value, behind) = behind[end + 3..].split_at(len);
                rest = behind;
                string = Some(value.to_vec());
            }
            _ => {
                let end = rest.iter().position(|b| b" ()".contains(b)).unwrap_or(rest.len());
                found.push(String::from_utf8_lossy(&rest[..end]).into_owned());
                rest = &rest[end..];
            }
        }
        if let Some(value) = string {
            let value = String::from_utf8_lossy(&value).into_owned();
            let value = if fold_case { value.to_lowercase() } else { value };
            found.push(format!("\"{}\"", value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")));
        }
    }
    found
}

fn dovecot_with(mails: &[Mail]) -> (Dovecot, Client) {
    let dovecot = Dovecot::start(DovecotOptions { storage: Storage::Mdbox, ..DovecotOptions::default() });
    dovecot.add_user("ann", "pw");
    dovecot.fill("ann", "INBOX", mails.iter().cloned());
    let mut client = Client::login(dovecot.imap_port(), "ann", "pw");
    client.ok("EXAMINE INBOX");
    (dovecot, client)
}

#[test]
fn envelopes_and_structures_of_real_mail() {
    let mails: Vec<Mail> = corpus::real_mail(usize::MAX).collect();
    let (_dovecot, mut client) = dovecot_with(&mails);
    let mut differences: Vec<(usize, &str, String, String)> = Vec::new();
    for (at, mail) in mails.iter().enumerate() {
        let ours = describe(&mail.bytes, &Limits::DEFAULT);
        let Description { envelope, body, body_structure, .. } = &ours;
        for (name, ours) in [("ENVELOPE", envelope), ("BODY", body), ("BODYSTRUCTURE", body_structure)] {
            let answer = client.ok(&format!("FETCH {} ({name})", at + 1)).untagged.remove(0);
            let head = format!("* {} FETCH ({name} ", at + 1).len();
            let fold_case = name != "ENVELOPE";
            let theirs = tokens(&answer[head..answer.len() - 1], fold_case);
            let ours = tokens(ours, fold_case);
            if theirs != ours {
                differences.push((at + 1, name, theirs.join(" "), ours.join(" ")));
            }
        }
    }
    // Where Dovecot says something else, on this mail: it names hosts that are missing `SYNTAX_ERROR` and
    // `MISSING_DOMAIN`, where we say the empty string; it leaves out the transfer encoding of a message that
    // names no content type (RFC 2045 §6.1 does not); it writes a type that it cannot read as two empty strings,
    // where RFC 2045 §5.2 has the default; and it counts lone CRs twice.
    let placeholder = |theirs: &str| theirs.contains("SYNTAX_ERROR") || theirs.contains("MISSING_");
    let (known, other): (Vec<_>, Vec<_>) =
        differences.into_iter().partition(|(_, _, theirs, _)| placeholder(theirs));
    let listed: String = other
        .iter()
        .map(|(at, name, theirs, ours)| format!("{at} {name}\n  Dovecot:  {theirs}\n  Mailkeep: {ours}\n"))
        .collect();
    assert!(
        known.len() <= 80 && other.len() <= 20,
        "{} placeholders, {}:\n{listed}",
        known.len(),
        other.len()
    );
}

/// Sections that most messages have, and some that few have.
fn sections() -> Vec<(&'static str, Section)> {
    let within = |part: &[u32], section| Section::Within { part: part.to_vec(), section: Box::new(section) };
    let names = || vec!["Subject".to_owned(), "from".to_owned()];
    vec![
        ("", Section::Full),
        ("HEADER", Section::Header),
        ("TEXT", Section::Text),
        ("HEADER.FIELDS (Subject from)", Section::HeaderFields(names())),
        ("HEADER.FIELDS.NOT (Subject from)", Section::HeaderFieldsNot(names())),
        ("1", Section::Part(vec![1])),
        ("2", Section::Part(vec![2])),
        ("1.MIME", Section::Mime(vec![1])),
        ("2.MIME", Section::Mime(vec![2])),
        ("1.1", Section::Part(vec![1, 1])),
        ("1.2", Section::Part(vec![1, 2])),
        ("2.1", Section::Part(vec![2, 1])),
        ("2.HEADER", within(&[2], Section::Header)),
        ("2.TEXT", within(&[2], Section::Text)),
        ("2.HEADER.FIELDS (Subject from)", within(&[2], Section::HeaderFields(names()))),
    ]
}

#[test]
fn sections_of_real_mail() {
    // Lone CRs are not kept as they were by the way into the server's store.
    let kept = |mail: &Mail| mail.bytes.len() < 100_000 && !mail.bytes.windows(2).any(|two| two == b"\r\r");
    let mails: Vec<Mail> = corpus::real_mail(usize::MAX).filter(kept).step_by(3).collect();
    let (_dovecot, mut client) = dovecot_with(&mails);
    let mut differences = Vec::new();
    for (at, mail) in mails.iter().enumerate() {
        let index = describe(&mail.bytes, &Limits::DEFAULT).index;
        for (name, section) in sections() {
            let answer = client.ok(&format!("FETCH {} BODY.PEEK[{name}]", at + 1)).untagged.remove(0);
            let bracket = answer.windows(2).position(|w| w == b"] ").expect("an item");
            let theirs = match &answer[bracket + 2..answer.len() - 1] {
                b"NIL" => None,
                [b'{', rest @ ..] => {
                    let end = rest.iter().position(|b| *b == b'\n').expect("a literal");
                    Some(rest[end + 1..].to_vec())
                }
                quoted => Some(quoted[1..quoted.len() - 1].to_vec()),
            };
            let octets = |range: std::ops::Range<u64>| &mail.bytes[range.start as usize..range.end as usize];
            let ours = index.locate(&section).map(|located| match (located, &section) {
                (Located::Octets(range), _) => octets(range).to_vec(),
                (Located::Fields { header, named }, _) => {
                    select_fields(octets(header), &["Subject".to_owned(), "from".to_owned()], named)
                }
            });
            // Dovecot gives an empty string for some parts that are not there, and for `1.1` of a part that
            // has no parts the part itself; RFC 9051 §6.4.5.1 gives such a part no further numbers.
            let beyond = ours.is_none() && matches!(name, "1.1" | "2.1");
            // The line end between the close of an inner multipart and the outer delimiter is the delimiter's (RFC 2046
            // §5.1.1); Dovecot leaves it with the part.
            let closing = match (&theirs, &ours) {
                (Some(theirs), Some(ours)) => {
                    ours.ends_with(b"--") && theirs.strip_suffix(b"\r\n") == Some(ours)
                }
                _ => false,
            };
            if !beyond && !closing && theirs.clone().unwrap_or_default() != ours.clone().unwrap_or_default() {
                differences.push(format!(
                    "{} BODY[{name}]\n  Dovecot:  {}\n  Mailkeep: {}",
                    at + 1,
                    theirs.unwrap_or_default().escape_ascii(),
                    ours.unwrap_or_default().escape_ascii()
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}
