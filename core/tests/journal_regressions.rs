//! What the simulation found in the journal, each as small as it could be made.

mod support;

use mailkeep::flags::Flags;
use mailkeep::{
    BodyPolicy, Draft, Error, FlagChange, MessageId, NewMailbox, Operation, OperationKind, OperationState,
    SyncScope,
};
use support::model::{FULL, Fault, Keywords};
use support::{FarSide, Host, ModelServer, mail};

both! {
    what_was_set_aside_can_be_forgotten_when_its_mailbox_is_long_gone,
    a_copy_of_what_could_not_be_sent_does_not_wait_for_it,
    a_draft_stays_where_its_newer_version_is_refused,
    a_draft_is_there_again_where_its_newer_version_is_taken_back,
    what_others_copied_stays_when_the_original_is_deleted_here,
    the_name_of_a_mailbox_is_free_when_it_is_deleted_and_not_before,
    a_mailbox_whose_name_does_not_become_free_is_set_aside,
    what_was_sent_into_a_mailbox_that_went_does_not_wait_for_ever,
    what_was_made_here_is_known_again_on_a_server_with_ids,
    a_person_who_thinks_better_of_a_move_is_heard_until_it_is_sent,
    a_message_that_is_emptied_away_while_it_moves_is_deleted_and_not_awaited,
    a_message_on_its_way_into_a_local_mailbox_is_not_lost_when_it_is_moved_back,
    a_deletion_that_is_being_sent_cannot_be_taken_back,
    flags_that_were_refused_for_now_follow_a_message_to_its_new_place,
    flags_that_are_refused_for_now_are_tried_again,
    what_moves_is_not_shown_as_deleted,
    a_body_follows_a_message_that_moved_before_it_came,
    a_mailbox_that_is_not_deleted_after_all_is_subscribed_to_as_before,
    what_a_move_left_behind_is_not_taken_for_the_message,
    a_copy_that_arrived_is_remembered_when_the_original_is_numbered_anew,
    what_did_not_get_its_mark_is_not_gone_with_the_expunge_behind_it,
    nobody_waits_to_subscribe_to_a_mailbox_that_could_not_be_made,
    what_is_to_be_sent_from_a_local_mailbox_outlives_it,
    flags_that_may_have_been_set_are_cleared_again,
    a_mailbox_that_went_is_known_for_as_long_as_something_is_to_go_there,
    a_flag_that_is_cleared_while_its_message_is_sent_is_cleared_there,
    what_is_below_a_mailbox_keeps_its_name_when_it_is_renamed_and_then_deleted,
}

const BARE: &str = "IMAP4rev1";

fn synced<S: FarSide>(capabilities: &str) -> (S, Host) {
    let server = S::with_capabilities(capabilities);
    server.create_as("Trash", Some("\\Trash"));
    server.create("Lists");
    for n in 1..=3 {
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
    server.audit().mailboxes[mailbox].messages.len()
}

fn pending(host: &Host) -> Vec<Operation> {
    host.engine.pending(None).expect("the journal")
}

fn is_set_aside(operation: &Operation) -> bool {
    matches!(operation.state, OperationState::SetAside { .. })
}

/// One connection, whatever becomes of it.
fn once(host: &mut Host) {
    let request = host.connect().sync(SyncScope::account());
    let _ = host.run_request(request);
    host.drop_connection();
}

/// Goes on with a sync until the server has got a command.
fn until<S: FarSide>(host: &mut Host, server: &S, word: &str) {
    server.take_log();
    host.connect().sync(SyncScope::account());
    while !server.heard(word) {
        assert!(host.turn() || host.wait(), "{word} never came\n{}", host.said());
    }
}

#[track_caller]
fn settle<S: FarSide>(host: &mut Host, server: &S) {
    host.quiesce();
    host.drop_connection();
    host.sync_all();
    host.sync_all();
    assert!(pending(host).iter().all(is_set_aside), "{:#?}\n{}", pending(host), host.said());
    assert_eq!(host.engine.verify().expect("it can be read").problems, Vec::<String>::new());
    server.assert_sound();
}

#[test]
fn flags_that_an_append_could_not_carry_have_an_operation_of_their_own() {
    let (server, mut host) = synced::<ModelServer>(BARE);
    server.change().manners.keywords = Keywords::None;
    host.engine.append(host.now, host.inbox(), Draft::new(mail(9)).flag("todo")).expect("appended");
    settle(&mut host, &server);
    assert!(matches!(&pending(&host)[..], [o] if matches!(o.kind, OperationKind::SetFlags { .. })));
}

fn what_was_set_aside_can_be_forgotten_when_its_mailbox_is_long_gone<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let lists = host.mailbox("Lists");
    host.engine.copy_messages(host.now, &[id(&host, "INBOX", 1)], lists).expect("copied");
    host.engine.delete_mailbox(host.now, lists).expect("deleted");
    settle(&mut host, &server);
    host.pass_ms(30 * 3_600_000);
    server.deliver("INBOX", mail(9));
    settle(&mut host, &server);
    let [copy] = &pending(&host)[..] else { panic!("{:#?}", pending(&host)) };
    host.engine.cancel_operation(host.now, copy.id).expect("it is forgotten");
    settle(&mut host, &server);
}

