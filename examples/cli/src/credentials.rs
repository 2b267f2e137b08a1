//! Passwords and tokens: from the environment or from the person, never kept.

use std::env;
use std::io::{self, IsTerminal};

use mailkeep::sasl::server::Verifier;
use mailkeep::sasl::{Credentials, Secret};
use mailkeep::{AccountInfo, AccountSettings};

use crate::account;
use crate::exit::Failure;
use crate::output::clean;

/// What the account signs in with.
pub(crate) fn of(account: &AccountInfo) -> Result<Credentials, Failure> {
    let settings = &account.settings;
    let user = settings.user.clone();
    if settings.mechanism.as_deref().is_some_and(is_oauth) {
        let token = secret(settings, "token")?;
        return Ok(Credentials::OAuth { user, token, host: settings.host.clone(), port: settings.port });
    }
    Ok(Credentials::Password { user, authzid: None, password: secret(settings, "password")? })
}

/// Whether a mechanism takes an OAuth token.
pub(crate) fn is_oauth(mechanism: &str) -> bool {
    matches!(mechanism, "XOAUTH2" | "OAUTHBEARER")
}

/// A password that is to be set.
pub(crate) fn new_password(name: &str, variable: Option<&str>) -> Result<Secret, Failure> {
    if let Some(variable) = variable {
        return match env::var(variable) {
            Ok(secret) if !secret.is_empty() => Ok(Secret::new(secret)),
            _ => {
                Err(Failure::usage(format!("{name}: {variable}, which should hold the password, is not set")))
            }
        };
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("no password; give --password-env VAR, or run this in a terminal"));
    }
    let asked = rpassword::prompt_password(clean(&format!("password for {name}: ")));
    let secret = asked.map_err(|error| Failure::usage(format!("no password: {error}")))?;
    if secret.is_empty() { Err(Failure::usage("no password")) } else { Ok(Secret::new(secret)) }
}

/// What is kept of a password.
pub(crate) fn verifier(password: &Secret) -> Result<Verifier, Failure> {
    /// RFC 7677 §4 asks for 4,096 at least; more would cost every sign-in.
    const ITERATIONS: u32 = 4_096;
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| Failure::usage(format!("no randomness: {error}")))?;
    Verifier::new(password.expose(), salt, ITERATIONS)
        .map_err(|error| Failure::usage(format!("that cannot be a password: {error}")))
}

fn secret(settings: &AccountSettings, what: &str) -> Result<Secret, Failure> {
    let name = &settings.name;
    if let Some(variable) = account::extra(settings, "password_env") {
        return match env::var(variable) {
            Ok(secret) if !secret.is_empty() => Ok(Secret::new(secret)),
            Ok(_) => {
                Err(Failure::login(format!("{name}: {variable}, which should hold the {what}, is empty")))
            }
            Err(env::VarError::NotPresent) => {
                Err(Failure::login(format!("{name}: {variable}, which should hold the {what}, is not set")))
            }
            Err(env::VarError::NotUnicode(_)) => {
                Err(Failure::login(format!("{name}: the {what} in {variable} is not UTF-8")))
            }
        };
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::login(format!(
            "{name}: no {what}; add the account with --password-env VAR, or run this in a terminal"
        )));
    }
    let prompt = clean(&format!("{what} for {} at {}: ", settings.user, settings.host));
    rpassword::prompt_password(prompt)
        .map(Secret::new)
        .map_err(|error| Failure::login(format!("{name}: no {what}: {error}")))
}
