//! A commit as a value: taken, run on any thread, handed back.

use crate::error::Result;
use crate::store::SharedStore;
use crate::store::apply::{Outcome, apply};
use crate::store::batch::Batch;
use crate::sync::Next;

/// A commit that is due: a value to run, on any thread.
pub struct Commit {
    pub(crate) store: SharedStore,
    pub(crate) batch: Batch,
    pub(crate) next: Option<Next>,
}

impl Commit {
    /// Makes everything in it durable.
    pub fn run(self) -> CommitDone {
        let now = self.batch.now_wall_ms;
        let batch = self.batch;
        let outcome = self.store.write(now, |w| apply(w, batch)).map(|(mut outcome, commit)| {
            outcome.commit = commit;
            outcome
        });
        CommitDone { outcome, next: self.next }
    }
}

impl std::fmt::Debug for Commit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Commit({} octets)", self.batch.weight())
    }
}

/// A commit that was run.
pub struct CommitDone {
    pub(crate) outcome: Result<Outcome>,
    pub(crate) next: Option<Next>,
}

impl std::fmt::Debug for CommitDone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CommitDone({})", if self.outcome.is_ok() { "durable" } else { "failed" })
    }
}
