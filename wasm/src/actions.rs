//! What a person does, and the journal of it.

use mailkeep::flags::FlagSet;
use mailkeep::{Draft, FlagChange, LeftoverAction, NewMailbox, OperationId};
use wasm_bindgen::prelude::*;

use crate::engine::RawEngine;
use crate::error::Answer;
use crate::given;
use crate::json::Value;
use crate::{now, records};

#[wasm_bindgen]
impl RawEngine {
    /// Sets and clears flags and keywords by their spelling on the wire.
    #[wasm_bindgen(js_name = setFlags)]
    pub fn set_flags(&self, messages: &[f64], add: Vec<String>, remove: Vec<String>) -> Answer<f64> {
        let change = add.iter().fold(FlagChange::default(), |change, word| change.set(word));
        let change = remove.iter().fold(change, |change, word| change.clear(word));
        Ok(self.engine.set_flags(now(), &given::messages(messages)?, &change)? as f64)
    }

    /// These flags and keywords and no others.
    #[wasm_bindgen(js_name = replaceFlags)]
    pub fn replace_flags(&self, messages: &[f64], words: Vec<String>) -> Answer<f64> {
        let mut set = FlagSet::default();
        words.iter().for_each(|word| set.insert_wire(word.as_bytes()));
        Ok(self.engine.set_flags(now(), &given::messages(messages)?, &FlagChange::exactly(set))? as f64)
    }

    /// Moves messages to another mailbox; to one of another account a copy is sent first, and its body has to be here.
    #[wasm_bindgen(js_name = moveMessages)]
    pub fn move_messages(&self, messages: &[f64], to: f64) -> Answer<f64> {
        Ok(self.engine.move_messages(now(), &given::messages(messages)?, given::mailbox(to)?)? as f64)
    }

    /// Copies messages, and answers the copies.
    #[wasm_bindgen(js_name = copyMessages)]
    pub fn copy_messages(&self, messages: &[f64], to: f64) -> Answer<Vec<f64>> {
        let copies = self.engine.copy_messages(now(), &given::messages(messages)?, given::mailbox(to)?)?;
        Ok(copies.into_iter().map(|id| id.0 as f64).collect())
    }

    /// Deletes messages into the Trash; out of it for good.
    #[wasm_bindgen(js_name = deleteMessages)]
    pub fn delete_messages(&self, messages: &[f64]) -> Answer<f64> {
        Ok(self.engine.delete_messages(now(), &given::messages(messages)?)? as f64)
    }

    /// Deletes messages for good.
    #[wasm_bindgen(js_name = expungeMessages)]
    pub fn expunge_messages(&self, messages: &[f64]) -> Answer<f64> {
        Ok(self.engine.expunge_messages(now(), &given::messages(messages)?)? as f64)
    }

    /// Moves messages to the account's archive.
    #[wasm_bindgen(js_name = archiveMessages)]
    pub fn archive_messages(&self, messages: &[f64]) -> Answer<f64> {
        Ok(self.engine.archive_messages(now(), &given::messages(messages)?)? as f64)
    }

    /// Puts a message from this device into a mailbox.
    pub fn append(
        &self,
        to: f64,
        raw: Vec<u8>,
        flags: Vec<String>,
        internal_date: Option<f64>,
    ) -> Answer<f64> {
        let draft = draft(raw, &flags, internal_date);
        Ok(self.engine.append(now(), given::mailbox(to)?, draft)?.0 as f64)
    }

    /// Saves a draft in the place of an older version.
    #[wasm_bindgen(js_name = replaceDraft)]
    pub fn replace_draft(
        &self,
        old: f64,
        raw: Vec<u8>,
        flags: Vec<String>,
        internal_date: Option<f64>,
    ) -> Answer<f64> {
        let draft = draft(raw, &flags, internal_date);
        Ok(self.engine.replace_draft(now(), given::message(old)?, draft)?.0 as f64)
    }

    /// Marks everything read that is in a mailbox now.
    #[wasm_bindgen(js_name = markAllRead)]
    pub fn mark_all_read(&self, mailbox: f64) -> Answer<f64> {
        Ok(self.engine.mark_all_read(now(), given::mailbox(mailbox)?)? as f64)
    }

