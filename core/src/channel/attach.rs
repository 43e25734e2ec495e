//! Whether a reader can go on from where it was.
//!
//! There are three answers: resumed, rewound, or a discontinuity with its reason. They are given
//! from what is committed, and never guessed.
//!
//! A position ahead of the channel, or one that its history does not hold, is first of all evidence
//! against the one who answers: a stale owner would see just that (rule R8b). This judgement takes
//! it for granted that the caller holds the whole committed log. On a single node it does, for it is
//! the only writer, so such a position is forged or left over, and answering it changes nothing for
//! anybody else. Where ownership can move, it is confirmed first (`standing`).

use std::sync::Arc;

use super::config::Config;
use super::message::Message;
use super::view::View;
use crate::id::{Epoch, Lineage, Position, Seq};

/// Where a reader wants to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// With the next message.
    Head,
    /// With the message after this one.
    Position(Position),
    /// With up to so many of the newest messages.
    Rewind(u32),
}

/// The answer to an attach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Whether anything was missed.
    pub outcome: Outcome,
    /// Delivery goes on after it. What lies between it and the head has to be read back.
    pub position: Position,
    /// The newest message. The first one fanned out after this answer is the next.
    pub head: Position,
    /// On a keyed channel: the values the reader needs, as of the head, where delivery goes on.
    pub values: Option<Values>,
}

/// Whether a reader missed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: delivery goes on after the position asked for. On a keyed channel the changed
    /// values stand for the messages between.
    Resumed,
    /// The reader starts so many messages before the head.
    Rewound(u64),
    /// The position cannot be continued from; delivery goes on after the head.
    Discontinuity(Reason),
}

/// Values of a keyed channel, in the order of their publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// What was set and what was removed since the reader's position.
    Changed(Vec<Arc<Message>>),
    /// Every value. A key that is not among them has none.
    Replace(Vec<Arc<Message>>),
}

/// Why a position cannot be continued from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is older than what is kept.
    WindowExceeded,
    /// The node that kept its history in memory was restarted.
    NodeRestarted,
    /// The channel was unused for so long that it was forgotten.
    Expired,
    /// The channel keeps no history.
    NoHistory,
    /// History was cut while the reader paged through it.
    Truncated,
    /// It lies ahead of what the channel holds.
    PositionAhead,
    /// It names a message that this history does not hold.
    Forked,
    /// Every copy was lost.
    AllCopiesLost,
    /// Its epoch is none this channel ever had.
    UnknownEpoch,
    /// The reader may follow the channel, but not read what lies in the past.
    Forbidden,
}

impl Reason {
    /// Why `given` is not the epoch of a channel in a log of `lineage`; see [`Lineage`].
    #[must_use]
    pub fn of_other_epoch(given: &Epoch, lineage: Lineage) -> Self {
        match Lineage::of(given) {
            None => Self::UnknownEpoch,
            Some(given) if given.incarnation == lineage.incarnation => Self::Expired,
            Some(given) if given.resets != lineage.resets => Self::AllCopiesLost,
            Some(_) => Self::NodeRestarted,
        }
    }
}

impl View {
    /// Where a reader that wants to start `from` stands.
    pub(super) fn attach(&self, from: &From, lineage: Lineage, config: &Config) -> Attachment {
        let head = self.head();
        match from {
            From::Position(position) => match self.judge(position, lineage, config) {
                Ok(()) => self.resumed(position.seq, config),
                Err(Reason::WindowExceeded) if config.faults.evict_without_discontinuity() => {
                    self.resumed(self.history().floor().previous(), config)
                }
                Err(reason) => self.attachment(Outcome::Discontinuity(reason), head),
            },
            From::Rewind(messages) if !self.is_keyed() => {
                let kept = self.history().len() as u64;
                let count = kept.min(u64::from(*messages));
                self.attachment(Outcome::Rewound(count), Seq(head.0 - count))
            }
            // The values are all that a keyed channel has to say about its past.
            From::Rewind(_) | From::Head => self.attachment(Outcome::Rewound(0), head),
        }
    }

    fn resumed(&self, seq: Seq, config: &Config) -> Attachment {
        if self.is_keyed() {
            return Attachment {
                values: Some(Values::Changed(self.keys().changed_since(seq))),
                ..self.attachment(Outcome::Resumed, self.head())
            };
        }
        if config.faults.resume_off_by_one() && seq < self.head() {
            return self.attachment(Outcome::Resumed, seq.next());
        }
        self.attachment(Outcome::Resumed, seq)
    }

    fn attachment(&self, outcome: Outcome, seq: Seq) -> Attachment {
        Attachment {
            outcome,
            position: self.position(seq),
            head: self.head_position(),
            values: self.is_keyed().then(|| Values::Replace(self.keys().values())),
        }
    }

    /// Whether nothing is missing after `position`, or why that cannot be said.
    pub(super) fn judge(&self, position: &Position, lineage: Lineage, config: &Config) -> Result<(), Reason> {
        let Position { epoch, seq, term } = position;
        if epoch != self.epoch() {
            return Err(Reason::of_other_epoch(epoch, lineage));
        }
        if !self.is_keyed() && !config.keeps_history() && *seq != self.head() {
            return Err(Reason::NoHistory);
        }
        if *seq > self.head() {
            return Err(Reason::PositionAhead);
        }
        // Before the first message nobody wrote anything that could differ.
        if seq.0 > 0 && term.0 > 0 {
            match self.terms().at(*seq) {
                Some(written) if written != *term => return Err(Reason::Forked),
                Some(_) => {}
                None => return Err(Reason::WindowExceeded),
            }
        }
        let reaches = if self.is_keyed() {
            *seq >= self.keys().floor()
        } else {
            seq.next() >= self.history().floor()
        };
        if reaches { Ok(()) } else { Err(Reason::WindowExceeded) }
    }
}
