//! Accounts and their settings.

use mailkeep::Error;

use crate::numbers::{self, signed, unsigned};

/// The protocol of an account's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Protocol {
    /// IMAP (RFC 9051, RFC 3501).
    Imap,
    /// POP3 (RFC 1939).
    Pop3,
    /// None: the account's mail is on this device only.
    Local,
}

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Security {
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// STARTTLS before anything is said.
    StartTls,
    /// None: passwords and mail go in the clear. Only where the account says so plainly.
    Insecure,
}

/// Which message bodies a sync brings here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum BodyPolicy {
    /// Every message whole.
    All,
    /// None; each is fetched when it is opened.
    OnDemand,
    /// Those of the newest messages of each mailbox.
    Newest {
        /// How many.
        count: i64,
    },
}

/// Which messages of a mailbox are kept in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Window {
    /// All of them.
    Everything,
    /// The newest, by UID.
    Newest {
        /// How many.
        count: i64,
    },
    /// Those received in the last days.
    LastDays {
        /// How many days.
        days: i64,
    },
}

/// What becomes of the mail on a POP3 server once it is here. Whatever it says, nothing is deleted there that is not whole
/// and durable here, except what a person deleted unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Keep {
    /// It is deleted from the server at once.
    Delete,
    /// It is deleted so many days after this device first had it.
    Days {
        /// How many days.
        days: i64,
    },
    /// It is deleted when it is deleted here, or moved out of the inbox.
    UntilDeletedHere,
    /// It stays.
    Forever,
}

/// A setting of the app's own.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ExtraSetting {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What an app says about an account. Passwords and tokens are not part of it: they are never stored.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct AccountSettings {
    /// The name an app shows; unique in the store.
    pub name: String,
    /// The server's protocol.
    pub protocol: Protocol,
    /// The server's host name.
    pub host: String,
    /// The server's port, 1 to 65535.
    pub port: i32,
    /// How the connection is protected.
    pub security: Security,
    /// The user name to sign in with.
    pub user: String,
    /// The only SASL mechanism to use, by its registered name; `LOGIN` means the command of that name. The strongest that
    /// both sides have where there is none.
    pub mechanism: Option<String>,
    /// Which bodies a sync brings.
    pub bodies: BodyPolicy,
    /// Which messages are kept in step.
    pub window: Window,
    /// Whether COMPRESS=DEFLATE is asked for: worth it on slow or metered links.
    pub compress: bool,
    /// Milliseconds between two full audits of a mailbox.
    pub audit_interval_ms: i64,
    /// Percent of a quota from which on the event QuotaWarning is told; 0 for never.
    pub quota_warning: i32,
    /// The app's own settings, kept and never read here.
    pub extra: Vec<ExtraSetting>,
    /// What becomes of the mail on a POP3 server. Means nothing on IMAP.
    pub keep: Keep,
    /// Octets above which a message on a POP3 server is not fetched until it is opened, but only its header.
    pub pop_size_limit: Option<i64>,
}

/// Settings of an IMAP account with the usual defaults: TLS on port 993, all bodies, everything.
#[uniffi::export]
pub fn imap_settings(name: String, host: String, user: String) -> AccountSettings {
    mailkeep::AccountSettings::imap(name, host, user).into()
}

/// Settings of a POP3 account with the usual defaults: TLS on port 995, everything, and nothing is deleted from the server.
#[uniffi::export]
pub fn pop3_settings(name: String, host: String, user: String) -> AccountSettings {
    mailkeep::AccountSettings::pop3(name, host, user).into()
}

/// Settings of an account without a server: its mail is on this device only.
#[uniffi::export]
pub fn local_settings(name: String) -> AccountSettings {
    mailkeep::AccountSettings::local(name).into()
}

/// An account in the store.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct AccountInfo {
    /// Its id.
    pub id: i64,
    /// What the app said about it.
    pub settings: AccountSettings,
    /// The server's name for itself (ID), where it told.
    pub server: Option<String>,
    /// What the server lets the account hold (RFC 9208), as last heard; empty where it does not say.
    pub quotas: Vec<Quota>,
}

