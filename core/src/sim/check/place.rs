//! What a channel may answer its readers: what is committed, and where they stand in it.

use std::sync::Arc;
use std::time::Instant;

use super::commit::SLACK;
use super::{Checker, Rule, Sight, Verdict, ensure};
use crate::channel::{Attachment, Config, Durability, From, Message, Outcome, Page, Range, Reason, Values};
use crate::id::{ChannelName, Epoch, Position, Seq};

/// What may be answered to a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    Resume,
    Lose(Reason),
    /// History was cut and the owner may not have learnt of it: both answers are right.
    ResumeOrLose(Reason),
}

impl Checker {
    /// An actor starts: with all that is committed.
    pub(super) fn opened(&mut self, channel: &ChannelName, found: Option<&(Position, Seq)>, now: Instant) -> Verdict {
        if let Some((head, _)) = found {
            self.adopt(channel, &head.epoch)?;
        }
        let config = &self.setup.namespace(channel).channel;
        let logged = config.durability != Durability::Ephemeral;
        let truth = self.truth.of(channel);
        // What an ephemeral channel left behind is forgotten when its time has come.
        truth.lost |= found.is_none() && truth.used.is_some_and(|used| now + SLACK >= used + config.head_age);
        let known = truth.era().map(super::truth::Era::head);
        truth.shown = known.unwrap_or_default();
        let (expected, shown) = (truth.shown(), found.map(|(head, _)| head.clone()));
        let Some(head) = shown else {
            // An ephemeral channel that has to begin anew says so when it has begun.
            return ensure(!logged || expected.is_none(), Rule::Acknowledged, || {
                format!("{channel} is gone from its slot, and nothing says that it was forgotten")
            });
        };
        let same = expected.as_ref().is_some_and(|expected| *expected == head);
        ensure(same, Rule::Acknowledged, || {
            format!("{channel} was opened at {head} and not where its log ends")
        })?;
        self.saw(if logged { Sight::Reactivated } else { Sight::Unparked });
        Ok(())
    }

    /// A message is given to readers: the next one, and only after its commit.
    pub(super) fn fanned_out(
        &mut self,
        channel: &ChannelName,
        epoch: &Epoch,
        message: &Arc<Message>,
        now: Instant,
    ) -> Verdict {
        if self.setup.namespace(channel).channel.durability == Durability::Ephemeral {
            self.adopt(channel, epoch)?;
            self.append(channel, message, None, message.seq.next(), now)?;
        }
        let truth = self.truth.of(channel);
        let committed = truth
            .at(epoch, message.seq)
            .is_some_and(|kept| kept.message == *message);
        ensure(committed, Rule::OutputGate, || {
            format!("{channel} gave out {}, which is not committed", message.seq)
        })?;
        let next = truth.shown.next();
        truth.shown = message.seq;
        ensure(message.seq == next, Rule::ReaderOrder, || {
            format!("{channel} gave out {} where {next} is next", message.seq)
        })
    }

    /// An attach is answered.
    pub(super) fn placed(&mut self, channel: &ChannelName, from: &From, attachment: &Attachment) -> Verdict {
        let Attachment {
            outcome,
            position,
            head,
            values,
        } = attachment;
        self.adopt(channel, &head.epoch)?;
        let config = self.setup.namespace(channel).channel.clone();
        let shown = self.truth.of(channel).shown();
        ensure(shown.as_ref() == Some(head), Rule::OutputGate, || {
            format!("a reader of {channel} was told the head {head} and not {shown:?}")
        })?;
        let may = match from {
            From::Position(position) => self.judge(channel, position, head, &config),
            From::Head | From::Rewind(_) => return self.started(channel, from, attachment, &config),
        };
        let (asked, resumed) = match (from, outcome) {
            (From::Position(asked), Outcome::Resumed) => (asked, true),
            (From::Position(asked), Outcome::Discontinuity(_)) => (asked, false),
            _ => {
                return ensure(false, Rule::Resume, || {
                    format!("{from:?} on {channel} was answered {outcome:?}")
                });
            }
        };
        let right = match (may, outcome) {
            (May::Resume | May::ResumeOrLose(_), Outcome::Resumed) => true,
            (May::Lose(reason) | May::ResumeOrLose(reason), Outcome::Discontinuity(told)) => reason == *told,
            _ => false,
        };
        ensure(right, Rule::Resume, || {
            format!("{asked} on {channel}, head {head}, was answered {outcome:?}: {may:?}")
        })?;
        if !resumed || config.keyed {
            return self.valued(channel, position, head, values.as_ref(), &config);
        }
        ensure(
            position.epoch == asked.epoch && position.seq == asked.seq,
            Rule::Resume,
            || format!("a reader of {channel} at {asked} was resumed at {position}"),
        )
    }

