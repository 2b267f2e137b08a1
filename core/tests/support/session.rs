//! One session with the model server.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

use super::host::Peer;
use super::mail::{entity, header_fields};
use super::model::{Folder, Held, Quirk, World};
use super::wire::{Arg, Read, from_base64, holds, internal_date, ranges, read_command, search_day, set_text};

const FLAGS: &str = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";

/// The mailbox that a session has open, as it has been told.
struct View {
    folder: u64,
    uid_validity: u32,
    uids: Vec<u32>,
    flags: BTreeMap<u32, u64>,
}

enum State {
    Commands,
    /// The base64 line of AUTHENTICATE is awaited.
    Authenticating(String),
    Idling(String),
}

/// A session.
pub struct Session {
    world: Rc<RefCell<World>>,
    quirk: Rc<RefCell<Option<Quirk>>>,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Responses that have not gone through the quirk.
    said: Vec<Vec<u8>>,
    verb: String,
    /// Where a literal was asked for last.
    asked: usize,
    state: State,
    signed_in: bool,
    condstore: bool,
    qresync: bool,
    view: Option<View>,
    closed: bool,
}

impl Peer for Session {
    fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while !self.closed && self.step() {}
        self.flush();
    }

    fn take(&mut self) -> Vec<u8> {
        if matches!(self.state, State::Idling(_)) {
            self.push_updates();
        }
        std::mem::take(&mut self.output)
    }

    fn is_closed(&self) -> bool {
        self.closed && self.output.is_empty()
    }
}

type Answer = Result<String, String>;

impl Session {
    pub fn new(world: Rc<RefCell<World>>, quirk: Rc<RefCell<Option<Quirk>>>) -> Session {
        let mut session = Session {
            world,
            quirk,
            input: Vec::new(),
            output: Vec::new(),
            said: Vec::new(),
            verb: "greeting".into(),
            asked: 0,
            state: State::Commands,
            signed_in: false,
            condstore: false,
            qresync: false,
            view: None,
            closed: false,
        };
        let code = session.capability_code();
        session.say(format!("* OK {code}ready"));
        session.flush();
        session
    }

    /// Sends what changed in the open mailbox now, whoever waits for what.
    pub fn push_updates(&mut self) {
        self.verb = String::new();
        self.updates(true);
        self.flush();
    }

    /// Sends a line of the test's own.
    pub fn push_line(&mut self, line: &str) {
        self.verb = String::new();
        self.say(line.to_owned());
        self.flush();
    }

    fn capability_code(&self) -> String {
        let world = self.world.borrow();
        if world.tells_capabilities {
            format!("[CAPABILITY {}] ", world.capabilities.join(" "))
        } else {
            String::new()
        }
    }

    fn say(&mut self, line: String) {
        self.said.push((line + "\r\n").into_bytes());
    }

    fn flush(&mut self) {
        for line in std::mem::take(&mut self.said) {
            match &mut *self.quirk.borrow_mut() {
                Some(quirk) => self.output.extend(quirk(&self.verb, line)),
                None => self.output.extend(line),
            }
        }
    }

    fn violation(&self, what: &str) {
        let line = format!("{what}: {}", self.verb);
        self.world.borrow_mut().violations.push(line);
    }

    fn has(&self, capability: &str) -> bool {
        self.world.borrow().has(capability)
    }

    /// Needs a capability; its lack is the client's fault.
    fn need(&self, capability: &str) -> Result<(), String> {
        if self.has(capability) {
            return Ok(());
        }
        self.violation(&format!("{capability} was not offered"));
        Err("BAD not offered".into())
    }

