//! One direction between two ends: what becomes of each packet.

use std::time::Duration;

use fastrand::Rng;

/// How long a packet that is to be overtaken is held back: longer than a burst of packets is apart.
const HELD: Duration = Duration::from_millis(25);

/// What is done to packets of one direction. The default does nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rule {
    /// Nothing passes.
    pub(crate) cut: bool,
    /// Share of packets that are lost.
    pub(crate) loss: f64,
    /// Share that arrive twice.
    pub(crate) duplicate: f64,
    /// Share that are held back until later ones have passed.
    pub(crate) reorder: f64,
    /// How long each takes.
    pub(crate) delay: Duration,
    /// How much longer or shorter, at most. More than a packet's distance from the next reorders, too.
    pub(crate) jitter: Duration,
}

impl Rule {
    pub(crate) const CUT: Self = Self {
        cut: true,
        loss: 0.0,
        duplicate: 0.0,
        reorder: 0.0,
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
    };
}

/// When a packet arrives: never, once or twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate([Option<Duration>; 2]);

impl Fate {
    pub(crate) fn delays(self) -> impl Iterator<Item = Duration> {
        self.0.into_iter().flatten()
    }
}

/// Draws for one direction.
pub(crate) struct Path {
    rng: Rng,
}

impl Path {
    /// Each direction has dice of its own: what one carries does not change the fate of another's packets.
    pub(crate) fn new(seed: u64, direction: u64) -> Self {
        let mut mixed = Rng::with_seed(seed);
        for _ in 0..direction {
            mixed.u64(..);
        }
        Self {
            rng: Rng::with_seed(mixed.u64(..)),
        }
    }

    pub(crate) fn decide(&mut self, rule: &Rule) -> Fate {
        // Always the same number of draws, so that a rule that changes in the middle does not shift what follows.
        let [lost, doubled, held] = [(); 3].map(|()| self.rng.f64());
        let delays = [(); 2].map(|()| {
            let swing = rule.jitter.mul_f64(2.0 * self.rng.f64());
            (rule.delay + swing).saturating_sub(rule.jitter)
        });
        if rule.cut || lost < rule.loss {
            return Fate([None, None]);
        }
        let held = if held < rule.reorder { HELD } else { Duration::ZERO };
        Fate([Some(delays[0] + held), (doubled < rule.duplicate).then_some(delays[1])])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUGH: Rule = Rule {
        cut: false,
        loss: 0.2,
        duplicate: 0.1,
        reorder: 0.05,
        delay: Duration::from_millis(30),
        jitter: Duration::from_millis(10),
    };

    fn fates(seed: u64, direction: u64, rule: Rule) -> Vec<Fate> {
        let mut path = Path::new(seed, direction);
        (0..10_000).map(|_| path.decide(&rule)).collect()
    }

    #[test]
    fn a_seed_repeats_and_directions_differ() {
        assert_eq!(fates(7, 3, ROUGH), fates(7, 3, ROUGH));
        assert_ne!(fates(7, 3, ROUGH), fates(8, 3, ROUGH));
        assert_ne!(fates(7, 3, ROUGH), fates(7, 4, ROUGH));
    }

    #[test]
    fn shares_and_times_are_those_of_the_rule() {
        let fates = fates(1, 0, ROUGH);
        let share = |of: fn(&Fate) -> bool| fates.iter().filter(|fate| of(fate)).count() as f64 / fates.len() as f64;
        let lost = share(|fate| fate.delays().count() == 0);
        let doubled = share(|fate| fate.delays().count() == 2);
        let held = share(|fate| fate.delays().any(|delay| delay > Duration::from_millis(40)));
        assert!((0.18..0.22).contains(&lost), "{lost}");
        assert!((0.06..0.10).contains(&doubled), "{doubled}: a tenth of those that pass");
        assert!(
            (0.02..0.05).contains(&held),
            "{held}: a twentieth, of which a few come early enough"
        );
        let range = Duration::from_millis(20)..=Duration::from_millis(40) + HELD;
        assert!(
            fates
                .iter()
                .flat_map(|fate| fate.delays())
                .all(|delay| range.contains(&delay))
        );
    }

    #[test]
    fn no_rule_does_nothing_and_a_cut_stops_everything() {
        let passes = Fate([Some(Duration::ZERO), None]);
        assert!(fates(1, 0, Rule::default()).iter().all(|fate| *fate == passes));
        assert!(fates(1, 0, Rule::CUT).iter().all(|fate| fate.delays().count() == 0));
    }
}
