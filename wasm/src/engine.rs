//! The open store: accounts, mailboxes, messages.

use mailkeep::{Change, Changes, Cursor, Engine, EngineOptions, MemoryStorage};
use wasm_bindgen::prelude::*;

use crate::charsets;
use crate::connection::RawConnection;
use crate::error::{Answer, invalid};
use crate::given;
use crate::json::{Json, Value};
use crate::records;
use crate::storage::{BrowserStorage, SyncFile};

/// An open store.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawEngine {
    pub(crate) engine: Engine,
    /// Where the store lives in memory.
    pub(crate) memory: Option<MemoryStorage>,
}

#[wasm_bindgen]
impl RawEngine {
    /// Opens the database in a file; `seed` is randomness below 2^53.
    pub fn open(name: String, file: SyncFile, seed: f64) -> Answer<RawEngine> {
        charsets::lend();
        let storage = BrowserStorage::new(name, file);
        let engine = Engine::open(storage, EngineOptions::small(given::whole("seed", seed)?))?;
        Ok(RawEngine { engine, memory: None })
    }

    /// Opens a database in memory: a new one, or a copy of a database file.
    #[wasm_bindgen(js_name = openMemory)]
    pub fn open_memory(bytes: Option<Vec<u8>>, seed: f64) -> Answer<RawEngine> {
        charsets::lend();
        let storage = bytes.map_or_else(MemoryStorage::new, MemoryStorage::from_bytes);
        let engine = Engine::open(storage.clone(), EngineOptions::small(given::whole("seed", seed)?))?;
        Ok(RawEngine { engine, memory: Some(storage) })
    }

    /// Adds an account with settings over the protocol's usual ones, and answers its id.
    #[wasm_bindgen(js_name = addAccount)]
    pub fn add_account(&self, settings: &JsValue) -> Answer<f64> {
        let id = self.engine.add_account(given::new_settings(settings)?)?;
        Ok(f64::from(id.0))
    }

    /// Changes those settings of an account that are given.
    #[wasm_bindgen(js_name = updateAccount)]
    pub fn update_account(&self, account: f64, settings: &JsValue) -> Answer<()> {
        let id = given::account(account)?;
        let there = self.account_info(id)?;
        if given::protocol(settings)?.is_some_and(|protocol| protocol != there.settings.protocol) {
            return Err(invalid("protocol", "it changes by convertAccount only").into());
        }
        Ok(self.engine.update_account(id, given::settings_over(there.settings, settings)?)?)
    }

    /// Removes an account and its mail from this device.
    #[wasm_bindgen(js_name = removeAccount)]
    pub fn remove_account(&self, account: f64) -> Answer<()> {
        Ok(self.engine.remove_account(given::account(account)?)?)
    }

    /// All accounts.
    pub fn accounts(&self) -> Answer<String> {
        Ok(Value::array(self.engine.accounts()?.iter().map(records::account)).into_string())
    }

    /// An account's mailboxes.
    pub fn mailboxes(&self, account: f64) -> Answer<String> {
        let mailboxes = self.engine.mailboxes(given::account(account)?)?;
        Ok(Value::array(mailboxes.iter().map(records::mailbox)).into_string())
    }

    /// One mailbox.
    pub fn mailbox(&self, mailbox: f64) -> Answer<String> {
        Ok(records::mailbox(&self.engine.mailbox(given::mailbox(mailbox)?)?).into_string())
    }

    /// Says what a mailbox is for: a role's word, `none`, or `server` for whatever the server says.
    #[wasm_bindgen(js_name = setRole)]
    pub fn set_role(&self, mailbox: f64, role: &str) -> Answer<()> {
        let role = match role {
            "server" => None,
            "none" => Some(None),
            word => Some(Some(given::role(word)?)),
        };
        Ok(self.engine.set_role(given::mailbox(mailbox)?, role)?)
    }

    /// A page of messages, packed, newest first, behind the cursor of the page before.
    pub fn messages(&self, mailbox: f64, after: Option<Vec<u8>>, limit: u32) -> Answer<Vec<u8>> {
        let after = after.map(|bytes| Cursor::from_bytes(&bytes));
        Ok(self.engine.messages_packed(given::mailbox(mailbox)?, after.as_ref(), limit as usize)?)
    }

    /// A page of messages, packed, newest first, from a position in the list on.
    #[wasm_bindgen(js_name = messagesAt)]
    pub fn messages_at(&self, mailbox: f64, position: f64, limit: u32) -> Answer<Vec<u8>> {
        let position = given::whole("position", position)?;
        Ok(self.engine.messages_at(given::mailbox(mailbox)?, position, limit as usize)?.to_bytes())
    }

