//! Three nodes beside one.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::Options;
use super::super::attempt::Across;
use super::super::round::{Accepted, Case, Pair};
use super::super::summary::{Summary, median, of_case};
use crate::Transport;
use crate::figures::{Cell, finite, together, write_end};
use crate::proc::host::Machine;

/// Nodes beside the owner whose clients read the channel: all subscribers are at one.
const INTERESTED_NODES: u32 = 1;

/// See the module. A figure that could not be had is `null` in JSON and makes it not valid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterReport {
    /// What carried the sessions.
    pub transport: Transport,
    /// How many nodes: one for the publisher, one that owns the channel, one for the subscribers.
    pub nodes: u32,
    /// Receivers of every message.
    pub subscribers: usize,
    /// Messages a second.
    pub rate: u32,
    /// Deliveries of the cluster, each once and in order, over all runs that count.
    pub delivered: u64,
    /// Deliveries that should have been.
    pub expected: u64,
    /// Processor time of all nodes together for each delivery, in microseconds: median of the runs.
    pub cpu_us_per_delivery: Option<f64>,
    /// The same for a node by itself.
    pub one_node_cpu_us_per_delivery: Option<f64>,
    /// The one by the other: median of the pairs.
    pub ratio_to_one_node: Option<f64>,
    /// Half of the deliveries took no longer, in milliseconds from the intended send time.
    pub p50_ms: Option<f64>,
    /// Ninety-nine in a hundred deliveries took no longer.
    pub p99_ms: Option<f64>,
    /// Nodes beside the owner whose clients read the channel.
    pub interested_nodes: u32,
    /// Frames that carried messages to those nodes, for each message that was published, over all runs that count.
    pub link_frames_per_publish: Option<f64>,
    /// Whether every run that counts stands.
    pub valid: bool,
    /// Why not.
    pub invalid_reason: Option<String>,
    /// Messages that were published, over all runs that count.
    pub publishes: u64,
    /// Frames of links that carried them to interested nodes.
    pub link_frames: u64,
    /// Messages in those frames.
    pub link_messages: u64,
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
    /// The part of the node that the publisher is at: median of the runs.
    pub publisher_node_us_per_delivery: Option<f64>,
    /// The part of the node that owns the channel.
    pub owner_node_us_per_delivery: Option<f64>,
    /// The part of the node that the subscribers are at.
    pub subscribers_node_us_per_delivery: Option<f64>,
    /// `p50_ms` of a node by itself.
    pub one_node_p50_ms: Option<f64>,
    /// `p99_ms` of a node by itself.
    pub one_node_p99_ms: Option<f64>,
    /// Share of its core that the load needed against the cluster, 0 to 1.
    pub client_cpu_share: Option<f64>,
    /// Processor time of everything else on the two cores meanwhile, as a share of one of them.
    pub others_cpu_share: Option<f64>,
    /// What it was measured on.
    pub machine: Machine,
}

impl ClusterReport {
    pub(in super::super) fn new(options: &Options, runs: &[Accepted], attempts: u32, machine: Machine) -> Self {
        let summary = Summary::of(runs, Pair::ACROSS_NODES);
        let (cluster, alone) = (&summary.ours, &summary.floor);
        let across = || of_case(runs, Case::Cluster).filter_map(|run| run.attempt.across.as_ref());
        let sum = |count: fn(&Across) -> u64| across().map(count).sum::<u64>();
        let part = |part: fn(&Across) -> f64| finite(median(across().map(part)));
        let (publishes, link_frames) = (sum(|run| run.publishes), sum(|run| run.link_frames));
        let invalid_reason = together(summary.void);
        Self {
            transport: options.transport,
            nodes: options.nodes,
            subscribers: options.subscribers,
            rate: options.rate,
            delivered: summary.delivered,
            expected: summary.expected,
            cpu_us_per_delivery: finite(cluster.cpu_us),
            one_node_cpu_us_per_delivery: finite(alone.cpu_us),
            ratio_to_one_node: finite(summary.ratio.median),
            p50_ms: finite(cluster.p50_ms),
            p99_ms: finite(cluster.p99_ms),
            interested_nodes: INTERESTED_NODES,
            link_frames_per_publish: finite(link_frames as f64 / publishes as f64),
            valid: invalid_reason.is_none(),
            invalid_reason,
            publishes,
            link_frames,
            link_messages: sum(|run| run.link_messages),
            payload_bytes: options.payload_bytes,
            duration_s: options.duration.as_secs_f64(),
            pairs: options.pairs,
            attempts,
            ratio_min: finite(summary.ratio.min),
            ratio_max: finite(summary.ratio.max),
            user_us_per_delivery: finite(cluster.user_us),
            system_us_per_delivery: finite(cluster.system_us),
            publisher_node_us_per_delivery: part(|run| run.publisher_node_us_per_delivery),
            owner_node_us_per_delivery: part(|run| run.owner_node_us_per_delivery),
            subscribers_node_us_per_delivery: part(|run| run.subscribers_node_us_per_delivery),
            one_node_p50_ms: finite(alone.p50_ms),
            one_node_p99_ms: finite(alone.p99_ms),
            client_cpu_share: finite(cluster.client_share),
            others_cpu_share: finite(cluster.others_share),
            machine,
        }
    }
}

