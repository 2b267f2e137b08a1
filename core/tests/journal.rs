//! What is done offline: shown at once, and on the server once after the next sync.

mod support;

use mailkeep::flags::Flags;
use mailkeep::{Draft, FlagChange, MessageId, NewMailbox, OperationState, Role, SyncScope};
use support::model::{FULL, Fault};
use support::{FarSide, Host, Mail, ModelServer, mail};

both! {
    flags_set_offline_are_seen_at_once_and_reach_the_server,
    a_move_offline_is_a_move_on_the_server_and_the_message_keeps_its_id,
    move_move_and_delete_are_one_delete,
    a_message_from_this_device_is_sent_once,
    a_draft_saved_often_is_there_once,
    a_copy_is_made_on_the_server_and_downloaded_by_nobody,
    a_message_moves_into_a_mailbox_that_was_made_offline,
    mailboxes_are_renamed_and_deleted_with_what_is_below_them,
    a_local_mailbox_takes_messages_down_and_gives_them_back,
    deleting_makes_a_trash_where_there_is_none,
    what_waits_can_be_taken_back,
}

/// Capability sets from nothing to everything.
const SETS: &[&str] = &[
    "IMAP4rev1",
    "IMAP4rev1 UIDPLUS",
    "IMAP4rev1 MOVE",
    "IMAP4rev1 UIDPLUS MOVE LITERAL+",
    "IMAP4rev1 CONDSTORE ENABLE UIDPLUS LITERAL-",
    "IMAP4rev1 CONDSTORE ENABLE QRESYNC UIDPLUS MOVE LIST-EXTENDED LIST-STATUS",
    FULL,
];

fn synced<S: FarSide>(capabilities: &str) -> (S, Host) {
    let server = S::with_capabilities(capabilities);
    server.create_as("Trash", Some("\\Trash"));
    server.create("Lists");
    for n in 1..=6 {
        server.deliver("INBOX", mail(n));
    }
    let mut host = Host::new(&server);
    host.label = capabilities.to_owned();
    host.sync_all();
    host.assert_in_step();
    host.drop_connection();
    server.take_log();
    server.take_body_octets();
    (server, host)
}

fn id(host: &Host, mailbox: &str, uid: u32) -> MessageId {
    MessageId(host.snapshot().mailbox(mailbox).uid(uid).id)
}

fn shown(host: &Host, mailbox: &str) -> Vec<MessageId> {
    let mut ids: Vec<_> = host
        .engine
        .messages(host.mailbox(mailbox), None, 100)
        .expect("a page")
        .rows
        .iter()
        .map(|r| r.id)
        .collect();
    ids.sort();
    ids
}

/// Another client expunges what bears `\Deleted`: what a server without UIDPLUS is left with.
fn purge<S: FarSide>(server: &S, mailbox: &str) {
    let all = server.audit().mailboxes[mailbox].messages.clone();
    let uids: Vec<u32> = all.iter().filter(|m| m.flags.contains("\\Deleted")).map(|m| m.uid).collect();
    server.expunge(mailbox, &uids);
}

/// Syncs until nothing is pending, and everything agrees.
#[track_caller]
fn settle<S: FarSide>(host: &mut Host, server: &S) {
    host.sync_all();
    host.sync_all();
    let pending = host.engine.pending(None).expect("the journal");
    assert!(pending.is_empty(), "{}: {pending:#?}\n{}", host.label, host.said());
    host.assert_in_step();
    let report = host.engine.verify().expect("it can be read");
    assert_eq!(report.problems, Vec::<String>::new(), "{}", host.label);
    server.assert_sound();
}

