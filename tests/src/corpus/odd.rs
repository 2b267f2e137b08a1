//! Messages that real mailboxes hold and that break mail programs.

/// Odd and hostile messages with a name each. Line ends and NULs are as written: a Maildir holds them to the
/// byte, APPEND does not.
pub fn odd() -> Vec<(&'static str, Vec<u8>)> {
    let text = |t: &str| t.as_bytes().to_vec();
    vec![
        ("empty", Vec::new()),
        ("one line end", text("\r\n")),
        ("no header", text("\r\nOnly a body.\r\n")),
        ("no body", text("Subject: no body\r\n\r\n")),
        (
            "missing blank line",
            text("Subject: no blank line\r\nFrom: a@b.example\r\nthis is no header line\r\nand more\r\n"),
        ),
        ("header ends the message", text("Subject: ends in its header")),
        ("missing final line end", text("Subject: no final line end\r\n\r\nbody")),
        ("bare LF", text("Subject: bare LF\nFrom: a@b.example\n\nbody\nmore\n")),
        ("bare CR", text("Subject: bare CR\r\n\r\nbody\rmore\r\n")),
        ("NULs", text("Subject: NUL\0s\r\n\r\nbo\0dy\r\n")),
        (
            "8-bit header",
            b"Subject: \xfcmlaut \xe9\xff\r\nFrom: \"J\xf6rg\" <j@b.example>\r\n\r\nbody\r\n".to_vec(),
        ),
        (
            "8-bit body",
            [b"Subject: bytes\r\n\r\n".to_vec(), (1..=255).filter(|b| *b != b'\n').collect()].concat(),
        ),
        ("dots", text("Subject: dots\r\n\r\n.\r\n..\r\n.a\r\n.\r\n")),
        (
            "tags and pluses",
            text("Subject: tags\r\n\r\n+ go\r\nA1 OK done\r\n* BYE\r\n* 1 FETCH (UID 1)\r\n)\r\n"),
        ),
        ("literal in the text", text("Subject: {5}\r\n\r\n{10}\r\n{10+}\r\n~{3}\r\n")),
        (
            "bad charset",
            text(
                "Subject: =?x-no-such?Q?=FF=FE?=\r\nContent-Type: text/plain; charset=x-no-such\r\n\r\nbody\r\n",
            ),
        ),
        (
            "broken encoded words",
            text("Subject: =?utf-8?B?!!!?= =?utf-8?Q?=ZZ?= =?utf-8?\r\nFrom: =?utf-8?Q?\r\n\r\nbody\r\n"),
        ),
        (
            "broken base64",
            text("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!=\r\n=AAAA\r\n"),
        ),
        (
            "unclosed quotes",
            text("From: \"a <b@c.example>\r\nTo: \"\"\"\"\"\"\"\r\nSubject: q\r\n\r\nbody\r\n"),
        ),
        (
            "repeated headers",
            text("Subject: one\r\nSubject: two\r\nMessage-ID: <a@x>\r\nMessage-ID: <b@x>\r\n\r\nbody\r\n"),
        ),
        (
            "dates of no calendar",
            text("Date: Thu, 99 Foo 99999 99:99:99 +9999\r\nSubject: date\r\n\r\nbody\r\n"),
        ),
        ("no closing boundary", text("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nbody\r\n")),
        ("missing boundary", text("Content-Type: multipart/mixed\r\n\r\nbody\r\n")),
        (
            "boundary of nothing",
            text("Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\nbody\r\n----\r\n"),
        ),
        (
            "path in a file name",
            text(
                "Content-Type: text/plain; name=\"../../etc/passwd\"\r\nContent-Disposition: attachment; filename=\"..\\..\\NUL\"\r\n\r\nbody\r\n",
            ),
        ),
        (
            "one long line",
            [b"Subject: one long line\r\n\r\n".to_vec(), vec![b'x'; 1 << 20], b"\r\n".to_vec()].concat(),
        ),
        ("long header", [b"Subject: ".to_vec(), vec![b'y'; 200_000], b"\r\n\r\nbody\r\n".to_vec()].concat()),
        ("many headers", [b"X-Line: a\r\n".repeat(5_000), b"\r\nbody\r\n".to_vec()].concat()),
        (
            "many recipients",
            [b"To: ".to_vec(), b"a@b.example, ".repeat(5_000), b"c@d.example\r\n\r\nbody\r\n".to_vec()]
                .concat(),
        ),
        ("deep multiparts", deep_multiparts(100)),
        (
            "deep messages",
            [b"Content-Type: message/rfc822\r\n\r\n".repeat(200), b"Subject: in\r\n\r\nbody\r\n".to_vec()]
                .concat(),
        ),
        ("many parts", many_parts(2_000)),
    ]
}

fn deep_multiparts(depth: usize) -> Vec<u8> {
    let mut out = String::new();
    for level in 0..depth {
        out.push_str(&format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"));
    }
    out.push_str("Content-Type: text/plain\r\n\r\ninnermost\r\n");
    for level in (0..depth).rev() {
        out.push_str(&format!("--b{level}--\r\n"));
    }
    out.into_bytes()
}

fn many_parts(count: usize) -> Vec<u8> {
    let mut out = b"Content-Type: multipart/mixed; boundary=p\r\n\r\n".to_vec();
    for _ in 0..count {
        out.extend_from_slice(b"--p\r\nContent-Type: text/plain\r\n\r\nx\r\n");
    }
    out.extend_from_slice(b"--p--\r\n");
    out
}
