//! A node looks who else is there, and what should be whose.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::event::Event;
use super::world::World;
use crate::id::{NodeId, SlotId};
use crate::placement::{COPIES, ranking};
use crate::replica::{self, Wanted};
use crate::table::Registry;

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
                self.agenda.after(delay, Event::Heard { to, from });
            }
        }
        if self.nodes[index].beats % LOOKS_EVERY == 1 {
            self.look(index);
        }
        self.judge(index);
        self.want(index);
    }

    /// Another node is heard of.
    pub(super) fn heard(&mut self, index: usize, from: NodeId) {
        let now = self.agenda.now().instant;
        let node = &mut self.nodes[index];
        let is_new = node
            .heard
            .insert(from.clone(), now)
            .is_none_or(|before| now > before + SILENCE);
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
            .filter(|(_, heard)| now > **heard + SILENCE);
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

    pub(super) fn want(&mut self, index: usize) {
        let now = self.agenda.now().instant;
        let me = &self.nodes[index];
        let mut live: BTreeMap<_, _> = me
            .heard
            .iter()
            .filter(|(_, heard)| now <= **heard + SILENCE)
            .map(|(node, _)| (node.name.clone(), node.clone()))
            .collect();
        live.insert(me.id.name.clone(), me.id.clone());
        let away = &self.away;
        live.retain(|_, node| !away.contains(&self.index_of(node)));
        let mut all = BTreeMap::new();
        for (slot, replica) in &me.replicas {
            let ranked = ranking(*slot, live.keys().cloned());
            let copies: Vec<_> = ranked.iter().take(COPIES).map(|name| live[name].clone()).collect();
            let owner = replica.record().owner.clone().filter(|owner| copies.contains(owner));
            let moved = self.moves.get(slot).map(|to| self.nodes[*to].id.clone());
            let moved = moved.filter(|to| copies.contains(to));
            let registry = &me.registry;
            let record = replica.record();
            let lost = record.owner.is_some() && record.holders().all(|holder| registry.is_proved_dead(holder));
            let wanted = Wanted {
                owner: moved.or(owner).or_else(|| copies.first().cloned()),
                copies,
                lost,
            };
            all.insert(*slot, wanted);
        }
        for (slot, wanted) in all {
            // Once, as the real shell does: what a replica needs later it has to ask for.
            if self.nodes[index].wanted.get(&slot) != Some(&wanted) {
                self.nodes[index].wanted.insert(slot, wanted.clone());
                self.turn(index, slot, replica::Input::Wanted(wanted));
            }
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
