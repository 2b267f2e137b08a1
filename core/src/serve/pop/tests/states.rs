//! Every command in every state, and input that is cut anywhere.

use super::*;

/// Every command, with what it is answered before and after the sign-in: the first line's beginning.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("CAPA", "+OK this can be had", "+OK this can be had"),
    ("STLS", "-ERR there is no STLS now", "-ERR somebody is signed in already"),
    ("UTF8", "-ERR UTF8 is not offered", "-ERR somebody is signed in already"),
    ("USER ann", "+OK and the password", "-ERR somebody is signed in already"),
    ("PASS secret", "-ERR USER comes first", "-ERR somebody is signed in already"),
    ("APOP ann 00", "-ERR APOP is not offered", "-ERR somebody is signed in already"),
    ("AUTH PLAIN", "+ ", "-ERR somebody is signed in already"),
    ("AUTH CRAM-MD5", "-ERR that mechanism is not offered", "-ERR somebody is signed in already"),
    ("AUTH GSSAPI", "-ERR that mechanism is not known here", "-ERR that mechanism is not known here"),
    ("AUTH", "-ERR that command is said in another way", "-ERR that command is said in another way"),
    ("STAT", "-ERR sign in first", "+OK 5 "),
    ("LIST", "-ERR sign in first", "+OK 5 messages"),
    ("LIST 1", "-ERR sign in first", "+OK 1 "),
    ("UIDL", "-ERR sign in first", "+OK 5 messages"),
    ("UIDL 1", "-ERR sign in first", "+OK 1 000003e9.00000001"),
    ("RETR 1", "-ERR sign in first", "+OK 42 octets"),
    ("RETR", "-ERR that command is said in another way", "-ERR that command is said in another way"),
    ("TOP 1 0", "-ERR sign in first", "+OK the header and 0 lines"),
    ("DELE 1", "-ERR sign in first", "+OK message 1 is removed at QUIT"),
    ("RSET", "-ERR sign in first", "+OK 5 messages"),
    ("NOOP", "-ERR sign in first", "+OK still here"),
    ("XTND", "-ERR that command is not known here", "-ERR that command is not known here"),
    ("", "-ERR that command is not known here", "-ERR that command is not known here"),
    ("QUIT", "+OK good bye", "+OK good bye, 0 messages removed"),
];

/// Says one line, and gives the first that comes back.
fn first_line<U: Users>(client: &mut Pop<U>, line: &str) -> String {
    client.heard.clear();
    client.say(format!("{line}\r\n").as_bytes());
    client.lines().into_iter().next().unwrap_or_default()
}

#[test]
fn every_command_in_every_state() {
    let (users, mail) = users();
    five(&mail);
    for &(command, before, after) in COMMANDS {
        for said in [command.to_owned(), command.to_ascii_lowercase()] {
            let mut client = pop(users.clone(), options());
            let heard = first_line(&mut client, &said);
            assert!(heard.starts_with(before), "{said} at first: {heard}");
            assert_eq!(client.session.is_closed(), command == "QUIT");

            // Between USER and PASS it is the same, but that PASS is taken; and only CAPA lets it be taken still.
            let mut client = pop(users.clone(), options());
            client.say(b"USER ann\r\n");
            let heard = first_line(&mut client, &said);
            let expected = if command.starts_with("PASS") { "+OK welcome" } else { before };
            assert!(heard.starts_with(expected), "{said} behind USER: {heard}");
            if !command.starts_with("PASS") && !command.starts_with("AUTH PLAIN") && command != "QUIT" {
                let pass = first_line(&mut client, "PASS secret");
                let taken = command == "CAPA" || command.starts_with("USER");
                assert_eq!(pass.starts_with("+OK"), taken, "PASS behind {said}: {pass}");
            }
            drop(client);

            // Where a challenge waits every line is its answer.
            let mut client = pop(users.clone(), options());
            client.say(b"AUTH PLAIN\r\n");
            let heard = first_line(&mut client, &said);
            match crate::pop3::server::response(said.as_bytes(), false) {
                None => assert_eq!(heard, "-ERR that is no base64", "{said}"),
                Some(_) => {
                    assert_eq!(heard, "", "{said}");
                    client.pass_ms(1_000);
                    assert_eq!(client.lines(), ["-ERR [AUTH] the name or the password is wrong"]);
                }
            }
            assert!(first_line(&mut client, "CAPA").starts_with("+OK"));

            let mut client = signed_in(users.clone());
            let heard = first_line(&mut client, &said);
            assert!(heard.starts_with(after), "{said} at last: {heard}");
            assert_eq!(client.session.is_closed(), command == "QUIT");
        }
    }
    assert_eq!(uids(&mail).len(), 5);
}

