//! What happened in how many simulations: a run that never met a case proves nothing about it.

use std::collections::BTreeMap;

/// Counters by name.
#[derive(Debug, Clone, Default)]
pub struct Counts(pub BTreeMap<String, u64>);

impl Counts {
    pub fn add(&mut self, what: impl Into<String>) {
        self.add_many(what, 1);
    }

    pub fn add_many(&mut self, what: impl Into<String>, n: u64) {
        *self.0.entry(what.into()).or_default() += n;
    }

    pub fn merge(&mut self, other: &Counts) {
        for (what, n) in &other.0 {
            self.add_many(what.clone(), *n);
        }
    }

    pub fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// As lines, for a person.
    pub fn table(&self) -> String {
        self.0.iter().map(|(what, n)| format!("{n:>9}  {what}\n")).collect()
    }
}