/// One limit on what an account may hold (RFC 9208 §5).
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Quota {
    /// The name of the quota root: what shares the limit. Often empty.
    pub root: String,
    /// `STORAGE` in units of 1024 octets, `MESSAGE` and `MAILBOX` in ones, `ANNOTATION-STORAGE`.
    pub resource: String,
    /// How much is used.
    pub usage: i64,
    /// How much may be.
    pub limit: i64,
    /// How much of the limit is used, in percent; 0 where there is no limit.
    pub percent: i32,
}

/// A count that the engine keeps in 32 bits.
fn count(number: i64) -> u32 {
    u32::try_from(unsigned(number)).unwrap_or(u32::MAX)
}

impl BodyPolicy {
    pub(crate) fn into_core(self) -> mailkeep::BodyPolicy {
        match self {
            BodyPolicy::All => mailkeep::BodyPolicy::All,
            BodyPolicy::OnDemand => mailkeep::BodyPolicy::None,
            BodyPolicy::Newest { count: newest } => mailkeep::BodyPolicy::Newest(count(newest)),
        }
    }

    fn from_core(policy: mailkeep::BodyPolicy) -> BodyPolicy {
        match policy {
            mailkeep::BodyPolicy::None => BodyPolicy::OnDemand,
            mailkeep::BodyPolicy::Newest(count) => BodyPolicy::Newest { count: count.into() },
            _ => BodyPolicy::All,
        }
    }
}

impl AccountSettings {
    pub(crate) fn into_core(self) -> mailkeep::Result<mailkeep::AccountSettings> {
        let port = u16::try_from(self.port)
            .map_err(|_| Error::Invalid { what: "port", why: format!("{} is none", self.port) })?;
        Ok(mailkeep::AccountSettings {
            name: self.name,
            protocol: match self.protocol {
                Protocol::Imap => mailkeep::Protocol::Imap,
                Protocol::Pop3 => mailkeep::Protocol::Pop3,
                Protocol::Local => mailkeep::Protocol::Local,
            },
            host: self.host,
            port,
            security: match self.security {
                Security::Tls => mailkeep::Security::Tls,
                Security::StartTls => mailkeep::Security::StartTls,
                Security::Insecure => mailkeep::Security::Insecure,
            },
            user: self.user,
            mechanism: self.mechanism,
            bodies: self.bodies.into_core(),
            window: match self.window {
                Window::Everything => mailkeep::Window::Everything,
                Window::Newest { count: newest } => mailkeep::Window::Newest(count(newest)),
                Window::LastDays { days } => mailkeep::Window::LastDays(count(days)),
            },
            compress: self.compress,
            audit_interval_ms: self.audit_interval_ms,
            quota_warning: u8::try_from(self.quota_warning.max(0)).unwrap_or(u8::MAX),
            extra: self.extra.into_iter().map(|extra| (extra.name, extra.value)).collect(),
            keep: match self.keep {
                Keep::Delete => mailkeep::Keep::Delete,
                Keep::Days { days } => mailkeep::Keep::Days(count(days)),
                Keep::UntilDeletedHere => mailkeep::Keep::UntilDeletedHere,
                Keep::Forever => mailkeep::Keep::Forever,
            },
            pop_size_limit: self.pop_size_limit.map(unsigned),
        })
    }
}

