//! One mailbox brought into step: open, compare, enter what is new, fetch bodies, check, settle.

use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::event::Event;
use crate::ids::MailboxId;
use crate::imap::client::login::text_of;
use crate::imap::command::{ChangedSince, Command, FetchItem, NumberSet, Resync, SearchKey, Section};
use crate::imap::response::{Status, StatusKind};
use crate::model::{BodyPolicy, Window};
use crate::set::UidSet;
use crate::store::batch::{Op, ReplayFact, Settled, StateFact};
use crate::store::query;
use crate::store::records::MailboxRecord;
use crate::sync::mailbox_pass::MailboxPass;
use crate::sync::pass::Phase;
use crate::sync::selected::Selected;
use crate::sync::{Driver, Next, Purpose};

/// How many of the newest messages are shown before anything else.
const FIRST_LOOK: u32 = 50;
/// Messages whose beginning one command asks for, and commands in flight.
const META_AT_ONCE: u64 = 200;
const META_IN_FLIGHT: usize = 3;
/// Ranges of known UIDs that are worth naming in QRESYNC.
const KNOWN_RANGES: usize = 200;

/// How often a pass goes after mail that comes while it runs.
const MOST_ARRIVALS: u32 = 20;

/// The fields of a header that a list and a thread need.
const FIELDS: &[&str] = &[
    "DATE",
    "FROM",
    "SENDER",
    "REPLY-TO",
    "TO",
    "CC",
    "BCC",
    "SUBJECT",
    "MESSAGE-ID",
    "IN-REPLY-TO",
    "REFERENCES",
    "LIST-ID",
];

impl Driver {
    pub(super) fn open_mailbox(&mut self, mailbox: MailboxId) -> Result<()> {
        let found = query::mailbox(&self.store.read()?.tables, mailbox);
        let Some(record) = found.ok().filter(|record| !record.gone) else { return self.next_mailbox() };
        let only_open = self.pass.as_ref().is_some_and(|p| p.scope.only_opens());
        if !only_open && !self.leases.take(mailbox) {
            // Another connection is at it, and will leave it in step; this one looks when it is woken.
            if !self.skipped.contains(&mailbox) {
                self.skipped.push(mailbox);
            }
            self.pass_mut()?.troubled = true;
            return self.next_mailbox();
        }
        let wire_name = record.wire_name.clone();
        // An empty mailbox gives nothing to fetch, so that only opening it again tells what is new there.
        let again = self.selected.mailbox == Some(mailbox)
            && self.selected.open
            && !self.selected.doubtful
            && self.selected.exists > 0;
        let mut pass = MailboxPass::new(mailbox, record);
        if again {
            pass.again = true;
            pass.record.uid_validity = self.selected.uid_validity;
            self.mailbox_pass = Some(pass);
            self.selected.known = self.known_uids(mailbox)?;
            self.selected.unknown = UidSet::new();
            self.ask_first_previews()?;
            self.ask_newcomers()?;
            return self.compare();
        }
        let known = self.known_uids(mailbox)?;
        pass.resync = self.resync_parameter(&pass.record, &known);
        let resync = pass.resync.clone();
        self.mailbox_pass = Some(pass);
        self.selected = Selected::new(mailbox, known);
        let select = Command::Select { mailbox: wire_name.clone(), read_only: true, resync };
        let rights_known = self.mailbox_pass.as_ref().is_none_or(|p| p.record.rights.is_some());
        let sent = self.out.send(&select, Purpose::Select);
        if sent.is_ok() && !rights_known && self.capabilities.has("ACL") {
            self.out.send(&Command::MyRights(wire_name), Purpose::Aside)?;
        }
        match sent {
            Err(Error::Invalid { why, .. }) => {
                // A name that the protocol cannot carry back: this one is left, the others go on.
                self.selected = Selected::default();
                self.events.push_back(Event::Problem { text: format!("a mailbox cannot be named: {why}") });
                self.leave_mailbox()
            }
            sent => sent,
        }
    }

