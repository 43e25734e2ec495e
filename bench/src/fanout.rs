//! `bench fanout`: what it costs to deliver one publisher's messages to many subscribers.
//!
//! ```text
//! run         pairs of runs in the order A-B-B-A, of a node and a null server, or of three nodes and one; of a node
//!  │          then the idle connections
//!  ├─ round       one run, repeated while it is void
//!  ├─ verdict     whether a run can be trusted
//!  ├─ memory      resident memory over idle connections, and its slope
//!  ├─ summary     medians over pairs
//!  ├─ attempt     one run, for who watches
//!  └─ report      the result, as JSON and as a table
//! ```
//!
//! Every run starts its server anew and kills it afterwards: no run inherits another's heap, history or connections,
//! and no idle server shares the core with the one that is measured. A start costs a fraction of a second, and the
//! warm-up covers what a young process is slow at.

mod attempt;
mod memory;
mod report;
mod round;
mod summary;
mod verdict;

use std::path::PathBuf;
use std::time::Duration;

pub use self::attempt::{Across, Attempt};
pub use self::report::{ClusterReport, NodeReport, Report};
use self::round::{Case, Pair, Round};
use self::summary::{Sparse, Summary};
use crate::load::STAMP_BYTES;
use crate::proc::core::Cores;
use crate::proc::descriptors;
use crate::proc::host::Machine;
use crate::{Error, Transport};

/// The sparse case that a dense one is compared with: subscribers and messages a second.
const SPARSE: (usize, u32) = (500, 20);

/// Messages a second above which a case is dense: they come closer together than the 5 ms for which a node collects
/// what is due to one connection.
const DENSE_RATE: u32 = 200;

/// Deliveries a second above which QUIC receivers need the whole of their core.
const WEBTRANSPORT_RATE_MAX: u64 = 12_000;

/// Longest payload, in bytes: what a namespace takes by default.
const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// What carries the sessions.
    pub transport: Transport,
    /// 1 to compare a node with the null server, 3 to compare three nodes with one.
    pub nodes: u32,
    /// Receivers of every message.
    pub subscribers: usize,
    /// Messages a second.
    pub rate: u32,
    /// How long each run counts.
    pub duration: Duration,
    /// Bytes of each payload.
    pub payload_bytes: usize,
    /// Pairs of runs; the median is over these.
    pub pairs: u32,
    /// Idle connections in each of the two steps after the first, empty one. Of one node only.
    pub idle: usize,
    /// Whether to measure the sparse null server too. A dense case of one node always does.
    pub against_sparse_null: bool,
    /// The `starling` binary, which has both servers in it.
    pub program: PathBuf,
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        let refuse = |reason: &str| Err(Error::Options(reason.to_owned()));
        if self.subscribers == 0 || self.rate == 0 || self.pairs == 0 || self.idle == 0 {
            return refuse("subscribers, rate, pairs and idle must be at least 1");
        }
        if !(STAMP_BYTES..=PAYLOAD_BYTES_MAX).contains(&self.payload_bytes) {
            return refuse("a payload has 16 to 65536 bytes: the first 16 carry the time it was meant to leave");
        }
        if self.duration < Duration::from_secs(1) {
            return refuse("a run of less than a second measures the clock: ask for 1s or more");
        }
        let most = match (self.nodes, self.against_sparse_null) {
            (1, _) => self.subscribers.max(2 * self.idle).max(SPARSE.0),
            (3, false) => self.subscribers,
            (3, true) => return refuse("three nodes are compared with one, and not with the null server"),
            _ => return refuse("a measurement is of 1 node or of 3: one each for publisher, owner and subscribers"),
        };
        descriptors::raise(most as u64)
    }

    fn is_across_nodes(&self) -> bool {
        self.nodes > 1
    }

    fn measures_sparse_null(&self) -> bool {
        !self.is_across_nodes() && (self.against_sparse_null || self.rate > DENSE_RATE)
    }
}

/// What happens while a measurement runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// A run is over, void or not.
    Attempt(&'a Attempt),
    /// Something to know that is no result.
    Note(String),
}

/// Measures, and tells what happens on the way.
///
/// Dropping the future kills the server of the moment. The load notices within seconds, on threads of its own.
///
/// # Errors
///
/// When there is nothing to report: options that contradict the machine, a server that does not start. A measurement
/// that cannot be trusted is a report with `valid` false.
pub async fn run(options: &Options, mut observe: impl FnMut(Event<'_>)) -> Result<Report, Error> {
    options.check()?;
    let cores = Cores::choose()?;
    let deliveries = options.subscribers as u64 * u64::from(options.rate);
    if options.transport == Transport::WebTransport && deliveries > WEBTRANSPORT_RATE_MAX {
        observe(Event::Note(format!(
            "{deliveries} deliveries a second are more than the receivers can take on one core: \
             expect void runs, or ask for at most {WEBTRANSPORT_RATE_MAX}"
        )));
    }
    let mut round = Round::new(options, cores);
    let compared = if options.is_across_nodes() {
        Pair::ACROSS_NODES
    } else {
        Pair::BESIDE_NULL
    };
    for pair in 0..options.pairs {
        for case in compared.order(pair) {
            round.run(pair, case, &mut observe).await?;
        }
        if options.measures_sparse_null() {
            round.run(pair, Case::SparseNull, &mut observe).await?;
        }
    }
    let (runs, attempts) = (round.accepted(), round.attempts());
    let machine = Machine::describe(cores.count());
    if options.is_across_nodes() {
        let report = ClusterReport::new(options, runs, attempts, machine);
        return Ok(Report::Cluster(Box::new(report)));
    }
    let starling = memory::measure(options, Case::Starling, cores, &mut observe).await?;
    let null = memory::measure(options, Case::Null, cores, &mut observe).await?;
    let summary = Summary::of(runs, compared);
    let sparse = Sparse::of(runs);
    let report = NodeReport::new(options, &summary, sparse.as_ref(), &starling, &null, attempts, machine);
    Ok(Report::Node(Box::new(report)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(nodes: u32, against_sparse_null: bool) -> Options {
        Options {
            transport: Transport::WebSocket,
            nodes,
            subscribers: 1,
            rate: 1,
            duration: Duration::from_secs(1),
            payload_bytes: 150,
            pairs: 1,
            idle: 1,
            against_sparse_null,
            program: PathBuf::from("/no/such/program"),
        }
    }

    #[test]
    fn a_measurement_is_of_one_node_or_of_three() {
        for (nodes, against_sparse_null) in [(1, false), (1, true), (3, false)] {
            let checked = options(nodes, against_sparse_null).check();
            assert!(checked.is_ok(), "{nodes} nodes: {checked:?}");
        }
        for (nodes, against_sparse_null, why) in [
            (0, false, "1 node or of 3"),
            (2, false, "1 node or of 3"),
            (3, true, "not with the null server"),
        ] {
            let refused = options(nodes, against_sparse_null)
                .check()
                .map_err(|error| error.to_string());
            assert!(
                refused.as_ref().is_err_and(|error| error.contains(why)),
                "{nodes} nodes: {refused:?}"
            );
        }
    }

    #[test]
    fn a_dense_case_of_three_nodes_has_no_null_server() {
        let dense = |nodes| Options {
            rate: 1_000,
            ..options(nodes, false)
        };
        assert!(dense(1).measures_sparse_null());
        assert!(!dense(3).measures_sparse_null());
    }
}
