//! Which messages a SEARCH means (RFC 9051 §6.4.4 and the extensions' keys).

use std::borrow::Cow;

use super::fold::Needle;
use crate::flags::{FlagSet, Flags};
use crate::imap::command::{DateField, DateOrder, Day, NumberSet, SearchKey};
use crate::imap::date::civil_from_ms;
use crate::limits::Limits;
use crate::message;
use crate::message::fields::fields;
use crate::set::UidSet;

/// A message as SEARCH, SORT and THREAD look at it. What costs something to get is asked for last.
pub trait Subject {
    /// Why something could not be had.
    type Error;
    /// Its UID.
    fn uid(&self) -> u32;
    /// Its sequence number in this session.
    fn seq(&self) -> u32;
    /// Its flags and keywords.
    fn flags(&self) -> Cow<'_, FlagSet>;
    /// Whether this session was the first to be told of it; nothing here keeps that.
    fn is_recent(&self) -> bool {
        false
    }
    /// Its mod-sequence (RFC 7162).
    fn modseq(&self) -> u64;
    /// Octets.
    ///
    /// # Errors
    /// The store's.
    fn size(&self) -> Result<u64, Self::Error>;
    /// INTERNALDATE in milliseconds since 1970.
    ///
    /// # Errors
    /// The store's.
    fn internal_date(&self) -> Result<i64, Self::Error>;
    /// When it was put into the mailbox, where that is known (RFC 8514).
    ///
    /// # Errors
    /// The store's.
    fn save_date(&self) -> Result<Option<i64>, Self::Error>;
    /// EMAILID (RFC 8474).
    ///
    /// # Errors
    /// The store's.
    fn email_id(&self) -> Result<Cow<'_, str>, Self::Error>;
    /// THREADID, where there is one (RFC 8474).
    ///
    /// # Errors
    /// The store's.
    fn thread_id(&self) -> Result<Option<Cow<'_, str>>, Self::Error>;
    /// Its header, up to the blank line.
    ///
    /// # Errors
    /// The store's.
    fn header(&self) -> Result<Cow<'_, [u8]>, Self::Error>;
    /// All of it.
    ///
    /// # Errors
    /// The store's.
    fn message(&self) -> Result<Cow<'_, [u8]>, Self::Error>;
}

/// What the criteria depend on besides the message.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The highest sequence number, 0 in an empty mailbox.
    pub last_seq: u32,
    /// The highest UID.
    pub last_uid: u32,
    /// The UIDs that the last SEARCH saved (RFC 5182).
    pub saved: &'a UidSet,
    /// Now, in milliseconds since 1970 (RFC 5032).
    pub wall_ms: i64,
    /// Whether save dates are kept (RFC 8514).
    pub save_dates: bool,
}

/// The numbers of a set where the highest is `last`; `$` is what was saved.
///
/// In an empty mailbox `*` names nothing.
pub fn resolve(set: &NumberSet, last: u32, saved: &UidSet) -> UidSet {
    let open = |from: u32| if last == 0 { UidSet::new() } else { UidSet::from_range(from.min(last), last) };
    match set {
        NumberSet::Set(set) => set.clone(),
        NumberSet::From(from) => open(*from),
        NumberSet::Union(set, from) => set.union(&open(*from)),
        NumberSet::Saved => saved.clone(),
    }
}

/// Criteria made ready to be asked of many messages.
#[derive(Debug)]
pub struct Search {
    test: Test,
}

#[derive(Debug)]
enum Test {
    Is(bool),
    Seq(UidSet),
    Uid(UidSet),
    /// Any of these flags.
    Flag(Flags),
    Keyword(String),
    Recent,
    ModSeq(u64),
    Larger(u64),
    Smaller(u64),
    Dated(DateField, DateOrder, Day),
    /// INTERNALDATE at this moment or later.
    NotBefore(i64),
    EmailId(String),
    ThreadId(String),
    Field(Vec<u8>, Needle),
    /// A field of addresses, as it stands and with its addresses alone.
    Addresses(&'static [u8], Needle),
    Body(Needle),
    Text(Needle),
    Not(Box<Test>),
    Or(Box<Test>, Box<Test>),
    /// The cheapest first.
    And(Vec<Test>),
}

impl Search {
    /// Prepares criteria, all of which must hold. Their nesting was bounded when they were read.
    pub fn new(criteria: &[SearchKey], context: &Context<'_>) -> Search {
        Search { test: all(criteria, context) }
    }

    /// Whether they hold for a message.
    ///
    /// # Errors
    /// What the message could not give.
    pub fn matches<S: Subject>(&self, subject: &S) -> Result<bool, S::Error> {
        holds(&self.test, subject)
    }

