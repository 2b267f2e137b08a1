//! What simulations brought to light about the journal and the list of mailboxes: each was once done wrong.

mod support;

use mailkeep::{
    Draft, FlagChange, MailboxId, MessageId, NewMailbox, Operation, OperationKind, OperationState, SyncScope,
};
use support::model::{FULL, Fault};
use support::{FarSide, Host, ModelServer, mail};

both! {
    a_renamed_mailbox_is_known_again_where_the_list_came_without_numbers,
    a_mailbox_that_is_to_have_the_name_that_it_has_is_not_renamed,
    a_draft_that_is_replaced_on_its_way_waits_for_the_newer_version,
    a_draft_that_was_replaced_on_its_way_stays_when_that_is_taken_back,
    a_copy_that_may_have_been_made_is_looked_for_when_the_original_is_numbered_anew,
    nothing_is_left_of_a_mailbox_whose_making_was_taken_back,
    what_two_refused_moves_left_is_still_there,
    a_question_that_is_refused_says_nothing_of_what_a_move_left,
    a_mailbox_made_anew_under_the_name_of_one_deleted_on_both_sides_is_seen,
    what_is_moved_is_marked_as_deleted_no_longer,
    a_move_whose_source_is_numbered_anew_is_done_where_its_message_has_arrived,
    what_a_move_left_behind_is_not_what_came_back,
}

fn synced<S: FarSide>(capabilities: &str) -> (S, Host) {
    let server = S::with_capabilities(capabilities);
    for name in ["Lists", "Work"] {
        server.create(name);
        server.deliver(name, mail(7));
    }
    for n in 1..=3 {
        server.deliver("INBOX", mail(n));
    }
    let mut host = Host::new(&server);
    host.label = capabilities.to_owned();
    host.sync_all();
    host.drop_connection();
    (server, host)
}

fn id(host: &Host, mailbox: &str, uid: u32) -> MessageId {
    MessageId(host.snapshot().mailbox(mailbox).uid(uid).id)
}

fn pending(host: &Host) -> Vec<Operation> {
    host.engine.pending(None).expect("the journal")
}

/// A new mailbox of this device.
fn local(host: &Host, name: &str) -> MailboxId {
    let new = NewMailbox::named(name).local();
    host.engine.create_mailbox(host.now, host.account, new).expect("made")
}

/// One connection, whatever becomes of it.
fn once(host: &mut Host) {
    let request = host.connect().sync(SyncScope::account());
    let _ = host.run_request(request);
    host.drop_connection();
}

/// Without the extended LIST no STATUS came with it, and none was asked for beside it: a mailbox that others renamed was
/// taken for one deleted and another made, and what was pending for it was set aside.
fn a_renamed_mailbox_is_known_again_where_the_list_came_without_numbers<S: FarSide>() {
    const MODSEQ: &str = "IMAP4rev1 ENABLE CONDSTORE QRESYNC LIST-STATUS";
    // The last is FULL, and the extended LIST is advertised and not understood.
    for (capabilities, refused) in
        [("IMAP4rev1 LIST-STATUS", false), (MODSEQ, false), (FULL, false), (FULL, true)]
    {
        let (server, mut host) = synced::<S>(capabilities);
        let lists = host.mailbox("Lists");
        server.rename("Lists", "Letters");
        if refused {
            server.fault("LIST", 1, Fault::bad());
        }
        host.sync_all();
        assert_eq!(host.mailbox("Letters"), lists, "{capabilities}, refused: {refused}\n{}", host.said());
        host.assert_in_step();
    }
}

/// `RENAME Lists Lists` was sent, and what the server said to it set aside.
fn a_mailbox_that_is_to_have_the_name_that_it_has_is_not_renamed<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let lists = host.mailbox("Lists");
    host.engine.rename_mailbox(host.now, lists, "Lists").expect("it has that name");
    assert_eq!(pending(&host), []);
    host.engine.rename_mailbox(host.now, lists, "Letters").expect("renamed");
    host.engine.rename_mailbox(host.now, lists, "Lists").expect("and back");
    assert_eq!(pending(&host), []);
    server.take_log();
    host.sync_all();
    assert!(!server.take_log().iter().any(|line| line.starts_with("RENAME")), "{}", host.said());
    host.assert_in_step();
}

