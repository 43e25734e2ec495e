//! What a run has met. A suite that never met something proves nothing about it.

use crate::sim::coverage::sights;

sights! {
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
