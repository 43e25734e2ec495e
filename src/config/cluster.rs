//! `[cluster]`: other nodes, and how this one proves itself to them.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use starling_cluster::{gossip, link};

use super::unit::{self, Size};

/// `[cluster]`: other nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Whether this node has peers.
    pub enabled: bool,
    /// The cluster's name.
    pub id: String,
    /// The nodes that begin a new cluster together, by name.
    pub bootstrap: Vec<String>,
    /// Whom to call upon: `host:port` of their gossip.
    pub seeds: Vec<String>,
    /// Address of the gossip socket.
    #[serde(with = "super::address::one")]
    pub gossip_listen: SocketAddr,
    /// Address of the socket for links.
    #[serde(with = "super::address::one")]
    pub link_listen: SocketAddr,
    /// IP address under which the others reach both; empty for that of the sockets.
    pub advertise: String,
    /// File with the keys that datagrams are sealed with; empty for none.
    pub gossip_keys: PathBuf,
    /// PEM file with the authorities of the cluster; empty for none.
    pub authority: PathBuf,
    /// PEM file with this node's certificate; empty for none.
    pub certificate: PathBuf,
    /// PEM file with its private key; empty for none.
    pub key: PathBuf,
    /// Time between two rounds of gossip.
    #[serde(with = "unit::duration")]
    pub gossip_interval: Duration,
    /// How many times its usual gap a node may be silent in gossip.
    pub gossip_suspicion: u32,
    /// Time between two signs of life on a link.
    #[serde(with = "unit::duration")]
    pub heartbeat: Duration,
    /// Signs missed before a peer is suspected.
    pub heartbeats_missed_max: u32,
    /// Silence after which a peer counts as dead.
    #[serde(with = "unit::duration")]
    pub silence_max: Duration,
    /// Bytes that wait for one peer.
    pub link_queue: Size,
    /// Whether clients of a crowded node are sent to others.
    pub rebalance: bool,
}

impl Cluster {
    /// The address that the others are told, if it is known which.
    #[must_use]
    pub fn advertised(&self) -> Option<IpAddr> {
        let address = match self.advertise.as_str() {
            "" => self.link_listen.ip(),
            text => text.parse().ok()?,
        };
        (!address.is_unspecified()).then_some(address)
    }

    /// How fast gossip is.
    #[must_use]
    pub fn gossip(&self) -> gossip::Tuning {
        gossip::Tuning {
            interval: self.gossip_interval,
            suspicion: self.gossip_suspicion.into(),
            ..gossip::Tuning::default()
        }
    }

    /// How links behave.
    #[must_use]
    pub fn links(&self) -> link::Settings {
        link::Settings {
            heartbeats: link::Heartbeats {
                interval: self.heartbeat,
                missed_max: self.heartbeats_missed_max,
                silence_max: self.silence_max,
            },
            queue_bytes: self.link_queue.as_usize(),
            ..link::Settings::default()
        }
    }
}