fn a_copy_of_what_could_not_be_sent_does_not_wait_for_it<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let new = host.engine.append(host.now, host.mailbox("Lists"), Draft::new(mail(9))).expect("appended");
    host.engine.copy_messages(host.now, &[new], host.inbox()).expect("copied");
    server.fault("APPEND", 1, Fault::no("NOPERM"));
    settle(&mut host, &server);
    assert_eq!((there(&server, "INBOX"), there(&server, "Lists")), (4, 0), "{}", host.said());
}

fn a_draft_stays_where_its_newer_version_is_refused<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let one = id(&host, "INBOX", 1);
    host.engine.replace_draft(host.now, one, Draft::new(mail(9))).expect("saved");
    server.fault("APPEND", 1, Fault::no("OVERQUOTA"));
    settle(&mut host, &server);
    assert_eq!(there(&server, "INBOX"), 3);
    assert!(host.engine.message(one).is_ok(), "it is shown again");
}

fn a_draft_is_there_again_where_its_newer_version_is_taken_back<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let one = id(&host, "INBOX", 1);
    host.engine.replace_draft(host.now, one, Draft::new(mail(9))).expect("saved");
    let newer = pending(&host).into_iter().find(|o| matches!(o.kind, OperationKind::Append { .. }));
    host.engine.cancel_operation(host.now, newer.expect("it waits").id).expect("taken back");
    settle(&mut host, &server);
    assert_eq!(there(&server, "INBOX"), 3);
    assert!(host.engine.message(one).is_ok());
}

fn what_others_copied_stays_when_the_original_is_deleted_here<S: FarSide>() {
    for set in [BARE, "IMAP4rev1 UIDPLUS", "IMAP4rev1 CONDSTORE ENABLE UIDPLUS"] {
        let (server, mut host) = synced::<S>(set);
        let one = id(&host, "INBOX", 1);
        let copy = server.copy("INBOX", 1, "INBOX");
        host.engine.expunge_messages(host.now, &[one]).expect("deleted");
        settle(&mut host, &server);
        let inbox = server.audit().mailboxes["INBOX"].messages.clone();
        let stays = inbox.iter().find(|m| m.uid == copy);
        assert!(stays.is_some_and(|m| !m.flags.contains("\\Deleted")), "{set}\n{}", host.said());
    }
}

fn the_name_of_a_mailbox_is_free_when_it_is_deleted_and_not_before<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    host.engine.delete_mailbox(host.now, host.mailbox("Lists")).expect("deleted");
    let again = host.engine.create_mailbox(host.now, host.account, NewMailbox::named("Lists"));
    assert!(matches!(again, Err(Error::Invalid { .. })), "{again:?}");
    settle(&mut host, &server);
    host.engine.create_mailbox(host.now, host.account, NewMailbox::named("Lists")).expect("made");
    settle(&mut host, &server);
    host.assert_in_step();
}

fn a_mailbox_whose_name_does_not_become_free_is_set_aside<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let lists = host.mailbox("Lists");
    host.engine.rename_mailbox(host.now, lists, "Old").expect("renamed");
    host.engine.create_mailbox(host.now, host.account, NewMailbox::named("Lists")).expect("made");
    server.fault("RENAME", 1, Fault::no("NOPERM"));
    settle(&mut host, &server);
    assert_eq!(pending(&host).iter().filter(|o| is_set_aside(o)).count(), 2);
    for operation in pending(&host) {
        host.engine.cancel_operation(host.now, operation.id).expect("forgotten");
    }
    host.assert_in_step();
}

