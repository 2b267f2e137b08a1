//! Descriptions and sections of messages, well made and not.

use super::fields::select;
use super::*;
use crate::imap::command::Section;
use crate::imap::fetch::FetchAttr;
use crate::imap::parse;
use crate::imap::response::{Data, Response};
use crate::wire::Frame;

fn described(raw: &str) -> Description {
    describe(raw.as_bytes(), &Limits::DEFAULT)
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\\"", "\"")
}

/// RFC 9051 §6.4.5.1's example, with a text for each part.
const NESTED: &str = "Subject: whole\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\npreamble\r\n\
--o\r\n\r\none\r\n\
--o\r\nContent-Type: application/octet-stream\r\n\r\ntwo\r\n\
--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: three\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n\
--i\r\nContent-Type: text/plain\r\n\r\n3.1\r\n\
--i\r\nContent-Type: application/octet-stream\r\n\r\n3.2\r\n--i--\r\n\
--o\r\nContent-Type: multipart/mixed; boundary=p\r\n\r\n\
--p\r\nContent-Type: image/gif\r\nContent-Transfer-Encoding: base64\r\n\r\nNC4x\r\n\
--p\r\nContent-Type: message/rfc822\r\n\r\nSubject: 4.2\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n\
--q\r\nContent-Type: text/plain\r\n\r\n4.2.1\r\n\
--q\r\nContent-Type: multipart/alternative; boundary=r\r\n\r\n\
--r\r\nContent-Type: text/plain\r\n\r\n4.2.2.1\r\n\
--r\r\nContent-Type: text/richtext\r\n\r\n4.2.2.2\r\n--r--\r\n--q--\r\n--p--\r\n\
--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: five\r\n\r\n5.1\r\n--o--\r\nepilogue\r\n";

fn section<'a>(raw: &'a str, index: &SectionIndex, section: &Section) -> Option<&'a str> {
    match index.locate(section)? {
        Located::Octets(range) => Some(&raw[range.start as usize..range.end as usize]),
        Located::Fields { header, .. } => Some(&raw[header.start as usize..header.end as usize]),
    }
}

