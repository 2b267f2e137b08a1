//! `mailkeep account limit`: the quota of an account that is served.

use std::io::Write;
use std::path::Path;

use clap::Args;
use mailkeep::ServedLimits;
use serde_json::json;

use crate::exit::Failure;
use crate::output::{json_line, size};
use crate::places;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The account.
    name: String,
    /// Octets of all messages together.
    #[arg(long, value_name = "N")]
    octets: Option<u64>,
    /// How many messages.
    #[arg(long, value_name = "N")]
    messages: Option<u64>,
    /// No limits any more.
    #[arg(long, conflicts_with_all = ["octets", "messages"])]
    none: bool,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(db: &Path, arguments: &Arguments, out: &mut impl Write) -> Result<(), Failure> {
    let engine = places::open(db)?;
    let account = places::accounts(&engine, Some(&arguments.name))?.remove(0);
    let mut limits = engine.served_limits(account.id)?;
    if arguments.none {
        limits = ServedLimits::default();
    }
    limits.octets = arguments.octets.or(limits.octets);
    limits.messages = arguments.messages.or(limits.messages);
    engine.set_served_limits(account.id, limits)?;
    if arguments.json {
        let said = json!({ "account": arguments.name, "octets": limits.octets, "messages": limits.messages });
        return Ok(json_line(out, &said)?);
    }
    let octets = limits.octets.map_or("any size".into(), size);
    let messages = limits.messages.map_or("any number of messages".into(), |n| format!("{n} messages"));
    Ok(writeln!(out, "{}: {messages}, {octets}", arguments.name)?)
}
