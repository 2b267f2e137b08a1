//! Small mails of every common shape, read whole, and the odd ones that turn up among them.

use super::*;

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

fn reading(text: &str) -> Reading {
    read_message(&crlf(text), &Limits::DEFAULT)
}

fn body(text: &str) -> String {
    text_body(&crlf(text), &Limits::DEFAULT)
}

/// `number type size` of each part.
fn parts(reading: &Reading) -> Vec<String> {
    let line = |part: &Part| format!("{} {} {}", part.number, part.media_type, part.size);
    reading.details.parts.iter().map(line).collect()
}

const PLAIN: &str = "\
From: \"Ode, Ann\" <ann@example.org>
To: Bob <bob@example.org>, carol@example.org
Cc: team: d@example.org, e@example.org;
Reply-To: lists@example.org
Subject: =?iso-8859-1?Q?Gr=FC=DFe?= from the
 hills
Date: Thu, 22 Aug 2002 12:36:23 +0200
Message-ID: <one@example.org>
In-Reply-To: <zero@example.org>
References: <root@example.org>
 <zero@example.org>
List-Id: Walkers <walkers.example.org>

Hello all,

the path is dry again.

-- 
Ann
";

#[test]
fn plain() {
    let reading = reading(PLAIN);
    let summary = &reading.summary;
    assert_eq!(summary.from[0], Address { name: Some("Ode, Ann".into()), address: "ann@example.org".into() });
    assert_eq!(summary.to[1].address, "carol@example.org");
    assert_eq!(summary.subject, "Grüße from the hills");
    assert_eq!(summary.date_ms, Some(1_030_012_583_000));
    assert_eq!(summary.message_id.as_deref(), Some("one@example.org"));
    assert_eq!(summary.preview, "Hello all, the path is dry again.");
    assert_eq!((summary.attachments, summary.degraded, summary.structured), (0, false, true));
    let details = &reading.details;
    assert_eq!(details.cc.len(), 2);
    assert_eq!(details.reply_to[0].address, "lists@example.org");
    assert_eq!(details.in_reply_to, ["zero@example.org"]);
    assert_eq!(details.references, ["root@example.org", "zero@example.org"]);
    assert_eq!(details.list_id.as_deref(), Some("walkers.example.org"));
    assert_eq!(parts(&reading), ["1 text/plain 50"]);
    assert!(details.parts_complete);
    assert_eq!(body(PLAIN), "Hello all,\n\nthe path is dry again.\n\n-- \nAnn\n");
    assert_eq!(html_body(PLAIN.as_bytes()), None);
}

#[test]
fn readings_survive_storage() {
    for text in [PLAIN, NESTED, NAMES] {
        let reading = reading(text);
        let bytes = postcard::to_allocvec(&reading).unwrap();
        assert_eq!(postcard::from_bytes::<Reading>(&bytes).unwrap(), reading);
    }
}

const ALTERNATIVE: &str = "\
From: shop@example.org
Subject: Offer
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=\"=_b 1\"

This is a message in several parts.
--=_b 1
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Caf=C3=A9 for =E2=82=AC 2=
.50
--=_b 1  
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PHN0eWxlPnB7fTwvc3R5bGU+PHA+Q2Fmw6kgZm9yIDxiPuKCrCAyLjUwPC9iPjwvcD4=

--=_b 1--
epilogue
";

#[test]
fn alternative() {
    let reading = reading(ALTERNATIVE);
    assert_eq!(parts(&reading), ["1 text/plain 31", "2 text/html 70"]);
    assert_eq!(reading.summary.preview, "Café for € 2.50");
    assert_eq!((reading.summary.attachments, reading.summary.degraded), (0, false));
    assert_eq!(body(ALTERNATIVE), "Café for € 2.50");
    let html = html_body(&crlf(ALTERNATIVE)).unwrap();
    assert_eq!(html, "<style>p{}</style><p>Café for <b>€ 2.50</b></p>");
    assert_eq!(part_data(&crlf(ALTERNATIVE), "2").unwrap(), html.as_bytes());
    assert_eq!(part_data(&crlf(ALTERNATIVE), "3"), None);
}

const NAMES: &str = "\
From: a@example.org
Content-Type: multipart/mixed; boundary=b

--b

see attached
--b
Content-Type: application/pdf
Content-Disposition: attachment;
 filename*0*=utf-8''%E2%82%AC%20rates%2;
 filename*1=0.pdf; filename=rates.pdf
Content-Transfer-Encoding: base64

JVBERi0=
--b
Content-Type: image/png; name=\"=?utf-8?B?YmlsZMOkci5wbmc=?=\"
Content-ID: <pic@example.org>
Content-Disposition: inline

