//! What must hold once faults have stopped and everything had its time.

use std::sync::Arc;
use std::time::Instant;

use super::truth::Era;
use super::{Checker, Rule, Verdict, ensure};
use crate::channel::Message;
use crate::id::{ChannelName, Epoch, Position, Seq};
use crate::sim::fact::ReaderId;

impl Checker {
    /// A slot holds what the log says, no more and no less.
    pub(super) fn held(
        &mut self,
        channel: &ChannelName,
        head: &Position,
        floor: Seq,
        history: &[Arc<Message>],
    ) -> Verdict {
        let truth = self.truth.of(channel);
        let same = truth.current.as_ref() == Some(&head.epoch)
            && truth.era().is_some_and(|era| {
                let kept = era.after(floor.previous());
                era.head() == head.seq
                    && era.floor == floor
                    && kept.len() == history.len()
                    && kept.iter().zip(history).all(|(kept, held)| kept.message == *held)
            });
        ensure(same, Rule::Acknowledged, || {
            format!("the history of {channel} at {head} is not what was committed")
        })
    }

    /// A reader stands at the head, with the values that hold there.
    pub(super) fn rested(&mut self, id: ReaderId, attached: bool) -> Verdict {
        let Some(reader) = self.readers.remove(&id) else {
            return ensure(false, Rule::Phantom, || format!("{id} never began"));
        };
        let truth = self.truth.of(&reader.channel);
        let head = truth.era().map(Era::head);
        let place = reader.place.as_ref();
        let at_head =
            place.is_some_and(|place| truth.current.as_ref() == Some(&place.epoch) && Some(place.seq) == head);
        ensure(at_head && attached, Rule::Liveness, || {
            let state = if attached { "attached" } else { "not attached" };
            format!(
                "{id} of {} is {state} at {place:?}, and the head is {head:?}",
                reader.channel
            )
        })?;
        self.valued_as(&reader, head.unwrap_or_default())
    }

    /// Every publish is settled, and stands after all that was acknowledged before it began.
    pub(super) fn over(&self) -> Verdict {
        for (op, attempt) in self.ops.all() {
            ensure(attempt.settled, Rule::Liveness, || {
                format!("nobody was told what became of {op}")
            })?;
        }
        for (channel, truth) in self.truth.channels() {
            for (epoch, era) in &truth.eras {
                self.in_real_time(channel, epoch, era)?;
            }
        }
        Ok(())
    }

    fn in_real_time(&self, channel: &ChannelName, epoch: &Epoch, era: &Era) -> Verdict {
        // From the end: the earliest acknowledgement of all that stands later.
        let mut earliest: Option<(Instant, Seq)> = None;
        for kept in era.messages.iter().rev() {
            let seq = kept.message.seq;
            let Some(attempt) = kept.op.and_then(|op| self.ops.get(op)) else {
                continue;
            };
            let acked = attempt.published.as_ref();
            if acked.is_some_and(|(_, other)| other != epoch) {
                continue; // a copy that came late, to an owner that had lost all it knew
            }
            if let Some((acked, later)) = earliest {
                ensure(attempt.invoked <= acked, Rule::RealTime, || {
                    format!("{later} of {channel} was acknowledged before {seq} began")
                })?;
            }
            let acked = acked.map(|(at, _)| (*at, seq));
            earliest = earliest.into_iter().chain(acked).min();
        }
        Ok(())
    }
}
