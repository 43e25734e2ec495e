//! How long to wait before trying again.

use std::time::Duration;

use fastrand::Rng;

/// Full jitter: each wait is drawn from zero up to a ceiling that doubles with every failure, up to a cap.
///
/// Clients that lost the same node at the same instant return spread over the whole time, not in waves; the first
/// often returns at once. The method is from "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, failures: 0 }
    }

    /// Failures since the last success.
    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts a failure: the time to wait. `rounds` failures count as one, for a party with so many ways to try.
    pub(crate) fn next(&mut self, rounds: u32, rng: &mut Rng) -> Duration {
        let exponent = self.failures / rounds.max(1);
        self.failures = self.failures.saturating_add(1);
        let ceiling = 2_u32
            .checked_pow(exponent)
            .and_then(|factor| self.base.checked_mul(factor))
            .unwrap_or(self.cap);
        ceiling.min(self.cap).mul_f64(rng.f64())
    }

    /// So many failures are made up for.
    pub(crate) fn forgive(&mut self, failures: u32) {
        self.failures = self.failures.saturating_sub(failures);
    }

    /// A success: the next failure is the first.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_millis(500);
    const CAP: Duration = Duration::from_secs(30);

    #[test]
    fn waits_are_spread_from_zero_to_a_doubling_ceiling() {
        let mut rng = Rng::with_seed(7);
        for failures in 0..40 {
            let ceiling = BASE.mul_f64(2_f64.powi(failures)).min(CAP);
            let waits: Vec<_> = (0..200)
                .map(|_| {
                    Backoff {
                        base: BASE,
                        cap: CAP,
                        failures: failures as u32,
                    }
                    .next(1, &mut rng)
                })
                .collect();
            assert!(waits.iter().all(|wait| *wait <= ceiling), "above {ceiling:?}");
            assert!(
                waits.iter().any(|wait| *wait < ceiling / 4),
                "nothing near zero of {ceiling:?}"
            );
            assert!(
                waits.iter().any(|wait| *wait > ceiling * 3 / 4),
                "nothing near {ceiling:?}"
            );
        }
    }

    #[test]
    fn a_round_over_several_nodes_counts_once_and_success_starts_over() {
        let mut rng = Rng::with_seed(7);
        let mut backoff = Backoff::new(BASE, CAP);
        for _ in 0..3 {
            assert!(backoff.next(3, &mut rng) <= BASE);
        }
        assert_eq!(backoff.failures(), 3);
        backoff.reset();
        assert!(backoff.next(1, &mut rng) <= BASE);
        backoff.forgive(2);
        assert_eq!(backoff.failures(), 0, "there was one");
        let mut worn_out = Backoff {
            base: BASE,
            cap: CAP,
            failures: u32::MAX,
        };
        assert!(worn_out.next(1, &mut rng) <= CAP, "no number of failures overflows");
    }
}
