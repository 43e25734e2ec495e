//! The simulation: a node, its clients and the links between them, replayed from a seed.
//!
//! ```text
//!   plan ─▶ clients ⇄ links ⇄ sessions ⇄ channels ⇄ slots      one queue of events,
//!              │                 │           │        │        one clock, one seed
//!              └───── facts ─────┴───────────┴────────┘──▶ checker ──▶ a violation, or none
//! ```
//!
//! The machines are the ones that ship. Around them stands a shell that does what the real one does,
//! links that break as real ones do, and clients that keep the protocol's rules. What happens is told
//! as facts to a checker with a truth of its own. Everything is in ordered maps and every choice
//! comes from the seed, so a seed replays to the letter.
//!
//! * [`scenario`]: what a run is about; `setup` and `plan`: what is drawn for it;
//! * `world`: one run; `scene`: what everybody in it shares;
//! * `agenda`, `dice`, `link`: time, chance and connections;
//! * `node`, `client`: the two sides;
//! * `fact`: what happened; [`check`]: what must hold; [`sight`], [`coverage`]: what a suite must have met;
//! * `trace`: all of it as lines; [`suite`]: many seeds, and what they mean.

use std::fmt;

use crate::fault::Faults;

mod agenda;
pub mod check;
mod client;
pub mod cluster;
pub mod coverage;
mod dice;
mod fact;
mod link;
mod node;
mod plan;
pub mod presence;
pub mod scenario;
mod scene;
mod setup;
pub mod sight;
pub mod suite;
mod trace;
mod world;

pub use check::{Rule, Violation};
pub use coverage::{Coverage, Sighted};
pub use scenario::Scenario;
pub use sight::Sight;
pub use suite::Tally;

/// What to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Everything is drawn from it.
    pub seed: u64,
    /// What the run is about; `None` leaves it to the seed.
    pub scenario: Option<Scenario>,
    /// Faults that are planted.
    pub faults: Faults,
    /// Whether to keep a line for everything that happens.
    pub trace: bool,
}

impl Options {
    /// A seed as it is: its own scenario, no faults, no trace.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self {
            seed,
            scenario: None,
            faults: Faults::default(),
            trace: false,
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What it was about.
    pub scenario: Scenario,
    /// The first promise that was broken; the run ended there.
    pub violation: Option<Violation>,
    /// What was seen.
    pub coverage: Coverage<Sight>,
    /// Events handled.
    pub events: u64,
    /// What was checked.
    pub tally: Tally,
    /// A line for everything that happened, if wanted.
    pub trace: Option<String>,
}

/// Runs one seed, to its end or to the first broken promise.
#[must_use]
pub fn run(options: &Options) -> Report {
    let scenario = options.scenario.unwrap_or_else(|| Scenario::of(options.seed));
    let told = OnPanic {
        seed: options.seed,
        scenario,
    };
    let report = world::run(scenario, options);
    drop(told);
    report
}

/// The command that replays a run.
#[must_use]
pub fn replay(seed: u64, scenario: Scenario) -> String {
    format!("make simulate SEED={seed} SCENARIO={scenario} ARGS=--trace")
}

/// Says how to replay a run in which a machine panicked.
struct OnPanic {
    seed: u64,
    scenario: Scenario,
}

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with: {}", replay(self.seed, self.scenario));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {} ({}): ", self.seed, self.scenario)?;
        match &self.violation {
            Some(violation) => write!(f, "{violation}\nreplay with: {}", replay(self.seed, self.scenario)),
            None => write!(f, "nothing broken in {} events", self.events),
        }
    }
}
