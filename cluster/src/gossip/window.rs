//! Which of a sender's datagrams have come: a captured one is good once.

/// Datagrams that may overtake each other. A node sends some twenty a second, so those are the last six seconds.
const WIDTH: u64 = 128;

/// The newest counter, and a bit for each of those below it.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    newest: u64,
    seen: u128,
}

impl Window {
    /// Whether a counter comes for the first time; one that is too old to tell counts as seen.
    pub(super) const fn take(&mut self, counter: u64) -> bool {
        if counter > self.newest {
            let ahead = counter - self.newest;
            self.seen = if ahead >= WIDTH { 0 } else { self.seen << ahead };
            self.seen |= 1;
            self.newest = counter;
            return true;
        }
        let behind = self.newest - counter;
        if counter == 0 || behind >= WIDTH || self.seen & (1 << behind) != 0 {
            return false;
        }
        self.seen |= 1 << behind;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::rngs::SmallRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    #[test]
    fn each_counter_is_taken_once_in_any_order() {
        for seed in 0..200 {
            let mut dice = SmallRng::seed_from_u64(seed);
            let (mut window, mut taken, mut head) = (Window::default(), BTreeSet::new(), 1u64);
            for _ in 0..2_000 {
                head += dice.random_range(0..3);
                let counter = head.saturating_sub(dice.random_range(0..160)).max(1);
                let newest = taken.last().copied().unwrap_or(0);
                let in_reach = counter + WIDTH > newest;
                let expected = in_reach && !taken.contains(&counter);
                assert_eq!(window.take(counter), expected, "seed {seed}, {counter} after {newest}");
                if expected {
                    taken.insert(counter);
                }
            }
        }
    }

    #[test]
    fn the_ends_of_the_range_are_counters_like_others() {
        let mut window = Window::default();
        assert!(!window.take(0), "no datagram has number 0");
        assert!(window.take(u64::MAX) && !window.take(u64::MAX));
        assert!(window.take(u64::MAX - WIDTH + 1) && !window.take(u64::MAX - WIDTH));
    }
}