    fn step(&mut self) -> bool {
        match &self.state {
            State::Commands => self.step_command(),
            State::Authenticating(tag) => {
                let tag = tag.clone();
                let Some(line) = self.line() else { return false };
                self.state = State::Commands;
                let answer = self.plain(&line);
                self.answer(&tag, answer);
                true
            }
            State::Idling(tag) => {
                let tag = tag.clone();
                let Some(line) = self.line() else { return false };
                self.state = State::Commands;
                self.verb = "IDLE".into();
                if line.eq_ignore_ascii_case(b"DONE") {
                    self.updates(true);
                    self.answer(&tag, Ok("idled".into()));
                } else {
                    self.violation("not DONE");
                    self.answer(&tag, Err("BAD not DONE".into()));
                }
                true
            }
        }
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.input.windows(2).position(|w| w == b"\r\n")?;
        let line = self.input[..end].to_vec();
        self.input.drain(..end + 2);
        Some(line)
    }

    fn step_command(&mut self) -> bool {
        match read_command(&self.input) {
            Read::More => false,
            Read::Wait(at) => {
                if self.asked < at {
                    self.asked = at;
                    self.said.push(b"+ go on\r\n".to_vec());
                }
                false
            }
            Read::Bad(len) => {
                self.input.drain(..len);
                self.violation("unreadable");
                self.said.push(b"* BAD unreadable\r\n".to_vec());
                true
            }
            Read::Command { args, len, loose_literal } => {
                let raw: Vec<u8> = self.input.drain(..len).collect();
                self.asked = 0;
                self.command(&raw, args, loose_literal);
                true
            }
        }
    }

    fn command(&mut self, raw: &[u8], args: Vec<Arg>, loose_literal: bool) {
        let [tag, verb, rest @ ..] = args.as_slice() else {
            self.violation("no command");
            return self.say("* BAD no command".into());
        };
        let tag = tag.text();
        self.verb = verb.text().to_ascii_uppercase();
        let mut rest = rest;
        if self.verb == "UID"
            && let [sub, more @ ..] = rest
        {
            self.verb = format!("UID {}", sub.text().to_ascii_uppercase());
            rest = more;
        }
        let text = String::from_utf8_lossy(raw).trim_end().to_owned();
        let logged = text.split_once(' ').map_or("", |(_, command)| command).to_owned();
        self.world.borrow_mut().log.push(if self.verb == "LOGIN" { "LOGIN".into() } else { logged });
        if raw.len() > 8192 {
            self.violation("too long a line");
        }
        if loose_literal && !self.has("LITERAL+") {
            self.violation("LITERAL+ was not offered");
        }
        let verb = self.verb.clone();
        let answer = self.run(&tag, &verb, rest);
        if let Some(answer) = answer {
            self.answer(&tag, answer);
        }
        self.flush();
    }

    fn answer(&mut self, tag: &str, answer: Answer) {
        match answer {
            Ok(text) => self.say(format!("{tag} OK {text}")),
            Err(text) => self.say(format!("{tag} {text}")),
        }
        self.flush();
    }

