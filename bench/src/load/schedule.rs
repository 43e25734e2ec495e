//! When messages should leave, and how well that was kept.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How much later than intended a message may leave before it counts as late. Above what the scheduler of a small
/// virtual machine does to any thread (a round trip between two idle threads takes 4 ms once in a hundred times), and a
/// tenth of the 50 ms that a delivery may take.
const LATE: Duration = Duration::from_millis(5);

/// An open loop: message `n` leaves at `start + n / rate`, whatever became of those before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// When the first message leaves.
    pub(crate) start: Instant,
    /// Messages a second; at least one.
    pub(crate) rate: u32,
    /// Messages in all.
    pub(crate) count: u64,
}

impl Schedule {
    /// When a message should leave. Computed from the start each time: intervals that are added up drift.
    pub(crate) fn intended(&self, message: u64) -> Instant {
        let nanoseconds = u128::from(message) * 1_000_000_000 / u128::from(self.rate.max(1));
        self.start + Duration::from_nanos(nanoseconds as u64)
    }

    /// The next message to send at `now` when `sent` have left: due, not yet due, or none left.
    pub(crate) fn next(&self, sent: u64, now: Instant) -> Next {
        match self.intended(sent) {
            _ if sent >= self.count => Next::Done,
            at if at <= now => Next::Due(at),
            at => Next::At(at),
        }
    }
}

/// What a schedule wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A message that should have left at this instant.
    Due(Instant),
    /// Nothing before this instant.
    At(Instant),
    /// Nothing any more.
    Done,
}

/// How late messages left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lateness {
    /// Messages that left.
    pub(crate) messages: u64,
    /// Messages of these that left late.
    pub(crate) late: u64,
    /// The worst delay, late or not.
    pub(crate) worst: Duration,
}

impl Lateness {
    /// Takes note of a message that left.
    pub(crate) fn note(&mut self, intended: Instant, left: Instant) {
        let delay = left.saturating_duration_since(intended);
        self.messages += 1;
        self.late += u64::from(delay > LATE);
        self.worst = self.worst.max(delay);
    }

    /// What another publisher did, too.
    pub(crate) fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.late += other.late;
        self.worst = self.worst.max(other.worst);
    }

    /// Share of late messages, 0 to 1.
    pub(crate) fn share(&self) -> f64 {
        self.late as f64 / self.messages.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_do_not_drift_even_when_the_interval_is_no_whole_number() {
        let schedule = Schedule {
            start: Instant::now(),
            rate: 3,
            count: 3_000_001,
        };
        assert_eq!(
            schedule.intended(3_000_000),
            schedule.start + Duration::from_secs(1_000_000)
        );
        assert_eq!(schedule.intended(1), schedule.start + Duration::from_nanos(333_333_333));
    }

    #[test]
    fn after_a_stall_everything_missed_is_due_at_its_own_instant() {
        let schedule = Schedule {
            start: Instant::now(),
            rate: 100,
            count: 4,
        };
        let now = schedule.start + Duration::from_millis(25);
        let due = |ms| schedule.start + Duration::from_millis(ms);
        assert_eq!(schedule.next(0, now), Next::Due(due(0)));
        assert_eq!(schedule.next(2, now), Next::Due(due(20)));
        assert_eq!(schedule.next(3, now), Next::At(due(30)));
        assert_eq!(schedule.next(4, now), Next::Done);
    }

    #[test]
    fn late_is_later_than_allowed_and_early_is_never_late() {
        let intended = Instant::now() + Duration::from_secs(1);
        let mut lateness = Lateness::default();
        lateness.note(intended, intended - Duration::from_millis(1));
        lateness.note(intended, intended + LATE);
        lateness.note(intended, intended + LATE + Duration::from_nanos(1));
        lateness.note(intended, intended + Duration::from_millis(80));
        assert_eq!(
            (lateness.messages, lateness.late, lateness.worst),
            (4, 2, Duration::from_millis(80))
        );
        assert!((lateness.share() - 0.5).abs() < 1e-12);
        assert!(Lateness::default().share().abs() < 1e-12, "nothing sent, nothing late");
    }
}
