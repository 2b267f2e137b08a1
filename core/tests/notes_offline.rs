//! What servers have been seen to do to work that was done offline: the catalogue's notes on writing.

mod support;

use mailkeep::{Draft, FlagChange, MessageId, OperationState, Role};
use support::model::{FULL, Fault};
use support::{FarSide, Host, Mail, ModelServer, mail, quirks};

both! {
    note_14_the_servers_own_copy_of_what_was_sent_is_taken_for_it,
    note_20_what_was_moved_and_then_deleted_offline_reaches_the_server,
    note_21_an_operation_that_is_refused_for_good_stops_no_other,
    note_22_others_deleted_mail_is_never_expunged,
    note_23_an_append_without_an_answer_is_looked_for_before_it_is_sent_again,
    note_23_two_drafts_alike_are_two,
    note_68_nothing_is_done_by_uid_before_the_numbers_are_read,
    note_72_what_is_appended_comes_back_as_it_was_kept,
    note_16_a_move_that_is_offered_and_fails_is_made_by_copying,
}

/// Capability sets from nothing to everything.
const SETS: &[&str] =
    &["IMAP4rev1", "IMAP4rev1 UIDPLUS", "IMAP4rev1 CONDSTORE ENABLE UIDPLUS MOVE LITERAL+", FULL];

fn synced<S: FarSide>(capabilities: &str) -> (S, Host) {
    let server = S::with_capabilities(capabilities);
    server.create_as("Trash", Some("\\Trash"));
    server.create_as("Sent", Some("\\Sent"));
    server.create("Lists");
    for n in 1..=4 {
        server.deliver("INBOX", mail(n));
    }
    let mut host = Host::new(&server);
    host.label = capabilities.to_owned();
    host.sync_all();
    host.drop_connection();
    server.take_log();
    (server, host)
}

fn id(host: &Host, mailbox: &str, uid: u32) -> MessageId {
    MessageId(host.snapshot().mailbox(mailbox).uid(uid).id)
}

fn there<S: FarSide>(server: &S, mailbox: &str) -> usize {
    let audit = server.audit();
    audit.mailboxes[mailbox].messages.iter().filter(|m| !m.flags.contains("\\Deleted")).count()
}

#[track_caller]
fn nothing_pending(host: &Host) {
    let pending = host.engine.pending(None).expect("the journal");
    assert!(pending.is_empty(), "{}: {pending:#?}\n{}", host.label, host.said());
}

fn set_aside(host: &Host) -> Vec<String> {
    let all = host.engine.pending(None).expect("the journal");
    all.into_iter()
        .filter_map(|o| match o.state {
            OperationState::SetAside { reason } => Some(reason),
            _ => None,
        })
        .collect()
}

fn note_14_the_servers_own_copy_of_what_was_sent_is_taken_for_it<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        let sent = host.mailbox("Sent");
        let raw = String::from_utf8(mail(40)).expect("ASCII");
        let ours = host.engine.append(host.now, sent, Draft::new(raw.clone()).flag("\\Seen")).expect("kept");
        // It went out by SMTP, and the server filed it under a Message-ID of its own.
        let filed = raw.replace("<m40@example.org>", "<made-up@server.example>");
        assert_ne!(filed, raw);
        server.deliver_with("Sent", filed.into_bytes(), &["\\Seen"], None);
        // The server's copy is met before ours is sent: Sent is looked at first.
        host.sync_all();
        host.sync_all();
        nothing_pending(&host);
        assert_eq!(there(&server, "Sent"), 1, "{set}\n{}", host.said());
        assert_eq!(host.engine.message(ours).expect("here").row.mailbox, sent, "{set}");
    }
}

