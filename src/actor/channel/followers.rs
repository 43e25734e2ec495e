//! Gateways on other nodes whose clients read the channel: each is sent every message once.

use std::sync::Arc;

use starling_cluster::link::{Link, SendError};
use starling_core::channel::Message;
use starling_core::id::{ChannelName, NodeId, Position};
use starling_core::relay::Told;

use crate::cluster::peers::Peers;

/// See the module. However its actor ends, they are told to attach again.
pub(super) struct Followers {
    channel: ChannelName,
    peers: Option<Arc<Peers>>,
    gateways: Vec<Link>,
    /// Messages of this turn.
    batch: Vec<Arc<Message>>,
}

impl Followers {
    /// None yet. Without peers there never are.
    pub(super) fn new(channel: &ChannelName, peers: Option<Arc<Peers>>) -> Self {
        Self {
            channel: channel.clone(),
            peers,
            gateways: Vec::new(),
            batch: Vec::new(),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.gateways.is_empty()
    }

    /// Somebody attaches there.
    pub(super) fn add(&mut self, gateway: Option<&Link>) {
        let Some(gateway) = gateway else {
            return;
        };
        self.remove(gateway.node());
        self.gateways.push(gateway.clone());
    }

    /// Nobody reads the channel there any more.
    pub(super) fn remove(&mut self, gateway: &NodeId) {
        self.gateways.retain(|link| link.node().name != gateway.name);
    }

    /// Adds a message for all of them.
    pub(super) fn push(&mut self, message: Arc<Message>) {
        if !self.gateways.is_empty() {
            self.batch.push(message);
        }
    }

    /// Sends what was added in this turn, up to `head`.
    pub(super) fn tell(&mut self, head: Option<&Position>) {
        let (Some(peers), Some(head)) = (&self.peers, head) else {
            return;
        };
        if self.batch.is_empty() {
            return;
        }
        let live = Told::Live {
            epoch: head.epoch.clone(),
            messages: std::mem::take(&mut self.batch),
        };
        let mut gone = false;
        peers.tell(&self.channel, &live, self.gateways.iter(), |gateway, sent| match sent {
            Ok(()) => {}
            Err(SendError::Gone) => gone = true,
            Err(SendError::LinkFull | SendError::TooLong) => {
                let behind = Told::Behind { head: head.clone() };
                peers.tell_later(&self.channel, &behind, gateway.clone());
            }
        });
        if gone {
            self.find_again(head);
        }
    }

    /// A gateway may be linked anew: it is told what it missed, over its new link. One that is not linked is gone, and attaches
    /// when it is back.
    fn find_again(&mut self, head: &Position) {
        let Some(peers) = &self.peers else {
            return;
        };
        self.gateways.retain_mut(|gateway| {
            let Some(link) = peers.link(gateway.node()) else {
                return false;
            };
            if !link.is_same(gateway) {
                let behind = Told::Behind { head: head.clone() };
                peers.tell_later(&self.channel, &behind, link.clone());
                *gateway = link;
            }
            true
        });
    }

    /// They are sent nothing any more: they attach again, here or elsewhere.
    pub(super) fn end(&mut self) {
        self.batch.clear();
        let Some(peers) = &self.peers else {
            return;
        };
        for gateway in self.gateways.drain(..) {
            peers.tell_later(&self.channel, &Told::Ended, gateway);
        }
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        self.end();
    }
}
