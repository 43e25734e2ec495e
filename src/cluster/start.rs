//! From a configuration to a node that can be heard.

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

use starling_cluster::gossip::{self, Gossip, NodeFacts, Phase};
use starling_cluster::link::{Agreement, Inboxes, Lane, Links};
use starling_cluster::table::{Post, TableService, Timing};
use starling_cluster::{mesh, wire};
use starling_core::id::NodeName;
use starling_protocol::version;
use tokio::sync::watch;

use super::duty::Roster;
use super::identity::Identity;
use super::joining::{Joining, Standing};
use super::orders::Orderly;
use super::secrets::{Expiry, Secrets};
use super::settings::{self, Comparison};
use super::voice::Voice;
use super::voters::Voters;
use super::{Cluster, ClusterError, Reached, SlotInboxes};
use crate::config::Config;
use crate::metrics::Metrics;

/// The seed of the hash that puts names into slots: there is none.
const HASH_SEED: u64 = 0;

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
            credentials.clone(),
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
        let gossip = Gossip::start(heard, gossip_socket, ring, credentials, facts, metrics.clone()).await?;
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
