//! What must hold of `[cluster]`.

use std::time::Duration;

use starling_cluster::gossip::{URL_BYTES_MAX, WORD_BYTES_MAX};
use starling_cluster::link::{FRAME_BYTES_MAX, LANES};
use starling_core::id::NodeName;
use starling_core::id::node::NODE_NAME_BYTES_MAX;

use super::super::{Cluster, Config, Size};
use super::{Found, overlap};
use crate::node::name_of;

/// Seeds that may be named. A headless service is one of them, whatever it stands for.
const SEEDS_MAX: usize = 64;

impl Config {
    pub(super) fn check_cluster(&self, found: &mut Found) {
        let cluster = &self.cluster;
        cluster.check_values(found);
        if !cluster.enabled {
            return;
        }
        cluster.check_identity(found);
        self.check_facts(found);
        found.unless(
            NodeName::parse(&name_of(self)).is_ok(),
            &["node.name"],
            "cannot stand in a certificate, and every node of a cluster has one; use up to 64 of a-z, 0-9, \"-\" and \".\"",
        );
        let sockets = [cluster.gossip_listen, cluster.link_listen];
        let of_clients = self
            .client
            .listen
            .iter()
            .any(|client| sockets.iter().any(|own| overlap(*client, *own)));
        found.unless(
            !of_clients && !overlap(sockets[0], sockets[1]),
            &["cluster.gossip_listen", "cluster.link_listen", "client.listen"],
            "two of them are the same UDP socket; give each its own port",
        );
    }
}

impl Config {
    /// What the others are told has to fit a datagram.
    fn check_facts(&self, found: &mut Found) {
        let zone = &self.node.zone;
        let is_word = zone.len() <= WORD_BYTES_MAX && zone.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        found.unless(
            is_word,
            &["node.zone"],
            "is told to all nodes of the cluster; use up to 64 printable ASCII characters",
        );
        found.unless(
            self.client.public_url.len() <= URL_BYTES_MAX,
            &["client.public_url"],
            "is told to all nodes of the cluster; use one of up to 128 characters",
        );
    }
}

impl Cluster {
    /// Bounds of single keys, and what holds between numbers, whether or not there are peers.
    fn check_values(&self, found: &mut Found) {
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        found.between_times("cluster.gossip_interval", self.gossip_interval, ms(50), s(5));
        found.between(&["cluster.gossip_suspicion"], self.gossip_suspicion, 2, 64);
        found.between_times("cluster.heartbeat", self.heartbeat, ms(50), s(1));
        found.between(&["cluster.heartbeats_missed_max"], self.heartbeats_missed_max, 2, 50);
        // QUIC itself gives a silent connection up after three seconds.
        found.between_times("cluster.silence_max", self.silence_max, ms(200), s(3));
        found.unless(
            self.heartbeat.saturating_mul(self.heartbeats_missed_max) < self.silence_max,
            &["cluster.heartbeat", "cluster.heartbeats_missed_max", "cluster.silence_max"],
            "a peer would count as dead before it is suspected; make silence_max longer than the beats that may be missed",
        );
        // Each lane has to hold the longest frame, and one more while that is on its way.
        let least = Size::new(2 * (LANES * FRAME_BYTES_MAX) as u64);
        found.between(&["cluster.link_queue"], self.link_queue, least, Size::new(1 << 30));
        found.unless(
            self.seeds.len() <= SEEDS_MAX,
            &["cluster.seeds"],
            "names more than 64; one DNS name may stand for many nodes",
        );
        for seed in &self.seeds {
            let port = seed.rsplit_once(':').filter(|(host, _)| !host.is_empty());
            let port = port
                .and_then(|(_, port)| port.parse::<u16>().ok())
                .filter(|port| *port != 0);
            found.unless(
                port.is_some(),
                &["cluster.seeds"],
                &format!("\"{seed}\" is no host and port; write one such as \"node-a:4436\" or \"10.0.0.1:4436\""),
            );
        }
        for name in &self.bootstrap {
            found.unless(
                NodeName::parse(name).is_ok(),
                &["cluster.bootstrap"],
                &format!("\"{name}\" is no name of a node; use up to 64 of a-z, 0-9, \"-\" and \".\""),
            );
        }
        found.unless(
            self.advertise.is_empty() || self.advertise.parse::<std::net::IpAddr>().is_ok(),
            &["cluster.advertise"],
            "is no IP address; write the one that the other nodes reach this one at, without a port",
        );
    }

    /// What a node with peers needs.
    fn check_identity(&self, found: &mut Found) {
        found.unless(
            !self.id.is_empty() && self.id.len() <= NODE_NAME_BYTES_MAX,
            &["cluster.id"],
            "has to name the cluster in up to 64 characters, the same on all of its nodes and on no others",
        );
        found.unless(
            !self.gossip_keys.as_os_str().is_empty(),
            &["cluster.gossip_keys"],
            "names no file, and gossip is never in the clear; make one with: openssl rand -hex 32",
        );
        let files = [&self.authority, &self.certificate, &self.key];
        found.unless(
            files.iter().all(|file| !file.as_os_str().is_empty()),
            &["cluster.authority", "cluster.certificate", "cluster.key"],
            "all three are needed, because links are never in the clear; make them with: starling cluster ca",
        );
        found.unless(
            self.advertised().is_some(),
            &["cluster.advertise", "cluster.link_listen"],
            "links are taken on every address of this machine, and the others have to be told one; set cluster.advertise",
        );
    }
}
