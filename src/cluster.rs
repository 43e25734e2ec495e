//! The node's part in a cluster: it finds the others, is linked to them, and has the slot table with them.
//!
//! ```text
//! gossip ─members─▶ mesh ─▶ links ◀─control lane─▶ slot table ─▶ standing
//!   ▲ facts                   └─slot lanes─▶ whoever serves slots
//!   └── voice
//! ```
//!
//! A node takes part in steps: its process has the data directory and a number that is higher than at every earlier start
//! ([`identity`]); it is heard and linked; the cluster has begun, or has taken it in; it is registered in the table. Then its
//! [`Standing`] is that of a member, and before that it may own nothing. A node whose standing is [`Standing::Out`] cannot come
//! back under its generation: it drains and ends.
//!
//! | file | holds |
//! | --- | --- |
//! | `identity.rs` | which start of which node this is |
//! | `secrets.rs` | gossip keys and certificates: read, read again, when they end |
//! | `voice.rs` | what this node says about itself |
//! | `start.rs` | from a configuration to a node that can be heard |
//! | `joining.rs` | from the first word to a member, and what ends that |
//! | `leaving.rs` | the last steps of a member that ends |
//! | `duty.rs`, `orders.rs` | what it does, and what an operator orders |
//! | `status.rs` | what an operator is shown, and whether the node is ready |
//! | `voters.rs` | who votes on the slot table |
//! | `driver.rs` | what happens around this node's slots, told to each |
//! | `inbox.rs`, `peers.rs` | from other nodes to the actors of this one, and back |
//! | `neighbours.rs` | where clients may go instead |
//! | `probe.rs` | whether a message gets through |
//! | `settings.rs` | whether all nodes have the same namespaces |
//! | `error.rs` | why a node takes no part |

pub mod driver;
mod duty;
mod error;
mod identity;
pub mod inbox;
mod joining;
mod leaving;
mod neighbours;
mod orders;
pub mod peers;
pub mod probe;
mod secrets;
mod settings;
mod start;
pub mod status;
mod voice;
mod voters;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use starling_cluster::gossip::{self, Membership, NodeFacts, Phase, Pins};
use starling_cluster::link::{self, Links, SLOT_LANES};
use starling_cluster::table::{Post, TableService};
use starling_core::id::NodeId;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config;
use crate::directory::DataDirectory;
use crate::metrics::Metrics;

pub use duty::Duty;
pub use error::{ClusterError, Out};
pub use joining::Standing;
pub use neighbours::{Neighbour, census};
pub use orders::{Order, OrderError};

use duty::Roster;
use secrets::Expiry;
use voice::Voice;

/// Time between two looks at how busy the node is. A client that is told where to go acts on it once; more often would
/// make gossip out of every session.
const REPORT_INTERVAL: Duration = Duration::from_secs(3);

/// Where messages about slots arrive, a queue for each lane, in the order of their number.
pub type SlotInboxes = [tokio::sync::mpsc::Receiver<link::Incoming>; SLOT_LANES];

/// Where clients reach this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// HTTP bases.
    pub urls: Vec<String>,
    /// The client port over TCP, as it is bound.
    pub tcp: SocketAddr,
    /// Whether WebTransport is offered, and the certificates to pin.
    pub webtransport: Option<Pins>,
}

/// What changes about a node while it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Sessions that it serves.
    pub sessions: usize,
    /// As in [`Reached`].
    pub webtransport: Option<Pins>,
}

/// See the module.
pub struct Cluster {
    /// This process.
    pub me: NodeId,
    /// The links to the others.
    pub links: Arc<Links>,
    /// The slot table.
    pub table: TableService,
    /// Who belongs to the cluster.
    pub membership: Membership,
    /// Where the others reach this node's gossip.
    pub gossip: SocketAddr,
    section: config::Cluster,
    metrics: Arc<Metrics>,
    voice: Arc<Voice>,
    roster: Roster,
    post: Post,
    /// Slots that want this node among their copies and do not count it.
    behind: AtomicUsize,
    expiry: Expiry,
    standing: watch::Sender<Standing>,
    /// Messages get through, as far as is known.
    passable: AtomicBool,
    tasks: Mutex<JoinSet<()>>,
    /// Held as long as the node takes part: it is the proof that earlier starts are dead.
    _directory: DataDirectory,
}

impl Cluster {
    /// Whether this node is a member by now, and what ended that.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Ready when this node cannot go on under its generation. It says why.
    pub async fn out(&self) -> Arc<Out> {
        let mut standing = self.standing();
        let ended = standing.wait_for(|standing| matches!(standing, Standing::Out(_))).await;
        match ended.as_deref() {
            Ok(Standing::Out(why)) => Arc::clone(why),
            _ => unreachable!("the sender is in self, and it was waited for this"),
        }
    }

    /// What this node says about itself now.
    #[must_use]
    pub fn facts(&self) -> NodeFacts {
        self.voice.said()
    }

    /// Says what changes about this node, from now on and as long as `look` finds it.
    pub fn report(&self, look: impl Fn() -> Option<Report> + Send + 'static) {
        let (voice, table) = (Arc::clone(&self.voice), self.table.clone());
        self.spawn(async move {
            while let Some(Report { sessions, webtransport }) = look() {
                voice.say(|facts| {
                    facts.load = u32::try_from(sessions).unwrap_or(u32::MAX);
                    facts.webtransport = webtransport;
                    facts.table = table.version();
                });
                tokio::time::sleep(REPORT_INTERVAL).await;
            }
        });
    }

    /// Says that this node hands over what it has, and ends.
    pub fn end(&self) {
        self.roster.assign(Duty::Ending);
    }

    /// What this node does, and when that changes.
    #[must_use]
    pub fn duty(&self) -> watch::Receiver<Duty> {
        self.roster.changes()
    }

    /// Whether messages get through, as far as is known.
    #[must_use]
    pub fn is_passable(&self) -> bool {
        self.passable.load(Ordering::Relaxed)
    }

    /// Messages get through, or do not. Whether that is new.
    fn set_passable(&self, passable: bool) -> bool {
        self.passable.swap(passable, Ordering::Relaxed) != passable
    }

    /// Whether this node hands over what it has.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.roster.duty() != Duty::Serving
    }

    /// Whether another node could take over what this one has.
    #[must_use]
    pub fn has_successor(&self) -> bool {
        // Another has the place of one that is out already.
        if matches!(*self.standing.borrow(), Standing::Out(_)) {
            return false;
        }
        let serves =
            |member: &gossip::Member| member.state == gossip::State::Live && member.facts.phase == Phase::Serving;
        self.membership.view().members.values().any(serves)
    }

    /// Reads gossip keys and certificates again. What cannot be read stays as it was.
    pub fn reload(&self) {
        let section = &self.section;
        match secrets::ring(section) {
            Ok(ring) => {
                self.voice.rekey(ring);
                tracing::info!("the keys of gossip were read again");
            }
            Err(error) => tracing::error!(%error, "the keys of gossip stay as they were"),
        }
        match secrets::credentials(&self.me.name, section) {
            Ok(credentials) => {
                self.expiry.set(credentials.expires());
                self.links.renew(credentials.clone());
                self.voice.renew(credentials);
                tracing::info!("the certificate of links was read again");
            }
            Err(error) => tracing::error!(%error, "the certificate of links stays as it was"),
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks().spawn(task);
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("me", &self.me).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
