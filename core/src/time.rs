//! The two clocks that come in by the door.
//!
//! Ages and expiries run on [`Instant`], which never steps. Wall time stamps messages and is
//! compared with the wall time that a publish carries; a step of the wall clock moves nothing else.

use std::fmt;
use std::time::{Duration, Instant};

/// Milliseconds since 1970 by the node's wall clock, which may step either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(pub u64);

impl WallTime {
    /// How far two readings are apart, whichever came first.
    #[must_use]
    pub const fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// Both clocks, read once for one turn of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The clock that ages run on.
    pub instant: Instant,
    /// The clock that people and clients see.
    pub wall: WallTime,
}
