//! A far side: what a host syncs with, and what a test does there as another client.
//!
//! There are two: the model ([`ModelServer`]), which can be told to misbehave, and the project's own server over an
//! engine of its own ([`OwnServer`](super::OwnServer)). What is written over [`FarSide`] runs over both:
//!
//! ```text
//! both! { a_test, another_test }
//!
//! fn a_test<S: FarSide>() { … }
//! ```

use std::rc::Rc;

use super::host::Peer;
use super::model::flags::Change;
use super::model::{Audit, By, Cut, Fault, ModelServer, Tier};
use super::snapshot::{Snapshot, model_snapshot};

/// A server with one user's mail. Handles on it are the same server.
pub trait FarSide: 'static {
    /// With an empty INBOX, and no capabilities but these. What a side cannot do it does not offer.
    fn with_capabilities(words: &str) -> Self
    where
        Self: Sized;

    fn new(tier: Tier) -> Self
    where
        Self: Sized,
    {
        Self::with_capabilities(tier.capabilities())
    }

    /// Another handle.
    fn handle(&self) -> Rc<dyn FarSide>;

    /// A new connection, with its greeting on the way.
    fn peer(&self) -> Box<dyn Peer>;

    // What another client does. The mailboxes and messages that are named are there.

    /// Makes a mailbox and subscribes to it.
    fn create_as(&self, name: &str, special_use: Option<&'static str>);
    fn delete(&self, name: &str);
    /// With the mailboxes below it, and with subscriptions.
    fn rename(&self, from: &str, to: &str);
    fn subscribe(&self, name: &str, on: bool);
    /// A message with flags, at a time or, without one, a minute after the last.
    fn deliver_with(&self, mailbox: &str, raw: Vec<u8>, flags: &[&str], at_ms: Option<i64>) -> u32;
    fn set_flags(&self, mailbox: &str, uid: u32, flags: &[&str]);
    /// Adds and removes flags of a message that may be gone.
    fn change_flags(&self, mailbox: &str, uid: u32, change: Change, flags: &[&str]);
    fn expunge(&self, mailbox: &str, uids: &[u32]);
    fn copy(&self, from: &str, uid: u32, to: &str) -> u32;
    fn move_message(&self, from: &str, uid: u32, to: &str) -> u32;

    fn create(&self, name: &str) {
        self.create_as(name, None);
    }

    fn deliver(&self, mailbox: &str, raw: Vec<u8>) -> u32 {
        self.deliver_with(mailbox, raw, &[], None)
    }

    // What another client tries, and what comes of it.

    fn try_create(&self, name: &str) -> Result<(), String>;
    fn try_rename(&self, from: &str, to: &str) -> Result<(), String>;
    fn try_delete(&self, name: &str) -> Result<(), String>;

    /// A mailbox gets a new UIDVALIDITY, and its messages new UIDs from 1 in the same order. Others may, too.
    fn reset_uid_validity(&self, mailbox: &str);

    /// The same in another order, where the server can.
    fn shuffle_uids(&self, mailbox: &str, seed: u64) {
        let _ = seed;
        self.reset_uid_validity(mailbox);
    }

    /// Expunges so far are forgotten, as RFC 7162 §3.2.5.1 lets a server do. Whether the server can be brought to it.
    fn forget_expunges(&self, mailbox: &str) -> bool {
        let _ = mailbox;
        false
    }

    // What there is, and what was said.

    /// Mailboxes that can be opened, in the order in which they were made.
    fn names(&self) -> Vec<String>;
    fn uids(&self, mailbox: &str) -> Vec<u32>;
    /// Everything there is, and everything that came and went.
    fn audit(&self) -> Audit;
    /// What there is in the terms of a store, without roles, ids and previews.
    fn snapshot(&self) -> Snapshot;
    /// What must hold of a server at any time.
    fn assert_sound(&self);
    /// The commands since the last look, without their tags.
    fn take_log(&self) -> Vec<String>;
    /// Whether a command with such a word came since the last look.
    fn heard(&self, word: &str) -> bool;
    /// Octets of whole messages sent since the last look.
    fn take_body_octets(&self) -> u64;
    /// What clients did that was not offered.
    fn violations(&self) -> Vec<String>;

    // What goes wrong with connections.

    /// A fault for the n-th command of a kind from now, counted from 1, as [`ModelServer::fault`] says. The own server
    /// does nothing by half.
    fn fault(&self, kind: &str, nth: u32, fault: Fault);
    /// Where the following connections break, one entry for each.
    fn cut_connections(&self, cuts: &[Option<Cut>]);
    /// Nothing goes wrong any more.
    fn calm(&self);
    /// What went wrong so far: the command and the fault.
    fn happened(&self) -> Vec<(String, Fault)>;
}

