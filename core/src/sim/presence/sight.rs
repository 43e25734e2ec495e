//! What a run has met. A suite that never met something proves nothing about it.

use std::collections::BTreeMap;

/// One thing worth meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// A client returned within its grace at another node.
    TakeOver,
    /// A client returned within its grace at the same node.
    Return,
    /// A client did not return within its grace.
    TooLate,
    /// A dead node's entries were purged.
    Purge,
    /// A digest differed, and a listing repaired it.
    Repair,
    /// A slot was owned by another node.
    OwnerChange,
    /// Nobody owned a slot for a while.
    Gap,
    /// The new owner had held no copy.
    Stranger,
    /// A feed was behind, and its heads showed it.
    Behind,
    /// A node returned from a cut as the same start of itself.
    Healed,
    /// A node crashed and came back.
    Restart,
    /// A watcher was told that what it sees may be old.
    Stale,
    /// A watcher was told of nodes that may be dead.
    Uncertain,
    /// A channel was too large for its roster.
    Withheld,
    /// A member left with one tab and stayed with another.
    OtherTab,
    /// A client was there by two connections at once.
    Copied,
    /// An ephemeral state was passed on.
    Ephemeral,
    /// A message was doubled.
    Doubled,
    /// A lane was full.
    Unsent,
}

/// What was seen, and how often.
#[derive(Debug, Clone, Default)]
pub struct Sights(BTreeMap<Sight, u64>);

impl Sights {
    pub(super) fn see(&mut self, sight: Sight) {
        *self.0.entry(sight).or_default() += 1;
    }

    /// How often something was seen.
    #[must_use]
    pub fn count(&self, sight: Sight) -> u64 {
        self.0.get(&sight).copied().unwrap_or(0)
    }

    /// Adds what another run has seen.
    pub fn add(&mut self, other: &Self) {
        for (sight, count) in &other.0 {
            *self.0.entry(*sight).or_default() += count;
        }
    }

    /// What was never seen.
    #[must_use]
    pub fn missing(&self) -> Vec<Sight> {
        Sight::ALL.into_iter().filter(|sight| self.count(*sight) == 0).collect()
    }
}

impl Sight {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::TakeOver,
        Self::Return,
        Self::TooLate,
        Self::Purge,
        Self::Repair,
        Self::OwnerChange,
        Self::Gap,
        Self::Stranger,
        Self::Behind,
        Self::Healed,
        Self::Restart,
        Self::Stale,
        Self::Uncertain,
        Self::Withheld,
        Self::OtherTab,
        Self::Copied,
        Self::Ephemeral,
        Self::Doubled,
        Self::Unsent,
    ];
}
