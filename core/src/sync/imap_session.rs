//! IMAP behind the seam: frames in, parsed responses to the driver.

use crate::error::{Error, Result};
use crate::ids::{ConnectionId, MessageId, RequestId};
use crate::imap::client::Inbound;
use crate::imap::parse;
use crate::sasl::{ChannelBinding, Credentials};
use crate::store::apply::Outcome;
use crate::sync::session::{Desk, Session, Taken};
use crate::sync::{Driver, Next};
use crate::time::Now;
use crate::wire::Piece;

/// An IMAP connection's framing and its driver.
pub(crate) struct ImapSession {
    inbound: Inbound,
    driver: Driver,
}

impl ImapSession {
    pub(crate) fn new(driver: Driver) -> ImapSession {
        ImapSession { inbound: Inbound::new(&driver.limits), driver }
    }
}

impl Session for ImapSession {
    fn desk(&mut self) -> Desk<'_> {
        let Driver { batch, next, events, wishes, meter, .. } = &mut self.driver;
        Desk { batch, next, events, wishes, meter }
    }

    fn id(&self) -> ConnectionId {
        self.driver.leases.connection()
    }

    fn take(&mut self, input: &mut &[u8]) -> Result<Option<Taken>> {
        let ImapSession { inbound, driver } = self;
        let Some(piece) = inbound.next(input)? else { return Ok(None) };
        let mut compressed = false;
        let taken = match piece {
            Piece::LiteralStart { head, streamed, len } => {
                driver.literal_start(head, streamed, len);
                Taken::Border
            }
            Piece::LiteralData(data) => {
                driver.literal_data(data);
                Taken::Data(data.len())
            }
            Piece::LiteralEnd => Taken::Border,
            Piece::Response(frame) => {
                match parse::response(frame) {
                    Ok(response) => compressed = driver.response(&response)?,
                    Err(error) => driver.unreadable(&error.to_string(), error.tagged)?,
                }
                Taken::Response
            }
        };
        if compressed {
            inbound.start_inflating(&driver.limits);
        }
        Ok(Some(taken))
    }

    fn has_more(&self, input: &[u8]) -> bool {
        self.inbound.has_more(input)
    }

    fn transmit(&mut self) -> Option<Vec<u8>> {
        self.driver.out.take()
    }

    fn has_output(&self) -> bool {
        self.driver.out.has_output()
    }

    fn set_now(&mut self, now: Now) {
        self.driver.set_now(now);
    }

    fn is_waiting(&self) -> bool {
        self.driver.is_waiting()
    }

    fn awaits_tls(&self) -> bool {
        self.driver.awaits_tls()
    }

    fn deadline(&self) -> Option<u64> {
        self.driver.idle_deadline()
    }

    fn handle_deadline(&mut self) -> Result<()> {
        self.driver.idle_timeout()
    }

    fn tls_started(&mut self, binding: Option<ChannelBinding>) -> Result<()> {
        let Driver { login, out, .. } = &mut self.driver;
        let told = login.tls_started(binding, out)?;
        self.inbound = Inbound::new(&self.driver.limits);
        self.driver.login_told(told).map(|_| ())
    }

    fn provide(&mut self, credentials: Credentials) -> Result<()> {
        let Driver { login, out, .. } = &mut self.driver;
        let told = login.provide(credentials, out)?;
        self.driver.login_told(told).map(|_| ())
    }

    fn advance(&mut self) -> Result<()> {
        self.driver.advance()
    }

    fn look_at_skipped(&mut self) -> Result<()> {
        self.driver.look_at_skipped()
    }

    fn cancel(&mut self, request: RequestId) -> Result<()> {
        self.driver.cancel(request)
    }

    fn stop_watching(&mut self) -> Result<()> {
        self.driver.stop_watching(None)
    }

    fn set_commit_under_way(&mut self, under_way: bool) {
        self.driver.commit_under_way = under_way;
    }

    fn committed(&mut self, outcome: &Outcome) {
        self.driver.committed(outcome);
    }

    fn go_on(&mut self, next: Next) -> Result<()> {
        self.driver.go_on(next)
    }

    fn opened(&mut self, request: RequestId, message: MessageId) {
        self.driver.opened(request, message);
    }

    fn cut(&mut self) {
        self.driver.literal_cut();
    }

    fn logged_out(&self) -> bool {
        self.driver.logged_out()
    }

    fn fail(&mut self, error: &Error) {
        self.driver.fail(error);
    }
}
