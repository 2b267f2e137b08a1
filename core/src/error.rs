//! Errors that say whose fault they are and what a person can do.

use std::io;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The server broke the protocol, refused, or lied.
    Server,
    /// The program that calls this library, or what its user entered.
    Caller,
    /// The storage under the database.
    Store,
}

/// Everything that can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The storage under the database failed: disk full, no permission, device gone. Nothing that
    /// was acknowledged is lost; [`Engine::reopen`](crate::Engine::reopen) goes on once the cause is gone.
    #[error("the storage failed: {0}")]
    Storage(#[source] io::Error),
    /// The storage failed earlier and the engine has not been reopened since.
    #[error("the storage failed earlier; reopen the engine when the cause is gone")]
    StorageFailed,
    /// The file is no Mailkeep database.
    #[error("not a mailkeep database: {0}")]
    NotADatabase(String),
    /// The database is damaged.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// The database was written by a newer version. It was not touched.
    #[error("the database has schema {found}, newer than the {supported} that this version reads")]
    NewerSchema {
        /// The schema in the file.
        found: u32,
        /// The newest schema known here.
        supported: u32,
    },
    /// The database is open already, here or in another process.
    #[error("the database is open already, in this process or in another")]
    Locked,
    /// The engine is suspended; call [`Engine::resume`](crate::Engine::resume).
    #[error("the engine is suspended")]
    Suspended,
    /// The engine was closed.
    #[error("the engine is closed")]
    Closed,
    /// What was named is not here, or not any more.
    #[error("no such {0}")]
    Gone(&'static str),
    /// The engine was used in a way its contract forbids.
    #[error("misuse: {0}")]
    Misuse(&'static str),
    /// A value that the caller gave cannot be used.
    #[error("invalid {what}: {why}")]
    Invalid {
        /// What the value is.
        what: &'static str,
        /// Why it cannot be used.
        why: String,
    },
    /// The server lets this user not do that (RFC 4314).
    #[error("not permitted to {what} {mailbox}")]
    NotPermitted {
        /// What was tried.
        what: &'static str,
        /// The mailbox.
        mailbox: String,
    },
    /// The server's bytes break the protocol or a bound. The connection is closed.
    #[error("the server broke the protocol: {0}")]
    Protocol(String),
    /// The server refused a login.
    #[error("the server refused the login: {0}")]
    LoginRefused(String),
    /// Signing in is not possible safely, or not with what both sides have.
    #[error("cannot sign in: {0}")]
    LoginImpossible(String),
    /// The server refused what was asked.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The server closed the connection, or it broke.
    #[error("the connection ended: {0}")]
    Disconnected(String),
    /// The server did not answer in time.
    #[error("the server did not answer in time")]
    TimedOut,
    /// The server asks to be left alone for now: another session has the mailbox, or the last one was too
    /// short a time ago. Connect again later.
    #[error("the server asks to come back later: {why}")]
    TryLater {
        /// Milliseconds to wait.
        after_ms: u64,
        /// The server's reason.
        why: String,
    },
    /// The request was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// A stable number for each kind of error: 1xx the store, 2xx the caller, 3xx the server.
    pub fn code(&self) -> u32 {
        match self {
            Error::Storage(_) => 100,
            Error::StorageFailed => 101,
            Error::NotADatabase(_) => 102,
            Error::Corrupt(_) => 103,
            Error::NewerSchema { .. } => 104,
            Error::Locked => 105,
            Error::Suspended => 106,
            Error::Closed => 107,
            Error::Gone(_) => 200,
            Error::Misuse(_) => 201,
            Error::Invalid { .. } => 202,
            Error::Cancelled => 203,
            Error::NotPermitted { .. } => 204,
            Error::Protocol(_) => 300,
            Error::LoginRefused(_) => 301,
            Error::LoginImpossible(_) => 302,
            Error::Refused(_) => 303,
            Error::Disconnected(_) => 304,
            Error::TimedOut => 305,
            Error::TryLater { .. } => 306,
        }
    }

    /// Who is at fault.
    pub fn fault(&self) -> Fault {
        match self.code() / 100 {
            1 => Fault::Store,
            2 => Fault::Caller,
            _ => Fault::Server,
        }
    }
}

impl From<redb::Error> for Error {
    fn from(error: redb::Error) -> Error {
        match error {
            redb::Error::Io(io) => Error::Storage(io),
            redb::Error::PreviousIo => Error::StorageFailed,
            redb::Error::DatabaseAlreadyOpen => Error::Locked,
            redb::Error::DatabaseClosed => Error::Closed,
            other => Error::Corrupt(other.to_string()),
        }
    }
}

macro_rules! from_redb {
    ($($kind:ty),*) => {
        $(impl From<$kind> for Error {
            fn from(error: $kind) -> Error {
                Error::from(redb::Error::from(error))
            }
        })*
    };
}

from_redb!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::CompactionError
);
