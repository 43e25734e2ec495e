//! How often something may be asked for: the generic cell rate algorithm (ITU-T I.371), which needs
//! one instant for each who asks and no timer.
//!
//! [`Rate`] is kept by whoever asks for long, a session for one; [`Quotas`] keeps one for each of
//! many who come and go.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

mod quotas;

pub use quotas::Quotas;

/// What may come at once before a rate holds, in seconds of it: a page that loads may burst, a flood
/// may not.
const BURST: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    /// When the next one would be exactly on schedule; `None` before the first.
    on_schedule: Option<Instant>,
}

impl Rate {
    /// Takes one, `interval` after the previous on average; `None` sets no rate.
    ///
    /// # Errors
    /// How long to wait until it would be taken.
    pub fn take(&mut self, interval: Option<Duration>, now: Instant) -> Result<(), Duration> {
        if let Some(interval) = interval {
            self.look(now)?;
            self.spend(interval, now);
        }
        Ok(())
    }

    /// Whether one may be taken now.
    ///
    /// # Errors
    /// How long to wait until it may.
    pub fn look(&self, now: Instant) -> Result<(), Duration> {
        match self.on_schedule.map(|at| at.saturating_duration_since(now)) {
            Some(ahead) if ahead > BURST => Err(ahead - BURST),
            _ => Ok(()),
        }
    }

    /// Takes one that costs so much time of the schedule, without asking.
    pub fn spend(&mut self, cost: Duration, now: Instant) {
        let on_schedule = self.on_schedule.map_or(now, |at| at.max(now));
        self.on_schedule = Some(on_schedule + cost);
    }

    /// Whether as much may come as if nothing ever had.
    #[must_use]
    pub fn is_at_rest(&self, now: Instant) -> bool {
        self.on_schedule.is_none_or(|at| at <= now)
    }
}

/// What `amount` costs of a schedule on which so many pass in a second.
#[must_use]
pub fn cost(amount: u64, per_second: NonZeroU64) -> Duration {
    let nanos = u128::from(amount) * 1_000_000_000 / u128::from(per_second.get());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The time between two at so many a second; `None` for 0, which sets no rate.
#[must_use]
pub const fn interval(per_second: u32) -> Option<Duration> {
    match per_second {
        0 => None,
        rate => Some(Duration::from_nanos(1_000_000_000 / rate as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::tests::start;

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let start = start();
        let interval = Some(Duration::from_millis(100));
        let mut rate = Rate::default();
        let burst = (0..100).take_while(|_| rate.take(interval, start).is_ok()).count();
        assert_eq!(burst, 11, "one second ahead of schedule, and the one that is on it");
        let wait = rate.take(interval, start).expect_err("the burst is spent");
        assert_eq!(wait, Duration::from_millis(100));
        assert!(rate.take(interval, start + wait).is_ok());
        assert!(rate.take(interval, start + wait).is_err());
        assert!(rate.take(None, start).is_ok(), "no rate, no refusal");
    }

    #[test]
    fn quiet_time_is_not_saved_up_beyond_a_burst() {
        let start = start();
        let interval = Some(Duration::from_millis(100));
        let mut rate = Rate::default();
        assert!(rate.take(interval, start).is_ok());
        let later = start + Duration::from_secs(3_600);
        let burst = (0..100).take_while(|_| rate.take(interval, later).is_ok()).count();
        assert_eq!(burst, 11);
    }

    #[test]
    fn what_costs_more_than_a_burst_passes_and_is_paid_for_afterwards() {
        let start = start();
        let per_second = NonZeroU64::new(1_000).expect("above 0");
        let mut rate = Rate::default();
        assert!(rate.look(start).is_ok());
        rate.spend(cost(5_000, per_second), start);
        assert_eq!(rate.look(start), Err(Duration::from_secs(4)));
        assert!(rate.look(start + Duration::from_secs(4)).is_ok());
        assert_eq!(cost(u64::MAX, NonZeroU64::MIN), Duration::from_nanos(u64::MAX));
    }
}
