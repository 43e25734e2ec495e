//! What a turn shows to the truth: what is committed, and who holds what is acknowledged.

use std::sync::Arc;

use super::sight::Sight;
use super::truth::Rule;
use super::world::World;
use crate::id::{ChannelName, Index, Lineage, NodeId, SlotId};
use crate::replica::{Message, Replica};
use crate::slot;

impl World {
    pub(super) fn sights_of(&mut self, message: Message) {
        match message {
            Message::Fenced { .. } => self.coverage.saw(Sight::Fenced),
            Message::Behind { .. } => self.coverage.saw(Sight::Behind),
            Message::Snapshot(part) => {
                self.coverage.saw(Sight::Snapshot);
                if part.number > 0 {
                    self.coverage.saw(Sight::Parts);
                }
            }
            _ => {}
        }
    }

    /// Whether what is committed now is what everybody else committed.
    pub(super) fn check_commits(&mut self, index: usize, slot: SlotId, before: Index, lineage: Lineage) {
        let replica = &self.nodes[index].replicas[&slot];
        let machine = replica.slot();
        if machine.lineage() != lineage || machine.committed() == before {
            return;
        }
        let committed = machine.committed();
        let news: Option<Vec<_>> = machine
            .entries_after(before)
            .map(|entries| entries.take_while(|entry| entry.index <= committed).cloned().collect());
        if let Some(term) = replica.owned_under() {
            let id = self.nodes[index].id.clone();
            self.truth.commits(slot, term, &id);
        }
        // What came with a snapshot is compared in the end.
        for entry in news.unwrap_or_default() {
            self.truth.committed(slot, lineage, &entry);
        }
    }

    /// Whether two nodes hold what is acknowledged, and whoever may own the slot next, unless its
    /// history was given up. One that crashed held what it held then. So it must be also if an owner of the past says it: the next has it from there.
    pub(super) fn check_copies(
        &mut self,
        index: usize,
        slot: SlotId,
        name: &ChannelName,
        position: &crate::id::Position,
    ) {
        let record = self.table.record(slot).cloned().unwrap_or_default();
        let owner = self.nodes[index].id.clone();
        let own = self.nodes[index].replicas[&slot].owned_under();
        if Lineage::of(&position.epoch).is_some_and(|lineage| lineage.resets < record.resets) {
            return;
        }
        let holds = |node: &NodeId| {
            let replica = self.replica_of(node, slot);
            replica.is_some_and(|replica| holds(replica, name, position))
        };
        let lacks = record.holders().any(|node| !holds(node));
        // One that took the slot over by itself holds it, and whoever acknowledged it.
        let is_past = record.owner.as_ref() != Some(&owner) || own != Some(record.term);
        let copies = record.holders().filter(|node| holds(node)).count();
        self.truth.ensure(!lacks && (is_past || copies >= 2), Rule::Copies, || {
            format!("{owner} acknowledges {name} {position} with {copies} copies of {record:?}")
        });
    }
}

impl World {
    /// What a start of a node makes of a slot, or made of it when it crashed.
    fn replica_of(&self, node: &NodeId, slot: SlotId) -> Option<&Replica> {
        let there = &self.nodes[self.index_of(node)];
        let replicas = match there.id == *node {
            true => &there.replicas,
            false => self.graves.get(node)?,
        };
        replicas.get(&slot)
    }
}

/// Whether a replica's log or state has the message at `position`.
fn holds(replica: &Replica, name: &ChannelName, position: &crate::id::Position) -> bool {
    let committed = replica
        .slot()
        .channel(name)
        .is_some_and(|state| state.view().epoch() == &position.epoch && state.view().head() >= position.seq);
    let is_it = |entry: &Arc<slot::Entry>| match &entry.change {
        slot::Change::Publish { message, .. } => {
            entry.channel == *name && message.seq == position.seq && message.term == position.term
        }
        _ => false,
    };
    let start = replica.slot().committed();
    committed
        || replica
            .slot()
            .entries_after(start)
            .is_some_and(|mut entries| entries.any(is_it))
}
