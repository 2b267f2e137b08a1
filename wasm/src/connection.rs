//! One connection: what the worker's run loop turns.

use js_sys::Array;
use mailkeep::sasl::{ChannelBinding, Credentials, Secret};
use mailkeep::{AccountId, Connection, ConnectionOptions, Engine, RequestId, SyncScope, WorkLimit};
use wasm_bindgen::prelude::*;

use crate::error::{Answer, invalid};
use crate::given::{self, Fields};
use crate::json::Value;
use crate::{events, now};

/// One connection of the engine, without the socket.
///
/// After every call that takes something in, and after every wish, [`RawConnection::take_transmit`] and `take_events` are called: they answer what
/// there is to send and to tell.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawConnection {
    connection: Inner,
    more: bool,
}

/// A connection has no debugging text of its own.
struct Inner(Connection);

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({})", self.0.id())
    }
}

#[wasm_bindgen]
impl RawConnection {
    /// Its id, which [`RawEngine::take_wakes`](crate::RawEngine::take_wakes) names.
    pub fn id(&self) -> u32 {
        self.connection.0.id().0
    }

    /// Bytes came from the server. Answers how many were taken; the rest is to be given again, in front of what comes
    /// next.
    #[wasm_bindgen(js_name = handleInput)]
    pub fn handle_input(&mut self, input: &[u8]) -> Answer<u32> {
        let progress = self.connection.0.handle_input(now(), input)?;
        self.more = progress.more;
        Ok(progress.consumed as u32)
    }

    /// Whether the last input left something to do: call again, with the rest or with nothing.
    pub fn more(&self) -> bool {
        self.more
    }

    /// The transport ended.
    #[wasm_bindgen(js_name = handleEof)]
    pub fn handle_eof(&mut self) -> Answer<()> {
        self.more = false;
        Ok(self.connection.0.handle_eof(now())?)
    }

    /// The time that was asked for has come.
    #[wasm_bindgen(js_name = handleTimeout)]
    pub fn handle_timeout(&mut self) -> Answer<()> {
        Ok(self.connection.0.handle_timeout(now())?)
    }

    /// Another connection is done with what this one wanted.
    #[wasm_bindgen(js_name = handleWake)]
    pub fn handle_wake(&mut self) -> Answer<()> {
        Ok(self.connection.0.handle_wake(now())?)
    }

    /// TLS stands. The binding's kind and data come together or not at all.
    #[wasm_bindgen(js_name = handleTlsStarted)]
    pub fn handle_tls_started(&mut self, kind: Option<String>, data: Option<Vec<u8>>) -> Answer<()> {
        let binding = kind.zip(data).map(|(kind, data)| ChannelBinding { kind, data });
        Ok(self.connection.0.handle_tls_started(now(), binding)?)
    }

    /// Everything there is to send, as an array of byte arrays.
    #[wasm_bindgen(js_name = takeTransmit)]
    pub fn take_transmit(&mut self) -> Array {
        let pieces = std::iter::from_fn(|| self.connection.0.poll_transmit());
        pieces.map(|bytes| js_sys::Uint8Array::from(bytes.as_slice())).collect()
    }

    /// Everything there is to tell, as a JSON array; `undefined` for nothing.
    #[wasm_bindgen(js_name = takeEvents)]
    pub fn take_events(&mut self) -> Option<String> {
        let mut events = std::iter::from_fn(|| self.connection.0.poll_event()).peekable();
        events.peek()?;
        Some(Value::array(events.map(|event| events::event(&event))).into_string())
    }

    /// Milliseconds until [`RawConnection::handle_timeout`] is to be called; `undefined` for never.
    #[wasm_bindgen(js_name = timeoutIn)]
    pub fn timeout_in(&self) -> Option<f64> {
        let at = self.connection.0.poll_timeout()?;
        Some(at.saturating_sub(now().mono_ms) as f64)
    }

    /// Whether the connection is of no more use.
    #[wasm_bindgen(js_name = isClosed)]
    pub fn is_closed(&self) -> bool {
        self.connection.0.is_closed()
    }

    /// How much each call may do from now on.
    #[wasm_bindgen(js_name = setWorkLimit)]
    pub fn set_work_limit(&mut self, bytes: u32, responses: u32) {
        self.connection.0.set_work_limit(WorkLimit { bytes: bytes as usize, responses: responses as usize });
    }

