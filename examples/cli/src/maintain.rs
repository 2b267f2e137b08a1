//! `mailkeep verify`, `stats` and `compact` (which compresses first).

use std::io::Write;
use std::path::Path;

use clap::Args;
use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::output::{clean, json_line, size};
use crate::places;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn verify(db: &Path, arguments: Arguments, out: &mut impl Write) -> Result<Exit, Failure> {
    let report = places::open(db)?.verify().map_err(|error| Failure::store(db, error))?;
    let whole = report.problems.is_empty();
    if arguments.json {
        let value = json!({
            "ok": whole,
            "mailboxes": report.mailboxes,
            "messages": report.messages,
            "bodies": report.bodies,
            "octets": report.octets,
            "problems": report.problems,
        });
        json_line(out, &value)?;
    } else {
        for problem in &report.problems {
            writeln!(out, "{}", clean(problem))?;
        }
        let word = if whole { "whole".to_owned() } else { format!("{} problems", report.problems.len()) };
        writeln!(
            out,
            "{word}: {} mailboxes, {} messages, {} bodies of {} hashed",
            report.mailboxes,
            report.messages,
            report.bodies,
            size(report.octets)
        )?;
    }
    Ok(if whole { Exit::Ok } else { Exit::Found })
}

pub(crate) fn stats(db: &Path, arguments: Arguments, out: &mut impl Write) -> Result<(), Failure> {
    let stats = places::open(db)?.stats()?;
    let file = file_size(db);
    if arguments.json {
        let value = json!({
            "accounts": stats.accounts,
            "mailboxes": stats.mailboxes,
            "messages": stats.messages,
            "octets": stats.octets,
            "commit": stats.commit,
            "file_octets": file,
        });
        return Ok(json_line(out, &value)?);
    }
    writeln!(out, "accounts   {}", stats.accounts)?;
    writeln!(out, "mailboxes  {}", stats.mailboxes)?;
    writeln!(out, "messages   {} of {} together", stats.messages, size(stats.octets))?;
    writeln!(out, "commit     {}", stats.commit)?;
    Ok(writeln!(out, "file       {}", size(file))?)
}

/// Octets of bodies looked at in one transaction.
const SHRINK_STEP: u64 = 4 << 20;

pub(crate) fn compact(db: &Path, arguments: Arguments, out: &mut impl Write) -> Result<(), Failure> {
    let engine = places::open(db)?;
    let before = file_size(db);
    while !engine.shrink(SHRINK_STEP)?.done {}
    engine.compact()?;
    engine.close();
    let after = file_size(db);
    if arguments.json {
        return Ok(json_line(out, &json!({ "before": before, "after": after }))?);
    }
    Ok(writeln!(out, "{} before, {} now", size(before), size(after))?)
}

fn file_size(db: &Path) -> u64 {
    std::fs::metadata(db).map_or(0, |metadata| metadata.len())
}
