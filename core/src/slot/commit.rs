//! How far a slot's log is committed.
//!
//! This is where replication meets the slot. An entry is committed once every member of the slot's
//! in-sync set holds it, and an acknowledgement says how many those are. Alone, a node is the whole
//! set: what it appends is committed. In a cluster [`crate::replica`] knows what each member holds,
//! and says how far that is. Nothing else in the slot knows how many nodes there are.

use crate::id::Index;

/// Decides what is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitPoint {
    /// This node alone holds the log.
    Standalone,
    /// Other nodes hold it too: so far as this.
    Replicated(Reached),
}

/// How far the log is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reached {
    /// Up to this entry.
    pub through: Index,
    /// Nodes that hold all of it.
    pub copies: u8,
}

impl CommitPoint {
    /// How far the log is committed when this node has appended up to `appended`.
    #[must_use]
    pub fn reached(&self, appended: Index) -> Reached {
        match self {
            Self::Standalone => Reached {
                through: appended,
                copies: 1,
            },
            Self::Replicated(reached) => Reached {
                through: reached.through.min(appended),
                ..*reached
            },
        }
    }
}
