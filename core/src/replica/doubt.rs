//! Whether this node still is the owner (rule R8b).
//!
//! A reader with a position that does not fit may have it from a later owner. Before it is told that
//! its position is wrong, every copy that must ack is asked whether it knows of one; an owner without
//! copies asks the table. Doubts that are raised while a round is on its way wait for the next, for
//! the answers may be of before.

use std::collections::BTreeSet;
use std::time::Instant;

use super::Replica;
use super::follower::send;
use super::message::Message;
use super::owner::Ownership;
use super::turn::Effect;
use crate::channel::Ticket;
use crate::id::{ChannelName, NodeId, Term};
use crate::slot;
use crate::table::Change;

/// Doubts of an owner.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// They are those of the slot's channels, one of each.
    waiting: Vec<(ChannelName, Ticket)>,
    round: Option<Round>,
    rounds: u64,
}

#[derive(Debug)]
struct Round {
    number: u64,
    doubts: Vec<(ChannelName, Ticket)>,
    /// Copies that know of no later owner; `None` if the table is asked.
    asked: Option<BTreeSet<NodeId>>,
    sent: Instant,
}

impl Replica {
    /// Goes on with the round, or begins one.
    pub(super) fn settle_doubts(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let raised = self.slot.take_doubts();
        let has_doubts = |owner: &Ownership| !owner.doubts.waiting.is_empty() || owner.doubts.round.is_some();
        if raised.is_empty() && !self.owner.as_ref().is_some_and(has_doubts) {
            return;
        }
        let (may_ask, is_asking) = (self.may_ask(now), self.ask.is_some());
        let (every, committed) = (self.config.resend, self.slot.committed());
        let Some(owner) = &mut self.owner else {
            return;
        };
        let term = owner.term;
        let required: BTreeSet<_> = owner.required().cloned().collect();
        let doubts = &mut owner.doubts;
        doubts.waiting.extend(raised);
        match &mut doubts.round {
            Some(Round {
                asked: Some(answered),
                doubts: settled,
                ..
            }) if !required.is_empty() && required.is_subset(answered) => {
                out.extend(std::mem::take(settled).into_iter().map(confirmed));
                doubts.round = None;
            }
            Some(round) => {
                // Who must ack has changed: another kind of proof is needed.
                let is_void = round.asked.is_some() == required.is_empty() || (round.asked.is_none() && !is_asking);
                if is_void {
                    doubts.waiting.append(&mut round.doubts);
                    doubts.round = None;
                }
            }
            None => {}
        }
        // What it inherited may hold the position: it is judged when that is safe.
        let is_safe = committed >= owner.inherited || self.config.slot.faults.attach_before_safe();
        if doubts.round.is_none() && !doubts.waiting.is_empty() && is_safe {
            if required.is_empty() && !may_ask {
                return;
            }
            doubts.rounds += 1;
            doubts.round = Some(Round {
                number: doubts.rounds,
                doubts: std::mem::take(&mut doubts.waiting),
                asked: (!required.is_empty()).then(BTreeSet::new),
                sent: now - every,
            });
            if required.is_empty() {
                return self.ask(Change::Confirm, now, out);
            }
        }
        let Some(Round {
            asked: Some(answered),
            number,
            sent,
            ..
        }) = &mut doubts.round
        else {
            return;
        };
        if now >= *sent + every {
            *sent = now;
            for node in required.difference(answered) {
                send(node, Message::Probe { term, number: *number }, out);
            }
        }
        let again = *sent + every;
        self.wake_at(again, out);
    }

    /// A copy knows of no later owner.
    pub(super) fn probed(&mut self, from: &NodeId, term: Term, number: u64) {
        let Some(owner) = self.owner.as_mut().filter(|owner| owner.term == term) else {
            return;
        };
        if let Some(Round {
            asked: Some(answered),
            number: current,
            ..
        }) = &mut owner.doubts.round
            && *current == number
        {
            answered.insert(from.clone());
        }
    }

    /// The table says that this is the owner.
    pub(super) fn table_confirmed(&mut self, out: &mut Vec<Effect>) {
        let Some(owner) = &mut self.owner else {
            return;
        };
        if let Some(round) = owner.doubts.round.take_if(|round| round.asked.is_none()) {
            out.extend(round.doubts.into_iter().map(confirmed));
        }
    }
}

fn confirmed((channel, through): (ChannelName, Ticket)) -> Effect {
    Effect::Slot(slot::Effect::Confirmed { channel, through })
}
