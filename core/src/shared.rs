//! What the engine and its connections share: the store, the bounds, and who may sync what.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;

use crate::ids::MailboxId;
use crate::limits::Limits;
use crate::store::SharedStore;

/// What the engine and its connections share.
pub(crate) struct Shared {
    pub(crate) store: SharedStore,
    pub(crate) limits: Limits,
    pub(crate) batch_bytes: usize,
    pub(crate) seed: u64,
    pub(crate) held: Mutex<Held>,
}

#[derive(Default)]
pub(crate) struct Held {
    mailboxes: HashMap<MailboxId, u64>,
    connections: u64,
}

impl Shared {
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The mailboxes that one connection alone may sync now. Given back when it goes.
pub(crate) struct Leases {
    shared: Arc<Shared>,
    connection: u64,
    mine: BTreeSet<MailboxId>,
}

impl Leases {
    /// For a new connection: none yet.
    pub(crate) fn new(shared: Arc<Shared>) -> Leases {
        let connection = {
            let mut held = shared.held();
            held.connections += 1;
            held.connections
        };
        Leases { shared, connection, mine: BTreeSet::new() }
    }

    /// Takes a mailbox, unless another connection has it.
    pub(crate) fn take(&mut self, mailbox: MailboxId) -> bool {
        let mut held = self.shared.held();
        let holder = *held.mailboxes.entry(mailbox).or_insert(self.connection);
        if holder == self.connection {
            self.mine.insert(mailbox);
        }
        holder == self.connection
    }

    pub(crate) fn release(&mut self, mailbox: MailboxId) {
        if self.mine.remove(&mailbox) {
            self.shared.held().mailboxes.remove(&mailbox);
        }
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        let mut held = self.shared.held();
        for mailbox in &self.mine {
            held.mailboxes.remove(mailbox);
        }
    }
}
