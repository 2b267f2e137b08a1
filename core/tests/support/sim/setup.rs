//! What a seed stands for before anything happens: the server, its manners, how many devices, what may go wrong.

use std::rc::Rc;

use crate::support::model::{FULL, Keywords, Manners, ModelServer};
use crate::support::{Dice, FarSide, OwnServer};

/// Capability sets that are drawn as they are; the others are drawn word by word.
const SETS: [&str; 9] = [
    "IMAP4rev1",
    "IMAP4rev1 UIDPLUS",
    "IMAP4rev1 MOVE",
    "IMAP4rev1 UIDPLUS MOVE LITERAL+",
    "IMAP4rev1 CONDSTORE ENABLE UIDPLUS LITERAL-",
    "IMAP4rev1 CONDSTORE ENABLE QRESYNC UIDPLUS MOVE LIST-EXTENDED LIST-STATUS",
    "IMAP4rev1 ENABLE CONDSTORE QRESYNC MOVE UNSELECT",
    "IMAP4rev1 ENABLE CONDSTORE LIST-STATUS LIST-EXTENDED IDLE",
    FULL,
];

/// Words that are drawn one by one.
const WORDS: [&str; 15] = [
    "UIDPLUS",
    "MOVE",
    "IDLE",
    "UNSELECT",
    "ESEARCH",
    "LITERAL+",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "OBJECTID",
    "NAMESPACE",
    "SASL-IR",
    "ID",
    "AUTH=PLAIN",
];

/// Which server is the far side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Far {
    /// The model, with every manner and every fault.
    Model,
    /// The project's own, which has one manner and does nothing by half.
    Own,
}

impl Far {
    /// The far side of a simulation: one in four is the project's own server, unless `SIM_SERVER` names another.
    pub fn of(seed: u64) -> Far {
        match std::env::var("SIM_SERVER").as_deref() {
            Ok("own") => Far::Own,
            Ok("model") => Far::Model,
            Ok(other) => panic!("SIM_SERVER is own or model, not {other}"),
            Err(_) if seed % 4 == 3 => Far::Own,
            Err(_) => Far::Model,
        }
    }
}

/// What may happen in a simulation.
#[derive(Debug, Clone)]
pub struct Setup {
    pub far: Far,
    pub words: String,
    pub manners: Manners,
    pub tells_capabilities: bool,
    pub devices: usize,
    pub steps: u64,
    /// Another client works on the same mail.
    pub others: bool,
    /// Connections break.
    pub cuts: bool,
    /// The power goes.
    pub crashes: bool,
    /// Mailboxes are numbered anew.
    pub renumbers: bool,
    /// Commands are refused, or done by half.
    pub refusals: bool,
    /// Things happen while a sync is under way.
    pub races: bool,
    /// UIDPLUS is offered, and its codes are not always sent.
    pub forgets_codes: bool,
    /// The devices have everything before it begins.
    pub synced_before: bool,
}

impl Setup {
    pub fn draw(dice: &mut Dice, far: Far) -> Setup {
        let odds = |dice: &mut Dice, of_ten: u64| dice.below(10) < of_ten;
        // Each in most simulations, all in many, few in some: what fails with few is easier to read.
        let mask = std::env::var("SIM_MASK").ok();
        let allowed = |name: &str| mask.as_ref().is_none_or(|m| m.split(',').any(|w| w == name));
        let pick = dice.below(16);
        let words = match SETS.get(pick as usize) {
            Some(words) => (*words).to_owned(),
            None => drawn(dice),
        };
        let mut manners = Manners::default();
        if odds(dice, 3) {
            manners.keywords = [Keywords::Known, Keywords::None][dice.below(2) as usize];
        }
        if odds(dice, 1) {
            manners.permanent.retain(|f| *f != "\\Answered");
        }
        manners.keeps_subscriptions = odds(dice, 7);
        manners.renames_subscriptions = odds(dice, 3);
        manners.refuses_to_delete_parents = odds(dice, 3);
        manners.refuses_before_literals = odds(dice, 7);
        manners.bumps_unchanged = odds(dice, 2);
        let devices = match dice.below(10) {
            0..=2 => 1,
            3..=7 => 2,
            8 => 3,
            _ => 4,
        };
        let setup = Setup {
            far,
            words,
            manners,
            tells_capabilities: odds(dice, 7),
            devices: if allowed("devices") { devices } else { 1 },
            steps: 5 + dice.below(11),
            others: odds(dice, 8) && allowed("others"),
            cuts: odds(dice, 7) && allowed("cuts"),
            crashes: odds(dice, 5) && allowed("crashes"),
            renumbers: odds(dice, 4) && allowed("renumbers"),
            refusals: odds(dice, 5) && allowed("refusals"),
            races: odds(dice, 5) && allowed("races"),
            forgets_codes: odds(dice, 2) && allowed("forgets"),
            synced_before: odds(dice, 9),
        };
        match far {
            Far::Model => setup,
            Far::Own => Setup { manners: Manners::default(), forgets_codes: false, ..setup },
        }
    }

    pub fn has(&self, word: &str) -> bool {
        self.words.split(' ').any(|w| w == word)
    }

    /// The server, with nothing in it yet.
    pub fn server(&self) -> Rc<dyn FarSide> {
        match self.far {
            Far::Model => Rc::new(self.model()),
            Far::Own => Rc::new(OwnServer::with_capabilities(&self.words)),
        }
    }

    fn model(&self) -> ModelServer {
        let server = ModelServer::with_capabilities(&self.words);
        {
            let mut world = server.change();
            world.manners = self.manners.clone();
            world.tells_capabilities = self.tells_capabilities;
        }
        if self.forgets_codes {
            let mut dice = Dice::new(self.steps);
            server.quirk(move |_, line| if dice.below(2) == 0 { without_code(line) } else { line });
        }
        server
    }
}

fn drawn(dice: &mut Dice) -> String {
    let mut words = vec!["IMAP4rev1"];
    let modseq = dice.below(3);
    if modseq > 0 {
        words.extend(["ENABLE", "CONDSTORE"]);
    }
    if modseq > 1 {
        words.push("QRESYNC");
    }
    words.extend(WORDS.iter().filter(|_| dice.below(2) == 0));
    words.join(" ")
}

/// A response without what COPYUID or APPENDUID says.
fn without_code(line: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8_lossy(&line).into_owned();
    for code in ["[COPYUID ", "[APPENDUID "] {
        if let Some(start) = text.find(code).filter(|at| *at < 40)
            && let Some(end) = text[start..].find(']')
        {
            return format!("{}{}", &text[..start], &text[start + end + 1..].trim_start()).into_bytes();
        }
    }
    line
}