/// It moves to Work with the answer lost, and is replaced by a newer version that the server does not take: what was deleted
/// while it was under way was deleted all the same.
fn a_draft_that_is_replaced_on_its_way_waits_for_the_newer_version<S: FarSide>() {
    for (capabilities, taken) in ["IMAP4rev1 UIDPLUS", "IMAP4rev1 UIDPLUS MOVE", FULL]
        .into_iter()
        .flat_map(|c| [(c, false), (c, true)])
    {
        let (server, mut host) = synced::<S>(capabilities);
        let old = id(&host, "INBOX", 2);
        host.engine.move_messages(host.now, &[old], host.mailbox("Work")).expect("moved");
        let verb = if capabilities.contains("MOVE") { "MOVE" } else { "COPY" };
        server.fault(verb, 1, Fault::CutAfter);
        once(&mut host);
        host.engine.replace_draft(host.now, old, Draft::new(mail(9))).expect("replaced");
        if !taken {
            server.fault("APPEND", 1, Fault::no("TOOBIG"));
        }
        host.sync_all();
        host.sync_all();
        let tokens = |mailbox: &str| -> Vec<String> {
            server.audit().mailboxes[mailbox].messages.iter().map(|m| m.token.clone()).collect()
        };
        let (older, newer) = ("<m2@example.org>".to_owned(), "<m9@example.org>".to_owned());
        let context = format!("{capabilities}, taken: {taken}: {:#?}\n{}", pending(&host), host.said());
        assert_eq!(tokens("INBOX").len(), 2, "{context}");
        assert_eq!(tokens("Work").contains(&older), !taken, "{context}");
        assert_eq!(tokens("Work").contains(&newer), taken, "{context}");
        let waits = |o: &Operation| !matches!(o.state, OperationState::SetAside { .. });
        assert!(!pending(&host).iter().any(waits), "{context}");
        assert_eq!(pending(&host).len(), if taken { 0 } else { 2 }, "{context}");
    }
}

/// And stays where it comes to stand when the newer version is taken back.
fn a_draft_that_was_replaced_on_its_way_stays_when_that_is_taken_back<S: FarSide>() {
    for capabilities in ["IMAP4rev1 UIDPLUS", "IMAP4rev1 UIDPLUS MOVE", FULL] {
        let (server, mut host) = synced::<S>(capabilities);
        let old = id(&host, "INBOX", 2);
        host.engine.move_messages(host.now, &[old], host.mailbox("Work")).expect("moved");
        let verb = if capabilities.contains("MOVE") { "MOVE" } else { "COPY" };
        server.fault(verb, 1, Fault::CutAfter);
        once(&mut host);
        host.engine.replace_draft(host.now, old, Draft::new(mail(9))).expect("replaced");
        let all = pending(&host);
        let append = all.iter().find(|o| matches!(o.kind, OperationKind::Append { .. })).expect("it waits");
        host.engine.cancel_operation(host.now, append.id).expect("taken back");
        assert_eq!(host.engine.message(old).expect("it is shown again").row.mailbox, host.mailbox("Work"));
        host.sync_all();
        host.sync_all();
        assert_eq!(pending(&host), [], "{capabilities}\n{}", host.said());
        host.assert_in_step();
        assert_eq!(id(&host, "Work", 2), old, "{capabilities}\n{}", host.said());
    }
}

