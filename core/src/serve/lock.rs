//! The lock of one maildrop, within a process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::backend::{Refusal, Result};

/// One user's maildrop, which one POP3 session at a time may have. Clones are the same one: keep it with the mail.
#[derive(Debug, Clone, Default)]
pub struct MaildropLock(Arc<AtomicBool>);

impl MaildropLock {
    /// Takes it, for as long as the guard is there.
    ///
    /// # Errors
    /// [`Refusal::InUse`]
    pub fn lock(&self) -> Result<MaildropGuard> {
        match self.0.swap(true, Ordering::AcqRel) {
            true => Err(Refusal::InUse),
            false => Ok(MaildropGuard(self.0.clone())),
        }
    }
}

/// A maildrop that is taken. Dropping this gives it back.
#[derive(Debug)]
pub struct MaildropGuard(Arc<AtomicBool>);

impl Drop for MaildropGuard {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::{MaildropLock, Refusal};

    #[test]
    fn one_at_a_time() {
        let lock = MaildropLock::default();
        let guard = lock.lock().expect("it is free");
        assert_eq!(lock.clone().lock().map(drop), Err(Refusal::InUse));
        assert_eq!(lock.lock().map(drop), Err(Refusal::InUse), "being refused frees nothing");
        drop(guard);
        assert_eq!(lock.clone().lock().map(drop), Ok(()));
    }
}
