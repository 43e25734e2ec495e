//! How often something may be asked for: the generic cell rate algorithm (ITU-T I.371), which needs
//! one instant for each who asks and no timer.
//!
//! [`Rate`] is kept by whoever asks for long, a session for one; [`Quotas`] keeps one for each of
//! many who come and go.

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
        let Some(interval) = interval else {
            return Ok(());
        };
        let on_schedule = self.on_schedule.map_or(now, |at| at.max(now));
        let ahead = on_schedule.duration_since(now);
        if ahead > BURST {
            return Err(ahead - BURST);
        }
        self.on_schedule = Some(on_schedule + interval);
        Ok(())
    }

    /// Whether as much may come as if nothing ever had.
    #[must_use]
    pub fn is_at_rest(&self, now: Instant) -> bool {
        self.on_schedule.is_none_or(|at| at <= now)
    }
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
}