    /// What may be said to somebody at `asked` when `head` is shown.
    fn judge(&mut self, channel: &ChannelName, asked: &Position, head: &Position, config: &Config) -> May {
        if asked.epoch != head.epoch {
            return May::Lose(self.truth.why_other(channel, &asked.epoch));
        }
        if !config.keyed && !config.keeps_history() && asked.seq != head.seq {
            return May::Lose(Reason::NoHistory);
        }
        if asked.seq > head.seq {
            return May::Lose(Reason::PositionAhead);
        }
        let Some(era) = self.truth.of(channel).era() else {
            return May::Lose(Reason::UnknownEpoch);
        };
        let written = era.at(asked.seq).map(|kept| kept.message.term);
        if asked.term.0 > 0 && written.is_some_and(|written| written != asked.term) {
            return May::Lose(Reason::Forked);
        }
        let (surely, at_least) = match config.keyed {
            true => (asked.seq >= era.keys_floor, true),
            false => (
                asked.seq.next() >= era.floor,
                asked.seq.next() >= era.floor_at(head.seq),
            ),
        };
        match (surely, at_least) {
            (true, _) => May::Resume,
            (false, true) => May::ResumeOrLose(Reason::WindowExceeded),
            (false, false) => May::Lose(Reason::WindowExceeded),
        }
    }

    /// A reader starts without a position.
    fn started(&mut self, channel: &ChannelName, from: &From, attachment: &Attachment, config: &Config) -> Verdict {
        let Attachment {
            outcome,
            position,
            head,
            values,
        } = attachment;
        let Outcome::Rewound(count) = outcome else {
            return ensure(false, Rule::Resume, || {
                format!("{from:?} on {channel} was answered {outcome:?}")
            });
        };
        if config.keyed {
            return self.valued(channel, position, head, values.as_ref(), config);
        }
        let wanted = match from {
            From::Rewind(messages) => u64::from(*messages),
            From::Head | From::Position(_) => 0,
        };
        let era = self.truth.of(channel).era();
        let kept = |floor: Seq| (head.seq.0 + 1).saturating_sub(floor.0);
        let least = era.map_or(0, |era| kept(era.floor)).min(wanted);
        let most = era.map_or(0, |era| kept(era.floor_at(head.seq))).min(wanted);
        ensure(
            (least..=most).contains(count) && position.seq.0 + count == head.seq.0,
            Rule::Resume,
            || format!("{from:?} on {channel} was answered {count} messages before {head}, of {least} to {most}"),
        )
    }

    /// Delivery goes on at the head, and a keyed channel's values come along.
    fn valued(
        &mut self,
        channel: &ChannelName,
        position: &Position,
        head: &Position,
        values: Option<&Values>,
        config: &Config,
    ) -> Verdict {
        ensure(position == head, Rule::Resume, || {
            format!("a reader of {channel} goes on at {position}, not at {head}")
        })?;
        let Some(Values::Replace(given)) = values else {
            return ensure(values.is_some() == config.keyed, Rule::Resume, || {
                format!("{channel} and its values differ")
            });
        };
        let truth = self.truth.of(channel).era().map(|era| era.values_at(head.seq));
        let mut truth: Vec<_> = truth.unwrap_or_default().into_values().collect();
        truth.sort_by_key(|message| message.seq);
        ensure(*given == truth, Rule::ReaderOrder, || {
            format!("the values of {channel} at {head} are others")
        })
    }

    /// A read is answered.
    pub(super) fn paged(&mut self, channel: &ChannelName, range: &Range, page: &Page) -> Verdict {
        // An ephemeral channel that began anew may say so to a reader of its last history first.
        if let Page::Messages { head, .. } | Page::Lost { position: head, .. } = page {
            self.adopt(channel, &head.epoch)?;
        }
        let config = &self.setup.namespace(channel).channel;
        let truth = self.truth.of(channel);
        let shown = truth.shown();
        match page {
            Page::Messages { after, messages, head } => {
                let asked = range.epoch.as_ref() == Some(&after.epoch) && range.after == after.seq;
                ensure(asked && shown.as_ref() == Some(head), Rule::ReaderOrder, || {
                    format!("{channel} answered a read of {:?} with {after}", range.after)
                })?;
                let more = after.seq < head.seq;
                ensure(messages.is_empty() != more, Rule::Liveness, || {
                    format!("{channel} gave an empty page")
                })?;
                let kept = truth.era().map_or(&[][..], |era| era.after(after.seq));
                let same = messages.len() <= kept.len() && messages.iter().zip(kept).all(|(a, b)| *a == b.message);
                ensure(same, Rule::OutputGate, || {
                    format!("{channel} gave a page after {after} that its log does not hold")
                })
            }
            Page::Stored { .. } => ensure(false, Rule::Liveness, || {
                format!("{channel} did not answer a read, and the store was not asked")
            }),
            Page::Lost { reason, position } => {
                let floor = truth.era().map_or(Seq(1), |era| era.floor);
                let behind = range.after.next() < floor;
                let right = match reason {
                    Reason::Truncated => behind && config.keeps_history(),
                    Reason::NoHistory => behind && !config.keeps_history(),
                    _ => range.epoch.as_ref() != truth.current.as_ref(),
                };
                ensure(right && shown.as_ref() == Some(position), Rule::Resume, || {
                    format!(
                        "a read of {channel} after {} was answered {reason:?} at {position}",
                        range.after
                    )
                })
            }
        }
    }
}
