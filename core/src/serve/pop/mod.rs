//! The server's side of POP3 (RFC 1939): one user's INBOX as a maildrop.
//!
//! A [`PopSession`] has the contract of [`Session`](super::Session), the same options and the same events: bytes go in
//! by [`PopSession::handle_input`], everything is drained after every call, and TLS, sockets and clocks are the host's.
//! Where input was not taken whole, an answer is being sent or held back: give the rest again once the outputs are
//! drained, or after [`PopSession::handle_timeout`], and read no more from the client meanwhile. Give everything that
//! the client said before [`PopSession::handle_eof`].
//!
//! What is promised:
//!
//! - A session shows INBOX as it was at its sign-in. It holds the [lock][`Backend::lock_maildrop`] until it ends: a second
//!   one is told `[IN-USE]`. IMAP sessions are not kept out; a message that one of them expunges answers `-ERR` here.
//! - Messages are removed when QUIT asks for it, and only then: never after a cut, a timeout or another end. What could
//!   not be removed is said.
//! - A UIDL is made of UIDVALIDITY and UID: the same in every session, and never another message's.
//! - POP3 has no flags. What was fetched stays unread for IMAP, and what is `\Deleted` there is listed here until it is
//!   expunged.
//! - Messages are read and sent in pieces; one that cannot be read to its end breaks the connection off, so that no
//!   client takes a part of it for the whole.
//!
//! What is offered (RFC 2449): TOP, UIDL, RESP-CODES, AUTH-RESP-CODE, PIPELINING; USER where passwords may be said; SASL
//! with the mechanisms that can be used at the moment; STLS and UTF8 where [`SessionOptions`](super::SessionOptions) has
//! them; IMPLEMENTATION once somebody has signed in. `EXPIRE` is not: a session expires nothing, but cannot speak for what else
//! the store is used for. Nor is `LOGIN-DELAY`: there is none. APOP is offered, by a timestamp in the greeting, where
//! [`Users::shared_secrets`] makes it possible.
//!
//! [`Backend::lock_maildrop`]: super::Backend::lock_maildrop
//! [`Users::shared_secrets`]: super::Users::shared_secrets

mod maildrop;
mod sending;
mod session;
mod signin;
#[cfg(test)]
mod tests;
mod transaction;

pub use session::PopSession;