    /// Mail that came while the mailbox was open is asked for with the comparison, so that it is here one round trip after the
    /// server told of it.
    fn ask_newcomers(&mut self) -> Result<()> {
        let s = &self.selected;
        let came = u64::from(s.exists).saturating_sub(s.believed().len());
        let items = self.meta_items();
        let Some(pass) = &mut self.mailbox_pass else { return Ok(()) };
        let plain = pass.record.complete && self.settings.window == Window::Everything;
        let Some(last) = s.known.max().filter(|last| plain && came > 0 && *last < u32::MAX) else {
            return Ok(());
        };
        // Which UIDs they have is told by the answer.
        pass.asked_meta = UidSet::from_range(last + 1, u32::MAX);
        if pass.record.bodies_done != BodyPolicy::None {
            self.batch.push(without_bodies(pass.mailbox));
        }
        let set = NumberSet::From(last + 1);
        let fetch = Command::Fetch { uid: true, set, items, changed_since: None, partial: None };
        self.out.send(&fetch, Purpose::Newcomers)
    }

    fn resync_parameter(&self, record: &MailboxRecord, known: &UidSet) -> Resync {
        if self.is_qresync() && record.uid_validity != 0 && record.highest_modseq != 0 {
            // Left out where it would make the line too long: then the server tells of every expunge.
            let short = known.ranges().len() <= KNOWN_RANGES;
            let known = if short { known.clone() } else { UidSet::new() };
            return Resync::Qresync {
                uid_validity: record.uid_validity,
                modseq: record.highest_modseq,
                known,
            };
        }
        if self.capabilities.condstore() { Resync::Condstore } else { Resync::None }
    }

    /// What came so far was about the mailbox that is being left (RFC 7162 §3.2.11).
    pub(super) fn reset_opening(&mut self) {
        if !self.selected.open
            && let Some(mailbox) = self.selected.mailbox
        {
            self.selected = Selected::new(mailbox, std::mem::take(&mut self.selected.known));
        }
    }

    pub(super) fn select_answered(&mut self, ok: bool, status: &Status<'_>) -> Result<()> {
        let Some(pass) = &mut self.mailbox_pass else { return Ok(()) };
        let misunderstood = status.kind == StatusKind::Bad || status.code.is_none();
        if !ok && misunderstood && pass.resync != Resync::None {
            // Advertised and not understood: once more without the parameter.
            let (mailbox, mut record) = (pass.mailbox, pass.record.clone());
            record.highest_modseq = 0;
            self.enabled.remove("QRESYNC");
            let known = self.known_uids(mailbox)?;
            let wire_name = record.wire_name.clone();
            let mut plain = MailboxPass::new(mailbox, record);
            plain.healed = true;
            self.mailbox_pass = Some(plain);
            self.selected = Selected::new(mailbox, known);
            let resync = Resync::None;
            return self
                .out
                .send(&Command::Select { mailbox: wire_name, read_only: true, resync }, Purpose::Select);
        }
        if !ok {
            let name = pass.record.name.clone();
            let why = text_of(status, &self.limits);
            self.selected = Selected::default();
            self.events.push_back(Event::Problem { text: format!("{name} cannot be opened: {why}") });
            return self.leave_mailbox();
        }
        self.selected.open = true;
        if self.selected.uid_validity == 0 {
            let name = pass.record.name.clone();
            self.events.push_back(Event::Problem { text: format!("{name} has no UIDVALIDITY") });
            return self.leave_mailbox();
        }
        let renumbered = self.check_numbering();
        let pending = std::mem::take(&mut self.selected.pending);
        if !renumbered {
            for op in pending {
                self.batch.push(op);
            }
        }
        if !renumbered && self.pass.as_ref().is_some_and(|p| p.scope.only_opens()) {
            self.flush(Next::Onward);
            return Ok(());
        }
        if self.pass.as_ref().is_some_and(|p| p.phase == Phase::FirstLook) {
            return self.look_first();
        }
        self.compare()
    }

    fn leave_mailbox(&mut self) -> Result<()> {
        if let Some(pass) = &mut self.pass
            && pass.phase == Phase::FirstLook
        {
            pass.phase = Phase::Listing;
            if let Some(done) = self.mailbox_pass.take() {
                self.leases.release(done.mailbox);
            }
            return self.send_list();
        }
        self.next_mailbox()
    }

