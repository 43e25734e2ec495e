//! One phase: what publishers in other channels saw, and what was counted meanwhile.

use std::fmt;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::figures::{Cell, finite, quantile_ms};
use crate::load::{Published, Watched};
use crate::proc::core::Cores;
use crate::proc::{cpu, host, memory};
use crate::wire::admin;

/// One phase. A figure that could not be had is `null` in JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Phase {
    /// Clients in the channel.
    pub members: usize,
    /// Joins and leaves a second meanwhile.
    pub churn: u32,
    /// Messages that were published in other channels, and acknowledged.
    pub publishes: u64,
    /// Half of the acks took no longer, in milliseconds from the instant that the message was to leave.
    pub p50_ms: Option<f64>,
    /// Ninety-nine in a hundred acks took no longer.
    pub p99_ms: Option<f64>,
    /// Share of messages that left late, 0 to 1: the load's own fault.
    pub late_share: f64,
    /// Bytes of gossip a second that all nodes together sent.
    pub gossip_bytes_per_s: Option<f64>,
    /// Processor time of each node, in seconds, in the order of their names; the second owns the channel.
    pub node_cpu_s: Vec<f64>,
    /// Processor time of all nodes together, as a share of the core that they have.
    pub nodes_cpu_share: f64,
    /// Share of its core that the load needed, 0 to 1.
    pub client_cpu_share: f64,
    /// Processor time of everything else on the two cores meanwhile, as a share of one of them.
    pub others_cpu_share: f64,
    /// Share of both cores that the hypervisor gave to others.
    pub stolen_share: f64,
    /// Resident memory of each node at the end, in MiB.
    pub node_memory_mib: Vec<f64>,
}

/// What was counted up to one moment.
pub(super) struct Before {
    at: Instant,
    nodes: Vec<cpu::Reading>,
    client: cpu::Reading,
    host: host::Counters,
    gossip_bytes: u64,
}

impl Before {
    pub(super) fn take(watched: &Watched, cores: Cores) -> Result<Self, Error> {
        let gossip_bytes = gossip_bytes(watched)?;
        let nodes = watched.processes.iter().map(|process| cpu::Reading::take(*process));
        Ok(Self {
            at: Instant::now(),
            nodes: nodes.collect::<Result<_, _>>()?,
            client: cpu::Reading::take(std::process::id())?,
            host: host::Counters::take(&cores.both())?,
            gossip_bytes,
        })
    }

    /// The phase that has ended now.
    pub(super) fn end(
        self,
        watched: &Watched,
        cores: Cores,
        members: usize,
        churn: u32,
        published: &Published,
    ) -> Result<Phase, Error> {
        let now = Self::take(watched, cores)?;
        let wall_s = now.at.duration_since(self.at).as_secs_f64();
        let nodes = now.nodes.iter().zip(&self.nodes);
        let node_cpu_s: Vec<f64> = nodes
            .map(|(now, before)| now.since(before).total().as_secs_f64())
            .collect();
        let nodes_cpu_share = node_cpu_s.iter().sum::<f64>() / wall_s;
        let client_cpu_share = now.client.since(&self.client).total().as_secs_f64() / wall_s;
        let busy = 2.0 * now.host.busy_share_since(&self.host);
        let memory = watched.processes.iter().map(|process| memory::resident(*process));
        let memory: Vec<u64> = memory.collect::<Result<_, _>>()?;
        Ok(Phase {
            members,
            churn,
            publishes: published.acks.len(),
            p50_ms: finite(quantile_ms(&published.acks, 0.50)),
            p99_ms: finite(quantile_ms(&published.acks, 0.99)),
            late_share: published.lateness.share(),
            gossip_bytes_per_s: finite((now.gossip_bytes.saturating_sub(self.gossip_bytes)) as f64 / wall_s),
            nodes_cpu_share,
            client_cpu_share,
            others_cpu_share: (busy - nodes_cpu_share - client_cpu_share).max(0.0),
            stolen_share: now.host.stolen_share_since(&self.host),
            node_cpu_s,
            node_memory_mib: memory.iter().map(|bytes| *bytes as f64 / MIB).collect(),
        })
    }
}

const MIB: f64 = 1024.0 * 1024.0;

/// What all nodes together have sent.
fn gossip_bytes(watched: &Watched) -> Result<u64, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::system("start a runtime to ask the nodes"))?;
    runtime.block_on(async {
        let mut all = 0;
        for node in &watched.admins {
            all += admin::gossiped_bytes(*node).await?;
        }
        Ok(all)
    })
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { members, churn, .. } = self;
        write!(f, "{members} members")?;
        if *churn > 0 {
            write!(f, ", {churn} joins and leaves a second")?;
        }
        write!(
            f,
            ": publish to ack p50 {} ms, p99 {} ms; gossip {} bytes/s; nodes {:.0} % of their core, load {:.0} % of its own",
            Cell(self.p50_ms),
            Cell(self.p99_ms),
            Cell(self.gossip_bytes_per_s),
            self.nodes_cpu_share * 100.0,
            self.client_cpu_share * 100.0
        )
    }
}
