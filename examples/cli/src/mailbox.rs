//! `mailkeep mailbox`: mailboxes made, renamed, deleted, subscribed to, emptied and read, offline.

use std::io::Write;
use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};
use mailkeep::{Engine, MailboxInfo, MailboxKind, NewMailbox, Role};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::output::{clean, json_line};
use crate::places;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The account, where there is more than one.
    #[arg(long, global = true)]
    account: Option<String>,
    /// Print one JSON object.
    #[arg(long, global = true)]
    json: bool,
}

/// Mailboxes are named by their full name, as `mailboxes` shows it, or by #ID.
#[derive(Subcommand)]
enum Command {
    /// Make a mailbox.
    Create {
        /// Its full name, levels separated as the account's others are.
        name: String,
        /// On this machine only.
        #[arg(long)]
        local: bool,
        /// What it is for.
        #[arg(long)]
        role: Option<RoleName>,
    },
    /// Give a mailbox another full name; those below it go with it.
    Rename {
        /// The mailbox.
        name: String,
        /// Its new name.
        new: String,
    },
    /// Delete a mailbox and what is in it.
    Delete {
        /// The mailbox.
        name: String,
    },
    /// Subscribe to a mailbox.
    Subscribe {
        /// The mailbox.
        name: String,
    },
    /// No longer subscribe to a mailbox.
    Unsubscribe {
        /// The mailbox.
        name: String,
    },
    /// Delete for good what is in a mailbox now.
    Empty {
        /// The mailbox.
        name: String,
    },
    /// Mark read what is in a mailbox now.
    Read {
        /// The mailbox.
        name: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleName {
    Drafts,
    Sent,
    Trash,
    Junk,
    Archive,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Role {
        match name {
            RoleName::Drafts => Role::Drafts,
            RoleName::Sent => Role::Sent,
            RoleName::Trash => Role::Trash,
            RoleName::Junk => Role::Junk,
            RoleName::Archive => Role::Archive,
        }
    }
}

pub(crate) fn run(db: &Path, arguments: Arguments, out: &mut impl Write) -> Result<(), Failure> {
    let engine = places::open(db)?;
    let (account, json, now) = (arguments.account.as_deref(), arguments.json, places::now());
    let find = |name: &str| places::mailbox(&engine, account, name);
    match arguments.command {
        Command::Create { name, local, role } => {
            let account = places::one_account(&engine, account)?;
            let mut new = NewMailbox::named(&name);
            if local {
                new = new.local();
            }
            if let Some(role) = role {
                new = new.for_role(role.into());
            }
            let id = engine.create_mailbox(now, account.id, new)?;
            tell(out, json, &engine.mailbox(id)?, "create", "is made", json!({}))
        }
        Command::Rename { name, new } => {
            let mailbox = find(&name)?;
            engine.rename_mailbox(now, mailbox.id, &new)?;
            let renamed = engine.mailbox(mailbox.id)?;
            let what = format!("was {} until now", mailbox.name);
            tell(out, json, &renamed, "rename", &what, json!({ "was": mailbox.name }))
        }
        Command::Delete { name } => {
            let mailbox = find(&name)?;
            engine.delete_mailbox(now, mailbox.id)?;
            let what = counted(mailbox.total, "is deleted with");
            tell(out, json, &mailbox, "delete", &what, json!({ "messages": mailbox.total }))
        }
        Command::Subscribe { name } => subscribe(&engine, &find(&name)?, true, json, out),
        Command::Unsubscribe { name } => subscribe(&engine, &find(&name)?, false, json, out),
        Command::Empty { name } => {
            let mailbox = find(&name)?;
            let done = engine.empty_mailbox(now, mailbox.id)?;
            let what = counted(done, "is emptied of");
            tell(out, json, &mailbox, "empty", &what, json!({ "messages": done }))
        }
        Command::Read { name } => {
            let mailbox = find(&name)?;
            let done = engine.mark_all_read(now, mailbox.id)?;
            let what = counted(done, "is read:");
            tell(out, json, &mailbox, "read", &what, json!({ "messages": done }))
        }
    }
}

fn subscribe(
    engine: &Engine,
    mailbox: &MailboxInfo,
    on: bool,
    json: bool,
    out: &mut impl Write,
) -> Result<(), Failure> {
    engine.subscribe(places::now(), mailbox.id, on)?;
    let (did, what) =
        if on { ("subscribe", "is subscribed to") } else { ("unsubscribe", "is no longer subscribed to") };
    tell(out, json, mailbox, did, what, json!({}))
}

fn counted(messages: u64, what: &str) -> String {
    format!("{what} {messages} {}", if messages == 1 { "message" } else { "messages" })
}

/// What happened, and what will.
fn tell(
    out: &mut impl Write,
    json: bool,
    mailbox: &MailboxInfo,
    did: &str,
    what: &str,
    mut more: Value,
) -> Result<(), Failure> {
    if json {
        more["did"] = json!(did);
        more["mailbox"] = json!(mailbox.name);
        more["mailbox_id"] = json!(mailbox.id);
        return Ok(json_line(out, &more)?);
    }
    let then = if mailbox.kind == MailboxKind::Server {
        "; the next sync tells the server"
    } else {
        " on this machine"
    };
    Ok(writeln!(out, "{} {}{then}", clean(&mailbox.name), clean(what))?)
}
