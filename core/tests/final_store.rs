//! One history on every target: what it leaves behind, octet for octet.
//!
//! Run natively and as WebAssembly, this prints the same hash of the database and of what it holds (`tests/run wasm`
//! compares them): neither the width of pointers nor anything else of the machine finds its way into a store.

mod support;

use mailkeep::message::ContentHasher;
use mailkeep::{Draft, FlagChange, MemoryStorage, NewMailbox};
use support::host::open;
use support::{Host, Mail, ModelServer, Tier, mail};

fn hash(bytes: &[u8]) -> String {
    let mut hasher = ContentHasher::new();
    hasher.update(bytes);
    hasher.finish().raw.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Two syncs with work of others between them, offline work, and a third.
fn history(tier: Tier, storage: &MemoryStorage) -> Host {
    let server = ModelServer::new(tier);
    server.create_as("Sent", Some("\\Sent"));
    for n in 1..=40 {
        server.deliver("INBOX", Mail::new(n).attachment(n as usize * 300).build());
    }
    server.deliver_with("Sent", mail(50), &["\\Seen", "work"], None);
    let engine = open(storage.clone()).expect("memory opens");
    let mut host = Host::with_engine(engine, &server);
    host.sync_all();
    server.deliver("INBOX", mail(60));
    server.change().mailbox("INBOX").expunge(&[3, 4, 5]);
    host.sync_all();
    let inbox = host.inbox();
    let now = host.now;
    let rows = host.engine.messages(inbox, None, 10).expect("a page").rows;
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let change = FlagChange::default().set("\\Flagged").set("todo");
    host.engine.set_flags(now, &ids[..3], &change).expect("here");
    let made = host.engine.create_mailbox(now, host.account, NewMailbox::named("Made")).expect("a new name");
    host.engine.move_messages(now, &ids[3..6], made).expect("here");
    host.engine.append(now, made, Draft::new(mail(70)).flag("\\Draft")).expect("a message");
    host.sync_all();
    host
}

#[test]
fn a_history_leaves_the_same_store_everywhere() {
    for tier in Tier::ALL {
        let storage = MemoryStorage::new();
        let host = history(tier, &storage);
        let held = format!("{:?}", host.snapshot());
        host.engine.close();
        drop(host);
        let again = MemoryStorage::new();
        let host = history(tier, &again);
        assert_eq!(format!("{:?}", host.snapshot()), held, "{tier:?}: the same twice");
        host.engine.close();
        let bytes = storage.to_bytes();
        assert_eq!(hash(&again.to_bytes()), hash(&bytes), "{tier:?}: octet for octet");
        eprintln!("final store, {tier:?}: holds {}", hash(held.as_bytes()));
        eprintln!("final store, {tier:?}: {} octets, {}", bytes.len(), hash(&bytes));
    }
}
