//! What is here: mailboxes, pages, messages, bodies, changes.

use mailkeep::{Cursor, Page};

use crate::bytes::Bytes;
use crate::engine::Engine;
use crate::error::Result;
use crate::model::{Changes, MailboxInfo, Message, MessagePage, Role};
use crate::numbers;

/// Octets that one call gives of a body at most: what all languages can count, and no phone should hold at once.
const MOST: u64 = 256 << 20;

#[uniffi::export]
impl Engine {
    /// An account's mailboxes, in the order in which they came to be known.
    pub fn mailboxes(&self, account: i64) -> Result<Vec<MailboxInfo>> {
        self.call(|engine| {
            let all = engine.mailboxes(numbers::account(account)?)?;
            Ok(all.into_iter().map(MailboxInfo::from).collect())
        })
    }

    /// One mailbox.
    ///
    /// Errors: Gone.
    pub fn mailbox(&self, mailbox: i64) -> Result<MailboxInfo> {
        self.call(|engine| Ok(engine.mailbox(numbers::mailbox(mailbox)?)?.into()))
    }

    /// Says what a mailbox is for, whatever the server says; nothing in particular where there is no role.
    ///
    /// Errors: Gone.
    pub fn choose_role(&self, mailbox: i64, role: Option<Role>) -> Result<()> {
        self.call(|engine| engine.set_role(numbers::mailbox(mailbox)?, Some(role.map(Role::into_core))))
    }

    /// Goes back to the server's word on what a mailbox is for.
    ///
    /// Errors: Gone.
    pub fn take_servers_role(&self, mailbox: i64) -> Result<()> {
        self.call(|engine| engine.set_role(numbers::mailbox(mailbox)?, None))
    }

    /// A page of a mailbox's messages, newest first by INTERNALDATE: at most `limit`, from behind a cursor on.
    ///
    /// Errors: Gone where the mailbox or the cursor's place is no more.
    pub fn messages(&self, mailbox: i64, after: Option<Bytes>, limit: i64) -> Result<MessagePage> {
        self.call(|engine| {
            let after = after.map(|cursor| Cursor::from_bytes(&cursor.0));
            Ok(engine.messages(numbers::mailbox(mailbox)?, after.as_ref(), numbers::length(limit))?.into())
        })
    }

    /// The same page as one packed buffer, several times cheaper to hand over than records where a page is long. Its layout is
    /// described in the engine's module `packed`; each language's own layer reads it.
    ///
    /// Errors: Gone where the mailbox or the cursor's place is no more.
    pub fn messages_packed(&self, mailbox: i64, after: Option<Bytes>, limit: i64) -> Result<Bytes> {
        self.call(|engine| {
            let after = after.map(|cursor| Cursor::from_bytes(&cursor.0));
            let packed =
                engine.messages_packed(numbers::mailbox(mailbox)?, after.as_ref(), numbers::length(limit))?;
            Ok(packed.into())
        })
    }

    /// The row of one message, packed as a page of one: what a list draws again. Reads nothing of the body.
    ///
    /// Errors: Gone.
    pub fn row_packed(&self, message: i64) -> Result<Bytes> {
        self.call(|engine| {
            let row = engine.row(numbers::message(message)?)?;
            Ok(Page { rows: vec![row], next: None }.to_bytes().into())
        })
    }

    /// One message.
    ///
    /// Errors: Gone.
    pub fn message(&self, message: i64) -> Result<Message> {
        self.call(|engine| Ok(engine.message(numbers::message(message)?)?.into()))
    }

    /// Octets of a raw message from `offset` on, at most `len` and at most 256 MiB, fewer at the end; nothing where the
    /// message is not here. Reads only what holds them.
    ///
    /// Errors: Gone.
    pub fn body(&self, message: i64, offset: i64, len: i64) -> Result<Option<Bytes>> {
        self.call(|engine| {
            let (offset, len) = (numbers::unsigned(offset), numbers::unsigned(len).min(MOST));
            Ok(engine.body(numbers::message(message)?, offset, len)?.map(Bytes))
        })
    }

    /// The text of a message for reading; nothing where it is not here.
    ///
    /// Errors: Gone.
    pub fn text(&self, message: i64) -> Result<Option<String>> {
        self.call(|engine| engine.text(numbers::message(message)?))
    }

    /// The HTML of a message as it was sent: not safe to show without a sandbox. Nothing where there is none, or it is not here.
    ///
    /// Errors: Gone.
    pub fn html(&self, message: i64) -> Result<Option<String>> {
        self.call(|engine| engine.html(numbers::message(message)?))
    }

    /// A part of a message by its number (`1.2`), decoded; nothing where there is none, or neither it nor the message is here.
    ///
    /// Errors: Gone.
    pub fn part(&self, message: i64, number: String) -> Result<Option<Bytes>> {
        self.call(|engine| Ok(engine.part(numbers::message(message)?, &number)?.map(Bytes)))
    }

    /// What changed since a commit: what a screen that missed events must draw again.
    pub fn changes_since(&self, commit: i64) -> Result<Changes> {
        self.call(|engine| Ok(engine.changes_since(numbers::unsigned(commit))?.into()))
    }

    /// The number of the last commit in the change feed: where a screen that reads everything now asks from next.
    pub fn last_commit(&self) -> Result<i64> {
        self.call(|engine| Ok(numbers::signed(engine.last_commit())))
    }

    /// New mail that nobody has acknowledged, oldest first, at most `limit`: what a notification should name.
    pub fn new_mail(&self, limit: i64) -> Result<Vec<i64>> {
        self.call(|engine| {
            let all = engine.new_mail(numbers::length(limit))?;
            Ok(all.into_iter().map(|id| numbers::signed(id.0)).collect())
        })
    }

    /// The person has been told of these: they are new no more, on no connection, after no crash.
    pub fn acknowledge_new_mail(&self, messages: Vec<i64>) -> Result<()> {
        self.call(|engine| engine.acknowledge_new_mail(&numbers::messages(&messages)))
    }
}
