//! Comparing what this owner holds of a gateway with what the gateway says. The gateway is the truth.

use std::collections::BTreeSet;
use std::time::Instant;

use super::{Effect, Roster};
use crate::id::{NodeId, SlotId};
use crate::presence::digest::{Range, Sums, Tally, push_cells};
use crate::presence::entry::{Change, Entry};
use crate::presence::message::{Message, ToGateway};

/// Ranges that are asked for at once: all cells, none beside another. The rest is found by the next comparison.
const RANGES_MAX: usize = 2_048;

impl Roster {
    /// All that a gateway has entered in some slots.
    pub(super) fn digest(
        &mut self,
        from: NodeId,
        slots: &BTreeSet<SlotId>,
        tally: &Tally,
        now: Instant,
        out: &mut Vec<Effect>,
    ) {
        let owned = self.owned(slots);
        if owned.is_empty() {
            return;
        }
        let mut mine = Tally::default();
        for entries in owned.iter().filter_map(|id| self.slots.get(id)?.by_gateway.get(&from)) {
            mine.add_all(entries.tally());
        }
        if mine == *tally {
            for id in owned {
                self.settle(id, &from, now);
            }
            return;
        }
        let differing = mine.groups.differing(&tally.groups);
        out.push(send(from, ToGateway::Differ(differing)));
    }

    /// A gateway's entries are known to be right.
    fn settle(&mut self, id: SlotId, gateway: &NodeId, now: Instant) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        if !slot.owning_mut().is_some_and(|owning| owning.unsettled.remove(gateway)) {
            return;
        }
        for channel in slot.set_down(gateway, false) {
            self.tell_soon(id, channel, now);
        }
        self.doubts_changed(id, now);
    }

    /// The sums of the cells in which a gateway's entries differ.
    pub(super) fn cells(&self, from: NodeId, slots: &BTreeSet<SlotId>, groups: &[(u8, Sums)], out: &mut Vec<Effect>) {
        let owned = self.owned(slots);
        let mut ranges = Vec::new();
        for (group, theirs) in groups {
            let mut mine = Sums::default();
            for entries in owned.iter().filter_map(|id| self.slots.get(id)?.by_gateway.get(&from)) {
                entries.add_cells(*group, &mut mine);
            }
            push_cells(&mut ranges, *group, mine.differing(theirs));
        }
        ranges.truncate(RANGES_MAX);
        if !ranges.is_empty() {
            out.push(send(from, ToGateway::List(ranges)));
        }
    }

    /// Everything that a gateway has in a range.
    pub(super) fn listing(
        &mut self,
        from: &NodeId,
        slots: &BTreeSet<SlotId>,
        range: &Range,
        counter: u64,
        entries: Vec<(SlotId, Entry)>,
        now: Instant,
    ) {
        let owned = self.owned(slots);
        let listed: BTreeSet<_> = entries.iter().map(|(slot, entry)| (*slot, entry.key.clone())).collect();
        for id in &owned {
            let held = self.slots.get(id).and_then(|slot| slot.by_gateway.get(from));
            let held = held.into_iter().flat_map(|entries| entries.range(range));
            let gone = held.filter(|(_, key, of, ())| *of <= counter && !listed.contains(&(*id, (*key).clone())));
            for key in gone.map(|(_, key, ..)| key.clone()).collect::<Vec<_>>() {
                // It may have been lost first.
                let is_left = false;
                self.take(*id, from, Change::Drop { key, counter, is_left }, true, now);
            }
        }
        for (id, entry) in entries {
            // What came before this listing and is newer has undone it.
            let seen = self.slots.get(&id).and_then(|slot| slot.seen.get(from));
            if owned.contains(&id) && seen.is_none_or(|seen| *seen <= counter) {
                self.take(id, from, Change::Put(entry), false, now);
            }
        }
        for id in owned {
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.see(from, counter);
            }
        }
    }

    fn owned(&self, slots: &BTreeSet<SlotId>) -> Vec<SlotId> {
        let is_owned = |id: &&SlotId| self.slots.get(id).is_some_and(|slot| slot.owning().is_some());
        slots.iter().filter(is_owned).copied().collect()
    }
}

const fn send(to: NodeId, message: ToGateway) -> Effect {
    Effect::Send {
        to,
        message: Message::Gateway(message),
    }
}