png
--b
Content-Type: application/octet-stream
Content-Disposition: attachment; filename=\"../../.ssh/config\"

x
--b--
";

#[test]
fn attachments_and_their_names() {
    let reading = reading(NAMES);
    let names: Vec<_> = reading.details.parts.iter().map(|part| part.name.as_deref()).collect();
    assert_eq!(names, [None, Some("€ rates%20.pdf"), Some("bildär.png"), Some("../../.ssh/config")]);
    assert_eq!(reading.summary.attachments, 2);
    let pictures = &reading.details.parts[2];
    assert_eq!(pictures.content_id.as_deref(), Some("pic@example.org"));
    assert_eq!(pictures.disposition, Disposition::Inline);
    assert_eq!(reading.details.parts[3].safe_file_name(), "config");
    assert_eq!(part_data(&crlf(NAMES), "2").unwrap(), b"%PDF-");
}

const NESTED: &str = "\
From: a@example.org
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/alternative; boundary=outer-inner

--outer-inner
Content-Type: text/plain

plain
--outer-inner
Content-Type: text/html

<p>html</p>
--outer-inner--

--outer
Content-Type: message/rfc822

Subject: forwarded
Content-Type: multipart/mixed; boundary=fwd

--fwd
Content-Type: text/plain

inner text
--fwd
Content-Type: message/rfc822

Subject: innermost

deep
--fwd
Content-Type: image/gif

gif
--fwd--
--outer
Content-Type: message/rfc822

Subject: simple

body
--outer--
";

/// The numbers of RFC 9051 §6.4.5.1.
#[test]
fn numbers_of_nested_parts() {
    let reading = reading(NESTED);
    let expected = [
        "1.1 text/plain 5",
        "1.2 text/html 11",
        "2 message/rfc822 229",
        "2.1 text/plain 10",
        "2.2 message/rfc822 26",
        "2.2.1 text/plain 4",
        "2.3 image/gif 3",
        "3 message/rfc822 23",
        "3.1 text/plain 4",
    ];
    assert_eq!(parts(&reading), expected);
    assert_eq!((reading.summary.attachments, reading.summary.degraded), (2, false));
    assert_eq!(part_data(&crlf(NESTED), "3").unwrap(), b"Subject: simple\r\n\r\nbody");
    assert_eq!(part_data(&crlf(NESTED), "3.1").unwrap(), b"body");
    assert_eq!(part_data(&crlf(NESTED), "1"), None);
    assert_eq!(body(NESTED), "plain");
}

#[test]
fn a_message_that_is_a_message() {
    let text = "Content-Type: message/rfc822\n\nSubject: inner\n\nhello\n";
    let reading = reading(text);
    assert_eq!(parts(&reading), ["1 message/rfc822 25", "1.1 text/plain 7"]);
    assert_eq!(reading.summary.preview, "hello");
    assert_eq!(body(text), "hello\n");
}

#[test]
fn digests_hold_messages() {
    let text = "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: one\n\nfirst\n--b\n\nSubject: two\n\nsecond\n--b--\n";
    let reading = reading(text);
    assert_eq!(
        parts(&reading),
        ["1 message/rfc822 21", "1.1 text/plain 5", "2 message/rfc822 22", "2.1 text/plain 6"]
    );
    assert_eq!(body(text), "first\nsecond");
}

#[test]
fn texts() {
    for (text, expected) in [
        // HTML only.
        ("Content-Type: text/html\n\n<p>One</p><p>Two &amp; three</p>", "One\n\nTwo & three"),
        // 8-bit without a charset, and with one.
        ("Subject: x\n\ncaf\u{e9} in UTF-8", "café in UTF-8"),
        (
            "Content-Type: text/plain; charset=\"koi8-r\"\nContent-Transfer-Encoding: base64\n\n8NLJ18XU",
            "Привет",
        ),
        (
            "Content-Type: text/plain; charset=ISO-2022-JP\nContent-Transfer-Encoding: base64\n\nGyRCJDMkcyRLJEEkTxsoQg==",
            "こんにちは",
        ),
        (
            "Content-Type: text/plain; charset=windows-1252\nContent-Transfer-Encoding: quoted-printable\n\n=80 5",
            "€ 5",
        ),
        ("Content-Type: text/plain; charset=nonsense\n\ntext", "text"),
        // Flowed text.
        ("Content-Type: text/plain; format=flowed\n\none \ntwo\n> a \n> b\n", "one two\n> a b\n"),
        ("Content-Type: text/plain; format=flowed; delsp=yes\n\n日 \n本\n", "日本\n"),
        // The plain alternative is empty.
        (
            "Content-Type: multipart/alternative; boundary=b\n\n--b\n\n \n--b\nContent-Type: text/html\n\nhtml\n--b--",
            " \nhtml",
        ),
        // Text, a picture between, and text again; an attached text is no body.
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: image/png\n\nx\n--b\n\ntwo\n\
             --b\nContent-Disposition: attachment\n\nno\n--b--",
            "one\ntwo",
        ),
        // A mailing list's footer after an alternative.
        (
            "Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: multipart/alternative; boundary=a\n\n\
             --a\n\nplain\n--a\nContent-Type: text/html\n\nhtml\n--a--\n--m\n\nfooter\n--m--",
            "plain\nfooter",
        ),
        // Controls are no text.
        ("Subject: x\n\na\u{0}b\u{8}c\td", "abc\td"),
    ] {
        assert_eq!(body(text), expected, "{text}");
    }
}

