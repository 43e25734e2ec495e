//! Who owns what: the slot table, as far as presence is concerned.

use std::collections::BTreeSet;
use std::iter;
use std::time::Duration;

use super::check::ROUGH_BOUND;
use super::event::Event;
use super::link::DELAY_MAX;
use super::node::Node;
use super::sight::Sight;
use super::world::World;
use crate::id::{ChannelName, NodeId, Term};
use crate::presence::COMPARE_SOON;
use crate::sim::dice::Dice;

/// How long an owner is out of reach before another takes its slots.
const CLAIM_AFTER: Duration = Duration::from_millis(1_500);

/// Within which a node has told an owner what it has, from when it learnt who that is: a digest, its answer, the cells, what
/// is to be listed, and the listing.
const COMPARED_WITHIN: Duration = COMPARE_SOON.saturating_add(DELAY_MAX.saturating_mul(5));

/// One slot.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    pub(super) owner: Option<NodeId>,
    pub(super) term: Term,
    pub(super) replicas: BTreeSet<usize>,
    /// One more with each change.
    pub(super) version: u64,
    /// Since when its owner is out of reach.
    missing_since: Option<Duration>,
    owned_since: Duration,
    /// Nobody is to own it before.
    free_until: Duration,
}

impl World {
    /// Looks after slots whose owner is gone.
    pub(super) fn place(&mut self) {
        let now = self.agenda.passed();
        for slot in 0..self.places.len() {
            let record = &self.places[slot];
            let is_served = record.owner.as_ref().is_some_and(|owner| {
                let index = self.index_of(owner);
                self.nodes[index].id == *owner && self.nodes[index].is_up && self.reaches_majority(index)
            });
            let record = &mut self.places[slot];
            if is_served {
                record.missing_since = None;
                continue;
            }
            let since = *record.missing_since.get_or_insert(now);
            if now >= since + CLAIM_AFTER && now >= record.free_until {
                self.claim(slot);
            }
        }
    }

    /// Another node takes a slot: mostly one that holds a copy.
    fn claim(&mut self, slot: usize) {
        let live: Vec<_> = (0..self.nodes.len())
            .filter(|node| self.nodes[*node].is_up && self.reaches_majority(*node))
            .collect();
        if live.is_empty() {
            return;
        }
        let record = &self.places[slot];
        let before = record.owner.clone();
        let holds = |node: &usize| record.replicas.contains(node);
        let copies: Vec<_> = live.iter().copied().filter(holds).collect();
        let of = if copies.is_empty() || self.dice.percent(15) {
            &live
        } else {
            &copies
        };
        let owner = *self.dice.pick(of);
        if !holds(&owner) && record.term > Term(0) {
            self.coverage.saw(Sight::Stranger);
        }
        if record.term > Term(0) {
            self.coverage.saw(Sight::OwnerChange);
        }
        let replicas = draw_replicas(&mut self.dice, self.nodes.len(), owner);
        let id = self.nodes[owner].id.clone();
        let record = &mut self.places[slot];
        record.owner = Some(id);
        record.term = record.term.next();
        record.replicas = replicas;
        record.version += 1;
        record.missing_since = None;
        record.owned_since = self.agenda.passed();
        let to = self.places[slot].owner.clone();
        self.line(|| format!("slot {slot}: {before:?} -> {to:?}"));
        self.changed_at = self.agenda.passed();
        // Those that the new owner takes for dead have left as soon as it is the owner.
        for peer in 0..self.nodes.len() {
            let known = &self.nodes[owner].peers[peer];
            if let Some((node, _)) = known.told.clone().filter(|_| known.is_gone(self.changed_at)) {
                self.excuse_at(owner, &node);
            }
        }
    }

