//! The model server itself, held to the RFCs: what it answers, what it does, what others see of it.

mod support;

use support::host::Peer;
use support::model::flags::Change;
use support::model::{By, Chaos, Cut, FULL, Fault, How, Keywords, Then};
use support::{Dice, Host, Mail, ModelServer, Talk, Tier, mail};

/// INBOX with some messages, UIDs from 1, and an empty mailbox Old.
fn server(capabilities: &str, count: u32) -> ModelServer {
    let server = ModelServer::with_capabilities(capabilities);
    server.create("Old");
    for n in 1..=count {
        server.deliver("INBOX", mail(n));
    }
    server
}

fn bare(count: u32) -> ModelServer {
    server("IMAP4rev1", count)
}

fn opened(server: &ModelServer) -> Talk {
    let mut talk = Talk::new(server);
    talk.open(1, "SELECT INBOX");
    talk
}

fn flags(server: &ModelServer, mailbox: &str, uid: u32) -> Vec<String> {
    let audit = server.audit();
    let message = audit.mailboxes[mailbox].messages.iter().find(|m| m.uid == uid).expect("it is there");
    message.flags.iter().cloned().collect()
}

fn validity(server: &ModelServer, mailbox: &str) -> u32 {
    server.audit().mailboxes[mailbox].uid_validity
}

// STORE.

#[test]
fn store_adds_removes_and_replaces() {
    let server = bare(3);
    let mut talk = opened(&server);
    talk.run(
        r"
        C: a STORE 1 +FLAGS (\Seen $Later)
        S: * 1 FETCH (FLAGS ($Later \Seen))
        S: a OK stored
        C: a UID STORE 1 -FLAGS \Seen
        S: * 1 FETCH (UID 1 FLAGS ($Later))
        S: a OK stored
        C: a UID STORE 2:3 FLAGS (\flagged \ANSWERED)
        S: * 2 FETCH (UID 2 FLAGS (\Answered \Flagged))
        S: * 3 FETCH (UID 3 FLAGS (\Answered \Flagged))
        S: a OK stored
        C: a UID STORE 1:* FLAGS.SILENT ()
        S: a OK stored
        C: a STORE 4 +FLAGS (\Seen)
        S: a BAD *
        C: a UID STORE 77 +FLAGS (\Seen)
        S: a OK stored
        C: a STORE 1 +FLAGS (\Recent)
        S: a BAD *
        C: a STORE 1 FLAGSY (\Seen)
        S: a BAD *",
    );
    assert_eq!(flags(&server, "INBOX", 2), Vec::<String>::new());
}

#[test]
fn keywords_keep_the_spelling_that_came_first() {
    let server = bare(2);
    let mut talk = opened(&server);
    talk.run(
        r"
        C: a STORE 1 +FLAGS (Work)
        S: * 1 FETCH (FLAGS (Work))
        S: a OK *
        C: a STORE 2 +FLAGS (WORK)
        S: * 2 FETCH (FLAGS (Work))
        S: a OK *
        C: a STORE 1 -FLAGS (work)
        S: * 1 FETCH (FLAGS ())
        S: a OK *
        C: a SELECT INBOX
        S: ...
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft Work)
        S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft Work \*)] *
        S: ...
        S: a OK [READ-WRITE] *",
    );
}

#[test]
fn flags_that_are_not_permanent_are_ignored() {
    let server = bare(1);
    server.deliver_with("INBOX", mail(2), &["old"], None);
    server.change().manners.keywords = Keywords::Known;
    server.change().manners.permanent = vec!["\\Seen", "\\Deleted"];
    let mut talk = Talk::new(&server);
    talk.run(
        r"
        C: a SELECT INBOX
        S: ...
        S: * OK [PERMANENTFLAGS (\Seen \Deleted old)] *
        S: ...
        C: a STORE 1 +FLAGS (\Seen \Flagged OLD new)
        S: * 1 FETCH (FLAGS (\Seen old))
        S: a OK *",
    );
    server.change().manners.keywords = Keywords::None;
    talk.run(
        r"
        C: a STORE 1 FLAGS (else)
        S: * 1 FETCH (FLAGS (old))
        S: a OK *",
    );
}

