//! Everything that can happen to a roster, and everything it can ask for.

use std::time::Instant;

use crate::id::{NodeId, SlotId, Term};
use crate::presence::message::{Message, ToOwner, ToReplica};

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// The slot table says what this node is to a slot.
    Role {
        /// Which slot.
        slot: SlotId,
        /// What.
        role: Role,
    },
    /// A gateway or a follower has said something.
    Asked {
        /// Who.
        from: NodeId,
        /// What.
        asked: ToOwner,
    },
    /// An owner has said something to its replica.
    Told {
        /// Who.
        from: NodeId,
        /// What.
        told: ToReplica,
    },
    /// A node lives, may be dead, or is.
    Standing {
        /// Which.
        node: NodeId,
        /// How.
        standing: Standing,
    },
    /// This node hears from a majority of the nodes that decide who owns what, or does not any more.
    Quorum(bool),
    /// What was on its way to a node, or from it, may be lost.
    Reset(NodeId),
    /// The time that was asked for has come.
    Wake,
}

/// What this node is to a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Its owner.
    Owner {
        /// Under this term.
        term: Term,
    },
    /// One of its replicas.
    Replica {
        /// Of this owner, while one is known, under this term.
        owner: Option<(NodeId, Term)>,
    },
    /// Nothing.
    None,
}

/// How a node is, as far as this one knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is heard from, and hears us.
    Up,
    /// It was silent for a while.
    Suspect,
    /// It was declared dead, has left, or has started anew as another.
    Down,
}

/// What the shell must do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send something to a node, which may be this one.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Send [`Input::Wake`] then, and not before. Those that were asked for earlier may come as well: they mean nothing.
    Wake {
        /// When.
        at: Instant,
    },
}
