//! What the cluster counts. But for the fan-out none of it is on the way of a message, so instruments are looked up.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, gauge};
use starling_cluster::instruments::Instruments;
use starling_core::id::NodeName;

use super::Metrics;

impl Instruments for Metrics {
    fn members(&self, live: usize, suspected: usize) {
        metrics::with_local_recorder(&self.recorder, || {
            gauge!("starling_cluster_members", "state" => "live").set(live as f64);
            gauge!("starling_cluster_members", "state" => "suspected").set(suspected as f64);
        });
    }

    fn gossip_sent(&self, bytes: usize) {
        self.gossiped("sent", bytes);
    }

    fn gossip_received(&self, bytes: usize) {
        self.gossiped("received", bytes);
    }

    fn gossip_refused(&self, reason: &'static str) {
        self.count(|| counter!("starling_cluster_gossip_refused_total", "reason" => reason));
    }

    fn gossip_dropped(&self, reason: &'static str) {
        self.count(|| counter!("starling_cluster_gossip_dropped_total", "reason" => reason));
    }

    fn links(&self, up: usize, suspect: usize, down: usize) {
        metrics::with_local_recorder(&self.recorder, || {
            for (state, count) in [("up", up), ("suspect", suspect), ("down", down)] {
                gauge!("starling_cluster_links", "state" => state).set(count as f64);
            }
        });
    }

    fn link_handshake(&self, result: &'static str) {
        self.count(|| counter!("starling_cluster_link_handshakes_total", "result" => result));
    }

    fn link_stray(&self, reason: &'static str) {
        self.count(|| counter!("starling_cluster_link_strays_total", "reason" => reason));
    }

    fn link_round_trip(&self, peer: &NodeName, took: Duration) {
        metrics::with_local_recorder(&self.recorder, || {
            gauge!("starling_cluster_link_rtt_seconds", "peer" => peer.to_string()).set(took);
        });
    }

    fn link_forgotten(&self, peer: &NodeName) {
        metrics::with_local_recorder(&self.recorder, || {
            // No value: a line that ends, not one that stays at its last.
            gauge!("starling_cluster_link_rtt_seconds", "peer" => peer.to_string()).set(f64::NAN);
        });
    }

    fn link_resends(&self, frames: u64) {
        metrics::with_local_recorder(&self.recorder, || {
            counter!("starling_cluster_resends_total").increment(frames);
        });
    }

    fn limit_reached(&self, limit: &'static str) {
        self.count(|| counter!("starling_limits_reached_total", "limit" => limit));
    }
}

impl Metrics {
    fn gossiped(&self, direction: &'static str, bytes: usize) {
        metrics::with_local_recorder(&self.recorder, || {
            counter!("starling_cluster_gossip_bytes_total", "direction" => direction).increment(bytes as u64);
        });
    }

    /// The link to a gateway that follows a channel took so many frames, with so many messages in them.
    pub fn cluster_fanned_out(&self, frames: u64, messages: u64) {
        self.hot.fanout_frames.increment(frames);
        self.hot.fanout_messages.increment(messages);
    }

    /// A peer has sent what cannot be read.
    pub fn unreadable(&self) {
        self.count(|| counter!("starling_cluster_messages_unreadable_total"));
    }

    /// The certificate of links ends then, in seconds since 1970.
    pub fn cluster_certificate_expires(&self, at: i64) {
        metrics::with_local_recorder(&self.recorder, || {
            gauge!("starling_cluster_certificate_expiry_timestamp_seconds").set(at as f64);
        });
    }

    /// So many live nodes have other namespaces than this one.
    pub fn cluster_settings_differ(&self, nodes: usize) {
        metrics::with_local_recorder(&self.recorder, || {
            gauge!("starling_cluster_settings_differ").set(nodes as f64);
        });
    }
}