fn note_20_what_was_moved_and_then_deleted_offline_reaches_the_server<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        let one = id(&host, "INBOX", 1);
        host.engine.move_messages(host.now, &[one], host.mailbox("Lists")).expect("moved");
        host.engine.delete_messages(host.now, &[one]).expect("deleted");
        host.sync_all();
        assert_eq!(
            (there(&server, "INBOX"), there(&server, "Lists"), there(&server, "Trash")),
            (3, 0, 1),
            "{set}"
        );
        host.engine.delete_messages(host.now, &[one]).expect("deleted for good");
        host.sync_all();
        host.sync_all();
        assert_eq!((there(&server, "INBOX"), there(&server, "Trash")), (3, 0), "{set}\n{}", host.said());
        nothing_pending(&host);
    }
}

fn note_21_an_operation_that_is_refused_for_good_stops_no_other<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        let (one, two, three) = (id(&host, "INBOX", 1), id(&host, "INBOX", 2), id(&host, "INBOX", 3));
        host.engine.append(host.now, host.mailbox("Lists"), Draft::new(mail(50))).expect("appended");
        host.engine.move_messages(host.now, &[one], host.mailbox("Lists")).expect("moved");
        host.engine.set_flags(host.now, &[two], &FlagChange::default().set("poison")).expect("set");
        host.engine.set_flags(host.now, &[three], &FlagChange::default().set("\\Flagged")).expect("set");
        server.fault("APPEND", 1, Fault::no("TOOBIG"));
        server.fault("STORE", 1, Fault::bad());
        host.sync_all();
        host.sync_all();
        let reasons = set_aside(&host);
        assert_eq!(reasons.len(), 2, "{set}: {:#?}\n{}", host.engine.pending(None), host.said());
        assert_eq!(host.engine.pending(None).expect("the journal").len(), 2, "{set}: the others are done");
        assert_eq!(there(&server, "Lists"), 1, "{set}");
        // Tried again by hand, with the cause gone.
        for operation in host.engine.pending(None).expect("the journal") {
            host.engine.retry_operation(host.now, operation.id).expect("tried again");
        }
        host.sync_all();
        host.sync_all();
        nothing_pending(&host);
        assert_eq!(there(&server, "Lists"), 2, "{set}");
    }
}

fn note_22_others_deleted_mail_is_never_expunged<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        // Another client is not done with what it has marked.
        server.set_flags("INBOX", 4, &["\\Deleted"]);
        let (one, two) = (id(&host, "INBOX", 1), id(&host, "INBOX", 2));
        host.engine.move_messages(host.now, &[one], host.mailbox("Lists")).expect("moved");
        host.engine.expunge_messages(host.now, &[two]).expect("deleted");
        host.sync_all();
        let log = server.take_log();
        assert!(!log.iter().any(|c| c == "EXPUNGE" || c == "CLOSE"), "{set}: {log:?}");
        let left: Vec<u32> = server.audit().mailboxes["INBOX"].messages.iter().map(|m| m.uid).collect();
        assert!(left.contains(&4), "{set}: {left:?}");
        assert_eq!(there(&server, "Lists"), 1, "{set}");
        assert_eq!(host.engine.mailbox(host.inbox()).expect("here").total, 2, "{set}: three and four");
    }
}

fn note_23_an_append_without_an_answer_is_looked_for_before_it_is_sent_again<S: FarSide>() {
    for set in SETS {
        for fault in [Fault::CutAfter, Fault::CutBeforeAnswer, Fault::CutBefore] {
            let (server, mut host) = synced::<S>(set);
            let draft =
                host.engine.append(host.now, host.mailbox("Lists"), Draft::new(mail(60))).expect("kept");
            server.fault("APPEND", 1, fault.clone());
            host.sync_all();
            host.sync_all();
            nothing_pending(&host);
            assert_eq!(there(&server, "Lists"), 1, "{set} {fault:?}\n{}", host.said());
            let rows = host.engine.messages(host.mailbox("Lists"), None, 10).expect("a page").rows;
            assert_eq!(rows.iter().map(|r| r.id).collect::<Vec<_>>(), [draft], "{set} {fault:?}");
        }
    }
}

