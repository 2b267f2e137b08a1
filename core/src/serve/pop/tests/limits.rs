//! What a session costs at most, and how long it lasts.

use proptest::prelude::*;

use super::*;
use crate::limits::Limits;
use crate::serve::session::CHUNK;

/// Ten minutes.
const SILENCE_MS: u64 = 600_000;

#[test]
fn ten_minutes_without_a_command_and_nothing_is_removed() {
    let (users, mail) = users();
    five(&mail);
    let mut client = signed_in(users.clone());
    client.say(b"DELE 1\r\n");
    client.heard.clear();
    assert_eq!(client.session.poll_timeout(), Some(client.now.mono_ms + SILENCE_MS));
    client.pass_ms(SILENCE_MS - 1);
    assert!(!client.session.is_closed());
    client.say(b"NOOP\r\n");
    client.pass_ms(SILENCE_MS - 1);
    assert!(!client.session.is_closed());
    // Octets that make no command do not count.
    client.say(b"QUI");
    client.heard.clear();
    client.pass_ms(1);
    assert!(client.session.is_closed());
    assert_eq!(client.lines(), [""; 0], "without a word");
    assert_eq!(client.events, [SessionEvent::Closed]);
    assert_eq!(uids(&mail), [1, 2, 3, 4, 5]);
    talk(&mut signed_in(users.clone()), "C: STAT\nS: +OK 5 …");
    // The same before the sign-in.
    let mut client = pop(users, options());
    client.pass_ms(1);
    client.pass_ms(SILENCE_MS - 1);
    assert!(!client.session.is_closed());
    client.pass_ms(1);
    assert!(client.session.is_closed());
}

#[test]
fn the_time_a_download_takes_is_no_silence() {
    let (users, mail) = users();
    put(&mail, "INBOX", &[], &format!("Subject: large\n\n{}", "line\n".repeat(100_000)));
    let mut client = signed_in(users);
    let taken = client.session.handle_input(client.now, b"RETR 1\r\n").expect("it is drained");
    assert_eq!(taken.consumed, 8);
    // The host's socket is slow.
    while client.session.poll_transmit().is_some() {
        client.now.mono_ms += SILENCE_MS / 2;
    }
    client.pass_ms(0);
    assert!(!client.session.is_closed());
    assert_eq!(client.session.poll_timeout(), Some(client.now.mono_ms + SILENCE_MS));
    talk(&mut client, "C: NOOP\nS: +OK still here");
}

#[test]
fn a_large_message_is_never_whole_in_memory() {
    let (users, mail) = users();
    for line in ["plain text of some length\n", ".\n", "\n"] {
        put(&mail, "INBOX", &[], &format!("Subject: large\n\n{}", line.repeat(3_000_000 / line.len())));
    }
    let mut client = signed_in(users);
    for number in 1..=3 {
        client.say(format!("RETR {number}\r\n").as_bytes());
        assert!(client.heard.len() > 3_000_000);
        client.heard.clear();
    }
    assert!(client.largest <= 3 * CHUNK, "{} octets at once", client.largest);
}

#[test]
fn a_large_maildrop_is_listed_in_pieces() {
    let (users, mail) = users();
    let inbox = id_of(&mail, "INBOX");
    let message = || crate::serve::backend::Appended {
        upload: b"Subject: x\r\n\r\n".to_vec(),
        flags: Default::default(),
        internal_date: 0,
    };
    // More than is read of the store at a time.
    mail.append(inbox, (0..10_000).map(|_| message()).collect(), None).expect("there is room");
    let mut client = signed_in(users.clone());
    client.say(b"LIST\r\nUIDL\r\nSTAT\r\n");
    let lines = client.lines();
    assert_eq!(lines.len(), 2 * 10_002 + 1);
    assert_eq!((lines[10_000].as_str(), lines[10_001].as_str()), ("10000 14", "."));
    assert_eq!(lines[20_002], "10000 000003e9.00002710");
    assert_eq!(lines[20_004], "+OK 10000 140000");
    assert!(client.largest <= 2 * CHUNK);
    drop(client);
    // Where there are more than the bound, the oldest are shown.
    let limits = Limits { listing: 5_000, ..Limits::DEFAULT };
    let mut client = pop(users, SessionOptions { limits, ..options() });
    talk(&mut client, "C: USER ann\nS: +OK …\nC: PASS secret\nS: +OK welcome, 5000 messages");
    talk(&mut client, "C: UIDL 5000\nS: +OK 5000 000003e9.00001388");
}

#[test]
fn a_flood_of_pipelined_commands_is_answered_piece_by_piece() {
    let (users, mail) = users();
    put(&mail, "INBOX", &[], &format!("Subject: large\n\n{}", "line\n".repeat(20_000)));
    let mut client = signed_in(users);
    let flood = [b"CAPA\r\n".repeat(5_000), b"RETR 1\r\n".repeat(50), b"LIST\r\n".repeat(1_000)].concat();
    client.say(&flood);
    assert!(client.largest <= 3 * CHUNK, "{} octets at once", client.largest);
    let lines = client.lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("+OK")).count(), 6_050);
    assert_eq!(lines.last().map(String::as_str), Some("."));
}