    /// Deletes everything for good that is in a mailbox now.
    #[wasm_bindgen(js_name = emptyMailbox)]
    pub fn empty_mailbox(&self, mailbox: f64) -> Answer<f64> {
        Ok(self.engine.empty_mailbox(now(), given::mailbox(mailbox)?)? as f64)
    }

    /// Makes a mailbox, on the server or on this device only.
    #[wasm_bindgen(js_name = createMailbox)]
    pub fn create_mailbox(&self, account: f64, name: &str, local: bool, role: Option<String>) -> Answer<f64> {
        let mut new = NewMailbox::named(name);
        if local {
            new = new.local();
        }
        if let Some(word) = role {
            new = new.for_role(given::role(&word)?);
        }
        Ok(f64::from(self.engine.create_mailbox(now(), given::account(account)?, new)?.0))
    }

    /// Gives a mailbox another full name.
    #[wasm_bindgen(js_name = renameMailbox)]
    pub fn rename_mailbox(&self, mailbox: f64, name: &str) -> Answer<()> {
        Ok(self.engine.rename_mailbox(now(), given::mailbox(mailbox)?, name)?)
    }

    /// Deletes a mailbox and what is in it.
    #[wasm_bindgen(js_name = deleteMailbox)]
    pub fn delete_mailbox(&self, mailbox: f64) -> Answer<()> {
        Ok(self.engine.delete_mailbox(now(), given::mailbox(mailbox)?)?)
    }

    /// Subscribes to a mailbox, or no longer.
    pub fn subscribe(&self, mailbox: f64, on: bool) -> Answer<()> {
        Ok(self.engine.subscribe(now(), given::mailbox(mailbox)?, on)?)
    }

    /// What was done and no server has confirmed.
    pub fn pending(&self, account: Option<f64>) -> Answer<String> {
        let account = account.map(given::account).transpose()?;
        Ok(Value::array(self.engine.pending(account)?.iter().map(records::operation)).into_string())
    }

    /// Takes an operation back that waits, or forgets one that was set aside.
    #[wasm_bindgen(js_name = cancelOperation)]
    pub fn cancel_operation(&self, operation: f64) -> Answer<()> {
        Ok(self.engine.cancel_operation(now(), self::operation(operation)?)?)
    }

    /// Tries an operation again that was set aside.
    #[wasm_bindgen(js_name = retryOperation)]
    pub fn retry_operation(&self, operation: f64) -> Answer<()> {
        Ok(self.engine.retry_operation(now(), self::operation(operation)?)?)
    }

    /// Points an account at another server that has the same mail.
    #[wasm_bindgen(js_name = convertAccount)]
    pub fn convert_account(&self, account: f64, settings: &JsValue) -> Answer<()> {
        let settings = given::new_settings(settings)?;
        Ok(self.engine.convert_account(now(), given::account(account)?, settings)?)
    }

    /// How far an account's conversion has come.
    pub fn conversion(&self, account: f64) -> Answer<String> {
        Ok(records::conversion(&self.engine.conversion(given::account(account)?)?).into_string())
    }

    /// Ends a conversion: `upload`, `forget`, or `keep` with a mailbox of this device.
    #[wasm_bindgen(js_name = finishConversion)]
    pub fn finish_conversion(&self, account: f64, action: &str, keep_in: Option<f64>) -> Answer<f64> {
        let action = match (action, keep_in) {
            ("upload", None) => LeftoverAction::Upload,
            ("forget", None) => LeftoverAction::Forget,
            ("keep", Some(mailbox)) => LeftoverAction::KeepIn(given::mailbox(mailbox)?),
            _ => return Err(given::unknown("action", action).into()),
        };
        Ok(self.engine.finish_conversion(now(), given::account(account)?, action)? as f64)
    }
}

fn draft(raw: Vec<u8>, flags: &[String], internal_date: Option<f64>) -> Draft {
    let draft = flags.iter().fold(Draft::new(raw), |draft, word| draft.flag(word));
    match internal_date {
        Some(date) => draft.received_at(date as i64),
        None => draft,
    }
}

fn operation(id: f64) -> mailkeep::Result<OperationId> {
    given::whole("operation", id).map(OperationId)
}
