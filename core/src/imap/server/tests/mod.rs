//! Commands read and responses written, and both against the client's side.

mod any;
mod commands;
mod finding;
mod responses;
