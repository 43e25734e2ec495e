//! The slot table as nodes reach it: late, or not at all.
//!
//! The table itself never errs and never forgets, as Raft promises of it. What nodes ask, and what
//! they are told, can be lost; so they ask again, and look every so often.

use super::event::Event;
use super::sight::Sight;
use super::world::World;
use crate::id::{NodeId, SlotId};
use crate::table::{Change, Command, Record, Refusal};

impl World {
    /// A node asks for a change of a slot.
    pub(super) fn ask(&mut self, by: usize, slot: SlotId, number: u64, version: u64, change: Change) {
        let node = self.nodes[by].id.clone();
        if let Some(delay) = self.network.carry_to_table(by) {
            let event = Event::Asked {
                by: node,
                slot,
                number,
                version,
                change,
            };
            self.agenda.after(delay, event);
        }
    }

    /// The table carries it out, or refuses.
    pub(super) fn asked(&mut self, by: &NodeId, slot: SlotId, number: u64, version: u64, change: Change) {
        let before = self.record(slot);
        let command = Command::Change {
            slot,
            version,
            by: by.clone(),
            change: change.clone(),
        };
        let outcome = self.table.apply(&command);
        self.line(|| format!("table: {by} asks {change:?} of slot {slot} at {version}: {outcome:?}"));
        if outcome.is_ok() {
            self.changed(slot, &before, &change, by);
        }
        if matches!(outcome, Err(Refusal::Passed { .. })) {
            self.coverage.saw(Sight::Passed);
        }
        let to = self.index_of(by);
        if let Some(delay) = self.network.carry_to_table(to) {
            let to = by.clone();
            self.agenda.after(
                delay,
                Event::Answered {
                    to,
                    slot,
                    number,
                    outcome,
                },
            );
        }
    }

    /// A node that has started says so.
    pub(super) fn register(&mut self, node: &NodeId) {
        let outcome = self.table.apply(&Command::Register { node: node.clone() });
        self.line(|| format!("table: {node} registers: {outcome:?}"));
        for to in 0..self.nodes.len() {
            self.tell_of_nodes(to);
        }
    }

    /// A node looks at the whole table.
    pub(super) fn look(&mut self, node: usize) {
        for slot in 0..self.plan.slots {
            self.tell(node, SlotId(slot));
        }
        self.tell_of_nodes(node);
    }

    fn record(&self, slot: SlotId) -> Record {
        self.table.record(slot).cloned().unwrap_or_default()
    }

    fn changed(&mut self, slot: SlotId, before: &Record, change: &Change, by: &NodeId) {
        match change {
            Change::Claim if before.owner.is_none() => self.coverage.saw(Sight::Virgin),
            Change::Claim if before.isr.contains(by) => self.coverage.saw(Sight::Claim),
            Change::Claim => self.coverage.saw(Sight::HeirClaim),
            Change::Shrink { .. } => self.coverage.saw(Sight::Shrink),
            Change::Grow { .. } => self.coverage.saw(Sight::Grow),
            Change::HandOver { .. } => self.coverage.saw(Sight::HandOver),
            Change::Reset => {
                self.coverage.saw(Sight::Reset);
                let alive = before.holders().find(|holder| self.is_running(holder)).cloned();
                self.truth.reset(slot, alive.as_ref());
            }
            Change::Confirm => return,
        }
        if self.record(slot).isr.len() == 1 && before.isr.len() > 1 {
            self.coverage.saw(Sight::Alone);
        }
        for node in 0..self.nodes.len() {
            self.tell(node, slot);
        }
    }

    fn tell(&mut self, node: usize, slot: SlotId) {
        if let Some(delay) = self.network.carry_view(node) {
            let (to, record) = (self.nodes[node].id.clone(), self.record(slot));
            self.agenda.after(delay, Event::Record { to, slot, record });
        }
    }

    pub(super) fn tell_of_nodes(&mut self, node: usize) {
        if let Some(delay) = self.network.carry_to_table(node) {
            let (to, registry) = (self.nodes[node].id.clone(), self.table.nodes().clone());
            self.agenda.after(delay, Event::Registered { to, registry });
        }
    }
}