impl FarSide for ModelServer {
    fn with_capabilities(words: &str) -> ModelServer {
        ModelServer::with_capabilities(words)
    }

    fn new(tier: Tier) -> ModelServer {
        ModelServer::new(tier)
    }

    fn handle(&self) -> Rc<dyn FarSide> {
        Rc::new(self.clone())
    }

    fn peer(&self) -> Box<dyn Peer> {
        Box::new(self.session())
    }

    fn create_as(&self, name: &str, special_use: Option<&'static str>) {
        self.create_as(name, special_use);
    }

    fn delete(&self, name: &str) {
        self.delete(name);
    }

    fn rename(&self, from: &str, to: &str) {
        self.rename(from, to);
    }

    fn subscribe(&self, name: &str, on: bool) {
        self.subscribe(name, on);
    }

    fn deliver_with(&self, mailbox: &str, raw: Vec<u8>, flags: &[&str], at_ms: Option<i64>) -> u32 {
        self.deliver_with(mailbox, raw, flags, at_ms)
    }

    fn set_flags(&self, mailbox: &str, uid: u32, flags: &[&str]) {
        self.set_flags(mailbox, uid, flags);
    }

    fn change_flags(&self, mailbox: &str, uid: u32, change: Change, flags: &[&str]) {
        self.change_flags(mailbox, uid, change, flags);
    }

    fn expunge(&self, mailbox: &str, uids: &[u32]) {
        self.expunge(mailbox, uids);
    }

    fn copy(&self, from: &str, uid: u32, to: &str) -> u32 {
        self.copy(from, uid, to)
    }

    fn move_message(&self, from: &str, uid: u32, to: &str) -> u32 {
        self.move_message(from, uid, to)
    }

    fn try_create(&self, name: &str) -> Result<(), String> {
        self.change().create_mailbox(name, None)
    }

    fn try_rename(&self, from: &str, to: &str) -> Result<(), String> {
        self.change().rename_mailbox(from, to, By::Other)
    }

    fn try_delete(&self, name: &str) -> Result<(), String> {
        self.change().delete_mailbox(name, By::Other).map(drop)
    }

    fn reset_uid_validity(&self, mailbox: &str) {
        self.reset_uid_validity(mailbox);
    }

    fn shuffle_uids(&self, mailbox: &str, seed: u64) {
        self.shuffle_uids(mailbox, seed);
    }

    fn forget_expunges(&self, mailbox: &str) -> bool {
        self.forget_expunges(mailbox);
        true
    }

    fn names(&self) -> Vec<String> {
        self.look().boxes.iter().filter(|b| b.selectable).map(|b| b.name.clone()).collect()
    }

    fn uids(&self, mailbox: &str) -> Vec<u32> {
        self.uids(mailbox)
    }

    fn audit(&self) -> Audit {
        self.audit()
    }

    fn snapshot(&self) -> Snapshot {
        model_snapshot(self)
    }

    fn assert_sound(&self) {
        self.assert_sound();
    }

    fn take_log(&self) -> Vec<String> {
        self.take_log()
    }

    fn heard(&self, word: &str) -> bool {
        self.look().log.iter().any(|line| line.contains(word))
    }

    fn take_body_octets(&self) -> u64 {
        self.take_body_octets()
    }

    fn violations(&self) -> Vec<String> {
        self.look().violations.clone()
    }

    fn fault(&self, kind: &str, nth: u32, fault: Fault) {
        self.fault(kind, nth, fault);
    }

    fn cut_connections(&self, cuts: &[Option<Cut>]) {
        self.cut_connections(cuts.iter().copied());
    }

    fn calm(&self) {
        self.calm();
    }

    fn happened(&self) -> Vec<(String, Fault)> {
        self.look().trouble.happened.clone()
    }
}

/// Makes two tests of each function: one over the model, one over the project's own server.
#[macro_export]
macro_rules! both {
    ($($name:ident),+ $(,)?) => {
        mod over_the_model {
            $(#[test] fn $name() { super::$name::<$crate::support::ModelServer>(); })+
        }
        mod over_the_own_server {
            $(#[test] fn $name() { super::$name::<$crate::support::OwnServer>(); })+
        }
    };
}
