//! APPEND with MULTIAPPEND (RFC 3502) and APPENDLIMIT (RFC 7889), REPLACE (RFC 8508).

use std::collections::BTreeSet;
use std::rc::Rc;

use super::super::model::{Held, How, World};
use super::super::wire::{Arg, date_time, set_text};
use super::store::flags_of;
use super::{Answer, Session};

/// A message as it was sent.
struct Sent {
    flags: BTreeSet<String>,
    at_ms: Option<i64>,
    raw: Vec<u8>,
}

impl Session {
    pub(super) fn append(&mut self, args: &[Arg]) -> Answer {
        let [name, rest @ ..] = args else { return Err("BAD APPEND".into()) };
        let mut sent = messages(rest)?;
        if sent.len() > 1 {
            self.need("MULTIAPPEND")?;
        }
        let target = self.may_append(&name.text(), &sent)?;
        let mut kept: Vec<usize> = (0..sent.len()).collect();
        let short = self.shorten(&mut kept);
        sent.truncate(kept.len());
        let code = self.enter(target, sent);
        self.updates(true);
        short.map_or_else(|| Ok(format!("{code}appended")), Err)
    }

    /// One message takes the place of another, which is expunged at once.
    pub(super) fn replace(&mut self, args: &[Arg], by_uid: bool) -> Answer {
        self.need("REPLACE")?;
        let folder = self.writable_folder()?;
        let [number, name, rest @ ..] = args else { return Err("BAD REPLACE".into()) };
        let sent = messages(rest)?;
        let picked = self.pick(&folder, &number.text(), by_uid)?;
        if sent.len() != 1 || picked.here.len() > 1 {
            return Err("BAD one message replaces one".into());
        }
        let [(_, old)] = picked.here[..] else { return Err("NO nothing there to replace".into()) };
        if !(folder.allows('t') && folder.allows('e')) {
            return Err("NO [NOPERM] nothing may be taken from here".into());
        }
        let target = self.may_append(&name.text(), &sent)?;
        let code = self.enter(target, sent);
        if !code.is_empty() {
            self.say(format!("* OK {code}put in its place"));
        }
        let mut old = vec![old];
        let short = self.shorten(&mut old);
        self.world.borrow_mut().take_out(folder.id, &old, How::Expunged, self.by());
        self.updates(true);
        short.map_or_else(|| Ok(format!("{}replaced", self.modseq_code(folder.id))), Err)
    }

    /// What is told of an APPEND before its literal is asked for.
    pub(super) fn refuses_literal(&self, args: &[Arg], size: u64) -> Option<String> {
        let [_, words @ ..] = args else { return None };
        let name = match words {
            [verb, name, ..] if verb.is("APPEND") => name,
            [verb, _, name, ..] if verb.is("REPLACE") => name,
            [uid, verb, _, name, ..] if uid.is("UID") && verb.is("REPLACE") => name,
            _ => return None,
        };
        if !self.signed_in || !self.world.borrow().manners.refuses_before_literals {
            return None;
        }
        if let Err(no) = self.target(&name.text()) {
            return Some(no);
        }
        self.world.borrow().refuses(1, size, size)
    }

    fn may_append(&self, name: &str, sent: &[Sent]) -> Result<u64, String> {
        let target = self.target(name)?;
        let sizes: Vec<u64> = sent.iter().map(|s| s.raw.len() as u64).collect();
        let (largest, octets) = (sizes.iter().max().copied().unwrap_or(0), sizes.iter().sum());
        match self.world.borrow().refuses(sent.len(), largest, octets) {
            Some(no) => Err(no),
            None => Ok(target),
        }
    }

    /// Puts messages in; returns APPENDUID where it is offered.
    fn enter(&mut self, target: u64, sent: Vec<Sent>) -> String {
        let by = self.by();
        let mut world = self.world.borrow_mut();
        let manners = world.manners.clone();
        let mut uids = Vec::new();
        for message in sent {
            let clock = world.tick();
            let email_id = world.new_id();
            let mailbox = world.by_id(target);
            let mut flags = mailbox.kept_all(&message.flags, &manners);
            flags.retain(|f| mailbox.lets_change(f));
            let internal_ms = message.at_ms.unwrap_or(clock);
            let held = Held { uid: 0, flags, internal_ms, raw: Rc::new(message.raw), modseq: 0, email_id };
            uids.push(world.put(target, held, How::Appended, by));
        }
        if uids.is_empty() || !world.has("UIDPLUS") {
            return String::new();
        }
        format!("[APPENDUID {} {}] ", world.by_id(target).uid_validity, set_text(uids))
    }
}

impl World {
    /// The largest message that APPEND takes.
    pub(super) fn append_limit(&self) -> Option<u64> {
        let told = self.capabilities.iter().find_map(|c| {
            let (name, limit) = c.split_once('=')?;
            name.eq_ignore_ascii_case("APPENDLIMIT").then(|| limit.parse().ok())?
        });
        told.into_iter().chain(self.manners.append_limit).min()
    }

    fn refuses(&self, messages: usize, largest: u64, octets: u64) -> Option<String> {
        if self.append_limit().is_some_and(|limit| largest > limit) {
            return Some("NO [TOOBIG] larger than what is taken".into());
        }
        (!self.fits(messages, octets)).then(|| "NO [OVERQUOTA] no room".into())
    }
}

/// `[flags] [date-time] literal`, once or more.
fn messages(mut args: &[Arg]) -> Result<Vec<Sent>, String> {
    let mut sent = Vec::new();
    while !args.is_empty() {
        let (mut flags, mut at_ms) = (BTreeSet::new(), None);
        if let [list @ Arg::List(_), rest @ ..] = args {
            flags = flags_of(std::slice::from_ref(list))?;
            args = rest;
        }
        if let [Arg::Text(date), rest @ ..] = args {
            let date = String::from_utf8_lossy(date);
            at_ms = Some(date_time(&date).ok_or("BAD no date and time")?);
            args = rest;
        }
        let [Arg::Literal(raw), rest @ ..] = args else { return Err("BAD no message".into()) };
        if raw.is_empty() {
            // How a client takes an APPEND back (RFC 3502 §6.3.11).
            return Err("NO an empty message: nothing is appended".into());
        }
        sent.push(Sent { flags, at_ms, raw: raw.clone() });
        args = rest;
    }
    if sent.is_empty() { Err("BAD no message".into()) } else { Ok(sent) }
}
