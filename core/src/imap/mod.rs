//! IMAP as a client hears and says it (RFC 9051, RFC 3501 and the extensions in use).
//!
//! Bytes become [frames](crate::wire), and [`parse::response`] makes of one frame one typed
//! [`Response`](response::Response) that borrows from it:
//!
//! ```
//! use mailkeep::imap::fetch::FetchAttr;
//! use mailkeep::imap::parse;
//! use mailkeep::imap::response::{Data, Response};
//! use mailkeep::wire::Frame;
//!
//! let frame = Frame::new(b"* 12 FETCH (UID 4827313 FLAGS (\\Seen))");
//! let Ok(Response::Data(Data::Fetch(fetch))) = parse::response(frame) else { panic!() };
//! for attr in fetch.attrs {
//!     match attr {
//!         FetchAttr::Uid(uid) => assert_eq!(uid, 4_827_313),
//!         FetchAttr::Flags(flags) => assert!(flags.contains("\\seen")),
//!         other => panic!("{other:?}"),
//!     }
//! }
//! ```

pub mod body;
pub mod capability;
pub mod client;
pub mod command;
pub mod date;
pub mod encode;
pub mod fetch;
pub mod mailbox_name;
pub mod parse;
pub mod response;
pub mod server;
pub mod text;
