//! NOTIFY (RFC 5465): who is told what, and when.

use super::*;
use crate::limits::Limits;

const ALL: &str = "(MessageNew MessageExpunge FlagChange)";

fn two(users: &MemoryUsers) -> [Client; 2] {
    [Client::signed_in(users), Client::signed_in(users)]
}

#[test]
fn what_is_asked_wrongly_is_refused() {
    let (users, _) = users();
    let mut client = [Client::signed_in(&users)];
    play(
        &mut client,
        "C: a NOTIFY SET (SELECTED (MessageNew))
         S: a BAD MessageNew and MessageExpunge belong together, and FlagChange to both
         C: b NOTIFY SET (SELECTED-DELAYED (FlagChange))
         S: b BAD MessageNew and MessageExpunge belong together, and FlagChange to both
         C: c NOTIFY SET (SELECTED NONE) (SELECTED-DELAYED NONE)
         S: c BAD the selected mailbox is named twice
         C: d NOTIFY SET (SELECTED (MessageNew MessageExpunge MailboxName))
         S: d BAD of the selected mailbox only messages are told
         C: e NOTIFY SET (PERSONAL (MessageNew (UID) MessageExpunge))
         S: e BAD messages are fetched of the selected mailbox only
         C: f NOTIFY SET (PERSONAL (AnnotationChange))
         S: f NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)] that event is not told of here
         C: g NOTIFY SET (SELECTED (MessageNew (X-GM-LABELS) MessageExpunge))
         S: g BAD that is Gmail's
         C: h NOTIFY SET (MAILBOXES &AGE- (MessageNew))
         S: h NO [CANNOT] the name is not spelt as it should be
         C: i NOTIFY SET (MAILBOXES None (MessageNew))
         S: i OK it will be told
         C: j NOTIFY NONE
         S: j OK nothing will be told",
    );
}

