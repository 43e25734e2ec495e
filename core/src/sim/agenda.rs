//! The one queue of events, and the simulated clocks.
//!
//! Events happen in the order of their instants, and of their entry where instants are equal. Time
//! stands still while an event is handled and jumps to the next, so a day costs what happens in it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::time::{Now, WallTime};

/// What the wall shows when a run begins: noon of some day.
const NOON: u64 = 1_700_000_000_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Agenda<E> {
    start: Instant,
    now: Instant,
    /// Milliseconds that the wall clock is off: it may be stepped.
    wall_step: i64,
    events: BTreeMap<(Instant, u64), E>,
    entered: u64,
    handled: u64,
}

impl<E> Agenda<E> {
    pub(super) fn new() -> Self {
        let start = origin();
        Self {
            start,
            now: start,
            wall_step: 0,
            events: BTreeMap::new(),
            entered: 0,
            handled: 0,
        }
    }

    /// Both clocks.
    pub(super) fn now(&self) -> Now {
        let passed = u64::try_from(self.passed().as_millis()).unwrap_or(u64::MAX);
        Now {
            instant: self.now,
            wall: WallTime(NOON.saturating_add(passed).saturating_add_signed(self.wall_step)),
        }
    }

    /// Time since the run began.
    pub(super) fn passed(&self) -> Duration {
        self.now - self.start
    }

    /// Events handled so far.
    pub(super) const fn handled(&self) -> u64 {
        self.handled
    }

    /// Enters an event that happens after a while.
    pub(super) fn after(&mut self, wait: Duration, event: E) {
        self.at(self.now + wait, event);
    }

    /// Enters an event; one of the past happens now.
    pub(super) fn at(&mut self, at: Instant, event: E) {
        self.entered += 1;
        self.events.insert((at.max(self.now), self.entered), event);
    }

    /// The next event up to `end` after the beginning, at its time. `None` at the end.
    pub(super) fn next(&mut self, end: Duration) -> Option<E> {
        let (&(at, _), _) = self.events.first_key_value()?;
        if at > self.start + end {
            return None;
        }
        let (_, event) = self.events.pop_first()?;
        self.now = at;
        self.handled += 1;
        Some(event)
    }

    /// Steps the wall clock; nothing else moves.
    pub(super) fn step_wall(&mut self, millis: i64) {
        self.wall_step = self.wall_step.saturating_add(millis);
    }
}

/// Where simulated time begins. Runs go on from it by arithmetic and nothing depends on where it
/// lies; it is taken once so that what one run recorded can be fed to the checks of another.
#[expect(
    clippy::disallowed_methods,
    reason = "an `Instant` cannot be made but from the clock"
)]
pub(super) fn origin() -> Instant {
    use std::sync::OnceLock;
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn events_come_in_the_order_of_time_and_entry() {
        let mut agenda = Agenda::new();
        for (after, name) in [(2, "c"), (1, "a"), (1, "b"), (9, "late")] {
            agenda.after(SECOND * after, name);
        }
        let mut seen = Vec::new();
        while let Some(name) = agenda.next(SECOND * 5) {
            seen.push((agenda.passed().as_secs(), name));
        }
        assert_eq!(seen, [(1, "a"), (1, "b"), (2, "c")]);
        agenda.at(agenda.start, "past");
        assert_eq!((agenda.next(SECOND * 5), agenda.passed()), (Some("past"), SECOND * 2));
    }

    #[test]
    fn the_wall_follows_time_and_can_be_stepped() {
        let mut agenda = Agenda::new();
        agenda.after(SECOND, ());
        let _ = agenda.next(SECOND);
        assert_eq!(agenda.now().wall, WallTime(NOON + 1_000));
        agenda.step_wall(-3_000);
        assert_eq!((agenda.now().wall, agenda.passed()), (WallTime(NOON - 2_000), SECOND));
    }
}
