//! What a sync shows: bars and lines for a person, or JSON lines.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use mailkeep::{
    AccountInfo, Engine, Event, MailboxId, MailboxInfo, MessageId, OperationId, OperationState, SyncSummary,
};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::list::{MessageJson, sender};
use crate::output::{clean, json_line, size};

/// New messages that a person is told one by one; of more only the number.
const TOLD: usize = 20;

/// Where all the sessions report to.
pub(crate) struct Screen {
    json: bool,
    bars: MultiProgress,
}

impl Screen {
    /// Bars show on a terminal only, and never among JSON.
    pub(crate) fn new(json: bool) -> Screen {
        let target = if json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Screen { json, bars: MultiProgress::with_draw_target(target) }
    }

    fn print(&self, act: impl FnOnce(&mut io::StdoutLock<'_>) -> io::Result<()>) -> Result<(), Failure> {
        self.bars.suspend(|| {
            let mut out = io::stdout().lock();
            act(&mut out)?;
            Ok(out.flush()?)
        })
    }
}

/// What one session reports.
pub(crate) struct Report<'a> {
    engine: &'a Engine,
    account: &'a AccountInfo,
    screen: &'a Screen,
    bar: ProgressBar,
    names: HashMap<MailboxId, String>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(engine: &'a Engine, account: &'a AccountInfo, screen: &'a Screen) -> Report<'a> {
        let bar = screen.bars.add(ProgressBar::no_length());
        let style = ProgressStyle::with_template("{prefix}  {msg:32!}  {wide_bar} {pos}/{len}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(clean(&account.settings.name));
        Report { engine, account, screen, bar, names: HashMap::new() }
    }

    /// The session is over.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
        self.screen.bars.remove(&self.bar);
    }

    pub(crate) fn event(&mut self, event: &Event) -> Result<(), Failure> {
        match event {
            Event::Progress { mailbox, done, total, .. } => self.progress(*mailbox, *done, *total),
            Event::Alert { text } => self.tell("alert", text),
            Event::Problem { text } => self.tell("problem", text),
            Event::SetAside { operation } => self.set_aside(*operation),
            Event::Authenticated if self.screen.json => self.json(json!({ "event": "authenticated" })),
            _ => Ok(()),
        }
    }

    /// The server refused what was done here, or what it was about is gone.
    fn set_aside(&self, operation: OperationId) -> Result<(), Failure> {
        let found = self.engine.pending(Some(self.account.id))?.into_iter().find(|op| op.id == operation);
        let reason = match found.map(|op| op.state) {
            Some(OperationState::SetAside { reason }) => reason,
            _ => return Ok(()),
        };
        if self.screen.json {
            return self.json(json!({ "event": "set_aside", "operation": operation, "reason": reason }));
        }
        self.tell("set aside", &format!("operation {operation}: {reason}; `mailkeep pending` shows it"))
    }

    pub(crate) fn mailboxes_listed(&mut self) -> Result<(), Failure> {
        if self.screen.json { self.json(json!({ "event": "mailboxes_listed" })) } else { Ok(()) }
    }

    pub(crate) fn problem(&self, text: &str) {
        // Whoever closed the output has no wish to know.
        let _ = self.tell("problem", text);
    }

    pub(crate) fn watching(&self, mailbox: &str) -> Result<(), Failure> {
        if self.screen.json {
            return self.json(json!({ "event": "watching", "mailbox": mailbox }));
        }
        self.bar.finish_and_clear();
        let text = format!("{}: watching {}; Ctrl-C ends it", self.account.settings.name, mailbox);
        self.screen.print(|out| writeln!(out, "{}", clean(&text)))
    }

    /// Tells of new mail that nobody has been told of yet, once.
    pub(crate) fn new_mail(&self) -> Result<(), Failure> {
        let mut told: Vec<MessageId> = Vec::new();
        let mut mailboxes: HashMap<MailboxId, MailboxInfo> = HashMap::new();
        for id in self.engine.new_mail(usize::MAX)? {
            let Ok(message) = self.engine.message(id) else { continue };
            let mailbox = match mailboxes.get(&message.row.mailbox) {
                Some(mailbox) => mailbox,
                None => {
                    let found = self.engine.mailbox(message.row.mailbox)?;
                    mailboxes.entry(message.row.mailbox).or_insert(found)
                }
            };
            if mailbox.account != self.account.id {
                continue;
            }
            if self.screen.json {
                let message = MessageJson::new(mailbox, &message.row);
                self.json(json!({ "event": "new_mail", "message": message }))?;
            } else if told.len() < TOLD {
                let line = format!(
                    "{}: new in {}: {} {} — {}",
                    self.account.settings.name,
                    mailbox.name,
                    id,
                    sender(&message.row),
                    message.row.summary.subject
                );
                self.screen.print(|out| writeln!(out, "{}", clean(&line)))?;
            }
            told.push(id);
        }
        if told.len() > TOLD && !self.screen.json {
            let line = format!("{}: and {} more", self.account.settings.name, told.len() - TOLD);
            self.screen.print(|out| writeln!(out, "{}", clean(&line)))?;
        }
        if !told.is_empty() {
            self.engine.acknowledge_new_mail(&told)?;
        }
        Ok(())
    }

    pub(crate) fn summary(&self, summary: &SyncSummary, time: Duration) -> Result<(), Failure> {
        let name = &self.account.settings.name;
        let seconds = (time.as_secs_f64() * 1000.0).round() / 1000.0;
        if self.screen.json {
            let value = json!({
                "account": name,
                "messages_added": summary.messages_added,
                "messages_removed": summary.messages_removed,
                "flags_changed": summary.flags_changed,
                "bytes_received": summary.bytes_received,
                "bytes_sent": summary.bytes_sent,
                "round_trips": summary.round_trips,
                "commands": summary.commands,
                "operations_replayed": summary.operations_replayed,
                "operations_set_aside": summary.operations_set_aside,
                "seconds": seconds,
            });
            return self.screen.print(|out| json_line(out, &value));
        }
        let done = match (summary.operations_replayed, summary.operations_set_aside) {
            (0, 0) => String::new(),
            (done, 0) => format!("; {done} done on the server"),
            (done, aside) => {
                format!("; {done} done on the server, {aside} set aside (`mailkeep pending` says why)")
            }
        };
        let line = format!(
            "{name}: {} new, {} gone, {} with other flags{done}; {} received, {} sent in {} round trips, {seconds:.1} s",
            summary.messages_added,
            summary.messages_removed,
            summary.flags_changed,
            size(summary.bytes_received),
            size(summary.bytes_sent),
            summary.round_trips,
        );
        self.screen.print(|out| writeln!(out, "{}", clean(&line)))
    }

    fn progress(&mut self, mailbox: MailboxId, done: u64, total: u64) -> Result<(), Failure> {
        if self.screen.json || self.bar.is_hidden() {
            return Ok(());
        }
        if !self.names.contains_key(&mailbox) {
            let name = self.engine.mailbox(mailbox).map(|mailbox| clean(&mailbox.name)).unwrap_or_default();
            self.names.insert(mailbox, name);
        }
        self.bar.set_message(self.names[&mailbox].clone());
        self.bar.set_length(total);
        self.bar.set_position(done);
        Ok(())
    }

    fn tell(&self, kind: &str, text: &str) -> Result<(), Failure> {
        if self.screen.json {
            return self.json(json!({ "event": kind, "text": text }));
        }
        self.screen.bars.suspend(|| crate::note(&format!("{}: {kind}: {text}", self.account.settings.name)));
        Ok(())
    }

    /// One line about an event, with the account's name.
    fn json(&self, mut value: Value) -> Result<(), Failure> {
        value["account"] = json!(self.account.settings.name);
        self.screen.print(|out| json_line(out, &value))
    }
}
