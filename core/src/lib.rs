//! Mailkeep: an embedded mailbox engine.
#![forbid(unsafe_code)]

mod connection;
mod engine;
mod error;
pub mod flags;
mod ids;
pub mod imap;
pub mod limits;
pub mod message;
mod model;
pub mod sasl;
pub mod set;
mod store;
mod sync;
mod time;
pub mod wire;

pub use crate::connection::{
    Commit, CommitDone, CommitMode, Connection, ConnectionOptions, Event, Progress, SyncScope, SyncSummary,
    WorkLimit,
};
pub use crate::engine::{Engine, EngineOptions, Stats};
pub use crate::error::{Error, Fault, Result};
pub use crate::ids::{AccountId, ContentId, MailboxId, MessageId, RequestId};
pub use crate::model::{
    AccountInfo, AccountSettings, BodyPolicy, Change, Changes, Cursor, MailboxInfo, MailboxKind, Message,
    MessageRow, Page, Protocol, Role, Security, Window,
};
pub use crate::store::storage::{FileStorage, MemoryStorage, Storage, StorageFile};
pub use crate::store::verify::VerifyReport;
pub use crate::time::Now;