impl fmt::Display for ClusterReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            transport,
            nodes,
            subscribers,
            rate,
            payload_bytes,
            duration_s,
            pairs,
            ..
        } = self;
        writeln!(
            f,
            "fan-out over {transport} and {nodes} nodes: {rate} messages/s of {payload_bytes} bytes to {subscribers} \
             subscribers, {pairs} pairs of {duration_s} s\n"
        )?;
        let heads = (format!("{nodes} nodes"), "one node");
        writeln!(f, "{:<24}{:>12}{:>12}", "", heads.0, heads.1)?;
        let mut row = |name: &str, ours: Option<f64>, one: Option<f64>| {
            writeln!(f, "{name:<24}{:>12}{:>12}", Cell(ours), Cell(one))
        };
        row(
            "us CPU per delivery",
            self.cpu_us_per_delivery,
            self.one_node_cpu_us_per_delivery,
        )?;
        row("  publisher's node", self.publisher_node_us_per_delivery, None)?;
        row("  owner's node", self.owner_node_us_per_delivery, None)?;
        row("  subscribers' node", self.subscribers_node_us_per_delivery, None)?;
        row("ms latency, p50", self.p50_ms, self.one_node_p50_ms)?;
        row("ms latency, p99", self.p99_ms, self.one_node_p99_ms)?;
        writeln!(
            f,
            "\nratio {} ({} to {})",
            Cell(self.ratio_to_one_node),
            Cell(self.ratio_min),
            Cell(self.ratio_max)
        )?;
        writeln!(
            f,
            "{} link frames with {} messages for {} published, {} nodes beside the owner read them",
            self.link_frames, self.link_messages, self.publishes, self.interested_nodes
        )?;
        writeln!(
            f,
            "delivered {} of {}, {} runs",
            self.delivered, self.expected, self.attempts
        )?;
        write_end(f, &self.machine, self.invalid_reason.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::super::super::round::accepted;
    use super::super::Report;
    use super::*;

    fn options() -> Options {
        Options {
            transport: Transport::WebSocket,
            nodes: 3,
            subscribers: 10,
            rate: 20,
            duration: Duration::from_secs(10),
            payload_bytes: 150,
            pairs: 2,
            idle: 1,
            against_sparse_null: false,
            program: PathBuf::from("starling"),
        }
    }

    fn across(link_frames: u64, owner: f64) -> Across {
        Across {
            publishes: 200,
            link_frames,
            link_messages: 200,
            publisher_node_us_per_delivery: 1.0,
            owner_node_us_per_delivery: owner,
            subscribers_node_us_per_delivery: 9.0,
        }
    }

    /// Two pairs, with these frames.
    fn runs(frames: [u64; 2]) -> Vec<Accepted> {
        let mut runs = vec![
            accepted(Case::Cluster, 0, 12.0),
            accepted(Case::Starling, 0, 10.0),
            accepted(Case::Starling, 1, 10.0),
            accepted(Case::Cluster, 1, 14.0),
        ];
        runs[0].attempt.across = Some(across(frames[0], 2.0));
        runs[3].attempt.across = Some(across(frames[1], 4.0));
        runs
    }

    #[test]
    fn frames_are_summed_over_the_runs_and_costs_are_medians() {
        let report = ClusterReport::new(&options(), &runs([200, 200]), 4, Machine::describe(2));
        assert!(report.valid, "{:?}", report.invalid_reason);
        assert_eq!(
            (report.publishes, report.link_frames, report.link_messages),
            (400, 400, 400)
        );
        assert_eq!(report.link_frames_per_publish, Some(1.0));
        assert_eq!((report.delivered, report.expected), (200, 200), "the cluster's alone");
        assert_eq!(report.cpu_us_per_delivery, Some(13.0));
        assert_eq!(report.one_node_cpu_us_per_delivery, Some(10.0));
        assert_eq!(report.ratio_to_one_node, Some(1.3));
        assert_eq!(report.owner_node_us_per_delivery, Some(3.0));
    }

    #[test]
    fn one_frame_more_or_less_is_seen() {
        let report = ClusterReport::new(&options(), &runs([201, 200]), 4, Machine::describe(2));
        assert_eq!(report.link_frames_per_publish, Some(1.0025));
        assert_eq!((report.link_frames, report.publishes), (401, 400));
    }

    #[test]
    fn a_void_run_of_either_makes_it_not_valid() {
        for at in 0..4 {
            let mut runs = runs([200, 200]);
            runs[at].attempt.invalid_reason = Some("late".into());
            let report = ClusterReport::new(&options(), &runs, 4, Machine::describe(2));
            assert!(!report.valid && report.invalid_reason.is_some(), "run {at}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_what_it_is() {
        let report = ClusterReport::new(&options(), &runs([200, 200]), 4, Machine::describe(2));
        let json = serde_json::to_string(&Report::Cluster(Box::new(report))).expect("plain data");
        assert!(json.starts_with(r#"{"transport":"ws","nodes":3,"#), "{json}");
        let read: Report = serde_json::from_str(&json).expect("our own");
        assert!(matches!(read, Report::Cluster(_)));
        assert!(read.to_string().contains("400 link frames with 400 messages"), "{read}");
    }
}
