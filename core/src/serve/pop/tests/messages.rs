//! What a maildrop shows.

use super::*;

#[test]
fn the_session_of_rfc_1939() {
    let (users, mail) = users();
    put(&mail, "INBOX", &[], "Subject: a\n\n.\n..b\n");
    put(&mail, "INBOX", &["\\Seen"], "Subject: b\n\n1\n2\n3\n");
    let mut client = Client::with(PopSession::new(users.clone(), options()));
    assert_eq!(client.lines(), ["+OK Mailkeep is ready"]);
    talk(
        &mut client,
        "C: USER ann
         S: +OK and the password
         C: PASS secret
         S: +OK welcome, 2 messages
         C: STAT
         S: +OK 2 45
         C: LIST
         S: +OK 2 messages
         S: 1 22
         S: 2 23
         S: .
         C: LIST 2
         S: +OK 2 23
         C: UIDL
         S: +OK 2 messages
         S: 1 000003e9.00000001
         S: 2 000003e9.00000002
         S: .
         C: UIDL 2
         S: +OK 2 000003e9.00000002
         C: RETR 1
         S: +OK 22 octets
         S: Subject: a
         S: 
         S: ..
         S: ...b
         S: .
         C: TOP 2 0
         S: +OK the header and 0 lines
         S: Subject: b
         S: 
         S: .
         C: TOP 2 2
         S: +OK the header and 2 lines
         S: Subject: b
         S: 
         S: 1
         S: 2
         S: .
         C: TOP 2 4000000000
         S: +OK the header and 4000000000 lines
         S: Subject: b
         S: 
         S: 1
         S: 2
         S: 3
         S: .
         C: DELE 1
         S: +OK message 1 is removed at QUIT
         C: DELE 1
         S: -ERR that message is deleted
         C: RETR 1
         S: -ERR that message is deleted
         C: LIST 1
         S: -ERR that message is deleted
         C: UIDL 1
         S: -ERR that message is deleted
         C: TOP 1 0
         S: -ERR that message is deleted
         C: LIST
         S: +OK 1 message
         S: 2 23
         S: .
         C: UIDL
         S: +OK 1 message
         S: 2 000003e9.00000002
         S: .
         C: STAT
         S: +OK 1 23
         C: RSET
         S: +OK 2 messages
         C: STAT
         S: +OK 2 45
         C: NOOP
         S: +OK still here
         C: DELE 2
         S: +OK message 2 is removed at QUIT
         C: QUIT
         S: +OK good bye, 1 message removed",
    );
    assert_eq!(client.events, [SessionEvent::SignedIn { user: "ann".into() }, SessionEvent::Closed]);
    assert_eq!(uids(&mail), [1]);
    // What is left keeps its name.
    let mut again = signed_in(users);
    talk(&mut again, "C: UIDL 1\nS: +OK 1 000003e9.00000001\nC: QUIT\nS: +OK good bye, 0 messages removed");
}

#[test]
fn an_empty_maildrop() {
    let (users, _) = users();
    let mut client = signed_in(users);
    talk(
        &mut client,
        "C: STAT
         S: +OK 0 0
         C: LIST
         S: +OK 0 messages
         S: .
         C: UIDL
         S: +OK 0 messages
         S: .
         C: RETR 1
         S: -ERR there is no such message
         C: RSET
         S: +OK 0 messages",
    );
}

#[test]
fn numbers_that_are_no_messages() {
    let (users, mail) = users();
    five(&mail);
    let mut client = signed_in(users);
    for number in ["0", "6", "4294967295", "99999999999999999999"] {
        for command in ["LIST #", "UIDL #", "RETR #", "TOP # 1", "DELE #"] {
            let command = command.replace('#', number);
            talk(&mut client, &format!("C: {command}\nS: -ERR there is no such message"));
        }
    }
    talk(&mut client, "C: STAT\nS: +OK 5 …");
}

/// What the client makes of an answer of several lines.
fn text_of(heard: &[u8]) -> Vec<u8> {
    use crate::wire::{DotFramer, DotPiece};
    let mut framer = DotFramer::new(&crate::limits::Limits::DEFAULT);
    let (mut input, mut text, mut ends) = (heard, Vec::new(), 0);
    while let Some(piece) = framer.next(&mut input).expect("within bounds") {
        match piece {
            DotPiece::Line(line) => {
                assert!(line.starts_with(b"+OK"), "{}", line.escape_ascii());
                framer.begin_text();
            }
            DotPiece::Text(octets) => text.extend_from_slice(octets),
            DotPiece::End => ends += 1,
        }
    }
    assert_eq!(ends, 1);
    text
}

#[test]
fn sizes_are_what_is_sent() {
    use crate::serve::backend::Appended;
    let (users, mail) = users();
    let texts: [&[u8]; 9] = [
        b"",
        b"a",
        b"Subject: bare\n\n.\nline\n",
        b"Subject: mixed\r\n\r\na\nb\r\n..\n",
        b"no end\r\n\r\nx",
        b"cr at the end\r\n\r\nx\r",
        b"\0\xff\n\r\n.\r\n",
        b".\n.\n.",
        b"\n\n\n",
    ];
    for text in texts {
        let message = Appended { upload: text.to_vec(), flags: Default::default(), internal_date: 0 };
        mail.append(id_of(&mail, "INBOX"), vec![message], None).expect("there is room");
    }
    let mut client = signed_in(users);
    client.say(b"LIST\r\n");
    let listed = client.lines();
    let mut total = 0;
    for (number, entry) in listed.iter().enumerate().skip(1).take(texts.len()) {
        client.say(format!("RETR {number}\r\n").as_bytes());
        let size = text_of(&std::mem::take(&mut client.heard)).len();
        assert_eq!(*entry, format!("{number} {size}"));
        total += size;
        // TOP of everything is RETR.
        client.say(format!("TOP {number} 1000\r\n").as_bytes());
        assert_eq!(text_of(&std::mem::take(&mut client.heard)).len(), size);
    }
    talk(&mut client, &format!("C: STAT\nS: +OK {} {total}", texts.len()));
}

#[test]
fn utf8_mode_keeps_headers_from_whom_they_would_harm() {
    let (users, mail) = users();
    put(&mail, "INBOX", &[], "Subject: grün\n\ntext\n");
    put(&mail, "INBOX", &[], "Subject: green\n\ngrün\n");
    // Where it is not offered everything goes out as it is.
    talk(
        &mut signed_in(users.clone()),
        "C: RETR 1
         S: +OK 24 octets
         S: Subject: grün
         S: 
         S: text
         S: .",
    );
    let utf8 = SessionOptions { offers_pop_utf8: true, ..options() };
    let mut client = pop(users.clone(), utf8.clone());
    talk(
        &mut client,
        "C: USER ann
         S: +OK …
         C: PASS secret
         S: +OK welcome, 2 messages
         C: RETR 1
         S: -ERR [UTF8] that message is for clients in UTF8 mode
         C: TOP 1 0
         S: -ERR [UTF8] that message is for clients in UTF8 mode
         C: LIST 1
         S: +OK 1 24
         C: RETR 2
         S: +OK 25 octets
         S: Subject: green
         S: 
         S: grün
         S: .
         C: UTF8
         S: -ERR somebody is signed in already
         C: QUIT
         S: +OK …",
    );
    let mut client = pop(users, utf8);
    talk(
        &mut client,
        "C: UTF8
         S: +OK UTF-8 it is
         C: USER ann
         S: +OK …
         C: PASS secret
         S: +OK …
         C: TOP 1 0
         S: +OK the header and 0 lines
         S: Subject: grün
         S: 
         S: .",
    );
}
