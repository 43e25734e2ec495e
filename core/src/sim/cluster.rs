//! The simulation of a cluster: several nodes that hold the same slots, replayed from a seed.
//!
//! ```text
//!   publishers, readers ──▶ any node ══▶ owner ⇄ copies        one queue of events, one seed
//!                             │            │        │
//!                             └── slot table (late, lost, out of reach) ──▶ truth: what must hold
//! ```
//!
//! The machines are the ones that ship: relay, replica, slot, channel and table. Links lose, double, delay
//! and reorder what copies say, keep the order of what gateways and owners say until they begin anew,
//! and are cut in one direction or both, for milliseconds or minutes;
//! nodes crash and come back without memory, stand still, come and go; their clocks differ; the
//! table cannot be reached, by some or by all, and what they learn of it may be old; some are gone for
//! good and declared lost. A truth of its own says what must hold all the time ([`truth`]); in the end
//! everything is healed and must work again. In some runs one node at a time is in trouble, or all are
//! restarted one by one, and publishers must be served all the while.
//!
//! * `world`: one run; `node`, `turn`, `watch`: the shell around a node's machines; `gateway`, `feed`, `followers`: what it
//!   does for its own clients, and for those of others; `event`: what happens to it; `network`, `lane`: what links do;
//! * `clock`: a node's own; `authority`: the slot table as nodes reach it;
//! * `publisher`, `reader`: clients; `service`: how well they are served;
//! * `plan`: what breaks when; `trouble`: how; `rolling`: a restart of all nodes; `rest`: what must hold in the end;
//! * [`truth`]: what must hold, and `witness`, which tells it what happens; [`sight`]: what a suite must have met.

use std::fmt;

use super::coverage::Coverage;
use super::suite::Plant;
use crate::fault::Faults;

mod authority;
pub(in crate::sim) mod clock;
mod event;
mod feed;
mod followers;
mod gateway;
mod lane;
mod network;
mod node;
mod plan;
mod publisher;
mod reader;
mod rest;
mod rolling;
mod service;
pub mod sight;
mod trouble;
pub mod truth;
mod turn;
mod watch;
mod witness;
mod world;

pub use plan::Course;
pub use service::Service;
pub use sight::Sight;
pub use truth::{Rule, Violation};

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What kind of run it was.
    pub course: Course,
    /// How well publishers were served.
    pub service: Service,
    /// The first promise that was broken; the run ended there.
    pub violation: Option<Violation>,
    /// What was seen, and how often.
    pub coverage: Coverage<Sight>,
    /// Events handled.
    pub events: u64,
    /// Publishes that were acknowledged.
    pub acks: u64,
    /// Messages that readers got.
    pub deliveries: u64,
    /// A line for everything that happened, if wanted.
    pub trace: Option<String>,
}

/// Runs one seed, to its end or to the first broken promise.
#[must_use]
pub fn run(seed: u64, faults: Faults, trace: bool) -> Report {
    world::World::new(seed, faults, trace).run()
}

/// Every fault of replication that can be planted, by name.
pub const FAULTS: [(&str, Plant); 18] = [
    ("commit_alone", |faults| faults.commit_alone = true),
    ("no_term_check", |faults| faults.no_term_check = true),
    ("no_generation", |faults| faults.no_generation = true),
    ("claim_by_anyone", |faults| faults.claim_by_anyone = true),
    ("grow_before_ack", |faults| faults.grow_before_ack = true),
    ("pending_counts", |faults| faults.pending_counts = true),
    ("fan_out_before_commit", |faults| faults.fan_out_before_commit = true),
    ("publishers_not_replicated", |faults| {
        faults.publishers_not_replicated = true
    }),
    ("epoch_kept_on_reset", |faults| faults.epoch_kept_on_reset = true),
    ("attach_before_safe", |faults| faults.attach_before_safe = true),
    ("reset_after_silence", |faults| faults.reset_after_silence = true),
    ("doubt_not_confirmed", |faults| faults.doubt_not_confirmed = true),
    ("no_claim", |faults| faults.no_claim = true),
    ("no_hand_over", |faults| faults.no_hand_over = true),
    ("no_shrink", |faults| faults.no_shrink = true),
    ("feed_gap_shown", |faults| faults.feed_gap_shown = true),
    ("feed_not_resumed", |faults| faults.feed_not_resumed = true),
    ("numbers_reused", |faults| faults.numbers_reused = true),
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cluster seed {}: ", self.seed)?;
        match &self.violation {
            Some(violation) => write!(
                f,
                "{violation}\nreplay with: make simulate-cluster SEED={} ARGS=--trace",
                self.seed
            ),
            None => write!(
                f,
                "nothing broken in {} events, {} acks, {} deliveries",
                self.events, self.acks, self.deliveries
            ),
        }
    }
}