/// The note of a COPY was dropped with the original's old number, and the COPY sent again.
fn a_copy_that_may_have_been_made_is_looked_for_when_the_original_is_numbered_anew<S: FarSide>() {
    for capabilities in ["IMAP4rev1", "IMAP4rev1 ENABLE CONDSTORE", "IMAP4rev1 UIDPLUS"] {
        for (verb, fault) in [
            ("COPY", Fault::CutAfter),
            ("COPY", Fault::CutBefore),
            ("STORE", Fault::CutBefore),
            ("STORE", Fault::CutAfter),
        ] {
            let (server, mut host) = synced::<S>(capabilities);
            let one = id(&host, "INBOX", 1);
            host.engine.move_messages(host.now, &[one], host.mailbox("Lists")).expect("moved");
            server.fault(verb, 1, fault.clone());
            once(&mut host);
            server.shuffle_uids("INBOX", 5);
            host.sync_all();
            host.sync_all();
            let context = format!("{capabilities}, {verb} {fault:?}: {:#?}\n{}", pending(&host), host.said());
            let audit = server.audit();
            let there = audit.mailboxes["Lists"].messages.iter().filter(|m| m.token == "<m1@example.org>");
            assert_eq!(there.count(), 1, "{context}");
            let left = audit.mailboxes["INBOX"].messages.iter().filter(|m| m.token == "<m1@example.org>");
            assert!(left.clone().all(|m| m.flags.contains("\\Deleted")), "{context}");
            assert_eq!(pending(&host), [], "{context}");
            assert_eq!(host.engine.message(one).expect("it is shown").row.mailbox, host.mailbox("Lists"));
        }
    }
}

/// What was wished of a mailbox stayed when its making was taken back, and showed when it was there after all.
fn nothing_is_left_of_a_mailbox_whose_making_was_taken_back<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let new = NewMailbox::named("New");
    let new = host.engine.create_mailbox(host.now, host.account, new).expect("made");
    host.engine.subscribe(host.now, new, true).expect("subscribed");
    server.fault("CREATE", 1, Fault::CutAfter);
    once(&mut host);
    host.engine.cancel_operation(host.now, pending(&host)[0].id).expect("taken back");
    assert_eq!(pending(&host), []);
    host.sync_all();
    assert!(!server.audit().mailboxes["New"].subscribed);
    host.assert_in_step();
}

/// What was left after the second of two MOVEs that were refused in one flight was taken for moved.
fn what_two_refused_moves_left_is_still_there<S: FarSide>() {
    for capabilities in ["IMAP4rev1 MOVE", "IMAP4rev1 UIDPLUS MOVE", FULL] {
        let (server, mut host) = synced::<S>(capabilities);
        let ids: Vec<_> = (1..=2).map(|uid| id(&host, "INBOX", uid)).collect();
        host.engine.move_messages(host.now, &ids[..1], host.mailbox("Lists")).expect("moved");
        host.engine.move_messages(host.now, &ids[1..], host.mailbox("Work")).expect("moved");
        server.fault("MOVE", 1, Fault::no("CANNOT"));
        server.fault("MOVE", 1, Fault::no("CANNOT"));
        host.sync_all();
        for (uid, message) in ids.iter().enumerate() {
            assert_eq!(id(&host, "INBOX", uid as u32 + 1), *message, "{capabilities}\n{}", host.said());
        }
        assert_eq!(pending(&host).len(), 2, "{capabilities}: {:#?}", pending(&host));
        assert!(
            pending(&host).iter().all(|o| o.state == OperationState::SetAside { reason: "refused".into() })
        );
        host.assert_in_step();
    }
}

/// The question what a refused MOVE had left was refused too, and that was taken for nothing.
fn a_question_that_is_refused_says_nothing_of_what_a_move_left<S: FarSide>() {
    for capabilities in ["IMAP4rev1 MOVE", "IMAP4rev1 UIDPLUS MOVE", FULL] {
        let (server, mut host) = synced::<S>(capabilities);
        let one = id(&host, "INBOX", 1);
        host.engine.move_messages(host.now, &[one], host.mailbox("Lists")).expect("moved");
        server.fault("MOVE", 1, Fault::no("CANNOT"));
        // The first is about what is to be moved.
        server.fault("UID FETCH", 2, Fault::no("UNAVAILABLE"));
        host.sync_all();
        host.sync_all();
        assert_eq!(pending(&host), [], "{capabilities}\n{}", host.said());
        assert_eq!(id(&host, "Lists", 2), one, "{capabilities}\n{}", host.said());
        host.assert_in_step();
    }
}

