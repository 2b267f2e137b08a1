//! Messages: coming in, being read, being found.

use super::*;

const MIXED: &str = "From: Ann <ann@example.org>\nSubject: two parts\nContent-Type: multipart/mixed; boundary=b\n\n\
--b\n\nfirst\n--b\nContent-Type: application/x\nContent-Transfer-Encoding: base64\n\nAGhpZGRlbg==\n\
--b\nContent-Transfer-Encoding: x-odd\n\nodd\n--b--\n";

#[test]
fn fetching() {
    let (users, mail) = users();
    put(&mail, "INBOX", &["\\Flagged"], MIXED);
    put(&mail, "INBOX", &[], "Subject: s\n\nbody\n");
    let mut client = [Client::signed_in(&users)];
    play(
        &mut client,
        r#"C: a SELECT INBOX
           S: …
           C: b FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE EMAILID THREADID SAVEDATE PREVIEW (LAZY))
           S: * 1 FETCH (UID 1 FLAGS (\Flagged) INTERNALDATE "10-Jan-2024 00:00:00 +0000" RFC822.SIZE 246 EMAILID (M1) THREADID NIL SAVEDATE "10-Jan-2024 00:00:00 +0000" PREVIEW "first")
           S: b OK done
           C: c FETCH 1 BODY.PEEK[HEADER.FIELDS (subject)]
           S: * 1 FETCH (BODY[HEADER.FIELDS (subject)] {22}
           S: Subject: two parts
           S: 
           S: )
           S: c OK done
           C: d FETCH 1 (BODY.PEEK[1]<1.3> BODY.PEEK[9] BODY.PEEK[1]<99.3>)
           S: * 1 FETCH (BODY[1]<1> {3}
           S: irs BODY[9] NIL BODY[1]<99> {0}
           S: )
           S: d OK done
           C: e UID FETCH 1 (BINARY.SIZE[2] BINARY.PEEK[2]<1.3>)
           S: * 1 FETCH (UID 1 BINARY.SIZE[2] 7 BINARY[2]<1> ~{3}
           S: hid)
           S: e OK done
           C: f FETCH 1 BINARY.SIZE[3]
           S: f NO [UNKNOWN-CTE] its encoding is not known here
           C: g FETCH 1:2 BODY[2.MIME]
           S: * 1 FETCH (BODY[2.MIME] {66}
           S: Content-Type: application/x
           S: Content-Transfer-Encoding: base64
           S: 
           S:  FLAGS (\Seen \Flagged))
           S: * 2 FETCH (BODY[2.MIME] NIL FLAGS (\Seen))
           S: g OK done
           C: h FETCH 2 (BODY[TEXT] ENVELOPE BODY)
           S: * 2 FETCH (BODY[TEXT] {6}
           S: body
           S:  ENVELOPE (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 1))
           S: h OK done
           C: i FETCH 2 RFC822
           S: * 2 FETCH (RFC822 {20}
           S: Subject: s
           S: 
           S: body
           S: )
           S: i OK done
           C: j UID FETCH 1:* (FLAGS) (PARTIAL -1:-1)
           S: * 2 FETCH (UID 2 FLAGS (\Seen))
           S: j OK done
           C: k FETCH 3 FLAGS
           S: k BAD there is no message with that number
           C: l UID FETCH 77:80 FLAGS
           S: l OK done
           C: m FETCH 1 X-GM-MSGID
           S: m BAD that is Gmail's"#,
    );
}

#[test]
fn a_body_is_never_whole_in_memory() {
    let (users, mail) = users();
    put(&mail, "INBOX", &[], &format!("Subject: x\n\n{}", "y".repeat(3 << 20)));
    let mut client = Client::signed_in(&users);
    client.say(b"a SELECT INBOX\r\n");
    client.heard.clear();
    client.session.handle_input(client.now, b"b FETCH 1 BODY.PEEK[]\r\nc NOOP\r\n").expect("it was drained");
    let mut pieces = 0;
    while let Some(piece) = client.session.poll_transmit() {
        assert!(piece.len() < 256 << 10, "{}", piece.len());
        pieces += 1;
    }
    assert!(pieces > 30);
    // The next command was not taken meanwhile.
    client.say(b"c NOOP\r\n");
    assert_eq!(client.lines(), ["c OK done"]);
}