#[test]
fn an_examined_mailbox_is_not_changed() {
    let server = server(FULL, 1);
    server.set_flags("INBOX", 1, &["\\Deleted"]);
    let mut talk = Talk::new(&server);
    talk.run(
        r"
        C: a EXAMINE INBOX
        S: ...
        S: * OK [PERMANENTFLAGS ()] *
        S: ...
        S: a OK [READ-ONLY] *
        C: a STORE 1 +FLAGS (\Seen)
        S: a NO [READ-ONLY] *
        C: a EXPUNGE
        S: a NO [READ-ONLY] *
        C: a UID MOVE 1 Old
        S: a NO [READ-ONLY] *
        C: a UID COPY 1 Old
        S: a OK [COPYUID *
        C: a CLOSE
        S: a OK closed",
    );
    assert_eq!(server.uids("INBOX"), [1]);
    server.change().manners.ignores_read_only_store = true;
    talk.open(1, "EXAMINE INBOX");
    talk.run("C: a STORE 1 +FLAGS (\\Seen)\nS: a OK Store ignored*");
    assert_eq!(flags(&server, "INBOX", 1), ["\\Deleted"]);
}

#[test]
fn with_condstore_a_store_tells_mod_sequences() {
    let server = server("IMAP4rev1 ENABLE CONDSTORE", 3);
    let mut talk = opened(&server);
    // Nothing asked for mod-sequences yet.
    talk.run(
        r"
        C: a UID STORE 1 +FLAGS (\Seen)
        S: * 1 FETCH (UID 1 FLAGS (\Seen))
        S: a OK *
        C: a ENABLE CONDSTORE
        S: * ENABLED CONDSTORE
        S: a OK *
        C: a UID STORE 1 +FLAGS (\Flagged)
        S: * 1 FETCH (UID 1 FLAGS (\Flagged \Seen) MODSEQ (6))
        S: a OK *
        C: a UID STORE 1 +FLAGS.SILENT (\Draft)
        S: * 1 FETCH (UID 1 MODSEQ (7))
        S: a OK *
        C: a UID STORE 1 +FLAGS.SILENT (\Draft)
        S: * 1 FETCH (UID 1 MODSEQ (7))
        S: a OK *",
    );
}

#[test]
fn condstore_alone_has_no_mod_sequence_behind_an_expunge() {
    let server = server("IMAP4rev1 CONDSTORE MOVE", 2);
    server.set_flags("INBOX", 1, &["\\Deleted"]);
    let mut talk = opened(&server);
    talk.run(
        r"
        C: a FETCH 1 (MODSEQ)
        S: * 1 FETCH (MODSEQ (4))
        S: a OK *
        C: a EXPUNGE
        S: * 1 EXPUNGE
        S: a OK expunged
        C: a MOVE 1 Old
        S: * 1 EXPUNGE
        S: a OK moved",
    );
}

#[test]
fn unchangedsince_spares_what_changed() {
    let server = server("IMAP4rev1 CONDSTORE", 3);
    let mut talk = opened(&server);
    server.set_flags("INBOX", 2, &["\\Flagged"]);
    talk.run(
        r"
        C: a UID STORE 1:3 (UNCHANGEDSINCE 4) +FLAGS.SILENT (\Seen)
        S: * 1 FETCH (UID 1 MODSEQ (6))
        S: * 3 FETCH (UID 3 MODSEQ (7))
        S: * 2 FETCH (*FLAGS (\Flagged) MODSEQ (5))
        S: a OK [MODIFIED 2] *
        C: a STORE 1,3 (UNCHANGEDSINCE 6) +FLAGS.SILENT (\Draft)
        S: * 1 FETCH (MODSEQ (8))
        S: a OK [MODIFIED 3] *
        C: a STORE 1 (UNCHANGEDSINCE 0) FLAGS ()
        S: a OK [MODIFIED 1] *",
    );
    let plain = bare(1);
    let mut talk = opened(&plain);
    talk.run("C: a STORE 1 (UNCHANGEDSINCE 9) +FLAGS (\\Seen)\nS: a BAD *");
}

#[test]
fn a_silent_store_tells_what_another_changed() {
    let server = bare(1);
    let mut talk = opened(&server);
    server.change_flags("INBOX", 1, Change::Add, &["\\Flagged"]);
    talk.run(
        r"
        C: a STORE 1 +FLAGS.SILENT (\Seen)
        S: * 1 FETCH (FLAGS (\Flagged \Seen))
        S: a OK *",
    );
}

// What other sessions see.

#[test]
fn another_session_sees_flags_and_messages() {
    let server = server("IMAP4rev1 CONDSTORE", 2);
    let mut talk = opened(&server);
    talk.open(2, "SELECT INBOX (CONDSTORE)");
    talk.run(
        r"
        C: a STORE 1 +FLAGS (\Seen)
        S: * 1 FETCH (FLAGS (\Seen))
        S: a OK *
        C2: b NOOP
        S2: * 1 FETCH (FLAGS (\Seen) MODSEQ (4))
        S2: b OK *
        C2: b COPY 1:2 INBOX
        S2: * 4 EXISTS
        S2: b OK copied
        C: a CHECK
        S: * 4 EXISTS
        S: a OK *",
    );
}

#[test]
fn expunges_wait_for_a_command_that_may_tell_them() {
    let server = bare(3);
    let mut talk = opened(&server);
    talk.open(2, "SELECT INBOX");
    talk.run(
        r"
        C: a STORE 1,2 +FLAGS.SILENT (\Deleted)
        S: a OK *
        C: a EXPUNGE
        S: * 1 EXPUNGE
        S: * 1 EXPUNGE
        S: a OK expunged
        C2: b FETCH 1:3 (UID)
        S2: * 3 FETCH (UID 3)
        S2: b OK *
        C2: b STORE 1,3 +FLAGS (\Seen)
        S2: * 3 FETCH (FLAGS (\Seen))
        S2: b NO [EXPUNGEISSUED] *
        C2: b SEARCH ALL
        S2: * SEARCH 3
        S2: b OK *
        C2: b COPY 1 Old
        S2: b NO [EXPUNGEISSUED] *
        C2: b UID STORE 3 +FLAGS (\Draft)
        S2: * 3 FETCH (UID 3 FLAGS (\Draft \Seen))
        S2: * 1 EXPUNGE
        S2: * 1 EXPUNGE
        S2: b OK *",
    );
    server.assert_sound();
}

#[test]
fn with_qresync_expunges_are_vanished() {
    let server = server(FULL, 4);
    let mut talk = Talk::new(&server);
    for number in [1, 2] {
        talk.open(number, "ENABLE QRESYNC");
        talk.open(number, "SELECT INBOX");
    }
    talk.run(
        r"
        C: a UID STORE 1:3 +FLAGS.SILENT (\Deleted)
        S: * 1 FETCH (UID 1 MODSEQ (6))
        S: * 2 FETCH (UID 2 MODSEQ (7))
        S: * 3 FETCH (UID 3 MODSEQ (8))
        S: a OK *
        C: a UID EXPUNGE 2:9
        S: * VANISHED 2:3
        S: a OK [HIGHESTMODSEQ 10] *
        C: a EXPUNGE
        S: * VANISHED 1
        S: a OK [HIGHESTMODSEQ 11] *
        C: a EXPUNGE
        S: a OK nothing *
        C2: b NOOP
        S2: * VANISHED 1:3
        S2: b OK *",
    );
    talk.run(
        r"
        C: a UNSELECT
        S: a OK *
        C: a SELECT INBOX (QRESYNC (1101 9))
        S: ...
        S: * VANISHED (EARLIER) 1,3
        S: a OK *",
    );
}

#[test]
fn idle_sessions_are_woken() {
    let server = server(FULL, 2);
    let mut talk = opened(&server);
    talk.open(2, "SELECT INBOX");
    talk.run(
        r"
        C2: b IDLE
        S2: + idling
        C: a STORE 1 +FLAGS.SILENT (\Deleted)
        S: a OK *
        S2: * 1 FETCH (FLAGS (\Deleted))
        C: a EXPUNGE
        S: * 1 EXPUNGE
        S: a OK *
        S2: * 1 EXPUNGE",
    );
    server.deliver("INBOX", mail(9));
    talk.run(
        r"
        S2: * 2 EXISTS
        S: ...
        C2: DONE
        S2: b OK *
        C: a NOOP
        S: * 2 EXISTS
        S: a OK *",
    );
}

// COPY and MOVE.

#[test]
fn copy_answers_with_copyuid_where_uidplus_is() {
    let with = server("IMAP4rev1 UIDPLUS", 3);
    with.set_flags("INBOX", 2, &["\\Seen", "kept"]);
    let old = validity(&with, "Old");
    let mut talk = opened(&with);
    talk.run(&format!(
        r"
        C: a UID COPY 2:9 Old
        S: a OK [COPYUID {old} 2:3 1:2] copied
        C: a COPY 1 Old
        S: a OK [COPYUID {old} 1 3] copied
        C: a UID COPY 77 Old
        S: a OK copied
        C: a COPY 9 Old
        S: a BAD *
        C: a UID COPY 1 Nowhere
        S: a NO [TRYCREATE] *"
    ));
    assert_eq!(flags(&with, "Old", 1), ["\\Seen", "kept"]);
    let without = bare(1);
    let mut talk = opened(&without);
    talk.run("C: a COPY 1 Old\nS: a OK copied");
    assert_eq!(without.audit().doubled().len(), 1);
    assert!(without.audit().missing().is_empty());
}

#[test]
fn move_copies_and_expunges() {
    let server = server("IMAP4rev1 MOVE UIDPLUS ENABLE CONDSTORE QRESYNC", 4);
    let old = validity(&server, "Old");
    let mut talk = opened(&server);
    talk.run(&format!(
        r"
        C: a MOVE 1,3 Old
        S: * OK [COPYUID {old} 1,3 1:2] *
        S: * 1 EXPUNGE
        S: * 2 EXPUNGE
        S: a OK moved
        C: a UID MOVE 1 Old
        S: a OK nothing *
        C: a UID MOVE 2 Nowhere
        S: a NO [TRYCREATE] *"
    ));
    talk.open(2, "ENABLE QRESYNC");
    talk.open(2, "SELECT INBOX");
    talk.run(&format!(
        r"
        C2: b UID MOVE 2:4 Old
        S2: * OK [COPYUID {old} 2,4 3:4] *
        S2: * VANISHED 2,4
        S2: b OK [HIGHESTMODSEQ 9] moved
        C: a NOOP
        S: * 1 EXPUNGE
        S: * 1 EXPUNGE
        S: a OK *"
    ));
    assert_eq!(server.uids("Old"), [1, 2, 3, 4]);
    assert!(server.audit().doubled().is_empty() && server.audit().missing().is_empty());
    server.assert_sound();
}

#[test]
fn move_and_others_need_their_capability() {
    let server = bare(1);
    let mut talk = opened(&server);
    for command in [
        "UID MOVE 1 Old",
        "UID EXPUNGE 1",
        "UNSELECT",
        "IDLE",
        "ENABLE CONDSTORE",
        "UID REPLACE 1 INBOX {1+}",
        "NAMESPACE",
        "MYRIGHTS INBOX",
        "GETQUOTAROOT INBOX",
        "GETQUOTA \"\"",
        "CREATE New (USE (\\Archive))",
        "UID SEARCH RETURN (ALL) ALL",
        "FETCH 1 (MODSEQ)",
        "LIST \"\" * RETURN (SUBSCRIBED)",
        "STATUS INBOX (HIGHESTMODSEQ)",
        "XYZZY",
    ] {
        server.change().violations.clear();
        let command = if command.ends_with("{1+}") { format!("{command}\r\nx") } else { command.into() };
        let said = talk.say(1, &command);
        assert!(said.starts_with("x BAD"), "{command}: {said}");
        let counted = command.starts_with("STATUS") || !server.look().violations.is_empty();
        assert!(counted, "{command} is the client's fault");
    }
    assert!(talk.say(1, "NOOP").starts_with("x OK"));
}

#[test]
fn imap4rev2_brings_its_parts() {
    let server = server("IMAP4rev2", 1);
    let mut talk = opened(&server);
    talk.run(
        r"
        C: a UID MOVE 1 Old
        S: * OK [COPYUID * 1 1] *
        S: * 1 EXPUNGE
        S: a OK *
        C: a UNSELECT
        S: a OK *",
    );
}

// EXPUNGE and CLOSE.

#[test]
fn close_expunges_without_a_word() {
    let server = bare(3);
    server.set_flags("INBOX", 2, &["\\Deleted"]);
    let mut talk = opened(&server);
    talk.open(2, "SELECT INBOX");
    talk.run(
        r"
        C: a CLOSE
        S: a OK closed
        C: a STORE 1 +FLAGS (\Seen)
        S: a BAD *
        C2: b NOOP
        S2: * 2 EXPUNGE
        S2: b OK *",
    );
    assert_eq!(server.uids("INBOX"), [1, 3]);
}

#[test]
fn unselect_expunges_nothing() {
    let server = server(FULL, 1);
    server.set_flags("INBOX", 1, &["\\Deleted"]);
    let mut talk = opened(&server);
    talk.run("C: a UNSELECT\nS: a OK closed\nC: a UNSELECT\nS: a OK *");
    assert_eq!(server.uids("INBOX"), [1]);
}

// APPEND and REPLACE.

#[test]
fn append_keeps_flags_and_date() {
    let server = server("IMAP4rev1 UIDPLUS", 0);
    let inbox = validity(&server, "INBOX");
    let mut talk = opened(&server);
    talk.run(&format!(
        r#"
        C: a APPEND INBOX (\Seen Work) " 2-Jan-2026 03:04:05 +0100" {{6}}
        S: + *
        C: A: b
        C:
        S: * 1 EXISTS
        S: a OK [APPENDUID {inbox} 1] *
        C: a APPEND Old {{4}}
        S: + *
        C: text
        S: a OK [APPENDUID * 1] *
        C: a FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)
        S: * 1 FETCH (FLAGS (Work \Seen) INTERNALDATE " 2-Jan-2026 02:04:05 +0000" RFC822.SIZE 6)
        S: a OK *"#
    ));
    let audit = server.audit();
    assert_eq!(audit.history[0].how, How::Appended);
    assert_eq!(audit.history[0].by, By::Session(1));
    assert_eq!(&*audit.mailboxes["Old"].messages[0].raw, b"text");
}

