//! POP3: typed commands and responses, the client's half of a session, and what a server reads.
//!
//! RFC 1939, with RFC 2449 (CAPA, response codes, pipelining), RFC 2595 (STLS), RFC 5034 (AUTH), RFC 3206
//! (SYS and AUTH codes) and RFC 6856 (UTF8). Nothing here knows a store.
//!
//! ```
//! use mailkeep::limits::Limits;
//! use mailkeep::pop3::client::{Client, Heard};
//! use mailkeep::pop3::command::Command;
//!
//! let mut client: Client<&str> = Client::new(&Limits::DEFAULT);
//! client.send(&Command::Retr(1), "the first").unwrap();
//! assert_eq!(client.transmit().as_deref(), Some(&b"RETR 1\r\n"[..]));
//! let mut input: &[u8] = b"+OK 12 octets\r\nHello\r\n..\r\n.\r\n";
//! let mut message = Vec::new();
//! while let Some(heard) = client.next(&mut input).unwrap() {
//!     match heard {
//!         Heard::Text("the first", octets) => message.extend_from_slice(octets),
//!         Heard::Begins(..) | Heard::Ends(..) => {}
//!         other => panic!("{other:?}"),
//!     }
//! }
//! assert_eq!(message, b"Hello\r\n.\r\n");
//! ```

pub mod capability;
pub mod client;
pub mod command;
pub mod response;
pub mod server;