#[test]
fn appending() {
    let (users, _) = users();
    let mut client = Client::signed_in(&users);
    for (said, heard) in [
        (&b"a APPEND INBOX (\\Seen Todo) \"17-Jul-1996 02:44:25 -0700\" {12}\r\n"[..], &["+ go on"][..]),
        (b"Subject: x\r\n\r\n", &["a OK [APPENDUID 1001 1] done"]),
        // Many at once, one of them by literal8, and NUL only in that.
        (
            b"b APPEND INBOX {2+}\r\nhi (\\Draft) ~{5+}\r\n\r\nx\0y UTF8 (~{1+}\r\nz)\r\n",
            &["b OK [APPENDUID 1001 2:4] done"],
        ),
        (b"c APPEND INBOX {2+}\r\nhi {3+}\r\nx\0y\r\n", &["c BAD the message holds a NUL"]),
        (b"d APPEND Missing {5+}\r\nhello\r\n", &["d NO [TRYCREATE] no such mailbox"]),
        (b"e APPEND Missing {5}\r\n", &["e NO [TRYCREATE] no such mailbox"]),
        (b"f APPEND INBOX {2000000000}\r\n", &["f NO [TOOBIG] the message is too large"]),
        (b"g APPEND INBOX {0}\r\n", &["g NO [CANNOT] an empty message is none"]),
        (b"h APPEND INBOX {2+}\r\nhi x\r\n", &["h BAD expected a literal at octet 22"]),
        (b"i APPEND INBOX (\\Foo) {2+}\r\nhi\r\n", &["i BAD expected a flag at octet 16"]),
        (b"j APPEND INBOX\r\n", &["j BAD expected a space at octet 14"]),
        (b"k STATUS INBOX (MESSAGES)\r\n", &["* STATUS INBOX (MESSAGES 4)", "k OK done"]),
    ] {
        client.say(said);
        assert_eq!(client.lines(), heard, "{}", said.escape_ascii());
    }
    play(
        std::slice::from_mut(&mut client),
        r#"C: l SELECT INBOX
           S: …
           C: m FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)
           S: * 1 FETCH (FLAGS (\Seen Todo \Recent) INTERNALDATE "17-Jul-1996 09:44:25 +0000" RFC822.SIZE 12)
           S: m OK done"#,
    );
}

/// RFC 3516 §4.3: a client without BINARY must be able to read what came as a literal8.
#[test]
fn what_came_binary_can_be_read_as_text() {
    let (users, mail) = users();
    let mut client = Client::signed_in(&users);
    let part = b"Subject: b\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: binary\r\n\r\nPK\0\x80\r\n-";
    client.say(format!("a APPEND INBOX ~{{{}+}}\r\n", part.len()).as_bytes());
    client.say(part);
    client.say(b"\r\nb SELECT INBOX\r\n");
    client.heard.clear();
    play(
        std::slice::from_mut(&mut client),
        r#"C: c FETCH 1 (BODY.PEEK[1] BODY.PEEK[HEADER.FIELDS (CONTENT-TRANSFER-ENCODING)] BINARY.SIZE[1])
           S: * 1 FETCH (BODY[1] {14}
           S: UEsAgA0KLQ==
           S:  BODY[HEADER.FIELDS (CONTENT-TRANSFER-ENCODING)] {37}
           S: Content-Transfer-Encoding: base64
           S:
           S:  BINARY.SIZE[1] 7)
           S: c OK done"#,
    );
    client.say(b"d FETCH 1 BINARY.PEEK[1]\r\n");
    assert_eq!(client.heard, b"* 1 FETCH (BINARY[1] ~{7}\r\nPK\0\x80\r\n-)\r\nd OK done\r\n");
    client.heard.clear();
    client.say(b"e APPEND INBOX ~{17+}\r\nSubject: \0\r\n\r\nx\r\n\r\n");
    assert_eq!(client.lines(), ["e NO [UNKNOWN-CTE] a NUL is where no encoding can be for it"]);
    // Mail that came by other ways is as it is. Where a literal takes no NUL another octet stands for it.
    put(&mail, "INBOX", &[], "Subject: n\0l\n\nx\0y\n");
    client.say(b"f NOOP\r\n");
    client.heard.clear();
    client.say(b"g FETCH 2 (BODY.PEEK[TEXT] RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)])\r\n");
    let told = &b"* 2 FETCH (BODY[TEXT] {5}\r\nx\x80y\r\n RFC822.SIZE 21 BODY[HEADER.FIELDS (SUBJECT)] {16}\r\nSubject: n\x80l\r\n\r\n)\r\n"[..];
    assert!(client.heard.starts_with(told), "{}", client.heard.escape_ascii());
    client.heard.clear();
    client.say(b"i FETCH 2 BINARY.PEEK[1]\r\n");
    assert!(
        client.heard.ends_with(b"* 2 FETCH (BINARY[1] ~{5}\r\nx\0y\r\n)\r\ni OK done\r\n"),
        "{}",
        client.heard.escape_ascii()
    );
}