    fn run(&mut self, tag: &str, verb: &str, args: &[Arg]) -> Option<Answer> {
        let early = matches!(verb, "CAPABILITY" | "LOGIN" | "AUTHENTICATE" | "NOOP" | "LOGOUT" | "ID");
        if !early && !self.signed_in {
            // No fault: it may have been sent along with a login that was refused.
            return Some(Err("BAD sign in first".into()));
        }
        Some(match verb {
            "CAPABILITY" => {
                let words = self.world.borrow().capabilities.join(" ");
                self.say(format!("* CAPABILITY {words}"));
                Ok("that is all".into())
            }
            "NOOP" => {
                self.updates(true);
                Ok("nothing done".into())
            }
            "LOGOUT" => {
                self.say("* BYE good bye".into());
                self.answer(tag, Ok("signed out".into()));
                self.closed = true;
                return None;
            }
            "LOGIN" => match args {
                [user, password] => self.sign_in(&user.text(), &password.text()),
                _ => Err("BAD LOGIN".into()),
            },
            "AUTHENTICATE" => return self.authenticate(tag, args),
            "ID" => self.need("ID").map(|()| {
                self.say("* ID (\"name\" \"Model\" \"version\" \"1\")".into());
                "that is who".into()
            }),
            "ENABLE" => self.enable(args),
            "LIST" => self.list(args),
            "LSUB" => {
                let names: Vec<String> = self
                    .world
                    .borrow()
                    .boxes
                    .iter()
                    .filter(|b| b.subscribed)
                    .map(|b| b.name.clone())
                    .collect();
                for name in names {
                    self.say(format!("* LSUB () \"/\" {}", quoted(&name)));
                }
                Ok("listed".into())
            }
            "STATUS" => self.status(args),
            "SELECT" | "EXAMINE" => self.select(args),
            "FETCH" => self.fetch(args, false),
            "UID FETCH" => self.fetch(args, true),
            "UID SEARCH" => self.search(tag, args),
            "IDLE" => {
                if let Err(refused) = self.need("IDLE") {
                    return Some(Err(refused));
                }
                self.said.push(b"+ idling\r\n".to_vec());
                self.state = State::Idling(tag.to_owned());
                self.updates(true);
                return None;
            }
            "UNSELECT" => self.need("UNSELECT").map(|()| {
                self.view = None;
                "closed".into()
            }),
            _ => {
                self.violation("unknown command");
                Err("BAD unknown command".into())
            }
        })
    }

    fn sign_in(&mut self, user: &str, password: &str) -> Answer {
        let right = {
            let world = self.world.borrow();
            world.user == user && world.password == password
        };
        if !right {
            return Err("NO [AUTHENTICATIONFAILED] wrong name or password".into());
        }
        self.signed_in = true;
        Ok(format!("{}signed in", self.capability_code()))
    }

    fn authenticate(&mut self, tag: &str, args: &[Arg]) -> Option<Answer> {
        if !args.first().is_some_and(|m| m.is("PLAIN")) {
            return Some(Err("NO mechanism not known".into()));
        }
        match args.get(1) {
            Some(initial) => {
                if let Err(refused) = self.need("SASL-IR") {
                    return Some(Err(refused));
                }
                Some(self.plain(&initial.bytes()))
            }
            None => {
                self.said.push(b"+ \r\n".to_vec());
                self.state = State::Authenticating(tag.to_owned());
                None
            }
        }
    }

    fn plain(&mut self, line: &[u8]) -> Answer {
        let message = from_base64(line).unwrap_or_default();
        let pieces: Vec<String> =
            message.split(|b| *b == 0).map(|p| String::from_utf8_lossy(p).into_owned()).collect();
        match pieces.as_slice() {
            [_, user, password] => self.sign_in(user, password),
            _ => Err("BAD not PLAIN".into()),
        }
    }

    fn enable(&mut self, args: &[Arg]) -> Answer {
        self.need("ENABLE")?;
        if self.view.is_some() {
            self.violation("ENABLE in an open mailbox");
        }
        let mut enabled = String::new();
        for word in args.iter().map(|a| a.text().to_ascii_uppercase()) {
            if !self.has(&word) {
                continue;
            }
            self.condstore |= word == "CONDSTORE" || word == "QRESYNC";
            self.qresync |= word == "QRESYNC";
            let _ = write!(enabled, " {word}");
        }
        self.say(format!("* ENABLED{enabled}"));
        Ok("enabled".into())
    }

