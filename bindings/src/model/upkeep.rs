//! Room, retention and figures.

use crate::numbers::signed;

/// Why a message is to be deleted from a POP3 server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum RetentionReason {
    /// It is here, and the account keeps nothing on the server.
    Here,
    /// It has been here as long as the account keeps it on the server.
    Age {
        /// Whole days since this device first had it.
        days: i64,
    },
    /// It was deleted here.
    DeletedHere,
    /// It was moved out of the inbox.
    MovedHere,
    /// Another one, which this layer does not know.
    Other,
}

/// A message that the next sync is to delete from a POP3 server.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RetentionEntry {
    /// The message; nothing where it is not here any more.
    pub message: Option<i64>,
    /// Its unique id on the server; empty where the server gives none.
    pub uidl: String,
    /// Its octets, as the server counts them.
    pub size: i64,
    /// Its subject; empty where it is not here any more.
    pub subject: String,
    /// Why.
    pub why: RetentionReason,
}

/// How long a POP3 server keeps mail that was left on it (RFC 2449 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Expire {
    /// For ever.
    Never,
    /// At least so many days.
    Days {
        /// How many.
        days: i64,
    },
}

/// What a POP3 server said of how it keeps mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct PopServerInfo {
    /// How long it keeps mail that is left on it.
    pub expire: Option<Expire>,
    /// Seconds that it wants between two logins.
    pub login_delay_s: i64,
}

/// Which messages are to leave the server for a mailbox of this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ArchiveRule {
    /// What was received before a time.
    ReceivedBefore {
        /// Milliseconds since 1970.
        before_ms: i64,
    },
    /// The oldest, until the account's STORAGE quota is used to at most so many percent.
    UntilQuotaBelow {
        /// Percent.
        percent: i32,
    },
}

/// A message that a rule names.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ArchiveEntry {
    /// The message.
    pub message: i64,
    /// Where it is.
    pub mailbox: i64,
    /// Its size in octets.
    pub size: i64,
    /// INTERNALDATE in milliseconds since 1970.
    pub internal_date: i64,
    /// Its subject.
    pub subject: String,
}

/// What making room did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Evicted {
    /// Messages whose body went.
    pub messages: i64,
    /// Octets of those bodies.
    pub octets: i64,
    /// Octets of the bodies that are left.
    pub octets_left: i64,
    /// There is more to let go: call again.
    pub more: bool,
}

/// What a step of shrinking did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct ShrinkProgress {
    /// Octets looked at.
    pub read: i64,
    /// Octets of pages given back.
    pub saved: i64,
    /// There is nothing more to look at.
    pub done: bool,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct VerifyReport {
    /// Mailboxes looked at.
    pub mailboxes: i64,
    /// Messages looked at, hidden ones included.
    pub messages: i64,
    /// Bodies whose bytes were hashed.
    pub bodies: i64,
    /// Octets of those bodies.
    pub octets: i64,
    /// What is wrong, one line each, at most a thousand.
    pub problems: Vec<String>,
}

/// Figures about a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Stats {
    /// Accounts.
    pub accounts: i64,
    /// Mailboxes that are there.
    pub mailboxes: i64,
    /// Messages that are there.
    pub messages: i64,
    /// Their sizes together, in octets.
    pub octets: i64,
    /// The number of the last commit in the change feed.
    pub commit: i64,
}

impl ArchiveRule {
    pub(crate) fn into_core(self) -> mailkeep::ArchiveRule {
        match self {
            ArchiveRule::ReceivedBefore { before_ms } => mailkeep::ArchiveRule::received_before(before_ms),
            ArchiveRule::UntilQuotaBelow { percent } => {
                mailkeep::ArchiveRule::until_quota_below(u8::try_from(percent.clamp(0, 100)).unwrap_or(0))
            }
        }
    }
}

impl From<mailkeep::RetentionEntry> for RetentionEntry {
    fn from(entry: mailkeep::RetentionEntry) -> RetentionEntry {
        use mailkeep::RetentionReason as Theirs;
        RetentionEntry {
            message: entry.message.map(|id| signed(id.0)),
            uidl: entry.uidl,
            size: signed(entry.size),
            subject: entry.subject,
            why: match entry.why {
                Theirs::Here => RetentionReason::Here,
                Theirs::Age { days } => RetentionReason::Age { days: days.into() },
                Theirs::DeletedHere => RetentionReason::DeletedHere,
                Theirs::MovedHere => RetentionReason::MovedHere,
                _ => RetentionReason::Other,
            },
        }
    }
}

impl From<mailkeep::PopServerInfo> for PopServerInfo {
    fn from(server: mailkeep::PopServerInfo) -> PopServerInfo {
        let expire = server.expire.map(|expire| match expire {
            mailkeep::Expire::Never => Expire::Never,
            mailkeep::Expire::Days(days) => Expire::Days { days: days.into() },
        });
        PopServerInfo { expire, login_delay_s: server.login_delay_s.into() }
    }
}

impl From<mailkeep::ArchiveEntry> for ArchiveEntry {
    fn from(entry: mailkeep::ArchiveEntry) -> ArchiveEntry {
        ArchiveEntry {
            message: signed(entry.message.0),
            mailbox: entry.mailbox.0.into(),
            size: signed(entry.size),
            internal_date: entry.internal_date,
            subject: entry.subject,
        }
    }
}

impl From<mailkeep::Evicted> for Evicted {
    fn from(evicted: mailkeep::Evicted) -> Evicted {
        Evicted {
            messages: signed(evicted.messages),
            octets: signed(evicted.octets),
            octets_left: signed(evicted.octets_left),
            more: evicted.more,
        }
    }
}

impl From<mailkeep::ShrinkProgress> for ShrinkProgress {
    fn from(progress: mailkeep::ShrinkProgress) -> ShrinkProgress {
        ShrinkProgress { read: signed(progress.read), saved: signed(progress.saved), done: progress.done }
    }
}

impl From<mailkeep::VerifyReport> for VerifyReport {
    fn from(report: mailkeep::VerifyReport) -> VerifyReport {
        VerifyReport {
            mailboxes: signed(report.mailboxes),
            messages: signed(report.messages),
            bodies: signed(report.bodies),
            octets: signed(report.octets),
            problems: report.problems,
        }
    }
}

impl From<mailkeep::Stats> for Stats {
    fn from(stats: mailkeep::Stats) -> Stats {
        Stats {
            accounts: signed(stats.accounts),
            mailboxes: signed(stats.mailboxes),
            messages: signed(stats.messages),
            octets: signed(stats.octets),
            commit: signed(stats.commit),
        }
    }
}
