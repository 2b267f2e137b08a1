//! POP3 sessions as transcripts.

mod faults;
mod flaky;
mod limits;
mod messages;
mod sharing;
mod signing_in;
mod states;

use super::PopSession;
use crate::error::Result;
use crate::options::Progress;
use crate::sasl::Secret;
use crate::sasl::server::Verifier;
use crate::serve::backend::{Backend, SharedSecrets, Users};
use crate::serve::memory::{MemoryMail, MemoryUsers};
use crate::serve::session::{SessionEvent, SessionOptions};
use crate::serve::tests::{Client, Served, five, id_of, options, play, put, users};
use crate::time::Now;

impl<U: Users> Served for PopSession<U> {
    fn input(&mut self, now: Now, input: &[u8]) -> Result<Progress> {
        self.handle_input(now, input)
    }

    fn timeout(&mut self, now: Now) -> Result<()> {
        self.handle_timeout(now)
    }

    fn wake(&mut self, _now: Now) -> Result<()> {
        unreachable!("POP3 says nothing unasked")
    }

    fn transmit(&mut self) -> Option<Vec<u8>> {
        self.poll_transmit()
    }

    fn event(&mut self) -> Option<SessionEvent> {
        self.poll_event()
    }

    fn is_over(&self) -> bool {
        self.is_closed()
    }
}

type Pop<U = MemoryUsers> = Client<PopSession<U>>;

/// Past the greeting.
fn pop<U: Users>(users: U, options: SessionOptions) -> Pop<U> {
    let mut client = Client::with(PopSession::new(users, options));
    client.heard.clear();
    client
}

/// Past the greeting and signed in.
fn signed_in<U: Users>(users: U) -> Pop<U> {
    let mut client = pop(users, options());
    client.say(b"USER ann\r\nPASS secret\r\n");
    assert!(client.events.contains(&SessionEvent::SignedIn { user: "ann".into() }), "{:?}", client.lines());
    client.events.clear();
    client.heard.clear();
    client
}

#[track_caller]
fn talk<U: Users>(client: &mut Pop<U>, transcript: &str) {
    play(std::slice::from_mut(client), transcript);
}

/// UIDs in INBOX.
fn uids(mail: &MemoryMail) -> Vec<u32> {
    let rows = mail.rows(id_of(mail, "INBOX"), 1, usize::MAX).expect("rows");
    rows.iter().map(|row| row.uid).collect()
}

/// Users whose passwords can be read.
#[derive(Clone)]
struct Readable(MemoryUsers);

impl Users for Readable {
    type Backend = MemoryMail;

    fn verifier(&self, user: &str) -> Option<Verifier> {
        self.0.verifier(user)
    }

    fn open(&self, user: &str) -> crate::serve::backend::Result<MemoryMail> {
        self.0.open(user)
    }

    fn shared_secrets(&self) -> Option<&dyn SharedSecrets> {
        Some(self)
    }
}

impl SharedSecrets for Readable {
    fn secret(&self, user: &str) -> Option<Secret> {
        self.0.verifier(user).map(|_| Secret::new("secret"))
    }
}
