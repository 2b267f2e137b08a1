//! `mailkeep sync`: one session for each account, and the watch after it.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use mailkeep::sasl::Credentials;
use mailkeep::{
    AccountInfo, BodyPolicy, Connection, Engine, Error, Event, MailboxId, Protocol, RequestId, SyncScope,
    SyncSummary,
};

use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::report::{Report, Screen};
use crate::session::{self, Flow, Task};
use crate::{account, credentials, places};

#[derive(Args)]
pub(crate) struct Arguments {
    /// This account only.
    account: Option<String>,
    /// Which messages to bring here whole this time: all, none, newest:N of each mailbox.
    #[arg(long, value_parser = account::bodies)]
    bodies: Option<BodyPolicy>,
    /// This mailbox only; may be given more than once.
    #[arg(long = "mailbox", value_name = "M")]
    mailboxes: Vec<String>,
    /// Keep watching for new mail afterwards: in INBOX, or in the --mailbox given.
    #[arg(long)]
    watch: bool,
    /// How long one IDLE lasts while watching, in seconds: less where a router forgets silent connections.
    #[arg(long, value_name = "SECONDS", default_value = "1680", value_parser = reissue)]
    reissue: Duration,
    /// One JSON object a line: what happens, and at the end a summary for each account.
    #[arg(long)]
    json: bool,
}

/// Waits between attempts to connect again while watching.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

pub(crate) fn run(db: &Path, arguments: Arguments) -> Result<(), Failure> {
    if arguments.watch && arguments.mailboxes.len() > 1 {
        return Err(Failure::usage("--watch watches one mailbox of an account: give --mailbox once"));
    }
    let engine = places::open(db)?;
    let mut jobs = Vec::new();
    let mut accounts = places::accounts(&engine, arguments.account.as_deref())?;
    if arguments.account.is_none() {
        accounts.retain(|account| account.settings.protocol != Protocol::Local);
    }
    for account in accounts {
        let credentials = credentials::of(&account)?;
        jobs.push((account, credentials));
    }
    if jobs.is_empty() {
        return Err(Failure::not_found("no account yet; `mailkeep account add` makes one"));
    }
    let screen = Screen::new(arguments.json);
    let interrupt = Interrupt::install()?;
    let several = jobs.len() > 1;
    let failures: Vec<Failure> = thread::scope(|scope| {
        let (engine, arguments, screen, interrupt) = (&engine, &arguments, &screen, &interrupt);
        let threads: Vec<_> = jobs
            .iter()
            .map(|(account, credentials)| {
                scope.spawn(move || sync_account(engine, account, credentials, arguments, screen, interrupt))
            })
            .collect();
        let ended = threads.into_iter().zip(&jobs).map(|(thread, (account, _))| {
            let outcome =
                thread.join().unwrap_or_else(|_| Err(Failure::new(Exit::Store, "a session broke down")));
            outcome.err().map(|failure| if several { failure.about(&account.settings.name) } else { failure })
        });
        ended.flatten().collect()
    });
    let mut failures = failures.into_iter();
    let first = failures.next();
    for failure in failures {
        crate::note(&failure.text);
    }
    first.map_or(Ok(()), Err)
}

/// Syncs an account once, and says so as `sync` does.
pub(crate) fn once(
    engine: &Engine,
    account: &AccountInfo,
    credentials: &Credentials,
    interrupt: &Interrupt,
    reissue: Duration,
) -> Result<(), Failure> {
    let arguments =
        Arguments { account: None, bodies: None, mailboxes: Vec::new(), watch: false, reissue, json: false };
    let screen = Screen::new(false);
    sync_account(engine, account, credentials, &arguments, &screen, interrupt)
}

fn sync_account(
    engine: &Engine,
    account: &AccountInfo,
    credentials: &Credentials,
    arguments: &Arguments,
    screen: &Screen,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let mut wait = RETRY.0;
    let mut synced = false;
    loop {
        let report = Report::new(engine, account, screen);
        let mut task = SyncTask::new(engine, account, arguments, report);
        let reissue = Some(arguments.reissue);
        let outcome = session::run(engine, account, credentials.clone(), interrupt, reissue, &mut task);
        task.report.end();
        if task.synced {
            synced = true;
            wait = RETRY.0;
        }
        match outcome {
            Err(failure) if arguments.watch && synced && failure.exit == Exit::Network => {
                task.report.problem(&format!("{}; trying again in {} s", failure.text, wait.as_secs()));
                if sleep(interrupt, wait) {
                    return Ok(());
                }
                wait = (wait * 2).min(RETRY.1);
            }
            outcome => return outcome,
        }
    }
}

