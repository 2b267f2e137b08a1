//! What a server session asks of the mail that it serves.
//!
//! A session keeps no mail and no truth of its own: it holds the numbers that it has told its client, and
//! asks the [`Backend`] for everything else. What IMAP promises its clients rests on what is written here.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::flags::FlagSet;
use crate::ids::MailboxId;
use crate::imap::command::StoreAction;
use crate::message::Description;
use crate::sasl::Secret;
use crate::sasl::server::Verifier;
use crate::set::UidSet;
use crate::time::Now;

pub use super::lock::{MaildropGuard, MaildropLock};

/// What a [`Backend`] answers.
pub type Result<T> = std::result::Result<T, Refusal>;

/// Who may sign in, and what they find then.
pub trait Users {
    /// One user's mail.
    type Backend: Backend;

    /// What is kept of a user's password; `None` for nobody.
    fn verifier(&self, user: &str) -> Option<Verifier>;

    /// The mail of a user who has proved who it is.
    ///
    /// # Errors
    /// Where it cannot be had now.
    fn open(&self, user: &str) -> Result<Self::Backend>;

    /// Passwords that can be read, for APOP; `None` where none are kept so, which is the better way.
    fn shared_secrets(&self) -> Option<&dyn SharedSecrets> {
        None
    }
}

/// A store that keeps passwords so that they can be read.
///
/// APOP (RFC 1939 §7) proves a password by the MD5 of a timestamp and the password behind it: nothing that is kept
/// in the password's place can be checked against that, since the timestamp comes first and is new each time. A
/// [`Verifier`] does not suffice, so APOP is offered only where [`Users::shared_secrets`] gives this. Whoever reads
/// such a store has everybody's password; SCRAM asks for no such thing, and protects it as well on the way.
pub trait SharedSecrets {
    /// A user's password; `None` for nobody, or where this one is not kept so.
    fn secret(&self, user: &str) -> Option<Secret>;
}

/// One user's mail, as a session sees it. Many sessions may have it at once; what one does the others find in
/// [`Backend::changes`].
///
/// Of every mailbox it must hold:
/// - UIDs rise and are never used again under one UIDVALIDITY, which does not change while the mailbox is.
/// - Every change (an append, flags, an expunge) has a mod-sequence above all before it; what is done by one
///   call has one mod-sequence, and is seen whole or not at all.
/// - Expunges are remembered with their mod-sequence for as long as [`Changes::complete`] says so.
///
/// Names are UTF-8 with [`Backend::delimiter`] between levels; `INBOX` is there always and spelt so.
pub trait Backend {
    /// A message on its way in.
    type Upload;

    /// The octets of a message, held: they can be read as long as this is there, though the message goes.
    type Content;

    /// A POP3 session's hold on the maildrop; it ends when this is dropped. [`MaildropLock`] will do for a store
    /// that one process has.
    type Maildrop;

    /// A call on the session begins: until [`Backend::end`], reads may be of one moment.
    fn begin(&self, now: Now) {
        let _ = now;
    }

    /// The call is over.
    fn end(&self) {}

    /// What stands between the levels of a name.
    fn delimiter(&self) -> char {
        '/'
    }

    /// Rises with every change to any mailbox, its name, or a subscription: a cheap way to see that there is nothing to ask.
    fn revision(&self) -> u64;

    /// Every mailbox, and every name that is subscribed to without being one; in any order.
    ///
    /// # Errors
    /// The store's.
    fn mailboxes(&self) -> Result<Vec<Mailbox>>;

    /// What STATUS says.
    ///
    /// # Errors
    /// [`Refusal::Nonexistent`], or the store's.
    fn status(&self, mailbox: MailboxId) -> Result<Status>;

    /// HIGHESTMODSEQ alone, expunges counted: asked of every mailbox that a client watches, whenever something has changed
    /// anywhere. It should cost no more than a look.
    ///
    /// # Errors
    /// As [`Backend::status`].
    fn highest_modseq(&self, mailbox: MailboxId) -> Result<u64> {
        Ok(self.status(mailbox)?.highest_modseq)
    }

    /// Makes a mailbox, and what is missing above it.
    ///
    /// # Errors
    /// [`Refusal::AlreadyExists`], [`Refusal::Cannot`], [`Refusal::UseAttr`] for attributes that cannot be
    /// given, or the store's.
    fn create(&self, name: &str, special_use: &[String]) -> Result<MailboxId>;

    /// Deletes a mailbox with its mail. Others below it stay.
    ///
    /// # Errors
    /// [`Refusal::Nonexistent`], [`Refusal::Cannot`] for INBOX, or the store's.
    fn delete(&self, mailbox: MailboxId) -> Result<()>;

    /// Renames a mailbox and what is below it. Renaming INBOX moves its mail to a new one (RFC 9051 §6.3.6).
    ///
    /// # Errors
    /// [`Refusal::Nonexistent`], [`Refusal::AlreadyExists`], [`Refusal::Cannot`], or the store's.
    fn rename(&self, mailbox: MailboxId, to: &str) -> Result<()>;

