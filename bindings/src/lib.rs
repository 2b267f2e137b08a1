//! Mailkeep for Kotlin, Swift and Python.
//!
//! This is the face of the crate `mailkeep` as uniffi sees it: the same engine, the same words, and no logic of
//! its own. It has no socket, thread, clock or random source either: an app hands those in. Each language has a layer
//! by hand over what is generated from here, and that is what apps should use.
//!
//! # How things cross
//!
//! - Ids, UIDs, counts, sizes and times are signed 64-bit numbers. Times are milliseconds: since 1970 where they
//!   are named `…_ms` or a date, of the app's own monotonic clock where they are named `mono_ms`.
//! - Octets cross in one copy. Lists cross as pages, and pages of messages also as one packed buffer.
//! - [`Connection::step`] is the one call of the run loop: input in; bytes to send, events and the next deadline out.
//! - Errors are [`MailkeepError`]: a kind, a stable code and a message.
//! - Objects may be used from any thread. No lock is held while the app's code runs.
//! - A panic in the engine becomes [`MailkeepError::Panicked`]. The store is closed then, nothing acknowledged is lost, and it can
//!   be opened again.

mod acting;
mod bytes;
mod commit;
mod connection;
mod engine;
mod error;
mod event;
mod guard;
mod model;
mod numbers;
mod reading;
mod upkeep;

pub use bytes::Bytes;
pub use commit::Commit;
pub use connection::{Connection, ConnectionOptions, Credentials, Step, connection_options};
pub use engine::{Engine, OpenOptions, WakeListener, desktop_options, small_options};
pub use error::{Fault, MailkeepError, Result, error_code, error_fault, error_text};
pub use event::{Event, SyncSummary};
pub use model::*;

uniffi::setup_scaffolding!("mailkeep");

/// The version of the engine: one number for every package.
#[uniffi::export]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The named flags by their spelling on the wire (`\Seen`, `$Forwarded`), in the order of their bits in a packed page: the
/// first is bit 0.
#[uniffi::export]
pub fn named_flags() -> Vec<String> {
    mailkeep::flags::Flags::NAMED.iter().map(|(_, name)| (*name).to_owned()).collect()
}