fn what_was_sent_into_a_mailbox_that_went_does_not_wait_for_ever<S: FarSide>() {
    let (server, mut host) = synced::<S>(BARE);
    host.engine.move_messages(host.now, &[id(&host, "INBOX", 1)], host.mailbox("Lists")).expect("moved");
    server.fault("COPY", 1, Fault::CutAfter);
    once(&mut host);
    server.delete("Lists");
    settle(&mut host, &server);
    assert_eq!(there(&server, "INBOX"), 3);
}

#[test]
fn a_mailbox_of_which_a_name_is_left_is_empty() {
    let (server, mut host) = synced::<ModelServer>(FULL);
    server.create("Lists/a");
    server.deliver("Lists", mail(9));
    host.sync_all();
    server.try_delete("Lists").expect("deleted");
    host.sync_all();
    assert_eq!(host.engine.mailbox(host.mailbox("Lists")).expect("it is listed").total, 0);
}

fn what_was_made_here_is_known_again_on_a_server_with_ids<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let new = host.engine.append(host.now, host.mailbox("Lists"), Draft::new(mail(9))).expect("appended");
    settle(&mut host, &server);
    server.reset_uid_validity("Lists");
    server.take_body_octets();
    settle(&mut host, &server);
    assert_eq!(id(&host, "Lists", 1), new);
    assert_eq!(server.take_body_octets(), 0);
}

fn a_person_who_thinks_better_of_a_move_is_heard_until_it_is_sent<S: FarSide>() {
    for set in [BARE, FULL] {
        let (server, mut host) = synced::<S>(set);
        let one = id(&host, "INBOX", 1);
        host.engine.move_messages(host.now, &[one], host.mailbox("Lists")).expect("moved");
        until(&mut host, &server, "SELECT");
        host.engine.move_messages(host.now, &[one], host.inbox()).expect("moved back");
        settle(&mut host, &server);
        assert_eq!((there(&server, "INBOX"), there(&server, "Lists")), (3, 0), "{set}\n{}", host.said());
    }
}

fn a_message_that_is_emptied_away_while_it_moves_is_deleted_and_not_awaited<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let one = id(&host, "INBOX", 1);
    host.engine.move_messages(host.now, &[one], host.mailbox("Lists")).expect("moved");
    until(&mut host, &server, "SELECT");
    host.engine.expunge_messages(host.now, &[one]).expect("deleted");
    settle(&mut host, &server);
    assert_eq!((there(&server, "INBOX"), there(&server, "Lists")), (2, 0), "{}", host.said());
}

fn a_message_on_its_way_into_a_local_mailbox_is_not_lost_when_it_is_moved_back<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let one = id(&host, "INBOX", 1);
    let attic = NewMailbox::named("Attic").local();
    let attic = host.engine.create_mailbox(host.now, host.account, attic).expect("made");
    host.engine.move_messages(host.now, &[one], attic).expect("moved");
    until(&mut host, &server, "EXPUNGE");
    host.engine.move_messages(host.now, &[one], host.inbox()).expect("moved back");
    settle(&mut host, &server);
    assert_eq!(there(&server, "INBOX"), 3, "{}", host.said());
    host.assert_in_step();
}

fn a_deletion_that_is_being_sent_cannot_be_taken_back<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let one = id(&host, "INBOX", 1);
    host.engine.expunge_messages(host.now, &[one]).expect("deleted");
    until(&mut host, &server, "EXPUNGE");
    let [deletion] = &pending(&host)[..] else { panic!("{:?}", pending(&host)) };
    let back = host.engine.cancel_operation(host.now, deletion.id);
    assert!(matches!(back, Err(Error::Misuse(_))), "{back:?}");
    settle(&mut host, &server);
}

fn flags_that_were_refused_for_now_follow_a_message_to_its_new_place<S: FarSide>() {
    let (server, mut host) = synced::<S>(BARE);
    let all: Vec<_> = (1..=3).map(|uid| id(&host, "INBOX", uid)).collect();
    host.engine.set_flags(host.now, &all, &FlagChange::default().set("\\Seen")).expect("set");
    host.engine.move_messages(host.now, &all[1..2], host.mailbox("Lists")).expect("moved");
    server.fault("STORE", 1, Fault::no("INUSE"));
    settle(&mut host, &server);
    let moved = &server.audit().mailboxes["Lists"].messages[0];
    assert!(moved.flags.contains("\\Seen"), "{:?}\n{}", moved.flags, host.said());
}

