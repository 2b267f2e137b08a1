//! SEARCH, SORT and THREAD in the selected mailbox (RFC 9051 §6.4.4, RFC 5256, RFC 4731, RFC 5182, RFC 9394).

use std::borrow::Cow;
use std::cell::OnceCell;

use super::answer::{Answer, Outcome};
use super::backend::{Backend, Facts, Refusal, Row, Users};
use super::fetching::part_of;
use super::selected::{PAGE, Selected};
use super::session::Session;
use crate::flags::FlagSet;
use crate::ids::MailboxId;
use crate::imap::command::SearchKey;
use crate::imap::server::command::{Command, SearchReturn, ThreadAlgorithm};
use crate::imap::server::response::{Esearch, Response};
use crate::imap::server::search::{Context, Search, Subject, asks_modseq};
use crate::imap::server::sort::{Sorted, sort};
use crate::imap::server::thread::{Threaded, ordered_subject, references};
use crate::set::UidSet;

/// Octets of one message that are searched.
const SEARCHED: u64 = 64 << 20;

/// A message that was found.
struct Hit {
    seq: u32,
    uid: u32,
    modseq: u64,
}

impl<U: Users> Session<U> {
    pub(super) fn find(&mut self, tag: &str, command: &Command) -> Outcome {
        match command {
            Command::Search { uid, returns, criteria } => self.search(tag, *uid, *returns, criteria),
            Command::Sort { uid, returns, keys, criteria } => self.sort(tag, *uid, *returns, keys, criteria),
            Command::Thread { uid, algorithm, criteria } => self.thread(*uid, *algorithm, criteria),
            _ => Err(Answer::bad("SEARCH")),
        }
    }

    fn search(
        &mut self,
        tag: &str,
        uid: bool,
        returns: Option<SearchReturn>,
        criteria: &[SearchKey],
    ) -> Outcome {
        let saves = returns.is_some_and(|returns| returns.save);
        let found = self.matching(criteria, |subject| {
            Ok(Hit { seq: subject.seq(), uid: subject.uid(), modseq: subject.modseq() })
        });
        let found = match found {
            Ok(found) => found,
            Err(answer) => {
                // RFC 5182 §2.1: a search that failed leaves nothing saved.
                if saves
                    && let Ok(user) = self.user_mut()
                    && let Some(selected) = &mut user.selected
                {
                    selected.saved = UidSet::new();
                }
                return Err(answer);
            }
        };
        let with_modseq = asks_modseq(criteria);
        if with_modseq {
            self.enable_condstore()?;
        }
        let number = |hit: &Hit| if uid { hit.uid } else { hit.seq };
        let numbers: Vec<u32> = found.iter().map(number).collect();
        let rev2 = self.user()?.enabled.rev2;
        let Some(returns) = returns.or(rev2.then_some(SearchReturn { all: true, ..SearchReturn::default() }))
        else {
            let modseq = found.iter().map(|hit| hit.modseq).max().filter(|_| with_modseq);
            self.put(&Response::Search { numbers: &numbers, modseq });
            return Ok(Answer::ok("done"));
        };
        let whole = returns.all || returns.count || returns.partial.is_some();
        if saves {
            self.save(&returns, &found, whole)?;
        }
        let (first, last) = (found.first(), found.last());
        let ends = [first.filter(|_| returns.min), last.filter(|_| returns.max)];
        let modseqs: Vec<u64> = match whole || !(returns.min || returns.max) {
            true => found.iter().map(|hit| hit.modseq).collect(),
            // RFC 7162 §3.1.6: where only the ends are told, theirs.
            false => ends.iter().flatten().map(|hit| hit.modseq).collect(),
        };
        let all: UidSet = numbers.iter().copied().collect();
        if returns == (SearchReturn { save: true, ..SearchReturn::default() }) {
            return Ok(Answer::ok("saved"));
        }
        self.put(&Response::Esearch(Esearch {
            tag,
            uid,
            min: ends[0].map(number),
            max: ends[1].map(number),
            all: Some(&all).filter(|_| returns.all),
            all_sorted: None,
            count: returns.count.then_some(found.len() as u32),
            modseq: modseqs.into_iter().max().filter(|_| with_modseq),
            partial: returns.partial.map(|range| (range, part_of(&numbers, range))),
        }));
        Ok(Answer::ok("done"))
    }

