//! Framing of what a client sends: commands, their literals, and the lines between (RFC 9051 §2.2.1, RFC 7888).
//!
//! It differs from [`Framer`](super::Framer) in what a literal means here: a synchronising one waits for
//! consent, so the end of a command may have to be asked for, and a refused one never comes. A command over
//! a bound is left behind up to its end without being kept.

use memchr::memchr;

use super::frame::{Frame, FrameError};
use super::literal::{LineEnd, line_end};
use super::{StreamedLiteral, literal_head};
use crate::limits::Limits;

/// An internal buffer larger than this is given back after the command that needed it.
const KEEP_BUFFER: usize = 64 << 10;
/// Octets of a line that is passed over which are kept, to see whether it ends in a literal.
const TAIL: usize = 32;
/// Longest tag that an answer repeats.
const LONGEST_TAG: usize = 100;

/// Cuts a client's byte stream into commands.
///
/// Input may be cut at any byte; the pieces are the same but for the borders of
/// [`CommandPiece::LiteralData`]. Memory grows with the octets that arrived, up to [`Limits::command`].
#[derive(Debug)]
pub struct CommandFramer {
    command: usize,
    inline_literal: u64,
    message: u64,
    max_literals: usize,
    buffer: Vec<u8>,
    streamed: Vec<StreamedLiteral>,
    /// Where in `buffer` the line now read began.
    line: usize,
    literals: usize,
    /// The tag of the command that is left behind.
    tag: Vec<u8>,
    /// Octets of refused literals in the command that is passed over.
    skipped: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Line,
    Inline(usize),
    /// A message is announced, and nobody has said yet whether it is wanted.
    Asked {
        len: u64,
        synchronizing: bool,
    },
    Streaming(u64),
    /// The command in `buffer` was given out and can go.
    Given,
    /// Passing over octets of a literal, then the rest of the command.
    SkipOctets(u64),
    SkipLine,
    Failed(FrameError),
}

/// What the framer gives out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandPiece<'a> {
    /// The client waits for a `+` before it sends a literal that will stay in the command.
    Continue,
    /// A message is about to arrive (APPEND, REPLACE). Answer with [`CommandFramer::accept`], and a `+` if
    /// it is synchronising, or with [`CommandFramer::refuse`].
    MessageStart {
        /// The command's text up to the `{`.
        head: &'a [u8],
        /// Earlier messages that `head` mentions.
        streamed: &'a [StreamedLiteral],
        /// Octets announced.
        len: u64,
        /// The client waits for a `+`.
        synchronizing: bool,
    },
    /// Octets of the message, straight from the input.
    LiteralData(&'a [u8]),
    /// The message is complete.
    LiteralEnd,
    /// A whole command.
    Command(Frame<'a>),
    /// A command was left behind because it passed a bound; it is to be answered `BAD`.
    Refused {
        /// Its tag, as far as there is one.
        tag: &'a [u8],
        /// Which bound.
        why: Refusal,
    },
}

/// Why a command was left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// [`Limits::command`].
    TooLong,
    /// [`Limits::inline_literal`].
    LiteralTooLong,
    /// [`Limits::literals`].
    TooManyLiterals,
    /// Braces at a line end that hold no number.
    BadLiteral,
}

impl CommandFramer {
    /// A framer for one connection.
    pub fn new(limits: &Limits) -> CommandFramer {
        CommandFramer {
            command: limits.command,
            inline_literal: limits.inline_literal as u64,
            message: limits.message,
            max_literals: limits.literals,
            buffer: Vec::new(),
            streamed: Vec::new(),
            line: 0,
            literals: 0,
            tag: Vec::new(),
            skipped: 0,
            state: State::Line,
        }
    }

    /// Another bound for commands from now on: lower before somebody has logged in.
    pub fn set_command_limit(&mut self, octets: usize) {
        self.command = octets;
    }

