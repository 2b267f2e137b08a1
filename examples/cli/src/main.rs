//! `mailkeep`: mailboxes kept in one file on this machine, in step with their servers.

mod account;
mod act;
mod append;
mod credentials;
mod demo;
mod exit;
mod interrupt;
mod list;
mod mailbox;
mod maintain;
mod moment;
mod net;
mod output;
mod pending;
mod places;
mod report;
mod retention;
mod room;
mod serve;
mod session;
mod show;
mod sync;
mod tls;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::exit::{Exit, Failure};
use crate::output::clean;

/// Mail, kept in one file on this machine and in step with its servers.
#[derive(Parser)]
#[command(name = "mailkeep", version, after_help = exit::HELP)]
struct Arguments {
    /// The database file.
    #[arg(long, global = true, env = "MAILKEEP_DB", value_name = "FILE")]
    db: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add, list or remove accounts.
    #[command(subcommand)]
    Account(account::Command),
    /// Bring the mail here into step with the servers.
    Sync(sync::Arguments),
    /// Show what the next sync will delete from POP3 servers, and why.
    Retention(retention::Arguments),
    /// List mailboxes.
    Mailboxes(list::MailboxesArguments),
    /// List a mailbox's messages, newest first.
    List(list::ListArguments),
    /// Show a message.
    Show(show::Arguments),
    /// Set and clear flags of messages: flag 17 +seen -flagged
    Flag(act::FlagArguments),
    /// Move messages to another mailbox.
    Move(act::MoveArguments),
    /// Copy messages into another mailbox.
    Copy(act::MoveArguments),
    /// Delete messages: into the Trash; out of it, for good.
    Delete(act::DeleteArguments),
    /// Move messages to the archive; or old ones from the server to a mailbox of this machine.
    Archive(act::ArchiveArguments),
    /// Put a message from a file into a mailbox, or save a draft again.
    Append(append::Arguments),
    /// Make, rename, delete, subscribe to, empty and read mailboxes.
    Mailbox(mailbox::Arguments),
    /// Show what was done here and the servers have not confirmed.
    Pending(pending::Arguments),
    /// Show what the servers let the accounts hold, and how much of it is used.
    Quota(room::QuotaArguments),
    /// Serve accounts to other programs, over IMAP and POP3.
    Serve(serve::Arguments),
    /// Show what the engine does: a server of its own, synced, worked on offline, and synced back. Needs nothing else.
    Demo(demo::Arguments),
    /// Prove the store whole: read everything and say what is not as it should be.
    Verify(maintain::Arguments),
    /// Show figures about the store.
    Stats(maintain::Arguments),
    /// Give unused space back to the disk.
    Compact(maintain::Arguments),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if is_mistake(error.kind()) => {
            note(&one_line(&error.to_string()));
            return ExitCode::from(Exit::Usage as u8);
        }
        Err(help) => help.exit(),
    };
    let mut out = BufWriter::new(io::stdout());
    let outcome = run(arguments, &mut out).and_then(|exit| Ok(out.flush().map(|()| exit)?));
    let exit = match outcome {
        Ok(exit) => exit,
        Err(failure) => {
            // What was printed before stands; where that cannot be, the failure says more.
            let _ = out.flush();
            if !failure.text.is_empty() {
                note(&failure.text);
            }
            failure.exit
        }
    };
    // What is left in the buffer has no reader.
    let _ = out.into_parts();
    ExitCode::from(exit as u8)
}

fn run(arguments: Arguments, out: &mut impl Write) -> Result<Exit, Failure> {
    let db = match (arguments.db, &arguments.command) {
        (Some(db), _) => db,
        // It makes its own.
        (None, Command::Demo(_)) => PathBuf::new(),
        (None, _) => return Err(Failure::usage("which database? give --db FILE, or set MAILKEEP_DB")),
    };
    match arguments.command {
        Command::Account(command) => account::run(&db, command, out).map(|()| Exit::Ok),
        Command::Sync(arguments) => sync::run(&db, arguments).map(|()| Exit::Ok),
        Command::Retention(arguments) => retention::run(&db, arguments, out).map(|()| Exit::Ok),
        Command::Mailboxes(arguments) => list::mailboxes(&db, arguments, out).map(|()| Exit::Ok),
        Command::List(arguments) => list::messages(&db, arguments, out).map(|()| Exit::Ok),
        Command::Show(arguments) => show::run(&db, arguments, out).map(|()| Exit::Ok),
        Command::Flag(arguments) => act::flag(&db, arguments, out).map(|()| Exit::Ok),
        Command::Move(arguments) => act::move_to(&db, arguments, out).map(|()| Exit::Ok),
        Command::Copy(arguments) => act::copy(&db, arguments, out).map(|()| Exit::Ok),
        Command::Delete(arguments) => act::delete(&db, arguments, out).map(|()| Exit::Ok),
        Command::Archive(arguments) => act::archive(&db, arguments, out).map(|()| Exit::Ok),
        Command::Append(arguments) => append::run(&db, arguments, out).map(|()| Exit::Ok),
        Command::Mailbox(arguments) => mailbox::run(&db, arguments, out).map(|()| Exit::Ok),
        Command::Pending(arguments) => pending::run(&db, arguments, out).map(|()| Exit::Ok),
        Command::Quota(arguments) => room::quota(&db, arguments, out).map(|()| Exit::Ok),
        Command::Serve(arguments) => serve::run(&db, arguments, out).map(|()| Exit::Ok),
        Command::Demo(arguments) => demo::run(arguments, out).map(|()| Exit::Ok),
        Command::Verify(arguments) => maintain::verify(&db, arguments, out),
        Command::Stats(arguments) => maintain::stats(&db, arguments, out).map(|()| Exit::Ok),
        Command::Compact(arguments) => maintain::compact(&db, arguments, out).map(|()| Exit::Ok),
    }
}

fn is_mistake(kind: ErrorKind) -> bool {
    let help = [
        ErrorKind::DisplayHelp,
        ErrorKind::DisplayVersion,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
    ];
    !help.contains(&kind)
}

/// What is wrong with the command line, without the usage that follows it.
fn one_line(error: &str) -> String {
    let text = error.strip_prefix("error: ").unwrap_or(error);
    let text = text.split("\n\nUsage:").next().unwrap_or(text);
    let text = text.split("\n\nFor more information").next().unwrap_or(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    format!("{} (see --help)", words.join(" "))
}

/// One line on standard error.
fn note(text: &str) {
    // There is nowhere to say that standard error is gone.
    let _ = writeln!(io::stderr(), "mailkeep: {}", clean(text));
}
