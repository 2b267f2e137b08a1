//! Simulations: devices, another client and one server, all drawn from a number, and judged at the end.
//!
//! The number is everything: the same number, with the same `SIM_SERVER`, is the same simulation, octet by octet.
#![allow(dead_code, unreachable_pub, reason = "as the rest of what the tests stand on")]

pub mod acts;
pub mod counts;
pub mod device;
pub mod drive;
pub mod enough;
pub mod judge;
pub mod ledger;
pub mod others;
pub mod rivals;
pub mod setup;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::support::*;
use counts::Counts;
use device::{Device, Owners, letter};
use ledger::{Ledger, Party};
use setup::{Far, Setup};

/// What happened, for a person to read when it went wrong.
pub type Trace = Rc<RefCell<Vec<String>>>;

pub struct Sim {
    pub dice: Dice,
    pub setup: Setup,
    pub server: Rc<dyn FarSide>,
    pub devices: Vec<Device>,
    pub owners: Owners,
    pub ledger: Ledger,
    pub counts: Counts,
    /// Devices at which a mailbox was deleted.
    pub wipers: BTreeSet<usize>,
    /// A mailbox got another name: which it was not every server tells.
    pub renamed: bool,
    /// Connections broke, or programs ended.
    pub answers_are_lost: bool,
    /// Devices with a sync under way.
    pub syncing: Vec<usize>,
    /// Nothing goes wrong any more.
    pub quiet: bool,
    trace: Trace,
    /// What was said on the wire is told too.
    talks: bool,
}

/// A store with the account and nothing else, to begin from.
pub fn base() -> Vec<u8> {
    let disk = Disk::new();
    let engine = host::open_quick(disk.clone()).expect("an empty disk opens");
    let settings = mailkeep::AccountSettings::imap("test", "mail.example.org", "ann");
    engine.add_account(settings).expect("account");
    drop(engine);
    disk.bytes()
}

/// Runs a simulation; panics where something does not hold.
pub fn run(seed: u64, base: &[u8], trace: &Trace) -> Counts {
    let mut dice = Dice::new(seed);
    let setup = Setup::draw(&mut dice, Far::of(seed));
    let server = setup.server();
    let owners: Owners = Rc::default();
    let devices = (0..setup.devices).map(|n| Device::new(n, base, &server, &owners)).collect();
    let mut sim = Sim {
        dice,
        setup,
        server,
        devices,
        owners,
        ledger: Ledger::default(),
        counts: Counts::default(),
        wipers: BTreeSet::new(),
        renamed: false,
        answers_are_lost: false,
        syncing: Vec::new(),
        quiet: false,
        trace: trace.clone(),
        talks: std::env::var("SIM_TALK").is_ok(),
    };
    sim.note(format!("{:?}", sim.setup));
    sim.furnish();
    for _ in 0..sim.setup.steps {
        sim.step();
    }
    let happened = sim.server.happened();
    sim.be_quiet();
    for (verb, fault) in happened {
        sim.counts.add(format!("fault: {}", fault_name(&verb, &fault)));
    }
    sim.counts.add(format!("server: {:?}", sim.setup.far));
    sim.counts.add(format!("devices: {}", sim.devices.len()));
    sim.counts.add("simulations");
    sim.counts
}

impl Sim {
    pub fn note(&self, line: String) {
        self.trace.borrow_mut().push(line);
    }

    /// What a device and the server said to each other since the last look.
    pub fn note_talk(&mut self, number: usize) {
        let talk = std::mem::take(&mut self.devices[number].host().transcript);
        if self.talks {
            self.note(String::from_utf8_lossy(&talk).into_owned());
            let device = &self.devices[number];
            // Without power nobody sees anything.
            let rows = if device.disk.has_crashed() { Vec::new() } else { device.all_rows() };
            for row in rows {
                let (token, flags) =
                    (device.token(&row), row.flags.wire_words().collect::<Vec<_>>().join(" "));
                self.note(format!(
                    "  sees {token} as {} in {} under {} ({flags})",
                    row.id, row.mailbox, row.uid
                ));
            }
        }
    }

    /// What there is before anybody does anything.
    fn furnish(&mut self) {
        self.server.create_as("Trash", (self.dice.below(2) == 0).then_some("\\Trash"));
        self.server.create("Lists");
        if self.dice.below(2) == 0 {
            self.server.create("Work");
        }
        for mailbox in ["INBOX", "INBOX", "INBOX", "Lists", "Trash"] {
            if mailbox == "INBOX" || self.dice.below(2) == 0 {
                let number = self.ledger.next_number();
                self.server.deliver(mailbox, letter(number));
                self.ledger.put(&format!("t{number}"), Party::Other, true);
                self.ledger.of(&format!("t{number}")).parties.clear();
            }
        }
        for number in 0..self.devices.len() {
            if self.dice.below(6) == 0 {
                self.makes_attic(number);
            }
        }
        if self.setup.synced_before {
            for device in &mut self.devices {
                device.host().sync_all();
                device.host().drop_connection();
                device.host().transcript.clear();
            }
        }
    }

    fn step(&mut self) {
        let number = self.dice.below(self.devices.len() as u64) as usize;
        match self.dice.below(100) {
            0..40 => {
                for _ in 0..1 + self.dice.below(3) {
                    self.act(number);
                }
            }
            40..62 => self.sync(&[number]),
            62..70 => {
                let other = (number + 1) % self.devices.len();
                if other == number { self.sync(&[number]) } else { self.sync(&[number, other]) }
            }
            70..88 if self.setup.others => self.another_acts(),
            88..92 if self.setup.renumbers => self.renumber(),
            92..97 => self.arrange_fault(),
            _ => self.time_passes(),
        }
    }

    fn time_passes(&mut self) {
        let far = self.dice.below(8) == 0;
        let ms = if far { 26 * 3_600_000 } else { self.dice.below(1_800_000) };
        self.note(format!("{} minutes pass", ms / 60_000));
        for device in &mut self.devices {
            device.host().pass_ms(ms);
        }
    }
}

fn fault_name(verb: &str, fault: &Fault) -> String {
    let verb = verb.strip_prefix("UID ").unwrap_or(verb);
    match fault {
        Fault::Answer(text) => format!("{verb}: {}", text.split(" refused").next().unwrap_or(text)),
        Fault::CutBefore => format!("{verb}: cut before"),
        Fault::CutAfter => format!("{verb}: cut after"),
        Fault::CutBeforeAnswer => format!("{verb}: cut before its answer"),
        Fault::Partly(..) => format!("{verb}: done by half"),
        Fault::CopiedOnly(_) => format!("{verb}: copied only"),
    }
}

use crate::support::model::Fault;