#[test]
fn append_is_refused_before_its_literal_or_behind_it() {
    let server = server("IMAP4rev1 APPENDLIMIT=10 LITERAL+", 0);
    let mut talk = opened(&server);
    talk.run(
        r#"
        C: a APPEND Nowhere {4}
        S: a NO [TRYCREATE] *
        C: a APPEND INBOX (\Seen) {11}
        S: a NO [TOOBIG] *
        C: a APPEND INBOX {11+}
        C: elevenoctet
        S: a NO [TOOBIG] *
        C: a APPEND INBOX {0+}
        C:
        S: a NO *
        C: a APPEND INBOX (\Recent) {1+}
        C: x
        S: a BAD *
        C: a STATUS INBOX (APPENDLIMIT)
        S: * STATUS "INBOX" (APPENDLIMIT 10)
        S: a OK *"#,
    );
    server.change().manners.refuses_before_literals = false;
    server.change().manners.quota_octets = Some(6);
    talk.run(
        r"
        C: a APPEND Nowhere {4}
        S: + *
        C: text
        S: a NO [TRYCREATE] *
        C: a APPEND INBOX {4}
        S: + *
        C: text
        S: * 1 EXISTS
        S: a OK appended
        C: a APPEND INBOX {4}
        S: + *
        C: text
        S: a NO [OVERQUOTA] *
        C: a COPY 1 Old
        S: a NO [OVERQUOTA] *",
    );
}