pub(super) fn describe() {
    describe_counter!(
        "starling_cluster_fanout_frames_total",
        "Frames of new messages that channels owned here sent over links, one for each node that reads the channel."
    );
    describe_counter!(
        "starling_cluster_fanout_messages_total",
        "Messages in those frames: more than frames where messages were committed together."
    );
    describe_counter!(
        "starling_cluster_messages_unreadable_total",
        "Messages of peers that could not be read, and were dropped."
    );
    describe_gauge!(
        "starling_cluster_certificate_expiry_timestamp_seconds",
        "When this node's certificate for links ends."
    );
    describe_gauge!(
        "starling_cluster_settings_differ",
        "Live nodes whose namespaces are set up differently from this one's."
    );
    describe_gauge!("starling_cluster_members", "Other nodes of the cluster, by state.");
    describe_counter!(
        "starling_cluster_gossip_bytes_total",
        "Bytes of datagrams of gossip, by direction; those that were refused are among the received."
    );
    describe_counter!(
        "starling_cluster_gossip_refused_total",
        "Datagrams of gossip, and statements in them, that were refused, by reason."
    );
    describe_counter!(
        "starling_cluster_gossip_dropped_total",
        "Datagrams of gossip that were not sent."
    );
    describe_gauge!("starling_cluster_links", "Links to peers, by state.");
    describe_counter!(
        "starling_cluster_link_handshakes_total",
        "Handshakes with peers, by what became of them."
    );
    describe_counter!(
        "starling_cluster_link_strays_total",
        "Datagrams at the port for links that belong to none, by reason."
    );
    describe_gauge!("starling_cluster_link_rtt_seconds", "A round trip to a peer.");
    describe_counter!(
        "starling_cluster_resends_total",
        "Frames that were sent again after a redial."
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cluster_counts_is_told_under_its_names() {
        let metrics = Metrics::new();
        let peer = NodeName::parse("b").expect("a name");
        metrics.members(2, 1);
        metrics.gossip_sent(900);
        metrics.gossip_sent(100);
        metrics.gossip_received(700);
        metrics.gossip_refused("replayed");
        metrics.gossip_dropped("oversize");
        metrics.links(2, 0, 1);
        metrics.link_handshake("untrusted");
        metrics.link_stray("unknown");
        metrics.link_round_trip(&peer, Duration::from_millis(250));
        metrics.link_resends(7);
        metrics.limit_reached("cluster.link_queue");
        metrics.cluster_certificate_expires(1_800_000_000);
        metrics.cluster_settings_differ(1);
        metrics.cluster_fanned_out(2, 6);
        let told = metrics.render(0);
        for line in [
            "starling_cluster_members{state=\"suspected\"} 1",
            "starling_cluster_gossip_bytes_total{direction=\"sent\"} 1000",
            "starling_cluster_gossip_bytes_total{direction=\"received\"} 700",
            "starling_cluster_gossip_refused_total{reason=\"replayed\"} 1",
            "starling_cluster_gossip_dropped_total{reason=\"oversize\"} 1",
            "starling_cluster_links{state=\"up\"} 2",
            "starling_cluster_link_handshakes_total{result=\"untrusted\"} 1",
            "starling_cluster_link_strays_total{reason=\"unknown\"} 1",
            "starling_cluster_link_rtt_seconds{peer=\"b\"} 0.25",
            "starling_cluster_resends_total 7",
            "starling_cluster_certificate_expiry_timestamp_seconds 1800000000",
            "starling_cluster_settings_differ 1",
            "starling_cluster_fanout_frames_total 2",
            "starling_cluster_fanout_messages_total 6",
            "starling_limits_reached_total{limit=\"cluster.link_queue\"} 1",
        ] {
            assert!(told.contains(line), "{line}\n{told}");
        }
        metrics.link_forgotten(&peer);
        assert!(
            metrics
                .render(0)
                .contains("starling_cluster_link_rtt_seconds{peer=\"b\"} NaN")
        );
    }
}