#[test]
fn every_section_of_the_rfcs_example() {
    let index = SectionIndex::read(NESTED.as_bytes(), &Limits::DEFAULT);
    let part = |numbers: &[u32]| section(NESTED, &index, &Section::Part(numbers.to_vec()));
    for (numbers, text) in [
        (&[1][..], Some("one")),
        (&[2], Some("two")),
        (&[3, 1], Some("3.1")),
        (&[3, 2], Some("3.2")),
        (&[4, 1], Some("NC4x")),
        (&[4, 2, 1], Some("4.2.1")),
        (&[4, 2, 2, 1], Some("4.2.2.1")),
        (&[4, 2, 2, 2], Some("4.2.2.2")),
        (&[5, 1], Some("5.1")),
        (&[0], None),
        (&[6], None),
        (&[1, 1], None),
        (&[3, 3], None),
        (&[4, 2, 2, 3], None),
        (&[5, 2], None),
        (&[5, 1, 1], None),
    ] {
        assert_eq!(part(numbers), text, "{numbers:?}");
    }
    assert!(part(&[3]).unwrap().starts_with("Subject: three\r\n"));
    assert!(part(&[3]).unwrap().ends_with("--i--"));
    assert!(part(&[4]).unwrap().starts_with("--p\r\n") && part(&[4]).unwrap().ends_with("--p--"));
    assert!(part(&[4, 2, 2]).unwrap().starts_with("--r\r\n"));
    let mime = |numbers: &[u32]| section(NESTED, &index, &Section::Mime(numbers.to_vec()));
    assert_eq!(mime(&[1]), Some("\r\n"));
    assert_eq!(mime(&[4, 1]), Some("Content-Type: image/gif\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
    let within = |numbers: &[u32], inner: Section| {
        let inner = Section::Within { part: numbers.to_vec(), section: Box::new(inner) };
        section(NESTED, &index, &inner)
    };
    assert_eq!(within(&[5], Section::Header), Some("Subject: five\r\n\r\n"));
    assert_eq!(within(&[5], Section::Text), Some("5.1"));
    assert_eq!(within(&[4, 2], Section::HeaderFields(vec![])).map(|h| &h[..12]), Some("Subject: 4.2"));
    assert_eq!(within(&[1], Section::Text), None);
    assert_eq!(within(&[3, 1], Section::Header), None);
    assert_eq!(section(NESTED, &index, &Section::Full), Some(NESTED));
    assert!(section(NESTED, &index, &Section::Text).unwrap().starts_with("preamble"));
    let (range, encoding) = index.binary(&[4, 1]).unwrap();
    let mut out = Vec::new();
    let mut decoder = Decoder::new(encoding).unwrap();
    decoder.push(&NESTED.as_bytes()[range.start as usize..range.end as usize], &mut out);
    decoder.finish(&mut out);
    assert_eq!(out, b"4.1");
    let stored = postcard::to_allocvec(&index).unwrap();
    assert_eq!(postcard::from_bytes::<SectionIndex>(&stored).unwrap(), index);
}

#[test]
fn a_single_part_is_part_one() {
    let raw = "Subject: x\r\n\r\nbody\r\n";
    let index = SectionIndex::read(raw.as_bytes(), &Limits::DEFAULT);
    assert_eq!(section(raw, &index, &Section::Part(vec![1])), Some("body\r\n"));
    assert_eq!(section(raw, &index, &Section::Mime(vec![1])), Some("Subject: x\r\n\r\n"));
    assert_eq!(section(raw, &index, &Section::Header), Some("Subject: x\r\n\r\n"));
    assert_eq!(section(raw, &index, &Section::Part(vec![1, 1])), None);
    for odd in ["", "\r\n", "\n", "no header", "Subject: x", "Subject: x\r\n"] {
        let index = SectionIndex::read(odd.as_bytes(), &Limits::DEFAULT);
        assert_eq!(section(odd, &index, &Section::Full), Some(odd));
        assert!(section(odd, &index, &Section::Text).is_some());
    }
}

#[test]
fn envelopes() {
    // RFC 9051 §8, and what RFC 5322 §A has of groups and routes.
    let raw = "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n\
Subject: IMAP4rev2 WG mtg\r\n summary and minutes\r\nTo: imap@cac.washington.edu\r\n\
cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\nTo: Undisclosed recipients:;\r\n\
Message-Id: <B27397-0100000@cac.washington.edu>\r\nReply-To: \r\nBcc: \"a\\\\\\\"b\" <@x:c@d>\r\n\r\n";
    assert_eq!(
        shown(&described(raw).envelope),
        "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" \
         ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
         ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
         ((NIL NIL \"imap\" \"cac.washington.edu\")(NIL NIL \"Undisclosed recipients\" NIL)(NIL NIL NIL NIL)) \
         ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) \
         ((\"a\\\\\\\\\\\\\"b\" \"@x\" \"c\" \"d\")) NIL \"<B27397-0100000@cac.washington.edu>\")"
    );
    assert_eq!(shown(&described("").envelope), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    let odd = described("Subject: \u{e9}\0x\r\nFrom: b\r\n\r\n").envelope;
    assert!(shown(&odd).starts_with("(NIL {3}\\r\\n\\xc3\\xa9x ((NIL NIL \"b\" \"\"))"), "{}", shown(&odd));
}

#[test]
fn structures() {
    for (raw, body, extended) in [
        (
            "A: b\r\n\r\none\r\ntwo\r\n",
            "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 2)",
            "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 2 NIL NIL NIL NIL)",
        ),
        (
            "Content-Type: IMAGE/Gif; name=\"a b\"\r\nContent-Transfer-Encoding: BASE64\r\nContent-ID: <x>\r\n\
             Content-MD5: abc\r\nContent-Disposition: inline; filename=x.gif\r\nContent-Language: en, de\r\n\
             Content-Location: http://x/\r\nContent-Description: a gif\r\n\r\nR0lG",
            "(\"IMAGE\" \"Gif\" (\"name\" \"a b\") \"<x>\" \"a gif\" \"BASE64\" 4)",
            "(\"IMAGE\" \"Gif\" (\"name\" \"a b\") \"<x>\" \"a gif\" \"BASE64\" 4 \"abc\" \
             (\"inline\" (\"filename\" \"x.gif\")) (\"en\" \"de\") \"http://x/\")",
        ),
        (
            "Content-Type: multipart/digest; boundary=x\r\n\r\n--x\r\n\r\nSubject: s\r\n\r\nhi\r\n--x--\r\n",
            "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 16 (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL) \
             (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 2 0) 2) \"digest\")",
            "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 16 (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL) \
             (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 2 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) \
             \"digest\" (\"boundary\" \"x\") NIL NIL NIL)",
        ),
        (
            "Content-Type: multipart/mixed; boundary=x\r\n\r\nnothing",
            "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"mixed\")",
            "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"x\") NIL NIL NIL)",
        ),
        (
            "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3Vi",
            "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 4)",
            "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 4 NIL NIL NIL NIL)",
        ),
    ] {
        let described = described(raw);
        assert_eq!(shown(&described.body), body);
        assert_eq!(shown(&described.body_structure), extended);
    }
}

/// Reads a description back as a client does, and gives the parts.
fn read_back(described: &Description) -> usize {
    let mut text = b"* 1 FETCH (ENVELOPE ".to_vec();
    text.extend_from_slice(&described.envelope);
    text.extend_from_slice(b" BODY ");
    text.extend_from_slice(&described.body);
    text.extend_from_slice(b" BODYSTRUCTURE ");
    text.extend_from_slice(&described.body_structure);
    text.extend_from_slice(b")");
    let Ok(Response::Data(Data::Fetch(fetch))) = parse::response(Frame::new(&text)) else {
        panic!("{}", text.escape_ascii())
    };
    let attrs: Vec<_> = fetch.attrs.iter().collect();
    let [FetchAttr::Envelope(_), FetchAttr::BodyStructure(plain), FetchAttr::BodyStructure(full)] = attrs[..]
    else {
        panic!("{}", text.escape_ascii())
    };
    let parts = full.parts(&Limits::DEFAULT).count();
    assert_eq!(plain.parts(&Limits::DEFAULT).count(), parts);
    parts
}

#[test]
fn a_client_reads_them_back() {
    assert_eq!(read_back(&described(NESTED)), 17);
    for raw in ["", "From: (", "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n"] {
        assert_eq!(read_back(&described(raw)), 1);
    }
}

#[test]
fn hostile_structures_are_bounded() {
    let deep: String = (0..5_000)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}x\r\n\r\n--b{n}x\r\n"))
        .collect();
    let many =
        format!("Content-Type: multipart/mixed; boundary=x\r\n\r\n{}", "--x\r\n\r\na\r\n".repeat(50_000));
    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(20_000);
    let dashes = format!("Content-Type: multipart/mixed; boundary=-\r\n\r\n{}", "--\r\n---".repeat(50_000));
    for raw in [deep, many, messages, dashes] {
        let described = described(&raw);
        assert!(described.index.nodes.len() <= Limits::DEFAULT.parts);
        read_back(&described);
    }
}

#[test]
fn a_boundary_that_begins_another() {
    let raw = "Content-Type: multipart/mixed; boundary=ab\r\n\r\n--ab\r\nContent-Type: multipart/mixed; boundary=abc\r\n\r\n\
               --abc\r\n\r\ninner\r\n--abc--\r\n--ab\r\n\r\nouter\r\n--ab--\r\n";
    let index = SectionIndex::read(raw.as_bytes(), &Limits::DEFAULT);
    assert_eq!(section(raw, &index, &Section::Part(vec![1, 1])), Some("inner"));
    assert_eq!(section(raw, &index, &Section::Part(vec![2])), Some("outer"));
}

proptest::proptest! {
    #[test]
    fn any_octets_are_described(
        pieces in proptest::collection::vec(proptest::sample::select(vec![
            "Content-Type: multipart/mixed; boundary=x\r\n", "Content-Type: message/rfc822\n", "From: a <b@c>\r\n",
            "\r\n", "\n", "--x\r\n", "--x--\r\n", "--y", "text\r\n", "Content-Type: multipart/digest; boundary=\"y\"\r\n",
            "To: (\"", " fold\r\n", "\0", "\u{e9}", "Subject: \"\\\r\n", "Content-Disposition: a; b=\"\\\"",
        ]), 0..20),
    ) {
        let raw = pieces.concat();
        let described = described(&raw);
        read_back(&described);
        for node in &described.index.nodes {
            proptest::prop_assert!(node.header <= node.body && node.body <= node.end && node.end <= raw.len() as u64);
        }
        let _ = select(raw.as_bytes(), &["From".to_owned()], true);
    }
}