#[test]
fn replacing() {
    let (users, mail) = users();
    five(&mail);
    let mut client = Client::signed_in(&users);
    client.say(b"a SELECT INBOX\r\n");
    client.lines();
    client.say(b"b REPLACE 2 INBOX (\\Seen) {3+}\r\nnew\r\nc UID REPLACE 99 INBOX {3}\r\n");
    assert_eq!(
        client.lines(),
        [
            "* OK [APPENDUID 1001 6] appended",
            "* 2 EXPUNGE",
            "* 5 EXISTS",
            "* 1 RECENT",
            "b OK done",
            "c NO [NONEXISTENT] there is no such message"
        ]
    );
}

#[test]
fn searching() {
    let (users, mail) = users();
    five(&mail);
    let mut client = [Client::signed_in(&users)];
    play(
        &mut client,
        r#"C: a SELECT INBOX
           S: …
           C: b SEARCH UNSEEN
           S: * SEARCH 1 3 5
           S: b OK done
           C: c UID SEARCH RETURN (MIN MAX COUNT ALL) SUBJECT m
           S: * ESEARCH (TAG "c") UID MIN 1 MAX 5 COUNT 5 ALL 1:5
           S: c OK done
           C: d SEARCH RETURN (SAVE) SEEN
           S: d OK saved
           C: e FETCH $ UID
           S: * 2 FETCH (UID 2)
           S: * 4 FETCH (UID 4)
           S: e OK done
           C: f SEARCH RETURN (SAVE MIN) $ BODY "text 4"
           S: * ESEARCH (TAG "f") MIN 4
           S: f OK done
           C: g SEARCH $
           S: * SEARCH 4
           S: g OK done
           C: h SEARCH RETURN (PARTIAL -1:-2) ALL
           S: * ESEARCH (TAG "h") PARTIAL (-1:-2 4:5)
           S: h OK done
           C: i SEARCH MODSEQ 5
           S: * OK [HIGHESTMODSEQ 6] the highest mod-sequence
           S: * SEARCH 4 5 (MODSEQ 6)
           S: i OK done
           C: j SEARCH CHARSET KOI8-R ALL
           S: j NO [BADCHARSET (US-ASCII UTF-8)] expected US-ASCII or UTF-8 at octet 17
           C: k SEARCH 9
           S: * SEARCH
           S: k OK done
           C: l SORT (REVERSE SUBJECT) UTF-8 ALL
           S: * SORT 5 4 3 2 1
           S: l OK done
           C: m UID SORT RETURN (ALL) (REVERSE ARRIVAL SUBJECT) UTF-8 1:3
           S: * ESEARCH (TAG "m") UID ALL 1:3
           S: m OK done
           C: n THREAD REFERENCES UTF-8 1:2
           S: * THREAD (1)(2)
           S: n OK done
           C: o THREAD ORDEREDSUBJECT UTF-8 SUBJECT nothing
           S: * THREAD
           S: o OK done
           C: p ENABLE IMAP4rev2
           S: …
           C: q SEARCH SUBJECT nothing
           S: * ESEARCH (TAG "q")
           S: q OK done"#,
    );
}
