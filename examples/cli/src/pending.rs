//! `mailkeep pending`: what was done here and no server has confirmed.

use std::io::Write;
use std::path::Path;

use clap::{Args, Subcommand};
use mailkeep::flags::FlagSet;
use mailkeep::{Engine, Error, MailboxId, MessageId, Operation, OperationId, OperationKind, OperationState};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::output::{date, iso, json_line, table};
use crate::places;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// This account's only.
    #[arg(long)]
    account: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Take an operation back that waits, or forget one that was set aside.
    Cancel {
        /// The operation's id.
        op: u64,
    },
    /// Try an operation again that was set aside.
    Retry {
        /// The operation's id.
        op: u64,
    },
}

pub(crate) fn run(db: &Path, arguments: Arguments, out: &mut impl Write) -> Result<(), Failure> {
    let engine = places::open(db)?;
    match arguments.command {
        Some(Command::Cancel { op }) => {
            engine.cancel_operation(places::now(), OperationId(op)).map_err(|error| explain(op, error))?;
            Ok(writeln!(out, "operation {op} is taken back: the server will not hear of it")?)
        }
        Some(Command::Retry { op }) => {
            engine.retry_operation(places::now(), OperationId(op)).map_err(|error| explain(op, error))?;
            Ok(writeln!(out, "operation {op} waits again: the next sync tries it")?)
        }
        None => list(&engine, arguments.account.as_deref(), arguments.json, out),
    }
}

fn explain(op: u64, error: Error) -> Failure {
    match error {
        Error::Gone(_) => Failure::not_found(format!(
            "no operation {op}: done already, or never there; see `mailkeep pending`"
        )),
        Error::Misuse("the operation was sent already") => Failure::usage(format!(
            "operation {op} may have reached the server; the next sync finds out, then undo what it did"
        )),
        other => other.into(),
    }
}

fn list(engine: &Engine, account: Option<&str>, json: bool, out: &mut impl Write) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for account in places::accounts(engine, account)? {
        for operation in engine.pending(Some(account.id))? {
            if json {
                json_line(out, &to_json(engine, &account.settings.name, &operation))?;
                continue;
            }
            let state = match &operation.state {
                OperationState::Waiting => "waits for the next sync".to_owned(),
                OperationState::Sent => "sent; the next sync finds out".to_owned(),
                OperationState::SetAside { reason } => format!("set aside: {reason}"),
                _ => String::new(),
            };
            let what = sentence(engine, &operation.kind);
            rows.push(vec![operation.id.to_string(), date(operation.created_ms), what, state]);
        }
    }
    if json {
        return Ok(());
    }
    if rows.is_empty() {
        return Ok(writeln!(out, "nothing waits: the servers know everything that was done here")?);
    }
    Ok(table(out, &["OP", "DATE (UTC)", "WHAT", "STATE"], &rows)?)
}

fn name(engine: &Engine, id: MailboxId) -> String {
    engine.mailbox(id).map_or_else(|_| format!("#{id}"), |mailbox| mailbox.name)
}

fn subject(engine: &Engine, id: MessageId) -> String {
    let subject = engine.message(id).map(|message| message.row.summary.subject).unwrap_or_default();
    if subject.is_empty() { format!("message {id}") } else { format!("{id} “{subject}”") }
}

/// What an operation does, for a person.
pub(crate) fn sentence(engine: &Engine, kind: &OperationKind) -> String {
    match kind {
        OperationKind::SetFlags { message, add, remove } => {
            let signed = |sign: char, set: &FlagSet| -> String {
                set.wire_words().map(|word| format!(" {sign}{word}")).collect()
            };
            format!("flag {message}{}{}", signed('+', add), signed('-', remove))
        }
        OperationKind::Move { message, to } => {
            format!("move to {}: {}", name(engine, *to), subject(engine, *message))
        }
        OperationKind::Copy { source, to, .. } => {
            format!("copy to {}: {}", name(engine, *to), subject(engine, *source))
        }
        OperationKind::Delete { message } => format!("delete for good: message {message}"),
        OperationKind::Append { message, to } => {
            format!("send to {}: {}", name(engine, *to), subject(engine, *message))
        }
        OperationKind::CreateMailbox { mailbox } => format!("make mailbox {}", name(engine, *mailbox)),
        OperationKind::RenameMailbox { mailbox } => format!("rename a mailbox to {}", name(engine, *mailbox)),
        OperationKind::DeleteMailbox { mailbox } => format!("delete mailbox {}", name(engine, *mailbox)),
        OperationKind::Subscribe { mailbox, on: true } => format!("subscribe to {}", name(engine, *mailbox)),
        OperationKind::Subscribe { mailbox, .. } => format!("unsubscribe from {}", name(engine, *mailbox)),
        _ => "something that this program does not know".to_owned(),
    }
}

fn to_json(engine: &Engine, account: &str, operation: &Operation) -> Value {
    let (state, reason) = match &operation.state {
        OperationState::Waiting => ("waiting", None),
        OperationState::Sent => ("sent", None),
        OperationState::SetAside { reason } => ("set_aside", Some(reason)),
        _ => ("unknown", None),
    };
    let mut value = kind_json(&operation.kind);
    value["id"] = json!(operation.id);
    value["account"] = json!(account);
    value["created"] = json!(operation.created_ms);
    value["created_iso"] = json!(iso(operation.created_ms));
    value["state"] = json!(state);
    value["reason"] = json!(reason);
    if let Some(id) = value["mailbox_id"].as_u64() {
        value["mailbox"] = json!(name(engine, MailboxId(id as u32)));
    }
    value
}

fn kind_json(kind: &OperationKind) -> Value {
    let words = |set: &FlagSet| set.wire_words().map(str::to_owned).collect::<Vec<_>>();
    match kind {
        OperationKind::SetFlags { message, add, remove } => {
            json!({ "kind": "flag", "message": message, "add": words(add), "remove": words(remove) })
        }
        OperationKind::Move { message, to } => {
            json!({ "kind": "move", "message": message, "mailbox_id": to })
        }
        OperationKind::Copy { message, source, to } => {
            json!({ "kind": "copy", "message": message, "source": source, "mailbox_id": to })
        }
        OperationKind::Delete { message } => json!({ "kind": "delete", "message": message }),
        OperationKind::Append { message, to } => {
            json!({ "kind": "append", "message": message, "mailbox_id": to })
        }
        OperationKind::CreateMailbox { mailbox } => {
            json!({ "kind": "create_mailbox", "mailbox_id": mailbox })
        }
        OperationKind::RenameMailbox { mailbox } => {
            json!({ "kind": "rename_mailbox", "mailbox_id": mailbox })
        }
        OperationKind::DeleteMailbox { mailbox } => {
            json!({ "kind": "delete_mailbox", "mailbox_id": mailbox })
        }
        OperationKind::Subscribe { mailbox, on } => {
            json!({ "kind": if *on { "subscribe" } else { "unsubscribe" }, "mailbox_id": mailbox })
        }
        _ => json!({ "kind": "unknown" }),
    }
}
