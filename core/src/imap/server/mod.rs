//! IMAP as a server hears and says it (RFC 9051, RFC 3501 and the extensions it offers).
//!
//! A [`CommandFramer`](crate::wire::CommandFramer) cuts what a client sends into commands,
//! [`parse::command`] makes of one a typed [`Command`](command::Command), and [`response`] writes the
//! answers. What a command names is shared with the client's side (`FetchItem`, `SearchKey`, …), so that
//! one word has one meaning in both directions.

pub mod command;
pub mod parse;
pub mod response;
#[cfg(test)]
mod tests;
mod write;
