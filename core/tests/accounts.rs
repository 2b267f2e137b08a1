//! Messages that go from one account to another, through one store.

mod support;

use mailkeep::{
    AccountSettings, BodyPolicy, Error, FlagChange, MessageId, NewMailbox, OperationState, SyncScope,
};
use support::model::{FULL, Fault};
use support::{Host, ModelServer, mail};

/// Two accounts on two servers in one store, in step: three messages and a mailbox in the first, an empty inbox in the other.
struct Two {
    here: Host,
    there: Host,
    from: ModelServer,
    to: ModelServer,
}

fn two(capabilities: &str) -> Two {
    let (from, to) =
        (ModelServer::with_capabilities(capabilities), ModelServer::with_capabilities(capabilities));
    for n in 1..=3 {
        from.deliver("INBOX", mail(n));
    }
    let mut here = Host::new(&from);
    let mut there = Host::with_engine(here.engine.clone(), &to);
    let other = AccountSettings::imap("other", "mail.example.net", "ben");
    there.account = there.engine.add_account(other).expect("another account");
    here.sync_all();
    there.sync_all();
    Two { here, there, from, to }
}

impl Two {
    fn id(&self, uid: u32) -> MessageId {
        MessageId(self.here.snapshot().mailbox("INBOX").uid(uid).id)
    }

    /// Both sync, the one that it goes to first.
    fn sync(&mut self) {
        self.there.sync_all();
        self.here.sync_all();
    }

    fn pending(&self) -> Vec<mailkeep::Operation> {
        self.here.engine.pending(None).expect("the journal")
    }
}

#[test]
fn a_copy_goes_to_another_account_with_its_bytes_flags_and_date() {
    for capabilities in ["IMAP4rev1", "IMAP4rev1 UIDPLUS", FULL] {
        let mut two = two(capabilities);
        let one = two.id(2);
        let now = two.here.now;
        two.here.engine.set_flags(now, &[one], &FlagChange::default().set("\\Flagged")).expect("set");
        let date = two.here.engine.message(one).expect("it is here").row.internal_date;
        let copies = two.here.engine.copy_messages(now, &[one], two.there.inbox()).expect("copied");
        let [copy] = copies[..] else { panic!("{copies:?}") };
        assert_eq!(two.there.engine.message(copy).expect("shown at once").row.mailbox, two.there.inbox());
        two.sync();
        assert_eq!(two.pending(), [], "{capabilities}");
        let arrived = two.to.audit().mailboxes["INBOX"].messages.clone();
        let [arrived] = &arrived[..] else { panic!("{capabilities}: {arrived:?}") };
        assert_eq!(*arrived.raw, mail(2));
        assert_eq!(arrived.flags.iter().map(String::as_str).collect::<Vec<_>>(), ["\\Flagged"]);
        assert_eq!(arrived.internal_ms, date);
        assert_eq!(two.from.audit().mailboxes["INBOX"].messages.len(), 3, "{capabilities}");
        assert!(two.here.engine.message(one).is_ok() && two.here.engine.message(copy).is_ok());
        two.here.assert_in_step();
        two.there.assert_in_step();
    }
}

/// It goes from its server when the other has it, and not before: whichever account syncs first.
#[test]
fn a_message_that_moves_to_another_account_goes_when_the_other_server_has_it() {
    for (capabilities, cut) in ["IMAP4rev1 UIDPLUS", FULL].into_iter().flat_map(|c| [(c, false), (c, true)]) {
        let mut two = two(capabilities);
        let one = two.id(2);
        let (now, inbox) = (two.here.now, two.there.inbox());
        assert_eq!(two.here.engine.move_messages(now, &[one], inbox).expect("moved"), 1);
        assert!(two.here.engine.message(one).is_err(), "it is seen in one place");
        assert_eq!(two.there.engine.mailbox(inbox).expect("it is there").total, 1);
        two.here.sync_all();
        assert_eq!(two.from.audit().mailboxes["INBOX"].messages.len(), 3, "the other does not have it");
        if cut {
            two.to.fault("APPEND", 1, Fault::CutAfter);
            let request = two.there.connect().sync(SyncScope::account());
            let _ = two.there.run_request(request);
            two.there.drop_connection();
        }
        // The account that it goes from is told that it has something to do.
        let waiting = two.here.connect().id();
        while two.here.engine.poll_wake().is_some() {}
        two.there.sync_all();
        let mut woken = std::iter::from_fn(|| two.here.engine.poll_wake());
        assert!(woken.any(|id| id == waiting), "{capabilities}, cut: {cut}");
        two.here.sync_all();
        assert_eq!(two.pending(), [], "{capabilities}, cut: {cut}");
        assert_eq!(two.from.audit().mailboxes["INBOX"].messages.len(), 2, "{capabilities}, cut: {cut}");
        assert_eq!(two.to.audit().places("<m2@example.org>").len(), 1, "{capabilities}, cut: {cut}");
        two.here.assert_in_step();
        two.there.assert_in_step();
    }
}

