//! `mailkeep demo`: both sides of the engine in one process, with mail of its own making.
//!
//! A store is served over IMAP on loopback; a second one is synced from it, worked on while the server is stopped, and
//! synced back. In the end both are compared.

mod letters;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use mailkeep::sasl::{Credentials, Secret};
use mailkeep::{
    AccountInfo, AccountSettings, Draft, Engine, FlagChange, MailboxInfo, MessageRow, NewMailbox, Role,
    Security,
};

use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::output::{fit, size};
use crate::serve::{Server, Serves};
use crate::{credentials, list, pending, places, sync};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Keep both databases in this folder, which is made; otherwise they are deleted in the end.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

const NAME: &str = "demo";
const PASSWORD: &str = "a password for a minute";

pub(crate) fn run(arguments: Arguments, out: &mut impl Write) -> Result<(), Failure> {
    let folder = Folder::new(arguments.keep)?;
    let server_db = folder.path.join("server.db");
    let device_db = folder.path.join("device.db");

    step(out, "A mail server of our own: a store with letters in it, served over IMAP on loopback")?;
    let (server_side, account) = set_up_server(&server_db)?;
    let server = Server::new(&server_side, None)?;
    let address = server.listen(Serves::Imap, SocketAddr::from(([127, 0, 0, 1], 0)), false)?;
    writeln!(
        out,
        "{} letters in {} mailboxes, served on {address}",
        count(&server_side, account.id)?,
        boxes(&server_side, account.id)?
    )?;

    step(out, "A device with an empty store, synced for the first time")?;
    let device = places::open_or_create(&device_db)?;
    let mut settings = AccountSettings::imap(NAME, address.ip().to_string(), NAME);
    settings.port = address.port();
    settings.security = Security::Insecure;
    let id = device.add_account(settings)?;
    let here = account_of(&device, id)?;
    let interrupt = Interrupt::install()?;
    sync_once(&device, &here, &interrupt, out)?;
    let inbox = mailbox(&device, &here, Role::Inbox)?;
    newest(&device, &inbox, 5, out)?;

    step(out, "The server is stopped: everything is still here, and can be worked on")?;
    server.stop();
    drop(server);
    let rows = device.messages(inbox.id, None, 6)?.rows;
    let text = device.text(rows[0].id)?.unwrap_or_default();
    writeln!(out, "The newest begins: {}", fit(text.lines().next().unwrap_or_default(), 70).trim_end())?;
    let now = places::now();
    device.set_flags(
        now,
        &[rows[0].id, rows[1].id],
        &FlagChange::default().set("\\Seen").set("\\Flagged"),
    )?;
    let project = device.create_mailbox(now, here.id, NewMailbox::named("Projects/Garden"))?;
    device.move_messages(now, &[rows[2].id, rows[3].id], project)?;
    device.delete_messages(now, &[rows[4].id])?;
    let drafts = mailbox(&device, &here, Role::Drafts)?;
    let draft = device.append(now, drafts.id, Draft::new(letters::draft("first")).flag("\\Draft"))?;
    device.replace_draft(now, draft, Draft::new(letters::draft("second")).flag("\\Draft"))?;
    writeln!(
        out,
        "Flagged two, moved two into a new mailbox, deleted one, and saved a draft twice. What the server is to hear:"
    )?;
    for operation in device.pending(Some(here.id))? {
        writeln!(out, "  {}", pending::sentence(&device, &operation.kind))?;
    }

    step(out, "Meanwhile somebody else uses the same mail: a new letter, and one that is read")?;
    let theirs = mailbox(&server_side, &account, Role::Inbox)?;
    server_side.append(now, theirs.id, Draft::new(letters::late()))?;
    let read = server_side.messages(theirs.id, None, 8)?.rows;
    server_side.set_flags(now, &[read[7].id], &FlagChange::default().set("\\Seen"))?;

    step(out, "The server is back: both sides are brought together")?;
    let server = Server::new(&server_side, None)?;
    server.listen(Serves::Imap, address, false)?;
    sync_once(&device, &here, &interrupt, out)?;
    sync_once(&device, &here, &interrupt, out)?;
    server.stop();

    step(out, "Do they agree?")?;
    let (left, right) = (contents(&server_side, account.id)?, contents(&device, here.id)?);
    for engine in [&server_side, &device] {
        let report = engine.verify()?;
        if let Some(problem) = report.problems.first() {
            return Err(Failure::new(Exit::Found, format!("a store is not whole: {problem}")));
        }
    }
    let waiting = device.pending(None)?;
    if left != right || !waiting.is_empty() {
        let differs =
            left.iter().find(|(name, mail)| right.get(*name) != Some(mail)).map(|(name, _)| name.clone());
        return Err(Failure::new(
            Exit::Found,
            format!("they do not: {differs:?}, {} pending", waiting.len()),
        ));
    }
    for (name, mail) in &right {
        writeln!(out, "  {name}: {} letters", mail.len())?;
    }
    writeln!(
        out,
        "Yes: every mailbox, letter, flag and octet is the same on both sides, and nothing is pending."
    )?;
    if folder.keep {
        writeln!(
            out,
            "Both databases are in {}: try mailkeep --db {} list INBOX",
            folder.path.display(),
            device_db.display()
        )?;
    }
    Ok(())
}

