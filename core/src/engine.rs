//! The face of the library: open a store, ask it things, connect accounts.

use std::sync::Arc;

use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::ids::{AccountId, ConnectionId, MailboxId, MessageId};
use crate::imap::capability::Capabilities;
use crate::limits::Limits;
use crate::message;
use crate::model::{
    AccountInfo, AccountSettings, Changes, Cursor, MailboxInfo, Message, MessageRow, Page, PopServerInfo,
    Protocol, RetentionEntry, Role, ServedLimits,
};
use crate::options::ConnectionOptions;
use crate::sasl::server::Verifier;
use crate::shared::{Leases, Shared};
use crate::store::shrink::{self, ShrinkProgress};
use crate::store::storage::Storage;
use crate::store::verify::{self, VerifyReport};
use crate::store::{Store, StoreOptions, accounts, ledger, pages, query, retention};
use crate::sync::Driver;
use crate::sync::imap_session::ImapSession;
use crate::sync::pop::PopSession;
use crate::sync::session::Session;

/// How an engine uses memory and disk.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Octets of the database kept in memory.
    pub cache_bytes: usize,
    /// Octets that a batch gathers before it is committed. Larger is faster, up to 8 MiB, since each commit waits
    /// for the disk twice. It costs memory, for two batches are there at a time, and an action beside a sync waits
    /// for a whole one.
    pub batch_bytes: usize,
    /// Keep what makes reopening after an unclean end take milliseconds, at one more sync a commit.
    pub quick_repair: bool,
    /// Bounds on what servers and messages may cost.
    pub limits: Limits,
    /// Randomness that names a new store, so that a restored copy can be told from it.
    pub seed: u64,
}

impl EngineOptions {
    /// For a desktop program.
    pub fn new(seed: u64) -> EngineOptions {
        EngineOptions {
            cache_bytes: 16 << 20,
            batch_bytes: 4 << 20,
            quick_repair: true,
            limits: Limits::DEFAULT,
            seed,
        }
    }

    /// For a phone or a browser: less memory.
    pub fn small(seed: u64) -> EngineOptions {
        EngineOptions { cache_bytes: 8 << 20, batch_bytes: 1 << 20, ..EngineOptions::new(seed) }
    }
}

/// A store of mail, open. `Send` and `Sync`: use it from as many threads as you like, or from one.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

/// Figures about a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Accounts.
    pub accounts: u64,
    /// Mailboxes that are there.
    pub mailboxes: u64,
    /// Messages that are there.
    pub messages: u64,
    /// Their sizes together, in octets.
    pub octets: u64,
    /// The number of the last commit in the change feed.
    pub commit: u64,
}

impl Engine {
    /// Opens the database in a place, making it where nothing is there yet.
    ///
    /// # Errors
    /// [`Error::Locked`] where it is open already, here or elsewhere; [`Error::NotADatabase`],
    /// [`Error::NewerSchema`] and [`Error::Corrupt`] where the file cannot be used: it is left as it is.
    pub fn open(storage: impl Storage, options: EngineOptions) -> Result<Engine> {
        let store_options = StoreOptions { cache: options.cache_bytes, quick_repair: options.quick_repair };
        let store = Store::open(Box::new(storage), store_options, options.seed)?;
        let batch_bytes = options.batch_bytes.max(64 << 10);
        let shared = Shared::new(Arc::new(store), options.limits, batch_bytes, options.seed);
        Ok(Engine { shared: Arc::new(shared) })
    }

