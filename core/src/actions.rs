//! What a person does, on the engine: written at once, shown at once, and replayed when a connection comes.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::flags::{FlagSet, Flags};
use crate::ids::{AccountId, MailboxId, MessageId, OperationId};
use crate::imap::mailbox_name;
use crate::journal::{Draft, FlagChange, NewMailbox, Operation};
use crate::message;
use crate::model::Role;
use crate::store::actions::append::{self, NewMessage};
use crate::store::actions::flags::{self, Change};
use crate::store::actions::mailbox::{self, Name};
use crate::store::actions::{each, pending, place};
use crate::store::batch::StagedBody;
use crate::store::query;
use crate::store::writer::Writer;
use crate::time::Now;

/// What a person does offline. Every call is durable when it returns and shown in every list; a connection of the account
/// tells the server. [`Engine::pending`] lists what no server has confirmed.
///
/// Calls on several messages act on those that are here; one that went meanwhile is left out, and
/// [`Error::Gone`] says that none was left. Where the server has said that the user may not do it (RFC 4314), the answer is
/// [`Error::NotPermitted`] and nothing is done.
impl Engine {
    /// Sets and clears flags and keywords. The last action wins; what others change meanwhile is kept.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a word that can be no keyword, [`Error::Gone`], [`Error::NotPermitted`].
    pub fn set_flags(&self, now: Now, messages: &[MessageId], change: &FlagChange) -> Result<u64> {
        if let Some(word) = &change.invalid {
            return Err(Error::Invalid { what: "keyword", why: format!("{word:?} cannot be one") });
        }
        let change = if change.exactly {
            Change::Exactly(change.add.clone())
        } else {
            Change::Some(change.add.clone(), change.remove.clone())
        };
        self.act_on(now, messages, |w| each(w, messages, |w, id| flags::change(w, id, &change)))
    }

    /// Moves messages to another mailbox of their account. Into a mailbox of this device they are brought whole first, and
    /// go from the server after that; out of one they are sent.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::Invalid`] for a mailbox of another account or one that can hold none, [`Error::NotPermitted`].
    pub fn move_messages(&self, now: Now, messages: &[MessageId], to: MailboxId) -> Result<u64> {
        self.act_on(now, messages, |w| each(w, messages, |w, id| place::move_to(w, id, to)))
    }

    /// Copies messages into a mailbox of their account, and says what the copies are called.
    ///
    /// # Errors
    /// As [`Engine::move_messages`].
    pub fn copy_messages(&self, now: Now, messages: &[MessageId], to: MailboxId) -> Result<Vec<MessageId>> {
        let mut copies = Vec::new();
        self.act_on(now, messages, |w| {
            copies.clear();
            each(w, messages, |w, id| {
                copies.push(place::copy_to(w, id, to)?);
                Ok(())
            })
        })?;
        Ok(copies)
    }

    /// Deletes messages: into the account's Trash, which is made where there is none; out of the Trash and out of Junk, for
    /// good.
    ///
    /// # Errors
    /// As [`Engine::move_messages`].
    pub fn delete_messages(&self, now: Now, messages: &[MessageId]) -> Result<u64> {
        self.act_on(now, messages, |w| each(w, messages, |w, id| place::delete(w, id, false)))
    }

    /// Deletes messages for good, wherever they are.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::NotPermitted`].
    pub fn expunge_messages(&self, now: Now, messages: &[MessageId]) -> Result<u64> {
        self.act_on(now, messages, |w| each(w, messages, |w, id| place::delete(w, id, true)))
    }

    /// Moves messages to the account's archive: the mailbox with that role, else the one that has every message, else one
    /// that is made.
    ///
    /// # Errors
    /// As [`Engine::move_messages`].
    pub fn archive_messages(&self, now: Now, messages: &[MessageId]) -> Result<u64> {
        self.act_on(now, messages, |w| {
            each(w, messages, |w, id| {
                let record = w.message(id)?.ok_or(Error::Gone("message"))?;
                let account = w.mailbox(record.mailbox)?.account;
                let archive = mailbox::with_role(w, account, Role::Archive)?;
                place::move_to(w, id, archive)
            })
        })
    }

    /// Puts a message from this device into a mailbox: a draft, what was sent, an import.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::Invalid`] for an empty or too large message, [`Error::NotPermitted`].
    pub fn append(&self, now: Now, to: MailboxId, draft: Draft) -> Result<MessageId> {
        let message = self.stage(now, draft)?;
        let (id, account) = self.act(now, |w| {
            let id = append::append(w, to, message)?;
            Ok((id, w.mailbox(to)?.account))
        })?;
        self.shared.wake_account(account);
        Ok(id)
    }

    /// Saves a draft again: the newer version stands in the place of the older, which goes from the server once the newer is
    /// there. However often it is saved, one is left.
    ///
    /// # Errors
    /// As [`Engine::append`].
    pub fn replace_draft(&self, now: Now, old: MessageId, draft: Draft) -> Result<MessageId> {
        let message = self.stage(now, draft)?;
        let (id, account) = self.act(now, |w| {
            let id = append::replace(w, old, message)?;
            let mailbox = w.message(id)?.ok_or(Error::Gone("message"))?.mailbox;
            Ok((id, w.mailbox(mailbox)?.account))
        })?;
        self.shared.wake_account(account);
        Ok(id)
    }

