//! `mailkeep append`: a message from this machine into a mailbox, or a newer version of a draft.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use clap::Args;
use mailkeep::{Draft, Engine, Error, MailboxKind, MessageId};
use serde_json::json;

use crate::act::wire_word;
use crate::exit::Failure;
use crate::output::{clean, json_line};
use crate::{moment, places};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The mailbox (its name, or #ID; none with --replaces), and the file with the message, - for standard input.
    #[arg(required = true, num_args = 1..=2, value_names = ["MAILBOX", "FILE"])]
    places: Vec<String>,
    /// The mailbox's account, where several have one of this name.
    #[arg(long)]
    account: Option<String>,
    /// A flag or keyword to begin with, such as seen or draft; may be given more than once.
    #[arg(long = "flag", value_name = "FLAG")]
    flags: Vec<String>,
    /// When it is to have been received: 2024-02-29T12:00:00Z or with +01:00; now unless said.
    #[arg(long, value_name = "RFC3339", value_parser = moment::parse)]
    date: Option<i64>,
    /// Save a draft again: the message takes this one's place.
    #[arg(long, value_name = "ID", conflicts_with = "account")]
    replaces: Option<u64>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(db: &Path, arguments: Arguments, out: &mut impl Write) -> Result<(), Failure> {
    let (mailbox, file) = match (&arguments.places[..], arguments.replaces) {
        ([mailbox, file], None) => (Some(mailbox), file),
        ([file], Some(_)) => (None, file),
        (_, None) => return Err(Failure::usage("append takes a mailbox and a file (- for standard input)")),
        (_, Some(_)) => {
            return Err(Failure::usage("append --replaces takes a file alone: the draft says where"));
        }
    };
    let mut draft = Draft::new(read(file)?);
    for flag in &arguments.flags {
        let word = wire_word(flag);
        let known = mailkeep::flags::Flags::from_wire(word.as_bytes()).is_some();
        if !known && !mailkeep::flags::is_keyword(&word) {
            return Err(Failure::usage(format!("--flag: {flag} is no flag and can be no keyword")));
        }
        draft = draft.flag(&word);
    }
    if let Some(date) = arguments.date {
        draft = draft.received_at(date);
    }
    let engine = places::open(db)?;
    let id = match (mailbox, arguments.replaces) {
        (Some(name), _) => {
            let mailbox = places::mailbox(&engine, arguments.account.as_deref(), name)?;
            engine.append(places::now(), mailbox.id, draft)?
        }
        (None, old) => {
            let old = MessageId(old.unwrap_or_default());
            engine.replace_draft(places::now(), old, draft).map_err(|error| match error {
                Error::Gone(_) => {
                    Failure::not_found(format!("no message {old}; it may be saved under a newer id"))
                }
                other => other.into(),
            })?
        }
    };
    tell(&engine, id, arguments.json, out)
}

fn tell(engine: &Engine, id: MessageId, json: bool, out: &mut impl Write) -> Result<(), Failure> {
    let mailbox = engine.mailbox(engine.message(id)?.row.mailbox)?;
    if json {
        let value = json!({ "did": "append", "id": id, "mailbox": mailbox.name, "mailbox_id": mailbox.id.0 });
        return Ok(json_line(out, &value)?);
    }
    let then = match mailbox.kind {
        MailboxKind::Local => "it stays on this machine",
        _ => "the next sync sends it",
    };
    Ok(writeln!(out, "message {id} is in {}; {then}", clean(&mailbox.name))?)
}

fn read(file: &str) -> Result<Vec<u8>, Failure> {
    let mut raw = Vec::new();
    let outcome = match file {
        "-" => io::stdin().lock().read_to_end(&mut raw),
        path => File::open(path).and_then(|mut file| file.read_to_end(&mut raw)),
    };
    outcome.map_err(|error| Failure::usage(format!("the message cannot be read from {file}: {error}")))?;
    Ok(raw)
}
