//! How the program ends: exit codes, and one line that says what is wrong and what to do.

use std::io;
use std::path::Path;

use mailkeep::Error;

use crate::output::clean;

/// What `--help` says about exit codes.
pub(crate) const HELP: &str = "Exit codes:
  0    done
  1    something is wrong with what was checked (verify)
  2    the command line, a setting, or the place to write to
  3    the store: not a database, newer schema, damaged, locked, disk full, read-only
  4    the network: host not found, refused, timed out, cut off, certificate
  5    the login: refused, or not possible safely
  6    the server: an error, the protocol broken, or something that it lets this user not do
  7    not found: account, mailbox, message, part, operation, or a body that is not here
  130  interrupted";

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    Found = 1,
    Usage = 2,
    Store = 3,
    Network = 4,
    Login = 5,
    Server = 6,
    NotFound = 7,
    Interrupted = 130,
}

/// Why a command ends early. An empty text is not shown.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, text: impl AsRef<str>) -> Failure {
        Failure { exit, text: clean(text.as_ref()) }
    }

    pub(crate) fn usage(text: impl AsRef<str>) -> Failure {
        Failure::new(Exit::Usage, text)
    }

    pub(crate) fn network(text: impl AsRef<str>) -> Failure {
        Failure::new(Exit::Network, text)
    }

    pub(crate) fn login(text: impl AsRef<str>) -> Failure {
        Failure::new(Exit::Login, text)
    }

    pub(crate) fn not_found(text: impl AsRef<str>) -> Failure {
        Failure::new(Exit::NotFound, text)
    }

    pub(crate) fn interrupted() -> Failure {
        Failure::new(Exit::Interrupted, "interrupted; what had come whole is kept")
    }

    /// With a name in front: the account's, where several are synced.
    #[must_use]
    pub(crate) fn about(mut self, name: &str) -> Failure {
        self.text = format!("{}: {}", clean(name), self.text);
        self
    }

    /// An error of opening or using the store at `path`.
    pub(crate) fn store(path: &Path, error: Error) -> Failure {
        let file = path.display();
        let text = match &error {
            Error::Storage(io) => match io.kind() {
                io::ErrorKind::NotFound => format!("no database at {file}; `mailkeep account add` makes one"),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    format!("{file} cannot be written ({io}); a database needs write permission")
                }
                io::ErrorKind::IsADirectory => format!("{file} is a directory, not a database"),
                _ => return Failure::from(error),
            },
            Error::NotADatabase(why) => {
                format!("{file} is not a mailkeep database ({why}); it was left as it is")
            }
            Error::NewerSchema { found, supported } => format!(
                "{file} was written by a newer mailkeep (schema {found}; this version reads {supported}); \
                 update the program"
            ),
            Error::Locked => format!("{file} is in use by another program; close it and try again"),
            Error::Corrupt(why) => format!("{file} is damaged: {why}; restore a copy"),
            _ => return Failure::from(error),
        };
        Failure::new(Exit::Store, text)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let exit = match &error {
            Error::Gone(_) => Exit::NotFound,
            Error::Invalid { .. } | Error::Misuse(_) => Exit::Usage,
            Error::Protocol(_) | Error::Refused(_) | Error::NotPermitted { .. } | Error::TryLater { .. } => {
                Exit::Server
            }
            Error::LoginRefused(_) | Error::LoginImpossible(_) => Exit::Login,
            Error::Disconnected(_) | Error::TimedOut => Exit::Network,
            Error::Cancelled => Exit::Interrupted,
            _ => Exit::Store,
        };
        let text = match &error {
            Error::Storage(io) => match io.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                    format!(
                        "no room for the database ({io}); free some and run the command again: nothing is lost"
                    )
                }
                _ => format!("the database's file cannot be used: {io}"),
            },
            Error::StorageFailed => {
                "the database's file failed while mail was stored (is the disk full?); run the \
                                     command again when that is mended: nothing that was stored is lost"
                    .into()
            }
            Error::TryLater { after_ms, .. } => {
                format!("{error}; try again in {} s", after_ms.div_ceil(1_000))
            }
            Error::LoginRefused(_) => format!("{error}; check the user name and the password"),
            _ => error.to_string(),
        };
        Failure::new(exit, text)
    }
}

/// Writing to standard output failed. Whoever closed it (`head`) has seen enough.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure { exit: Exit::Ok, text: String::new() };
        }
        Failure::new(Exit::Usage, format!("the output cannot be written: {error}"))
    }
}
