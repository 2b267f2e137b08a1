//! `mailkeep account`: what is known of the servers.

mod limit;

use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use mailkeep::{
    AccountInfo, AccountSettings, BodyPolicy, Conversion, Keep, LeftoverAction, Security, Window,
};
use serde_json::json;

use crate::exit::Failure;
use crate::output::{clean, json_line, size, table};
use crate::{credentials, note, places, tls};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add an account. The password is not part of it.
    Add(AddArguments),
    /// Point an account at another server with the same mail, or from POP3 at IMAP: `sync` then matches what is here.
    Convert(AddArguments),
    /// End a conversion: say what becomes of messages that the new server does not have.
    Finish(FinishArguments),
    /// Set the password by which `serve` lets other programs into an account; not the one of its own server.
    Password(PasswordArguments),
    /// Limit what other programs may fill an account with that is served to them; without a limit, show what is set.
    Limit(limit::Arguments),
    /// List accounts.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Remove an account, and its mail from this machine.
    Remove {
        /// The account.
        name: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protocol {
    Imap,
    Pop3,
    /// No server: mail of this machine's own, which `serve` can offer to other programs.
    Local,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Secured {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything is said.
    Starttls,
    /// None: the password and the mail can be read on the way.
    Insecure,
}

/// Ways to sign in, by the registered names of SASL mechanisms.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Auth {
    Auto,
    Plain,
    /// IMAP's LOGIN command.
    Login,
    /// POP3's USER and PASS.
    User,
    /// POP3's APOP.
    Apop,
    #[value(name = "scram-sha-1")]
    ScramSha1,
    #[value(name = "scram-sha-256")]
    ScramSha256,
    CramMd5,
    Xoauth2,
    Oauthbearer,
}

#[derive(Args)]
pub(crate) struct AddArguments {
    /// What to call the account here.
    name: String,
    /// The server's protocol.
    protocol: Protocol,
    /// The server.
    #[arg(long)]
    host: Option<String>,
    /// Its port; unless said 993 with TLS and 143 without, for POP3 995 and 110.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// The user name.
    #[arg(long)]
    user: Option<String>,
    /// The environment variable that holds the password, or the token; it is asked for where none is named.
    #[arg(long, value_name = "VAR")]
    password_env: Option<String>,
    /// How the connection is protected.
    #[arg(long, value_enum, default_value = "tls")]
    security: Secured,
    /// Trust the certificate authorities in this PEM file, and no others.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// How to sign in; `auto` is the strongest way that both sides have.
    #[arg(long, value_enum, default_value = "auto")]
    auth: Auth,
    /// Which messages to bring here whole: all, none, newest:N of each mailbox.
    #[arg(long, default_value = "all", value_parser = bodies)]
    bodies: BodyPolicy,
    /// Which messages to know of: all, newest:N of each mailbox, days:N.
    #[arg(long, default_value = "all", value_parser = window)]
    window: Window,
    /// Ask for compression: worth it on slow links.
    #[arg(long)]
    compress: bool,
    /// What becomes of the mail on a POP3 server once it is here: on-server, delete, days:N (from when it
    /// was first here), until-deleted (here, or moved out of the inbox).
    #[arg(long, value_parser = keep)]
    keep: Option<Keep>,
    /// Octets above which only the header of a message on a POP3 server is brought here, until it is asked for.
    #[arg(long, value_name = "N")]
    size_limit: Option<u64>,
}

#[derive(Args)]
pub(crate) struct PasswordArguments {
    /// The account; other programs sign in under this name.
    name: String,
    /// The environment variable that holds the password; it is asked for where none is named.
    #[arg(long, value_name = "VAR", conflicts_with = "none")]
    password_env: Option<String>,
    /// Let no program in any more.
    #[arg(long)]
    none: bool,
}

#[derive(Args)]
pub(crate) struct FinishArguments {
    /// The account.
    name: String,
    /// What becomes of what the new server does not have: list shows it and does nothing, upload sends it there, forget
    /// lets it go, keep:MAILBOX moves it into a mailbox of this machine.
    #[arg(long, default_value = "list", value_parser = leftovers)]
    leftovers: Leftovers,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, PartialEq, Eq)]
enum Leftovers {
    List,
    Upload,
    Forget,
    Keep(String),
}

fn leftovers(text: &str) -> Result<Leftovers, String> {
    match text.split_once(':') {
        None if text == "list" => Ok(Leftovers::List),
        None if text == "upload" => Ok(Leftovers::Upload),
        None if text == "forget" => Ok(Leftovers::Forget),
        Some(("keep", mailbox)) if !mailbox.is_empty() => Ok(Leftovers::Keep(mailbox.to_owned())),
        _ => Err("it is list, upload, forget or keep:MAILBOX".into()),
    }
}

