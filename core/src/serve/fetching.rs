//! FETCH, made while it goes out: message by message, item by item, and large octets in pieces (RFC 9051 §6.4.5).

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::answer::Answer;
use super::backend::{Backend, Facts, FlagChange, Refusal, Row, Users};
use super::dispatch::Tell;
use super::selected::{PAGE, flags_value};
use super::session::{CHUNK, Session};
use crate::flags::{FlagSet, Flags};
use crate::ids::MailboxId;
use crate::imap::command::{FetchItem, Section, StoreAction};
use crate::imap::response::PlainCode;
use crate::imap::server::command::Command;
use crate::imap::server::response::{FetchValue, FetchWriter, Response, SectionOctets};
use crate::message::{Decoder, Description, Located, TransferEncoding, select_fields};
use crate::set::UidSet;

/// A FETCH under way.
pub(super) struct Fetching<C> {
    /// The command's; `None` where nobody asked but NOTIFY.
    tag: Option<String>,
    uid: bool,
    items: Vec<FetchItem>,
    mailbox: MailboxId,
    /// The UIDs, and how many of them are done.
    uids: Vec<u32>,
    at: usize,
    since: u64,
    /// The mod-sequence that `\Seen` was set with, if it was.
    own: u64,
    rows: VecDeque<Row>,
    open: Option<Open<C>>,
    refused: Option<Answer>,
}

/// The answer for one message, half written.
struct Open<C> {
    row: Row,
    recent: bool,
    writer: FetchWriter,
    next: usize,
    // Got before the first word of the answer, which cannot be taken back if the message goes meanwhile.
    facts: Facts,
    description: Arc<Description>,
    octets: Octets<C>,
    stream: Option<Stream>,
}

/// What the octets of an answer are read from.
enum Octets<C> {
    /// None are asked for.
    None,
    /// No more than the message's header is asked for.
    Header(Vec<u8>),
    Content(C),
}

impl<C> Octets<C> {
    fn read<B: Backend<Content = C>>(
        &self,
        backend: &B,
        range: Range<u64>,
    ) -> Result<Cow<'_, [u8]>, Refusal> {
        match self {
            Octets::None => Ok(Cow::default()),
            Octets::Header(header) => {
                let at = |place: u64| usize::try_from(place).map_or(header.len(), |at| at.min(header.len()));
                Ok(Cow::Borrowed(&header[at(range.start)..at(range.end)]))
            }
            Octets::Content(content) => backend.read(content, range),
        }
    }
}

/// Octets of a section that are on their way.
#[derive(Debug)]
struct Stream {
    octets: Range<u64>,
    decoder: Option<Decoder>,
    /// Decoded octets to leave out first, and then to put out.
    skip: u64,
    left: u64,
}

impl<U: Users> Session<U> {
    pub(super) fn fetch(&mut self, tag: &str, command: &Command) {
        match self.begin_fetching(tag, command) {
            Ok(fetching) => self.fetching = Some(fetching),
            Err(answer) => {
                let uid = matches!(command, Command::Fetch { uid: true, .. });
                self.finish(tag, if uid { Tell::Everything } else { Tell::NotExpunges }, Err(answer));
            }
        }
    }