    /// A password, asked for or given ahead.
    #[wasm_bindgen(js_name = providePassword)]
    pub fn provide_password(
        &mut self,
        user: String,
        password: String,
        authzid: Option<String>,
    ) -> Answer<()> {
        self.provide(Credentials::Password { user, authzid, password: Secret::new(password) })
    }

    /// An OAuth access token. `host` and `port` are the server's as connected to.
    #[wasm_bindgen(js_name = provideToken)]
    pub fn provide_token(&mut self, user: String, token: String, host: String, port: u16) -> Answer<()> {
        self.provide(Credentials::OAuth { user, token: Secret::new(token), host, port })
    }

    /// What the transport shows (EXTERNAL).
    #[wasm_bindgen(js_name = provideExternal)]
    pub fn provide_external(&mut self, authzid: Option<String>) -> Answer<()> {
        self.provide(Credentials::External { authzid })
    }

    /// Nobody in particular (ANONYMOUS).
    #[wasm_bindgen(js_name = provideAnonymous)]
    pub fn provide_anonymous(&mut self, trace: String) -> Answer<()> {
        self.provide(Credentials::Anonymous { trace })
    }

    /// There are no credentials: the connection ends.
    #[wasm_bindgen(js_name = declineCredentials)]
    pub fn decline_credentials(&mut self) {
        self.connection.0.decline_credentials();
    }

    /// Brings the account, or some mailboxes, into step. `bodies` overrides the account's policy this time.
    pub fn sync(&mut self, mailboxes: Option<Vec<f64>>, bodies: &JsValue) -> Answer<u32> {
        let mut scope = match mailboxes {
            Some(ids) => {
                let ids: mailkeep::Result<Vec<_>> = ids.into_iter().map(given::mailbox).collect();
                SyncScope::only(ids?)
            }
            None => SyncScope::account(),
        };
        if !bodies.is_undefined() {
            scope = scope.with_bodies(given::bodies(bodies)?);
        }
        Ok(self.connection.0.sync(scope).0)
    }

    /// Brings one message here whole, or one part of it.
    pub fn fetch(&mut self, message: f64, part: Option<String>) -> Answer<u32> {
        let message = given::message(message)?;
        let request = match part {
            Some(number) => self.connection.0.fetch_part(message, number),
            None => self.connection.0.fetch(message),
        };
        Ok(request.0)
    }

    /// Watches mailboxes whenever nothing else is to be done.
    pub fn watch(&mut self, mailboxes: &[f64]) -> Answer<u32> {
        let ids: mailkeep::Result<Vec<_>> = mailboxes.iter().copied().map(given::mailbox).collect();
        Ok(self.connection.0.watch(ids?).0)
    }

    /// Watches no longer.
    #[wasm_bindgen(js_name = stopWatching)]
    pub fn stop_watching(&mut self) {
        self.connection.0.stop_watching();
    }

    /// Signs out and closes, when everything asked before is done.
    pub fn logout(&mut self) -> u32 {
        self.connection.0.logout().0
    }

    /// Takes a request back, at the next point where nothing is lost by it.
    pub fn cancel(&mut self, request: u32) {
        self.connection.0.cancel(RequestId(request));
    }
}

impl RawConnection {
    pub(crate) fn begin(
        engine: &Engine,
        account: AccountId,
        seed: &[u8],
        options: &JsValue,
    ) -> Answer<RawConnection> {
        let seed = seed.try_into().map_err(|_| invalid("seed", "32 octets are wanted"))?;
        let fields = Fields(options);
        let mut made = ConnectionOptions::new(seed, fields.flag("secure")?.unwrap_or(false));
        made.timeout_ms = fields.number("timeoutMs")?.unwrap_or(made.timeout_ms);
        made.idle_reissue_ms = fields.number("idleReissueMs")?.unwrap_or(made.idle_reissue_ms);
        made.poll_ms = fields.number("pollMs")?.unwrap_or(made.poll_ms);
        Ok(RawConnection { connection: Inner(engine.connect(account, made)?), more: false })
    }

    fn provide(&mut self, credentials: Credentials) -> Answer<()> {
        Ok(self.connection.0.provide_credentials(credentials)?)
    }
}
