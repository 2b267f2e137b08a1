//! The project's own server as the tests' far side: what it is told to offer, what it notes, and what can go wrong with
//! it.

mod support;

use support::model::{By, Cut, FULL, Fault, How};
use support::{FarSide, OwnServer, Peer, Tier, mail};

/// INBOX with some messages, an empty Lists.
fn server(capabilities: &str) -> OwnServer {
    let server = OwnServer::with_capabilities(capabilities);
    server.create("Lists");
    for n in 1..=3 {
        server.deliver("INBOX", mail(n));
    }
    server
}

fn say(peer: &mut dyn Peer, text: &str) -> String {
    peer.receive(format!("{text}\r\n").as_bytes());
    String::from_utf8_lossy(&peer.take()).into_owned()
}

/// Signed in, with INBOX open.
fn opened(server: &OwnServer) -> Box<dyn Peer> {
    let mut peer = server.peer();
    peer.take();
    let said = say(&mut *peer, "a LOGIN ann secret");
    assert!(said.starts_with("a OK"), "{said}");
    assert!(say(&mut *peer, "b SELECT INBOX").contains("b OK"));
    peer
}

#[test]
fn no_more_is_offered_than_was_named() {
    for words in [Tier::Bare, Tier::Condstore, Tier::Qresync, Tier::Everything].map(Tier::capabilities) {
        let server = server(words);
        let mut peer = server.peer();
        let greeting = String::from_utf8_lossy(&peer.take()).into_owned();
        let said = greeting + &say(&mut *peer, "a LOGIN ann secret");
        let lists = said.split("[CAPABILITY ").skip(1).filter_map(|rest| rest.split(']').next());
        let offered: Vec<&str> = lists.flat_map(|list| list.split(' ')).collect();
        assert!(offered.contains(&"IMAP4rev1"), "{said}");
        for word in &offered {
            assert!(words.split(' ').any(|wanted| wanted == *word), "{word} is offered beside {words}");
        }
        for word in words.split_whitespace() {
            assert!(offered.contains(&word), "{word} of {words} is not offered: {said}");
        }
    }
    let server = server("IMAP4rev1");
    let mut peer = opened(&server);
    assert!(say(&mut *peer, "c UID MOVE 1 Lists").starts_with("c BAD"));
    assert!(!server.violations().is_empty(), "who asks for it all the same is found out");
}

#[test]
fn what_is_said_and_done_is_written_down() {
    let server = server(FULL);
    let mut peer = opened(&server);
    assert_eq!(server.take_log(), ["LOGIN", "SELECT INBOX"]);
    say(&mut *peer, "c UID FETCH 1:2 (UID BODY.PEEK[])");
    let two: usize = [1, 2].map(|n| mail(n).len()).iter().sum();
    assert_eq!(server.take_body_octets(), two as u64);
    say(&mut *peer, "d UID FETCH 1 (BODY.PEEK[]<10.20> BODY.PEEK[HEADER])");
    assert_eq!(server.take_body_octets(), 20);
    assert!(say(&mut *peer, "e APPEND Lists {6}").starts_with("+ "));
    assert!(say(&mut *peer, "A: b\r\n").starts_with("e OK"), "a literal that was asked for");
    say(&mut *peer, "f UID COPY 1 Lists");
    say(&mut *peer, "g UID MOVE 2 Lists");
    say(&mut *peer, "h UID STORE 3 +FLAGS (\\Deleted)");
    say(&mut *peer, "i UID EXPUNGE 3");
    server.move_message("Lists", 2, "INBOX");
    server.delete("Lists");
    let history = server.audit().history;
    let (mine, theirs) = (By::Session(1), By::Other);
    let happened: Vec<_> = history.iter().map(|e| (e.how.clone(), e.mailbox.as_str(), e.uid, e.by)).collect();
    let wanted = [
        (How::Delivered, "INBOX", 1, theirs),
        (How::Delivered, "INBOX", 2, theirs),
        (How::Delivered, "INBOX", 3, theirs),
        (How::Appended, "Lists", 1, mine),
        (How::Copied, "Lists", 2, mine),
        (How::Moved, "Lists", 3, mine),
        (How::MovedAway, "INBOX", 2, mine),
        (How::Expunged, "INBOX", 3, mine),
        (How::Moved, "INBOX", 4, theirs),
        (How::MovedAway, "Lists", 2, theirs),
        (How::MailboxDeleted, "Lists", 1, theirs),
        (How::MailboxDeleted, "Lists", 3, theirs),
    ];
    assert_eq!(happened, wanted);
    assert_eq!(server.uids("INBOX"), [1, 4]);
    server.assert_sound();
}