    fn begin_fetching(
        &mut self,
        tag: &str,
        command: &Command,
    ) -> Result<Fetching<<U::Backend as Backend>::Content>, Answer> {
        let Command::Fetch { uid, set, items, changed_since, partial } = command else {
            return Err(Answer::bad("FETCH"));
        };
        let mut items = items.clone();
        let gmail = |item: &FetchItem| {
            matches!(item, FetchItem::GmailLabels | FetchItem::GmailMessageId | FetchItem::GmailThreadId)
        };
        if items.iter().any(gmail) {
            return Err(Answer::bad("that is Gmail's"));
        }
        let asks_modseq = changed_since.is_some() || items.contains(&FetchItem::ModSeq);
        if changed_since.is_some_and(|since| since.vanished) && !self.user()?.enabled.qresync {
            return Err(Answer::bad("enable QRESYNC first"));
        }
        if asks_modseq {
            self.enable_condstore()?;
        }
        if changed_since.is_some() && !items.contains(&FetchItem::ModSeq) {
            items.insert(0, FetchItem::ModSeq);
        }
        if *uid && !items.contains(&FetchItem::Uid) {
            items.insert(0, FetchItem::Uid);
        }
        let selected = self.selected()?;
        let (mailbox, read_only) = (selected.id, selected.read_only);
        let mut uids = selected.named(*uid, set)?;
        if let Some(range) = partial {
            uids = part_of(&uids, *range).to_vec();
        }
        let mut since = 0;
        if let Some(changed) = changed_since {
            since = changed.modseq;
            let changes = self.backend()?.changes(mailbox, since)?;
            if changed.vanished {
                let next = self.backend()?.status(mailbox)?.uid_next;
                let asked = match set {
                    crate::imap::command::NumberSet::Saved => self.selected()?.saved.clone(),
                    set => crate::imap::server::search::resolve(set, next.max(2) - 1, &UidSet::new()),
                };
                let gone = self.vanished(&changes, &UidSet::new(), next)?.intersection(&asked);
                if !gone.is_empty() {
                    self.put(&Response::Vanished { earlier: true, uids: &gone });
                }
            }
            let changed: UidSet = changes.rows.iter().map(|row| row.uid).collect();
            uids.retain(|uid| changed.contains(*uid));
        }
        let mut own = 0;
        if !read_only && items.iter().any(sets_seen) && !uids.is_empty() {
            let flags = FlagSet::new(Flags::SEEN);
            let change = FlagChange { action: StoreAction::Add, flags: &flags, unchanged_since: None };
            let set: UidSet = uids.iter().copied().collect();
            own = self.backend()?.store(mailbox, &set, &change)?.modseq;
            if own != 0 && !items.contains(&FetchItem::Flags) {
                items.push(FetchItem::Flags);
            }
        }
        Ok(Fetching {
            tag: Some(tag.to_owned()),
            uid: *uid,
            items,
            mailbox,
            uids,
            at: 0,
            since,
            own,
            rows: VecDeque::new(),
            open: None,
            refused: None,
        })
    }

    /// Tells of new messages what the client has asked to be told of them (RFC 5465 §5.2). `\Seen` is not set by it.
    pub(super) fn fetch_unasked(&mut self, mailbox: MailboxId, items: Vec<FetchItem>, uids: Vec<u32>) {
        if let Some(under_way) = &mut self.fetching {
            under_way.uids.extend(uids);
            return;
        }
        self.fetching = Some(Fetching {
            tag: None,
            uid: true,
            items,
            mailbox,
            uids,
            at: 0,
            since: 0,
            own: 0,
            rows: VecDeque::new(),
            open: None,
            refused: None,
        });
    }

    /// One step of the FETCH under way.
    pub(super) fn go_on_fetching(&mut self) {
        let Some(mut fetching) = self.fetching.take() else { return };
        match self.fetch_step(&mut fetching) {
            Ok(true) => self.fetching = Some(fetching),
            Ok(false) => {
                // What happened meanwhile is told at the end.
                let Some(tag) = fetching.tag else { return self.tell_news() };
                let tell = if fetching.uid { Tell::Everything } else { Tell::NotExpunges };
                let outcome = fetching.refused.map_or(Ok(Answer::ok("done")), Err);
                self.finish_own(&tag, tell, outcome, fetching.own);
            }
            // In the middle of an answer there is no way to say what is wrong.
            Err(refusal) if fetching.open.is_some() => {
                self.events.push_back(super::SessionEvent::Trouble { text: refusal.to_string() });
                self.close();
            }
            Err(refusal) => match &fetching.tag {
                Some(tag) => self.finish(tag, Tell::NotExpunges, Err(refusal.into())),
                None => self.events.push_back(super::SessionEvent::Trouble { text: refusal.to_string() }),
            },
        }
    }

    fn fetch_step(
        &mut self,
        fetching: &mut Fetching<<U::Backend as Backend>::Content>,
    ) -> Result<bool, Refusal> {
        let style = self.style();
        let Some(user) = &self.user else { return Ok(false) };
        let (backend, out) = (&user.backend, &mut self.out);
        let Fetching { items, mailbox, open, .. } = fetching;
        let Some(current) = open else {
            let Some(uid) = fetching.uids.get(fetching.at).copied() else { return Ok(false) };
            fetching.at += 1;
            let seq = user.selected.as_ref().and_then(|selected| selected.seq(uid));
            let left = fetching.uids.len() - fetching.at + 1;
            let row = row_of(backend, *mailbox, &mut fetching.rows, uid, left)?;
            let (Some(seq), Some(row)) = (seq, row) else {
                fetching.refused.get_or_insert_with(Answer::some_are_gone);
                return Ok(true);
            };
            if row.modseq <= fetching.since {
                return Ok(true);
            }
            let Some((facts, description, octets)) = hold(backend, *mailbox, uid, items)? else {
                fetching.refused.get_or_insert_with(Answer::some_are_gone);
                return Ok(true);
            };
            if has_unknown_encoding(&description, items) {
                fetching.refused = Some(Answer::no(PlainCode::UnknownCte, "its encoding is not known here"));
                return Ok(true);
            }
            let recent = user.selected.as_ref().is_some_and(|selected| selected.recent.contains(uid));
            if fetching.items.contains(&FetchItem::Flags) {
                self.tell_keywords(&row);
            }
            let writer = FetchWriter::begin(seq, style, &mut self.out);
            let open = Open { row, recent, writer, next: 0, facts, description, octets, stream: None };
            fetching.open = Some(open);
            return Ok(true);
        };
        if current.stream.is_some() {
            go_on_streaming(backend, current, out)?;
        } else if let Some(item) = items.get(current.next) {
            current.next += 1;
            put_item(backend, *mailbox, current, item, out)?;
        } else {
            current.writer.end(out);
            fetching.open = None;
        }
        Ok(true)
    }
}

