//! What must hold, whatever happens.
//!
//! The checker keeps a truth of its own, made from what the slots committed, and judges every
//! [`Fact`] against it: by rules that are stated here and in no other place, not by asking the
//! machines that are being checked. The first fact that breaks a [`Rule`] ends the run.
//!
//! * `truth`: what was committed, and in which history;
//! * `commit`: what a slot may commit;
//! * `publish`: what publishers may be told;
//! * `place`: what a channel may answer its readers;
//! * `read`: what readers may see;
//! * `rest`: what must hold once everything has come to rest.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use self::publish::Ops;
use self::read::Reader;
use self::truth::Truth;
use super::coverage::Coverage;
use super::fact::{Fact, ReaderId};
use super::setup::Setup;
use super::sight::Sight;
use super::suite::Tally;
use crate::channel::Durability;
use crate::time::Now;

mod commit;
mod place;
mod publish;
mod read;
mod rest;
mod truth;

/// A promise that a run can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// I1: what is acknowledged is in the log, and stays as long as the settings say.
    Acknowledged,
    /// I2: nothing appears that was not published.
    Phantom,
    /// I3: each publish appears once at most, and never after it was given up.
    Once,
    /// I4: a reader gets every message in order, or is told what it does not get.
    ReaderOrder,
    /// I5: the publishes of a client appear in its order.
    PublisherOrder,
    /// I6: what was acknowledged before another publish began stands before it.
    RealTime,
    /// I8: a place that history reaches is resumed, and no other.
    Resume,
    /// I10: history begins again only when it was lost or forgotten.
    Epoch,
    /// Nobody is shown what is not committed.
    OutputGate,
    /// A publisher is told the truth about its serials (R10, R11).
    Serials,
    /// A reader that may not read the past is not shown it (Z1).
    Rights,
    /// Every queue keeps its bound.
    Bounds,
    /// Copies that applied the same entries are equal.
    Copies,
    /// L1: once faults have stopped, every publish is settled, every question is answered, and every
    /// reader comes to the head.
    Liveness,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// What happened instead.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.text)
    }
}

/// Nothing, or what was broken.
pub(super) type Verdict = Result<(), Violation>;

/// Says that `rule` is broken unless `kept`.
pub(super) fn ensure(kept: bool, rule: Rule, text: impl FnOnce() -> String) -> Verdict {
    if kept {
        Ok(())
    } else {
        Err(Violation { rule, text: text() })
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Checker {
    setup: Arc<Setup>,
    truth: Truth,
    ops: Ops,
    readers: BTreeMap<ReaderId, Reader>,
    coverage: Coverage<Sight>,
    tally: Tally,
}

impl Checker {
    pub(super) fn new(setup: Arc<Setup>) -> Self {
        Self {
            setup,
            truth: Truth::default(),
            ops: Ops::default(),
            readers: BTreeMap::new(),
            coverage: Coverage::default(),
            tally: Tally::default(),
        }
    }

    /// Takes note of a fact, and judges it.
    pub(super) fn observe(&mut self, fact: &Fact, now: Now) -> Verdict {
        match fact {
            Fact::Invoked {
                op,
                client,
                channel,
                key,
                deleted,
            } => self.invoked(*op, *client, channel, key.as_ref(), *deleted, now.instant),
            Fact::Numbered { op, serial } => self.ops.numbered(*op, *serial),
            Fact::Settled { op, outcome } => self.settled(*op, outcome, now.instant),
            Fact::Committed(entry) => self.committed(entry, now.instant),
            Fact::Lost { channel } => {
                self.truth.of(channel).lost = true;
                Ok(())
            }
            Fact::Restarted { reset } => {
                let setup = &self.setup;
                let is_stored = |name: &_| setup.namespace(name).channel.durability == Durability::Stored;
                self.truth.restart(*reset, is_stored);
                Ok(())
            }
            Fact::Opened { channel, found } => self.opened(channel, found.as_ref(), now.instant),
            Fact::Used { channel } => {
                self.truth.of(channel).used = Some(now.instant);
                Ok(())
            }
            Fact::FannedOut {
                channel,
                epoch,
                message,
            } => self.fanned_out(channel, epoch, message, now.instant),
            Fact::Acked { asked, ack } => self.acked(asked, ack),
            Fact::Refused { asked, refusal } => self.refused(asked, refusal, now),
            Fact::Placed {
                channel,
                from,
                attachment,
            } => self.placed(channel, from, attachment),
            Fact::Paged { channel, range, page } => self.paged(channel, range, page),
            Fact::Began {
                reader,
                client,
                channel,
            } => {
                self.readers.insert(*reader, Reader::new(*client, channel));
                Ok(())
            }
            Fact::Seen { reader, seen } => self.seen(*reader, seen),
            Fact::Ended { reader } => {
                self.readers.remove(reader);
                Ok(())
            }
            Fact::Held {
                channel,
                head,
                floor,
                history,
            } => self.held(channel, head, *floor, history),
            Fact::Rested { reader, attached } => self.rested(*reader, *attached),
            Fact::Over => self.over(),
        }
    }

    /// Notes that something was seen.
    pub(super) fn saw(&mut self, sight: Sight) {
        self.coverage.saw(sight);
    }

    /// What was checked.
    pub(super) const fn tally(&self) -> Tally {
        self.tally
    }

    /// What was seen.
    pub(super) const fn coverage(&self) -> &Coverage<Sight> {
        &self.coverage
    }
}

#[cfg(test)]
mod tests;
