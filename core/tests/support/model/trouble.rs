//! What goes wrong with a server: connections that break, commands that are refused or done by half.

use std::collections::VecDeque;

use super::super::Dice;
use super::ModelServer;

/// Where a connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// When the server has sent so many octets; what it was doing is done.
    Sent(u64),
    /// When so many octets came from the client.
    Received(u64),
}

/// What happens to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this, `NO …` or `BAD …`, and nothing is done.
    Answer(String),
    /// The connection breaks with the command read and not done.
    CutBefore,
    /// It is done and the connection breaks, with nothing said.
    CutAfter,
    /// It is done, all is said but the tagged answer, and the connection breaks.
    CutBeforeAnswer,
    /// It is done for so many messages only: of REPLACE's, none is expunged with 0. What does not go by
    /// messages is refused as a whole.
    Partly(usize, Then),
    /// A MOVE copies, and dies before it expunges.
    CopiedOnly(Then),
}

/// What comes after a command that was done by half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    Answer(String),
    Cut,
}

impl Fault {
    /// NO with a code, as OVERQUOTA, NOPERM, TRYCREATE, TOOBIG, READ-ONLY, LIMIT.
    pub fn no(code: &str) -> Fault {
        Fault::Answer(format!("NO [{code}] refused"))
    }

    pub fn bad() -> Fault {
        Fault::Answer("BAD refused".into())
    }

    /// Done for so many messages, then NO with a code.
    pub fn partly(messages: usize, code: &str) -> Fault {
        Fault::Partly(messages, Then::Answer(format!("NO [{code}] not all")))
    }
}

/// Faults by chance, in so many of a thousand. Those to commands hit the ones that change something.
#[derive(Debug, Clone)]
pub struct Chaos {
    pub dice: Dice,
    /// Connections that break somewhere in their first `within` octets, either way.
    pub cut: u64,
    pub within: u64,
    pub cut_before: u64,
    pub cut_after: u64,
    pub partly: u64,
    pub refused: u64,
    /// What refusals say.
    pub refusals: Vec<&'static str>,
}

impl Chaos {
    pub fn new(seed: u64) -> Chaos {
        Chaos {
            dice: Dice::new(seed),
            cut: 100,
            within: 4_000,
            cut_before: 20,
            cut_after: 40,
            partly: 20,
            refused: 20,
            refusals: vec!["NO [OVERQUOTA] full", "NO [LIMIT] too much", "NO [UNAVAILABLE] later", "NO no"],
        }
    }

    fn odds(&mut self, of_a_thousand: u64) -> bool {
        self.dice.below(1_000) < of_a_thousand
    }

    fn fault(&mut self) -> Option<Fault> {
        if self.odds(self.cut_before) {
            return Some(Fault::CutBefore);
        }
        if self.odds(self.cut_after) {
            let silent = self.dice.below(2) == 0;
            return Some(if silent { Fault::CutAfter } else { Fault::CutBeforeAnswer });
        }
        let refusal = self.dice.below(self.refusals.len() as u64) as usize;
        let refusal = self.refusals.get(refusal).map_or("NO no".to_owned(), |r| (*r).to_owned());
        if self.odds(self.partly) {
            let messages = self.dice.below(4) as usize;
            let then = if self.dice.below(2) == 0 { Then::Cut } else { Then::Answer(refusal) };
            return Some(Fault::Partly(messages, then));
        }
        self.odds(self.refused).then_some(Fault::Answer(refusal))
    }
}

#[derive(Debug, Clone)]
struct Rule {
    kind: String,
    /// How many of the kind go well before.
    before: u32,
    fault: Fault,
}

/// What is to go wrong.
#[derive(Debug, Clone, Default)]
pub struct Trouble {
    rules: Vec<Rule>,
    cuts: VecDeque<Option<Cut>>,
    pub chaos: Option<Chaos>,
    /// What went wrong so far: the command and the fault.
    pub happened: Vec<(String, Fault)>,
}

const CHANGING: [&str; 12] = [
    "STORE",
    "COPY",
    "MOVE",
    "EXPUNGE",
    "CLOSE",
    "APPEND",
    "REPLACE",
    "CREATE",
    "DELETE",
    "RENAME",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
];

impl Trouble {
    /// The fault for a command that came.
    pub fn next_fault(&mut self, verb: &str) -> Option<Fault> {
        let plain = verb.strip_prefix("UID ").unwrap_or(verb);
        let changes = CHANGING.contains(&plain);
        let is_of = |kind: &str| kind == verb || kind == plain || kind == "*" && changes;
        let mut hit = None;
        for (at, rule) in self.rules.iter_mut().enumerate().filter(|(_, r)| is_of(&r.kind)) {
            match rule.before.checked_sub(1) {
                Some(left) => rule.before = left,
                None if hit.is_none() => hit = Some(at),
                None => {}
            }
        }
        let fault = match hit {
            Some(at) => Some(self.rules.remove(at).fault),
            None => self.chaos.as_mut().filter(|_| changes).and_then(Chaos::fault),
        };
        if let Some(fault) = &fault {
            self.happened.push((verb.to_owned(), fault.clone()));
        }
        fault
    }

    /// Where the next connection breaks.
    pub fn next_cut(&mut self) -> Option<Cut> {
        if let Some(planned) = self.cuts.pop_front() {
            return planned;
        }
        let chaos = self.chaos.as_mut()?;
        if !chaos.odds(chaos.cut) {
            return None;
        }
        let at = chaos.dice.below(chaos.within);
        Some(if chaos.dice.below(2) == 0 { Cut::Sent(at) } else { Cut::Received(at) })
    }
}

impl Trouble {
    /// A fault for the n-th command of a kind from now, as [`ModelServer::fault`] says.
    pub fn add(&mut self, kind: &str, nth: u32, fault: Fault) {
        self.rules.push(Rule { kind: kind.to_ascii_uppercase(), before: nth.saturating_sub(1), fault });
    }

    /// Where the following connections break, one entry for each.
    pub fn cut(&mut self, cuts: impl IntoIterator<Item = Option<Cut>>) {
        self.cuts.extend(cuts);
    }

    /// Nothing goes wrong any more.
    pub fn calm(&mut self) {
        let happened = std::mem::take(&mut self.happened);
        *self = Trouble { happened, ..Trouble::default() };
    }
}

impl ModelServer {
    /// A fault for the n-th command of a kind from now, counted from 1. `MOVE` is also `UID MOVE`,
    /// `UID MOVE` is that alone, `*` is any command that changes something.
    pub fn fault(&self, kind: &str, nth: u32, fault: Fault) {
        self.change().trouble.add(kind, nth, fault);
    }

    /// Where the following connections break, one entry for each.
    pub fn cut_connections(&self, cuts: impl IntoIterator<Item = Option<Cut>>) {
        self.change().trouble.cut(cuts);
    }

    pub fn chaos(&self, chaos: Chaos) {
        self.change().trouble.chaos = Some(chaos);
    }

    /// Nothing goes wrong any more.
    pub fn calm(&self) {
        self.change().trouble.calm();
    }
}
