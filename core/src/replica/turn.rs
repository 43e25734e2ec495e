//! Everything that can happen to a replica, and everything it can ask for.

use std::time::Instant;

use super::message::Message;
use crate::id::NodeId;
use crate::slot;
use crate::table::{Answer, Change, Record, Refusal};

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// Something that concerns the slot's channels.
    Slot(slot::Input),
    /// Another node that holds the slot has sent something.
    Received {
        /// Which start of which node: a node that restarted is another one (rule R3).
        from: NodeId,
        /// What.
        message: Message,
    },
    /// The slot's line in the table, as this node learnt of it just now.
    Table(Record),
    /// The table has answered [`Effect::Ask`]. Without an answer nobody knows what became of it.
    Answered {
        /// Which.
        number: u64,
        /// What became of it.
        outcome: Result<Answer, Refusal>,
    },
    /// Who should hold the slot, as far as this node can tell.
    Wanted(Wanted),
    /// A node does not answer, or is gone.
    Down(NodeId),
    /// It answers.
    Up(NodeId),
    /// The time that was asked for has come.
    Wake,
}

/// Who should hold the slot: the outcome of placement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Copies. An owner brings in those that answer, and lets others go once all of these are there.
    pub copies: Vec<NodeId>,
    /// Who should own it: claims what nobody ever owned, and is handed the slot by the node that has it.
    /// `None` where that is for another node to say.
    pub owner: Option<NodeId>,
    /// Every copy that counts is proved dead: whoever should own the slot begins it anew.
    pub lost: bool,
}

/// What the shell must do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// What the slot asks for.
    Slot(slot::Effect),
    /// Send something to another node that holds the slot. It may be lost.
    Send {
        /// Which.
        to: NodeId,
        /// What.
        message: Message,
    },
    /// Ask the table for a change. There is one on its way at a time.
    Ask {
        /// Names it in the answer. It may be asked more than once.
        number: u64,
        /// The version of the record that it was decided on.
        version: u64,
        /// Which.
        change: Change,
    },
    /// Send [`Input::Wake`] then, and not before. Those that were asked for earlier may come as well: they mean nothing.
    Wake {
        /// When.
        at: Instant,
    },
}
