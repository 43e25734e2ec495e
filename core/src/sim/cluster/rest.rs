//! What must hold once everything was healed and has come to rest.

use std::collections::BTreeSet;

use super::plan::Course;
use super::rolling::Rolling;
use super::truth::Rule;
use super::world::World;
use crate::id::{Seq, SlotId, slot_of};
use crate::placement::COPIES;

impl World {
    /// What must hold once everything has come to rest.
    pub(super) fn rest(&mut self) {
        let is_rolled = self.plan.course != Course::Rolling || matches!(self.rolling, Rolling::Done);
        self.truth.ensure(is_rolled, Rule::Liveness, || {
            format!("the restart has got no further than {:?}", self.rolling)
        });
        for slot in (0..self.plan.slots).map(SlotId) {
            let Some(record) = self.table.record(slot).cloned() else {
                continue;
            };
            let owner = record.owner.as_ref().filter(|owner| self.is_running(owner)).cloned();
            let Some(owner) = owner else {
                self.truth.ensure(false, Rule::Liveness, || {
                    format!("slot {slot} has no owner: {record:?}")
                });
                continue;
            };
            let live = self.nodes.len() - self.gone.len();
            let wanted = self.nodes[self.index_of(&owner)].planner.wanted(slot).cloned();
            let wanted: BTreeSet<_> = wanted.into_iter().flat_map(|wanted| wanted.copies).collect();
            let is_held = record.isr == wanted && wanted.len() == COPIES.min(live);
            self.truth.ensure(is_held, Rule::Liveness, || {
                format!("slot {slot} should have the copies {wanted:?}: {record:?}")
            });
            let expected = self.nodes[self.index_of(&owner)].replicas[&slot].slot().snapshot();
            for member in &record.isr {
                let held = self.nodes[self.index_of(member)].replicas[&slot].slot().snapshot();
                self.truth.ensure(held == expected, Rule::Copies, || {
                    format!(
                        "{member} and its owner {owner} differ in slot {slot}: {} and {} entries",
                        held.at.index, expected.at.index
                    )
                });
            }
            let channels = self.publishers.iter().map(|publisher| &publisher.channel);
            let of_slot = channels.filter(|channel| slot_of(channel, self.plan.slots) == slot);
            for channel in of_slot.filter(|channel| !expected.channels.contains_key(channel)) {
                self.truth.no_history(channel, record.resets);
            }
            for (channel, state) in &expected.channels {
                let history: Vec<_> = state.view().history().after(Seq(0)).cloned().collect();
                let (epoch, head) = (state.view().epoch().clone(), state.view().head_position());
                self.truth.history(channel, &epoch, &history, record.resets);
                for reader in self.readers.iter().filter(|reader| reader.channel == *channel) {
                    let stands = reader.last.clone();
                    let is_there = stands
                        .as_ref()
                        .is_some_and(|last| last.epoch == epoch && last.seq == head.seq);
                    self.truth.ensure(is_there, Rule::Liveness, || {
                        format!("a reader of {channel} stands at {stands:?}, the head is {head}")
                    });
                }
            }
        }
        for (index, publisher) in self.publishers.iter().enumerate() {
            let waiting: Vec<_> = publisher.pending.keys().collect();
            let slot = slot_of(&publisher.channel, self.plan.slots);
            self.truth.ensure(waiting.is_empty(), Rule::Liveness, || {
                format!("publisher {index} of slot {slot} has no answer to {waiting:?}")
            });
        }
    }
}
