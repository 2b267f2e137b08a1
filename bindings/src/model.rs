//! The words of the engine as records and enums that cross.

mod account;
mod mailbox;
mod message;
mod operation;
mod upkeep;

pub use account::*;
pub use mailbox::*;
pub use message::*;
pub use operation::*;
pub use upkeep::*;