impl From<mailkeep::AccountSettings> for AccountSettings {
    fn from(settings: mailkeep::AccountSettings) -> AccountSettings {
        AccountSettings {
            name: settings.name,
            protocol: match settings.protocol {
                mailkeep::Protocol::Pop3 => Protocol::Pop3,
                mailkeep::Protocol::Local => Protocol::Local,
                _ => Protocol::Imap,
            },
            host: settings.host,
            port: settings.port.into(),
            security: match settings.security {
                mailkeep::Security::StartTls => Security::StartTls,
                mailkeep::Security::Insecure => Security::Insecure,
                _ => Security::Tls,
            },
            user: settings.user,
            mechanism: settings.mechanism,
            bodies: BodyPolicy::from_core(settings.bodies),
            window: match settings.window {
                mailkeep::Window::Newest(count) => Window::Newest { count: count.into() },
                mailkeep::Window::LastDays(days) => Window::LastDays { days: days.into() },
                _ => Window::Everything,
            },
            compress: settings.compress,
            audit_interval_ms: settings.audit_interval_ms,
            quota_warning: settings.quota_warning.into(),
            extra: settings.extra.into_iter().map(|(name, value)| ExtraSetting { name, value }).collect(),
            keep: match settings.keep {
                mailkeep::Keep::Delete => Keep::Delete,
                mailkeep::Keep::Days(days) => Keep::Days { days: days.into() },
                mailkeep::Keep::UntilDeletedHere => Keep::UntilDeletedHere,
                _ => Keep::Forever,
            },
            pop_size_limit: settings.pop_size_limit.map(signed),
        }
    }
}

impl From<mailkeep::AccountInfo> for AccountInfo {
    fn from(account: mailkeep::AccountInfo) -> AccountInfo {
        AccountInfo {
            id: account.id.0.into(),
            settings: account.settings.into(),
            server: account.server,
            quotas: account.quotas.into_iter().map(Quota::from).collect(),
        }
    }
}

impl From<mailkeep::Quota> for Quota {
    fn from(quota: mailkeep::Quota) -> Quota {
        let percent = quota.percent().into();
        let (usage, limit) = (signed(quota.usage), signed(quota.limit));
        Quota { root: quota.root, resource: quota.resource, usage, limit, percent }
    }
}

/// How far a change of server for the same mail has come.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Conversion {
    /// Whether the account is being converted.
    pub under_way: bool,
    /// Messages that are here and were not met on the new server: all of them before its first sync.
    pub leftovers: Vec<Leftover>,
}

/// A message that the new server was not found to have.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Leftover {
    /// The message.
    pub message: i64,
    /// Where it was.
    pub mailbox: i64,
    /// What that mailbox is called.
    pub mailbox_name: String,
    /// Its subject.
    pub subject: String,
    /// Its size in octets.
    pub size: i64,
    /// INTERNALDATE in milliseconds since 1970.
    pub internal_date: i64,
    /// Whether it is here whole. One that is not can be given to nobody.
    pub whole: bool,
}

/// What becomes of messages that only this device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LeftoverAction {
    /// They are sent to the new server, into mailboxes of the same names, with their dates and flags.
    Upload,
    /// They go into a mailbox of this device.
    KeepIn {
        /// The mailbox.
        mailbox: i64,
    },
    /// They are let go, after a while.
    Forget,
}

impl LeftoverAction {
    pub(crate) fn into_core(self) -> mailkeep::Result<mailkeep::LeftoverAction> {
        Ok(match self {
            LeftoverAction::Upload => mailkeep::LeftoverAction::Upload,
            LeftoverAction::KeepIn { mailbox } => {
                mailkeep::LeftoverAction::KeepIn(numbers::mailbox(mailbox)?)
            }
            LeftoverAction::Forget => mailkeep::LeftoverAction::Forget,
        })
    }
}

impl From<mailkeep::Conversion> for Conversion {
    fn from(conversion: mailkeep::Conversion) -> Conversion {
        let leftover = |leftover: mailkeep::Leftover| Leftover {
            message: signed(leftover.message.0),
            mailbox: leftover.mailbox.0.into(),
            mailbox_name: leftover.mailbox_name,
            subject: leftover.subject,
            size: signed(leftover.size),
            internal_date: leftover.internal_date,
            whole: leftover.whole,
        };
        let leftovers = conversion.leftovers.into_iter().map(leftover).collect();
        Conversion { under_way: conversion.under_way, leftovers }
    }
}
