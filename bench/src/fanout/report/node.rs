//! A node beside a null server.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::Options;
use super::super::memory::Memory;
use super::super::summary::{Sparse, Summary};
use crate::Transport;
use crate::figures::{Cell, finite, together, write_end};
use crate::proc::host::Machine;

/// See the module. A figure that could not be had is `null` in JSON and makes it not valid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeReport {
    /// What carried the sessions.
    pub transport: Transport,
    /// Receivers of every message.
    pub subscribers: usize,
    /// Messages a second.
    pub rate: u32,
    /// Deliveries of the node, each once and in order, over all runs that count.
    pub delivered: u64,
    /// Deliveries that should have been.
    pub expected: u64,
    /// Processor time of the node for each delivery, in microseconds: median of the runs.
    pub cpu_us_per_delivery: Option<f64>,
    /// The same for the null server.
    pub null_cpu_us_per_delivery: Option<f64>,
    /// The one by the other: median of the pairs.
    pub ratio: Option<f64>,
    /// Half of the deliveries took no longer, in milliseconds from the intended send time.
    pub p50_ms: Option<f64>,
    /// Ninety-nine in a hundred deliveries took no longer.
    pub p99_ms: Option<f64>,
    /// Resident memory for each idle connection of the node, in KiB.
    pub kib_per_connection: Option<f64>,
    /// The same for the null server.
    pub null_kib_per_connection: Option<f64>,
    /// Whether every run that counts stands.
    pub valid: bool,
    /// Why not.
    pub invalid_reason: Option<String>,
    /// Bytes of each payload.
    pub payload_bytes: usize,
    /// How long each run counted, in seconds.
    pub duration_s: f64,
    /// Pairs of runs.
    pub pairs: u32,
    /// Runs in all, void ones included.
    pub attempts: u32,
    /// The lowest ratio of a pair.
    pub ratio_min: Option<f64>,
    /// The highest ratio of a pair.
    pub ratio_max: Option<f64>,
    /// The user part of `cpu_us_per_delivery`.
    pub user_us_per_delivery: Option<f64>,
    /// The kernel's part of it.
    pub system_us_per_delivery: Option<f64>,
    /// The user part of `null_cpu_us_per_delivery`.
    pub null_user_us_per_delivery: Option<f64>,
    /// The kernel's part of it.
    pub null_system_us_per_delivery: Option<f64>,
    /// `p50_ms` of the null server.
    pub null_p50_ms: Option<f64>,
    /// `p99_ms` of the null server.
    pub null_p99_ms: Option<f64>,
    /// Share of its core that the load needed against the node, 0 to 1.
    pub client_cpu_share: Option<f64>,
    /// Processor time of everything else on the two cores meanwhile, as a share of one of them.
    pub others_cpu_share: Option<f64>,
    /// Processor time of the null server for each delivery to many subscribers at a low rate; for dense cases.
    pub null_sparse_cpu_us: Option<f64>,
    /// The node's cost by that one: median of the pairs.
    pub ratio_to_null_sparse: Option<f64>,
    /// Connections of the memory readings.
    pub idle_connections: Vec<usize>,
    /// What it was measured on.
    pub machine: Machine,
}

impl NodeReport {
    pub(in super::super) fn new(
        options: &Options,
        summary: &Summary,
        sparse: Option<&Sparse>,
        memory: &Result<Memory, String>,
        null_memory: &Result<Memory, String>,
        attempts: u32,
        machine: Machine,
    ) -> Self {
        let slope = |memory: &Result<Memory, String>| {
            memory
                .as_ref()
                .ok()
                .and_then(|memory| finite(memory.kib_per_connection()))
        };
        let no_memory = [("starling", memory), ("null", null_memory)]
            .into_iter()
            .filter_map(|(name, memory)| Some(format!("{name} with idle connections: {}", memory.as_ref().err()?)));
        let invalid_reason = together(summary.void.iter().cloned().chain(no_memory).collect());
        let (starling, null) = (&summary.ours, &summary.floor);
        Self {
            transport: options.transport,
            subscribers: options.subscribers,
            rate: options.rate,
            delivered: summary.delivered,
            expected: summary.expected,
            cpu_us_per_delivery: finite(starling.cpu_us),
            null_cpu_us_per_delivery: finite(null.cpu_us),
            ratio: finite(summary.ratio.median),
            p50_ms: finite(starling.p50_ms),
            p99_ms: finite(starling.p99_ms),
            kib_per_connection: slope(memory),
            null_kib_per_connection: slope(null_memory),
            valid: invalid_reason.is_none(),
            invalid_reason,
            payload_bytes: options.payload_bytes,
            duration_s: options.duration.as_secs_f64(),
            pairs: options.pairs,
            attempts,
            ratio_min: finite(summary.ratio.min),
            ratio_max: finite(summary.ratio.max),
            user_us_per_delivery: finite(starling.user_us),
            system_us_per_delivery: finite(starling.system_us),
            null_user_us_per_delivery: finite(null.user_us),
            null_system_us_per_delivery: finite(null.system_us),
            null_p50_ms: finite(null.p50_ms),
            null_p99_ms: finite(null.p99_ms),
            client_cpu_share: finite(starling.client_share),
            others_cpu_share: finite(starling.others_share),
            null_sparse_cpu_us: sparse.and_then(|sparse| finite(sparse.null_us)),
            ratio_to_null_sparse: sparse.and_then(|sparse| finite(sparse.ratio.median)),
            idle_connections: vec![0, options.idle, 2 * options.idle],
            machine,
        }
    }
}

impl fmt::Display for NodeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            transport,
            subscribers,
            rate,
            payload_bytes,
            duration_s,
            pairs,
            ..
        } = self;
        writeln!(
            f,
            "fan-out over {transport}: {rate} messages/s of {payload_bytes} bytes to {subscribers} subscribers, \
             {pairs} pairs of {duration_s} s\n"
        )?;
        let mut row = |name: &str, ours: Option<f64>, null: Option<f64>| {
            writeln!(f, "{name:<24}{:>12}{:>12}", Cell(ours), Cell(null))
        };
        row(
            "us CPU per delivery",
            self.cpu_us_per_delivery,
            self.null_cpu_us_per_delivery,
        )?;
        row("  user", self.user_us_per_delivery, self.null_user_us_per_delivery)?;
        row(
            "  system",
            self.system_us_per_delivery,
            self.null_system_us_per_delivery,
        )?;
        row("ms latency, p50", self.p50_ms, self.null_p50_ms)?;
        row("ms latency, p99", self.p99_ms, self.null_p99_ms)?;
        row(
            "KiB per connection",
            self.kib_per_connection,
            self.null_kib_per_connection,
        )?;
        writeln!(
            f,
            "\nratio {} ({} to {})",
            Cell(self.ratio),
            Cell(self.ratio_min),
            Cell(self.ratio_max)
        )?;
        if self.null_sparse_cpu_us.is_some() {
            let (ratio, cost) = (Cell(self.ratio_to_null_sparse), Cell(self.null_sparse_cpu_us));
            writeln!(f, "ratio {ratio} to the sparse null server ({cost} us per delivery)")?;
        }
        writeln!(
            f,
            "delivered {} of {}, {} runs",
            self.delivered, self.expected, self.attempts
        )?;
        write_end(f, &self.machine, self.invalid_reason.as_deref())
    }
}
