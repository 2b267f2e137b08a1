//! Framing: where one response ends and the next begins, with bounds, and no meaning beyond that.
//!
//! [`Framer`] is IMAP's, [`DotFramer`] POP3's, whose texts [`DotStuffer`] writes. In IMAP a response is a line, or several lines joined by literals (RFC 9051 §2.2.1, §4.3). Its length is
//! known from the line ends and the literals' announced lengths alone, so a response that does not
//! parse can still be left behind safely: nothing inside a literal is ever taken for a line, a tag or a `+`.
//!
//! Large body sections are not gathered in memory: their octets are handed out as slices of the
//! input while they arrive, and the response goes on behind them.
//!
//! ```
//! use mailkeep::limits::Limits;
//! use mailkeep::wire::{Framer, Piece};
//!
//! let mut framer = Framer::new(&Limits::DEFAULT, 64 << 10);
//! let mut input: &[u8] = b"* 23 EXISTS\r\n* 1 FETCH (FLAGS ";
//! let Some(Piece::Response(frame)) = framer.next(&mut input).unwrap() else { panic!() };
//! assert_eq!(frame.text, b"* 23 EXISTS");
//! assert!(framer.next(&mut input).unwrap().is_none()); // cut: the rest is asked for
//! let mut input: &[u8] = b"(\\Seen))\r\n";
//! let Some(Piece::Response(frame)) = framer.next(&mut input).unwrap() else { panic!() };
//! assert_eq!(frame.text, b"* 1 FETCH (FLAGS (\\Seen))");
//! ```

mod command;
#[cfg(test)]
mod command_tests;
pub mod compress;
mod dots;
mod frame;
mod literal;
mod stuff;
#[cfg(test)]
mod tests;

pub use command::{CommandFramer, CommandPiece, Refusal};
pub use dots::{DotFramer, DotPiece};
pub use frame::{Frame, FrameError, Framer, Piece};
pub(crate) use literal::literal_head;
pub use stuff::{DotStuffer, text_size};

/// A literal whose bytes were handed out while they arrived and are not in the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamedLiteral {
    /// Offset in the frame's text of the `{` that announced it. The text holds `{n}` CRLF and goes on behind the literal.
    pub at: usize,
    /// Its length in octets.
    pub len: u64,
}
