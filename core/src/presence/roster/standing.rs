//! Nodes that are suspected, that are dead, and that return.
//!
//! ```text
//!   Up ⇄ Suspect: its members are uncertain
//!    └──────┴──▶ Down: uncertain, and refused ──grace──▶ its members have left ──1 h──▶ forgotten
//!        ◀─────── it was only away: its digest tells what it has
//! ```
//!
//! A node that restarted is another one, and shows that the earlier one is dead.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{Due, Effect, PURGE_KEPT, Roster, Standing};
use crate::id::{NodeId, SlotId};
use crate::presence::message::{Message, Step, ToGateway};

/// What is known of another node.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) standing: Standing,
    since: Instant,
}

impl Peer {
    pub(super) const fn new(standing: Standing, since: Instant) -> Self {
        Self { standing, since }
    }
}

impl Roster {
    pub(super) fn standing(&mut self, node: NodeId, standing: Standing, now: Instant) {
        if node == self.node {
            return;
        }
        let same_name = |other: &&NodeId| other.name == node.name;
        let is_past = self.has_started_anew(&node);
        // Those of its past too that only an owner has told of, whose replica this node is.
        let held = self.slots.values().flat_map(|slot| slot.by_gateway.keys());
        let past: BTreeSet<_> = self
            .peers
            .keys()
            .chain(held)
            .filter(same_name)
            .filter(|other| **other < node)
            .cloned()
            .collect();
        for past in past {
            self.stands(past, Standing::Down, now);
        }
        self.stands(node, if is_past { Standing::Down } else { standing }, now);
    }

    /// A node says something. Whether it may: an earlier start of a node that has started anew is dead, and what it said
    /// comes late. One that nobody has told of yet is known from now on, so that its death will be.
    pub(super) fn meets(&mut self, node: &NodeId, now: Instant) -> bool {
        if self.has_started_anew(node) {
            return self.faults.presence_no_purge_record();
        }
        if *node != self.node && !self.peers.contains_key(node) {
            self.standing(node.clone(), Standing::Suspect, now);
        }
        true
    }

    /// Whether there is a later start of a node, which may be this one.
    fn has_started_anew(&self, node: &NodeId) -> bool {
        let mut all = self.peers.keys().chain([&self.node]);
        all.any(|other| other.name == node.name && other > node)
    }

