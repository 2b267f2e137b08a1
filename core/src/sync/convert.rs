//! Mail that was brought along from another server, met at little cost: Message-ID, size and date of each.

use hashbrown::HashMap;

use crate::error::Result;
use crate::flags::FlagSet;
use crate::imap::command::{Command, FetchItem, NumberSet, Section};
use crate::message;
use crate::store::batch::{MessageFact, Op};
use crate::store::convert::{Brought, Mark, brought};
use crate::store::query;
use crate::sync::mailbox::take_some;
use crate::sync::{Driver, Purpose};

/// Messages that one command asks the marks of.
const AT_ONCE: u64 = 2_000;
/// One server gives one message a final CRLF over one protocol and none over the other.
const SIZE_TOLERANCE: u64 = 2;

/// What was told of one message.
#[derive(Debug)]
pub(crate) struct Glimpse {
    pub(crate) flags: FlagSet,
    pub(crate) modseq: Option<u64>,
    pub(crate) internal_date: Option<i64>,
    pub(crate) size: u64,
    pub(crate) header: Vec<u8>,
}

impl Driver {
    /// Whether what is new here may have been brought along.
    pub(super) fn is_converting(&self) -> Result<bool> {
        Ok(query::account(&self.store.read()?.tables, self.account)?.converting)
    }

    /// Asks for the marks of everything that is new in the open mailbox. Returns whether anything was asked.
    pub(super) fn ask_marks(&mut self) -> Result<bool> {
        let mut items =
            vec![FetchItem::Uid, FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size];
        if self.capabilities.condstore() && !self.selected.no_modseq && self.selected.highest_modseq != 0 {
            items.push(FetchItem::ModSeq);
        }
        let fields = vec!["MESSAGE-ID".to_owned(), "DATE".to_owned()];
        items.push(FetchItem::Peek { section: Section::HeaderFields(fields), partial: None });
        let Some(pass) = &mut self.mailbox_pass else { return Ok(false) };
        let mut left = std::mem::take(&mut pass.meta_queue);
        pass.glimpsed = Some(HashMap::new());
        pass.unglimpsed = left.clone();
        while !left.is_empty() {
            let (uids, rest) = take_some(&left, AT_ONCE);
            left = rest;
            let set = NumberSet::Set(uids);
            let fetch =
                Command::Fetch { uid: true, set, items: items.clone(), changed_since: None, partial: None };
            self.out.send(&fetch, Purpose::Marks)?;
        }
        Ok(self.waiting_for(|p| matches!(p, Purpose::Marks)) > 0)
    }

    /// Every mark is here: what is plainly the same on both sides is matched, the rest is looked at more closely.
    pub(super) fn match_marks(&mut self) -> Result<()> {
        let mut waiting = brought(&self.store.read()?.tables, self.account)?;
        let limits = self.limits;
        let Some(pass) = &mut self.mailbox_pass else { return Ok(()) };
        let mailbox = pass.mailbox;
        let glimpsed = pass.glimpsed.take().unwrap_or_default();
        let mut unknown = std::mem::take(&mut pass.unglimpsed);
        let mut by_mark: HashMap<Mark, Vec<(u32, Glimpse)>> = HashMap::new();
        for (uid, glimpse) in glimpsed {
            let summary = message::read_header(&glimpse.header, &limits).summary;
            if let Some(name) = summary.message_id {
                by_mark.entry((name, summary.date_ms)).or_default().push((uid, glimpse));
            }
        }
        let mut met: Vec<(u32, Glimpse, Brought)> = Vec::new();
        for (mark, mut there) in by_mark {
            let Some(here) = waiting.remove(&mark) else { continue };
            there.sort_by_key(|(uid, _)| *uid);
            met.extend(pairs(there, here));
        }
        met.sort_by_key(|(uid, ..)| *uid);
        for (uid, glimpse, brought) in met {
            unknown.remove(uid);
            self.selected.known.insert(uid);
            self.selected.unknown.remove(uid);
            let fact = MessageFact {
                enter: true,
                brought: Some(brought.id),
                flags: Some(glimpse.flags),
                modseq: glimpse.modseq,
                internal_date: glimpse.internal_date,
                size: Some(glimpse.size),
                ..MessageFact::new(mailbox, uid)
            };
            self.batch.push(Op::Message(Box::new(fact)));
        }
        if let Some(pass) = &mut self.mailbox_pass {
            pass.meta_queue = unknown;
            pass.total = pass.meta_queue.len();
        }
        Ok(())
    }