/// What was to be done to a message that the server had lost waited for ever where another had come back in its stead: the
/// count was right, and nobody looked.
#[test]
fn a_message_that_is_not_there_is_missed_though_the_count_is_right() {
    for capabilities in ["IMAP4rev1 ENABLE CONDSTORE", "IMAP4rev1 ENABLE CONDSTORE QRESYNC UIDPLUS", FULL] {
        let server = ModelServer::with_capabilities(capabilities);
        for n in 1..=3 {
            server.deliver("INBOX", mail(n));
        }
        let old = server.save("INBOX");
        server.expunge("INBOX", &[2]);
        let mut host = Host::new(&server);
        host.label = capabilities.to_owned();
        host.sync_all();
        host.drop_connection();
        let three = id(&host, "INBOX", 3);
        host.engine.set_flags(host.now, &[three], &FlagChange::default().set("\\Flagged")).expect("flagged");
        // Its index is mended: it has what was expunged, and has not what was there.
        server.change().mailbox("INBOX").held = old.held[..2].to_vec();
        host.sync_all();
        host.sync_all();
        assert_eq!(pending(&host), [], "{capabilities}\n{}", host.said());
        host.assert_in_step();
    }
}

/// A mailbox that was deleted here and, before that was sent, by another too: one that another made under its name later
/// stayed hidden, as if it were still to be deleted.
fn a_mailbox_made_anew_under_the_name_of_one_deleted_on_both_sides_is_seen<S: FarSide>() {
    for capabilities in ["IMAP4rev1", FULL] {
        let (server, mut host) = synced::<S>(capabilities);
        // Something is to go out of it first, and so the list tells before the deletion is tried.
        let (lists, work) = (host.mailbox("Lists"), host.mailbox("Work"));
        host.engine.move_messages(host.now, &[id(&host, "Lists", 1)], work).expect("here");
        host.engine.delete_mailbox(host.now, lists).expect("deleted");
        server.try_delete("Lists").expect("deleted");
        once(&mut host);
        let deletes = |op: &Operation| matches!(op.kind, OperationKind::DeleteMailbox { .. });
        assert!(!pending(&host).iter().any(deletes), "{capabilities}: {:?}", pending(&host));
        host.drop_connection();
        server.create("Lists");
        server.deliver("Lists", mail(9));
        once(&mut host);
        let seen = host.snapshot();
        let lists = seen.mailboxes.iter().find(|m| m.name == "Lists");
        assert_eq!(lists.map(|m| m.messages.len()), Some(1), "{capabilities}\n{}", host.said());
    }
}

/// What a person moves elsewhere is to be kept: `\Deleted`, which a removal that was not finished or another had left on it, went
/// along to where it was moved, and the next purge of any client took it from there.
fn what_is_moved_is_marked_as_deleted_no_longer<S: FarSide>() {
    for capabilities in ["IMAP4rev1", "IMAP4rev1 UIDPLUS", FULL] {
        let (server, mut host) = synced::<S>(capabilities);
        server.set_flags("INBOX", 2, &["\\Deleted"]);
        host.sync_all();
        let work = host.mailbox("Work");
        host.engine.move_messages(host.now, &[id(&host, "INBOX", 2)], work).expect("here");
        host.sync_all();
        host.sync_all();
        let moved = host.snapshot();
        let moved =
            moved.mailbox("Work").messages.iter().find(|m| m.subject == "Message 2").expect("it is there");
        assert!(moved.flags.is_empty(), "{capabilities}: {:?}\n{}", moved.flags, host.said());
        assert!(pending(&host).is_empty(), "{capabilities}: {:?}", pending(&host));
    }
}

