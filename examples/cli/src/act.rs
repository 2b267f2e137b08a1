//! `mailkeep flag`, `move`, `copy`, `delete`, `archive`: what a person does to messages, offline.

use std::io::Write;
use std::path::Path;

use clap::Args;
use mailkeep::{Engine, Error, FlagChange, MailboxInfo, MessageId};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::output::{clean, json_line};
use crate::places;

#[derive(Args)]
pub(crate) struct FlagArguments {
    /// The messages' ids, as `list` shows them, and then what to set (+seen) and to clear (-flagged): seen, answered,
    /// flagged, deleted, draft, forwarded, junk, notjunk, phishing, mdnsent; any other word is a keyword. --json goes
    /// in front or behind.
    #[arg(required = true, allow_hyphen_values = true, value_name = "ID|+FLAG|-FLAG")]
    words: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct MoveArguments {
    /// The messages' ids, as `list` shows them.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<u64>,
    /// The mailbox: its name, or #ID.
    mailbox: String,
    /// The mailbox's account, where it is another than the messages'.
    #[arg(long)]
    account: Option<String>,
    /// Print JSON: one object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct DeleteArguments {
    /// The messages' ids, as `list` shows them.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<u64>,
    /// Not into the Trash: for good.
    #[arg(long)]
    for_good: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Which messages to archive: those named, or those that a rule names.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub(crate) struct ArchiveArguments {
    /// The messages' ids, as `list` shows them.
    #[arg(value_name = "ID", group = "which")]
    ids: Vec<u64>,
    /// Those that a rule names.
    #[command(flatten)]
    pub(crate) rule: crate::room::Rule,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn flag(db: &Path, mut arguments: FlagArguments, out: &mut impl Write) -> Result<(), Failure> {
    // A word that begins with a hyphen may be a flag to clear, so this option comes among them.
    arguments.words.retain(|word| {
        arguments.json |= word == "--json";
        word != "--json"
    });
    let (ids, change) = read_change(&arguments.words)?;
    let engine = places::open(db)?;
    check(&engine, &ids)?;
    let done = engine.set_flags(places::now(), &ids, &change)?;
    tell(out, arguments.json, "flag", done, "changed", json!({}))
}

/// Messages, then `+word` and `-word`.
fn read_change(words: &[String]) -> Result<(Vec<MessageId>, FlagChange), Failure> {
    let (mut ids, mut change, mut changes) = (Vec::new(), FlagChange::default(), 0);
    for word in words {
        if let Ok(id) = word.parse() {
            ids.push(MessageId(id));
            continue;
        }
        changes += 1;
        change = match (word.strip_prefix('+'), word.strip_prefix('-')) {
            (Some(name), _) if !name.is_empty() => change.set(&wire_word(name)),
            (_, Some(name)) if !name.is_empty() && !name.starts_with('-') => change.clear(&wire_word(name)),
            _ => {
                return Err(Failure::usage(format!(
                    "{word} is neither a message's id nor +FLAG nor -FLAG; other options go in front of them"
                )));
            }
        };
    }
    if ids.is_empty() || changes == 0 {
        return Err(Failure::usage(
            "flag takes messages and changes, such as: mailkeep flag 17 +seen -flagged",
        ));
    }
    Ok((ids, change))
}

/// A flag's spelling on the wire.
pub(crate) fn wire_word(name: &str) -> String {
    let wire = match name.to_ascii_lowercase().as_str() {
        "seen" => "\\Seen",
        "answered" => "\\Answered",
        "flagged" => "\\Flagged",
        "deleted" => "\\Deleted",
        "draft" => "\\Draft",
        "forwarded" => "$Forwarded",
        "junk" => "$Junk",
        "notjunk" => "$NotJunk",
        "phishing" => "$Phishing",
        "mdnsent" => "$MDNSent",
        _ => name,
    };
    wire.to_owned()
}

pub(crate) fn move_to(db: &Path, arguments: MoveArguments, out: &mut impl Write) -> Result<(), Failure> {
    let engine = places::open(db)?;
    let ids: Vec<MessageId> = arguments.ids.into_iter().map(MessageId).collect();
    let to = target(&engine, &ids, arguments.account.as_deref(), &arguments.mailbox)?;
    let done = engine.move_messages(places::now(), &ids, to.id)?;
    let place = json!({ "to": to.name, "to_id": to.id.0 });
    tell(out, arguments.json, "move", done, &format!("moved to {}", to.name), place)
}

pub(crate) fn copy(db: &Path, arguments: MoveArguments, out: &mut impl Write) -> Result<(), Failure> {
    let engine = places::open(db)?;
    let ids: Vec<MessageId> = arguments.ids.into_iter().map(MessageId).collect();
    let to = target(&engine, &ids, arguments.account.as_deref(), &arguments.mailbox)?;
    let copies = engine.copy_messages(places::now(), &ids, to.id)?;
    let place = json!({ "to": to.name, "to_id": to.id.0, "ids": copies });
    let named: Vec<String> = copies.iter().map(ToString::to_string).collect();
    let what = format!("copied to {} as {}", to.name, named.join(", "));
    tell(out, arguments.json, "copy", copies.len() as u64, &what, place)
}

pub(crate) fn delete(db: &Path, arguments: DeleteArguments, out: &mut impl Write) -> Result<(), Failure> {
    let engine = places::open(db)?;
    let ids: Vec<MessageId> = arguments.ids.into_iter().map(MessageId).collect();
    check(&engine, &ids)?;
    let now = places::now();
    let (done, what) = if arguments.for_good {
        (engine.expunge_messages(now, &ids)?, "deleted for good")
    } else {
        (engine.delete_messages(now, &ids)?, "deleted (into the Trash, or out of it for good)")
    };
    tell(out, arguments.json, "delete", done, what, json!({}))
}

pub(crate) fn archive(db: &Path, arguments: ArchiveArguments, out: &mut impl Write) -> Result<(), Failure> {
    let engine = places::open(db)?;
    if arguments.ids.is_empty() {
        return crate::room::archive(&engine, &arguments.rule, arguments.json, out);
    }
    let ids: Vec<MessageId> = arguments.ids.into_iter().map(MessageId).collect();
    check(&engine, &ids)?;
    let done = engine.archive_messages(places::now(), &ids)?;
    tell(out, arguments.json, "archive", done, "archived", json!({}))
}

/// Where messages are to go: a mailbox of the account that is named, or that the first of them belongs to.
fn target(
    engine: &Engine,
    ids: &[MessageId],
    account: Option<&str>,
    name: &str,
) -> Result<MailboxInfo, Failure> {
    check(engine, ids)?;
    if account.is_some() {
        return places::mailbox(engine, account, name);
    }
    let first = engine.message(ids[0])?;
    let account = engine.mailbox(first.row.mailbox)?.account;
    let accounts = engine.accounts()?;
    let account = accounts.iter().find(|a| a.id == account).ok_or(Error::Gone("account"))?;
    places::mailbox_of(engine, account, name)?
        .ok_or_else(|| Failure::not_found(format!("no mailbox {name}; `mailkeep mailboxes` shows them")))
}

/// Nothing is done to some where one of them is not here: the person named it by mistake.
fn check(engine: &Engine, ids: &[MessageId]) -> Result<(), Failure> {
    for id in ids {
        engine.message(*id).map_err(|error| match error {
            Error::Gone(_) => {
                Failure::not_found(format!("no message {id}; `mailkeep list` shows them; nothing was done"))
            }
            other => other.into(),
        })?;
    }
    Ok(())
}

/// What happened, and what will.
fn tell(
    out: &mut impl Write,
    json: bool,
    name: &str,
    done: u64,
    what: &str,
    mut more: Value,
) -> Result<(), Failure> {
    if json {
        more["did"] = json!(name);
        more["messages"] = json!(done);
        return Ok(json_line(out, &more)?);
    }
    let messages = if done == 1 { "message" } else { "messages" };
    Ok(writeln!(out, "{done} {messages} {}; the next sync tells the server", clean(what))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<(Vec<MessageId>, FlagChange), Failure> {
        read_change(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn changes_are_read_as_they_are_meant() {
        let (ids, change) =
            read(&["3", "4", "+seen", "-FLAGGED", "+todo", "-$Junk"]).expect("it can be read");
        assert_eq!(ids, [MessageId(3), MessageId(4)]);
        let wanted = FlagChange::default().set("\\Seen").clear("\\Flagged").set("todo").clear("$Junk");
        assert_eq!(change, wanted);
    }

    #[test]
    fn what_is_neither_is_refused() {
        for words in [&["3"][..], &["+seen"], &["3", "seen"], &["3", "+"], &["3", "--all"]] {
            assert!(read(words).is_err(), "{words:?}");
        }
    }
}