fn flags_that_are_refused_for_now_are_tried_again<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let one = id(&host, "INBOX", 1);
    host.engine.set_flags(host.now, &[one], &FlagChange::default().set("\\Seen")).expect("set");
    server.fault("STORE", 1, Fault::no("INUSE"));
    host.sync_all();
    assert!(!pending(&host).iter().any(is_set_aside), "{:?}", pending(&host));
    settle(&mut host, &server);
    assert_eq!(pending(&host), []);
}

fn what_moves_is_not_shown_as_deleted<S: FarSide>() {
    let (server, mut host) = synced::<S>(BARE);
    let one = id(&host, "INBOX", 1);
    host.engine.move_messages(host.now, &[one], host.mailbox("Lists")).expect("moved");
    server.fault("LIST", 1, Fault::CutBefore);
    once(&mut host);
    let row = host.engine.message(one).expect("it is shown").row;
    assert!(!row.flags.flags.contains(Flags::DELETED), "{:?}\n{}", row.flags, host.said());
}

fn a_body_follows_a_message_that_moved_before_it_came<S: FarSide>() {
    let (server, mut host) = synced::<S>("IMAP4rev1 UIDPLUS MOVE");
    server.deliver("Lists", mail(8));
    host.sync_all();
    server.deliver("INBOX", mail(9));
    host.try_sync(SyncScope::account().with_bodies(BodyPolicy::None)).expect("synced");
    let nine = id(&host, "INBOX", 4);
    host.engine.move_messages(host.now, &[nine], host.mailbox("Lists")).expect("moved");
    settle(&mut host, &server);
    host.assert_in_step();
}

fn a_mailbox_that_is_not_deleted_after_all_is_subscribed_to_as_before<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let lists = host.mailbox("Lists");
    host.engine.subscribe(host.now, lists, false).expect("no longer");
    host.engine.delete_mailbox(host.now, lists).expect("deleted");
    server.fault("DELETE", 1, Fault::no("NOPERM"));
    settle(&mut host, &server);
    host.assert_in_step();
}

fn what_a_move_left_behind_is_not_taken_for_the_message<S: FarSide>() {
    let (server, mut host) = synced::<S>(BARE);
    let one = id(&host, "INBOX", 1);
    host.engine.move_messages(host.now, &[one], host.mailbox("Lists")).expect("moved");
    settle(&mut host, &server);
    server.reset_uid_validity("Lists");
    settle(&mut host, &server);
    server.expunge("INBOX", &[1]);
    settle(&mut host, &server);
    let moved = &server.audit().mailboxes["Lists"].messages[0];
    assert!(!moved.flags.contains("\\Deleted"), "{}", host.said());
    assert_eq!(id(&host, "Lists", 1), one);
}

fn a_copy_that_arrived_is_remembered_when_the_original_is_numbered_anew<S: FarSide>() {
    let (server, mut host) = synced::<S>("IMAP4rev1 UIDPLUS");
    let one = id(&host, "INBOX", 1);
    host.engine.move_messages(host.now, &[one], host.mailbox("Lists")).expect("moved");
    server.fault("STORE", 1, Fault::CutBefore);
    once(&mut host);
    server.reset_uid_validity("INBOX");
    settle(&mut host, &server);
    assert_eq!((there(&server, "INBOX"), there(&server, "Lists")), (2, 1), "{}", host.said());
    host.assert_in_step();
}

fn what_did_not_get_its_mark_is_not_gone_with_the_expunge_behind_it<S: FarSide>() {
    let (server, mut host) = synced::<S>("IMAP4rev1 UIDPLUS");
    host.engine.expunge_messages(host.now, &[id(&host, "INBOX", 1)]).expect("deleted");
    server.fault("STORE", 1, Fault::no("INUSE"));
    once(&mut host);
    settle(&mut host, &server);
    assert_eq!(there(&server, "INBOX"), 2, "{}", host.said());
    host.assert_in_step();
}

fn nobody_waits_to_subscribe_to_a_mailbox_that_could_not_be_made<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let new = NewMailbox::named("New");
    let new = host.engine.create_mailbox(host.now, host.account, new).expect("made");
    host.engine.subscribe(host.now, new, true).expect("subscribed");
    server.fault("CREATE", 1, Fault::no("NOPERM"));
    settle(&mut host, &server);
}