    /// Opens the storage again after it failed and the cause is gone. Everything acknowledged is there.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn reopen(&self) -> Result<()> {
        self.shared.store.reopen(self.shared.seed)
    }

    /// Closes the file and gives its lock back, so that the system may put the program to sleep.
    /// Calls answer [`Error::Suspended`] until [`Engine::resume`].
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn suspend(&self) -> Result<()> {
        self.write_opened();
        self.shared.store.suspend()
    }

    /// Opens the file again after [`Engine::suspend`].
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn resume(&self) -> Result<()> {
        self.reopen()
    }

    /// Closes the store for good; every later call answers [`Error::Closed`]. Clones of the engine and its
    /// connections are closed with it.
    pub fn close(&self) {
        self.write_opened();
        self.shared.store.close();
    }

    /// Compresses some of the bodies that have not been looked at, about `octets` of them, where that saves
    /// room. For when the host has nothing else to do; call it until it is done, then
    /// [`Engine::compact`]. Reads some 30 MB a second.
    ///
    /// # Errors
    /// The storage's.
    pub fn shrink(&self, octets: u64) -> Result<ShrinkProgress> {
        Ok(self.shared.store.write(0, |w| shrink::step(w, octets))?.0)
    }

    /// Gives unused space back. Takes about a second a gigabyte, during which nothing else runs.
    ///
    /// # Errors
    /// The storage's.
    pub fn compact(&self) -> Result<bool> {
        self.shared.store.compact()
    }

    /// Reads everything and says what is not as it should be.
    ///
    /// # Errors
    /// The storage's; what is merely wrong is in the report.
    pub fn verify(&self) -> Result<VerifyReport> {
        verify::verify(&self.shared.store.read()?.tables)
    }

    /// Figures about the store.
    ///
    /// # Errors
    /// The storage's.
    pub fn stats(&self) -> Result<Stats> {
        let reading = self.shared.store.read()?;
        let mut stats = Stats { commit: query::counters(&reading.tables)?.commit, ..Stats::default() };
        for account in query::accounts(&reading.tables)? {
            stats.accounts += 1;
            for (_, mailbox) in query::mailboxes(&reading.tables, account.id)? {
                stats.mailboxes += 1;
                stats.messages += mailbox.total;
                stats.octets += mailbox.size;
            }
        }
        Ok(stats)
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the settings cannot be used.
    pub fn add_account(&self, settings: AccountSettings) -> Result<AccountId> {
        Ok(self.shared.store.write(0, |w| accounts::add(w, settings))?.0)
    }

    /// Changes an account's settings. Connections that are open keep theirs until their next sync.
    ///
    /// # Errors
    /// [`Error::Gone`], [`Error::Invalid`].
    pub fn update_account(&self, account: AccountId, settings: AccountSettings) -> Result<()> {
        self.shared.store.write(0, |w| accounts::update(w, account, settings)).map(drop)
    }

    /// Removes an account and its mail from this device.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn remove_account(&self, account: AccountId) -> Result<()> {
        self.shared.store.write(0, |w| accounts::remove(w, account)).map(drop)
    }

    /// All accounts.
    ///
    /// # Errors
    /// The storage's.
    pub fn accounts(&self) -> Result<Vec<AccountInfo>> {
        query::accounts(&self.shared.store.read()?.tables)
    }

    /// An account's mailboxes, in the order in which they came to be known.
    ///
    /// # Errors
    /// The storage's.
    pub fn mailboxes(&self, account: AccountId) -> Result<Vec<MailboxInfo>> {
        let reading = self.shared.store.read()?;
        let all = query::mailboxes(&reading.tables, account)?;
        let shown = all.into_iter().filter(|(_, record)| record.is_shown());
        Ok(shown.map(|(id, record)| query::mailbox_info(id, record)).collect())
    }

    /// One mailbox.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn mailbox(&self, mailbox: MailboxId) -> Result<MailboxInfo> {
        let record = query::mailbox(&self.shared.store.read()?.tables, mailbox)?;
        if !record.is_shown() {
            Err(Error::Gone("mailbox"))
        } else {
            Ok(query::mailbox_info(mailbox, record))
        }
    }

    /// Says what a mailbox is for, whatever the server says; `None` goes back to the server's word.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn set_role(&self, mailbox: MailboxId, role: Option<Option<Role>>) -> Result<()> {
        let choose = self.shared.store.write(0, |w| {
            w.mailbox(mailbox)?.chosen_role = role;
            Ok(())
        });
        choose.map(|_| ())
    }

    /// A page of a mailbox's messages, newest first by INTERNALDATE.
    ///
    /// # Errors
    /// [`Error::Gone`] where the mailbox or the cursor's place is no more.
    pub fn messages(&self, mailbox: MailboxId, after: Option<&Cursor>, limit: usize) -> Result<Page> {
        pages::page(&self.shared.store.read()?.tables, mailbox, after, limit)
    }

    /// The same page as one buffer, as [`Page::to_bytes`] makes it of the rows, without the rows: what the layers of other
    /// languages read. The module [`packed`](crate::packed) describes it.
    ///
    /// # Errors
    /// [`Error::Gone`] where the mailbox or the cursor's place is no more.
    pub fn messages_packed(
        &self,
        mailbox: MailboxId,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Vec<u8>> {
        pages::packed_page(&self.shared.store.read()?.tables, mailbox, after, limit)
    }

    /// A page of a mailbox's messages from a place in its list on: 0 is the newest. For lists that a person may scroll to
    /// any place at once; it costs a walk over the entries before, so whoever reads in order uses
    /// [`messages`](Engine::messages). Beyond the end, and of a mailbox that is no more, it is empty.
    ///
    /// # Errors
    /// Those of the store.
    pub fn messages_at(&self, mailbox: MailboxId, position: u64, limit: usize) -> Result<Page> {
        pages::page_at(&self.shared.store.read()?.tables, mailbox, position, limit)
    }

    /// The row of one message, as a page has it: what a list draws again. Reads nothing of the body.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn row(&self, message: MessageId) -> Result<MessageRow> {
        query::row(&self.shared.store.read()?.tables, message)
    }

    /// One message.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn message(&self, message: MessageId) -> Result<Message> {
        query::message(&self.shared.store.read()?.tables, message, &self.shared.limits)
    }

    /// Octets of a raw message from `offset`, at most `len`, fewer at the end; `None` where the message is not here.
    /// Reads only the chunks that hold them.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn body(&self, message: MessageId, offset: u64, len: u64) -> Result<Option<Vec<u8>>> {
        let reading = self.shared.store.read()?;
        let body = query::body(&reading.tables, message, offset, len)?;
        if body.is_some()
            && let Some(record) = query::message_record(&reading.tables, message)?
        {
            self.shared.note_opened(record.content);
        }
        Ok(body)
    }

    /// The text of a message for reading; `None` where it is not here.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn text(&self, message: MessageId) -> Result<Option<String>> {
        let raw = self.body(message, 0, u64::MAX)?;
        Ok(raw.map(|raw| message::text_body(&raw, &self.shared.limits)))
    }

    /// The HTML of a message as sent: not safe to show without a sandbox; `None` where there is none or it is not here.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn html(&self, message: MessageId) -> Result<Option<String>> {
        Ok(self.body(message, 0, u64::MAX)?.and_then(|raw| message::html_body(&raw)))
    }

    /// A part of a message by its number (`1.2`), decoded; `None` where there is none, or neither it nor the
    /// message is here.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn part(&self, message: MessageId, number: &str) -> Result<Option<Vec<u8>>> {
        match self.body(message, 0, u64::MAX)? {
            Some(raw) => Ok(message::part_data(&raw, number)),
            None => query::lone_part(&self.shared.store.read()?.tables, message, number, &self.shared.limits),
        }
    }

    /// What changed since a commit: what a screen that missed events must draw again.
    ///
    /// # Errors
    /// The storage's.
    pub fn changes_since(&self, commit: u64) -> Result<Changes> {
        query::changes_since(&self.shared.store.read()?.tables, commit)
    }

    /// New mail that nobody has acknowledged, oldest first: what a notification should name.
    ///
    /// # Errors
    /// The storage's.
    pub fn new_mail(&self, limit: usize) -> Result<Vec<MessageId>> {
        query::fresh(&self.shared.store.read()?.tables, limit)
    }

    /// The person has been told of these: they are new no more, on no connection, after no crash.
    ///
    /// # Errors
    /// The storage's.
    pub fn acknowledge_new_mail(&self, messages: &[MessageId]) -> Result<()> {
        let done = self.shared.store.write(0, |w| {
            w.touch();
            for message in messages {
                w.tables.fresh.remove(message.0.to_be_bytes().as_slice())?;
            }
            Ok(())
        });
        done.map(|_| ())
    }

    /// What the next sync of a POP3 account would delete from its server at a time, and why: a dry run of its
    /// [`Keep`](crate::Keep), by the server's last list. Nothing is changed. Messages that have not come yet are not
    /// in it.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn retention_plan(&self, account: AccountId, now_wall_ms: i64) -> Result<Vec<RetentionEntry>> {
        retention::entries(&self.shared.store.read()?.tables, account, now_wall_ms)
    }

    /// What a POP3 account's server said, the last time, of how it keeps mail.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn pop_server(&self, account: AccountId) -> Result<PopServerInfo> {
        let reading = self.shared.store.read()?;
        query::account(&reading.tables, account)?;
        let server = ledger::server(&reading.tables, account)?;
        Ok(PopServerInfo { expire: server.expire, login_delay_s: server.login_delay_s })
    }

    /// The next connection that has something to do because of another: call its
    /// [`Connection::handle_wake`]. `None` when there is no more.
    pub fn poll_wake(&self) -> Option<ConnectionId> {
        self.shared.next_wake()
    }

    /// What to call, from whatever thread, when [`Engine::poll_wake`] has something; `None` calls nothing.
    pub fn set_waker(&self, waker: Option<Arc<dyn Fn() + Send + Sync>>) {
        self.shared.set_waker(waker);
    }

    /// Copies everything, as it is at this moment, into an empty place. Syncs go on meanwhile. The copy has
    /// an incarnation of its own, named by `seed`, so that it knows that it is one.
    ///
    /// # Errors
    /// [`Error::NotADatabase`] where the place is not empty; the storage's.
    pub fn backup_to(&self, storage: impl Storage, seed: u64) -> Result<()> {
        self.shared.store.backup_to(Box::new(storage), seed)
    }

    /// The number that names this store, and no copy of it.
    ///
    /// # Errors
    /// The storage's.
    pub fn incarnation(&self) -> Result<u64> {
        self.shared.store.incarnation()
    }

    /// Number of the last commit in the change feed, without a look at the storage: a cheap way to see that nothing has
    /// happened since a call of [`Engine::changes_since`].
    pub fn last_commit(&self) -> u64 {
        self.shared.store.last_commit()
    }

    /// Has `watcher` called after every commit that the change feed tells of, with its number, on the thread that committed:
    /// whatever shows mail can ask [`Engine::changes_since`] then, instead of now and again. It must not call the engine, only
    /// wake what will.
    pub fn set_watcher(&self, watcher: Option<Arc<dyn Fn(u64) + Send + Sync>>) {
        self.shared.store.set_watcher(watcher);
    }

    /// Lets an account be served to other programs ([`serve`](crate::serve)) under its name and a password; with `None`, no longer. Of the
    /// password only SCRAM's keys are kept. It has nothing to do with the one of the account's own server.
    ///
    /// # Errors
    /// [`Error::Gone`] where there is no such account.
    pub fn set_server_password(&self, account: AccountId, verifier: Option<Verifier>) -> Result<()> {
        self.shared.store.write(0, |w| accounts::set_server_password(w, account, verifier)).map(drop)
    }

    /// Limits what other programs may fill an account with that is served to them; the default has no limits. They are told of it as a
    /// quota (RFC 9208), and what goes beyond it is refused whole. What is here already stays.
    ///
    /// # Errors
    /// [`Error::Gone`] where there is no such account.
    pub fn set_served_limits(&self, account: AccountId, limits: ServedLimits) -> Result<()> {
        self.shared.store.write(0, |w| accounts::set_served_limits(w, account, &limits)).map(drop)
    }

    /// What [`Engine::set_served_limits`] has set.
    ///
    /// # Errors
    /// [`Error::Gone`] where there is no such account.
    pub fn served_limits(&self, account: AccountId) -> Result<ServedLimits> {
        let tables = self.shared.store.read()?.tables;
        query::account(&tables, account)?;
        accounts::served_limits(&tables, account)
    }

    /// Begins a connection for an account. The host opens the transport and moves the bytes.
    ///
    /// # Errors
    /// [`Error::Gone`] where there is no such account, [`Error::Invalid`] for one without a server.
    pub fn connect(&self, account: AccountId, options: ConnectionOptions) -> Result<Connection> {
        let record = query::account(&self.shared.store.read()?.tables, account)?;
        let leases = Leases::new(self.shared.clone(), account);
        let (store, limits) = (self.shared.store.clone(), self.shared.limits);
        let session: Box<dyn Session> = match record.settings.protocol {
            Protocol::Imap => {
                let known = Capabilities::from_stored(&record.capabilities);
                let driver = Driver::new(store, account, &record, limits, known, &options, leases);
                Box::new(ImapSession::new(driver))
            }
            Protocol::Local => {
                return Err(Error::Invalid { what: "account", why: "it has no server".into() });
            }
            Protocol::Pop3 => {
                Box::new(PopSession::new(store, account, record.settings, limits, &options, leases)?)
            }
        };
        Ok(Connection::new(self.shared.clone(), account, options, session))
    }
}