/// The `from:to` of those, counted from the oldest, or below 0 from the newest (RFC 9394 §3.1).
pub(super) fn part_of<T>(list: &[T], (from, to): (i64, i64)) -> &[T] {
    let len = list.len() as i64;
    let (low, high) = (from.min(to), from.max(to));
    let (low, high) = if low < 0 { (len + low, len + high + 1) } else { (low - 1, high) };
    let clamp = |at: i64| at.clamp(0, len) as usize;
    &list[clamp(low)..clamp(high).max(clamp(low))]
}

fn sets_seen(item: &FetchItem) -> bool {
    matches!(
        item,
        FetchItem::Section { .. } | FetchItem::Binary { .. } | FetchItem::Rfc822 | FetchItem::Rfc822Text
    )
}

/// The row of a message, read ahead with those that follow.
fn row_of<B: Backend>(
    backend: &B,
    mailbox: MailboxId,
    rows: &mut VecDeque<Row>,
    uid: u32,
    left: usize,
) -> Result<Option<Row>, Refusal> {
    while rows.front().is_some_and(|row| row.uid < uid) {
        rows.pop_front();
    }
    if rows.is_empty() {
        *rows = backend.rows(mailbox, uid, left.min(PAGE))?.into();
    }
    Ok(rows.pop_front_if(|row| row.uid == uid))
}

type Held<C> = (Facts, Arc<Description>, Octets<C>);

/// What the items need of a message; `None` where it is not here any more.
fn hold<B: Backend>(
    backend: &B,
    mailbox: MailboxId,
    uid: u32,
    items: &[FetchItem],
) -> Result<Option<Held<B::Content>>, Refusal> {
    use FetchItem::*;
    let any = |fits: fn(&FetchItem) -> bool| items.iter().any(fits);
    let header = any(is_of_header);
    let octets = any(|item| {
        matches!(
            item,
            Section { .. }
                | Peek { .. }
                | Binary { .. }
                | BinaryPeek { .. }
                | BinarySize { .. }
                | Rfc822
                | Rfc822Text
        ) && !is_of_header(item)
    });
    let mut held: Held<B::Content> = (Facts::default(), Arc::default(), Octets::None);
    if any(|item| matches!(item, InternalDate | Rfc822Size | EmailId | ThreadId | SaveDate)) {
        let Some(facts) = backend.facts(mailbox, uid)? else { return Ok(None) };
        held.0 = facts;
    }
    if octets || header || any(|item| matches!(item, Envelope | Body | BodyStructure)) {
        let Some(description) = backend.description(mailbox, uid)? else { return Ok(None) };
        held.1 = description;
    }
    if octets {
        let Some(content) = backend.content(mailbox, uid)? else { return Ok(None) };
        held.2 = Octets::Content(content);
    } else if header {
        let Some(header) = backend.header(mailbox, uid)? else { return Ok(None) };
        held.2 = Octets::Header(header);
    }
    Ok(Some(held))
}

/// Whether an item is of the message's own header alone.
fn is_of_header(item: &FetchItem) -> bool {
    match item {
        FetchItem::Rfc822Header => true,
        FetchItem::Section { section, .. } | FetchItem::Peek { section, .. } => {
            matches!(section, Section::Header | Section::HeaderFields(_) | Section::HeaderFieldsNot(_))
        }
        _ => false,
    }
}

