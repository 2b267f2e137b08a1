//! What a person does, offline or not: durable and shown when the call returns, told to the server when a connection comes.

use mailkeep::flags::{FlagSet, Flags, is_keyword};
use mailkeep::{Draft, Error, FlagChange, NewMailbox};

use crate::bytes::Bytes;
use crate::engine::{Engine, wall};
use crate::error::Result;
use crate::model::{Operation, Role};
use crate::numbers;

/// What a person does, `now_ms` on the wall clock. Calls on several messages act on those that are here and say how many those were; Gone
/// says that none was left. Where the server has said that the user may not do it (RFC 4314), the answer is NotPermitted and
/// nothing is done.
#[uniffi::export]
impl Engine {
    /// Sets and clears flags and keywords by their spelling on the wire (`\Seen`, `$Forwarded`, `todo`). The last action wins;
    /// what others change meanwhile is kept.
    ///
    /// Errors: Invalid for a word that can be no keyword, Gone, NotPermitted.
    pub fn set_flags(
        &self,
        messages: Vec<i64>,
        set: Vec<String>,
        clear: Vec<String>,
        now_ms: i64,
    ) -> Result<i64> {
        let change = set.iter().fold(FlagChange::default(), |change, word| change.set(word));
        let change = clear.iter().fold(change, |change, word| change.clear(word));
        self.change_flags(&messages, &change, now_ms)
    }

    /// Gives messages these flags and keywords and no others.
    ///
    /// Errors: Invalid for a word that can be no keyword, Gone, NotPermitted.
    pub fn replace_flags(&self, messages: Vec<i64>, flags: Vec<String>, now_ms: i64) -> Result<i64> {
        let flags = self.call(|_| flag_set(&flags))?;
        self.change_flags(&messages, &FlagChange::exactly(flags), now_ms)
    }

    /// Moves messages to another mailbox. Into a mailbox of this device they are brought whole first, and go
    /// from the server after that; out of one they are sent.
    ///
    /// To a mailbox of another account a copy is sent, and the message goes from its own server once the copy is there; its body
    /// has to be here.
    ///
    /// Errors: Gone, NotPermitted, Invalid for a mailbox that can hold none, and for another account's where a body is not here or the
    /// message is on no IMAP server.
    pub fn move_messages(&self, messages: Vec<i64>, to: i64, now_ms: i64) -> Result<i64> {
        self.call(|engine| {
            let (messages, to) = (numbers::messages(&messages), numbers::mailbox(to)?);
            Ok(numbers::signed(engine.move_messages(wall(now_ms), &messages, to)?))
        })
    }

    /// Copies messages into a mailbox, of their account or another, and says what the copies are called.
    ///
    /// Errors: as `move_messages`.
    pub fn copy_messages(&self, messages: Vec<i64>, to: i64, now_ms: i64) -> Result<Vec<i64>> {
        self.call(|engine| {
            let (messages, to) = (numbers::messages(&messages), numbers::mailbox(to)?);
            let copies = engine.copy_messages(wall(now_ms), &messages, to)?;
            Ok(copies.into_iter().map(|id| numbers::signed(id.0)).collect())
        })
    }

    /// Deletes messages: into the account's Trash, which is made where there is none; out of the Trash and out of Junk, for good.
    ///
    /// Errors: as `move_messages`.
    pub fn delete_messages(&self, messages: Vec<i64>, now_ms: i64) -> Result<i64> {
        self.call(|engine| {
            Ok(numbers::signed(engine.delete_messages(wall(now_ms), &numbers::messages(&messages))?))
        })
    }

    /// Deletes messages for good, wherever they are.
    ///
    /// Errors: Gone, NotPermitted.
    pub fn expunge_messages(&self, messages: Vec<i64>, now_ms: i64) -> Result<i64> {
        self.call(|engine| {
            Ok(numbers::signed(engine.expunge_messages(wall(now_ms), &numbers::messages(&messages))?))
        })
    }

    /// Moves messages to the account's archive: the mailbox with that role, else the one that has every message, else one that is made.
    ///
    /// Errors: as `move_messages`.
    pub fn archive_messages(&self, messages: Vec<i64>, now_ms: i64) -> Result<i64> {
        self.call(|engine| {
            Ok(numbers::signed(engine.archive_messages(wall(now_ms), &numbers::messages(&messages))?))
        })
    }

    /// Puts an RFC 5322 message from this device into a mailbox: a draft, what was sent, an import. Its INTERNALDATE is
    /// `received_ms`, or now.
    ///
    /// Errors: Gone, Invalid for an empty or too large message, NotPermitted.
    pub fn append(
        &self,
        to: i64,
        raw: Bytes,
        flags: Vec<String>,
        received_ms: Option<i64>,
        now_ms: i64,
    ) -> Result<i64> {
        self.call(|engine| {
            let to = numbers::mailbox(to)?;
            let id = engine.append(wall(now_ms), to, draft(raw, &flags, received_ms))?;
            Ok(numbers::signed(id.0))
        })
    }