fn note_23_two_drafts_alike_are_two<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        let lists = host.mailbox("Lists");
        for _ in 0..2 {
            host.engine.append(host.now, lists, Draft::new(mail(60))).expect("kept");
        }
        server.fault("APPEND", 2, Fault::CutAfter);
        host.sync_all();
        host.sync_all();
        nothing_pending(&host);
        assert_eq!(there(&server, "Lists"), 2, "{set}\n{}", host.said());
        assert_eq!(host.engine.mailbox(lists).expect("here").total, 2, "{set}");
    }
}

#[test]
fn note_53_codes_that_nobody_asked_for_place_nothing() {
    for line in [
        "* OK [COPYUID 1103 1 77] surely\r\n",
        "* OK [APPENDUID 1103 77] surely\r\n",
        "* OK [COPYUID 1103 1:4294967295 1:4294967295] surely\r\n",
        "* OK [COPYUID 1103 1:2 77] surely\r\n",
    ] {
        let (server, mut host) = synced::<ModelServer>(FULL);
        let (one, two) = (id(&host, "INBOX", 1), id(&host, "INBOX", 2));
        server.quirk(move |command, answer| {
            let told = [line.as_bytes(), &answer].concat();
            if command.contains("STORE") || command.contains("SELECT") { told } else { answer }
        });
        host.engine.set_flags(host.now, &[two], &FlagChange::default().set("\\Flagged")).expect("set");
        host.sync_all();
        host.engine.move_messages(host.now, &[one], host.mailbox("Lists")).expect("moved");
        server.quirk(move |command, answer| {
            // Of a message that the MOVE did not name, and in numbers that do not match.
            if command.contains("MOVE") {
                let answer = quirks::replace(answer, "COPYUID 1103 1 1]", "COPYUID 1103 2 1]");
                [line.as_bytes(), &answer].concat()
            } else {
                answer
            }
        });
        host.sync_all();
        server.behave();
        host.sync_all();
        host.sync_all();
        nothing_pending(&host);
        host.assert_in_step();
        assert_eq!(id(&host, "Lists", 1), one, "{line}");
        assert_eq!(id(&host, "INBOX", 2), two, "{line}");
    }
}

fn note_68_nothing_is_done_by_uid_before_the_numbers_are_read<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        let two = id(&host, "INBOX", 2);
        host.engine.move_messages(host.now, &[two], host.mailbox("Lists")).expect("moved");
        // The mailbox is made anew, with other mail under the same numbers.
        server.reset_uid_validity("INBOX");
        server.shuffle_uids("INBOX", 7);
        let before = host.engine.message(two).expect("here").row.summary.subject;
        host.sync_all();
        host.sync_all();
        host.sync_all();
        let moved: Vec<String> = server.audit().mailboxes["Lists"]
            .messages
            .iter()
            .map(|m| {
                String::from_utf8_lossy(&m.raw)
                    .lines()
                    .find(|l| l.starts_with("Subject"))
                    .unwrap_or("")
                    .to_owned()
            })
            .collect();
        assert!(
            moved.is_empty() || moved == [format!("Subject: {before}")],
            "{set}: another message was moved: {moved:?}\n{}",
            host.said()
        );
        nothing_pending(&host);
    }
}

#[test]
fn note_68_one_flight_opens_and_looks_and_the_next_acts() {
    let (server, mut host) = synced::<ModelServer>(FULL);
    let two = id(&host, "INBOX", 2);
    host.engine.move_messages(host.now, &[two], host.mailbox("Lists")).expect("moved");
    // Another message of another size stands under the number: the UIDVALIDITY is the same, and it is not touched.
    server.change().mailbox("INBOX").held[1].raw = std::rc::Rc::new(Mail::new(90).attachment(500).build());
    host.sync_all();
    assert_eq!(there(&server, "Lists"), 0, "{}", host.said());
    assert_eq!(set_aside(&host).len(), 1);
}

