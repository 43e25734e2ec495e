//! A node's life: [`Node::start`] → [`Node::run`] → drain.
//!
//! [`services`] is what all parts of a node share; [`storage`] where persisted channels are kept; [`sessions`] the list of who
//! is connected; [`rebalance`] sends some of them elsewhere.

use std::sync::Arc;
use std::time::Duration;

use starling_core::session::answer::Farewell;
use starling_core::slot::StoreFailure;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::actor::registry::Registry;
use crate::auth::{Auth, KeyError};
use crate::cluster::driver::{Slots, handed_over};
use crate::cluster::{Cluster, ClusterError, Duty, Out, Reached, Report, SlotInboxes};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::storage::{OpenError, documents, sweep};
use crate::transport::accept::{self, ClientPort};
use crate::transport::tls;
use crate::{admin, signal};

mod rebalance;
mod services;
mod sessions;
mod storage;

pub(crate) use services::WINDOWS_TICK;
pub use services::{Clock, Services, name_of};
pub use sessions::{Chosen, Dismiss, Sessions};
pub use storage::{Claims, Storage};

/// How long what was taken may still be answered when the node stops, and clients read their goodbye: the two times that a
/// session has for them. A client that has gone without reading must not hold up the stop.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(7);

/// How long the clients of a node with peers are told to go elsewhere: ten thousand then come to the others at a thousand a
/// second, while this node hands its slots over.
const GOODBYE_WINDOW: Duration = Duration::from_secs(10);

