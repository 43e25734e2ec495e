//! What a cluster counts. The node has the registry; this crate says what happened.

use std::time::Duration;

use starling_core::id::NodeName;

/// Where counts go. Must not block: it is called from the loops that keep nodes alive to each other.
pub trait Instruments: Send + Sync + 'static {
    /// So many nodes are members besides this one, by state.
    fn members(&self, live: usize, suspected: usize);
    /// A datagram of gossip with so many bytes was handed to the system.
    fn gossip_sent(&self, bytes: usize);
    /// A datagram with so many bytes came to the socket of gossip, whoever sent it.
    fn gossip_received(&self, bytes: usize);
    /// A datagram of gossip was refused.
    fn gossip_refused(&self, reason: &'static str);
    /// A datagram of gossip could not be sent.
    fn gossip_dropped(&self, reason: &'static str);
    /// So many links are in each state.
    fn links(&self, up: usize, suspect: usize, down: usize);
    /// A handshake with a peer ended so.
    fn link_handshake(&self, result: &'static str);
    /// A datagram that belongs to no link came to the port for them.
    fn link_stray(&self, reason: &'static str);
    /// A round trip to this peer takes so long now.
    fn link_round_trip(&self, peer: &NodeName, took: Duration);
    /// A peer is no longer linked to: its instruments may go.
    fn link_forgotten(&self, peer: &NodeName);
    /// So many frames were sent again after a redial.
    fn link_resends(&self, frames: u64);
    /// A limit of this name was met.
    fn limit_reached(&self, limit: &'static str);
}

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uncounted;

impl Instruments for Uncounted {
    fn members(&self, _: usize, _: usize) {}
    fn gossip_sent(&self, _: usize) {}
    fn gossip_received(&self, _: usize) {}
    fn gossip_refused(&self, _: &'static str) {}
    fn gossip_dropped(&self, _: &'static str) {}
    fn links(&self, _: usize, _: usize, _: usize) {}
    fn link_handshake(&self, _: &'static str) {}
    fn link_stray(&self, _: &'static str) {}
    fn link_round_trip(&self, _: &NodeName, _: Duration) {}
    fn link_forgotten(&self, _: &NodeName) {}
    fn link_resends(&self, _: u64) {}
    fn limit_reached(&self, _: &'static str) {}
}