/// Where the two databases are.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn new(keep: Option<PathBuf>) -> Result<Folder, Failure> {
        let random = getrandom::u64().map_err(|error| Failure::usage(format!("no randomness: {error}")))?;
        let keeps = keep.is_some();
        let path = keep.unwrap_or_else(|| std::env::temp_dir().join(format!("mailkeep-demo-{random:016x}")));
        let made = std::fs::create_dir(&path);
        made.map_err(|error| Failure::usage(format!("{} cannot be made: {error}", path.display())))?;
        Ok(Folder { path, keep: keeps })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // In the system's folder for what may go.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn step(out: &mut impl Write, text: &str) -> Result<(), Failure> {
    writeln!(out, "\n== {text}")?;
    Ok(out.flush()?)
}

fn set_up_server(db: &Path) -> Result<(Engine, AccountInfo), Failure> {
    let engine = places::open_or_create(db)?;
    let id = engine.add_account(AccountSettings::local(NAME))?;
    engine.set_server_password(id, Some(credentials::verifier(&Secret::new(PASSWORD))?))?;
    let account = account_of(&engine, id)?;
    let now = places::now();
    for (name, role) in
        [("Drafts", Role::Drafts), ("Sent", Role::Sent), ("Trash", Role::Trash), ("Archive", Role::Archive)]
    {
        engine.create_mailbox(now, id, NewMailbox::named(name).for_role(role))?;
    }
    for (mailbox, letter) in letters::all(now.wall_ms) {
        let mailbox = places::mailbox_of(&engine, &account, mailbox)?
            .ok_or_else(|| Failure::not_found(format!("no mailbox {mailbox}")))?;
        let mut draft = Draft::new(letter.raw).received_at(letter.received_ms);
        if letter.seen {
            draft = draft.flag("\\Seen");
        }
        engine.append(now, mailbox.id, draft)?;
    }
    Ok((engine, account))
}

fn account_of(engine: &Engine, id: mailkeep::AccountId) -> Result<AccountInfo, Failure> {
    let found = engine.accounts()?.into_iter().find(|account| account.id == id);
    found.ok_or_else(|| Failure::not_found("the account is gone"))
}

fn mailbox(engine: &Engine, account: &AccountInfo, role: Role) -> Result<MailboxInfo, Failure> {
    let found = engine.mailboxes(account.id)?.into_iter().find(|mailbox| mailbox.role == Some(role));
    found.ok_or_else(|| Failure::not_found(format!("no mailbox for {role:?}")))
}

fn sync_once(
    device: &Engine,
    account: &AccountInfo,
    interrupt: &Interrupt,
    out: &mut impl Write,
) -> Result<(), Failure> {
    // What was printed stands before what the sync prints itself.
    out.flush()?;
    let password = Secret::new(PASSWORD);
    let credentials = Credentials::Password { user: NAME.into(), authzid: None, password };
    sync::once(device, account, &credentials, interrupt, Duration::from_secs(60))
}

fn newest(engine: &Engine, mailbox: &MailboxInfo, most: usize, out: &mut impl Write) -> Result<(), Failure> {
    for row in engine.messages(mailbox.id, None, most)?.rows {
        writeln!(
            out,
            "  {}  {}  {}",
            fit(&list::sender(&row), 18),
            fit(&row.summary.subject, 44),
            size(row.size)
        )?;
    }
    Ok(())
}

/// Every message of an account, by mailbox: what two stores of the same mail have in common.
type Contents = BTreeMap<String, Vec<String>>;

fn contents(engine: &Engine, account: mailkeep::AccountId) -> Result<Contents, Failure> {
    let mut all = Contents::new();
    for mailbox in engine.mailboxes(account)? {
        let mut rows = rows(engine, &mailbox)?;
        rows.sort_by_key(|row| (row.internal_date, row.sha256));
        let told = rows.iter().map(|row| {
            let mut flags: Vec<&str> = row.flags.wire_words().collect();
            flags.sort_unstable();
            format!("{:?} {} {}", row.sha256, row.internal_date, flags.join(" "))
        });
        // What holds other mailboxes only is no mailbox with mail to compare.
        if mailbox.selectable {
            all.insert(mailbox.name.clone(), told.collect());
        }
    }
    Ok(all)
}

fn rows(engine: &Engine, mailbox: &MailboxInfo) -> Result<Vec<MessageRow>, Failure> {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = engine.messages(mailbox.id, after.as_ref(), 500)?;
        rows.extend(page.rows);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(rows),
        }
    }
}

fn count(engine: &Engine, account: mailkeep::AccountId) -> Result<u64, Failure> {
    Ok(engine.mailboxes(account)?.iter().map(|mailbox| mailbox.total).sum())
}

fn boxes(engine: &Engine, account: mailkeep::AccountId) -> Result<usize, Failure> {
    Ok(engine.mailboxes(account)?.len())
}
