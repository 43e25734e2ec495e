//! What runs have met: whether a green suite means anything.
//!
//! A check that never met the case it is for proves nothing. Every case that matters is a *sight*; a suite fails as
//! inconclusive when one of them was never seen.

use std::collections::BTreeMap;
use std::fmt;

/// The sights of one simulation.
pub trait Sighted: Copy + Ord + fmt::Debug + 'static {
    /// Every one of them.
    const ALL: &'static [Self];
}

/// Declares the sights of a simulation.
macro_rules! sights {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// One case that a suite must have met.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Sight {
            $($(#[$doc])* $name,)+
        }

        impl $crate::sim::coverage::Sighted for Sight {
            const ALL: &'static [Self] = &[$(Self::$name,)+];
        }
    };
}

pub(super) use sights;

/// How often each sight was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage<S>(BTreeMap<S, u64>);

impl<S> Default for Coverage<S> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<S: Sighted> Coverage<S> {
    /// How often it was seen.
    #[must_use]
    pub fn count(&self, sight: S) -> u64 {
        self.0.get(&sight).copied().unwrap_or(0)
    }

    /// The sights of `wanted` that were not seen.
    #[must_use]
    pub fn missing(&self, wanted: &[S]) -> Vec<S> {
        wanted.iter().copied().filter(|sight| self.count(*sight) == 0).collect()
    }

    /// Adds what another run has seen.
    pub fn add(&mut self, other: &Self) {
        for (sight, count) in &other.0 {
            *self.0.entry(*sight).or_default() += count;
        }
    }

    pub(super) fn saw(&mut self, sight: S) {
        *self.0.entry(sight).or_default() += 1;
    }
}

impl<S: Sighted> fmt::Display for Coverage<S> {
    /// Every sight with its count, in lines of a few.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in S::ALL.chunks(4) {
            for sight in line {
                write!(f, "{:>20} {:<7}", format!("{sight:?}"), self.count(*sight))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sight;
    use super::*;

    #[test]
    fn what_was_not_seen_is_missing() {
        let (mut one, mut other) = (Coverage::default(), Coverage::default());
        one.saw(Sight::Lagged);
        other.saw(Sight::Lagged);
        other.saw(Sight::Forked);
        one.add(&other);
        assert_eq!((one.count(Sight::Lagged), one.count(Sight::Forked)), (2, 1));
        assert_eq!(one.missing(&[Sight::Lagged, Sight::Stuck]), [Sight::Stuck]);
        assert_eq!(one.missing(Sight::ALL).len(), Sight::ALL.len() - 2);
    }
}
