//! Bodies: those the policy wants, the rest of those that were cut, previews, and the one a person opens.

use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::event::Event;
use crate::ids::{MessageId, RequestId};
use crate::imap::client::Outbound;
use crate::imap::client::login::text_of;
use crate::imap::command::{Command, FetchItem, NumberSet, Section};
use crate::imap::encode;
use crate::imap::response::Status;
use crate::message::ContentHasher;
use crate::model::BodyPolicy;
use crate::options::SyncScope;
use crate::set::UidSet;
use crate::store::batch::{PREFIX, PartialBody, StagedBody};
use crate::store::query;
use crate::sync::mailbox::take_some;
use crate::sync::{Driver, Next, Purpose, Wish};

/// Messages that one command fetches whole, and commands in flight: enough that the server never
/// waits for us, few enough that a cancelled pass ends soon.
const BODIES_AT_ONCE: u64 = 100;
const BODIES_IN_FLIGHT: usize = 4;
/// Octets of a text part that make a preview.
const PREVIEW_OCTETS: u32 = 2048;
/// Messages of one mailbox that get a preview without their body, newest first.
const PREVIEWS: u64 = 500;

/// A message that a person wants to read.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) request: RequestId,
    pub(crate) message: MessageId,
    /// Only this part of it is wanted.
    pub(crate) part: Option<String>,
    /// What came of it before, and its size in all.
    pub(crate) rest: Option<(StagedBody, u64)>,
    /// It is here, and its header is to be compared with the server's.
    pub(crate) check: bool,
    /// It has come.
    pub(crate) got: bool,
}

impl Driver {
    /// Entries are durable: now the bodies that the policy wants and that are not here.
    pub(super) fn fetch_bodies(&mut self) -> Result<()> {
        let policy = self.pass.as_ref().map_or(BodyPolicy::None, |p| p.bodies);
        let Some(pass) = &mut self.mailbox_pass else { return Ok(()) };
        let reading = self.store.read()?;
        let candidates = match policy {
            BodyPolicy::None => UidSet::new(),
            // A mailbox whose bodies were all here the last time lacks only those of new messages.
            BodyPolicy::All if pass.record.bodies_done == BodyPolicy::All && !pass.renumbered => {
                pass.entered.difference(&pass.here_already)
            }
            BodyPolicy::All => query::uids_without_body(&reading.tables, pass.mailbox)?,
            BodyPolicy::Newest(n) => {
                let newest = self.selected.known.split_newest(u64::from(n)).0;
                query::uids_without_body(&reading.tables, pass.mailbox)?.intersection(&newest)
            }
        };
        let mut partials = query::partials(&reading.tables, pass.mailbox)?;
        drop(reading);
        partials.retain(|(uid, p)| p.uid_validity == self.selected.uid_validity && candidates.contains(*uid));
        let begun: UidSet = partials.iter().map(|(uid, _)| *uid).collect();
        pass.rests = partials;
        pass.body_queue = pass.body_queue.union(&candidates.difference(&begun));
        pass.total = pass.body_queue.len() + pass.rests.len() as u64;
        pass.done = 0;
        self.plan_previews(policy)?;
        if self.ask_bodies()? { Ok(()) } else { self.bodies_done() }
    }

    fn plan_previews(&mut self, policy: BodyPolicy) -> Result<()> {
        let Some(pass) = &mut self.mailbox_pass else { return Ok(()) };
        if policy == BodyPolicy::All {
            return Ok(());
        }
        // Asked of the store and not of this pass: an earlier look, or one that was cut, may have entered them.
        let (newest, _) = self.selected.known.split_newest(PREVIEWS);
        let newest = newest.difference(&pass.body_queue);
        let reading = self.store.read()?;
        let mut by_part: HashMap<String, UidSet> = HashMap::new();
        for uid in newest.iter() {
            let Some(part) = query::preview_part(&reading.tables, pass.mailbox, uid)? else { continue };
            by_part.entry(part.number.clone()).or_default().insert(uid);
            pass.previews.insert(uid, part);
        }
        pass.preview_queue = by_part.into_iter().collect();
        pass.preview_queue.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(())
    }

