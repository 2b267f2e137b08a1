//! FETCH answers as facts, and message bodies as they stream in.

use crate::error::Result;
use crate::event::Event;
use crate::flags::FlagSet;
use crate::imap::fetch::{FetchAttr, SectionData};
use crate::imap::parse::{self, SectionHead};
use crate::imap::response::Fetch;
use crate::imap::text::FlagList;
use crate::message::{self, TransferEncoding};
use crate::store::batch::{MessageFact, Op, PartialBody, StagedBody};
use crate::sync::convert::Glimpse;
use crate::sync::replay::Met;
use crate::sync::{Driver, structure};
use crate::wire::StreamedLiteral;

/// A body grows this long in memory before its chunks go into a batch of their own.
const FLUSH: usize = 1 << 20;
/// Longest piece of a message other than its body that is kept while it streams in.
const LONGEST_PIECE: usize = 1 << 20;

/// Longest keyword that is kept, in octets.
const LONGEST_KEYWORD: usize = 255;

/// A literal on its way in.
#[derive(Debug)]
pub(crate) enum Staging {
    /// A whole message, or the rest of one.
    Body(Box<StagingBody>),
    /// A part that a person wants.
    Part(Box<StagingBody>),
    /// A header, a preview; cut where it is longer than anyone reads.
    Piece(Vec<u8>),
    /// Nothing that was asked for.
    Refused,
}

#[derive(Debug)]
pub(crate) struct StagingBody {
    /// Where it stands before the body in the answer.
    uid: Option<u32>,
    body: StagedBody,
    /// Octets of the whole message.
    total: u64,
}

/// What one FETCH answer said.
#[derive(Default)]
struct Told<'a> {
    uid: Option<u32>,
    /// A UID was said that is none.
    wrong_uid: bool,
    flags: Option<FlagList<'a>>,
    modseq: Option<u64>,
    internal_date: Option<i64>,
    size: Option<u64>,
    email_id: Option<String>,
    header: Option<Vec<u8>>,
    parts: Option<Vec<message::Part>>,
    piece: Option<(Vec<u8>, Vec<u8>)>,
    body: Option<StagedBody>,
    part: Option<(String, StagedBody)>,
    /// The UID that stood before the body.
    staged_for: Option<u32>,
}

impl Driver {
    /// A literal begins that is handed on while it arrives. `head` is the response so far.
    pub(crate) fn literal_start(&mut self, head: &[u8], streamed: &[StreamedLiteral], len: u64) {
        if streamed.is_empty() {
            // The first of its response: what an answer that nobody took left is dropped.
            self.staging.clear();
        }
        let staged = match parse::section_head(head, streamed) {
            Ok(SectionHead { binary: false, section: b"", uid, origin, .. }) => {
                self.stage_body(uid, u64::from(origin.unwrap_or(0)), len)
            }
            Ok(SectionHead { binary: false, section, uid, .. }) if self.opens_part(uid, section) => {
                let body = StagedBody::new(self.store.new_blob(), len);
                Staging::Part(Box::new(StagingBody { uid, body, total: len }))
            }
            Ok(SectionHead { binary: false, .. }) => Staging::Piece(Vec::new()),
            _ => Staging::Refused,
        };
        self.staging.push(staged);
    }

    /// Whether a section is the part that a person wants of this message.
    fn opens_part(&self, uid: Option<u32>, section: &[u8]) -> bool {
        let opening = uid.and_then(|uid| self.opening.get(&uid)).filter(|o| !o.got);
        opening.is_some_and(|o| o.part.as_ref().is_some_and(|p| p.as_bytes() == section))
    }

