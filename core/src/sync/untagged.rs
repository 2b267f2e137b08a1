//! Data that the server sends, whether it was asked for or not (RFC 9051 §7).

use crate::error::{Error, Result};
use crate::event::Event;
use crate::imap::capability::Capabilities;
use crate::imap::response::{Data, NamePairs};
use crate::imap::text::SequenceSet;
use crate::set::UidSet;
use crate::store::batch::{AccountFact, Op};
use crate::sync::Driver;

impl Driver {
    pub(super) fn data(&mut self, data: &Data<'_>) -> Result<()> {
        if let Data::Capability(words) = data {
            self.login.capability_data(Capabilities::from_words(words.iter()));
            return Ok(());
        }
        if !self.login.is_authenticated() {
            // A listing before TLS or signing in is an attack or a broken server: it is not believed.
            return Ok(());
        }
        match data {
            Data::Enabled(words) => {
                let words = words.iter().map(|w| String::from_utf8_lossy(w).to_ascii_uppercase());
                if self.enabled.len() < 100 {
                    self.enabled.extend(words.take(50));
                }
            }
            Data::List(entry) => self.listing.entry(entry, &self.limits)?,
            Data::Lsub(entry) => self.listing.subscribed(entry),
            Data::Status(status) => {
                self.listing.status(status);
                self.replay_status(status)?;
                self.watched_status(status)?;
            }
            Data::Exists(n) => self.exists(*n),
            Data::Expunge(seq) if self.selected.mailbox.is_some() => {
                self.selected.expunged(*seq);
                self.news();
            }
            Data::Vanished { earlier, uids } if self.selected.mailbox.is_some() => {
                self.selected.vanished(*earlier, &set_of(uids));
                self.news();
            }
            Data::Fetch(fetch) if self.selected.mailbox.is_some() => self.fetched(fetch)?,
            Data::Search(numbers) => {
                let mut numbers: Vec<u32> = numbers.iter().collect();
                numbers.sort_unstable();
                self.found(&numbers.into_iter().collect());
            }
            Data::Esearch(found) if found.uid => {
                self.found(&found.all.as_ref().map(set_of).unwrap_or_default());
            }
            Data::Id(pairs) => self.learn_server(pairs),
            Data::Quota(quota) => self.learn_quota(quota),
            Data::Namespace(namespace) => self.learn_namespace(namespace),
            Data::MyRights { mailbox, rights } => self.learn_rights(&mailbox.bytes(), &rights.bytes())?,
            _ => {}
        }
        Ok(())
    }

    fn exists(&mut self, n: u32) {
        if self.selected.mailbox.is_some() {
            self.selected.exists = n;
            self.news();
        }
    }

    fn learn_server(&mut self, pairs: &NamePairs<'_>) {
        let mut name = String::new();
        for (key, value) in pairs.iter() {
            let wanted = [b"name".as_slice(), b"version"].iter().any(|k| key.bytes().eq_ignore_ascii_case(k));
            if let (true, Some(value)) = (wanted, value) {
                if !name.is_empty() {
                    name.push(' ');
                }
                name.extend(value.lossy().chars().filter(|c| !c.is_control()).take(100));
            }
        }
        if !name.is_empty() && !std::mem::replace(&mut self.server_named, true) {
            self.batch.push(Op::Account(AccountFact { server: Some(name), ..AccountFact::default() }));
        }
    }

    /// Bytes that cannot be parsed as a response. Data is skipped, since one broken line must not
    /// hide the rest; an answer that cannot be read is the end.
    pub(crate) fn unreadable(&mut self, why: &str, fatal: bool) -> Result<()> {
        if fatal || !self.login.is_authenticated() {
            return Err(Error::Protocol(why.to_owned()));
        }
        // What came in its literals is nobody's: the next answer must not take it for its own.
        self.staging.clear();
        self.selected.doubtful = true;
        self.listing.doubtful = true;
        self.events.push_back(Event::Problem { text: format!("a response could not be read: {why}") });
        Ok(())
    }
}

/// A server's set as ranges, never counted out.
pub(super) fn set_of(set: &SequenceSet<'_>) -> UidSet {
    // In order, since a set grows quickly at its end and a server may send ranges shuffled.
    let mut ranges: Vec<(u32, u32)> = set.ranges().collect();
    ranges.sort_unstable();
    let mut out = UidSet::new();
    for (low, high) in ranges {
        out.insert_range(low, high);
    }
    out
}