#[test]
fn literals_are_as_they_are_offered() {
    let small = server("IMAP4rev1 LITERAL-", 0);
    let mut talk = opened(&small);
    talk.say(1, "APPEND INBOX {4+}\r\ntext");
    assert_eq!(small.look().violations, Vec::<String>::new());
    talk.say(1, &format!("APPEND INBOX {{4097+}}\r\n{}", "x".repeat(4097)));
    assert_eq!(small.look().violations.len(), 1);
    talk.run("C: a APPEND INBOX ~{4}\nS: + *\nC: te\0t\nS: a BAD *");
    let binary = server("IMAP4rev1 BINARY", 0);
    let mut talk = opened(&binary);
    talk.run("C: a APPEND INBOX ~{4}\nS: + *\nC: te\0t\nS: * 1 EXISTS\nS: a OK *");
    talk.run("C: a APPEND INBOX {4}\nS: + *\nC: te\0t\nS: a BAD *");
    assert_eq!(binary.uids("INBOX"), [1]);
}

#[test]
fn multiappend_is_all_or_nothing() {
    let with = server("IMAP4rev1 MULTIAPPEND UIDPLUS APPENDLIMIT=5", 0);
    let mut talk = opened(&with);
    talk.run(
        r"
        C: a APPEND INBOX (\Seen) {3}
        S: + *
        C: one (\Draft) {3}
        S: + *
        C: two
        S: * 2 EXISTS
        S: a OK [APPENDUID * 1:2] appended",
    );
    talk.say(1, "APPEND INBOX {3+}\r\none {6+}\r\nlonger");
    talk.run(
        r"
        C: a APPEND INBOX {3}
        S: + *
        C: one {6}
        S: a NO [TOOBIG] *
        C: a APPEND Old {1}
        S: + *
        C: x
        S: a OK *",
    );
    assert_eq!(with.uids("INBOX"), [1, 2]);
    assert_eq!(flags(&with, "INBOX", 2), ["\\Draft"]);
    let without = bare(0);
    let mut talk = opened(&without);
    assert!(talk.say(1, "APPEND INBOX {3+}\r\none {3+}\r\ntwo").starts_with("x BAD"));
    assert!(without.uids("INBOX").is_empty());
}

#[test]
fn replace_puts_one_in_and_takes_one_out() {
    let server = server(FULL, 2);
    let mut talk = opened(&server);
    talk.run(
        r"
        C: a UID REPLACE 1 INBOX (\Draft) {3+}
        C: new
        S: * OK [APPENDUID * 3] *
        S: * 1 EXPUNGE
        S: * 2 EXISTS
        S: a OK replaced
        C: a REPLACE 1 Old {3+}
        C: new
        S: * OK [APPENDUID * 1] *
        S: * 1 EXPUNGE
        S: a OK replaced
        C: a UID REPLACE 1 INBOX {3+}
        C: new
        S: a NO *
        C: a UID REPLACE 3 Nowhere {3}
        S: a NO [TRYCREATE] *",
    );
    assert_eq!(server.uids("INBOX"), [3]);
}