/// Why a node does not start, or stops.
#[derive(Debug, Error)]
pub enum NodeError {
    /// An address could not be bound.
    #[error("cannot listen on {address} ({what}): {source}; is another node running, or the port taken?")]
    Bind {
        /// Which address.
        address: std::net::SocketAddr,
        /// For what.
        what: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// A key that tokens are checked with could not be read.
    #[error(transparent)]
    Auth(#[from] KeyError),
    /// The certificate could not be used.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The store could not be written.
    #[error("cannot take over the store in {place}: {source}; make room on the disk, or look into the log")]
    Claim {
        /// Where it is.
        place: String,
        /// What it says.
        source: StoreFailure,
    },
    /// The node cannot take part in its cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// It cannot go on in its cluster.
    #[error(transparent)]
    Out(Arc<Out>),
    /// An actor did not start.
    #[error("the node's supervisor did not start: {0}; report this")]
    Actor(#[from] ractor::SpawnErr),
    /// A part that must run as long as the node has ended.
    #[error("{part} ended while the node runs: {source}; the node cannot go on, start it again")]
    Ended {
        /// Which part.
        part: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// A node that has started: it is bound, and knows its addresses.
pub struct Node {
    registry: Registry,
    clients: ClientPort,
    admin: TcpListener,
    draining: watch::Sender<bool>,
    /// The slots, if other nodes hold them too.
    slots: Option<Slots>,
}

impl Node {
    /// Binds every port and builds every part; serves nobody yet.
    ///
    /// # Errors
    /// What could not be had.
    pub async fn start(config: Config) -> Result<Self, NodeError> {
        let bind = async |address, what| {
            let listener = TcpListener::bind(address).await;
            listener.map_err(|source| NodeError::Bind { address, what, source })
        };
        let admin = bind(config.admin.listen, "admin").await?;
        let certificate = tls::Certificate::of(&config.client)?;
        let (draining, _) = watch::channel(false);
        let auth = Auth::new(&config.auth)?;
        let metrics = Arc::new(Metrics::new());
        let clients = ClientPort::bind(&config.client, certificate).await?;
        metrics.certificate_expires(clients.certificate_expires());
        let storage = Storage::open(&config, &metrics).await?;
        let (cluster, inboxes) = join_cluster(&config, &clients, &metrics).await?.unzip();
        let slots = cluster.as_ref().zip(inboxes);
        let slots = slots.map(|(cluster, inboxes)| Slots::new(cluster, inboxes, config.slots.count));
        let services = Arc::new(Services::new(config, auth, metrics, storage, cluster));
        report(&services, clients.pins());
        let peers = slots.as_ref().map(|slots| Arc::clone(&slots.peers));
        let registry = Registry::start(services, peers).await?;
        Ok(Self {
            registry,
            clients,
            admin,
            draining,
            slots,
        })
    }

    /// The HTTP base clients reach this node at.
    #[must_use]
    pub fn url(&self) -> String {
        self.clients.url()
    }

    /// Where the admin port listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn admin_address(&self) -> std::io::Result<std::net::SocketAddr> {
        self.admin.local_addr()
    }

    /// Serves until the process is told to stop, then drains.
    ///
    /// # Errors
    /// When a part ended that must not.
    pub async fn run(self) -> Result<(), NodeError> {
        self.run_until(signal::stop()).await
    }

    /// Serves until `stop` is ready, then drains.
    ///
    /// # Errors
    /// When a part ended that must not.
    pub async fn run_until(self, stop: impl Future<Output = &'static str>) -> Result<(), NodeError> {
        let url = self.url();
        let admin_address = self.admin_address().ok().map(tracing::field::display);
        let Self {
            registry,
            clients,
            admin,
            draining,
            slots,
        } = self;
        let services = Arc::clone(registry.services());
        let slots = slots.map(|slots| slots.serve(&registry));
        let (node, generation) = (&services.greeting.node, services.greeting.generation);
        let reload = signal::reload(|| {
            match services.auth.reload() {
                Ok(()) => tracing::info!("the keys for tokens were read again"),
                Err(error) => tracing::error!(%error, "the keys for tokens stay as they were"),
            }
            if let Some(cluster) = &services.cluster {
                cluster.reload();
            }
        });
        tracing::info!(node, generation, url, admin = admin_address, "serving");
        // In a task of its own: it answers to the end, so that whoever asks while the node drains is told no.
        let mut admin = tokio::spawn(admin::serve(admin, registry.clone(), draining.subscribe()));
        let mut listeners = accept::serve(clients, &registry);
        let sweep = services
            .storage
            .as_ref()
            .map(|storage| tokio::spawn(sweep::run(registry.clone(), Arc::clone(&storage.store))));
        let document_sweep = services.storage.as_ref().map(|storage| {
            let now = || Clock.now().wall;
            tokio::spawn(documents::sweep::run(storage.documents.clone(), now))
        });
        let drained = services.cluster.as_ref().map(|cluster| {
            let (duty, services) = (cluster.duty(), Arc::clone(&services));
            tokio::spawn(async move { send_away(duty, &services).await })
        });
        let rebalancing = services.cluster.as_ref().filter(|_| services.config.cluster.rebalance);
        let rebalancing = rebalancing.map(|cluster| {
            let (cluster, services) = (Arc::clone(cluster), Arc::clone(&services));
            tokio::spawn(async move { rebalance::run(&cluster, &services).await })
        });
        let ended = |part| move |source| NodeError::Ended { part, source };
        let outcome = tokio::select! {
            never = reload => match never {},
            reason = stop => {
                tracing::info!(reason, "draining");
                Ok(())
            }
            why = out(services.cluster.as_deref()) => Err(NodeError::Out(why)),
            result = listeners.ended() => result.map_err(ended("the client port")),
            result = &mut admin => {
                let result = result.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
                result.map_err(ended("the admin port"))
            }
        };
        draining.send_replace(true);
        if let Some(cluster) = &services.cluster {
            cluster.end();
        }
        let requests = listeners.stop().await;
        let window = match services.cluster {
            Some(_) => GOODBYE_WINDOW,
            None => Duration::ZERO,
        };
        tokio::join!(
            handed_over(&registry),
            services.sessions.dismiss(&Farewell::Draining, window, DRAIN_TIME_MAX),
            requests.answered(DRAIN_TIME_MAX),
        );
        // Nobody edits here any more.
        services.unsaved.saved().await;
        admin.abort();
        for task in [drained, rebalancing, sweep, document_sweep].into_iter().flatten() {
            task.abort();
        }
        // What the others say is taken until they have let go of this node: a lane that nobody reads is dialled anew.
        if let Some(cluster) = &services.cluster {
            cluster.leave().await;
        }
        drop(slots);
        registry.stop();
        if let Some(storage) = &services.storage {
            storage.store.close().await;
        }
        tracing::info!("stopped");
        outcome
    }
}

/// Sends the clients away whenever an operator has the node drained.
async fn send_away(mut duty: watch::Receiver<Duty>, services: &Services) {
    while duty.changed().await.is_ok() {
        if *duty.borrow_and_update() == Duty::Drained {
            let goodbye = services
                .sessions
                .dismiss(&Farewell::Draining, GOODBYE_WINDOW, DRAIN_TIME_MAX);
            goodbye.await;
        }
    }
}

/// Takes part in the cluster, if there is one.
async fn join_cluster(
    config: &Config,
    clients: &ClientPort,
    metrics: &Arc<Metrics>,
) -> Result<Option<(Arc<Cluster>, SlotInboxes)>, ClusterError> {
    if !config.cluster.enabled {
        return Ok(None);
    }
    let reached = Reached {
        urls: vec![clients.url_for(config.cluster.advertised())],
        tcp: clients.address(),
        webtransport: clients.pins()(),
    };
    let started = Cluster::start(config, reached, Arc::clone(metrics)).await?;
    Ok(Some(started))
}

/// Tells the others what changes about this node, as long as it serves.
fn report(services: &Arc<Services>, pins: impl Fn() -> Option<Vec<String>> + Send + 'static) {
    if let Some(cluster) = &services.cluster {
        let services = Arc::downgrade(services);
        cluster.report(move || {
            Some(Report {
                sessions: services.upgrade()?.sessions.len(),
                webtransport: pins(),
            })
        });
    }
}

/// Ready when the node is out of its cluster; never for one that stands alone.
async fn out(cluster: Option<&Cluster>) -> Arc<Out> {
    match cluster {
        Some(cluster) => cluster.out().await,
        None => std::future::pending().await,
    }
}
