//! A device whose program is killed again and again while it syncs, and what the server must hold all the same.

pub mod model;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mailkeep::{Engine, EngineOptions, FileStorage, Operation, OperationKind, OperationState};

use crate::dovecot::Dovecot;
use crate::program::Program;
use crate::proxy::{CHANGING, Profile, Proxy, ProxyOptions, Side, Trap};
use crate::server::{MailServer as _, Scratch};
use model::{Dice, Model};

const PASSWORD: &str = "secret";

/// One device with a user, a database and a proxy of its own.
pub struct Lane {
    dovecot: Arc<Dovecot>,
    user: String,
    proxy: Proxy,
    program: Program,
    database: PathBuf,
    dice: Dice,
    model: Model,
    _scratch: Scratch,
}

/// What came of the kills.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Programs that were killed.
    pub kills: u64,
    /// Those between the first byte of a replay and its last OK: a command that changes something was sent, and either its
    /// answer had not come or more was still to be sent.
    pub inside: u64,
    /// The commands that waited for their answers, by name.
    pub under_way: BTreeMap<String, u64>,
    /// Operations in the journal at the next start.
    pub left: u64,
}

/// Where a program is to be killed.
#[derive(Debug, Clone, Copy)]
struct Spot {
    side: Side,
    bytes: u64,
    replay: bool,
}

impl Lane {
    /// A new user with a few messages, and a database that knows them.
    pub fn new(dovecot: &Arc<Dovecot>, profile: Profile, seed: u64) -> Self {
        let user = format!("kill-{seed}");
        dovecot.add_user(&user, PASSWORD);
        let scratch = Scratch::new("kill");
        let database = scratch.path().join("mail.redb");
        let program = Program::new(&database, PASSWORD);
        let options = ProxyOptions { record: true, ..ProxyOptions::profile(profile) };
        let proxy = Proxy::start(dovecot.imap_port(), options);
        program.add_imap("test", proxy.port(), &user);
        let model = Model::fill(dovecot.imap_port(), &user, PASSWORD);
        program.sync(&[]);
        let dovecot = Arc::clone(dovecot);
        Self { dovecot, user, proxy, program, database, dice: Dice::new(seed), model, _scratch: scratch }
    }

    /// Works offline, kills a sync, works offline, syncs and compares, until so many programs were killed.
    pub fn kill(&mut self, times: u64) -> Tally {
        let mut tally = Tally::default();
        let (mut up, mut down) = (400, 400);
        while tally.kills < times {
            self.work();
            self.proxy.reset();
            let spot = self.spot(up, down);
            let killed = self.sync_until(spot);
            if killed {
                tally.kills += 1;
                let pending = self.engine().pending(None).expect("the journal");
                tally.left += pending.len() as u64;
                let unsent = pending.iter().any(is_unsent);
                let heard = Heard::of(&self.proxy);
                if let Some(command) = &heard.under_way {
                    *tally.under_way.entry(command.clone()).or_default() += 1;
                }
                tally.inside += u64::from(heard.under_way.is_some() || heard.began && unsent);
            } else {
                // It was over before: the next ones are met earlier.
                (up, down) = ((up * 2 / 3).max(40), (down * 2 / 3).max(40));
                self.check(&format!("{spot:?} was never reached"));
                continue;
            }
            (up, down) = ((up + 40).min(4_000), (down + 40).min(4_000));
            let first = self.proxy.transcript_text();
            self.work();
            self.proxy.reset();
            let outcome = self.program.try_sync(&[]);
            assert_eq!(outcome.code, Some(0), "{outcome:?}\n{}", self.proxy.transcript_text());
            self.check(&format!("killed at {spot:?} in\n{first}\nand then"));
        }
        tally
    }

    /// Most of the time in the middle of a replay, sometimes anywhere.
    fn spot(&mut self, up: u64, down: u64) -> Spot {
        match self.dice.below(10) {
            0 => Spot { side: Side::Server, bytes: 1 + self.dice.below(3_000), replay: false },
            1 => Spot { side: Side::Client, bytes: 1 + self.dice.below(600), replay: false },
            2..=5 => Spot { side: Side::Client, bytes: 1 + self.dice.below(up), replay: true },
            _ => Spot { side: Side::Server, bytes: 1 + self.dice.below(down), replay: true },
        }
    }

    /// Runs a sync that is killed at a spot; whether it was.
    fn sync_until(&self, spot: Spot) -> bool {
        let child = self.program.start(&["sync", "--bodies", "all"]);
        let child = Arc::new(Mutex::new(child));
        let victim = Arc::clone(&child);
        let trap = Trap::after(spot.side, spot.bytes, move || {
            let _ = locked(&victim).kill();
        });
        self.proxy.set_trap(if spot.replay { trap.once_changing() } else { trap });
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = locked(&child).try_wait().expect("own child") {
                let sprung = !self.proxy.take_trap();
                assert!(sprung || status.success(), "sync failed unkilled: {}", self.proxy.transcript_text());
                self.proxy.await_quiet();
                return sprung && !status.success();
            }
            assert!(Instant::now() < deadline, "a sync takes longer than a minute");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Everything in the model is on the server once, and in the database as it is there.
    fn check(&mut self, when: &str) {
        let (port, said) = (self.dovecot.imap_port(), || self.proxy.transcript_text());
        let wanted = self.model.lines();
        let there = model::server_lines(port, &self.user, PASSWORD);
        assert_eq!(there, wanted, "the server (left) after {}: {when}\n{}", self.user, said());
        let engine = self.engine();
        let pending = engine.pending(None).expect("the journal");
        assert!(pending.is_empty(), "{pending:#?}: {when}\n{}", said());
        assert_eq!(model::engine_lines(&engine), wanted, "the database (left): {when}\n{}", said());
        let report = engine.verify().expect("it can be read");
        assert!(report.problems.is_empty(), "{:?}: {when}\n{}", report.problems, said());
    }

    fn work(&mut self) {
        let engine = self.engine();
        self.model.work(&engine, &mut self.dice);
    }

    /// The database, which no program has open.
    fn engine(&self) -> Engine {
        let storage = FileStorage::existing(&self.database);
        Engine::open(storage, EngineOptions::small(7)).expect("the database opens after a kill")
    }
}

fn locked(child: &Mutex<Child>) -> std::sync::MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether an operation has certainly not been sent. Of a deletion that cannot be told, since it may be repeated.
fn is_unsent(operation: &Operation) -> bool {
    operation.state == OperationState::Waiting && !matches!(operation.kind, OperationKind::Delete { .. })
}

/// What the proxy saw of a sync that was killed.
struct Heard {
    /// A command that changes something was sent, in part at least, and the list of mailboxes was not asked for yet.
    began: bool,
    /// The first of those commands whose answer the client was not given.
    under_way: Option<String>,
}

impl Heard {
    fn of(proxy: &Proxy) -> Self {
        let turns = proxy.transcript();
        let text = |side: Side| -> String {
            let bytes: Vec<u8> =
                turns.iter().filter(|t| t.side == side).flat_map(|t| t.bytes.clone()).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let (said, heard) = (text(Side::Client), text(Side::Server));
        let changing =
            |line: &&str| CHANGING.iter().find(|word| line.contains(*word)).map(|word| word.trim());
        let under_way = said.split("\r\n").find_map(|line| {
            let (word, tag) = (changing(&line)?, line.split(' ').next()?);
            (!heard.contains(&format!("\r\n{tag} "))).then(|| word.to_owned())
        });
        let began = said.split("\r\n").any(|line| changing(&line).is_some()) && !said.contains(" LIST ");
        Self { began, under_way }
    }
}