    fn list(&mut self, args: &[Arg]) -> Answer {
        let returns = match args {
            [_, _] => Vec::new(),
            [_, _, word, list] if word.is("RETURN") => {
                self.need("LIST-EXTENDED")?;
                list.items()
            }
            _ => return Err("BAD LIST".into()),
        };
        let asks = |word: &str| returns.iter().any(|r| matches!(r, Arg::Atom(_)) && r.is(word));
        let (subscribed, special) = (asks("SUBSCRIBED"), asks("SPECIAL-USE"));
        if special {
            self.need("SPECIAL-USE")?;
        }
        let items = returns.iter().position(|r| r.is("STATUS")).and_then(|at| returns.get(at + 1));
        if items.is_some() {
            self.need("LIST-STATUS")?;
        }
        let world = self.world.clone();
        let world = world.borrow();
        for folder in &world.boxes {
            let mut attributes = vec!["\\HasNoChildren"];
            if !folder.selectable {
                attributes.push("\\Noselect");
            }
            if subscribed && folder.subscribed {
                attributes.push("\\Subscribed");
            }
            if let Some(usage) = folder.special_use.filter(|_| special) {
                attributes.push(usage);
            }
            self.say(format!("* LIST ({}) \"/\" {}", attributes.join(" "), quoted(&folder.name)));
            if let Some(items) = items.filter(|_| folder.selectable) {
                let line = self.status_line(&world, folder, &items.items())?;
                self.say(line);
            }
        }
        Ok("listed".into())
    }

    fn status(&mut self, args: &[Arg]) -> Answer {
        let [name, items] = args else { return Err("BAD STATUS".into()) };
        let world = self.world.clone();
        let world = world.borrow();
        let folder = world.find(&name.text()).ok_or("NO [NONEXISTENT] no such mailbox")?;
        let line = self.status_line(&world, folder, &items.items())?;
        self.say(line);
        Ok("told".into())
    }

    fn status_line(&self, world: &World, folder: &Folder, items: &[Arg]) -> Result<String, String> {
        let mut told = Vec::new();
        for item in items.iter().map(|i| i.text().to_ascii_uppercase()) {
            let value = match item.as_str() {
                "MESSAGES" => folder.held.len().to_string(),
                "UIDNEXT" => folder.uid_next.to_string(),
                "UIDVALIDITY" => folder.uid_validity.to_string(),
                "UNSEEN" => folder.unseen().to_string(),
                "RECENT" => "0".into(),
                "HIGHESTMODSEQ" if world.has("CONDSTORE") => folder.modseq.to_string(),
                "MAILBOXID" if world.has("OBJECTID") => format!("(F{})", folder.id),
                _ => return Err(format!("BAD no STATUS item {item}")),
            };
            told.push(format!("{item} {value}"));
        }
        Ok(format!("* STATUS {} ({})", quoted(&folder.name), told.join(" ")))
    }

    fn select(&mut self, args: &[Arg]) -> Answer {
        let (name, params) = match args {
            [name] => (name, Vec::new()),
            [name, params] => (name, params.items()),
            _ => return Err("BAD SELECT".into()),
        };
        let resync = params.iter().find_map(|p| match p {
            Arg::List(resync) => Some(resync.clone()),
            _ => None,
        });
        if params.iter().any(|p| p.is("CONDSTORE")) {
            self.need("CONDSTORE")?;
            self.condstore = true;
        }
        if resync.is_some() && !self.qresync {
            self.violation("QRESYNC was not enabled");
            return Err("BAD QRESYNC was not enabled".into());
        }
        if self.view.take().is_some() && self.qresync {
            self.say("* OK [CLOSED] closed".into());
        }
        let world = self.world.clone();
        let world = world.borrow();
        let folder = world
            .find(&name.text())
            .filter(|f| f.selectable)
            .ok_or_else(|| "NO [NONEXISTENT] no such mailbox".to_owned())?;
        self.view = Some(View {
            folder: folder.id,
            uid_validity: folder.uid_validity,
            uids: folder.held.iter().map(|m| m.uid).collect(),
            flags: folder.held.iter().map(|m| (m.uid, m.modseq)).collect(),
        });
        self.say(format!("* {} EXISTS", folder.held.len()));
        self.say("* 0 RECENT".into());
        self.say(format!("* FLAGS ({FLAGS})"));
        self.say("* OK [PERMANENTFLAGS ()] none may be kept".into());
        self.say(format!("* OK [UIDVALIDITY {}] valid", folder.uid_validity));
        self.say(format!("* OK [UIDNEXT {}] predicted", folder.uid_next));
        if world.has("CONDSTORE") {
            self.say(format!("* OK [HIGHESTMODSEQ {}] highest", folder.modseq));
        }
        if world.has("OBJECTID") {
            self.say(format!("* OK [MAILBOXID (F{})] id", folder.id));
        }
        if let Some(resync) = resync {
            self.resync(folder, &resync)?;
        }
        Ok("[READ-ONLY] opened".into())
    }

