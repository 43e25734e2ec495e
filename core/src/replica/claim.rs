//! When a node takes a slot over.

use std::time::Instant;

use super::Replica;
use super::turn::Effect;
use crate::id::NodeId;
use crate::placement::ranks_before;
use crate::table::Change;

impl Replica {
    /// Claims the slot if its owner is down and this node holds all that was acknowledged (R4, R13);
    /// or if nobody ever owned it, or all who did are proved dead, and this node should.
    pub(super) fn claim_if_due(&mut self, now: Instant, out: &mut Vec<Effect>) {
        self.ask_again(now, out);
        if !self.may_ask(now) {
            return;
        }
        let is_mine = self.wanted.owner.as_ref() == Some(&self.me);
        let change = match &self.record.owner {
            None if is_mine => Change::Claim,
            Some(_) if self.wanted.lost && is_mine => Change::Reset,
            Some(owner) if *owner != self.me && self.peers.is_down(owner) && !self.config.slot.faults.no_claim() => {
                let Some(turn) = self.turn() else {
                    return self.give_up_silent(now, out);
                };
                let at = *self.claim_at.get_or_insert(now + self.config.stagger * turn);
                let at = self.claim_after.map_or(at, |after| at.max(after));
                if now < at {
                    return self.wake_at(at, out);
                }
                Change::Claim
            }
            _ => {
                self.claim_at = None;
                return;
            }
        };
        self.ask(change, now, out);
    }

    /// How many candidates come before this one, by their rank, so that the slots of one owner go to
    /// several, and to those who should own them; `None` if it is none.
    fn turn(&self) -> Option<u32> {
        let faults = self.config.slot.faults;
        let namesake = |node: &NodeId| faults.no_generation() && node.name == self.me.name;
        let may = faults.claim_by_anyone() || self.record.may_claim(&self.me) || self.record.isr.iter().any(namesake);
        let comes_before =
            |node: &&NodeId| ranks_before(self.id, &node.name, &self.me.name) && !self.peers.is_down(node);
        let before = self.record.holders().filter(comes_before).count();
        may.then(|| u32::try_from(before).unwrap_or(u32::MAX))
    }

    /// The planted fault: all who hold the slot are silent, so they are taken for dead.
    fn give_up_silent(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let is_silent = self.record.holders().all(|node| self.peers.is_down(node));
        let is_wanted = self.wanted.copies.contains(&self.me);
        if self.config.slot.faults.reset_after_silence() && is_silent && is_wanted {
            self.ask(Change::Reset, now, out);
        }
    }
}