    /// The only UIDs or sequence numbers that can match, where the criteria name some: `(uids, seqs)`.
    pub fn within(&self) -> (Option<&UidSet>, Option<&UidSet>) {
        let mut found = (None, None);
        let one = std::slice::from_ref(&self.test);
        let tests = if let Test::And(tests) = &self.test { tests } else { one };
        for test in tests {
            match test {
                Test::Uid(set) => found.0 = found.0.or(Some(set)),
                Test::Seq(set) => found.1 = found.1.or(Some(set)),
                _ => {}
            }
        }
        found
    }
}

/// Whether a key looks at mod-sequences, which makes the client one that wants them (RFC 7162 §3.1).
pub fn asks_modseq(criteria: &[SearchKey]) -> bool {
    criteria.iter().any(|key| match key {
        SearchKey::ModSeq(_) => true,
        SearchKey::Not(key) => asks_modseq(std::slice::from_ref(key)),
        SearchKey::Or(one, other) => {
            asks_modseq(std::slice::from_ref(one)) || asks_modseq(std::slice::from_ref(other))
        }
        SearchKey::And(keys) => asks_modseq(keys),
        _ => false,
    })
}

fn all(keys: &[SearchKey], context: &Context<'_>) -> Test {
    let mut tests: Vec<Test> = keys.iter().map(|key| prepare(key, context)).collect();
    tests.sort_by_key(cost);
    match tests.len() {
        1 => tests.remove(0),
        _ => Test::And(tests),
    }
}

fn prepare(key: &SearchKey, context: &Context<'_>) -> Test {
    let not = |test| Test::Not(Box::new(test));
    let field = |name: &str, value: &[u8]| Test::Field(name.as_bytes().to_vec(), Needle::new(value));
    let moment = |seconds: u32| context.wall_ms.saturating_sub(i64::from(seconds) * 1_000);
    match key {
        SearchKey::All => Test::Is(true),
        // What was saved are messages, which only their UIDs name for good.
        SearchKey::Seq(NumberSet::Saved) | SearchKey::Uid(NumberSet::Saved) => {
            Test::Uid(context.saved.clone())
        }
        SearchKey::Seq(set) => Test::Seq(resolve(set, context.last_seq, context.saved)),
        SearchKey::Uid(set) => Test::Uid(resolve(set, context.last_uid, context.saved)),
        SearchKey::Answered => Test::Flag(Flags::ANSWERED),
        SearchKey::Deleted => Test::Flag(Flags::DELETED),
        SearchKey::Draft => Test::Flag(Flags::DRAFT),
        SearchKey::Flagged => Test::Flag(Flags::FLAGGED),
        SearchKey::Seen => Test::Flag(Flags::SEEN),
        SearchKey::Unanswered => not(Test::Flag(Flags::ANSWERED)),
        SearchKey::Undeleted => not(Test::Flag(Flags::DELETED)),
        SearchKey::Undraft => not(Test::Flag(Flags::DRAFT)),
        SearchKey::Unflagged => not(Test::Flag(Flags::FLAGGED)),
        SearchKey::Unseen => not(Test::Flag(Flags::SEEN)),
        SearchKey::Recent => Test::Recent,
        SearchKey::Old => not(Test::Recent),
        SearchKey::New => Test::And(vec![Test::Recent, not(Test::Flag(Flags::SEEN))]),
        SearchKey::Keyword(word) => keyword(word),
        SearchKey::Unkeyword(word) => not(keyword(word)),
        SearchKey::Since { year, month, day } => {
            let day = Day { year: *year, month: *month, day: *day };
            Test::Dated(DateField::Internal, DateOrder::Since, day)
        }
        SearchKey::Date { field: DateField::Saved, .. } if !context.save_dates => Test::Is(false),
        SearchKey::Date { field, order, day } => Test::Dated(*field, *order, *day),
        SearchKey::Younger(seconds) => Test::NotBefore(moment(*seconds)),
        // RFC 5032 §3: what is exactly that old is both.
        SearchKey::Older(seconds) => not(Test::NotBefore(moment(*seconds).saturating_add(1))),
        SearchKey::SaveDateSupported => Test::Is(context.save_dates),
        SearchKey::From(value) => Test::Addresses(b"From", Needle::new(value)),
        SearchKey::To(value) => Test::Addresses(b"To", Needle::new(value)),
        SearchKey::Cc(value) => Test::Addresses(b"Cc", Needle::new(value)),
        SearchKey::Bcc(value) => Test::Addresses(b"Bcc", Needle::new(value)),
        SearchKey::Subject(value) => field("Subject", value),
        SearchKey::Header { name, value } => field(name, value),
        SearchKey::Body(value) => Test::Body(Needle::new(value)),
        SearchKey::Text(value) => Test::Text(Needle::new(value)),
        SearchKey::Larger(octets) => Test::Larger(*octets),
        SearchKey::Smaller(octets) => Test::Smaller(*octets),
        SearchKey::ModSeq(modseq) => Test::ModSeq(*modseq),
        SearchKey::EmailId(id) => Test::EmailId(id.clone()),
        SearchKey::ThreadId(id) => Test::ThreadId(id.clone()),
        SearchKey::Not(key) => not(prepare(key, context)),
        SearchKey::Or(one, other) => {
            let (one, other) = (prepare(one, context), prepare(other, context));
            let (one, other) = if cost(&one) <= cost(&other) { (one, other) } else { (other, one) };
            Test::Or(Box::new(one), Box::new(other))
        }
        SearchKey::And(keys) => all(keys, context),
    }
}

/// Keywords with a bit of their own are flags here.
fn keyword(word: &str) -> Test {
    match Flags::from_wire(word.as_bytes()) {
        Some(flag) => Test::Flag(flag),
        None => Test::Keyword(word.to_owned()),
    }
}

/// How much it takes to find out: flags, then records, then headers, then bodies.
fn cost(test: &Test) -> u32 {
    match test {
        Test::Is(_) | Test::Seq(_) | Test::Uid(_) => 0,
        Test::Flag(_) | Test::Keyword(_) | Test::Recent | Test::ModSeq(_) => 1,
        Test::Larger(_) | Test::Smaller(_) | Test::NotBefore(_) | Test::EmailId(_) | Test::ThreadId(_) => 10,
        Test::Dated(DateField::Sent, ..) | Test::Field(..) | Test::Addresses(..) => 100,
        Test::Dated(..) => 10,
        Test::Text(_) | Test::Body(_) => 1_000,
        Test::Not(test) => cost(test),
        Test::Or(one, other) => cost(one).max(cost(other)),
        Test::And(tests) => tests.iter().map(cost).max().unwrap_or(0),
    }
}

fn holds<S: Subject>(test: &Test, subject: &S) -> Result<bool, S::Error> {
    Ok(match test {
        Test::Is(value) => *value,
        Test::Seq(set) => set.contains(subject.seq()),
        Test::Uid(set) => set.contains(subject.uid()),
        Test::Flag(flag) => subject.flags().flags.contains(*flag),
        Test::Keyword(word) => {
            subject.flags().keywords().iter().any(|known| known.eq_ignore_ascii_case(word))
        }
        Test::Recent => subject.is_recent(),
        Test::ModSeq(modseq) => subject.modseq() >= *modseq,
        Test::Larger(octets) => subject.size()? > *octets,
        Test::Smaller(octets) => subject.size()? < *octets,
        Test::NotBefore(ms) => subject.internal_date()? >= *ms,
        Test::Dated(field, order, wanted) => day(*field, subject)?.is_some_and(|day| match order {
            DateOrder::Before => day < *wanted,
            DateOrder::On => day == *wanted,
            DateOrder::Since => day >= *wanted,
        }),
        Test::EmailId(id) => subject.email_id()? == id.as_str(),
        Test::ThreadId(id) => subject.thread_id()?.is_some_and(|known| known == id.as_str()),
        Test::Field(name, needle) => {
            let header = subject.header()?;
            fields(&header)
                .any(|f| f.is(name) && (needle.is_empty() || needle.is_in(&message::field_text(f.value))))
        }
        Test::Addresses(name, needle) => {
            let header = subject.header()?;
            fields(&header).filter(|f| f.is(name)).any(|f| {
                needle.is_in(&message::field_text(f.value)) || needle.is_in(&message::address_text(f.value))
            })
        }
        Test::Body(needle) => needle.is_empty() || in_body(needle, &subject.message()?),
        Test::Text(needle) => {
            needle.is_empty() || in_header(needle, &subject.header()?) || in_body(needle, &subject.message()?)
        }
        Test::Not(test) => !holds(test, subject)?,
        Test::Or(one, other) => holds(one, subject)? || holds(other, subject)?,
        Test::And(tests) => {
            for test in tests {
                if !holds(test, subject)? {
                    return Ok(false);
                }
            }
            true
        }
    })
}

/// Times and zones are left aside: INTERNALDATE is kept in UTC, the Date field names its own day.
fn day<S: Subject>(field: DateField, subject: &S) -> Result<Option<Day>, S::Error> {
    let day = match field {
        DateField::Internal => Some(civil_from_ms(subject.internal_date()?)),
        DateField::Saved => subject.save_date()?.map(civil_from_ms),
        DateField::Sent => message::sent_date(&subject.header()?).map(|(_, day)| day),
    };
    Ok(day.map(|(year, month, day)| Day { year, month, day }))
}

fn in_header(needle: &Needle, header: &[u8]) -> bool {
    fields(header).any(|field| {
        let name = String::from_utf8_lossy(field.name);
        needle.is_in(&format!("{name}: {}", message::field_text(field.value)))
    })
}

fn in_body(needle: &Needle, raw: &[u8]) -> bool {
    message::any_text(raw, &Limits::DEFAULT, |text| needle.is_in(text))
}
