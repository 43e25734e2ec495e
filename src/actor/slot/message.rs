//! What reaches the actor of a slot: from its channels, from its store, from other nodes, from the slot table.

use starling_cluster::link::InboxRoom;
use starling_core::channel::{Opening, Proposal, Refusal, Retired, Stored, Ticket};
use starling_core::id::{ChannelName, Index, NodeId, Term};
use starling_core::replica::{self, Wanted};
use starling_core::slot::{Lease, StoreFailure};
use starling_core::table::{Answer, Record, Refusal as Rejection};
use tokio::sync::oneshot;

/// Everything that reaches the actor of a slot.
#[derive(Debug)]
pub enum Message {
    /// An actor starts for a channel.
    Open {
        /// Which.
        channel: ChannelName,
        /// What the slot holds of it, or why it is not to start.
        reply: oneshot::Sender<Result<Box<Opening>, Refusal>>,
    },
    /// The store says what it holds of a channel.
    Loaded {
        /// Which.
        channel: ChannelName,
        /// Under which lease it was asked.
        term: Term,
        /// What.
        found: Result<Option<Box<Stored>>, StoreFailure>,
    },
    /// The store says what became of a batch.
    Stored {
        /// Of which channel.
        channel: ChannelName,
        /// Which.
        through: Index,
        /// Whether it is synced.
        outcome: Result<(), StoreFailure>,
    },
    /// A channel wants changes appended.
    Propose {
        /// Which.
        channel: ChannelName,
        /// The changes.
        proposals: Vec<Proposal>,
    },
    /// The actor of a channel ended in order.
    Park {
        /// Which.
        channel: ChannelName,
        /// What it leaves.
        retired: Retired,
    },
    /// A channel was used in a way that left no entry.
    Used {
        /// Which.
        channel: ChannelName,
        /// When.
        at: std::time::Instant,
    },
    /// A reader of a channel brought a position that may show that this node is the owner no longer.
    Doubt {
        /// Of which channel.
        channel: ChannelName,
        /// Numbers the channel's doubts.
        through: Ticket,
    },
    /// A channel is to be set aside.
    Quarantine {
        /// Which.
        channel: ChannelName,
    },
    /// Another node that holds the slot has sent something.
    Peer {
        /// Which.
        from: NodeId,
        /// What.
        message: Box<replica::Message>,
        /// Its room among what other nodes have said.
        room: InboxRoom,
    },
    /// The slot's line in the table, as it is by now.
    Table(Box<Record>),
    /// The table has answered a wish.
    Answered {
        /// Which.
        number: u64,
        /// What became of it.
        outcome: Result<Answer, Rejection>,
    },
    /// Who should hold the slot.
    Wanted(Wanted),
    /// A node answers, or does not.
    Heard {
        /// Which.
        node: NodeId,
        /// Whether it does.
        answers: bool,
    },
    /// The store knows this node as the owner.
    Claimed {
        /// Under this term.
        term: Term,
        /// What makes it the one that writes.
        lease: Lease,
    },
    /// What was on its way to a process, or from it, may be lost.
    Reset {
        /// Which.
        node: NodeId,
    },
    /// The instant that channels asked for has come.
    Wake,
    /// The instant that replication asked for has come.
    Beat,
}
