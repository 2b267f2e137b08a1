//! Several sessions on one maildrop, over POP3 and IMAP.

use super::*;

#[test]
fn one_session_at_a_time_has_the_maildrop() {
    let (users, mail) = users();
    five(&mail);
    users.add("bob", Verifier::new("secret", [8; 16], 4).expect("a password"));
    let first = signed_in(users.clone());
    let mut second = pop(users.clone(), options());
    for way in ["USER ann\r\nPASS secret\r\n", "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"] {
        second.say(way.as_bytes());
        // It waits, since each attempt costs a password's check, but is no failure.
        second.heard.clear();
        assert_eq!(second.session.poll_timeout(), Some(second.now.mono_ms + 1_000));
        second.pass_ms(999);
        assert_eq!(second.lines(), [""; 0]);
        second.pass_ms(1);
        assert_eq!(second.lines(), ["-ERR [IN-USE] another session has this maildrop"]);
        talk(&mut second, "C: STAT\nS: -ERR sign in first");
    }
    assert_eq!(second.events, []);
    // Whoever has the wrong password is not told.
    second.say(b"USER ann\r\nPASS wrong\r\n");
    second.heard.clear();
    second.pass_ms(1_000);
    assert_eq!(second.lines(), ["-ERR [AUTH] the name or the password is wrong"]);
    // Others have a maildrop of their own.
    let mut third = pop(users, options());
    talk(&mut third, "C: USER bob\nS: +OK …\nC: PASS secret\nS: +OK welcome, 0 messages");
    drop(first);
    talk(&mut second, "C: USER ann\nS: +OK …\nC: PASS secret\nS: +OK welcome, 5 messages");
}

#[test]
fn every_end_gives_the_maildrop_back() {
    let (users, mail) = users();
    five(&mail);
    let ends: [fn(&mut Pop); 5] = [
        |client| client.say(b"QUIT\r\n"),
        |client| client.session.handle_eof(client.now),
        |client| client.pass_ms(600_000),
        |client| client.say(&b"What?\r\n".repeat(20)),
        |client| client.session = PopSession::new(MemoryUsers::default(), options()),
    ];
    for end in ends {
        let mut client = signed_in(users.clone());
        end(&mut client);
        // The old session is still there: it has let go before it is dropped.
        drop(signed_in(users.clone()));
    }
}

#[test]
fn imap_and_pop_see_each_others_work() {
    let (users, mail) = users();
    five(&mail);
    let mut imap = Client::signed_in(&users);
    play(std::slice::from_mut(&mut imap), "C: a SELECT INBOX\nS: …");
    let mut client = signed_in(users.clone());
    // IMAP is not kept out: what comes is for the next session, what goes is missed when it is asked for.
    imap.say(b"b APPEND INBOX {14+}\r\nSubject: x\r\n\r\n\r\n");
    imap.say(b"c UID STORE 2,3 +FLAGS.SILENT (\\Deleted)\r\nd UID EXPUNGE 2\r\n");
    imap.heard.clear();
    talk(
        &mut client,
        "C: UIDL
         S: +OK 5 messages
         S: 1 000003e9.00000001
         S: 2 000003e9.00000002
         S: 3 000003e9.00000003
         S: 4 000003e9.00000004
         S: 5 000003e9.00000005
         S: .
         C: RETR 2
         S: -ERR somebody else has removed that message
         C: TOP 2 0
         S: -ERR somebody else has removed that message
         C: LIST 2
         S: -ERR somebody else has removed that message
         C: LIST
         S: +OK 4 messages
         S: 1 42
         S: 3 42
         S: 4 42
         S: 5 42
         S: .
         C: STAT
         S: +OK 4 168
         C: DELE 2
         S: -ERR somebody else has removed that message
         C: RSET
         S: +OK 4 messages
         C: DELE 1
         S: +OK …
         C: DELE 4
         S: +OK …
         C: RETR 5
         S: …
         C: QUIT
         S: +OK good bye, 2 messages removed",
    );
    play(
        std::slice::from_mut(&mut imap),
        "C: e NOOP
         S: * 3 EXPUNGE
         S: * 1 EXPUNGE
         S: e OK done
         C: f FETCH 1:* (UID FLAGS)
         S: * 1 FETCH (UID 3 FLAGS (\\Deleted))
         S: * 2 FETCH (UID 5 FLAGS ())
         S: * 3 FETCH (UID 6 FLAGS (\\Recent))
         S: f OK …",
    );
    // What IMAP has marked and not expunged is mail; the new one is there, under its own name.
    talk(
        &mut signed_in(users),
        "C: UIDL
         S: +OK 3 messages
         S: 1 000003e9.00000003
         S: 2 000003e9.00000005
         S: 3 000003e9.00000006
         S: .",
    );
}

#[test]
fn what_others_remove_before_quit_is_removed() {
    let (users, mail) = users();
    five(&mail);
    let mut client = signed_in(users.clone());
    client.say(b"DELE 1\r\nDELE 2\r\n");
    client.heard.clear();
    Client::signed_in(&users).say(b"a SELECT INBOX\r\nb STORE 1 +FLAGS (\\Deleted)\r\nc EXPUNGE\r\n");
    assert_eq!(uids(&mail), [2, 3, 4, 5]);
    talk(&mut client, "C: QUIT\nS: +OK good bye, 2 messages removed");
    assert_eq!(uids(&mail), [3, 4, 5]);
}
