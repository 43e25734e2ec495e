//! What a run has met. A suite that never met something proves nothing about it.

use std::collections::BTreeMap;

/// One thing worth meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// A slot that nobody owned was claimed.
    Virgin,
    /// A member took a slot over.
    Claim,
    /// An heir, no member, took a slot over.
    HeirClaim,
    /// A slot was handed over.
    HandOver,
    /// A slot's history was given up.
    Reset,
    /// A member was removed.
    Shrink,
    /// A member was added.
    Grow,
    /// An owner was left alone in its set.
    Alone,
    /// A command of the table was refused because somebody was faster.
    Passed,
    /// An owner of the past was told so.
    Fenced,
    /// A copy had to be sent a snapshot.
    Snapshot,
    /// A snapshot of more than one part.
    Parts,
    /// A copy lacked entries.
    Behind,
    /// A copy dropped another owner's entries.
    Replaced,
    /// A new owner inherited what was not committed.
    Inherited,
    /// A publish was sent again and had been carried out.
    Duplicate,
    /// A publish was refused for want of copies.
    Lacking,
    /// A doubtful position was settled.
    Doubt,
    /// A reader was told that its history is lost.
    Told,
    /// A reader went on at another owner without missing anything.
    Resumed,
    /// A node stood still and woke as an owner.
    WokeAsOwner,
    /// A node that would not return was declared lost.
    Buried,
    /// All nodes were restarted, one after another.
    Rolled,
    /// A gateway read back what its feed lacked.
    ReadBack,
    /// A gateway's feed went on at another owner.
    FollowedOn,
    /// A relay went on with the feed of a channel that its node had owned.
    TookUp,
    /// A node became the owner of what it had relayed.
    GaveWay,
    /// An owner committed what its readers had from the owner before it.
    ShownBefore,
    /// A gateway was told that it missed messages.
    Notified,
    /// A lane had no room.
    LaneFull,
    /// A link began anew.
    LaneReset,
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
    pub const ALL: [Self; 31] = [
        Self::Virgin,
        Self::Claim,
        Self::HeirClaim,
        Self::HandOver,
        Self::Reset,
        Self::Shrink,
        Self::Grow,
        Self::Alone,
        Self::Passed,
        Self::Fenced,
        Self::Snapshot,
        Self::Parts,
        Self::Behind,
        Self::Replaced,
        Self::Inherited,
        Self::Duplicate,
        Self::Lacking,
        Self::Doubt,
        Self::Told,
        Self::Resumed,
        Self::WokeAsOwner,
        Self::Buried,
        Self::Rolled,
        Self::ReadBack,
        Self::FollowedOn,
        Self::TookUp,
        Self::GaveWay,
        Self::ShownBefore,
        Self::Notified,
        Self::LaneFull,
        Self::LaneReset,
    ];
}