fn flags_set_offline_are_seen_at_once_and_reach_the_server<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        let (one, two) = (id(&host, "INBOX", 1), id(&host, "INBOX", 2));
        let seen = FlagChange::default().set("\\Seen").set("todo");
        assert_eq!(host.engine.set_flags(host.now, &[one, two], &seen).expect("set"), 2);
        let row = host.engine.message(one).expect("it is here").row;
        assert!(row.flags.flags.contains(Flags::SEEN) && row.pending, "{set}");
        assert_eq!(row.flags.keywords(), ["todo"]);
        assert_eq!(host.engine.mailbox(host.inbox()).expect("INBOX").unseen, 4, "{set}");
        assert_eq!(host.engine.pending(None).expect("the journal").len(), 2);
        // The last action wins.
        host.engine
            .set_flags(host.now, &[two], &FlagChange::default().clear("\\Seen").clear("TODO"))
            .expect("set");
        assert_eq!(host.engine.pending(None).expect("the journal").len(), 1, "{set}: nothing is left to do");
        let summary = host.sync_all();
        assert_eq!(summary.operations_replayed, 1, "{set}");
        settle(&mut host, &server);
        let flags = &server.audit().mailboxes["INBOX"].messages[0].flags;
        assert!(flags.contains("\\Seen") && flags.contains("todo"), "{set}: {flags:?}");
    }
}

fn a_move_offline_is_a_move_on_the_server_and_the_message_keeps_its_id<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        let one = id(&host, "INBOX", 1);
        host.engine.move_messages(host.now, &[one], host.mailbox("Lists")).expect("moved");
        assert_eq!(shown(&host, "Lists"), [one], "{set}");
        assert!(!shown(&host, "INBOX").contains(&one), "{set}");
        host.sync_all();
        assert_eq!(server.audit().mailboxes["Lists"].messages.len(), 1, "{set}\n{}", host.said());
        assert_eq!(shown(&host, "Lists"), [one], "{set}\n{}", host.said());
        let in_inbox = if set.contains("UIDPLUS") || set.contains("MOVE") { 5 } else { 6 };
        let inbox = server.audit().mailboxes["INBOX"].messages.clone();
        assert_eq!(inbox.len(), in_inbox, "{set}\n{}", host.said());
        if in_inbox == 6 {
            assert!(inbox[0].flags.contains("\\Deleted"), "{set}");
            assert_eq!(shown(&host, "INBOX").len(), 5, "{set}: what waits to be expunged is not shown");
            purge(&server, "INBOX");
        }
        settle(&mut host, &server);
        assert_eq!(shown(&host, "Lists"), [one], "{set}");
        assert_eq!(server.take_body_octets(), 0, "{set}: nothing is downloaded again");
    }
}

fn move_move_and_delete_are_one_delete<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        let one = id(&host, "INBOX", 1);
        host.engine.move_messages(host.now, &[one], host.mailbox("Lists")).expect("moved");
        host.engine.delete_messages(host.now, &[one]).expect("deleted");
        assert_eq!(shown(&host, "Trash"), [one], "{set}");
        host.engine.delete_messages(host.now, &[one]).expect("deleted for good");
        assert_eq!(host.engine.pending(None).expect("the journal").len(), 1, "{set}");
        host.sync_all();
        let log = server.take_log();
        assert!(!log.iter().any(|c| c.contains("MOVE") || c.contains("COPY")), "{set}: {log:?}");
        assert!(server.audit().mailboxes["Lists"].messages.is_empty());
        purge(&server, "INBOX");
        settle(&mut host, &server);
        assert_eq!(shown(&host, "INBOX").len(), 5, "{set}");
    }
}

fn a_message_from_this_device_is_sent_once<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        let draft = Draft::new(mail(40)).flag("\\Seen").flag("\\Draft");
        let id = host.engine.append(host.now, host.mailbox("Lists"), draft).expect("appended");
        assert_eq!(shown(&host, "Lists"), [id], "{set}");
        assert!(host.engine.body(id, 0, 1000).expect("here").is_some());
        settle(&mut host, &server);
        assert_eq!(shown(&host, "Lists"), [id], "{set}\n{}", host.said());
        let there = server.audit().mailboxes["Lists"].messages.clone();
        assert_eq!(there.len(), 1, "{set}");
        assert!(there[0].flags.contains("\\Seen") && there[0].flags.contains("\\Draft"), "{set}");
        assert_eq!(server.take_body_octets(), 0, "{set}");
    }
}

fn a_draft_saved_often_is_there_once<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        let lists = host.mailbox("Lists");
        let mut id = host.engine.append(host.now, lists, Draft::new(mail(40))).expect("appended");
        for n in 41..44 {
            id = host.engine.replace_draft(host.now, id, Draft::new(mail(n))).expect("saved");
            if n == 42 {
                host.sync_all();
            }
        }
        assert_eq!(shown(&host, "Lists"), [id], "{set}");
        host.sync_all();
        let there = &server.audit().mailboxes["Lists"].messages;
        let live: Vec<_> =
            there.iter().filter(|m| !m.flags.contains("\\Deleted")).map(|m| m.token.clone()).collect();
        assert_eq!(live.len(), 1, "{set}: {live:?}\n{}", host.said());
        purge(&server, "Lists");
        settle(&mut host, &server);
        assert_eq!(shown(&host, "Lists"), [id], "{set}");
    }
}

