//! What may be done to the slot table.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::id::{Generation, NodeId, NodeName, SlotId};

/// One change of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A node has started. It proves that earlier starts of its name are dead, for it holds the
    /// exclusive lock on the name's data directory.
    Register {
        /// Which.
        node: NodeId,
    },
    /// An operator declares that a node will not come back with what it holds, and accepts the loss.
    Bury {
        /// Which; the start that is registered, and all before it.
        name: NodeName,
    },
    /// A slot changes.
    Change {
        /// Which.
        slot: SlotId,
        /// The version of its record that this was decided on.
        version: u64,
        /// Who asks.
        by: NodeId,
        /// What for.
        change: Change,
    },
}

/// What may happen to a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The one who asks takes the slot over, under the next term.
    Claim,
    /// Members leave the in-sync set.
    Shrink {
        /// Which. That one of them is no member is no error.
        without: BTreeSet<NodeId>,
    },
    /// Members join the in-sync set. They hold the log, and their acks are required, before this is
    /// asked (rule R5).
    Grow {
        /// Which.
        with: BTreeSet<NodeId>,
    },
    /// The owner gives the slot to an in-sync member.
    HandOver {
        /// Which.
        to: NodeId,
    },
    /// The one who asks begins the slot anew, for every copy is proved dead.
    Reset,
    /// Nothing. The owner learns that it still is the owner, as of when the table answers.
    Confirm,
}

/// A command was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A slot changed.
    Changed {
        /// The version of its record by now.
        version: u64,
    },
    /// Something else was noted.
    Done,
}

/// A command was not carried out, and changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Somebody else changed the slot first.
    #[error("the slot has moved on to version {version}; look at it and decide anew")]
    Passed {
        /// The version of its record.
        version: u64,
    },
    /// Only its owner may do this to a slot.
    #[error("only the owner of the slot may do this; ask it, or claim the slot")]
    NotOwner,
    /// The one who asks owns the slot already.
    #[error("the node owns the slot already; nothing is to be done")]
    Owned,
    /// Neither an in-sync member nor an heir, or the owner itself where another is meant.
    #[error("the node holds no copy that counts; it has to catch up first")]
    NotAMember,
    /// A node that could hold what was acknowledged is not proved dead.
    #[error("a node that may hold acknowledged messages is not proved dead; bring it back, or declare it lost")]
    NotProvedDead,
    /// The node was never registered.
    #[error("the node is not registered; it registers when it starts")]
    NotRegistered,
    /// A later start of the same name is registered, or this one was declared lost.
    #[error("start {generation} of this name or a later one counts; this node must stop")]
    Superseded {
        /// The start that counts, or the one that was declared lost.
        generation: Generation,
    },
    /// The table has fewer slots.
    #[error("there is no such slot; the number of slots is fixed when a cluster is created")]
    NoSuchSlot,
}
