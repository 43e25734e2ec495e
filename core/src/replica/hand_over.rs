//! How an owner gives the slot to whoever should own it.
//!
//! It takes nothing new, waits until the other holds all there is, and asks the table. That holds up
//! publishes for a moment; if it takes longer, it is given up and tried again later.

use std::time::Instant;

use super::Replica;
use super::member::LAG_MAX;
use super::turn::Effect;
use crate::id::NodeId;
use crate::table::Change;

impl Replica {
    /// Goes on with a hand-over, or begins one, or gives one up.
    pub(super) fn hand_over(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let (appended, may_ask) = (self.slot.appended(), self.may_ask(now));
        let (seal, apart) = (self.config.seal, self.config.claims_apart);
        let Some(owner) = &mut self.owner else {
            return;
        };
        let is_other = |to: &&NodeId| **to != self.me && !self.peers.is_down(to);
        let to = self.wanted.owner.as_ref().filter(is_other);
        let to = to.filter(|_| !self.config.slot.faults.no_hand_over());
        let member = to.and_then(|to| owner.members.get(to));
        let held = member
            .filter(|member| member.is_confirmed())
            .map(|member| member.matched);
        let until = match (&owner.sealed, to) {
            (Some((whom, until)), Some(to)) if whom == to && now < *until => *until,
            (Some(_), _) => {
                owner.sealed = None;
                owner.hand_over_after = Some(now + apart);
                self.slot.seal(false);
                return self.wake_at(now + apart, out);
            }
            (None, Some(to)) => {
                let is_near = held.is_some_and(|held| appended.0 - held.0 <= LAG_MAX);
                if !is_near || !may_ask {
                    return;
                }
                if let Some(after) = owner.hand_over_after.filter(|after| now < *after) {
                    return self.wake_at(after, out);
                }
                owner.sealed = Some((to.clone(), now + seal));
                self.slot.seal(true);
                now + seal
            }
            (None, None) => return,
        };
        let to = to.filter(|_| may_ask && held == Some(appended) && self.slot.committed() == appended);
        let to = to.cloned();
        // In every turn: a wake that was asked for is lost to one that is sooner.
        self.wake_at(until, out);
        if let Some(to) = to {
            self.ask(Change::HandOver { to }, now, out);
        }
    }
}
