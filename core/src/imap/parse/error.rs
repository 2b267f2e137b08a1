//! Why a response did not parse.

use std::fmt;

/// A response that does not parse: what would have been right, and where.
///
/// The frame's borders are certain all the same, so the connection can go on with the next one; a
/// caller that waits for a tag looks at [`ParseError::tagged`] first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseError {
    /// What should have stood there.
    pub expected: Expected,
    /// Octets into the frame's text.
    pub offset: usize,
    /// Whether the line began as a tagged response does, with anything but `*` or `+`.
    pub tagged: bool,
}

/// What a parser looked for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Expected {
    /// A tag, `*` or `+` at the start.
    Start,
    /// A word that says what kind of response it is.
    Keyword,
    /// OK, NO or BAD behind a tag.
    Status,
    /// A space.
    Space,
    /// `(`.
    OpenParenthesis,
    /// `)`.
    CloseParenthesis,
    /// An atom.
    Atom,
    /// A string, quoted or literal, or an atom where one will do.
    String,
    /// The closing quote of a quoted string, on the same line.
    CloseQuote,
    /// The octets a literal announced, in the frame.
    Literal,
    /// A number within its range (32 bits, or 63 for mod-sequences).
    Number,
    /// A sequence number or UID: 1 to 2^32 − 1.
    MessageNumber,
    /// A set of message numbers without `*`, 0 or empty elements.
    SequenceSet,
    /// The set of UIDs of a VANISHED answer.
    VanishedUids,
    /// A list of flags.
    Flags,
    /// The closing bracket of a section.
    CloseBracket,
    /// The end of the response.
    End,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Expected::Start => "a tag, '*' or '+'",
            Expected::Keyword => "the name of a response",
            Expected::Status => "OK, NO or BAD",
            Expected::Space => "a space",
            Expected::OpenParenthesis => "an opening parenthesis",
            Expected::CloseParenthesis => "a closing parenthesis",
            Expected::Atom => "an atom",
            Expected::String => "a string",
            Expected::CloseQuote => "a closing quote",
            Expected::Literal => "the octets of a literal",
            Expected::Number => "a number in range",
            Expected::MessageNumber => "a message number from 1 to 4294967295",
            Expected::SequenceSet => "a set of message numbers",
            Expected::VanishedUids => "the set of UIDs of a VANISHED response",
            Expected::Flags => "a list of flags",
            Expected::CloseBracket => "a closing bracket",
            Expected::End => "the end of the response",
        })
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.tagged { "tagged " } else { "" };
        write!(f, "malformed {kind}response: expected {} at octet {}", self.expected, self.offset)
    }
}

impl std::error::Error for ParseError {}