    /// What the first look showed gets its previews in the scan's flight: a person is looking at it.
    pub(super) fn ask_first_previews(&mut self) -> Result<()> {
        let Some(policy) = self.pass.as_ref().filter(|p| p.first).map(|p| p.bodies) else { return Ok(()) };
        self.plan_previews(policy)?;
        let Some(pass) = &mut self.mailbox_pass else { return Ok(()) };
        for (number, uids) in std::mem::take(&mut pass.preview_queue) {
            send_previews(&mut self.out, &number, &uids, &Purpose::FirstPreviews)?;
        }
        Ok(())
    }

    /// Keeps body commands in flight; returns whether any is.
    pub(super) fn ask_bodies(&mut self) -> Result<bool> {
        let mut whole_items = vec![FetchItem::Uid];
        let direct = self.mailbox_pass.as_ref().is_some_and(|p| p.direct);
        if direct {
            whole_items = self.entry_items();
        }
        whole_items.push(FetchItem::Peek { section: Section::Full, partial: None });
        let mut in_flight = self.waiting_for(is_body);
        let cancelled = self.pass.as_ref().is_some_and(|p| p.cancelled);
        let Some(pass) = &mut self.mailbox_pass else { return Ok(false) };
        while in_flight < BODIES_IN_FLIGHT && !cancelled {
            if pass.resuming.is_none()
                && self.out.waiting().all(|p| !matches!(p, Purpose::Rest { .. }))
                && let Some((uid, partial)) = pass.rests.pop()
            {
                match resume(&self.store, partial) {
                    Ok(body) => pass.resuming = Some((uid, body, partial.total)),
                    // What is in the store of it cannot be read: from the beginning, then.
                    Err(_) => {
                        pass.body_queue.insert(uid);
                        continue;
                    }
                }
                pass.asked_bodies.insert(uid);
                let origin = u32::try_from(partial.received).unwrap_or(u32::MAX);
                let length = u32::try_from(partial.total - partial.received).unwrap_or(u32::MAX);
                let item = FetchItem::Peek { section: Section::Full, partial: Some((origin, length)) };
                let items = vec![FetchItem::Uid, item];
                let set = NumberSet::Set(UidSet::from_range(uid, uid));
                let fetch = Command::Fetch { uid: true, set, items, changed_since: None, partial: None };
                self.out.send(&fetch, Purpose::Rest { uid })?;
            } else if !pass.body_queue.is_empty() {
                let (uids, rest) = take_some(&pass.body_queue, BODIES_AT_ONCE);
                pass.body_queue = rest;
                pass.asked_bodies = pass.asked_bodies.union(&uids);
                let set = NumberSet::Set(uids.clone());
                let items = whole_items.clone();
                let fetch = Command::Fetch { uid: true, set, items, changed_since: None, partial: None };
                self.out.send(&fetch, Purpose::Bodies { uids })?;
            } else if let Some((number, uids)) = pass.preview_queue.pop() {
                send_previews(&mut self.out, &number, &uids, &Purpose::Previews)?;
            } else {
                break;
            }
            in_flight += 1;
        }
        Ok(in_flight > 0)
    }

    pub(super) fn bodies_done(&mut self) -> Result<()> {
        self.flush(Next::Settle);
        Ok(())
    }

