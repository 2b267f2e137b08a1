//! A session of either protocol, as the loop of a client sees it.

use mailkeep::sasl::ChannelBinding;
use mailkeep::serve::pop::PopSession;
use mailkeep::serve::{Session, SessionEvent, SessionOptions, StoredUsers};
use mailkeep::{Now, Progress};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Imap,
    Pop3,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Protocol::Imap => "imap",
            Protocol::Pop3 => "pop3",
        }
    }

    /// What a client is told where there are too many.
    pub(super) fn full(self) -> &'static [u8] {
        match self {
            Protocol::Imap => b"* BYE [UNAVAILABLE] too many connections\r\n",
            Protocol::Pop3 => b"-ERR [SYS/TEMP] too many connections\r\n",
        }
    }
}

pub(super) enum Speaker {
    Imap(Box<Session<StoredUsers>>),
    Pop3(Box<PopSession<StoredUsers>>),
}

/// Calls the method of that name on either.
macro_rules! either {
    ($self:expr, $session:ident => $call:expr) => {
        match $self {
            Speaker::Imap($session) => $call,
            Speaker::Pop3($session) => $call,
        }
    };
}

impl Speaker {
    pub(super) fn new(protocol: Protocol, users: StoredUsers, options: SessionOptions) -> Speaker {
        match protocol {
            Protocol::Imap => Speaker::Imap(Box::new(Session::new(users, options))),
            Protocol::Pop3 => Speaker::Pop3(Box::new(PopSession::new(users, options))),
        }
    }

    pub(super) fn handle_input(&mut self, now: Now, input: &[u8]) -> mailkeep::Result<Progress> {
        either!(self, session => session.handle_input(now, input))
    }

    pub(super) fn handle_timeout(&mut self, now: Now) -> mailkeep::Result<()> {
        either!(self, session => session.handle_timeout(now))
    }

    pub(super) fn handle_eof(&mut self, now: Now) {
        either!(self, session => session.handle_eof(now));
    }

    pub(super) fn handle_tls_started(
        &mut self,
        now: Now,
        binding: Option<ChannelBinding>,
    ) -> mailkeep::Result<()> {
        either!(self, session => session.handle_tls_started(now, binding))
    }

    /// The mail has changed. Over POP3 nobody is told before the next session.
    pub(super) fn handle_wake(&mut self, now: Now) -> mailkeep::Result<()> {
        match self {
            Speaker::Imap(session) => session.handle_wake(now),
            Speaker::Pop3(_) => Ok(()),
        }
    }

    pub(super) fn set_binding(&mut self, binding: ChannelBinding) {
        either!(self, session => session.set_binding(binding));
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        either!(self, session => session.poll_transmit())
    }

    pub(super) fn poll_event(&mut self) -> Option<SessionEvent> {
        either!(self, session => session.poll_event())
    }

    pub(super) fn poll_timeout(&self) -> Option<u64> {
        either!(self, session => session.poll_timeout())
    }

    pub(super) fn is_closed(&self) -> bool {
        either!(self, session => session.is_closed())
    }
}
