//! The FIFO gate before the one write transaction.
//!
//! redb has one writer at a time and lets waiters race, so that a busy sync could starve a user's
//! action for seconds. Tickets make the wait fair: whoever comes waits for at most those before.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub(crate) struct Gate {
    tickets: Mutex<Tickets>,
    turn: Condvar,
}

#[derive(Debug, Default)]
struct Tickets {
    next: u64,
    serving: u64,
}

/// Leave to write; the next in line goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    gate: &'a Gate,
}

impl Gate {
    /// Waits for this caller's turn. On one thread there is never a wait, since no pass outlives
    /// the call that took it.
    pub(crate) fn enter(&self) -> Pass<'_> {
        let mut tickets = self.lock();
        let mine = tickets.next;
        tickets.next += 1;
        while tickets.serving != mine {
            tickets = self.turn.wait(tickets).unwrap_or_else(PoisonError::into_inner);
        }
        Pass { gate: self }
    }

    fn lock(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.gate.lock().serving += 1;
        self.gate.turn.notify_all();
    }
}
