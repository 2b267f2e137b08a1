//! Syncs with everything that can happen to one: cuts, power losses, others at work, several devices at once.

use mailkeep::{CommitMode, Error, Event, OperationKind, OperationState, RequestId, SyncScope, WorkLimit};

use super::Sim;
use super::setup::Far;
use crate::support::Dice;
use crate::support::model::{Cut, Fault, Then};

/// What is to happen to the connections of one sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// The device gets so many octets.
    HostCut(u64),
    ServerCut(Cut),
    /// The power goes at so many operations on the disk.
    Crash(u64),
    /// The program ends after so many turns.
    Abandoned(u64),
}

impl Sim {
    /// Where something goes wrong, and what.
    fn draw_trouble(&mut self) -> Trouble {
        let cuts = self.setup.cuts && self.dice.below(2) == 0;
        let crashes = self.setup.crashes && self.dice.below(3) == 0;
        let at = match self.dice.below(3) {
            0 => self.dice.below(1_200),
            1 => self.dice.below(3_000),
            _ => self.dice.below(8_000),
        };
        match self.dice.below(8) {
            0..2 if crashes => Trouble::Crash(self.dice.below(120)),
            2 if crashes => Trouble::Abandoned(self.dice.below(20)),
            3 if cuts => Trouble::HostCut(at),
            4 if cuts => Trouble::ServerCut(Cut::Sent(at)),
            5..8 if cuts => Trouble::ServerCut(Cut::Received(at / 3)),
            _ => Trouble::None,
        }
    }

    /// A command goes wrong that one of the operations of a device will need.
    fn arrange_fault_for(&mut self, number: usize) {
        let pending = self.devices[number].see().engine.pending(None).expect("the journal");
        let at = self.dice.below(pending.len() as u64) as usize;
        let kinds: &[&str] = match pending.get(at).map(|o| &o.kind) {
            Some(OperationKind::SetFlags { .. }) => &["STORE"],
            Some(OperationKind::Move { .. }) => &["MOVE", "COPY", "COPY", "STORE", "EXPUNGE"],
            Some(OperationKind::Copy { .. }) => &["COPY"],
            Some(OperationKind::Delete { .. }) => &["STORE", "EXPUNGE"],
            Some(OperationKind::Append { .. }) => &["APPEND"],
            Some(OperationKind::CreateMailbox { .. }) => &["CREATE"],
            Some(OperationKind::RenameMailbox { .. }) => &["RENAME"],
            Some(OperationKind::DeleteMailbox { .. }) => &["DELETE"],
            Some(OperationKind::Subscribe { .. }) => &["SUBSCRIBE", "UNSUBSCRIBE"],
            _ => return,
        };
        let kind = kinds[self.dice.below(kinds.len() as u64) as usize];
        self.fault_to(kind, 1);
    }

    /// The next command of some kind goes wrong.
    pub fn arrange_fault(&mut self) {
        const KINDS: [&str; 10] =
            ["STORE", "COPY", "MOVE", "EXPUNGE", "APPEND", "CREATE", "RENAME", "DELETE", "SUBSCRIBE", "*"];
        let kind = KINDS[self.dice.below(10) as usize];
        let nth = 1 + self.dice.below(2) as u32;
        self.fault_to(kind, nth);
    }

    fn fault_to(&mut self, kind: &str, nth: u32) {
        const CODES: [&str; 12] = [
            "OVERQUOTA",
            "NOPERM",
            "TRYCREATE",
            "TOOBIG",
            "READ-ONLY",
            "LIMIT",
            "UNAVAILABLE",
            "INUSE",
            "SERVERBUG",
            "CANNOT",
            "NONEXISTENT",
            "ALREADYEXISTS",
        ];
        let code = CODES[self.dice.below(12) as usize];
        let refusals = self.setup.refusals;
        let fault = match self.dice.below(10) {
            0..3 if refusals => Fault::no(code),
            3 if refusals => Fault::Answer("NO refused".into()),
            4 if refusals => Fault::bad(),
            // Half of a COPY that is then refused is a server's lie, and a known gap; half of the others is not.
            5 if refusals && matches!(kind, "STORE" | "MOVE" | "EXPUNGE") => {
                Fault::partly(self.dice.below(3) as usize, code)
            }
            5 if refusals && kind == "MOVE" => Fault::CopiedOnly(Then::Cut),
            6 if self.setup.cuts => Fault::CutBefore,
            7 if self.setup.cuts => Fault::CutAfter,
            8 if self.setup.cuts => Fault::CutBeforeAnswer,
            9 if self.setup.cuts && kind != "*" => Fault::Partly(self.dice.below(3) as usize, Then::Cut),
            _ => return,
        };
        let fault = if self.setup.far == Far::Own { whole(fault) } else { fault };
        self.note(format!("the {nth}. {kind} from now: {fault:?}"));
        self.server.fault(kind, nth, fault);
    }