// Mailboxes.

#[test]
fn mailboxes_are_made_and_deleted() {
    let server = server(FULL, 0);
    let mut talk = Talk::new(&server);
    talk.run(
        r#"
        C: a CREATE A/B/
        S: a OK *created
        C: a CREATE A/B
        S: a NO [ALREADYEXISTS] *
        C: a CREATE inbox
        S: a NO [ALREADYEXISTS] *
        C: a CREATE Shelf (USE (\Archive))
        S: a OK *created
        C: a CREATE Two (USE (\Archive))
        S: a NO [USEATTR] *
        C: a CREATE Two (USE (\Nothing))
        S: a NO [USEATTR] *
        C: a LIST "" % RETURN (SPECIAL-USE SUBSCRIBED)
        S: * LIST (\HasNoChildren \Subscribed) "/" "INBOX"
        S: * LIST (\HasNoChildren \Subscribed) "/" "Old"
        S: * LIST (\HasChildren) "/" "A"
        S: * LIST (\HasNoChildren \Archive) "/" "Shelf"
        S: a OK *
        C: a DELETE A
        S: a OK deleted
        C: a DELETE A
        S: a NO [HASCHILDREN] *
        C: a SELECT A
        S: a NO [NONEXISTENT] *
        C: a DELETE A/B
        S: a OK deleted
        C: a DELETE A
        S: a OK deleted
        C: a DELETE A
        S: a NO [NONEXISTENT] *
        C: a DELETE INBOX
        S: a NO [CANNOT] *"#,
    );
    let before = validity(&server, "Shelf");
    talk.run("C: a DELETE Shelf\nS: a OK *\nC: a CREATE Shelf\nS: a OK *");
    assert!(validity(&server, "Shelf") > before, "a new mailbox of the name is another one");
    server.assert_sound();
}

#[test]
fn a_parent_can_be_kept_from_being_deleted() {
    let server = server(FULL, 0);
    server.change().manners.refuses_to_delete_parents = true;
    let mut talk = Talk::new(&server);
    talk.run("C: a CREATE A/B\nS: a OK *\nC: a DELETE A\nS: a NO [HASCHILDREN] *");
}

#[test]
fn a_mailbox_is_deleted_under_a_session() {
    let server = server(FULL, 0);
    let mut talk = Talk::new(&server);
    talk.open(1, "ENABLE QRESYNC");
    talk.open(1, "SELECT Old");
    talk.open(2, "SELECT Old");
    talk.run("C: a DELETE Old\nS: * OK [CLOSED] *\nS: a OK deleted\nC: a CREATE Old\nS: a OK *");
    talk.say(2, "NOOP");
    assert!(talk.session(2).is_closed(), "what it had open is no more, whatever has the name now");
    assert!(!talk.session(1).is_closed());
}

#[test]
fn rename_takes_children_along() {
    let server = server(FULL, 1);
    server.copy("INBOX", 1, "Old");
    let before = validity(&server, "Old");
    let mut talk = Talk::new(&server);
    talk.open(2, "SELECT Old");
    talk.run(
        r"
        C: a CREATE Old/Sub
        S: a OK *
        C: a CREATE Other
        S: a OK *
        C: a RENAME Old Other
        S: a NO [ALREADYEXISTS] *
        C: a RENAME Nowhere X
        S: a NO [NONEXISTENT] *
        C: a RENAME Old Old/Sub/X
        S: a NO [CANNOT] *
        C: a RENAME Old New/Name
        S: a OK renamed
        C2: b STORE 1 +FLAGS (\Seen)
        S2: * 1 FETCH (FLAGS (\Seen))
        S2: b OK *",
    );
    let audit = server.audit();
    let names: Vec<&String> = audit.mailboxes.keys().collect();
    assert_eq!(names, ["INBOX", "New", "New/Name", "New/Name/Sub", "Other"]);
    assert_eq!(audit.mailboxes["New/Name"].uid_validity, before);
}

#[test]
fn renaming_inbox_empties_it() {
    let server = bare(2);
    let mut talk = opened(&server);
    talk.run(
        r"
        C: a RENAME INBOX Saved
        S: * 1 EXPUNGE
        S: * 1 EXPUNGE
        S: a OK renamed",
    );
    assert!(server.uids("INBOX").is_empty());
    assert_eq!(server.uids("Saved"), [1, 2]);
    assert!(server.audit().missing().is_empty() && server.audit().doubled().is_empty());
}

#[test]
fn subscriptions_are_of_names() {
    let server = bare(0);
    let mut talk = Talk::new(&server);
    talk.run(
        r#"
        C: a UNSUBSCRIBE INBOX
        S: a OK *
        C: a CREATE New
        S: a OK *
        C: a SUBSCRIBE New
        S: a OK *
        C: a SUBSCRIBE Nowhere
        S: a NO *
        C: a RENAME New Newer
        S: a OK *
        C: a DELETE Old
        S: a OK *
        C: a LSUB "" *
        S: * LSUB () "/" "New"
        S: * LSUB () "/" "Old"
        S: a OK *
        C: a UNSUBSCRIBE Old
        S: a OK *
        C: a LSUB "" *
        S: * LSUB () "/" "New"
        S: a OK *"#,
    );
    server.change().manners.renames_subscriptions = true;
    server.change().manners.keeps_subscriptions = false;
    talk.run(
        r#"
        C: a SUBSCRIBE Newer
        S: a OK *
        C: a RENAME Newer Newest
        S: a OK *
        C: a LSUB "" Newes%
        S: * LSUB () "/" "Newest"
        S: a OK *
        C: a DELETE Newest
        S: a OK *
        C: a LSUB "" Newes%
        S: a OK *"#,
    );
}