    /// An owner tells its replica of gateways. It alone may know of those that have started anew since: to this node they
    /// are dead as well, from now on and not only from when it is the owner.
    pub(super) fn hears_of<'a>(&mut self, gateways: impl Iterator<Item = &'a NodeId>, now: Instant) {
        for gateway in gateways {
            if !self.peers.contains_key(gateway) && self.has_started_anew(gateway) {
                self.stands(gateway.clone(), Standing::Down, now);
            }
        }
    }

    fn stands(&mut self, node: NodeId, standing: Standing, now: Instant) {
        let peer = self.peers.get(&node);
        let before = peer.map(|peer| peer.standing);
        if before == Some(standing) {
            return;
        }
        self.peers.insert(node.clone(), Peer::new(standing, now));
        let is_back = before == Some(Standing::Down);
        match (before, standing) {
            (Some(Standing::Down), Standing::Up | Standing::Suspect) => {
                for grace in self.namespaces.graces() {
                    self.timers.clear(&Due::Purge(node.clone(), grace));
                }
                self.timers.clear(&Due::Forget(node.clone()));
            }
            (_, Standing::Down) => {
                self.schedule_purge(&node, now);
                self.timers.set(Due::Forget(node.clone()), now + PURGE_KEPT);
                self.unfollow_all(&node);
            }
            (_, Standing::Up | Standing::Suspect) => {}
        }
        let is_down = standing == Standing::Down;
        for id in self.slots.keys().copied().collect::<Vec<_>>() {
            let Some(slot) = self.slots.get_mut(&id) else {
                continue;
            };
            let owning = slot.owning_mut();
            let is_owned = owning.is_some();
            // What it had when it was taken for dead it may have no more: that is known when its digest has matched.
            let is_unsettled = owning.is_some_and(|owning| {
                let is_new = is_back && owning.unsettled.insert(node.clone());
                is_new || owning.unsettled.contains(&node)
            });
            let is_doubted = is_unsettled || slot.by_gateway.contains_key(&node);
            let changed = match is_down || !is_owned {
                true => slot.set_down(&node, is_down),
                false => BTreeSet::new(),
            };
            for channel in changed {
                self.tell_soon(id, channel, now);
            }
            if is_doubted {
                self.doubts_changed(id, now);
            }
        }
    }

    /// Nodes that are dead.
    pub(super) fn down(&self) -> BTreeSet<NodeId> {
        let down = self.peers.iter().filter(|(_, peer)| peer.standing == Standing::Down);
        down.map(|(node, _)| node.clone()).collect()
    }

    /// Has the entries of a dead node go when their grace has passed, which may be now.
    pub(super) fn schedule_purge(&mut self, node: &NodeId, now: Instant) {
        let Some(since) = self.peers.get(node).map(|peer| peer.since) else {
            return;
        };
        for grace in self.namespaces.graces() {
            self.timers.set(Due::Purge(node.clone(), grace), now.max(since + grace));
        }
    }

    /// Whether nothing is taken from a node: it is dead, and nobody would take back what it said.
    pub(super) fn is_refused(&self, node: &NodeId) -> bool {
        let is_down = self.peers.get(node).is_some_and(|peer| peer.standing == Standing::Down);
        is_down && !self.faults.presence_no_purge_record()
    }

    /// The members of a dead node have left, where the grace is no longer than this.
    pub(super) fn purge(&mut self, node: &NodeId, grace: Duration, now: Instant) {
        let is_down = self.peers.get(node).is_some_and(|peer| peer.standing == Standing::Down);
        if !is_down || !(self.has_quorum || self.faults.presence_purge_alone()) {
            return; // it is decided again when that changes
        }
        let is_last = self.namespaces.graces().last() == Some(&grace);
        let owned = self.slots.iter().filter(|(_, slot)| slot.owning().is_some());
        for id in owned.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.purge_slot(id, node, grace, is_last, now);
        }
    }

    fn purge_slot(&mut self, id: SlotId, node: &NodeId, grace: Duration, is_last: bool, now: Instant) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let held = slot.by_gateway.contains_key(node);
        let changed = slot.purge(node, |channel| self.namespaces.of(channel).grace <= grace);
        if self.faults.presence_no_purge_record() {
            slot.seen.remove(node);
        }
        let Some(owning) = slot.owning_mut() else {
            return;
        };
        if held {
            owning.steps.push(Step::Purge {
                gateway: node.clone(),
                after: grace,
            });
            self.logged.insert(id);
        }
        let is_settled = is_last && owning.unsettled.remove(node);
        for channel in changed {
            self.tell_soon(id, channel, now);
        }
        if is_settled || held {
            self.doubts_changed(id, now);
        }
    }

    /// Nothing of a node that died long ago can be on its way any more.
    pub(super) fn forget(&mut self, node: NodeId, now: Instant) {
        match self.slots.values().any(|slot| slot.by_gateway.contains_key(&node)) {
            true => self.timers.set(Due::Forget(node), now + PURGE_KEPT),
            false => {
                self.peers.remove(&node);
                for slot in self.slots.values_mut() {
                    slot.seen.remove(&node);
                    slot.down.remove(&node);
                }
            }
        }
    }

    /// Without a majority, those who do not answer may well be alive, and others their owner.
    pub(super) fn quorum(&mut self, has_quorum: bool, now: Instant, out: &mut Vec<Effect>) {
        if self.has_quorum == has_quorum {
            return;
        }
        self.has_quorum = has_quorum;
        if has_quorum {
            let down = self
                .peers
                .iter_mut()
                .filter(|(_, peer)| peer.standing == Standing::Down);
            let down = down.map(|(node, peer)| {
                peer.since = now;
                node.clone()
            });
            for node in down.collect::<Vec<_>>() {
                self.schedule_purge(&node, now);
            }
            self.be_blind(now);
        }
        self.heads(now, out);
    }

    /// Has every gateway compare its entries with what this node holds.
    pub(super) fn have_compared(&self, out: &mut Vec<Effect>) {
        let peers = self.peers.iter().filter(|(_, peer)| peer.standing != Standing::Down);
        let gateways = peers.map(|(node, _)| node).chain([&self.node]);
        out.extend(gateways.map(|to| Effect::Send {
            to: to.clone(),
            message: Message::Gateway(ToGateway::Compare),
        }));
    }
}
