//! A commit as an object: taken, run on any thread, handed back.

use std::sync::{Arc, Mutex, PoisonError};

use mailkeep::CommitDone;

use crate::error::{MailkeepError, Result};
use crate::guard::Guard;

/// A commit that is due. Run it, on any thread, and hand it to the connection's `step_commit`.
#[derive(uniffi::Object)]
pub struct Commit {
    guard: Arc<Guard>,
    state: Mutex<State>,
}

enum State {
    Due(mailkeep::Commit),
    /// It is being run, or was handed back.
    Taken,
    Done(CommitDone),
}

impl Commit {
    pub(crate) fn new(guard: Arc<Guard>, commit: mailkeep::Commit) -> Commit {
        Commit { guard, state: Mutex::new(State::Due(commit)) }
    }

    fn replace(&self, with: State) -> State {
        std::mem::replace(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner), with)
    }

    /// The outcome, where it was run and has not been handed back.
    pub(crate) fn take_done(&self) -> Option<CommitDone> {
        match self.replace(State::Taken) {
            State::Done(done) => Some(done),
            other => {
                self.replace(other);
                None
            }
        }
    }
}

#[uniffi::export]
impl Commit {
    /// Makes everything in it durable. How it went the connection says when it is handed back.
    ///
    /// Errors: Misuse where it was run before.
    pub fn run(&self) -> Result<()> {
        match self.replace(State::Taken) {
            State::Due(commit) => {
                let done = self.guard.catch(|| commit.run())?;
                self.replace(State::Done(done));
                self.guard.tell_woken();
                Ok(())
            }
            other => {
                self.replace(other);
                Err(MailkeepError::from(mailkeep::Error::Misuse("the commit was run before")))
            }
        }
    }
}
