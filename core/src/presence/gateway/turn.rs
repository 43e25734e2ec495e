//! Everything that can happen to a gateway, and everything it can ask for.

use std::time::{Duration, Instant};

use bytes::Bytes;
use thiserror::Error;

use crate::id::{ChannelName, NodeId, SlotId, Term};
use crate::presence::entry::{Client, ConnectionId};
use crate::presence::message::{Ephemeral, Message, ToGateway};

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// A client enters a channel, or enters it again with another state. Answered in the same turn.
    Enter {
        /// By which connection.
        connection: ConnectionId,
        /// Who. The subject is that of the connection's token.
        client: Client,
        /// Where.
        channel: ChannelName,
        /// In which slot.
        slot: SlotId,
        /// What it says of itself.
        state: Bytes,
    },
    /// A client changes its state. Answered in the same turn.
    Update {
        /// By which connection.
        connection: ConnectionId,
        /// Where.
        channel: ChannelName,
        /// What it says of itself by now.
        state: Bytes,
    },
    /// A client leaves a channel. Answered in the same turn.
    Leave {
        /// By which connection.
        connection: ConnectionId,
        /// Where.
        channel: ChannelName,
    },
    /// A connection has ended.
    Ended {
        /// Which.
        connection: ConnectionId,
        /// How.
        how: End,
        /// By how much too late that was noticed: the grace is shorter by it.
        late: Duration,
    },
    /// A client sends ephemeral state. Not answered.
    Ephemeral {
        /// By which connection.
        connection: ConnectionId,
        /// Where it has entered.
        channel: ChannelName,
        /// What.
        ephemeral: Ephemeral,
    },
    /// This node owns the slot by now, or nobody is known to.
    Route {
        /// Which slot.
        slot: SlotId,
        /// Who, and under which term.
        owner: Option<(NodeId, Term)>,
    },
    /// An owner has said something.
    Told {
        /// Who.
        from: NodeId,
        /// What.
        told: ToGateway,
    },
    /// What was on its way to a node, or from it, may be lost.
    Reset(NodeId),
    /// Something could not be sent: the lane to this node is full.
    Unsent(NodeId),
    /// The time that was asked for has come.
    Wake,
}

/// How a connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its client has said goodbye and does not mean to return.
    Left,
    /// Its client closed it without a word: a page that is closed, or loaded again and back in a moment.
    Closed,
    /// Anything else: it broke, fell silent, or was sent to another node. The client may return.
    Lost,
}

/// What the shell must do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answer whoever entered, updated or left, in this turn. It is not waited for the owner: the gateway answers for the
    /// entry, and for telling whoever owns the slot.
    Answer(Result<(), Refusal>),
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

/// Why something is not to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The state is longer than the namespace allows.
    #[error("the state is longer than its namespace allows; send less of it")]
    StateTooLarge,
    /// The connection has entered as many channels as one may.
    #[error("the connection has entered as many channels as it may; leave one first")]
    TooManyEntries,
    /// The node holds as many entries as it may.
    #[error("the node holds as many entries as it may; enter again later, or at another node")]
    Overloaded,
    /// The connection has not entered the channel.
    #[error("the connection has not entered the channel; enter it first")]
    NotEntered,
}

/// How much a gateway holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Channels that one connection may enter.
    pub entries_per_connection_max: usize,
    /// Entries of all connections, and of those that were lost and may return. The owners of the slots hold what all
    /// gateways hold together, so this bounds them too.
    pub entries_max: usize,
    /// Bytes of ephemeral state: with what is sent around it, it fits a datagram.
    pub ephemeral_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries_per_connection_max: 100,
            entries_max: 200_000,
            ephemeral_bytes_max: 512,
        }
    }
}
