//! One run, as it is told while the measurement goes on.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::figures::quantile_ms;
use crate::load::{Outcome, Plan};

/// One run, void or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// `starling`, `cluster`, `null` or `null_sparse`.
    pub server: String,
    /// Number of the pair, from 0.
    pub pair: u32,
    /// How often this run was repeated before.
    pub repeats: u32,
    /// Receivers of every message.
    pub subscribers: usize,
    /// Messages a second.
    pub rate: u32,
    /// Deliveries, each once and in order.
    pub delivered: u64,
    /// Deliveries that should have been.
    pub expected: u64,
    /// Processor time of the server for each delivery, in microseconds; not a number if there were none.
    pub cpu_us_per_delivery: f64,
    /// The user part of it.
    pub user_us_per_delivery: f64,
    /// The kernel's part of it.
    pub system_us_per_delivery: f64,
    /// Half of the deliveries took no longer, in milliseconds from the intended send time.
    pub p50_ms: f64,
    /// Ninety-nine in a hundred deliveries took no longer.
    pub p99_ms: f64,
    /// Share of messages that left late, 0 to 1.
    pub late_share: f64,
    /// The worst delay of the publisher, in milliseconds.
    pub late_worst_ms: f64,
    /// Share of its core that the load needed, 0 to 1.
    pub client_cpu_share: f64,
    /// Processor time of everything else on the two cores, as a share of one of them. It makes no run void, and tells
    /// why one is unlike the others: a build beside it costs caches and adds to latency.
    pub others_cpu_share: f64,
    /// Share of the time that the hypervisor gave to others, 0 to 1.
    pub stolen_share: f64,
    /// Datagrams that found a receive buffer full, on the whole machine.
    pub datagrams_lost: u64,
    /// Whether the run stands.
    pub valid: bool,
    /// Why not.
    pub invalid_reason: Option<String>,
    /// What the nodes of a cluster did; nothing of a server by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub across: Option<Across>,
}

/// One run on three nodes: what each of them did, and what went between them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Across {
    /// Messages that were published and counted.
    pub publishes: u64,
    /// Frames of links that carried them to nodes whose clients read the channel.
    pub link_frames: u64,
    /// Messages in those frames.
    pub link_messages: u64,
    /// The part of `cpu_us_per_delivery` that the publisher's node needed.
    pub publisher_node_us_per_delivery: f64,
    /// The part of the node that owns the channel.
    pub owner_node_us_per_delivery: f64,
    /// The part of the node that the subscribers are at.
    pub subscribers_node_us_per_delivery: f64,
}

impl Attempt {
    /// A run with its outcome, unless it broke off.
    pub(super) fn new(
        server: &str,
        pair: u32,
        repeats: u32,
        plan: &Plan,
        outcome: Option<&Outcome>,
        invalid_reason: Option<String>,
    ) -> Self {
        let deliveries = outcome.map_or(f64::NAN, |outcome| outcome.delivered as f64);
        // Nothing delivered makes this infinite or not a number, which JSON knows as null and a median leaves out.
        let us_each = |time: Duration| time.as_secs_f64() * 1e6 / deliveries;
        let across = outcome.and_then(|outcome| {
            let [publisher, owner, subscribers] = outcome.servers.as_slice() else {
                return None;
            };
            Some(Across {
                publishes: outcome.lateness.messages,
                link_frames: outcome.links.frames,
                link_messages: outcome.links.messages,
                publisher_node_us_per_delivery: us_each(publisher.total()),
                owner_node_us_per_delivery: us_each(owner.total()),
                subscribers_node_us_per_delivery: us_each(subscribers.total()),
            })
        });
        let of = |figure: fn(&Outcome) -> f64| outcome.map_or(f64::NAN, figure);
        Self {
            server: server.to_owned(),
            pair,
            repeats,
            subscribers: plan.subscribers,
            rate: plan.rate,
            delivered: outcome.map_or(0, |outcome| outcome.delivered),
            expected: outcome.map_or(0, |outcome| outcome.expected),
            cpu_us_per_delivery: outcome.map_or(f64::NAN, |outcome| us_each(outcome.server().total())),
            user_us_per_delivery: outcome.map_or(f64::NAN, |outcome| us_each(outcome.server().user)),
            system_us_per_delivery: outcome.map_or(f64::NAN, |outcome| us_each(outcome.server().system)),
            p50_ms: of(|outcome| quantile_ms(&outcome.latency, 0.50)),
            p99_ms: of(|outcome| quantile_ms(&outcome.latency, 0.99)),
            late_share: of(|outcome| outcome.lateness.share()),
            late_worst_ms: of(|outcome| outcome.lateness.worst.as_secs_f64() * 1e3),
            client_cpu_share: of(|outcome| outcome.client_share),
            others_cpu_share: of(|outcome| outcome.others_share),
            stolen_share: of(|outcome| outcome.stolen_share),
            datagrams_lost: outcome.map_or(0, |outcome| outcome.datagrams_lost),
            valid: invalid_reason.is_none(),
            invalid_reason,
            across,
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "pair {} {:<12} {:6.2} us/delivery ({:.2} user), p50 {:.2} p99 {:.2} ms, {}/{} delivered, load {:.0} %, \
             others {:.0} %",
            self.pair,
            self.server,
            self.cpu_us_per_delivery,
            self.user_us_per_delivery,
            self.p50_ms,
            self.p99_ms,
            self.delivered,
            self.expected,
            self.client_cpu_share * 100.0,
            self.others_cpu_share * 100.0,
        )?;
        if let Some(Across {
            publishes, link_frames, ..
        }) = &self.across
        {
            write!(f, ", {link_frames} link frames for {publishes} messages")?;
        }
        match &self.invalid_reason {
            None => Ok(()),
            Some(reason) => write!(f, " VOID: {reason}"),
        }
    }
}
