//! What the tests of the engine stand on: a server, a host, scripts and a failing disk, all in memory.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "every test uses a part of it")]

pub mod far;
pub mod faults;
pub mod host;
pub mod mail;
pub mod model;
pub mod own;
pub mod pop_model;
pub mod pop_talk;
pub mod quirks;
pub mod script;
pub mod session;
pub mod snapshot;
pub mod talk;
pub mod wire;

pub use far::FarSide;
pub use faults::Disk;
pub use host::{Host, Knobs, Peer};
pub use mail::{Mail, mail};
pub use model::{ModelServer, Tier};
pub use own::OwnServer;
pub use pop_model::{Naming, PopServer};
pub use script::Script;
pub use snapshot::{Snapshot, assert_in_step, server_snapshot, snapshot, with_roles};
pub use talk::Talk;

/// A small source of repeatable choices (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.roll() % n }
    }
}
