//! The order of SORT (RFC 5256 §2, §3; RFC 5957 for display names).

use std::cmp::Ordering;

use super::command::{SortBy, SortKey};
use super::fold::fold;
use super::search::Subject;
use super::subject::BaseSubject;
use crate::message::fields::fields;
use crate::message::{field_text, first_address, sent_date};

/// A message with what it is sorted by.
#[derive(Debug)]
pub struct Sorted {
    seq: u32,
    uid: u32,
    values: Vec<Value>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(i64),
    Text(String),
}

impl Sorted {
    /// Looks up what the keys compare.
    ///
    /// # Errors
    /// What the message could not give.
    pub fn new<S: Subject>(subject: &S, keys: &[SortKey]) -> Result<Sorted, S::Error> {
        let values = keys.iter().map(|key| value(subject, key.by)).collect::<Result<_, _>>()?;
        Ok(Sorted { seq: subject.seq(), uid: subject.uid(), values })
    }

    /// Its sequence number.
    pub fn seq(&self) -> u32 {
        self.seq
    }

    /// Its UID.
    pub fn uid(&self) -> u32 {
        self.uid
    }
}

/// Puts messages into the order of the keys; those that are alike in all of them stay in the order of the
/// mailbox, whether reversed or not.
pub fn sort(messages: &mut [Sorted], keys: &[SortKey]) {
    messages.sort_unstable_by(|a, b| {
        let pairs = keys.iter().zip(a.values.iter().zip(&b.values));
        for (key, (a, b)) in pairs {
            let order = a.cmp(b);
            if order != Ordering::Equal {
                return if key.reverse { order.reverse() } else { order };
            }
        }
        a.seq.cmp(&b.seq)
    });
}

fn value<S: Subject>(subject: &S, by: SortBy) -> Result<Value, S::Error> {
    let address = |name: &[u8], display: bool| -> Result<Value, S::Error> {
        let header = subject.header()?;
        let field = fields(&header).find(|field| field.is(name));
        let first = field.and_then(|field| first_address(field.value));
        Ok(Value::Text(first.map_or_else(String::new, |(shown, local, domain)| match shown {
            // RFC 5957 §3: without a display name, the address.
            Some(shown) if display => fold(&shown),
            None if display && !domain.is_empty() => fold(&format!("{local}@{domain}")),
            _ => fold(&local),
        })))
    };
    Ok(match by {
        SortBy::Arrival => Value::Number(subject.internal_date()?),
        SortBy::Size => Value::Number(i64::try_from(subject.size()?).unwrap_or(i64::MAX)),
        SortBy::Date => Value::Number(sent(subject)?),
        SortBy::Subject => Value::Text(base_subject(&subject.header()?).text),
        SortBy::From => address(b"From", false)?,
        SortBy::To => address(b"To", false)?,
        SortBy::Cc => address(b"Cc", false)?,
        SortBy::DisplayFrom => address(b"From", true)?,
        SortBy::DisplayTo => address(b"To", true)?,
    })
}

/// The Date field, else INTERNALDATE (RFC 5256 §2.2).
pub(super) fn sent<S: Subject>(subject: &S) -> Result<i64, S::Error> {
    match sent_date(&subject.header()?) {
        Some((ms, _)) => Ok(ms),
        None => subject.internal_date(),
    }
}

pub(super) fn base_subject(header: &[u8]) -> BaseSubject {
    let field = fields(header).find(|field| field.is(b"Subject"));
    field.map(|field| BaseSubject::of(&field_text(field.value))).unwrap_or_default()
}
