//! The client's half of an IMAP connection: bytes in, pieces out; commands in, bytes out.
//!
//! [`Inbound`] frames what arrives, [`Outbound`] numbers and sends what is asked. Both know the
//! protocol and nothing of mail stores.

pub mod login;
pub mod quirks;

use std::collections::VecDeque;

use crate::error::{Error, Result};
use crate::imap::command::{Command, DONE};
use crate::imap::encode::{self, EncodeOptions, Fragment};
use crate::limits::Limits;
use crate::wire::compress::{Deflater, Inflater};
use crate::wire::{Framer, Piece};

/// Body sections at least this long are handed on while they arrive.
const STREAM_FROM: usize = 256;
/// Octets inflated at a time.
const INFLATE_STEP: usize = 64 << 10;

/// Bytes from the server on their way to responses.
pub struct Inbound {
    framer: Framer,
    inflater: Option<Inflater>,
    inflated: Vec<u8>,
    taken: usize,
}

impl Inbound {
    /// At the start of a connection.
    pub fn new(limits: &Limits) -> Inbound {
        Inbound { framer: Framer::new(limits, STREAM_FROM), inflater: None, inflated: Vec::new(), taken: 0 }
    }

    /// What comes from now on is compressed (RFC 4978).
    pub fn start_inflating(&mut self, limits: &Limits) {
        self.inflater = Some(Inflater::new(limits));
    }

    /// Whether the next piece may come without further bytes from the server.
    pub fn has_more(&self, input: &[u8]) -> bool {
        match &self.inflater {
            Some(inflater) => self.holds_inflated() || inflater.is_pending() || !input.is_empty(),
            None => false,
        }
    }

    /// Whether bytes are held that no response has used yet.
    pub fn holds_inflated(&self) -> bool {
        self.taken < self.inflated.len()
    }

    /// The next piece of a response, taking bytes off the front of `input`; `None` when more must come.
    ///
    /// # Errors
    /// [`Error::Protocol`] where the bytes break the framing or a bound; the connection is of no more use.
    pub fn next<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Result<Option<Piece<'s>>> {
        let Some(inflater) = &mut self.inflater else {
            return self.framer.next(input).map_err(|e| Error::Protocol(e.to_string()));
        };
        if self.taken == self.inflated.len() {
            self.inflated.clear();
            self.taken = 0;
            inflater
                .inflate(input, &mut self.inflated, INFLATE_STEP)
                .map_err(|e| Error::Protocol(e.to_string()))?;
        }
        let mut rest = &self.inflated[self.taken..];
        let before = rest.len();
        let piece = self.framer.next(&mut rest).map_err(|e| Error::Protocol(e.to_string()))?;
        self.taken += before - rest.len();
        Ok(piece)
    }
}

/// A command that waits for its tagged answer.
#[derive(Debug)]
struct InFlight<P> {
    tag: String,
    number: u32,
    purpose: P,
}

/// A fragment of a command that has not gone out, or has and waits for a `+`.
struct Held {
    fragment: Fragment,
    tag: u32,
    sent: bool,
}

/// Commands on their way to the server, each with what it is for.
pub struct Outbound<P> {
    prefix: String,
    next_tag: u32,
    out: Vec<u8>,
    deflater: Option<Deflater>,
    in_flight: VecDeque<InFlight<P>>,
    /// Fragments that wait for a `+`, and everything asked after them.
    held: VecDeque<Held>,
    /// How strings may be sent.
    pub options: EncodeOptions,
    commands: u64,
}

impl<P> Outbound<P> {
    /// At the start of a connection. Tags are made of the seed, so that no text a server repeats
    /// from elsewhere holds one.
    pub fn new(seed: u64) -> Outbound<P> {
        const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyz";
        let prefix =
            (0..5).map(|i| char::from(LETTERS[(seed >> (i * 8)) as u8 as usize % LETTERS.len()])).collect();
        Outbound {
            prefix,
            next_tag: 0,
            out: Vec::new(),
            deflater: None,
            in_flight: VecDeque::new(),
            held: VecDeque::new(),
            options: EncodeOptions::default(),
            commands: 0,
        }
    }

    /// Sends a command, behind those that wait for a continuation.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a value cannot be said in the protocol.
    pub fn send(&mut self, command: &Command, purpose: P) -> Result<()> {
        self.next_tag += 1;
        let tag = format!("{}{}", self.prefix, self.next_tag);
        let encoded = encode::encode(&tag, command, &self.options)
            .map_err(|e| Error::Invalid { what: "command", why: e.to_string() })?;
        self.commands += 1;
        self.in_flight.push_back(InFlight { tag, number: self.next_tag, purpose });
        for fragment in encoded.fragments {
            self.held.push_back(Held { fragment, tag: self.next_tag, sent: false });
        }
        self.release(false);
        Ok(())
    }

    /// Sends the answer to a SASL challenge.
    pub fn answer_challenge(&mut self, response: &[u8]) {
        let fragment = encode::encode_sasl_response(response);
        self.write(&fragment.bytes);
    }

    /// Takes an authentication exchange back (RFC 9051 §6.2.2).
    pub fn abort_challenge(&mut self) {
        self.write(b"*\r\n");
    }

    /// Ends IDLE (RFC 2177).
    pub fn done(&mut self) {
        self.write(DONE);
    }

    /// A `+` came: whatever waited for it goes out. Returns false where nothing in a command did.
    pub fn release_literal(&mut self) -> bool {
        if self.waits_for_literal() {
            self.release(true);
            true
        } else {
            false
        }
    }

    /// Whether a command's literal waits for a `+`.
    pub fn waits_for_literal(&self) -> bool {
        self.held.front().is_some_and(|f| f.sent)
    }

    /// Sends what may go. `go` answers the fragment in front, which has gone and waits.
    fn release(&mut self, mut go: bool) {
        while let Some(mut front) = self.held.pop_front() {
            if !front.sent {
                self.write(&front.fragment.bytes);
                front.sent = true;
                if front.fragment.wait {
                    self.held.push_front(front);
                    return;
                }
            } else if !std::mem::take(&mut go) {
                self.held.push_front(front);
                return;
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        match &mut self.deflater {
            Some(deflater) => deflater.deflate(bytes, &mut self.out),
            None => self.out.extend_from_slice(bytes),
        }
    }

    /// What goes out from now on is compressed (RFC 4978).
    pub fn start_deflating(&mut self) {
        self.deflater = Some(Deflater::new(6));
    }

    /// The purpose of the command that a tag answers, which is done with now.
    pub fn complete(&mut self, tag: &[u8]) -> Option<P> {
        let at = self.in_flight.iter().position(|c| c.tag.as_bytes() == tag)?;
        let done = self.in_flight.remove(at)?;
        // A command refused before its literal was asked for takes the rest of itself back.
        self.held.retain(|held| held.tag != done.number);
        self.release(false);
        Some(done.purpose)
    }

    /// The purposes that wait, oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = &P> {
        self.in_flight.iter().map(|c| &c.purpose)
    }

    /// How many commands wait for their answer.
    pub fn depth(&self) -> usize {
        self.in_flight.len()
    }

    /// Commands sent so far.
    pub fn commands(&self) -> u64 {
        self.commands
    }

    /// Everything there is to send, or `None`.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        (!self.out.is_empty()).then(|| std::mem::take(&mut self.out))
    }

    /// Whether something is there to send.
    pub fn has_output(&self) -> bool {
        !self.out.is_empty()
    }
}
