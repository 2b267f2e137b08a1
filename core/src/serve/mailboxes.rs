//! LIST, LSUB, STATUS, and making and unmaking mailboxes (RFC 9051 §6.3).

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{Answer, AnswerCode, Outcome};
use super::backend::{Backend, Mailbox, Refusal, Status, Users};
use super::names::{self, Pattern};
use super::session::Session;
use crate::ids::MailboxId;
use crate::imap::command::StatusItem;
use crate::imap::mailbox_name;
use crate::imap::response::PlainCode;
use crate::imap::server::command::List;
use crate::imap::server::response::{ListEntry, Response, StatusValue};

/// A name that LIST may say.
#[derive(Debug, Default)]
pub(super) struct Listed {
    id: Option<MailboxId>,
    subscribed: bool,
    special_use: Vec<String>,
    /// It is not there itself, but others below it are.
    only_parent: bool,
    has_children: bool,
    /// Something below it is selected.
    selected_below: bool,
}

impl<U: Users> Session<U> {
    fn name(&self, wire: &[u8]) -> Result<String, Answer> {
        names::read(wire, self.style().utf8, self.options.limits.mailbox_name)
    }

    fn named(&self, name: &str) -> Result<Option<MailboxId>, Answer> {
        let list = self.backend()?.mailboxes()?;
        Ok(list.into_iter().find(|mailbox| mailbox.name == name).and_then(|mailbox| mailbox.id))
    }

    /// The mailbox of a name from the wire.
    pub(super) fn find_mailbox(&self, wire: &[u8]) -> Result<(String, MailboxId), Answer> {
        let name = self.name(wire)?;
        let id = self.named(&name)?.ok_or(Refusal::Nonexistent)?;
        Ok((name, id))
    }

    /// The mailbox that messages are to go to: where it is missing the client is told that it may make it.
    pub(super) fn find_target(&self, wire: &[u8]) -> Result<MailboxId, Answer> {
        let name = self.name(wire)?;
        let missing = || Answer::from(Refusal::Nonexistent).with(AnswerCode::TryCreate);
        self.named(&name)?.ok_or_else(missing)
    }

    pub(super) fn listed(&self) -> Result<BTreeMap<String, Listed>, Answer> {
        let backend = self.backend()?;
        let delimiter = backend.delimiter();
        let mut all: BTreeMap<String, Listed> = BTreeMap::new();
        let mut parents = BTreeSet::new();
        for Mailbox { id, name, subscribed, special_use } in backend.mailboxes()? {
            if id.is_some() {
                parents.extend(name.match_indices(delimiter).map(|(at, _)| name[..at].to_owned()));
            }
            all.insert(name, Listed { id, subscribed, special_use, ..Listed::default() });
        }
        for parent in parents {
            // A name that is only subscribed to is one that others are below, too.
            let listed = all.entry(parent).or_default();
            listed.has_children = true;
            listed.only_parent = listed.id.is_none();
        }
        Ok(all)
    }

    pub(super) fn list(&mut self, list: &List) -> Outcome {
        let delimiter = self.backend()?.delimiter();
        if !list.extended && list.patterns.iter().all(Vec::is_empty) {
            // The delimiter is asked for.
            self.put(&Response::List(ListEntry {
                attributes: &["\\Noselect"],
                delimiter: Some(delimiter),
                mailbox: "",
                child_info: &[],
                old_name: None,
            }));
            return Ok(Answer::ok("done"));
        }
        let utf8 = self.style().utf8;
        let text = |wire: &[u8]| mailbox_name::decode(wire, utf8);
        let reference = text(&list.reference);
        let patterns: Vec<Pattern> =
            list.patterns.iter().map(|wire| Pattern::new(&reference, &text(wire), delimiter)).collect();
        let mut all = self.listed()?;
        let fits = |name: &str| patterns.iter().any(|pattern| pattern.fits(name));
        let selects = |listed: &Listed| {
            (!list.only_subscribed || listed.subscribed)
                && (!list.only_special_use || !listed.special_use.is_empty())
                && (list.only_subscribed || listed.id.is_some() || listed.only_parent)
        };
        if list.recursive_match {
            mark_parents(&mut all, delimiter, &|name, listed| selects(listed) && !fits(name));
        }
        for (name, listed) in &all {
            let itself = selects(listed);
            if !(itself || listed.selected_below) || !fits(name) {
                continue;
            }
            self.put_listed(name, listed, list, delimiter, None);
            if let (Some(id), false) = (listed.id, list.status.is_empty()) {
                self.put_status(name, id, &list.status)?;
            }
        }
        Ok(Answer::ok("done"))
    }