/// Reads how long an IDLE lasts: servers end one that lasts 30 minutes.
fn reissue(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| *seconds > 0.0 && *seconds <= 1740.0);
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "it is a number of seconds, at most 1740".into())
}

/// Sleeps; returns whether the user wants to stop.
fn sleep(interrupt: &Interrupt, time: Duration) -> bool {
    let (to, woken) = mpsc::channel();
    interrupt.listen(to);
    !matches!(woken.recv_timeout(time), Err(RecvTimeoutError::Timeout))
}

/// A sync, then a watch.
struct SyncTask<'a> {
    engine: &'a Engine,
    account: &'a AccountInfo,
    arguments: &'a Arguments,
    report: Report<'a>,
    start: Instant,
    /// A pass that is there for the list of mailboxes alone.
    listing: Option<RequestId>,
    syncing: Option<RequestId>,
    synced: bool,
}

impl<'a> SyncTask<'a> {
    fn new(
        engine: &'a Engine,
        account: &'a AccountInfo,
        arguments: &'a Arguments,
        report: Report<'a>,
    ) -> SyncTask<'a> {
        let start = Instant::now();
        SyncTask { engine, account, arguments, report, start, listing: None, syncing: None, synced: false }
    }

    /// The mailboxes that were named, or the first name that is not known.
    fn named(&self) -> Result<Result<Vec<MailboxId>, String>, Failure> {
        let mut found = Vec::new();
        for name in &self.arguments.mailboxes {
            match places::mailbox_of(self.engine, self.account, name)? {
                Some(mailbox) => found.push(mailbox.id),
                None => return Ok(Err(name.clone())),
            }
        }
        Ok(Ok(found))
    }

    fn sync(&mut self, connection: &mut Connection, mailboxes: Vec<MailboxId>) {
        let scope = if mailboxes.is_empty() { SyncScope::account() } else { SyncScope::only(mailboxes) };
        let scope = match self.arguments.bodies {
            Some(bodies) => scope.with_bodies(bodies),
            None => scope,
        };
        self.syncing = Some(connection.sync(scope));
    }

    fn done(&mut self, connection: &mut Connection, summary: SyncSummary) -> Result<Flow, Failure> {
        self.synced = true;
        self.report.new_mail()?;
        self.report.summary(&summary, self.start.elapsed())?;
        if !self.arguments.watch {
            return Ok(Flow::Finish);
        }
        let name = self.arguments.mailboxes.first().map_or("INBOX", String::as_str);
        let mailbox = places::mailbox_of(self.engine, self.account, name)?
            .ok_or_else(|| Failure::not_found(format!("no mailbox {name}")))?;
        connection.watch([mailbox.id]);
        self.report.watching(&mailbox.name)?;
        Ok(Flow::Go)
    }
}

impl Task for SyncTask<'_> {
    fn begin(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        match self.named()? {
            Ok(mailboxes) => self.sync(connection, mailboxes),
            Err(_) => {
                self.listing = Some(connection.sync(SyncScope::account().with_bodies(BodyPolicy::None)))
            }
        }
        Ok(())
    }

    fn event(&mut self, connection: &mut Connection, event: Event) -> Result<Flow, Failure> {
        match event {
            Event::MailboxesListed => {
                if let Some(listing) = self.listing {
                    connection.cancel(listing);
                }
                self.report.mailboxes_listed()?;
            }
            Event::Done { request, result } if self.listing == Some(request) => {
                if let Err(error) = result
                    && !matches!(error, Error::Cancelled)
                {
                    return Err(error.into());
                }
                self.listing = None;
                match self.named()? {
                    Ok(mailboxes) => self.sync(connection, mailboxes),
                    Err(name) => return Err(Failure::not_found(format!("the server has no mailbox {name}"))),
                }
            }
            Event::Done { request, result } if self.syncing == Some(request) => {
                return self.done(connection, result?);
            }
            Event::Done { result, .. } => {
                result?;
            }
            Event::NewMail { .. } if self.synced => self.report.new_mail()?,
            other => self.report.event(&other)?,
        }
        Ok(Flow::Go)
    }

    fn interrupted(&mut self) -> Result<Flow, Failure> {
        if self.synced { Ok(Flow::Finish) } else { Err(Failure::interrupted()) }
    }
}
