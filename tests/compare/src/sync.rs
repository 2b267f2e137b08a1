//! Syncs the same mailbox from a private Dovecot with several clients, in turn, and prints a table.
//!
//! The limit is a bare drain: LOGIN, EXAMINE, one FETCH of everything into one file with a sync of the
//! file every 8 MB, and no look at what came. Rounds are interleaved, each begins with another client, every
//! run goes into fresh files on the same disk, and a round that is not counted warms the server. Ratios
//! are the medians of each round's own, so that a machine that slows down slows both sides of them.

use mailkeep_compare::account::Account;
use mailkeep_compare::arguments::Arguments;
use mailkeep_compare::client::{Mailkeep, Mbsync, Place, drain};
use mailkeep_compare::measure::Cost;
use mailkeep_compare::table::{self, median, range};
use mailkeep_tests::dovecot::{Dovecot, DovecotOptions, Storage};
use mailkeep_tests::server::Scratch;

const USAGE: &str =
    "usage: sync [--mdbox] [--rounds N] [--messages N] [--only large|small] [--fsync-rounds N]
  --mdbox          the server keeps its mail in mdbox, not in Maildir
  --rounds N       counted rounds (5)
  --messages N     messages of the large kind (20,000); of the small kind there are five times as many
  --only KIND      one of the two accounts: large (22 kB a message) or small (near 1 kB)
  --fsync-rounds N rounds in which mbsync syncs each file too, which may take minutes (all of them)";

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Drain {
        compress: bool,
    },
    Mailkeep {
        compress: bool,
    },
    /// Behind the sync without compression, in its place.
    Compact,
    Mbsync(Mbsync),
}

const CASES: [Case; 8] = [
    Case::Drain { compress: false },
    Case::Mailkeep { compress: false },
    Case::Compact,
    Case::Mbsync(Mbsync { compress: false, fsync: false }),
    Case::Mbsync(Mbsync { compress: false, fsync: true }),
    Case::Drain { compress: true },
    Case::Mailkeep { compress: true },
    Case::Mbsync(Mbsync { compress: true, fsync: true }),
];

impl Case {
    fn name(self) -> &'static str {
        match self {
            Case::Drain { compress: false } => "the limit: a bare drain",
            Case::Drain { compress: true } => "a bare drain, DEFLATE",
            Case::Mailkeep { compress: false } => "mailkeep",
            Case::Mailkeep { compress: true } => "mailkeep --compress",
            Case::Compact => "  mailkeep compact behind it",
            Case::Mbsync(Mbsync { compress: false, fsync: false }) => "mbsync, no FSync, no COMPRESS",
            Case::Mbsync(Mbsync { compress: false, fsync: true }) => "mbsync, FSync, no COMPRESS",
            Case::Mbsync(Mbsync { compress: true, fsync: false }) => "mbsync, no FSync, COMPRESS",
            Case::Mbsync(Mbsync { compress: true, fsync: true }) => "mbsync, FSync, COMPRESS (its defaults)",
        }
    }

    fn compresses(self) -> bool {
        match self {
            Case::Drain { compress } | Case::Mailkeep { compress } => compress,
            Case::Mbsync(mbsync) => mbsync.compress,
            Case::Compact => false,
        }
    }
}

/// One run.
struct Run {
    cost: Cost,
    /// What lies on the disk afterwards, for each octet of mail.
    disk: f64,
}

struct Bench<'a> {
    account: &'a Account,
    scratch: &'a Scratch,
    mailkeep: &'a Mailkeep,
    /// Rounds with the runs of mbsync that sync each file.
    fsync_rounds: usize,
    runs: [Vec<Run>; CASES.len()],
}