#[test]
fn counting_a_large_maildrop_over_and_over_costs_little() {
    let (users, mail) = users();
    let inbox = id_of(&mail, "INBOX");
    let message = |size: usize| crate::serve::backend::Appended {
        upload: vec![b'x'; size],
        flags: Default::default(),
        internal_date: 0,
    };
    mail.append(inbox, (0..1_000).map(message).collect(), None).expect("there is room");
    let mut client = signed_in(users.clone());
    // Sizes are of 0 to 999 octets, and a line end but for the empty one.
    let all: usize = (0..1_000).sum::<usize>() + 2 * 999;
    talk(&mut client, "C: DELE 1000\nS: +OK …\nC: DELE 1\nS: +OK …");
    talk(&mut client, &format!("C: STAT\nS: +OK 998 {}", all - 1_001));
    talk(&mut client, &format!("C: DELE 2\nS: +OK …\nC: STAT\nS: +OK 997 {}", all - 1_001 - 3));
    talk(&mut client, &format!("C: RSET\nS: +OK 1000 messages\nC: STAT\nS: +OK 1000 {all}"));
    talk(&mut client, &format!("C: RSET\nS: +OK 1000 messages\nC: STAT\nS: +OK 1000 {all}"));
    // Gone behind its back, before and after it was counted.
    Client::signed_in(&users).say(b"a SELECT INBOX\r\nb STORE 500 +FLAGS (\\Deleted)\r\nc EXPUNGE\r\n");
    talk(&mut client, "C: RETR 500\nS: -ERR somebody else has removed that message");
    talk(&mut client, &format!("C: STAT\nS: +OK 999 {}", all - 501));
}

#[test]
fn a_line_over_the_bound_is_left_behind() {
    let (users, mail) = users();
    five(&mail);
    let limits = Limits { line: 1_000, ..Limits::DEFAULT };
    let long = [b"USER ".to_vec(), vec![b'x'; 50_000], b"\r\nNOOP\r\n".to_vec()].concat();
    for chunk in [usize::MAX, 100, 1] {
        let mut client = pop(users.clone(), SessionOptions { limits, ..options() });
        client.chunk = chunk;
        client.say(&long);
        assert_eq!(client.lines(), ["-ERR that line is too long", "-ERR sign in first"]);
        client.say(&[b"AUTH PLAIN\r\n".to_vec(), vec![b'A'; 2_000], b"\r\nUSER ann\r\n".to_vec()].concat());
        assert_eq!(client.lines(), ["+ ", "-ERR that line is too long", "+OK and the password"]);
        client.say(&[b"PASS secret\r\n".to_vec(), long.clone()].concat());
        assert_eq!(
            client.lines(),
            ["+OK welcome, 5 messages", "-ERR that line is too long", "+OK still here"]
        );
    }
    // What never ends is never kept.
    let mut client = pop(users, SessionOptions { limits, ..options() });
    for _ in 0..10_000 {
        client.say(&[b'x'; 1_000]);
    }
    assert_eq!(client.lines(), ["-ERR that line is too long"]);
    client.pass_ms(1);
    client.pass_ms(SILENCE_MS);
    assert!(client.session.is_closed());
}

#[test]
fn whoever_speaks_another_protocol_is_left() {
    let (users, mail) = users();
    five(&mail);
    let mut client = pop(users.clone(), options());
    client.say(b"GET / HTTP/1.1\r\n");
    client.say(&b"Accept: text/html\r\n".repeat(30));
    assert!(client.session.is_closed());
    assert_eq!(client.lines().len(), 20);
    let mut client = pop(users.clone(), options());
    client.say(&b"CAPA\r\n".repeat(200));
    assert!(client.session.is_closed(), "there is no end of asking before the sign-in");
    assert_eq!(client.lines().last().map(String::as_str), Some("-ERR sign in on another connection"));
    // After it too, and nothing is removed.
    let mut client = signed_in(users.clone());
    client.say(b"DELE 1\r\n");
    client.say(&b"What?\r\n".repeat(30));
    assert!(client.session.is_closed());
    assert_eq!(uids(&mail).len(), 5);
    drop(signed_in(users));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_octets_are_answered_without_harm(
        octets in proptest::collection::vec(prop_oneof![
            Just(b"USER ann\r\nPASS secret\r\n".to_vec()), Just(b"AUTH PLAIN\r\n".to_vec()),
            Just(b"AUTH SCRAM-SHA-1 biwsbj1hbm4scj14\r\n".to_vec()), Just(b"STLS\r\n".to_vec()),
            Just(b"DELE 1\r\n".to_vec()), Just(b"RETR 2\r\nTOP 3 9\r\n".to_vec()), Just(b"LIST\r\nUIDL\r\n".to_vec()),
            Just(b"\r\n".to_vec()), Just(b"*\r\n".to_vec()), Just(b"CAPA\r\nSTAT\r\n".to_vec()), Just(b"RSET\n".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..20),
        ], 0..15),
    ) {
        let (users, mail) = users();
        five(&mail);
        let mut client = pop(Readable(users), SessionOptions { offers_tls: true, ..options() });
        client.pass_ms(1);
        for octets in octets {
            client.say(&octets);
        }
        client.pass_ms(100_000_000);
        client.pass_ms(100_000_000);
        prop_assert!(client.session.is_closed());
        prop_assert_eq!(uids(&mail).len(), 5, "nobody said QUIT");
    }
}
