//! Everything that can happen to a slot at its owner, and everything it can ask for.

use std::time::Instant;

use super::stored::{Batch, StoreFailure};
use crate::channel::{Opening, Proposal, Refusal, Retired, Stored, Ticket};
use crate::id::{ChannelName, Index, Term};
use crate::time::WallTime;

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// An actor starts for a channel and wants what the slot holds.
    Open {
        /// Which.
        channel: ChannelName,
    },
    /// A channel wants changes appended, in this order. They are committed together.
    Propose {
        /// Which.
        channel: ChannelName,
        /// The changes.
        proposals: Vec<Proposal>,
    },
    /// The actor of a channel ended in order. What it leaves behind is kept, without copies, until
    /// it is opened again or its time has come.
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
        at: Instant,
    },
    /// A channel is set aside after faults: nothing is taken for it until it is released. Known to
    /// this node only.
    Quarantine {
        /// Which.
        channel: ChannelName,
    },
    /// The store has answered [`Effect::Load`]: what it holds, `None` if it knows no such channel.
    Loaded {
        /// Of which.
        channel: ChannelName,
        /// Under which lease it was asked.
        term: Term,
        /// What.
        found: Result<Option<Box<Stored>>, StoreFailure>,
        /// The wall time, which the stored ages are counted by.
        wall: WallTime,
    },
    /// The store has synced a batch.
    Stored {
        /// Of which channel.
        channel: ChannelName,
        /// Which.
        through: Index,
    },
    /// The store has not committed a batch.
    StoreFailed {
        /// Of which channel.
        channel: ChannelName,
        /// Which.
        through: Index,
        /// Why.
        failure: StoreFailure,
    },
    /// The way to the store is full: what a channel proposed is not taken.
    Decline {
        /// Which.
        channel: ChannelName,
        /// The round it was proposed under.
        round: u64,
    },
    /// A reader brought a position that may show that this node is the owner no longer (rule R8b).
    /// The answer is [`Effect::Confirmed`], once it is known that it still is.
    Doubt {
        /// Of which channel.
        channel: ChannelName,
        /// Numbers the channel's doubts.
        through: Ticket,
    },
    /// The actor of the slot began again after a failure.
    Restarted,
    /// An operator lifts the quarantine.
    Release {
        /// Of which.
        channel: ChannelName,
    },
    /// A timer that was asked for has come.
    Wake(Timer),
}

/// Every timer of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// When to look which channels have something due.
    Due,
}

/// What the shell must do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start the channel with this.
    Opened {
        /// Which.
        channel: ChannelName,
        /// What the slot holds of it.
        opening: Box<Opening>,
    },
    /// Do not start the channel.
    Barred {
        /// Which.
        channel: ChannelName,
        /// Why: it is set aside, or its store does not answer.
        reason: Refusal,
    },
    /// Ask the store what it holds of a channel; answer with [`Input::Loaded`].
    Load {
        /// Which.
        channel: ChannelName,
        /// Under which lease; to be given back.
        term: Term,
    },
    /// Give a batch to the store, in this order; answer with [`Input::Stored`] or
    /// [`Input::StoreFailed`], in this order too.
    Store(Batch),
    /// Tell the store about a channel what is in no entry. Nobody waits for it.
    Mark {
        /// Which.
        channel: ChannelName,
        /// When it was last used.
        used: Instant,
        /// When something of it is due.
        due: Option<Instant>,
    },
    /// End the actor of a channel: nobody knows what the store holds of it. Whoever waits is refused,
    /// and it is opened anew when it is wanted again.
    Closed {
        /// Which.
        channel: ChannelName,
        /// Why.
        reason: Refusal,
    },
    /// Another node writes the slot to the store. If this one owns the slot, by what it knows, it may claim it there again.
    Unleased,
    /// Tell a channel that its proposals are committed.
    Committed {
        /// Which.
        channel: ChannelName,
        /// Up to this one.
        through: Ticket,
        /// How many nodes hold them.
        copies: u8,
    },
    /// Tell a channel that proposals were not taken.
    Refused {
        /// Which.
        channel: ChannelName,
        /// Why.
        reason: Refusal,
        /// What it begins again with. What is not in its tail was not taken.
        opening: Box<Opening>,
    },
    /// Tell a channel whether acknowledgements may be given.
    Standing {
        /// Which.
        channel: ChannelName,
        /// Why not.
        standing: Result<(), Refusal>,
    },
    /// Tell a channel that this node was the owner after its doubts.
    Confirmed {
        /// Which.
        channel: ChannelName,
        /// Up to this doubt.
        through: Ticket,
    },
    /// Forget what a channel has just proposed: it was of an earlier round, which has been answered.
    Dropped {
        /// Which.
        channel: ChannelName,
    },
    /// Ask a channel to propose what is due, starting an actor for it if none runs.
    Due {
        /// Which.
        channel: ChannelName,
    },
    /// Send [`Input::Wake`] then, and not before. Those that were asked for earlier may come as well: they mean nothing.
    Wake {
        /// When.
        at: Instant,
        /// With this.
        timer: Timer,
    },
}
