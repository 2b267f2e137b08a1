//! Mailkeep: an embedded mailbox engine.
//!
//! An app links it, opens one database, and has its users' mail: offline, and kept in step with IMAP
//! and POP3 servers. The engine opens no socket, starts no thread and reads no clock. The app moves the
//! bytes; the engine decides what they mean and what to say next.
//!
//! # The parts
//!
//! - [`Engine`]: an open store. Accounts, mailboxes, pages of messages, bodies, the change feed.
//! - [`Connection`]: one connection's worth of protocol for one account, without the socket.
//! - [`Storage`]: where the database lives: [`FileStorage`], [`MemoryStorage`], or a place of your own.
//!
//! # The run loop
//!
//! Mutate, then drain. After every call that takes something in, take out everything there is: bytes
//! to send, events, and (if you run commits yourself) commits. This is all a host does:
//!
//! ```
//! use mailkeep::sasl::{Credentials, Secret};
//! use mailkeep::{Connection, Event, Now, Result};
//!
//! /// What the host's socket, clock and key store look like to the loop.
//! trait Host {
//!     fn now(&self) -> Now;
//!     fn send(&mut self, bytes: &[u8]);
//!     /// Waits for bytes, or until `deadline` on the monotonic clock. `None` when the time is up,
//!     /// empty at the end of the stream.
//!     fn receive(&mut self, deadline: Option<u64>) -> Option<Vec<u8>>;
//!     fn start_tls(&mut self);
//!     fn password(&self) -> String;
//! }
//!
//! fn run(connection: &mut Connection, host: &mut impl Host) -> Result<()> {
//!     loop {
//!         // Drain: bytes first, then events.
//!         while let Some(bytes) = connection.poll_transmit() {
//!             host.send(&bytes);
//!         }
//!         if let Some(event) = connection.poll_event() {
//!             match event {
//!                 Event::NeedCredentials { .. } => {
//!                     let password = Secret::new(host.password());
//!                     let user = "anna".to_owned();
//!                     connection.provide_credentials(Credentials::Password { user, authzid: None, password })?;
//!                 }
//!                 Event::StartTls => {
//!                     host.start_tls();
//!                     connection.handle_tls_started(host.now(), None)?;
//!                 }
//!                 Event::Done { result, .. } => {
//!                     result?;
//!                     connection.logout();
//!                 }
//!                 Event::Closed { error } => return error.map_or(Ok(()), Err),
//!                 _ => {}
//!             }
//!             continue;
//!         }
//!         // Nothing to say: wait for the server, or for the time that the connection named.
//!         match host.receive(connection.poll_timeout()) {
//!             None => connection.handle_timeout(host.now())?,
//!             Some(bytes) if bytes.is_empty() => connection.handle_eof(host.now())?,
//!             Some(bytes) => {
//!                 let progress = connection.handle_input(host.now(), &bytes)?;
//!                 // With commits in the call and no work limit, everything is taken.
//!                 assert_eq!(progress.consumed, bytes.len());
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! Before the loop: open an engine, add an account once, connect, and say what is wanted.
//!
//! ```
//! use mailkeep::{AccountSettings, ConnectionOptions, Engine, EngineOptions, MemoryStorage, SyncScope};
//!
//! # fn main() -> mailkeep::Result<()> {
//! let engine = Engine::open(MemoryStorage::new(), EngineOptions::new(1))?;
//! let account = engine.add_account(AccountSettings::imap("Home", "imap.example.org", "anna"))?;
//!
//! // The transport is TLS from the first byte; 32 octets of randomness come from the host.
//! let mut connection = engine.connect(account, ConnectionOptions::new([7; 32], true))?;
//! connection.sync(SyncScope::account());
//!
//! // Offline, at any time, on any thread:
//! for mailbox in engine.mailboxes(account)? {
//!     for row in engine.messages(mailbox.id, None, 50)?.rows {
//!         println!("{} {}", row.summary.subject, row.summary.preview);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! - Input may be cut at any byte; the outcome is the same.
//! - What arrives is committed in batches: when they are large, when something waits for them, and at
//!   the latest 250 ms after their first fact. An [`Event`] that says something is stored comes after
//!   the commit. A connection or a process may die between any two bytes with nothing lost.
//! - Events are hints; the change feed is the truth: a screen that missed events asks
//!   [`Engine::changes_since`].
//! - New mail is told once: [`Engine::new_mail`] keeps it until [`Engine::acknowledge_new_mail`].
//! - All writes pass one first-come gate; no write transaction outlives a call of the host.
//! - Passwords and tokens are asked for by event and never stored. They are refused on a connection
//!   that the host has not marked secure, unless the account says plainly that it may.
//! - Everything from a server is hostile until parsed: see [`limits`].
//! - A change of UIDVALIDITY keeps what is here and knows messages again by identity, where RFC 7162 §6
//!   would have a client empty its cache.
#![forbid(unsafe_code)]

// What tests share with fuzz targets names the crate as those do.
#[cfg(test)]
extern crate self as mailkeep;

mod actions;
mod commit;
mod connection;
mod convert;
mod engine;
mod error;
mod event;
pub mod flags;
mod ids;
pub mod imap;
mod journal;
pub mod limits;
pub mod message;
mod model;
mod options;
pub mod packed;
pub mod pop3;
mod room;
pub mod sasl;
pub mod serve;
pub mod set;
mod shared;
mod store;
mod sync;
mod time;
pub mod wire;

pub use crate::commit::{Commit, CommitDone};
pub use crate::connection::Connection;
pub use crate::convert::{Conversion, Leftover, LeftoverAction};
pub use crate::engine::{Engine, EngineOptions, Stats};
pub use crate::error::{Error, Fault, Result};
pub use crate::event::{Event, SyncSummary};
pub use crate::ids::{AccountId, ConnectionId, ContentId, MailboxId, MessageId, OperationId, RequestId};
pub use crate::journal::{Draft, FlagChange, NewMailbox, Operation, OperationKind, OperationState};
pub use crate::model::{
    AccountInfo, AccountSettings, BodyPolicy, Change, Changes, Cursor, Expire, Keep, MailboxInfo,
    MailboxKind, Message, MessageRow, Namespace, Page, PopServerInfo, Protocol, Quota, RetentionEntry,
    RetentionReason, Role, Security, ServedLimits, Window,
};
pub use crate::options::{CommitMode, ConnectionOptions, Progress, SyncScope, WorkLimit};
pub use crate::room::{ArchiveEntry, ArchiveRule, Evicted};
pub use crate::store::shrink::ShrinkProgress;
pub use crate::store::storage::{FileStorage, MemoryStorage, Storage, StorageFile};
pub use crate::store::verify::VerifyReport;
pub use crate::time::Now;