    /// Numbers that go back mean that the server's memory is not the one we know: a restored
    /// snapshot or lost index files are treated like a new UIDVALIDITY.
    fn check_numbering(&mut self) -> bool {
        let Some(pass) = &mut self.mailbox_pass else { return false };
        let (s, r) = (&mut self.selected, &pass.record);
        let changed = r.uid_validity != 0
            && (r.uid_validity != s.uid_validity
                || s.uid_next != 0 && s.uid_next < r.uid_next
                || s.highest_modseq != 0 && s.highest_modseq < r.highest_modseq);
        if changed {
            pass.renumbered = true;
            pass.record.complete = false;
            s.known = UidSet::new();
            s.unknown = UidSet::new();
            s.vanished = UidSet::new();
            let (mailbox, uid_validity) = (pass.mailbox, s.uid_validity);
            self.batch.push(Op::Renumbered { mailbox, uid_validity });
        } else if r.uid_validity == 0 {
            let state = StateFact { uid_validity: Some(s.uid_validity), ..StateFact::default() };
            self.batch.push(Op::State { mailbox: pass.mailbox, state });
        }
        changed
    }

    /// The newest messages of INBOX, with the list of mailboxes in the same flight.
    fn look_first(&mut self) -> Result<()> {
        let exists = self.selected.exists;
        if exists > 0 {
            let first = exists.saturating_sub(FIRST_LOOK - 1).max(1);
            let items = self.meta_items();
            let set = NumberSet::Set(UidSet::from_range(first, exists));
            let fetch = Command::Fetch { uid: false, set, items, changed_since: None, partial: None };
            if let Some(pass) = &mut self.mailbox_pass {
                // By sequence number: which UIDs they have is told by the answer.
                pass.asked_meta = UidSet::from_range(1, u32::MAX);
            }
            self.out.send(&fetch, Purpose::Newest)?;
        }
        self.send_list()?;
        if exists == 0 {
            self.first_look_done()?;
        }
        Ok(())
    }

    fn first_look_done(&mut self) -> Result<()> {
        if let Some(pass) = self.mailbox_pass.take() {
            self.leases.release(pass.mailbox);
        }
        let pass = self.pass_mut()?;
        pass.phase = Phase::Listing;
        if pass.listed {
            self.flush(Next::Plan);
        }
        Ok(())
    }

    /// Compares what is here with what the server has, by the best means both know.
    fn compare(&mut self) -> Result<()> {
        let Some(pass) = &self.mailbox_pass else { return Ok(()) };
        if self.selected.highest_modseq == 0 && !self.selected.no_modseq && !pass.record.complete {
            // Opened before the server was known to have mod-sequences. What LIST told since then holds:
            // everything is met after it.
            let told = self.listing.numbers(&pass.record.wire_name).and_then(|n| n.highest_modseq);
            self.selected.highest_modseq = told.unwrap_or(0);
        }
        let (s, r) = (&self.selected, &pass.record);
        let seen_before = r.uid_validity != 0 && !pass.renumbered && !s.known.is_empty();
        let modseqs = s.highest_modseq != 0 && !s.no_modseq;
        let audit_due = r.complete
            && r.audited_ms != 0
            && self.now.wall_ms.saturating_sub(r.audited_ms) >= self.settings.audit_interval_ms;
        if !seen_before
            || audit_due
            || s.doubtful
            || !r.complete
            || self.settings.window != Window::Everything
        {
            return self.scan_to(audit_due);
        }
        if matches!(pass.resync, Resync::Qresync { .. }) && modseqs {
            // Everything that changed came with the answer to SELECT.
            return if s.adds_up() { self.enter_new() } else { self.scan() };
        }
        if !modseqs || r.highest_modseq == 0 {
            return self.scan();
        }
        // A mailbox that stayed open has told only what the server thought fit to tell: it is asked.
        if s.highest_modseq == r.highest_modseq && s.adds_up() && !pass.again {
            return self.enter_new();
        }
        let fetch = Command::Fetch {
            uid: true,
            set: NumberSet::From(1),
            items: vec![FetchItem::Uid, FetchItem::Flags],
            changed_since: Some(ChangedSince { modseq: r.highest_modseq, vanished: false }),
            partial: None,
        };
        self.out.send(&fetch, Purpose::Changed)
    }

    /// Meets every message of the mailbox: what is met is what there is.
    fn scan(&mut self) -> Result<()> {
        self.scan_to(false)
    }