fn a_copy_is_made_on_the_server_and_downloaded_by_nobody<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        let one = id(&host, "INBOX", 1);
        let copies = host.engine.copy_messages(host.now, &[one], host.mailbox("Lists")).expect("copied");
        assert_eq!(shown(&host, "Lists"), copies, "{set}");
        settle(&mut host, &server);
        assert_eq!(shown(&host, "Lists"), copies, "{set}\n{}", host.said());
        assert_eq!(server.audit().mailboxes["Lists"].messages.len(), 1, "{set}");
        assert_eq!(server.take_body_octets(), 0, "{set}");
    }
}

fn a_message_moves_into_a_mailbox_that_was_made_offline<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        let one = id(&host, "INBOX", 1);
        let new =
            host.engine.create_mailbox(host.now, host.account, NewMailbox::named("Grüße")).expect("made");
        host.engine.move_messages(host.now, &[one], new).expect("moved");
        host.engine.subscribe(host.now, new, true).expect("subscribed");
        host.engine.rename_mailbox(host.now, new, "Wünsche").expect("renamed");
        host.sync_all();
        purge(&server, "INBOX");
        settle(&mut host, &server);
        assert_eq!(shown(&host, "Wünsche"), [one], "{set}\n{}", host.said());
        assert_eq!(server.audit().mailboxes["W&APw-nsche"].messages.len(), 1, "{set}");
    }
}

fn mailboxes_are_renamed_and_deleted_with_what_is_below_them<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        server.create("Lists/a");
        server.deliver("Lists/a", mail(50));
        server.deliver("Lists", mail(51));
        host.sync_all();
        host.engine.rename_mailbox(host.now, host.mailbox("Lists"), "Old").expect("renamed");
        let names: Vec<_> =
            host.engine.mailboxes(host.account).expect("all").into_iter().map(|m| m.name).collect();
        assert!(names.contains(&"Old/a".to_owned()), "{set}: {names:?}");
        let inside = shown(&host, "Old/a");
        settle(&mut host, &server);
        assert_eq!(shown(&host, "Old/a"), inside, "{set}");
        host.engine.delete_mailbox(host.now, host.mailbox("Old/a")).expect("deleted");
        settle(&mut host, &server);
        assert!(!server.audit().mailboxes.contains_key("Old/a"), "{set}");
    }
}

fn a_local_mailbox_takes_messages_down_and_gives_them_back<S: FarSide>() {
    for set in SETS {
        let (server, mut host) = synced::<S>(set);
        let local = host
            .engine
            .create_mailbox(host.now, host.account, NewMailbox::named("Attic").local())
            .expect("made");
        let (one, two) = (id(&host, "INBOX", 1), id(&host, "INBOX", 2));
        let raw = host.engine.body(one, 0, u64::MAX).expect("here");
        host.engine.set_flags(host.now, &[one], &FlagChange::default().set("\\Flagged")).expect("flagged");
        host.engine.move_messages(host.now, &[one, two], local).expect("moved");
        host.sync_all();
        purge(&server, "INBOX");
        settle(&mut host, &server);
        assert_eq!(shown(&host, "Attic"), [one, two], "{set}");
        assert_eq!(server.audit().mailboxes["INBOX"].messages.len(), 4, "{set}");
        assert_eq!(host.engine.body(one, 0, u64::MAX).expect("here"), raw, "{set}");
        host.engine.move_messages(host.now, &[one], host.inbox()).expect("moved back");
        settle(&mut host, &server);
        assert!(shown(&host, "INBOX").contains(&one), "{set}\n{}", host.said());
        let back = server.audit().mailboxes["INBOX"].messages.last().cloned().expect("it is there");
        assert!(back.flags.contains("\\Flagged"), "{set}: {:?}", back.flags);
    }
}

