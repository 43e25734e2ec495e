//! Who among the subscribers looks at what arrives.

/// Probes among the subscribers: one in so many, which is three in a hundred.
const SUBSCRIBERS_PER_PROBE: usize = 33;

/// The fewest probes, as far as there are subscribers: one alone would tell its own place in the order of writes.
const PROBES_MIN: usize = 4;

/// Who among the subscribers is a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Roles {
    subscribers: usize,
    probes: usize,
}

impl Roles {
    /// Nearly all sinks, and a few probes.
    pub(crate) fn mostly_sinks(subscribers: usize) -> Self {
        Self {
            subscribers,
            probes: (subscribers / SUBSCRIBERS_PER_PROBE).max(PROBES_MIN).min(subscribers),
        }
    }

    /// Sinks only, for connections that idle.
    pub(crate) fn sinks_only(subscribers: usize) -> Self {
        Self { subscribers, probes: 0 }
    }

    /// How many there are in all.
    pub(super) fn subscribers(self) -> usize {
        self.subscribers
    }

    /// How many sinks there are.
    pub(super) fn sinks(self) -> usize {
        self.subscribers - self.probes
    }

    /// How many probes there are.
    pub(super) fn probes(self) -> usize {
        self.probes
    }

    /// The part of a subscriber. Probes stand evenly among the others, for a server serves the first to come first and
    /// the last to come last.
    pub(super) fn of(self, subscriber: usize) -> Role {
        // Probes up to and including this subscriber, when probe `p` stands in the middle of the `p`th even share.
        let probes_through = |subscriber: usize| {
            ((2 * (subscriber + 1) * self.probes + self.subscribers) / (2 * self.subscribers.max(1))).min(self.probes)
        };
        let before = if subscriber == 0 {
            0
        } else {
            probes_through(subscriber - 1)
        };
        if probes_through(subscriber) > before {
            Role::Probe(before)
        } else {
            Role::Sink(subscriber - before)
        }
    }
}

/// What a subscriber is, and its number among its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Sink(usize),
    Probe(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subscriber_has_one_part_and_probes_stand_evenly_among_them() {
        for subscribers in [1, 2, 4, 5, 20, 33, 500, 1_000] {
            let roles = Roles::mostly_sinks(subscribers);
            let probes: Vec<usize> = (0..subscribers)
                .filter(|n| matches!(roles.of(*n), Role::Probe(_)))
                .collect();
            assert_eq!(probes.len(), roles.probes(), "of {subscribers}");
            let sinks = (0..subscribers)
                .filter(|n| matches!(roles.of(*n), Role::Sink(_)))
                .count();
            assert_eq!(sinks + probes.len(), subscribers);
            let share = subscribers as f64 / probes.len() as f64;
            for (number, at) in probes.iter().enumerate() {
                let middle = (number as f64 + 0.5) * share;
                assert!(
                    (*at as f64 - middle).abs() <= share / 2.0 + 1.0,
                    "probe {number} of {subscribers} at {at}"
                );
            }
        }
        assert_eq!(Roles::mostly_sinks(500).probes(), 15);
        assert_eq!(Roles::mostly_sinks(20).probes(), 4);
        assert_eq!(Roles::mostly_sinks(2).probes(), 2);
        assert_eq!(Roles::sinks_only(9).probes(), 0);
    }

    #[test]
    fn parts_are_numbered_in_order() {
        let roles = Roles::mostly_sinks(100);
        let (mut sinks, mut probes) = (0, 0);
        for subscriber in 0..100 {
            match roles.of(subscriber) {
                Role::Sink(number) => {
                    assert_eq!(number, sinks);
                    sinks += 1;
                }
                Role::Probe(number) => {
                    assert_eq!(number, probes);
                    probes += 1;
                }
            }
        }
    }
}
