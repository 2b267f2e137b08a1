//! What the measuring programs share: a server filled with mail, clients run one at a time, tables.
//!
//! Everything here panics, with what a person needs to mend it, rather than returning an error.

pub mod account;
pub mod arguments;
pub mod client;
pub mod drain;
pub mod measure;
pub mod opening;
pub mod pop_client;
pub mod pop_drain;
pub mod table;

/// Does what this process was started for by [`measure`] or a program here, if it was started so; every `main`
/// begins with this.
pub fn child() {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    match arguments.first().and_then(|first| first.to_str()) {
        Some(measure::CHILD) => measure::child(&arguments[1..]),
        Some(drain::CHILD) => drain::child(&arguments[1..]),
        Some(pop_drain::CHILD) => pop_drain::child(&arguments[1..]),
        Some(opening::CHILD) => opening::child(&arguments[1..]),
        _ => return,
    }
    std::process::exit(0);
}
