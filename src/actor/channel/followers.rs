//! Gateways on other nodes whose clients read the channel: each is sent every message once.

use std::sync::Arc;

use starling_cluster::link::{Link, SendError};
use starling_core::channel::Message;
use starling_core::id::{ChannelName, NodeId, Position, Seq};
use starling_core::relay::Told;
use starling_runtime::mailbox::Address;

use crate::cluster::peers::Peers;
use crate::metrics::Metrics;

/// A gateway that follows.
struct Follower {
    link: Link,
    /// Its lane had no room, and the notice that the channel stands here waits for some. What is not sent meanwhile it reads
    /// back with the rest.
    notice: Option<Seq>,
}

impl Follower {
    const fn new(link: Link) -> Self {
        Self { link, notice: None }
    }

    /// Has it told that it has missed something: one notice waits at a time.
    fn notify(&mut self, peers: &Peers, channel: &ChannelName, head: &Position, owner: &Address<super::Message>) {
        self.notice = Some(head.seq);
        let (owner, gateway) = (owner.clone(), self.link.node().clone());
        let behind = Told::Behind { head: head.clone() };
        peers.tell_later(channel, &behind, self.link.clone(), move || {
            let _ = owner.post_single(super::Message::Notified { gateway }); // an owner that has ended has said so
        });
    }
}

/// See the module. However its actor ends, they are told to attach again.
pub(super) struct Followers {
    channel: ChannelName,
    peers: Option<Arc<Peers>>,
    metrics: Arc<Metrics>,
    gateways: Vec<Follower>,
    /// Messages of this turn.
    batch: Vec<Arc<Message>>,
}

impl Followers {
    /// None yet. Without peers there never are.
    pub(super) fn new(channel: &ChannelName, peers: Option<Arc<Peers>>, metrics: Arc<Metrics>) -> Self {
        Self {
            channel: channel.clone(),
            peers,
            metrics,
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
        self.gateways.push(Follower::new(gateway.clone()));
    }

    /// Nobody reads the channel there any more.
    pub(super) fn remove(&mut self, gateway: &NodeId) {
        self.gateways.retain(|one| one.link.node().name != gateway.name);
    }

    /// Adds a message for all of them.
    pub(super) fn push(&mut self, message: Arc<Message>) {
        if !self.gateways.is_empty() {
            self.batch.push(message);
        }
    }

    /// Sends what was added in this turn, up to `head`. The actor `owner` is told when a notice is out.
    pub(super) fn tell(&mut self, head: Option<&Position>, owner: &Address<super::Message>) {
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
        let mut unsent = Vec::new();
        let gateways = self.gateways.iter().enumerate();
        let up_to_date = gateways.filter(|(_, one)| one.notice.is_none());
        let named = up_to_date.map(|(at, one)| (&one.link, at));
        peers.tell(&self.channel, &live, named, |at, taken, sent| {
            self.metrics.cluster_fanned_out(taken.frames, taken.messages);
            unsent.extend(sent.err().map(|error| (at, error)));
        });
        // The last first: one that is gone leaves the places before it as they are.
        for (at, error) in unsent.into_iter().rev() {
            self.repair(at, error, head, owner);
        }
    }

    /// A gateway has its notice, and is sent what is new from now on. If the channel has moved on meanwhile, it is told once
    /// more.
    pub(super) fn notified(&mut self, gateway: &NodeId, head: Option<&Position>, owner: &Address<super::Message>) {
        let (Some(peers), Some(head)) = (&self.peers, head) else {
            return;
        };
        let follower = self.gateways.iter_mut().find(|one| one.link.node() == gateway);
        if let Some(follower) = follower
            && follower.notice.take().is_some_and(|told| told < head.seq)
        {
            follower.notify(peers, &self.channel, head, owner);
        }
    }

    /// A gateway could not be sent what is new.
    fn repair(&mut self, at: usize, error: SendError, head: &Position, owner: &Address<super::Message>) {
        let Some(peers) = &self.peers else {
            return;
        };
        let follower = &mut self.gateways[at];
        if error == SendError::Gone {
            match peers.link(follower.link.node()) {
                // It was linked anew.
                Some(link) if !link.is_same(&follower.link) => *follower = Follower::new(link),
                // It attaches when it is back.
                Some(_) | None => {
                    self.gateways.remove(at);
                    return;
                }
            }
        }
        follower.notify(peers, &self.channel, head, owner);
    }

    /// They are sent nothing any more: they attach again, here or elsewhere.
    pub(super) fn end(&mut self) {
        self.batch.clear();
        let Some(peers) = &self.peers else {
            return;
        };
        for gateway in self.gateways.drain(..) {
            peers.tell_later(&self.channel, &Told::Ended, gateway.link, || {});
        }
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        self.end();
    }
}
