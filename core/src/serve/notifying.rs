//! Telling a client what it has asked to be told (RFC 5465): the open mailbox by the ways that it is told anyway, others by STATUS
//! and LIST.
//!
//! Nothing is gathered for a client. Each look compares what is with what it was told last, so that many changes are told as one and
//! the cost is bounded by the number of mailboxes that are watched ([`Limits::watched`](crate::limits::Limits::watched)).

use std::collections::BTreeMap;

use super::answer::{Answer, Outcome};
use super::backend::{Backend, Refusal, Status, Users};
use super::notify::{Name, Wanted, Watch, too_much};
use super::session::{Session, SessionEvent, Wait};
use crate::ids::MailboxId;
use crate::imap::command::{FetchItem, StatusItem};
use crate::imap::server::command::Notify;
use crate::imap::server::response::{Code, Response, StatusKind, StatusValue};

/// What ended a look.
enum Stopped {
    Refused(Refusal),
    Overflow,
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Stopped {
        Stopped::Refused(refusal)
    }
}

impl<U: Users> Session<U> {
    pub(super) fn notify(&mut self, notify: Option<&Notify>) -> Outcome {
        let Some(notify) = notify else {
            self.user_mut()?.wanted = Wanted::Nothing;
            return Ok(Answer::ok("nothing will be told"));
        };
        let mut watch = Watch::new(notify, self.style().utf8, self.options.limits.mailbox_name)?;
        if watch.selected.items.contains(&FetchItem::ModSeq) {
            self.enable_condstore()?;
        }
        let told = self.look(&mut watch, Look::First { status: notify.status });
        match told {
            Ok(()) => self.user_mut()?.wanted = Wanted::Some(Box::new(watch)),
            Err(Stopped::Overflow) => return Err(too_much()),
            Err(Stopped::Refused(refusal)) => return Err(refusal.into()),
        }
        Ok(Answer::ok("it will be told"))
    }

    /// Somebody else has changed something: what may be told now is told.
    pub(super) fn tell_news(&mut self) {
        let idles = matches!(self.wait, Wait::Idle { .. });
        let Some(user) = &self.user else { return };
        let listens = user.wanted.is_asked() && matches!(self.wait, Wait::Nothing);
        if !idles && !listens {
            return;
        }
        let at_once = user.wanted.of_selected().at_once;
        self.tell_changes(idles || at_once, 0, false);
        if !self.closed {
            self.tell_others();
        }
    }

    /// Tells what has changed in mailboxes that are not open, and in their names.
    pub(super) fn tell_others(&mut self) {
        let Some(user) = &mut self.user else { return };
        let Wanted::Some(watch) = &mut user.wanted else { return };
        if !watch.has_others() {
            watch.forget_own();
            return;
        }
        let mut watch = std::mem::take(watch);
        let done = self.look(&mut watch, Look::Again);
        let Some(user) = &mut self.user else { return };
        match done {
            Ok(()) => user.wanted = Wanted::Some(watch),
            Err(Stopped::Overflow) => {
                user.wanted = Wanted::Nothing;
                let text = "there is more to watch than can be; nothing will be told";
                self.status(None, StatusKind::Ok, Some(Code::NotificationOverflow), text);
            }
            Err(Stopped::Refused(refusal)) => {
                user.wanted = Wanted::Some(watch);
                self.events.push_back(SessionEvent::Trouble { text: refusal.to_string() });
            }
        }
    }

    fn look(&mut self, watch: &mut Watch, look: Look) -> Result<(), Stopped> {
        let Some(user) = &self.user else { return Ok(()) };
        let selected = user.selected.as_ref().map(|selected| selected.id);
        let looked = Some((user.backend.revision(), selected));
        if watch.looked == looked || !watch.has_others() {
            watch.forget_own();
            return Ok(());
        }
        let delimiter = user.backend.delimiter();
        let names: BTreeMap<String, Name> = user
            .backend
            .mailboxes()?
            .into_iter()
            .map(|mailbox| (mailbox.name, Name { id: mailbox.id, subscribed: mailbox.subscribed }))
            .collect();
        let watched = names
            .iter()
            .filter(|(name, known)| {
                watch.events(name, known.subscribed, delimiter).of_messages() && known.id.is_some()
            })
            .count();
        if watched > self.options.limits.watched {
            return Err(Stopped::Overflow);
        }
        if look == Look::Again {
            self.tell_names(watch, &names, delimiter)?;
        }
        self.tell_numbers(watch, &names, delimiter, look)?;
        watch.names = names;
        watch.looked = looked;
        watch.forget_own();
        Ok(())
    }

