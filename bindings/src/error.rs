//! Errors: a kind, a stable code, and a message for a person.

use mailkeep::Error;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, MailkeepError>;

/// Who is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Fault {
    /// The storage under the database.
    Store,
    /// The program that calls, or what its user entered.
    Caller,
    /// The server broke the protocol, refused, or lied.
    Server,
    /// The engine itself: a defect in it.
    Engine,
}

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident { code: i32, text: String $(, $field:ident: $kind:ty)* },)*) => {
        /// Everything that can go wrong. Each has a stable `code`, 1xx where the store is at fault, 2xx the caller,
        /// 3xx the server, 4xx the engine itself; and a `text` for a person.
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
        pub enum MailkeepError {
            $($(#[$doc])* #[error("{text}")] $name {
                /// The stable number of this kind.
                code: i32,
                /// What happened, for a person.
                text: String,
                $(#[doc = "See the variant."] $field: $kind,)*
            },)*
        }

        impl MailkeepError {
            /// The stable number of the error's kind.
            pub fn code(&self) -> i32 {
                match self { $(MailkeepError::$name { code, .. } => *code,)* }
            }

            /// What happened, for a person.
            pub fn text(&self) -> &str {
                match self { $(MailkeepError::$name { text, .. } => text,)* }
            }
        }
    };
}

errors! {
    /// The storage under the database failed: disk full, no permission, device gone. Nothing that was acknowledged
    /// is lost; `Engine.reopen` goes on once the cause is gone.
    Storage { code: i32, text: String },
    /// The storage failed earlier and the engine has not been reopened since.
    StorageFailed { code: i32, text: String },
    /// The file is no Mailkeep database. It was not touched.
    NotADatabase { code: i32, text: String },
    /// The database is damaged.
    Corrupt { code: i32, text: String },
    /// The database was written by a newer version. It was not touched.
    NewerSchema { code: i32, text: String },
    /// The database is open already, here or in another process.
    Locked { code: i32, text: String },
    /// The engine is suspended.
    Suspended { code: i32, text: String },
    /// The engine or the connection was closed.
    Closed { code: i32, text: String },
    /// What was named is not here, or not any more.
    Gone { code: i32, text: String },
    /// The engine was used in a way its contract forbids.
    Misuse { code: i32, text: String },
    /// A value that the caller gave cannot be used.
    Invalid { code: i32, text: String },
    /// The request was cancelled.
    Cancelled { code: i32, text: String },
    /// The server lets this user not do that (RFC 4314).
    NotPermitted { code: i32, text: String },
    /// The server's bytes break the protocol or a bound. The connection is closed.
    Protocol { code: i32, text: String },
    /// The server refused a login.
    LoginRefused { code: i32, text: String },
    /// Signing in is not possible safely, or not with what both sides have.
    LoginImpossible { code: i32, text: String },
    /// The server refused what was asked.
    Refused { code: i32, text: String },
    /// The server closed the connection, or it broke.
    Disconnected { code: i32, text: String },
    /// The server did not answer in time.
    TimedOut { code: i32, text: String },
    /// The server asks to be left alone for `after_ms` milliseconds. Connect again later.
    TryLater { code: i32, text: String, after_ms: i64 },
    /// The engine has a defect that showed here. It is closed; nothing that was acknowledged is lost, and the store can be
    /// opened again.
    Panicked { code: i32, text: String },
    /// An error of a kind that this layer does not know; its code says whose fault it is.
    Other { code: i32, text: String },
}

impl MailkeepError {
    /// Who is at fault.
    pub fn fault(&self) -> Fault {
        match self.code() / 100 {
            1 => Fault::Store,
            2 => Fault::Caller,
            3 => Fault::Server,
            _ => Fault::Engine,
        }
    }

    pub(crate) fn panicked(text: String) -> MailkeepError {
        MailkeepError::Panicked { code: 400, text: format!("the engine has a defect: {text}") }
    }
}

impl From<Error> for MailkeepError {
    fn from(error: Error) -> MailkeepError {
        use MailkeepError as Ours;
        let code = i32::try_from(error.code()).unwrap_or(0);
        let text = error.to_string();
        match error {
            Error::Storage(_) => Ours::Storage { code, text },
            Error::StorageFailed => Ours::StorageFailed { code, text },
            Error::NotADatabase(_) => Ours::NotADatabase { code, text },
            Error::Corrupt(_) => Ours::Corrupt { code, text },
            Error::NewerSchema { .. } => Ours::NewerSchema { code, text },
            Error::Locked => Ours::Locked { code, text },
            Error::Suspended => Ours::Suspended { code, text },
            Error::Closed => Ours::Closed { code, text },
            Error::Gone(_) => Ours::Gone { code, text },
            Error::Misuse(_) => Ours::Misuse { code, text },
            Error::Invalid { .. } => Ours::Invalid { code, text },
            Error::Cancelled => Ours::Cancelled { code, text },
            Error::NotPermitted { .. } => Ours::NotPermitted { code, text },
            Error::Protocol(_) => Ours::Protocol { code, text },
            Error::LoginRefused(_) => Ours::LoginRefused { code, text },
            Error::LoginImpossible(_) => Ours::LoginImpossible { code, text },
            Error::Refused(_) => Ours::Refused { code, text },
            Error::Disconnected(_) => Ours::Disconnected { code, text },
            Error::TimedOut => Ours::TimedOut { code, text },
            Error::TryLater { after_ms, .. } => {
                Ours::TryLater { code, text, after_ms: crate::numbers::signed(after_ms) }
            }
            _ => Ours::Other { code, text },
        }
    }
}

/// What an app's own code threw where the engine called it.
impl From<uniffi::UnexpectedUniFFICallbackError> for MailkeepError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> MailkeepError {
        MailkeepError::Misuse { code: 201, text: format!("the app's code failed: {}", error.reason) }
    }
}

/// The stable number of an error's kind.
#[uniffi::export]
pub fn error_code(error: MailkeepError) -> i32 {
    error.code()
}

/// Who is at fault for an error.
#[uniffi::export]
pub fn error_fault(error: MailkeepError) -> Fault {
    error.fault()
}

/// What happened, for a person.
#[uniffi::export]
pub fn error_text(error: MailkeepError) -> String {
    error.text().to_owned()
}