    fn resync(&mut self, folder: &Folder, resync: &[Arg]) -> Result<(), String> {
        let number = |at: usize| resync.get(at).and_then(|a| a.text().parse::<u64>().ok());
        let (Some(uid_validity), Some(modseq)) = (number(0), number(1)) else {
            return Err("BAD QRESYNC".into());
        };
        if uid_validity != u64::from(folder.uid_validity) {
            return Ok(());
        }
        let known = resync.get(2).map(|set| ranges(&set.text(), u32::MAX));
        self.earlier(folder, modseq, known.as_deref());
        self.changes(folder, modseq);
        Ok(())
    }

    fn earlier(&mut self, folder: &Folder, modseq: u64, asked: Option<&[(u32, u32)]>) {
        let wanted = |uid: u32| asked.is_none_or(|set| holds(set, uid));
        let mut gone: Vec<u32> = if modseq < folder.remembers_from {
            let here: Vec<u32> = folder.held.iter().map(|m| m.uid).collect();
            (1..folder.uid_next).filter(|uid| !here.contains(uid) && wanted(*uid)).collect()
        } else {
            folder.gone.iter().filter(|(uid, at)| *at > modseq && wanted(*uid)).map(|(uid, _)| *uid).collect()
        };
        gone.sort_unstable();
        gone.dedup();
        if !gone.is_empty() {
            self.say(format!("* VANISHED (EARLIER) {}", set_text(gone)));
        }
    }

    fn changes(&mut self, folder: &Folder, modseq: u64) {
        for (at, held) in folder.held.iter().enumerate().filter(|(_, m)| m.modseq > modseq) {
            self.say(format!(
                "* {} FETCH (UID {} FLAGS ({}) MODSEQ ({}))",
                at + 1,
                held.uid,
                flag_text(held),
                held.modseq
            ));
        }
    }

    /// The open mailbox; a session whose mailbox was deleted or numbered anew ends.
    fn open_folder(&mut self, world: &World) -> Result<Folder, String> {
        let Some(view) = &self.view else {
            self.violation("no mailbox is open");
            return Err("BAD no mailbox is open".into());
        };
        let found = world.boxes.iter().find(|b| b.id == view.folder && b.uid_validity == view.uid_validity);
        match found {
            Some(folder) => Ok(folder.clone()),
            None => {
                self.closed = true;
                Err("NO the mailbox is gone".into())
            }
        }
    }

