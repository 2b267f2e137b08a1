//! Messages built to cost too much. Each is read by every function, within a time that no quadratic one
//! would keep.

use std::time::{Duration, Instant};

use super::*;

/// Generous for an unoptimised build on a busy machine; quadratic reading would take minutes.
const TIME: Duration = Duration::from_secs(8);

fn survive(name: &str, raw: &[u8]) -> Reading {
    let limits = &Limits::DEFAULT;
    let start = Instant::now();
    let reading = read_message(raw, limits);
    read_prefix(&raw[..raw.len().min(64 << 10)], limits);
    read_prefix(raw, limits);
    read_header(raw, limits);
    text_body(raw, limits);
    html_body(raw);
    part_data(raw, "1.1");
    assert!(start.elapsed() < TIME, "{name}: {:?}", start.elapsed());
    assert!(reading.details.parts.len() <= limits.parts, "{name}");
    let stored = postcard::to_allocvec(&reading).unwrap().len();
    assert!(stored < 1 << 20, "{name}: a row of {stored} octets");
    reading
}

fn nested(depth: usize) -> Vec<u8> {
    let mut raw = Vec::new();
    for level in 0..depth {
        raw.extend(format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n").bytes());
    }
    raw.extend(b"\r\nat the bottom");
    raw
}

#[test]
fn note_49_nesting_is_accepted_to_64_and_bounded_beyond() {
    let fits = survive("64 deep", &nested(64));
    assert_eq!(fits.details.parts.len(), 1);
    assert_eq!(fits.details.parts[0].number, vec!["1"; 64].join("."));
    assert_eq!(fits.summary.preview, "at the bottom");
    let deep = survive("100,000 deep", &nested(100_000));
    assert!(deep.summary.degraded);
    let messages = survive("messages", &b"Content-Type: message/rfc822\r\n\r\n".repeat(100_000));
    assert!(messages.summary.degraded);
}

#[test]
fn note_32_one_boundary_for_every_level() {
    let raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n".repeat(100_000);
    assert!(survive("same boundary", &raw).summary.degraded);
    let raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
        .repeat(100_000);
    assert!(survive("alternating", &raw).summary.degraded);
}

#[test]
fn note_42_many_parts() {
    let mut raw = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
    raw.extend(b"--b\r\nContent-Type: text/plain; name=a\r\n\r\nx\r\n".repeat(100_000));
    let reading = survive("100,000 parts", &raw);
    assert!(reading.summary.degraded && !reading.details.parts_complete);
    assert_eq!(reading.details.parts.len(), Limits::DEFAULT.parts);
}

#[test]
fn note_42_large_headers_and_lines() {
    let field = |name: &str, value: &str, octets: usize| {
        [format!("{name}: ").as_bytes(), &value.as_bytes().repeat(octets / value.len()), b"\r\n\r\nbody"]
            .concat()
    };
    for (name, value) in [
        ("Subject", "long subject "),
        ("Subject", "=?utf-8?q?x?= "),
        ("Subject", "=?aa?q?x"),
        ("X-Other", "x"),
        ("X-Other", "folded\r\n "),
        ("To", "a@example.org, "),
        ("References", "<a@b> "),
        ("References", "<"),
        ("Message-ID", "<a"),
        ("In-Reply-To", "a "),
        ("List-Id", "<"),
        ("Content-Type", "text/plain;a=b"),
        ("Content-Type", "multipart/mixed; boundary*0=b;"),
        ("Content-Disposition", "inline; filename*1*=%41;"),
        ("Content-ID", "<<>"),
        ("Date", "1 "),
    ] {
        let reading = survive(&format!("{name}: {value}"), &field(name, value, 10 << 20));
        assert_eq!(reading.summary.preview, "body", "{name}: {value}");
    }
    survive("100,000 fields", &[&b"X-Field: value\r\n".repeat(100_000)[..], b"\r\nbody"].concat());
    survive("100,000 subjects", &[&b"Subject: value\r\n".repeat(100_000)[..], b"\r\nbody"].concat());
    survive("one line", &b"x".repeat(50 << 20));
    survive("one header line", &[b"Subject: ", &b"x".repeat(50 << 20)[..]].concat());
    survive("one body line", &[b"Subject: x\r\n\r\n", &b"y".repeat(50 << 20)[..]].concat());
}

#[test]
fn note_58_unclosed_quotes_and_address_bombs() {
    for field in ["From", "To", "Cc"] {
        for value in ["\"a ", "\"", "(", "<", "a@b,", ":;", "=?utf-8?q?a?=,"] {
            let raw =
                [format!("{field}: ").as_bytes(), &value.as_bytes().repeat((4 << 20) / value.len())].concat();
            assert!(survive(&format!("{field}: {value}"), &raw).summary.degraded, "{field}: {value}");
        }
    }
    survive("100,000 address fields", &b"To: \"a, b, c@example.org\r\n".repeat(100_000));
}

#[test]
fn bodies_that_look_like_delimiters() {
    let boundary = "b".repeat(70);
    let mut raw = String::new();
    for level in 0..60 {
        raw.push_str(&format!(
            "Content-Type: multipart/mixed; boundary={boundary}{level}\r\n\r\n--{boundary}{level}\r\n"
        ));
    }
    raw.push_str("\r\n");
    for line in ["--\n".to_owned(), "--\r\n--".to_owned(), format!("--{boundary}\r\n"), "\n".to_owned()] {
        let body = line.repeat((4 << 20) / line.len());
        survive(&line, [raw.as_bytes(), body.as_bytes()].concat().as_slice());
    }
}

#[test]
fn bodies_that_do_not_decode() {
    let text = |header: &str, body: &[u8]| {
        [header.as_bytes(), b"\r\n\r\n", &body.repeat((4 << 20) / body.len())].concat()
    };
    for (header, body) in [
        ("Content-Transfer-Encoding: base64", &b"!!!!"[..]),
        ("Content-Transfer-Encoding: base64", b"===="),
        ("Content-Transfer-Encoding: base64", b"A"),
        ("Content-Transfer-Encoding: quoted-printable", b"="),
        ("Content-Transfer-Encoding: quoted-printable", b"= \t"),
        ("Content-Transfer-Encoding: quoted-printable", b" \n"),
        ("Content-Type: text/plain; charset=utf-8", b"\xff"),
        ("Content-Type: text/plain; charset=utf-7", b"+"),
        ("Content-Type: text/plain; charset=utf-16", b"\xd8"),
        ("Content-Type: text/plain; charset=gb18030", b"\x81"),
        ("Content-Type: text/plain; charset=iso-2022-jp", b"\x1b$B"),
        ("Content-Type: text/plain; format=flowed", b"> \n"),
        ("Content-Type: text/plain", b"On 1 wrote:\n"),
        ("Content-Type: text/plain", b"> "),
        ("Content-Type: text/plain", b"\n"),
        ("Content-Type: text/html", b"<blockquote type=cite>"),
        ("Content-Type: text/html", b"<a '"),
        ("Content-Type: text/html", b"&#x"),
    ] {
        survive(&format!("{header} {body:?}"), &text(header, body));
    }
}

/// Pieces that mean something to one of the parsers here, to be put together in any order.
const PIECES: [&[u8]; 40] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\r\n\r\n",
    b"--b",
    b"--",
    b"--b--",
    b"\xff",
    b"\xc3",
    b"\xc3\xa9",
    b"\x1b$B",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Type: text/html\r\n",
    b"Content-Type: text/plain; format=flowed; delsp=yes\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-",
    b"Content-Disposition: attachment; filename*0*=utf-8''%C3; filename*1*=%A9",
    b"Subject: ",
    b"From: ",
    b"Date: ",
    b"References: <a@b> <",
    b"=?utf-8?Q?=C3?= ",
    b"=?koi8-r?B?8NLJ",
    b"=?",
    b"?=",
    b"\"",
    b"(",
    b"<",
    b">",
    b"&#146;",
    b"<blockquote cite>",
    b"<style>",
    b"<!--",
    b"> ",
    b"1 Jan 2000 ",
    b"=\r\n",
];