    /// Subscribes to a name, or no longer, whether there is such a mailbox or not.
    ///
    /// # Errors
    /// The store's.
    fn subscribe(&self, name: &str, subscribed: bool) -> Result<()>;

    /// The messages from a UID on, ascending, at most `most`. What SELECT, SEARCH by flags and FETCH of flags
    /// read: it should touch no more than rows.
    ///
    /// # Errors
    /// [`Refusal::Nonexistent`], or the store's.
    fn rows(&self, mailbox: MailboxId, from: u32, most: usize) -> Result<Vec<Row>>;

    /// What changed above a mod-sequence.
    ///
    /// # Errors
    /// [`Refusal::Nonexistent`], or the store's.
    fn changes(&self, mailbox: MailboxId, since: u64) -> Result<Changes>;

    /// The first UID that no session has been told of yet, for `\Recent` (RFC 3501 §2.3.2); with `claim` this
    /// session is told of all there is. A store that does not keep count has nothing recent.
    ///
    /// # Errors
    /// [`Refusal::Nonexistent`], or the store's.
    fn recent(&self, mailbox: MailboxId, claim: bool) -> Result<u32> {
        let _ = (mailbox, claim);
        Ok(u32::MAX)
    }

    /// What is kept beside a message; `None` where it is not here any more.
    ///
    /// # Errors
    /// The store's.
    fn facts(&self, mailbox: MailboxId, uid: u32) -> Result<Option<Facts>>;

    /// What FETCH says of it: computed once, when it comes in or is first asked for.
    ///
    /// # Errors
    /// The store's.
    fn description(&self, mailbox: MailboxId, uid: u32) -> Result<Option<Arc<Description>>>;

    /// A hold on its octets; `None` where it is not here any more.
    ///
    /// # Errors
    /// The store's.
    fn content(&self, mailbox: MailboxId, uid: u32) -> Result<Option<Self::Content>>;

    /// Octets of a message; fewer only at its end.
    ///
    /// # Errors
    /// The store's.
    fn read<'c>(&self, content: &'c Self::Content, octets: Range<u64>) -> Result<Cow<'c, [u8]>>;

    /// The header of a message, up to and with its blank line; `None` where it is not here any more. Searches and lists of
    /// mail ask for it, message after message: it should be kept beside the message.
    ///
    /// # Errors
    /// The store's.
    fn header(&self, mailbox: MailboxId, uid: u32) -> Result<Option<Vec<u8>>> {
        let Some(description) = self.description(mailbox, uid)? else { return Ok(None) };
        let Some(content) = self.content(mailbox, uid)? else { return Ok(None) };
        Ok(Some(self.read(&content, description.index.header())?.into_owned()))
    }

    /// Octets of a message as POP3 counts and sends them, every line ended by CRLF (RFC 1939 §11;
    /// [`text_size`](crate::wire::text_size)); `None` where it is not here any more. It is asked for every message of
    /// a maildrop, and should be kept beside the message. The default is right for a store in which every line ends so.
    ///
    /// # Errors
    /// The store's.
    fn text_size(&self, mailbox: MailboxId, uid: u32) -> Result<Option<u64>> {
        Ok(self.facts(mailbox, uid)?.map(|facts| facts.size))
    }

    /// Takes the maildrop, which is INBOX, for one POP3 session (RFC 1939 §4). It keeps out other POP3 sessions of
    /// the same user, on every clone of this and every other [`Users::open`]; nobody else. An IMAP session may change
    /// INBOX meanwhile, as it may beside any other.
    ///
    /// # Errors
    /// [`Refusal::InUse`], or the store's.
    fn lock_maildrop(&self) -> Result<Self::Maildrop>;

    /// A line of its text (RFC 8970); `None` where it has no text.
    ///
    /// # Errors
    /// The store's.
    fn preview(&self, mailbox: MailboxId, uid: u32) -> Result<Option<String>>;

    /// Changes flags. Messages above `unchanged_since` are left alone and named. A message whose flags are
    /// already so does not change, nor does its mod-sequence.
    ///
    /// # Errors
    /// [`Refusal::Limit`] for too many keywords, or the store's.
    fn store(&self, mailbox: MailboxId, uids: &UidSet, change: &FlagChange<'_>) -> Result<Stored>;

    /// Removes the messages with `\Deleted`, all or of these UIDs; gives which.
    ///
    /// # Errors
    /// The store's.
    fn expunge(&self, mailbox: MailboxId, uids: Option<&UidSet>) -> Result<UidSet>;

    /// Copies messages, or moves them, all or none, in the order of their UIDs.
    ///
    /// # Errors
    /// [`Refusal::Nonexistent`] of the target, [`Refusal::OverQuota`], or the store's.
    fn copy(&self, from: MailboxId, uids: &UidSet, to: MailboxId, remove: bool) -> Result<Copied>;

    /// Largest message that is taken (RFC 7889).
    fn append_limit(&self) -> Option<u64> {
        None
    }

    /// Begins to take a message of so many octets for a mailbox. What is not finished leaves nothing. With `replaces`, that
    /// message is to go when this one is put there, and its room counts as free.
    ///
    /// # Errors
    /// [`Refusal::OverQuota`], [`Refusal::TooBig`], or the store's.
    fn begin_upload(
        &self,
        to: MailboxId,
        octets: u64,
        replaces: Option<(MailboxId, u32)>,
    ) -> Result<Self::Upload>;

    /// Takes the next octets.
    ///
    /// # Errors
    /// The store's.
    fn upload(&self, upload: &mut Self::Upload, octets: &[u8]) -> Result<()>;

    /// Puts uploaded messages into a mailbox, all or none (RFC 3502). With `replaces`, a mailbox and a UID in it,
    /// that message goes in the same step (RFC 8508).
    ///
    /// # Errors
    /// [`Refusal::Nonexistent`], [`Refusal::OverQuota`], or the store's.
    fn append(
        &self,
        to: MailboxId,
        messages: Vec<Appended<Self::Upload>>,
        replaces: Option<(MailboxId, u32)>,
    ) -> Result<Copied>;

    /// The quota root of everything here, empty where there is none: name, usage, limit (RFC 9208). `STORAGE` counts in units
    /// of 1024 octets, `MESSAGE` in messages.
    ///
    /// # Errors
    /// The store's.
    fn quota(&self) -> Result<Vec<(&'static str, u64, u64)>> {
        Ok(Vec::new())
    }
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No such mailbox.
    #[error("no such mailbox")]
    Nonexistent,
    /// There is one already.
    #[error("it exists already")]
    AlreadyExists,
    /// Never possible, and why.
    #[error("{0}")]
    Cannot(&'static str),
    /// Attributes of special use that cannot be given (RFC 6154 §3).
    #[error("that special use cannot be given")]
    UseAttr,
    /// There is no room.
    #[error("there is no room for it")]
    OverQuota,
    /// Larger than what is taken.
    #[error("the message is too large")]
    TooBig,
    /// Another session has it.
    #[error("another session has it")]
    InUse,
    /// A bound of the store.
    #[error("too many of them")]
    Limit,
    /// The store failed; the text is for the log, not for the client.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// One name in the list of mailboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The mailbox; `None` for a name that is only subscribed to, or only has others below it.
    pub id: Option<MailboxId>,
    /// Its name.
    pub name: String,
    /// Whether it is subscribed to.
    pub subscribed: bool,
    /// `\Sent`, `\Drafts`, … (RFC 6154); empty where it has none.
    pub special_use: Vec<String>,
}

/// What STATUS and SELECT say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// UIDVALIDITY; never 0.
    pub uid_validity: u32,
    /// UIDNEXT
    pub uid_next: u32,
    /// HIGHESTMODSEQ, expunges counted; never 0.
    pub highest_modseq: u64,
    /// MESSAGES
    pub messages: u32,
    /// RECENT (RFC 3501)
    pub recent: u32,
    /// UNSEEN
    pub unseen: u32,
    /// DELETED
    pub deleted: u32,
    /// SIZE
    pub size: u64,
    /// DELETED-STORAGE, in octets
    pub deleted_size: u64,
    /// MAILBOXID (RFC 8474)
    pub object_id: String,
    /// Flags and keywords in use.
    pub flags: FlagSet,
}

