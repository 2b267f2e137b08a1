//! The incremental framer.

use memchr::memchr;

use super::StreamedLiteral;
use super::literal::{LineEnd, line_end};
use crate::limits::Limits;

/// An internal buffer larger than this is given back after the response that needed it.
const KEEP_BUFFER: usize = 64 << 10;
/// The same for the side table, in entries.
const KEEP_STREAMED: usize = 64;

/// Cuts a byte stream into responses.
///
/// Input may be cut at any byte; the pieces are the same but for the borders of
/// [`Piece::LiteralData`]. Time is linear in the input however it is cut, and memory grows with the
/// octets that arrived, never with a number the server named.
#[derive(Debug)]
pub struct Framer {
    response: usize,
    inline_literal: u64,
    message: u64,
    max_literals: usize,
    stream_from: u64,
    /// The text of a response that did not come whole in one input.
    buffer: Vec<u8>,
    streamed: Vec<StreamedLiteral>,
    /// Where in `buffer` the line now read began: behind the latest literal.
    line: usize,
    literals: usize,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// In a line.
    Line,
    /// In a literal that stays in the text; so many octets are missing.
    Inline(usize),
    /// In a literal that is handed out; so many octets are missing.
    Streaming(u64),
    /// The response in `buffer` was given out and can go.
    Given,
    /// The place in the stream is lost for good.
    Failed(FrameError),
}

/// What the framer gives out.
#[derive(Debug, Clone, Copy)]
pub enum Piece<'a> {
    /// A whole response.
    Response(Frame<'a>),
    /// A body section is about to arrive, to be followed by its data, its end, and later by the
    /// response it stands in.
    LiteralStart {
        /// The response's text up to the `{`: its length is [`StreamedLiteral::at`].
        head: &'a [u8],
        /// Earlier streamed literals that `head` mentions.
        streamed: &'a [StreamedLiteral],
        /// Octets announced; within [`Limits::message`].
        len: u64,
    },
    /// Octets of the section, straight from the input.
    LiteralData(&'a [u8]),
    /// The section is complete.
    LiteralEnd,
}

/// One response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The text without its final line end. Literals stand in it as `{n}` CRLF and their octets.
    pub text: &'a [u8],
    /// Literals whose octets are missing in `text`, in order.
    pub streamed: &'a [StreamedLiteral],
}

impl<'a> Frame<'a> {
    /// A frame with nothing streamed.
    pub fn new(text: &'a [u8]) -> Frame<'a> {
        Frame { text, streamed: &[] }
    }
}

/// The stream cannot be followed any further; the connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// [`Limits::response`].
    #[error("the server sent a response longer than {limit} octets")]
    ResponseTooLong {
        /// The limit, in octets.
        limit: usize,
    },
    /// [`Limits::inline_literal`]. `len` is `u64::MAX` where the number did not fit.
    #[error("the server announced a string of {len} octets; at most {limit} are taken")]
    LiteralTooLong {
        /// Octets announced.
        len: u64,
        /// The limit, in octets.
        limit: u64,
    },
    /// [`Limits::message`].
    #[error("the server announced a message of {len} octets; at most {limit} are taken")]
    MessageTooLong {
        /// Octets announced.
        len: u64,
        /// The limit, in octets.
        limit: u64,
    },
    /// [`Limits::literals`].
    #[error("the server sent more than {limit} literals in one response")]
    TooManyLiterals {
        /// The limit.
        limit: usize,
    },
    /// Braces at a line end hold something meant as a number that is none, such as `{-1}`.
    #[error("the server announced a literal without a valid length")]
    BadLiteral,
}

impl Framer {
    /// A framer for one connection. Literals of body sections of `stream_from` octets or more are
    /// handed out as they arrive; smaller ones stay in the text.
    pub fn new(limits: &Limits, stream_from: usize) -> Framer {
        Framer {
            response: limits.response,
            inline_literal: limits.inline_literal as u64,
            message: limits.message,
            max_literals: limits.literals,
            stream_from: stream_from as u64,
            buffer: Vec::new(),
            streamed: Vec::new(),
            line: 0,
            literals: 0,
            state: State::Line,
        }
    }