    fn fetch(&mut self, args: &[Arg], by_uid: bool) -> Answer {
        let (set, items, modifiers) = match args {
            [set, items] => (set.text(), items.items(), Vec::new()),
            [set, items, modifiers] => (set.text(), items.items(), modifiers.items()),
            _ => return Err("BAD FETCH".into()),
        };
        let world = self.world.clone();
        let folder = self.open_folder(&world.borrow())?;
        let since = modifiers
            .iter()
            .position(|m| m.is("CHANGEDSINCE"))
            .and_then(|at| modifiers.get(at + 1)?.text().parse::<u64>().ok());
        if since.is_some() {
            self.need("CONDSTORE")?;
            self.condstore = true;
        }
        let asked = |word: &str| items.iter().any(|i| i.is(word));
        if asked("MODSEQ") {
            self.need("CONDSTORE")?;
            self.condstore = true;
        }
        if asked("EMAILID") {
            self.need("OBJECTID")?;
        }
        let uids = self.view.as_ref().map(|v| v.uids.clone()).unwrap_or_default();
        let last = if by_uid { uids.last().copied().unwrap_or(0) } else { uids.len() as u32 };
        let wanted = ranges(&set, last);
        if modifiers.iter().any(|m| m.is("VANISHED"))
            && let Some(since) = since
        {
            self.earlier(&folder, since, Some(&wanted));
        }
        for (at, uid) in uids.iter().enumerate() {
            let number = if by_uid { *uid } else { at as u32 + 1 };
            let Some(held) = folder.held.iter().find(|m| m.uid == *uid) else { continue };
            if !holds(&wanted, number) || since.is_some_and(|since| held.modseq <= since) {
                continue;
            }
            let mut items = items.clone();
            if by_uid && !asked("UID") {
                items.insert(0, Arg::Atom("UID".into()));
            }
            if since.is_some() && !asked("MODSEQ") {
                items.push(Arg::Atom("MODSEQ".into()));
            }
            let line = self.message_line(at as u32 + 1, held, &items)?;
            self.said.push(line);
            if asked("FLAGS")
                && let Some(view) = &mut self.view
            {
                view.flags.insert(*uid, held.modseq);
            }
        }
        self.flush();
        self.updates(by_uid);
        Ok("fetched".into())
    }