#[test]
fn rights_and_quota_and_namespace() {
    let server = server(FULL, 2);
    server.change().mailbox("Old").rights = "lrs".into();
    server.change().manners.quota_octets = Some(10 * 1024);
    server.change().manners.quota_messages = Some(50);
    let mut talk = opened(&server);
    talk.run(
        r#"
        C: a MYRIGHTS Old
        S: * MYRIGHTS "Old" lrs
        S: a OK *
        C: a COPY 1 Old
        S: a NO [NOPERM] *
        C: a APPEND Old {3}
        S: a NO [NOPERM] *
        C: a DELETE Old
        S: a NO [NOPERM] *
        C: a CREATE Old/Sub
        S: a NO [NOPERM] *
        C: a GETQUOTAROOT INBOX
        S: * QUOTAROOT "INBOX" ""
        S: * QUOTA "" (STORAGE 1 10 MESSAGE 2 50)
        S: a OK *
        C: a GETQUOTA ""
        S: * QUOTA "" (STORAGE 1 10 MESSAGE 2 50)
        S: a OK *
        C: a GETQUOTA other
        S: a NO *
        C: a NAMESPACE
        S: * NAMESPACE (("" "/")) NIL NIL
        S: a OK *"#,
    );
    server.change().mailbox("INBOX").rights = "lrs".into();
    talk.run(
        r"
        C: a STORE 1 +FLAGS (\Seen \Flagged)
        S: * 1 FETCH (FLAGS (\Seen))
        S: a OK *
        C: a STORE 1 +FLAGS (\Deleted)
        S: a NO [NOPERM] *
        C: a EXPUNGE
        S: a NO [NOPERM] *
        C: a MOVE 1 INBOX
        S: a NO [NOPERM] *",
    );
}

#[test]
fn search_finds_what_it_is_asked_for() {
    let server = bare(2);
    server.deliver_with("INBOX", Mail::new(3).subject("Lunch").build(), &["\\Deleted", "k"], None);
    let mut talk = opened(&server);
    server.expunge("INBOX", &[1]);
    talk.run(
        r#"
        C: a SEARCH DELETED
        S: * SEARCH 3
        S: a OK *
        C: a UID SEARCH HEADER Message-ID <m2@example.org>
        S: * SEARCH 2
        S: * 1 EXPUNGE
        S: a OK *
        C: a UID SEARCH SUBJECT lunch NOT UNDELETED KEYWORD K
        S: * SEARCH 3
        S: a OK *
        C: a UID SEARCH OR UID 2 (SUBJECT "LUNCH" BODY nothing)
        S: * SEARCH 2
        S: a OK *
        C: a UID SEARCH FROB
        S: a BAD *"#,
    );
}

// What goes wrong.

#[test]
fn the_nth_command_of_a_kind_is_refused() {
    let server = server(FULL, 3);
    server.fault("STORE", 2, Fault::no("LIMIT"));
    server.fault("*", 4, Fault::bad());
    let mut talk = opened(&server);
    talk.run(
        r"
        C: a STORE 1 +FLAGS.SILENT (\Seen)
        S: a OK *
        C: a UID STORE 2 +FLAGS.SILENT (\Seen)
        S: a NO [LIMIT] *
        C: a NOOP
        S: a OK *
        C: a STORE 3 +FLAGS.SILENT (\Seen)
        S: a OK *
        C: a COPY 1 Old
        S: a BAD *
        C: a COPY 1 Old
        S: a OK *",
    );
    assert_eq!(flags(&server, "INBOX", 2), Vec::<String>::new());
    assert_eq!(server.look().trouble.happened.len(), 2);
}

#[test]
fn a_lost_answer_is_of_a_command_that_was_done() {
    let server = server(FULL, 3);
    let mut talk = opened(&server);
    server.fault("MOVE", 1, Fault::CutAfter);
    assert_eq!(talk.say(1, "UID MOVE 1 Old"), "");
    assert!(talk.session(1).is_closed() && talk.session(1).was_cut());
    assert_eq!((server.uids("INBOX"), server.uids("Old")), (vec![2, 3], vec![1]));

    talk.hang_up(1);
    talk.open(1, "SELECT INBOX");
    server.fault("UID MOVE", 1, Fault::CutBeforeAnswer);
    let said = talk.say(1, "UID MOVE 2 Old");
    assert!(said.contains("COPYUID") && said.ends_with("* 1 EXPUNGE\r\n"), "{said}");
    assert!(talk.session(1).is_closed());

    talk.hang_up(1);
    talk.open(1, "SELECT INBOX");
    server.fault("MOVE", 1, Fault::CutBefore);
    assert_eq!(talk.say(1, "UID MOVE 3 Old"), "");
    assert_eq!(server.uids("INBOX"), [3]);
}

#[test]
fn a_command_is_done_by_half() {
    let server = server(FULL, 4);
    let mut talk = opened(&server);
    server.fault("MOVE", 1, Fault::partly(2, "OVERQUOTA"));
    server.fault("COPY", 1, Fault::partly(1, "OVERQUOTA"));
    server.fault("STORE", 1, Fault::Partly(1, Then::Cut));
    talk.run(
        r"
        C: a MOVE 1:3 Old
        S: * OK [COPYUID * 1:2 1:2] *
        S: * 1 EXPUNGE
        S: * 1 EXPUNGE
        S: a NO [OVERQUOTA] *
        C: a COPY 1:2 Old
        S: a NO [OVERQUOTA] *
        C: a STORE 1:2 +FLAGS (\Seen)
        S: * 1 FETCH (FLAGS (\Seen))",
    );
    assert_eq!(server.uids("Old"), [1, 2, 3]);
    assert_eq!(flags(&server, "INBOX", 4), Vec::<String>::new());
    assert!(talk.session(1).is_closed());
}

