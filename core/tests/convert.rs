//! The same mail on another server: matched with what is here, and not downloaded again.

mod support;

use mailkeep::flags::Flags;
use mailkeep::{AccountSettings, Draft, Error, FlagChange, LeftoverAction, MessageId, NewMailbox};
use support::model::FULL;
use support::{FarSide, Host, Mail, ModelServer, mail};

both! {
    what_is_here_is_matched_and_keeps_its_id,
    a_conversion_that_is_cut_goes_on,
    what_the_new_server_lacks_is_sent_with_dates_and_flags_if_that_is_wanted,
    what_the_new_server_lacks_can_stay_on_this_device,
    flags_that_a_person_set_are_told_to_the_new_server,
    what_is_only_taken_for_the_same_is_compared_before_it_counts,
    duplicates_are_matched_as_often_as_they_are_there,
    a_draft_that_was_not_sent_yet_goes_to_the_new_server,
}

fn long(n: u32) -> Vec<u8> {
    Mail::new(n).attachment(3_000).build()
}

/// A device in step with an old server, and the new server with the same mail.
fn moving<S: FarSide>() -> (Host, S) {
    let (old, new) = (S::with_capabilities(FULL), S::with_capabilities(FULL));
    old.create("Lists");
    new.create("Lists");
    // Other numbers, in another order.
    new.deliver("INBOX", long(99));
    new.expunge("INBOX", &[1]);
    for n in 1..=10 {
        old.deliver("INBOX", long(n));
        new.deliver("INBOX", long(11 - n));
    }
    for n in 20..=22 {
        old.deliver_with("Lists", long(n), &["\\Seen"], None);
        new.deliver_with("Lists", long(n), &["\\Seen"], None);
    }
    let mut host = Host::new(&old);
    host.sync_all();
    host.assert_in_step();
    (host, new)
}

fn convert<S: FarSide>(host: Host, new: &S) -> Host {
    let settings = AccountSettings::imap("test", "new.example.org", "ann");
    host.engine.convert_account(host.now, host.account, settings).expect("converted");
    let Host { engine, now, .. } = host;
    let mut host = Host::with_engine(engine, new);
    host.now = now;
    new.take_body_octets();
    host
}

fn subjects(host: &Host, mailbox: &str) -> Vec<(String, MessageId)> {
    let rows = host.engine.messages(host.mailbox(mailbox), None, 100).expect("a page").rows;
    let mut all: Vec<_> = rows.into_iter().map(|r| (r.summary.subject, r.id)).collect();
    all.sort();
    all
}

fn what_is_here_is_matched_and_keeps_its_id<S: FarSide>() {
    let (host, new) = moving::<S>();
    let before = (subjects(&host, "INBOX"), subjects(&host, "Lists"));
    let mut host = convert(host, &new);
    assert_eq!(host.engine.conversion(host.account).expect("told").leftovers.len(), 13);
    let summary = host.sync_all();
    assert_eq!(new.take_body_octets(), 0, "nothing is downloaded again\n{}", host.said());
    assert!(summary.bytes_received < 6_000, "{}", summary.bytes_received);
    assert_eq!((subjects(&host, "INBOX"), subjects(&host, "Lists")), before);
    host.assert_in_step();
    assert!(host.engine.conversion(host.account).expect("told").leftovers.is_empty());
    host.engine.finish_conversion(host.now, host.account, LeftoverAction::Upload).expect("finished");
    assert!(!host.engine.conversion(host.account).expect("told").under_way);
    let again = host.engine.finish_conversion(host.now, host.account, LeftoverAction::Upload);
    assert!(matches!(again, Err(Error::Misuse(_))));
}

fn a_conversion_that_is_cut_goes_on<S: FarSide>() {
    for cut in [400, 1_500, 2_500, 3_500] {
        let (host, new) = moving::<S>();
        let before = subjects(&host, "INBOX");
        let mut host = convert(host, &new).knobs(|k| k.cuts = vec![cut, cut + 700, cut + 1_900]);
        host.sync_all();
        assert_eq!(new.take_body_octets(), 0);
        assert_eq!(subjects(&host, "INBOX"), before);
        host.assert_in_step();
    }
}

