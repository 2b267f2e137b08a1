//! Every bound on what a server or a message may cost, in one place.
//!
//! Over a bound there is a typed error or a degraded row: never a panic, a stack overflow, or
//! memory without end.

/// Bounds for one connection and for reading messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest response in octets, streamed literals not counted. The longest honest ones are
    /// SEARCH answers and flag lists of large mailboxes.
    pub response: usize,
    /// Longest line of POP3, in octets: a status, an entry of a list, a SASL challenge.
    pub line: usize,
    /// Most messages listed of a POP3 maildrop, and lines of any list.
    pub listing: usize,
    /// Largest literal kept inside a response (a string of an envelope, a mailbox name).
    pub inline_literal: usize,
    /// Most literals in one response, streamed ones included.
    pub literals: usize,
    /// Largest message or part accepted, in octets.
    pub message: u64,
    /// Deepest nesting of lists in a response and of parts in a message.
    pub nesting: usize,
    /// Most parts kept of one message's structure.
    pub parts: usize,
    /// Most addresses kept of one header field.
    pub addresses: usize,
    /// Longest text kept of a header field for listing, in octets.
    pub field_text: usize,
    /// Longest preview, in characters.
    pub preview: usize,
    /// Longest human-readable server text kept, in octets.
    pub server_text: usize,
    /// Most mailboxes of one account.
    pub mailboxes: usize,
    /// Longest mailbox name, in octets.
    pub mailbox_name: usize,
    /// Most keywords kept on one message.
    pub keywords: usize,
    /// Most references kept of one message.
    pub references: usize,
    /// Octets that one octet of COMPRESS input may become.
    pub inflate_ratio: u64,
    /// Longest command that a server session takes, in octets, messages not counted. RFC 9051 §4 asks for
    /// at least 8,192.
    pub command: usize,
    /// The same before somebody has logged in.
    pub command_before_login: usize,
    /// Most keys of one SEARCH, SORT or THREAD, and most items of any other list in a command.
    pub command_items: usize,
    /// Most messages in one APPEND (RFC 3502).
    pub appends: usize,
    /// Most mailboxes that a server session watches for one client (RFC 5465).
    pub watched: usize,
    /// SCRAM iterations accepted (RFC 5802 asks for at least 4096).
    pub scram_iterations: u32,
}

impl Limits {
    /// The defaults, generous to every server seen in practice.
    pub const DEFAULT: Limits = Limits {
        response: 16 << 20,
        line: 32 << 10,
        listing: 500_000,
        inline_literal: 1 << 20,
        literals: 10_000,
        message: 1 << 30,
        nesting: 64,
        parts: 1_000,
        addresses: 200,
        field_text: 2_000,
        preview: 200,
        server_text: 1_000,
        mailboxes: 20_000,
        mailbox_name: 4_096,
        keywords: 100,
        references: 100,
        inflate_ratio: 1_100,
        command: 256 << 10,
        command_before_login: 64 << 10,
        command_items: 2_000,
        appends: 1_000,
        watched: 1_000,
        scram_iterations: 1_000_000,
    };
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}