#[test]
fn connections_break_at_an_octet() {
    let server = bare(1);
    let full = "* OK [CAPABILITY IMAP4rev1] ready\r\n";
    server.cut_connections([Some(Cut::Sent(10)), None, Some(Cut::Received(11))]);
    let mut first = server.session();
    assert_eq!(first.take(), &full.as_bytes()[..10]);
    assert!(first.is_closed());
    assert!(!server.session().is_closed());
    let mut third = server.session();
    third.receive(b"a NOOP\r\nb NOOP\r\n");
    assert!(String::from_utf8_lossy(&third.take()).ends_with("a OK nothing done\r\n"));
    assert!(third.is_closed());
    assert!(!server.session().is_closed());
}

#[test]
fn chaos_is_the_same_each_time() {
    let run = |seed: u64| {
        let server = server(FULL, 5);
        server.chaos(Chaos { cut: 0, cut_after: 200, refused: 200, partly: 200, ..Chaos::new(seed) });
        let mut dice = Dice::new(seed);
        let mut talk = Talk::new(&server);
        let mut said = String::new();
        for n in 0..60 {
            if talk.session(1).is_closed() || n == 0 {
                talk.hang_up(1);
                talk.open(1, "SELECT INBOX");
            }
            let uid = 1 + dice.below(5);
            said += &match dice.below(4) {
                0 => talk.say(1, &format!("UID STORE {uid} +FLAGS (\\Seen)")),
                1 => talk.say(1, &format!("UID MOVE {uid}:* Old")),
                2 => talk.say(1, &format!("UID COPY {uid} INBOX")),
                _ => talk.say(1, "APPEND INBOX {4+}\r\ntext"),
            };
            server.assert_sound();
        }
        assert!(server.audit().missing().is_empty());
        assert!(!server.look().trouble.happened.is_empty());
        server.calm();
        (said, format!("{:?}", server.audit().mailboxes))
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn a_move_dies_between_its_halves() {
    let server = server(FULL, 3);
    let mut talk = opened(&server);
    server.fault("MOVE", 1, Fault::CopiedOnly(Then::Answer("NO [SERVERBUG] oh".into())));
    server.fault("REPLACE", 1, Fault::partly(0, "LIMIT"));
    server.fault("CREATE", 1, Fault::partly(1, "LIMIT"));
    talk.run(
        r"
        C: a MOVE 1 Old
        S: * OK [COPYUID * 1 1] *
        S: a NO [SERVERBUG] *
        C: a REPLACE 1 INBOX {3+}
        C: new
        S: * OK [APPENDUID * 4] *
        S: * 4 EXISTS
        S: a NO [LIMIT] *
        C: a CREATE New
        S: a NO [LIMIT] *",
    );
    assert_eq!((server.uids("INBOX"), server.uids("Old")), (vec![1, 2, 3, 4], vec![1]));
    assert!(!server.audit().mailboxes.contains_key("New"));
}

#[test]
fn a_host_gets_through_connections_that_break() {
    let server = server(FULL, 12);
    server.chaos(Chaos { cut: 700, within: 6_000, ..Chaos::new(9) });
    let mut host = Host::new(&server);
    host.sync_all();
    assert!(host.received.len() > 1, "it had to connect again");
    host.assert_in_step();
}

// What others do, and the audit.

#[test]
fn uids_are_shuffled_under_a_new_validity() {
    let server = bare(6);
    let before = server.audit();
    let mut talk = opened(&server);
    server.shuffle_uids("INBOX", 5);
    let after = server.audit();
    assert_ne!(before.mailboxes["INBOX"].uid_validity, after.mailboxes["INBOX"].uid_validity);
    let order = |audit: &support::model::Audit| -> Vec<u64> {
        audit.mailboxes["INBOX"].messages.iter().map(|m| m.hash).collect()
    };
    assert_ne!(order(&before), order(&after));
    assert!(after.missing().is_empty() && after.doubled().is_empty());
    talk.say(1, "NOOP");
    assert!(talk.session(1).is_closed(), "a session cannot go on with other numbers");
    server.assert_sound();
}

#[test]
fn the_audit_tells_lost_and_doubled() {
    let server = ModelServer::new(Tier::Everything);
    server.create("Old");
    let tagged = |token: &str| format!("X-Token: {token}\r\nSubject: x\r\n\r\ntext\r\n").into_bytes();
    for token in ["one", "two", "three"] {
        server.deliver("INBOX", tagged(token));
    }
    server.copy("INBOX", 1, "Old");
    server.move_message("INBOX", 2, "Old");
    server.expunge("INBOX", &[3]);
    let audit = server.audit();
    assert_eq!(audit.places("one"), [("INBOX".into(), 1), ("Old".into(), 1)]);
    assert_eq!(audit.doubled().keys().collect::<Vec<_>>(), ["one"]);
    assert_eq!(audit.missing().into_iter().collect::<Vec<_>>(), ["three"]);
    let story: Vec<&How> = audit.story("two").iter().map(|e| &e.how).collect();
    assert_eq!(story, [&How::Delivered, &How::Moved, &How::MovedAway]);
    server.delete("Old");
    assert_eq!(server.audit().story("two").last().unwrap().how, How::MailboxDeleted);
}

// All of it together.

/// What a client makes of what it is told: messages in their order, as UIDs (0 where it was not told) and
/// flags.
#[derive(Default)]
struct Ear {
    messages: Vec<(u32, Vec<String>)>,
}

impl Ear {
    fn hear(&mut self, said: &str) {
        for line in said.lines().filter_map(|l| l.strip_prefix("* ")) {
            if let Some(set) = line.strip_prefix("VANISHED ") {
                // One that was not heard of by its UID stands between its neighbours.
                for uid in support::wire::ranges(set, 0).iter().flat_map(|(low, high)| *low..=*high) {
                    let known = self.messages.iter().position(|m| m.0 == uid);
                    let below =
                        self.messages.iter().rposition(|m| m.0 != 0 && m.0 < uid).map_or(0, |at| at + 1);
                    assert!(known.is_some() || self.messages[below].0 == 0, "{uid} was not there");
                    self.messages.remove(known.unwrap_or(below));
                }
                continue;
            }
            let mut words = line.splitn(3, ' ');
            let Some(number) = words.next().and_then(|n| n.parse::<usize>().ok()) else { continue };
            let (word, rest) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            match word {
                "EXISTS" => {
                    assert!(number >= self.messages.len(), "messages go by EXPUNGE only: {line}");
                    self.messages.resize(number, (0, Vec::new()));
                }
                "EXPUNGE" => drop(self.messages.remove(number - 1)),
                "FETCH" => {
                    let message = &mut self.messages[number - 1];
                    if let Some(uid) = between(rest, "UID ", &[' ', ')']) {
                        let uid = uid.parse().expect("a UID");
                        assert!(message.0 == 0 || message.0 == uid, "{line} is of UID {}", message.0);
                        message.0 = uid;
                    }
                    if let Some(flags) = between(rest, "FLAGS (", &[')']) {
                        message.1 = flags.split_whitespace().map(str::to_owned).collect();
                    }
                }
                _ => {}
            }
        }
    }
}

fn between<'a>(text: &'a str, start: &str, end: &[char]) -> Option<&'a str> {
    let rest = &text[text.find(start)? + start.len()..];
    rest.find(end).map(|at| &rest[..at])
}

