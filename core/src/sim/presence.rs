//! The simulation of presence: several nodes, clients that come and go, and watchers, replayed from a seed.
//!
//! ```text
//!   clients ──▶ any node: shard ⇄ shards of the others        one queue of events, one seed
//!      │                    │
//!      │ truth: who is      └─ watchers: what they are shown
//!      └──────────────▶ check ◀──────────┘
//! ```
//!
//! The machines are the ones that ship. Clients enter, update, leave, say goodbye, are cut off, fall silent, reload and move
//! to other nodes; two tabs may be copies of each other. Nodes crash and start anew; links are cut in one direction or both,
//! for seconds or minutes, lose, double and reorder what they carry, and are full; slots change their owner, also
//! with a gap between two, also to a node that held no copy; clocks differ. Watchers at every node are held against the truth.
//!
//! * `world`: one run; `event`: what happens in it; `node`, `link`: nodes and what is between them; `place`: who owns what;
//! * `plan`: what breaks when, drawn before; `trouble`: how it breaks;
//! * `tab`: clients; `watcher`: those who watch;
//! * `truth`: who is there, and since when; `check`: what must hold; [`sight`]: what a suite must have met.

use std::fmt;

use super::coverage::Coverage;
use super::suite::Plant;
use crate::fault::Faults;

mod check;
mod event;
mod link;
mod node;
mod place;
mod plan;
pub mod sight;
mod tab;
mod trouble;
mod truth;
mod watcher;
mod world;

pub use check::{Rule, Violation};
pub use sight::Sight;

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The first promise that was broken; the run ended there.
    pub violation: Option<Violation>,
    /// What was seen, and how often.
    pub coverage: Coverage<Sight>,
    /// Events handled.
    pub events: u64,
    /// Joins, updates and leaves that watchers were told.
    pub told: u64,
    /// A line for everything that happened, if wanted.
    pub trace: Option<String>,
}

/// Runs one seed, to its end or to the first broken promise.
#[must_use]
pub fn run(seed: u64, faults: Faults, trace: bool) -> Report {
    world::World::new(seed, faults, trace).run()
}

/// Every fault of presence that can be planted, by name.
pub const FAULTS: [(&str, Plant); 9] = [
    ("presence_no_digest", |faults| faults.presence_no_digest = true),
    ("presence_no_dots", |faults| faults.presence_no_dots = true),
    ("presence_no_purge_record", |faults| {
        faults.presence_no_purge_record = true
    }),
    ("presence_leave_not_replicated", |faults| {
        faults.presence_leave_not_replicated = true
    }),
    ("presence_early_leave", |faults| faults.presence_early_leave = true),
    ("presence_no_grace", |faults| faults.presence_no_grace = true),
    ("presence_no_chain", |faults| faults.presence_no_chain = true),
    ("presence_purge_alone", |faults| faults.presence_purge_alone = true),
    ("presence_old_is_news", |faults| faults.presence_old_is_news = true),
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "presence seed {}: ", self.seed)?;
        match &self.violation {
            Some(violation) => write!(
                f,
                "{violation}\nreplay with: make simulate-presence SEED={} ARGS=--trace",
                self.seed
            ),
            None => write!(f, "nothing broken in {} events, {} told", self.events, self.told),
        }
    }
}
