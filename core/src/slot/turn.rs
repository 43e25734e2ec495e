//! Everything that can happen to a slot at its owner, and everything it can ask for.

use std::time::Instant;

use crate::channel::{Opening, Proposal, Refusal, Retired, Ticket};
use crate::id::ChannelName;

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
    /// Do not start the channel: it is set aside.
    Barred {
        /// Which.
        channel: ChannelName,
    },
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
    /// Ask a channel to propose what is due, starting an actor for it if none runs.
    Due {
        /// Which.
        channel: ChannelName,
    },
    /// Send [`Input::Wake`] then. A later one for the same timer takes the place of an earlier one.
    Wake {
        /// When.
        at: Instant,
        /// With this.
        timer: Timer,
    },
}
