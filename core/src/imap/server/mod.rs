//! IMAP as a server hears and says it (RFC 9051, RFC 3501 and the extensions it offers).
//!
//! A [`CommandFramer`](crate::wire::CommandFramer) cuts what a client sends into commands,
//! [`parse::command`] makes of one a typed [`Command`](command::Command), and [`response`] writes the
//! answers. What a command names is shared with the client's side (`FetchItem`, `SearchKey`, …), so that
//! one word has one meaning in both directions.
//!
//! [`search`], [`sort`] and [`thread`] say which messages a command means; they look at messages through
//! [`Subject`](search::Subject) and know no store.

pub mod command;
mod fold;
pub mod parse;
pub mod response;
pub mod search;
pub mod sort;
mod subject;
#[cfg(test)]
mod tests;
pub mod thread;
mod write;
