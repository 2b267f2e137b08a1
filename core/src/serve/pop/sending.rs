//! Answers of several lines, made while they are sent.

use std::borrow::Cow;

use memchr::memchr;

use super::maildrop::Maildrop;
use crate::serve::backend::{Backend, Refusal, Result};
use crate::serve::session::CHUNK;
use crate::wire::DotStuffer;

/// An answer that is on its way.
pub(super) enum Sending<C> {
    /// LIST from this place on.
    Sizes(usize),
    /// UIDL from this place on.
    Ids(usize),
    /// RETR and TOP.
    Text(Box<Text<C>>),
}

/// A message on its way.
pub(super) struct Text<C> {
    content: C,
    /// Octets read, and all there are, as they are stored.
    at: u64,
    len: u64,
    stuffer: DotStuffer,
    top: Option<Top>,
}

impl<C> Sending<C> {
    /// A message of so many octets; with `lines` no more of its body than that.
    pub(super) fn text(content: C, len: u64, lines: Option<u32>) -> Sending<C> {
        let text = Text { content, at: 0, len, stuffer: DotStuffer::new(), top: lines.map(Top::new) };
        Sending::Text(Box::new(text))
    }

    /// Writes about a [`CHUNK`] more. Gives what is left to send, if anything is.
    pub(super) fn go_on<B>(self, maildrop: &mut Maildrop<B>, out: &mut Vec<u8>) -> Result<Option<Sending<C>>>
    where
        B: Backend<Content = C>,
    {
        match self {
            Sending::Sizes(mut place) => {
                while place < maildrop.numbers() && out.len() < CHUNK {
                    if maildrop.is_kept(place)
                        && let Some(size) = maildrop.size(place)?
                    {
                        out.extend_from_slice(format!("{} {size}\r\n", place + 1).as_bytes());
                    }
                    place += 1;
                }
                Ok(rest(place, maildrop, out).then_some(Sending::Sizes(place)))
            }
            Sending::Ids(mut place) => {
                while place < maildrop.numbers() && out.len() < CHUNK {
                    if maildrop.is_kept(place) {
                        let id = maildrop.unique_id(place);
                        out.extend_from_slice(format!("{} {id}\r\n", place + 1).as_bytes());
                    }
                    place += 1;
                }
                Ok(rest(place, maildrop, out).then_some(Sending::Ids(place)))
            }
            Sending::Text(text) => {
                Ok(text.go_on(&maildrop.backend, out)?.map(|text| Sending::Text(Box::new(text))))
            }
        }
    }
}

/// Whether a list goes on; where not, it is ended.
fn rest<B: Backend>(place: usize, maildrop: &Maildrop<B>, out: &mut Vec<u8>) -> bool {
    let more = place < maildrop.numbers();
    if !more {
        out.extend_from_slice(b".\r\n");
    }
    more
}

impl<C> Text<C> {
    fn go_on<B: Backend<Content = C>>(mut self, backend: &B, out: &mut Vec<u8>) -> Result<Option<Text<C>>> {
        let octets = read(backend, &self.content, self.at, self.len)?;
        self.at += octets.len() as u64;
        let wanted = self.top.as_mut().map_or(octets.len(), |top| top.take(&octets));
        self.stuffer.push(&octets[..wanted], out);
        if self.at < self.len && !self.top.as_ref().is_some_and(Top::is_done) {
            return Ok(Some(self));
        }
        self.stuffer.finish(out);
        Ok(None)
    }
}

/// The next octets of a message that has `len` of them.
fn read<'c, B: Backend>(backend: &B, content: &'c B::Content, at: u64, len: u64) -> Result<Cow<'c, [u8]>> {
    let end = len.min(at + CHUNK as u64);
    let octets = backend.read(content, at..end)?;
    if octets.len() as u64 != end - at {
        // The dot would make a whole message of it, and the client may delete that.
        return Err(Refusal::Failed("a message is shorter than it was".into()));
    }
    Ok(octets)
}

/// Octets of a header that are looked at; what is behind them counts as the body.
const LONGEST_HEADER: u64 = 1 << 20;

/// Whether a message's header is ASCII.
pub(super) fn has_ascii_header<B: Backend>(backend: &B, content: &B::Content, len: u64) -> Result<bool> {
    let (mut top, mut at) = (Top::new(0), 0);
    while at < len.min(LONGEST_HEADER) && !top.is_done() {
        let octets = read(backend, content, at, len)?;
        at += octets.len() as u64;
        let header = top.take(&octets);
        if !octets[..header].is_ascii() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Finds where the header and some lines of the body end.
#[derive(Debug)]
struct Top {
    in_header: bool,
    /// Lines of the body still wanted.
    lines: u32,
    /// The line that is read holds nothing, a CR apart.
    empty: bool,
}

impl Top {
    fn new(lines: u32) -> Top {
        Top { in_header: true, lines, empty: true }
    }

    fn is_done(&self) -> bool {
        !self.in_header && self.lines == 0
    }

    /// How many of the next octets are wanted.
    fn take(&mut self, octets: &[u8]) -> usize {
        let mut at = 0;
        while !self.is_done() && at < octets.len() {
            let end = memchr(b'\n', &octets[at..]).map(|end| at + end);
            let line = &octets[at..end.unwrap_or(octets.len())];
            self.empty &= line.iter().all(|octet| *octet == b'\r');
            at = end.map_or(octets.len(), |end| end + 1);
            if end.is_none() {
                break;
            }
            if self.in_header {
                self.in_header = !self.empty;
            } else {
                self.lines -= 1;
            }
            self.empty = true;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::Top;

    #[test]
    fn the_header_and_some_lines() {
        for (text, lines, expected) in [
            ("A: b\r\n\r\n1\r\n2\r\n", 0, "A: b\r\n\r\n"),
            ("A: b\r\n\r\n1\r\n2\r\n", 1, "A: b\r\n\r\n1\r\n"),
            ("A: b\r\n\r\n1\r\n2\r\n", 9, "A: b\r\n\r\n1\r\n2\r\n"),
            ("A: b\n\n1\n\n2", 2, "A: b\n\n1\n\n"),
            ("\r\n1\r\n2\r\n", 1, "\r\n1\r\n"),
            ("A: b\r\nno end", 0, "A: b\r\nno end"),
            ("A: b\r\n\r\n1", 1, "A: b\r\n\r\n1"),
            ("", 5, ""),
        ] {
            for size in 1..=text.len().max(1) {
                let mut top = Top::new(lines);
                let taken: usize = text.as_bytes().chunks(size).map(|piece| top.take(piece)).sum();
                assert_eq!(&text[..taken], expected, "{text:?} in pieces of {size}");
            }
        }
    }
}
