//! Everything that can happen to what is watched, and everything it can ask for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;

use crate::id::{ChannelName, NodeId, SlotId, Term};
use crate::presence::entry::{Client, Row};
use crate::presence::message::{Count, Ephemeral, Message, ToWatch};
use crate::presence::settings::Mode;

/// One thing that happened.
#[derive(Debug)]
pub enum Input<W> {
    /// Somebody watches a channel, or wants more or less of it. [`Effect::Begin`] follows when something is known.
    Watch {
        /// Who.
        watcher: W,
        /// What.
        channel: ChannelName,
        /// In which slot.
        slot: SlotId,
        /// How much of it.
        mode: Mode,
    },
    /// A watcher was too slow for what it was told: let it begin again.
    Again {
        /// Who.
        watcher: W,
        /// What.
        channel: ChannelName,
    },
    /// Somebody watches a channel no more.
    Unwatch {
        /// Who.
        watcher: W,
        /// What.
        channel: ChannelName,
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
        told: ToWatch,
    },
    /// What was on its way to a node, or from it, may be lost.
    Reset(NodeId),
    /// The time that was asked for has come.
    Wake,
}

/// What the shell must do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect<W> {
    /// Send something to a node, which may be this one.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Show a watcher the channel as it is. What follows is told to all.
    Begin {
        /// Whom.
        watcher: W,
        /// Which channel.
        channel: ChannelName,
        /// What is there.
        view: View,
        /// The number of the last change that is in it.
        number: u64,
        /// It may be old.
        is_stale: bool,
        /// Nodes that may be dead.
        uncertain: BTreeSet<NodeId>,
    },
    /// Tell roster watchers what has changed.
    Changed {
        /// In which channel.
        channel: ChannelName,
        /// One more than the last.
        number: u64,
        /// What, one at most for each client.
        events: Arc<[Event]>,
    },
    /// Tell count watchers how many there are; roster watchers too, if they were shown a count.
    Counted {
        /// In which channel.
        channel: ChannelName,
        /// How many.
        count: Count,
    },
    /// Tell all watchers how sure it is what they are shown.
    Doubted {
        /// Of which channel.
        channel: ChannelName,
        /// It may be old.
        is_stale: bool,
        /// Nodes that may be dead.
        uncertain: BTreeSet<NodeId>,
    },
    /// Tell roster watchers the newest ephemeral states. May be dropped.
    Passed {
        /// In which channel.
        channel: ChannelName,
        /// Of each client that sent one, the newest.
        states: Vec<(Client, Ephemeral)>,
    },
    /// Tell roster watchers these states once more, if they were told them in a way that loses some: nothing newer has come.
    /// May be dropped.
    Rested {
        /// In which channel.
        channel: ChannelName,
        /// As they were passed on.
        states: Vec<(Client, Ephemeral)>,
    },
    /// Tell somebody that it watches nothing.
    Refused {
        /// Whom.
        watcher: W,
        /// What it wanted to watch.
        channel: ChannelName,
        /// Why.
        refusal: Refusal,
    },
    /// Send [`Input::Wake`] then, and not before. Those that were asked for earlier may come as well: they mean nothing.
    Wake {
        /// When.
        at: Instant,
    },
}

/// What a watcher is shown first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// Everybody who is there: the same slice for all who begin before that changes, so that it is encoded once.
    Roster(Arc<[Row]>),
    /// How many are there: it watches no more than that, or the channel is too large for more, or its namespace tells no
    /// more.
    Counted(Count),
}

/// What has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A client is present.
    Joined {
        /// How it looks.
        row: Row,
        /// Its member was not present.
        is_first: bool,
    },
    /// A client looks different: another state, another connection, another node.
    Updated(Row),
    /// A client is present no more.
    Left {
        /// Which.
        client: Client,
        /// Nor is its member.
        is_last: bool,
    },
}

/// Why something is not watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The node watches as many channels as it may.
    #[error("the node watches as many channels as it may; watch again later, or at another node")]
    TooManyWatched,
}
