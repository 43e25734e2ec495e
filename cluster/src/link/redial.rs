//! When a peer is dialled again.

use std::time::Duration;

use rand::RngExt as _;
use tokio::time::Instant;

/// The first wait before a node is dialled again, and the longest. A node that restarts is back within seconds and is found
/// within one.
const REDIAL_FIRST: Duration = Duration::from_millis(50);
const REDIAL_MAX: Duration = Duration::from_secs(1);

/// When a node is dialled again: later each time, and never with all the others at once.
pub(super) struct Redial {
    pub(super) at: Instant,
    wait: Duration,
}

impl Redial {
    pub(super) fn new() -> Self {
        Self {
            at: Instant::now(),
            wait: REDIAL_FIRST,
        }
    }

    pub(super) const fn is_first(&self) -> bool {
        self.wait.as_millis() == REDIAL_FIRST.as_millis()
    }

    pub(super) fn later(&mut self) {
        let part = rand::rng().random_range(0.5..1.0);
        self.at = Instant::now() + self.wait.mul_f64(part);
        self.wait = (self.wait * 2).min(REDIAL_MAX);
    }

    pub(super) fn now(&mut self) {
        self.at = Instant::now();
    }

    pub(super) const fn reset(&mut self) {
        self.wait = REDIAL_FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_grow_to_a_second_and_are_never_the_same_for_all() {
        let mut redial = Redial::new();
        let mut most = REDIAL_FIRST;
        for _ in 0..10 {
            redial.later();
            let wait = redial.at - Instant::now();
            assert!(wait >= most / 2 && wait < most, "{wait:?} of {most:?}");
            most = (most * 2).min(REDIAL_MAX);
        }
        assert!(!redial.is_first());
        redial.reset();
        redial.now();
        assert!(redial.is_first() && redial.at == Instant::now());
    }
}