fn what_is_to_be_sent_from_a_local_mailbox_outlives_it<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let attic = NewMailbox::named("Attic").local();
    let attic = host.engine.create_mailbox(host.now, host.account, attic).expect("made");
    let new = host.engine.append(host.now, attic, Draft::new(mail(9)).flag("todo")).expect("appended");
    host.engine.move_messages(host.now, &[new], host.mailbox("Lists")).expect("moved");
    host.engine.delete_mailbox(host.now, attic).expect("deleted");
    settle(&mut host, &server);
    assert_eq!(there(&server, "Lists"), 1, "{}", host.said());
    assert_eq!(host.engine.message(new).expect("it is shown").row.flags.keywords(), ["todo"]);
}

fn flags_that_may_have_been_set_are_cleared_again<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let one = id(&host, "INBOX", 1);
    host.engine.set_flags(host.now, &[one], &FlagChange::default().set("\\Flagged")).expect("set");
    server.fault("STORE", 1, Fault::CutAfter);
    once(&mut host);
    host.engine.set_flags(host.now, &[one], &FlagChange::default().clear("\\Flagged")).expect("cleared");
    settle(&mut host, &server);
    let flags = &server.audit().mailboxes["INBOX"].messages[0].flags;
    assert!(!flags.contains("\\Flagged"), "{flags:?}\n{}", host.said());
}

#[test]
fn what_an_expunge_took_before_it_was_refused_is_done() {
    let (server, mut host) = synced::<ModelServer>("IMAP4rev1 UIDPLUS");
    host.engine.expunge_messages(host.now, &[id(&host, "INBOX", 1), id(&host, "INBOX", 2)]).expect("deleted");
    server.fault("EXPUNGE", 1, Fault::partly(1, "NOPERM"));
    settle(&mut host, &server);
    assert_eq!(pending(&host).len(), 1, "{:#?}", pending(&host));
    assert_eq!(there(&server, "INBOX"), 2);
}

fn a_mailbox_that_went_is_known_for_as_long_as_something_is_to_go_there<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let new = host.engine.append(host.now, host.mailbox("Lists"), Draft::new(mail(9))).expect("appended");
    server.fault("APPEND", 1, Fault::CutAfter);
    once(&mut host);
    server.create("Work");
    host.try_sync(SyncScope::only([host.inbox()])).expect("synced");
    let work = host.engine.mailboxes(host.account).expect("all").into_iter().find(|m| m.name == "Work");
    let to = work.map_or_else(|| host.mailbox("Trash"), |m| m.id);
    host.engine.move_messages(host.now, &[new], to).expect("moved");
    server.delete("Trash");
    settle(&mut host, &server);
    host.pass_ms(200 * 3_600_000);
    server.deliver("INBOX", mail(10));
    settle(&mut host, &server);
    assert_eq!(there(&server, "Lists"), 1);
}

fn a_flag_that_is_cleared_while_its_message_is_sent_is_cleared_there<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    let draft = Draft::new(mail(9)).flag("\\Flagged");
    let new = host.engine.append(host.now, host.mailbox("Lists"), draft).expect("appended");
    until(&mut host, &server, "APPEND");
    host.engine.set_flags(host.now, &[new], &FlagChange::default().clear("\\Flagged")).expect("cleared");
    settle(&mut host, &server);
    let flags = &server.audit().mailboxes["Lists"].messages[0].flags;
    assert!(flags.is_empty(), "{flags:?}\n{}", host.said());
}

fn what_is_below_a_mailbox_keeps_its_name_when_it_is_renamed_and_then_deleted<S: FarSide>() {
    let (server, mut host) = synced::<S>(FULL);
    server.create("Lists/a");
    host.sync_all();
    let lists = host.mailbox("Lists");
    host.engine.rename_mailbox(host.now, lists, "Old").expect("renamed");
    host.engine.delete_mailbox(host.now, lists).expect("deleted");
    settle(&mut host, &server);
    host.mailbox("Lists/a");
}

#[test]
fn what_went_behind_a_store_that_was_refused_is_deleted_and_not_set_aside() {
    let (server, mut host) = synced::<ModelServer>("IMAP4rev1 UIDPLUS");
    host.engine.expunge_messages(host.now, &[id(&host, "INBOX", 1)]).expect("deleted");
    server.fault("STORE", 1, Fault::partly(1, "READ-ONLY"));
    settle(&mut host, &server);
    assert_eq!(pending(&host), []);
    assert_eq!(there(&server, "INBOX"), 2);
}