    /// Takes bytes off the front of `input`. `None` when all was taken and more is needed.
    ///
    /// # Errors
    /// A bound was passed or a literal has no valid length. Every later call gives the same error.
    pub fn next<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Result<Option<Piece<'s>>, FrameError> {
        if let State::Given = self.state {
            self.reset();
        }
        if self.is_between_responses()
            && let Some(whole) = self.whole_response(input)
        {
            let text = &input[..whole.text];
            *input = &input[whole.taken..];
            return Ok(Some(Piece::Response(Frame { text, streamed: &[] })));
        }
        let step = self.step(input).inspect_err(|&error| self.state = State::Failed(error))?;
        Ok(match step {
            Step::NeedInput => None,
            Step::Start { len } => {
                let (last, earlier) = self.streamed.split_last().expect("a literal was just noted");
                Some(Piece::LiteralStart { head: &self.buffer[..last.at], streamed: earlier, len })
            }
            Step::Data(data) => Some(Piece::LiteralData(data)),
            Step::End => Some(Piece::LiteralEnd),
            Step::Response { text } => {
                Some(Piece::Response(Frame { text: &self.buffer[..text], streamed: &self.streamed }))
            }
        })
    }

    /// Whether the bytes taken so far end with a whole response: the only places where TLS or
    /// compression may start, or the server may close without cutting something off.
    pub fn is_between_responses(&self) -> bool {
        match self.state {
            State::Line => self.buffer.is_empty(),
            State::Given => true,
            State::Inline(_) | State::Streaming(_) | State::Failed(_) => false,
        }
    }

    #[cfg(test)]
    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    #[cfg(test)]
    pub(super) fn buffer_capacity(&self) -> usize {
        self.buffer.capacity()
    }

    fn reset(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(KEEP_BUFFER);
        self.streamed.clear();
        self.streamed.shrink_to(KEEP_STREAMED);
        self.line = 0;
        self.literals = 0;
        self.state = State::Line;
    }

    /// Finds a response that stands whole in `input` and streams nothing. Whatever else there is,
    /// errors too, is left to [`Framer::step`], which starts from the same place.
    #[inline]
    fn whole_response(&self, input: &[u8]) -> Option<Whole> {
        let mut line = 0;
        let mut literals = 0;
        loop {
            let end = line + memchr(b'\n', &input[line..])?;
            let text = end - usize::from(end > line && input[end - 1] == b'\r');
            if text > self.response {
                return None;
            }
            if text == line || input[text - 1] != b'}' {
                return Some(Whole { text, taken: end + 1 });
            }
            match self.line_end(&input[..text], line) {
                LineEnd::Plain => return Some(Whole { text, taken: end + 1 }),
                LineEnd::Literal { at, len } => {
                    let streams = len >= self.stream_from && is_body_section(&input[..at]);
                    literals += 1;
                    if streams || len > self.inline_literal || literals > self.max_literals {
                        return None;
                    }
                    line = end.checked_add(1)?.checked_add(usize::try_from(len).ok()?)?;
                    if line > input.len() {
                        return None;
                    }
                }
                LineEnd::BadNumber | LineEnd::TooLarge => return None,
            }
        }
    }

    /// Goes on with a response that is assembled in the buffer.
    fn step<'i>(&mut self, input: &mut &'i [u8]) -> Result<Step<'i>, FrameError> {
        loop {
            match self.state {
                State::Failed(error) => return Err(error),
                State::Given => self.reset(),
                State::Line => match memchr(b'\n', input) {
                    None => {
                        self.append(input, input.len())?;
                        return Ok(Step::NeedInput);
                    }
                    Some(end) => {
                        self.append(input, end + 1)?;
                        if let Some(step) = self.end_line()? {
                            return Ok(step);
                        }
                    }
                },
                State::Inline(0) => self.begin_line(),
                State::Inline(left) => {
                    if input.is_empty() {
                        return Ok(Step::NeedInput);
                    }
                    let len = left.min(input.len());
                    self.append(input, len)?;
                    self.state = State::Inline(left - len);
                }
                State::Streaming(0) => {
                    self.begin_line();
                    return Ok(Step::End);
                }
                State::Streaming(left) => {
                    if input.is_empty() {
                        return Ok(Step::NeedInput);
                    }
                    let len = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let (data, rest) = input.split_at(len);
                    *input = rest;
                    self.state = State::Streaming(left - len as u64);
                    return Ok(Step::Data(data));
                }
            }
        }
    }

    fn begin_line(&mut self) {
        self.line = self.buffer.len();
        self.state = State::Line;
    }

    /// Moves octets from the input to the buffer, within the response's bound. The line end that
    /// closes the response does not count.
    fn append(&mut self, input: &mut &[u8], len: usize) -> Result<(), FrameError> {
        let (taken, rest) = input.split_at(len);
        if self.buffer.len() + len > self.response.saturating_add(2) {
            return Err(FrameError::ResponseTooLong { limit: self.response });
        }
        self.buffer.extend_from_slice(taken);
        *input = rest;
        Ok(())
    }

    /// The buffer now ends with LF.
    fn end_line(&mut self) -> Result<Option<Step<'static>>, FrameError> {
        let end = self.buffer.len() - 1;
        let text = end - usize::from(end > self.line && self.buffer[end - 1] == b'\r');
        if text > self.response {
            return Err(FrameError::ResponseTooLong { limit: self.response });
        }
        match self.line_end(&self.buffer[..text], self.line) {
            LineEnd::Plain => {
                self.state = State::Given;
                Ok(Some(Step::Response { text }))
            }
            LineEnd::BadNumber => Err(FrameError::BadLiteral),
            LineEnd::TooLarge => {
                Err(FrameError::LiteralTooLong { len: u64::MAX, limit: self.inline_literal })
            }
            LineEnd::Literal { at, len } => self.begin_literal(at, len),
        }
    }

    fn begin_literal(&mut self, at: usize, len: u64) -> Result<Option<Step<'static>>, FrameError> {
        self.literals += 1;
        if self.literals > self.max_literals {
            return Err(FrameError::TooManyLiterals { limit: self.max_literals });
        }
        if len >= self.stream_from && is_body_section(&self.buffer[..at]) {
            if len > self.message {
                return Err(FrameError::MessageTooLong { len, limit: self.message });
            }
            self.streamed.push(StreamedLiteral { at, len });
            self.state = State::Streaming(len);
            return Ok(Some(Step::Start { len }));
        }
        if len > self.inline_literal {
            return Err(FrameError::LiteralTooLong { len, limit: self.inline_literal });
        }
        let Ok(left) = usize::try_from(len) else {
            return Err(FrameError::LiteralTooLong { len, limit: self.inline_literal });
        };
        if self.buffer.len().saturating_add(left) > self.response {
            return Err(FrameError::ResponseTooLong { limit: self.response });
        }
        self.state = State::Inline(left);
        Ok(None)
    }

    /// How the line that began at `line` ends. `text` is the response so far without the line end.
    fn line_end(&self, text: &[u8], line: usize) -> LineEnd {
        match line_end(&text[line..]) {
            LineEnd::Plain => LineEnd::Plain,
            _ if !may_hold_literals(text) => LineEnd::Plain,
            LineEnd::Literal { at, len } => LineEnd::Literal { at: line + at, len },
            other => other,
        }
    }
}

