//! Time as the host tells it. The engine reads no clock.

/// The host's two clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Milliseconds of a clock that never goes back (since boot, say). Timers use it.
    pub mono_ms: u64,
    /// Milliseconds since 1970-01-01 UTC. May jump; dates and day counts use it.
    pub wall_ms: i64,
}

impl Now {
    /// From the two clocks.
    pub const fn new(mono_ms: u64, wall_ms: i64) -> Now {
        Now { mono_ms, wall_ms }
    }
}