#[test]
fn subjects() {
    for (subject, expected) in [
        (&b"=?ISO-2022-JP?B?GyRCJDMkcyRLJEEkTxsoQg==?="[..], "こんにちは"),
        (b"=?koi8-r?B?8NLJ18XU?= =?koi8-r?B?LCDNydI=?=", "Привет, мир"),
        (b"caf\xe9 \x80 5", "café € 5"),
        (b"caf\xc3\xa9", "café"),
        (b"\x1b$B$3$s\x1b(B", "こん"),
        (b"tab\tand\0null\x07", "tab and null"),
        (b"", ""),
    ] {
        let header = [b"Subject: ", subject, b"\r\n\r\n"].concat();
        assert_eq!(read_header(&header, &Limits::DEFAULT).summary.subject, expected);
    }
}

#[test]
fn invitations() {
    let text = "Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: multipart/alternative; boundary=a\n\n\
                --a\nContent-Type: text/plain\n\nYou are invited\n\
                --a\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\n\nBEGIN:VCALENDAR\n--a--\n\
                --m\nContent-Type: application/ics; name=invite.ics\nContent-Disposition: attachment; filename=invite.ics\n\n\
                BEGIN:VCALENDAR\n--m--\n";
    let reading = reading(text);
    assert_eq!(parts(&reading), ["1.1 text/plain 15", "1.2 text/calendar 15", "2 application/ics 15"]);
    assert_eq!(reading.summary.attachments, 1);
    assert_eq!(body(text), "You are invited");
}

#[test]
fn signed_mail_has_no_attachment() {
    let text = "Content-Type: multipart/signed; boundary=b; protocol=\"application/pgp-signature\"\n\n--b\n\ntext\n\
                --b\nContent-Type: application/pgp-signature; name=signature.asc\n\nsig\n--b--\n";
    assert_eq!(reading(text).summary.attachments, 0);
}

#[test]
fn a_single_part_may_be_an_attachment() {
    let text = "Content-Type: application/pdf; name=x.pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0=\n";
    let reading = reading(text);
    assert_eq!((reading.summary.attachments, reading.summary.preview.as_str()), (1, ""));
}

#[test]
fn selected_header_fields() {
    let fields = b"From: a@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\nSubject: x";
    let reading = read_header(fields, &Limits::DEFAULT);
    assert_eq!(reading.summary.from[0].address, "a@example.org");
    assert_eq!(reading.summary.subject, "x");
    assert_eq!(
        (reading.summary.attachments, reading.summary.structured, reading.summary.degraded),
        (1, false, false)
    );
    assert!(reading.details.parts.is_empty() && !reading.details.parts_complete);
}

#[test]
fn prefixes() {
    let whole = crlf(NAMES);
    for end in 0..whole.len() {
        let reading = read_prefix(&whole[..end], &Limits::DEFAULT);
        let seen = reading.details.parts.len();
        let all = read_message(&whole, &Limits::DEFAULT);
        assert!(seen <= all.details.parts.len());
        for (part, known) in reading.details.parts.iter().zip(&all.details.parts).take(seen.saturating_sub(1))
        {
            assert_eq!(part, known, "cut at {end}");
        }
        if end > 100 && seen > 0 && !reading.details.parts_complete {
            assert!(reading.summary.attachments >= 1, "cut at {end}");
        }
    }
    let cut = whole.len() - 20;
    let reading = read_prefix(&whole[..cut], &Limits::DEFAULT);
    assert!(!reading.summary.structured && !reading.summary.degraded);
    assert_eq!(reading.summary.preview, "see attached");
    let closed = [&whole[..], b"epilogue"].concat();
    let reading = read_prefix(&closed, &Limits::DEFAULT);
    assert!(reading.summary.structured && reading.details.parts_complete);
    let single = read_prefix(b"Subject: x\r\n\r\nlong text that goes", &Limits::DEFAULT);
    assert!(single.summary.structured && !single.details.parts_complete);
    assert_eq!(single.summary.attachments, 0);
}

