//! Fetches the same maildrop from a private Dovecot with several POP3 clients, in turn, and prints a table.
//!
//! The limit is a bare drain: STAT, then every RETR in one go into one file with a sync of the file every
//! 8 MB, and no look at what came. Rounds are interleaved, each begins with another client, and every run goes into
//! fresh files. Ratios are the medians of each round's own. Nothing is deleted from the server. Clients that are not
//! installed are left out. What each has on the disk for good, and when, is in the table: they do not promise the same.

use mailkeep_compare::account::Account;
use mailkeep_compare::arguments::Arguments;
use mailkeep_compare::client::{Mailkeep, Place};
use mailkeep_compare::measure::Cost;
use mailkeep_compare::pop_client::{Peer, drain};
use mailkeep_compare::table::{self, median, range};
use mailkeep_tests::corpus;
use mailkeep_tests::dovecot::{Dovecot, DovecotOptions, Storage};
use mailkeep_tests::server::{MailServer as _, Scratch};

const USAGE: &str = "usage: pop [--mdbox] [--rounds N] [--messages N] [--slow]
  --mdbox       the server keeps its mail in mdbox, not in Maildir
  --rounds N    counted rounds (5)
  --messages N  messages of 22 kB (20,000)
  --slow        fetchmail and getmail too, which may take minutes a round";

/// What is measured: a first run, and one with nothing new behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Drain,
    Mailkeep,
    Peer(Peer),
}

impl Case {
    fn name(self) -> &'static str {
        match self {
            Case::Drain => "the limit: pipelined RETR into one file",
            Case::Mailkeep => "mailkeep",
            Case::Peer(peer) => peer.program(),
        }
    }

    fn durability(self) -> &'static str {
        match self {
            Case::Drain => "fdatasync every 8 MB",
            Case::Mailkeep => "each commit, about 8 MB",
            Case::Peer(peer) => peer.durability(),
        }
    }

    fn run(self, account: &Account, scratch: &Scratch, mailkeep: &Mailkeep) -> (Cost, Option<Cost>) {
        let place = Place::new(scratch.path(), "run");
        match self {
            Case::Drain => (drain(account, &place), None),
            Case::Mailkeep => {
                mailkeep.add_pop(account, &place);
                let (first, summary) = mailkeep.sync(account, &place);
                assert_eq!(summary.messages_added, account.messages as u64, "the sync lost messages");
                (first, Some(mailkeep.sync(account, &place).0))
            }
            Case::Peer(peer) => (peer.first(account, &place), Some(peer.run(&place))),
        }
    }
}

fn main() {
    mailkeep_compare::child();
    let mut arguments = Arguments::new(USAGE);
    let storage = if arguments.flag("--mdbox") { Storage::Mdbox } else { Storage::Maildir };
    let slow = arguments.flag("--slow");
    let rounds = arguments.value("--rounds").unwrap_or(5).max(1);
    let messages = arguments.value("--messages").unwrap_or(20_000);
    arguments.finish();

    let mut cases = vec![Case::Drain, Case::Mailkeep];
    let peers = Peer::ALL.into_iter().filter(|peer| slow || *peer == Peer::Mpop);
    cases.extend(peers.filter(|peer| peer.is_there()).map(Case::Peer));
    let mailkeep = Mailkeep::built();
    let dovecot = Dovecot::start(DovecotOptions { storage, ..DovecotOptions::default() });
    let scratch = Scratch::new("compare");
    let account = Account::large(&dovecot, "large", messages);
    let account = Account { port: dovecot.pop3_port(), ..account };
    let mut runs: Vec<Vec<(Cost, Option<Cost>)>> = cases.iter().map(|_| Vec::new()).collect();
    // One that is not counted warms the server.
    Case::Drain.run(&account, &scratch, &mailkeep);
    for round in 0..rounds {
        for step in 0..cases.len() {
            let at = (round + step) % cases.len();
            runs[at].push(cases[at].run(&account, &scratch, &mailkeep));
        }
        eprintln!("round {} of {rounds} is done", round + 1);
    }
    println!("POP3 from Dovecot with {storage:?}: {}; {rounds} rounds", account.describe());
    let rows: Vec<Vec<String>> =
        cases.iter().zip(&runs).map(|(case, own)| row(*case, own, &runs[0])).collect();
    table::print(&["", "s", "range", "× limit", "CPU s", "peak MB", "nothing new, s", "durable"], &rows);
    println!("load average over a minute at the end, on {} processors: {}", processors(), load());

    let large =
        [corpus::generate(3, 20, 22_000).collect::<Vec<_>>(), corpus::generate(4, 1, 50_000_000).collect()];
    let account = Account::fill(&dovecot, "huge", large.concat());
    let account = Account { port: dovecot.pop3_port(), ..account };
    let (cost, _) = Case::Mailkeep.run(&account, &scratch, &mailkeep);
    println!(
        "mailkeep's peak with a message of 50 MB among {}: {:.1} MB",
        account.describe(),
        cost.peak_mb()
    );
}

fn row(case: Case, runs: &[(Cost, Option<Cost>)], limit: &[(Cost, Option<Cost>)]) -> Vec<String> {
    let wall = || runs.iter().map(|(first, _)| first.wall);
    let (low, high) = range(wall());
    let ratio = median(runs.iter().zip(limit).map(|((run, _), (limit, _))| run.wall / limit.wall));
    let again: Vec<f64> = runs.iter().filter_map(|(_, again)| again.as_ref().map(|c| c.wall)).collect();
    vec![
        case.name().to_owned(),
        format!("{:.2}", median(wall())),
        format!("{low:.2}–{high:.2}"),
        format!("{ratio:.2}"),
        format!("{:.2}", median(runs.iter().map(|(first, _)| first.cpu))),
        format!("{:.1}", median(runs.iter().map(|(first, _)| first.peak_mb()))),
        if again.is_empty() { String::new() } else { format!("{:.3}", median(again)) },
        case.durability().to_owned(),
    ]
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What else the machine did: the figures mean little without it.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}