/// A MOVE was done and its answer lost; what it made was met, and then the mailbox that it took the message from was numbered anew:
/// the operation was set aside as one whose message is nowhere.
fn a_move_whose_source_is_numbered_anew_is_done_where_its_message_has_arrived<S: FarSide>() {
    let (server, mut host) = synced::<S>("IMAP4rev1 MOVE");
    let (message, work) = (id(&host, "INBOX", 1), host.mailbox("Work"));
    host.engine.move_messages(host.now, &[message], work).expect("here");
    server.fault("MOVE", 1, Fault::CutAfter);
    once(&mut host);
    server.reset_uid_validity("INBOX");
    let request = host.connect().sync(SyncScope::only([work]));
    host.run_request(request).expect("it is there");
    host.sync_all();
    host.sync_all();
    assert!(pending(&host).is_empty(), "{:?}\n{}", pending(&host), host.said());
    let there: Vec<u64> = host.snapshot().mailbox("Work").messages.iter().map(|m| m.id).collect();
    assert!(there.contains(&message.0), "{there:?}");
    host.assert_in_step();
}

/// On a server that expunges nothing by UID a message was moved away and back, the second answer was lost, and the mailbox was numbered
/// anew: what the first move had left there under `\\Deleted` was taken for what came back.
fn what_a_move_left_behind_is_not_what_came_back<S: FarSide>() {
    let (server, mut host) = synced::<S>("IMAP4rev1");
    let message = id(&host, "INBOX", 1);
    host.engine.move_messages(host.now, &[message], host.mailbox("Work")).expect("here");
    host.sync_all();
    host.engine.move_messages(host.now, &[message], host.inbox()).expect("here");
    server.fault("COPY", 1, Fault::CutAfter);
    once(&mut host);
    server.reset_uid_validity("INBOX");
    host.sync_all();
    host.sync_all();
    let seen = host.snapshot();
    let back = seen.mailbox("INBOX").messages.iter().find(|m| m.id == message.0);
    let flags = back.map(|m| m.flags.clone());
    assert_eq!(flags, Some(Vec::new()), "{}", host.said());
}

/// From the Attic to Work and back to the device before anything was sent: it went to Work all the same.
#[test]
fn a_message_that_was_to_be_sent_from_a_local_mailbox_stays_when_it_is_moved_back() {
    for elsewhere in [false, true] {
        let (server, mut host) = synced::<ModelServer>(FULL);
        let (attic, cellar) = (local(&host, "Attic"), local(&host, "Cellar"));
        let one = host.engine.append(host.now, attic, Draft::new(mail(9))).expect("kept");
        host.engine.move_messages(host.now, &[one], host.mailbox("Work")).expect("moved");
        let back = if elsewhere { cellar } else { attic };
        host.engine.move_messages(host.now, &[one], back).expect("and back");
        assert_eq!(pending(&host), []);
        server.take_log();
        host.sync_all();
        assert!(!server.take_log().iter().any(|line| line.starts_with("APPEND")), "{}", host.said());
        assert_eq!(host.engine.message(one).expect("it is there").row.mailbox, back);
        host.assert_in_step();
    }
}