    pub(super) fn is_glimpse(&self, uid: u32) -> bool {
        let pass = self.mailbox_pass.as_ref();
        pass.is_some_and(|p| p.glimpsed.is_some() && p.unglimpsed.contains(uid))
    }

    pub(super) fn glimpse(&mut self, uid: u32, glimpse: Glimpse) {
        if let Some(glimpsed) = self.mailbox_pass.as_mut().and_then(|p| p.glimpsed.as_mut()) {
            glimpsed.insert(uid, glimpse);
        }
    }
}

/// What is plainly the same among messages of one mark: as many of one size on either side, and those here alike to the byte, so that
/// it does not matter which is which.
fn pairs(there: Vec<(u32, Glimpse)>, here: Vec<Brought>) -> Vec<(u32, Glimpse, Brought)> {
    let fits = |a: u64, b: u64| a.abs_diff(b) <= SIZE_TOLERANCE;
    let sizes: Vec<u64> = there.iter().map(|(_, g)| g.size).collect();
    let mut free: Vec<bool> = vec![true; here.len()];
    let mut found = Vec::new();
    for (uid, glimpse) in there {
        let mine: Vec<usize> = (0..here.len()).filter(|i| fits(here[*i].size, glimpse.size)).collect();
        let alike = mine.windows(2).all(|two| here[two[0]].content == here[two[1]].content);
        let rivals = sizes.iter().filter(|size| fits(**size, glimpse.size)).count();
        let next = mine.iter().copied().find(|i| free[*i]).filter(|_| alike && rivals == mine.len());
        if let Some(at) = next {
            free[at] = false;
            found.push((uid, glimpse, here[at].clone()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Glimpse, pairs};
    use crate::flags::FlagSet;
    use crate::ids::{ContentId, MessageId};
    use crate::store::convert::Brought;

    fn there(uid: u32, size: u64) -> (u32, Glimpse) {
        let glimpse = Glimpse {
            flags: FlagSet::default(),
            modseq: None,
            internal_date: None,
            size,
            header: Vec::new(),
        };
        (uid, glimpse)
    }

    fn here(id: u64, content: u64, size: u64) -> Brought {
        Brought { id: MessageId(id), content: ContentId(content), size }
    }

    fn matched(far: &[(u32, u64)], near: &[(u64, u64, u64)]) -> Vec<(u32, u64)> {
        let far = far.iter().map(|(uid, size)| there(*uid, *size)).collect();
        let near = near.iter().map(|(id, content, size)| here(*id, *content, *size)).collect();
        pairs(far, near).into_iter().map(|(uid, _, brought)| (uid, brought.id.0)).collect()
    }

    #[test]
    fn only_what_is_plainly_the_same_is_matched() {
        assert_eq!(matched(&[(7, 100)], &[(1, 1, 102)]), [(7, 1)], "a final line end more");
        assert_eq!(matched(&[(7, 100)], &[(1, 1, 103)]), []);
        assert_eq!(
            matched(&[(7, 100), (8, 100)], &[(1, 1, 100), (2, 1, 100)]),
            [(7, 1), (8, 2)],
            "duplicates"
        );
        assert_eq!(matched(&[(7, 100), (8, 100)], &[(1, 1, 100), (2, 2, 100)]), [], "of unlike content");
        assert_eq!(matched(&[(7, 100), (8, 100)], &[(1, 1, 100)]), [], "two there, one here");
        assert_eq!(matched(&[(7, 100)], &[(1, 1, 100), (2, 1, 100)]), [], "one there, two here");
        assert_eq!(matched(&[(7, 100), (8, 200)], &[(1, 1, 200), (2, 2, 100)]), [(7, 2), (8, 1)]);
    }
}