    /// Saves a draft again: the newer version stands in the place of the older, which goes from the server once the newer is there.
    ///
    /// Errors: as `append`.
    pub fn replace_draft(
        &self,
        message: i64,
        raw: Bytes,
        flags: Vec<String>,
        received_ms: Option<i64>,
        now_ms: i64,
    ) -> Result<i64> {
        self.call(|engine| {
            let old = numbers::message(message)?;
            let id = engine.replace_draft(wall(now_ms), old, draft(raw, &flags, received_ms))?;
            Ok(numbers::signed(id.0))
        })
    }

    /// Marks everything read that is in a mailbox now, and says how much. What comes later is not meant.
    ///
    /// Errors: Gone.
    pub fn mark_all_read(&self, mailbox: i64, now_ms: i64) -> Result<i64> {
        self.call(|engine| {
            Ok(numbers::signed(engine.mark_all_read(wall(now_ms), numbers::mailbox(mailbox)?)?))
        })
    }

    /// Deletes everything for good that is in a mailbox now, and says how much. What comes later is not meant.
    ///
    /// Errors: Gone, NotPermitted.
    pub fn empty_mailbox(&self, mailbox: i64, now_ms: i64) -> Result<i64> {
        self.call(|engine| {
            Ok(numbers::signed(engine.empty_mailbox(wall(now_ms), numbers::mailbox(mailbox)?)?))
        })
    }

    /// Makes a mailbox by its full name, on the server or on this device only (`local`). It can be used at once.
    ///
    /// Errors: Invalid for a name that another mailbox has or that none can have, Gone, NotPermitted.
    pub fn create_mailbox(
        &self,
        account: i64,
        name: String,
        local: bool,
        role: Option<Role>,
        now_ms: i64,
    ) -> Result<i64> {
        let mut new = NewMailbox::named(name);
        if local {
            new = new.local();
        }
        if let Some(role) = role {
            new = new.for_role(role.into_core());
        }
        self.call(|engine| Ok(engine.create_mailbox(wall(now_ms), numbers::account(account)?, new)?.0.into()))
    }

    /// Gives a mailbox another full name. Those below it go with it.
    ///
    /// Errors: Gone, Invalid, NotPermitted.
    pub fn rename_mailbox(&self, mailbox: i64, name: String, now_ms: i64) -> Result<()> {
        self.call(|engine| engine.rename_mailbox(wall(now_ms), numbers::mailbox(mailbox)?, &name))
    }

    /// Deletes a mailbox and what is in it. Where mail has come into it on the server that was not seen here, the operation
    /// is set aside.
    ///
    /// Errors: Gone, Invalid for the inbox, NotPermitted.
    pub fn delete_mailbox(&self, mailbox: i64, now_ms: i64) -> Result<()> {
        self.call(|engine| engine.delete_mailbox(wall(now_ms), numbers::mailbox(mailbox)?))
    }

    /// Subscribes to a mailbox, or no longer.
    ///
    /// Errors: Gone.
    pub fn subscribe(&self, mailbox: i64, on: bool, now_ms: i64) -> Result<()> {
        self.call(|engine| engine.subscribe(wall(now_ms), numbers::mailbox(mailbox)?, on))
    }

    /// What was done and no server has confirmed, oldest first; of one account, or of all.
    pub fn pending(&self, account: Option<i64>) -> Result<Vec<Operation>> {
        self.call(|engine| {
            let account = account.map(numbers::account).transpose()?;
            Ok(engine.pending(account)?.into_iter().map(Operation::from).collect())
        })
    }

    /// Takes an operation back that waits, or forgets one that was set aside.
    ///
    /// Errors: Gone where it is done already, Misuse where it may have reached the server, Invalid for a new mailbox with messages
    /// in it.
    pub fn cancel_operation(&self, operation: i64, now_ms: i64) -> Result<()> {
        self.call(|engine| engine.cancel_operation(wall(now_ms), numbers::operation(operation)?))
    }

    /// Tries an operation again that was set aside.
    ///
    /// Errors: Gone.
    pub fn retry_operation(&self, operation: i64, now_ms: i64) -> Result<()> {
        self.call(|engine| engine.retry_operation(wall(now_ms), numbers::operation(operation)?))
    }
}

impl Engine {
    fn change_flags(&self, messages: &[i64], change: &FlagChange, now_ms: i64) -> Result<i64> {
        self.call(|engine| {
            Ok(numbers::signed(engine.set_flags(wall(now_ms), &numbers::messages(messages), change)?))
        })
    }
}

fn flag_set(words: &[String]) -> mailkeep::Result<FlagSet> {
    let mut flags = FlagSet::default();
    for word in words {
        if Flags::from_wire(word.as_bytes()).is_none() && !is_keyword(word) {
            return Err(Error::Invalid { what: "keyword", why: format!("{word:?} cannot be one") });
        }
        flags.insert_wire(word.as_bytes());
    }
    Ok(flags)
}

fn draft(raw: Bytes, flags: &[String], received_ms: Option<i64>) -> Draft {
    let draft = flags.iter().fold(Draft::new(raw.0), |draft, word| draft.flag(word));
    match received_ms {
        Some(at) => draft.received_at(at),
        None => draft,
    }
}