#[test]
fn previews_of_parts() {
    let limits = &Limits::DEFAULT;
    let preview = |data: &[u8], media_type, charset, encoding| {
        preview_of_part(data, media_type, charset, encoding, limits)
    };
    let (base64, qp) = (TransferEncoding::Base64, TransferEncoding::QuotedPrintable);
    assert_eq!(preview(b"8NLJ18XU", "TEXT/PLAIN", Some("KOI8-R"), base64), "Привет");
    assert_eq!(preview(b"<b>caf=E9</b> =", "text/html", Some("iso-8859-1"), qp), "café");
    assert_eq!(preview(b"text", "", None, TransferEncoding::Identity), "text");
    assert_eq!(preview(b"%PDF", "application/pdf", None, TransferEncoding::Identity), "");
}

#[test]
fn note_42_odd_bytes_are_kept_and_shown() {
    let limits = &Limits::DEFAULT;
    // Bare CR, bare LF, NUL, 8-bit header fields, charsets that do not exist.
    let lf = read_message(b"Subject: x\nFrom: a@example.org\n\nbody\n", limits);
    assert_eq!((lf.summary.subject.as_str(), lf.summary.preview.as_str()), ("x", "body"));
    let cr = read_message(b"Subject: x\rFrom: a@example.org\r\rbody", limits);
    assert!(cr.summary.subject.starts_with("x From: a@example.org"));
    let nul = read_message(b"Subject: a\0b\r\n\r\nc\0d\0", limits);
    assert_eq!((nul.summary.subject.as_str(), nul.summary.preview.as_str()), ("a b", "c d"));
    let bits = read_message(b"From: Ren\xe9 <r@example.org>\r\n\r\ncaf\xe9", limits);
    assert_eq!(bits.summary.from[0].name.as_deref(), Some("René"));
    assert_eq!(bits.summary.preview, "café");
    let charset = b"Subject: =?no-such?Q?x=E9?=\r\nContent-Type: text/plain; charset=no-such\r\n\r\n\xe9x";
    let charset = read_message(charset, limits);
    assert_eq!((charset.summary.subject.as_str(), charset.summary.preview.as_str()), ("xé", "éx"));
}

#[test]
fn note_57_no_header_or_nothing_at_all() {
    let limits = &Limits::DEFAULT;
    let empty = read_message(b"", limits);
    assert!(empty.summary.degraded && empty.summary.preview.is_empty());
    assert_eq!(text_body(b"", limits), "");
    let text = b"Just text,\r\n\r\nwithout a header.\r\n";
    let reading = read_message(text, limits);
    assert!(reading.summary.degraded);
    assert_eq!(reading.summary.preview, "Just text, without a header.");
    assert_eq!(part_data(text, "1").as_deref(), Some(&text[..]));
    let blank = read_message(b"\r\nbody only\r\n", limits);
    assert_eq!(blank.summary.preview, "body only");
}

#[test]
fn note_65_no_blank_line_after_the_header() {
    let limits = &Limits::DEFAULT;
    let header_only = read_message(b"From: a@example.org\r\nSubject: all header\r\n", limits);
    assert_eq!(header_only.summary.subject, "all header");
    assert!(!header_only.summary.degraded);
    let straight_on = read_message(b"Subject: x\r\nThe text begins at once.\r\nMore.", limits);
    assert_eq!(straight_on.summary.subject, "x");
    assert_eq!(straight_on.summary.preview, "The text begins at once. More.");
}

#[test]
fn broken_structures_are_shown() {
    for (text, preview) in [
        // No boundary given; a boundary that never comes; no closing delimiter; a delimiter within a header.
        ("Content-Type: multipart/mixed\n\nraw text", "raw text"),
        ("Content-Type: multipart/mixed; boundary=b\n\nraw text", "raw text"),
        ("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nno end", "no end"),
        ("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\n--b\n\ntext\n", "text"),
        // An inner multipart that is closed by the outer one.
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nin\n--b--\n",
            "in",
        ),
    ] {
        let reading = reading(text);
        assert_eq!(reading.summary.preview, preview, "{text}");
        assert!(reading.summary.degraded || text.contains("image/png"), "{text}");
    }
}

/// A delimiter is a whole line: neither its prefix nor a longer line is one (RFC 2046 §5.1.1).
#[test]
fn delimiters_are_whole_lines() {
    let text = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none --b\n--bb\n--\n-- b\n --b\n--b\t\n\ntwo\n--b--\n";
    assert_eq!(parts(&reading(text)), ["1 text/plain 29", "2 text/plain 3"]);
}