impl Bench<'_> {
    fn place(&self) -> Place {
        Place::new(self.scratch.path(), "run")
    }

    fn share(&self, octets: u64) -> f64 {
        octets as f64 / self.account.octets as f64
    }

    /// Runs one case, and compaction behind the one that it belongs to; returns what to note at which index.
    fn run(&self, at: usize) -> Vec<(usize, Run)> {
        let place = self.place();
        match CASES[at] {
            Case::Drain { compress } => {
                let cost = drain(self.account, &place, compress);
                vec![(at, Run { cost, disk: self.share(place.file_octets()) })]
            }
            Case::Mailkeep { compress } => {
                let cost = self.mailkeep.first_sync(self.account, &place, compress);
                let mut runs = vec![(at, Run { cost, disk: self.share(place.file_octets()) })];
                if !compress {
                    let cost = self.mailkeep.compact(self.account, &place);
                    runs.push((at + 1, Run { cost, disk: self.share(place.file_octets()) }));
                }
                runs
            }
            Case::Compact => Vec::new(),
            Case::Mbsync(Mbsync { fsync: true, .. }) if self.runs[at].len() >= self.fsync_rounds => {
                Vec::new()
            }
            Case::Mbsync(mbsync) => {
                let cost = mbsync.first_sync(self.account, &place);
                vec![(at, Run { cost, disk: self.share(place.maildir_octets()) })]
            }
        }
    }

    fn warm(&self) {
        for at in [0, 1, 3] {
            self.run(at);
        }
    }

    fn round(&mut self, number: usize) {
        for step in 0..CASES.len() {
            for (at, run) in self.run((number + step) % CASES.len()) {
                self.runs[at].push(run);
            }
        }
    }

    /// The median over the rounds of a case's time, in another's of the same round.
    fn ratio(&self, at: usize, limit: Case) -> String {
        let limit = CASES.iter().position(|case| *case == limit).expect("it is a case");
        let pairs = self.runs[at].iter().zip(&self.runs[limit]);
        format!("{:.2}", median(pairs.map(|(run, limit)| run.cost.wall / limit.cost.wall)))
    }

    fn row(&self, at: usize) -> Vec<String> {
        let runs = &self.runs[at];
        let wall = || runs.iter().map(|run| run.cost.wall);
        let (low, high) = range(wall());
        let compressed = match CASES[at].compresses() {
            true => self.ratio(at, Case::Drain { compress: true }),
            false => String::new(),
        };
        vec![
            CASES[at].name().to_owned(),
            format!("{:.2}", median(wall())),
            format!("{low:.2}–{high:.2}"),
            self.ratio(at, Case::Drain { compress: false }),
            compressed,
            format!("{:.2}", median(runs.iter().map(|run| run.cost.cpu))),
            format!("{:.1}", median(runs.iter().map(|run| run.cost.peak_mb()))),
            format!("{:.3}", median(runs.iter().map(|run| run.disk))),
        ]
    }
}

fn main() {
    mailkeep_compare::child();
    let mut arguments = Arguments::new(USAGE);
    let storage = if arguments.flag("--mdbox") { Storage::Mdbox } else { Storage::Maildir };
    let rounds = arguments.value("--rounds").unwrap_or(5).max(1);
    let messages = arguments.value("--messages").unwrap_or(20_000);
    let only: Option<String> = arguments.value("--only");
    let fsync_rounds = arguments.value("--fsync-rounds").unwrap_or(rounds);
    arguments.finish();
    let wanted = |kind: &str| only.as_deref().is_none_or(|only| only == kind);

    let version = Mbsync::version();
    let mailkeep = Mailkeep::built();
    let dovecot = Dovecot::start(DovecotOptions { storage, ..DovecotOptions::default() });
    let scratch = Scratch::new("compare");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "Dovecot with {storage:?} and every client on the same {cores} cores; {version}; {rounds} rounds\n"
    );
    let compare = |account: Account| {
        let (account, scratch, mailkeep) = (&account, &scratch, &mailkeep);
        compare(Bench { account, scratch, mailkeep, fsync_rounds, runs: Default::default() }, rounds);
    };
    if wanted("large") {
        compare(Account::large(&dovecot, "large", messages));
    }
    if wanted("small") {
        compare(Account::small(&dovecot, "small", messages * 5));
    }
}

fn compare(mut bench: Bench<'_>, rounds: usize) {
    bench.warm();
    for number in 0..rounds {
        bench.round(number);
        eprintln!("round {} of {rounds} is done", number + 1);
    }
    println!("First sync of {}", bench.account.describe());
    let measured = (0..CASES.len()).filter(|&at| !bench.runs[at].is_empty());
    let rows: Vec<Vec<String>> = measured.map(|at| bench.row(at)).collect();
    let head =
        ["", "wall, s", "min–max", "× limit", "× DEFLATE drain", "CPU, s", "peak RSS, MB", "disk ÷ mail"];
    table::print(&head, &rows);
}
