//! Programs that people use, at their daily work against `mailkeep serve`. What came of it is checked by one that shares
//! no code with either: Python's imaplib and poplib, and the files that the client wrote.

mod curl;
mod libraries;
mod maildir;
mod mbsync;
mod neomutt;
mod offlineimap;
mod pop;
