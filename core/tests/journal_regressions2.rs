//! What real servers brought to light about the journal: each was once done wrong.

mod support;

use mailkeep::{
    AccountSettings, Draft, Engine, EngineOptions, FlagChange, MemoryStorage, MessageId, NewMailbox, Now,
    OperationState,
};
use support::model::{FULL, Fault};
use support::{FarSide, Host, mail};

both! {
    a_mailbox_that_others_deleted_is_kept_while_something_is_to_go_there,
    a_mailbox_that_others_made_first_takes_what_is_to_go_there,
    a_copy_has_the_flags_of_its_moment,
    moves_to_several_mailboxes_and_a_deletion_in_one_flight,
    an_expunge_that_was_answered_and_not_done_is_done_again,
    a_local_mailbox_may_have_the_name_of_one_on_the_server,
}

fn synced<S: FarSide>(capabilities: &str) -> (S, Host) {
    let server = S::with_capabilities(capabilities);
    for name in ["Lists", "Work", "Other"] {
        server.create(name);
    }
    for n in 1..=6 {
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

/// Syncs until nothing waits, and everything agrees.
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

fn set(word: &str) -> FlagChange {
    FlagChange::default().set(word)
}

/// Such a mailbox was forgotten while the journal named it, and the sync ended with "no such mailbox".
fn a_mailbox_that_others_deleted_is_kept_while_something_is_to_go_there<S: FarSide>() {
    for capabilities in ["IMAP4rev1", FULL] {
        let (server, mut host) = synced::<S>(capabilities);
        let one = id(&host, "INBOX", 1);
        host.engine.move_messages(host.now, &[one], host.mailbox("Lists")).expect("moved");
        server.delete("Lists");
        host.sync_all();
        let pending = host.engine.pending(None).expect("the journal");
        assert_eq!(pending.len(), 1, "{capabilities}\n{}", host.said());
        assert!(matches!(pending[0].state, OperationState::SetAside { .. }), "{pending:?}");
        host.engine.cancel_operation(host.now, pending[0].id).expect("forgotten");
        settle(&mut host, &server);
        assert_eq!(id(&host, "INBOX", 1), one, "{capabilities}");
    }
}

/// Cyrus refuses to make what is there without a code that says so; what was to go into it was set aside.
fn a_mailbox_that_others_made_first_takes_what_is_to_go_there<S: FarSide>() {
    for capabilities in ["IMAP4rev1 MOVE UIDPLUS", FULL] {
        let (server, mut host) = synced::<S>(capabilities);
        let one = id(&host, "INBOX", 1);
        let new = host.engine.create_mailbox(host.now, host.account, NewMailbox::named("New")).expect("made");
        host.engine.move_messages(host.now, &[one], new).expect("moved");
        server.create("New");
        server.fault("CREATE", 0, Fault::Answer("NO Mailbox already exists".into()));
        settle(&mut host, &server);
        assert_eq!(server.audit().mailboxes["New"].messages.len(), 1, "{}", host.said());
    }
}

/// A copy is what the person saw when it was made, whatever is done to the original before the server hears of either.
fn a_copy_has_the_flags_of_its_moment<S: FarSide>() {
    for capabilities in ["IMAP4rev1", "IMAP4rev1 UIDPLUS MOVE", FULL] {
        let (server, mut host) = synced::<S>(capabilities);
        let ids: Vec<_> = (1..=4).map(|uid| id(&host, "INBOX", uid)).collect();
        let lists = host.mailbox("Lists");
        host.engine.set_flags(host.now, &ids[3..], &set("\\Answered")).expect("flagged");
        host.sync_all();
        let act = |change: &FlagChange, which: usize| {
            host.engine.set_flags(host.now, &ids[which..=which], change).expect("flagged");
        };
        let copy =
            |which: usize| host.engine.copy_messages(host.now, &ids[which..=which], lists).expect("copied");
        // Flagged after it was copied.
        copy(0);
        act(&set("todo"), 0);
        // Flagged before, and no more after.
        act(&set("\\Flagged"), 1);
        copy(1);
        act(&FlagChange::default().clear("\\Flagged"), 1);
        // The copy alone.
        let third = copy(2);
        host.engine.set_flags(host.now, &third, &set("\\Seen")).expect("flagged");
        // What the server has is taken off the copy alone.
        let fourth = copy(3);
        host.engine
            .set_flags(host.now, &fourth, &FlagChange::default().clear("\\Answered"))
            .expect("cleared");
        settle(&mut host, &server);
        let there = &server.audit().mailboxes["Lists"].messages;
        let flags: Vec<Vec<String>> = there.iter().map(|m| m.flags.iter().cloned().collect()).collect();
        let none: Vec<String> = Vec::new();
        let wanted = vec![none.clone(), vec!["\\Flagged".into()], vec!["\\Seen".into()], none];
        assert_eq!(flags, wanted, "{capabilities}\n{}", host.said());
    }
}

/// Several MOVEs in one flight to different mailboxes, and a deletion with them.
fn moves_to_several_mailboxes_and_a_deletion_in_one_flight<S: FarSide>() {
    for capabilities in ["IMAP4rev1", "IMAP4rev1 MOVE", "IMAP4rev1 UIDPLUS MOVE", FULL] {
        let (server, mut host) = synced::<S>(capabilities);
        let ids: Vec<_> = (1..=4).map(|uid| id(&host, "INBOX", uid)).collect();
        for (which, name) in ["Lists", "Work", "Other"].into_iter().enumerate() {
            host.engine.set_flags(host.now, &ids[which..=which], &set("todo")).expect("flagged");
            host.engine.move_messages(host.now, &ids[which..=which], host.mailbox(name)).expect("moved");
        }
        host.engine.expunge_messages(host.now, &ids[3..]).expect("deleted");
        host.sync_all();
        let marked: Vec<u32> = server.audit().mailboxes["INBOX"]
            .messages
            .iter()
            .filter(|m| m.flags.contains("\\Deleted"))
            .map(|m| m.uid)
            .collect();
        server.expunge("INBOX", &marked);
        settle(&mut host, &server);
        assert_eq!(server.audit().mailboxes["INBOX"].messages.len(), 2, "{capabilities}\n{}", host.said());
        for (which, name) in ["Lists", "Work", "Other"].into_iter().enumerate() {
            let there = &server.audit().mailboxes[name].messages;
            assert!(there.len() == 1 && there[0].flags.contains("todo"), "{capabilities} {name}: {there:?}");
            assert_eq!(id(&host, name, 1), ids[which], "{capabilities}: the message keeps its id");
        }
    }
}

/// Dovecot answers OK to UID EXPUNGE behind a MOVE and does nothing: what is there still is asked for and tried again.
fn an_expunge_that_was_answered_and_not_done_is_done_again<S: FarSide>() {
    for capabilities in ["IMAP4rev1 UIDPLUS", FULL] {
        let (server, mut host) = synced::<S>(capabilities);
        let ids: Vec<_> = (1..=2).map(|uid| id(&host, "INBOX", uid)).collect();
        host.engine.expunge_messages(host.now, &ids).expect("deleted");
        server.fault("UID EXPUNGE", 0, Fault::Answer("OK done, it says".into()));
        host.sync_all();
        settle(&mut host, &server);
        assert_eq!(server.audit().mailboxes["INBOX"].messages.len(), 4, "{capabilities}\n{}", host.said());
    }
}

/// The answer to STATUS was taken for the local one's, and the draft waited for ever.
fn a_local_mailbox_may_have_the_name_of_one_on_the_server<S: FarSide>() {
    for capabilities in ["IMAP4rev1 UIDPLUS", FULL] {
        let server = S::with_capabilities(capabilities);
        let mut host = Host::new(&server);
        host.label = capabilities.to_owned();
        let own = NewMailbox::named("Attic").local();
        let own = host.engine.create_mailbox(host.now, host.account, own).expect("made");
        host.engine.rename_mailbox(host.now, own, "Lists").expect("renamed");
        server.create("Lists");
        host.sync_all();
        let all = host.engine.mailboxes(host.account).expect("listed");
        let theirs = all.iter().find(|m| m.name == "Lists" && m.id != own).expect("both are there").id;
        host.engine.append(host.now, theirs, Draft::new(mail(7))).expect("appended");
        host.sync_all();
        assert_eq!(server.audit().mailboxes["Lists"].messages.len(), 1, "{}", host.said());
        host.engine.delete_mailbox(host.now, own).expect("deleted");
        settle(&mut host, &server);
    }
}

#[test]
fn a_mailbox_made_by_its_usual_name_is_archived_into() {
    let engine = Engine::open(MemoryStorage::new(), EngineOptions::new(1)).unwrap();
    let account = engine.add_account(AccountSettings::imap("a", "h", "u")).unwrap();
    let now = Now::new(1, 1_768_867_200_000);
    let archive = engine.create_mailbox(now, account, NewMailbox::named("Archive")).unwrap();
    let other = engine.create_mailbox(now, account, NewMailbox::named("Notes")).unwrap();
    let note = engine.append(now, other, Draft::new("Subject: a\r\n\r\nb\r\n")).unwrap();
    assert_eq!(engine.archive_messages(now, &[note]).unwrap(), 1);
    assert_eq!(engine.message(note).unwrap().row.mailbox, archive);
}
