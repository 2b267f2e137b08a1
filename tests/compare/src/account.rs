//! Accounts on a private server, filled with synthetic mail.

use mailkeep_tests::corpus;
use mailkeep_tests::dovecot::Dovecot;
use mailkeep_tests::imap::Mail;
use mailkeep_tests::server::MailServer;

/// A filled account.
#[derive(Debug, Clone)]
pub struct Account {
    /// The port of plain IMAP on 127.0.0.1.
    pub port: u16,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// Messages in INBOX.
    pub messages: usize,
    /// Their octets together.
    pub octets: u64,
}

impl Account {
    /// Makes a user whose INBOX has this mail.
    pub fn fill(dovecot: &Dovecot, user: &str, mail: impl IntoIterator<Item = Mail>) -> Self {
        let password = "measured";
        dovecot.add_user(user, password);
        let mut octets = 0;
        let counted = mail.into_iter().inspect(|mail| octets += mail.bytes.len() as u64);
        let messages = dovecot.fill(user, "INBOX", counted);
        Self { port: dovecot.imap_port(), user: user.into(), password: password.into(), messages, octets }
    }

    /// Ordinary mail, 22 kB a message.
    pub fn large(dovecot: &Dovecot, user: &str, count: usize) -> Self {
        Self::fill(dovecot, user, corpus::generate(1, count, 22_000))
    }

    /// Small messages, near 1 kB each.
    pub fn small(dovecot: &Dovecot, user: &str, count: usize) -> Self {
        Self::fill(dovecot, user, corpus::generate(2, count, 700))
    }

    /// What a person wants to know of it.
    pub fn describe(&self) -> String {
        format!("{} messages, {:.1} MB", self.messages, self.octets as f64 / 1e6)
    }
}