    /// MailboxName and SubscriptionChange (RFC 5465 §5.4, §5.5).
    fn tell_names(
        &mut self,
        watch: &Watch,
        names: &BTreeMap<String, Name>,
        delimiter: char,
    ) -> Result<(), Stopped> {
        if watch.names == *names {
            return Ok(());
        }
        let ids = |names: &BTreeMap<String, Name>| -> BTreeMap<MailboxId, String> {
            names.iter().filter_map(|(name, known)| Some((known.id?, name.clone()))).collect()
        };
        let (before, now) = (ids(&watch.names), ids(names));
        let mut all: Vec<&String> = watch.names.keys().chain(names.keys()).collect();
        all.sort_unstable();
        all.dedup();
        let mut listed = None;
        for name in all {
            let (old, new) = (watch.names.get(name), names.get(name));
            let (old_id, new_id) = (old.and_then(|old| old.id), new.and_then(|new| new.id));
            let subscribed = |name: Option<&Name>| name.is_some_and(|name| name.subscribed);
            let old_name = new_id.and_then(|id| before.get(&id)).filter(|old| *old != name);
            // One that goes by another name now is told of under that.
            let went_elsewhere = new_id.is_none() && old_id.is_some_and(|id| now.contains_key(&id));
            let renamed = old_id != new_id && !went_elsewhere;
            let changed = subscribed(old) != subscribed(new);
            let mut events = watch.events(name, subscribed(old) || subscribed(new), delimiter);
            if let Some(old_name) = old_name {
                let of_old = watch.events(old_name, subscribed(watch.names.get(old_name)), delimiter);
                events.names |= of_old.names;
            }
            let tell = renamed && events.names || changed && events.subscriptions;
            if !tell || watch.is_own(name, delimiter) {
                continue;
            }
            if listed.is_none() {
                listed = Some(self.listed().map_err(refusal_of)?);
            }
            let entry = listed.as_ref().and_then(|listed| listed.get(name));
            self.put_news_of(name, entry, delimiter, old_name.map(String::as_str));
        }
        Ok(())
    }

    /// MessageNew, MessageExpunge and FlagChange of mailboxes that are not selected (RFC 5465 §5.1 to §5.3).
    fn tell_numbers(
        &mut self,
        watch: &mut Watch,
        names: &BTreeMap<String, Name>,
        delimiter: char,
        look: Look,
    ) -> Result<(), Stopped> {
        let mut before = std::mem::take(&mut watch.told);
        for (name, known) in names {
            let events = watch.events(name, known.subscribed, delimiter);
            let Some(id) = known.id.filter(|_| events.of_messages()) else { continue };
            let Some(user) = &self.user else { return Ok(()) };
            let is_selected = user.selected.as_ref().is_some_and(|selected| selected.id == id);
            let old = before.remove(&id);
            // Of the open mailbox other ways tell; what they do not, its numbers do once it is closed.
            if let (true, Some(old)) = (is_selected, &old) {
                watch.told.insert(id, old.clone());
                continue;
            }
            let now = match numbers(&user.backend, id, old.as_ref()) {
                Ok(now) => now,
                // Somebody deleted it just now.
                Err(Refusal::Nonexistent) => continue,
                Err(refusal) => return Err(refusal.into()),
            };
            let news = match look {
                Look::First { status } => status,
                Look::Again => old.as_ref().is_none_or(|old| events.are_between(old, &now)),
            };
            if news && !is_selected {
                self.put_numbers(name, &now);
            }
            watch.told.insert(id, now);
        }
        Ok(())
    }

    /// All that any event asks for: a client that is told more than it needs can pass over it.
    fn put_numbers(&mut self, name: &str, status: &Status) {
        let number = |n: u32| StatusValue::Number(n.into());
        let items = [
            (StatusItem::Messages, number(status.messages)),
            (StatusItem::UidNext, number(status.uid_next)),
            (StatusItem::UidValidity, number(status.uid_validity)),
            (StatusItem::Unseen, number(status.unseen)),
            (StatusItem::HighestModSeq, StatusValue::Number(status.highest_modseq)),
        ];
        self.put(&Response::MailboxStatus { mailbox: name, items: &items });
    }
}

/// Which look it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// What is there is what is known; with `status` its numbers are told.
    First {
        status: bool,
    },
    Again,
}

/// A mailbox's numbers; those of before where nothing has changed, which is cheaper to know.
fn numbers<B: Backend>(backend: &B, id: MailboxId, old: Option<&Status>) -> Result<Status, Refusal> {
    match old {
        Some(old) if backend.highest_modseq(id)? == old.highest_modseq => Ok(old.clone()),
        _ => backend.status(id),
    }
}

/// The list of mailboxes is refused only where the store is.
fn refusal_of(answer: Answer) -> Refusal {
    Refusal::Failed(answer.text.into_owned())
}