pub(crate) fn run(db: &Path, command: Command, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        Command::Add(arguments) => {
            let settings = settings(arguments)?;
            places::open_or_create(db)?.add_account(settings)?;
            Ok(())
        }
        Command::Convert(arguments) => {
            let engine = places::open(db)?;
            let account = places::accounts(&engine, Some(&arguments.name))?.remove(0);
            engine.convert_account(places::now(), account.id, settings(arguments)?)?;
            Ok(writeln!(out, "the next sync matches what is here with what the new server has")?)
        }
        Command::Finish(arguments) => finish(db, arguments, out),
        Command::Password(arguments) => password(db, &arguments),
        Command::Limit(arguments) => limit::run(db, &arguments, out),
        Command::List { json } => list(db, json, out),
        Command::Remove { name } => {
            let engine = places::open(db)?;
            for account in places::accounts(&engine, Some(&name))? {
                engine.remove_account(account.id)?;
            }
            Ok(())
        }
    }
}

fn password(db: &Path, arguments: &PasswordArguments) -> Result<(), Failure> {
    let engine = places::open(db)?;
    let account = places::accounts(&engine, Some(&arguments.name))?.remove(0);
    let verifier = match arguments.none {
        true => None,
        false => {
            let password = credentials::new_password(&arguments.name, arguments.password_env.as_deref())?;
            Some(credentials::verifier(&password)?)
        }
    };
    Ok(engine.set_server_password(account.id, verifier)?)
}

fn finish(db: &Path, arguments: FinishArguments, out: &mut impl Write) -> Result<(), Failure> {
    let engine = places::open(db)?;
    let account = places::accounts(&engine, Some(&arguments.name))?.remove(0);
    let action = match arguments.leftovers {
        Leftovers::List => return list_leftovers(&engine.conversion(account.id)?, arguments.json, out),
        Leftovers::Upload => LeftoverAction::Upload,
        Leftovers::Forget => LeftoverAction::Forget,
        Leftovers::Keep(name) => {
            let mailbox = places::mailbox_of(&engine, &account, &name)?
                .ok_or_else(|| Failure::not_found(format!("no mailbox {name}")))?;
            LeftoverAction::KeepIn(mailbox.id)
        }
    };
    let done = engine.finish_conversion(places::now(), account.id, action)?;
    if arguments.json {
        return Ok(json_line(out, &json!({ "did": "finish", "messages": done }))?);
    }
    Ok(writeln!(out, "the conversion is done; {done} messages were sent on or kept")?)
}

fn list_leftovers(conversion: &Conversion, json: bool, out: &mut impl Write) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for left in &conversion.leftovers {
        if json {
            json_line(
                out,
                &json!({
                    "id": left.message.0,
                    "mailbox": left.mailbox_name,
                    "subject": left.subject,
                    "size": left.size,
                    "internal_date": left.internal_date,
                    "whole": left.whole,
                }),
            )?;
        } else {
            rows.push(vec![
                left.message.to_string(),
                clean(&left.mailbox_name),
                size(left.size),
                clean(&left.subject),
            ]);
        }
    }
    if json {
        return Ok(());
    }
    Ok(table(out, &["ID", "MAILBOX", "SIZE", "SUBJECT"], &rows)?)
}

fn settings(arguments: AddArguments) -> Result<AccountSettings, Failure> {
    let name = clean(&arguments.name);
    if arguments.protocol == Protocol::Local {
        if arguments.host.is_some() || arguments.user.is_some() || arguments.password_env.is_some() {
            return Err(Failure::usage("a local account has no server: no --host, --user or --password-env"));
        }
        return Ok(AccountSettings::local(name));
    }
    let missing = |what: &str| Failure::usage(format!("which {what}? give --{what}"));
    let host = arguments.host.ok_or_else(|| missing("host"))?;
    let user = arguments.user.ok_or_else(|| missing("user"))?;
    let pop = arguments.protocol == Protocol::Pop3;
    if !pop && (arguments.keep.is_some() || arguments.size_limit.is_some()) {
        return Err(Failure::usage("--keep and --size-limit are for POP3 accounts"));
    }
    if pop && arguments.window != Window::Everything {
        return Err(Failure::usage(
            "--window is for IMAP accounts: over POP3 everything on the server is known",
        ));
    }
    let new = if pop { AccountSettings::pop3 } else { AccountSettings::imap };
    let mut settings = new(name, host, user);
    let clear = if pop { 110 } else { 143 };
    (settings.security, settings.port) = match arguments.security {
        Secured::Tls => (Security::Tls, settings.port),
        Secured::Starttls => (Security::StartTls, clear),
        Secured::Insecure => (Security::Insecure, clear),
    };
    settings.keep = arguments.keep.unwrap_or(settings.keep);
    settings.pop_size_limit = arguments.size_limit;
    settings.port = arguments.port.unwrap_or(settings.port);
    settings.mechanism = mechanism(arguments.auth);
    settings.bodies = arguments.bodies;
    settings.window = arguments.window;
    settings.compress = arguments.compress;
    if let Some(variable) = arguments.password_env {
        if variable.is_empty() || variable.contains(['=', '\0']) {
            return Err(Failure::usage("--password-env takes the name of a variable, not a password"));
        }
        settings.extra.push(("password_env".into(), variable));
    }
    if let Some(file) = arguments.ca {
        tls::roots(&file)?;
        let file = std::path::absolute(&file).unwrap_or(file);
        let file =
            file.into_os_string().into_string().map_err(|_| Failure::usage("--ca: the path is not UTF-8"))?;
        settings.extra.push(("ca".into(), file));
    }
    let address = settings.host.parse::<IpAddr>();
    let local = address.map_or(settings.host == "localhost", |address| address.is_loopback());
    if arguments.security == Secured::Insecure && !local {
        note(
            "note: without encryption everybody on the way to this server can read the password and the mail",
        );
    }
    Ok(settings)
}