    fn message_line(&mut self, seq: u32, held: &Held, items: &[Arg]) -> Result<Vec<u8>, String> {
        let mut line = format!("* {seq} FETCH (").into_bytes();
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                line.push(b' ');
            }
            let item = item.text();
            match item.to_ascii_uppercase().as_str() {
                "UID" => line.extend(format!("UID {}", held.uid).bytes()),
                "FLAGS" => line.extend(format!("FLAGS ({})", flag_text(held)).bytes()),
                "MODSEQ" => line.extend(format!("MODSEQ ({})", held.modseq).bytes()),
                "EMAILID" => line.extend(format!("EMAILID (M{})", held.email_id).bytes()),
                "RFC822.SIZE" => line.extend(format!("RFC822.SIZE {}", held.raw.len()).bytes()),
                "INTERNALDATE" => {
                    line.extend(format!("INTERNALDATE \"{}\"", internal_date(held.internal_ms)).bytes());
                }
                "BODYSTRUCTURE" => {
                    let structure = entity(&held.raw, 0..held.raw.len()).structure(&held.raw);
                    line.extend(format!("BODYSTRUCTURE {structure}").bytes());
                }
                _ => {
                    let section = self.section(held, &item)?;
                    line.extend(section);
                }
            }
        }
        line.extend_from_slice(b")\r\n");
        Ok(line)
    }

    /// `BODY.PEEK[…]<origin.length>`
    fn section(&mut self, held: &Held, item: &str) -> Result<Vec<u8>, String> {
        let bad = || format!("BAD no FETCH item {item}");
        let inside = item.strip_prefix("BODY.PEEK[").ok_or_else(bad)?;
        let (section, partial) = inside.rsplit_once(']').ok_or_else(bad)?;
        let mut bytes = if section.is_empty() {
            held.raw.to_vec()
        } else if let Some(fields) = section.strip_prefix("HEADER.FIELDS (") {
            let names: Vec<String> =
                fields.trim_end_matches(')').split(' ').map(|f| f.to_ascii_uppercase()).collect();
            header_fields(&held.raw, &names)
        } else {
            let numbers: Vec<usize> = section.split('.').map(|n| n.parse().unwrap_or(0)).collect();
            let whole = entity(&held.raw, 0..held.raw.len());
            whole.part(&numbers).map(|part| held.raw[part.body.clone()].to_vec()).ok_or_else(bad)?
        };
        let mut origin = String::new();
        if let Some(range) = partial.strip_prefix('<').and_then(|p| p.strip_suffix('>')) {
            let (from, len) = range.split_once('.').ok_or_else(bad)?;
            let (from, len): (usize, usize) =
                (from.parse().map_err(|_| bad())?, len.parse().map_err(|_| bad())?);
            origin = format!("<{from}>");
            bytes = bytes.into_iter().skip(from).take(len).collect();
        }
        let mut world = self.world.borrow_mut();
        world.sections += 1;
        if section.is_empty() {
            world.body_octets += bytes.len() as u64;
        }
        let mut out = format!("BODY[{section}]{origin} {{{}}}\r\n", bytes.len()).into_bytes();
        out.extend(bytes);
        Ok(out)
    }

    fn search(&mut self, tag: &str, args: &[Arg]) -> Answer {
        let (returns, keys) = match args {
            [word, list, keys @ ..] if word.is("RETURN") => {
                self.need("ESEARCH")?;
                (Some(list.items()), keys)
            }
            keys => (None, keys),
        };
        let world = self.world.clone();
        let folder = self.open_folder(&world.borrow())?;
        let since = match keys {
            [all] if all.is("ALL") => None,
            [key, date] if key.is("SINCE") => Some(search_day(&date.text()).ok_or("BAD date")?),
            _ => return Err("BAD search".into()),
        };
        let found: Vec<u32> = folder
            .held
            .iter()
            .filter(|m| since.is_none_or(|day| m.internal_ms.div_euclid(86_400_000) >= day))
            .map(|m| m.uid)
            .collect();
        if returns.is_some() {
            let all = if found.is_empty() { String::new() } else { format!(" ALL {}", set_text(found)) };
            self.say(format!("* ESEARCH (TAG \"{tag}\") UID{all}"));
        } else {
            let numbers: String = found.iter().map(|n| format!(" {n}")).collect();
            self.say(format!("* SEARCH{numbers}"));
        }
        self.updates(true);
        Ok("searched".into())
    }

    /// Tells what changed since the session was told last. EXPUNGE only where the protocol allows it.
    fn updates(&mut self, expunges: bool) {
        let world = self.world.clone();
        let world = world.borrow();
        let Some(view) = &mut self.view else { return };
        let found = world.boxes.iter().find(|b| b.id == view.folder && b.uid_validity == view.uid_validity);
        let Some(folder) = found else {
            self.closed = true;
            return;
        };
        let mut lines = Vec::new();
        if expunges {
            let gone: Vec<u32> =
                view.uids.iter().copied().filter(|uid| !folder.held.iter().any(|m| m.uid == *uid)).collect();
            for uid in &gone {
                let Some(at) = view.uids.iter().position(|u| u == uid) else { continue };
                view.uids.remove(at);
                if !self.qresync {
                    lines.push(format!("* {} EXPUNGE", at + 1));
                }
            }
            if self.qresync && !gone.is_empty() {
                lines.push(format!("* VANISHED {}", set_text(gone)));
            }
        }
        let last = view.uids.last().copied().unwrap_or(0);
        let new: Vec<&Held> =
            folder.held.iter().filter(|m| m.uid > last && !view.flags.contains_key(&m.uid)).collect();
        for held in &new {
            view.uids.push(held.uid);
            view.flags.insert(held.uid, held.modseq);
        }
        if !new.is_empty() {
            lines.push(format!("* {} EXISTS", view.uids.len()));
        }
        for held in &folder.held {
            let told = view.flags.insert(held.uid, held.modseq).unwrap_or(held.modseq);
            let Some(at) = view.uids.iter().position(|u| *u == held.uid).filter(|_| told < held.modseq)
            else {
                continue;
            };
            let uid = if self.qresync { format!("UID {} ", held.uid) } else { String::new() };
            let modseq = if self.condstore { format!(" MODSEQ ({})", held.modseq) } else { String::new() };
            lines.push(format!("* {} FETCH ({uid}FLAGS ({}){modseq})", at + 1, flag_text(held)));
        }
        for line in lines {
            self.say(line);
        }
    }
}

fn flag_text(held: &Held) -> String {
    held.flags.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}