fn has_unknown_encoding(description: &Description, items: &[FetchItem]) -> bool {
    items.iter().any(|item| match item {
        FetchItem::Binary { part, .. }
        | FetchItem::BinaryPeek { part, .. }
        | FetchItem::BinarySize { part } => {
            matches!(description.index.binary(part), Some((_, TransferEncoding::Unknown)))
        }
        _ => false,
    })
}

fn put_item<B: Backend>(
    backend: &B,
    mailbox: MailboxId,
    open: &mut Open<B::Content>,
    item: &FetchItem,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let uid = open.row.uid;
    match item {
        FetchItem::Uid => open.writer.put(&FetchValue::Uid(uid), out),
        FetchItem::Flags => open.writer.put(&flags_value(&open.row, open.recent), out),
        FetchItem::ModSeq => open.writer.put(&FetchValue::ModSeq(open.row.modseq), out),
        FetchItem::InternalDate
        | FetchItem::Rfc822Size
        | FetchItem::EmailId
        | FetchItem::ThreadId
        | FetchItem::SaveDate => {
            let facts = &open.facts;
            let value = match item {
                FetchItem::InternalDate => FetchValue::InternalDate(facts.internal_date),
                FetchItem::Rfc822Size => FetchValue::Rfc822Size(facts.size),
                FetchItem::EmailId => FetchValue::EmailId(&facts.email_id),
                FetchItem::ThreadId => FetchValue::ThreadId(facts.thread_id.as_deref()),
                _ => FetchValue::SaveDate(facts.save_date),
            };
            open.writer.put(&value, out);
        }
        FetchItem::Envelope | FetchItem::Body | FetchItem::BodyStructure => {
            let description = &open.description;
            let value = match item {
                FetchItem::Envelope => FetchValue::Envelope(&description.envelope),
                FetchItem::Body => FetchValue::Body(&description.body),
                _ => FetchValue::BodyStructure(&description.body_structure),
            };
            open.writer.put(&value, out);
        }
        FetchItem::Preview | FetchItem::PreviewLazy => {
            let preview = backend.preview(mailbox, uid)?;
            open.writer.put(&FetchValue::Preview(preview.as_deref()), out);
        }
        FetchItem::Peek { section, partial } | FetchItem::Section { section, partial } => {
            let value = |octets| FetchValue::Section { section, origin: partial.map(|(at, _)| at), octets };
            put_section(backend, open, section, *partial, &value, out)?;
        }
        FetchItem::Rfc822 => put_old(backend, open, &Section::Full, "RFC822", out)?,
        FetchItem::Rfc822Header => put_old(backend, open, &Section::Header, "RFC822.HEADER", out)?,
        FetchItem::Rfc822Text => put_old(backend, open, &Section::Text, "RFC822.TEXT", out)?,
        FetchItem::Binary { part, partial } | FetchItem::BinaryPeek { part, partial } => {
            put_binary(backend, open, part, *partial, out)?;
        }
        FetchItem::BinarySize { part } => {
            let size = match open.description.index.binary(part) {
                Some((range, encoding)) => decoded_size(backend, &open.octets, range, encoding)?.0,
                None => 0,
            };
            open.writer.put(&FetchValue::BinarySize { part, size }, out);
        }
        // Refused when the command came.
        FetchItem::GmailMessageId | FetchItem::GmailThreadId | FetchItem::GmailLabels => {}
    }
    Ok(())
}

fn put_old<B: Backend>(
    backend: &B,
    open: &mut Open<B::Content>,
    section: &Section,
    name: &'static str,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    put_section(backend, open, section, None, &|octets| FetchValue::Rfc822 { name, octets }, out)
}

fn put_section<'v, B: Backend>(
    backend: &B,
    open: &mut Open<B::Content>,
    section: &'v Section,
    partial: Option<(u32, u32)>,
    value: &dyn Fn(SectionOctets<'static>) -> FetchValue<'v>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    match open.description.index.locate(section) {
        None => open.writer.put(&value(SectionOctets::Nil), out),
        Some(Located::Octets(range)) => {
            let range = cut(range, partial);
            let left = range.end - range.start;
            open.writer.put(&value(SectionOctets::Follow(left, false)), out);
            open.stream = Some(Stream { octets: range, decoder: None, skip: 0, left });
        }
        Some(Located::Fields { header, named }) => {
            let header = open.octets.read(backend, header)?;
            let fields = select_fields(&header, names_of(section), named);
            let range = cut(0..fields.len() as u64, partial);
            let octets = without_nul(Cow::Borrowed(&fields[range.start as usize..range.end as usize]));
            open.writer.put(&value(SectionOctets::Follow(octets.len() as u64, false)), out);
            out.extend_from_slice(&octets);
        }
    }
    Ok(())
}