    /// A scan, which asks for sizes too where it is to `audit`: another size under the same UID is
    /// another message.
    fn scan_to(&mut self, audit: bool) -> Result<()> {
        if let Window::LastDays(days) = self.settings.window {
            let since = self.now.wall_ms - i64::from(days) * 86_400_000;
            let (year, month, day) = crate::imap::date::civil_from_ms(since);
            let criteria = vec![SearchKey::Since { year, month, day }];
            let returns = if self.capabilities.esearch() { vec!["ALL".to_owned()] } else { Vec::new() };
            self.out.send(&Command::Search { uid: true, returns, criteria }, Purpose::Window)?;
        }
        if let Some(pass) = &mut self.mailbox_pass {
            let reading = self.store.read()?;
            // Facts on their way into the store are not in it yet; then every flag is taken for news.
            if self.batch.is_empty() && !self.commit_under_way {
                pass.flags = query::flags(&reading.tables, pass.mailbox)?;
            }
            if audit {
                pass.sizes = query::claimed_sizes(&reading.tables, pass.mailbox)?;
            }
        }
        self.selected.start_scan();
        if self.selected.exists == 0 {
            return self.scanned();
        }
        let mut items = vec![FetchItem::Uid, FetchItem::Flags];
        if audit {
            items.push(FetchItem::Rfc822Size);
        }
        let set = NumberSet::From(1);
        let fetch = Command::Fetch { uid: true, set, items, changed_since: None, partial: None };
        self.out.send(&fetch, Purpose::Scan)
    }

    /// Whether the server now gives a message another size than before.
    pub(super) fn note_size(&mut self, uid: u32, size: u64) {
        if let Some(pass) = &mut self.mailbox_pass
            && pass.sizes.get(&uid).is_some_and(|known| *known != size)
        {
            pass.replaced.insert(uid);
        }
    }

    /// Numbers that a search found.
    pub(super) fn found(&mut self, uids: &UidSet) {
        if let Some(pass) = &mut self.mailbox_pass
            && self.out.waiting().any(|p| matches!(p, Purpose::Window))
        {
            pass.window = Some(pass.window.take().unwrap_or_default().union(uids));
        }
    }

    fn scanned(&mut self) -> Result<()> {
        self.selected.finish_scan();
        if let Some(pass) = &mut self.mailbox_pass {
            pass.flags = HashMap::new();
            pass.sizes = HashMap::new();
            pass.met_all = !self.selected.doubtful;
            let replaced = std::mem::take(&mut pass.replaced);
            self.selected.vanished = self.selected.vanished.union(&replaced);
            self.selected.unknown = self.selected.unknown.union(&replaced);
            let unknown = &mut self.selected.unknown;
            let wanted = match self.settings.window {
                Window::Everything => unknown.clone(),
                Window::Newest(n) => {
                    let all = self.selected.known.difference(&self.selected.vanished).union(unknown);
                    all.split_newest(u64::from(n)).0.intersection(unknown)
                }
                // A search that the server refused leaves nothing out.
                Window::LastDays(_) => {
                    pass.window.take().map_or(unknown.clone(), |w| w.intersection(unknown))
                }
            };
            pass.outside = unknown.difference(&wanted);
            *unknown = wanted;
        }
        self.enter_new()
    }

    /// Takes out what is gone and enters what is new, newest first.
    fn enter_new(&mut self) -> Result<()> {
        let Some(pass) = &mut self.mailbox_pass else { return Ok(()) };
        let gone = self.selected.vanished.intersection(&self.selected.known);
        if !gone.is_empty() {
            // Most of a mailbox gone at once may be the server's mistake: hidden now, kept longer.
            let suspicious = gone.len() > 20 && gone.len() * 2 > self.selected.known.len();
            self.selected.known = self.selected.known.difference(&gone);
            self.batch.push(Op::Gone { mailbox: pass.mailbox, uids: gone, suspicious });
        }
        self.selected.vanished = UidSet::new();
        let new = self.selected.unknown.clone();
        if pass.record.bodies_done != BodyPolicy::None && !new.is_empty() {
            self.batch.push(without_bodies(pass.mailbox));
        }
        let first = self.pass.as_ref().is_some_and(|p| p.first);
        let all = self.pass.as_ref().is_some_and(|p| p.bodies == BodyPolicy::All);
        let server_ids = self.capabilities.has("OBJECTID") || self.capabilities.has("X-GM-EXT-1");
        // On the first sync nothing can be here already, unless the server has ids that tell copies.
        pass.direct = first && all && !server_ids && !pass.renumbered;
        if pass.direct {
            let begun: UidSet = query::partials(&self.store.read()?.tables, pass.mailbox)?
                .iter()
                .filter(|(_, p)| p.uid_validity == self.selected.uid_validity)
                .map(|(uid, _)| *uid)
                .collect();
            // What came in part goes on from there, under an entry of its own.
            pass.meta_queue = new.intersection(&begun);
            pass.body_queue = new.difference(&begun);
        } else {
            pass.meta_queue = new;
        }
        pass.total = pass.meta_queue.len() + pass.body_queue.len();
        let unmet = !pass.direct && !pass.meta_queue.is_empty();
        if unmet && self.is_converting()? && self.ask_marks()? {
            return Ok(());
        }
        if self.ask_meta()? { Ok(()) } else { self.meta_done() }
    }