#[test]
fn commands_go_wrong_as_they_are_told_to() {
    for (fault, done, heard, cut) in [
        (Fault::CutBefore, false, "", true),
        (Fault::CutAfter, true, "", true),
        (Fault::CutBeforeAnswer, true, "* 1 EXPUNGE\r\n", true),
        (Fault::no("OVERQUOTA"), false, "c NO [OVERQUOTA] refused\r\n", false),
    ] {
        let server = server(FULL);
        let mut peer = opened(&server);
        server.fault("MOVE", 1, fault.clone());
        let said = say(&mut *peer, "c UID MOVE 1 Lists");
        assert_eq!(server.uids("Lists").len(), usize::from(done), "{fault:?}");
        assert!(said.ends_with(heard) && said.is_empty() == heard.is_empty(), "{fault:?}: {said}");
        assert!(!said.contains("c OK"), "{fault:?}: {said}");
        assert_eq!((peer.is_closed(), peer.was_cut()), (cut, cut), "{fault:?}");
        assert_eq!(server.happened().len(), 1);
    }
}

#[test]
fn connections_break_at_an_octet() {
    let server = server("IMAP4rev1");
    server.cut_connections(&[Some(Cut::Sent(10)), None, Some(Cut::Received(23))]);
    let mut first = server.peer();
    assert_eq!(first.take().len(), 10);
    assert!(first.is_closed() && first.was_cut());
    assert!(!server.peer().is_closed());
    let mut third = server.peer();
    third.take();
    let said = say(&mut *third, "a LOGIN ann secret\r\nb NOOP\r\nc NOOP");
    assert!(said.starts_with("a OK") && !said.contains("b OK"), "{said}");
    assert!(third.is_closed());
}

#[test]
fn who_idles_is_told_and_who_had_the_old_store_is_cut_off() {
    let server = server(FULL);
    let mut peer = opened(&server);
    assert!(say(&mut *peer, "c IDLE").starts_with("+ "));
    server.deliver("INBOX", mail(9));
    let said = String::from_utf8_lossy(&peer.take()).into_owned();
    assert!(said.starts_with("* 4 EXISTS\r\n"), "{said}");
    let before = server.audit().mailboxes["INBOX"].clone();
    server.reset_uid_validity("INBOX");
    let after = server.audit().mailboxes["INBOX"].clone();
    assert!(after.uid_validity > before.uid_validity, "{} {}", after.uid_validity, before.uid_validity);
    let tokens = |mailbox: &support::model::audit::AuditMailbox| -> Vec<String> {
        mailbox.messages.iter().map(|m| m.token.clone()).collect()
    };
    assert_eq!(tokens(&after), tokens(&before));
    assert!(peer.is_closed());
}

/// It was left out of every list but that of subscriptions, and with it what is below it.
#[test]
fn a_name_that_is_only_subscribed_to_is_listed_for_what_is_below_it() {
    let server = server(FULL);
    server.create("Lists/a");
    server.try_delete("Lists").expect("deleted");
    let mut peer = opened(&server);
    for (command, there) in [
        ("LIST \"\" %", "* LIST (\\Noselect \\HasChildren) \"/\" Lists\r\n"),
        ("LIST \"\" *", "* LIST (\\Noselect \\HasChildren) \"/\" Lists\r\n"),
        ("LIST (SUBSCRIBED) \"\" *", "* LIST (\\NonExistent \\HasChildren \\Subscribed) \"/\" Lists\r\n"),
        ("LIST (SPECIAL-USE) \"\" *", ""),
    ] {
        let said = say(&mut *peer, &format!("c {command}"));
        assert!(said.contains(there) && said.contains("c OK"), "{command}: {said}");
        assert_eq!(said.contains(" Lists\r\n"), !there.is_empty(), "{command}: {said}");
    }
}
