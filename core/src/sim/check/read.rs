//! What readers may see: every message in order, or a word about what they do not get.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::truth::apply;
use super::{Checker, Rule, Sight, Verdict, ensure};
use crate::backpressure::Policy;
use crate::channel::{Attachment, Message, Outcome, Reason};
use crate::id::{ChannelName, Key, Position, Seq, Term};
use crate::session::answer::SkipReason;
use crate::sim::fact::{ReaderId, Seen};
use crate::sim::plan::ClientId;

/// One reader, as its application sees it.
#[derive(Debug)]
pub(super) struct Reader {
    client: ClientId,
    pub(super) channel: ChannelName,
    policy: Policy,
    /// Where it stands; `None` before it was attached.
    pub(super) place: Option<Position>,
    /// Where it will stand once it was told the values.
    awaited: Option<Position>,
    /// The values of a keyed channel, as far as it was told.
    pub(super) values: BTreeMap<Key, Arc<Message>>,
    /// Whether it was told all of them: a policy may have left some out.
    pub(super) is_exact: bool,
    /// It resumed behind the head, and nothing has come yet.
    resumed: bool,
}

impl Reader {
    pub(super) fn new(client: ClientId, channel: &ChannelName) -> Self {
        Self {
            client,
            channel: channel.clone(),
            policy: Policy::Recover,
            place: None,
            awaited: None,
            values: BTreeMap::new(),
            is_exact: true,
            resumed: false,
        }
    }
}

impl Checker {
    pub(super) fn seen(&mut self, id: ReaderId, seen: &Seen) -> Verdict {
        let Some(mut reader) = self.readers.remove(&id) else {
            return ensure(false, Rule::Phantom, || format!("{id} never began"));
        };
        let verdict = match seen {
            Seen::Attached {
                asked,
                policy,
                attachment,
            } => {
                reader.policy = *policy;
                self.attached(&mut reader, asked.as_ref(), attachment)
            }
            Seen::Snapshot { replace, at, values } => self.snapshot(&mut reader, *replace, at, values),
            Seen::Message { message, paged } => self.message(&mut reader, message, *paged),
            Seen::Skipped { to, count, reason } => self.left_out(&mut reader, *to, *count, *reason),
            Seen::Discontinuity { reason, position } => self.interrupted(&mut reader, *reason, position),
            Seen::Lagged { seq } => {
                self.saw(Sight::Lagged);
                let place = reader.place.as_ref().map(|place| place.seq);
                let fits = reader.policy == Policy::Recover && place.is_some_and(|place| *seq >= place);
                ensure(fits, Rule::ReaderOrder, || {
                    format!("a reader at {place:?} lagged at {seq}")
                })
            }
            Seen::OutOfTurn { last, found } => ensure(false, Rule::ReaderOrder, || {
                format!("{found} came after {last} without a word about what is between")
            }),
        };
        let named = verdict.map_err(|mut violation| {
            let Reader { client, channel, .. } = &reader;
            violation.text = format!("{id} of client {client} on {channel}: {}", violation.text);
            violation
        });
        self.readers.insert(id, reader);
        named
    }

    fn attached(&mut self, reader: &mut Reader, asked: Option<&Position>, attachment: &Attachment) -> Verdict {
        let Attachment {
            outcome,
            position,
            head,
            ..
        } = attachment;
        let keyed = self.setup.namespace(&reader.channel).channel.keyed;
        reader.resumed = *outcome == Outcome::Resumed && !keyed && position.seq < head.seq;
        let goes_on = |asked: &Position| {
            let on = if keyed {
                asked.seq <= position.seq
            } else {
                asked.seq == position.seq
            };
            asked.epoch == position.epoch && on
        };
        let right = match (outcome, asked) {
            (Outcome::Resumed, Some(asked)) => goes_on(asked),
            (Outcome::Rewound(_), None) | (Outcome::Discontinuity(_), Some(_)) => true,
            (Outcome::Discontinuity(reason), None) => *reason == Reason::Forbidden,
            (Outcome::Resumed, None) | (Outcome::Rewound(_), Some(_)) => false,
        };
        ensure(right, Rule::Resume, || {
            format!("asked for {asked:?}, it was told {outcome:?} at {position}")
        })?;
        let past = position.seq < head.seq;
        let may = self.setup.clients[reader.client].reads_history(&reader.channel);
        ensure(may || !past, Rule::Rights, || {
            format!("it may not read the past and starts at {position} of {head}")
        })?;
        match outcome {
            Outcome::Discontinuity(reason) => self.saw(sight_of(*reason)),
            Outcome::Rewound(1..) => self.saw(Sight::Rewound),
            Outcome::Rewound(0) | Outcome::Resumed => {}
        }
        if keyed {
            // It has the place once it has the values.
            reader.awaited = Some(position.clone());
        } else {
            reader.place = Some(position.clone());
        }
        Ok(())
    }

