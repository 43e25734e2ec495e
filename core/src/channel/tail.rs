//! What waits for its commit, and whom it is answered to.

use std::time::Instant;

use tracing::error;

use super::attach::From;
use super::config::Durability;
use super::inspect::Question;
use super::publishers::Fate;
use super::read::Range;
use super::refusal::Refusal;
use super::turn::{Ack, Effect, Opening, Proposal, Ticket};
use super::{Channel, state};
use crate::id::{Author, Epoch, Position, Serial};
use crate::slot::entry::{Change, Origin};
use crate::time::Now;

/// A change that was proposed and is not committed.
#[derive(Debug)]
pub(super) struct Pending<R> {
    pub(super) ticket: Ticket,
    pub(super) change: Change,
    /// Who asked for it.
    pub(super) asker: Option<Waiter<R>>,
    /// Who asked for the same again.
    pub(super) repeaters: Vec<Waiter<R>>,
}

/// Somebody who waits for an answer to a publish or a skip.
#[derive(Debug)]
pub(super) struct Waiter<R> {
    pub(super) to: R,
    pub(super) asked: Asked,
    pub(super) duplicate: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Publish,
    Skip,
}

/// Somebody who waits for the channel to exist.
#[derive(Debug)]
pub(super) enum Held<R> {
    Attach { to: R, from: From },
    Read { to: R, range: Range },
    Inspect { to: R, question: Question },
}

impl<R> Held<R> {
    fn into_asker(self) -> R {
        match self {
            Self::Attach { to, .. } | Self::Read { to, .. } | Self::Inspect { to, .. } => to,
        }
    }
}

impl<R> Channel<R> {
    /// Applies a change to the working state and puts it on its way.
    pub(super) fn propose(&mut self, change: Change, asker: Option<Waiter<R>>, now: Now, out: &mut Vec<Effect<R>>) {
        state::apply(&mut self.working, &change, now.instant)
            .expect("a change that was decided on the working state fits it");
        if let Some(working) = &mut self.working {
            working.spill(self.config.spills());
        }
        let ticket = self.ticket;
        self.ticket.number += 1;
        let asker = self.acknowledge_early(&change, asker, out);
        if let (Change::Publish { message, .. }, true) = (&change, self.config.faults.fan_out_before_commit()) {
            out.push(Effect::FanOut(message.clone()));
        }
        let logged = self.config.durability != Durability::Ephemeral;
        if logged {
            let change = change.clone();
            out.push(Effect::Propose(Proposal { ticket, change }));
        }
        self.tail.push_back(Pending {
            ticket,
            change,
            asker,
            repeaters: Vec::new(),
        });
        if !logged {
            self.commit(ticket, 1, now, out);
        }
    }

    /// Everything up to `through` is committed: shows it, and answers those who waited for it.
    pub(super) fn commit(&mut self, through: Ticket, copies: u8, now: Now, out: &mut Vec<Effect<R>>) {
        self.copies = copies;
        while let Some(pending) = self.tail.pop_front_if(|pending| pending.ticket <= through) {
            state::apply(&mut self.shown, &pending.change, now.instant)
                .expect("what fitted the working state fits the shown view, in the same order");
            if let Some(shown) = &mut self.shown {
                shown.spill(self.config.spills());
            }
            let epoch = self.shown.as_ref().map(|shown| shown.epoch().clone());
            if let (Change::Publish { message, .. }, false) =
                (&pending.change, self.config.faults.fan_out_before_commit())
            {
                out.push(Effect::FanOut(message.clone()));
            }
            if let (Some(epoch), Some(fate)) = (epoch, fate_of(&pending.change)) {
                for waiter in pending.asker.into_iter().chain(pending.repeaters) {
                    self.settle(waiter, fate, &epoch, out);
                }
            }
        }
        self.release(out);
    }

    /// The slot's log does not hold all that was proposed: starts again from what it holds, and
    /// refuses whoever waited for the rest.
    pub(super) fn refused(&mut self, reason: &Refusal, opening: Opening, now: Now, out: &mut Vec<Effect<R>>) {
        if opening.round <= self.ticket.round {
            return; // meant for an earlier actor of the channel, or told twice
        }
        let dropped = self.adopt(opening, now.instant);
        let refuse = |to| Effect::Refuse {
            to,
            refusal: reason.clone(),
        };
        for pending in dropped {
            let waiters = pending.asker.into_iter().chain(pending.repeaters);
            out.extend(waiters.map(|waiter| refuse(waiter.to)));
        }
        let is_coming = |pending: &Pending<R>| matches!(pending.change, Change::Create { .. });
        if !self.tail.iter().any(is_coming) {
            out.extend(self.held.drain(..).map(|reader| refuse(reader.into_asker())));
        }
    }

    /// Ends the owner's side because what it was working on is lost. Answers with whoever waits.
    pub fn into_waiting(self) -> impl Iterator<Item = R> {
        let asked = self.tail.into_iter();
        let asked = asked.flat_map(|pending| pending.asker.into_iter().chain(pending.repeaters));
        let doubted = self.doubted.into_iter().map(|(_, reader)| reader);
        let readers = self.held.into_iter().chain(doubted);
        asked.map(|waiter| waiter.to).chain(readers.map(Held::into_asker))
    }