    /// Some devices sync, at once where there are several.
    pub fn sync(&mut self, who: &[usize]) {
        let mut under_way = Vec::new();
        self.syncing = who.to_vec();
        for &number in who {
            if (self.setup.cuts || self.setup.refusals) && self.dice.below(2) == 0 {
                self.arrange_fault_for(number);
            }
            let trouble = self.draw_trouble();
            self.begin_sync(number, trouble);
            let starts = self.devices[number].starts;
            under_way.push(Running {
                number,
                starts,
                trouble,
                request: None,
                turns: 0,
                retries: 0,
                looked: 0,
                idle: 0,
            });
        }
        while !under_way.is_empty() {
            let at = self.dice.below(under_way.len() as u64) as usize;
            if self.setup.races && self.dice.below(12) == 0 {
                self.meddle(who);
            }
            let mut running = under_way.swap_remove(at);
            if self.go_on(&mut running) {
                under_way.push(running);
            } else {
                self.end_sync(&running);
            }
        }
        self.syncing.clear();
    }

    fn begin_sync(&mut self, number: usize, trouble: Trouble) {
        let mut dice = Dice::new(self.dice.roll());
        let fresh = self.dice.below(2) == 0 || matches!(trouble, Trouble::HostCut(_) | Trouble::ServerCut(_));
        self.note(format!(
            "device {number} syncs: {trouble:?}{}",
            if fresh { ", connects anew" } else { "" }
        ));
        if let Trouble::ServerCut(cut) = trouble {
            self.server.cut_connections(&[Some(cut)]);
        }
        let device = &mut self.devices[number];
        if let Trouble::Crash(at) = trouble {
            device.disk.crash_at(at);
        }
        let host = device.host();
        if fresh {
            host.drop_connection();
        }
        let knobs = &mut host.knobs;
        knobs.cuts.clear();
        if let Trouble::HostCut(at) = trouble {
            knobs.cuts.push(at);
        }
        knobs.chunk = match dice.below(4) {
            0 => 1 + dice.below(60) as usize,
            1 => 700,
            _ => usize::MAX,
        };
        knobs.limit = match dice.below(6) {
            0 => WorkLimit { bytes: 300, responses: 3 },
            _ => WorkLimit::NONE,
        };
        let hosted = dice.below(3) == 0;
        knobs.commits = if hosted { CommitMode::Host } else { CommitMode::Inline };
        knobs.commit_delay = if hosted { dice.below(4) } else { 0 };
    }

    /// Another client, or a person at one of the devices, does something meanwhile.
    fn meddle(&mut self, who: &[usize]) {
        if self.setup.others && self.dice.below(2) == 0 {
            self.counts.add("race: another client during a sync");
            self.another_acts();
            return;
        }
        let number = who[self.dice.below(who.len() as u64) as usize];
        self.counts.add("race: a person during a sync");
        self.act(number);
    }

    /// One step of a sync. Returns whether there are more.
    fn go_on(&mut self, running: &mut Running) -> bool {
        let number = running.number;
        if self.devices[number].disk.has_crashed() {
            self.recover(number);
            return false;
        }
        if self.devices[number].starts != running.starts {
            // It was ended, and begun again.
            return false;
        }
        running.turns += 1;
        if running.trouble == Trouble::Abandoned(running.turns) {
            self.note(format!("device {number}: the program ends"));
            self.counts.add("cut: the program ended during a sync");
            self.devices[number].restart(&self.server, &self.owners);
            return false;
        }
        let host = self.devices[number].host();
        let request = match running.request {
            Some(request) => request,
            None => {
                let request = host.connect().sync(SyncScope::account());
                running.request = Some(request);
                running.looked = host.events.len();
                request
            }
        };
        let moved = host.turn();
        let done = take_done(host, request, &mut running.looked);
        let Some(result) = done else {
            if !moved && !host.wait() {
                panic!("device {number}: nothing moves any more\n{}", host.said());
            }
            running.idle = if moved { 0 } else { running.idle + 1 };
            assert!(
                running.idle < 1_000 && running.turns < 200_000,
                "device {number}: no end\n{}",
                host.said()
            );
            return true;
        };
        while host.link.as_ref().is_some_and(|l| l.connection.is_closed()) && host.turn() {}
        self.sync_ended(running, result.map(drop))
    }