    /// What SAVE saves (RFC 5182 §2.4): all, or only the ends where only those were asked.
    fn save(&mut self, returns: &SearchReturn, found: &[Hit], whole: bool) -> Result<(), Answer> {
        let only_ends = (returns.min || returns.max) && !whole;
        let saved: UidSet = match only_ends {
            true => {
                let min = found.first().filter(|_| returns.min);
                let max = found.last().filter(|_| returns.max);
                min.into_iter().chain(max).map(|hit| hit.uid).collect()
            }
            false => match returns.partial {
                Some(range) => part_of(found, range).iter().map(|hit| hit.uid).collect(),
                None => found.iter().map(|hit| hit.uid).collect(),
            },
        };
        if let Some(selected) = &mut self.user_mut()?.selected {
            selected.saved = saved;
        }
        Ok(())
    }

    fn sort(
        &mut self,
        tag: &str,
        uid: bool,
        returns: Option<SearchReturn>,
        keys: &[crate::imap::server::command::SortKey],
        criteria: &[SearchKey],
    ) -> Outcome {
        if returns.is_some_and(|returns| returns.save) {
            return Err(Answer::bad("SORT saves nothing"));
        }
        let mut found = self.matching(criteria, |subject| Sorted::new(subject, keys))?;
        sort(&mut found, keys);
        let numbers: Vec<u32> = found.iter().map(|m| if uid { m.uid() } else { m.seq() }).collect();
        match returns {
            None => self.put(&Response::Sort { numbers: &numbers, modseq: None }),
            Some(returns) => self.put(&Response::Esearch(Esearch {
                tag,
                uid,
                min: numbers.first().copied().filter(|_| returns.min),
                max: numbers.last().copied().filter(|_| returns.max),
                all: None,
                all_sorted: Some(numbers.as_slice()).filter(|_| returns.all),
                count: returns.count.then_some(numbers.len() as u32),
                modseq: None,
                partial: returns.partial.map(|range| (range, part_of(&numbers, range))),
            })),
        }
        Ok(Answer::ok("done"))
    }

    fn thread(&mut self, uid: bool, algorithm: ThreadAlgorithm, criteria: &[SearchKey]) -> Outcome {
        let found = self.matching(criteria, |subject| {
            Threaded::new(subject, if uid { subject.uid() } else { subject.seq() })
        })?;
        let threads = match algorithm {
            ThreadAlgorithm::OrderedSubject => ordered_subject(&found),
            ThreadAlgorithm::References => references(&found),
        };
        self.put(&Response::Thread(&threads));
        Ok(Answer::ok("done"))
    }

