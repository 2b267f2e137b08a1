//! Turns a large POP3 account into an IMAP account of the same private Dovecot, and says what that cost beside the
//! two first syncs. The outcome is checked against a fresh IMAP account of the same mail; a difference ends the
//! program.

use std::time::Duration;

use mailkeep_compare::arguments::Arguments;
use mailkeep_compare::client::Mailkeep;
use mailkeep_compare::table;
use mailkeep_tests::conversion::convert;
use mailkeep_tests::corpus::generate;
use mailkeep_tests::dovecot::Dovecot;
use mailkeep_tests::program::{Program, Summary};

const USAGE: &str = "usage: convert [--messages N]
  --messages N  ordinary messages of 22 kB (20,000), beside some that are hard to know again";

/// The most that may come in a conversion, in hundredths of the mail's octets.
const MOST_PERCENT: f64 = 3.0;

fn main() {
    mailkeep_compare::child();
    let mut arguments = Arguments::new(USAGE);
    let messages = arguments.value("--messages").unwrap_or(20_000);
    arguments.finish();

    let mailkeep = Mailkeep::built();
    let dovecot = Dovecot::shared();
    let program = |database: &std::path::Path| {
        let mut program = Program::at(mailkeep.binary(), database, "secret");
        program.time_limit = Duration::from_secs(1_800);
        program
    };
    let report = convert(&dovecot, program, generate(1, messages, 22_000));
    println!(
        "From POP3 to IMAP on one Dovecot: {} messages, {:.1} MB",
        report.messages,
        report.octets as f64 / 1e6
    );
    let row = |name: &str, summary: &Summary| {
        let part = summary.bytes_received as f64 * 100.0 / report.octets as f64;
        let (octets, seconds) = (summary.bytes_received, summary.seconds);
        vec![name.to_owned(), octets.to_string(), format!("{part:.2}"), format!("{seconds:.2}")]
    };
    let rows = [
        row("first sync over POP3", &report.pop),
        row("the conversion's sync over IMAP", &report.converted),
        row("first sync over IMAP into an empty database", &report.fresh),
    ];
    table::print(&["", "octets received", "% of the mail", "s"], &rows);
    println!(
        "{} messages keep POP3's bytes, which differ over IMAP; {} were on this device only, and are kept there",
        report.unlike_over_imap, report.left_over
    );
    let percent = report.percent();
    assert!(percent < MOST_PERCENT, "{percent:.2} % of the mail came again");
}