    /// Takes over what the slot's log holds of the channel. Waiters of what is in it stay; the rest
    /// is returned.
    pub(super) fn adopt(&mut self, opening: Opening, now: Instant) -> Vec<Pending<R>> {
        self.term = opening.term;
        self.lineage = opening.lineage;
        self.seed = opening.seed;
        self.draws = 0;
        self.copies = opening.copies;
        self.confirms = opening.confirms;
        if self.config.durability == Durability::Logged {
            self.standing = opening.standing;
        }
        self.ticket = Ticket {
            round: opening.round,
            number: 0,
        };
        self.shown = opening.state.as_ref().map(|state| state.view().clone());
        self.working = opening.state;
        let mut before = std::mem::take(&mut self.tail);
        for Proposal { ticket, change } in opening.tail {
            if let Err(misfit) = state::apply(&mut self.working, &change, now) {
                error!(channel = %self.name, %misfit, "the slot's log holds an entry that does not fit");
                break;
            }
            let own = before.iter().position(|pending| pending.ticket == ticket);
            let pending = own.and_then(|at| before.remove(at));
            self.tail.push_back(pending.unwrap_or(Pending {
                ticket,
                change,
                asker: None,
                repeaters: Vec::new(),
            }));
        }
        before.into()
    }

    /// Answers somebody whose serial or key is known: at once if its entry is committed, otherwise
    /// together with the one who was first.
    pub(super) fn answer_known(&mut self, origin: &Origin, fate: Fate, waiter: Waiter<R>, out: &mut Vec<Effect<R>>) {
        let is_same = |pending: &&mut Pending<R>| is_made_by(&pending.change, origin, fate);
        if let Some(pending) = self.tail.iter_mut().find(is_same) {
            pending.repeaters.push(waiter);
        } else if let Some(shown) = &self.shown {
            let epoch = shown.epoch().clone();
            self.settle(waiter, fate, &epoch, out);
        }
    }

    fn settle(&self, waiter: Waiter<R>, fate: Fate, epoch: &Epoch, out: &mut Vec<Effect<R>>) {
        let Waiter { to, asked, duplicate } = waiter;
        let position = match (asked, fate) {
            (Asked::Publish | Asked::Skip, Fate::Published { seq, term }) => Some(Position {
                epoch: epoch.clone(),
                seq,
                term,
            }),
            (Asked::Skip, Fate::Skipped) => None,
            (Asked::Publish, Fate::Skipped) => {
                let refusal = Refusal::SerialSkipped;
                return out.push(Effect::Refuse { to, refusal });
            }
        };
        let ack = Ack {
            position,
            copies: self.copies,
            duplicate,
        };
        out.push(Effect::Ack { to, ack });
    }

    /// Answers the readers that waited for the channel, if it exists by now.
    fn release(&mut self, out: &mut Vec<Effect<R>>) {
        if self.held.is_empty() {
            return;
        }
        if let (Some(working), Some(shown)) = (&self.working, &self.shown)
            && working.view().epoch() == shown.epoch()
        {
            let held = std::mem::take(&mut self.held);
            out.extend(held.into_iter().map(|reader| self.answer(reader, shown)));
        }
    }

    /// The planted fault: answers before anything is committed.
    fn acknowledge_early(
        &self,
        change: &Change,
        asker: Option<Waiter<R>>,
        out: &mut Vec<Effect<R>>,
    ) -> Option<Waiter<R>> {
        if self.config.faults.ack_before_append()
            && let (Some(working), Some(fate)) = (&self.working, fate_of(change))
        {
            let epoch = working.view().epoch().clone();
            if let Some(waiter) = asker {
                self.settle(waiter, fate, &epoch, out);
            }
            return None;
        }
        asker
    }
}

/// What the change makes of the serial or key it carries.
fn fate_of(change: &Change) -> Option<Fate> {
    match change {
        Change::Publish { message, .. } => Some(Fate::Published {
            seq: message.seq,
            term: message.term,
        }),
        Change::Skip { .. } => Some(Fate::Skipped),
        Change::Create { .. }
        | Change::Truncate { .. }
        | Change::ExpireKeys { .. }
        | Change::ExpirePublishers { .. }
        | Change::ForgetHead => None,
    }
}

/// Whether `change` is what gave `origin` its `fate`.
fn is_made_by(change: &Change, origin: &Origin, fate: Fate) -> bool {
    match change {
        Change::Publish { .. } => fate_of(change) == Some(fate),
        Change::Skip { author, serial } => fate == Fate::Skipped && serial_of(origin) == Some((author, *serial)),
        _ => false,
    }
}

fn serial_of(origin: &Origin) -> Option<(&Author, Serial)> {
    match origin {
        Origin::Publisher { author, serial, .. } => Some((author, *serial)),
        Origin::Idempotency { .. } | Origin::Anonymous => None,
    }
}