    fn meta_items(&self) -> Vec<FetchItem> {
        let mut items = self.entry_items();
        items.push(FetchItem::BodyStructure);
        let fields = FIELDS.iter().map(|f| (*f).to_owned()).collect();
        items.push(FetchItem::Peek { section: Section::HeaderFields(fields), partial: None });
        items
    }

    /// What an entry needs besides header or body.
    pub(super) fn entry_items(&self) -> Vec<FetchItem> {
        let mut items =
            vec![FetchItem::Uid, FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size];
        if self.capabilities.condstore() && !self.selected.no_modseq && self.selected.highest_modseq != 0 {
            items.push(FetchItem::ModSeq);
        }
        if self.capabilities.has("OBJECTID") {
            items.push(FetchItem::EmailId);
        } else if self.capabilities.has("X-GM-EXT-1") {
            items.push(FetchItem::GmailMessageId);
        }
        items
    }

    pub(super) fn waiting_for(&self, which: impl Fn(&Purpose) -> bool) -> usize {
        self.out.waiting().filter(|p| which(p)).count()
    }

    /// Keeps commands in flight; returns whether any is.
    fn ask_meta(&mut self) -> Result<bool> {
        let items = self.meta_items();
        // A structure that breaks its line hides the whole answer: the second time it is not asked for.
        let plain: Vec<FetchItem> =
            items.iter().filter(|i| !matches!(i, FetchItem::BodyStructure)).cloned().collect();
        // And where that fails too, only what an entry cannot do without.
        let entry = self.entry_items();
        let is_meta = |p: &Purpose| matches!(p, Purpose::Meta { .. });
        let cancelled = self.pass.as_ref().is_some_and(|p| p.cancelled);
        let Some(pass) = &mut self.mailbox_pass else { return Ok(false) };
        let mut in_flight = self.out.waiting().filter(|p| is_meta(p)).count();
        while in_flight < META_IN_FLIGHT && !pass.meta_queue.is_empty() && !cancelled {
            let bare = pass.meta_queue.intersection(&pass.bare);
            let again = pass.meta_queue.intersection(&pass.retried);
            let (from, items) = match (bare.is_empty(), again.is_empty()) {
                (false, _) => (&bare, &entry),
                (true, false) => (&again, &plain),
                (true, true) => (&pass.meta_queue, &items),
            };
            let (uids, _) = take_some(from, META_AT_ONCE);
            pass.meta_queue = pass.meta_queue.difference(&uids);
            pass.asked_meta = pass.asked_meta.union(&uids);
            let set = NumberSet::Set(uids.clone());
            let fetch =
                Command::Fetch { uid: true, set, items: items.clone(), changed_since: None, partial: None };
            self.out.send(&fetch, Purpose::Meta { uids })?;
            in_flight += 1;
        }
        Ok(in_flight > 0)
    }

    fn meta_done(&mut self) -> Result<()> {
        self.flush(Next::Bodies);
        Ok(())
    }

