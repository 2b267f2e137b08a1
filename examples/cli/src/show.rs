//! `mailkeep show`: one message, fetched first where it is not here.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use mailkeep::{Connection, Engine, Event, Message, MessageId};
use serde_json::json;

use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::list::{MessageJson, address};
use crate::output::{clean, clean_lines, date, json_line, size};
use crate::session::{self, Flow, Task};
use crate::{credentials, places};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The message's id, as `list` shows it.
    id: u64,
    /// The exact octets of the message.
    #[arg(long, group = "what")]
    raw: bool,
    /// The text alone.
    #[arg(long, group = "what")]
    text: bool,
    /// One part by its number, decoded.
    #[arg(long, group = "what", value_name = "P")]
    part: Option<String>,
    /// Write to this file instead.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Do not fetch it where it is not here.
    #[arg(long)]
    offline: bool,
    /// Print one JSON object.
    #[arg(long, conflicts_with_all = ["raw", "part"])]
    json: bool,
}

/// Octets of a body read at a time.
const PIECE: u64 = 1 << 20;

pub(crate) fn run(db: &Path, arguments: Arguments, out: &mut impl Write) -> Result<(), Failure> {
    let engine = places::open(db)?;
    let id = MessageId(arguments.id);
    let message = engine.message(id).map_err(|error| match error {
        mailkeep::Error::Gone(_) => {
            Failure::not_found(format!("no message {id}; `mailkeep list` shows them"))
        }
        other => other.into(),
    })?;
    let part = arguments.part.as_deref();
    let here = message.row.has_body() || part.is_some_and(|p| matches!(engine.part(id, p), Ok(Some(_))));
    if !here && !arguments.offline {
        fetch(&engine, &message, part)?;
    }
    let message = engine.message(id)?;
    if !message.row.has_body() && part.is_none() {
        return Err(Failure::not_found(format!(
            "message {id} is not here whole; run this without --offline"
        )));
    }
    match &arguments.output {
        None => write(&engine, &message, &arguments, out),
        Some(path) => {
            let failed = |error: io::Error| Failure::usage(format!("--output {}: {error}", path.display()));
            let mut file = BufWriter::new(File::create(path).map_err(failed)?);
            write(&engine, &message, &arguments, &mut file)?;
            file.flush().map_err(failed)
        }
    }
}

fn write(
    engine: &Engine,
    message: &Message,
    arguments: &Arguments,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let id = message.row.id;
    if arguments.raw {
        let mut offset = 0;
        while let Some(piece) = engine.body(id, offset, PIECE)?.filter(|piece| !piece.is_empty()) {
            out.write_all(&piece)?;
            offset += piece.len() as u64;
        }
        return Ok(());
    }
    if let Some(number) = &arguments.part {
        let part = engine.part(id, number)?;
        let part = part.ok_or_else(|| Failure::not_found(format!("message {id} has no part {number}")))?;
        return Ok(out.write_all(&part)?);
    }
    let text = engine.text(id)?.unwrap_or_default();
    if arguments.json {
        return json_message(engine, message, &text, out);
    }
    if !arguments.text {
        header(message, out)?;
    }
    let text = clean_lines(&text);
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn header(message: &Message, out: &mut impl Write) -> io::Result<()> {
    let summary = &message.row.summary;
    let details = &message.details;
    let join = |all: &[mailkeep::message::Address]| all.iter().map(address).collect::<Vec<_>>().join(", ");
    let sent = summary.date_ms.map(date).unwrap_or_default();
    let flags = message.row.flags.wire_words().collect::<Vec<_>>().join(" ");
    let lines = [
        ("From", join(&summary.from)),
        ("To", join(&details.to)),
        ("Cc", join(&details.cc)),
        ("Date", sent),
        ("Subject", summary.subject.clone()),
        ("Flags", flags),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "{name}: {}", clean(value))?;
    }
    for part in details.parts.iter().filter(|part| part.is_attachment()) {
        let name = clean(&part.safe_file_name());
        writeln!(out, "Part {}: {name} ({}, {})", part.number, clean(&part.media_type), size(part.size))?;
    }
    writeln!(out)
}

fn json_message(engine: &Engine, message: &Message, text: &str, out: &mut impl Write) -> Result<(), Failure> {
    let mailbox = engine.mailbox(message.row.mailbox)?;
    let details = &message.details;
    let list = |all: &[mailkeep::message::Address]| all.iter().map(address).collect::<Vec<_>>();
    let parts: Vec<_> = details
        .parts
        .iter()
        .map(|part| {
            json!({
                "number": part.number,
                "media_type": part.media_type,
                "charset": part.charset,
                "name": part.name,
                "size": part.size,
                "attachment": part.is_attachment(),
            })
        })
        .collect();
    let mut value = json!(MessageJson::new(&mailbox, &message.row));
    value["to"] = json!(list(&details.to));
    value["cc"] = json!(list(&details.cc));
    value["bcc"] = json!(list(&details.bcc));
    value["reply_to"] = json!(list(&details.reply_to));
    value["in_reply_to"] = json!(details.in_reply_to);
    value["references"] = json!(details.references);
    value["parts"] = json!(parts);
    value["text"] = json!(text);
    Ok(json_line(out, &value)?)
}

/// Brings a message here whole, or the part of it that is wanted.
fn fetch(engine: &Engine, message: &Message, part: Option<&str>) -> Result<(), Failure> {
    let id = message.row.id;
    let wanted = engine.mailbox(message.row.mailbox)?.account;
    let account = engine.accounts()?.into_iter().find(|account| account.id == wanted);
    let account = account.ok_or_else(|| Failure::not_found("the message's account is no more"))?;
    let explain = |mut failure: Failure| {
        failure.text = format!("message {id} is not here whole and cannot be fetched: {}", failure.text);
        failure
    };
    let credentials = credentials::of(&account).map_err(explain)?;
    let interrupt = Interrupt::install()?;
    let mut task = FetchTask { message: id, part: part.map(str::to_owned) };
    session::run(engine, &account, credentials, &interrupt, None, &mut task).map_err(explain)
}

struct FetchTask {
    message: MessageId,
    part: Option<String>,
}

impl Task for FetchTask {
    fn begin(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        match &self.part {
            Some(part) => connection.fetch_part(self.message, part.clone()),
            None => connection.fetch(self.message),
        };
        Ok(())
    }

    fn event(&mut self, _: &mut Connection, event: Event) -> Result<Flow, Failure> {
        match event {
            Event::Done { result, .. } => result.map(|_| Flow::Finish).map_err(Failure::from),
            _ => Ok(Flow::Go),
        }
    }
}
