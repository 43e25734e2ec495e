//! The rates of many parties, in a table that does not grow with them.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use super::{Rate, interval};

/// Between two sweeps of a full table: looking at every entry for each stranger would make strangers
/// expensive.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// One [`Rate`] for each party that asked lately. A party that is not kept has asked for nothing for
/// a second or more, and is owed a whole burst: so the table forgets whom it can. When it is full of
/// parties that keep asking, those it does not know share one rate: strangers may then be held back
/// by each other, and nobody gets more than a party may.
#[derive(Debug)]
pub struct Quotas<K> {
    interval: Option<Duration>,
    parties_max: usize,
    /// Looked up and swept, never walked in order: a keyed hasher does not break a replay.
    rates: HashMap<K, Rate>,
    /// Of all who find no room in the table.
    strangers: Rate,
    sweep_at: Option<Instant>,
}

impl<K: Eq + Hash> Quotas<K> {
    /// So many a second for each party, 0 for no limit; at most so many parties told apart.
    #[must_use]
    pub fn new(per_second: u32, parties_max: usize) -> Self {
        Self {
            interval: interval(per_second),
            parties_max,
            rates: HashMap::new(),
            strangers: Rate::default(),
            sweep_at: None,
        }
    }

    /// Takes one of what `party` may have.
    ///
    /// # Errors
    /// How long to wait until it would be given.
    pub fn take(&mut self, party: K, now: Instant) -> Result<(), Duration> {
        if self.interval.is_none() {
            return Ok(());
        }
        if let Some(rate) = self.rates.get_mut(&party) {
            return rate.take(self.interval, now);
        }
        if self.rates.len() >= self.parties_max && self.sweep_at.is_none_or(|at| at <= now) {
            self.sweep_at = Some(now + SWEEP_INTERVAL);
            self.rates.retain(|_, rate| !rate.is_at_rest(now));
        }
        if self.rates.len() >= self.parties_max {
            return self.strangers.take(self.interval, now);
        }
        self.rates.entry(party).or_default().take(self.interval, now)
    }

    /// Whether [`take`](Self::take) would give `party` one now.
    ///
    /// # Errors
    /// How long to wait until it would.
    pub fn look(&self, party: &K, now: Instant) -> Result<(), Duration> {
        match (self.interval, self.rates.get(party)) {
            (None, _) => Ok(()),
            (Some(_), Some(rate)) => rate.look(now),
            (Some(_), None) if self.rates.len() < self.parties_max => Ok(()),
            (Some(_), None) => self.strangers.look(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::tests::start;

    /// How many of a hundred are given at once.
    fn given(quotas: &mut Quotas<u32>, party: u32, now: Instant) -> usize {
        (0..100).filter(|_| quotas.take(party, now).is_ok()).count()
    }

    #[test]
    fn each_party_has_its_own() {
        let mut quotas = Quotas::new(10, 8);
        assert_eq!(given(&mut quotas, 1, start()), 11);
        assert_eq!(given(&mut quotas, 2, start()), 11);
        assert_eq!(quotas.take(1, start()), Err(Duration::from_millis(100)));
        assert_eq!(quotas.look(&1, start()), Err(Duration::from_millis(100)));
        assert_eq!(
            (quotas.look(&3, start()), quotas.rates.len()),
            (Ok(()), 2),
            "looking takes nothing"
        );
        assert_eq!(given(&mut quotas, 1, start() + Duration::from_millis(300)), 3);
    }

    #[test]
    fn a_full_table_forgets_who_is_owed_everything_and_the_rest_share() {
        let mut quotas = Quotas::new(10, 2);
        assert_eq!(given(&mut quotas, 1, start()), 11);
        assert_eq!(given(&mut quotas, 2, start()), 11);
        // Both keep what they used, so strangers share one burst between them.
        assert_eq!(given(&mut quotas, 3, start()), 11);
        assert_eq!(given(&mut quotas, 4, start()), 0);
        assert!(quotas.look(&5, start()).is_err());
        assert_eq!(quotas.rates.len(), 2);
        let later = start() + Duration::from_secs(5);
        assert_eq!(
            given(&mut quotas, 3, later),
            11,
            "there is room: the others were forgotten"
        );
        assert_eq!(given(&mut quotas, 4, later), 11);
        assert_eq!(given(&mut quotas, 1, later), 11, "of the strangers");
        assert_eq!(quotas.rates.len(), 2, "it does not grow");
    }

    #[test]
    fn a_full_table_is_swept_once_a_second() {
        let mut quotas = Quotas::new(10, 1);
        assert!(quotas.take(1, start()).is_ok());
        assert!(
            quotas.take(2, start()).is_ok(),
            "a stranger; the sweep found nobody to forget"
        );
        let soon = start() + Duration::from_millis(999);
        assert!(quotas.take(3, soon).is_ok());
        assert!(
            !quotas.rates.contains_key(&3),
            "the first is at rest, and nobody looked"
        );
        assert!(quotas.take(4, start() + SWEEP_INTERVAL).is_ok());
        assert!(quotas.rates.contains_key(&4));
    }

    #[test]
    fn no_rate_refuses_nobody_and_keeps_nothing() {
        let mut quotas = Quotas::new(0, 2);
        assert_eq!(given(&mut quotas, 1, start()), 100);
        assert!(quotas.rates.is_empty());
    }
}
