//! What must hold of a history, whatever was done to the nodes. The numbers are those of docs/chaos.md.
//!
//! A checker believes the clients' notes and nothing that a node says of itself. Each is a pass over the records:
//!
//! | file | checks |
//! | --- | --- |
//! | `place.rs` | where each message stands: once, attempted, one payload for a position (I2, I3, I5, I6, I7) |
//! | `kept.rs` | what was acknowledged is there, and what a node tells in the end is what was read (I1, I9) |
//! | `reading.rs` | each reader's list: in order, without a silent gap, told of every loss (I4, I8, I10) |
//! | `live.rs` | after everything is healed, everything works (L1) |
//!
//! `tests.rs` breaks good histories in every way that is named here.

mod kept;
mod live;
mod place;
mod reading;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::history::{Event, Record};

/// Violations of each promise that are told whole; the others are counted.
const TOLD_MAX: u64 = 5;

/// Which promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rule {
    /// I1: an acknowledged publish is gone.
    Lost,
    /// I2: a message that nobody published, or that was refused for good.
    Phantom,
    /// I3: a publish stands twice, or was delivered twice.
    Duplicated,
    /// I3: a position is two messages.
    Forked,
    /// I4, I5, I6: out of its reader's, its publisher's or time's order.
    Reordered,
    /// I7: two owners under one term, or a term that goes down.
    Fencing,
    /// I4, I8: messages are missing and the reader was not told.
    SilentGap,
    /// I9: a node tells another history than was read.
    History,
    /// I9: an acknowledgement names another place than where the message stands.
    Misplaced,
    /// I10: a reader was told of a loss, and nothing was lost.
    Discontinuity,
    /// An acknowledgement speaks of fewer copies than the promise.
    Copies,
    /// L1: something did not work again within its time.
    Liveness,
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

/// What a history is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// How often each promise was broken.
    pub(crate) broken: BTreeMap<Rule, u64>,
    /// The first of each.
    pub(crate) told: Vec<Violation>,
    /// Publishes that were acknowledged.
    pub(crate) acked: u64,
    /// Publishes that failed at the client.
    pub(crate) failed: u64,
    /// Messages given to readers.
    pub(crate) delivered: u64,
    /// Times that a reader went on where it was.
    pub(crate) resumed: u64,
    /// Times that a reader was told of a loss.
    pub(crate) discontinuities: u64,
    /// Faults made.
    pub(crate) faults: u64,
}

impl Verdict {
    pub(crate) fn count(&self, rule: Rule) -> u64 {
        self.broken.get(&rule).copied().unwrap_or(0)
    }

    fn broke(&mut self, rule: Rule, what: impl FnOnce() -> String) {
        let times = self.broken.entry(rule).or_default();
        *times += 1;
        if *times <= TOLD_MAX {
            self.told.push(Violation { rule, what: what() });
        }
    }

    fn ensure(&mut self, holds: bool, rule: Rule, what: impl FnOnce() -> String) {
        if !holds {
            self.broke(rule, what);
        }
    }
}

/// Checks a whole history.
pub(crate) fn check(records: &[Record]) -> Verdict {
    let mut verdict = Verdict::default();
    let scene = Scene::of(records);
    count(records, &mut verdict);
    let places = place::check(records, &scene, &mut verdict);
    kept::check(records, &scene, &places, &mut verdict);
    reading::check(records, &scene, &mut verdict);
    live::check(records, &scene, &mut verdict);
    verdict
}

/// What several checkers have to know beforehand.
struct Scene<'a> {
    copies_min: u32,
    channels: &'a [String],
    /// From when to when there was no node, after every copy of a history was killed. What was on its way to a client is
    /// noted in between.
    losses: Vec<(u64, u64)>,
    /// The history of each channel in the end: the first that was read.
    ends: BTreeMap<&'a str, End<'a>>,
    /// Subscriptions that ended for good, and are not expected to have everything.
    ended: BTreeSet<(&'a str, &'a str)>,
}

/// A channel in the end.
struct End<'a> {
    node: &'a str,
    epoch: &'a str,
    head: u64,
    messages: BTreeMap<u64, &'a str>,
}

impl<'a> Scene<'a> {
    fn of(records: &'a [Record]) -> Self {
        let mut scene = Self {
            copies_min: 1,
            channels: &[],
            losses: Vec::new(),
            ends: BTreeMap::new(),
            ended: BTreeSet::new(),
        };
        for Record { t, event } in records {
            match event {
                Event::Run {
                    copies_min, channels, ..
                } => (scene.copies_min, scene.channels) = (*copies_min, channels),
                Event::Fault { loses: true, .. } => scene.losses.push((*t, u64::MAX)),
                Event::Healed { .. } => {
                    let open = scene.losses.last_mut().filter(|(_, until)| *until == u64::MAX);
                    if let Some((_, until)) = open {
                        *until = *t;
                    }
                }
                Event::Ended { client, channel, .. } => _ = scene.ended.insert((client, channel)),
                Event::History {
                    node,
                    channel,
                    epoch,
                    head,
                    messages,
                } => {
                    scene.ends.entry(channel).or_insert_with(|| End {
                        node,
                        epoch,
                        head: *head,
                        messages: messages.iter().map(|(seq, value)| (*seq, value.as_str())).collect(),
                    });
                }
                _ => {}
            }
        }
        scene
    }

    /// Whether history may have been given up between the two.
    fn is_lost_between(&self, from: u64, to: u64) -> bool {
        self.losses.iter().any(|(began, until)| *began <= to && from <= *until)
    }
}

fn count(records: &[Record], verdict: &mut Verdict) {
    let mut attached = BTreeSet::new();
    for record in records {
        match &record.event {
            Event::Ok { .. } => verdict.acked += 1,
            Event::Fail { .. } => verdict.failed += 1,
            Event::Message { .. } => verdict.delivered += 1,
            Event::Discontinuity { .. } => verdict.discontinuities += 1,
            Event::Fault { .. } => verdict.faults += 1,
            Event::Attached {
                client,
                channel,
                outcome,
                ..
            } => {
                let is_first = attached.insert((client, channel));
                verdict.resumed += u64::from(!is_first && outcome == "resumed");
            }
            _ => {}
        }
    }
}