    /// The tagged answer to a command about the open mailbox.
    pub(super) fn mailbox_answered(&mut self, purpose: Purpose, ok: bool, status: &Status<'_>) -> Result<()> {
        if self.mailbox_pass.is_none() {
            return Ok(());
        }
        match purpose {
            Purpose::Newest => {
                if let Some(pass) = &mut self.mailbox_pass {
                    pass.asked_meta = UidSet::new();
                }
                self.first_look_done()
            }
            Purpose::Newcomers => {
                // What it left out is asked for like everything else that is not here.
                if let Some(pass) = &mut self.mailbox_pass {
                    pass.asked_meta = UidSet::new();
                }
                Ok(())
            }
            Purpose::Scan if ok => self.scanned(),
            Purpose::Scan if self.mailbox_pass.as_ref().is_some_and(|p| !p.healed) => {
                // Others may have expunged meanwhile (RFC 5530 EXPUNGEISSUED): once more.
                if let Some(pass) = &mut self.mailbox_pass {
                    pass.healed = true;
                }
                self.scan()
            }
            Purpose::Scan => {
                let why = text_of(status, &self.limits);
                self.selected.scanned = None;
                self.events.push_back(Event::Problem { text: format!("a mailbox cannot be read: {why}") });
                self.leave_mailbox()
            }
            Purpose::Arrived if self.selected.unknown.is_empty() => {
                // Nothing new, and yet the count is higher: only a scan tells.
                self.selected.doubtful = true;
                self.flush(Next::Settle);
                Ok(())
            }
            Purpose::Arrived => self.enter_new(),
            Purpose::Changed => {
                if ok && self.selected.adds_up() {
                    self.enter_new()
                } else {
                    self.scan()
                }
            }
            Purpose::Marks => {
                if self.waiting_for(|p| matches!(p, Purpose::Marks)) > 0 {
                    return Ok(());
                }
                self.match_marks()?;
                if self.ask_meta()? { Ok(()) } else { self.meta_done() }
            }
            Purpose::Meta { uids } => {
                self.missed(&uids, false);
                self.progress();
                if self.ask_meta()? { Ok(()) } else { self.meta_done() }
            }
            Purpose::Bodies { uids } => {
                self.missed(&uids, true);
                self.progress();
                if self.ask_bodies()? { Ok(()) } else { self.bodies_done() }
            }
            Purpose::Rest { uid } => {
                if let Some(pass) = &mut self.mailbox_pass {
                    pass.resuming = None;
                }
                self.missed(&UidSet::from_range(uid, uid), true);
                if self.ask_bodies()? { Ok(()) } else { self.bodies_done() }
            }
            Purpose::Previews => {
                if self.ask_bodies()? {
                    Ok(())
                } else {
                    self.bodies_done()
                }
            }
            _ => Ok(()),
        }
    }

    /// What an answer left out is asked for once more; after that it is believed to be gone, or
    /// beyond what this server can deliver.
    fn missed(&mut self, uids: &UidSet, bodies: bool) {
        let Some(pass) = &mut self.mailbox_pass else { return };
        let asked = if bodies { &mut pass.asked_bodies } else { &mut pass.asked_meta };
        let missing = asked.intersection(uids).difference(&self.selected.vanished);
        *asked = asked.difference(uids);
        let retried = if bodies { &mut pass.retried_bodies } else { &mut pass.retried };
        let again = missing.difference(retried);
        let lost = missing.intersection(retried);
        *retried = retried.union(&again);
        if bodies {
            pass.body_queue = pass.body_queue.union(&again);
            pass.given_up = pass.given_up.union(&lost);
            return;
        }
        let bare = lost.difference(&pass.bare);
        let given_up = lost.intersection(&pass.bare);
        pass.bare = pass.bare.union(&bare);
        pass.meta_queue = pass.meta_queue.union(&again).union(&bare);
        if !given_up.is_empty() {
            self.selected.doubtful = true;
        }
    }

    fn progress(&mut self) {
        if let (Some(pass), Some(whole)) = (&self.mailbox_pass, &self.pass) {
            self.events.push_back(Event::Progress {
                request: whole.request,
                mailbox: pass.mailbox,
                done: pass.done.min(pass.total),
                total: pass.total,
            });
        }
    }