/// The same, once it was sent and before the server answered: what had been sent was forgotten, and it was sent again.
#[test]
fn a_message_that_is_on_its_way_from_a_local_mailbox_is_sent_once_and_brought_back() {
    for (capabilities, elsewhere) in
        ["IMAP4rev1", "IMAP4rev1 UIDPLUS", FULL].into_iter().flat_map(|c| [(c, false), (c, true)])
    {
        let (server, mut host) = synced::<ModelServer>(capabilities);
        let (attic, cellar) = (local(&host, "Attic"), local(&host, "Cellar"));
        let one = host.engine.append(host.now, attic, Draft::new(mail(9))).expect("kept");
        host.engine.move_messages(host.now, &[one], host.mailbox("Work")).expect("moved");
        server.fault("APPEND", 1, Fault::CutAfter);
        once(&mut host);
        let back = if elsewhere { cellar } else { attic };
        host.engine.move_messages(host.now, &[one], back).expect("and back");
        server.take_log();
        host.sync_all();
        host.sync_all();
        let log = server.take_log();
        let context = format!("{capabilities}, {elsewhere}: {log:#?} {:#?}", pending(&host));
        assert!(!log.iter().any(|line| line.starts_with("APPEND")), "{context}");
        assert_eq!(pending(&host), [], "{context}");
        assert_eq!(host.engine.message(one).expect("it is there").row.mailbox, back, "{context}");
        let there = &server.audit().mailboxes["Work"];
        let left =
            there.messages.iter().filter(|m| m.token == "<m9@example.org>" && !m.flags.contains("\\Deleted"));
        assert_eq!(left.count(), 0, "{context}");
        if capabilities != "IMAP4rev1" {
            // Without UID EXPUNGE it stays there, under `\Deleted`.
            host.assert_in_step();
        }
    }
}

/// It was copied to Lists and marked in Work, and the connection broke. Work goes, and a copy that another made stands in INBOX:
/// that one was taken for the original that was left behind, and hidden.
#[test]
fn what_another_copied_before_the_mailbox_went_is_not_what_a_move_left_behind() {
    for capabilities in
        ["IMAP4rev1 OBJECTID", "IMAP4rev1 ENABLE CONDSTORE QRESYNC OBJECTID", "IMAP4rev1 ENABLE CONDSTORE"]
    {
        let (server, mut host) = synced::<ModelServer>(capabilities);
        let one = id(&host, "Work", 1);
        host.engine.move_messages(host.now, &[one], host.mailbox("Lists")).expect("moved");
        server.fault("EXAMINE", 1, Fault::CutBefore);
        once(&mut host);
        let [operation] = &pending(&host)[..] else { panic!("{:?}\n{}", pending(&host), host.said()) };
        assert_eq!(operation.state, OperationState::Sent);
        server.copy("Work", 1, "INBOX");
        server.delete("Work");
        host.sync_all();
        host.sync_all();
        assert_eq!(pending(&host), [], "{capabilities}");
        assert_eq!(
            host.engine.message(one).expect("it moved").row.mailbox,
            host.mailbox("Lists"),
            "{capabilities}"
        );
        host.assert_in_step();
    }
}

/// The server gives each an EMAILID of its own (RFC 8474 does not ask for more), and here their bytes are one content, which
/// had the id of one: whatever was done to the other was set aside, since "the server has another message under its number".
#[test]
fn messages_of_the_same_bytes_are_acted_on_whatever_the_server_calls_each() {
    let (server, mut host) = synced::<ModelServer>("IMAP4rev1 OBJECTID");
    let attic = local(&host, "Attic");
    let all = [id(&host, "Work", 1), id(&host, "Lists", 1)];
    host.engine.set_flags(host.now, &all, &FlagChange::default().set("\\Flagged")).expect("set");
    host.sync_all();
    assert_eq!(pending(&host), []);
    // Taken down, and sent up again: it has a new id there.
    let [one, _] = all;
    host.engine.move_messages(host.now, &[one], attic).expect("moved");
    host.sync_all();
    host.engine.move_messages(host.now, &[one], host.inbox()).expect("and back");
    host.sync_all();
    host.engine.set_flags(host.now, &[one], &FlagChange::default().set("\\Answered")).expect("set");
    host.sync_all();
    assert_eq!(pending(&host), []);
    let back = server.audit().mailboxes["INBOX"].messages.last().cloned().expect("it is there");
    assert!(back.flags.contains("\\Answered") && back.flags.contains("\\Flagged"), "{:?}", back.flags);
}