    fn stage_body(&mut self, uid: Option<u32>, origin: u64, len: u64) -> Staging {
        let asked = match (uid, &self.mailbox_pass) {
            (Some(uid), pass) => {
                let opened = self.opening.get(&uid).is_some_and(|o| !o.got);
                opened || pass.as_ref().is_some_and(|p| p.asked_bodies.contains(uid))
            }
            // Some servers put the UID behind the body; it is checked when the answer is whole.
            (None, _) => true,
        };
        if !asked {
            return Staging::Refused;
        }
        if origin == 0 {
            let body = StagedBody::new(self.store.new_blob(), len);
            return Staging::Body(Box::new(StagingBody { uid, body, total: len }));
        }
        let opened = uid.and_then(|uid| self.opening.get_mut(&uid)).and_then(|o| o.rest.take());
        let resumed = match opened {
            Some((body, total)) => (body.len() == origin && origin + len == total).then_some(body),
            None => self.mailbox_pass.as_mut().and_then(|p| p.take_resumed(uid, origin, len)),
        };
        match resumed {
            Some(body) => Staging::Body(Box::new(StagingBody { uid, total: body.len() + len, body })),
            None => Staging::Refused,
        }
    }

    /// Bytes of the literal that began last.
    pub(crate) fn literal_data(&mut self, data: &[u8]) {
        match self.staging.last_mut() {
            Some(Staging::Part(staging)) => {
                staging.body.push(data);
                if staging.body.held() >= FLUSH
                    && let Some(mailbox) = self.selected.mailbox
                {
                    for op in staging.body.take_full_chunks() {
                        self.batch.push(op);
                    }
                    // Entered under no UID: it is not gone on with, only kept from lying about.
                    let uid_validity = self.selected.uid_validity;
                    let (blob, received) = (staging.body.blob, staging.body.stored);
                    let partial = PartialBody { uid_validity, blob, received, total: staging.total };
                    self.batch.push(Op::Partial { mailbox, uid: 0, partial });
                }
            }
            Some(Staging::Body(staging)) => {
                let StagingBody { uid, body, total } = &mut **staging;
                body.push(data);
                if body.held() >= FLUSH
                    && let Some(mailbox) = self.selected.mailbox
                {
                    let partial = body.take_full_chunks();
                    let received = body.stored;
                    for op in partial {
                        self.batch.push(op);
                    }
                    let partial = PartialBody {
                        uid_validity: self.selected.uid_validity,
                        blob: body.blob,
                        received,
                        total: *total,
                    };
                    self.batch.push(Op::Partial { mailbox, uid: uid.unwrap_or(0), partial });
                }
            }
            Some(Staging::Piece(piece)) => {
                let room = LONGEST_PIECE.saturating_sub(piece.len());
                piece.extend_from_slice(&data[..data.len().min(room)]);
            }
            Some(Staging::Refused) | None => {}
        }
    }

    /// The connection ended inside a literal: what came of it is kept, to go on from there.
    pub(crate) fn literal_cut(&mut self) {
        let Some(mailbox) = self.selected.mailbox else { return };
        for staged in std::mem::take(&mut self.staging) {
            let Staging::Body(staging) = staged else { continue };
            let StagingBody { uid: Some(uid), mut body, total } = *staging else { continue };
            if body.len() >= total {
                // Whole, but for the end of its line: something must be left to ask for.
                body.drop_last_octet();
            }
            if body.len() == 0 {
                continue;
            }
            for op in body.take_all_chunks() {
                self.batch.push(op);
            }
            let partial = PartialBody {
                uid_validity: self.selected.uid_validity,
                blob: body.blob,
                received: body.stored,
                total,
            };
            self.batch.push(Op::Partial { mailbox, uid, partial });
        }
    }

    /// A whole FETCH answer.
    pub(super) fn fetched(&mut self, fetch: &Fetch<'_>) -> Result<()> {
        let staged = std::mem::take(&mut self.staging);
        if fetch.seq > self.selected.exists {
            // Past the end: not believed, and whatever it means, only a scan tells.
            self.selected.doubtful = true;
            return Ok(());
        }
        let told = self.read_fetch(fetch, staged);
        if told.wrong_uid {
            // Whose it is cannot be told.
            self.selected.doubtful = true;
            return Ok(());
        }
        let Some(uid) = told.uid.or_else(|| self.selected.uid_at(fetch.seq)) else {
            // Flags of a message whose UID is not known: only a scan tells whose they are.
            self.selected.doubtful |= told.flags.is_some();
            return Ok(());
        };
        if told.uid.is_some() {
            self.selected.saw(fetch.seq, uid);
        }
        self.enter_fact(uid, told)
    }