#[test]
fn nothing_is_taken_while_a_handshake_or_an_answer_is_waited_for() {
    let (users, _) = users();
    for &(command, ..) in COMMANDS {
        let line = format!("{command}\r\n");
        let tls = SessionOptions { secure: false, offers_tls: true, ..options() };
        let mut client = pop(users.clone(), tls);
        client.say(b"STLS\r\n");
        client.heard.clear();
        client.say(line.as_bytes());
        assert!(client.heard.is_empty() && client.unread.is_empty(), "what came in the clear is dropped");

        let mut client = pop(users.clone(), options());
        client.say(b"USER ann\r\nPASS wrong\r\n");
        client.heard.clear();
        client.say(line.as_bytes());
        assert!(client.heard.is_empty());
        assert_eq!(client.unread, line.as_bytes(), "it is to be given again");
    }
}

#[test]
fn a_session_that_is_over_or_not_drained_says_so() {
    let (users, mail) = users();
    five(&mail);
    let mut session = PopSession::new(users, options());
    assert!(session.handle_input(Now::default(), b"").is_err(), "the greeting is not out");
    while session.poll_transmit().is_some() {}
    assert!(session.handle_input(Now::default(), b"USER ann\r\nPASS secret\r\n").is_ok());
    assert!(session.handle_timeout(Now::default()).is_err());
    while session.poll_transmit().is_some() {}
    assert!(session.handle_timeout(Now::default()).is_err(), "there is an event");
    while session.poll_event().is_some() {}
    assert!(session.handle_tls_started(Now::default(), None).is_err());
    let taken = session.handle_input(Now::default(), b"RETR 1\r\nNOOP\r\n").expect("it is drained");
    assert_eq!((taken.consumed, taken.more), (8, true), "a text goes out before the next command");
    assert!(session.handle_input(Now::default(), b"").is_err());
    while session.poll_transmit().is_some() {}
    session.handle_eof(Now::default());
    assert!(session.is_closed() && session.handle_input(Now::default(), b"").is_err());
    assert_eq!(session.poll_event(), Some(SessionEvent::Closed));
    assert_eq!((session.poll_timeout(), session.poll_transmit()), (None, None));
}

const SCRIPT: &[u8] = b"CAPA\r\nNOOP\r\nAUTH PLAIN\r\n*\r\nAUTH LOGIN\r\nYW5u\r\nc2VjcmV0\r\nSTAT\r\nLIST\r\nUIDL\n\
    RETR 1\r\nTOP 2 1\r\nWHAT\r\n\r\nDELE 2\r\nRETR 2\r\nLIST 3\r\nUIDL 3\r\nDELE 5\r\nRSET\r\nDELE 4\r\nNOOP\r\nQUIT\r\n";

/// What is heard, and what is left, when the script is said in pieces.
fn outcome(pieces: &[&[u8]]) -> (Vec<String>, Vec<u32>) {
    let (users, mail) = users();
    five(&mail);
    let mut client = pop(users, options());
    for piece in pieces {
        client.say(piece);
        assert!(client.unread.is_empty());
    }
    assert!(client.session.is_closed());
    (client.lines(), uids(&mail))
}

#[test]
fn wherever_the_input_is_cut_the_outcome_is_the_same() {
    let whole = outcome(&[SCRIPT]);
    assert_eq!(whole.1, [1, 2, 3, 5]);
    assert_eq!(whole.0.last().map(String::as_str), Some("+OK good bye, 1 message removed"));
    assert_eq!(whole.0.iter().filter(|line| line.starts_with("-ERR")).count(), 5, "{:#?}", whole.0);
    for cut in 1..SCRIPT.len() {
        let (head, tail) = SCRIPT.split_at(cut);
        assert_eq!(outcome(&[head, tail]), whole, "cut at {cut}");
    }
    for size in [1, 2, 3, 7, 50] {
        assert_eq!(outcome(&SCRIPT.chunks(size).collect::<Vec<_>>()), whole, "in pieces of {size}");
    }
}

#[test]
fn wherever_the_connection_breaks_nothing_is_removed() {
    for cut in 0..SCRIPT.len() {
        let (users, mail) = users();
        five(&mail);
        let mut client = pop(users.clone(), options());
        client.say(&SCRIPT[..cut]);
        if !client.session.is_closed() {
            client.session.handle_eof(client.now);
            // The last line end is missing at most.
            assert_eq!(uids(&mail), [1, 2, 3, 4, 5], "cut at {cut}");
        }
        drop(signed_in(users));
    }
}
