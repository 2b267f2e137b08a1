//! What the engine and its connections share: the store, the bounds, who may sync what, and whom to wake.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::ids::{AccountId, ConnectionId, ContentId, MailboxId};
use crate::limits::Limits;
use crate::serve::backend::MaildropLock;
use crate::store::SharedStore;

/// What a host gives to be called when a connection has something to do because of another.
pub(crate) type Waker = Arc<dyn Fn() + Send + Sync>;

/// What the engine and its connections share.
pub(crate) struct Shared {
    pub(crate) store: SharedStore,
    pub(crate) limits: Limits,
    pub(crate) batch_bytes: usize,
    pub(crate) seed: u64,
    held: Mutex<Held>,
    opened: Mutex<Vec<ContentId>>,
}

/// Contents looked at that are remembered before they are written down.
const MOST_OPENED: usize = 4_096;

#[derive(Default)]
struct Held {
    mailboxes: HashMap<MailboxId, ConnectionId>,
    /// Connections that wanted a mailbox that another had.
    wanted: HashMap<MailboxId, BTreeSet<ConnectionId>>,
    /// Accounts whose journal a connection replays.
    journals: HashMap<AccountId, ConnectionId>,
    /// Connections of each account, and which of them wait for its journal.
    accounts: HashMap<AccountId, BTreeSet<ConnectionId>>,
    to_wake: BTreeSet<ConnectionId>,
    waker: Option<Waker>,
    connections: u32,
    /// Accounts that are served over POP3.
    maildrops: HashMap<AccountId, MaildropLock>,
}

impl Shared {
    pub(crate) fn new(store: SharedStore, limits: Limits, batch_bytes: usize, seed: u64) -> Shared {
        Shared { store, limits, batch_bytes, seed, held: Mutex::default(), opened: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody looks at a content. Reading writes nothing: it is remembered until something does.
    pub(crate) fn note_opened(&self, content: ContentId) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.last() != Some(&content) {
            if opened.len() >= MOST_OPENED {
                opened.remove(0);
            }
            opened.push(content);
        }
    }

    /// What was looked at since the last time, oldest first.
    pub(crate) fn take_opened(&self) -> Vec<ContentId> {
        std::mem::take(&mut *self.opened.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The lock of an account's maildrop, as it is served.
    pub(crate) fn maildrop(&self, account: AccountId) -> MaildropLock {
        self.held().maildrops.entry(account).or_default().clone()
    }

    pub(crate) fn next_wake(&self) -> Option<ConnectionId> {
        self.held().to_wake.pop_first()
    }

    pub(crate) fn set_waker(&self, waker: Option<Waker>) {
        self.held().waker = waker;
    }

    /// Something was done in an account: its connections are woken to replay it.
    pub(crate) fn wake_account(&self, account: AccountId) {
        let mut held = self.held();
        let all = held.accounts.get(&account).cloned().unwrap_or_default();
        held.to_wake.extend(all);
        Shared::call_waker(held);
    }

    fn call_waker(held: MutexGuard<'_, Held>) {
        let waker = if held.to_wake.is_empty() { None } else { held.waker.clone() };
        drop(held);
        // The host's code never runs under a lock of ours.
        if let Some(waker) = waker {
            waker();
        }
    }

    /// Gives mailboxes back, and wakes whoever wanted them.
    fn release(&self, mailboxes: impl Iterator<Item = MailboxId>) {
        let mut held = self.held();
        for mailbox in mailboxes {
            held.mailboxes.remove(&mailbox);
            let wanted = held.wanted.remove(&mailbox).unwrap_or_default();
            held.to_wake.extend(wanted);
        }
        Shared::call_waker(held);
    }
}

/// The mailboxes that one connection alone may sync now. Given back when it goes.
pub(crate) struct Leases {
    shared: Arc<Shared>,
    connection: ConnectionId,
    account: AccountId,
    mine: BTreeSet<MailboxId>,
}

impl Leases {
    /// For a new connection: none yet.
    pub(crate) fn new(shared: Arc<Shared>, account: AccountId) -> Leases {
        let connection = {
            let mut held = shared.held();
            held.connections += 1;
            let connection = ConnectionId(held.connections);
            held.accounts.entry(account).or_default().insert(connection);
            connection
        };
        Leases { shared, connection, account, mine: BTreeSet::new() }
    }

    /// Takes an account's journal, unless another connection replays it: two must never send one message.
    pub(crate) fn take_journal(&mut self, account: AccountId) -> bool {
        let mut held = self.shared.held();
        *held.journals.entry(account).or_insert(self.connection) == self.connection
    }

    /// Gives the journal back. Whoever else could replay looks whether there is more.
    pub(crate) fn release_journal(&mut self) {
        let mut held = self.shared.held();
        if held.journals.get(&self.account) == Some(&self.connection) {
            held.journals.remove(&self.account);
        }
    }

    /// The connection that holds them.
    pub(crate) fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Takes a mailbox, unless another connection has it; then this one is woken when it is free.
    pub(crate) fn take(&mut self, mailbox: MailboxId) -> bool {
        let mut held = self.shared.held();
        let holder = *held.mailboxes.entry(mailbox).or_insert(self.connection);
        if holder == self.connection {
            self.mine.insert(mailbox);
        } else {
            held.wanted.entry(mailbox).or_default().insert(self.connection);
        }
        holder == self.connection
    }

    pub(crate) fn release(&mut self, mailbox: MailboxId) {
        if self.mine.remove(&mailbox) {
            self.shared.release([mailbox].into_iter());
        }
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        {
            let mut held = self.shared.held();
            held.wanted.values_mut().for_each(|wanted| {
                wanted.remove(&self.connection);
            });
            held.to_wake.remove(&self.connection);
            if let Some(all) = held.accounts.get_mut(&self.account) {
                all.remove(&self.connection);
            }
            if held.journals.get(&self.account) == Some(&self.connection) {
                held.journals.remove(&self.account);
                // What it did not finish another may.
                let others = held.accounts.get(&self.account).cloned().unwrap_or_default();
                held.to_wake.extend(others);
            }
        }
        self.shared.release(std::mem::take(&mut self.mine).into_iter());
    }
}
