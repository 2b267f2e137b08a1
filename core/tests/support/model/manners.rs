//! What servers may do one way or another, as switches.

/// Which keywords a mailbox takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keywords {
    /// `\*` is in PERMANENTFLAGS: new ones too.
    Any,
    /// Those that a message of the mailbox has or had.
    Known,
    None,
}

/// The switches.
#[derive(Debug, Clone)]
pub struct Manners {
    /// System flags that are kept; others are ignored without a word (RFC 3501 §7.1, PERMANENTFLAGS).
    pub permanent: Vec<&'static str>,
    pub keywords: Keywords,
    /// STORE in an EXAMINEd mailbox is answered with OK and ignored, rather than with NO.
    pub ignores_read_only_store: bool,
    /// DELETE leaves the subscription, as RFC 3501 §6.3.4 asks for.
    pub keeps_subscriptions: bool,
    /// RENAME takes the subscription along.
    pub renames_subscriptions: bool,
    /// DELETE of a mailbox with children is refused, rather than leaving a name without a mailbox.
    pub refuses_to_delete_parents: bool,
    /// APPEND is refused before its literal is asked for, where that can be told.
    pub refuses_before_literals: bool,
    /// A STORE that changes nothing raises the mod-sequence all the same.
    pub bumps_unchanged: bool,
    /// The largest message taken, besides what APPENDLIMIT says (RFC 7889).
    pub append_limit: Option<u64>,
    pub quota_octets: Option<u64>,
    pub quota_messages: Option<usize>,
}

impl Default for Manners {
    fn default() -> Manners {
        Manners {
            permanent: super::flags::SYSTEM.to_vec(),
            keywords: Keywords::Any,
            ignores_read_only_store: false,
            keeps_subscriptions: true,
            renames_subscriptions: false,
            refuses_to_delete_parents: false,
            refuses_before_literals: true,
            bumps_unchanged: false,
            append_limit: None,
            quota_octets: None,
            quota_messages: None,
        }
    }
}
