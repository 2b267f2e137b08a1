//! Signing in: what the login tells, and waiting where the server says that it is too early.

use crate::error::{Error, Result};
use crate::event::Event;
use crate::model::{Expire, Keep};
use crate::pop3::client::login::LoginEvent;
use crate::pop3::response::{Code, Status};
use crate::store::batch::Op;
use crate::store::ledger::{LedgerOp, PopServerRecord};
use crate::sync::pop::{PopSession, Purpose};

/// How long a maildrop that is in use is left alone before each further try, in milliseconds.
const IN_USE_MS: [u64; 3] = [15_000, 30_000, 60_000];
/// A wait between two logins that is worth keeping the connection for.
const SHORT_DELAY_MS: u64 = 60_000;
/// How long the host is told to wait after the last try.
const LATER_MS: u64 = 5 * 60_000;

/// A wait before the next try to sign in.
#[derive(Debug)]
pub(super) struct Wait {
    /// On the monotonic clock; `None` while trying.
    pub(super) until_ms: Option<u64>,
    tries: usize,
    why: String,
}

impl PopSession {
    pub(super) fn greeted(&mut self, status: &Status<'_>) -> Result<()> {
        let gone = self.now.wall_ms.saturating_sub(self.server.last_login_ms);
        let delay = i64::from(self.server.login_delay_s) * 1_000;
        if status.ok && (0..delay).contains(&gone) {
            let after_ms = u64::try_from(delay - gone).unwrap_or(0);
            let why = "the server wants more time between two logins".to_owned();
            return Err(Error::TryLater { after_ms, why });
        }
        let told = self.login.greeting(status, &mut self.client)?;
        self.login_told(told)
    }

    pub(super) fn login_told(&mut self, told: Option<LoginEvent>) -> Result<()> {
        match told {
            None => Ok(()),
            Some(LoginEvent::StartTls) => {
                self.events.push_back(Event::StartTls);
                Ok(())
            }
            Some(LoginEvent::NeedCredentials(mechanisms)) => {
                self.events.push_back(Event::NeedCredentials { mechanisms });
                Ok(())
            }
            Some(LoginEvent::NotNow { code, text }) => self.not_now(code, text),
            Some(LoginEvent::Authenticated) => {
                self.wait = None;
                self.capabilities = self.login.capabilities().clone();
                self.events.push_back(Event::Authenticated);
                self.note_server();
                if !self.capabilities.is_empty() {
                    // What holds for this user is said only now (RFC 2449 §3).
                    self.queue.push_back((crate::pop3::command::Command::Capa, Purpose::Capa));
                }
                self.advance_wishes()?;
                self.pump()
            }
        }
    }

    fn not_now(&mut self, code: Code, why: String) -> Result<()> {
        let tries = self.wait.take().map_or(0, |w| w.tries);
        let after_ms = match code {
            Code::InUse => IN_USE_MS.get(tries).copied(),
            _ => {
                let said = self.login.capabilities().login_delay_s().unwrap_or(self.server.login_delay_s);
                let delay = u64::from(said) * 1_000;
                if delay > SHORT_DELAY_MS {
                    return Err(Error::TryLater { after_ms: delay, why });
                }
                Some(delay.max(IN_USE_MS[0])).filter(|_| tries == 0)
            }
        };
        let Some(after_ms) = after_ms else { return Err(Error::TryLater { after_ms: LATER_MS, why }) };
        self.problem(format!("the server says that it is too early, trying again in {after_ms} ms: {why}"));
        self.wait = Some(Wait { until_ms: Some(self.now.mono_ms + after_ms), tries: tries + 1, why });
        Ok(())
    }

    /// The wait is over.
    pub(super) fn try_again(&mut self) -> Result<()> {
        if let Some(wait) = &mut self.wait {
            wait.until_ms = None;
        }
        let told = self.login.retry(&mut self.client)?;
        self.login_told(told)
    }

    /// A server that hangs up while it is given time has not failed: it is to be come back to.
    pub(super) fn later(&self) -> Option<Error> {
        let wait = self.wait.as_ref()?;
        let after_ms = wait.until_ms?.saturating_sub(self.now.mono_ms);
        Some(Error::TryLater { after_ms, why: wait.why.clone() })
    }

    /// Keeps what the server says of itself, where that is new or the time of this login counts.
    pub(super) fn note_server(&mut self) {
        let login_delay_s = self.capabilities.login_delay_s().unwrap_or(0);
        let expire = self.capabilities.expire();
        let last_login_ms = if login_delay_s > 0 { self.now.wall_ms } else { 0 };
        let said = PopServerRecord { login_delay_s, expire, last_login_ms, ..self.server };
        if said != self.server {
            self.server = said;
            self.batch.push(Op::Ledger(LedgerOp::Server(said)));
        }
    }

    /// What this user may expect of the server differs from what the account is set to.
    pub(super) fn warn_of_expiry(&mut self) {
        let Some(Expire::Days(days)) = self.capabilities.expire() else { return };
        let short = match self.settings.keep {
            Keep::Delete => false,
            Keep::Days(wanted) => days < wanted,
            Keep::UntilDeletedHere | Keep::Forever => true,
        };
        if short {
            self.problem(format!("the server keeps mail that was fetched for {days} days only"));
        }
    }
}
