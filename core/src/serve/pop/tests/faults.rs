//! What a client is told when the store fails.

use super::flaky::Flaky;
use super::*;

fn world() -> (Flaky, MemoryMail) {
    let (users, mail) = users();
    five(&mail);
    (Flaky::new(&users), mail)
}

/// What the host was told, and forgets.
fn troubles<U: Users>(client: &mut Pop<U>) -> Vec<String> {
    let events = std::mem::take(&mut client.events);
    let text = |event| match event {
        SessionEvent::Trouble { text } => Some(text),
        _ => None,
    };
    events.into_iter().filter_map(text).collect()
}

#[test]
fn mail_that_cannot_be_had_now() {
    let (users, _) = world();
    for call in ["open", "lock_maildrop", "mailboxes", "status", "rows"] {
        users.set_broken(&[call]);
        let mut client = pop(users.clone(), options());
        client.say(b"USER ann\r\nPASS secret\r\n");
        client.heard.clear();
        client.pass_ms(1_000);
        assert_eq!(client.lines(), ["-ERR [SYS/TEMP] the mail cannot be had now"], "{call}");
        assert_eq!(troubles(&mut client), [format!("the store failed: {call} is broken")]);
        users.set_broken(&[]);
        talk(&mut client, "C: USER ann\nS: +OK …\nC: PASS secret\nS: +OK welcome, 5 messages");
    }
}

#[test]
fn what_the_store_cannot_say_is_asked_for_again() {
    let (users, _) = world();
    let mut client = signed_in(users.clone());
    users.set_broken(&["text_size", "content"]);
    for command in ["STAT", "LIST 1", "RETR 1", "TOP 1 0"] {
        talk(&mut client, &format!("C: {command}\nS: -ERR [SYS/TEMP] the store failed; try again later"));
        assert_eq!(troubles(&mut client).len(), 1);
    }
    users.set_broken(&[]);
    talk(&mut client, "C: STAT\nS: +OK 5 210\nC: TOP 1 0\nS: …");
}

#[test]
fn a_message_that_breaks_off_never_seems_whole() {
    let (users, mail) = world();
    for call in ["read", "end"] {
        let mut client = signed_in(users.clone());
        client.say(b"DELE 2\r\n");
        client.heard.clear();
        users.set_broken(&[call]);
        // What is pipelined behind it is not done either.
        client.say(b"RETR 1\r\nQUIT\r\n");
        assert_eq!(client.lines(), ["+OK 42 octets"]);
        assert!(client.session.is_closed());
        assert_eq!(troubles(&mut client).len(), 1);
        users.set_broken(&[]);
    }
    let mut client = signed_in(users.clone());
    users.set_broken(&["text_size"]);
    client.say(b"LIST\r\n");
    assert_eq!(client.lines(), ["+OK 5 messages"], "nor does a list");
    assert!(client.session.is_closed());
    assert_eq!(uids(&mail), [1, 2, 3, 4, 5]);
}

#[test]
fn what_cannot_be_removed_is_said_and_stays_as_it_was() {
    let (users, mail) = world();
    let flags = || {
        let rows = mail.rows(id_of(&mail, "INBOX"), 1, 9).expect("rows");
        rows.iter().map(|row| row.flags.wire_words().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    put(&mail, "INBOX", &["\\Deleted"], "Subject: marked over IMAP\n\n");
    let before = flags();
    for broken in [&["expunge"][..], &["store"], &["expunge", "facts"]] {
        let mut client = signed_in(users.clone());
        client.say(b"DELE 1\r\nDELE 2\r\nDELE 6\r\n");
        client.heard.clear();
        users.set_broken(broken);
        talk(&mut client, "C: QUIT\nS: -ERR [SYS/TEMP] 3 of 3 messages could not be removed");
        assert!(client.session.is_closed());
        assert_eq!(troubles(&mut client), [format!("the store failed: {} is broken", broken[0])]);
        assert_eq!(flags(), before, "{broken:?}");
        users.set_broken(&[]);
    }
    talk(&mut signed_in(users), "C: DELE 6\nS: +OK …\nC: QUIT\nS: +OK good bye, 1 message removed");
    assert_eq!(uids(&mail), [1, 2, 3, 4, 5]);
}