fn deleting_makes_a_trash_where_there_is_none<S: FarSide>() {
    let server = S::with_capabilities(FULL);
    server.deliver("INBOX", mail(1));
    let mut host = Host::new(&server);
    host.sync_all();
    let one = id(&host, "INBOX", 1);
    host.engine.delete_messages(host.now, &[one]).expect("deleted");
    settle(&mut host, &server);
    let all = host.engine.mailboxes(host.account).expect("all");
    let trash = all.iter().find(|m| m.role == Some(Role::Trash)).expect("a Trash");
    assert_eq!(shown(&host, &trash.name.clone()), [one]);
}

fn what_waits_can_be_taken_back<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let (one, two) = (id(&host, "INBOX", 1), id(&host, "INBOX", 2));
    let lists = host.mailbox("Lists");
    let before = host.snapshot();
    host.engine.move_messages(host.now, &[one], lists).expect("moved");
    host.engine.set_flags(host.now, &[two], &FlagChange::default().set("\\Flagged")).expect("flagged");
    host.engine.append(host.now, lists, Draft::new(mail(60))).expect("appended");
    host.engine.copy_messages(host.now, &[two], lists).expect("copied");
    host.engine.create_mailbox(host.now, host.account, NewMailbox::named("New")).expect("made");
    host.engine.rename_mailbox(host.now, lists, "Other").expect("renamed");
    for operation in host.engine.pending(None).expect("the journal") {
        assert_eq!(operation.state, OperationState::Waiting);
        host.engine.cancel_operation(host.now, operation.id).expect("taken back");
    }
    assert_eq!(host.snapshot(), before);
    settle(&mut host, &server);
}

/// RFC 7889: what a server takes no message of is not sent to it, not even its first octet.
#[test]
fn a_message_larger_than_what_is_taken_is_not_sent() {
    for (capabilities, by_mailbox) in
        [("APPENDLIMIT=1000", None), ("APPENDLIMIT", Some(1000)), ("APPENDLIMIT", None)]
    {
        let server = ModelServer::with_capabilities(&format!("IMAP4rev1 LITERAL+ UIDPLUS {capabilities}"));
        server.change().manners.append_limit = by_mailbox;
        let mut host = Host::new(&server);
        host.sync_all();
        let inbox = host.inbox();
        let long = Mail::new(2).attachment(2_000).build();
        host.engine.append(host.now, inbox, Draft::new(mail(1))).expect("here");
        host.engine.append(host.now, inbox, Draft::new(long)).expect("here");
        let _ = server.take_log();
        host.sync_all();
        let pending = host.engine.pending(None).expect("the journal");
        let appends = server.take_log().iter().filter(|line| line.contains("APPEND INBOX")).count();
        if capabilities == "APPENDLIMIT" && by_mailbox.is_none() {
            // NIL: there is no limit.
            assert_eq!((pending.len(), appends), (0, 2), "{capabilities}");
            continue;
        }
        assert_eq!(appends, 1, "{capabilities}: what is short enough goes");
        let [operation] = &pending[..] else { panic!("{capabilities}: {pending:?}") };
        let OperationState::SetAside { reason } = &operation.state else { panic!("{operation:?}") };
        assert!(reason.contains("1000 at most"), "{reason}");
    }
}

/// RFC 3516 §4.4: a NUL goes as literal8 where the server takes it, and nowhere else.
#[test]
fn a_message_with_a_nul_is_sent_where_that_is_possible() {
    for (capabilities, goes) in [("BINARY", true), ("", false)] {
        let server = ModelServer::with_capabilities(&format!("IMAP4rev1 LITERAL+ UIDPLUS {capabilities}"));
        let mut host = Host::new(&server);
        host.sync_all();
        let mut raw = mail(1);
        raw.extend_from_slice(b"a NUL: \0\r\n");
        let inbox = host.inbox();
        host.engine.append(host.now, inbox, Draft::new(raw)).expect("here");
        let _ = server.take_log();
        host.sync_all();
        let appends = server.take_log().iter().filter(|line| line.contains("APPEND INBOX")).count();
        let pending = host.engine.pending(None).expect("the journal");
        if goes {
            assert_eq!((appends, pending.len()), (1, 0), "{}", host.said());
            host.assert_in_step();
            continue;
        }
        assert_eq!(appends, 0);
        let [operation] = &pending[..] else { panic!("{pending:?}") };
        let OperationState::SetAside { reason } = &operation.state else { panic!("{operation:?}") };
        assert!(reason.contains("NUL"), "{reason}");
    }
}

