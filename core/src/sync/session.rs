//! The seam between a connection and its protocol: bytes, disk and clock on one side, what they mean
//! on the other.

use std::collections::VecDeque;

use crate::error::{Error, Result};
use crate::event::Event;
use crate::ids::{ConnectionId, MessageId, RequestId};
use crate::sasl::{ChannelBinding, Credentials};
use crate::store::apply::Outcome;
use crate::store::batch::Batch;
use crate::sync::{Meter, Next, Wish};
use crate::time::Now;

/// One protocol's side of a [`Connection`](crate::Connection).
///
/// The connection gives it bytes and time, commits its facts, and hands on what it says. An error from
/// any method ends the connection.
pub(crate) trait Session: Send {
    /// What the connection works with itself.
    fn desk(&mut self) -> Desk<'_>;

    /// Which connection it is, for the engine's wake-ups.
    fn id(&self) -> ConnectionId;

    /// Takes the next piece off the front of `input` and acts on it; `None` when more must come.
    fn take(&mut self, input: &mut &[u8]) -> Result<Option<Taken>>;

    /// Whether there may be another piece without further bytes from the server.
    fn has_more(&self, input: &[u8]) -> bool;

    /// Bytes for the server; `None` when there are none.
    fn transmit(&mut self) -> Option<Vec<u8>>;

    /// Whether [`Session::transmit`] has something.
    fn has_output(&self) -> bool;

    /// The host's clocks.
    fn set_now(&mut self, now: Now);

    /// Whether an answer is waited for: a silent server is given up then.
    fn is_waiting(&self) -> bool;

    /// Whether the host is in a TLS handshake: bytes now are not the protocol's.
    fn awaits_tls(&self) -> bool;

    /// When something is to be done by the clock alone, in milliseconds of the monotonic one.
    fn deadline(&self) -> Option<u64>;

    /// [`Session::deadline`] has come.
    fn handle_deadline(&mut self) -> Result<()>;

    /// The TLS handshake is done. What came before it is forgotten.
    fn tls_started(&mut self, binding: Option<ChannelBinding>) -> Result<()>;

    /// Credentials, asked for or given ahead.
    fn provide(&mut self, credentials: Credentials) -> Result<()>;

    /// Starts the next wish where nothing is under way.
    fn advance(&mut self) -> Result<()>;

    /// Another connection is done with what this one wanted.
    fn look_at_skipped(&mut self) -> Result<()>;

    /// Takes a wish back.
    fn cancel(&mut self, request: RequestId) -> Result<()>;

    /// Watch no longer.
    fn stop_watching(&mut self) -> Result<()>;

    /// Facts are on their way into the store, on the host's thread.
    fn set_commit_under_way(&mut self, under_way: bool);

    /// A commit is durable.
    fn committed(&mut self, outcome: &Outcome);

    /// Everything that something waited for is durable.
    fn go_on(&mut self, next: Next) -> Result<()>;

    /// A message that was asked for is durable.
    fn opened(&mut self, request: RequestId, message: MessageId);

    /// The transport ended in the middle of something: what came of it is kept, where it is of use.
    fn cut(&mut self);

    /// Whether the connection was to end.
    fn logged_out(&self) -> bool;

    /// What the end of the transport means, where the session knows better.
    fn ended_as(&self, error: Error) -> Error {
        error
    }

    /// Everything that was under way ends with an error.
    fn fail(&mut self, error: &Error);
}

/// What a session shows its connection.
pub(crate) struct Desk<'a> {
    /// Facts not yet handed to a commit.
    pub(crate) batch: &'a mut Batch,
    /// What goes on when the batch is durable.
    pub(crate) next: &'a mut Option<Next>,
    pub(crate) events: &'a mut VecDeque<Event>,
    pub(crate) wishes: &'a mut VecDeque<Wish>,
    pub(crate) meter: &'a mut Meter,
}

/// What was taken off the input.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Taken {
    /// A whole response.
    Response,
    /// Where the octets of a message begin or end.
    Border,
    /// Some octets of a message.
    Data(usize),
}
