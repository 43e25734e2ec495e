//! A node's own clock: ahead of the others, and faster or slower.

use std::time::Duration;

use crate::sim::dice::Dice;

/// What each clock shows when it goes as it should, in a thousand.
const TRUE: u64 = 1_000;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim) struct Clock {
    ahead: Duration,
    /// What passes on it while a thousand passes.
    rate: u64,
}

impl Clock {
    /// Up to an hour ahead; in some runs up to a tenth too fast or too slow, which is far more than
    /// clocks err by, and as much as a busy host makes of one.
    pub(in crate::sim) fn draw(errs: bool, dice: &mut Dice) -> Self {
        Self {
            ahead: dice.time((Duration::ZERO, Duration::from_secs(3_600))),
            rate: if errs { dice.between((900, 1_100)) } else { TRUE },
        }
    }

    /// What it shows after `passed`, as time since the run began.
    pub(in crate::sim) fn shows(&self, passed: Duration) -> Duration {
        self.ahead + scale(passed, self.rate, TRUE)
    }

    /// When it shows `shown`, or a little later.
    pub(in crate::sim) fn passed_at(&self, shown: Duration) -> Duration {
        scale(shown.saturating_sub(self.ahead), TRUE, self.rate)
    }
}

/// `time` times `by` over `of`, in whole nanoseconds, rounded up.
fn scale(time: Duration, by: u64, of: u64) -> Duration {
    let nanos = (time.as_nanos() * u128::from(by)).div_ceil(u128::from(of));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
