//! Room and upkeep: what a host starts when it has a moment.

use mailkeep::FileStorage;

use crate::engine::Engine;
use crate::error::Result;
use crate::model::{
    ArchiveEntry, ArchiveRule, Evicted, PopServerInfo, RetentionEntry, ShrinkProgress, Stats, VerifyReport,
};
use crate::numbers;

#[uniffi::export]
impl Engine {
    /// What the next sync of a POP3 account would delete from its server at a time, and why: a dry run by the server's last list.
    /// Nothing is changed. Messages that have not come yet are not in it.
    ///
    /// Errors: Gone.
    pub fn retention_plan(&self, account: i64, now_ms: i64) -> Result<Vec<RetentionEntry>> {
        self.call(|engine| {
            let plan = engine.retention_plan(numbers::account(account)?, now_ms)?;
            Ok(plan.into_iter().map(RetentionEntry::from).collect())
        })
    }

    /// What a POP3 account's server said, the last time, of how it keeps mail.
    ///
    /// Errors: Gone.
    pub fn pop_server(&self, account: i64) -> Result<PopServerInfo> {
        self.call(|engine| Ok(engine.pop_server(numbers::account(account)?)?.into()))
    }

    /// What a rule would take from the server, oldest first: nothing is done. Drafts, Trash and Junk stay where they are.
    /// `move_messages` into a mailbox of this device does it.
    ///
    /// Errors: Gone.
    pub fn plan_archive(&self, account: i64, rule: ArchiveRule) -> Result<Vec<ArchiveEntry>> {
        self.call(|engine| {
            let plan = engine.plan_archive(numbers::account(account)?, &rule.into_core())?;
            Ok(plan.into_iter().map(ArchiveEntry::from).collect())
        })
    }

    /// Lets go of message bodies until those that are left take at most `budget` octets, in steps: call it until there is no more,
    /// then `compact` to give the room back. Least lately looked at go first; never a body that only this device has. Headers,
    /// previews and parts stay.
    pub fn evict_bodies(&self, budget: i64) -> Result<Evicted> {
        self.call(|engine| Ok(engine.evict_bodies(numbers::unsigned(budget))?.into()))
    }

    /// Compresses some of the bodies that have not been looked at, about `octets` of them, where that saves room. For when
    /// the app has nothing else to do; call it until it is done, then `compact`. Reads some 30 MB a second.
    pub fn shrink(&self, octets: i64) -> Result<ShrinkProgress> {
        self.call(|engine| Ok(engine.shrink(numbers::unsigned(octets))?.into()))
    }

    /// Gives unused space back, and says whether there was any. Takes about a second a gigabyte, during which nothing else runs.
    pub fn compact(&self) -> Result<bool> {
        self.call(|engine| engine.compact())
    }

    /// Reads everything and says what is not as it should be.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.call(|engine| Ok(engine.verify()?.into()))
    }

    /// Figures about the store.
    pub fn stats(&self) -> Result<Stats> {
        self.call(|engine| Ok(engine.stats()?.into()))
    }

    /// Copies everything, as it is at this moment, into a file that is not there yet or is empty. Syncs go on meanwhile. The copy
    /// has an incarnation of its own, named by the seed.
    ///
    /// Errors: NotADatabase where the file is not empty.
    pub fn backup_to(&self, path: String, seed: i64) -> Result<()> {
        self.call(|engine| engine.backup_to(FileStorage::new(path), seed as u64))
    }
}
