//! Runs in turn, and a void run again.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::attempt::Attempt;
use super::verdict::void_reason;
use super::{Event, Options, SPARSE};
use crate::Error;
use crate::load::{self, Outcome, Plan};
use crate::proc::core::Cores;
use crate::server::{Kind, Server};

/// How long messages flow before they count: congestion windows open, buffers reach their size, caches fill.
const WARM_UP: Duration = Duration::from_secs(2);

/// How often a void run is repeated. A disturbance that outlasts four runs is a property of the machine or the server.
const REPEATS_MAX: u32 = 3;

/// What a run measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// The node, as asked for.
    Starling,
    /// Three nodes, as asked for.
    Cluster,
    /// The null server, as asked for.
    Null,
    /// The null server with many subscribers and few messages.
    SparseNull,
}

impl Case {
    /// The word for it in results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Starling => "starling",
            Self::Cluster => "cluster",
            Self::Null => "null",
            Self::SparseNull => "null_sparse",
        }
    }

    /// The server it needs.
    pub(super) fn server(self) -> Kind {
        match self {
            Self::Starling => Kind::Starling,
            Self::Cluster => Kind::Cluster,
            Self::Null | Self::SparseNull => Kind::Null,
        }
    }

    fn plan(self, options: &Options) -> Plan {
        let (subscribers, rate) = match self {
            Self::Starling | Self::Cluster | Self::Null => (options.subscribers, options.rate),
            Self::SparseNull => SPARSE,
        };
        Plan {
            subscribers,
            rate,
            warm_up: WARM_UP,
            duration: options.duration,
            payload_bytes: options.payload_bytes,
        }
    }
}

/// What is measured, and what it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) ours: Case,
    pub(super) floor: Case,
}

impl Pair {
    /// A node and the floor under it.
    pub(super) const BESIDE_NULL: Self = Self {
        ours: Case::Starling,
        floor: Case::Null,
    };

    /// Three nodes, and one that does without the ways between them.
    pub(super) const ACROSS_NODES: Self = Self {
        ours: Case::Cluster,
        floor: Case::Starling,
    };

    /// Who goes first in the pair with this number: A-B-B-A-A-B-B-A, so that whatever drifts over minutes falls on both
    /// alike.
    pub(super) fn order(self, number: u32) -> [Case; 2] {
        if number.is_multiple_of(2) {
            [self.ours, self.floor]
        } else {
            [self.floor, self.ours]
        }
    }
}

/// The run that counts for its place in the order: the first that stands, or else the last.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) case: Case,
    pub(super) attempt: Attempt,
    /// Latencies in nanoseconds; `None` if the run broke off.
    pub(super) latency: Option<Histogram<u64>>,
}

/// All runs of one measurement.
pub(super) struct Round<'a> {
    options: &'a Options,
    cores: Cores,
    accepted: Vec<Accepted>,
    attempts: u32,
}

impl<'a> Round<'a> {
    pub(super) fn new(options: &'a Options, cores: Cores) -> Self {
        Self {
            options,
            cores,
            accepted: Vec::new(),
            attempts: 0,
        }
    }

    /// Runs a case, again while it is void, and tells about each attempt.
    pub(super) async fn run(
        &mut self,
        pair: u32,
        case: Case,
        observe: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Error> {
        let mut repeats = 0;
        loop {
            let plan = case.plan(self.options);
            let outcome = match self.run_once(case, plan.clone()).await {
                Ok(outcome) => Ok(outcome),
                // A server that drops its connections has failed the run, not the measurement.
                Err(Error::Link(error)) => Err(error.to_string()),
                Err(error) => return Err(error),
            };
            let reason = match &outcome {
                Ok(outcome) => void_reason(outcome, self.options.transport),
                Err(error) => Some(error.clone()),
            };
            let attempt = Attempt::new(case.name(), pair, repeats, &plan, outcome.as_ref().ok(), reason);
            observe(Event::Attempt(&attempt));
            self.attempts += 1;
            if attempt.valid || repeats == REPEATS_MAX {
                let latency = outcome.ok().map(|outcome: Outcome| outcome.latency);
                self.accepted.push(Accepted { case, attempt, latency });
                return Ok(());
            }
            repeats += 1;
        }
    }

    /// The runs that count, in order.
    pub(super) fn accepted(&self) -> &[Accepted] {
        &self.accepted
    }

    /// Runs in all, void ones included.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    async fn run_once(&self, case: Case, plan: Plan) -> Result<Outcome, Error> {
        let (cores, options) = (self.cores, self.options);
        let server = Server::start(case.server(), options.transport, &options.program, cores.server).await?;
        let (course, watched) = (server.course.clone(), server.watched());
        let mut outcome = cores
            .on_load(move || load::run(&course, &plan, &watched, cores))
            .await?;
        outcome.faults.extend(server.fault().await);
        Ok(outcome)
    }
}

/// A run that stands, with this cost, for tests of what is made of many.
#[cfg(test)]
pub(super) fn accepted(case: Case, pair: u32, cpu_us: f64) -> Accepted {
    let attempt = Attempt {
        cpu_us_per_delivery: cpu_us,
        expected: 100,
        delivered: 100,
        ..Attempt::new(case.name(), pair, 0, &Plan::default(), None, None)
    };
    let mut latency = load::latencies();
    latency.saturating_record(u64::from(pair + 1) * 10_000_000);
    Accepted {
        case,
        attempt,
        latency: Some(latency),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_abba_so_that_a_steady_drift_cancels() {
        let order: Vec<Case> = (0..4).flat_map(|number| Pair::BESIDE_NULL.order(number)).collect();
        let drift = |case| {
            order
                .iter()
                .enumerate()
                .filter(|(_, it)| **it == case)
                .map(|(at, _)| at)
                .sum::<usize>()
        };
        assert_eq!(order[..4], [Case::Starling, Case::Null, Case::Null, Case::Starling]);
        assert_eq!(drift(Case::Starling), drift(Case::Null));
    }
}
