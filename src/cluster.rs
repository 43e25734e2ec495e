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
pub mod status;
mod voice;
mod voters;

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use starling_cluster::gossip::{self, Gossip, Membership, NodeFacts, Phase, Pins};
use starling_cluster::link::{Agreement, Inboxes, Lane, Links, SLOT_LANES};
use starling_cluster::table::{Post, TableService, Timing};
use starling_cluster::{link, mesh, wire};
use starling_core::id::{NodeId, NodeName};
use starling_protocol::version;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{self, Config};
use crate::directory::DataDirectory;
use crate::metrics::Metrics;

pub use duty::Duty;
pub use error::{ClusterError, Out};
pub use joining::Standing;
pub use neighbours::Neighbour;
pub use orders::{Order, OrderError};

use duty::Roster;
use identity::Identity;
use joining::Joining;
use orders::Orderly;
use secrets::{Expiry, Secrets};
use settings::Comparison;
use voice::Voice;
use voters::Voters;

/// The seed of the hash that puts names into slots: there is none.
const HASH_SEED: u64 = 0;

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
    /// Takes part. It returns when the node can be heard; when it has become a member, its [`standing`](Self::standing)
    /// says so.
    ///
    /// # Errors
    /// What could not be had.
    pub async fn start(
        config: &Config,
        reached: Reached,
        metrics: Arc<Metrics>,
    ) -> Result<(Arc<Self>, SlotInboxes), ClusterError> {
        let Identity { me, directory } = Identity::take(config)?;
        let section = &config.cluster;
        let Secrets { ring, credentials } = Secrets::read(&me.name, section)?;
        let expires = credentials.expires();
        let (links_socket, links_address) = bind(section.link_listen, "links")?;
        let (gossip_socket, gossip_address) = bind(section.gossip_listen, "gossip")?;
        let advertised = section.advertised().ok_or(ClusterError::NoAddress)?;
        let at = |bound: SocketAddr| SocketAddr::new(advertised, bound.port());

        let agreement = Agreement {
            cluster: section.id.clone(),
            slots: config.slots.count,
            hash_seed: HASH_SEED,
            wire: wire::VERSIONS,
        };
        let started = Links::start(
            me.clone(),
            agreement,
            section.links(),
            links_socket,
            credentials,
            metrics.clone(),
        );
        let (links, inboxes) = started?;
        let links = Arc::new(links);
        let post = Post::new(Arc::clone(&links));
        let courier = Arc::new(post.clone());
        let opened = TableService::start(
            me.name.clone(),
            directory.path(),
            config.slots.count,
            courier,
            Timing::default(),
        );
        let table = opened.await?;

        let facts = NodeFacts {
            client_urls: reached.urls,
            protocol: (version::VERSION_MIN, version::VERSION_MAX),
            webtransport: reached.webtransport,
            link: at(links_address),
            probe: probe(reached.tcp, at(reached.tcp)),
            zone: config.node.zone.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            wire: wire::VERSIONS,
            load: 0,
            phase: Phase::Serving,
            settings: settings::hash(&config.namespaces),
            table: table.version(),
        };
        let heard = gossip::Settings {
            me: me.clone(),
            cluster: section.id.clone(),
            advertised: at(gossip_address),
            seeds: section.seeds.clone(),
            tuning: section.gossip(),
        };
        let gossip = Gossip::start(heard, gossip_socket, ring, facts, metrics.clone()).await?;
        let membership = gossip.membership().clone();
        let voice = Arc::new(Voice::new(gossip));
        let cluster = Arc::new(Self {
            me,
            links,
            table,
            membership,
            gossip: at(gossip_address),
            section: config.cluster.clone(),
            roster: Roster::new(Arc::clone(&voice)),
            voice,
            post,
            behind: AtomicUsize::new(0),
            expiry: Expiry::new(expires, metrics.clone()),
            metrics,
            standing: watch::Sender::new(Standing::Joining),
            passable: AtomicBool::new(true),
            tasks: Mutex::default(),
            _directory: directory,
        });
        let slots = cluster.run(inboxes);
        Ok((cluster, slots))
    }

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
                self.links.renew(credentials);
                tracing::info!("the certificate of links was read again");
            }
            Err(error) => tracing::error!(%error, "the certificate of links stays as it was"),
        }
    }

    /// Starts all that runs as long as the node takes part.
    fn run(self: &Arc<Self>, inboxes: Inboxes) -> SlotInboxes {
        let mut inboxes = Vec::from(inboxes);
        let mut control = inboxes.remove(Lane::Control.index());
        self.post.staff(Arc::new(Orderly(self.roster.clone())));
        let (post, table) = (self.post.clone(), self.table.clone());
        self.spawn(async move {
            while let Some(incoming) = control.recv().await {
                post.receive(&incoming, &table);
            }
        });
        let (membership, links) = (self.membership.clone(), Arc::clone(&self.links));
        self.spawn(async move { mesh::follow(&membership, &links).await });
        let bootstrap = self.section.bootstrap.iter();
        let joining = Joining {
            me: self.me.clone(),
            bootstrap: bootstrap
                .filter_map(|name| NodeName::parse(name).ok())
                .collect::<BTreeSet<_>>(),
            table: self.table.clone(),
            membership: self.membership.clone(),
            standing: self.standing.clone(),
        };
        self.spawn(joining.clone().run());
        self.spawn(joining.watch(self.voice.ended()));
        self.spawn(Voters::new(self.table.clone(), Arc::clone(&self.links)).run());
        let mine = self.facts().settings;
        self.spawn(Comparison::new(mine, self.membership.clone(), self.metrics.clone()).run());
        self.spawn(self.expiry.clone().warn());
        inboxes.try_into().expect("all but the one for control")
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

fn bind(address: SocketAddr, what: &'static str) -> Result<(UdpSocket, SocketAddr), ClusterError> {
    let bound = UdpSocket::bind(address).and_then(|socket| Ok((socket.local_addr()?, socket)));
    let (at, socket) = bound.map_err(|source| ClusterError::Bind { address, what, source })?;
    Ok((socket, at))
}

/// Where peers ask whether the process lives, when the client port is one that they reach: a node that is proxied on its own
/// machine listens where they do not.
fn probe(bound: SocketAddr, advertised: SocketAddr) -> Option<SocketAddr> {
    match (bound.ip(), advertised.ip()) {
        (ip, _) if ip.is_unspecified() => Some(advertised),
        (ip, others) if ip.is_loopback() != others.is_loopback() => None,
        _ => Some(bound),
    }
}

#[cfg(test)]
mod tests;
