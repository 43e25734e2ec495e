//! A node looks who else is there, and what should be whose.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::event::Event;
use super::node::Heard;
use super::world::World;
use crate::id::{NodeId, SlotId};
use crate::placement::planner::{Member, Standing, View};
use crate::replica;
use crate::table::{Registry, Table};

/// How often a node says that it is there, and looks who else is.
const BEAT: Duration = Duration::from_millis(200);

/// Silence that counts as death. The real time is longer; false suspicion is what is wanted here.
const SILENCE: Duration = Duration::from_millis(900);

/// Beats between two looks at the whole table.
const LOOKS_EVERY: u64 = 5;

impl World {
    /// The node says that it is there, looks who else is, and what should be whose.
    pub(super) fn beat(&mut self, index: usize) {
        let id = self.nodes[index].id.clone();
        self.nodes[index].beats += 1;
        self.agenda.after(BEAT, Event::Beat { to: id.clone() });
        let is_registered = self.table.nodes().current(&id.name).as_ref() == Some(&id);
        if let Some(delay) = (!is_registered).then(|| self.network.carry_to_table(index)).flatten() {
            self.agenda.after(delay, Event::Registers { node: id.clone() });
        }
        for other in (0..self.nodes.len()).filter(|other| *other != index) {
            let to = self.nodes[other].id.clone();
            for delay in self.network.carry(index, other) {
                let (to, from) = (to.clone(), id.clone());
                let is_draining = self.nodes[index].is_draining;
                self.agenda.after(delay, Event::Heard { to, from, is_draining });
            }
        }
        if self.nodes[index].beats % LOOKS_EVERY == 1 {
            self.look(index);
        }
        self.judge(index);
        self.want(index);
        self.tend_feeds(index);
    }

    /// Another node is heard of.
    pub(super) fn heard(&mut self, index: usize, from: NodeId, is_draining: bool) {
        let at = self.agenda.now().instant;
        let node = &mut self.nodes[index];
        let is_new = node
            .heard
            .insert(from.clone(), Heard { at, is_draining })
            .is_none_or(|before| at > before.at + SILENCE);
        node.down.remove(&from);
        if is_new {
            self.all_replicas(index, |_| replica::Input::Up(from.clone()));
        }
    }

    /// Who was not heard for long is thought to be dead.
    pub(super) fn judge(&mut self, index: usize) {
        let now = self.agenda.now().instant;
        let silent = self.nodes[index]
            .heard
            .iter()
            .filter(|(_, heard)| now > heard.at + SILENCE);
        let silent: Vec<_> = silent.map(|(node, _)| node.clone()).collect();
        for node in silent {
            if !self.nodes[index].down.insert(node.clone()) {
                continue;
            }
            self.all_replicas(index, |_| replica::Input::Down(node.clone()));
        }
        // Whoever owns something and was never heard.
        let owners: BTreeSet<_> = self.nodes[index]
            .replicas
            .values()
            .filter_map(|replica| replica.record().owner.clone())
            .collect();
        let me = self.nodes[index].id.clone();
        if self.nodes[index].beats > 5 {
            for owner in owners {
                let node = &mut self.nodes[index];
                if owner != me && !node.heard.contains_key(&owner) && node.down.insert(owner.clone()) {
                    self.all_replicas(index, |_| replica::Input::Down(owner.clone()));
                }
            }
        }
    }

    /// What should be whose, by what this node knows of the others: what the links say is known at
    /// once, what gossip says a while later.
    pub(super) fn want(&mut self, index: usize) {
        let (now, clock) = (self.agenda.now().instant, self.now_at(index).instant);
        let node = &mut self.nodes[index];
        let standing = |heard: &Heard| match (now <= heard.at + SILENCE, heard.is_draining) {
            (false, _) => Standing::Silent,
            (true, false) => Standing::Serving,
            (true, true) => Standing::Draining,
        };
        let member = |(node, heard): (&NodeId, &Heard)| Member {
            node: node.clone(),
            standing: standing(heard),
            zone: Arc::from(""),
        };
        node.gossip.push_back((now, node.heard.iter().map(member).collect()));
        while node.gossip.get(1).is_some_and(|(at, _)| *at + node.gossip_lag <= now) {
            node.gossip.pop_front();
        }
        let records = node.replicas.values().map(|replica| replica.record().clone());
        let table = Table::restore(records.collect(), node.registry.clone());
        let view = View {
            table: &table,
            members: node.gossip.front().map_or(&[], |(_, members)| members),
            down: &node.down,
            is_draining: node.is_draining,
        };
        for (slot, wanted) in node.planner.plan(&view, clock).changed {
            // Once, as the real shell does: what a replica needs later it has to ask for.
            self.turn(index, slot, replica::Input::Wanted(wanted));
        }
    }

    pub(super) fn all_replicas(&mut self, index: usize, input: impl Fn(SlotId) -> replica::Input) {
        for slot in (0..self.plan.slots).map(SlotId) {
            self.turn(index, slot, input(slot));
        }
    }

    pub(super) fn registered(&mut self, index: usize, registry: Registry) {
        self.nodes[index].registry = registry;
    }
}