    /// Takes bytes off the front of `input`. `None` when all was taken and more is needed, or an announced
    /// message waits to be accepted or refused.
    ///
    /// # Errors
    /// The place in the stream is lost, or more would have to be passed over than is reasonable. Every
    /// later call gives the same error.
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<CommandPiece<'s>>, FrameError> {
        let step = self.step(input).inspect_err(|&error| self.state = State::Failed(error))?;
        Ok(match step {
            Step::NeedInput => None,
            Step::Continue => Some(CommandPiece::Continue),
            Step::Start { len, synchronizing } => {
                let (last, earlier) = self.streamed.split_last().expect("a literal was just noted");
                let head = &self.buffer[..last.at];
                Some(CommandPiece::MessageStart { head, streamed: earlier, len, synchronizing })
            }
            Step::Data(data) => Some(CommandPiece::LiteralData(data)),
            Step::End => Some(CommandPiece::LiteralEnd),
            Step::Command { text } => {
                Some(CommandPiece::Command(Frame { text: &self.buffer[..text], streamed: &self.streamed }))
            }
            Step::Refused { why } => Some(CommandPiece::Refused { tag: &self.tag, why }),
        })
    }

    /// A line that is no command: the answer to a challenge, or the end of IDLE. `None` when more is needed.
    ///
    /// # Errors
    /// [`FrameError::ResponseTooLong`] where it passes the bound; later calls give the same error.
    pub fn next_line<'s>(&'s mut self, input: &mut &[u8]) -> Result<Option<&'s [u8]>, FrameError> {
        match self.state {
            State::Failed(error) => return Err(error),
            State::Given => self.reset(),
            _ => {}
        }
        let len = memchr(b'\n', input).map_or(input.len(), |at| at + 1);
        let whole = input.get(len.wrapping_sub(1)) == Some(&b'\n');
        if self.buffer.len() + len > self.command.saturating_add(2) {
            let error = FrameError::ResponseTooLong { limit: self.command };
            self.state = State::Failed(error);
            return Err(error);
        }
        let (taken, rest) = input.split_at(len);
        self.buffer.extend_from_slice(taken);
        *input = rest;
        if !whole {
            return Ok(None);
        }
        self.state = State::Given;
        let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    /// The announced message may come.
    pub fn accept(&mut self) {
        if let State::Asked { len, .. } = self.state {
            self.state = State::Streaming(len);
        }
    }

    /// The announced message is not wanted: the command is left behind, and a message that comes without
    /// waiting is passed over.
    pub fn refuse(&mut self) {
        let State::Asked { len, synchronizing } = self.state else { return };
        self.reset();
        if !synchronizing {
            self.state = State::SkipOctets(len);
        }
    }

    /// Whether the bytes taken so far end with a whole command.
    pub fn is_between_commands(&self) -> bool {
        match self.state {
            State::Line => self.buffer.is_empty(),
            State::Given => true,
            _ => false,
        }
    }

    fn reset(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(KEEP_BUFFER);
        self.streamed.clear();
        self.line = 0;
        self.literals = 0;
        self.skipped = 0;
        self.state = State::Line;
    }

    fn step<'i>(&mut self, input: &mut &'i [u8]) -> Result<Step<'i>, FrameError> {
        loop {
            match self.state {
                State::Failed(error) => return Err(error),
                State::Given => self.reset(),
                State::Asked { .. } => return Ok(Step::NeedInput),
                State::Line => {
                    let end = memchr(b'\n', input);
                    if !self.append(input, end.map_or(input.len(), |end| end + 1)) {
                        // What does not fit is not taken: it is passed over from here.
                        return Ok(self.leave_behind(Refusal::TooLong, State::SkipLine, input));
                    }
                    if end.is_none() {
                        return Ok(Step::NeedInput);
                    }
                    if let Some(step) = self.end_line()? {
                        return Ok(step);
                    }
                }
                State::Inline(0) => self.begin_line(),
                State::Inline(left) => {
                    if input.is_empty() {
                        return Ok(Step::NeedInput);
                    }
                    let len = left.min(input.len());
                    let (taken, rest) = input.split_at(len);
                    self.buffer.extend_from_slice(taken);
                    *input = rest;
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
                    let data = take(input, left);
                    self.state = State::Streaming(left - data.len() as u64);
                    return Ok(Step::Data(data));
                }
                State::SkipOctets(0) => self.state = State::SkipLine,
                State::SkipOctets(left) => {
                    if input.is_empty() {
                        return Ok(Step::NeedInput);
                    }
                    let data = take(input, left);
                    self.state = State::SkipOctets(left - data.len() as u64);
                }
                State::SkipLine => {
                    if !self.skip_line(input)? {
                        return Ok(Step::NeedInput);
                    }
                }
            }
        }
    }

    fn begin_line(&mut self) {
        self.line = self.buffer.len();
        self.state = State::Line;
    }

    /// Moves octets to the buffer, unless they pass the bound.
    fn append(&mut self, input: &mut &[u8], len: usize) -> bool {
        if self.buffer.len().saturating_add(len) > self.command.saturating_add(2) {
            return false;
        }
        let (taken, rest) = input.split_at(len);
        self.buffer.extend_from_slice(taken);
        *input = rest;
        true
    }

    /// What was gathered goes, but for the tag, which may stand in `next`, and the end of the line, which
    /// may be half of a literal's announcement. `then` passes over the rest.
    fn leave_behind<'i>(&mut self, why: Refusal, then: State, next: &[u8]) -> Step<'i> {
        let begun = self.buffer.iter().chain(next).take(LONGEST_TAG + 1).copied().collect::<Vec<_>>();
        self.tag = tag_of(&begun).to_vec();
        let start = if then == State::SkipLine {
            self.line.max(self.buffer.len().saturating_sub(TAIL))
        } else {
            self.buffer.len()
        };
        self.buffer.drain(..start);
        self.line = 0;
        self.state = then;
        Step::Refused { why }
    }

    /// The buffer now ends with LF.
    fn end_line(&mut self) -> Result<Option<Step<'static>>, FrameError> {
        let end = self.buffer.len() - 1;
        let text = end - usize::from(end > self.line && self.buffer[end - 1] == b'\r');
        let synchronizing = !self.buffer[..text].ends_with(b"+}");
        let (at, len) = match line_end(&self.buffer[self.line..text]) {
            LineEnd::Plain => {
                self.state = State::Given;
                return Ok(Some(Step::Command { text }));
            }
            // How much follows is not to be known; if nothing waits, the next line is a command.
            LineEnd::BadNumber => return Ok(Some(self.leave_behind(Refusal::BadLiteral, State::Given, b""))),
            LineEnd::TooLarge if synchronizing => {
                return Ok(Some(self.leave_behind(Refusal::LiteralTooLong, State::Given, b"")));
            }
            LineEnd::TooLarge => return Err(self.endless(u64::MAX)),
            LineEnd::Literal { at, len } => (self.line + at, len),
        };
        // What is passed over: nothing where the client waits, for then it will not come.
        let then = if synchronizing { State::Given } else { State::SkipOctets(len) };
        self.literals += 1;
        let message = is_message(&self.buffer[..at]);
        let why = if self.literals > self.max_literals {
            Refusal::TooManyLiterals
        } else if message && (len <= self.message || synchronizing) {
            self.streamed.push(StreamedLiteral { at, len });
            self.state = State::Asked { len, synchronizing };
            return Ok(Some(Step::Start { len, synchronizing }));
        } else if message {
            return Err(self.endless(len));
        } else if len > self.inline_literal {
            Refusal::LiteralTooLong
        } else if (self.buffer.len() as u64).saturating_add(len) > self.command as u64 {
            Refusal::TooLong
        } else {
            // Within `command`, so it fits.
            self.state = State::Inline(len as usize);
            return Ok(synchronizing.then_some(Step::Continue));
        };
        if !synchronizing {
            self.pass_over(len)?;
        }
        Ok(Some(self.leave_behind(why, then, b"")))
    }

    fn pass_over(&mut self, len: u64) -> Result<(), FrameError> {
        self.skipped = self.skipped.saturating_add(len);
        if self.skipped > self.message { Err(self.endless(len)) } else { Ok(()) }
    }

    fn endless(&self, len: u64) -> FrameError {
        FrameError::MessageTooLong { len, limit: self.message }
    }

    /// Passes over a line, and what its end announces. False when more input is needed.
    fn skip_line(&mut self, input: &mut &[u8]) -> Result<bool, FrameError> {
        let end = memchr(b'\n', input);
        let (line, rest) = input.split_at(end.map_or(input.len(), |at| at + 1));
        *input = rest;
        let start = line.len().saturating_sub(TAIL);
        self.buffer.extend_from_slice(&line[start..]);
        let excess = self.buffer.len().saturating_sub(TAIL);
        self.buffer.drain(..excess);
        if end.is_none() {
            return Ok(false);
        }
        let text = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let (ending, unasked) = (line_end(text), text.ends_with(b"+}"));
        self.buffer.clear();
        match ending {
            LineEnd::Literal { len, .. } if unasked => {
                self.pass_over(len)?;
                self.state = State::SkipOctets(len);
            }
            LineEnd::TooLarge if unasked => return Err(self.endless(u64::MAX)),
            // A client that waits has been answered already.
            _ => self.reset(),
        }
        Ok(true)
    }
}