    fn sync_ended(&mut self, running: &mut Running, result: Result<(), Error>) -> bool {
        let number = running.number;
        let disk = &self.devices[number].disk;
        let error = match result {
            _ if disk.has_crashed() => {
                self.recover(number);
                return false;
            }
            Ok(()) => {
                self.note(format!("device {number}: in step"));
                return self.is_whole(number);
            }
            Err(error) => error,
        };
        let host = self.devices[number].host();
        // A server may hang up where the mailbox that is open goes.
        let closed = matches!(error, Error::Disconnected(_)) && !self.quiet;
        let cut = host.was_cut;
        assert!(cut || closed, "device {number}: the sync failed: {error}\n{}", host.said());
        self.note_talk(number);
        self.note(format!("device {number}: cut: {error}"));
        let what = match running.trouble {
            Trouble::HostCut(_) => "cut: octets to the device",
            Trouble::ServerCut(Cut::Sent(_)) => "cut: octets from the server",
            Trouble::ServerCut(Cut::Received(_)) => "cut: octets to the server",
            _ if !cut => "cut: the open mailbox went",
            _ => "cut: at a command",
        };
        self.counts.add(what);
        running.retries += 1;
        running.request = None;
        running.retries < 6 && self.dice.below(2) == 0
    }

    fn is_whole(&mut self, number: usize) -> bool {
        let undone = std::mem::take(&mut self.devices[number].undone);
        self.devices[number].unseen.clear();
        self.devices[number].targets.clear();
        for (token, deeds) in undone {
            for deed in deeds {
                self.seen_by_none(&token, deed, Some(number));
            }
        }
        false
    }

    fn end_sync(&mut self, running: &Running) {
        let number = running.number;
        let device = &mut self.devices[number];
        device.disk.crash_at(u64::MAX / 2);
        device.host().knobs.cuts.clear();
        if self.dice.below(2) == 0 {
            device.host().drop_connection();
        }
        self.note_talk(number);
        self.note_set_aside(number);
    }

    /// The power went, and comes back.
    pub fn recover(&mut self, number: usize) {
        let seed = self.dice.below(4);
        let seed = if seed < 2 { seed } else { self.dice.roll() };
        self.note_talk(number);
        self.note(format!("device {number}: the power went"));
        self.counts.add("cut: power");
        self.devices[number].crash(seed, &self.server, &self.owners);
        self.note_set_aside(number);
    }

    /// Remembers which messages had something set aside.
    pub fn note_set_aside(&mut self, number: usize) {
        let pending = self.devices[number].see().engine.pending(None).expect("the journal");
        for operation in pending {
            if let OperationState::SetAside { reason } = &operation.state
                && self.devices[number].set_aside.insert(operation.id)
            {
                self.note(format!("device {number}: set aside: {:?}: {reason}", operation.kind));
                self.counts.add("an operation was set aside");
                for token in self.tokens_of(number, &operation.kind) {
                    self.ledger.of(&token).set_aside = true;
                }
            }
        }
    }
}

/// What comes instead of a command done by half, from a server that does each whole or not at all.
fn whole(fault: Fault) -> Fault {
    match fault {
        Fault::Partly(_, Then::Answer(text)) | Fault::CopiedOnly(Then::Answer(text)) => Fault::Answer(text),
        Fault::Partly(_, Then::Cut) | Fault::CopiedOnly(Then::Cut) => Fault::CutBefore,
        fault => fault,
    }
}

/// A sync under way.
struct Running {
    number: usize,
    starts: u32,
    trouble: Trouble,
    request: Option<RequestId>,
    turns: u64,
    retries: u32,
    looked: usize,
    idle: u32,
}

fn take_done(
    host: &mut crate::support::Host,
    request: RequestId,
    looked: &mut usize,
) -> Option<Result<mailkeep::SyncSummary, Error>> {
    while *looked < host.events.len() {
        if matches!(&host.events[*looked], Event::Done { request: r, .. } if *r == request) {
            let Event::Done { result, .. } = host.events.remove(*looked) else { unreachable!() };
            return Some(result);
        }
        *looked += 1;
    }
    None
}