fn what_the_new_server_lacks_is_sent_with_dates_and_flags_if_that_is_wanted<S: FarSide>() {
    let (host, new) = moving::<S>();
    let old_only = subjects(&host, "INBOX")[3].1;
    let row = host.engine.message(old_only).expect("here").row;
    host.engine.set_flags(host.now, &[old_only], &FlagChange::default().set("\\Flagged")).expect("flagged");
    let gone = new.audit().mailboxes["INBOX"].messages.clone();
    let subject = row.summary.subject.clone();
    let uid = gone
        .iter()
        .find(|m| String::from_utf8_lossy(&m.raw).contains(&format!("Subject: {subject}\r\n")))
        .expect("it is there")
        .uid;
    new.expunge("INBOX", &[uid]);
    new.delete("Lists");
    let mut host = convert(host, &new);
    host.sync_all();
    let left = host.engine.conversion(host.account).expect("told").leftovers;
    assert_eq!(left.len(), 4, "{left:?}");
    host.engine.finish_conversion(host.now, host.account, LeftoverAction::Upload).expect("finished");
    host.sync_all();
    host.sync_all();
    assert!(host.engine.pending(None).expect("the journal").is_empty(), "{}", host.said());
    host.assert_in_step();
    assert_eq!(new.audit().mailboxes["Lists"].messages.len(), 3, "{}", host.said());
    assert!(new.audit().mailboxes["Lists"].messages.iter().all(|m| m.flags.contains("\\Seen")));
    let back = host.engine.message(old_only).expect("here").row;
    assert!(back.flags.flags.contains(Flags::FLAGGED) && back.uid != 0, "{back:?}");
    assert_eq!(back.internal_date, row.internal_date);
}

fn what_the_new_server_lacks_can_stay_on_this_device<S: FarSide>() {
    let (host, new) = moving::<S>();
    new.expunge("INBOX", &[2, 3]);
    let mut host = convert(host, &new);
    host.sync_all();
    let attic = NewMailbox::named("Attic").local();
    let attic = host.engine.create_mailbox(host.now, host.account, attic).expect("made");
    let kept = host.engine.finish_conversion(host.now, host.account, LeftoverAction::KeepIn(attic));
    assert_eq!(kept.expect("finished"), 2);
    assert_eq!(host.engine.mailbox(attic).expect("here").total, 2);
    host.sync_all();
    host.assert_in_step();
}

fn flags_that_a_person_set_are_told_to_the_new_server<S: FarSide>() {
    let (host, new) = moving::<S>();
    let one = subjects(&host, "INBOX")[0].1;
    host.engine
        .set_flags(host.now, &[one], &FlagChange::default().set("\\Seen").set("\\Flagged"))
        .expect("set");
    let mut host = convert(host, &new);
    host.sync_all();
    host.sync_all();
    let row = host.engine.message(one).expect("here").row;
    assert!(row.flags.flags.contains(Flags::SEEN.union(Flags::FLAGGED)) && !row.pending, "{}", host.said());
    host.assert_in_step();
}

/// Two messages of one Message-ID, date and size, of which each side has another: never one's body under the other's header once it
/// is opened, and nothing is deleted by the mistake.
fn what_is_only_taken_for_the_same_is_compared_before_it_counts<S: FarSide>() {
    let (old, new) = (S::with_capabilities(FULL), S::with_capabilities(FULL));
    let ours = mail(1);
    let theirs = String::from_utf8(ours.clone()).expect("ASCII").replace("Message 1", "Another 1");
    let theirs = theirs.replace("This is the text of message 1.", &format!("{:<30}", "Something else."));
    assert_eq!(ours.len(), theirs.len());
    old.deliver("INBOX", ours.clone());
    new.deliver("INBOX", theirs.clone().into_bytes());
    let mut host = Host::new(&old);
    host.sync_all();
    let one = subjects(&host, "INBOX")[0].1;
    let mut host = convert(host, &new);
    host.sync_all();
    // Taken for the same; whoever deletes it for good means what was seen.
    host.engine.expunge_messages(host.now, &[one]).expect("deleted");
    host.sync_all();
    assert_eq!(new.audit().mailboxes["INBOX"].messages.len(), 1, "the other message stays\n{}", host.said());
    let request = host.connect().fetch(one);
    host.run_request(request).expect("opened");
    let row = host.engine.message(one).expect("here").row;
    assert_eq!(row.summary.subject, "Another 1");
    let body = host.engine.body(one, 0, u64::MAX).expect("here").expect("whole");
    assert_eq!(body, theirs.into_bytes());
    let left = host.engine.conversion(host.account).expect("told").leftovers;
    assert_eq!(left.len(), 1, "and ours is not lost: {left:?}");
    assert_eq!(host.engine.verify().expect("read").problems, Vec::<String>::new());
}

