//! What is done to the cluster: nodes that crash and come back, links that are cut, and the end of all that.

use std::sync::Arc;
use std::time::Duration;

use super::event::Event;
use super::node::{Node, Peer};
use super::plan::Action;
use super::sight::Sight;
use super::world::World;
use crate::id::{ChannelName, Generation, NodeId, NodeName};
use crate::presence::gateway::Limits;
use crate::presence::shard::Shard;
use crate::sim::cluster::clock::Clock;

impl World {
    pub(super) fn act(&mut self, action: Action) {
        self.line(|| format!("{action:?}"));
        match action {
            Action::Crash { node, back_after } => self.crash(node, back_after),
            Action::Cut { from, to, cut } => self.links.cut(from, to, cut),
            Action::Noise(noise) => self.links.noise = noise,
            Action::Move { slot, gap } => self.move_slot(slot, gap),
        }
        if self.links.is_rough() {
            self.rough_at = Some(self.agenda.passed());
            self.links.note(self.agenda.passed());
        }
    }

    fn crash(&mut self, node: usize, back_after: Duration) {
        let up = self.nodes.iter().filter(|node| node.is_up).count();
        // What a cluster does without a majority is nothing.
        if !self.nodes[node].is_up || (up - 1) * 2 <= self.nodes.len() {
            return;
        }
        self.nodes[node].is_up = false;
        let id = self.nodes[node].id.clone();
        self.watchers.retain(|_, watcher| watcher.node != id);
        self.lose_silent(&id);
        self.lose_tabs(&id);
        self.forget(node);
        self.changed_at = self.agenda.passed();
        self.agenda.after(back_after, Event::Start { node });
    }

    /// A node has crashed: what it may not have told the owner of a channel by then is known to nobody.
    fn forget(&mut self, node: usize) {
        let node = &self.nodes[node];
        let is_untold = |channel: &&ChannelName| {
            let slot = usize::from(self.slot_of(channel).0);
            self.is_unrouted(node, slot) || self.late_of(channel).contains(&node.id)
        };
        let untold: Vec<_> = self.channels.iter().filter(is_untold).cloned().collect();
        self.truth.forget(&node.id, &untold, self.agenda.passed());
    }

    pub(super) fn come_back(&mut self, node: usize) {
        if self.nodes[node].is_up {
            return;
        }
        self.coverage.saw(Sight::Restart);
        let (generation, clock) = (self.nodes[node].id.generation.0 + 1, self.nodes[node].clock);
        self.nodes[node] = self.start(node, generation, clock);
        self.changed_at = self.agenda.passed();
        self.watch_all(node);
    }

    pub(super) fn start(&self, index: usize, generation: u64, clock: Clock) -> Node {
        let id = NodeId {
            name: NodeName::parse(&format!("n{index}")).expect("it is one"),
            generation: Generation(generation),
        };
        let passed = self.agenda.passed();
        let now = self.agenda.now().instant - passed + clock.shows(passed);
        let namespaces = Arc::clone(&self.namespaces);
        Node {
            shard: Shard::new(id.clone(), namespaces, Limits::default(), self.faults, now),
            id,
            is_up: true,
            clock,
            places: vec![0; self.places.len()],
            routed_at: vec![passed; self.places.len()],
            started_at: passed,
            peers: vec![Peer::new(passed); self.plan.nodes],
            has_quorum: true,
        }
    }

    pub(super) fn heal(&mut self) {
        self.line(|| "everything is healed".into());
        self.is_healed = true;
        self.links.heal();
        for node in 0..self.nodes.len() {
            self.come_back(node);
        }
    }

    /// Since when nodes are cut off, and for some time after that.
    pub(super) fn remember_cuts(&mut self) {
        let now = self.agenda.passed();
        for (index, node) in self.nodes.iter().enumerate() {
            let name = &node.id.name;
            if self.links.touches(index) {
                self.cut_at.entry(name.clone()).or_insert(now);
                self.healed_at.insert(name.clone(), now);
            } else if self
                .healed_at
                .get(name)
                .is_some_and(|at| now > *at + Duration::from_secs(15))
            {
                self.cut_at.remove(name);
                self.healed_at.remove(name);
            }
        }
    }
}