#[test]
fn the_selected_mailbox_at_any_time() {
    let (users, mail) = users();
    five(&mail);
    let mut clients = two(&users);
    play(
        &mut clients,
        r"C: a SELECT INBOX
          S: …
          C: b NOTIFY SET (SELECTED (MessageNew (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge FlagChange))
          S: b OK it will be told
          C2: a SELECT INBOX
          S2: …
          C2: b STORE 2 +FLAGS.SILENT (\Deleted)
          S2: b OK done
          S: * 2 FETCH (UID 2 FLAGS (\Seen \Deleted))
          C2: c EXPUNGE
          S2: * 2 EXPUNGE
          S2: c OK done
          S: * 2 EXPUNGE
          C2: d COPY 1 INBOX
          S2: …
          S: * 5 EXISTS
          S: * 0 RECENT
          S: * 5 FETCH (UID 6 BODY[HEADER.FIELDS (SUBJECT)] {15}
          S: Subject: m1
          S:
          S: )
          C: c COPY 1 INBOX
          S: * 6 EXISTS
          S: * 1 RECENT
          S: c OK [COPYUID 1001 1 7] done
          C2: e UID STORE 3 +FLAGS.SILENT (\Deleted)
          S2: …
          C2: f UID EXPUNGE 3
          S2: …
          C: d FETCH 1 (UID)
          S: * 1 FETCH (UID 1)
          S: d OK done
          S: * 2 EXPUNGE",
    );
}

#[test]
fn delayed_expunges_wait_for_a_command_that_lets_them() {
    let (users, mail) = users();
    five(&mail);
    let mut clients = two(&users);
    play(
        &mut clients,
        r"C: a SELECT INBOX
          S: …
          C: b NOTIFY SET (SELECTED-DELAYED (MessageNew MessageExpunge))
          S: b OK it will be told
          C2: a SELECT INBOX
          S2: …
          C2: b STORE 2 +FLAGS.SILENT (\Deleted)
          S2: b OK done
          S:
          C2: c EXPUNGE
          S2: …
          S:
          C2: d COPY 1 INBOX
          S2: …
          S: * 6 EXISTS
          S: * 0 RECENT
          C: c FETCH 2 FLAGS
          S: c OK [EXPUNGEISSUED] done, but some of them are no longer here
          C: d NOOP
          S: * 2 EXPUNGE
          S: d OK done
          C2: e STORE 1 +FLAGS.SILENT (\Answered)
          S2: e OK done
          S:
          C: e NOTIFY SET (SELECTED-DELAYED (MessageNew MessageExpunge FlagChange))
          S: * 1 FETCH (UID 1 FLAGS (\Answered))
          S: * 5 FETCH (UID 6 FLAGS ())
          S: e OK it will be told
          C: f IDLE
          S: + idling
          C2: f STORE 1 +FLAGS.SILENT (\Deleted)
          S2: f OK done
          S: * 1 FETCH (UID 1 FLAGS (\Answered \Deleted))
          C2: g EXPUNGE
          S2: …
          S: * 1 EXPUNGE
          C: DONE
          S: f OK that was all",
    );
}

#[test]
fn a_mailbox_that_is_not_wanted_stands_still() {
    let (users, mail) = users();
    five(&mail);
    for none in ["NONE", "SET (MAILBOXES INBOX (MessageNew MessageExpunge))"] {
        let mut clients = two(&users);
        let count = mail.rows(id_of(&mail, "INBOX"), 1, 99).expect("rows").len();
        play(
            &mut clients,
            &format!(
                r"C: a SELECT INBOX
                  S: …
                  C: b NOTIFY {none}
                  S: b OK …
                  C2: a SELECT INBOX
                  S2: …
                  C2: b COPY 1 INBOX
                  S2: …
                  C2: c STORE 1 +FLAGS.SILENT (\Deleted)
                  S2: …
                  S:
                  C: c NOOP
                  S: c OK done
                  C: d IDLE
                  S: + idling
                  C: DONE
                  S: d OK that was all
                  C: e EXPUNGE
                  S: * 1 EXPUNGE
                  S: * {count} EXISTS
                  S: * 0 RECENT
                  S: e OK done
                  C2: d NOOP
                  S2: …
                  C2: d STORE 1 +FLAGS.SILENT (Todo \Deleted)
                  S2: …
                  C2: e EXPUNGE
                  S2: …
                  C: f NOTIFY SET (SELECTED (MessageNew MessageExpunge))
                  S: * 1 EXPUNGE
                  S: f OK it will be told"
            ),
        );
    }
}

#[test]
fn other_mailboxes_by_their_numbers() {
    let (users, mail) = users();
    five(&mail);
    mail.create("Lists", &[]).expect("it can be made");
    mail.create("Lists/Rust", &[]).expect("it can be made");
    mail.subscribe("Lists/Rust", true).expect("it is noted");
    for (which, told) in [
        ("PERSONAL", true),
        ("INBOXES", true),
        ("SUBSCRIBED", true),
        ("SUBTREE Lists", true),
        ("SUBTREE (None Lists)", true),
        ("MAILBOXES (Lists/Rust None)", true),
        ("MAILBOXES Lists", false),
        ("SUBTREE Lists/R", false),
    ] {
        let mut clients = two(&users);
        let before = mail.status(id_of(&mail, "Lists/Rust")).expect("it is there");
        let (uid, modseq) = (before.uid_next, before.highest_modseq);
        let status = |messages: u32, next: u32, unseen: u32, modseq: u64| {
            format!(
                "* STATUS Lists/Rust (MESSAGES {messages} UIDNEXT {next} UIDVALIDITY 1003 UNSEEN {unseen} HIGHESTMODSEQ {modseq})"
            )
        };
        let news = |line: String| if told { line } else { String::new() };
        play(
            &mut clients,
            &format!(
                r"C: a SELECT INBOX
                  S: …
                  C: b NOTIFY SET (SELECTED {ALL}) ({which} {ALL})
                  S: b OK it will be told
                  C2: a SELECT INBOX
                  S2: …
                  C2: b COPY 1 Lists/Rust
                  S2: …
                  S: {}
                  C2: c SELECT Lists/Rust
                  S2: …
                  C2: d STORE 1 +FLAGS.SILENT (\Seen \Deleted)
                  S2: d OK done
                  C: c NOOP
                  S: {}",
                news(status(1, uid + 1, 1, modseq + 1)),
                if told { status(1, uid + 1, 0, modseq + 2) + "\nS: c OK done" } else { "c OK done".into() },
            ),
        );
        play(
            &mut clients,
            &format!(
                "C2: e EXPUNGE
                 S2: …
                 S: {}",
                news(status(0, uid + 1, 0, modseq + 3))
            ),
        );
    }
}

#[test]
fn the_numbers_at_once_and_of_what_is_asked_only() {
    let (users, mail) = users();
    five(&mail);
    mail.create("Lists", &[]).expect("it can be made");
    let mut clients = two(&users);
    play(
        &mut clients,
        r"C: a SELECT INBOX
          S: …
          C: b NOTIFY SET STATUS (SELECTED NONE) (PERSONAL (MessageNew MessageExpunge))
          S: * STATUS Lists (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1002 UNSEEN 0 HIGHESTMODSEQ 1)
          S: b OK it will be told
          C2: a SELECT INBOX
          S2: …
          C2: b COPY 1:2 Lists
          S2: …
          S: * STATUS Lists (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 1002 UNSEEN 1 HIGHESTMODSEQ 2)
          C2: c SELECT Lists
          S2: …
          C2: d STORE 1 +FLAGS.SILENT (\Seen)
          S2: d OK done
          S:
          C: c SELECT Lists
          S: …
          C2: e COPY 1 INBOX
          S2: …
          S: * STATUS INBOX (MESSAGES 6 UIDNEXT 7 UIDVALIDITY 1001 UNSEEN 3 HIGHESTMODSEQ 7)",
    );
}

#[test]
fn names_and_subscriptions() {
    let (users, mail) = users();
    mail.create("Old/Sub", &[]).expect("it can be made");
    let mut clients = two(&users);
    play(
        &mut clients,
        r#"C: a NOTIFY SET (PERSONAL (MailboxName SubscriptionChange))
         S: a OK it will be told
         C2: a CREATE New
         S2: …
         S: * LIST (\HasNoChildren) "/" New
         C2: b SUBSCRIBE New
         S2: …
         S: * LIST (\HasNoChildren \Subscribed) "/" New
         C2: c RENAME Old Older
         S2: …
         S: * LIST (\HasChildren) "/" Older ("OLDNAME" (Old))
         S: * LIST (\HasNoChildren) "/" Older/Sub ("OLDNAME" (Old/Sub))
         C2: d DELETE New
         S2: …
         S: * LIST (\NonExistent \HasNoChildren \Subscribed) "/" New
         C2: e UNSUBSCRIBE New
         S2: …
         S: * LIST (\NonExistent \HasNoChildren) "/" New
         C: b CREATE Mine
         S: b OK [MAILBOXID (F5)] done
         C: c RENAME Older Old
         S: c OK done
         C: d SUBSCRIBE Mine
         S: d OK done
         C: e DELETE Mine
         S: e OK done
         C2: f CREATE A/B
         S2: …
         C: f NOOP
         S: * LIST (\HasChildren) "/" A
         S: * LIST (\HasNoChildren) "/" A/B
         S: f OK done
         C: g NOTIFY SET (SUBTREE A (SubscriptionChange)) (MAILBOXES INBOX (MailboxName))
         S: g OK it will be told
         C2: g DELETE A/B
         S2: …
         C2: h SUBSCRIBE A
         S2: …
         C2: i SUBSCRIBE Old
         S2: …
         S: * LIST (\HasNoChildren \Subscribed) "/" A
         C: h NOTIFY NONE
         S: h OK nothing will be told
         C2: j CREATE C
         S2: …
         S:"#,
    );
}

#[test]
fn more_than_can_be_watched_is_said() {
    let (users, mail) = users();
    for n in 0..3 {
        mail.create(&format!("Box{n}"), &[]).expect("it can be made");
    }
    let mut few = options();
    few.limits = Limits { watched: 4, ..few.limits };
    let mut clients = [Client::new(&users, few), Client::signed_in(&users)];
    clients[0].say(b"a LOGIN ann secret\r\n");
    clients[0].heard.clear();
    play(
        &mut clients,
        r"C: a SELECT INBOX
          S: …
          C: b NOTIFY SET (SELECTED (MessageNew MessageExpunge)) (PERSONAL (MessageNew MessageExpunge))
          S: b OK it will be told
          C2: a CREATE Box3
          S2: …
          S: * OK [NOTIFICATIONOVERFLOW] there is more to watch than can be; nothing will be told
          C2: b APPEND INBOX {12+}
          C2: Subject: a
          C2:
          S2: …
          S:
          C: c NOTIFY SET (PERSONAL (MessageNew MessageExpunge))
          S: c NO [NOTIFICATIONOVERFLOW] that is more than can be watched
          C: d NOTIFY SET (SELECTED (MessageNew MessageExpunge)) (SUBTREE Box1 (MessageNew MessageExpunge))
          S: * 1 EXISTS
          S: * 1 RECENT
          S: d OK it will be told",
    );
}

#[test]
fn many_new_messages_are_fetched_in_pieces_and_none_is_missed() {
    let (users, mail) = users();
    let mut clients = two(&users);
    clients[0]
        .say(b"a SELECT INBOX\r\nb NOTIFY SET (SELECTED (MessageNew (UID BODY.PEEK[]) MessageExpunge))\r\n");
    clients[0].heard.clear();
    for n in 0..20 {
        put(&mail, "INBOX", &[], &format!("Subject: {n}\n\n{}\n", "text ".repeat(2_000)));
    }
    let now = clients[0].now;
    clients[0].session.wake(now).expect("it was drained");
    clients[0].drain();
    let said = clients[0].lines().join("\n");
    assert!(said.starts_with("* 20 EXISTS\n"), "{}", &said[..100]);
    for uid in 1..=20 {
        assert!(said.contains(&format!("* {uid} FETCH (UID {uid} BODY[] {{")), "{uid}");
    }
    assert!(clients[0].largest < 100_000, "a chunk and a message at most");
    let unseen = mail.status(id_of(&mail, "INBOX")).expect("it is there").unseen;
    assert_eq!(unseen, 20, "nobody has read them");
}
