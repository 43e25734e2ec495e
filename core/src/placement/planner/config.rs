//! How patient a planner is, and how fast.

use std::time::Duration;

/// The settings of a planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How long the place of a node that vanished or drains is kept. A pod that is restarted is back in
    /// less, also when its image has to be fetched.
    pub hold_down: Duration,
    /// How long a node waits for the others to come into sight: after its start, before it claims what
    /// nobody owns and takes whom it never saw for gone; after it was cut off, before it plans. Gossip
    /// takes a second.
    pub gather: Duration,
    /// How long a node must have served before slots are moved to it, and an owner must have owned a
    /// slot before it moves it on. A node that comes and goes moves nothing.
    pub steady: Duration,
    /// Slots that an owner begins to give away in any one round, and waits for at a time. A move takes
    /// some milliseconds of one slot's publishes; a thousand slots over three owners take 20 s.
    pub moves_per_round: usize,
    /// See above.
    pub round: Duration,
    /// Slots that a draining owner gives away at a time. It has little time, and yet the nodes that take
    /// them must go on acknowledging for others.
    pub drain_batch: usize,
    /// How long a move that does not come about holds up others. The owner tries it again as often.
    pub move_patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hold_down: Duration::from_secs(60),
            gather: Duration::from_secs(2),
            steady: Duration::from_secs(10),
            moves_per_round: 16,
            round: Duration::from_secs(1),
            drain_batch: 64,
            move_patience: Duration::from_secs(5),
        }
    }
}
