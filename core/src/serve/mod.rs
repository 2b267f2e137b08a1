//! Serving mail: the server's side of IMAP and of POP3 over any [`Backend`], without the socket.
//!
//! A [`Session`] is one client's connection over IMAP, a [`PopSession`] over POP3. Both have the contract of
//! [`Connection`](crate::Connection): what happened goes in by `handle_*`, what is to be done comes out by
//! `poll_*`, and both are drained after every call. They read no clock and make no randomness; TLS and sockets
//! are the host's.
//!
//! - Bytes from the client: [`Session::handle_input`], cut anywhere; give what was not taken again.
//! - [`Session::poll_transmit`] until it gives nothing. Large answers are made while they are fetched, so
//!   that a body is never whole in memory, and no further command is taken before they are out.
//! - [`Session::poll_event`]: when to begin TLS, who signed in, and the end.
//! - [`Session::poll_timeout`] and [`Session::handle_timeout`]: silence, and delays after failed sign-ins.
//! - In IMAP, [`Session::handle_wake`] when somebody else changed the same mail: a client that idles is told, and one that
//!   has asked for it by NOTIFY.

mod answer;
mod appending;
mod attempts;
pub mod backend;
mod changing;
mod dispatch;
mod fetching;
mod finding;
mod lock;
mod mailboxes;
pub mod memory;
mod names;
mod notify;
mod notifying;
mod offered;
pub mod pop;
mod selected;
mod session;
mod signin;
mod stored;
#[cfg(test)]
mod tests;

pub use backend::{Backend, Users};
pub use pop::PopSession;
pub use session::{Session, SessionEvent, SessionOptions};
pub use stored::{StoredContent, StoredMail, StoredUsers};
