//! Everything that is read before and after the part of a run that counts.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::outcome::{Counted, Outcome};
use super::schedule::Lateness;
use crate::Error;
use crate::proc::core::Cores;
use crate::proc::{cpu, host};
use crate::wire::admin::{self, FannedOut};

/// Whose counters are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    /// The server's processes: one, or a node of a cluster each.
    pub(crate) processes: Vec<u32>,
    /// Where nodes tell what their links have carried. None of a server by itself: it has no links.
    pub(crate) admins: Vec<SocketAddr>,
}

/// What was counted up to one moment.
pub(super) struct Counters {
    at: Instant,
    servers: Vec<cpu::Reading>,
    client: cpu::Reading,
    host: host::Counters,
    links: FannedOut,
}

/// What lies between two sets of [`Counters`].
pub(super) struct Spent {
    wall: Duration,
    servers: Vec<cpu::Used>,
    client: cpu::Used,
    /// Share of both cores in which anything ran.
    busy_share: f64,
    stolen_share: f64,
    datagrams_lost: u64,
    links: FannedOut,
}

impl Counters {
    /// Reads them before a part begins: the nodes are asked first, so that their answers are on nobody's bill.
    pub(super) fn before(watched: &Watched, cores: Cores) -> Result<Self, Error> {
        let links = links(watched)?;
        Self::take(watched, cores, links)
    }

    /// Reads them when a part has ended: the nodes are asked last.
    pub(super) fn after(watched: &Watched, cores: Cores) -> Result<Self, Error> {
        let mut counters = Self::take(watched, cores, FannedOut::default())?;
        counters.links = links(watched)?;
        Ok(counters)
    }

    fn take(watched: &Watched, cores: Cores, links: FannedOut) -> Result<Self, Error> {
        let servers = watched.processes.iter().map(|process| cpu::Reading::take(*process));
        Ok(Self {
            at: Instant::now(),
            servers: servers.collect::<Result<_, _>>()?,
            client: cpu::Reading::take(std::process::id())?,
            host: host::Counters::take(&cores.both())?,
            links,
        })
    }

    pub(super) fn since(&self, earlier: &Self) -> Spent {
        let servers = self.servers.iter().zip(&earlier.servers);
        Spent {
            wall: self.at.duration_since(earlier.at),
            servers: servers.map(|(now, earlier)| now.since(earlier)).collect(),
            client: self.client.since(&earlier.client),
            busy_share: self.host.busy_share_since(&earlier.host),
            stolen_share: self.host.stolen_share_since(&earlier.host),
            datagrams_lost: self.host.datagrams_lost_since(&earlier.host),
            links: self.links.since(earlier.links),
        }
    }
}

impl Spent {
    pub(super) fn outcome(self, counted: Counted, lateness: Lateness) -> Outcome {
        let share = |used: cpu::Used| used.total().as_secs_f64() / self.wall.as_secs_f64();
        let servers = self.servers.iter().copied().sum();
        // Busy is counted over two cores, used time over one.
        let others_share = (2.0 * self.busy_share - share(servers) - share(self.client)).max(0.0);
        Outcome {
            expected: counted.expected,
            delivered: counted.delivered,
            latency: counted.latency,
            faults: counted.faults,
            client_share: share(self.client),
            servers: self.servers,
            others_share,
            stolen_share: self.stolen_share,
            datagrams_lost: self.datagrams_lost,
            links: self.links,
            lateness,
        }
    }
}

/// What all nodes together have sent over links.
fn links(watched: &Watched) -> Result<FannedOut, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::system("start a runtime to ask the nodes"))?;
    runtime.block_on(async {
        let mut all = FannedOut::default();
        for admin in &watched.admins {
            all = all.and(admin::fanned_out(*admin).await?);
        }
        Ok(all)
    })
}
