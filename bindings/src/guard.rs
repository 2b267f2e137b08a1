//! What every call passes: a panic becomes an error and closes the engine, and the app hears of connections to wake
//! after the call, when no lock is held.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::WakeListener;
use crate::error::{MailkeepError, Result};

/// An engine behind what every call passes.
pub(crate) struct Guard {
    engine: mailkeep::Engine,
    /// A connection has something to do because of another.
    woken: Arc<AtomicBool>,
    listener: Mutex<Option<Arc<dyn WakeListener>>>,
}

impl Guard {
    pub(crate) fn new(engine: mailkeep::Engine) -> Arc<Guard> {
        let woken = Arc::new(AtomicBool::new(false));
        let note = woken.clone();
        engine.set_waker(Some(Arc::new(move || note.store(true, Ordering::Release))));
        Arc::new(Guard { engine, woken, listener: Mutex::default() })
    }

    /// A call of the engine.
    pub(crate) fn call<R>(&self, act: impl FnOnce(&mailkeep::Engine) -> mailkeep::Result<R>) -> Result<R> {
        let outcome = self.catch(|| act(&self.engine))?;
        self.tell_woken();
        outcome.map_err(MailkeepError::from)
    }

    /// Runs something that may panic. Where it does, the engine is closed.
    pub(crate) fn catch<R>(&self, act: impl FnOnce() -> R) -> Result<R> {
        catch_unwind(AssertUnwindSafe(act)).map_err(|panic| {
            // Whatever this call left half done in memory must not be built on. What is durable is whole.
            let _ = catch_unwind(AssertUnwindSafe(|| self.engine.close()));
            MailkeepError::panicked(words(&*panic))
        })
    }

    /// Tells the app that there are connections to wake. Called with no lock held.
    pub(crate) fn tell_woken(&self) {
        if self.woken.swap(false, Ordering::AcqRel) {
            let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(listener) = listener {
                // An app's listener that fails has been told all the same.
                let _ = listener.woken();
            }
        }
    }

    pub(crate) fn listen(&self, listener: Option<Arc<dyn WakeListener>>) {
        let before = {
            let mut slot = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *slot, listener)
        };
        // Letting go of it may run code of the app's.
        drop(before);
    }
}

/// The words of a panic.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&'static str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, OpenOptions};
    use mailkeep::{EngineOptions, MemoryStorage};

    #[test]
    fn a_panic_closes_the_engine_and_the_store_opens_again() {
        let storage = MemoryStorage::new();
        let engine = Engine::over(storage.clone(), EngineOptions::new(1)).expect("memory opens");
        let account = engine.add_account(crate::imap_settings("a".into(), "h".into(), "u".into()));
        account.expect("the settings are whole");
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let outcome = engine.guard.call(|_| -> mailkeep::Result<()> { panic!("planted {}", 1) });
        std::panic::set_hook(before);
        let error = outcome.expect_err("it panicked");
        assert_eq!((error.code(), error.fault()), (400, crate::Fault::Engine));
        assert!(error.text().contains("planted 1"), "{error}");
        assert!(matches!(engine.accounts(), Err(MailkeepError::Closed { code: 107, .. })));
        let again = Engine::over(storage, EngineOptions::new(1)).expect("the place is free");
        assert_eq!(again.accounts().expect("it reads").len(), 1, "what was acknowledged is there");
    }

    struct Listener(Mutex<Vec<i64>>, Mutex<Option<Arc<Engine>>>);

    impl WakeListener for Listener {
        fn woken(&self) -> Result<()> {
            // Calls back into the engine, which would block if a lock were held.
            let engine = self.1.lock().expect("no panic holds it").clone();
            while let Some(id) = engine.as_ref().and_then(|engine| engine.poll_wake()) {
                self.0.lock().expect("no panic holds it").push(id);
            }
            Ok(())
        }
    }

    #[test]
    fn a_listener_is_told_when_no_lock_is_held() {
        let engine = Engine::in_memory(OpenOptions::small(1)).expect("memory opens");
        let settings = crate::imap_settings("a".into(), "h".into(), "u".into());
        let account = engine.add_account(settings).expect("the settings are whole");
        let options = crate::ConnectionOptions::new(vec![1; 32].into(), true);
        let connection = engine.connect(account, options).expect("the account is there");
        let listener = Arc::new(Listener(Mutex::default(), Mutex::new(Some(engine.clone()))));
        engine.set_wake_listener(Some(listener.clone()));
        engine.create_mailbox(account, "New".into(), false, None, 5).expect("it can be made");
        assert_eq!(*listener.0.lock().expect("no panic holds it"), [connection.id()]);
        engine.set_wake_listener(None);
        engine.create_mailbox(account, "Newer".into(), false, None, 6).expect("it can be made");
        assert_eq!(engine.poll_wake(), Some(connection.id()), "it can be asked for too");
    }
}