#[test]
fn a_message_stays_where_the_other_account_does_not_take_it() {
    let mut two = two(FULL);
    let (one, now) = (two.id(2), two.here.now);
    two.here.engine.move_messages(now, &[one], two.there.inbox()).expect("moved");
    two.to.fault("APPEND", 1, Fault::no("OVERQUOTA"));
    two.sync();
    assert_eq!(two.from.audit().mailboxes["INBOX"].messages.len(), 3);
    assert!(two.here.engine.message(one).is_ok(), "it is seen again");
    let aside = |o: &mailkeep::Operation| matches!(o.state, OperationState::SetAside { .. });
    assert_eq!(two.pending().iter().filter(|o| aside(o)).count(), 2, "{:#?}", two.pending());
    // Tried again, in the order in which that makes sense.
    for operation in two.pending() {
        two.here.engine.retry_operation(now, operation.id).expect("tried again");
    }
    two.sync();
    assert_eq!(two.pending(), []);
    assert_eq!(two.from.audit().mailboxes["INBOX"].messages.len(), 2);
    assert_eq!(two.to.audit().places("<m2@example.org>").len(), 1);
}

#[test]
fn a_message_stays_where_the_copy_is_taken_back_or_the_other_account_removed() {
    for removed in [false, true] {
        let mut two = two(FULL);
        let (one, now) = (two.id(2), two.here.now);
        let copy = two.there.inbox();
        two.here.engine.move_messages(now, &[one], copy).expect("moved");
        if removed {
            two.here.engine.remove_account(two.there.account).expect("removed");
        } else {
            let append = two.pending().into_iter().find(|o| o.account == two.there.account);
            two.here.engine.cancel_operation(now, append.expect("it waits").id).expect("taken back");
        }
        assert_eq!(two.pending(), [], "removed: {removed}");
        assert!(two.here.engine.message(one).is_ok(), "removed: {removed}");
        two.here.sync_all();
        assert_eq!(two.from.audit().mailboxes["INBOX"].messages.len(), 3, "removed: {removed}");
        two.here.assert_in_step();
        two.here.engine.verify().expect("the store is whole");
    }
}

#[test]
fn what_cannot_go_to_another_account_is_refused_before_anything_is_done() {
    let mut two = two(FULL);
    let (one, now, inbox) = (two.id(1), two.here.now, two.there.inbox());
    // On no server: it would have to go from here before the other has it.
    let local = NewMailbox::named("Attic").local();
    let attic = two.here.engine.create_mailbox(now, two.here.account, local).expect("made");
    two.here.engine.move_messages(now, &[one], attic).expect("moved");
    two.here.sync_all();
    let moved = two.here.engine.move_messages(now, &[two.id(2), one], inbox);
    assert!(matches!(moved, Err(Error::Invalid { what: "message", .. })), "{moved:?}");
    assert_eq!(two.pending(), []);
    // Copied it can be.
    assert_eq!(two.here.engine.copy_messages(now, &[one], inbox).expect("copied").len(), 1);
    // Not here whole.
    two.from.deliver("INBOX", mail(9));
    two.here = two.here.settings(|s| s.bodies = BodyPolicy::None);
    two.here.sync_all();
    let bare = two.id(4);
    let copied = two.here.engine.copy_messages(now, &[bare], inbox);
    assert!(matches!(copied, Err(Error::Invalid { what: "message", .. })), "{copied:?}");
    // To a mailbox of the other's device it goes at once.
    let local = NewMailbox::named("Kept").local();
    let kept = two.there.engine.create_mailbox(now, two.there.account, local).expect("made");
    let second = two.id(2);
    assert_eq!(two.here.engine.move_messages(now, &[second], kept).expect("moved"), 1);
    two.sync();
    assert_eq!(two.pending(), []);
    assert_eq!(two.from.audit().places("<m2@example.org>").len(), 0);
    assert_eq!(two.there.engine.mailbox(kept).expect("it is there").total, 1);
    two.there.assert_in_step();
}
