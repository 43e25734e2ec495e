//! Which datagrams have come: a captured one is good once.
//!
//! They are known by their tags, which nobody can make come out the same, and not by their counters: whoever has the key
//! could use up the counters of another, and have its own datagrams refused.

use std::collections::HashSet;
use std::time::Duration;

use super::open::AGE_MAX;
use super::seal::TAG_BYTES;

/// How long a datagram may be good, on a clock that is ahead of its sender's by [`AGE_MAX`] when it comes first.
const GOOD_TIME_MAX: Duration = Duration::from_secs(2 * AGE_MAX.as_secs());

/// Tags that are kept at a time, and those that came before them: a node of a large cluster takes some fifty datagrams a
/// second, so this is ten times what comes while one is good. A flood of whoever has the key makes them forgotten sooner;
/// what is then taken twice says nothing that was not said.
const TAGS_MAX: usize = 32 * 1024;

type Tag = [u8; TAG_BYTES];

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Replays {
    newer: HashSet<Tag>,
    older: HashSet<Tag>,
    turned_ms: u64,
}

impl Replays {
    /// Whether a datagram comes for the first time.
    pub(super) fn take(&mut self, tag: &Tag, now_ms: u64) -> bool {
        let is_long_ago = u128::from(now_ms.abs_diff(self.turned_ms)) > GOOD_TIME_MAX.as_millis();
        if is_long_ago || self.newer.len() >= TAGS_MAX {
            self.older = std::mem::take(&mut self.newer);
            self.turned_ms = now_ms;
        }
        !self.older.contains(tag) && self.newer.insert(*tag)
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.newer.len() + self.older.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_700_000_000_000;

    fn tag(number: usize) -> Tag {
        (number as u128).to_le_bytes()
    }

    #[test]
    fn each_is_taken_once_for_as_long_as_it_is_good() {
        let mut replays = Replays::default();
        let good = GOOD_TIME_MAX.as_millis() as u64;
        for step in 0..200 {
            let now = START + step * 1_000;
            assert!(replays.take(&tag(step as usize), now));
            let oldest = step.saturating_sub(good / 1_000);
            for known in oldest..=step {
                assert!(!replays.take(&tag(known as usize), now), "{known} at {step}");
            }
        }
        assert!(
            replays.kept() <= 2 * good as usize / 1_000 + 2,
            "{} kept",
            replays.kept()
        );
    }

    #[test]
    fn so_many_are_kept_and_the_newest_are_known() {
        let mut replays = Replays::default();
        for number in 0..5 * TAGS_MAX {
            assert!(replays.take(&tag(number), START));
            assert!(replays.kept() <= 2 * TAGS_MAX);
        }
        assert!(!replays.take(&tag(5 * TAGS_MAX - 1), START));
        assert!(!replays.take(&tag(4 * TAGS_MAX), START));
        assert!(replays.take(&tag(0), START), "the oldest is forgotten");
    }
}