fn list(db: &Path, json: bool, out: &mut impl Write) -> Result<(), Failure> {
    let accounts = places::open(db)?.accounts()?;
    if json {
        for account in &accounts {
            json_line(out, &to_json(account))?;
        }
        return Ok(());
    }
    let rows: Vec<Vec<String>> = accounts
        .iter()
        .map(|account| {
            let settings = &account.settings;
            vec![
                settings.name.clone(),
                protocol_word(settings).into(),
                if settings.host.is_empty() {
                    "-".into()
                } else {
                    format!("{}:{}", settings.host, settings.port)
                },
                settings.user.clone(),
                security_word(settings.security).into(),
                settings.mechanism.as_deref().unwrap_or("auto").to_ascii_lowercase(),
            ]
        })
        .collect();
    Ok(table(out, &["NAME", "PROTOCOL", "SERVER", "USER", "SECURITY", "AUTH"], &rows)?)
}

fn to_json(account: &AccountInfo) -> serde_json::Value {
    let settings = &account.settings;
    json!({
        "id": account.id.0,
        "name": settings.name,
        "protocol": protocol_word(settings),
        "host": settings.host,
        "port": settings.port,
        "user": settings.user,
        "security": security_word(settings.security),
        "auth": settings.mechanism.as_deref().unwrap_or("auto").to_ascii_lowercase(),
        "bodies": match settings.bodies {
            BodyPolicy::None => "none".to_owned(),
            BodyPolicy::Newest(n) => format!("newest:{n}"),
            _ => "all".to_owned(),
        },
        "window": match settings.window {
            Window::Newest(n) => format!("newest:{n}"),
            Window::LastDays(n) => format!("days:{n}"),
            _ => "all".to_owned(),
        },
        "compress": settings.compress,
        "keep": match settings.keep {
            Keep::Delete => "delete".to_owned(),
            Keep::Days(n) => format!("days:{n}"),
            Keep::UntilDeletedHere => "until-deleted".to_owned(),
            _ => "on-server".to_owned(),
        },
        "size_limit": settings.pop_size_limit,
        "password_env": extra(settings, "password_env"),
        "ca": extra(settings, "ca"),
        "server": account.server,
    })
}

/// A setting of this program's own.
pub(crate) fn extra<'a>(settings: &'a AccountSettings, key: &str) -> Option<&'a str> {
    settings.extra.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

fn protocol_word(settings: &AccountSettings) -> &'static str {
    match settings.protocol {
        mailkeep::Protocol::Pop3 => "pop3",
        mailkeep::Protocol::Local => "local",
        _ => "imap",
    }
}

fn security_word(security: Security) -> &'static str {
    match security {
        Security::Tls => "tls",
        Security::StartTls => "starttls",
        _ => "insecure",
    }
}

fn mechanism(auth: Auth) -> Option<String> {
    let name = match auth {
        Auth::Auto => return None,
        Auth::Plain => "PLAIN",
        Auth::Login => "LOGIN",
        Auth::User => "USER",
        Auth::Apop => "APOP",
        Auth::ScramSha1 => "SCRAM-SHA-1",
        Auth::ScramSha256 => "SCRAM-SHA-256",
        Auth::CramMd5 => "CRAM-MD5",
        Auth::Xoauth2 => "XOAUTH2",
        Auth::Oauthbearer => "OAUTHBEARER",
    };
    Some(name.into())
}

/// Reads `all`, `none` or `newest:N`.
pub(crate) fn bodies(text: &str) -> Result<BodyPolicy, String> {
    match text.split_once(':') {
        None if text == "all" => Ok(BodyPolicy::All),
        None if text == "none" => Ok(BodyPolicy::None),
        Some(("newest", n)) => count(n).map(BodyPolicy::Newest),
        _ => Err("it is all, none or newest:N".into()),
    }
}

fn keep(text: &str) -> Result<Keep, String> {
    match text.split_once(':') {
        None if text == "on-server" => Ok(Keep::Forever),
        None if text == "delete" => Ok(Keep::Delete),
        None if text == "until-deleted" => Ok(Keep::UntilDeletedHere),
        Some(("days", n)) => count(n).map(Keep::Days),
        _ => Err("it is on-server, delete, days:N or until-deleted".into()),
    }
}

fn window(text: &str) -> Result<Window, String> {
    match text.split_once(':') {
        None if text == "all" => Ok(Window::Everything),
        Some(("newest", n)) => count(n).map(Window::Newest),
        Some(("days", n)) => count(n).map(Window::LastDays),
        _ => Err("it is all, newest:N or days:N".into()),
    }
}

fn count(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| format!("{text} is no number from 1 on"))
}
