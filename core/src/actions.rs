//! What a person does, on the engine: written at once, shown at once, and replayed when a connection comes.

use std::collections::BTreeSet;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::flags::{FlagSet, Flags};
use crate::ids::{AccountId, MailboxId, MessageId, OperationId};
use crate::imap::mailbox_name;
use crate::journal::{Draft, FlagChange, NewMailbox, Operation};
use crate::message;
use crate::model::{MailboxKind, Role};
use crate::store::actions::append::{self, NewMessage};
use crate::store::actions::flags::{self, Change};
use crate::store::actions::mailbox::{self, Name};
use crate::store::actions::{each, pending, place};
use crate::store::batch::StagedBody;
use crate::store::plan::{self, Outgoing};
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

    /// Moves messages to another mailbox. Into a mailbox of this device they are brought whole first, and go from the server
    /// after that; out of one they are sent.
    ///
    /// To a mailbox of another account a copy is sent, and the message goes from its own server once the copy is on the
    /// other, or on this device. The copy has an id of its own. Its body has to be here ([`Connection::fetch`] brings it).
    /// Such messages are taken a few at a time: after an error some may have been moved, each of them whole.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::NotPermitted`], [`Error::Invalid`] for a mailbox that can hold none, and for another account's
    /// where a body is not here, or where the message is not on an IMAP server: copy it, and delete it when you see fit.
    ///
    /// [`Connection::fetch`]: crate::Connection::fetch
    pub fn move_messages(&self, now: Now, messages: &[MessageId], to: MailboxId) -> Result<u64> {
        let (own, others) = self.by_account(messages, to)?;
        let carried = self.carry(now, &others, to, true)?.len() as u64;
        if own.is_empty() && carried > 0 {
            return Ok(carried);
        }
        let moved = self.act_on(now, &own, |w| each(w, &own, |w, id| place::move_to(w, id, to)))?;
        Ok(moved + carried)
    }

    /// Copies messages into a mailbox, of their account or another, and says what the copies are called: first those of messages
    /// of other accounts.
    ///
    /// # Errors
    /// As [`Engine::move_messages`]; a message of another account may be on any server or none.
    pub fn copy_messages(&self, now: Now, messages: &[MessageId], to: MailboxId) -> Result<Vec<MessageId>> {
        let (own, others) = self.by_account(messages, to)?;
        let mut copies = self.carry(now, &others, to, false)?;
        if own.is_empty() && !copies.is_empty() {
            return Ok(copies);
        }
        self.act_on(now, &own, |w| {
            copies.truncate(others.len());
            each(w, &own, |w, id| {
                copies.push(place::copy_to(w, id, to)?);
                Ok(())
            })
        })?;
        Ok(copies)
    }

    /// Which of some messages are in the account of a mailbox, and which in others.
    fn by_account(&self, messages: &[MessageId], to: MailboxId) -> Result<(Vec<MessageId>, Vec<MessageId>)> {
        let tables = self.shared.store.read()?.tables;
        let account = query::mailbox(&tables, to)?.account;
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for id in messages {
            let elsewhere = match query::message_record(&tables, *id)? {
                Some(record) => query::mailbox(&tables, record.mailbox)?.account != account,
                None => false,
            };
            if elsewhere { others.push(*id) } else { own.push(*id) }
        }
        Ok((own, others))
    }

    /// Puts copies of messages of other accounts into a mailbox.
    fn carry(&self, now: Now, messages: &[MessageId], to: MailboxId, moves: bool) -> Result<Vec<MessageId>> {
        /// Octets that are on their way through memory at a time.
        const AT_ONCE: usize = 4 << 20;
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        self.can_be_carried(messages, moves)?;
        let mut copies = Vec::with_capacity(messages.len());
        let mut accounts = BTreeSet::from([self.mailbox(to)?.account]);
        let mut rest = messages;
        while !rest.is_empty() {
            let mut some = Vec::new();
            let mut octets = 0;
            while let Some((id, others)) = rest.split_first().filter(|_| octets < AT_ONCE) {
                rest = others;
                let outgoing = plan::outgoing(&self.shared.store.read()?.tables, *id)?;
                let Some(Outgoing { raw, mut flags, internal_date }) = outgoing else { continue };
                // What is marked there as deleted is not to be deleted here.
                flags.flags = flags.flags.difference(Flags::DELETED);
                octets += raw.len();
                some.push((*id, self.staged(&raw, flags, internal_date)));
            }
            self.act(now, |w| {
                for (id, copy) in some {
                    accounts
                        .extend(w.message(id)?.map(|m| w.mailbox(m.mailbox).map(|m| m.account)).transpose()?);
                    match append::carry(w, id, to, copy, moves) {
                        Ok(new) => copies.push(new),
                        Err(Error::Gone("message")) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            })?;
        }
        for account in accounts {
            self.shared.wake_account(account);
        }
        if copies.is_empty() { Err(Error::Gone("message")) } else { Ok(copies) }
    }

    /// Whether messages can go to another account as they are.
    fn can_be_carried(&self, messages: &[MessageId], moves: bool) -> Result<()> {
        let invalid = |why: &str| Err(Error::Invalid { what: "message", why: why.to_owned() });
        let tables = self.shared.store.read()?.tables;
        for id in messages {
            let Some(record) = query::message_record(&tables, *id)? else { continue };
            if query::content_record(&tables, record.content)?.is_none_or(|c| c.body.is_none()) {
                return invalid("it is to go to another account, and its body is not here: fetch it first");
            }
            let on_server = query::mailbox(&tables, record.mailbox)?.kind == MailboxKind::Server;
            if moves && !(on_server && record.is_placed()) {
                // It would have to go from here before the other server has it.
                return invalid(
                    "it is on no IMAP server: copy it to the other account, and delete it after that",
                );
            }
        }
        Ok(())
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
            let mut accounts = BTreeSet::new();
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
        let internal_date = draft.internal_date.unwrap_or(now.wall_ms).div_euclid(1000) * 1000;
        Ok(self.staged(&raw, draft.flags, internal_date))
    }

    fn staged(&self, raw: &[u8], flags: FlagSet, internal_date: i64) -> NewMessage {
        let mut body = StagedBody::new(self.shared.store.new_blob(), raw.len() as u64);
        body.push(raw);
        let reading = body.read(&self.shared.limits);
        NewMessage { body, reading, flags, internal_date }
    }
}

fn wire_name(name: &str) -> Name {
    Name { text: name.to_owned(), wire: mailbox_name::encode(name, false) }
}
