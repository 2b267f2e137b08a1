//! A store that is served, and a copy of it that was restored: the copy knows nothing of what the original has told
//! since, and so must not answer under its numbers, not even before anything is written.

use mailkeep::flags::FlagSet;
use mailkeep::sasl::server::Verifier;
use mailkeep::serve::backend::{Appended, Backend, Users};
use mailkeep::serve::{StoredMail, StoredUsers};
use mailkeep::{AccountSettings, Engine, EngineOptions, MailboxId, MemoryStorage, Now};

const WALL: i64 = 1_768_867_200_000;

fn mail(engine: &Engine, wall_ms: i64) -> StoredMail {
    let mail = StoredUsers::new(engine).open("ann").expect("the account is there");
    mail.begin(Now::new(1, wall_ms));
    mail.end();
    mail
}

fn inbox(mail: &StoredMail) -> MailboxId {
    let list = mail.mailboxes().expect("a list");
    list.into_iter().find(|mailbox| mailbox.name == "INBOX").and_then(|mailbox| mailbox.id).expect("INBOX")
}

fn put(mail: &StoredMail, text: &str) {
    let raw = format!("Subject: {text}\r\n\r\n{text}\r\n").into_bytes();
    let message = Appended { upload: raw, flags: FlagSet::default(), internal_date: WALL };
    mail.append(inbox(mail), vec![message], None).expect("put in");
}

#[test]
fn a_restored_copy_has_numbers_of_its_own_from_its_first_answer_on() {
    let engine = Engine::open(MemoryStorage::new(), EngineOptions::new(1)).expect("it opens");
    let account = engine.add_account(AccountSettings::local("ann")).expect("an account");
    let verifier = Verifier::new("secret", [9; 16], 1).expect("a password");
    engine.set_server_password(account, Some(verifier)).expect("the account is there");
    let original = mail(&engine, WALL);
    put(&original, "one");
    put(&original, "two");
    let before = original.status(inbox(&original)).expect("INBOX");
    let place = MemoryStorage::new();
    engine.backup_to(place.clone(), 77).expect("a backup");
    // The original goes on, and tells numbers that the copy does not know of.
    put(&original, "three");

    let copy = Engine::open(place.clone(), EngineOptions::new(2)).expect("the copy opens");
    let served = mail(&copy, WALL + 60_000);
    let after = served.status(inbox(&served)).expect("INBOX");
    assert!(after.uid_validity > before.uid_validity, "{} {}", after.uid_validity, before.uid_validity);
    assert_eq!((after.messages, after.uid_next), (2, 3));
    let rows = served.rows(inbox(&served), 1, 10).expect("rows");
    assert_eq!(rows.iter().map(|row| row.uid).collect::<Vec<_>>(), [1, 2]);
    // And it keeps them.
    put(&served, "four");
    drop(served);
    drop(copy);
    let copy = Engine::open(place, EngineOptions::new(3)).expect("the copy opens");
    let served = mail(&copy, WALL + 120_000);
    let again = served.status(inbox(&served)).expect("INBOX");
    assert_eq!((again.uid_validity, again.messages), (after.uid_validity, 3));
}