fn names_of(section: &Section) -> &[String] {
    match section {
        Section::HeaderFields(names) | Section::HeaderFieldsNot(names) => names,
        Section::Within { section, .. } => match &**section {
            Section::HeaderFields(names) | Section::HeaderFieldsNot(names) => names,
            _ => &[],
        },
        _ => &[],
    }
}

/// `<origin.length>` of some octets.
fn cut(range: Range<u64>, partial: Option<(u32, u32)>) -> Range<u64> {
    let Some((origin, length)) = partial else { return range };
    let start = range.start.saturating_add(origin.into()).min(range.end);
    start..start.saturating_add(length.into()).min(range.end)
}

fn put_binary<B: Backend>(
    backend: &B,
    open: &mut Open<B::Content>,
    part: &[u32],
    partial: Option<(u32, u32)>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let origin = partial.map(|(at, _)| at);
    let Some((range, encoding)) = open.description.index.binary(part) else {
        open.writer.put(&FetchValue::Binary { part, origin, octets: SectionOctets::Nil }, out);
        return Ok(());
    };
    let (size, has_nul) = decoded_size(backend, &open.octets, range.clone(), encoding)?;
    let wanted = cut(0..size, partial);
    let left = wanted.end - wanted.start;
    let octets = SectionOctets::Follow(left, has_nul);
    open.writer.put(&FetchValue::Binary { part, origin, octets }, out);
    let decoder = Decoder::new(encoding);
    open.stream = Some(Stream { octets: range, decoder, skip: wanted.start, left });
    Ok(())
}

/// How many octets a part has once decoded, and whether a NUL is among them.
fn decoded_size<B: Backend>(
    backend: &B,
    octets: &Octets<B::Content>,
    mut range: Range<u64>,
    encoding: TransferEncoding,
) -> Result<(u64, bool), Refusal> {
    let Some(mut decoder) = Decoder::new(encoding) else { return Ok((0, false)) };
    let (mut size, mut has_nul, mut decoded) = (0, false, Vec::new());
    while range.start < range.end {
        let chunk = read_chunk(backend, octets, &mut range)?;
        decoder.push(&chunk, &mut decoded);
        if range.start == range.end {
            decoder.finish(&mut decoded);
        }
        size += decoded.len() as u64;
        has_nul |= memchr::memchr(0, &decoded).is_some();
        decoded.clear();
    }
    Ok((size, has_nul))
}

fn go_on_streaming<B: Backend>(
    backend: &B,
    open: &mut Open<B::Content>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let Some(stream) = &mut open.stream else { return Ok(()) };
    if stream.left == 0 {
        open.stream = None;
        return Ok(());
    }
    let mut chunk = read_chunk(backend, &open.octets, &mut stream.octets)?;
    if let Some(decoder) = &mut stream.decoder {
        let mut decoded = Vec::new();
        decoder.push(&chunk, &mut decoded);
        if stream.octets.start == stream.octets.end {
            decoder.finish(&mut decoded);
        }
        chunk = Cow::Owned(decoded);
    } else {
        chunk = without_nul(chunk);
    }
    let skipped = stream.skip.min(chunk.len() as u64);
    stream.skip -= skipped;
    let rest = &chunk[skipped as usize..];
    let taken = stream.left.min(rest.len() as u64);
    out.extend_from_slice(&rest[..taken as usize]);
    stream.left -= taken;
    Ok(())
}

/// A literal may hold no NUL (RFC 9051 §4.3). Mail that came from elsewhere may: there it is 0x80, as other servers send it, so
/// that the sizes are what they are. BINARY gives the octets themselves.
fn without_nul(octets: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if memchr::memchr(0, &octets).is_none() {
        return octets;
    }
    Cow::Owned(octets.iter().map(|octet| if *octet == 0 { 0x80 } else { *octet }).collect())
}

/// The next octets of a range.
fn read_chunk<'o, B: Backend>(
    backend: &B,
    octets: &'o Octets<B::Content>,
    range: &mut Range<u64>,
) -> Result<Cow<'o, [u8]>, Refusal> {
    let end = range.end.min(range.start.saturating_add(CHUNK as u64));
    let chunk = octets.read(backend, range.start..end)?;
    if chunk.len() as u64 != end - range.start {
        // So many octets were announced, and there is no taking it back.
        return Err(Refusal::Failed("a message is shorter than it was".into()));
    }
    range.start = end;
    Ok(chunk)
}