fn duplicates_are_matched_as_often_as_they_are_there<S: FarSide>() {
    let (old, new) = (S::with_capabilities(FULL), S::with_capabilities(FULL));
    for server in [&old, &new] {
        for _ in 0..3 {
            server.deliver("INBOX", long(5));
        }
    }
    let mut host = Host::new(&old);
    host.sync_all();
    let before = subjects(&host, "INBOX");
    let mut host = convert(host, &new);
    host.sync_all();
    assert_eq!(subjects(&host, "INBOX"), before);
    assert_eq!(new.take_body_octets(), 0);
    assert!(host.engine.conversion(host.account).expect("told").leftovers.is_empty());
    host.assert_in_step();
}

fn a_draft_that_was_not_sent_yet_goes_to_the_new_server<S: FarSide>() {
    let (host, new) = moving::<S>();
    let draft = Draft::new(mail(70));
    let id = host.engine.append(host.now, host.mailbox("Lists"), draft).expect("appended");
    let mut host = convert(host, &new);
    host.sync_all();
    host.sync_all();
    assert!(subjects(&host, "Lists").iter().any(|(_, other)| *other == id), "{}", host.said());
    assert_eq!(new.audit().mailboxes["Lists"].messages.len(), 4);
}

/// What only its bytes could tell comes again, and is not left over too: sent on, it would be there twice.
#[test]
fn what_came_again_is_met_by_its_bytes() {
    let (old, new) = (ModelServer::with_capabilities(FULL), ModelServer::with_capabilities(FULL));
    let nameless =
        |n: u32| format!("From: a@b.example\r\nSubject: nameless {n}\r\n\r\nNo name.\r\n").into_bytes();
    let altered = |n: u32| {
        let header =
            "Message-ID: <one@b.example>\r\nDate: Tue, 31 Dec 2019 20:00:00 +0000\r\nSubject: altered\r\n";
        format!("{header}\r\nPay {n}00.\r\n").into_bytes()
    };
    for server in [&old, &new] {
        for n in [1, 2] {
            server.deliver("INBOX", nameless(n));
            server.deliver("INBOX", altered(n));
        }
    }
    for _ in 0..3 {
        old.deliver("INBOX", long(5));
    }
    for _ in 0..2 {
        new.deliver("INBOX", long(5));
    }
    let mut host = Host::new(&old);
    host.sync_all();
    let (_, marked) =
        subjects(&host, "INBOX").into_iter().find(|(s, _)| s == "nameless 1").expect("it is here");
    host.engine.set_flags(host.now, &[marked], &FlagChange::default().set("\\Flagged")).expect("flagged");
    let mut host = convert(host, &new);
    host.sync_all();
    let left = host.engine.conversion(host.account).expect("told").leftovers;
    assert_eq!(left.len(), 1, "one of three that are alike: {left:?}");
    let sent = host.engine.finish_conversion(host.now, host.account, LeftoverAction::Upload);
    assert_eq!(sent.expect("finished"), 1);
    host.sync_all();
    host.sync_all();
    let there = new.audit().mailboxes["INBOX"].messages.clone();
    assert_eq!(there.len(), 7, "{}", host.said());
    let flagged: Vec<_> = there.iter().filter(|m| m.flags.contains("\\Flagged")).collect();
    assert_eq!(flagged.len(), 1, "{}", host.said());
    assert!(String::from_utf8_lossy(&flagged[0].raw).contains("Subject: nameless 1\r\n"));
    host.assert_in_step();
    assert_eq!(host.engine.verify().expect("read").problems, Vec::<String>::new());
}
