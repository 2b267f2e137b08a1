//! `mailkeep quota`, and `archive` by a rule: room on the server.

use std::io::Write;
use std::path::Path;

use clap::Args;
use mailkeep::{ArchiveRule, Engine, NewMailbox};
use serde_json::json;

use crate::exit::Failure;
use crate::output::{clean, json_line, size, table};
use crate::places;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

#[derive(Args)]
pub(crate) struct QuotaArguments {
    /// This account only.
    account: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Old mail that leaves the server for a mailbox of this machine.
#[derive(Args)]
pub(crate) struct Rule {
    /// What was received more than so many days ago.
    #[arg(long, value_name = "DAYS", group = "which")]
    older_than: Option<u32>,
    /// The oldest, until the server's quota is used to at most so many percent.
    #[arg(long, value_name = "PERCENT", group = "which", value_parser = clap::value_parser!(u8).range(..=100))]
    until_quota: Option<u8>,
    /// The mailbox of this machine that takes them; made where there is none.
    #[arg(long, value_name = "MAILBOX", default_value = "Archive on this machine")]
    into: String,
    /// This account, where there is more than one.
    #[arg(long)]
    account: Option<String>,
    /// Only show which.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn quota(db: &Path, arguments: QuotaArguments, out: &mut impl Write) -> Result<(), Failure> {
    let engine = places::open(db)?;
    let mut rows = Vec::new();
    for account in places::accounts(&engine, arguments.account.as_deref())? {
        for quota in &account.quotas {
            let percent = quota.percent();
            if arguments.json {
                json_line(
                    out,
                    &json!({
                        "account": account.settings.name,
                        "root": quota.root,
                        "resource": quota.resource,
                        "usage": quota.usage,
                        "limit": quota.limit,
                        "percent": percent,
                    }),
                )?;
                continue;
            }
            // STORAGE counts in units of 1024 octets (RFC 9208).
            let shown = |n: u64| {
                if quota.resource == "STORAGE" { size(n.saturating_mul(1024)) } else { n.to_string() }
            };
            rows.push(vec![
                account.settings.name.clone(),
                clean(&quota.resource),
                shown(quota.usage),
                shown(quota.limit),
                format!("{percent} %"),
            ]);
        }
    }
    if arguments.json {
        return Ok(());
    }
    Ok(table(out, &["ACCOUNT", "RESOURCE", "USED", "OF", ""], &rows)?)
}

/// Archives by a rule, or shows what it would take.
pub(crate) fn archive(
    engine: &Engine,
    arguments: &Rule,
    json: bool,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut accounts = places::accounts(engine, arguments.account.as_deref())?;
    if accounts.len() != 1 {
        return Err(Failure::usage("which account? give --account NAME"));
    }
    let account = accounts.remove(0);
    let now = places::now();
    let rule = match (arguments.older_than, arguments.until_quota) {
        (Some(days), _) => ArchiveRule::received_before(now.wall_ms - i64::from(days) * DAY_MS),
        (None, Some(percent)) => ArchiveRule::until_quota_below(percent),
        (None, None) => return Err(Failure::usage("archive takes messages, --older-than or --until-quota")),
    };
    let plan = engine.plan_archive(account.id, &rule)?;
    let octets: u64 = plan.iter().map(|entry| entry.size).sum();
    if arguments.dry_run {
        for entry in &plan {
            if json {
                json_line(
                    out,
                    &json!({
                        "id": entry.message.0,
                        "size": entry.size,
                        "internal_date": entry.internal_date,
                        "subject": entry.subject,
                    }),
                )?;
            } else {
                writeln!(out, "{} {} {}", entry.message, size(entry.size), clean(&entry.subject))?;
            }
        }
        return Ok(());
    }
    let target = match places::mailbox_of(engine, &account, &arguments.into)? {
        Some(mailbox) => mailbox.id,
        None => engine.create_mailbox(now, account.id, NewMailbox::named(&arguments.into).local())?,
    };
    let ids: Vec<_> = plan.iter().map(|entry| entry.message).collect();
    let done = if ids.is_empty() { 0 } else { engine.move_messages(now, &ids, target)? };
    if json {
        let told = json!({ "did": "archive", "messages": done, "octets": octets, "to_id": target.0 });
        return Ok(json_line(out, &told)?);
    }
    let into = clean(&arguments.into);
    Ok(writeln!(
        out,
        "{done} messages ({}) go into {into}; the next sync brings them here whole, and takes them from the server",
        size(octets)
    )?)
}