    /// What `each` makes of every message that the criteria hold for, in the order of the mailbox.
    fn matching<T>(
        &self,
        criteria: &[SearchKey],
        each: impl Fn(&Looked<'_, U::Backend>) -> Result<T, Refusal>,
    ) -> Result<Vec<T>, Answer> {
        let (backend, selected) = (self.backend()?, self.selected()?);
        let last_seq = selected.uids.len() as u32;
        let context = Context {
            last_seq,
            last_uid: selected.uids.last().copied().unwrap_or(0),
            saved: &selected.saved,
            wall_ms: self.now.wall_ms,
            save_dates: true,
        };
        let search = Search::new(criteria, &context);
        // Where the criteria name messages, no others are looked at.
        let uids = match search.within() {
            (Some(uids), _) => Cow::Owned(selected.within(uids)),
            (None, Some(seqs)) => Cow::Owned(
                seqs.iter().filter_map(|seq| selected.uids.get(seq as usize - 1).copied()).collect(),
            ),
            (None, None) => Cow::Borrowed(&selected.uids),
        };
        let mut found = Vec::new();
        let mut rows = std::collections::VecDeque::new();
        for (at, &uid) in uids.iter().enumerate() {
            while rows.front().is_some_and(|row: &Row| row.uid < uid) {
                rows.pop_front();
            }
            if rows.is_empty() {
                rows = backend.rows(selected.id, uid, PAGE.min(uids.len() - at))?.into();
            }
            // What went meanwhile matches nothing.
            let Some(row) = rows.pop_front_if(|row| row.uid == uid) else { continue };
            let Some(seq) = selected.seq(uid) else { continue };
            let subject = Looked::new(backend, selected, row, seq);
            if search.matches(&subject)? {
                found.push(each(&subject)?);
            }
        }
        Ok(found)
    }
}

/// A message that is looked at; what it costs something to get is got once.
struct Looked<'b, B> {
    backend: &'b B,
    mailbox: MailboxId,
    row: Row,
    seq: u32,
    recent: bool,
    facts: OnceCell<Facts>,
    header: OnceCell<Vec<u8>>,
    message: OnceCell<Vec<u8>>,
}

impl<'b, B: Backend> Looked<'b, B> {
    fn new(backend: &'b B, selected: &Selected, row: Row, seq: u32) -> Looked<'b, B> {
        let (mailbox, recent) = (selected.id, selected.recent.contains(row.uid));
        let (facts, header, message) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Looked { backend, mailbox, row, seq, recent, facts, header, message }
    }

    fn facts(&self) -> Result<&Facts, Refusal> {
        once(&self.facts, || Ok(self.backend.facts(self.mailbox, self.row.uid)?.unwrap_or_default()))
    }
}

fn once<T>(cell: &OnceCell<T>, get: impl FnOnce() -> Result<T, Refusal>) -> Result<&T, Refusal> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = get()?;
    Ok(cell.get_or_init(|| value))
}

impl<B: Backend> Subject for Looked<'_, B> {
    type Error = Refusal;

    fn uid(&self) -> u32 {
        self.row.uid
    }

    fn seq(&self) -> u32 {
        self.seq
    }

    fn flags(&self) -> Cow<'_, FlagSet> {
        Cow::Borrowed(&self.row.flags)
    }

    fn is_recent(&self) -> bool {
        self.recent
    }

    fn modseq(&self) -> u64 {
        self.row.modseq
    }

    fn size(&self) -> Result<u64, Refusal> {
        Ok(self.facts()?.size)
    }

    fn internal_date(&self) -> Result<i64, Refusal> {
        Ok(self.facts()?.internal_date)
    }

    fn save_date(&self) -> Result<Option<i64>, Refusal> {
        Ok(self.facts()?.save_date)
    }

    fn email_id(&self) -> Result<Cow<'_, str>, Refusal> {
        Ok(Cow::Borrowed(&self.facts()?.email_id))
    }

    fn thread_id(&self) -> Result<Option<Cow<'_, str>>, Refusal> {
        Ok(self.facts()?.thread_id.as_deref().map(Cow::Borrowed))
    }

    fn header(&self) -> Result<Cow<'_, [u8]>, Refusal> {
        let header =
            once(&self.header, || Ok(self.backend.header(self.mailbox, self.row.uid)?.unwrap_or_default()))?;
        Ok(Cow::Borrowed(header))
    }

    fn message(&self) -> Result<Cow<'_, [u8]>, Refusal> {
        let message = once(&self.message, || match self.backend.content(self.mailbox, self.row.uid)? {
            Some(content) => Ok(self.backend.read(&content, 0..SEARCHED)?.into_owned()),
            None => Ok(Vec::new()),
        })?;
        Ok(Cow::Borrowed(message))
    }
}
