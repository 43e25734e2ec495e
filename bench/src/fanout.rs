//! `bench fanout`: what it costs to deliver one publisher's messages to many subscribers.
//!
//! ```text
//! run         pairs of runs, each server and null server in the order A-B-B-A, then the idle connections
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
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

pub use self::attempt::Attempt;
pub use self::report::Report;
use self::round::{Case, Order, Round};
use self::summary::Summary;
use crate::load::STAMP_BYTES;
use crate::proc::core::{Cores, pin};
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
    /// Idle connections in each of the two steps after the first, empty one.
    pub idle: usize,
    /// Whether to measure the sparse null server too. A dense case always does.
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
        let most = self.subscribers.max(2 * self.idle).max(SPARSE.0) as u64;
        descriptors::raise(most)
    }

    fn measures_sparse_null(&self) -> bool {
        self.against_sparse_null || self.rate > DENSE_RATE
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
    for pair in 0..options.pairs {
        for case in Order::of_pair(pair) {
            round.run(pair, case, &mut observe).await?;
        }
        if options.measures_sparse_null() {
            round.run(pair, Case::SparseNull, &mut observe).await?;
        }
    }
    let summary = Summary::of(round.accepted());
    let starling = memory::measure(options, Case::Starling, cores, &mut observe).await?;
    let null = memory::measure(options, Case::Null, cores, &mut observe).await?;
    Ok(Report::new(
        options,
        &summary,
        &starling,
        &null,
        round.attempts(),
        Machine::describe(cores.count()),
    ))
}

/// Does blocking work on a thread that stays on the load's core.
async fn on_load_core<T: Send + 'static>(
    cores: Cores,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (done, result) = oneshot::channel();
    thread::Builder::new()
        .name("load".into())
        .spawn(move || {
            // Nobody waits for the result of a measurement that was given up.
            let _ = done.send(pin(cores.load).and_then(|()| work()));
        })
        .map_err(Error::system("start the load"))?;
    result
        .await
        .expect("the load sends its result before it ends, or has panicked")
}
