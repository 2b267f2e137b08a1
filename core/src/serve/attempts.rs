//! What sign-ins have in common, whatever the protocol: mechanisms, nonces, and what failed attempts cost.

use sha2::{Digest, Sha256};

use super::offered::auth_word;
use super::session::SessionOptions;
use crate::sasl::Mechanism;

/// The wait after the first failed attempt; each further one doubles it.
pub(super) const FIRST_DELAY_MS: u64 = 1_000;
/// Attempts, after which the connection ends.
const MOST_FAILURES: u32 = 5;
/// Lines that are no commands, after which it does too.
const MOST_NONSENSE: u32 = 20;

/// How often somebody tried, and randomness for exchanges.
pub(super) struct SignIn {
    seed: [u8; 32],
    exchanges: u64,
    failures: u32,
    nonsense: u32,
}

impl SignIn {
    pub(super) fn new(seed: [u8; 32]) -> SignIn {
        SignIn { seed, exchanges: 0, failures: 0, nonsense: 0 }
    }

    /// A nonce that no other exchange has.
    pub(super) fn nonce(&mut self) -> [u8; 18] {
        self.exchanges += 1;
        let digest = Sha256::new()
            .chain_update(b"nonce")
            .chain_update(self.seed)
            .chain_update(self.exchanges.to_be_bytes())
            .finalize();
        let mut nonce = [0; 18];
        nonce.copy_from_slice(&digest[..18]);
        nonce
    }

    /// Somebody has not proved who it is. Gives the moment before which nothing is said of it.
    pub(super) fn failed(&mut self, mono_ms: u64) -> u64 {
        let delay = FIRST_DELAY_MS << self.failures.min(6);
        self.failures += 1;
        mono_ms.saturating_add(delay)
    }

    /// What was said was not even a command.
    pub(super) fn count_nonsense(&mut self) {
        self.nonsense += 1;
    }

    pub(super) fn is_hopeless(&self) -> bool {
        self.failures >= MOST_FAILURES || self.nonsense >= MOST_NONSENSE
    }
}

impl SessionOptions {
    /// Whether a password may be said as it is.
    pub(super) fn takes_passwords(&self) -> bool {
        self.secure || self.allow_insecure
    }

    /// The mechanisms that can be used now, strongest first. `bound` says whether there is something to bind to.
    pub(super) fn mechanisms(&self, bound: bool) -> Vec<Mechanism> {
        let plain = self.takes_passwords();
        let offered = [
            (bound, Mechanism::ScramSha256Plus),
            (bound, Mechanism::ScramSha1Plus),
            (true, Mechanism::ScramSha256),
            (true, Mechanism::ScramSha1),
            (plain, Mechanism::Plain),
            (plain, Mechanism::Login),
        ];
        let offered = offered.into_iter().filter(|(now, _)| *now).map(|(_, mechanism)| mechanism);
        offered.filter(|mechanism| self.offers(auth_word(*mechanism))).collect()
    }
}