    /// An unasked LIST (RFC 5465 §5.4) of a name that is there, or not any more.
    pub(super) fn put_news_of(
        &mut self,
        name: &str,
        listed: Option<&Listed>,
        delimiter: char,
        old_name: Option<&str>,
    ) {
        let list = List { extended: true, return_subscribed: true, ..List::default() };
        self.put_listed(name, listed.unwrap_or(&Listed::default()), &list, delimiter, old_name);
    }

    fn put_listed(
        &mut self,
        name: &str,
        listed: &Listed,
        list: &List,
        delimiter: char,
        old_name: Option<&str>,
    ) {
        let mut attributes: Vec<&str> = Vec::new();
        if listed.id.is_none() {
            // RFC 5258 §3: which implies `\Noselect`; clients that know only RFC 3501 need that word.
            attributes.push(if list.extended { "\\NonExistent" } else { "\\Noselect" });
        }
        attributes.push(if listed.has_children { "\\HasChildren" } else { "\\HasNoChildren" });
        if listed.subscribed && (list.only_subscribed || list.return_subscribed) {
            attributes.push("\\Subscribed");
        }
        if self.options.offers("SPECIAL-USE") {
            attributes.extend(listed.special_use.iter().map(String::as_str));
        }
        let mut child_info: Vec<&str> = Vec::new();
        if listed.selected_below {
            child_info.extend(list.only_subscribed.then_some("SUBSCRIBED"));
            child_info.extend((list.only_special_use && !list.only_subscribed).then_some("SPECIAL-USE"));
        }
        let entry = ListEntry {
            attributes: &attributes,
            delimiter: Some(delimiter),
            mailbox: name,
            child_info: &child_info,
            old_name,
        };
        self.put(&Response::List(entry));
    }

    pub(super) fn lsub(&mut self, reference: &[u8], pattern: &[u8]) -> Outcome {
        let delimiter = self.backend()?.delimiter();
        let utf8 = self.style().utf8;
        let text = |wire: &[u8]| mailbox_name::decode(wire, utf8);
        let pattern = Pattern::new(&text(reference), &text(pattern), delimiter);
        // Names that are not subscribed but stand above one that is come as `\Noselect` (RFC 3501 §6.3.9).
        let mut names: BTreeMap<String, bool> = BTreeMap::new();
        for mailbox in self.backend()?.mailboxes()?.into_iter().filter(|mailbox| mailbox.subscribed) {
            for (at, _) in mailbox.name.match_indices(delimiter) {
                names.entry(mailbox.name[..at].to_owned()).or_insert(false);
            }
            names.insert(mailbox.name, true);
        }
        let fitting: Vec<(String, bool)> = names.into_iter().filter(|(name, _)| pattern.fits(name)).collect();
        for (at, (name, subscribed)) in fitting.iter().enumerate() {
            let below = format!("{name}{delimiter}");
            let found_below = fitting[at + 1..].iter().any(|(other, _)| other.starts_with(&below));
            if !subscribed && found_below {
                continue;
            }
            let attributes: &[&str] = if *subscribed { &[] } else { &["\\Noselect"] };
            self.put(&Response::Lsub { attributes, delimiter: Some(delimiter), mailbox: name });
        }
        Ok(Answer::ok("done"))
    }

    pub(super) fn mailbox_status(&mut self, mailbox: &[u8], items: &[StatusItem]) -> Outcome {
        let (name, id) = self.find_mailbox(mailbox)?;
        self.put_status(&name, id, items)?;
        Ok(Answer::ok("done"))
    }