/// A response that stands whole in the input: the length of its text, and with its line end.
struct Whole {
    text: usize,
    taken: usize,
}

enum Step<'i> {
    NeedInput,
    Start { len: u64 },
    Data(&'i [u8]),
    End,
    Response { text: usize },
}

/// Whether a response may hold literals, by its first words.
///
/// The text of a status response or a continuation is prose for a person and may end in `{5}` by
/// chance (`* OK see note {5}`); taking that for a length would swallow what follows. By the grammar
/// (RFC 9051 §9) only `response-data` other than `resp-cond-state` and `resp-cond-bye` holds
/// literals: so the line must begin with `* ` and go on with none of the status words. A tagged
/// response is always a status. A bracket right behind the `*` is a status code whose word the server forgot.
fn may_hold_literals(text: &[u8]) -> bool {
    let text = opening(text);
    let Some(rest) = text.strip_prefix(b"*") else { return false };
    let Some(start) = rest.iter().position(|&b| b != b' ') else { return false };
    let word = &rest[start..];
    let word = &word[..word.iter().position(|&b| b == b' ').unwrap_or(word.len())];
    const STATUS: [&[u8]; 5] = [b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"];
    start > 0 && word[0] != b'[' && !STATUS.iter().any(|status| word.eq_ignore_ascii_case(status))
}

/// Whether what stands before a literal in a FETCH response names a body section: `BODY[…]`,
/// `BODY[…]<n>`, `BINARY[…]`, `RFC822`, `RFC822.TEXT` or `RFC822.HEADER` (RFC 9051 §7.5.2, RFC 3501 §7.4.2).
fn is_body_section(head: &[u8]) -> bool {
    let head = head.strip_suffix(b"~").unwrap_or(head);
    let Some(head) = head.strip_suffix(b" ") else { return false };
    if !is_fetch(head) {
        return false;
    }
    if head.ends_with(b"]") {
        return true;
    }
    if let Some(origin) = head.strip_suffix(b">") {
        let digits = origin.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        return digits > 0 && origin[..origin.len() - digits].ends_with(b"]<");
    }
    const WHOLE: [&[u8]; 3] = [b"RFC822", b"RFC822.TEXT", b"RFC822.HEADER"];
    let word = head.iter().rposition(|b| matches!(b, b' ' | b'(')).map_or(head, |at| &head[at + 1..]);
    WHOLE.iter().any(|name| word.eq_ignore_ascii_case(name))
}

/// The part of a response that its first words must stand in, so that asking again at each of
/// many literals costs nothing that grows.
fn opening(text: &[u8]) -> &[u8] {
    &text[..text.len().min(64)]
}

fn is_fetch(text: &[u8]) -> bool {
    let mut words = opening(text).split(|&b| b == b' ').filter(|w| !w.is_empty());
    words.next() == Some(b"*")
        && words.next().is_some_and(|n| n.iter().all(u8::is_ascii_digit))
        && words.next().is_some_and(|w| {
            w.get(..5).is_some_and(|w| w.eq_ignore_ascii_case(b"FETCH")) && (w.len() == 5 || w[5] == b'(')
        })
}
