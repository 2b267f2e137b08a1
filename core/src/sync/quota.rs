//! What an account may hold (RFC 9208), and what its user may do (RFC 4314).

use crate::error::Result;
use crate::event::Event;
use crate::imap::command::Command;
use crate::imap::response;
use crate::model::Quota;
use crate::store::batch::{AccountFact, Op, StateFact};
use crate::store::query;
use crate::sync::{Driver, Purpose};

/// Limits that are kept of one account.
const MOST_QUOTAS: usize = 32;
/// Longest name of a root or a resource that is kept, in octets.
const LONGEST_NAME: usize = 255;

impl Driver {
    /// Asks for the quotas of what INBOX belongs to, in the flight of something else.
    pub(super) fn ask_quota(&mut self) -> Result<()> {
        self.quotas.clear();
        if !self.capabilities.has("QUOTA") {
            return Ok(());
        }
        self.out.send(&Command::GetQuotaRoot(b"INBOX".to_vec()), Purpose::Aside)
    }

    pub(super) fn learn_quota(&mut self, quota: &response::Quota<'_>) {
        let root = quota.root.lossy();
        for resource in quota.resources() {
            let name = String::from_utf8_lossy(resource.name).to_ascii_uppercase();
            if self.quotas.len() < MOST_QUOTAS && root.len() <= LONGEST_NAME && name.len() <= LONGEST_NAME {
                self.quotas.retain(|q| (q.root.as_str(), q.resource.as_str()) != (&*root, &*name));
                let (usage, limit) = (resource.usage, resource.limit);
                self.quotas.push(Quota { root: root.clone().into(), resource: name, usage, limit });
            }
        }
    }

    /// Keeps what was told, and warns where a limit is near and nearer than before.
    pub(super) fn keep_quotas(&mut self) -> Result<()> {
        if self.quotas.is_empty() {
            return Ok(());
        }
        let quotas = std::mem::take(&mut self.quotas);
        let before = query::account(&self.store.read()?.tables, self.account)?.quotas;
        let level = self.settings.quota_warning;
        for quota in &quotas {
            let same = |q: &&Quota| (&q.root, &q.resource) == (&quota.root, &quota.resource);
            let told = before.iter().find(same).map_or(0, Quota::percent);
            if level > 0 && quota.percent() >= level && quota.percent() > told {
                self.events.push_back(Event::QuotaWarning { quota: quota.clone() });
            }
        }
        if quotas != before {
            self.batch.push(Op::Account(AccountFact { quotas: Some(quotas), ..AccountFact::default() }));
        }
        Ok(())
    }

    pub(super) fn learn_rights(&mut self, wire_name: &[u8], rights: &[u8]) -> Result<()> {
        let Some(mailbox) = self.selected.mailbox else { return Ok(()) };
        let record = query::mailbox(&self.store.read()?.tables, mailbox)?;
        if record.wire_name == wire_name && rights.len() <= LONGEST_NAME {
            let rights = Some(Some(String::from_utf8_lossy(rights).into_owned()));
            let state = StateFact { rights, ..StateFact::default() };
            self.batch.push(Op::State { mailbox, state });
        }
        Ok(())
    }
}