    fn put_status(&mut self, name: &str, id: MailboxId, items: &[StatusItem]) -> Result<(), Answer> {
        if items.contains(&StatusItem::HighestModSeq) {
            self.enable_condstore()?;
        }
        let backend = self.backend()?;
        let Status {
            uid_validity,
            uid_next,
            highest_modseq,
            messages,
            recent,
            unseen,
            deleted,
            size,
            deleted_size,
            object_id,
            ..
        } = match backend.status(id) {
            Ok(status) => status,
            // Somebody deleted it between the listing and this.
            Err(Refusal::Nonexistent) => return Ok(()),
            Err(refusal) => return Err(refusal.into()),
        };
        let limit = backend.append_limit().unwrap_or(self.options.limits.message);
        let number = |n: u32| StatusValue::Number(n.into());
        let values: Vec<(StatusItem, StatusValue<'_>)> = items
            .iter()
            .map(|item| {
                let value = match item {
                    StatusItem::Messages => number(messages),
                    StatusItem::Recent => number(recent),
                    StatusItem::UidNext => number(uid_next),
                    StatusItem::UidValidity => number(uid_validity),
                    StatusItem::Unseen => number(unseen),
                    StatusItem::Deleted => number(deleted),
                    StatusItem::Size => StatusValue::Number(size),
                    StatusItem::DeletedStorage => StatusValue::Number(deleted_size),
                    StatusItem::HighestModSeq => StatusValue::Number(highest_modseq),
                    StatusItem::MailboxId => StatusValue::Id(&object_id),
                    StatusItem::AppendLimit => StatusValue::Number(limit),
                };
                (*item, value)
            })
            .collect();
        self.put(&Response::MailboxStatus { mailbox: name, items: &values });
        Ok(())
    }

    pub(super) fn create(&mut self, mailbox: &[u8], special_use: &[String]) -> Outcome {
        let name = self.name(mailbox)?;
        let delimiter = self.backend()?.delimiter();
        // A delimiter at the end says that others will come below it; here all may (RFC 9051 §6.3.4).
        let name = name.strip_suffix(delimiter).unwrap_or(&name);
        names::check_new(name, delimiter)?;
        if self.backend()?.mailboxes()?.len() >= self.options.limits.mailboxes {
            return Err(Answer::no(PlainCode::Limit, "too many mailboxes"));
        }
        let id = self.backend()?.create(name, special_use)?;
        let own = name.to_owned();
        self.user_mut()?.wanted.note_own(&own, false);
        let object_id = self.backend()?.status(id)?.object_id;
        Ok(Answer::ok("done").with(match self.options.offers("OBJECTID") {
            true => AnswerCode::MailboxId(object_id),
            false => AnswerCode::None,
        }))
    }

    pub(super) fn delete(&mut self, mailbox: &[u8]) -> Outcome {
        let (name, id) = self.find_mailbox(mailbox)?;
        self.backend()?.delete(id)?;
        let user = self.user_mut()?;
        user.wanted.note_own(&name, false);
        user.selected.take_if(|selected| selected.id == id);
        Ok(Answer::ok("done"))
    }

    pub(super) fn rename(&mut self, from: &[u8], to: &[u8]) -> Outcome {
        let (from, id) = self.find_mailbox(from)?;
        let to = self.name(to)?;
        names::check_new(&to, self.backend()?.delimiter())?;
        self.backend()?.rename(id, &to)?;
        let user = self.user_mut()?;
        user.wanted.note_own(&from, true);
        user.wanted.note_own(&to, true);
        Ok(Answer::ok("done"))
    }

    pub(super) fn subscribe(&mut self, mailbox: &[u8], subscribed: bool) -> Outcome {
        let name = self.name(mailbox)?;
        let backend = self.backend()?;
        let list = backend.mailboxes()?;
        if subscribed && list.len() >= self.options.limits.mailboxes.saturating_mul(2) {
            return Err(Answer::no(PlainCode::Limit, "too many subscriptions"));
        }
        names::check_new(&name, backend.delimiter())?;
        backend.subscribe(&name, subscribed)?;
        self.user_mut()?.wanted.note_own(&name, false);
        Ok(Answer::ok("done"))
    }
}

/// RECURSIVEMATCH (RFC 5258 §3.5): marks what stands above a name that is selected and would not be said itself.
fn mark_parents(
    all: &mut BTreeMap<String, Listed>,
    delimiter: char,
    selects: &impl Fn(&str, &Listed) -> bool,
) {
    let selected: Vec<String> =
        all.iter().filter(|(name, listed)| selects(name, listed)).map(|(name, _)| name.clone()).collect();
    for name in selected {
        for (at, _) in name.match_indices(delimiter) {
            let parent = all.entry(name[..at].to_owned()).or_insert_with(|| Listed {
                only_parent: true,
                has_children: true,
                ..Listed::default()
            });
            parent.selected_below = true;
        }
    }
}
