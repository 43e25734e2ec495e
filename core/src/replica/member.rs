//! What an owner knows of one copy.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::catch_up::CatchUp;
use crate::id::Index;

/// Appends on their way to a copy that it has not answered. With one a millisecond this covers a
/// round trip of 64 ms; a copy that is further away, or slower, is simply behind.
pub(super) const IN_FLIGHT_MAX: usize = 64;

/// Entries a copy may lack when its acks begin to be required. It gets them in a round trip.
pub(super) const LAG_MAX: u64 = 64;

/// What a copy is to the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It catches up. Nobody waits for it.
    Learner,
    /// Its acks are required, and do not count: whether it is a member is not known (R5, R6).
    Pending {
        /// It may be added to the table once it holds this: everything that is committed from then
        /// on waits for it.
        mark: Index,
        /// The version of the record that the table was asked about; from then on only the table
        /// can say that its acks are not needed.
        asked: Option<u64>,
    },
    /// A member of the in-sync set, as the table said.
    Confirmed,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) standing: Standing,
    /// Its log is the owner's up to here.
    pub(super) matched: Index,
    /// It has said where it stands; until then it is asked, with an append of nothing.
    pub(super) is_known: bool,
    /// Its log may be the owner's up to here, as it said itself: where to send from.
    pub(super) begins: Index,
    /// Entries up to here were sent.
    pub(super) sent: Index,
    /// The last entry of each append on its way.
    pub(super) in_flight: VecDeque<Index>,
    /// Since when it owes an ack without any progress.
    pub(super) owes_since: Option<Instant>,
    /// When it was asked, or sent again what it owes an ack for.
    pub(super) repeated: Option<Instant>,
    /// It was told that everything up to here is committed, and when it is to be told more.
    pub(super) told: Index,
    pub(super) tell_at: Option<Instant>,
    /// The snapshot that it gets.
    pub(super) catch_up: Option<CatchUp>,
}

impl Member {
    /// A copy of which nothing is known.
    pub(super) const fn new(standing: Standing, appended: Index) -> Self {
        Self {
            standing,
            matched: Index(0),
            is_known: false,
            begins: Index(0),
            sent: appended,
            in_flight: VecDeque::new(),
            owes_since: None,
            repeated: None,
            told: Index(0),
            tell_at: None,
            catch_up: None,
        }
    }

    /// Whether entries wait for its ack.
    pub(super) const fn is_required(&self) -> bool {
        matches!(self.standing, Standing::Pending { .. } | Standing::Confirmed)
    }

    pub(super) const fn is_confirmed(&self) -> bool {
        matches!(self.standing, Standing::Confirmed)
    }

    /// Notes whether it owes an ack.
    pub(super) fn look(&mut self, appended: Index, now: Instant) {
        if self.matched >= appended {
            self.owes_since = None;
        } else {
            self.owes_since.get_or_insert(now);
        }
    }

    /// Whether it has owed an ack for too long.
    pub(super) fn is_silent(&self, silence: Duration, now: Instant) -> bool {
        self.owes_since.is_some_and(|since| now >= since + silence)
    }

    /// Whether something is due that is repeated every so often.
    pub(super) fn repeats(&mut self, every: Duration, now: Instant) -> bool {
        let due = self.repeated.is_none_or(|last| now >= last + every);
        if due {
            self.repeated = Some(now);
        }
        due
    }

    /// It holds the owner's log up to `through`.
    pub(super) fn advance(&mut self, through: Index, now: Instant) {
        self.is_known = true;
        self.in_flight.retain(|last| *last > through);
        if through > self.matched {
            self.matched = through;
            self.owes_since = Some(now);
        }
        self.sent = self.sent.max(self.matched);
    }

    /// It has said that its log is the owner's up to `last` at most.
    pub(super) fn stands_at(&mut self, last: Index) {
        self.is_known = true;
        self.begins = last;
        self.rewind();
    }

    /// Sends again what it has not acknowledged.
    pub(super) fn rewind(&mut self) {
        self.sent = self.matched.max(self.begins);
        self.in_flight.clear();
    }
}
