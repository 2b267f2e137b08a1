//! `mailkeep mailboxes` and `mailkeep list`.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use mailkeep::flags::Flags;
use mailkeep::message::Address;
use mailkeep::{MailboxInfo, MailboxKind, MessageRow};
use serde::Serialize;

use crate::exit::Failure;
use crate::output::{clean, date, fit, hex, iso, json_line, size, table, terminal_width};
use crate::places;

#[derive(Args)]
pub(crate) struct MailboxesArguments {
    /// This account's only.
    account: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct ListArguments {
    /// The mailbox.
    mailbox: String,
    /// Its account, where several have one of this name.
    #[arg(long)]
    account: Option<String>,
    /// At most this many.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Unread ones only.
    #[arg(long)]
    unread: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Rows read from the store at a time.
const PAGE: usize = 200;

#[derive(Serialize)]
struct MailboxJson<'a> {
    id: u32,
    account: &'a str,
    name: &'a str,
    role: Option<String>,
    total: u64,
    unseen: u64,
    size: u64,
    selectable: bool,
    subscribed: bool,
    local: bool,
    pending: bool,
    uid_validity: u32,
    uid_next: u32,
    complete: bool,
}

pub(crate) fn mailboxes(
    db: &Path,
    arguments: MailboxesArguments,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let engine = places::open(db)?;
    let mut rows = Vec::new();
    for account in places::accounts(&engine, arguments.account.as_deref())? {
        let name = &account.settings.name;
        for mailbox in engine.mailboxes(account.id)? {
            let role = mailbox.role.map(|role| format!("{role:?}").to_ascii_lowercase());
            if arguments.json {
                json_line(out, &mailbox_json(name, &mailbox, role))?;
                continue;
            }
            rows.push(vec![
                format!("#{}", mailbox.id),
                name.clone(),
                mailbox.name,
                role.unwrap_or_default(),
                mailbox.total.to_string(),
                mailbox.unseen.to_string(),
                size(mailbox.size),
            ]);
        }
    }
    if arguments.json {
        return Ok(());
    }
    Ok(table(out, &["ID", "ACCOUNT", "MAILBOX", "ROLE", "MESSAGES", "UNREAD", "SIZE"], &rows)?)
}

fn mailbox_json<'a>(account: &'a str, mailbox: &'a MailboxInfo, role: Option<String>) -> MailboxJson<'a> {
    MailboxJson {
        id: mailbox.id.0,
        account,
        name: &mailbox.name,
        role,
        total: mailbox.total,
        unseen: mailbox.unseen,
        size: mailbox.size,
        selectable: mailbox.selectable,
        subscribed: mailbox.subscribed,
        local: mailbox.kind == MailboxKind::Local,
        pending: mailbox.pending,
        uid_validity: mailbox.uid_validity,
        uid_next: mailbox.uid_next,
        complete: mailbox.complete,
    }
}

pub(crate) fn messages(db: &Path, arguments: ListArguments, out: &mut impl Write) -> Result<(), Failure> {
    let engine = places::open(db)?;
    let mailbox = places::mailbox(&engine, arguments.account.as_deref(), &arguments.mailbox)?;
    let mut left = arguments.limit.unwrap_or(usize::MAX);
    let mut after = None;
    let width = terminal_width();
    if !arguments.json {
        writeln!(out, "{:>7}  {:1}  {:16}  {}  SUBJECT", "ID", " ", "DATE (UTC)", fit("FROM", 24))?;
    }
    while left > 0 {
        let page = engine.messages(mailbox.id, after.as_ref(), PAGE)?;
        let wanted =
            page.rows.iter().filter(|row| !arguments.unread || !row.flags.flags.contains(Flags::SEEN));
        for row in wanted.take(left) {
            left -= 1;
            if arguments.json {
                json_line(out, &MessageJson::new(&mailbox, row))?;
            } else {
                line(out, row, width)?;
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(())
}

/// A message as `--json` prints it.
#[derive(Serialize)]
pub(crate) struct MessageJson<'a> {
    id: u64,
    mailbox: &'a str,
    mailbox_id: u32,
    uid: u32,
    uid_validity: u32,
    flags: Vec<&'a str>,
    pending: bool,
    size: u64,
    internal_date: i64,
    internal_date_iso: String,
    date: Option<i64>,
    from: Vec<String>,
    to: Vec<String>,
    subject: &'a str,
    message_id: Option<&'a str>,
    preview: &'a str,
    has_body: bool,
    attachments: u16,
    sha256: Option<String>,
}

impl<'a> MessageJson<'a> {
    pub(crate) fn new(mailbox: &'a MailboxInfo, row: &'a MessageRow) -> MessageJson<'a> {
        MessageJson {
            id: row.id.0,
            mailbox: &mailbox.name,
            mailbox_id: mailbox.id.0,
            uid: row.uid,
            uid_validity: mailbox.uid_validity,
            flags: row.flags.wire_words().collect(),
            pending: row.pending,
            size: row.size,
            internal_date: row.internal_date,
            internal_date_iso: iso(row.internal_date),
            date: row.summary.date_ms,
            from: row.summary.from.iter().map(address).collect(),
            to: row.summary.to.iter().map(address).collect(),
            subject: &row.summary.subject,
            message_id: row.summary.message_id.as_deref(),
            preview: &row.summary.preview,
            has_body: row.has_body(),
            attachments: row.summary.attachments,
            sha256: row.sha256.map(|hash| hex(&hash)),
        }
    }
}

/// `Ann <ann@example.org>`
pub(crate) fn address(address: &Address) -> String {
    match &address.name {
        Some(name) if address.address.is_empty() => name.clone(),
        Some(name) => format!("{name} <{}>", address.address),
        None => address.address.clone(),
    }
}

/// Who a list says that a message is from.
pub(crate) fn sender(row: &MessageRow) -> String {
    let Some(first) = row.summary.from.first() else { return String::new() };
    first.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| first.address.clone())
}

fn line(out: &mut impl Write, row: &MessageRow, width: usize) -> io::Result<()> {
    let flags = row.flags.flags;
    let mark = if flags.contains(Flags::FLAGGED) {
        '!'
    } else if flags.contains(Flags::SEEN) {
        ' '
    } else {
        '*'
    };
    let subject = clean(&row.summary.subject);
    let subject = console::truncate_str(&subject, width.saturating_sub(56), "…").into_owned();
    writeln!(
        out,
        "{:>7}  {mark}  {}  {}  {subject}",
        row.id.0,
        date(row.internal_date),
        fit(&sender(row), 24)
    )
}