proptest::proptest! {
    #[test]
    fn any_octets_are_read(picks in proptest::collection::vec(0..PIECES.len(), 0..60)) {
        let raw: Vec<u8> = picks.iter().flat_map(|pick| PIECES[*pick]).copied().collect();
        let limits = &Limits::DEFAULT;
        let whole = read_message(&raw, limits);
        for part in &whole.details.parts {
            let data = part_data(&raw, &part.number);
            proptest::prop_assert!(data.is_some_and(|data| data.len() as u64 <= part.size), "{}", part.number);
            proptest::prop_assert!(!part.safe_file_name().is_empty());
        }
        proptest::prop_assert!(whole.summary.preview.chars().count() <= limits.preview);
        read_header(&raw, limits);
        text_body(&raw, limits);
        html_body(&raw);
        for end in (0..raw.len()).step_by(7) {
            let cut = read_prefix(&raw[..end], limits);
            proptest::prop_assert!(cut.details.parts.len() <= whole.details.parts.len() + 1);
        }
    }

    #[test]
    fn numbers_name_one_part_each(picks in proptest::collection::vec(0..PIECES.len(), 0..60)) {
        let raw: Vec<u8> = picks.iter().flat_map(|pick| PIECES[*pick]).copied().collect();
        let mut numbers: Vec<String> =
            read_message(&raw, &Limits::DEFAULT).details.parts.into_iter().map(|part| part.number).collect();
        let count = numbers.len();
        numbers.sort();
        numbers.dedup();
        proptest::prop_assert_eq!(numbers.len(), count);
    }
}
