//! Becoming the owner of a slot, its replica, or nothing to it.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::time::Instant;

use super::copy::Copying;
use super::merge::{Holding, Owning, Slot};
use super::standing::Peer;
use super::{Due, Effect, Role, Roster, Standing};
use crate::id::{NodeId, SlotId, Term};
use crate::presence::message::Scope;

/// The term of a slot's first owner, which nobody was with another before.
const FIRST: Term = Term(1);

impl Roster {
    pub(super) fn role(&mut self, id: SlotId, role: Role, now: Instant, out: &mut Vec<Effect>) {
        match role {
            Role::Owner { term } => self.own(id, term, now),
            Role::Replica { owner } => self.replicate(id, owner, now, out),
            Role::None => {
                self.disown(id);
                self.slots.remove(&id);
            }
        }
    }

    /// The slot is this node's. It goes on with what it holds, and is not sure of it.
    fn own(&mut self, id: SlotId, term: Term, now: Instant) {
        let is_known = |slot: &Slot| slot.owning().is_some_and(|owning| term <= owning.term);
        if self.slots.get(&id).is_some_and(is_known) {
            return;
        }
        // Who was with a node that died with all copies is known to nobody, and may be on the way back.
        let is_blind = term > FIRST && !self.slots.get(&id).is_some_and(Slot::is_known);
        self.disown(id);
        let owning = Owning {
            term,
            version: 0,
            told: 0,
            replicas: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            is_blind: false,
            steps: Vec::new(),
        };
        let holding = Holding::Owner(owning);
        let mut slot = match self.slots.remove(&id) {
            Some(slot) => Slot { holding, ..slot },
            None => Slot::new(holding, self.down()),
        };
        // Nobody speaks for a gateway that this node has never heard of: it is taken to have just died.
        let held: BTreeSet<_> = slot
            .by_gateway
            .keys()
            .filter(|node| **node != self.node)
            .cloned()
            .collect();
        for gateway in held {
            if let Entry::Vacant(unknown) = self.peers.entry(gateway) {
                slot.set_down(unknown.key(), true);
                unknown.insert(Peer::new(Standing::Down, now));
            }
        }
        let unsettled: BTreeSet<_> = self.peers.keys().chain([&self.node]).cloned().collect();
        if let Some(owning) = slot.owning_mut().filter(|_| !self.faults.presence_early_leave()) {
            (owning.unsettled, owning.is_blind) = (unsettled, is_blind);
        }
        if let Some(grace) = self.namespaces.graces().last().filter(|_| is_blind) {
            self.timers.set(Due::See(id), now + *grace);
        }
        self.slots.insert(id, slot);
        let down = self.peers.iter().filter(|(_, peer)| peer.standing == Standing::Down);
        for node in down.map(|(node, _)| node.clone()).collect::<Vec<_>>() {
            self.schedule_purge(&node, now);
        }
        self.must_compare = true;
    }

    /// There is a majority again. Another may own what this node owned, and it not know yet: whoever was lost meanwhile may
    /// have returned to where the majority was.
    pub(super) fn be_blind(&mut self, now: Instant) {
        let Some(grace) = self.namespaces.graces().last().copied() else {
            return;
        };
        for id in self.slots.keys().copied().collect::<Vec<_>>() {
            if let Some(owning) = self.slots.get_mut(&id).and_then(Slot::owning_mut) {
                owning.is_blind = true;
                self.timers.set(Due::See(id), now + grace);
                self.doubts_changed(id, now);
            }
        }
    }

    /// An owner that did not know who was there has been one for a grace: of whom it has not heard by now has left.
    pub(super) fn see(&mut self, id: SlotId, now: Instant) {
        let owning = self.slots.get_mut(&id).and_then(Slot::owning_mut);
        if owning.is_some_and(|owning| std::mem::take(&mut owning.is_blind)) {
            self.doubts_changed(id, now);
        }
    }

    /// The slot is another's, and this node is to hold a copy of it.
    fn replicate(&mut self, id: SlotId, owner: Option<(NodeId, Term)>, now: Instant, out: &mut Vec<Effect>) {
        let is_known = |slot: &Slot| matches!(&slot.holding, Holding::Replica(copying) if copying.owner == owner);
        if self.slots.get(&id).is_some_and(is_known) {
            return;
        }
        self.disown(id);
        let holding = Holding::Replica(Copying::of(owner));
        match self.slots.get_mut(&id) {
            Some(slot) => slot.holding = holding,
            None => {
                self.slots.insert(id, Slot::new(holding, self.down()));
            }
        }
        self.ask(id, now, out);
    }

    /// Those who follow the slot here turn to its next owner.
    fn disown(&mut self, id: SlotId) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let Some(owning) = slot.owning_mut() else {
            return;
        };
        owning.steps.clear();
        for node in std::mem::take(&mut owning.replicas) {
            forget_scope(&mut self.following, &node, &Scope::Slot(id));
        }
        for (name, channel) in &mut slot.channels {
            for (node, _) in std::mem::take(&mut channel.followers) {
                forget_scope(&mut self.following, &node, &Scope::Channel(id, name.clone()));
            }
            channel.end();
        }
        slot.channels.retain(|_, channel| !channel.is_idle());
    }
}

/// A node follows this no more.
pub(super) fn forget_scope(
    following: &mut std::collections::BTreeMap<NodeId, BTreeSet<Scope>>,
    node: &NodeId,
    scope: &Scope,
) {
    if let Some(scopes) = following.get_mut(node) {
        scopes.remove(scope);
        if scopes.is_empty() {
            following.remove(node);
        }
    }
}