/// RFC 3502: all or none. What is refused together goes again, each by itself; what was cut is looked for.
#[test]
fn messages_are_sent_together_where_the_server_takes_several() {
    let faults =
        [None, Some(Fault::no("TOOBIG")), Some(Fault::bad()), Some(Fault::CutAfter), Some(Fault::CutBefore)];
    for (set, several) in
        [("IMAP4rev1 UIDPLUS", false), ("IMAP4rev1 UIDPLUS MULTIAPPEND", true), (FULL, true)]
    {
        for fault in &faults {
            let (server, mut host) = synced::<ModelServer>(set);
            let all: Vec<MessageId> = (20..25)
                .map(|n| {
                    let draft = Draft::new(mail(n)).flag("\\Seen");
                    host.engine.append(host.now, host.mailbox("Lists"), draft).expect("appended")
                })
                .collect();
            let context = format!("{set}, {fault:?}");
            server.take_log();
            if let Some(fault) = fault {
                server.fault("APPEND", 1, fault.clone());
            }
            for _ in 0..2 {
                let request = host.connect().sync(SyncScope::account());
                let _ = host.run_request(request);
                host.drop_connection();
            }
            let sent = server.take_log().iter().filter(|line| line.starts_with("APPEND")).count();
            let log = host.said();
            match fault {
                None => assert_eq!(sent, if several { 1 } else { 5 }, "{context}\n{log}"),
                Some(Fault::CutAfter) if several => assert_eq!(sent, 1, "{context}\n{log}"),
                Some(Fault::CutBefore) if several => assert_eq!(sent, 2, "{context}\n{log}"),
                // Once together, and then each.
                Some(_) if several => assert_eq!(sent, 6, "{context}\n{log}"),
                Some(_) => {}
            }
            let refused = matches!(fault, Some(Fault::Answer(_))) && !several;
            let there = &server.audit().mailboxes["Lists"].messages;
            for (at, (n, id)) in (20..25).zip(&all).enumerate() {
                let found: Vec<_> = there.iter().filter(|m| *m.raw == mail(n)).collect();
                let expected = usize::from(!(refused && at == 0));
                assert_eq!(found.len(), expected, "{context}: message {n}\n{log}");
                assert!(found.iter().all(|m| m.flags.contains("\\Seen")), "{context}");
                assert_eq!(host.engine.message(*id).expect("it is here").row.uid > 0, expected == 1);
            }
        }
    }
}

/// Courier's and others' servers keep a user's mailboxes below INBOX, and refuse names beside it (RFC 2342).
#[test]
fn what_is_made_here_is_made_where_the_server_keeps_the_users_mailboxes() {
    for (told, made) in
        [("((\"INBOX.\" \".\"))", "INBOX.Trash"), ("((\"\" \"/\"))", "Trash"), ("NIL", "Trash")]
    {
        let server = ModelServer::with_capabilities("IMAP4rev1 UIDPLUS NAMESPACE");
        server.deliver("INBOX", mail(1));
        let line = format!("* NAMESPACE {told} NIL NIL");
        server.quirk(move |_, octets| {
            let text = String::from_utf8_lossy(&octets);
            text.replace("* NAMESPACE ((\"\" \"/\")) NIL NIL", &line).into_bytes()
        });
        let mut host = Host::new(&server);
        host.sync_all();
        let namespace = host.engine.accounts().expect("accounts")[0].namespace.clone();
        assert_eq!(namespace.map(|n| n.prefix), (told != "NIL").then(|| made.replace("Trash", "")), "{told}");
        host.engine.delete_messages(host.now, &[id(&host, "INBOX", 1)]).expect("deleted");
        host.sync_all();
        assert!(server.audit().mailboxes.contains_key(made), "{told}: {:?}", server.audit().mailboxes.keys());
        let asked = server.take_log().iter().filter(|line| line.starts_with("NAMESPACE")).count();
        // What was told once is known; who tells nothing is asked again.
        assert_eq!(asked, if told == "NIL" { 2 } else { 1 }, "{told}\n{}", host.said());
    }
}