    fn snapshot(&mut self, reader: &mut Reader, replace: bool, at: &Position, values: &[Arc<Message>]) -> Verdict {
        let awaited = reader.awaited.take();
        ensure(awaited.as_ref() == Some(at), Rule::ReaderOrder, || {
            format!("values at {at} came, and not at {awaited:?}")
        })?;
        if replace {
            reader.values.clear();
            reader.is_exact = true;
        }
        self.saw(if replace {
            Sight::KeysReplaced
        } else {
            Sight::KeysChanged
        });
        values.iter().for_each(|message| apply(&mut reader.values, message));
        reader.place = Some(at.clone());
        self.valued_as(reader, at.seq)
    }

    /// The values that a reader knows are those that hold at `seq`.
    pub(super) fn valued_as(&mut self, reader: &Reader, seq: Seq) -> Verdict {
        let Some(place) = &reader.place else {
            return Ok(());
        };
        let era = self.truth.of(&reader.channel).eras.get(&place.epoch);
        let same = !reader.is_exact || era.is_none_or(|era| era.values_at(seq) == reader.values);
        ensure(same, Rule::ReaderOrder, || {
            format!("its values at {seq} are not those of the channel")
        })
    }

    fn message(&mut self, reader: &mut Reader, message: &Arc<Message>, paged: bool) -> Verdict {
        let Some(place) = &mut reader.place else {
            return ensure(false, Rule::ReaderOrder, || {
                "a message came before an answer".to_owned()
            });
        };
        let kept = self.truth.of(&reader.channel).at(&place.epoch, message.seq);
        let held = kept.is_some_and(|kept| kept.message == *message);
        ensure(held, Rule::Phantom, || {
            format!("{} of {} is no message of it", message.seq, place.epoch)
        })?;
        let last = place.seq;
        ensure(message.seq == last.next(), Rule::ReaderOrder, || {
            format!("{} came after {last}", message.seq)
        })?;
        (place.seq, place.term) = (message.seq, message.term);
        self.tally.deliveries += 1;
        apply(&mut reader.values, message);
        if std::mem::take(&mut reader.resumed) {
            self.saw(match paged {
                true => Sight::ResumedByPages,
                false => Sight::ResumedFromRing,
            });
        }
        Ok(())
    }

    fn left_out(&mut self, reader: &mut Reader, to: Seq, count: u64, reason: SkipReason) -> Verdict {
        let policy = reader.policy;
        let Some(place) = &mut reader.place else {
            return ensure(false, Rule::ReaderOrder, || {
                "messages were left out before an answer".to_owned()
            });
        };
        let last = place.seq;
        ensure(last < to && to.0 - last.0 == count, Rule::ReaderOrder, || {
            format!("{count} messages from {last} to {to} were left out")
        })?;
        let era = self.truth.of(&reader.channel).eras.get(&place.epoch);
        let after = era.map_or(&[][..], |era| era.after(last));
        let gone = usize::try_from(count).unwrap_or(usize::MAX).min(after.len());
        let replaced = |at: usize| {
            after[at + 1..]
                .iter()
                .any(|kept| kept.message.key == after[at].message.key)
        };
        let right = match reason {
            SkipReason::Slow => matches!(policy, Policy::Drop | Policy::Latest),
            SkipReason::Superseded => policy == Policy::Latest && (0..gone).all(replaced),
        };
        let known = gone as u64 == count;
        (place.seq, place.term) = (to, Term(0));
        reader.is_exact &= reason == SkipReason::Superseded;
        self.saw(match reason {
            SkipReason::Slow => Sight::Dropped,
            SkipReason::Superseded => Sight::Superseded,
        });
        ensure(right && known, Rule::ReaderOrder, || {
            format!("{last} to {to} left out as {reason:?} under {policy:?}")
        })
    }

    fn interrupted(&mut self, reader: &mut Reader, reason: Reason, position: &Position) -> Verdict {
        let config = &self.setup.namespace(&reader.channel).channel;
        let Some(place) = reader.place.replace(position.clone()) else {
            return ensure(false, Rule::ReaderOrder, || "it lost a place it never had".to_owned());
        };
        let truth = self.truth.of(&reader.channel);
        let floor = truth.eras.get(&place.epoch).map_or(Seq(1), |era| era.floor);
        let behind = place.seq.next() < floor;
        let right = match reason {
            Reason::Truncated => behind && config.keeps_history(),
            Reason::NoHistory => behind && !config.keeps_history(),
            _ => place.epoch != position.epoch,
        };
        let forward = place.epoch != position.epoch || place.seq <= position.seq;
        let held = truth
            .eras
            .get(&position.epoch)
            .is_some_and(|era| position.seq <= era.head());
        self.saw(sight_of(reason));
        ensure(right && forward && held, Rule::Resume, || {
            format!("at {place} of history from {floor} it was moved to {position}: {reason:?}")
        })
    }
}

const fn sight_of(reason: Reason) -> Sight {
    match reason {
        Reason::WindowExceeded => Sight::WindowExceeded,
        Reason::NodeRestarted => Sight::NodeRestarted,
        Reason::Expired => Sight::Expired,
        Reason::NoHistory => Sight::NoHistory,
        Reason::Truncated => Sight::Truncated,
        Reason::PositionAhead => Sight::PositionAhead,
        Reason::Forked => Sight::Forked,
        Reason::AllCopiesLost => Sight::AllCopiesLost,
        Reason::UnknownEpoch => Sight::UnknownEpoch,
        Reason::Forbidden => Sight::Forbidden,
    }
}
