//! Collaborative documents, as actors: the rules are [`starling_core::document`].
//!
//! ```text
//!   editors ──▶ gateway, at each node that has some ──▶ owner, at the node that owns the slot ──▶ store
//! ```
//!
//! A node may have both of one document; they speak the same way as over a link, and what one of them is asked keeps its
//! room until the other has worked it off.
//!
//! * [`gateway`], [`owner`]: the actors; [`storing`]: what an owner asks of the store, off its turn;
//! * [`unsaved`]: what a node that stops waits for;
//! * here: what both need.

use std::sync::Arc;

use starling_cluster::link::InboxRoom;
use starling_runtime::mailbox::Permit;

pub mod gateway;
pub mod owner;
mod storing;
pub mod unsaved;

/// Requests of editors and programs that a document at this node has not worked off.
pub const MAILBOX_SIZE: u32 = 1_024;

/// The room that something takes among what is not worked off, wherever it came from: free when the last that follows from it
/// is.
#[derive(Debug, Clone)]
pub enum Held {
    /// Of a message of another node.
    Inbox(Arc<InboxRoom>),
    /// Of an editor's or a program's request.
    Request(Arc<Permit>),
    /// None: it is one of a kind.
    Nothing,
}

impl From<InboxRoom> for Held {
    fn from(room: InboxRoom) -> Self {
        Self::Inbox(Arc::new(room))
    }
}

impl From<Permit> for Held {
    fn from(permit: Permit) -> Self {
        Self::Request(Arc::new(permit))
    }
}
