//! What a channel may say while its slot has other copies.
//!
//! An acknowledgement, also one that is repeated, promises copies: while the slot cannot place them
//! it is refused (rule R8). And a position that does not fit what the channel holds is first of all
//! evidence that this node has lost the slot without knowing: the reader is answered only after it
//! was asked whether it still is the owner (rule R8b).

use super::attach::{From, Reason};
use super::config::Durability;
use super::read::Range;
use super::refusal::Refusal;
use super::tail::Held;
use super::turn::{Effect, Ticket};
use super::{Channel, View};
use crate::id::{Epoch, Lineage};
use crate::time::Now;

impl<R> Channel<R> {
    /// Acknowledgements may be given from now on, or not. Whoever waits for one is told; what it
    /// asked for may still be committed, and a repetition will find it.
    pub(super) fn stand(&mut self, standing: Result<(), Refusal>, out: &mut Vec<Effect<R>>) {
        if self.config.durability != Durability::Logged {
            return;
        }
        if let Err(refusal) = &standing {
            let waiters = self.tail.iter_mut().flat_map(|pending| {
                let repeaters = pending.repeaters.drain(..);
                pending.asker.take().into_iter().chain(repeaters)
            });
            out.extend(waiters.map(|waiter| Effect::Refuse {
                to: waiter.to,
                refusal: refusal.clone(),
            }));
        }
        self.standing = standing;
    }

    /// Whether the answer to a reader would be wrong if another node had the slot by now.
    pub(super) fn doubts(&self, reader: &Held<R>, shown: &View) -> bool {
        if !self.confirms || self.config.faults.doubt_not_confirmed() {
            return false;
        }
        match reader {
            Held::Attach {
                from: From::Position(position),
                ..
            } => {
                let judged = shown.judge(position, self.lineage, &self.config);
                judged.is_err_and(|reason| is_doubtful(reason, &position.epoch))
            }
            Held::Read {
                range:
                    Range {
                        epoch: Some(epoch),
                        after,
                        ..
                    },
                ..
            } => match epoch == shown.epoch() {
                true => *after > shown.head(),
                false => Lineage::of(epoch).is_some(),
            },
            Held::Attach { .. } | Held::Read { .. } | Held::Inspect { .. } => false,
        }
    }

    /// Holds a reader until it is known whether this node is the owner.
    pub(super) fn doubt(&mut self, reader: Held<R>, out: &mut Vec<Effect<R>>) {
        self.doubts_raised += 1;
        let through = Ticket {
            round: self.ticket.round,
            number: self.doubts_raised,
        };
        self.doubted.push((through, reader));
        out.push(Effect::Doubt { through });
    }

    /// This node was the owner after the doubts up to `through` were raised.
    pub(super) fn confirmed(&mut self, through: Ticket, now: Now, out: &mut Vec<Effect<R>>) {
        let (settled, open) = std::mem::take(&mut self.doubted)
            .into_iter()
            .partition::<Vec<_>, _>(|(number, _)| *number <= through);
        self.doubted = open;
        for (_, reader) in settled {
            match self.exhibited() {
                Some(shown) => out.push(self.answer(reader, shown)),
                None => {
                    self.held.push(reader);
                    self.ensure_created(now, out);
                }
            }
        }
    }
}

/// Whether `reason` is evidence against whoever gives it.
fn is_doubtful(reason: Reason, epoch: &Epoch) -> bool {
    match reason {
        Reason::PositionAhead | Reason::Forked => true,
        Reason::Expired | Reason::AllCopiesLost | Reason::NodeRestarted | Reason::UnknownEpoch => {
            Lineage::of(epoch).is_some()
        }
        Reason::WindowExceeded | Reason::NoHistory | Reason::Truncated | Reason::Forbidden => false,
    }
}
