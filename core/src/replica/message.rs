//! What the nodes that hold a slot say to each other.
//!
//! Every message carries the term it is said under, and is bound to the start of the node that says
//! it. A message may be lost, doubled, or overtake another.

use std::sync::Arc;

use crate::channel::State;
use crate::id::{ChannelName, Index, Lineage, Term};
use crate::slot::{Entry, Place};

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// To a copy: entries of the owner's log, or none.
    Append {
        /// The owner's.
        term: Term,
        /// Which log it is.
        lineage: Lineage,
        /// The entry that they follow.
        previous: Place,
        /// Without a gap.
        entries: Vec<Arc<Entry>>,
        /// Everything up to here is committed.
        committed: Index,
    },
    /// To the owner: the copy's log is the owner's up to here.
    Appended {
        /// The owner's.
        term: Term,
        /// Up to here.
        through: Index,
    },
    /// To the owner: the copy's log is not known to be the owner's beyond this.
    Behind {
        /// The owner's.
        term: Term,
        /// Send from there, or a snapshot.
        last: Index,
    },
    /// To a copy: part of a snapshot.
    Snapshot(Part),
    /// To the owner: parts of a snapshot are held.
    Taken {
        /// The owner's.
        term: Term,
        /// Which snapshot.
        at: Place,
        /// The number of the part that is needed next, or [`WHOLE`].
        next: u32,
    },
    /// Whoever said something under an earlier term: there has been another owner since.
    Fenced {
        /// The latest term that is known.
        term: Term,
    },
    /// To a copy: has there been another owner?
    Probe {
        /// The owner's.
        term: Term,
        /// Numbers the question.
        number: u64,
    },
    /// To the owner: not that the copy knew.
    Probed {
        /// The owner's.
        term: Term,
        /// The question's.
        number: u64,
    },
}

/// The number of the part that is needed next, when none is.
pub const WHOLE: u32 = u32::MAX;

/// Part of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The owner's.
    pub term: Term,
    /// Which log it is of.
    pub lineage: Lineage,
    /// The last entry that is in the snapshot.
    pub at: Place,
    /// 0 for the first.
    pub number: u32,
    /// No part follows.
    pub is_last: bool,
    /// Channels, in the order of their names. Messages are shared, not copied.
    pub channels: Vec<(ChannelName, State)>,
}

impl Message {
    /// The term it is said under.
    #[must_use]
    pub const fn term(&self) -> Term {
        match self {
            Self::Append { term, .. }
            | Self::Appended { term, .. }
            | Self::Behind { term, .. }
            | Self::Snapshot(Part { term, .. })
            | Self::Taken { term, .. }
            | Self::Fenced { term }
            | Self::Probe { term, .. }
            | Self::Probed { term, .. } => *term,
        }
    }
}
