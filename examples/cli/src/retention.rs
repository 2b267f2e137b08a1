//! `mailkeep retention --dry-run`: what the next sync will delete from POP3 servers, and why.

use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use clap::Args;
use mailkeep::{Protocol, RetentionEntry, RetentionReason};
use serde_json::json;

use crate::exit::Failure;
use crate::output::{clean, json_line, size, table};
use crate::places;

#[derive(Args)]
pub(crate) struct Arguments {
    /// This account only.
    account: Option<String>,
    /// Only show it. There is no other way: deleting is the sync's.
    #[arg(long, required = true)]
    dry_run: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(db: &Path, arguments: Arguments, out: &mut impl Write) -> Result<(), Failure> {
    let Arguments { account, json, .. } = arguments;
    let engine = places::open(db)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let mut rows = Vec::new();
    for account in places::accounts(&engine, account.as_deref())? {
        if account.settings.protocol != Protocol::Pop3 {
            continue;
        }
        let name = &account.settings.name;
        for entry in engine.retention_plan(account.id, now_ms)? {
            if json {
                json_line(out, &to_json(name, &entry))?;
            } else {
                let why = why(&entry);
                rows.push(vec![
                    name.clone(),
                    clean(&entry.subject),
                    size(entry.size),
                    clean(&entry.uidl),
                    why,
                ]);
            }
        }
    }
    if json {
        return Ok(());
    }
    Ok(table(out, &["ACCOUNT", "SUBJECT", "SIZE", "UIDL", "WHY"], &rows)?)
}

fn to_json(account: &str, entry: &RetentionEntry) -> serde_json::Value {
    json!({
        "account": account,
        "message": entry.message.map(|id| id.0),
        "uidl": entry.uidl,
        "size": entry.size,
        "subject": entry.subject,
        "why": why(entry),
    })
}

fn why(entry: &RetentionEntry) -> String {
    match entry.why {
        RetentionReason::Here => "it is here".into(),
        RetentionReason::Age { days } => format!("it has been here for {days} days"),
        RetentionReason::DeletedHere => "it was deleted here".into(),
        RetentionReason::MovedHere => "it was moved out of the inbox here".into(),
        _ => "the account's policy".into(),
    }
}