#[test]
fn note_71_ok_is_not_success() {
    let (server, mut host) = synced::<ModelServer>(FULL);
    let one = id(&host, "INBOX", 1);
    server.change().manners.ignores_read_only_store = true;
    server.quirk(|command, answer| {
        // The mailbox is read-only and does not say so, and STORE is answered OK.
        if command.contains("STORE") && answer.starts_with(b"*") { Vec::new() } else { answer }
    });
    server.change().mailbox("INBOX").rights = "lr".into();
    host.engine.set_flags(host.now, &[one], &FlagChange::default().set("\\Flagged")).expect("set");
    host.sync_all();
    assert_eq!(set_aside(&host).len(), 1, "{:?}\n{}", host.engine.pending(None), host.said());
    assert!(!host.snapshot().mailbox("INBOX").uid(1).flags.contains(&"\\Flagged".to_owned()));
    assert_eq!(host.engine.mailboxes(host.account).expect("all")[0].role, Some(Role::Inbox));
}

#[test]
fn note_71_keywords_that_the_server_does_not_keep() {
    use support::model::Keywords;
    let (server, mut host) = synced::<ModelServer>(FULL);
    let one = id(&host, "INBOX", 1);
    server.change().manners.keywords = Keywords::None;
    host.engine.set_flags(host.now, &[one], &FlagChange::default().set("todo")).expect("set");
    host.engine
        .set_flags(host.now, &[id(&host, "INBOX", 2)], &FlagChange::default().set("\\Seen"))
        .expect("set");
    host.sync_all();
    assert_eq!(set_aside(&host).len(), 1, "{:?}\n{}", host.engine.pending(None), host.said());
    assert_eq!(host.engine.pending(None).expect("the journal").len(), 1);
}

fn note_72_what_is_appended_comes_back_as_it_was_kept<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        // Lone line ends would be made whole by the server; they are so before it is sent.
        let raw = String::from_utf8(mail(61)).expect("ASCII").replace("\r\n", "\n");
        let kept = host.engine.append(host.now, host.mailbox("Lists"), Draft::new(raw)).expect("kept");
        let ours = host.engine.body(kept, 0, u64::MAX).expect("here").expect("whole");
        host.sync_all();
        host.sync_all();
        nothing_pending(&host);
        let theirs = server.audit().mailboxes["Lists"].messages[0].raw.clone();
        assert_eq!(ours, *theirs, "{set}");
        assert_eq!(host.engine.mailbox(host.mailbox("Lists")).expect("here").total, 1);
    }
}

fn note_16_a_move_that_is_offered_and_fails_is_made_by_copying<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let (one, two) = (id(&host, "INBOX", 1), id(&host, "INBOX", 2));
    // It fails each time.
    for nth in 1..=10 {
        server.fault("MOVE", nth, Fault::Answer("NO it does not work".into()));
    }
    host.engine.move_messages(host.now, &[one, two], host.mailbox("Lists")).expect("moved");
    host.sync_all();
    host.sync_all();
    nothing_pending(&host);
    assert_eq!((there(&server, "INBOX"), there(&server, "Lists")), (2, 2), "{}", host.said());
    host.assert_in_step();
}

#[test]
fn note_68_a_move_that_is_refused_may_have_moved_some() {
    for set in SETS.iter().filter(|s| s.contains("MOVE") || s.contains("UIDPLUS")) {
        for code in ["LIMIT", "CANNOT"] {
            let (server, mut host) = synced::<ModelServer>(set);
            let all: Vec<_> = (1..=4).map(|uid| id(&host, "INBOX", uid)).collect();
            server.fault("MOVE", 1, Fault::partly(2, code));
            host.engine.move_messages(host.now, &all, host.mailbox("Lists")).expect("moved");
            host.sync_all();
            host.sync_all();
            host.sync_all();
            nothing_pending(&host);
            assert_eq!(
                (there(&server, "INBOX"), there(&server, "Lists")),
                (0, 4),
                "{set} {code}\n{}",
                host.said()
            );
            host.assert_in_step();
        }
    }
}