    /// A slot is given to another node on purpose.
    pub(super) fn move_slot(&mut self, slot: usize, gap: Duration) {
        if !gap.is_zero() {
            let until = self.agenda.passed() + gap;
            let record = &mut self.places[slot];
            record.owner = None;
            record.version += 1;
            (record.missing_since, record.free_until) = (Some(Duration::ZERO), until);
            self.coverage.saw(Sight::Gap);
            self.changed_at = self.agenda.passed();
            return;
        }
        self.claim(slot);
    }

    /// Whether what all these nodes have told the owner of a channel may not have come yet: the links between them are
    /// bad, or links were when they had yet to learn who owns it. Where no link is bad nothing is late.
    pub(super) fn are_late<'a>(&self, channel: &ChannelName, nodes: impl Iterator<Item = &'a NodeId>) -> bool {
        let now = self.agenda.passed();
        let is_rough = self.rough_at.is_some_and(|at| now < at + ROUGH_BOUND);
        let slot = usize::from(self.slot_of(channel).0);
        let record = &self.places[slot];
        let owner = record.owner.as_ref().map(|owner| self.index_of(owner));
        let is_unrouted = |node: usize| is_rough && self.nodes[node].places[slot] < record.version;
        nodes.map(|node| self.index_of(node)).all(|node| match owner {
            Some(owner) => self.links.is_late(node, owner, now) || is_unrouted(node),
            None => is_rough,
        })
    }

    /// Nodes of which the owner of a channel may not have heard yet: see [`Self::are_late`].
    pub(super) fn late_of(&self, channel: &ChannelName) -> BTreeSet<NodeId> {
        let all = self.nodes.iter().map(|node| &node.id);
        all.filter(|node| self.are_late(channel, iter::once(*node)))
            .cloned()
            .collect()
    }

    /// Nodes that the owner of a channel may not have heard of: they are late, or have just started. What a new owner has not
    /// heard of the others it knows of, and waits for them before anybody leaves.
    pub(super) fn unheard_of(&self, channel: &ChannelName) -> BTreeSet<NodeId> {
        let slot = usize::from(self.slot_of(channel).0);
        let owned_since = self.places[slot].owned_since;
        let has_just_started = |node: &&Node| owned_since <= node.started_at && self.is_unrouted(node, slot);
        let new = self.nodes.iter().filter(has_just_started);
        let new = new.map(|node| node.id.clone());
        self.late_of(channel).into_iter().chain(new).collect()
    }

    /// Whether a node may not have told the owner of a slot what it has since there is this owner.
    pub(super) fn is_unrouted(&self, node: &Node, slot: usize) -> bool {
        let record = &self.places[slot];
        let is_routed = record.owner.is_some() && node.places[slot] == record.version;
        !is_routed || self.agenda.passed() < node.routed_at[slot] + COMPARED_WITHIN
    }

    /// Tells a node what it does not know yet of who owns what. It may take a while.
    pub(super) fn tell_places(&mut self, node: usize) {
        if !self.reaches_majority(node) {
            return;
        }
        for slot in 0..self.places.len() {
            let (known, record) = (self.nodes[node].places[slot], &self.places[slot]);
            if known < record.version && self.dice.percent(60) {
                let record = record.clone();
                self.nodes[node].places[slot] = record.version;
                let to = self.nodes[node].id.clone();
                let lag = self.dice.time((Duration::ZERO, Duration::from_millis(200)));
                self.nodes[node].routed_at[slot] = self.agenda.passed() + lag;
                let slot = u16::try_from(slot).unwrap_or(0);
                self.agenda.after(lag, Event::Placed { to, slot, record });
            }
        }
    }
}

fn draw_replicas(dice: &mut Dice, nodes: usize, owner: usize) -> BTreeSet<usize> {
    let mut others: Vec<_> = (0..nodes).filter(|node| *node != owner).collect();
    let mut replicas = BTreeSet::new();
    while replicas.len() < 2 && !others.is_empty() {
        replicas.insert(others.swap_remove(dice.index(others.len())));
    }
    replicas
}
