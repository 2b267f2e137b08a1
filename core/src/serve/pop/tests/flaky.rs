//! Mail in a store that fails where it is told to.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use crate::ids::MailboxId;
use crate::message::Description;
use crate::sasl::server::Verifier;
use crate::serve::backend::*;
use crate::serve::memory::{MemoryMail, MemoryUsers};
use crate::set::UidSet;

/// The memory store, where the calls that are named fail.
#[derive(Clone)]
pub(super) struct Flaky {
    pub(super) users: MemoryUsers,
    broken: Arc<Mutex<Vec<&'static str>>>,
}

pub(super) struct FlakyMail {
    mail: MemoryMail,
    broken: Arc<Mutex<Vec<&'static str>>>,
}

impl Flaky {
    pub(super) fn new(users: &MemoryUsers) -> Flaky {
        Flaky { users: users.clone(), broken: Arc::default() }
    }

    /// These calls fail from now on, and no others.
    pub(super) fn set_broken(&self, calls: &[&'static str]) {
        *self.broken.lock().expect("no panic held it") = calls.to_vec();
    }
}

impl FlakyMail {
    fn works(&self, call: &'static str) -> Result<()> {
        match self.broken.lock().expect("no panic held it").contains(&call) {
            true => Err(Refusal::Failed(format!("{call} is broken"))),
            false => Ok(()),
        }
    }
}

impl Users for Flaky {
    type Backend = FlakyMail;

    fn verifier(&self, user: &str) -> Option<Verifier> {
        self.users.verifier(user)
    }

    fn open(&self, user: &str) -> Result<FlakyMail> {
        let mail = FlakyMail { mail: self.users.open(user)?, broken: self.broken.clone() };
        mail.works("open").map(|()| mail)
    }
}

/// Calls that go to the memory store, unless they are broken.
macro_rules! pass_on {
    ($(fn $name:ident(&self $(, $argument:ident: $type:ty)*) -> $answer:ty;)*) => {
        $(fn $name(&self $(, $argument: $type)*) -> Result<$answer> {
            self.works(stringify!($name))?;
            self.mail.$name($($argument),*)
        })*
    };
}

impl Backend for FlakyMail {
    type Upload = Vec<u8>;
    type Content = Arc<Vec<u8>>;
    type Maildrop = MaildropGuard;

    fn revision(&self) -> u64 {
        self.mail.revision()
    }

    fn read<'c>(&self, content: &'c Arc<Vec<u8>>, octets: Range<u64>) -> Result<Cow<'c, [u8]>> {
        self.works("read")?;
        let mut read = self.mail.read(content, octets)?;
        if self.works("end").is_err() {
            read.to_mut().pop();
        }
        Ok(read)
    }

    pass_on! {
        fn mailboxes(&self) -> Vec<Mailbox>;
        fn status(&self, mailbox: MailboxId) -> Status;
        fn create(&self, name: &str, special_use: &[String]) -> MailboxId;
        fn delete(&self, mailbox: MailboxId) -> ();
        fn rename(&self, mailbox: MailboxId, to: &str) -> ();
        fn subscribe(&self, name: &str, subscribed: bool) -> ();
        fn rows(&self, mailbox: MailboxId, from: u32, most: usize) -> Vec<Row>;
        fn changes(&self, mailbox: MailboxId, since: u64) -> Changes;
        fn facts(&self, mailbox: MailboxId, uid: u32) -> Option<Facts>;
        fn description(&self, mailbox: MailboxId, uid: u32) -> Option<Arc<Description>>;
        fn content(&self, mailbox: MailboxId, uid: u32) -> Option<Arc<Vec<u8>>>;
        fn text_size(&self, mailbox: MailboxId, uid: u32) -> Option<u64>;
        fn lock_maildrop(&self) -> MaildropGuard;
        fn preview(&self, mailbox: MailboxId, uid: u32) -> Option<String>;
        fn store(&self, mailbox: MailboxId, uids: &UidSet, change: &FlagChange<'_>) -> Stored;
        fn expunge(&self, mailbox: MailboxId, uids: Option<&UidSet>) -> UidSet;
        fn copy(&self, from: MailboxId, uids: &UidSet, to: MailboxId, remove: bool) -> Copied;
        fn begin_upload(&self, to: MailboxId, octets: u64, replaces: Option<(MailboxId, u32)>) -> Vec<u8>;
        fn upload(&self, upload: &mut Vec<u8>, octets: &[u8]) -> ();
        fn append(
            &self,
            to: MailboxId,
            messages: Vec<Appended<Vec<u8>>>,
            replaces: Option<(MailboxId, u32)>
        ) -> Copied;
    }
}