    /// Marks everything read that is in a mailbox now. What comes later is not meant.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn mark_all_read(&self, now: Now, mailbox: MailboxId) -> Result<u64> {
        let account = self.mailbox(mailbox)?.account;
        let seen = Change::Some(FlagSet::new(Flags::SEEN), FlagSet::default());
        let done = self.act(now, |w| {
            let all = mailbox::messages(w, mailbox)?;
            each(w, &all, |w, id| flags::change(w, id, &seen))
        })?;
        self.shared.wake_account(account);
        Ok(done)
    }

    /// Deletes everything for good that is in a mailbox now. What comes later is not meant.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::NotPermitted`].
    pub fn empty_mailbox(&self, now: Now, mailbox: MailboxId) -> Result<u64> {
        let account = self.mailbox(mailbox)?.account;
        let done = self.act(now, |w| {
            let all = mailbox::messages(w, mailbox)?;
            each(w, &all, |w, id| place::expunge(w, id, None))
        })?;
        self.shared.wake_account(account);
        Ok(done)
    }

    /// Makes a mailbox, on the server or on this device only. It can be used at once.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that another mailbox has or that none can have, [`Error::NotPermitted`].
    pub fn create_mailbox(&self, now: Now, account: AccountId, new: NewMailbox) -> Result<MailboxId> {
        let NewMailbox { name, local, role } = new;
        let id = self.act(now, |w| {
            query::account(&w.tables, account)?;
            mailbox::create(w, account, wire_name(&name), local, role)
        })?;
        self.shared.wake_account(account);
        Ok(id)
    }

    /// Gives a mailbox another full name. Those below it go with it.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::Invalid`], [`Error::NotPermitted`].
    pub fn rename_mailbox(&self, now: Now, mailbox: MailboxId, name: &str) -> Result<()> {
        self.act_on_mailbox(now, mailbox, |w| mailbox::rename(w, mailbox, wire_name(name)))
    }

    /// Deletes a mailbox and what is in it. Where mail has come into it on the server that was not seen here, the
    /// operation is set aside.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::Invalid`] for the inbox, [`Error::NotPermitted`].
    pub fn delete_mailbox(&self, now: Now, mailbox: MailboxId) -> Result<()> {
        self.act_on_mailbox(now, mailbox, |w| mailbox::delete(w, mailbox))
    }

    /// Subscribes to a mailbox, or no longer.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn subscribe(&self, now: Now, mailbox: MailboxId, on: bool) -> Result<()> {
        self.act_on_mailbox(now, mailbox, |w| mailbox::subscribe(w, mailbox, on))
    }

    /// What was done and no server has confirmed, oldest first.
    ///
    /// # Errors
    /// The storage's.
    pub fn pending(&self, account: Option<AccountId>) -> Result<Vec<Operation>> {
        pending::list(&self.shared.store.read()?.tables, account)
    }

    /// Takes an operation back that waits, or forgets one that was set aside.
    ///
    /// # Errors
    /// [`Error::Gone`] where it is done already, [`Error::Misuse`] where it may have reached the server,
    /// [`Error::Invalid`] for a new mailbox with messages in it.
    pub fn cancel_operation(&self, now: Now, operation: OperationId) -> Result<()> {
        self.act(now, |w| pending::cancel(w, operation))
    }

    /// Tries an operation again that was set aside.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn retry_operation(&self, now: Now, operation: OperationId) -> Result<()> {
        let account = self.act(now, |w| {
            let account = w.operation(operation)?.ok_or(Error::Gone("operation"))?.account;
            pending::retry(w, operation)?;
            Ok(account)
        })?;
        self.shared.wake_account(account);
        Ok(())
    }

    fn act<R>(&self, now: Now, act: impl FnOnce(&mut Writer<'_>) -> Result<R>) -> Result<R> {
        Ok(self.shared.store.write(now.wall_ms, act)?.0)
    }

    fn act_on(
        &self,
        now: Now,
        messages: &[MessageId],
        act: impl FnOnce(&mut Writer<'_>) -> Result<u64>,
    ) -> Result<u64> {
        let (done, accounts) = self.act(now, |w| {
            let mut accounts = std::collections::BTreeSet::new();
            for id in messages {
                if let Some(record) = w.message(*id)? {
                    accounts.insert(w.mailbox(record.mailbox)?.account);
                }
            }
            Ok((act(w)?, accounts))
        })?;
        for account in accounts {
            self.shared.wake_account(account);
        }
        Ok(done)
    }

    fn act_on_mailbox(
        &self,
        now: Now,
        mailbox: MailboxId,
        act: impl FnOnce(&mut Writer<'_>) -> Result<()>,
    ) -> Result<()> {
        let account = self.mailbox(mailbox)?.account;
        self.act(now, act)?;
        self.shared.wake_account(account);
        Ok(())
    }

    /// Hashes and reads a message from this device.
    fn stage(&self, now: Now, draft: Draft) -> Result<NewMessage> {
        let raw = message::canonical_lines(&draft.raw);
        if raw.is_empty() || raw.len() as u64 > self.shared.limits.message {
            let why = if raw.is_empty() { "it is empty".to_owned() } else { format!("{} octets", raw.len()) };
            return Err(Error::Invalid { what: "message", why });
        }
        let mut body = StagedBody::new(self.shared.store.new_blob(), raw.len() as u64);
        body.push(&raw);
        let reading = body.read(&self.shared.limits);
        let internal_date = draft.internal_date.unwrap_or(now.wall_ms).div_euclid(1000) * 1000;
        Ok(NewMessage { body, reading, flags: draft.flags, internal_date })
    }
}

fn wire_name(name: &str) -> Name {
    Name { text: name.to_owned(), wire: mailbox_name::encode(name, false) }
}
