//! What Mailkeep is tested with: real servers on loopback, real mail, a proxy that hides, counts and cuts,
//! and readers that share no code with the engine.
//!
//! This is test code: everything here panics, with what a person needs to mend it, rather than
//! returning an error. A server that cannot be installed or started is a failure, never a skip.
//!
//! | module | what |
//! |---|---|
//! | [`dovecot`], [`cyrus`], [`courier`] | a private server each, with users made on demand |
//! | [`proxy`] | between client and server: counts round trips, hides capabilities, cuts, records |
//! | [`corpus`] | real, synthetic and odd messages |
//! | [`compare`] | what Python's imaplib sees on a server against what the program lists |
//! | [`program`] | runs `mailkeep` |
//! | [`fixture`] | the store that the bindings of every language read |
//! | [`host`] | runs the engine in the test's own process |
//! | [`served`] | `mailkeep serve` as a server, for real clients |
//! | [`scenario`] | the acceptance scenario that every server and profile goes through |
//! | [`story`] | three databases and another mail program on the same mail |
//! | [`kill`] | a device whose program is killed while it syncs |
//! | [`pop`] | what Python's poplib sees in a maildrop, and what POP3 servers are held to |
//! | [`conversion`] | a POP3 account that becomes an IMAP account |
//! | [`imap`] | a client of a few lines, to fill servers and to prod them |

pub mod compare;
pub mod conversion;
pub mod corpus;
pub mod courier;
pub mod cyrus;
pub mod dovecot;
pub mod fixture;
pub mod host;
pub mod imap;
pub mod kill;
pub mod pop;
pub mod program;
pub mod proxy;
pub mod scenario;
pub mod served;
pub mod server;
pub mod story;
