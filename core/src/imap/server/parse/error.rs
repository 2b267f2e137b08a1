//! Why a command is refused before it is looked at.

/// A command that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Refused {
    /// The tag for the answer; without one the answer is untagged.
    pub tag: Option<String>,
    /// What was wrong.
    #[source]
    pub error: CommandError,
}

/// What was wrong with a command, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {what} at octet {offset}")]
pub struct CommandError {
    /// What should have stood there.
    pub what: What,
    /// Octets into the command's text.
    pub offset: usize,
}

/// What the parser looked for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum What {
    /// A tag at the start.
    #[error("a tag")]
    Tag,
    /// The name of a command.
    #[error("a command that is known here")]
    Command,
    /// A single space.
    #[error("a space")]
    Space,
    /// `(`.
    #[error("an opening parenthesis")]
    OpenParenthesis,
    /// `)`.
    #[error("a closing parenthesis")]
    CloseParenthesis,
    /// `]`.
    #[error("a closing bracket")]
    CloseBracket,
    /// An atom.
    #[error("an atom")]
    Atom,
    /// A string, or an atom where one will do.
    #[error("a string")]
    String,
    /// The end of a quoted string on the same line.
    #[error("a closing quote")]
    CloseQuote,
    /// A literal, or its octets.
    #[error("a literal")]
    Literal,
    /// A number within its range.
    #[error("a number in range")]
    Number,
    /// A range such as `1:100`.
    #[error("a range")]
    Range,
    /// A set of message numbers.
    #[error("a set of message numbers")]
    SequenceSet,
    /// A flag or keyword that may be set.
    #[error("a flag")]
    Flag,
    /// A date or date and time.
    #[error("a date")]
    Date,
    /// Base64.
    #[error("base64")]
    Base64,
    /// A parameter or option that is known here.
    #[error("a parameter that is known here")]
    Parameter,
    /// A search key.
    #[error("a search key")]
    SearchKey,
    /// A body section.
    #[error("a body section")]
    Section,
    /// A charset that SEARCH understands: the answer is `NO [BADCHARSET]`.
    #[error("US-ASCII or UTF-8")]
    Charset,
    /// Octets of the charset that was named.
    #[error("text in the charset named")]
    Text,
    /// Fewer items: a bound was passed.
    #[error("fewer items")]
    TooMany,
    /// Keys nested less deeply: a bound was passed.
    #[error("less nesting")]
    TooDeep,
    /// The end of the command.
    #[error("the end of the command")]
    End,
}