    /// Everything is durable: the count must be the server's. Where it is not, a scan heals it.
    pub(super) fn settle(&mut self) -> Result<()> {
        let cancelled = self.pass.as_ref().is_some_and(|p| p.cancelled);
        let Some(pass) = &mut self.mailbox_pass else { return Ok(()) };
        let reading = self.store.read()?;
        let known = query::uids(&reading.tables, pass.mailbox)?;
        drop(reading);
        self.selected.known = known;
        if cancelled {
            return self.next_mailbox();
        }
        let held = self.selected.believed().len() + pass.outside.len();
        let more = !self.selected.unknown.is_empty() || !self.selected.vanished.is_empty();
        let wrong = held != u64::from(self.selected.exists) || more || self.selected.doubtful;
        let last = self.selected.known.max().unwrap_or(0);
        if held < u64::from(self.selected.exists)
            && !self.selected.doubtful
            && pass.arrivals < MOST_ARRIVALS
            && last < u32::MAX
        {
            // Mail came while the mailbox was being brought into step.
            pass.arrivals += 1;
            let items = vec![FetchItem::Uid, FetchItem::Flags];
            let set = NumberSet::From(last + 1);
            let fetch = Command::Fetch { uid: true, set, items, changed_since: None, partial: None };
            return self.out.send(&fetch, Purpose::Arrived);
        }
        if wrong && !pass.healed {
            pass.healed = true;
            pass.entered = UidSet::new();
            self.selected.unknown = UidSet::new();
            return self.scan();
        }
        let lacking = pass.given_up.len();
        if wrong {
            let text = format!(
                "{}: {held} messages are known here, the server counts {} ({lacking} could not be fetched)",
                pass.record.name, self.selected.exists
            );
            self.events.push_back(Event::Problem { text });
        }
        let policy = self.pass.as_ref().map_or(BodyPolicy::None, |p| p.bodies);
        if !wrong {
            let mailbox = pass.mailbox;
            self.looked_at.insert(mailbox);
            if self.mailboxes_to_look()?.contains(&mailbox) {
                self.batch.push(Op::Replay(ReplayFact::Looked(mailbox)));
            }
        }
        self.settle_state(!wrong, if lacking == 0 { policy } else { BodyPolicy::None })?;
        if wrong {
            self.pass_mut()?.troubled = true;
        }
        self.flush(Next::Onward);
        Ok(())
    }

    fn settle_state(&mut self, whole: bool, bodies_done: BodyPolicy) -> Result<()> {
        let Some(pass) = &self.mailbox_pass else { return Ok(()) };
        let s = &self.selected;
        let now = query::mailbox(&self.store.read()?.tables, pass.mailbox)?;
        let highest = self.selected.known.max().map_or(0, |m| m.saturating_add(1));
        let uid_next = if s.uid_next != 0 { s.uid_next } else { highest };
        let modseqs = s.highest_modseq != 0 && !s.no_modseq;
        let settled = (whole && modseqs && s.uid_next != 0 && pass.outside.is_empty()).then_some(Settled {
            messages: s.exists,
            uid_next: s.uid_next,
            uid_validity: s.uid_validity,
            unseen: u32::try_from(now.server_unseen).unwrap_or(u32::MAX),
            highest_modseq: s.highest_modseq,
        });
        // A scan met everything; without one the last audit stands.
        let audited = pass.record.audited_ms == 0 || pass.met_all;
        let state = StateFact {
            mailbox_id: s.mailbox_id.clone(),
            uid_validity: Some(s.uid_validity),
            uid_next: Some(uid_next.max(highest)),
            highest_modseq: whole.then_some(if modseqs { s.highest_modseq } else { 0 }),
            // A pass that did not add up does not unmake what was known before.
            complete: (whole || pass.renumbered).then_some(whole),
            bodies_done: Some(bodies_done),
            settled: Some(settled),
            audited_ms: (whole && audited).then_some(self.now.wall_ms.max(1)),
            rights: None,
        };
        let mailbox = pass.mailbox;
        self.batch.push(Op::State { mailbox, state });
        if whole && !query::partials(&self.store.read()?.tables, mailbox)?.is_empty() {
            self.batch.push(Op::Collect { mailbox });
        }
        Ok(())
    }
}

/// Said before new messages are entered: a pass that is cut must not leave them without bodies for good.
fn without_bodies(mailbox: MailboxId) -> Op {
    let state = StateFact { bodies_done: Some(BodyPolicy::None), ..StateFact::default() };
    Op::State { mailbox, state }
}

/// The newest of a set, as many as fit one command.
pub(super) fn take_some(set: &UidSet, most: u64) -> (UidSet, UidSet) {
    let (mut some, mut rest) = set.split_newest(most);
    // A set of many gaps may be too long a line.
    let parts = crate::imap::encode::split_set(&some, crate::imap::encode::MAX_SET);
    if parts.len() > 1
        && let Some(last) = parts.last()
    {
        rest = rest.union(&some.difference(last));
        some = last.clone();
    }
    (some, rest)
}