/// Three sessions change one mailbox at once, one with sequence numbers alone, one with mod-sequences, one
/// with VANISHED. What each is told adds up to what there is.
#[test]
fn what_sessions_are_told_adds_up() {
    for seed in 0..60 {
        let server = server(FULL, 6);
        let mut dice = Dice::new(seed);
        let mut talk = Talk::new(&server);
        let mut ears: Vec<Ear> = Vec::new();
        for number in 1..=3 {
            talk.say(number, ["NOOP", "ENABLE CONDSTORE", "ENABLE QRESYNC"][number as usize - 1]);
            let mut ear = Ear::default();
            ear.hear(&talk.say(number, "SELECT INBOX"));
            ear.hear(&talk.say(number, "FETCH 1:* (UID FLAGS)"));
            ears.push(ear);
        }
        for _ in 0..80 {
            let number = 1 + dice.below(3) as u32;
            let ear = &mut ears[number as usize - 1];
            let seen = ear.messages.len() as u64;
            let by_uid = dice.below(2) == 0 || seen == 0;
            let one = if by_uid { 1 + dice.below(20) } else { 1 + dice.below(seen) };
            let set = if dice.below(3) == 0 { format!("{one}:*") } else { one.to_string() };
            let prefix = if by_uid { "UID " } else { "" };
            let flag = ["\\Seen", "\\Deleted", "\\Deleted", "Work"][dice.below(4) as usize];
            let item = ["+FLAGS", "-FLAGS", "FLAGS"][dice.below(3) as usize];
            // With `.SILENT` a client knows by itself what it did, where all was done.
            let command = match dice.below(9) {
                0 | 1 => format!("{prefix}STORE {set} {item} ({flag})"),
                2 => format!("{prefix}STORE {set} (UNCHANGEDSINCE {}) {item} ({flag})", dice.below(60)),
                3 => format!("{prefix}COPY {set} INBOX"),
                4 => format!("{prefix}MOVE {set} {}", ["Old", "INBOX"][dice.below(2) as usize]),
                5 => "EXPUNGE".into(),
                6 => "APPEND INBOX (\\Flagged) {4+}\r\ntext".into(),
                7 => format!("{prefix}FETCH {set} (UID FLAGS)"),
                _ => format!("{prefix}SEARCH ALL"),
            };
            let said = talk.say(number, &command);
            assert!(!said.contains("BAD"), "{command}: {said}");
            let numbered = !by_uid && ["STORE", "FETCH", "SEARCH"].iter().any(|w| command.starts_with(w));
            assert!(
                !numbered || !(said.contains("EXPUNGE\r") || said.contains("VANISHED")),
                "{command}: {said}"
            );
            ear.hear(&said);
            server.assert_sound();
        }
        let truth: Vec<(u32, Vec<String>)> = server.audit().mailboxes["INBOX"]
            .messages
            .iter()
            .map(|m| (m.uid, m.flags.iter().cloned().collect()))
            .collect();
        for (ear, number) in ears.iter_mut().zip(1..) {
            ear.hear(&talk.say(number, "NOOP"));
            // What came since is not known by its UID and flags yet, but for those that were told.
            let said = talk.say(number, "FETCH 1:* (UID FLAGS)");
            let known: Vec<_> =
                ear.messages.iter().filter(|m| m.0 != 0 && !m.1.is_empty()).cloned().collect();
            assert!(known.iter().all(|m| truth.contains(m)), "seed {seed}: {known:?} are of {truth:?}");
            assert_eq!(ear.messages.len(), truth.len(), "seed {seed}, session {number}");
            ear.hear(&said);
            assert_eq!(ear.messages, truth, "seed {seed}, session {number}");
        }
    }
}
