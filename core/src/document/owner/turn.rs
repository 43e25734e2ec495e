//! Everything that can happen to a document at its owner, and everything it can ask for.

use std::time::Instant;

use crate::document::guard::{Loaded, Snapshot};
use crate::document::log::{self, Row};
use crate::document::message::{EditorId, Join, ToGateway, ToOwner};
use crate::id::NodeId;

/// One thing that happened.
#[derive(Debug)]
pub enum Input<E> {
    /// A gateway has said something, under this join.
    Said {
        /// Which.
        from: NodeId,
        /// How often it had joined then.
        join: Join,
        /// What.
        message: ToOwner,
    },
    /// Something could not be sent to a gateway: there was no room.
    Unsent(NodeId),
    /// A gateway is gone, with all its editors (rule D12).
    Gone(NodeId),
    /// The document was loaded.
    Loaded {
        /// As in [`Effect::Load`].
        activation: u64,
        /// What the store has.
        found: Box<Found<E>>,
    },
    /// The store could not be asked.
    LoadFailed {
        /// As in [`Effect::Load`].
        activation: u64,
    },
    /// The store's answer to [`Effect::Append`], [`Effect::Read`] or [`Effect::Snapshot`].
    Store {
        /// As there.
        activation: u64,
        /// What it says.
        input: log::Input<Writer>,
    },
    /// The document in the store is not the one that was loaded, or has less: it was deleted, or the store set back.
    Lost {
        /// As in the effect that was answered so.
        activation: u64,
    },
    /// Another node owns the document from now on.
    Given,
    /// The time that was asked for has come.
    Wake,
}

/// A document as it was loaded.
#[derive(Debug)]
pub struct Found<E> {
    /// The document, by [`guard::load`](crate::document::guard::load).
    pub document: Loaded<E>,
    /// The last row in its snapshot, and the snapshot's state vector; `None` without one.
    pub snapshot: Option<(u64, Vec<u8>)>,
    /// The rows after it: their numbers and bytes.
    pub tail: Vec<(u64, usize)>,
}

/// What the shell must do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Bring the document into memory, on another thread.
    Load {
        /// Names the answer.
        activation: u64,
    },
    /// Append these rows in one transaction.
    Append {
        /// Names the answer.
        activation: u64,
        /// The rows.
        rows: Vec<Row>,
    },
    /// Read what comes after a row.
    Read {
        /// Names the answer.
        activation: u64,
        /// That row.
        after: u64,
    },
    /// [Check](crate::document::guard::check) a snapshot on another thread, and store it. All that is in it is saved.
    Snapshot {
        /// Names the answer.
        activation: u64,
        /// The last row that it takes the place of.
        through: u64,
        /// What to store.
        snapshot: Snapshot,
        /// The state vector of the one before, if there is one.
        before: Option<Vec<u8>>,
    },
    /// Tell a gateway, which may be this node's own.
    Send {
        /// Which.
        to: NodeId,
        /// Its join that this belongs to.
        join: Join,
        /// What.
        message: ToGateway,
    },
    /// Tell an operator that an update made the library fail. The document is loaded again.
    Failed {
        /// What happened.
        reason: String,
    },
    /// Tell an operator that the document cannot be read.
    SetAside {
        /// Why.
        reason: String,
    },
    /// Send [`Input::Wake`] then.
    Wake {
        /// When.
        at: Instant,
    },
}

/// Who has written an edit, and is told that it is saved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writer {
    /// An editor at a gateway.
    Editor(NodeId, Join, EditorId),
    /// A program, by the number of what it asked.
    Program(NodeId, Join, u64),
    /// The owner itself, which waits for all that is in a snapshot.
    Snapshot,
}