enum Step<'i> {
    NeedInput,
    Continue,
    Start { len: u64, synchronizing: bool },
    Data(&'i [u8]),
    End,
    Command { text: usize },
    Refused { why: Refusal },
}

fn take<'i>(input: &mut &'i [u8], most: u64) -> &'i [u8] {
    let len = usize::try_from(most).unwrap_or(usize::MAX).min(input.len());
    let (data, rest) = input.split_at(len);
    *input = rest;
    data
}

/// The tag that a command begins with; empty where it is none.
fn tag_of(text: &[u8]) -> &[u8] {
    let is_tag = |b: &u8| b.is_ascii_graphic() && !b"(){%*\"\\+".contains(b);
    let end = text.iter().position(|b| !is_tag(b)).unwrap_or(text.len());
    if end > LONGEST_TAG { b"" } else { &text[..end] }
}

/// Whether the literal announced behind `text` is a message: in APPEND and REPLACE, once the mailbox has
/// been named.
fn is_message(text: &[u8]) -> bool {
    let mut rest = &text[tag_of(text).len()..];
    let mut word = || {
        rest = rest.strip_prefix(b" ")?;
        let end = memchr(b' ', rest).unwrap_or(rest.len());
        let word = &rest[..end];
        rest = &rest[end..];
        Some(word)
    };
    let is = |word: Option<&[u8]>, name: &[u8]| word.is_some_and(|word| word.eq_ignore_ascii_case(name));
    let mut verb = word();
    if is(verb, b"UID") {
        verb = word();
    }
    // REPLACE names the message before the mailbox.
    let names_messages = is(verb, b"APPEND") || is(verb, b"REPLACE") && word().is_some();
    if !names_messages {
        return false;
    }
    let mailbox = rest.strip_prefix(b" ").unwrap_or(rest);
    // Where the mailbox itself is this literal there is nothing left but perhaps its `~`.
    let behind = match literal_head(mailbox) {
        Some(head) => mailbox.get(head.width..),
        None => Some(mailbox),
    };
    behind.is_some_and(|behind| !matches!(behind, b"" | b"~"))
}