    /// A message that a person wants to read now.
    pub(super) fn open_message(
        &mut self,
        request: RequestId,
        message: MessageId,
        part: Option<String>,
        retried: bool,
    ) -> Result<()> {
        let numbers = match part.as_deref().map(part_numbers).transpose() {
            Ok(numbers) => numbers,
            Err(error) => {
                self.events.push_back(Event::Done { request, result: Err(error) });
                return Ok(());
            }
        };
        let reading = self.store.read()?;
        let Some((mailbox, uid)) = query::place_of(&reading.tables, message)? else {
            self.events.push_back(Event::Done { request, result: Err(Error::Gone("message")) });
            return Ok(());
        };
        let whole = query::has_whole(&reading.tables, message)?;
        let record = query::message_record(&reading.tables, message)?;
        let check = whole && record.is_some_and(|m| m.provisional);
        if whole && !check {
            drop(reading);
            self.opened(request, message);
            return Ok(());
        }
        drop(reading);
        if self.selected.mailbox != Some(mailbox) || !self.selected.open {
            if retried {
                let error = Error::Refused("the mailbox cannot be opened".into());
                self.events.push_back(Event::Done { request, result: Err(error) });
                return Ok(());
            }
            // The mailbox is opened first, which also makes sure of the UID.
            self.wishes.push_front(Wish::Open { request, message, part, retried: true });
            return self.start_pass(request, SyncScope::opening(mailbox));
        }
        let begun = query::partials(&self.store.read()?.tables, mailbox)?;
        let begun = begun
            .into_iter()
            .find(|(u, p)| part.is_none() && *u == uid && p.uid_validity == self.selected.uid_validity);
        let rest = begun.and_then(|(_, p)| Some((resume(&self.store, p).ok()?, p.total)));
        let partial = rest.as_ref().map(|(body, total)| {
            let length = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
            (length(body.len()), length(total - body.len()))
        });
        self.opening.insert(uid, Opening { request, message, part, rest, check, got: false });
        let section = if check { Section::Header } else { numbers.map_or(Section::Full, Section::Part) };
        let items = vec![FetchItem::Uid, FetchItem::Peek { section, partial }];
        let set = NumberSet::Set(UidSet::from_range(uid, uid));
        let fetch = Command::Fetch { uid: true, set, items, changed_since: None, partial: None };
        self.out.send(&fetch, Purpose::Opened { request, uid })
    }

    pub(super) fn opened_answered(
        &mut self,
        request: RequestId,
        uid: u32,
        ok: bool,
        status: &Status<'_>,
    ) -> Result<()> {
        let Some(Opening { message, got, check, .. }) = self.opening.remove(&uid) else { return Ok(()) };
        if ok && got && check {
            self.flush(Next::OpenAgain { request, message });
        } else if ok && got {
            self.flush(Next::Opened { request, message });
        } else if ok {
            // An answer without the message: another client has expunged it (RFC 5530, RFC 2180).
            self.events.push_back(Event::Done { request, result: Err(Error::Gone("message")) });
        } else {
            let error = Error::Refused(text_of(status, &self.limits));
            self.events.push_back(Event::Done { request, result: Err(error) });
        }
        Ok(())
    }
}

/// A part's number as the protocol has it.
fn part_numbers(number: &str) -> Result<Vec<u32>> {
    let numbers: Option<Vec<u32>> = number.split('.').map(|n| n.parse().ok().filter(|n| *n != 0)).collect();
    numbers.ok_or_else(|| Error::Invalid { what: "part number", why: format!("{number:?} is none") })
}

/// Asks for the beginning of one text part of some messages.
fn send_previews(out: &mut Outbound<Purpose>, number: &str, uids: &UidSet, purpose: &Purpose) -> Result<()> {
    let numbers = number.split('.').filter_map(|n| n.parse().ok()).collect();
    let item = FetchItem::Peek { section: Section::Part(numbers), partial: Some((0, PREVIEW_OCTETS)) };
    for set in encode::split_set(uids, encode::MAX_SET) {
        let set = NumberSet::Set(set);
        let items = vec![FetchItem::Uid, item.clone()];
        let fetch = Command::Fetch { uid: true, set, items, changed_since: None, partial: None };
        out.send(&fetch, purpose.clone())?;
    }
    Ok(())
}

fn is_body(purpose: &Purpose) -> bool {
    matches!(purpose, Purpose::Bodies { .. } | Purpose::Rest { .. } | Purpose::Previews)
}

/// A body whose beginning is in the store: hashed again, so that what follows completes it.
fn resume(store: &crate::store::Store, partial: PartialBody) -> Result<StagedBody> {
    const STEP: u64 = 1 << 20;
    let mut hasher = ContentHasher::new();
    let mut prefix = Vec::new();
    let mut offset = 0;
    while offset < partial.received {
        let step = STEP.min(partial.received - offset);
        let bytes = query::blob(&store.read()?.tables, partial.blob, offset, step)?;
        if bytes.len() as u64 != step {
            return Err(Error::Corrupt("a body that came in part is shorter than it was".into()));
        }
        hasher.update(&bytes);
        if prefix.len() < PREFIX {
            prefix.extend_from_slice(&bytes[..bytes.len().min(PREFIX - prefix.len())]);
        }
        offset += step;
    }
    Ok(StagedBody::resumed(partial.blob, partial.received, prefix, hasher))
}
