//! Ctrl-C and SIGTERM: the first asks all sessions to stop, the second ends the program.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::exit::{Exit, Failure};
use crate::net::Message;

/// Who is told.
#[derive(Clone, Default)]
pub(crate) struct Interrupt {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    raised: bool,
    listeners: Vec<Sender<Message>>,
}

impl Interrupt {
    /// Takes the signals over. Once in a program.
    pub(crate) fn install() -> Result<Interrupt, Failure> {
        let interrupt = Interrupt::default();
        let handler = interrupt.clone();
        ctrlc::set_handler(move || handler.raise())
            .map_err(|error| Failure::usage(format!("signals cannot be handled here: {error}")))?;
        Ok(interrupt)
    }

    /// Tells `listener` when the user wants to stop; at once where that has been said.
    pub(crate) fn listen(&self, listener: Sender<Message>) {
        let mut state = self.state();
        if state.raised {
            let _ = listener.send(Message::Interrupted);
        }
        state.listeners.push(listener);
    }

    fn raise(&self) {
        let mut state = self.state();
        if std::mem::replace(&mut state.raised, true) {
            // Whatever was committed is durable: the database bears it.
            std::process::exit(Exit::Interrupted as i32);
        }
        state.listeners.retain(|listener| listener.send(Message::Interrupted).is_ok());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