    fn read_fetch<'a>(&mut self, fetch: &Fetch<'a>, staged: Vec<Staging>) -> Told<'a> {
        let mut staged: Vec<Option<Staging>> = staged.into_iter().map(Some).collect();
        let mut told = Told::default();
        for attr in fetch.attrs.iter() {
            match attr {
                FetchAttr::Uid(uid) => told.uid = Some(uid),
                FetchAttr::Flags(flags) => told.flags = Some(flags),
                FetchAttr::ModSeq(n) => told.modseq = Some(n),
                FetchAttr::InternalDate(date) => told.internal_date = date,
                FetchAttr::Rfc822Size(n) => told.size = Some(n.min(self.limits.message)),
                FetchAttr::EmailId(id) if id.len() <= 255 => {
                    told.email_id = Some(format!("E{}", String::from_utf8_lossy(id)));
                }
                FetchAttr::GmailMessageId(id) => told.email_id = Some(format!("G{id}")),
                FetchAttr::BodyStructure(body) => told.parts = structure::parts(&body, &self.limits),
                FetchAttr::Section { section, origin, binary: false, data } => {
                    let origin = origin.unwrap_or(0);
                    match data {
                        // No data is not an empty message: what is missing is asked for again.
                        SectionData::Nil => {}
                        SectionData::Inline(text) => {
                            self.inline_section(&mut told, section, u64::from(origin), &text.bytes());
                        }
                        SectionData::Streamed { index, .. } => {
                            let staged = staged.get_mut(index).and_then(Option::take);
                            match staged {
                                Some(Staging::Body(staging)) => {
                                    told.staged_for = staging.uid;
                                    told.body = Some(staging.body);
                                }
                                Some(Staging::Part(staging)) => {
                                    told.part = Some((String::from_utf8_lossy(section).into(), staging.body));
                                }
                                Some(Staging::Piece(bytes)) => self.piece(&mut told, section, bytes),
                                _ => {}
                            }
                        }
                    }
                }
                FetchAttr::Malformed { name } => {
                    told.wrong_uid |= name.eq_ignore_ascii_case(b"UID");
                    let name = String::from_utf8_lossy(&name[..name.len().min(40)]).into_owned();
                    self.events
                        .push_back(Event::Problem { text: format!("the server's {name} cannot be read") });
                }
                _ => {}
            }
        }
        if told.staged_for.is_some_and(|uid| told.uid.is_some_and(|told| told != uid)) {
            // The answer names another message at its end than at its beginning.
            told.body = None;
        }
        told
    }

    fn inline_section(&mut self, told: &mut Told<'_>, section: &[u8], origin: u64, bytes: &[u8]) {
        if self.opens_part(told.uid, section) {
            let mut body = StagedBody::new(self.store.new_blob(), bytes.len() as u64);
            body.push(bytes);
            told.part = Some((String::from_utf8_lossy(section).into(), body));
            return;
        }
        if !section.is_empty() {
            return self.piece(told, section, bytes.to_vec());
        }
        if let Staging::Body(mut staging) = self.stage_body(told.uid, origin, bytes.len() as u64) {
            staging.body.push(bytes);
            told.body = Some(staging.body);
        }
    }

    fn piece(&self, told: &mut Told<'_>, section: &[u8], bytes: Vec<u8>) {
        if section.get(..6).is_some_and(|s| s.eq_ignore_ascii_case(b"HEADER")) {
            told.header = Some(bytes);
        } else {
            told.piece = Some((section.to_vec(), bytes));
        }
    }

    fn enter_fact(&mut self, uid: u32, mut told: Told<'_>) -> Result<()> {
        let Some(mailbox) = self.selected.mailbox else { return Ok(()) };
        if self.replay.is_some() {
            let met =
                Met { size: told.size, internal_date: told.internal_date, email_id: told.email_id.clone() };
            self.met(uid, met);
        }
        if let (true, Some(_), Some(size)) = (self.is_glimpse(uid), &told.header, told.size) {
            let glimpse = Glimpse {
                flags: told.flags.map(|list| self.read_flags(&list)).unwrap_or_default(),
                modseq: told.modseq,
                internal_date: told.internal_date,
                size,
                header: told.header.take().unwrap_or_default(),
            };
            self.glimpse(uid, glimpse);
            return Ok(());
        }
        let s = &mut self.selected;
        let known = s.known.contains(uid);
        if let Some(scanned) = &mut s.scanned {
            scanned.insert(uid);
        }
        if let Some(opening) = self.opening.get_mut(&uid).filter(|o| o.check && !o.got)
            && let Some(header) = told.header.take()
        {
            opening.got = true;
            self.batch.push(Op::Compared { mailbox, uid, header });
        }
        if let Some((number, body)) = told.part.take()
            && let Some(opening) = self.opening.get_mut(&uid).filter(|o| !o.got)
        {
            opening.got = true;
            self.batch.push(Op::Part { mailbox, uid, number, body: Box::new(body) });
        }
        let mut fact = MessageFact::new(mailbox, uid);
        let mut useful = false;
        if let Some(list) = told.flags {
            let flags = self.read_flags(&list);
            let news = self.mailbox_pass.as_ref().is_none_or(|p| !p.has_same_flags(uid, &flags));
            if !known || news || told.modseq.is_some() {
                useful |= known && news;
                fact.flags = Some(flags);
                fact.modseq = told.modseq;
            }
        }
        let body = told.body.take().and_then(|body| self.accept_body(uid, body));
        // An answer without what was asked for leaves it to be asked again.
        let bare =
            told.internal_date.is_some() && self.mailbox_pass.as_ref().is_some_and(|p| p.bare.contains(uid));
        let described = bare || told.header.is_some() || told.parts.is_some();
        if let (true, Some(size)) = (known, told.size) {
            self.note_size(uid, size);
        }
        let wanted = described && self.mailbox_pass.as_mut().is_some_and(|p| p.take_meta(uid));
        let s = &mut self.selected;
        if !known {
            if !wanted && body.is_none() {
                s.unknown.insert(uid);
                return Ok(());
            }
            fact.enter = true;
            s.unknown.remove(uid);
            s.known.insert(uid);
            if let Some(pass) = &mut self.mailbox_pass {
                pass.entered.insert(uid);
                fact.fresh = pass.is_fresh(uid);
            }
            fact.email_id = told.email_id;
            fact.internal_date = told.internal_date;
            fact.size = told.size;
        }
        if body.is_none() && (fact.enter || wanted) {
            fact.header = told.header;
            fact.parts = told.parts;
        }
        useful |= fact.enter || body.is_some() || fact.parts.is_some();
        if let Some((section, bytes)) = told.piece
            && let Some(preview) = self.preview_of(uid, &section, &bytes)
        {
            fact.preview = Some(preview);
            useful = true;
        }
        fact.body = body;
        if useful {
            let op = Op::Message(Box::new(fact));
            if self.selected.open { self.batch.push(op) } else { self.selected.pending.push(op) }
        }
        Ok(())
    }

    fn read_flags(&self, list: &FlagList<'_>) -> FlagSet {
        let mut flags = FlagSet::default();
        for word in list.iter().filter(|w| w.len() <= LONGEST_KEYWORD).take(self.limits.keywords) {
            flags.insert_wire(word);
        }
        flags
    }

    /// A body is taken once, for a message that it was asked for.
    fn accept_body(&mut self, uid: u32, body: StagedBody) -> Option<StagedBody> {
        let by_pass = self.mailbox_pass.as_mut().is_some_and(|p| p.take_body(uid));
        let opened = self.opening.get_mut(&uid).is_some_and(|o| !std::mem::replace(&mut o.got, true));
        (by_pass || opened).then_some(body)
    }

    fn preview_of(&mut self, uid: u32, section: &[u8], bytes: &[u8]) -> Option<String> {
        let pass = self.mailbox_pass.as_mut()?;
        let part = pass.take_preview(uid)?;
        if part.number.as_bytes() != section {
            return None;
        }
        let encoding: TransferEncoding = part.encoding;
        Some(message::preview_of_part(
            bytes,
            &part.media_type,
            part.charset.as_deref(),
            encoding,
            &self.limits,
        ))
    }
}