/// A message's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// UID
    pub uid: u32,
    /// Its last change.
    pub modseq: u64,
    /// Its flags.
    pub flags: FlagSet,
}

/// What changed in a mailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// New and changed messages that are here, ascending.
    pub rows: Vec<Row>,
    /// UIDs that went.
    pub expunged: UidSet,
    /// The mod-sequence up to which this tells everything.
    pub modseq: u64,
    /// Whether expunges are remembered that far back; where not, whoever asks compares with what is here.
    pub complete: bool,
}

/// What is kept beside a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Octets.
    pub size: u64,
    /// INTERNALDATE in milliseconds since 1970.
    pub internal_date: i64,
    /// SAVEDATE in milliseconds since 1970.
    pub save_date: Option<i64>,
    /// EMAILID (RFC 8474)
    pub email_id: String,
    /// THREADID
    pub thread_id: Option<String>,
}

/// What STORE does.
#[derive(Debug, Clone, Copy)]
pub struct FlagChange<'a> {
    /// How.
    pub action: StoreAction,
    /// Which flags.
    pub flags: &'a FlagSet,
    /// Only to messages whose mod-sequence is not above this.
    pub unchanged_since: Option<u64>,
}

/// What STORE did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// UIDs that were left alone, having changed since.
    pub modified: UidSet,
    /// The mod-sequence that changed messages have now; 0 where none did.
    pub modseq: u64,
}

/// An uploaded message with what APPEND says of it.
#[derive(Debug)]
pub struct Appended<U> {
    /// Its octets.
    pub upload: U,
    /// Its flags.
    pub flags: FlagSet,
    /// INTERNALDATE in milliseconds since 1970.
    pub internal_date: i64,
}

/// Where messages went (RFC 4315).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// UIDVALIDITY of the target.
    pub uid_validity: u32,
    /// Which were copied; empty for an append.
    pub source: UidSet,
    /// What they are there, in the same order.
    pub target: UidSet,
}
