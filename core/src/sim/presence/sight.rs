//! What a run has met. A suite that never met something proves nothing about it.

use crate::sim::coverage::sights;

sights! {
    /// A client returned within its grace at another node.
    TakeOver,
    /// A client returned within its grace at the same node.
    Return,
    /// A client closed its connection and returned within the grace of a reload.
    Reload,
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
    /// One that nothing newer followed was told once more.
    Rested,
    /// A message was doubled.
    Doubled,
    /// A lane was full.
    Unsent,
}