    /// The row of one message, packed as a page of one.
    #[wasm_bindgen(js_name = messageRow)]
    pub fn message_row(&self, message: f64) -> Answer<Vec<u8>> {
        let row = self.engine.row(given::message(message)?)?;
        Ok(mailkeep::Page { rows: vec![row], next: None }.to_bytes())
    }

    /// What is known of one message beside its row.
    #[wasm_bindgen(js_name = messageDetails)]
    pub fn message_details(&self, message: f64) -> Answer<String> {
        Ok(records::details(&self.engine.message(given::message(message)?)?).into_string())
    }

    /// Octets of a raw message; `undefined` where it is not here.
    pub fn body(&self, message: f64, offset: f64, len: f64) -> Answer<Option<Vec<u8>>> {
        let (offset, len) = (given::whole("offset", offset)?, given::whole("len", len)?);
        Ok(self.engine.body(given::message(message)?, offset, len)?)
    }

    /// The text of a message for reading; `undefined` where it is not here.
    pub fn text(&self, message: f64) -> Answer<Option<String>> {
        Ok(self.engine.text(given::message(message)?)?)
    }

    /// The HTML of a message as sent; `undefined` where there is none or it is not here.
    pub fn html(&self, message: f64) -> Answer<Option<String>> {
        Ok(self.engine.html(given::message(message)?)?)
    }

    /// A part by its number, decoded; `undefined` where there is none or it is not here.
    pub fn part(&self, message: f64, number: &str) -> Answer<Option<Vec<u8>>> {
        Ok(self.engine.part(given::message(message)?, number)?)
    }

    /// What changed since a commit: two numbers, then three for each change. First: 1 where the feed reaches back
    /// that far, else 0; where to ask from next. Then: the kind (0 account, 1 mailbox, 2 message added, 3 changed, 4
    /// removed), the account or mailbox, the message.
    #[wasm_bindgen(js_name = changesSince)]
    pub fn changes_since(&self, commit: f64) -> Answer<Vec<f64>> {
        let (reaches, next, changes) = match self.engine.changes_since(given::whole("commit", commit)?)? {
            Changes::Since { changes, next } => (1.0, next, changes),
            Changes::TooOld { next } => (0.0, next, Vec::new()),
        };
        let mut numbers = vec![reaches, next as f64];
        for change in changes {
            let (kind, place, message) = match change {
                Change::Account(account) => (0.0, account.0, 0),
                Change::Mailbox(mailbox) => (1.0, mailbox.0, 0),
                Change::MessageAdded(mailbox, message) => (2.0, mailbox.0, message.0),
                Change::MessageChanged(mailbox, message) => (3.0, mailbox.0, message.0),
                Change::MessageRemoved(mailbox, message) => (4.0, mailbox.0, message.0),
                _ => continue,
            };
            numbers.extend([kind, f64::from(place), message as f64]);
        }
        Ok(numbers)
    }

    /// New mail that nobody has acknowledged.
    #[wasm_bindgen(js_name = newMail)]
    pub fn new_mail(&self, limit: u32) -> Answer<Vec<f64>> {
        Ok(self.engine.new_mail(limit as usize)?.into_iter().map(|id| id.0 as f64).collect())
    }

    /// The person has been told of these.
    #[wasm_bindgen(js_name = acknowledgeNewMail)]
    pub fn acknowledge_new_mail(&self, messages: &[f64]) -> Answer<()> {
        Ok(self.engine.acknowledge_new_mail(&given::messages(messages)?)?)
    }

    /// Figures about the store.
    pub fn stats(&self) -> Answer<String> {
        let stats = self.engine.stats()?;
        let json = Json::object()
            .number("accounts", stats.accounts)
            .number("mailboxes", stats.mailboxes)
            .number("messages", stats.messages)
            .number("octets", stats.octets)
            .number("commit", stats.commit);
        Ok(json.end().into_string())
    }

    /// Begins a connection; `seed` is 32 octets of randomness.
    pub fn connect(&self, account: f64, seed: &[u8], options: &JsValue) -> Answer<RawConnection> {
        RawConnection::begin(&self.engine, given::account(account)?, seed, options)
    }

    /// The connections that have something to do because of another or of the user: to be woken.
    #[wasm_bindgen(js_name = takeWakes)]
    pub fn take_wakes(&self) -> Vec<u32> {
        std::iter::from_fn(|| self.engine.poll_wake()).map(|id| id.0).collect()
    }
}

impl RawEngine {
    fn account_info(&self, id: mailkeep::AccountId) -> mailkeep::Result<mailkeep::AccountInfo> {
        let all = self.engine.accounts()?;
        all.into_iter().find(|info| info.id == id).ok_or(mailkeep::Error::Gone("account"))
    }
}
