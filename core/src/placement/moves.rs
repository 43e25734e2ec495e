//! How fast ownership changes hands.
//!
//! A move holds up a slot's publishes for a moment, and a node that gets many slots at once is slow
//! for all of them. So a move begins only while few are on their way; one that does not come about in
//! time is not waited for, and goes on.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::planner::{Config, Soonest};
use crate::id::{NodeId, SlotId, Term};

#[derive(Debug)]
struct Move {
    to: NodeId,
    began: Instant,
}

/// What one owner gives away, and since when it owns what it owns.
#[derive(Debug, Default)]
pub(super) struct Moves {
    on_their_way: BTreeMap<SlotId, Move>,
    /// When the moves of the last round began; see [`Config::moves_per_round`].
    begun: VecDeque<Instant>,
    owned: BTreeMap<SlotId, (Term, Instant)>,
}

impl Moves {
    /// This node owns the slot. Says since when, as far as it knows.
    pub(super) fn owns(&mut self, slot: SlotId, term: Term, now: Instant) -> Instant {
        let owned = self.owned.entry(slot).or_insert((term, now));
        if owned.0 != term {
            *owned = (term, now);
        }
        owned.1
    }

    /// It does not.
    pub(super) fn owns_not(&mut self, slot: SlotId) {
        self.owned.remove(&slot);
    }

    /// To whom the slot is to be handed now.
    pub(super) fn to(&self, slot: SlotId) -> Option<&NodeId> {
        self.on_their_way.get(&slot).map(|on_its_way| &on_its_way.to)
    }

    /// Goes on with what should move, and begins what may.
    pub(super) fn settle(
        &mut self,
        goals: &BTreeMap<SlotId, NodeId>,
        is_draining: bool,
        config: &Config,
        now: Instant,
        again: &mut Soonest,
    ) {
        self.on_their_way
            .retain(|slot, on_its_way| goals.get(slot) == Some(&on_its_way.to));
        while self.begun.front().is_some_and(|began| now >= *began + config.round) {
            self.begun.pop_front();
        }
        let ends = |on_its_way: &Move| on_its_way.began + config.move_patience;
        let waited_for = self.on_their_way.values().filter(|on_its_way| now < ends(on_its_way));
        let mut waited_for: Vec<_> = waited_for.map(ends).collect();
        for (slot, to) in goals {
            if self.on_their_way.contains_key(slot) {
                continue;
            }
            let (most, is_paced) = match is_draining {
                true => (config.drain_batch, false),
                false => (config.moves_per_round, self.begun.len() >= config.moves_per_round),
            };
            if waited_for.len() >= most || is_paced {
                // A move that comes about changes the table, and the planner is asked then anyway.
                waited_for.iter().for_each(|ends| again.at(*ends, now));
                self.begun.iter().for_each(|began| again.at(*began + config.round, now));
                return;
            }
            let to = to.clone();
            self.on_their_way.insert(*slot, Move { to, began: now });
            waited_for.push(now + config.move_patience);
            if !is_draining {
                self.begun.push_back(now);
            }
        }
    }
}
